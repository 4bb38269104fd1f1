"""A simulated person at a browser: follows redirects, keeps cookies, fills in forms.

Decides what a person would do next. Knows nothing of the pages but what their HTML says, so it can sign in at any page
with a user name and a password field.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

_MAX_STEPS: Final = 30
_MAX_TEXT: Final = 300
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_FIRST_ERROR: Final = 400
_SILENT_ELEMENTS: Final = frozenset({"style", "script", "title"})


class PersonError(Exception):
    """The simulated person cannot go on: a wrong password, an error page, a question they have no answer to.

    Attributes:
        title: The page's title.
        text: What the page says went wrong, or else its text; at most 300 characters. No URL, no form value.
        status: The page's HTTP status.
    """

    def __init__(self, title: str, text: str, status: int) -> None:
        super().__init__(f"{title or 'page without a title'} (HTTP {status}): {text or 'no text'}")
        self.title = title
        self.text = text
        self.status = status

    def __reduce__(self) -> tuple[type[PersonError], tuple[str, str, int]]:
        return type(self), (self.title, self.text, self.status)


class Person:
    """A person with a browser; made by `CognitoEmulator.person`.

    The browser keeps its cookies from one `follow` to the next, so a second sign-in may need no form.

    Args:
        username: What goes into the user name field.
        password: What goes into the password field.
        new_password: What goes into the fields of a page that asks for a new password.
        provider: The identity provider whose button is pressed where a page has it.
        open_client: Returns the HTTP client to browse with, as a context of one `follow`.
        serves: Tells whether an absolute URL belongs to the pages. The origin where `follow` begins always does; the
            first redirect elsewhere ends it.
    """

    __slots__ = ("_cookies", "_new_password", "_open_client", "_password", "_serves", "provider", "username")

    def __init__(
        self,
        username: str,
        password: str,
        *,
        open_client: Callable[[], AbstractAsyncContextManager[httpx.AsyncClient]],
        serves: Callable[[str], bool],
        new_password: str | None = None,
        provider: str | None = None,
    ) -> None:
        self.username: str = username
        self.provider: str | None = provider
        self._password = password
        self._new_password = new_password
        self._open_client = open_client
        self._serves = serves
        self._cookies = httpx.Cookies()

    def __repr__(self) -> str:
        return f"Person({self.username!r})"

    async def follow(self, url: str) -> str:
        """Open a URL and do what the pages ask for, until a redirect leads elsewhere.

        Args:
            url: Absolute URL, such as that of an authorization request or a logout.

        Returns:
            The target of the first redirect that leaves, exactly as it was sent and not fetched.

        Raises:
            PersonError: A page says no, or asks for what the person does not have.
        """
        return await self._walk(url, cancel=False)

    async def cancel(self, url: str) -> str:
        """Open a URL, and press the first button that gives up.

        Cognito's own login page has no such button; `Behaviour(cancel_button=True)` adds one, as other providers have.

        Args:
            url: Absolute URL of an authorization request.

        Returns:
            The target of the first redirect that leaves.

        Raises:
            PersonError: No page has the button.
        """
        return await self._walk(url, cancel=True)

    async def _walk(self, url: str, *, cancel: bool) -> str:
        async with self._open_client() as client:
            own, client.cookies = client.cookies, self._cookies
            try:
                return await self._browse(client, url, cancel=cancel)
            finally:
                self._cookies, client.cookies = client.cookies, own

    async def _browse(self, client: httpx.AsyncClient, url: str, *, cancel: bool) -> str:
        submitted: set[tuple[str, ...]] = set()
        answer = await client.get(url, follow_redirects=False)
        for _ in range(_MAX_STEPS):
            if answer.status_code in _REDIRECTS and "location" in answer.headers:
                location = answer.headers["location"]
                target = location if urlsplit(location).scheme else urljoin(str(answer.url), location)
                if not self._serves(target) and not _same_origin(url, target):
                    return target
                answer = await client.get(target, follow_redirects=False)
                continue
            page = _read_page(answer)
            step = page.button("cancel") if cancel else self._next_step(page)
            if cancel and step is None:
                raise PersonError(page.title, "there is no button to cancel with", answer.status_code)
            if step is None or answer.status_code >= _FIRST_ERROR or step.identity in submitted:
                raise PersonError(page.title, page.alert or page.text, answer.status_code)
            submitted.add(step.identity)
            target = urljoin(str(answer.url), step.action)
            if step.method == "get":
                answer = await client.get(target.partition("?")[0], params=step.values, follow_redirects=False)
            else:
                answer = await client.post(target, data=step.values, follow_redirects=False)
        raise PersonError("redirect loop", f"no end after {_MAX_STEPS} steps", answer.status_code)

    def _next_step(self, page: _Page) -> _Step | None:
        """Return what a person would do with a page: change a password, choose a provider, or sign in."""
        renewal = page.form_with("new-password")
        if renewal is not None and page.form_with("current-password") is None:
            return renewal.filled_in(self.username, self._new_password) if self._new_password is not None else None
        if self.provider is not None and (choice := page.button("identity_provider", self.provider)) is not None:
            return choice
        form = page.form_to_sign_in()
        return form.filled_in(self.username, self._password) if form is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A form as it is sent."""

    action: str
    method: str
    values: dict[str, str]

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes two steps the same: where it is sent and which fields it has."""
        return (self.action.partition("?")[0], *self.values)


@dataclass(slots=True)
class _Form:
    """A form of a page: where it is sent, its fields as (name, type, value, autocomplete), its buttons."""

    action: str
    method: str
    fields: list[tuple[str, str, str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def has(self, kind: str) -> bool:
        return any(kind in {each, autocomplete} for _, each, _, autocomplete in self.fields)

    def filled_in(self, username: str, password: str) -> _Step:
        answers = {"password": password, "text": username, "email": username}
        values = {name: answers.get(kind, value) for name, kind, value, _ in self.fields}
        return _Step(action=self.action, method=self.method, values=values)

    def pressed(self, name: str, value: str) -> _Step:
        values = {each: given for each, kind, given, _ in self.fields if kind == "hidden"}
        return _Step(action=self.action, method=self.method, values=values | {name: value})


@dataclass(frozen=True, slots=True)
class _Page:
    title: str
    alert: str
    text: str
    forms: tuple[_Form, ...]

    def form_with(self, kind: str) -> _Form | None:
        return next((form for form in self.forms if form.has(kind)), None)

    def form_to_sign_in(self) -> _Form | None:
        return self.form_with("password")

    def button(self, name: str, value: str | None = None) -> _Step | None:
        """Return the form as a button of this name, and of this value if one is given, sends it."""
        for form in self.forms:
            for own_name, own_value in form.buttons:
                if own_name == name and value in {None, own_value}:
                    return form.pressed(own_name, own_value)
        return None


class _PageParser(HTMLParser):
    """Collects the forms, the title, the alert and the text of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[_Form] = []
        self.texts: dict[str, list[str]] = {"title": [], "alert": [], "text": []}
        self._open: list[tuple[str, str]] = []
        self._form: _Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = _Form(values.get("action", ""), values.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag == "button" and self._form is not None and values.get("name"):
            self._form.buttons.append((values["name"], values.get("value", "")))
        elif tag == "input":
            if self._form is not None and values.get("name"):
                kind, value = values.get("type", "text").lower(), values.get("value", "")
                self._form.fields.append((values["name"], kind, value, values.get("autocomplete", "")))
        elif tag == "title":
            self._open.append((tag, "title"))
        elif values.get("role") == "alert":
            self._open.append((tag, "alert"))
        elif tag in _SILENT_ELEMENTS:
            self._open.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if self._open and self._open[-1][0] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        where = self._open[-1][1] if self._open else "text"
        if where:
            self.texts[where].append(data)


def _read_page(answer: httpx.Response) -> _Page:
    parser = _PageParser()
    if "html" in answer.headers.get("content-type", ""):
        parser.feed(answer.text)
        parser.close()
    title, alert, text = (
        " ".join(" ".join(parser.texts[kind]).split())[:_MAX_TEXT] for kind in ("title", "alert", "text")
    )
    return _Page(title, alert, text, tuple(parser.forms))


def _same_origin(url: str, other: str) -> bool:
    """Tell whether two absolute URLs have scheme, host and port in common."""
    first, second = urlsplit(url), urlsplit(other)
    return (first.scheme, first.netloc.lower()) == (second.scheme, second.netloc.lower())
