"""PKCE, with the vector of RFC 7636 appendix B."""

from base64 import urlsafe_b64encode
from hashlib import sha256

import pytest

from cognito_oidc.errors import ConfigurationError
from cognito_oidc.protocol.pkce import derive_code_challenge, generate_code_verifier, generate_opaque_text

RFC_7636_OCTETS = bytes([
    116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186,
    22, 212, 37, 77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
])  # fmt: skip
RFC_7636_VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
RFC_7636_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_verifier_is_that_of_rfc_7636() -> None:
    """RFC 7636 appendix B: 32 octets of randomness give this verifier."""
    assert generate_code_verifier(lambda size: RFC_7636_OCTETS[:size]) == RFC_7636_VERIFIER


def test_the_challenge_is_that_of_rfc_7636() -> None:
    """RFC 7636 appendix B: this verifier gives this S256 challenge."""
    assert derive_code_challenge(RFC_7636_VERIFIER) == RFC_7636_CHALLENGE


@pytest.mark.parametrize(
    "verifier",
    [pytest.param("-._~" * 10 + "aZ9", id="shortest"), pytest.param("a" * 128, id="longest, as in AWS's sample")],
)
def test_a_verifier_of_any_allowed_length_has_a_challenge(verifier: str) -> None:
    """RFC 7636 section 4.1: 43 to 128 unreserved characters."""
    assert (
        derive_code_challenge(verifier) == urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    )


@pytest.mark.parametrize(
    "verifier",
    [
        pytest.param("", id="empty"),
        pytest.param("a" * 42, id="too short"),
        pytest.param("a" * 129, id="too long"),
        pytest.param("a" * 43 + "\n", id="a line break"),
        pytest.param("a" * 42 + "=", id="padding"),
        pytest.param("a" * 42 + "/", id="standard base64"),
        pytest.param("é" * 43, id="no ASCII"),
        pytest.param(None, id="nothing"),
        pytest.param(b"a" * 43, id="bytes"),
    ],
)
def test_a_bad_verifier_is_refused_without_being_shown(verifier: str) -> None:
    """A verifier is a secret: the message says what one is, and not what came."""
    with pytest.raises(ConfigurationError, match=r"^code_verifier: expected 43 to 128 letters") as caught:
        derive_code_challenge(verifier)
    assert not verifier or str(verifier) not in str(caught.value)


def test_opaque_texts_are_the_randomness_and_nothing_else() -> None:
    """All of 32 octets, in 43 characters that no address and no form changes."""
    assert generate_opaque_text(lambda size: b"\xff" * size) == "_" * 42 + "8"
