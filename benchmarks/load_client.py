"""A bounded load on an HTTP server: a fixed number of connections, each of which asks again when it was answered."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CONNECTIONS: Final = 16


class Request(NamedTuple):
    """What to send, and what it is called in the answers."""

    kind: str
    data: bytes


class Answer(NamedTuple):
    """What came of a request: its status, 0 where the connection was lost, when it was sent, and how long it took."""

    kind: str
    status: int
    at: float
    seconds: float


def get(path: str, token: str, kind: str = "good") -> Request:
    """Return a request with a bearer token."""
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nAuthorization: Bearer {token}\r\n\r\n"
    return Request(kind, head.encode())


async def load(port: int, requests: Iterable[Request]) -> list[Answer]:
    """Send requests until there are no more; return the answers in the order they came."""
    answers: list[Answer] = []
    source = iter(requests)
    loop = asyncio.get_running_loop()
    ends = [loop.create_future() for _ in range(CONNECTIONS)]
    for end in ends:
        await loop.create_connection(lambda end=end: _Connection(source, answers, end), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ends)
    return answers


class _Connection(asyncio.Protocol):
    def __init__(self, source: Iterator[Request], answers: list[Answer], end: asyncio.Future[None]) -> None:
        self._source = source
        self._answers = answers
        self._end = end
        self._data = bytearray()
        self._asked: tuple[str, float] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Ask again when the answer is whole."""
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0 or self._asked is None:
            return
        head = bytes(self._data[:end]).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._data) >= end + 4 + length:
            self._note(int(head[9:12]))
            self._data.clear()
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio passes it
        """Note what was lost with it."""
        if self._asked is not None:
            self._note(0)
        self._end.set_result(None)

    def _ask(self) -> None:
        assert self._transport is not None
        request = next(self._source, None)
        if request is None:
            self._asked = None
            self._transport.close()
        else:
            self._asked = (request.kind, time.perf_counter())
            self._transport.write(request.data)

    def _note(self, status: int) -> None:
        assert self._asked is not None
        kind, at = self._asked
        self._answers.append(Answer(kind, status, at, time.perf_counter() - at))
        self._asked = None
