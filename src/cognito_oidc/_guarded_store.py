"""A token store, called so that nothing of it can surprise: in bounded time, with errors of ours, and no lock left.

Decides how long a store may take, what becomes of its errors, and what is shielded. Decides nothing about what is read
or written.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, TypeVar

import anyio

from cognito_oidc._shield import run_shielded
from cognito_oidc.errors import CognitoOidcError, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from cognito_oidc.protocol.stored_token import StoredToken
    from cognito_oidc.token_store import TokenStore

T = TypeVar("T")

STORE_TIMEOUT: Final = 10.0
"""Seconds that one call of a store may take."""

IN_PASSING: Final = 2.0
"""The same for a caller who has a good token already, and looks after the next one."""

_MOST_SWAPS: Final = 5
_LOG: Final = logging.getLogger("cognito_oidc")


class GuardedStore:
    """One key of a store, which may be anybody's. Whatever goes wrong is a `StoreError`."""

    def __init__(self, store: TokenStore, key: str) -> None:
        """Take both."""
        self._store = store
        self.key = key

    async def read(self, *, at_most: float = STORE_TIMEOUT) -> StoredToken | None:
        """Return what is kept."""
        return await _guarded(lambda: self._store.read(self.key), at_most=at_most)

    async def swap(self, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
        """Replace what is kept where it is the expected record; tell whether it was."""
        return await _guarded(lambda: self._store.swap(self.key, new, expected=expected))

    async def put(self, new: StoredToken | None, *, read: Callable[[], Awaitable[StoredToken | None]]) -> None:
        """Put a record, or none, in the place of whatever is there, as `read` tells."""
        for _ in range(_MOST_SWAPS):
            current = await read()
            if (current is None and new is None) or await self.swap(new, expected=current):
                return
        msg = "The session changes all the time: it could not be replaced."
        raise StoreError(msg)

    async def under_lock(self, work: Callable[[], Awaitable[None]], *, patience: float) -> None:
        """Do the work with the lock; shielded from the first step to the release. Waiting for it may be cancelled."""

        async def enter() -> AbstractAsyncContextManager[object]:
            lock = self._store.lock(self.key, timeout=patience)
            await lock.__aenter__()
            return lock

        lock = await _guarded(enter, at_most=patience + STORE_TIMEOUT if patience else IN_PASSING)
        begun = False

        async def release() -> None:
            try:
                await _guarded(lambda: lock.__aexit__(None, None, None))
            except StoreError as error:  # a lease ends by itself
                _LOG.debug("The lock of a session could not be given back: %s", error)

        async def work_and_release() -> None:
            nonlocal begun
            begun = True
            try:
                await work()
            finally:
                await release()

        try:
            await run_shielded(work_and_release)
        finally:
            if not begun:  # cancelled in between
                with anyio.CancelScope(shield=True):
                    await release()


async def _guarded(call: Callable[[], Awaitable[T]], *, at_most: float = STORE_TIMEOUT) -> T:
    problem = f"it took longer than {at_most:g} s"
    try:
        with anyio.fail_after(at_most):
            return await call()
    except CognitoOidcError:
        raise
    except TimeoutError:
        pass
    except Exception as error:  # noqa: BLE001 - a store's own; its text may hold what it was to store
        problem = type(error).__name__
    msg = f"The token store failed: {problem}."
    raise StoreError(msg)
