"""The keys of one issuer, shared by everybody who verifies: one reference to an immutable state, swapped under a lock.

Decides how the decisions of `protocol.key_cache` become state, events and requests. Decides nothing about how a
request is sent or shared; the asynchronous and the synchronous verifier do that each in their way.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from cognito_oidc._fork_lock import ForkLock
from cognito_oidc._frozen import Record
from cognito_oidc.errors import KeysNotLoadedError, KeysUnavailableError, UnknownKeyError
from cognito_oidc.protocol import key_cache
from cognito_oidc.protocol.jwks import jwks_request, parse_jwks_response
from cognito_oidc.protocol.key_cache import Instant, KeyCacheState

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cognito_oidc._event_sink import EventSink
    from cognito_oidc.errors import CognitoOidcError
    from cognito_oidc.protocol.jwks import KeySet, VerificationKey
    from cognito_oidc.protocol.key_cache import CachePolicy, Decision
    from cognito_oidc.protocol.wire import HttpRequest, HttpResponse

_MAX_HEADERS: Final = 64
_MOST_DOUBLINGS: Final = 3


# What a caller did to find a kid, as numbers that add up. A fetch that was under way already may have been answered
# before the key was published: a kid counts as looked for only after a fetch that began later than the first look, so
# after one that was led, or after two that were joined.
NOT_LOOKED: Final = 0
JOINED: Final = 1
LED: Final = 2


class Fetch(Record):
    """A wish of `find_key`.

    Attributes:
        lookup_for: The unknown kid it is for, where it is for one.
        at_most: Seconds it may take, where less than the transport's own limit.
        beside: Whether there is a key to go on with: whoever finds a fetch under way does not wait for it.
    """

    lookup_for: str | None = None
    at_most: float | None = None
    beside: bool = False


def find_key(keys: IssuerKeys, kid: str, *, at_most: float) -> Generator[Fetch, int, VerificationKey]:
    """Return the key of `kid`, yielding every fetch that the policy asks for and being sent what came of it.

    Args:
        keys: Whose keys.
        kid: The key a token names.
        at_most: Seconds that a refresh may take while there is an old key to go on with.

    Raises:
        UnknownKeyError: It is not there, or may not be looked for now.
        KeysUnavailableError: The keys cannot be had now.
    """
    looked = NOT_LOOKED
    while True:
        decision = keys.decide_after(kid, looked)
        key = keys.settled(decision)
        if key is not None:
            return key
        if decision.key is not None:
            # Whoever waited a second in vain lets the next one wait for two, so that a slow endpoint is heard at last.
            patience = at_most * 2.0 ** min(keys.state.failures, _MOST_DOUBLINGS)
            looked += yield Fetch(at_most=patience, beside=True)
            again = keys.decide(kid)
            if again.key is not None:  # else withdrawn by this very refresh
                keys.note_stale(again)
                return again.key
            continue
        looked += yield Fetch(lookup_for=kid if decision.action == "look_up" else None)
        state = keys.state
        if state.failures:
            raise keys.unavailable(keys.pause)
        if looked >= LED and state.key_set is not None and kid in state.key_set.keys:
            return state.key_set.keys[kid]  # however soon the policy calls it dead


class FetchBegun(Record):
    """A fetch that was begun: what is sent, whether 304 is an answer to it, and when that was."""

    request: HttpRequest
    conditional: bool
    at: Instant


class IssuerKeys:
    """State, decisions and memory of the keys of one issuer. Thread-safe; does no I/O."""

    __slots__ = ("_clock", "_events", "_fresh", "_lock", "_monotonic", "_policy", "_state", "issuer", "jwks_uri")

    def __init__(
        self,
        issuer: str,
        jwks_uri: str,
        *,
        policy: CachePolicy,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        events: EventSink,
    ) -> None:
        """Begin without keys."""
        self.issuer = issuer
        self.jwks_uri = jwks_uri
        self._policy = policy
        self._clock = clock
        self._monotonic = monotonic
        self._events = events
        self._lock = ForkLock()
        self._state = KeyCacheState()
        # What the hot path reads, in one reference: header text to key, and until when it may be believed.
        self._fresh: tuple[dict[bytes, VerificationKey], float, float] = ({}, 0.0, 0.0)

    @property
    def state(self) -> KeyCacheState:
        """What is known now."""
        return self._state

    def now(self) -> Instant:
        """Return this moment on both clocks."""
        return Instant(self._clock(), self._monotonic())

    def fresh_key(self, header: bytes, now: float) -> VerificationKey | None:
        """Return the key of a header that was seen and checked before, while the keys are fresh."""
        known, wall, monotonic = self._fresh
        return known.get(header) if now < wall and self._monotonic() < monotonic else None

    def remember_header(self, header: bytes, key: VerificationKey) -> None:
        """Remember the text of a checked header, until the key set changes. A full memory takes no more."""
        known = self._fresh[0]
        state = self._state
        if len(known) < _MAX_HEADERS and state.key_set is not None and state.key_set.keys.get(key.kid) is key:
            known[header] = key

    def decide(self, kid: str) -> Decision:
        """Return what to do about a token that names `kid`, now."""
        return key_cache.decide(self._state, self._policy, kid, self.now())

    def decide_after(self, kid: str, looked: int) -> Decision:
        """Return what to do about `kid` now, after a caller has looked for it."""
        decision = self.decide(kid)
        if looked >= LED and decision.action in {"look_up", "not_now"}:
            with self._lock:
                self._state = key_cache.kid_missing(self._state, self._policy, kid, self.now())
            return key_cache.Decision("unknown")
        return decision

    @property
    def pause(self) -> float | None:
        """Seconds before which no fetch is tried after a failure, or None."""
        wait = self._state.next_attempt - self._monotonic()
        return wait if wait > 0 else None

    @property
    def hard(self) -> bool:
        """Whether the keys are so old that one caller waits for a refresh."""
        return key_cache.age_of(self._state, self.now()) >= self._policy.hard_after

    def due_in(self, *, always: bool) -> float:
        """Return the seconds until the keys want a refresh; 0 for now, infinite for a set nobody asked for yet."""
        state = self._state
        if state.key_set is None:
            return (self.pause or 0.0) if always else float("inf")
        return max(0.0, state.soft_after - key_cache.age_of(state, self.now()), self.pause or 0.0)

    def key_without_waiting(self, kid: str) -> VerificationKey:
        """Return the key where no fetch is needed.

        Raises:
            KeysNotLoadedError: There are no keys that may be used.
            UnknownKeyError: They do not have this kid; `looked_up` tells whether they were fetched for it.
        """
        decision = self.decide(kid)
        if decision.key is not None:
            self.note_stale(decision)
            return decision.key
        if decision.action in {"fetch", "unavailable"}:
            msg = "No keys are loaded, and this call must not fetch them: await preload() first, or pass jwks=."
            raise KeysNotLoadedError(msg)
        raise self.unknown(decision)

    def settled(self, decision: Decision) -> VerificationKey | None:
        """Return the key of a decision that needs no fetch; None where one is needed (or could be made).

        Raises:
            UnknownKeyError: The kid is not there, or may not be looked for now.
            KeysUnavailableError: There are no keys, and no fetch may be tried now.
        """
        if decision.action in {"use", "use_stale"}:
            self.note_stale(decision)
            return decision.key
        if decision.action in {"unknown", "not_now"}:
            raise self.unknown(decision)
        if decision.action == "unavailable":
            raise self.unavailable(decision.retry_after)
        return None

    def unknown(self, decision: Decision) -> UnknownKeyError:
        """Return the error for a kid that is not there."""
        looked_up = decision.action == "unknown"
        if self._events.listens():
            from cognito_oidc.protocol.events import UnknownKid  # noqa: PLC0415 - only where somebody listens

            self._events.tell(UnknownKid(self.issuer, looked_up))
        rest = "" if looked_up else " that is loaded, and the set cannot be fetched again right now"
        msg = f"The token's key is not in the key set of {self.issuer}{rest}."
        return UnknownKeyError(msg, looked_up=looked_up, retry_after=decision.retry_after)

    def unavailable(self, retry_after: float | None = None) -> KeysUnavailableError:
        """Return the error for keys that cannot be had."""
        reason = self._state.last_error or "no answer yet"
        msg = f"The keys of {self.issuer} cannot be had now: {reason}"
        return KeysUnavailableError(msg, retry_after=retry_after)

    def note_stale(self, decision: Decision) -> None:
        """Tell it where old keys served that should have been refreshed."""
        if decision.action in {"use_stale", "refresh_then_use"} and self._events.listens():
            from cognito_oidc.protocol.events import StaleServed  # noqa: PLC0415 - only where somebody listens

            self._events.tell(StaleServed(self.issuer, key_cache.age_of(self._state, self.now())))

    def begin_lookup(self, kid: str) -> bool:
        """Take a lookup for an unknown kid; False where the moment has passed (found, or none left)."""
        with self._lock:
            now = self.now()
            if key_cache.decide(self._state, self._policy, kid, now).action != "look_up":
                return False
            self._state = key_cache.lookup_taken(self._state, self._policy, now)
            return True

    def return_lookup(self) -> None:
        """Give a lookup back that led to no fetch."""
        with self._lock:
            self._state = key_cache.lookup_returned(self._state, self._policy, self.now())

    def begin_fetch(self, wish: Fetch) -> FetchBegun:
        """Return the request for the keys, and when it was made.

        It is conditional only where an unchanged set is what everybody expects: not for an unknown kid, not after a
        failure, and not for ever, since a cache in between may answer 304 for ever.
        """
        now = self.now()
        etag = self._state.etag if wish.lookup_for is None else None
        if etag is not None and not key_cache.may_revalidate(self._state, self._policy, now):
            etag = None
        return FetchBegun(jwks_request(self.jwks_uri, etag=etag), etag is not None, now)

    @property
    def attempts(self) -> int | None:
        """How often a fetch may be sent: once while no keys were ever loaded, since callers come again anyway."""
        return 1 if self._state.key_set is None else None

    def fetched(self, begun: FetchBegun, response: HttpResponse) -> None:
        """Take the answer of the key endpoint; not one that was asked for before the keys that are there came.

        Raises:
            CognitoOidcError: It is no key set that can be used.
        """
        key_set = parse_jwks_response(response, may_be_unchanged=begun.conditional)
        if begun.at.monotonic < self._state.loaded_at.monotonic:
            return
        max_age = key_cache.parse_max_age(response.headers.get("cache-control", ""))
        now = self.now()
        before = self.put(key_set, at=now, max_age=max_age, etag=response.headers.get("etag"))
        self._tell_changes(before, self._state.key_set, now.monotonic - begun.at.monotonic)

    def put(
        self, key_set: KeySet | None, *, at: Instant, max_age: float | None = None, etag: str | None = None
    ) -> KeySet | None:
        """Put in a key set (None keeps the one that is there, as unchanged), loaded at `at`; return what was there."""
        with self._lock:
            before = self._state.key_set
            if before is not None and key_set is not None and before.to_jwks() == key_set.to_jwks():
                key_set = before
            state = key_cache.keys_loaded(
                self._state,
                self._policy,
                key_set,
                now=at,
                max_age=max_age,
                etag=etag,
                chance=random.random(),  # noqa: S311 - jitter
            )
            self._state = state
            known = self._fresh[0] if state.key_set is before else {}
            fresh_for = min(state.soft_after, self._policy.dead_after)
            self._fresh = (known, at.wall + fresh_for, at.monotonic + fresh_for)
        return before

    def failed(self, error: CognitoOidcError, begun: FetchBegun, *, lookup: bool) -> None:
        """Take the failure of a fetch; a lookup that was taken for it is given back."""
        with self._lock:
            now = self.now()
            chance = random.random()  # noqa: S311 - jitter
            state = key_cache.fetch_failed(self._state, self._policy, str(error), now=now, chance=chance)
            self._state = key_cache.lookup_returned(state, self._policy, now) if lookup else state
            wait = self._state.next_attempt - now.monotonic
        if self._events.listens():
            from cognito_oidc.protocol.events import KeySetFetchFailed  # noqa: PLC0415 - only where somebody listens

            took = now.monotonic - begun.at.monotonic
            self._events.tell(KeySetFetchFailed(self.issuer, str(error), self._state.failures, wait, error.code, took))

    def _tell_changes(self, before: KeySet | None, after: KeySet | None, took: float) -> None:
        if not self._events.listens():
            return
        from cognito_oidc.protocol.events import (  # noqa: PLC0415 - only where somebody listens
            KeyAppeared,
            KeySetRefreshed,
            KeyWithdrawn,
        )

        old = before.keys if before is not None else {}
        new = after.keys if after is not None else {}
        skipped = len(after.skipped) if after is not None else 0
        self._events.tell(KeySetRefreshed(self.issuer, len(new), skipped, before is not after, took))
        for kid in new.keys() - old.keys():
            self._events.tell(KeyAppeared(self.issuer, kid))
        for kid in old.keys() - new.keys():
            self._events.tell(KeyWithdrawn(self.issuer, kid))
