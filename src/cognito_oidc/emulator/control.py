"""What a test may steer and look at: the clock, the faults, the journal.

Decides what each of them is and how they are kept safe between threads; the endpoints decide when to ask them.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import httpx
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from cognito_oidc.emulator.behaviour import Behaviour
    from cognito_oidc.emulator.pools import EmulatedPool

ENDPOINTS: Final = (
    "discovery",
    "jwks",
    "authorize",
    "login",
    "signup",
    "confirm",
    "resendcode",
    "confirm_user",
    "forgot_password",
    "reset_password",
    "idpresponse",
    "token",
    "userinfo",
    "revoke",
    "logout",
    "error",
)
_MASK: Final = "***"
_SECRET_PARAMETERS: Final = frozenset(
    {
        "_csrf",
        "access_token",
        "client_secret",
        "code",
        "code_verifier",
        "confirmation_code",
        "id_token_hint",
        "new_password",
        "new_password_again",
        "password",
        "refresh_token",
        "session",
        "token",
    },
)
_JOURNAL_LENGTH: Final = 10_000  # a server may run for days
_MAX_JOURNAL_VALUE: Final = 2_048  # characters; a callback URL has at most 1,024


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
    def strict(self) -> bool:
        """Whether parameters that Cognito would ignore are an error."""
        ...

    @property
    def lock(self) -> threading.RLock:
        """What guards the state of all pools."""
        ...

    def next_key(self) -> RSAPrivateKey:
        """Return the private key of the next signing key."""
        ...

    def http_client(self) -> httpx.AsyncClient:
        """Return a client whose requests reach the emulator in process."""
        ...

    def upstream_client(self) -> httpx.AsyncClient:
        """Return a client that reaches the emulator in process, and anybody else over the network."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One request that arrived.

    Attributes:
        endpoint: `discovery`, `jwks`, `authorize`, `login`, `signup`, `confirm`, `resendcode`, `confirm_user`,
            `forgot_password`, `reset_password`, `idpresponse`, `token`, `userinfo`, `revoke`, `logout`, `error`, or
            `unknown`.
        pool_id: The user pool that was addressed, or None.
        method: The HTTP method.
        parameters: Query and form parameters, the first of each name; secrets are `***`.
        status: The status that was answered.
        received_at: Epoch seconds by the emulator's clock.
        ignored: Names of the parameters that Cognito does not know here, and would ignore.
    """

    endpoint: str
    pool_id: str | None
    method: str
    parameters: Mapping[str, str]
    status: int
    received_at: float
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One answer to give instead of the right one, or how to spoil it; made by `CognitoEmulator.fail_next`."""

    status: int | None
    headers: Mapping[str, str]
    body: bytes
    delay: float
    truncate: int | None
    processed: bool


def build_fault(
    *,
    status: int | None,
    retry_after: float | None,
    body: str | bytes | Mapping[str, object],
    content_type: str | None,
    headers: Mapping[str, str] | None,
    delay: float,
    truncate: int | None,
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
    if truncate is not None and truncate < 0:
        raise ConfigurationError(f"truncate must be a number of bytes, not negative, got {truncate!r}")
    if content_type is None and status is not None:
        content_type = "application/json;charset=UTF-8"
    all_headers = {"content-type": content_type} if content_type is not None else {}
    if retry_after is not None:
        all_headers["retry-after"] = f"{retry_after:g}"
    all_headers.update({name.lower(): value for name, value in (headers or {}).items()})
    if isinstance(body, str):
        content = body.encode()
    elif isinstance(body, bytes):
        content = body
    else:
        content = json.dumps(dict(body)).encode()
    return Fault(
        status=status,
        headers=MappingProxyType(all_headers),
        body=content,
        delay=delay,
        truncate=truncate,
        processed=processed,
    )


@dataclass(slots=True)
class Controls:
    """The queue of faults and the journal of one emulator. Safe between threads."""

    _faults: dict[str, deque[Fault]] = field(default_factory=dict)
    _entries: deque[tuple[int, JournalEntry]] = field(default_factory=lambda: deque(maxlen=_JOURNAL_LENGTH))
    _numbers: Iterator[int] = field(default_factory=count)
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

    def next_number(self) -> int:
        """Return the place of a request in the journal, to be asked for when it arrives."""
        with self._lock:
            return next(self._numbers)

    def record(
        self,
        number: int,
        *,
        endpoint: str,
        pool: EmulatedPool | None,
        method: str,
        parameters: Mapping[str, str],
        status: int,
        received_at: float,
        ignored: tuple[str, ...],
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
            ignored=ignored,
        )
        with self._lock:
            self._entries.append((number, entry))

    def entries(self) -> list[JournalEntry]:
        """Return what arrived and was answered so far, in the order of arrival."""
        with self._lock:
            entries = list(self._entries)
        return [entry for _, entry in sorted(entries, key=itemgetter(0))]


def check_endpoint(endpoint: str) -> None:
    """Refuse a name that no endpoint has: a test that counts `tokens` would pass for ever.

    Raises:
        ConfigurationError: There is no such endpoint.
    """
    if endpoint not in ENDPOINTS:
        raise ConfigurationError(f"no endpoint is called {endpoint!r}: use one of {', '.join(ENDPOINTS)}")
