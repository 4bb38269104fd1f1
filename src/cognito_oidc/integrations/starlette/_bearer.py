"""Bearer tokens: whose request this is, and the answer where that cannot be said.

Decides how a request carries its token and what a refusal looks like. Decides nothing about the token; that is the
verifier's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, BaseUser
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import JSONResponse

from cognito_oidc import MultiPoolVerifier, TokenVerifier, parse_bearer_token
from cognito_oidc.errors import CognitoOidcError, ConfigurationError, MissingTokenError, TokenVerificationError, shown
from cognito_oidc.protocol.claims import Requirements, check_requirements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import HTTPConnection
    from starlette.responses import Response

    from cognito_oidc import AccessTokenClaims

_NOT_KEPT: Final = {"Cache-Control": "no-store"}


class BearerUser(BaseUser):
    """Who sent the request: `request.user` where a token was verified.

    Attributes:
        claims: What the access token says.
    """

    __slots__ = ("claims",)

    def __init__(self, claims: AccessTokenClaims) -> None:
        self.claims: AccessTokenClaims = claims

    def __repr__(self) -> str:
        return f"BearerUser({self.claims!r})"

    @property
    def is_authenticated(self) -> bool:
        """True."""
        return True

    @property
    def display_name(self) -> str:
        """The user name, or the app client of a machine token."""
        return self.claims.username or self.claims.client_id

    @property
    def identity(self) -> str:
        """The `sub`."""
        return self.claims.sub


class BearerBackend(AuthenticationBackend):
    """Verifies the access token of every request that carries one.

    `request.user` is then a `BearerUser`, and `request.auth.scopes` are `authenticated` and the token's scopes. A
    request without a token goes on as nobody's; `require_token` refuses it where somebody is needed. A token that must
    not be trusted is answered 401, and 503 where nothing can be said about it, whatever was asked for.

    Examples:
        `Starlette(routes=[...], middleware=[BearerBackend(verifier).middleware])`
    """

    def __init__(self, verifier: TokenVerifier | MultiPoolVerifier, *, resource: str | None = None) -> None:
        """Keep the verifier.

        Args:
            verifier: Verifies access tokens, of one pool or several.
            resource: The resource server the tokens must be bound to, instead of the verifier's own.

        Raises:
            ConfigurationError: `verifier` is neither; a `SyncTokenVerifier` would block the event loop.
        """
        if not isinstance(verifier, TokenVerifier | MultiPoolVerifier):
            msg = f"BearerBackend needs a TokenVerifier or a MultiPoolVerifier, got {type(verifier).__name__}."
            raise ConfigurationError(msg)
        self._verifier = verifier
        self._resource = resource

    @property
    def middleware(self) -> Middleware:
        """The middleware to give to the application: Starlette's own, with this backend and its refusals."""
        return Middleware(AuthenticationMiddleware, backend=self, on_error=refuse)

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BearerUser] | None:
        """Return who sent a request; None where it carries no bearer token.

        Raises:
            AuthenticationError: The token must not be trusted, or nothing can be said about it; `refuse` answers.
        """
        try:
            token = parse_bearer_token(conn.headers.getlist("authorization"))
            claims = await self._verifier.verify_access_token(token, resource=self._resource)
        except MissingTokenError:
            return None
        except CognitoOidcError as error:
            raise _RefusedError(error) from error
        return AuthCredentials(["authenticated", *claims.scopes]), BearerUser(claims)


class _RefusedError(AuthenticationError):
    """A request that goes no further, for an error of ours."""

    def __init__(self, error: CognitoOidcError) -> None:
        super().__init__(str(error))
        self.error = error


def refuse(conn: HTTPConnection, error: AuthenticationError) -> Response:
    """Answer a request that `BearerBackend` refused: 400, 401 or 503, with `WWW-Authenticate` or `Retry-After`."""
    if not isinstance(error, _RefusedError):  # another backend's
        return AuthenticationMiddleware.default_on_error(conn, error)
    ours = error.error
    return JSONResponse({"error": ours.code}, ours.http_status, {**_NOT_KEPT, **ours.response_headers()})


def require_token(
    conn: HTTPConnection,
    *,
    scopes: Iterable[str] = (),
    any_of_scopes: Iterable[str] = (),
    groups: Iterable[str] = (),
    any_of_groups: Iterable[str] = (),
) -> AccessTokenClaims:
    """Return the claims of the token that a request carries.

    Args:
        conn: The request, or the WebSocket before it is accepted.
        scopes: Scopes that must all be there.
        any_of_scopes: Scopes of which one must be there.
        groups: Groups that must all be there.
        any_of_groups: Groups of which one must be there.

    Raises:
        HTTPException: 401 where there is no token, 403 where it lacks a scope or a group, with `WWW-Authenticate`.
        ConfigurationError: A text was given instead of several, or the application lacks `BearerBackend.middleware`.

    Source: RFC 6750 section 3.
    """
    wanted = Requirements(_names(scopes), _names(any_of_scopes), _names(groups), _names(any_of_groups))
    if "user" not in conn.scope:
        msg = "require_token: add BearerBackend(verifier).middleware to the application's middleware."
        raise ConfigurationError(msg)
    user: object = conn.user
    try:
        if not isinstance(user, BearerUser):
            raise MissingTokenError("The request brings no bearer token.")
        check_requirements(user.claims, wanted)
    except TokenVerificationError as error:
        headers = {**_NOT_KEPT, **error.response_headers()}
        raise HTTPException(error.http_status, str(error), headers) from error
    return user.claims


def _names(several: Iterable[str]) -> tuple[str, ...]:
    if isinstance(several, str):
        msg = f"require_token: expected several names, got one text: write [{shown(several)}]."
        raise ConfigurationError(msg)
    return tuple(several)
