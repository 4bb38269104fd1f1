"""Events: values to hang metrics on, without anything taken from a token."""

from typing import get_args

import pytest

from cognito_oidc.protocol import events
from cognito_oidc.protocol.events import (
    KeyAppeared,
    KeySetFetchFailed,
    KeySetRefreshed,
    KeyWithdrawn,
    StaleServed,
    TokenRejected,
    UnknownKid,
    VerifierEvent,
)

ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123"


@pytest.mark.parametrize(
    ("event", "members"),
    [
        pytest.param(
            KeySetRefreshed(ISSUER, keys=2, skipped=0, changed=True, duration=0.2),
            {"issuer": ISSUER, "keys": 2, "skipped": 0, "changed": True, "duration": 0.2},
            id="key-set-refreshed",
        ),
        pytest.param(
            KeySetFetchFailed(ISSUER, "connection refused", failures=1, retry_in=0.5, code="transport", duration=0.2),
            {
                "issuer": ISSUER,
                "error": "connection refused",
                "failures": 1,
                "retry_in": 0.5,
                "code": "transport",
                "duration": 0.2,
            },
            id="key-set-fetch-failed",
        ),
        pytest.param(KeyAppeared(ISSUER, kid="k"), {"issuer": ISSUER, "kid": "k"}, id="key-appeared"),
        pytest.param(KeyWithdrawn(ISSUER, kid="k"), {"issuer": ISSUER, "kid": "k"}, id="key-withdrawn"),
        pytest.param(StaleServed(ISSUER, age=3600.0), {"issuer": ISSUER, "age": 3600.0}, id="stale-served"),
        pytest.param(UnknownKid(ISSUER, looked_up=True), {"issuer": ISSUER, "looked_up": True}, id="unknown-kid"),
        pytest.param(TokenRejected(code="expired_token"), {"code": "expired_token"}, id="token-rejected"),
    ],
)
def test_an_event_is_a_value_with_named_members(event: VerifierEvent, members: dict[str, object]) -> None:
    """Labels of a metric are read by name, and there is nothing else in an event."""
    assert event._asdict() == members


def test_the_union_names_every_event() -> None:
    """Who matches on `VerifierEvent` misses none."""
    defined = {
        value for value in vars(events).values() if isinstance(value, type) and value.__module__ == events.__name__
    }
    assert set(get_args(VerifierEvent)) == defined
