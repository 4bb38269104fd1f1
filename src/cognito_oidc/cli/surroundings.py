"""Where the command runs: at a person's desk, or somewhere that a browser cannot come back to.

Decides what is recognised, and by what. Decides nothing about what is done then.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Each sets one of these for whatever it runs; a value of "false" or "0" is none.
_CI: Final = ("CI", "BUILD_NUMBER", "CODEBUILD_BUILD_ID", "JENKINS_URL", "TEAMCITY_VERSION", "TF_BUILD")
_SSH: Final = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
_WSL: Final = ("WSL_DISTRO_NAME", "WSL_INTEROP")
_CONTAINER: Final = ("KUBERNETES_SERVICE_HOST", "container")  # systemd-nspawn and podman set the latter
_CONTAINER_FILES: Final = ("/.dockerenv", "/run/.containerenv")
_DISPLAY: Final = ("DISPLAY", "WAYLAND_DISPLAY")


def is_ci(environment: Mapping[str, str] | None = None) -> bool:
    """Tell whether a CI service runs this, so that nobody can be asked whatever the terminal looks like."""
    return _any_of(_CI, os.environ if environment is None else environment)


def why_no_browser(
    environment: Mapping[str, str] | None = None, *, platform: str = sys.platform, root: Path = Path("/")
) -> str | None:
    """Return why a browser cannot be opened here that comes back to this machine, as a noun; None where it can.

    `BROWSER` is the person's own word, and counts everywhere but in CI: editors that work on another machine set it to
    what opens a browser at the person's desk and leads back.

    Args:
        environment: Variables; None takes those of the process.
        platform: As in `sys.platform`.
        root: Where files of the system are, for tests.
    """
    variables = os.environ if environment is None else environment
    if is_ci(variables):
        return "a CI job"
    if variables.get("BROWSER"):
        return None
    if _any_of(_SSH, variables):
        return "an SSH session"
    if _any_of(_WSL, variables) or _is_microsoft(root / "proc/sys/kernel/osrelease"):
        return "WSL"
    if _any_of(_CONTAINER, variables) or any((root / each.lstrip("/")).exists() for each in _CONTAINER_FILES):
        return "a container"
    if platform == "linux" and not _any_of(_DISPLAY, variables):
        return "a machine without a display"
    return None


def has_terminal() -> bool:
    """Tell whether a person sits at both ends: can read what is said on standard error, and answer."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def _any_of(names: tuple[str, ...], variables: Mapping[str, str]) -> bool:
    return any(variables.get(name, "").lower() not in {"", "0", "false"} for name in names)


def _is_microsoft(path: Path) -> bool:
    try:
        return "microsoft" in path.read_text(encoding="utf-8", errors="replace").lower()
    except OSError:
        return False
