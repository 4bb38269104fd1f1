"""What the token and revocation endpoints have in common: the form, the app client behind it, errors and JSON.

Decides how an app client proves who it is, and with what words a request is refused.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html
"""

from __future__ import annotations

import base64
import hmac
import json
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.emulator.addresses import Incoming
    from cognito_oidc.emulator.app_clients import EmulatedAppClient

_FORM: Final = "application/x-www-form-urlencoded"
_NO_STORE: Final = "no-cache, no-store, max-age=0, must-revalidate"


class OAuthRefusalError(Exception):
    """An error answer of the token or revocation endpoint; never leaves the package."""

    def __init__(self, error: str, description: str | None = None, *, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status

    def response(self) -> Response:
        """Return the bare body that Cognito sends."""
        body = {"error": self.error}
        if self.description is not None:
            body["error_description"] = self.description
        return json_answer(body, status=self.status)


def authenticated_client(incoming: Incoming, *, status: int, secret_in_body: bool = True) -> EmulatedAppClient:
    """Return the app client that a request proves to come from; one with a secret must always send it.

    Args:
        incoming: The request.
        status: The status of `invalid_client`.
        secret_in_body: Whether the secret may stand in the form.

    Raises:
        OAuthRefusalError: No app client is named, or it is not proven.
    """
    form_id, secret = incoming.form.get("client_id") or None, incoming.form.get("client_secret")
    basic = incoming.headers.get("authorization")
    if basic is not None:
        client_id, secret = _basic_credentials(basic, status=status)
        if form_id not in {None, client_id}:
            raise OAuthRefusalError("invalid_client", status=status)
    elif form_id is None:
        raise OAuthRefusalError("invalid_request")
    else:
        client_id = form_id
        if secret is not None and not secret_in_body:
            raise OAuthRefusalError("invalid_client", status=status)
    client = incoming.pool.clients.get(client_id)
    if client is None:
        raise OAuthRefusalError("invalid_client", status=status)
    if not client.client_secrets:
        if secret is not None:  # also Basic with an empty secret
            raise OAuthRefusalError("invalid_client", status=status)
        return client
    if not any(hmac.compare_digest(each.encode(), (secret or "").encode()) for each in client.client_secrets):
        description = incoming.pool.surroundings.behaviour.invalid_client_description
        raise OAuthRefusalError("invalid_client", description, status=status)
    return client


def required(incoming: Incoming, name: str) -> str:
    """Return a form parameter that must be there.

    Raises:
        OAuthRefusalError: It is missing or empty: `invalid_request`.
    """
    value = incoming.form.get(name)
    if not value:
        raise OAuthRefusalError("invalid_request")
    return value


def is_form(incoming: Incoming) -> bool:
    """Tell whether the content type is that of a form; another one is answered with 405."""
    return incoming.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


def json_answer(body: Mapping[str, object], *, status: int = 200) -> Response:
    """Return a JSON answer with the headers of the domain's endpoints."""
    headers = {"content-type": "application/json;charset=UTF-8", "cache-control": _NO_STORE}
    return Response(json.dumps(body, ensure_ascii=False).encode(), status_code=status, headers=headers)


def _basic_credentials(header: str, *, status: int) -> tuple[str, str]:
    """Return client id and secret of `Basic base64(id:secret)`, which Cognito takes without percent-encoding."""
    scheme, _, encoded = header.partition(" ")
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        raise OAuthRefusalError("invalid_client", status=status) from None
    if scheme.lower() != "basic" or not colon:
        raise OAuthRefusalError("invalid_client", status=status)
    return client_id, secret
