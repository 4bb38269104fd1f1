import asyncio
import sys
import threading
import webbrowser
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from cognito_oidc.cli.console import Console
from cognito_oidc.cli.stage import POOL_ID, Stage, open_stage, open_system_browser, shown_parameters
from cognito_oidc.emulator import JournalEntry


def entry(endpoint: str, **parameters: str) -> JournalEntry:
    """Return a line of the journal."""
    return JournalEntry(
        endpoint=endpoint, pool_id=POOL_ID, method="GET", parameters=parameters, status=200, received_at=0.0
    )


def on_stage(look: Callable[[Stage], object]) -> object:
    """Return what is seen on the stage."""

    async def run() -> object:
        async with open_stage(Console(), patience=None, port=0) as stage:
            return look(stage)

    return asyncio.run(run())


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
    ("endpoint", "path"),
    [
        pytest.param("discovery", f"/{POOL_ID}/.well-known/openid-configuration", id="discovery"),
        pytest.param("jwks", f"/{POOL_ID}/.well-known/jwks.json", id="jwks"),
        pytest.param("authorize", "/shop/oauth2/authorize", id="authorize"),
        pytest.param("login", "/shop/login", id="login"),
        pytest.param("token", "/shop/oauth2/token", id="token"),
        pytest.param("userinfo", "/shop/oauth2/userInfo", id="userinfo"),
        pytest.param("revoke", "/shop/oauth2/revoke", id="revoke"),
        pytest.param("logout", "/shop/logout", id="logout"),
        pytest.param("error", "/shop/error", id="error"),
    ],
)
def test_request_is_shown_by_its_path(endpoint: str, path: str) -> None:
    """A line of the journal is shown where the request went."""
    assert on_stage(lambda stage: stage.path(entry(endpoint))) == path


def test_everybody_is_on_loopback() -> None:
    """The local Cognito, with its password and tokens, is not shown to the network."""
    assert on_stage(lambda stage: urlsplit(stage.base_url).hostname) == "127.0.0.1"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        pytest.param(entry("token", code="***", state="x" * 43), {"code": "***", "state": "xxxxxxxx..."}, id="all"),
        pytest.param(entry("authorize", scope="openid", prompt="none"), {"prompt": "none"}, id="authorize"),
        pytest.param(entry("login", username="ann", client_id="c", _csrf="***"), {"username": "ann"}, id="login"),
    ],
)
def test_parameters_are_shown_where_they_are_new(line: JournalEntry, shown: dict[str, str]) -> None:
    """Random values are cut, and what the browser only carries on is not repeated."""
    assert shown_parameters(line) == shown
