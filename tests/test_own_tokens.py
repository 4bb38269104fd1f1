"""Whose tokens a relying party hands out and takes back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cognito_oidc import AccessTokenClaims, CognitoClient, IdTokenClaims, TokenSet, UserPool
from cognito_oidc.errors import ConfigurationError
from tests.factories import CLIENT_ID, ISSUER, NOW, POOL_ID, SUB, UPDATED_ISSUER, access_payload, id_payload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

pytestmark = pytest.mark.anyio

ACTS: dict[str, Callable[[CognitoClient, TokenSet], Awaitable[object]]] = {
    "refresh": lambda client, tokens: client.refresh(tokens),
    "userinfo": lambda client, tokens: client.userinfo(tokens),
    "revoke": lambda client, tokens: client.revoke(tokens),
}


def held(**changes: object) -> TokenSet:
    """Return tokens as a store gave them back."""
    claims = IdTokenClaims(id_payload(**changes))
    return TokenSet(access_token="a-secret", expires_at=NOW, refresh_token="r-secret", claims=claims)


@pytest.fixture
def sent() -> list[httpx.Request]:
    """Give what was sent."""
    return []


@pytest.fixture
async def client(sent: list[httpx.Request]) -> AsyncIterator[CognitoClient]:
    """Give a client of a server that says yes to all."""

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"sub": SUB})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        yield CognitoClient(UserPool(POOL_ID, domain="acme"), client_id=CLIENT_ID, http_client=http)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iss": ISSUER[:-1]}, id="another pool"),
        pytest.param({"iss": "https://evil.example"}, id="another provider"),
        pytest.param({"aud": "another-client"}, id="another app client"),
        pytest.param({"aud": "another-client", "iss": ISSUER[:-1]}, id="both"),
    ],
)
async def test_tokens_of_another_are_not_sent(
    client: CognitoClient, sent: list[httpx.Request], act: str, changes: dict[str, object]
) -> None:
    """Two clients in one program, and the tokens of one handed to the other: nothing goes to the wrong server."""
    with pytest.raises(ConfigurationError, match="These tokens are of") as raised:
        await ACTS[act](client, held(**changes))
    assert "secret" not in str(raised.value)
    assert sent == []


@pytest.mark.parametrize("act", ["refresh", "revoke"])
@pytest.mark.parametrize("token", [7, b"r", float("nan"), ["r"]])
async def test_a_refresh_token_is_text(client: CognitoClient, sent: list[httpx.Request], act: str, token: Any) -> None:  # noqa: ANN401
    """A TokenSet that was filled by hand, wrongly."""
    with pytest.raises(ConfigurationError):
        await ACTS[act](client, replace(held(), refresh_token=token))
    assert sent == []


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("claims", [{"sub": SUB}, "claims", 7, AccessTokenClaims(access_payload()), IdTokenClaims({})])
async def test_claims_are_those_of_an_id_token(
    client: CognitoClient,
    sent: list[httpx.Request],
    act: str,
    claims: Any,  # noqa: ANN401
) -> None:
    """The same: what says nothing of its issuer is nobody's."""
    with pytest.raises(ConfigurationError):
        await ACTS[act](client, replace(held(), claims=claims))
    assert sent == []


@pytest.mark.parametrize("act", ["userinfo", "revoke"])
@pytest.mark.parametrize("issuer", [ISSUER, UPDATED_ISSUER])
async def test_own_tokens_are_sent(client: CognitoClient, sent: list[httpx.Request], act: str, issuer: str) -> None:
    """Both issuers of the pool are the pool."""
    await ACTS[act](client, held(iss=issuer))
    assert len(sent) == 1
