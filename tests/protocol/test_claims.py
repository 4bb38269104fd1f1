"""Which claims make a token good: one good token, and rows that change one thing each and name what is refused.

The rows run through the pure checks, and signed through a verifier, which must say the same.
"""

import json
import tracemalloc
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc import CachePolicy
from cognito_oidc.errors import (
    ExpiredTokenError,
    InsufficientScopeError,
    InvalidClaimError,
    MalformedTokenError,
    TokenVerificationError,
)
from cognito_oidc.protocol.claims import (
    NO_REQUIREMENTS,
    IdExpectations,
    Requirements,
    TokenRules,
    check_access_token,
    check_again,
    check_id_token,
    check_requirements,
    check_times,
    valid_between,
)
from cognito_oidc.protocol.typed_claims import AccessTokenClaims, IdTokenClaims, freeze
from tests.factories import (
    ABSENT,
    ACCESS_KID,
    CLIENT_ID,
    ID_KID,
    ISSUER,
    NOW,
    SUB,
    access_payload,
    b64,
    id_payload,
    rsa_key,
    sign,
    sign_segments,
    sync_verifier,
)

DAY = 86_400
API = "https://api.example.com"
RULES = TokenRules(AccessTokenClaims, client_ids=frozenset({CLIENT_ID}), leeway=0)
Row = Mapping[str, object]


def check_access(
    payload: dict[str, object],
    *,
    client_ids: frozenset[str] | None = frozenset({CLIENT_ID}),
    now: float = NOW,
    leeway: float = 0,
    resource: str | None = None,
) -> AccessTokenClaims:
    """Check an access token's claims as a verifier of one app client does."""
    rules = TokenRules(AccessTokenClaims, client_ids=client_ids, leeway=leeway)
    return check_access_token(payload, now, Requirements(resource=resource), rules)


def check_id(
    payload: dict[str, object],
    *,
    client_ids: frozenset[str] | None = frozenset({CLIENT_ID}),
    now: float = NOW,
    leeway: float = 0,
    nonce: str | None = None,
    max_age: float | None = None,
    access_token: str | None = None,
) -> IdTokenClaims:
    """Check an ID token's claims as a verifier of one app client does."""
    rules = TokenRules(IdTokenClaims, client_ids=client_ids, leeway=leeway)
    expected = IdExpectations(nonce, access_token, max_age)
    return check_id_token(payload, now, expected, rules)


def nested(levels: int) -> object:
    """Return a claim with so many arrays inside each other."""
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


# --- what passes ------------------------------------------------------------------------------------------------------

MACHINE = {
    "sub": CLIENT_ID,
    "scope": "orders/read",
    "username": ABSENT,
    "origin_jti": ABSENT,
    "event_id": ABSENT,
    "cognito:groups": ABSENT,
}

GOOD_TIMES = [
    pytest.param({"exp": NOW + 1}, id="ends-in-a-second"),
    pytest.param({"exp": NOW + 0.5}, id="ends-in-half-a-second"),
    pytest.param({"exp": NOW + DAY}, id="lives-24-h"),
    pytest.param({"exp": NOW + 1, "iat": NOW + 1 - DAY}, id="lived-24-h"),
    pytest.param({"exp": NOW + DAY + 60, "iat": NOW + 60}, id="lives-24-h-from-an-iat-ahead"),
    pytest.param({"iat": NOW + 60}, id="iat-60-s-ahead"),
    pytest.param({"iat": NOW + 60.0}, id="iat-60-s-ahead-as-a-float"),
    pytest.param({"iat": NOW + 60, "exp": NOW + 1}, id="iat-after-exp-within-the-difference-of-clocks"),
    pytest.param({"nbf": NOW + 60}, id="nbf-60-s-ahead"),
    pytest.param({"nbf": NOW}, id="nbf-now"),
    pytest.param({"nbf": 0}, id="nbf-at-the-epoch"),
    pytest.param({"exp": NOW + 3600.0, "iat": NOW + 0.25, "auth_time": NOW - 0.25}, id="float-times"),
    pytest.param({"exp": float(NOW + 3600), "iat": float(NOW)}, id="whole-floats"),
    pytest.param({"auth_time": NOW - 30 * DAY}, id="signed-in-a-month-ago"),
    pytest.param({"auth_time": 0}, id="signed-in-at-the-epoch"),
    pytest.param({"auth_time": ABSENT}, id="auth-time-absent"),
]

GOOD_COMMON = [
    pytest.param({}, id="as-cognito-issues-it"),
    pytest.param({"cognito:groups": ABSENT}, id="groups-absent"),
    pytest.param({"cognito:groups": []}, id="groups-empty"),
    pytest.param({"jti": ABSENT, "origin_jti": ABSENT}, id="revocation-switched-off"),
    pytest.param({"event_id": ABSENT}, id="event-id-absent"),
    pytest.param({"sub": "not-a-uuid"}, id="sub-is-opaque"),
    pytest.param({"acr": "urn:cognito:loa:4", "amr": ["pwd", "otp", "mfa"]}, id="acr-and-amr"),
    pytest.param({"foo": None, "bar": [1, {"a": []}], "baz": {"x": 1.5}}, id="unknown-claims-of-any-type"),
    pytest.param({"custom:tenant": "42", "Exp": "x", "EXP": None}, id="names-in-another-case-are-others"),
    pytest.param({"deep": nested(31)}, id="32-levels"),
    pytest.param({"big": 10**1000}, id="unknown-number-of-1001-digits"),
    pytest.param({"act": {"sub": "x"}}, id="delegation"),
    *GOOD_TIMES,
]

GOOD_ACCESS = [
    *GOOD_COMMON,
    pytest.param({"version": ABSENT, "scope": "aws.cognito.signin.user.admin"}, id="api-sign-in"),
    pytest.param(MACHINE, id="machine"),
    pytest.param({"aud": CLIENT_ID}, id="aud-is-the-client"),
    pytest.param({"scope": ABSENT}, id="scope-absent"),
    pytest.param({"scope": ""}, id="scope-empty"),
    pytest.param({"username": ABSENT}, id="username-absent"),
    pytest.param({"username": ""}, id="username-empty"),
    pytest.param({"version": 1}, id="version-1"),
    pytest.param({"device_key": "eu-west-1_d"}, id="device-key"),
    pytest.param({"email": True, "nonce": 5, "at_hash": None}, id="claims-of-the-other-kind-are-unknown-here"),
]

GOOD_ID = [
    *GOOD_COMMON,
    pytest.param({"nonce": ABSENT}, id="nonce-absent"),
    pytest.param({"at_hash": "t6d-"}, id="at-hash"),
    pytest.param({"email": ABSENT, "email_verified": ABSENT}, id="no-profile"),
    pytest.param({"email": None, "email_verified": "true", "name": ["a"]}, id="profile-of-odd-types"),
    pytest.param({"cognito:roles": ABSENT, "cognito:preferred_role": ABSENT}, id="no-roles"),
    pytest.param({"cognito:username": ABSENT}, id="username-absent"),
    pytest.param({"identities": [{"userId": "1", "primary": "true", "issuer": None}]}, id="federated"),
    pytest.param({"scope": 5, "version": "x", "client_id": None}, id="claims-of-the-other-kind-are-unknown-here"),
]


@pytest.mark.parametrize("row", GOOD_ACCESS)
def test_a_good_access_token_passes(row: Row) -> None:
    """What is allowed passes, however odd it looks, and every claim is kept."""
    payload = access_payload(**row)
    assert check_access(dict(payload)).to_dict() == payload


@pytest.mark.parametrize("row", GOOD_ACCESS)
def test_a_verifier_accepts_a_good_access_token(row: Row) -> None:
    """The same tokens, signed, pass a verifier."""
    payload = access_payload(**row)
    assert sync_verifier().verify_access_token(sign(payload)).to_dict() == payload


@pytest.mark.parametrize("row", GOOD_ID)
def test_a_good_id_token_passes(row: Row) -> None:
    """What is allowed passes, however odd it looks, and every claim is kept."""
    payload = id_payload(**row)
    assert check_id(dict(payload)).to_dict() == payload


@pytest.mark.parametrize("row", GOOD_ID)
def test_a_verifier_accepts_a_good_id_token(row: Row) -> None:
    """The same tokens, signed, pass a verifier."""
    payload = id_payload(**row)
    assert sync_verifier().verify_id_token(sign(payload), nonce=None).to_dict() == payload


@pytest.mark.parametrize("roles", [pytest.param({}, id="empty"), pytest.param({"a": 1}, id="with-a-member")])
def test_an_object_is_never_read_as_an_array(roles: dict[str, object]) -> None:
    """Roles of another type are refused, as in an ID token, or kept as they came."""
    try:
        kept = check_access(access_payload(**{"cognito:roles": roles})).to_dict()["cognito:roles"]
    except InvalidClaimError:
        return
    assert kept == roles


# --- what is refused --------------------------------------------------------------------------------------------------

NO_STRINGS: Mapping[str, object] = {
    "null": None,
    "number": 7,
    "float": 7.5,
    "boolean": True,
    "list": ["x"],
    "object": {"x": "x"},
}
NO_TIMES: Mapping[str, object] = {
    "null": None,
    "string": str(NOW + 60),
    "boolean": True,
    "list": [NOW + 60],
    "object": {},
    "infinite": float("1e999"),
    "minus-infinite": float("-1e999"),
    "17-digits": 10**16,
    "17-digits-negative": -(10**16),
    "17-digits-as-a-float": 1e16,
    "301-digits": 10**300,
    "401-digits": 10**400,
    "401-digits-negative": -(10**400),
}
NO_ARRAYS_OF_STRINGS: Mapping[str, object] = {
    "null": None,
    "string": "admins",
    "number": 1,
    "boolean": False,
    "object": {"admins": True},
    "list-of-numbers": [1],
    "list-with-null": ["admins", None],
    "list-with-a-boolean": [True],
    "list-in-a-list": [["admins"]],
    "object-in-a-list": [{"admins": 1}],
}


def rows(names: tuple[str, ...], values: Mapping[str, object]) -> list[object]:
    """Return a row for each claim and each value of a wrong type."""
    return [
        pytest.param({name: value}, InvalidClaimError, name, id=f"{name}-{what}")
        for name in names
        for what, value in values.items()
    ]


def absent(*names: str) -> list[object]:
    """Return a row for each claim that must be there."""
    return [pytest.param({name: ABSENT}, InvalidClaimError, name, id=f"{name}-absent") for name in names]


BAD_TIMES = [
    pytest.param({"exp": NOW}, ExpiredTokenError, "exp", id="exp-now"),
    pytest.param({"exp": float(NOW)}, ExpiredTokenError, "exp", id="exp-now-as-a-float"),
    pytest.param({"exp": NOW - 1}, ExpiredTokenError, "exp", id="exp-a-second-ago"),
    pytest.param({"exp": NOW - 0.001}, ExpiredTokenError, "exp", id="exp-a-millisecond-ago"),
    pytest.param({"exp": 0}, ExpiredTokenError, "exp", id="exp-zero"),
    pytest.param({"exp": -1}, ExpiredTokenError, "exp", id="exp-negative"),
    pytest.param({"exp": 1 - 10**16}, ExpiredTokenError, "exp", id="exp-as-negative-as-may-be"),
    pytest.param({"exp": 10**16 - 1}, InvalidClaimError, "exp", id="exp-in-milliseconds-of-the-far-future"),
    pytest.param({"exp": (NOW + 3600) * 1000}, InvalidClaimError, "exp", id="exp-in-milliseconds"),
    pytest.param({"exp": NOW + DAY + 1}, InvalidClaimError, "exp", id="lives-24-h-and-a-second"),
    pytest.param({"exp": NOW + DAY + 0.5}, InvalidClaimError, "exp", id="lives-24-h-and-half-a-second"),
    pytest.param({"exp": NOW + 1, "iat": NOW - DAY}, InvalidClaimError, "exp", id="lived-24-h-and-a-second"),
    pytest.param({"iat": 0}, InvalidClaimError, "exp", id="iat-zero"),
    pytest.param({"iat": -1}, InvalidClaimError, "exp", id="iat-negative"),
    pytest.param({"iat": 1 - 10**16}, InvalidClaimError, "exp", id="iat-as-negative-as-may-be"),
    pytest.param({"iat": NOW + 61}, InvalidClaimError, "iat", id="iat-61-s-ahead"),
    pytest.param({"iat": NOW + 60.5}, InvalidClaimError, "iat", id="iat-60.5-s-ahead"),
    pytest.param({"iat": NOW * 1000}, InvalidClaimError, "iat", id="iat-in-milliseconds"),
    pytest.param({"nbf": NOW + 61}, InvalidClaimError, "nbf", id="nbf-61-s-ahead"),
    pytest.param({"nbf": NOW + 60.5}, InvalidClaimError, "nbf", id="nbf-60.5-s-ahead"),
]

COMMON_STRINGS = ("iss", "sub", "token_use", "jti", "origin_jti", "event_id", "aud", "azp", "acr")

BAD_COMMON = [
    *absent("iss", "sub", "token_use", "exp", "iat"),
    *rows(COMMON_STRINGS, NO_STRINGS),
    *rows(("exp", "iat", "nbf", "auth_time"), NO_TIMES),
    *rows(("amr", "cognito:groups"), NO_ARRAYS_OF_STRINGS),
    *BAD_TIMES,
    pytest.param({"sub": ""}, InvalidClaimError, "sub", id="sub-empty"),
    pytest.param({"token_use": ""}, InvalidClaimError, "token_use", id="token-use-empty"),
    pytest.param({"token_use": "refresh"}, InvalidClaimError, "token_use", id="token-use-refresh"),
]

BAD_ACCESS = [
    *BAD_COMMON,
    *absent("client_id"),
    *rows(("client_id", "scope", "username", "device_key"), NO_STRINGS),
    *rows(("version",), {"null": None, "string": "2", "boolean": True, "float": 2.0, "list": [2], "object": {}}),
    pytest.param({"token_use": "id"}, InvalidClaimError, "token_use", id="token-use-of-an-id-token"),
    pytest.param({"token_use": "Access"}, InvalidClaimError, "token_use", id="token-use-in-another-case"),
    pytest.param({"token_use": "access "}, InvalidClaimError, "token_use", id="token-use-with-a-space"),
    pytest.param({"client_id": ""}, InvalidClaimError, "client_id", id="client-id-empty"),
    pytest.param({"client_id": "other"}, InvalidClaimError, "client_id", id="other-client"),
    pytest.param({"client_id": CLIENT_ID.upper()}, InvalidClaimError, "client_id", id="client-in-another-case"),
    pytest.param({"client_id": CLIENT_ID + " "}, InvalidClaimError, "client_id", id="client-with-a-space"),
    pytest.param({"client_id": CLIENT_ID[:-1]}, InvalidClaimError, "client_id", id="client-cut-off"),
    pytest.param({"client_id": "other", "aud": CLIENT_ID}, InvalidClaimError, "client_id", id="client-in-aud-only"),
    pytest.param({"aud": API}, InvalidClaimError, "aud", id="bound-to-a-resource"),
    pytest.param({"aud": ""}, InvalidClaimError, "aud", id="aud-empty"),
    pytest.param({"aud": "other"}, InvalidClaimError, "aud", id="aud-of-another-client"),
    pytest.param({"aud": [CLIENT_ID]}, InvalidClaimError, "aud", id="aud-list-of-the-client"),
]

BAD_ID = [
    *BAD_COMMON,
    *absent("aud"),
    *rows(("cognito:username", "cognito:preferred_role", "nonce", "at_hash"), NO_STRINGS),
    *rows(("cognito:roles",), NO_ARRAYS_OF_STRINGS),
    *rows(("identities",), {"null": None, "string": "[]", "number": 1, "boolean": True, "object": {}}),
    pytest.param({"token_use": "access"}, InvalidClaimError, "token_use", id="token-use-of-an-access-token"),
    pytest.param({"token_use": "ID"}, InvalidClaimError, "token_use", id="token-use-in-another-case"),
    pytest.param({"aud": ""}, InvalidClaimError, "aud", id="aud-empty"),
    pytest.param({"aud": "other"}, InvalidClaimError, "aud", id="other-client"),
    pytest.param({"aud": [CLIENT_ID]}, InvalidClaimError, "aud", id="aud-list-of-the-client"),
    pytest.param({"aud": [CLIENT_ID, "other"]}, InvalidClaimError, "aud", id="aud-list"),
    pytest.param({"aud": "other", "client_id": CLIENT_ID}, InvalidClaimError, "aud", id="client-in-client-id-only"),
    pytest.param({"aud": "other", "azp": CLIENT_ID}, InvalidClaimError, "aud", id="client-in-azp-only"),
]


def refusal(error: pytest.ExceptionInfo[InvalidClaimError]) -> tuple[type, str]:
    """Return what a row says of a refusal: the very class, and the claim."""
    return type(error.value), error.value.claim


@pytest.mark.parametrize(("row", "error", "claim"), BAD_ACCESS)
def test_a_bad_access_token_is_refused(row: Row, error: type[InvalidClaimError], claim: str) -> None:
    """One thing is changed, and the error names the claim."""
    with pytest.raises(InvalidClaimError) as refused:
        check_access(access_payload(**row))
    assert refusal(refused) == (error, claim)


@pytest.mark.parametrize(("row", "error", "claim"), BAD_ID)
def test_a_bad_id_token_is_refused(row: Row, error: type[InvalidClaimError], claim: str) -> None:
    """One thing is changed, and the error names the claim."""
    with pytest.raises(InvalidClaimError) as refused:
        check_id(id_payload(**row))
    assert refusal(refused) == (error, claim)


def as_json(payload: Mapping[str, object]) -> bytes:
    """Write a payload as JSON, with infinities as numbers that are too great: JSON has no other way."""
    return json.dumps(payload).replace("Infinity", "1e999").encode()


def sign_as_access(payload: Mapping[str, object]) -> str:
    """Sign with the key for access tokens, whatever the payload says it is."""
    return sign(as_json(payload), header={"kid": ACCESS_KID, "alg": "RS256"}, key=rsa_key("access"))


def sign_as_id(payload: Mapping[str, object]) -> str:
    """Sign with the key for ID tokens, whatever the payload says it is."""
    return sign(as_json(payload), header={"kid": ID_KID, "alg": "RS256"}, key=rsa_key("id"))


BAD_ISSUERS = [
    pytest.param({"iss": iss}, InvalidClaimError, "iss", id=what)
    for what, iss in {
        "iss-empty": "",
        "iss-with-a-slash": f"{ISSUER}/",
        "iss-of-another-pool": ISSUER[:-1],
        "iss-goes-on": f"{ISSUER}4",
        "iss-in-another-case": ISSUER.upper(),
        "iss-over-http": ISSUER.replace("https", "http"),
        "iss-of-another-region": ISSUER.replace("eu-west-1.", "us-east-1."),
        "iss-with-a-space": f" {ISSUER}",
        "iss-on-another-host": f"https://evil.example/{ISSUER}",
    }.items()
]


@pytest.mark.parametrize(("row", "error", "claim"), [*BAD_ACCESS, *BAD_ISSUERS])
def test_a_verifier_refuses_a_bad_access_token(row: Row, error: type[InvalidClaimError], claim: str) -> None:
    """The same tokens, signed with the pool's key, are refused in the same way."""
    with pytest.raises(InvalidClaimError) as refused:
        sync_verifier().verify_access_token(sign_as_access(access_payload(**row)))
    assert refusal(refused) == (error, claim)


@pytest.mark.parametrize(("row", "error", "claim"), [*BAD_ID, *BAD_ISSUERS])
def test_a_verifier_refuses_a_bad_id_token(row: Row, error: type[InvalidClaimError], claim: str) -> None:
    """The same tokens, signed with the pool's key, are refused in the same way."""
    with pytest.raises(InvalidClaimError) as refused:
        sync_verifier().verify_id_token(sign_as_id(id_payload(**row)), nonce=None)
    assert refusal(refused) == (error, claim)


@pytest.mark.parametrize("what", ["nan", "deep"])
def test_what_json_cannot_say_or_must_not_is_refused_too(what: str) -> None:
    """The pure check does not rely on the parser: a NaN is no time, and 33 levels are too many."""
    payload = access_payload(exp=float("nan")) if what == "nan" else access_payload(deep=nested(32))
    with pytest.raises(TokenVerificationError):
        check_access(payload)


@pytest.mark.parametrize("levels", [pytest.param(32, id="33-levels"), pytest.param(190, id="191-levels")])
def test_a_claim_that_nests_too_deep_is_malformed(levels: int) -> None:
    """The payload itself is the first of 32 levels."""
    with pytest.raises(MalformedTokenError, match="nests deeper than 32 levels"):
        check_id(id_payload(deep=nested(levels)))


PAYLOADS = [
    pytest.param("", id="empty"),
    pytest.param(b64(b"{}"), id="empty-object"),
    pytest.param(b64(b"[]"), id="array"),
    pytest.param(b64(b"null"), id="null"),
    pytest.param(b64(b'"' + ISSUER.encode() + b'"'), id="string"),
    pytest.param(b64(json.dumps(access_payload()).encode()) + "=", id="padding"),
    pytest.param(b64(json.dumps(access_payload()).encode() + b" ") + "=", id="padding-of-one"),
    pytest.param(b64(json.dumps(access_payload()).encode()) + "\n", id="line-break"),
    pytest.param(b64(json.dumps(access_payload(x="???>>>")).encode()).replace("_", "/"), id="standard-alphabet"),
    pytest.param(b64(json.dumps(access_payload()).encode("utf-16")), id="utf-16"),
    pytest.param(b64(json.dumps(access_payload()).encode("utf-32")), id="utf-32"),
    pytest.param(b64(b"\xef\xbb\xbf" + json.dumps(access_payload()).encode()), id="byte-order-mark"),
    pytest.param(b64(json.dumps(access_payload()).encode()[:-1] + b',"sub":"evil"}'), id="sub-twice"),
    pytest.param(b64(b'{"sub":"evil",' + json.dumps(access_payload()).encode()[1:]), id="sub-twice-evil-first"),
    pytest.param(b64(json.dumps(access_payload()).encode()[:-1] + b',"s\\u0075b":"evil"}'), id="sub-twice-escaped"),
    pytest.param(b64(json.dumps(access_payload()).encode()[:-1] + b',"x":{"y":1,"y":2}}'), id="twice-at-depth"),
    pytest.param(b64(json.dumps(access_payload()).encode()[:-1] + b',"x":NaN}'), id="nan"),
    pytest.param(b64(json.dumps(access_payload()).encode()[:-1] + b',"x":Infinity}'), id="infinity"),
    pytest.param(b64(json.dumps(access_payload()).encode()[:-1] + b',"x":"\\ud800"}'), id="lone-surrogate"),
    pytest.param(b64(json.dumps(access_payload()).encode()[:-1] + b',"x":"\xff"}'), id="no-utf-8"),
    pytest.param(b64(json.dumps(access_payload()).encode()[:-1] + b',"x":' + b"9" * 5000 + b"}"), id="5000-digits"),
    pytest.param(b64(json.dumps(access_payload()).encode()[:-1] + b',"x":' + b"[" * 4000 + b"}"), id="4000-brackets"),
    pytest.param(b64(json.dumps(access_payload(x=nested(32))).encode()), id="33-levels"),
    pytest.param(b64(json.dumps(access_payload()).encode() + b"x"), id="text-behind"),
    pytest.param(b64(json.dumps(access_payload()).encode() * 2), id="two-objects"),
    pytest.param(b64(json.dumps(access_payload()).encode()[:-1]), id="cut-off"),
    pytest.param(b64(json.dumps(access_payload(x="a" * 13_000)).encode()), id="over-16-kib"),
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_verifier_refuses_a_payload_in_another_encoding(payload: str) -> None:
    """However a payload is written, signed with the pool's own key: there is one form, and one reading."""
    token = sign(access_payload()).split(".")[0]
    with pytest.raises((MalformedTokenError, InvalidClaimError)):
        sync_verifier().verify_access_token(sign_segments(token, payload, key=rsa_key("access")))


# --- times and leeway -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exp", "leeway"),
    [
        pytest.param(NOW, 1, id="now-with-leeway"),
        pytest.param(NOW - 9, 10, id="within"),
        pytest.param(NOW - 9.5, 10, id="within-by-half-a-second"),
    ],
)
def test_leeway_prolongs_a_token(exp: float, leeway: float) -> None:
    """A caller may accept tokens for a while after their end."""
    assert check_access(access_payload(exp=exp), leeway=leeway).exp == exp


@pytest.mark.parametrize(
    ("row", "leeway"),
    [
        pytest.param({"exp": NOW - 10}, 10, id="exp-at-the-end-of-the-leeway"),
        pytest.param({"exp": NOW - 11}, 10, id="exp-after-the-leeway"),
        pytest.param({"iat": NOW + 61}, 100, id="iat-has-no-leeway"),
        pytest.param({"nbf": NOW + 61}, 100, id="nbf-has-no-leeway"),
        pytest.param({"exp": NOW + DAY + 1}, 100, id="the-lifetime-has-no-leeway"),
    ],
)
def test_leeway_is_for_the_end_alone(row: Row, leeway: float) -> None:
    """It does not make anything else good."""
    with pytest.raises(InvalidClaimError):
        check_access(access_payload(**row), leeway=leeway)


def test_an_expired_token_says_what_it_needed() -> None:
    """Times are shown as whole epoch seconds."""
    with pytest.raises(ExpiredTokenError, match=r"^The token expired 5 s ago\.$") as refused:
        check_access(access_payload(exp=NOW - 5), leeway=2)
    assert (refused.value.expected, refused.value.actual) == (f"after {NOW - 2}", f"{NOW - 5}")


# --- clients and resources --------------------------------------------------------------------------------------------


def test_every_client_of_the_pool_passes_where_that_is_written() -> None:
    """`client_ids=None` accepts any app client, but not none."""
    assert check_access(access_payload(client_id="other"), client_ids=None).client_id == "other"
    assert check_id(id_payload(aud="other"), client_ids=None).aud == "other"


@pytest.mark.parametrize("aud", [ABSENT, "", None])
def test_no_client_is_not_every_client(aud: object) -> None:
    """A token without a client passes nobody."""
    with pytest.raises(InvalidClaimError):
        check_access(access_payload(client_id=aud), client_ids=None)
    with pytest.raises(InvalidClaimError):
        check_id(id_payload(aud=aud), client_ids=None)


def test_an_empty_client_with_the_same_aud_is_refused() -> None:
    """Two empty strings are equal, and still no client."""
    with pytest.raises(InvalidClaimError) as refused:
        check_access(access_payload(client_id="", aud=""), client_ids=None)
    assert refused.value.claim == "client_id"


def test_a_token_that_is_bound_to_the_resource_passes() -> None:
    """`aud` is the resource server's URL, exactly."""
    assert check_access(access_payload(aud=API), resource=API).aud == API


@pytest.mark.parametrize(
    ("aud", "resource"),
    [
        pytest.param(ABSENT, API, id="unbound"),
        pytest.param(f"{API}/", API, id="trailing-slash"),
        pytest.param(API, f"{API}/", id="trailing-slash-of-ours"),
        pytest.param("https://other.example.com", API, id="another-resource"),
        pytest.param(CLIENT_ID, API, id="aud-is-the-client"),
        pytest.param(CLIENT_ID, CLIENT_ID, id="a-client-is-no-resource"),
        pytest.param(API, None, id="bound-and-nothing-asked"),
        pytest.param("", None, id="empty"),
    ],
)
def test_a_token_for_another_resource_is_refused(aud: object, resource: str | None) -> None:
    """Bound to another one, to none, or to one where none is served."""
    with pytest.raises(InvalidClaimError) as refused:
        check_access(access_payload(aud=aud), resource=resource)
    assert refusal(refused) == (InvalidClaimError, "aud")


# --- nonce, at_hash, max_age ------------------------------------------------------------------------------------------


def test_the_nonce_of_the_request_passes() -> None:
    """The nonce is compared as it is."""
    assert check_id(id_payload(nonce="n-0S6"), nonce="n-0S6").nonce == "n-0S6"


@pytest.mark.parametrize(
    ("claim", "nonce"),
    [
        pytest.param(ABSENT, "n-0S6", id="absent"),
        pytest.param("", "n-0S6", id="empty"),
        pytest.param("n-0S7", "n-0S6", id="another"),
        pytest.param("n-0S6 ", "n-0S6", id="with-a-space"),
        pytest.param("N-0S6", "n-0S6", id="in-another-case"),
        pytest.param("n-0S", "n-0S6", id="cut-off"),
        pytest.param("ñ-0S6", "n-0S6", id="not-ascii"),
        pytest.param(ABSENT, "", id="absent-and-an-empty-one-expected"),
        pytest.param(
            "n-0S6",
            "\ud800",
            id="a-lone-surrogate-expected",
        ),
    ],
)
def test_another_nonce_is_refused(claim: object, nonce: str) -> None:
    """A token of another login, or one without a nonce, is refused; the message shows neither of the two."""
    with pytest.raises(InvalidClaimError) as refused:
        check_id(id_payload(nonce=claim), nonce=nonce)
    assert (refusal(refused), refused.value.actual) == ((InvalidClaimError, "nonce"), None)
    assert "0S" not in f"{refused.value} {refused.value.expected} {refused.value.explain()}"


# OpenID Connect Core 1.0, appendix A.3
AT_HASH_TOKEN, AT_HASH = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "77QmUPtjPfzWtF2AnpK9RQ"


@pytest.mark.parametrize(
    ("at_hash", "access_token"),
    [
        pytest.param(AT_HASH, AT_HASH_TOKEN, id="openid-connect-core-appendix-a3"),
        pytest.param(AT_HASH, None, id="no-access-token-came-along"),
        pytest.param("another", None, id="nothing-to-compare-with"),
        pytest.param(ABSENT, AT_HASH_TOKEN, id="no-at-hash"),
    ],
)
def test_at_hash_is_checked_when_both_are_there(at_hash: object, access_token: str | None) -> None:
    """The left half of the hash of the access token; without one of the two there is nothing to check."""
    assert check_id(id_payload(at_hash=at_hash), access_token=access_token).sub == SUB


@pytest.mark.parametrize(
    ("at_hash", "access_token"),
    [
        pytest.param(AT_HASH, "another", id="another-access-token"),
        pytest.param(AT_HASH, "", id="an-empty-access-token"),
        pytest.param(AT_HASH, "ä\ud800", id="a-text-that-is-no-token"),
        pytest.param("", AT_HASH_TOKEN, id="empty"),
        pytest.param(f"{AT_HASH}==", AT_HASH_TOKEN, id="with-padding"),
        pytest.param(AT_HASH[:-1], AT_HASH_TOKEN, id="cut-off"),
        pytest.param("ä", AT_HASH_TOKEN, id="not-ascii"),
    ],
)
def test_another_at_hash_is_refused(at_hash: str, access_token: str) -> None:
    """The two tokens must be of one login."""
    with pytest.raises(InvalidClaimError) as refused:
        check_id(id_payload(at_hash=at_hash), access_token=access_token)
    assert refusal(refused) == (InvalidClaimError, "at_hash")


@pytest.mark.parametrize(
    ("auth_time", "max_age", "leeway"),
    [
        pytest.param(NOW - 60, 60, 0, id="to-the-second"),
        pytest.param(NOW, 0, 0, id="right-now"),
        pytest.param(NOW - 70, 60, 10, id="within-the-leeway"),
        pytest.param(NOW + 5, 0, 0, id="our-clock-is-behind"),
        pytest.param(NOW - 0.5, 1, 0, id="float"),
    ],
)
def test_a_recent_sign_in_passes(auth_time: float, max_age: float, leeway: float) -> None:
    """`max_age` counts from `auth_time`."""
    assert check_id(id_payload(auth_time=auth_time), max_age=max_age, leeway=leeway).auth_time == auth_time


@pytest.mark.parametrize(
    ("auth_time", "max_age", "leeway"),
    [
        pytest.param(NOW - 61, 60, 0, id="a-second-too-old"),
        pytest.param(NOW - 71, 60, 10, id="past-the-leeway"),
        pytest.param(0, 60, 0, id="at-the-epoch"),
        pytest.param(-(10**15), 60, 0, id="negative"),
        pytest.param(ABSENT, 60, 0, id="absent"),
        pytest.param(10**400, 60, 0, id="401-digits"),
        pytest.param(-(10**400), 60, 0, id="401-digits-negative"),
        pytest.param(float("1e999"), 60, 0, id="infinite"),
        pytest.param(True, 60, 0, id="boolean"),
        pytest.param(str(NOW), 60, 0, id="string"),
        pytest.param(
            NOW - 61,
            float("nan"),
            0,
            id="a-max-age-that-is-no-number",
        ),
    ],
)
def test_an_old_sign_in_is_refused(auth_time: object, max_age: float, leeway: float) -> None:
    """Who asked for a recent sign-in gets none that is older, or of unknown age."""
    with pytest.raises(InvalidClaimError) as refused:
        check_id(id_payload(auth_time=auth_time), max_age=max_age, leeway=leeway)
    assert refusal(refused) == (InvalidClaimError, "auth_time")


# --- scopes and groups ------------------------------------------------------------------------------------------------


def claims(**changes: object) -> AccessTokenClaims:
    """Return the claims of an access token that was verified."""
    return AccessTokenClaims({name: freeze(value) for name, value in access_payload(**changes).items()})


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(Requirements(), id="nothing"),
        pytest.param(Requirements(all_scopes=("openid",)), id="one-scope"),
        pytest.param(Requirements(all_scopes=("orders/read", "openid")), id="both-scopes-in-any-order"),
        pytest.param(Requirements(any_scope=("orders/write", "orders/read")), id="one-of-two-scopes"),
        pytest.param(Requirements(all_groups=("editors", "admins")), id="both-groups"),
        pytest.param(Requirements(any_group=("owners", "admins")), id="one-of-two-groups"),
        pytest.param(Requirements(("openid",), ("email",), ("admins",), ("editors",)), id="all-of-it"),
    ],
)
def test_what_is_asked_for_is_there(wanted: Requirements) -> None:
    """All of the scopes and groups that must all be there, and one of those of which one must be."""
    check_requirements(claims(), wanted)


@pytest.mark.parametrize(
    ("wanted", "claim", "expected"),
    [
        pytest.param(Requirements(all_scopes=("orders/write",)), "scope", "orders/write", id="scope"),
        pytest.param(Requirements(all_scopes=("openid", "x")), "scope", "openid x", id="one-of-two-is-missing"),
        pytest.param(Requirements(any_scope=("a", "b")), "scope", "a b", id="none-of-two"),
        pytest.param(Requirements(all_scopes=("orders",)), "scope", "orders", id="a-prefix-of-a-scope"),
        pytest.param(Requirements(all_scopes=("OPENID",)), "scope", "OPENID", id="scope-in-another-case"),
        pytest.param(
            Requirements(all_scopes=("openid email",)), "scope", "openid email", id="two-scopes-in-one-are-not-one"
        ),
        pytest.param(Requirements(all_groups=("owners",)), "cognito:groups", "owners", id="group"),
        pytest.param(Requirements(any_group=("a", "b")), "cognito:groups", "a b", id="none-of-two-groups"),
        pytest.param(Requirements(all_groups=("admin",)), "cognito:groups", "admin", id="a-prefix-of-a-group"),
        pytest.param(Requirements(all_groups=("openid",)), "cognito:groups", "openid", id="a-scope-is-no-group"),
        pytest.param(Requirements(all_scopes=("admins",)), "scope", "admins", id="a-group-is-no-scope"),
        pytest.param(Requirements(("openid",), ("x",), ("admins",)), "scope", "x", id="any-of-beside-all-of"),
        pytest.param(Requirements(("openid",), (), ("admins",), ("y",)), "cognito:groups", "y", id="the-last-of-four"),
    ],
)
def test_what_is_asked_for_and_missing_is_403(wanted: Requirements, claim: str, expected: str) -> None:
    """The error says which claim, and what would have been enough."""
    with pytest.raises(InsufficientScopeError) as refused:
        check_requirements(claims(), wanted)
    assert (refused.value.claim, refused.value.expected, refused.value.http_status) == (claim, expected, 403)


@pytest.mark.parametrize("wanted", [Requirements(all_scopes=("openid",)), Requirements(any_group=("admins",))])
def test_a_token_without_scopes_and_groups_has_none(wanted: Requirements) -> None:
    """Absent means none, not any."""
    with pytest.raises(InsufficientScopeError):
        check_requirements(claims(**{"scope": ABSENT, "cognito:groups": ABSENT}), wanted)


@pytest.mark.parametrize("scope", ["x\u00a0orders/write", "x\torders/write", "x\u2028orders/write"])
def test_only_a_space_separates_scopes(scope: str) -> None:
    """A scope with another white space in it is one scope (RFC 6749 section 3.3), and not the one asked for."""
    with pytest.raises(InsufficientScopeError):
        check_requirements(claims(scope=scope), Requirements(all_scopes=("orders/write",)))


# --- once more --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        pytest.param({}, NO_REQUIREMENTS, id="nothing-asked"),
        pytest.param({}, Requirements(all_scopes=("openid",)), id="scope"),
        pytest.param({"aud": API}, Requirements(resource=API), id="resource"),
        pytest.param({"aud": CLIENT_ID}, NO_REQUIREMENTS, id="aud-is-the-client"),
    ],
)
def test_a_token_that_is_still_good_passes_again(row: Row, wanted: Requirements) -> None:
    """A remembered token is judged by what may have changed."""
    check_again(claims(**row), NOW + 3599, wanted, RULES)


@pytest.mark.parametrize(
    ("row", "now", "wanted", "error"),
    [
        pytest.param({}, NOW + 3600, NO_REQUIREMENTS, ExpiredTokenError, id="expired-meanwhile"),
        pytest.param({}, NOW - 61, NO_REQUIREMENTS, InvalidClaimError, id="clock-set-back"),
        pytest.param({}, NOW, Requirements(all_scopes=("x",)), InsufficientScopeError, id="another-scope-asked"),
        pytest.param({}, NOW, Requirements(any_group=("x",)), InsufficientScopeError, id="another-group-asked"),
        pytest.param({}, NOW, Requirements(resource=API), InvalidClaimError, id="another-resource-asked"),
        pytest.param({"aud": API}, NOW, NO_REQUIREMENTS, InvalidClaimError, id="no-resource-asked"),
    ],
)
def test_a_token_that_is_no_longer_good_is_refused(
    row: Row, now: float, wanted: Requirements, error: type[InvalidClaimError]
) -> None:
    """To be remembered is no pass."""
    with pytest.raises(InvalidClaimError) as refused:
        check_again(claims(**row), now, wanted, RULES)
    assert type(refused.value) is error


@pytest.mark.parametrize(
    ("row", "leeway", "bounds"),
    [
        pytest.param({}, 0, (NOW - 60, NOW + 3600), id="iat-and-exp"),
        pytest.param({}, 5, (NOW - 60, NOW + 3605), id="leeway"),
        pytest.param({"nbf": NOW + 30}, 0, (NOW - 30, NOW + 3600), id="nbf-later"),
        pytest.param({"nbf": NOW - 30}, 0, (NOW - 60, NOW + 3600), id="nbf-earlier"),
    ],
)
def test_a_good_token_is_good_between_two_moments(row: Row, leeway: float, bounds: tuple[float, float]) -> None:
    """From the first moment on it passes, and up to the second; before and from there on it does not."""
    payload = access_payload(**row)
    begins, ends = valid_between(payload, leeway)
    assert (begins, ends) == bounds
    for now in (begins, ends - 1):
        check_times(payload, now, leeway)
    for now in (begins - 1, ends):
        with pytest.raises(InvalidClaimError):
            check_times(payload, now, leeway)


# --- shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"exp": str(NOW + 60)}, id="type"),
        pytest.param({"cognito:groups": [1]}, id="member"),
        pytest.param({"sub": ""}, id="empty"),
        pytest.param({"client_id": "other"}, id="value"),
    ],
)
def test_what_was_learned_from_a_good_token_does_not_excuse_a_bad_one(row: Row) -> None:
    """A token with the same claims in the same order is judged anew, each time."""
    check_access(access_payload())
    for _ in range(2):
        with pytest.raises(InvalidClaimError):
            check_access(access_payload(**row))


def test_many_shapes_are_learned_and_not_too_many() -> None:
    """Every app client may have claims of its own: a full memory is emptied, and each shape is judged right."""
    for number in range(200):
        row = {f"claim-{number}": number}
        assert check_access(access_payload(**row)).raw[f"claim-{number}"] == number
        with pytest.raises(InvalidClaimError):
            check_access(access_payload(**row, username=number))


def test_nothing_is_learned_from_a_token_that_nobody_signed() -> None:
    """Its claims are judged all the same, and nothing is said about its scopes."""
    payload = access_payload(scope="openid", forged=True)
    asks = Requirements(all_scopes=("orders/write",))
    assert check_access_token(dict(payload), NOW, asks, RULES, signed=False).sub == SUB
    with pytest.raises(InsufficientScopeError):
        check_access_token(dict(payload), NOW, asks, RULES)
    with pytest.raises(InvalidClaimError):
        check_access_token(access_payload(exp="soon", forged=True), NOW, asks, RULES, signed=False)
    identity = TokenRules(IdTokenClaims, client_ids=None, leeway=0)
    assert check_id_token(id_payload(forged=True), NOW, IdExpectations(), identity, signed=False).sub == SUB


def test_an_access_token_teaches_nothing_about_id_tokens() -> None:
    """The two kinds have other types: `nonce` is a string in one, and anything in the other."""
    both = {"aud": CLIENT_ID, "client_id": CLIENT_ID, "nonce": 5}
    check_access(access_payload(**both))
    with pytest.raises(InvalidClaimError) as refused:
        check_id(access_payload(**both, token_use="id"))
    assert refused.value.claim == "nonce"


def test_the_order_of_claims_does_not_matter() -> None:
    """Order is free."""
    payload = dict(reversed(access_payload().items()))
    assert check_access(dict(payload)).to_dict() == payload


def test_forged_tokens_leave_nothing_behind() -> None:
    """Tokens whose key is not there are judged by their claims first; what they hold must not stay in memory."""
    verifier = sync_verifier(policy=CachePolicy(lookups=0))
    header = {"kid": "forged", "alg": "RS256"}

    def forge(number: int) -> str:
        extra = {f"{number}-{claim}": 0 for claim in range(5000)}
        return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(id_payload(**extra)).encode())}.AAAA"

    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(20):
            with pytest.raises(TokenVerificationError):
                verifier.verify_id_token(forge(number), nonce=None)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1_000_000


# --- any payload ------------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([NOW, CLIENT_ID, ISSUER, "access", "id", 10**400, API]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
changes = st.dictionaries(
    st.sampled_from(sorted({*access_payload(), *id_payload(), "nbf", "aud", "azp", "acr", "amr", "at_hash", "x"})),
    json_values | st.just(ABSENT),
    max_size=4,
)


@given(changes, st.sampled_from([None, API]), st.none() | st.just(frozenset({CLIENT_ID})))
def test_any_access_payload_gives_claims_or_a_verification_error(
    row: dict[str, object], resource: str | None, client_ids: frozenset[str] | None
) -> None:
    """No payload raises anything else; what passes has a subject, a client and a future."""
    try:
        good = check_access(access_payload(**row), resource=resource, client_ids=client_ids)
    except TokenVerificationError:
        return
    assert good.sub
    assert good.client_id
    assert NOW < good.exp <= good.iat + DAY


@given(changes, st.none() | st.text(max_size=3), st.none() | st.integers(0, 10**9), st.none() | st.text(max_size=3))
def test_any_id_payload_gives_claims_or_a_verification_error(
    row: dict[str, object], nonce: str | None, max_age: float | None, access_token: str | None
) -> None:
    """No payload raises anything else; what passes has a subject, an audience and the nonce that was asked for."""
    try:
        good = check_id(id_payload(**row), nonce=nonce, max_age=max_age, access_token=access_token)
    except TokenVerificationError:
        return
    assert good.sub
    assert good.aud == CLIENT_ID
    assert nonce in {None, good.nonce}


@pytest.mark.parametrize("value", [float("inf"), [float("-inf")], {"a": {"b": float("inf")}}])
def test_a_claim_without_end_is_refused(value: object) -> None:
    """No claim carries infinity, which the parser makes of 1e400: what a token says can be written as JSON again."""
    with pytest.raises(MalformedTokenError, match="holds a number without end"):
        check_access(access_payload(custom=value))
