"""What one request does with a session, and what follows for its answer.

Decides that an answer which knows who is signed in is kept by nobody, and what is answered where that cannot be known.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import Request

from cognito_oidc.errors import CognitoOidcError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import HTTPConnection
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from cognito_oidc.integrations.starlette._session import LoginSession


class Visit:
    """One request's look at the session.

    Attributes:
        looked: Whether the application looked.
        knows: Whether it got to know; a look that failed is no answer, and the next one looks again.
        found: What it found.
    """

    __slots__ = ("found", "knows", "looked")

    def __init__(self) -> None:
        self.looked = False
        self.knows = False
        self.found: LoginSession | None = None


class VisitMiddleware:
    """Gives each request its visit."""

    def __init__(
        self, app: ASGIApp, *, key: str, unavailable: Callable[[Request, CognitoOidcError], Awaitable[Response]]
    ) -> None:
        self._app = app
        self._key = key
        self._unavailable = unavailable

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; a lifespan passes through."""
        visit = scope[self._key] = Visit()
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_unkept(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                if visit.looked:
                    MutableHeaders(scope=message)["Cache-Control"] = "no-store"
            await send(message)

        try:
            await self._app(scope, receive, send_unkept)
        except CognitoOidcError as error:
            if begun or error.http_status != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            response = await self._unavailable(Request(scope, receive), error)
            await response(scope, receive, send_unkept)


def visit_of(conn: HTTPConnection, key: str) -> Visit:
    """Return the visit of a request.

    Raises:
        ConfigurationError: The application lacks the middleware.
    """
    visit = conn.scope.get(key)
    if not isinstance(visit, Visit):
        msg = "CognitoLogin: add login.middleware to the application's middleware; without it, answers could be cached."
        raise ConfigurationError(msg)
    return visit
