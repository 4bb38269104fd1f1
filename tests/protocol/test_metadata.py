import copy
import pickle
from collections.abc import Mapping

import pytest
from hypothesis import given

from cognito_oidc.errors import CognitoOidcError, ConfigurationError, ProtocolError, RateLimitedError, TransportError
from cognito_oidc.protocol.metadata import ProviderMetadata, discovery_request, parse_provider_metadata
from cognito_oidc.protocol.provider import UserPool
from cognito_oidc.protocol.wire import Endpoint, HttpResponse
from tests.answers import HTML, answer, answers, json_values, outcome

POOL = UserPool("ap-southeast-2_EXAMPLE")
ISSUER = "https://cognito-idp.ap-southeast-2.amazonaws.com/ap-southeast-2_EXAMPLE"
UPDATED = "https://issuer-cognito-idp.ap-southeast-2.amazonaws.com/ap-southeast-2_EXAMPLE"
DOMAIN = "https://dev-x.auth.ap-southeast-2.amazoncognito.com"

# Wire sheet 1.1: a document of Cognito, as seen in localstack/localstack#12914 (July 2025).
DOCUMENT: dict[str, object] = {
    "authorization_endpoint": f"{DOMAIN}/oauth2/authorize",
    "end_session_endpoint": f"{DOMAIN}/logout",
    "id_token_signing_alg_values_supported": ["RS256"],
    "issuer": ISSUER,
    "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
    "response_types_supported": ["code", "token"],
    "revocation_endpoint": f"{DOMAIN}/oauth2/revoke",
    "scopes_supported": ["openid", "email", "phone", "profile"],
    "subject_types_supported": ["public"],
    "token_endpoint": f"{DOMAIN}/oauth2/token",
    "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    "userinfo_endpoint": f"{DOMAIN}/oauth2/userInfo",
}
# Wire sheet 1.1: the endpoints in the document of a pool without a domain (openiddict/openiddict-core#1586).
WITHOUT_DOMAIN: dict[str, object] = {
    **DOCUMENT,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "userinfo_endpoint": f"{ISSUER}/userInfo",
}


def test_discovery_is_a_repeatable_get() -> None:
    """The document is fetched from the issuer, and may be fetched again."""
    request = discovery_request(POOL.discovery_url)
    assert (request.method, request.url) == ("GET", f"{ISSUER}/.well-known/openid-configuration")
    assert (request.endpoint, request.repeatable, request.body) == (Endpoint.DISCOVERY, True, b"")


def test_a_discovered_document_equals_the_computed_metadata() -> None:
    """Computed or discovered, it is one type with the same values; the document stays at hand."""
    metadata = parse_provider_metadata(answer(DOCUMENT), pool=POOL)
    assert metadata == UserPool("ap-southeast-2_EXAMPLE", domain="dev-x").metadata
    assert metadata.raw == DOCUMENT


def test_unknown_members_are_kept() -> None:
    """Wire sheet 1.1: the document may gain members at any time."""
    document = {**DOCUMENT, "registration_endpoint": f"{DOMAIN}/oauth2/register", "new": {"a": [1]}}
    metadata = parse_provider_metadata(answer(document), pool=POOL)
    assert metadata.raw["registration_endpoint"] == f"{DOMAIN}/oauth2/register"
    assert metadata.raw["new"] == {"a": [1]}


def test_endpoints_that_do_not_work_become_none() -> None:
    """The document of a pool without a domain names endpoints under the issuer, which answer with errors only."""
    document = {name: value for name, value in WITHOUT_DOMAIN.items() if name[:3] not in {"end", "rev"}}
    metadata = parse_provider_metadata(answer(document), pool=POOL)
    assert metadata == POOL.metadata


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "revocation_endpoint"])
def test_a_null_or_absent_endpoint_is_none(name: str) -> None:
    """An endpoint that is not there is None, as for a pool without a domain."""
    absent = {key: value for key, value in DOCUMENT.items() if key != name}
    for document in (absent, {**DOCUMENT, name: None}):
        assert getattr(parse_provider_metadata(answer(document), pool=POOL), name) is None


@pytest.mark.parametrize(
    ("issuer", "jwks_uri"),
    [
        pytest.param(UPDATED, f"{UPDATED}/.well-known/jwks.json", id="updated"),
        pytest.param(UPDATED, f"{ISSUER}/.well-known/jwks.json", id="updated with the original's keys"),
    ],
)
def test_the_pools_other_issuer_is_accepted(issuer: str, jwks_uri: str) -> None:
    """Somebody may have clicked 'Updated issuer' since: both issuers are the pool's own."""
    document = {**DOCUMENT, "issuer": issuer, "jwks_uri": jwks_uri}
    metadata = parse_provider_metadata(answer(document), pool=POOL)
    assert (metadata.issuer, metadata.jwks_uri) == (issuer, jwks_uri)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"issuer": "https://evil.com"}, f"its issuer is 'https://evil.com', expected '{ISSUER}'", id="foreign"
        ),
        pytest.param({"issuer": ISSUER + "/"}, "its issuer is", id="trailing slash"),
        pytest.param({"issuer": ISSUER.replace("EXAMPLE", "OTHER1")}, "its issuer is", id="another pool"),
        pytest.param({"issuer": None}, "its issuer is nothing", id="no issuer"),
        pytest.param({"issuer": [ISSUER]}, "its issuer is a value of type list", id="issuer in an array"),
        pytest.param(
            {"jwks_uri": "https://evil.com/keys"}, "its jwks_uri is 'https://evil.com/keys'", id="foreign keys"
        ),
        pytest.param({"jwks_uri": None}, "its jwks_uri is nothing", id="no keys"),
        pytest.param({"jwks_uri": {}}, "its jwks_uri is a value of type dict", id="keys as an object"),
        pytest.param({"token_endpoint": 5}, "expected token_endpoint to be a string, got a value of", id="number"),
        pytest.param({"token_endpoint": ""}, "token_endpoint '' cannot be used", id="empty"),
        pytest.param(
            {"token_endpoint": "/oauth2/token"}, "token_endpoint '/oauth2/token' cannot be used", id="relative"
        ),
        pytest.param({"token_endpoint": "http://a.com/t"}, "http is only accepted", id="http"),
        pytest.param({"token_endpoint": "http://localhost/t"}, "is not https, though the issuer is", id="loopback"),
        pytest.param({"userinfo_endpoint": "https://a@b.com/u"}, "user information", id="a user in a URL"),
        pytest.param({"end_session_endpoint": "javascript:alert(1)"}, "cannot be used", id="a script"),
    ],
)
def test_a_document_of_somebody_else_is_refused(change: Mapping[str, object], message: str) -> None:
    """OpenID Connect Discovery 1.0 section 4.3: the issuer must be the pool's; every address must be usable."""
    with pytest.raises(ProtocolError, match=r"^Cannot use the discovery document: ") as caught:
        parse_provider_metadata(answer({**DOCUMENT, **change}), pool=POOL)
    assert message in str(caught.value)


def test_a_local_pool_is_discovered_over_http() -> None:
    """With `endpoint_url` on loopback, http endpoints beside an http issuer are right."""
    pool = UserPool("eu-west-1_A", endpoint_url="http://127.0.0.1:9229", domain="acme")
    document = {
        "issuer": pool.issuer,
        "jwks_uri": pool.jwks_uri,
        "authorization_endpoint": pool.authorization_endpoint,
        "token_endpoint": pool.token_endpoint,
        "userinfo_endpoint": pool.userinfo_endpoint,
        "revocation_endpoint": pool.revocation_endpoint,
        "end_session_endpoint": pool.end_session_endpoint,
    }
    assert parse_provider_metadata(answer(document), pool=pool) == pool.metadata


def test_insecure_http_is_accepted_where_the_pool_was_told_so() -> None:
    """The loud way out holds for discovery as well."""
    pool = UserPool("ap-southeast-2_EXAMPLE", allow_insecure_http=True)
    document = {**DOCUMENT, "token_endpoint": "http://cognito:9229/token"}
    assert parse_provider_metadata(answer(document), pool=pool).token_endpoint == "http://cognito:9229/token"


@pytest.mark.parametrize(
    ("response", "kind", "message"),
    [
        pytest.param(answer({}, status=404), ProtocolError, "expected status 200, got 404", id="404"),
        pytest.param(
            answer({"code": "ResourceNotFoundException"}, status=400), ProtocolError, "got 400", id="no such pool"
        ),
        pytest.param(answer(b"", status=302), ProtocolError, "got 302", id="a redirect"),
        pytest.param(answer(b"", status=304), ProtocolError, "got 304", id="not modified"),
        pytest.param(answer(b"", status=429, retry_after="7"), RateLimitedError, "too_many_requests", id="429"),
        pytest.param(answer(b"", status=503, content_type=HTML), TransportError, "answered 503", id="503"),
        pytest.param(answer(b"", status=403, content_type=HTML), TransportError, "answered 403", id="a firewall"),
        pytest.param(answer(b"<html>", content_type=HTML), ProtocolError, "got text/html", id="HTML"),
        pytest.param(answer(DOCUMENT, content_type=None), ProtocolError, "got none", id="no content type"),
        pytest.param(answer(b'{"issuer":'), ProtocolError, "is not valid JSON", id="truncated"),
        pytest.param(answer([DOCUMENT]), ProtocolError, "is no JSON object", id="an array"),
        pytest.param(answer(b'{"issuer":"a","issuer":"b"}'), ProtocolError, "a member twice", id="a member twice"),
    ],
)
def test_an_answer_that_is_no_document_is_refused(
    response: HttpResponse, kind: type[CognitoOidcError], message: str
) -> None:
    """Each broken answer has its class: the server's fault, the wire's, or too many requests."""
    with pytest.raises(kind, match=message):
        parse_provider_metadata(response, pool=POOL)


def test_a_pool_that_is_not_there_is_explained() -> None:
    """A wrong pool id is the likeliest cause of a 400 or 404."""
    with pytest.raises(ProtocolError) as caught:
        parse_provider_metadata(answer({}, status=400), pool=POOL)
    assert caught.value.explain() == (
        "There is no user pool ap-southeast-2_EXAMPLE in ap-southeast-2, or it was deleted.",
    )


def test_a_known_endpoint_is_there_when_it_is_needed() -> None:
    """`require` returns the endpoint's URL."""
    metadata = parse_provider_metadata(answer(DOCUMENT), pool=POOL)
    assert metadata.require("token_endpoint") == f"{DOMAIN}/oauth2/token"


def test_a_missing_endpoint_says_what_to_pass() -> None:
    """`require` names the endpoint and both ways to make it known."""
    with pytest.raises(ConfigurationError, match=r"^token_endpoint is not known: .*domain=\.\.\.\), or metadata="):
        POOL.metadata.require("token_endpoint")


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])  # noqa: S301 - our own bytes
def test_metadata_can_be_pickled_and_copied(copier: object) -> None:
    """Metadata is kept by applications that discover once."""
    metadata = parse_provider_metadata(answer(DOCUMENT), pool=POOL)
    twin = copier(metadata)  # type: ignore[operator]
    assert (twin, twin.raw, hash(twin)) == (metadata, metadata.raw, hash(metadata))


def test_the_repr_leaves_the_document_out() -> None:
    """A repr shows the addresses, not whatever else a server sent."""
    assert "subject_types_supported" not in repr(parse_provider_metadata(answer(DOCUMENT), pool=POOL))


@given(answers())
def test_any_answer_gives_metadata_or_our_error(response: HttpResponse) -> None:
    """Nothing but an error of ours leaves the parser."""
    result = outcome(lambda: parse_provider_metadata(response, pool=POOL))
    assert isinstance(result, ProviderMetadata | CognitoOidcError)
    assert str(result).isprintable()


@given(json_values())
def test_any_endpoint_value_gives_metadata_or_a_protocol_error(value: object) -> None:
    """A member of any JSON type is taken or refused."""
    result = outcome(lambda: parse_provider_metadata(answer({**DOCUMENT, "token_endpoint": value}), pool=POOL))
    assert isinstance(result, ProviderMetadata | ProtocolError)
