"""The pytest plugin: a local Cognito for the tests of an application, whose own verifier and client run as they are.

Decides what a test gets, and where the tests are that every token store must pass. It is loaded by every pytest run on
a machine where it is installed, so it imports nothing but pytest; the emulator is loaded by the first test that asks
for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool, KeyStock
    from cognito_oidc.integrations.stores._conformance import TokenStoreConformance

__all__ = [
    "IssueAccessToken",
    "IssueIdToken",
    "TokenStoreConformance",
    "cognito_app_client",
    "cognito_emulator",
    "cognito_key_stock",
    "cognito_pool",
    "issue_access_token",
    "issue_id_token",
]


def __getattr__(name: str) -> object:
    """Load the tests of token stores when somebody asks for them."""
    if name == "TokenStoreConformance":
        from cognito_oidc.integrations.stores._conformance import TokenStoreConformance

        return TokenStoreConformance
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


class IssueAccessToken(Protocol):
    """What the fixture `issue_access_token` gives."""

    def __call__(
        self,
        username: str = "ann",
        *,
        scopes: Iterable[str] = ("openid",),
        groups: Iterable[str] = (),
        client: EmulatedAppClient | None = None,
        resource: str | None = None,
        claims: Mapping[str, object] | None = None,
        **more_claims: object,
    ) -> str:
        """Return an access token that the application's own verifier takes, or one that it must not.

        Args:
            username: Whose token; the person is added to the pool if there is none of this name.
            scopes: The scopes; the app client need not have them.
            groups: The claim `cognito:groups`; the person's own groups when left out.
            client: The app client it is for; `cognito_app_client` when left out.
            resource: The resource that it is bound to.
            claims: Claims to add or replace; `...` leaves one out.
            **more_claims: The same, for names that Python can write: `exp=0`.
        """
        ...


class IssueIdToken(Protocol):
    """What the fixture `issue_id_token` gives."""

    def __call__(
        self,
        username: str = "ann",
        *,
        groups: Iterable[str] = (),
        client: EmulatedAppClient | None = None,
        access_token: str | None = None,
        claims: Mapping[str, object] | None = None,
        **more_claims: object,
    ) -> str:
        """Return an ID token that the application's own verifier takes, or one that it must not.

        Args:
            username: Whose token; the person is added to the pool if there is none of this name.
            groups: The claim `cognito:groups`; the person's own groups when left out.
            client: The app client it is for; `cognito_app_client` when left out.
            access_token: The access token that `at_hash` is made of.
            claims: Claims to add or replace; `...` leaves one out.
            **more_claims: The same, for names that Python can write: `nonce="n"`, `email="ann@acme.com"`.
        """
        ...


@pytest.fixture(scope="session")
def cognito_key_stock() -> KeyStock:
    """Keep the private keys of all tests: each is made once."""
    from cognito_oidc.emulator import KeyStock

    return KeyStock()


@pytest.fixture
def cognito_emulator(cognito_key_stock: KeyStock) -> CognitoEmulator:
    """Return a local Cognito without pools, for this test alone.

    It runs on asyncio and trio, and needs no event loop to be made: `cognito_emulator.http_client()` is the wire for
    verifiers and clients, `cognito_emulator.clock` their clock, `cognito_emulator.person(...)` somebody at a browser.
    """
    from cognito_oidc.emulator import CognitoEmulator

    return CognitoEmulator(key_stock=cognito_key_stock)


@pytest.fixture
def cognito_pool(cognito_emulator: CognitoEmulator) -> EmulatedPool:
    """Return a user pool, `eu-west-1_Testing01` with the domain `testing`.

    `cognito_pool.user_pool` is what a verifier or client takes, and `cognito_pool.keys.key_set()` its `jwks=`, for a
    verifier that is to run without any wire.
    """
    return cognito_emulator.add_pool("eu-west-1_Testing01", domain="testing")


@pytest.fixture
def cognito_app_client(cognito_pool: EmulatedPool) -> EmulatedAppClient:
    """Return a public app client of the pool, with the callback URL `http://localhost/callback`."""
    return cognito_pool.add_client("testing", redirect_uris=["http://localhost/callback"])


@pytest.fixture
def issue_access_token(cognito_pool: EmulatedPool, cognito_app_client: EmulatedAppClient) -> IssueAccessToken:
    """Return a function that signs access tokens: `issue_access_token("ann", scopes=["orders/read"])`."""

    def issue(
        username: str = "ann",
        *,
        scopes: Iterable[str] = ("openid",),
        groups: Iterable[str] = (),
        client: EmulatedAppClient | None = None,
        resource: str | None = None,
        claims: Mapping[str, object] | None = None,
        **more_claims: object,
    ) -> str:
        _add_missing(cognito_pool, username)
        return cognito_pool.issue_access_token(
            username,
            client=client or cognito_app_client,
            scopes=scopes,
            resource=resource,
            claims={**_grouped(groups), **(claims or {}), **more_claims},
        )

    return issue


@pytest.fixture
def issue_id_token(cognito_pool: EmulatedPool, cognito_app_client: EmulatedAppClient) -> IssueIdToken:
    """Return a function that signs ID tokens: `issue_id_token("ann", email="ann@acme.com")`."""

    def issue(
        username: str = "ann",
        *,
        groups: Iterable[str] = (),
        client: EmulatedAppClient | None = None,
        access_token: str | None = None,
        claims: Mapping[str, object] | None = None,
        **more_claims: object,
    ) -> str:
        _add_missing(cognito_pool, username)
        return cognito_pool.issue_id_token(
            username,
            client=client or cognito_app_client,
            access_token=access_token,
            claims={**_grouped(groups), **(claims or {}), **more_claims},
        )

    return issue


def _add_missing(pool: EmulatedPool, username: str) -> None:
    if username not in pool.users:
        pool.add_user(username, password=f"password of {username}")


def _grouped(groups: Iterable[str]) -> dict[str, object]:
    names = list(groups)
    return {"cognito:groups": names} if names else {}
