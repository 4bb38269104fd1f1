"""`CognitoEmulator`: the pools, the application that serves them, and what a test steers them with.

Decides how the parts are put together; each part says what it decides.
"""

from __future__ import annotations

import re
import secrets
import threading
from contextlib import asynccontextmanager, nullcontext
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

import httpx

from cognito_oidc.emulator import addresses
from cognito_oidc.emulator.app import build_app
from cognito_oidc.emulator.behaviour import Behaviour
from cognito_oidc.emulator.control import Controls, EmulatorClock, build_fault, check_endpoint
from cognito_oidc.emulator.person import Person
from cognito_oidc.emulator.pools import EmulatedPool
from cognito_oidc.emulator.server import run_server
from cognito_oidc.emulator.tokens import make_key
from cognito_oidc.emulator.upstream import UpstreamTransport
from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from starlette.applications import Starlette

    from cognito_oidc.emulator.addresses import IssuerType
    from cognito_oidc.emulator.control import JournalEntry
    from cognito_oidc.emulator.server import EmulatorServer
    from cognito_oidc.emulator.tokens import KeyStock
    from cognito_oidc.emulator.users import PasswordPolicy

# Patterns of the AWS service model (botocore 1.44.5, service `cognito-idp`); the Region as aws-jwt-verify reads it.
_POOL_ID: Final = re.compile(r"[a-z]{2,4}-(?:[a-z]+-)?[a-z]+-\d_[0-9a-zA-Z]{1,40}")
_PREFIX: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_CUSTOM_DOMAIN: Final = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")
# https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain-prefix.html
_FORBIDDEN_IN_PREFIX: Final = ("aws", "amazon", "cognito")
_ID_CHARACTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH: Final = 9
_LOOPBACK: Final = "127.0.0.1"


class CognitoEmulator:
    """A local Amazon Cognito with any number of user pools.

    Everything is in memory and safe between threads. The same emulator answers in process (`http_client`,
    `asgi_app`) and on a port (`serve`).

    Attributes:
        clock: Epoch seconds; `clock.advance(seconds)` puts them forward.
        behaviour: The switches, for what is not known of Cognito.
        asgi_app: The Starlette application. It answers production's hosts, and any other host by the path's beginning.
        lock: What guards the state; for the emulator's own parts.

        strict: Whether parameters that Cognito would ignore are an error.

    Args:
        behaviour: The switches.
        strict: Refuse requests with parameters that Cognito would ignore, such as `post_logout_redirect_uri`, and name
            them. The journal names them in any case.
        key_stock: Where private keys come from, for many emulators that follow each other; new ones when left out.
    """

    def __init__(
        self, *, behaviour: Behaviour | None = None, strict: bool = False, key_stock: KeyStock | None = None
    ) -> None:
        self.clock: EmulatorClock = EmulatorClock()
        self.strict = strict
        self.behaviour: Behaviour = behaviour if behaviour is not None else Behaviour()
        self.lock: threading.RLock = threading.RLock()
        self._next_key = key_stock.source() if key_stock is not None else make_key
        self._controls = Controls()
        self._pools: dict[str, EmulatedPool] = {}
        self._base_urls: set[str] = set()
        self.asgi_app: Starlette = build_app(self, self._controls, self._pools)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave the block; servers end with their own."""

    def __repr__(self) -> str:
        return f"CognitoEmulator(pools={list(self._pools)!r})"

    @property
    def pools(self) -> Mapping[str, EmulatedPool]:
        """The pools by id."""
        return MappingProxyType(self._pools)

    @property
    def journal(self) -> list[JournalEntry]:
        """What arrived so far, oldest first; at most the last 10,000 requests."""
        return self._controls.entries()

    def add_pool(
        self,
        pool_id: str | None = None,
        *,
        domain: str | None = None,
        custom_domain: str | None = None,
        region: str = "eu-west-1",
        issuer_type: IssuerType = "original",
        required_attributes: Iterable[str] = (),
        immutable_attributes: Iterable[str] = (),
        self_sign_up: bool = True,
        password_policy: PasswordPolicy | None = None,
    ) -> EmulatedPool:
        """Create a user pool.

        Args:
            pool_id: Such as `eu-west-1_Orders001`; generated when left out.
            domain: The prefix of its domain, or the host name of a custom one. Without a domain it has no OAuth
                endpoints, as in AWS. A prefix is unique in the whole emulator.
            custom_domain: A custom domain beside a prefix; discovery then lists only this one.
            region: The Region of a generated id.
            issuer_type: Which issuer its tokens carry.
            required_attributes: Attributes that everybody must have, and every sign-in from a provider must bring.
            immutable_attributes: Attributes that keep their first value.
            self_sign_up: Whether people may sign up on the login page.
            password_policy: What passwords that people choose must have; Cognito's own when left out.

        Raises:
            ConfigurationError: Cognito would refuse the id or the domain, or it is taken.
        """
        if pool_id is None:
            pool_id = f"{region}_{''.join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))}"
        if not _POOL_ID.fullmatch(pool_id):
            raise ConfigurationError(
                f"pool id {pool_id!r} must be a Region, '_' and letters or digits: eu-west-1_AbC123xyz"
            )
        prefix, custom_domain = _checked_domains(domain, custom_domain)
        if issuer_type not in {"original", "updated"}:
            raise ConfigurationError(f"issuer_type must be 'original' or 'updated', got {issuer_type!r}")
        pool = EmulatedPool(
            self,
            pool_id,
            domain_prefix=prefix,
            custom_domain=custom_domain,
            issuer_type=issuer_type,
            required_attributes=required_attributes,
            immutable_attributes=immutable_attributes,
            self_sign_up=self_sign_up,
            password_policy=password_policy,
        )
        with self.lock:
            if pool_id in self._pools:
                raise ConfigurationError(f"there is a pool {pool_id} already")
            for other in self._pools.values():
                if {prefix, custom_domain} & {other.domain_prefix, other.custom_domain} - {None}:
                    raise ConfigurationError(f"pool {other.pool_id} has this domain already")
            self._pools[pool_id] = pool
        return pool

    def federated_pair(
        self,
        *,
        provider_name: str = "Corp",
        attribute_mapping: Mapping[str, str] | None = None,
        scopes: Iterable[str] = ("openid", "email", "profile"),
    ) -> tuple[EmulatedPool, EmulatedPool]:
        """Create two pools, the second of which signs people in through the first as its OpenID provider.

        Args:
            provider_name: What the second pool calls the first; its domain's prefix is made of it.
            attribute_mapping: Claims by attribute name; the e-mail address when left out, which then counts as
                unverified, as in AWS.
            scopes: What the second pool asks the first for.

        Returns:
            The upstream pool and the downstream pool. App clients made by the latter's `client` take its own people
            too.

        Raises:
            ConfigurationError: The name is none that Cognito takes.
        """
        wanted = re.sub(r"[^a-z0-9]+", "-", provider_name.lower()).strip("-")
        upstream = self.add_pool(domain=self._free_prefix(wanted))
        downstream = self.add_pool(domain=self._free_prefix("app"))
        client = upstream.add_client(
            f"{provider_name} federation",
            redirect_uris=[downstream.idp_response_url],
            scopes=scopes,
            client_secret=True,
        )
        downstream.add_oidc_provider(
            provider_name,
            issuer=upstream,
            client_id=client.client_id,
            client_secret=client.client_secret or "",
            scopes=scopes,
            attribute_mapping=attribute_mapping if attribute_mapping is not None else {"email": "email"},
        )
        return upstream, downstream

    def next_key(self) -> RSAPrivateKey:
        """Return the private key of the next signing key; for the emulator's own parts."""
        return self._next_key()

    def http_client(self) -> httpx.AsyncClient:
        """Return a new client whose requests reach this emulator in process, whatever host they name."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self.asgi_app), trust_env=False)

    def upstream_client(self) -> httpx.AsyncClient:
        """Return a new client as the pools use it: in process to this emulator, over the network to anybody else."""
        return httpx.AsyncClient(
            transport=UpstreamTransport(self.asgi_app, self.serves),
            trust_env=False,
            timeout=self.behaviour.upstream_timeout,
        )

    def serves(self, url: str) -> bool:
        """Tell whether an absolute URL is one of a pool here, under production's hosts or on a running server."""
        if any(url == base or url.startswith(f"{base}/") for base in self._running()):
            return True
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"}:
            return False
        with self.lock:
            place = addresses.find_place(
                self._pools.values(), scheme=parts.scheme, netloc=parts.netloc, mount="", path=parts.path
            )
        return place is not None and place.base is None

    def person(
        self,
        username: str,
        password: str,
        *,
        new_password: str | None = None,
        provider: str | None = None,
        http_client: httpx.AsyncClient | None = None,
    ) -> Person:
        """Return a simulated person at a browser.

        Args:
            username: The name they sign in with.
            password: Their password.
            new_password: What they choose where the password must be changed.
            provider: The identity provider whose button they press where a login page has it; their name and password
                are then those at the provider.
            http_client: A client to browse with, which is not closed. Left out: URLs of a running server go over the
                network, all others in process.
        """
        borrowed = nullcontext(http_client) if http_client is not None else None
        open_client = (lambda: borrowed) if borrowed is not None else self._browser
        return Person(
            username,
            password,
            open_client=open_client,
            serves=self.serves,
            new_password=new_password,
            provider=provider,
        )

    def fail_next(
        self,
        endpoint: str,
        *,
        status: int | None = 500,
        retry_after: float | None = None,
        body: str | bytes | Mapping[str, object] = b"",
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
        truncate: int | None = None,
        processed: bool = False,
        times: int = 1,
    ) -> None:
        """Queue a fault for the next requests to an endpoint, of whatever pool.

        Args:
            endpoint: A name as in the journal: `discovery`, `jwks`, `authorize`, `login`, `token`, `userinfo` ...
            status: The status to answer, or None for the right answer, late or spoiled.
            retry_after: Seconds for a Retry-After header.
            body: The body: text, bytes, or a mapping that becomes JSON.
            content_type: Its content type, also of a right answer; JSON when left out.
            headers: Further headers.
            delay: Seconds of real time to wait first.
            truncate: How many bytes of the body arrive. Over the network the connection ends there.
            processed: Whether the request is carried out before its answer is lost.
            times: How many requests.

        Raises:
            ConfigurationError: There is no such endpoint, or a number makes no sense.
        """
        fault = build_fault(
            status=status,
            retry_after=retry_after,
            body=body,
            content_type=content_type,
            headers=headers,
            delay=delay,
            truncate=truncate,
            processed=processed,
        )
        self._controls.add_fault(endpoint, fault, times=times)

    def count(self, endpoint: str, *, pool: EmulatedPool | None = None) -> int:
        """Return how many requests an endpoint got, of one pool or of all.

        Raises:
            ConfigurationError: There is no such endpoint.
        """
        check_endpoint(endpoint)
        return sum(
            entry.endpoint == endpoint and (pool is None or entry.pool_id == pool.pool_id) for entry in self.journal
        )

    @asynccontextmanager
    async def serve(self, *, host: str = _LOOPBACK, port: int = 0) -> AsyncGenerator[EmulatorServer]:
        """Serve over HTTP, in a thread of its own, until the block is left.

        Args:
            host: The address to bind to. Any other than loopback shows the emulator, and every password and token in
                it, to the network.
            port: The port, or 0 for a free one.

        Raises:
            ConfigurationError: The address cannot be bound.
        """
        async with run_server(self.asgi_app, host=host, port=port) as server:
            with self.lock:
                self._base_urls.add(server.base_url)
            try:
                yield server
            finally:
                with self.lock:
                    self._base_urls.discard(server.base_url)

    def _running(self) -> tuple[str, ...]:
        with self.lock:
            return tuple(self._base_urls)

    def _free_prefix(self, wanted: str) -> str:
        """Return a domain prefix that no pool has: the one wanted, or with a number."""
        if not _PREFIX.fullmatch(wanted) or any(word in wanted for word in _FORBIDDEN_IN_PREFIX):
            wanted = "upstream"
        taken = {pool.domain_prefix for pool in self.pools.values()}
        return next(
            prefix for number in count(1) if (prefix := wanted if number == 1 else f"{wanted}-{number}") not in taken
        )

    def _browser(self) -> httpx.AsyncClient:
        """Return a client that takes the network to our own servers, and no network to anything else."""
        mounts = {f"all://{urlsplit(base).netloc}": httpx.AsyncHTTPTransport() for base in self._running()}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.asgi_app), mounts=mounts, trust_env=False, timeout=30.0
        )


def _checked_domains(domain: str | None, custom_domain: str | None) -> tuple[str | None, str | None]:
    """Return the prefix and the custom domain that the arguments of `add_pool` mean."""
    prefix = domain
    if domain is not None and "." in domain:
        if custom_domain is not None:
            raise ConfigurationError("domain and custom_domain are both host names: a pool has one custom domain")
        prefix, custom_domain = None, domain
    if custom_domain is not None and not _CUSTOM_DOMAIN.fullmatch(custom_domain):
        raise ConfigurationError(f"custom domain {custom_domain!r} must be a host name in lower case: login.acme.com")
    if prefix is not None and not _PREFIX.fullmatch(prefix):
        raise ConfigurationError(f"domain prefix {prefix!r} must be 1 to 63 of a-z, 0-9 and inner hyphens")
    for word in _FORBIDDEN_IN_PREFIX:
        if prefix is not None and word in prefix:
            raise ConfigurationError(f"domain prefix {prefix!r} must not contain {word!r}: Cognito refuses it")
    return prefix, custom_domain
