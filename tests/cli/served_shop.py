"""A shop whose people sign in through the pool of a company, served on loopback, and the command pointed at it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import anyio
import httpx
from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner, Result

from cognito_oidc import UserPool
from cognito_oidc.cli import cli
from cognito_oidc.emulator import Behaviour, CognitoEmulator, EmulatedAppClient, EmulatedPool, Person

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

    def machine_token(self, *, seconds: int = 3600) -> str:
        """Return an access token of a job that may read orders, by client credentials over HTTP."""
        job = self.app.add_client(
            "job", grants=["client_credentials"], scopes=["orders/read"], access_token_validity=seconds
        )
        form = {"grant_type": "client_credentials", "client_id": job.client_id, "client_secret": job.client_secret}
        answer = httpx.post(self.user_pool.token_endpoint, data=form, trust_env=False).json()
        token: str = answer["access_token"]
        return token

    def sign_in(self, *, nonce: str | None = "n-0S6_WzA2Mj") -> dict[str, str]:
        """Sign Ann in through the company, as an application without this library would; return the token answer."""
        if "ann" not in self.corp.users:
            self.corp.add_user("ann", password="Anns-password-1", email="ann@corp.example")
        query = {
            "client_id": self.web.client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid email",
            "identity_provider": "Corp",
            **({"nonce": nonce} if nonce is not None else {}),
        }
        person = Person(
            "ann", "Anns-password-1", open_client=lambda: httpx.AsyncClient(trust_env=False), serves=lambda _: False
        )
        callback = anyio.run(person.follow, f"{self.user_pool.authorization_endpoint}?{urlencode(query)}")
        form = {
            "grant_type": "authorization_code",
            "client_id": self.web.client_id,
            "client_secret": self.web.client_secret,
            "redirect_uri": CALLBACK,
            "code": parse_qs(urlsplit(callback).query)["code"][0],
        }
        answer: dict[str, str] = httpx.post(self.user_pool.token_endpoint, data=form, trust_env=False).json()
        return answer

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
