"""How long a process takes from its start to the first verified token, keys given: what a Lambda function pays.

    python -m benchmarks.cold_start --publish

Each library verifies one access token in a process of its own (`python -I`), with the key set in a file, and says how
long its imports and its verification took. The limit is a process that imports `cryptography` alone, makes the key from
its numbers, and verifies that one signature. Then the same without .pyc files of anything but Python itself, as in a
package that was uploaded without them to where nothing can be written.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from benchmarks import node, peers
from benchmarks.drawing import Bar, bars
from benchmarks.shared import (
    CLIENT_ID,
    ISSUER,
    POOL_ID,
    REGION,
    ROOT,
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

LIMIT: Final = "cryptography alone"
BARE: Final = "bare Python"
IMPORT: Final = "import cognito_oidc"
SYNC: Final = "SyncTokenVerifier"
NOWAIT: Final = "TokenVerifier, nowait"
ASYNC: Final = "TokenVerifier, asyncio.run"
AUTHORIZER: Final = "authorize_http_api, a Lambda authorizer"
POWERTOOLS: Final = "Powertools (alpha), JWTVerifier"
POWERTOOLS_AUTHORIZER: Final = "Powertools (alpha), a Lambda authorizer"
BARE_NODE: Final = "bare Node.js"
GOAL: Final = 1.15
GOAL_OF_THE_IMPORT: Final = 15  # milliseconds over bare Python
NEVER_LOADED: Final = ("httpx", "pydantic", "joserfc", "anyio", "asyncio", "ssl")

_RESOURCE: Final = "https://api.example.com"  # Powertools takes none but tokens that are bound to a resource server
_ROUNDS: Final = 40
_ROUNDS_WITHOUT_PYC: Final = 4


class Script(NamedTuple):
    """What a process does: its imports, and then a verification, which ends with the claims or an exception.

    It has PATH, the file of the key set, TOKEN, and MODULUS if it reads no key set; BOUND is a token for a resource
    server, and EVENT and BOUND_EVENT are what API Gateway sends to the authorizer of an HTTP API.
    """

    imports: str = ""
    verification: str = ""


def _ours(name: str, call: str, imports: str = "") -> Script:
    made = f"verifier = {name}(UserPool({POOL_ID!r}), client_ids=[{CLIENT_ID!r}], jwks=PATH)\n"
    # The door loads names when they are used: that is part of importing.
    return Script(f"from cognito_oidc import UserPool, {name}\n{imports}", made + call)


_APPLICATION: Final = f"assert claims['client_id'] == {CLIENT_ID!r} and claims['token_use'] == 'access'"
_POWERTOOLS: Final = f"""
verifier = JWTVerifier.cognito(
    user_pool_id={POOL_ID!r}, client_id={CLIENT_ID!r}, audience={_RESOURCE!r}, jwks=json.load(open(PATH)),
    expected_claims={{"token_use": "access"}},
)
"""
SCRIPTS: Final = {
    BARE: Script(),
    LIMIT: Script(
        """
from base64 import urlsafe_b64decode
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
""",
        """
data, _, signature = TOKEN.rpartition(".")
public_key = rsa.RSAPublicNumbers(65537, MODULUS).public_key()
public_key.verify(urlsafe_b64decode(signature + "=="), data.encode(), padding.PKCS1v15(), SHA256())
""",
    ),
    IMPORT: Script("import cognito_oidc"),
    SYNC: _ours("SyncTokenVerifier", "verifier.verify_access_token(TOKEN)"),
    NOWAIT: _ours("TokenVerifier", "verifier.verify_access_token_nowait(TOKEN)"),
    ASYNC: _ours("TokenVerifier", "asyncio.run(verifier.verify_access_token(TOKEN))", "import asyncio"),
    AUTHORIZER: _ours(
        "SyncTokenVerifier",
        "assert authorize_http_api(EVENT, verifier)['isAuthorized']",
        "from cognito_oidc.integrations.aws_lambda import authorize_http_api",
    ),
    POWERTOOLS: Script(
        "import json\nfrom aws_lambda_powertools.utilities.auth_alpha import JWTVerifier",
        f"{_POWERTOOLS}verifier.verify(BOUND)",
    ),
    POWERTOOLS_AUTHORIZER: Script(
        "import json\nfrom aws_lambda_powertools.utilities.auth_alpha import JWTVerifier",
        f"{_POWERTOOLS}assert verifier.authorize(BOUND_EVENT, response_format='simple')['isAuthorized']",
    ),
    peers.JOSERFC: Script(
        "import json\nfrom joserfc import jwt\nfrom joserfc.jwk import KeySet",
        f"""
decoded = jwt.decode(TOKEN, KeySet.import_key_set(json.load(open(PATH))), algorithms=["RS256"])
jwt.JWTClaimsRegistry(
    iss={{"essential": True, "value": {ISSUER!r}}}, exp={{"essential": True}},
    client_id={{"essential": True, "value": {CLIENT_ID!r}}}, token_use={{"essential": True, "value": "access"}},
).validate(decoded.claims)
""",
    ),
    peers.PYJWT: Script(
        "import json, jwt",
        f"""
keys = jwt.PyJWKSet.from_dict(json.load(open(PATH)))
key = keys[jwt.get_unverified_header(TOKEN)["kid"]]
options = {{"require": ["exp", "iss", "client_id", "token_use"]}}
claims = jwt.decode(TOKEN, key, algorithms=["RS256"], issuer={ISSUER!r}, options=options)
{_APPLICATION}
""",
    ),
    peers.AUTHLIB: Script(
        "import json\nfrom authlib.jose import JsonWebKey, JsonWebToken",
        f"""
keys = JsonWebKey.import_key_set(json.load(open(PATH)))
options = {{
    "iss": {{"essential": True, "value": {ISSUER!r}}}, "exp": {{"essential": True}},
    "client_id": {{"essential": True, "value": {CLIENT_ID!r}}}, "token_use": {{"essential": True, "value": "access"}},
}}
JsonWebToken(["RS256"]).decode(TOKEN, keys, claims_options=options).validate()
""",
    ),
    peers.PYTHON_JOSE: Script(
        "import json\nfrom jose import jwt",
        f"""
options = {{"require_exp": True, "require_iss": True}}
claims = jwt.decode(TOKEN, json.load(open(PATH)), algorithms=["RS256"], issuer={ISSUER!r}, options=options)
{_APPLICATION}
""",
    ),
    peers.COGNITOJWT: Script(
        "import os, cognitojwt",
        f"""
os.environ["AWS_COGNITO_JWKS_PATH"] = PATH
cognitojwt.decode(TOKEN, {REGION!r}, {POOL_ID!r}, app_client_id={CLIENT_ID!r})
""",
    ),
    peers.FASTAPI_COGNITO: Script(
        """
import asyncio
from fastapi_cognito import CognitoAuth, CognitoSettings
from starlette.requests import HTTPConnection
""",
        f"""
pool = {{"region": {REGION!r}, "userpool_id": {POOL_ID!r}, "app_client_id": {CLIENT_ID!r}, "jwks_url": PATH}}
auth = CognitoAuth(settings=CognitoSettings(
    check_expiration=True, jwt_header_name="Authorization", jwt_header_prefix="Bearer", userpools={{"eu": pool}}))
headers = [(b"authorization", b"Bearer " + TOKEN.encode())]
asyncio.run(auth.auth_required(HTTPConnection({{"type": "http", "headers": headers}})))
""",
    ),
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
    """Start every process many times, in turn, with .pyc files and without, and see what ours and the import load."""
    with TemporaryDirectory() as folder, node.libraries() if not quick else _nothing() as npm:
        path = peers.write_key_set(folder, key_set())
        programs = {
            name: program
            for name, script in SCRIPTS.items()
            if _works(name, (program := Program([sys.executable, "-I", "-W", "ignore", "-c", _source(script, path)])))
        }
        loaded = {name: _loaded(_source(SCRIPTS[name], path)) for name in (SYNC, NOWAIT, AUTHORIZER, IMPORT)}
        without_pyc = [
            Case(name=name, seconds_for=program.without_pyc(Path(folder, "pyc")).seconds_for)
            for name, program in programs.items()
        ]
        cases = [Case(name=name, seconds_for=program.seconds_for) for name, program in programs.items()]
        if npm is not None:
            for number, (name, script) in enumerate(NODE_SCRIPTS.items()):
                file = Path(npm) / f"cold{number}.mjs"
                file.write_text(f"const PATH = {path!r}, TOKEN = {access_token()!r};\n{script}", encoding="utf-8")
                if _works(name, (program := Program(["node", file.name], folder=npm))):
                    cases.append(Case(name=name, seconds_for=program.seconds_for))
        seconds = interleave(cases, rounds=2 if quick else _ROUNDS, per_case=0.0)
        slow = interleave(without_pyc, rounds=1 if quick else _ROUNDS_WITHOUT_PYC, per_case=0.0)
    figures = summary(seconds, limit=LIMIT, scale=1e3)
    slow_figures = summary(slow, limit=LIMIT, scale=1e3)
    more = {} if npm is None else {"Node.js": node.version(), **node.VERSIONS}
    return {
        "machine": machine((*peers.PACKAGES, "aws-lambda-powertools", "jiter", "pybase64"), **more),
        "unit": "milliseconds",
        "cases": {name: {**mapping(figures[name]), **_phases(programs.get(name))} for name in figures},
        "without_pyc": slow_figures,
        "loaded": loaded,
    }


class Program:
    """A command that is started again and again, and what it says of its imports and its verification."""

    def __init__(self, command: list[str], folder: Path | None = None) -> None:
        """Keep the command."""
        self.command = [shutil.which(command[0]) or command[0], *command[1:]]
        self.folder = folder
        self.said: list[tuple[float, float]] = []

    def seconds_for(self, count: int) -> float:
        """Start it so many times, and return how long it took."""
        begun = time.perf_counter()
        for _ in range(count):
            done = self.run()
            done.check_returncode()
            if done.stdout.strip():
                imports, verification = map(float, done.stdout.split())
                self.said.append((imports, verification))
        return time.perf_counter() - begun

    def run(self) -> subprocess.CompletedProcess[str]:
        """Start it once."""
        return subprocess.run(self.command, cwd=self.folder, check=False, capture_output=True, text=True)

    def without_pyc(self, cache: Path) -> Program:
        """Return the same with .pyc files of Python itself alone, which are in `cache` after it was run once."""
        python, *rest = self.command
        prefix = ["-X", f"pycache_prefix={cache}"]
        subprocess.run([python, *prefix, *rest], check=True, capture_output=True)
        for installed in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(ROOT)}:
            shutil.rmtree(cache / installed.lstrip("/"), ignore_errors=True)
        return Program([python, *prefix, "-B", *rest])


def _source(script: Script, path: str) -> str:
    """Return the program of a script, which prints the seconds of its two parts."""
    token, bound = access_token(), access_token(aud=_RESOURCE)
    event = {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod/GET/orders",
        "routeKey": "GET /orders",
        "headers": {"authorization": f"Bearer {token}"},
    }
    modulus = rsa_key("access").public_key().public_numbers().n
    return f"""
PATH = {path!r}; TOKEN = {token!r}; BOUND = {bound!r}; MODULUS = {modulus:#x}
EVENT = {event!r}; BOUND_EVENT = EVENT | {{"headers": {{"authorization": "Bearer " + BOUND}}}}
from time import perf_counter as _now
_begun = _now()
{script.imports}
_imported = _now()
{script.verification}
print(_imported - _begun, _now() - _imported)
"""


def _phases(program: Program | None) -> Json:
    """Return the medians of what a program said, in milliseconds."""
    if program is None or not program.said:
        return {}
    imports, verification = zip(*program.said, strict=True)
    return {"imports": round(median(imports) * 1e3, 3), "verification": round(median(verification) * 1e3, 3)}


class _nothing:  # noqa: N801 - stands in for a function
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def _works(name: str, program: Program) -> bool:
    done = program.run()
    if done.returncode:
        print(f"{name}: left out, {done.stderr.strip().splitlines()[-1]}")
    return done.returncode == 0


def _loaded(source: str) -> list[str]:
    """Return which of the modules that must stay out were loaded."""
    command = [sys.executable, "-I", "-c", f"{source}\nimport sys; print(*sys.modules)"]
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
    slow = mapping(result.get("without_pyc", {}))
    everybody = [
        (
            f"**{name}**" if _kind(name) == "ours" else name,
            f"{cases[name]['median']:.0f} ms",
            f"{cases[name]['minimum']:.0f} ms",
            f"{float(str(cases[name]['median'])) - bare:.0f} ms",
            f"{ratio[name]:.2f}",
            _milliseconds(cases[name], "imports"),
            _milliseconds(cases[name], "verification"),
            _milliseconds(slow.get(name, {}), "median"),
        )
        for name in sorted(cases, key=ratio.__getitem__)
    ]
    head = ("process", "median", "minimum", "over bare Python", "ratio", "imports", "verification", "without .pyc")
    return {
        "cold-start-goals": table(("cold process", "goal", "measured", "of minima", "met"), goals),
        "cold-start-everybody": table(head, everybody),
        "cold-start-machine": machine_line(result),
    }


def _milliseconds(case: object, member: str) -> str:
    value = mapping(case).get(member)
    return "" if value is None else f"{value:.1f} ms"


def pictures_of(result: Json) -> dict[str, str]:
    """Return the picture of everybody's start."""
    cases = mapping(result["cases"])
    value = {name: float(str(cases[name]["median"])) for name in cases}
    rows = [
        Bar(name, value[name], f"{value[name]:.0f} ms ({cases[name]['ratio']:.2f} x)", _kind(name))
        for name in sorted(cases, key=value.__getitem__)
    ]
    subtitle = "From the start of the process, keys in a file; multiples of cryptography alone verifying one signature"
    return {"cold-start": bars("A cold process to its first verified token", subtitle, rows, axis="milliseconds")}


def _kind(name: str) -> str:
    if name in {SYNC, NOWAIT, ASYNC, AUTHORIZER, IMPORT}:
        return "ours"
    return "limit" if name in {LIMIT, BARE, BARE_NODE} else "peer"


def _met(value: float, goal: float) -> str:
    return "yes" if value <= goal else "**no**"


if __name__ == "__main__":
    run("cold_start", measure, blocks_of, pictures_of)
