"""Clients that are not ours log in to the emulator and verify what it issues."""

from collections.abc import Mapping
from typing import Any

import httpx
import jwt
import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwk
from joserfc import jwt as joserfc_jwt

from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool, EmulatedUser
from tests.emulator.support import CALLBACK, ISSUER, sign_in

pytestmark = pytest.mark.anyio


async def key_set(http: httpx.AsyncClient, jwks_uri: str) -> dict[str, Any]:
    """Return the key set as it is served."""
    keys: dict[str, Any] = (await http.get(jwks_uri)).json()
    return keys


async def test_pyjwt_verifies_both_tokens(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """PyJWT finds each token's key by kid and accepts signature, issuer, audience and times."""
    tokens = await sign_in(aws, web)
    async with aws.http_client() as http:
        keys = jwt.PyJWKSet.from_dict(await key_set(http, f"{ISSUER}/.well-known/jwks.json"))
    id_key, access_key = (keys[jwt.get_unverified_header(tokens[name])["kid"]] for name in ("id_token", "access_token"))
    identity = jwt.decode(tokens["id_token"], id_key, algorithms=["RS256"], issuer=ISSUER, audience=web.client_id)
    access = jwt.decode(tokens["access_token"], access_key, algorithms=["RS256"], issuer=ISSUER)
    assert (identity["token_use"], access["token_use"]) == ("id", "access")
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(tokens["id_token"], access_key, algorithms=["RS256"], audience=web.client_id)


async def test_joserfc_verifies_both_tokens(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """Joserfc accepts the signatures with the served key set."""
    tokens = await sign_in(aws, web)
    async with aws.http_client() as http:
        keys = jwk.KeySet.import_key_set(await key_set(http, f"{ISSUER}/.well-known/jwks.json"))  # type: ignore[arg-type]
    for name, use in (("id_token", "id"), ("access_token", "access")):
        assert joserfc_jwt.decode(tokens[name], keys, algorithms=["RS256"]).claims["token_use"] == use


@pytest.mark.parametrize("client_secret", [False, True], ids=["public", "confidential"])
async def test_authlib_logs_in(
    aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser, client_secret: bool
) -> None:
    """Authlib's client signs in with PKCE, verifies the ID token, reads userInfo, refreshes and revokes."""
    app = pool.add_client("authlib", redirect_uris=[CALLBACK], client_secret=client_secret)
    # Over the network, since Authlib brings whichever of httpx and httpx2 is installed.
    async with (
        aws.serve() as server,
        AsyncOAuth2Client(
            app.client_id,
            app.client_secret,
            redirect_uri=CALLBACK,
            scope="openid email",
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if client_secret else "none",
            trust_env=False,
        ) as client,
    ):
        issuer = f"{server.base_url}/{pool.pool_id}"
        discovery = f"{issuer}/.well-known/openid-configuration"
        metadata = (await client.request("GET", discovery, withhold_token=True)).json()
        verifier = "v" * 64
        url, state = client.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=verifier, nonce="n-authlib"
        )
        callback = await aws.person("ann", "correct horse").follow(url)
        tokens = await client.fetch_token(
            metadata["token_endpoint"], authorization_response=callback, state=state, code_verifier=verifier
        )
        keys = (await client.request("GET", metadata["jwks_uri"], withhold_token=True)).json()
        check_with_authlib(tokens, keys, issuer=issuer, client_id=app.client_id)
        info = (await client.get(metadata["userinfo_endpoint"])).json()
        renewed = await client.refresh_token(metadata["token_endpoint"], tokens["refresh_token"])
        revoked = await client.revoke_token(metadata["revocation_endpoint"], tokens["refresh_token"])
        after = await client.get(metadata["userinfo_endpoint"])
    assert info["email"] == "ann@acme.com"
    assert renewed["access_token"] != tokens["access_token"]
    assert (revoked.status_code, after.status_code) == (200, 401)


def check_with_authlib(tokens: Mapping[str, str], keys: dict[str, Any], *, issuer: str, client_id: str) -> None:
    """Verify an ID token as Authlib's own OpenID Connect integrations do."""
    decoded = joserfc_jwt.decode(tokens["id_token"], jwk.KeySet.import_key_set(keys), algorithms=["RS256"])  # type: ignore[arg-type]
    options = {"iss": {"value": issuer}, "aud": {"value": client_id}, "nonce": {"value": "n-authlib"}}
    params = {"nonce": "n-authlib", "client_id": client_id, "access_token": tokens["access_token"]}
    CodeIDToken(decoded.claims, decoded.header, options, params).validate()
