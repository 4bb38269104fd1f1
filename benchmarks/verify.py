"""How fast a warm access token is verified, against the raw RSA verification of `cryptography` and against others.

    python -m benchmarks.verify --publish

Every library makes the full check that its documentation describes (`benchmarks/peers.py`), all in one run,
interleaved: many short rounds, in each of which every case has its turn. The limit is `cryptography`'s own
`public_key.verify` with key, padding and hash made beforehand and the signature decoded.
"""

from __future__ import annotations

import asyncio
import itertools
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks import node, peers
from benchmarks.drawing import Bar, bars
from benchmarks.key_server import KeyServer
from benchmarks.shared import (
    ACCESS_KID,
    CLIENT_ID,
    ISSUER,
    NONCE,
    OURS,
    POOL_ID,
    Case,
    Json,
    access_token,
    forged_token,
    id_token,
    interleave,
    key_set,
    machine,
    machine_line,
    mapping,
    repeat,
    rsa_key,
    run,
    summary,
    table,
)
from benchmarks.strictness import bad_tokens
from cognito_oidc import SyncTokenVerifier, TokenVerifier, UserPool
from cognito_oidc.errors import CognitoOidcError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.peers import AsyncCheck, Check

LIMIT: Final = "cryptography alone"
SYNC: Final = "SyncTokenVerifier"
ASYNC: Final = "TokenVerifier, awaited"
NOWAIT: Final = "TokenVerifier, nowait"
WITH_SCOPES: Final = "required scopes and groups"
ID_TOKEN: Final = "an ID token with its nonce"
SEEN: Final = "seen before, with a memory"
MANY: Final = "tokens in turn, no memory"
MISSED: Final = "tokens in turn, memory on, all missed"
FORGED: Final = "forged"
GARBAGE: Final = "garbage"
DOTTED: Final = "garbage with two dots"
BAD: Final = {FORGED: forged_token(), GARBAGE: "garbage" * 100, DOTTED: "abc.def.ghi"}
_TOKENS: Final = 400  # in turn through a memory of 8: none is ever found

GOALS: Final = (
    ("a warm access token into typed claims, every check on", SYNC, 1.4),
    ("the same, awaited", ASYNC, 1.4),
    ("a token seen before, with a memory of verified tokens", SEEN, 0.12),
    ("refusing a forged token", f"{SYNC}: {FORGED}", 1.3),
    ("refusing garbage", f"{SYNC}: {GARBAGE}", 0.1),
    ("refusing garbage with two dots", f"{SYNC}: {DOTTED}", 0.1),
)
GOAL_OF_A_MISS: Final = 1.05


def measure(quick: bool) -> Json:  # noqa: FBT001 - the one switch of every benchmark
    """Time all cases, and try the bad tokens on everybody."""
    jwks, token = key_set(), access_token()
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        path = peers.write_key_set(folder, jwks)
        url = stack.enter_context(KeyServer()).serve(jwks)
        runner = stack.enter_context(asyncio.Runner())
        npm = None if quick else stack.enter_context(node.libraries())
        cases = [*own_cases(jwks, token, runner)]
        judges: dict[str, Callable[[str], bool]] = {OURS: _judge(_verifier(jwks).verify_access_token)}
        for name, check in peers.synchronous(jwks, url=url, path=path):
            cases += _cases_of(name, check, token)
            judges[name] = _judge(check)
        for name, waiting in peers.asynchronous(path=path):
            cases += _async_cases_of(name, waiting, token, runner)
            judges[name] = _judge(_waiting(runner, waiting))
        more = {}
        if npm is not None:
            process = stack.enter_context(node.Node(npm))
            keys = {"jwks": jwks, "userPoolId": POOL_ID, "clientId": CLIENT_ID, "issuer": ISSUER}
            process.ask("withKeys", **keys, token=token, accessKid=ACCESS_KID)
            cases.append(Case(name=node.RAW, seconds_for=process.timer(node.RAW, token)))
            for name in (peers.AWS_JWT_VERIFY, peers.JOSE):
                cases.append(Case(name=name, seconds_for=process.timer(name, token)))
                for kind, bad in BAD.items():
                    timer = process.timer(name, bad, refused=True)
                    cases.append(Case(name=f"{name}: {kind}", seconds_for=timer))
                judges[name] = _judge(_asking(process, name))
            more = {"Node.js": node.version(), **node.VERSIONS}
        assert all(judge(token) for judge in judges.values()), "somebody refuses the good token"
        accepted = {name: [what for what, bad in bad_tokens().items() if judge(bad)] for name, judge in judges.items()}
        seconds = interleave(cases, rounds=3 if quick else 60, per_case=0.0005 if quick else 0.01)
    return {
        "machine": machine((*peers.PACKAGES, "jiter", "pybase64"), **more),
        "token_characters": len(token),
        "unit": "microseconds",
        "cases": summary(seconds, limit=LIMIT, scale=1e6),
        "bad_tokens": list(bad_tokens()),
        "accepted": accepted,
    }


def own_cases(jwks: Json, token: str, runner: asyncio.Runner) -> Iterator[Case]:
    """Give the limit and what is ours."""
    signing_input, _, signature_text = token.rpartition(".")
    signature, data = _decoded(signature_text), signing_input.encode()
    public_key, padding, algorithm = rsa_key("access").public_key(), PKCS1v15(), SHA256()
    yield Case(name=LIMIT, seconds_for=repeat(lambda: public_key.verify(signature, data, padding, algorithm)))

    verifier = _verifier(jwks)
    yield from _cases_of(SYNC, verifier.verify_access_token, token)
    yield Case(
        name=WITH_SCOPES,
        seconds_for=repeat(
            lambda: verifier.verify_access_token(token, required_scopes=("orders/read",), required_groups=("admins",))
        ),
    )
    identity = id_token()
    yield Case(name=ID_TOKEN, seconds_for=repeat(lambda: verifier.verify_id_token(identity, nonce=NONCE)))

    waiting = TokenVerifier(UserPool(POOL_ID), client_ids=[CLIENT_ID], jwks=jwks)
    yield Case(name=NOWAIT, seconds_for=repeat(lambda: waiting.verify_access_token_nowait(token)))
    yield from _async_cases_of(ASYNC, waiting.verify_access_token, token, runner)

    memory = _verifier(jwks, verified_cache_size=1000)
    memory.verify_access_token(token)
    # From bytes each time, as a request's header comes: a text that was hashed before would remember its hash.
    received = token.encode()
    yield Case(name=SEEN, seconds_for=repeat(lambda: memory.verify_access_token(received.decode())))

    others = [access_token(jti=f"b7a1f8a2-0f3c-4bb5-8f0e-{number:012d}").encode() for number in range(_TOKENS)]
    tokens = itertools.cycle(others)
    small, none = _verifier(jwks, verified_cache_size=8), _verifier(jwks)
    yield Case(name=MANY, seconds_for=repeat(lambda: none.verify_access_token(next(tokens).decode())))
    yield Case(name=MISSED, seconds_for=repeat(lambda: small.verify_access_token(next(tokens).decode())))


def _verifier(jwks: Json, verified_cache_size: int = 0) -> SyncTokenVerifier:
    pool = UserPool(POOL_ID)
    return SyncTokenVerifier(pool, client_ids=[CLIENT_ID], jwks=jwks, verified_cache_size=verified_cache_size)


def _decoded(text: str) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(text + "==")


def _cases_of(name: str, check: Check, token: str) -> Iterator[Case]:
    yield Case(name=name, seconds_for=repeat(lambda: check(token)))
    for kind, bad in BAD.items():
        yield Case(name=f"{name}: {kind}", seconds_for=repeat(_refusing(check, bad)))


def _refusing(check: Check, token: str) -> Callable[[], None]:
    def refuse() -> None:
        try:
            check(token)
        except Exception:  # noqa: BLE001, S110 - each library has its own
            pass
        else:
            raise AssertionError("accepted what must be refused")

    return refuse


def _async_cases_of(name: str, check: AsyncCheck, token: str, runner: asyncio.Runner) -> Iterator[Case]:
    async def seconds_of(count: int, one: str, *, refused: bool) -> float:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for _ in range(count):
            try:
                await check(one)
            except Exception:
                if not refused:
                    raise
        return loop.time() - begun

    def refusals_of(bad: str) -> Callable[[int], float]:
        return lambda count: runner.run(seconds_of(count, bad, refused=True))

    yield Case(name=name, seconds_for=lambda count: runner.run(seconds_of(count, token, refused=False)))
    for kind, bad in BAD.items():
        yield Case(name=f"{name}: {kind}", seconds_for=refusals_of(bad))


def _waiting(runner: asyncio.Runner, check: AsyncCheck) -> Check:
    async def wait(token: str) -> object:
        return await check(token)

    return lambda token: runner.run(wait(token))


def _asking(process: node.Node, name: str) -> Check:
    def ask(token: str) -> object:
        outcomes = process.ask("verify", name=name, tokens=[token])["outcomes"]
        assert isinstance(outcomes, list)
        if outcomes[0][0] != "accepted":
            raise ValueError(outcomes[0][0])
        return None

    return ask


def _judge(check: Check) -> Callable[[str], bool]:
    def accepts(token: str) -> bool:
        try:
            check(token)
        except CognitoOidcError:
            return False
        except Exception:  # noqa: BLE001 - each library has its own
            return False
        return True

    return accepts


def blocks_of(result: Json) -> dict[str, str]:
    """Return the tables: goals, everybody, ours in detail, and who accepts what."""
    cases = mapping(result["cases"])
    goals = [
        (what, f"{goal:g}", cases[name]["ratio"], cases[name]["ratio_of_minima"], _met(cases[name], goal))
        for what, name, goal in GOALS
    ]
    missed = {kind: cases[MISSED][kind] / cases[MANY][kind] for kind in ("median", "minimum")}  # type: ignore[operator]
    met = "yes" if max(missed.values()) <= GOAL_OF_A_MISS else "**no**"
    goals.append(
        ("a miss, against no memory", f"{GOAL_OF_A_MISS:g}", f"{missed['median']:.3f}", f"{missed['minimum']:.3f}", met)
    )
    head = ("cost, as a multiple of the limit", "goal", "measured", "of minima", "met")
    everybody = [_row(name, cases) for name in sorted(_libraries(cases), key=lambda name: _ratio(cases, name))]
    everybody_head = ("checks an access token", "median", "minimum", "ratio", "a forged one", *list(BAD)[1:])
    own = [
        (name, f"{cases[name]['median']:.1f} µs", f"{cases[name]['minimum']:.1f} µs", f"{_ratio(cases, name):.2f}")
        for name in (LIMIT, SYNC, NOWAIT, ASYNC, WITH_SCOPES, ID_TOKEN, SEEN, MANY, MISSED)
    ]
    return {
        "verify-machine": machine_line(result),
        "verify-goals": table(head, goals),
        "verify-everybody": table(everybody_head, everybody),
        "verify-ours": table(("ours", "median", "minimum", "ratio"), own),
        "verify-strictness": _strictness(result),
    }


def pictures_of(result: Json) -> dict[str, str]:
    """Return the picture of everybody's ratio."""
    cases = mapping(result["cases"])
    rows = [
        Bar(name, _ratio(cases, name), f"{_ratio(cases, name):.2f} x ({cases[name]['median']:.0f} µs)", _kind(name))
        for name in sorted({*_libraries(cases), SEEN}, key=lambda name: _ratio(cases, name))
    ]
    title = "Verifying a warm access token"
    subtitle = "Time as a multiple of the raw RSA-2048 verification of cryptography; less is better"
    return {"verify": bars(title, subtitle, rows, goal=1.4, axis="times the raw verification")}


def _libraries(cases: Mapping[str, Json]) -> list[str]:
    detail = {NOWAIT, WITH_SCOPES, ID_TOKEN, SEEN, MANY, MISSED}
    return [name for name in cases if ": " not in name and name not in detail]


def _kind(name: str) -> str:
    if name in {SYNC, ASYNC, NOWAIT, SEEN}:
        return "ours"
    return "limit" if name in {LIMIT, node.RAW} else "peer"


def _ratio(cases: Mapping[str, Json], name: str) -> float:
    return float(str(cases[name]["ratio"]))


def _met(case: Json, goal: float) -> str:
    """Say yes where medians and minima both do: noise of the machine must not give away a goal."""
    return "yes" if max(float(str(case[kind])) for kind in ("ratio", "ratio_of_minima")) <= goal else "**no**"


def _row(name: str, cases: Mapping[str, Json]) -> tuple[str, ...]:
    bold = "**" if _kind(name) == "ours" else ""
    refusals = [f"{_ratio(cases, f'{name}: {kind}'):.2f}" if f"{name}: {kind}" in cases else "" for kind in BAD]
    median, minimum = f"{cases[name]['median']:.1f} µs", f"{cases[name]['minimum']:.1f} µs"
    return (f"{bold}{name}{bold}", median, minimum, f"{bold}{_ratio(cases, name):.2f}{bold}", *refusals)


def _strictness(result: Json) -> str:
    accepted = mapping(result["accepted"])
    tokens = result["bad_tokens"]
    assert isinstance(tokens, list)
    head = ("accepted although ...", *accepted)
    return table(
        head, [(token, *("accepts" if token in accepted[name] else "" for name in accepted)) for token in tokens]
    )


if __name__ == "__main__":
    run("verify", measure, blocks_of, pictures_of)
