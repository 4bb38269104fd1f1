"""Starlette: bearer tokens for APIs, and login for server-rendered applications.

`BearerBackend` verifies the access token of each request, for Starlette's own `AuthenticationMiddleware`.
`CognitoLogin` logs people in: the routes `/login`, `/callback` and `/logout`, and who is signed in.
Needs the extra `starlette`. Works in whatever is built on Starlette as well.
"""

from __future__ import annotations

try:
    import starlette as _starlette  # noqa: F401 - only to see whether the extra is installed
except ImportError as _missing:
    raise ImportError(
        "cognito_oidc.integrations.starlette needs starlette: install the extra with "
        "`pip install 'cognito-oidc[starlette]'`",
        name=_missing.name,
    ) from _missing

from cognito_oidc.integrations.starlette._bearer import BearerBackend, BearerUser, require_token
from cognito_oidc.integrations.starlette._login import CognitoLogin
from cognito_oidc.integrations.starlette._pages import LoginProblem
from cognito_oidc.integrations.starlette._session import LoginSession

__all__ = ["BearerBackend", "BearerUser", "CognitoLogin", "LoginProblem", "LoginSession", "require_token"]
