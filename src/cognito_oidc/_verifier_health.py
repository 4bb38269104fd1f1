"""How a verifier's keys are, for whoever watches it.

Decides what a health check is told. Decides nothing about the keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cognito_oidc.protocol.key_cache import age_of

if TYPE_CHECKING:
    from cognito_oidc._issuer_keys import IssuerKeys
    from cognito_oidc.protocol.key_cache import CachePolicy


class VerifierHealth(NamedTuple):
    """How a verifier's keys are.

    Attributes:
        state: `"empty"` (none yet), `"fresh"`, `"soft"`, `"hard"` or `"dead"`.
        age: Seconds since the last good fetch, or None.
        last_error: What the last fetch said, if it failed.
        next_attempt_in: Seconds before which no fetch is tried after a failure, or None.
    """

    state: str
    age: float | None
    last_error: str | None
    next_attempt_in: float | None


def health_of(keys: IssuerKeys, policy: CachePolicy) -> VerifierHealth:
    """Return how these keys are now."""
    state = keys.state
    if state.key_set is None:
        return VerifierHealth("empty", None, state.last_error, keys.pause)
    age = age_of(state, keys.now())
    ages = (("fresh", state.soft_after), ("soft", policy.hard_after), ("hard", policy.dead_after))
    name = next((name for name, until in ages if age < until), "dead")
    return VerifierHealth(name, age, state.last_error, keys.pause)
