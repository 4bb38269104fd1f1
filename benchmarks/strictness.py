"""Which tokens does each library accept that nobody should? Found out, not read from documentation.

Every token here but the forged ones carries a good signature of the pool's own key: what differs is what else is
looked at. Part of `benchmarks/verify.py`, so that a fast check is not mistaken for a full one.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.shared import ACCESS_KID, access_token, b64, id_token, rsa_key

_HOUR: Final = 3600


def bad_tokens() -> dict[str, str]:
    """Return tokens that a resource server must refuse, by what is wrong with them."""
    now = int(time.time())
    good = access_token()
    payload = _payload(good)
    without_exp = {name: value for name, value in payload.items() if name != "exp"}
    without_sub = {name: value for name, value in payload.items() if name != "sub"}
    twice = json.dumps(payload)[:-1] + ', "username": "mallory"}'
    return {
        "another pool's issuer": access_token(iss="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other9999"),
        "another app client": access_token(client_id="7otherclient0000000000000"),
        "an ID token": id_token(),
        "expired a second ago": access_token(exp=now - 1),
        "no `exp`": _sign(json.dumps(without_exp)),
        "issued in an hour (`iat`)": access_token(iat=now + _HOUR, exp=now + 2 * _HOUR),
        "valid in an hour (`nbf`)": access_token(nbf=now + _HOUR),
        "a lifetime of ten years": access_token(exp=now + 10 * 365 * 24 * _HOUR),
        "no `sub`": _sign(json.dumps(without_sub)),
        "`username` twice": _sign(twice),
        "a `kid` that is not published": access_token(kid="somebodyElse+/NvbTCuRxJ9N5+UXfk3Lbw9zs12345="),
        "no `kid`": _sign(json.dumps(payload), header={"alg": "RS256"}),
        "`crit` with an unknown extension": _sign(
            json.dumps(payload), header={"alg": "RS256", "kid": ACCESS_KID, "crit": ["x"], "x": 1}
        ),
        "bound to another resource (`aud`)": access_token(aud="https://other.example.com"),
        "re-encoded: padding at the signature": good + "==",
        "re-encoded: a stray character in the signature": f"{good[:-10]}!{good[-10:]}",
        "signed by a stranger's key": access_token(key="stranger"),
    }


def _payload(token: str) -> dict[str, object]:
    segment = token.split(".")[1]
    payload: dict[str, object] = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return payload


def _sign(payload: str, header: dict[str, object] | None = None) -> str:
    header = header or {"alg": "RS256", "kid": ACCESS_KID}
    signing_input = f"{b64(json.dumps(header).encode())}.{b64(payload.encode())}"
    return f"{signing_input}.{b64(rsa_key('access').sign(signing_input.encode(), PKCS1v15(), SHA256()))}"
