"""The app client's settings against the profile: created in moto, read by boto3, each broken once."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from cognito_oidc import UserPool
from cognito_oidc.cli import cli
from cognito_oidc.cli.aws_pools import AwsPools
from cognito_oidc.cli.console import CommandError
from cognito_oidc.cli.doctor_app_client import AwsSettings, judge_app_client
from cognito_oidc.cli.doctor_profile import Subject
from cognito_oidc.cli.findings import Check

REGION = "eu-west-1"
CALLBACK = "https://shop.example/callback"
GOODBYE = "https://shop.example/bye"
GOOD: dict[str, object] = {
    "AllowedOAuthFlowsUserPoolClient": True,
    "AllowedOAuthFlows": ["code"],
    "AllowedOAuthScopes": ["openid", "email", "orders/read"],
    "CallbackURLs": [CALLBACK],
    "LogoutURLs": [GOODBYE],
    "SupportedIdentityProviders": ["COGNITO", "Corp"],
    "EnableTokenRevocation": True,
}
POOL = UserPool("eu-west-1_AbC123xyz", domain="acme")
SUBJECT = Subject(
    profile="shop",
    pool=POOL,
    client_id="1example23456789",
    redirect_uris=(CALLBACK,),
    scopes=("openid", "email", "orders/read"),
    provider="Corp",
    logout_uri=GOODBYE,
)


def judged(
    settings: Mapping[str, object], subject: Subject = SUBJECT, pool: Mapping[str, object] | None = None
) -> list[Check]:
    """Judge settings that differ from good ones."""
    shown = AwsSettings(pool={"Domain": "acme", **(pool or {})}, client={**GOOD, **settings}, providers=("Corp",))
    return judge_app_client(subject, shown)


def codes(checks: list[Check]) -> list[str]:
    """Return the codes of findings."""
    return [check.finding.code for check in checks if check.finding is not None]


def test_good_settings_are_good() -> None:
    """Settings that agree character by character have no finding and leave nothing open."""
    assert {check.outcome for check in judged({})} == {"good"}


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        pytest.param({"AllowedOAuthFlowsUserPoolClient": False}, "unauthorized_client", "no OAuth", id="oauth-off"),
        pytest.param({"AllowedOAuthFlows": ["implicit"]}, "unauthorized_client", "implicit", id="implicit"),
        pytest.param({"AllowedOAuthFlows": None}, "unauthorized_client", "empty", id="no-flow"),
        pytest.param({"CallbackURLs": [f"{CALLBACK}/"]}, "redirect_mismatch", "a slash at the end", id="slash"),
        pytest.param(
            {"CallbackURLs": [f" {CALLBACK}"]}, "redirect_mismatch", "'␣https://shop.example/callback'", id="space"
        ),
        pytest.param(
            {"CallbackURLs": ["https://shop.example/Callback"]},
            "redirect_mismatch",
            "upper and lower case in the path",
            id="case",
        ),
        pytest.param(
            {"CallbackURLs": ["http://shop.example/callback"]}, "redirect_mismatch", "scheme 'http'", id="scheme"
        ),
        pytest.param({"CallbackURLs": []}, "redirect_mismatch", "none at all", id="no-callback-url"),
        pytest.param({"LogoutURLs": ["https://shop.example/bye/"]}, "logout_mismatch", "a slash", id="logout"),
        pytest.param({"AllowedOAuthScopes": ["openid", "email"]}, "invalid_scope", "'orders/read'", id="scope"),
        pytest.param(
            {"AllowedOAuthScopes": ["openid", "email", "Orders/read"]},
            "invalid_scope",
            "upper and lower case",
            id="scope-case",
        ),
        pytest.param(
            {"SupportedIdentityProviders": ["COGNITO"]}, "login_option_not_available", "lacks 'Corp'", id="provider"
        ),
        pytest.param({"ClientSecret": "s" * 32}, "secret_missing", "has a secret", id="secret"),
        pytest.param({"EnableTokenRevocation": False}, "revocation_off", "is false", id="revocation"),
        pytest.param(
            {
                "RefreshTokenRotation": {"Feature": "ENABLED", "RetryGracePeriodSeconds": 0},
                "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH"],
            },
            "rotation_with_refresh_auth",
            "ALLOW_REFRESH_TOKEN_AUTH",
            id="rotation",
        ),
        pytest.param({"ReadAttributes": ["email"]}, "unreadable_attribute", "email_verified", id="attributes"),
    ],
)
def test_each_setting_is_compared(settings: dict[str, object], code: str, words: str) -> None:
    """One setting is broken and one finding names it, with the difference."""
    checks = judged(settings)
    assert codes(checks) == [code]
    (finding,) = (check.finding for check in checks if check.finding is not None)
    assert words in finding.found


@pytest.mark.parametrize(
    ("pool", "code"),
    [
        pytest.param({"IssuerConfiguration": {"Type": "UPDATED"}}, "issuer_type", id="issuer"),
        pytest.param({"Domain": "acme2"}, "other_domain", id="another-domain"),
        pytest.param({"Domain": None}, "other_domain", id="no-domain"),
    ],
)
def test_the_pool_is_compared(pool: dict[str, object], code: str) -> None:
    """What the pool is must be what the profile computes its addresses from."""
    assert codes(judged({}, pool=pool)) == [code]


def test_rotation_and_its_grace_are_said() -> None:
    """Rotation is no fault: what it means is said."""
    rotation = {"Feature": "ENABLED", "RetryGracePeriodSeconds": 30}
    said = [check.said for check in judged({"RefreshTokenRotation": rotation}) if check.about == "refresh tokens"]
    assert said == ["They can be revoked, and a refresh replaces them; the old one works for 30 s more."]


@pytest.mark.parametrize(
    ("real", "ours", "outcome", "code"),
    [
        pytest.param("s" * 32, "s" * 32, "good", None, id="the-same"),
        pytest.param("s" * 32, "s" * 32 + " ", "wrong", "secret_refused", id="a-space-at-the-end"),
        pytest.param("s" * 32, "t" * 32, "unknown", None, id="may-be-the-second-one"),
        pytest.param(None, "t" * 32, "wrong", "secret_not_wanted", id="none-there"),
        pytest.param(None, None, "good", None, id="none-on-both-sides"),
    ],
)
def test_the_secret_is_compared_and_not_shown(
    real: str | None, ours: str | None, outcome: str, code: str | None
) -> None:
    """A client can have two secrets of which one is shown, so another one is not called wrong."""
    checks = judged({"ClientSecret": real}, replace(SUBJECT, client_secret=ours))
    (check,) = (check for check in checks if check.about == "client secret")
    assert (check.outcome, check.finding.code if check.finding else None) == (outcome, code)
    assert "sss" not in str(check)
    assert "ttt" not in str(check)


def test_a_machine_needs_its_own_flow() -> None:
    """Client credentials are compared with what a machine needs, without callback URLs and providers."""
    machine = replace(SUBJECT, machine=True, redirect_uris=(), scopes=("orders/read",), client_secret="s" * 32)
    good = {"AllowedOAuthFlows": ["client_credentials"], "ClientSecret": "s" * 32}
    assert codes(judged(good, machine)) == []
    assert codes(judged({**good, "AllowedOAuthFlows": ["code"]}, machine)) == ["unauthorized_client"]


# --- providers and branding -------------------------------------------------------------------------------------------


SCHEMA = [
    {"Name": "sub", "Required": True, "Mutable": False},
    {"Name": "email", "Required": True, "Mutable": True},
    {"Name": "email_verified", "Required": False, "Mutable": True},
    {"Name": "custom:tenant", "Required": False, "Mutable": False},
]
MAPPED = {"username": "sub", "email": "email", "email_verified": "email_verified"}


@pytest.mark.parametrize(
    ("mapping", "client", "codes_found"),
    [
        pytest.param(MAPPED, {}, [], id="good"),
        pytest.param(MAPPED, {"WriteAttributes": ["email"]}, [], id="verified-need-not-be-writable"),
        pytest.param({"username": "sub"}, {}, ["required_attribute_not_mapped"], id="required"),
        pytest.param({**MAPPED, "custom:tenant": "org"}, {}, ["mapped_attribute_immutable"], id="immutable"),
        pytest.param(MAPPED, {"WriteAttributes": ["name"]}, ["mapped_attribute_not_writable"], id="not-writable"),
    ],
)
def test_the_mapping_of_a_provider_is_judged(
    mapping: dict[str, str], client: dict[str, object], codes_found: list[str]
) -> None:
    """What fails at the first or at the second login through a provider is found before it."""
    shown = AwsSettings(
        pool={"Domain": "acme", "SchemaAttributes": SCHEMA},
        client={**GOOD, **client},
        providers=("Corp",),
        details={"Corp": {"ProviderType": "OIDC", "AttributeMapping": mapping}},
    )
    assert codes(judge_app_client(SUBJECT, shown)) == codes_found


def test_userinfo_by_post_cannot_be_told() -> None:
    """Whether a user pool answers POST is not known: said, and no finding."""
    details = {"attributes_request_method": "POST", "oidc_issuer": POOL.issuer}
    shown = AwsSettings(
        pool={"Domain": "acme"}, client=GOOD, providers=("Corp",), details={"Corp": {"ProviderDetails": details}}
    )
    checks = [check for check in judge_app_client(SUBJECT, shown) if check.about == "provider Corp"]
    assert [check.outcome for check in checks] == ["unknown"]


@pytest.mark.parametrize(
    ("branded", "found"),
    [
        pytest.param(False, ["no_branding"], id="none"),
        pytest.param(True, [], id="there"),
        pytest.param(None, [], id="classic-or-not-known"),
    ],
)
def test_an_app_client_without_branding_is_found(branded: bool | None, found: list[str]) -> None:
    """Managed login shows nothing for an app client without a style."""
    shown = AwsSettings(pool={"Domain": "acme"}, client=GOOD, providers=("Corp",), branded=branded)
    assert codes(judge_app_client(SUBJECT, shown)) == found


def test_branding_is_read_as_aws_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto has no branding: botocore's own stub, which checks both sides against the service model, answers instead."""
    from botocore.stub import Stubber

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    pools = AwsPools(REGION)
    asked = {"UserPoolId": POOL.pool_id, "ClientId": "1example23456789"}
    with Stubber(pools._client) as stub:
        stub.add_response("describe_user_pool_domain", {"DomainDescription": {"ManagedLoginVersion": 2}})
        stub.add_response("describe_managed_login_branding_by_client", {"ManagedLoginBranding": {}}, asked)
        stub.add_client_error("describe_managed_login_branding_by_client", "ResourceNotFoundException")
        stub.add_client_error("describe_managed_login_branding_by_client", "AccessDeniedException")
        assert pools.managed_login_version("acme") == 2
        assert pools.has_branding(POOL.pool_id, "1example23456789")
        assert not pools.has_branding(POOL.pool_id, "1example23456789")
        with pytest.raises(CommandError) as denied:
            pools.has_branding(POOL.pool_id, "1example23456789")
    assert denied.value.exit_code == 4


# --- moto -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cognito(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return boto3's client of moto's Cognito."""
    import boto3
    from moto import mock_aws

    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with mock_aws():
        yield boto3.client("cognito-idp", region_name=REGION)


def doctor(pool_id: str, client_id: str, *arguments: str, **settings: str) -> list[tuple[str, str]]:
    """Return subject and code of what `doctor --aws` finds; addresses are on a port where nobody is."""
    import json

    environment = {
        "COGNITO_POOL_ID": pool_id,
        "COGNITO_CLIENT_ID": client_id,
        "COGNITO_DOMAIN": "shop",
        "COGNITO_ENDPOINT_URL": "http://127.0.0.1:9",
        "COGNITO_REDIRECT_URI": CALLBACK,
        "COGNITO_SCOPES": "openid email",
        **{f"COGNITO_{name.upper()}": value for name, value in settings.items()},
    }
    result = CliRunner().invoke(cli, ["doctor", "--aws", "-o", "json", *arguments], env=environment)
    return [(each["about"], each["code"]) for each in json.loads(result.stdout)["findings"]]


def test_moto_shows_the_settings(cognito: Any) -> None:  # noqa: ANN401 - boto3 makes its clients at run time
    """What boto3 reads of a pool that was created is compared: first as it should be, then after an update."""
    pool_id = cognito.create_user_pool(PoolName="shop")["UserPool"]["Id"]
    cognito.create_user_pool_domain(Domain="shop", UserPoolId=pool_id)
    settings = {**GOOD, "SupportedIdentityProviders": ["COGNITO"], "AllowedOAuthScopes": ["openid", "email"]}
    client_id = cognito.create_user_pool_client(UserPoolId=pool_id, ClientName="shop", **settings)["UserPoolClient"][
        "ClientId"
    ]
    assert doctor(pool_id, client_id) == []
    cognito.update_user_pool_client(
        UserPoolId=pool_id,
        ClientId=client_id,
        **{**settings, "CallbackURLs": [f"{CALLBACK}/"], "AllowedOAuthScopes": ["openid"]},
    )
    found = doctor(pool_id, client_id, provider="Corp")
    assert found == [
        ("callback URL", "redirect_mismatch"),
        ("provider", "login_option_not_available"),
        ("scopes", "invalid_scope"),
    ]


def test_moto_shows_the_providers(cognito: Any) -> None:  # noqa: ANN401 - the same
    """The mapping of a provider that was created is read and judged against the pool's schema."""
    schema = [{"Name": "email", "AttributeDataType": "String", "Required": True, "Mutable": True}]
    pool_id = cognito.create_user_pool(PoolName="shop", Schema=schema)["UserPool"]["Id"]
    cognito.create_user_pool_domain(Domain="shop", UserPoolId=pool_id)
    cognito.create_identity_provider(
        UserPoolId=pool_id,
        ProviderName="Corp",
        ProviderType="OIDC",
        ProviderDetails={"client_id": "x"},
        AttributeMapping={"username": "sub"},
    )
    client_id = cognito.create_user_pool_client(UserPoolId=pool_id, ClientName="shop", **GOOD)["UserPoolClient"][
        "ClientId"
    ]
    assert doctor(pool_id, client_id, provider="Corp") == [("provider Corp", "required_attribute_not_mapped")]


def test_a_client_that_is_not_there_is_a_finding(cognito: Any) -> None:  # noqa: ANN401 - the same
    """An app client of another pool is named as such."""
    pool_id = cognito.create_user_pool(PoolName="shop")["UserPool"]["Id"]
    assert doctor(pool_id, "1example23456789") == [("app client", "client_not_found")]


def test_what_aws_refuses_cannot_be_told(cognito: Any) -> None:  # noqa: ANN401 - the same
    """A pool that may not be read leaves the question open, with what AWS said."""
    with pytest.raises(CommandError, match="AWS refused DescribeUserPool: ResourceNotFoundException"):
        AwsPools(REGION).user_pool("eu-west-1_Gone00000")
    assert doctor("eu-west-1_Gone00000", "1example23456789") == []


def test_without_credentials_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no credentials of AWS the report goes on, and says what could not be read."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(CommandError, match="Unable to locate credentials"):
        AwsPools(REGION).user_pool("eu-west-1_AbC123xyz")
