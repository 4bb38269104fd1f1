"""What somebody could do to cookies, and what becomes of them when keys are replaced."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cognito_oidc.integrations.starlette._session import open_record
from tests.integrations.starlette.browser import BASE, SESSION, Browser, log_in, who
from tests.integrations.starlette.conftest import BYE, KEY, OLD_KEY, Site

pytestmark = pytest.mark.anyio

OpenBrowser = Callable[..., Browser]
Build = Callable[..., Site]


# --- what somebody could do to cookies --------------------------------------------------------------------------------


async def test_a_changed_cookie_is_no_session(browser: Browser) -> None:
    """One character anywhere, and nobody is signed in; nothing is raised."""
    await log_in(browser)
    good = browser.jar[SESSION]
    for place in (0, 1, 5, len(good) // 2, len(good) - 3):
        browser.set_cookie(SESSION, good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :])
        assert await who(browser) is None
    browser.set_cookie(SESSION, good)
    assert await who(browser) is not None


async def test_cookies_cannot_be_swapped(browser: Browser) -> None:
    """The cookie of a login is no session, and a session no login, although the same key sealed both."""
    await log_in(browser)
    session = browser.jar[SESSION]
    callback = await browser.depart("/login")
    (name,) = [name for name in browser.jar if "-login-" in name]
    browser.set_cookie(SESSION, f"1.{browser.jar[name]}")
    assert await who(browser) is None
    browser.set_cookie(name, session.removeprefix("1."))
    answer = await browser.step(callback)
    assert answer.status_code == 400
    assert "cannot be read" in answer.text


async def test_cookies_of_two_logins_cannot_be_swapped(browser: Browser, site: Site) -> None:
    """A login's cookie under another one's name does not answer its callback."""
    first, second = await browser.depart("/orders/1"), await browser.depart("/orders/2")
    assert first != second
    one, two = [name for name in browser.jar if "-login-" in name]
    swapped = browser.jar
    browser.set_cookie(one, swapped[two])
    browser.set_cookie(two, swapped[one])
    answers = [await browser.step(first), await browser.step(second)]
    assert {answer.status_code for answer in answers} == {400}
    assert site.cognito.count("token") == 0


async def test_oversized_cookies_are_no_session(browser: Browser) -> None:
    """Whatever a neighbour plants, it is not read for long, and the application goes on."""
    await log_in(browser)
    browser.set_cookie(SESSION, "5." + "x" * 10_000)
    for piece in range(2, 6):
        browser.set_cookie(f"{SESSION}-{piece}", "x" * 10_000)
    assert await who(browser) is None
    assert (await log_in(browser))["email"] == "ann@example.com"


async def test_a_session_is_of_one_app_client(build: Build, browser: Browser, site: Site) -> None:
    """Another application of the same company, with the same key and host, does not take it."""
    await log_in(browser)
    other = site.pool.add_client("other", redirect_uris=[f"{BASE}/callback"], logout_uris=[BYE])
    browser.set_cookie(SESSION, browser.jar[SESSION])
    record = open_record(browser.jar[SESSION].removeprefix("1."), [KEY])
    assert record is not None
    now = site.cognito.clock()
    assert record.is_good(site.client, now=now, lifetime=60)
    assert not record.is_good(other.client(redirect_uri=f"{BASE}/callback"), now=now, lifetime=60)


async def test_a_session_of_the_future_is_none(browser: Browser, site: Site, build: Build) -> None:
    """Clocks may differ by a minute; a session that began later than that was not begun by these servers."""
    await log_in(browser)
    record = open_record(browser.jar[SESSION].removeprefix("1."), [KEY])
    assert record is not None
    began = record.signed_in_at
    assert record.is_good(site.client, now=began - 59, lifetime=60)
    assert not record.is_good(site.client, now=began - 61, lifetime=60)


async def test_a_store_that_gives_anothers_tokens_signs_nobody_in(stored: Site, open_browser: OpenBrowser) -> None:
    """A record under the wrong key, of whatever cause, does not make ann bob."""
    ann = open_browser(stored)
    bob = open_browser(stored, username="bob", password="battery staple")
    await log_in(ann)
    await log_in(bob)
    assert stored.store is not None
    records = stored.store._records
    one, two = records
    records[one], records[two] = records[two], records[one]
    assert await who(ann) is None
    assert await who(bob) is None


# --- replacing keys ---------------------------------------------------------------------------------------------------


async def test_a_key_is_replaced_in_the_middle_of_a_login(build: Build, site: Site, open_browser: OpenBrowser) -> None:
    """What the old key sealed is read while it is in the list: sessions and logins go on, and get the new key."""
    old = build(store=site.store, keys=[OLD_KEY])
    new = build(store=site.store, keys=[KEY, OLD_KEY])
    signed_in, under_way = open_browser(old), open_browser(old)
    await log_in(signed_in)
    callback = await under_way.depart("/orders/1")
    after = open_browser(new)
    after.set_cookie(SESSION, signed_in.jar[SESSION])
    assert await who(after) is not None
    finisher = open_browser(new)
    for name, value in under_way.jar.items():
        finisher.set_cookie(name, value)
    assert (await finisher.step(callback)).status_code == 303
    assert open_record(finisher.jar[SESSION].removeprefix("1."), [KEY]) is not None


async def test_a_key_that_was_taken_away_opens_nothing(build: Build, site: Site, open_browser: OpenBrowser) -> None:
    """Whoever learned an old key has nothing of it then; a login that was under way is told to begin again."""
    old = build(store=site.store, keys=[OLD_KEY])
    new = build(store=site.store, keys=[KEY])
    browser = open_browser(old)
    await log_in(browser)
    callback = await browser.depart("/login")
    late = open_browser(new)
    for name, value in browser.jar.items():
        late.set_cookie(name, value)
    assert await who(late) is None
    answer = await late.step(callback)
    assert answer.status_code == 400
    assert "cannot be read" in answer.text
