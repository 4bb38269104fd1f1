"""The cookies of a login: names, pieces, attributes."""

from http.cookies import SimpleCookie

import pytest
from starlette.responses import Response

from cognito_oidc.errors import ConfigurationError
from cognito_oidc.integrations.starlette._cookies import MAX_PIECES, PIECE, Cookies

COOKIES = Cookies("cognito", secure=True)


def jar_after(response: Response, jar: dict[str, str]) -> dict[str, str]:
    """What a browser has after an answer."""
    jar = dict(jar)
    for name, value in response.raw_headers:
        if name == b"set-cookie":
            for cookie in SimpleCookie(value.decode()).values():
                jar.pop(cookie.key, None)
                if cookie["max-age"] != "0":
                    jar[cookie.key] = cookie.value
    return jar


@pytest.mark.parametrize("size", [1, PIECE, PIECE + 1, PIECE * MAX_PIECES])
def test_a_session_of_any_size_comes_back(size: int) -> None:
    """It is cut into as many cookies as it needs, each of which a browser keeps."""
    response = Response()
    sealed = "x" * (size - 1) + "y"
    COOKIES.put_session(response, {}, sealed, max_age=60)
    jar = jar_after(response, {})
    assert COOKIES.session(jar) == sealed
    assert len(jar) == -(-size // PIECE)
    assert all(len(name) + len(value) <= 4096 for name, value in jar.items())


def test_a_session_that_is_too_large_is_refused() -> None:
    """Whoever wrote the application is told what to do, before a proxy refuses every request of that person."""
    with pytest.raises(ConfigurationError, match="Pass store="):
        COOKIES.put_session(Response(), {}, "x" * (PIECE * MAX_PIECES + 1), max_age=60)


def test_a_shorter_session_takes_the_place_of_a_longer_one() -> None:
    """No piece of the old one stays behind."""
    first, second = Response(), Response()
    COOKIES.put_session(first, {}, "a" * PIECE * 3, max_age=60)
    jar = jar_after(first, {})
    COOKIES.put_session(second, jar, "b", max_age=60)
    jar = jar_after(second, jar)
    assert list(jar) == ["__Host-cognito-session"]
    assert COOKIES.session(jar) == "b"


def test_a_session_is_taken_back_whole() -> None:
    """A logout leaves no piece."""
    first, second = Response(), Response()
    COOKIES.put_session(first, {}, "a" * PIECE * 3, max_age=60)
    jar = jar_after(first, {})
    COOKIES.drop_session(second, jar)
    assert jar_after(second, jar) == {}


@pytest.mark.parametrize(
    "first",
    [
        pytest.param("", id="empty"),
        pytest.param("0.a", id="no piece"),
        pytest.param("6.a", id="a piece too many"),
        pytest.param("-1.a", id="less than none"),
        pytest.param("99999999999999999999.a", id="a huge number"),
        pytest.param("².a", id="a digit of another kind"),
        pytest.param("a", id="no number"),
    ],
)
def test_what_is_no_session_is_none(first: str) -> None:
    """Whatever a browser sends, nothing is raised and little is read."""
    assert COOKIES.session({"__Host-cognito-session": first}) is None


@pytest.mark.parametrize("secure", [True, False])
def test_attributes(secure: bool) -> None:
    """No script reads a cookie, no other site's form sends it, and no neighbouring host can have planted it."""
    response = Response()
    cookies = Cookies("cognito", secure=secure)
    cookies.put(response, cookies.login_name("0123"), "v", max_age=60)
    (header,) = [value.decode() for name, value in response.raw_headers if name == b"set-cookie"]
    assert header.startswith("__Host-cognito-login-0123=v;" if secure else "cognito-login-0123=v;")
    attributes = {part.strip().lower() for part in header.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", "max-age=60"} <= attributes
    assert ("secure" in attributes) is secure
    assert not any(part.startswith("domain") for part in attributes)
