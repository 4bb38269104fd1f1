import re
from collections.abc import Callable

import httpx
import pytest

from cognito_oidc.emulator import CognitoEmulator, EmulatedPool, EmulatedUser
from cognito_oidc.emulator.addresses import IssuerType
from cognito_oidc.errors import ConfigurationError
from tests.emulator.support import CALLBACK, GOODBYE, ISSUER, POOL_ID, claims_of


@pytest.mark.parametrize(
    ("pool_id", "arguments", "message"),
    [
        pytest.param("Orders001", {}, "must be a Region", id="no region"),
        pytest.param("eu-west-1_Orders-1", {}, "must be a Region", id="hyphen in the id"),
        pytest.param(POOL_ID, {"domain": "-orders"}, "1 to 63", id="prefix begins with a hyphen"),
        pytest.param(POOL_ID, {"domain": "Orders"}, "1 to 63", id="prefix in capitals"),
        pytest.param(POOL_ID, {"domain": "my-cognito"}, "must not contain 'cognito'", id="reserved word"),
        pytest.param(POOL_ID, {"domain": "login_.acme.com"}, "must be a host name", id="bad custom domain"),
        pytest.param(POOL_ID, {"domain": "a.acme.com", "custom_domain": "b.acme.com"}, "one custom", id="two custom"),
        pytest.param(POOL_ID, {"issuer_type": "new"}, "issuer_type", id="unknown issuer type"),
        pytest.param("eu-west-1_Taken0001", {}, "there is a pool", id="id taken"),
        pytest.param(POOL_ID, {"domain": "taken"}, "has this domain already", id="domain taken"),
    ],
)  # fmt: skip
def test_a_pool_that_cognito_would_refuse(
    aws: CognitoEmulator, pool_id: str, arguments: dict[str, str], message: str
) -> None:
    """What AWS would not create is refused with the reason."""
    aws.add_pool("eu-west-1_Taken0001", domain="taken")
    with pytest.raises(ConfigurationError, match=message):
        aws.add_pool(pool_id, **arguments)  # type: ignore[arg-type]


def test_a_pool_id_is_generated(aws: CognitoEmulator) -> None:
    """A generated id has the Region and nine letters or digits."""
    pool = aws.add_pool(region="ap-southeast-2")
    assert re.fullmatch(r"ap-southeast-2_[0-9A-Za-z]{9}", pool.pool_id)
    assert (pool.region, aws.pools[pool.pool_id]) == ("ap-southeast-2", pool)


@pytest.mark.parametrize(
    ("identifier", "scopes"),
    [
        pytest.param("my orders", ["read"], id="space in the identifier"),
        pytest.param("", ["read"], id="empty identifier"),
        pytest.param("orders", ["read/all"], id="slash in the scope"),
        pytest.param("orders", ['"read"'], id="quote in the scope"),
        pytest.param("orders", "read", id="a lone string"),
    ],
)
def test_a_resource_server_that_cognito_would_refuse(pool: EmulatedPool, identifier: str, scopes: list[str]) -> None:
    """Characters are those of the service model."""
    with pytest.raises(ConfigurationError):
        pool.add_resource_server(identifier, scopes=scopes)


def test_a_resource_server_may_be_a_url(pool: EmulatedPool) -> None:
    """The scope is what follows the last slash."""
    assert pool.add_resource_server("https://api.example", scopes=["read"]) == ("https://api.example/read",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"username": "ann"}, "has a user 'ann' already", id="name taken"),
        pytest.param({"attributes": {"tenant": "42"}}, "neither standard nor", id="custom without prefix"),
        pytest.param({"attributes": {"custom:tenant": 42}}, "must be text", id="number"),
        pytest.param({"attributes": {"name": "x" * 2_049}}, "must be text of at most", id="too long"),
        pytest.param({"groups": "admins"}, "must be a list", id="a lone group"),
    ],
)
def test_a_user_that_cognito_would_refuse(
    pool: EmulatedPool, ann: EmulatedUser, arguments: dict[str, object], message: str
) -> None:
    """Attributes are text, standard or custom."""
    with pytest.raises(ConfigurationError, match=message):
        pool.add_user(**{"username": "bob", "password": "x", **arguments})  # type: ignore[arg-type]


def test_a_users_attributes_are_text(pool: EmulatedPool) -> None:
    """Booleans become the words that Cognito keeps."""
    bob = pool.add_user("bob", password="x", email="b@x", attributes={"phone_number_verified": True, "custom:a": "1"})
    assert bob.attributes == {
        "email": "b@x",
        "email_verified": "false",
        "phone_number_verified": "true",
        "custom:a": "1",
    }


@pytest.mark.parametrize(
    "show",
    [
        pytest.param(lambda pool: repr(pool.users["ann"]), id="user"),
        pytest.param(lambda pool: repr(next(iter(pool.clients.values()))), id="client"),
        pytest.param(repr, id="pool"),
    ],
)
def test_what_is_printed_holds_no_secret(pool: EmulatedPool, ann: EmulatedUser, show: Callable[[object], str]) -> None:
    """Passwords and secrets stay out of tracebacks."""
    client = pool.add_client("shop", redirect_uris=[CALLBACK], client_secret=True)
    text = show(pool)
    assert "correct horse" not in text
    assert str(client.client_secret) not in text


def test_tokens_are_for_somebody(pool: EmulatedPool) -> None:
    """A person that is not there gets no token."""
    with pytest.raises(ConfigurationError, match="has no user 'eve'"):
        pool.issue_access_token("eve")


def test_issued_tokens_need_no_registered_client(pool: EmulatedPool, ann: EmulatedUser) -> None:
    """A default app client is registered once, and the first registered one is used before it."""
    first, second = claims_of(pool.issue_access_token(ann)), claims_of(pool.issue_id_token("ann"))
    assert first["client_id"] == second["aud"]
    assert [client.name for client in pool.clients.values()] == ["default"]


@pytest.mark.parametrize(
    ("region", "domain", "issuer_type"),
    [
        pytest.param("eu-west-1", "orders", "original", id="prefix"),
        pytest.param("eu-west-1", "login.acme.com", "updated", id="custom domain, updated issuer"),
        pytest.param("us-gov-west-1", "orders", "original", id="GovCloud"),
        pytest.param("eu-west-1", None, "original", id="no domain"),
    ],
)
@pytest.mark.anyio
async def test_the_librarys_addresses_are_the_ones_that_are_served(
    aws: CognitoEmulator, region: str, domain: str | None, issuer_type: IssuerType
) -> None:
    """`user_pool` computes what discovery says, under production's hosts and on a server."""
    pool = aws.add_pool(f"{region}_Orders001", domain=domain, issuer_type=issuer_type)
    async with aws.serve() as server, aws.http_client() as http, httpx.AsyncClient(trust_env=False) as network:
        for addresses, client in ((pool.user_pool, http), (server.user_pool(pool), network)):
            document = (await client.get(addresses.discovery_url)).json()
            assert (document["issuer"], document["jwks_uri"]) == (addresses.issuer, addresses.jwks_uri)
            if domain is not None:
                assert document["token_endpoint"] == addresses.token_endpoint
                assert document["authorization_endpoint"] == addresses.authorization_endpoint
                assert document["end_session_endpoint"] == addresses.end_session_endpoint


@pytest.mark.anyio
async def test_a_default_client_logs_in(aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser) -> None:
    """`pool.client` needs no registration, and its verifier is on the emulator's clock."""
    async with pool.client(redirect_uri=CALLBACK) as client, pool.client(redirect_uri=GOODBYE) as other:
        request = client.authorization_request()
        aws.clock.advance(86_400)
        request = client.authorization_request()
        callback = await aws.person("ann", "correct horse").follow(request.url)
        tokens = await client.exchange_code(callback, request)
        info = await client.userinfo(tokens)
    assert tokens.claims is not None
    assert (tokens.claims.email, tokens.claims.iss, info.username) == ("ann@acme.com", ISSUER, "ann")
    assert client.client_id == other.client_id
    assert len(pool.clients) == 1


@pytest.mark.anyio
async def test_the_pools_own_client_takes_what_it_is_given(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """Callback and sign-out URLs are registered once each, on the same app client."""
    first = pool.client(redirect_uri=CALLBACK, logout_uris=[GOODBYE])
    second = pool.client(redirect_uri=CALLBACK, logout_uris=[GOODBYE, CALLBACK])
    (registered,) = pool.clients.values()
    assert first.client_id == second.client_id == registered.client_id
    assert (registered.redirect_uris, registered.logout_uris) == ((CALLBACK,), (GOODBYE, CALLBACK))
    assert await aws.person("ann", "x").follow(first.logout_url(GOODBYE)) == GOODBYE
