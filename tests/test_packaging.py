"""What the package says of itself agrees with itself."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = sorted((ROOT / "requirements").glob("*.txt"))


def test_newest_changelog_section_is_this_version() -> None:
    """Version and changelog agree: the newest section is the version of pyproject.toml, dated or not yet released."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[([^]]+)\] - (unreleased|\d{4}-\d{2}-\d{2})$", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] == PROJECT["version"]


def test_changelog_sections_have_the_promised_form() -> None:
    """Every heading is one of Keep a Changelog's."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^### (.+)$", changelog, re.MULTILINE))
    assert headings <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_installed_version_is_this_version() -> None:
    """What is tested is what is here: a stale installation would be seen."""
    assert metadata.version("cognito-oidc") == PROJECT["version"]


def test_extra_all_holds_every_other_extra() -> None:
    """`pip install cognito-oidc[all]` leaves nothing out."""
    extras = PROJECT["optional-dependencies"]
    assert extras["all"] == [f"cognito-oidc[{','.join(sorted(extras.keys() - {'all'}))}]"]


def test_package_is_typed() -> None:
    """The marker of PEP 561 is there: type checkers read our annotations."""
    assert (ROOT / "src" / "cognito_oidc" / "py.typed").is_file()


def test_map_of_contributing_names_what_is_there() -> None:
    """The map leads somewhere: each file and folder that CONTRIBUTING.md names in a table of it exists."""
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:src|tests)/[\w./-]+)`", contributing)
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("pins", PINS, ids=lambda path: path.name)
def test_pins_hold_hashes_and_no_address(pins: Path) -> None:
    """Every pinned release has a hash, and no index, host or link is named."""
    text = pins.read_text(encoding="utf-8")
    unhashed = [line for line in text.splitlines() if "==" in line and not line.endswith("\\")]
    assert unhashed == []
    assert re.findall(r"://|^-.*|\bsimple/|\bindex\b", text, re.MULTILINE) == []
