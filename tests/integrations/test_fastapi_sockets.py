"""The dependency behind a real uvicorn: what comes over a socket before any framework has looked at it."""

# No `from __future__ import annotations`: FastAPI reads the annotations of functions inside functions.
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

import pytest
from fastapi import FastAPI, Security

from cognito_oidc import AccessTokenClaims, TokenVerifier
from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool
from cognito_oidc.emulator.server import run_server
from cognito_oidc.integrations.fastapi import AccessTokenBearer
from cognito_oidc.testing import IssueAccessToken

BARE: Final = 'www-authenticate: Bearer realm="api"'


@pytest.fixture
def app(
    cognito_emulator: CognitoEmulator, cognito_pool: EmulatedPool, cognito_app_client: EmulatedAppClient
) -> FastAPI:
    """Return an API with one endpoint."""
    verifier = TokenVerifier(
        cognito_pool.user_pool,
        client_ids=[cognito_app_client.client_id],
        http_client=cognito_emulator.http_client(),
        clock=cognito_emulator.clock,
    )
    bearer = AccessTokenBearer(verifier)
    app = FastAPI()

    @app.post("/orders")
    async def orders(caller: Annotated[AccessTokenClaims, Security(bearer)]) -> str:
        return str(caller.username)

    return app


@asynccontextmanager
async def connected(app: FastAPI) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Serve the API, and connect to it."""
    async with run_server(app, host="127.0.0.1", port=0) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.base_url.rpartition(":")[2]))
        yield reader, writer
        writer.close()


def request(headers: str) -> bytes:
    """Return a request with these lines among its headers."""
    return f"POST /orders HTTP/1.1\r\nHost: api\r\n{headers}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("headers", "status", "told"),
    [
        pytest.param("Authorization: Bearer {token}", 200, '"ann"', id="one"),
        pytest.param(
            "Authorization: Bearer {token}\r\nauthorization: Bearer {token}", 400, "invalid_request", id="two"
        ),
        pytest.param("Authorization: Bearer x\r\n Bearer {token}", 401, "malformed_token", id="a folded line"),
        pytest.param("Authorization : Bearer {token}", 400, "", id="a space before the colon"),
        pytest.param("X: y\rAuthorization: Bearer {token}", 400, "", id="a bare carriage return"),
        pytest.param("Authorization: Bearer\t{token}", 401, BARE, id="a tab"),
        pytest.param(f"Authorization: Bearer {'a' * 60_000}", 401, "malformed_token", id="a huge one"),
        pytest.param("Authorization: Bearer \u00fc", 401, "malformed_token", id="bytes that are no ASCII"),
    ],
)
async def test_headers_on_the_wire(
    headers: str, status: int, told: str, app: FastAPI, issue_access_token: IssueAccessToken
) -> None:
    """Row by row what a caller may write: nothing is read as a token that another server might read differently."""
    async with connected(app) as (reader, writer):
        writer.write(request(headers.replace("{token}", issue_access_token("ann"))))
        answer = (await reader.read()).decode()
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert told in answer


@pytest.mark.asyncio
async def test_a_caller_who_goes_away_takes_nothing_along(
    app: FastAPI, cognito_emulator: CognitoEmulator, issue_access_token: IssueAccessToken
) -> None:
    """While it waits for the keys its connection breaks; the fetch goes on, and the next caller has the keys."""
    cognito_emulator.fail_next("jwks", status=None, delay=0.3)
    token = issue_access_token("ann")
    async with run_server(app, host="127.0.0.1", port=0) as server:
        port = int(server.base_url.rpartition(":")[2])
        _, gone = await asyncio.open_connection("127.0.0.1", port)
        gone.write(request(f"Authorization: Bearer {token}"))
        await gone.drain()
        await asyncio.sleep(0.1)
        gone.transport.abort()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(f"Authorization: Bearer {token}"))
        answer = (await reader.read()).decode()
        writer.close()
    assert answer.startswith("HTTP/1.1 200 ")
    assert cognito_emulator.count("jwks") == 1
