"""The reference page of the command, and what the shell completes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from scripts.command_page import PAGE, help_of, page

from cognito_oidc.cli import _COMMANDS
from cognito_oidc.cli.exit_codes import ExitCode

BASH = shutil.which("bash") or "bash"


def test_the_page_is_what_the_commands_print() -> None:
    """The page is written from the commands; `make command-page` renews it."""
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("command", [(), *((name,) for name in _COMMANDS)], ids=lambda command: command[-1:] or "all")
def test_every_help_stands_on_the_page(command: tuple[str, ...]) -> None:
    """Line by line what `--help` prints, so that neither can change without the other."""
    assert f"```text\n{help_of(*command).rstrip()}\n```\n" in PAGE.read_text(encoding="utf-8")


def test_every_exit_code_has_a_meaning() -> None:
    """The page has a row for each exit code there is."""
    rows = re.findall(r"^\| (\d+) \| .+ \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(row) for row in rows] == [code.value for code in ExitCode]


@pytest.mark.parametrize("command", sorted(_COMMANDS))
def test_every_help_teaches(command: str) -> None:
    """Each command shows examples to be copied, and says what its exit codes mean."""
    text = help_of(command)
    assert f"\n    cognito-oidc {command}" in text or f"| cognito-oidc {command}" in text
    assert "\n  Exit codes:\n" in text
    assert "0  " in text


def completed(line: str, **environment: str) -> list[str]:
    """Return what bash offers for a line, with the set-up that the page shows."""
    program = f"""
eval "$(_COGNITO_OIDC_COMPLETE=bash_source cognito-oidc)"
COMP_WORDS=({line}) COMP_CWORD=$(( {len(line.split())} - 1 ))
_cognito_oidc_completion cognito-oidc
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [BASH, "--norc", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": path, **environment},
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        pytest.param("cognito-oidc doc", {"doctor"}, id="command"),
        pytest.param("cognito-oidc doctor --login", {"--login-url"}, id="option"),
        pytest.param("cognito-oidc verify --output j", {"json"}, id="value"),
        pytest.param("cognito-oidc doctor --profile s", {"shop", "staging"}, id="profile"),
        pytest.param("cognito-oidc federation corp s", {"shop", "staging"}, id="profile-as-argument"),
    ],
)
def test_bash_completes(tmp_path: Path, line: str, offered: set[str]) -> None:
    """Commands, options, values and profiles are completed by the shell itself."""
    path = tmp_path / "profiles.toml"
    path.write_text("".join(f"[profiles.{name}]\n" for name in ("corp", "shop", "staging")))
    assert set(completed(line, COGNITO_CONFIG_FILE=str(path))) == offered


def test_completion_without_a_file_is_silent(tmp_path: Path) -> None:
    """A file of profiles that is not there, or is wrong, disturbs nobody who presses Tab."""
    path = tmp_path / "profiles.toml"
    assert completed("cognito-oidc doctor --profile s", COGNITO_CONFIG_FILE=str(path)) == []
    path.write_text("[profiles\n")
    assert completed("cognito-oidc doctor --profile s", COGNITO_CONFIG_FILE=str(path)) == []
