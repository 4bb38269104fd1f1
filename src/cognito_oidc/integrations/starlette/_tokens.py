"""Where the tokens of a session are: in its cookie, or in a store.

Decides what happens to tokens when a session begins, is looked at and ends. Decides nothing about when they are
refreshed; that is the token source's.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import anyio

from cognito_oidc import StoredToken, TokenSet
from cognito_oidc.errors import CallbackError, ConfigurationError, LoginRequiredError, StoreError
from cognito_oidc.integrations.starlette._session import store_key_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cognito_oidc import AuthorizationRequest, CognitoClient, TokenSource, TokenStore
    from cognito_oidc.integrations.starlette._session import SessionRecord

T = TypeVar("T")

_EARLY: Final = 120.0
"""Seconds before an access token expires from which on the token source is asked, which decides when it is renewed."""

_PATIENCE: Final = 10.0


class Keeper(Protocol):
    """Keeps the tokens of sessions."""

    async def check_unused(self, request: AuthorizationRequest) -> None:
        """Check that no session came of a login yet, as far as that is known.

        Raises:
            CallbackError: One did; `reason` is `already_used`.
            StoreError: That cannot be known now.
        """

    async def keep(self, record: SessionRecord, request: AuthorizationRequest, tokens: TokenSet) -> SessionRecord:
        """Keep the tokens of a new session, and return its record with where they are.

        Raises:
            CallbackError: A session came of this login in the meantime; `reason` is `already_used`.
            StoreError: They cannot be kept now.
        """

    async def tokens_of(self, record: SessionRecord) -> TokenSet | None:
        """Return the tokens of a session; None where it is over.

        Raises:
            CognitoOidcError: It cannot be known now whether it is.
        """

    async def forget(self, record: SessionRecord, *, revoke: bool) -> None:
        """Forget the tokens of a session.

        Raises:
            StoreError: They are still there.
            CognitoOidcError: They are forgotten, and Cognito did not revoke the refresh token.
        """


class InCookie:
    """The session's cookie holds the access token and the claims; nothing is refreshed."""

    async def check_unused(self, request: AuthorizationRequest) -> None:
        """Know nothing: the browser's cookie of the login is gone after its use, and Cognito takes a code once."""

    async def keep(self, record: SessionRecord, request: AuthorizationRequest, tokens: TokenSet) -> SessionRecord:
        """Return the record with the access token and the claims.

        Never the refresh token: two requests of one browser would refresh at once, and with rotation switched on the
        second one would end the session. Nor the ID token: its claims are sealed with the rest.
        """
        return replace(record, tokens={**tokens.to_dict(), "id_token": None, "refresh_token": None})

    async def tokens_of(self, record: SessionRecord) -> TokenSet | None:
        """Return what the cookie holds."""
        try:
            return None if record.tokens is None else TokenSet.from_dict(record.tokens)
        except ConfigurationError:
            return None  # of another version of this library

    async def forget(self, record: SessionRecord, *, revoke: bool) -> None:
        """Have nothing to forget: the browser has it, and nobody the refresh token."""


class InStore:
    """A store holds the tokens, under a key that no browser sees in the clear; a token source keeps them fresh."""

    def __init__(self, client: CognitoClient, store: TokenStore, *, clock: Callable[[], float]) -> None:
        self._client = client
        self._store = store
        self._clock = clock

    async def check_unused(self, request: AuthorizationRequest) -> None:
        """Look whether the session of this login is there."""
        if await self._in_time(self._store.read(store_key_of(request))) is not None:
            raise _used()

    async def keep(self, record: SessionRecord, request: AuthorizationRequest, tokens: TokenSet) -> SessionRecord:
        """Write the tokens where nothing is yet."""
        key = store_key_of(request)
        stored = StoredToken(
            tokens=tokens,
            obtained_at=record.signed_in_at,
            pool_id=record.pool_id,
            client_id=record.client_id,
            scopes=tuple(sorted(request.scopes)),
            revision=secrets.token_hex(16),
        )
        if not await self._in_time(self._store.swap(key, stored, expected=None)):
            raise _used()
        return replace(record, store_key=key)

    async def tokens_of(self, record: SessionRecord) -> TokenSet | None:
        """Return tokens that are good now; refreshed where they were not, once for all workers.

        The store is read at each look: a session that another worker has ended is over here as well.
        """
        if record.store_key is None:
            return None
        stored = await self._in_time(self._store.read(record.store_key))
        if stored is None or (stored.pool_id, stored.client_id) != (record.pool_id, record.client_id):
            return None
        if self._clock() < stored.expires_at - _EARLY:
            return stored.tokens
        try:
            return await self._source(record.store_key).tokens()
        except LoginRequiredError:
            return None

    async def forget(self, record: SessionRecord, *, revoke: bool) -> None:
        """Delete the tokens, after a refresh that is under way; then have Cognito revoke them."""
        if record.store_key is not None:
            await self._source(record.store_key).forget(revoke=revoke)

    def _source(self, key: str) -> TokenSource:
        return self._client.token_source(store=self._store, key=key)

    async def _in_time(self, call: Awaitable[T]) -> T:
        """Return what the store answers, within seconds."""
        with anyio.move_on_after(_PATIENCE):
            return await call
        msg = f"The store did not answer within {_PATIENCE:g} s."
        raise StoreError(msg)


def _used() -> CallbackError:
    msg = "A session came of this login before: it is not finished a second time."
    return CallbackError(msg, reason="already_used")
