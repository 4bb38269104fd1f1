"""A real Chromium signs a person in for `cognito-oidc login`, and comes back to its listener."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.home import COMMAND, PASSWORD, USERNAME, address_of, new_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.home import Home
    from tests.interop.chromium import Chromium

BROWSER = {"BROWSER": f"{sys.executable} -c pass %s"}  # opens nothing: Chromium is told the address


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Serve a pool to somebody new."""
    with new_home(tmp_path / "home") as new:
        yield new


def test_chromium_comes_back_to_the_listener(browser: Chromium, home: Home) -> None:
    """The page says who is signed in, holds no secret in its address or its history, and passes axe-core's rules."""
    with home.started("login", **BROWSER) as process:
        browser.open(address_of(process))
        browser.fill({"Username": USERNAME, "Password": PASSWORD})
        browser.press("Sign in", then="Signed in as ann@example.com")
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, browser.url) == (0, f"http://localhost:{home.ports[0]}/done"), errors
    assert "You can close this page." in browser.text
    browser.inspect()
    browser.shoot("command-login")
    assert home.run("token").returncode == 0
    assert [each for each in browser.order("problems") if "favicon" not in each] == []


def test_chromium_is_told_that_it_did_not_work(browser: Chromium, home: Home) -> None:
    """Where the code cannot be exchanged the page says so, in words that are not Cognito's."""
    home.aws.fail_next("token", status=400, body={"error": "invalid_grant"})
    with home.started("login", **BROWSER) as process:
        browser.open(address_of(process))
        browser.fill({"Username": USERNAME, "Password": PASSWORD})
        browser.press("Sign in", then="That did not work")
        process.communicate(timeout=20)
    assert process.returncode == 4
    browser.inspect()
    assert subprocess.run([*COMMAND, "token"], env=home.environment, capture_output=True, check=False).returncode == 3
