"""What happens to verification, and to the key endpoint, when keys are fetched, rotated, withdrawn or cannot be had.

    python -m benchmarks.keys --publish

The scenarios of the design's section 5 against a faulty key server over real HTTP on loopback, ours beside every other
library that fetches keys itself. The libraries of Node.js fetch over TLS, since aws-jwt-verify knows nothing else.
It takes about two minutes: some scenarios are made of waiting.
"""

from __future__ import annotations

import asyncio
import gc
import json
import secrets
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from benchmarks import node, peers
from benchmarks.key_server import write_certificate
from benchmarks.shared import (
    ACCESS_KID,
    CLIENT_ID,
    Json,
    access_token,
    b64,
    jwk,
    key_set,
    machine,
    machine_line,
    mapping,
    run,
    table,
)
from benchmarks.subjects import ASYNC, ENTERED, SYNC, Clock, NodeSubject, Subject, Subjects

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

NEW_KID: Final = "rotated+/DKmo7zKvbTCuRxJ9N5+UXfk3Lbw9zs12345="
_HOUR: Final = 3600.0


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How much of everything.

    Attributes:
        stampede: Tokens at once.
        flood: Tokens with unknown kids.
        flood_seconds: In how many seconds; a little under 10, so that a busy machine does not make it 10.1.
        calls: Calls while the endpoint is down.
        calls_seconds: In how many seconds.
        known: Good tokens while it hangs.
        tokens: Tokens for the memory.
        patience: Seconds after which somebody counts as blocked; longer than any fetch of ours takes.
        recovery: Seconds after which somebody counts as never recovered.
    """

    stampede: int = 1000
    flood: int = 300
    flood_seconds: float = 9.8
    calls: int = 50
    calls_seconds: float = 10.0
    known: int = 200
    tokens: int = 20_000
    patience: float = 6.0
    recovery: float = 30.0


QUICK: Final = Counts(
    stampede=20, flood=10, flood_seconds=0.3, calls=5, calls_seconds=0.3, known=5, tokens=50, patience=0.3, recovery=3.0
)


def with_kid(token: str, kid: str) -> str:
    """Return a token with another kid in its header; the signature is then good for nothing."""
    return f"{b64(json.dumps({'kid': kid, 'alg': 'RS256'}).encode())}.{token.partition('.')[2]}"


def random_kid(token: str) -> str:
    """Return a token of a kid that nobody has seen."""
    return with_kid(token, secrets.token_urlsafe(32))


def random_issuer(token: str) -> str:
    """Return a token of an issuer that nobody has seen."""
    header, _, signature = token.split(".")
    issuer = f"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_{secrets.token_hex(5)}"
    payload = {"iss": issuer, "token_use": "access", "client_id": CLIENT_ID, "sub": "x", "exp": 9_999_999_999, "iat": 1}
    return f"{header}.{b64(json.dumps(payload).encode())}.{signature}"


async def stampede(subject: Subject, counts: Counts) -> Json:
    """Verify many at once, with no keys yet."""
    subject.server.delay = 0.1
    outcomes = await subject.many([subject.token] * counts.stampede)
    return {"accepted": _accepted(outcomes), "of": counts.stampede, "requests": subject.server.count}


async def flood(subject: Subject, counts: Counts) -> Json:
    """Send tokens with kids that do not exist, evenly over some seconds, and a good token after each tenth."""
    await _warm(subject)
    before = subject.server.count
    good, asked = [], 0
    pause = counts.flood_seconds / counts.flood
    begun = time.perf_counter()
    for number in range(counts.flood):
        await asyncio.sleep(max(0.0, begun + number * pause - time.perf_counter()))
        await subject.one(random_kid(subject.token))
        if number % 10 == 0:
            asked += 1
            good.append(await subject.one(subject.token))
    return {"requests": subject.server.count - before, "good_accepted": _accepted(good), "of": asked}


async def rotation(subject: Subject, counts: Counts) -> Json:
    """Publish a new key right after the keys were fetched; its first token comes at once."""
    await _warm(subject)
    return await _rotate(subject)


async def rotation_after_forgery(subject: Subject, counts: Counts) -> Json:
    """Do the same after a token with a kid that does not exist."""
    await _warm(subject)
    await subject.one(random_kid(subject.token))
    return await _rotate(subject)


async def hanging(subject: Subject, counts: Counts) -> Json:
    """Look for somebody's unknown kid, keys being fresh, while the endpoint takes requests and never answers."""
    await _warm(subject)
    usual = [await _timed(subject, counts) for _ in range(counts.known)]
    subject.server.hanging = True
    stranger = asyncio.create_task(subject.one(random_kid(subject.token)))
    await asyncio.sleep(0.1)
    during = await _until_blocked(subject, counts)
    subject.server.release()
    await stranger
    return _latencies(usual, during)


async def hanging_when_soft(subject: Subject, counts: Counts) -> Json:
    """Let a refresh be due (ours: keys are 20 minutes old) while the endpoint takes requests and never answers."""
    await _warm(subject)
    usual = [await _timed(subject, counts) for _ in range(counts.known)]
    if isinstance(subject.clock, Clock):
        subject.clock.offset += _HOUR / 3
    if subject.expires_after:
        await asyncio.sleep(subject.expires_after + 0.1)
    subject.server.hanging = True
    before = subject.server.count
    during = await _until_blocked(subject, counts)
    refreshes = 0 if subject.name == ENTERED else subject.server.count - before  # whose callers may wait
    subject.server.release()
    found = _latencies(usual, during)
    later = found["slower_by_2_ms"]
    return {**found, "others_later": max(0, later - refreshes) if isinstance(later, int) else None}


async def outage(subject: Subject, counts: Counts) -> Json:
    """Be down, with keys that are 23 hours old, or older than this library lets them become."""
    await _warm(subject)
    subject.server.status = 503
    if subject.expires_after:
        await asyncio.sleep(subject.expires_after + 0.1)
    token = subject.token
    if isinstance(subject.clock, Clock):
        subject.clock.offset += 23 * _HOUR
        now = int(subject.clock())
        token = access_token(iss=subject.issuer, iat=now, auth_time=now, exp=now + int(_HOUR))
    return {"outcome": (await subject.one(token))[0]}


async def withdrawal(subject: Subject, counts: Counts) -> Json:
    """Withdraw the key; the keys are an hour old, or older than this library lets them become."""
    await _warm(subject)
    subject.server.serve(key_set(jwk("rotated", NEW_KID)))
    if subject.expires_after:
        await asyncio.sleep(subject.expires_after + 0.1)
    if isinstance(subject.clock, Clock):
        subject.clock.offset += _HOUR + 1
        now = int(subject.clock())
        return {"outcome": (await subject.one(access_token(iss=subject.issuer, iat=now, exp=now + int(_HOUR))))[0]}
    return {"outcome": (await subject.one(subject.token))[0]}


async def cold_failure(subject: Subject, counts: Counts) -> Json:
    """Be down before any keys were loaded: calls over some seconds, then it is up again.

    Five of them run at the same time and end at different moments of a backoff; the worst counts.
    """
    subject.server.status = 503
    tasks = []
    for _ in range(counts.calls):
        tasks.append(asyncio.create_task(subject.one(subject.token)))
        await asyncio.sleep(counts.calls_seconds / counts.calls)
    await asyncio.gather(*tasks)
    requests = subject.server.count
    subject.server.status = 200
    begun = time.perf_counter()
    while time.perf_counter() - begun < counts.recovery:
        if (await subject.one(subject.token))[0] == "accepted":
            break
        await asyncio.sleep(0.01)
    return {"requests": requests, "back_after": round(time.perf_counter() - begun, 3)}


SCENARIOS: Final[tuple[Callable[[Subject, Counts], Awaitable[Json]], ...]] = (
    stampede,
    rotation,
    rotation_after_forgery,
    hanging,
    hanging_when_soft,
    outage,
    withdrawal,
)
EXPIRING: Final = {hanging_when_soft, outage, withdrawal}
# Whoever waits for a fetch does so in every run; whom the machine keeps waiting does not: the best of some runs counts.
REPEATED: Final[dict[object, int]] = {hanging: 3, hanging_when_soft: 3}


async def _warm(subject: Subject) -> None:
    outcome, _ = await subject.one(subject.token)
    assert outcome == "accepted", f"{subject.name}: {outcome}"


async def _rotate(subject: Subject) -> Json:
    before = subject.server.count
    subject.server.serve(key_set(jwk("rotated", NEW_KID), jwk("access", ACCESS_KID)))
    outcome, seconds = await subject.one(access_token(key="rotated", kid=NEW_KID, iss=subject.issuer))
    return {"outcome": outcome, "seconds": round(seconds, 4), "requests": subject.server.count - before}


async def _timed(subject: Subject, counts: Counts) -> float:
    """Return the seconds of a good token, infinite where it takes longer than our patience or is refused."""
    await asyncio.sleep(0.002)
    try:
        outcome, seconds = await asyncio.wait_for(
            asyncio.shield(asyncio.ensure_future(subject.one(subject.token))), counts.patience
        )
    except TimeoutError:
        return float("inf")
    return seconds if outcome == "accepted" else float("inf")


async def _until_blocked(subject: Subject, counts: Counts) -> list[float]:
    during: list[float] = []
    for _ in range(counts.known):
        during.append(await _timed(subject, counts))
        if during[-1] == float("inf"):
            break
    return during


def _latencies(usual: Sequence[float], during: Sequence[float]) -> Json:
    blocked = float("inf") in during
    slower = [seconds for seconds in during if seconds - median(usual) > 0.002]  # noqa: PLR2004 - the goal, 2 ms
    return {
        "usual_ms": round(median(usual) * 1e3, 3),
        "slowest_usual_ms": round(max(usual) * 1e3, 3),
        "during_ms": None if blocked else round(median(during) * 1e3, 3),
        "slowest_during_ms": None if blocked else round(max(during) * 1e3, 3),
        "slower_by_2_ms": None if blocked else len(slower),
        "of": len(during),
    }


def _later(found: Json) -> float:
    """Return how many calls came later than usual; of a scenario that does not ask, nothing."""
    later = found.get("slower_by_2_ms", 0)
    return later if isinstance(later, int) else float("inf")


def _accepted(outcomes: Sequence[tuple[str, float]]) -> int:
    return sum(outcome == "accepted" for outcome, _ in outcomes)


async def memory(subject: Subject, counts: Counts) -> Json:
    """Send tokens with random kids and with random issuers: what is left of them in memory, in KiB."""
    grown: Json = {}
    for kind, spoil in (("kid", random_kid), ("iss", random_issuer)):
        await _warm(subject)
        for _ in range(counts.tokens // 20):
            await subject.one(spoil(subject.token), direct=True)
        if isinstance(subject, NodeSubject):
            before = subject.heap()
            for _ in range(counts.tokens // 500):
                await subject.many([spoil(subject.token) for _ in range(500)])
            grown[kind] = round((subject.heap() - before) / 1024)
            continue
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(counts.tokens):
            await subject.one(spoil(subject.token), direct=True)
        gc.collect()
        grown[kind] = round((tracemalloc.get_traced_memory()[0] - before) / 1024)
        tracemalloc.stop()
    return grown


def measure(quick: bool) -> Json:  # noqa: FBT001 - the one switch of every benchmark
    """Run every scenario for everybody."""
    counts = QUICK if quick else Counts()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        npm = None if quick else stack.enter_context(node.libraries())
        certificate = write_certificate(folder)
        process = None if npm is None else stack.enter_context(node.Node(npm, authority=certificate))
        threads = stack.enter_context(ThreadPoolExecutor(counts.stampede))
        subjects = Subjects(threads, process, certificate)
        results = asyncio.run(_all(subjects, counts))
        more = {} if npm is None else {"Node.js": node.version(), **node.VERSIONS}
    return {"machine": machine((*peers.PACKAGES, "httpx"), **more), "scenarios": results}


async def _all(subjects: Subjects, counts: Counts) -> Json:
    results: Json = {}
    for scenario in SCENARIOS:
        of: Json = {}
        for name in subjects.names():
            runs = []
            for _ in range(REPEATED.get(scenario, 1)):
                async with subjects.fresh(name, expiring=scenario in EXPIRING) as subject:
                    runs.append(await scenario(subject, counts))
            of[name] = min(runs, key=_later)
        results[scenario.__name__] = of
        print(f"{scenario.__name__}: done", flush=True)

    async def worst(scenario: Callable[[Subject, Counts], Awaitable[Json]], name: str, later: Sequence[float]) -> Json:
        found = await asyncio.gather(*(alone(scenario, name, seconds) for seconds in later))
        return {what: max(one[what] for one in found) for what in found[0]}  # type: ignore[type-var]  # numbers

    async def alone(scenario: Callable[[Subject, Counts], Awaitable[Json]], name: str, later: float) -> Json:
        async with subjects.fresh(name) as subject:
            return await scenario(subject, replace(counts, calls_seconds=counts.calls_seconds + later))

    names = [name for name in subjects.names() if name != ENTERED]
    for scenario, later in ((flood, (0.0,)), (cold_failure, (0.0, 0.2, 0.4, 0.6, 0.8))):
        found = await asyncio.gather(*(worst(scenario, name, later) for name in names))
        results[scenario.__name__] = dict(zip(names, found, strict=True))
        print(f"{scenario.__name__}: done", flush=True)
    grown: Json = {}
    for name in names:
        async with subjects.fresh(name) as subject:
            grown[name] = await memory(subject, counts)
    results[memory.__name__] = grown
    return results


def blocks_of(result: Json) -> dict[str, str]:
    """Return the tables: our goals, and everybody."""
    scenarios = {name: mapping(of) for name, of in mapping(result["scenarios"]).items()}
    names = list(scenarios["stampede"])
    rows = [
        (what, *(_cell(scenarios[scenario].get(name, {}), text) for name in names))
        for what, scenario, text in (
            ("1,000 at once, no keys yet: fetches (tokens accepted)", "stampede", "{requests} ({accepted})"),
            ("300 unknown kids in 10 s: fetches", "flood", "{requests}"),
            ("... good tokens accepted meanwhile", "flood", "{good_accepted} of {of}"),
            ("first token of a new key, right after a fetch", "rotation", "{outcome}"),
            ("... and after one forged kid", "rotation_after_forgery", "{outcome}"),
            ("hanging endpoint, unknown kid being looked for: a known kid, usually", "hanging", "{usual_ms:.2f} ms"),
            ("... meanwhile, median", "hanging", "{during_ms:.2f} ms"),
            ("... meanwhile, slowest (usually)", "hanging", "{slowest_during_ms:.1f} ms ({slowest_usual_ms:.1f})"),
            (
                "hanging endpoint and a refresh is due: a known kid, slowest",
                "hanging_when_soft",
                "{slowest_during_ms:.1f} ms",
            ),
            ("... later than usual by 2 ms", "hanging_when_soft", "{slower_by_2_ms} of {of}"),
            ("endpoint down, keys 23 hours old: a good token", "outage", "{outcome}"),
            ("key withdrawn an hour ago: its token", "withdrawal", "{outcome}"),
            ("never any keys, endpoint down: requests for 50 calls in 10 s", "cold_failure", "{requests}"),
            ("... and up again: accepts after", "cold_failure", "{back_after:.2f} s"),
            ("20,000 random kids: memory grows by", "memory", "{kid} KiB"),
            ("20,000 random iss: memory grows by", "memory", "{iss} KiB"),
        )
    ]
    return {
        "keys-machine": machine_line(result),
        "keys-goals": table(("scenario", "goal", ASYNC, ENTERED, SYNC, "met"), _goals(scenarios)),
        "keys-everybody": table(("scenario", *names), rows),
    }


def pictures_of(result: Json) -> dict[str, str]:
    """Return none: the table says more."""
    assert result
    return {}


def _cell(found: Json, text: str) -> str:
    if not found:
        return ""
    if any(value is None for value in found.values()) and "usual_ms:.2f" not in text:
        return "**blocked**"
    return text.format(**found).replace("accepted", "**accepted**" if text == "{outcome}" else "accepted")


def _goals(scenarios: dict[str, dict[str, Json]]) -> list[tuple[str, ...]]:
    """Return a row for each goal of the design's section 5: what it is, the goal, both verifiers, and whether met."""
    rows = []
    for what, goal, scenario, text, member, most in (
        ("1,000 concurrent verifications on an empty cache", "1 fetch", "stampede", "{requests}", "requests", 1),
        ("300 tokens with random kids in 10 s", "at most 2 fetches", "flood", "{requests}", "requests", 2),
        ("rotation, right after a fetch", "accepted at once", "rotation", "{outcome}", "outcome", "accepted"),
        (
            "... and after one forged kid",
            "accepted at once",
            "rotation_after_forgery",
            "{outcome}",
            "outcome",
            "accepted",
        ),
        (
            "hanging endpoint: a known kid",
            "within 2 ms",
            "hanging",
            "{slower_by_2_ms} of {of} later",
            "slower_by_2_ms",
            0,
        ),
        (
            "... and keys of 20 minutes",
            "within 2 ms, but for one who refreshes",
            "hanging_when_soft",
            "{slower_by_2_ms} of {of} later",
            "others_later",
            0,
        ),
        ("endpoint down, keys 23 h old", "goes on", "outage", "{outcome}", "outcome", "accepted"),
        ("back after a cold failure", "within 1.1 s", "cold_failure", "{back_after:.2f} s", "back_after", 1.1),
        ("requests for 50 calls in 10 s", "at most 12", "cold_failure", "{requests}", "requests", 12),
        ("20,000 random kids: memory", "under 1 MiB", "memory", "{kid} KiB", "kid", 1023),
        ("20,000 random iss: memory", "under 1 MiB", "memory", "{iss} KiB", "iss", 1023),
    ):
        found = [scenarios[scenario].get(name, {}) for name in (ASYNC, ENTERED, SYNC)]
        met = all(_within(one.get(member), most) for one in found if one)
        rows.append((what, goal, *(_cell(one, text) for one in found), "yes" if met else "**no**"))
    return rows


def _within(value: object, most: object) -> bool:
    if isinstance(most, str):
        return value == most
    return isinstance(value, int | float) and isinstance(most, int | float) and value <= most


if __name__ == "__main__":
    run("keys", measure, blocks_of, pictures_of)
