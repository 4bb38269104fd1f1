import re
from urllib.parse import urlencode

import httpx
import pytest

from cognito_oidc.emulator import Behaviour, CognitoEmulator, EmulatedAppClient, EmulatedPool, EmulatedUser
from tests.emulator.support import CALLBACK, DOMAIN, GOODBYE, POOL_ID, authorize_url, claims_of, query_of, sign_in

pytestmark = pytest.mark.anyio


def csrf_of(answer: httpx.Response) -> str:
    """Return the CSRF token of a page's first form."""
    found = re.search(r'name="_csrf" value="([^"]+)"', answer.text)
    assert found is not None
    return found[1]


async def open_session(http: httpx.AsyncClient, client: EmulatedAppClient, **changes: str | None) -> httpx.Response:
    """Sign ann in by hand and return the answer to the form."""
    page = await http.get(authorize_url(client, **changes), follow_redirects=True)
    form = {"_csrf": csrf_of(page), "username": "ann", "password": "correct horse"}
    return await http.post(page.url, data=form)


async def test_signing_in_sets_the_session_and_returns_a_code(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """The right password gives a session cookie of one hour and a code with the state."""
    async with aws.http_client() as http:
        answer = await open_session(http, web)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(f"{CALLBACK}?code=")
    assert re.fullmatch(r"[0-9a-f-]{36}", query_of(answer.headers["location"])["code"])
    assert query_of(answer.headers["location"])["state"] == "s1"
    cookies = answer.headers.get_list("set-cookie")
    session = next(each for each in cookies if each.startswith("cognito="))
    assert all(part in session for part in ("HttpOnly", "Secure", "Path=/;", "Max-Age=3600"))


@pytest.mark.parametrize(
    ("form", "text"),
    [
        pytest.param({"username": "ann", "password": "wrong"}, "Incorrect username or password.", id="wrong password"),
        pytest.param({"username": "eve", "password": "x"}, "Incorrect username or password.", id="unknown person"),
        pytest.param({}, "Incorrect username or password.", id="empty form"),
    ],
)
async def test_a_wrong_password_shows_the_form_again(
    aws: CognitoEmulator, web: EmulatedAppClient, form: dict[str, str], text: str
) -> None:
    """The page does not tell whether the person exists, and sets no session."""
    async with aws.http_client() as http:
        page = await http.get(authorize_url(web), follow_redirects=True)
        answer = await http.post(page.url, data={"_csrf": csrf_of(page), **form})
        assert (answer.status_code, text in answer.text) == (200, True)
        assert "cognito" not in http.cookies


async def test_a_disabled_person_cannot_sign_in(
    aws: CognitoEmulator, web: EmulatedAppClient, ann: EmulatedUser
) -> None:
    """Who is disabled is told so, and an open session ends."""
    async with aws.http_client() as http:
        await open_session(http, web)
        ann.enabled = False
        assert "User is not enabled." in (await open_session(http, web)).text


@pytest.mark.parametrize(
    "csrf", [pytest.param(None, id="missing"), pytest.param("x" * 32, id="forged"), pytest.param("", id="empty")]
)
async def test_a_form_without_its_csrf_token_is_refused(
    aws: CognitoEmulator, web: EmulatedAppClient, csrf: str | None
) -> None:
    """The form must repeat the value of the XSRF-TOKEN cookie."""
    async with aws.http_client() as http:
        page = await http.get(authorize_url(web), follow_redirects=True)
        form = {"username": "ann", "password": "correct horse"} | ({"_csrf": csrf} if csrf is not None else {})
        assert (await http.post(page.url, data=form)).status_code == 403


async def test_a_form_without_the_csrf_cookie_is_refused(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """A browser that lost its cookies cannot sign in."""
    async with aws.http_client() as http:
        page = await http.get(authorize_url(web), follow_redirects=True)
        http.cookies.clear()
        form = {"_csrf": csrf_of(page), "username": "ann", "password": "correct horse"}
        assert (await http.post(page.url, data=form)).status_code == 403


async def test_every_answer_of_the_domain_sets_the_csrf_cookie(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """XSRF-TOKEN comes with redirects, pages and token answers."""
    async with aws.http_client() as http:
        answers = [await http.get(authorize_url(web)), await http.post(f"{DOMAIN}/oauth2/token")]
    assert all(answer.headers["set-cookie"].startswith("XSRF-TOKEN=") for answer in answers)
    assert all("x-amz-cognito-request-id" in answer.headers for answer in answers)


async def test_the_session_signs_in_at_every_client_of_the_pool(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient
) -> None:
    """One session serves all app clients, and keeps the time of the sign-in."""
    other = pool.add_client("other", redirect_uris=[CALLBACK])
    async with aws.http_client() as http:
        await open_session(http, web)
        answer = await http.get(authorize_url(other, prompt="none"))
    assert "code" in query_of(answer.headers["location"])


async def test_the_session_lasts_one_hour_and_does_not_slide(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """Using the session does not prolong it."""
    async with aws.http_client() as http:
        await open_session(http, web)
        results = []
        for seconds in (1_800, 1_790, 20):
            aws.clock.advance(seconds)
            answer = await http.get(authorize_url(web, prompt="none"))
            results.append(query_of(answer.headers["location"]).get("error"))
    assert results == [None, None, "login_required"]


@pytest.mark.parametrize(
    ("changes", "asks_again"),
    [
        pytest.param({}, False, id="plain"),
        pytest.param({"prompt": "consent"}, False, id="consent"),
        pytest.param({"prompt": "login"}, True, id="login"),
        pytest.param({"prompt": "select_account"}, True, id="select_account"),
        pytest.param({"max_age": "100"}, True, id="too long ago"),
        pytest.param({"max_age": "1000"}, False, id="recent enough"),
    ],
)
async def test_prompt_and_max_age_ask_again(
    aws: CognitoEmulator, web: EmulatedAppClient, changes: dict[str, str], asks_again: bool
) -> None:
    """A session is not enough where the request asks for the person."""
    async with aws.http_client() as http:
        await open_session(http, web)
        aws.clock.advance(500)
        target = (await http.get(authorize_url(web, **changes))).headers["location"]
    assert target.startswith(f"{DOMAIN}/login?" if asks_again else CALLBACK)


async def test_max_age_with_prompt_none_says_login_required(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """Silence cannot renew a sign-in."""
    async with aws.http_client() as http:
        await open_session(http, web)
        aws.clock.advance(500)
        answer = await http.get(authorize_url(web, prompt="none", max_age="100"))
    assert query_of(answer.headers["location"])["error"] == "login_required"


async def test_signing_in_again_renews_auth_time(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """`auth_time` is that of the last sign-in by form."""
    first = claims_of((await sign_in(aws, web))["id_token"])
    aws.clock.advance(500)
    second = claims_of((await sign_in(aws, web, prompt="login"))["id_token"])
    assert [each["auth_time"] for each in (first, second)] == pytest.approx([first["iat"], second["iat"]], abs=5)
    assert first["auth_time"] != second["auth_time"]


async def test_an_account_can_be_chosen(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """The page offers the session, and going on with it needs no password."""
    async with aws.http_client() as http:
        await open_session(http, web)
        page = await http.get(authorize_url(web, prompt="select_account"), follow_redirects=True)
        assert "Continue as ann" in page.text
        answer = await http.post(page.url, data={"_csrf": csrf_of(page), "continue": "yes"})
    assert "code" in query_of(answer.headers["location"])


async def test_nobody_can_go_on_with_a_session_that_is_not_there(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """`continue` without a session shows the form; so does `prompt=login`."""
    async with aws.http_client() as http:
        page = await http.get(authorize_url(web), follow_redirects=True)
        answer = await http.post(page.url, data={"_csrf": csrf_of(page), "continue": "yes"})
        await open_session(http, web)
        page = await http.get(authorize_url(web, prompt="login"), follow_redirects=True)
        again = await http.post(page.url, data={"_csrf": csrf_of(page), "continue": "yes"})
    assert (answer.status_code, again.status_code) == (200, 200)
    assert "Continue as" not in page.text


async def test_the_login_page_can_be_opened_directly(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """A link to `/login` works, prefilled by `login_hint`; a wrong one says what is wrong."""
    url = authorize_url(web, login_hint="ann").replace("/oauth2/authorize", "/login")
    async with aws.http_client() as http:
        page = await http.get(url)
        wrong = await http.get(
            authorize_url(web, redirect_uri="https://evil.example").replace("/oauth2/authorize", "/login")
        )
        posted = await http.post(f"{DOMAIN}/login", data={"_csrf": csrf_of(page)})
    assert 'name="username" type="text" value="ann"' in page.text
    assert query_of(wrong.headers["location"])["error"] == "redirect_mismatch"
    assert posted.status_code == 400


async def test_logout_ends_the_session_and_goes_to_the_application(
    aws: CognitoEmulator, web: EmulatedAppClient
) -> None:
    """The first form of logout goes to `logout_uri` as registered and returns no state."""
    async with aws.http_client() as http:
        await open_session(http, web)
        query = {"client_id": web.client_id, "logout_uri": GOODBYE, "state": "s9", "redirect_uri": CALLBACK}
        answer = await http.get(f"{DOMAIN}/logout?{urlencode(query)}")
        silent = await http.get(authorize_url(web, prompt="none"))
    assert (answer.status_code, answer.headers["location"]) == (302, GOODBYE)
    assert query_of(silent.headers["location"])["error"] == "login_required"


@pytest.mark.parametrize("keeps_pkce", [False, True])
async def test_logout_can_lead_to_the_login_page(keeps_pkce: bool) -> None:
    """The second form of logout hands the documented parameters on, PKCE by a switch."""
    aws = CognitoEmulator(behaviour=Behaviour(logout_keeps_pkce=keeps_pkce))
    client = aws.add_pool(POOL_ID, domain="orders").add_client("web", redirect_uris=[CALLBACK])
    async with aws.http_client() as http:
        answer = await http.get(authorize_url(client, lang="de").replace("/oauth2/authorize", "/logout"))
    target = answer.headers["location"]
    assert target.startswith(f"{DOMAIN}/login?")
    expected = {"client_id", "redirect_uri", "response_type", "scope", "state", "nonce"}
    assert set(query_of(target)) == expected | ({"code_challenge", "code_challenge_method"} if keeps_pkce else set())


@pytest.mark.parametrize(
    ("query", "error"),
    [
        pytest.param(
            {"logout_uri": f"{GOODBYE}/"}, "Required String parameter 'redirect_uri' is not present", id="other"
        ),
        pytest.param(
            {"post_logout_redirect_uri": GOODBYE, "id_token_hint": "x"},
            "Required String parameter 'redirect_uri' is not present",
            id="OpenID Connect's own",
        ),
        pytest.param({"redirect_uri": "https://evil.example"}, "redirect_mismatch", id="not a callback"),
        pytest.param(
            {"redirect_uri": CALLBACK}, "Required String parameter 'response_type' is not present", id="no type"
        ),
    ],
)
async def test_a_wrong_logout_ends_the_session_all_the_same(
    aws: CognitoEmulator, web: EmulatedAppClient, query: dict[str, str], error: str
) -> None:
    """The session is cleared, then the person lands on the error page with status 400."""
    async with aws.http_client() as http:
        await open_session(http, web)
        answer = await http.get(f"{DOMAIN}/logout?{urlencode({'client_id': web.client_id, **query})}")
        page = await http.get(answer.headers["location"])
        silent = await http.get(authorize_url(web, prompt="none"))
    assert query_of(answer.headers["location"])["error"] == error
    assert page.status_code == 400
    assert query_of(silent.headers["location"])["error"] == "login_required"


async def test_logout_without_a_client_is_named(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """Logout needs to know the app client."""
    async with aws.http_client() as http:
        answer = await http.get(f"{DOMAIN}/logout")
    assert (answer.status_code, "client_id" in answer.text) == (400, True)


async def test_tokens_survive_logout(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """Logout does not revoke: userInfo still answers."""
    token = (await sign_in(aws, web))["access_token"]
    async with aws.http_client() as http:
        await http.get(f"{DOMAIN}/logout?client_id={web.client_id}&logout_uri={GOODBYE}")
        answer = await http.get(f"{DOMAIN}/oauth2/userInfo", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
