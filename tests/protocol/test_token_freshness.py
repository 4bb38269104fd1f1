from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.errors import ConfigurationError
from cognito_oidc.protocol.stored_token import StoredToken
from cognito_oidc.protocol.token_freshness import Freshness, check_min_ttl, early_window, failure_pause, freshness
from cognito_oidc.protocol.tokens import TokenSet

NOW: Final = 1_800_000_000.0
FRESH, STALE, EXPIRED, DEAD = Freshness.FRESH, Freshness.STALE, Freshness.EXPIRED, Freshness.DEAD


def record(lifetime: float = 3600.0) -> StoredToken:
    """Return a record that came now and is good for some seconds."""
    return StoredToken(
        tokens=TokenSet(access_token="a", expires_at=NOW + lifetime, refresh_token="r"),
        obtained_at=NOW,
        pool_id="p",
        client_id="c",
        revision="x",
    )


@pytest.mark.parametrize(
    ("lifetime", "age", "chance", "state"),
    [
        pytest.param(3600, 0, 0, FRESH, id="new"),
        pytest.param(3600, 3539, 0, FRESH, id="61 s left"),
        pytest.param(3600, 3540, 0, STALE, id="60 s left"),
        pytest.param(3600, 3599.9, 0, STALE, id="a moment left"),
        pytest.param(3600, 3600, 0, EXPIRED, id="its end"),
        pytest.param(3600, 360_000, 0, EXPIRED, id="long ago"),
        pytest.param(3600, 3479, 1, FRESH, id="121 s left, most jitter"),
        pytest.param(3600, 3480, 1, STALE, id="120 s left, most jitter"),
        pytest.param(3600, 3509, 0.5, FRESH, id="91 s left, half of it"),
        pytest.param(3600, 3510, 0.5, STALE, id="90 s left, half of it"),
        pytest.param(300, 0, 0, FRESH, id="five minutes, new"),
        pytest.param(300, 262, 0, FRESH, id="five minutes, 38 s left"),
        pytest.param(300, 263, 0, STALE, id="five minutes, 37 s left"),
        pytest.param(300, 225, 1, STALE, id="five minutes, 75 s left, most jitter"),
        pytest.param(20, 14, 1, FRESH, id="twenty seconds, 6 left"),
        pytest.param(20, 15, 1, STALE, id="twenty seconds, 5 left"),
        pytest.param(3600, -59, 0, FRESH, id="another clock is a minute ahead"),
        pytest.param(3600, -61, 0, STALE, id="a clock was put back"),
        pytest.param(3600, -86_400, 0, STALE, id="a clock was put back by a day"),
        pytest.param(0, 0, 0, EXPIRED, id="no lifetime"),
        pytest.param(-5, 0, 0, EXPIRED, id="came too late"),
    ],
)
def test_freshness_over_time(lifetime: float, age: float, chance: float, state: Freshness) -> None:
    """Fresh until the early window, stale in it, expired from its last second on."""
    assert freshness(record(lifetime), now=NOW + age, chance=chance) is state


@pytest.mark.parametrize(
    ("age", "min_ttl", "state"),
    [
        pytest.param(0, 3000, FRESH, id="met"),
        pytest.param(599, 3000, FRESH, id="met by a second"),
        pytest.param(600, 3000, EXPIRED, id="not met"),
        pytest.param(3545, 50, STALE, id="met by a stale token"),
    ],
)
def test_a_caller_may_need_it_for_longer(age: float, min_ttl: float, state: Freshness) -> None:
    """A token that ends before the caller is done is as good as none."""
    assert freshness(record(), now=NOW + age, min_ttl=min_ttl) is state


@pytest.mark.parametrize(
    ("age", "min_ttl", "state"),
    [
        pytest.param(3599, 0, FRESH, id="to its last second"),
        pytest.param(-86_400, 0, FRESH, id="whatever the clock says"),
        pytest.param(3600, 0, DEAD, id="its end"),
        pytest.param(3000, 601, DEAD, id="not long enough"),
    ],
)
def test_what_cannot_be_replaced_is_used_up(age: float, min_ttl: float, state: Freshness) -> None:
    """Without a refresh token nothing is gained by being early."""
    assert freshness(record(), now=NOW + age, min_ttl=min_ttl, renewable=False) is state


@given(st.floats(0, 1e6), st.floats(0, 1))
def test_no_token_is_stale_from_the_beginning(lifetime: float, chance: float) -> None:
    """However short it lives, three quarters of it are fresh; and however long, it is early by a minute or two."""
    window = early_window(lifetime, chance)
    assert 0 <= window <= lifetime / 4
    assert window <= 120
    assert lifetime < 480 or window >= 60


@pytest.mark.parametrize(
    ("failures", "chance", "without_token", "pause"),
    [
        pytest.param(1, 1, False, 1, id="the first"),
        pytest.param(3, 1, False, 4, id="doubling"),
        pytest.param(3, 0, False, 2, id="down to half of it, by chance"),
        pytest.param(1000, 1, False, 30, id="at most half a minute"),
        pytest.param(1, 1, True, 1, id="without a token"),
        pytest.param(1000, 0, True, 0.5, id="without a token, always short"),
    ],
)
def test_pause_after_failures(failures: int, chance: float, without_token: bool, pause: float) -> None:
    """It doubles while there is a token to go on with; callers without one are refused meanwhile."""
    assert failure_pause(failures, chance=chance, without_token=without_token) == pause


@pytest.mark.parametrize("min_ttl", [0, 0.5, 3599.9])
def test_min_ttl_that_can_be_met(min_ttl: float) -> None:
    """Seconds that tokens live for."""
    assert check_min_ttl(min_ttl, record()) == min_ttl


@pytest.mark.parametrize(
    "min_ttl", [-1, float("nan"), float("inf"), pytest.param(-(10**5000), id="long"), True, "60", None]
)
def test_min_ttl_that_is_none(min_ttl: Any) -> None:  # noqa: ANN401
    """Anything else than seconds is a mistake."""
    with pytest.raises(ConfigurationError, match="min_ttl: expected seconds"):
        check_min_ttl(min_ttl)


def test_min_ttl_that_no_token_meets() -> None:
    """To renew a token for it at every call would help nobody; a record that tells no lifetime allows it."""
    with pytest.raises(ConfigurationError, match="live for 3600 s"):
        check_min_ttl(3600, record())
    with pytest.raises(ConfigurationError, match="no token is good for a value of type int"):
        check_min_ttl(10**5000, record())
    assert check_min_ttl(3600, record(0)) == 3600
