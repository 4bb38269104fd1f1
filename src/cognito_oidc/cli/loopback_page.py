"""The page that the browser shows when it came back: how it went, and that it can be closed.

Decides what it looks like. It loads nothing, runs nothing, and repeats nothing that the browser sent.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from typing import Final

_STYLE: Final = """
:root { color-scheme: light dark; --page: #f4f5f7; --card: #fff; --text: #1b1f24; --soft: #59636e; --line: #d8dee4;
  --mark: #1a7f37; }
@media (prefers-color-scheme: dark) { :root { --page: #0d1117; --card: #161b22; --text: #f0f3f6; --soft: #9da7b3;
  --line: #30363d; --mark: #3fb950; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--page);
  color: var(--text); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { width: 100%; max-width: 26rem; padding: 2.5rem 2rem; text-align: center; background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem; box-shadow: 0 1px 3px rgb(0 0 0 / .08); }
svg { width: 3.5rem; height: 3.5rem; fill: none; stroke: var(--mark); stroke-width: 3; stroke-linecap: round;
  stroke-linejoin: round; }
.bad { --mark: #b35900; }
@media (prefers-color-scheme: dark) { .bad { --mark: #e3954a; } }
h1 { margin: 1rem 0 .5rem; font-size: 1.375rem; line-height: 1.3; }
p { margin: 0; color: var(--soft); }
h1, p { overflow-wrap: anywhere; text-wrap: balance; }
"""
_DIGEST: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()
_MARKS: Final = {True: "M14 24.5l7 7 13.5-15", False: "M24 13v14M24 33.5v.5"}

POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The value of `Content-Security-Policy` that goes with the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is said.

    Attributes:
        heading: In a few words, as text.
        text: In a sentence, as text; may be empty.
        good: Whether it went well.
    """

    heading: str
    text: str = ""
    good: bool = True

    def html(self) -> str:
        """Return the whole document."""
        text = f"<p>{escape(self.text)}</p>" if self.text else ""
        tone = "" if self.good else ' class="bad"'
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.heading)}</title><style>{_STYLE}</style></head>"
            f'<body><main{tone}><svg viewBox="0 0 48 48" aria-hidden="true"><circle cx="24" cy="24" r="21"/>'
            f'<path d="{_MARKS[self.good]}"/></svg><h1>{escape(self.heading)}</h1>{text}</main></body></html>\n'
        )
