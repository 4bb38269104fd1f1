import base64
import hmac
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk
from joserfc import jwt as joserfc_jwt

from cognito_oidc.emulator import Behaviour, CognitoEmulator, EmulatedAppClient, EmulatedPool
from cognito_oidc.emulator.upstream import UpstreamError, UpstreamTransport, verify_id_token
from tests.emulator.support import APP_DOMAIN, CALLBACK, authorize_url, federated_sign_in, query_of

NOW = 1_700_000_000.0
SECRET = "0123456789abcdef0123456789abcdef"
ISSUER = "https://idp.example"
CLAIMS = {"iss": ISSUER, "aud": "app", "exp": NOW + 300, "nonce": "n", "sub": "s1"}
RSA = jwk.RSAKey.generate_key(2048, {"kid": "rsa"})
EC = jwk.ECKey.generate_key("P-256", {"kid": "ec"})
KEYS: list[dict[str, object]] = [
    {"kid": "rsa", "kty": "nonsense"},
    {"kid": "rsa", "kty": "oct", "k": "c2VjcmV0"},
    {"kid": "rsa", "kty": "RSA", "e": "AQAB"},
    {"kid": "rsa", "kty": "RSA", "e": "AQAB", "n": 7},
    dict(RSA.as_dict(private=False)),
    dict(EC.as_dict(private=False)),
]


def signed(key: jwk.Key, alg: str, claims: dict[str, object], **header: object) -> str:
    """Return an ID token."""
    return joserfc_jwt.encode({"alg": alg, **header}, claims, key, algorithms=[alg])


def good(**changes: object) -> str:
    """Return a good ID token with some claims changed; `...` leaves one out."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}
    return signed(RSA, "RS256", claims, kid="rsa")


def verify(token: str, *, keys: list[dict[str, object]] = KEYS, client_secret: str = SECRET) -> dict[str, object]:
    """Verify with what the pool knows."""
    return verify_id_token(
        token, keys=keys, client_secret=client_secret, issuer=ISSUER, audience="app", nonce="n", now=NOW
    )


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(good(), id="RS256"),
        pytest.param(signed(RSA, "PS384", CLAIMS, kid="rsa"), id="PS384"),
        pytest.param(signed(EC, "ES256", CLAIMS, kid="ec"), id="ES256"),
        pytest.param(signed(jwk.OctKey.import_key(SECRET), "HS256", CLAIMS), id="HS256 with the client secret"),
        pytest.param(good(aud=["app"]), id="audience in a list"),
        pytest.param(good(aud=["app", "other"], azp="app"), id="several audiences and azp"),
        pytest.param(good(exp=int(NOW) + 1), id="a second left"),
    ],
)
def test_good_tokens_of_every_kind_of_provider_are_taken(token: str) -> None:
    """Providers sign with HMAC, EC or RSA."""
    assert verify(token)["sub"] == "s1"


@pytest.mark.parametrize(
    ("token", "words"),
    [
        pytest.param(good(iss=f"{ISSUER}/"), "Bad id_token issuer", id="issuer with a slash"),
        pytest.param(good(iss=...), "Bad id_token issuer", id="no issuer"),
        pytest.param(good(aud="other"), "Bad id_token audience", id="audience"),
        pytest.param(good(aud=["app", "other"]), "Bad id_token audience", id="several audiences without azp"),
        pytest.param(good(aud=["app", "other"], azp="other"), "Bad id_token audience", id="azp of another"),
        pytest.param(good(aud=...), "Bad id_token audience", id="no audience"),
        pytest.param(good(nonce="m"), "Bad id_token nonce", id="nonce"),
        pytest.param(good(nonce=...), "Bad id_token nonce", id="no nonce"),
        pytest.param(good(exp=NOW), "Bad id_token expiration", id="expired this moment"),
        pytest.param(good(exp=...), "Bad id_token expiration", id="no expiry"),
        pytest.param(good(exp=True), "Bad id_token expiration", id="expiry is a boolean"),
        pytest.param(good(exp="tomorrow"), "Bad id_token expiration", id="expiry is text"),
        pytest.param(good(sub=...), "username attribute mapping required", id="no sub"),
        pytest.param(good(sub=7), "username attribute mapping required", id="sub is a number"),
        pytest.param(signed(RSA, "RS256", CLAIMS), "Bad id_token signature", id="no kid"),
        pytest.param(signed(RSA, "RS256", CLAIMS, kid="other"), "Bad id_token signature", id="unknown kid"),
        pytest.param(
            signed(jwk.RSAKey.generate_key(2048), "RS256", CLAIMS, kid="rsa"), "Bad id_token signature", id="forged"
        ),
        pytest.param(
            signed(jwk.OctKey.import_key("x" * 40), "HS256", CLAIMS), "Bad id_token signature", id="another secret"
        ),
        pytest.param(good()[:-4], "Bad id_token signature", id="cut"),
        pytest.param("e30.e30.", "Bad id_token signature", id="no algorithm"),
        pytest.param("eyJhbGciOiJub25lIn0.e30.", "Bad id_token signature", id="none"),
        pytest.param("", "Bad id_token signature", id="empty"),
        pytest.param("ä.ä.ä", "Bad id_token signature", id="no ASCII"),
    ],
)
def test_bad_tokens_are_refused(token: str, words: str) -> None:
    """Each check refuses by itself."""
    with pytest.raises(UpstreamError) as caught:
        verify(token)
    assert caught.value.description == words


def test_a_public_key_is_no_secret() -> None:
    """HMAC with the provider's public key, or with a short secret, is refused."""
    payload = signed(jwk.OctKey.import_key(SECRET), "HS256", CLAIMS, kid="rsa").rpartition(".")[0]
    digest = hmac.digest(RSA.as_pem(private=False), payload.encode(), "sha256")
    forged = f"{payload}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
    with pytest.raises(UpstreamError, match="signature"):
        verify(forged)
    with pytest.raises(UpstreamError, match="signature"):
        verify(signed(jwk.OctKey.import_key(SECRET[:16]), "HS256", CLAIMS), client_secret=SECRET[:16])


@given(st.one_of(st.text(), st.tuples(st.text(), st.text(), st.text()).map(".".join)))
def test_any_text_is_refused_and_nothing_else_happens(token: str) -> None:
    """Whatever a provider sends, the answer is a value or the one error."""
    with pytest.raises(UpstreamError):
        verify(token)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("endpoint", "fault", "words"),
    [
        pytest.param(
            "token",
            {"status": 400, "body": {"error": "invalid_client", "error_description": "no"}},
            "Corp Error - 400 invalid_client no",
            id="token refused",
        ),
        pytest.param("token", {"status": 503}, "Corp Error - 503 Service Unavailable", id="token endpoint is down"),
        pytest.param("token", {"status": 200, "body": "<html>"}, "Corp Error - 200 OK", id="token answer is no JSON"),
        pytest.param("token", {"status": 200, "body": "[" * 100_000}, "Corp Error - 200 OK", id="token answer is deep"),
        pytest.param(
            "token",
            {"status": 200, "body": {"access_token": "x"}},
            "Bad token response: Corp sent no id_token or no access_token",
            id="no ID token",
        ),
        pytest.param(
            "token",
            {"status": 200, "body": {"access_token": "x", "id_token": "x"}},
            "Bad id_token signature",
            id="no token at all",
        ),
        pytest.param(
            "token",
            {"status": None, "delay": 1},
            "Timeout occurred in calling IdP token endpoint",
            id="token endpoint is slow",
        ),
        pytest.param("jwks", {"status": 500}, "Corp Error - 500 Internal Server Error", id="keys are down"),
        pytest.param("jwks", {"status": 200, "body": {}}, "Bad id_token signature", id="no keys"),
        pytest.param(
            "jwks",
            {"status": None, "delay": 1},
            "error_description=Timeout in calling jwks uri",
            id="keys are slow",
        ),
        pytest.param("userinfo", {"status": 403}, "username attribute mapping required", id="userInfo refused"),
        pytest.param(
            "userinfo", {"status": 200, "body": "x"}, "username attribute mapping required", id="userInfo is no JSON"
        ),
        pytest.param(
            "userinfo",
            {"status": 200, "body": {"sub": "other"}},
            "username attribute mapping required",
            id="userInfo of another person",
        ),
        pytest.param("userinfo", {"status": None, "delay": 1}, "Read timed out", id="userInfo is slow"),
        pytest.param("discovery", {"status": 404}, "Corp Error - 404 Not Found", id="no discovery"),
        pytest.param(
            "discovery",
            {"status": 200, "body": {"issuer": "x"}},
            "Corp Error - the discovery document lacks one of authorization_endpoint, token_endpoint, "
            "userinfo_endpoint, jwks_uri",
            id="discovery lacks endpoints",
        ),
        pytest.param("discovery", {"status": None, "delay": 1}, "Read timed out", id="discovery is slow"),
    ],
)
async def test_failures_of_the_provider_are_told_in_cognitos_words(
    endpoint: str, fault: dict[str, Any], words: str
) -> None:
    """The application gets `invalid_request` and what went wrong, and nobody is made."""
    aws = CognitoEmulator(behaviour=Behaviour(upstream_timeout=0.1 if fault.get("delay") else 5.0))
    corp, app = aws.federated_pair()
    corp.add_user("ann", password="correct horse", email="ann@acme.com")
    shop = app.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["Corp"])
    aws.fail_next(endpoint, **fault)
    told = query_of(await aws.person("ann", "correct horse").follow(authorize_url(shop, root=APP_DOMAIN)))
    assert told == {"error_description": words, "state": "s1", "error": "invalid_request"}
    assert not app.users


@pytest.mark.anyio
async def test_the_switch_chooses_the_other_words_for_a_refused_code() -> None:
    """Both forms were seen of real pools."""
    aws = CognitoEmulator(behaviour=Behaviour(upstream_token_error="bad_token_response"))
    corp, app = aws.federated_pair()
    corp.add_user("ann", password="correct horse")
    shop = app.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["Corp"])
    aws.fail_next("token", status=400, body={"error": "invalid_client"})
    told = query_of(await aws.person("ann", "correct horse").follow(authorize_url(shop, root=APP_DOMAIN)))
    assert told["error_description"] == "Bad token response: HTTP/1.1 400 Bad Request"


@pytest.mark.anyio
async def test_an_issuer_of_the_other_type_is_a_bad_issuer(
    aws: CognitoEmulator, corp: EmulatedPool, app: EmulatedPool
) -> None:
    """The updated issuer is discovered at either host, but the tokens carry the pool's own."""
    upstream = next(iter(corp.clients.values()))
    app.add_oidc_provider(
        "Moved",
        issuer=corp.issuer.replace("https://cognito-idp.", "https://issuer-cognito-idp."),
        client_id=upstream.client_id,
        client_secret=str(upstream.client_secret),
    )
    shop = app.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["Moved"])
    told = query_of(await aws.person("ann", "correct horse").follow(authorize_url(shop, root=APP_DOMAIN)))
    assert told["error_description"] == "Bad id_token issuer"


@pytest.mark.anyio
async def test_nobody_at_the_other_end_is_a_reset(aws: CognitoEmulator) -> None:
    """A provider that cannot be reached is told as such."""
    app = aws.add_pool(domain="app")
    app.add_oidc_provider("Gone", issuer="http://127.0.0.1:9", client_id="x", client_secret="y")
    shop = app.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["Gone"])
    told = query_of(await aws.person("ann", "x").follow(authorize_url(shop, root=APP_DOMAIN)))
    assert told["error_description"] == "Connection reset"


@pytest.mark.anyio
async def test_rotated_keys_upstream_are_fetched(
    aws: CognitoEmulator, corp: EmulatedPool, shop: EmulatedAppClient
) -> None:
    """Keys are fetched for each sign-in, so a rotation upstream is no trouble."""
    await federated_sign_in(aws, shop)
    corp.rotate_keys(withdraw_old=True)
    await federated_sign_in(aws, shop)
    assert aws.count("jwks") == 2


@pytest.mark.anyio
async def test_no_request_holds_the_emulator_up(aws: CognitoEmulator, shop: EmulatedAppClient) -> None:
    """While a provider is asked the emulator answers others: the call runs without its lock."""
    aws.fail_next("discovery", status=None, delay=0.2)
    order: list[str] = []

    async def visit(url: str, name: str, http: httpx.AsyncClient) -> None:
        await http.get(url)
        order.append(name)

    async with aws.http_client() as http, anyio.create_task_group() as group:
        url = authorize_url(shop, root=APP_DOMAIN, identity_provider="Corp")
        group.start_soon(visit, url, "slow", http)
        await anyio.sleep(0.05)
        group.start_soon(visit, authorize_url(shop, root=APP_DOMAIN), "quick", http)
    assert order == ["quick", "slow"]
    assert [each.endpoint for each in aws.journal] == ["authorize", "discovery", "authorize"]


@pytest.mark.anyio
async def test_the_transport_closes_what_it_opened(aws: CognitoEmulator) -> None:
    """Requests to its own pools go in process, all others over one pool of connections."""
    pool, elsewhere = aws.add_pool(domain="idp"), CognitoEmulator()
    far = elsewhere.add_pool(domain="far")
    async with (
        elsewhere.serve() as server,
        httpx.AsyncClient(transport=UpstreamTransport(aws.asgi_app, aws.serves)) as http,
    ):
        near = await http.get(f"{pool.issuer}/.well-known/jwks.json")
        keys = [await http.get(f"{server.base_url}/{far.pool_id}/.well-known/jwks.json") for _ in range(2)]
    assert (near.status_code, [each.status_code for each in keys]) == (200, [200, 200])
    assert (aws.count("jwks"), elsewhere.count("jwks")) == (1, 2)
