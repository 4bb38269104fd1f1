"""The example of a server-rendered shop, gone through by a real Chromium: login, refresh and logout at two pools."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.interop.chromium import Chromium

pytestmark = pytest.mark.usefixtures("npm")

ROOT: Final = Path(__file__).parent.parent.parent
PASSWORD: Final = "correct horse"


@contextmanager
def example() -> Iterator[str]:
    """Start the example as its README says, on any port; yield where the shop is."""
    program = [sys.executable, str(ROOT / "examples/two_pools_web/main.py"), "--port", "0"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            told = process.stdout.readline() + process.stdout.readline()
            found = re.search(r"Open (http://localhost:\d+) and sign in", told)
            assert found is not None, told
            assert PASSWORD in told
            yield found[1]
        finally:
            process.terminate()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_person_goes_through_both_pools(browser: Chromium, scripts: bool) -> None:
    """Sign in at the other pool, stay signed in while tokens are refreshed, leave both; the same without JavaScript."""
    with example() as shop:
        browser.open(shop)
        look(browser)
        browser.press("Sign in with Corp", then="Sign in")
        sign_in(browser, "ann", then="Your account")
        assert browser.url == f"{shop}/account"
        assert "Signed in as Ann Archer, through Corp." in browser.text
        look(browser)

        first = issued_at(browser)
        for _ in range(3):  # the refresh token is another one each time: rotation is on
            browser.press("Let an hour pass", then="Your account")
            second = issued_at(browser)
            assert second != first
            first = second
        assert "Ann Archer" in browser.text

        browser.press("Sign out", then="Goodbye")
        assert browser.url == f"{shop}/bye"
        look(browser)
        browser.open(f"{shop}/account")
        browser.order("wait", heading="Sign in")
        browser.press("Continue with Corp", then="Sign in")  # and Corp asks for the password again
        sign_in(browser, "ann", then="Your account")
        assert browser.order("problems") == []


def test_tabs_the_back_button_and_a_callback_that_is_opened_twice(browser: Chromium) -> None:
    """Two logins at once both end where they began; going back and forth, and again, signs nobody out."""
    with example() as shop:
        browser.open(f"{shop}/login?return_to=/account")
        browser.order("wait", heading="Sign in")
        first = browser.url
        browser.open(f"{shop}/login?return_to=/")
        browser.order("wait", heading="Sign in")
        sign_in(browser, "bob", then="Welcome, Bob Baker")
        browser.open(first)  # the first tab, whose login goes on
        sign_in(browser, "bob", then="Your account")
        browser.order("back")
        browser.open(f"{shop}/account")
        browser.order("wait", heading="Your account")
        browser.open(f"{shop}/callback?code=x&state=y")
        browser.order("wait", heading="Sign in again")
        look(browser)
        browser.press("Go on", then="Welcome, Bob Baker")


def sign_in(browser: Chromium, username: str, *, then: str) -> None:
    """Fill in a pool's own page."""
    browser.fill({"Username": username, "Password": PASSWORD})
    browser.press("Sign in", then=then)


def issued_at(browser: Chromium) -> str:
    """When the token of the page was issued."""
    found = re.search(r"Token issued at\s+(\d\d:\d\d:\d\d UTC)", browser.text)
    assert found is not None, browser.text
    return found[1]


def look(browser: Chromium) -> None:
    """Hold a page against axe-core's rules, where it can run."""
    if browser.has_scripts:
        browser.inspect()
