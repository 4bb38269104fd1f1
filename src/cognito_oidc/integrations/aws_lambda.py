"""API Gateway's Lambda authorizers: an event in, the answer that API Gateway wants out.

Decides how a verifier's verdict is told to API Gateway, which knows an allow, a deny, the word "Unauthorized" and
everything else, which is an error of ours. Decides nothing about the token; that is the verifier's.

With keys in hand (`SyncTokenVerifier(..., jwks=path)`) nothing is fetched, and neither an HTTP library nor an event
loop is imported: a cold start pays for the verification alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from cognito_oidc import parse_bearer_token
from cognito_oidc.errors import BearerUsageError, ConfigurationError, InsufficientScopeError, TokenVerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cognito_oidc import AccessTokenClaims, SyncTokenVerifier

    Context = Mapping[str, str | float | bool]

__all__ = ["UnauthorizedError", "authorize_http_api", "authorize_rest_api"]

_NOBODY: Final = "unauthorized"  # a principalId must be there, and what a refused token says of itself is not believed
_ARN_PARTS: Final = 6


class UnauthorizedError(Exception):
    """What makes API Gateway answer 401: it knows the exception by its message. `__cause__` is the library's error.

    Source: AWS, "Use API Gateway Lambda authorizers".
    """

    def __init__(self) -> None:
        super().__init__("Unauthorized")


def authorize_rest_api(
    event: Mapping[str, object],
    verifier: SyncTokenVerifier,
    *,
    required_scopes: Iterable[str] = (),
    any_of_scopes: Iterable[str] = (),
    required_groups: Iterable[str] = (),
    any_of_groups: Iterable[str] = (),
    resource: str | None = None,
    context: Callable[[AccessTokenClaims], Context] | None = None,
) -> dict[str, object]:
    """Return the policy for a request to a REST API or a WebSocket API, from a `TOKEN` or a `REQUEST` event.

    The policy is about the whole stage, since API Gateway keeps it and asks it about other methods as well: what is
    required here must be required by every method that has this authorizer.

    Args:
        event: What API Gateway sends. The token is in `authorizationToken`, or in the `Authorization` header.
        verifier: What judges the token; made once, outside of the handler.
        required_scopes: Scopes that must all be there.
        any_of_scopes: Scopes of which one must be there.
        required_groups: Groups that must all be there.
        any_of_groups: Groups of which one must be there.
        resource: The resource server the token must be bound to, instead of the verifier's own.
        context: Returns what the backend gets beside the claims: strings, numbers and booleans.

    Returns:
        An allow, or a deny (403) for a good token that lacks a scope or a group.

    Raises:
        UnauthorizedError: The token must not be trusted, or there is none (401).
        KeysUnavailableError: The keys cannot be had: API Gateway answers 500 and keeps nothing.
        UnknownKeyError: The token's key may not be looked for right now; the same.
        ConfigurationError: This is no such event, or `context` returned something else; the same.

    Source: AWS, "Input to an API Gateway Lambda authorizer", "Output from an API Gateway Lambda authorizer".
    """
    stage = _stage_of(event, "methodArn")
    try:
        claims = verifier.verify_access_token(
            parse_bearer_token(_authorization_of(event)),
            required_scopes=required_scopes,
            any_of_scopes=any_of_scopes,
            required_groups=required_groups,
            any_of_groups=any_of_groups,
            resource=resource,
        )
    except InsufficientScopeError:
        return _policy("Deny", stage, _NOBODY, {})
    except (BearerUsageError, TokenVerificationError) as error:
        if error.retryable:
            raise
        raise UnauthorizedError from error
    return _policy("Allow", stage, claims.sub, _context_of(claims, context))


def authorize_http_api(
    event: Mapping[str, object],
    verifier: SyncTokenVerifier,
    *,
    simple_response: bool = True,
    required_scopes: Iterable[str] = (),
    any_of_scopes: Iterable[str] = (),
    required_groups: Iterable[str] = (),
    any_of_groups: Iterable[str] = (),
    resource: str | None = None,
    context: Callable[[AccessTokenClaims], Context] | None = None,
) -> dict[str, object]:
    """Return the answer for a request to an HTTP API, whose payload format is 2.0 or 1.0.

    Args:
        event: What API Gateway sends. The token is in the `Authorization` header.
        verifier: What judges the token; made once, outside of the handler.
        simple_response: Whether simple responses are enabled for the authorizer. Format 1.0 has none: its answer is a
            policy whatever is said here.
        required_scopes: Scopes that must all be there.
        any_of_scopes: Scopes of which one must be there.
        required_groups: Groups that must all be there.
        any_of_groups: Groups of which one must be there.
        resource: The resource server the token must be bound to, instead of the verifier's own.
        context: Returns what the backend gets beside the claims: strings, numbers and booleans.

    Returns:
        An allow, or a deny (403) for whatever is not good enough. API Gateway itself answers 401 where the header is
        one of the authorizer's identity sources and missing.

    Raises:
        KeysUnavailableError: The keys cannot be had: API Gateway answers 500 and keeps nothing.
        UnknownKeyError: The token's key may not be looked for right now; the same.
        ConfigurationError: This is no such event, or `context` returned something else; the same.

    Source: AWS, "Control access to HTTP APIs with AWS Lambda authorizers".
    """
    is_format_1 = event.get("version") == "1.0"
    stage = _stage_of(event, "methodArn" if is_format_1 else "routeArn")
    allowed, principal, told = False, _NOBODY, {}
    try:
        claims = verifier.verify_access_token(
            parse_bearer_token(_authorization_of(event)),
            required_scopes=required_scopes,
            any_of_scopes=any_of_scopes,
            required_groups=required_groups,
            any_of_groups=any_of_groups,
            resource=resource,
        )
    except (BearerUsageError, TokenVerificationError) as error:
        if error.retryable:
            raise
    else:
        allowed, principal, told = True, claims.sub, _context_of(claims, context)
    if simple_response and not is_format_1:
        return {"isAuthorized": allowed, "context": told}
    return _policy("Allow" if allowed else "Deny", stage, principal, told)


def _authorization_of(event: Mapping[str, object]) -> list[str]:
    """Return every value of the `Authorization` header, whose name is in any case."""
    if event.get("type") == "TOKEN":
        token = event.get("authorizationToken")
        return [token] if isinstance(token, str) else []
    several, single = event.get("multiValueHeaders"), event.get("headers")
    values: list[object] = []
    for name, value in {**_members(single), **_members(several)}.items():
        if name.lower() == "authorization":
            values += value if isinstance(value, list) else [value]
    return [value for value in values if isinstance(value, str)]


def _members(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _stage_of(event: Mapping[str, object], member: str) -> str:
    """Return the ARN of all methods of the stage that a request was made to; the rest of its path is the caller's.

    Raises:
        ConfigurationError: There is none.
    """
    arn = event.get(member)
    parts = arn.split(":", _ARN_PARTS - 1) if isinstance(arn, str) else []
    api, _, rest = parts[-1].partition("/") if len(parts) == _ARN_PARTS else ("", "", "")
    stage, slash, _ = rest.partition("/")
    if not api or not slash:
        raise ConfigurationError(
            f"The event has no {member} of a method: expected what API Gateway sends to a Lambda authorizer of this "
            "kind, and its payload format."
        )
    return f"{':'.join(parts[:-1])}:{api}/{stage}/*"


def _policy(effect: str, methods: str, principal: str, context: dict[str, object]) -> dict[str, object]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": methods}
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": context,
    }


def _context_of(claims: AccessTokenClaims, more: Callable[[AccessTokenClaims], Context] | None) -> dict[str, object]:
    """Return what the backend gets: the claims that have no structure, and the groups as JSON text.

    Raises:
        ConfigurationError: A value of the caller's is none that API Gateway takes.
    """
    told: dict[str, object] = {
        "sub": claims.sub,
        "iss": claims.iss,
        "client_id": claims.client_id,
        "scope": " ".join(claims.scopes),
        "groups": json.dumps(claims.groups),
        "exp": claims.exp,
    }
    if claims.username is not None:
        told["username"] = claims.username
    if more is not None:
        told.update(more(claims))
    for name, value in told.items():
        if not isinstance(value, str | int | float | bool):
            raise ConfigurationError(
                f"context: {name} is a value of type {type(value).__name__}; API Gateway takes strings, numbers and "
                "booleans, so write JSON text."
            )
    return told
