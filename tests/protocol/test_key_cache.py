"""When keys are used, fetched and given up: tables over time, and simulations of the pure decisions."""

from __future__ import annotations

from itertools import accumulate, cycle
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.errors import ConfigurationError
from cognito_oidc.protocol.jwks import KeySet, parse_key_set
from cognito_oidc.protocol.key_cache import (
    CachePolicy,
    Decision,
    Instant,
    KeyCacheState,
    age_of,
    decide,
    fetch_failed,
    keys_loaded,
    kid_missing,
    lookup_returned,
    lookup_taken,
    lookups_left,
    may_revalidate,
    parse_max_age,
)
from tests.factories import jwk, rsa_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cognito_oidc.protocol.key_cache import Action

POLICY = CachePolicy()
KEYS = parse_key_set({"keys": [jwk(rsa_key("access"), "known")]})
ROTATED = parse_key_set({"keys": [jwk(rsa_key("other"), "new"), jwk(rsa_key("access"), "known")]})
KEY = KEYS.keys["known"]
NEW = ROTATED.keys["new"]
MINUTE, HOUR = 60.0, 3600.0
EPOCH = 1_800_000_000.0


def at(seconds: float, *, jump: float = 0.0) -> Instant:
    """Return the moment so many seconds after the keys were loaded; `jump` is how far the wall clock was set since."""
    return Instant(EPOCH + seconds + jump, 1000.0 + seconds)


def loaded(key_set: KeySet = KEYS, *, when: Instant | None = None) -> KeyCacheState:
    """Return the state after a good fetch, with the middle of the jitter: the soft age is exactly 15 minutes."""
    return keys_loaded(KeyCacheState(), POLICY, key_set, now=when or at(0), chance=0.5)


def failed(state: KeyCacheState, seconds: float, *, chance: float = 1.0) -> KeyCacheState:
    """Return the state after a fetch failed at that moment."""
    return fetch_failed(state, POLICY, "connection refused", now=at(seconds), chance=chance)


@pytest.mark.parametrize(
    ("age", "action"),
    [
        pytest.param(0, "use", id="at-once"),
        pytest.param(15 * MINUTE - 0.001, "use", id="last-fresh-moment"),
        pytest.param(15 * MINUTE, "use_and_refresh", id="first-soft-moment"),
        pytest.param(HOUR - 0.001, "use_and_refresh", id="last-soft-moment"),
        pytest.param(HOUR, "refresh_then_use", id="first-hard-moment"),
        pytest.param(24 * HOUR - 0.001, "refresh_then_use", id="last-hard-moment"),
    ],
)
def test_a_known_kid_without_failures(age: float, action: Action) -> None:
    """While the keys live a known kid has its key; the age says who refreshes, and whether anybody waits."""
    assert decide(loaded(), POLICY, "known", at(age)) == Decision(action, KEY)


@pytest.mark.parametrize("kid", ["known", "unknown"])
@pytest.mark.parametrize("age", [pytest.param(24 * HOUR, id="24-h"), pytest.param(1000 * HOUR, id="six-weeks")])
def test_dead_keys_are_not_used(kid: str, age: float) -> None:
    """From 24 h on the old keys verify nothing, and everybody waits for the one fetch."""
    assert decide(loaded(), POLICY, kid, at(age)) == Decision("fetch")


@pytest.mark.parametrize(
    ("age", "action"),
    [
        pytest.param(0, "use", id="fresh"),
        pytest.param(15 * MINUTE, "use", id="soft"),
        pytest.param(HOUR - 1, "use", id="last-soft-second"),
        pytest.param(HOUR, "use_stale", id="hard"),
        pytest.param(24 * HOUR - 1, "use_stale", id="last-hard-second"),
    ],
)
def test_a_known_kid_while_a_backoff_runs(age: float, action: Action) -> None:
    """While a backoff runs nobody refreshes and nobody waits; keys past the hard age are said to be stale."""
    assert decide(failed(loaded(), age), POLICY, "known", at(age)) == Decision(action, KEY)


@pytest.mark.parametrize(
    ("age", "action"),
    [
        pytest.param(15 * MINUTE, "use_and_refresh", id="soft"),
        pytest.param(HOUR, "refresh_then_use", id="hard"),
    ],
)
def test_a_known_kid_after_a_backoff(age: float, action: Action) -> None:
    """As soon as the backoff is over (0.5 s after the first failure) the next caller tries again."""
    assert decide(failed(loaded(), age), POLICY, "known", at(age + 0.5)) == Decision(action, KEY)


@pytest.mark.parametrize("kid", ["known", "unknown"])
@pytest.mark.parametrize(
    "state",
    [
        pytest.param(failed(KeyCacheState(), 24 * HOUR), id="never-loaded"),
        pytest.param(failed(loaded(), 24 * HOUR), id="dead"),
    ],
)
def test_without_keys_a_backoff_says_when_to_come_again(kid: str, state: KeyCacheState) -> None:
    """Nothing can be said about a token then, and the caller learns how long."""
    decision = decide(state, POLICY, kid, at(24 * HOUR + 0.2))
    assert (decision.action, decision.key) == ("unavailable", None)
    assert decision.retry_after == pytest.approx(0.3)


def test_without_keys_everybody_waits_for_the_one_fetch() -> None:
    """An empty cache is filled, whatever kid is asked for."""
    assert decide(KeyCacheState(), POLICY, "known", at(0)) == Decision("fetch")


@pytest.mark.parametrize("age", [pytest.param(0, id="fresh"), pytest.param(HOUR, id="hard")])
def test_an_unknown_kid_is_looked_up_at_once(age: float) -> None:
    """Even right after a fetch: the key may have been published in this very moment."""
    assert decide(loaded(), POLICY, "new", at(age)) == Decision("look_up")


@pytest.mark.parametrize(
    ("age_and_failures", "actual"),
    [
        pytest.param((0.0, 0.0), 0.0, id="at-once"),
        pytest.param((3600.0, 0.0), 3600.0, id="both-clocks-agree"),
        pytest.param((3600.0, 86_400.0), 90_000.0, id="wall-clock-set-forward"),
        pytest.param((3600.0, -86_400.0), 3600.0, id="wall-clock-set-back"),
        pytest.param((0.0, -1.0), 0.0, id="wall-clock-before-the-fetch"),
    ],
)
def test_keys_are_as_old_as_the_clock_on_which_they_are_older(
    age_and_failures: tuple[float, float], actual: float
) -> None:
    """A machine that slept has a monotonic clock that stood still, and a wall clock may be set back."""
    age, jump = age_and_failures
    assert age_of(loaded(), at(age, jump=jump)) == actual


def test_a_cache_without_keys_is_infinitely_old() -> None:
    """Nothing is never fresh."""
    assert age_of(KeyCacheState(), at(0)) == float("inf")


@pytest.mark.parametrize(
    ("jump", "action"),
    [
        pytest.param(25 * HOUR, "fetch", id="forward-over-a-day"),
        pytest.param(30 * MINUTE, "use_and_refresh", id="forward-a-little"),
        pytest.param(-1000 * HOUR, "use", id="back"),
    ],
)
def test_a_wall_clock_that_is_set_never_makes_keys_younger(jump: float, action: Action) -> None:
    """Ten minutes after the fetch the keys are fresh, unless the wall clock says that they are older."""
    assert decide(loaded(), POLICY, "known", at(10 * MINUTE, jump=jump)).action is action


def test_a_wall_clock_set_back_does_not_prolong_the_life_of_keys() -> None:
    """By the monotonic clock the keys are dead after 24 h, whatever the wall clock says."""
    assert decide(loaded(), POLICY, "known", at(24 * HOUR, jump=-24 * HOUR)).action == "fetch"


# --- unknown kids: the bucket and the negative cache ------------------------------------------------------------------


def looked_up(state: KeyCacheState, *seconds: float) -> KeyCacheState:
    """Return the state after lookups were begun at these moments."""
    for second in seconds:
        state = lookup_taken(state, POLICY, at(second))
    return state


@pytest.mark.parametrize(
    ("taken_at", "now", "left"),
    [
        pytest.param((), 0, 2, id="full-at-first"),
        pytest.param((0,), 0, 1, id="one-taken"),
        pytest.param((0, 0), 0, 0, id="both-taken"),
        pytest.param((0, 0), 5, 0.5, id="half-of-one-came-back"),
        pytest.param((0, 0), 10, 1, id="one-came-back"),
        pytest.param((0, 0), 20, 2, id="both-came-back"),
        pytest.param((0, 0), 1000, 2, id="never-more-than-two"),
        pytest.param((0, 5), 5, 0.5, id="refilled-while-taken"),
        pytest.param((0, 0, 10), 10, 0, id="the-third-after-ten-seconds"),
    ],
)
def test_the_bucket_holds_two_and_gets_one_every_ten_seconds(
    taken_at: tuple[float, ...], now: float, left: float
) -> None:
    """Two lookups may come at once, then one every ten seconds."""
    assert lookups_left(looked_up(loaded(), *taken_at), POLICY, at(now)) == pytest.approx(left)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(0, Decision("not_now", retry_after=10.0), id="at-once"),
        pytest.param(4, Decision("not_now", retry_after=6.0), id="after-four-seconds"),
        pytest.param(10, Decision("look_up"), id="after-ten-seconds"),
    ],
)
def test_with_an_empty_bucket_nobody_queues(now: float, expected: Decision) -> None:
    """Without a lookup left the answer comes at once, and says when to come again."""
    assert decide(looked_up(loaded(), 0, 0), POLICY, "new", at(now)) == expected


def test_an_empty_bucket_does_not_touch_known_kids() -> None:
    """A flood of forged kids never delays a token whose key is there."""
    assert decide(looked_up(loaded(), 0, 0), POLICY, "known", at(0)) == Decision("use", KEY)


@pytest.mark.parametrize(
    ("now", "action"),
    [
        pytest.param(0, "unknown", id="at-once"),
        pytest.param(9.999, "unknown", id="until-ten-seconds"),
        pytest.param(10, "look_up", id="after-ten-seconds"),
    ],
)
def test_a_kid_that_was_looked_for_is_known_to_be_missing(now: float, action: Action) -> None:
    """For ten seconds the answer for that kid is given at once, and then it is looked for again."""
    assert decide(kid_missing(loaded(), POLICY, "forged", at(0)), POLICY, "forged", at(now)) == Decision(action)


def test_a_missing_kid_says_nothing_about_others() -> None:
    """Another unknown kid is looked for."""
    assert decide(kid_missing(loaded(), POLICY, "forged", at(0)), POLICY, "new", at(0)).action == "look_up"


def test_a_missing_kid_that_appears_is_used() -> None:
    """What was missing a moment ago is used as soon as a fetch for anybody brings it."""
    state = keys_loaded(kid_missing(loaded(), POLICY, "new", at(0)), POLICY, ROTATED, now=at(1), chance=0.5)
    assert decide(state, POLICY, "new", at(1)) == Decision("use", NEW)


def test_a_missing_kid_is_answered_even_while_a_backoff_runs() -> None:
    """That it was looked for is still true: 401, not 503."""
    state = failed(kid_missing(loaded(), POLICY, "forged", at(0)), 0)
    assert decide(state, POLICY, "forged", at(0.1)).action == "unknown"


def test_an_unknown_kid_waits_for_the_backoff() -> None:
    """While a backoff runs nobody fetches; the caller learns when it ends."""
    decision = decide(failed(loaded(), 0), POLICY, "new", at(0.1))
    assert (decision.action, decision.key) == ("not_now", None)
    assert decision.retry_after == pytest.approx(0.4)


def remembered(count: int, policy: CachePolicy = POLICY) -> KeyCacheState:
    """Return the state after so many kids were looked for in vain, a millisecond after each other."""
    state = loaded()
    for number in range(count):
        state = kid_missing(state, policy, f"forged-{number}", at(number / 1000))
    return state


def test_256_missing_kids_are_remembered() -> None:
    """All of them, from the first to the last."""
    assert list(remembered(256).missing) == [f"forged-{number}" for number in range(256)]


def test_the_257th_missing_kid_replaces_the_oldest() -> None:
    """No map is keyed by unverified data without a bound."""
    assert list(remembered(257).missing) == [f"forged-{number}" for number in range(1, 257)]


def test_a_kid_that_is_missing_again_counts_once() -> None:
    """It is believed anew for ten seconds, and is the youngest now."""
    state = kid_missing(remembered(3), POLICY, "forged-0", at(5))
    assert dict(state.missing) == {"forged-1": 1010.001, "forged-2": 1010.002, "forged-0": 1015.0}


def test_missing_kids_are_forgotten_when_their_time_is_over() -> None:
    """What is believed no longer takes no place."""
    assert list(kid_missing(remembered(256), POLICY, "late", at(10.2)).missing) == [
        *(f"forged-{number}" for number in range(201, 256)),
        "late",
    ]


def test_no_missing_kid_is_remembered_where_none_may_be() -> None:
    """A policy may do without the negative cache."""
    assert not remembered(2, CachePolicy(missing_kids=0)).missing


def test_the_missing_kids_cannot_be_changed() -> None:
    """A state is a value."""
    assert isinstance(remembered(1).missing, MappingProxyType)


def test_a_failed_lookup_does_not_count() -> None:
    """Its place in the bucket is given back; the backoff bounds what follows."""
    state = looked_up(loaded(), 0, 0)
    assert lookups_left(lookup_returned(state, POLICY, at(0)), POLICY, at(0)) == 1


def test_no_more_lookups_are_given_back_than_there_may_be() -> None:
    """A bucket that was refilled meanwhile stays at two."""
    state = looked_up(loaded(), 0)
    assert lookups_left(lookup_returned(state, POLICY, at(30)), POLICY, at(30)) == 2


def test_without_a_refill_time_lookups_are_not_bounded() -> None:
    """A refill of 0 seconds means that the next one is there at once."""
    policy = CachePolicy(lookup_refill=0)
    assert lookups_left(lookup_taken(loaded(), policy, at(0)), policy, at(0)) == 2


# --- what a good answer does ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chance", "soft_after"),
    [
        pytest.param(0.0, 810.0, id="10-percent-less"),
        pytest.param(0.5, 900.0, id="the-middle"),
        pytest.param(1.0, 990.0, id="10-percent-more"),
    ],
)
def test_the_soft_age_has_a_jitter(chance: float, soft_after: float) -> None:
    """15 minutes plus or minus 10 percent, so that a fleet does not refresh at once."""
    state = keys_loaded(KeyCacheState(), POLICY, KEYS, now=at(0), chance=chance)
    assert state.soft_after == pytest.approx(soft_after)


@pytest.mark.parametrize(
    ("max_age", "soft_after"),
    [
        pytest.param(0, 300, id="0"),
        pytest.param(299, 300, id="under-5-minutes"),
        pytest.param(300, 300, id="5-minutes"),
        pytest.param(1200, 1200, id="between"),
        pytest.param(3600, 3600, id="60-minutes"),
        pytest.param(999_999_999, 3600, id="over-60-minutes"),
    ],
)
@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_cache_control_moves_the_soft_age_within_5_to_60_minutes(
    max_age: float, soft_after: float, chance: float
) -> None:
    """What the server says counts, within bounds and without a jitter."""
    state = keys_loaded(KeyCacheState(), POLICY, KEYS, now=at(0), max_age=max_age, chance=chance)
    assert state.soft_after == soft_after


@pytest.mark.parametrize(
    ("max_age", "chance"),
    [pytest.param(3600, 0.5, id="by-cache-control"), pytest.param(None, 1.0, id="by-jitter")],
)
def test_the_soft_age_never_passes_the_hard_age(max_age: float | None, chance: float) -> None:
    """Keys past the hard age of the policy are refreshed, whatever the server or chance says."""
    policy = CachePolicy(soft_after=600, hard_after=600, dead_after=1200)
    state = keys_loaded(KeyCacheState(), policy, KEYS, now=at(0), max_age=max_age, chance=chance)
    assert decide(state, policy, "known", at(600)).action == "refresh_then_use"


def test_a_good_answer_replaces_the_set() -> None:
    """A withdrawn key is gone at once."""
    state = keys_loaded(loaded(ROTATED), POLICY, KEYS, now=at(1), chance=0.5)
    assert decide(state, POLICY, "new", at(1)).key is None


def test_a_good_answer_ends_a_backoff() -> None:
    """Failures are forgotten."""
    state = keys_loaded(failed(failed(loaded(), 0), 1), POLICY, KEYS, now=at(2), chance=0.5)
    assert (state.failures, state.next_attempt, state.last_error) == (0, float("-inf"), None)


def test_an_unchanged_set_is_young_again() -> None:
    """The answer that nothing changed is as good as the keys."""
    state = keys_loaded(loaded(), POLICY, None, now=at(HOUR), chance=0.5)
    assert decide(state, POLICY, "known", at(HOUR + 1)) == Decision("use", KEY)


@pytest.mark.parametrize(
    ("key_set", "etag", "kept"),
    [
        pytest.param(KEYS, '"new"', '"new"', id="another-one-with-the-keys"),
        pytest.param(KEYS, 'W/"new"', 'W/"new"', id="a-weak-one"),
        pytest.param(KEYS, None, None, id="none-with-the-keys"),
        pytest.param(KEYS, "*", None, id="the-one-that-fits-everything"),
        pytest.param(KEYS, "new", None, id="without-quotes"),
        pytest.param(KEYS, '"é"', None, id="that-cannot-be-sent"),
        pytest.param(KEYS, f'"{"x" * 257}"', None, id="too-long-to-send"),
        pytest.param(None, '"new"', '"old"', id="another-one-of-an-unchanged-set"),
        pytest.param(None, None, '"old"', id="none-of-an-unchanged-set"),
    ],
)
def test_the_etag_is_that_of_the_keys(key_set: KeySet | None, etag: str | None, kept: str | None) -> None:
    """An ETag belongs to the keys it came with; an answer without keys brings none, whatever it says."""
    state = loaded().replaced(etag='"old"')
    assert keys_loaded(state, POLICY, key_set, now=at(1), etag=etag, chance=0.5).etag == kept


@pytest.mark.parametrize(
    ("state", "seconds", "expected"),
    [
        pytest.param(loaded(), 0, True, id="young"),
        pytest.param(loaded(), HOUR - 1, True, id="nearly-an-hour"),
        pytest.param(loaded(), HOUR, False, id="an-hour-without-the-keys-themselves"),
        pytest.param(loaded().replaced(failures=1), 0, False, id="after-a-failure"),
        pytest.param(KeyCacheState(), 0, False, id="without-keys"),
    ],
)
def test_the_server_is_asked_whether_something_changed(state: KeyCacheState, seconds: float, expected: bool) -> None:
    """But not for ever: a cache that answers 304 for ever must not keep a withdrawn key alive."""
    assert may_revalidate(state, POLICY, at(seconds)) is expected


def test_an_unchanged_set_does_not_count_as_the_keys_themselves() -> None:
    """The hour begins with the last answer that brought keys."""
    state = keys_loaded(loaded(), POLICY, None, now=at(HOUR - 1), chance=0.5)
    assert not may_revalidate(state, POLICY, at(HOUR))


def test_a_good_answer_does_not_refill_the_bucket() -> None:
    """Else each lookup would pay for the next, and a flood would not be bounded."""
    state = keys_loaded(looked_up(loaded(), 0, 0), POLICY, KEYS, now=at(0), chance=0.5)
    assert lookups_left(state, POLICY, at(0)) == 0


# --- what a failure does ----------------------------------------------------------------------------------------------


def waits(state: KeyCacheState, failures: int, chance: float) -> list[float]:
    """Return how long each of so many failures, an hour after each other, makes everybody wait."""
    states = accumulate(range(failures), lambda before, hour: failed(before, hour * HOUR, chance=chance), initial=state)
    return [one.next_attempt - at(hour * HOUR).monotonic for hour, one in enumerate(list(states)[1:])]


def test_a_failure_keeps_the_keys() -> None:
    """A failed fetch never drops good keys, nor makes them younger."""
    before, after = loaded(), failed(loaded(), 5)
    assert (after.key_set, after.loaded_at, after.soft_after) == (before.key_set, before.loaded_at, before.soft_after)


def test_a_failure_is_remembered() -> None:
    """How many there were, and what the last one said."""
    state = failed(failed(loaded(), 0), 1)
    assert (state.failures, state.last_error) == (2, "connection refused")


@pytest.mark.parametrize(
    ("chance", "expected"),
    [
        pytest.param(1.0, [0.5, 1, 2, 4, 8, 15, 15, 15], id="at-most"),
        pytest.param(0.5, [0.25, 0.5, 1, 2, 4, 7.5, 7.5, 7.5], id="on-average"),
        pytest.param(0.0, [0, 0, 0, 0, 0, 0, 0, 0], id="at-least"),
    ],
)
def test_the_backoff_doubles_from_half_a_second_to_15(chance: float, expected: list[float]) -> None:
    """With full jitter, while there are keys to go on with."""
    assert waits(loaded(), 8, chance) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("chance", "expected"),
    [
        pytest.param(1.0, [0.5, 1.05, 1.05, 1.05, 1.05], id="at-most"),
        pytest.param(0.5, [0.25, 1.0, 1.0, 1.0, 1.0], id="on-average"),
        pytest.param(0.0, [0, 0.95, 0.95, 0.95, 0.95], id="at-least"),
    ],
)
def test_the_backoff_is_short_and_even_while_no_keys_were_ever_loaded(chance: float, expected: list[float]) -> None:
    """From the second failure on 0.95 to 1.05 s: nothing works until the keys are there."""
    assert waits(KeyCacheState(), 5, chance) == pytest.approx(expected)


def test_ten_thousand_failures_overflow_nothing() -> None:
    """An endpoint that is down for years is no arithmetic error."""
    assert waits(loaded().replaced(failures=10_000), 1, 1.0) == pytest.approx([15])


# --- Cache-Control ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "max_age"),
    [
        pytest.param("max-age=300", 300.0, id="alone"),
        pytest.param("public, max-age=86400, must-revalidate", 86_400.0, id="among-others"),
        pytest.param("public,max-age=86400", 86_400.0, id="without-a-space"),
        pytest.param("MAX-AGE=60", 60.0, id="upper-case"),
        pytest.param('max-age="60"', 60.0, id="quoted"),
        pytest.param("max-age=0", 0.0, id="zero"),
        pytest.param("max-age=999999999", 999_999_999.0, id="nine-digits"),
        pytest.param("max-age = 5", 5.0, id="spaces"),
        pytest.param("", None, id="empty"),
        pytest.param("no-store", None, id="another-directive"),
        pytest.param("s-maxage=300", None, id="shared-caches"),
        pytest.param("x-max-age=300", None, id="a-longer-name"),
        pytest.param("max-age", None, id="no-value"),
        pytest.param("max-age=", None, id="empty-value"),
        pytest.param("max-age=-1", None, id="negative"),
        pytest.param("max-age=abc", None, id="no-number"),
        pytest.param("max-age=" + "9" * 5000, None, id="5000-digits"),
        pytest.param("max-age=٣", None, id="digits-of-another-script"),
    ],
)
def test_the_max_age_of_cache_control(header: str, max_age: float | None) -> None:
    """A number of at most nine digits is read; anything else is as if it were not there (RFC 9111 section 5.2.2.1)."""
    assert parse_max_age(header) == max_age


@given(st.text() | st.text('max-age=, \t"0123456789', max_size=30))
def test_any_cache_control_gives_a_number_or_none(header: str) -> None:
    """No header raises anything."""
    assert parse_max_age(header) is None or 0 <= (parse_max_age(header) or 0) < 10**9


# --- the policy -------------------------------------------------------------------------------------------------------

NUMBERS = sorted(CachePolicy.__slots__)


def test_the_policy_has_the_documented_numbers() -> None:
    """The numbers of the design's section 4."""
    assert {name: getattr(POLICY, name) for name in NUMBERS} == {
        "soft_after": 900,
        "soft_min": 300,
        "soft_max": 3600,
        "jitter": 0.1,
        "hard_after": 3600,
        "hard_wait": 1,
        "dead_after": 86_400,
        "lookups": 2,
        "lookup_refill": 10,
        "missing_kids": 256,
        "missing_for": 10,
        "backoff_first": 0.5,
        "backoff_max": 15,
        "backoff_cold": 1,
    }


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(-1, id="negative"),
        pytest.param(float("nan"), id="nan"),
        pytest.param(float("inf"), id="infinite"),
        pytest.param(10**400, id="endless"),
        pytest.param(True, id="boolean"),
        pytest.param("900", id="string"),
        pytest.param(None, id="none"),
    ],
)
def test_a_policy_holds_numbers_of_zero_or_more(name: str, value: object) -> None:
    """What is no such number is a ConfigurationError that names it."""
    with pytest.raises(ConfigurationError, match=name):
        CachePolicy(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param({"soft_after": 3601}, id="soft-after-hard"),
        pytest.param({"hard_after": 86_401}, id="hard-after-dead"),
        pytest.param({"soft_min": 3601}, id="least-over-greatest"),
        pytest.param({"jitter": 1}, id="jitter-of-everything"),
    ],
)
def test_the_ages_of_a_policy_are_in_order(numbers: dict[str, float]) -> None:
    """Ages that contradict each other are refused."""
    with pytest.raises(ConfigurationError, match="expected soft_after <= hard_after"):
        CachePolicy(**numbers)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param({"soft_after": 0, "hard_after": 0, "dead_after": 1e-9}, id="nothing-is-kept"),
        pytest.param({"soft_after": 3600, "hard_after": 3600}, id="no-soft-age"),
        pytest.param({"jitter": 0}, id="no-jitter"),
        pytest.param({"lookups": 0}, id="no-lookups"),
    ],
)
def test_a_policy_may_be_extreme(numbers: dict[str, float]) -> None:
    """Numbers that only look odd are the caller's choice."""
    assert all(getattr(CachePolicy(**numbers), name) == value for name, value in numbers.items())  # type: ignore[arg-type]


def test_a_policy_without_lookups_never_looks_up() -> None:
    """A caller may do without lookups: keys come with refreshes alone."""
    assert decide(loaded(), CachePolicy(lookups=0), "new", at(0)).action == "not_now"


# --- simulations: the pure functions, driven as a shell drives them ---------------------------------------------------


class Simulation:
    """A shell without threads: asks, fetches when told to, and counts."""

    def __init__(
        self, state: KeyCacheState, endpoint: Callable[[float], KeySet | None], chances: Iterable[float]
    ) -> None:
        self.state = state
        self.endpoint = endpoint
        self.chances = cycle(chances)
        self.fetches = 0

    def ask(self, kid: str, seconds: float) -> Decision:
        """Return what becomes of a token that names `kid` at that moment; fetches take no time."""
        decision = decide(self.state, POLICY, kid, at(seconds))
        if decision.action not in {"fetch", "look_up"}:
            return decision
        lookup = decision.action == "look_up"
        if lookup:
            self.state = lookup_taken(self.state, POLICY, at(seconds))
        self.fetches += 1
        key_set, chance = self.endpoint(seconds), next(self.chances)
        if key_set is None:
            state = fetch_failed(self.state, POLICY, "down", now=at(seconds), chance=chance)
            self.state = lookup_returned(state, POLICY, at(seconds)) if lookup else state
        else:
            self.state = keys_loaded(self.state, POLICY, key_set, now=at(seconds), chance=chance)
            if kid not in key_set.keys:
                self.state = kid_missing(self.state, POLICY, kid, at(seconds))
        return decide(self.state, POLICY, kid, at(seconds))


CHANCES = st.lists(st.floats(0, 1), min_size=1, max_size=5)


def moments(count: int, *, of: int) -> st.SearchStrategy[list[float]]:
    """Return the seconds at which `count` calls come within ten seconds, in bunches at `of` moments."""
    bunch = count // of
    milliseconds = st.lists(st.integers(0, 9_999), min_size=of, max_size=of)
    return milliseconds.map(lambda numbers: [number / 1000 for number in sorted(numbers * bunch)])


@given(moments(300, of=20), CHANCES)
def test_a_flood_of_300_random_kids_in_ten_seconds_is_at_most_two_fetches(
    seconds: list[float], chances: list[float]
) -> None:
    """However they come: the bucket is empty after two, and gets one more only after ten seconds."""
    flood = Simulation(loaded(), lambda _: KEYS, chances)
    actions = {flood.ask(f"forged-{number}", second).action for number, second in enumerate(seconds)}
    assert flood.fetches <= 2
    assert actions <= {"unknown", "not_now"}


@given(moments(100, of=10), CHANCES)
def test_one_forged_kid_sent_over_and_over_is_one_fetch_in_ten_seconds(
    seconds: list[float], chances: list[float]
) -> None:
    """It is remembered as missing for as long."""
    flood = Simulation(loaded(), lambda _: KEYS, chances)
    actions = {flood.ask("forged", second).action for second in seconds}
    assert flood.fetches == 1
    assert actions == {"unknown"}


def test_a_known_kid_is_served_throughout_a_flood() -> None:
    """Whoever has a key that is there notices nothing."""
    flood = Simulation(loaded(), lambda _: KEYS, [0.5])
    served = [(flood.ask(f"forged-{second}", second), flood.ask("known", second))[1] for second in range(300)]
    assert served == [Decision("use", KEY)] * 300


@pytest.mark.parametrize(
    "forged",
    [pytest.param(0, id="right-after-a-fetch"), pytest.param(1, id="and-after-one-forged-kid")],
)
def test_a_rotation_is_accepted_at_once(forged: int) -> None:
    """The new kid is looked up and used in the very moment it comes."""
    rotation = Simulation(loaded(), lambda second: ROTATED if second >= 1 else KEYS, [0.5])
    for number in range(forged):
        rotation.ask(f"forged-{number}", 0.5)
    assert rotation.ask("new", 1) == Decision("use", NEW)


def test_a_rotation_during_a_flood_is_accepted_with_the_next_lookup() -> None:
    """At the latest ten seconds after the bucket was emptied the new key is there."""
    rotation = Simulation(loaded(), lambda second: ROTATED if second >= 1 else KEYS, [0.5])
    for number in range(2):
        rotation.ask(f"forged-{number}", 0)
    assert rotation.ask("new", 1).retry_after == pytest.approx(9)
    assert rotation.ask("new", 10) == Decision("use", NEW)


@given(moments(50, of=25), CHANCES)
def test_fifty_calls_in_ten_seconds_with_the_endpoint_down_are_at_most_twelve_requests(
    seconds: list[float], chances: list[float]
) -> None:
    """However they come, while no keys were ever loaded: two at once, then one every 0.95 s at the most."""
    outage = Simulation(KeyCacheState(), lambda _: None, chances)
    actions = {outage.ask("known", second).action for second in seconds}
    assert outage.fetches <= 12
    assert actions <= {"unavailable", "fetch"}  # FETCH: chance chose to wait for nothing


@given(st.integers(1, 20), CHANCES)
def test_after_a_cold_failure_the_keys_are_there_within_1_1_seconds(failures: int, chances: list[float]) -> None:
    """Whatever went before: 1.1 s after the last failure a caller is allowed to fetch, and succeeds."""
    outage = Simulation(KeyCacheState(), lambda second: None if second < 100 else KEYS, chances)
    for number in range(failures):
        outage.ask("known", number * 1.1)
    outage.ask("known", 99.9)
    assert outage.ask("known", 99.9 + 1.1) == Decision("use", KEY)


def test_an_outage_with_keys_makes_few_requests() -> None:
    """One lookup a second for a kid that nobody has, for ten minutes: the backoff bounds the fetches."""
    outage = Simulation(loaded(), lambda _: None, [0.5])
    actions = {outage.ask("new", float(second)).action for second in range(600)}
    assert outage.fetches <= 80  # 7.5 s apart on average
    assert actions <= {"not_now"}


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(["known", "new", "a", "b"]), st.booleans()), max_size=40))
def test_no_history_breaks_an_invariant(history: list[tuple[float, str, bool]]) -> None:
    """Whatever happens: the bucket holds 0 to 2, the memory is bounded, a known kid of living keys has its key."""
    up = {second: good for second, _, good in history}
    run = Simulation(loaded(), lambda second: KEYS if up[second] else None, [0.5])
    for second, kid, _ in sorted(history):
        decision = run.ask(kid, second)
        assert 0 <= lookups_left(run.state, POLICY, at(second)) <= 2
        assert len(run.state.missing) <= 256
        assert (decision.key is not None) == (kid == "known")
