"""Two pools: what each side must be told so that one signs its users in through the other.

Decides the settings of a federation of two user pools, and the way out through both. Decides nothing about what was
found there; that is `federation_checks`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cognito_oidc.errors import ConfigurationError, shown
from cognito_oidc.protocol.authorization import check_redirect_uri, check_scopes
from cognito_oidc.protocol.client_authentication import check_client_id
from cognito_oidc.protocol.logout import logout_url
from cognito_oidc.protocol.provider import UserPool

if TYPE_CHECKING:
    from collections.abc import Iterable

# M: the pattern and length of ProviderName in CreateIdentityProvider: no `_` but in second place, and no spaces.
_PROVIDER_NAME: Final = r"[^_\s\x00-\x1f\x7f][^\s\x00-\x1f\x7f][^_\s\x00-\x1f\x7f]{1,30}"
_RESERVED_NAMES: Final = frozenset({"COGNITO", "Facebook", "Google", "LoginWithAmazon", "SignInWithApple"})
_MAX_ATTRIBUTE: Final = 32  # M: keys of AttributeMapping
_MAX_CLIENT_NAME: Final = 128  # M: ClientName


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutChain:
    """The way out of both pools in one redirect after another, and what must be registered for it.

    Attributes:
        url: Send the browser here: out of the downstream pool, then of the upstream one, then to the application.
        downstream_logout_urls: What the downstream app client's LogoutURLs must hold, character by character.
        upstream_logout_urls: What the upstream app client's LogoutURLs must hold.
    """

    url: str
    downstream_logout_urls: tuple[str, ...]
    upstream_logout_urls: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Federation:
    """A user pool (`downstream`) that signs its users in through another one (`upstream`) as its OpenID provider.

    Attributes:
        upstream: The pool that knows the users.
        downstream: The pool the applications use. Needs its domain, as the upstream one does.
        provider_name: What the upstream pool is called in the downstream one; chosen with `identity_provider=`.
        upstream_client_id: The app client that the downstream pool is at the upstream one; "" while there is none yet.
        upstream_client_secret: Its secret.
        scopes: What the downstream pool asks the upstream one for; must hold `openid`.
        attribute_mapping: Attribute of the downstream pool to claim of the upstream one, such as `{"email": "email"}`.
        idp_identifiers: Other names for `idp_identifier=`, such as e-mail domains.

    Source: AWS, "Using OIDC identity providers with a user pool"; API reference CreateIdentityProvider.
    """

    upstream: UserPool
    downstream: UserPool
    provider_name: str
    upstream_client_id: str = ""
    upstream_client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    attribute_mapping: Mapping[str, str] = field(default_factory=dict, hash=False)
    idp_identifiers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what Cognito would refuse, or what could not work.

        Raises:
            ConfigurationError: An argument cannot be right.
        """
        for what, pool in (("upstream", self.upstream), ("downstream", self.downstream)):
            if not isinstance(pool, UserPool):
                msg = f"{what}: expected a UserPool, got {shown(pool)}."
                raise ConfigurationError(msg)
        if not isinstance(self.upstream_client_id, str) or not isinstance(self.upstream_client_secret, str):
            msg = "upstream_client_id and upstream_client_secret: expected texts; '' while there is no app client yet."
            raise ConfigurationError(msg)
        object.__setattr__(self, "idp_identifiers", _several(self.idp_identifiers, "idp_identifiers"))
        if self.upstream.pool_id == self.downstream.pool_id:
            msg = "upstream and downstream are the same pool."
            raise ConfigurationError(msg)
        name = self.provider_name
        if not isinstance(name, str) or re.fullmatch(_PROVIDER_NAME, name) is None or name in _RESERVED_NAMES:
            msg = (
                f"provider_name {shown(name)}: expected 3 to 32 characters without spaces and without '_' (but for the "
                f"second, as in the service model), and none of {', '.join(sorted(_RESERVED_NAMES))}."
            )
            raise ConfigurationError(msg)
        object.__setattr__(self, "scopes", check_scopes(self.scopes))
        if "openid" not in self.scopes:
            msg = "scopes: Cognito asks an OpenID provider for openid at least; add it."
            raise ConfigurationError(msg)
        object.__setattr__(self, "attribute_mapping", _check_mapping(self.attribute_mapping))
        if self.upstream_client_id:
            check_client_id(self.upstream_client_id)

    @property
    def callback_url(self) -> str:
        """Where the upstream pool sends the browser back to: `https://{downstream domain}/oauth2/idpresponse`.

        Raises:
            ConfigurationError: The downstream pool has no domain.
        """
        return self.downstream.idp_response_endpoint

    def upstream_app_client(
        self, *, client_name: str | None = None, logout_urls: Iterable[str] = ()
    ) -> dict[str, object]:
        """Return the arguments of CreateUserPoolClient for the app client that the downstream pool is upstream.

        JSON for `aws cognito-idp create-user-pool-client --cli-input-json`, and keyword arguments for boto3.

        Args:
            client_name: A name for people; by default `federation-` and the downstream pool's id.
            logout_urls: Its LogoutURLs, such as those of `logout_chain`.

        Source: AWS, API reference CreateUserPoolClient.
        """
        return {
            "UserPoolId": self.upstream.pool_id,
            "ClientName": _client_name(client_name or f"federation-{self.downstream.pool_id}"),
            "GenerateSecret": True,  # Cognito as a relying party always authenticates, with client_secret_post
            **_code_flow(self.scopes, (self.callback_url,), logout_urls),
            "SupportedIdentityProviders": ["COGNITO"],
        }

    def identity_provider(self) -> dict[str, object]:
        """Return the arguments of CreateIdentityProvider for the downstream pool. They hold the client secret.

        JSON for `aws cognito-idp create-identity-provider --cli-input-json`, and keyword arguments for boto3.

        Raises:
            ConfigurationError: The upstream app client, or its secret, is not known yet.

        Source: AWS, API reference CreateIdentityProvider, ProviderDetails for OIDC.
        """
        if not self.upstream_client_id or not self.upstream_client_secret:
            msg = (
                "upstream_client_id and upstream_client_secret are needed: create the app client of "
                "upstream_app_client() first, and pass what Cognito returned."
            )
            raise ConfigurationError(msg)
        arguments: dict[str, object] = {
            "UserPoolId": self.downstream.pool_id,
            "ProviderName": self.provider_name,
            "ProviderType": "OIDC",
            "ProviderDetails": {
                "client_id": self.upstream_client_id,
                "client_secret": self.upstream_client_secret,
                "attributes_request_method": "GET",  # Cognito's userInfo is documented for GET only
                "oidc_issuer": self.upstream.issuer,
                "authorize_scopes": " ".join(self.scopes),
            },
            "AttributeMapping": dict(self.attribute_mapping),
        }
        if self.idp_identifiers:
            arguments["IdpIdentifiers"] = list(self.idp_identifiers)
        return arguments

    def downstream_app_client(
        self,
        client_name: str,
        *,
        callback_urls: Iterable[str],
        logout_urls: Iterable[str] = (),
        scopes: str | Iterable[str] = ("openid", "email", "profile"),
        client_secret: bool = False,
        local_sign_in: bool = False,
    ) -> dict[str, object]:
        """Return the arguments of CreateUserPoolClient for an application of the downstream pool.

        Args:
            client_name: A name for people.
            callback_urls: Where the application takes callbacks.
            logout_urls: Where a logout may go; see `logout_chain`.
            scopes: What the application may ask for.
            client_secret: Whether it can keep a secret.
            local_sign_in: Whether users of the downstream pool itself may sign in as well.

        Source: AWS, API reference CreateUserPoolClient.
        """
        return {
            "UserPoolId": self.downstream.pool_id,
            "ClientName": _client_name(client_name),
            "GenerateSecret": client_secret,
            **_code_flow(check_scopes(scopes), callback_urls, logout_urls),
            "SupportedIdentityProviders": [self.provider_name, *(["COGNITO"] if local_sign_in else [])],
        }

    def logout_chain(self, *, downstream_client_id: str, final_url: str) -> LogoutChain:
        """Return the way out of both pools.

        Cognito never logs out of an OIDC provider by itself. But a LogoutURL may be any URL, so the upstream pool's own
        logout is registered as one, with its query, verbatim.

        Args:
            downstream_client_id: The application's app client.
            final_url: Where the browser ends.

        Raises:
            ConfigurationError: No upstream app client yet, or a URL that cannot be registered (1,024 characters).

        Source: AWS, "The managed login sign-out endpoint"; the chain itself is inferred from it.
        """
        if not self.upstream_client_id:
            msg = "upstream_client_id is needed for the chain."
            raise ConfigurationError(msg)
        upstream = logout_url(
            end_session_endpoint=self.upstream.end_session_endpoint,
            client_id=self.upstream_client_id,
            logout_uri=final_url,
        )
        url = logout_url(
            end_session_endpoint=self.downstream.end_session_endpoint,
            client_id=check_client_id(downstream_client_id),
            logout_uri=upstream,
        )
        return LogoutChain(url=url, downstream_logout_urls=(upstream,), upstream_logout_urls=(final_url,))


def _code_flow(scopes: tuple[str, ...], callbacks: Iterable[str], logouts: Iterable[str]) -> dict[str, object]:
    """Return what every app client of the code flow has."""
    callbacks, logouts = _several(callbacks, "callback_urls"), _several(logouts, "logout_urls")
    settings: dict[str, object] = {
        "AllowedOAuthFlowsUserPoolClient": True,  # without it, none of the others has an effect
        "AllowedOAuthFlows": ["code"],
        "AllowedOAuthScopes": list(scopes),
        "CallbackURLs": [check_redirect_uri(url, what="a callback URL") for url in callbacks],
        "EnableTokenRevocation": True,
        "PreventUserExistenceErrors": "ENABLED",
    }
    if logouts:
        settings["LogoutURLs"] = [check_redirect_uri(url, what="a logout URL") for url in logouts]
    return settings


def _several(texts: Iterable[str], what: str) -> tuple[str, ...]:
    """Return texts given by a caller; one text alone is the mistake of forgetting the comma."""
    several = None if isinstance(texts, str | bytes) or not hasattr(texts, "__iter__") else tuple(texts)
    if several is None or not all(isinstance(one, str) for one in several):
        msg = f"{what}: expected several texts, such as ('...',), got {shown(texts)}."
        raise ConfigurationError(msg)
    return several


def _client_name(name: str) -> str:
    if not isinstance(name, str) or re.fullmatch(rf"[\w\s+=,.@-]{{1,{_MAX_CLIENT_NAME}}}", name) is None:
        msg = f"client_name {shown(name)}: expected 1 to {_MAX_CLIENT_NAME} letters, digits, spaces or _+=,.@-."
        raise ConfigurationError(msg)
    return name


def _check_mapping(mapping: Mapping[str, str]) -> Mapping[str, str]:
    if not isinstance(mapping, Mapping):
        msg = f"attribute_mapping: expected a mapping, such as {{'email': 'email'}}, got {shown(mapping)}."
        raise ConfigurationError(msg)
    pairs = dict(mapping)
    for attribute, claim in pairs.items():
        fits = isinstance(attribute, str) and 0 < len(attribute) <= _MAX_ATTRIBUTE
        if not fits or not isinstance(claim, str) or not claim:
            msg = (
                f"attribute_mapping: {shown(attribute)} cannot be mapped to {shown(claim)}: expected an attribute of "
                f"the downstream pool (at most {_MAX_ATTRIBUTE} characters) and a claim of the upstream one."
            )
            raise ConfigurationError(msg)
    return MappingProxyType(pairs)
