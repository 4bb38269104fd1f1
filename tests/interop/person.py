"""A person at a browser: follows redirects, keeps cookies, fills in forms."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

_STEPS: Final = 20


class _Page(HTMLParser):
    """The forms of a page with their fields, and its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[tuple[dict[str, str], dict[str, str]]] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a form, a field of the last form, a button that has a value, or a link."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((given, {}))
        elif tag == "a":
            self.links.append(given.get("href", ""))
        elif tag in {"input", "button"} and self.forms and given.get("name"):
            fields = self.forms[-1][1]
            if tag == "input" or given["name"] not in fields:  # the first of several buttons
                fields[given["name"]] = given.get("value", "")


class Person:
    """Goes where a URL leads until it leads to one that is not to be fetched."""

    def __init__(self, knows: Mapping[str, str]) -> None:
        """Open a browser.

        Args:
            knows: What to fill in, by the names of fields.
        """
        self._knows = knows
        self._browser = httpx.Client(trust_env=False, timeout=10)

    def follow(self, url: str, *, until: str, deny: bool = False) -> str:
        """Return the first URL that begins with `until`, which is not fetched.

        Args:
            url: Where to begin.
            until: What the wanted URL begins with.
            deny: Say no at the first page that asks.
        """
        answer = self._browser.get(url)
        for _ in range(_STEPS):
            if answer.is_redirect:
                target = urljoin(str(answer.url), answer.headers["location"])
                if target.startswith(until):
                    return target
                answer = self._browser.get(target)
            else:
                assert answer.status_code in {200, 201}, f"{answer.status_code} at {answer.url.path}"
                answer = self._answer_to(answer, deny=deny)
        msg = f"after {_STEPS} steps still at {answer.url.path}"
        raise AssertionError(msg)

    def _answer_to(self, answer: httpx.Response, *, deny: bool) -> httpx.Response:
        """Fill in the first form of a page, or say no in the way the page offers."""
        page = _Page(answer.text)
        if deny:
            aborts = [link for link in page.links if link.endswith("/abort")]
            if aborts:
                return self._browser.get(urljoin(str(answer.url), aborts[0]))
        wanted = [form for form in page.forms if (form[1].get("action") == "deny") == deny]
        assert wanted, f"no form at {answer.url.path}"
        attributes, fields = wanted[0]
        filled = {name: self._knows.get(name, value) for name, value in fields.items()}
        return self._browser.post(urljoin(str(answer.url), attributes.get("action", "")), data=filled)

    def close(self) -> None:
        """Close the browser."""
        self._browser.close()
