"""The relying party's half: log people in, keep their tokens, get machine tokens, log out.

Decides the order of calls: build, send, parse, verify. Decides nothing about what is sent or accepted; that is the
protocol's.
"""

from __future__ import annotations

import secrets as random_source
import time
from enum import Enum
from typing import TYPE_CHECKING, Final, Self, overload

from cognito_oidc._app_client_credentials import AppClientCredentials, secrets_of
from cognito_oidc._grants import Grants
from cognito_oidc._own_tokens import OwnTokens
from cognito_oidc._token_sources import Refreshing, TokenSources
from cognito_oidc._transport import Transport
from cognito_oidc.errors import (
    ConfigurationError,
    shown,
    shown_number,
)
from cognito_oidc.protocol import authorization
from cognito_oidc.protocol.callback import parse_callback, peek_state
from cognito_oidc.protocol.client_authentication import check_client_id
from cognito_oidc.protocol.logout import logout_and_login_url, logout_url
from cognito_oidc.protocol.metadata import ProviderMetadata, discovery_request, parse_provider_metadata
from cognito_oidc.protocol.provider import UserPool
from cognito_oidc.protocol.token_exchange import parse_token_exchange_response, token_exchange_request
from cognito_oidc.protocol.tokens import (
    TokenSet,
    parse_revocation_response,
    revocation_request,
)
from cognito_oidc.protocol.userinfo import parse_userinfo_response, userinfo_request
from cognito_oidc.verifier import TokenVerifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    import httpx

    from cognito_oidc._app_client_credentials import ClientSecret
    from cognito_oidc._http_client import AsyncHttpClient
    from cognito_oidc.protocol.authorization import AuthorizationRequest
    from cognito_oidc.protocol.callback import Callback
    from cognito_oidc.protocol.client_authentication import ClientAuthentication, TokenEndpointAuthMethod
    from cognito_oidc.protocol.token_exchange import ExchangedToken, IssuedTokenType, TokenType
    from cognito_oidc.protocol.userinfo import UserInfo
    from cognito_oidc.token_source import TokenSource
    from cognito_oidc.token_store import TokenStore


class NotWritten(Enum):
    """Stands for an argument that was left out, where None means something."""

    NOT_WRITTEN = "not written"

    def __repr__(self) -> str:
        """Show it as a signature should."""
        return self.name


_NOT_WRITTEN: Final = NotWritten.NOT_WRITTEN

MAX_REQUEST_AGE = 600.0
"""Seconds between an authorization request and its callback. Ours; Cognito's own pages give up after five minutes."""


class CognitoClient:
    """An app client of a user pool, as a relying party.

    Every authorization request carries S256 PKCE, `state` and `nonce`; no switch turns them off. Tokens are returned
    only after the ID token was verified. A cancelled call finishes its exchange first, so that no answer is lost.
    """

    def __init__(
        self,
        pool: UserPool,
        *,
        client_id: str,
        client_secret: ClientSecret | None = None,
        redirect_uri: str | None = None,
        scopes: str | Iterable[str] = ("openid",),
        token_endpoint_auth_method: TokenEndpointAuthMethod | None = None,
        identity_providers: Iterable[str] | None = None,
        metadata: ProviderMetadata | None = None,
        verifier: TokenVerifier | None = None,
        http_client: httpx.AsyncClient | AsyncHttpClient | None = None,
        leeway: float = 0,
        max_request_age: float = MAX_REQUEST_AGE,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Configure a client; nothing is sent yet.

        Args:
            pool: The user pool.
            client_id: The app client's id.
            client_secret: Its secret: a text, a pydantic `SecretStr`, or a callable (async or not) that returns one and
                is asked again once after `invalid_client`. None for a public client.
            redirect_uri: One of the app client's callback URLs; needed to log people in.
            scopes: What to ask for unless a request says otherwise.
            token_endpoint_auth_method: None chooses `client_secret_post` with a secret and `none` without.
            identity_providers: The names of the pool's providers; another name is then refused with a suggestion.
            metadata: Discovered metadata, whose endpoints replace the computed ones.
            verifier: Verifies ID tokens of the same pool; None makes one for this app client.
            http_client: An `httpx.AsyncClient`, or a client of that shape; it is not closed.
            leeway: Seconds by which a token may have expired.
            max_request_age: Seconds between an authorization request and its callback.
            clock: Returns epoch seconds UTC, for tests.

        Raises:
            ConfigurationError: An argument cannot be right.
        """
        if not isinstance(pool, UserPool):
            msg = (
                f"CognitoClient needs a UserPool, got {shown(pool)}: write UserPool('eu-west-1_AbC123', domain='acme')."
            )
            raise ConfigurationError(msg)
        self._pool = pool
        self._client_id = check_client_id(client_id)
        self._credentials = AppClientCredentials(client_id, client_secret, token_endpoint_auth_method)
        self._redirect_uri = redirect_uri
        if redirect_uri is not None:
            authorization.check_redirect_uri(redirect_uri, what="redirect_uri")
        self._scopes = authorization.check_scopes(scopes)
        if identity_providers is not None:
            identity_providers = authorization.check_identity_providers(identity_providers)
        self._identity_providers = identity_providers
        if metadata is not None and not isinstance(metadata, ProviderMetadata):
            msg = f"metadata= expects what discover() returns, got {shown(metadata)}."
            raise ConfigurationError(msg)
        if metadata is not None and metadata.issuer not in pool.accepted_issuers:
            msg = f"metadata= is of {shown(metadata.issuer)}, not of {pool.issuer!r}."
            raise ConfigurationError(msg)
        self._metadata = metadata or pool.metadata
        self._transport = Transport(http_client)
        if isinstance(max_request_age, bool) or not isinstance(max_request_age, int | float) or not max_request_age > 0:
            msg = f"max_request_age: expected seconds, more than 0, got {shown_number(max_request_age)}."
            raise ConfigurationError(msg)
        self._max_request_age = max_request_age
        if clock is not None and not callable(clock):
            msg = f"clock: expected a callable that returns epoch seconds, got {shown(clock)}."
            raise ConfigurationError(msg)
        self._clock = clock or time.time
        if verifier is None:
            verifier = TokenVerifier(pool, client_ids=(client_id,), leeway=leeway, http_client=http_client, clock=clock)
        self._own_tokens = OwnTokens(pool, client_id=client_id, verifier=verifier, clock=self._clock)
        self._grants = Grants(
            self._metadata,
            transport=self._transport,
            credentials=self._credentials,
            own_tokens=self._own_tokens,
            clock=self._clock,
        )
        self._sources = TokenSources(
            pool.pool_id,
            client_id,
            self._scopes,
            Refreshing(
                self._grants.prepare_refresh,
                self._grants.arrived.refresh_token_for,
                self._own_tokens.check,
                revoke=self.revoke,
            ),
            clock=self._clock,
        )

    @property
    def pool(self) -> UserPool:
        """The user pool."""
        return self._pool

    @property
    def client_id(self) -> str:
        """The app client's id."""
        return self._client_id

    def __repr__(self) -> str:
        """Show whose client it is."""
        return f"CognitoClient({self._pool!r}, client_id={self._client_id!r})"

    async def __aenter__(self) -> Self:
        """Do nothing yet: connections are made at the first send."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close what was opened here."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the HTTP client that was made here; a borrowed one stays open."""
        await self._transport.aclose()

    def authorization_request(
        self,
        *,
        identity_provider: str | None = None,
        idp_identifier: str | None = None,
        login_hint: str | None = None,
        prompt: str | Iterable[str] | None = None,
        lang: str | None = None,
        max_age: int | None = None,
        acr_values: str | Iterable[str] | None = None,
        resource: str | None = None,
        scopes: str | Iterable[str] | None = None,
        app_state: Mapping[str, object] | None = None,
        redirect_uri: str | None = None,
    ) -> AuthorizationRequest:
        """Return a new authorization request; send the browser to its `url` and keep the rest until it comes back.

        Args:
            identity_provider: `"COGNITO"`, a social provider, or the name of a SAML or OIDC provider; case counts.
            idp_identifier: One of the identifiers of a provider instead of its name.
            login_hint: User name or e-mail address to fill in.
            prompt: `"none"` alone, or a combination of `"login"`, `"select_account"` and `"consent"`.
            lang: Language of managed login, such as `"pt-BR"`.
            max_age: Seconds since the last sign-in after which the person signs in again; checked in the ID token.
            acr_values: Authentication contexts, the most wanted first.
            resource: The one resource server the access token is for.
            scopes: Instead of the client's own.
            app_state: JSON values to find again at the callback; they travel in the seal, never in `state`.
            redirect_uri: Instead of the client's own.

        Raises:
            ConfigurationError: A parameter Cognito would refuse, ignore or mangle; or no `redirect_uri` at all.

        Source: RFC 6749 section 4.1.1; OpenID Connect Core 1.0 section 3.1.2.1.
        """
        uri = redirect_uri or self._redirect_uri
        if uri is None:
            msg = "redirect_uri is missing: pass it to CognitoClient or to authorization_request."
            raise ConfigurationError(msg)
        return authorization.authorization_request(
            authorization_endpoint=self._metadata.require("authorization_endpoint"),
            issuer=self._pool.issuer,
            client_id=self._client_id,
            redirect_uri=uri,
            scopes=self._scopes if scopes is None else scopes,
            now=self._clock(),
            random_bytes=random_source.token_bytes,
            identity_provider=identity_provider,
            idp_identifier=idp_identifier,
            identity_providers=self._identity_providers,
            login_hint=login_hint,
            prompt=prompt,
            lang=lang,
            max_age=max_age,
            acr_values=acr_values,
            resource=resource,
            app_state=app_state,
        )

    def peek_state(self, callback: Callback) -> str | None:
        """Return the `state` of a callback, unchecked, to find the stored request by.

        Raises:
            CallbackError: The callback cannot be read.
        """
        return peek_state(callback)

    async def exchange_code(self, callback: Callback, request: AuthorizationRequest) -> TokenSet:
        """Return the tokens for a callback, after every check of the callback and of the ID token.

        Args:
            callback: The URL the browser came back with, or its query as a mapping.
            request: The request that was kept.

        Raises:
            CallbackError: The callback cannot be used (`StateMismatchError`, `AuthorizationDeniedError` among them).
            OAuthError: Cognito refused the code (`InvalidGrantError`, `InvalidClientError` among them).
            TokenVerificationError: The ID token must not be trusted.
            KeysUnavailableError: There are no keys to verify it with, and they cannot be had. Mostly nothing was sent.
            ProtocolError: The answer breaks the protocol.
            TransportError: No usable answer. The code may be used up: start again.

        Source: RFC 6749 section 4.1.3; OpenID Connect Core 1.0 sections 3.1.3.5 and 3.1.3.7.
        """
        code = parse_callback(
            callback,
            request,
            now=self._clock(),
            max_request_age=self._max_request_age,
            client_id=self._client_id,
            issuers=self._pool.accepted_issuers,
        )
        return await self._grants.exchange(code)

    async def refresh(self, tokens: TokenSet | str) -> TokenSet:
        """Return new tokens. The refresh token is the new one where one came (rotation), else the old one.

        Args:
            tokens: The tokens, or a refresh token. With tokens that have claims, the new ID token must be of the same
                person.

        Raises:
            InvalidGrantError: The refresh token is no longer good: send the person to log in.
            OAuthError: Cognito refused otherwise.
            TokenVerificationError: The new ID token must not be trusted, or is another person's. Where it is not, a
                refresh token that came with it is kept for the next call with the same one.
            KeysUnavailableError: There are no keys to verify it with, and they cannot be had. Nothing is lost: the same
                call goes on where this one ended.
            TransportError: No usable answer. With rotation on, the old refresh token may be used up.
            ConfigurationError: There is no refresh token, or the tokens are another pool's or app client's.

        Source: RFC 6749 section 6; OpenID Connect Core 1.0 section 12.2.
        """
        self._own_tokens.refresh_token_of(tokens)
        send = await self._grants.prepare_refresh(tokens)
        return await send(tokens)

    async def client_credentials(
        self, *, scopes: str | Iterable[str] | None = None, client_metadata: Mapping[str, str] | None = None
    ) -> TokenSet:
        """Return a machine token.

        Args:
            scopes: Custom scopes, `{resource server identifier}/{name}`; None asks for all the client has.
            client_metadata: For the pre-token-generation Lambda (`aws_client_metadata`).

        Raises:
            ConfigurationError: A public client, or a scope no machine can have.
            OAuthError: Cognito refused.
            TransportError: No usable answer.

        Source: RFC 6749 section 4.4.
        """
        names = None if scopes is None else authorization.check_scopes(scopes)
        send = await self._grants.prepare_client_credentials(names, client_metadata)
        return await send(None)

    def token_source(
        self, tokens: TokenSet | None = None, *, store: TokenStore | None = None, key: str | None = None
    ) -> TokenSource:
        """Return a source of access tokens for a person's session, which renews them when it must.

        Of `tokens` and what the store has the newer ones are used; after a new sign-in call `replace` on the source.
        Sources of the same store and key are one and the same as long as anybody has it. Nothing is read yet.

        Args:
            tokens: The tokens to begin with. None for a session that is in the store.
            store: Where they are kept, and shared with other processes. None keeps them in memory; with refresh token
                rotation on, no other process may have the same ones then.
            key: What the session is kept under. It must be written with `store`: who has the key has the session.

        Raises:
            ConfigurationError: The tokens are another pool's or app client's, or `store` and `key` do not go together.
        """
        return self._sources.of_session(tokens, store=store, key=key)

    def client_credentials_source(
        self, scopes: str | Iterable[str] | None = None, *, store: TokenStore | None = None
    ) -> TokenSource:
        """Return the source of this machine's access tokens for some scopes: for the same ones always the same source.

        Args:
            scopes: Custom scopes, `{resource server identifier}/{name}`; None asks for all the client has.
            store: Where tokens are kept for other processes of the same app client, which then need not ask: Cognito
                bills each machine token. Where it fails, tokens are asked for without it.

        Raises:
            ConfigurationError: No scopes, or not separated by spaces.
        """
        names = None if scopes is None else tuple(sorted(set(authorization.check_scopes(scopes))))
        return self._sources.of_machine(names, lambda _: self._grants.prepare_client_credentials(names), store=store)

    async def exchange_token(
        self,
        subject_token: str,
        *,
        subject_token_type: TokenType,
        actor_token: str | None = None,
        actor_token_type: TokenType | None = None,
        requested_token_type: IssuedTokenType | None = None,
        audience: str | None = None,
        resource: str | None = None,
        scopes: str | Iterable[str] | None = None,
        extra_parameters: Mapping[str, str] | None = None,
    ) -> ExchangedToken:
        """Exchange a token for one that is meant for a certain service. Provisional: it may change in any version.

        AWS documents this as the API operation GetDerivedToken and says that the token endpoint has it too. How the
        parameters are named there is unconfirmed: they follow RFC 8693, and so does the answer, whose `token_type` is
        `Bearer` or `N_A`. How a foreign provider of the subject token is named is unknown: `extra_parameters` is for
        that. The app client needs `ALLOW_TOKEN_EXCHANGE_IMPERSONATION`, or with an actor
        `ALLOW_TOKEN_EXCHANGE_DELEGATION`. The new token is not verified here: it is for who it was asked for.

        Args:
            subject_token: The token of the party on whose behalf the new one is asked for; a SAML assertion in base64.
            subject_token_type: `"access_token"`, `"id_token"` or `"saml2"`.
            actor_token: The token of who acts for that party; the issued one then has the claim `act`.
            actor_token_type: What it is; needed with `actor_token`, refused without.
            requested_token_type: `"access_token"` or `"id_token"`; None leaves it to Cognito.
            audience: Name of the service the token is for; not together with `resource`.
            resource: Identifier of the resource server the token is for.
            scopes: What to ask for; the subject's and the app client's limit it. None asks for all the subject has.
            extra_parameters: Further members of the form, for what nobody has documented yet.

        Raises:
            ConfigurationError: Arguments that do not go together, or that no token, type, target or scope can be.
            OAuthError: Cognito refused.
            ProtocolError: The answer breaks the protocol, or is a token of another kind than was asked for.
            TransportError: No usable answer.

        Source: RFC 8693 section 2; AWS, API reference GetDerivedToken.
        """
        endpoint = self._metadata.require("token_endpoint")
        names = None if scopes is None else authorization.check_scopes(scopes)

        async def attempt(who: ClientAuthentication) -> ExchangedToken:
            request = token_exchange_request(
                subject_token,
                subject_token_type=subject_token_type,
                token_endpoint=endpoint,
                authentication=who,
                actor_token=actor_token,
                actor_token_type=actor_token_type,
                requested_token_type=requested_token_type,
                audience=audience,
                resource=resource,
                scopes=names,
                extra_parameters=extra_parameters,
            )
            return parse_token_exchange_response(
                await self._transport.send(request),
                received_at=self._clock(),
                requested_token_type=requested_token_type,
                secrets=secrets_of(who, *filter(None, (subject_token, actor_token))),
            )

        return await self._credentials.authenticated(attempt, await self._credentials.read())

    @overload
    async def userinfo(self, tokens: TokenSet, *, expected_sub: str | None = ...) -> UserInfo: ...

    @overload
    async def userinfo(self, tokens: str, *, expected_sub: str | None) -> UserInfo: ...

    async def userinfo(
        self,
        tokens: TokenSet | str,
        *,
        expected_sub: str | NotWritten | None = _NOT_WRITTEN,
    ) -> UserInfo:
        """Return the attributes of the person.

        Args:
            tokens: The tokens, whose ID token says who it must be; or an access token.
            expected_sub: Who it must be, where no ID token says so. None, which must be written, does not check it.

        Raises:
            ProtocolError: The answer is of another person, or no attributes.
            OAuthError: Cognito refused: the token expired, was revoked, or has no `openid` scope.
            TransportError: No usable answer.
            ConfigurationError: Nothing says who it must be, or the tokens are another pool's or app client's.

        Source: OpenID Connect Core 1.0 section 5.3.
        """
        self._own_tokens.check(tokens)
        access_token = tokens if isinstance(tokens, str) else tokens.access_token
        if isinstance(expected_sub, NotWritten):
            if isinstance(tokens, str) or tokens.claims is None:
                msg = "userinfo: without an ID token write expected_sub=, the person's sub, or None to check nothing."
                raise ConfigurationError(msg)
            expected_sub = tokens.claims.sub
        request = userinfo_request(access_token, userinfo_endpoint=self._metadata.require("userinfo_endpoint"))
        return parse_userinfo_response(await self._transport.send(request), expected_sub=expected_sub)

    async def revoke(self, tokens: TokenSet | str) -> None:
        """Revoke a refresh token and with it every token of its sign-in. Doing it again changes nothing.

        Tokens that were issued stay good for who verifies them offline, until they expire; and the browser's session
        stays, until it is sent to `logout_url`.

        Args:
            tokens: The tokens, or a refresh token.

        Raises:
            OAuthError: Cognito refused.
            TransportError: No usable answer.
            ConfigurationError: There is no refresh token, or the tokens are another pool's or app client's.

        Source: RFC 7009; AWS, "The token revocation endpoint".
        """
        token = self._own_tokens.refresh_token_of(tokens)
        endpoint = self._metadata.require("revocation_endpoint")

        async def attempt(who: ClientAuthentication) -> None:
            request = revocation_request(token, revocation_endpoint=endpoint, authentication=who)
            response = await self._transport.send(request)
            parse_revocation_response(response, secrets=secrets_of(who, token))

        await self._credentials.authenticated(attempt, await self._credentials.read())

    def logout_url(self, logout_uri: str | None = None, *, request: AuthorizationRequest | None = None) -> str:
        """Return the URL that ends Cognito's session of the browser it is sent to.

        It revokes no token. To let the person change accounts, rather send an authorization request with
        `prompt="select_account"` or `"login"`.

        Args:
            logout_uri: Where to go then; one of the app client's sign-out URLs, exactly as registered.
            request: Instead of it, show the login page for this request. Provisional: whether Cognito keeps the PKCE
                challenge there is unconfirmed.

        Raises:
            ConfigurationError: Neither or both are given, the URL could not have been registered, or the request is
                another app client's.

        Source: AWS, "The managed login sign-out endpoint".
        """
        endpoint = self._metadata.require("end_session_endpoint")
        if request is None and logout_uri is not None:
            return logout_url(end_session_endpoint=endpoint, client_id=self._client_id, logout_uri=logout_uri)
        if request is not None and logout_uri is None:
            return logout_and_login_url(end_session_endpoint=endpoint, client_id=self._client_id, request=request)
        msg = "logout_url needs logout_uri or request=, one of them."
        raise ConfigurationError(msg)

    async def discover(self) -> ProviderMetadata:
        """Return the metadata that the pool publishes; pass it as `metadata=` to use it.

        Raises:
            ProtocolError: It is another issuer's, or no metadata.
            TransportError: No usable answer.

        Source: OpenID Connect Discovery 1.0 section 4.
        """
        response = await self._transport.send(discovery_request(self._pool.discovery_url))
        return parse_provider_metadata(response, pool=self._pool)
