"""The back channel: code, refresh, client credentials and revocation, each with its request and its answer.

Decides what is sent to the token and revocation endpoints and which answers are tokens. Decides nothing about whether
a token may be trusted; that is `claims`'s.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Final, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, ValidationError

from cognito_oidc.errors import ConfigurationError, ProtocolError, clean_server_text, shown
from cognito_oidc.protocol.authorization import check_scopes
from cognito_oidc.protocol.oauth_errors import parse_oauth_error
from cognito_oidc.protocol.typed_claims import IdTokenClaims, freeze
from cognito_oidc.protocol.wire import Endpoint, form_request, parse_json_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cognito_oidc.protocol.callback import AuthorizationCode
    from cognito_oidc.protocol.client_authentication import ClientAuthentication
    from cognito_oidc.protocol.wire import HttpRequest, HttpResponse

Answer = TypeVar("Answer", bound=BaseModel)

_HTTP_OK: Final = 200
MAX_TOKEN: Final = 128 * 1024
"""Characters a token may have. Ours; Cognito documents no limit."""

MAX_EXPIRES_IN: Final = 10 * 366 * 24 * 3600
"""Seconds a token may be good for: the longest life of a refresh token, ten years. Source: CreateUserPoolClient."""

_WHAT: Final = "the token answer"

_VISIBLE: Final = bytes(range(0x21, 0x7F))  # RFC 6749 appendices A.12 and A.17, without the space


def _visible(text: str) -> str:
    """Return a text of the characters that tokens have; a pattern would take five times as long."""
    if text == "" or not text.isascii() or text.encode("ascii").translate(None, _VISIBLE):
        problem = "no token"
        raise ValueError(problem)
    return text


TokenText = Annotated[str, StringConstraints(max_length=MAX_TOKEN), AfterValidator(_visible)]
"""A token as it stands in an answer."""


class _TokenAnswer(BaseModel):
    """The members of a good answer that we read. Source: RFC 6749 section 5.1."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    access_token: TokenText
    token_type: str
    expires_in: Annotated[int, Field(gt=0, le=MAX_EXPIRES_IN)]
    id_token: TokenText | None = None
    refresh_token: TokenText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSet:
    """The tokens of one answer. Its repr and str show no token.

    Attributes:
        access_token: For APIs. A secret.
        expires_at: When the access token ends to be good, epoch seconds UTC.
        id_token: For the application itself, or None. A secret.
        refresh_token: To get the next ones with, opaque, or None. A secret.
        claims: What the ID token says; verified when the tokens were received. None without an ID token.
        token_type: `"Bearer"`.

    Source: RFC 6749 section 5.1; OpenID Connect Core 1.0 section 3.1.3.3.
    """

    access_token: str = field(repr=False)
    expires_at: float
    id_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    claims: IdTokenClaims | None = None
    token_type: str = "Bearer"

    def to_dict(self) -> dict[str, object]:
        """Return the tokens as JSON values, for a database of your own. It holds secrets: encrypt it."""
        return {
            "access_token": self.access_token,
            "expires_at": self.expires_at,
            "id_token": self.id_token,
            "refresh_token": self.refresh_token,
            "claims": None if self.claims is None else self.claims.to_dict(),
            "token_type": self.token_type,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Return the tokens of `to_dict`. They are not verified again: the store is trusted as it was when written.

        Raises:
            ConfigurationError: These are no values of `to_dict`.
        """
        kept = _stored_tokens(values)
        if kept is None:  # raised here, where no error is being handled: pydantic's holds the tokens
            msg = "TokenSet.from_dict: expected the mapping that to_dict() returned."
            raise ConfigurationError(msg)
        stored, claims = kept
        return cls(
            access_token=stored.access_token,
            expires_at=stored.expires_at,
            id_token=stored.id_token,
            refresh_token=stored.refresh_token,
            claims=claims,
            token_type=stored.token_type,
        )


class _StoredTokens(BaseModel):
    """What `TokenSet.to_dict` wrote."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    access_token: TokenText
    expires_at: FiniteFloat
    id_token: TokenText | None = None
    refresh_token: TokenText | None = None
    claims: dict[str, object] | None = None
    token_type: str = "Bearer"


class _StoredClaims(BaseModel):
    """The claims that every ID token has. Source: OpenID Connect Core 1.0 section 2."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    iss: str
    sub: str
    aud: str
    exp: FiniteFloat
    iat: FiniteFloat


def _stored_tokens(values: Mapping[str, object]) -> tuple[_StoredTokens, IdTokenClaims | None] | None:
    try:
        stored = _StoredTokens.model_validate(dict(values))
        return stored, None if stored.claims is None else _stored_claims(stored.claims)
    except (ValueError, TypeError):  # ValidationError among them
        return None


def _stored_claims(payload: dict[str, object]) -> IdTokenClaims:
    _StoredClaims.model_validate(payload)
    return IdTokenClaims({name: freeze(value) for name, value in payload.items()})


def code_exchange_request(
    authorization_code: AuthorizationCode, *, token_endpoint: str, authentication: ClientAuthentication
) -> HttpRequest:
    """Return the request that exchanges a code. It is never sent twice.

    Source: RFC 6749 section 4.1.3; RFC 7636 section 4.5; AWS, "The token issuer endpoint".
    """
    request = authorization_code.request
    form = (
        ("grant_type", "authorization_code"),
        *authentication.form,
        ("code", authorization_code.code),
        ("redirect_uri", request.redirect_uri),
        ("code_verifier", request.code_verifier),
    )
    return form_request(token_endpoint, form, endpoint=Endpoint.TOKEN, headers=authentication.headers)


def refresh_request(refresh_token: str, *, token_endpoint: str, authentication: ClientAuthentication) -> HttpRequest:
    """Return the request that refreshes tokens. It is sent again only when it never left: the token may rotate.

    Source: RFC 6749 section 6; AWS, "Refresh tokens".
    """
    form = (("grant_type", "refresh_token"), *authentication.form, ("refresh_token", _check_token(refresh_token)))
    return form_request(token_endpoint, form, endpoint=Endpoint.TOKEN, headers=authentication.headers)


def client_credentials_request(
    scopes: str | Iterable[str] | None,
    *,
    token_endpoint: str,
    authentication: ClientAuthentication,
    client_metadata: Mapping[str, str] | None = None,
) -> HttpRequest:
    """Return the request for a machine token.

    Args:
        scopes: Custom scopes, `{resource server identifier}/{name}`; None asks for all the client has.
        token_endpoint: Absolute URL.
        authentication: Must be that of a confidential client.
        client_metadata: For the pre-token-generation Lambda (`aws_client_metadata`).

    Raises:
        ConfigurationError: A public client, or a scope no machine can have.

    Source: RFC 6749 section 4.4.2; AWS, "The token issuer endpoint".
    """
    if authentication.client_secret is None:
        msg = "Client credentials need an app client with a secret: pass client_secret=."
        raise ConfigurationError(msg)
    form = [("grant_type", "client_credentials"), *authentication.form]
    if scopes is not None:
        names = check_scopes(scopes)
        if "openid" in names or "aws.cognito.signin.user.admin" in names:
            msg = "scopes: a machine token has custom scopes only, '{resource server identifier}/{name}'."
            raise ConfigurationError(msg)
        form.append(("scope", " ".join(names)))
    if client_metadata is not None:
        form.append(("aws_client_metadata", _metadata_json(client_metadata)))
    return form_request(token_endpoint, form, endpoint=Endpoint.TOKEN, headers=authentication.headers, repeatable=True)


def parse_token_response(
    response: HttpResponse,
    *,
    received_at: float,
    grant: str,
    secrets: tuple[str, ...] = (),
    likely: Callable[[str], tuple[str, ...]] | None = None,
) -> TokenSet:
    """Return the tokens of an answer; the ID token in it is not verified yet, so `claims` is None.

    Args:
        response: The answer of the token endpoint.
        received_at: When it arrived, epoch seconds UTC; `expires_in` counts from here.
        grant: The `grant_type` that was sent, to tell what an error probably means.
        secrets: What was sent and must not appear in an error.
        likely: What an error code probably means, for who knows more than the grant.

    Raises:
        OAuthError: The server said no (`InvalidGrantError`, `InvalidClientError`, `RateLimitedError` among them).
        ProtocolError: The answer is neither tokens nor an error.
        TransportError: A 5xx, or an answer of something in between.

    Source: RFC 6749 sections 5.1 and 5.2.
    """
    document = parse_token_document(response, grant=grant, secrets=secrets, likely=likely)
    answer = read_answer(_TokenAnswer, document)
    if answer.token_type.lower() != "bearer":
        came = shown(clean_server_text(answer.token_type, limit=40))
        msg = f"Cannot use {_WHAT}: expected token_type 'Bearer', got {came}."
        raise ProtocolError(msg)
    return TokenSet(
        access_token=answer.access_token,
        expires_at=received_at + answer.expires_in,
        id_token=answer.id_token,
        refresh_token=answer.refresh_token,
    )


def parse_token_document(
    response: HttpResponse,
    *,
    grant: str,
    secrets: tuple[str, ...],
    likely: Callable[[str], tuple[str, ...]] | None = None,
) -> dict[str, object]:
    """Return the JSON object of an answer that is no error, for who reads the members of its grant.

    Raises:
        OAuthError, ProtocolError, TransportError: As `parse_token_response`.
    """
    if response.status != _HTTP_OK:
        raise parse_oauth_error(response, endpoint=Endpoint.TOKEN, grant=grant, secrets=secrets, likely=likely)
    document = parse_json_answer(response, what=_WHAT)
    if document.get("error") is not None:
        if "access_token" not in document:
            raise parse_oauth_error(response, endpoint=Endpoint.TOKEN, grant=grant, secrets=secrets, likely=likely)
        msg = f"Cannot use {_WHAT}: it holds an error and tokens."
        raise ProtocolError(msg)
    return document


def read_answer(model: type[Answer], document: dict[str, object]) -> Answer:
    """Return the members of an answer that a model names.

    Raises:
        ProtocolError: They are missing or of a wrong form. It has no context: pydantic's error holds the tokens.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        members = ", ".join(sorted({str(one["loc"][0]) for one in error.errors(include_input=False)}))
    msg = f"Cannot use {_WHAT}: no usable {members} in it."
    raise ProtocolError(msg)


def keep_refresh_token(new: TokenSet, refresh_token: str) -> TokenSet:
    """Return the answer of a refresh with the old refresh token where no new one came.

    Without rotation Cognito returns none and the old one stays good; with rotation the new one replaces it.

    Source: RFC 6749 section 6; AWS, "Refresh tokens".
    """
    return new if new.refresh_token is not None else replace(new, refresh_token=refresh_token)


def revocation_request(
    refresh_token: str, *, revocation_endpoint: str, authentication: ClientAuthentication
) -> HttpRequest:
    """Return the request that revokes a refresh token and every token of its sign-in. It may be repeated.

    Source: RFC 7009 section 2.1; AWS, "The token revocation endpoint".
    """
    who = authentication.for_revocation
    form = [("token", _check_token(refresh_token))]
    if who.method == "none":
        form.extend(who.form)
    return form_request(revocation_endpoint, form, endpoint=Endpoint.REVOCATION, headers=who.headers, repeatable=True)


def parse_revocation_response(response: HttpResponse, *, secrets: tuple[str, ...] = ()) -> None:
    """Check that the token is revoked, or was before: any 200 says so.

    Raises:
        OAuthError: The server said no.
        TransportError: A 5xx, or an answer of something in between.

    Source: RFC 7009 section 2.2.
    """
    if response.status != _HTTP_OK:
        raise parse_oauth_error(response, endpoint=Endpoint.REVOCATION, grant="revocation", secrets=secrets)


def _check_token(token: str) -> str:
    with contextlib.suppress(ValueError):
        if isinstance(token, str) and len(token) <= MAX_TOKEN:
            return _visible(token)
    msg = "The refresh token is empty or no token: pass tokens.refresh_token as it was received."
    raise ConfigurationError(msg)


def _metadata_json(metadata: Mapping[str, str]) -> str:
    if not isinstance(metadata, Mapping) or not all(
        isinstance(name, str) and isinstance(value, str) for name, value in metadata.items()
    ):
        msg = "client_metadata: expected a mapping of texts to texts."
        raise ConfigurationError(msg)
    return json.dumps(dict(metadata), separators=(",", ":"))
