import json
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.errors import (
    CognitoOidcError,
    InvalidClientError,
    InvalidGrantError,
    OAuthError,
    ProtocolError,
    RateLimitedError,
    TransportError,
)
from cognito_oidc.protocol.oauth_errors import (
    clean_request_id,
    likely_causes,
    likely_causes_of_code,
    parse_oauth_error,
    parse_retry_after,
    says_nothing,
)
from cognito_oidc.protocol.wire import Endpoint, HttpResponse
from tests.answers import HTML, REQUEST_ID, answer, answers, json_values

SECRET = "9l5s3cr3t9l5s3cr3t9l5s3cr3t9l5s3cr3t9l5s3cr3t9l5s3c"
CODE = "0a1b2c3d-4e5f-6789-abcd-ef0123456789"


def judge(
    response: HttpResponse, *, grant: str = "authorization_code", secrets: tuple[str, ...] = ()
) -> CognitoOidcError:
    """Return what an answer of the token endpoint means."""
    return parse_oauth_error(response, endpoint=Endpoint.TOKEN, grant=grant, secrets=secrets)


# Wire sheet 3.2 and 5: each documented error, with the status its sources give and others seen or possible.
@pytest.mark.parametrize("status", [400, 401, 403, 200])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param("invalid_grant", InvalidGrantError, id="invalid_grant"),
        pytest.param("invalid_client", InvalidClientError, id="invalid_client"),
        pytest.param("invalid_request", OAuthError, id="invalid_request"),
        pytest.param("unauthorized_client", OAuthError, id="unauthorized_client"),
        pytest.param("unsupported_grant_type", OAuthError, id="unsupported_grant_type"),
        pytest.param("unsupported_token_type", OAuthError, id="unsupported_token_type"),
        pytest.param("invalid_scope", OAuthError, id="invalid_scope"),
        pytest.param("something_new_of_next_year", OAuthError, id="one nobody knows"),
    ],
)
def test_the_error_member_decides_and_not_the_status(status: int, error: str, kind: type[OAuthError]) -> None:
    """Cognito's statuses vary: the same error is the same exception under each of them."""
    result = judge(answer({"error": error}, status=status))
    assert isinstance(result, OAuthError)
    assert (type(result), result.error, result.status, result.description) == (kind, error, status, None)
    assert str(result) == f"The token endpoint refused: {error}."


def test_everything_the_server_said_is_kept() -> None:
    """Description, request id and Retry-After come along; members nobody knows are ignored."""
    body = {
        "error": "invalid_client",
        "error_description": "invalid_client_secret",
        "error_uri": "https://x",
        "new": [1],
    }
    result = judge(answer(body, status=400, x_amz_cognito_request_id=REQUEST_ID, retry_after="3"))
    assert isinstance(result, InvalidClientError)
    assert (result.description, result.request_id, result.retry_after) == ("invalid_client_secret", REQUEST_ID, 3.0)
    assert str(result) == "The token endpoint refused: invalid_client (invalid_client_secret)."


def test_rfc_6749s_example_is_read() -> None:
    """RFC 6749 section 5.2, the example of an error response."""
    response = HttpResponse(
        status=400,
        headers={"content-type": "application/json;charset=UTF-8", "cache-control": "no-store", "pragma": "no-cache"},
        body=b'{\n  "error":"invalid_request"\n}',
    )
    assert getattr(judge(response), "error", None) == "invalid_request"


@pytest.mark.parametrize(
    ("error", "grant", "causes"),
    [
        pytest.param(
            "invalid_grant",
            "authorization_code",
            ["used before", "five minutes", "code_verifier", "another app client", "attribute"],
            id="a code",
        ),
        pytest.param(
            "invalid_grant",
            "refresh_token",
            ["expired, was revoked", "Rotation", "another app client", "attribute"],
            id="a refresh token",
        ),
        pytest.param(
            "unauthorized_client", "authorization_code", ["redirect_uri", "not switched on"], id="redirect_uri"
        ),
        pytest.param("unauthorized_client", "refresh_token", ["refresh grant"], id="refresh grant off"),
        pytest.param("unauthorized_client", "client_credentials", ["must be its only grant"], id="machine grant off"),
        pytest.param("invalid_scope", "client_credentials", ["custom scopes", "deleted"], id="scope"),
        pytest.param("invalid_request", "revocation", ["switched off"], id="revocation off"),
        pytest.param("unsupported_token_type", "revocation", ["only refresh tokens"], id="an access token revoked"),
        pytest.param(
            "invalid_client",
            "refresh_token",
            ["none was sent", "wrong, or was deleted", "another user pool", "leave client_secret out"],
            id="the client",
        ),
        pytest.param("invalid_request", "authorization_code", ["missing or malformed"], id="a parameter"),
        pytest.param("unsupported_grant_type", "authorization_code", ["not that of a user pool"], id="the grant"),
        pytest.param("invalid_token", "userinfo", ["expired", "openid", "ID token"], id="an access token"),
        pytest.param("insufficient_scope", "userinfo", ["openid"], id="an access token without openid"),
        pytest.param("invalid_request", "userinfo", ["malformed"], id="a broken access token"),
        pytest.param("something_new", "authorization_code", [], id="nobody knows"),
    ],
)
def test_likely_causes_are_ranked(error: str, grant: str, causes: list[str]) -> None:
    """Wire sheet 3.2 and 10: what it probably was, likeliest first, by error and grant."""
    explained = judge(answer({"error": error}, status=400), grant=grant).explain()
    assert len(explained) == len(causes)
    assert all(cause in sentence for cause, sentence in zip(causes, explained, strict=True))


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(answer({"error": "slow_down"}, status=429), id="JSON"),
        pytest.param(answer({"message": "Rate exceeded"}, status=429), id="JSON without an error"),
        pytest.param(answer(b"", status=429, content_type=None), id="empty"),
        pytest.param(answer(b"<html>", status=429, content_type=HTML), id="HTML"),
        pytest.param(answer({"error": "invalid_grant"}, status=429), id="another error"),
    ],
)
def test_429_is_always_too_many_requests(response: HttpResponse) -> None:
    """Wire sheet 3.2: the body of a 429 is not documented, so the status decides, and the tokens are not given up."""
    result = judge(response)
    assert type(result) is RateLimitedError
    assert (result.status, result.retryable, result.retry_after) == (429, True, None)
    assert "Service Quotas" in result.explain()[0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("0", 0.0, id="at once"),
        pytest.param("120", 120.0, id="RFC 9110's example"),
        pytest.param(" 7 ", 7.0, id="spaces"),
        pytest.param("999999999", 86400.0, id="capped at a day"),
        pytest.param("9999999999", None, id="ten digits"),
        pytest.param("Fri, 31 Dec 1999 23:59:59 GMT", None, id="RFC 9110's date, of an answer without one"),
        pytest.param("1.5", None, id="a fraction"),
        pytest.param("-1", None, id="negative"),
        pytest.param("inf", None, id="infinity"),
        pytest.param("1e3", None, id="an exponent"),
        pytest.param("\u0661", None, id="digits of another script"),
        pytest.param("1, 2", None, id="two"),
        pytest.param("", None, id="empty"),
    ],
)
def test_retry_after_is_read_in_seconds(value: str, seconds: float | None) -> None:
    """RFC 9110 section 10.2.3: whole seconds; a date needs a clock; nothing else is believed."""
    assert parse_retry_after({"retry-after": value}) == seconds


@pytest.mark.parametrize(
    ("age", "scopes", "causes"),
    [
        pytest.param(20, ("openid",), ["used before", "code_verifier", "another app client"], id="young"),
        pytest.param(
            299.9, ("openid", "email"), ["used before", "attribute", "code_verifier", "another app client"], id="email"
        ),
        pytest.param(
            300,
            ("openid", "profile", "phone"),
            ["five minutes", "used before", "attribute", "code_verifier", "another app client"],
            id="old",
        ),
    ],
)
def test_causes_of_a_refused_code_are_ranked_by_what_is_known(
    age: float, scopes: tuple[str, ...], causes: list[str]
) -> None:
    """What cannot be is left out: a code is younger than its request, and most scopes imply no attribute."""

    def likely(error: str) -> tuple[str, ...]:
        return likely_causes_of_code(error, request_age=age, scopes=scopes)

    response = answer({"error": "invalid_grant"}, status=400)
    error = parse_oauth_error(response, endpoint=Endpoint.TOKEN, grant="authorization_code", likely=likely)
    assert len(error.explain()) == len(causes)
    assert all(cause in sentence for cause, sentence in zip(causes, error.explain(), strict=True))


@pytest.mark.parametrize("error", ["unauthorized_client", "invalid_client", "never_heard_of"])
def test_other_refusals_of_a_code_mean_what_they_mean(error: str) -> None:
    """Only what a code is refused for depends on its request."""
    known = likely_causes_of_code(error, request_age=1e9, scopes=())
    assert known == likely_causes(error, "authorization_code")


@pytest.mark.parametrize(
    ("until", "now", "seconds"),
    [
        pytest.param("Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:57 GMT", 2.0, id="RFC 9110's date"),
        pytest.param("Fri, 31 Dec 1999 23:59:59 GMT", "Sat, 01 Jan 2000 00:00:00 GMT", 0.0, id="gone by"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 01 Jan 2000 00:00:00 GMT", 86400.0, id="capped at a day"),
        pytest.param("Fri, 31 Dec 1999 23:59:59 GMT", "yesterday", None, id="a clock that is none"),
        pytest.param("Fri, 32 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:57 GMT", None, id="no such day"),
        pytest.param("Fri, 31 Foo 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:57 GMT", None, id="no such month"),
        pytest.param("Fri, 31 Dec 0000 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:57 GMT", None, id="no such year"),
        pytest.param("Friday, 31-Dec-99 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:57 GMT", None, id="the form of 1994"),
    ],
)
def test_retry_after_may_be_a_date(until: str, now: str, seconds: float | None) -> None:
    """RFC 9110 section 10.2.3: it counts by the server's own clock, the Date of the same answer."""
    assert parse_retry_after({"retry-after": until, "date": now}) == seconds


def test_retry_after_may_be_missing() -> None:
    """Cognito promises no such header."""
    assert parse_retry_after({}) is None


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(answer(b"", status=500, content_type=None, retry_after="4"), id="empty"),
        pytest.param(answer(b"<html>", status=502, content_type=HTML, retry_after="4"), id="HTML"),
        pytest.param(answer({"message": "Internal"}, status=503, retry_after="4"), id="JSON without an error"),
        pytest.param(answer({"error": "server_error"}, status=500, retry_after="4"), id="an OAuth error"),
        pytest.param(answer({"error": "invalid_grant"}, status=504, retry_after="4"), id="an error that would end it"),
    ],
)
@pytest.mark.parametrize(
    ("grant", "retryable"),
    [
        pytest.param("authorization_code", False, id="code"),
        pytest.param("refresh_token", False, id="refresh"),
        pytest.param("token_exchange", False, id="exchange"),
        pytest.param("client_credentials", True, id="machine"),
        pytest.param("revocation", True, id="revocation"),
    ],
)
def test_5xx_says_nothing_about_the_grant(response: HttpResponse, grant: str, retryable: bool) -> None:
    """A server in trouble did not judge: the tokens are kept, and a call that uses nothing up may succeed later."""
    result = judge(response, grant=grant)
    assert isinstance(result, TransportError)
    assert (result.sent, result.endpoint, result.status) == ("yes", "token", response.status)
    assert (result.retryable, result.retry_after) == (retryable, 4.0)
    assert ("try again" in result.explain()[0]) == retryable


def test_the_error_of_a_5xx_is_told() -> None:
    """What the server called it stands in the message."""
    result = judge(answer({"error": "temporarily_unavailable"}, status=503))
    assert str(result) == "The token endpoint answered 503: temporarily_unavailable."


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(answer(b"<html>403 Forbidden</html>", status=403, content_type=HTML), id="HTML"),
        pytest.param(answer({"message": "Forbidden"}, status=403), id="JSON without an error"),
        pytest.param(answer(b"", status=403, content_type=None), id="empty"),
    ],
)
def test_a_403_without_an_oauth_error_names_the_firewall(response: HttpResponse) -> None:
    """An AWS WAF web ACL answers before Cognito does, by default with HTML; the grant was not judged."""
    result = judge(response)
    assert isinstance(result, TransportError)
    assert (result.sent, result.status, result.retryable) == ("yes", 403, False)
    assert "AWS WAF" in result.explain()[0]


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        pytest.param(answer(b"", status=405, content_type=None), "none", id="405, as for a wrong method"),
        pytest.param(answer(b"", status=302, content_type=HTML, location="https://evil"), "text/html", id="redirect"),
        pytest.param(answer(b"<html>", status=404, content_type=HTML), "text/html", id="404"),
        pytest.param(answer({}, status=400), "application/json", id="an empty object"),
        pytest.param(answer({"error": ""}, status=400), "application/json", id="an empty error"),
        pytest.param(answer({"error": 400}, status=400), "application/json", id="an error that is a number"),
        pytest.param(answer({"error": {"code": "x"}}, status=400), "application/json", id="an error that is an object"),
        pytest.param(answer(["invalid_grant"], status=400), "application/json", id="an array"),
        pytest.param(answer(b'{"error":"invalid_grant"', status=400), "application/json", id="truncated"),
        pytest.param(answer(b'{"error":"a","error":"b"}', status=400), "application/json", id="a member twice"),
        pytest.param(
            answer({"error": "invalid_grant"}, status=400, content_type=HTML), "text/html", id="OAuth labelled HTML"
        ),
        pytest.param(
            answer({"code": "BadRequest", "message": "The server did not understand", "type": "client"}, status=400),
            "application/json",
            id="an endpoint of a pool without a domain",
        ),
    ],
)
def test_what_is_no_oauth_answer_breaks_the_protocol(response: HttpResponse, kind: str) -> None:
    """Something else than Cognito answered: the message names status and content type, the causes what to compare."""
    result = judge(response)
    assert type(result) is ProtocolError
    assert str(result) == f"The token endpoint answered {response.status}: no OAuth answer (content type: {kind})."
    assert "domain is wrong" in result.explain()[0]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param({"error": "x", "error_description": f"bad secret {SECRET}"}, {}, id="description"),
        pytest.param({"error": "x", "error_description": f"<{CODE}{SECRET}>"}, {}, id="description, run together"),
        pytest.param({"error": "x", "error_description": ("a" * 780) + SECRET}, {}, id="description, at the edge"),
        pytest.param({"error": SECRET}, {}, id="error"),
        pytest.param({"error": f"no {SECRET}"}, {}, id="error with more"),
        pytest.param({"error": "x"}, {"x_amz_cognito_request_id": SECRET}, id="request id"),
        pytest.param({"error": "x"}, {"x_amz_cognito_request_id": CODE}, id="request id that is the code"),
        pytest.param({"error": "x"}, {"retry_after": SECRET}, id="Retry-After"),
        pytest.param({}, {"content_type": f"application/{SECRET}"}, id="content type"),
    ],
)
@pytest.mark.parametrize("status", [400, 403, 429, 503])
def test_what_was_sent_does_not_come_back_in_the_error(
    body: Mapping[str, str], headers: dict[str, str], status: int
) -> None:
    """A server that quotes code or secret gets neither into a message, an attribute or an explanation."""
    result = judge(answer(body, status=status, **headers), secrets=(CODE, SECRET))
    seen = json.dumps([str(result), repr(result), list(map(str, vars(result).values())), result.explain()])
    assert SECRET not in seen
    assert CODE not in seen


@pytest.mark.parametrize("secret", ["hunter2", "correct_horse_battery_staple", "päss wörd"])
def test_a_secret_that_does_not_look_like_one_is_removed_too(secret: str) -> None:
    """Secrets that a person chose are short or made of words: what was sent is removed as it is."""
    body = {"error": secret, "error_description": f"{secret}? {secret}!"}
    result = judge(answer(body, status=400), secrets=("", secret))
    assert secret not in f"{result!r}{vars(result)}"
    assert getattr(result, "description", None) == "[removed]? [removed]!"


@pytest.mark.parametrize("encode", [quote_plus, quote, lambda text: quote_plus(text).lower()])
@pytest.mark.parametrize("secret", ["abcdefghij+klmnopqrst+uvwxyz012345+6789", "a/b c", "correct horse/battery+staple"])
def test_a_secret_that_is_quoted_as_it_stood_in_the_form_is_removed_too(
    secret: str, encode: Callable[[str], str]
) -> None:
    """Cognito's secrets may hold '+': a server that quotes the form back quotes it percent-encoded."""
    body = {"error": "invalid_request", "error_description": f"Bad body: client_secret={encode(secret)}&x=1"}
    result = judge(answer(body, status=400), secrets=("", secret))
    assert getattr(result, "description", None) == "Bad body: client_secret=[removed]&x=1"


def test_text_of_the_server_is_cleaned() -> None:
    """Control characters do not reach a terminal or a log."""
    body = {"error": "bad\r\nrequest", "error_description": "a\x1b[2Jb\u202ec"}
    result = judge(answer(body, status=400))
    assert (getattr(result, "error", 0), getattr(result, "description", 0)) == ("bad request", "a [2Jb c")


@pytest.mark.parametrize(
    ("value", "request_id"),
    [
        pytest.param(REQUEST_ID, REQUEST_ID, id="a UUID"),
        pytest.param(REQUEST_ID.upper(), REQUEST_ID.upper(), id="in upper case"),
        pytest.param(REQUEST_ID[:-1], None, id="cut off"),
        pytest.param(f"{REQUEST_ID}, {REQUEST_ID}", None, id="two"),
        pytest.param("a" * 36, None, id="no UUID"),
        pytest.param("", None, id="empty"),
    ],
)
def test_the_request_id_is_a_uuid(value: str, request_id: str | None) -> None:
    """Wire sheet 3.1: what AWS support asks for; nothing else is taken for one."""
    assert clean_request_id({"x-amz-cognito-request-id": value}) == request_id
    assert clean_request_id({"x-amz-cognito-request-id": value}, secrets=(value,)) is None


@given(answers(), st.sampled_from(Endpoint), st.text(max_size=20), st.lists(st.text(max_size=5), max_size=2))
def test_any_answer_means_something(response: HttpResponse, endpoint: Endpoint, grant: str, secrets: list[str]) -> None:
    """Every answer has its exception, with one printable line."""
    result = parse_oauth_error(response, endpoint=endpoint, grant=grant, secrets=tuple(secrets))
    assert isinstance(result, OAuthError | ProtocolError | TransportError)
    assert str(result).isprintable()


@given(st.dictionaries(st.sampled_from(["error", "error_description"]), json_values()), st.integers(200, 599))
def test_any_error_body_means_something(body: dict[str, object], status: int) -> None:
    """Members of any JSON type are read or left."""
    result = judge(answer(body, status=status), secrets=("a",))
    assert isinstance(result, OAuthError | ProtocolError | TransportError)
    assert str(result).isprintable()


@pytest.mark.parametrize(
    ("status", "nothing"),
    [(200, False), (304, False), (400, False), (401, False), (403, True), (404, False), (429, True), (500, True)],
)
def test_an_answer_that_says_nothing(status: int, nothing: bool) -> None:
    """A firewall, a quota and a fault say nothing about what was asked for; any other answer does."""
    assert says_nothing(HttpResponse(status=status, headers={}, body=b"")) is nothing
