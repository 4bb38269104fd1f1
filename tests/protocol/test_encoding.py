"""The two encodings: every octet string has one base64url form, every object one reading."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from itertools import count, repeat
from string import ascii_letters, digits

import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.protocol import encoding
from cognito_oidc.protocol.encoding import (
    MAX_DEPTH,
    decode_base64url,
    is_endless,
    load_object,
    load_object_of_any_depth,
)

DECODERS = [pytest.param(encoding._decode_slowly, id="binascii"), pytest.param(pybase64.b64decode, id="pybase64")]
ALPHABET = frozenset((ascii_letters + digits + "-_").encode())


@pytest.fixture(params=DECODERS, scope="module", autouse=True)
def decoder(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run every test here through both decoders: that of the first tokens, and that of all others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "_decode", request.param)
        patch.setattr(encoding, "_decoded", repeat(0))
        yield


def test_after_the_first_texts_the_fast_decoder_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that goes on verifying does not go on decoding slowly."""
    monkeypatch.setattr(encoding, "_decode", encoding._decode_slowly)
    monkeypatch.setattr(encoding, "_decoded", count(1))
    for _ in range(49):
        assert decode_base64url(b"AAAA") == b"\x00\x00\x00"
    assert encoding._decode is encoding._decode_slowly
    assert decode_base64url(b"AAAA") == b"\x00\x00\x00"
    assert encoding._decode is pybase64.b64decode


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"AA", b"\x00", id="one-octet"),
        pytest.param(b"_w", b"\xff", id="one-octet-of-ones"),
        pytest.param(b"AAA", b"\x00\x00", id="two-octets"),
        pytest.param(b"__8", b"\xff\xff", id="two-octets-of-ones"),
        pytest.param(b"AAAA", b"\x00\x00\x00", id="three-octets"),
        pytest.param(b"____", b"\xff\xff\xff", id="three-octets-of-ones"),
        pytest.param(b"A-z_4ME", bytes([3, 236, 255, 224, 193]), id="rfc-7515-appendix-c"),
        pytest.param(b"Zm9vYmFy", b"foobar", id="rfc-4648-section-10-foobar"),
        pytest.param(b"Zm9vYmE", b"fooba", id="rfc-4648-section-10-fooba"),
        pytest.param(b"Zm9vYg", b"foob", id="rfc-4648-section-10-foob"),
    ],
)
def test_canonical_base64url_is_decoded(text: bytes, octets: bytes) -> None:
    """Text of the alphabet alone, without padding and with spare bits of zero, gives its octets."""
    assert decode_base64url(text) == octets


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"AA==", id="padding-of-one-octet"),
        pytest.param(b"AAA=", id="padding-of-two-octets"),
        pytest.param(b"AAAA====", id="padding-of-nothing"),
        pytest.param(b"=", id="padding-alone"),
        pytest.param(b"=AAA", id="padding-first"),
        pytest.param(b"AA=A", id="padding-inside"),
        pytest.param(b"AA=", id="half-the-padding"),
        pytest.param(b"A%3D", id="padding-as-in-a-url"),
        pytest.param(b"+w", id="standard-alphabet-plus"),
        pytest.param(b"//8", id="standard-alphabet-slash"),
        pytest.param(b"AAA+", id="standard-alphabet-at-the-end"),
        pytest.param(b"AB", id="spare-bits-of-one-octet"),
        pytest.param(b"_x", id="spare-bits-of-one-octet-of-ones"),
        pytest.param(b"AAB", id="spare-bit-of-two-octets"),
        pytest.param(b"__9", id="spare-bit-of-two-octets-of-ones"),
        pytest.param(b"A", id="one-character"),
        pytest.param(b"AAAAA", id="one-character-too-many"),
        pytest.param(b" AAAA", id="space-first"),
        pytest.param(b"AAAA ", id="space-last"),
        pytest.param(b"AA AA", id="space-inside"),
        pytest.param(b"AAAA\n", id="line-break-last"),
        pytest.param(b"AA\r\nAA", id="line-break-inside"),
        pytest.param(b"AAA\t", id="tab"),
        pytest.param(b"AA\x00A", id="null-character"),
        pytest.param(b"AAA.", id="dot"),
        pytest.param(b"AAA,", id="comma"),
        pytest.param(b"AA!!", id="exclamation-marks"),
        pytest.param(b"AAA?", id="question-mark"),
        pytest.param(b"AAA~", id="tilde"),
        pytest.param(b"AA\\u", id="escape"),
        pytest.param(b"\xc3\xa4AA", id="utf-8"),
        pytest.param(b"AAA\xff", id="no-ascii"),
    ],
)
def test_anything_else_is_refused(text: bytes) -> None:
    """What is not canonical base64url is a ValueError that quotes nothing."""
    with pytest.raises(ValueError, match=r"^is not (canonical base64url|base64url without padding)$"):
        decode_base64url(text)


@given(st.binary(max_size=200))
def test_every_octet_string_has_a_form(octets: bytes) -> None:
    """The encoder of the standard library, without its padding, is undone."""
    assert decode_base64url(urlsafe_b64encode(octets).rstrip(b"=")) == octets


@given(st.binary(max_size=12) | st.text("AQgwZm9_-+/= \n", max_size=12).map(str.encode))
def test_every_octet_string_has_one_form_only(text: bytes) -> None:
    """Any octets are refused, or are exactly what encoding the result gives back."""
    try:
        octets = decode_base64url(text)
    except ValueError:
        return
    assert urlsafe_b64encode(octets).rstrip(b"=") == text
    assert set(text) <= ALPHABET


def nested(depth: int, opening: str = '{"a":', closing: str = "}") -> bytes:
    """Return an object with so many containers inside each other, itself counted."""
    inside = depth - 1
    return ('{"a":' + opening * inside + "1" + closing * inside + "}").encode()


@pytest.mark.parametrize(
    ("data", "value"),
    [
        pytest.param(b"{}", {}, id="empty"),
        pytest.param(b' \t\r\n{ "a" : 1 } \n', {"a": 1}, id="white-space"),
        pytest.param(b'{"iss":"https:\\/\\/a"}', {"iss": "https://a"}, id="escaped-slashes"),
        pytest.param(b'{"\\u0061":"\\u00e4"}', {"a": "ä"}, id="escapes"),
        pytest.param('{"a":"ä€😀"}'.encode(), {"a": "ä€😀"}, id="utf-8"),
        pytest.param(b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}, id="surrogate-pair"),
        pytest.param(b'{"a":"\x7f"}', {"a": "\x7f"}, id="delete-is-no-control-character-of-json"),
        pytest.param(b'{"a":1.5e2,"b":-0,"c":1E+2}', {"a": 150.0, "b": 0, "c": 100.0}, id="numbers"),
        pytest.param(b'{"a":{"b":1},"c":{"b":1}}', {"a": {"b": 1}, "c": {"b": 1}}, id="same-name-in-two-objects"),
        pytest.param(b'{"a":1,"A":2,"":3}', {"a": 1, "A": 2, "": 3}, id="names-that-differ"),
        pytest.param(b'{"a":[null,true,false,[]]}', {"a": [None, True, False, []]}, id="every-other-type"),
        pytest.param(b'{"a":' + b"9" * 4300 + b"}", {"a": 10**4300 - 1}, id="4300-digits"),
        pytest.param(nested(32), json.loads(nested(32)), id="32-objects"),
        pytest.param(nested(32, "[", "]"), json.loads(nested(32, "[", "]")), id="32-arrays"),
        pytest.param(b'{"a":[' + b"{}," * 99 + b"{}]}", {"a": [{}] * 100}, id="wide-but-not-deep"),
        pytest.param(b'{"a":"' + b"[{" * 99 + b'"}', {"a": "[{" * 99}, id="brackets-in-a-string"),
    ],
)
def test_an_object_is_read(data: bytes, value: dict[str, object]) -> None:
    """A JSON object in UTF-8 gives its members."""
    assert load_object(data) == value


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"", "is not valid JSON in UTF-8", id="nothing"),
        pytest.param(b"\xef\xbb\xbf{}", "is not valid JSON in UTF-8", id="byte-order-mark"),
        pytest.param('{"a":1}'.encode("utf-16"), "is not valid JSON in UTF-8", id="utf-16-with-mark"),
        pytest.param('{"a":1}'.encode("utf-16-le"), "is not valid JSON in UTF-8", id="utf-16-little-endian"),
        pytest.param('{"a":1}'.encode("utf-16-be"), "is not valid JSON in UTF-8", id="utf-16-big-endian"),
        pytest.param('{"a":1}'.encode("utf-32"), "is not valid JSON in UTF-8", id="utf-32"),
        pytest.param('{"a":1}'.encode("utf-7").replace(b"{", b"+AHs-"), "is not valid JSON in UTF-8", id="utf-7"),
        pytest.param(b'{"a":"\xe4"}', "is not valid JSON in UTF-8", id="latin-1"),
        pytest.param(b'{"\xe4":1}', "is not valid JSON in UTF-8", id="latin-1-in-a-name"),
        pytest.param(b'{"a":"\xc0\xaf"}', "is not valid JSON in UTF-8", id="overlong-utf-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', "is not valid JSON in UTF-8", id="surrogate-in-utf-8"),
        pytest.param(b'{"a":"\xf4\x90\x80\x80"}', "is not valid JSON in UTF-8", id="beyond-unicode"),
        pytest.param(b'{"a":"\\ud800"}', "is not valid JSON in UTF-8", id="lone-surrogate"),
        pytest.param(b'{"\\udc00":1}', "is not valid JSON in UTF-8", id="lone-low-surrogate-in-a-name"),
        pytest.param(b'{"a":"\\ud800\\u0041"}', "is not valid JSON in UTF-8", id="surrogate-before-a-letter"),
        pytest.param(b'{"a":"\n"}', "is not valid JSON in UTF-8", id="line-break-in-a-string"),
        pytest.param(b'{"a":"\x00"}', "is not valid JSON in UTF-8", id="null-character-in-a-string"),
        pytest.param(b'{"a":1}\x00', "is not valid JSON in UTF-8", id="null-character-behind"),
        pytest.param(b'{"a":1}{"a":1}', "is not valid JSON in UTF-8", id="two-objects"),
        pytest.param(b'{"a":1}]', "is not valid JSON in UTF-8", id="bracket-behind"),
        pytest.param(b'{"a":1', "is not valid JSON in UTF-8", id="cut-off"),
        pytest.param(b'{"a":1,}', "is not valid JSON in UTF-8", id="trailing-comma"),
        pytest.param(b"{'a':1}", "is not valid JSON in UTF-8", id="single-quotes"),
        pytest.param(b"{a:1}", "is not valid JSON in UTF-8", id="bare-name"),
        pytest.param(b'{"a":1/**/}', "is not valid JSON in UTF-8", id="comment"),
        pytest.param(b'{"a":NaN}', "is not valid JSON in UTF-8", id="nan"),
        pytest.param(b'{"a":Infinity}', "is not valid JSON in UTF-8", id="infinity"),
        pytest.param(b'{"a":-Infinity}', "is not valid JSON in UTF-8", id="minus-infinity"),
        pytest.param(b'{"a":01}', "is not valid JSON in UTF-8", id="leading-zero"),
        pytest.param(b'{"a":+1}', "is not valid JSON in UTF-8", id="plus-sign"),
        pytest.param(b'{"a":1.}', "is not valid JSON in UTF-8", id="nothing-after-the-point"),
        pytest.param(b'{"a":0x10}', "is not valid JSON in UTF-8", id="hexadecimal"),
        pytest.param(b'{"a":1_0}', "is not valid JSON in UTF-8", id="underscore"),
        pytest.param(b'{"a":True}', "is not valid JSON in UTF-8", id="boolean-of-python"),
        pytest.param(b'{"a":' + b"9" * 4301 + b"}", "is not valid JSON in UTF-8", id="4301-digits"),
        pytest.param(b'{"a":' + b"9" * 100_000 + b"}", "is not valid JSON in UTF-8", id="100000-digits"),
        pytest.param(b"[" * 100_000, "is not valid JSON in UTF-8", id="100000-brackets"),
        pytest.param(nested(50_000), "is not valid JSON in UTF-8", id="50000-objects"),
        pytest.param(b'{"a":1,"a":1}', "has a member twice", id="same-member-twice"),
        pytest.param(b'{"a":1,"\\u0061":2}', "has a member twice", id="member-twice-once-escaped"),
        pytest.param(b'{"x":[{"y":{"a":1,"a":2}}]}', "has a member twice", id="member-twice-at-depth"),
        pytest.param(b'{"":1,"":2}', "has a member twice", id="empty-name-twice"),
        pytest.param(b"[]", "is no JSON object", id="array"),
        pytest.param(b'"{}"', "is no JSON object", id="string"),
        pytest.param(b"1", "is no JSON object", id="number"),
        pytest.param(b"null", "is no JSON object", id="null"),
        pytest.param(b"true", "is no JSON object", id="true"),
        pytest.param(nested(33), "nests deeper than 32 levels", id="33-objects"),
        pytest.param(nested(33, "[", "]"), "nests deeper than 32 levels", id="33-arrays"),
        pytest.param(nested(150), "nests deeper than 32 levels", id="150-objects"),
    ],
)
def test_what_is_no_such_object_is_refused(data: bytes, problem: str) -> None:
    """Everything else is a ValueError of a few words that quotes nothing."""
    with pytest.raises(ValueError, match=f"^{problem}$"):
        load_object(data)


def test_the_depth_may_be_left_to_the_caller() -> None:
    """Who walks the object anyway may judge its depth himself."""
    assert load_object_of_any_depth(nested(MAX_DEPTH + 1)) == json.loads(nested(MAX_DEPTH + 1))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_what_the_standard_library_writes_is_read_back(value: dict[str, object]) -> None:
    """Any object of JSON values survives, whether written in ASCII or not."""
    text = json.dumps(value)
    assert load_object(text.encode()) == json.loads(text) == value


@given(st.binary(max_size=60) | st.text('{}[]":,\\u019aeE+-. truefalsn', max_size=40).map(str.encode))
def test_any_octets_give_an_object_or_a_value_error(data: bytes) -> None:
    """No octets raise anything else, and what is read the standard library reads alike."""
    try:
        value = load_object(data)
    except ValueError:
        return
    assert value == json.loads(data)


@pytest.mark.parametrize("text", [b'{"a":1e400}', b'{"a":-1e400}', b'{"a":[{"b":1e999}]}'])
def test_a_number_without_end_is_refused(text: bytes) -> None:
    """The parser reads 1e400 as infinity, which no JSON could be made of again."""
    with pytest.raises(ValueError, match="holds a number without end"):
        load_object(text)


@pytest.mark.parametrize(
    ("value", "expected"), [(float("inf"), True), (float("-inf"), True), (1e308, False), (1, False), ("inf", False)]
)
def test_only_infinity_is_endless(value: object, expected: bool) -> None:
    """Large is not endless, and a text is no number."""
    assert is_endless(value) is expected
