"""A real Chromium goes through the pages: the login at two pools, a temporary password, the logout of both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import anyio
import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from cognito_oidc import CognitoClient, Federation
from cognito_oidc.emulator import CognitoEmulator
from tests.interop import npm_packages, shop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cognito_oidc import AuthorizationRequest, TokenSet
    from cognito_oidc.emulator import EmulatedPool
    from cognito_oidc.emulator.server import EmulatorServer
    from tests.interop.chromium import Chromium

pytestmark = pytest.mark.usefixtures("npm")

HERE: Final = Path(__file__).parent
TEMPORARY: Final = "Temporary-horse-1"
PASSWORD: Final = "Correct-horse-9"
BACK: Final = "Back in the shop"
SCOPES: Final = ("openid", "email", "profile")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two pools on a port, the second of which signs people in through the first, and an application of the second.

    Attributes:
        aws: The emulator.
        server: Its server.
        corp: The pool upstream, where ann has a temporary password.
        app: The pool downstream.
        home: Where the application is.
        client: The application's client.
        federation: The plan that the two are set up by.
    """

    aws: CognitoEmulator
    server: EmulatorServer
    corp: EmulatedPool
    app: EmulatedPool
    home: str
    client: CognitoClient
    federation: Federation

    def exchange(self, callback: str, request: AuthorizationRequest) -> TokenSet:
        """Exchange a callback for verified tokens."""

        async def exchange() -> TokenSet:
            async with httpx.AsyncClient(trust_env=False) as http:
                client = CognitoClient(
                    self.client.pool,
                    client_id=self.client.client_id,
                    redirect_uri=f"{self.home}/callback",
                    http_client=http,
                )
                return await client.exchange_code(callback, request)

        return anyio.run(exchange)

    def is_at_corp(self, url: str) -> bool:
        """Tell whether a URL is one of the upstream pool's pages."""
        return url.startswith(f"{self.server.base_url}/corp/")

    def is_at_app(self, url: str) -> bool:
        """Tell whether a URL is one of the downstream pool's pages."""
        return url.startswith(f"{self.server.base_url}/acme/")


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Set up two pools as the planner says, and serve them."""
    aws = CognitoEmulator()
    corp = aws.add_pool("eu-west-1_Corp00001", domain="corp")
    app = aws.add_pool("eu-west-1_Acme00001", domain="acme")
    corp.add_user("ann", temporary_password=TEMPORARY, email="ann@corp.example", attributes={"name": "Ann Archer"})
    upstream = corp.add_client("Acme, by federation", redirect_uris=[app.idp_response_url], client_secret=True)
    app.add_oidc_provider(
        "Corp",
        issuer=corp,
        client_id=upstream.client_id,
        client_secret=upstream.client_secret or "",
        scopes=["openid", "email", "profile"],
        attribute_mapping={"email": "email", "name": "name"},
    )
    with start_blocking_portal() as portal, shop.served() as home:
        registered = app.add_client(
            "Orders", redirect_uris=[f"{home}/callback"], identity_providers=["COGNITO", "Corp"]
        )
        with portal.wrap_async_context_manager(aws.serve()) as server:
            pool = server.user_pool(app)
            federation = Federation(
                upstream=server.user_pool(corp),
                downstream=pool,
                provider_name="Corp",
                upstream_client_id=upstream.client_id,
            )
            chain = federation.logout_chain(downstream_client_id=registered.client_id, final_url=f"{home}/bye")
            registered.logout_uris = chain.downstream_logout_urls
            upstream.logout_uris = chain.upstream_logout_urls
            client = CognitoClient(pool, client_id=registered.client_id, redirect_uri=f"{home}/callback", scopes=SCOPES)
            yield Pair(aws=aws, server=server, corp=corp, app=app, home=home, client=client, federation=federation)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_person_goes_through_both_pools(browser: Chromium, pair: Pair) -> None:
    """Provider button, wrong and temporary password, new password, callback; single sign-on; logout of both pools.

    The application gets verified tokens with `identities` and mapped attributes, and each page on the way fits a phone
    and passes axe-core's rules, light and dark. Without JavaScript it is the same way.
    """
    request = pair.client.authorization_request()
    browser.open(request.url)
    assert pair.is_at_app(browser.url)
    look(browser, picture="login-downstream")
    browser.press("Continue with Corp", then="Sign in")
    assert pair.is_at_corp(browser.url)
    look(browser, picture="login-upstream")
    browser.fill({"Username": "ann", "Password": "wrong horse"})
    browser.press("Sign in", then="Sign in")
    assert "Incorrect username or password." in browser.text
    look(browser)
    browser.fill({"Username": "ann", "Password": TEMPORARY})
    browser.press("Sign in", then="Change your password")
    look(browser, picture="change-password")
    browser.fill({"New password": PASSWORD, "New password again": "Correct-hose-9"})
    browser.press("Change password", then="Change your password")
    assert "The passwords differ." in browser.text
    browser.fill({"New password": PASSWORD, "New password again": PASSWORD})
    browser.press("Change password", then=BACK)

    tokens = pair.exchange(browser.url, request)
    assert tokens.claims is not None
    ann = pair.corp.users["ann"]
    assert tokens.claims.username == f"Corp_{ann.sub}"
    assert (tokens.claims.email, tokens.claims.name) == ("ann@corp.example", "Ann Archer")
    (identity,) = tokens.claims.identities
    assert (identity.provider_name, identity.user_id, identity.primary) == ("Corp", ann.sub, True)
    assert ann.status == "CONFIRMED"

    # Whoever is signed in is not asked again.
    again = pair.client.authorization_request(identity_provider="Corp")
    browser.open(again.url)
    assert pair.exchange(browser.url, again).claims is not None

    chain = pair.federation.logout_chain(downstream_client_id=pair.client.client_id, final_url=f"{pair.home}/bye")
    browser.open(chain.url)
    assert browser.url == f"{pair.home}/bye"

    # Both sessions are gone: the upstream pool asks for the password, which is the new one.
    last = pair.client.authorization_request(identity_provider="Corp")
    browser.open(last.url)
    assert pair.is_at_corp(browser.url)
    browser.type("ann", "Tab", PASSWORD)  # the first field has the focus
    browser.press("Enter", then=BACK)
    third = pair.exchange(browser.url, last)
    assert third.claims is not None
    assert third.claims.sub == tokens.claims.sub
    assert browser.order("problems") == []


def test_accounts(browser: Chromium, pair: Pair) -> None:
    """Sign-up, a new code, a forgotten password, going on with a session, an error: all pass axe-core's rules."""
    person = {"Username": "bob", "E-mail address": "bob@shop.example", "Password": PASSWORD}
    browser.open(pair.client.authorization_request().url)
    browser.press("Sign up", then="Sign up")
    look(browser)
    browser.fill(person)
    browser.press("Sign up", then="Confirm your account")
    browser.press("Send a new code", then="Confirm your account")
    look(browser)
    browser.fill({"Code": pair.app.last_code("bob")})
    browser.press("Confirm", then=BACK)
    assert pair.app.users["bob"].status == "CONFIRMED"

    browser.open(pair.client.authorization_request(prompt="select_account").url)
    look(browser)
    browser.press("Continue as bob", then=BACK)

    browser.open(pair.client.authorization_request(prompt="login").url)
    browser.press("Forgot your password?", then="Reset your password")
    look(browser)
    browser.fill({"Username": "bob"})
    browser.press("Send code", then="Reset your password")
    look(browser)
    changed = "Another-horse-7"
    browser.fill({"Code": pair.app.last_code("bob"), "New password": changed, "New password again": changed})
    browser.press("Change password", then="Sign in")
    request = pair.client.authorization_request(prompt="login")
    browser.open(request.url)
    browser.fill({"Username": "bob", "Password": changed})
    browser.press("Sign in", then=BACK)
    tokens = pair.exchange(browser.url, request)
    assert tokens.claims is not None
    assert (tokens.claims.username, tokens.claims.email) == ("bob", "bob@shop.example")

    browser.open(request.url.replace("callback", "elsewhere"))
    assert "redirect_mismatch" in browser.text
    look(browser)


def test_the_inspection_finds_what_is_wrong(browser: Chromium) -> None:
    """A field without a label, text that is hard to read and a page that is too wide for a phone are found."""
    page = '<!DOCTYPE html><html lang="en"><title>a</title><main><h1>a</h1>{}</main></html>'
    for bad, words in (
        ("<input>", "label"),
        ('<p style="color: #ccc; background: #fff">pale</p>', "color-contrast"),
        ('<p style="width: 500px">wide</p>', "wide"),
    ):
        with shop.served({"": page.format(bad)}) as home:
            browser.open(home)
            with pytest.raises(AssertionError, match=words):
                browser.inspect()


def test_oidc_client_ts_logs_in_from_a_page(browser: Chromium) -> None:
    """oidc-client-ts in a page of another origin, as AWS's quick start for browsers has it: CORS, tokens, userInfo.

    Its logout is Cognito's own form, which the quick start builds by hand, since it is not OpenID Connect's.
    """
    aws = CognitoEmulator()
    pool = aws.add_pool("eu-west-1_Pages0001", domain="pages")
    pool.add_user("ann", password=PASSWORD, email="ann@pages.example")
    library = npm_packages.FOLDER / "node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js"
    files = {"oidc-client-ts.js": library.read_text("utf-8"), "": (HERE / "page.html").read_text("utf-8")}
    with start_blocking_portal() as portal, shop.served(files) as home:
        page = pool.add_client("page", redirect_uris=[f"{home}/callback"], logout_uris=[f"{home}/bye"])
        with portal.wrap_async_context_manager(aws.serve()) as server:
            parameters = {"authority": f"{server.base_url}/{pool.pool_id}", "client_id": page.client_id}
            browser.open(f"{home}/?{urlencode(parameters)}")
            browser.press("Log in", then="Sign in")
            browser.fill({"Username": "ann", "Password": PASSWORD})
            browser.press("Sign in", then="Hello, ann@pages.example")
            browser.order("click", name="Refresh")
            browser.order("see", text="another access token")
            browser.press("Log out", then="Nobody is here")
            assert browser.url == f"{home}/bye"
            browser.press("Log in", then="Sign in")
    assert browser.order("problems") == []
    asked = [(entry.endpoint, entry.method) for entry in aws.journal]
    assert (asked.count(("token", "POST")), asked.count(("userinfo", "GET"))) == (2, 2)
    assert ("userinfo", "OPTIONS") in asked


def look(browser: Chromium, *, picture: str | None = None) -> None:
    """Inspect a page and take its picture; neither can be done without scripts."""
    if browser.has_scripts:
        browser.inspect()
        if picture is not None:
            browser.shoot(picture)
