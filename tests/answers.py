"""Answers of a server, and any Python value at all, for the tests of the protocol's parsers."""

from __future__ import annotations

import json
from typing import Final

from hypothesis import strategies as st

from cognito_oidc.protocol.wire import HttpResponse

JSON: Final = "application/json;charset=UTF-8"
HTML: Final = "text/html; charset=utf-8"
REQUEST_ID: Final = "6f1c3a52-8c0e-4d0b-9a43-5a0d8f6f1c3a"


def answer(body: object = b"", *, status: int = 200, content_type: str | None = JSON, **headers: str) -> HttpResponse:
    """Return an answer: bytes as they are, anything else as JSON; header names with underscores for hyphens."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = {} if content_type is None else {"content-type": content_type}
    return HttpResponse(status=status, headers={**kind, **named}, body=content)


def json_values() -> st.SearchStrategy[object]:
    """Any JSON value, small."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    )


def anything() -> st.SearchStrategy[object]:
    """What a careless caller could pass: JSON, bytes, texts with lone surrogates, huge numbers, objects, sets, types."""
    odd = st.sampled_from([
        float("nan"), float("inf"), -0.0, 10**5000, b"", b"\xff", bytearray(b"x"), "\ud800", "\x00", "\u202e", "a" * 70_000,
        (), set(), frozenset({"a"}), {1: 2}, {"code": None}, [("code",)], [[]], object(), object, Ellipsis, print, 1j,
    ])  # fmt: skip
    text = st.text(st.characters(), max_size=40)
    pairs = st.lists(st.tuples(text, text), max_size=4)
    return st.one_of(odd, json_values(), st.binary(max_size=40), text, pairs, st.dictionaries(text, text, max_size=4))


def answers() -> st.SearchStrategy[HttpResponse]:
    """Any answer: any status, any of the content types that matter, JSON or any bytes."""
    bodies = st.one_of(st.binary(max_size=80), json_values().map(lambda value: json.dumps(value).encode()))
    kinds = st.sampled_from([JSON, HTML, "application/problem+json", "", "\x00", "application/json, text/html"])
    names = st.sampled_from(["www-authenticate", "retry-after", "x-amz-cognito-request-id", "x-other"])
    return st.builds(
        lambda status, kind, headers, body: HttpResponse(
            status=status, headers={**headers, "content-type": kind}, body=body
        ),
        st.sampled_from([200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 405, 429, 500, 503]),
        kinds,
        st.dictionaries(names, st.text(max_size=40), max_size=3),
        bodies,
    )
