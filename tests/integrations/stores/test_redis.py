"""Sessions in a real Redis: what its scripts, its leases and its failures do."""

from __future__ import annotations

import asyncio
import secrets
import time
import traceback
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import redis.asyncio
from redis.asyncio import RedisCluster

from benchmarks.redis_server import PASSWORD, RedisServer
from cognito_oidc.errors import ConfigurationError, StoreError
from cognito_oidc.integrations.stores import _leases
from cognito_oidc.integrations.stores.redis import RedisTokenStore
from cognito_oidc.testing import TokenStoreConformance
from tests.integrations.stores.conftest import need_redis_server
from tests.integrations.stores.records import CANARY, record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from redis.asyncio import Redis

    from cognito_oidc.integrations.stores._leases import Answer

pytestmark = pytest.mark.anyio


class TestConformance(TokenStoreConformance):
    """What every store must do."""

    @pytest.fixture(params=[(), (b"k" * 32,)], ids=["plain", "encrypted"])
    def open_token_store(self, redis_url: str, request: pytest.FixtureRequest) -> Callable[[], RedisTokenStore]:
        prefix = secrets.token_hex(4)
        return lambda: RedisTokenStore(redis_url, prefix=prefix, encryption_keys=request.param)


@pytest.fixture
def anyio_backend() -> str:
    """Run over asyncio alone: redis-py does."""
    return "asyncio"


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisTokenStore]:
    """Give a store of its own."""
    async with RedisTokenStore(redis_url, prefix=secrets.token_hex(4)) as store:
        yield store


@pytest.fixture
async def keys(redis_url: str) -> AsyncIterator[Redis]:
    """Give a client to look at what is there, and to change it."""
    async with redis.asyncio.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.mark.parametrize("decode", [True, False], ids=["decodes", "bytes"])
@pytest.mark.parametrize("protocol", [2, 3], ids=["resp2", "resp3"])
async def test_borrowed_client_of_any_kind_is_used_and_left_open(redis_url: str, decode: bool, protocol: int) -> None:
    """Whether a client decodes answers, and which protocol it speaks, is its owner's affair; so is closing it."""
    async with redis.asyncio.Redis.from_url(redis_url, decode_responses=decode, protocol=protocol) as client:
        async with RedisTokenStore(client, prefix=secrets.token_hex(4)) as store, store.lock("ann", timeout=1):
            one = record()
            assert await store.swap("ann", one, expected=None)
            assert await store.read("ann") == one
        assert await client.ping()


async def test_cluster_is_used_like_one_server() -> None:
    """All keys of a session are in one slot, so that a client of a cluster runs the scripts as well."""
    need_redis_server()
    with RedisServer(cluster=True) as server:
        async with RedisCluster.from_url(server.url) as client:
            store = RedisTokenStore(client)
            for name in ("ann", "bob", "cid"):
                one = record()
                async with store.lock(name, timeout=1):
                    assert await store.swap(name, one, expected=None)
                assert await store.read(name) == one


async def test_forgotten_scripts_are_sent_again(store: RedisTokenStore, keys: Redis) -> None:
    """A server that lost its scripts, as after a restart, gets them again."""
    await keys.script_flush()
    assert await store.swap("ann", record(), expected=None)


async def test_all_keys_of_a_session_are_in_one_slot_and_tell_nothing(store: RedisTokenStore, keys: Redis) -> None:
    """A cluster keeps keys of one hash tag together; and who reads names of keys learns no names of people."""
    async with store.lock("ann@example.com", timeout=1):
        await store.swap("ann@example.com", record(), expected=None)
        names = [name async for name in keys.scan_iter(f"{store._prefix}:*")]
    assert len(names) == 3
    assert len({name.partition("{")[2].partition("}")[0] for name in names}) == 1
    assert not any("ann" in name for name in names)


async def test_everything_ends_by_itself(store: RedisTokenStore, keys: Redis) -> None:
    """A session that nobody uses, a lease of who died, and the memory of it: nothing stays for ever."""
    async with store.lock("ann", timeout=1):
        await store.swap("ann", record(), expected=None)
        ends = {name.rpartition(":")[2]: await keys.ttl(name) async for name in keys.scan_iter(f"{store._prefix}:*")}
    assert 0 < ends["lease"] <= 24
    assert ends["fence"] == 86_400
    assert ends["session"] == 30 * 86_400


async def test_write_that_is_sent_twice_is_done_once(store: RedisTokenStore) -> None:
    """Where the answer was lost redis-py sends again: the second time finds its own record, and that is a success."""
    one = record()
    assert await store.swap("ann", one, expected=None)
    assert await store.swap("ann", one, expected=None)


async def test_late_holder_saves_in_place_of_what_it_has_read(redis_url: str) -> None:
    """A holder whose lease has ended saves what it got, if the record is still the one it read: nobody else has it."""
    prefix, old, new = secrets.token_hex(4), record("old"), record("new")
    late, next_one = RedisTokenStore(redis_url, prefix=prefix, lease=1), RedisTokenStore(redis_url, prefix=prefix)
    async with late, next_one, late.lock("ann", timeout=1):
        await late.swap("ann", old, expected=None)
        async with next_one.lock("ann", timeout=3):
            assert await late.swap("ann", new, expected=old)
            assert not await next_one.swap("ann", record(), expected=old)
        assert await next_one.read("ann") == new


async def test_late_holder_cannot_undo_a_sign_out(redis_url: str) -> None:
    """A holder whose lease has ended finds nothing, since the next one has deleted it, and must not write there."""
    prefix, old = secrets.token_hex(4), record("old")
    late, next_one = RedisTokenStore(redis_url, prefix=prefix, lease=1), RedisTokenStore(redis_url, prefix=prefix)
    async with late, next_one, late.lock("ann", timeout=1):
        await late.swap("ann", old, expected=None)
        async with next_one.lock("ann", timeout=3):
            await next_one.swap("ann", None, expected=old)
        assert not await late.swap("ann", record(), expected=None)
        assert await late.read("ann") is None
    async with next_one, next_one.lock("ann", timeout=1):  # whoever signs in after that may
        assert await next_one.swap("ann", record(), expected=None)


async def test_late_holder_does_not_end_the_lease_of_the_next(redis_url: str) -> None:
    """A lease is given back by its owner alone."""
    prefix = secrets.token_hex(4)
    late, next_one = RedisTokenStore(redis_url, prefix=prefix, lease=1), RedisTokenStore(redis_url, prefix=prefix)
    async with late, next_one:
        held_long = late.lock("ann", timeout=1)
        await held_long.__aenter__()
        async with next_one.lock("ann", timeout=3):
            await held_long.__aexit__(None, None, None)
            with pytest.raises(StoreError, match="could not be had within 0 s") as caught:
                await late.lock("ann", timeout=0).__aenter__()
    assert caught.value.code == "store_locked"


async def test_waiting_does_not_spin(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits two seconds for a lease asks a dozen times at most."""
    asked = 0
    acquire = RedisTokenStore._acquire

    async def counted(store: RedisTokenStore, name: str, owner: str, dead: str) -> Answer:
        nonlocal asked
        asked += 1
        return await acquire(store, name, owner, dead)

    monkeypatch.setattr(RedisTokenStore, "_acquire", counted)
    async with RedisTokenStore(redis_url, prefix=secrets.token_hex(4)) as store, store.lock("ann", timeout=1):
        asked = 0
        begun = time.monotonic()
        with pytest.raises(StoreError):
            await store.lock("ann", timeout=2).__aenter__()
    assert time.monotonic() - begun > 1.9
    assert 2 <= asked <= 12


async def test_cancelled_waiter_leaves_no_lease(redis_url: str) -> None:
    """Who is cancelled while it waits, or as it gets the lease, does not keep the others waiting."""
    async with RedisTokenStore(redis_url, prefix=secrets.token_hex(4)) as store:
        for milliseconds in range(12):
            task = asyncio.create_task(store.lock("ann", timeout=5).__aenter__())
            await asyncio.sleep(milliseconds / 4000)
            given = not task.cancel()
            if given or not isinstance((await asyncio.gather(task, return_exceptions=True))[0], BaseException):
                continue  # it was quicker: that lease is held, as it was asked for
            async with store.lock("ann", timeout=1):
                pass


async def test_restart_in_the_middle(own_redis: RedisServer) -> None:
    """While Redis is away a call fails in words and nothing is lost; afterwards everything goes on."""
    one, two = record("one"), record("two")
    async with RedisTokenStore(own_redis.url) as store, store.lock("ann", timeout=1):
        assert await store.swap("ann", one, expected=None)
        own_redis.stop()
        # redis-py tries again for some five seconds: either it gives up, or we do.
        with pytest.raises(StoreError, match=r"ConnectionError|no answer in time") as caught:
            await store.swap("ann", two, expected=one)
        assert caught.value.retryable
        own_redis.start()
        assert await store.swap("ann", two, expected=one)
        assert await store.read("ann") == two


async def test_redis_that_hangs_is_given_up(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes a request and answers nothing is a StoreError in a bounded time, also with a bare client."""
    monkeypatch.setattr("cognito_oidc.integrations.stores.redis._REQUEST_SECONDS", 0.3)
    async with redis.asyncio.Redis.from_url(own_redis.url, socket_timeout=None) as client:
        store = RedisTokenStore(client)
        await store.read("ann")
        own_redis.pause()
        begun = time.monotonic()
        with pytest.raises(StoreError, match="no answer in time"):
            await store.read("ann")
        assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("redis://:{password}@127.0.0.1:{closed}/0", id="nobody-there"),
        pytest.param("redis://:{password}-not-this@127.0.0.1:{port}/0", id="wrong-password"),
    ],
)
async def test_no_password_is_shown(own_redis: RedisServer, url: str) -> None:
    """Neither the store nor what goes wrong shows the password of the URL."""
    closed = RedisServer().port
    async with RedisTokenStore(url.format(password=PASSWORD, port=own_redis.port, closed=closed)) as store:
        with pytest.raises(StoreError) as caught:
            await store.read("ann")
    shown = "".join(traceback.format_exception(caught.value)) + repr(store) + repr(vars(caught.value))
    assert PASSWORD not in shown


def test_url_that_is_none_is_not_shown() -> None:
    """A slip of the pen in a URL is told without a part of it."""
    with pytest.raises(ConfigurationError) as caught:
        RedisTokenStore(f"redis://:{PASSWORD}@127.0.0.1:{PASSWORD}/0")
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "arguments", [{"lease": 0.5}, {"ttl": 10}, {"ttl": True}, {"ttl": 10**400}, {"lease": "30"}], ids=str
)
def test_numbers_that_cannot_work_are_refused(arguments: dict[str, Any]) -> None:
    """A lease or a life that is too short is refused before anything is sent."""
    with pytest.raises(ConfigurationError, match="expected seconds from"):
        RedisTokenStore("redis://127.0.0.1/0", **arguments)


async def test_encrypted_value_says_nothing_and_belongs_to_its_key(redis_url: str, keys: Redis) -> None:
    """What is in Redis shows no token; pasted under another person's key it is refused, and thrown away."""
    prefix = secrets.token_hex(4)
    async with RedisTokenStore(redis_url, prefix=prefix, encryption_keys=[secrets.token_bytes(32)]) as store:
        await store.swap("ann", record(), expected=None)
        await store.swap("bob", record(), expected=None)
        anns, bobs = (store._key(_leases._name_of(name), "session") for name in ("ann", "bob"))
        assert CANARY not in str(await keys.hgetall(anns))
        await keys.copy(anns, bobs, replace=True)
        with pytest.raises(StoreError) as caught:
            await store.read("bob")
        assert caught.value.code == "store_damaged"
        assert await store.read("bob") is None
        assert await store.swap("bob", record(), expected=None)


async def test_record_of_a_newer_version_is_kept(store: RedisTokenStore, keys: Redis) -> None:
    """While half of a fleet is a version ahead, the other half reads none of its records, and deletes none."""
    await store.swap("ann", record(), expected=None)
    name = store._key(_leases._name_of("ann"), "session")
    await keys.hset(name, "text", record().to_json().replace('"schema":1', '"schema":2'))
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            await store.read("ann")
        assert caught.value.code == "store_newer"
    assert not await store.swap("ann", record(), expected=None)


def test_trio_is_refused_in_words() -> None:
    """Over trio redis-py cannot run: that is said, and what to use."""
    store = RedisTokenStore("redis://127.0.0.1/0")
    with pytest.raises(ConfigurationError, match="asyncio only"):
        anyio.run(store.read, "ann", backend="trio")


async def test_connections_end_with_their_event_loop(redis_url: str) -> None:
    """A program that calls `asyncio.run` again and again, as a Lambda does, may keep its store, and leaks nothing."""
    name = secrets.token_hex(4)
    store = RedisTokenStore(f"{redis_url}?client_name={name}")
    async with redis.asyncio.Redis.from_url(redis_url, decode_responses=True) as client:
        for _ in range(3):
            await asyncio.to_thread(asyncio.run, store.read("ann"))
            await asyncio.sleep(0.05)
            assert name not in str(await client.client_list())
