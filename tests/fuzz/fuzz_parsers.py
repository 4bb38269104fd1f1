"""Fuzz the parsers: any octets give a value or a `CognitoOidcError`, and no error repeats a secret that was sent.

The first octet of an input chooses the parser; then come, line by line, a status, a content type, another header, and
the rest is the body. `engine.py` says how it is run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_oidc import AuthorizationRequest, TokenSet, UserPool, parse_bearer_token, peek_state
from cognito_oidc.errors import CognitoOidcError
from cognito_oidc.protocol.authorization import authorization_request
from cognito_oidc.protocol.authorize_answer import parse_authorize_answer
from cognito_oidc.protocol.callback import parse_callback
from cognito_oidc.protocol.jwks import parse_jwks_response
from cognito_oidc.protocol.metadata import parse_provider_metadata
from cognito_oidc.protocol.stored_token import StoredToken
from cognito_oidc.protocol.token_exchange import parse_token_exchange_response
from cognito_oidc.protocol.tokens import parse_revocation_response, parse_token_response
from cognito_oidc.protocol.userinfo import parse_userinfo_response
from cognito_oidc.protocol.wire import HttpResponse, parse_json_object
from tests.fuzz import engine

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET: Final = "canary7secret7canary7secret7canary"
POOL: Final = UserPool("eu-west-1_AbC123", domain="acme")
CLIENT_ID: Final = "1example23456789"
KEY: Final = bytes(range(32))
REQUEST: Final = authorization_request(
    authorization_endpoint=POOL.authorization_endpoint,
    issuer=POOL.issuer,
    client_id=CLIENT_ID,
    redirect_uri="https://app.example.com/callback",
    scopes=("openid",),
    now=1_000.0,
    random_bytes=bytes,  # zeros: the same request in every run, so that a corpus can hold its state
)


def _callback(response: HttpResponse) -> object:
    text = response.body.decode("utf-8", "surrogateescape")
    return parse_callback(
        text, REQUEST, now=1_001.0, max_request_age=600, client_id=CLIENT_ID, issuers=tuple(POOL.accepted_issuers)
    )


def _text(response: HttpResponse) -> str:
    return response.body.decode("utf-8", "surrogateescape")


PARSERS: Final[tuple[Callable[[HttpResponse], object], ...]] = (
    _callback,
    lambda response: parse_token_response(response, received_at=1_000.0, grant="authorization_code", secrets=(SECRET,)),
    lambda response: parse_token_response(response, received_at=1_000.0, grant="refresh_token", secrets=(SECRET,)),
    lambda response: parse_token_exchange_response(
        response, received_at=1_000.0, requested_token_type=None, secrets=(SECRET,)
    ),
    lambda response: parse_revocation_response(response, secrets=(SECRET,)),
    lambda response: parse_userinfo_response(response, expected_sub="44e8b438"),
    lambda response: parse_provider_metadata(response, pool=POOL),
    lambda response: parse_jwks_response(response, may_be_unchanged=True),
    lambda response: parse_authorize_answer(response, endpoint=POOL.authorization_endpoint),
    lambda response: parse_json_object(response.body, what="the document"),
    lambda response: StoredToken.from_json(response.body),
    lambda response: TokenSet.from_dict(parse_json_object(response.body, what="the tokens")),
    lambda response: AuthorizationRequest.unseal(_text(response), KEY),
    lambda response: peek_state(_text(response)),
    lambda response: parse_bearer_token(_text(response)),
    lambda response: UserPool(_text(response)),
    lambda response: UserPool.from_issuer(_text(response)),
    lambda response: UserPool(POOL.pool_id, domain=_text(response)),
)

TOLD_THE_SECRET: Final = PARSERS[1:5]  # they are given what was sent, and must not repeat it


def check(data: bytes) -> None:
    """Parse an input; anything but a value or an error of ours goes up, and so does an error that tells a secret."""
    number, *lines = data[:1] or b"\0", *data[1:].split(b"\n", 3)
    status, kind, header, body = [*lines, b"", b"", b"", b""][:4]
    name, _, value = header.decode("latin-1").partition(":")
    response = HttpResponse(
        status=int(status) if status.isdigit() and len(status) < 4 else 200,
        headers={"content-type": kind.decode("latin-1"), name.lower(): value.strip()},
        body=body,
    )
    try:
        PARSERS[number[0] % len(PARSERS)](response)
    except CognitoOidcError as error:
        if PARSERS[number[0] % len(PARSERS)] not in TOLD_THE_SECRET:
            return  # what a caller configures is shown in a message, and the corpus's own secret may get there
        told = " ".join((str(error), repr(error), *error.explain(), str(error.__cause__ or "")))
        if SECRET in told:
            raise AssertionError(told) from error


if __name__ == "__main__":
    engine.main("parsers", check)
