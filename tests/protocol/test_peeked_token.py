import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.protocol.peeked_token import PeekedToken, peek_stored_token
from cognito_oidc.protocol.stored_token import StoredToken
from cognito_oidc.protocol.tokens import TokenSet

RECORD = StoredToken(
    tokens=TokenSet(access_token="access-1", expires_at=4600.0, refresh_token="refresh-1"),
    obtained_at=1000.0,
    pool_id="eu-west-1_AbC123xyz",
    client_id="client1",
    scopes=("openid",),
    revision="r1",
)
DOCUMENT = json.loads(RECORD.to_json())


def changed(**members: object) -> bytes:
    """Return the record's text with other members; those of the tokens begin with `token_`."""
    tokens = {name.removeprefix("tokens_"): value for name, value in members.items() if name.startswith("tokens_")}
    others = {name: value for name, value in members.items() if not name.startswith("tokens_")}
    return json.dumps({**DOCUMENT, "tokens": {**DOCUMENT["tokens"], **tokens}, **others}).encode()


def test_record_is_told_as_it_was_written() -> None:
    """What `StoredToken` writes is read the same, without its models."""
    peeked = peek_stored_token(RECORD.to_json().encode())
    assert peeked == PeekedToken(
        pool_id="eu-west-1_AbC123xyz",
        client_id="client1",
        access_token="access-1",
        id_token=None,
        obtained_at=1000.0,
        expires_at=4600.0,
        id_token_expires_at=None,
        renewable=True,
    )
    assert peeked is not None
    assert peeked.lifetime == RECORD.lifetime == 3600.0


def test_repr_shows_no_token() -> None:
    """It may end in a log."""
    assert repr(peek_stored_token(changed())) == "PeekedToken(client_id='client1', expires_at=4600.0)"


@pytest.mark.parametrize(
    ("id_token", "claims", "told"),
    [
        pytest.param("id-1", {"exp": 4000}, ("id-1", 4000.0), id="both"),
        pytest.param("id-1", None, ("id-1", None), id="no-claims"),
        pytest.param("id-1", {"exp": "4000"}, ("id-1", None), id="odd-exp"),
        pytest.param("id-1", {"exp": 10**400}, ("id-1", None), id="exp-no-float-can-hold"),
        pytest.param(None, {"exp": 4000}, (None, None), id="no-token"),
        pytest.param(5, {"exp": 4000}, (None, None), id="odd-token"),
    ],
)
def test_id_token_has_an_expiry_of_its_own(id_token: object, claims: object, told: tuple[object, object]) -> None:
    """It may end before the access token does."""
    peeked = peek_stored_token(changed(tokens_id_token=id_token, tokens_claims=claims))
    assert peeked is not None
    assert (peeked.id_token, peeked.id_token_expires_at) == told


def test_without_a_refresh_token_it_cannot_be_renewed() -> None:
    """A session that is over, or a machine's."""
    peeked = peek_stored_token(changed(tokens_refresh_token=None))
    assert peeked is not None
    assert not peeked.renewable


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"sealed1.abc.def", id="encrypted"),
        pytest.param(b"[]", id="no-object"),
        pytest.param(b" " * 1_048_577, id="too-long"),
        pytest.param(changed(schema=2), id="newer"),
        pytest.param(changed(schema="1"), id="odd-schema"),
        pytest.param(changed(tokens=None), id="no-tokens"),
        pytest.param(changed(pool_id=None), id="no-pool"),
        pytest.param(changed(client_id=5), id="odd-client"),
        pytest.param(changed(obtained_at="1000"), id="odd-time"),
        pytest.param(changed(tokens_access_token=None), id="no-access-token"),
        pytest.param(changed(tokens_expires_at=None), id="no-expiry"),
        pytest.param(changed(tokens_expires_at=True), id="expiry-of-another-type"),
        pytest.param(changed(tokens_expires_at=10**400), id="expiry-no-float-can-hold"),
        pytest.param(changed(obtained_at=10**400), id="time-no-float-can-hold"),
    ],
)
def test_what_is_not_understood_is_left_to_who_reads_it_whole(text: bytes) -> None:
    """A glance says nothing about what is wrong."""
    assert peek_stored_token(text) is None


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_nothing(text: bytes) -> None:
    """Nothing is raised, whatever is in the file."""
    assert peek_stored_token(text) is None
