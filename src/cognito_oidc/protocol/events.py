"""What a verifier tells who listens: values to hang metrics on. None holds a token or anything taken from one.

Decides what there is to tell. Decides nothing about when.
"""

from __future__ import annotations

from typing import NamedTuple


class KeySetRefreshed(NamedTuple):
    """A fetch brought a good key set. `changed` is False when it is the one that was there; `duration` in seconds."""

    issuer: str
    keys: int
    skipped: int
    changed: bool
    duration: float = 0.0


class KeySetFetchFailed(NamedTuple):
    """A fetch failed; the keys that were there stay.

    Attributes:
        issuer: Whose keys.
        error: What went wrong, for a person.
        failures: How many fetches failed since the last good one.
        retry_in: The wait before the next one, in seconds.
        code: The `code` of the error, for a program.
        duration: How long it took, in seconds.
    """

    issuer: str
    error: str
    failures: int
    retry_in: float
    code: str = ""
    duration: float = 0.0


class KeyAppeared(NamedTuple):
    """A key is in the set that was not there before."""

    issuer: str
    kid: str


class KeyWithdrawn(NamedTuple):
    """A key is no longer in the set: tokens signed with it are refused from now on."""

    issuer: str
    kid: str


class StaleServed(NamedTuple):
    """A token was verified with keys older than the hard age, since they could not be refreshed. `age` in seconds."""

    issuer: str
    age: float


class UnknownKid(NamedTuple):
    """A token named a key that is not in the set; `looked_up` tells whether the set was fetched for it."""

    issuer: str
    looked_up: bool


class TokenRejected(NamedTuple):
    """A token was refused; `code` is that of the error."""

    code: str


VerifierEvent = (
    KeySetRefreshed | KeySetFetchFailed | KeyAppeared | KeyWithdrawn | StaleServed | UnknownKid | TokenRejected
)
"""Every event there is."""
