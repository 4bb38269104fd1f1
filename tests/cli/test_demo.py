import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from cognito_oidc.cli import demo as command

Run = Callable[..., Result]
SCRIPTED_BROWSER = Path(__file__).parent / "scripted_browser.py"
COMMAND = (sys.executable, "-W", "error", "-u", "-m", "cognito_oidc")
STORIES = pytest.mark.parametrize(
    ("story", "steps"), [pytest.param("two-pools", 9, id="two-pools"), pytest.param("one-pool", 14, id="one-pool")]
)


@STORIES
def test_demo_is_green(run: Run, story: str, steps: int) -> None:
    """Every step holds, in 80 columns and without a long wait, and the exit code says so."""
    began = time.monotonic()
    result = run("demo", "--story", story)
    lines = result.stdout.splitlines()
    assert (result.exit_code, result.stderr) == (0, "")
    assert lines[-1].startswith(f"All {steps} steps held: ")
    assert [line for line in lines if len(line) > 79] == []
    assert time.monotonic() - began < 60


def test_two_pools_are_the_default(run: Run) -> None:
    """Who says nothing else is told the story of the two pools."""
    assert "Ann signs in at Corp, and changes her password" in run("demo").stdout


@STORIES
def test_demo_reads_everywhere(run: Run, story: str, steps: int) -> None:
    """The text is ASCII: no terminal, pipe or code page can fail on it."""
    assert run("demo", "--story", story).stdout.isascii()


def test_port_in_use_is_one_clean_line(run: Run) -> None:
    """A port that cannot be had is named on standard error, without a traceback and before any step."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("demo", "--port", str(port))
    assert (result.exit_code, result.stdout) == (6, "")
    assert result.stderr == f"Error: cannot listen on 127.0.0.1, port {port}: Address already in use\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(("--port", "65536"), "'--port'", id="port"),
        pytest.param(("--port", "http"), "'--port'", id="port-name"),
        pytest.param(("--timeout", "0"), "'--timeout'", id="no-time"),
        pytest.param(("--timeout", "inf"), "'--timeout'", id="for-ever"),
        pytest.param(("--story", "none"), "'--story'", id="story"),
        pytest.param(("now",), "unexpected extra argument", id="argument"),
    ],
)
def test_wrong_use_is_a_usage_error(run: Run, arguments: tuple[str, ...], named: str) -> None:
    """What cannot be meant ends with code 2 and its name."""
    result = run("demo", *arguments)
    assert result.exit_code == 2
    assert named in result.stderr


@pytest.mark.parametrize("name", ["jinja2", "starlette", "uvicorn"])
def test_missing_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without what the local Cognito needs, one line says what to install."""
    monkeypatch.setitem(sys.modules, name, None)
    result = run("demo")
    assert (result.exit_code, result.stdout) == (6, "")
    assert result.stderr == f"Error: the demo needs {name}: pip install 'cognito-oidc[cli,emulator]'\n"


def test_color_where_it_is_wanted(run: Run) -> None:
    """A terminal gets some colour."""
    assert "\x1b[32mok\x1b[0m  " in run("demo", color=True).stdout


@pytest.mark.parametrize(("value", "colored"), [("1", False), ("", True)], ids=["set", "empty"])
def test_no_color_is_obeyed(run: Run, monkeypatch: pytest.MonkeyPatch, value: str, *, colored: bool) -> None:
    """NO_COLOR turns it off, unless it is empty, as https://no-color.org says."""
    monkeypatch.setenv("NO_COLOR", value)
    assert ("\x1b" in run("demo", color=True).stdout) is colored


def test_proxies_of_the_environment_are_not_used(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that everything else needs does not come between the demo and this machine."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert run("demo").exit_code == 0


def test_keyboard_interrupt_ends_cleanly(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is one word on standard error and the shell's exit code."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "Console", interrupted)
    result = run("demo")
    assert (result.exit_code, result.stderr) == (130, "\nInterrupted.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_interrupted_process_leaves_nothing(tmp_path: Path) -> None:
    """The same of a real process that waits for a person: no traceback, no thread that holds it up."""
    terminal = tmp_path / "terminal"
    with terminal.open("w", encoding="utf-8") as output:
        process = start(output.fileno(), "two-pools", BROWSER="", DISPLAY="", WAYLAND_DISPLAY="")
        wait_for("Sign in as ann", terminal)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (130, b"\nInterrupted.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="a command line with quotes in BROWSER")
@STORIES
def test_browser_of_the_system_signs_in(tmp_path: Path, story: str, steps: int) -> None:
    """With --browser the person's own browser does it, comes back to this machine, and is told so."""
    terminal = tmp_path / "terminal"
    browser = shlex.join([sys.executable, str(SCRIPTED_BROWSER), str(tmp_path)])
    with terminal.open("w", encoding="utf-8") as output:
        process = start(output.fileno(), story, BROWSER=f"{browser} %s")
        _, errors = process.communicate(timeout=30)
    text = terminal.read_text(encoding="utf-8")
    assert (process.returncode, errors) == (0, b""), text
    assert "Your browser opens this address." in text
    assert text.splitlines()[-1].startswith(f"All {steps} steps held: ")
    signed_in, *others = (tmp_path / "pages").read_text(encoding="utf-8").strip().split("\n\n")
    assert signed_in.startswith("200 /done? ")
    assert "You are signed in" in signed_in
    assert all(page.startswith("200 /done? ") and "<h1>Done</h1><p>Close this page.</p>" in page for page in others)


def test_person_who_never_comes_back(run: Run) -> None:
    """The wait ends; the step says what was expected, and the exit code is 1."""
    result = run("demo", "--story", "one-pool", "--browser", "--timeout", "1")
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert "    Open this address in a browser on this machine:" in lines
    assert any(
        line.startswith("http://127.0.0.1:") and "/shop/oauth2/authorize?response_type=code" in line for line in lines
    )
    assert "    FAILED  the browser comes back" in lines
    assert "        came      nobody" in lines
    assert lines[-1] == "Step 4 of 14 did not hold."


def start(output: int, story: str, **environment: str) -> subprocess.Popen[bytes]:
    """Start `cognito-oidc demo --browser` as a person would."""
    return subprocess.Popen(
        [*COMMAND, "demo", "--story", story, "--browser", "--timeout", "20"],
        stdout=output,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
        # A shell that runs the tests in the background ignores Ctrl-C, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - one thread here
    )


def wait_for(text: str, terminal: Path) -> None:
    """Wait until something stands on the terminal."""
    ends = time.monotonic() + 60
    while text not in terminal.read_text(encoding="utf-8"):
        assert time.monotonic() < ends, terminal.read_text(encoding="utf-8")
        time.sleep(0.05)
