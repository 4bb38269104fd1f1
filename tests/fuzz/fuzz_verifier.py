"""Fuzz the verifier: any text gives claims or a TokenVerificationError, and only what was signed gives claims.

`engine.py` says how it is run.

The first octet of an input chooses what the rest is: a token; the header or the payload of a token that is signed with
the pool's own key; what is changed in a good header or payload before it is signed; or what is changed in a good token.
"""

import json
from typing import Final

from cognito_oidc import CachePolicy
from cognito_oidc.errors import TokenVerificationError
from tests.factories import ACCESS_KID, access_payload, id_payload, sign, sync_verifier
from tests.fuzz import engine

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


if __name__ == "__main__":
    engine.main("verifier", check)
