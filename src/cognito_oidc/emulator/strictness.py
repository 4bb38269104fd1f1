"""Parameters that Cognito does not know, and would ignore in silence.

Decides which they are. A program that sends one believes in something that does not happen: OpenID Connect's own logout
parameters are the classic.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-userpools-server-contract-reference.html, the
    page of each endpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_oidc.emulator import pages
from cognito_oidc.emulator.oauth import json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from cognito_oidc.emulator.addresses import Incoming

_AUTHORIZATION: Final = frozenset(
    {
        "acr_values",
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "identity_provider",
        "idp_identifier",
        "lang",
        "login_hint",
        "max_age",
        "nonce",
        "prompt",
        "redirect_uri",
        "resource",
        "response_type",
        "scope",
        "state",
    },
)
_CLIENT: Final = frozenset({"grant_type", "client_id", "client_secret"})
_GRANTS: Final = {
    "authorization_code": _CLIENT | {"code", "redirect_uri", "code_verifier"},
    "refresh_token": _CLIENT | {"refresh_token"},
    "client_credentials": _CLIENT | {"scope", "aws_client_metadata"},
}
_QUERIES: Final = {
    "authorize": _AUTHORIZATION,
    "login": _AUTHORIZATION,
    "signup": _AUTHORIZATION,
    "confirm": _AUTHORIZATION,
    "resendcode": _AUTHORIZATION,
    "forgot_password": _AUTHORIZATION,
    "reset_password": _AUTHORIZATION,
    "token": frozenset[str](),
    "revoke": frozenset[str](),
    "userinfo": frozenset[str](),
    "discovery": frozenset[str](),
    "jwks": frozenset[str](),
}
_LOGOUT: Final = frozenset(
    {"client_id", "logout_uri", "redirect_uri", "response_type", "scope", "state", "nonce", "lang"}
)
_REVOKE: Final = frozenset({"token", "client_id", "client_secret"})


def ignored_parameters(endpoint: str, incoming: Incoming) -> tuple[str, ...]:
    """Return the names of the parameters that Cognito would ignore, in alphabetical order."""
    query, form = incoming.query, incoming.form
    ignored: set[str] = set()
    if endpoint == "logout":
        # With logout_uri every other parameter is ignored: https://github.com/awsdocs/amazon-cognito-developer-guide/issues/15
        ignored.update(set(query) - ({"client_id", "logout_uri"} if "logout_uri" in query else _LOGOUT))
    elif endpoint in _QUERIES:
        ignored.update(set(query) - _QUERIES[endpoint])
    if endpoint == "token":
        ignored.update(set(form) - _known_to_grant(form))
    elif endpoint == "revoke":
        ignored.update(set(form) - _REVOKE)
    elif endpoint == "userinfo":
        ignored.update(form)
    return tuple(sorted(ignored))


def refusal(incoming: Incoming, endpoint: str, ignored: tuple[str, ...]) -> Response:
    """Return the error of strict mode, which Cognito does not have."""
    text = f"strict mode: Cognito would ignore {', '.join(ignored)}"
    if endpoint in {"token", "revoke", "userinfo", "discovery", "jwks"}:
        return json_answer({"error": "invalid_request", "error_description": text}, status=400)
    return pages.error(incoming, text, status=400)


def _known_to_grant(form: Mapping[str, str]) -> frozenset[str]:
    """Return what the grant takes; of an unknown one nothing is said, since it is refused anyway."""
    return _GRANTS.get(form.get("grant_type", ""), frozenset(form))
