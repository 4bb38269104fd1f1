"""The token endpoint: three grants.

Decides which tokens a code, a refresh token or a machine's credentials give.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from cognito_oidc.emulator import addresses, authorization
from cognito_oidc.emulator.ledger import SignIn, proves
from cognito_oidc.emulator.oauth import OAuthRefusalError, authenticated_client, is_form, json_answer, required
from cognito_oidc.emulator.tokens import machine_token_claims, unreadable_attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.emulator.addresses import Incoming
    from cognito_oidc.emulator.app_clients import EmulatedAppClient


def token(incoming: Incoming) -> Response:
    """Answer `POST /oauth2/token`."""
    if not is_form(incoming):
        return Response(status_code=405)
    try:
        return json_answer(_grant(incoming))
    except OAuthRefusalError as refusal:
        return refusal.response()


def _grant(incoming: Incoming) -> dict[str, object]:
    grant = _GRANTS.get(required(incoming, "grant_type"))
    if grant is None:
        raise OAuthRefusalError("unsupported_grant_type")
    status = incoming.pool.surroundings.behaviour.invalid_client_status
    return grant(incoming, authenticated_client(incoming, status=status))


def _code_grant(incoming: Incoming, client: EmulatedAppClient) -> dict[str, object]:
    value = required(incoming, "code")
    redirect_uri = required(incoming, "redirect_uri")
    if "code" not in client.grants:
        raise OAuthRefusalError("unauthorized_client")
    ledger, behaviour = incoming.pool.ledger, incoming.pool.surroundings.behaviour
    now = incoming.pool.surroundings.clock()
    code = ledger.find_code(value, now)
    if code is None or code.client is not client:
        raise OAuthRefusalError("invalid_grant")
    if redirect_uri != code.redirect_uri:
        # https://stackoverflow.com/q/50264679: it is unauthorized_client, not the RFC's invalid_grant
        raise OAuthRefusalError("unauthorized_client", "invalid_redirect")
    verifier = incoming.form.get("code_verifier") or None
    if code.code_challenge is not None:
        if not proves(verifier, code.code_challenge):
            raise OAuthRefusalError("invalid_grant")
    elif verifier is not None and behaviour.verifier_without_challenge == "reject":
        raise OAuthRefusalError("invalid_grant")
    ledger.use_code(value)
    if unreadable_attributes(client, code.scopes):
        raise OAuthRefusalError("invalid_grant")
    sign_in = SignIn(
        user=code.user,
        client=client,
        scopes=code.scopes,
        auth_time=code.auth_time,
        nonce=code.nonce,
        resource=code.resource,
        context=code.context,
    )
    ledger.add_sign_in(sign_in, now)
    tokens = authorization.mint(incoming, sign_in, now=now, nonce=sign_in.nonce)
    return _token_answer(tokens, ledger.add_refresh_token(sign_in), client)


def _refresh_grant(incoming: Incoming, client: EmulatedAppClient) -> dict[str, object]:
    value = required(incoming, "refresh_token")
    ledger, behaviour = incoming.pool.ledger, incoming.pool.surroundings.behaviour
    now = incoming.pool.surroundings.clock()
    refresh_token = ledger.find_refresh_token(value)
    if refresh_token is None or refresh_token.sign_in.client is not client:
        raise OAuthRefusalError("invalid_grant")
    sign_in = refresh_token.sign_in
    if not refresh_token.is_alive(now):
        rotated_out = refresh_token.dies_at < sign_in.refresh_expires_at
        if rotated_out and behaviour.refresh_reuse_revokes_sign_in:
            sign_in.revoked = True
        raise OAuthRefusalError("invalid_grant")
    replacement = ledger.rotate(refresh_token, now) if client.refresh_token_rotation else None
    nonce = sign_in.nonce if behaviour.nonce_on_refresh else None
    tokens = authorization.mint(incoming, sign_in, now=now, nonce=nonce)
    return _token_answer(tokens, replacement, client)


def _machine_grant(incoming: Incoming, client: EmulatedAppClient) -> dict[str, object]:
    if "client_credentials" not in client.grants:
        raise OAuthRefusalError("unauthorized_client")
    _check_metadata(incoming.form.get("aws_client_metadata"))
    asked = tuple(dict.fromkeys(incoming.form.get("scope", "").split()))
    lacking = [scope for scope in asked if scope not in client.scopes]
    if lacking and incoming.pool.surroundings.behaviour.machine_scope_not_allowed == "reject":
        raise OAuthRefusalError("invalid_scope")
    scopes = [scope for scope in asked or client.scopes if scope in client.scopes and incoming.pool.knows_scope(scope)]
    now = incoming.pool.surroundings.clock()
    issuer = addresses.issuer(incoming.pool, incoming.place.base)
    claims = machine_token_claims(client, scopes, issuer=issuer, now=now)
    return _token_answer({"access_token": incoming.pool.keys.signing_key("access").sign(claims, {})}, None, client)


_GRANTS: Final = {
    "authorization_code": _code_grant,
    "refresh_token": _refresh_grant,
    "client_credentials": _machine_grant,
}


def _token_answer(tokens: Mapping[str, str], refresh_token: str | None, client: EmulatedAppClient) -> dict[str, object]:
    """Return the members of a token answer; Cognito sends no `scope`."""
    answer: dict[str, object] = dict(tokens)
    if refresh_token is not None:
        answer["refresh_token"] = refresh_token
    return answer | {"expires_in": client.access_token_validity, "token_type": "Bearer"}


def _check_metadata(text: str | None) -> None:
    """Refuse `aws_client_metadata` that is no JSON object; it feeds a Lambda trigger, of which there is none."""
    if not text:
        return
    try:
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise OAuthRefusalError("invalid_request")
