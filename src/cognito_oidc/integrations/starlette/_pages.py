"""What a person is told when a login or a logout does not work, unless the application tells it itself.

Decides the words. They hold nothing that came with a request, and nothing that a server sent.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal

from starlette.responses import HTMLResponse

from cognito_oidc.errors import AuthorizationDeniedError, CallbackError, CognitoOidcError, InvalidGrantError

if TYPE_CHECKING:
    from starlette.responses import Response

LoginProblemReason = Literal[
    "already_used",
    "code_refused",
    "cookie_missing",
    "cookie_unreadable",
    "denied",
    "failed",
    "foreign_logout",
    "request_expired",
    "unavailable",
    "unknown_state",
    "unusable_callback",
]

_TEXTS: Final[dict[LoginProblemReason, tuple[int, str, str]]] = {
    "already_used": (400, "Nothing to do", "This sign-in was finished before; it cannot be used a second time."),
    "code_refused": (400, "Sign in again", "This sign-in was used before, or took more than five minutes."),
    "cookie_missing": (
        400,
        "Sign in again",
        "Your browser did not send the cookie of this sign-in. It may block them, or the sign-in was begun long ago.",
    ),
    "cookie_unreadable": (400, "Sign in again", "The cookie of this sign-in cannot be read any more."),
    "denied": (403, "Not signed in", "The sign-in was cancelled or refused."),
    "failed": (502, "Sign-in does not work", "The sign-in service answered in a way that cannot be used."),
    "foreign_logout": (403, "Still signed in", "The request to sign out did not come from a page of this application."),
    "request_expired": (400, "Sign in again", "This sign-in took too long."),
    "unavailable": (503, "Please try again", "The sign-in service does not answer now. You have not been signed out."),
    "unknown_state": (
        400,
        "Sign in again",
        "This sign-in was not begun in this browser, or too many others were.",
    ),
    "unusable_callback": (400, "Sign in again", "The answer to this sign-in cannot be used."),
}
_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{margin:0;min-height:100vh;display:grid;place-content:center;padding:1.5rem;"
    "font:1rem/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}"
    "main{max-width:34rem}h1{font-size:1.5rem;line-height:1.25;margin:0}a{color:LinkText;font-weight:600}"
)
_PAGE: Final = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    "<title>{title}</title><style>{style}</style></head>"
    '<body><main><h1>{title}</h1><p>{text}</p><p><a href="{href}">{link}</a></p></main></body></html>\n'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginProblem:
    """Why a login, a logout or the look at a session did not work, for a page of the application's own.

    Attributes:
        reason: A stable string: `already_used`, `code_refused`, `cookie_missing`, `cookie_unreadable`, `denied`,
            `failed`, `foreign_logout`, `request_expired`, `unavailable`, `unknown_state` or `unusable_callback`.
        status: The HTTP status to answer with.
        title: A few English words.
        text: An English sentence or two for the person; nothing in it came with a request.
        href: A path of this application to go on at.
        retry_after: Seconds to wait before that, where known.
        error: What went wrong, for the log: its text and `explain()` hold no secret. None where nothing was raised.
    """

    reason: LoginProblemReason
    status: int
    title: str
    text: str
    href: str
    retry_after: float | None = None
    error: CognitoOidcError | None = field(default=None, repr=False)


def problem_of(reason: LoginProblemReason, *, href: str, error: CognitoOidcError | None = None) -> LoginProblem:
    """Return the problem with its words."""
    status, title, text = _TEXTS[reason]
    retry_after = None if error is None else error.retry_after
    return LoginProblem(
        reason=reason,
        status=status,
        title=title,
        text=text,
        href=href,
        retry_after=retry_after,
        error=error,
    )


def reason_of(error: CognitoOidcError) -> LoginProblemReason:
    """Return the reason that an error is."""
    if isinstance(error, AuthorizationDeniedError):
        return "denied"
    if isinstance(error, CallbackError):
        return _CALLBACK_REASONS.get(error.reason, "unusable_callback")
    if isinstance(error, InvalidGrantError):
        return "code_refused"
    return "unavailable" if error.http_status == HTTPStatus.SERVICE_UNAVAILABLE else "failed"


_CALLBACK_REASONS: Final[dict[str, LoginProblemReason]] = {
    "already_used": "already_used",
    "foreign_issuer": "unknown_state",
    "foreign_request": "unknown_state",
    "request_expired": "request_expired",
    "state_mismatch": "unknown_state",
    "unreadable_request": "cookie_unreadable",
}


def page_of(problem: LoginProblem) -> Response:
    """Return a page that says a problem: accessible, without scripts, and closed to everything from elsewhere."""
    link = "Go on" if problem.reason in {"already_used", "foreign_logout", "unavailable"} else "Sign in"
    digest = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
    text = _PAGE.format(
        title=escape(problem.title), text=escape(problem.text), href=escape(problem.href), link=link, style=_STYLE
    )
    headers = {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",  # the address of a callback holds its code
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(text, status_code=problem.status, headers=headers)
