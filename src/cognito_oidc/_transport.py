"""How bytes move: the only file of the base package that runs an HTTP library.

Decides time limits, size limits, what is sent again and when, and that a cancelled caller breaks nothing. Decides
nothing about what a request or an answer means.

The HTTP client is an `httpx.AsyncClient` (or `httpx.Client`) or anything of that shape, such as httpx2's: it is never
asked for its class, and its exceptions are told apart by their names.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import zlib
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, TypeVar, cast

import anyio
import anyio.lowlevel
import sniffio
import stamina

from cognito_oidc.errors import ConfigurationError, ProtocolError, TransportError
from cognito_oidc.protocol.oauth_errors import parse_retry_after
from cognito_oidc.protocol.wire import Endpoint, HttpResponse

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    import httpx

    from cognito_oidc.protocol.wire import HttpRequest

T = TypeVar("T")


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
    Endpoint.DISCOVERY: Limits(),
    Endpoint.JWKS: Limits(connect=2.0, read=3.0, total=5.0, body=64 * 1024, attempts=2),
    Endpoint.TOKEN: Limits(body=256 * 1024),
    Endpoint.USERINFO: Limits(),
    Endpoint.REVOCATION: Limits(),
}

_CHUNK: Final = 16 * 1024
_TRY_AGAIN: Final = frozenset({429, 502, 503, 504})
_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 2.0
# Exceptions of httpx, by name, after which nothing was sent. Of the others nobody knows.
_NOT_SENT: Final = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"})
# AWS WAF's managed rules refuse requests without a user agent.
_USER_AGENT: Final = ("User-Agent", "cognito-oidc")
_IDENTITY: Final = ("Accept-Encoding", "identity")

Sent = Literal["no", "maybe", "yes"]


class ForeignHeaders(Protocol):
    """The part of `httpx.Headers` that is used."""

    def multi_items(self) -> list[tuple[str, str]]:
        """Return names and values, repeated ones too."""
        ...


class ForeignResponse(Protocol):
    """The part of `httpx.Response` that is used."""

    status_code: int
    headers: ForeignHeaders
    is_stream_consumed: bool

    @property
    def content(self) -> bytes:
        """The body, where it was read already."""
        ...

    def aiter_raw(self, chunk_size: int) -> AsyncIterator[bytes]:
        """Read the body as it comes."""
        ...

    def iter_raw(self, chunk_size: int) -> Iterator[bytes]:
        """Read the body as it comes."""
        ...

    async def aclose(self) -> None:
        """Give the connection back."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class AsyncHttpClient(Protocol):
    """The part of `httpx.AsyncClient` that is used; requests and answers are the library's own, whichever it is."""

    def build_request(self, method: str, url: str) -> Any:  # noqa: ANN401 - a class of that library
        """Return a request."""

    async def send(self, request: Any, *, stream: bool, auth: None, follow_redirects: bool) -> Any:  # noqa: ANN401
        """Send a request."""

    async def aclose(self) -> None:
        """Close the connections."""


class _Unusable(Exception):  # noqa: N818 - a signal between two functions of this file
    """An answer that is worth another attempt."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__(response.status)
        self.response = response


class Transport:
    """Sends requests of the protocol over one HTTP client, borrowed or its own."""

    def __init__(self, http_client: httpx.AsyncClient | AsyncHttpClient | None = None) -> None:
        """Keep a borrowed client, which is never closed; without one, make one at the first send."""
        if http_client is not None and not callable(getattr(http_client, "send", None)):
            msg = "http_client: expected an httpx.AsyncClient, or a client of the same shape."
            raise ConfigurationError(msg)
        self._borrowed = cast("AsyncHttpClient | None", http_client)
        self._own: AsyncHttpClient | None = None
        self._own_loop: object = None

    async def send(
        self, request: HttpRequest, *, attempts: int | None = None, at_most: float | None = None
    ) -> HttpResponse:
        """Send a request and return the answer, whatever its status.

        A cancelled caller waits until the exchange is over, which the limits bound, and gets its result: the
        cancellation takes effect at its next await. So no connection is left half used and no answer is lost.

        Args:
            request: What to send.
            attempts: How often at most; None for the endpoint's own number.
            at_most: Seconds it may take; None for the endpoint's own number.

        Raises:
            TransportError: No usable answer.
            ProtocolError: An answer that is too large or cannot be decoded.
        """
        limits = _limits_of(request, attempts, at_most)
        return await run_shielded(lambda: self._send_bounded(request, limits))

    async def aclose(self) -> None:
        """Close the client that was made here; a borrowed one stays open."""
        own, self._own = self._own, None
        if own is not None and self._own_loop is _current_loop():
            await own.aclose()

    async def _send_bounded(self, request: HttpRequest, limits: Limits) -> HttpResponse:
        response: HttpResponse | None = None
        with anyio.move_on_after(limits.total):
            response = await self._send_repeatedly(request, limits)
        if response is None:
            raise _too_slow(request, limits)
        return response

    async def _send_repeatedly(self, request: HttpRequest, limits: Limits) -> HttpResponse:
        deadline = time.monotonic() + limits.total
        response: HttpResponse | None = None
        with contextlib.suppress(_Unusable):
            async for attempt in stamina.retry_context(
                on=_may_be_sent_again(request, deadline),
                attempts=limits.attempts,
                timeout=limits.total,
                wait_initial=_FIRST_WAIT,
                wait_max=_LONGEST_WAIT,
                wait_jitter=_FIRST_WAIT,
            ):
                with attempt:
                    response = await self._send_once(request, limits)
                    if response.status in _TRY_AGAIN and request.repeatable:
                        raise _Unusable(response)
        return cast("HttpResponse", response)

    async def _send_once(self, request: HttpRequest, limits: Limits) -> HttpResponse:
        """Send once. A foreign error is not chained: it holds the request and so the secrets in it."""
        problem: tuple[str, Sent]
        try:
            client = self._borrowed or await self._own_client()
            foreign = _foreign_request(client, request, limits)
            answer: ForeignResponse = await client.send(foreign, stream=True, auth=None, follow_redirects=False)
            try:
                return await _read(answer, request, limits)
            finally:
                with contextlib.suppress(Exception):  # the answer is here, or its error is more worth telling
                    await answer.aclose()
        except (ProtocolError, TransportError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a client of that shape raises
            problem = _problem_of(error)
        raise _no_answer(request, *problem)

    async def _own_client(self) -> AsyncHttpClient:
        """Return our client; a new one in a new event loop, where the old one's connections are of no use."""
        loop = _current_loop()
        if self._own is None or self._own_loop is not loop:
            import httpx  # noqa: PLC0415 - 100 ms that a process with a borrowed client may save

            self._own, self._own_loop = cast("AsyncHttpClient", httpx.AsyncClient(verify=ssl_context())), loop
        return self._own


class SyncTransport:
    """The same for code without an event loop, over an `httpx.Client`."""

    def __init__(self, http_client: httpx.Client | None = None) -> None:
        """Keep a borrowed client, which is never closed; without one, make one for each send."""
        if http_client is not None and not callable(getattr(http_client, "send", None)):
            msg = "http_client: expected an httpx.Client, or a client of the same shape."
            raise ConfigurationError(msg)
        self._borrowed = http_client

    def send(self, request: HttpRequest, *, attempts: int | None = None, at_most: float | None = None) -> HttpResponse:
        """Send a request and return the answer, whatever its status; as `Transport.send`."""
        limits = _limits_of(request, attempts, at_most)
        deadline = time.monotonic() + limits.total
        response: HttpResponse | None = None
        with contextlib.suppress(_Unusable):
            for attempt in stamina.retry_context(
                on=_may_be_sent_again(request, deadline),
                attempts=limits.attempts,
                timeout=limits.total,
                wait_initial=_FIRST_WAIT,
                wait_max=_LONGEST_WAIT,
                wait_jitter=_FIRST_WAIT,
            ):
                with attempt:
                    response = self._send_once(request, limits, deadline)
                    if response.status in _TRY_AGAIN and request.repeatable:
                        raise _Unusable(response)
        return cast("HttpResponse", response)

    def _send_once(self, request: HttpRequest, limits: Limits, deadline: float) -> HttpResponse:
        import httpx  # noqa: PLC0415 - 100 ms that a process with its keys given never needs

        problem: tuple[str, Sent]
        client = self._borrowed or httpx.Client(verify=ssl_context())
        try:
            foreign = cast("httpx.Request", _foreign_request(client, request, limits))
            sent = client.send(foreign, stream=True, auth=None, follow_redirects=False)
            answer = cast("ForeignResponse", sent)
            try:
                body = _Body(answer, request, limits)
                if not body.complete:
                    for chunk in answer.iter_raw(_CHUNK):
                        body.add(chunk)
                        if time.monotonic() > deadline:
                            raise _too_slow(request, limits)
                return body.response()
            finally:
                answer.close()
        except (ProtocolError, TransportError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a client of that shape raises
            problem = _problem_of(error)
        finally:
            if client is not self._borrowed:
                client.close()
        raise _no_answer(request, *problem)


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


async def run_shielded(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` to its end whatever happens to the caller, and return its result.

    A caller that is cancelled meanwhile gets the result, and the cancellation at its next await. anyio's shield does
    that alone, but not against `task.cancel()` (and so `asyncio.timeout`): there the work runs in a task of its own.
    """
    results: list[T] = []
    with anyio.CancelScope(shield=True):
        own_task = sniffio.current_async_library() == "asyncio"
        results.append(await (_run_in_own_task(work) if own_task else work()))
    return results[0]


async def _run_in_own_task(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` in a task that nobody cancels, and pass a cancellation of this one on when it is done."""
    inner = asyncio.ensure_future(work())
    cancelled: asyncio.CancelledError | None = None
    while not inner.done():
        try:
            await asyncio.wait({inner})
        except asyncio.CancelledError as error:
            cancelled = error
    me = asyncio.current_task()
    if cancelled is not None and me is not None:
        me.uncancel()  # the same request again, once, as asyncio.timeout() counts them
        me.cancel(*cancelled.args)
    return inner.result()


async def _read(answer: ForeignResponse, request: HttpRequest, limits: Limits) -> HttpResponse:
    body = _Body(answer, request, limits)
    if not body.complete:
        async for chunk in answer.aiter_raw(_CHUNK):
            body.add(chunk)
    return body.response()


class _Body:
    """Collects the body of an answer, decoded, and never holds more than the limit.

    `identity` was asked for; gzip and deflate are understood all the same, a few bytes at a time, so that a small
    body which unpacks to a large one is refused before it is unpacked.
    """

    def __init__(self, answer: ForeignResponse, request: HttpRequest, limits: Limits) -> None:
        self._status = answer.status_code
        self._headers: dict[str, str] = {}
        for name, value in answer.headers.multi_items():
            name = name.lower()  # noqa: PLW2901
            self._headers[name] = f"{self._headers[name]}, {value}" if name in self._headers else value
        self._what = f"The answer of the {request.endpoint} endpoint"
        self._limit = limits.body
        self._data = bytearray()
        coding = self._headers.get("content-encoding", "identity").strip().lower()
        self._inflate = None
        self.complete = answer.is_stream_consumed
        if self.complete:  # a mocked answer, in memory and decoded
            self._add_plain(answer.content)
        elif coding in {"gzip", "x-gzip", "deflate"}:
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
        elif coding not in {"identity", ""}:
            msg = f"{self._what} is encoded in a way that was not asked for."
            raise ProtocolError(msg)

    def add(self, chunk: bytes) -> None:
        """Take bytes off the wire."""
        if self._inflate is None:
            self._add_plain(chunk)
            return
        try:
            self._add_plain(self._inflate.decompress(chunk, self._limit - len(self._data) + 1))
        except zlib.error:
            msg = f"{self._what} cannot be decompressed."
            raise ProtocolError(msg) from None

    def _add_plain(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > self._limit:
            msg = f"{self._what} is larger than {self._limit} bytes."
            raise ProtocolError(msg)

    def response(self) -> HttpResponse:
        """Return the answer."""
        if self._inflate is not None and not self._inflate.eof:
            msg = f"{self._what} is cut off."
            raise ProtocolError(msg)
        return HttpResponse(status=self._status, headers=self._headers, body=bytes(self._data))


def _foreign_request(client: AsyncHttpClient | httpx.Client, request: HttpRequest, limits: Limits) -> object:
    """Return the client library's own request with our headers alone: no cookies, auth or defaults of the client's."""
    kind = type(client.build_request(request.method, request.url))
    timeout = {"connect": limits.connect, "read": limits.read, "write": limits.read, "pool": limits.connect}
    return kind(
        request.method,
        request.url,
        headers=[_USER_AGENT, _IDENTITY, *request.headers],
        content=request.body or None,
        extensions={"timeout": timeout},
    )


def _may_be_sent_again(request: HttpRequest, deadline: float) -> Callable[[Exception], bool | float]:
    """Return the rule for stamina: no, yes with its own wait, or yes after so many seconds."""

    def rule(error: Exception) -> bool | float:
        if isinstance(error, TransportError):
            return error.sent == "no" or request.repeatable
        if not isinstance(error, _Unusable):
            return False
        wait = parse_retry_after(error.response.headers)
        if wait is None:
            return True
        return wait if time.monotonic() + wait < deadline else False

    return rule


def _problem_of(error: Exception) -> tuple[str, Sent]:
    """Return what happened, by the name of a foreign exception, and whether the request may have arrived."""
    names = [cls.__name__ for cls in type(error).__mro__]
    return names[0], "no" if _NOT_SENT.intersection(names) else "maybe"


def _no_answer(request: HttpRequest, problem: str, sent: Sent) -> TransportError:
    host = request.url.split("/")[2]
    msg = f"No answer from the {request.endpoint} endpoint at {host}: {problem}."
    causes = {
        "no": (
            f"{host} cannot be reached from here: check the domain's name, DNS, egress rules and the proxy.",
            "A custom domain needs up to an hour after it was created, a prefix domain a minute.",
        ),
        "maybe": ("The connection broke, or the server was too slow: try again.",),
    }
    return TransportError(msg, sent=sent, endpoint=request.endpoint.value, causes=causes[sent])


def _too_slow(request: HttpRequest, limits: Limits) -> TransportError:
    msg = f"The {request.endpoint} endpoint did not answer in full within {limits.total:.0f} s."
    return TransportError(msg, sent="maybe", endpoint=request.endpoint.value)


def _current_loop() -> object:
    return anyio.lowlevel.current_token().native_token
