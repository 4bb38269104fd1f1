import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner, Result

from cognito_oidc import cli as package
from cognito_oidc.cli import cli
from cognito_oidc.errors import (
    CognitoOidcError,
    ConfigurationError,
    KeysUnavailableError,
    ProtocolError,
    TransportError,
)

Run = Callable[..., Result]


def test_version_is_that_of_the_package(run: Run) -> None:
    """`--version` says which release runs."""
    result = run("--version")
    assert (result.exit_code, result.output) == (
        0,
        f"cognito-oidc, version {importlib.metadata.version('cognito-oidc')}\n",
    )


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ()], ids=["long", "short", "nothing"])
def test_help_names_the_commands(run: Run, arguments: tuple[str, ...]) -> None:
    """Whoever asks for help, or for nothing at all, reads what there is."""
    output = run(*arguments).output
    assert output.startswith("Usage: cognito-oidc [OPTIONS] COMMAND [ARGS]...\n")
    assert re.search(r"^  demo +Sign a person in at a local Cognito", output, re.MULTILINE)


def test_help_fits_80_columns(run: Run) -> None:
    """No line of any help text is broken by a terminal of 80 columns."""
    commands = ((), *((name,) for name in package._COMMANDS))
    lines = [line for command in commands for line in run(*command, "--help").output.splitlines()]
    assert [line for line in lines if len(line) > 80] == []


def test_help_of_demo_teaches_by_example(run: Run) -> None:
    """The help text has examples that can be copied, and the exit codes."""
    output = run("demo", "-h").output
    assert "\n    cognito-oidc demo --browser          you do, in a browser on this machine\n" in output
    assert "\n    6  the port cannot be used, or something is not installed\n" in output


def test_unknown_command_is_a_usage_error(run: Run) -> None:
    """A slip of the pen ends with code 2 and the name that was not found."""
    result = run("demp")
    assert result.exit_code == 2
    assert "No such command 'demp'. (did you mean 'demo'?)" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(ConfigurationError("no domain"), 6, id="configuration"),
        pytest.param(TransportError("no answer", sent="no", endpoint="token"), 5, id="transport"),
        pytest.param(KeysUnavailableError("no keys"), 5, id="keys"),
        pytest.param(ProtocolError("no JSON"), 1, id="other"),
    ],
)
def test_error_ends_in_one_line(monkeypatch: pytest.MonkeyPatch, error: CognitoOidcError, code: int) -> None:
    """An exception of ours is a line on standard error and an exit code, never a traceback."""

    @click.command()
    def broken() -> None:
        raise error

    monkeypatch.setattr(package, "import_module", lambda _: type("module", (), {"demo": broken}))
    result = CliRunner().invoke(cli, ["demo"])
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", f"Error: {error}\n")


def test_help_loads_no_library() -> None:
    """A command starts fast: to say what there is, neither HTTP nor the emulator is loaded."""
    code = """
import sys
from click.testing import CliRunner
from cognito_oidc.cli import _COMMANDS, cli
assert CliRunner().invoke(cli, ["--help"]).exit_code == 0
for command in _COMMANDS:
    assert CliRunner().invoke(cli, [command, "--help"]).exit_code == 0
print(sorted({"httpx", "pydantic", "cryptography", "starlette", "joserfc", "asyncio"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
