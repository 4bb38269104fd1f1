"""Lines are pasted through a real pseudo-terminal."""

import sys
from collections.abc import Iterator
from contextlib import suppress

import pexpect
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals like these")

READ = """
import time
from cognito_oidc.cli.console import CommandError
from cognito_oidc.cli.pasting import read_pasted_line
try:
    line = read_pasted_line("paste> ", until=time.monotonic() + PATIENCE)
except CommandError as error:
    print("ENDED", error.exit_code, error.message)
else:
    print("READ", len(line), line[:20], line[-20:], "END")
"""
CHUNK = 500
LONG = "https://localhost/callback?code=" + "c" * 9_000 + "&state=the-end"


def paste(terminal: "pexpect.spawn[str]", text: str) -> str:
    """Write as a terminal emulator does, which shows at once what the program echoes, and return that."""
    shown = ""
    for start in range(0, len(text), CHUNK):
        terminal.send(text[start : start + CHUNK])
        with suppress(pexpect.TIMEOUT, pexpect.EOF):
            while True:
                shown += terminal.read_nonblocking(CHUNK, timeout=0.02)
    return shown


@pytest.fixture
def patience() -> float:
    """Return the seconds that a line is waited for."""
    return 20.0


@pytest.fixture
def terminal(patience: float) -> Iterator["pexpect.spawn[str]"]:
    """Start a program in a terminal that asks for a line."""
    program = READ.replace("PATIENCE", str(patience))
    with pexpect.spawn(sys.executable, ["-W", "error", "-c", program], encoding="utf-8", timeout=20) as child:
        child.delaybeforesend = None
        child.expect_exact("paste> ")
        yield child


def test_long_line_is_read_whole(terminal: "pexpect.spawn[str]") -> None:
    """A terminal's own limit of 4,096 characters does not cut a pasted address."""
    paste(terminal, LONG)
    terminal.send("\r")
    terminal.expect(r"READ (\d+) (\S+) (\S+) END")
    assert terminal.match[1] == str(len(LONG))
    assert (terminal.match[2], terminal.match[3]) == (LONG[:20], LONG[-20:])


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        pytest.param("abc\x7f\x7fd\r", "ad", id="backspace"),
        pytest.param("\x7fabc\x15xyz\n", "xyz", id="kill"),
        pytest.param("  <https://a/?x=1> \r", "https://a/?x=1", id="brackets"),
        pytest.param("\x1b[200~https://a/\x1b[201~\r", "https://a/", id="bracketed-paste"),
        pytest.param("abc\x04", "abc", id="end-of-file"),
        pytest.param("ü\r", "ü", id="utf-8"),
    ],
)
def test_line_is_edited_and_cleaned(terminal: "pexpect.spawn[str]", typed: str, line: str) -> None:
    """The keys that a person knows work, and what comes along with a copy is taken off."""
    terminal.send(typed)
    terminal.expect_exact(f"READ {len(line)} {line} {line} END")


def test_terminal_is_as_before(terminal: "pexpect.spawn[str]") -> None:
    """Ctrl-C ends the program as always, and the shell after it gets its terminal back."""
    before = terminal.getecho()
    assert not before
    terminal.sendintr()
    terminal.expect_exact("KeyboardInterrupt")
    assert terminal.getecho()


@pytest.mark.parametrize("patience", [0.3])
def test_nobody_pastes(terminal: "pexpect.spawn[str]") -> None:
    """Who does not come back is not waited for: a person is needed, says the exit code."""
    terminal.expect_exact("ENDED 3 nothing was pasted in time")


def test_endless_paste_is_refused(terminal: "pexpect.spawn[str]") -> None:
    """Nobody's address is that long, and memory is not for it."""
    assert "ENDED 4 what was pasted is longer than 65536 characters" in paste(terminal, "x" * 66_000)
