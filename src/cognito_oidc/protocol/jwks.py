"""Key sets: the request, the answer, and which of its keys may be used.

Decides which keys of a key set are used. Decides nothing about when a set is fetched, kept or given up; that is
`key_cache`'s.

This module is on the verification path: it imports nothing that is slow to import.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from cognito_oidc._frozen import Record
from cognito_oidc.errors import ProtocolError
from cognito_oidc.protocol.encoding import decode_base64url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from cognito_oidc.protocol.wire import HttpRequest, HttpResponse

MAX_KEYS: Final = 32
"""Keys a key set may hold. Ours; a user pool publishes two, and a few more while it rotates."""

_MIN_BITS: Final = 2048  # RFC 7518 section 3.3
_MAX_BITS: Final = 8192
_MIN_EXPONENT: Final = 65537
_MAX_KID: Final = 256
_PRIVATE_MEMBERS: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
# Of each prime how often a power of 65537 repeats: modulo every one of them, the modulus of a broken chip is such a
# power. The ten that tell most of those up to 701; a good modulus of 2,048 bits or more passes for one in 2**49 cases.
# Source: CVE-2017-15361; Nemec et al., "The Return of Coppersmith's Attack", section 3.
_ROCA_ORDERS: Final = (
    (37, 3),
    (97, 6),
    (229, 19),
    (241, 6),
    (331, 2),
    (461, 20),
    (523, 18),
    (541, 27),
    (673, 6),
    (691, 23),
)
_HTTP_OK: Final = 200
_NOT_MODIFIED: Final = 304


class VerificationKey(Record):
    """A key that passed every check.

    Attributes:
        kid: The key's id, an opaque string.
        public_key: The prepared key.
        n: The modulus, base64url, as it came.
        e: The exponent, base64url, as it came.
    """

    kid: str
    public_key: RSAPublicKey
    n: str
    e: str


class SkippedKey(Record):
    """A key that was left out of a key set, and why. One bad key never spoils the others."""

    kid: str | None
    reason: str


class KeySet(Record):
    """The usable keys of a key set by `kid`, and those that were left out."""

    keys: Mapping[str, VerificationKey]
    skipped: tuple[SkippedKey, ...]

    def to_jwks(self) -> dict[str, object]:
        """Return the usable keys as a JWK Set.

        Source: RFC 7517 section 5.
        """
        return {
            "keys": [
                {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": key.kid, "n": key.n, "e": key.e}
                for key in self.keys.values()
            ]
        }


def parse_key_set(document: Mapping[str, object]) -> KeySet:
    """Return the usable keys of a JWK Set.

    A key is used when it is RSA of 2,048 to 8,192 bits with an odd exponent of at least 65,537, for RS256 signatures or
    for nothing in particular, has a `kid` and no private member, and is not of a kind known to be broken. Of a `kid`
    that stands for two different keys, both are left out.

    Args:
        document: The parsed key set.

    Raises:
        ProtocolError: It is no key set, holds too many keys, or none that can be used.

    Source: RFC 7517 sections 4 and 5; RFC 7518 section 6.3.
    """
    entries = document.get("keys")
    if not isinstance(entries, list | tuple):
        msg = "Cannot use the key set: it has no array 'keys'."
        raise ProtocolError(msg)
    if len(entries) > MAX_KEYS:
        msg = f"Cannot use the key set: it holds {len(entries)} keys, more than {MAX_KEYS}."
        raise ProtocolError(msg)
    keys: dict[str, VerificationKey] = {}
    skipped: list[SkippedKey] = []
    ambiguous: set[str] = set()
    for entry in entries:
        try:
            key = _parse_key(entry)
        except ValueError as error:
            kid = entry.get("kid") if isinstance(entry, dict) else None
            skipped.append(SkippedKey(kid[:_MAX_KID] if isinstance(kid, str) else None, str(error)))
            continue
        other = keys.setdefault(key.kid, key)
        if (other.n, other.e) != (key.n, key.e):
            ambiguous.add(key.kid)
    for kid in sorted(ambiguous):
        del keys[kid]
        skipped.append(SkippedKey(kid, "two different keys have this kid"))
    if not keys:
        reasons = "; ".join(sorted({one.reason for one in skipped})) or "it is empty"
        msg = f"Cannot use the key set: it holds no usable key ({reasons})."
        raise ProtocolError(msg)
    return KeySet(MappingProxyType(keys), tuple(skipped))


def _parse_key(entry: object) -> VerificationKey:
    """Return a key, or raise ValueError with the reason in a few words."""
    if not isinstance(entry, dict):
        raise ValueError("no object")  # noqa: TRY004 - reasons, for SkippedKey
    jwk = cast("dict[str, object]", entry)
    kid, n, e = jwk.get("kid"), jwk.get("n"), jwk.get("e")
    problems = (
        ("not an RSA key", jwk.get("kty") != "RSA"),
        ("no kid of 1 to 256 bytes", not isinstance(kid, str) or not 0 < len(kid.encode()) <= _MAX_KID),
        ("not for RS256", "alg" in jwk and jwk["alg"] != "RS256"),
        ("not for signatures", "use" in jwk and jwk["use"] != "sig"),
        ("not for verifying", "key_ops" in jwk and jwk["key_ops"] != ["verify"]),
        ("a private key", any(name in jwk for name in _PRIVATE_MEMBERS)),
        ("no modulus or exponent", not isinstance(n, str) or not isinstance(e, str) or not (n + e).isascii()),
    )
    for reason, bad in problems:
        if bad:
            raise ValueError(reason)
    kid, n, e = cast("str", kid), cast("str", n), cast("str", e)
    modulus = int.from_bytes(decode_base64url(n.encode()), "big")
    exponent = int.from_bytes(decode_base64url(e.encode()), "big")
    if not _MIN_BITS <= modulus.bit_length() <= _MAX_BITS:
        raise ValueError(f"{modulus.bit_length()} bits, not {_MIN_BITS} to {_MAX_BITS}")
    if modulus % 2 == 0:
        raise ValueError("modulus even")
    if exponent < _MIN_EXPONENT or exponent % 2 == 0:
        raise ValueError("exponent even or under 65537")
    if all(pow(modulus, order, prime) == 1 for prime, order in _ROCA_ORDERS):
        raise ValueError("a key of a chip whose keys can be broken (CVE-2017-15361)")
    return VerificationKey(kid, RSAPublicNumbers(exponent, modulus).public_key(), n, e)


def jwks_request(url: str, *, etag: str | None) -> HttpRequest:
    """Return the request for a key set.

    Args:
        url: The issuer's `jwks_uri`.
        etag: The ETag of the set that is there, so that an unchanged one is not sent again.

    Source: OpenID Connect Discovery 1.0 section 3; RFC 9110 section 13.1.2.
    """
    from cognito_oidc.protocol.wire import Endpoint, get_request  # noqa: PLC0415 - only where keys are fetched

    return get_request(url, endpoint=Endpoint.JWKS, headers=() if etag is None else (("If-None-Match", etag),))


def parse_jwks_response(response: HttpResponse, *, may_be_unchanged: bool) -> KeySet | None:
    """Return the keys of an answer; None where the server says that nothing changed.

    Args:
        response: The answer of the key endpoint.
        may_be_unchanged: Whether an ETag was sent.

    Raises:
        ProtocolError: It is no key set that can be used.
        RateLimitedError: Too many requests.
        TransportError: A 5xx, or a firewall's refusal.
    """
    from cognito_oidc.protocol.wire import Endpoint, parse_json_object  # noqa: PLC0415 - only where keys are fetched

    if response.status == _NOT_MODIFIED and may_be_unchanged:
        return None
    if response.status != _HTTP_OK:
        from cognito_oidc.protocol.oauth_errors import (  # noqa: PLC0415 - only where that failed
            parse_oauth_error,
            says_nothing,
        )

        if says_nothing(response):
            raise parse_oauth_error(response, endpoint=Endpoint.JWKS, grant="jwks")
        msg = f"Cannot use the key set: expected status 200, got {response.status}. Is the pool id right?"
        raise ProtocolError(msg)
    return parse_key_set(parse_json_object(response.body, what="the key set"))
