"""What a refusal of a back-channel endpoint means.

Decides which exception an answer other than the wanted one becomes, and what it probably was. The status never decides
alone: Cognito's vary, and proxies and firewalls answer in between.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

from cognito_oidc.errors import (
    CognitoOidcError,
    InvalidClientError,
    InvalidGrantError,
    OAuthError,
    ProtocolError,
    RateLimitedError,
    TransportError,
    clean_error_code,
    clean_server_text,
)
from cognito_oidc.protocol.wire import parse_json_object

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from cognito_oidc.protocol.wire import Endpoint, HttpResponse

_FORBIDDEN: Final = 403
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_UUID: Final = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_LIFE_OF_A_CODE: Final = 300.0
_SCOPES_OF_ATTRIBUTES: Final = frozenset({"email", "phone", "profile"})
_MAX_RETRY_AFTER: Final = 24 * 3600.0
# Requests whose second sending may do harm: `HttpRequest.repeatable` is False for them.
_USED_UP: Final = frozenset({"authorization_code", "refresh_token", "token_exchange"})

_CAUSES: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("invalid_grant", "authorization_code"): (
        "The code was used before: the callback was loaded twice (reload, prefetch, a double click).",
        "The code is older than five minutes.",
        "The code_verifier is not that of this request: the stored request was replaced by another one.",
        "The code was issued to another app client.",
        "The app client may not read an attribute that a scope implies, such as email_verified with the scope email.",
    ),
    ("invalid_grant", "refresh_token"): (
        "The refresh token expired, was revoked, or the user was signed out, disabled or deleted.",
        "Rotation is on and this token was already replaced: another worker refreshed, or its answer was lost.",
        "The refresh token belongs to another app client.",
        "The app client may not read an attribute that a scope implies.",
    ),
    ("unauthorized_client", "authorization_code"): (
        "The redirect_uri is not, character by character, the one of the authorization request (a trailing slash?).",
        "The authorization code grant is not switched on for this app client.",
    ),
    ("unauthorized_client", "refresh_token"): ("The refresh grant is not available to this app client.",),
    ("unauthorized_client", "client_credentials"): (
        "The client credentials grant is not switched on for this app client; it must be its only grant.",
    ),
    ("invalid_scope", "client_credentials"): (
        "The app client does not have one of the scopes: custom scopes are '{resource server identifier}/{name}'.",
        "The resource server or its scope was deleted.",
    ),
    ("unauthorized_client", "token_exchange"): (
        "The app client lacks ALLOW_TOKEN_EXCHANGE_IMPERSONATION, or with an actor ALLOW_TOKEN_EXCHANGE_DELEGATION.",
    ),
    ("invalid_grant", "token_exchange"): (
        "The subject or actor token expired, was revoked, or is not of the type that was named.",
        "The token is of a provider that the user pool does not know.",
    ),
    ("invalid_request", "token_exchange"): (
        "The subject or actor token is not acceptable: expired, of another type, or of a provider not named.",
        "Cognito names a parameter differently than RFC 8693: the form at the token endpoint is not documented yet.",
    ),
    ("invalid_target", "token_exchange"): (
        "The audience or resource is not one that tokens are issued for: compare it with the pool's resource servers.",
    ),
    ("unsupported_grant_type", "token_exchange"): (
        "The token endpoint does not take token exchange: it is documented for the API operation GetDerivedToken.",
    ),
    ("invalid_request", "revocation"): ("Token revocation is switched off for this app client.",),
    ("invalid_token", "userinfo"): (
        "The access token expired, or was revoked, or the user signed out everywhere.",
        "The token has no openid scope: tokens of API sign-ins never have, others only when it was asked for.",
        "An ID token was sent instead of the access token.",
    ),
    ("insufficient_scope", "userinfo"): (
        "The token has no openid scope: tokens of API sign-ins never have, others only when it was asked for.",
    ),
    ("invalid_request", "userinfo"): ("The access token is malformed: pass tokens.access_token as it was received.",),
    ("unsupported_token_type", "revocation"): ("An access or ID token was given; only refresh tokens are revoked.",),
}
_CAUSES_OF_ANY_GRANT: Final[dict[str, tuple[str, ...]]] = {
    "invalid_client": (
        "The app client has a secret and none was sent: pass client_secret=.",
        "The client secret is wrong, or was deleted (an app client has up to two).",
        "The client id is of another user pool, or was deleted.",
        "The app client has no secret and one was sent: leave client_secret out.",
    ),
    "invalid_request": ("A parameter is missing or malformed; error_description may name it.",),
    "unsupported_grant_type": ("The address is not that of a user pool's token endpoint, or the grant is new to it.",),
}
_CLASSES: Final[dict[str, type[OAuthError]]] = {
    "invalid_grant": InvalidGrantError,
    "invalid_client": InvalidClientError,
}


def parse_oauth_error(
    response: HttpResponse,
    *,
    endpoint: Endpoint,
    grant: str,
    secrets: tuple[str, ...] = (),
    likely: Callable[[str], tuple[str, ...]] | None = None,
) -> CognitoOidcError:
    """Return the exception for an answer that is not the wanted one.

    Args:
        response: The answer.
        endpoint: Who gave it.
        grant: The `grant_type` sent, or the name of the endpoint that takes none.
        secrets: What was sent and must not appear in the exception.
        likely: What an error code probably means, for who knows more than the grant.

    Source: RFC 6749 section 5.2; RFC 6585 section 4; AWS, "The token issuer endpoint", examples of negative responses.
    """
    body = _error_body(response)
    name = clean_error_code(_without(secrets, body.get("error")))
    too_many = response.status == _TOO_MANY
    if not too_many and (name is None or response.status >= _SERVER_ERROR):
        return _no_oauth_answer(response, endpoint, name, grant)
    error = name or "too_many_requests"
    kind = RateLimitedError if too_many else _CLASSES.get(error, OAuthError)
    causes = likely_causes(error, grant) if likely is None else likely(error)
    description = clean_server_text(_without(secrets, body.get("error_description")))
    msg = f"The {endpoint} endpoint refused: {error}{f' ({description})' if description else ''}."
    return kind(
        msg,
        error=error,
        description=description,
        status=response.status,
        request_id=clean_request_id(response.headers, secrets=secrets),
        causes=() if too_many else causes,
        retry_after=parse_retry_after(response.headers),
    )


def says_nothing(response: HttpResponse) -> bool:
    """Tell whether an answer says nothing about what was asked for: a firewall's refusal, a 429, or a fault."""
    return response.status in {_FORBIDDEN, _TOO_MANY} or response.status >= _SERVER_ERROR


def likely_causes(error: str, grant: str) -> tuple[str, ...]:
    """Return what an error code probably means, likeliest first; nothing for one that is not known."""
    return _CAUSES.get((error, grant)) or _CAUSES_OF_ANY_GRANT.get(error, ())


def likely_causes_of_code(error: str, *, request_age: float, scopes: Collection[str]) -> tuple[str, ...]:
    """Return what the refusal of a code probably means, likeliest first, from what is known of its request.

    A code is younger than its request. Only some scopes imply attributes of their own.

    Args:
        error: The error code.
        request_age: Seconds since the authorization request.
        scopes: What it asked for.

    Source: AWS, "The token issuer endpoint", invalid_grant; "The redirect and authorization endpoint" (five minutes).
    """
    causes = likely_causes(error, "authorization_code")
    if error == "invalid_grant":
        used, late, verifier, client, attribute = causes
        attributes = (attribute,) if _SCOPES_OF_ATTRIBUTES.intersection(scopes) else ()
        causes = (late, used) if request_age >= _LIFE_OF_A_CODE else (used,)
        causes = (*causes, *attributes, verifier, client)
    return causes


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header; None where there is none that can be read.

    A date counts from the answer's own Date header: what matters is the server's clock, and there is no other here.

    Source: RFC 9110 sections 5.6.7 and 10.2.3.
    """
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return min(float(value), _MAX_RETRY_AFTER)
    until, now = _http_date(value), _http_date(headers.get("date", ""))
    return None if until is None or now is None else min(max(0.0, until - now), _MAX_RETRY_AFTER)


def _http_date(value: str) -> float | None:
    """Return the epoch seconds of a date in the one form that is still sent (IMF-fixdate)."""
    if (
        re.fullmatch(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [1-9][0-9]{3} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT", value)
        is None
    ):
        return None
    try:
        return parsedate_to_datetime(value).timestamp()
    except ValueError:
        return None


def _error_body(response: HttpResponse) -> dict[str, object]:
    """Return the JSON object of an error answer; empty where there is none."""
    try:
        return parse_json_object(response.body, what="the error") if response.is_json else {}
    except ProtocolError:
        return {}


def clean_request_id(headers: Mapping[str, str], *, secrets: tuple[str, ...] = ()) -> str | None:
    """Return Cognito's id of the exchange, a UUID; a code is one too, so it must be none of the secrets."""
    value = headers.get("x-amz-cognito-request-id", "")
    return value if re.fullmatch(_UUID, value) and value not in secrets else None


def _without(secrets: tuple[str, ...], text: object) -> object:
    """Return text of a server without what was sent to it: as it is, and as it stood in the form."""
    if not isinstance(text, str):
        return text
    forms = {
        form
        for secret in secrets
        for form in (secret, quote_plus(secret), quote(secret), quote(secret, safe=""))
        if form
    }
    if not forms:
        return text
    # The longest first, lest a part of one stays; a server may write the digits of %2b in either case.
    return re.sub(
        "|".join(map(re.escape, sorted(forms, key=len, reverse=True))), "[removed]", text, flags=re.IGNORECASE
    )


def _no_oauth_answer(response: HttpResponse, endpoint: Endpoint, name: str | None, grant: str) -> CognitoOidcError:
    """Return the exception for an answer without an OAuth body, or with one that says no more than the 5xx with it."""
    what = f"no OAuth answer (content type: {response.shown_type})" if name is None else name
    msg = f"The {endpoint} endpoint answered {response.status}: {what}."
    if response.status >= _SERVER_ERROR:
        again = grant not in _USED_UP
        advice = "try again" if again else "what was sent may be used up"
        return TransportError(
            msg,
            sent="yes",
            endpoint=endpoint.value,
            status=response.status,
            retry_after=parse_retry_after(response.headers),
            retryable=again,
            causes=(f"Cognito, or something in front of it, had an internal error: {advice}.",),
        )
    if response.status == _FORBIDDEN:
        return TransportError(
            msg,
            sent="yes",
            endpoint=endpoint.value,
            status=response.status,
            retryable=False,
            causes=(
                "An AWS WAF web ACL of the user pool blocks this address or request: look at its sampled requests.",
                "A proxy between this program and Cognito refused.",
            ),
        )
    return ProtocolError(
        msg,
        causes=(
            "The domain is wrong: the address answers, but it is no Cognito endpoint.",
            "A redirect or a captive portal stands in between; redirects are never followed.",
        ),
    )
