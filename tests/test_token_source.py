"""A valid access token whenever asked: who renews it, who waits, and what is told where it fails."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from cognito_oidc import AccessToken, CognitoClient, MemoryTokenStore, StoredToken, TokenSet, TokenSource
from cognito_oidc.emulator import CognitoEmulator
from cognito_oidc.errors import (
    CognitoOidcError,
    ConfigurationError,
    LoginRequiredError,
    RateLimitedError,
    StoreError,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cognito_oidc.emulator import EmulatedAppClient, EmulatedPool, KeyStock

CALLBACK: Final = "https://app.example/cb"


class Stage:
    """A local Cognito with rotation on and grace 0, where Ann has signed in."""

    def __init__(self, key_stock: KeyStock) -> None:
        self.aws = CognitoEmulator(key_stock=key_stock)
        self.pool: EmulatedPool = self.aws.add_pool("eu-west-1_AbC123", domain="acme")
        self.pool.add_user("ann", password="correct horse", email="ann@example.com")
        self.scopes = self.pool.add_resource_server("orders", scopes=["read", "write"])
        self.web: EmulatedAppClient = self.pool.add_client(
            "web", redirect_uris=[CALLBACK], scopes=["openid"], refresh_token_rotation=True, retry_grace_period=0
        )
        self.machine = self.pool.add_client("job", grants=["client_credentials"], scopes=list(self.scopes))
        self.store = MemoryTokenStore()

    async def sign_in(self, client: CognitoClient | None = None) -> TokenSet:
        """Return the tokens of a new sign-in."""
        client = client or self.web.client()
        request = client.authorization_request()
        callback = await self.aws.person("ann", "correct horse").follow(request.url)
        return await client.exchange_code(callback, request)


@pytest.fixture
def stage(cognito_key_stock: KeyStock) -> Stage:
    """Give a pool with an app client whose refresh tokens rotate."""
    return Stage(cognito_key_stock)


def requests(stage: Stage) -> int:
    """How many refreshes and machine tokens were asked for."""
    return sum(
        entry.endpoint == "token" and entry.parameters.get("grant_type") != "authorization_code"
        for entry in stage.aws.journal
    )


@pytest.mark.anyio
async def test_fresh_tokens_are_served_from_memory(stage: Stage) -> None:
    """While the token is good nothing is sent, and the source gives what was signed in with."""
    client = stage.web.client()
    tokens = await stage.sign_in(client)
    source = client.token_source(tokens)
    assert await source.token() == AccessToken(tokens.access_token, tokens.expires_at)
    assert await source.tokens() == tokens
    assert requests(stage) == 0


@pytest.mark.anyio
async def test_all_who_wait_join_one_renewal(stage: Stage) -> None:
    """Fifty tasks that find the token expired send one request, and all get what came."""
    client = stage.web.client()
    tokens = await stage.sign_in(client)
    source = client.token_source(tokens)
    stage.aws.clock.advance(3600)
    got = set()

    async def ask() -> None:
        got.add((await source.token()).value)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(ask)
    assert len(got) == 1
    assert got != {tokens.access_token}
    assert requests(stage) == 1


@pytest.mark.anyio
async def test_a_session_goes_on_for_as_long_as_its_refresh_token(stage: Stage) -> None:
    """Hour after hour, each with the refresh token of the one before, until that is at its end."""
    client = stage.web.client()
    source = client.token_source(await stage.sign_in(client), store=stage.store, key="ann")
    for hour in range(30 * 24):
        if hour % 60 == 0 or hour > 715:
            await source.token()
        stage.aws.clock.advance(3600)
    with pytest.raises(LoginRequiredError) as raised:
        await source.token()
    assert raised.value.explain()


@pytest.mark.anyio
async def test_two_processes_share_a_session_by_the_store(stage: Stage) -> None:
    """What one renewed the other finds: one request, though each has a client and a source of its own."""
    one, other = stage.web.client(), stage.web.client()
    tokens = await stage.sign_in(one)
    first = one.token_source(tokens, store=stage.store, key="ann")
    await first.token()
    second = other.token_source(store=stage.store, key="ann")
    assert (await second.token()).value == tokens.access_token
    stage.aws.clock.advance(3600)
    got = []
    async with anyio.create_task_group() as tasks:
        for source in (first, second) * 10:

            async def ask(source: TokenSource = source) -> None:
                got.append((await source.token()).value)

            tasks.start_soon(ask)
    assert (len(got), len(set(got)), requests(stage)) == (20, 1, 1)


@pytest.mark.anyio
async def test_nothing_to_begin_with(stage: Stage) -> None:
    """Neither tokens nor a stored session: the first call says that somebody must sign in, and sends nothing."""
    client = stage.web.client()
    for source in (client.token_source(), client.token_source(store=stage.store, key="ann")):
        with pytest.raises(LoginRequiredError):
            await source.token()
    assert requests(stage) == 0


@pytest.mark.anyio
async def test_of_tokens_and_store_the_newer_wins(stage: Stage) -> None:
    """Tokens of a new sign-in win over a stored session, and a stored session over tokens from before."""
    client = stage.web.client()
    old = await stage.sign_in(client)
    stage.aws.clock.advance(60)
    new = await stage.sign_in(client)
    assert await client.token_source(old, store=stage.store, key="ann").tokens() == old
    gc.collect()
    assert await client.token_source(new, store=stage.store, key="ann").tokens() == new
    gc.collect()
    assert await client.token_source(old, store=stage.store, key="ann").tokens() == new


@pytest.mark.anyio
async def test_machine_tokens_are_one_per_client_and_scopes(stage: Stage) -> None:
    """A thousand tasks are one request; the order of scopes is none; other scopes are another token."""
    client = stage.machine.client()
    sources = [
        client.client_credentials_source(["orders/read", "orders/write"]),
        client.client_credentials_source(["orders/write", "orders/read"]),
    ]
    got = set()

    async def ask(number: int) -> None:
        got.add((await sources[number % 2].token()).value)

    async with anyio.create_task_group() as tasks:
        for number in range(1000):
            tasks.start_soon(ask, number)
    assert (len(got), requests(stage)) == (1, 1)
    await client.client_credentials_source("orders/read").token()
    assert requests(stage) == 2
    stage.aws.clock.advance(3600)
    await sources[0].token()
    assert requests(stage) == 3


@pytest.mark.anyio
async def test_machine_tokens_are_shared_by_a_store(stage: Stage) -> None:
    """Another process of the same app client asks nobody; a store that fails costs a request, and no call."""

    class Broken(MemoryTokenStore):
        async def read(self, key: str) -> StoredToken | None:
            raise RuntimeError("the-secret")

    first = await stage.machine.client().client_credentials_source(store=stage.store).token()
    assert await stage.machine.client().client_credentials_source(store=stage.store).token() == first
    assert requests(stage) == 1
    await stage.machine.client().client_credentials_source(store=Broken()).token()
    assert requests(stage) == 2


@pytest.mark.anyio
async def test_stale_machine_token_is_renewed_by_one_worker(stage: Stage) -> None:
    """While another worker has the lock, a token that is still good is served, and none is bought beside it."""
    source = stage.machine.client().client_credentials_source(store=stage.store)
    first = await source.token()
    stage.aws.clock.advance(3550)
    assert source._keeper._store is not None
    async with stage.store.lock(source._keeper._store.key, timeout=1):
        assert await source.token() == first
    assert requests(stage) == 1


@pytest.mark.anyio
async def test_machine_that_waited_in_vain_looks_once_more(stage: Stage) -> None:
    """Who does not get the lock in time takes what another worker has saved meanwhile, and buys none."""

    class Busy(MemoryTokenStore):
        @asynccontextmanager
        async def lock(self, key: str, *, timeout: float) -> AsyncIterator[None]:  # noqa: ASYNC109 - the protocol's
            assert await self.swap(key, await stage.store.read(key), expected=None)
            raise StoreError("locked", code="store_locked")
            yield

    other = await stage.machine.client().client_credentials_source(store=stage.store).token()
    assert await stage.machine.client().client_credentials_source(store=Busy()).token() == other
    assert requests(stage) == 1


@pytest.mark.anyio
async def test_stale_token_is_served_while_one_renews(stage: Stage) -> None:
    """In its last minute a token is renewed by the first who asks; who asks meanwhile gets the old one at once."""
    client = stage.web.client()
    tokens = await stage.sign_in(client)
    source = client.token_source(tokens)
    stage.aws.clock.advance(3550)
    stage.aws.fail_next("token", status=None, delay=0.2)
    got = []

    async def ask() -> None:
        got.append((await source.token()).value)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(ask)
    assert got[:9] == [tokens.access_token] * 9
    assert got[9] != tokens.access_token
    assert requests(stage) == 1


@pytest.mark.anyio
async def test_failure_while_stale_is_nobodys(stage: Stage) -> None:
    """While the old token is good a failure is not told, and Retry-After keeps the next calls from trying."""
    client = stage.web.client()
    tokens = await stage.sign_in(client)
    source = client.token_source(tokens)
    stage.aws.clock.advance(3550)
    stage.aws.fail_next("token", status=429, retry_after=60, times=5)
    for _ in range(20):
        assert (await source.token()).value == tokens.access_token
    assert requests(stage) == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param({"status": 503}, TransportError, id="503"),
        pytest.param({"status": 429, "retry_after": 0.1}, RateLimitedError, id="429"),
        pytest.param({"status": 200, "body": "<html>"}, CognitoOidcError, id="captive-portal"),
    ],
)
async def test_session_outlives_what_passes(stage: Stage, fault: dict[str, Any], error: type[CognitoOidcError]) -> None:
    """A transient failure is told to all who wait, after one request, and the session goes on."""
    client = stage.web.client()
    source = client.token_source(await stage.sign_in(client), store=stage.store, key="ann")
    stage.aws.clock.advance(3600)
    stage.aws.fail_next("token", **fault)
    failures = []

    async def ask() -> None:
        with pytest.raises(error) as raised:
            await source.token()
        failures.append(raised.value)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(ask)
    assert requests(stage) == 1
    assert len({id(failure) for failure in failures}) == 10
    with anyio.fail_after(30):
        while True:
            try:
                await source.token()
            except error:
                await anyio.sleep(0.1)
            else:
                break
    assert requests(stage) == 2


@pytest.mark.anyio
async def test_outage_is_not_made_worse_by_callers(stage: Stage) -> None:
    """Without a good token a failure is told again for a moment, and for as long as Retry-After says."""
    client = stage.web.client()
    source = client.token_source(await stage.sign_in(client))
    stage.aws.clock.advance(3600)
    stage.aws.fail_next("token", status=429, retry_after=60, times=100)
    for _ in range(50):
        with pytest.raises(RateLimitedError) as raised:
            await source.token()
        assert raised.value.retry_after is not None
        assert 50 < raised.value.retry_after <= 60
    assert requests(stage) == 1


@pytest.mark.anyio
async def test_unsaved_tokens_do_not_end_with_their_source(stage: Stage) -> None:
    """A web application makes a source for each request: what its store could not take is there for the next one."""

    class Full(MemoryTokenStore):
        full = False

        async def swap(self, key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
            if self.full:
                raise StoreError("No space left on device")
            return await super().swap(key, new, expected=expected)

    client, store = stage.web.client(), Full()
    await client.token_source(await stage.sign_in(client), store=store, key="ann").token()
    stage.aws.clock.advance(3600)
    store.full = True
    renewed = await client.token_source(store=store, key="ann").token()
    gc.collect()
    store.full = False
    assert await client.token_source(store=store, key="ann").token() == renewed
    assert requests(stage) == 1
    gc.collect()
    assert (await client.token_source(store=store, key="ann").token()).value == renewed.value


@pytest.mark.anyio
async def test_session_that_was_revoked_is_over_at_its_next_renewal(stage: Stage) -> None:
    """A definite refusal ends the session in every process, and costs one request in all."""
    client = stage.web.client()
    tokens = await stage.sign_in(client)
    source = client.token_source(tokens, store=stage.store, key="ann")
    await source.token()
    await client.revoke(tokens)
    stage.aws.clock.advance(3600)
    for one in (source, source, stage.web.client().token_source(store=stage.store, key="ann")):
        with pytest.raises(LoginRequiredError):
            await one.token()
    assert requests(stage) == 1
    new = await stage.sign_in(client)
    await source.replace(new)
    assert await stage.web.client().token_source(store=stage.store, key="ann").tokens() == new


@pytest.mark.anyio
async def test_signing_out_is_for_all(stage: Stage) -> None:
    """The session is gone from the store and at Cognito, and a process that has it in memory does not bring it back."""
    client, other = stage.web.client(), stage.web.client()
    tokens = await stage.sign_in(client)
    source, elsewhere = (one.token_source(tokens, store=stage.store, key="ann") for one in (client, other))
    await source.token()
    await elsewhere.token()
    await source.forget()
    assert await stage.store.read("ann") is None
    assert stage.aws.count("revoke") == 1
    with pytest.raises(LoginRequiredError):
        await source.token()
    stage.aws.clock.advance(3600)
    with pytest.raises(LoginRequiredError):
        await elsewhere.token()
    assert await stage.store.read("ann") is None
    assert requests(stage) == 0


@pytest.mark.anyio
async def test_refused_token_is_replaced_once(stage: Stage) -> None:
    """A token that an API refused is not given out again; one that is not current, or refused at once again, stays."""
    client = stage.web.client()
    source = client.token_source(await stage.sign_in(client))
    first = await source.token()
    await source.invalidate("another")
    assert await source.token() == first
    await source.invalidate(first.value)
    second = await source.token()
    assert second != first
    await source.invalidate(first.value)
    await source.invalidate(second.value)
    assert await source.token() == second
    assert requests(stage) == 1


@pytest.mark.anyio
async def test_min_ttl(stage: Stage) -> None:
    """A caller that needs longer gets a new token; one that needs more than tokens have gets an error, unsent."""
    client = stage.web.client()
    source = client.token_source(await stage.sign_in(client))
    stage.aws.clock.advance(600)
    assert (await source.token(min_ttl=3100)).expires_at >= stage.aws.clock() + 3500
    assert requests(stage) == 1
    with pytest.raises(ConfigurationError, match="live for 3600 s"):
        await source.token(min_ttl=7200)
    with pytest.raises(ConfigurationError):
        await source.token(min_ttl=-1)
    assert requests(stage) == 1


@pytest.mark.anyio
async def test_session_of_another_client_is_refused(stage: Stage) -> None:
    """What is stored under the key must be of this pool and app client; nothing is sent, nothing replaced."""
    client = stage.web.client()
    tokens = await stage.sign_in(client)
    await client.token_source(tokens, store=stage.store, key="a-secret-key").token()
    other = stage.pool.add_client("other", redirect_uris=[CALLBACK], scopes=["openid"]).client()
    with pytest.raises(ConfigurationError, match="another key") as raised:
        await other.token_source(store=stage.store, key="a-secret-key").token()
    assert "a-secret-key" not in str(raised.value)
    with pytest.raises(ConfigurationError):
        other.token_source(tokens)
    assert await client.token_source(store=stage.store, key="a-secret-key").tokens() == tokens


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"store": MemoryTokenStore()}, id="store-without-key"),
        pytest.param({"key": "ann"}, id="key-without-store"),
        pytest.param({"store": MemoryTokenStore(), "key": ""}, id="empty-key"),
        pytest.param({"store": MemoryTokenStore(), "key": 7}, id="key-a-number"),
        pytest.param({"store": {}, "key": "ann"}, id="no-store"),
        pytest.param({"tokens": "eyJ"}, id="tokens-a-text"),
    ],
)
def test_mistakes_are_told_at_once(stage: Stage, arguments: dict[str, Any]) -> None:
    """Nothing is read or sent for what cannot be right."""
    with pytest.raises(ConfigurationError):
        stage.web.client().token_source(**arguments)


def test_a_source_lives_through_several_event_loops(stage: Stage) -> None:
    """`asyncio.run` twice, and threads with loops of their own that find the token expired together: one request."""
    client = stage.web.client()
    source = client.token_source(asyncio.run(stage.sign_in(client)))
    stage.aws.clock.advance(3600)
    stage.aws.fail_next("token", status=None, delay=0.1)
    together, got = threading.Barrier(4), []

    def work() -> None:
        together.wait()
        got.append(asyncio.run(source.token()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(set(got)), requests(stage)) == (4, 1, 1)
    assert asyncio.run(source.token()) == got[0]


@pytest.mark.anyio
async def test_waiters_leave_and_the_renewal_goes_on(stage: Stage) -> None:
    """Whoever is cancelled while another leads is gone at once; the leader gets its answer, and it is kept."""
    client = stage.web.client()
    source = client.token_source(await stage.sign_in(client), store=stage.store, key="ann")
    stage.aws.clock.advance(3600)
    stage.aws.fail_next("token", status=None, delay=0.3)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(source.token)
        await anyio.sleep(0.1)
        with anyio.move_on_after(0.05) as scope:
            await source.token()
        assert scope.cancelled_caught
        tasks.cancel_scope.cancel()
    kept = await stage.store.read("ann")
    assert kept is not None
    assert (await source.token()).value == kept.tokens.access_token
    assert requests(stage) == 1
    stage.aws.clock.advance(3600)
    await source.token()
    assert requests(stage) == 2


@pytest.mark.anyio
async def test_no_repr_shows_a_token(stage: Stage) -> None:
    """Sources, stores, access tokens and errors may be logged."""
    client = stage.web.client()
    tokens = await stage.sign_in(client)
    source = client.token_source(tokens, store=stage.store, key="the-key")
    empty = repr(source)
    token = await source.token()
    shown = f"{empty} {source!r} {token!r} {stage.store!r} {await stage.store.read('the-key')!r}"
    for secret in (tokens.access_token, tokens.refresh_token, tokens.id_token, "the-key"):
        assert str(secret) not in shown
