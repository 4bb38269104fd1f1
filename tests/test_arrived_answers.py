"""What is kept of answers that could not be handed out."""

from __future__ import annotations

import pytest

from cognito_oidc._arrived_answers import ArrivedAnswers
from cognito_oidc.errors import InvalidSignatureError, KeysUnavailableError
from cognito_oidc.protocol.tokens import TokenSet


def answer(refresh_token: str | None) -> TokenSet:
    """Return an answer that came for the refresh token `old`."""
    return TokenSet(access_token="a", expires_at=1, refresh_token=refresh_token)


@pytest.mark.parametrize(
    ("error", "came", "kept"),
    [
        pytest.param(KeysUnavailableError("down"), "new", answer("new"), id="may be verified later"),
        pytest.param(MemoryError(), "new", answer("new"), id="not a judgement at all"),
        pytest.param(InvalidSignatureError("forged"), "new", "new", id="forged, rotated"),
        pytest.param(InvalidSignatureError("forged"), "old", "old", id="forged, not rotated"),
        pytest.param(InvalidSignatureError("forged"), None, "old", id="forged, none came"),
    ],
)
def test_what_the_next_refresh_goes_on_with(error: Exception, came: str | None, kept: TokenSet | str) -> None:
    """An answer that may yet be good is kept whole; of one that is not, its refresh token; and each is given once."""
    arrived = ArrivedAnswers()
    arrived.keep_after(error, "old", answer(came))
    assert arrived.take("old") == kept
    assert arrived.take("old") == "old"


@pytest.mark.parametrize(
    ("kept", "newest", "left"),
    [
        pytest.param(answer("new"), "new", "old", id="rotated"),
        pytest.param("new", "new", "old", id="rotated, forged"),
        pytest.param(answer("old"), None, answer("old"), id="not rotated"),
        pytest.param(answer(None), None, answer(None), id="none came"),
        pytest.param(None, None, "old", id="nothing came"),
    ],
)
def test_what_a_store_should_know(kept: TokenSet | str | None, newest: str | None, left: TokenSet | str) -> None:
    """A refresh token that replaces another one is for the store; whatever else came stays for the next refresh."""
    arrived = ArrivedAnswers()
    if kept is not None:
        arrived.keep("old", kept)
    assert arrived.refresh_token_for("old") == newest
    assert arrived.take("old") == left


def test_the_oldest_goes() -> None:
    """The memory is bounded."""
    arrived = ArrivedAnswers()
    for number in range(65):
        arrived.keep(f"r-{number}", "newer")
    assert len(arrived) == 64
    assert (arrived.take("r-0"), arrived.take("r-1")) == ("r-0", "newer")


def test_no_token_is_a_key() -> None:
    """What was sent is known by its digest alone."""
    arrived = ArrivedAnswers()
    arrived.keep("the-old-token", answer("the-new-token"))
    assert "the-" not in repr(arrived.__dict__)
