"""How an app client authenticates at Cognito's back-channel endpoints.

Decides which of the three documented methods is used and how it looks on the wire. Decides nothing about where the
secret comes from.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final, Literal

from cognito_oidc.errors import ConfigurationError, shown

TokenEndpointAuthMethod = Literal["client_secret_post", "client_secret_basic", "none"]
"""The methods of an app client. Source: AWS, "The token issuer endpoint"; RFC 7591 section 2."""

_METHODS: Final = ("client_secret_post", "client_secret_basic", "none")
_MAX_CLIENT_ID: Final = 2048  # a URL client id is longer than the 128 of a generated one


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAuthentication:
    """Headers and form members by which an app client shows who it is. Its repr shows the id and the method alone.

    Attributes:
        client_id: The app client's id.
        method: How it authenticates.
        client_secret: The secret, or None with `none`.
    """

    client_id: str
    method: TokenEndpointAuthMethod
    client_secret: str | None = field(repr=False)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The Authorization header of `client_secret_basic`, else nothing.

        Cognito's form is `base64(id:secret)` of the raw values, without the percent-encoding of RFC 6749.

        Source: AWS, "The token issuer endpoint", Authorization header.
        """
        if self.method != "client_secret_basic" or self.client_secret is None:
            return ()
        pair = f"{self.client_id}:{self.client_secret}".encode()
        return (("Authorization", f"Basic {b64encode(pair).decode('ascii')}"),)

    @property
    def form(self) -> tuple[tuple[str, str], ...]:
        """The members of the form: the id always, the secret with `client_secret_post`."""
        id_member = ("client_id", self.client_id)
        if self.method == "client_secret_post" and self.client_secret is not None:
            return (id_member, ("client_secret", self.client_secret))
        return (id_member,)

    @property
    def for_revocation(self) -> ClientAuthentication:
        """The same client at the revocation endpoint: a confidential one uses Basic, the only documented form there.

        Source: AWS, "The token revocation endpoint".
        """
        method: TokenEndpointAuthMethod = "none" if self.client_secret is None else "client_secret_basic"
        return ClientAuthentication(client_id=self.client_id, method=method, client_secret=self.client_secret)


def check_client_id(client_id: str) -> str:
    """Return an app client's id.

    Raises:
        ConfigurationError: It is no visible ASCII text, or holds a colon without being a URL.

    Source: RFC 6749 section 2.2; AWS, API reference, ClientId.
    """
    text = client_id if isinstance(client_id, str) else ""
    visible = text.isascii() and text.isprintable() and " " not in text
    if not 0 < len(text) <= _MAX_CLIENT_ID or not visible or (":" in text and not text.startswith("https://")):
        msg = f"client_id {shown(client_id)}: expected the app client's id (26 letters and digits in the console)."
        raise ConfigurationError(msg)
    return text


def client_authentication(
    client_id: str, client_secret: str | None, method: TokenEndpointAuthMethod | None
) -> ClientAuthentication:
    """Return how this client authenticates.

    Args:
        client_id: The app client's id.
        client_secret: Its secret; None for a public client.
        method: None chooses `client_secret_post` with a secret and `none` without. It is never probed.

    Raises:
        ConfigurationError: Method and secret do not go together, or the secret is empty.
    """
    if method is None:
        method = "none" if client_secret is None else "client_secret_post"
    if method not in _METHODS:
        msg = f"token_endpoint_auth_method {shown(method)}: expected one of {', '.join(_METHODS)}."
        raise ConfigurationError(msg)
    if (method == "none") != (client_secret is None):
        need = "no client_secret" if method == "none" else "a client_secret"
        msg = f"token_endpoint_auth_method {method!r} needs {need}."
        raise ConfigurationError(msg)
    if client_secret is not None and not _is_secret(client_secret):
        msg = "client_secret is no text, is empty, or has a space or line break at an end; was it read with the line?"
        raise ConfigurationError(msg)
    return ClientAuthentication(client_id=check_client_id(client_id), method=method, client_secret=client_secret)


def _is_secret(secret: str) -> bool:
    return isinstance(secret, str) and secret != "" and secret.isprintable() and secret == secret.strip()
