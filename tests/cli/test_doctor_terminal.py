"""The doctor at a real terminal, as a person meets it."""

import os
import re
import sys

import pexpect
import pytest

from tests.cli.served_shop import CALLBACK, ServedShop

PATIENCE = 60
ESCAPE = "\x1b["


def at_a_terminal(shop: ServedShop, *arguments: str, **environment: str) -> tuple[str, int]:
    """Run the command at a pseudo-terminal of 80 columns; return what the screen got, and the exit code."""
    base = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    child = pexpect.spawn(
        sys.executable,
        ["-W", "error", "-m", "cognito_oidc", *arguments],
        env={**base, "TERM": "xterm-256color", **shop.settings, **environment},
        encoding="utf-8",
        dimensions=(24, 80),
        timeout=PATIENCE,
    )
    child.expect(pexpect.EOF)
    child.close()
    return str(child.before).replace("\r\n", "\n"), int(child.exitstatus or 0)


def test_a_person_sees_colours_and_the_cure(shop: ServedShop) -> None:
    """At a terminal the marks are coloured, the finding is numbered, and the exit code says that something is wrong."""
    screen, code = at_a_terminal(shop, "doctor", COGNITO_REDIRECT_URI=f"{CALLBACK}/")
    assert code == 1
    assert f"{ESCAPE}32mok{ESCAPE}0m" in screen
    assert "WRONG" in screen
    plain = re.sub(r"\x1b\[[0-9;]*[mK]|\r", "", screen)
    assert "1. callback URL: redirect_mismatch\n" in plain
    assert f"'{CALLBACK}' is registered, which has no slash at the end." in " ".join(plain.split())
    assert "1 thing is wrong" in plain


def test_no_color_is_kept_to(shop: ServedShop) -> None:
    """With NO_COLOR set a terminal gets plain text, but for a line of progress that is cleared again."""
    screen, code = at_a_terminal(shop, "doctor", NO_COLOR="1")
    assert code == 0
    assert re.findall(r"\x1b\[[0-9;]*m", screen) == []


def shown_by(program: str, **environment: str) -> str:
    """Return what a terminal gets from a program that takes its time."""
    child = pexpect.spawn(
        sys.executable,
        ["-c", f"import time\nfrom cognito_oidc.cli.progress import Progress\n{program}"],
        env={**os.environ, "TERM": "xterm", **environment},
        encoding="utf-8",
        timeout=PATIENCE,
    )
    child.expect(pexpect.EOF)
    child.close()
    return str(child.before)


SLOW = "with Progress() as progress:\n    progress.step('Asking ...')\n    time.sleep(0.9)"
QUICK = "with Progress() as progress:\n    progress.step('Asking ...')"


@pytest.mark.parametrize(
    ("program", "environment", "screen"),
    [
        pytest.param(SLOW, {}, "\r\x1b[2KAsking ...\r\x1b[2K", id="slow-is-said-and-cleared"),
        pytest.param(QUICK, {}, "", id="quick-is-not-said"),
        pytest.param(SLOW, {"TERM": "dumb"}, "", id="a-terminal-that-cannot-clear"),
    ],
)
def test_progress_is_said_after_half_a_second(program: str, environment: dict[str, str], screen: str) -> None:
    """What takes long says so on a line of its own, which is gone in the end."""
    assert shown_by(program, **environment) == screen
