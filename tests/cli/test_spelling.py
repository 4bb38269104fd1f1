import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.cli.spelling import differences, nearest, variants, visible


@pytest.mark.parametrize(
    ("wanted", "found", "told"),
    [
        pytest.param("https://a.example/cb", "https://a.example/cb", (), id="the-same"),
        pytest.param("https://a.example/cb", "https://a.example/cb/", ("a slash at the end",), id="slash"),
        pytest.param("https://a.example/cb/", "https://a.example/cb", ("no slash at the end",), id="no-slash"),
        pytest.param("https://a.example/cb", "http://a.example/cb", ("scheme 'http' for 'https'",), id="scheme"),
        pytest.param("https://a.example/cb", "https://A.example/cb", ("upper and lower case in the host",), id="host"),
        pytest.param("http://localhost:1/c", "http://localhost:2/c", ("port '2' for '1'",), id="port"),
        pytest.param("http://localhost:1/c", "http://localhost/c", ("no port, where '1' is",), id="no-port"),
        pytest.param("Corp", "corp", ("upper and lower case",), id="name"),
        pytest.param(
            "Corp", "Corp\n", ("a space or line break before or after it, where none belongs",), id="line-break"
        ),
        pytest.param("Corp", "Shop", ("'Shop' for 'Corp'",), id="another-name"),
    ],
)
def test_differences_are_told(wanted: str, found: str, told: tuple[str, ...]) -> None:
    """What differs is told part by part, in words."""
    assert differences(wanted, found) == told


def test_what_cannot_be_seen_is_shown() -> None:
    """Spaces, tabs and line breaks are visible in a report."""
    assert visible("a b\t\n") == r"'a␣b\t\n'"


@pytest.mark.parametrize(
    ("wanted", "there", "near"),
    [
        pytest.param("https://a.example/cb", ["https://b.example/", "https://a.example/cb/"], 1, id="slash"),
        pytest.param("http://localhost:8000/callback", ["http://127.0.0.1:8080/callback"], 0, id="two-parts"),
        pytest.param("Corp", ["COGNITO", "corp"], 1, id="case"),
        pytest.param("orders/read", ["order/read", "openid"], 0, id="a-letter"),
    ],
)
def test_the_nearest_is_found(wanted: str, there: list[str], near: int) -> None:
    """Of several the one that was probably meant is taken."""
    assert nearest(wanted, there) == there[near]


@pytest.mark.parametrize("there", [[], ["myapp://x"], ["https://shop.test/login/return"]])
def test_what_is_not_near_is_not_meant(there: list[str]) -> None:
    """Where nothing is alike, nothing is suggested."""
    assert nearest("http://localhost:8000/callback", there) is None


@given(st.text(), st.text())
def test_any_two_texts_are_compared(wanted: str, found: str) -> None:
    """Whatever is registered, the comparison returns, and only the same text has no difference."""
    assert (differences(wanted, found) == ()) == (wanted == found)
    assert wanted not in variants(wanted)
