"""A user pool as an OpenID provider: every address, computed from its id and domain.

Decides which URLs belong to a pool and which texts are a pool id, a Region or a domain. Decides nothing about what is
sent there; a discovered document is `metadata`'s.

This module is on the verification path: it imports nothing that is slow to import.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, Self

from cognito_oidc._frozen import Frozen, Record
from cognito_oidc.errors import ConfigurationError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.protocol.metadata import ProviderMetadata

IssuerType = Literal["original", "updated"]
"""`IssuerConfiguration.Type` of a user pool in lower case: which of its two issuers the pool puts into tokens."""


class Partition(Record):
    """How a partition of AWS names Cognito's hosts. A suffix of None is not known and must be given by the caller.

    Attributes:
        name: The partition's id in AWS's endpoint data.
        region_prefix: What the Regions of the partition, and only these, begin with.
        dns_suffix: Suffix of the API and issuer hosts.
        domain_suffix: Suffix of prefix domains.
        fips_only: Regions whose prefix domains exist in the FIPS form alone.
        unknown_domains: Regions whose prefix domains nobody has documented.
        source: Where the facts come from.
    """

    name: str
    region_prefix: str
    dns_suffix: str | None
    domain_suffix: str | None
    fips_only: tuple[str, ...] = ()
    unknown_domains: tuple[str, ...] = ()
    source: str = ""


# The first row whose prefix fits counts. Letters of the sources as in the wire sheet: D documentation, M service model,
# S seen in public.
PARTITIONS: Final[tuple[Partition, ...]] = (
    Partition(
        "aws-us-gov",
        "us-gov-",
        "amazonaws.com",
        "amazoncognito.com",
        fips_only=("us-gov-west-1",),
        unknown_domains=("us-gov-east-1",),
        source="M: botocore endpoints.json (us-gov-*); S: auth-fips.us-gov-west-1 in AWS samples",
    ),
    Partition("aws-cn", "cn-", None, None, source="M: no cognito-idp in aws-cn"),
    Partition(
        "aws-eusc", "eusc-", None, None, source="M: API host ends in amazonaws.eu; issuer and domain unconfirmed"
    ),
    Partition("aws-iso", "us-iso-", None, None, source="M: no cognito-idp listed"),
    Partition("aws-iso-b", "us-isob-", None, None, source="M: no cognito-idp listed"),
    Partition("aws-iso-e", "eu-isoe-", None, None, source="M: no cognito-idp listed"),
    Partition("aws-iso-f", "us-isof-", None, None, source="M: no cognito-idp listed"),
    Partition(
        "aws",
        "",
        "amazonaws.com",
        "amazoncognito.com",
        source="D: federation-endpoints, cognito-user-pools-assign-domain-prefix; M: botocore endpoint rule set",
    ),
)

# The host's first label, by issuer type. D: federation-endpoints (a hyphen, not a dot).
_ISSUER_LABEL: Final[Mapping[str, str]] = {"original": "cognito-idp", "updated": "issuer-cognito-idp"}

# M: CreateUserPool id pattern [\w-]+_[0-9a-zA-Z]+, at most 55 characters; the Region part as aws-jwt-verify reads it
# (two to four words of lower-case letters and a number).
_POOL_ID_MAX: Final = 55
# M: CreateUserPoolDomain pattern for prefixes.
_PREFIX: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_RESERVED_IN_PREFIX: Final = ("aws", "amazon", "cognito")
_HOST_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_MAX: Final = 253  # RFC 1035 section 2.3.4, without the final dot
_HOST: Final = rf"(?:{_HOST_LABEL}\.)+{_HOST_LABEL}"


class UserPool(Frozen):
    """A user pool and every address that belongs to it. Nothing is fetched.

    >>> pool = UserPool("eu-west-1_AbC123xyz", domain="acme")
    >>> pool.issuer
    'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123xyz'
    >>> pool.token_endpoint
    'https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token'

    Attributes:
        pool_id: `{region}_{letters and digits}`, such as `"eu-west-1_AbC123xyz"`.
        region: The pool's (primary) Region.
        domain: The domain as it was given, or None.
        issuer_type: Which of its two issuers the pool puts into tokens; both are accepted in tokens.
        fips: Whether a prefix domain is addressed in its FIPS form.
        endpoint_url: The base URL of a local server that stands in for AWS, or None.

    Source: AWS, "User pool endpoints and managed login reference"; "Identity provider and relying party endpoints".
    """

    __slots__ = (
        "_accepted",
        "_dns_suffix",
        "_domain_url",
        "allow_insecure_http",
        "domain",
        "endpoint_url",
        "fips",
        "issuer_type",
        "pool_id",
        "region",
    )

    pool_id: str
    region: str
    domain: str | None
    issuer_type: IssuerType
    fips: bool
    endpoint_url: str | None
    allow_insecure_http: bool
    _accepted: Mapping[str, str]
    _dns_suffix: str | None
    _domain_url: str | None

    def __init__(
        self,
        pool_id: str,
        *,
        region: str | None = None,
        domain: str | None = None,
        issuer_type: IssuerType = "original",
        fips: bool = False,
        endpoint_url: str | None = None,
        dns_suffix: str | None = None,
        allow_insecure_http: bool = False,
    ) -> None:
        """Compute the addresses of a pool.

        Args:
            pool_id: The user pool's id; its Region is read from it.
            region: If given, must agree with the id.
            domain: A bare prefix (`"acme"`), a host name (`"login.acme.com"`) or an absolute URL; None for a pool
                without one, whose tokens can be verified all the same.
            issuer_type: `"updated"` for a pool whose issuer was changed to the updated type.
            fips: Address a prefix domain in its FIPS form.
            endpoint_url: Base URL of a local server; issuer, keys and prefix domains are put under it.
            dns_suffix: Suffix of the issuer's host where the library does not know it, such as `"amazonaws.eu"`.
            allow_insecure_http: Accept `http` for hosts that are not loopback, such as an emulator in a container
                network. Tokens then travel in the clear.

        Raises:
            ConfigurationError: An argument cannot be right; the message says which and what to pass.
        """
        own_region = _region_of(pool_id)
        if own_region is None:
            msg = (
                f"{shown(pool_id)} is no user pool id: expected the Region, an underscore, letters and digits, at most "
                f"{_POOL_ID_MAX} characters, such as 'eu-west-1_AbC123xyz' (the console shows it as User pool ID; "
                "UserPool.from_issuer takes an issuer's URL)."
            )
            raise ConfigurationError(msg)
        if region is not None and region != own_region:
            msg = f"region={shown(region)} does not agree with the pool id, which is in {own_region}: leave it out."
            raise ConfigurationError(msg)
        if not isinstance(issuer_type, str) or issuer_type not in _ISSUER_LABEL:
            msg = f"issuer_type={shown(issuer_type)}: expected 'original' or 'updated'."
            raise ConfigurationError(msg)
        for name, switch in (("fips", fips), ("allow_insecure_http", allow_insecure_http)):
            if not isinstance(switch, bool):  # the text "false" of an environment variable would be true
                msg = f"{name}={shown(switch)}: expected True or False."
                raise ConfigurationError(msg)
        if endpoint_url is not None:
            endpoint_url = _base_url(endpoint_url, "endpoint_url", allow_insecure_http=allow_insecure_http)
        if dns_suffix is not None and not _is_host(dns_suffix):
            msg = f"dns_suffix={shown(dns_suffix)}: expected a domain name in lower case, such as 'amazonaws.eu'."
            raise ConfigurationError(msg)
        self._set(
            pool_id=pool_id,
            region=own_region,
            domain=domain,
            issuer_type=issuer_type,
            fips=fips,
            endpoint_url=endpoint_url,
            allow_insecure_http=allow_insecure_http,
            _dns_suffix=dns_suffix,
        )
        issuers = (self._issuer_of(kind) for kind in _ISSUER_LABEL)
        self._set(
            _accepted=MappingProxyType({issuer: f"{issuer}/.well-known/jwks.json" for issuer in issuers}),
            _domain_url=None if domain is None else self._parse_domain(domain),
        )

    @classmethod
    def from_issuer(
        cls,
        issuer: str,
        *,
        domain: str | None = None,
        fips: bool = False,
        dns_suffix: str | None = None,
        allow_insecure_http: bool = False,
    ) -> Self:
        """Return the pool of an issuer URL that you were given, of either type.

        Args:
            issuer: The issuer exactly as it stands in tokens. An address on loopback, or over http where that is
                allowed, is taken for a local server.
            domain: As in the constructor.
            fips: As in the constructor.
            dns_suffix: The end of the issuer's host where the library does not know how hosts of that Region end: say
                it only if you know that the name is AWS's, for whoever has the host has the keys.
            allow_insecure_http: As in the constructor.

        Raises:
            ConfigurationError: The URL is no issuer of a user pool.
        """
        from cognito_oidc.protocol.wire import check_url, is_loopback  # noqa: PLC0415 - not on the verification path

        url = check_url(issuer, what="the issuer", allow_insecure_http=allow_insecure_http)
        base, _, pool_id = url.rpartition("/")
        found = re.fullmatch(rf"https://((?:issuer-)?cognito-idp)\.([a-z0-9-]+)\.({_HOST})", base)
        if found is not None and not _is_region(found[2]):
            found = None
        endpoint_url = None
        issuer_type: IssuerType = "original"
        if found is not None:
            issuer_type = "updated" if found[1] == _ISSUER_LABEL["updated"] else "original"
            known = dns_suffix or _partition_of(found[2]).dns_suffix
            if known is None:
                msg = (
                    f"How the issuer's host in {found[2]} ends is not known to this library: if {found[3]!r} is AWS's, "
                    f"pass dns_suffix={found[3]!r}."
                )
                raise ConfigurationError(msg)
            if found[3] != known:
                msg = f"The issuer {shown(issuer)} is not Cognito's: hosts in {found[2]} end in {known!r}."
                raise ConfigurationError(msg)
        elif is_loopback(base) or base.startswith("http://"):  # which check_url let pass
            label = "/" + _ISSUER_LABEL["updated"]
            issuer_type = "updated" if base.endswith(label) else "original"
            endpoint_url = base.removesuffix(label)
        else:
            msg = (
                f"The issuer {shown(issuer)} is not that of a user pool: expected "
                "'https://cognito-idp.{region}.amazonaws.com/{pool id}' with nothing after it, as in the iss of a "
                "token. For a server that stands in for AWS use UserPool(pool_id, endpoint_url=...)."
            )
            raise ConfigurationError(msg)
        if found is not None and not pool_id.startswith(f"{found[2]}_"):
            msg = f"The issuer {shown(issuer)} is not Cognito's: its host is in {found[2]}, its pool id is not."
            raise ConfigurationError(msg)
        pool = cls(
            pool_id,
            domain=domain,
            issuer_type=issuer_type,
            fips=fips,
            endpoint_url=endpoint_url,
            dns_suffix=dns_suffix,
            allow_insecure_http=allow_insecure_http,
        )
        if pool.issuer != issuer:
            msg = f"The issuer {shown(issuer)} is not written as Cognito writes it: expected {pool.issuer!r}."
            raise ConfigurationError(msg)
        return pool

    @property
    def issuer(self) -> str:
        """The issuer the pool puts into tokens (`iss`), without a trailing slash."""
        return self._issuer_of(self.issuer_type)

    @property
    def accepted_issuers(self) -> Mapping[str, str]:
        """The pool's original and updated issuer, in this order, each with the one URL its keys are fetched from."""
        return self._accepted

    @property
    def discovery_url(self) -> str:
        """Where the discovery document is: under the issuer, never under the domain."""
        return f"{self.issuer}/.well-known/openid-configuration"

    @property
    def jwks_uri(self) -> str:
        """Where the key set of the pool's issuer is."""
        return self._accepted[self.issuer]

    @property
    def authorization_endpoint(self) -> str:
        """Where the browser is sent to log in. Needs a domain."""
        return self._on_domain("/oauth2/authorize", "authorization_endpoint")

    @property
    def token_endpoint(self) -> str:
        """Where codes and refresh tokens are exchanged. Needs a domain."""
        return self._on_domain("/oauth2/token", "token_endpoint")

    @property
    def userinfo_endpoint(self) -> str:
        """Where the person's attributes are; a capital I in the path. Needs a domain."""
        return self._on_domain("/oauth2/userInfo", "userinfo_endpoint")

    @property
    def revocation_endpoint(self) -> str:
        """Where refresh tokens are revoked. Needs a domain."""
        return self._on_domain("/oauth2/revoke", "revocation_endpoint")

    @property
    def end_session_endpoint(self) -> str:
        """Cognito's logout, which is not OpenID Connect's RP-initiated logout. Needs a domain."""
        return self._on_domain("/logout", "end_session_endpoint")

    @property
    def idp_response_endpoint(self) -> str:
        """Where an upstream OpenID provider sends the browser back to: register it there. Needs a domain."""
        return self._on_domain("/oauth2/idpresponse", "idp_response_endpoint")

    @property
    def metadata(self) -> ProviderMetadata:
        """Every address in the form of discovery. Endpoints are None where the pool has no domain."""
        from cognito_oidc.protocol.metadata import ProviderMetadata  # noqa: PLC0415 - not on the verification path

        has_domain = self._domain_url is not None
        return ProviderMetadata(
            issuer=self.issuer,
            jwks_uri=self.jwks_uri,
            authorization_endpoint=self.authorization_endpoint if has_domain else None,
            token_endpoint=self.token_endpoint if has_domain else None,
            userinfo_endpoint=self.userinfo_endpoint if has_domain else None,
            revocation_endpoint=self.revocation_endpoint if has_domain else None,
            end_session_endpoint=self.end_session_endpoint if has_domain else None,
        )

    def __repr__(self) -> str:
        """Show what the pool was made from."""
        given = {**self._arguments(), "issuer_type": "updated" if self.issuer_type == "updated" else None}
        rest = "".join(f", {name}={value!r}" for name, value in given.items() if value)
        return f"UserPool({self.pool_id!r}{rest})"

    def __reduce__(self) -> tuple[object, ...]:
        """Support pickle and copy."""
        return _restore_pool, (type(self), self.pool_id, self._arguments())

    def __hash__(self) -> int:
        """Hash what the pool was made from."""
        return hash((self.pool_id, *self._arguments().values()))

    def _arguments(self) -> dict[str, object]:
        return {
            "domain": self.domain,
            "issuer_type": self.issuer_type,
            "fips": self.fips,
            "endpoint_url": self.endpoint_url,
            "dns_suffix": self._dns_suffix,
            "allow_insecure_http": self.allow_insecure_http,
        }

    def _issuer_of(self, issuer_type: str) -> str:
        label = _ISSUER_LABEL[issuer_type]
        if self.endpoint_url is not None:
            return f"{self.endpoint_url}{'' if issuer_type == 'original' else '/' + label}/{self.pool_id}"
        suffix = self._dns_suffix or _partition_of(self.region).dns_suffix
        if suffix is None:
            msg = (
                f"How the issuer's host in {self.region} ends is not known to this library: pass dns_suffix=, what "
                "follows the Region in the iss of one of the pool's tokens, such as 'amazonaws.eu'."
            )
            raise ConfigurationError(msg)
        return f"https://{label}.{self.region}.{suffix}/{self.pool_id}"

    def _parse_domain(self, domain: str) -> str:
        """Return the absolute URL of the domain, without a trailing slash."""
        if not isinstance(domain, str) or domain == "":
            msg = (
                f"domain={shown(domain)} is no domain: pass the prefix, the host name or the URL of the pool's domain, "
                "or leave it out."
            )
            raise ConfigurationError(msg)
        if "://" in domain:
            url = _base_url(domain, "domain", allow_insecure_http=self.allow_insecure_http)
            if "/oauth2" in url:
                msg = f"domain={shown(domain)} is the address of an endpoint: leave out '/oauth2' and what follows."
                raise ConfigurationError(msg)
            return url
        if "." in domain:
            if not _is_host(domain):
                msg = (
                    f"domain={shown(domain)} is no host name: expected lower-case letters, digits, inner hyphens and "
                    "dots. With a port or a path, pass a URL that begins with https://."
                )
                raise ConfigurationError(msg)
            return f"https://{domain}"
        if re.fullmatch(_PREFIX, domain) is None or any(word in domain for word in _RESERVED_IN_PREFIX):
            msg = (
                f"domain={shown(domain)} is no domain prefix: expected 1 to 63 lower-case letters, digits and inner "
                "hyphens, without 'aws', 'amazon' or 'cognito'. A custom domain is given as its host name, a local "
                "server as its URL."
            )
            raise ConfigurationError(msg)
        if self.endpoint_url is not None:
            return f"{self.endpoint_url}/{domain}"
        partition = _partition_of(self.region)
        if partition.domain_suffix is None or self.region in partition.unknown_domains:
            msg = (
                f"The host of prefix domains in {self.region} is not known to this library: pass the whole host name, "
                "as the console shows it, as domain."
            )
            raise ConfigurationError(msg)
        label = "auth-fips" if self.fips or self.region in partition.fips_only else "auth"
        return f"https://{domain}.{label}.{self.region}.{partition.domain_suffix}"

    def _on_domain(self, path: str, name: str) -> str:
        if self._domain_url is None:
            msg = (
                f"{name} needs the pool's domain: pass UserPool({self.pool_id!r}, domain=...) with the prefix, the "
                "host name or the URL, or give the client metadata= from discover()."
            )
            raise ConfigurationError(msg)
        return self._domain_url + path


def _restore_pool(cls: type[UserPool], pool_id: str, arguments: dict[str, object]) -> UserPool:
    return cls(pool_id, **arguments)  # type: ignore[arg-type]  # the arguments are those of a pool that was made


def _region_of(pool_id: object) -> str | None:
    """Return the Region in a pool id; None where it is none."""
    if not isinstance(pool_id, str) or len(pool_id) > _POOL_ID_MAX:
        return None
    region, _, name = pool_id.partition("_")
    return region if _is_region(region) and name.isascii() and name.isalnum() else None


def _is_region(text: str) -> bool:
    """Tell whether a text is like `eu-west-1`. No regular expression: compiling one would take a cold start 0.3 ms."""
    *words, number = text.split("-")
    return (
        text.isascii()
        and len(words) in range(2, 5)
        and len(words[0]) in range(2, 9)
        and all(word.isalpha() and word.islower() and len(word) in range(2, 17) for word in words)
        and number.isdigit()
        and len(number) in range(1, 3)
    )


def _is_host(text: str) -> bool:
    return isinstance(text, str) and len(text) <= _HOST_MAX and re.fullmatch(_HOST, text) is not None


def _base_url(url: str, what: str, *, allow_insecure_http: bool) -> str:
    """Return a URL given by the caller, checked and without a trailing slash."""
    from cognito_oidc.protocol.wire import check_url  # noqa: PLC0415 - needs urllib.parse: 2.5 ms

    return check_url(url, what=what, allow_insecure_http=allow_insecure_http).rstrip("/")


def _partition_of(region: str) -> Partition:
    return next(row for row in PARTITIONS if region.startswith(row.region_prefix))
