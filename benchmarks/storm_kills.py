"""Processes that are killed (`kill -9`) while they write a record, or while they hold the lock of one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import secrets
import signal
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks import redis_server
from benchmarks.redis_server import RedisServer
from benchmarks.shared import CLIENT_ID, POOL_ID, Json
from benchmarks.storm_worker import KEY, our_store
from cognito_oidc import StoredToken, TokenSet
from cognito_oidc.errors import StoreError
from cognito_oidc.integrations.stores.redis import RedisTokenStore

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from contextlib import AbstractAsyncContextManager

    from cognito_oidc import TokenStore

KILLS: Final = 1000
HOLDERS: Final = 20
LEASE: Final = 2.0  # seconds, of the store in Redis; its default is 24
_LONGEST: Final = 0.012  # seconds after the first write in which the kill comes: some writes' time


class Writers:
    """How a record is kept while processes are killed: its number goes up by one with each write."""

    def __init__(self, place: Callable[[], AbstractAsyncContextManager[TokenStore]]) -> None:
        self._place = place

    async def last(self) -> int:
        """Return the number that is kept; 0 where there is none."""
        async with self._place() as store:
            record = await store.read(KEY)
        return 0 if record is None else int(record.tokens.access_token)

    async def write_on(self, tell: Callable[[int], None]) -> None:
        """Write one number after the other, and tell each when it is kept."""
        async with self._place() as store:
            current = await store.read(KEY)
            while True:
                new = numbered(1 if current is None else int(current.tokens.access_token) + 1)
                assert await store.swap(KEY, new, expected=current)
                tell(int(new.tokens.access_token))
                current = new

    async def hold(self, tell: Callable[[int], None]) -> None:
        """Take the lock, tell it, and never give it back."""
        async with self._place() as store, store.lock(KEY, timeout=30):
            tell(1)
            await asyncio.sleep(60)

    async def seconds_until_lock(self) -> float:
        """Return how long it takes to get the lock."""
        begun = time.perf_counter()
        async with self._place() as store, store.lock(KEY, timeout=30):
            return time.perf_counter() - begun


class PlainFile(Writers):
    """What a program without a store does: it writes its tokens into a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def last(self) -> int:
        """Return the number that is kept."""
        try:
            return int(json.loads(self._path.read_text("utf-8"))["tokens"]["access_token"])
        except FileNotFoundError:
            return 0
        except ValueError:
            self._path.unlink()
            raise StoreError("The file is no JSON.") from None

    async def write_on(self, tell: Callable[[int], None]) -> None:
        """Write one number after the other."""
        number = await self.last()
        while True:
            number += 1
            self._path.write_text(numbered(number).to_json(), encoding="utf-8")
            tell(number)


def numbered(number: int) -> StoredToken:
    """Return a record of that number, as long as one with Cognito's tokens."""
    tokens = TokenSet(access_token=str(number), expires_at=2e9, id_token="i" * 2400, refresh_token="r" * 1800)
    revision = secrets.token_urlsafe(16)
    return StoredToken(tokens=tokens, obtained_at=1.9e9, pool_id=POOL_ID, client_id=CLIENT_ID, revision=revision)


def killed_writers(writers: Writers, count: int) -> Json:
    """Kill a process that writes, at a random moment, so many times, and look each time at what is kept."""
    chance = random.Random(7)  # noqa: S311 - moments
    seen: Counter[str] = Counter()
    for _ in range(count):
        with forked(writers.write_on) as told:
            last = told.next()
            time.sleep(chance.uniform(0, _LONGEST))
        last = max(told.rest(), default=last)
        try:
            kept = asyncio.run(writers.last())
        except StoreError:
            seen["unreadable"] += 1
            continue
        # The write that was under way may be there, or the one before it: a number is told after it was kept.
        seen["whole" if kept in {last, last + 1} else "lost"] += 1
    return {"kills": count, **{what: seen[what] for what in ("whole", "unreadable", "lost")}}


def killed_holders(writers: Writers, count: int) -> Json:
    """Kill a process that holds the lock, so many times, and measure until another has it."""
    waits = []
    for _ in range(count):
        with forked(writers.hold) as told:
            told.next()
        waits.append(asyncio.run(writers.seconds_until_lock()))
    return {"kills": count, "median": round(median(waits), 3), "slowest": round(max(waits), 3)}


class Told:
    """What a child says, number by number."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "rb")

    def next(self) -> int:
        """Wait for a number."""
        return int(self._file.readline())

    def rest(self) -> list[int]:
        """Return the numbers that are left after the child's end."""
        with self._file:
            return [int(line) for line in self._file if line.endswith(b"\n")]


@contextlib.contextmanager
def forked(work: Callable[[Callable[[int], None]], Coroutine[None, None, None]]) -> Iterator[Told]:
    """Let a child work, and kill it at the end of the block. A fork: a new Python would take half a second."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(work(lambda number: _tell(writing, number)))
        finally:
            os._exit(1)
    os.close(writing)
    try:
        yield Told(reading)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _tell(descriptor: int, number: int) -> None:
    os.write(descriptor, f"{number}\n".encode())


def kills(*, quick: bool) -> Json:
    """Kill writers and holders, for every store."""
    count, holders = (50, 1) if quick else (KILLS, HOLDERS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cognito-oidc-kills-")))
        stores = {"FileTokenStore": Writers(lambda: our_store({"redis": None, "folder": folder / "ours"}))}
        if redis_server.installed():
            url = stack.enter_context(RedisServer()).url
            stores["RedisTokenStore"] = Writers(lambda: RedisTokenStore(url, lease=LEASE))
        everybody = {**stores, "`write_text`": PlainFile(folder / "plain.json")}
        return {
            "writes": {name: killed_writers(one, count) for name, one in everybody.items()},
            "locks": {name: killed_holders(one, holders) for name, one in stores.items()},
        }
