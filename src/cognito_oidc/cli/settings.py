"""What an application must be told to use a local Cognito: for people, for a shell, as JSON.

Decides how settings are named and laid out; the addresses are computed by the library, as the application will.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Final

from cognito_oidc import UserPool
from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool

_INDENT: Final = "    "


class Settings:
    """The settings of one local Cognito under one base URL.

    Attributes:
        base_url: Absolute URL without a slash at the end.
    """

    def __init__(self, aws: CognitoEmulator, *, base_url: str, application: str | None) -> None:
        """Choose the application's app client.

        Args:
            aws: The local Cognito.
            base_url: Where applications and browsers reach it.
            application: Name or id of an app client; None takes the first one there is.

        Raises:
            ConfigurationError: There is no such app client, or several, or the URL cannot be right.
        """
        self.base_url = base_url
        self._pools = [(pool, self._addresses(pool)) for pool in aws.pools.values()]
        known = [client for pool, _ in self._pools for client in pool.clients.values()]
        wanted = [each for each in known if application in {None, each.name, each.client_id}]
        if application is not None and len(wanted) != 1:
            names = ", ".join(sorted(each.name for each in known)) or "none"
            found = "several app clients are called" if wanted else "no app client is called"
            raise ConfigurationError(f"{found} {application!r}; there are {names}. An id is good too.")
        self._application = wanted[0] if wanted else None

    def environment(self) -> dict[str, str]:
        """Return the application's settings by the names of environment variables; empty without an app client."""
        for pool, addresses in self._pools:
            if self._application is not None and self._application.pool is pool:
                return self._variables(addresses, self._application)
        return {}

    def as_env(self) -> str:
        """Return lines for a shell, or a file of variables."""
        return "\n".join(f"{name}={shlex.quote(value)}" for name, value in self.environment().items())

    def as_json(self) -> str:
        """Return everything as one JSON object."""
        pools = [
            {
                "pool_id": pool.pool_id,
                "domain": addresses.domain,
                "issuer": addresses.issuer,
                "discovery_url": addresses.discovery_url,
                "jwks_uri": addresses.jwks_uri,
                "identity_providers": list(pool.providers),
                "users": [_user(*each) for each in _people(pool)],
                "clients": [
                    {"name": client.name, "environment": self._variables(addresses, client)}
                    for client in pool.clients.values()
                ],
            }
            for pool, addresses in self._pools
        ]
        whole = {"endpoint_url": self.base_url, "environment": self.environment(), "pools": pools}
        return json.dumps(whole, indent=2)

    def as_text(self) -> str:
        """Return everything for a person to read."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for pool, addresses in self._pools:
            yield f"User pool {pool.pool_id}"
            yield f"{_INDENT}issuer     {addresses.issuer}"
            yield f"{_INDENT}discovery  {addresses.discovery_url}"
            for name in pool.providers:
                yield f"{_INDENT}provider   {name}"
            for username, password, temporary in _people(pool):
                note = ", which must be changed at the first sign-in" if temporary else ""
                yield f"{_INDENT}person     {username}, password {password}{note}"
            for client in pool.clients.values():
                yield f"{_INDENT}client     {client.name}, {client.client_id}"
            yield ""
        if self._application is None:
            yield "There is no app client: no application can use it."
            return
        yield f"For an application that is the app client {self._application.name} (-o env, --client):"
        yield ""
        for name, value in self.environment().items():
            yield f"{_INDENT}{name}={shlex.quote(value)}"
        yield ""
        yield f"In Python: UserPool(pool_id, domain=domain, endpoint_url={self.base_url!r})"

    def _addresses(self, pool: EmulatedPool) -> UserPool:
        domain = f"{self.base_url}/{pool.custom_domain}" if pool.custom_domain is not None else pool.domain_prefix
        return UserPool(
            pool.pool_id,
            domain=domain,
            issuer_type=pool.issuer_type,
            endpoint_url=self.base_url,
            allow_insecure_http=True,  # whoever serves it in a container network has been warned by then
        )

    def _variables(self, addresses: UserPool, client: EmulatedAppClient) -> dict[str, str]:
        values: Mapping[str, str | None] = {
            "COGNITO_POOL_ID": addresses.pool_id,
            "COGNITO_REGION": addresses.region,
            "COGNITO_DOMAIN": addresses.domain,
            "COGNITO_ENDPOINT_URL": self.base_url,
            "COGNITO_CLIENT_ID": client.client_id,
            "COGNITO_CLIENT_SECRET": client.client_secret,
            "COGNITO_REDIRECT_URI": client.redirect_uris[0] if client.redirect_uris else None,
            "COGNITO_SCOPES": " ".join(client.scopes),
        }
        return {name: value for name, value in values.items() if value is not None}


def _people(pool: EmulatedPool) -> list[tuple[str, str, bool]]:
    """Return user name, password, and whether it is temporary, of everybody who has a password here."""
    return [
        (user.username, user.password, user.status == "FORCE_CHANGE_PASSWORD")
        for user in pool.users.values()
        if user.password is not None
    ]


def _user(username: str, password: str, temporary: bool) -> dict[str, object]:  # noqa: FBT001 - a row of `_people`
    return {"username": username, "password": password, "temporary": temporary}
