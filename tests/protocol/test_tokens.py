import copy
import json
import pickle
from base64 import b64decode
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.errors import (
    CognitoOidcError,
    ConfigurationError,
    InvalidClientError,
    InvalidGrantError,
    OAuthError,
    ProtocolError,
    RateLimitedError,
    TransportError,
)
from cognito_oidc.protocol.authorization import authorization_request
from cognito_oidc.protocol.callback import AuthorizationCode, parse_callback
from cognito_oidc.protocol.client_authentication import client_authentication
from cognito_oidc.protocol.tokens import (
    TokenSet,
    client_credentials_request,
    code_exchange_request,
    keep_refresh_token,
    parse_revocation_response,
    parse_token_response,
    refresh_request,
    revocation_request,
)
from cognito_oidc.protocol.typed_claims import IdTokenClaims, freeze
from cognito_oidc.protocol.wire import Endpoint, HttpRequest, HttpResponse
from tests.answers import HTML, answer, answers, anything, json_values, outcome
from tests.factories import id_payload

NOW = 1_800_000_000.5
TOKEN = "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token"
REVOKE = "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/revoke"
CLIENT_ID = "1example23456789abcdefghij"
SECRET = "9l5s+cr3t9l5s3cr3t9l5s3cr3t9l5s3cr3t9l5s3cr3t9l5s3c"
CODE = "0a1b2c3d-4e5f-6789-abcd-ef0123456789"
REFRESH = "eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIiwiYWxnIjoiUlNBLU9BRVAifQ.a.b.c.d"

PUBLIC = client_authentication(CLIENT_ID, None, None)
POST = client_authentication(CLIENT_ID, SECRET, None)
BASIC = client_authentication(CLIENT_ID, SECRET, "client_secret_basic")

ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123xyz"
REQUEST = authorization_request(
    authorization_endpoint="https://acme.auth.eu-west-1.amazoncognito.com/oauth2/authorize",
    issuer=ISSUER,
    client_id=CLIENT_ID,
    redirect_uri="https://app.example.com/callback?a=b",
    scopes="openid",
    now=NOW,
    random_bytes=lambda size: b"r" * size,
)


def checked_code() -> AuthorizationCode:
    """Return a code that a callback gave."""
    callback = {"code": CODE, "state": REQUEST.state}
    return parse_callback(callback, REQUEST, now=NOW, max_request_age=600, client_id=CLIENT_ID, issuers=[ISSUER])


def form_of(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the form of a request in order, read by the standard library."""
    return parse_qsl(request.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)


def basic_of(request: HttpRequest) -> str | None:
    """Return id and secret of the Authorization header."""
    value = dict(request.headers).get("Authorization")
    return None if value is None else b64decode(value.removeprefix("Basic ")).decode()


# --- requests ---


def test_a_code_is_exchanged_with_its_verifier() -> None:
    """RFC 6749 section 4.1.3, RFC 7636 section 4.5: code, redirect URI and verifier are those of one request."""
    request = code_exchange_request(checked_code(), token_endpoint=TOKEN, authentication=PUBLIC)
    assert form_of(request) == [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT_ID),
        ("code", CODE),
        ("redirect_uri", "https://app.example.com/callback?a=b"),
        ("code_verifier", REQUEST.code_verifier),
    ]
    assert (request.method, request.url, request.endpoint) == ("POST", TOKEN, Endpoint.TOKEN)


def test_tokens_are_refreshed_with_the_refresh_token() -> None:
    """RFC 6749 section 6: no scope is sent, so that the grant stays as it was."""
    request = refresh_request(REFRESH, token_endpoint=TOKEN, authentication=POST)
    assert form_of(request) == [
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT_ID),
        ("client_secret", SECRET),
        ("refresh_token", REFRESH),
    ]


class Build(Protocol):
    def __call__(self) -> HttpRequest: ...


BUILDERS: list[object] = [
    pytest.param(
        lambda: code_exchange_request(checked_code(), token_endpoint=TOKEN, authentication=BASIC), False, id="code"
    ),
    pytest.param(lambda: refresh_request(REFRESH, token_endpoint=TOKEN, authentication=BASIC), False, id="refresh"),
    pytest.param(
        lambda: client_credentials_request(None, token_endpoint=TOKEN, authentication=BASIC), True, id="machine"
    ),
    pytest.param(
        lambda: revocation_request(REFRESH, revocation_endpoint=REVOKE, authentication=BASIC), True, id="revoke"
    ),
]


@pytest.mark.parametrize(("build", "repeatable"), BUILDERS)
def test_only_what_does_no_harm_twice_is_repeatable(build: Build, repeatable: bool) -> None:
    """A code is used once, and a refresh token may rotate: neither is sent a second time."""
    assert build().repeatable is repeatable


@pytest.mark.parametrize(("build", "repeatable"), BUILDERS)
def test_basic_keeps_the_secret_out_of_the_form(build: Build, repeatable: bool) -> None:
    """With Basic the secret stands in the header alone, and no repr shows it."""
    request = build()
    assert basic_of(request) == f"{CLIENT_ID}:{SECRET}"
    assert "client_secret" not in dict(form_of(request))
    assert not any(secret in repr(request) for secret in (SECRET, CODE, REFRESH, "Basic"))


@pytest.mark.parametrize(
    ("scopes", "sent"),
    [
        pytest.param(None, None, id="all the client has"),
        pytest.param("orders/read", "orders/read", id="one"),
        pytest.param(("https://api.acme.com/orders/read", "b/c"), "https://api.acme.com/orders/read b/c", id="several"),
    ],
)
def test_a_machine_asks_for_custom_scopes(scopes: str | tuple[str, ...] | None, sent: str | None) -> None:
    """RFC 6749 section 4.4.2: the scope stands in the form, or is left out to mean all."""
    request = client_credentials_request(scopes, token_endpoint=TOKEN, authentication=POST)
    form = dict(form_of(request))
    assert (form["grant_type"], form.get("scope")) == ("client_credentials", sent)


def test_a_machine_sends_metadata_for_the_lambda() -> None:
    """Wire sheet 3: `aws_client_metadata` is a JSON object in the form, percent-encoded with it."""
    metadata = {"tenant": "ä&b", "": '"'}
    request = client_credentials_request(None, token_endpoint=TOKEN, authentication=POST, client_metadata=metadata)
    assert json.loads(dict(form_of(request))["aws_client_metadata"]) == metadata


@pytest.mark.parametrize(
    ("scopes", "metadata", "message"),
    [
        pytest.param("openid", None, r"a machine token has custom scopes only", id="openid"),
        pytest.param("openid email", None, r"a machine token has custom scopes only", id="openid and email"),
        pytest.param("email", None, r"for a machine token, which has custom scopes only, leave them out", id="email"),
        pytest.param("aws.cognito.signin.user.admin", None, r"custom scopes only", id="the API's own scope"),
        pytest.param("offline_access", None, r"no 'offline_access'", id="offline_access"),
        pytest.param((), None, r"scopes: expected names", id="none"),
        pytest.param(5, None, r"scopes: expected", id="number"),
        pytest.param(None, {"a": 1}, r"client_metadata: expected a mapping of texts to texts", id="metadata, number"),
        pytest.param(None, {1: "a"}, r"client_metadata: expected", id="metadata, number as a name"),
        pytest.param(None, [("a", "b")], r"client_metadata: expected", id="metadata, pairs"),
        pytest.param(None, "{}", r"client_metadata: expected", id="metadata, a text"),
    ],
)
def test_what_a_machine_cannot_have_is_refused(scopes: str, metadata: Mapping[str, str], message: str) -> None:
    """The message says what a machine may ask for."""
    with pytest.raises(ConfigurationError, match=message):
        client_credentials_request(scopes, token_endpoint=TOKEN, authentication=POST, client_metadata=metadata)


def test_a_public_client_is_no_machine() -> None:
    """RFC 6749 section 4.4: only confidential clients use this grant."""
    with pytest.raises(ConfigurationError, match=r"need an app client with a secret: pass client_secret="):
        client_credentials_request(None, token_endpoint=TOKEN, authentication=PUBLIC)


@pytest.mark.parametrize("who", [pytest.param(POST, id="post"), pytest.param(BASIC, id="basic")])
def test_a_confidential_client_revokes_with_basic(who: object) -> None:
    """Wire sheet 5: Basic whatever the method, and nothing but the token in the form."""
    request = revocation_request(REFRESH, revocation_endpoint=REVOKE, authentication=who)  # type: ignore[arg-type]
    assert (request.url, request.endpoint) == (REVOKE, Endpoint.REVOCATION)
    assert (form_of(request), basic_of(request)) == ([("token", REFRESH)], f"{CLIENT_ID}:{SECRET}")


def test_a_public_client_revokes_with_its_id() -> None:
    """RFC 7009 section 2.1: a public client names itself in the form."""
    request = revocation_request(REFRESH, revocation_endpoint=REVOKE, authentication=PUBLIC)
    assert (form_of(request), basic_of(request)) == ([("token", REFRESH), ("client_id", CLIENT_ID)], None)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("a b", id="space"),
        pytest.param(REFRESH + "\n", id="a line break, as read from a file"),
        pytest.param("a\x00b", id="null character"),
        pytest.param("é", id="no ASCII"),
        pytest.param("\ud800", id="surrogate"),
        pytest.param("a" * (128 * 1024 + 1), id="too long"),
        pytest.param(None, id="nothing"),
        pytest.param(REFRESH.encode(), id="bytes"),
        pytest.param(5, id="number"),
    ],
)
def test_what_is_no_refresh_token_is_not_sent(token: str) -> None:
    """The message says which token is meant, without showing it."""
    with pytest.raises(
        ConfigurationError, match=r"^The refresh token is empty or no token: pass tokens\.refresh_token"
    ):
        refresh_request(token, token_endpoint=TOKEN, authentication=PUBLIC)
    with pytest.raises(ConfigurationError, match=r"^The refresh token is empty or no token"):
        revocation_request(token, revocation_endpoint=REVOKE, authentication=PUBLIC)


@given(anything())
def test_any_refresh_token_is_sent_as_it_is_or_refused(token: object) -> None:
    """Whatever is passed, the error is ours, and a token is not changed on its way."""
    result = outcome(lambda: dict(form_of(refresh_request(token, token_endpoint=TOKEN, authentication=PUBLIC))))  # type: ignore[arg-type]
    assert isinstance(result, ConfigurationError) or (isinstance(result, dict) and result["refresh_token"] == token)


# --- answers ---

ACCESS, ID = "eyJraWQiOiJhIn0.eyJzdWIiOiJhIn0.c2ln", "eyJraWQiOiJiIn0.eyJzdWIiOiJhIn0.c2ln"
# Wire sheet 3.1.
ANSWER: dict[str, object] = {
    "id_token": ID,
    "access_token": ACCESS,
    "refresh_token": REFRESH,
    "expires_in": 3600,
    "token_type": "Bearer",
}


def parse(response: HttpResponse, *, grant: str = "authorization_code", secrets: tuple[str, ...] = ()) -> TokenSet:
    """Read an answer that arrived now."""
    return parse_token_response(response, received_at=NOW, grant=grant, secrets=secrets)


def without(*names: str) -> dict[str, object]:
    """Return the answer without some members."""
    return {name: value for name, value in ANSWER.items() if name not in names}


@pytest.mark.parametrize(
    ("body", "id_token", "refresh_token"),
    [
        pytest.param(ANSWER, ID, REFRESH, id="code"),
        pytest.param(without("refresh_token"), ID, None, id="refresh without rotation"),
        pytest.param(without("refresh_token", "id_token"), None, None, id="client credentials"),
        pytest.param({**ANSWER, "id_token": None, "refresh_token": None}, None, None, id="null for absent"),
        pytest.param({**ANSWER, "token_type": "bearer"}, ID, REFRESH, id="bearer"),
        pytest.param({**ANSWER, "token_type": "BEARER"}, ID, REFRESH, id="BEARER"),
        pytest.param({**ANSWER, "scope": "openid", "new": {"a": [1]}}, ID, REFRESH, id="members nobody knows"),
        pytest.param({**ANSWER, "error": None}, ID, REFRESH, id="null for no error"),
        pytest.param({**ANSWER, "refresh_token": "opaque"}, ID, "opaque", id="an opaque refresh token"),
    ],
)
def test_every_documented_answer_is_read(
    body: Mapping[str, object], id_token: str | None, refresh_token: str | None
) -> None:
    """Wire sheet 3.1: the three answers, and what may be added to them; the type is Bearer in any case."""
    assert parse(answer(body)) == TokenSet(
        access_token=ACCESS,
        expires_at=NOW + 3600,
        id_token=id_token,
        refresh_token=refresh_token,
        claims=None,
        token_type="Bearer",
    )


def test_rfc_6749s_example_lacks_nothing() -> None:
    """RFC 6749 section 5.1, the example of a successful response, with its member of another specification."""
    body = {
        "access_token": "2YotnFZFEjr1zCsicMWpAA",
        "token_type": "example",
        "expires_in": 3600,
        "refresh_token": "tGzv3JOkF0XG5Qx2TlKWIA",
        "example_parameter": "example_value",
    }
    assert parse(answer({**body, "token_type": "Bearer"})).refresh_token == "tGzv3JOkF0XG5Qx2TlKWIA"


@pytest.mark.parametrize(
    "expires_in",
    [
        pytest.param(b"0", id="zero"),
        pytest.param(b"-3600", id="negative"),
        pytest.param(b'"3600"', id="a string"),
        pytest.param(b"3600.0", id="a float"),
        pytest.param(b"3.6e3", id="an exponent"),
        pytest.param(b"true", id="a boolean"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[3600]", id="an array"),
        pytest.param(b"{}", id="an object"),
        pytest.param(b"316224001", id="more than ten years"),
        pytest.param(b"1" + b"0" * 400, id="400 digits"),
        pytest.param(b"1e400", id="infinity"),
        pytest.param(b"NaN", id="NaN"),
    ],
)
def test_an_odd_lifetime_is_refused(expires_in: bytes) -> None:
    """`expires_in` is a positive whole number of seconds (RFC 6749 appendix A.14), of at most the longest lifetime."""
    body = json.dumps({**ANSWER, "expires_in": 0}).encode().replace(b'"expires_in": 0', b'"expires_in": ' + expires_in)
    with pytest.raises(
        ProtocolError, match=r"^Cannot use the token answer: (no usable expires_in|it is not valid|it holds a number)"
    ):
        parse(answer(body))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(without("access_token"), r"no usable access_token in it", id="no access token"),
        pytest.param(without("expires_in"), r"no usable expires_in in it", id="no lifetime"),
        pytest.param(without("token_type"), r"no usable token_type in it", id="no type"),
        pytest.param({}, r"no usable access_token, expires_in, token_type in it", id="an empty object"),
        pytest.param({"error": None}, r"no usable access_token", id="neither tokens nor an error"),
        pytest.param({**ANSWER, "access_token": ""}, r"no usable access_token", id="an empty token"),
        pytest.param({**ANSWER, "access_token": None}, r"no usable access_token", id="a token that is null"),
        pytest.param({**ANSWER, "access_token": [ACCESS]}, r"no usable access_token", id="a token in an array"),
        pytest.param({**ANSWER, "access_token": "a b"}, r"no usable access_token", id="a token with a space"),
        pytest.param({**ANSWER, "access_token": ACCESS + "\n"}, r"no usable access_token", id="a token with a break"),
        pytest.param({**ANSWER, "access_token": "é"}, r"no usable access_token", id="a token not ASCII"),
        pytest.param({**ANSWER, "access_token": "a" * 131073}, r"no usable access_token", id="a token too long"),
        pytest.param({**ANSWER, "id_token": ""}, r"no usable id_token", id="an empty ID token"),
        pytest.param({**ANSWER, "id_token": 5}, r"no usable id_token", id="an ID token that is a number"),
        pytest.param({**ANSWER, "refresh_token": ""}, r"no usable refresh_token", id="an empty refresh token"),
        pytest.param(
            {**ANSWER, "refresh_token": {}}, r"no usable refresh_token", id="a refresh token that is an object"
        ),
        pytest.param({**ANSWER, "token_type": 1}, r"no usable token_type", id="a type that is a number"),
        pytest.param({**ANSWER, "token_type": ""}, r"expected token_type 'Bearer', got ''", id="an empty type"),
        pytest.param({**ANSWER, "token_type": "N_A"}, r"expected token_type 'Bearer', got 'N_A'", id="another type"),
        pytest.param({**ANSWER, "token_type": "DPoP"}, r"expected token_type 'Bearer', got 'DPoP'", id="DPoP"),
        pytest.param({**ANSWER, "token_type": ACCESS}, r"got '\[removed\]'", id="a token as the type"),
        pytest.param({**ANSWER, "error": "invalid_grant"}, r"it holds an error and tokens", id="an error and tokens"),
    ],
)
def test_an_answer_that_breaks_the_protocol_is_refused(body: Mapping[str, object], message: str) -> None:
    """The message names the members, and shows none of their values."""
    with pytest.raises(ProtocolError, match=r"^Cannot use the token answer: .*" + message) as caught:
        parse(answer(body))
    assert not any(secret in str(caught.value) for secret in (ACCESS, ID, REFRESH))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None  # pydantic's error would hold every token of the answer


@pytest.mark.parametrize(
    ("response", "message"),
    [
        pytest.param(answer(ANSWER, content_type=HTML), r"application/json, got text/html", id="JSON labelled HTML"),
        pytest.param(answer(ANSWER, content_type=None), r"got none", id="no content type"),
        pytest.param(answer(b"<html>Log in to the Wi-Fi", content_type=HTML), r"got text/html", id="a captive portal"),
        pytest.param(answer(b""), r"is not valid JSON", id="empty"),
        pytest.param(answer(json.dumps(ANSWER).encode()[:-1]), r"is not valid JSON", id="truncated"),
        pytest.param(answer([ANSWER]), r"is no JSON object", id="an array"),
        pytest.param(answer(b'{"access_token":"a","access_token":"b"}'), r"has a member twice", id="a member twice"),
        pytest.param(answer(b'{"access_token":"\xff"}'), r"is not valid JSON", id="no UTF-8"),
        pytest.param(answer(ANSWER, status=201), r"answered 201: no OAuth answer", id="201"),
        pytest.param(answer(b"", status=204, content_type=None), r"answered 204", id="204"),
        pytest.param(answer(ANSWER, status=302, location="https://evil.com"), r"answered 302", id="redirect"),
        pytest.param(answer(b"", status=405, content_type=None), r"answered 405", id="405"),
    ],
)
def test_what_is_no_token_answer_is_refused(response: HttpResponse, message: str) -> None:
    """Another content type, broken JSON or another status is never taken for tokens."""
    with pytest.raises(ProtocolError, match=message) as caught:
        parse(response)
    assert caught.value.explain()


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        pytest.param(answer({"error": "invalid_grant"}, status=400), InvalidGrantError, id="400 invalid_grant"),
        pytest.param(answer({"error": "invalid_grant"}), InvalidGrantError, id="200 invalid_grant"),
        pytest.param(answer({"error": "invalid_client"}, status=401), InvalidClientError, id="401 invalid_client"),
        pytest.param(answer({"error": "invalid_client"}, status=400), InvalidClientError, id="400 invalid_client"),
        pytest.param(answer({"error": "invalid_scope"}, status=400), OAuthError, id="invalid_scope"),
        pytest.param(answer(b"", status=429, content_type=None), RateLimitedError, id="429"),
        pytest.param(answer(b"<html>", status=403, content_type=HTML), TransportError, id="a firewall"),
        pytest.param(answer(b"<html>", status=502, content_type=HTML), TransportError, id="502"),
    ],
)
def test_an_error_answer_has_its_exception(response: HttpResponse, kind: type[CognitoOidcError]) -> None:
    """Every refusal of wire sheet 3.2 is its own exception; the status never decides alone."""
    assert type(outcome(lambda: parse(response))) is kind


@pytest.mark.parametrize("status", [200, 400])
def test_a_refusal_is_explained_by_the_grant_and_quotes_no_secret(status: int) -> None:
    """What was sent is known here: it tells the likely causes, and what must not be repeated."""
    body = {"error": "invalid_grant", "error_description": f"{CODE} of hunter2"}
    result = outcome(lambda: parse(answer(body, status=status), secrets=(CODE, "hunter2")))
    assert isinstance(result, InvalidGrantError)
    assert result.description == "[removed] of [removed]"
    assert "used before" in result.explain()[0]


@given(answers())
def test_any_answer_gives_tokens_or_our_error(response: HttpResponse) -> None:
    """Nothing but an error of ours leaves the parser."""
    result = outcome(lambda: parse(response))
    assert isinstance(result, TokenSet | CognitoOidcError)
    assert str(result).isprintable()


@given(st.dictionaries(st.sampled_from([*ANSWER, "error"]), json_values() | st.text("ab.", min_size=1), max_size=5))
def test_any_member_gives_tokens_or_our_error(changes: dict[str, object]) -> None:
    """Members of any JSON type are taken or refused, and tokens are never changed."""
    result = outcome(lambda: parse(answer({**ANSWER, **changes})))
    assert isinstance(result, TokenSet | CognitoOidcError)
    assert not isinstance(result, TokenSet) or result.access_token == {**ANSWER, **changes}["access_token"]


# --- refresh tokens ---


def tokens(**changes: object) -> TokenSet:
    """Return a set of tokens with claims, as after a login."""
    claims = IdTokenClaims({name: freeze(value) for name, value in id_payload().items()})
    values = {"access_token": ACCESS, "expires_at": NOW, "id_token": ID, "refresh_token": REFRESH, "claims": claims}
    return TokenSet(**{**values, **changes})  # type: ignore[arg-type]


def test_the_old_refresh_token_is_kept_where_none_came() -> None:
    """Wire sheet 3.3, rotation off: the refresh token is unchanged and stays good."""
    assert keep_refresh_token(tokens(refresh_token=None), "old") == tokens(refresh_token="old")


def test_the_new_refresh_token_replaces_the_old() -> None:
    """Wire sheet 3.3, rotation on: the old one dies, the new one is kept, in one value."""
    assert keep_refresh_token(tokens(), "old") == tokens()


# --- revocation ---


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(answer(b"", content_type=None), id="empty, as documented"),
        pytest.param(answer({}), id="JSON"),
        pytest.param(answer(b"ok", content_type=HTML), id="anything"),
    ],
)
def test_any_200_says_revoked(response: HttpResponse) -> None:
    """RFC 7009 section 2.2: 200 also for a token that was revoked before; the body is ignored."""
    assert outcome(lambda: parse_revocation_response(response)) is None


@pytest.mark.parametrize(
    ("response", "kind", "cause"),
    [
        pytest.param(answer({"error": "invalid_request"}, status=400), OAuthError, "switched off", id="switched off"),
        pytest.param(answer({"error": "unsupported_token_type"}, status=400), OAuthError, "only refresh", id="type"),
        pytest.param(answer({"error": "invalid_client"}, status=401), InvalidClientError, "none was sent", id="client"),
        pytest.param(answer(b"", status=503, content_type=None), TransportError, "try again", id="503"),
        pytest.param(answer(b"", status=429, content_type=None), RateLimitedError, "Quotas", id="429"),
        pytest.param(answer(b"", status=302, content_type=None), ProtocolError, "domain is wrong", id="redirect"),
        pytest.param(answer(b"", status=204, content_type=None), ProtocolError, "domain is wrong", id="204"),
    ],
)
def test_a_refused_revocation_has_its_exception(
    response: HttpResponse, kind: type[CognitoOidcError], cause: str
) -> None:
    """Wire sheet 5: every outcome of the revocation endpoint, with its likely cause first."""
    result = outcome(lambda: parse_revocation_response(response, secrets=(REFRESH,)))
    assert type(result) is kind
    assert cause in " ".join(getattr(result, "explain", tuple)())


# --- the value ---


def test_the_repr_shows_no_token() -> None:
    """Neither repr nor str shows a token or what a person is called."""
    text = f"{tokens()!r}{tokens()!s}"
    assert not any(secret in text for secret in (ACCESS, ID, REFRESH, "alice@example.com"))
    assert "expires_at=1800000000.5" in text


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])  # noqa: S301 - our own bytes
def test_tokens_can_be_pickled_and_copied(copier: object) -> None:
    """Sessions of web frameworks pickle what they hold."""
    twin = copier(tokens())  # type: ignore[operator]
    assert (twin, hash(twin)) == (tokens(), hash(tokens()))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(tokens(), id="everything"),
        pytest.param(tokens(claims=None, id_token=None, refresh_token=None), id="a machine's"),
        pytest.param(tokens(expires_at=1_800_000_000), id="whole seconds"),
    ],
)
def test_tokens_come_back_from_a_database(value: TokenSet) -> None:
    """`to_dict` gives JSON, and `from_dict` the same tokens, claims and their arrays included."""
    twin = TokenSet.from_dict(json.loads(json.dumps(value.to_dict())))
    assert twin == value
    assert twin.claims is None or twin.claims.groups == ("admins",)


def test_unknown_members_of_a_stored_set_are_ignored() -> None:
    """A newer version may have stored more."""
    assert TokenSet.from_dict({**tokens().to_dict(), "new": 1}) == tokens()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"access_token": None}, id="no access token"),
        pytest.param({"access_token": "a b"}, id="a broken access token"),
        pytest.param({"expires_at": "soon"}, id="a text as a time"),
        pytest.param({"expires_at": True}, id="a boolean as a time"),
        pytest.param({"expires_at": float("nan")}, id="no number"),
        pytest.param({"expires_at": float("inf")}, id="no end"),
        pytest.param({"refresh_token": 5}, id="a number as a token"),
        pytest.param({"token_type": None}, id="no type"),
        pytest.param({"claims": []}, id="claims that are an array"),
        pytest.param({"claims": {}}, id="empty claims"),
        pytest.param({"claims": id_payload(sub=None)}, id="claims without a sub"),
        pytest.param({"claims": id_payload(aud=["a"])}, id="claims with an audience array"),
        pytest.param({"claims": id_payload(exp="tomorrow")}, id="claims with a text as a time"),
        pytest.param({"claims": id_payload(x=json.loads("[" * 40 + "]" * 40))}, id="deep claims"),
    ],
)
def test_what_to_dict_did_not_write_is_refused(changes: Mapping[str, object]) -> None:
    """A broken record is found when it is read, and not at the first use of the tokens; the message shows no token."""
    with pytest.raises(
        ConfigurationError, match=r"^TokenSet\.from_dict: expected the mapping that to_dict\(\) returned\.$"
    ) as caught:
        TokenSet.from_dict({**tokens().to_dict(), **changes})
    assert caught.value.__context__ is None


@given(anything() | st.dictionaries(st.sampled_from([*tokens().to_dict()]), anything()))
def test_any_record_gives_tokens_or_our_error(record: object) -> None:
    """Whatever a store returned, the error is ours."""
    assert isinstance(outcome(lambda: TokenSet.from_dict(record)), TokenSet | ConfigurationError)  # type: ignore[arg-type]
