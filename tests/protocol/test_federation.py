"""Two pools: what each side must be told."""

import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from cognito_oidc.errors import ConfigurationError
from cognito_oidc.protocol.federation import Federation
from cognito_oidc.protocol.provider import UserPool

CORP = UserPool("eu-west-1_Corp00001", domain="corp")
APP = UserPool("us-east-1_App000001", domain="login.app.example")
SECRET = "an-app-client-secret-of-the-upstream-pool"
CALLBACK = "https://login.app.example/oauth2/idpresponse"


def plan(**changes: object) -> Federation:
    """Return a plan with everything in it, after some changes."""
    arguments: dict[str, object] = {
        "upstream": CORP,
        "downstream": APP,
        "provider_name": "Corp",
        "upstream_client_id": "1example23456789",
        "upstream_client_secret": SECRET,
        "attribute_mapping": {"email": "email"},
    }
    return Federation(**{**arguments, **changes})  # type: ignore[arg-type]


def test_the_callback_is_the_downstream_pools() -> None:
    """The upstream pool sends the browser back to /oauth2/idpresponse of the downstream domain (wire sheet, 8)."""
    assert plan().callback_url == CALLBACK


def test_the_upstream_app_client_is_confidential_and_knows_the_callback() -> None:
    """Cognito as a relying party authenticates with a secret, uses the code flow and comes from one address."""
    arguments = plan().upstream_app_client(logout_urls=["https://app.example/bye"])
    assert arguments == {
        "UserPoolId": "eu-west-1_Corp00001",
        "ClientName": "federation-us-east-1_App000001",
        "GenerateSecret": True,
        "AllowedOAuthFlowsUserPoolClient": True,
        "AllowedOAuthFlows": ["code"],
        "AllowedOAuthScopes": ["openid", "email", "profile"],
        "CallbackURLs": [CALLBACK],
        "LogoutURLs": ["https://app.example/bye"],
        "EnableTokenRevocation": True,
        "PreventUserExistenceErrors": "ENABLED",
        "SupportedIdentityProviders": ["COGNITO"],
    }


def test_the_identity_provider_has_the_issuer_and_the_secret() -> None:
    """CreateIdentityProvider gets the four details of section 8 and the issuer, all of them strings."""
    assert plan(idp_identifiers=("corp.example",)).identity_provider() == {
        "UserPoolId": "us-east-1_App000001",
        "ProviderName": "Corp",
        "ProviderType": "OIDC",
        "ProviderDetails": {
            "client_id": "1example23456789",
            "client_secret": SECRET,
            "attributes_request_method": "GET",
            "oidc_issuer": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Corp00001",
            "authorize_scopes": "openid email profile",
        },
        "AttributeMapping": {"email": "email"},
        "IdpIdentifiers": ["corp.example"],
    }


def test_a_pool_with_the_updated_issuer_is_named_by_it() -> None:
    """`oidc_issuer` must equal what stands in the upstream pool's tokens."""
    updated = UserPool("eu-west-1_Corp00001", domain="corp", issuer_type="updated")
    details = plan(upstream=updated).identity_provider()["ProviderDetails"]
    assert isinstance(details, dict)
    assert details["oidc_issuer"] == "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Corp00001"


@pytest.mark.parametrize(
    ("local", "providers"),
    [pytest.param(False, ["Corp"], id="only"), pytest.param(True, ["Corp", "COGNITO"], id="too")],
)
def test_an_application_offers_the_provider(local: bool, providers: list[str]) -> None:
    """Only what an app client lists is offered at its login page."""
    arguments = plan().downstream_app_client(
        "shop", callback_urls=["https://app.example/cb"], local_sign_in=local, client_secret=True
    )
    assert arguments["SupportedIdentityProviders"] == providers
    assert arguments["CallbackURLs"] == ["https://app.example/cb"]
    assert arguments["GenerateSecret"] is True
    assert "LogoutURLs" not in arguments


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(lambda one: one.upstream_app_client(), id="upstream-client"),
        pytest.param(lambda one: one.identity_provider(), id="provider"),
        pytest.param(lambda one: one.downstream_app_client("shop", callback_urls=["https://a.example"]), id="client"),
    ],
)
def test_arguments_are_json(arguments: Callable[[Federation], dict[str, object]]) -> None:
    """What goes to boto3 as keywords goes to the AWS CLI as JSON."""
    assert json.loads(json.dumps(arguments(plan()))) == arguments(plan())


def test_the_way_out_leads_through_both_pools() -> None:
    """Out of the downstream pool, then of the upstream one, then to the application; each URL is what is registered."""
    chain = plan().logout_chain(downstream_client_id="shop", final_url="https://app.example/bye")
    first = urlsplit(chain.url)
    assert (first.netloc, first.path) == ("login.app.example", "/logout")
    query = parse_qs(first.query)
    assert query["client_id"] == ["shop"]
    assert tuple(query["logout_uri"]) == chain.downstream_logout_urls
    second = urlsplit(query["logout_uri"][0])
    assert (second.netloc, second.path) == ("corp.auth.eu-west-1.amazoncognito.com", "/logout")
    assert parse_qs(second.query) == {"client_id": ["1example23456789"], "logout_uri": ["https://app.example/bye"]}
    assert chain.upstream_logout_urls == ("https://app.example/bye",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"downstream": CORP}, "same pool", id="one-pool"),
        pytest.param({"downstream": None}, "downstream: expected a UserPool, got nothing", id="no-pool"),
        pytest.param({"upstream": "eu-west-1_Corp"}, "upstream: expected a UserPool, got 'eu-", id="pool-id"),
        pytest.param({"upstream_client_id": None}, "expected texts", id="none-as-client-id"),
        pytest.param({"upstream_client_secret": b"s"}, "expected texts", id="secret-in-bytes"),
        pytest.param({"attribute_mapping": ["email"]}, "expected a mapping", id="list-as-mapping"),
        pytest.param({"attribute_mapping": None}, "expected a mapping", id="none-as-mapping"),
        pytest.param({"idp_identifiers": "corp.example"}, "idp_identifiers: expected several", id="one-identifier"),
        pytest.param({"idp_identifiers": None}, "idp_identifiers: expected several", id="none-as-identifiers"),
        pytest.param({"idp_identifiers": (1,)}, "idp_identifiers: expected several", id="odd-identifier"),
        pytest.param({"provider_name": ""}, "provider_name", id="no-name"),
        pytest.param({"provider_name": None}, "provider_name", id="none-as-name"),
        pytest.param({"provider_name": "_Corp"}, "provider_name", id="outer-underscore"),
        pytest.param({"provider_name": "Corp "}, "provider_name", id="outer-space"),
        pytest.param({"provider_name": "c" * 33}, "provider_name", id="33-characters"),
        pytest.param({"provider_name": "AD"}, "provider_name", id="2-characters"),
        pytest.param({"provider_name": "Corp_EU"}, "provider_name", id="inner-underscore"),
        pytest.param({"provider_name": "Corp EU"}, "provider_name", id="inner-space"),
        pytest.param({"provider_name": "Corp\n"}, "provider_name", id="line-break"),
        pytest.param({"provider_name": "COGNITO"}, "COGNITO", id="reserved"),
        pytest.param({"scopes": ("aws.cognito.signin.user.admin",)}, "openid", id="no-openid"),
        pytest.param({"scopes": ("openid", "offline_access")}, "offline_access", id="offline-access"),
        pytest.param({"attribute_mapping": {"": "email"}}, "attribute_mapping", id="no-attribute"),
        pytest.param({"attribute_mapping": {"a" * 33: "email"}}, "at most 32", id="33-characters-attribute"),
        pytest.param({"attribute_mapping": {"email": ""}}, "attribute_mapping", id="no-claim"),
        pytest.param({"attribute_mapping": {"email": 1}}, "attribute_mapping", id="odd-claim"),
        pytest.param({"upstream_client_id": "a b"}, "client_id", id="odd-client-id"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, object], words: str) -> None:
    """A plan that Cognito would refuse is refused when it is made."""
    with pytest.raises(ConfigurationError, match=words):
        plan(**changes)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        pytest.param(lambda: plan(upstream_client_id="").identity_provider(), "upstream_app_client", id="no-client"),
        pytest.param(lambda: plan(upstream_client_secret="").identity_provider(), "secret", id="no-secret"),
        pytest.param(
            lambda: plan(upstream_client_id="").logout_chain(downstream_client_id="x", final_url="https://a.example"),
            "upstream_client_id",
            id="chain-without-client",
        ),
        pytest.param(
            lambda: plan().logout_chain(downstream_client_id="x", final_url=f"https://a.example/{'y' * 980}"),
            "logout_uri",
            id="chain-too-long",
        ),
        pytest.param(lambda: plan().upstream_app_client(client_name="a/b"), "client_name", id="client-name"),
        pytest.param(lambda: plan().upstream_app_client(logout_urls="https://a"), "logout_urls", id="one-logout-url"),
        pytest.param(
            lambda: plan().upstream_app_client(logout_urls=None),  # type: ignore[arg-type]
            "logout_urls: expected several",
            id="none-as-logout-urls",
        ),
        pytest.param(
            lambda: plan().downstream_app_client("shop", callback_urls=5),  # type: ignore[arg-type]
            "callback_urls: expected several",
            id="number-as-callback-urls",
        ),
        pytest.param(
            lambda: plan().downstream_app_client("shop", callback_urls=["http://a.example"]), "https", id="plain-http"
        ),
        pytest.param(
            lambda: plan(downstream=UserPool("us-east-1_App000001")).callback_url, "domain", id="without-a-domain"
        ),
    ],
)
def test_what_is_missing_is_named(act: Callable[[], object], words: str) -> None:
    """Each step says what it needs first."""
    with pytest.raises(ConfigurationError, match=words):
        act()


def test_the_secret_is_not_shown() -> None:
    """A plan may stand in a log."""
    assert SECRET not in repr(plan())


def test_a_plan_can_be_compared_and_kept_in_a_set() -> None:
    """Two plans of the same parts are one."""
    assert len({plan(), plan()}) == 1
