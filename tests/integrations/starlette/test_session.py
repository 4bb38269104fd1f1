"""Who is signed in: the life of a session in a cookie and in a store, and what happens while something is down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.websockets import WebSocket

from cognito_oidc import AuthorizationRequest, MemoryTokenStore, StoredToken
from cognito_oidc.errors import ConfigurationError, StoreError
from cognito_oidc.integrations.starlette._session import open_record, tag_of
from cognito_oidc.integrations.stores.file import FileTokenStore
from tests.integrations.starlette.browser import BASE, SESSION, Browser, log_in, log_out, who
from tests.integrations.starlette.conftest import KEY, Site

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

pytestmark = pytest.mark.anyio

OpenBrowser = Callable[..., Browser]
Build = Callable[..., Site]


# --- the life of a session --------------------------------------------------------------------------------------------


async def test_a_session_ends_whatever_happens(browser: Browser, site: Site) -> None:
    """After its lifetime the person signs in again, although the tokens could go on."""
    found = await log_in(browser)
    assert found["ends_at"] == pytest.approx(site.cognito.clock() + 12 * 3600, abs=5)
    site.cognito.clock.advance(12 * 3600 - 60)
    assert await who(browser) is not None
    site.cognito.clock.advance(61)
    assert await who(browser) is None


async def test_a_store_keeps_tokens_fresh(stored: Site, open_browser: OpenBrowser) -> None:
    """With rotation on and no grace: an expired access token is renewed, hour after hour, in the same session."""
    browser = open_browser(stored)
    before = await log_in(browser)
    for _ in range(3):
        stored.cognito.clock.advance(3700)
        after = await who(browser)
        assert after is not None
        assert after["token"] != before["token"]
        assert (after["csrf"], after["ends_at"]) == (before["csrf"], before["ends_at"])
    assert stored.cognito.count("token") == 4


async def test_two_workers_refresh_once(build: Build, open_browser: OpenBrowser) -> None:
    """Twelve requests of one browser to two workers, at the moment its token expired: one refresh."""
    store = MemoryTokenStore()
    workers = [build(store=store), build(store=store)]
    browser = open_browser(workers[0])
    await log_in(browser)
    tabs = []
    for number in range(12):
        tabs.append(open_browser(workers[number % 2]))
        tabs[-1].set_cookie(SESSION, browser.jar[SESSION])
    workers[0].cognito.clock.advance(3700)
    asked = workers[0].cognito.count("token")
    found: list[dict[str, Any] | None] = []

    async def look(tab: Browser) -> None:
        found.append(await who(tab))

    async with anyio.create_task_group() as tasks:
        for tab in tabs:
            tasks.start_soon(look, tab)
    assert len({one["token"] for one in found if one is not None}) == 1
    assert None not in found
    assert workers[0].cognito.count("token") == asked + 1


async def test_a_cookie_alone_refreshes_nothing(build: Build, open_browser: OpenBrowser) -> None:
    """The person stays signed in, with the token of the login; no refresh token is ever in a browser."""
    site = build()
    browser = open_browser(site)
    before = await log_in(browser)
    site.cognito.clock.advance(3700)
    assert await who(browser) == before
    assert site.cognito.count("token") == 1
    record = open_record(browser.jar[SESSION].removeprefix("1."), [KEY])
    assert record is not None
    assert record.tokens is not None
    assert (record.tokens["refresh_token"], record.tokens["id_token"]) == (None, None)


async def test_a_store_leaves_no_token_in_the_browser(stored: Site, open_browser: OpenBrowser) -> None:
    """The cookie holds the key of the session and nothing that an API would take."""
    browser = open_browser(stored)
    await log_in(browser)
    record = open_record(browser.jar[SESSION].removeprefix("1."), [KEY])
    assert record is not None
    assert record.tokens is None
    assert len(record.store_key or "") == 64
    assert len(browser.jar[SESSION]) < 1000


async def test_a_session_of_which_cognito_wants_to_know_nothing_is_over(
    stored: Site, open_browser: OpenBrowser
) -> None:
    """A person who was disabled, or whose tokens were revoked, is signed out with the next refresh."""
    browser = open_browser(stored)
    await log_in(browser)
    stored.pool.users["ann"].enabled = False
    stored.cognito.clock.advance(3700)
    assert await who(browser) is None


async def test_each_login_is_another_session(browser: Browser, site: Site, open_browser: OpenBrowser) -> None:
    """Session fixation: a session that was there before, whosever it is, does not become the new person's."""
    first = await log_in(browser)
    planted = browser.jar[SESSION]
    victim = open_browser(site, username="bob", password="battery staple")
    victim.set_cookie(SESSION, planted)
    second = await log_in(victim)
    assert second["email"] == "bob@example.com"
    assert second["csrf"] != first["csrf"]
    assert victim.jar[SESSION] != planted
    if site.store is not None:  # and what was there before is over
        assert await who(browser) is None


# --- what is down -----------------------------------------------------------------------------------------------------


class Broken(MemoryTokenStore):
    """A store that can be switched off."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False
        self.hangs = False

    async def _answer(self) -> None:
        if self.hangs:
            await anyio.sleep_forever()
        if self.down:
            raise StoreError("The store is down.")

    async def read(self, key: str) -> StoredToken | None:
        await self._answer()
        return await super().read(key)

    async def swap(self, key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
        await self._answer()
        return await super().swap(key, new, expected=expected)


async def test_a_store_that_is_down_logs_nobody_out(build: Build, open_browser: OpenBrowser) -> None:
    """503 with Retry-After, no cookie taken back, and all is as before when it is up again."""
    store = Broken()
    browser = open_browser(build(store=store))
    before = await log_in(browser)
    store.down = True
    answer = await browser.step("/whoami")
    assert answer.status_code == 503
    assert "have not been signed out" in answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["cache-control"] == "no-store"
    assert (await browser.step("/")).status_code == 200  # what needs nobody goes on
    logout = await browser.step("/logout", method="POST", data={"csrf_token": before["csrf"]})
    assert logout.status_code == 503  # a session that cannot be deleted is not said to be over
    assert SESSION in browser.jar
    store.down = False
    assert await who(browser) == before


async def test_a_store_that_fails_at_the_old_session_lets_a_person_in(
    build: Build, open_browser: OpenBrowser, caplog: pytest.LogCaptureFixture
) -> None:
    """The new session is there; that the old one could not be deleted is told to whoever reads the log."""

    class Undeletable(MemoryTokenStore):
        async def swap(self, key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
            if new is None:
                raise StoreError("The store deletes nothing.")
            return await super().swap(key, new, expected=expected)

    browser = open_browser(build(store=Undeletable()))
    first = await log_in(browser)
    second = await log_in(browser)
    assert second["csrf"] != first["csrf"]
    assert "still in the store: The store deletes nothing." in caplog.text


async def test_a_session_without_its_tokens_is_over(browser: Browser, site: Site) -> None:
    """Of another version of the library, or sealed for a store that is not there any more: nobody is signed in."""
    await log_in(browser)
    record = open_record(browser.jar[SESSION].removeprefix("1."), [KEY])
    assert record is not None
    browser.set_cookie(SESSION, f"1.{replace(record, store_key=None, tokens=None).sealed(KEY)}")
    assert await who(browser) is None
    browser.set_cookie(SESSION, f"1.{replace(record, store_key=None, tokens={'access_token': 5}).sealed(KEY)}")
    assert await who(browser) is None


async def test_a_mistake_of_the_application_is_no_503(stored: Site, open_browser: OpenBrowser) -> None:
    """What nobody can wait for goes up to the server, which logs it."""

    async def wrong(request: Request) -> None:
        raise ConfigurationError("A mistake.")

    stored.app.router.routes.append(Route("/wrong", wrong))
    with pytest.raises(ConfigurationError, match="A mistake"):
        await open_browser(stored).step("/wrong")


async def test_a_look_that_failed_is_no_answer(build: Build, open_browser: OpenBrowser) -> None:
    """An error page of the application's own, which looks again, does not take the person for nobody."""
    store = Broken()
    site = build(store=store)
    browser = open_browser(site)
    await log_in(browser)

    async def careless(request: Request) -> JSONResponse:
        try:
            session = await site.login.session(request)
        except StoreError:
            session = await site.login.session(request)
        return JSONResponse(session)

    site.app.router.routes.append(Route("/careless", careless))
    store.down = True
    assert (await browser.step("/careless")).status_code == 503


async def test_a_store_that_hangs_is_one_that_is_down(
    build: Build, open_browser: OpenBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request waits for seconds, not for ever."""
    monkeypatch.setattr("cognito_oidc.integrations.starlette._tokens._PATIENCE", 0.05)
    store = Broken()
    browser = open_browser(build(store=store))
    await log_in(browser)
    store.hangs = True
    assert (await browser.step("/whoami")).status_code == 503


async def test_a_store_that_is_down_uses_no_code_up(build: Build, open_browser: OpenBrowser) -> None:
    """The callback can be opened again when it is up."""
    store = Broken()
    site = build(store=store)
    browser = open_browser(site)
    callback = await browser.depart("/orders/1")
    store.down = True
    assert (await browser.step(callback)).status_code == 503
    assert site.cognito.count("token") == 0
    store.down = False
    assert (await browser.step(callback)).headers["location"] == "/orders/1"


async def test_cognito_down_logs_nobody_out(stored: Site, open_browser: OpenBrowser) -> None:
    """Where a refresh is due and cannot be had, nothing can be said: 503, and later the session goes on."""
    browser = open_browser(stored)
    await log_in(browser)
    stored.cognito.clock.advance(3700)
    stored.cognito.fail_next("token", status=503, times=2)
    assert (await browser.step("/whoami")).status_code == 503
    statuses = []
    with anyio.fail_after(10):
        while 200 not in statuses:
            statuses.append((await browser.step("/whoami")).status_code)
            await anyio.sleep(0.1)  # the pause after a failure is real time
    assert set(statuses) <= {200, 503}
    assert await who(browser) is not None


async def test_a_websocket_has_a_session_only_from_here(stored: Site, open_browser: OpenBrowser) -> None:
    """Cross-site WebSocket hijacking: any page can open a WebSocket, and a neighbour's comes with our cookies."""
    browser = open_browser(stored)
    await log_in(browser)
    cookie = f"{SESSION}={browser.jar[SESSION]}".encode()

    async def look(*origin: bytes) -> bool:
        headers = [(b"cookie", cookie), *((b"origin", one) for one in origin)]
        scope = {"type": "websocket", "path": "/", "headers": headers, "query_string": b""}
        found: list[bool] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's own
            found.append(await stored.login.session(WebSocket(scope, receive, send)) is not None)

        middleware = stored.login.middleware
        served: Any = middleware.cls(app, *middleware.args, **middleware.kwargs)
        await served(scope, None, None)
        return found[0]

    assert await look(BASE.encode())
    assert not await look(b"https://evil.example.com")
    assert not await look()


async def test_a_login_request_of_somebody_elses_seal_is_refused(browser: Browser, site: Site) -> None:
    """An authorization request that was sealed with the same key for another app client finishes nothing here."""
    foreign = site.pool.add_client("other", redirect_uris=[f"{BASE}/callback"]).client(redirect_uri=f"{BASE}/callback")
    sent = foreign.authorization_request()
    browser.set_cookie(f"__Host-cognito-login-{tag_of(sent.state)}", sent.seal(KEY))
    assert AuthorizationRequest.unseal(sent.seal(KEY), KEY) == sent
    answer = await browser.step(f"/callback?code=x&state={sent.state}")
    assert answer.status_code == 400
    assert site.cognito.count("token") == 0


async def test_a_person_with_many_groups_has_a_session_in_pieces(build: Build, open_browser: OpenBrowser) -> None:
    """What does not fit into one cookie of 4 KB is in several, and a logout takes all of them back."""
    site = build()
    site.pool.users["ann"].groups = [f"department-{number:03}-of-the-company" for number in range(100)]
    browser = open_browser(site)
    await log_in(browser)
    pieces = [name for name in browser.jar if name.startswith(SESSION)]
    assert len(pieces) > 2
    assert (await who(browser) or {})["email"] == "ann@example.com"
    assert (await log_out(browser)).status_code == 303
    assert browser.jar == {}


async def test_a_session_that_no_browser_would_keep_is_refused(
    build: Build, open_browser: OpenBrowser, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is half signed in: the log says what to do, and with a store that person gets in."""
    site = build()
    site.pool.users["ann"].groups = [f"department-{number:03}-of-the-company" for number in range(400)]
    browser = open_browser(site)
    assert (await browser.open("/login?return_to=/whoami")).status_code == 502
    assert browser.jar == {}
    assert "Pass store=" in caplog.text
    assert (await log_in(open_browser(build(store=MemoryTokenStore()))))["email"] == "ann@example.com"


async def test_sessions_in_encrypted_files(build: Build, open_browser: OpenBrowser, tmp_path: Path) -> None:
    """Any store will do: the life of a session in one that several processes share, from which nobody reads a token."""
    stores = [FileTokenStore(tmp_path / "sessions", encryption_keys=[KEY]) for _ in range(2)]
    first, second = (build(store=store) for store in stores)
    browser = open_browser(first)
    before = await log_in(browser)
    other = open_browser(second)
    other.set_cookie(SESSION, browser.jar[SESSION])
    assert await who(other) == before
    kept = b"".join(file.read_bytes() for file in (tmp_path / "sessions").rglob("*") if file.is_file())
    assert len(kept) > 1000
    assert before["token"].encode() not in kept
    first.cognito.clock.advance(3700)
    after = await who(other)
    assert after is not None
    assert after["token"] != before["token"]
    assert await who(browser) == after
    assert (await log_out(other)).status_code == 303
    assert await who(browser) is None
