"""May we use these keys, and may we fetch? Every decision about when keys are used, refreshed and given up.

Decides what to do about a token's `kid` at a moment, as pure functions of a state, a policy, a kid and a time. Decides
nothing about how a fetch is done or shared.

This module is on the verification path: it imports nothing that is slow to import.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cognito_oidc._frozen import Frozen, Record
from cognito_oidc.errors import ConfigurationError, shown_number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from cognito_oidc.protocol.jwks import KeySet, VerificationKey

    Action = Literal[
        "use",  # the key is good
        "use_and_refresh",  # the key is good; one caller refreshes, nobody waits
        "refresh_then_use",  # one caller waits a little for a refresh; the key serves either way
        "use_stale",  # the key is old, and no refresh may be tried now
        "fetch",  # there are no keys; everybody waits for the one fetch
        "look_up",  # the kid is unknown; everybody who wants it waits for the one fetch
        "unknown",  # the kid was looked for and is not there
        "not_now",  # the kid is unknown and may not be looked for now
        "unavailable",  # there are no keys and no fetch may be tried now
    ]
    """What to do about a kid."""

_NEVER: Final = float("-inf")
_ETAG: Final = r'(?:W/)?"[\x21\x23-\x7e]{0,256}"'
_GREATEST: Final = 10**12  # far more than anybody waits, and far less than what floats lose seconds at


class CachePolicy(Frozen):
    """When keys are used, refreshed and given up. All times in seconds.

    Attributes:
        soft_after: Age from which keys are refreshed while they are used; without Cache-Control, plus or minus
            `jitter`.
        soft_min: Least age that a Cache-Control max-age may set instead.
        soft_max: Greatest age that a Cache-Control max-age may set instead.
        jitter: Share of `soft_after` by which it varies, so that a fleet does not refresh at once.
        hard_after: Age from which one caller waits for a refresh.
        hard_wait: How long that caller waits at most, and who refreshes in the soft age without an `async with`; twice
            as long after each failure, up to the five seconds of any fetch, so that a slow endpoint is heard at last.
        dead_after: Age from which keys are not used any more.
        lookups: How many fetches for unknown kids may come at once.
        lookup_refill: Seconds after which one more is allowed.
        missing_kids: How many kids are remembered as looked for and not found.
        missing_for: How long they are.
        backoff_first: Wait after the first failed fetch, at most.
        backoff_max: Wait after many failed fetches, at most.
        backoff_cold: Wait from the second failure on while no keys were ever loaded, plus or minus 5 %.
    """

    __slots__ = (
        "backoff_cold",
        "backoff_first",
        "backoff_max",
        "dead_after",
        "hard_after",
        "hard_wait",
        "jitter",
        "lookup_refill",
        "lookups",
        "missing_for",
        "missing_kids",
        "soft_after",
        "soft_max",
        "soft_min",
    )

    soft_after: float
    soft_min: float
    soft_max: float
    jitter: float
    hard_after: float
    hard_wait: float
    dead_after: float
    lookups: int
    lookup_refill: float
    missing_kids: int
    missing_for: float
    backoff_first: float
    backoff_max: float
    backoff_cold: float

    def __init__(
        self,
        *,
        soft_after: float = 900.0,
        soft_min: float = 300.0,
        soft_max: float = 3600.0,
        jitter: float = 0.1,
        hard_after: float = 3600.0,
        hard_wait: float = 1.0,
        dead_after: float = 86400.0,
        lookups: int = 2,
        lookup_refill: float = 10.0,
        missing_kids: int = 256,
        missing_for: float = 10.0,
        backoff_first: float = 0.5,
        backoff_max: float = 15.0,
        backoff_cold: float = 1.0,
    ) -> None:
        """Keep the numbers.

        Raises:
            ConfigurationError: One is negative, endless or no number, or the ages are not in order.
        """
        self._set(
            soft_after=soft_after,
            soft_min=soft_min,
            soft_max=soft_max,
            jitter=jitter,
            hard_after=hard_after,
            hard_wait=hard_wait,
            dead_after=dead_after,
            lookups=lookups,
            lookup_refill=lookup_refill,
            missing_kids=missing_kids,
            missing_for=missing_for,
            backoff_first=backoff_first,
            backoff_max=backoff_max,
            backoff_cold=backoff_cold,
        )
        for name, value in self._fields().items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _GREATEST:
                msg = f"CachePolicy: {name} is {shown_number(value)}, expected a number from 0 to {_GREATEST}."
                raise ConfigurationError(msg)
        ages_fit = soft_after <= hard_after <= dead_after and soft_min <= soft_max
        if not ages_fit or dead_after == 0 or not 0 <= jitter < 1:
            msg = (
                "CachePolicy: expected soft_after <= hard_after <= dead_after, dead_after over 0, "
                "soft_min <= soft_max and jitter < 1."
            )
            raise ConfigurationError(msg)


class Instant(Record):
    """A moment on two clocks: `wall` in epoch seconds UTC, `monotonic` in seconds of a clock that is never set."""

    wall: float
    monotonic: float


class KeyCacheState(Record):
    """All that is known about the keys of one issuer. A new one replaces the old; nothing in it changes.

    Attributes:
        key_set: The keys of the last good fetch, or None while there was none.
        loaded_at: When that fetch was.
        body_at: When an answer last brought the keys themselves, and not only that nothing changed.
        soft_after: Age from which these keys are refreshed.
        etag: The ETag they came with, or None.
        failures: Fetches that failed since.
        next_attempt: Monotonic time before which no fetch is made, after failures.
        last_error: What the last failure said, or None.
        lookups: Fetches for unknown kids that are left, as of `lookups_at`.
        lookups_at: Monotonic time of that count.
        missing: Kids that were looked for and not found, each with the monotonic time until which that is believed.
    """

    key_set: KeySet | None = None
    loaded_at: Instant = Instant(_NEVER, _NEVER)
    body_at: Instant = Instant(_NEVER, _NEVER)
    soft_after: float = 0.0
    etag: str | None = None
    failures: int = 0
    next_attempt: float = _NEVER
    last_error: str | None = None
    lookups: float = 0.0
    lookups_at: float = _NEVER
    missing: Mapping[str, float] = MappingProxyType({})


class Decision(Record):
    """An action, the key where there is one, and the seconds to wait where waiting helps."""

    action: Action
    key: VerificationKey | None = None
    retry_after: float | None = None


def age_of(state: KeyCacheState, now: Instant) -> float:
    """Return the age of the keys in seconds, by the clock on which they are older; infinite without keys."""
    return max(now.wall - state.loaded_at.wall, now.monotonic - state.loaded_at.monotonic)


def decide(state: KeyCacheState, policy: CachePolicy, kid: str, now: Instant) -> Decision:
    """Return what to do about a token that names `kid`."""
    age = age_of(state, now)
    pause = max(0.0, state.next_attempt - now.monotonic)
    if state.key_set is None or age >= policy.dead_after:
        return Decision("unavailable", retry_after=pause) if pause else Decision("fetch")
    key = state.key_set.keys.get(kid)
    if key is None:
        return _decide_unknown(state, policy, kid, now, pause)
    if age < state.soft_after:
        return Decision("use", key)
    if age < policy.hard_after:
        return Decision("use" if pause else "use_and_refresh", key)
    return Decision("use_stale" if pause else "refresh_then_use", key)


def _decide_unknown(state: KeyCacheState, policy: CachePolicy, kid: str, now: Instant, pause: float) -> Decision:
    if state.missing.get(kid, _NEVER) > now.monotonic:
        return Decision("unknown")
    if pause:
        return Decision("not_now", retry_after=pause)
    left = lookups_left(state, policy, now)
    if left >= 1:
        return Decision("look_up")
    return Decision("not_now", retry_after=(1 - left) * policy.lookup_refill)


def lookups_left(state: KeyCacheState, policy: CachePolicy, now: Instant) -> float:
    """Return how many fetches for unknown kids are allowed now; a fraction is on its way to the next."""
    if state.lookups_at == _NEVER or policy.lookup_refill == 0:
        return policy.lookups
    return min(policy.lookups, state.lookups + (now.monotonic - state.lookups_at) / policy.lookup_refill)


def lookup_taken(state: KeyCacheState, policy: CachePolicy, now: Instant) -> KeyCacheState:
    """Return the state after a fetch for an unknown kid was begun."""
    return state.replaced(lookups=lookups_left(state, policy, now) - 1, lookups_at=now.monotonic)


def lookup_returned(state: KeyCacheState, policy: CachePolicy, now: Instant) -> KeyCacheState:
    """Return the state after that fetch failed: it does not count, the backoff does."""
    return state.replaced(lookups=min(policy.lookups, lookups_left(state, policy, now) + 1), lookups_at=now.monotonic)


def kid_missing(state: KeyCacheState, policy: CachePolicy, kid: str, now: Instant) -> KeyCacheState:
    """Return the state after a fetch did not bring `kid`; it is not looked for again for a while."""
    believed = {one: until for one, until in state.missing.items() if until > now.monotonic and one != kid}
    while believed and len(believed) >= policy.missing_kids:
        del believed[next(iter(believed))]
    if policy.missing_kids:
        believed[kid] = now.monotonic + policy.missing_for
    return state.replaced(missing=MappingProxyType(believed))


def keys_loaded(
    state: KeyCacheState,
    policy: CachePolicy,
    key_set: KeySet | None,
    *,
    now: Instant,
    max_age: float | None = None,
    etag: str | None = None,
    chance: float,
) -> KeyCacheState:
    """Return the state after a good answer. It replaces the set: a withdrawn key is gone.

    Args:
        state: The state before.
        policy: The policy.
        key_set: The keys; None where the server said that nothing changed.
        now: When the answer came.
        max_age: Seconds of Cache-Control max-age, where sent.
        etag: The ETag, where sent.
        chance: A random number from 0 to 1.
    """
    if max_age is None:
        soft_after = policy.soft_after * (1 + policy.jitter * (2 * chance - 1))
    else:
        soft_after = min(max(max_age, policy.soft_min), policy.soft_max)
    soft_after = min(soft_after, policy.hard_after)
    return state.replaced(
        key_set=state.key_set if key_set is None else key_set,
        loaded_at=now,
        soft_after=soft_after,
        body_at=state.body_at if key_set is None else now,
        etag=state.etag if key_set is None else _usable_etag(etag),
        failures=0,
        next_attempt=_NEVER,
        last_error=None,
    )


def may_revalidate(state: KeyCacheState, policy: CachePolicy, now: Instant) -> bool:
    """Tell whether the server may be asked only whether something changed.

    Not after a failure, and not once the keys themselves came longer ago than the hard age: a cache that answers 304
    for ever must not keep a withdrawn key alive for ever.
    """
    came = max(now.wall - state.body_at.wall, now.monotonic - state.body_at.monotonic)
    return state.key_set is not None and state.failures == 0 and came < policy.hard_after


def _usable_etag(etag: str | None) -> str | None:
    """Return an ETag that can be sent back; None for any other. Source: RFC 9110 section 8.8.3."""
    return etag if etag is not None and re.fullmatch(_ETAG, etag) else None


def fetch_failed(
    state: KeyCacheState, policy: CachePolicy, error: str, *, now: Instant, chance: float
) -> KeyCacheState:
    """Return the state after a failed fetch: the keys stay, and the next fetch has to wait.

    The wait doubles from `backoff_first` to `backoff_max`, with full jitter. While no keys were ever loaded it is short
    and even, since nothing works until they are.

    Args:
        state: The state before.
        policy: The policy.
        error: What went wrong, in words that hold nothing secret.
        now: When it failed.
        chance: A random number from 0 to 1.
    """
    failures = state.failures + 1
    if state.key_set is None and failures > 1:
        wait = policy.backoff_cold * (0.95 + 0.1 * chance)
    else:
        wait = min(policy.backoff_max, policy.backoff_first * 2.0 ** min(failures - 1, 32)) * chance
    return state.replaced(failures=failures, next_attempt=now.monotonic + wait, last_error=error)


def parse_max_age(cache_control: str) -> float | None:
    """Return the max-age of a Cache-Control header in seconds; None where there is none that can be read.

    Source: RFC 9111 section 5.2.2.1.
    """
    found = re.search(r"(?:^|[,\s])max-age\s*=\s*\"?([0-9]{1,9})(?![0-9])", cache_control, re.IGNORECASE)
    return float(found[1]) if found else None
