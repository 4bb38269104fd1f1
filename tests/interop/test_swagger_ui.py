"""Swagger UI in a real Chromium: its Authorize button signs in at the emulator, with PKCE, and calls the API."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.interop import npm_packages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.interop.chromium import Chromium

pytestmark = pytest.mark.usefixtures("npm")

ROOT: Final = Path(__file__).parent.parent.parent
ASSETS: Final = npm_packages.FOLDER / "node_modules" / "swagger-ui-dist"
PASSWORD: Final = "correct horse"


@contextmanager
def example() -> Iterator[str]:
    """Start the example as its README says, on any port; yield where the API is."""
    program = [sys.executable, str(ROOT / "examples/fastapi_api/main.py"), "--port", "0"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = process.stdout.readline() + process.stdout.readline()
            found = re.search(r"Open (http://127\.0\.0\.1:\d+)/docs", told)
            assert found is not None, told
            assert PASSWORD in told
            yield found[1]
        finally:
            process.terminate()


def test_swagger_ui_signs_in_and_calls_the_api(browser: Chromium) -> None:
    """Authorize leads to the pool's page and back; from then on requests carry a token with the scopes that were asked.

    The files of Swagger UI, which a browser has from a network of copies, come from npm's package.
    """
    browser.order("instead", pattern="**/swagger-ui-dist@*/*", folder=str(ASSETS))
    browser.order("instead", pattern="**/favicon.png", file=str(ASSETS / "favicon-32x32.png"))
    with example() as api:
        browser.open(f"{api}/docs")
        browser.order("network")
        assert answer_of(browser, "read_orders_orders_get") == ("401", {"detail": "missing_token"})
        sign_in(browser, "ann")
        assert answer_of(browser, "read_orders_orders_get") == ("200", {"1": "tea", "2": "biscuits"})
        status, me = answer_of(browser, "me_me_get")
        assert (status, me["username"], sorted(me["scopes"])) == ("200", "ann", ["orders/read", "orders/write"])
        problems = browser.order("problems")
    assert [problem for problem in problems if "Failed to load resource" not in problem] == []


def sign_in(browser: Chromium, username: str) -> None:
    """Press Authorize, and sign in where that leads."""
    browser.order("tap", css=".auth-wrapper .authorize")
    browser.order("popup", css=".auth-container .authorize")
    sent = parse_qs(urlsplit(browser.url).query)
    assert (sent["response_type"], sent["code_challenge_method"], sent["scope"]) == (
        ["code"],
        ["S256"],
        ["orders/read orders/write"],
    )
    browser.fill({"Username": username, "Password": PASSWORD})
    browser.order("click", name="Sign in")
    browser.order("closed")
    browser.order("tap", css=".auth-container .btn-done")


def answer_of(browser: Chromium, operation: str) -> tuple[str, Any]:
    """Try an operation out, from the beginning; return the status and the body that Swagger UI shows."""
    block = f"#operations-default-{operation}"
    for step in (".opblock-summary-control", ".try-out__btn", ".execute"):
        browser.order("tap", css=f"{block} {step}")
    shown = f"{block} .live-responses-table .response"
    status = browser.order("read", css=f"{shown} .response-col_status")
    body = browser.order("read", css=f"{shown} .highlight-code code")
    for step in (".btn-clear", ".try-out__btn.cancel", ".opblock-summary-control"):
        browser.order("tap", css=f"{block} {step}")
    return status, json.loads(body)
