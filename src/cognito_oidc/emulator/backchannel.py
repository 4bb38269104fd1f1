"""What programs call: the token endpoint, userInfo, revocation, discovery and the key set.

Decides who gets which tokens and with what words a request is refused.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html, .../userinfo-endpoint.html,
    .../revocation-endpoint.html, .../federation-endpoints.html
"""

from __future__ import annotations

import base64
import hmac
import json
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from cognito_oidc.emulator import addresses, authorization
from cognito_oidc.emulator.ledger import SignIn, proves
from cognito_oidc.emulator.tokens import (
    looks_signed,
    machine_token_claims,
    unreadable_attributes,
    visible_attributes,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.emulator.addresses import Incoming
    from cognito_oidc.emulator.app_clients import EmulatedAppClient

_FORM: Final = "application/x-www-form-urlencoded"
_NO_STORE: Final = "no-cache, no-store, max-age=0, must-revalidate"
_BAD_TOKEN: Final = "Access token is expired, disabled, or deleted, or the user has globally signed out."
_BAD_REQUEST: Final = "Bad OAuth2 request at UserInfo Endpoint"
_NO_OPENID: Final = "Access token does not contain openid scope"


class _OAuthRefusalError(Exception):
    """An error answer of the token or revocation endpoint; never leaves this file."""

    def __init__(self, error: str, description: str | None = None, *, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status

    def response(self) -> Response:
        body = {"error": self.error}
        if self.description is not None:
            body["error_description"] = self.description
        return _json(body, status=self.status)


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


def token(incoming: Incoming) -> Response:
    """Answer `POST /oauth2/token`."""
    if not _is_form(incoming):
        return Response(status_code=405)
    try:
        return _json(_grant(incoming))
    except _OAuthRefusalError as refusal:
        return refusal.response()


def revoke(incoming: Incoming) -> Response:
    """Answer `POST /oauth2/revoke`: everything with the same `origin_jti` dies."""
    if not _is_form(incoming):
        return Response(status_code=405)
    try:
        _revoke(incoming)
    except _OAuthRefusalError as refusal:
        return refusal.response()
    return Response(status_code=200)


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
    return _json({"sub": user.sub, **visible_attributes(user, client, scopes), "username": user.username})


def userinfo_by_post(incoming: Incoming) -> Response:
    """Answer `POST /oauth2/userInfo`, which the guide does not document."""
    if not incoming.pool.surroundings.behaviour.userinfo_by_post:
        return Response(status_code=405, headers={"allow": "GET"})
    return userinfo(incoming)


def _grant(incoming: Incoming) -> dict[str, object]:
    grant = _GRANTS.get(_required(incoming, "grant_type"))
    if grant is None:
        raise _OAuthRefusalError("unsupported_grant_type")
    status = incoming.pool.surroundings.behaviour.invalid_client_status
    return grant(incoming, _authenticated_client(incoming, status=status))


def _revoke(incoming: Incoming) -> None:
    secret_in_body = incoming.pool.surroundings.behaviour.revoke_secret_in_body
    client = _authenticated_client(incoming, status=401, secret_in_body=secret_in_body)
    value = _required(incoming, "token")
    if not client.token_revocation:
        raise _OAuthRefusalError("invalid_request")
    if looks_signed(value):
        raise _OAuthRefusalError("unsupported_token_type")
    refresh_token = incoming.pool.ledger.find_refresh_token(value)
    if refresh_token is None:
        return  # RFC 7009 section 2.2: an unknown token is as good as revoked
    if refresh_token.sign_in.client is not client:
        raise _OAuthRefusalError("invalid_grant")
    refresh_token.sign_in.revoked = True


def _code_grant(incoming: Incoming, client: EmulatedAppClient) -> dict[str, object]:
    value = _required(incoming, "code")
    redirect_uri = _required(incoming, "redirect_uri")
    if "code" not in client.grants:
        raise _OAuthRefusalError("unauthorized_client")
    ledger, behaviour = incoming.pool.ledger, incoming.pool.surroundings.behaviour
    now = incoming.pool.surroundings.clock()
    code = ledger.find_code(value, now)
    if code is None or code.client is not client:
        raise _OAuthRefusalError("invalid_grant")
    if redirect_uri != code.redirect_uri:
        # https://stackoverflow.com/q/50264679: it is unauthorized_client, not the RFC's invalid_grant
        raise _OAuthRefusalError("unauthorized_client", "invalid_redirect")
    verifier = incoming.form.get("code_verifier") or None
    if code.code_challenge is not None:
        if not proves(verifier, code.code_challenge):
            raise _OAuthRefusalError("invalid_grant")
    elif verifier is not None and behaviour.verifier_without_challenge == "reject":
        raise _OAuthRefusalError("invalid_grant")
    ledger.use_code(value)
    if unreadable_attributes(client, code.scopes):
        raise _OAuthRefusalError("invalid_grant")
    sign_in = SignIn(
        user=code.user,
        client=client,
        scopes=code.scopes,
        auth_time=code.auth_time,
        nonce=code.nonce,
        resource=code.resource,
    )
    ledger.add_sign_in(sign_in, now)
    tokens = authorization.mint(incoming, sign_in, now=now, nonce=sign_in.nonce)
    return _token_answer(tokens, ledger.add_refresh_token(sign_in), client)


def _refresh_grant(incoming: Incoming, client: EmulatedAppClient) -> dict[str, object]:
    value = _required(incoming, "refresh_token")
    ledger, behaviour = incoming.pool.ledger, incoming.pool.surroundings.behaviour
    now = incoming.pool.surroundings.clock()
    refresh_token = ledger.find_refresh_token(value)
    if refresh_token is None or refresh_token.sign_in.client is not client:
        raise _OAuthRefusalError("invalid_grant")
    sign_in = refresh_token.sign_in
    if not refresh_token.is_alive(now):
        rotated_out = refresh_token.dies_at < sign_in.refresh_expires_at
        if rotated_out and behaviour.refresh_reuse_revokes_sign_in:
            sign_in.revoked = True
        raise _OAuthRefusalError("invalid_grant")
    replacement = ledger.rotate(refresh_token, now) if client.refresh_token_rotation else None
    nonce = sign_in.nonce if behaviour.nonce_on_refresh else None
    tokens = authorization.mint(incoming, sign_in, now=now, nonce=nonce)
    return _token_answer(tokens, replacement, client)


def _machine_grant(incoming: Incoming, client: EmulatedAppClient) -> dict[str, object]:
    if "client_credentials" not in client.grants:
        raise _OAuthRefusalError("unauthorized_client")
    _check_metadata(incoming.form.get("aws_client_metadata"))
    asked = tuple(dict.fromkeys(incoming.form.get("scope", "").split()))
    lacking = [scope for scope in asked if scope not in client.scopes]
    if lacking and incoming.pool.surroundings.behaviour.machine_scope_not_allowed == "reject":
        raise _OAuthRefusalError("invalid_scope")
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


def _authenticated_client(incoming: Incoming, *, status: int, secret_in_body: bool = True) -> EmulatedAppClient:
    """Return the app client that a request proves to come from; one with a secret must always send it."""
    form_id, secret = incoming.form.get("client_id") or None, incoming.form.get("client_secret")
    basic = incoming.headers.get("authorization")
    if basic is not None:
        client_id, secret = _basic_credentials(basic, status=status)
        if form_id not in {None, client_id}:
            raise _OAuthRefusalError("invalid_client", status=status)
    elif form_id is None:
        raise _OAuthRefusalError("invalid_request")
    else:
        client_id = form_id
        if secret is not None and not secret_in_body:
            raise _OAuthRefusalError("invalid_client", status=status)
    client = incoming.pool.clients.get(client_id)
    if client is None:
        raise _OAuthRefusalError("invalid_client", status=status)
    if not client.client_secrets:
        if secret is not None:  # also Basic with an empty secret
            raise _OAuthRefusalError("invalid_client", status=status)
        return client
    if not any(hmac.compare_digest(each.encode(), (secret or "").encode()) for each in client.client_secrets):
        description = incoming.pool.surroundings.behaviour.invalid_client_description
        raise _OAuthRefusalError("invalid_client", description, status=status)
    return client


def _basic_credentials(header: str, *, status: int) -> tuple[str, str]:
    """Return client id and secret of `Basic base64(id:secret)`, which Cognito takes without percent-encoding."""
    scheme, _, encoded = header.partition(" ")
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        raise _OAuthRefusalError("invalid_client", status=status) from None
    if scheme.lower() != "basic" or not colon:
        raise _OAuthRefusalError("invalid_client", status=status)
    return client_id, secret


def _required(incoming: Incoming, name: str) -> str:
    value = incoming.form.get(name)
    if not value:
        raise _OAuthRefusalError("invalid_request")
    return value


def _check_metadata(text: str | None) -> None:
    """Refuse `aws_client_metadata` that is no JSON object; it feeds a Lambda trigger, of which there is none."""
    if not text:
        return
    try:
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise _OAuthRefusalError("invalid_request")


def _is_form(incoming: Incoming) -> bool:
    return incoming.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


def _serves_this_issuer(incoming: Incoming) -> bool:
    """Tell whether the issuer host that was addressed serves this pool's documents."""
    behaviour = incoming.pool.surroundings.behaviour
    return behaviour.both_issuer_hosts or incoming.place.issuer_type == incoming.pool.issuer_type


def _userinfo_error(error: str, description: str, *, status: int) -> Response:
    """Return an error of userInfo, whose header has no scheme word, as documented."""
    response = _json({"error": error, "error_description": description}, status=status)
    response.headers["www-authenticate"] = f'error="{error}", error_description="{description}"'
    return response


def _json(body: Mapping[str, object], *, status: int = 200) -> Response:
    headers = {"content-type": "application/json;charset=UTF-8", "cache-control": _NO_STORE}
    return Response(json.dumps(body, ensure_ascii=False).encode(), status_code=status, headers=headers)


def _public_json(body: Mapping[str, object], *, max_age: int | None, status: int = 200) -> Response:
    """Return a document of the issuer host, which AWS's own single-page quick-start reads across origins."""
    headers = {"content-type": "application/json", "access-control-allow-origin": "*"}
    if max_age is not None:
        headers["cache-control"] = f"public, max-age={max_age}"
    return Response(json.dumps(body).encode(), status_code=status, headers=headers)
