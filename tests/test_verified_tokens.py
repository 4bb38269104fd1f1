"""The memory of verified tokens, by itself; what a verifier makes of it is in `test_verifier.py`."""

from collections.abc import Mapping

import pytest

from cognito_oidc._verified_tokens import VerifiedTokens
from cognito_oidc.errors import ExpiredTokenError, InsufficientScopeError, InvalidClaimError
from cognito_oidc.protocol.claims import NO_REQUIREMENTS, Requirements, TokenRules, check_again
from cognito_oidc.protocol.jwks import VerificationKey
from cognito_oidc.protocol.typed_claims import AccessTokenClaims
from tests.factories import ACCESS_KID, NOW, access_payload, rsa_key

Memory = VerifiedTokens[AccessTokenClaims, Requirements]


def a_key() -> VerificationKey:
    """Return a key as a key set holds it; each is one of its own, however alike they are."""
    return VerificationKey(ACCESS_KID, rsa_key("access").public_key(), "n", "e")


KEY = a_key()


def memory(*digests: bytes, size: int = 3, leeway: float = 0, claims: Mapping[str, object] = {}) -> Memory:
    """Return a memory of tokens with these digests."""
    rules = TokenRules(AccessTokenClaims, client_ids=None, leeway=leeway)
    remembered = Memory(size, rules, check_again)
    for digest in digests:
        remembered.keep(digest, b"s", KEY, AccessTokenClaims(access_payload(**claims)), NO_REQUIREMENTS)
    return remembered


def find(
    remembered: Memory,
    digest: bytes,
    *,
    signature: bytes = b"s",
    key: VerificationKey = KEY,
    now: float = NOW,
    expected: Requirements = NO_REQUIREMENTS,
) -> bool:
    """Tell whether a token is found."""
    return remembered.find(digest, signature, key, now, expected) is not None


def test_a_token_is_found_by_digest_signature_and_key() -> None:
    """All three must be those of the token that was verified."""
    assert find(memory(b"a"), b"a")
    assert not find(memory(b"a"), b"b")
    assert not find(memory(b"a"), b"a", signature=b"t")
    assert not find(memory(b"a"), b"a", key=a_key())


def test_another_key_set_drops_all() -> None:
    """Keys are compared by identity: one that only looks the same came with another key set."""
    remembered = memory(b"a", b"b")
    assert not find(remembered, b"a", key=a_key())
    assert len(remembered) == 0


def test_another_signature_leaves_the_token_that_was_verified() -> None:
    """Nobody makes us forget a token by sending it with another signature."""
    remembered = memory(b"a")
    assert not find(remembered, b"a", signature=b"t")
    assert find(remembered, b"a")


@pytest.mark.parametrize("size", [1, 2, 3])
def test_so_many_tokens_are_kept_and_no_more(size: int) -> None:
    """The one that was not used for longest goes."""
    digests = [bytes([number]) for number in range(size)]
    remembered = memory(*digests, size=size)
    assert all(find(remembered, digest) for digest in digests)
    remembered.keep(b"new", b"s", KEY, AccessTokenClaims(access_payload()), NO_REQUIREMENTS)
    assert len(remembered) == size
    assert not find(remembered, digests[0])
    assert find(remembered, b"new")


@pytest.mark.parametrize(
    ("claims", "leeway", "now", "error"),
    [
        pytest.param({}, 0, NOW + 3600, ExpiredTokenError, id="at-its-end"),
        pytest.param({}, 5, NOW + 3604, None, id="within-the-leeway"),
        pytest.param({}, 5, NOW + 3605, ExpiredTokenError, id="after-the-leeway"),
        pytest.param({}, 0, NOW - 60, None, id="clock-set-back-a-little"),
        pytest.param({}, 0, NOW - 61, InvalidClaimError, id="clock-set-back"),
        pytest.param({"nbf": NOW + 60}, 0, NOW, None, id="nbf-just-reached"),
        pytest.param({"nbf": NOW + 60}, 0, NOW - 1, InvalidClaimError, id="clock-set-back-before-nbf"),
        pytest.param({"nbf": NOW - 3600}, 0, NOW - 61, InvalidClaimError, id="iat-counts-beside-nbf"),
    ],
)
def test_times_are_checked_again(
    claims: dict[str, object], leeway: float, now: float, error: type[InvalidClaimError] | None
) -> None:
    """A remembered token is refused the moment it is no longer good, with the error a new one would have."""
    remembered = memory(b"a", leeway=leeway, claims=claims)
    if error is None:
        assert find(remembered, b"a", now=now)
        return
    with pytest.raises(InvalidClaimError) as refused:
        find(remembered, b"a", now=now)
    assert type(refused.value) is error


def test_what_is_asked_of_a_token_is_checked_again() -> None:
    """That one call was content says nothing about another."""
    remembered = memory(b"a")
    assert find(remembered, b"a", expected=Requirements(all_scopes=("openid",)))
    with pytest.raises(InsufficientScopeError):
        find(remembered, b"a", expected=Requirements(all_scopes=("admin",)))
    with pytest.raises(InvalidClaimError):
        find(remembered, b"a", expected=Requirements(resource="https://api.example.com"))
