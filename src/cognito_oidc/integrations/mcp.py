"""The MCP Python SDK: a user pool as the authorization server of an MCP server.

Decides how a verifier's verdict reads for the SDK, and what the server publishes about itself. Decides nothing about
the token; that is the verifier's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

try:
    from mcp.server.auth.provider import AccessToken
    from mcp.server.auth.settings import AuthSettings
except ImportError as _missing:
    raise ImportError(
        f"cognito_oidc.integrations.mcp needs {_missing.name}: install the extra with "
        "`pip install 'cognito-oidc[mcp]'`",
        name=_missing.name,
    ) from _missing

from pydantic import ValidationError

from cognito_oidc import TokenVerifier, parse_bearer_token
from cognito_oidc.errors import BearerUsageError, CognitoOidcError, ConfigurationError, TokenVerificationError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from cognito_oidc import MultiPoolVerifier, UserPool

__all__ = ["McpTokenVerifier", "StrictBearerMiddleware"]

_HTTP: Final = "http"


class McpTokenVerifier:
    """The `token_verifier` of an MCP server: Cognito's access tokens for this server, and no others.

    ```python
    tokens = McpTokenVerifier(verifier, resource="https://mcp.example.com/mcp")
    server = MCPServer("orders", token_verifier=tokens, auth=tokens.auth_settings(required_scopes=["orders/read"]))
    ```
    """

    def __init__(
        self, verifier: TokenVerifier | MultiPoolVerifier, *, resource: str | None, pool: UserPool | None = None
    ) -> None:
        """Configure the verifier of an MCP server.

        Args:
            verifier: What judges the tokens: that they are access tokens, and of which app clients.
            resource: The URL of the MCP server, absolute and as its clients write it. MCP clients ask for tokens that
                are bound to it, and others are refused. None, which must be written, takes tokens that are bound to
                nothing, and any other server that takes those may then use them here.
            pool: The pool that clients are sent to; the verifier's own, if it is of one pool.

        Raises:
            ConfigurationError: `resource` is no URL, or would be published in another form, which no token has.

        Source: MCP, "Authorization"; RFC 8707 section 2.
        """
        self._verifier = verifier
        self._resource = resource
        self._pool = pool or (verifier.pool if isinstance(verifier, TokenVerifier) else None)
        if resource is not None:
            published = _published(resource)
            if published != resource:
                raise ConfigurationError(
                    f"resource={shown(resource)} would be published as {shown(published)}, and tokens are bound to "
                    "that: write it so."
                )

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return what the SDK wants to know about a token, or None where it must not be trusted.

        Raises:
            KeysUnavailableError: The keys cannot be had, so nothing can be said.
            UnknownKeyError: The token's key may not be looked for right now; the same.
        """
        try:
            claims = await self._verifier.verify_access_token(token, resource=self._resource)
        except TokenVerificationError as error:
            if error.retryable:
                raise
            return None
        return AccessToken(
            token=token,
            client_id=claims.client_id,
            scopes=list(claims.scopes),
            expires_at=int(claims.exp),
            resource=claims.aud,
            subject=claims.sub,
            claims=dict(claims.raw),
        )

    def auth_settings(self, *, required_scopes: Iterable[str] = ()) -> AuthSettings:
        """Return the `auth` of the same server: what it publishes, and which scopes every request needs.

        The protected-resource metadata then names this server and the pool's issuer, under which clients find the
        pool's endpoints.

        Args:
            required_scopes: Scopes that a token must have, all of them; clients read there what to ask for.

        Raises:
            ConfigurationError: There is no `resource`, or there are several pools and no `pool=`.

        Source: RFC 9728 section 2.
        """
        if self._resource is None:
            raise ConfigurationError("Metadata of a protected resource needs the URL of this server: resource=.")
        if self._pool is None:
            raise ConfigurationError("Of several pools, name the one that clients are sent to: pool=.")
        return _settings(self._pool.issuer, self._resource, list(required_scopes))


class StrictBearerMiddleware:
    """Answers as an API should where the SDK does not.

    Several `Authorization` headers are 400, where it would take the first; a token that nothing can be said about is
    503 with `Retry-After`, where it would answer 500.

    ```python
    app = server.streamable_http_app()
    app.add_middleware(StrictBearerMiddleware)
    ```
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != _HTTP:
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_on(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            _check_headers(scope)
            await self._app(scope, receive, send_on)
        except CognitoOidcError as error:
            if has_begun or not (error.retryable or isinstance(error, BearerUsageError)):
                raise
            headers = [(name.lower().encode(), value.encode()) for name, value in error.response_headers().items()]
            await send({"type": "http.response.start", "status": error.http_status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})


def _check_headers(scope: Scope) -> None:
    """Refuse several tokens.

    Raises:
        BearerUsageError: There is more than one header.
    """
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
    if len(values) > 1:
        parse_bearer_token(values)


def _settings(issuer: str, resource: str, required_scopes: list[str]) -> AuthSettings:
    return AuthSettings.model_validate(  # from texts: an AnyHttpUrl made before would have got a slash at its end
        {
            "issuer_url": issuer,
            "resource_server_url": resource,
            "required_scopes": required_scopes,
            "validate_token_resource": True,
        }
    )


def _published(resource: str) -> str:
    """Return a URL as the SDK publishes it, and its clients read it.

    Raises:
        ConfigurationError: It is none.
    """
    try:
        return str(_settings(resource, resource, []).resource_server_url)
    except ValidationError:
        raise ConfigurationError(f"resource={shown(resource)} is no absolute http(s) URL.") from None
