import subprocess
import sys

import pytest


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with warnings as errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_module_is_the_command() -> None:
    """`python -m cognito_oidc` is `cognito-oidc`, under this name."""
    done = python("-m", "cognito_oidc", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: cognito-oidc ")


def test_missing_click_names_the_extra() -> None:
    """Without the extra the command says in one line what to install."""
    done = python("-c", "import sys; sys.modules['click'] = None; from cognito_oidc.__main__ import main; main()")
    assert done.returncode == 6
    assert done.stderr == "Error: cognito-oidc needs click: pip install 'cognito-oidc[cli,emulator]'\n"


def test_another_broken_import_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a missing click is the missing extra; any other import error is a fault and is shown as one."""
    code = "import sys; sys.modules['cognito_oidc.errors'] = None; from cognito_oidc.__main__ import main; main()"
    done = python("-c", code)
    assert done.returncode == 1
    assert "cognito_oidc.errors" in done.stderr


def test_demo_as_a_process() -> None:
    """The whole demo, as a person starts it: green, silent on standard error, coloured only on a terminal."""
    done = python("-m", "cognito_oidc", "demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("All 9 steps held: ")
    assert "\x1b" not in done.stdout
