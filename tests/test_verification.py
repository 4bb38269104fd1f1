"""The order of the checks, where no key is at hand."""

import httpx
import pytest

from cognito_oidc import SyncTokenVerifier, UserPool
from cognito_oidc.errors import ExpiredTokenError, InsufficientScopeError, KeysUnavailableError
from tests.factories import NOW, access_payload, key_set, sign

CLIENT_IDS = [str(access_payload()["client_id"])]
POOL = UserPool.from_issuer(str(access_payload()["iss"]))


def verifier(status: int) -> tuple[SyncTokenVerifier, list[str]]:
    """Return a verifier without keys, over a key endpoint with this status, and the list of what it is asked."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(status, json=key_set())

    client = httpx.Client(transport=httpx.MockTransport(answer))
    return SyncTokenVerifier(POOL, client_ids=CLIENT_IDS, http_client=client, clock=lambda: NOW), asked


def test_nothing_is_said_about_scopes_of_a_token_that_nobody_verified() -> None:
    """Without keys a missing scope is not a 403: the token may be forged, and so nothing can be said."""
    cold, asked = verifier(404)
    with pytest.raises(KeysUnavailableError):
        cold.verify_access_token(sign(access_payload(scope="openid")), required_scopes=["orders/write"])
    assert asked


def test_scopes_are_judged_once_the_key_is_there() -> None:
    """The first token of a cold verifier is held to its scopes like any other."""
    cold, asked = verifier(200)
    for _ in range(2):
        with pytest.raises(InsufficientScopeError):
            cold.verify_access_token(sign(access_payload(scope="openid")), required_scopes=["orders/write"])
    assert len(asked) == 1


def test_an_expired_token_costs_no_fetch() -> None:
    """What is refused anyway is refused before any fetch, and says that nobody looked at the signature."""
    cold, asked = verifier(200)
    with pytest.raises(ExpiredTokenError) as refused:
        cold.verify_access_token(sign(access_payload(iat=NOW - 7200, exp=NOW - 3600)))
    assert not refused.value.signature_checked
    assert asked == []
