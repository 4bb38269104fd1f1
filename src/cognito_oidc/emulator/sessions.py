"""The browser's session at a pool's domain: the cookie, and what a sign-in leaves behind.

Decides when a session is enough, and how a person who just signed in is sent on.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-managed-login.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_oidc.emulator import authorization
from cognito_oidc.emulator.ledger import SESSION_SECONDS, BrowserSession

if TYPE_CHECKING:
    from starlette.responses import Response

    from cognito_oidc.emulator.addresses import Incoming
    from cognito_oidc.emulator.authorization import Demand
    from cognito_oidc.emulator.ledger import Context
    from cognito_oidc.emulator.users import EmulatedUser

SESSION_COOKIE: Final = "cognito"


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
