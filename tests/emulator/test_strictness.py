from urllib.parse import urlencode

import pytest

from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient
from tests.emulator.support import CALLBACK, DOMAIN, GOODBYE, POOL_ID, authorize_url, federated_sign_in, sign_in

pytestmark = pytest.mark.anyio


def strict_emulator() -> tuple[CognitoEmulator, EmulatedAppClient]:
    """Return an emulator that refuses what Cognito would ignore, with ann and an app client."""
    aws = CognitoEmulator(strict=True)
    pool = aws.add_pool(POOL_ID, domain="orders")
    pool.add_user("ann", password="correct horse", email="ann@acme.com")
    return aws, pool.add_client("web", redirect_uris=[CALLBACK], logout_uris=[GOODBYE])


@pytest.mark.parametrize(
    ("method", "path", "parameters", "ignored"),
    [
        pytest.param("GET", "/oauth2/authorize", {"response_mode": "form_post"}, ("response_mode",), id="authorize"),
        pytest.param("GET", "/login", {"ui_locales": "de", "lang": "de"}, ("ui_locales",), id="login"),
        pytest.param("GET", "/signup", {"display": "page"}, ("display",), id="sign-up"),
        pytest.param(
            "GET",
            "/logout",
            {"post_logout_redirect_uri": GOODBYE, "id_token_hint": "x"},
            ("id_token_hint", "post_logout_redirect_uri"),
            id="OpenID Connect's logout",
        ),
        pytest.param("GET", "/logout", {"logout_uri": GOODBYE, "state": "s"}, ("state",), id="state at logout"),
        pytest.param("GET", "/logout", {"redirect_uri": CALLBACK, "state": "s"}, (), id="state at the other logout"),
        pytest.param(
            "POST",
            "/oauth2/token",
            {"grant_type": "refresh_token", "refresh_token": "x", "scope": "openid", "audience": "y"},
            ("audience", "scope"),
            id="refresh with scope",
        ),
        pytest.param(
            "POST",
            "/oauth2/token",
            {"grant_type": "authorization_code", "code": "x", "resource": "https://api.example"},
            ("resource",),
            id="resource at the token endpoint",
        ),
        pytest.param("POST", "/oauth2/token", {"grant_type": "password", "username": "x"}, (), id="unknown grant"),
        pytest.param(
            "POST", "/oauth2/revoke", {"token": "x", "token_type_hint": "y"}, ("token_type_hint",), id="revoke"
        ),
        pytest.param("GET", "/oauth2/userInfo", {"access_token": "x"}, ("access_token",), id="userInfo"),
        pytest.param("POST", "/oauth2/userInfo", {"access_token": "x"}, ("access_token",), id="userInfo by form"),
        pytest.param("GET", "/oauth2/idpresponse", {"iss": "x"}, (), id="what providers send is theirs"),
        pytest.param("GET", "/error", {"anything": "x"}, (), id="the error page"),
        pytest.param("GET", "/nowhere", {"anything": "x"}, (), id="no endpoint"),
    ],
)
async def test_the_journal_names_what_cognito_would_ignore(
    aws: CognitoEmulator,
    web: EmulatedAppClient,
    *,
    method: str,
    path: str,
    parameters: dict[str, str],
    ignored: tuple[str, ...],
) -> None:
    """Every entry lists the parameters that do nothing, and the answer is Cognito's."""
    async with aws.http_client() as http:
        if method == "GET":
            await http.get(
                f"{DOMAIN}{path}", params={"client_id": web.client_id, **parameters} if path < "/o" else parameters
            )
        else:
            await http.post(f"{DOMAIN}{path}", data=parameters)
    assert aws.journal[-1].ignored == ignored


async def test_strict_mode_refuses_with_the_names() -> None:
    """A browser sees a page, a back end gets JSON."""
    aws, web = strict_emulator()
    async with aws.http_client() as http:
        page = await http.get(authorize_url(web, audience="https://api.example"))
        logout = await http.get(
            f"{DOMAIN}/logout?{urlencode({'client_id': web.client_id, 'post_logout_redirect_uri': GOODBYE})}"
        )
        answer = await http.post(f"{DOMAIN}/oauth2/token?client_id=x", data={"grant_type": "refresh_token"})
    assert (page.status_code, "Cognito would ignore audience" in page.text) == (400, True)
    assert (logout.status_code, "Cognito would ignore post_logout_redirect_uri" in logout.text) == (400, True)
    assert answer.json() == {
        "error": "invalid_request",
        "error_description": "strict mode: Cognito would ignore client_id",
    }


async def test_strict_mode_lets_a_good_program_pass() -> None:
    """A whole sign-in, also across two pools, has nothing that Cognito would ignore."""
    aws, web = strict_emulator()
    await sign_in(aws, web)
    corp, app = aws.federated_pair()
    corp.add_user("ann", password="correct horse")
    await federated_sign_in(aws, app.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["Corp"]))
    assert not [entry for entry in aws.journal if entry.ignored]


async def test_the_library_sends_nothing_that_cognito_would_ignore() -> None:
    """Our own client passes strict mode: sign-in, refresh, userInfo, revocation and logout."""
    aws, web = strict_emulator()
    client = web.client(redirect_uri=CALLBACK)
    request = client.authorization_request(lang="de", login_hint="ann", prompt="login", max_age=60)
    ann = aws.person("ann", "correct horse")
    tokens = await client.exchange_code(await ann.follow(request.url), request)
    tokens = await client.refresh(tokens)
    await client.userinfo(tokens)
    await client.revoke(tokens)
    assert await ann.follow(client.logout_url(GOODBYE)) == GOODBYE
    assert not [entry for entry in aws.journal if entry.ignored]
