from collections.abc import Mapping
from pathlib import Path

import pytest

from cognito_oidc.cli.surroundings import is_ci, why_no_browser

DESK = {"DISPLAY": ":0"}


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        pytest.param(DESK, None, id="desk"),
        pytest.param({"WAYLAND_DISPLAY": "wayland-0"}, None, id="wayland"),
        pytest.param({}, "a machine without a display", id="console"),
        pytest.param({**DESK, "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, "an SSH session", id="ssh"),
        pytest.param({**DESK, "SSH_TTY": "/dev/pts/0"}, "an SSH session", id="ssh-tty"),
        pytest.param({**DESK, "WSL_DISTRO_NAME": "Ubuntu"}, "WSL", id="wsl"),
        pytest.param({**DESK, "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "a container", id="kubernetes"),
        pytest.param({**DESK, "container": "podman"}, "a container", id="podman"),
        pytest.param({**DESK, "CI": "true"}, "a CI job", id="ci"),
        pytest.param({**DESK, "TF_BUILD": "True"}, "a CI job", id="azure"),
        pytest.param({**DESK, "CI": "false"}, None, id="no-ci"),
        pytest.param({"BROWSER": "code --open", "SSH_TTY": "/dev/pts/0"}, None, id="editor-over-ssh"),
        pytest.param({"BROWSER": "firefox", "CI": "1"}, "a CI job", id="browser-in-ci"),
    ],
)
def test_surroundings_are_recognised(environment: Mapping[str, str], reason: str | None, tmp_path: Path) -> None:
    """Where a browser would open for nobody, or could not come back, it is known by name."""
    assert why_no_browser(environment, platform="linux", root=tmp_path) == reason


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        pytest.param(".dockerenv", "", "a container", id="docker"),
        pytest.param("run/.containerenv", "", "a container", id="podman"),
        pytest.param("proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n", "WSL", id="wsl"),
        pytest.param("proc/sys/kernel/osrelease", "6.8.0-40-generic\n", None, id="linux"),
    ],
)
def test_files_of_the_system_tell_too(file: str, content: str, reason: str | None, tmp_path: Path) -> None:
    """What sets no variable is known by its files."""
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    assert why_no_browser(DESK, platform="linux", root=tmp_path) == reason


def test_macos_needs_no_display_variable(tmp_path: Path) -> None:
    """Only on Linux does a variable tell whether anybody looks."""
    assert why_no_browser({}, platform="darwin", root=tmp_path) is None


def test_ci_is_read_from_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without variables being handed in, those of the process count."""
    monkeypatch.setenv("CI", "true")
    assert is_ci()
