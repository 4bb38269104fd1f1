"""Run the tests against the wheel, installed as a user would, on each Python and with each end of the dependencies.

Run by `make installed`, after `make dist`. The tests run in a folder without `src`, so that nothing but the installed
package can be imported. `lowest` is what pyproject.toml says is enough (requirements/lowest.txt), `highest` the pins
(requirements/dev.txt). Arguments choose: `python scripts/installed.py 3.12-lowest`.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
PYTHONS = ("3.11", "3.12", "3.13")
PINS = {"lowest": "lowest.txt", "highest": "dev.txt"}
NEEDED = (
    "tests",
    "benchmarks",
    "docs",
    "examples",
    "requirements",
    "scripts",
    "conftest.py",
    "pyproject.toml",
    "Makefile",
    "README.md",
    "CHANGELOG.md",
)
# These look at the checkout itself, or at what is not ours, whose versions are the pins' alone.
CHECKOUT = (
    "tests/interop",
    "tests/test_benchmarks.py",
    "tests/test_diagrams.py",
    "tests/test_documentation.py",
    "tests/test_fences.py",
    "tests/test_fidelity.py",
    "tests/test_packaging.py",
    "tests/test_public_surface.py",
    "tests/test_release.py",
)
# What differs most between releases of what we stand on: everywhere. The rest: at both ends alone.
CORE = (
    "tests/protocol",
    "tests/test_verifier.py",
    "tests/test_sync_verifier.py",
    "tests/test_client.py",
    "tests/test_transport.py",
    "tests/test_secrets.py",
)
IN_FULL = ("3.11-lowest", "3.13-highest")


def main() -> None:
    """Run what was chosen, or every combination."""
    known = [f"{python}-{end}" for python in PYTHONS for end in PINS]
    chosen = sys.argv[1:] or known
    unknown = set(chosen) - set(known)
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    wheels = list((ROOT / "dist").glob("*.whl"))
    if len(wheels) != 1:
        sys.exit("dist/ holds no wheel, or several: run `make dist` first")
    for name in chosen:
        begun = time.monotonic()
        python, end = name.split("-")
        with TemporaryDirectory(prefix="installed-") as folder:
            _install(Path(folder) / "environment", python, PINS[end], wheels[0])
            _run_tests(Path(folder), in_full=name in IN_FULL)
        print(f"{name}: passed as installed, after {time.monotonic() - begun:.0f} s", flush=True)


def _interpreter(version: str) -> str:
    """Return a Python of that version: on the path, or one of pyenv's."""
    found = shutil.which(f"python{version}")
    candidates = [found] if found else []
    candidates += [str(path) for path in sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    for candidate in candidates:
        done = subprocess.run([candidate, "--version"], check=False, capture_output=True, text=True)
        if done.returncode == 0 and done.stdout.startswith(f"Python {version}."):
            return candidate
    sys.exit(f"there is no Python {version}: install it, or name others: python scripts/installed.py 3.11-lowest")


def _install(environment: Path, python: str, pins: str, wheel: Path) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    inside = {**os.environ, "VIRTUAL_ENV": str(environment)}
    for command in (
        [uv, "venv", "--quiet", "--python", _interpreter(python), str(environment)],
        [uv, "pip", "install", "--quiet", "--require-hashes", "-r", f"requirements/{pins}"],
        [uv, "pip", "install", "--quiet", "--no-deps", str(wheel)],
        [uv, "pip", "check", "--quiet"],
    ):
        subprocess.run(command, cwd=ROOT, env=inside, check=True)


def _run_tests(folder: Path, *, in_full: bool) -> None:
    work = folder / "work"
    work.mkdir()
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, work / name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
        elif source.exists():
            shutil.copy(source, work / name)
    python = str(folder / "environment" / "bin" / "python")
    outside = {**os.environ, "PYTHONPATH": ""}
    where = subprocess.run(
        [python, "-c", "import cognito_oidc; print(cognito_oidc.__file__)"],
        cwd=work,
        env=outside,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    if not Path(where).is_relative_to(folder / "environment"):
        sys.exit(f"the tests would have run against {where}")
    tests = ("tests", *(f"--ignore={name}" for name in CHECKOUT)) if in_full else CORE
    # The oldest OpenTelemetry reads entry points in a way that the newest importlib-metadata warns of.
    quiet = ("-W", "ignore:SelectableGroups dict interface:DeprecationWarning")
    command = [python, "-m", "pytest", "--quiet", "-n", "2", *quiet, *tests]
    done = subprocess.run(command, cwd=work, env=outside, check=False)
    if done.returncode:
        sys.exit(done.returncode)


main()
