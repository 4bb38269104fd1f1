"""What every token store must do, as tests that any store can be run through.

Decides what a store is held to: the promises of `cognito_oidc.TokenStore`, and nothing about how it keeps them.
"""

from __future__ import annotations

import inspect
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio
import pytest

from cognito_oidc import IdTokenClaims, StoredToken, TokenSet
from cognito_oidc.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from cognito_oidc import TokenStore

_NOW: Final = 1_800_000_000.0
_CLAIMS: Final = {
    "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123",
    "sub": "44e8b438-a061-70ca-faa7-3d3e93c015cb",
    "aud": "1example23456789",
    "exp": 1_800_003_600,
    "iat": 1_800_000_000,
    "name": "Zoë Ångström 🙂",
}
# Pairs that a store could take for the same, and texts that are no names of files.
_KEYS: Final = (
    "ann", "Ann", "ann ", " ann", "ann.", "ann/", "../ann", "/etc/passwd", "a:b", "a*", "CON", "ann\x00", "ann\n",
    "ä", "a\u0308", "🙂", "{ann}", "x" * 1000, "x" * 1001, "machine p c *", "%41", "A",
)  # fmt: skip


def _record(revision: str, *, access_token: str = "an-access-token", claims: bool = True) -> StoredToken:
    return StoredToken(
        tokens=TokenSet(
            access_token=access_token,
            expires_at=_NOW + 3600.5,
            id_token="an-id-token" if claims else None,
            refresh_token="a-refresh-token" if claims else None,
            claims=IdTokenClaims(_CLAIMS) if claims else None,
        ),
        obtained_at=_NOW,
        pool_id="eu-west-1_AbC123",
        client_id="1example23456789",
        scopes=("openid", "orders/read"),
        generation=3,
        revision=revision,
    )


class TokenStoreConformance:
    """Tests that a token store must pass: subclass it, and say in a fixture how the store is opened.

    The fixture `open_token_store` returns a function that opens the store: each call as another process would, and all
    calls the same place, which is empty at the beginning of each test. A store with a method `aclose` is closed. The
    tests run over each event loop of the fixture `anyio_backend`, which is anyio's.

    ```python
    class TestMyStore(TokenStoreConformance):
        @pytest.fixture
        def open_token_store(self, tmp_path):
            return lambda: MyStore(tmp_path / "tokens")
    ```
    """

    @pytest.fixture
    def open_token_store(self) -> Callable[[], TokenStore]:
        """Return a function that opens the store; for the subclass."""
        msg = "Subclass TokenStoreConformance, and override the fixture open_token_store."
        raise NotImplementedError(msg)

    @pytest.mark.anyio
    async def test_what_is_stored_is_read(self, open_token_store: Callable[[], TokenStore]) -> None:
        """Nothing is there; then the record is, every member of it, also for who opens the store later."""
        async with _opened(open_token_store) as store:
            assert await store.read("ann") is None
            for record in (_record("1"), _record("2", claims=False)):
                assert await store.swap("ann", record, expected=await store.read("ann")) is True
                assert await store.read("ann") == record
        async with _opened(open_token_store) as store:
            assert await store.read("ann") == _record("2", claims=False)

    @pytest.mark.anyio
    async def test_a_long_record(self, open_token_store: Callable[[], TokenStore]) -> None:
        """Tokens of many groups and claims are long: 48 KiB in all."""
        record = _record("1", access_token="a" * 48 * 1024)
        async with _opened(open_token_store) as store:
            assert await store.swap("ann", record, expected=None) is True
            assert await store.read("ann") == record
            assert await store.swap("ann", _record("2"), expected=record) is True
            assert await store.read("ann") == _record("2")

    @pytest.mark.anyio
    async def test_swap_compares(self, open_token_store: Callable[[], TokenStore]) -> None:
        """It is done where the record is the expected one, by its revision, and otherwise changes nothing."""
        one, two, three = _record("1"), _record("2"), _record("3")
        async with _opened(open_token_store) as store, _opened(open_token_store) as other:
            assert await store.swap("ann", two, expected=one) is False
            assert await store.read("ann") is None
            assert await store.swap("ann", one, expected=None) is True
            assert await other.swap("ann", two, expected=None) is False
            assert await other.swap("ann", two, expected=three) is False
            assert await other.read("ann") == one
            assert await other.swap("ann", two, expected=replace(one, generation=9)) is True
            assert await store.swap("ann", three, expected=one) is False
            assert await store.read("ann") == two

    @pytest.mark.anyio
    async def test_swap_deletes(self, open_token_store: Callable[[], TokenStore]) -> None:
        """A record is deleted where it is the expected one; where nothing is, nothing is to be done."""
        one, two = _record("1"), _record("2")
        async with _opened(open_token_store) as store:
            assert await store.swap("ann", None, expected=None) is True
            assert await store.swap("ann", one, expected=None) is True
            assert await store.swap("ann", None, expected=None) is False
            assert await store.swap("ann", None, expected=two) is False
            assert await store.read("ann") == one
            assert await store.swap("ann", None, expected=one) is True
            assert await store.read("ann") is None
            assert await store.swap("ann", None, expected=one) is False
            assert await store.swap("ann", two, expected=None) is True

    @pytest.mark.anyio
    async def test_keys_are_any_text(self, open_token_store: Callable[[], TokenStore]) -> None:
        """Each key has its own record, whatever it looks like."""
        async with _opened(open_token_store) as store:
            for number, key in enumerate(_KEYS):
                assert await store.swap(key, _record(str(number)), expected=None) is True
            for number, key in enumerate(_KEYS):
                assert await store.read(key) == _record(str(number))

    @pytest.mark.anyio
    async def test_one_of_many_swaps_wins(self, open_token_store: Callable[[], TokenStore]) -> None:
        """Of many who expect the same record one is told True, and the record is that one's."""
        won: list[StoredToken] = []
        async with _opened(open_token_store) as store, _opened(open_token_store) as other:
            assert await store.swap("ann", _record("0"), expected=None) is True

            async def swap(number: int) -> None:
                mine = _record(str(number))
                if await (store, other)[number % 2].swap("ann", mine, expected=_record("0")):
                    won.append(mine)

            async with anyio.create_task_group() as tasks:
                for number in range(1, 13):
                    tasks.start_soon(swap, number)
            assert [await store.read("ann")] == won

    @pytest.mark.anyio
    async def test_lock_is_for_one_at_a_time(self, open_token_store: Callable[[], TokenStore]) -> None:
        """Among tasks and among processes; and it protects nothing, so that a swap needs no lock."""
        inside = 0
        async with _opened(open_token_store) as store, _opened(open_token_store) as other:

            async def enter(one: TokenStore) -> None:
                nonlocal inside
                async with one.lock("ann", timeout=30):
                    inside += 1
                    assert inside == 1
                    await anyio.sleep(0.01)
                    inside -= 1

            async with anyio.create_task_group() as tasks:
                for number in range(6):
                    tasks.start_soon(enter, (store, other)[number % 2])
            async with store.lock("ann", timeout=5):
                assert await other.swap("ann", _record("1"), expected=None) is True
                assert await store.read("ann") == _record("1")

    @pytest.mark.anyio
    async def test_lock_that_another_has(self, open_token_store: Callable[[], TokenStore]) -> None:
        """Whoever does not get it in time is told so, in time; another key has a lock of its own."""
        async with _opened(open_token_store) as store, _opened(open_token_store) as other:
            async with store.lock("ann", timeout=5):
                for one, wait in ((store, 0.0), (other, 0.0), (other, 0.3)):
                    begun = time.monotonic()
                    with pytest.raises(StoreError) as raised:
                        await _enter(one, "ann", wait)
                    assert (raised.value.code, raised.value.retryable) == ("store_locked", True)
                    assert wait <= time.monotonic() - begun < wait + 3
                await _enter(other, "bob", 0.0)
            await _enter(other, "ann", 0.0)

    @pytest.mark.anyio
    async def test_lock_ends_with_an_error(self, open_token_store: Callable[[], TokenStore]) -> None:
        """An error in the block is the caller's own, and the lock is free."""
        async with _opened(open_token_store) as store:
            with pytest.raises(ZeroDivisionError):
                async with store.lock("ann", timeout=5):
                    raise ZeroDivisionError
            await _enter(store, "ann", 0.0)

    @pytest.mark.anyio
    async def test_lock_and_cancellation(self, open_token_store: Callable[[], TokenStore]) -> None:
        """Whoever is cancelled, waiting for it or holding it, leaves no lock behind."""
        async with _opened(open_token_store) as store, _opened(open_token_store) as other:
            async with store.lock("ann", timeout=5):
                for patience in (0.0, 0.001, 0.01, 0.05):
                    with anyio.move_on_after(patience) as scope:
                        await _enter(other, "ann", 30)
                    assert scope.cancelled_caught
            await _enter(store, "ann", 1)
            for patience in (0.0, 0.001, 0.01, 0.05):
                with anyio.move_on_after(patience), suppress(StoreError):
                    async with store.lock("ann", timeout=5):
                        await anyio.sleep(30)
                await _enter(other, "ann", 5)

    @pytest.mark.anyio
    async def test_lock_is_left_by_another_task(self, open_token_store: Callable[[], TokenStore]) -> None:
        """A source enters it in the caller's task, and leaves it where nobody can cancel."""
        async with _opened(open_token_store) as store:
            lock = store.lock("ann", timeout=5)
            await lock.__aenter__()

            async def leave() -> None:
                await lock.__aexit__(None, None, None)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(leave)
            await _enter(store, "ann", 0.0)

    @pytest.mark.anyio
    async def test_nothing_secret_is_shown(self, open_token_store: Callable[[], TokenStore]) -> None:
        """Neither the store's repr nor its errors show a token, or a key: that may be a session's id."""
        async with _opened(open_token_store) as store:
            assert await store.swap("the-key-itself", _record("1"), expected=None) is True
            async with store.lock("the-key-itself", timeout=5):
                with pytest.raises(StoreError) as raised:
                    await _enter(store, "the-key-itself", 0.0)
            shown = f"{store!r} {store} {raised.value!r} {raised.value.explain()}"
            for secret in ("the-key-itself", "an-access-token", "a-refresh-token", "an-id-token"):
                assert secret not in shown

    def test_another_event_loop(self, open_token_store: Callable[[], TokenStore], anyio_backend_name: str) -> None:
        """One store is used by several event loops, one after the other."""
        store = open_token_store()

        async def use(number: int) -> None:
            before = await store.read("ann")
            async with store.lock("ann", timeout=5):
                assert await store.swap("ann", _record(str(number)), expected=before) is True
            assert await store.read("ann") == _record(str(number))

        for number in range(3):
            anyio.run(use, number, backend=anyio_backend_name)
        anyio.run(_close, store, backend=anyio_backend_name)


@asynccontextmanager
async def _opened(open_token_store: Callable[[], TokenStore]) -> AsyncIterator[TokenStore]:
    store = open_token_store()
    try:
        yield store
    finally:
        await _close(store)


async def _close(store: TokenStore) -> None:
    closed = getattr(store, "aclose", lambda: None)()
    if inspect.isawaitable(closed):
        await closed


async def _enter(store: TokenStore, key: str, patience: float) -> None:
    async with store.lock(key, timeout=patience):
        pass
