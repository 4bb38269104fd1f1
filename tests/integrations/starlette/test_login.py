"""Logging in to a server-rendered application: the real Starlette over its ASGI transport, against the emulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Mount, Route

from cognito_oidc import CognitoClient, Federation, MemoryTokenStore, UserPool
from cognito_oidc.errors import CallbackError, ConfigurationError
from cognito_oidc.integrations.starlette import CognitoLogin, LoginProblem
from cognito_oidc.integrations.starlette._login import _origin_of
from cognito_oidc.integrations.starlette._pages import reason_of
from cognito_oidc.integrations.starlette._session import SessionRecord
from tests.integrations.starlette.browser import BASE, SESSION, Browser
from tests.integrations.starlette.conftest import BYE, KEY, Site

pytestmark = pytest.mark.anyio

ELSEWHERE = Federation(
    upstream=UserPool("eu-west-1_Corp00001", domain="corp"),
    downstream=UserPool("eu-west-1_Other0001", domain="other"),
    provider_name="Corp",
    upstream_client_id="1example23456789",
)
OpenBrowser = Callable[..., Browser]
Build = Callable[..., Site]


def logins(browser: Browser) -> list[str]:
    """The cookies of logins that are under way."""
    return [name for name in browser.jar if name.startswith("__Host-cognito-login-")]


async def test_a_person_logs_in_and_is_where_they_wanted_to_be(browser: Browser) -> None:
    """From a page that needs somebody, through Cognito, back to that page with its query."""
    answer = await browser.open("/orders/7?page=2&sort=a%2Fb")
    assert answer.json() == {"orders of": "ann@example.com"}
    assert answer.url.raw_path == b"/orders/7?page=2&sort=a%2Fb"
    assert logins(browser) == []
    assert (await browser.open("/whoami")).json()["email"] == "ann@example.com"


async def test_nobody_is_signed_in_without_a_login(browser: Browser) -> None:
    """And a public page sets no cookie."""
    assert (await browser.open("/whoami")).json() is None
    assert browser.jar == {}


async def test_what_knows_who_is_signed_in_is_kept_by_no_cache(browser: Browser) -> None:
    """Each answer that sets or reads a session says so, whatever the page says; a page that does not look may be."""
    answers = [await browser.step("/login?return_to=/whoami")]
    answers.append(await browser.step(await browser.depart("/login?return_to=/whoami")))
    answers.append(await browser.step("/whoami"))
    assert [answer.status_code for answer in answers] == [303, 303, 200]
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert (await browser.step("/")).headers["cache-control"] == "public, max-age=60"


async def test_two_tabs_log_in_at_the_same_time(browser: Browser) -> None:
    """Each comes back to its own page, in whatever order."""
    first = await browser.depart("/orders/1")
    second = await browser.depart("/orders/2")
    assert (await browser.step(second)).headers["location"] == "/orders/2"
    assert (await browser.step(first)).headers["location"] == "/orders/1"
    assert logins(browser) == []
    assert (await browser.open("/whoami")).json()["email"] == "ann@example.com"


async def test_the_oldest_of_too_many_tabs_is_dropped(browser: Browser, site: Site) -> None:
    """Cookies of logins stay few, so that no request gets too large; the dropped one is told apart, the rest work."""
    callbacks = []
    for number in range(7):
        callbacks.append(await browser.depart(f"/orders/{number}"))
        site.cognito.clock.advance(1)
    assert len(logins(browser)) == 4
    answer = await browser.step(callbacks[0])
    assert answer.status_code == 400
    assert "not begun in this browser" in answer.text
    assert [(await browser.step(url)).headers["location"] for url in callbacks[3:]] == [
        f"/orders/{number}" for number in range(3, 7)
    ]


@pytest.mark.parametrize(
    "return_to",
    [
        pytest.param("//evil.example", id="two slashes"),
        pytest.param("/%5Cevil.example", id="a backslash"),
        pytest.param("https://evil.example", id="another site"),
        pytest.param("", id="nothing"),
    ],
)
async def test_a_login_leads_nowhere_else(browser: Browser, return_to: str) -> None:
    """A return address that is no path of this application is the home page; the table is in test_return_address."""
    callback = await browser.depart(f"/login?return_to={quote(return_to, safe='')}")
    assert (await browser.step(callback)).headers["location"] == "/"


async def test_a_long_return_address_makes_no_large_cookie(browser: Browser) -> None:
    """The cookie of a login stays about 1 KB, whatever was asked for: four of them are to fit into one header."""
    callback = await browser.depart(f"/orders/1?q={'a' * 5000}")
    assert [len(browser.jar[name]) < 1300 for name in logins(browser)] == [True]
    assert (await browser.step(callback)).headers["location"] == "/"


async def test_a_request_that_is_no_page_is_not_sent_to_log_in(browser: Browser) -> None:
    """A script or a picture cannot log in, and must not drop the logins that are under way."""
    answer = await browser.step("/orders/1", headers={"Sec-Fetch-Mode": "cors"})
    assert (answer.status_code, browser.jar) == (401, {})
    assert answer.headers["www-authenticate"].startswith("Cookie ")


async def test_a_form_that_needed_somebody_leads_home(browser: Browser) -> None:
    """A form cannot be sent again."""
    answer = await browser.step("/orders/1", method="POST", data={"a": "b"})
    assert urlsplit(answer.headers["location"]).path == "/oauth2/authorize"
    callback = await browser._person.follow(answer.headers["location"])
    assert (await browser.step(callback)).headers["location"] == "/"


async def test_an_application_chooses_what_the_person_sees(stored: Site, open_browser: OpenBrowser) -> None:
    """`start` takes any authorization request of the client's."""

    async def again(request: Request) -> Any:  # noqa: ANN401 - a response
        sent = stored.login.client.authorization_request(prompt="login", app_state={"from": "again"})
        return stored.login.start(request, sent, return_to="/whoami")

    stored.app.router.routes.append(Route("/again", again))
    browser = open_browser(stored)
    answer = await browser.step("/again")
    assert "prompt=login" in answer.headers["location"]
    assert (await browser.open("/again")).json()["email"] == "ann@example.com"


# --- callbacks that cannot be used ------------------------------------------------------------------------------------


async def test_a_callback_without_its_cookie(browser: Browser, site: Site, open_browser: OpenBrowser) -> None:
    """A browser that blocks cookies, or another browser than the login's (login CSRF): refused, and told."""
    callback = await browser.depart("/orders/1")
    victim = open_browser(site, username="bob", password="battery staple")
    answer = await victim.step(callback)
    assert answer.status_code == 400
    assert "did not send the cookie" in answer.text
    assert victim.jar == {}
    assert site.cognito.count("token") == 0


async def test_a_callback_of_somebody_elses_login(browser: Browser, site: Site, open_browser: OpenBrowser) -> None:
    """Login CSRF against a browser that has a login of its own under way."""
    callback = await browser.depart("/orders/1")
    victim = open_browser(site, username="bob", password="battery staple")
    await victim.depart("/orders/2")
    answer = await victim.step(callback)
    assert answer.status_code == 400
    assert "not begun in this browser" in answer.text
    assert SESSION not in victim.jar
    assert len(logins(victim)) == 1  # bob's own login goes on
    assert site.cognito.count("token") == 0


async def test_a_callback_that_comes_late(browser: Browser, site: Site) -> None:
    """After ten minutes the login is over, and the person is told so; the way on leads to the same page."""
    callback = await browser.depart("/orders/1?a=b")
    site.cognito.clock.advance(601)
    answer = await browser.step(callback)
    assert answer.status_code == 400
    assert "took too long" in answer.text
    assert "/login?return_to=/orders/1%3Fa%3Db" in answer.text
    assert logins(browser) == []


async def test_a_callback_that_is_opened_twice(browser: Browser, site: Site) -> None:
    """The second time there is nothing to do: the person is signed in, and told so."""
    callback = await browser.depart("/orders/1")
    await browser.step(callback)
    answer = await browser.step(callback)
    assert answer.status_code == 400
    assert "was finished before" in answer.text
    assert (await browser.open("/whoami")).json()["email"] == "ann@example.com"
    assert site.cognito.count("token") == 1


async def test_a_callback_that_is_replayed_with_its_cookie(stored: Site, open_browser: OpenBrowser) -> None:
    """Whoever kept the cookie of a login cannot use it again: the store has a session of it already."""
    browser = open_browser(stored)
    callback = await browser.depart("/orders/1")
    kept = browser.jar
    await browser.step(callback)
    thief = open_browser(stored)
    for name, value in kept.items():
        thief.set_cookie(name, value)
    answer = await thief.step(callback)
    assert answer.status_code == 400
    assert "was finished before" in answer.text
    assert SESSION not in thief.jar
    assert stored.cognito.count("token") == 1  # the code is not even sent


async def test_a_code_that_was_used_before(browser: Browser, site: Site, open_browser: OpenBrowser) -> None:
    """Where no store remembers, Cognito refuses the code the second time."""
    callback = await browser.depart("/orders/1")
    code = callback.partition("code=")[2].partition("&")[0]
    other = await browser.depart("/orders/2")
    await browser.step(callback)
    answer = await browser.step(other.replace(other.partition("code=")[2].partition("&")[0], code))
    assert answer.status_code == 400
    assert "was used before" in answer.text


async def test_a_person_who_says_no(browser: Browser, site: Site) -> None:
    """Cognito's refusal is told in our words: nothing of the address is on the page."""
    callback = await browser.depart("/orders/1")
    state = callback.partition("state=")[2].partition("&")[0]
    said = f"/callback?error=access_denied&error_description=%3Cb%3Ecall+555%3C/b%3E&state={state}"
    answer = await browser.step(said)
    assert answer.status_code == 403
    assert "cancelled or refused" in answer.text
    assert "555" not in answer.text
    assert logins(browser) == []


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("", id="nothing"),
        pytest.param("code=x", id="no state"),
        pytest.param("code=x&state=a&state=b", id="two states"),
        pytest.param("&".join(f"a{number}=1" for number in range(200)), id="too many parameters"),
    ],
)
async def test_what_is_no_callback(browser: Browser, query: str) -> None:
    """Whatever somebody opens, it is a page."""
    answer = await browser.step(f"/callback?{query}")
    assert answer.status_code == 400
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_a_head_request_uses_no_code_up(browser: Browser, site: Site) -> None:
    """What only looks whether a link works does not log in."""
    callback = await browser.depart("/orders/1")
    assert (await browser.step(callback, method="HEAD")).status_code == 405
    assert (await browser.step(callback)).status_code == 303


async def test_a_login_that_cannot_be_read_leaves_no_cookie(browser: Browser) -> None:
    """What no key opens makes room for the next login."""
    for number in range(9):
        browser.set_cookie(f"__Host-cognito-login-{number}", "garbage")
    await browser.depart("/orders/1")
    assert len(logins(browser)) == 4
    assert (await browser.open("/orders/2")).status_code == 200


async def test_two_workers_finish_one_login_once(stored: Site) -> None:
    """Where both got that far, one of them has the session, and the other is told that the login was used."""
    keeper = stored.login._keeper
    sent = stored.client.authorization_request()
    callback = await stored.cognito.person("ann", "correct horse").follow(sent.url)
    tokens = await stored.client.exchange_code(callback, sent)
    assert tokens.claims is not None
    record = SessionRecord.begun(sent, tokens.claims, client=stored.client, now=0)
    assert (await keeper.keep(record, sent, tokens)).store_key is not None
    with pytest.raises(CallbackError) as caught:
        await keeper.keep(record, sent, tokens)
    assert caught.value.reason == "already_used"
    assert reason_of(caught.value) == "already_used"


async def test_a_login_without_an_id_token_is_a_mistake_of_the_application(
    stored: Site, open_browser: OpenBrowser
) -> None:
    """A request of its own that leaves `openid` out cannot say who is signed in."""
    stored.pool.add_resource_server("orders", scopes=["read"])
    stored.registered.scopes = (*stored.registered.scopes, "orders/read")

    async def wrong(request: Request) -> Any:  # noqa: ANN401 - a response
        return stored.login.start(request, stored.client.authorization_request(scopes="orders/read"))

    stored.app.router.routes.append(Route("/wrong", wrong))
    with pytest.raises(ConfigurationError, match="needs the scope openid"):
        await open_browser(stored).step("/wrong")


async def test_cognito_down_at_a_login_is_503(browser: Browser, site: Site) -> None:
    """The person is told to try again; the code, which may have been used, is not sent twice."""
    callback = await browser.depart("/orders/1")
    site.cognito.fail_next("token", status=503)
    answer = await browser.step(callback)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert 'href="/orders/1"' in answer.text
    assert logins(browser) == []
    assert site.cognito.count("token") == 1


async def test_an_id_token_that_must_not_be_trusted_is_502(browser: Browser, site: Site) -> None:
    """It is Cognito's answer that cannot be used, not the person's fault: no 401, and no session."""
    callback = await browser.depart("/orders/1")
    foreign = site.pool.issue_id_token("bob", client=site.registered, nonce="another one")
    tokens = {"access_token": "a", "id_token": foreign, "token_type": "Bearer", "expires_in": 60}
    site.cognito.fail_next("token", status=200, body=tokens)
    answer = await browser.step(callback)
    assert answer.status_code == 502
    assert SESSION not in browser.jar


async def test_an_application_says_problems_itself(build: Build, open_browser: OpenBrowser) -> None:
    """`error_page` gets the problem, with its reason and the error for the log; what it returns is not cached."""
    seen: list[LoginProblem] = []

    async def page(request: Request, problem: LoginProblem) -> HTMLResponse:
        seen.append(problem)
        return HTMLResponse(f"<p>{problem.reason}", status_code=problem.status)

    site = build(error_page=page)
    browser = open_browser(site)
    callback = await browser.depart("/orders/1")
    site.cognito.clock.advance(700)
    answer = await browser.step(callback)
    assert (answer.status_code, answer.text) == (400, "<p>request_expired")
    assert answer.headers["cache-control"] == "no-store"
    assert str(seen[0].error).startswith("The authorization request is 700 s old")
    assert seen[0].href == "/login?return_to=/orders/1"


# --- what must be put together ----------------------------------------------------------------------------------------


async def test_routes_may_stand_below_a_path(stored: Site, open_browser: OpenBrowser) -> None:
    """Mounted, behind a proxy, under another name: only the paths count, never the callback's scheme and host."""
    client = stored.registered.client(redirect_uri=f"{BASE}/account/callback", scopes=["openid", "email"])
    stored.registered.redirect_uris = (f"{BASE}/account/callback",)
    login = CognitoLogin(
        client,
        keys=KEY,
        logout_uri=BYE,
        callback_path="/callback",
        clock=stored.cognito.clock,
    )

    async def home(request: Request) -> JSONResponse:
        session = await login.session(request)
        return JSONResponse(session and session.claims.email)

    app = Starlette(routes=[Mount("/account", routes=login.routes), Route("/", home)], middleware=[login.middleware])
    browser = Browser(app, stored.cognito, stored.cognito.person("ann", "correct horse"))
    callback = await browser.depart("/account/login")
    inner = f"/account/callback?{urlsplit(callback).query}"
    answer = await browser.step(inner, headers={"Host": "10.0.0.7:8080", "X-Forwarded-Proto": "http"})
    assert answer.status_code == 303
    assert (await browser.open("/")).json() == "ann@example.com"
    refused = await browser.step("/account/callback?state=x&code=y")
    assert 'href="/account/login?return_to=/"' in refused.text
    await browser.close()


async def test_a_forgotten_middleware_is_said(site: Site) -> None:
    """Without it a cache could hand one person's page to another one."""

    async def home(request: Request) -> JSONResponse:
        return JSONResponse(await site.login.session(request))

    browser = Browser(Starlette(routes=[Route("/", home)]), site.cognito, site.cognito.person("ann", "x"))
    with pytest.raises(ConfigurationError, match=r"add login\.middleware"):
        await browser.step("/")
    await browser.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"keys": b"short"}, "32 random bytes", id="a short key"),
        pytest.param({"keys": ()}, "At least one sealing key", id="no key"),
        pytest.param({"logout_uri": "/bye"}, "logout_uri", id="a relative logout_uri"),
        pytest.param({"home": "//evil.example"}, "home: expected a path", id="home elsewhere"),
        pytest.param({"cookie_name": "a;b"}, "cookie_name", id="no name of a cookie"),
        pytest.param({"session_lifetime": 0}, "session_lifetime", id="no life"),
        pytest.param({"session_lifetime": float("inf")}, "session_lifetime", id="an endless life"),
        pytest.param({"session_lifetime": float("nan")}, "session_lifetime", id="no number"),
        pytest.param({"session_lifetime": 10**5000}, "session_lifetime", id="a number too long to be written"),
        pytest.param({"session_lifetime": "3600"}, "session_lifetime", id="a text"),
        pytest.param({"federation": ELSEWHERE}, "federation= lets people in to", id="another pool's federation"),
        pytest.param({"allow_insecure_loopback": True}, "leave it out", id="insecure cookies over https"),
    ],
)
async def test_what_cannot_be_right_is_refused_at_the_start(
    stored: Site, changes: dict[str, object], message: str
) -> None:
    """Before anybody comes."""
    arguments: dict[str, Any] = {"keys": KEY, "logout_uri": BYE, **changes}
    with pytest.raises(ConfigurationError, match=message):
        CognitoLogin(stored.client, **arguments)


@pytest.mark.parametrize(
    ("redirect_uri", "scopes", "message"),
    [
        pytest.param("http://localhost:8000/callback", "openid", "allow_insecure_loopback=True", id="http"),
        pytest.param("app.example:/callback", "openid", "comes back to https", id="a scheme of its own"),
        pytest.param(f"{BASE}/callback", "orders/read", "needs the scope openid", id="no ID token"),
        pytest.param(None, "openid", "redirect_uri is missing", id="nowhere to come back to"),
    ],
)
async def test_what_client_cannot_log_in_is_refused(
    stored: Site, redirect_uri: str | None, scopes: str, message: str
) -> None:
    """Insecure cookies need a loud word, and a person an ID token."""
    pool = stored.client.pool
    client = CognitoClient(pool, client_id="1example23456789", redirect_uri=redirect_uri, scopes=scopes)
    with pytest.raises(ConfigurationError, match=message):
        CognitoLogin(client, keys=KEY, logout_uri=BYE)
    with pytest.raises(ConfigurationError, match="needs a CognitoClient"):
        CognitoLogin(None, keys=KEY, logout_uri=BYE)  # type: ignore[arg-type]


async def test_development_over_http_is_for_loopback(stored: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Cookies without Secure and `__Host-`, which Safari would not keep there; and a warning that says so."""
    client = stored.registered.client(redirect_uri="http://localhost:8000/callback", scopes=["openid", "email"])
    stored.registered.redirect_uris = ("http://localhost:8000/callback",)
    login = CognitoLogin(
        client,
        keys=KEY,
        logout_uri="http://localhost:8000/bye",
        store=MemoryTokenStore(),
        allow_insecure_loopback=True,
        clock=stored.cognito.clock,
    )
    assert "allow_insecure_loopback is for development" in caplog.text

    async def home(request: Request) -> JSONResponse:
        session = await login.session(request)
        return JSONResponse(session and session.claims.email)

    app = Starlette(routes=[*login.routes, Route("/", home)], middleware=[login.middleware])
    person = stored.cognito.person("ann", "correct horse")
    browser = Browser(app, stored.cognito, person, base="http://localhost:8000")
    assert (await browser.open("/login")).json() == "ann@example.com"
    assert list(browser.jar) == ["cognito-session"]
    await browser.close()


@pytest.mark.parametrize(
    ("redirect_uri", "origin"),
    [
        pytest.param("https://App.Example.com/cb", "https://app.example.com", id="letters in any case"),
        pytest.param("https://app.example.com:443/cb", "https://app.example.com", id="the usual port"),
        pytest.param("https://app.example.com:8443/cb", "https://app.example.com:8443", id="another port"),
        pytest.param("http://[::1]:8000/cb", "http://[::1]:8000", id="an IPv6 address"),
        pytest.param("http://localhost:80/cb", "http://localhost", id="the usual port of http"),
    ],
)
async def test_the_own_origin_is_written_as_browsers_write_it(redirect_uri: str, origin: str) -> None:
    """Else no WebSocket of the application's own pages would have a session."""
    assert _origin_of(urlsplit(redirect_uri)) == origin


async def test_it_works_in_fastapi(stored: Site, open_browser: OpenBrowser) -> None:
    """What is built on Starlette takes the same routes and the same middleware."""
    app = FastAPI(routes=[*stored.login.routes], middleware=[stored.login.middleware])

    @app.get("/orders/{number}")
    async def orders(request: Request, number: int) -> Any:  # noqa: ANN401 - a response or JSON
        session = await stored.login.session(request)
        return stored.login.start(request) if session is None else {"orders of": session.claims.email}

    browser = Browser(app, stored.cognito, stored.cognito.person("ann", "correct horse"))
    assert (await browser.open("/orders/7")).json() == {"orders of": "ann@example.com"}
    await browser.close()
