"""Two workers and one session: every way in which they can meet, step by step, over a store that does as it is told.

Rotation is on and there is no grace period: a refresh token is good once. The table is in
`docs/guide/keep-tokens-fresh.md`, row by row.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest
from anyio.lowlevel import cancel_shielded_checkpoint, checkpoint

from cognito_oidc import IdTokenClaims, MemoryTokenStore, StoredToken, TokenSet, TokenSource, token_source
from cognito_oidc._token_keeper import Grant, Owner, TokenKeeper
from cognito_oidc.errors import (
    CognitoOidcError,
    ConfigurationError,
    InvalidGrantError,
    KeysUnavailableError,
    StoreError,
    TransportError,
)
from tests.factories import NOW, id_payload
from tests.key_endpoint import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

pytestmark = pytest.mark.anyio

OWNER: Final = Owner("eu-west-1_AbC123", "1example23456789abcdefghij", ("openid",))


class Cognito:
    """Takes each refresh token once, and gives the next: r0, r1, r2 ...

    Attributes:
        good: The refresh token that is good now.
        sent: The refresh tokens that were sent.
        before: What happens while the request is on its way to Cognito, and `after` while its answer is on its way
            back, by refresh token.
        faults: Errors to raise instead of an answer, one after the other; None for an answer.
        unverified: What came for a refresh token and could not be handed out.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.good = "r0"
        self.sent: list[str] = []
        self.before: dict[str, Callable[[], Awaitable[None]]] = {}
        self.after: dict[str, Callable[[], Awaitable[None]]] = {}
        self.faults: list[CognitoOidcError | None] = []
        self.unverified: dict[str, str] = {}

    def tokens(self, refresh_token: str) -> TokenSet:
        """Return what comes with a refresh token now."""
        claims = IdTokenClaims(id_payload(iat=self.clock(), exp=self.clock() + 3600))
        return TokenSet(
            access_token=f"access-{refresh_token}",
            expires_at=self.clock() + 3600,
            id_token=f"id-{refresh_token}",
            refresh_token=refresh_token,
            claims=claims,
        )

    async def refresh(self, tokens: TokenSet | None) -> TokenSet:
        """Answer a refresh."""
        assert tokens is not None
        token = str(tokens.refresh_token)
        self.sent.append(token)
        if token in self.before:
            await self.before.pop(token)()
        await checkpoint()
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and not isinstance(fault, KeysUnavailableError):
            raise fault
        if token != self.good:
            raise InvalidGrantError("invalid_grant", error="invalid_grant", status=400)
        self.good = f"r{int(token[1:]) + 1}"
        came = self.tokens(self.good)
        await checkpoint()
        if token in self.after:
            await self.after.pop(token)()
        if fault is not None:
            self.unverified[token] = self.good
            raise fault
        return came

    def grant(self) -> Grant:
        """Return how a worker asks."""

        async def prepare(_: TokenSet | None) -> Callable[[TokenSet | None], Awaitable[TokenSet]]:
            return self.refresh

        return Grant(prepare, rescued=lambda token: self.unverified.pop(token, None), check=lambda _: None)


class ScriptedStore(MemoryTokenStore):
    """A store for fleets, without a fence: its lock may end while it is held, and anything may fail.

    Attributes:
        calls: What was called.
        faults: By name of a method, the exceptions that its next calls raise; None for a call that works.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.locks: list[object] = []  # not to be ended by the garbage collector
        self.faults: dict[str, list[Exception | None]] = {}

    async def read(self, key: str) -> StoredToken | None:
        await self._step("read")
        record = await super().read(key)
        await checkpoint()
        return record

    async def swap(self, key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
        await self._step("swap")
        done = await super().swap(key, new, expected=expected)
        await checkpoint()
        return done

    @asynccontextmanager
    async def lock(self, key: str, *, timeout: float) -> AsyncIterator[None]:  # noqa: ASYNC109 - the protocol's
        await self._step("lock")
        lock = super().lock(key, timeout=min(timeout, 0.2))
        self.locks.append(lock)
        await lock.__aenter__()
        try:
            await cancel_shielded_checkpoint()  # its server may have granted it
            yield
        finally:
            await checkpoint()  # whoever is cancelled here leaves the lock behind
            await lock.__aexit__(None, None, None)

    def end_lease(self) -> None:
        """Let the lock of whoever holds it end."""
        self._locked.clear()

    async def _step(self, name: str) -> None:
        self.calls.append(name)
        await checkpoint()
        faults = self.faults.get(name)
        if faults and (fault := faults.pop(0)) is not None:
            raise fault


class World:
    """A session whose access token has expired, and workers that each know it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cognito = Cognito(self.clock)
        self.store = ScriptedStore()
        self.first = self.cognito.tokens("r0")

    def worker(self, *, store: Any = ..., tokens: TokenSet | None = None) -> TokenSource:  # noqa: ANN401
        """Return the source of one more process."""
        keeper = TokenKeeper(
            OWNER,
            self.cognito.grant(),
            store=self.store if store is ... else store,
            key="ann",
            clock=self.clock,
            monotonic=self.clock,
        )
        source = TokenSource(keeper, monotonic=self.clock)
        if tokens is not None:
            source.offer(tokens)
        return source

    async def workers(self) -> tuple[TokenSource, TokenSource]:
        """Return two that have the session in memory, an hour later."""
        one, two = self.worker(tokens=self.first), self.worker()
        assert (await one.token()).value == (await two.token()).value == "access-r0"
        self.clock.advance(3600)
        self.store.calls.clear()
        return one, two

    async def kept(self) -> str | None:
        """Return the refresh token that is stored."""
        record = await MemoryTokenStore.read(self.store, "ann")
        assert record is not None
        return record.tokens.refresh_token


@pytest.fixture
def world() -> World:
    """Give a session."""
    return World()


async def value(source: TokenSource) -> str:
    """Return the token that a source gives, or what it says instead."""
    try:
        return (await source.token()).value
    except CognitoOidcError as error:
        return error.code


async def later(world: World, *sources: TokenSource) -> list[str]:
    """Return what each gives when pauses after failures are over."""
    world.clock.advance(31)
    return [await value(source) for source in sources]


# --- row by row -------------------------------------------------------------------------------------------------------


async def test_both_find_it_expired(world: World) -> None:
    """The second waits for the lock, reads again, and sends nothing."""
    one, two = await world.workers()
    got: list[str] = []

    async def ask(source: TokenSource) -> None:
        got.append(await value(source))

    async def second_comes() -> None:
        tasks.start_soon(ask, two)
        await anyio.sleep(0.05)

    world.cognito.before["r0"] = second_comes
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, one)
    assert got == ["access-r1"] * 2
    assert world.cognito.sent == ["r0"]


async def test_the_other_has_saved_it_already(world: World) -> None:
    """It is read, without a lock."""
    one, two = await world.workers()
    await one.token()
    world.store.calls.clear()
    assert await value(two) == "access-r1"
    assert (world.store.calls, world.cognito.sent) == (["read"], ["r0"])


async def test_the_lock_cannot_be_had(world: World) -> None:
    """Who has nothing to give says that it may be tried again; nothing was sent, and nothing is lost."""
    one, two = await world.workers()
    async with MemoryTokenStore.lock(world.store, "ann", timeout=0):
        assert await value(one) == "store_locked"
        assert world.cognito.sent == []
    assert await later(world, one, two) == ["access-r1", "access-r1"]


async def test_the_lock_cannot_be_had_and_the_other_has_saved(world: World) -> None:
    """One more read after the lock could not be had finds what the holder has saved."""
    one, _ = await world.workers()
    record = await world.store.read("ann")
    assert record is not None
    new = record.renewed(world.cognito.tokens("r1"), now=world.clock(), revision="new")

    async def holder() -> None:
        async with MemoryTokenStore.lock(world.store, "ann", timeout=0):
            await anyio.sleep(0.1)
            assert await world.store.swap("ann", new, expected=record)
            await anyio.sleep(0.3)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(holder)
        await anyio.sleep(0.02)
        assert await value(one) == "access-r1"
    assert world.cognito.sent == []


async def test_the_lock_cannot_be_had_while_the_token_is_good(world: World) -> None:
    """In its last minute the old token is given at once, and not after a wait."""
    source = world.worker(tokens=world.first)
    await source.token()
    world.clock.advance(3590)
    async with MemoryTokenStore.lock(world.store, "ann", timeout=0):
        with anyio.fail_after(10):
            assert await value(source) == "access-r0"


async def test_the_holder_dies_between_sending_and_saving(world: World) -> None:
    """Nobody has the new tokens: the session is over after one request, and after one more read."""
    one, two = await world.workers()
    world.cognito.good = "r1"  # the dead one's answer
    assert await value(two) == "login_required"
    assert world.cognito.sent == ["r0"]
    assert await world.kept() is None
    assert [await value(one), await value(two)] == ["login_required"] * 2
    assert world.cognito.sent == ["r0"]


async def test_the_lease_ends_and_the_holder_saves_in_time(world: World) -> None:
    """The other was told `invalid_grant`, reads once more, and finds the new tokens."""
    one, two = await world.workers()
    got: list[str] = []

    async def lose_the_lock() -> None:
        world.store.end_lease()
        saved = anyio.Event()

        async def other() -> None:
            got.append(await value(two))

        world.cognito.before["r0"] = saved.wait  # the other's request takes until the first has saved
        tasks.start_soon(other)
        tasks.start_soon(when_saved, saved)
        while world.cognito.sent.count("r0") < 2:  # noqa: ASYNC110 - it has no event
            await anyio.sleep(0.005)

    async def when_saved(saved: anyio.Event) -> None:
        while await world.kept() != "r1":  # noqa: ASYNC110 - it has none either
            await anyio.sleep(0.005)
        saved.set()

    world.cognito.after["r0"] = lose_the_lock
    async with anyio.create_task_group() as tasks:
        got.append(await value(one))
    assert got == ["access-r1"] * 2
    assert world.cognito.sent == ["r0", "r0"]


async def test_the_lease_ends_and_the_holder_is_late(world: World) -> None:
    """The other has to end the session; the holder knows better, and saves over it: everybody goes on."""
    one, two = await world.workers()
    got: list[str] = []

    async def lose_the_lock() -> None:
        world.store.end_lease()
        got.append(await value(two))
        assert await world.kept() is None

    world.cognito.after["r0"] = lose_the_lock
    assert await value(one) == "access-r1"
    assert (got, await world.kept()) == (["login_required"], "r1")
    assert await value(two) == "access-r1"
    assert world.cognito.sent == ["r0", "r0"]


async def test_the_lease_ends_before_its_holder_sends(world: World) -> None:
    """The other has renewed the session meanwhile: the holder is refused, reads, and goes on with what it finds."""
    one, two = await world.workers()
    got: list[str] = []

    async def lose_the_lock() -> None:
        world.store.end_lease()
        got.append(await value(two))

    world.cognito.before["r0"] = lose_the_lock
    assert await value(one) == "access-r1"
    assert (got, world.cognito.sent) == (["access-r1"], ["r0", "r0"])
    assert await world.kept() == "r1"


async def test_the_record_was_put_back_meanwhile(world: World) -> None:
    """A store that lost its last writes: who has newer tokens in memory goes on with those, and saves them."""
    one, two = await world.workers()
    before = await world.store.read("ann")
    await one.token()
    world.clock.advance(3600)
    world.store._records["ann"] = before  # type: ignore[assignment]  # it was there
    assert await value(one) == "access-r2"
    assert world.cognito.sent == ["r0", "r1"]
    assert await value(two) == "access-r2"


async def test_the_record_changed_without_reason(world: World) -> None:
    """A swap that is told False although the same record is there is tried again."""
    one, _ = await world.workers()
    before = await world.store.read("ann")
    assert before is not None

    async def touch() -> None:
        world.store._records["ann"] = replace(before, revision="touched")

    world.cognito.after["r0"] = touch
    assert await value(one) == "access-r1"
    assert await world.kept() == "r1"


@pytest.mark.parametrize("earlier", [-5, 0, 5])
@pytest.mark.parametrize("saves", [True, False], ids=["saves", "cannot save at first"])
async def test_somebody_signs_in_meanwhile(world: World, earlier: float, saves: bool) -> None:
    """A new sign-in is never replaced by what comes for the old one, whichever of the two Cognito issued first."""
    one, two = await world.workers()
    world.clock.advance(-earlier)
    new = replace(world.cognito.tokens("x7"), access_token="access-new")
    world.clock.advance(earlier)

    async def sign_in() -> None:
        await two.replace(new)
        world.store.faults["swap"] = [] if saves else [StoreError("down")] * 2

    world.cognito.after["r0"] = sign_in
    assert await value(one) == ("access-new" if saves else "access-r1")
    assert await later(world, one) == ["access-new"]
    assert await world.kept() == "x7"


async def test_nobody_signs_out_while_another_renews(world: World) -> None:
    """Signing out waits for the renewal, and deletes what it brought; where it cannot wait, nothing is forgotten."""
    one, two = await world.workers()

    async def too_early() -> None:
        with pytest.raises(StoreError):
            await two.forget()
        assert await world.store.read("ann") is not None

    world.cognito.after["r0"] = too_early
    assert await value(one) == "access-r1"
    await two.forget()
    assert await world.store.read("ann") is None
    world.clock.advance(3600)
    assert await later(world, one, two) == ["login_required"] * 2
    assert world.cognito.sent == ["r0"]


async def test_a_fence_keeps_a_session_signed_out(world: World) -> None:
    """A store that knows of a sign-out since the holder had the lock writes nothing, and the holder gives it up."""
    one, _ = await world.workers()

    async def signed_out_elsewhere() -> None:
        world.store._records.clear()
        world.store.swap = fenced  # type: ignore[method-assign]

    async def fenced(key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
        return False

    world.cognito.after["r0"] = signed_out_elsewhere
    assert await value(one) == "login_required"
    assert await world.store.read("ann") is None


async def test_what_arrived_is_saved_where_the_record_is_gone(world: World) -> None:
    """A store without a fence that lost the record gets the new tokens."""
    one, two = await world.workers()

    async def lose_it() -> None:
        world.store._records.clear()

    world.cognito.after["r0"] = lose_it
    assert await value(one) == "access-r1"
    assert await value(two) == "access-r1"


async def test_nobody_takes_a_lock_for_a_session_that_is_not_there(world: World) -> None:
    """Whoever comes with any key costs a read."""
    source = world.worker()
    assert [await value(source), await value(source)] == ["login_required"] * 2
    assert world.store.calls == ["read"] * 2


async def test_mistake_of_one_caller_is_not_told_to_another(world: World) -> None:
    """Who waits for a renewal that fails for its leader's `min_ttl` gets a token."""
    one, _ = await world.workers()
    got: list[object] = []

    async def lead() -> None:
        with pytest.raises(ConfigurationError):
            await one.token(min_ttl=7200.0)
        got.append("mistake")

    async def ask() -> None:
        got.append(await value(one))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lead)
        while one._flights.current is None:
            await checkpoint()
        tasks.start_soon(ask)
    assert got == ["mistake", "access-r1"]


async def test_refused_after_a_sign_out(world: World) -> None:
    """Who is refused and finds nothing in the store any more has been signed out, and writes nothing."""
    one, _ = await world.workers()

    async def sign_out() -> None:
        world.store._records.clear()
        world.cognito.good = "revoked"

    world.cognito.before["r0"] = sign_out
    assert await value(one) == "login_required"
    assert await world.store.read("ann") is None
    assert await later(world, one) == ["login_required"]
    assert world.cognito.sent == ["r0"]


async def test_new_sign_in_waits_for_the_renewal_of_the_old_one(world: World) -> None:
    """In one process the one comes after the other, and stays."""
    one, _ = await world.workers()
    new = replace(world.cognito.tokens("x7"), access_token="access-new")

    async def sign_in() -> None:
        tasks.start_soon(one.replace, new)
        await anyio.sleep(0.02)
        assert await world.kept() == "r0"

    world.cognito.after["r0"] = sign_in
    async with anyio.create_task_group() as tasks:
        assert await value(one) == "access-r1"
    assert (await value(one), await world.kept()) == ("access-new", "x7")


async def test_signing_out_without_a_store(world: World) -> None:
    """What is in memory is gone, and its refresh token revoked, unless the caller does not want that."""
    for wanted in (True, False):
        revoked: list[str | None] = []

        async def revoke(token: str, revoked: list[str | None] = revoked) -> None:
            revoked.append(token)

        source = world.worker(store=None, tokens=world.first)
        source._revoke = revoke
        await source.forget(revoke=wanted)
        assert revoked == (["r0"] if wanted else [])
        assert await value(source) == "login_required"


# --- a store that fails -----------------------------------------------------------------------------------------------


async def test_save_that_fails_loses_nothing(world: World) -> None:
    """The new tokens are served, and saved by the next call; who reads the old record meanwhile ends nothing."""
    one, two = await world.workers()
    world.store.faults["swap"] = [StoreError("No space left on device")] * 2
    assert await value(one) == "access-r1"
    assert await world.kept() == "r0"
    assert await value(two) == "login_required"
    assert await value(one) == "access-r1"
    assert await world.kept() == "r1"
    assert await value(two) == "access-r1"


async def test_somebody_signs_out_before_it_could_be_saved(world: World) -> None:
    """What could not be saved does not bring a session back that was ended meanwhile."""
    one, two = await world.workers()
    world.store.faults["swap"] = [StoreError("down")] * 2
    assert await value(one) == "access-r1"
    await two.forget()
    assert await later(world, one, two) == ["login_required"] * 2
    assert await world.store.read("ann") is None


async def test_save_that_fails_for_long_is_not_tried_by_every_call(world: World) -> None:
    """A store that is down is asked now and then, and the token is served from memory."""
    one, _ = await world.workers()
    world.store.faults["swap"] = [StoreError("down")] * 99
    world.store.faults["read"] = [None, None, *[StoreError("down")] * 99]
    for _ in range(50):
        assert await value(one) == "access-r1"
    assert len(world.store.calls) < 10
    world.store.faults.clear()
    assert await later(world, one) == ["access-r1"]
    assert await world.kept() == "r1"


async def test_save_that_was_done_and_not_confirmed(world: World) -> None:
    """A write whose confirmation was lost is found by the next call to be ours."""
    one, _ = await world.workers()
    swap = world.store.swap

    async def done_but_lost(key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
        await swap(key, new, expected=expected)
        world.store.swap = swap  # type: ignore[method-assign]
        raise StoreError("no answer in time")

    world.store.swap = done_but_lost  # type: ignore[method-assign]
    assert await value(one) == "access-r1"
    assert await later(world, one) == ["access-r1"]
    assert one._keeper.held is not None
    assert one._keeper.held.in_store
    assert world.cognito.sent == ["r0"]


@pytest.mark.parametrize("fault", [StoreError("down"), RuntimeError("the-secret"), OSError(28, "full")], ids=repr)
@pytest.mark.parametrize("call", ["read", "lock"])
async def test_store_that_fails_before_anything_is_sent(world: World, call: str, fault: Exception) -> None:
    """Without the store nothing is renewed, since another worker may: the error is ours, and passes."""
    one, _ = await world.workers()
    world.store.faults[call] = [fault] * 2
    with pytest.raises(StoreError) as raised:
        await one.token()
    assert raised.value.retryable
    assert "the-secret" not in str(raised.value)
    assert world.cognito.sent == []
    world.store.faults.clear()
    assert await later(world, one) == ["access-r1"]


async def test_store_that_fails_while_the_token_is_good(world: World) -> None:
    """Nobody is told: fresh or stale, it is served from memory."""
    source = world.worker(tokens=world.first)
    world.store.faults["read"] = [StoreError("down")] * 99
    assert await value(source) == "access-r0"
    world.clock.advance(3590)
    assert await value(source) == "access-r0"
    world.store.faults.clear()
    assert await later(world, source) == ["access-r1"]


async def test_store_that_hangs_while_the_token_is_good(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has a good token waits for the store in passing alone."""
    source = world.worker(tokens=world.first)
    await source.token()
    world.clock.advance(3590)
    monkeypatch.setattr(token_source, "IN_PASSING", 0.05)

    async def hang(key: str) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr(world.store, "read", hang)
    with anyio.fail_after(9):
        assert [await value(source) for _ in range(3)] == ["access-r0"] * 3


async def test_store_that_fails_at_the_last_read(world: World) -> None:
    """A refusal is definite only after one more read: where that fails the session stays."""
    one, two = await world.workers()
    world.cognito.good = "r1"
    world.store.faults["read"] = [None, None, StoreError("down")]
    assert await value(one) == "store"
    assert await world.kept() == "r0"
    await two.replace(world.cognito.tokens("r1"))
    assert await later(world, one) == ["access-r1"]


async def test_record_that_was_damaged(world: World) -> None:
    """A store that had to set a record aside gets it back from whoever has it in memory: nobody has signed out."""
    one, two = await world.workers()
    world.store._records.clear()
    world.store.faults["read"] = [StoreError("damaged", code="store_damaged")]
    assert await value(one) == "access-r1"
    assert await world.kept() == "r1"
    assert await value(two) == "access-r1"


# --- a Cognito that fails ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("store", [True, False], ids=["store", "memory"])
async def test_tokens_stay_on_what_passes(world: World, store: bool) -> None:
    """Whatever is not a definite refusal leaves the session as it is, however often."""
    source = world.worker(store=... if store else None, tokens=world.first)
    await source.token()
    world.clock.advance(3600)
    world.cognito.faults = [TransportError("no answer", sent="maybe", endpoint="token", retryable=False)] * 5
    for _ in range(5):
        assert await later(world, source) == ["transport"]
    assert await later(world, source) == ["access-r1"]


async def test_refresh_token_of_an_answer_that_could_not_be_verified(world: World) -> None:
    """It is saved at once, for whoever renews the session next: the old one is used up."""
    one, two = await world.workers()
    world.cognito.faults = [KeysUnavailableError("down")]
    assert await value(one) == "keys_unavailable"
    assert await world.kept() == "r1"
    assert await value(two) == "access-r2"
    assert await later(world, one) == ["access-r2"]
    assert world.cognito.sent == ["r0", "r1"]


async def test_session_without_a_store_ends_at_the_first_refusal(world: World) -> None:
    """There is nobody to ask: one request, and no more after it until somebody signs in."""
    source = world.worker(store=None, tokens=world.first)
    world.clock.advance(3600)
    world.cognito.good = "r9"
    assert [await value(source) for _ in range(3)] == ["login_required"] * 3
    assert world.cognito.sent == ["r0"]
    await source.replace(world.cognito.tokens("r9"))
    assert await value(source) == "access-r9"


async def test_session_that_is_refused_while_its_token_is_good(world: World) -> None:
    """The access token is used up, and then the person has to log in."""
    one, _ = world.worker(tokens=world.first), None
    await one.token()
    world.clock.advance(3590)
    world.cognito.good = "r9"
    assert await value(one) == "access-r0"
    world.clock.advance(9)
    assert await value(one) == "access-r0"
    world.clock.advance(1)
    assert await value(one) == "login_required"
    assert world.cognito.sent == ["r0"]


# --- cancellation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["scope", "task"])
async def test_cancelled_at_any_moment(world: World, how: str, anyio_backend_name: str) -> None:
    """Whichever step of a renewal a cancellation meets: nothing is lost, no lock is left, and nothing is sent twice."""
    if how == "task" and anyio_backend_name != "asyncio":
        how = "scope"
    ended_by_itself = False
    moment = 0
    while not ended_by_itself:
        world = World()
        one, two = await world.workers()
        ended_by_itself = await _cancelled(one, moment, how)
        with anyio.fail_after(20):
            assert [await value(two), await value(one)] == ["access-r1"] * 2, moment
        assert world.cognito.sent == ["r0"], moment
        assert await world.kept() == "r1", moment
        assert not world.store._locked, moment
        moment += 1
    assert moment > 10


async def test_signing_out_is_all_or_nothing(world: World) -> None:
    """Whenever it is cancelled: the session is deleted and its refresh token revoked, or neither."""
    ended_by_itself = False
    moment = 0
    outcomes = set()
    while not ended_by_itself:
        world = World()
        one, _ = await world.workers()
        revoked: list[str] = []

        async def revoke(token: str, revoked: list[str] = revoked) -> None:
            await checkpoint()
            revoked.append(token)

        one._revoke = revoke
        ended_by_itself = await _cancelled(one, moment, "scope", one.forget)
        deleted = await world.store.read("ann") is None
        assert revoked == (["r0"] if deleted else []), moment
        assert not world.store._locked, moment
        outcomes.add(deleted)
        moment += 1
    assert outcomes == {True, False}


async def _cancelled(
    source: TokenSource, moment: int, how: str, act: Callable[[], Awaitable[object]] | None = None
) -> bool:
    """Cancel a call after some steps; tell whether it had ended before."""
    ended = False

    async def call() -> None:
        nonlocal ended
        await (act or source.token)()
        ended = True

    if how == "task":
        task = asyncio.create_task(call())
        for _ in range(moment):
            await checkpoint()
        before = ended
        task.cancel()
        await asyncio.wait([task])
        return before
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        for _ in range(moment):
            await checkpoint()
        before = ended
        tasks.cancel_scope.cancel()
    return before


# --- clocks -----------------------------------------------------------------------------------------------------------


class TwoClocks:
    """The wall's, that somebody sets, and one that only goes on."""

    def __init__(self) -> None:
        self.wall = self.monotonic = float(NOW)

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


@pytest.mark.parametrize("jump", [-86_400.0, -3_600.0, -300.0, 300.0, 86_400.0])
async def test_clock_that_jumps(world: World, jump: float) -> None:
    """Whoever sets the clock cannot make an expired token good again, and costs a renewal at most."""
    clocks = TwoClocks()
    keeper = TokenKeeper(
        OWNER,
        world.cognito.grant(),
        store=world.store,
        key="ann",
        clock=lambda: clocks.wall,
        monotonic=lambda: clocks.monotonic,
    )
    source = TokenSource(keeper, monotonic=lambda: clocks.monotonic)
    source.offer(world.first)
    assert await value(source) == "access-r0"
    clocks.wall += jump
    world.clock.now = clocks.wall
    for _ in range(5):
        await source.token()
    assert len(world.cognito.sent) <= 1
    clocks.advance(3601)
    world.clock.now = clocks.wall
    assert (await value(source)) != "access-r0"
    assert len(world.cognito.sent) <= 2


async def test_clock_that_was_put_back_a_little(world: World) -> None:
    """Nothing can be renewed, and the wall's clock says that the token has a minute left: it is not given out."""
    clocks = TwoClocks()
    keeper = TokenKeeper(
        OWNER,
        world.cognito.grant(),
        store=None,
        key="",
        clock=lambda: clocks.wall,
        monotonic=lambda: clocks.monotonic,
    )
    source = TokenSource(keeper, monotonic=lambda: clocks.monotonic)
    source.offer(world.first)
    clocks.wall -= 50
    clocks.advance(3601)
    world.cognito.faults = [TransportError("no answer", sent="no", endpoint="token")]
    assert await value(source) == "transport"
