from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.errors import CognitoOidcError, StoreError
from cognito_oidc.protocol.stored_token import StoredToken
from cognito_oidc.protocol.tokens import TokenSet
from cognito_oidc.protocol.typed_claims import IdTokenClaims
from tests.answers import anything, json_values, outcome

NOW: Final = 1_800_000_000.0
CLAIMS: Final = {
    "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123",
    "sub": "44e8b438-a061-70ca-faa7-3d3e93c015cb",
    "aud": "1example23456789",
    "exp": 1_800_003_600,
    "iat": 1_800_000_000,
    "token_use": "id",
    "custom:tenant": {"deep": [1, None, "ü"]},
}


def record(*, iat: float | None = NOW, **changes: Any) -> StoredToken:  # noqa: ANN401
    """Return a record of a session; `iat=None` for one without an ID token."""
    claims = None if iat is None else IdTokenClaims({**CLAIMS, "iat": iat})
    tokens = TokenSet(
        access_token="the-access-token",
        expires_at=NOW + 3600,
        id_token=None if iat is None else "the-id-token",
        refresh_token="the-refresh-token",
        claims=claims,
    )
    whole = StoredToken(
        tokens=replace(tokens, **{name: changes.pop(name) for name in ("expires_at",) if name in changes}),
        obtained_at=NOW,
        pool_id="eu-west-1_AbC123",
        client_id="1example23456789",
        scopes=("email", "openid"),
        session="a",
        revision="r1",
    )
    return replace(whole, **changes)


def text(**changes: object) -> str:
    """Return the text of a record with some members changed; `...` leaves one out."""
    members = {**json.loads(record().to_json()), **changes}
    return json.dumps({name: value for name, value in members.items() if value is not ...})


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(record(), id="session"),
        pytest.param(record(iat=None, scopes=()), id="machine"),
        pytest.param(record(generation=7, obtained_at=NOW + 0.25), id="renewed"),
    ],
)
def test_text_brings_the_record_back(kept: StoredToken) -> None:
    """What was written is read again, claims and all, from text and from bytes; so it is from pickle and copy."""
    assert StoredToken.from_json(kept.to_json()) == kept
    assert StoredToken.from_json(kept.to_json().encode()) == kept
    assert pickle.loads(pickle.dumps(kept)) == copy.deepcopy(kept) == kept  # noqa: S301 - our own


def test_text_of_the_first_version_is_read() -> None:
    """A record that is in somebody's store now can be read for ever: this text was written by hand."""
    kept = StoredToken.from_json(
        '{"schema":1,"tokens":{"access_token":"a","expires_at":1800003600,"refresh_token":"r"},"obtained_at":1800000000,'
        '"pool_id":"eu-west-1_AbC123","client_id":"c","scopes":["openid"],"generation":2,"revision":"x","later":true}'
    )
    assert kept.tokens == TokenSet(access_token="a", expires_at=NOW + 3600, refresh_token="r")
    assert (kept.obtained_at, kept.pool_id, kept.client_id) == (NOW, "eu-west-1_AbC123", "c")
    assert (kept.scopes, kept.generation, kept.revision) == (("openid",), 2, "x")
    assert (kept.expires_at, kept.lifetime) == (NOW + 3600, 3600)


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param("", id="empty"),
        pytest.param(b"\x00" * 100, id="zeros"),
        pytest.param(record().to_json()[:-1], id="cut-off"),
        pytest.param("\ud800", id="lone-surrogate"),
        pytest.param("[]", id="no-object"),
        pytest.param(text(schema=...), id="no-schema"),
        pytest.param(text(schema="1"), id="schema-a-text"),
        pytest.param(text(schema=True), id="schema-a-boolean"),
        pytest.param(text(schema=0), id="schema-unknown"),
        pytest.param(text(tokens=...), id="no-tokens"),
        pytest.param(text(tokens={}), id="empty-tokens"),
        pytest.param(text(tokens={"access_token": "a b", "expires_at": 1}), id="no-token"),
        pytest.param(text(tokens={"access_token": "a", "expires_at": "soon"}), id="expiry-a-text"),
        pytest.param(text(revision=""), id="no-revision"),
        pytest.param(text(pool_id=7), id="pool-a-number"),
        pytest.param(text(generation=-1), id="negative-generation"),
        pytest.param(text(session=7), id="session-a-number"),
        pytest.param(text(obtained_at=None), id="no-time"),
        pytest.param(text(scopes="openid"), id="scopes-a-text"),
        pytest.param(text(later="x" * 1024 * 1024), id="too-long"),
        pytest.param(None, id="nothing"),
        pytest.param(7, id="a-number"),
    ],
)
def test_what_is_damaged_says_so_and_shows_nothing(damaged: Any) -> None:  # noqa: ANN401
    """A text that is no record is a store error that a store may act on, and holds nothing of it."""
    with pytest.raises(StoreError) as raised:
        StoredToken.from_json(damaged)
    assert (raised.value.code, raised.value.retryable) == ("store_damaged", False)
    assert "the-" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_newer_record_is_told_from_a_damaged_one() -> None:
    """What a later version wrote must not be thrown away: it has a code of its own, whatever else is in it."""
    with pytest.raises(StoreError, match="newer version") as raised:
        StoredToken.from_json('{"schema":2,"everything":"else"}')
    assert raised.value.code == "store_newer"


@given(anything() | json_values().map(json.dumps))
def test_any_text_gives_a_record_or_our_error(value: Any) -> None:  # noqa: ANN401
    """Whatever a store returns."""
    got = outcome(lambda: StoredToken.from_json(value))
    assert isinstance(got, StoredToken | CognitoOidcError)


@given(st.integers(0, 2000), st.integers(0, 255))
def test_any_damaged_byte_gives_a_record_or_our_error(place: int, byte: int) -> None:
    """One wrong byte anywhere."""
    data = bytearray(record().to_json().encode())
    data[place % len(data)] = byte
    assert isinstance(outcome(lambda: StoredToken.from_json(bytes(data))), StoredToken | StoreError)


def test_repr_shows_no_token() -> None:
    """A record may be logged."""
    assert "the-" not in repr(record())
    assert "tenant" not in repr(record())


def test_renewed_record_is_the_next_generation() -> None:
    """What came for a record takes its place: whose it is stays, and everything else is new."""
    came = TokenSet(access_token="b", expires_at=NOW + 7200, refresh_token="r2")
    new = record(generation=3).renewed(came, now=NOW + 3600, revision="r2")
    assert (new.tokens, new.obtained_at, new.generation, new.revision) == (came, NOW + 3600, 4, "r2")
    assert (new.pool_id, new.client_id, new.session) == ("eu-west-1_AbC123", "1example23456789", "a")


@pytest.mark.parametrize(
    ("token", "generation"), [pytest.param("r2", 4, id="another"), pytest.param(None, 3, id="none")]
)
def test_refresh_token_alone_can_be_replaced(token: str | None, generation: int) -> None:
    """The access token stays; a record that lost its refresh token is older than whatever comes for it."""
    new = record(generation=3).with_refresh_token(token, revision="r2")
    assert new.tokens == replace(record().tokens, refresh_token=token)
    assert (new.generation, new.revision, new.obtained_at) == (generation, "r2", NOW)
    assert record(generation=4).is_newer_than(new) is (token is None)


@pytest.mark.parametrize(
    ("mine", "other", "newer"),
    [
        pytest.param(record(iat=NOW + 1), record(), True, id="issued later"),
        pytest.param(record(), record(iat=NOW + 1), False, id="issued earlier"),
        pytest.param(record(), record(), False, id="the same"),
        pytest.param(record(generation=1), record(), True, id="renewed in the same second"),
        pytest.param(record(iat=NOW + 1), record(generation=9), True, id="new sign-in after many renewals"),
        pytest.param(record(expires_at=NOW, iat=NOW + 1), record(), True, id="issued later, lives shorter"),
        pytest.param(record(session="b", iat=NOW + 1), record(), True, id="another sign-in, later"),
        pytest.param(record(session="b"), record(iat=NOW + 1), False, id="another sign-in, earlier"),
        pytest.param(record(generation=1, iat=NOW + 1), record(session="b"), False, id="renewal of another sign-in"),
        pytest.param(record(session="b", generation=1, iat=NOW + 1), record(session="b"), True, id="of the same"),
        pytest.param(record(iat=None, expires_at=NOW + 3601), record(iat=None), True, id="no ID token, later"),
        pytest.param(record(iat=None, expires_at=NOW + 3599), record(), False, id="one without ID token, earlier"),
        pytest.param(record(iat=None, generation=1), record(iat=None), True, id="no ID token, renewed"),
    ],
)
def test_which_record_is_newer(mine: StoredToken, other: StoredToken, newer: bool) -> None:
    """Cognito's clock says it where there are two ID tokens, the end of the access tokens where not."""
    assert mine.is_newer_than(other) is newer
