import pickle

import pytest

from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool, EmulatedUser, Person, PersonError
from tests.emulator.support import CALLBACK, DOMAIN, GOODBYE, authorize_url, query_of

pytestmark = pytest.mark.anyio


async def test_a_person_signs_in_and_is_sent_back(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """The redirect that leaves is returned as it was sent, and not fetched."""
    callback = await aws.person("ann", "correct horse").follow(authorize_url(web))
    assert callback.startswith(f"{CALLBACK}?code=")
    assert aws.count("login") == 2


async def test_a_person_keeps_the_session(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """The second time no form is needed; another person has a browser of their own."""
    ann = aws.person("ann", "correct horse")
    await ann.follow(authorize_url(web))
    await ann.follow(authorize_url(web, prompt="none"))
    assert aws.count("login") == 2
    stranger = await aws.person("ann", "correct horse").follow(authorize_url(web, prompt="none"))
    assert query_of(stranger)["error"] == "login_required"


async def test_a_person_logs_out(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """Logout leads to the application and ends the session."""
    ann = aws.person("ann", "correct horse")
    await ann.follow(authorize_url(web))
    assert await ann.follow(f"{DOMAIN}/logout?client_id={web.client_id}&logout_uri={GOODBYE}") == GOODBYE
    assert query_of(await ann.follow(authorize_url(web, prompt="none")))["error"] == "login_required"


async def test_a_person_signs_in_again_where_an_account_is_asked_for(
    aws: CognitoEmulator, web: EmulatedAppClient
) -> None:
    """With a session on offer the person uses the form with the password."""
    ann = aws.person("ann", "correct horse")
    await ann.follow(authorize_url(web))
    assert "code" in query_of(await ann.follow(authorize_url(web, prompt="select_account")))


async def test_an_application_may_have_a_scheme_of_its_own(
    aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser
) -> None:
    """A redirect to `myapp:` is returned character by character."""
    client = pool.add_client("app", redirect_uris=["myapp:/cb"])
    callback = await aws.person("ann", "correct horse").follow(authorize_url(client, redirect_uri="myapp:/cb"))
    assert callback.startswith("myapp:/cb?code=")


@pytest.mark.parametrize(
    ("changes", "title", "text"),
    [
        pytest.param({}, "Sign in", "Incorrect username or password.", id="wrong password"),
        pytest.param({"redirect_uri": "https://evil.example"}, "Something went wrong", "redirect_mismatch", id="page"),
    ],
)
async def test_a_person_who_cannot_go_on_says_why(
    aws: CognitoEmulator, web: EmulatedAppClient, changes: dict[str, str], title: str, text: str
) -> None:
    """The error has the page's title and what it says, and no password."""
    with pytest.raises(PersonError) as caught:
        await aws.person("ann", "wr0ng-password").follow(authorize_url(web, **changes))
    assert (caught.value.title, caught.value.text) == (title, text)
    assert "wr0ng-password" not in repr(caught.value) + repr(aws.person("ann", "wr0ng-password"))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - our own bytes


async def test_an_address_of_no_pool_is_no_page(aws: CognitoEmulator) -> None:
    """An answer that is no page ends the walk with its status."""
    with pytest.raises(PersonError, match="HTTP 404"):
        await aws.person("ann", "x").follow("https://orders.auth.eu-west-1.amazoncognito.com/login")


async def test_a_person_can_use_a_given_client(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """A borrowed client is neither closed nor given the person's cookies."""
    async with aws.http_client() as http:
        ann = aws.person("ann", "correct horse", http_client=http)
        await ann.follow(authorize_url(web))
        await ann.follow(authorize_url(web, prompt="none"))
        assert not http.is_closed
        assert not list(http.cookies.jar)


async def test_a_redirect_loop_ends(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """A person gives up after a number of steps."""
    loop = f"{DOMAIN}/logout?client_id="
    client = pool.add_client("loop", redirect_uris=[CALLBACK], logout_uris=[CALLBACK])
    url = f"{loop}{client.client_id}&logout_uri={DOMAIN}/again"
    aws.fail_next("logout", status=302, headers={"location": url}, times=50)
    with pytest.raises(PersonError, match="redirect loop"):
        await aws.person("ann", "x").follow(url)


async def test_relative_redirects_are_followed(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """A Location without host belongs to the page's own."""
    aws.fail_next("error", status=302, headers={"location": authorize_url(web).removeprefix(DOMAIN)})
    assert (await aws.person("ann", "correct horse").follow(f"{DOMAIN}/error")).startswith(CALLBACK)


async def test_any_login_page_will_do(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """Only the HTML counts: fields by their type, hidden ones as they are, buttons left alone."""
    page = """<title>Other</title><script>x</script><form action="/error"><input name="q"></form>
        <form method="post"><input type="hidden" name="h" value="1"><input name="user" type="email">
        <input type="password" name="pw"><input><button name="b">Go</button></form>"""
    aws.fail_next("login", status=200, body=page, content_type="text/html; charset=utf-8")
    aws.fail_next("login", status=302, headers={"location": CALLBACK})
    person = Person("ann@acme.com", "pw", open_client=aws.http_client, serves=lambda _: False)
    assert await person.follow(f"{DOMAIN}/login") == CALLBACK
    assert aws.journal[-1].parameters == {"h": "1", "user": "ann@acme.com", "pw": "pw"}


async def test_a_page_with_buttons_only_needs_a_provider(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """Who has no provider to choose cannot go on; who has one presses its button, with the form's hidden fields."""
    page = """<title>Choose</title><form action="/error?x=1"><input type="hidden" name="h" value="1">
        <input name="q" value="seen"><button name="identity_provider" value="Corp">Corp</button>
        <button name="identity_provider" value="Other">Other</button></form>"""
    aws.fail_next("login", status=200, body=page, content_type="text/html", times=2)
    aws.fail_next("error", status=302, headers={"location": CALLBACK})
    with pytest.raises(PersonError, match="Choose"):
        await aws.person("ann", "x").follow(f"{DOMAIN}/login")
    assert await aws.person("ann", "x", provider="Other").follow(f"{DOMAIN}/login") == CALLBACK
    assert aws.journal[-1].parameters == {"h": "1", "identity_provider": "Other"}


async def test_a_person_without_a_new_password_says_so(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """A page that asks for a new password ends the walk of a person who has none."""
    page = """<title>Change</title><p role="alert">Choose a new one.</p><form method="post">
        <input type="password" name="a" autocomplete="new-password"></form>"""
    aws.fail_next("login", status=200, body=page, content_type="text/html")
    with pytest.raises(PersonError, match="Choose a new one"):
        await aws.person("ann", "x").follow(f"{DOMAIN}/login")
