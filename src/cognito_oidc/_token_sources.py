"""The token sources that an app client has handed out: one for each session and each machine.

Decides which callers share a source. Decides nothing about what a source does.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

from cognito_oidc._token_keeper import Grant, Owner, TokenKeeper
from cognito_oidc.errors import ConfigurationError, shown
from cognito_oidc.token_source import TokenSource

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from cognito_oidc._token_keeper import Send
    from cognito_oidc.protocol.tokens import TokenSet
    from cognito_oidc.token_store import TokenStore


class Refreshing(NamedTuple):
    """What the app client does for sessions: prepare a refresh, give back what arrived, know its own tokens, revoke."""

    prepare: Callable[[TokenSet | None], Awaitable[Send]]
    rescued: Callable[[str], str | None]
    check: Callable[[TokenSet], None]
    revoke: Callable[[str], Awaitable[None]]


class TokenSources:
    """Makes sources, and hands the same one out again."""

    def __init__(
        self,
        pool_id: str,
        client_id: str,
        scopes: Iterable[str],
        refreshing: Refreshing,
        *,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with none."""
        self._owner = Owner(pool_id, client_id, tuple(sorted(scopes)))
        self._refreshing = refreshing
        self._clock = clock
        self._monotonic = monotonic
        self._sessions: WeakValueDictionary[tuple[int, str], TokenSource] = WeakValueDictionary()
        # Sources whose new tokens could not be saved yet: nobody else has those, so they do not end with their users.
        self._unsaved: set[TokenSource] = set()
        self._machines: dict[tuple[int, tuple[str, ...] | None], TokenSource] = {}

    def of_session(self, tokens: TokenSet | None, *, store: TokenStore | None, key: str | None) -> TokenSource:
        """Return the source of a session.

        Raises:
            ConfigurationError: `store` and `key` do not go together.
        """
        if (store is None) != (key is None) or (key is not None and (not isinstance(key, str) or not key)):
            msg = "token_source: store= and key= go together: a text of your own for each session, such as a random id."
            raise ConfigurationError(msg)
        _check_store(store)
        name = (id(store), key or "")
        source = None if store is None else self._sessions.get(name)
        if source is None:
            refreshing = self._refreshing
            grant = Grant(refreshing.prepare, refreshing.rescued, refreshing.check)
            source = self._make(grant, self._owner, store, key or "", revoke=refreshing.revoke)
            if store is not None:
                source = self._sessions.setdefault(name, source)
        if tokens is not None:
            source.offer(tokens)
        return source

    def of_machine(
        self,
        scopes: tuple[str, ...] | None,
        prepare: Callable[[TokenSet | None], Awaitable[Send]],
        *,
        store: TokenStore | None,
    ) -> TokenSource:
        """Return the source of machine tokens for these scopes."""
        _check_store(store)
        name = (id(store), scopes)
        source = self._machines.get(name)
        if source is None:
            owner = self._owner._replace(scopes=scopes or ())
            key = f"machine {owner.pool_id} {owner.client_id} {'*' if scopes is None else ' '.join(scopes)}"
            source = self._machines.setdefault(name, self._make(Grant(prepare), owner, store, key))
        return source

    def _make(
        self,
        grant: Grant,
        owner: Owner,
        store: TokenStore | None,
        key: str,
        *,
        revoke: Callable[[str], Awaitable[None]] | None = None,
    ) -> TokenSource:
        keeper = TokenKeeper(owner, grant, store=store, key=key, clock=self._clock, monotonic=self._monotonic)
        return TokenSource(keeper, revoke=revoke, hold=self._hold, monotonic=self._monotonic)

    def _hold(self, source: TokenSource, unsaved: bool) -> None:  # noqa: FBT001 - a fact, not a switch
        if unsaved:
            self._unsaved.add(source)
        else:
            self._unsaved.discard(source)


def _check_store(store: object) -> None:
    if store is not None and not all(callable(getattr(store, name, None)) for name in ("read", "swap", "lock")):
        msg = f"store= expects a TokenStore, with read, swap and lock; got {shown(store)}."
        raise ConfigurationError(msg)
