"""UserInfo: the request and the answer.

Decides how the person's attributes look, and that they are of the person who was expected. Decides nothing about
tokens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cognito_oidc.errors import ConfigurationError, OAuthError, ProtocolError, clean_error_code, clean_server_text
from cognito_oidc.protocol.encoding import load_object
from cognito_oidc.protocol.oauth_errors import clean_request_id, likely_causes, parse_oauth_error
from cognito_oidc.protocol.typed_claims import (
    Identity,
    freeze,
    lenient_bool,
    lenient_identities,
    lenient_int,
    lenient_str,
    thaw,
)
from cognito_oidc.protocol.wire import Endpoint, get_request, parse_json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.errors import CognitoOidcError
    from cognito_oidc.protocol.wire import HttpRequest, HttpResponse

_HTTP_OK: Final = 200
_UNAUTHORIZED: Final = 401
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_MAX_CHALLENGE: Final = 4096
_WHAT: Final = "the userInfo answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInfo:
    """The person's attributes, as far as the access token's scopes let them be read. Absent ones are None.

    Cognito sends every value as a string; here the two `_verified` attributes are booleans and `updated_at` is a
    number, in whichever form they came. `raw` keeps the wire.

    Attributes:
        sub: The user's id in the pool.
        username: The user's name in the pool.
        email: The e-mail address.
        email_verified: Whether it was verified; None is not False.
        phone_number: In E.164 form.
        phone_number_verified: Whether it was verified; None is not False.
        name: The full name.
        given_name: The given name.
        family_name: The family name.
        preferred_username: The preferred user name.
        identities: The accounts at other identity providers.
        updated_at: When the attributes were changed, epoch seconds UTC.
        raw: The whole answer, read-only.

    Source: OpenID Connect Core 1.0 sections 5.1 and 5.3.2; AWS, "The userInfo endpoint".
    """

    sub: str
    username: str | None
    email: str | None = field(repr=False)
    email_verified: bool | None
    phone_number: str | None = field(repr=False)
    phone_number_verified: bool | None
    name: str | None = field(repr=False)
    given_name: str | None = field(repr=False)
    family_name: str | None = field(repr=False)
    preferred_username: str | None = field(repr=False)
    identities: tuple[Identity, ...] = field(repr=False)
    updated_at: int | None
    raw: Mapping[str, object] = field(repr=False, hash=False)

    def __reduce__(self) -> tuple[object, ...]:
        """Support pickle and copy."""
        return _user_info, (thaw(self.raw),)


def userinfo_request(access_token: str, *, userinfo_endpoint: str) -> HttpRequest:
    """Return the request for the attributes of the person the token is of.

    Raises:
        ConfigurationError: The token cannot stand in a header.

    Source: OpenID Connect Core 1.0 section 5.3.1; RFC 6750 section 2.1.
    """
    if not isinstance(access_token, str) or re.fullmatch(r"[\x21-\x7e]+", access_token) is None:
        msg = "The access token is empty or no token: pass tokens.access_token as it was received."
        raise ConfigurationError(msg)
    return get_request(
        userinfo_endpoint, endpoint=Endpoint.USERINFO, headers=(("Authorization", f"Bearer {access_token}"),)
    )


def parse_userinfo_response(response: HttpResponse, *, expected_sub: str | None) -> UserInfo:
    """Return the attributes of an answer.

    Args:
        response: The answer of the userInfo endpoint.
        expected_sub: The `sub` of the ID token; None does not check it.

    Raises:
        ProtocolError: No attributes, or another person's.
        OAuthError: The server said no.
        TransportError: A 5xx, or an answer of something in between.

    Source: OpenID Connect Core 1.0 sections 5.3.2 to 5.3.4.
    """
    if response.status != _HTTP_OK:
        raise _refusal(response)
    document = parse_json_answer(response, what=_WHAT)
    sub = document.get("sub")
    if not isinstance(sub, str) or not sub:
        msg = f"Cannot use {_WHAT}: it has no sub."
        raise ProtocolError(msg)
    if expected_sub is not None and sub != expected_sub:
        msg = f"Cannot use {_WHAT}: it is of another person than expected (sub differs)."
        raise ProtocolError(
            msg,
            causes=(
                "The access token is not the one that came with this ID token: keep the two together.",
                "Somebody replaced one of them.",
            ),
        )
    return _user_info(document)


def _user_info(document: Mapping[str, object]) -> UserInfo:
    identities = document.get("identities")
    if isinstance(identities, str):  # a JSON text in a string, as Cognito sends every value
        try:
            identities = load_object(b'{"identities":' + identities.encode() + b"}")["identities"]
        except ValueError:
            identities = None
    text = {
        name: lenient_str(document.get(name))
        for name in ("username", "email", "phone_number", "name", "given_name", "family_name", "preferred_username")
    }
    return UserInfo(
        **text,
        sub=str(document["sub"]),
        email_verified=lenient_bool(document.get("email_verified")),
        phone_number_verified=lenient_bool(document.get("phone_number_verified")),
        identities=lenient_identities(identities),
        updated_at=lenient_int(document.get("updated_at")),
        raw=MappingProxyType({name: freeze(value) for name, value in document.items()}),
    )


def _refusal(response: HttpResponse) -> CognitoOidcError:
    """Return the exception for an answer that is not 200; what is wrong stands in its WWW-Authenticate header.

    Cognito's header has no scheme word in AWS's examples, so the parameters are looked for wherever they stand.

    Source: RFC 6750 section 3; AWS, "The userInfo endpoint", negative responses.
    """
    header = response.headers.get("www-authenticate", "")[:_MAX_CHALLENGE]
    challenge = {name.lower(): value for name, value in re.findall(r'\b([A-Za-z_]+)="([^"]*)"', header)}
    name = clean_error_code(challenge.get("error"))
    if name is None or response.status == _TOO_MANY or response.status >= _SERVER_ERROR:  # a challenge changes nothing
        return _with_status(parse_oauth_error(response, endpoint=Endpoint.USERINFO, grant="userinfo"))
    description = clean_server_text(challenge.get("error_description"))
    msg = f"The userinfo endpoint refused: {name}{f' ({description})' if description else ''}."
    refusal = OAuthError(
        msg,
        error=name,
        description=description,
        status=response.status,
        request_id=clean_request_id(response.headers),
        causes=likely_causes(name, "userinfo"),
    )
    return _with_status(refusal)


def _with_status(error: CognitoOidcError) -> CognitoOidcError:
    """Let a token that is no longer good be answered as such: with 401, and not as a fault of the server."""
    if isinstance(error, OAuthError) and error.error == "invalid_token":
        error.http_status = _UNAUTHORIZED
    return error
