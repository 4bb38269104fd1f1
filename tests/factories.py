"""Keys, key sets and tokens for tests: what Cognito would send, and everything that it would not.

Signs with `cryptography` alone, and encodes with the standard library: nothing here is taken from what is tested.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from cognito_oidc import SyncTokenVerifier, UserPool

POOL_ID: Final = "eu-west-1_AbC123"
ISSUER: Final = f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL_ID}"
UPDATED_ISSUER: Final = f"https://issuer-cognito-idp.eu-west-1.amazonaws.com/{POOL_ID}"
CLIENT_ID: Final = "1example23456789abcdefghij"
SUB: Final = "44e8b438-a061-70ca-faa7-3d3e93c015cb"
NOW: Final = 1_800_000_000
ACCESS_KID: Final = "yNulGv+Txz6O/LErWM9aSN3r709S03FQX17zuBH9qGg="
ID_KID: Final = "1234example+/DKmo7zKvbTCuRxJ9N5+UXfk3Lbw9zs="


class Absent:
    """Stands for a member that is not there."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


@cache
def rsa_key(name: str, bits: int = 2048) -> RSAPrivateKey:
    """Return the private key of that name, made once per session."""
    return generate_private_key(65537, bits)


def b64(data: bytes) -> str:
    """Return base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def b64_int(number: int) -> str:
    """Return a number as JWKs write one (RFC 7518 section 2, Base64urlUInt)."""
    return b64(number.to_bytes((number.bit_length() + 7) // 8 or 1, "big"))


def changed(members: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """Return a copy with some members set, and those that are `ABSENT` left out."""
    return {name: value for name, value in {**members, **changes}.items() if value is not ABSENT}


def jwk(key: RSAPrivateKey, kid: object, **changes: object) -> dict[str, object]:
    """Return the public half of a key as Cognito publishes it."""
    numbers = key.public_key().public_numbers()
    n, e = b64_int(numbers.n), b64_int(numbers.e)
    return changed({"alg": "RS256", "e": e, "kid": kid, "kty": "RSA", "n": n, "use": "sig"}, changes)


def key_set() -> dict[str, object]:
    """Return the pool's key set: one key for ID tokens and one for access tokens, as Cognito has them."""
    return {"keys": [jwk(rsa_key("id"), ID_KID), jwk(rsa_key("access"), ACCESS_KID)]}


def access_payload(**changes: object) -> dict[str, object]:
    """Return the claims of a good access token of the OAuth endpoints, issued now."""
    return changed(
        {
            "sub": SUB,
            "cognito:groups": ["admins", "editors"],
            "iss": ISSUER,
            "version": 2,
            "client_id": CLIENT_ID,
            "origin_jti": "0c9b8b5a-3a0e-4c60-9d2c-3cb63e0a1c4a",
            "event_id": "8e0f2a56-19c1-4a0f-8e4f-5a9a1f0f1f9d",
            "token_use": "access",
            "scope": "openid email orders/read",
            "auth_time": NOW,
            "exp": NOW + 3600,
            "iat": NOW,
            "jti": "b7a1f8a2-0f3c-4bb5-8f0e-2a7f1a6a9c11",
            "username": "alice",
        },
        changes,
    )


def id_payload(**changes: object) -> dict[str, object]:
    """Return the claims of a good ID token of the OAuth endpoints, issued now."""
    return changed(
        {
            "sub": SUB,
            "cognito:groups": ["admins"],
            "cognito:roles": ["arn:aws:iam::111122223333:role/r"],
            "cognito:preferred_role": "arn:aws:iam::111122223333:role/r",
            "email_verified": True,
            "iss": ISSUER,
            "cognito:username": "alice",
            "nonce": "n-0S6_WzA2Mj",
            "origin_jti": "0c9b8b5a-3a0e-4c60-9d2c-3cb63e0a1c4a",
            "aud": CLIENT_ID,
            "event_id": "8e0f2a56-19c1-4a0f-8e4f-5a9a1f0f1f9d",
            "token_use": "id",
            "auth_time": NOW,
            "exp": NOW + 3600,
            "iat": NOW,
            "jti": "c2f0c3de-6f0b-4f3c-9c35-6b8d2f1c7a55",
            "email": "alice@example.com",
            "custom:tenant": "42",
        },
        changes,
    )


def sign(
    payload: Mapping[str, object] | bytes,
    *,
    header: Mapping[str, object] | bytes | None = None,
    key: RSAPrivateKey | None = None,
) -> str:
    """Return a signed token; header and payload as objects, or as the very bytes to encode.

    Without a key and header it is signed and named as Cognito does: by the key for its `token_use`.
    """
    is_id = isinstance(payload, Mapping) and payload.get("token_use") == "id"
    header = header if header is not None else {"kid": ID_KID if is_id else ACCESS_KID, "alg": "RS256"}
    parts = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload))
    return sign_segments(*map(b64, parts), key=key or rsa_key("id" if is_id else "access"))


def sign_segments(header: str, payload: str, *, key: RSAPrivateKey) -> str:
    """Return a token of two parts that are already encoded, signed as they stand."""
    signing_input = f"{header}.{payload}"
    return f"{signing_input}.{b64(key.sign(signing_input.encode(), PKCS1v15(), SHA256()))}"


def sync_verifier(**changes: object) -> SyncTokenVerifier:
    """Return a verifier that was given the pool's keys, at the moment the tokens here are issued."""
    options = {"client_ids": [CLIENT_ID], "jwks": key_set(), "clock": lambda: NOW, **changes}
    return SyncTokenVerifier(UserPool(POOL_ID), **options)  # type: ignore[arg-type]  # a test says what it changes
