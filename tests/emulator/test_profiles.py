import re
from typing import Any

import pytest

from cognito_oidc.emulator import Behaviour, CognitoEmulator, EmulatedAppClient, EmulatedPool
from cognito_oidc.emulator.profiles import sign_in_profile
from cognito_oidc.emulator.upstream import UpstreamError
from cognito_oidc.errors import ConfigurationError
from tests.emulator.support import APP_DOMAIN, CALLBACK, authorize_url, claims_of, federated_sign_in, query_of

MAPPING = {"email": "mail", "name": "name", "custom:roles": "roles"}


def pool_with_provider(
    mapping: dict[str, str] | None = None,
    /,
    **settings: Any,  # noqa: ANN401 - any setting
) -> tuple[EmulatedPool, EmulatedAppClient]:
    """Return a pool whose provider `Idp` has this mapping, and an app client."""
    pool = CognitoEmulator().add_pool("eu-west-1_App000001", domain="app", **settings)
    pool.add_oidc_provider(
        "Idp",
        issuer="https://idp.example",
        client_id="x",
        client_secret="y",
        attribute_mapping=MAPPING if mapping is None else mapping,
    )
    return pool, pool.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["Idp"])


def sign_in(pool: EmulatedPool, client: EmulatedAppClient, **claims: object) -> dict[str, str]:
    """Sign the person `s1` in with these claims and return their attributes."""
    user = sign_in_profile(pool, pool.providers["Idp"], {"sub": "s1", **claims}, client=client)
    return user.attributes


def test_the_first_sign_in_makes_a_person() -> None:
    """Username, status, group and identity are those of an external provider; there is no password."""
    pool, client = pool_with_provider()
    user = sign_in_profile(pool, pool.providers["Idp"], {"sub": "s1", "mail": "a@b.example"}, client=client)
    assert (user.username, user.status, user.password) == ("Idp_s1", "EXTERNAL_PROVIDER", None)
    assert user.groups == ["eu-west-1_App000001_Idp"]
    assert pool.users == {"Idp_s1": user}
    (identity,) = user.identities
    assert (identity.provider_name, identity.user_id, identity.primary) == ("Idp", "s1", True)


@pytest.mark.anyio
async def test_identities_are_strings_as_on_the_wire(aws: CognitoEmulator, shop: EmulatedAppClient) -> None:
    """Flags and times of `identities` are strings, and the issuer is null, as the guide shows."""
    claims = claims_of((await federated_sign_in(aws, shop))["id_token"])
    assert isinstance(claims["identities"], list)
    (identity,) = claims["identities"]
    assert re.fullmatch(r"[0-9]{13}", identity.pop("dateCreated"))
    assert identity == {
        "userId": str(claims["cognito:username"]).removeprefix("Corp_"),
        "providerName": "Corp",
        "providerType": "OIDC",
        "issuer": None,
        "primary": "true",
    }


def test_the_switch_names_the_issuer() -> None:
    """With the switch `identities` holds the provider's issuer."""
    aws = CognitoEmulator(behaviour=Behaviour(identities_issuer=True))
    _, app = aws.federated_pair()
    app.link_user(app.add_user("ann", password="x"), provider_name="Corp", subject="s1")
    assert app.users["ann"].identities_claim()[0]["issuer"] == app.providers["Corp"].issuer


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param("text", "text", id="text"),
        pytest.param(True, "true", id="true"),
        pytest.param(False, "false", id="false"),
        pytest.param(7, "7", id="number"),
        pytest.param(["a b", "c"], "a+b%2Cc", id="several values"),
        pytest.param(["a", None], "a%2C", id="null among several"),
    ],
)
def test_values_become_text(value: object, kept: str) -> None:
    """Cognito keeps text: flags in small letters, lists form-encoded in one string."""
    pool, client = pool_with_provider()
    assert sign_in(pool, client, roles=value)["custom:roles"] == kept


@pytest.mark.parametrize(
    ("mapping", "claims", "verified"),
    [
        pytest.param({"email": "mail"}, {"mail": "a@b.example", "email_verified": True}, "false", id="not mapped"),
        pytest.param(
            {"email": "mail", "email_verified": "verified"},
            {"mail": "a@b.example", "verified": True},
            "true",
            id="a boolean",
        ),
        pytest.param(
            {"email": "mail", "email_verified": "verified"},
            {"mail": "a@b.example", "verified": "True"},
            "true",
            id="a string, as Cognito's userInfo has it",
        ),
        pytest.param({"email": "mail", "email_verified": "verified"}, {"mail": "a@b.example"}, None, id="not sent"),
    ],
)
def test_an_address_is_verified_only_if_that_is_mapped(
    mapping: dict[str, str], claims: dict[str, object], verified: str | None
) -> None:
    """A mapped e-mail address is unverified unless `email_verified` is mapped and sent."""
    pool, client = pool_with_provider(mapping)
    assert sign_in(pool, client, **claims).get("email_verified") == verified


def test_attributes_are_renewed_at_each_sign_in_and_kept_when_they_vanish() -> None:
    """What the provider sends replaces the old value; what it no longer sends stays."""
    pool, client = pool_with_provider()
    sign_in(pool, client, mail="old@b.example", name="Ann")
    attributes = sign_in(pool, client, mail="new@b.example", name=None, roles="")
    assert (attributes["email"], attributes["name"]) == ("new@b.example", "Ann")
    assert "custom:roles" not in attributes
    assert len(pool.users) == 1


@pytest.mark.parametrize(
    ("settings", "claims", "words"),
    [
        pytest.param({}, {"sub": None}, "username attribute mapping required", id="no sub"),
        pytest.param({}, {"sub": ""}, "username attribute mapping required", id="empty sub"),
        pytest.param(
            {"required_attributes": ["email", "phone_number"]},
            {"mail": "a@b.example"},
            "attributes required: [phone_number]",
            id="required and not mapped",
        ),
        pytest.param(
            {"required_attributes": ["email"]}, {}, "attributes required: [email]", id="required and not sent"
        ),
        pytest.param(
            {},
            {"name": "x" * 2_049},
            "Invalid user attributes: name: String must be no longer than 2048 characters.",
            id="too long",
        ),
    ],
)
def test_claims_that_will_not_do_are_refused(
    settings: dict[str, list[str]], claims: dict[str, object], words: str
) -> None:
    """Cognito's words reach the application, and nobody is made."""
    pool, client = pool_with_provider(**settings)
    with pytest.raises(UpstreamError) as caught:
        sign_in(pool, client, **claims)
    assert caught.value.description == words
    assert not pool.users


def test_a_required_attribute_must_come_every_time() -> None:
    """The second sign-in without it fails although the pool has a value."""
    pool, client = pool_with_provider(required_attributes=["email"])
    sign_in(pool, client, mail="a@b.example")
    with pytest.raises(UpstreamError, match=r"attributes required: \[email\]"):
        sign_in(pool, client)


def test_the_username_may_be_mapped_from_another_claim() -> None:
    """`username` names the claim that identifies the person."""
    pool, client = pool_with_provider({"username": "employee"})
    user = sign_in_profile(pool, pool.providers["Idp"], {"sub": "s1", "employee": 7}, client=client)
    assert user.username == "Idp_7"
    assert "username" not in user.attributes


def test_an_immutable_attribute_works_the_first_time_only() -> None:
    """The classic: the second sign-in fails, even with the same value."""
    pool, client = pool_with_provider(immutable_attributes=["email"])
    sign_in(pool, client, mail="a@b.example")
    with pytest.raises(UpstreamError, match="Invalid user attributes: email: Attribute cannot be updated"):
        sign_in(pool, client, mail="a@b.example")


def test_an_attribute_that_the_client_may_not_write_works_the_first_time_only() -> None:
    """The app client must be allowed to write what is mapped."""
    pool, _ = pool_with_provider()
    client = pool.add_client("narrow", redirect_uris=[CALLBACK], identity_providers=["Idp"], write_attributes=["name"])
    sign_in(pool, client, mail="a@b.example", name="Ann")
    assert sign_in(pool, client, name="Anne")["name"] == "Anne"
    with pytest.raises(UpstreamError, match="email: Attribute cannot be updated"):
        sign_in(pool, client, mail="a@b.example")


@pytest.mark.anyio
async def test_a_disabled_person_cannot_come_from_a_provider(
    aws: CognitoEmulator, app: EmulatedPool, shop: EmulatedAppClient
) -> None:
    """The application is told."""
    await federated_sign_in(aws, shop)
    next(iter(app.users.values())).enabled = False
    url = authorize_url(shop, root=APP_DOMAIN, identity_provider="Corp")
    told = query_of(await aws.person("ann", "correct horse").follow(url))
    assert told == {"error_description": "User is not enabled.", "state": "s1", "error": "invalid_request"}


@pytest.mark.anyio
async def test_a_linked_person_signs_in_as_their_local_self(
    aws: CognitoEmulator, corp: EmulatedPool, app: EmulatedPool, shop: EmulatedAppClient
) -> None:
    """`cognito:username` and `sub` are the local ones, and `identities` names the link."""
    local = app.add_user("anna", password="x", email="anna@home.example", email_verified=True, groups=["staff"])
    app.link_user("anna", provider_name="Corp", subject=corp.users["ann"].sub)
    claims = claims_of((await federated_sign_in(aws, shop))["id_token"])
    assert (claims["sub"], claims["cognito:username"]) == (local.sub, "anna")
    assert claims["cognito:groups"] == ["staff"]
    assert (claims["email"], claims["email_verified"]) == ("ann@acme.com", False)
    assert claims["identities"][0]["primary"] == "false"  # type: ignore[index]
    assert list(app.users) == ["anna"]


@pytest.mark.parametrize(
    ("user", "provider", "subject", "words"),
    [
        pytest.param("eve", "Corp", "s1", "no user 'eve'", id="no such person"),
        pytest.param("ann", "corp", "s1", "no identity provider 'corp'", id="no such provider"),
        pytest.param("ann", "Corp", "taken", "belongs to a user already", id="signed in before"),
    ],
)
def test_links_that_cognito_refuses(app: EmulatedPool, user: str, provider: str, subject: str, words: str) -> None:
    """Link before the first sign-in, to somebody who is there."""
    app.add_user("ann", password="x")
    sign_in_profile(app, app.providers["Corp"], {"sub": "taken"}, client=app.add_client("c", redirect_uris=[CALLBACK]))
    with pytest.raises(ConfigurationError, match=words):
        app.link_user(user, provider_name=provider, subject=subject)


@pytest.mark.anyio
async def test_a_federated_person_has_no_password(
    aws: CognitoEmulator, app: EmulatedPool, shop: EmulatedAppClient
) -> None:
    """Their username does not sign in at the form."""
    await federated_sign_in(aws, shop)
    username = next(iter(app.users))
    with pytest.raises(Exception, match="Incorrect username or password"):
        await aws.person(username, "").follow(authorize_url(shop, root=APP_DOMAIN, identity_provider="COGNITO"))
