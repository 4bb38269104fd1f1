"""A listener on this machine that a browser comes back to.

Decides which visits count: GET, the right Host, an expected path and the right state. Any other gets 404 and changes
nothing, so that a stray or hostile request can neither end the wait nor take part in it.

Source: RFC 8252 sections 7.3 and 8.3.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hmac
import os
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import parse_qs, urlsplit

from cognito_oidc.cli.loopback_page import POLICY, Page
from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

ANY_PORT: Final = "http://127.0.0.1:0"
# What a name must be listened on. A browser may try either address of `localhost`, and whoever had the other one would
# be sent the code.
_ADDRESSES: Final[Mapping[str, tuple[tuple[socket.AddressFamily, str], ...]]] = {
    "127.0.0.1": ((socket.AF_INET, "127.0.0.1"),),
    "::1": ((socket.AF_INET6, "::1"),),
    "localhost": ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")),
}
_NO_SUCH_ADDRESS: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})  # a machine without IPv6
_HTTP_PORT: Final = 80
_MAX_HEAD: Final = 16 * 1024
_PATIENCE: Final = 5.0  # seconds for a request to arrive; browsers open connections that they do not use
_LAST_PAGE: Final = 1.0  # seconds that the end waits for the browser to fetch the page it was sent to
_DONE_PATH: Final = "/done"
_NOTHING: Final = Page(heading="There is nothing here", good=False)
_UNFINISHED: Final = Page(heading="That did not work", text="The terminal says more. Close this page.", good=False)
_HEADERS: Final = (
    "Cache-Control: no-store",
    "Connection: close",
    f"Content-Security-Policy: {POLICY}",
    "Content-Type: text/html; charset=utf-8",
    "Referrer-Policy: no-referrer",  # the address before had the code in it
    "X-Content-Type-Options: nosniff",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Expected:
    path: str
    state: str | None
    location: str
    page: Page | None
    arrival: asyncio.Future[str]

    def fits(self, path: str, query: str) -> bool:
        if self.arrival.done() or path != self.path:
            return False
        if self.state is None:
            return True
        try:
            states = parse_qs(query, max_num_fields=20).get("state", [])
        except ValueError:
            return False
        return len(states) == 1 and hmac.compare_digest(states[0].encode(), self.state.encode())


class LoopbackListener:
    """Listens while its block runs. A visit that was expected is answered by a redirect, so that no code stays in the
    browser's address bar; the page at its end says how it went.
    """  # noqa: D205 - one thought

    def __init__(self, origins: Sequence[str] = (ANY_PORT,)) -> None:
        """Choose where to listen. Nothing listens yet.

        Args:
            origins: Absolute http URLs without a path on `localhost`, `127.0.0.1` or `[::1]`, the most wanted first.
                Port 0 takes a free one.
        """
        self._origins = tuple(origins)
        self._origin = self._origins[0]
        self._servers: list[asyncio.Server] = []
        self._expected: list[_Expected] = []
        self._page: asyncio.Future[Page] | None = None
        self._page_owed = False
        self._page_shown = asyncio.Event()
        self._visits: set[asyncio.Task[None]] = set()

    @property
    def origin(self) -> str:
        """The absolute URL without a path: `http://127.0.0.1:49152`."""
        return self._origin

    async def __aenter__(self) -> Self:
        """Listen where it can be done first: on every address of the name, alone.

        Raises:
            ConfigurationError: No port can be used.
        """
        refusals = []
        for origin in self._origins:
            try:
                sockets = _bound(origin)
            except OSError as error:
                parts = urlsplit(origin)
                refusals.append(
                    f"cannot listen on {parts.hostname}, port {parts.port}: {os.strerror(error.errno or 0)}"
                )
                continue
            for each in sockets:
                self._servers.append(await asyncio.start_server(self._visit, sock=each, limit=_MAX_HEAD))
            port = sockets[0].getsockname()[1]
            self._origin = origin.removesuffix(":0") + f":{port}" if origin.endswith(":0") else origin
            return self
        raise ConfigurationError("; ".join(refusals))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop listening, when the browser has its last page or had a second to fetch it."""
        if self._page_owed and (kind is None or issubclass(kind, Exception)):
            self.conclude(_UNFINISHED)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._page_shown.wait(), _LAST_PAGE)
        for server in self._servers:
            server.close()
        for task in self._visits:
            task.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)
        for expected in self._expected:
            expected.arrival.cancel()

    def expect(
        self, path: str, *, state: str | None, page: Page | None = None, then: str | None = None
    ) -> asyncio.Future[str]:
        """Expect one visit, and return what becomes the absolute URL of it.

        Args:
            path: Such as `/callback`.
            state: The `state` that the visit must bring, or None where the server sends none.
            page: What is shown at the end; None keeps the browser waiting for `conclude`.
            then: The absolute URL to send the browser on to; None shows the page.
        """
        arrival: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        location = then or _DONE_PATH
        self._expected.append(_Expected(path=path, state=state, location=location, page=page, arrival=arrival))
        return arrival

    def conclude(self, page: Page) -> None:
        """Show the browser that came back how it went, where it still waits for that."""
        if self._page is not None and not self._page.done():
            self._page.set_result(page)

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._visits.add(task)
            task.add_done_callback(self._visits.discard)
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE)
                target = self._target(head.decode("latin-1"))
                if target == _DONE_PATH and self._page is not None:
                    writer.write(_response("200 OK", await asyncio.shield(self._page)))
                    await asyncio.wait_for(writer.drain(), _PATIENCE)
                    self._page_shown.set()
                else:
                    writer.write(self._answer(target))
                    await asyncio.wait_for(writer.drain(), _PATIENCE)
        finally:
            writer.close()

    def _answer(self, target: str | None) -> bytes:
        path, _, query = (target or "").partition("?")
        for expected in self._expected:
            if target is not None and expected.fits(path, query):
                expected.arrival.set_result(f"{self.origin}{target}")
                self._page_owed = expected.location == _DONE_PATH
                if self._page_owed:
                    self._page = asyncio.get_running_loop().create_future()
                    self._page_shown.clear()
                    if expected.page is not None:
                        self._page.set_result(expected.page)
                return _response("303 See Other", Page(heading="Go on"), f"Location: {expected.location}")
        return _response("404 Not Found", _NOTHING)

    def _target(self, head: str) -> str | None:
        """Return the path and query of a GET for this very host, or None."""
        request_line, *lines = head.split("\r\n")
        words = request_line.split(" ")
        hosts = [value.strip() for name, _, value in (line.partition(":") for line in lines) if name.lower() == "host"]
        # Host is checked so that a page elsewhere whose name was pointed here (DNS rebinding) gets nothing.
        if len(words) != 3 or words[0] != "GET" or hosts != [urlsplit(self.origin).netloc]:  # noqa: PLR2004 - RFC 9112
            return None
        return words[1] if words[1].startswith("/") and words[1].isascii() else None


def _bound(origin: str) -> list[socket.socket]:
    """Return a listening socket for each address of an origin's name.

    Raises:
        OSError: One of them is taken, or there is none.
    """
    parts = urlsplit(origin)
    sockets: list[socket.socket] = []
    port = parts.port if parts.port is not None else _HTTP_PORT
    try:
        for position, (family, address) in enumerate(_ADDRESSES[parts.hostname or ""]):
            try:
                sockets.append(_listening(family, address, port))
            except OSError as error:
                if position == 0 or error.errno not in _NO_SUCH_ADDRESS:
                    raise
            port = sockets[0].getsockname()[1]
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets


def _listening(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # where SO_REUSEADDR would let anybody listen beside us
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection that lingers is no listener
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((address, port))
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening


def _response(status: str, page: Page, *headers: str) -> bytes:
    body = page.html().encode()
    lines = (f"HTTP/1.1 {status}", *_HEADERS, *headers, f"Content-Length: {len(body)}", "", "")
    return "\r\n".join(lines).encode() + body
