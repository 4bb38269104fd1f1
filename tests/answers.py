"""Answers of a server, and any Python value at all, for the tests of the protocol's parsers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from cognito_oidc.errors import CognitoOidcError
from cognito_oidc.protocol.wire import HttpResponse

if TYPE_CHECKING:
    from collections.abc import Callable

JSON: Final = "application/json;charset=UTF-8"
HTML: Final = "text/html; charset=utf-8"
REQUEST_ID: Final = "6f1c3a52-8c0e-4d0b-9a43-5a0d8f6f1c3a"


def answer(body: object = b"", *, status: int = 200, content_type: str | None = JSON, **headers: str) -> HttpResponse:
    """Return an answer: bytes as they are, anything else as JSON; header names with underscores for hyphens."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = {} if content_type is None else {"content-type": content_type}
    return HttpResponse(status=status, headers={**kind, **named}, body=content)


def outcome(call: Callable[[], object]) -> object:
    """Return what a call gives: its value, or the error of ours that it raises. Any other error stays one."""
    try:
        return call()
    except CognitoOidcError as error:
        return error


def _containers(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)


def json_values() -> st.SearchStrategy[object]:
    """Any JSON value, small."""
    numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    return st.recursive(st.none() | st.booleans() | numbers | st.text(), _containers, max_leaves=12)


def anything() -> st.SearchStrategy[object]:
    """What a careless caller could pass: JSON, bytes, lone surrogates, huge numbers, objects, sets, types."""
    odd: list[object] = [float("nan"), float("inf"), -0.0, 10**5000, 1j, b"", b"\xff", bytearray(b"x")]
    odd += ["\ud800", "\x00", "\u202e", "a" * 70_000, (), set(), frozenset({"a"}), {1: 2}, {"code": None}]
    odd += [[("code",)], [[]], object(), object, Ellipsis, print]
    text = st.text(st.characters(), max_size=40)
    pairs = st.lists(st.tuples(text, text), max_size=4) | st.dictionaries(text, text, max_size=4)
    return st.one_of(st.sampled_from(odd), json_values(), st.binary(max_size=40), text, pairs)


def answers() -> st.SearchStrategy[HttpResponse]:
    """Any answer: any status, any of the content types that matter, JSON or any bytes."""
    return st.builds(
        HttpResponse,
        status=st.sampled_from([200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 405, 429, 500, 503]),
        headers=st.fixed_dictionaries(
            {"content-type": st.sampled_from([JSON, HTML, "application/problem+json", "", "\x00", "a/json, b/c"])},
            optional={
                "www-authenticate": st.text(max_size=40) | st.just('error="invalid_token"'),
                "retry-after": st.text(max_size=40) | st.just("5"),
                "x-amz-cognito-request-id": st.text(max_size=40) | st.just(REQUEST_ID),
            },
        ),
        body=st.binary(max_size=80) | json_values().map(lambda value: json.dumps(value).encode()),
    )
