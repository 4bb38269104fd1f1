import pytest

from cognito_oidc.emulator import Behaviour, CognitoEmulator, EmulatedAppClient, EmulatedPool, EmulatedUser
from tests.emulator.support import (
    CALLBACK,
    ISSUER,
    POOL_ID,
    TOKEN,
    basic,
    claims_of,
    emulator_with_web,
    exchange,
    get_code,
    outcome,
    refresh,
    sign_in,
)

pytestmark = pytest.mark.anyio


async def test_the_code_grant_answers_as_cognito_does(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """Five members, no `scope`, and headers that forbid caching."""
    async with aws.http_client() as http:
        answer = await exchange(http, web, await get_code(aws, web))
    assert answer.status_code == 200
    assert set(answer.json()) == {"id_token", "access_token", "refresh_token", "expires_in", "token_type"}
    assert (answer.json()["expires_in"], answer.json()["token_type"]) == (3600, "Bearer")
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    assert "no-store" in answer.headers["cache-control"]
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_without_openid_there_is_no_id_token(aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser) -> None:
    """The code grant gives an ID token with `openid` only."""
    pool.add_resource_server("orders", scopes=["read"])
    client = pool.add_client("api", redirect_uris=[CALLBACK], scopes=["openid", "orders/read"])
    assert set(await sign_in(aws, client, scope="orders/read")) == {
        "access_token",
        "refresh_token",
        "expires_in",
        "token_type",
    }


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"grant_type": None}, {"error": "invalid_request"}, id="no grant type"),
        pytest.param({"grant_type": "password"}, {"error": "unsupported_grant_type"}, id="password grant"),
        pytest.param({"grant_type": "client_credentials"}, {"error": "unauthorized_client"}, id="grant not enabled"),
        pytest.param({"client_id": None}, {"error": "invalid_request"}, id="no client"),
        pytest.param({"client_id": "nobody"}, {"error": "invalid_client"}, id="unknown client"),
        pytest.param({"client_secret": "guessed"}, {"error": "invalid_client"}, id="secret of a public client"),
        pytest.param({"code": None}, {"error": "invalid_request"}, id="no code"),
        pytest.param({"code": "x"}, {"error": "invalid_grant"}, id="unknown code"),
        pytest.param({"redirect_uri": None}, {"error": "invalid_request"}, id="no redirect URI"),
        pytest.param(
            {"redirect_uri": f"{CALLBACK}/"},
            {"error": "unauthorized_client", "error_description": "invalid_redirect"},
            id="redirect URI differs",
        ),
        pytest.param({"code_verifier": None}, {"error": "invalid_grant"}, id="no verifier"),
        pytest.param({"code_verifier": "x" * 43}, {"error": "invalid_grant"}, id="wrong verifier"),
        pytest.param({"code_verifier": "é" * 43}, {"error": "invalid_grant"}, id="verifier is not ASCII"),
    ],
)
async def test_a_bad_code_exchange_is_refused_by_its_cause(
    aws: CognitoEmulator, web: EmulatedAppClient, changes: dict[str, str | None], error: dict[str, str]
) -> None:
    """Each mistake has the error that Cognito gives it, bare."""
    async with aws.http_client() as http:
        answer = await exchange(http, web, await get_code(aws, web), **changes)
    assert outcome(answer) == (400, error)


async def test_a_code_is_good_once(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """The second exchange is `invalid_grant`."""
    code = await get_code(aws, web)
    async with aws.http_client() as http:
        first, second = await exchange(http, web, code), await exchange(http, web, code)
    assert first.status_code == 200
    assert outcome(second) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(
    ("seconds", "status"), [pytest.param(298, 200, id="in time"), pytest.param(301, 400, id="late")]
)
async def test_a_code_lives_five_minutes(
    aws: CognitoEmulator, web: EmulatedAppClient, seconds: int, status: int
) -> None:
    """After 300 seconds the code is gone."""
    code = await get_code(aws, web)
    aws.clock.advance(seconds)
    async with aws.http_client() as http:
        assert (await exchange(http, web, code)).status_code == status


async def test_a_code_belongs_to_its_client(aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient) -> None:
    """Another client of the pool cannot use it, and does not use it up."""
    other = pool.add_client("other", redirect_uris=[CALLBACK])
    code = await get_code(aws, web)
    async with aws.http_client() as http:
        stolen = await exchange(http, other, code)
        assert outcome(stolen) == (400, {"error": "invalid_grant"})
        assert (await exchange(http, web, code)).status_code == 200


async def test_pkce_is_not_mandatory(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """A code that was asked for without a challenge needs no verifier, and a switch says what a verifier then does."""
    lenient, client = emulator_with_web(verifier_without_challenge="ignore")
    plain = {"code_challenge": None, "code_challenge_method": None}
    async with aws.http_client() as http, lenient.http_client() as lenient_http:
        assert (await exchange(http, web, await get_code(aws, web, **plain), code_verifier=None)).status_code == 200
        assert (await exchange(http, web, await get_code(aws, web, **plain))).status_code == 400
        assert (await exchange(lenient_http, client, await get_code(lenient, client, **plain))).status_code == 200


async def test_a_scope_that_implies_an_unreadable_attribute_fails_at_the_exchange(
    aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser
) -> None:
    """`email` without the right to read `email_verified` is the classic `invalid_grant`."""
    client = pool.add_client("narrow", redirect_uris=[CALLBACK], read_attributes=["email", "name"])
    async with aws.http_client() as http:
        refused = await exchange(http, client, await get_code(aws, client))
        taken = await exchange(http, client, await get_code(aws, client, scope="openid"))
    assert outcome(refused) == (400, {"error": "invalid_grant"})
    assert {"email", "name", "custom:tenant"} & set(claims_of(taken.json()["id_token"])) == {"email", "name"}


async def test_a_refresh_gives_new_tokens_and_keeps_the_old_refresh_token(
    aws: CognitoEmulator, web: EmulatedAppClient
) -> None:
    """Without rotation there is no `refresh_token` member, and no nonce in the ID token."""
    tokens = await sign_in(aws, web)
    async with aws.http_client() as http:
        answer = await refresh(http, web, tokens["refresh_token"])
        again = await refresh(http, web, tokens["refresh_token"])
    assert set(answer.json()) == {"id_token", "access_token", "expires_in", "token_type"}
    assert "nonce" not in claims_of(answer.json()["id_token"])
    assert again.status_code == 200


async def test_the_nonce_of_a_refresh_follows_its_switch() -> None:
    """Whether a refreshed ID token repeats the nonce is not known."""
    aws, client = emulator_with_web(nonce_on_refresh=True)
    tokens = await sign_in(aws, client)
    async with aws.http_client() as http:
        answer = await refresh(http, client, tokens["refresh_token"])
    assert claims_of(answer.json()["id_token"])["nonce"] == "n1"


@pytest.mark.parametrize(
    ("days", "status"), [pytest.param(29, 200, id="in time"), pytest.param(31, 400, id="after 30 days")]
)
async def test_a_refresh_token_lives_thirty_days(
    aws: CognitoEmulator, web: EmulatedAppClient, days: int, status: int
) -> None:
    """The default validity of a refresh token is 30 days."""
    tokens = await sign_in(aws, web)
    aws.clock.advance(days * 86_400)
    async with aws.http_client() as http:
        assert (await refresh(http, web, tokens["refresh_token"])).status_code == status


async def test_a_refresh_token_belongs_to_its_client_and_person(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient, ann: EmulatedUser
) -> None:
    """Another client, a disabled person, an unknown or missing token are refused."""
    other = pool.add_client("other", redirect_uris=[CALLBACK])
    token = (await sign_in(aws, web))["refresh_token"]
    async with aws.http_client() as http:
        stolen, unknown, missing = (
            await refresh(http, other, token),
            await refresh(http, web, "x"),
            await refresh(http, web, ""),
        )
        ann.enabled = False
        disabled = await refresh(http, web, token)
    assert [outcome(each) for each in (stolen, unknown, disabled)] == [(400, {"error": "invalid_grant"})] * 3
    assert outcome(missing) == (400, {"error": "invalid_request"})


async def test_rotation_replaces_the_refresh_token_at_once(
    aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser
) -> None:
    """With rotation and no grace the old token is dead, and the sign-in stays the same."""
    client = pool.add_client("web", redirect_uris=[CALLBACK], refresh_token_rotation=True)
    first = await sign_in(aws, client)
    async with aws.http_client() as http:
        second = await refresh(http, client, first["refresh_token"])
        reused = await refresh(http, client, first["refresh_token"])
        third = await refresh(http, client, second.json()["refresh_token"])
    assert second.json()["refresh_token"] != first["refresh_token"]
    assert outcome(reused) == (400, {"error": "invalid_grant"})
    assert third.status_code == 200
    assert claims_of(third.json()["access_token"])["origin_jti"] == claims_of(first["access_token"])["origin_jti"]


async def test_a_rotated_token_works_during_its_grace(
    aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser
) -> None:
    """The grace counts from the first use and is not prolonged by the second."""
    client = pool.add_client("web", redirect_uris=[CALLBACK], refresh_token_rotation=True, retry_grace_period=30)
    token = (await sign_in(aws, client))["refresh_token"]
    statuses = []
    async with aws.http_client() as http:
        for seconds in (0, 20, 20):
            aws.clock.advance(seconds)
            statuses.append((await refresh(http, client, token)).status_code)
    assert statuses == [200, 200, 400]


async def test_a_rotated_token_lives_for_the_remaining_time(
    aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser
) -> None:
    """Rotation does not slide: the chain ends when the first token would have ended."""
    client = pool.add_client("web", redirect_uris=[CALLBACK], refresh_token_rotation=True, refresh_token_validity=3_600)
    token = (await sign_in(aws, client))["refresh_token"]
    async with aws.http_client() as http:
        aws.clock.advance(3_000)
        second = (await refresh(http, client, token)).json()["refresh_token"]
        aws.clock.advance(500)
        third = (await refresh(http, client, second)).json()["refresh_token"]
        aws.clock.advance(200)
        late = await refresh(http, client, third)
    assert outcome(late) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(("kills", "status"), [(False, 200), (True, 400)])
async def test_reuse_of_a_rotated_token_follows_its_switch(kills: bool, status: int) -> None:
    """Whether reuse revokes the whole sign-in is not known."""
    aws, client = emulator_with_web(refresh_reuse_revokes_sign_in=kills)
    token = (await sign_in(aws, client))["refresh_token"]
    async with aws.http_client() as http:
        second = (await refresh(http, client, token)).json()["refresh_token"]
        await refresh(http, client, token)
        assert (await refresh(http, client, second)).status_code == status


@pytest.mark.parametrize(
    ("form", "scope"),
    [
        pytest.param({}, "orders/read orders/write", id="all of the client's"),
        pytest.param({"scope": "orders/read"}, "orders/read", id="some"),
        pytest.param({"scope": "orders/write orders/read"}, "orders/write orders/read", id="in the order asked"),
        pytest.param({"aws_client_metadata": '{"tenant":"a"}'}, "orders/read orders/write", id="metadata"),
    ],
)
async def test_a_machine_gets_its_scopes(
    aws: CognitoEmulator, job: EmulatedAppClient, form: dict[str, str], scope: str
) -> None:
    """Client credentials give an access token only."""
    async with aws.http_client() as http:
        answer = await http.post(
            TOKEN,
            data={"grant_type": "client_credentials", **form},
            headers=basic(job.client_id, job.client_secret),
        )
    assert set(answer.json()) == {"access_token", "expires_in", "token_type"}
    claims = claims_of(answer.json()["access_token"])
    assert set(claims) == {"sub", "token_use", "scope", "auth_time", "iss", "exp", "iat", "version", "jti", "client_id"}
    assert (claims["sub"], claims["client_id"], claims["scope"]) == (job.client_id, job.client_id, scope)
    assert (claims["iss"], claims["version"]) == (ISSUER, 2)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        pytest.param({"scope": "bills/pay"}, "invalid_scope", id="scope of another client"),
        pytest.param({"scope": "openid"}, "invalid_scope", id="openid"),
        pytest.param({"aws_client_metadata": "[1]"}, "invalid_request", id="metadata is a list"),
        pytest.param({"aws_client_metadata": "{"}, "invalid_request", id="metadata is no JSON"),
        pytest.param(
            {"grant_type": "authorization_code", "code": "x", "redirect_uri": CALLBACK},
            "unauthorized_client",
            id="code",
        ),
    ],
)  # fmt: skip
async def test_a_bad_machine_request_is_refused_by_its_cause(
    aws: CognitoEmulator, job: EmulatedAppClient, form: dict[str, str], error: str
) -> None:
    """Each mistake has its error."""
    async with aws.http_client() as http:
        answer = await http.post(
            TOKEN,
            data={"grant_type": "client_credentials", **form},
            headers=basic(job.client_id, job.client_secret),
        )
    assert outcome(answer) == (400, {"error": error})


async def test_a_scope_a_machine_lacks_may_be_ignored() -> None:
    """The other reading of the guide is a switch."""
    aws = CognitoEmulator(behaviour=Behaviour(machine_scope_not_allowed="ignore"))
    pool = aws.add_pool(POOL_ID, domain="orders")
    pool.add_resource_server("orders", scopes=["read", "write"])
    job = pool.add_client("job", grants=["client_credentials"], scopes=["orders/read"])
    form = {"grant_type": "client_credentials", "scope": "orders/read orders/write"}
    async with aws.http_client() as http:
        answer = await http.post(TOKEN, data=form, headers=basic(job.client_id, job.client_secret))
    assert claims_of(answer.json()["access_token"])["scope"] == "orders/read"


async def test_tokens_carry_the_issuer_of_the_address_that_was_asked(
    aws: CognitoEmulator, web: EmulatedAppClient
) -> None:
    """Under a base URL the issuer is below it; a pool of the updated type uses that host."""
    root = "http://127.0.0.1:9229/orders"
    web.pool.issuer_type = "updated"
    production = claims_of((await sign_in(aws, web))["id_token"])
    async with aws.http_client() as http:
        person = aws.person("ann", "correct horse", http_client=http)
        callback = await person.follow(f"{root}/oauth2/authorize?response_type=code&client_id={web.client_id}")
        code = callback.split("code=")[1]
        local = await exchange(http, web, code, root=root, code_verifier=None)
    assert production["iss"] == ISSUER.replace("cognito-idp", "issuer-cognito-idp")
    assert claims_of(local.json()["id_token"])["iss"] == f"http://127.0.0.1:9229/issuer-cognito-idp/{POOL_ID}"
