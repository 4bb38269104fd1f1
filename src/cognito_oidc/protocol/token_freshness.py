"""May this token be used, and must it be replaced? Decided for a record at a moment.

Decides when a token counts as fresh, stale, expired or dead, as a pure function of the record and a time; and how long
nothing is tried again after failures. Decides
nothing about how a token is replaced, or by whom; that is `token_source`'s.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Protocol

from cognito_oidc.errors import ConfigurationError, shown_number

EARLY_WINDOW: Final = 60.0
"""Seconds before its end from which a token is replaced while it is still used."""

EARLY_JITTER: Final = 60.0
"""Seconds that are added at most, by chance, so that a fleet does not ask in the same second."""

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_PAUSE_WITHOUT_TOKEN: Final = 1.0  # callers get an error meanwhile, so that it is short

_LARGEST_SHARE: Final = 0.25  # of a token's lifetime, so that a short-lived token is not stale from the beginning
_CLOCK_DIFFERENCE: Final = 60.0  # seconds by which the clocks of two good machines may differ; as for `iat` in claims


class Freshness(Enum):
    """What may be done with a token."""

    FRESH = "fresh"  # use it
    STALE = "stale"  # use it, and replace it soon
    EXPIRED = "expired"  # replace it first
    DEAD = "dead"  # it cannot be used, nor replaced


class Dated(Protocol):
    """What is asked of a record: a `StoredToken`, or one that was only peeked at."""

    @property
    def obtained_at(self) -> float:
        """When the token came, epoch seconds UTC."""
        ...

    @property
    def expires_at(self) -> float:
        """When it ends to be good, likewise."""
        ...

    @property
    def lifetime(self) -> float:
        """The seconds between."""
        ...


def early_window(lifetime: float, chance: float) -> float:
    """Return the seconds before its end from which a token is stale.

    Args:
        lifetime: Seconds the token was good for when it came.
        chance: A random number from 0 to 1, drawn once by each source.
    """
    share = (0.5 + 0.5 * chance) * _LARGEST_SHARE
    return max(0.0, min(EARLY_WINDOW + EARLY_JITTER * chance, lifetime * share))


def freshness(
    record: Dated, *, now: float, min_ttl: float = 0.0, chance: float = 0.0, renewable: bool = True
) -> Freshness:
    """Return what may be done with the access token of a record.

    Args:
        record: The record.
        now: Epoch seconds UTC.
        min_ttl: Seconds for which the caller needs the token to be good.
        chance: As for `early_window`.
        renewable: Whether there is anything to replace it with: a refresh token, or the right to ask for a new one.
    """
    left = record.expires_at - now
    if left <= min_ttl:
        return Freshness.EXPIRED if renewable else Freshness.DEAD
    if not renewable:
        return Freshness.FRESH
    # Whoever wrote the record had another idea of the time, or the clock was put back: nobody knows how old it is.
    from_the_future = record.obtained_at - now > _CLOCK_DIFFERENCE
    if from_the_future or left <= early_window(record.lifetime, chance):
        return Freshness.STALE
    return Freshness.FRESH


def failure_pause(failures: int, *, chance: float, without_token: bool) -> float:
    """Return the seconds for which nothing is tried again, where the server named none.

    Args:
        failures: How many attempts have failed in a row, 1 or more.
        chance: As for `early_window`.
        without_token: Whether there is no token to go on with.
    """
    longest = _PAUSE_WITHOUT_TOKEN if without_token else _LONGEST_PAUSE
    return min(longest, _FIRST_PAUSE * 2.0 ** min(failures - 1, 16)) * (0.5 + 0.5 * chance)


def check_min_ttl(min_ttl: float, record: Dated | None = None) -> float:
    """Return `min_ttl` where it can be met at all.

    Args:
        min_ttl: Seconds for which a caller needs a token to be good.
        record: What came last, which tells how long tokens live.

    Raises:
        ConfigurationError: It is no number of seconds, or no token lives so long.
    """
    if isinstance(min_ttl, bool) or not isinstance(min_ttl, int | float) or not 0 <= min_ttl < float("inf"):
        msg = f"min_ttl: expected seconds, 0 or more, got {shown_number(min_ttl)}."
        raise ConfigurationError(msg)
    if record is not None and min_ttl >= record.lifetime > 0:
        asked = shown_number(min_ttl)
        msg = f"min_ttl: no token is good for {asked} s: this app client's live for {record.lifetime:.0f} s."
        raise ConfigurationError(msg)
    return min_ttl
