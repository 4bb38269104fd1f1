"""The pages keep their promises: they name tests that exist, show every public name, and run what they show."""

import dataclasses
import re
from pathlib import Path

import pytest

import cognito_oidc
from cognito_oidc import emulator, errors
from tests.public_surface import INTEGRATIONS

ROOT = Path(__file__).parent.parent
DRAWN = ("images/rings.svg",)  # by docs/conf.py, whenever the documentation is built
PAGES = [ROOT / "README.md", *sorted(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts)]
# Languages of blocks that no reader would run as Python, and directives of the site.
NOT_RUN = {"console", "json", "terraform", "text", "yaml", "{eval-rst}", "{toctree}"}


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_named_tests_exist(page: Path) -> None:
    """A test that a page names is there, under that name."""
    named = re.findall(r"`(?:tests/)?((?:\w+/)*test_\w+\.py)(?:::(\w+))?`", page.read_text(encoding="utf-8"))
    missing = [
        f"{file}::{function}"
        for file, function in named
        if not (path := ROOT / "tests" / file).is_file()
        or (function and f"def {function}(" not in path.read_text(encoding="utf-8"))
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_block_says_what_it_is(page: Path) -> None:
    """A block is Python, which is executed, or something that nobody would execute as Python."""
    fences = re.findall(r"^ *```(\S*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(fences[::2]) <= {"python", *NOT_RUN}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_what_is_skipped_says_why(page: Path) -> None:
    """A block that is not executed carries the reason."""
    skips = re.findall(r"<!-+ *skip: *(.*?) *-+>", page.read_text(encoding="utf-8"))
    assert [skip for skip in skips if not re.fullmatch(r'next "[^"]+"', skip)] == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link of a page, also as the repository shows it, leads to a file."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\((?!\w+:)([^)#]+)", text)
    assert [target for target in targets if target not in DRAWN and not (page.parent / target).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_line_holds_one_sentence(page: Path) -> None:
    """Sentences stand on lines of their own, so that a change shows as what it is."""
    text = re.sub(r"^ *```.*?^ *```|<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    prose = [line for line in text.splitlines() if not line.startswith(("|", "#"))]
    assert [line for line in prose if re.search(r"[a-z`)\"]\. [A-Z]", line)] == []


def test_the_reference_shows_every_public_name() -> None:
    """What can be imported from the door has an entry in the reference, and so has each module beside it."""
    pages = "\n".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs" / "reference").glob("*.md")))
    shown = set(re.findall(r"^\.\. auto(?:class|data|function):: (\w+)$", pages, re.MULTILINE))
    assert shown == set(cognito_oidc.__all__)
    for module in (errors.__name__, emulator.__name__, *INTEGRATIONS):
        assert f".. automodule:: {module}\n   :members:" in pages


def test_the_page_of_the_emulator_names_every_switch() -> None:
    """Where nobody knows what Cognito does, the page says so: it has a row for each switch, with its default."""
    page = (ROOT / "docs" / "emulator.md").read_text(encoding="utf-8")
    switches = [field.name for field in dataclasses.fields(emulator.Behaviour)]
    assert re.findall(r"^\| `(\w+)` \|", page.partition("## Where nobody knows")[2], re.MULTILINE) == switches
