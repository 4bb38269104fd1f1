"""Libraries that log people in, behind one face, each used as the login example of its own documentation does.

Each sends the browser away (`begin` gives the URL it goes to) and takes it back (`finish` raises where the callback is
refused). What an example leaves to the application is left out here too: that is what is compared.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from benchmarks.provider import DOMAIN
from benchmarks.shared import CLIENT_ID, OURS, POOL_ID, installed
from cognito_oidc import AuthorizationRequest, CognitoClient, UserPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.provider import Provider

REDIRECT_URI: Final = "https://app.example.com/callback"
CLIENT_SECRET: Final = "s" * 52


class RelyingParty(Protocol):
    """An application that logs somebody in."""

    def begin(self) -> str:
        """Return the URL of the authorization endpoint that the browser is sent to."""

    def finish(self, callback: str) -> object:
        """Take the URL the browser came back with; raise where nobody is logged in."""


class Ours:
    """`docs/guide/log-people-in.md`: the sealed request in a cookie, which goes with the login."""

    def __init__(self, provider: Provider) -> None:
        self._key = secrets.token_bytes(32)
        self._cookies: dict[str, str] = {}
        self._pool = UserPool(POOL_ID, domain=DOMAIN, endpoint_url=provider.base)

    def _client(self) -> CognitoClient:
        return CognitoClient(
            self._pool,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            redirect_uri=REDIRECT_URI,
            scopes=["openid", "email"],
            clock=lambda: time.time(),  # noqa: PLW0108 - looked up each time, for a case that sets the clock forward
        )

    def begin(self) -> str:
        """Make a request and seal it."""
        sent = self._client().authorization_request()
        self._cookies["login"] = sent.seal(self._key)
        return sent.url

    def finish(self, callback: str) -> object:
        """Unseal it and exchange the code."""
        sent = AuthorizationRequest.unseal(self._cookies.get("login", ""), self._key)

        async def exchange() -> object:
            async with self._client() as client:
                return await client.exchange_code(callback, sent)

        tokens = asyncio.run(exchange())
        del self._cookies["login"]
        return tokens


class Authlib:
    """Its Starlette client: `authorize_redirect`, then `authorize_access_token`, which gives `userinfo`."""

    def __init__(self, provider: Provider) -> None:
        from authlib.integrations.starlette_client import OAuth

        self._session: dict[str, Any] = {}
        self._oauth = OAuth()
        self._oauth.register(
            name="cognito",
            server_metadata_url=provider.discovery_url,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            client_kwargs={"scope": "openid email", "code_challenge_method": "S256", "trust_env": False},
        )

    def begin(self) -> str:
        """Redirect to the provider."""
        response = asyncio.run(self._oauth.cognito.authorize_redirect(self._request("/login"), REDIRECT_URI))
        return str(response.headers["location"])

    def finish(self, callback: str) -> object:
        """Fetch the token, and read who it is."""
        token = asyncio.run(self._oauth.cognito.authorize_access_token(self._request(callback)))
        return token["userinfo"]

    def _request(self, url: str) -> Any:  # noqa: ANN401 - Starlette's
        from starlette.requests import Request

        parts = urlsplit(url)
        return Request(
            {
                "type": "http",
                "method": "GET",
                "scheme": "https",
                "server": ("app.example.com", 443),
                "path": parts.path,
                "query_string": parts.query.encode(),
                "headers": [],
                "session": self._session,
            }
        )


class HttpxOAuth:
    """Its OpenID client with `OAuth2AuthorizeCallback` for FastAPI; the example compares no state."""

    def __init__(self, provider: Provider) -> None:
        from fastapi import Depends, FastAPI
        from httpx_oauth.clients.openid import OpenID
        from httpx_oauth.integrations.fastapi import OAuth2AuthorizeCallback

        self._client = OpenID(CLIENT_ID, CLIENT_SECRET, provider.discovery_url)
        take = Depends(OAuth2AuthorizeCallback(self._client, redirect_url=REDIRECT_URI))
        self._app = FastAPI()

        @self._app.get("/callback")
        async def callback(access_token_state: Any = take) -> Any:  # noqa: ANN401 - as the example has it
            token, _state = access_token_state
            return token

    def begin(self) -> str:
        """Ask for the URL, with a state."""
        return str(asyncio.run(self._client.get_authorization_url(REDIRECT_URI, secrets.token_urlsafe(32))))

    def finish(self, callback: str) -> object:
        """Let FastAPI take the callback."""
        import httpx

        async def get() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app)) as browser:
                return (await browser.get(callback)).raise_for_status()

        return asyncio.run(get()).json()


class RequestsOAuth2Client:
    """Its README: `authorization_request`, `validate_callback`, `authorization_code`."""

    def __init__(self, provider: Provider) -> None:
        from requests_oauth2client import OAuth2Client

        self._client = OAuth2Client.from_discovery_endpoint(
            issuer=provider.issuer,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            redirect_uri=REDIRECT_URI,
            id_token_signed_response_alg="RS256",
            testing=True,  # http on loopback
        )
        self._sent: Any = None

    def begin(self) -> str:
        """Make a request and keep it."""
        self._sent = self._client.authorization_request(scope="openid email")
        return str(self._sent.uri)

    def finish(self, callback: str) -> object:
        """Validate the callback and exchange the code; the ID token is validated with it."""
        return self._client.authorization_code(self._sent.validate_callback(callback))


class SimpleOpenidConnect:
    """Its documentation: `start_authentication`, `handle_authentication_result`, `decode_id_token`."""

    def __init__(self, provider: Provider) -> None:
        from simple_openid_connect.client import OpenidClient

        self._client = OpenidClient.from_issuer_url(
            url=provider.issuer,
            authentication_redirect_uri=REDIRECT_URI,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            scope="openid email",
        )
        self._state = self._nonce = ""

    def begin(self) -> str:
        """Make state and nonce, keep them, and ask for the URL."""
        self._state, self._nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        flow = self._client.authorization_code_flow
        return str(flow.start_authentication(state=self._state, nonce=self._nonce))

    def finish(self, callback: str) -> object:
        """Exchange the code, and decode the ID token."""
        from simple_openid_connect.data import TokenSuccessResponse

        tokens = self._client.authorization_code_flow.handle_authentication_result(callback, state=self._state)
        if not isinstance(tokens, TokenSuccessResponse):
            raise TypeError(tokens)
        return self._client.decode_id_token(tokens.id_token, nonce=self._nonce)


_ALL: Final[dict[str, tuple[str, Callable[[Provider], RelyingParty]]]] = {
    OURS: (OURS, Ours),
    "Authlib": ("authlib", Authlib),
    "httpx-oauth": ("httpx-oauth", HttpxOAuth),
    "requests-oauth2client": ("requests-oauth2client", RequestsOAuth2Client),
    "simple-openid-connect": ("simple-openid-connect", SimpleOpenidConnect),
}
PACKAGES: Final = tuple(package for package, _ in _ALL.values() if package != OURS)


def relying_parties() -> dict[str, Callable[[Provider], RelyingParty]]:
    """Return how each library that is installed is set up, by name."""
    return {name: make for name, (package, make) in _ALL.items() if package == OURS or installed(package) is not None}
