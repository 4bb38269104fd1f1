"""The emulator's pools as relying party of a provider that is not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cognito_oidc.emulator import Behaviour, CognitoEmulator
from tests.interop.process import node
from tests.interop.support import CALLBACK, GOODBYE, SECRET

if TYPE_CHECKING:
    from tests.interop.person import Person

pytestmark = pytest.mark.anyio


async def test_people_of_npms_provider_sign_in_at_a_pool(npm: None, ann: Person) -> None:
    """A certified provider accepts what the pool sends it, and the pool believes its ID token, found by discovery."""
    aws = CognitoEmulator(behaviour=Behaviour(upstream_pkce=True))  # this provider insists on PKCE
    pool = aws.add_pool(domain="app")
    settings = {"callback": pool.idp_response_url, "goodbye": GOODBYE, "secret": SECRET}
    with node("oidc_provider.mjs", **settings) as process:
        pool.add_oidc_provider(
            "Certified",
            issuer=process.hear()["issuer"],
            client_id="posting",
            client_secret=SECRET,
            scopes=["openid", "email"],
            attribute_mapping={"email": "email", "email_verified": "email_verified"},
        )
        client = pool.client(redirect_uri=CALLBACK)
        request = client.authorization_request(identity_provider="Certified")
        async with aws.http_client() as browser:
            away = (await browser.get(request.url)).headers["location"]
            back = ann.follow(away, until=pool.idp_response_url)
            callback = (await browser.get(back)).headers["location"]
        tokens = await client.exchange_code(callback, request)
    assert tokens.claims is not None
    assert tokens.claims.username == "Certified_ann"
    assert (tokens.claims.email, tokens.claims.email_verified) == ("ann@acme.com", True)
    assert tokens.claims.identities[0].provider_name == "Certified"
