"""What the demo's story stands on: the local Cognito, who is registered there, and the person's browser.

Decides what the pool holds and how a person gets to its pages, simulated or real. Decides nothing about what is
checked.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import threading
import webbrowser
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import parse_qs, urlsplit

import httpx

from cognito_oidc import CognitoClient, TokenVerifier
from cognito_oidc.cli.console import StepFailedError, shortened
from cognito_oidc.cli.loopback import LoopbackListener
from cognito_oidc.emulator import CognitoEmulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cognito_oidc import UserPool
    from cognito_oidc.cli.console import Console
    from cognito_oidc.emulator import EmulatedAppClient, EmulatedPool, EmulatedUser, JournalEntry, Person

POOL_ID: Final = "eu-west-1_Demo00001"
DOMAIN: Final = "shop"
USERNAME: Final = "ann"
READ: Final = "orders/read"
WRITE: Final = "orders/write"
_SCOPES: Final = ("openid", "email", "profile", READ)
_CALLBACK: Final = "/callback"
_GOODBYE: Final = "/goodbye"
RANDOM: Final = frozenset({"state", "nonce", "code_challenge"})
# The login page has all of the authorization request again, and that is shown when it is made.
_NEW_IN: Final = {"authorize": frozenset({"state", "prompt"}), "login": frozenset({"username", "password"})}


class Browser(Protocol):
    """What the person sits at."""

    @property
    def origin(self) -> str:
        """Where the shop is: an absolute URL without a path."""
        ...

    async def visit(self, *addresses: str, password_needed: bool = False) -> list[str]:
        """Open the first address, each next one where the one before ended, and return where they ended.

        Args:
            *addresses: Authorization requests and logouts, as absolute URLs.
            password_needed: Whether the person will have to sign in.
        """
        ...


class SimulatedBrowser:
    """The emulator's simulated person, who follows redirects and fills in forms; the shop's pages are not opened."""

    origin = "https://shop.example"

    def __init__(self, person: Person) -> None:
        """Sit a person down."""
        self._person = person

    async def visit(self, *addresses: str, password_needed: bool = False) -> list[str]:  # noqa: ARG002 - they know it
        """Follow one address after the other."""
        return [await self._person.follow(address) for address in addresses]


class SystemBrowser:
    """The browser of this machine, which comes back to a listener."""

    def __init__(self, listener: LoopbackListener, console: Console, *, password: str, patience: float) -> None:
        """Use a listener that listens already."""
        self._listener = listener
        self._console = console
        self._password = password
        self._patience = patience

    @property
    def origin(self) -> str:
        """Where the listener is."""
        return self._listener.origin

    async def visit(self, *addresses: str, password_needed: bool = False) -> list[str]:
        """Open the first address and wait; each page that comes back leads on to the next address.

        Raises:
            StepFailedError: The browser did not come back in time.
        """
        following = (*addresses[1:], None)
        message = (
            "You are signed in: the rest happens in the terminal." if password_needed else "Done: close this page."
        )
        arrivals = [self._expect(each, then, message) for each, then in zip(addresses, following, strict=True)]
        if open_system_browser(addresses[0]):
            self._console.say("Your browser opens this address. If it does not, open it yourself, on this machine:")
        else:
            self._console.say("Open this address in a browser on this machine:")
        self._console.verbatim(addresses[0])
        if password_needed:
            self._console.say(f"Sign in as {USERNAME} with the password {self._password}")
        try:
            async with asyncio.timeout(self._patience):
                return [await arrival for arrival in arrivals]
        except TimeoutError:
            expected = f"a visit of {self.origin} within {self._patience:g} seconds"
            raise StepFailedError("the browser comes back", expected=expected, came="nobody") from None

    def _expect(self, address: str, then: str | None, message: str) -> asyncio.Future[str]:
        query = parse_qs(urlsplit(address).query)
        target = query.get("redirect_uri") or query["logout_uri"]
        state = query.get("state", [None])[0]
        return self._listener.expect(urlsplit(target[0]).path, state=state, message=message, then=then)


def open_system_browser(address: str) -> bool:
    """Open an address in the system's browser, without waiting for it, and return whether there seems to be one."""
    visible = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in visible):
        return False  # a text browser would take this very terminal
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything the story uses.

    Attributes:
        aws: The local Cognito, with its journal.
        cognito: Its one user pool, from the inside.
        pool: The same pool's addresses, as the library computes them.
        base_url: Where it listens.
        ann: The person.
        shop: The web application's app client.
        job: The app client of a machine that the API accepts.
        reports: The app client of a machine that it does not.
        browser: Where Ann sits.
        http: The HTTP client of everybody but her.
    """

    aws: CognitoEmulator
    cognito: EmulatedPool
    pool: UserPool
    base_url: str
    ann: EmulatedUser
    shop: EmulatedAppClient
    job: EmulatedAppClient
    reports: EmulatedAppClient
    browser: Browser
    http: httpx.AsyncClient

    @property
    def callback_uri(self) -> str:
        """The shop's callback URL."""
        return f"{self.browser.origin}{_CALLBACK}"

    @property
    def goodbye_uri(self) -> str:
        """The shop's sign-out URL."""
        return f"{self.browser.origin}{_GOODBYE}"

    def client(self, registered: EmulatedAppClient) -> CognitoClient:
        """Return the library's client for an app client."""
        return CognitoClient(
            self.pool,
            client_id=registered.client_id,
            client_secret=registered.client_secret,
            redirect_uri=registered.redirect_uris[0] if registered.redirect_uris else None,
            scopes=registered.scopes,
            http_client=self.http,
        )

    def verifier(self, *accepted: EmulatedAppClient) -> TokenVerifier:
        """Return a verifier that accepts the tokens of these app clients."""
        return TokenVerifier(self.pool, client_ids=[each.client_id for each in accepted], http_client=self.http)

    def published_kids(self) -> set[str]:
        """Return the ids of the keys in the pool's key set, from the inside."""
        return {key["kid"] for key in self.cognito.keys.key_set()["keys"]}

    def path(self, entry: JournalEntry) -> str:
        """Return where a request of the journal went, below the base URL and without its query."""
        addresses = {
            "discovery": self.pool.discovery_url,
            "jwks": self.pool.jwks_uri,
            "authorize": self.pool.authorization_endpoint,
            "token": self.pool.token_endpoint,
            "userinfo": self.pool.userinfo_endpoint,
            "revoke": self.pool.revocation_endpoint,
            "logout": self.pool.end_session_endpoint,
        }
        return addresses.get(entry.endpoint, f"/{DOMAIN}/{entry.endpoint}").removeprefix(self.base_url)


@asynccontextmanager
async def open_stage(console: Console, *, patience: float | None, port: int) -> AsyncGenerator[Stage]:
    """Start the local Cognito with everything registered.

    Args:
        console: For what a real person must be told.
        patience: Seconds to wait for a real person; None simulates one.
        port: Where it listens on 127.0.0.1, or 0 for a free port.

    Raises:
        ConfigurationError: A port cannot be used.
    """
    aws = CognitoEmulator()
    password = secrets.token_hex(4)  # short, since a real person types it
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(aws.serve(port=port))
        # The environment's proxies are for other hosts than this machine.
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        browser: Browser
        if patience is None:
            browser = SimulatedBrowser(aws.person(USERNAME, password))
        else:
            listener = await stack.enter_async_context(LoopbackListener())
            browser = SystemBrowser(listener, console, password=password, patience=patience)
        cognito = aws.add_pool(POOL_ID, domain=DOMAIN)
        cognito.add_resource_server("orders", scopes=["read", "write"])
        yield Stage(
            aws=aws,
            cognito=cognito,
            pool=server.user_pool(cognito),
            base_url=server.base_url,
            ann=cognito.add_user(
                USERNAME,
                password=password,
                email="ann@shop.example",
                email_verified=True,
                attributes={"name": "Ann Example"},
            ),
            shop=cognito.add_client(
                "shop",
                redirect_uris=[f"{browser.origin}{_CALLBACK}"],
                logout_uris=[f"{browser.origin}{_GOODBYE}"],
                scopes=_SCOPES,
                client_secret=True,
            ),
            job=cognito.add_client("nightly-job", grants=["client_credentials"], scopes=[READ]),
            reports=cognito.add_client("reports", grants=["client_credentials"], scopes=[READ]),
            browser=browser,
            http=http,
        )


def shown_parameters(entry: JournalEntry) -> dict[str, str]:
    """Return what is shown of a request: all parameters, random ones cut; of a browser's only what is new in it."""
    kept = _NEW_IN.get(entry.endpoint, entry.parameters.keys())
    return {
        name: shortened(value) if name in RANDOM else value for name, value in entry.parameters.items() if name in kept
    }
