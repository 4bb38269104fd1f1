"""A shop whose people sign in through the pool of a company, served on loopback, and the command pointed at it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner, Result

from cognito_oidc import UserPool
from cognito_oidc.cli import cli
from cognito_oidc.emulator import Behaviour, CognitoEmulator, EmulatedAppClient, EmulatedPool

CALLBACK = "https://shop.example/callback"
SCOPES = ("openid", "email", "orders/read")


@dataclass(frozen=True, slots=True)
class ServedShop:
    """Two pools on a port, an application, and its settings as variables.

    Attributes:
        aws: The local Cognito.
        corp: The pool that knows people.
        app: The pool of the shop; its provider is called Corp.
        web: The shop's app client.
        base_url: Where all of it is.
        settings: What the command is told.
    """

    aws: CognitoEmulator
    corp: EmulatedPool
    app: EmulatedPool
    web: EmulatedAppClient
    base_url: str
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def user_pool(self) -> UserPool:
        """The addresses of the shop's pool on the port."""
        return UserPool(self.app.pool_id, domain=self.app.domain_prefix, endpoint_url=self.base_url)

    def run(self, *arguments: str, input: str | None = None, **settings: str | None) -> Result:  # noqa: A002 - click's
        """Run the command; a setting of None is left out."""
        environment = {**self.settings, **{f"COGNITO_{name.upper()}": value for name, value in settings.items()}}
        return CliRunner().invoke(cli, arguments, prog_name="cognito-oidc", env=environment, input=input)

    def doctor(self, *arguments: str, **settings: str | None) -> dict[str, Any]:
        """Return what the doctor says as JSON; its exit code must say the same."""
        result = self.run("doctor", "-o", "json", *arguments, **settings)
        found: dict[str, Any] = json.loads(result.stdout)
        assert result.exit_code == (0 if found["good"] else 1), result.output
        return found

    def findings(self, *arguments: str, **settings: str | None) -> list[str]:
        """Return the codes of what the doctor finds."""
        return [each["code"] for each in self.doctor(*arguments, **settings)["findings"]]


@contextmanager
def serving_shop(behaviour: Behaviour | None = None) -> Iterator[ServedShop]:
    """Serve it until the block is left."""
    aws = CognitoEmulator(behaviour=behaviour or Behaviour())
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(aws.serve()) as server:
        corp, app = aws.federated_pair(provider_name="Corp")
        app.add_resource_server("orders", scopes=["read", "write"])
        web = app.add_client(
            "web",
            redirect_uris=[CALLBACK],
            logout_uris=["https://shop.example/bye"],
            scopes=SCOPES,
            client_secret=True,
            identity_providers=["COGNITO", "Corp"],
        )
        settings = {
            "COGNITO_POOL_ID": app.pool_id,
            "COGNITO_DOMAIN": app.domain_prefix or "",
            "COGNITO_ENDPOINT_URL": server.base_url,
            "COGNITO_CLIENT_ID": web.client_id,
            "COGNITO_CLIENT_SECRET": web.client_secret or "",
            "COGNITO_REDIRECT_URI": CALLBACK,
            "COGNITO_SCOPES": " ".join(SCOPES),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        yield ServedShop(aws, corp, app, web, server.base_url, settings)
