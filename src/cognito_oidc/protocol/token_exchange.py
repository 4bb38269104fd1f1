"""Token exchange: one token for another that is meant for a certain service. Provisional.

Decides what is sent to the token endpoint for it and which answers are the new token. Decides nothing about whether
that token may be trusted: it is for somebody else, who verifies it.

AWS documents the exchange as an API operation (GetDerivedToken) and says that the token endpoint has it too, without
naming the parameters there. They are taken from RFC 8693, and are unconfirmed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from cognito_oidc.errors import ConfigurationError, ProtocolError, clean_server_text, shown
from cognito_oidc.protocol.authorization import check_scopes
from cognito_oidc.protocol.tokens import MAX_EXPIRES_IN, MAX_TOKEN, TokenText, parse_token_document, read_answer
from cognito_oidc.protocol.wire import Endpoint, form_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cognito_oidc.protocol.client_authentication import ClientAuthentication
    from cognito_oidc.protocol.wire import HttpRequest, HttpResponse

TokenType = Literal["access_token", "id_token", "saml2"]
"""What may be exchanged: the last part of RFC 8693's identifiers. Source: AWS, GetDerivedToken, SubjectTokenType."""

IssuedTokenType = Literal["access_token", "id_token"]
"""What may come back. Source: AWS, GetDerivedToken, RequestedTokenType."""

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
"""Source: RFC 8693 section 2.1."""

_PREFIX: Final = "urn:ietf:params:oauth:token-type:"
_EXCHANGED: Final = ("access_token", "id_token", "saml2")
_ISSUED: Final = ("access_token", "id_token")
# AWS, GetDerivedToken: the characters of a token (a SAML assertion is in base64), and of Audiences and Resources.
_TOKEN: Final = r"[A-Za-z0-9_+/=.-]+"
_TARGET: Final = r"[\x21\x23-\x5b\x5d-\x7e]{1,256}"
_WHAT: Final = "the token answer"


class _ExchangeAnswer(BaseModel):
    """The members of a good answer that we read. Source: RFC 8693 section 2.2.1."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    access_token: TokenText
    token_type: str
    issued_token_type: str | None = None
    expires_in: Annotated[int, Field(gt=0, le=MAX_EXPIRES_IN)] | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangedToken:
    """The token that was issued for another. Provisional. Its repr and str do not show it.

    Attributes:
        token: For the service it was asked for, which verifies it. A secret.
        issued_token_type: `"access_token"` or `"id_token"`; another identifier as it came; None where none came.
        token_type: `"Bearer"`, or `"N_A"` where it is none to call an API with.
        expires_at: When it ends to be good, epoch seconds UTC; None where the answer does not say.
        scopes: What it grants; None where the answer does not say: then what was asked for.

    Source: RFC 8693 section 2.2.1.
    """

    token: str = field(repr=False)
    issued_token_type: str | None
    token_type: str
    expires_at: float | None
    scopes: tuple[str, ...] | None


def token_exchange_request(
    subject_token: str,
    *,
    subject_token_type: TokenType,
    token_endpoint: str,
    authentication: ClientAuthentication,
    actor_token: str | None = None,
    actor_token_type: TokenType | None = None,
    requested_token_type: IssuedTokenType | None = None,
    audience: str | None = None,
    resource: str | None = None,
    scopes: str | Iterable[str] | None = None,
    extra_parameters: Mapping[str, str] | None = None,
) -> HttpRequest:
    """Return the request that exchanges a token. Provisional. It is not repeated: what that does is not documented.

    Args:
        subject_token: The token of the party on whose behalf the new one is asked for; a SAML assertion in base64.
        subject_token_type: What it is.
        token_endpoint: Absolute URL.
        authentication: How the app client authenticates.
        actor_token: The token of who acts for that party; the issued one then has the claim `act`.
        actor_token_type: What it is; needed with `actor_token`, refused without.
        requested_token_type: What to issue; None leaves it to the server.
        audience: Name of the service the token is for; not together with `resource`.
        resource: Identifier of the resource server the token is for.
        scopes: What to ask for; the subject's and the app client's limit it. None asks for all the subject has.
        extra_parameters: Further members of the form, for what nobody has documented yet.

    Raises:
        ConfigurationError: Arguments that do not go together, or that no token, type, target or scope can be.

    Source: RFC 8693 section 2.1; AWS, API reference GetDerivedToken.
    """
    form = [("grant_type", GRANT_TYPE), *authentication.form]
    form += _token_members("subject_token", subject_token, subject_token_type)
    if (actor_token is None) != (actor_token_type is None):
        msg = "actor_token and actor_token_type go together: pass both or neither."
        raise ConfigurationError(msg)
    if actor_token is not None:
        form += _token_members("actor_token", actor_token, actor_token_type)
    if requested_token_type is not None:
        form.append(("requested_token_type", _type_identifier("requested_token_type", requested_token_type, _ISSUED)))
    if audience is not None and resource is not None:
        msg = "A token is exchanged for an audience or for a resource, not both."
        raise ConfigurationError(msg)
    for name, value in (("audience", audience), ("resource", resource)):
        if value is not None:
            form.append((name, _target(name, value)))
    if scopes is not None:
        form.append(("scope", " ".join(check_scopes(scopes))))
    form += _extra_members(extra_parameters or {}, {name for name, _ in form})
    return form_request(token_endpoint, form, endpoint=Endpoint.TOKEN, headers=authentication.headers)


def parse_token_exchange_response(
    response: HttpResponse,
    *,
    received_at: float,
    requested_token_type: IssuedTokenType | None,
    secrets: tuple[str, ...] = (),
) -> ExchangedToken:
    """Return the token of an answer. Provisional.

    Args:
        response: The answer of the token endpoint.
        received_at: When it arrived, epoch seconds UTC; `expires_in` counts from here.
        requested_token_type: What was asked for; the other kind is refused.
        secrets: What was sent and must not appear in an error.

    Raises:
        OAuthError: The server said no.
        ProtocolError: The answer is neither a token nor an error, or a token of another kind than was asked for.
        TransportError: A 5xx, or an answer of something in between.

    Source: RFC 8693 sections 2.2.1 and 2.2.2; AWS, API reference GetDerivedToken, TokenType and IssuedTokenType.
    """
    document = parse_token_document(response, grant="token_exchange", secrets=secrets)
    answer = read_answer(_ExchangeAnswer, document)
    token_type = {"bearer": "Bearer", "n_a": "N_A"}.get(answer.token_type.lower())
    if token_type is None:
        came = shown(clean_server_text(answer.token_type, limit=40))
        msg = f"Cannot use {_WHAT}: expected token_type 'Bearer' or 'N_A', got {came}."
        raise ProtocolError(msg)
    issued = answer.issued_token_type
    issued = None if issued is None else clean_server_text(issued.removeprefix(_PREFIX))
    if requested_token_type is not None and issued in _ISSUED and issued != requested_token_type:
        msg = f"Cannot use {_WHAT}: expected the issued_token_type {requested_token_type!r}, got {issued!r}."
        raise ProtocolError(msg)
    return ExchangedToken(
        token=answer.access_token,
        issued_token_type=issued,
        token_type=token_type,
        expires_at=None if answer.expires_in is None else received_at + answer.expires_in,
        scopes=None if answer.scope is None else tuple(answer.scope.split()),
    )


def _token_members(name: str, token: str, kind: object) -> list[tuple[str, str]]:
    if not isinstance(token, str) or len(token) > MAX_TOKEN or re.fullmatch(_TOKEN, token) is None:
        msg = f"{name} is empty or no token: expected letters, digits and '-_+/=.', at most {MAX_TOKEN} of them."
        raise ConfigurationError(msg)
    return [(name, token), (f"{name}_type", _type_identifier(f"{name}_type", kind, _EXCHANGED))]


def _type_identifier(name: str, kind: object, known: tuple[str, ...]) -> str:
    if kind not in known:
        msg = f"{name} {shown(kind)}: expected one of {', '.join(map(repr, known))}."
        raise ConfigurationError(msg)
    return f"{_PREFIX}{kind}"


def _target(name: str, value: str) -> str:
    if not isinstance(value, str) or re.fullmatch(_TARGET, value) is None:
        msg = f"{name} {shown(value)}: expected 1 to 256 visible ASCII characters without quotes and backslashes."
        raise ConfigurationError(msg)
    return value


def _extra_members(extra: Mapping[str, str], taken: set[str]) -> list[tuple[str, str]]:
    if not isinstance(extra, Mapping) or not all(
        isinstance(text, str) and text.isprintable() for member in extra.items() for text in member
    ):
        msg = "extra_parameters: expected a mapping of printable texts to printable texts."
        raise ConfigurationError(msg)
    reserved = {*taken, "client_secret", "actor_token", "actor_token_type"}
    if doubled := sorted(reserved.intersection(extra)):
        msg = f"extra_parameters: {', '.join(doubled)} cannot be set here."
        raise ConfigurationError(msg)
    return list(extra.items())
