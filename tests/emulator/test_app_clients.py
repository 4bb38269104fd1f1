import re

import pytest

from cognito_oidc import TokenVerifier
from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool, EmulatedUser
from cognito_oidc.errors import ConfigurationError
from tests.emulator.support import CALLBACK, query_of


def test_ids_and_secrets_look_like_cognitos(pool: EmulatedPool) -> None:
    """A client id has 26 lower-case letters and digits, a generated secret 52."""
    client = pool.add_client("shop", redirect_uris=[CALLBACK], client_secret=True)
    assert re.fullmatch(r"[a-z0-9]{26}", client.client_id)
    assert re.fullmatch(r"[a-z0-9]{52}", client.client_secret or "")
    assert pool.clients[client.client_id] is client
    assert client.pool is pool


def test_a_client_has_the_defaults_of_a_web_application(pool: EmulatedPool) -> None:
    """Public, code grant, the scopes of OpenID Connect, no rotation."""
    client = pool.add_client("web", redirect_uris=[CALLBACK])
    assert (client.client_secret, client.client_secrets) == (None, ())
    assert client.scopes == ("openid", "email", "phone", "profile")
    assert client.grants == {"code"}
    assert not client.refresh_token_rotation


def test_a_machine_has_a_secret_and_all_custom_scopes(pool: EmulatedPool) -> None:
    """`client_credentials` needs a secret, and gives what the resource servers have."""
    assert pool.add_resource_server("orders", scopes=["read", "write"]) == ("orders/read", "orders/write")
    job = pool.add_client("job", grants=["client_credentials"])
    assert job.client_secret is not None
    assert job.scopes == ("orders/read", "orders/write")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"redirect_uris": []}, "needs redirect_uris", id="nowhere to go"),
        pytest.param({"redirect_uris": CALLBACK}, "must be a list", id="a lone string"),
        pytest.param({"redirect_uris": ["/cb"]}, "absolute URL", id="relative"),
        pytest.param({"redirect_uris": ["http://app.example/cb"]}, "must be https", id="http"),
        pytest.param({"redirect_uris": ["https://app.example/cb#x"]}, "without a fragment", id="fragment"),
        pytest.param({"redirect_uris": ["https://"]}, "has no host", id="no host"),
        pytest.param({"redirect_uris": ["https://[x/cb"]}, "is no URL", id="no URL"),
        pytest.param({"redirect_uris": ["https://app.example/c b"]}, "printable ASCII", id="space"),
        pytest.param({"redirect_uris": ["https://app.example/\r\nx"]}, "printable ASCII", id="line break"),
        pytest.param({"redirect_uris": ["https://app.example/" + "x" * 1_024]}, "printable ASCII", id="too long"),
        pytest.param({"logout_uris": ["ftp"]}, "absolute URL", id="logout"),
        pytest.param({"scopes": ["orders/read"]}, "has no scope 'orders/read'", id="unknown scope"),
        pytest.param({"scopes": ["email"]}, "need openid", id="email alone"),
        pytest.param({"client_secret": "short"}, "24 to 64", id="secret too short"),
        pytest.param({"client_secret": "x" * 30 + "!"}, "24 to 64", id="secret of other characters"),
        pytest.param({"grants": ["password"]}, "grants must be of", id="unknown grant"),
        pytest.param({"grants": []}, "grants must be of", id="no grant"),
        pytest.param({"grants": ["code", "client_credentials"]}, "only grant", id="machine and person"),
        pytest.param(
            {"grants": ["client_credentials"], "client_secret": False}, "needs a client secret", id="no secret"
        ),
        pytest.param(
            {"grants": ["client_credentials"], "scopes": ["openid"]}, "custom scopes only", id="machine, openid"
        ),
        pytest.param({"retry_grace_period": 61}, "from 0 to 60", id="grace too long"),
        pytest.param({"access_token_validity": 0}, "from 1 to 86400", id="access token too short"),
        pytest.param({"id_token_validity": 90_000}, "from 1 to 86400", id="ID token too long"),
        pytest.param({"refresh_token_validity": 60}, "from 3600", id="refresh token too short"),
    ],
)
def test_a_client_that_cognito_would_refuse(pool: EmulatedPool, arguments: dict[str, object], message: str) -> None:
    """What AWS would not register is refused with the reason."""
    with pytest.raises(ConfigurationError, match=message):
        pool.add_client("web", **{"redirect_uris": [CALLBACK], **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000/cb",
        "http://127.0.0.1/cb",
        "http://[::1]:1/cb",
        "myapp://cb",
        "com.acme.app:/cb",
        CALLBACK,
    ],
)
def test_callback_urls_that_cognito_takes(pool: EmulatedPool, url: str) -> None:
    """Http on loopback and an application's own scheme are good."""
    assert pool.add_client("web", redirect_uris=[url]).redirect_uris == (url,)


def test_secrets_come_and_go_two_at_a_time(pool: EmulatedPool) -> None:
    """A client has at most two live secrets, and never none."""
    client = pool.add_client("shop", redirect_uris=[CALLBACK], client_secret=True)
    first = client.client_secret or ""
    second = client.add_secret("a_secret+of_24_characters")
    assert client.client_secret == second
    with pytest.raises(ConfigurationError, match="two secrets already"):
        client.add_secret()
    client.remove_secret(first)
    with pytest.raises(ConfigurationError, match="its only one"):
        client.remove_secret(second)


def test_a_public_client_takes_no_secret(web: EmulatedAppClient) -> None:
    """A public client stays public."""
    with pytest.raises(ConfigurationError, match="is public"):
        web.add_secret()


@pytest.mark.anyio
async def test_an_app_client_makes_a_client_of_the_library(
    aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser
) -> None:
    """The client has the secret, the first callback URL, the scopes and the emulator's wire."""
    shop = pool.add_client("shop", redirect_uris=[CALLBACK], client_secret=True, scopes=["openid", "email"])
    async with shop.client() as client:
        request = client.authorization_request()
        tokens = await client.exchange_code(await aws.person("ann", "correct horse").follow(request.url), request)
        renewed = await client.refresh(tokens)
        await client.revoke(renewed)
    assert query_of(request.url)["scope"] == "openid email"
    assert renewed.claims is not None
    assert renewed.claims.sub == ann.sub
    assert aws.count("revoke") == 1


@pytest.mark.anyio
async def test_a_machine_makes_a_client_too(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """Client credentials work through the library's own client and verifier."""
    pool.add_resource_server("orders", scopes=["read"])
    job = pool.add_client("job", grants=["client_credentials"])
    verifier = TokenVerifier(pool.user_pool, client_ids=[job.client_id], http_client=aws.http_client(), clock=aws.clock)
    async with job.client() as client:
        tokens = await client.client_credentials(scopes=("orders/read",))
    claims = await verifier.verify_access_token(tokens.access_token, required_scopes=("orders/read",))
    assert (claims.client_id, claims.username) == (job.client_id, None)
