"""The browser's session at a pool's domain: the cookie, and what a sign-in leaves behind.

Decides when a session is enough, and how a person who just signed in is sent on.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-managed-login.html
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from cognito_oidc.emulator import authorization, pages
from cognito_oidc.emulator.authorization import RefusedError
from cognito_oidc.emulator.ledger import SESSION_SECONDS, BrowserSession, Context

if TYPE_CHECKING:
    from starlette.responses import Response

    from cognito_oidc.emulator.addresses import Incoming
    from cognito_oidc.emulator.authorization import Demand
    from cognito_oidc.emulator.users import EmulatedUser

SESSION_COOKIE: Final = "cognito"


def check_form(incoming: Incoming) -> None:
    """Refuse a form that was not sent from one of the pages.

    Raises:
        RefusedError: It does not repeat the value of the XSRF-TOKEN cookie.
    """
    submitted = incoming.form.get("_csrf", "")
    # Without the cookie `csrf_token` is a fresh value, which no form can hold.
    if not hmac.compare_digest(submitted.encode(), incoming.csrf_token.encode()):
        raise RefusedError(pages.error(incoming, "Invalid CSRF token", status=403))


def password_context(incoming: Incoming) -> Context:
    """Return what tokens say of a sign-in by password."""
    return Context(amr=("pwd",), acr=incoming.pool.surroundings.behaviour.password_acr)


def find(incoming: Incoming, now: float) -> BrowserSession | None:
    """Return the session of the browser, if it is still alive."""
    return incoming.pool.ledger.find_session(incoming.cookies.get(SESSION_COOKIE), now)


def sign_in(incoming: Incoming, demand: Demand, user: EmulatedUser, *, provider: str, context: Context) -> Response:
    """Open a session and send the person back to the application."""
    now = incoming.pool.surroundings.clock()
    session = BrowserSession(user=user, created_at=now, provider=provider, context=context)
    response = authorization.complete(incoming, demand, session, now)
    response.set_cookie(
        SESSION_COOKIE,
        incoming.pool.ledger.open_session(session),
        max_age=SESSION_SECONDS,
        path=incoming.place.cookie_path,
        secure=incoming.place.secure,
        httponly=True,
        samesite="lax",
    )
    return response


def end(incoming: Incoming, response: Response) -> Response:
    """End the session and take its cookie back."""
    incoming.pool.ledger.close_session(incoming.cookies.get(SESSION_COOKIE))
    response.delete_cookie(
        SESSION_COOKIE, path=incoming.place.cookie_path, secure=incoming.place.secure, httponly=True, samesite="lax"
    )
    return response
