"""check_federation against two pools of the emulator: good ones, and each setting broken once."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from cognito_oidc import Federation, UserPool, check_federation
from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool
from cognito_oidc.errors import ConfigurationError

pytestmark = pytest.mark.anyio

REDIRECT_URI = "https://shop.example/callback"


class Pair(NamedTuple):
    """Two pools, the app client that one is at the other, and an application."""

    aws: CognitoEmulator
    corp: EmulatedPool
    app: EmulatedPool
    upstream_client: EmulatedAppClient
    shop: EmulatedAppClient

    def plan(self, **changes: object) -> Federation:
        """Return the plan that the two are set up by, after some changes."""
        arguments: dict[str, object] = {
            "upstream": self.corp.user_pool,
            "downstream": self.app.user_pool,
            "provider_name": "Corp",
            "upstream_client_id": self.upstream_client.client_id,
            "upstream_client_secret": self.upstream_client.client_secret,
            "attribute_mapping": {"email": "email"},
        }
        return Federation(**{**arguments, **changes})  # type: ignore[arg-type]

    async def check(self, **changes: object) -> list[tuple[str, str]]:
        """Return side and code of each problem that is found."""
        async with self.aws.http_client() as http_client:
            problems = await check_federation(
                self.plan(**changes),
                downstream_client_id=self.shop.client_id,
                redirect_uri=REDIRECT_URI,
                http_client=http_client,
            )
        return [(one.side, one.code) for one in problems]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """Two pools that work together."""
    async with CognitoEmulator() as aws:
        corp, app = aws.federated_pair(provider_name="Corp")
        (upstream_client,) = corp.clients.values()
        shop = app.add_client("shop", redirect_uris=[REDIRECT_URI], scopes=["openid"], identity_providers=["Corp"])
        yield Pair(aws, corp, app, upstream_client, shop)


async def test_a_good_pair_has_no_problems(pair: Pair) -> None:
    """Two pools that are set up as planned give an empty list, without anybody logging in."""
    assert await pair.check() == []
    assert pair.aws.count("login") == pair.aws.count("token") == 0


async def test_the_plan_is_what_the_pools_need(pair: Pair) -> None:
    """What the planner says agrees with the pair that signs people in."""
    plan = pair.plan()
    assert plan.callback_url in pair.upstream_client.redirect_uris
    assert plan.identity_provider()["ProviderName"] in pair.app.providers


async def test_an_unregistered_callback_is_found(pair: Pair) -> None:
    """The classic: the upstream app client does not know /oauth2/idpresponse of the downstream domain."""
    stranger = pair.corp.add_client("stranger", redirect_uris=["https://old.example/oauth2/idpresponse"])
    problems = await pair.check(upstream_client_id=stranger.client_id)
    assert ("upstream", "redirect_mismatch") in problems
    assert ("downstream", "other_client_id") in problems


async def test_a_scope_that_the_upstream_client_lacks_is_found(pair: Pair) -> None:
    """Cognito refuses the whole request for one scope."""
    assert ("upstream", "invalid_scope") in await pair.check(scopes=("openid", "phone"))


async def test_a_provider_that_the_application_does_not_offer_is_found(pair: Pair) -> None:
    """What a person sees as 'Login option is not available. Please try another one'."""
    local = pair.app.add_client("local", redirect_uris=[REDIRECT_URI], scopes=["openid"])
    pair = pair._replace(shop=local)
    assert await pair.check() == [("downstream", "login_not_offered")]


async def test_a_pool_that_is_not_there_is_found(pair: Pair) -> None:
    """A mistyped pool id is named on its side."""
    nowhere = UserPool("eu-west-1_Nowhere01", domain=pair.corp.user_pool.domain)
    problems = await pair.check(upstream=nowhere)
    assert {("upstream", "discovery"), ("upstream", "keys")} <= set(problems)


async def test_a_failing_endpoint_is_unreachable_not_wrong(pair: Pair) -> None:
    """A server error says nothing about the settings, and is reported as what it is."""
    pair.aws.fail_next("discovery", status=500, times=10)
    problems = await pair.check()
    assert {("upstream", "unreachable"), ("downstream", "unreachable")} <= set(problems)
    assert "discovery" not in {code for _, code in problems}


async def test_without_an_app_client_only_documents_and_keys_are_read(pair: Pair) -> None:
    """Before the first app client exists, there is nothing to ask an authorize endpoint."""
    async with pair.aws.http_client() as http_client:
        assert await check_federation(pair.plan(upstream_client_id=""), http_client=http_client) == ()
    assert pair.aws.count("authorize") == 0


async def test_a_client_without_its_callback_is_refused(pair: Pair) -> None:
    """To follow an application's way, one of its callback URLs is needed."""
    with pytest.raises(ConfigurationError, match="redirect_uri"):
        await check_federation(pair.plan(), downstream_client_id="shop")


async def test_a_host_without_an_answer_is_unreachable() -> None:
    """Nobody listens there: the problem names the host, and no exception ends the check."""
    here = {"endpoint_url": "http://127.0.0.1:9", "domain": "corp"}
    up = UserPool("eu-west-1_Corp00001", **here)  # type: ignore[arg-type]
    down = UserPool("eu-west-1_App000001", **here)  # type: ignore[arg-type]
    problems = await check_federation(Federation(upstream=up, downstream=down, provider_name="Corp"))
    assert {one.code for one in problems} == {"unreachable"}
    assert all("127.0.0.1:9" in one.cure for one in problems)
