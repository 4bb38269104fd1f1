"""What a look at a configuration brings: checks, each with its outcome, and findings that a person can act on.

Decides what a finding must say. "Cannot tell" is an outcome of its own: what Cognito's answer does not show is neither
good nor wrong.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Outcome = Literal["good", "wrong", "unknown"]

TROUBLESHOOTING: Final = "docs/troubleshooting.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is set wrongly.

    Attributes:
        code: A stable string, such as `"redirect_mismatch"`.
        found: What is wrong, with the values on both sides.
        silence: Why Cognito says so little about it, or says it in a place where nobody looks.
        cure: What to change, and where.
        topic: The heading of the troubleshooting page about it.
    """

    code: str
    found: str
    silence: str
    cure: str
    topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        about: What it is about, in a few words, such as `"scopes"`.
        outcome: How it is.
        said: What was seen, in a sentence.
        finding: What is wrong, where something is.
    """

    about: str
    outcome: Outcome
    said: str
    finding: Finding | None = None


def good(about: str, said: str) -> Check:
    """Return a check that found what it should."""
    return Check(about=about, outcome="good", said=said)


def unknown(about: str, said: str) -> Check:
    """Return a check that cannot tell; `said` has the reason."""
    return Check(about=about, outcome="unknown", said=said)


def wrong(about: str, *, code: str, found: str, silence: str, cure: str, topic: str) -> Check:
    """Return a check that found something wrong."""
    found = found[:1].upper() + found[1:]  # it may begin with "app client"
    finding = Finding(code=code, found=found, silence=silence, cure=cure, topic=topic)
    return Check(about=about, outcome="wrong", said=found, finding=finding)


def as_json(checks: Iterable[Check]) -> Mapping[str, object]:
    """Return the checks for JSON: whether all is well, what was found, and everything that was looked at."""
    every = tuple(checks)
    return {
        "good": all(check.finding is None for check in every),
        "findings": [{"about": check.about, **asdict(check.finding)} for check in every if check.finding is not None],
        "checks": [{"about": check.about, "outcome": check.outcome, "said": check.said} for check in every],
    }
