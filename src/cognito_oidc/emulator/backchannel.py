"""UserInfo, revocation, and the documents of the issuer: discovery and the key set.

Decides what a token is still good for, and what is published.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/userinfo-endpoint.html, .../revocation-endpoint.html,
    .../federation-endpoints.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from cognito_oidc.emulator import addresses
from cognito_oidc.emulator.oauth import OAuthRefusalError, authenticated_client, is_form, json_answer, required
from cognito_oidc.emulator.tokens import looks_signed, visible_attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.emulator.addresses import Incoming

_BAD_TOKEN: Final = "Access token is expired, disabled, or deleted, or the user has globally signed out."
_BAD_REQUEST: Final = "Bad OAuth2 request at UserInfo Endpoint"
_NO_OPENID: Final = "Access token does not contain openid scope"


def discovery(incoming: Incoming) -> Response:
    """Answer `GET {issuer}/.well-known/openid-configuration`."""
    place = incoming.place
    if not _serves_this_issuer(incoming):
        return not_understood(incoming)
    return _public_json(addresses.discovery_document(incoming.pool, place.base, place.issuer_type), max_age=None)


def key_set(incoming: Incoming) -> Response:
    """Answer `GET {issuer}/.well-known/jwks.json`."""
    if not _serves_this_issuer(incoming):
        return not_understood(incoming)
    return _public_json(incoming.pool.keys.key_set(), max_age=incoming.pool.surroundings.behaviour.key_set_max_age)


def not_understood(_: Incoming) -> Response:
    """Answer any other path below the issuer, such as the endpoints that a pool without a domain advertises.

    Source: https://stackoverflow.com/q/47664727
    """
    message = "The server did not understand the operation that was requested."
    return _public_json({"code": "BadRequest", "message": message, "type": "client"}, max_age=None, status=400)


def userinfo(incoming: Incoming) -> Response:
    """Answer `GET /oauth2/userInfo`, all values as strings."""
    scheme, _, access_token = incoming.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not access_token.strip():
        return _userinfo_error("invalid_request", _BAD_REQUEST, status=400)
    claims = incoming.pool.keys.verify(access_token.strip())
    now = incoming.pool.surroundings.clock()
    expires_at = claims.get("exp") if claims is not None else None
    if claims is None or claims.get("token_use") != "access" or not isinstance(expires_at, int) or expires_at <= now:
        return _userinfo_error("invalid_token", _BAD_TOKEN, status=401)
    user = next((each for each in incoming.pool.users.values() if each.sub == claims.get("sub")), None)
    client = incoming.pool.clients.get(str(claims.get("client_id")))
    sign_in = incoming.pool.ledger.find_sign_in(claims.get("origin_jti"))
    if user is None or not user.enabled or client is None or (sign_in is not None and sign_in.revoked):
        return _userinfo_error("invalid_token", _BAD_TOKEN, status=401)
    scopes = str(claims.get("scope", "")).split(" ")
    if "openid" not in scopes:
        status = incoming.pool.surroundings.behaviour.userinfo_missing_scope_status
        return _userinfo_error("invalid_token", _NO_OPENID, status=status)
    named = {"sub": user.sub, **visible_attributes(user, client, scopes), "username": user.username}
    if identities := user.identities_claim():
        named["identities"] = json.dumps(identities)
    return json_answer(named)


def userinfo_by_post(incoming: Incoming) -> Response:
    """Answer `POST /oauth2/userInfo`, which the guide does not document."""
    if not incoming.pool.surroundings.behaviour.userinfo_by_post:
        return Response(status_code=405, headers={"allow": "GET"})
    return userinfo(incoming)


def revoke(incoming: Incoming) -> Response:
    """Answer `POST /oauth2/revoke`: everything with the same `origin_jti` dies."""
    if not is_form(incoming):
        return Response(status_code=405)
    try:
        _revoke(incoming)
    except OAuthRefusalError as refusal:
        return refusal.response()
    return Response(status_code=200)


def _revoke(incoming: Incoming) -> None:
    secret_in_body = incoming.pool.surroundings.behaviour.revoke_secret_in_body
    client = authenticated_client(incoming, status=401, secret_in_body=secret_in_body)
    value = required(incoming, "token")
    if not client.token_revocation:
        raise OAuthRefusalError("invalid_request")
    if looks_signed(value):
        raise OAuthRefusalError("unsupported_token_type")
    refresh_token = incoming.pool.ledger.find_refresh_token(value)
    if refresh_token is None:
        return  # RFC 7009 section 2.2: an unknown token is as good as revoked
    if refresh_token.sign_in.client is not client:
        raise OAuthRefusalError("invalid_grant")
    refresh_token.sign_in.revoked = True


def _serves_this_issuer(incoming: Incoming) -> bool:
    """Tell whether the issuer host that was addressed serves this pool's documents."""
    behaviour = incoming.pool.surroundings.behaviour
    return behaviour.both_issuer_hosts or incoming.place.issuer_type == incoming.pool.issuer_type


def _userinfo_error(error: str, description: str, *, status: int) -> Response:
    """Return an error of userInfo, whose header has no scheme word, as documented."""
    response = json_answer({"error": error, "error_description": description}, status=status)
    response.headers["www-authenticate"] = f'error="{error}", error_description="{description}"'
    return response


def _public_json(body: Mapping[str, object], *, max_age: int | None, status: int = 200) -> Response:
    """Return a document of the issuer host, which AWS's own single-page quick-start reads across origins."""
    headers = {"content-type": "application/json", "access-control-allow-origin": "*"}
    if max_age is not None:
        headers["cache-control"] = f"public, max-age={max_age}"
    return Response(json.dumps(body).encode(), status_code=status, headers=headers)
