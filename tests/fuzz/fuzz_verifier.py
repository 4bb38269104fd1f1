"""Fuzz the verifier: any text gives claims or a TokenVerificationError, and only what was signed gives claims.

Run by hand, in a virtual environment of its own, since no one release of atheris installs on all our Pythons (2.3.0 on
3.11, 3.1.0 on 3.12 and 3.13), which is why it is not among the pinned tools:

    python3 -m venv /tmp/fuzz
    /tmp/fuzz/bin/python -m pip install -e . atheris
    PYTHONPATH=. /tmp/fuzz/bin/python tests/fuzz/fuzz_verifier.py -max_total_time=60 -max_len=4096

It stops after the seconds of `-max_total_time`, or at the first input that breaks the rule, and leaves that in a file
`crash-*` of the working folder; give the file as an argument to try it again. Without atheris the same target runs over
random mutations: `PYTHONPATH=src:. python tests/fuzz/fuzz_verifier.py --without-atheris 20000`.

The first octet of an input chooses what the rest is: a token; the header or the payload of a token that is signed with
the pool's own key; what is changed in a good header or payload before it is signed; or what is changed in a good token.
"""

import json
import random
import sys
from typing import Final

from cognito_oidc import CachePolicy
from cognito_oidc.errors import TokenVerificationError
from tests.factories import ACCESS_KID, access_payload, id_payload, sign, sync_verifier

HEADER: Final = json.dumps({"kid": ACCESS_KID, "alg": "RS256"}).encode()
PAYLOAD: Final = json.dumps(access_payload()).encode()
GOOD: Final = (sign(access_payload()), sign(id_payload()))
VERIFIER: Final = sync_verifier(policy=CachePolicy(lookups=0), verified_cache_size=16)


def changed(good: bytes, change: bytes) -> bytes:
    """Return good octets with some replaced: two octets say where, one how many, and the rest is what comes there."""
    at = int.from_bytes(change[:2], "big") % (len(good) + 1)
    return good[:at] + change[3:] + good[at + (change[2:3] or b"\0")[0] % 32 :]


def token_of(data: bytes) -> tuple[str, bool]:
    """Return the token that an input stands for, and whether it was signed with the pool's key."""
    kind, rest = (data[:1] or b"\0")[0], data[1:]
    match kind % 8:
        case 0:
            return rest.decode("utf-8", "surrogateescape"), False
        case 1:
            return sign(rest, header=HEADER), True
        case 2:
            return sign(PAYLOAD, header=rest), True
        case 3 | 4:
            return sign(changed(PAYLOAD, rest), header=HEADER), True
        case 5:
            return sign(PAYLOAD, header=changed(HEADER, rest)), True
        case _:
            return changed(GOOD[kind % 2].encode(), rest).decode("latin-1"), False


def check(data: bytes) -> None:
    """Verify the token of an input as both kinds; anything but claims or a TokenVerificationError goes up."""
    token, is_signed = token_of(data)
    accepted = 0
    for verify in (VERIFIER.verify_access_token, lambda text: VERIFIER.verify_id_token(text, nonce=None)):
        try:
            verify(token)
            accepted += 1
        except TokenVerificationError as error:
            error.explain()
            error.www_authenticate()
    if accepted and not is_signed and token not in GOOD:
        msg = "a token was accepted that nobody signed"
        raise AssertionError(msg)


def without_atheris(count: int) -> None:
    """Try so many random inputs, the same in each run."""
    chance = random.Random(0)  # noqa: S311 - no secret
    for _ in range(count):
        text = b"".join(
            chance.choice((b'"', b"{", b"[", b":1,", b"\\u", b"\xff", b".", b"e9")) for _ in range(chance.randrange(5))
        )
        check(chance.randbytes(4) + chance.randbytes(chance.randrange(3)) + text)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--without-atheris"]:
        without_atheris(int(sys.argv[2]))
    else:
        import atheris  # type: ignore[import-untyped, unused-ignore]  # installed by hand, see above

        atheris.instrument_all()
        atheris.Setup(sys.argv, check)
        atheris.Fuzz()
