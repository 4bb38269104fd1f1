"""One exchange: what it may cost, how far it got, what may be tried again, and what its failure means.

Decides time limits, size limits, what is sent again and when, and what is known about whether a request was sent.
Moves no bytes: that is `_transport`'s, which tells what happened.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import random
import socket
import time
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

import stamina

from cognito_oidc._answer import AnswerBody
from cognito_oidc._http_client import foreign_request
from cognito_oidc.errors import TransportError
from cognito_oidc.protocol.oauth_errors import parse_retry_after
from cognito_oidc.protocol.wire import Endpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    import httpx  # noqa: TID251 - for types alone

    from cognito_oidc._http_client import AsyncHttpClient, ForeignRequest, ForeignResponse
    from cognito_oidc.protocol.wire import HttpRequest, HttpResponse


class Limits(NamedTuple):
    """What one exchange may cost.

    Attributes:
        connect: Seconds to connect, and to wait for a connection of the pool.
        read: Seconds to wait for the next bytes.
        total: Seconds for everything, all attempts and waits together.
        body: Bytes of the answer after decoding.
        attempts: How often a request that may be repeated is sent at most.
    """

    connect: float = 5.0
    read: float = 10.0
    total: float = 15.0
    body: int = 1024 * 1024
    attempts: int = 3


LIMITS: Final[Mapping[Endpoint, Limits]] = {
    Endpoint.AUTHORIZATION: Limits(),
    Endpoint.DISCOVERY: Limits(),
    Endpoint.JWKS: Limits(connect=2.0, read=3.0, total=5.0, body=64 * 1024, attempts=2),
    Endpoint.TOKEN: Limits(body=256 * 1024),
    Endpoint.USERINFO: Limits(),
    Endpoint.REVOCATION: Limits(),
}

# stamina warns of each repetition. Where a program has not set up logging, Python itself would print that.
logging.getLogger("stamina").addHandler(logging.NullHandler())

_TRY_AGAIN: Final = frozenset({429, 502, 503, 504})
_SERVER_ERROR: Final = 500
_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 2.0
# Exceptions of httpx, by name, after which nothing was sent. Of the others nobody knows.
_NOT_SENT: Final = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"})
_CONNECTED: Final = frozenset({"connection.connect_tcp.complete", "connection.start_tls.complete"})

Sent = Literal["no", "maybe", "yes"]


class Attempts(Protocol):
    """What `stamina.retry_context` returns."""

    def __iter__(self) -> Iterator[stamina.Attempt]:
        """Give the attempts, and block between them."""

    def __aiter__(self) -> AsyncIterator[stamina.Attempt]:
        """Give the attempts, and wait between them."""


class Unusable(Exception):  # noqa: N818 - a signal between two functions of the transport
    """An answer that is worth another attempt."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__(response.status)
        self.response = response


class Exchange:
    """A request on its way: what may be tried, how far it got, and what came of it."""

    def __init__(self, request: HttpRequest, *, attempts: int | None, at_most: float | None) -> None:
        """Take a request; attempts and seconds may be fewer than its endpoint's."""
        self.request = request
        self.limits = limits = _limits_of(request.endpoint, attempts, at_most)
        self.sent: Sent = "no"
        self.response: HttpResponse | None = None
        self._alone = False
        self._connection: socket.socket | None = None
        self._deadline = time.monotonic() + limits.total

    def attempts(self) -> Attempts:
        """Return the attempts, each after a wait; the first was made already, and tells stamina how it failed."""
        return stamina.retry_context(
            on=self._may_be_sent_again,
            attempts=self.limits.attempts,
            timeout=self.limits.total,
            wait_initial=_FIRST_WAIT,
            wait_max=_LONGEST_WAIT,
            wait_jitter=_FIRST_WAIT,
        )

    def begin(
        self,
        client: AsyncHttpClient | httpx.Client,
        *,
        trace: Callable[[Exchange, str, Mapping[str, Any]], object],
        alone: bool = False,
    ) -> ForeignRequest:
        """Return the library's own request.

        From here on it may be sent. httpcore tells more where it is the one who sends: see `note`.

        Args:
            client: Who will send it.
            trace: What httpcore tells its steps to.
            alone: Whether the client is there for this exchange alone, so that its connection may be shut down.
        """
        limits, request = self.limits, self.request
        self.response = None
        # Rather the library gives up connecting, and cleans up after itself, than we cancel it at the deadline.
        connect = min(limits.connect, 0.9 * max(0.0, self._deadline - time.monotonic()))
        timeout = {"connect": connect, "read": limits.read, "write": limits.read, "pool": connect * _pool_share()}
        extensions: dict[str, object] = {"timeout": timeout}
        if alone or not request.repeatable:
            extensions["trace"] = functools.partial(trace, self)
        self._alone = alone
        foreign = foreign_request(client, request, extensions)
        self.sent = "maybe"
        return foreign

    def body_of(self, answer: ForeignResponse) -> AnswerBody:
        """Return what the body of the answer is collected in."""
        return AnswerBody(answer, what=f"The answer of the {self.request.endpoint} endpoint", limit=self.limits.body)

    def note(self, event: str, info: Mapping[str, Any]) -> None:
        """Take a step that httpcore reports. Once the request leaves no further one is of interest: each costs time."""
        if event.startswith("connection."):
            self.sent = "no"
            if self._alone and event in _CONNECTED:
                self._connection = info["return_value"].get_extra_info("socket")
        elif event.endswith("send_request_headers.started"):
            self.sent = "maybe"
            getattr(info.get("request"), "extensions", {}).pop("trace", None)

    def shut_down(self) -> None:
        """End the connection while another thread reads from it.

        It is not closed: the thread could then read from whatever gets its number next.
        """
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def check_worth(self) -> None:
        """Raise `Unusable` for an answer that is worth another attempt."""
        response = self.response
        if response is None or not self.request.repeatable:
            return
        # A key set is a file: whatever its server could not do once, it may do the next time.
        broken_keys = self.request.endpoint is Endpoint.JWKS and response.status >= _SERVER_ERROR
        if broken_keys or response.status in _TRY_AGAIN:
            raise Unusable(response)

    def check_time(self) -> None:
        """Raise where the time is over."""
        if time.monotonic() > self._deadline:
            raise self.too_slow()

    def outcome(self) -> HttpResponse:
        """Return the answer, or raise where the time was over before there was one."""
        response = self.response
        if response is None:
            raise self.too_slow()
        return response

    def problem_of(self, error: Exception) -> TransportError:
        """Return what a foreign error means, told by its name alone."""
        names = [cls.__name__ for cls in type(error).__mro__]
        sent: Sent = "no" if _NOT_SENT.intersection(names) else self.sent
        endpoint, host = self.request.endpoint, self.request.url.split("/")[2]
        msg = f"No answer from the {endpoint} endpoint at {host}: {names[0]}."
        return self._failure(msg, sent, endpoint, host)

    def too_slow(self) -> TransportError:
        """Return the failure of an exchange whose time is over."""
        endpoint, host = self.request.endpoint, self.request.url.split("/")[2]
        msg = f"The {endpoint} endpoint at {host} did not answer in full within {self.limits.total:g} s."
        return self._failure(msg, self.sent, endpoint, host)

    def _failure(self, msg: str, sent: Sent, endpoint: Endpoint, host: str) -> TransportError:
        again = sent == "no" or self.request.repeatable
        causes = _causes(sent, host, again=again)
        return TransportError(msg, sent=sent, endpoint=endpoint.value, causes=causes, retryable=again)

    def _may_be_sent_again(self, error: Exception) -> bool | float:
        """Tell stamina: no, yes after its own wait, or yes after so many seconds."""
        if time.monotonic() >= self._deadline:  # nobody waits any more; stamina's own clock began with the failure
            return False
        if isinstance(error, TransportError):
            return error.sent == "no" or self.request.repeatable
        if not isinstance(error, Unusable):
            return False
        wait = parse_retry_after(error.response.headers)
        if wait is None:
            return True
        return wait if time.monotonic() + wait < self._deadline else False


def _pool_share() -> float:
    """Return which part of the time to connect may be spent waiting for a connection of the pool, never the same.

    httpcore 1.0.9 on asyncio loses a connection for ever when it becomes free for a request at the very moment that
    this one gives up waiting; with one limit for all, those moments coincide.
    """
    return random.uniform(0.5, 1.0)  # noqa: S311 - jitter


def _causes(sent: Sent, host: str, *, again: bool) -> tuple[str, ...]:
    if sent != "no":
        advice = "try again" if again else "what was sent may be used up, so it is not sent again"
        return (f"The connection broke, or the server was too slow: {advice}.",)
    return (
        f"{host} cannot be reached from here: check the domain's name, DNS, egress rules and the proxy.",
        "A custom domain needs up to an hour after it was created, a prefix domain a minute.",
    )


def _limits_of(endpoint: Endpoint, attempts: int | None, at_most: float | None) -> Limits:
    limits = LIMITS[endpoint]
    if at_most is not None and at_most < limits.total:
        limits = limits._replace(connect=min(limits.connect, at_most), read=min(limits.read, at_most), total=at_most)
    return limits if attempts is None else limits._replace(attempts=attempts)
