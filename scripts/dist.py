"""Build what is released into dist/: the source distribution, the wheel made from it, and the bill of materials.

Run by `make dist`. Everything is built twice, the second time from a copy in another folder, at another hour and with
other permissions, and must be the same to the byte. What is in there must be what git tracks.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
MATERIALS = "cognito-oidc.cdx.json"
A_WEEK_AGO = -7 * 24 * 3600


def main() -> None:
    """Build, compare, look inside, and keep."""
    stray = _git("ls-files", "--others", "--exclude-standard")
    if stray:
        sys.exit(f"commit, remove or ignore first: {', '.join(stray)}")
    with TemporaryDirectory(prefix="dist-") as folder:
        elsewhere = _copy(Path(folder) / "elsewhere")
        first = _built(ROOT, Path(folder) / "first")
        second = _built(elsewhere, Path(folder) / "second")
        differing = [name for name, content in first.items() if second.get(name) != content]
        if differing or first.keys() != second.keys():
            sys.exit(f"two builds differ: {', '.join(differing) or 'in the names of their files'}")
        _check_content(Path(folder) / "first")
        shutil.rmtree(DIST, ignore_errors=True)
        shutil.copytree(Path(folder) / "first", DIST)
        wheel = next(DIST.glob("*.whl"))
        (DIST / MATERIALS).write_text(_bill_of_materials(wheel, Path(folder) / "environment"), encoding="utf-8")
    for path in sorted(DIST.iterdir()):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
    print("two builds of sdist and wheel, from two folders: the same bytes")


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments, "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in done.stdout.split("\0") if name]


def _copy(folder: Path) -> Path:
    """Return a copy of what git tracks, with other times and permissions."""
    for name in _git("ls-files"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
        target.chmod(0o700 if os.access(ROOT / name, os.X_OK) else 0o600)
        then = target.stat().st_mtime + A_WEEK_AGO
        os.utime(target, (then, then))
    return folder


def _built(source: Path, target: Path) -> dict[str, bytes]:
    """Build in a folder and return the bytes of each file."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(source)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the build failed:\n{done.stdout}\n{done.stderr}")
    return {path.name: path.read_bytes() for path in target.iterdir()}


def _check_content(folder: Path) -> None:
    """Refuse too much and too little: the wheel is the package, and neither holds what git does not track."""
    tracked = set(_git("ls-files"))
    package = {name.removeprefix("src/") for name in tracked if name.startswith("src/")}
    inside = {name for name in _names_of_wheel(next(folder.glob("*.whl"))) if ".dist-info/" not in name}
    if inside != package:
        sys.exit(f"the wheel is not the package: {sorted(inside ^ package)}")
    unknown = set(_names_of_sdist(next(folder.glob("*.tar.gz")))) - tracked - {"PKG-INFO"}
    if unknown:
        sys.exit(f"the source distribution holds what git does not track: {sorted(unknown)}")


def _names_of_wheel(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def _names_of_sdist(path: Path) -> Iterator[str]:
    with tarfile.open(path) as archive:
        for member in archive:
            yield member.name.partition("/")[2]


def _bill_of_materials(wheel: Path, environment: Path) -> str:
    """Return what the wheel with all its extras brings along, in CycloneDX's form, as the pins have it."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    inside = {**os.environ, "VIRTUAL_ENV": str(environment)}
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", str(environment)],
        [
            uv,
            "pip",
            "install",
            "--quiet",
            "--constraints",
            "requirements/run.txt",
            f"cognito-oidc[all] @ {wheel.as_uri()}",
        ],
    ):
        subprocess.run(command, cwd=ROOT, env=inside, check=True)
    listing = [
        *(sys.executable, "-m", "cyclonedx_py", "environment", str(environment)),
        *("--pyproject", "pyproject.toml", "--mc-type", "library", "--output-reproducible"),
    ]
    done = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True)
    if not json.loads(done.stdout)["components"]:
        sys.exit("the bill of materials is empty")
    return done.stdout


main()
