"""Which hostile callbacks and token answers log somebody in? Found out, not read from documentation.

    python -m benchmarks.callbacks --publish

A provider on loopback (`benchmarks/provider.py`) that misbehaves in one way at a time, and libraries used as the login
examples of their own documentation do (`benchmarks/relying_parties.py`). A login counts as accepted where the example
comes to its end without an error: where an application would now say "Hello".
"""

from __future__ import annotations

import gzip
import hmac
import json
import logging
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from unittest import mock
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.provider import ELSEWHERE, JSON, Provider, TokenAnswer
from benchmarks.relying_parties import PACKAGES, REDIRECT_URI, relying_parties
from benchmarks.shared import (
    ACCESS_KID,
    CLIENT_ID,
    ID_KID,
    OURS,
    Json,
    b64,
    jwk,
    machine,
    machine_line,
    mapping,
    rsa_key,
    run,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.relying_parties import RelyingParty

_HOUR: Final = 3600
_CODE: Final = "6f1c3a52-8c0e-4d0b-9a43-5a0d8f6f1c3a"
_LARGE: Final = 8 * 1024 * 1024
_OTHER_CLIENT: Final = "7otherclient0000000000000"
_ABSENT: Final = object()


@dataclass(frozen=True)
class Login:
    """A login that has begun: what the provider knows of it.

    Attributes:
        issuer: Who the provider is.
        sent: The parameters of the authorization request.
    """

    issuer: str
    sent: Mapping[str, str]

    def callback(self, **changes: str) -> str:
        """Return the callback, honest but for some parameters."""
        return f"{REDIRECT_URI}?{urlencode({'code': _CODE, 'state': self.sent['state'], **changes})}"

    def id_token(self, *, header: Json | None = None, key: str = "id", **changes: object) -> str:
        """Return an ID token, honest but for some claims; `_ABSENT` leaves one out."""
        now = int(time.time())
        payload = {
            "sub": "44e8b438-a061-70ca-faa7-3d3e93c015cb",
            "email_verified": True,
            "iss": self.issuer,
            "cognito:username": "alice",
            "nonce": self.sent.get("nonce", _ABSENT),
            "at_hash": b64(sha256(self.access_token().encode()).digest()[:16]),
            "aud": CLIENT_ID,
            "token_use": "id",
            "auth_time": now,
            "exp": now + _HOUR,
            "iat": now,
            "email": "alice@example.com",
            **changes,
        }
        return _signed(payload, header or {"kid": ID_KID, "alg": "RS256"}, key)

    def access_token(self) -> str:
        """Return an access token; the same one each time, for `at_hash`: the time stands still meanwhile."""
        now = int(time.time())
        payload = {
            "sub": "44e8b438-a061-70ca-faa7-3d3e93c015cb",
            "iss": self.issuer,
            "client_id": CLIENT_ID,
            "token_use": "access",
            "scope": "openid email",
            "exp": now + _HOUR,
            "iat": now,
            "username": "alice",
        }
        return _signed(payload, {"kid": ACCESS_KID, "alg": "RS256"}, "access")

    def tokens(self, **changes: object) -> Json:
        """Return the members of the token answer, honest but for some; `_ABSENT` leaves one out."""
        members = {
            "access_token": self.access_token(),
            "id_token": self.id_token(),
            "refresh_token": "r" * 64,
            "expires_in": _HOUR,
            "token_type": "Bearer",
            **changes,
        }
        return {name: value for name, value in members.items() if value is not _ABSENT}


@dataclass(frozen=True)
class Attack:
    """What arrives instead of an honest login.

    Attributes:
        callback: Makes the callback; None for the honest one.
        answer: Makes the token answer: its members, or all of it; None for the honest one.
        later: Seconds between the request and the callback.
        again: Whether the same callback comes a second time, to a provider that takes a code twice.
    """

    callback: Callable[[Login], str] | None = None
    answer: Callable[[Login], Json | TokenAnswer] | None = None
    later: float = 0.0
    again: bool = field(default=False)


def _id(**changes: object) -> Attack:
    """Return the attack of an ID token that is good but for some claims."""
    return Attack(answer=lambda login: login.tokens(id_token=login.id_token(**changes)))  # type: ignore[arg-type]  # claims


def attacks() -> dict[str, Attack]:
    """Return everything that must be refused, by what is wrong with it."""
    now = int(time.time())
    return {
        "the `state` of another login": Attack(lambda login: login.callback(state="s" * 43)),
        "no `state`": Attack(lambda _: f"{REDIRECT_URI}?code={_CODE}"),
        "an empty `state`": Attack(lambda login: login.callback(state="")),
        "`state` twice, the right one first": Attack(lambda login: login.callback() + "&state=other"),
        "`state` twice, the right one last": Attack(
            lambda login: f"{REDIRECT_URI}?state=other&code={_CODE}&state={login.sent['state']}"
        ),
        "`code` twice": Attack(lambda login: login.callback() + "&code=another"),
        "an error beside the code": Attack(lambda login: login.callback(error="access_denied")),
        "a foreign `iss` (mix-up)": Attack(lambda login: login.callback(iss="https://evil.example.com")),
        "the answer in the fragment": Attack(lambda login: login.callback().replace("?", "#")),
        "two hours after the request": Attack(later=2 * _HOUR),
        "the same callback again": Attack(again=True),
        "no nonce in the ID token": _id(nonce=_ABSENT),
        "another login's nonce": _id(nonce="n" * 43),
        "an ID token of another app client": _id(aud=_OTHER_CLIENT),
        "an ID token of two app clients": _id(aud=[CLIENT_ID, _OTHER_CLIENT]),
        "an ID token of another issuer": _id(iss="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other9999"),
        "an access token as the ID token": Attack(answer=lambda login: login.tokens(id_token=login.access_token())),
        "`token_use` says access": _id(token_use="access"),
        "`at_hash` of another access token": _id(at_hash="A" * 22),
        "an ID token that expired an hour ago": _id(exp=now - _HOUR, iat=now - 2 * _HOUR),
        "an ID token without `exp`": _id(exp=_ABSENT),
        "an ID token of tomorrow (`iat`)": _id(iat=now + 24 * _HOUR, exp=now + 25 * _HOUR),
        "an ID token without `sub`": _id(sub=_ABSENT),
        "an ID token with an empty `sub`": _id(sub=""),
        "an unsigned ID token (`alg` none)": _id(header={"alg": "none"}, key=""),
        "an ID token signed with the public key as a secret": _id(header={"alg": "HS256", "kid": ID_KID}, key="public"),
        "an ID token signed by a stranger": _id(key="stranger"),
        "an ID token signed by the key in its own header": _id(
            header={"alg": "RS256", "jwk": jwk("stranger", ID_KID)}, key="stranger"
        ),
        "an ID token with an unknown `crit`": _id(header={"alg": "RS256", "kid": ID_KID, "crit": ["x"], "x": 1}),
        "no ID token, though openid was asked for": Attack(answer=lambda login: login.tokens(id_token=_ABSENT)),
        "no access token": Attack(answer=lambda login: login.tokens(access_token=_ABSENT)),
        "a `token_type` that is not Bearer": Attack(answer=lambda login: login.tokens(token_type="mac")),
        "an error beside the tokens": Attack(answer=lambda login: login.tokens(error="invalid_grant")),
        "tokens that ended before they began (`expires_in` -1)": Attack(
            answer=lambda login: login.tokens(expires_in=-1)
        ),
        "good tokens under the status 400": Attack(answer=lambda login: _answer(login, status=400)),
        "good tokens as HTML": Attack(answer=lambda login: _answer(login, content_type="text/html")),
        "a member of the answer twice": Attack(
            answer=lambda login: TokenAnswer(body=_body(login)[:-1] + b', "refresh_token": "mallory"}')
        ),
        "an answer of 8 MiB": Attack(answer=lambda login: TokenAnswer(body=_large(login))),
        "8 MiB in a few compressed bytes": Attack(
            answer=lambda login: TokenAnswer(body=gzip.compress(_large(login)), headers={"Content-Encoding": "gzip"})
        ),
        "a redirect that takes code and secret elsewhere (307)": Attack(
            answer=lambda login: TokenAnswer(
                body=b"", status=307, headers={"Location": ELSEWHERE}, elsewhere=_body(login)
            )
        ),
    }


def _body(login: Login) -> bytes:
    return json.dumps(login.tokens()).encode()


def _large(login: Login) -> bytes:
    return json.dumps(login.tokens(padding=" " * _LARGE)).encode()


def _answer(login: Login, *, status: int = 200, content_type: str = JSON) -> TokenAnswer:
    return TokenAnswer(body=_body(login), status=status, content_type=content_type)


def _signed(payload: Mapping[str, object], header: Json, key: str) -> str:
    """Return a token signed by the key of that name, by the public key as a secret, or not at all."""
    claims = {name: value for name, value in payload.items() if value is not _ABSENT}
    signing_input = ".".join(b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    data = signing_input.encode()
    if key == "public":
        pem = rsa_key("id").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return f"{signing_input}.{b64(hmac.digest(pem, data, 'sha256'))}"
    return f"{signing_input}.{b64(rsa_key(key).sign(data, PKCS1v15(), SHA256())) if key else ''}"


# --- the attempts -----------------------------------------------------------------------------------------------------


def measure(quick: bool) -> Json:  # noqa: FBT001 - the one switch of every benchmark; this one counts, and counts all
    """Try every attack on everybody."""
    logging.disable(logging.CRITICAL)  # some of them log what they refuse, with a traceback
    with Provider() as provider:
        cases = {}
        for title, attack in {"an honest login": Attack(), **attacks()}.items():
            cases[title] = {name: outcome(make(provider), attack, provider) for name, make in relying_parties().items()}
    logging.disable(logging.NOTSET)
    honest = cases.pop("an honest login")
    assert set(honest.values()) == {"accepted"}, honest
    return {"machine": machine(PACKAGES), "cases": cases}


def outcome(party: RelyingParty, attack: Attack, provider: Provider) -> str:
    """Return `accepted`, or what was raised."""
    begun = time.time()
    sent = {name: values[0] for name, values in parse_qs(urlsplit(party.begin()).query).items()}
    login = Login(provider.issuer, sent)
    callback = login.callback() if attack.callback is None else attack.callback(login)
    with mock.patch("time.time", return_value=begun + attack.later):
        answer = login.tokens() if attack.answer is None else attack.answer(login)
        provider.answer = answer if isinstance(answer, TokenAnswer) else TokenAnswer(body=json.dumps(answer).encode())
        try:
            for _ in range(2 if attack.again else 1):
                party.finish(callback)
        except Exception as error:  # noqa: BLE001 - whatever they raise, nobody is logged in
            return type(error).__name__
    return "accepted"


# --- reporting --------------------------------------------------------------------------------------------------------


def blocks_of(result: Json) -> dict[str, str]:
    """Return the tables."""
    cases = mapping(result["cases"])
    names = list(next(iter(cases.values())))
    rows = [
        [title, *("**accepted**" if found[name] == "accepted" else "refused" for name in names)]
        for title, found in cases.items()
    ]
    counts = [
        [f"**{name}**" if name == OURS else name, sum(found[name] == "accepted" for found in cases.values())]
        for name in names
    ]
    return {
        "callbacks-summary": table(["who", f"accepted, of {len(cases)}"], counts),
        "callbacks": table(["what arrives", *names], rows),
        "callbacks-machine": machine_line(result),
    }


if __name__ == "__main__":
    run("callbacks", measure, blocks_of, lambda _: {})
