"""Key sets: which keys are used, which are left out and why, and what of an answer is no key set."""

import json
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.errors import CognitoOidcError, ProtocolError, RateLimitedError, TransportError
from cognito_oidc.protocol.jwks import MAX_KEYS, SkippedKey, jwks_request, parse_jwks_response, parse_key_set
from cognito_oidc.protocol.wire import Endpoint, HttpResponse
from tests.factories import ABSENT, ACCESS_KID, ID_KID, b64_int, changed, jwk, key_set, rsa_key

GOOD = MappingProxyType(jwk(rsa_key("access"), "good"))
URL = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123/.well-known/jwks.json"


def modulus(bits: int) -> str:
    """Return an odd number of so many bits; nobody asks of a public key whether it is a product of two primes."""
    return b64_int(2 ** (bits - 1) + 1)


def roca_modulus() -> str:
    """Return a modulus as the broken chips made them: modulo each prime up to 701, a power of 65537."""
    product = 2
    for number in range(3, 702, 2):
        product *= number if all(number % odd for odd in range(3, int(number**0.5) + 1, 2)) else 1
    start = (1 << 2047) // product * product + product
    return b64_int(start + pow(65537, 12345, product))


def test_the_key_set_of_a_pool_is_read() -> None:
    """Both keys of a pool are there by their kid, with the very numbers that were published."""
    keys = parse_key_set(key_set()).keys
    assert {kid: key.public_key for kid, key in keys.items()} == {
        ACCESS_KID: rsa_key("access").public_key(),
        ID_KID: rsa_key("id").public_key(),
    }


def test_the_keys_cannot_be_changed() -> None:
    """A key set is a value: nobody puts a key into it later."""
    keys = parse_key_set(key_set()).keys
    with pytest.raises(TypeError):
        keys["evil"] = keys[ACCESS_KID]  # type: ignore[index]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="as-cognito-publishes-it"),
        pytest.param({"alg": ABSENT}, id="alg-absent"),
        pytest.param({"use": ABSENT}, id="use-absent"),
        pytest.param({"key_ops": ["verify"]}, id="key-ops-verify"),
        pytest.param({"x5t": "abc", "foo": {"bar": 1}}, id="members-that-nobody-knows"),
        pytest.param({"n": modulus(2048)}, id="2048-bits"),
        pytest.param({"n": modulus(2049)}, id="2049-bits"),
        pytest.param({"n": modulus(8192)}, id="8192-bits"),
        pytest.param({"e": "AQAD"}, id="exponent-65539"),
        pytest.param({"e": b64_int(2**31 + 1)}, id="exponent-of-32-bits"),
        pytest.param({"kid": "k"}, id="kid-of-one-byte"),
        pytest.param({"kid": "k" * 256}, id="kid-of-256-bytes"),
        pytest.param({"kid": "ä" * 128}, id="kid-of-256-bytes-in-utf-8"),
    ],
)
def test_a_good_key_is_used(changes: Mapping[str, object]) -> None:
    """A key that differs in what is allowed is used."""
    entry = changed(GOOD, changes)
    assert list(parse_key_set({"keys": [entry]}).keys) == [entry["kid"]]


BAD = [
    pytest.param({"kty": ABSENT}, "not an RSA key", id="kty-absent"),
    pytest.param({"kty": None}, "not an RSA key", id="kty-null"),
    pytest.param({"kty": "rsa"}, "not an RSA key", id="kty-lower-case"),
    pytest.param({"kty": "EC"}, "not an RSA key", id="kty-ec"),
    pytest.param({"kty": "oct", "k": "AAAA"}, "not an RSA key", id="kty-oct"),
    pytest.param({"kty": ["RSA"]}, "not an RSA key", id="kty-list"),
    pytest.param({"kid": ABSENT}, "no kid of 1 to 256 bytes", id="kid-absent"),
    pytest.param({"kid": None}, "no kid of 1 to 256 bytes", id="kid-null"),
    pytest.param({"kid": ""}, "no kid of 1 to 256 bytes", id="kid-empty"),
    pytest.param({"kid": 1}, "no kid of 1 to 256 bytes", id="kid-number"),
    pytest.param({"kid": ["k"]}, "no kid of 1 to 256 bytes", id="kid-list"),
    pytest.param({"kid": {"k": 1}}, "no kid of 1 to 256 bytes", id="kid-object"),
    pytest.param({"kid": "k" * 257}, "no kid of 1 to 256 bytes", id="kid-of-257-bytes"),
    pytest.param({"kid": "ä" * 129}, "no kid of 1 to 256 bytes", id="kid-of-258-bytes-in-utf-8"),
    pytest.param({"alg": None}, "not for RS256", id="alg-null"),
    pytest.param({"alg": "RS384"}, "not for RS256", id="alg-rs384"),
    pytest.param({"alg": "PS256"}, "not for RS256", id="alg-ps256"),
    pytest.param({"alg": "HS256"}, "not for RS256", id="alg-hs256"),
    pytest.param({"alg": "RSA-OAEP"}, "not for RS256", id="alg-of-encryption"),
    pytest.param({"alg": ["RS256"]}, "not for RS256", id="alg-list"),
    pytest.param({"use": None}, "not for signatures", id="use-null"),
    pytest.param({"use": "enc"}, "not for signatures", id="use-enc"),
    pytest.param({"use": "SIG"}, "not for signatures", id="use-upper-case"),
    pytest.param({"key_ops": []}, "not for verifying", id="key-ops-empty"),
    pytest.param({"key_ops": ["encrypt"]}, "not for verifying", id="key-ops-encrypt"),
    pytest.param({"key_ops": ["sign", "verify"]}, "not for verifying", id="key-ops-of-a-private-key"),
    pytest.param({"key_ops": "verify"}, "not for verifying", id="key-ops-string"),
    pytest.param({"key_ops": None}, "not for verifying", id="key-ops-null"),
    pytest.param({"d": "AAAA"}, "a private key", id="private-d"),
    pytest.param({"p": "AAAA"}, "a private key", id="private-p"),
    pytest.param({"q": "AAAA"}, "a private key", id="private-q"),
    pytest.param({"dp": "AAAA"}, "a private key", id="private-dp"),
    pytest.param({"dq": "AAAA"}, "a private key", id="private-dq"),
    pytest.param({"qi": "AAAA"}, "a private key", id="private-qi"),
    pytest.param({"oth": []}, "a private key", id="private-oth"),
    pytest.param({"d": None}, "a private key", id="private-null"),
    pytest.param({"n": ABSENT}, "no modulus or exponent", id="modulus-absent"),
    pytest.param({"n": None}, "no modulus or exponent", id="modulus-null"),
    pytest.param({"n": 2**2047 + 1}, "no modulus or exponent", id="modulus-number"),
    pytest.param({"n": "ä" * 342}, "no modulus or exponent", id="modulus-not-ascii"),
    pytest.param({"n": "\ud800"}, "no modulus or exponent", id="modulus-surrogate"),
    pytest.param({"e": ABSENT}, "no modulus or exponent", id="exponent-absent"),
    pytest.param({"e": 65537}, "no modulus or exponent", id="exponent-number"),
    pytest.param({"n": modulus(2048) + "="}, "is not base64url without padding", id="modulus-with-padding"),
    pytest.param({"n": modulus(2048).replace("A", "+", 1)}, "is not base64url", id="modulus-in-the-standard-alphabet"),
    pytest.param({"n": modulus(2048)[:-1] + "R"}, "is not canonical base64url", id="modulus-with-spare-bits"),
    pytest.param({"n": " " + modulus(2048)[1:]}, "is not base64url", id="modulus-with-a-space"),
    pytest.param({"n": ""}, "0 bits, not 2048 to 8192", id="modulus-empty"),
    pytest.param({"n": modulus(512)}, "512 bits, not 2048 to 8192", id="512-bits"),
    pytest.param({"n": modulus(1024)}, "1024 bits, not 2048 to 8192", id="1024-bits"),
    pytest.param({"n": modulus(2047)}, "2047 bits, not 2048 to 8192", id="2047-bits"),
    pytest.param({"n": modulus(8193)}, "8193 bits, not 2048 to 8192", id="8193-bits"),
    pytest.param({"n": b64_int(2**2047 + 2)}, "modulus even", id="modulus-even"),
    pytest.param({"n": roca_modulus()}, "can be broken (CVE-2017-15361)", id="modulus-of-a-broken-chip"),
    pytest.param({"e": ""}, "exponent even or under 65537", id="exponent-empty"),
    pytest.param({"e": "AA"}, "exponent even or under 65537", id="exponent-0"),
    pytest.param({"e": "AQ"}, "exponent even or under 65537", id="exponent-1"),
    pytest.param({"e": "Aw"}, "exponent even or under 65537", id="exponent-3"),
    pytest.param({"e": "__8"}, "exponent even or under 65537", id="exponent-65535"),
    pytest.param({"e": "AQAA"}, "exponent even or under 65537", id="exponent-65536"),
    pytest.param({"e": "AQAC"}, "exponent even or under 65537", id="exponent-65538"),
    pytest.param({"e": "AQAB="}, "is not base64url without padding", id="exponent-with-padding"),
    pytest.param({"e": b64_int(2**9000 + 1)}, "e must be", id="exponent-greater-than-the-modulus"),
]


@pytest.mark.parametrize(("changes", "reason"), BAD)
def test_a_bad_key_is_left_out_and_the_good_ones_are_used(changes: Mapping[str, object], reason: str) -> None:
    """A key that differs from a good one in one thing is skipped with its reason, and spoils nothing."""
    bad = changed(changed(GOOD, {"kid": "bad"}), changes)
    found = parse_key_set({"keys": [GOOD | {"kid": "first"}, bad, GOOD | {"kid": "last"}]})
    (skipped,) = found.skipped
    assert list(found.keys) == ["first", "last"]
    assert reason in skipped.reason


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(None, id="null"),
        pytest.param("key", id="string"),
        pytest.param(1, id="number"),
        pytest.param([], id="list"),
        pytest.param(True, id="boolean"),
    ],
)
def test_an_entry_that_is_no_object_is_left_out(entry: object) -> None:
    """What is no object is skipped like any bad key."""
    assert parse_key_set({"keys": [entry, dict(GOOD)]}).skipped == (SkippedKey(None, "no object"),)


def test_a_kid_that_utf_8_cannot_hold_is_left_out() -> None:
    """A mapping of the caller's may hold a lone surrogate; no token can name it."""
    found = parse_key_set({"keys": [GOOD | {"kid": "\ud800"}, dict(GOOD)]})
    assert (list(found.keys), len(found.skipped)) == (["good"], 1)


def test_the_report_names_the_key_and_caps_its_kid() -> None:
    """The kid of a skipped key is told, up to 256 characters of it."""
    (skipped,) = parse_key_set({"keys": [GOOD | {"kid": "k" * 1000}, dict(GOOD)]}).skipped
    assert skipped.kid == "k" * 256


def test_the_same_key_twice_is_one_key() -> None:
    """A kid that comes twice with one material is no ambiguity."""
    assert list(parse_key_set({"keys": [dict(GOOD), dict(GOOD)]}).keys) == ["good"]


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([{"n": modulus(2048)}], id="two-moduli"),
        pytest.param([{"e": "AQAD"}], id="two-exponents"),
        pytest.param([{"n": modulus(2048)}, {}], id="the-first-one-again"),
        pytest.param([{"n": modulus(2048)}, {"n": modulus(2050)}], id="three-moduli"),
    ],
)
def test_a_kid_with_two_materials_drops_both(others: list[dict[str, object]]) -> None:
    """Nobody can tell which of two different keys a kid means, so neither is used."""
    ambiguous = [dict(GOOD), *(changed(GOOD, other) for other in others)]
    found = parse_key_set({"keys": [*ambiguous, GOOD | {"kid": "other"}]})
    assert list(found.keys) == ["other"]
    assert found.skipped == (SkippedKey("good", "two different keys have this kid"),)


def test_32_keys_are_read() -> None:
    """A key set may hold 32 keys."""
    assert len(parse_key_set({"keys": [GOOD | {"kid": f"k{number}"} for number in range(32)]}).keys) == 32


def test_33_keys_are_too_many() -> None:
    """One more, and the whole set is refused, whatever the keys are."""
    with pytest.raises(ProtocolError, match="holds 33 keys, more than 32"):
        parse_key_set({"keys": [GOOD | {"kid": f"k{number % 2}"} for number in range(MAX_KEYS + 1)]})


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param({}, "it has no array 'keys'", id="no-keys"),
        pytest.param({"keys": None}, "it has no array 'keys'", id="keys-null"),
        pytest.param({"keys": {}}, "it has no array 'keys'", id="keys-object"),
        pytest.param({"keys": "keys"}, "it has no array 'keys'", id="keys-string"),
        pytest.param(dict(GOOD), "it has no array 'keys'", id="a-key-instead-of-a-set"),
        pytest.param({"Keys": [dict(GOOD)]}, "it has no array 'keys'", id="name-in-another-case"),
        pytest.param({"keys": []}, r"no usable key \(it is empty\)", id="empty"),
        pytest.param({"keys": [{}, 1]}, r"no usable key \(no object; not an RSA key\)", id="bad-keys-only"),
        pytest.param(
            {"keys": [dict(GOOD), GOOD | {"e": "AQAD"}]}, "two different keys have this kid", id="ambiguous-keys-only"
        ),
    ],
)
def test_what_is_no_usable_key_set_is_refused(document: Mapping[str, object], message: str) -> None:
    """A document without a usable key is a ProtocolError that says why, and drops nothing that was there before."""
    with pytest.raises(ProtocolError, match=message):
        parse_key_set(document)


def test_the_usable_keys_are_written_as_a_key_set() -> None:
    """What is written is read back as the same keys, and holds nothing private."""
    found = parse_key_set({"keys": [*key_set()["keys"], {"kty": "EC"}]})  # type: ignore[misc]
    assert found.to_jwks() == key_set()
    assert parse_key_set(json.loads(json.dumps(found.to_jwks()))).keys.keys() == found.keys.keys()


@pytest.mark.parametrize(
    ("etag", "headers"),
    [
        pytest.param(None, {"Accept": "application/json"}, id="first-time"),
        pytest.param('W/"1"', {"Accept": "application/json", "If-None-Match": 'W/"1"'}, id="with-an-etag"),
    ],
)
def test_the_request_for_a_key_set(etag: str | None, headers: dict[str, str]) -> None:
    """Keys are fetched by GET, may be fetched again, and an unchanged set need not be sent (RFC 9110 13.1.2)."""
    request = jwks_request(URL, etag=etag)
    assert (request.method, request.url, request.body, request.endpoint) == ("GET", URL, b"", Endpoint.JWKS)
    assert request.repeatable
    assert dict(request.headers) == headers


def answer(status: int = 200, body: bytes | None = None) -> HttpResponse:
    """Return an answer of the key endpoint."""
    return HttpResponse(status=status, headers={}, body=json.dumps(key_set()).encode() if body is None else body)


@pytest.mark.parametrize("may_be_unchanged", [True, False])
def test_the_keys_of_an_answer_are_read(may_be_unchanged: bool) -> None:
    """A good answer gives its keys, whether an ETag was sent or not."""
    found = parse_jwks_response(answer(), may_be_unchanged=may_be_unchanged)
    assert found is not None
    assert found.keys.keys() == {ACCESS_KID, ID_KID}


def test_an_unchanged_set_is_none() -> None:
    """Status 304 after an ETag was sent says that nothing changed."""
    assert parse_jwks_response(answer(304, b""), may_be_unchanged=True) is None


@pytest.mark.parametrize(
    ("response", "message"),
    [
        pytest.param(answer(304, b""), "expected status 200, got 304", id="304-without-an-etag"),
        pytest.param(answer(404), "expected status 200, got 404. Is the pool id right", id="404-though-with-keys"),
        pytest.param(answer(301), "expected status 200, got 301", id="redirect"),
        pytest.param(answer(204, b""), "expected status 200, got 204", id="204"),
        pytest.param(answer(body=b""), "the key set: it is not valid JSON", id="empty-body"),
        pytest.param(answer(body=b"<html>"), "the key set: it is not valid JSON", id="html"),
        pytest.param(answer(body=b"[]"), "the key set: it is no JSON object", id="array"),
        pytest.param(answer(body=b'{"keys":[],"keys":[]}'), "the key set: it has a member twice", id="keys-twice"),
        pytest.param(answer(body=b'{"keys":[]}'), "it holds no usable key", id="no-keys"),
    ],
)
def test_another_answer_is_refused(response: HttpResponse, message: str) -> None:
    """What is no good key set is a ProtocolError."""
    with pytest.raises(ProtocolError, match=message):
        parse_jwks_response(response, may_be_unchanged=False)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(403, TransportError, id="firewall"),
        pytest.param(429, RateLimitedError, id="too-many-requests"),
        pytest.param(500, TransportError, id="fault"),
        pytest.param(503, TransportError, id="overload"),
    ],
)
def test_an_answer_that_says_nothing_about_keys(status: int, error: type[CognitoOidcError]) -> None:
    """A fault or a refusal is told as at any other endpoint, even with keys in the body."""
    with pytest.raises(error, match=f"jwks endpoint .*({status}|refused)") as caught:
        parse_jwks_response(answer(status), may_be_unchanged=True)
    assert caught.value.http_status == 503


members = st.sampled_from(["kty", "kid", "alg", "use", "key_ops", "n", "e", "d", "x"])
values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=5)
    | st.sampled_from(["RSA", "RS256", "sig", "AQAB", GOOD["n"], modulus(2049), [], ["verify"], {}, [[]]])
)


@given(st.lists(st.dictionaries(members, values).map(lambda entry: {**GOOD, **entry}) | values, max_size=5))
def test_any_document_gives_keys_or_a_protocol_error(entries: list[object]) -> None:
    """No document raises anything but ProtocolError, and each key that is used is of a size that may be used."""
    try:
        found = parse_key_set({"keys": entries})
    except ProtocolError:
        return
    numbers = [key.public_key.public_numbers() for key in found.keys.values()]
    assert all(2048 <= one.n.bit_length() <= 8192 and one.e >= 65537 and one.e % 2 == 1 for one in numbers)


@given(st.binary(max_size=50), st.integers(100, 599), st.booleans())
def test_any_answer_gives_keys_or_an_error_of_ours(body: bytes, status: int, may_be_unchanged: bool) -> None:
    """No answer raises anything foreign."""
    try:
        found = parse_jwks_response(answer(status, body), may_be_unchanged=may_be_unchanged)
    except (ProtocolError, RateLimitedError, TransportError):
        return
    assert found is None
    assert (status, may_be_unchanged) == (304, True)
