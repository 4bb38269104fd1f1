"""A line that a person pastes into the terminal, however long it is.

Decides how it is read. A terminal in its usual mode gives a program at most 4,096 characters of a line and drops the
rest; a callback URL with a long `state` and `code` can be longer, and cut off it looks like an attack.
"""

from __future__ import annotations

import codecs
import os
import sys
import time
from typing import TYPE_CHECKING, Final

import click

from cognito_oidc.cli.console import CommandError
from cognito_oidc.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST: Final = 64 * 1024  # characters
_AT_ONCE: Final = 4096
_ENDS: Final = frozenset("\r\n\x04")  # Ctrl-D, which is not special any more
_ERASES: Final = frozenset("\x7f\b")
_KILLS: Final = "\x15"  # Ctrl-U
_MARKS: Final = ("\x1b[200~", "\x1b[201~")  # what a terminal puts around a paste where some program asked it to
_AROUND: Final = " \t\"'<>"


def read_pasted_line(prompt: str, *, until: float) -> str:
    """Ask on standard error and return the line, without blanks, quotes or angle brackets around it.

    Args:
        prompt: What is asked.
        until: When to give up, by `time.monotonic`.

    Raises:
        CommandError: Nothing came in time, or more than a line may have.
    """
    if sys.platform == "win32":  # its consoles have no such limit
        click.echo(prompt, nl=False, err=True)
        line = sys.stdin.readline(_MOST)
    else:
        line = "".join(_typed(prompt, until))
    for mark in _MARKS:
        line = line.replace(mark, "")
    return line.strip().strip(_AROUND)


if sys.platform != "win32":
    import select
    import termios

    def _typed(prompt: str, until: float) -> list[str]:
        """Read characters up to the end of a line; the terminal is as before when it is over."""
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        plain = termios.tcgetattr(descriptor)
        plain[3] &= ~(termios.ICANON | termios.ECHO)  # Ctrl-C stays Ctrl-C
        plain[6][termios.VMIN], plain[6][termios.VTIME] = 1, 0
        termios.tcsetattr(descriptor, termios.TCSADRAIN, plain)
        try:
            click.echo(prompt, nl=False, err=True)  # not before: whoever reads it may paste at once
            return _line(_arriving(descriptor, until))
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
            click.echo(err=True)

    def _arriving(descriptor: int, until: float) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            left = until - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise CommandError("nothing was pasted in time", ExitCode.LOGIN_NEEDED)
            content = os.read(descriptor, _AT_ONCE)
            yield from decoder.decode(content) or ("" if content else "\x04")


def _line(characters: Iterator[str]) -> list[str]:
    """Put a line together from what is typed, and show it."""
    line: list[str] = []
    for character in characters:
        if character in _ENDS:
            return line
        if character in _ERASES or character == _KILLS:
            gone = len(line) if character == _KILLS else min(1, len(line))
            del line[len(line) - gone :]
            click.echo("\b \b" * gone, nl=False, err=True)
        elif len(line) >= _MOST:
            raise CommandError(f"what was pasted is longer than {_MOST} characters", ExitCode.DENIED)
        elif character.isprintable() or character == "\x1b":
            line.append(character)
            click.echo(character if character.isprintable() else "", nl=False, err=True)
    return line
