"""What the doctor says to a person: what was looked at, a line each, and every finding with its cure.

Decides how it is laid out. Decides nothing about what is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from cognito_oidc.cli.console import wrapped
from cognito_oidc.cli.findings import TROUBLESHOOTING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cognito_oidc.cli.findings import Check, Finding

_MARKS: Final = {"good": ("ok", "green"), "wrong": ("WRONG", "red"), "unknown": ("?", "yellow")}
_INDENT: Final = "   "


def report(title: str, checks: Sequence[Check], *, hint: str = "") -> str:
    """Return the report.

    Args:
        title: What was looked at.
        checks: What was found, in order.
        hint: A last line, such as what else could be looked at.
    """
    return "\n".join(
        [
            click.style(wrapped(title, ""), bold=True),
            "",
            *overview(checks),
            "",
            *_findings(checks),
            *_end(checks, hint),
        ]
    )


def overview(checks: Sequence[Check]) -> Iterator[str]:
    """Yield a line for each check: how it is, what it is about, and what was seen."""
    width = max((len(check.about) for check in checks), default=0)
    number = 0
    for check in checks:
        mark, colour = _MARKS[check.outcome]
        said = check.said
        if check.finding is not None:
            number += 1
            said = f"{check.finding.code}: see {number} below."
        elif check.outcome == "unknown":
            said = f"Cannot tell. {said[:1].upper()}{said[1:]}"
        first = f"{mark:5}  {check.about:{width}}  "
        text = wrapped(said, " " * len(first), first=first)
        yield text.replace(mark, click.style(mark, fg=colour, bold=check.outcome == "wrong" or None), 1)


def _findings(checks: Sequence[Check]) -> Iterator[str]:
    found = [(check.about, check.finding) for check in checks if check.finding is not None]
    for number, (about, finding) in enumerate(found, start=1):
        yield click.style(f"{number}. {about}: {finding.code}", fg="red", bold=True)
        yield from _finding(finding)
        yield ""


def _finding(finding: Finding) -> Iterator[str]:
    yield wrapped(finding.found, _INDENT)
    for name, text in (("Why Cognito does not say so", finding.silence), ("What to change", finding.cure)):
        yield f"{_INDENT}{click.style(name, bold=True)}"
        yield wrapped(text, _INDENT * 2)
    yield wrapped(f'More: {TROUBLESHOOTING}, "{finding.topic}"', _INDENT)


def _end(checks: Sequence[Check], hint: str) -> Iterator[str]:
    wrong = sum(check.finding is not None for check in checks)
    unclear = sum(check.outcome == "unknown" for check in checks)
    said = "Nothing is wrong" if wrong == 0 else f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong"
    rest = f", and {unclear} cannot be told" if unclear else ""
    yield click.style(f"{said}{rest}.", fg="red" if wrong else "green", bold=True)
    if hint:
        yield wrapped(hint, "")
