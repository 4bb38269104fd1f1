"""How long a process takes from its start to the first verified token, keys given: what a Lambda authorizer pays.

    python -m benchmarks.cold --publish

Each library verifies one access token in a process of its own (`python -I`), with the key set in a file. The limit is a
process that imports `cryptography` alone, makes the key from its numbers, and verifies that one signature.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from benchmarks import node, peers
from benchmarks.drawing import Bar, bars
from benchmarks.shared import (
    CLIENT_ID,
    ISSUER,
    POOL_ID,
    REGION,
    Case,
    Json,
    access_token,
    interleave,
    key_set,
    machine,
    machine_line,
    mapping,
    rsa_key,
    run,
    summary,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT: Final = "cryptography alone"
BARE: Final = "bare Python"
IMPORT: Final = "import cognito_oidc"
SYNC: Final = "SyncTokenVerifier"
NOWAIT: Final = "TokenVerifier, nowait"
ASYNC: Final = "TokenVerifier, asyncio.run"
BARE_NODE: Final = "bare Node.js"
GOAL: Final = 1.15
GOAL_OF_THE_IMPORT: Final = 15  # milliseconds over bare Python
NEVER_LOADED: Final = ("httpx", "pydantic", "joserfc", "anyio", "asyncio", "ssl")

# Every script begins with PATH, the file of the key set, TOKEN, and MODULUS for the one that reads no key set.
_OURS: Final = f"""
from cognito_oidc import UserPool, CLASS
verifier = CLASS(UserPool({POOL_ID!r}), client_ids=[{CLIENT_ID!r}], jwks=open(PATH).read())
"""
_APPLICATION: Final = f"assert claims['client_id'] == {CLIENT_ID!r} and claims['token_use'] == 'access'"
SCRIPTS: Final = {
    BARE: "",
    LIMIT: """
from base64 import urlsafe_b64decode
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
data, _, signature = TOKEN.rpartition(".")
public_key = rsa.RSAPublicNumbers(65537, MODULUS).public_key()
public_key.verify(urlsafe_b64decode(signature + "=="), data.encode(), padding.PKCS1v15(), SHA256())
""",
    IMPORT: "import cognito_oidc",
    SYNC: _OURS.replace("CLASS", "SyncTokenVerifier") + "verifier.verify_access_token(TOKEN)",
    NOWAIT: _OURS.replace("CLASS", "TokenVerifier") + "verifier.verify_access_token_nowait(TOKEN)",
    ASYNC: _OURS.replace("CLASS", "TokenVerifier") + "import asyncio\nasyncio.run(verifier.verify_access_token(TOKEN))",
    peers.JOSERFC: f"""
import json
from joserfc import jwt
from joserfc.jwk import KeySet
decoded = jwt.decode(TOKEN, KeySet.import_key_set(json.load(open(PATH))), algorithms=["RS256"])
jwt.JWTClaimsRegistry(
    iss={{"essential": True, "value": {ISSUER!r}}}, exp={{"essential": True}},
    client_id={{"essential": True, "value": {CLIENT_ID!r}}}, token_use={{"essential": True, "value": "access"}},
).validate(decoded.claims)
""",
    peers.PYJWT: f"""
import json, jwt
keys = jwt.PyJWKSet.from_dict(json.load(open(PATH)))
key = keys[jwt.get_unverified_header(TOKEN)["kid"]]
options = {{"require": ["exp", "iss", "client_id", "token_use"]}}
claims = jwt.decode(TOKEN, key, algorithms=["RS256"], issuer={ISSUER!r}, options=options)
{_APPLICATION}
""",
    peers.AUTHLIB: f"""
import json
from authlib.jose import JsonWebKey, JsonWebToken
keys = JsonWebKey.import_key_set(json.load(open(PATH)))
options = {{
    "iss": {{"essential": True, "value": {ISSUER!r}}}, "exp": {{"essential": True}},
    "client_id": {{"essential": True, "value": {CLIENT_ID!r}}}, "token_use": {{"essential": True, "value": "access"}},
}}
JsonWebToken(["RS256"]).decode(TOKEN, keys, claims_options=options).validate()
""",
    peers.PYTHON_JOSE: f"""
import json
from jose import jwt
options = {{"require_exp": True, "require_iss": True}}
claims = jwt.decode(TOKEN, json.load(open(PATH)), algorithms=["RS256"], issuer={ISSUER!r}, options=options)
{_APPLICATION}
""",
    peers.COGNITOJWT: f"""
import os, cognitojwt
os.environ["AWS_COGNITO_JWKS_PATH"] = PATH
cognitojwt.decode(TOKEN, {REGION!r}, {POOL_ID!r}, app_client_id={CLIENT_ID!r})
""",
    peers.FASTAPI_COGNITO: f"""
import asyncio
from fastapi_cognito import CognitoAuth, CognitoSettings
from starlette.requests import HTTPConnection
pool = {{"region": {REGION!r}, "userpool_id": {POOL_ID!r}, "app_client_id": {CLIENT_ID!r}, "jwks_url": PATH}}
auth = CognitoAuth(settings=CognitoSettings(
    check_expiration=True, jwt_header_name="Authorization", jwt_header_prefix="Bearer", userpools={{"eu": pool}}))
headers = [(b"authorization", b"Bearer " + TOKEN.encode())]
asyncio.run(auth.auth_required(HTTPConnection({{"type": "http", "headers": headers}})))
""",
}
NODE_SCRIPTS: Final = {
    BARE_NODE: "",
    peers.AWS_JWT_VERIFY: f"""
import {{ readFileSync }} from "node:fs";
import {{ CognitoJwtVerifier }} from "aws-jwt-verify";
const verifier = CognitoJwtVerifier.create({{ userPoolId: {POOL_ID!r}, clientId: {CLIENT_ID!r}, tokenUse: "access" }});
verifier.cacheJwks(JSON.parse(readFileSync(PATH, "utf8")));
await verifier.verify(TOKEN);
""",
    peers.JOSE: f"""
import {{ readFileSync }} from "node:fs";
import {{ createLocalJWKSet, jwtVerify }} from "jose";
const keys = createLocalJWKSet(JSON.parse(readFileSync(PATH, "utf8")));
const options = {{ issuer: {ISSUER!r}, algorithms: ["RS256"], requiredClaims: ["exp"] }};
const {{ payload }} = await jwtVerify(TOKEN, keys, options);
if (payload.client_id !== {CLIENT_ID!r} || payload.token_use !== "access") throw new Error("refused");
""",
}


def measure(quick: bool) -> Json:  # noqa: FBT001 - the one switch of every benchmark
    """Start every process many times, in turn, and see what ours and the import load."""
    with TemporaryDirectory() as folder, node.libraries() if not quick else _nothing() as npm:
        path = peers.write_key_set(folder, key_set())
        modulus = rsa_key("access").public_key().public_numbers().n
        given = f"PATH = {path!r}; TOKEN = {access_token()!r}; MODULUS = {modulus:#x}\n"
        cases = []
        for name, script in SCRIPTS.items():
            command = [sys.executable, "-I", "-W", "ignore", "-c", given + script]
            if _works(name, command):
                cases.append(Case(name=name, seconds_for=_starting(command)))
        loaded = {
            name: _loaded([sys.executable, "-I", "-c", f"{given}{SCRIPTS[name]}\nimport sys; print(*sys.modules)"])
            for name in (SYNC, NOWAIT, IMPORT)
        }
        if npm is not None:
            for number, (name, script) in enumerate(NODE_SCRIPTS.items()):
                file = Path(npm) / f"cold{number}.mjs"
                file.write_text(f"const PATH = {path!r}, TOKEN = {access_token()!r};\n{script}", encoding="utf-8")
                command = ["node", file.name]
                if _works(name, command, npm):
                    cases.append(Case(name=name, seconds_for=_starting(command, npm)))
        seconds = interleave(cases, rounds=2 if quick else 40, per_case=0.0)
    more = {} if npm is None else {"Node.js": node.version(), **node.VERSIONS}
    return {
        "machine": machine((*peers.PACKAGES, "jiter", "pybase64"), **more),
        "unit": "milliseconds",
        "cases": summary(seconds, limit=LIMIT, scale=1e3),
        "loaded": loaded,
    }


class _nothing:  # noqa: N801 - stands in for a function
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def _works(name: str, command: list[str], folder: Path | None = None) -> bool:
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        print(f"{name}: left out, {done.stderr.strip().splitlines()[-1]}")
    return done.returncode == 0


def _starting(command: list[str], folder: Path | None = None) -> Callable[[int], float]:
    program = shutil.which(command[0]) or command[0]

    def seconds_for(count: int) -> float:
        begun = time.perf_counter()
        for _ in range(count):
            subprocess.run([program, *command[1:]], cwd=folder, check=True, stderr=subprocess.DEVNULL)
        return time.perf_counter() - begun

    return seconds_for


def _loaded(command: list[str]) -> list[str]:
    """Return which of the modules that must stay out were loaded."""
    modules = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return [name for name in NEVER_LOADED if name in modules]


def blocks_of(result: Json) -> dict[str, str]:
    """Return the tables: goals, and everybody."""
    cases = mapping(result["cases"])
    loaded = mapping(result["loaded"])
    ratio = {name: float(str(cases[name]["ratio"])) for name in cases}
    over = {kind: float(str(cases[IMPORT][kind])) - float(str(cases[BARE][kind])) for kind in ("median", "minimum")}
    goals = [
        (
            f"first token, {name}",
            f"{GOAL} x",
            f"{ratio[name]:.2f} x",
            f"{cases[name]['ratio_of_minima']:.2f} x",
            _met(max(ratio[name], float(str(cases[name]["ratio_of_minima"]))), GOAL),
        )
        for name in (SYNC, NOWAIT)
    ]
    goals.append(
        (
            f"{IMPORT}, over bare Python",
            f"{GOAL_OF_THE_IMPORT} ms",
            f"{over['median']:.1f} ms",
            f"{over['minimum']:.1f} ms",
            _met(max(over.values()), GOAL_OF_THE_IMPORT),
        )
    )
    found = sorted({module for modules in loaded.values() for module in modules})
    goals.append(
        (f"loads none of {', '.join(NEVER_LOADED)}", "none", ", ".join(found) or "none", "", _met(len(found), 0))
    )
    bare = float(str(cases[BARE]["median"]))
    everybody = [
        (
            f"**{name}**" if _kind(name) == "ours" else name,
            f"{cases[name]['median']:.0f} ms",
            f"{cases[name]['minimum']:.0f} ms",
            f"{float(str(cases[name]['median'])) - bare:.0f} ms",
            f"{ratio[name]:.2f}",
        )
        for name in sorted(cases, key=ratio.__getitem__)
    ]
    return {
        "cold-goals": table(("cold process", "goal", "measured", "of minima", "met"), goals),
        "cold-everybody": table(("process", "median", "minimum", "over bare Python", "ratio"), everybody),
        "cold-machine": machine_line(result),
    }


def pictures_of(result: Json) -> dict[str, str]:
    """Return the picture of everybody's start."""
    cases = mapping(result["cases"])
    value = {name: float(str(cases[name]["median"])) for name in cases}
    rows = [
        Bar(name, value[name], f"{value[name]:.0f} ms ({cases[name]['ratio']:.2f} x)", _kind(name))
        for name in sorted(cases, key=value.__getitem__)
    ]
    subtitle = "From the start of the process, keys in a file; multiples of cryptography alone verifying one signature"
    return {"cold": bars("A cold process to its first verified token", subtitle, rows, axis="milliseconds")}


def _kind(name: str) -> str:
    if name in {SYNC, NOWAIT, ASYNC, IMPORT}:
        return "ours"
    return "limit" if name in {LIMIT, BARE, BARE_NODE} else "peer"


def _met(value: float, goal: float) -> str:
    return "yes" if value <= goal else "**no**"


if __name__ == "__main__":
    run("cold", measure, blocks_of, pictures_of)
