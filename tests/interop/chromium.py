"""A real browser: Debian's Chromium, headless, with an empty profile, told by tests what a person would do."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.interop.process import node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.interop.process import Process

# What reaches for the network or asks questions at a first start is off.
_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
)
_PATIENCE: Final = 20_000  # milliseconds for one order, on a busy machine
_SCREENSHOTS: Final = "COGNITO_OIDC_SCREENSHOTS"
_SIZES: Final = {"phone": (390, 760), "desktop": (1280, 800)}


def executable() -> str | None:
    """Return where Chromium is, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Chromium:
    """A browser with one tab.

    Attributes:
        has_scripts: Whether JavaScript is on.
        version: Chromium's version.
    """

    def __init__(self, process: Process, *, has_scripts: bool) -> None:
        self._process = process
        self.has_scripts = has_scripts
        self.version = process.hear()["version"]

    def order(self, what: str, **details: object) -> Any:  # noqa: ANN401 - whatever JSON the answer is
        """Have one thing done, and return what came of it."""
        self._process.say(do=what, **details)
        answer = self._process.hear()
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def open(self, url: str) -> None:
        """Go to a page."""
        self.order("open", url=url)

    def fill(self, fields: Mapping[str, str]) -> None:
        """Fill in fields, by their labels."""
        for label, value in fields.items():
            self.order("fill", label=label, value=value)

    def type(self, *keys: str) -> None:
        """Type into whatever has the focus; `Tab` is the key."""
        for text in keys:
            self.order("tab") if text == "Tab" else self.order("type", text=text)

    def press(self, name: str, *, then: str) -> None:
        """Press a button, a link or the key Enter, and wait for the page that it leads to.

        Args:
            name: What stands on it.
            then: The heading of that page.
        """
        self.order("press", name=name)
        self.order("wait", heading=then)

    @property
    def url(self) -> str:
        """Where the browser is."""
        url: str = self.order("look")["url"]
        return url

    @property
    def text(self) -> str:
        """What the page says."""
        text: str = self.order("look")["text"]
        return text

    def inspect(self) -> None:
        """Hold the page against axe-core's rules, light and dark, and at a phone's width, where nothing may scroll."""
        for dark in (False, True):
            self.order("dark", on=dark)
            found = self.order("axe")
            assert found["violations"] == [], f"{found['violations']} at {self.url}"
            assert found["passes"] > 5
        self.order("dark", on=False)
        self._resize("phone")
        wide = self.order("wide")
        self._resize("desktop")
        assert not wide, f"too wide for a phone: {self.url}"

    def shoot(self, name: str) -> None:
        """Write a picture at each width to the folder that the environment names, if it names one."""
        folder = os.environ.get(_SCREENSHOTS)
        if folder:
            for size in _SIZES:
                self._resize(size)
                scale = "css" if size == "desktop" else "device"  # a phone has twice the pixels
                self.order("shoot", path=str(Path(folder).absolute() / f"{name}-{size}.png"), scale=scale)
            self._resize("desktop")

    def _resize(self, size: str) -> None:
        width, height = _SIZES[size]
        self.order("size", width=width, height=height)


@contextlib.contextmanager
def started(profile: Path, *, scripts: bool = True, any_certificate: bool = False) -> Iterator[Chromium]:
    """Start a browser and end it with the block.

    Args:
        profile: An empty folder.
        scripts: Whether JavaScript is on.
        any_certificate: Whether it takes certificates that the test made.
    """
    settings = {
        "executable": executable(),
        "flags": (*_FLAGS, *(("--ignore-certificate-errors",) if any_certificate else ())),
        "patience": _PATIENCE,
        "profile": str(profile),
        "scripts": scripts,
    }
    with node("chromium.mjs", **settings) as process:
        browser = Chromium(process, has_scripts=scripts)
        yield browser
        browser.order("end")
