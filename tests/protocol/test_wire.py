import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.errors import ConfigurationError, ProtocolError
from cognito_oidc.protocol.wire import (
    Endpoint,
    HttpRequest,
    HttpResponse,
    check_url,
    form_request,
    get_request,
    is_loopback,
    parse_json_answer,
    parse_json_object,
)
from tests.answers import anything, json_values, outcome

TOKEN = "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token"


def test_a_form_is_written_as_rfc_6749_writes_one() -> None:
    """RFC 6749 appendix B: its own example, and the plus sign a custom client secret may hold."""
    request = form_request(TOKEN, [("q", " %&+£€"), ("client_secret", "a+b/c=")], endpoint=Endpoint.TOKEN)
    assert request.body == b"q=+%25%26%2B%C2%A3%E2%82%AC&client_secret=a%2Bb%2Fc%3D"


@given(
    st.lists(st.tuples(st.text(), st.text())) | st.lists(st.tuples(st.just("token"), st.from_regex("[A-Za-z0-9._~-]*")))
)
def test_a_form_is_what_the_standard_library_makes_of_it(form: list[tuple[str, str]]) -> None:
    """Whether or not there is something to quote."""
    assert form_request(TOKEN, form, endpoint=Endpoint.TOKEN).body == urlencode(form).encode()


def test_a_form_request_is_a_post_that_is_not_repeated() -> None:
    """A form goes to its endpoint with its content type, wants JSON, and is sent once unless said otherwise."""
    request = form_request(TOKEN, [], endpoint=Endpoint.TOKEN, headers=(("Authorization", "Basic x"),))
    assert request == HttpRequest(
        method="POST",
        url=TOKEN,
        headers=(
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Accept", "application/json"),
            ("Authorization", "Basic x"),
        ),
        body=b"",
        endpoint=Endpoint.TOKEN,
        repeatable=False,
    )


def test_a_get_request_may_be_repeated() -> None:
    """A GET wants JSON, has no body, and may be sent again."""
    assert get_request("https://a/b", endpoint=Endpoint.JWKS, headers=(("X", "y"),)) == HttpRequest(
        method="GET",
        url="https://a/b",
        headers=(("Accept", "application/json"), ("X", "y")),
        endpoint=Endpoint.JWKS,
        repeatable=True,
    )


def test_reprs_show_no_secret() -> None:
    """Neither headers nor bodies are in a repr."""
    request = form_request(TOKEN, [("code", "s3cret")], endpoint=Endpoint.TOKEN, headers=(("Authorization", "s3cret"),))
    response = HttpResponse(status=200, headers={"set-cookie": "s3cret"}, body=b"s3cret")
    assert "s3cret" not in repr((request, response))
    assert repr(response) == "HttpResponse(status=200)"


@pytest.mark.parametrize(
    ("content_type", "media_type", "is_json", "text"),
    [
        pytest.param("application/json", "application/json", True, "application/json", id="plain"),
        pytest.param("Application/JSON;charset=UTF-8", "application/json", True, "application/json", id="Cognito's"),
        pytest.param("application/json ; a=b;c=d", "application/json", True, "application/json", id="parameters"),
        pytest.param(
            "application/jwk-set+json", "application/jwk-set+json", True, "application/jwk-set+json", id="keys"
        ),
        pytest.param(
            "application/problem+json", "application/problem+json", True, "application/problem+json", id="+json"
        ),
        pytest.param("text/html", "text/html", False, "text/html", id="HTML"),
        pytest.param("text/json", "text/json", False, "text/json", id="text/json"),
        pytest.param("application/jsonp", "application/jsonp", False, "application/jsonp", id="JSONP"),
        pytest.param("application/jwt", "application/jwt", False, "application/jwt", id="a signed answer"),
        pytest.param("a/json, text/html", "a/json, text/html", False, "a/json, text/html", id="two"),
        pytest.param("", "", False, "none", id="empty"),
        pytest.param("text/" + "0aB" * 20, "text/" + "0ab" * 20, False, "text/[removed]", id="a secret"),
        pytest.param("a\x00\x1b[31mb", "a\x00\x1b[31mb", False, "a [31mb", id="control characters"),
    ],
)
def test_the_content_type_is_read_without_its_parameters(
    content_type: str, media_type: str, is_json: bool, text: str
) -> None:
    """RFC 9110 section 8.3: case does not count, parameters are left out; a message shows it cleaned."""
    response = HttpResponse(status=200, headers={"content-type": content_type}, body=b"")
    assert (response.media_type, response.is_json, response.shown_type) == (media_type, is_json, text)


def test_a_missing_content_type_is_none() -> None:
    """An answer without a content type is no JSON."""
    response = HttpResponse(status=200, headers={}, body=b"{}")
    assert (response.media_type, response.is_json, response.shown_type) == ("", False, "none")


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://login.acme.com", id="https"),
        pytest.param("https://login.acme.com:8443/base/path/", id="port and path"),
        pytest.param("https://[2001:db8::1]:443/x", id="IPv6"),
        pytest.param("https://10.0.0.1", id="an address"),
        pytest.param("http://localhost", id="localhost"),
        pytest.param("http://localhost:9229/acme", id="localhost with a port"),
        pytest.param("http://127.0.0.1:9229", id="127.0.0.1"),
        pytest.param("http://127.12.0.255/", id="another address of 127.0.0.0/8"),
        pytest.param("http://[::1]:9229", id="IPv6 loopback"),
    ],
)
def test_a_good_url_comes_back(url: str) -> None:
    """Https anywhere and http on loopback pass as they are."""
    assert check_url(url, what="domain", allow_insecure_http=False) == url


def test_http_elsewhere_must_be_allowed_loudly() -> None:
    """An emulator in a container network is reached over http only by who asks for it."""
    assert check_url("http://cognito:9229", what="x", allow_insecure_http=True) == "http://cognito:9229"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param("http://login.acme.com", "http is only accepted for localhost", id="http"),
        pytest.param("http://localhost.acme.com", "http is only accepted for localhost", id="localhost as a label"),
        pytest.param("http://127.0.0.1.acme.com", "http is only accepted for localhost", id="127.0.0.1 as labels"),
        pytest.param("http://localhost:80@evil.com", "user information", id="localhost as a user"),
        pytest.param("http://[::1", "no URL", id="half a bracket"),
        pytest.param("https://a:b", "no URL", id="a port in letters"),
        pytest.param("https://a:99999", "no URL", id="a port too high"),
        pytest.param("https://a:0", "port 0", id="port 0"),
        pytest.param("login.acme.com", "begins with https://", id="no scheme"),
        pytest.param("//login.acme.com", "begins with https://", id="relative to a scheme"),
        pytest.param("https:login.acme.com", "begins with https://", id="no slashes"),
        pytest.param("https://", "begins with https://", id="no host"),
        pytest.param("https://:443", "begins with https://", id="a port alone"),
        pytest.param("HTTPS://login.acme.com", "begins with https://", id="upper case"),
        pytest.param(" https://login.acme.com", "begins with https://", id="a space before"),
        pytest.param("ftp://login.acme.com", "begins with https://", id="ftp"),
        pytest.param("file:///etc/passwd", "begins with https://", id="file"),
        pytest.param("", "begins with https://", id="empty"),
        pytest.param("https://login.acme.com ", "no URL holds", id="a space after"),
        pytest.param("https://login.acme.com\n", "no URL holds", id="a line break"),
        pytest.param("https://login\t.acme.com", "no URL holds", id="a tab inside"),
        pytest.param("https://evil.com\\@login.acme.com", "no URL holds", id="a backslash"),
        pytest.param("https://münchen.de", "no URL holds", id="no ASCII"),
        pytest.param("https://a\ud800", "no URL holds", id="a surrogate"),
        pytest.param("https://login.acme.com?x=1", "a query", id="a query"),
        pytest.param("https://login.acme.com/?", "a query", id="an empty query"),
        pytest.param("https://login.acme.com/#x", "a fragment", id="a fragment"),
    ],
)
def test_a_bad_url_is_refused_with_what_is_wrong(url: str, problem: str) -> None:
    """The message names the argument and the problem."""
    with pytest.raises(ConfigurationError, match=r"^domain '.*' cannot be used: ") as caught:
        check_url(url, what="domain", allow_insecure_http=False)
    assert problem in str(caught.value)


@pytest.mark.parametrize("url", ["https://ann:pa55word@acme.com", "https://ann:pa55word@[", "https://a@pa55word@b/x?@"])
def test_a_password_in_a_url_is_not_repeated(url: str) -> None:
    """User information is refused, and hidden: it may be a password."""
    with pytest.raises(ConfigurationError) as caught:
        check_url(url, what="domain", allow_insecure_http=False)
    assert "pa55word" not in str(caught.value)


@given(anything())
def test_no_url_breaks_the_check(url: object) -> None:
    """Whatever is passed comes back or is refused."""
    result = outcome(lambda: check_url(url, what="domain", allow_insecure_http=True))  # type: ignore[arg-type]
    assert isinstance(result, ConfigurationError) or result == url
    assert str(result).isprintable()


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        pytest.param("http://localhost", True, id="localhost"),
        pytest.param("https://localhost:1/", True, id="https"),
        pytest.param("http://127.0.0.1/a?b", True, id="address"),
        pytest.param("http://[::1]:5/", True, id="IPv6"),
        pytest.param("http://localhost:", False, id="a colon alone"),
        pytest.param("http://localhosts", False, id="longer"),
        pytest.param("http://localhost:80@evil", False, id="a user"),
        pytest.param("http://localhost\\@evil", False, id="a backslash"),
        pytest.param("http://[::2]", False, id="another address"),
        pytest.param("ws://localhost", False, id="another scheme"),
    ],
)
def test_loopback_is_told_by_the_name(url: str, loopback: bool) -> None:
    """The host is compared whole, and nothing is resolved."""
    assert is_loopback(url) is loopback


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"", "is not valid JSON", id="nothing"),
        pytest.param(b'{"a":1', "is not valid JSON", id="truncated"),
        pytest.param(b"[1]", "is no JSON object", id="an array"),
        pytest.param(b'"{}"', "is no JSON object", id="a string"),
        pytest.param(b"null", "is no JSON object", id="null"),
        pytest.param(b'{"a":1,"a":2}', "has a member twice", id="a member twice"),
        pytest.param(b'{"a":{"b":1,"b":1}}', "has a member twice", id="a member twice, deeper"),
        pytest.param(b'{"a":1,"\\u0061":2}', "has a member twice", id="a member twice, escaped"),
        pytest.param(b'{"a":NaN}', "is not valid JSON", id="NaN"),
        pytest.param(b'{"a":"\xff"}', "is not valid JSON", id="no UTF-8"),
        pytest.param("\ufeff{}".encode(), "is not valid JSON", id="a byte order mark"),
        pytest.param(b'{"a":"\\ud800"}', "is not valid JSON", id="a lone surrogate"),
        pytest.param(b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", "nests deeper than 32", id="deep"),
        pytest.param(b"<html></html>", "is not valid JSON", id="HTML"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(data: bytes, problem: str) -> None:
    """The message says what was wrong, and quotes nothing of the body."""
    with pytest.raises(ProtocolError, match=f"^Cannot use the key set: it {problem}"):
        parse_json_object(data, what="the key set")


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), json_values(), max_size=4))
def test_a_json_object_is_read(value: dict[str, object]) -> None:
    """What the standard library writes is what we read."""
    assert parse_json_object(json.dumps(value, ensure_ascii=False).encode(), what="x") == json.loads(json.dumps(value))


@given(st.binary())
def test_any_bytes_give_an_object_or_a_protocol_error(data: bytes) -> None:
    """Nothing but ProtocolError leaves the reader."""
    assert isinstance(outcome(lambda: parse_json_object(data, what="x")), dict | ProtocolError)


def test_an_answer_must_say_that_it_is_json() -> None:
    """A body is not parsed under another content type, which the message names."""
    response = HttpResponse(status=200, headers={"content-type": "text/html; charset=utf-8"}, body=b"{}")
    with pytest.raises(
        ProtocolError, match=r"the key set: expected the content type application/json, got text/html\.$"
    ):
        parse_json_answer(response, what="the key set")


def test_a_json_answer_is_read() -> None:
    """The object of a JSON answer comes back."""
    response = HttpResponse(status=200, headers={"content-type": "application/json"}, body=b'{"a":[1]}')
    assert parse_json_answer(response, what="x") == {"a": [1]}
