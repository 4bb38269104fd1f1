"""A small HTTP server on loopback that misbehaves as told, in threads of its own.

Each request takes the next answer of the queue, or the last one again once it is the only one left. What arrived is
kept, so that a test can count it and look at it byte for byte.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Literal, Self

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.factories import rsa_key

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

JSON: Final = "application/json;charset=UTF-8"
_LONGEST: Final = 30.0  # seconds after which a stalled connection ends, should a test forget it


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is answered, and how badly.

    Attributes:
        status: The status.
        body: The bytes of the body, as they go over the wire.
        headers: Beside Content-Type and Content-Length.
        content_type: The content type; None leaves it out.
        fault: What goes wrong. `reset` and `close` end the connection before any answer, `stall` never answers,
            `stall_body` and `truncate` stop in the middle of the body, `drip` and `drip_body` send byte after byte.
        pause: Seconds between the bytes of a drip.
        delay: Seconds before the answer.
        chunked: Whether the body comes in chunks, without its length.
        close: Whether the connection is closed after a whole answer.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str | None = JSON
    fault: Literal["", "reset", "close", "stall", "stall_body", "truncate", "drip", "drip_body"] = ""
    pause: float = 0.02
    delay: float = 0.0
    chunked: bool = False
    close: bool = False

    @property
    def hangs(self) -> bool:
        """Whether only a limit of time ends it."""
        return self.fault in {"stall", "stall_body", "drip", "drip_body"}

    def head(self) -> bytes:
        """Return status line and headers."""
        lines = [f"HTTP/1.1 {self.status} Whatever"]
        if self.content_type is not None:
            lines.append(f"Content-Type: {self.content_type}")
        lines.append("Transfer-Encoding: chunked" if self.chunked else f"Content-Length: {len(self.body)}")
        lines.extend(f"{name}: {value}" for name, value in self.headers)
        return "\r\n".join([*lines, "", ""]).encode()

    def payload(self) -> bytes:
        """Return the body as it goes over the wire."""
        if not self.chunked:
            return self.body
        return b"%x\r\n%s\r\n0\r\n\r\n" % (len(self.body), self.body)


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request as it arrived."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)

    def header(self, name: str) -> str | None:
        """Return the value of a header."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)


def gzip_bomb(size: int) -> Answer:
    """Return an answer of a few bytes that unpack to `size`."""
    return Answer(body=gzip.compress(b"\0" * size), headers=(("Content-Encoding", "gzip"),))


class FaultServer:
    """The server; use it as a context manager."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.received: list[Received] = []
        self.connections = 0
        self._answers = [Answer()]
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._open: set[socket.socket] = set()
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._lock:
            left = list(self._open)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    @property
    def count(self) -> int:
        """How many requests arrived."""
        return len(self.received)

    def answer(self, *answers: Answer) -> None:
        """Answer so from now on; the last one is repeated."""
        with self._lock:
            self._answers = list(answers)

    def release(self) -> None:
        """End every connection that stalls."""
        self._released.set()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with self._lock:
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with (
                contextlib.suppress(OSError),
                self._encrypted(connection) as channel,
                channel.makefile("rb") as stream,
            ):
                while True:
                    request = _read_request(stream)
                    if request is None:
                        return
                    with self._lock:
                        self.received.append(request)
                        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                    if not self._give(channel, answer):
                        return
        finally:
            with self._lock:
                self._open.discard(connection)

    def _encrypted(self, connection: socket.socket) -> socket.socket:
        return connection if self._tls is None else self._tls.wrap_socket(connection, server_side=True)

    def _give(self, connection: socket.socket, answer: Answer) -> bool:
        """Send an answer, and tell whether the connection is still good."""
        if answer.delay:
            self._released.wait(answer.delay)
        match answer.fault:
            case "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            case "close":
                return False
            case "stall":
                self._released.wait(_LONGEST)
                return False
            case "drip":
                self._drip(connection, answer.head() + answer.payload(), answer.pause)
            case "drip_body":
                connection.sendall(answer.head())
                self._drip(connection, answer.payload(), answer.pause)
            case "truncate" | "stall_body":
                payload = answer.payload()
                connection.sendall(answer.head() + payload[: len(payload) // 2])
                if answer.fault == "stall_body":
                    self._released.wait(_LONGEST)
                return False
            case _:
                connection.sendall(answer.head() + answer.payload())
        return not answer.close

    def _drip(self, connection: socket.socket, data: bytes, pause: float) -> None:
        until = time.monotonic() + _LONGEST
        for position in range(len(data)):
            connection.sendall(data[position : position + 1])
            if self._released.wait(pause) or time.monotonic() > until:
                return


def _read_request(stream: object) -> Received | None:
    readline, read = stream.readline, stream.read  # type: ignore[attr-defined]  # a socket's file
    line: bytes = readline()
    if not line:
        return None
    method, target, _ = line.decode().split(" ", 2)
    headers = []
    while (line := readline().strip()) != b"":
        name, _, value = line.decode().partition(":")
        headers.append((name, value.strip()))
    length = int(next((value for name, value in headers if name.lower() == "content-length"), "0"))
    return Received(method=method, target=target, headers=tuple(headers), body=read(length))


def certificate(folder: Path) -> Path:
    """Write a certificate for 127.0.0.1, which signs itself, with its key into a file, and return its path."""
    key = rsa_key("certificate")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + signed.public_bytes(Encoding.PEM))
    return path


@contextlib.contextmanager
def unreachable() -> Iterator[str]:
    """Give the URL of a port where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{one.getsockname()[1]}"
