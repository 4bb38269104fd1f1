"""Where a person may be sent after a login: to a path of this application, and nowhere else.

Decides which text is such a path. Whoever can make a person follow a link to `/login` chooses that text, and would
choose a site of their own.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

MAX_LENGTH: Final = 512
"""Characters a return address may have: it travels in a cookie."""

_ROUNDS: Final = 4  # decodings, by whatever stands on the way
# What a browser, a proxy or a framework could take for the beginning of a host: two slashes of either kind. Source:
# WHATWG URL, "relative slash state": for https a backslash is a slash, and tabs and line breaks are not there at all.
_OTHER_HOST: Final = r"/[/\\]"
_DOT_SEGMENT: Final = r"/\.{1,2}(?:/|$)"
_KEPT: Final = "/?&=%:@!$'()*+,;~-._"  # RFC 3986: what may stand in a path and a query as it is


def local_address(text: object) -> str | None:
    """Return a path of this host, with its query, as it can stand in `Location`; None where the text is none.

    Args:
        text: What came with a request. `/orders?page=2` is one. `//evil.example` is none, with backslashes and in any
            encoding; `https:...` is none, nor is what holds a control character, a fragment or a dot segment.

    Source: RFC 9700 section 4.11; WHATWG URL.
    """
    if not isinstance(text, str) or not 0 < len(text) <= MAX_LENGTH or not text.startswith("/"):
        return None
    if not text.isprintable() or re.search(r"[\\#]", text):
        return None
    form = text.partition("?")[0]
    for _ in range(_ROUNDS):
        if re.match(_OTHER_HOST, form) or re.search(_DOT_SEGMENT, form) or "\\" in form or not form.isprintable():
            return None
        form, before = unquote(form), form
        if form == before:
            return quote(text, safe=_KEPT)
    return None  # encoded more often than any honest address
