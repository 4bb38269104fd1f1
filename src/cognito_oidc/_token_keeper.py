"""The tokens of one session, or of one machine: in memory, in the store, and how new ones take their place.

Decides the order of one renewal: read, take the lock, read again, send, swap, release; which of two records is gone on
with; and that nothing which arrived is ever dropped. Decides nothing about when tokens are renewed, or who waits.

Every interleaving of two workers is in `docs/guide/keep-tokens-fresh.md`, and in `tests/test_token_keeper.py`.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

from cognito_oidc._guarded_store import STORE_TIMEOUT, GuardedStore
from cognito_oidc._shield import run_shielded
from cognito_oidc.errors import (
    ConfigurationError,
    InvalidGrantError,
    LoginRequiredError,
    StoreError,
    shown,
)
from cognito_oidc.protocol.stored_token import StoredToken
from cognito_oidc.protocol.tokens import TokenSet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cognito_oidc.token_store import TokenStore

    Send = Callable[[TokenSet | None], Awaitable[TokenSet]]

_MOST_SWAPS: Final = 5
_LONGEST_LIFETIME: Final = 86_400.0  # of an access token. Source: AWS, API reference CreateUserPoolClient
_LOG: Final = logging.getLogger("cognito_oidc")


class Grant(NamedTuple):
    """How new tokens are asked for.

    Attributes:
        prepare: Does what may take long and uses nothing up (a secret is read, keys are loaded) for tokens that are to
            be renewed; returns what sends the request for them, and verifies what comes.
        rescued: Returns the refresh token that came for another, where what came could not be verified. None for a
            machine, which has no refresh token and asks anew each time.
        check: Checks that tokens which a caller brings are the app client's own. None for a machine.
    """

    prepare: Callable[[TokenSet | None], Awaitable[Send]]
    rescued: Callable[[str], str | None] | None = None
    check: Callable[[TokenSet], None] | None = None


class Held(NamedTuple):
    """A record in memory.

    Attributes:
        record: The record.
        in_store: Whether the store has it.
        known: Whether the store has had a record of its sign-in: where it has none any more, somebody signed out.
        wall: When it came into this process, epoch seconds UTC.
        monotonic: The same by a clock that never jumps.
    """

    record: StoredToken
    in_store: bool
    known: bool
    wall: float
    monotonic: float


class Owner(NamedTuple):
    """Whose tokens they are."""

    pool_id: str
    client_id: str
    scopes: tuple[str, ...]


class TokenKeeper:
    """Keeps the newest tokens it knows of. One renewal at a time: its caller sees to that."""

    def __init__(
        self,
        owner: Owner,
        grant: Grant,
        *,
        store: TokenStore | None,
        key: str,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        """Begin with nothing."""
        self.held: Held | None = None
        self._owner = owner
        self._grant = grant
        self._store = None if store is None else GuardedStore(store, key)
        self._clock = clock
        self._monotonic = monotonic

    @property
    def is_machine(self) -> bool:
        """Whether tokens are asked for anew, and not by a refresh token."""
        return self._grant.rescued is None

    @property
    def shared(self) -> bool:
        """Whether there is a store, in which others may have been."""
        return self._store is not None

    @property
    def unsaved(self) -> bool:
        """Whether there are tokens here that the store should have and has not."""
        return self._store is not None and self.held is not None and not self.held.in_store

    @property
    def renewable(self) -> bool:
        """Whether there is anything to ask for new tokens with."""
        return self.is_machine or (self.held is not None and self.held.record.tokens.refresh_token is not None)

    def now(self) -> float:
        """Return epoch seconds UTC; where the clock was put back, by what has passed since the tokens came."""
        wall = self._clock()
        held = self.held
        return wall if held is None else max(wall, held.wall + self._monotonic() - held.monotonic)

    def offer(self, tokens: TokenSet) -> None:
        """Take tokens of the caller's, unless what is here is newer.

        Raises:
            ConfigurationError: They are another pool's or app client's.
        """
        record = self._brought(tokens)
        if self.held is None or record.is_newer_than(self.held.record):
            self._hold(record, in_store=False)

    async def load(self, *, at_most: float = STORE_TIMEOUT) -> None:
        """Look what the store has, and give it what it has not.

        Args:
            at_most: Seconds that reading may take.

        Raises:
            StoreError: It cannot be read. To a machine that is as if it had nothing.
            ConfigurationError: What it has under this key is another pool's or app client's.
        """
        if self._store is None:
            return
        try:
            current = await self._read(at_most=at_most)
        except StoreError:
            if self.is_machine:
                return
            raise
        self._merge(current)
        if self.unsaved:
            await self._save(current)

    async def renew(self, is_good: Callable[[], bool], *, patience: float) -> None:
        """Get new tokens, unless another worker has done it.

        Args:
            is_good: Tells of what is held whether it is good enough.
            patience: Seconds to wait for the lock.

        Raises:
            LoginRequiredError: There is nothing to renew the session with.
            StoreError: The store failed, or another worker holds its lock for longer.
            CognitoOidcError: The request failed: what is held stays.
        """
        send = await self._grant.prepare(None if self.held is None else self.held.record.tokens)

        async def alone() -> None:
            await self._exchange(send, None, is_good)

        async def locked() -> None:
            current = await self._read()
            self._merge(current)
            await self._exchange(send, current, is_good)
            if self.unsaved:
                await self._save(current)

        if self._store is None:
            return await run_shielded(alone)
        try:
            return await self._store.under_lock(locked, patience=patience)
        except StoreError as error:
            # Who waits for nobody has a token that is still good, and another worker is at it.
            left_to_others = error.code == "store_locked" and patience == 0
            if not self.is_machine or left_to_others:
                self._merge(await self._read())
                if is_good():
                    return None
                raise
            if error.code == "store_locked":  # for long: by now another worker may have done it
                await self.load()
                if is_good():
                    return None
        # To a machine's tokens the store is a convenience: without it they cost a request, and nobody's session.
        return await run_shielded(alone)

    async def replace(self, tokens: TokenSet) -> None:
        """Keep the tokens of a new sign-in, whatever was kept before.

        Raises:
            StoreError: They are kept in memory, and not in the store yet.
            ConfigurationError: They are another pool's or app client's.
        """
        record = self._brought(tokens)
        self._hold(record, in_store=False)
        if self._store is not None:
            await self._store.put(record, read=self._read)
            self._hold(record, in_store=True)

    async def forget(self, revoke: Callable[[str], Awaitable[None]] | None, *, patience: float) -> None:
        """Forget the tokens here and in the store, then have the refresh tokens among them revoked; all, or nothing.

        A renewal under way, of whatever worker, is waited for: what it saves would bring the session back.

        Raises:
            StoreError: Nothing is forgotten.
            CognitoOidcError: Everything is forgotten, and not revoked.
        """
        known = [] if self.held is None else [self.held.record]

        async def read() -> StoredToken | None:
            current = await self._read()
            known.extend([] if current is None else [current])
            return current

        async def forget() -> None:
            if self._store is not None:
                await self._store.put(None, read=read)
            self.held = None
            for token in dict.fromkeys(record.tokens.refresh_token for record in known):
                if revoke is not None and token is not None:
                    await revoke(token)

        if self._store is None:
            await run_shielded(forget)
        else:
            await self._store.under_lock(forget, patience=patience)

    # --- one renewal --------------------------------------------------------------------------------------------------

    async def _exchange(self, send: Send, current: StoredToken | None, is_good: Callable[[], bool]) -> None:
        """Send and save, shielded. `current` is what the store has."""
        refused: set[str] = set()
        while not is_good():
            base = self.renewed_from()
            try:
                tokens = await send(None if base is None else base.tokens)
            except InvalidGrantError:
                if base is None:
                    raise
                refused.add(str(base.tokens.refresh_token))
            except Exception:
                await self._rescue(base, current)
                raise
            else:
                self._hold(self._next_record(base, tokens), in_store=False)
                return await self._save(current)
            # One more read: whoever lost the lock between sending and saving has used up the token that we sent.
            current = await self._after_refusal(refused)
        return None

    def renewed_from(self) -> StoredToken | None:
        """Return the record that a session is renewed from; None for a machine, which needs none.

        Raises:
            LoginRequiredError: There is none.
        """
        if self.is_machine:
            return None
        if self.held is None:
            msg = "There is no session: nobody has signed in, or whoever had has signed out."
            raise LoginRequiredError(msg)
        if self.held.record.tokens.refresh_token is None:
            msg = "The session is over: it has no refresh token, or one that is no longer good."
            raise LoginRequiredError(msg)
        return self.held.record

    async def _after_refusal(self, refused: set[str]) -> StoredToken | None:
        """Read once more after `invalid_grant`: go on with tokens that were not refused, or end the session.

        It is ended by taking the refresh token out of the record, and not by deleting it: so a worker whose new tokens
        are late still knows that nobody signed out, and saves them.
        """
        if self._store is None:
            self._end_in_memory()
            return None
        for _ in range(_MOST_SWAPS):
            current = await self._read()
            if current is None:
                self._merge(None)
                self._end_in_memory()
                return None
            token = current.tokens.refresh_token
            if token is None or token not in refused:
                self._hold(current, in_store=True)
                return current
            ended = current.with_refresh_token(None, revision=_new_revision())
            if await self._store.swap(ended, expected=current):
                self._hold(ended, in_store=True)
                return ended
        msg = "The session changes all the time: it could not be read after its refresh token was refused."
        raise StoreError(msg)

    def _end_in_memory(self) -> None:
        if self.held is not None:
            ended = self.held.record.with_refresh_token(None, revision=_new_revision())
            self._hold(ended, in_store=self.held.in_store)

    async def _rescue(self, base: StoredToken | None, current: StoredToken | None) -> None:
        """Keep the refresh token of an answer that could not be used: with rotation on it is the only good one."""
        old = None if base is None else base.tokens.refresh_token
        arrived = None if old is None or self._grant.rescued is None else self._grant.rescued(old)
        if base is not None and arrived is not None and arrived != old:
            self._hold(base.with_refresh_token(arrived, revision=_new_revision()), in_store=False)
            await self._save(current)

    async def _save(self, expected: StoredToken | None) -> None:
        """Give the store what is held, unless it has something newer meanwhile. What it cannot take stays in memory."""
        if self._store is None or self.held is None:
            return
        mine = self.held.record
        try:
            for _ in range(_MOST_SWAPS):
                if await self._store.swap(mine, expected=expected):
                    self._hold(mine, in_store=True)
                    return
                before, expected = expected, await self._read()
                if expected is not None and not mine.is_newer_than(expected):
                    self._hold(expected, in_store=True)
                    return
                if expected is None and before is None:  # it knows of a sign-out since we had the lock
                    self.held = None
                    return
        except StoreError as error:
            _LOG.warning("New tokens could not be saved and are kept in memory until they can be: %s", error)

    # --- records ------------------------------------------------------------------------------------------------------

    def _merge(self, current: StoredToken | None) -> None:
        """Go on with what the store has, unless what is here is newer.

        Where the store had a record and has none now, somebody signed out: what is here goes as well.
        """
        held = self.held
        if current is None:
            if held is not None and held.known:
                self.held = None
            return
        if held is not None and held.record.is_newer_than(current):
            self.held = held._replace(in_store=False)
        elif held is None or held.record.revision != current.revision or not held.in_store:
            self._hold(current, in_store=True)

    def _hold(self, record: StoredToken, *, in_store: bool) -> None:
        before = self.held
        known = in_store or (before is not None and before.known and before.record.session == record.session)
        self.held = Held(record, in_store, known, self._clock(), self._monotonic())

    def _next_record(self, base: StoredToken | None, tokens: TokenSet) -> StoredToken:
        now = self._clock()
        if base is None:
            return self._first_record(tokens, now)
        return base.renewed(tokens, now=now, revision=_new_revision())

    def _brought(self, tokens: TokenSet) -> StoredToken:
        """Return the record of tokens that a caller brings; only an ID token tells when they came."""
        if self._grant.check is None or not isinstance(tokens, TokenSet):
            msg = f"A token source takes the TokenSet of a person's sign-in, got {shown(tokens)}."
            raise ConfigurationError(msg)
        self._grant.check(tokens)
        came = tokens.expires_at - _LONGEST_LIFETIME if tokens.claims is None else tokens.claims.iat
        return self._first_record(tokens, min(came, self._clock()))

    def _first_record(self, tokens: TokenSet, came: float) -> StoredToken:
        pool_id, client_id, scopes = self._owner
        return StoredToken(
            tokens=tokens,
            obtained_at=came,
            pool_id=pool_id,
            client_id=client_id,
            scopes=scopes,
            session=secrets.token_urlsafe(12),
            revision=_new_revision(),
        )

    def _checked(self, record: StoredToken | None) -> StoredToken | None:
        pool_id, client_id, _ = self._owner
        if record is not None and (record.pool_id, record.client_id) != (pool_id, client_id):
            msg = (
                f"The tokens that are stored under this key are of app client {shown(record.client_id)} of the pool "
                f"{shown(record.pool_id)}, not of {client_id!r} of {pool_id!r}: use another key, or delete them."
            )
            raise ConfigurationError(msg)
        return record

    async def _read(self, *, at_most: float = STORE_TIMEOUT) -> StoredToken | None:
        if self._store is None:
            return None
        try:
            return self._checked(await self._store.read(at_most=at_most))
        except StoreError as error:
            if error.code != "store_damaged":
                raise
        if self.held is not None:  # nobody has signed out: what is here is stored again
            self.held = self.held._replace(in_store=False, known=False)
        return None


def _new_revision() -> str:
    return secrets.token_urlsafe(16)
