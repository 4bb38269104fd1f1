"""Logout: the two forms of Cognito's sign-out endpoint, neither of which is OpenID Connect's RP-initiated logout.

Decides which address ends Cognito's session of the browser that is sent there. Decides nothing about tokens: a logout
revokes none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from cognito_oidc.protocol.authorization import check_redirect_uri

if TYPE_CHECKING:
    from cognito_oidc.protocol.authorization import AuthorizationRequest


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


def logout_and_login_url(*, end_session_endpoint: str, request: AuthorizationRequest) -> str:
    """Return the URL that ends Cognito's browser session and shows the login page for `request`.

    Provisional: AWS documents `redirect_uri`, `response_type`, `scope`, `state` and `nonce` for it; whether the PKCE
    challenge, which is sent along, is kept is unconfirmed.

    Source: AWS, "The managed login sign-out endpoint", "Log out and prompt a user to sign in again".
    """
    return f"{end_session_endpoint}?{request.url.partition('?')[2]}"
