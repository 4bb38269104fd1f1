"""Sphinx: the pages are Markdown (MyST), the reference is read from the docstrings, nothing is fetched."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "cognito-oidc"
author = "cognito-oidc contributors"
copyright = "cognito-oidc contributors"  # noqa: A001 - Sphinx's name for it
release = version = metadata.version("cognito-oidc")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
default_role = "code"  # our docstrings write `name` for code
smartquotes = False  # messages are quoted as they are, so that they are found

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"cognito-oidc {release}"
html_copy_source = False
html_show_sourcelink = False

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3

maximum_signature_line_length = 100  # one parameter a line from there on
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Source"]

nitpicky = True
# The inventories of other projects live on the network, and a build uses none: only our own names must resolve.
nitpick_ignore_regex = [(r"py:.*", r"(?!cognito_oidc\.).*")]


def fences_to_blocks(*event: object) -> None:
    """Turn the fences of a docstring, which is written like a page, into what Sphinx reads in one."""
    lines = cast("list[str]", event[-1])
    inside = False
    written: list[str] = []
    for line in lines:
        if line.lstrip().startswith("```"):
            indent = line[: len(line) - len(line.lstrip())]
            language = line.strip().removeprefix("```") or "text"
            written += [""] if inside else ["", f"{indent}.. code-block:: {language}", ""]
            inside = not inside
        else:
            written.append(f"    {line}" if inside and line else line)
    lines[:] = written


def code_to_literals(*event: object) -> None:
    """Write the code in a property's docstring as napoleon sees it: it takes what stands before a colon for a type."""
    lines = cast("list[str]", event[-1])
    if event[1] == "property":
        lines[:] = [re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", line) for line in lines]


def classes_by_name(*event: object) -> tuple[str | None, str | None]:
    """Write a class that is a default value as its name; Sphinx cannot read a signature with `<class '...'>` in it."""
    signature, returns = cast("tuple[str | None, str | None]", event[-2:])
    return signature and re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", signature), returns


def draw_rings(*_: object) -> None:
    """Draw the picture that shows the imports of today."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from scripts import diagrams  # noqa: PLC0415 - found by the line above

    picture = diagrams.IMAGES / f"{diagrams.DRAWN_ANEW}.svg"
    picture.write_text(diagrams.PICTURES[diagrams.DRAWN_ANEW](), encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Put the hooks before napoleon's, which has priority 500."""
    app.connect("builder-inited", draw_rings)
    app.connect("autodoc-process-docstring", fences_to_blocks, priority=400)
    app.connect("autodoc-process-docstring", code_to_literals, priority=400)
    app.connect("autodoc-process-signature", classes_by_name)
