"""A listener on 127.0.0.1 that a browser comes back to.

Decides which visits count: GET, the right Host, an expected path and the right state. Any other gets 404 and changes
nothing, so that a stray or hostile request can neither end the wait nor take part in it.

Source: RFC 8252 sections 7.3 and 8.3.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import parse_qs, urlsplit

from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from types import TracebackType

_HOST: Final = "127.0.0.1"
_MAX_HEAD: Final = 16 * 1024
_PATIENCE: Final = 5.0  # seconds for a request to arrive; browsers open connections that they do not use
_LAST_PAGE: Final = 1.0  # seconds that the end waits for the browser to fetch the page it was sent to
_DONE_PATH: Final = "/done"
_HEADERS: Final = (
    "Cache-Control: no-store",
    "Connection: close",
    "Content-Security-Policy: default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Content-Type: text/html; charset=utf-8",
    "Referrer-Policy: no-referrer",  # the address before had the code in it
    "X-Content-Type-Options: nosniff",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Expected:
    path: str
    state: str | None
    location: str
    message: str
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
    browser's address bar; the page at its end says that it is done.
    """  # noqa: D205 - one thought

    def __init__(self, *, port: int = 0) -> None:
        """Choose a port, or 0 for a free one. Nothing listens yet."""
        self._port = port
        self._server: asyncio.Server | None = None
        self._expected: list[_Expected] = []
        self._message = ""
        self._page_owed = False
        self._page_shown = asyncio.Event()
        self._visits: set[asyncio.Task[None]] = set()

    @property
    def origin(self) -> str:
        """The absolute URL without a path: `http://127.0.0.1:49152`."""
        return f"http://{_HOST}:{self._port}"

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            ConfigurationError: The port cannot be used.
        """
        try:
            self._server = await asyncio.start_server(self._visit, _HOST, self._port, limit=_MAX_HEAD)
        except OSError as error:
            msg = f"cannot listen on {_HOST}, port {self._port}: {error.strerror}"
            raise ConfigurationError(msg) from error
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop listening, when the browser has its last page or had a second to fetch it."""
        if kind is None and self._page_owed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._page_shown.wait(), _LAST_PAGE)
        if self._server is not None:
            self._server.close()
        for task in self._visits:
            task.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)
        for expected in self._expected:
            expected.arrival.cancel()

    def expect(
        self, path: str, *, state: str | None, message: str = "", then: str | None = None
    ) -> asyncio.Future[str]:
        """Expect one visit, and return what becomes the absolute URL of it.

        Args:
            path: Such as `/callback`.
            state: The `state` that the visit must bring, or None where the server sends none.
            message: What the page says at the end, as text.
            then: The absolute URL to send the browser on to; None shows the page.
        """
        arrival: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        location = then or _DONE_PATH
        self._expected.append(_Expected(path=path, state=state, location=location, message=message, arrival=arrival))
        return arrival

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._visits.add(task)
            task.add_done_callback(self._visits.discard)
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE)
                writer.write(self._answer(head))
                await asyncio.wait_for(writer.drain(), _PATIENCE)
        finally:
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        target = self._target(head.decode("latin-1"))
        path, _, query = (target or "").partition("?")
        if path == _DONE_PATH and self._page_owed:
            self._page_shown.set()
            return _response("200 OK", self._message)
        for expected in self._expected:
            if target is not None and expected.fits(path, query):
                expected.arrival.set_result(f"{self.origin}{target}")
                self._message = expected.message
                self._page_owed = expected.location == _DONE_PATH
                self._page_shown.clear()
                return _response("303 See Other", "Go on.", f"Location: {expected.location}")
        return _response("404 Not Found", "There is nothing here.")

    def _target(self, head: str) -> str | None:
        """Return the path and query of a GET for this very host, or None."""
        request_line, *lines = head.split("\r\n")
        words = request_line.split(" ")
        hosts = [value.strip() for name, _, value in (line.partition(":") for line in lines) if name.lower() == "host"]
        # Host is checked so that a page elsewhere whose name was pointed here (DNS rebinding) gets nothing.
        if len(words) != 3 or words[0] != "GET" or hosts != [urlsplit(self.origin).netloc]:  # noqa: PLR2004 - RFC 9112
            return None
        return words[1] if words[1].startswith("/") and words[1].isascii() else None


def _response(status: str, text: str, *headers: str) -> bytes:
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>cognito-oidc</title><h1>{escape(text)}</h1></html>\n"
    )
    body = page.encode()
    lines = (f"HTTP/1.1 {status}", *_HEADERS, *headers, f"Content-Length: {len(body)}", "", "")
    return "\r\n".join(lines).encode() + body
