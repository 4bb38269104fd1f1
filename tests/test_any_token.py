"""Any text gives claims or a TokenVerificationError; and what is accepted other libraries accept too.

joserfc and PyJWT are the judges: they share no code with the verifier.
"""

import json
from functools import cache
from typing import TYPE_CHECKING, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from cognito_oidc import CachePolicy, SyncTokenVerifier
from cognito_oidc.errors import TokenVerificationError
from cognito_oidc.protocol.typed_claims import TokenClaims
from tests.factories import (
    ACCESS_KID,
    CLIENT_ID,
    ID_KID,
    ISSUER,
    NOW,
    access_payload,
    b64,
    id_payload,
    jwk,
    rsa_key,
    sign,
    sync_verifier,
)

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD: Final = (
    sign(access_payload()),
    sign(access_payload(scope="aws.cognito.signin.user.admin")),
    sign(id_payload()),
    sign(access_payload(), header={"kid": ACCESS_KID, "alg": "RS256", "typ": "JWT", "foo": [1]}),
)
NAMES: Final = {ACCESS_KID: "access", ID_KID: "id"}


@cache
def verifier(remembered: int = 0) -> SyncTokenVerifier:
    """Return a verifier with the pool's keys, which never fetches."""
    return sync_verifier(policy=CachePolicy(lookups=0), verified_cache_size=remembered)


def judge(token: str) -> list[TokenClaims]:
    """Return the claims of every kind a text is accepted as; raises what is no TokenVerificationError."""
    ways: list[Callable[[], TokenClaims]] = [
        lambda: verifier().verify_access_token(token),
        lambda: verifier(4).verify_access_token(token),
        lambda: verifier().verify_id_token(token, nonce=None, access_token=token, max_age=60),
    ]
    accepted = []
    for way in ways:
        try:
            accepted.append(way())
        except TokenVerificationError as error:
            tell(error)
    return accepted


def tell(error: TokenVerificationError) -> None:
    """Check that an error can be answered with: a status, and a header that is one."""
    assert error.http_status in {401, 403, 503}
    assert all(error.explain()) or not error.explain()
    assert (error.www_authenticate() or "").isascii()
    assert (error.www_authenticate() or "").isprintable()


def public_key(kid: str) -> RSAPublicKey:
    """Return the public key of that kid."""
    return rsa_key(NAMES[kid]).public_key()


def joserfc_reads(token: str, kid: str) -> object:
    """Return the payload of a token whose signature joserfc finds good with the key of that kid."""
    registry = jws.JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    found = jws.deserialize_compact(token, RSAKey.import_key(jwk(rsa_key(NAMES[kid]), kid)), registry=registry)  # type: ignore[arg-type]
    return json.loads(found.payload or b"")


def pyjwt_reads(token: str, kid: str) -> object:
    """Return the payload of a token whose signature PyJWT finds good with the key of that kid."""
    return json.loads(jwt.api_jws.decode(token, public_key(kid), algorithms=["RS256"]))


def kid_of(token: str) -> str:
    """Return the kid in the header, as PyJWT reads it."""
    return str(jwt.get_unverified_header(token)["kid"])


def agree(token: str) -> None:
    """Check that what we accept, both judges accept, and read the same."""
    for claims in judge(token):
        kid = kid_of(token)
        assert joserfc_reads(token, kid) == claims.to_dict()
        assert pyjwt_reads(token, kid) == claims.to_dict()


texts = (
    st.text(max_size=60)
    | st.text(st.characters(exclude_categories=()), max_size=20)  # lone surrogates too
    | st.from_regex(r"[A-Za-z0-9_-]{0,40}(\.[A-Za-z0-9_-]{0,40}){0,5}", fullmatch=True)
    | st.tuples(*[st.binary(max_size=40).map(b64)] * 3).map(".".join)
)


@given(texts)
def test_any_text_gives_claims_or_a_verification_error(token: str) -> None:
    """Nobody signed it, so nobody accepts it; and nothing else is raised."""
    assert judge(token) == []


json_texts = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=3)


@given(json_texts, json_texts, st.binary(max_size=300))
def test_any_unsigned_objects_are_refused(header: object, payload: object, signature: bytes) -> None:
    """Well-formed parts with any members and any signature."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    assert judge(".".join(map(b64, parts))) == []


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Draw a good token that was flipped, cut, doubled, swapped, or left alone."""
    token = draw(st.sampled_from(GOOD))
    start = draw(st.integers(0, len(token) - 1))
    end = draw(st.integers(start, min(len(token), start + 40)))
    other = draw(st.sampled_from(GOOD)).split(".")
    parts = token.split(".")
    which = draw(st.integers(0, 2))
    return draw(
        st.sampled_from(
            [
                token[:start] + draw(st.characters(max_codepoint=255)) + token[start + 1 :],
                token[:start] + draw(st.sampled_from("AQgw-_.=+/")) + token[start + 1 :],
                token[:start] + token[end:],
                token[:end] + token[start:end] + token[end:],
                token[:start] + token[start:end].swapcase() + token[end:],
                token[:start] + token[start:end][::-1] + token[end:],
                token[start:] + token[:start],
                ".".join(other[n] if n == which else parts[n] for n in range(3)),
                ".".join(parts[n] for n in draw(st.permutations(range(3)))),
                f"{token}.{parts[which]}",
                token,
            ]
        )
    )


@settings(max_examples=400)
@given(mutated())
def test_a_mutated_token_is_refused_unless_it_is_a_good_one_again(token: str) -> None:
    """RS256 gives one signature, and base64url one text: nothing but what was signed is ever accepted."""
    accepted = judge(token)
    assert (token in GOOD) is bool(accepted)
    agree(token)


@st.composite
def signed_bytes(draw: st.DrawFn) -> str:
    """Draw a token whose payload or header was mutated as text, and then signed with the pool's key."""
    payload = json.dumps(draw(st.sampled_from([access_payload(), id_payload(), access_payload(x=[{}], y=1.5)])))
    header = json.dumps({"kid": ACCESS_KID, "alg": "RS256"})
    in_header = draw(st.booleans())
    text = header if in_header else payload
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 8)))
    pieces = ['"', "{", "}", ",", ":", "0", "e9", "\\u0000", "\\", "null", "true", "-", "ä", " ", "\n", '"a":1,', "."]
    text = text[:start] + draw(st.sampled_from(["", *pieces, text[start:end] * 2])) + text[end:]
    mutant = text.encode()
    return sign(payload.encode(), header=mutant) if in_header else sign(mutant, header=header.encode())


@settings(max_examples=300)
@given(signed_bytes())
def test_what_is_accepted_of_signed_text_the_judges_accept(token: str) -> None:
    """Whatever stands in a token that the pool's own key signed: one reading, by everybody, or a refusal."""
    agree(token)


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.text(max_size=3))
interesting = st.sampled_from([NOW, NOW + 10, str(NOW), CLIENT_ID, [CLIENT_ID], ISSUER, "access", "id", 10**300, {}])


@settings(max_examples=300)
@given(
    st.sampled_from([access_payload(), id_payload()]),
    st.dictionaries(
        st.sampled_from(sorted({*access_payload(), *id_payload(), "nbf", "x"})),
        values | interesting,
        max_size=3,
    ),
)
def test_what_is_accepted_of_signed_claims_the_judges_accept(good: dict[str, object], row: dict[str, object]) -> None:
    """The same with claims of any type."""
    agree(sign(json.dumps({**good, **row}).encode(), header={"kid": ACCESS_KID, "alg": "RS256"}))


@given(mutated() | texts)
def test_what_pyjwt_refuses_for_its_signature_is_refused(token: str) -> None:
    """PyJWT with RS256 alone and the right key: what it cannot decode or verify, we do not accept."""
    try:
        pyjwt_reads(token, kid_of(token))
    except (jwt.PyJWTError, KeyError, ValueError):
        assert judge(token) == []


@given(mutated() | texts)
def test_what_joserfc_refuses_for_its_signature_is_refused(token: str) -> None:
    """Joserfc with RS256 alone and the right key: the same."""
    try:
        joserfc_reads(token, kid_of(token))
    except (JoseError, jwt.PyJWTError, KeyError, ValueError):
        assert judge(token) == []
