"""What a test may steer and look at: the clock, the switches, the faults, the journal.

Decides what each of them is and how they are kept safe between threads; the endpoints decide when to ask them.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, Protocol

from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from cognito_oidc.emulator.pools import EmulatedPool

ENDPOINTS: Final = ("discovery", "jwks", "authorize", "login", "token", "userinfo", "revoke", "logout", "error")
_MASK: Final = "***"
_SECRET_PARAMETERS: Final = frozenset(
    {
        "_csrf",
        "access_token",
        "client_secret",
        "code",
        "code_verifier",
        "id_token_hint",
        "password",
        "refresh_token",
        "token",
    },
)
_JOURNAL_LENGTH: Final = 10_000  # a server may run for days
_MAX_JOURNAL_VALUE: Final = 2_048  # characters; a callback URL has at most 1,024


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What the emulator does where it is not known what Amazon Cognito does.

    A program that passes its tests under both positions of a switch works whichever turns out to be true.

    Attributes:
        invalid_client_status: Status of `invalid_client` at `/oauth2/token`. The guide's general map says 400.
        invalid_client_description: The `error_description` beside a wrong client secret, or None for none.
        nonce_on_refresh: Whether an ID token from a refresh repeats the nonce of the sign-in.
        machine_scope_not_allowed: A scope that the app client lacks, at client credentials: `"reject"` answers
            `invalid_scope`, `"ignore"` leaves it out, as one page of the guide says.
        authorize_scope_not_allowed: The same at `/oauth2/authorize`: `error=invalid_scope` on the redirect URI,
            `error=invalid_request` with the description `invalid_scope`, or Cognito's own error page. All were seen.
        verifier_without_challenge: A `code_verifier` for a code that was asked for without a challenge.
        refresh_reuse_revokes_sign_in: Whether a refresh token that was rotated out kills the whole sign-in when used.
        revoke_secret_in_body: Whether `/oauth2/revoke` takes `client_secret` in the form beside the documented header.
        userinfo_by_post: Whether userInfo answers POST as well as the documented GET.
        userinfo_missing_scope_status: Status of userInfo for an access token without the scope `openid`.
        logout_keeps_pkce: Whether `/logout` with `redirect_uri` hands `code_challenge` on to the login page.
        both_issuer_hosts: Whether discovery and keys are also served on the host of the issuer type that the pool
            does not use.
        key_set_max_age: `max-age` of the key set's Cache-Control header in seconds, or None for no such header.
    """

    invalid_client_status: Literal[400, 401] = 400
    invalid_client_description: str | None = "invalid_client_secret"
    nonce_on_refresh: bool = False
    machine_scope_not_allowed: Literal["reject", "ignore"] = "reject"
    authorize_scope_not_allowed: Literal["invalid_scope", "invalid_request", "error_page"] = "invalid_scope"
    verifier_without_challenge: Literal["reject", "ignore"] = "reject"
    refresh_reuse_revokes_sign_in: bool = False
    revoke_secret_in_body: bool = True
    userinfo_by_post: bool = False
    userinfo_missing_scope_status: Literal[401, 403] = 401
    logout_keeps_pkce: bool = False
    both_issuer_hosts: bool = True
    key_set_max_age: int | None = None


class EmulatorClock:
    """Epoch seconds that start at real time and run; `advance` puts them forward.

    Calling the clock gives the time, so it fits every `clock=` argument of the library. Safe between threads.
    """

    __slots__ = ("_ahead", "_lock", "_real_time")

    def __init__(self, real_time: Callable[[], float] = time.time) -> None:
        self._real_time = real_time
        self._ahead = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Return epoch seconds UTC."""
        with self._lock:
            return self._real_time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Put the clock forward by `seconds`.

        Raises:
            ConfigurationError: `seconds` is negative: sessions and codes that have ended would come back.
        """
        if seconds < 0:
            raise ConfigurationError(f"seconds must not be negative, got {seconds!r}: the emulator's time only goes on")
        with self._lock:
            self._ahead += seconds


class Surroundings(Protocol):
    """What a pool needs of the emulator that it lives in."""

    @property
    def clock(self) -> EmulatorClock:
        """The emulator's time."""
        ...

    @property
    def behaviour(self) -> Behaviour:
        """The emulator's switches."""
        ...

    @property
    def lock(self) -> threading.RLock:
        """What guards the state of all pools."""
        ...

    def http_client(self) -> httpx.AsyncClient:
        """Return a client whose requests reach the emulator in process."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One request that arrived.

    Attributes:
        endpoint: `discovery`, `jwks`, `authorize`, `login`, `token`, `userinfo`, `revoke`, `logout`, `error`, or
            `unknown`.
        pool_id: The user pool that was addressed, or None.
        method: The HTTP method.
        parameters: Query and form parameters, the first of each name; secrets are `***`.
        status: The status that was answered.
        received_at: Epoch seconds by the emulator's clock.
    """

    endpoint: str
    pool_id: str | None
    method: str
    parameters: Mapping[str, str]
    status: int
    received_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One answer to give instead of the right one; made by `CognitoEmulator.fail_next`."""

    status: int | None
    headers: Mapping[str, str]
    body: bytes
    delay: float
    processed: bool


def build_fault(
    *,
    status: int | None,
    retry_after: float | None,
    body: str | bytes | Mapping[str, object],
    content_type: str,
    headers: Mapping[str, str] | None,
    delay: float,
    processed: bool,
) -> Fault:
    """Build a fault from the arguments of `CognitoEmulator.fail_next`.

    Raises:
        ConfigurationError: The status is no status of a final answer, or the delay is negative.
    """
    if status is not None and not 200 <= status <= 599:  # noqa: PLR2004 - final statuses, RFC 9110 section 15
        raise ConfigurationError(
            f"status must be an HTTP status from 200 to 599, or None for the right answer, got {status!r}"
        )
    if delay < 0:
        raise ConfigurationError(f"delay must be a number of seconds, not negative, got {delay!r}")
    all_headers = {"content-type": content_type}
    if retry_after is not None:
        all_headers["retry-after"] = f"{retry_after:g}"
    all_headers.update({name.lower(): value for name, value in (headers or {}).items()})
    if isinstance(body, str):
        content = body.encode()
    elif isinstance(body, bytes):
        content = body
    else:
        content = json.dumps(dict(body)).encode()
    return Fault(status=status, headers=MappingProxyType(all_headers), body=content, delay=delay, processed=processed)


@dataclass(slots=True)
class Controls:
    """The queue of faults and the journal of one emulator. Safe between threads."""

    _faults: dict[str, deque[Fault]] = field(default_factory=dict)
    _entries: deque[JournalEntry] = field(default_factory=lambda: deque(maxlen=_JOURNAL_LENGTH))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add_fault(self, endpoint: str, fault: Fault, *, times: int) -> None:
        """Queue a fault for the next `times` requests to an endpoint.

        Raises:
            ConfigurationError: There is no such endpoint, or `times` is below one.
        """
        check_endpoint(endpoint)
        if times < 1:
            raise ConfigurationError(f"times must be at least 1, got {times!r}")
        with self._lock:
            self._faults.setdefault(endpoint, deque()).extend([fault] * times)

    def take_fault(self, endpoint: str) -> Fault | None:
        """Return the fault that waits for this endpoint, and forget it."""
        with self._lock:
            waiting = self._faults.get(endpoint)
            return waiting.popleft() if waiting else None

    def record(  # one line of the journal
        self,
        *,
        endpoint: str,
        pool: EmulatedPool | None,
        method: str,
        parameters: Mapping[str, str],
        status: int,
        received_at: float,
    ) -> None:
        """Write one request into the journal, without its secrets."""
        masked = {
            name[:_MAX_JOURNAL_VALUE]: _MASK if name.lower() in _SECRET_PARAMETERS else value[:_MAX_JOURNAL_VALUE]
            for name, value in parameters.items()
        }
        entry = JournalEntry(
            endpoint=endpoint,
            pool_id=pool.pool_id if pool is not None else None,
            method=method,
            parameters=MappingProxyType(masked),
            status=status,
            received_at=received_at,
        )
        with self._lock:
            self._entries.append(entry)

    def entries(self) -> list[JournalEntry]:
        """Return what arrived so far, oldest first."""
        with self._lock:
            return list(self._entries)


def check_endpoint(endpoint: str) -> None:
    """Refuse a name that no endpoint has: a test that counts `tokens` would pass for ever.

    Raises:
        ConfigurationError: There is no such endpoint.
    """
    if endpoint not in ENDPOINTS:
        raise ConfigurationError(f"no endpoint is called {endpoint!r}: use one of {', '.join(ENDPOINTS)}")
