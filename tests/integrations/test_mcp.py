"""The MCP SDK's server over its ASGI application, with the SDK's own client, against the emulator."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from cognito_oidc import MultiPoolVerifier, TokenVerifier, UserPool
from cognito_oidc.errors import ConfigurationError
from cognito_oidc.integrations.mcp import McpTokenVerifier, StrictBearerMiddleware

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.applications import Starlette

    from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool
    from cognito_oidc.testing import IssueAccessToken, IssueIdToken

HOST: Final = "mcp.example.com"
URL: Final = f"https://{HOST}/mcp"
READ: Final = "orders/read"
CALLBACK: Final = "http://localhost/callback"
LIST_TOOLS: Final = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


@pytest.fixture
def tokens(
    cognito_emulator: CognitoEmulator, cognito_pool: EmulatedPool, cognito_app_client: EmulatedAppClient
) -> McpTokenVerifier:
    """Return the verifier of the MCP server."""
    verifier = TokenVerifier(
        cognito_pool.user_pool,
        client_ids=[cognito_app_client.client_id],
        http_client=cognito_emulator.http_client(),
        clock=cognito_emulator.clock,
    )
    return McpTokenVerifier(verifier, resource=URL)


@pytest.fixture
def app(tokens: McpTokenVerifier) -> Starlette:
    """Return an MCP server with one tool, which says who calls."""
    server = MCPServer("orders", token_verifier=tokens, auth=tokens.auth_settings(required_scopes=[READ]))

    @server.tool()
    async def whoami() -> dict[str, Any]:
        """Say who calls."""
        caller = get_access_token()
        assert caller is not None
        assert caller.claims is not None
        return {"subject": caller.subject, "client": caller.client_id, "username": caller.claims["username"]}

    app = server.streamable_http_app(
        json_response=True,
        stateless_http=True,
        transport_security=TransportSecuritySettings(allowed_hosts=[HOST], enable_dns_rebinding_protection=True),
    )
    app.add_middleware(StrictBearerMiddleware)
    return app


class Network(httpx2.AsyncBaseTransport):
    """Takes requests to the MCP server and to Cognito where they belong."""

    def __init__(self, app: Starlette, cognito: CognitoEmulator) -> None:
        self._server = httpx2.ASGITransport(app)
        self._cognito = httpx2.ASGITransport(cognito.asgi_app)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer."""
        return await (self._server if request.url.host == HOST else self._cognito).handle_async_request(request)


@asynccontextmanager
async def network(
    app: Starlette, cognito: CognitoEmulator, login: httpx2.Auth | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """Start the server, and return a client that reaches it and Cognito."""
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=Network(app, cognito), auth=login) as http,
    ):
        yield http


async def ask(http: httpx2.AsyncClient, token: str | None) -> httpx2.Response:
    """Send a request of MCP with a bearer token or none."""
    headers = {"Accept": "application/json, text/event-stream"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return await http.post(URL, json=LIST_TOOLS, headers=headers)


@pytest.mark.anyio
async def test_metadata_leads_from_the_server_to_the_pool(
    app: Starlette, cognito_emulator: CognitoEmulator, cognito_pool: EmulatedPool
) -> None:
    """RFC 9728: the 401 names the metadata, which names the server, pool and scopes; discovery does the rest."""
    async with network(app, cognito_emulator) as http:
        refused = await ask(http, None)
        assert refused.status_code == 401
        where = f"https://{HOST}/.well-known/oauth-protected-resource/mcp"
        assert f'resource_metadata="{where}"' in refused.headers["www-authenticate"]
        metadata = (await http.get(where)).json()
        assert metadata == {
            "resource": URL,
            "authorization_servers": [cognito_pool.issuer],
            "scopes_supported": [READ],
            "bearer_methods_supported": ["header"],
        }
        found = await http.get(f"{metadata['authorization_servers'][0]}/.well-known/openid-configuration")
    assert found.json()["token_endpoint"] == cognito_pool.user_pool.token_endpoint


@pytest.mark.anyio
async def test_a_token_for_this_server_is_accepted_and_no_other(
    app: Starlette, cognito_emulator: CognitoEmulator, cognito_pool: EmulatedPool, issue_access_token: IssueAccessToken
) -> None:
    """The resource, the app client, the pool and the scope are checked: 401, or 403 for the scope alone."""
    other = cognito_pool.add_client("other", redirect_uris=[CALLBACK])
    async with network(app, cognito_emulator) as http:
        good = issue_access_token("ann", scopes=[READ], resource=URL)
        answers = {
            "good": await ask(http, good),
            "no scope": await ask(http, issue_access_token("ann", resource=URL)),
            "not bound": await ask(http, issue_access_token("ann", scopes=[READ])),
            "elsewhere": await ask(
                http, issue_access_token("ann", scopes=[READ], resource="https://other.example.com")
            ),
            "deeper": await ask(http, issue_access_token("ann", scopes=[READ], resource=f"{URL}/more")),
            "another client": await ask(http, issue_access_token("ann", scopes=[READ], resource=URL, client=other)),
            "forged": await ask(http, good[:-8] + "AAAAAAAA"),
        }
        cognito_emulator.clock.advance(3601)
        answers["expired"] = await ask(http, good)
    assert {what: answer.status_code for what, answer in answers.items()} == {
        "good": 200,
        "no scope": 403,
        "not bound": 401,
        "elsewhere": 401,
        "deeper": 401,
        "another client": 401,
        "forged": 401,
        "expired": 401,
    }


@pytest.mark.anyio
async def test_two_tokens_are_refused(
    app: Starlette, cognito_emulator: CognitoEmulator, issue_access_token: IssueAccessToken
) -> None:
    """Nobody chooses which of two headers counts, though the first is good."""
    good = f"Bearer {issue_access_token('ann', scopes=[READ], resource=URL)}"
    async with network(app, cognito_emulator) as http:
        answer = await http.post(URL, json=LIST_TOOLS, headers=[("Authorization", good), ("authorization", "Bearer x")])
    assert answer.status_code == 400
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_request"')


@pytest.mark.anyio
async def test_an_id_token_is_refused(tokens: McpTokenVerifier, issue_id_token: IssueIdToken) -> None:
    """The kind is checked too."""
    assert await tokens.verify_token(issue_id_token("ann")) is None


@pytest.mark.anyio
async def test_without_keys_the_answer_is_503(
    app: Starlette, cognito_emulator: CognitoEmulator, issue_access_token: IssueAccessToken
) -> None:
    """Nothing is known of the token, so it is not refused."""
    cognito_emulator.fail_next("jwks", status=500, times=5)
    async with network(app, cognito_emulator) as http:
        answer = await ask(http, issue_access_token("ann", scopes=[READ], resource=URL))
    assert (answer.status_code, answer.content) == (503, b"")
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.anyio
async def test_an_unknown_key_that_may_not_be_looked_for_is_503(
    app: Starlette, cognito_emulator: CognitoEmulator, cognito_pool: EmulatedPool, cognito_app_client: EmulatedAppClient
) -> None:
    """In a flood of unknown keys nobody can tell."""
    cognito_pool.add_user("ann", password="correct horse")
    kids = [f"nobody's {number}" for number in range(4)]  # a first fetch, and two lookups
    forged = [cognito_pool.issue_access_token("ann", resource=URL, headers={"kid": kid}) for kid in kids]
    async with network(app, cognito_emulator) as http:
        answers = [await ask(http, token) for token in forged]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 503]


class Storage:
    """What the SDK's client remembers: the app client, and its tokens."""

    def __init__(self, client_id: str) -> None:
        self.tokens: OAuthToken | None = None
        self.client = OAuthClientInformationFull.model_validate(
            {"client_id": client_id, "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
        )

    async def get_tokens(self) -> OAuthToken | None:
        """Return the tokens."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Remember the tokens."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Return the app client."""
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Remember the app client."""
        self.client = client_info


@pytest.mark.anyio
async def test_the_client_of_the_sdk_logs_in_and_calls_a_tool(
    app: Starlette,
    cognito_emulator: CognitoEmulator,
    cognito_pool: EmulatedPool,
    cognito_app_client: EmulatedAppClient,
) -> None:
    """From 401 by metadata, discovery, login with PKCE and `resource` to a token that is bound to this server."""
    cognito_pool.add_resource_server("orders", scopes=["read"])
    cognito_app_client.scopes = ("openid", READ)
    ann = cognito_pool.add_user("ann", password="correct horse")
    callbacks: list[str] = []
    asked: list[dict[str, list[str]]] = []

    async def open_browser(url: str) -> None:
        asked.append(parse_qs(urlsplit(url).query))
        callbacks.append(await cognito_emulator.person("ann", "correct horse").follow(url))

    async def wait_for_callback() -> AuthorizationCodeResult:
        query = parse_qs(urlsplit(callbacks[-1]).query)
        return AuthorizationCodeResult(code=query["code"][0], state=query["state"][0])

    login = OAuthClientProvider(
        URL,
        OAuthClientMetadata.model_validate({"redirect_uris": [CALLBACK]}),
        Storage(cognito_app_client.client_id),
        open_browser,
        wait_for_callback,
    )
    async with (
        network(app, cognito_emulator, login) as http,
        Client(streamable_http_client(URL, http_client=http)) as client,
    ):
        result = await client.call_tool("whoami", {})
    assert result.structured_content == {"subject": ann.sub, "client": cognito_app_client.client_id, "username": "ann"}
    (sent,) = asked
    assert (sent["code_challenge_method"], sent["resource"], sent["scope"]) == (["S256"], [URL], [READ])


@pytest.mark.parametrize(
    "resource",
    [
        pytest.param("mcp.example.com", id="no URL"),
        pytest.param("HTTPS://MCP.example.com/mcp", id="upper case"),
        pytest.param("https://mcp.example.com:443/mcp", id="the port that is understood"),
        pytest.param("ftp://mcp.example.com/mcp", id="another scheme"),
    ],
)
def test_a_resource_that_no_token_would_have(resource: str) -> None:
    """What is published and what tokens are bound to is compared as text, so it is written in one way."""
    verifier = TokenVerifier(UserPool("eu-west-1_AbC123xyz"), client_ids=None)
    with pytest.raises(ConfigurationError, match="resource="):
        McpTokenVerifier(verifier, resource=resource)


@pytest.mark.anyio
async def test_tokens_that_are_bound_to_nothing_have_to_be_asked_for(
    cognito_emulator: CognitoEmulator, cognito_pool: EmulatedPool, issue_access_token: IssueAccessToken
) -> None:
    """`resource=None` is for clients that do not ask for a resource; there is no metadata then."""
    verifier = TokenVerifier(
        cognito_pool.user_pool,
        client_ids=None,
        http_client=cognito_emulator.http_client(),
        clock=cognito_emulator.clock,
    )
    unbound = McpTokenVerifier(MultiPoolVerifier([verifier]), resource=None)
    token = await unbound.verify_token(issue_access_token("ann", scopes=[READ]))
    assert token is not None
    assert (token.resource, token.scopes) == (None, [READ])
    with pytest.raises(ConfigurationError, match="resource="):
        unbound.auth_settings()


def test_of_several_pools_one_is_named() -> None:
    """Clients are sent to one pool, which somebody has to choose."""
    pools = [UserPool("eu-west-1_AbC123xyz"), UserPool("eu-west-1_Staff0001")]
    several = MultiPoolVerifier([TokenVerifier(pool, client_ids=None) for pool in pools])
    with pytest.raises(ConfigurationError, match="pool="):
        McpTokenVerifier(several, resource=URL).auth_settings()
    settings = McpTokenVerifier(several, resource=URL, pool=pools[1]).auth_settings()
    assert str(settings.issuer_url) == pools[1].issuer
