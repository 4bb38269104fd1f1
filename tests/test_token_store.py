"""The store in memory, by what every store must do; and that what every store must do finds the ones that do not."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from cognito_oidc import MemoryTokenStore, StoredToken
from cognito_oidc.errors import StoreError
from cognito_oidc.testing import TokenStoreConformance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class TestConformance(TokenStoreConformance):
    @pytest.fixture
    def open_token_store(self) -> Callable[[], MemoryTokenStore]:
        store = MemoryTokenStore()
        return lambda: store


class Forgetful(MemoryTokenStore):
    async def swap(self, key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
        return True


class Careless(MemoryTokenStore):
    """Writes whatever it is given."""

    async def swap(self, key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
        return await super().swap(key, new, expected=await self.read(key))


class ReadsThenWrites(MemoryTokenStore):
    """Lets another in between."""

    async def swap(self, key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
        current = await self.read(key)
        await checkpoint()
        if (current and current.revision) != (expected and expected.revision):
            return False
        return await super().swap(key, new, expected=await self.read(key))


class IgnoresCase(MemoryTokenStore):
    async def read(self, key: str) -> StoredToken | None:
        return await super().read(key.lower())

    async def swap(self, key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
        return await super().swap(key.lower(), new, expected=expected)


class NoLock(MemoryTokenStore):
    @asynccontextmanager
    async def lock(self, key: str, *, timeout: float) -> AsyncIterator[None]:  # noqa: ASYNC109 - the protocol's
        yield


class OneLockForAll(MemoryTokenStore):
    def lock(self, key: str, *, timeout: float) -> Any:  # noqa: ANN401
        return super().lock("", timeout=timeout)


class LosesItsLock(MemoryTokenStore):
    """Does not give the lock back where the block ends with an error."""

    @asynccontextmanager
    async def lock(self, key: str, *, timeout: float) -> AsyncIterator[None]:  # noqa: ASYNC109 - the protocol's
        if not self._take(key):
            raise StoreError("another has it", code="store_locked")
        yield
        self._locked.discard(key)


class TiedToItsTask(MemoryTokenStore):
    """Keeps a cancel scope open across its lock."""

    @asynccontextmanager
    async def lock(self, key: str, *, timeout: float) -> AsyncIterator[None]:  # noqa: ASYNC109 - the protocol's
        async with super().lock(key, timeout=timeout):
            with anyio.CancelScope():
                yield


class Waits(MemoryTokenStore):
    @asynccontextmanager
    async def lock(self, key: str, *, timeout: float) -> AsyncIterator[None]:  # noqa: ASYNC109 - the protocol's
        async with super().lock(key, timeout=timeout + 3.1):
            yield


class Talkative(MemoryTokenStore):
    def __repr__(self) -> str:
        return repr(self._records)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        pytest.param(Forgetful, "test_what_is_stored_is_read", id="forgetful"),
        pytest.param(Careless, "test_swap_compares", id="careless"),
        pytest.param(Careless, "test_swap_deletes", id="careless, deleting"),
        pytest.param(ReadsThenWrites, "test_one_of_many_swaps_wins", id="reads, then writes"),
        pytest.param(IgnoresCase, "test_keys_are_any_text", id="ignores case"),
        pytest.param(NoLock, "test_lock_is_for_one_at_a_time", id="no lock"),
        pytest.param(OneLockForAll, "test_lock_that_another_has", id="one lock for all"),
        pytest.param(LosesItsLock, "test_lock_ends_with_an_error", id="loses its lock"),
        pytest.param(LosesItsLock, "test_lock_and_cancellation", id="loses its lock, cancelled"),
        pytest.param(TiedToItsTask, "test_lock_is_left_by_another_task", id="tied to its task"),
        pytest.param(Waits, "test_lock_that_another_has", id="waits too long"),
        pytest.param(Talkative, "test_nothing_secret_is_shown", id="talkative"),
    ],
)
async def test_wrong_store_is_found(wrong: type[MemoryTokenStore], test: str) -> None:
    """Each mistake that a store can make fails the test that is there for it."""
    store = wrong()
    with pytest.raises((AssertionError, RuntimeError, StoreError, BaseExceptionGroup, pytest.fail.Exception)):
        await getattr(TokenStoreConformance(), test)(lambda: store)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_lock_of_a_forked_parent_is_free_in_the_child() -> None:
    """Whoever held a lock at the fork is not in the child, which would wait for ever."""
    store = MemoryTokenStore()
    assert store._take("ann")
    if (child := os.fork()) == 0:
        os._exit(0 if store._take("ann") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not store._take("ann")
