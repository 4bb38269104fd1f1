"""User pools: their app clients, resource servers, identity providers and keys.

Decides which registrations Cognito would take, and is what a test holds in its hand. Its people are in `directory`;
what happens to a request is decided by the endpoints.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Unpack

from cognito_oidc.emulator.addresses import IDP_RESPONSE_PATH, domain_host, domain_root, production_issuer
from cognito_oidc.emulator.app_clients import LOCAL_USERS, EmulatedAppClient, as_tuple, checked_grants, checked_url
from cognito_oidc.emulator.directory import Directory
from cognito_oidc.emulator.ledger import Context, SignIn
from cognito_oidc.emulator.providers import build_provider
from cognito_oidc.emulator.tokens import (
    KeyRing,
    access_token_claims,
    id_token_claims,
    machine_token_claims,
)
from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from cognito_oidc import CognitoClient, UserPool
    from cognito_oidc.emulator.addresses import IssuerType
    from cognito_oidc.emulator.app_clients import Grant
    from cognito_oidc.emulator.control import Surroundings
    from cognito_oidc.emulator.directory import DirectorySettings
    from cognito_oidc.emulator.providers import OidcProvider, RequestMethod
    from cognito_oidc.emulator.users import EmulatedUser

_OIDC_SCOPES: Final = ("openid", "email", "phone", "profile")
_BUILT_IN_SCOPES: Final = frozenset({*_OIDC_SCOPES, "aws.cognito.signin.user.admin"})
# Patterns and limits of the AWS service model (botocore 1.44.5, service `cognito-idp`).
_RESOURCE_SERVER: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,256}")
_SCOPE_NAME: Final = re.compile(r"[\x21\x23-\x2E\x30-\x5B\x5D-\x7E]{1,256}")
_DEFAULT_REFRESH: Final = 2_592_000  # 30 days, in seconds
_DEFAULT_CLIENT: Final = "default"


class EmulatedPool(Directory):
    """One user pool; made by `CognitoEmulator.add_pool`.

    Attributes:
        pool_id: The pool's id, such as `eu-west-1_Orders001`.
        region: The AWS Region in front of the id's underscore.
        domain_prefix: The prefix of its domain, or None.
        custom_domain: The host name of its custom domain, or None.
        issuer_type: Which issuer its tokens carry.
        clients: App clients by client id.
        users: People by username.
        required_attributes: Names of the attributes that everybody must have.
        immutable_attributes: Names of the attributes that keep their first value.
        providers: Identity providers by name.
        self_sign_up: Whether people may sign up on the login page.
        password_policy: What passwords that people choose must have.
        messages: Codes that a real pool would have sent, oldest first.
        resource_servers: Scope names by resource server identifier.
        keys: The keys that sign its tokens.
        ledger: Its sessions, codes and refresh tokens.
        surroundings: The emulator that it lives in.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        pool_id: str,
        *,
        domain_prefix: str | None,
        custom_domain: str | None,
        issuer_type: IssuerType,
        **settings: Unpack[DirectorySettings],
    ) -> None:
        super().__init__(surroundings, pool_id, **settings)
        self.region: str = pool_id.partition("_")[0]
        self.domain_prefix = domain_prefix
        self.custom_domain = custom_domain
        self.issuer_type = issuer_type
        self.clients: dict[str, EmulatedAppClient] = {}
        self.resource_servers: dict[str, tuple[str, ...]] = {}
        self.keys: KeyRing = KeyRing(surroundings.next_key)

    def __repr__(self) -> str:
        return f"EmulatedPool({self.pool_id!r}, domain={domain_host(self)!r})"

    @property
    def issuer(self) -> str:
        """The issuer under production's hosts."""
        return production_issuer(self, self.issuer_type)

    @property
    def idp_response_url(self) -> str:
        """The callback URL that upstream providers must know, under production's hosts.

        Raises:
            ConfigurationError: The pool has no domain.
        """
        root = domain_root(self, None)
        if root is None:
            raise ConfigurationError(f"pool {self.pool_id} has no domain: federation needs one")
        return f"{root}{IDP_RESPONSE_PATH}"

    @property
    def user_pool(self) -> UserPool:
        """The pool's addresses under production's hosts, for the library's own clients and verifiers."""
        from cognito_oidc import UserPool

        domain = self.custom_domain or self.domain_prefix
        return UserPool(self.pool_id, domain=domain, issuer_type=self.issuer_type, fips=self._has_fips_domain)

    @property
    def _has_fips_domain(self) -> bool:
        return self.custom_domain is None and self.domain_prefix is not None and self.region.startswith("us-gov-")

    def add_client(
        self,
        name: str,
        *,
        redirect_uris: Iterable[str] = (),
        logout_uris: Iterable[str] = (),
        scopes: Iterable[str] | None = None,
        client_secret: bool | str | None = None,
        grants: Iterable[Grant] = ("code",),
        refresh_token_rotation: bool = False,
        retry_grace_period: int = 0,
        access_token_validity: int = 3_600,
        id_token_validity: int = 3_600,
        refresh_token_validity: int = _DEFAULT_REFRESH,
        token_revocation: bool = True,
        read_attributes: Iterable[str] | None = None,
        write_attributes: Iterable[str] | None = None,
        identity_providers: Iterable[str] = (LOCAL_USERS,),
    ) -> EmulatedAppClient:
        """Register an app client.

        Args:
            name: A name for people; several clients may share it.
            redirect_uris: Callback URLs: https, or http on loopback, or an application's own scheme.
            logout_uris: Sign-out URLs, of the same kinds.
            scopes: `openid`, `email`, `phone`, `profile`, `aws.cognito.signin.user.admin` or
                `{resource server}/{scope}`. Left out: the first four, or for a machine all scopes of the pool's
                resource servers.
            client_secret: True generates one, a string is the secret itself (24 to 64 letters, digits, `_` or `+`),
                False makes a public client. Left out: a secret for `client_credentials` only.
            grants: `code`, `implicit`, or `client_credentials` alone.
            refresh_token_rotation: Whether each refresh replaces the refresh token.
            retry_grace_period: Seconds, at most 60, for which a replaced refresh token still works.
            access_token_validity: Seconds, from 1 to 86,400.
            id_token_validity: The same.
            refresh_token_validity: Seconds, from 3,600 to 315,360,000.
            token_revocation: Whether `/oauth2/revoke` works for this client.
            read_attributes: Names of the attributes it may read; all when left out.
            write_attributes: Names of the attributes it may write, which those that are mapped from a provider must
                be of; all when left out.
            identity_providers: `COGNITO` for the pool's own directory, and names of `add_oidc_provider`.

        Raises:
            ConfigurationError: Cognito would refuse such an app client.
        """
        chosen = checked_grants(grants)
        machine = "client_credentials" in chosen
        if scopes is None:
            scopes = self.custom_scopes() if machine else _OIDC_SCOPES
        client = EmulatedAppClient(
            self,
            name,
            grants=chosen,
            scopes=self._checked_scopes(as_tuple("scopes", scopes), machine=machine),
            redirect_uris=as_tuple("redirect_uris", redirect_uris),
            logout_uris=as_tuple("logout_uris", logout_uris),
            client_secret=machine if client_secret is None else client_secret,
            refresh_token_rotation=refresh_token_rotation,
            retry_grace_period=retry_grace_period,
            access_token_validity=access_token_validity,
            id_token_validity=id_token_validity,
            refresh_token_validity=refresh_token_validity,
            token_revocation=token_revocation,
            read_attributes=frozenset(read_attributes) if read_attributes is not None else None,
            write_attributes=frozenset(write_attributes) if write_attributes is not None else None,
            identity_providers=self._checked_providers(as_tuple("identity_providers", identity_providers)),
        )
        if not machine and not client.redirect_uris:
            raise ConfigurationError(f"app client {name!r} needs redirect_uris: the browser must have somewhere to go")
        with self.surroundings.lock:
            self.clients[client.client_id] = client
        return client

    def add_oidc_provider(
        self,
        name: str,
        *,
        issuer: str | EmulatedPool,
        client_id: str,
        client_secret: str,
        scopes: Iterable[str] = ("openid",),
        attribute_mapping: Mapping[str, str] | None = None,
        attributes_request_method: RequestMethod = "GET",
        idp_identifiers: Iterable[str] = (),
        authorize_url: str | None = None,
        token_url: str | None = None,
        attributes_url: str | None = None,
        jwks_uri: str | None = None,
        acr_mapping: Mapping[str, str] | None = None,
    ) -> OidcProvider:
        """Register an OpenID provider whose people may sign in here; app clients name it in `identity_providers`.

        The emulator makes the calls to it by itself: in process to pools of the same emulator, over the network to
        any other. Register `idp_response_url` there.

        Args:
            name: 1 to 32 characters; usernames begin with it.
            issuer: Its issuer, or another pool of this emulator. Addresses of such a pool under production's hosts
                are taken for those of the running server where the browser came in there.
            client_id: This pool's client id there.
            client_secret: This pool's secret there, which is always sent in the form.
            scopes: What to ask for; `openid` must be among it.
            attribute_mapping: Claims by attribute name: `{"email": "email", "custom:tenant": "org"}`. Applied at each
                sign-in. Without `email_verified` a mapped address counts as unverified.
            attributes_request_method: How its userInfo is asked: `GET` for a Cognito pool.
            idp_identifiers: Names for the authorization request's `idp_identifier`.
            authorize_url: Its authorization endpoint. All four URLs, or none of them to discover them.
            token_url: Its token endpoint.
            attributes_url: Its userInfo endpoint.
            jwks_uri: Its key set.
            acr_mapping: The provider's `acr` values by `urn:cognito:loa:1` to `urn:cognito:loa:4`.

        Raises:
            ConfigurationError: Cognito would refuse such a provider, or the name is taken.
        """
        provider = build_provider(
            name,
            issuer=issuer if isinstance(issuer, str) else issuer.issuer,
            client_id=client_id,
            client_secret=client_secret,
            scopes=scopes,
            attribute_mapping=attribute_mapping or {},
            attributes_request_method=attributes_request_method,
            idp_identifiers=idp_identifiers,
            urls=(authorize_url, token_url, attributes_url, jwks_uri),
            acr_mapping=acr_mapping or {},
        )
        with self.surroundings.lock:
            taken = {each for other in self.providers.values() for each in other.idp_identifiers}
            if name in self.providers or taken.intersection(provider.idp_identifiers):
                raise ConfigurationError(f"pool {self.pool_id} has provider {name!r} or one of its identifiers already")
            self.providers[name] = provider
        return provider

    def add_resource_server(self, identifier: str, *, scopes: Iterable[str]) -> tuple[str, ...]:
        """Register a resource server and return its scopes as app clients ask for them.

        Args:
            identifier: 1 to 256 printable ASCII characters without space, quote and backslash; may be a URL.
            scopes: Scope names of the same characters, without `/`.

        Raises:
            ConfigurationError: Cognito would refuse such an identifier or scope.
        """
        names = as_tuple("scopes", scopes)
        if not _RESOURCE_SERVER.fullmatch(identifier):
            raise ConfigurationError(f"resource server identifier {identifier!r} has characters that Cognito refuses")
        for name in names:
            if not _SCOPE_NAME.fullmatch(name):
                raise ConfigurationError(f"scope name {name!r} has characters that Cognito refuses")
        with self.surroundings.lock:
            self.resource_servers[identifier] = names
        return tuple(f"{identifier}/{name}" for name in names)

    def remove_resource_server(self, identifier: str) -> None:
        """Delete a resource server; app clients keep its scopes, which are then dropped in silence."""
        with self.surroundings.lock:
            self.resource_servers.pop(identifier, None)

    def custom_scopes(self) -> tuple[str, ...]:
        """Return `{resource server}/{scope}` of every resource server."""
        return tuple(f"{server}/{name}" for server, names in self.resource_servers.items() for name in names)

    def knows_scope(self, scope: str) -> bool:
        """Tell whether the pool has this scope at all."""
        return scope in _BUILT_IN_SCOPES or scope in self.custom_scopes()

    def client(
        self, *, redirect_uri: str, logout_uris: Iterable[str] = (), scopes: Collection[str] = _OIDC_SCOPES
    ) -> CognitoClient:
        """Return a `CognitoClient` of a public app client with every scope and provider, registered on first use.

        Args:
            redirect_uri: The callback URL; registered if it is not yet.
            logout_uris: Sign-out URLs; registered likewise.
            scopes: The scopes to ask for.

        Raises:
            ConfigurationError: Cognito would refuse the callback URL.
        """
        client = self._default_client()
        with self.surroundings.lock:
            if redirect_uri not in client.redirect_uris:
                client.redirect_uris = (*client.redirect_uris, checked_url(redirect_uri))
            new = [checked_url(each) for each in as_tuple("logout_uris", logout_uris) if each not in client.logout_uris]
            client.logout_uris = (*client.logout_uris, *new)
            client.identity_providers = (LOCAL_USERS, *self.providers)
            client.scopes = (*_OIDC_SCOPES, "aws.cognito.signin.user.admin", *self.custom_scopes())
        return client.client(redirect_uri=redirect_uri, scopes=scopes)

    def rotate_keys(self, *, withdraw_old: bool = False) -> None:
        """Sign with two new keys from now on.

        Args:
            withdraw_old: Whether the old keys leave the key set at once. Otherwise they stay, and tokens that they
                signed still verify.
        """
        with self.surroundings.lock:
            self.keys.rotate(withdraw_old=withdraw_old)

    def issue_access_token(
        self,
        subject: EmulatedUser | EmulatedAppClient | str,
        *,
        client: EmulatedAppClient | None = None,
        scopes: Iterable[str] = ("openid",),
        resource: str | None = None,
        headers: Mapping[str, object] | None = None,
        claims: Mapping[str, object] | None = None,
        **more_claims: object,
    ) -> str:
        """Sign an access token without any flow, for tests of whatever verifies it.

        Args:
            subject: A person (or their username), or an app client, which gives a machine token.
            client: The app client it is for; the pool's first one when left out, registered if there is none.
            scopes: The scopes; not held against the app client's.
            resource: The resource that it is bound to, which becomes `aud`.
            headers: Header members to add or replace. The signature is RS256 by the pool's key whatever they say.
            claims: Claims to add or replace, such as `{"cognito:groups": ["admins"]}`; `...` leaves one out.
            **more_claims: The same, for names that Python can write: `exp=0`, `token_use=...`.

        Raises:
            ConfigurationError: There is no such person.
        """
        with self.surroundings.lock:
            now = self.surroundings.clock()
            if isinstance(subject, EmulatedAppClient):
                payload = machine_token_claims(subject, as_tuple("scopes", scopes), issuer=self.issuer, now=now)
            else:
                sign_in = self._sign_in(subject, client, as_tuple("scopes", scopes), resource)
                payload = access_token_claims(sign_in, issuer=self.issuer, now=now)
            return self.keys.signing_key("access").sign(_overridden(payload, claims, more_claims), headers or {})

    def issue_id_token(
        self,
        subject: EmulatedUser | str,
        *,
        client: EmulatedAppClient | None = None,
        scopes: Iterable[str] = ("openid",),
        access_token: str | None = None,
        headers: Mapping[str, object] | None = None,
        claims: Mapping[str, object] | None = None,
        **more_claims: object,
    ) -> str:
        """Sign an ID token without any flow, for tests of whatever verifies it.

        Args:
            subject: A person, or their username.
            client: The app client it is for; the pool's first one when left out, registered if there is none.
            scopes: Which of the person's attributes it holds: all for `openid` alone.
            access_token: The access token that `at_hash` is made of; without one there is no `at_hash`.
            headers: Header members to add or replace. The signature is RS256 by the pool's key whatever they say.
            claims: Claims to add or replace, such as `{"cognito:groups": ["admins"]}`; `...` leaves one out.
            **more_claims: The same, for names that Python can write: `nonce="n"`, `token_use=...`.

        Raises:
            ConfigurationError: There is no such person.
        """
        with self.surroundings.lock:
            now = self.surroundings.clock()
            sign_in = self._sign_in(subject, client, as_tuple("scopes", scopes), None)
            payload = id_token_claims(sign_in, issuer=self.issuer, now=now, nonce=None, access_token=access_token)
            return self.keys.signing_key("id").sign(_overridden(payload, claims, more_claims), headers or {})

    def _sign_in(
        self,
        subject: EmulatedUser | str,
        client: EmulatedAppClient | None,
        scopes: tuple[str, ...],
        resource: str | None,
    ) -> SignIn:
        """Remember a sign-in that took no flow, so that userInfo and revocation know its tokens."""
        user = self.users.get(subject) if isinstance(subject, str) else subject
        if user is None:
            raise ConfigurationError(f"pool {self.pool_id} has no user {subject!r}: add one with add_user()")
        now = self.surroundings.clock()
        chosen = client or next(iter(self.clients.values()), None) or self._default_client()
        sign_in = SignIn(
            user=user,
            client=chosen,
            scopes=scopes,
            auth_time=int(now),
            resource=resource,
            context=self._context(user),
        )
        return self.ledger.add_sign_in(sign_in, now)

    def _context(self, user: EmulatedUser) -> Context:
        behaviour = self.surroundings.behaviour
        federated = user.status == "EXTERNAL_PROVIDER"
        context = Context(amr=("fed",)) if federated else Context(amr=("pwd",), acr=behaviour.password_acr)
        return context.shown(behaviour, asked=False)

    def _default_client(self) -> EmulatedAppClient:
        """Return the app client that needs no registration."""
        with self.surroundings.lock:
            for client in self.clients.values():
                if client.name == _DEFAULT_CLIENT:
                    return client
            scopes = (*_OIDC_SCOPES, "aws.cognito.signin.user.admin", *self.custom_scopes())
            client = EmulatedAppClient(self, _DEFAULT_CLIENT, grants=frozenset({"code"}), scopes=scopes)
            self.clients[client.client_id] = client
            return client

    def _checked_scopes(self, scopes: tuple[str, ...], *, machine: bool) -> tuple[str, ...]:
        for scope in scopes:
            if not self.knows_scope(scope):
                raise ConfigurationError(
                    f"pool {self.pool_id} has no scope {scope!r}: register it with add_resource_server() first"
                )
            if machine and scope in _BUILT_IN_SCOPES:
                raise ConfigurationError(f"client_credentials gives custom scopes only, got {scope!r}")
        if {"email", "phone", "profile"}.intersection(scopes) and "openid" not in scopes:
            raise ConfigurationError("the scopes email, phone and profile need openid beside them")
        return tuple(dict.fromkeys(scopes))

    def _checked_providers(self, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name != LOCAL_USERS and name not in self.providers:
                raise ConfigurationError(
                    f"pool {self.pool_id} has no identity provider {name!r}: register it with add_oidc_provider() first"
                )
        return tuple(dict.fromkeys(names))


def _overridden(payload: dict[str, object], *changes: Mapping[str, object] | None) -> dict[str, object]:
    for each in changes:
        payload |= each or {}
    return {name: value for name, value in payload.items() if value is not ...}
