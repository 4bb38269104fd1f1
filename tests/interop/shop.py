"""An application on loopback that a browser comes back to: a page for whatever is asked for, and files."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>The shop</title></head>
<body><main><h1>Back in the shop</h1></main></body></html>
"""
_PATIENCE: Final = 10.0  # seconds
_TYPES: Final = {"js": "text/javascript", "html": "text/html"}


@contextlib.contextmanager
def served(files: Mapping[str, str] | None = None) -> Iterator[str]:
    """Serve at `localhost`, which is another site than the emulator's 127.0.0.1; yield the URL of the root.

    Args:
        files: Texts by path without the first slash; any other path has the same page.
    """
    texts = files or {}

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer."""
            path = self.path.partition("?")[0].removeprefix("/")
            body = texts.get(path, texts.get("", _PAGE)).encode()
            self.send_response(200)
            self.send_header("Content-Type", f"{_TYPES.get(path.rpartition('.')[2], 'text/html')}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(_PATIENCE)
