from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.errors import CognitoOidcError, ConfigurationError, InvalidGrantError, OAuthError, ProtocolError
from cognito_oidc.protocol.client_authentication import client_authentication
from cognito_oidc.protocol.token_exchange import (
    ExchangedToken,
    parse_token_exchange_response,
    token_exchange_request,
)
from cognito_oidc.protocol.wire import Endpoint, HttpRequest, HttpResponse
from tests.answers import HTML, answer, answers, anything, outcome

TOKEN_ENDPOINT = "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token"
# RFC 8693 section 2.2.1, the members of its example in section 2.3; the token shortened.
TOKEN = "eyJhbGciOiJFUzI1NiIsImtpZCI6IjcyIn0.eyJhdWQiOiJ1cm4ifQ.c2ln"
GOOD: dict[str, object] = {
    "access_token": TOKEN,
    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    "token_type": "Bearer",
    "expires_in": 60,
}


ARGUMENTS = (
    "subject_token",
    "subject_token_type",
    "actor_token",
    "requested_token_type",
    "audience",
    "scopes",
    "extra_parameters",
)


def build(subject_token: object = "s.u.b", **changes: object) -> HttpRequest:
    """Return a request of the public client `app`."""
    arguments = {
        "subject_token_type": "access_token",
        "token_endpoint": TOKEN_ENDPOINT,
        "authentication": client_authentication("app", None, None),
        **changes,
    }
    return token_exchange_request(subject_token, **arguments)  # type: ignore[arg-type]  # a test says what it changes


def parse(response: HttpResponse, **changes: object) -> ExchangedToken:
    """Read an answer that came at 1000."""
    arguments = {"received_at": 1000, "requested_token_type": None, **changes}
    return parse_token_exchange_response(response, **arguments)  # type: ignore[arg-type]  # as above


def test_the_form_is_the_rfcs() -> None:
    """RFC 8693 section 2.1: the names and identifiers of every parameter that Cognito's API has too."""
    request = build(
        "s.u.b",
        subject_token_type="id_token",
        authentication=client_authentication("app", "pa+ss", None),
        actor_token="a.c.t",
        actor_token_type="access_token",
        requested_token_type="id_token",
        audience="billing",
        scopes=("orders/read", "orders/write"),
        extra_parameters={"subject_token_provider_name": "Corp"},
    )
    assert parse_qsl(request.body.decode()) == [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("client_id", "app"),
        ("client_secret", "pa+ss"),
        ("subject_token", "s.u.b"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ("actor_token", "a.c.t"),
        ("actor_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ("audience", "billing"),
        ("scope", "orders/read orders/write"),
        ("subject_token_provider_name", "Corp"),
    ]
    assert (request.method, request.url, request.endpoint) == ("POST", TOKEN_ENDPOINT, Endpoint.TOKEN)


def test_the_least_request() -> None:
    """What was not asked for is not sent, and the request is sent once."""
    request = build("PHNhbWw+/w==", subject_token_type="saml2", resource="orders")
    assert parse_qsl(request.body.decode()) == [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("client_id", "app"),
        ("subject_token", "PHNhbWw+/w=="),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:saml2"),
        ("resource", "orders"),
    ]
    assert not request.repeatable


def test_basic_authentication_goes_into_the_header() -> None:
    """A client that uses Basic sends no secret in the form. `YXBwOnM=` is base64 of `app:s`."""
    request = build(authentication=client_authentication("app", "s", "client_secret_basic"))
    assert ("Authorization", "Basic YXBwOnM=") in request.headers
    assert b"client_secret" not in request.body


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"subject_token": ""}, "subject_token is empty", id="empty-token"),
        pytest.param({"subject_token": "a b"}, "subject_token is empty or no token", id="token-with-a-space"),
        pytest.param({"subject_token": b"s.u.b"}, "subject_token is empty or no token", id="token-in-bytes"),
        pytest.param({"subject_token": "a" * (128 * 1024 + 1)}, "at most 131072", id="token-too-long"),
        pytest.param({"subject_token_type": "refresh_token"}, "'saml2'", id="unknown-type"),
        pytest.param({"subject_token_type": ["id_token"]}, "subject_token_type", id="type-in-a-list"),
        pytest.param({"actor_token": "a.c.t"}, "go together", id="actor-without-type"),
        pytest.param({"actor_token_type": "id_token"}, "go together", id="actor-type-without-token"),
        pytest.param(
            {"actor_token": "", "actor_token_type": "id_token"}, "actor_token is empty", id="empty-actor-token"
        ),
        pytest.param({"requested_token_type": "saml2"}, "requested_token_type 'saml2'", id="no-saml-is-issued"),
        pytest.param({"audience": "a", "resource": "r"}, "not both", id="audience-and-resource"),
        pytest.param({"audience": ""}, "audience ''", id="empty-audience"),
        pytest.param({"resource": "a b"}, "resource 'a b'", id="resource-with-a-space"),
        pytest.param({"resource": "r" * 257}, "1 to 256", id="resource-too-long"),
        pytest.param({"audience": 7}, "audience", id="audience-is-a-number"),
        pytest.param({"scopes": "email"}, "openid", id="scope-without-openid"),
        pytest.param({"extra_parameters": {"scope": "x"}, "scopes": "a/b"}, "scope cannot be set", id="double-scope"),
        pytest.param({"extra_parameters": {"client_secret": "x"}}, "client_secret cannot", id="secret-as-extra"),
        pytest.param({"extra_parameters": {"actor_token": "x"}}, "actor_token cannot", id="actor-as-extra"),
        pytest.param({"extra_parameters": {"x": 1}}, "printable texts", id="extra-is-a-number"),
        pytest.param({"extra_parameters": {"x": "\ud800"}}, "printable texts", id="extra-is-no-text"),
        pytest.param({"extra_parameters": ["x"]}, "printable texts", id="extra-is-a-list"),
    ],
)
def test_wrong_arguments_are_refused(changes: dict[str, object], message: str) -> None:
    """What the API's model or the RFC does not allow is refused before anything is sent, and no token is shown."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        build(**changes)
    assert "a.c.t" not in str(caught.value)


def test_a_good_answer_is_read() -> None:
    """RFC 8693 section 2.2.1: the token is in `access_token`, whatever kind it is; `scope` is optional."""
    assert parse(answer({**GOOD, "scope": "orders/read orders/write", "new": {}})) == ExchangedToken(
        token=TOKEN,
        issued_token_type="access_token",
        token_type="Bearer",
        expires_at=1060,
        scopes=("orders/read", "orders/write"),
    )


@pytest.mark.parametrize(
    ("changes", "attribute", "value"),
    [
        pytest.param({"token_type": "N_A"}, "token_type", "N_A", id="no-token-to-call-with"),
        pytest.param({"token_type": "bearer"}, "token_type", "Bearer", id="bearer-in-lower-case"),
        pytest.param({"expires_in": None}, "expires_at", None, id="no-expiry"),
        pytest.param({"scope": None}, "scopes", None, id="scope-null"),
        pytest.param({"scope": ""}, "scopes", (), id="scope-empty"),
        pytest.param({"issued_token_type": None}, "issued_token_type", None, id="no-type"),
        pytest.param(
            {"issued_token_type": "urn:ietf:params:oauth:token-type:jwt"}, "issued_token_type", "jwt", id="jwt"
        ),
        pytest.param({"issued_token_type": "urn:x\n:y"}, "issued_token_type", "urn:x :y", id="foreign-type-cleaned"),
    ],
)
def test_good_answers_that_look_odd(changes: dict[str, object], attribute: str, value: object) -> None:
    """The wire form is unconfirmed: what the RFC leaves open is taken either way."""
    assert getattr(parse(answer({**GOOD, **changes}), requested_token_type="access_token"), attribute) == value


@pytest.mark.parametrize(
    ("response", "message"),
    [
        pytest.param(answer({**GOOD, "access_token": ""}), "no usable access_token", id="empty-token"),
        pytest.param(answer({"token_type": "Bearer"}), "no usable access_token", id="no-token"),
        pytest.param(answer({**GOOD, "access_token": "a b"}), "no usable access_token", id="token-with-a-space"),
        pytest.param(answer({**GOOD, "token_type": "DPoP"}), "'Bearer' or 'N_A', got 'DPoP'", id="foreign-token-type"),
        pytest.param(answer({**GOOD, "expires_in": True}), "no usable expires_in", id="expiry-is-a-boolean"),
        pytest.param(answer({**GOOD, "expires_in": "60"}), "no usable expires_in", id="expiry-is-a-text"),
        pytest.param(answer({**GOOD, "expires_in": 0}), "no usable expires_in", id="expiry-is-now"),
        pytest.param(
            answer({**GOOD, "issued_token_type": "urn:ietf:params:oauth:token-type:id_token"}),
            "expected the issued_token_type 'access_token', got 'id_token'",
            id="the-other-kind",
        ),
        pytest.param(answer({**GOOD, "error": "invalid_request"}), "an error and tokens", id="error-beside-token"),
        pytest.param(answer(b"<html>", content_type=HTML), "content type", id="html"),
    ],
)
def test_broken_answers_are_refused(response: HttpResponse, message: str) -> None:
    """An answer that breaks the protocol gives no token."""
    with pytest.raises(ProtocolError, match=message) as caught:
        parse(response, requested_token_type="access_token")
    assert "ValidationError" not in type(caught.value.__context__).__name__


@pytest.mark.parametrize(
    ("error", "status", "kind", "cause"),
    [
        pytest.param("invalid_grant", 400, InvalidGrantError, "expired", id="invalid-grant"),
        pytest.param("unauthorized_client", 400, OAuthError, "ALLOW_TOKEN_EXCHANGE", id="not-switched-on"),
        pytest.param("invalid_target", 400, OAuthError, "resource servers", id="invalid-target"),
        pytest.param("unsupported_grant_type", 400, OAuthError, "GetDerivedToken", id="not-there"),
        pytest.param("invalid_request", 200, OAuthError, "RFC 8693", id="error-with-status-200"),
    ],
)
def test_refusals_explain_themselves(error: str, status: int, kind: type[OAuthError], cause: str) -> None:
    """RFC 8693 section 2.2.2: an OAuth error, whatever the status; the first cause is the likely one."""
    body = {"error": error, "error_description": "the token s.u.b is bad"}
    with pytest.raises(kind) as caught:
        parse(answer(body, status=status), secrets=("s.u.b",))
    assert caught.value.error == error
    assert cause in " ".join(caught.value.explain())
    assert "s.u.b" not in str(caught.value)


def test_the_repr_shows_no_token() -> None:
    """A log of the result holds no credential."""
    token = parse(answer(GOOD))
    assert TOKEN not in f"{token!r} {token}"


@given(response=answers())
def test_any_answer_gives_a_token_or_our_error(response: HttpResponse) -> None:
    """No answer makes the parser raise anything else."""
    assert isinstance(outcome(lambda: parse(response)), ExchangedToken | CognitoOidcError)


@given(st.sampled_from(ARGUMENTS), anything())
def test_any_argument_gives_a_request_or_our_error(name: str, value: object) -> None:
    """No value makes the builder raise anything else."""
    assert isinstance(outcome(lambda: build(**{name: value})), HttpRequest | ConfigurationError)
