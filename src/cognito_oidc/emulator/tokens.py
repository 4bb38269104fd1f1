"""Which claims a token carries, and the keys that sign it.

A pool has two RSA-2048 keys at a time: one signs ID tokens, the other access tokens. Refresh tokens are opaque. Who may
have a token is decided by the endpoints.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-id-token.html,
    .../amazon-cognito-user-pools-using-the-access-token.html and
    .../amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import uuid
from itertools import count
from typing import TYPE_CHECKING, Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from cognito_oidc.emulator.app_clients import EmulatedAppClient
    from cognito_oidc.emulator.ledger import SignIn
    from cognito_oidc.emulator.users import EmulatedUser

TokenUse = Literal["id", "access"]

_KID_BYTES: Final = 32  # 44 characters of standard base64, as in the key sets of real pools
_PHONE: Final = frozenset({"phone_number", "phone_number_verified"})
_EMAIL: Final = frozenset({"email", "email_verified"})
# OpenID Connect Core 5.4, the scope `profile`, without `sub`.
_PROFILE: Final = frozenset(
    {
        "birthdate",
        "family_name",
        "gender",
        "given_name",
        "locale",
        "middle_name",
        "name",
        "nickname",
        "picture",
        "preferred_username",
        "profile",
        "updated_at",
        "website",
        "zoneinfo",
    },
)
STANDARD_ATTRIBUTES: Final = _PHONE | _EMAIL | _PROFILE | {"address"}
BOOLEAN_ATTRIBUTES: Final = frozenset({"email_verified", "phone_number_verified"})


class KeyStock:
    """Private keys to be used again by one emulator after the other, since making one takes a tenth of a second.

    Each emulator gets the same keys in the same order, with new kids. For tests: a suite makes its keys once.
    """

    __slots__ = ("_keys", "_lock")

    def __init__(self) -> None:
        self._keys: list[RSAPrivateKey] = []
        self._lock = threading.Lock()

    def source(self) -> Callable[[], RSAPrivateKey]:
        """Return a function that gives the keys one by one, from the first, and makes those that are missing."""
        position = count()

        def next_key() -> RSAPrivateKey:
            with self._lock:
                index = next(position)
                if index >= len(self._keys):
                    self._keys.append(make_key())
                return self._keys[index]

        return next_key


def make_key() -> RSAPrivateKey:
    """Return a new RSA-2048 key."""
    return generate_private_key(public_exponent=65537, key_size=2048)


class SigningKey:
    """One RSA-2048 key and its kid, 44 characters of standard base64."""

    __slots__ = ("_private_key", "kid")

    def __init__(self, private_key: RSAPrivateKey) -> None:
        self.kid: str = base64.b64encode(secrets.token_bytes(_KID_BYTES)).decode()
        self._private_key = private_key

    def sign(self, claims: Mapping[str, object], headers: Mapping[str, object]) -> str:
        """Return the claims as a JWT whose header has `kid` and `alg`, and what `headers` adds or replaces."""
        header = {"kid": self.kid, "alg": "RS256", **headers}
        signing_input = f"{_segment(header)}.{_segment(claims)}"
        signature = self._private_key.sign(signing_input.encode(), PKCS1v15(), SHA256())
        return f"{signing_input}.{_base64url(signature)}"

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        """Tell whether this key made the signature."""
        try:
            self._private_key.public_key().verify(signature, signing_input, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True

    def public_jwk(self) -> dict[str, str]:
        """Return the public half as it stands in the key set."""
        numbers = self._private_key.public_key().public_numbers()
        return {
            "alg": "RS256",
            "e": _base64url(numbers.e.to_bytes(3, "big")),
            "kid": self.kid,
            "kty": "RSA",
            "n": _base64url(numbers.n.to_bytes(256, "big")),
            "use": "sig",
        }


class KeyRing:
    """The keys of one pool, generated when they are first needed.

    Not safe between threads by itself: the emulator's lock is held by whoever calls.
    """

    __slots__ = ("_current", "_next_key", "_published")

    def __init__(self, next_key: Callable[[], RSAPrivateKey]) -> None:
        self._next_key = next_key
        self._current: dict[TokenUse, SigningKey] = {}
        self._published: list[SigningKey] = []

    def signing_key(self, use: TokenUse) -> SigningKey:
        """Return the key that signs this kind of token now."""
        self._generate()
        return self._current[use]

    def rotate(self, *, withdraw_old: bool) -> None:
        """Sign with new keys from now on; the old ones stay published unless they are withdrawn."""
        self._generate()
        self._current.clear()
        if withdraw_old:
            self._published.clear()
        self._generate()

    def key_set(self) -> dict[str, list[dict[str, str]]]:
        """Return the key set as it is served, oldest keys first."""
        self._generate()
        return {"keys": [key.public_jwk() for key in self._published]}

    def verify(self, token: str) -> dict[str, object] | None:
        """Return the claims of a token that a published key signed, or None."""
        try:
            encoded_header, encoded_claims, encoded_signature = token.split(".")
            header = json.loads(_decode(encoded_header))
            claims = json.loads(_decode(encoded_claims))
            signature = _decode(encoded_signature)
        except (ValueError, RecursionError):
            return None
        if not isinstance(header, dict) or not isinstance(claims, dict) or header.get("alg") != "RS256":
            return None
        signing_input = f"{encoded_header}.{encoded_claims}".encode()
        key = next((each for each in self._published if each.kid == header.get("kid")), None)
        return claims if key is not None and key.verifies(signing_input, signature) else None

    def _generate(self) -> None:
        if not self._current:
            self._current = {"id": SigningKey(self._next_key()), "access": SigningKey(self._next_key())}
            self._published.extend(self._current.values())


def access_token_claims(sign_in: SignIn, *, issuer: str, now: float) -> dict[str, object]:
    """Return the claims of a person's access token: no `aud` unless it was bound to a resource."""
    claims: dict[str, object] = {"sub": sign_in.user.sub}
    if sign_in.user.groups:
        claims["cognito:groups"] = list(sign_in.user.groups)
    claims |= {"iss": issuer, "version": 2, "client_id": sign_in.client.client_id}
    if sign_in.resource is not None:
        claims["aud"] = sign_in.resource
    return claims | {
        **_identifiers(sign_in),
        "event_id": sign_in.event_id,
        "token_use": "access",
        "scope": " ".join(sign_in.scopes),
        "auth_time": sign_in.auth_time,
        "exp": int(now) + sign_in.client.access_token_validity,
        "iat": int(now),
        "username": sign_in.user.username,
        **_context_claims(sign_in),
    }


def id_token_claims(
    sign_in: SignIn,
    *,
    issuer: str,
    now: float,
    nonce: str | None,
    access_token: str | None,
) -> dict[str, object]:
    """Return the claims of an ID token; what it says of the person depends on the scopes."""
    user = sign_in.user
    claims: dict[str, object] = {}
    if access_token is not None:
        # OpenID Connect Core 3.1.3.6: the left half of the hash of the access token, with the algorithm of RS256.
        claims["at_hash"] = _base64url(hashlib.sha256(access_token.encode()).digest()[:16])
    claims["sub"] = user.sub
    if user.groups:
        claims["cognito:groups"] = list(user.groups)
    claims |= {"iss": issuer, "cognito:username": user.username}
    if nonce is not None:
        claims["nonce"] = nonce
    if identities := user.identities_claim():
        claims["identities"] = identities
    if roles := user.role_arns():
        claims |= {"cognito:roles": list(roles), "cognito:preferred_role": roles[0]}
    claims |= {
        **_identifiers(sign_in),
        "aud": sign_in.client.client_id,
        "event_id": sign_in.event_id,
        "token_use": "id",
        "auth_time": sign_in.auth_time,
        "exp": int(now) + sign_in.client.id_token_validity,
        "iat": int(now),
        **_context_claims(sign_in),
    }
    for name, value in visible_attributes(user, sign_in.client, sign_in.scopes).items():
        if name in BOOLEAN_ATTRIBUTES:
            claims[name] = value == "true"
        elif name == "address":
            claims[name] = {"formatted": value}  # OpenID Connect Core 5.1.1
        else:
            claims[name] = value
    return claims


def machine_token_claims(
    client: EmulatedAppClient, scopes: Iterable[str], *, issuer: str, now: float
) -> dict[str, object]:
    """Return the claims of an access token that an app client got for itself."""
    return {
        "sub": client.client_id,
        "token_use": "access",
        "scope": " ".join(scopes),
        "auth_time": int(now),
        "iss": issuer,
        "exp": int(now) + client.access_token_validity,
        "iat": int(now),
        "version": 2,
        "jti": str(uuid.uuid4()),
        "client_id": client.client_id,
    }


def visible_attributes(user: EmulatedUser, client: EmulatedAppClient, scopes: Iterable[str]) -> dict[str, str]:
    """Return a person's attributes as the scopes show them: all for `openid` alone, else those of the scopes.

    Source: https://docs.aws.amazon.com/cognito/latest/developerguide/userinfo-endpoint.html
    """
    limiting = {"email", "phone", "profile"}.intersection(scopes)
    return {
        name: value
        for name, value in user.attributes.items()
        if (not limiting or any(_belongs(name, scope) for scope in limiting))
        and (client.read_attributes is None or name in client.read_attributes)
    }


def unreadable_attributes(client: EmulatedAppClient, scopes: Iterable[str]) -> frozenset[str]:
    """Return the e-mail and phone attributes that the scopes imply and the app client may not read.

    Cognito refuses such a code with `invalid_grant`, the classic being `email` readable without `email_verified`.
    """
    if client.read_attributes is None:
        return frozenset()
    implied = (_EMAIL if "email" in scopes else frozenset()) | (_PHONE if "phone" in scopes else frozenset())
    return implied - client.read_attributes


def generate_refresh_token() -> str:
    """Return random text in the shape of Cognito's refresh tokens: a JWE whose header never changes."""
    header = _base64url(b'{"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}')
    sizes = (256, 12, 900, 16)  # encrypted key, initialisation vector, ciphertext, tag
    return ".".join([header, *(_base64url(secrets.token_bytes(size)) for size in sizes)])


def looks_signed(token: str) -> bool:
    """Tell whether a string is an access or ID token by its shape, whoever signed it."""
    header, _, rest = token.partition(".")
    if rest.count(".") != 1:
        return False
    try:
        return isinstance(json.loads(_decode(header)), dict)
    except (ValueError, RecursionError):
        return False


def _identifiers(sign_in: SignIn) -> dict[str, object]:
    """Return `origin_jti` and `jti`, which exist only while revocation or rotation is on."""
    if not sign_in.client.tracks_tokens:
        return {}
    return {"origin_jti": sign_in.origin_jti, "jti": str(uuid.uuid4())}


def _context_claims(sign_in: SignIn) -> dict[str, object]:
    """Return `acr` and `amr`, which are kept on refresh; absent where there is nothing to say.

    Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-step-up-authentication.html
    """
    claims: dict[str, object] = {}
    if sign_in.context.acr is not None:
        claims["acr"] = sign_in.context.acr
    if sign_in.context.amr:
        claims["amr"] = list(sign_in.context.amr)
    return claims


def _belongs(attribute: str, scope: str) -> bool:
    if scope == "email":
        return attribute in _EMAIL
    if scope == "phone":
        return attribute in _PHONE
    return attribute in _PROFILE or attribute.startswith("custom:")


def _segment(value: Mapping[str, object]) -> str:
    """Return a JSON object as a segment of a JWT, slashes escaped as Cognito does.

    Source: https://github.com/amazon-archives/amazon-cognito-identity-js/issues/68, a token of a real pool.
    """
    return _base64url(json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode())


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decode(value: str) -> bytes:
    """Decode base64url without padding."""
    return base64.b64decode(value.encode() + b"=" * (-len(value) % 4), altchars=b"-_", validate=True)
