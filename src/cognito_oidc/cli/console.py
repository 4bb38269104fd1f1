"""What a person sees: a story in steps, requests, checks and refusals, in 80 columns; and the last line of a failure.

Decides what they look like, and that a check which does not hold ends the step. Decides nothing about what is checked.
"""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Final

import click

from cognito_oidc.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from cognito_oidc.errors import CognitoOidcError

    Steps = Sequence[tuple[str, Callable[[], Awaitable[None]]]]

_WIDTH: Final = 79
_INDENT: Final = "    "
_SHORT: Final = 8
_NOTE_COLUMN: Final = _SHORT + len("...") + 2


class CommandError(click.ClickException):
    """What ends a command in one line on standard error. Usage errors are click's own."""

    def __init__(self, message: str, exit_code: int = ExitCode.FAILED) -> None:
        """Say what went wrong, and how the command ends."""
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc] # click reads it from the instance


class MisconfiguredError(CommandError):
    """The configuration or the installation is wrong."""

    def __init__(self, message: str) -> None:
        """Say what has to be changed."""
        super().__init__(message, ExitCode.CONFIGURATION)


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
        self.held: int = 0

    def say(self, text: str, *, indent: str = _INDENT) -> None:
        """Write a paragraph."""
        click.echo(wrapped(text, indent))

    async def tell(self, steps: Steps, *, failures: tuple[type[Exception], ...]) -> bool:
        """Run the steps until one does not hold, and return whether all did.

        Args:
            steps: Their titles, and what they do.
            failures: What may be raised by a step that does not hold; its text is shown, so it holds no secret.
        """
        for number, (title, step) in enumerate(steps, 1):
            click.echo()
            click.secho(f"{number:2}. {title}", bold=True)
            try:
                await step()
            except StepFailedError as error:
                self.failed(error)
            except failures as error:
                came = f"{type(error).__name__}: {error}"
                self.failed(StepFailedError("the step ends well", expected="no error", came=came))
            else:
                continue
            self.end(f"Step {number} of {len(steps)} did not hold.", good=False)
            return False
        return True

    def verbatim(self, text: str) -> None:
        """Write a line that is never broken, to be copied."""
        click.echo(f"\n{text}\n")

    def request(self, method: str, address: str, parameters: Mapping[str, str], status: int) -> None:
        """Show a request: what was sent where, and the status that came back."""
        click.secho(f"{_INDENT}> {method} {address}  [{status}]", fg="cyan")
        self.rows(parameters)

    def rows(self, values: Mapping[str, str], *, notes: Mapping[str, str] | None = None, whole: bool = False) -> None:
        """Show names and values below each other, each with its note.

        Args:
            values: The values by name.
            notes: Notes by name.
            whole: Whether a long value gets lines of its own. Otherwise it is cut where the line ends.
        """
        width = max(map(len, values), default=0)
        for name, value in values.items():
            note = (notes or {}).get(name)
            start = f"{_INDENT}  {name:{width}}  "
            line = start + (f"{value:{_NOTE_COLUMN}}{note}" if note else value)
            if len(line) <= _WIDTH:
                click.echo(line)
            elif whole:
                indent = _INDENT * 2
                click.echo(f"{_INDENT}  {name}")
                click.echo(
                    textwrap.fill(
                        value, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
                    )
                )
            else:
                click.echo(line[: _WIDTH - 3] + "...")

    def check(self, what: str, came: object, *, expected: object) -> None:
        """Say that something holds: what came is what was expected.

        Raises:
            StepFailedError: It is not. Both values are shown then: pass no secret.
        """
        if came != expected:
            raise StepFailedError(what, expected=_shown(expected), came=_shown(came))
        self.held += 1
        text = wrapped(what, _INDENT, first=f"{_INDENT}ok  ")
        click.echo(text.replace("ok", click.style("ok", fg="green"), 1))

    def error(self, error: CognitoOidcError, *, explain: bool = False) -> None:
        """Show an error of ours, on request with what probably caused it."""
        self.say(f"{type(error).__name__}: {error}", indent=_INDENT * 2)
        for cause in error.explain() if explain else ():
            click.echo(wrapped(cause, _INDENT * 2, first=f"{_INDENT * 2}- "))

    def failed(self, error: StepFailedError) -> None:
        """Show what did not hold."""
        click.echo(f"{_INDENT}{click.style('FAILED', fg='red', bold=True)}  {error.what}")
        for name, value in (("expected", error.expected), ("came", error.came)):
            click.echo(wrapped(value, _INDENT * 2, first=f"{_INDENT * 2}{name:8}  "))

    def end(self, text: str, *, good: bool) -> None:
        """Write the last line."""
        click.echo()
        click.secho(text, bold=True, fg="green" if good else "red")


def note(text: str) -> None:
    """Say something besides the result, on standard error: in lines of 79 columns where a person reads it there."""
    click.echo(wrapped(text, "") if sys.stderr.isatty() else text, err=True)


def shortened(value: str) -> str:
    """Return the beginning of a random value: enough to know it again, too little to use it."""
    return value if len(value) <= _SHORT * 2 else f"{value[:_SHORT]}..."


def _shown(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def wrapped(text: str, indent: str, *, first: str | None = None) -> str:
    """Return a text in lines of 79 columns, none of whose words is broken.

    Args:
        text: The text.
        indent: What the lines begin with.
        first: What the first line begins with instead; the others are indented as far.
    """
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent if first is None else " " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )
