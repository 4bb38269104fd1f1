"""Requests per second of a protected API, beside the same API unprotected; and what a load on it lives through.

    python -m benchmarks.api_load --publish

FastAPI under uvicorn runs in a process of its own, one worker on loopback; sixteen connections ask it from this
process, each again when it was answered. On a machine of two cores they share these with each other and with whatever
else runs, so what the server's process spent is measured too. A goal is met where both say so: on a busy machine the
requests per second are those of the queue for a core, which is as long for everybody.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.api_server import CHECKS_NOTHING, FASTAPI_COGNITO, OURS, REMEMBERED, UNPROTECTED, serving
from benchmarks.drawing import Bar, bars
from benchmarks.key_server import KeyServer
from benchmarks.keys import NEW_KID, random_kid
from benchmarks.load_client import CONNECTIONS, get, load
from benchmarks.shared import (
    ACCESS_KID,
    POOL_ID,
    Case,
    Json,
    access_token,
    interleave,
    jwk,
    key_set,
    machine,
    machine_line,
    mapping,
    run,
    summary,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.api_server import Api
    from benchmarks.load_client import Answer, Request

PACKAGES: Final = ("fastapi", "starlette", "uvicorn", "httptools", "uvloop", "cryptography", "fastapi-cognito")
NAMES: Final = {
    UNPROTECTED: "unprotected",
    CHECKS_NOTHING: "a security dependency that checks nothing",
    OURS: "AccessTokenBearer, TokenVerifier",
    REMEMBERED: "AccessTokenBearer, TokenVerifier that remembers",
    FASTAPI_COGNITO: "fastapi-cognito",
}
GOAL: Final = 0.9
_OURS: Final = (OURS, REMEMBERED)
_MICROSECONDS: Final = 1e6
_FRESH: Final = 900.0
_SOON: Final = 0.2  # seconds, so that keys are due for a refresh within a run
_FORGED: Final = 9  # of ten requests of the flood


def measure(quick: bool) -> Json:  # noqa: FBT001 - the one switch of every benchmark
    """Measure the throughput, then let a load live through what may happen."""
    with ExitStack() as stack:
        keys = stack.enter_context(KeyServer())
        keys.serve(key_set())
        runner = stack.enter_context(asyncio.Runner())
        api = stack.enter_context(serving(keys.base, soft_after=_FRESH))
        cases = _throughput(api, token_of(keys), runner, rounds=2 if quick else 20, per_case=0.0 if quick else 0.3)
    seconds = 0.3 if quick else 4.5
    scenarios: dict[str, dict[str, Json]] = {}
    for scenario in (rotation, outage, flood):
        scenarios[scenario.__name__] = {
            NAMES[path]: found
            for path in ((OURS,) if quick else (OURS, FASTAPI_COGNITO))
            if (found := _live_through(scenario, path, seconds))
        }
    return {
        "machine": machine(PACKAGES),
        "unit": "microseconds per request",
        "connections": CONNECTIONS,
        **cases,
        "scenarios": scenarios,
    }


def token_of(keys: KeyServer, *, key: str = "access", kid: str = ACCESS_KID) -> str:
    """Return a token of the pool whose keys are there."""
    return access_token(key=key, kid=kid, iss=f"{keys.base}/{POOL_ID}")


def _throughput(api: Api, token: str, runner: asyncio.Runner, *, rounds: int, per_case: float) -> Json:
    """Return each endpoint's time per request, and what the server's process spent of it."""
    spent: dict[str, list[float]] = {NAMES[path]: [] for path in api.paths}
    busy: list[float] = []

    def case(path: str) -> Case:
        request = get(path, token)

        def seconds_for(count: int) -> float:
            requests = max(count, CONNECTIONS)
            before, own, begun = api.cpu_seconds(), time.process_time(), time.perf_counter()
            answers = runner.run(load(api.port, itertools.repeat(request, requests)))
            seconds = time.perf_counter() - begun
            busy.append((time.process_time() - own) / seconds)
            spent[NAMES[path]].append((api.cpu_seconds() - before) / requests * _MICROSECONDS)
            assert {answer.status for answer in answers} == {200}, Counter(answer.status for answer in answers)
            return seconds * count / requests

        return Case(name=NAMES[path], seconds_for=seconds_for)

    seconds = interleave([case(path) for path in api.paths], rounds=rounds, per_case=per_case)
    return {
        "cases": summary(seconds, limit=NAMES[UNPROTECTED], scale=_MICROSECONDS),
        "server": {name: round(median(values[-rounds:]), 1) for name, values in spent.items()},
        "generator_busy": round(median(busy), 2),
    }


# --- what a load lives through ----------------------------------------------------------------------------------------


def rotation(keys: KeyServer, path: str, seconds: float) -> Iterator[Request]:
    """Rotate the keys after a third; from then on every other token is of the new key, both being published."""
    old, new = get(path, token_of(keys)), get(path, token_of(keys, key="rotated", kid=NEW_KID))
    yield from _for(seconds / 3, itertools.repeat(old))
    keys.serve(key_set(jwk("access", ACCESS_KID), jwk("rotated", NEW_KID)))
    yield from _for(seconds * 2 / 3, itertools.cycle((old, new)))


def outage(keys: KeyServer, path: str, seconds: float) -> Iterator[Request]:
    """Let the key endpoint fail after a third, and hang after two thirds, while our keys are due for a refresh."""
    good = itertools.repeat(get(path, token_of(keys)))
    yield from _for(seconds / 3, good)
    keys.status = 500
    yield from _for(seconds / 3, good)
    keys.hanging = True
    yield from _for(seconds / 3, good)


def flood(keys: KeyServer, path: str, seconds: float) -> Iterator[Request]:
    """After a third, nine of ten requests carry a forged token, each with a kid that nobody has seen."""
    token = token_of(keys)
    good = get(path, token)
    yield from _for(seconds / 3, itertools.repeat(good))
    mixed = (
        good if number % (_FORGED + 1) == 0 else get(path, random_kid(token), "forged") for number in itertools.count()
    )
    yield from _for(seconds * 2 / 3, mixed)


def _for(seconds: float, requests: Iterator[Request]) -> Iterator[Request]:
    end = time.perf_counter() + seconds
    return itertools.takewhile(lambda _: time.perf_counter() < end, requests)


def _live_through(scenario: Callable[[KeyServer, str, float], Iterator[Request]], path: str, seconds: float) -> Json:
    """Return what a load on a fresh API counted; nothing where there is no such endpoint."""
    with KeyServer() as keys, serving(keys.base, soft_after=_SOON if scenario is outage else _FRESH) as api:
        if path not in api.paths:
            return {}
        keys.serve(key_set())
        api.cpu_seconds()  # it answers
        asyncio.run(load(api.port, itertools.repeat(get(path, token_of(keys)), 4 * CONNECTIONS)))
        fetches, begun = keys.count, time.perf_counter()
        answers = asyncio.run(load(api.port, scenario(keys, path, seconds)))
        usual = [answer for answer in answers if answer.at < begun + seconds / 3]
        during = [answer for answer in answers if answer.at >= begun + seconds / 3]
        good = [answer for answer in during if answer.kind == "good"]
        forged = Counter(answer.status for answer in during if answer.kind == "forged")
        return {
            "good": len(good),
            "accepted": sum(answer.status == 200 for answer in good),  # noqa: PLR2004 - OK
            "forged": forged.total(),
            "forged_accepted": forged[200],
            "forged_refused": forged[401] + forged[503] + forged[422],
            "fetches": keys.count - fetches,
            "usual_ms": _slow(usual),
            "during_ms": _slow(good),
            "slowest_ms": round(max((answer.seconds for answer in good), default=0.0) * 1e3, 1),
        }


def _slow(answers: list[Answer]) -> float:
    """Return the time, in milliseconds, that 99 of 100 answers stay under."""
    ordered = sorted(answer.seconds for answer in answers)
    return round(ordered[int(len(ordered) * 0.99)] * 1e3, 1) if ordered else 0.0


# --- reporting --------------------------------------------------------------------------------------------------------


def blocks_of(result: Json) -> dict[str, str]:
    """Return the tables."""
    cases, server = mapping(result["cases"]), mapping(result["server"])
    base = _number(server[NAMES[UNPROTECTED]])
    goals, rows = [], []
    for name, case in sorted(cases.items(), key=lambda item: _number(item[1]["median"])):
        by_time, by_cpu = _share(case), base / _number(server[name])
        ours = name in {NAMES[path] for path in _OURS}
        if ours:
            met = "yes" if min(by_time, by_cpu) >= GOAL else "**no**"
            goals.append((name, f"{GOAL:g}", f"{by_time:.2f}", f"{by_cpu:.2f}", met))
        per_second, spent = f"{1e6 / _number(case['median']):,.0f}", f"{_number(server[name]):.0f} µs"
        rows.append((f"**{name}**" if ours else name, per_second, f"{by_time:.2f}", spent, f"{by_cpu:.2f}"))
    lived = [
        (
            what,
            name,
            f"{found['accepted']} of {found['good']}",
            "" if not found["forged"] else f"{found['forged_refused']} of {found['forged']}",
            found["fetches"],
            f"{found['usual_ms']} ms",
            f"{found['during_ms']} ms",
            f"{found['slowest_ms']} ms",
        )
        for scenario, what in (
            ("rotation", "the keys are rotated"),
            ("outage", "the key endpoint fails, then hangs"),
            ("flood", "nine of ten tokens are forged"),
        )
        for name, found in mapping(mapping(result["scenarios"])[scenario]).items()
    ]
    return {
        "api-load-machine": f"{machine_line(result)} {result['connections']} connections; the load generator was busy "
        f"for {_number(result['generator_busy']):.0%} of the time.",
        "api-load-goals": table(
            ("share of the unprotected endpoint's requests per second", "goal", "measured", "by CPU time", "met"), goals
        ),
        "api-load-everybody": table(
            ("endpoint", "requests per second", "share", "server's CPU time per request", "share by CPU time"), rows
        ),
        "api-load-scenarios": table(
            (
                "meanwhile",
                "endpoint",
                "good requests answered 200",
                "forged ones refused",
                "key fetches",
                "99 of 100 before",
                "99 of 100 good ones meanwhile",
                "slowest good one",
            ),
            lived,
        ),
    }


def pictures_of(result: Json) -> dict[str, str]:
    """Return the picture of the throughput."""
    cases = mapping(result["cases"])
    rows = [
        Bar(name, _share(case), f"{_share(case):.2f}", _kind(name))
        for name, case in sorted(cases.items(), key=lambda item: _number(item[1]["median"]))
    ]
    title = "Requests per second of a protected API"
    return {"api-load": bars(title, "As a share of the unprotected endpoint's; more is better", rows, goal=GOAL)}


def _kind(name: str) -> str:
    if name in {NAMES[path] for path in _OURS}:
        return "ours"
    return "limit" if name == NAMES[UNPROTECTED] else "peer"


def _share(case: Json) -> float:
    return 1 / _number(case["ratio"])


def _number(value: object) -> float:
    return float(str(value))


if __name__ == "__main__":
    run("api_load", measure, blocks_of, pictures_of)
