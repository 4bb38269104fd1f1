"""Where things are: the URLs of a pool, and which pool a request is for.

Two shapes. Under production's hosts the Host header names the pool's domain, or the issuer host whose path begins with
the pool id. Under any other host (`http://127.0.0.1:9229`) the first path segment names the pool: its id,
`issuer-cognito-idp/` and its id, or its domain.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from starlette.responses import Response

    from cognito_oidc.emulator.pools import EmulatedPool

    # An answer that needs calls to others first. It is run without the emulator's lock.
    Errand = Callable[[], Awaitable[Response]]

IssuerType = Literal["original", "updated"]

_REGION: Final = r"(?P<region>[a-z]{2,4}-(?:[a-z]+-)?[a-z]+-\d)"
_ISSUER_HOST: Final = re.compile(rf"(?P<updated>issuer-)?cognito-idp\.{_REGION}\.amazonaws\.(?:com|com\.cn|eu)")
_PREFIX_HOST: Final = re.compile(rf"(?P<prefix>[a-z0-9-]+)\.auth(?:-fips)?\.{_REGION}\.amazoncognito\.com")
_UPDATED_SEGMENT: Final = "issuer-cognito-idp"
IDP_RESPONSE_PATH: Final = "/oauth2/idpresponse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a request arrived: the pool, which of its two surfaces, and the path below.

    Attributes:
        pool: The user pool that was addressed.
        surface: `"issuer"` for discovery and keys, `"domain"` for the OAuth endpoints and pages.
        path: The path below the surface's root, beginning with `/`.
        root: Absolute URL of the surface as it was addressed, without a slash at the end.
        base: The base URL of a local server, or None under production's hosts.
        issuer_type: Which of the pool's issuers was addressed; on the domain the one that the pool uses.
        cookie_path: The Path of this surface's cookies.
        secure: Whether the request came over https.
    """

    pool: EmulatedPool
    surface: Literal["issuer", "domain"]
    path: str
    root: str
    base: str | None
    issuer_type: IssuerType
    cookie_path: str
    secure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One request as the endpoints see it.

    Attributes:
        place: The pool and path that it is for.
        pools: All pools of the emulator.
        method: The HTTP method, `GET` for HEAD too.
        query: The first value of each query parameter, as a servlet would give it.
        form: The same for a form body; empty where the body is no form.
        repeated: Names that stood more than once in the query.
        headers: Header values by lower-case name.
        cookies: Cookie values by name.
        csrf_token: The value of the XSRF-TOKEN cookie, new if the request had none.
    """

    place: Place
    pools: tuple[EmulatedPool, ...]
    method: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    repeated: frozenset[str]
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    csrf_token: str

    @property
    def pool(self) -> EmulatedPool:
        """The user pool that the request is for."""
        return self.place.pool

    def registered(self, urls: tuple[str, ...]) -> tuple[str, ...]:
        """Return URLs that an app client has, and those of other pools as they are reached here too."""
        return (*urls, *(localised(self.pools, url, self.place.base) for url in urls))


def production_issuer(pool: EmulatedPool, issuer_type: IssuerType) -> str:
    """Return the issuer of a pool as AWS serves it."""
    host = "issuer-cognito-idp" if issuer_type == "updated" else "cognito-idp"
    suffix = "amazonaws.eu" if pool.region.startswith("eusc-") else "amazonaws.com"
    return f"https://{host}.{pool.region}.{suffix}/{pool.pool_id}"


def issuer(pool: EmulatedPool, base: str | None, issuer_type: IssuerType | None = None) -> str:
    """Return the issuer that tokens carry when they are asked for under `base`, or under production's hosts."""
    kind = issuer_type or pool.issuer_type
    if base is None:
        return production_issuer(pool, kind)
    return f"{base}/{_UPDATED_SEGMENT}/{pool.pool_id}" if kind == "updated" else f"{base}/{pool.pool_id}"


def domain_host(pool: EmulatedPool) -> str | None:
    """Return the host of a pool's domain, the custom one if it has both; None without a domain.

    GovCloud serves prefix domains on the FIPS host.
    """
    if pool.custom_domain is not None:
        return pool.custom_domain
    if pool.domain_prefix is None:
        return None
    label = "auth-fips" if pool.region.startswith("us-gov-") else "auth"
    return f"{pool.domain_prefix}.{label}.{pool.region}.amazoncognito.com"


def domain_root(pool: EmulatedPool, base: str | None) -> str | None:
    """Return the absolute URL under which a pool's OAuth endpoints and pages are; None without a domain."""
    if base is None:
        host = domain_host(pool)
        return None if host is None else f"https://{host}"
    segment = pool.custom_domain or pool.domain_prefix
    return None if segment is None else f"{base}/{segment}"


def localised(pools: Iterable[EmulatedPool], url: str, base: str | None) -> str:
    """Return a URL of one of the pools as a browser reaches it that came in at `base`.

    What is registered between pools has production's hosts, since the port of a server is not known beforehand. URLs
    of anybody else stay as they are.
    """
    if base is None:
        return url
    for pool in pools:
        pairs = (
            (domain_root(pool, None), domain_root(pool, base)),
            (production_issuer(pool, "original"), issuer(pool, base, "original")),
            (production_issuer(pool, "updated"), issuer(pool, base, "updated")),
        )
        for production, local in pairs:
            if production is not None and local is not None and (url + "/").startswith(production + "/"):
                return local + url.removeprefix(production)
    return url


def discovery_document(pool: EmulatedPool, base: str | None, issuer_type: IssuerType) -> dict[str, object]:
    """Return a pool's discovery document, with the members that Cognito has and no other.

    A pool without a domain gets the endpoints that AWS gives it, which do not work.

    Source: https://github.com/localstack/localstack/issues/12914 and
        https://github.com/openiddict/openiddict-core/issues/1586, documents of real pools.
    """
    own_issuer = issuer(pool, base, issuer_type)
    document: dict[str, object] = {
        "id_token_signing_alg_values_supported": ["RS256"],
        "issuer": own_issuer,
        "jwks_uri": f"{own_issuer}/.well-known/jwks.json",
        "response_types_supported": ["code", "token"],
        "scopes_supported": ["openid", "email", "phone", "profile"],
        "subject_types_supported": ["public"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }
    root = domain_root(pool, base)
    if root is None:
        document["authorization_endpoint"] = f"{own_issuer}/authorize"
        document["token_endpoint"] = f"{own_issuer}/token"
        document["userinfo_endpoint"] = f"{own_issuer}/userInfo"
    else:
        document["authorization_endpoint"] = f"{root}/oauth2/authorize"
        document["end_session_endpoint"] = f"{root}/logout"
        document["revocation_endpoint"] = f"{root}/oauth2/revoke"
        document["token_endpoint"] = f"{root}/oauth2/token"
        document["userinfo_endpoint"] = f"{root}/oauth2/userInfo"
    return dict(sorted(document.items()))


def find_place(pools: Iterable[EmulatedPool], *, scheme: str, netloc: str, mount: str, path: str) -> Place | None:
    """Find the pool and surface that a request is for.

    Args:
        pools: The pools there are.
        scheme: `http` or `https`.
        netloc: Host and port of the request, as in its Host header.
        mount: The path under which the emulator is mounted, empty or beginning with `/`.
        path: The request's path below `mount`.

    Returns:
        The place, or None where no pool is.
    """
    host = _host_of(netloc)
    secure = scheme == "https"
    known = tuple(pools)
    if at_issuer := _ISSUER_HOST.fullmatch(host):
        kind: IssuerType = "updated" if at_issuer["updated"] else "original"
        pool_id, rest = _split_segment(path)
        for pool in known:
            if pool.pool_id == pool_id and pool.region == at_issuer["region"]:
                return Place(
                    pool=pool,
                    surface="issuer",
                    path=rest,
                    root=production_issuer(pool, kind),
                    base=None,
                    issuer_type=kind,
                    cookie_path="/",
                    secure=secure,
                )
        return None
    at_prefix = _PREFIX_HOST.fullmatch(host)
    for pool in known:
        by_prefix = at_prefix is not None and (at_prefix["prefix"], at_prefix["region"]) == (
            pool.domain_prefix,
            pool.region,
        )
        if by_prefix or host == pool.custom_domain:
            return Place(
                pool=pool,
                surface="domain",
                path=path,
                root=f"{scheme}://{netloc}",
                base=None,
                issuer_type=pool.issuer_type,
                cookie_path="/",
                secure=secure,
            )
    if at_prefix is not None:
        return None
    return _find_below_base(known, base=f"{scheme}://{netloc}{mount}", mount=mount, path=path)


def _find_below_base(pools: tuple[EmulatedPool, ...], *, base: str, mount: str, path: str) -> Place | None:
    """Find the place of a request to a local server, where the path's beginning names the pool."""
    segment, rest = _split_segment(path)
    kind: IssuerType | None = None
    if segment == _UPDATED_SEGMENT:
        kind = "updated"
        segment, rest = _split_segment(rest)
    for pool in pools:
        at_issuer = segment == pool.pool_id
        if at_issuer or (kind is None and segment in {pool.domain_prefix, pool.custom_domain}):
            return Place(
                pool=pool,
                surface="issuer" if at_issuer else "domain",
                path=rest,
                root=issuer(pool, base, kind or "original") if at_issuer else f"{base}/{segment}",
                base=base,
                issuer_type=(kind or "original") if at_issuer else pool.issuer_type,
                cookie_path=f"{mount}/{segment}",
                secure=base.startswith("https:"),
            )
    return None


def _split_segment(path: str) -> tuple[str, str]:
    """Split `/first/rest` into `first` and `/rest`."""
    first, slash, rest = path.removeprefix("/").partition("/")
    return first, slash + rest


def _host_of(netloc: str) -> str:
    """Return the host name of a Host header, in lower case and without port."""
    if netloc.startswith("["):
        return netloc.partition("]")[0].lower() + "]"
    return netloc.partition(":")[0].lower().rstrip(".")
