"""How long the event loop stands still while 200 tokens are verified in one gather.

    python -m benchmarks.fairness --publish

A task that does nothing but come back (`asyncio.sleep(0)`) notes the longest time between two of its turns: as long,
every other request of a server waits. Everybody in one run, in turn, many times; the median of the longest stalls.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from benchmarks import peers
from benchmarks.drawing import Bar, bars
from benchmarks.key_server import KeyServer
from benchmarks.shared import (
    CLIENT_ID,
    POOL_ID,
    Json,
    access_token,
    key_set,
    machine,
    machine_line,
    mapping,
    run,
    table,
)
from cognito_oidc import SyncTokenVerifier, TokenVerifier, UserPool

if TYPE_CHECKING:
    from benchmarks.peers import AsyncCheck, Check

COUNT: Final = 200
GOAL: Final = 2.0  # milliseconds
INLINE: Final = "SyncTokenVerifier, inline"
THREADS: Final = "SyncTokenVerifier, in threads"
TURNS: Final = "TokenVerifier"
FORGED: Final = "TokenVerifier, forged tokens"


def measure(quick: bool) -> Json:  # noqa: FBT001 - the one switch of every benchmark
    """Let everybody verify in turn."""
    jwks, token = key_set(), access_token()
    pool = UserPool(POOL_ID)
    verifier = TokenVerifier(pool, client_ids=[CLIENT_ID], jwks=jwks)
    plain = SyncTokenVerifier(pool, client_ids=[CLIENT_ID], jwks=jwks)
    stalls: dict[str, list[float]] = {}
    whole: dict[str, list[float]] = {}
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        path = peers.write_key_set(folder, jwks)
        url = stack.enter_context(KeyServer()).serve(jwks)
        runner = stack.enter_context(asyncio.Runner())
        checks: dict[str, tuple[AsyncCheck, str]] = {
            TURNS: (verifier.verify_access_token, token),
            FORGED: (verifier.verify_access_token, access_token(key="stranger")),
            INLINE: (_inline(plain.verify_access_token), token),
            THREADS: (lambda one: asyncio.to_thread(plain.verify_access_token, one), token),
        }
        checks |= {name: (_inline(check), token) for name, check in peers.synchronous(jwks, url=url, path=path)}
        checks |= {name: (check, token) for name, check in peers.asynchronous(path=path)}
        for check, good in checks.values():
            runner.run(_gather(check, good, 20))
        for _ in range(2 if quick else 40):
            for name, (check, good) in checks.items():
                stall, seconds = runner.run(_gather(check, good, 20 if quick else COUNT))
                stalls.setdefault(name, []).append(stall * 1e3)
                whole.setdefault(name, []).append(seconds * 1e3)
    return {
        "machine": machine(peers.PACKAGES),
        "count": COUNT,
        "unit": "milliseconds",
        "cases": {
            name: {
                "stall": round(median(stalls[name]), 3),
                "least_stall": round(min(stalls[name]), 3),
                "greatest_stall": round(max(stalls[name]), 3),
                "whole": round(median(whole[name]), 3),
            }
            for name in stalls
        },
    }


async def _gather(check: AsyncCheck, token: str, count: int) -> tuple[float, float]:
    """Return the longest stall and the whole time of a gather, in seconds."""
    longest, done = 0.0, False

    async def tick() -> None:
        nonlocal longest
        last = time.perf_counter()
        while not done:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest = max(longest, now - last)
            last = now

    ticker = asyncio.create_task(tick())
    await asyncio.sleep(0)
    begun = time.perf_counter()
    await asyncio.gather(*(check(token) for _ in range(count)), return_exceptions=True)
    seconds = time.perf_counter() - begun
    done = True
    await ticker
    return longest, seconds


def _inline(check: Check) -> AsyncCheck:
    async def call(token: str) -> object:
        return check(token)

    return call


def blocks_of(result: Json) -> dict[str, str]:
    """Return the table."""
    cases = mapping(result["cases"])
    rows = [
        (
            f"**{name}**" if name in {TURNS, FORGED} else name,
            f"{case['stall']:.1f} ms",
            f"{case['least_stall']:.1f} ms",
            f"{case['greatest_stall']:.1f} ms",
            f"{case['whole']:.1f} ms",
            ("yes" if _stall(case) <= GOAL else "**no**"),
        )
        for name, case in sorted(cases.items(), key=lambda item: _stall(item[1]))
    ]
    head = (
        f"{COUNT} tokens in one gather",
        "longest stall",
        "least",
        "greatest",
        "whole gather",
        f"at most {GOAL:g} ms",
    )
    return {"fairness-machine": machine_line(result), "fairness": table(head, rows)}


def pictures_of(result: Json) -> dict[str, str]:
    """Return the picture of the stalls."""
    cases = mapping(result["cases"])
    rows = [
        Bar(name, _stall(case), f"{_stall(case):.1f} ms", "ours" if name in {TURNS, FORGED} else "peer")
        for name, case in sorted(cases.items(), key=lambda item: _stall(item[1]))
    ]
    title = f"Longest stall of the event loop, {COUNT} tokens in one gather"
    return {
        "fairness": bars(title, "Median of the longest stalls; less is better", rows, goal=GOAL, axis="milliseconds")
    }


def _stall(case: Json) -> float:
    return float(str(case["stall"]))


if __name__ == "__main__":
    run("fairness", measure, blocks_of, pictures_of)
