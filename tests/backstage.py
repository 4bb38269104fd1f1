"""What stands behind the pages while the tests execute them: a local Cognito where the reader has the network.

A page shows a program as its reader writes it, with the made-up ids below instead of the reader's own. So that it runs
as it stands, requests to that user pool and to the hosts a page puts up reach applications in this process; loopback
stays real, and every other host cannot be reached. Comments that are invisible in the page use `backstage` to be what
the page's program meets: a browser with a person, a caller of its API.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.emulator import EmulatedAppClient

POOL_ID: Final = "eu-west-1_AbC123xyz"
DOMAIN: Final = "acme"
WEB_CLIENT: Final = "1example23456789"
MACHINE_CLIENT: Final = "2example23456789"
APP: Final = "https://app.example.com"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class Backstage:
    """One page's surroundings: the pool, Ann who signs in at it, and the hosts that answer."""

    def __init__(self) -> None:
        from cognito_oidc.emulator import CognitoEmulator  # conftest.py, which every run loads, needs none of it

        self.cognito = CognitoEmulator()
        self.pool = self.cognito.add_pool(POOL_ID, domain=DOMAIN)
        scopes = self.pool.add_resource_server("orders", scopes=["read", "write"])
        self.ann = self.pool.add_user("ann", password="correct horse", email="ann@example.com", email_verified=True)
        self.web = self._named(
            WEB_CLIENT,
            self.pool.add_client(
                "web",
                redirect_uris=[f"{APP}/callback"],
                logout_uris=[f"{APP}/bye"],
                scopes=["openid", "email", *scopes],
                client_secret=True,
            ),
        )
        self.machine = self._named(MACHINE_CLIENT, self.pool.add_client("job", grants=["client_credentials"]))
        self.person = self.cognito.person("ann", "correct horse")
        self.environment = {
            "COGNITO_CLIENT_SECRET": str(self.web.client_secret),
            "MACHINE_CLIENT_SECRET": str(self.machine.client_secret),
            "UPSTREAM_CLIENT_SECRET": "secret0of0the0app0client0upstream",
        }
        self.answers: list[httpx.Response] = []  # what the hosts that were put up answered
        self._apps: dict[str, Any] = {}
        self._servers = ExitStack()
        self._cookies = httpx.Cookies()
        self._patches = (
            mock.patch.object(httpx.AsyncHTTPTransport, "handle_async_request", self._async_handler()),
            mock.patch.object(httpx.HTTPTransport, "handle_request", self._handler()),
            mock.patch.dict(os.environ, self.environment),
        )

    def open(self) -> None:
        """Take the place of the network."""
        for patch in self._patches:
            patch.start()

    def close(self) -> None:
        """Give the network back, and stop what was started."""
        self._servers.close()
        for patch in reversed(self._patches):
            patch.stop()

    def start_redis(self) -> bool:
        """Let there be a Redis at REDIS_URL; tell whether one is installed. In CI one must be."""
        from benchmarks import redis_server

        if os.environ.get("CI") != "true" and not redis_server.installed():
            return False
        os.environ["REDIS_URL"] = self._servers.enter_context(redis_server.RedisServer()).url
        return True

    def start_dynamodb(self, table: str) -> None:
        """Let boto3 find a DynamoDB, moto's, with a table of this name."""
        from tests.dynamodb_server import dynamodb

        os.environ.update(self._servers.enter_context(dynamodb(table)))

    def put_up(self, host: str, app: object) -> None:
        """Let an ASGI application answer for a host."""
        self._apps[host] = app

    def call(self, app: object, path: str, *, token: str | None = None, base: str = APP) -> httpx.Response:
        """Call an ASGI application as a program would, with a bearer token or none."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return asyncio.run(self._visit(app, f"{base}{path}", headers))

    def browse(self, app: object, path: str, *, base: str = APP) -> httpx.Response:
        """Open a page of an ASGI application in Ann's browser; Ann signs in where she is sent to."""
        return asyncio.run(self._visit(app, f"{base}{path}", {}))

    async def _visit(self, app: Any, url: str, headers: Mapping[str, str]) -> httpx.Response:  # noqa: ANN401 - any ASGI
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), headers=dict(headers)) as browser,
        ):
            browser.cookies = self._cookies
            answer = await browser.get(url)
            while answer.has_redirect_location:
                url = str(answer.url.join(answer.headers["location"]))
                if self.cognito.serves(url):
                    url = await self.person.follow(url)
                answer = await browser.get(url)
            self._cookies = browser.cookies
            return answer

    def _named(self, client_id: str, client: EmulatedAppClient) -> EmulatedAppClient:
        """Give an app client the id that the pages show."""
        self.pool.clients[client_id] = self.pool.clients.pop(client.client_id)
        client.client_id = client_id
        return client

    def _app_of(self, request: httpx.Request) -> Any:  # noqa: ANN401 - any ASGI application
        if request.url.host in self._apps:
            return self._apps[request.url.host]
        if self.cognito.serves(str(request.url.copy_with(query=None))):
            return self.cognito.asgi_app
        raise httpx.ConnectError(f"{request.url.host}: the pages are executed without a network", request=request)

    def _async_handler(self) -> Any:  # noqa: ANN401 - replaces a method
        real = httpx.AsyncHTTPTransport.handle_async_request

        async def handle(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
            if request.url.host in _LOOPBACK:
                return await real(transport, request)
            answer = await httpx.ASGITransport(self._app_of(request)).handle_async_request(request)
            if request.url.host in self._apps:
                await answer.aread()
                self.answers.append(answer)
            return answer

        return handle

    def _handler(self) -> Any:  # noqa: ANN401 - replaces a method
        real = httpx.HTTPTransport.handle_request

        def handle(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
            if request.url.host in _LOOPBACK:
                return real(transport, request)
            app = self._app_of(request)

            async def answer() -> httpx.Response:
                async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
                    copy = client.build_request(
                        request.method, request.url, headers=request.headers, content=request.read()
                    )
                    return await client.send(copy)

            with ThreadPoolExecutor(1) as thread:  # there may be an event loop in this one
                answered = thread.submit(asyncio.run, answer()).result()
            return httpx.Response(answered.status_code, headers=answered.headers, content=answered.content)

        return handle


def open_backstage(namespace: dict[str, Any]) -> None:
    """Begin a page."""
    namespace["__name__"] = "__main__"  # what frameworks ask of a program
    namespace["backstage"] = backstage = Backstage()
    backstage.open()


def close_backstage(namespace: dict[str, Any]) -> None:
    """End a page."""
    if "backstage" in namespace:
        namespace["backstage"].close()
