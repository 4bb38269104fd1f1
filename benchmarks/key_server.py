"""A key endpoint on loopback that misbehaves as told, over HTTP or TLS, and counts what arrives."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING, Self

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.shared import POOL_ID, rsa_key

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.shared import Json


class KeyServer:
    """The server; use it as a context manager.

    Attributes:
        count: How many requests arrived.
        status: What it answers; 200 comes with the keys.
        delay: Seconds before the answer.
        hanging: Whether it takes requests and never answers.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        """Listen on a free port, with TLS where a certificate (and its key) is given."""
        self.count = 0
        self.status = 200
        self.delay = 0.0
        self.hanging = False
        self._body = b'{"keys":[]}'
        self._released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.base = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{self.base}/{POOL_ID}/.well-known/jwks.json"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self, jwks: Json) -> str:
        """Serve this key set from now on, and return where."""
        self._body = json.dumps(jwks).encode()
        return self.url

    def release(self) -> None:
        """End the requests that hang, and hang no more."""
        self.hanging = False
        self._released.set()
        self._released = threading.Event()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with lock:
                    outer.count += 1
                if outer.hanging:
                    outer._released.wait(60)
                    self.close_connection = True
                    return
                if outer.delay:
                    outer._released.wait(outer.delay)
                body = outer._body if outer.status == 200 else b'{"message":null}'  # noqa: PLR2004 - OK
                head = f"HTTP/1.1 {outer.status} -\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
                with contextlib.suppress(OSError):
                    self.wfile.write(head.encode() + b"\r\n\r\n" + body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                pass

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that went away is what some scenarios are about."""


def write_certificate(folder: Path) -> Path:
    """Write a certificate for 127.0.0.1, which signs itself, with its key into a file, and return its path."""
    key = rsa_key("certificate")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return path
