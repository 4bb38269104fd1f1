"""What the demo's stories stand on: the local Cognito, the person and their browser.

Decides how they are started. Which pools there are is decided by each story, and so is what is checked.
"""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx

from cognito_oidc import CognitoClient, TokenVerifier
from cognito_oidc.cli.browsers import SimulatedBrowser, SystemBrowser
from cognito_oidc.cli.console import shortened
from cognito_oidc.cli.loopback import LoopbackListener
from cognito_oidc.emulator import CognitoEmulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from cognito_oidc import UserPool
    from cognito_oidc.cli.browsers import Browser
    from cognito_oidc.cli.console import Console
    from cognito_oidc.emulator import EmulatedAppClient, EmulatedPool, EmulatorServer, JournalEntry

USERNAME: Final = "ann"
RANDOM: Final = frozenset({"state", "nonce", "code_challenge"})
_CALLBACK: Final = "/callback"
_GOODBYE: Final = "/goodbye"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything the stories use.

    Attributes:
        aws: The local Cognito, with its journal.
        server: Where it listens.
        browser: Where the person, Ann, sits.
        http: The HTTP client of everybody but her.
        password: Her password, or the one she was given to begin with.
        new_password: What a simulated Ann chooses where she must choose another.
    """

    aws: CognitoEmulator
    server: EmulatorServer
    browser: Browser
    http: httpx.AsyncClient
    password: str
    new_password: str

    @property
    def base_url(self) -> str:
        """Where the local Cognito listens."""
        return self.server.base_url

    @property
    def callback_uri(self) -> str:
        """The shop's callback URL."""
        return f"{self.browser.origin}{_CALLBACK}"

    @property
    def goodbye_uri(self) -> str:
        """The shop's sign-out URL."""
        return f"{self.browser.origin}{_GOODBYE}"

    def addresses(self, pool: EmulatedPool) -> UserPool:
        """Return a pool's addresses, as the library computes them."""
        return self.server.user_pool(pool)

    def client(self, registered: EmulatedAppClient) -> CognitoClient:
        """Return the library's client for an app client."""
        return CognitoClient(
            self.addresses(registered.pool),
            client_id=registered.client_id,
            client_secret=registered.client_secret,
            redirect_uri=registered.redirect_uris[0] if registered.redirect_uris else None,
            scopes=registered.scopes,
            http_client=self.http,
        )

    def verifier(self, *accepted: EmulatedAppClient) -> TokenVerifier:
        """Return a verifier that accepts the tokens of these app clients, which are of one pool."""
        ids = [each.client_id for each in accepted]
        return TokenVerifier(self.addresses(accepted[0].pool), client_ids=ids, http_client=self.http)

    def path(self, entry: JournalEntry) -> str:
        """Return where a request of the journal went, below the base URL and without its query."""
        pool = self.addresses(self.aws.pools[entry.pool_id or ""])
        addresses = {
            "discovery": pool.discovery_url,
            "jwks": pool.jwks_uri,
            "authorize": pool.authorization_endpoint,
            "idpresponse": pool.idp_response_endpoint,
            "token": pool.token_endpoint,
            "userinfo": pool.userinfo_endpoint,
            "revoke": pool.revocation_endpoint,
            "logout": pool.end_session_endpoint,
        }
        return addresses.get(entry.endpoint, f"/{pool.domain}/{entry.endpoint}").removeprefix(self.base_url)


@asynccontextmanager
async def open_stage(console: Console, *, patience: float | None, port: int) -> AsyncGenerator[Stage]:
    """Start the local Cognito, without any pool.

    Args:
        console: For what a real person must be told.
        patience: Seconds to wait for a real person; None simulates one.
        port: Where it listens on 127.0.0.1, or 0 for a free port.

    Raises:
        ConfigurationError: A port cannot be used.
    """
    aws = CognitoEmulator()
    password, new_password = secrets.token_hex(4), f"New-1-{secrets.token_hex(8)}"
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(aws.serve(port=port))
        # The environment's proxies are for other hosts than this machine.
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        browser: Browser
        if patience is None:
            browser = SimulatedBrowser(aws.person(USERNAME, password, new_password=new_password))
        else:
            listener = await stack.enter_async_context(LoopbackListener())
            browser = SystemBrowser(listener, console, patience=patience)
        yield Stage(aws=aws, server=server, browser=browser, http=http, password=password, new_password=new_password)


def shown_parameters(entry: JournalEntry, new_in: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """Return what is shown of a request: its parameters, random ones cut.

    Args:
        entry: The request.
        new_in: What of an endpoint's parameters is shown, where not all of them are new.
    """
    kept = new_in.get(entry.endpoint, entry.parameters.keys())
    return {
        name: shortened(value) if name in RANDOM else value for name, value in entry.parameters.items() if name in kept
    }
