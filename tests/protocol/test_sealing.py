"""Seals: what only who has the key can read or make, for one purpose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey

from cognito_oidc.errors import ConfigurationError
from cognito_oidc.protocol.sealing import check_keys, seal, unseal

KEY = bytes(range(32))
OLD_KEY = bytes(range(32, 64))
PURPOSE = "test-session"
LONG = 1_000


@given(st.binary(max_size=200))
def test_a_sealed_text_comes_back(text: bytes) -> None:
    """Any text, for its purpose and key, and the seal is ASCII that a cookie takes."""
    sealed = seal(text, KEY, purpose=PURPOSE)
    assert unseal(sealed, KEY, purpose=PURPOSE, max_length=LONG) == text
    assert sealed.replace(".", "").replace("-", "").replace("_", "").isalnum()


def test_an_independent_judge_opens_a_seal() -> None:
    """Who wrote none of it (joserfc) finds `dir`, A256GCM and the purpose in the protected header."""
    opened = jwe.decrypt_compact(
        seal(b"text", KEY, purpose=PURPOSE), OctKey.import_key(KEY), algorithms=["dir", "A256GCM"]
    )
    assert opened.protected == {"alg": "dir", "enc": "A256GCM", "typ": PURPOSE}
    assert opened.plaintext == b"text"


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        pytest.param((OLD_KEY, KEY), b"text", id="the key among others"),
        pytest.param((KEY, OLD_KEY), b"text", id="the newest"),
        pytest.param((OLD_KEY,), None, id="another key"),
        pytest.param(bytearray(KEY), b"text", id="a bytearray"),
    ],
)
def test_keys_can_be_replaced(keys: bytes, text: bytes | None) -> None:
    """Several keys are tried; what none of them opens is no seal."""
    assert unseal(seal(b"text", KEY, purpose=PURPOSE), keys, purpose=PURPOSE, max_length=LONG) == text


def test_a_seal_is_for_one_purpose() -> None:
    """Under the same key, what was sealed for one purpose is nothing for another one."""
    sealed = seal(b"text", KEY, purpose="test-request")
    assert unseal(sealed, KEY, purpose=PURPOSE, max_length=LONG) is None


@pytest.mark.parametrize(
    "sealed",
    [
        pytest.param(None, id="nothing"),
        pytest.param(b"a.b.c.d.e", id="bytes"),
        pytest.param("", id="empty"),
        pytest.param("é....", id="no ASCII"),
        pytest.param("....", id="no header"),
        pytest.param(seal(b"text", KEY, purpose=PURPOSE)[:-1], id="cut off"),
        pytest.param(seal(bytes(LONG), KEY, purpose=PURPOSE), id="too long"),
    ],
)
def test_what_is_no_seal_is_none(sealed: object) -> None:
    """Whatever a browser sends, nothing is raised."""
    assert unseal(sealed, KEY, purpose=PURPOSE, max_length=LONG) is None


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(b"short", id="short"),
        pytest.param("k" * 32, id="a text"),
        pytest.param([KEY, b"short"], id="a short one among them"),
        pytest.param([], id="none"),
        pytest.param(None, id="nothing"),
    ],
)
def test_a_bad_key_is_refused(key: bytes) -> None:
    """A key is 32 bytes; the message shows none of it."""
    with pytest.raises(ConfigurationError, match=r"32 .*bytes") as caught:
        check_keys(key)
    assert "kkkk" not in str(caught.value)
    with pytest.raises(ConfigurationError):
        unseal("", key, purpose=PURPOSE, max_length=LONG)


def test_sealing_takes_one_key() -> None:
    """Several keys are for unsealing alone."""
    with pytest.raises(ConfigurationError, match="32 random bytes"):
        seal(b"text", [KEY], purpose=PURPOSE)  # type: ignore[arg-type]


def test_a_long_text_comes_back() -> None:
    """What can be sealed can be opened, as long as the caller says: the tokens of a session may be long."""
    text = bytes(200_000)
    sealed = seal(text, KEY, purpose=PURPOSE)
    assert unseal(sealed, KEY, purpose=PURPOSE, max_length=len(sealed)) == text
    assert unseal(sealed, KEY, purpose=PURPOSE, max_length=len(sealed) - 1) is None
