"""Token sets in Redis or Valkey: how a fleet of workers shares sessions.

Decides which keys and scripts are used. What is shared with other stores of fleets is in `_leases`.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from weakref import WeakKeyDictionary

import anyio
import sniffio

from cognito_oidc.errors import ConfigurationError, StoreError, clean_server_text
from cognito_oidc.integrations.stores._leases import LEASE, MEMORY, TTL, Answer, LeasedTokenStore

try:
    import redis.asyncio
    from redis.exceptions import NoScriptError, RedisClusterException, RedisError
except ImportError as _missing:
    raise ImportError(
        "cognito_oidc.integrations.stores.redis needs redis-py: `pip install 'cognito-oidc[redis]'`",
        name="redis",
    ) from _missing

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
    from types import TracebackType

    from redis.asyncio import Redis, RedisCluster

    from cognito_oidc.integrations.stores._record_text import EncryptionKeys

__all__ = ["RedisTokenStore"]

T = TypeVar("T")

_REQUEST_SECONDS: Final = 5.0
_CONNECT_SECONDS: Final = 2.0


class _Script:
    """A script that runs in one step, by its digest where the server has it already."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


# KEYS: session. A script, since those are run by the primary, also where a client reads from replicas.
_READ: Final = _Script("return redis.call('HMGET', KEYS[1], 'revision', 'text')")
# KEYS: session, fence. ARGV: expected revision, new revision, text, milliseconds to keep it, fence, seconds to remember
# that. Empty: nothing there, delete, no lease. A write that was sent again, since its answer was lost, finds itself.
_SWAP: Final = _Script("""
local current = redis.call('HGET', KEYS[1], 'revision') or ''
if ARGV[2] ~= '' and current == ARGV[2] then return 1 end
if current ~= ARGV[1] then return 0 end
if ARGV[5] ~= '' then
  local written = tonumber(redis.call('HGET', KEYS[2], 'written') or 0)
  if ARGV[1] == '' and written > tonumber(ARGV[5]) then return 0 end
  redis.call('HSET', KEYS[2], 'written', math.max(written, ARGV[5]))
  redis.call('EXPIRE', KEYS[2], ARGV[6])
end
redis.call('DEL', KEYS[1])
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'text', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 1
""")
# KEYS: lease, fence. ARGV: owner, milliseconds, seconds to remember the fence. Returns the fence, or 0 and how long the
# other's lease goes on.
_ACQUIRE: Final = _Script("""
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return {0, redis.call('PTTL', KEYS[1])} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local issued = tonumber(redis.call('HGET', KEYS[2], 'issued') or 0)
local written = tonumber(redis.call('HGET', KEYS[2], 'written') or 0)
local fence = math.max(issued, written) + 1
redis.call('HSET', KEYS[2], 'issued', fence)
redis.call('EXPIRE', KEYS[2], ARGV[3])
return {fence, 0}
""")
# KEYS: lease. ARGV: owner.
_RELEASE: Final = _Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
""")


class RedisTokenStore(LeasedTokenStore):
    """Token sets in a Redis or Valkey, shared by every worker that reaches it.

    Comparing and swapping are one script; the lock is a lease with fencing. It runs on asyncio only, since redis-py
    does. Cluster clients work: all keys of a session have one hash tag. Keys are digests: who reads the list of keys
    learns nothing. Values are as secret as refresh tokens: give `encryption_keys` unless everybody who reaches the
    server may log in as anybody.

    The server must keep what it took: `maxmemory-policy noeviction`, and persistence, or people log in again after it
    restarts.

    Args:
        client_or_url: A `redis.asyncio` client, which is borrowed and never closed, or a URL such as
            `rediss://:password@cache.example.com:6379/0`, of which a client is made for each event loop.
        encryption_keys: Keys of 32 bytes, or their base64url, newest first, that values are encrypted with. With none
            they are kept as they are.
        prefix: What the names of keys begin with, so that applications can share a server.
        ttl: Seconds without a write after which a session is forgotten: no less than the refresh token's life. The
            default is Cognito's, 30 days.
        lease: Seconds after which a holder counts as dead, and the next one refreshes.

    Raises:
        ConfigurationError: An argument cannot be used.
    """

    def __init__(
        self,
        client_or_url: Redis | RedisCluster | str,
        *,
        encryption_keys: EncryptionKeys = (),
        prefix: str = "cognito-oidc",
        ttl: float = TTL,
        lease: float = LEASE,
    ) -> None:
        super().__init__(encryption_keys=encryption_keys, ttl=ttl, lease=lease)
        self._borrowed: Redis | RedisCluster | None = None
        self._own: WeakKeyDictionary[AbstractEventLoop, AsyncGenerator[Redis]] = WeakKeyDictionary()
        self._clients: WeakKeyDictionary[AbstractEventLoop, Redis] = WeakKeyDictionary()
        if isinstance(client_or_url, str):
            self._url = client_or_url
            _ = _client_of(self._url)  # whether it is a URL; nothing is sent
        else:
            self._borrowed = client_or_url
        self._prefix = prefix

    def __repr__(self) -> str:
        return f"RedisTokenStore(prefix={self._prefix!r})"

    async def __aenter__(self) -> Self:
        """Do nothing: connections are made when they are needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Close what `aclose` closes."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections of this event loop, unless the client is borrowed. The store can be used again."""
        loop = _running_loop()
        self._clients.pop(loop, None)
        own = self._own.pop(loop, None)
        if own is not None:
            await own.aclose()

    async def _fetch(self, name: str) -> tuple[str, str] | None:
        revision, text = await self._script(_READ, (self._key(name, "session"),), ())
        return None if revision is None else (_text(revision), _text(text or ""))

    async def _exchange(
        self, name: str, *, new: tuple[str, str] | None, expected: str | None, fence: int | None
    ) -> bool:
        revision, text = new or ("", "")
        arguments = (expected or "", revision, text, _milliseconds(self._ttl), "" if fence is None else fence, MEMORY)
        return bool(await self._script(_SWAP, (self._key(name, "session"), self._key(name, "fence")), arguments))

    async def _acquire(self, name: str, owner: str, dead: str) -> Answer:  # noqa: ARG002 - Redis ends leases itself
        keys = (self._key(name, "lease"), self._key(name, "fence"))
        fence, ends_in = await self._script(_ACQUIRE, keys, (owner, _milliseconds(self._lease), MEMORY))
        return Answer(fence or None, ends_in / 1000)

    async def _release(self, name: str, owner: str) -> None:
        await self._script(_RELEASE, (self._key(name, "lease"),), (owner,))

    def _key(self, name: str, what: str) -> str:
        return f"{self._prefix}:{{{name}}}:{what}"

    async def _script(self, script: _Script, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:  # noqa: ANN401 - as redis-py has it
        async def run(client: Redis | RedisCluster) -> Any:  # noqa: ANN401 - the same
            try:
                return await client.evalsha(script.digest, len(keys), *keys, *arguments)
            except NoScriptError:  # a server that has just started
                return await client.eval(script.text, len(keys), *keys, *arguments)

        return await self._ask(run)

    async def _ask(self, request: Callable[[Redis | RedisCluster], Awaitable[T]]) -> T:
        """Run one request in a bounded time; what goes wrong is a StoreError."""
        client = await self._client()
        try:
            with anyio.fail_after(_REQUEST_SECONDS):
                return await request(client)
        except (RedisError, RedisClusterException, OSError) as error:  # TimeoutError among the last
            reason = clean_server_text(str(error)) or "no answer in time"
            raise StoreError(f"{self!r}: {type(error).__name__}: {reason}") from error

    async def _client(self) -> Redis | RedisCluster:
        loop = _running_loop()
        if self._borrowed is not None:
            return self._borrowed
        if loop not in self._clients:
            # An event loop closes the asynchronous generators that were begun in it when it ends: so these connections
            # end with it, also in a program that calls `asyncio.run` again and again.
            self._own[loop] = own = _until_closed(_client_of(self._url))
            self._clients[loop] = await anext(own)
        return self._clients[loop]


async def _until_closed(client: Redis) -> AsyncGenerator[Redis]:
    try:
        yield client
    finally:
        await client.aclose()


def _client_of(url: str) -> Redis:
    try:
        return redis.asyncio.Redis.from_url(
            url, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=_REQUEST_SECONDS
        )
    except ValueError:  # which may quote a part of the URL
        msg = "RedisTokenStore: expected a client of redis.asyncio or a URL, redis://, rediss:// or unix://."
        raise ConfigurationError(msg) from None


def _running_loop() -> AbstractEventLoop:
    if sniffio.current_async_library() != "asyncio":
        raise ConfigurationError(
            "RedisTokenStore runs on asyncio only, since redis-py does. Over trio, use the file store or DynamoDB."
        )
    return asyncio.get_running_loop()


def _text(value: str | bytes) -> str:
    """Return text of a client that decodes answers, or of one that does not."""
    return value if isinstance(value, str) else value.decode()


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
