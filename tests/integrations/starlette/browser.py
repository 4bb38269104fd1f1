"""A browser for an application over its ASGI transport: cookies, redirects, and a person before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from cognito_oidc.emulator import CognitoEmulator, Person

BASE: Final = "https://app.example.com"
SESSION: Final = "__Host-cognito-session"
_MAX_STEPS: Final = 20


class Browser:
    """One browser with one person.

    Attributes:
        jar: The cookies, by name, as any page of the host gets them.
    """

    def __init__(self, app: ASGIApp, cognito: CognitoEmulator, person: Person, *, base: str = BASE) -> None:
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base)
        self._cognito = cognito
        self._person = person
        self._base = base

    @property
    def jar(self) -> dict[str, str]:
        """The cookies of the application."""
        return {cookie.name: cookie.value or "" for cookie in self._http.cookies.jar}

    def set_cookie(self, name: str, value: str) -> None:
        """Put a cookie into the jar, as whoever controls a browser can."""
        host = httpx.URL(self._base).host
        if value:
            self._http.cookies.set(name, value, domain=host, path="/")
        else:
            self._http.cookies.delete(name)

    async def step(self, url: str, *, method: str = "GET", **options: object) -> httpx.Response:
        """Send one request, and follow nothing."""
        return await self._http.request(method, url, **options)  # type: ignore[arg-type]

    async def depart(self, path: str) -> str:
        """Open a page that leads to Cognito, sign in there, and return the callback, not opened yet."""
        answer = await self.step(path)
        while not self._cognito.serves(answer.headers["location"]):
            answer = await self.step(answer.headers["location"])
        return await self._person.follow(answer.headers["location"])

    async def open(self, path: str) -> httpx.Response:
        """Open a page and go wherever it leads, until there is one; sign in where asked to."""
        return await self._arrive(await self.step(path))

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """Send a form, and go where it leads."""
        return await self._arrive(await self.step(path, method="POST", data=fields, headers=headers))

    async def _arrive(self, answer: httpx.Response) -> httpx.Response:
        for _ in range(_MAX_STEPS):
            if not answer.has_redirect_location:
                return answer
            url = str(answer.url.join(answer.headers["location"]))
            if self._cognito.serves(url):
                url = await self._person.follow(url)
            answer = await self.step(url)
        raise AssertionError(f"no end of redirects at {answer.url}")

    async def close(self) -> None:
        """Close the window."""
        await self._http.aclose()


async def who(browser: Browser) -> dict[str, Any] | None:
    """What a page knows of the person."""
    found: dict[str, Any] | None = (await browser.step("/whoami")).json()
    return found


async def log_in(browser: Browser) -> dict[str, Any]:
    """Log in, and return what a page knows of the person."""
    found: dict[str, Any] = (await browser.open("/login?return_to=/whoami")).json()
    return found


async def log_out(browser: Browser, **fields: str) -> httpx.Response:
    """Send the form of a page of the application."""
    found = await who(browser)
    fields = fields or {"csrf_token": found["csrf"] if found else ""}
    return await browser.step("/logout", method="POST", data=fields, headers={"Sec-Fetch-Site": "same-origin"})
