"""What is used of an HTTP library: the shape of its client and its answers, and how a request becomes one of its own.

Decides what a client must be able to do, and which headers a request has: ours alone, no cookies, auth or defaults of
the client's. Decides nothing about when anything is sent. Imports no HTTP library: whichever it is, it is told by its
client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    import httpx  # noqa: TID251 - for types alone

    from cognito_oidc.protocol.wire import HttpRequest

# AWS WAF's managed rules refuse requests without a user agent.
_USER_AGENT: Final = (b"User-Agent", b"cognito-oidc")
_IDENTITY: Final = (b"Accept-Encoding", b"identity")
_MOST_URLS: Final = 64


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


class ForeignRequest(Protocol):
    """The part of `httpx.Request` that is used."""

    @property
    def extensions(self) -> dict[str, object]:
        """What the layers below are told."""
        ...

    def read(self) -> bytes:
        """Load the body."""
        ...


class ForeignHeaders(Protocol):
    """The part of `httpx.Headers` that is used."""

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """Names and values as they came, repeated ones too."""
        ...


class ForeignResponse(Protocol):
    """The part of `httpx.Response` that is used."""

    @property
    def status_code(self) -> int:
        """The status."""
        ...

    @property
    def headers(self) -> ForeignHeaders:
        """The headers."""
        ...

    @property
    def is_stream_consumed(self) -> bool:
        """Whether the body was read already."""
        ...

    @property
    def content(self) -> bytes:
        """The body, where it was read already."""
        ...

    def aiter_raw(self) -> AsyncIterator[bytes]:
        """Read the body as it comes."""
        ...

    def iter_raw(self) -> Iterator[bytes]:
        """Read the body as it comes."""
        ...

    async def aclose(self) -> None:
        """Give the connection back."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


def check_shape(client: object, closing: str, expected: str) -> None:
    """Check a client that was handed in, if any was.

    Raises:
        ConfigurationError: It cannot send in this colour, or is a class instead of a client.
    """
    wanted = ("send", "build_request", closing)
    if client is not None and (isinstance(client, type) or not all(callable(getattr(client, n, None)) for n in wanted)):
        msg = f"http_client: expected {expected}, or a client of the same shape; got {type(client).__name__}."
        raise ConfigurationError(msg)


def foreign_request(
    client: AsyncHttpClient | httpx.Client, request: HttpRequest, extensions: Mapping[str, object]
) -> ForeignRequest:
    """Return a request of the library that a client belongs to.

    Raises:
        ConfigurationError: The client is closed.
    """
    if client.is_closed:
        msg = "The HTTP client that was handed in (http_client=) is closed: keep it open as long as it is used here."
        raise ConfigurationError(msg)
    made = _library_of(client, request.url)
    headers: list[tuple[bytes | str, bytes | str]] = [made.host, _USER_AGENT, _IDENTITY, *request.headers]
    if request.method != "GET":
        headers.append((b"Content-Length", b"%d" % len(request.body)))
    # With `content=` instead of `stream=` the library finds out Host and Content-Length, for thrice the time.
    foreign = made.request(
        request.method, made.url, headers=headers, stream=made.body(request.body), extensions=extensions
    )
    foreign.read()  # as `content=` would have done: event hooks and mocked transports look at it
    return foreign


class _Library(NamedTuple):
    """What a library's requests to a URL are made of."""

    request: Callable[..., ForeignRequest]
    body: Callable[[bytes], object]
    url: object
    host: tuple[bytes, bytes]


_libraries: dict[tuple[type, str], _Library] = {}


def _library_of(client: AsyncHttpClient | httpx.Client, url: str) -> _Library:
    """Return what is remembered of a library and a URL: finding it out costs a tenth of a request."""
    known = _libraries.get((type(client), url))
    if known is None:
        if len(_libraries) >= _MOST_URLS:
            _libraries.clear()
        request_class = type(client.build_request("GET", url))
        plain = request_class("GET", url)  # without the parameters that the client may add
        host = (b"Host", plain.headers["host"].encode("ascii"))
        known = _libraries[type(client), url] = _Library(request_class, type(plain.stream), plain.url, host)
    return known
