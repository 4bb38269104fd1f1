"""Login for server-rendered applications: three routes, and who is signed in.

Decides what a browser is sent and sent to when a person logs in or out. Decides nothing about tokens (the client's),
where they are kept (`_tokens`), what a cookie holds (`_session`) or what a page says (`_pages`).
"""

from __future__ import annotations

import hmac
import inspect
import logging
import math
import time
from contextlib import aclosing
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from cognito_oidc import AccessToken, AuthorizationRequest, CognitoClient, peek_state
from cognito_oidc.errors import CallbackError, CognitoOidcError, ConfigurationError, StoreError, shown, shown_number
from cognito_oidc.integrations.starlette._cookies import Cookies
from cognito_oidc.integrations.starlette._pages import page_of, problem_of, reason_of
from cognito_oidc.integrations.starlette._return_address import local_address
from cognito_oidc.integrations.starlette._session import LoginSession, SessionRecord, open_record, tag_of
from cognito_oidc.integrations.starlette._tokens import InCookie, InStore
from cognito_oidc.integrations.starlette._visit import VisitMiddleware, visit_of
from cognito_oidc.protocol.sealing import check_keys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from urllib.parse import SplitResult

    from starlette.requests import HTTPConnection, Request

    from cognito_oidc import Federation, IdTokenClaims, TokenStore
    from cognito_oidc.integrations.starlette._pages import LoginProblem, LoginProblemReason
    from cognito_oidc.integrations.starlette._tokens import Keeper

    ErrorPage = Callable[[Request, LoginProblem], Response | Awaitable[Response]]

SESSION_LIFETIME: Final = 12 * 3600.0
"""Seconds after which a person signs in again, whatever they do. Ours: a working day and its breaks."""

_MAX_LOGINS: Final = 4  # under way in one browser; each is a cookie of about 1 KB, and many servers take 8 KB in all
# Longer than a request may be old, so that who comes late is told so, instead of that the cookie is missing.
_LOGIN_COOKIE_SECONDS: Final = 3600
_LONGEST_LIFETIME: Final = 400 * 24 * 3600  # RFC 6265bis section 5.5: no browser keeps a cookie for longer
_MAX_FORM: Final = 8 * 1024
_RETURN_TO: Final = "return_to"
_UNKEPT: Final = {"Cache-Control": "no-store"}
_CHALLENGE: Final = {"WWW-Authenticate": 'Cookie realm="login"'}  # RFC 9110 section 15.5.2 wants one

_log: Final = logging.getLogger("cognito_oidc")


class CognitoLogin:
    """Logs people in to a server-rendered application, and says who is signed in.

    Attributes:
        client: The app client.

    Examples:
        >>> login = CognitoLogin(client, keys=[key], logout_uri="https://app.example.com/bye")  # doctest: +SKIP
        >>> app = Starlette(routes=[*login.routes, ...], middleware=[login.middleware])  # doctest: +SKIP
    """

    def __init__(
        self,
        client: CognitoClient,
        *,
        keys: Iterable[bytes] | bytes,
        logout_uri: str,
        store: TokenStore | None = None,
        federation: Federation | None = None,
        session_lifetime: float = SESSION_LIFETIME,
        home: str = "/",
        login_path: str = "/login",
        callback_path: str | None = None,
        logout_path: str = "/logout",
        cookie_name: str = "cognito",
        error_page: ErrorPage | None = None,
        allow_insecure_loopback: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Configure a login; nothing is sent yet.

        Args:
            client: The app client, with `redirect_uri` and the scope `openid`.
            keys: Keys of 32 random bytes that only your servers know, newest first: the first one seals, all open. To
                replace a key, put the new one last everywhere, then first, and take the old one away a session later.
            logout_uri: Where the person is after a logout; one of the app client's sign-out URLs, absolute.
            store: Keeps the tokens, so that they are refreshed, and that a logout ends them; the cookie then holds no
                token. None keeps access token and claims in the cookie, and refreshes nothing.
            federation: Let people who came through the upstream pool out of both pools.
            session_lifetime: Seconds after which a person signs in again.
            home: Where to go after a login that names no other path of this application.
            login_path: Path of the route that begins a login.
            callback_path: Path of the route that ends it; that of `redirect_uri` when left out. Below a `Mount`, or
                where a proxy's prefix is `root_path`, without what stands before it there.
            logout_path: Path of the route that logs out, by `POST` alone.
            cookie_name: Begins the names of the cookies. Two logins of one host need two names.
            error_page: Called with the request and a `LoginProblem`; returns the answer. May be async.
            allow_insecure_loopback: For development, where `redirect_uri` is http on loopback: cookies without `Secure`
                and `__Host-`, which browsers do not all keep there.
            clock: Returns epoch seconds UTC, for tests.

        Raises:
            ConfigurationError: An argument cannot be right.
        """
        if not isinstance(client, CognitoClient):
            msg = f"CognitoLogin needs a CognitoClient, got {shown(client)}."
            raise ConfigurationError(msg)
        sample = client.authorization_request()
        _check_openid(sample)
        place = urlsplit(sample.redirect_uri)
        _check_scheme(place.scheme, insecure=allow_insecure_loopback)
        known = isinstance(session_lifetime, int | float) and not isinstance(session_lifetime, bool)
        if not known or not 0 < session_lifetime <= _LONGEST_LIFETIME:
            got = shown_number(session_lifetime)
            msg = f"session_lifetime: expected seconds, more than 0, at most 400 days, got {got}."
            raise ConfigurationError(msg)
        if local_address(home) is None:
            msg = f"home: expected a path of this application, such as '/', got {shown(home)}."
            raise ConfigurationError(msg)
        if not cookie_name.replace("-", "").replace("_", "").isalnum() or not cookie_name.isascii():
            msg = f"cookie_name: expected letters, digits, '-' and '_', got {shown(cookie_name)}."
            raise ConfigurationError(msg)
        if federation is not None and federation.downstream.pool_id != client.pool.pool_id:
            msg = f"federation= lets people in to {federation.downstream!r}, the client is of {client.pool!r}."
            raise ConfigurationError(msg)
        self.client: CognitoClient = client
        self._keys = check_keys(keys)
        self._origin = _origin_of(place)
        self._logout_uri = logout_uri
        self._out = client.logout_url(logout_uri)
        self._federation = federation
        self._out_of_both = (
            None
            if federation is None
            else federation.logout_chain(downstream_client_id=client.client_id, final_url=logout_uri).url
        )
        self._clock = clock or time.time
        self._keeper: Keeper = InCookie() if store is None else InStore(client, store, clock=self._clock)
        self._lifetime = session_lifetime
        self._home = home
        self._paths = (login_path, callback_path or place.path or "/", logout_path)
        self._cookies = Cookies(cookie_name, secure=not allow_insecure_loopback)
        self._visit = f"cognito_oidc.login.{cookie_name}"
        self._error_page = error_page

    def __repr__(self) -> str:
        return f"CognitoLogin({self.client!r})"

    @property
    def routes(self) -> list[Route]:
        """The routes: `GET /login?return_to=`, `GET /callback` and `POST /logout`."""
        login, callback, logout = self._paths
        return [
            Route(login, self._login, methods=["GET"], name="login"),
            Route(callback, self._callback, methods=["GET"], name="callback"),
            Route(logout, self._logout, methods=["POST"], name="logout"),
        ]

    @property
    def middleware(self) -> Middleware:
        """What the application needs beside the routes.

        It keeps answers that know who is signed in out of every cache, and answers 503 where that cannot be known.
        """
        return Middleware(VisitMiddleware, key=self._visit, unavailable=self._unavailable)

    async def session(self, conn: HTTPConnection) -> LoginSession | None:
        """Return the session of the person who is signed in; None where nobody is.

        With a store the tokens are good now: they were refreshed where they were not, by one worker for all. A
        WebSocket has a session only where its page is of this application (`Origin`), since any page can open one.

        Args:
            conn: The request, or the WebSocket.

        Raises:
            CognitoOidcError: It cannot be known now: the store is down, or Cognito, where a refresh is due. The
                middleware answers 503; nobody is logged out.
            ConfigurationError: The application lacks `middleware`.
        """
        visit = visit_of(conn, self._visit)
        visit.looked = True
        if not visit.knows:
            visit.found = await self._find(conn)
            visit.knows = True
        return visit.found

    def start(
        self, request: Request, sent: AuthorizationRequest | None = None, *, return_to: str | None = None
    ) -> Response:
        """Return the answer that sends the browser away to log in.

        Args:
            request: The request that needs somebody.
            sent: An authorization request of the client's, such as
                `login.client.authorization_request(prompt="login")`; a plain one when left out.
            return_to: Path of this application to come back to. Anything else, which may come from anywhere, is `home`.
                When left out it is the page that was asked for.

        Returns:
            A redirect; or 401 where it is not a page that was asked for, but a script's request or a picture, with
            which no person can log in.

        Raises:
            ConfigurationError: `sent` does not ask for the scope `openid`.

        Source: RFC 9700 section 4.11 (return addresses); Fetch Metadata (`Sec-Fetch-Mode`).
        """
        if request.headers.get("sec-fetch-mode", "navigate") != "navigate":
            return PlainTextResponse("Sign in first.", HTTPStatus.UNAUTHORIZED, headers=_UNKEPT | _CHALLENGE)
        address = local_address(_page_asked_for(request) if return_to is None else return_to) or self._home
        sent = sent or self.client.authorization_request()
        _check_openid(sent)
        # The URL is used now; what the callback is judged by is the rest.
        kept = replace(sent, url="", app_state={**sent.app_state, _RETURN_TO: address})
        response = RedirectResponse(sent.url, HTTPStatus.SEE_OTHER, headers=_UNKEPT)
        self._cookies.drop(response, request.cookies, self._surplus_logins(request))
        name = self._cookies.login_name(tag_of(sent.state))
        self._cookies.put(response, name, kept.seal(self._keys[0]), max_age=_LOGIN_COOKIE_SECONDS)
        return response

    async def _login(self, request: Request) -> Response:
        """Begin a login."""
        return self.start(request, return_to=request.query_params.get(_RETURN_TO, self._home))

    async def _callback(self, request: Request) -> Response:
        """End a login: exchange the code, begin the session, go where the person wanted to."""
        if request.method == "HEAD":  # which Starlette adds to GET; it would use the code up
            return Response(status_code=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET"})
        try:
            state = peek_state(request.query_params)
        except CallbackError as error:
            return await self._say(request, "unusable_callback", error=error)
        if state is None:
            return await self._say(request, "unusable_callback")
        name = self._cookies.login_name(tag_of(state))
        sealed = request.cookies.get(name)
        if sealed is None:
            return await self._say(request, self._why_no_cookie(request, state))
        address = self._home
        try:
            sent = AuthorizationRequest.unseal(sealed, self._keys)
            address = local_address(sent.app_state.get(_RETURN_TO)) or self._home
            try:
                await self._keeper.check_unused(sent)
            except StoreError as error:  # the code is not used yet: the same page can be opened again
                return await self._say(request, "unavailable", error=error, return_to=address)
            response: Response = RedirectResponse(address, HTTPStatus.SEE_OTHER, headers=_UNKEPT)
            await self._begin_session(request, sent, response)
        except CognitoOidcError as error:
            response = await self._say(request, reason_of(error), error=error, return_to=address)
        self._cookies.drop(response, request.cookies, [name])
        return response

    async def _begin_session(self, request: Request, sent: AuthorizationRequest, response: Response) -> None:
        """Exchange the code, and set a new session in the place of whatever was there."""
        tokens = await self.client.exchange_code(request.query_params, sent)
        claims = cast("IdTokenClaims", tokens.claims)  # every request asked for openid, so there is an ID token
        record = SessionRecord.begun(sent, claims, client=self.client, now=self._clock())
        record = await self._keeper.keep(record, sent, tokens)
        self._cookies.put_session(
            response, request.cookies, record.sealed(self._keys[0]), max_age=math.ceil(self._lifetime)
        )
        before = self._record(request)
        if before is not None:
            try:
                await self._keeper.forget(before, revoke=False)
            except CognitoOidcError as error:  # no browser has its cookie any more
                _log.warning("The session before this login is still in the store: %s", error)

    async def _logout(self, request: Request) -> Response:
        """End the session here, its tokens, and the sessions of Cognito."""
        record = self._record(request)
        if record is None:  # also where another site sent the form: its request comes without our cookies
            return RedirectResponse(self._logout_uri, HTTPStatus.SEE_OTHER, headers=_UNKEPT)
        if not await _is_from_own_page(request, record.csrf_token):
            return await self._say(request, "foreign_logout")
        try:
            await self._keeper.forget(record, revoke=True)
        except StoreError as error:
            return await self._say(request, "unavailable", error=error)
        except CognitoOidcError as error:  # nobody has the refresh token any more: the person leaves all the same
            _log.warning("A refresh token could not be revoked at a logout: %s", error)
        response = RedirectResponse(self._way_out(record), HTTPStatus.SEE_OTHER, headers=_UNKEPT)
        self._cookies.drop_session(response, request.cookies)
        return response

    def _way_out(self, record: SessionRecord) -> str:
        """Return the logout of Cognito; of both pools for whoever came through the upstream one."""
        if self._federation is not None and self._federation.provider_name in record.providers:
            return cast("str", self._out_of_both)
        return self._out

    async def _find(self, conn: HTTPConnection) -> LoginSession | None:
        if conn.scope["type"] == "websocket" and conn.headers.get("origin") != self._origin:
            return None
        record = self._record(conn)
        if record is None:
            return None
        tokens = await self._keeper.tokens_of(record)
        if tokens is None or tokens.claims is None or tokens.claims.sub != record.sub:
            return None
        return LoginSession(
            claims=tokens.claims,
            access_token=AccessToken(tokens.access_token, tokens.expires_at),
            csrf_token=record.csrf_token,
            signed_in_at=record.signed_in_at,
            ends_at=record.signed_in_at + self._lifetime,
        )

    def _record(self, conn: HTTPConnection) -> SessionRecord | None:
        """Return the session that the browser's cookie is, where it is one of this app client and has not ended."""
        record = open_record(self._cookies.session(conn.cookies), self._keys)
        if record is None or not record.is_good(self.client, now=self._clock(), lifetime=self._lifetime):
            return None
        return record

    def _surplus_logins(self, request: Request) -> list[str]:
        """Return the cookies of logins that leave no room for another one: the oldest, and what cannot be read."""
        begun: dict[str, float] = {}
        for name, sealed in self._cookies.logins(request.cookies).items():
            try:
                begun[name] = AuthorizationRequest.unseal(sealed, self._keys).created_at
            except CallbackError:
                begun[name] = -math.inf
        newest_first = sorted(begun, key=lambda name: begun[name], reverse=True)
        return newest_first[_MAX_LOGINS - 1 :]

    def _why_no_cookie(self, request: Request, state: str) -> LoginProblemReason:
        record = self._record(request)
        if record is not None and record.login == tag_of(state):
            return "already_used"
        return "unknown_state" if self._cookies.logins(request.cookies) else "cookie_missing"

    async def _unavailable(self, request: Request, error: CognitoOidcError) -> Response:
        return await self._say(request, "unavailable", error=error, return_to=_page_asked_for(request))

    async def _say(
        self,
        request: Request,
        reason: LoginProblemReason,
        *,
        error: CognitoOidcError | None = None,
        return_to: str | None = None,
    ) -> Response:
        """Answer a problem by the application's page, or by a plain one."""
        address = local_address(return_to) or self._home
        href = address
        if reason not in {"already_used", "foreign_logout", "unavailable"}:
            href = f"{request.scope.get('root_path', '')}{self._paths[0]}?{_RETURN_TO}={quote(address, safe='/')}"
        problem = problem_of(reason, href=href, error=error)
        level = logging.INFO if problem.status < HTTPStatus.INTERNAL_SERVER_ERROR else logging.WARNING
        _log.log(level, "A login is answered %d, %s: %s", problem.status, reason, error or problem.text)
        if self._error_page is None:
            response = page_of(problem)
        else:
            page = self._error_page(request, problem)
            response = await page if inspect.isawaitable(page) else page
        response.headers["Cache-Control"] = "no-store"
        if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
            response.headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after or 1)))
        return response


def _check_openid(sent: AuthorizationRequest) -> None:
    if "openid" not in sent.scopes:
        msg = "CognitoLogin needs the scope openid: without it no ID token says who is signed in."
        raise ConfigurationError(msg)


def _check_scheme(scheme: str, *, insecure: bool) -> None:
    if scheme == "https" and not insecure:
        return
    if scheme == "http" and insecure:
        _log.warning("Session cookies are sent without Secure and __Host-: allow_insecure_loopback is for development.")
        return
    if scheme == "http":
        msg = (
            "redirect_uri is http on loopback, where not every browser keeps a Secure cookie: for development pass "
            "allow_insecure_loopback=True."
        )
    elif scheme == "https":
        msg = "allow_insecure_loopback is for a redirect_uri that is http on loopback; this one is https: leave it out."
    else:
        msg = f"redirect_uri: a browser comes back to https, got the scheme {shown(scheme)}."
    raise ConfigurationError(msg)


def _origin_of(place: SplitResult) -> str:
    """Return the origin of an address as a browser writes it. Source: RFC 6454 section 6.2."""
    host = f"[{place.hostname}]" if ":" in (place.hostname or "") else place.hostname
    usual = {"https": 443, "http": 80}[place.scheme]
    return f"{place.scheme}://{host}" if place.port in {None, usual} else f"{place.scheme}://{host}:{place.port}"


def _page_asked_for(request: Request) -> str | None:
    """Return path and query of a request for a page, as they came; None for a form, which cannot be sent again."""
    if request.method not in {"GET", "HEAD"}:
        return None
    raw = cast("bytes | None", request.scope.get("raw_path"))
    path = quote(request.url.path) if raw is None else raw.decode("latin-1")
    query = cast("bytes", request.scope.get("query_string", b"")).decode("latin-1")
    return f"{path}?{query}" if query else path


async def _is_from_own_page(request: Request, csrf_token: str) -> bool:
    """Tell whether a form came from a page of this application: it holds the session's token.

    Where the browser says from where it was sent, that must be here as well.

    Source: Fetch Metadata, `Sec-Fetch-Site`.
    """
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    if len(request.headers.get("content-length", "")) > len(str(_MAX_FORM)):
        return False
    body = b""
    async with aclosing(request.stream()) as chunks:  # which ends it where it is left early
        async for chunk in chunks:
            body += chunk
            if len(body) > _MAX_FORM:
                return False
    fields = dict(parse_qsl(body.decode("latin-1")))
    return hmac.compare_digest(fields.get("csrf_token", "").encode(), csrf_token.encode())
