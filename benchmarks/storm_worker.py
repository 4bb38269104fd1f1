"""One process of the storm: fifty tasks that want a token at the same moment. `benchmarks/refresh_storm.py` starts it.

It reads an order, a line of JSON; gets ready, and says so; waits for another line; and says what became of its tasks.
Then it reads the next order. Each pattern is used as its documentation has it or, where there is none, as everybody's
first version does.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import redis.asyncio
from authlib.integrations.httpx_client import AsyncOAuth2Client

from cognito_oidc import CognitoClient, UserPool
from cognito_oidc.integrations.stores.file import FileTokenStore
from cognito_oidc.integrations.stores.redis import RedisTokenStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from redis.asyncio import Redis

    from cognito_oidc import TokenStore

KEY: Final = "ann"


@asynccontextmanager
async def our_store(order: Mapping[str, Any]) -> AsyncIterator[TokenStore]:
    """Give the store that all processes share."""
    if order["redis"]:
        async with RedisTokenStore(order["redis"]) as store:
            yield store
    else:
        yield FileTokenStore(Path(order["folder"]))


@asynccontextmanager
async def ours(order: Mapping[str, Any]) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Ask a token source on that store."""
    pool = UserPool(order["pool_id"], domain=order["domain"], endpoint_url=order["base_url"])
    client = CognitoClient(pool, client_id=order["client_id"], client_secret=order["client_secret"])
    async with our_store(order) as store, client:
        source = client.token_source(store=store, key=KEY)

        async def ask() -> str:
            return (await source.token()).value

        yield ask


class SharedValue:
    """One value that all processes read and write: a file, or a key of Redis."""

    def __init__(self, path: Path, client: Redis | None) -> None:
        self.path = path
        self.redis = client

    async def read(self) -> dict[str, Any]:
        """Return the tokens."""
        text = self.path.read_bytes() if self.redis is None else await self.redis.get("tokens")
        assert text is not None
        tokens: dict[str, Any] = json.loads(text)
        return tokens

    async def write(self, tokens: Mapping[str, Any]) -> None:
        """Keep the tokens; a file in one step."""
        text = json.dumps({**tokens, "claims": None})
        if self.redis is not None:
            await self.redis.set("tokens", text)
            return
        new = self.path.with_suffix(f".{secrets.token_hex(8)}")
        new.write_text(text, encoding="utf-8")
        new.replace(self.path)


@asynccontextmanager
async def shared_value(order: Mapping[str, Any]) -> AsyncIterator[SharedValue]:
    """Give the value that all processes share."""
    path = Path(order["folder"]) / "tokens.json"
    if order["redis"]:
        async with redis.asyncio.Redis.from_url(order["redis"]) as client:
            yield SharedValue(path, client)
    else:
        yield SharedValue(path, None)


@asynccontextmanager
async def authlib(order: Mapping[str, Any]) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Ask Authlib's client with `update_token`, as its documentation has it: it refreshes before a request."""
    async with shared_value(order) as value:

        async def update_token(
            token: Mapping[str, Any], refresh_token: str | None = None, access_token: str | None = None
        ) -> None:
            await value.write(token)

        async with AsyncOAuth2Client(
            order["client_id"],
            order["client_secret"],
            token_endpoint_auth_method="client_secret_post",
            token=await value.read(),
            token_endpoint=order["token_endpoint"],
            update_token=update_token,
            timeout=30,
        ) as client:

            async def ask() -> str:
                answer = await client.get(order["userinfo_endpoint"])
                answer.raise_for_status()
                return str(client.token["access_token"])

            yield ask


@asynccontextmanager
async def check_then_refresh(order: Mapping[str, Any]) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Read the shared value; where it has expired, refresh and write it."""
    async with shared_value(order) as value, httpx.AsyncClient(timeout=30) as client:

        async def ask() -> str:
            return await _checked(value, client, order)

        yield ask


@asynccontextmanager
async def lock_in_process(order: Mapping[str, Any]) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Do that behind an `asyncio.Lock`, so that a process refreshes once."""
    lock = asyncio.Lock()
    async with check_then_refresh(order) as unlocked:

        async def ask() -> str:
            async with lock:
                return await unlocked()

        yield ask


@asynccontextmanager
async def redis_lock(order: Mapping[str, Any]) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Do that behind redis-py's `lock(timeout=30)`: the right way, where nothing goes wrong."""
    async with shared_value(order) as value, httpx.AsyncClient(timeout=30) as client:
        assert value.redis is not None
        connections = value.redis

        async def ask() -> str:
            async with connections.lock("refreshing", timeout=30):
                return await _checked(value, client, order)

        yield ask


async def _checked(value: SharedValue, client: httpx.AsyncClient, order: Mapping[str, Any]) -> str:
    tokens = await value.read()
    if tokens["expires_at"] <= time.time():
        form = {
            "grant_type": "refresh_token",
            "client_id": order["client_id"],
            "client_secret": order["client_secret"],
            "refresh_token": tokens["refresh_token"],
        }
        answer = await client.post(order["token_endpoint"], data=form)
        answer.raise_for_status()
        new = answer.json()
        tokens = {**tokens, **new, "expires_at": time.time() + new["expires_in"]}
        await value.write(tokens)
    return str(tokens["access_token"])


OURS: Final = "cognito_oidc"
REDIS_LOCK: Final = "check, lock of redis-py, refresh"
PATTERNS: Final = {
    OURS: ours,
    "Authlib, update_token": authlib,
    "check, refresh": check_then_refresh,
    "asyncio.Lock, check, refresh": lock_in_process,
    REDIS_LOCK: redis_lock,
}


async def rage(order: Mapping[str, Any]) -> None:
    """Do what was ordered."""
    async with PATTERNS[order["pattern"]](order) as ask:
        print("ready", flush=True)
        await _next_line()
        outcomes: Counter[str] = Counter()

        async def task() -> float:
            begun = time.perf_counter()
            try:
                await ask()
                outcomes["served"] += 1
            except Exception as error:  # noqa: BLE001 - whatever comes of it is counted
                outcomes[type(error).__name__] += 1
            return time.perf_counter() - begun

        waits = await asyncio.gather(*(task() for _ in range(order["tasks"])))
        first = dict(outcomes)
        await task()
        goes_on = outcomes["served"] > first.get("served", 0)
        print(json.dumps({"outcomes": first, "slowest": max(waits), "goes_on": goes_on}), flush=True)


async def main() -> None:
    """Do one order after the other, until there are no more."""
    while line := await _next_line():
        await rage(json.loads(line))


async def _next_line() -> str:
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main())
