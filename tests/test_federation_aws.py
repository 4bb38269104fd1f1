"""What the planner of federations makes, judged by AWS's own service model and created in moto."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import botocore.session
import pytest
from botocore.validate import ParamValidator

from cognito_oidc import Federation, UserPool
from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REGION: Final = "eu-west-1"
CORP: Final = UserPool("eu-west-1_Corp00001", domain="corp")
APP: Final = UserPool("eu-west-1_App000001", domain="login.shop.example")
SECRET: Final = "5ecretOfTheTestsWith32Characters"
CALLBACK: Final = "https://shop.example/callback"
GOODBYE: Final = "https://shop.example/bye"

SERVICE: Final = botocore.session.get_session().get_service_model("cognito-idp")
# Python's `re` has no Unicode categories. What is no separator and no control character stands for the first five.
CATEGORIES: Final = {
    r"\p{L}\p{M}\p{S}\p{N}\p{P}": r"!-~\u00a1-\U0010ffff",
    r"\p{Z}": r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}


def plan(**changes: object) -> Federation:
    """Return a plan with what every plan has, after some changes."""
    arguments: dict[str, object] = {
        "upstream": CORP,
        "downstream": APP,
        "provider_name": "Corp",
        "upstream_client_id": "1example23456789",
        "upstream_client_secret": SECRET,
        **changes,
    }
    return Federation(**arguments)  # type: ignore[arg-type]


def full_plan() -> Federation:
    """Return a plan with everything in it."""
    return plan(
        upstream=UserPool("eu-west-1_Corp00001", domain="corp", issuer_type="updated"),
        scopes=("openid", "email", "phone", "profile", "orders/read"),
        attribute_mapping={"email": "email", "email_verified": "email_verified", "custom:org": "custom:tenant"},
        idp_identifiers=("corp.example", "corp.test"),
    )


def breaches(operation: str, arguments: Mapping[str, object]) -> list[str]:
    """Return what the service model refuses: first as boto3 does before it sends, then as the service does."""
    shape = SERVICE.operation_model(operation).input_shape
    report = ParamValidator().validate(dict(arguments), shape)
    return [*([report.generate_report()] if report.has_errors() else []), *refused(shape, arguments, operation)]


def refused(shape: Any, value: Any, name: str) -> Iterator[str]:  # noqa: ANN401 - botocore has no types, JSON has any
    """Yield each value that a pattern, an enumeration or a limit of the model refuses, which boto3 sends unseen."""
    children: list[tuple[Any, Any, str]] = []
    if shape.type_name == "structure":
        children = [(shape.members[key], each, f"{name}.{key}") for key, each in value.items() if key in shape.members]
    elif shape.type_name == "list":
        children = [(shape.member, each, f"{name}[{index}]") for index, each in enumerate(value)]
    elif shape.type_name == "map":
        children = [(shape.key, key, f"a key of {name}") for key in value]
        children += [(shape.value, each, f"{name}.{key}") for key, each in value.items()]
    rules = shape.metadata
    if shape.type_name != "structure" and not isinstance(value, bool):
        size = value if isinstance(value, int) else len(value)
        if not rules.get("min", 0) <= size <= rules.get("max", size):
            yield f"{name}: {size} is outside of its limits"
    if value not in rules.get("enum", [value]):
        yield f"{name}: {value!r} is none of {rules['enum']}"
    pattern = rules.get("pattern", "")
    for category, characters in CATEGORIES.items():
        pattern = pattern.replace(category, characters)
    if pattern and re.fullmatch(pattern, value) is None:
        yield f"{name}: {value!r} does not match {pattern}"
    for child in children:
        yield from refused(*child)


# --- the service model ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        pytest.param("CreateUserPoolClient", plan().upstream_app_client(), id="upstream"),
        pytest.param(
            "CreateUserPoolClient",
            full_plan().upstream_app_client(client_name="Shop, by way of Corp", logout_urls=[GOODBYE]),
            id="upstream-with-everything",
        ),
        pytest.param("CreateIdentityProvider", plan().identity_provider(), id="provider"),
        pytest.param("CreateIdentityProvider", full_plan().identity_provider(), id="provider-with-everything"),
        pytest.param(
            "CreateUserPoolClient", plan().downstream_app_client("shop", callback_urls=[CALLBACK]), id="downstream"
        ),
        pytest.param(
            "CreateUserPoolClient",
            full_plan().downstream_app_client(
                "shop",
                callback_urls=[CALLBACK, "http://localhost:8000/callback", "shop://callback"],
                logout_urls=[
                    GOODBYE,
                    *full_plan().logout_chain(downstream_client_id="shop", final_url=GOODBYE).downstream_logout_urls,
                ],
                scopes=("openid", "orders/read"),
                client_secret=True,
                local_sign_in=True,
            ),
            id="downstream-with-everything",
        ),
    ],
)
def test_the_service_model_takes_the_arguments(operation: str, arguments: dict[str, object]) -> None:
    """AWS's model knows every member, and takes every value by its type, pattern, enumeration and limits."""
    assert breaches(operation, arguments) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"CallbackUrls": [CALLBACK]}, "CallbackUrls", id="unknown-member"),
        pytest.param({"CallbackURLs": CALLBACK}, "CallbackURLs", id="type"),
        pytest.param({"CallbackURLs": ["https://shop.example/" + "a" * 1_024]}, "limits", id="limit"),
        pytest.param({"AllowedOAuthFlows": ["password"]}, "none of", id="enumeration"),
        pytest.param({"ClientName": "a/b"}, "does not match", id="pattern"),
        pytest.param({"UserPoolId": None}, "UserPoolId", id="missing"),
    ],
)
def test_the_judge_can_say_no(change: dict[str, Any], words: str) -> None:
    """What is wrong in one of the ways above is reported, so that silence means something."""
    arguments = {**plan().upstream_app_client(), **change}
    if words in {"CallbackURLs", "UserPoolId"}:  # what boto3 refuses by itself
        shape = SERVICE.operation_model("CreateUserPoolClient").input_shape
        assert words in ParamValidator().validate(arguments, shape).generate_report()
    else:
        assert words in " ".join(breaches("CreateUserPoolClient", arguments))


@pytest.mark.parametrize(
    "name",
    [
        "Corp",
        "A-1",
        "c" * 32,
        "Unternehmen-Süd",
        "c_rp",
        "C",
        "C1",
        "c" * 33,
        "_Corp",
        "Corp_",
        "Corp_EU",
        "Corp EU",
        "C rp",
        " Corp",
        "Co\u2003rp",
    ],
)
def test_the_planner_takes_the_names_that_the_model_takes(name: str) -> None:
    """A provider's name is refused when the plan is made exactly where CreateIdentityProvider would refuse it."""
    shape = SERVICE.operation_model("CreateIdentityProvider").input_shape.members["ProviderName"]
    if list(refused(shape, name, "ProviderName")):
        with pytest.raises(ConfigurationError, match="provider_name"):
            plan(provider_name=name)
    else:
        assert plan(provider_name=name).identity_provider()["ProviderName"] == name


# --- moto -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cognito(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return boto3's client of moto's Cognito."""
    import boto3  # both take a second to import, which a run of other tests need not pay
    from moto import mock_aws

    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with mock_aws():
        yield boto3.client("cognito-idp", region_name=REGION)


def pool(cognito: Any, domain: str) -> UserPool:  # noqa: ANN401 - boto3 makes its clients at run time
    """Create a user pool with a domain."""
    created = cognito.create_user_pool(
        PoolName=domain,
        Schema=[{"Name": "org", "AttributeDataType": "String", "Mutable": True}],
    )["UserPool"]["Id"]
    cognito.create_user_pool_domain(Domain=domain, UserPoolId=created)
    return UserPool(created, domain=domain)


def test_moto_creates_the_federation(cognito: Any) -> None:  # noqa: ANN401 - the same
    """From two empty pools to a federation in three calls, each with the planner's arguments as they are."""
    corp, app = pool(cognito, "corp"), pool(cognito, "shop")
    first = plan(upstream=corp, downstream=app, upstream_client_id="", upstream_client_secret="")
    upstream = cognito.create_user_pool_client(**first.upstream_app_client(logout_urls=[GOODBYE]))["UserPoolClient"]
    second = plan(
        upstream=corp,
        downstream=app,
        upstream_client_id=upstream["ClientId"],
        upstream_client_secret=upstream["ClientSecret"],
        attribute_mapping={"email": "email", "custom:org": "custom:tenant"},
        idp_identifiers=("corp.example",),
    )
    cognito.create_identity_provider(**second.identity_provider())
    shop = cognito.create_user_pool_client(
        **second.downstream_app_client("shop", callback_urls=[CALLBACK], logout_urls=[GOODBYE])
    )["UserPoolClient"]

    # A second run, which knows nothing but the ids, finds what it would ask for.
    found = cognito.describe_user_pool_client(UserPoolId=corp.pool_id, ClientId=upstream["ClientId"])["UserPoolClient"]
    again = plan(
        upstream=corp,
        downstream=app,
        upstream_client_id=found["ClientId"],
        upstream_client_secret=found["ClientSecret"],
        attribute_mapping={"email": "email", "custom:org": "custom:tenant"},
        idp_identifiers=("corp.example",),
    )
    provider = cognito.describe_identity_provider(UserPoolId=app.pool_id, ProviderName="Corp")["IdentityProvider"]
    client = cognito.describe_user_pool_client(UserPoolId=app.pool_id, ClientId=shop["ClientId"])["UserPoolClient"]
    assert missing(again.upstream_app_client(logout_urls=[GOODBYE]), found) == {}
    assert missing(again.identity_provider(), provider) == {}
    planned = again.downstream_app_client("shop", callback_urls=[CALLBACK], logout_urls=[GOODBYE])
    assert missing(planned, client) == {}
    assert "ClientSecret" not in client


def missing(planned: Mapping[str, object], found: Mapping[str, object]) -> dict[str, object]:
    """Return what was planned and is not there, or is otherwise; `GenerateSecret` is an order, not a setting."""
    return {name: value for name, value in planned.items() if name != "GenerateSecret" and found.get(name) != value}
