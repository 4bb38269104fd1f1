"""Where tokens are kept: what every store can do, and the one that lives in memory.

Decides what a store promises. Decides nothing about when anything is read or written; that is `token_source`'s.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from os import getpid
from typing import TYPE_CHECKING, Final, Protocol

import anyio

from cognito_oidc._fork_lock import ForkLock
from cognito_oidc.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from cognito_oidc.protocol.stored_token import StoredToken

_PAUSE: Final = 0.005


class TokenStore(Protocol):
    """What a token source needs of a store: read, compare-and-swap, and a lock. Any class of this shape will do.

    A key is any text, and may be a secret (a session's id): a store puts none into a message or a log. All three are
    called from any event loop and any thread, asyncio and trio alike where the store can. Whatever goes wrong is a
    `StoreError`. `cognito_oidc.testing` has a kit that any store can be run through.
    """

    async def read(self, key: str) -> StoredToken | None:
        """Return what is kept under a key, or None.

        Raises:
            StoreError: It cannot be read now. Never for want of a record. A record that nobody will ever be able to
                read is set aside, so that the next call returns None, and is told once, by the `code`
                `"store_damaged"`: whoever has the tokens in memory then stores them again.
        """

    async def swap(self, key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
        """Replace what is kept under a key where it still is what the caller expects; tell whether it was.

        Two records are the same one where their `revision` is the same. It is one step: of two callers that expect the
        same, one is told False. After a True the record survives the end of the process, as far as the store can.

        Args:
            key: The key.
            new: What to keep; None deletes.
            expected: What the caller has read; None where nothing was there.

        Raises:
            StoreError: It could not be done. The record before is still there, or the new one is, whole.
        """

    def lock(self, key: str, *, timeout: float) -> AbstractAsyncContextManager[object]:
        """Return a context in which no other process, thread or task is in the same one for this key.

        It is held for the time of one token request, so for less than half a minute; where its holder dies another gets
        it, at once or after a lease. It keeps callers from asking twice and protects nothing: `swap` does that, also
        where a lease has ended early. A caller that is cancelled while it waits, or while it enters, leaves no lock
        behind. It may be left in another task than it was entered in: keep no cancel scope open across it.
        Where a store can tell early that it could not save anything (a full disk), it does so here.

        Args:
            key: The key.
            timeout: Seconds to wait for it; 0 tries once.

        Raises:
            StoreError: It could not be had in that time. `code` is `"store_locked"` where another has it.
        """


class MemoryTokenStore:
    """Keeps tokens in this process, for all its threads and event loops, and forgets them with it."""

    def __init__(self) -> None:
        """Begin empty."""
        self._records: dict[str, StoredToken] = {}
        self._locked: set[str] = set()
        self._mutex = ForkLock()
        self._process = getpid()

    def __repr__(self) -> str:
        """Show how much it keeps, and nothing of it."""
        return f"MemoryTokenStore({len(self._records)} kept)"

    async def read(self, key: str) -> StoredToken | None:
        """Return what is kept under a key, or None."""
        return self._records.get(key)

    async def swap(self, key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
        """Replace what is kept under a key where it still is `expected`; tell whether it was."""
        with self._mutex:
            current = self._records.get(key)
            if (current and current.revision) != (expected and expected.revision):
                return False
            if new is None:
                self._records.pop(key, None)
            else:
                self._records[key] = new
            return True

    @asynccontextmanager
    async def lock(self, key: str, *, timeout: float) -> AsyncIterator[None]:  # noqa: ASYNC109 - the protocol's
        """Be the only one in this process who is in here for this key.

        Raises:
            StoreError: Another was, for longer than `timeout` seconds.
        """
        until = time.monotonic() + timeout
        while not self._take(key):
            if time.monotonic() >= until:
                msg = f"The lock of a session could not be had within {timeout:g} s: another task holds it."
                raise StoreError(msg, code="store_locked")
            await anyio.sleep(_PAUSE)
        try:
            yield
        finally:
            with self._mutex:
                self._locked.discard(key)

    def _take(self, key: str) -> bool:
        with self._mutex:
            if self._process != getpid():  # whoever held a lock at the fork is not in this process
                self._locked, self._process = set(), getpid()
            if key in self._locked:
                return False
            self._locked.add(key)
            return True
