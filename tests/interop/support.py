"""What the tests of this folder share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

import pytest

from cognito_oidc import CognitoClient, UserPool
from tests.interop.front import POOL_ID, Front

if TYPE_CHECKING:
    import httpx
    import httpx2

    from cognito_oidc import AuthorizationRequest, ProviderMetadata
    from cognito_oidc.protocol.client_authentication import TokenEndpointAuthMethod
    from tests.interop.person import Person

CALLBACK: Final = "https://app.example.com/callback"
GOODBYE: Final = "https://app.example.com/bye"
SECRET: Final = "5ecretOfTheTestsWith32Characters"  # letters and digits alone: others percent-encode the rest in Basic
KNOWS: Final = {"login": "ann", "password": "anything", "sub": "ann"}


def cannot_be_had(reason: str) -> NoReturn:
    """Skip what cannot be had here; in CI everything can."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True, kw_only=True)
class Provider:
    """An app client of a provider that is not ours.

    Attributes:
        front: What makes the provider look like Cognito.
        client_id: The app client.
        client_secret: Its secret, or None.
        method: How it authenticates.
    """

    front: Front
    client_id: str
    method: TokenEndpointAuthMethod
    client_secret: str | None = None

    @property
    def pool(self) -> UserPool:
        """The pool that it looks like: without a domain, as where only discovery knows the addresses."""
        return UserPool(POOL_ID, endpoint_url=self.front.base_url)

    async def discovered(self, http: httpx.AsyncClient | httpx2.AsyncClient) -> CognitoClient:
        """Return our client of it, with the endpoints that discovery told."""
        finder = CognitoClient(self.pool, client_id=self.client_id, http_client=http)
        return self.client(http, await finder.discover())

    def client(self, http: httpx.AsyncClient | httpx2.AsyncClient, metadata: ProviderMetadata) -> CognitoClient:
        """Return our client of it."""
        return CognitoClient(
            self.pool,
            client_id=self.client_id,
            client_secret=self.client_secret,
            token_endpoint_auth_method=self.method,
            redirect_uri=CALLBACK,
            scopes=("openid", "email"),
            metadata=metadata,
            http_client=http,
        )

    def login(self, person: Person, request: AuthorizationRequest) -> str:
        """Send a person through the provider's pages; return the callback as the pool would send it."""
        return self.front.callback(person.follow(request.url, until=CALLBACK))
