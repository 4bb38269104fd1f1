"""Logout: the two forms of Cognito's sign-out endpoint, neither of which is OpenID Connect's RP-initiated logout.

Decides which address ends Cognito's session of the browser that is sent there. Decides nothing about tokens: a logout
revokes none.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

from cognito_oidc.errors import ConfigurationError, shown
from cognito_oidc.protocol.authorization import AuthorizationRequest, check_redirect_uri


def logout_url(*, end_session_endpoint: str, client_id: str, logout_uri: str) -> str:
    """Return the URL that ends Cognito's browser session and goes to `logout_uri`.

    Args:
        end_session_endpoint: Absolute URL.
        client_id: The app client.
        logout_uri: One of the app client's sign-out URLs, exactly as registered. Cognito adds nothing to it.

    Raises:
        ConfigurationError: `logout_uri` could not have been registered.

    Source: AWS, "The managed login sign-out endpoint".
    """
    form = {"client_id": client_id, "logout_uri": check_redirect_uri(logout_uri, what="logout_uri")}
    return f"{end_session_endpoint}?{urlencode(form, quote_via=quote)}"


def logout_and_login_url(*, end_session_endpoint: str, client_id: str, request: AuthorizationRequest) -> str:
    """Return the URL that ends Cognito's browser session and shows the login page for `request`.

    Provisional: AWS documents `redirect_uri`, `response_type`, `scope`, `state` and `nonce` for it; whether the PKCE
    challenge, which is sent along, is kept is unconfirmed.

    Args:
        end_session_endpoint: Absolute URL.
        client_id: The app client.
        request: A request of this app client.

    Raises:
        ConfigurationError: `request` is none, or another app client's.

    Source: AWS, "The managed login sign-out endpoint", "Log out and prompt a user to sign in again".
    """
    if not isinstance(request, AuthorizationRequest):
        msg = f"request: expected an AuthorizationRequest, got {shown(request)}."
        raise ConfigurationError(msg)
    if request.client_id != client_id:
        msg = f"request: it is of app client {shown(request.client_id)}, not of {shown(client_id)}."
        raise ConfigurationError(msg)
    return f"{end_session_endpoint}?{request.url.partition('?')[2]}"
