"""Identity providers of a pool: what is registered of an OpenID provider upstream.

Decides which registrations Cognito would take. How people come from there is decided by `federation`.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-oidc-idp.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from cognito_oidc.emulator.app_clients import LOCAL_USERS, LOOPBACK, as_tuple
from cognito_oidc.emulator.tokens import STANDARD_ATTRIBUTES
from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RequestMethod = Literal["GET", "POST"]

# Patterns and limits of the AWS service model (botocore 1.44.5, service `cognito-idp`).
_NAME: Final = re.compile(r"(?![_ ])[^\x00-\x1f]{1,32}(?<![_ ])")
_IDENTIFIER: Final = re.compile(r"[\w\s+=.@-]{1,40}")
_MAX_IDENTIFIERS: Final = 50
_MAX_MAPPED_NAME: Final = 32
_RESERVED_NAMES: Final = frozenset({LOCAL_USERS, "Facebook", "Google", "LoginWithAmazon", "SignInWithApple"})
_PORTS: Final = frozenset({None, 80, 443})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEndpoints:
    """The four URLs of an OpenID provider that a pool calls."""

    authorize_url: str
    token_url: str
    attributes_url: str
    jwks_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcProvider:
    """An OpenID provider upstream of a pool; made by `EmulatedPool.add_oidc_provider`.

    Attributes:
        name: The provider's name in the pool.
        issuer: Its issuer.
        client_id: The pool's client id there.
        client_secret: The pool's client secret there.
        scopes: What the pool asks for.
        attribute_mapping: Claims of the provider by the pool's attribute names.
        attributes_request_method: How its userInfo is asked.
        idp_identifiers: Other names for `idp_identifier`.
        endpoints: Its URLs, or None to discover them.
        acr_mapping: What the provider calls the levels `urn:cognito:loa:1` to `urn:cognito:loa:4`.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    attribute_mapping: Mapping[str, str]
    attributes_request_method: RequestMethod
    idp_identifiers: tuple[str, ...]
    endpoints: ProviderEndpoints | None
    acr_mapping: Mapping[str, str]

    def __repr__(self) -> str:
        return f"OidcProvider({self.name!r}, issuer={self.issuer!r}, client_id={self.client_id!r})"

    def username(self, subject: str) -> str:
        """Return the username of a person who comes from this provider."""
        return f"{self.name}_{subject}"


def build_provider(
    name: str,
    *,
    issuer: str,
    client_id: str,
    client_secret: str,
    scopes: Iterable[str],
    attribute_mapping: Mapping[str, str],
    attributes_request_method: RequestMethod,
    idp_identifiers: Iterable[str],
    urls: tuple[str | None, str | None, str | None, str | None],
    acr_mapping: Mapping[str, str],
) -> OidcProvider:
    """Build a provider from the arguments of `EmulatedPool.add_oidc_provider`.

    Raises:
        ConfigurationError: CreateIdentityProvider would refuse them.
    """
    if not _NAME.fullmatch(name) or name in _RESERVED_NAMES:
        raise ConfigurationError(
            f"provider name {name!r} must be 1 to 32 characters, without '_' or space at its ends, and no name that "
            f"Cognito keeps for itself"
        )
    chosen = as_tuple("scopes", scopes)
    if "openid" not in chosen:
        raise ConfigurationError(f"scopes of an OpenID provider must have 'openid', got {chosen!r}")
    if attributes_request_method not in {"GET", "POST"}:
        raise ConfigurationError(
            f"attributes_request_method must be 'GET' or 'POST', got {attributes_request_method!r}"
        )
    identifiers = as_tuple("idp_identifiers", idp_identifiers)
    if len(identifiers) > _MAX_IDENTIFIERS or not all(_IDENTIFIER.fullmatch(each) for each in identifiers):
        raise ConfigurationError(f"idp_identifiers must be at most {_MAX_IDENTIFIERS} of 1 to 40 characters")
    if not client_id or not client_secret:
        raise ConfigurationError("an OpenID provider needs client_id and client_secret: Cognito always sends both")
    return OidcProvider(
        name=name,
        issuer=_checked_url("issuer", issuer),
        client_id=client_id,
        client_secret=client_secret,
        scopes=chosen,
        attribute_mapping=_checked_mapping(attribute_mapping),
        attributes_request_method=attributes_request_method,
        idp_identifiers=identifiers,
        endpoints=_checked_endpoints(urls),
        acr_mapping=MappingProxyType(dict(acr_mapping)),
    )


def _checked_mapping(mapping: Mapping[str, str]) -> Mapping[str, str]:
    """Return a mapping whose keys are attributes of a pool, or `username`.

    Source: https://github.com/aws/aws-cli/issues/9729, for the words.
    """
    wrong = [
        name
        for name in mapping
        if len(name) > _MAX_MAPPED_NAME
        or not (name == "username" or name in STANDARD_ATTRIBUTES or name.startswith("custom:"))
    ]
    if wrong:
        raise ConfigurationError(f"AttributeMapping contains invalid mapping: [{', '.join(wrong)}]")
    return MappingProxyType(dict(mapping))


def _checked_endpoints(urls: tuple[str | None, str | None, str | None, str | None]) -> ProviderEndpoints | None:
    authorize_url, token_url, attributes_url, jwks_uri = urls
    if authorize_url is None and token_url is None and attributes_url is None and jwks_uri is None:
        return None
    if authorize_url is None or token_url is None or attributes_url is None or jwks_uri is None:
        raise ConfigurationError("give all of authorize_url, token_url, attributes_url and jwks_uri, or none of them")
    return ProviderEndpoints(
        authorize_url=_checked_url("authorize_url", authorize_url),
        token_url=_checked_url("token_url", token_url),
        attributes_url=_checked_url("attributes_url", attributes_url),
        jwks_uri=_checked_url("jwks_uri", jwks_uri),
    )


def _checked_url(what: str, url: str) -> str:
    """Return a URL that Cognito would call; on loopback http and any port will do, for providers under test."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"{what} {url!r} is no URL") from error
    if not host or parts.scheme not in {"http", "https"} or (what == "issuer" and url.endswith("/")):
        raise ConfigurationError(f"{what} {url!r} must be an absolute https URL, an issuer without a slash at its end")
    if host not in LOOPBACK and (parts.scheme != "https" or port not in _PORTS):
        raise ConfigurationError(f"{what} {url!r} must be https on port 80 or 443, as Cognito asks")
    return url
