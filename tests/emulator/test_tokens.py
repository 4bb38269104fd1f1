import base64
import hashlib
import json
import re
import uuid

import jwt
import pytest

from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool, EmulatedUser
from tests.emulator.support import CALLBACK, ISSUER, claims_of, exchange, get_code, refresh, sign_in

pytestmark = pytest.mark.anyio


async def key_set(aws: CognitoEmulator) -> jwt.PyJWKSet:
    """Return the key set as PyJWT reads it."""
    async with aws.http_client() as http:
        return jwt.PyJWKSet.from_dict((await http.get(f"{ISSUER}/.well-known/jwks.json")).json())


async def test_the_id_token_has_the_claims_of_cognito(
    aws: CognitoEmulator, web: EmulatedAppClient, ann: EmulatedUser
) -> None:
    """Every claim of an ID token from the code grant is there, with its type, and no other."""
    claims = claims_of((await sign_in(aws, web))["id_token"])
    now = aws.clock()
    assert claims.pop("auth_time") == pytest.approx(now, abs=5)
    assert claims.pop("iat") == pytest.approx(now, abs=5)
    assert claims.pop("exp") == pytest.approx(now + 3_600, abs=5)
    for name in ("origin_jti", "event_id", "jti"):
        assert str(uuid.UUID(str(claims[name]))) == claims.pop(name)
    assert re.fullmatch(r"[\w-]{22}", str(claims.pop("at_hash")))
    assert claims == {
        "sub": ann.sub,
        "cognito:groups": ["admins"],
        "email_verified": True,
        "iss": ISSUER,
        "cognito:username": "ann",
        "nonce": "n1",
        "aud": web.client_id,
        "token_use": "id",
        "email": "ann@acme.com",
        "acr": "urn:cognito:loa:1",
        "amr": ["pwd"],
    }


async def test_the_access_token_has_the_claims_of_cognito(
    aws: CognitoEmulator, web: EmulatedAppClient, ann: EmulatedUser
) -> None:
    """Every claim of an access token from the code grant is there, without `aud`, and no other."""
    tokens = await sign_in(aws, web)
    claims = claims_of(tokens["access_token"])
    id_claims = claims_of(tokens["id_token"])
    assert claims.pop("jti") != id_claims["jti"]
    assert {name: claims.pop(name) for name in ("origin_jti", "event_id", "auth_time", "iat", "exp")} == {
        name: id_claims[name] for name in ("origin_jti", "event_id", "auth_time", "iat", "exp")
    }
    assert claims == {
        "sub": ann.sub,
        "cognito:groups": ["admins"],
        "iss": ISSUER,
        "version": 2,
        "client_id": web.client_id,
        "token_use": "access",
        "scope": "openid email",
        "username": "ann",
        "acr": "urn:cognito:loa:1",
        "amr": ["pwd"],
    }


async def test_the_header_has_kid_and_alg_only(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """The kids of the two tokens differ, and slashes are escaped as Cognito does."""
    tokens = await sign_in(aws, web)
    id_header, access_header = (jwt.get_unverified_header(tokens[name]) for name in ("id_token", "access_token"))
    assert set(id_header) == {"kid", "alg"}
    assert id_header["alg"] == "RS256"
    assert len(id_header["kid"]) == 44
    assert id_header["kid"] != access_header["kid"]
    payload = tokens["id_token"].split(".")[1]
    assert b"https:\\/\\/cognito-idp" in base64.urlsafe_b64decode(payload + "==")


async def test_the_key_set_holds_one_key_for_each_kind_of_token(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """The key set has two RSA keys of 2,048 bits and nothing private."""
    async with aws.http_client() as http:
        keys = (await http.get(f"{ISSUER}/.well-known/jwks.json")).json()["keys"]
    assert [set(key) for key in keys] == [{"alg", "e", "kid", "kty", "n", "use"}] * 2
    assert [(key["alg"], key["e"], key["kty"], key["use"]) for key in keys] == [("RS256", "AQAB", "RSA", "sig")] * 2
    assert [len(key["n"]) for key in keys] == [342, 342]


async def test_at_hash_belongs_to_the_access_token(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """`at_hash` is the left half of the SHA-256 of the access token (OpenID Connect Core 3.1.3.6)."""
    tokens = await sign_in(aws, web)
    digest = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims_of(tokens["id_token"])["at_hash"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


async def test_the_refresh_token_looks_like_cognitos(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """It has five parts and the header that every refresh token of Cognito has."""
    refresh_token = (await sign_in(aws, web))["refresh_token"]
    assert refresh_token.startswith("eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIiwiYWxnIjoiUlNBLU9BRVAifQ.")
    assert refresh_token.count(".") == 4


@pytest.mark.parametrize(
    ("scope", "attributes"),
    [
        pytest.param(
            "openid",
            {"email", "email_verified", "name", "custom:tenant", "phone_number", "phone_number_verified"},
            id="openid alone shows all",
        ),
        pytest.param("openid email", {"email", "email_verified"}, id="email"),
        pytest.param("openid phone", {"phone_number", "phone_number_verified"}, id="phone"),
        pytest.param("openid profile", {"name", "custom:tenant"}, id="profile"),
    ],
)
async def test_scopes_limit_the_attributes(
    aws: CognitoEmulator, web: EmulatedAppClient, ann: EmulatedUser, scope: str, attributes: set[str]
) -> None:
    """The ID token and userInfo show the attributes of the scopes."""
    tokens = await sign_in(aws, web, scope=scope)
    assert set(ann.attributes) & set(claims_of(tokens["id_token"])) == attributes
    async with aws.http_client() as http:
        info = await http.get(
            "https://orders.auth.eu-west-1.amazoncognito.com/oauth2/userInfo",
            headers={"Authorization": f"Bearer {tokens['access_token']}"},
        )
    assert set(info.json()) == attributes | {"sub", "username"}


async def test_an_address_is_an_object_in_the_id_token(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """`address` has the shape of OpenID Connect Core 5.1.1."""
    pool.add_user("bob", password="x", attributes={"address": "1 Main St"})
    assert claims_of(pool.issue_id_token("bob"))["address"] == {"formatted": "1 Main St"}


async def test_roles_come_from_groups(pool: EmulatedPool, ann: EmulatedUser) -> None:
    """The group with the lowest precedence gives the preferred role."""
    pool.add_group("admins", role_arn="arn:aws:iam::111122223333:role/admin", precedence=5)
    pool.add_group("staff", role_arn="arn:aws:iam::111122223333:role/staff", precedence=1)
    ann.groups.append("staff")
    claims = claims_of(pool.issue_id_token(ann))
    assert claims["cognito:preferred_role"] == "arn:aws:iam::111122223333:role/staff"
    assert claims["cognito:roles"] == [
        "arn:aws:iam::111122223333:role/staff",
        "arn:aws:iam::111122223333:role/admin",
    ]


async def test_a_bare_person_has_no_empty_claims(pool: EmulatedPool) -> None:
    """Arrays that would be empty are absent."""
    pool.add_user("bob", password="x")
    claims = claims_of(pool.issue_id_token("bob"))
    assert not {"cognito:groups", "cognito:roles", "identities", "nonce", "at_hash"} & set(claims)


async def test_sub_is_no_valid_uuid(ann: EmulatedUser) -> None:
    """`sub` looks like a UUID but has a variant that RFC 9562 does not have."""
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ann.sub)
    assert uuid.UUID(ann.sub).variant != uuid.RFC_4122


async def test_without_revocation_there_is_no_origin_jti(
    aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser
) -> None:
    """`jti` and `origin_jti` exist only while revocation or rotation is on."""
    client = pool.add_client("old", redirect_uris=[CALLBACK], token_revocation=False)
    tokens = await sign_in(aws, client)
    assert not {"jti", "origin_jti"} & set(claims_of(tokens["access_token"])) | {"jti", "origin_jti"} & set(
        claims_of(tokens["id_token"])
    )


@pytest.mark.parametrize("withdraw_old", [False, True])
async def test_rotation_keeps_or_withdraws_the_old_keys(
    aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser, withdraw_old: bool
) -> None:
    """New tokens have new kids; old tokens verify as long as their key is published."""
    old, before = pool.issue_access_token(ann), await key_set(aws)
    pool.rotate_keys(withdraw_old=withdraw_old)
    new, after = pool.issue_access_token(ann), await key_set(aws)
    published = {key.key_id for key in after.keys}
    assert jwt.get_unverified_header(new)["kid"] in published
    assert jwt.get_unverified_header(new)["kid"] not in {key.key_id for key in before.keys}
    assert (jwt.get_unverified_header(old)["kid"] in published) is not withdraw_old
    assert len(after.keys) == (2 if withdraw_old else 4)


async def test_userinfo_refuses_a_token_of_a_withdrawn_key(
    aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser
) -> None:
    """The service itself stops trusting a key that it withdrew."""
    token = pool.issue_access_token(ann)
    pool.rotate_keys(withdraw_old=True)
    async with aws.http_client() as http:
        answer = await http.get(
            "https://orders.auth.eu-west-1.amazoncognito.com/oauth2/userInfo",
            headers={"Authorization": f"Bearer {token}"},
        )
    assert answer.status_code == 401


async def test_pools_have_keys_of_their_own(aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser) -> None:
    """A token of one pool does not verify with the keys of another."""
    other = aws.add_pool("eu-west-1_Other0001")
    kids = {key["kid"] for key in other.keys.key_set()["keys"]}
    assert jwt.get_unverified_header(pool.issue_access_token(ann))["kid"] not in kids


async def test_claims_and_headers_of_an_issued_token_can_be_changed(pool: EmulatedPool, ann: EmulatedUser) -> None:
    """Overrides replace claims and header members, and `...` leaves a claim out."""
    token = pool.issue_access_token(
        ann,
        scopes=["openid", "orders/read"],
        headers={"typ": "JWT"},
        claims={"cognito:groups": ["x"], "exp": 2},
        exp=1,
        token_use=...,
    )
    claims = claims_of(token)
    assert jwt.get_unverified_header(token)["typ"] == "JWT"
    assert (claims["exp"], claims["scope"], claims["cognito:groups"]) == (1, "openid orders/read", ["x"])
    assert "token_use" not in claims


async def test_a_machine_token_can_be_issued(pool: EmulatedPool) -> None:
    """An app client as the subject gives the claims of client credentials."""
    pool.add_resource_server("orders", scopes=["read"])
    job = pool.add_client("job", grants=["client_credentials"])
    claims = claims_of(pool.issue_access_token(job, scopes=["orders/read"]))
    assert set(claims) == {"sub", "token_use", "scope", "auth_time", "iss", "exp", "iat", "version", "jti", "client_id"}
    assert (claims["sub"], claims["scope"]) == (job.client_id, "orders/read")


async def test_issued_tokens_are_known_to_userinfo_and_sign_out(
    aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser
) -> None:
    """A token issued without a flow is answered by userInfo until the person signs out everywhere."""
    url = "https://orders.auth.eu-west-1.amazoncognito.com/oauth2/userInfo"
    headers = {"Authorization": f"Bearer {pool.issue_access_token(ann)}"}
    async with aws.http_client() as http:
        before = (await http.get(url, headers=headers)).status_code
        ann.sign_out_everywhere()
        after = (await http.get(url, headers=headers)).status_code
    assert (before, after) == (200, 401)


async def test_changed_attributes_are_seen_by_the_next_token(
    aws: CognitoEmulator, web: EmulatedAppClient, ann: EmulatedUser
) -> None:
    """A refresh shows the directory as it is now, and the sign-in as it was."""
    tokens = await sign_in(aws, web)
    ann.attributes["email"] = "ann@example.com"
    aws.clock.advance(100)
    async with aws.http_client() as http:
        renewed = claims_of((await refresh(http, web, tokens["refresh_token"])).json()["id_token"])
    first = claims_of(tokens["id_token"])
    assert renewed["email"] == "ann@example.com"
    assert (renewed["auth_time"], renewed["origin_jti"]) == (first["auth_time"], first["origin_jti"])
    assert (renewed["jti"] != first["jti"], renewed["iat"] != first["iat"]) == (True, True)


async def test_resource_becomes_the_audience_and_stays_on_refresh(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """`resource` at authorize gives `aud`, also after a refresh."""
    tokens = await sign_in(aws, web, resource="https://api.example")
    async with aws.http_client() as http:
        renewed = (await refresh(http, web, tokens["refresh_token"])).json()["access_token"]
    assert claims_of(tokens["access_token"])["aud"] == claims_of(renewed)["aud"] == "https://api.example"
    assert claims_of(tokens["id_token"])["aud"] == web.client_id


async def test_validity_is_the_app_clients(aws: CognitoEmulator, pool: EmulatedPool, ann: EmulatedUser) -> None:
    """`expires_in` and `exp` follow the app client's own numbers."""
    client = pool.add_client("short", redirect_uris=[CALLBACK], access_token_validity=300, id_token_validity=600)
    async with aws.http_client() as http:
        answer = (await exchange(http, client, await get_code(aws, client))).json()
    access, identity = claims_of(answer["access_token"]), claims_of(answer["id_token"])
    assert answer["expires_in"] == 300
    assert [int(json.dumps(each["exp"])) - int(json.dumps(each["iat"])) for each in (access, identity)] == [300, 600]
