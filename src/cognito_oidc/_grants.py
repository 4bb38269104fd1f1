"""What the token endpoint gives for a code, for a refresh token, and to a machine: from the secret to verified tokens.

Decides the order in which a grant is prepared, sent, verified and, where that fails, kept; and that nothing which may
take long stands between using something up and having what came for it. Decides nothing about which callback or which
tokens a caller may hand in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_oidc._app_client_credentials import secrets_of
from cognito_oidc._arrived_answers import ArrivedAnswers
from cognito_oidc._own_tokens import check_same_person
from cognito_oidc._shield import run_shielded
from cognito_oidc.errors import ExpiredTokenError, InvalidGrantError, ProtocolError
from cognito_oidc.protocol.oauth_errors import likely_causes_of_code
from cognito_oidc.protocol.tokens import (
    TokenSet,
    client_credentials_request,
    code_exchange_request,
    keep_refresh_token,
    parse_token_response,
    refresh_request,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cognito_oidc._app_client_credentials import AppClientCredentials
    from cognito_oidc._own_tokens import OwnTokens
    from cognito_oidc._transport import Transport
    from cognito_oidc.protocol.callback import AuthorizationCode
    from cognito_oidc.protocol.client_authentication import ClientAuthentication
    from cognito_oidc.protocol.metadata import ProviderMetadata
    from cognito_oidc.protocol.wire import HttpRequest

    Likely = Callable[[str], tuple[str, ...]]


class Grants:
    """The three grants of one app client."""

    def __init__(
        self,
        metadata: ProviderMetadata,
        *,
        transport: Transport,
        credentials: AppClientCredentials,
        own_tokens: OwnTokens,
        clock: Callable[[], float],
    ) -> None:
        """Take what a grant needs."""
        self.arrived = ArrivedAnswers()
        self._metadata = metadata
        self._transport = transport
        self._credentials = credentials
        self._own_tokens = own_tokens
        self._clock = clock

    async def exchange(self, code: AuthorizationCode) -> TokenSet:
        """Return the verified tokens for a code, which is sent once."""
        request = code.request
        endpoint = self._metadata.require("token_endpoint")
        expects_id_token = "openid" in request.scopes
        if expects_id_token:
            await self._own_tokens.load_keys()
        me = await self._credentials.read()

        async def exchange() -> TokenSet:
            tokens = await self._tokens(
                lambda who: code_exchange_request(code, token_endpoint=endpoint, authentication=who),
                me,
                grant="authorization_code",
                secrets=(code.code, request.code_verifier),
                likely=lambda error: likely_causes_of_code(
                    error, request_age=self._clock() - request.created_at, scopes=request.scopes
                ),
            )
            if expects_id_token and tokens.id_token is None:
                msg = "Cannot use the token answer: openid was asked for and no ID token came."
                raise ProtocolError(msg)
            return await self._own_tokens.verified(tokens, nonce=request.nonce, max_age=request.max_age)

        return await run_shielded(exchange)

    async def prepare_refresh(
        self, tokens: TokenSet | str | None
    ) -> Callable[[TokenSet | str | None], Awaitable[TokenSet]]:
        """Do what a refresh needs and what may take long, before anything is used up; return what sends it."""
        endpoint = self._metadata.require("token_endpoint")
        if isinstance(tokens, TokenSet) and tokens.claims is not None:
            await self._own_tokens.load_keys()
        me = await self._credentials.read()

        async def send(tokens: TokenSet | str | None) -> TokenSet:
            token = self._own_tokens.refresh_token_of(tokens)
            old = tokens.claims if isinstance(tokens, TokenSet) else None

            async def accept(answer: TokenSet) -> TokenSet:
                try:
                    new = await self._own_tokens.verified(answer, nonce=None, max_age=None)
                except BaseException as error:
                    self.arrived.keep_after(error, token, answer)
                    raise
                check_same_person(old, new.claims)
                return new

            async def exchange() -> TokenSet:
                latest = self.arrived.take(token)
                if isinstance(latest, TokenSet):
                    try:
                        return await accept(latest)
                    except ExpiredTokenError:  # it waited too long; the refresh token in it did not
                        self.arrived.take(token)
                        sent = latest.refresh_token or token
                else:
                    sent = latest
                try:
                    answer = await self._tokens(
                        lambda who: refresh_request(sent, token_endpoint=endpoint, authentication=who),
                        me,
                        grant="refresh_token",
                        secrets=(token, sent),
                    )
                except BaseException as error:
                    if sent != token and not isinstance(error, InvalidGrantError):
                        self.arrived.keep(token, sent)
                    raise
                return await accept(keep_refresh_token(answer, sent))

            return await run_shielded(exchange)

        return send

    async def prepare_client_credentials(
        self, names: tuple[str, ...] | None, client_metadata: Mapping[str, str] | None = None
    ) -> Callable[[TokenSet | None], Awaitable[TokenSet]]:
        """Do the same for a machine token."""
        endpoint = self._metadata.require("token_endpoint")
        me = await self._credentials.read()

        async def send(_: TokenSet | None) -> TokenSet:
            return await self._tokens(
                lambda who: client_credentials_request(
                    names, token_endpoint=endpoint, authentication=who, client_metadata=client_metadata
                ),
                me,
                grant="client_credentials",
                secrets=(),
            )

        return send

    async def _tokens(
        self,
        build: Callable[[ClientAuthentication], HttpRequest],
        who: ClientAuthentication,
        *,
        grant: str,
        secrets: tuple[str, ...],
        likely: Likely | None = None,
    ) -> TokenSet:
        async def attempt(who: ClientAuthentication) -> TokenSet:
            response = await self._transport.send(build(who))
            return parse_token_response(
                response,
                received_at=self._clock(),
                grant=grant,
                secrets=secrets_of(who, *secrets),
                likely=likely,
            )

        return await self._credentials.authenticated(attempt, who)
