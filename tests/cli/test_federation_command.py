"""`federation`: the plan of two profiles, its check against the emulator, and what it creates in moto."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pexpect
import pytest
from click.testing import CliRunner, Result

from cognito_oidc import Federation, UserPool
from cognito_oidc.cli import cli
from cognito_oidc.cli.aws_pools import AwsPools
from cognito_oidc.cli.console import MisconfiguredError
from cognito_oidc.cli.federation_steps import (
    HIDDEN,
    differences,
    downstream_step,
    provider_step,
    upstream_step,
    without_secrets,
)
from tests.cli.served_shop import CALLBACK, ServedShop

REGION = "eu-west-1"
SECRET = "5ecretOfTheTestsWith32Characters"
CORP = UserPool("eu-west-1_Corp00001", domain="corp")
SHOP = UserPool("eu-west-1_App000001", domain="shop")
PLAN = Federation(
    upstream=CORP,
    downstream=SHOP,
    provider_name="Corp",
    upstream_client_id="1example23456789",
    upstream_client_secret=SECRET,
    attribute_mapping={"email": "email"},
)


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of profiles, with two pools in it."""
    path = tmp_path / "profiles.toml"
    monkeypatch.setenv("COGNITO_CONFIG_FILE", str(path))
    write(path, CORP.pool_id, SHOP.pool_id)
    return path


def write(path: Path, corp: str, shop: str, *, client_id: str = "", more: str = "", corp_domain: str = "corp") -> None:
    """Write the two profiles."""
    client = f'client_id = "{client_id}"\nredirect_uris = ["{CALLBACK}"]\n' if client_id else ""
    path.write_text(
        f'[profiles.corp]\npool_id = "{corp}"\ndomain = "{corp_domain}"\n{more}'
        f'[profiles.shop]\npool_id = "{shop}"\ndomain = "shop"\nprovider = "Corp"\n{client}{more}'
    )


def run(*arguments: str, input: str | None = None, **variables: str) -> Result:  # noqa: A002 - click's name
    """Run `federation corp shop`; variables of the environment must not count."""
    environment = {"COGNITO_POOL_ID": "eu-west-1_Foreign01", "COGNITO_DOMAIN": "foreign", **variables}
    return CliRunner().invoke(cli, ["federation", "corp", "shop", *arguments], input=input, env=environment)


# --- the plan ---------------------------------------------------------------------------------------------------------


def test_the_documents_are_the_planners(profiles: Path) -> None:
    """Each document is what the AWS command line takes, as the library's planner writes it."""
    arguments = ("--upstream-client-id", "1example23456789", "--upstream-secret-from", "env:UPSTREAM", "--show-secret")
    client = run(*arguments, "-o", "upstream-client", UPSTREAM=SECRET)
    provider = run(*arguments, "-o", "provider", UPSTREAM=SECRET)
    assert json.loads(client.stdout) == PLAN.upstream_app_client()
    assert json.loads(provider.stdout) == PLAN.identity_provider()
    assert client.stderr == provider.stderr == ""


def test_a_secret_is_shown_only_when_asked_for(profiles: Path) -> None:
    """Neither form of the plan has the client secret."""
    for output in ("text", "json", "provider"):
        arguments = ("--upstream-client-id", "1example23456789", "--upstream-secret-from", "env:UPSTREAM", "-o", output)
        shown = run(*arguments, UPSTREAM=SECRET)
        assert (shown.exit_code, SECRET in shown.output, HIDDEN in shown.stdout) == (0, False, True)


def test_the_plan_for_people_says_what_to_do_where(profiles: Path) -> None:
    """Two calls and what comes after them, with what is not known yet named as such."""
    result = run()
    assert result.exit_code == 0
    assert "aws cognito-idp create-user-pool-client --region eu-west-1 --cli-input-json file://..." in result.stdout
    assert "https://shop.auth.eu-west-1.amazoncognito.com/oauth2/idpresponse" in result.stdout
    assert "3. Add Corp to SupportedIdentityProviders of each app client" in result.stdout
    assert "'to-be-created' stands for the id and the secret" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["--map", "email"], 2, "expected ATTRIBUTE=CLAIM", id="mapping"),
        pytest.param(["--yes"], 2, "belong to --apply", id="yes-without-apply"),
        pytest.param(["--provider-name", "Google"], 6, "provider_name 'Google'", id="reserved-name"),
        pytest.param(["--scope", "email"], 6, "openid", id="no-openid"),
        pytest.param(["--upstream-secret-from", "the-secret"], 6, "expected where the secret is", id="secret-itself"),
    ],
)
def test_wrong_use_is_said(profiles: Path, arguments: list[str], code: int, words: str) -> None:
    """What cannot be right is said before anybody is asked."""
    result = run(*arguments)
    assert (result.exit_code, words in result.stderr) == (code, True)


# --- the check --------------------------------------------------------------------------------------------------------


def test_the_check_asks_both_pools(shop: ServedShop, profiles: Path) -> None:
    """Two pools that work together have nothing in the way; a changed callback URL upstream is named."""
    (corp_client,) = shop.corp.clients.values()
    more = f'endpoint_url = "{shop.base_url}"\n'
    write(profiles, shop.corp.pool_id, shop.app.pool_id, client_id=shop.web.client_id, more=more)
    profiles.write_text(
        profiles.read_text()
        .replace('domain = "corp"', f'domain = "{shop.corp.domain_prefix}"')
        .replace('domain = "shop"', f'domain = "{shop.app.domain_prefix}"')
    )
    arguments = ("--check", "--upstream-client-id", corp_client.client_id)
    good = run(*arguments)
    assert (good.exit_code, good.stdout) == (0, "Nothing stands in the way.\n")
    corp_client.redirect_uris = ("https://old.example/oauth2/idpresponse",)
    bad = run(*arguments)
    assert bad.exit_code == 1
    assert bad.stdout.startswith("1. upstream pool: redirect_mismatch\n")


# --- what differs -----------------------------------------------------------------------------------------------------


FOUND_CLIENT = {**PLAN.upstream_app_client(), "ClientId": "1example23456789", "ClientSecret": SECRET}
FOUND_PROVIDER = {**PLAN.identity_provider(), "CreationDate": 1, "LastModifiedDate": 2}
ACCEPTED = frozenset({*PLAN.upstream_app_client(), "ClientId", "RefreshTokenValidity"} - {"GenerateSecret"})


def test_what_is_as_planned_needs_nothing() -> None:
    """What AWS shows of what was planned is the same, also with more in lists and with what AWS adds itself."""
    more = {**FOUND_CLIENT, "CallbackURLs": [PLAN.callback_url, "https://other.example/"], "RefreshTokenValidity": 5}
    added = {**FOUND_PROVIDER, "AttributeMapping": {"email": "email", "username": "sub"}}
    added["ProviderDetails"] = {**PLAN.identity_provider()["ProviderDetails"], "attributes_url": "https://x"}  # type: ignore[dict-item] # a mapping
    assert upstream_step(PLAN, more, ACCEPTED) is None
    assert provider_step(PLAN, added) is None
    assert downstream_step(PLAN, {"SupportedIdentityProviders": ["COGNITO", "Corp"]}, ACCEPTED) is None


def test_an_update_repeats_all_there_is() -> None:
    """UpdateUserPoolClient resets what it is not given: whatever it takes and is there goes along."""
    found = {**FOUND_CLIENT, "CallbackURLs": ["https://other.example/"], "RefreshTokenValidity": 5, "CreationDate": 1}
    step = upstream_step(PLAN, found, ACCEPTED)
    assert step is not None
    assert (step.operation, step.changes) == ("update_user_pool_client", True)
    assert step.arguments["CallbackURLs"] == ["https://other.example/", PLAN.callback_url]
    assert step.arguments["RefreshTokenValidity"] == 5
    assert step.arguments["ClientId"] == "1example23456789"
    assert step.arguments.keys().isdisjoint({"CreationDate", "ClientSecret", "GenerateSecret"})


def test_an_update_of_a_provider_loses_nothing() -> None:
    """What the plan says nothing about goes along: other names of the provider, and other mapped attributes."""
    found = {
        **FOUND_PROVIDER,
        "AttributeMapping": {"email": "mail", "name": "name", "username": "sub"},
        "IdpIdentifiers": ["corp.example"],
    }
    step = provider_step(PLAN, found)
    assert step is not None
    assert step.arguments["AttributeMapping"] == {"email": "email", "name": "name", "username": "sub"}
    assert step.arguments["IdpIdentifiers"] == ["corp.example"]
    assert step.arguments.keys() == {
        "AttributeMapping",
        "IdpIdentifiers",
        "ProviderDetails",
        "ProviderName",
        "UserPoolId",
    }


def test_secrets_are_compared_and_not_told() -> None:
    """Another secret is a difference, and neither of the two is shown."""
    details = {"ProviderDetails": {**PLAN.identity_provider()["ProviderDetails"], "client_secret": "another"}}  # type: ignore[dict-item] # the same
    found = {**FOUND_PROVIDER, **details}
    step = provider_step(PLAN, found)
    assert step is not None
    assert "ProviderDetails.client_secret differs" in step.said
    assert SECRET not in f"{step!r}{step.said}{differences(PLAN.identity_provider(), found)}"
    assert SECRET not in json.dumps(without_secrets(PLAN.identity_provider()))


@pytest.mark.parametrize(
    "found", [{**FOUND_PROVIDER, "ProviderType": "SAML"}, {**FOUND_PROVIDER, "ProviderType": "Google"}]
)
def test_another_kind_of_provider_is_left_alone(found: dict[str, object]) -> None:
    """A provider of the name that is no OpenID provider is no provider to be changed."""
    with pytest.raises(MisconfiguredError, match="choose another --provider-name"):
        provider_step(PLAN, found)


def test_a_client_without_a_secret_cannot_be_used() -> None:
    """No update gives an app client a secret: the person is told what can be done."""
    found = {name: value for name, value in FOUND_CLIENT.items() if name != "ClientSecret"}
    with pytest.raises(MisconfiguredError, match="has no secret"):
        upstream_step(PLAN, found, ACCEPTED)


# --- moto -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cognito(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return boto3's client of moto's Cognito."""
    import boto3
    from moto import mock_aws

    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with mock_aws():
        yield boto3.client("cognito-idp", region_name=REGION)


@pytest.fixture
def pools(cognito: Any, profiles: Path) -> tuple[str, str, str]:  # noqa: ANN401 - boto3 makes its clients at run time
    """Create two pools and the application's app client, and write their profiles."""
    corp, shop = (cognito.create_user_pool(PoolName=name)["UserPool"]["Id"] for name in ("corp", "shop"))
    application = cognito.create_user_pool_client(
        UserPoolId=shop,
        ClientName="web",
        CallbackURLs=[CALLBACK],
        SupportedIdentityProviders=["COGNITO"],
        RefreshTokenValidity=7,
    )["UserPoolClient"]["ClientId"]
    write(profiles, corp, shop, client_id=application)
    return corp, shop, application


def settings(cognito: Any, corp: str, shop: str, application: str) -> list[object]:  # noqa: ANN401 - the same
    """Return all that the command could change, without times."""
    clients = [
        cognito.describe_user_pool_client(UserPoolId=pool, ClientId=each["ClientId"])["UserPoolClient"]
        for pool in (corp, shop)
        for each in cognito.list_user_pool_clients(UserPoolId=pool, MaxResults=60)["UserPoolClients"]
    ]
    provider = cognito.describe_identity_provider(UserPoolId=shop, ProviderName="Corp")["IdentityProvider"]
    return [clients, {name: value for name, value in provider.items() if "Date" not in name}]


def test_apply_creates_what_is_missing_and_a_second_run_nothing(
    cognito: Any,  # noqa: ANN401 - the same
    pools: tuple[str, str, str],
) -> None:
    """From two pools to a federation in one run; the next finds nothing to do and changes nothing."""
    corp, shop, application = pools
    first = run("--apply", "--yes", "--change")
    assert first.exit_code == 0, first.output
    assert [line.split()[1] for line in first.stdout.splitlines() if line.startswith("Done: ")] == [
        "create",
        "create",
        "add",
    ]
    (upstream,) = cognito.list_user_pool_clients(UserPoolId=corp, MaxResults=60)["UserPoolClients"]
    described = cognito.describe_user_pool_client(UserPoolId=corp, ClientId=upstream["ClientId"])["UserPoolClient"]
    provider = cognito.describe_identity_provider(UserPoolId=shop, ProviderName="Corp")["IdentityProvider"]
    web = cognito.describe_user_pool_client(UserPoolId=shop, ClientId=application)["UserPoolClient"]
    assert provider["ProviderDetails"]["client_secret"] == described["ClientSecret"]
    assert provider["ProviderDetails"]["oidc_issuer"] == f"https://cognito-idp.eu-west-1.amazonaws.com/{corp}"
    assert (web["SupportedIdentityProviders"], web["RefreshTokenValidity"]) == (["COGNITO", "Corp"], 7)
    assert described["ClientSecret"] not in first.output

    before = settings(cognito, *pools)
    second = run("--apply", "--yes", "--change")
    assert (second.exit_code, second.stdout) == (0, "Nothing to do: both pools are set as planned.\n")
    assert settings(cognito, *pools) == before


def test_what_is_set_otherwise_is_changed_only_when_asked(
    cognito: Any,  # noqa: ANN401 - the same
    pools: tuple[str, str, str],
) -> None:
    """A provider with another mapping, and an app client without it, are reported; --change sets them."""
    _, shop, application = pools
    assert run("--apply", "--yes").exit_code == 1  # the application does not offer the provider yet
    cognito.update_identity_provider(UserPoolId=shop, ProviderName="Corp", AttributeMapping={"email": "mail"})
    reported = run("--apply", "--yes")
    assert reported.exit_code == 1
    assert "AttributeMapping.email is mail, planned email" in " ".join(reported.stdout.split())
    assert "Done:" not in reported.stdout
    assert run("--apply", "--yes", "--change").exit_code == 0
    web = cognito.describe_user_pool_client(UserPoolId=shop, ClientId=application)["UserPoolClient"]
    assert web["SupportedIdentityProviders"] == ["COGNITO", "Corp"]


def test_a_run_that_ended_early_goes_on(cognito: Any, pools: tuple[str, str, str]) -> None:  # noqa: ANN401 - the same
    """An upstream app client that an earlier run made is found by its name and taken."""
    corp, shop, _ = pools
    plan = Federation(
        upstream=UserPool(corp, domain="corp"), downstream=UserPool(shop, domain="shop"), provider_name="Corp"
    )
    made = cognito.create_user_pool_client(**plan.upstream_app_client())["UserPoolClient"]
    assert run("--apply", "--yes", "--change").exit_code == 0
    provider = cognito.describe_identity_provider(UserPoolId=shop, ProviderName="Corp")["IdentityProvider"]
    assert provider["ProviderDetails"]["client_id"] == made["ClientId"]
    assert len(cognito.list_user_pool_clients(UserPoolId=corp, MaxResults=60)["UserPoolClients"]) == 1


def test_what_was_done_is_said_before_something_fails(
    cognito: Any,  # noqa: ANN401 - the same
    pools: tuple[str, str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where AWS refuses the second step the first is on record, with AWS's own code, and another run goes on."""
    change = AwsPools.change

    def refused(self: AwsPools, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if operation == "create_identity_provider":
            arguments = {**arguments, "UserPoolId": f"{REGION}_Gone00000"}
        return change(self, operation, arguments)

    monkeypatch.setattr(AwsPools, "change", refused)
    result = run("--apply", "--yes")
    assert " ".join(result.stdout.split()).startswith("Done: create the app client federation-")
    assert "AWS refused CreateIdentityProvider: ResourceNotFoundException" in result.stderr
    assert result.exit_code == 6
    monkeypatch.setattr(AwsPools, "change", change)
    assert "Done: create the provider Corp" in run("--apply", "--yes").stdout


def test_nobody_is_asked_where_nobody_is(cognito: Any, pools: tuple[str, str, str]) -> None:  # noqa: ANN401 - the same
    """Without a terminal and without --yes nothing is done: a usage error, and no app client."""
    result = run("--apply", input="y\n")
    assert (result.exit_code, "--yes does it without" in result.stderr) == (2, True)
    assert cognito.list_user_pool_clients(UserPoolId=pools[0], MaxResults=60)["UserPoolClients"] == []


def test_two_clients_of_the_name_are_not_chosen_from(cognito: Any, pools: tuple[str, str, str]) -> None:  # noqa: ANN401 - the same
    """Which of two is meant is for a person to say."""
    for _ in range(2):
        cognito.create_user_pool_client(UserPoolId=pools[0], ClientName=f"federation-{pools[1]}", GenerateSecret=True)
    result = run("--apply", "--yes")
    assert (result.exit_code, "name one with --upstream-client-id" in result.stderr) == (6, True)


def test_a_person_is_asked_and_may_say_no(profiles: Path) -> None:
    """At a terminal the steps are shown and nothing is done without a yes."""
    script = """
import sys
from moto import mock_aws
import boto3
from cognito_oidc.cli import cli
with mock_aws():
    cognito = boto3.client("cognito-idp", region_name="eu-west-1")
    ids = [cognito.create_user_pool(PoolName=n)["UserPool"]["Id"] for n in ("corp", "shop")]
    path = sys.argv[1]
    open(path, "w").write("".join(
        f'[profiles.{n}]\\npool_id = "{i}"\\ndomain = "{n}"\\n' for n, i in zip(("corp", "shop"), ids)
    ))
    try:
        cli(["federation", "corp", "shop", "--provider-name", "Corp", "--apply"])
    finally:
        print("clients", len(cognito.list_user_pool_clients(UserPoolId=ids[0], MaxResults=60)["UserPoolClients"]))
"""
    import os
    import sys

    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "TERM": "xterm"}
    for answer, clients in (("n", 0), ("y", 1)):
        child = pexpect.spawn(
            sys.executable, ["-c", script, str(profiles)], env=environment, encoding="utf-8", timeout=60
        )
        child.expect("create the provider Corp")
        child.expect(r"Do it\? \[y/N\]: ")
        child.sendline(answer)
        child.expect(f"clients {clients}")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == (4 if answer == "n" else 0)
