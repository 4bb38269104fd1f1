"""The metadata of an OpenID provider, computed or discovered: one type.

Decides which discovery document is a pool's own. Decides nothing about how addresses are computed; that is
`provider`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from cognito_oidc.errors import ConfigurationError, ProtocolError, shown
from cognito_oidc.protocol.oauth_errors import parse_oauth_error, says_nothing
from cognito_oidc.protocol.wire import Endpoint, check_url, get_request, parse_json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.protocol.provider import UserPool
    from cognito_oidc.protocol.wire import HttpRequest, HttpResponse

_WHAT: Final = "the discovery document"
_HTTP_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMetadata:
    """The addresses of an OpenID provider: computed by `UserPool.metadata` or read by `parse_provider_metadata`.

    Every address is an absolute URL. An endpoint is None where the pool has no domain, or the document names none.

    Attributes:
        issuer: What stands in tokens as `iss`.
        jwks_uri: Where the key set is.
        authorization_endpoint: Where the browser is sent to log in.
        token_endpoint: Where codes and refresh tokens are exchanged.
        userinfo_endpoint: Where the person's attributes are.
        revocation_endpoint: Where refresh tokens are revoked.
        end_session_endpoint: Cognito's logout, which is not OpenID Connect's RP-initiated logout.
        raw: The whole discovered document; empty for computed metadata.

    Source: OpenID Connect Discovery 1.0 section 3; RFC 8414 section 2.
    """

    issuer: str
    jwks_uri: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    revocation_endpoint: str | None = None
    end_session_endpoint: str | None = None
    raw: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the document read-only."""
        object.__setattr__(self, "raw", MappingProxyType(dict(self.raw)))

    def __reduce__(self) -> tuple[object, ...]:
        """Support pickle and copy, which do not know read-only mappings."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return _restore, ({**values, "raw": dict(self.raw)},)

    def require(self, name: str) -> str:
        """Return the endpoint of this name.

        Raises:
            ConfigurationError: The provider has none; the message says what to pass.
        """
        url = getattr(self, name)
        if not isinstance(url, str):
            msg = (
                f"{name} is not known: pass the pool's domain, UserPool(..., domain=...), or metadata= from discover() "
                "of a pool that has a domain."
            )
            raise ConfigurationError(msg)
        return url


def _restore(values: dict[str, Any]) -> ProviderMetadata:
    return ProviderMetadata(**values)


_ENDPOINTS: Final = tuple(f.name for f in fields(ProviderMetadata) if f.name.endswith("_endpoint"))


def discovery_request(url: str) -> HttpRequest:
    """Return the request for the discovery document at `url`.

    Source: OpenID Connect Discovery 1.0 section 4.1.
    """
    return get_request(url, endpoint=Endpoint.DISCOVERY)


def parse_provider_metadata(response: HttpResponse, *, pool: UserPool) -> ProviderMetadata:
    """Return the metadata of a discovery document of this pool.

    Members that are not known are kept in `raw`. A pool without a domain has a document too, whose endpoints lie under
    the issuer and do not work; they become None.

    Args:
        response: The answer of the discovery endpoint.
        pool: The pool that was asked; issuer and keys must be its own, of either type.

    Raises:
        ProtocolError: No document, another issuer, or a member that is no absolute https URL.
        RateLimitedError: Too many requests.
        TransportError: A 5xx, or a firewall's refusal.

    Source: OpenID Connect Discovery 1.0 section 4.3.
    """
    if says_nothing(response):
        raise parse_oauth_error(response, endpoint=Endpoint.DISCOVERY, grant="discovery")
    if response.status != _HTTP_OK:
        msg = f"Cannot use {_WHAT}: expected status 200, got {response.status}."
        raise ProtocolError(msg, causes=(f"There is no user pool {pool.pool_id} in {pool.region}, or it was deleted.",))
    document = parse_json_answer(response, what=_WHAT)
    issuer = document.get("issuer")
    if not isinstance(issuer, str) or issuer not in pool.accepted_issuers:
        msg = f"Cannot use {_WHAT}: its issuer is {shown(issuer)}, expected {pool.issuer!r}."
        raise ProtocolError(msg)
    jwks_uri = document.get("jwks_uri")
    if not isinstance(jwks_uri, str) or jwks_uri not in pool.accepted_issuers.values():
        msg = f"Cannot use {_WHAT}: its jwks_uri is {shown(jwks_uri)}, expected {pool.accepted_issuers[issuer]!r}."
        raise ProtocolError(msg)
    endpoints = {name: _endpoint(document, name, pool) for name in _ENDPOINTS}
    return ProviderMetadata(issuer=issuer, jwks_uri=jwks_uri, raw=document, **endpoints)


def _endpoint(document: Mapping[str, object], name: str, pool: UserPool) -> str | None:
    """Return the document's endpoint of this name, checked; None where there is none that works."""
    url = document.get(name)
    if url is None:
        return None
    if not isinstance(url, str):
        msg = f"Cannot use {_WHAT}: expected {name} to be a string, got {shown(url)}."
        raise ProtocolError(msg)
    try:
        check_url(url, what=name, allow_insecure_http=pool.allow_insecure_http)
    except ConfigurationError as error:
        msg = f"Cannot use {_WHAT}: {error}"
        raise ProtocolError(msg) from None
    if pool.issuer.startswith("https://") and not url.startswith("https://") and not pool.allow_insecure_http:
        msg = f"Cannot use {_WHAT}: its {name} {shown(url)} is not https, though the issuer is."
        raise ProtocolError(msg)
    return None if any(url.startswith(f"{issuer}/") for issuer in pool.accepted_issuers) else url
