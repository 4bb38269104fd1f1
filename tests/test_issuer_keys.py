"""What becomes of decisions: state, memory of headers, events, and which fetches are wished for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cognito_oidc._event_sink import EventSink
from cognito_oidc._issuer_keys import JOINED, LED, NOT_LOOKED, Fetch, IssuerKeys, find_key
from cognito_oidc.errors import KeysNotLoadedError, KeysUnavailableError, ProtocolError, TransportError, UnknownKeyError
from cognito_oidc.protocol.events import KeySetFetchFailed, KeySetRefreshed
from cognito_oidc.protocol.key_cache import CachePolicy
from tests.answers import answer
from tests.factories import ACCESS_KID, ISSUER, jwk, key_set, rsa_key
from tests.key_endpoint import Clock

if TYPE_CHECKING:
    from collections.abc import Generator

    from cognito_oidc.protocol.events import VerifierEvent
    from cognito_oidc.protocol.jwks import VerificationKey

OLD, NEW = jwk(rsa_key("access"), ACCESS_KID), jwk(rsa_key("new"), "new-kid")
DOWN = TransportError("down", sent="no", endpoint="jwks")


class Wall(Clock):
    """A clock of the wall beside one that nobody sets."""

    def __init__(self) -> None:
        super().__init__()
        self.monotonic = Clock()

    def pass_by(self, seconds: float) -> None:
        """Let time go by on both."""
        self.advance(seconds)
        self.monotonic.advance(seconds)


@pytest.fixture
def clock() -> Wall:
    """Give two clocks."""
    return Wall()


@pytest.fixture
def events() -> list[VerifierEvent]:
    """Give a list of events."""
    return []


@pytest.fixture
def keys(clock: Wall, events: list[VerifierEvent]) -> IssuerKeys:
    """Give the keys of an issuer, none yet."""
    return IssuerKeys(
        ISSUER,
        f"{ISSUER}/.well-known/jwks.json",
        policy=CachePolicy(jitter=0),
        clock=clock,
        monotonic=clock.monotonic,
        events=EventSink(events.append),
    )


def load(keys: IssuerKeys, *entries: dict[str, object]) -> None:
    """Take a good answer."""
    keys.fetched(keys.begin_fetch(Fetch()), answer({"keys": list(entries or (OLD,))}))


def key_of(keys: IssuerKeys) -> VerificationKey:
    """Return the key that is there."""
    assert keys.state.key_set is not None
    return keys.state.key_set.keys[ACCESS_KID]


def found(flow: Generator[Fetch, int, VerificationKey], told: int) -> Any:  # noqa: ANN401
    """Send what came of a fetch, and return the next wish or the key."""
    try:
        return flow.send(told)
    except StopIteration as done:
        return done.value.kid


def test_key_that_is_there_wishes_for_nothing(keys: IssuerKeys) -> None:
    """A known kid on fresh keys costs no fetch."""
    load(keys)
    with pytest.raises(StopIteration) as done:
        next(find_key(keys, ACCESS_KID, at_most=1))
    assert done.value.value.kid == ACCESS_KID


def test_an_event_tells_how_long_a_fetch_took(keys: IssuerKeys, clock: Wall, events: list[VerifierEvent]) -> None:
    """By the monotonic clock, whether it brought keys or not; a failure has its error's code beside its text."""
    begun = keys.begin_fetch(Fetch())
    clock.pass_by(0.5)
    keys.fetched(begun, answer({"keys": [OLD]}))
    begun = keys.begin_fetch(Fetch())
    clock.pass_by(2)
    keys.failed(DOWN, begun, lookup=False)
    assert [event.duration for event in events if isinstance(event, KeySetRefreshed)] == [0.5]
    assert [(event.code, event.duration) for event in events if isinstance(event, KeySetFetchFailed)] == [
        (DOWN.code, 2.0)
    ]


def test_no_keys_wish_for_a_fetch_that_everybody_waits_for(keys: IssuerKeys) -> None:
    """Without keys the fetch is for everybody, and its failure too."""
    flow = find_key(keys, ACCESS_KID, at_most=1)
    assert next(flow) == Fetch()
    keys.failed(DOWN, keys.begin_fetch(Fetch()), lookup=False)
    with pytest.raises(KeysUnavailableError, match="down"):
        flow.send(LED)
    with pytest.raises(KeysUnavailableError) as raised:
        next(find_key(keys, ACCESS_KID, at_most=1))
    assert raised.value.retry_after is not None


@pytest.mark.parametrize("age", [1000, 5000])
def test_old_keys_wish_for_a_refresh_beside(keys: IssuerKeys, clock: Wall, age: int) -> None:
    """A refresh of usable keys is bounded, and nobody else waits for it."""
    load(keys)
    clock.pass_by(age)
    flow = find_key(keys, ACCESS_KID, at_most=1)
    assert next(flow) == Fetch(at_most=1, beside=True)
    assert found(flow, JOINED) == ACCESS_KID


def test_key_withdrawn_by_the_refresh_is_not_looked_for_again(keys: IssuerKeys, clock: Wall) -> None:
    """Who led the refresh that withdrew the key knows that it is gone; who joined it looks once."""
    load(keys)
    clock.pass_by(1000)
    leader, other = find_key(keys, ACCESS_KID, at_most=1), find_key(keys, ACCESS_KID, at_most=1)
    next(leader)
    next(other)
    load(keys, NEW)
    assert found(other, JOINED) == Fetch(lookup_for=ACCESS_KID)
    with pytest.raises(UnknownKeyError) as raised:
        leader.send(LED)
    assert raised.value.looked_up


def test_kid_counts_as_looked_for_after_a_fetch_that_began_later(keys: IssuerKeys) -> None:
    """One fetch that was joined may be too old; two are not."""
    load(keys)
    flow = find_key(keys, "new-kid", at_most=1)
    assert next(flow) == Fetch(lookup_for="new-kid")
    assert found(flow, NOT_LOOKED) == Fetch(lookup_for="new-kid")
    assert found(flow, JOINED) == Fetch(lookup_for="new-kid")
    with pytest.raises(UnknownKeyError):
        flow.send(JOINED)


def test_lookups_are_taken_and_returned(keys: IssuerKeys) -> None:
    """Two at once; a failed one and one that led to no fetch come back."""
    load(keys)
    assert [keys.begin_lookup("a"), keys.begin_lookup("b"), keys.begin_lookup("c")] == [True, True, False]
    keys.return_lookup()
    assert [keys.begin_lookup("c"), keys.begin_lookup("d")] == [True, False]
    assert not keys.begin_lookup(ACCESS_KID)


def test_header_is_remembered_while_its_key_set_is_fresh(keys: IssuerKeys, clock: Wall) -> None:
    """The memory ends with the key set and with its freshness, on whichever clock is later."""
    load(keys)
    key = key_of(keys)
    keys.remember_header(b"h", key)
    assert keys.fresh_key(b"h", clock()) is key
    assert keys.fresh_key(b"other", clock()) is None
    load(keys)
    assert keys.fresh_key(b"h", clock()) is key
    clock.monotonic.advance(1000)
    assert keys.fresh_key(b"h", clock()) is None
    load(keys)
    clock.advance(1000)
    assert keys.fresh_key(b"h", clock()) is None
    load(keys, OLD, NEW)
    assert keys.fresh_key(b"h", clock()) is None
    keys.remember_header(b"h", key)
    assert keys.fresh_key(b"h", clock()) is None


def test_memory_of_headers_is_bounded(keys: IssuerKeys, clock: Wall) -> None:
    """A full memory takes no more."""
    load(keys)
    key = key_of(keys)
    for number in range(1000):
        keys.remember_header(b"%d" % number, key)
    assert sum(keys.fresh_key(b"%d" % number, clock()) is key for number in range(1000)) == 64


def test_wall_clock_that_is_set_back_makes_no_key_younger(keys: IssuerKeys, clock: Wall) -> None:
    """Age counts by the clock on which the keys are older."""
    load(keys)
    clock.monotonic.advance(90_000)
    clock.advance(-5000)
    with pytest.raises(KeysNotLoadedError):
        keys.key_without_waiting(ACCESS_KID)


def test_answers_that_are_no_key_set(keys: IssuerKeys) -> None:
    """They raise, and change nothing; 304 without an ETag is one of them."""
    load(keys)
    before = keys.state
    for bad in (answer(b"x"), answer({"keys": []}), answer(status=304), answer(status=206)):
        with pytest.raises(ProtocolError):
            keys.fetched(keys.begin_fetch(Fetch()), bad)
    with pytest.raises(TransportError):
        keys.fetched(keys.begin_fetch(Fetch()), answer(status=500))
    assert keys.state is before


def test_request_and_attempts(keys: IssuerKeys) -> None:
    """Without keys one attempt and no ETag; with keys the ETag they came with."""
    assert (keys.attempts, keys.begin_fetch(Fetch()).request.headers[1:]) == (1, ())
    keys.fetched(keys.begin_fetch(Fetch()), answer({"keys": [OLD]}, etag='"v1"'))
    assert keys.attempts is None
    assert ("If-None-Match", '"v1"') in keys.begin_fetch(Fetch()).request.headers
    load(keys)
    assert keys.begin_fetch(Fetch()).request.headers[1:] == ()


def test_due_in(keys: IssuerKeys, clock: Wall) -> None:
    """Seconds until a refresh is wanted: never for a set nobody asked for, now for an old one."""
    assert (keys.due_in(always=False), keys.due_in(always=True)) == (float("inf"), 0)
    load(keys)
    assert keys.due_in(always=False) == 900
    clock.pass_by(899)
    assert keys.due_in(always=False) == 1
    clock.pass_by(10_000)
    assert keys.due_in(always=False) == 0
    assert keys.hard
    keys.failed(DOWN, keys.begin_fetch(Fetch()), lookup=False)
    assert keys.due_in(always=False) == (keys.pause or 0)


def test_loading_the_same_keys_changes_nothing(keys: IssuerKeys, clock: Wall, events: list[VerifierEvent]) -> None:
    """The same set, however it is written, is the one that was there: its memory stays, and the event says so."""
    load(keys)
    key, first = key_of(keys), keys.state.key_set
    keys.remember_header(b"h", key)
    load(keys)
    assert keys.state.key_set is first
    assert keys.fresh_key(b"h", clock()) is key
    load(keys, OLD, NEW)
    assert keys.fresh_key(b"h", clock()) is None
    assert [event.changed for event in events if isinstance(event, KeySetRefreshed)] == [True, False, True]


def test_nothing_is_told_where_nobody_listens(clock: Wall) -> None:
    """Without a hook and without DEBUG every path works in silence."""
    keys = IssuerKeys(
        ISSUER, "https://x/jwks", policy=CachePolicy(), clock=clock, monotonic=clock.monotonic, events=EventSink(None)
    )
    keys.fetched(keys.begin_fetch(Fetch()), answer(key_set()))
    clock.pass_by(5000)
    keys.failed(DOWN, keys.begin_fetch(Fetch()), lookup=True)
    assert keys.key_without_waiting(ACCESS_KID).kid == ACCESS_KID
    with pytest.raises(UnknownKeyError):
        keys.key_without_waiting("unknown")


def test_an_unknown_kid_is_looked_for_in_the_keys_themselves(keys: IssuerKeys) -> None:
    """Whoever looks for a key does not ask whether something changed."""
    keys.fetched(keys.begin_fetch(Fetch()), answer({"keys": [OLD]}, etag='"v1"'))
    assert keys.begin_fetch(Fetch()).conditional
    assert not keys.begin_fetch(Fetch(lookup_for="new")).conditional


def test_nothing_changed_is_no_answer_to_a_question_for_the_keys(keys: IssuerKeys) -> None:
    """A 304 that nobody asked for is refused like any other odd answer."""
    with pytest.raises(ProtocolError):
        keys.fetched(keys.begin_fetch(Fetch()), answer(None, status=304))


def test_an_older_answer_does_not_replace_a_newer_one(keys: IssuerKeys, clock: Wall) -> None:
    """Two event loops fetch at once: who asked first may be answered last, with a key that is withdrawn by now."""
    early = keys.begin_fetch(Fetch())
    clock.pass_by(1)
    keys.fetched(keys.begin_fetch(Fetch()), answer({"keys": [OLD]}))
    current = keys.state.key_set
    clock.pass_by(1)
    keys.fetched(early, answer(key_set()))
    assert keys.state.key_set is current


def test_who_waits_in_vain_lets_the_next_one_wait_longer(keys: IssuerKeys, clock: Wall) -> None:
    """An endpoint that needs more than a second is heard in the end: 1 s, then 2, 4 and 8 at most."""
    load(keys)
    waits = []
    for _ in range(6):
        clock.pass_by(3000)
        flow = find_key(keys, ACCESS_KID, at_most=1.0)
        waits.append(next(flow).at_most)
        slow = TransportError("too slow", sent="maybe", endpoint="jwks")
        keys.failed(slow, keys.begin_fetch(Fetch()), lookup=False)
    assert waits == [1, 2, 4, 8, 8, 8]
