import pytest

from cognito_oidc.emulator import (
    Behaviour,
    CognitoEmulator,
    EmulatedAppClient,
    EmulatedPool,
    EmulatedUser,
    PersonError,
)
from cognito_oidc.errors import AuthorizationDeniedError
from tests.emulator.support import (
    CALLBACK,
    CHALLENGE,
    DOMAIN,
    POOL_ID,
    authorize_url,
    claims_of,
    emulator_with_web,
    query_of,
    refresh,
    sign_in,
)

pytestmark = pytest.mark.anyio


async def location(aws: CognitoEmulator, url: str) -> str:
    """Return where a request is redirected to."""
    async with aws.http_client() as http:
        answer = await http.get(url)
    assert answer.status_code == 302
    return str(answer.headers["location"])


async def test_a_good_request_goes_to_the_login_page_with_its_parameters(
    aws: CognitoEmulator, web: EmulatedAppClient
) -> None:
    """Without a session the person is sent to `/login` with the same parameters."""
    url = authorize_url(web)
    target = await location(aws, url)
    assert target.startswith(f"{DOMAIN}/login?")
    assert query_of(target) == query_of(url)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"response_type": None}, "invalid_request", id="no response type"),
        pytest.param({"response_type": "id_token"}, "invalid_request", id="id_token"),
        pytest.param({"response_type": "code token"}, "invalid_request", id="hybrid"),
        pytest.param({"response_type": "token"}, "unauthorized_client", id="grant not enabled"),
        pytest.param({"code_challenge_method": None}, "invalid_request", id="challenge without method"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="plain"),
        pytest.param({"code_challenge": None}, "invalid_request", id="method without challenge"),
        pytest.param({"scope": "openid orders/read"}, "invalid_scope", id="scope of no app client"),
        pytest.param({"scope": "email"}, "invalid_scope", id="email without openid"),
        pytest.param({"scope": "offline_access openid"}, "invalid_scope", id="offline_access"),
        pytest.param({"prompt": "none"}, "login_required", id="nobody is signed in"),
        pytest.param({"prompt": "none login"}, "invalid_request", id="none beside another prompt"),
        pytest.param({"prompt": "create"}, "invalid_request", id="unknown prompt"),
        pytest.param({"max_age": "soon"}, "invalid_request", id="max_age is no number"),
        pytest.param({"resource": "api"}, "invalid_request", id="resource without scheme"),
        pytest.param({"resource": "http://api.example"}, "invalid_request", id="resource over http"),
        pytest.param({"resource": "https://api.example/#x"}, "invalid_request", id="resource with fragment"),
    ],
)
async def test_errors_are_told_at_the_redirect_uri(
    aws: CognitoEmulator, web: EmulatedAppClient, changes: dict[str, str | None], error: str
) -> None:
    """Once the redirect URI is the client's, errors go there with the state."""
    target = await location(aws, authorize_url(web, **changes))
    assert target.split("?")[0].split("#")[0] == CALLBACK
    assert query_of(target) == {"error": error, "state": "s1"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"redirect_uri": f"{CALLBACK}/"}, "redirect_mismatch", id="slash too many"),
        pytest.param({"redirect_uri": "https://APP.example/cb"}, "redirect_mismatch", id="capitals"),
        pytest.param({"redirect_uri": f"{CALLBACK}?x=1"}, "redirect_mismatch", id="query added"),
        pytest.param({"client_id": "nobody"}, "invalid_client", id="unknown client"),
        pytest.param(
            {"identity_provider": "Google"}, "Login option is not available. Please try another one", id="no provider"
        ),
        pytest.param(
            {"identity_provider": "cognito"}, "Login option is not available. Please try another one", id="wrong case"
        ),
        pytest.param(
            {"idp_identifier": "acme.com"}, "Login option is not available. Please try another one", id="no identifier"
        ),
    ],
)
async def test_errors_that_must_not_leave_go_to_the_error_page(
    aws: CognitoEmulator, web: EmulatedAppClient, changes: dict[str, str | None], error: str
) -> None:
    """An unknown client or redirect URI is told on Cognito's own page."""
    target = await location(aws, authorize_url(web, **changes))
    assert target.startswith(f"{DOMAIN}/error?error=")
    assert query_of(target)["error"] == error


@pytest.mark.parametrize("missing", ["client_id", "redirect_uri"])
async def test_a_missing_parameter_is_named(aws: CognitoEmulator, web: EmulatedAppClient, missing: str) -> None:
    """A request without client or redirect URI gets a page that names it."""
    web.redirect_uris = (*web.redirect_uris, "https://app.example/other")
    async with aws.http_client() as http:
        answer = await http.get(authorize_url(web, **{missing: None}))
    assert answer.status_code == 400
    assert f"Required String parameter &#39;{missing}&#39; is not present" in answer.text


async def test_the_only_redirect_uri_may_be_left_out(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """A client with one callback URL need not name it."""
    target = await location(aws, authorize_url(web, redirect_uri=None, prompt="none"))
    assert target.startswith(f"{CALLBACK}?")


async def test_the_local_directory_may_be_named(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """`identity_provider=COGNITO` is the pool itself."""
    assert (await location(aws, authorize_url(web, identity_provider="COGNITO"))).startswith(f"{DOMAIN}/login?")


async def test_errors_come_in_the_order_that_real_pools_send(pool: EmulatedPool, web: EmulatedAppClient) -> None:
    """Description first, then state, then the error."""
    aws = CognitoEmulator(behaviour=Behaviour(authorize_scope_not_allowed="invalid_request"))
    client = aws.add_pool(POOL_ID, domain="orders").add_client("web", redirect_uris=[f"{CALLBACK}?tenant=1"])
    target = await location(aws, authorize_url(client, redirect_uri=f"{CALLBACK}?tenant=1", scope="openid x/y"))
    assert target == f"{CALLBACK}?tenant=1&error_description=invalid_scope&state=s1&error=invalid_request"


async def test_a_scope_that_is_not_allowed_may_end_at_the_error_page() -> None:
    """The switch gives the third variant that was seen."""
    aws = CognitoEmulator(behaviour=Behaviour(authorize_scope_not_allowed="error_page"))
    client = aws.add_pool(POOL_ID, domain="orders").add_client("web", redirect_uris=[CALLBACK])
    assert (await location(aws, authorize_url(client, scope="x"))).startswith(f"{DOMAIN}/error?error=invalid_scope")


async def test_resource_may_stand_once(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """Two resources are refused."""
    url = authorize_url(web, resource="https://a.example") + "&resource=https://b.example"
    assert query_of(await location(aws, url))["error"] == "invalid_request"


async def test_the_implicit_grant_answers_in_the_fragment(
    aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser
) -> None:
    """Tokens come in the fragment, never a refresh token."""
    client = pool.add_client("spa", redirect_uris=[CALLBACK], grants=["implicit"])
    url = authorize_url(client, response_type="token", code_challenge=None, code_challenge_method=None)
    target = await aws.person("ann", "correct horse").follow(url)
    assert target.startswith(f"{CALLBACK}#id_token=")
    answer = query_of(target)
    assert set(answer) == {"id_token", "access_token", "token_type", "expires_in", "state"}
    assert (answer["token_type"], answer["expires_in"], answer["state"]) == ("bearer", "3600", "s1")
    assert claims_of(answer["id_token"])["nonce"] == "n1"


async def test_the_implicit_grant_without_openid_has_no_id_token(
    aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser
) -> None:
    """No `openid`, no ID token."""
    pool.add_resource_server("orders", scopes=["read"])
    client = pool.add_client("spa", redirect_uris=[CALLBACK], grants=["implicit"], scopes=["orders/read"])
    url = authorize_url(
        client, response_type="token", scope="orders/read", code_challenge=None, code_challenge_method=None
    )
    assert "id_token" not in query_of(await aws.person("ann", "correct horse").follow(url))


async def test_errors_of_the_implicit_grant_come_in_the_fragment(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """With `response_type=token` errors stand behind `#` too."""
    client = pool.add_client("spa", redirect_uris=[CALLBACK], grants=["implicit"])
    url = authorize_url(client, response_type="token", prompt="none")
    assert await location(aws, url) == f"{CALLBACK}#error=login_required&state=s1"


async def test_no_scope_means_all_scopes_of_the_client(
    aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser
) -> None:
    """A scope of a resource server that was deleted is dropped in silence."""
    pool.add_resource_server("orders", scopes=["read"])
    pool.add_resource_server("https://bills.example/", scopes=["pay"])
    client = pool.add_client(
        "spa",
        redirect_uris=[CALLBACK],
        grants=["implicit"],
        scopes=["openid", "orders/read", "https://bills.example//pay"],
    )
    pool.remove_resource_server("orders")
    url = authorize_url(client, response_type="token", scope=None, code_challenge=None, code_challenge_method=None)
    answer = query_of(await aws.person("ann", "correct horse").follow(url))
    assert claims_of(answer["access_token"])["scope"] == "openid https://bills.example//pay"


async def test_only_get_is_answered(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """POST to authorize is not allowed."""
    async with aws.http_client() as http:
        answer = await http.post(authorize_url(web))
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


async def test_the_first_of_repeated_parameters_counts(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """A repeated parameter is read as a servlet reads it."""
    target = await location(aws, authorize_url(web, prompt="none") + "&state=s2")
    assert query_of(target)["state"] == "s1"
    assert CHALLENGE not in target


@pytest.mark.parametrize(
    ("reencoded", "target"),
    [
        pytest.param(False, f"{CALLBACK}?error=login_required&state=a%3D1%26b%3D%22x+y%22", id="kept"),
        pytest.param(True, f"{CALLBACK}?error=login_required&state=a=1&b=%22x+y%22", id="re-encoded"),
    ],
)
async def test_the_switch_re_encodes_the_state(reencoded: bool, target: str) -> None:
    """With the switch pairs in the state leak out as parameters of their own."""
    aws, web = emulator_with_web(state_reencoded=reencoded)
    assert await location(aws, authorize_url(web, state='a=1&b="x y"', prompt="none")) == target


@pytest.mark.parametrize(
    ("switch", "changes", "expected"),
    [
        pytest.param("always", {}, {"acr": "urn:cognito:loa:1", "amr": ["pwd"]}, id="always"),
        pytest.param("on_request", {}, {}, id="not asked"),
        pytest.param(
            "on_request",
            {"acr_values": "urn:cognito:loa:3 urn:cognito:loa:1"},
            {"acr": "urn:cognito:loa:1", "amr": ["pwd"]},
            id="acr_values",
        ),
        pytest.param("on_request", {"max_age": "60"}, {"acr": "urn:cognito:loa:1", "amr": ["pwd"]}, id="max_age"),
        pytest.param("never", {"acr_values": "urn:cognito:loa:1"}, {}, id="never"),
    ],
)
async def test_the_switch_says_when_tokens_have_acr_and_amr(
    switch: str, changes: dict[str, str], expected: dict[str, object]
) -> None:
    """Both tokens say how the person signed in, or neither does; a refresh keeps it."""
    aws, web = emulator_with_web(authentication_context=switch)
    tokens = await sign_in(aws, web, **changes)
    async with aws.http_client() as http:
        renewed = (await refresh(http, web, tokens["refresh_token"])).json()
    for token in (tokens["id_token"], tokens["access_token"], renewed["id_token"]):
        claims = claims_of(token)
        assert {name: claims[name] for name in ("acr", "amr") if name in claims} == expected


async def test_the_level_of_a_password_may_be_unknown() -> None:
    """Without a level there is no `acr`."""
    aws, web = emulator_with_web(password_acr=None)
    claims = claims_of((await sign_in(aws, web))["id_token"])
    assert ("acr" in claims, claims["amr"]) == (False, ["pwd"])


async def test_the_switch_adds_a_button_that_gives_up() -> None:
    """The application hears `access_denied`; without the switch there is no button, and the form field does nothing."""
    aws, web = emulator_with_web(cancel_button=True)
    told = query_of(await aws.person("ann", "correct horse").cancel(authorize_url(web)))
    assert told == {"error_description": "User cancelled the sign-in", "state": "s1", "error": "access_denied"}
    aws, web = emulator_with_web()
    assert "code" in query_of(await aws.person("ann", "correct horse").follow(authorize_url(web)))
    with pytest.raises(PersonError, match="no button"):
        await aws.person("ann", "correct horse").cancel(authorize_url(web))


async def test_a_denial_upstream_reaches_the_application() -> None:
    """Who gives up at the provider is denied downstream."""
    aws = CognitoEmulator(behaviour=Behaviour(cancel_button=True))
    _, app = aws.federated_pair()
    client = app.client(redirect_uri=CALLBACK)
    request = client.authorization_request(identity_provider="Corp")
    callback = await aws.person("ann", "x").cancel(request.url)
    with pytest.raises(AuthorizationDeniedError) as caught:
        await client.exchange_code(callback, request)
    assert caught.value.error == "access_denied"
