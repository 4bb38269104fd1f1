"""Many workers, one expired session: who asks how often, who is logged out, and what survives a kill.

    python -m benchmarks.refresh_storm --publish

Eight processes with fifty tasks each want a token at the same moment. The access token has expired, refresh tokens
rotate, and the grace period is 0, so a refresh token that is used twice is refused. The token endpoint is the
emulator's, on a port, in this process. Before that, processes are killed (`kill -9`) while they write or hold the lock
(`benchmarks/storm_kills.py`).

Counts are what matters here; times are of this machine, where nine processes share two cores.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks import redis_server
from benchmarks.redis_server import RedisServer
from benchmarks.shared import Json, machine, machine_line, mapping, run, table
from benchmarks.storm_kills import kills
from benchmarks.storm_worker import KEY, OURS, PATTERNS, REDIS_LOCK, our_store, shared_value
from cognito_oidc import StoredToken, TokenSet
from cognito_oidc.emulator import CognitoEmulator
from cognito_oidc.errors import InvalidGrantError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Sequence

    from cognito_oidc.emulator import EmulatedAppClient

PROCESSES: Final = 8
TASKS: Final = 50
ROUNDS: Final = 10
APP: Final = "https://app.example/callback"


# --- the storm --------------------------------------------------------------------------------------------------------


class Workers:
    """The processes; each does what every order says."""

    def __init__(self, processes: Sequence[Process]) -> None:
        self._processes = processes

    async def rage(self, order: Json) -> list[Json]:
        """Get all ready, let all loose at once, and return what they say."""
        await self._say(json.dumps(order))
        assert await self._hear() == ["ready"] * len(self._processes)
        await self._say("go")
        return [json.loads(line) for line in await self._hear()]

    async def _say(self, line: str) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{line}\n".encode())
        await asyncio.gather(*(process.stdin.drain() for process in self._processes if process.stdin is not None))

    async def _hear(self) -> list[str]:
        lines = [process.stdout.readline() for process in self._processes if process.stdout is not None]
        return [line.decode().strip() for line in await asyncio.gather(*lines)]


@asynccontextmanager
async def working(count: int) -> AsyncIterator[Workers]:
    """Give so many processes."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.storm_worker"]
    pipe = asyncio.subprocess.PIPE
    processes = [await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe) for _ in range(count)]
    try:
        yield Workers(processes)
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class Storm:
    """An emulator on a port, and a fresh session in the store for each round."""

    def __init__(self, emulator: CognitoEmulator, base_url: str, redis: str | None) -> None:
        self._emulator = emulator
        self._base_url = base_url
        self._redis = redis
        self._pool = emulator.add_pool("eu-west-1_Storm0001", domain="storm")
        self._pool.add_user("ann", password="correct horse", email="ann@example.com", email_verified=True)
        self._app = self._pool.add_client(
            "web",
            redirect_uris=[APP],
            scopes=["openid", "email"],
            client_secret=True,
            refresh_token_rotation=True,
            retry_grace_period=0,
        )
        self._client = self._app.client(redirect_uri=APP)

    async def rage(self, workers: Workers, pattern: str, *, over_redis: bool, tasks: int) -> Json:
        """Let one round pass, and count."""
        tokens = await self._expired()
        with tempfile.TemporaryDirectory(prefix="cognito-oidc-storm-") as folder:
            place = Place(folder, self._redis if over_redis else None)
            await place.put(tokens, self._app, ours=pattern == OURS)
            order: Json = {
                "pattern": pattern,
                "redis": place.redis,
                "folder": folder,
                "tasks": tasks,
                "base_url": self._base_url,
                "pool_id": self._pool.pool_id,
                "domain": self._pool.domain_prefix,
                "client_id": self._app.client_id,
                "client_secret": self._app.client_secret,
                "token_endpoint": f"{self._base_url}/{self._pool.domain_prefix}/oauth2/token",
                "userinfo_endpoint": f"{self._base_url}/{self._pool.domain_prefix}/oauth2/userInfo",
            }
            before = self._emulator.count("token")
            answers = await workers.rage(order)
            requests = self._emulator.count("token") - before
            is_alive = await self._goes_on(await place.refresh_token(ours=pattern == OURS))
        outcomes: Counter[str] = Counter()
        for answer in answers:
            outcomes.update(mapping(answer["outcomes"]))
        return {
            "requests": requests,
            "served": outcomes.pop("served", 0),
            "errors": dict(outcomes),
            "go_on": sum(answer["goes_on"] is True for answer in answers),
            "is_alive": is_alive,
            "slowest": max(float(str(answer["slowest"])) for answer in answers),
        }

    async def _expired(self) -> TokenSet:
        """Sign Ann in, and let the access token be over."""
        request = self._client.authorization_request()
        callback = await self._emulator.person("ann", "correct horse").follow(request.url)
        tokens = await self._client.exchange_code(callback, request)
        over = time.time() - 1
        return TokenSet(access_token=tokens.access_token, expires_at=over, refresh_token=tokens.refresh_token)

    async def _goes_on(self, refresh_token: str | None) -> bool:
        """Tell whether the session can be renewed once more with what was kept."""
        if refresh_token is None:
            return False
        try:
            await self._client.refresh(refresh_token)
        except InvalidGrantError:
            return False
        return True


class Place:
    """Where the tokens of a round are kept: our own store, or one value, in a folder or in Redis."""

    def __init__(self, folder: str, redis: str | None) -> None:
        self.folder = folder
        self.redis = redis

    async def put(self, tokens: TokenSet, app: EmulatedAppClient, *, ours: bool) -> None:
        """Keep the first tokens, in place of what an earlier round left."""
        if not ours:
            async with shared_value(self.order()) as value:
                await value.write(tokens.to_dict())
            return
        record = StoredToken(
            tokens=tokens,
            obtained_at=tokens.expires_at - 3600,
            pool_id=app.pool.pool_id,
            client_id=app.client_id,
            scopes=("email", "openid"),
            revision=secrets.token_urlsafe(16),
        )
        async with our_store(self.order()) as store:
            assert await store.swap(KEY, record, expected=await store.read(KEY))

    async def refresh_token(self, *, ours: bool) -> str | None:
        """Return the refresh token that is kept."""
        if ours:
            async with our_store(self.order()) as store:
                record = await store.read(KEY)
            return None if record is None else record.tokens.refresh_token
        async with shared_value(self.order()) as value:
            return str((await value.read())["refresh_token"])

    def order(self) -> Json:
        """Return what an order says of it."""
        return {"folder": self.folder, "redis": self.redis}


async def storms(*, quick: bool) -> dict[str, Json]:
    """Let every pattern have its rounds, one after the other, so that none has a quieter machine."""
    processes, tasks, rounds = (4, 25, 1) if quick else (PROCESSES, TASKS, ROUNDS)
    kept: dict[str, list[Json]] = {}
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(RedisServer()).url if redis_server.installed() else None
        emulator = await stack.enter_async_context(CognitoEmulator())
        served = await stack.enter_async_context(emulator.serve(port=0))
        workers = await stack.enter_async_context(working(processes))
        storm = Storm(emulator, served.base_url, redis)
        for number in range(rounds + 1):
            for pattern in PATTERNS:
                for over_redis in (False, True):
                    if (over_redis and redis is None) or (pattern == REDIS_LOCK and not over_redis):
                        continue
                    done = await storm.rage(workers, pattern, over_redis=over_redis, tasks=tasks)
                    if number > 0:  # in the first one processes load what they need
                        kept.setdefault(f"{pattern}, {'Redis' if over_redis else 'file'}", []).append(done)
    return {name: _summed(each, processes=processes, tasks=tasks) for name, each in kept.items()}


def _summed(rounds: Sequence[Json], *, processes: int, tasks: int) -> Json:
    errors: Counter[str] = Counter()
    for one in rounds:
        errors.update(mapping(one["errors"]))
    requests = [int(str(one["requests"])) for one in rounds]
    return {
        "rounds": len(rounds),
        "tasks": processes * tasks * len(rounds),
        "processes": processes * len(rounds),
        "go_on": sum(int(str(one["go_on"])) for one in rounds),
        "requests_most": max(requests),
        "requests_median": median(requests),
        "served": sum(int(str(one["served"])) for one in rounds),
        "errors": dict(errors),
        "dead": sum(not one["is_alive"] for one in rounds),
        "slowest_median": round(median(float(str(one["slowest"])) for one in rounds), 3),
        "slowest": round(max(float(str(one["slowest"])) for one in rounds), 3),
    }


# --- the page ---------------------------------------------------------------------------------------------------------


def measure(quick: bool) -> Json:  # noqa: FBT001 - as every benchmark
    """Kill first, since a fork wants no threads; then let the storms pass."""
    dead = kills(quick=quick)
    cases = asyncio.run(storms(quick=quick))
    redis = {"Redis": redis_server.version()} if redis_server.installed() else {}
    return {"machine": machine(("Authlib", "httpx", "redis", "anyio"), **redis), "cases": cases, **dead}


def blocks_of(result: Json) -> dict[str, str]:
    """Return the tables."""
    cases, writes, locks = (mapping(result[name]) for name in ("cases", "writes", "locks"))
    who = [f"**{name}**" if name.startswith(OURS) else name for name in cases]
    return {
        "storm": table(
            ["who", "token requests a round, at most", "tasks with a token", "workers that can go on", "dead sessions",
             "slowest task, median", "slowest of all"],
            [
                [
                    name,
                    case["requests_most"],
                    f"{case['served']:,} of {case['tasks']:,}",
                    f"{case['go_on']} of {case['processes']}",
                    f"{case['dead']} of {case['rounds']}",
                    f"{case['slowest_median']} s",
                    f"{case['slowest']} s",
                ]
                for name, case in zip(who, cases.values(), strict=True)
            ],
        ),
        "storm-kills": table(
            ["who", "kills while it writes", "whole", "unreadable", "lost"],
            [[name, case["kills"], case["whole"], case["unreadable"], case["lost"]] for name, case in writes.items()],
        ),
        "storm-locks": table(
            ["who", "kills while it holds the lock", "the next one has it after, median", "slowest"],
            [[name, case["kills"], f"{case['median']} s", f"{case['slowest']} s"] for name, case in locks.items()],
        ),
        "storm-machine": machine_line(result),
    }  # fmt: skip


def pictures_of(result: Json) -> dict[str, str]:
    """Return no picture: these are counts."""
    return {}


if __name__ == "__main__":
    run("refresh_storm", measure, blocks_of, pictures_of)
