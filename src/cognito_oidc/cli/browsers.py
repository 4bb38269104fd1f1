"""How a person gets to the pages of the local Cognito: simulated, or in the browser of this machine.

Decides which browser is opened and how long it is waited for. Decides nothing about what is checked.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import parse_qs, urlsplit

from cognito_oidc.cli.console import StepFailedError
from cognito_oidc.cli.loopback_page import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cognito_oidc.cli.console import Console
    from cognito_oidc.cli.loopback import LoopbackListener
    from cognito_oidc.emulator import Person


_SIGNED_IN: Final = Page(heading="You are signed in", text="The rest happens in the terminal.")
_DONE: Final = Page(heading="Done", text="Close this page.")


class Browser(Protocol):
    """What the person sits at."""

    @property
    def origin(self) -> str:
        """Where the shop is: an absolute URL without a path."""
        ...

    async def visit(self, *addresses: str, told: Sequence[str] = ()) -> list[str]:
        """Open the first address, each next one where the one before ended, and return where they ended.

        Args:
            *addresses: Authorization requests and logouts, as absolute URLs.
            told: What a real person must be told to sign in; empty where they need not.
        """
        ...


class SimulatedBrowser:
    """The emulator's simulated person, who follows redirects and fills in forms; the shop's pages are not opened."""

    origin = "https://shop.example"

    def __init__(self, person: Person) -> None:
        """Sit a person down."""
        self._person = person

    async def visit(self, *addresses: str, told: Sequence[str] = ()) -> list[str]:  # noqa: ARG002 - they know it
        """Follow one address after the other."""
        return [await self._person.follow(address) for address in addresses]


class SystemBrowser:
    """The browser of this machine, which comes back to a listener."""

    def __init__(self, listener: LoopbackListener, console: Console, *, patience: float) -> None:
        """Use a listener that listens already."""
        self._listener = listener
        self._console = console
        self._patience = patience

    @property
    def origin(self) -> str:
        """Where the listener is."""
        return self._listener.origin

    async def visit(self, *addresses: str, told: Sequence[str] = ()) -> list[str]:
        """Open the first address and wait; each page that comes back leads on to the next address.

        Raises:
            StepFailedError: The browser did not come back in time.
        """
        following = (*addresses[1:], None)
        page = _SIGNED_IN if told else _DONE
        arrivals = [self._expect(each, then, page) for each, then in zip(addresses, following, strict=True)]
        if open_system_browser(addresses[0]):
            self._console.say("Your browser opens this address. If it does not, open it yourself, on this machine:")
        else:
            self._console.say("Open this address in a browser on this machine:")
        self._console.verbatim(addresses[0])
        for each in told:
            self._console.say(each)
        try:
            async with asyncio.timeout(self._patience):
                return [await arrival for arrival in arrivals]
        except TimeoutError:
            expected = f"a visit of {self.origin} within {self._patience:g} seconds"
            raise StepFailedError("the browser comes back", expected=expected, came="nobody") from None

    def _expect(self, address: str, then: str | None, page: Page) -> asyncio.Future[str]:
        query = parse_qs(urlsplit(address).query)
        state = query.get("state", [None])[0]
        return self._listener.expect(urlsplit(_end_of(address)).path, state=state, page=page, then=then)


def open_system_browser(address: str) -> bool:
    """Open an address in the system's browser, without waiting for it, and return whether there seems to be one."""
    visible = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in visible):
        return False  # a text browser would take this very terminal
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    return True


def _end_of(address: str) -> str:
    """Return where the browser ends after an authorization request or a logout, which may lead to another one."""
    query = parse_qs(urlsplit(address).query)
    target = query.get("redirect_uri") or query.get("logout_uri")
    return _end_of(target[0]) if target else address
