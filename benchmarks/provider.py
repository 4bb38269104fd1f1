"""A provider on loopback that answers its token endpoint as told: honest unless somebody says otherwise.

    with Provider() as provider:
        provider.answer = TokenAnswer(body=b"...")

It has the addresses of an emulated user pool (`UserPool(..., endpoint_url=provider.base)`) and a discovery document,
so that every library finds its way.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final, Self

from benchmarks.shared import POOL_ID, key_set

if TYPE_CHECKING:
    from collections.abc import Mapping

DOMAIN: Final = "acme"
JSON: Final = "application/json;charset=UTF-8"
ELSEWHERE: Final = "/elsewhere"


@dataclass(frozen=True, kw_only=True)
class TokenAnswer:
    """What the token endpoint says.

    Attributes:
        body: The bytes.
        status: The status.
        content_type: The content type.
        headers: Further headers.
        elsewhere: What stands at the place of a redirect, where only a client that follows it comes.
    """

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    elsewhere: bytes = b""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that has seen enough hangs up."""


class Provider:
    """The server; use it as a context manager.

    Attributes:
        answer: What the token endpoint says from now on.
        base: Its base URL.
        issuer: The issuer of its tokens.
    """

    def __init__(self) -> None:
        """Listen on a free port."""
        self.answer = TokenAnswer(body=b"{}")
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.issuer = f"{self.base}/{POOL_ID}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def discovery_url(self) -> str:
        """Where the discovery document is."""
        return f"{self.issuer}/.well-known/openid-configuration"

    def metadata(self) -> dict[str, object]:
        """Return the discovery document."""
        endpoints = f"{self.base}/{DOMAIN}/oauth2"
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/.well-known/jwks.json",
            "authorization_endpoint": f"{endpoints}/authorize",
            "token_endpoint": f"{endpoints}/token",
            "userinfo_endpoint": f"{endpoints}/userInfo",
            "revocation_endpoint": f"{endpoints}/revoke",
            "response_types_supported": ["code", "token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "phone", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                document = key_set() if self.path.endswith("jwks.json") else provider.metadata()
                self._say(TokenAnswer(body=json.dumps(document).encode()))

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = provider.answer
                self._say(TokenAnswer(body=answer.elsewhere) if self.path == ELSEWHERE else answer)

            def _say(self, answer: TokenAnswer) -> None:
                self.send_response(answer.status)
                for name, value in {"Content-Type": answer.content_type, **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:  # quiet
                pass

        return Handler
