"""Libraries for Flask and FastAPI, with their own ideas of Cognito, log in to the local one and verify its tokens."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from anyio.to_thread import run_sync

from cognito_oidc.emulator import CognitoEmulator
from tests.interop.support import SECRET

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from starlette.types import ASGIApp
    from werkzeug.test import TestResponse

    from cognito_oidc.emulator import EmulatedAppClient, EmulatedPool, Person

pytestmark = pytest.mark.anyio

POOL_ID: Final = "eu-west-1_Judged002"
SHOP: Final = "https://shop.example"


@pytest.fixture
def anyio_backend() -> str:
    """Both judges block or run on asyncio alone."""
    return "asyncio"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let them reach loopback, whatever this machine's proxy is."""
    for name in [each for each in os.environ if each.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def aws() -> CognitoEmulator:
    """Return an emulator."""
    return CognitoEmulator()


@pytest.fixture
def pool(aws: CognitoEmulator) -> EmulatedPool:
    """Return a pool with a person who is in a group."""
    pool = aws.add_pool(POOL_ID, domain="judged")
    pool.add_user("ann", password="correct horse", email="ann@acme.com", groups=["admins"])
    return pool


# --- flask-cognito-lib ------------------------------------------------------------------------------------------------


async def test_flask_cognito_lib_logs_in(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """flask-cognito-lib logs in with PKCE and nonce, verifies both tokens and a group, refreshes, revokes, logs out."""
    app = add_shop(pool, client_secret=SECRET)
    ann = aws.person("ann", "correct horse")
    async with aws.serve() as server:
        browser = shop(server.base_url, app).test_client()
        assert (await run_sync(get, browser, "/admins")).status_code == 401
        arrived = await log_in(browser, ann)
        admins, customers = await run_sync(get, browser, "/admins"), await run_sync(get, browser, "/customers")
        renewed = await run_sync(get, browser, "/renew")
        logout = (await run_sync(get, browser, "/logout")).headers["location"]
        end = await ann.follow(logout)
        again = await run_sync(get, browser, "/admins")
    assert (body(arrived)["user"]["email"], body(arrived)["claims"]["client_id"]) == ("ann@acme.com", app.client_id)
    assert (admins.status_code, customers.status_code) == (200, 403)
    assert body(renewed)["claims"]["sub"] == body(arrived)["claims"]["sub"]
    assert body(renewed)["claims"]["jti"] != body(arrived)["claims"]["jti"]
    assert (end, again.status_code, aws.count("revoke")) == (f"{SHOP}/bye", 401, 1)


async def test_flask_cognito_lib_logs_in_without_a_secret(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """flask-cognito-lib as a public client logs in, with PKCE alone, and out.

    It keeps no refresh token here: it would send no client id with a public client's revocation, which AWS asks for.
    """
    app = add_shop(pool, client_secret=False)
    ann = aws.person("ann", "correct horse")
    async with aws.serve() as server:
        browser = shop(server.base_url, app).test_client()
        arrived = await log_in(browser, ann)
        end = await ann.follow((await run_sync(get, browser, "/logout")).headers["location"])
    assert (body(arrived)["user"]["email"], end) == ("ann@acme.com", f"{SHOP}/bye")


def add_shop(pool: EmulatedPool, *, client_secret: str | bool) -> EmulatedAppClient:
    """Register the shop."""
    return pool.add_client(
        "shop", redirect_uris=[f"{SHOP}/callback"], logout_uris=[f"{SHOP}/bye"], client_secret=client_secret
    )


async def log_in(browser: FlaskClient, person: Person) -> TestResponse:
    """Go to the login page, log in there, and come back."""
    login = (await run_sync(get, browser, "/login")).headers["location"]
    callback = await person.follow(login)
    arrived = await run_sync(get, browser, callback.removeprefix(SHOP))
    assert arrived.status_code == 200
    return arrived


def shop(base_url: str, app: EmulatedAppClient) -> Flask:
    """Return an application as flask-cognito-lib's documentation builds it."""
    from flask import Flask, Response, jsonify, session
    from flask_cognito_lib import CognitoAuth
    from flask_cognito_lib.config import Config
    from flask_cognito_lib.decorators import (
        auth_required,
        cognito_login,
        cognito_login_callback,
        cognito_logout,
        cognito_refresh_callback,
    )
    from flask_cognito_lib.exceptions import AuthorisationRequiredError, CognitoGroupRequiredError

    class Local(Config):
        """Where the pool is; everything else is computed from it, as for AWS."""

        issuer = f"{base_url}/{POOL_ID}"

    flask = Flask("shop")
    flask.config |= {
        "SECRET_KEY": "a key of the tests",
        "AWS_REGION": "eu-west-1",
        "AWS_COGNITO_USER_POOL_ID": POOL_ID,
        "AWS_COGNITO_DOMAIN": f"{base_url}/judged",
        "AWS_COGNITO_USER_POOL_CLIENT_ID": app.client_id,
        "AWS_COGNITO_USER_POOL_CLIENT_SECRET": app.client_secret,
        "AWS_COGNITO_REDIRECT_URL": f"{SHOP}/callback",
        "AWS_COGNITO_LOGOUT_URL": f"{SHOP}/bye",
        "AWS_COGNITO_SCOPES": ["openid", "email"],
        "AWS_COGNITO_REFRESH_FLOW_ENABLED": app.client_secret is not None,
    }
    CognitoAuth(flask, cfg=Local())

    def nothing() -> Response:
        return Response()

    def people() -> Response:
        return jsonify(claims=session["claims"], user=session["user_info"])

    flask.add_url_rule("/login", view_func=cognito_login(nothing), endpoint="login")
    flask.add_url_rule("/callback", view_func=cognito_login_callback(people), endpoint="callback")
    flask.add_url_rule("/renew", view_func=cognito_refresh_callback(people), endpoint="renew")
    flask.add_url_rule("/logout", view_func=cognito_logout(nothing), endpoint="logout")
    for group in ("admins", "customers"):
        flask.add_url_rule(f"/{group}", view_func=auth_required(groups=[group])(people), endpoint=group)
    flask.register_error_handler(AuthorisationRequiredError, lambda _: ("log in first", 401))
    flask.register_error_handler(CognitoGroupRequiredError, lambda _: ("not for you", 403))
    return flask


def body(answer: TestResponse) -> dict[str, Any]:
    """Return what the shop says."""
    said: dict[str, Any] = answer.get_json()
    return said


def get(browser: FlaskClient, path: str) -> TestResponse:
    """Get a page of the shop."""
    return browser.get(path, base_url=SHOP)


# --- fastapi-cognito --------------------------------------------------------------------------------------------------


async def test_fastapi_cognito_verifies_the_access_token(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """fastapi-cognito fetches the keys, takes the access token of its app client, and no other nor a changed one."""
    judged, other = (pool.add_client(name, redirect_uris=[f"{SHOP}/callback"]) for name in ("judged", "other"))
    token = await access_token(aws, judged)
    strange = await access_token(aws, other)
    before = aws.count("jwks")
    async with (
        aws.serve() as server,
        httpx.AsyncClient(transport=httpx.ASGITransport(api(server.base_url, judged)), base_url=SHOP) as http,
    ):
        good = await http.get("/orders", headers={"Authorization": f"Bearer {token}"})
        bad = [
            await http.get("/orders", headers={"Authorization": f"Bearer {each}"})
            for each in (strange, token[:-8] + "AAAAAAAA", "no.token.atall")
        ]
    assert (good.status_code, good.json()["username"], good.json()["client_id"]) == (200, "ann", judged.client_id)
    assert good.json()["iss"].startswith("https://cognito-idp.eu-west-1.amazonaws.com/")
    assert [each.status_code for each in bad] == [401, 401, 401]
    assert aws.count("jwks") == before + 1


async def access_token(aws: CognitoEmulator, app: EmulatedAppClient) -> str:
    """Log ann in and return the access token."""
    async with app.client(redirect_uri=f"{SHOP}/callback") as client:
        request = client.authorization_request()
        callback = await aws.person("ann", "correct horse").follow(request.url)
        return (await client.exchange_code(callback, request)).access_token


def api(base_url: str, app: EmulatedAppClient) -> ASGIApp:
    """Return an API as fastapi-cognito's documentation builds it."""
    from fastapi import Depends, FastAPI
    from fastapi_cognito import CognitoAuth, CognitoSettings

    settings = CognitoSettings(
        check_expiration=True,
        jwt_header_name="Authorization",
        jwt_header_prefix="Bearer",
        userpools={
            "judged": {
                "region": "eu-west-1",
                "userpool_id": POOL_ID,
                "app_client_id": app.client_id,
                "jwks_url": f"{base_url}/{POOL_ID}/.well-known/jwks.json",
            }
        },
    )
    auth = CognitoAuth(settings)
    fastapi = FastAPI()

    @fastapi.get("/orders")
    async def orders(caller: object = Depends(auth.auth_required)) -> object:  # noqa: FAST002 - a local name
        return caller

    return fastapi
