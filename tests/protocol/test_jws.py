"""The form of a token, its header and its signature; headers and encodings as a mutation table."""

import json
import tracemalloc
from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import repeat
from pathlib import Path

import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.errors import InvalidSignatureError, MalformedTokenError, ProtocolError, TokenVerificationError
from cognito_oidc.protocol import encoding
from cognito_oidc.protocol.jwks import parse_key_set
from cognito_oidc.protocol.jws import decode_payload, parse_header, split_token, verify_signature
from tests.factories import (
    ABSENT,
    ACCESS_KID,
    access_payload,
    b64,
    changed,
    rsa_key,
    sign,
    sign_segments,
    sync_verifier,
)

WYCHEPROOF = Path(__file__).parent.parent / "fixtures" / "wycheproof"
HEADER: Mapping[str, object] = {"kid": ACCESS_KID, "alg": "RS256"}


@pytest.fixture(params=[False, True], ids=["first-tokens", "later-tokens"], scope="module", autouse=True)
def decoder(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run every test here through both decoders of base64url, as `test_encoding.py` does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "_decode", pybase64.b64decode if request.param else encoding._decode_slowly)
        patch.setattr(encoding, "_decoded", repeat(0))
        yield


def header(**changes: object) -> bytes:
    """Return an encoded header that differs from a good one."""
    return b64(json.dumps(changed(HEADER, changes)).encode()).encode()


def test_a_token_is_split_and_its_signing_input_kept() -> None:
    """Header, payload and signature are what stands between the dots; the first two with their dot were signed."""
    assert tuple(split_token("aa.bb.cc", 16)) == (b"aa", b"bb", b"cc", b"aa.bb")


def test_an_empty_payload_and_an_empty_signature_are_parts_too() -> None:
    """Parts may be empty; what needs something in them says so."""
    assert tuple(split_token("aa..", 16)) == (b"aa", b"", b"", b"aa.")


def test_a_token_of_the_greatest_length_is_looked_at() -> None:
    """A token may have exactly `max_length` characters."""
    assert tuple(split_token("aaaa.bbbb.cccc", 14)) == (b"aaaa", b"bbbb", b"cccc", b"aaaa.bbbb")


@pytest.mark.parametrize(
    ("token", "message"),
    [
        pytest.param(None, "A token is a str, got NoneType", id="none"),
        pytest.param(b"a.b.c", "A token is a str, got bytes", id="bytes"),
        pytest.param(bytearray(b"a.b.c"), "A token is a str, got bytearray", id="bytearray"),
        pytest.param(1, "A token is a str, got int", id="number"),
        pytest.param(["a", "b", "c"], "A token is a str, got list", id="list"),
        pytest.param({"token": "a.b.c"}, "A token is a str, got dict", id="dict"),
        pytest.param(json.JSONEncoder(), "A token is a str, got JSONEncoder", id="something-else-that-encodes"),
        pytest.param("", "1 parts, expected 3", id="nothing"),
        pytest.param("aa", "1 parts, expected 3", id="no-dot"),
        pytest.param("aa.bb", "2 parts, expected 3", id="one-dot"),
        pytest.param("aa.bb.cc.dd", "4 parts, expected 3", id="three-dots"),
        pytest.param("aa.bb.cc.", "4 parts, expected 3", id="dot-behind"),
        pytest.param(".aa.bb.cc", "4 parts, expected 3", id="dot-before"),
        pytest.param("aa.bb.cc.dd.ee", "refresh tokens look so", id="jwe"),
        pytest.param("Bearer aa.bb", "Leave out 'Bearer '", id="bearer-scheme"),
        pytest.param("Bearer aa", "Leave out 'Bearer '", id="bearer-scheme-and-no-dot"),
        pytest.param("." * 16, "17 parts, expected 3", id="dots-only"),
        pytest.param("." * 100_000, "100000 characters, more than the 16", id="endless-dots"),
        pytest.param("aaaa.bbbb.ccccccc", "17 characters, more than the 16", id="one-too-long"),
        pytest.param("a.b." + "c" * 100_000, "100004 characters, more than the 16", id="much-too-long"),
        pytest.param("aä.bb.cc", "not ASCII", id="umlaut"),
        pytest.param("aa\u2024bb\u2024cc", "not ASCII", id="dots-of-unicode"),
        pytest.param("\uff41a.bb.cc", "not ASCII", id="full-width-letter"),
        pytest.param("a\ud800.b.c", "not ASCII", id="lone-surrogate"),
        pytest.param("\ufeffa.b.c", "not ASCII", id="byte-order-mark"),
    ],
)
def test_what_is_no_token_is_refused(token: str, message: str) -> None:
    """What has not the form of a token is refused with the mistake it probably is."""
    with pytest.raises(MalformedTokenError, match=message):
        split_token(token, 16)


@pytest.mark.parametrize("token", [pytest.param("." * 3_000_000, id="dots"), pytest.param("a" * 3_000_000, id="text")])
def test_refusing_an_endless_text_costs_no_memory(token: str) -> None:
    """What is far too long is refused without being taken apart: at the very most it is copied once."""
    tracemalloc.start()
    try:
        with pytest.raises(MalformedTokenError):
            split_token(token, 16_384)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_100_000


@pytest.mark.parametrize(
    ("segment", "value"),
    [
        pytest.param(b"e30", {}, id="empty-object"),
        pytest.param(b64(b'{"iss":"https:\\/\\/a"}').encode(), {"iss": "https://a"}, id="escaped-slashes"),
    ],
)
def test_a_payload_is_decoded(segment: bytes, value: dict[str, object]) -> None:
    """The second part is a JSON object in base64url."""
    assert decode_payload(segment) == value


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        pytest.param(b"", "payload is not valid JSON in UTF-8", id="empty"),
        pytest.param(b"e31", "payload is not canonical base64url", id="spare-bits"),
        pytest.param(b"e3", "payload is not canonical base64url", id="cut-off"),
        pytest.param(b"e3 0", "payload is not base64url", id="white-space"),
        pytest.param(b64(b"[]").encode(), "payload is no JSON object", id="array"),
        pytest.param(b64(b'{"a":1,"a":1}').encode(), "payload has a member twice", id="member-twice"),
    ],
)
def test_what_is_no_payload_is_refused(segment: bytes, message: str) -> None:
    """Everything else is a malformed token, and the message quotes nothing of it."""
    with pytest.raises(MalformedTokenError, match=f"^The token's {message}"):
        decode_payload(segment)


@pytest.mark.parametrize(
    ("segment", "kid"),
    [
        pytest.param(header(), ACCESS_KID, id="as-cognito-writes-it"),
        pytest.param(
            b"eyJraWQiOiJ5TnVsR3YrVHh6Nk9cL0xFcldNOWFTTjNyNzA5UzAzRlFYMTd6dUJIOXFHZz0iLCJhbGciOiJSUzI1NiJ9",
            "yNulGv+Txz6O/LErWM9aSN3r709S03FQX17zuBH9qGg=",
            id="as-cognito-wrote-it-with-an-escaped-slash",
        ),
        pytest.param(header(typ="JWT"), ACCESS_KID, id="typ-jwt"),
        pytest.param(header(typ="at+jwt"), ACCESS_KID, id="typ-at+jwt"),
        pytest.param(header(cty="JWT", foo={"bar": [1]}), ACCESS_KID, id="members-that-nobody-knows"),
        pytest.param(header(x5t="abc"), ACCESS_KID, id="thumbprint-changes-nothing"),
        pytest.param(header(kid="k"), "k", id="kid-of-one-byte"),
        pytest.param(header(kid="k" * 256), "k" * 256, id="kid-of-256-bytes"),
        pytest.param(header(kid="ä" * 128), "ä" * 128, id="kid-of-256-bytes-in-utf-8"),
        pytest.param(header(kid="../../dev/null"), "../../dev/null", id="kid-is-opaque"),
    ],
)
def test_a_good_header_names_its_key(segment: bytes, kid: str) -> None:
    """A header with RS256 and a kid gives the kid; members that change nothing are ignored."""
    assert parse_header(segment) == kid


def raw(text: str | bytes) -> bytes:
    """Return an encoded header of exactly that text."""
    return b64(text if isinstance(text, bytes) else text.encode()).encode()


HEADERS = [
    pytest.param(header(alg=ABSENT), "alg is nothing", id="alg-absent"),
    pytest.param(header(alg=None), "alg is nothing", id="alg-null"),
    pytest.param(header(alg="none"), "alg is 'none'", id="alg-none"),
    pytest.param(header(alg="None"), "alg is 'None'", id="alg-None"),
    pytest.param(header(alg="NONE"), "alg is 'NONE'", id="alg-NONE"),
    pytest.param(header(alg="nOnE"), "alg is 'nOnE'", id="alg-nOnE"),
    pytest.param(header(alg=""), "alg is ''", id="alg-empty"),
    pytest.param(header(alg="rs256"), "alg is 'rs256'", id="alg-lower-case"),
    pytest.param(header(alg="RS256 "), "alg is 'RS256 '", id="alg-with-a-space"),
    pytest.param(header(alg="RS256\x00"), "alg is 'RS256", id="alg-with-a-null-character"),
    pytest.param(header(alg="RS384"), "alg is 'RS384'", id="alg-RS384"),
    pytest.param(header(alg="RS512"), "alg is 'RS512'", id="alg-RS512"),
    pytest.param(header(alg="RS1"), "alg is 'RS1'", id="alg-RS1"),
    pytest.param(header(alg="PS256"), "alg is 'PS256'", id="alg-PS256"),
    pytest.param(header(alg="ES256"), "alg is 'ES256'", id="alg-ES256"),
    pytest.param(header(alg="EdDSA"), "alg is 'EdDSA'", id="alg-EdDSA"),
    pytest.param(header(alg="HS256"), "alg is 'HS256'", id="alg-HS256"),
    pytest.param(header(alg="RSA-OAEP"), "alg is 'RSA-OAEP'", id="alg-of-encryption"),
    pytest.param(header(alg=["RS256"]), "alg is a value of type list", id="alg-list"),
    pytest.param(header(alg={"RS256": 1}), "alg is a value of type dict", id="alg-object"),
    pytest.param(header(alg=256), "alg is a value of type int", id="alg-number"),
    pytest.param(header(alg=True), "alg is a value of type bool", id="alg-boolean"),
    pytest.param(header(alg="RS256" * 1000), "alg is 'RS256", id="alg-endless"),
    pytest.param(header(kid=ABSENT), "kid is nothing", id="kid-absent"),
    pytest.param(header(kid=None), "kid is nothing", id="kid-null"),
    pytest.param(header(kid=""), "kid is ''", id="kid-empty"),
    pytest.param(header(kid=1), "kid is a value of type int", id="kid-number"),
    pytest.param(header(kid=True), "kid is a value of type bool", id="kid-boolean"),
    pytest.param(header(kid=[ACCESS_KID]), "kid is a value of type list", id="kid-list"),
    pytest.param(header(kid={"a": 1}), "kid is a value of type dict", id="kid-object"),
    pytest.param(header(kid="k" * 257), "kid is 'k", id="kid-of-257-bytes"),
    pytest.param(header(kid="ä" * 129), "kid is 'ä", id="kid-of-258-bytes-in-utf-8"),
    pytest.param(header(typ=None), "typ is nothing", id="typ-null"),
    pytest.param(header(typ="jwt"), "typ is 'jwt'", id="typ-lower-case"),
    pytest.param(header(typ="JWE"), "typ is 'JWE'", id="typ-jwe"),
    pytest.param(header(typ="dpop+jwt"), "typ is 'dpop", id="typ-dpop"),
    pytest.param(header(typ="logout+jwt"), "typ is 'logout", id="typ-logout"),
    pytest.param(header(typ=""), "typ is ''", id="typ-empty"),
    pytest.param(header(typ=["JWT"]), "typ is a value of type list", id="typ-list"),
    pytest.param(header(crit=["b64"], b64=False), "header has 'crit'", id="crit-and-b64"),
    pytest.param(header(crit=[]), "header has 'crit'", id="crit-empty"),
    pytest.param(header(crit=5), "header has 'crit'", id="crit-number"),
    pytest.param(header(crit=None), "header has 'crit'", id="crit-null"),
    pytest.param(header(b64=True), "header has 'b64'", id="b64-true"),
    pytest.param(header(b64=False), "header has 'b64'", id="b64-false"),
    pytest.param(header(zip="DEF"), "header has 'zip'", id="zip"),
    pytest.param(header(jwk={"kty": "RSA"}), "header has 'jwk'", id="jwk"),
    pytest.param(header(jwk=None), "header has 'jwk'", id="jwk-null"),
    pytest.param(header(jku="https://evil.example/jwks.json"), "header has 'jku'", id="jku"),
    pytest.param(header(x5u="https://evil.example/x.pem"), "header has 'x5u'", id="x5u"),
    pytest.param(header(x5c=["MIIB"]), "header has 'x5c'", id="x5c"),
    pytest.param(b"", "header is not valid JSON", id="empty"),
    pytest.param(raw("{}"), "alg is nothing", id="empty-object"),
    pytest.param(raw("[]"), "header is no JSON object", id="array"),
    pytest.param(raw('"RS256"'), "header is no JSON object", id="string"),
    pytest.param(raw("null"), "header is no JSON object", id="null"),
    pytest.param(header() + b"=", "header is not base64url", id="padding"),
    pytest.param(header() + b"==", "header is not base64url", id="more-padding"),
    pytest.param(header().replace(b"I", b"+", 1), "header is not base64url", id="standard-alphabet"),
    pytest.param(header() + b"\n", "header is not", id="line-break"),
    pytest.param(b" " + header(), "header is not", id="space"),
    pytest.param(header() + b"A", "header is not", id="one-more-character"),
    pytest.param(raw('{"kid":"a","alg":"RS256"}')[:-1] + b"R", "header is not canonical", id="spare-bits"),
    pytest.param(raw('{"kid":"a","alg":"RS256"} x'), "header is not valid JSON", id="text-behind"),
    pytest.param(raw('{"kid":"a","alg":"RS256","alg":"RS256"}'), "header has a member twice", id="alg-twice"),
    pytest.param(raw('{"kid":"a","alg":"none","alg":"RS256"}'), "header has a member twice", id="alg-none-first"),
    pytest.param(raw('{"kid":"a","alg":"RS256","\\u0061lg":"none"}'), "header has a member twice", id="alg-escaped"),
    pytest.param(raw('{"kid":"a","kid":"b","alg":"RS256"}'), "header has a member twice", id="kid-twice"),
    pytest.param(raw('{"kid":"a","alg":"RS256","x":{"y":1,"y":1}}'), "header has a member twice", id="twice-at-depth"),
    pytest.param(raw('{"kid":"a","alg":"RS256","x":NaN}'), "header is not valid JSON", id="nan"),
    pytest.param(raw('{"kid":"\\ud800","alg":"RS256"}'), "header is not valid JSON", id="lone-surrogate"),
    pytest.param(raw(b'{"kid":"\xff","alg":"RS256"}'), "header is not valid JSON", id="no-utf-8"),
    pytest.param(raw(b'\xef\xbb\xbf{"kid":"a","alg":"RS256"}'), "header is not valid JSON", id="byte-order-mark"),
    pytest.param(raw('{"kid":"a","alg":"RS256"}'.encode("utf-16")), "header is not valid JSON", id="utf-16"),
    pytest.param(
        raw('{"kid":"a","alg":"RS256","x":' + "[" * 32 + "]" * 32 + "}"), "header nests deeper than 32", id="33-levels"
    ),
    pytest.param(
        raw('{"kid":"a","alg":"RS256","x":' + "[" * 5000 + "]" * 5000 + "}"), "header is not valid", id="5001-levels"
    ),
    pytest.param(
        raw('{"kid":"a","alg":"RS256","x":' + "9" * 5000 + "}"), "header is not valid JSON", id="number-of-5000-digits"
    ),
]


@pytest.mark.parametrize(("segment", "message"), HEADERS)
def test_any_other_header_is_refused(segment: bytes, message: str) -> None:
    """A header that differs in one thing is refused as malformed."""
    with pytest.raises(MalformedTokenError, match=f"^The token's {message}"):
        parse_header(segment)


@pytest.mark.parametrize(("segment", "message"), HEADERS)
def test_a_verifier_refuses_such_a_header_though_it_is_signed(segment: bytes, message: str) -> None:
    """The same headers over a good payload, signed with the pool's own key, are refused by the verifier too."""
    payload = b64(json.dumps(access_payload()).encode())
    with pytest.raises(MalformedTokenError):
        sync_verifier().verify_access_token(sign_segments(segment.decode(), payload, key=rsa_key("access")))


def test_a_signature_of_the_key_is_good() -> None:
    """A signature of the named key over the signing input passes."""
    *_, signature, signing_input = split_token(sign(access_payload()), 16_384)
    verify_signature(signature, signing_input, rsa_key("access").public_key())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param((b"", b""), id="empty"),
        pytest.param((b"AAAA", b""), id="three-octets"),
        pytest.param((b"A" * 342, b""), id="zeros"),
        pytest.param((b"_" * 341 + b"w", b""), id="ones"),
        pytest.param((None, b"A"), id="signing-input-changed"),
    ],
)
def test_another_signature_is_refused(change: tuple[bytes | None, bytes]) -> None:
    """What is not the signature of this key over this input is an invalid signature."""
    *_, signature, signing_input = split_token(sign(access_payload()), 16_384)
    other, more = change
    with pytest.raises(InvalidSignatureError):
        verify_signature(signature if other is None else other, signing_input + more, rsa_key("access").public_key())


def test_a_digest_that_is_at_hand_takes_the_place_of_the_text() -> None:
    """Where the SHA-256 of the signing input is given, it is what counts."""
    *_, signature, signing_input = split_token(sign(access_payload()), 16_384)
    key, digest = rsa_key("access").public_key(), sha256(signing_input).digest()
    verify_signature(signature, signing_input, key, digest)
    for other in (sha256(signing_input + b"A").digest(), digest[:-1], b""):
        with pytest.raises((InvalidSignatureError, MalformedTokenError)):
            verify_signature(signature, signing_input, key, other)


@pytest.mark.parametrize("bits", [pytest.param(2048, id="same-size"), pytest.param(3072, id="another-size")])
def test_the_signature_of_another_key_is_refused(bits: int) -> None:
    """A signature that is good under another key is not good under this one."""
    *_, signature, signing_input = split_token(sign(access_payload()), 16_384)
    with pytest.raises(InvalidSignatureError):
        verify_signature(signature, signing_input, rsa_key("other", bits).public_key())


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(lambda text: text[:-1] + bytes([text[-1] + 1]), id="spare-bits"),
        pytest.param(lambda text: text + b"AAA", id="characters-behind"),
        pytest.param(lambda text: text + b"\n", id="line-break"),
        pytest.param(lambda text: text[:-3] + b"!" + text[-2:], id="no-base64url"),
    ],
)
def test_a_signature_has_one_form_only(ending: object) -> None:
    """The right octets in another writing are a malformed token, so that nobody makes two texts of one token."""
    *_, signature, signing_input = split_token(sign(access_payload()), 16_384)
    with pytest.raises(MalformedTokenError, match=r"^The token's signature is not"):
        verify_signature(ending(signature), signing_input, rsa_key("access").public_key())  # type: ignore[operator]


@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]{0,40}(\.[A-Za-z0-9_-]{0,40}){0,4}", fullmatch=True))
def test_any_text_is_split_or_malformed(token: str) -> None:
    """No text raises anything but MalformedTokenError, and the parts put together are the text."""
    try:
        first, second, third, signing_input = split_token(token, 200)
    except MalformedTokenError:
        return
    assert b".".join((first, second, third)).decode() == token
    assert signing_input == first + b"." + second


@given(st.binary(max_size=60) | st.text('{}[]":,\\ualgkidRS256 0', max_size=60).map(raw))
def test_any_octets_are_a_header_or_malformed(segment: bytes) -> None:
    """No octets raise anything but MalformedTokenError."""
    try:
        kid = parse_header(segment)
    except MalformedTokenError:
        return
    assert 0 < len(kid.encode()) <= 256


@given(st.from_regex(rb"[^+/=.\x80-\xff]{0,400}", fullmatch=True))
def test_any_octets_are_a_signature_or_refused(signature: bytes) -> None:
    """Nothing that is left of a token passes for a signature, nor raises anything but a TokenVerificationError."""
    with pytest.raises((InvalidSignatureError, MalformedTokenError)):
        verify_signature(signature, b"e30.e30", rsa_key("access").public_key())


# --- Project Wycheproof -----------------------------------------------------------------------------------------------


def signature_layer_accepts(jwks: Mapping[str, object], token: str) -> bool:
    """Tell whether our signature layer accepts a token.

    The layer is what a verifier runs before it looks at claims: `jwks.parse_key_set` imports the keys, `split_token`
    and `parse_header` take the token apart, the key set is asked for the header's kid, and `verify_signature` judges.
    A set without a usable key (ProtocolError), a refused token (TokenVerificationError) and a kid that is not in the
    set are refusals; anything else that is raised fails the test.
    """
    try:
        keys = parse_key_set(jwks).keys
        first, _, signature, signing_input = split_token(token, 16_384)
        key = keys.get(parse_header(first))
        if key is None:
            return False
        verify_signature(signature, signing_input, key.public_key)
    except (ProtocolError, TokenVerificationError):
        return False
    return True


def vectors(name: str) -> Iterator[tuple[Mapping[str, object], Mapping[str, object]]]:
    """Yield each vector of a file with the key set it is to be judged by: the public keys where there are some."""
    for group in json.loads((WYCHEPROOF / name).read_text())["testGroups"]:
        keys = group.get("public", group["private"])
        yield from ((vector, keys if "keys" in keys else {"keys": [keys]}) for vector in group["tests"])


def cases(name: str, accepted: frozenset[int]) -> list[object]:
    """Return the vectors of a file as parameters."""
    return [
        pytest.param(jwks, str(vector["jws"]), vector["tcId"] in accepted, id=f"{vector['tcId']}-{vector['comment']}")
        for vector, jwks in vectors(name)
    ]


# RS256 with a key of at least 2,048 bits, and nothing else: the README beside the vectors. 259 has an empty payload,
# which is for `decode_payload` to refuse.
ACCEPTED_SIGNATURES = frozenset({33, 259, 260, 261, 262, 263, 345, 349})
ACCEPTED_KEYS = frozenset({5})  # the one vector with an RS256 key that is fit for use; 7 is a ROCA key


@pytest.mark.parametrize(("jwks", "token", "accepted"), cases("json_web_signature_test.json", ACCEPTED_SIGNATURES))
def test_wycheproof_signatures(jwks: Mapping[str, object], token: str, accepted: bool) -> None:
    """Of Wycheproof's signature vectors exactly those of RS256 that are valid are accepted."""
    assert signature_layer_accepts(jwks, token) is accepted


@pytest.mark.parametrize(("jwks", "token", "accepted"), cases("json_web_key_test.json", ACCEPTED_KEYS))
def test_wycheproof_keys(jwks: Mapping[str, object], token: str, accepted: bool) -> None:
    """Of Wycheproof's key vectors exactly the valid one of RS256 is accepted."""
    assert signature_layer_accepts(jwks, token) is accepted


def test_the_vectors_are_all_there() -> None:
    """The files hold as many vectors as they say, so that nothing is passed over silently."""
    assert len(list(vectors("json_web_signature_test.json"))) == 401
    assert len(list(vectors("json_web_key_test.json"))) == 26


def test_an_empty_payload_is_refused_where_it_is_read() -> None:
    """Wycheproof's 259 passes the signature layer, but its empty payload is no object."""
    with pytest.raises(MalformedTokenError, match="payload is not valid JSON"):
        decode_payload(b"")
