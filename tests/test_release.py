"""What guards a release refuses what it should; `make dist` and `make installed` are run by CI itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / "scripts"


def run(script: str, *arguments: str, folder: Path) -> tuple[int, str]:
    """Return exit code and output of a script of ours, run in a folder."""
    command = [sys.executable, str(SCRIPTS / script), *arguments]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project of version 1.2.3, which is dated in its changelog and has one public function."""
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n', encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [1.2.3] - 2026-11-27\n", encoding="utf-8")
    package = tmp_path / "src" / "cognito_oidc"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""A package."""\n\ndef verify(token, leeway=0): ...\n', encoding="utf-8")
    return tmp_path


def tagged(project: Path) -> Path:
    """Commit a project and tag the commit as release 1.2.3."""
    git = ["git", "-c", "user.name=somebody", "-c", "user.email=somebody@example.com"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "release"], ["tag", "v1.2.3"]):
        subprocess.run([*git, *arguments], cwd=project, check=True)
    return project


def set_version(project: Path, version: str) -> None:
    """Let a project be of another version."""
    (project / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n', encoding="utf-8")


def break_it(project: Path) -> None:
    """Take the public function away."""
    (project / "src" / "cognito_oidc" / "__init__.py").write_text('"""A package."""\n', encoding="utf-8")


def test_a_tag_is_the_version(project: Path) -> None:
    """A release begins where tag, version and changelog agree."""
    assert run("check_tag.py", "v1.2.3", folder=project)[0] == 0


@pytest.mark.parametrize(
    ("tag", "section"),
    [
        pytest.param("v1.2.4", "## [1.2.3] - 2026-11-27", id="another version"),
        pytest.param("1.2.3", "## [1.2.3] - 2026-11-27", id="no v"),
        pytest.param("v1.2.3", "## [1.2.3] - unreleased", id="no date"),
        pytest.param("v1.2.3", "## [1.2.2] - 2026-11-27", id="an older section"),
    ],
)
def test_a_tag_that_is_not_is_refused(project: Path, tag: str, section: str) -> None:
    """Nothing is built for a release that would say two things of itself."""
    (project / "CHANGELOG.md").write_text(f"# Changelog\n\n{section}\n", encoding="utf-8")
    assert run("check_tag.py", tag, folder=project)[0] == 1


def test_without_a_release_nothing_is_broken(project: Path) -> None:
    """Before the first tag there is nothing to compare with."""
    assert run("api_diff.py", folder=project) == (0, "no release yet: nothing to compare the public names with\n")


@pytest.mark.parametrize(
    ("version", "code"),
    [
        pytest.param("1.2.4", 1, id="a patch may not"),
        pytest.param("1.3.0", 1, id="a minor version may not"),
        pytest.param("2.0.0", 0, id="a major version may"),
    ],
)
def test_what_a_release_promised_is_kept(project: Path, version: str, code: int) -> None:
    """A public name that went away is named; only a version that says so may do that."""
    tagged(project)
    break_it(project)
    set_version(project, version)
    found, output = run("api_diff.py", folder=project)
    assert (found, "verify" in output) == (code, True)


def test_what_is_new_breaks_nothing(project: Path) -> None:
    """More names than in the last release are no breakage."""
    tagged(project)
    with (project / "src" / "cognito_oidc" / "__init__.py").open("a", encoding="utf-8") as module:
        module.write("def discover(): ...\n")
    assert run("api_diff.py", folder=project) == (0, "nothing public is broken since v1.2.3\n")


def test_licences_are_those_of_what_is_installed() -> None:
    """The page lists every package that the base and the extras bring along, and no other."""
    pins = (ROOT / "requirements" / "run.txt").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| ([\w.-]+) \| [^|]+ \|$", page, re.MULTILINE)
    assert listed[1:] == re.findall(r"^([\w.-]+)==", pins, re.MULTILINE)


def test_workflows_are_sound() -> None:
    """Actions are pinned to a commit, permissions are the least, and no text of others reaches a shell."""
    zizmor = str(Path(sys.executable).parent / "zizmor")
    command = [zizmor, "--offline", "--persona=pedantic", "--no-progress", str(ROOT / ".github")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
