"""What the asynchronous and the synchronous verifier share: everything but waiting.

Decides in which order a token is judged, and what configures a verifier. Imports nothing that is slow to import: a
process that is given its keys pays for nothing else.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Generic, TypeVar, final

from cognito_oidc._arguments import (
    check_argument,
    check_resource,
    check_verdict,
    checked_client_ids,
    checked_number,
    requirements,
)
from cognito_oidc._event_sink import EventSink
from cognito_oidc._fork_lock import ForkLock
from cognito_oidc._issuer_keys import IssuerKeys
from cognito_oidc._key_snapshot import load_snapshot
from cognito_oidc.errors import ConfigurationError, InvalidClaimError, TokenVerificationError, shown
from cognito_oidc.protocol.claims import (
    NO_REQUIREMENTS,
    Requirements,
    TokenRules,
    check_access_token,
    check_again,
    check_id_token,
    check_requirements,
    check_times,
)
from cognito_oidc.protocol.jws import decode_payload, parse_header, split_token, verify_signature
from cognito_oidc.protocol.key_cache import CachePolicy, Instant
from cognito_oidc.protocol.provider import UserPool
from cognito_oidc.protocol.typed_claims import AccessTokenClaims, C, IdTokenClaims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from os import PathLike

    from cognito_oidc._verified_tokens import VerifiedTokens
    from cognito_oidc._verifier_health import VerifierHealth
    from cognito_oidc.protocol.events import VerifierEvent
    from cognito_oidc.protocol.jwks import VerificationKey
    from cognito_oidc.protocol.typed_claims import TokenClaims

E = TypeVar("E")

MAX_ACCESS_TOKEN: Final = 16 * 1024
MAX_ID_TOKEN: Final = 128 * 1024

_MAX_HEADERS: Final = 64
_NOTHING: Final = ()  # the default of what a call may ask for: one and the same tuple
_FUTURE: Final = 60.0  # seconds by which clocks may differ
_ISSUER_CAUSES: Final = (
    "The token is from another user pool, or from no user pool at all: compare the pool id.",
    "The pool is reached under another address here: a local server needs endpoint_url, as the token's issuer has it.",
)


class TokenKind(Generic[C, E]):
    """How one kind of token is judged: access tokens and ID tokens differ in their claims alone.

    Attributes:
        check: Checks the claims of a token, as `check_access_token` does.
        rules: What is asked of every token of the kind.
        max_length: Characters a token may have.
        memory: The memory of verified tokens, where there is one.
    """

    __slots__ = ("check", "max_length", "memory", "rules")

    def __init__(
        self,
        check: Callable[[dict[str, object], float, E, TokenRules[C], bool], C],
        rules: TokenRules[C],
        *,
        max_length: int,
    ) -> None:
        self.check = check
        self.rules = rules
        self.max_length = max_length
        self.memory: VerifiedTokens[C, E] | None = None


@final
class Pending(Generic[C]):
    """A token that passed every check which needs no fetch; the key set has to be fetched or refreshed first."""

    __slots__ = ("claims", "expected", "header", "keys", "kid", "signature", "signing_input", "verified_with")

    def __init__(  # noqa: PLR0917 - internal, and made in one place
        self,
        keys: IssuerKeys,
        kid: str,
        header: bytes,
        signature: bytes,
        signing_input: bytes,
        claims: C,
        expected: object,
        verified_with: VerificationKey | None,
    ) -> None:
        self.keys = keys
        self.kid = kid
        self.header = header
        self.signature = signature
        self.signing_input = signing_input
        self.claims = claims
        self.expected = expected
        self.verified_with = verified_with


class VerifierCore:
    """A verifier without waiting."""

    def __init__(
        self,
        pool: UserPool,
        *,
        client_ids: Iterable[str] | None,
        leeway: float,
        policy: CachePolicy | None,
        jwks: Mapping[str, object] | str | PathLike[str] | None,
        resource: str | None,
        access_token_claims: type[AccessTokenClaims],
        id_token_claims: type[IdTokenClaims],
        max_access_token: int,
        max_id_token: int,
        verified_cache_size: int,
        extra_check: Callable[[TokenClaims], object] | None,
        on_event: Callable[[VerifierEvent], None] | None,
        clock: Callable[[], float] | None,
    ) -> None:
        """Check and keep what configures a verifier."""
        check_argument(isinstance(pool, UserPool), "pool", "a UserPool", pool)
        check_argument(policy is None or isinstance(policy, CachePolicy), "policy", "a CachePolicy or None", policy)
        check_resource(resource)
        for what, made, base in (
            ("access_token_claims", access_token_claims, AccessTokenClaims),
            ("id_token_claims", id_token_claims, IdTokenClaims),
        ):
            fits = isinstance(made, type) and issubclass(made, base)
            check_argument(fits, what, f"{base.__name__} or a subclass", made)
        for what, function in (("on_event", on_event), ("clock", clock), ("extra_check", extra_check)):
            check_argument(function is None or callable(function), what, "a function or None", function)
        self.pool = pool
        self.policy = policy or CachePolicy()
        self._wanted = NO_REQUIREMENTS if resource is None else Requirements(resource=resource)
        self._leeway = checked_number(leeway, "leeway")
        accepted = checked_client_ids(client_ids)
        self.access = TokenKind(
            check_access_token,
            TokenRules(access_token_claims, client_ids=accepted, leeway=self._leeway),
            max_length=int(checked_number(max_access_token, "max_access_token")),
        )
        memory_size = int(checked_number(verified_cache_size, "verified_cache_size"))
        if memory_size:
            from cognito_oidc._verified_tokens import VerifiedTokens  # noqa: PLC0415 - 2.4 ms that only it needs

            self.access.memory = VerifiedTokens(memory_size, self.access.rules, check_again)
        self.identity = TokenKind(
            check_id_token,
            TokenRules(id_token_claims, client_ids=accepted, leeway=self._leeway),
            max_length=int(checked_number(max_id_token, "max_id_token")),
        )
        self._events = EventSink(on_event)
        self.clock = clock or time.time
        # A clock of a test turns both hands.
        monotonic = time.monotonic if clock is None else clock
        self.issuers = {
            issuer: IssuerKeys(
                issuer, jwks_uri, policy=self.policy, clock=self.clock, monotonic=monotonic, events=self._events
            )
            for issuer, jwks_uri in pool.accepted_issuers.items()
        }
        # Which issuer's keys a header text was last verified with, so that a signature is judged before anything else.
        # The two issuers of a pool serve the same keys, so one kid never stands for two (AWS, "federation-endpoints").
        self._by_header: dict[bytes, IssuerKeys] = {}
        self._given = jwks
        self._given_lock = ForkLock()

    def wanted(
        self,
        required_scopes: Iterable[str],
        any_of_scopes: Iterable[str],
        required_groups: Iterable[str],
        any_of_groups: Iterable[str],
        resource: str | None,
    ) -> Requirements:
        """Return what a call asks of an access token.

        Raises:
            ConfigurationError: It is of a type that no check could be made with.
        """
        if resource is None:
            if required_scopes is any_of_scopes is required_groups is any_of_groups is _NOTHING:
                return self._wanted
            resource = self._wanted.resource
        return requirements(required_scopes, any_of_scopes, required_groups, any_of_groups, resource)

    def judge(self, token: str, kind: TokenKind[C, E], expected: E) -> C | Pending[C]:
        """Run the column of checks, cheap ones first; return what is left to do where the key is not at hand.

        With the key at hand the signature is judged before any claim. Without it the claims are judged first, so that
        a token which is refused anyway costs no fetch; such an error says `signature_checked=False`.
        """
        try:
            header, payload_segment, signature, signing_input = split_token(token, kind.max_length)
            keys = self._by_header.get(header)
            if keys is None or (key := keys.fresh_key(header, now := self.clock())) is None:
                payload = decode_payload(payload_segment)
                return self._judge_slowly(header, payload, signature, signing_input, kind, expected)
            memory, digest = kind.memory, None
            if memory is not None:
                digest = memory.sha256(signing_input).digest()
                seen = memory.find(digest, signature, key, now, expected)
                if seen is not None:
                    return seen
            verify_signature(signature, signing_input, key.public_key, digest)
            payload = decode_payload(payload_segment, signed=True)
            if payload.get("iss") != keys.issuer:
                return self._judge_slowly(header, payload, signature, signing_input, kind, expected)
            claims = kind.check(payload, now, expected, kind.rules, True)  # noqa: FBT003 - by position, on the hot path
            if memory is not None and digest is not None:
                memory.keep(digest, signature, key, claims, expected)
        except TokenVerificationError as error:
            if self._events.listens():
                self.reject(error)
            raise
        return claims

    def without_waiting(self, judged: C | Pending[C]) -> C:
        """Finish what was judged with the keys that are there.

        Raises:
            KeysNotLoadedError: There are none that may be used.
            UnknownKeyError: They do not have the token's kid.
        """
        if not isinstance(judged, Pending):
            return judged
        try:
            return self.finish(judged, judged.keys.key_without_waiting(judged.kid))
        except TokenVerificationError as error:
            self.reject(error)
            raise

    def finish(self, pending: Pending[C], key: VerificationKey) -> C:
        """Check the signature with the key that was waited for, and then what had to wait for the signature."""
        if key is not pending.verified_with:
            verify_signature(pending.signature, pending.signing_input, key.public_key)
        check_times(pending.claims.raw, self.clock(), self._leeway)  # the fetch took its time
        wanted = pending.expected
        if pending.verified_with is None and isinstance(wanted, Requirements):
            check_requirements(pending.claims, wanted)
        self._remember_header(pending.header, key, pending.keys)
        return pending.claims

    def reject(self, error: TokenVerificationError) -> None:
        """Tell that a token was refused, where somebody listens: a flood of forged tokens must stay cheap."""
        if self._events.listens():
            from cognito_oidc.protocol.events import TokenRejected  # noqa: PLC0415 - only where somebody listens

            self._events.tell(TokenRejected(error.code))

    def check_more(self, extra_check: Callable[[TokenClaims], object], claims: TokenClaims) -> None:
        """Run the caller's own check.

        Raises:
            ConfigurationError: It is async, or answers instead of raising.
        """
        try:
            verdict = extra_check(claims)
        except TokenVerificationError as error:
            self.reject(error)
            raise
        if hasattr(verdict, "__await__"):
            if hasattr(verdict, "close"):
                verdict.close()  # a coroutine that nobody would await
            msg = "extra_check is async, which a call without waiting cannot await: give it a plain function."
            raise ConfigurationError(msg)
        check_verdict(verdict)

    def load_given_keys(self) -> None:
        """Read the keys of `jwks=`, once.

        Raises:
            ConfigurationError: They cannot be read.
        """
        if self._given is None:
            return
        with self._given_lock:  # who comes second waits until they are there
            if self._given is None:
                return
            for one in load_snapshot(self._given, issuers=self.issuers, default_issuer=self.pool.issuer):
                keys = self.issuers[one.issuer]
                now = keys.now()
                age = 0.0 if one.fetched_at is None else max(0.0, now.wall - one.fetched_at)
                if one.fetched_at is not None and one.fetched_at > now.wall + _FUTURE:
                    msg = "jwks=: the snapshot's time lies in the future: export it again, or set this machine's clock."
                    raise ConfigurationError(msg)
                keys.put(one.key_set, at=Instant(now.wall - age, now.monotonic - age))  # no fetch, and so no event
            self._given = None

    def health(self) -> VerifierHealth:
        """Return how the keys of the pool's own issuer are."""
        from cognito_oidc._verifier_health import health_of  # noqa: PLC0415 - not on the verification path

        self.load_given_keys()
        return health_of(self.issuers[self.pool.issuer], self.policy)

    def _judge_slowly(  # noqa: PLR0917 - what judge has taken apart
        self,
        header: bytes,
        payload: dict[str, object],
        signature: bytes,
        signing_input: bytes,
        kind: TokenKind[C, E],
        expected: E,
    ) -> C | Pending[C]:
        """Judge a token whose header is new, whose keys are not fresh, or which is of the pool's other issuer."""
        self.load_given_keys()
        keys = self._keys_of(payload)
        kid = parse_header(header)
        decision = keys.decide(kid)
        key = decision.key
        if key is not None:
            verify_signature(signature, signing_input, key.public_key)
        try:
            claims = kind.check(payload, self.clock(), expected, kind.rules, key is not None)
        except InvalidClaimError as error:
            error.signature_checked = key is not None
            raise
        if key is None or decision.action != "use":
            return Pending(keys, kid, header, signature, signing_input, claims, expected, key)
        self._remember_header(header, key, keys)
        return claims

    def _remember_header(self, header: bytes, key: VerificationKey, keys: IssuerKeys) -> None:
        """Remember a header that was checked, with the key it names; both memories are bounded."""
        if len(self._by_header) >= _MAX_HEADERS:
            self._by_header.clear()
        self._by_header[header] = keys
        keys.remember_header(header, key)

    def _keys_of(self, payload: dict[str, object]) -> IssuerKeys:
        """Return the keys of the issuer a token names, if it is one of the pool's. No address comes from the token."""
        iss = payload.get("iss")
        keys = self.issuers.get(iss) if type(iss) is str else None
        if keys is None:
            expected = " or ".join(self.issuers)
            msg = f"The token's iss is {shown(iss, limit=150)}, expected {expected}."
            raise InvalidClaimError(
                msg,
                claim="iss",
                expected=expected,
                actual=shown(iss, limit=150),
                signature_checked=False,
                causes=_ISSUER_CAUSES,
            )
        return keys
