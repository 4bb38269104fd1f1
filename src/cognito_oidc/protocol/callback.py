"""The front channel, homeward: which callback answers an authorization request.

Decides whether a callback may be used, and is the only place that makes an `AuthorizationCode`. Judges the query
alone, never the callback's scheme, host or path: proxies change those, and nothing secret depends on them.
"""

from __future__ import annotations

import contextlib
import hmac
import re
from itertools import islice
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import parse_qsl

from cognito_oidc._frozen import Frozen
from cognito_oidc.errors import (
    AuthorizationDeniedError,
    CallbackError,
    ConfigurationError,
    StateMismatchError,
    clean_error_code,
    clean_server_text,
    shown,
)
from cognito_oidc.protocol.authorization import AuthorizationRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    Callback = str | Mapping[str, str] | Mapping[str, Sequence[str]] | Iterable[tuple[str, str]]

_MAX_CALLBACK: Final = 64 * 1024
_MAX_PARAMETERS: Final = 100
_ONCE: Final = ("code", "state", "iss", "error", "error_description")
# RFC 6749 appendix A.11 (VSCHAR) without the space; Cognito's codes are UUIDs.
_CODE: Final = r"[\x21-\x7e]{1,4096}"
_CLOCK_TOLERANCE: Final = 60.0

# Causes by error code, likeliest first. Source: wire sheet 2.1 (errors), 8 (messages users meet).
_CAUSES: Final[dict[str, tuple[str, ...]]] = {
    "access_denied": (
        "The person pressed Cancel at the identity provider, or the provider does not let this person in.",
    ),
    "login_required": (
        "prompt=none was sent and there is no browser session (they last one hour): send the request without prompt.",
    ),
    "interaction_required": (
        "prompt=none was sent and the person would have to do something: send the request without prompt.",
    ),
    "invalid_scope": (
        "The app client does not have one of the scopes asked for: compare them with the client's allowed scopes.",
        "A custom scope is written without its resource server's identifier: it is '{identifier}/{name}'.",
    ),
    "unauthorized_client": ("The authorization code grant is not switched on for this app client.",),
    "invalid_request": (
        "A scope is not allowed for this app client (Cognito sometimes says so in error_description only).",
        "The upstream identity provider failed or refused: error_description names it.",
        "A required attribute is not mapped or not delivered by the identity provider, or a mapped one is immutable.",
        "A Lambda trigger of the pool raised an error: its text is in error_description.",
    ),
    "server_error": (
        "Cognito or the identity provider had an internal error: try again.",
        "The SAML answer of the identity provider could not be processed: error_description says why.",
    ),
}
_TOO_LATE: Final = (
    "The person took longer to log in than max_request_age allows, or came back to an old page.",
    "The clocks of the machines that made the request and received the callback differ.",
)
_NO_CODE: Final = (
    "The query was lost or cut on the way: a proxy, a router or a middleware dropped parameters.",
    "Somebody opened the callback address by hand.",
)


class AuthorizationCode(Frozen):
    """A code together with the request it answers. Only `parse_callback` makes one.

    Attributes:
        code: The code; single use, good for five minutes. A secret.
        request: The request it answers.
    """

    __slots__ = ("code", "request")
    _hidden = frozenset({"code"})

    code: str
    request: AuthorizationRequest

    def __init__(self, *_: object, **__: object) -> None:
        """Refuse: what was not checked is no AuthorizationCode."""
        msg = "An AuthorizationCode comes from parse_callback, which checks the callback first."
        raise TypeError(msg)


def peek_state(callback: Callback) -> str | None:
    """Return the `state` of a callback, unchecked, to find the stored request by; None where there is none.

    Raises:
        CallbackError: The callback cannot be read, or holds more than one state.
    """
    return _read_parameters(callback).get("state")


def parse_callback(
    callback: Callback,
    request: AuthorizationRequest,
    *,
    now: float,
    max_request_age: float,
    client_id: str,
    issuers: Collection[str],
) -> AuthorizationCode:
    """Return the code of a callback that answers `request`.

    Args:
        callback: The URL the browser came back with, or its query as a string, a mapping or pairs.
        request: The request that was stored when the browser left.
        now: Epoch seconds UTC.
        max_request_age: Seconds a request may be old.
        client_id: The app client that is asking now; the request must be its own.
        issuers: The issuers of the pool that is asked now; the request must be one of theirs.

    Raises:
        StateMismatchError: The callback, or the request, belongs to something else, or there is no request.
        AuthorizationDeniedError: The callback, which is this request's, says no.
        CallbackError: It cannot be used: unreadable, twice the same parameter, no code, or too late.
        ConfigurationError: `request` is no authorization request.

    Source: RFC 6749 sections 4.1.2 and 10.12; RFC 9207 section 2.4; OpenID Connect Core 1.0 section 3.1.2.7.
    """
    if request is None:
        msg = "There is no stored request for this callback: start the login again."
        raise StateMismatchError(msg, reason="missing_request")
    if not isinstance(request, AuthorizationRequest):
        msg = f"request: expected an AuthorizationRequest, got {type(request).__name__}; unseal a sealed one first."
        raise ConfigurationError(msg)
    if request.client_id != client_id or request.issuer not in issuers:
        msg = (
            f"The stored request is of app client {shown(request.client_id)} at {shown(request.issuer)}, not of this "
            "client: keep the requests of different clients apart."
        )
        raise StateMismatchError(msg, reason="foreign_request")
    given = _read_parameters(callback)
    _check_state(given.get("state"), request)
    if (iss := given.get("iss")) is not None and iss not in issuers:
        msg = f"The callback says it comes from issuer {shown(iss)}, expected {shown(request.issuer)}."
        raise StateMismatchError(msg, reason="foreign_issuer")
    code, error = given.get("code"), given.get("error")
    if error is not None:
        if code is not None:
            msg = "The callback holds an error and a code; an honest server sends one of them."
            raise CallbackError(msg, reason="error_and_code")
        raise _denied(error, given.get("error_description"))
    age = now - request.created_at
    if not -_CLOCK_TOLERANCE <= age <= max_request_age:
        problem = f"is {age:.0f} s old, more than {max_request_age:.0f}" if age > 0 else "was made in the future"
        msg = f"The authorization request {problem}: start the login again."
        raise CallbackError(msg, reason="request_expired", causes=_TOO_LATE)
    if code is None:
        msg = "The callback holds neither a code nor an error: start the login again."
        raise CallbackError(msg, reason="missing_code", causes=_NO_CODE)
    if re.fullmatch(_CODE, code) is None:
        msg = "The callback's code is empty, too long or holds characters no code has."
        raise CallbackError(msg, reason="malformed_code")
    return AuthorizationCode._from_fields({"code": code, "request": request})  # noqa: SLF001 - the one maker


def _check_state(state: str | None, request: AuthorizationRequest) -> None:
    if state is None:
        msg = "The callback holds no state: it answers no request, or its query was lost on the way."
        raise StateMismatchError(msg, reason="missing_state")
    if not hmac.compare_digest(state.encode("utf-8", "surrogatepass"), request.state.encode("utf-8")):
        msg = "The callback's state is not that of this request."
        raise StateMismatchError(msg, reason="state_mismatch")


def _denied(error: str, description: str | None) -> AuthorizationDeniedError:
    name = clean_error_code(error) or "unknown_error"
    text = clean_server_text(description)
    msg = f"The login was refused: {name}{f' ({text})' if text else ''}."
    return AuthorizationDeniedError(msg, error=name, description=text, causes=_CAUSES.get(name, ()))


def _read_parameters(callback: Callback) -> dict[str, str]:
    """Return the parameters of a callback; those of the protocol are there at most once, and are text."""
    found: dict[str, str] = {}
    for number, (name, value) in enumerate(_pairs(callback)):
        if number == _MAX_PARAMETERS:
            raise _unreadable(f"it holds more than {_MAX_PARAMETERS} parameters")
        if not isinstance(name, str) or not isinstance(value, str):
            who = shown(name, limit=40) if isinstance(name, str) else "the name of a parameter"
            what = type(value if isinstance(name, str) else name).__name__
            raise _unreadable(f"{who} is of type {what}; every parameter is a str, and one that is absent is left out")
        if name in found and name in _ONCE:
            msg = f"The callback holds {name!r} more than once, which no honest server sends: start the login again."
            raise CallbackError(msg, reason="duplicate_parameter")
        found[name] = value
    return found


def _pairs(callback: Callback) -> list[tuple[object, object]]:
    """Return the pairs of a callback in whatever form it came; a name with several values is there several times."""
    if isinstance(callback, str):
        return _parse_url(callback)
    # multi_items: QueryParams of Starlette and httpx. lists: Django's QueryDict and Werkzeug's MultiDict, whose items()
    # would hide what came twice.
    views = (getattr(callback, name, None) for name in ("multi_items", "lists", "items"))
    view = cast("Callable[[], object] | None", next(filter(callable, views), None))
    with contextlib.suppress(TypeError, ValueError):
        members = cast("Iterable[tuple[object, object]]", callback if view is None else view())
        return [
            (name, one)
            for name, value in islice(members, _MAX_PARAMETERS + 1)
            for one in (islice(value, _MAX_PARAMETERS + 1) if isinstance(value, list | tuple) else (value,))
        ]
    # Here, where no error is being handled any more, for it may hold the code.
    raise _unreadable("pass its URL as a str, a mapping of its query, or pairs of name and value")


def _parse_url(url: str) -> list[tuple[object, object]]:
    """Return the pairs of a URL's query; of a bare query as well."""
    if len(url) > _MAX_CALLBACK:
        raise _unreadable(f"it is longer than {_MAX_CALLBACK} characters")
    text, _, fragment = url.partition("#")
    path, mark, query = text.partition("?")
    # A query may hold '?' and '://' itself (RFC 3986 section 3.4), but nothing else begins with a name and '='.
    if re.match(r"[^=/?:]+=", text) or not (mark or ":" in path or "/" in path):
        query = text
    pairs, problem = _parse_query(query)
    if problem:  # raised here, where no error is being handled any more: it holds the query, code and all
        raise _unreadable(problem)
    answer = r"(?:^|&)(?:code|state|error)="
    if re.search(answer, fragment) and not re.search(answer, query):
        msg = (
            "The callback's answer stands in the fragment (after '#'), which is the implicit flow's place: "
            "only the code flow, with its answer in the query, is supported."
        )
        raise CallbackError(msg, reason="answer_in_fragment")
    return list(pairs)


def _parse_query(query: str) -> tuple[list[tuple[str, str]], str]:
    """Return the pairs, and what is wrong with the query, or an empty text."""
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS), ""
    except UnicodeDecodeError:
        return [], "its query is not UTF-8"
    except ValueError:
        return [], f"it holds more than {_MAX_PARAMETERS} parameters"


def _unreadable(problem: str) -> CallbackError:
    return CallbackError(f"The callback cannot be read: {problem}.", reason="unreadable_callback")
