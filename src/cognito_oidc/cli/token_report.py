"""How a token's header, claims and faults are laid out for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from cognito_oidc.cli.console import wrapped
from cognito_oidc.cli.token_text import rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cognito_oidc.errors import CognitoOidcError

_INDENT: Final = "  "


def verdict(word: str, said: str, *, colour: str) -> str:
    """Return the first line: a word in colour, and what it is about."""
    return wrapped(f"{word}: {said}.", "").replace(word, click.style(word, fg=colour, bold=True), 1)


def values(title: str, found: Mapping[str, object], *, now: float) -> Iterator[str]:
    """Yield a title and names with values below it, each with its note."""
    if not found:
        return
    yield click.style(title, bold=True)
    told = rows(found, now=now)
    width = min(max(map(len, told)), 20)
    for name, (value, note) in told.items():
        first = f"{_INDENT}{name:{width}}  "
        yield wrapped(value, " " * len(first), first=first)
        if note:
            yield wrapped(f"({note})", " " * len(first))
    yield ""


def fault(error: CognitoOidcError) -> Iterator[str]:
    """Yield what is wrong with a token, and what it probably comes from."""
    yield wrapped(str(error), _INDENT)
    causes = error.explain()
    if causes:
        yield f"{_INDENT}Likely causes, likeliest first:"
        for cause in causes:
            yield wrapped(cause, _INDENT * 3, first=f"{_INDENT}  - ")
    yield ""


def fault_as_json(error: CognitoOidcError) -> dict[str, object]:
    """Return the same for JSON: a stable code, the message, the claim with both values, and the causes."""
    return {
        "code": error.code,
        "message": str(error),
        "claim": getattr(error, "claim", None),
        "expected": getattr(error, "expected", None),
        "actual": getattr(error, "actual", None),
        "causes": list(error.explain()),
    }
