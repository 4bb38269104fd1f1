"""How bytes move: the only file of the base package that runs an HTTP library.

Decides time limits, size limits, what is sent again and when, and that a cancelled caller breaks nothing. Decides
nothing about what a request or an answer means.

The HTTP client is an `httpx.AsyncClient` (or `httpx.Client`) or anything of that shape, such as httpx2's: it is never
asked for its class, and its exceptions are told apart by their names.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import random
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, cast

import anyio
import anyio.lowlevel
import stamina

from cognito_oidc._answer import AnswerBody
from cognito_oidc._shield import run_shielded
from cognito_oidc.errors import CognitoOidcError, ConfigurationError, TransportError
from cognito_oidc.protocol.oauth_errors import parse_retry_after
from cognito_oidc.protocol.wire import Endpoint

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping

    import httpx

    from cognito_oidc._answer import ForeignResponse
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

_TRY_AGAIN: Final = frozenset({429, 502, 503, 504})
_SERVER_ERROR: Final = 500
_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 2.0
# Exceptions of httpx, by name, after which nothing was sent. Of the others nobody knows.
_NOT_SENT: Final = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"})
# AWS WAF's managed rules refuse requests without a user agent.
_USER_AGENT: Final = ("User-Agent", "cognito-oidc")
_IDENTITY: Final = ("Accept-Encoding", "identity")

Sent = Literal["no", "maybe", "yes"]


class AsyncHttpClient(Protocol):
    """The part of `httpx.AsyncClient` that is used; requests and answers are the library's own, whichever it is."""

    @property
    def is_closed(self) -> bool:
        """Whether it can send no more."""

    def build_request(self, method: str, url: str) -> Any:  # noqa: ANN401 - a class of that library
        """Return a request."""

    async def send(self, request: Any, *, stream: bool, auth: None, follow_redirects: bool) -> Any:  # noqa: ANN401
        """Send a request."""

    async def aclose(self) -> None:
        """Close the connections."""


class _Attempts(Protocol):
    """What `stamina.retry_context` returns."""

    def __iter__(self) -> Iterator[stamina.Attempt]:
        """Give the attempts, and block between them."""

    def __aiter__(self) -> AsyncIterator[stamina.Attempt]:
        """Give the attempts, and wait between them."""


class _Unusable(Exception):  # noqa: N818 - a signal between two functions of this file
    """An answer that is worth another attempt."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__(response.status)
        self.response = response


class Transport:
    """Sends requests of the protocol over one HTTP client, borrowed or its own."""

    def __init__(self, http_client: httpx.AsyncClient | AsyncHttpClient | None = None) -> None:
        """Keep a borrowed client, which is never closed; without one, make one at the first send.

        Raises:
            ConfigurationError: It is no asynchronous HTTP client.
        """
        _check_shape(http_client, "aclose", "an httpx.AsyncClient")
        self._borrowed = cast("AsyncHttpClient | None", http_client)
        self._own: dict[object, _OwnClient] = {}

    async def send(
        self, request: HttpRequest, *, attempts: int | None = None, at_most: float | None = None
    ) -> HttpResponse:
        """Send a request and return the answer, whatever its status.

        A caller that is cancelled meanwhile waits until the exchange is over, which the limits bound, and gets its
        result: the cancellation takes effect at its next await. So no connection is left half used and no answer lost.

        Args:
            request: What to send.
            attempts: How often at most; None for the endpoint's own number.
            at_most: Seconds it may take; None for the endpoint's own number.

        Raises:
            TransportError: No usable answer.
            ProtocolError: An answer that is too large or cannot be decoded.
            ConfigurationError: The borrowed client was closed.
        """
        exchange = _Exchange(request, _limits_of(request, attempts, at_most))
        return await run_shielded(lambda: self._send_bounded(exchange))

    async def aclose(self) -> None:
        """Close the client that was made for this event loop; a borrowed one stays open."""
        own = self._own.pop(_current_loop(), None)
        if own is not None:
            await own.end.aclose()

    async def _send_bounded(self, exchange: _Exchange) -> HttpResponse:
        with anyio.move_on_after(exchange.limits.total):
            await self._send_repeatedly(exchange)
        return exchange.outcome()

    async def _send_repeatedly(self, exchange: _Exchange) -> None:
        """Send, and again where that may help. stamina is asked after a failure alone: it costs a tenth of one."""
        try:
            await self._send_once(exchange)
            exchange.check_worth()
        except (TransportError, _Unusable) as error:
            failure = error
        else:
            return
        with contextlib.suppress(_Unusable):
            async for attempt in exchange.attempts():
                with attempt:
                    if attempt.num == 1:
                        raise failure
                    await self._send_once(exchange)
                    exchange.check_worth()

    async def _send_once(self, exchange: _Exchange) -> None:
        """Send once. A foreign error is not chained: it holds the request and so the secrets in it."""
        client = self._borrowed or await self._own_client()
        try:
            foreign = exchange.begin(client, _async_trace)
            answer: ForeignResponse = await client.send(foreign, stream=True, auth=None, follow_redirects=False)
            try:
                body = exchange.body_of(answer)
                await _read(answer, body)
                exchange.response = body.response()
            finally:
                with contextlib.suppress(Exception):  # the answer is here, or its error is more worth telling
                    await answer.aclose()
        except CognitoOidcError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a client of that shape raises
            problem = exchange.problem_of(error)
        else:
            return
        raise problem

    async def _own_client(self) -> AsyncHttpClient:
        """Return our client of this event loop; the connections of another are of no use here."""
        loop = _current_loop()
        own = self._own.get(loop)
        if own is None:
            import httpx  # noqa: PLC0415 - 100 ms that a process with a borrowed client may save

            for other, ended in list(self._own.items()):
                if ended.client.is_closed:
                    del self._own[other]
            # No limit of connections, so that nobody ever waits for one: see _pool_share.
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
            client = cast("AsyncHttpClient", httpx.AsyncClient(verify=ssl_context(), limits=limits))
            own = self._own[loop] = _OwnClient(client, _closing(client))
            await anext(own.end)
        return own.client


class _OwnClient(NamedTuple):
    client: AsyncHttpClient
    end: AsyncGenerator[None, None]


async def _read(answer: ForeignResponse, body: AnswerBody) -> None:
    """Read a body as long as it is wanted.

    A body that is not wanted any more is closed first, so that the generators of the HTTP library come to an end: trio
    warns of those that are left behind.
    """
    if not body.wants_more:
        return
    try:
        async for chunk in answer.aiter_raw():
            body.add(chunk)
            if not body.wants_more:
                await answer.aclose()
    except Exception:
        if body.wants_more:
            raise


async def _closing(client: AsyncHttpClient) -> AsyncGenerator[None, None]:
    """Close a client when this generator is closed: by us, or by the event loop at its end, whichever comes first."""
    try:
        yield
    finally:
        await client.aclose()


class SyncTransport:
    """The same for code without an event loop, over an `httpx.Client`."""

    def __init__(self, http_client: httpx.Client | None = None) -> None:
        """Keep a borrowed client, which is never closed; without one, make one for each send.

        Raises:
            ConfigurationError: It is no synchronous HTTP client.
        """
        _check_shape(http_client, "close", "an httpx.Client")
        self._borrowed = http_client

    def send(self, request: HttpRequest, *, attempts: int | None = None, at_most: float | None = None) -> HttpResponse:
        """Send a request and return the answer, whatever its status; as `Transport.send`.

        The HTTP library bounds each wait for the next bytes and not their sum, which a server that sends byte after
        byte makes as long as it likes. So the work is done in a thread. When its time is over it is left there, and a
        connection of our own is shut down, which ends it.
        """
        exchange = _Exchange(request, _limits_of(request, attempts, at_most))
        failures: list[BaseException] = []

        def work() -> None:
            try:
                self._send_repeatedly(exchange)
            except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
                failures.append(error)

        worker = threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True)
        try:
            worker.start()
        except RuntimeError:  # no thread can be started, as at the end of the interpreter
            work()
        else:
            worker.join(exchange.limits.total)
            if worker.is_alive():
                exchange.shut_down()
                raise exchange.too_slow()
        if failures and exchange.response is None:
            raise failures[0]
        return exchange.outcome()

    def _send_repeatedly(self, exchange: _Exchange) -> None:
        try:
            self._send_once(exchange)
            exchange.check_worth()
        except (TransportError, _Unusable) as error:
            failure = error
        else:
            return
        with contextlib.suppress(_Unusable):
            for attempt in exchange.attempts():
                with attempt:
                    if attempt.num == 1:
                        raise failure
                    self._send_once(exchange)
                    exchange.check_worth()

    def _send_once(self, exchange: _Exchange) -> None:
        import httpx  # noqa: PLC0415 - 100 ms that a process with its keys given never needs

        client = self._borrowed or httpx.Client(verify=ssl_context())
        try:
            foreign = exchange.begin(client, _trace if self._borrowed else _trace_own)
            sent = client.send(cast("httpx.Request", foreign), stream=True, auth=None, follow_redirects=False)
            answer = cast("ForeignResponse", sent)
            try:
                body = exchange.body_of(answer)
                chunks = answer.iter_raw() if body.wants_more else iter(())
                while body.wants_more and (chunk := next(chunks, None)) is not None:
                    body.add(chunk)
                    exchange.check_time()
                exchange.response = body.response()
            finally:
                with contextlib.suppress(Exception):
                    answer.close()
        except CognitoOidcError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a client of that shape raises
            problem = exchange.problem_of(error)
        else:
            return
        finally:
            if client is not self._borrowed:
                client.close()
        raise problem


class _Exchange:
    """A request on its way: what may be tried, how far it got, and what came of it."""

    def __init__(self, request: HttpRequest, limits: Limits) -> None:
        self.request = request
        self.limits = limits
        self.sent: Sent = "no"
        self.response: HttpResponse | None = None
        self._connection: socket.socket | None = None
        self._deadline = time.monotonic() + limits.total

    def attempts(self) -> _Attempts:
        """Return the attempts, each after a wait; the first was made already, and tells stamina how it failed."""
        return stamina.retry_context(
            on=self._may_be_sent_again,
            attempts=self.limits.attempts,
            timeout=self.limits.total,
            wait_initial=_FIRST_WAIT,
            wait_max=_LONGEST_WAIT,
            wait_jitter=_FIRST_WAIT,
        )

    def begin(self, client: AsyncHttpClient | httpx.Client, trace: Callable[..., object]) -> object:
        """Return the library's own request, with our headers alone: no cookies, auth or defaults of the client's.

        From here on it may be sent. httpcore tells more where it is the one who sends: see `note`.
        """
        limits, request = self.limits, self.request
        self.response = None
        # Rather the library gives up connecting, and cleans up after itself, than we cancel it at the deadline.
        connect = min(limits.connect, 0.9 * max(0.0, self._deadline - time.monotonic()))
        timeout = {"connect": connect, "read": limits.read, "write": limits.read, "pool": connect * _pool_share()}
        extensions: dict[str, object] = {"timeout": timeout}
        if not request.repeatable or trace is _trace_own:
            extensions["trace"] = functools.partial(trace, self)
        request_class, url = _request_class(client, request.url)
        foreign = request_class(
            request.method,
            url,
            headers=[_USER_AGENT, _IDENTITY, *request.headers],
            content=request.body or None,
            extensions=extensions,
        )
        self.sent = "maybe"
        return foreign

    def body_of(self, answer: ForeignResponse) -> AnswerBody:
        """Return what the body of the answer is collected in."""
        return AnswerBody(answer, what=f"The answer of the {self.request.endpoint} endpoint", limit=self.limits.body)

    def note(self, event: str) -> None:
        """Take a step that httpcore reports."""
        if event.startswith("connection."):
            self.sent = "no"
        elif event.endswith("send_request_headers.started"):
            self.sent = "maybe"

    def note_connection(self, connection: object) -> None:
        """Remember the connection that was made for this exchange alone."""
        if isinstance(connection, socket.socket):
            self._connection = connection

    def shut_down(self) -> None:
        """End the connection while another thread reads from it.

        It is not closed: the thread could then read from whatever gets its number next.
        """
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def check_worth(self) -> None:
        """Raise `_Unusable` for an answer that is worth another attempt."""
        response = self.response
        if response is None or not self.request.repeatable:
            return
        # A key set is a file: whatever its server could not do once, it may do the next time.
        broken_keys = self.request.endpoint is Endpoint.JWKS and response.status >= _SERVER_ERROR
        if broken_keys or response.status in _TRY_AGAIN:
            raise _Unusable(response)

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
        if not isinstance(error, _Unusable):
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


async def _async_trace(exchange: _Exchange, event: str, _: object) -> None:
    exchange.note(event)


def _trace(exchange: _Exchange, event: str, _: object) -> None:
    exchange.note(event)


def _trace_own(exchange: _Exchange, event: str, info: Mapping[str, Any]) -> None:
    exchange.note(event)
    if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
        exchange.note_connection(info["return_value"].get_extra_info("socket"))


def _causes(sent: Sent, host: str, *, again: bool) -> tuple[str, ...]:
    if sent != "no":
        advice = "try again" if again else "what was sent may be used up, so it is not sent again"
        return (f"The connection broke, or the server was too slow: {advice}.",)
    return (
        f"{host} cannot be reached from here: check the domain's name, DNS, egress rules and the proxy.",
        "A custom domain needs up to an hour after it was created, a prefix domain a minute.",
    )


_request_classes: dict[tuple[type, str], tuple[Callable[..., object], object]] = {}
_MOST_URLS: Final = 64

_context: ssl.SSLContext | None = None


def ssl_context() -> ssl.SSLContext:
    """Return the TLS context of this process, made at the first need: it takes 17 ms or more."""
    global _context  # noqa: PLW0603 - one for the process
    if _context is None:
        import httpx  # noqa: PLC0415 - only where a client of our own is made

        _context = httpx.create_ssl_context()
    return _context


def _limits_of(request: HttpRequest, attempts: int | None, at_most: float | None) -> Limits:
    limits = LIMITS[request.endpoint]
    total = limits.total if at_most is None else min(at_most, limits.total)
    return limits._replace(
        connect=min(limits.connect, total),
        read=min(limits.read, total),
        total=total,
        attempts=limits.attempts if attempts is None else attempts,
    )


def _check_shape(client: object, closing: str, expected: str) -> None:
    """Refuse what cannot send in this colour, or is a class instead of a client."""
    wanted = ("send", "build_request", closing)
    if client is not None and (isinstance(client, type) or not all(callable(getattr(client, n, None)) for n in wanted)):
        msg = f"http_client: expected {expected}, or a client of the same shape; got {type(client).__name__}."
        raise ConfigurationError(msg)


def _request_class(client: AsyncHttpClient | httpx.Client, url: str) -> tuple[Callable[..., object], object]:
    """Return the request class of the library a client belongs to, and the URL as that library has read it.

    Both are remembered: finding out costs a tenth of a request.

    Raises:
        ConfigurationError: The client is closed.
    """
    if client.is_closed:
        msg = "The HTTP client that was handed in (http_client=) is closed: keep it open as long as it is used here."
        raise ConfigurationError(msg)
    known = _request_classes.get((type(client), url))
    if known is None:
        if len(_request_classes) >= _MOST_URLS:
            _request_classes.clear()
        request_class = type(client.build_request("GET", url))
        read = request_class("GET", url).url  # without the parameters that the client may add
        known = _request_classes[type(client), url] = request_class, read
    return known


def _current_loop() -> object:
    return anyio.lowlevel.current_token().native_token
