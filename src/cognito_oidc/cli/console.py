"""How a story is told on a terminal: steps, requests, checks and refusals, in 80 columns.

Decides what they look like, and that a check which does not hold ends the step. Decides nothing about what is checked.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from cognito_oidc.errors import CognitoOidcError

E = TypeVar("E", bound="CognitoOidcError")

_WIDTH: Final = 79
_INDENT: Final = "    "
_SHORT: Final = 8


class StepFailedError(Exception):
    """A step did not hold.

    Attributes:
        what: What should have held.
        expected: What would have been right, as text without secrets.
        came: What came instead, likewise.
    """

    def __init__(self, what: str, *, expected: str, came: str) -> None:
        """Keep what the person at the terminal wants to know."""
        super().__init__(f"{what}: expected {expected}, came {came}")
        self.what = what
        self.expected = expected
        self.came = came


class Console:
    """Writes to standard output.

    Attributes:
        held: How many checks held so far.
    """

    def __init__(self) -> None:
        """Begin with nothing checked."""
        self.held = 0

    def say(self, text: str, *, indent: str = _INDENT) -> None:
        """Write a paragraph."""
        click.echo(_wrapped(text, indent))

    def verbatim(self, text: str) -> None:
        """Write a line that is never broken, to be copied."""
        click.echo(f"\n{text}\n")

    def step(self, number: int, title: str) -> None:
        """Begin a step."""
        click.echo()
        click.secho(f"{number:2}. {title}", bold=True)

    def request(self, method: str, address: str, parameters: Mapping[str, str], status: int | None = None) -> None:
        """Show a request: what was sent where, and the status that came back."""
        click.secho(f"{_INDENT}> {method} {address}" + ("" if status is None else f"  [{status}]"), fg="cyan")
        self.rows(parameters)

    def rows(self, values: Mapping[str, str], *, notes: Mapping[str, str] | None = None) -> None:
        """Show names and values below each other, cut where the line ends, each with its note."""
        width = max(map(len, values), default=0)
        for name, value in values.items():
            note = (notes or {}).get(name)
            line = f"{_INDENT}  {name:{width}}  {value}" + (f"  {note}" if note else "")
            click.echo(line if len(line) <= _WIDTH else line[: _WIDTH - 3] + "...")

    def check(self, what: str, came: object, *, expected: object) -> None:
        """Say that something holds: what came is what was expected.

        Raises:
            StepFailedError: It is not. Both values are shown then: pass no secret.
        """
        if came != expected:
            raise StepFailedError(what, expected=_shown(expected), came=_shown(came))
        self.held += 1
        first = f"{_INDENT}ok  "
        text = _wrapped(what, " " * len(first))
        click.echo(_INDENT + click.style("ok", fg="green") + text[len(_INDENT) + 2 :])

    async def refused(self, what: str, attempt: Awaitable[object], error: type[E]) -> E:
        """Say that something is refused, show our error with its explanation, and return it.

        Raises:
            StepFailedError: It was not refused.
            CognitoOidcError: It was refused for another reason.
        """
        try:
            await attempt
        except error as refusal:
            self.check(what, type(refusal).__name__, expected=error.__name__)
            self.say(f"{type(refusal).__name__}: {refusal}", indent=_INDENT * 2)
            for cause in refusal.explain()[:2]:
                self.say(f"- {cause}", indent=_INDENT * 2)
            return refusal
        raise StepFailedError(what, expected=error.__name__, came="it was accepted")

    def failed(self, error: StepFailedError) -> None:
        """Show what did not hold."""
        click.echo(f"{_INDENT}{click.style('FAILED', fg='red', bold=True)}  {error.what}")
        for name, value in (("expected", error.expected), ("came", error.came)):
            click.echo(_wrapped(f"{name:8}  {value}", _INDENT * 2))

    def end(self, text: str, *, good: bool) -> None:
        """Write the last line."""
        click.echo()
        click.secho(text, bold=True, fg="green" if good else "red")


def shortened(value: str) -> str:
    """Return the beginning of a random value: enough to know it again, too little to use it."""
    return value if len(value) <= _SHORT * 2 else f"{value[:_SHORT]}..."


def _shown(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def _wrapped(text: str, indent: str) -> str:
    hanging = indent + "  " if text.startswith("- ") else indent
    return textwrap.fill(
        text, _WIDTH, initial_indent=indent, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
    )
