"""The client's half of token exchange, over asyncio and trio."""

from urllib.parse import parse_qsl

import httpx
import pytest

from cognito_oidc import CognitoClient, ExchangedToken, UserPool
from cognito_oidc.errors import InvalidGrantError

pytestmark = pytest.mark.anyio

POOL = UserPool("eu-west-1_AbC123", domain="acme")
ISSUED = "urn:ietf:params:oauth:token-type:access_token"
GOOD = {"access_token": "n.e.w", "issued_token_type": ISSUED, "token_type": "Bearer", "expires_in": 60}


class TokenEndpoint:
    """Answers what it was told to, one after the other, and keeps the forms that came."""

    def __init__(self, *answers: tuple[int, dict[str, object]]) -> None:
        self.answers = list(answers)
        self.forms: list[dict[str, str]] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == POOL.token_endpoint
        self.forms.append(dict(parse_qsl(request.content.decode())))
        status, document = self.answers.pop(0)
        return httpx.Response(status, json=document)


def http_client(endpoint: TokenEndpoint) -> httpx.AsyncClient:
    """Return a client whose requests all reach the endpoint."""
    return httpx.AsyncClient(transport=httpx.MockTransport(endpoint))


async def test_a_token_is_exchanged() -> None:
    """The subject's token goes out in the form of RFC 8693, and the issued one comes back with its time."""
    endpoint = TokenEndpoint((200, {**GOOD, "scope": "orders/read"}))
    async with http_client(endpoint) as http:
        client = CognitoClient(POOL, client_id="app", client_secret="x" * 30, http_client=http, clock=lambda: 1000)
        token = await client.exchange_token(
            "s.u.b",
            subject_token_type="access_token",
            requested_token_type="access_token",
            resource="orders",
            scopes=["orders/read"],
        )
    assert token == ExchangedToken(
        token="n.e.w",
        issued_token_type="access_token",
        token_type="Bearer",
        expires_at=1060,
        scopes=("orders/read",),
    )
    assert endpoint.forms == [
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "client_id": "app",
            "client_secret": "x" * 30,
            "subject_token": "s.u.b",
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "resource": "orders",
            "scope": "orders/read",
        }
    ]


async def test_a_secret_that_was_replaced_is_read_anew() -> None:
    """After `invalid_client` a callable secret is asked once more, as for every other grant."""
    secrets = iter(["old" * 10, "new" * 10])
    endpoint = TokenEndpoint((400, {"error": "invalid_client"}), (200, GOOD))
    async with http_client(endpoint) as http:
        client = CognitoClient(POOL, client_id="app", client_secret=lambda: next(secrets), http_client=http)
        await client.exchange_token("s.u.b", subject_token_type="id_token")
    assert [form["client_secret"] for form in endpoint.forms] == ["old" * 10, "new" * 10]


async def test_neither_token_gets_into_an_error() -> None:
    """A server that quotes the subject's or the actor's token does not get it into our log."""
    body: dict[str, object] = {"error": "invalid_grant", "error_description": "neither s.u.b nor a.c.t is good"}
    endpoint = TokenEndpoint((400, body))
    async with http_client(endpoint) as http:
        client = CognitoClient(POOL, client_id="app", http_client=http)
        with pytest.raises(InvalidGrantError) as caught:
            await client.exchange_token(
                "s.u.b", subject_token_type="id_token", actor_token="a.c.t", actor_token_type="access_token"
            )
    text = f"{caught.value!r} {caught.value} {caught.value.description}"
    assert "s.u.b" not in text
    assert "a.c.t" not in text
