"""An OpenID provider upstream: what a pool asks it over HTTP, and whether its ID token is to be believed.

Decides what of the provider's answers is accepted, and with what words Cognito relays a failure. Who the person becomes
is decided by `profiles`.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-oidc-idp.html and
    .../federation-endpoint-idp-responses.html
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio
import httpx
from joserfc import jwk, jws
from joserfc.errors import JoseError

from cognito_oidc.emulator.addresses import localised
from cognito_oidc.emulator.providers import ProviderEndpoints

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from starlette.applications import Starlette

    from cognito_oidc.emulator.addresses import Incoming
    from cognito_oidc.emulator.ledger import Trip
    from cognito_oidc.emulator.providers import OidcProvider

_MAX_TEXT: Final = 300
_MIN_SECRET: Final = 32  # bytes; RFC 7518 section 3.2 asks for as many as the hash has
# What the provider may sign with: HMAC-SHA, EC or RSA, as the guide has it.
_WITH_KEYS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"},
)
_WITH_SECRET: Final = frozenset({"HS256", "HS384", "HS512"})


class UpstreamError(Exception):
    """A federated sign-in that fails; its text goes to the application, and it never leaves the package."""

    def __init__(self, description: str) -> None:
        super().__init__(description)
        self.description = description


class UpstreamTransport(httpx.AsyncBaseTransport):
    """Takes requests to pools of the same emulator in process, and all others over the network.

    Args:
        app: The emulator's application.
        serves: Tells whether an absolute URL belongs to it.
    """

    def __init__(self, app: Starlette, serves: Callable[[str], bool]) -> None:
        self._in_process = httpx.ASGITransport(app=app)
        self._serves = serves
        self._network: httpx.AsyncHTTPTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        if self._serves(str(request.url)):
            return await self._in_process.handle_async_request(request)
        if self._network is None:
            self._network = httpx.AsyncHTTPTransport(trust_env=False)
        return await self._network.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._network is not None:
            await self._network.aclose()


class Upstream:
    """One provider as one request meets it; made by `open_upstream`."""

    __slots__ = ("_http", "_incoming", "_provider")

    def __init__(self, incoming: Incoming, provider: OidcProvider, http: httpx.AsyncClient) -> None:
        self._incoming = incoming
        self._provider = provider
        self._http = http

    def local(self, url: str) -> str:
        """Return a URL as it is reached where the browser came in."""
        return localised(self._incoming.pools, url, self._incoming.place.base)

    async def endpoints(self) -> ProviderEndpoints:
        """Return the provider's URLs: those given by hand, or those it publishes.

        Raises:
            UpstreamError: They cannot be had.
        """
        given = self._provider.endpoints
        if given is not None:
            return ProviderEndpoints(
                authorize_url=self.local(given.authorize_url),
                token_url=self.local(given.token_url),
                attributes_url=self.local(given.attributes_url),
                jwks_uri=self.local(given.jwks_uri),
            )
        url = f"{self.local(self._provider.issuer)}/.well-known/openid-configuration"
        answer = await self._call("GET", url, late="Read timed out")
        document = self._object(answer)
        names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
        found = [document.get(name) for name in names]
        if not all(isinstance(each, str) for each in found):
            raise UpstreamError(f"{self._provider.name} Error - the discovery document lacks one of {', '.join(names)}")
        authorize_url, token_url, attributes_url, jwks_uri = map(str, found)
        return ProviderEndpoints(
            authorize_url=authorize_url, token_url=token_url, attributes_url=attributes_url, jwks_uri=jwks_uri
        )

    async def claims(self, trip: Trip, code: str) -> dict[str, object]:
        """Return what the provider says of the person: the verified ID token, and userInfo over it.

        Raises:
            UpstreamError: A call fails, or the ID token is not to be believed.
        """
        tokens = await self._redeem(trip, code)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise UpstreamError(f"Bad token response: {self._provider.name} sent no id_token or no access_token")
        keys: object = None
        if not _is_signed_with_secret(id_token):
            # The doubled name is Cognito's own: .../authorization-endpoint.html
            late = "error_description=Timeout in calling jwks uri"
            answer = await self._call("GET", trip.endpoints.jwks_uri, late=late)
            keys = self._object(answer).get("keys")
        claims = verify_id_token(
            id_token,
            keys=[each for each in keys if isinstance(each, dict)] if isinstance(keys, list) else [],
            client_secret=self._provider.client_secret,
            issuer=self.local(self._provider.issuer),
            audience=self._provider.client_id,
            nonce=trip.nonce,
            now=self._incoming.pool.surroundings.clock(),
        )
        more = await self._userinfo(trip, access_token)
        if more.get("sub") != claims["sub"]:  # OpenID Connect Core 5.3.2
            raise UpstreamError("username attribute mapping required")
        return claims | more

    async def _redeem(self, trip: Trip, code: str) -> Mapping[str, object]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": trip.callback,
            "client_id": self._provider.client_id,
            "client_secret": self._provider.client_secret,
        }
        if trip.code_verifier is not None:
            form["code_verifier"] = trip.code_verifier
        answer = await self._call(
            "POST", trip.endpoints.token_url, form=form, late="Timeout occurred in calling IdP token endpoint"
        )
        if self._incoming.pool.surroundings.behaviour.upstream_token_error == "bad_token_response" and answer.is_error:
            # https://github.com/TimothyJones/github-cognito-openid-wrapper/issues/3
            raise UpstreamError(f"Bad token response: HTTP/1.1 {answer.status_code} {answer.reason_phrase}")
        return self._object(answer)

    async def _userinfo(self, trip: Trip, access_token: str) -> dict[str, object]:
        """Ask for the person's attributes; whatever goes wrong, Cognito misses the username.

        Source: https://github.com/TimothyJones/github-cognito-openid-wrapper/issues/37
        """
        answer = await self._call(
            self._provider.attributes_request_method,
            trip.endpoints.attributes_url,
            bearer=access_token,
            late="Read timed out",
        )
        content = _json_object(answer)
        if answer.is_error or content is None:
            raise UpstreamError("username attribute mapping required")
        return content

    async def _call(
        self, method: str, url: str, *, late: str, form: dict[str, str] | None = None, bearer: str | None = None
    ) -> httpx.Response:
        """Send one request, and give up in time, with the words that `late` has for it."""
        headers = {"accept": "application/json"}
        if bearer is not None:
            headers["authorization"] = f"Bearer {bearer}"
        try:
            with anyio.fail_after(self._incoming.pool.surroundings.behaviour.upstream_timeout):
                return await self._http.request(method, url, data=form, headers=headers)
        except (TimeoutError, httpx.TimeoutException):
            raise UpstreamError(late) from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise UpstreamError("Connection reset") from None

    def _object(self, answer: httpx.Response) -> dict[str, object]:
        """Return the JSON object of a good answer.

        Raises:
            UpstreamError: It is an error, told with the provider's name and status, or no object.
        """
        content = _json_object(answer)
        if answer.status_code == httpx.codes.OK and content is not None:
            return content
        told = [content[name] for name in ("error", "error_description") if name in content] if content else []
        text = " ".join(str(each) for each in told) or answer.reason_phrase
        raise UpstreamError(f"{self._provider.name} Error - {answer.status_code} {text}"[:_MAX_TEXT])


@asynccontextmanager
async def open_upstream(incoming: Incoming, provider: OidcProvider) -> AsyncGenerator[Upstream]:
    """Give access to a provider for as long as the block runs."""
    async with incoming.pool.surroundings.upstream_client() as http:
        yield Upstream(incoming, provider, http)


def verify_id_token(
    token: str,
    *,
    keys: Sequence[Mapping[str, object]],
    client_secret: str,
    issuer: str,
    audience: str,
    nonce: str,
    now: float,
) -> dict[str, object]:
    """Return the claims of a provider's ID token, after every check.

    Args:
        token: The ID token, a JWS in compact form.
        keys: The provider's key set.
        client_secret: What signs it where the provider uses HMAC.
        issuer: What `iss` must be, character by character.
        audience: What `aud` must be or hold.
        nonce: What was sent with the authorization request.
        now: Epoch seconds.

    Raises:
        UpstreamError: It is not to be believed. The words are not known of Cognito, but for the issuer's.
    """
    claims = _signed_claims(token, keys, client_secret)
    if claims.get("iss") != issuer:
        raise UpstreamError("Bad id_token issuer")
    audiences = claims.get("aud")
    held = audiences if isinstance(audiences, list) else [audiences]
    if audience not in held or (len(held) > 1 and claims.get("azp") != audience):
        raise UpstreamError("Bad id_token audience")
    expires_at = claims.get("exp")
    if not isinstance(expires_at, int | float) or isinstance(expires_at, bool) or not now < expires_at:
        raise UpstreamError("Bad id_token expiration")
    if claims.get("nonce") != nonce:
        raise UpstreamError("Bad id_token nonce")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise UpstreamError("username attribute mapping required")
    return claims


def _signed_claims(token: str, keys: Sequence[Mapping[str, object]], client_secret: str) -> dict[str, object]:
    """Return the claims of a token whose signature holds; the algorithm decides which kind of key may be used."""
    header = _header(token)
    algorithm, kid = header.get("alg"), header.get("kid")
    candidates: list[jwk.Key] = []
    if algorithm in _WITH_SECRET and len(client_secret.encode()) >= _MIN_SECRET:
        candidates = [jwk.OctKey.import_key(client_secret)]
    elif algorithm in _WITH_KEYS and isinstance(kid, str):  # "Your provider must publish the kid", the guide says
        candidates = [key for each in keys if each.get("kid") == kid and (key := _imported(each)) is not None]
    for key in candidates:
        try:
            content = json.loads(jws.deserialize_compact(token, key, algorithms=[str(algorithm)]).payload)
        except (JoseError, ValueError, TypeError, RecursionError):
            continue
        if isinstance(content, dict):
            return content
    raise UpstreamError("Bad id_token signature")


def _imported(key: Mapping[str, object]) -> jwk.Key | None:
    """Return one key of a key set, or None where it is no good public key; it must not spoil the others."""
    if key.get("kty") not in {"RSA", "EC"}:
        return None
    try:
        return jwk.import_key(dict(key))  # type: ignore[arg-type] # whatever the provider published
    except (JoseError, ValueError, TypeError, KeyError, Warning):  # a warning of a weak key, where those are errors
        return None


def _is_signed_with_secret(token: str) -> bool:
    return _header(token).get("alg") in _WITH_SECRET


def _header(token: str) -> dict[str, object]:
    try:
        header: dict[str, object] = dict(jws.extract_compact(token.encode()).headers())
    except (JoseError, ValueError, TypeError):
        return {}
    return header


def _json_object(answer: httpx.Response) -> dict[str, object] | None:
    try:
        content = json.loads(answer.content)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
