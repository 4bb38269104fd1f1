"""A session: what an application reads of it, and what its cookie seals.

Decides which cookie is a session of this app client that has not ended. Decides nothing about where tokens are kept.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Self, cast

from cognito_oidc.protocol.encoding import load_object
from cognito_oidc.protocol.sealing import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cognito_oidc import AccessToken, AuthorizationRequest, CognitoClient, IdTokenClaims

CLOCK_TOLERANCE: Final = 60.0
"""Seconds by which the clocks of two servers may differ."""

_PURPOSE: Final = "cognito-oidc-session"
_VERSION: Final = 1
_MAX_SEALED: Final = 32 * 1024
_TAG_CHARACTERS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSession:
    """A person who is signed in. Its repr shows no token.

    Attributes:
        claims: What the ID token says; verified when it was received.
        access_token: For APIs. With a store it is good now; without one it is that of the login, and may have expired.
        csrf_token: For the field `csrf_token` of the form that logs out, and of forms of the application's own.
        signed_in_at: When the session began, epoch seconds UTC.
        ends_at: When it ends, whatever happens, epoch seconds UTC.
    """

    claims: IdTokenClaims
    access_token: AccessToken = field(repr=False)
    csrf_token: str = field(repr=False)
    signed_in_at: float
    ends_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """What the cookie of a session seals.

    Attributes:
        pool_id: The user pool; a session is good for no other.
        client_id: The app client; the same.
        sub: Who is signed in; tokens of anybody else are not this session's.
        login: The tag of the login that it came from, to know a callback that is opened twice.
        csrf_token: What forms of this session carry.
        signed_in_at: Epoch seconds UTC.
        providers: The identity providers that the person came through.
        store_key: Where the tokens are in the store; None where they are here.
        tokens: Access token and claims, as `TokenSet.to_dict` has them; None where they are in the store.
    """

    pool_id: str
    client_id: str
    sub: str
    login: str
    csrf_token: str
    signed_in_at: float
    providers: tuple[str, ...]
    store_key: str | None
    tokens: Mapping[str, object] | None

    @classmethod
    def begun(cls, request: AuthorizationRequest, claims: IdTokenClaims, *, client: CognitoClient, now: float) -> Self:
        """Return the record of a new session, without its tokens yet."""
        return cls(
            pool_id=client.pool.pool_id,
            client_id=client.client_id,
            sub=claims.sub,
            login=tag_of(request.state),
            csrf_token=secrets.token_urlsafe(32),
            signed_in_at=now,
            providers=tuple(one.provider_name for one in claims.identities if one.provider_name is not None),
            store_key=None,
            tokens=None,
        )

    def sealed(self, key: bytes) -> str:
        """Return the record encrypted."""
        return seal(json.dumps({"v": _VERSION, **asdict(self)}, separators=(",", ":")).encode(), key, purpose=_PURPOSE)

    def is_good(self, client: CognitoClient, *, now: float, lifetime: float) -> bool:
        """Tell whether it is a session of this app client that has begun and has not ended."""
        return (self.pool_id, self.client_id) == (
            client.pool.pool_id,
            client.client_id,
        ) and -CLOCK_TOLERANCE <= now - self.signed_in_at < lifetime


def open_record(sealed: str | None, keys: Iterable[bytes]) -> SessionRecord | None:
    """Return the record that a cookie seals; None where the cookie is none of ours, or of another version."""
    text = unseal(sealed, keys, purpose=_PURPOSE, max_length=_MAX_SEALED)
    if text is not None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            values = load_object(text)
            if values.pop("v") == _VERSION:
                providers = tuple(cast("list[str]", values["providers"]))
                return SessionRecord(**{**values, "providers": providers})  # type: ignore[arg-type]  # our own text
    return None


def tag_of(state: str) -> str:
    """Return what tells one login from another, in the name of its cookie."""
    return sha256(state.encode("utf-8", "surrogatepass")).hexdigest()[:_TAG_CHARACTERS]


def store_key_of(request: AuthorizationRequest) -> str:
    """Return where the tokens of a login are kept in a store: 64 hexadecimal digits.

    Made of the `code_verifier`, 256 random bits that no browser sees in the clear: nobody can guess it, no login gets
    the key of another one, and the same login, finished twice, finds that it is there.
    """
    return sha256(b"cognito-oidc session\0" + request.code_verifier.encode()).hexdigest()
