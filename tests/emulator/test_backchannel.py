import pytest

from cognito_oidc.emulator import Behaviour, CognitoEmulator, EmulatedAppClient, EmulatedPool, EmulatedUser
from tests.emulator.support import (
    CALLBACK,
    ISSUER,
    POOL_ID,
    REVOKE,
    SECRET,
    USERINFO,
    basic,
    emulator_with_web,
    outcome,
    refresh,
    sign_in,
)

pytestmark = pytest.mark.anyio


async def test_userinfo_answers_in_strings(aws: CognitoEmulator, web: EmulatedAppClient, ann: EmulatedUser) -> None:
    """Booleans are the strings "true" and "false", and there is a `username`."""
    tokens = await sign_in(aws, web, scope="openid")
    async with aws.http_client() as http:
        answer = await http.get(USERINFO, headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert answer.json() == {
        "sub": ann.sub,
        "email": "ann@acme.com",
        "email_verified": "true",
        "name": "Ann",
        "custom:tenant": "42",
        "phone_number": "+15550100",
        "phone_number_verified": "false",
        "username": "ann",
    }
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("authorization", "status", "error"),
    [
        pytest.param(None, 400, "invalid_request", id="no header"),
        pytest.param("Bearer ", 400, "invalid_request", id="no token"),
        pytest.param("Basic YTpi", 400, "invalid_request", id="another scheme"),
        pytest.param("Bearer x", 401, "invalid_token", id="garbage"),
        pytest.param("Bearer e30.e30.!", 401, "invalid_token", id="no base64"),
        pytest.param("Bearer W10.W10.AA", 401, "invalid_token", id="lists"),
        pytest.param("Bearer " + "W" * 30_000 + ".e30.AA", 401, "invalid_token", id="deep"),
    ],
)
async def test_userinfo_refuses_with_a_header_without_scheme(
    aws: CognitoEmulator, pool: EmulatedPool, authorization: str | None, status: int, error: str
) -> None:
    """The documented WWW-Authenticate header lacks the word Bearer."""
    headers = {"Authorization": authorization} if authorization is not None else {}
    async with aws.http_client() as http:
        answer = await http.get(USERINFO, headers=headers)
    assert answer.status_code == status
    assert answer.headers["www-authenticate"].startswith(f'error="{error}", error_description="')


async def test_userinfo_refuses_other_tokens(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient, ann: EmulatedUser
) -> None:
    """ID tokens, expired, forged and foreign tokens, and tokens of a removed client are refused."""
    other = aws.add_pool("eu-west-1_Other0001")
    other.add_user("ann", password="x")
    gone = pool.add_client("gone", redirect_uris=[CALLBACK])
    del pool.clients[gone.client_id]
    good = pool.issue_access_token(ann)
    bad = [
        pool.issue_id_token(ann),
        pool.issue_access_token(ann, exp=int(aws.clock()) - 1),
        pool.issue_access_token(ann, exp="soon"),
        pool.issue_access_token(ann, sub="somebody"),
        pool.issue_access_token(ann, client=gone),
        other.issue_access_token("ann"),
        good[:-6] + "AAAAAA",
    ]
    async with aws.http_client() as http:
        answers = [await http.get(USERINFO, headers={"Authorization": f"Bearer {token}"}) for token in bad]
        taken = await http.get(USERINFO, headers={"Authorization": f"Bearer {good}"})
    assert [answer.status_code for answer in answers] == [401] * len(bad)
    assert taken.status_code == 200


@pytest.mark.parametrize("status", [401, 403])
async def test_userinfo_needs_openid(status: int) -> None:
    """A token without `openid` is told so, with a status that can be chosen."""
    aws, client = emulator_with_web(userinfo_missing_scope_status=status)
    token = client.pool.issue_access_token("ann", scopes=["aws.cognito.signin.user.admin"])
    async with aws.http_client() as http:
        answer = await http.get(USERINFO, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status
    assert "Access token does not contain openid scope" in answer.headers["www-authenticate"]


@pytest.mark.parametrize(("by_post", "status"), [(False, 405), (True, 200)])
async def test_userinfo_by_post_follows_its_switch(by_post: bool, status: int) -> None:
    """The guide documents GET only."""
    aws, client = emulator_with_web(userinfo_by_post=by_post)
    token = client.pool.issue_access_token("ann")
    async with aws.http_client() as http:
        answer = await http.post(USERINFO, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status


async def test_revocation_ends_one_sign_in_and_no_other(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """Everything with the same `origin_jti` dies; another sign-in of the person lives on."""
    doomed, spared = await sign_in(aws, web), await sign_in(aws, web)
    async with aws.http_client() as http:
        renewed = (await refresh(http, web, doomed["refresh_token"])).json()["access_token"]
        answer = await http.post(REVOKE, data={"token": doomed["refresh_token"], "client_id": web.client_id})
        again = await http.post(REVOKE, data={"token": doomed["refresh_token"], "client_id": web.client_id})
        statuses = [
            (await http.get(USERINFO, headers={"Authorization": f"Bearer {token}"})).status_code
            for token in (doomed["access_token"], renewed, spared["access_token"])
        ]
        dead, alive = (
            await refresh(http, web, doomed["refresh_token"]),
            await refresh(http, web, spared["refresh_token"]),
        )
    assert [(each.status_code, each.content) for each in (answer, again)] == [(200, b"")] * 2
    assert statuses == [401, 401, 200]
    assert (outcome(dead), alive.status_code) == ((400, {"error": "invalid_grant"}), 200)


async def test_revocation_refuses_by_cause(
    aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient, confidential: EmulatedAppClient
) -> None:
    """Missing token, wrong kind of token, wrong client and a client without revocation."""
    tokens = await sign_in(aws, web)
    fixed = pool.add_client("fixed", redirect_uris=[CALLBACK], token_revocation=False)
    client = {"client_id": web.client_id}
    async with aws.http_client() as http:
        missing = await http.post(REVOKE, data=client)
        access = await http.post(REVOKE, data={**client, "token": tokens["access_token"]})
        identity = await http.post(REVOKE, data={**client, "token": tokens["id_token"]})
        unknown = await http.post(REVOKE, data={**client, "token": "nonsense"})
        nobody = await http.post(REVOKE, data={"client_id": "nobody", "token": tokens["refresh_token"]})
        no_secret = await http.post(REVOKE, data={"client_id": confidential.client_id, "token": "x"})
        stolen = await http.post(REVOKE, data={"client_id": fixed.client_id, "token": tokens["refresh_token"]})
        no_form = await http.post(REVOKE, json={"token": "x"})
        foreign = await http.post(
            REVOKE, data={"token": tokens["refresh_token"]}, headers=basic(confidential.client_id, SECRET)
        )
        still_alive = await refresh(http, web, tokens["refresh_token"])
    assert outcome(missing) == (400, {"error": "invalid_request"})
    assert outcome(access) == outcome(identity) == (400, {"error": "unsupported_token_type"})
    assert (unknown.status_code, unknown.content) == (200, b"")
    assert outcome(nobody) == (401, {"error": "invalid_client"})
    assert no_secret.status_code == 401
    assert outcome(stolen) == (400, {"error": "invalid_request"})
    assert no_form.status_code == 405
    assert outcome(foreign) == (400, {"error": "invalid_grant"})
    assert still_alive.status_code == 200


@pytest.mark.parametrize(("in_body", "status"), [(True, 200), (False, 401)])
async def test_a_secret_in_the_form_of_a_revocation_follows_its_switch(in_body: bool, status: int) -> None:
    """Only Basic is documented."""
    aws, client = emulator_with_web(revoke_secret_in_body=in_body)
    shop = client.pool.add_client("shop", redirect_uris=[CALLBACK], client_secret=SECRET)
    async with aws.http_client() as http:
        by_form = await http.post(REVOKE, data={"client_id": shop.client_id, "client_secret": SECRET, "token": "x"})
        by_header = await http.post(REVOKE, data={"token": "x"}, headers=basic(shop.client_id, SECRET))
    assert (by_form.status_code, by_header.status_code) == (status, 200)


async def test_documents_of_the_issuer_follow_their_switches() -> None:
    """The other issuer host may be off, and the key set may say how long it lives."""
    aws = CognitoEmulator(behaviour=Behaviour(both_issuer_hosts=False, key_set_max_age=600))
    aws.add_pool(POOL_ID, issuer_type="updated")
    updated = ISSUER.replace("cognito-idp", "issuer-cognito-idp")
    async with aws.http_client() as http:
        served = await http.get(f"{updated}/.well-known/jwks.json")
        refused = [await http.get(f"{ISSUER}/.well-known/{name}") for name in ("jwks.json", "openid-configuration")]
    assert (served.status_code, served.headers["cache-control"]) == (200, "public, max-age=600")
    assert [each.status_code for each in refused] == [400, 400]
