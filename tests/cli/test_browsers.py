import sys
import threading
import webbrowser
from urllib.parse import quote

import pytest

from cognito_oidc.cli.browsers import _end_of, open_system_browser


@pytest.mark.parametrize("visible", ["BROWSER", "DISPLAY", "WAYLAND_DISPLAY"])
def test_browser_is_opened_where_there_is_one(monkeypatch: pytest.MonkeyPatch, visible: str) -> None:
    """The system's browser gets the address, in a thread of its own: some wait until their window is closed."""
    opened = threading.Event()
    addresses: list[str] = []

    def open_it(address: str) -> None:
        addresses.append(address)
        opened.set()

    monkeypatch.setenv(visible, "x")
    monkeypatch.setattr(webbrowser, "open", open_it)
    assert open_system_browser("http://127.0.0.1:1/")
    assert opened.wait(5)
    assert addresses == ["http://127.0.0.1:1/"]


def test_text_browser_does_not_take_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Linux without a display nothing is opened."""
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(webbrowser, "open", lambda _: pytest.fail("opened"))
    assert not open_system_browser("http://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("address", "end"),
    [
        pytest.param("https://a/authorize?redirect_uri=https%3A%2F%2Fapp%2Fcb", "https://app/cb", id="authorize"),
        pytest.param("https://a/logout?logout_uri=https%3A%2F%2Fapp%2Fbye", "https://app/bye", id="logout"),
        pytest.param(
            f"https://a/logout?logout_uri={quote('https://b/logout?logout_uri=https%3A%2F%2Fapp%2Fbye', safe='')}",
            "https://app/bye",
            id="chain",
        ),
    ],
)
def test_browser_is_expected_where_it_ends(address: str, end: str) -> None:
    """A logout may lead to another one; the listener waits for where the last one leads."""
    assert _end_of(address) == end
