"""The resource server's half: verify access and ID tokens of a user pool.

Decides who fetches keys, who waits for them and who does not. Decides nothing about what makes a token valid; that is
`protocol.claims`'s, and the order of the checks `_verification`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self, cast

from cognito_oidc._arguments import check_verdict, id_expectations
from cognito_oidc._issuer_keys import JOINED, LED, NOT_LOOKED, Fetch, find_key
from cognito_oidc._key_snapshot import export_snapshot
from cognito_oidc._turns import TURN, Turns
from cognito_oidc._verification import (
    MAX_ACCESS_TOKEN,
    MAX_ID_TOKEN,
    Pending,
    VerifierCore,
)
from cognito_oidc.errors import CognitoOidcError, ConfigurationError, TokenVerificationError
from cognito_oidc.protocol.typed_claims import AccessTokenClaims, C, IdTokenClaims

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from os import PathLike
    from types import TracebackType

    import anyio
    import httpx
    from anyio.abc import TaskGroup

    from cognito_oidc._http_client import AsyncHttpClient
    from cognito_oidc._issuer_keys import IssuerKeys
    from cognito_oidc._transport import Transport
    from cognito_oidc._verifier_health import VerifierHealth
    from cognito_oidc.protocol.events import VerifierEvent
    from cognito_oidc.protocol.jwks import VerificationKey
    from cognito_oidc.protocol.key_cache import CachePolicy
    from cognito_oidc.protocol.provider import UserPool
    from cognito_oidc.protocol.typed_claims import TokenClaims

    ExtraCheck = Callable[[TokenClaims], Awaitable[None] | None]

_LEAST_PAUSE: Final = 0.05  # seconds between two rounds of the refresher


class TokenVerifier:
    """Verifies the tokens of one user pool.

    Keys are fetched at the first need, shared by everybody who waits, kept for the ages of `policy`, and fetched again
    for an unknown `kid`. One verifier serves any number of tasks, threads and event loops. As a context manager it
    refreshes its keys in a task of its own, so that no caller ever waits for a refresh.
    """

    def __init__(
        self,
        pool: UserPool,
        *,
        client_ids: Iterable[str] | None,
        leeway: float = 0,
        policy: CachePolicy | None = None,
        jwks: Mapping[str, object] | str | PathLike[str] | None = None,
        resource: str | None = None,
        http_client: httpx.AsyncClient | AsyncHttpClient | None = None,
        access_token_claims: type[AccessTokenClaims] = AccessTokenClaims,
        id_token_claims: type[IdTokenClaims] = IdTokenClaims,
        extra_check: ExtraCheck | None = None,
        max_access_token: int = MAX_ACCESS_TOKEN,
        max_id_token: int = MAX_ID_TOKEN,
        verified_cache_size: int = 0,
        on_event: Callable[[VerifierEvent], None] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Configure a verifier; nothing is fetched or read yet.

        Args:
            pool: The user pool; tokens of both its issuers are accepted.
            client_ids: The app clients whose tokens are accepted. None, which must be written, accepts every one.
            leeway: Seconds by which a token may have expired.
            policy: When keys are used and fetched.
            jwks: Keys to start with: what `export_keys` returned, or a key set, as a mapping, JSON text or the path of
                a file. Fetching stays possible.
            resource: The resource server this is; access tokens must be bound to it (`aud`).
            http_client: An `httpx.AsyncClient`, or a client of that shape, to fetch keys with; it is not closed.
            access_token_claims: A subclass to return the claims of access tokens as.
            id_token_claims: A subclass to return the claims of ID tokens as.
            extra_check: Called with the claims after all other checks; may be async; raises to refuse, and returns None
                to accept.
            max_access_token: Characters an access token may have.
            max_id_token: Characters an ID token may have.
            verified_cache_size: How many verified access tokens to remember; their times are checked on every use. 0
                remembers none.
            on_event: Called with each `VerifierEvent`; must not block.
            clock: Returns epoch seconds UTC, for tests.

        Raises:
            ConfigurationError: An argument cannot be right.
        """
        self._core = VerifierCore(
            pool,
            client_ids=client_ids,
            leeway=leeway,
            policy=policy,
            jwks=jwks,
            resource=resource,
            access_token_claims=access_token_claims,
            id_token_claims=id_token_claims,
            max_access_token=max_access_token,
            max_id_token=max_id_token,
            verified_cache_size=verified_cache_size,
            extra_check=extra_check,
            on_event=on_event,
            clock=clock,
        )
        self._transport: Transport | None = None
        if http_client is not None:
            from cognito_oidc._transport import Transport  # noqa: PLC0415 - whoever has a client has paid for it

            self._transport = Transport(http_client)
        self._extra_check = extra_check
        self._flights: dict[tuple[str, object], _Flight] = {}
        self._turns = Turns()
        self._refresher: _Refresher | None = None

    @property
    def pool(self) -> UserPool:
        """The user pool."""
        return self._core.pool

    async def verify_access_token(
        self,
        token: str,
        *,
        required_scopes: Iterable[str] = (),
        any_of_scopes: Iterable[str] = (),
        required_groups: Iterable[str] = (),
        any_of_groups: Iterable[str] = (),
        resource: str | None = None,
    ) -> AccessTokenClaims:
        """Return the claims of an access token.

        Args:
            token: The compact serialization, without `Bearer`.
            required_scopes: Scopes that must all be there.
            any_of_scopes: Scopes of which one must be there.
            required_groups: Groups that must all be there.
            any_of_groups: Groups of which one must be there.
            resource: The resource server the token must be bound to, instead of the verifier's own.

        Raises:
            TokenVerificationError: The token must not be trusted (401; `InsufficientScopeError`: 403).
            KeysUnavailableError: The keys cannot be had now (503).

        Source: AWS, "Verifying JSON web tokens"; RFC 8725.
        """
        wanted = self._core.wanted(required_scopes, any_of_scopes, required_groups, any_of_groups, resource)
        turns = self._turns
        if turns.taken >= TURN:
            await turns.give_way()
        turns.taken += 1
        judged = self._core.judge(token, self._core.access, wanted)
        if self._extra_check is None and type(judged) is not Pending:
            return judged
        return await self._finish(judged)

    async def verify_id_token(
        self, token: str, *, nonce: str | None, access_token: str | None = None, max_age: float | None = None
    ) -> IdTokenClaims:
        """Return the claims of an ID token.

        Args:
            token: The compact serialization.
            nonce: The nonce of the authorization request. None, which must be written, does not check it.
            access_token: The access token that came along, to check `at_hash`.
            max_age: Seconds the sign-in may be ago.

        Raises:
            TokenVerificationError: The token must not be trusted.
            KeysUnavailableError: The keys cannot be had now.

        Source: OpenID Connect Core 1.0 section 3.1.3.7; AWS, "Verifying JSON web tokens".
        """
        if self._turns.taken >= TURN:
            await self._turns.give_way()
        self._turns.taken += 1
        return await self._finish(
            self._core.judge(token, self._core.identity, id_expectations(nonce, access_token, max_age))
        )

    def verify_access_token_nowait(
        self,
        token: str,
        *,
        required_scopes: Iterable[str] = (),
        any_of_scopes: Iterable[str] = (),
        required_groups: Iterable[str] = (),
        any_of_groups: Iterable[str] = (),
        resource: str | None = None,
    ) -> AccessTokenClaims:
        """Return the claims of an access token with the keys that are there; no I/O.

        Raises:
            KeysNotLoadedError: There are no keys that may be used.
            UnknownKeyError: They do not have the token's kid.
            TokenVerificationError: The token must not be trusted.
        """
        wanted = self._core.wanted(required_scopes, any_of_scopes, required_groups, any_of_groups, resource)
        return self._checked_now(self._core.without_waiting(self._core.judge(token, self._core.access, wanted)))

    def verify_id_token_nowait(
        self, token: str, *, nonce: str | None, access_token: str | None = None, max_age: float | None = None
    ) -> IdTokenClaims:
        """Return the claims of an ID token with the keys that are there; no I/O.

        Raises:
            KeysNotLoadedError: There are no keys that may be used.
            UnknownKeyError: They do not have the token's kid.
            TokenVerificationError: The token must not be trusted.
        """
        judged = self._core.judge(token, self._core.identity, id_expectations(nonce, access_token, max_age))
        return self._checked_now(self._core.without_waiting(judged))

    async def preload(self) -> None:
        """Fetch the keys of the pool's issuer now, unless fresh ones are there.

        Raises:
            KeysUnavailableError: They cannot be had, and there are no old ones to go on with.
        """
        if self.health().state != "fresh":
            keys = self._core.issuers[self.pool.issuer]
            if keys.pause is None:
                await self._fetch(keys, Fetch())
            if self.health().state in {"empty", "dead"}:
                raise keys.unavailable(keys.pause)

    def export_keys(self) -> dict[str, object]:
        """Return the keys with their time, as JSON values for the `jwks=` of another process."""
        self._core.load_given_keys()
        return export_snapshot((issuer, keys.state) for issuer, keys in self._core.issuers.items())

    def health(self) -> VerifierHealth:
        """Return how the keys of the pool's issuer are."""
        return self._core.health()

    async def __aenter__(self) -> Self:
        """Start the task that refreshes keys.

        Raises:
            ConfigurationError: The keys of `jwks=` cannot be read, or the verifier is entered already.
        """
        self._core.load_given_keys()
        if self._refresher is not None:
            msg = "This verifier is entered already: use one `async with` for its whole life."
            raise ConfigurationError(msg)
        self._refresher = await _Refresher.started(self._refresh)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End that task, and the fetch it may be in."""
        refresher, self._refresher = self._refresher, None
        if refresher is not None:
            await refresher.stop()

    async def _refresh(self) -> float:
        """Fetch every key set that is due, and return the seconds until the next one is."""
        for keys in self._core.issuers.values():
            if keys.due_in(always=keys.issuer == self.pool.issuer) == 0:
                await self._fetch(keys, Fetch())
        return min(keys.due_in(always=keys.issuer == self.pool.issuer) for keys in self._core.issuers.values())

    async def _finish(self, judged: C | Pending[C]) -> C:
        claims = await self._wait_for_key(judged) if isinstance(judged, Pending) else judged
        if self._extra_check is not None:
            await self._check_more(self._extra_check, claims)
        return claims

    async def _check_more(self, extra_check: ExtraCheck, claims: TokenClaims) -> None:
        try:
            verdict: object = extra_check(claims)
            if hasattr(verdict, "__await__"):
                verdict = await cast("Awaitable[object]", verdict)
        except TokenVerificationError as error:
            self._core.reject(error)
            raise
        check_verdict(verdict)

    def _checked_now(self, claims: C) -> C:
        if self._extra_check is not None:
            self._core.check_more(self._extra_check, claims)
        return claims

    async def _wait_for_key(self, pending: Pending[C]) -> C:
        try:
            return self._core.finish(pending, await self._key_of(pending.keys, pending.kid))
        except TokenVerificationError as error:
            self._core.reject(error)
            raise

    async def _key_of(self, keys: IssuerKeys, kid: str) -> VerificationKey:
        flow = find_key(keys, kid, at_most=self._core.policy.hard_wait)
        try:
            wish = next(flow)
            while True:
                wish = flow.send(await self._fetch(keys, wish))
        except StopIteration as found:
            return cast("VerificationKey", found.value)

    async def _fetch(self, keys: IssuerKeys, wish: Fetch) -> int:
        """Fetch once for everybody in this event loop who waits, and take the outcome into the state.

        The one who fetches is shielded from cancellation and leaves when the fetch is over; the others may leave.

        Returns:
            Whether this call fetched, joined a fetch, or did neither.
        """
        import anyio  # noqa: PLC0415 - only where keys are fetched

        here = _current_loop()
        flight = self._flights.get((keys.issuer, here))
        if flight is not None:
            if not wish.beside:
                await flight.over.wait()
            return JOINED if flight.landed else NOT_LOOKED
        if wish.beside and self._refresher is not None and self._refresher.loop is here and not keys.hard:
            self._refresher.wake()
            return NOT_LOOKED
        if wish.lookup_for is not None and not keys.begin_lookup(wish.lookup_for):
            return NOT_LOOKED
        flight = self._flights[keys.issuer, here] = _Flight(anyio.Event())
        try:
            from cognito_oidc._shield import run_shielded  # noqa: PLC0415 - only where keys are fetched

            await run_shielded(lambda: self._fetch_now(keys, wish, flight))
        finally:
            if not flight.landed and wish.lookup_for is not None:
                keys.return_lookup()
            del self._flights[keys.issuer, here]
            flight.over.set()
        return LED

    async def _fetch_now(self, keys: IssuerKeys, wish: Fetch, flight: _Flight) -> None:
        from cognito_oidc._transport import Transport  # noqa: PLC0415 - only where keys are fetched

        transport = self._transport or Transport()
        begun = keys.begin_fetch(wish)
        try:
            keys.fetched(begun, await transport.send(begun.request, attempts=keys.attempts, at_most=wish.at_most))
        except CognitoOidcError as error:
            keys.failed(error, begun, lookup=wish.lookup_for is not None)
        finally:
            flight.landed = True
            if transport is not self._transport:
                await transport.aclose()


class _Flight:
    """A fetch under way in one event loop: what its waiters wait for, and whether it came to an end of its own."""

    __slots__ = ("landed", "over")

    def __init__(self, over: anyio.Event) -> None:
        self.over = over
        self.landed = False


class _Refresher:
    """The task of an entered verifier: fetches the pool's keys at once, and every set when it gets soft.

    Attributes:
        loop: The event loop it runs in; only from there it may be woken.
    """

    def __init__(self, refresh: Callable[[], Awaitable[float]], tasks: TaskGroup, woken: anyio.Event) -> None:
        self.loop = _current_loop()
        self._refresh = refresh
        self._tasks = tasks
        self._woken = woken

    @classmethod
    async def started(cls, refresh: Callable[[], Awaitable[float]]) -> Self:
        import anyio  # noqa: PLC0415 - only where there is a task

        tasks = anyio.create_task_group()
        await tasks.__aenter__()
        refresher = cls(refresh, tasks, anyio.Event())
        tasks.start_soon(refresher._run)
        return refresher

    def wake(self) -> None:
        self._woken.set()

    async def stop(self) -> None:
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)

    async def _run(self) -> None:
        import anyio  # noqa: PLC0415 - only where there is a task

        while True:
            wait = await self._refresh()
            self._woken = anyio.Event()
            with anyio.move_on_after(max(wait, _LEAST_PAUSE)):
                await self._woken.wait()


def _current_loop() -> object:
    from anyio.lowlevel import current_token  # noqa: PLC0415 - only where keys are fetched

    return current_token().native_token
