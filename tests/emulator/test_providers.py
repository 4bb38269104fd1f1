from typing import Any

import pytest

from cognito_oidc.emulator import CognitoEmulator, EmulatedPool
from cognito_oidc.errors import ConfigurationError

GOOD: dict[str, Any] = {"issuer": "https://idp.example", "client_id": "x", "client_secret": "y"}
URLS = {
    "authorize_url": "https://idp.example/authorize",
    "token_url": "https://idp.example/token",
    "attributes_url": "https://idp.example/me",
    "jwks_uri": "https://idp.example/keys",
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"name": ""}, "provider name", id="no name"),
        pytest.param({"name": "x" * 33}, "provider name", id="long name"),
        pytest.param({"name": "_x"}, "provider name", id="underscore in front"),
        pytest.param({"name": "x "}, "provider name", id="space behind"),
        pytest.param({"name": "COGNITO"}, "provider name", id="the pool itself"),
        pytest.param({"name": "Google"}, "provider name", id="a name of Cognito's"),
        pytest.param({"scopes": ["email"]}, "must have 'openid'", id="no openid"),
        pytest.param({"scopes": "openid"}, "must be a list of strings", id="a string for a list"),
        pytest.param({"attributes_request_method": "PUT"}, "must be 'GET' or 'POST'", id="method"),
        pytest.param({"idp_identifiers": ["x" * 41]}, "idp_identifiers", id="long identifier"),
        pytest.param({"idp_identifiers": [str(n) for n in range(51)]}, "idp_identifiers", id="too many identifiers"),
        pytest.param({"client_secret": ""}, "needs client_id and client_secret", id="no secret"),
        pytest.param({"client_id": ""}, "needs client_id and client_secret", id="no client id"),
        pytest.param({"issuer": "https://idp.example/"}, "without a slash", id="issuer with a slash"),
        pytest.param({"issuer": "idp.example"}, "absolute https URL", id="issuer without scheme"),
        pytest.param({"issuer": "http://idp.example"}, "must be https", id="issuer over http"),
        pytest.param({"issuer": "https://idp.example:8443"}, "port 80 or 443", id="issuer on another port"),
        pytest.param({"issuer": "https://[::1"}, "is no URL", id="issuer is no URL"),
        pytest.param({"token_url": "https://idp.example/token"}, "give all of", id="one URL by hand"),
        pytest.param({**URLS, "token_url": "ftp://idp.example"}, "token_url", id="a URL that is none of the web"),
        pytest.param(
            {"attribute_mapping": {"custom:x": "x", "department": "d"}},
            r"AttributeMapping contains invalid mapping: \[department\]",
            id="mapping to no attribute",
        ),
        pytest.param({"attribute_mapping": {f"custom:{'x' * 30}": "x"}}, "invalid mapping", id="long attribute"),
    ],
)
def test_providers_that_cognito_refuses(pool: EmulatedPool, changes: dict[str, Any], words: str) -> None:
    """What CreateIdentityProvider refuses is refused when it is registered."""
    arguments = {**GOOD, **changes}
    with pytest.raises(ConfigurationError, match=words):
        pool.add_oidc_provider(arguments.pop("name", "Corp"), **arguments)
    assert not pool.providers


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="discovery"),
        pytest.param(URLS, id="by hand"),
        pytest.param({"issuer": "http://localhost:8080/realms/x"}, id="under test on loopback"),
        pytest.param({"issuer": "https://idp.example:443/x"}, id="port written"),
        pytest.param({"attribute_mapping": {"username": "upn", "custom:x": "x"}}, id="username mapped"),
    ],
)
def test_providers_that_cognito_takes(pool: EmulatedPool, changes: dict[str, Any]) -> None:
    """A good registration is kept under its name, and shows no secret."""
    provider = pool.add_oidc_provider("Corp", **{**GOOD, "client_secret": "s3cret", **changes})
    assert pool.providers == {"Corp": provider}
    assert "s3cret" not in repr(provider)


def test_names_and_identifiers_are_unique(pool: EmulatedPool) -> None:
    """One name, and one identifier, lead to one provider."""
    pool.add_oidc_provider("Corp", **GOOD, idp_identifiers=["acme.com"])
    for name, identifiers in (("Corp", []), ("Other", ["acme.com"])):
        with pytest.raises(ConfigurationError, match="already"):
            pool.add_oidc_provider(name, **GOOD, idp_identifiers=identifiers)


def test_a_client_can_only_have_providers_of_its_pool(pool: EmulatedPool) -> None:
    """The misspelt provider is named."""
    with pytest.raises(ConfigurationError, match="no identity provider 'Korp'"):
        pool.add_client("web", redirect_uris=["https://app.example/cb"], identity_providers=["Korp"])


def test_federation_needs_a_domain(aws: CognitoEmulator) -> None:
    """Without a domain there is no callback URL to register upstream."""
    with pytest.raises(ConfigurationError, match="has no domain"):
        assert aws.add_pool().idp_response_url


def test_the_callback_url_of_a_custom_domain(aws: CognitoEmulator) -> None:
    """Providers get the custom domain where there is one."""
    pool = aws.add_pool(domain="orders", custom_domain="login.acme.com")
    assert pool.idp_response_url == "https://login.acme.com/oauth2/idpresponse"


@pytest.mark.parametrize(
    ("name", "prefixes"),
    [
        pytest.param("Corp", ["corp", "app", "corp-2", "app-2"], id="plain"),
        pytest.param("Acme SSO", ["acme-sso", "app", "acme-sso-2", "app-2"], id="space"),
        pytest.param("MyCognito", ["upstream", "app", "upstream-2", "app-2"], id="forbidden in a domain"),
        pytest.param("日本", ["upstream", "app", "upstream-2", "app-2"], id="no letters of ASCII"),
    ],
)
def test_pairs_have_domains_of_their_own(aws: CognitoEmulator, name: str, prefixes: list[str]) -> None:
    """Two pairs in one emulator do not meet."""
    pools = [*aws.federated_pair(provider_name=name), *aws.federated_pair(provider_name=name)]
    assert [pool.domain_prefix for pool in pools] == prefixes
    assert [list(pool.providers) for pool in pools] == [[], [name], [], [name]]


def test_attributes_of_a_pool_must_exist(aws: CognitoEmulator) -> None:
    """A required attribute is one that Cognito has."""
    with pytest.raises(ConfigurationError, match="'departement' is neither standard"):
        aws.add_pool(required_attributes=["departement"])
