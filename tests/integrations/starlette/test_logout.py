"""Logging out: what ends, and that nobody else does it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.requests import Request

from cognito_oidc import Federation
from cognito_oidc.integrations.starlette._login import _is_from_own_page
from tests.integrations.starlette.browser import SESSION, Browser, log_in, log_out, who
from tests.integrations.starlette.conftest import BYE, Site

pytestmark = pytest.mark.anyio

OpenBrowser = Callable[..., Browser]
Build = Callable[..., Site]


async def test_a_logout_ends_everything(browser: Browser, site: Site) -> None:
    """The session here, its tokens, and Cognito's session: the next login asks for the password again."""
    await log_in(browser)
    before = browser.jar
    answer = await log_out(browser)
    assert answer.status_code == 303
    assert answer.headers["location"] == site.client.logout_url(BYE)
    assert answer.headers["cache-control"] == "no-store"
    assert SESSION not in browser.jar
    assert await browser._person.follow(answer.headers["location"]) == BYE
    silent = site.client.authorization_request(prompt="none")
    assert "login_required" in await browser._person.follow(silent.url)
    if site.store is not None:  # who kept the cookie has nothing of it
        assert site.cognito.count("revoke") == 1
        browser.set_cookie(SESSION, before[SESSION])
        assert await who(browser) is None


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        pytest.param({}, {}, id="no token"),
        pytest.param({"csrf_token": "guessed"}, {}, id="another token"),
        pytest.param({"csrf_token": ""}, {}, id="an empty one"),
        pytest.param({"csrf_token": "own"}, {"Sec-Fetch-Site": "cross-site"}, id="sent from another site"),
        pytest.param({"csrf_token": "own"}, {"Sec-Fetch-Site": "same-site"}, id="sent from a neighbour"),
        pytest.param({"csrf_token": "own", "x": "a" * 10_000}, {}, id="a huge form"),
        pytest.param({"csrf_token": "ü"}, {}, id="letters beyond ASCII"),
    ],
)
async def test_nobody_else_logs_a_person_out(
    browser: Browser, site: Site, fields: dict[str, str], headers: dict[str, str]
) -> None:
    """CSRF at the logout: the form holds the token of this session, and comes from here where the browser says it."""
    found = await log_in(browser)
    own = {name: found["csrf"] if value == "own" else value for name, value in fields.items()}
    answer = await browser.step("/logout", method="POST", data=own, headers=headers)
    assert answer.status_code == 403
    assert "Still signed in" in answer.text
    assert await who(browser) is not None
    assert site.cognito.count("revoke") == 0


async def test_a_form_without_an_end_is_not_read_to_it() -> None:
    """Where no length is declared, as much is read as a form of ours has."""
    given = 0

    async def receive() -> dict[str, object]:
        nonlocal given
        given += 1
        return {"type": "http.request", "body": b"a" * 1000, "more_body": True}

    assert not await _is_from_own_page(Request({"type": "http", "method": "POST", "headers": []}, receive), "token")
    assert given < 12


async def test_the_token_of_another_session_logs_nobody_out(
    browser: Browser, site: Site, open_browser: OpenBrowser
) -> None:
    """It is bound to the session, not to the application."""
    await log_in(browser)
    bob = await log_in(open_browser(site, username="bob", password="battery staple"))
    assert (await log_out(browser, csrf_token=bob["csrf"])).status_code == 403
    assert await who(browser) is not None


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
async def test_a_link_logs_nobody_out(browser: Browser, method: str) -> None:
    """A logout is a form's alone: no link, picture or prefetch does it."""
    await log_in(browser)
    assert (await browser.step("/logout", method=method)).status_code == 405
    assert await who(browser) is not None


async def test_a_logout_without_a_session_ends_nothing_at_cognito(browser: Browser, site: Site) -> None:
    """Another site's form comes without our cookies, and must not end the person's session at Cognito."""
    answer = await browser.step("/logout", method="POST", data={"csrf_token": "x"})
    assert (answer.status_code, answer.headers["location"]) == (303, BYE)


async def test_a_logout_works_while_cognito_cannot_revoke(stored: Site, open_browser: OpenBrowser) -> None:
    """Nobody has the refresh token any more: the person leaves all the same."""
    browser = open_browser(stored)
    await log_in(browser)
    stored.cognito.fail_next("revoke", status=500, times=3)
    assert (await log_out(browser)).status_code == 303
    assert await who(browser) is None


async def test_who_came_through_two_pools_leaves_both(build: Build, site: Site, open_browser: OpenBrowser) -> None:
    """With `federation=` the logout is the chain through both for who came that way, Cognito's for others."""
    corp = site.cognito.add_pool("eu-west-1_Corp00001", domain="corp")
    corp.add_user("cleo", password="correct horse", email="cleo@corp.example")
    upstream = corp.add_client("shop", redirect_uris=[site.pool.idp_response_url], client_secret=True)
    site.pool.add_oidc_provider(
        "Corp",
        issuer=corp,
        client_id=upstream.client_id,
        client_secret=upstream.client_secret or "",
        scopes=["openid", "email"],
        attribute_mapping={"email": "email"},
    )
    site.registered.identity_providers = ("COGNITO", "Corp")
    plan = Federation(
        upstream=corp.user_pool,
        downstream=site.pool.user_pool,
        provider_name="Corp",
        upstream_client_id=upstream.client_id,
    )
    chain = plan.logout_chain(downstream_client_id=site.registered.client_id, final_url=BYE)
    site.registered.logout_uris = (BYE, *chain.downstream_logout_urls)
    upstream.logout_uris = chain.upstream_logout_urls
    both = build(store=site.store, federation=plan)
    cleo = open_browser(both, username="cleo")
    cleo._person.provider = "Corp"
    assert (await log_in(cleo))["email"] == "cleo@corp.example"
    answer = await log_out(cleo)
    assert answer.headers["location"] == chain.url
    assert await cleo._person.follow(chain.url) == BYE
    ann = open_browser(both)
    await log_in(ann)
    assert (await log_out(ann)).headers["location"] == site.client.logout_url(BYE)
