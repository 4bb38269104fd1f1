import copy
import json
import pickle
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey

from cognito_oidc.errors import CallbackError, ConfigurationError
from cognito_oidc.protocol.authorization import (
    LANGUAGES,
    AuthorizationRequest,
    authorization_request,
    check_identity_providers,
    check_redirect_uri,
    check_resource,
    check_scopes,
)
from tests.answers import anything, json_values, outcome

ENDPOINT = "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/authorize"
ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123xyz"
CLIENT_ID = "1example23456789abcdefghij"
KEY, OLD_KEY, FOREIGN_KEY = b"k" * 32, b"o" * 32, b"f" * 32


def numbered_bytes() -> object:
    """Return a source that gives other bytes at every call, so that what must differ differs."""
    numbers = count(1)
    return lambda size: bytes([next(numbers)]) * size


def build(**changes: object) -> AuthorizationRequest:
    """Return an authorization request, with some arguments changed."""
    arguments: dict[str, object] = {
        "authorization_endpoint": ENDPOINT,
        "issuer": ISSUER,
        "client_id": CLIENT_ID,
        "redirect_uri": "https://app.example.com/callback?a=b",
        "scopes": ("openid", "email"),
        "now": 1_800_000_000.25,
        "random_bytes": numbered_bytes(),
        **changes,
    }
    return authorization_request(**arguments)  # type: ignore[arg-type]


def query_of(request: AuthorizationRequest) -> dict[str, str]:
    """Return the parameters the browser is sent with, read by the standard library."""
    return dict(parse_qsl(request.url.partition("?")[2], keep_blank_values=True, strict_parsing=True))


def b64url(data: bytes) -> str:
    """Return base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


# --- the request ---


def test_a_request_carries_pkce_state_and_nonce() -> None:
    """RFC 6749 section 4.1.1, RFC 7636 section 4.3, OpenID Connect Core section 3.1.2.1: always, whatever is asked."""
    request = build()
    assert request.url.startswith(f"{ENDPOINT}?")
    assert query_of(request) == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": "https://app.example.com/callback?a=b",
        "scope": "openid email",
        "state": request.state,
        "nonce": request.nonce,
        "code_challenge": b64url(sha256(request.code_verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }


def test_what_is_random_is_new_each_time() -> None:
    """Verifier, state and nonce have 32 octets each, and no two of them are the same."""
    one, other = build(random_bytes=(source := numbered_bytes())), build(random_bytes=source)
    values = [one.code_verifier, one.state, one.nonce, other.code_verifier, other.state, other.nonce]
    assert len(set(values)) == 6
    assert all(len(urlsafe_b64decode(value + "=")) == 32 for value in values)


def test_state_survives_cognito() -> None:
    """Wire sheet 2.1: Cognito mangles a state with '&', '=' or '{': ours is base64url alone."""
    request = build(app_state={"return_to": "/orders?a=b&c=d"})
    assert request.state == b64url(urlsafe_b64decode(request.state + "="))
    assert "orders" not in request.url


def test_a_request_remembers_what_the_callback_is_judged_by() -> None:
    """The values of the call come back in the request."""
    request = build(max_age=300, app_state={"a": [1, None, {"b": True}]})
    assert (request.issuer, request.client_id, request.created_at) == (ISSUER, CLIENT_ID, 1_800_000_000.25)
    assert (request.redirect_uri, request.scopes) == ("https://app.example.com/callback?a=b", ("openid", "email"))
    assert (request.max_age, request.app_state) == (300, {"a": [1, None, {"b": True}]})


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        pytest.param({"identity_provider": "COGNITO"}, "identity_provider", "COGNITO", id="local users"),
        pytest.param({"identity_provider": "SignInWithApple"}, "identity_provider", "SignInWithApple", id="social"),
        pytest.param({"identity_provider": "Corp SAML & Co"}, "identity_provider", "Corp SAML & Co", id="odd name"),
        pytest.param({"identity_provider": "C"}, "identity_provider", "C", id="name of one character"),
        pytest.param({"identity_provider": "x" * 32}, "identity_provider", "x" * 32, id="longest name"),
        pytest.param(
            {"identity_provider": "Corp", "identity_providers": ["Google", "Corp"]},
            "identity_provider",
            "Corp",
            id="known",
        ),
        pytest.param(
            {"identity_provider": "Corp", "identity_providers": "Corp"},
            "identity_provider",
            "Corp",
            id="known, one text",
        ),
        pytest.param({"idp_identifier": "acme.com"}, "idp_identifier", "acme.com", id="identifier"),
        pytest.param({"idp_identifier": "a b_+=@-"}, "idp_identifier", "a b_+=@-", id="identifier of odd characters"),
        pytest.param({"login_hint": "ann+x@acme.com"}, "login_hint", "ann+x@acme.com", id="login hint"),
        pytest.param({"login_hint": "Änne Ünal"}, "login_hint", "Änne Ünal", id="login hint not ASCII"),
        pytest.param({"prompt": "none"}, "prompt", "none", id="prompt none"),
        pytest.param({"prompt": "login"}, "prompt", "login", id="prompt login"),
        pytest.param({"prompt": "select_account"}, "prompt", "select_account", id="prompt select_account"),
        pytest.param({"prompt": "consent"}, "prompt", "consent", id="prompt consent"),
        pytest.param({"prompt": "login consent"}, "prompt", "login consent", id="two prompts as a text"),
        pytest.param(
            {"prompt": ("consent", "login", "select_account")},
            "prompt",
            "consent login select_account",
            id="three prompts",
        ),
        pytest.param({"prompt": ["login", "login"]}, "prompt", "login", id="a prompt twice"),
        *[pytest.param({"lang": lang}, "lang", lang, id=f"lang {lang}") for lang in LANGUAGES],
        pytest.param({"max_age": 0}, "max_age", "0", id="max_age 0"),
        pytest.param({"max_age": 86400}, "max_age", "86400", id="max_age of a day"),
        pytest.param({"acr_values": "urn:cognito:loa:2"}, "acr_values", "urn:cognito:loa:2", id="acr"),
        pytest.param({"acr_values": ["b", "a"]}, "acr_values", "b a", id="acr values keep their order"),
        pytest.param({"resource": "https://api.acme.com/v1"}, "resource", "https://api.acme.com/v1", id="resource"),
        pytest.param({"resource": "http://localhost:3000"}, "resource", "http://localhost:3000", id="local resource"),
        pytest.param({"resource": "orders://api"}, "resource", "orders://api", id="resource of a scheme of its own"),
        pytest.param({"scopes": "openid"}, "scope", "openid", id="a scope as a text"),
        pytest.param({"scopes": "openid orders/read"}, "scope", "openid orders/read", id="scopes as a text"),
        pytest.param({"scopes": ["openid", "email", "openid"]}, "scope", "openid email", id="a scope twice"),
    ],
)
def test_a_parameter_reaches_the_url(arguments: dict[str, object], name: str, value: str) -> None:
    """Wire sheet 2.1: every parameter of the authorize endpoint, as a server reads it."""
    assert query_of(build(**arguments))[name] == value


def test_spaces_are_written_as_percent_20() -> None:
    """A space reads the same to a reader of URIs and to a reader of forms: `%20`, and '+' only as `%2B`."""
    url = build(login_hint="a b+c").url
    assert "login_hint=a%20b%2Bc" in url
    assert "scope=openid%20email" in url


def test_the_languages_are_those_of_managed_login() -> None:
    """Wire sheet 2.1, `lang`."""
    assert " ".join(LANGUAGES) == "de en es fr id it ja ko pt-BR zh-CN zh-TW"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"client_id": ""}, r"client_id '': expected the app client's id", id="no client id"),
        pytest.param({"client_id": "\ud800"}, r"client_id '\\ud800': expected", id="client id of a surrogate"),
        pytest.param(
            {"redirect_uri": "/callback"}, r"redirect_uri '/callback' cannot be used: expected an", id="redirect"
        ),
        pytest.param({"redirect_uri": None}, r"redirect_uri nothing cannot be used", id="no redirect"),
        pytest.param({"scopes": ()}, r"scopes: expected names .* got none\.", id="no scopes"),
        pytest.param({"scopes": None}, r"scopes: expected one or several of them, got nothing", id="scopes None"),
        pytest.param({"scopes": 5}, r"scopes: expected one or several of them, got a value of type int", id="number"),
        pytest.param({"scopes": ("openid", None)}, r"scopes: expected names .* got nothing\.", id="a scope None"),
        pytest.param({"scopes": ("openid", "")}, r"scopes: expected names .* got ''\.", id="an empty scope"),
        pytest.param({"scopes": "openid  email"}, r"scopes: expected names .* got ''\.", id="two spaces"),
        pytest.param({"scopes": "openid,email"}, None, id="a comma is a character of a scope"),
        pytest.param({"scopes": ["openid email"]}, r"scopes: .* got 'openid email'", id="a space in a name"),
        pytest.param({"scopes": ["openid", 'a"b']}, r"scopes: .* got 'a\"b'", id="a quote"),
        pytest.param({"scopes": ["openid", "a\\b"]}, r"scopes: .* got 'a\\\\b'", id="a backslash"),
        pytest.param({"scopes": ["openid", "é"]}, r"scopes: .* got 'é'", id="no ASCII"),
        pytest.param({"scopes": b"openid"}, r"scopes: .* got a value of type int", id="bytes"),
        pytest.param({"scopes": "email"}, r"scopes: email can only be asked for together with openid: add", id="email"),
        pytest.param({"scopes": "phone profile"}, r"scopes: phone, profile can only be asked for", id="phone, profile"),
        pytest.param(
            {"scopes": "openid offline_access"},
            r"Cognito has no 'offline_access' .*leave it out\. The code flow always returns a refresh token",
            id="offline_access",
        ),
        pytest.param(
            {"scopes": [f"a/{number}" for number in range(51)]},
            r"scopes: an app client has at most 50, got 51",
            id="51",
        ),
        pytest.param({"identity_provider": ""}, r"identity_provider '': expected 1 to 32", id="empty provider"),
        pytest.param({"identity_provider": "x" * 33}, r"identity_provider 'x+': expected 1 to 32", id="long provider"),
        pytest.param({"identity_provider": "_Corp"}, r"without '_' or a space at the ends", id="underscore first"),
        pytest.param({"identity_provider": "Corp "}, r"without '_' or a space at the ends", id="space last"),
        pytest.param({"identity_provider": "Co\nrp"}, r"identity_provider 'Co\\nrp': expected", id="line break"),
        pytest.param({"identity_provider": "Co\u202erp"}, r"identity_provider 'Co\\u202erp'", id="mark of direction"),
        pytest.param({"identity_provider": 5}, r"identity_provider a value of type int", id="provider as a number"),
        pytest.param(
            {"identity_provider": "corp", "identity_providers": ["Google", "Corp"]},
            r"'corp' is not among 'Google', 'Corp'\. Did you mean 'Corp'\? Case counts\.",
            id="another case",
        ),
        pytest.param(
            {"identity_provider": "Gogle", "identity_providers": ["Google", "Corp"]},
            r"Did you mean 'Google'",
            id="typing",
        ),
        pytest.param(
            {"identity_provider": "Okta", "identity_providers": ["Google"]},
            r"'Okta' is not among 'Google'\.$",
            id="unknown",
        ),
        pytest.param(
            {"identity_provider": "Okta", "identity_providers": []},
            r"is not among those configured\.$",
            id="none known",
        ),
        pytest.param(
            {"identity_provider": "Okta", "identity_providers": [None]}, r"is not among None\.$", id="odd list"
        ),
        pytest.param(
            {"identity_provider": "Okta", "identity_providers": 5}, r"identity_providers: expected", id="no list"
        ),
        pytest.param(
            {"identity_provider": "Corp", "idp_identifier": "acme.com"},
            r"Pass identity_provider or idp_identifier, not both",
            id="provider and identifier",
        ),
        pytest.param({"idp_identifier": ""}, r"idp_identifier '': expected 1 to 40", id="empty identifier"),
        pytest.param({"idp_identifier": "x" * 41}, r"idp_identifier 'x+': expected 1 to 40", id="long identifier"),
        pytest.param({"idp_identifier": "a/b"}, r"idp_identifier 'a/b': expected", id="identifier with a slash"),
        pytest.param({"idp_identifier": 5}, r"idp_identifier a value of type int", id="identifier as a number"),
        pytest.param({"login_hint": ""}, r"login_hint: expected 1 to 1024 printable", id="empty hint"),
        pytest.param({"login_hint": "a\r\nb"}, r"login_hint: expected", id="hint with a line break"),
        pytest.param({"login_hint": "\ud800"}, r"login_hint: expected", id="hint of a surrogate"),
        pytest.param({"login_hint": "x" * 1025}, r"login_hint: expected", id="long hint"),
        pytest.param({"login_hint": b"ann"}, r"login_hint: expected", id="hint in bytes"),
        pytest.param({"prompt": "none login"}, r"prompt: 'none' cannot be combined", id="none and login"),
        pytest.param({"prompt": ("consent", "none")}, r"prompt: 'none' cannot be combined", id="consent and none"),
        pytest.param(
            {"prompt": "create"}, r"prompt 'create': expected one of none, login, select_account, c", id="create"
        ),
        pytest.param({"prompt": "Login"}, r"prompt 'Login': .* Did you mean 'login'\?", id="prompt in upper case"),
        pytest.param({"prompt": ""}, r"prompt: expected names", id="empty prompt"),
        pytest.param({"prompt": True}, r"prompt: expected one or several", id="prompt as a boolean"),
        pytest.param({"lang": "pt"}, r"lang 'pt': expected one of .*zh-TW\. Did you mean 'pt-BR'\?", id="lang pt"),
        pytest.param(
            {"lang": "en-US"}, r"lang 'en-US': expected one of de, en, .* Did you mean 'en'\?", id="lang en-US"
        ),
        pytest.param({"lang": 5}, r"lang a value of type int: expected one of", id="lang as a number"),
        pytest.param({"max_age": -1}, r"max_age: expected whole seconds, 0 to ", id="negative max_age"),
        pytest.param({"max_age": True}, r"max_age: expected", id="max_age as a boolean"),
        pytest.param({"max_age": 60.0}, r"max_age: expected", id="max_age as a float"),
        pytest.param({"max_age": "60"}, r"max_age: expected", id="max_age as a text"),
        pytest.param({"max_age": 10**5000}, r"max_age: expected", id="max_age of 5,000 digits"),
        pytest.param({"acr_values": ""}, r"acr_values: expected names", id="empty acr"),
        pytest.param({"acr_values": None}, None, id="no acr"),
        pytest.param({"acr_values": [1]}, r"acr_values: expected names .* a value of type int", id="acr as a number"),
        pytest.param(
            {"resource": "api.acme.com"}, r"resource 'api.acme.com' cannot be used: expected one", id="resource"
        ),
        pytest.param({"resource": ["https://a"]}, r"resource a value of type list cannot be used", id="two resources"),
        pytest.param({"app_state": "text"}, r"app_state: expected a mapping of strings to JSON", id="app_state a text"),
        pytest.param({"app_state": {1: 2}}, r"app_state: expected a mapping of strings", id="app_state with a number"),
        pytest.param({"app_state": {"a": object()}}, r"app_state: expected", id="app_state with an object"),
        pytest.param({"app_state": {"a": float("nan")}}, r"app_state: expected", id="app_state with NaN"),
        pytest.param({"app_state": {"a": "\ud800"}}, r"app_state: expected", id="app_state with a surrogate"),
        pytest.param({"app_state": {"a": {b"": 1}}}, r"app_state: expected", id="app_state with bytes"),
    ],
)
def test_what_cognito_would_refuse_ignore_or_mangle_is_refused(
    arguments: dict[str, object], message: str | None
) -> None:
    """A message names the parameter, what was expected and what came; None marks what only looks wrong."""
    if message is None:
        assert query_of(build(**arguments))
    else:
        with pytest.raises(ConfigurationError, match=message):
            build(**arguments)


def test_app_state_that_holds_itself_is_refused() -> None:
    """A mapping without an end cannot be sealed."""
    app_state: dict[str, object] = {}
    app_state["me"] = app_state
    with pytest.raises(ConfigurationError, match="app_state: expected"):
        build(app_state=app_state)


def test_app_state_is_a_copy() -> None:
    """Who changes their mapping later does not change the request."""
    app_state = {"a": ["x"]}
    request = build(app_state=app_state)
    app_state["a"].append("y")
    assert request.app_state == {"a": ["x"]}


@pytest.mark.parametrize("levels", [pytest.param(30, id="deepest"), pytest.param(32, id="too deep")])
def test_app_state_that_is_accepted_can_be_unsealed(levels: int) -> None:
    """What would be too deep in the seal is refused before the person leaves, not when they come back."""
    value: object = 1
    for _ in range(levels):
        value = [value]
    result = outcome(lambda: AuthorizationRequest.unseal(build(app_state={"a": value}).seal(KEY), KEY).app_state)
    assert result == {"a": value} or isinstance(result, ConfigurationError)
    assert isinstance(result, ConfigurationError) is (levels == 32)


# --- the pieces ---


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("https://app.example.com", id="host alone"),
        pytest.param("https://app.example.com:8443/cb?x=1&y=%20", id="port and query"),
        pytest.param("http://localhost/cb", id="localhost"),
        pytest.param("http://localhost:3000/cb?x=1", id="localhost with a port"),
        pytest.param("http://localhost?x=1", id="localhost with a query alone"),
        pytest.param("http://127.0.0.1:8000/cb", id="127.0.0.1"),
        pytest.param("http://[::1]:8000/cb", id="IPv6 loopback"),
        pytest.param("myapp://callback", id="an app's scheme"),
        pytest.param("com.example.app:/callback", id="an app's scheme with one slash"),
        pytest.param("https://app.example.com/" + "a" * 1000, id="1,024 characters"),
    ],
)
def test_a_uri_that_can_be_registered_comes_back(uri: str) -> None:
    """Wire sheet 1.4: callback and logout URLs that Cognito registers."""
    assert check_redirect_uri(uri, what="redirect_uri") == uri


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        pytest.param("", "expected an absolute URL, such as", id="empty"),
        pytest.param("app.example.com/cb", "expected an absolute URL", id="no scheme"),
        pytest.param("//app.example.com/cb", "expected an absolute URL", id="relative to a scheme"),
        pytest.param("https:", "expected an absolute URL", id="a scheme alone"),
        pytest.param("https://app.example.com/c b", "expected an absolute URL", id="a space"),
        pytest.param("https://app.example.com/cb\n", "expected an absolute URL", id="a line break"),
        pytest.param("https://münchen.de/cb", "expected an absolute URL", id="no ASCII"),
        pytest.param(b"https://app.example.com", "expected an absolute URL", id="bytes"),
        pytest.param("https://app.example.com/" + "a" * 1001, "expected at most 1024 characters", id="long"),
        pytest.param("https://app.example.com/cb#", "must not hold a fragment", id="a fragment"),
        pytest.param("http://app.example.com/cb", "http is only accepted for localhost", id="http"),
        pytest.param("HTTP://app.example.com/cb", "http is only accepted for localhost", id="HTTP"),
        pytest.param("http://localhost.evil.com/cb", "http is only accepted for localhost", id="localhost as a label"),
        pytest.param("http://localhost:80@evil.com", "http is only accepted for localhost", id="localhost as a user"),
        pytest.param("https:/app.example.com/cb", "it has no host", id="one slash"),
        pytest.param("javascript:alert(1)", "the browser would run or open it", id="a script"),
        pytest.param("JavaScript://x/%0aalert(1)", "the browser would run or open it", id="a script in disguise"),
        pytest.param("data:text/html,x", "the browser would run or open it", id="data"),
        pytest.param("vbscript:x", "the browser would run or open it", id="an old script"),
        pytest.param("file:///etc/passwd", "the browser would run or open it", id="a file"),
        pytest.param("https:///cb", "it has no host", id="three slashes"),
        pytest.param("https://[::1/cb", "it has no host", id="half a bracket"),
        pytest.param("https://app.example.com@evil.example/cb", "must not hold user information", id="a user"),
        pytest.param("https://app.example.com:80@evil.example", "must not hold user information", id="a password"),
        pytest.param("https://evil.example\\@app.example.com/", "it holds a backslash", id="a backslash"),
        pytest.param("https://app.example.com/\\evil.example", "it holds a backslash", id="a backslash in the path"),
        pytest.param("https://app.example.com:65536/cb", "a port that is none", id="no port"),
        pytest.param("https://app.example.com:x/cb", "a port that is none", id="a port of letters"),
        pytest.param("https://app.example.com:0/cb", "port 0 cannot be reached", id="port 0"),
        pytest.param("http://localhost:0/cb", "port 0 cannot be reached", id="port 0 of localhost"),
        pytest.param("about:blank", "the browser would run or open it", id="a page of the browser"),
        pytest.param("blob:https://app.example.com/1", "the browser would run or open it", id="a blob"),
    ],
)
def test_a_uri_that_cannot_be_registered_is_refused(uri: str, problem: str) -> None:
    """The message names the argument, shows the URL, and says what is wrong."""
    with pytest.raises(ConfigurationError, match=r"^logout_uri .* cannot be used: ") as caught:
        check_redirect_uri(uri, what="logout_uri")
    assert problem in str(caught.value)


def test_names_of_providers_come_back_as_a_tuple() -> None:
    """Whatever they were handed in as."""
    assert check_identity_providers(iter(["Corp", "COGNITO"])) == ("Corp", "COGNITO")


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        pytest.param("Corp", r"got one text: write \('Corp',\)", id="one text"),
        pytest.param(["Corp", 7], "each a text", id="a number among them"),
        pytest.param(7, "got a value of type int", id="a number"),
    ],
)
def test_names_of_providers_are_several_texts(names: Any, problem: str) -> None:  # noqa: ANN401
    """A mistake is told where the names are handed in, not at the first login."""
    with pytest.raises(ConfigurationError, match=f"^identity_providers: .*{problem}"):
        check_identity_providers(names)


def test_a_password_in_a_uri_is_not_shown() -> None:
    """It may be a real one, pasted with the address."""
    with pytest.raises(ConfigurationError, match="user information") as caught:
        check_redirect_uri("https://ann:hunter2@app.example.com/cb", what="redirect_uri")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "resource",
    [
        pytest.param("", id="empty"),
        pytest.param("urn:orders", id="no authority"),
        pytest.param("https://", id="nothing after the scheme"),
        pytest.param("https://api.acme.com/#x", id="a fragment"),
        pytest.param("http://api.acme.com", id="http"),
        pytest.param("https://a https://b", id="two"),
        pytest.param(None, id="nothing"),
    ],
)
def test_a_resource_that_binds_nothing_is_refused(resource: str) -> None:
    """RFC 8707 section 2: one absolute URI without a fragment."""
    with pytest.raises(ConfigurationError, match=r"^resource .* cannot be used: expected one absolute URI"):
        check_resource(resource)


@given(anything())
def test_any_scopes_give_names_or_our_error(scopes: object) -> None:
    """Whatever is passed as scopes, nothing but ConfigurationError leaves the check."""
    assert isinstance(outcome(lambda: check_scopes(scopes)), tuple | ConfigurationError)  # type: ignore[arg-type]


PARAMETERS = [
    *("client_id", "redirect_uri", "scopes", "identity_provider", "idp_identifier", "identity_providers"),
    *("login_hint", "prompt", "lang", "max_age", "acr_values", "resource", "app_state"),
]


@given(st.dictionaries(st.sampled_from(PARAMETERS), anything(), max_size=3))
def test_any_parameters_give_a_request_or_our_error(arguments: Mapping[str, object]) -> None:
    """Whatever is passed, nothing but ConfigurationError comes; and what is accepted can be read back from the URL."""
    result = outcome(lambda: query_of(build(**arguments)))
    assert isinstance(result, dict | ConfigurationError)


# --- values and seals ---


def test_the_repr_hides_what_finishes_a_login() -> None:
    """Neither repr nor str shows the URL, the state, the nonce, the verifier or the application's state."""
    request = build(app_state={"basket": "s3cret"})
    text = f"{request!r}{request!s}"
    assert not any(secret in text for secret in (request.state, request.nonce, request.code_verifier, "s3cret"))
    assert CLIENT_ID in text


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])  # noqa: S301 - our own bytes
def test_a_request_can_be_pickled_and_copied(copier: object) -> None:
    """Sessions of web frameworks pickle what they hold."""
    request = build(app_state={"a": [1]})
    twin = copier(request)  # type: ignore[operator]
    assert (twin, hash(twin)) == (request, hash(request))


def test_a_sealed_request_comes_back() -> None:
    """`unseal` gives back an equal request, the application's state and fractions of seconds included."""
    request = build(max_age=60, app_state={"return_to": "/orders", "n": [1, 1.5, None, True, {"ü": "漢🔒"}]})
    assert AuthorizationRequest.unseal(request.seal(KEY), KEY) == request


def test_a_sealed_request_fits_a_cookie() -> None:
    """A typical request with a long redirect URI, many scopes and some state stays under the 4,096 of a cookie."""
    request = build(
        redirect_uri="https://app.example.com/" + "a" * 200,
        scopes=["openid", "email", "profile", "phone", *(f"https://api.acme.com/orders/{n}" for n in range(10))],
        login_hint="ann@acme.com",
        app_state={"return_to": "/orders/2027?page=3", "locale": "pt-BR", "experiment": "b" * 100},
    )
    sealed = request.seal(KEY)
    assert len(sealed) < 4096
    assert sealed.isascii()
    assert unquote(sealed) == sealed


def test_the_sealed_text_reveals_nothing() -> None:
    """No part of the request can be read in the seal, and two seals of one request differ."""
    request = build(app_state={"basket": "s3cret-basket"})
    sealed = request.seal(KEY)
    parts = b"".join(urlsafe_b64decode(part + "==") for part in sealed.split("."))
    hidden = (request.code_verifier, request.state, request.nonce, CLIENT_ID, "s3cret-basket", "app.example.com")
    assert not any(text.encode() in parts or text in sealed for text in hidden)
    assert sealed != request.seal(KEY)


def test_keys_can_be_replaced() -> None:
    """Several keys are tried, newest first."""
    sealed = build().seal(OLD_KEY)
    assert AuthorizationRequest.unseal(sealed, [KEY, OLD_KEY]) == build()


def test_a_bytearray_is_a_key() -> None:
    """A key that can be wiped from memory is one key, and not 32 numbers."""
    key = bytearray(KEY)
    assert AuthorizationRequest.unseal(build().seal(key), key) == build()  # type: ignore[arg-type]  # names bytes


def seal_of(values: object, *, header: Mapping[str, str] | None = None, key: bytes = KEY) -> str:
    """Return anything sealed with the key, by joserfc itself."""
    usual = {"alg": "dir", "enc": "A256GCM", "typ": "cognito-oidc-request"}
    text = values if isinstance(values, bytes) else json.dumps(values).encode()
    algorithms = ["dir", "A256GCM", "A128KW", "A256CBC-HS512"]
    return jwe.encrypt_compact(dict(header or usual), text, OctKey.import_key(key), algorithms=algorithms)


def sealed_values(**changes: object) -> dict[str, object]:
    """Return what a seal holds, with some members changed."""
    request = build()
    members = {name: getattr(request, name) for name in AuthorizationRequest.__slots__}
    return {"v": 1, **members, "scopes": list(request.scopes), **changes}


def test_a_seal_made_by_hand_is_one() -> None:
    """The rows below change one thing of a seal that is good without the change."""
    assert AuthorizationRequest.unseal(seal_of(sealed_values()), KEY) == build()


def changed_part(number: int) -> str:
    """Return a good seal with one bit of one of its five parts changed."""
    parts = build().seal(KEY).split(".")
    data = bytearray(urlsafe_b64decode(parts[number] + "==") or b"\x00")
    data[0] ^= 1
    return ".".join([*parts[:number], b64url(bytes(data)), *parts[number + 1 :]])


def with_header(header: bytes) -> str:
    """Return a good seal under another header."""
    return ".".join([b64url(header), *build().seal(KEY).split(".")[1:]])


@pytest.mark.parametrize(
    "sealed",
    [
        *[pytest.param(changed_part(number), id=f"part {number} changed") for number in range(5)],
        pytest.param(build().seal(FOREIGN_KEY), id="another key"),
        pytest.param(build().seal(KEY)[:-1], id="cut off"),
        pytest.param(build().seal(KEY).rpartition(".")[0], id="a part missing"),
        pytest.param(build().seal(KEY) + ".", id="a part too many"),
        pytest.param(seal_of(sealed_values(v=2)), id="another version"),
        pytest.param(seal_of(sealed_values(v="1")), id="the version as a text"),
        pytest.param(seal_of({"v": 1}), id="nothing but the version"),
        pytest.param(seal_of({}), id="no version"),
        pytest.param(seal_of([1]), id="an array"),
        pytest.param(seal_of(b"\xff"), id="no JSON"),
        pytest.param(seal_of(b""), id="empty"),
        pytest.param(seal_of(sealed_values(extra=1)), id="a member too many"),
        pytest.param(seal_of(sealed_values(state=5)), id="the state as a number"),
        pytest.param(seal_of(sealed_values(scopes=5)), id="scopes as a number"),
        pytest.param(seal_of(sealed_values(max_age="60")), id="max_age as a text"),
        pytest.param(seal_of(sealed_values(app_state=[])), id="app_state as an array"),
        pytest.param(seal_of(sealed_values(created_at=None)), id="no time"),
        pytest.param(seal_of(sealed_values(), header={"alg": "dir", "enc": "A256GCM"}), id="no typ"),
        pytest.param(seal_of(sealed_values(), header={"alg": "dir", "enc": "A256GCM", "typ": "JWT"}), id="another typ"),
        pytest.param(
            seal_of(
                sealed_values(),
                header={"alg": "dir", "enc": "A256CBC-HS512", "typ": "cognito-oidc-request"},
                key=KEY + KEY,
            ),
            id="another enc",
        ),
        pytest.param(
            seal_of(
                sealed_values(), header={"alg": "A128KW", "enc": "A256GCM", "typ": "cognito-oidc-request"}, key=KEY[:16]
            ),
            id="another alg",
        ),
        pytest.param(with_header(b"[" * 6000), id="a header without an end"),
        pytest.param(with_header(b"[" * 6000 + b"]" * 6000), id="a deep header"),
        pytest.param(with_header(b"[]"), id="a header that is an array"),
        pytest.param(with_header(b'{"alg":["dir"],"enc":{}}'), id="a header of odd types"),
        pytest.param(with_header(b'{"alg":"dir","enc":"A256GCM","crit":5}'), id="crit"),
        pytest.param(with_header(b'{"alg":"dir","enc":"A256GCM","zip":"DEF"}'), id="zip"),
        pytest.param("", id="an empty cookie"),
        pytest.param("....", id="four dots"),
        pytest.param("é" * 10, id="no ASCII"),
        pytest.param("a" * 20_000, id="too long"),
        pytest.param(None, id="no cookie"),
        pytest.param(build().seal(KEY).encode(), id="bytes"),
    ],
)
def test_a_seal_that_is_not_ours_is_refused(sealed: str) -> None:
    """One error for everything: its reason is stable, and its explanation names what usually went wrong."""
    with pytest.raises(CallbackError, match=r"cannot be read: .* Start the login again\.$") as caught:
        AuthorizationRequest.unseal(sealed, KEY)
    assert caught.value.reason == "unreadable_request"
    assert "SameSite" in caught.value.explain()[0]
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"k" * 31, id="31 bytes"),
        pytest.param(b"k" * 64, id="64 bytes"),
        pytest.param("k" * 32, id="a text"),
        pytest.param([KEY, b"short"], id="a short one among them"),
        pytest.param([], id="none"),
        pytest.param(None, id="nothing"),
        pytest.param(5, id="a number"),
    ],
)
def test_a_bad_key_is_refused(key: bytes) -> None:
    """A key is 32 random bytes; the message says so without showing it."""
    sealed = build().seal(KEY)
    with pytest.raises(ConfigurationError, match=r"32 .*bytes|expected one or several") as caught:
        AuthorizationRequest.unseal(sealed, key)
    assert "kkkk" not in str(caught.value)


@pytest.mark.parametrize("key", [pytest.param([KEY], id="a list"), pytest.param("k" * 32, id="text"), None])
def test_sealing_takes_one_key(key: bytes) -> None:
    """Several keys are for unsealing alone."""
    with pytest.raises(ConfigurationError, match="A sealing key is 32 random bytes"):
        build().seal(key)


def test_what_unseal_would_refuse_is_not_sealed() -> None:
    """A huge application state is refused while the developer looks, not when the person comes back."""
    with pytest.raises(ConfigurationError, match=r"more than 16384: keep app_state small"):
        build(app_state={"basket": "x" * 12_000}).seal(KEY)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), json_values(), max_size=3))
@settings(max_examples=50)
def test_any_json_state_comes_back(app_state: dict[str, object]) -> None:
    """The application's state is the same before and after, for every JSON value."""
    request = build(app_state=app_state)
    assert AuthorizationRequest.unseal(request.seal(KEY), KEY) == request
    assert request.app_state == app_state


@given(anything() | st.lists(st.text("AZaz09_-", max_size=30), min_size=5, max_size=5).map(".".join))
def test_any_seal_gives_a_request_or_our_error(sealed: object) -> None:
    """Whatever stands in the cookie, nothing but CallbackError comes of it."""
    result = outcome(lambda: AuthorizationRequest.unseal(sealed, KEY))  # type: ignore[arg-type]
    assert isinstance(result, CallbackError)


@given(anything())
def test_any_key_gives_our_error(key: object) -> None:
    """Whatever is passed as a key, the error is ours."""
    result = outcome(lambda: AuthorizationRequest.unseal(build().seal(FOREIGN_KEY), key))  # type: ignore[arg-type]
    assert isinstance(result, CallbackError | ConfigurationError)


@given(json_values() | st.fixed_dictionaries({"v": st.just(1)}, optional=dict.fromkeys(
    sorted(set(sealed_values()) - {"v"}), json_values(),
)))  # fmt: skip
@settings(max_examples=50)
def test_any_json_under_the_key_gives_a_request_or_our_error(values: object) -> None:
    """Even what somebody else sealed with the key does not come out as a broken request."""
    assert isinstance(outcome(lambda: AuthorizationRequest.unseal(seal_of(values), KEY)), CallbackError)
