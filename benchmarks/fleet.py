"""Past one machine: a day of a fleet of workers against Cognito's published quotas, by simulation.

Nothing is sent. Workers, sessions and a token endpoint are a few numbers each, and a day passes event by event. What
decides is the library's own: when a token is stale (`token_freshness`), how long a failure keeps a worker from trying
again (the same), when keys are fetched (`key_cache`). `python -m benchmarks.fleet --help`.

The day: every worker calls an API about once a second. At 10:00 a rolling deploy replaces a tenth of the workers every
half minute; at 12:00 the token endpoint is down for ten minutes; at 15:00 all workers are restarted within five
seconds; and each worker restarts once, at a time of its own. Tokens live an hour.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Final, NamedTuple

from benchmarks.drawing import Bar, bars
from benchmarks.shared import ACCESS_KID, CLIENT_ID, POOL_ID, Json, key_set, mapping, run, table
from cognito_oidc import CachePolicy, StoredToken, TokenSet
from cognito_oidc.protocol import key_cache
from cognito_oidc.protocol.jwks import parse_key_set
from cognito_oidc.protocol.key_cache import Instant, KeyCacheState
from cognito_oidc.protocol.token_freshness import Freshness, early_window, failure_pause, freshness
from cognito_oidc.token_source import LOCK_PATIENCE

DAY: Final = 86_400.0
LIFETIME: Final = 3600.0  # Cognito's default
HOUR: Final = 3600.0
# Requests a second, for each account and Region. Source: AWS, "Quotas in Amazon Cognito", as of 2023.
CLIENT_CREDENTIALS: Final = 150.0
REFRESHES: Final = 120.0
# US dollars for 1,000 machine tokens, the first and dearest tier, before any free ones. Source: the line item
# CUPM2MTokenRequestsFull of AWS's price list, as of April 2025; `benchmarks.fleet` takes no price for granted.
DOLLARS_PER_1000: Final = 2.25

DEPLOY: Final = 10 * HOUR
OUTAGE: Final = (12 * HOUR, 12 * HOUR + 600)
RESTART: Final = 15 * HOUR
ROUND_TRIP: Final = 0.15  # seconds a token request takes
LONGEST_WAIT: Final = 1.0  # seconds between two looks at the lease of a store, at most
LOOK: Final = 0.003  # seconds for which it is held by who finds that another worker has done it
SESSIONS_PER_WORKER: Final = 10
PHASES: Final = tuple(part / 6 for part in range(6))
SIZES: Final = (10, 100, 1_000, 10_000)


class Endpoint:
    """A token or key endpoint: it grants what its quota allows, and nothing while it is down."""

    def __init__(self, quota: float) -> None:
        self._quota = quota
        self._left = quota
        self._at = 0.0
        self.per_second: dict[int, int] = {}
        self.granted = 0
        self.throttled = 0
        self.failed = 0

    def grants(self, now: float) -> bool:
        """Take one request."""
        second = int(now)
        self.per_second[second] = self.per_second.get(second, 0) + 1
        if OUTAGE[0] <= now < OUTAGE[1]:
            self.failed += 1
            return False
        self._left = min(self._quota, self._left + (now - self._at) * self._quota)
        self._at = now
        if self._left < 1:
            self.throttled += 1
            return False
        self._left -= 1
        self.granted += 1
        return True

    def counts(self) -> dict[str, object]:
        """Return what the tables show."""
        arrived = sum(self.per_second.values())
        return {
            "requests": arrived,
            "granted": self.granted,
            "throttled": self.throttled,
            "failed": self.failed,
            "per_second": round(arrived / DAY, 3),
            "burst": max(self.per_second.values(), default=0),
        }


@dataclass(slots=True)
class Unit:
    """Who needs a token: a worker with its machine token, or a session.

    Attributes:
        chance: What its jitter is drawn from, 0 to 1.
        record: What it holds.
        failures: How often in a row it could not get one.
        life: Which of its lives this is; events of a former one are nothing.
        without_since: Since when callers are refused for want of a token.
        gives_up_at: When it stops waiting for the lock of the store, while it waits.
    """

    chance: float
    record: StoredToken | None = None
    failures: int = 0
    life: int = 0
    without_since: float | None = None
    gives_up_at: float | None = None


class Event(NamedTuple):
    """A moment at which a unit is asked for its token, or starts anew."""

    at: float
    number: int
    unit: int
    life: int


@dataclass(kw_only=True)
class Fleet:
    """A day of a fleet.

    Attributes:
        size: How many units.
        shared: Whether they share a store.
        jitter: Whether chance is in play, where the library has it.
        quota: Token requests that are granted each second.
        asked_every: Seconds between two calls of a unit, on average.
        restarts: Whether units start anew: workers do, sessions in a shared store do not notice.
        phase: Which part of its life a shared token is over with as the day begins.
    """

    size: int
    shared: bool
    jitter: bool
    quota: float
    asked_every: float = 1.0
    restarts: bool = True
    phase: float = 0.25
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - the same day each time
    events: list[Event] = field(default_factory=list)
    without: float = 0.0
    last_recovery: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin in the middle of things: everybody has a token, of some time during the last hour."""
        self.endpoint = Endpoint(self.quota)
        self.units = [Unit(self._drawn()) for _ in range(self.size)]
        self.kept = _record(-self.phase * HOUR)
        self.locked_until = 0.0
        for index, unit in enumerate(self.units):
            unit.record = self.kept if self.shared else _record(-self.chance.uniform(0, HOUR))
            self._ask_when_stale(index, 0.0)
            if self.restarts:
                batch = 30.0 * (index * 10 // self.size)
                self._plan_start(index, DEPLOY + batch + self.chance.uniform(0, 2))
                self._plan_start(index, RESTART + self.chance.uniform(0, 5))
                self._plan_start(index, self.chance.uniform(0, DAY))

    def pass_day(self) -> Json:
        """Let the day pass, and return its figures."""
        while self.events and self.events[0].at < DAY:
            event = heapq.heappop(self.events)
            unit = self.units[event.unit]
            if event.life < 0:
                self.units[event.unit] = Unit(self._drawn(), life=unit.life + 1, without_since=unit.without_since)
                self._act(event.unit, event.at)
            elif event.life == unit.life:
                self._act(event.unit, event.at)
        return {
            **self.endpoint.counts(),
            "unit_seconds_without_token": round(self.without),
            "all_well_after": {name: round(seconds, 1) for name, seconds in self.last_recovery.items()},
        }

    def _act(self, index: int, now: float) -> None:
        """Do what a token source does when it is asked, or what it does next."""
        unit = self.units[index]
        locked = self.shared and now < self.locked_until
        waits = unit.gives_up_at is not None and locked and now < unit.gives_up_at
        if self.shared and not waits and self._state(unit, now) is not Freshness.FRESH:
            unit.record = self.kept  # read before it asks for the lock, under it, or when it gives up
        state = self._state(unit, now)
        if state is Freshness.FRESH:
            if self.shared and not locked and unit.gives_up_at is not None:
                self.locked_until = now + LOOK
            return self._well(index, now)
        if locked and state is Freshness.STALE:  # another worker is at it
            return self._ask(index, now + self._pause(unit, state))
        if locked:
            self._unwell(unit, now)
            if unit.gives_up_at is None:
                unit.gives_up_at = now + LOCK_PATIENCE
            if now < unit.gives_up_at:
                return self._plan(now + self.chance.uniform(0.5, 1) * LONGEST_WAIT, index, unit.life)
        elif self.shared:
            self.locked_until = now + ROUND_TRIP
        return self._request(index, state, now)

    def _request(self, index: int, state: Freshness, now: float) -> None:
        unit = self.units[index]
        unit.gives_up_at = None
        if self.endpoint.grants(now):
            unit.record = self.kept = _record(now)
            return self._well(index, now)
        unit.failures += 1
        if state is Freshness.EXPIRED:
            self._unwell(unit, now)
        return self._ask(index, now + self._pause(unit, state))

    def _state(self, unit: Unit, now: float) -> Freshness:
        if unit.record is None:
            return Freshness.EXPIRED
        return freshness(unit.record, now=now, chance=unit.chance)

    def _pause(self, unit: Unit, state: Freshness) -> float:
        return failure_pause(unit.failures, chance=unit.chance, without_token=state is Freshness.EXPIRED)

    def _well(self, index: int, now: float) -> None:
        unit = self.units[index]
        unit.failures, unit.gives_up_at = 0, None
        if unit.without_since is not None:
            self.without += now - unit.without_since
            unit.without_since = None
            for name, began in (("outage", OUTAGE[1]), ("restart", RESTART)):
                if 0 <= now - began < HOUR / 2:
                    self.last_recovery[name] = max(self.last_recovery.get(name, 0.0), now - began)
        self._ask_when_stale(index, now)

    @staticmethod
    def _unwell(unit: Unit, now: float) -> None:
        if unit.without_since is None:
            unit.without_since = now

    def _ask_when_stale(self, index: int, now: float) -> None:
        unit = self.units[index]
        assert unit.record is not None
        stale_at = unit.record.expires_at - early_window(unit.record.lifetime, unit.chance)
        self._ask(index, max(now, stale_at))

    def _ask(self, index: int, at: float) -> None:
        self._plan(at + self.chance.expovariate(1 / self.asked_every), index, self.units[index].life)

    def _plan_start(self, index: int, at: float) -> None:
        self._plan(at, index, -1)

    def _plan(self, at: float, index: int, life: int) -> None:
        heapq.heappush(self.events, Event(at, next(_numbers), index, life))

    def _drawn(self) -> float:
        return self.chance.random() if self.jitter else 0.0


_numbers: Final = count()


def _record(now: float) -> StoredToken:
    tokens = TokenSet(access_token="token", expires_at=now + LIFETIME)
    return StoredToken(tokens=tokens, obtained_at=now, pool_id=POOL_ID, client_id=CLIENT_ID, revision="r")


def key_requests(size: int, *, jitter: bool) -> Json:
    """Let the same day pass for the keys that every worker, as a resource server, fetches for itself."""
    chance = random.Random(7)  # noqa: S311 - the same day each time
    policy = CachePolicy() if jitter else CachePolicy(jitter=0.0)
    keys = parse_key_set(key_set())
    arrivals: dict[int, int] = {}
    for index in range(size):
        batch = 30.0 * (index * 10 // size)
        starts = [-chance.uniform(0, policy.soft_after), DEPLOY + batch + chance.uniform(0, 2)]
        starts += [RESTART + chance.uniform(0, 5), chance.uniform(0, DAY), DAY]
        for began, ends in pairwise(sorted(starts)):
            state, now = KeyCacheState(), began
            while now < ends:
                action = key_cache.decide(state, policy, ACCESS_KID, Instant(now, now)).action
                assert action in {"fetch", "use_and_refresh"}
                if now >= 0:
                    arrivals[int(now)] = arrivals.get(int(now), 0) + 1
                state = key_cache.keys_loaded(state, policy, keys, now=Instant(now, now), chance=chance.random())
                now += state.soft_after + chance.expovariate(1)
    total = sum(arrivals.values())
    return {"requests": total, "per_second": round(total / DAY, 3), "burst": max(arrivals.values(), default=0)}


def measure(quick: bool) -> Json:  # noqa: FBT001 - as every benchmark
    """Let the day pass for every size and way."""
    cases: dict[str, Json] = {}
    for size in SIZES[:2] if quick else SIZES:
        for jitter in (False, True):
            for shared in (False, True):
                # One shared token may or may not have to be renewed while the endpoint is down: of six days, the worst.
                days = [
                    Fleet(size=size, shared=shared, jitter=jitter, quota=CLIENT_CREDENTIALS, phase=phase).pass_day()
                    for phase in (PHASES if shared else PHASES[:1])
                ]
                worst = max(days, key=lambda day: _number(day["requests"]))
                cases[_name("machine", size, shared=shared, jitter=jitter)] = worst
            sessions = Fleet(
                size=size * SESSIONS_PER_WORKER,
                shared=False,  # each has an entry of its own in the store, so each is asked for by one worker at a time
                jitter=jitter,
                quota=REFRESHES,
                asked_every=10.0,
                restarts=False,
            )
            cases[_name("sessions", size, shared=True, jitter=jitter)] = sessions.pass_day()
            cases[_name("keys", size, shared=False, jitter=jitter)] = key_requests(size, jitter=jitter)
    return {"cases": cases}


def _name(what: str, size: int, *, shared: bool, jitter: bool) -> str:
    return f"{what}, {size}, {'shared' if shared else 'private'}, {'jitter' if jitter else 'no jitter'}"


def blocks_of(result: Json) -> dict[str, str]:
    """Return the tables."""
    cases = mapping(result["cases"])
    sizes = [size for size in SIZES if _name("keys", size, shared=False, jitter=True) in cases]
    ways = [(shared, jitter) for shared in (False, True) for jitter in (False, True)]
    tokens = [_token_row(cases, size, shared=shared, jitter=jitter) for size in sizes for shared, jitter in ways]
    sessions = [_session_row(cases, size, jitter=jitter) for size in sizes for jitter in (False, True)]
    keys = [_key_row(cases, size, jitter=jitter) for size in sizes for jitter in (False, True)]
    return {
        "fleet-machine-tokens": table(
            ["workers", "tokens", "jitter", "requests a day", "a second", "highest burst", "refused (429)",
             "all well after the outage", "after the restart", "billed tokens in 30 days", "dollars"],
            tokens,
        ),
        "fleet-sessions": table(
            ["workers", "sessions", "jitter", "requests a day", "a second", "highest burst", "refused (429)",
             "all well after the outage"],
            sessions,
        ),
        "fleet-keys": table(["workers", "jitter", "requests a day", "a second", "highest burst"], keys),
    }  # fmt: skip


def _token_row(cases: dict[str, Json], size: int, *, shared: bool, jitter: bool) -> list[object]:
    case = cases[_name("machine", size, shared=shared, jitter=jitter)]
    billed = _number(case["granted"]) * 30
    return [
        f"{size:,}",
        "shared" if shared else "private",
        "yes" if jitter else "no",
        *_figures(case),
        _seconds(case, "outage"),
        _seconds(case, "restart"),
        f"{billed:,.0f}",
        f"{billed / 1000 * DOLLARS_PER_1000:,.0f}",
    ]


def _session_row(cases: dict[str, Json], size: int, *, jitter: bool) -> list[object]:
    case = cases[_name("sessions", size, shared=True, jitter=jitter)]
    sessions = f"{size * SESSIONS_PER_WORKER:,}"
    return [f"{size:,}", sessions, "yes" if jitter else "no", *_figures(case), _seconds(case, "outage")]


def _key_row(cases: dict[str, Json], size: int, *, jitter: bool) -> list[object]:
    case = cases[_name("keys", size, shared=False, jitter=jitter)]
    return [f"{size:,}", "yes" if jitter else "no", *_figures(case)[:3]]


def _figures(case: Json) -> list[str]:
    figures = [f"{_number(case['requests']):,.0f}", f"{_number(case['per_second']):.2f}"]
    return [*figures, f"{_number(case['burst']):,.0f}", f"{_number(case.get('throttled', 0)):,.0f}"]


def _seconds(case: Json, name: str) -> str:
    after = case["all_well_after"]
    assert isinstance(after, dict)
    return f"{after[name]:,.0f} s" if name in after else "at once"


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return value


def pictures_of(result: Json) -> dict[str, str]:
    """Return the picture: the requests of the largest fleet that was looked at."""
    cases = mapping(result["cases"])
    size = max(size for size in SIZES if _name("keys", size, shared=False, jitter=True) in cases)
    rows = [
        _bar(cases, size, "own tokens, no jitter", shared=False, jitter=False),
        _bar(cases, size, "own tokens, jitter", shared=False, jitter=True),
        _bar(cases, size, "shared store, no jitter", shared=True, jitter=False),
        _bar(cases, size, "shared store, jitter", shared=True, jitter=True),
    ]
    title = f"Token requests in a day: {size:,} workers with a machine token"
    subtitle = (
        "With two deploys and an outage of ten minutes, in which nearly all of the shared store's are. Simulated."
    )
    return {"fleet": bars(title, subtitle, rows, axis="thousand requests a day")}


def _bar(cases: dict[str, Json], size: int, label: str, *, shared: bool, jitter: bool) -> Bar:
    case = cases[_name("machine", size, shared=shared, jitter=jitter)]
    requests, granted = _number(case["requests"]), _number(case["granted"])
    return Bar(label, requests / 1000, f"{granted:,.0f} granted", "ours" if shared and jitter else "peer")


if __name__ == "__main__":
    run("fleet", measure, blocks_of, pictures_of)
