"""An application that people log in to, the pool behind it, and a browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from cognito_oidc import CognitoClient, MemoryTokenStore
from cognito_oidc.integrations.starlette import CognitoLogin
from tests.integrations.starlette.browser import BASE, Browser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool

KEY = bytes(range(32))
OLD_KEY = bytes(range(32, 64))
BYE = f"{BASE}/bye"


@dataclass(frozen=True, kw_only=True)
class Site:
    """An application with its pool.

    Attributes:
        cognito: The emulator.
        pool: The user pool.
        registered: The app client.
        client: The application's client.
        login: Its login.
        app: The application.
        store: Where its tokens are, or None.
    """

    cognito: CognitoEmulator
    pool: EmulatedPool
    registered: EmulatedAppClient
    client: CognitoClient
    login: CognitoLogin
    app: Starlette
    store: MemoryTokenStore | None


@pytest.fixture
def registered(cognito_pool: EmulatedPool) -> EmulatedAppClient:
    """Register the application at the pool, with rotation of refresh tokens and no grace."""
    cognito_pool.add_user("ann", password="correct horse", email="ann@example.com")
    cognito_pool.add_user("bob", password="battery staple", email="bob@example.com")
    return cognito_pool.add_client(
        "web",
        redirect_uris=[f"{BASE}/callback"],
        logout_uris=[BYE],
        scopes=["openid", "email"],
        client_secret=True,
        refresh_token_rotation=True,
    )


@pytest.fixture
def build(
    cognito_emulator: CognitoEmulator, cognito_pool: EmulatedPool, registered: EmulatedAppClient
) -> Callable[..., Site]:
    """Return what builds an application; a second one is another worker, or another version of it."""

    def build(*, store: MemoryTokenStore | None = None, keys: Any = KEY, **options: Any) -> Site:  # noqa: ANN401 - CognitoLogin's own
        client = registered.client(redirect_uri=f"{BASE}/callback", scopes=["openid", "email"])
        settings = {"logout_uri": BYE, "clock": cognito_emulator.clock, **options}
        login = CognitoLogin(client, keys=keys, store=store, **settings)
        return Site(
            cognito=cognito_emulator,
            pool=cognito_pool,
            registered=registered,
            client=client,
            login=login,
            app=application(login),
            store=store,
        )

    return build


def application(login: CognitoLogin) -> Starlette:
    """Return an application with a page for everybody, and pages for who is signed in."""

    async def whoami(request: Request) -> JSONResponse:
        session = await login.session(request)
        assert session is await login.session(request)
        if session is None:
            return JSONResponse(None)
        return JSONResponse(
            {
                "email": session.claims.email,
                "csrf": session.csrf_token,
                "token": session.access_token.value,
                "ends_at": session.ends_at,
            }
        )

    async def orders(request: Request) -> Response:
        session = await login.session(request)
        if session is None:
            return login.start(request)
        return JSONResponse({"orders of": session.claims.email})

    async def public(request: Request) -> JSONResponse:
        return JSONResponse("everybody", headers={"Cache-Control": "public, max-age=60"})

    routes = [
        *login.routes,
        Route("/whoami", whoami, methods=["GET", "POST"]),
        Route("/orders/{number:path}", orders, methods=["GET", "POST"]),
        Route("/", public),
        Route("/bye", public),
    ]
    return Starlette(routes=routes, middleware=[login.middleware])


@pytest.fixture(params=["cookie", "store"])
def site(request: pytest.FixtureRequest, build: Callable[..., Site]) -> Site:
    """Return the application with its sessions in cookies, and with a store."""
    return build(store=MemoryTokenStore() if request.param == "store" else None)


@pytest.fixture
def stored(build: Callable[..., Site]) -> Site:
    """Return the application with a store."""
    return build(store=MemoryTokenStore())


@pytest.fixture
async def open_browser(cognito_emulator: CognitoEmulator) -> AsyncIterator[Callable[..., Browser]]:
    """Return what opens another browser, for ann unless somebody else is named."""
    browsers: list[Browser] = []

    def open_browser(site: Site, *, username: str = "ann", password: str = "correct horse") -> Browser:
        browsers.append(Browser(site.app, cognito_emulator, cognito_emulator.person(username, password)))
        return browsers[-1]

    yield open_browser
    for browser in browsers:
        await browser.close()


@pytest.fixture
def browser(site: Site, open_browser: Callable[..., Browser]) -> Browser:
    """Return ann's browser at `site`."""
    return open_browser(site)
