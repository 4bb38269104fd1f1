"""Our client logs in to OpenID providers that are not ours, over HTTP, with the judgement of both sides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cognito_oidc import CognitoClient, UserPool
from cognito_oidc.errors import (
    AuthorizationDeniedError,
    InvalidClaimError,
    InvalidClientError,
    InvalidGrantError,
    OAuthError,
    StateMismatchError,
)
from tests.interop.front import POOL_ID, Front
from tests.interop.support import CALLBACK, GOODBYE

if TYPE_CHECKING:
    import httpx

    from tests.interop.person import Person
    from tests.interop.support import Provider

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
async def test_the_whole_flow(provider: Provider, ann: Person, library: str) -> None:
    """Discovery, login with PKCE, state and nonce, userInfo, refresh, revocation and logout, as far as each has it."""
    module = pytest.importorskip(library)
    async with module.AsyncClient(trust_env=False) as http:
        client = await provider.discovered(http)
        request = client.authorization_request(max_age=3600)
        tokens = await client.exchange_code(provider.login(ann, request), request)
        assert tokens.claims is not None
        assert (tokens.claims.sub, tokens.claims.iss, tokens.claims.aud) == (
            "ann",
            client.pool.issuer,
            client.client_id,
        )
        info = await client.userinfo(tokens)
        assert (info.sub, info.email, info.email_verified) == ("ann", "ann@acme.com", True)
        renewed = await client.refresh(tokens)
        assert renewed.access_token != tokens.access_token
        assert renewed.refresh_token is not None
        assert (await client.userinfo(renewed, expected_sub="ann")).email == "ann@acme.com"
        if "revocation_endpoint" in provider.front.theirs:
            await client.revoke(renewed)
            await client.revoke(renewed)
            with pytest.raises(InvalidGrantError):
                await client.refresh(renewed)
        assert ann.follow(client.logout_url(GOODBYE), until=GOODBYE) == GOODBYE


async def test_computed_addresses_do_as_well(certified: Provider, ann: Person, http: httpx.AsyncClient) -> None:
    """The same login at Cognito's own paths, which the pool computes from its domain, without discovery."""
    base = certified.front.base_url
    pool = UserPool(POOL_ID, domain=base, endpoint_url=base)
    client = CognitoClient(pool, client_id="public", redirect_uri=CALLBACK, http_client=http)
    request = client.authorization_request()
    tokens = await client.exchange_code(certified.login(ann, request), request)
    assert (await client.userinfo(tokens)).sub == "ann"
    await client.revoke(tokens)


async def test_discovery_tells_the_endpoints(certified: Provider, client: CognitoClient) -> None:
    """The discovered document is read as the provider wrote it: its own address of the login page."""
    metadata = await client.discover()
    assert metadata.issuer == certified.pool.issuer
    assert metadata.authorization_endpoint == certified.front.theirs["authorization_endpoint"]
    assert metadata.revocation_endpoint == certified.front.theirs["revocation_endpoint"]
    assert metadata.raw["code_challenge_methods_supported"] == ["S256"]


# --- what they judge --------------------------------------------------------------------------------------------------


async def test_a_code_is_good_once(provider: Provider, ann: Person, http: httpx.AsyncClient) -> None:
    """The provider refuses a code that was used."""
    client = await provider.discovered(http)
    request = client.authorization_request()
    callback = provider.login(ann, request)
    await client.exchange_code(callback, request)
    with pytest.raises(InvalidGrantError, match="token endpoint refused"):
        await client.exchange_code(callback, request)


async def test_the_verifier_is_what_the_challenge_was_made_of(
    certified: Provider, client: CognitoClient, ann: Person
) -> None:
    """The provider checks PKCE: another verifier than ours is refused, so ours is the challenge's."""
    request = client.authorization_request()
    callback = certified.login(ann, request)
    with pytest.raises(InvalidGrantError):
        await client.exchange_code(callback, replace(request, code_verifier="v" * 43))


async def test_the_redirect_uri_is_that_of_the_request(certified: Provider, client: CognitoClient, ann: Person) -> None:
    """The provider compares the redirect URI with that of the authorization request."""
    request = client.authorization_request()
    callback = certified.login(ann, request)
    with pytest.raises(InvalidGrantError):
        await client.exchange_code(callback, replace(request, redirect_uri=f"{CALLBACK}/"))


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_the_secret_is_checked(certified: Provider, ann: Person, http: httpx.AsyncClient, method: str) -> None:
    """The provider authenticates the client in both ways, and a wrong secret is `InvalidClientError`."""
    client_id = "posting" if method.endswith("post") else "confidential"
    other = replace(certified, client_id=client_id, client_secret="not-the-secret", method=method)  # type: ignore[arg-type]
    client = await other.discovered(http)
    request = client.authorization_request()
    callback = certified.login(ann, request)
    with pytest.raises(InvalidClientError):
        await client.exchange_code(callback, request)


async def test_a_refresh_token_must_be_known(client: CognitoClient) -> None:
    """The provider refuses a refresh token it never issued."""
    with pytest.raises(InvalidGrantError):
        await client.refresh("never-issued")


async def test_an_access_token_must_be_known(client: CognitoClient) -> None:
    """The provider's refusal at userInfo is read from its WWW-Authenticate header."""
    with pytest.raises(OAuthError) as caught:
        await client.userinfo("never.is.sued", expected_sub="ann")
    assert caught.value.error == "invalid_token"


async def test_rotation_replaces_the_refresh_token(certified: Provider, client: CognitoClient, ann: Person) -> None:
    """A public client's refresh token rotates there: the new one is kept, and the old one is dead."""
    request = client.authorization_request()
    tokens = await client.exchange_code(certified.login(ann, request), request)
    renewed = await client.refresh(tokens)
    assert renewed.refresh_token != tokens.refresh_token
    assert renewed.claims is not None
    with pytest.raises(InvalidGrantError):
        await client.refresh(tokens)


async def test_saying_no(certified: Provider, client: CognitoClient, ann: Person) -> None:
    """A person who declines comes back with `access_denied`."""
    request = client.authorization_request()
    callback = ann.follow(request.url, until=CALLBACK, deny=True)
    with pytest.raises(AuthorizationDeniedError) as caught:
        await client.exchange_code(certified.front.callback(callback), request)
    assert caught.value.error == "access_denied"


async def test_prompt_none_without_a_session(certified: Provider, client: CognitoClient, ann: Person) -> None:
    """Nobody is logged in, and nobody may be asked."""
    request = client.authorization_request(prompt="none")
    with pytest.raises(AuthorizationDeniedError) as caught:
        await client.exchange_code(certified.login(ann, request), request)
    assert caught.value.error == "login_required"


async def test_prompt_none_within_a_session(certified: Provider, client: CognitoClient, ann: Person) -> None:
    """Who is logged in gets a code without a page."""
    first = client.authorization_request()
    tokens = await client.exchange_code(certified.login(ann, first), first)
    request = client.authorization_request(prompt="none")
    again = await client.exchange_code(certified.login(ann, request), request)
    assert tokens.claims is not None
    assert again.claims is not None
    assert again.claims.sub == tokens.claims.sub


# --- what we judge ----------------------------------------------------------------------------------------------------


async def test_the_nonce_is_that_of_the_request(provider: Provider, ann: Person, http: httpx.AsyncClient) -> None:
    """The nonce comes back in the ID token, and another one is refused."""
    client = await provider.discovered(http)
    request = client.authorization_request()
    callback = provider.login(ann, request)
    with pytest.raises(InvalidClaimError) as caught:
        await client.exchange_code(callback, replace(request, nonce="n" * 43))
    assert caught.value.claim == "nonce"


async def test_the_state_is_that_of_the_request(provider: Provider, ann: Person, http: httpx.AsyncClient) -> None:
    """The callback of one request is not that of another, and the code is not sent."""
    client = await provider.discovered(http)
    request = client.authorization_request()
    callback = provider.login(ann, request)
    with pytest.raises(StateMismatchError):
        await client.exchange_code(callback, client.authorization_request())
    await client.exchange_code(callback, request)


async def test_the_issuer_of_a_callback_is_the_pools(client: CognitoClient, ann: Person) -> None:
    """Another provider's callback, which names its issuer as RFC 9207 asks, is refused though state and code fit."""
    request = client.authorization_request()
    with pytest.raises(StateMismatchError, match="issuer"):
        await client.exchange_code(ann.follow(request.url, until=CALLBACK), request)


async def test_a_refusal_without_state_is_nobodys(
    oidc_provider_mock: Front, certified: Provider, ann: Person, http: httpx.AsyncClient
) -> None:
    """PyPI's oidc-provider-mock forgets the state when a person declines: that callback answers no request."""
    client = await replace(certified, front=oidc_provider_mock).discovered(http)
    request = client.authorization_request()
    with pytest.raises(StateMismatchError, match="no state"):
        await client.exchange_code(ann.follow(request.url, until=CALLBACK, deny=True), request)
