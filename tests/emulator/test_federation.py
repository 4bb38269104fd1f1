import json
import logging
import re
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from cognito_oidc import CognitoClient, TokenVerifier
from cognito_oidc.emulator import Behaviour, CognitoEmulator, EmulatedAppClient, EmulatedPool, Person
from tests.emulator.support import (
    APP_DOMAIN,
    CALLBACK,
    CORP_DOMAIN,
    GOODBYE,
    authorize_url,
    claims_of,
    exchange,
    federated_sign_in,
    query_of,
)

pytestmark = pytest.mark.anyio

UNAVAILABLE = "Login option is not available. Please try another one"


def corp_url(client: EmulatedAppClient, **changes: str | None) -> str:
    """Return an authorization request that names the provider."""
    return authorize_url(client, root=APP_DOMAIN, **{"identity_provider": "Corp", **changes})


async def leave(http: httpx.AsyncClient, client: EmulatedAppClient, **changes: str | None) -> str:
    """Return where the person is sent to from the pool."""
    answer = await http.get(corp_url(client, **changes))
    assert answer.status_code == 302
    return str(answer.headers["location"])


def with_switches(**switches: object) -> tuple[CognitoEmulator, EmulatedAppClient]:
    """Return an emulator with these switches, and an app client downstream of a pool that has ann."""
    aws = CognitoEmulator(behaviour=Behaviour(**switches))  # type: ignore[arg-type]
    corp, app = aws.federated_pair()
    corp.add_user("ann", password="correct horse", email="ann@acme.com")
    return aws, app.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["COGNITO", "Corp"])


async def test_the_library_signs_a_person_in_across_two_pools(
    aws: CognitoEmulator, corp: EmulatedPool, app: EmulatedPool
) -> None:
    """The way of the design: provider named, both pools crossed, every check of the client passed."""
    client = app.client(redirect_uri=CALLBACK)
    request = client.authorization_request(identity_provider="Corp")
    callback = await aws.person("ann", "correct horse").follow(request.url)
    tokens = await client.exchange_code(callback, request)
    info = await client.userinfo(tokens)
    assert tokens.claims is not None
    assert tokens.claims.iss == app.issuer
    assert tokens.claims.username == f"Corp_{corp.users['ann'].sub}"
    assert (tokens.claims.email, tokens.claims.email_verified) == ("ann@acme.com", False)
    assert tokens.claims.groups == (f"{app.pool_id}_Corp",)
    assert tokens.claims.identities[0].user_id == corp.users["ann"].sub
    assert tokens.claims.amr == ("fed",)
    assert info.username == tokens.claims.username
    async with aws.http_client() as http:
        verifier = TokenVerifier(client.pool, client_ids=[client.client_id], http_client=http, clock=aws.clock)
        access = await verifier.verify_access_token(tokens.access_token)
    assert (access.username, access.amr) == (tokens.claims.username, ("fed",))


async def test_the_same_over_the_network(aws: CognitoEmulator, app: EmulatedPool, corp: EmulatedPool) -> None:
    """What was registered between the pools under production's hosts works at a base URL too."""
    registered = app.client(redirect_uri=CALLBACK)
    async with aws.serve() as server:
        client = CognitoClient(
            server.user_pool(app), client_id=registered.client_id, redirect_uri=CALLBACK, clock=aws.clock
        )
        async with client:
            request = client.authorization_request(identity_provider="Corp")
            callback = await aws.person("ann", "correct horse").follow(request.url)
            tokens = await client.exchange_code(callback, request)
        sent = next(each for each in aws.journal if each.pool_id == corp.pool_id and each.endpoint == "authorize")
        assert sent.parameters["redirect_uri"] == f"{server.base_url}/app/oauth2/idpresponse"
        assert tokens.claims is not None
        assert tokens.claims.iss == f"{server.base_url}/{app.pool_id}"


async def test_a_provider_of_another_emulator_is_called_over_the_network(aws: CognitoEmulator) -> None:
    """A provider that is not ours is found by discovery, over real HTTP."""
    elsewhere = CognitoEmulator()
    idp = elsewhere.add_pool(domain="idp")
    idp.add_user("ann", password="correct horse", email="ann@acme.com")
    pool = aws.add_pool(domain="app")
    client = idp.add_client("app", redirect_uris=[pool.idp_response_url], client_secret=True)
    async with elsewhere.serve() as server:
        pool.add_oidc_provider(
            "Far",
            issuer=f"{server.base_url}/{idp.pool_id}",
            client_id=client.client_id,
            client_secret=client.client_secret or "",
            attribute_mapping={"email": "email"},
        )
        shop = pool.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["Far"])
        mounts = {f"all://{urlsplit(server.base_url).netloc}": httpx.AsyncHTTPTransport()}
        transport = httpx.ASGITransport(app=aws.asgi_app)
        ann = Person(
            "ann",
            "correct horse",
            open_client=lambda: httpx.AsyncClient(transport=transport, mounts=mounts, trust_env=False),
            serves=lambda url: not url.startswith(CALLBACK),
        )
        callback = await ann.follow(authorize_url(shop, root=APP_DOMAIN))
    assert "code" in query_of(callback)
    assert next(iter(pool.users)).startswith("Far_")


async def test_what_the_provider_is_sent(aws: CognitoEmulator, shop: EmulatedAppClient, corp: EmulatedPool) -> None:
    """Client, callback, scopes, a long opaque state and a nonce of the pool's own; nothing of the application's."""
    async with aws.http_client() as http:
        target = await leave(http, shop)
    assert target.startswith(f"{CORP_DOMAIN}/oauth2/authorize?client_id=")
    sent = dict(parse_qsl(urlsplit(target).query))
    assert list(sent) == ["client_id", "redirect_uri", "scope", "response_type", "state", "nonce"]
    assert sent["client_id"] == next(iter(corp.clients))
    assert sent["redirect_uri"] == f"{APP_DOMAIN}/oauth2/idpresponse"
    assert (sent["scope"], sent["response_type"]) == ("openid email profile", "code")
    assert re.fullmatch(r"[\w-]{512}", sent["state"])
    assert re.fullmatch(r"[\w-]{171}", sent["nonce"])


@pytest.mark.parametrize(
    ("changes", "forwarded"),
    [
        pytest.param({"login_hint": "ann@acme.com"}, {"login_hint": "ann@acme.com"}, id="login_hint"),
        pytest.param({"prompt": "select_account login"}, {"prompt": "login select_account"}, id="prompt"),
        pytest.param({"acr_values": "urn:cognito:loa:2"}, {"acr_values": "urn:cognito:loa:2"}, id="acr_values"),
        pytest.param({"lang": "de", "max_age": "100", "resource": "https://api.example"}, {}, id="nothing else"),
    ],
)
async def test_what_is_forwarded_to_the_provider(
    aws: CognitoEmulator, shop: EmulatedAppClient, changes: dict[str, str], forwarded: dict[str, str]
) -> None:
    """`login_hint`, `prompt` and `acr_values` go on to the provider."""
    async with aws.http_client() as http:
        sent = query_of(await leave(http, shop, **changes))
    ours = {"client_id", "redirect_uri", "scope", "response_type", "state", "nonce"}
    assert {name: value for name, value in sent.items() if name not in ours} == forwarded


async def test_the_code_is_redeemed_with_the_secret_in_the_form(
    aws: CognitoEmulator, shop: EmulatedAppClient, corp: EmulatedPool
) -> None:
    """The provider gets client_secret_post, then is asked for its keys and by GET for userInfo."""
    await federated_sign_in(aws, shop)
    entries = [each for each in aws.journal if each.pool_id == corp.pool_id]
    assert [(each.endpoint, each.method) for each in entries] == [
        ("discovery", "GET"),
        ("authorize", "GET"),
        ("login", "GET"),
        ("login", "POST"),
        ("token", "POST"),
        ("jwks", "GET"),
        ("userinfo", "GET"),
    ]
    assert set(entries[4].parameters) == {"grant_type", "code", "redirect_uri", "client_id", "client_secret"}


async def test_the_switch_adds_pkce_to_the_way_upstream() -> None:
    """With the switch a challenge goes with the request and its verifier with the code."""
    aws, shop = with_switches(upstream_pkce=True)
    await federated_sign_in(aws, shop)
    assert aws.journal[2].parameters["code_challenge_method"] == "S256"
    assert "code_verifier" in next(each for each in aws.journal if each.endpoint == "token").parameters


async def test_userinfo_may_be_asked_by_post() -> None:
    """With `attributes_request_method` POST the provider gets a POST."""
    aws = CognitoEmulator(behaviour=Behaviour(userinfo_by_post=True))
    corp, app = aws.add_pool(domain="corp"), aws.add_pool(domain="app")
    corp.add_user("ann", password="correct horse")
    upstream = corp.add_client("app", redirect_uris=[app.idp_response_url], client_secret=True)
    app.add_oidc_provider(
        "Corp",
        issuer=corp,
        client_id=upstream.client_id,
        client_secret=str(upstream.client_secret),
        attributes_request_method="POST",
    )
    await federated_sign_in(aws, app.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["Corp"]))
    assert next(each.method for each in aws.journal if each.endpoint == "userinfo") == "POST"


async def test_the_four_urls_may_be_given_by_hand(aws: CognitoEmulator, corp: EmulatedPool, app: EmulatedPool) -> None:
    """Nothing is discovered then, under production's hosts and at a base URL."""
    upstream = next(iter(corp.clients.values()))
    app.add_oidc_provider(
        "ByHand",
        issuer=corp,
        client_id=upstream.client_id,
        client_secret=str(upstream.client_secret),
        authorize_url=f"{CORP_DOMAIN}/oauth2/authorize?tenant=1",
        token_url=f"{CORP_DOMAIN}/oauth2/token",
        attributes_url=f"{CORP_DOMAIN}/oauth2/userInfo",
        jwks_uri=f"{corp.issuer}/.well-known/jwks.json",
    )
    shop = app.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["ByHand"])
    await federated_sign_in(aws, shop, identity_provider="ByHand")
    async with aws.serve() as server:
        url = authorize_url(shop, root=f"{server.base_url}/app", prompt="login")
        assert "code" in query_of(await aws.person("ann", "correct horse").follow(url))
    assert aws.count("discovery") == 0
    assert aws.journal[1].parameters["tenant"] == "1"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"identity_provider": "corp"}, id="wrong case"),
        pytest.param({"identity_provider": "Google"}, id="unknown"),
        pytest.param({"identity_provider": "Other"}, id="of the pool, not of the client"),
        pytest.param({"identity_provider": None, "idp_identifier": "other.example"}, id="identifier of another"),
    ],
)
async def test_a_provider_that_the_client_lacks_is_not_available(
    aws: CognitoEmulator, app: EmulatedPool, shop: EmulatedAppClient, changes: dict[str, str | None]
) -> None:
    """Cognito's own page says so, in Cognito's words."""
    app.add_oidc_provider(
        "Other", issuer="https://idp.example", client_id="x", client_secret="y", idp_identifiers=["other.example"]
    )
    async with aws.http_client() as http:
        target = await leave(http, shop, **changes)
        page = await http.get(target)
    assert target.startswith(f"{APP_DOMAIN}/error?")
    assert query_of(target)["error"] == UNAVAILABLE
    assert UNAVAILABLE in page.text


async def test_local_users_are_refused_where_the_client_lacks_them(aws: CognitoEmulator, app: EmulatedPool) -> None:
    """`COGNITO` is a provider like any other: not listed, not available."""
    app.add_user("bob", password="x")
    shop = app.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["Corp"])
    none = app.add_client("none", redirect_uris=[CALLBACK], identity_providers=[])
    async with aws.http_client() as http:
        assert query_of(await leave(http, shop, identity_provider="COGNITO"))["error"] == UNAVAILABLE
        assert query_of(await leave(http, none, identity_provider=None))["error"] == UNAVAILABLE


async def test_a_provider_may_be_chosen_by_an_identifier(
    aws: CognitoEmulator, corp: EmulatedPool, app: EmulatedPool
) -> None:
    """`idp_identifier` leads to the provider that has it."""
    app.add_oidc_provider("Acme", issuer=corp, client_id="x", client_secret="y", idp_identifiers=["acme.com", "acme"])
    shop = app.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["Corp", "Acme"])
    async with aws.http_client() as http:
        target = await leave(http, shop, identity_provider=None, idp_identifier="acme.com")
    assert query_of(target)["client_id"] == "x"


async def test_the_only_provider_skips_the_login_page(aws: CognitoEmulator, app: EmulatedPool) -> None:
    """A client whose only provider is an external one never shows the pool's own page."""
    shop = app.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["Corp"])
    async with aws.http_client() as http:
        direct = await leave(http, shop, identity_provider=None)
        page = await http.get(corp_url(shop, identity_provider=None).replace("/oauth2/authorize", "/login"))
    assert direct.startswith(f"{CORP_DOMAIN}/oauth2/authorize")
    assert page.headers["location"].startswith(f"{CORP_DOMAIN}/oauth2/authorize")


async def test_the_switch_shows_the_login_page_of_an_only_provider() -> None:
    """With the switch off the page shows one button and no fields, and takes no password."""
    aws, _ = with_switches(only_provider_is_chosen=False)
    app = next(pool for pool in aws.pools.values() if pool.domain_prefix == "app")
    app.add_user("bob", password="x")
    shop = app.add_client("shop2", redirect_uris=[CALLBACK], identity_providers=["Corp"])
    async with aws.http_client() as http:
        page = await http.get(corp_url(shop, identity_provider=None), follow_redirects=True)
        csrf = next(each.value for each in http.cookies.jar if each.name == "XSRF-TOKEN")
        forced = await http.post(page.url, data={"_csrf": str(csrf), "username": "bob", "password": "x"})
    assert "Continue with Corp" in page.text
    assert 'type="password"' not in page.text
    assert forced.status_code == 200


async def test_the_button_of_the_login_page_leads_to_the_provider(
    aws: CognitoEmulator, app: EmulatedPool, shop: EmulatedAppClient
) -> None:
    """A person may choose on the page, and all of the request is kept."""
    ann = aws.person("ann", "correct horse", provider="Corp")
    callback = await ann.follow(authorize_url(shop, root=APP_DOMAIN, state="a&b=c"))
    assert query_of(callback)["state"] == "a&b=c"
    async with aws.http_client() as http:
        tokens = (await exchange(http, shop, query_of(callback)["code"], root=APP_DOMAIN)).json()
    assert claims_of(tokens["id_token"])["nonce"] == "n1"


async def test_the_page_of_a_named_directory_offers_no_other(aws: CognitoEmulator, shop: EmulatedAppClient) -> None:
    """With `identity_provider=COGNITO` only the password form is shown."""
    async with aws.http_client() as http:
        page = await http.get(corp_url(shop, identity_provider="COGNITO"), follow_redirects=True)
    assert "Continue with" not in page.text
    assert 'type="password"' in page.text


async def test_local_and_federated_people_live_side_by_side(
    aws: CognitoEmulator, app: EmulatedPool, shop: EmulatedAppClient
) -> None:
    """The same address makes two accounts."""
    app.add_user("ann", password="local", email="ann@acme.com")
    federated = claims_of((await federated_sign_in(aws, shop))["id_token"])
    ann = aws.person("ann", "local")
    local = claims_of((await federated_sign_in(aws, shop, person=ann, identity_provider=None))["id_token"])
    assert (local["cognito:username"], local["amr"]) == ("ann", ["pwd"])
    assert local["sub"] != federated["sub"]
    assert len(app.users) == 2


async def test_without_a_nonce_the_first_token_has_one_and_the_next_has_none(
    aws: CognitoEmulator, shop: EmulatedAppClient
) -> None:
    """The nonce sent to the provider becomes the claim; from the session there is none."""
    ann = aws.person("ann", "correct horse")
    first = claims_of((await federated_sign_in(aws, shop, person=ann, nonce=None))["id_token"])
    second = claims_of((await federated_sign_in(aws, shop, person=ann, nonce=None))["id_token"])
    upstream = [each.parameters for each in aws.journal if each.endpoint == "authorize"][1]
    assert first["nonce"] == upstream["nonce"]
    assert re.fullmatch(r"[\w-]{171}", str(first["nonce"]))
    assert "nonce" not in second
    assert second["auth_time"] == first["auth_time"]


async def test_a_nonce_that_was_sent_is_always_the_claim(aws: CognitoEmulator, shop: EmulatedAppClient) -> None:
    """Who sends a nonce gets it back, on the first sign-in and from the session."""
    ann = aws.person("ann", "correct horse")
    first = await federated_sign_in(aws, shop, person=ann)
    second = await federated_sign_in(aws, shop, person=ann, nonce="n2")
    assert [claims_of(each["id_token"])["nonce"] for each in (first, second)] == ["n1", "n2"]


async def test_the_switch_asks_the_provider_again() -> None:
    """A request that names the provider goes there in spite of the session; a silent one does not."""
    aws, shop = with_switches(session_with_identity_provider="ask")
    ann = aws.person("ann", "correct horse")
    await federated_sign_in(aws, shop, person=ann)
    await federated_sign_in(aws, shop, person=ann)
    assert aws.count("idpresponse") == 2
    assert "code" in query_of(await ann.follow(corp_url(shop, prompt="none")))
    await federated_sign_in(aws, shop, person=ann, identity_provider=None)
    assert aws.count("idpresponse") == 2


async def test_the_session_of_another_provider_is_not_enough(
    aws: CognitoEmulator, app: EmulatedPool, shop: EmulatedAppClient
) -> None:
    """Who signed in locally is sent to the provider that is named; and a client without it does not take them."""
    app.add_user("bob", password="local")
    local_only = app.add_client("local", redirect_uris=[CALLBACK])
    bob = aws.person("bob", "local")
    await bob.follow(corp_url(shop, identity_provider="COGNITO"))
    assert query_of(await bob.follow(corp_url(shop, prompt="none")))["error"] == "login_required"
    ann = aws.person("ann", "correct horse")
    await federated_sign_in(aws, shop, person=ann)
    silent = await ann.follow(authorize_url(local_only, root=APP_DOMAIN, prompt="none"))
    assert query_of(silent)["error"] == "login_required"


async def test_silence_needs_a_session(aws: CognitoEmulator, shop: EmulatedAppClient) -> None:
    """`prompt=none` is answered by the pool itself, and never sent on."""
    async with aws.http_client() as http:
        assert query_of(await leave(http, shop, prompt="none")) == {"error": "login_required", "state": "s1"}


async def test_the_implicit_grant_works_across_pools(aws: CognitoEmulator, app: EmulatedPool) -> None:
    """Tokens come in the fragment after a federated sign-in too."""
    spa = app.add_client("spa", redirect_uris=[CALLBACK], grants=["implicit"], identity_providers=["Corp"])
    url = corp_url(spa, response_type="token", code_challenge=None, code_challenge_method=None)
    callback = await aws.person("ann", "correct horse").follow(url)
    assert claims_of(query_of(callback)["id_token"])["amr"] == ["fed"]


async def test_the_logout_chain_ends_both_sessions(aws: CognitoEmulator, corp: EmulatedPool, app: EmulatedPool) -> None:
    """The upstream logout is a sign-out URL downstream, registered verbatim; at a base URL too."""
    upstream = next(iter(corp.clients.values()))
    upstream.logout_uris = (GOODBYE,)
    chained = f"{CORP_DOMAIN}/logout?{urlencode({'client_id': upstream.client_id, 'logout_uri': GOODBYE})}"
    shop = app.add_client("shop", redirect_uris=[CALLBACK], logout_uris=[chained], identity_providers=["Corp"])
    async with aws.serve() as server:
        for root, logout in (
            (APP_DOMAIN, chained),
            (f"{server.base_url}/app", chained.replace(CORP_DOMAIN, f"{server.base_url}/corp")),
        ):
            ann = aws.person("ann", "correct horse")
            await ann.follow(authorize_url(shop, root=root))
            query = urlencode({"client_id": shop.client_id, "logout_uri": logout})
            assert await ann.follow(f"{root}/logout?{query}") == GOODBYE
            again = aws.count("login")
            await ann.follow(authorize_url(shop, root=root))
            assert aws.count("login") == again + 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param("late", "more than five minutes", id="five minutes"),
        pytest.param("cookies", "another browser", id="cookies lost"),
        pytest.param("state", "unknown or was used", id="unknown state"),
        pytest.param("no state", "unknown or was used", id="no state"),
        pytest.param("twice", "unknown or was used", id="used before"),
        pytest.param("second tab", "another browser", id="a second tab took the cookie"),
    ],
)
async def test_a_trip_that_cannot_go_on_ends_on_a_page(
    aws: CognitoEmulator, shop: EmulatedAppClient, change: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The person sees `Something went wrong`; the log says why."""
    caplog.set_level(logging.INFO, logger="cognito_oidc.emulator")
    async with aws.http_client() as http:
        sent = query_of(await leave(http, shop))
        parameters = {"code": "c", "state": sent["state"]}
        match change:
            case "late":
                aws.clock.advance(301)
            case "cookies":
                http.cookies.clear()
            case "state":
                parameters["state"] += "x"
            case "no state":
                del parameters["state"]
            case "twice":
                await http.get(f"{APP_DOMAIN}/oauth2/idpresponse", params=parameters)
            case "second tab":
                await leave(http, shop)
        answer = await http.get(f"{APP_DOMAIN}/oauth2/idpresponse", params=parameters)
    assert (answer.status_code, "Something went wrong" in answer.text) == (400, True)
    assert why in caplog.text
    assert sent["state"] not in caplog.text


async def test_the_provider_may_answer_by_post(
    aws: CognitoEmulator, shop: EmulatedAppClient, corp: EmulatedPool
) -> None:
    """A provider with `form_post` sends the person back with a form."""
    async with aws.http_client() as http:
        target = await leave(http, shop)
        ann = aws.person("ann", "correct horse", http_client=http)
        aws.fail_next("idpresponse", status=302, headers={"location": CALLBACK})
        await ann.follow(target)
        code = next(iter(corp.ledger._codes))
        parameters = {"code": code, "state": query_of(target)["state"]}
        answer = await http.post(f"{APP_DOMAIN}/oauth2/idpresponse", data=parameters)
    assert "code" in query_of(answer.headers["location"])


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(
            {"error": "access_denied", "error_description": "She said no"},
            {"error_description": "She said no", "state": "s1", "error": "access_denied"},
            id="denied",
        ),
        pytest.param({"error": "server_error"}, {"state": "s1", "error": "server_error"}, id="no description"),
        pytest.param(
            {},
            {
                "error_description": "Corp Error - no code was returned",
                "state": "s1",
                "error": "invalid_request",
            },
            id="nothing",
        ),
    ],
)
async def test_errors_of_the_provider_reach_the_application(
    aws: CognitoEmulator, shop: EmulatedAppClient, answer: dict[str, str], told: dict[str, str]
) -> None:
    """The provider's error comes to the callback URL with the application's own state."""
    async with aws.http_client() as http:
        state = query_of(await leave(http, shop))["state"]
        back = await http.get(f"{APP_DOMAIN}/oauth2/idpresponse", params={"state": state, **answer})
    assert query_of(back.headers["location"]) == told


async def test_a_wrong_password_upstream_stays_upstream(aws: CognitoEmulator, shop: EmulatedAppClient) -> None:
    """The person sees the provider's own page."""
    with pytest.raises(Exception, match="Incorrect username or password"):
        await aws.person("ann", "wrong").follow(corp_url(shop))


async def test_cookies_of_the_trip_suit_the_scheme(aws: CognitoEmulator, shop: EmulatedAppClient) -> None:
    """Over https the cookie survives a form_post from another site; over http it is Lax."""
    async with aws.http_client() as http:
        secure = (await http.get(corp_url(shop))).headers.get_list("set-cookie")
    async with aws.serve() as server, httpx.AsyncClient(trust_env=False) as http:
        plain = await http.get(authorize_url(shop, root=f"{server.base_url}/app", identity_provider="Corp"))
    local = plain.headers.get_list("set-cookie")
    assert [("SameSite=none" in each, "Secure" in each) for each in secure[:2]] == [(True, True), (False, True)]
    assert [("SameSite=lax" in each, "Secure" in each) for each in local[:2]] == [(True, False), (False, False)]
    assert all("HttpOnly" in each and "Max-Age=300" in each for each in [*secure[:2], *local[:2]])


async def test_levels_are_mapped_both_ways(aws: CognitoEmulator) -> None:
    """`acr_mapping` turns Cognito's levels into the provider's words, and back."""
    corp, app = aws.add_pool(domain="corp"), aws.add_pool(domain="app")
    corp.add_user("ann", password="correct horse")
    upstream = corp.add_client("app", redirect_uris=[app.idp_response_url], client_secret=True)
    app.add_oidc_provider(
        "Corp",
        issuer=corp,
        client_id=upstream.client_id,
        client_secret=str(upstream.client_secret),
        acr_mapping={"urn:cognito:loa:3": "urn:cognito:loa:1"},
    )
    shop = app.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["Corp"])
    tokens = await federated_sign_in(aws, shop, acr_values="urn:cognito:loa:4 urn:cognito:loa:3")
    sent = [each.parameters for each in aws.journal if each.endpoint == "authorize"][1]
    assert sent["acr_values"] == "urn:cognito:loa:1"
    claims = claims_of(tokens["id_token"])
    assert (claims["acr"], claims["amr"]) == ("urn:cognito:loa:3", ["fed"])


async def test_userinfo_tells_identities_as_text(aws: CognitoEmulator, shop: EmulatedAppClient) -> None:
    """In userInfo `identities` is a JSON string."""
    tokens = await federated_sign_in(aws, shop)
    async with aws.http_client() as http:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        info = (await http.get(f"{APP_DOMAIN}/oauth2/userInfo", headers=headers)).json()
    assert json.loads(info["identities"]) == claims_of(tokens["id_token"])["identities"]
    assert all(isinstance(value, str) for value in info.values())
