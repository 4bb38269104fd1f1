"""Return addresses: whoever can make a person follow a link to the login would send them to a site of their own."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.integrations.starlette._return_address import MAX_LENGTH, local_address

HERE = "https://app.example.com/login"


@pytest.mark.parametrize(
    ("text", "location"),
    [
        pytest.param("/", "/", id="the root"),
        pytest.param("/orders/7?page=2&sort=a%20b", "/orders/7?page=2&sort=a%20b", id="path and query"),
        pytest.param(
            "/orders?next=https://evil.example//x", "/orders?next=https://evil.example//x", id="a query is one"
        ),
        pytest.param("/bücher", "/b%C3%BCcher", id="letters beyond ASCII"),
        pytest.param("/a b", "/a%20b", id="a space"),
        pytest.param("/a%2Fb", "/a%2Fb", id="an encoded slash further on"),
        pytest.param("/a//b", "/a//b", id="two slashes further on"),
        pytest.param("/.well-known/x", "/.well-known/x", id="a dot at the beginning of a name"),
        pytest.param("/100%", "/100%", id="a percent sign alone"),
    ],
)
def test_a_path_of_this_host_is_kept(text: str, location: str) -> None:
    """Path and query come back as they can stand in a header."""
    assert local_address(text) == location


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("//evil.example", id="two slashes"),
        pytest.param("///evil.example", id="three slashes"),
        pytest.param("/\\evil.example", id="slash and backslash"),
        pytest.param("\\\\evil.example", id="two backslashes"),
        pytest.param("/%2Fevil.example", id="an encoded slash"),
        pytest.param("/%252fevil.example", id="encoded twice"),
        pytest.param("/%25252fevil.example", id="encoded three times"),
        pytest.param("/%2525252525252fevil.example", id="encoded many times"),
        pytest.param("/%5Cevil.example", id="an encoded backslash"),
        pytest.param("/%5c%5cevil.example", id="two of them"),
        pytest.param("/\t/evil.example", id="a tab, which browsers leave out"),
        pytest.param("/\n/evil.example", id="a line break, the same"),
        pytest.param("/%09/evil.example", id="an encoded tab"),
        pytest.param("/%0d%0aSet-Cookie:a=b", id="a header of their own"),
        pytest.param("/\x00", id="a NUL"),
        pytest.param("/\u2028x", id="a line separator"),
        pytest.param("/\u202egnp.evil", id="a mark that turns the text round"),
        pytest.param("/x/..//evil.example", id="a dot segment"),
        pytest.param("/.//evil.example", id="a dot segment at the beginning"),
        pytest.param("/%2e%2e//evil.example", id="an encoded dot segment"),
        pytest.param("https://evil.example", id="another site"),
        pytest.param("https:evil.example", id="another site without slashes"),
        pytest.param("javascript:alert(1)", id="a script"),
        pytest.param("evil.example", id="no slash"),
        pytest.param(" //evil.example", id="a space before"),
        pytest.param("@evil.example", id="an at sign, as after a host"),
        pytest.param("/x#//evil.example", id="a fragment"),
        pytest.param("/?a=\\\\evil.example", id="backslashes in the query"),
        pytest.param("", id="nothing"),
        pytest.param("/" + "a" * MAX_LENGTH, id="too long for a cookie"),
        pytest.param(None, id="no text"),
        pytest.param(5, id="a number"),
        pytest.param("/\ud800", id="half a character"),
    ],
)
def test_everything_else_is_refused(text: object) -> None:
    """In each form that some browser, proxy or framework has taken for another host."""
    assert local_address(text) is None


@given(st.one_of(st.text(), st.text("/\\%25cCfF.eE:@?#\t ab", max_size=30)).map(lambda text: "/" + text))
def test_what_is_kept_leads_to_this_host(text: str) -> None:
    """Whatever the text, where a browser goes is this host; and the header has one line of ASCII."""
    location = local_address(text)
    if location is not None:
        target = urlsplit(urljoin(HERE, location))
        assert (target.scheme, target.netloc) == ("https", "app.example.com")
        assert location.isascii()
        assert location.isprintable()
        assert not location.startswith("//")
