"""The resource server's half without an event loop: for Flask, Django, Lambda handlers and scripts.

Decides who fetches keys and who waits, among threads. Everything else is the asynchronous verifier's, to the letter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from cognito_oidc._arguments import id_expectations
from cognito_oidc._fork_lock import ForkLock
from cognito_oidc._issuer_keys import JOINED, LED, NOT_LOOKED, Fetch, find_key
from cognito_oidc._key_snapshot import export_snapshot
from cognito_oidc._verification import (
    MAX_ACCESS_TOKEN,
    MAX_ID_TOKEN,
    Pending,
    VerifierCore,
)
from cognito_oidc.errors import CognitoOidcError, TokenVerificationError
from cognito_oidc.protocol.typed_claims import AccessTokenClaims, C, IdTokenClaims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from os import PathLike

    import httpx

    from cognito_oidc._issuer_keys import IssuerKeys
    from cognito_oidc._transport import SyncTransport
    from cognito_oidc._verifier_health import VerifierHealth
    from cognito_oidc.protocol.events import VerifierEvent
    from cognito_oidc.protocol.jwks import VerificationKey
    from cognito_oidc.protocol.key_cache import CachePolicy
    from cognito_oidc.protocol.provider import UserPool
    from cognito_oidc.protocol.typed_claims import TokenClaims

_LONGEST_FETCH: Final = 6.0  # seconds; the transport ends a fetch after five


class SyncTokenVerifier:
    """Verifies the tokens of one user pool, without `await`. Thread-safe: one for the whole process.

    Same checks, keys and promises as `TokenVerifier`. Nothing runs in the background: in the soft age one caller
    refreshes, for a second at most, while the others use the keys that are there.
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
        http_client: httpx.Client | None = None,
        access_token_claims: type[AccessTokenClaims] = AccessTokenClaims,
        id_token_claims: type[IdTokenClaims] = IdTokenClaims,
        extra_check: Callable[[TokenClaims], None] | None = None,
        max_access_token: int = MAX_ACCESS_TOKEN,
        max_id_token: int = MAX_ID_TOKEN,
        verified_cache_size: int = 0,
        on_event: Callable[[VerifierEvent], None] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Configure a verifier; nothing is fetched or read yet.

        Args:
            pool: As in `TokenVerifier`, and so are the others.
            client_ids: The app clients whose tokens are accepted. None, which must be written, accepts every one.
            leeway: Seconds by which a token may have expired.
            policy: When keys are used and fetched.
            jwks: Keys to start with.
            resource: The resource server this is.
            http_client: An `httpx.Client` to fetch keys with; it is not closed.
            access_token_claims: A subclass to return the claims of access tokens as.
            id_token_claims: A subclass to return the claims of ID tokens as.
            extra_check: Called with the claims after all other checks; raises to refuse, and returns None to accept.
            max_access_token: Characters an access token may have.
            max_id_token: Characters an ID token may have.
            verified_cache_size: How many verified access tokens to remember.
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
        self._transport: SyncTransport | None = None
        if http_client is not None:
            from cognito_oidc._transport import SyncTransport  # noqa: PLC0415 - whoever has a client has paid for it

            self._transport = SyncTransport(http_client)
        self._extra_check = extra_check
        self._lock = ForkLock()
        self._flights: dict[str, _Flight] = {}

    @property
    def pool(self) -> UserPool:
        """The user pool."""
        return self._core.pool

    def verify_access_token(
        self,
        token: str,
        *,
        required_scopes: Iterable[str] = (),
        any_of_scopes: Iterable[str] = (),
        required_groups: Iterable[str] = (),
        any_of_groups: Iterable[str] = (),
        resource: str | None = None,
    ) -> AccessTokenClaims:
        """Return the claims of an access token; as `TokenVerifier.verify_access_token`.

        Raises:
            TokenVerificationError: The token must not be trusted (401; `InsufficientScopeError`: 403).
            KeysUnavailableError: The keys cannot be had now (503).
        """
        wanted = self._core.wanted(required_scopes, any_of_scopes, required_groups, any_of_groups, resource)
        judged = self._core.judge(token, self._core.access, wanted)
        if self._extra_check is None and type(judged) is not Pending:
            return judged
        return self._finish(judged)

    def verify_id_token(
        self, token: str, *, nonce: str | None, access_token: str | None = None, max_age: float | None = None
    ) -> IdTokenClaims:
        """Return the claims of an ID token; as `TokenVerifier.verify_id_token`.

        Raises:
            TokenVerificationError: The token must not be trusted.
            KeysUnavailableError: The keys cannot be had now.
        """
        return self._finish(self._core.judge(token, self._core.identity, id_expectations(nonce, access_token, max_age)))

    def preload(self) -> None:
        """Fetch the keys of the pool's issuer now, unless fresh ones are there.

        Raises:
            KeysUnavailableError: They cannot be had, and there are no old ones to go on with.
        """
        if self.health().state != "fresh":
            keys = self._core.issuers[self.pool.issuer]
            if keys.pause is None:
                self._fetch(keys, Fetch())
            if self.health().state in {"empty", "dead"}:
                raise keys.unavailable(keys.pause)

    def export_keys(self) -> dict[str, object]:
        """Return the keys with their time, as JSON values for the `jwks=` of another process."""
        self._core.load_given_keys()
        return export_snapshot((issuer, keys.state) for issuer, keys in self._core.issuers.items())

    def health(self) -> VerifierHealth:
        """Return how the keys of the pool's issuer are."""
        return self._core.health()

    def _finish(self, judged: C | Pending[C]) -> C:
        claims = self._wait_for_key(judged) if isinstance(judged, Pending) else judged
        if self._extra_check is not None:
            self._core.check_more(self._extra_check, claims)
        return claims

    def _wait_for_key(self, pending: Pending[C]) -> C:
        try:
            return self._core.finish(pending, self._key_of(pending.keys, pending.kid))
        except TokenVerificationError as error:
            self._core.reject(error)
            raise

    def _key_of(self, keys: IssuerKeys, kid: str) -> VerificationKey:
        flow = find_key(keys, kid, at_most=self._core.policy.hard_wait)
        try:
            wish = next(flow)
            while True:
                wish = flow.send(self._fetch(keys, wish))
        except StopIteration as found:
            return cast("VerificationKey", found.value)

    def _fetch(self, keys: IssuerKeys, wish: Fetch) -> int:
        """Fetch once for every thread that waits, and take the outcome into the state.

        Returns:
            Whether this call fetched, joined a fetch, or did neither.
        """
        flight = _Flight()
        with self._lock:
            other = self._flights.get(keys.issuer)
            if other is None or other.process != flight.process:  # a fetch of the process this one was forked from
                if wish.lookup_for is not None and not keys.begin_lookup(wish.lookup_for):
                    return NOT_LOOKED
                other, self._flights[keys.issuer] = None, flight
        if other is not None:
            if wish.beside:
                return JOINED
            return JOINED if other.over.wait(_LONGEST_FETCH) else NOT_LOOKED
        try:
            self._fetch_now(keys, wish)
        finally:
            with self._lock:
                self._flights.pop(keys.issuer, None)
            flight.over.set()
        return LED

    def _fetch_now(self, keys: IssuerKeys, wish: Fetch) -> None:
        from cognito_oidc._transport import SyncTransport  # noqa: PLC0415 - only where keys are fetched

        transport = self._transport or SyncTransport()
        begun = keys.begin_fetch(wish)
        try:
            keys.fetched(begun, transport.send(begun.request, attempts=keys.attempts, at_most=wish.at_most))
        except CognitoOidcError as error:
            keys.failed(error, begun, lookup=wish.lookup_for is not None)


class _Flight:
    """A fetch under way: what its waiters wait for, and whose it is."""

    __slots__ = ("over", "process")

    def __init__(self) -> None:
        from os import getpid  # noqa: PLC0415 - only where keys are fetched
        from threading import Event  # noqa: PLC0415 - the same

        self.over = Event()
        self.process = getpid()
