"""What the asynchronous and the synchronous verifier share: everything but waiting.

Decides in which order a token is judged, and what configures a verifier. Imports nothing that is slow to import: a
process that is given its keys pays for nothing else.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from cognito_oidc._event_sink import EventSink
from cognito_oidc._fork_lock import ForkLock
from cognito_oidc._issuer_keys import IssuerKeys
from cognito_oidc._key_snapshot import load_snapshot
from cognito_oidc.errors import ConfigurationError, InvalidClaimError, TokenVerificationError, shown, shown_number
from cognito_oidc.protocol.claims import (
    NO_REQUIREMENTS,
    Requirements,
    check_access_token,
    check_again,
    check_id_token,
    check_requirements,
    check_times,
)
from cognito_oidc.protocol.jws import decode_payload, parse_header, split_token, verify_signature
from cognito_oidc.protocol.key_cache import Action, CachePolicy, Instant, age_of
from cognito_oidc.protocol.typed_claims import maker_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from os import PathLike

    from cognito_oidc.protocol.events import VerifierEvent
    from cognito_oidc.protocol.jwks import VerificationKey
    from cognito_oidc.protocol.provider import UserPool
    from cognito_oidc.protocol.typed_claims import AccessTokenClaims, IdTokenClaims, TokenClaims

C = TypeVar("C", bound="TokenClaims")
E = TypeVar("E")

MAX_ACCESS_TOKEN: Final = 16 * 1024
MAX_ID_TOKEN: Final = 128 * 1024

_MAX_HEADERS: Final = 64
_FUTURE: Final = 60.0  # seconds by which clocks may differ
_ISSUER_CAUSES: Final = (
    "The token is from another user pool, or from no user pool at all: compare the pool id.",
    "The pool is reached under another address here: a local server needs endpoint_url, as the token's issuer has it.",
)


class VerifierHealth(NamedTuple):
    """How a verifier's keys are.

    Attributes:
        state: `"empty"` (none yet), `"fresh"`, `"soft"`, `"hard"` or `"dead"`.
        age: Seconds since the last good fetch, or None.
        last_error: What the last fetch said, if it failed.
        next_attempt_in: Seconds before which no fetch is tried after a failure, or None.
    """

    state: str
    age: float | None
    last_error: str | None
    next_attempt_in: float | None


class IdExpectations(NamedTuple):
    """What the caller knows about an ID token. None leaves a check out."""

    nonce: str | None
    access_token: str | None
    max_age: float | None


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


class _Remembered(NamedTuple):
    signature: bytes
    keys: IssuerKeys
    epoch: object
    payload: Mapping[str, object]
    claims: AccessTokenClaims


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
        on_event: Callable[[VerifierEvent], None] | None,
        clock: Callable[[], float] | None,
    ) -> None:
        """Check and keep what configures a verifier."""
        self.pool = pool
        self.policy = policy or CachePolicy()
        self._client_ids = _checked_client_ids(client_ids)
        self._leeway = _checked_number(leeway, "leeway")
        self._wanted = NO_REQUIREMENTS if resource is None else Requirements(resource=resource)
        self._make_access_claims = maker_of(access_token_claims)
        self._make_id_claims = maker_of(id_token_claims)
        self._max_access = int(_checked_number(max_access_token, "max_access_token"))
        self._max_id = int(_checked_number(max_id_token, "max_id_token"))
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
        self._memory: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._memory_size = int(_checked_number(verified_cache_size, "verified_cache_size"))
        if self._memory_size:
            from hashlib import sha256  # noqa: PLC0415 - 2.4 ms that only the memory needs

            self._sha256 = sha256

    def wanted(
        self,
        required_scopes: Iterable[str],
        any_of_scopes: Iterable[str],
        required_groups: Iterable[str],
        any_of_groups: Iterable[str],
        resource: str | None,
    ) -> Requirements:
        """Return what a call asks of the token."""
        if resource is None:
            if required_scopes == any_of_scopes == required_groups == any_of_groups == ():
                return self._wanted
            resource = self._wanted.resource
        if type(required_scopes) is type(any_of_scopes) is type(required_groups) is type(any_of_groups) is tuple:
            try:
                return _remembered_requirements(
                    required_scopes, any_of_scopes, required_groups, any_of_groups, resource
                )
            except TypeError:  # a member that cannot be remembered is no name either: _names says so
                pass
        return _requirements(required_scopes, any_of_scopes, required_groups, any_of_groups, resource)

    @staticmethod
    def expected(nonce: str | None, access_token: str | None, max_age: float | None) -> IdExpectations:
        """Return what a call knows about an ID token.

        Raises:
            ConfigurationError: It is of a type that no check could be made with.
        """
        for name, value in (("nonce", nonce), ("access_token", access_token)):
            if value is not None and not isinstance(value, str):
                msg = f"{name}: expected a str or None, got {type(value).__name__}."
                raise ConfigurationError(msg)
        return IdExpectations(nonce, access_token, None if max_age is None else _checked_number(max_age, "max_age"))

    def access_token(self, token: str, wanted: Requirements) -> AccessTokenClaims | Pending[AccessTokenClaims]:
        """Judge an access token; return what is left to do where its key is not at hand."""
        if not self._memory_size:
            return self._judge(token, self._max_access, self._check_access, wanted)
        digest, signature = self._digest_of(token)
        entry = self._memory.get(digest)
        if entry is not None and entry.signature == signature and self._still_good(digest, entry, wanted):
            return entry.claims
        epochs = {issuer: keys.epoch for issuer, keys in self.issuers.items()}  # before: keys may change meanwhile
        judged = self._judge(token, self._max_access, self._check_access, wanted)
        if not isinstance(judged, Pending):
            self._remember(digest, signature, judged, epochs[judged.iss])
        return judged

    def id_token(self, token: str, expected: IdExpectations) -> IdTokenClaims | Pending[IdTokenClaims]:
        """Judge an ID token; return what is left to do where its key is not at hand."""
        return self._judge(token, self._max_id, self._check_id, expected)

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
        self.load_given_keys()
        keys = self.issuers[self.pool.issuer]
        state, now = keys.state, keys.now()
        wait = state.next_attempt - now.monotonic
        pause = wait if wait > 0 else None
        if state.key_set is None:
            return VerifierHealth("empty", None, state.last_error, pause)
        age = age_of(state, now)
        ages = (("fresh", state.soft_after), ("soft", self.policy.hard_after), ("hard", self.policy.dead_after))
        name = next((name for name, until in ages if age < until), "dead")
        return VerifierHealth(name, age, state.last_error, pause)

    def _judge(
        self,
        token: str,
        max_length: int,
        check: Callable[[dict[str, object], float, E, bool], C],
        expected: E,
    ) -> C | Pending[C]:
        """Run the column of checks, cheap ones first.

        With the key at hand the signature is judged before any claim. Without it the claims are judged first, so that
        a token which is refused anyway costs no fetch; such an error says `signature_checked=False`.
        """
        if self._given is not None:
            self.load_given_keys()
        key = None
        try:
            header, payload_segment, signature, signing_input = split_token(token, max_length)
            now = self.clock()
            keys = self._by_header.get(header)
            if keys is not None:
                key = keys.fresh_key(header, now)
                if key is not None:
                    verify_signature(signature, signing_input, key.public_key)
            payload = decode_payload(payload_segment)
            if key is None or keys is None or payload.get("iss") != keys.issuer:
                return self._judge_slowly(header, payload, signature, signing_input, check, expected)
            claims = check(payload, now, expected, True)  # noqa: FBT003 - by position, on the hot path
        except TokenVerificationError as error:
            self.reject(error)
            raise
        return claims

    def _judge_slowly(  # noqa: PLR0917 - what _judge has taken apart
        self,
        header: bytes,
        payload: dict[str, object],
        signature: bytes,
        signing_input: bytes,
        check: Callable[[dict[str, object], float, E, bool], C],
        expected: E,
    ) -> C | Pending[C]:
        """Judge a token whose header is new, whose keys are not fresh, or which is of the pool's other issuer."""
        keys = self._keys_of(payload)
        kid = parse_header(header)
        decision = keys.decide(kid)
        key = decision.key
        if key is not None:
            verify_signature(signature, signing_input, key.public_key)
        try:
            claims = check(payload, self.clock(), expected, key is not None)
        except InvalidClaimError as error:
            error.signature_checked = key is not None
            raise
        if key is None or decision.action is not Action.USE:
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

    def _check_access(
        self,
        payload: dict[str, object],
        now: float,
        wanted: Requirements,
        signed: bool,  # noqa: FBT001 - by position, on the hot path
    ) -> AccessTokenClaims:
        claims = check_access_token(
            payload, self._client_ids, now, self._leeway, wanted.resource, self._make_access_claims, signed
        )
        if signed and wanted is not self._wanted:
            check_requirements(claims, wanted)
        return claims

    def _check_id(
        self,
        payload: dict[str, object],
        now: float,
        expected: IdExpectations,
        signed: bool,  # noqa: FBT001
    ) -> IdTokenClaims:
        return check_id_token(
            payload,
            client_ids=self._client_ids,
            now=now,
            leeway=self._leeway,
            nonce=expected.nonce,
            max_age=expected.max_age,
            access_token=expected.access_token,
            make=self._make_id_claims,
            signed=signed,
        )

    def _digest_of(self, token: str) -> tuple[bytes, bytes]:
        """Return the SHA-256 of a token's signing input, and its signature; of what is no token, nothing."""
        try:
            signing_input, _, signature = token.encode("ascii").rpartition(b".")
        except (AttributeError, ValueError):
            return b"", b""  # the column of checks says what is wrong
        return self._sha256(signing_input).digest(), signature

    def _still_good(self, digest: bytes, entry: _Remembered, wanted: Requirements) -> bool:
        """Check what may have changed since a token was verified; False where it has to be verified anew.

        Raises:
            TokenVerificationError: Its time is over, or it does not have what is wanted.
        """
        now = self.clock()
        if not entry.keys.is_fresh(entry.epoch, now):
            self._memory.clear()  # the key set changed, or is no longer fresh
            return False
        try:
            self._memory.move_to_end(digest)
        except KeyError:  # another thread has just cleared the memory
            return False
        try:
            check_again(entry.payload, entry.claims, now, self._leeway, wanted)
        except TokenVerificationError as error:
            self.reject(error)
            raise
        return True

    def _remember(self, digest: bytes, signature: bytes, claims: AccessTokenClaims, epoch: object) -> None:
        """Remember a token that was verified with the keys of `epoch`, or later ones."""
        self._memory[digest] = _Remembered(signature, self.issuers[claims.iss], epoch, claims.raw, claims)
        if len(self._memory) > self._memory_size:
            try:  # noqa: SIM105 - suppress() costs more than all the rest here
                self._memory.popitem(last=False)
            except KeyError:  # another thread has just cleared the memory
                pass


def _requirements(
    required_scopes: Iterable[str],
    any_of_scopes: Iterable[str],
    required_groups: Iterable[str],
    any_of_groups: Iterable[str],
    resource: str | None,
) -> Requirements:
    return Requirements(
        _names(required_scopes, "required_scopes"),
        _names(any_of_scopes, "any_of_scopes"),
        _names(required_groups, "required_groups"),
        _names(any_of_groups, "any_of_groups"),
        resource,
    )


# A route asks the same of every token. Only tuples are remembered: what else is hashable may change.
_remembered_requirements = lru_cache(maxsize=128)(_requirements)


def check_verdict(verdict: object) -> None:
    """Refuse a check that answers instead of raising: its author may believe that False refuses the token.

    Raises:
        ConfigurationError: It returned something.
    """
    if verdict is not None:
        msg = f"extra_check returned {shown(verdict)}, expected None: it refuses a token by raising an exception."
        raise ConfigurationError(msg)


def _names(values: Iterable[str], what: str) -> tuple[str, ...]:
    """Return names given by a caller; a bare string is the mistake of forgetting the comma."""
    if isinstance(values, str | bytes):
        msg = f"{what}: expected several names, got one text: write ({values!r:.60},)."
        raise ConfigurationError(msg)
    try:
        names = tuple(values)
    except TypeError:
        msg = f"{what}: expected names, got {type(values).__name__}."
        raise ConfigurationError(msg) from None
    if not all(isinstance(name, str) and name for name in names):
        msg = f"{what}: expected names that are not empty."
        raise ConfigurationError(msg)
    return names


def _checked_client_ids(client_ids: Iterable[str] | None) -> frozenset[str] | None:
    if client_ids is None:
        return None
    names = frozenset(_names(client_ids, "client_ids"))
    if not names:
        msg = "client_ids is empty, so that no token could pass: name the app clients, or write None for every one."
        raise ConfigurationError(msg)
    return names


def _checked_number(value: float, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        msg = f"{what}: expected a number of 0 or more, got {shown_number(value)}."
        raise ConfigurationError(msg)
    return value
