"""A valid access token whenever asked.

Decides when tokens are renewed, who waits for it, and what is told where it fails. Decides nothing about how a renewal
goes (`_token_keeper`), when a token is old (`protocol.token_freshness`), or where tokens are kept (`token_store`).
"""

from __future__ import annotations

import contextlib
import copy
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cognito_oidc._flight import Flights
from cognito_oidc._guarded_store import IN_PASSING, STORE_TIMEOUT
from cognito_oidc.errors import CognitoOidcError, ConfigurationError, LoginRequiredError
from cognito_oidc.protocol.token_freshness import Freshness, check_min_ttl, failure_pause, freshness

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cognito_oidc._flight import Flight
    from cognito_oidc._token_keeper import TokenKeeper
    from cognito_oidc.protocol.stored_token import StoredToken
    from cognito_oidc.protocol.tokens import TokenSet

LOCK_PATIENCE: Final = 25.0
"""Seconds to wait for the lock of a store: more than one token request may take, secrets and keys included."""

_LONGEST_ASKED_FOR: Final = 300.0
_BETWEEN_REFUSALS: Final = 30.0


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token that is good now.

    Attributes:
        value: The token. A secret, not shown in the repr.
        expires_at: When it ends to be good, epoch seconds UTC.
    """

    value: str = field(repr=False)
    expires_at: float


class TokenSource:
    """Gives a valid access token whenever asked; made by `CognitoClient.token_source` and its sibling for machines.

    A token that is good is served from memory. Shortly before it expires one caller renews it, and waits for that; the
    others are served meanwhile. Once it has expired, all who ask wait for one attempt, in all tasks, threads and event
    loops of the process; those who wait may be cancelled at any time. The one who leads it leaves when it is over, so
    that nothing which arrives is lost. With a store it is one attempt in all processes.
    """

    def __init__(
        self,
        keeper: TokenKeeper,
        *,
        revoke: Callable[[str], Awaitable[None]] | None = None,
        hold: Callable[[TokenSource, bool], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what keeps the tokens; use `CognitoClient.token_source` instead."""
        self._keeper = keeper
        self._revoke = revoke
        self._hold = hold
        self._monotonic = monotonic
        self._chance = random.random()  # noqa: S311 - jitter
        self._flights = Flights()
        self._loaded = not keeper.shared
        self._refused: str | None = None
        self._refused_at = float("-inf")
        self._failure: CognitoOidcError | None = None
        self._failures = 0
        self._failed_at = float("-inf")

    def __repr__(self) -> str:
        """Show how long the token is good, and nothing of it."""
        held = self._keeper.held
        return f"TokenSource({'no token yet' if held is None else f'expires_at={held.record.expires_at!r}'})"

    async def token(self, min_ttl: float = 0.0) -> AccessToken:
        """Return an access token that is good now.

        Args:
            min_ttl: Seconds for which it must be good.

        Raises:
            LoginRequiredError: There is no session, or it is over: send the person to log in.
            StoreError: The store failed, and there is no good token in memory. Nothing is lost.
            OAuthError: Cognito refused otherwise. The session stays.
            TransportError: No usable answer. The session stays.
            KeysUnavailableError: The new ID token cannot be verified now. The session stays.
            ConfigurationError: `min_ttl` is longer than tokens live, or the store holds another app client's tokens.
        """
        record = await self._current(min_ttl)
        return AccessToken(record.tokens.access_token, record.expires_at)

    async def tokens(self, min_ttl: float = 0.0) -> TokenSet:
        """Return all tokens, of which the access token is good now; as `token`."""
        return (await self._current(min_ttl)).tokens

    async def invalidate(self, value: str) -> None:
        """Say that an API refused an access token, so that it is not given out again.

        Nothing happens where it is not the current one any more, or where the one before it was refused less than 30 s
        ago: an API that refuses whatever it gets must not cost a token request for each call.

        Args:
            value: The access token that was refused.
        """
        held = self._keeper.held
        if held is None or held.record.tokens.access_token != value:
            return
        if self._monotonic() - self._refused_at >= _BETWEEN_REFUSALS:
            self._refused, self._refused_at = value, self._monotonic()

    def offer(self, tokens: TokenSet) -> None:
        """Take tokens that may be newer than what is there, as `CognitoClient.token_source(tokens)` does."""
        self._keeper.offer(tokens)

    async def replace(self, tokens: TokenSet) -> None:
        """Take the tokens of a new sign-in, whatever was there before.

        Args:
            tokens: What `exchange_code` returned.

        Raises:
            StoreError: They are here, but could not be saved; the next call tries again.
            ConfigurationError: They are another pool's or app client's.
        """

        async def work() -> None:
            await self._keeper.replace(tokens)

        await self._alone(work)

    async def forget(self, *, revoke: bool = True) -> None:
        """Sign out: forget the tokens here and in the store, and revoke the refresh token.

        Access tokens that were given out stay good for who verifies them offline, until they expire; and the browser's
        session at Cognito stays, until it is sent to `logout_url`.

        Args:
            revoke: Whether Cognito is told. A machine's tokens cannot be revoked: nothing is sent for those.

        Raises:
            StoreError: Nothing is forgotten: the store failed, or another worker renews the session for long.
            OAuthError: The session is forgotten here, and Cognito did not revoke it.
            TransportError: As before, and maybe it did.
        """

        async def work() -> None:
            await self._keeper.forget(self._revoke if revoke else None, patience=LOCK_PATIENCE)

        await self._alone(work)

    # --- decisions ----------------------------------------------------------------------------------------------------

    async def _current(self, min_ttl: float) -> StoredToken:
        """Return a record that is good enough, after what has to be done for that."""
        check_min_ttl(min_ttl)
        while True:
            state = self._state(min_ttl)
            good = self._good(state)
            if good is not None and state is Freshness.FRESH and self._loaded and not self._keeper.unsaved:
                return good
            flight = self._flights.current
            problem = self._problem_of_late(short=good is None) if flight is None else None
            if good is not None and (flight is not None or problem is not None):
                return good
            if problem is not None:
                raise problem
            if flight is not None:
                await flight.join()
                continue
            with self._flights.lead() as mine:
                if mine is not None:
                    return await self._lead(mine, min_ttl, patience=LOCK_PATIENCE if good is None else 0.0)

    async def _lead(self, flight: Flight, min_ttl: float, *, patience: float) -> StoredToken:
        """Do what brings a good token, for all who wait."""
        try:
            await self._act(min_ttl, patience=patience)
            held = self._keeper.held
            if held is None:  # signed out while its tokens came
                msg = "There is no session any more: whoever had signed in has signed out."
                raise LoginRequiredError(msg)
            check_min_ttl(min_ttl, held.record)
        except CognitoOidcError as error:
            if not isinstance(error, ConfigurationError):  # of this caller's min_ttl, maybe
                flight.error = error
            self._note(error)
            good = self._good(self._state(min_ttl))
            if good is None:
                raise
            return good
        self._note(None)
        return held.record

    async def _act(self, min_ttl: float, *, patience: float) -> None:
        keeper = self._keeper
        await keeper.load(at_most=STORE_TIMEOUT if patience else IN_PASSING)
        self._loaded = True
        state = self._state(min_ttl)
        if state is Freshness.FRESH:
            return
        if not keeper.renewable:
            keeper.renewed_from()  # says why not, before anybody takes a lock
        if state is Freshness.EXPIRED and keeper.held is not None:
            check_min_ttl(min_ttl, keeper.held.record)
        await keeper.renew(lambda: self._state(min_ttl) is Freshness.FRESH, patience=patience)

    def _state(self, min_ttl: float) -> Freshness | None:
        """Return what may be done with the token that is held; None where there is none."""
        keeper = self._keeper
        held = keeper.held
        if held is None:
            return None
        if held.record.tokens.access_token == self._refused:
            return Freshness.EXPIRED if keeper.renewable else Freshness.DEAD
        return freshness(
            held.record, now=keeper.now(), min_ttl=min_ttl, chance=self._chance, renewable=keeper.renewable
        )

    def _good(self, state: Freshness | None) -> StoredToken | None:
        """Return the record that is held where it may be used."""
        held = self._keeper.held
        return held.record if held is not None and state in {Freshness.FRESH, Freshness.STALE} else None

    async def _alone(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do something else than a renewal while none is under way."""
        while True:
            with self._flights.lead() as mine:
                if mine is not None:
                    try:
                        await work()
                        self._loaded = True
                    finally:
                        self._note(None)
                    return
            flight = self._flights.current
            if flight is not None:
                with contextlib.suppress(CognitoOidcError):
                    await flight.join()

    # --- failures -----------------------------------------------------------------------------------------------------

    def _note(self, error: CognitoOidcError | None) -> None:
        """Take how an attempt ended. What was found without sending anything needs no pause."""
        if error is None or isinstance(error, LoginRequiredError | ConfigurationError):
            self._failure, self._failures = None, 0
        else:
            self._failure, self._failures, self._failed_at = error, self._failures + 1, self._monotonic()
        if self._hold is not None:
            self._hold(self, self._keeper.unsaved)

    def _problem_of_late(self, *, short: bool) -> CognitoOidcError | None:
        """Return the last failure while it is too early to try again. `short`: there is no token to go on with."""
        if self._failure is None:
            return None
        if self._failure.retry_after is not None:
            wait = min(self._failure.retry_after, _LONGEST_ASKED_FOR)
        else:
            wait = failure_pause(self._failures, chance=self._chance, without_token=short)
        left = self._failed_at + wait - self._monotonic()
        if left <= 0:
            return None
        error = copy.copy(self._failure)
        error.retry_after = left
        return error
