"""Who the app client is, and the secret it proves that with: a text, or whatever a callable returns today.

Decides when a secret is read, and read again: an app client can have two live secrets while they are being replaced.
Decides nothing about how a secret is sent; that is `protocol.client_authentication`'s.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, TypeVar

import anyio
from pydantic import SecretStr

from cognito_oidc._exchange import LIMITS
from cognito_oidc.errors import ConfigurationError, InvalidClientError
from cognito_oidc.protocol.client_authentication import client_authentication
from cognito_oidc.protocol.wire import Endpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cognito_oidc.protocol.client_authentication import ClientAuthentication, TokenEndpointAuthMethod

    SecretText = str | SecretStr
    ClientSecret = SecretText | Callable[[], SecretText | Awaitable[SecretText]]

T = TypeVar("T")


class AppClientCredentials:
    """The id of an app client, its secret or where it comes from, and how it authenticates."""

    def __init__(
        self, client_id: str, client_secret: ClientSecret | None, method: TokenEndpointAuthMethod | None
    ) -> None:
        """Check what can be checked before a callable is asked.

        Raises:
            ConfigurationError: Id, secret and method do not go together.
        """
        self._client_id = client_id
        self._method = method
        self._secret: Callable[[], SecretText | Awaitable[SecretText]] | None = None
        self._always: ClientAuthentication | None = None
        if client_secret is None or isinstance(client_secret, str | SecretStr):
            self._always = client_authentication(client_id, _plain(client_secret), method)
        elif callable(client_secret):
            self._secret = client_secret
        else:
            msg = f"client_secret: expected a text, a SecretStr or a callable, got {type(client_secret).__name__}."
            raise ConfigurationError(msg)

    async def read(self) -> ClientAuthentication:
        """Return how the app client authenticates now; a callable is asked for the secret, however long it takes.

        Raises:
            ConfigurationError: What the callable returned is no secret.
        """
        if self._always is not None:
            return self._always
        given = None if self._secret is None else self._secret()
        secret = await given if inspect.isawaitable(given) else given
        if secret is None:
            msg = "client_secret: the callable returned None: leave client_secret out for a public client."
            raise ConfigurationError(msg)
        return client_authentication(self._client_id, _plain(secret), self._method)

    async def authenticated(
        self, attempt: Callable[[ClientAuthentication], Awaitable[T]], who: ClientAuthentication
    ) -> T:
        """Run an exchange; once more with a secret read anew where Cognito did not accept the one a callable gave.

        A callable that takes longer than an exchange may is not waited for: the refusal is the answer then.
        """
        try:
            return await attempt(who)
        except InvalidClientError:
            again = who
            if self._secret is not None:
                with anyio.move_on_after(LIMITS[Endpoint.TOKEN].total):
                    again = await self.read()
            if again == who:
                raise
            return await attempt(again)


def secrets_of(who: ClientAuthentication, *others: str) -> tuple[str, ...]:
    """Return what an exchange sends and no error may repeat."""
    return (*others, who.client_secret) if who.client_secret is not None else others


def _plain(secret: SecretText | None) -> str | None:
    if secret is None or isinstance(secret, str):
        return secret
    if isinstance(secret, SecretStr):
        return secret.get_secret_value()
    msg = f"client_secret: expected a text or a SecretStr, got {type(secret).__name__}."
    raise ConfigurationError(msg)
