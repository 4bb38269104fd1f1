import httpx
import pytest

from cognito_oidc.emulator import CognitoEmulator
from cognito_oidc.emulator.addresses import localised
from tests.emulator.support import DOMAIN, ISSUER, POOL_ID

pytestmark = pytest.mark.anyio

DISCOVERY = "/.well-known/openid-configuration"
UPDATED = f"https://issuer-cognito-idp.eu-west-1.amazonaws.com/{POOL_ID}"


async def get(aws: CognitoEmulator, url: str) -> httpx.Response:
    """Return the answer to a request in process."""
    async with aws.http_client() as http:
        return await http.get(url)


async def test_the_discovery_document_is_cognitos_own(aws: CognitoEmulator) -> None:
    """The document has the members of a real pool's and no other: no PKCE, no grants, no claims."""
    aws.add_pool(POOL_ID, domain="orders")
    answer = await get(aws, ISSUER + DISCOVERY)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "authorization_endpoint": f"{DOMAIN}/oauth2/authorize",
        "end_session_endpoint": f"{DOMAIN}/logout",
        "id_token_signing_alg_values_supported": ["RS256"],
        "issuer": ISSUER,
        "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
        "response_types_supported": ["code", "token"],
        "revocation_endpoint": f"{DOMAIN}/oauth2/revoke",
        "scopes_supported": ["openid", "email", "phone", "profile"],
        "subject_types_supported": ["public"],
        "token_endpoint": f"{DOMAIN}/oauth2/token",
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "userinfo_endpoint": f"{DOMAIN}/oauth2/userInfo",
    }


async def test_a_pool_without_a_domain_advertises_endpoints_that_do_not_work(aws: CognitoEmulator) -> None:
    """Discovery still answers, and what it names is not understood."""
    aws.add_pool(POOL_ID)
    document = (await get(aws, ISSUER + DISCOVERY)).json()
    assert document["token_endpoint"] == f"{ISSUER}/token"
    assert document["authorization_endpoint"] == f"{ISSUER}/authorize"
    assert document["userinfo_endpoint"] == f"{ISSUER}/userInfo"
    assert "end_session_endpoint" not in document
    answer = await get(aws, document["userinfo_endpoint"])
    assert (answer.status_code, answer.json()["code"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("region", "domain", "custom_domain", "root"),
    [
        pytest.param("eu-west-1", "orders", None, "https://orders.auth.eu-west-1.amazoncognito.com", id="prefix"),
        pytest.param("eu-west-1", "login.acme.com", None, "https://login.acme.com", id="custom"),
        pytest.param("eu-west-1", "orders", "login.acme.com", "https://login.acme.com", id="both, custom is listed"),
        pytest.param(
            "us-gov-west-1", "orders", None, "https://orders.auth-fips.us-gov-west-1.amazoncognito.com", id="gov"
        ),
    ],
)
async def test_discovery_names_the_pools_domain(
    aws: CognitoEmulator, region: str, domain: str, custom_domain: str | None, root: str
) -> None:
    """The endpoints are on the domain that AWS would serve them on."""
    pool = aws.add_pool(f"{region}_Orders001", domain=domain, custom_domain=custom_domain)
    document = (await get(aws, pool.issuer + DISCOVERY)).json()
    assert document["token_endpoint"] == f"{root}/oauth2/token"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        pytest.param("https://orders.auth.eu-west-1.amazoncognito.com/error", 400, id="prefix"),
        pytest.param("https://orders.auth-fips.eu-west-1.amazoncognito.com/error", 400, id="prefix, FIPS"),
        pytest.param("https://ORDERS.auth.eu-west-1.amazoncognito.com:443/error", 400, id="capitals and port"),
        pytest.param("https://login.acme.com/error", 400, id="custom"),
        pytest.param("https://orders.auth.eu-west-2.amazoncognito.com/error", 404, id="another region"),
        pytest.param("https://nobody.auth.eu-west-1.amazoncognito.com/error", 404, id="no such prefix"),
        pytest.param("https://orders.auth.eu-west-1.amazoncognito.com/nothing", 404, id="no such path"),
        pytest.param(f"{ISSUER}/.well-known/jwks.json", 200, id="keys"),
        pytest.param(f"{UPDATED}/.well-known/jwks.json", 200, id="keys, updated issuer"),
        pytest.param(f"{ISSUER}x/.well-known/jwks.json", 404, id="no such pool"),
        pytest.param(f"https://cognito-idp.eu-west-2.amazonaws.com/{POOL_ID}/.well-known/jwks.json", 404, id="region"),
        pytest.param(f"http://127.0.0.1:9229/{POOL_ID}/.well-known/jwks.json", 200, id="base URL, keys"),
        pytest.param(f"http://[::1]/issuer-cognito-idp/{POOL_ID}/.well-known/jwks.json", 200, id="base URL, updated"),
        pytest.param("http://127.0.0.1:9229/orders/error", 400, id="base URL, prefix"),
        pytest.param("http://[::1]:9229/login.acme.com/error", 400, id="base URL, custom domain"),
        pytest.param("http://127.0.0.1:9229/issuer-cognito-idp/orders/error", 404, id="base URL, prefix is no issuer"),
        pytest.param("http://127.0.0.1:9229/", 404, id="base URL alone"),
    ],
)  # fmt: skip
async def test_the_host_or_the_path_names_the_pool(aws: CognitoEmulator, url: str, status: int) -> None:
    """Production's hosts are told by Host, any other by the beginning of the path."""
    aws.add_pool(POOL_ID, domain="orders", custom_domain="login.acme.com")
    assert (await get(aws, url)).status_code == status


@pytest.mark.parametrize(
    ("issuer", "root"),
    [
        pytest.param(UPDATED, DOMAIN, id="updated host"),
        pytest.param(f"http://localhost:9229/{POOL_ID}", "http://localhost:9229/orders", id="base URL"),
        pytest.param(
            f"http://localhost:9229/issuer-cognito-idp/{POOL_ID}", "http://localhost:9229/orders", id="updated"
        ),
    ],
)
async def test_discovery_agrees_with_the_address_it_was_asked_at(aws: CognitoEmulator, issuer: str, root: str) -> None:
    """The issuer inside equals the one that was addressed, and the endpoints are under the same base."""
    aws.add_pool(POOL_ID, domain="orders")
    document = (await get(aws, issuer + DISCOVERY)).json()
    assert document["issuer"] == issuer
    assert document["jwks_uri"] == f"{issuer}/.well-known/jwks.json"
    assert document["token_endpoint"] == f"{root}/oauth2/token"


async def test_head_is_answered_like_get(aws: CognitoEmulator) -> None:
    """Programs that wait for a server to come up send HEAD."""
    aws.add_pool(POOL_ID)
    async with aws.http_client() as http:
        assert (await http.head(ISSUER + DISCOVERY)).status_code == 200


async def test_the_emulator_can_be_mounted_below_a_path(aws: CognitoEmulator) -> None:
    """The path of the mount becomes part of the base URL."""
    aws.add_pool(POOL_ID, domain="orders")
    transport = httpx.ASGITransport(app=aws.asgi_app, root_path="/cognito")
    async with httpx.AsyncClient(transport=transport) as http:
        document = (await http.get(f"http://localhost:8000/cognito/{POOL_ID}{DISCOVERY}")).json()
    assert document["issuer"] == f"http://localhost:8000/cognito/{POOL_ID}"


@pytest.mark.parametrize(
    ("url", "local"),
    [
        pytest.param(
            f"{DOMAIN}/oauth2/idpresponse?x=1", "http://127.0.0.1:1/orders/oauth2/idpresponse?x=1", id="domain"
        ),
        pytest.param(ISSUER, f"http://127.0.0.1:1/{POOL_ID}", id="issuer"),
        pytest.param(f"{UPDATED}/x", f"http://127.0.0.1:1/issuer-cognito-idp/{POOL_ID}/x", id="updated issuer"),
        pytest.param("https://login.acme.com/logout", "http://127.0.0.1:1/login.acme.com/logout", id="custom domain"),
        pytest.param(f"{DOMAIN}.evil.example/", f"{DOMAIN}.evil.example/", id="looks alike"),
        pytest.param("https://app.example/cb", "https://app.example/cb", id="somebody else"),
    ],
)
async def test_addresses_between_pools_follow_the_browser(aws: CognitoEmulator, url: str, local: str) -> None:
    """What is registered under production's hosts is reached at the base URL where the browser came in."""
    aws.add_pool()
    aws.add_pool(POOL_ID, domain="orders")
    aws.add_pool(domain="login.acme.com")
    assert localised(aws.pools.values(), url, "http://127.0.0.1:1") == local
    assert localised(aws.pools.values(), url, None) == url
