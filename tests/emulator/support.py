"""What the emulator's tests share: addresses, the RFC's PKCE vector, and the steps of a login with bare httpx."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt

from cognito_oidc.emulator import Behaviour, CognitoEmulator

if TYPE_CHECKING:
    import httpx

    from cognito_oidc.emulator import EmulatedAppClient, Person

POOL_ID = "eu-west-1_Orders001"
ISSUER = f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL_ID}"
APP_DOMAIN = "https://app.auth.eu-west-1.amazoncognito.com"
CORP_DOMAIN = "https://corp.auth.eu-west-1.amazoncognito.com"
DOMAIN = "https://orders.auth.eu-west-1.amazoncognito.com"
CALLBACK = "https://app.example/cb"
GOODBYE = "https://app.example/bye"
TOKEN = f"{DOMAIN}/oauth2/token"
USERINFO = f"{DOMAIN}/oauth2/userInfo"
REVOKE = f"{DOMAIN}/oauth2/revoke"
SECRET = "s3cret+with_plus+0123456789"
# RFC 7636 appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def authorize_url(client: EmulatedAppClient, *, root: str | None = None, **changes: str | None) -> str:
    """Return the URL of a good authorization request; `None` leaves a parameter out."""
    parameters: dict[str, str | None] = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": CALLBACK,
        "scope": "openid email",
        "state": "s1",
        "nonce": "n1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    return f"{root or DOMAIN}/oauth2/authorize?{urlencode({k: v for k, v in parameters.items() if v is not None})}"


def query_of(url: str) -> dict[str, str]:
    """Return the query of a URL, or its fragment where it has no query."""
    parts = urlsplit(url)
    return dict(parse_qsl(parts.query or parts.fragment))


def claims_of(token: str) -> dict[str, object]:
    """Return the claims of a token without checking it."""
    claims: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return claims


async def get_code(aws: CognitoEmulator, client: EmulatedAppClient, **changes: str | None) -> str:
    """Sign ann in and return the code."""
    callback = await aws.person("ann", "correct horse").follow(authorize_url(client, **changes))
    return query_of(callback)["code"]


async def exchange(
    http: httpx.AsyncClient, client: EmulatedAppClient, code: str, /, *, root: str | None = None, **changes: str | None
) -> httpx.Response:
    """Send a good code exchange; `None` leaves a parameter out."""
    form: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        **changes,
    }
    return await http.post(f"{root or DOMAIN}/oauth2/token", data={k: v for k, v in form.items() if v is not None})


async def refresh(
    http: httpx.AsyncClient, client: EmulatedAppClient, refresh_token: str, **changes: str
) -> httpx.Response:
    """Send a refresh."""
    form = {"grant_type": "refresh_token", "client_id": client.client_id, "refresh_token": refresh_token, **changes}
    if client.client_secret is not None:
        form.setdefault("client_secret", client.client_secret)
    return await http.post(f"{DOMAIN}/oauth2/token", data=form)


async def sign_in(aws: CognitoEmulator, client: EmulatedAppClient, **changes: str | None) -> dict[str, str]:
    """Sign ann in and return the members of the token answer."""
    async with aws.http_client() as http:
        answer = await exchange(http, client, await get_code(aws, client, **changes))
    tokens: dict[str, str] = answer.raise_for_status().json()
    return tokens


def outcome(answer: httpx.Response) -> tuple[int, object]:
    """Return the status and the JSON body of an answer."""
    return answer.status_code, answer.json()


def basic(client_id: str, secret: str | None) -> dict[str, str]:
    """Return the header of client_secret_basic, in Cognito's form."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret or ''}".encode()).decode()}


def emulator_with_web(**switches: Any) -> tuple[CognitoEmulator, EmulatedAppClient]:  # noqa: ANN401 - any switch
    """Return an emulator with these switches, and an app client that rotates, of a pool that has ann."""
    aws = CognitoEmulator(behaviour=Behaviour(**switches))
    pool = aws.add_pool(POOL_ID, domain="orders")
    pool.add_user("ann", password="correct horse", email="ann@acme.com")
    return aws, pool.add_client("web", redirect_uris=[CALLBACK], refresh_token_rotation=True)


async def federated_sign_in(
    aws: CognitoEmulator, client: EmulatedAppClient, *, person: Person | None = None, **changes: str | None
) -> dict[str, str]:
    """Sign ann in at the provider `Corp` and return the members of the app pool's token answer."""
    browser = person or aws.person("ann", "correct horse")
    url = authorize_url(client, root=APP_DOMAIN, **{"identity_provider": "Corp", **changes})
    code = query_of(await browser.follow(url))["code"]
    async with aws.http_client() as http:
        answer = await exchange(http, client, code, root=APP_DOMAIN)
    tokens: dict[str, str] = answer.raise_for_status().json()
    return tokens
