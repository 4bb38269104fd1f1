"""The form of a token: three parts of canonical base64url, a header that names RS256 and a key, and a signature.

Decides whether a text is a signed token of a form we look at, and whether a signature is that of a key. Decides
nothing about what the token says; that is `claims`'s.

This module is on the verification path: it imports nothing that is slow to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from cognito_oidc.errors import InvalidSignatureError, MalformedTokenError, shown
from cognito_oidc.protocol.encoding import (
    LAST_CHARACTERS,
    decode_base64url,
    decode_checked_base64url,
    load_object,
    load_object_of_any_depth,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_DOT: Final = ord(".")
_PARTS_OF_JWE: Final = 5  # RFC 7516 section 3.1
_MAX_KID: Final = 256
_TYPES: Final = ("JWT", "at+jwt")
# Members that would change what is verified, or with which key (RFC 7515 section 4.1, RFC 7797, RFC 7516).
_REFUSED_MEMBERS: Final = ("crit", "b64", "zip", "jwk", "jku", "x5u", "x5c")

_ODD_PAYLOAD: Final = "The token's payload is not canonical base64url."
_WITHOUT_DOTS: Final = "The token has 1 parts, expected 3 with dots between them."

_PKCS1_V1_5: Final = PKCS1v15()
_SHA256: Final = SHA256()
_DIGEST: Final = Prehashed(_SHA256)


def split_token(token: str, max_length: int) -> tuple[bytes, bytes, bytes, bytes]:
    """Return header, payload and signature of a token, still encoded, and its signing input.

    Args:
        token: The compact serialization.
        max_length: Characters a token may have.

    Raises:
        MalformedTokenError: No text, too long, not three parts, or a character of standard base64.

    Source: RFC 7515 section 3.1.
    """
    if not isinstance(token, str) or not token.isascii():
        raise _no_token(token)
    if len(token) > max_length:
        msg = f"The token has {len(token)} characters, more than the {max_length} that are looked at."
        raise MalformedTokenError(msg)
    signing_input, dot, signature = token.encode().rpartition(b".")
    if not dot and " " not in token:
        raise MalformedTokenError(_WITHOUT_DOTS)  # most of what is garbage, told in the cheapest way
    header, dot, payload = signing_input.partition(b".")
    if not dot or _DOT in payload:
        raise _no_token(token)
    if "+" in token or "/" in token or "=" in token:  # what decode_checked_base64url relies on
        msg = "The token holds '+', '/' or '=', which base64url without padding does not have."
        raise MalformedTokenError(msg)
    return header, payload, signature, signing_input


def decode_payload(segment: bytes, *, signed: bool = False) -> dict[str, object]:
    """Return the JSON object in a token's payload, read as `encoding` says; its depth is left to who checks the claims.

    Args:
        segment: The second part of a token that `split_token` has let pass.
        signed: Whether the signature was checked.

    Raises:
        MalformedTokenError: No canonical base64url, or no such object.

    Source: RFC 7519 sections 4 and 7.2; RFC 8725 section 3.7.
    """
    tail = len(segment) & 3
    if tail and segment[-1] not in LAST_CHARACTERS[tail]:  # garbage with two dots, told in the cheapest way
        raise MalformedTokenError(_ODD_PAYLOAD)
    try:
        return load_object_of_any_depth(decode_checked_base64url(segment), signed=signed)
    except ValueError as error:
        msg = f"The token's payload {error}."
        raise MalformedTokenError(msg) from None


def parse_header(segment: bytes) -> str:
    """Return the `kid` of a token's header, after the whole header was checked.

    `alg` is exactly RS256, `kid` a string of 1 to 256 bytes, `typ` absent, `JWT` or `at+jwt`; members that would
    change what is verified, or how, are refused; others are ignored.

    Raises:
        MalformedTokenError: It is no such header.

    Source: RFC 7515 section 4.1; RFC 8725 sections 3.1 and 3.10; AWS, "Verifying a JSON web token".
    """
    try:
        header = load_object(decode_base64url(segment))
    except ValueError as error:
        msg = f"The token's header {error}."
        raise MalformedTokenError(msg) from None
    if header.get("alg") != "RS256":
        msg = f"The token's alg is {shown(header.get('alg'), limit=40)}, expected 'RS256'."
        raise MalformedTokenError(msg)
    refused = next((name for name in _REFUSED_MEMBERS if name in header), None)
    if refused is not None:
        msg = f"The token's header has {refused!r}, which Cognito never sends."
        raise MalformedTokenError(msg)
    if "typ" in header and header["typ"] not in _TYPES:
        msg = f"The token's typ is {shown(header['typ'], limit=40)}, expected 'JWT' or none."
        raise MalformedTokenError(msg)
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid.encode()) <= _MAX_KID:
        msg = f"The token's kid is {shown(kid, limit=40)}, expected a string of 1 to {_MAX_KID} bytes."
        raise MalformedTokenError(msg)
    return kid


def verify_signature(
    signature: bytes, signing_input: bytes, public_key: RSAPublicKey, digest: bytes | None = None
) -> None:
    """Check an RS256 signature.

    Args:
        signature: The third part of a token that `split_token` has let pass.
        signing_input: The first two parts with their dot.
        public_key: The key the header names.
        digest: The SHA-256 of the signing input, where the caller has it already.

    Raises:
        InvalidSignatureError: It is not that key's.
        MalformedTokenError: It is not canonical base64url.

    Source: RFC 7518 section 3.3.
    """
    try:
        if digest is None:
            public_key.verify(decode_checked_base64url(signature), signing_input, _PKCS1_V1_5, _SHA256)
        else:
            public_key.verify(decode_checked_base64url(signature), digest, _PKCS1_V1_5, _DIGEST)
    except ValueError as error:
        msg = f"The token's signature {error}."
        raise MalformedTokenError(msg) from None
    except _invalid_signature():
        msg = "The token's signature is not that of the key it names."
        raise InvalidSignatureError(msg) from None


def _invalid_signature() -> type[Exception]:
    """Return the exception of `cryptography`; its module is imported when a signature is bad, and no earlier."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - half a millisecond

    return InvalidSignature


def _no_token(token: object) -> MalformedTokenError:
    """Return the error for what has not three parts, with the mistake it probably is."""
    if not isinstance(token, str):
        return MalformedTokenError(f"A token is a str, got {type(token).__name__}.")
    if not token.isascii():
        return MalformedTokenError("The token holds a character that is not ASCII.")
    parts = token.count(".") + 1
    hint = ""
    if parts == _PARTS_OF_JWE:
        hint = " Five parts are an encrypted token: Cognito's refresh tokens look so, and only Cognito reads them."
    elif token[:7].lower() == "bearer ":
        hint = " Leave out 'Bearer '."
    return MalformedTokenError(f"The token has {parts} parts, expected 3 with dots between them.{hint}")
