"""The least token endpoint there can be, in a process of its own: it answers what it was told to, by grant.

    with serving({"client_credentials": {...}}) as url: ...

It speaks just enough HTTP/1.1 to be posted to, so that what is measured is the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEAD: Final = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\nCache-Control: no-cache, no-store\r\n"
    "x-amz-cognito-request-id: 6f1c3a52-8c0e-4d0b-9a43-5a0d8f6f1c3a\r\nContent-Length: {length}\r\n\r\n"
)


@contextlib.contextmanager
def serving(answers: Mapping[str, object]) -> Iterator[str]:
    """Serve these answers, by `grant_type`, on a free port of loopback, and give the base URL."""
    command = [sys.executable, "-m", "benchmarks.token_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(dict(answers)) + "\n")
            child.stdin.flush()
            yield f"http://127.0.0.1:{int(child.stdout.readline())}"
        finally:
            child.kill()


class _Connection(asyncio.Protocol):
    """Reads requests, one after the other, and answers each at once."""

    def __init__(self, answers: Mapping[bytes, bytes]) -> None:
        self._answers = answers
        self._data = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._data[:end]).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self._data) < end + 4 + length:
                return
            body = bytes(self._data[end + 4 : end + 4 + length])
            del self._data[: end + 4 + length]
            grant = body.partition(b"grant_type=")[2].partition(b"&")[0]
            assert self._transport is not None
            self._transport.write(self._answers[grant])


async def _serve() -> None:
    given: dict[str, object] = json.loads(sys.stdin.readline())
    answers: dict[bytes, bytes] = {}
    for grant, document in given.items():
        body = json.dumps(document)
        answers[grant.encode()] = (_HEAD.format(length=len(body)) + body).encode()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(answers), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve())
