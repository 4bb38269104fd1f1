import copy
import json
import pickle
import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.errors import (
    CognitoOidcError,
    ConfigurationError,
    OAuthError,
    ProtocolError,
    RateLimitedError,
    TransportError,
)
from cognito_oidc.protocol.typed_claims import Identity
from cognito_oidc.protocol.userinfo import UserInfo, parse_userinfo_response, userinfo_request
from cognito_oidc.protocol.wire import Endpoint, HttpResponse
from tests.answers import HTML, REQUEST_ID, answer, answers, anything, json_values, outcome

ENDPOINT = "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/userInfo"
ACCESS = "eyJraWQiOiJhIn0.eyJzdWIiOiJhIn0.c2ln"
SUB = "44e8b438-a061-70ca-faa7-3d3e93c015cb"

# Wire sheet 4: the documented answer; every value is a string.
ANSWER: dict[str, object] = {
    "sub": SUB,
    "email_verified": "true",
    "custom:mycustom1": "CustomValue",
    "phone_number_verified": "false",
    "phone_number": "+12065551212",
    "email": "bob@example.com",
    "username": "bob",
}
# Wire sheet 7.6, and the identity it stands for.
IDENTITIES = [
    {
        "userId": "248289761001",
        "providerName": "MyOIDC",
        "providerType": "OIDC",
        "issuer": None,
        "primary": "true",
        "dateCreated": "1642699117273",
    }
]
NOBODY = Identity(user_id=None, provider_name=None, provider_type=None, issuer=None, primary=None, date_created=None)
IDENTITY = Identity(
    user_id="248289761001",
    provider_name="MyOIDC",
    provider_type="OIDC",
    issuer=None,
    primary=True,
    date_created=1642699117273,
)


def parse(response: HttpResponse, *, expected_sub: str | None = SUB) -> UserInfo:
    """Read an answer about the person whose ID token we have."""
    return parse_userinfo_response(response, expected_sub=expected_sub)


def read(**changes: object) -> UserInfo:
    """Read the documented answer with some members changed."""
    return parse(answer({**ANSWER, **changes}))


# --- the request ---


def test_the_token_goes_into_the_header_alone() -> None:
    """RFC 6750 section 2.1, wire sheet 4: GET, `Authorization: Bearer`, nothing in the URL, and no repr shows it."""
    request = userinfo_request(ACCESS, userinfo_endpoint=ENDPOINT)
    assert (request.method, request.url, request.body) == ("GET", ENDPOINT, b"")
    assert dict(request.headers)["Authorization"] == f"Bearer {ACCESS}"
    assert (request.endpoint, request.repeatable) == (Endpoint.USERINFO, True)
    assert ACCESS not in repr(request)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param(f"Bearer {ACCESS}", id="with its scheme"),
        pytest.param(ACCESS + "\r\nX-Evil: 1", id="another header in it"),
        pytest.param(ACCESS + "\n", id="a line break"),
        pytest.param("é", id="no ASCII"),
        pytest.param("\ud800", id="surrogate"),
        pytest.param(None, id="nothing"),
        pytest.param(ACCESS.encode(), id="bytes"),
    ],
)
def test_what_is_no_token_is_not_sent(token: str) -> None:
    """A header cannot carry it; the message says which token is meant, without showing it."""
    with pytest.raises(
        ConfigurationError, match=r"^The access token is empty or no token: pass tokens\.access_token as"
    ):
        userinfo_request(token, userinfo_endpoint=ENDPOINT)


@given(anything())
def test_any_token_is_sent_as_it_is_or_refused(token: object) -> None:
    """Whatever is passed, the error is ours, and what is sent is one header."""
    result = outcome(lambda: dict(userinfo_request(token, userinfo_endpoint=ENDPOINT).headers)["Authorization"])  # type: ignore[arg-type]
    assert isinstance(result, ConfigurationError) or result == f"Bearer {token}"


# --- the answer ---


def test_the_documented_answer_is_read() -> None:
    """Wire sheet 4: strings become booleans; absent attributes are None; `raw` keeps the wire."""
    assert read() == UserInfo(
        sub=SUB,
        username="bob",
        email="bob@example.com",
        email_verified=True,
        phone_number="+12065551212",
        phone_number_verified=False,
        name=None,
        given_name=None,
        family_name=None,
        preferred_username=None,
        identities=(),
        updated_at=None,
        raw=ANSWER,
    )


def test_openid_connects_example_is_read() -> None:
    """OpenID Connect Core 1.0 section 5.3.2, the example of a successful response."""
    body = {
        "sub": "248289761001",
        "name": "Jane Doe",
        "given_name": "Jane",
        "family_name": "Doe",
        "preferred_username": "j.doe",
        "email": "janedoe@example.com",
        "picture": "http://example.com/janedoe/me.jpg",
    }
    info = parse(answer(body), expected_sub="248289761001")
    assert (info.name, info.given_name, info.family_name) == ("Jane Doe", "Jane", "Doe")
    assert (info.preferred_username, info.email, info.email_verified) == ("j.doe", "janedoe@example.com", None)
    assert info.raw["picture"] == "http://example.com/janedoe/me.jpg"


@pytest.mark.parametrize("name", ["email_verified", "phone_number_verified"])
@pytest.mark.parametrize(
    ("value", "read_as"),
    [
        pytest.param("true", True, id="Cognito's true"),
        pytest.param("false", False, id="Cognito's false"),
        pytest.param("True", True, id="True"),
        pytest.param(True, True, id="a boolean"),
        pytest.param(False, False, id="a boolean, false"),
        pytest.param("", None, id="empty"),
        pytest.param("yes", None, id="another word"),
        pytest.param("1", None, id="a digit"),
        pytest.param(1, None, id="a number"),
        pytest.param(None, None, id="null"),
        pytest.param(["true"], None, id="an array"),
    ],
)
def test_verified_is_a_boolean_or_unknown(name: str, value: object, read_as: bool | None) -> None:
    """The two string booleans become booleans; what is neither is None, which is not False."""
    info = read(**{name: value})
    assert getattr(info, name) is read_as
    assert info.raw[name] == (tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize(
    ("value", "read_as"),
    [
        pytest.param(json.dumps(IDENTITIES), (IDENTITY,), id="a JSON text, as Cognito sends every value"),
        pytest.param(IDENTITIES, (IDENTITY,), id="an array"),
        pytest.param(
            [{**IDENTITIES[0], "primary": True, "dateCreated": 1642699117273}], (IDENTITY,), id="booleans and numbers"
        ),
        pytest.param(IDENTITIES * 2, (IDENTITY, IDENTITY), id="two"),
        pytest.param([{}], (NOBODY,), id="an empty identity"),
        pytest.param([5, IDENTITIES[0]], (IDENTITY,), id="one that is none"),
        pytest.param("[]", (), id="an empty JSON text"),
        pytest.param("", (), id="an empty text"),
        pytest.param("[{", (), id="a broken JSON text"),
        pytest.param('[],"sub":"evil"', (), id="more than a value"),
        pytest.param('[{"userId":"a","userId":"b"}]', (), id="a member twice"),
        pytest.param("[" * 40 + "]" * 40, (), id="deep"),
        pytest.param("{}", (), id="an object"),
        pytest.param(None, (), id="null"),
        pytest.param({"userId": "a"}, (), id="one that is not in an array"),
    ],
)
def test_identities_are_read_in_either_form(value: object, read_as: tuple[Identity, ...]) -> None:
    """Wire sheet 4: whether `identities` is a JSON text or an array is unconfirmed; both give identities."""
    assert read(identities=value).identities == read_as


@pytest.mark.parametrize(
    ("value", "read_as"),
    [
        pytest.param("1642699117", 1642699117, id="a text, as Cognito sends every value"),
        pytest.param(1642699117, 1642699117, id="a number, as OpenID Connect has it"),
        pytest.param("0", 0, id="zero"),
        pytest.param("-1", None, id="negative text"),
        pytest.param("2022-01-20", None, id="a date"),
        pytest.param("\u0661", None, id="digits of another script"),
        pytest.param("9" * 17, None, id="17 digits"),
        pytest.param("", None, id="empty"),
        pytest.param(True, None, id="a boolean"),
        pytest.param(None, None, id="null"),
        pytest.param([1642699117], None, id="an array"),
    ],
)
def test_updated_at_is_read_in_either_form(value: object, read_as: int | None) -> None:
    """Wire sheet 4: `updated_at` as a text or a number of seconds."""
    assert read(updated_at=value).updated_at == read_as


@pytest.mark.parametrize(
    "name", ["username", "email", "phone_number", "name", "given_name", "family_name", "preferred_username"]
)
@pytest.mark.parametrize("value", [5, True, None, ["a"], {"a": "b"}])
def test_an_attribute_of_an_odd_type_is_none(name: str, value: object) -> None:
    """Attributes are lenient: an odd one is None, and `raw` keeps what came."""
    info = read(**{name: value})
    assert getattr(info, name) is None
    assert info.sub == SUB


@pytest.mark.parametrize(
    ("body", "expected_sub", "message"),
    [
        pytest.param({**ANSWER, "sub": "another"}, SUB, r"is of another person than expected", id="another person"),
        pytest.param({**ANSWER, "sub": SUB.upper()}, SUB, r"is of another person", id="another case"),
        pytest.param({**ANSWER, "sub": SUB + " "}, SUB, r"is of another person", id="a space"),
        pytest.param(ANSWER, "", r"is of another person", id="an empty expectation"),
        pytest.param(ANSWER, "\ud800", r"is of another person", id="an expectation of a surrogate"),
        pytest.param(ANSWER, 5, r"is of another person", id="an expectation of a number"),
        pytest.param({"email": "a"}, None, r"it has no sub", id="no sub"),
        pytest.param({**ANSWER, "sub": ""}, None, r"it has no sub", id="an empty sub"),
        pytest.param({**ANSWER, "sub": None}, None, r"it has no sub", id="a null sub"),
        pytest.param({**ANSWER, "sub": [SUB]}, SUB, r"it has no sub", id="a sub in an array"),
    ],
)
def test_the_attributes_of_somebody_else_are_refused(
    body: Mapping[str, object], expected_sub: str | None, message: str
) -> None:
    """OpenID Connect Core 1.0 section 5.3.2: `sub` must exactly match the ID token's, or nothing is used."""
    with pytest.raises(ProtocolError, match=r"^Cannot use the userInfo answer: .*" + message) as caught:
        parse(answer(body), expected_sub=expected_sub)
    assert "bob@example.com" not in str(caught.value)


def test_not_checking_the_person_is_written_out() -> None:
    """None says 'not checked', for who has an access token alone."""
    assert parse(answer(ANSWER), expected_sub=None).sub == SUB


@pytest.mark.parametrize(
    ("response", "message"),
    [
        pytest.param(answer(ANSWER, content_type=HTML), r"got text/html", id="JSON labelled HTML"),
        pytest.param(answer(ANSWER, content_type="application/jwt"), r"got application/jwt", id="a signed answer"),
        pytest.param(answer(ANSWER, content_type=None), r"got none", id="no content type"),
        pytest.param(answer(b""), r"is not valid JSON", id="empty"),
        pytest.param(answer(json.dumps(ANSWER).encode()[:-1]), r"is not valid JSON", id="truncated"),
        pytest.param(answer(b'{"sub":"a","sub":"b"}'), r"has a member twice", id="sub twice"),
        pytest.param(answer([ANSWER]), r"is no JSON object", id="an array"),
        pytest.param(answer(ANSWER, status=201), r"answered 201", id="201"),
        pytest.param(answer(b"", status=302, content_type=None), r"answered 302", id="redirect"),
    ],
)
def test_what_is_no_userinfo_answer_is_refused(response: HttpResponse, message: str) -> None:
    """Another content type, broken JSON or another status is never taken for a person."""
    with pytest.raises(ProtocolError, match=message):
        parse(response)


# --- refusals ---

# Wire sheet 4: both headers as documented, without the scheme word.
BAD_REQUEST = 'error="invalid_request", error_description="Bad OAuth2 request at UserInfo Endpoint"'
NO_OPENID = "Access token does not contain openid scope"  # simov/grant#189
BAD_TOKEN = (
    'error="invalid_token", error_description="Access token is expired, disabled, or deleted, or the user has globally '
    'signed out."'
)


@pytest.mark.parametrize(
    ("status", "header", "error", "description", "cause"),
    [
        pytest.param(
            400,
            BAD_REQUEST,
            "invalid_request",
            "Bad OAuth2 request at UserInfo Endpoint",
            "malformed",
            id="400, documented",
        ),
        pytest.param(
            401,
            BAD_TOKEN,
            "invalid_token",
            "Access token is expired, disabled, or deleted, or the user has globally signed out.",
            "expired",
            id="401, documented",
        ),
        pytest.param(401, 'Bearer realm="x", error="invalid_token"', "invalid_token", None, "expired", id="RFC 6750"),
        pytest.param(401, 'bearer ERROR="invalid_token"', "invalid_token", None, "expired", id="another case"),
        pytest.param(
            403,
            f'Bearer error="insufficient_scope", error_description="{NO_OPENID}", scope="openid"',
            "insufficient_scope",
            NO_OPENID,
            "openid",
            id="no openid",
        ),
        pytest.param(
            401,
            'error="x", error_description="a\tb ' + "k" * 40 + '"',
            "x",
            "a b [removed]",
            None,
            id="a secret and a control character",
        ),
        pytest.param(401, 'error="' + "kK1" * 20 + '"', "[removed]", None, None, id="a secret as the error"),
    ],
)
def test_a_refusal_is_read_from_its_header(
    status: int, header: str, error: str, description: str | None, cause: str | None
) -> None:
    """RFC 6750 section 3, wire sheet 4: the header is read with and without its scheme, whatever the body says."""
    response = answer(b"", status=status, www_authenticate=header, x_amz_cognito_request_id=REQUEST_ID)
    result = outcome(lambda: parse(response))
    assert isinstance(result, OAuthError)
    assert (result.error, result.description, result.status) == (error, description, status)
    assert result.request_id == REQUEST_ID
    assert cause is None or cause in " ".join(result.explain())
    assert result.http_status == (401 if error == "invalid_token" else 502)
    assert OAuthError.http_status == 502


def test_a_body_that_says_that_the_token_is_no_longer_good_means_401() -> None:
    """The person signs in again, whichever part of the answer says so."""
    refusal = outcome(lambda: parse(answer({"error": "invalid_token"}, status=401)))
    assert isinstance(refusal, OAuthError)
    assert refusal.http_status == 401


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        pytest.param(answer({"error": "invalid_token"}, status=401), OAuthError, id="a body without a header"),
        pytest.param(answer(b"", status=401, www_authenticate='Basic realm="x"'), ProtocolError, id="another scheme"),
        pytest.param(answer(b"", status=401, www_authenticate='error=""'), ProtocolError, id="an empty error"),
        pytest.param(answer(b"", status=401, www_authenticate="error=x"), ProtocolError, id="no quotes"),
        pytest.param(answer(b"", status=401, www_authenticate='my_error="x"'), ProtocolError, id="another parameter"),
        pytest.param(answer(b"", status=429, www_authenticate=BAD_TOKEN, retry_after="2"), RateLimitedError, id="429"),
        pytest.param(answer(b"", status=503, www_authenticate=BAD_TOKEN), TransportError, id="503"),
        pytest.param(answer(b"<html>", status=403, content_type=HTML), TransportError, id="a firewall"),
        pytest.param(answer(b"", status=404), ProtocolError, id="404"),
    ],
)
def test_another_refusal_has_its_exception(response: HttpResponse, kind: type[CognitoOidcError]) -> None:
    """Without an error in the header the body decides; a busy or broken server did not judge the token."""
    result = outcome(lambda: parse(response))
    assert type(result) is kind
    assert kind is not ProtocolError or result.explain()


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("a" * 200_000, id="a word without an end"),
        pytest.param('a="' * 60_000, id="quotes without an end"),
        pytest.param("error=" * 40_000, id="no quotes"),
    ],
)
def test_a_hostile_header_costs_no_time(header: str) -> None:
    """A header is read in a time that does not grow with the square of its length."""
    started = time.thread_time()
    outcome(lambda: parse(answer(b"", status=401, www_authenticate=header)))
    assert time.thread_time() - started < 5


# --- the value ---


def test_the_repr_shows_no_attributes() -> None:
    """Who it is may be logged, how to reach them not."""
    text = f"{read(name='Bob Kelso', identities=IDENTITIES)!r}"
    assert not any(private in text for private in ("bob@example.com", "+1206", "Kelso", "CustomValue", "248289761001"))
    assert SUB in text


def test_raw_is_read_only_to_its_depths() -> None:
    """Nobody changes what came, not in a nested value either."""
    info = read(identities=IDENTITIES)
    with pytest.raises(TypeError):
        info.raw["sub"] = "evil"  # type: ignore[index]
    with pytest.raises(TypeError):
        info.raw["identities"][0]["userId"] = "evil"  # type: ignore[index]


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])  # noqa: S301 - our own bytes
def test_attributes_can_be_pickled_and_copied(copier: object) -> None:
    """Sessions of web frameworks pickle what they hold."""
    info = read(identities=IDENTITIES, updated_at="5")
    twin = copier(info)  # type: ignore[operator]
    assert (twin, hash(twin), twin.raw) == (info, hash(info), info.raw)


# --- any input ---


@given(answers(), st.none() | st.just(SUB) | st.text())
def test_any_answer_gives_attributes_or_our_error(response: HttpResponse, expected_sub: str | None) -> None:
    """Nothing but an error of ours leaves the parser."""
    result = outcome(lambda: parse(response, expected_sub=expected_sub))
    assert isinstance(result, UserInfo | CognitoOidcError)


@given(st.dictionaries(st.sampled_from([*ANSWER, "identities", "updated_at", "name"]) | st.text(), json_values()))
def test_any_attributes_are_read(attributes: dict[str, object]) -> None:
    """Whatever attributes hold, the person is read, and `raw` keeps every name."""
    info = parse(answer({**attributes, "sub": SUB}))
    assert (info.sub, set(info.raw)) == (SUB, {*attributes, "sub"})


@given(st.text())
def test_any_text_is_identities_or_none(text: str) -> None:
    """A text that is no array of objects gives no identities, and no error."""
    assert isinstance(read(identities=text).identities, tuple)
