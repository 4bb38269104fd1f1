import logging
import re
from dataclasses import replace

import httpx
import pytest

from cognito_oidc.emulator import (
    CognitoEmulator,
    EmulatedAppClient,
    EmulatedPool,
    EmulatedUser,
    PasswordPolicy,
    PersonError,
)
from cognito_oidc.errors import ConfigurationError
from tests.emulator.support import CALLBACK, DOMAIN, POOL_ID, authorize_url, claims_of, query_of, sign_in

pytestmark = pytest.mark.anyio

GOOD = "Correct-Horse-1"


def page_url(client: EmulatedAppClient, page: str) -> str:
    """Return the address of a page with a good authorization request."""
    return authorize_url(client).replace("/oauth2/authorize", f"/{page}")


def form_of(page: httpx.Response, **values: str) -> dict[str, str]:
    """Return the page's hidden fields and what was typed."""
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    return hidden | values


async def submit(
    http: httpx.AsyncClient, page: httpx.Response, path: str | None = None, **values: str
) -> httpx.Response:
    """Send the first form of a page, or the one that goes to a path."""
    actions = [each.replace("&amp;", "&") for each in re.findall(r'method="post" action="([^"]+)"', page.text)]
    action = next(each for each in actions if path is None or each.startswith(f"{DOMAIN}/{path}?"))
    return await http.post(action, data=form_of(page, **values))


async def sign_up(http: httpx.AsyncClient, client: EmulatedAppClient, **values: str) -> httpx.Response:
    """Fill in the sign-up form and return the page that follows."""
    page = await http.get(page_url(client, "signup"))
    return await submit(http, page, **{"username": "bea", "email": "bea@acme.com", "password": GOOD, **values})


async def test_a_person_signs_up_confirms_and_is_signed_in(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The code is in the log and in the pool's messages; with it the person exists, and their address is verified."""
    caplog.set_level(logging.INFO, logger="cognito_oidc.emulator")
    async with aws.http_client() as http:
        page = await sign_up(http, web)
        bea = pool.users["bea"]
        assert (page.status_code, bea.status, bea.attributes["email_verified"]) == (200, "UNCONFIRMED", "false")
        code = pool.last_code("bea")
        assert re.fullmatch(r"[0-9]{6}", code)
        assert f"pool {POOL_ID}: confirmation code of bea is {code}" in caplog.messages
        assert GOOD not in caplog.text
        answer = await submit(http, page, code=f" {code} ")
    assert query_of(answer.headers["location"])["state"] == "s1"
    assert (bea.status, bea.attributes) == ("CONFIRMED", {"email": "bea@acme.com", "email_verified": "true"})
    (message,) = pool.messages
    assert (message.purpose, message.username, message.destination) == ("sign_up", "bea", "bea@acme.com")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        pytest.param({"username": "ann"}, "User already exists.", id="name taken"),
        pytest.param({"username": " "}, "Required String parameter &#39;username&#39; is not present", id="no name"),
        pytest.param({"email": ""}, "Required String parameter &#39;email&#39; is not present", id="no address"),
        pytest.param({"password": "Ab1-"}, "Password not long enough", id="short"),
        pytest.param({"password": "correct-horse-1"}, "Password must have uppercase characters", id="no capital"),
        pytest.param({"password": "CORRECT-HORSE-1"}, "Password must have lowercase characters", id="no small letter"),
        pytest.param({"password": "Correct-Horse"}, "Password must have numeric characters", id="no digit"),
        pytest.param({"password": "CorrectHorse1"}, "Password must have symbol characters", id="no symbol"),
    ],
)
async def test_a_sign_up_that_will_not_do_shows_the_form_again(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient, values: dict[str, str], problem: str
) -> None:
    """Nobody is made, and what was typed is still there, but for the password."""
    async with aws.http_client() as http:
        page = await sign_up(http, web, **values)
    assert problem in page.text
    assert list(pool.users) == ["ann"]
    assert not pool.messages
    assert (values.get("username", "bea").strip() or "bea@acme.com") in page.text
    assert values.get("password", GOOD) not in page.text


async def test_the_policy_of_a_pool_is_its_own(aws: CognitoEmulator) -> None:
    """A pool may ask for less."""
    weak = PasswordPolicy(minimum_length=6, uppercase=False, lowercase=False, numbers=False, symbols=False)
    pool = aws.add_pool(domain="orders", password_policy=weak)
    web = pool.add_client("web", redirect_uris=[CALLBACK])
    async with aws.http_client() as http:
        assert "not long enough" in (await sign_up(http, web, password="short")).text
        await sign_up(http, web, password="longer")
    assert list(pool.users) == ["bea"]
    assert replace(weak, symbols=True).problem("a b c d e") is None


async def test_required_attributes_are_asked_for(aws: CognitoEmulator) -> None:
    """The form has a field for each."""
    pool = aws.add_pool(domain="orders", required_attributes=["email", "family_name", "phone_number"])
    web = pool.add_client("web", redirect_uris=[CALLBACK])
    async with aws.http_client() as http:
        missing = await sign_up(http, web, family_name="B")
        await sign_up(http, web, family_name="B", phone_number="+15550100")
    assert "phone_number" in missing.text
    assert pool.users["bea"].attributes["family_name"] == "B"


async def test_a_pool_may_be_closed_to_strangers(aws: CognitoEmulator) -> None:
    """Where only administrators add people, the login page has no link, and the form makes nobody."""
    pool = aws.add_pool(domain="orders", self_sign_up=False)
    web = pool.add_client("web", redirect_uris=[CALLBACK])
    async with aws.http_client() as http:
        login = await http.get(authorize_url(web), follow_redirects=True)
        page = await sign_up(http, web)
    assert "/signup" not in login.text
    assert "SignUp is not permitted for this user pool" in page.text
    assert not pool.users


@pytest.mark.parametrize(
    ("wait", "code", "problem"),
    [
        pytest.param(0, "x", "Invalid verification code provided, please try again.", id="wrong"),
        pytest.param(0, "", "Invalid verification code provided, please try again.", id="empty"),
        pytest.param(86_400, None, "Invalid code provided, please request a code again.", id="a day later"),
    ],
)
async def test_a_code_must_be_right_and_fresh(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient, *, wait: int, code: str | None, problem: str
) -> None:
    """The page says what is wrong, and the person stays unconfirmed."""
    async with aws.http_client() as http:
        await sign_up(http, web)
        aws.clock.advance(wait)
        page = await http.get(authorize_url(web), follow_redirects=True)
        page = await submit(http, page, username="bea", password=GOOD)
        assert "User is not confirmed." in page.text
        page = await submit(http, page, code=pool.last_code("bea") if code is None else code)
    assert problem in page.text
    assert pool.users["bea"].status == "UNCONFIRMED"


async def test_another_code_can_be_asked_for(aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient) -> None:
    """The new code replaces the old one."""
    async with aws.http_client() as http:
        page = await sign_up(http, web)
        page = await submit(http, page, "resendcode")
        first, second = (message.code for message in pool.messages)
        if first != second:
            assert "Invalid verification code" in (await submit(http, page, code=first)).text
        answer = await submit(http, page, code=second)
        again = await submit(http, page, code=second)
    assert "code" in query_of(answer.headers["location"])
    assert "Invalid code provided" in again.text


async def test_the_link_of_the_mail_confirms(aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient) -> None:
    """`/confirmUser` takes client, person and code."""
    async with aws.http_client() as http:
        await sign_up(http, web)
        link = {"client_id": web.client_id, "user_name": "bea"}
        wrong = await http.get(f"{DOMAIN}/confirmUser", params={**link, "confirmation_code": "x"})
        stranger = await http.get(f"{DOMAIN}/confirmUser", params={**link, "client_id": "x"})
        nobody = await http.get(f"{DOMAIN}/confirmUser", params={**link, "user_name": "eve"})
        right = await http.get(f"{DOMAIN}/confirmUser", params={**link, "confirmation_code": pool.last_code("bea")})
    assert "Invalid verification code" in wrong.text
    assert (stranger.status_code, nobody.status_code) == (400, 400)
    assert "Account confirmed" in right.text
    assert pool.users["bea"].status == "CONFIRMED"
    assert aws.journal[-1].parameters["confirmation_code"] == "***"


async def test_a_forgotten_password_is_replaced_with_a_code(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient, ann: EmulatedUser
) -> None:
    """The code comes to the verified address; afterwards only the new password signs in."""
    async with aws.http_client() as http:
        page = await http.get(page_url(web, "forgotPassword"))
        page = await submit(http, page, username="ann")
        values = {"new_password": GOOD, "new_password_again": GOOD}
        page = await submit(http, page, **values, code="x")
        assert "Invalid verification code provided" in page.text
        page = await submit(http, page, **{**values, "new_password_again": "other"}, code="x")
        assert "The passwords differ." in page.text
        page = await submit(http, page, new_password="x", new_password_again="x", code="x")
        assert "Password not long enough" in page.text
        answer = await submit(http, page, **values, code=pool.last_code("ann"))
    assert answer.headers["location"].startswith(f"{DOMAIN}/login?")
    assert ann.password == GOOD
    with pytest.raises(PersonError, match="Incorrect username or password"):
        await aws.person("ann", "correct horse").follow(authorize_url(web))
    assert "code" in query_of(await aws.person("ann", GOOD).follow(authorize_url(web)))


async def test_a_code_for_a_new_password_lives_an_hour(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient, ann: EmulatedUser
) -> None:
    """Later it must be asked for again; the page alone lives five minutes."""
    async with aws.http_client() as http:
        page = await submit(http, await http.get(page_url(web, "forgotPassword")), username="ann")
        code = pool.last_code("ann")
        aws.clock.advance(3_600)
        page = await submit(http, page, new_password=GOOD, new_password_again=GOOD, code=code)
        page = await submit(http, await http.get(page_url(web, "forgotPassword")), username="eve")
        page = await submit(http, page, new_password=GOOD, new_password_again=GOOD, code=code)
    assert "Invalid verification code provided" in page.text
    assert ann.password == "correct horse"


async def test_the_page_does_not_tell_who_exists(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient
) -> None:
    """For a stranger the same page comes, and no message."""
    async with aws.http_client() as http:
        stranger = await submit(http, await http.get(page_url(web, "forgotPassword")), username="eve")
        known = await submit(http, await http.get(page_url(web, "forgotPassword")), username="ann")
    assert len(pool.messages) == 1
    assert re.sub(r'value="[^"]+"', "", stranger.text) == re.sub(r'value="[^"]+"', "", known.text)


async def test_without_a_verified_address_no_code_is_sent(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient, ann: EmulatedUser
) -> None:
    """Cognito says so in the words of its API."""
    ann.attributes["email_verified"] = "false"
    async with aws.http_client() as http:
        page = await submit(http, await http.get(page_url(web, "forgotPassword")), username="ann")
    assert "no registered/verified email or phone_number" in page.text
    assert not pool.messages


async def test_a_temporary_password_cannot_be_reset(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient
) -> None:
    """Who never signed in must change the password that they were given."""
    pool.add_user("bob", temporary_password="Temp-1", email="bob@acme.com", email_verified=True)
    async with aws.http_client() as http:
        page = await submit(http, await http.get(page_url(web, "forgotPassword")), username="bob")
    assert "User password cannot be reset in the current state." in page.text
    assert not pool.messages


async def test_a_temporary_password_must_be_changed(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient
) -> None:
    """`FORCE_CHANGE_PASSWORD` becomes `CONFIRMED`, and the person is signed in with one walk."""
    bob = pool.add_user("bob", temporary_password="Temp-1", email="bob@acme.com")
    assert bob.status == "FORCE_CHANGE_PASSWORD"
    with pytest.raises(PersonError, match="Change your password"):
        await aws.person("bob", "Temp-1").follow(authorize_url(web))
    with pytest.raises(PersonError, match="Password not long enough"):
        await aws.person("bob", "Temp-1", new_password="x").follow(authorize_url(web))
    callback = await aws.person("bob", "Temp-1", new_password=GOOD).follow(authorize_url(web))
    assert "code" in query_of(callback)
    assert (bob.status, bob.password) == ("CONFIRMED", GOOD)
    assert "code" in query_of(await aws.person("bob", GOOD).follow(authorize_url(web)))
    assert GOOD not in repr(aws.journal)


async def test_a_temporary_password_is_changed_upstream_too(aws: CognitoEmulator) -> None:
    """The story of two pools: provider chosen, temporary password changed, signed in downstream."""
    corp, app = aws.federated_pair()
    corp.add_user("bob", temporary_password="Temp-1", email="bob@acme.com")
    client = app.client(redirect_uri=CALLBACK)
    request = client.authorization_request(identity_provider="Corp")
    callback = await aws.person("bob", "Temp-1", new_password=GOOD).follow(request.url)
    tokens = await client.exchange_code(callback, request)
    assert tokens.claims is not None
    assert tokens.claims.email == "bob@acme.com"


async def test_a_change_takes_at_most_five_minutes(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient
) -> None:
    """Later, or with a form of another kind, the person must sign in again."""
    bob = pool.add_user("bob", temporary_password="Temp-1")
    async with aws.http_client() as http:
        page = await http.get(authorize_url(web), follow_redirects=True)
        page = await submit(http, page, username="bob", password="Temp-1")
        aws.clock.advance(301)
        answer = await submit(http, page, new_password=GOOD, new_password_again=GOOD)
    assert (answer.status_code, bob.status) == (400, "FORCE_CHANGE_PASSWORD")


@pytest.mark.parametrize("path", ["confirm", "resendcode", "confirmforgotPassword"])
async def test_later_pages_cannot_be_opened_by_themselves(
    aws: CognitoEmulator, web: EmulatedAppClient, path: str
) -> None:
    """Neither by link nor by a form without what came before."""
    async with aws.http_client() as http:
        page = await http.get(page_url(web, "signup"))
        by_link = await http.get(page_url(web, path))
        by_form = await http.post(page_url(web, path), data=form_of(page))
        forged = await http.post(page_url(web, path))
    assert [each.status_code for each in (by_link, by_form, forged)] == [400, 400, 403]


@pytest.mark.parametrize("path", ["signup", "forgotPassword"])
async def test_account_pages_belong_to_the_pools_own_people(aws: CognitoEmulator, app: EmulatedPool, path: str) -> None:
    """A client that takes only people of a provider has no such pages; nor has a request that is no good."""
    shop = app.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["Corp"])
    root = "https://app.auth.eu-west-1.amazoncognito.com"
    async with aws.http_client() as http:
        page = await http.get(authorize_url(shop, root=root).replace("/oauth2/authorize", f"/{path}"))
        nobody = await http.get(f"{root}/{path}")
    assert (page.status_code, nobody.status_code) == (400, 400)


async def test_a_disabled_person_is_not_signed_in_by_a_code(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient
) -> None:
    """Who was disabled meanwhile may confirm, and is told."""
    async with aws.http_client() as http:
        page = await sign_up(http, web)
        pool.users["bea"].enabled = False
        answer = await submit(http, page, code=pool.last_code("bea"))
    assert (answer.status_code, "User is not enabled." in answer.text) == (400, True)


async def test_a_password_that_was_reset_does_not_sign_in(
    aws: CognitoEmulator, web: EmulatedAppClient, ann: EmulatedUser
) -> None:
    """After AdminResetUserPassword the page says what to do."""
    ann.status = "RESET_REQUIRED"
    with pytest.raises(PersonError, match="Password reset required for the user"):
        await aws.person("ann", "correct horse").follow(authorize_url(web))


async def test_a_person_without_an_address_can_confirm(pool: EmulatedPool, web: EmulatedAppClient) -> None:
    """Only an address that is there becomes verified."""
    user = pool.create_user("bob", password=GOOD, status="UNCONFIRMED", attributes={})
    pool.send_code(user, "sign_up")
    pool.confirm_user(user, pool.last_code("bob"))
    assert (user.status, user.attributes, pool.messages[0].destination) == ("CONFIRMED", {}, None)


def test_there_is_no_code_before_it_is_sent(pool: EmulatedPool) -> None:
    """The error names the person."""
    with pytest.raises(ConfigurationError, match="has sent no code to 'ann'"):
        pool.last_code("ann")


@pytest.mark.parametrize(
    "passwords", [pytest.param({}, id="none"), pytest.param({"password": "a", "temporary_password": "b"}, id="both")]
)
def test_a_person_has_one_password(pool: EmulatedPool, passwords: dict[str, str]) -> None:
    """Either it is theirs, or it is temporary."""
    with pytest.raises(ConfigurationError, match="either password or temporary_password"):
        pool.add_user("bob", **passwords)  # type: ignore[arg-type]


async def test_pages_of_accounts_speak_the_language_asked_for(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """`lang` goes on from page to page."""
    async with aws.http_client() as http:
        page = await http.get(authorize_url(web, lang="de").replace("/oauth2/authorize", "/signup"))
        page = await submit(http, page, username="bea", email="bea@acme.com", password=GOOD)
    assert "Konto bestätigen" in page.text


async def test_a_sign_up_is_a_sign_in_by_password(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient
) -> None:
    """Tokens say `pwd`, and a second client of the pool needs no form."""
    async with aws.http_client() as http:
        page = await sign_up(http, web)
        await submit(http, page, code=pool.last_code("bea"))
        silent = await http.get(authorize_url(web, prompt="none"))
    assert "code" in query_of(silent.headers["location"])
    assert claims_of((await sign_in(aws, web))["id_token"])["amr"] == ["pwd"]
