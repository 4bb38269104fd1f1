"""What stands in a store: readable for who has the key, under the key it was written for, and for nobody else."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc import StoredToken, TokenSet
from cognito_oidc.errors import ConfigurationError, StoreError
from cognito_oidc.integrations.stores._record_text import RecordText

OLD: Final = b"o" * 32
NEW: Final = b"n" * 32
RECORD: Final = StoredToken(
    tokens=TokenSet(access_token="the-access-token", expires_at=2e9, refresh_token="the-refresh-token"),
    obtained_at=1.8e9,
    pool_id="eu-west-1_AbC123",
    client_id="1example23456789",
    revision="r1",
)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param((), id="none"),
        pytest.param(NEW, id="one"),
        pytest.param([NEW, OLD], id="two"),
        pytest.param(urlsafe_b64encode(NEW).decode(), id="text-padded"),
        pytest.param((urlsafe_b64encode(NEW).decode().rstrip("="),), id="text"),
    ],
)
def test_what_is_written_is_read(keys: Any) -> None:  # noqa: ANN401
    """With keys or without, as text or as bytes; and with keys nothing of it can be seen."""
    text = RecordText(keys)
    written = text.write(RECORD, key="ann")
    assert text.read(written, key="ann") == text.read(written.encode(), key="ann") == RECORD
    assert ("the-refresh-token" in written) is (keys == ())
    assert written.isascii()


def test_keys_are_replaced_without_losing_a_session() -> None:
    """The newest key writes, the older ones still read; when they are gone the text is kept for who has them."""
    old, both, new = RecordText([OLD]), RecordText([NEW, OLD]), RecordText([NEW])
    before = old.write(RECORD, key="ann")
    assert both.read(before, key="ann") == RECORD
    assert new.read(both.write(RECORD, key="ann"), key="ann") == RECORD
    with pytest.raises(StoreError, match="not among encryption_keys") as raised:
        new.read(before, key="ann")
    assert (raised.value.code, raised.value.retryable) == ("store_sealed", False)


def test_a_record_is_bound_to_its_key() -> None:
    """Whoever can write to the store cannot give one person another's session."""
    text = RecordText([NEW])
    with pytest.raises(StoreError, match="another key") as raised:
        text.read(text.write(RECORD, key="ann"), key="bob")
    assert raised.value.code == "store_damaged"


def test_plain_and_encrypted_are_told_apart() -> None:
    """A store with keys takes no text that anybody could have written; one without says what is missing."""
    for text, writer in ((RecordText([NEW]), RecordText(())), (RecordText(()), RecordText([NEW]))):
        with pytest.raises(StoreError) as raised:
            text.read(writer.write(RECORD, key="ann"), key="ann")
        assert raised.value.code == "store_sealed"


@pytest.mark.parametrize("keys", [(), (NEW,)])
@pytest.mark.parametrize("damaged", ["", "\x00\x00", "sealed1", "sealed2.a.b", b"\xff\xfe", "nonsense"])
def test_what_is_no_record_is_damaged(keys: Any, damaged: Any) -> None:  # noqa: ANN401
    """Whatever else stands there can be set aside: no key will ever read it."""
    with pytest.raises(StoreError) as raised:
        RecordText(keys).read(damaged, key="ann")
    assert raised.value.code == "store_damaged"


@given(place=st.integers(0), byte=st.integers(0, 255))
def test_a_changed_byte_never_gives_another_record(place: int, byte: int) -> None:
    """An encrypted record comes back whole, or not at all."""
    text = RecordText([NEW])
    data = bytearray(text.write(RECORD, key="ann").encode())
    data[place % len(data)] = byte
    try:
        assert text.read(bytes(data), key="ann") == RECORD
    except StoreError as error:
        assert "the-" not in str(error)  # noqa: PT017 - either way is right


@pytest.mark.parametrize("keys", [None, b"short", ["x" * 43 + "!"], [""], [b"k" * 31], ["k" * 10], 7, [7], ["ü" * 43]])
def test_keys_that_are_none(keys: Any) -> None:  # noqa: ANN401
    """A key that is missing or no key is a mistake, and never means: do not encrypt. It is not shown."""
    with pytest.raises(ConfigurationError) as raised:
        RecordText(keys)
    assert "short" not in str(raised.value)
    assert repr(RecordText([NEW])) == "RecordText(1 keys)"
