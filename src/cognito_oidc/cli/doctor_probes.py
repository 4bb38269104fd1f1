"""Asks what the doctor's judges need: addresses, logins that nobody goes on with, ports of this machine.

Decides what is asked, in which order, and how often. Decides nothing about what the answers mean. Nobody is logged in,
nothing is changed, and no redirect is followed.
"""

from __future__ import annotations

import errno
import socket
import ssl
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx

from cognito_oidc.cli.doctor_addresses import Reply
from cognito_oidc.errors import clean_server_text
from cognito_oidc.protocol.authorize_answer import parse_authorize_answer, throwaway_authorize_request
from cognito_oidc.protocol.wire import HttpResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from cognito_oidc.cli.doctor_addresses import Trouble
    from cognito_oidc.cli.doctor_profile import Subject
    from cognito_oidc.protocol.authorize_answer import AuthorizeAnswer
    from cognito_oidc.protocol.wire import HttpRequest

_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
_MAX_BODY: Final = 1024 * 1024
_MAX_WORDS: Final = 160
_IN_USE: Final = (errno.EADDRINUSE, errno.EACCES)
# RFC 7636 appendix B. Its verifier is public: a code for it would be worth nothing, and nobody is there to get one.
_CHALLENGE: Final = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


class Prober:
    """Asks one pool. Made by `probing`."""

    def __init__(self, subject: Subject, client: httpx.AsyncClient) -> None:
        """Take what is looked at, and an HTTP client that follows no redirects."""
        self._subject = subject
        self._client = client
        self.replies: list[Reply] = []

    async def get(self, url: str) -> Reply:
        """Fetch an address."""
        return await self._ask(httpx.Request("GET", url, headers={"Accept": "application/json"}))

    async def send(self, request: HttpRequest) -> Reply:
        """Send a request of the protocol."""
        asked = httpx.Request(request.method, request.url, headers=list(request.headers), content=request.body or None)
        return await self._ask(asked)

    async def login(
        self, redirect_uri: str, *, scopes: Iterable[str] | None = None, provider: str | None = None
    ) -> AuthorizeAnswer | None:
        """Begin a login that nobody goes on with; None where no answer came."""
        endpoint = self._subject.pool.authorization_endpoint
        request = throwaway_authorize_request(
            endpoint,
            client_id=self._subject.client_id,
            redirect_uri=redirect_uri,
            scope=" ".join(self._subject.scopes if scopes is None else scopes),
            identity_provider=provider,
            code_challenge=_CHALLENGE,
        )
        reply = await self.send(request)
        return None if reply.response is None else parse_authorize_answer(reply.response, endpoint=endpoint)

    async def _ask(self, request: httpx.Request) -> Reply:
        url = str(request.url.copy_with(query=None))
        asked_at = time.time()
        try:
            response, tls = await self._send(request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            trouble, words = _trouble(error)
            return Reply(url=url, trouble=trouble, words=words)
        reply = Reply(url=url, response=response, asked_at=asked_at, answered_at=time.time(), tls=tls)
        self.replies.append(reply)
        return reply

    async def _send(self, request: httpx.Request) -> tuple[HttpResponse, str | None]:
        self._client.cookies.clear()  # each login begins in a browser that was never here
        response = await self._client.send(request, stream=True)
        try:
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MAX_BODY:
                    raise httpx.DecodingError("the answer is longer than 1 MiB")
        finally:
            await response.aclose()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpResponse(status=response.status_code, headers=headers, body=body), _tls(response)


@asynccontextmanager
async def probing(subject: Subject) -> AsyncIterator[Prober]:
    """Give what asks, with an HTTP client that is closed afterwards."""
    async with httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False) as client:
        yield Prober(subject, client)


def taken_ports(ports: Mapping[str, int]) -> dict[str, str]:
    """Return callback URLs, each with the reason why nobody could listen there; empty where somebody could."""
    return {uri: _taken(urlsplit(uri).hostname or "", port) for uri, port in ports.items()}


def _taken(host: str, port: int) -> str:
    """Try the addresses that a browser may take a name for; IPv6 may be missing altogether."""
    addresses = {"localhost": ("127.0.0.1", "::1")}.get(host, (host,))
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_STREAM) as tried:
                tried.bind((address, port))
                tried.listen(1)
        except OSError as error:
            if family == socket.AF_INET6 and len(addresses) > 1 and error.errno not in _IN_USE:
                continue
            return f"{address}: {error.strerror or error}"
    return ""


def _trouble(error: Exception) -> tuple[Trouble, str]:
    """Return why no answer came: looks into the causes, since httpx wraps what the system said."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "certificate", cause.verify_message
        if isinstance(cause, socket.gaierror):
            return "name", str(cause.strerror or cause)
        cause = cause.__cause__ or cause.__context__
    words = clean_server_text(str(error), limit=_MAX_WORDS) or type(error).__name__
    return "network", words


def _tls(response: httpx.Response) -> str | None:
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    version = tls.version() if tls is not None else None
    return str(version) if version else None
