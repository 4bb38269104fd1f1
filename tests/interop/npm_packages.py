"""Packages of npm that judge us, in the folder .cache/npm; nothing of them is committed but names and versions.

`python -m tests.interop.npm_packages` installs them, which CI does before the tests; the tests do it where it was not.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

VERSIONS: Final = {
    "aws-jwt-verify": "5.2.1",
    "axe-core": "4.14.1",
    "oidc-client-ts": "3.5.0",
    "oidc-provider": "9.13.3",
    "openid-client": "6.9.0",
    "playwright-core": "1.65.1",
    "swagger-ui-dist": "5.35.0",
}
FOLDER: Final = Path(__file__).parent.parent.parent / ".cache" / "npm"
_OPTIONS: Final = ("--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
_PATIENCE: Final = 300.0  # seconds


def is_installed() -> bool:
    """Tell whether every package is there in its version."""
    found = (FOLDER / "node_modules" / name / "package.json" for name in VERSIONS)
    versions = {path.parent.name: json.loads(path.read_text("utf-8"))["version"] for path in found if path.is_file()}
    return versions == VERSIONS


@cache
def problem() -> str | None:
    """Install the packages where they are missing; return what is in the way of it, or None."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return "node and npm are not installed"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with FOLDER.with_suffix(".lock").open("w") as lock:  # two runs of the tests may begin together
        fcntl.flock(lock, fcntl.LOCK_EX)
        return None if is_installed() else _install(npm)


def _install(npm: str) -> str | None:
    manifest = {"private": True, "type": "module", "dependencies": VERSIONS}
    (FOLDER / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
    try:
        subprocess.run(
            [npm, "install", *_OPTIONS],
            cwd=FOLDER,
            check=True,
            capture_output=True,
            timeout=_PATIENCE,
            env={**os.environ, "NO_UPDATE_NOTIFIER": "1"},
        )
    except subprocess.SubprocessError as error:
        return f"npm could not install {', '.join(VERSIONS)}: {type(error).__name__}"
    return None if is_installed() else "npm installed other versions than were asked for"


if __name__ == "__main__":
    sys.exit(problem())
