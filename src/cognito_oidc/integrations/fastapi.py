"""FastAPI: the access token of a request as typed claims, and the pool in the OpenAPI document.

Decides how a verifier's verdict becomes FastAPI's answer, and what the document says of the pool. Decides nothing about
the token; that is the verifier's.
"""

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, Final, NamedTuple

try:
    from fastapi import HTTPException
    from fastapi.openapi.models import HTTPBearer, OAuthFlowAuthorizationCode, OAuthFlows
    from fastapi.openapi.models import OAuth2 as OAuth2Scheme
    from fastapi.openapi.models import SecurityBase as SecurityScheme
    from fastapi.security import OAuth2, SecurityScopes
    from starlette.requests import HTTPConnection
except ImportError as _missing:
    raise ImportError(
        f"cognito_oidc.integrations.fastapi needs {_missing.name}: install the extra with "
        "`pip install 'cognito-oidc[fastapi]'`",
        name=_missing.name,
    ) from _missing

from cognito_oidc import AccessTokenClaims, MultiPoolVerifier, TokenVerifier, UserPool, parse_bearer_token
from cognito_oidc.errors import (
    BearerUsageError,
    ConfigurationError,
    KeysUnavailableError,
    MissingTokenError,
    TokenVerificationError,
    shown,
)

__all__ = ["AccessTokenBearer"]

_SCHEME_NAME: Final = "Cognito"
_REFUSALS: Final = (
    (400, "WWW-Authenticate", "There are several Authorization headers"),
    (401, "WWW-Authenticate", "There is no access token, or it must not be trusted"),
    (403, "WWW-Authenticate", "The access token lacks a scope or a group"),
    (503, "Retry-After", "Nobody can tell whether the access token is good: the keys cannot be had now"),
)


class _Requirements(NamedTuple):
    """What a token needs beside the scopes that FastAPI knows of."""

    any_of_scopes: tuple[str, ...] = ()
    required_groups: tuple[str, ...] = ()
    any_of_groups: tuple[str, ...] = ()
    resource: str | None = None


class AccessTokenBearer(OAuth2):  # of all schemes, older versions of FastAPI show the scopes of these alone
    """A security dependency that gives the claims of the access token in the `Authorization` header.

    ```python
    access_token = AccessTokenBearer(verifier)
    Caller = Annotated[AccessTokenClaims, Security(access_token, scopes=["orders/read"])]
    ```

    The scopes of `Security`, and those of the dependencies and routers around it, must all be in the token. A request
    that is refused ends as FastAPI's `HTTPException`: 401 or 403 with the challenge of RFC 6750, 400 for several
    headers, 503 with `Retry-After` while the keys cannot be had. Its `detail` is the error's `code`, its `__cause__`
    the error.

    Attributes:
        model: The security scheme, as the document has it.
        scheme_name: Its name there.
        auto_error: Whether a request without a token is refused.
    """

    model: SecurityScheme
    scheme_name: str
    auto_error: bool

    def __init__(
        self,
        verifier: TokenVerifier | MultiPoolVerifier,
        *,
        scopes: Mapping[str, str] | None = None,
        pool: UserPool | None = None,
        scheme_name: str = _SCHEME_NAME,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        """Configure the dependency and its security scheme.

        Args:
            verifier: What judges the tokens. Whoever made it enters it as a context manager, if at all.
            scopes: What Swagger UI offers to ask for: scope to description.
            pool: The pool whose login the document shows; the verifier's own, if it is of one pool. With a domain it is
                shown as OAuth 2.0 with the authorization code flow, without one as a bearer token.
            scheme_name: The name of the scheme in the document; two pools need two.
            description: What the document says of it, in Markdown.
            auto_error: False lets requests without a token pass, with None for claims. A token that is refused stays an
                error.

        Raises:
            ConfigurationError: `verifier` is another thing; a `SyncTokenVerifier` would block the event loop.
        """
        if not isinstance(verifier, TokenVerifier | MultiPoolVerifier):
            raise ConfigurationError(
                f"AccessTokenBearer needs a TokenVerifier or a MultiPoolVerifier, got {type(verifier).__name__}."
            )
        self._verifier = verifier
        self._pool = pool or (verifier.pool if isinstance(verifier, TokenVerifier) else None)
        self._required = _Requirements()
        super().__init__(scheme_name=scheme_name, auto_error=auto_error)
        self.model = _scheme_of(self._pool, dict(scopes or {}), description)

    def requiring(
        self,
        *,
        any_of_scopes: Iterable[str] | None = None,
        required_groups: Iterable[str] | None = None,
        any_of_groups: Iterable[str] | None = None,
        resource: str | None = None,
    ) -> "AccessTokenBearer":
        """Return this dependency, in the document the same, for tokens that also have these.

        Args:
            any_of_scopes: Scopes of which one must be there.
            required_groups: Groups that must all be there.
            any_of_groups: Groups of which one must be there.
            resource: The resource server the token must be bound to, instead of the verifier's own.

        Raises:
            ConfigurationError: They are no names, or none, which would require nothing; or this dependency requires
                others of the kind already.
        """
        given = {"any_of_scopes": any_of_scopes, "required_groups": required_groups, "any_of_groups": any_of_groups}
        more: dict[str, Any] = {what: _names(what, names) for what, names in given.items() if names is not None}
        if resource is not None:
            more["resource"] = resource
        empty = [what for what, value in more.items() if not value]
        if empty:
            raise ConfigurationError(f"requiring() is given no {', '.join(empty)}, so that any token would do.")
        twice = [what for what in more if getattr(self._required, what)]
        if twice:
            raise ConfigurationError(f"requiring() is given {', '.join(twice)} again: name all of them at once.")
        stricter = copy(self)
        vars(stricter)["_required"] = self._required._replace(**more)
        return stricter

    async def __call__(  # type: ignore[override]  # FastAPI calls it by the names of its parameters
        self, connection: HTTPConnection, security_scopes: SecurityScopes
    ) -> AccessTokenClaims | None:
        """Return the claims of the request's token; called by FastAPI.

        Raises:
            HTTPException: It is refused, or nobody can tell.
        """
        required = self._required
        try:
            return await self._verifier.verify_access_token(
                parse_bearer_token(connection.headers.getlist("Authorization")),
                required_scopes=tuple(security_scopes.scopes),
                any_of_scopes=required.any_of_scopes,
                required_groups=required.required_groups,
                any_of_groups=required.any_of_groups,
                resource=required.resource,
            )
        except MissingTokenError as error:
            if not self.auto_error:
                return None
            raise _refusal(error) from error
        except (BearerUsageError, TokenVerificationError, KeysUnavailableError) as error:
            raise _refusal(error) from error

    @property
    def responses(self) -> dict[int | str, dict[str, object]]:
        """What `FastAPI(responses=...)`, a router or an endpoint takes, so that the document has the refusals too."""
        schema = {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]}
        return {
            status: {
                "description": description,
                "headers": {header: {"schema": {"type": "string"}}},
                "content": {"application/json": {"schema": schema}},
            }
            for status, header, description in _REFUSALS
        }

    def swagger_ui_init_oauth(self, client_id: str, *, scopes: Iterable[str] = ()) -> dict[str, object]:
        """Return what `FastAPI(swagger_ui_init_oauth=...)` takes, so that Swagger UI signs in with PKCE.

        The app client is a public one, without a secret, which a page could not keep. `/docs/oauth2-redirect` of the
        API is one of its callback URLs.

        Args:
            client_id: The app client that people sign in with.
            scopes: Scopes that are ticked from the beginning.

        Raises:
            ConfigurationError: There is no login to show: the pool has no domain, or there are several and no `pool=`.
        """
        if self._pool is None:
            raise ConfigurationError("Of several pools, name the one that Swagger UI signs in at: pool=.")
        self._pool.metadata.require("authorization_endpoint")
        return {
            "clientId": client_id,
            "scopes": " ".join(_names("scopes", scopes)),
            "usePkceWithAuthorizationCodeGrant": True,
        }


def _scheme_of(pool: UserPool | None, scopes: dict[str, str], description: str | None) -> OAuth2Scheme | HTTPBearer:
    """Return the security scheme of the document.

    Source: OpenAPI Specification 3.1.0 section 4.8.27.
    """
    metadata = None if pool is None else pool.metadata
    if metadata is None or metadata.authorization_endpoint is None or metadata.token_endpoint is None:
        return HTTPBearer(bearerFormat="JWT", description=description)
    flow = OAuthFlowAuthorizationCode(
        authorizationUrl=metadata.authorization_endpoint,
        tokenUrl=metadata.token_endpoint,
        refreshUrl=metadata.token_endpoint,
        scopes=scopes,
    )
    return OAuth2Scheme(flows=OAuthFlows(authorizationCode=flow), description=description)


def _refusal(error: BearerUsageError | TokenVerificationError | KeysUnavailableError) -> HTTPException:
    return HTTPException(error.http_status, detail=error.code, headers=error.response_headers())


def _names(what: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return names as the verifier takes them; found at start, one text is the mistake of forgetting the brackets."""
    if isinstance(names, str):
        raise ConfigurationError(f"{what}: expected several names, got one text: write [{shown(names, limit=60)}].")
    return tuple(names)
