"""User pools, and the people, groups and resource servers in them.

Decides which registrations Cognito would take, and is what a test holds in its hand. What happens to a request is
decided by the endpoints.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

from cognito_oidc.emulator.addresses import domain_host, production_issuer
from cognito_oidc.emulator.app_clients import EmulatedAppClient, as_tuple, checked_grants, checked_url
from cognito_oidc.emulator.ledger import Ledger, SignIn
from cognito_oidc.emulator.tokens import (
    STANDARD_ATTRIBUTES,
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

_OIDC_SCOPES: Final = ("openid", "email", "phone", "profile")
_BUILT_IN_SCOPES: Final = frozenset({*_OIDC_SCOPES, "aws.cognito.signin.user.admin"})
# Patterns and limits of the AWS service model (botocore 1.44.5, service `cognito-idp`).
_RESOURCE_SERVER: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,256}")
_SCOPE_NAME: Final = re.compile(r"[\x21\x23-\x2E\x30-\x5B\x5D-\x7E]{1,256}")
_MAX_ATTRIBUTE: Final = 2_048
_DEFAULT_REFRESH: Final = 2_592_000  # 30 days, in seconds
_DEFAULT_CLIENT: Final = "default"


class EmulatedUser:
    """A person in a pool's directory; made by `EmulatedPool.add_user`.

    Attributes:
        username: The name to sign in with.
        sub: The person's `sub`, in the shape of Cognito's, which is no valid RFC 9562 UUID.
        password: The password to sign in with.
        attributes: Attribute values by name, all text; what is changed here is seen by the next token.
        groups: Names of the person's groups.
        enabled: A disabled person cannot sign in or refresh.
    """

    __slots__ = ("_pool", "attributes", "enabled", "groups", "password", "sub", "username")

    def __init__(
        self,
        pool: EmulatedPool,
        username: str,
        *,
        password: str,
        attributes: dict[str, str],
        groups: list[str],
    ) -> None:
        digits = secrets.token_hex(16)
        self._pool = pool
        self.username = username
        self.sub = f"{digits[:8]}-{digits[8:12]}-70{digits[14:16]}-f{digits[17:20]}-{digits[20:]}"
        self.password = password
        self.attributes = attributes
        self.groups = groups
        self.enabled = True

    def __repr__(self) -> str:
        return f"EmulatedUser({self.username!r}, sub={self.sub!r}, groups={self.groups!r})"

    def role_arns(self) -> tuple[str, ...]:
        """Return the role ARNs of the person's groups, the preferred one first."""
        return self._pool.role_arns(self.groups)

    def sign_out_everywhere(self) -> None:
        """Revoke every sign-in, as GlobalSignOut does; the session of the browser survives."""
        with self._pool.surroundings.lock:
            self._pool.ledger.revoke_all(self)


class EmulatedPool:
    """One user pool; made by `CognitoEmulator.add_pool`.

    Attributes:
        pool_id: The pool's id, such as `eu-west-1_Orders001`.
        region: The AWS Region in front of the id's underscore.
        domain_prefix: The prefix of its domain, or None.
        custom_domain: The host name of its custom domain, or None.
        issuer_type: Which issuer its tokens carry.
        clients: App clients by client id.
        users: People by username.
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
    ) -> None:
        self.surroundings = surroundings
        self.pool_id = pool_id
        self.region = pool_id.partition("_")[0]
        self.domain_prefix = domain_prefix
        self.custom_domain = custom_domain
        self.issuer_type = issuer_type
        self.clients: dict[str, EmulatedAppClient] = {}
        self.users: dict[str, EmulatedUser] = {}
        self.resource_servers: dict[str, tuple[str, ...]] = {}
        self.keys = KeyRing()
        self.ledger = Ledger()
        self._roles: dict[str, tuple[int, str]] = {}

    def __repr__(self) -> str:
        return f"EmulatedPool({self.pool_id!r}, domain={domain_host(self)!r})"

    @property
    def issuer(self) -> str:
        """The issuer under production's hosts."""
        return production_issuer(self, self.issuer_type)

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
        )
        if not machine and not client.redirect_uris:
            raise ConfigurationError(f"app client {name!r} needs redirect_uris: the browser must have somewhere to go")
        with self.surroundings.lock:
            self.clients[client.client_id] = client
        return client

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

    def add_group(self, name: str, *, role_arn: str | None = None, precedence: int = 0) -> None:
        """Register a group with a role; a group without one needs no registration.

        Args:
            name: The group's name.
            role_arn: The IAM role that goes into `cognito:roles`.
            precedence: The group with the lowest number gives `cognito:preferred_role`.
        """
        if role_arn is not None:
            with self.surroundings.lock:
                self._roles[name] = (precedence, role_arn)

    def role_arns(self, groups: Iterable[str]) -> tuple[str, ...]:
        """Return the role ARNs of some groups, the preferred one first."""
        return tuple(arn for _, arn in sorted(self._roles[name] for name in groups if name in self._roles))

    def add_user(
        self,
        username: str,
        *,
        password: str,
        email: str | None = None,
        email_verified: bool = False,
        groups: Iterable[str] = (),
        attributes: Mapping[str, str | bool] | None = None,
    ) -> EmulatedUser:
        """Add a person to the directory.

        Args:
            username: The name to sign in with.
            password: The password; no policy is applied.
            email: The e-mail address.
            email_verified: Whether it counts as verified.
            groups: Names of the person's groups.
            attributes: Further attributes: standard ones of OpenID Connect, or `custom:*`. Cognito keeps text; a
                boolean becomes `true` or `false`.

        Raises:
            ConfigurationError: The name is taken, or an attribute is none that Cognito has.
        """
        values: dict[str, str] = {}
        if email is not None:
            values |= {"email": email, "email_verified": str(email_verified).lower()}
        for attribute, value in (attributes or {}).items():
            text = str(value).lower() if isinstance(value, bool) else value
            if attribute not in STANDARD_ATTRIBUTES and not attribute.startswith("custom:"):
                raise ConfigurationError(f"attribute {attribute!r} is neither standard nor begins with 'custom:'")
            if not isinstance(text, str) or len(text) > _MAX_ATTRIBUTE:
                raise ConfigurationError(f"attribute {attribute!r} must be text of at most {_MAX_ATTRIBUTE} characters")
            values[attribute] = text
        user = EmulatedUser(
            self, username, password=password, attributes=values, groups=list(as_tuple("groups", groups))
        )
        with self.surroundings.lock:
            if username in self.users:
                raise ConfigurationError(f"pool {self.pool_id} has a user {username!r} already")
            self.users[username] = user
        return user

    def client(self, *, redirect_uri: str, scopes: Collection[str] = _OIDC_SCOPES) -> CognitoClient:
        """Return a `CognitoClient` of a public app client with every scope, registered on first use.

        Args:
            redirect_uri: The callback URL; registered if it is not yet.
            scopes: The scopes to ask for.

        Raises:
            ConfigurationError: Cognito would refuse the callback URL.
        """
        client = self._default_client()
        with self.surroundings.lock:
            if redirect_uri not in client.redirect_uris:
                client.redirect_uris = (*client.redirect_uris, checked_url(redirect_uri))
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
        sign_in = SignIn(user=user, client=chosen, scopes=scopes, auth_time=int(now), resource=resource)
        return self.ledger.add_sign_in(sign_in, now)

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


def _overridden(payload: dict[str, object], *changes: Mapping[str, object] | None) -> dict[str, object]:
    for each in changes:
        payload |= each or {}
    return {name: value for name, value in payload.items() if value is not ...}
