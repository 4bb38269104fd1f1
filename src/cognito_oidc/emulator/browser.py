"""What a browser meets: authorize, the login page, logout, the error page.

Decides who is signed in, and when a person must sign in again.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/managed-login-endpoints.html and
    .../cognito-user-pools-managed-login.html
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from cognito_oidc.emulator import accounts, authorization, federation, pages, sessions
from cognito_oidc.emulator.app_clients import LOCAL_USERS
from cognito_oidc.emulator.authorization import RefusedError, find_client, judge, redirect, to_error_page
from cognito_oidc.emulator.pages import LoginLinks

if TYPE_CHECKING:
    from starlette.responses import Response

    from cognito_oidc.emulator.addresses import Errand, Incoming
    from cognito_oidc.emulator.authorization import Demand
    from cognito_oidc.emulator.ledger import BrowserSession
    from cognito_oidc.emulator.users import EmulatedUser

# What `/logout` hands on to the login page, as its documentation lists it.
# Source: https://docs.aws.amazon.com/cognito/latest/developerguide/logout-endpoint.html
_LOGOUT_PARAMETERS: Final = ("client_id", "redirect_uri", "response_type", "scope", "state", "nonce")
_PKCE_PARAMETERS: Final = ("code_challenge", "code_challenge_method")


def authorize(incoming: Incoming) -> Response | Errand:
    """Answer `GET /oauth2/authorize`: on to the application, to an external provider, or to the login page."""
    try:
        demand = judge(incoming)
    except RefusedError as refused:
        return refused.response
    now = incoming.pool.surroundings.clock()
    session = sessions.find(incoming, now)
    asks_again = demand.prompt & {"login", "select_account"} or _asks_provider_again(incoming, demand)
    if session is not None and demand.accepts(session, now) and not asks_again:
        return authorization.complete(incoming, demand, session, now)
    if "none" in demand.prompt:
        return demand.back.send({"error": "login_required", "state": demand.state})
    if demand.provider not in {None, LOCAL_USERS}:
        return federation.depart(incoming, demand)
    return redirect(_login_url(incoming))


def login_page(incoming: Incoming) -> Response | Errand:
    """Answer `GET /login` with the form."""
    try:
        demand = judge(incoming)
    except RefusedError as refused:
        return refused.response
    if demand.provider not in {None, LOCAL_USERS}:
        return federation.depart(incoming, demand)
    return _form(incoming, demand, username=incoming.query.get("login_hint", ""), problem=None)


def login(incoming: Incoming) -> Response:
    """Answer `POST /login`: sign the person in, or show the form again."""
    try:
        sessions.check_form(incoming)
        demand = judge(incoming)
    except RefusedError as refused:
        return refused.response
    now = incoming.pool.surroundings.clock()
    if "continue" in incoming.form:
        session = _session_to_offer(incoming, demand, now)
        if session is None:
            return _form(incoming, demand, username="", problem=None)
        return authorization.complete(incoming, demand, session, now)
    if "cancel" in incoming.form and incoming.pool.surroundings.behaviour.cancel_button:
        return demand.refusal("access_denied", "User cancelled the sign-in")
    if not demand.takes_passwords:
        return _form(incoming, demand, username="", problem=None)
    if "new_password" in incoming.form:
        return accounts.change_password(incoming, demand)
    username = incoming.form.get("username", "")
    user = incoming.pool.users.get(username)
    if user is None or not _has_password(user, incoming.form.get("password", "")):
        return _form(incoming, demand, username=username, problem="incorrect")
    return _sign_in(incoming, demand, user)


def _sign_in(incoming: Incoming, demand: Demand, user: EmulatedUser) -> Response:
    """Sign a person in whose password was right, as far as their account allows it."""
    if not user.enabled:
        return _form(incoming, demand, username=user.username, problem="disabled")
    match user.status:
        case "FORCE_CHANGE_PASSWORD":
            return accounts.change_page(incoming, user)
        case "UNCONFIRMED":
            return accounts.confirm_page(incoming, user, problem="not_confirmed")
        case "RESET_REQUIRED":
            return _form(incoming, demand, username=user.username, problem="reset_required")
        case _:
            context = sessions.password_context(incoming)
            return sessions.sign_in(incoming, demand, user, provider=LOCAL_USERS, context=context)


def logout(incoming: Incoming) -> Response:
    """Answer `GET /logout`, in both its forms; the session ends even where the parameters are wrong."""
    try:
        response = _after_logout(incoming)
    except RefusedError as refused:
        response = refused.response
    return sessions.end(incoming, response)


def error_page(incoming: Incoming) -> Response:
    """Answer `GET /error`."""
    return pages.error(incoming, incoming.query.get("error", ""), status=400)


def _after_logout(incoming: Incoming) -> Response:
    client = find_client(incoming)
    logout_uri = incoming.query.get("logout_uri")
    if logout_uri and logout_uri in incoming.registered(client.logout_uris):
        return redirect(logout_uri)
    redirect_uri = incoming.query.get("redirect_uri")
    if logout_uri or not redirect_uri:
        # Also for OpenID Connect's own post_logout_redirect_uri, which Cognito does not know.
        # Source: https://github.com/streamlit/streamlit/issues/14601
        return to_error_page(incoming, pages.missing_text("redirect_uri"))
    if redirect_uri not in incoming.registered(client.redirect_uris):
        return to_error_page(incoming, "redirect_mismatch")
    if not incoming.query.get("response_type"):
        return to_error_page(incoming, pages.missing_text("response_type"))
    keeps_pkce = incoming.pool.surroundings.behaviour.logout_keeps_pkce
    names = (*_LOGOUT_PARAMETERS, *(_PKCE_PARAMETERS if keeps_pkce else ()))
    handed_on = {name: incoming.query[name] for name in names if name in incoming.query}
    return redirect(f"{incoming.place.root}/login?{urlencode(handed_on)}")


def _form(incoming: Incoming, demand: Demand, *, username: str, problem: str | None) -> Response:
    # Who has just tried another account is not offered the first one again.
    offered = None if problem else _session_to_offer(incoming, demand, incoming.pool.surroundings.clock())
    return pages.login(
        incoming,
        action=_login_url(incoming),
        application=demand.client.name,
        username=username,
        problem=problem,
        takes_passwords=demand.takes_passwords,
        providers=demand.client.external_providers if demand.provider is None else (),
        links=LoginLinks(
            chooser=f"{incoming.place.root}/oauth2/authorize",
            forgot=_url(incoming, "forgotPassword"),
            sign_up=_url(incoming, "signup") if incoming.pool.self_sign_up else None,
            can_cancel=incoming.pool.surroundings.behaviour.cancel_button,
        ),
        signed_in_as=offered.user.username if offered is not None else None,
    )


def _asks_provider_again(incoming: Incoming, demand: Demand) -> bool:
    """Tell whether a provider that the request names is asked although there is a session from it."""
    named = bool(incoming.query.get("identity_provider") or incoming.query.get("idp_identifier"))
    ask = incoming.pool.surroundings.behaviour.session_with_identity_provider == "ask"
    return ask and named and demand.provider != LOCAL_USERS and "none" not in demand.prompt


def _has_password(user: EmulatedUser, password: str) -> bool:
    return user.password is not None and hmac.compare_digest(user.password.encode(), password.encode())


def _session_to_offer(incoming: Incoming, demand: Demand, now: float) -> BrowserSession | None:
    """Return the session that the login page may offer to go on with."""
    session = sessions.find(incoming, now)
    return session if demand.accepts(session, now) and "login" not in demand.prompt else None


def _login_url(incoming: Incoming) -> str:
    return _url(incoming, "login")


def _url(incoming: Incoming, page: str) -> str:
    return f"{incoming.place.root}/{page}?{urlencode(incoming.query)}"
