"""Programs of npm, with their own ideas of the protocol, log in to the local Cognito and verify its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from anyio.to_thread import run_sync

from cognito_oidc.emulator import CognitoEmulator
from tests.interop.process import node
from tests.interop.support import CALLBACK, SECRET

if TYPE_CHECKING:
    from cognito_oidc.emulator import EmulatedAppClient, EmulatedPool
    from tests.interop.process import Process

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("npm")]

POOL_ID: Final = "eu-west-1_Judged001"


@pytest.fixture
def aws() -> CognitoEmulator:
    """Return an emulator."""
    return CognitoEmulator()


@pytest.fixture
def pool(aws: CognitoEmulator) -> EmulatedPool:
    """Return a pool with a person."""
    pool = aws.add_pool(POOL_ID, domain="judged")
    pool.add_user("ann", password="correct horse", email="ann@acme.com")
    return pool


@pytest.mark.parametrize("client_secret", [False, SECRET], ids=["public", "confidential"])
@pytest.mark.parametrize("rotation", [False, True], ids=["reusable", "rotating"])
async def test_openid_client_logs_in(
    aws: CognitoEmulator, pool: EmulatedPool, client_secret: str | bool, rotation: bool
) -> None:
    """openid-client discovers, logs in with PKCE, state and nonce, reads userInfo, refreshes and revokes."""
    app = pool.add_client(
        "judge", redirect_uris=[CALLBACK], client_secret=client_secret, refresh_token_rotation=rotation
    )
    async with aws.serve() as server:
        issuer = f"{server.base_url}/{POOL_ID}"
        settings = {"issuer": issuer, "client_id": app.client_id, "secret": app.client_secret, "callback": CALLBACK}
        with node("openid_client.mjs", **settings) as judge:
            url = (await run_sync(judge.hear))["url"]
            judge.say(callback=await aws.person("ann", "correct horse").follow(url))
            said = await run_sync(judge.hear)
    assert said["email"] == "ann@acme.com"
    assert said["renewed_sub"] == said["sub"]
    assert said["after"] == "invalid_grant"


@pytest.mark.parametrize(
    ("client_secret", "authentication"),
    [(False, "client_secret_post"), (SECRET, "client_secret_post"), (SECRET, "client_secret_basic")],
    ids=["public", "post", "basic"],
)
async def test_oidc_client_ts_logs_in(
    aws: CognitoEmulator, pool: EmulatedPool, client_secret: str | bool, authentication: str
) -> None:
    """oidc-client-ts discovers, logs in with PKCE, keeps its state, merges userInfo's claims, refreshes and revokes."""
    app = pool.add_client("judge", redirect_uris=[CALLBACK], client_secret=client_secret)
    async with aws.serve() as server:
        settings = {
            "issuer": f"{server.base_url}/{POOL_ID}",
            "client_id": app.client_id,
            "secret": app.client_secret,
            "authentication": authentication,
            "callback": CALLBACK,
        }
        with node("oidc_client_ts.mjs", **settings) as judge:
            url = (await run_sync(judge.hear))["url"]
            judge.say(callback=await aws.person("ann", "correct horse").follow(url))
            said = await run_sync(judge.hear)
    assert (said["email"], said["page"]) == ("ann@acme.com", "/orders")
    assert (said["renewed"], said["renewed_sub"]) == ("another token", said["sub"])
    assert said["after"] == "invalid_grant"


@pytest.fixture
def app(pool: EmulatedPool) -> EmulatedAppClient:
    """Return a public app client."""
    return pool.add_client("judge", redirect_uris=[CALLBACK])


async def test_aws_jwt_verify_accepts_the_tokens(
    aws: CognitoEmulator, pool: EmulatedPool, app: EmulatedAppClient
) -> None:
    """AWS's own verifier takes each token for what it is, by its kid, and neither for the other nor when changed."""
    client = app.client(redirect_uri=CALLBACK)
    async with client:
        request = client.authorization_request()
        callback = await aws.person("ann", "correct horse").follow(request.url)
        tokens = await client.exchange_code(callback, request)
    assert tokens.claims is not None
    assert tokens.id_token is not None
    async with aws.http_client() as http:
        keys = (await http.get(pool.user_pool.jwks_uri)).json()
    settings = {"userPoolId": POOL_ID, "clientId": app.client_id, "jwks": keys}
    with node("aws_jwt_verify.mjs", **settings) as judge:
        good = {"sub": tokens.claims.sub}
        assert await judged(judge, tokens.id_token, "id") == good
        assert await judged(judge, tokens.access_token, "access") == good
        assert await judged(judge, tokens.id_token, "access") == {"error": "CognitoJwtInvalidTokenUseError"}
        forged = tokens.access_token[:-8] + "AAAAAAAA"
        assert await judged(judge, forged, "access") == {"error": "JwtInvalidSignatureError"}


async def judged(judge: Process, token: str, token_use: str) -> dict[str, str]:
    """Return what the judge says of a token."""
    judge.say(token=token, tokenUse=token_use)
    return await run_sync(judge.hear)
