"""What the benchmarks share: keys and tokens, interleaved rounds, this machine, and where results go.

Every benchmark prints its tables. With `--publish` it also renews its JSON in `benchmarks/results`, its picture in
`docs/images` and its tables in `docs/benchmarks.md`; with `--render` it renews picture and tables from that JSON,
without measuring; with `--quick` it runs with tiny counts and without Node.js, to see that it works.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import re
import sys
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

ROOT: Final = Path(__file__).parent.parent
RESULTS: Final = ROOT / "benchmarks" / "results"
PAGE: Final = ROOT / "docs" / "benchmarks.md"
IMAGES: Final = ROOT / "docs" / "images"

REGION: Final = "eu-west-1"
POOL_ID: Final = "eu-west-1_AbC123"
ISSUER: Final = f"https://cognito-idp.{REGION}.amazonaws.com/{POOL_ID}"
CLIENT_ID: Final = "1example23456789abcdefghij"
NONCE: Final = "n-0S6_WzA2Mj"
ACCESS_KID: Final = "yNulGv+Txz6O/LErWM9aSN3r709S03FQX17zuBH9qGg="
ID_KID: Final = "1234example+/DKmo7zKvbTCuRxJ9N5+UXfk3Lbw9zs="
OURS: Final = "cognito_oidc"
_PROCESSOR_FILE: Final = Path("/proc/cpuinfo")

Json = dict[str, object]


@cache
def rsa_key(name: str) -> RSAPrivateKey:
    """Return the private key of that name, RSA-2048 as Cognito's are, made once per process."""
    assert name
    return generate_private_key(65537, 2048)


def b64(data: bytes) -> str:
    """Return base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk(name: str, kid: str) -> Json:
    """Return the public half of a key as Cognito publishes it."""
    numbers = rsa_key(name).public_key().public_numbers()
    return {
        "alg": "RS256",
        "e": "AQAB",
        "kid": kid,
        "kty": "RSA",
        "n": b64(numbers.n.to_bytes(256, "big")),
        "use": "sig",
    }


def key_set(*keys: Json) -> Json:
    """Return a key set; without keys given, the pool's: one key for ID tokens, one for access tokens."""
    return {"keys": list(keys) or [jwk("id", ID_KID), jwk("access", ACCESS_KID)]}


def access_token(*, key: str = "access", kid: str = ACCESS_KID, **changes: object) -> str:
    """Return an access token as Cognito's OAuth endpoints issue one (wire sheet 7.3), about 1,100 characters."""
    now = int(time.time())
    payload = {
        "sub": "44e8b438-a061-70ca-faa7-3d3e93c015cb",
        "cognito:groups": ["admins", "editors"],
        "iss": ISSUER,
        "version": 2,
        "client_id": CLIENT_ID,
        "origin_jti": "0c9b8b5a-3a0e-4c60-9d2c-3cb63e0a1c4a",
        "event_id": "8e0f2a56-19c1-4a0f-8e4f-5a9a1f0f1f9d",
        "token_use": "access",
        "scope": "openid profile email orders/read",
        "auth_time": now,
        "exp": now + 3600,
        "iat": now,
        "jti": "b7a1f8a2-0f3c-4bb5-8f0e-2a7f1a6a9c11",
        "username": "alice",
    }
    return signed({**payload, **changes}, key=key, kid=kid)


def forged_token() -> str:
    """Return an access token that a stranger signed, with a signature that takes arithmetic to refuse.

    One that is greater than the key's modulus is refused at a glance, as one of a stranger's may happen to be.
    """
    modulus = rsa_key("access").public_key().public_numbers().n
    number = 0
    while True:
        token = access_token(key="stranger", jti=f"forged-{number}")
        signature = token.rpartition(".")[2]
        if int.from_bytes(urlsafe_b64decode(signature + "=="), "big") < modulus:
            return token
        number += 1


def id_token() -> str:
    """Return an ID token as Cognito's OAuth endpoints issue one (wire sheet 7.2)."""
    now = int(time.time())
    payload = {
        "sub": "44e8b438-a061-70ca-faa7-3d3e93c015cb",
        "cognito:groups": ["admins"],
        "email_verified": True,
        "iss": ISSUER,
        "cognito:username": "alice",
        "nonce": NONCE,
        "origin_jti": "0c9b8b5a-3a0e-4c60-9d2c-3cb63e0a1c4a",
        "aud": CLIENT_ID,
        "event_id": "8e0f2a56-19c1-4a0f-8e4f-5a9a1f0f1f9d",
        "token_use": "id",
        "auth_time": now,
        "exp": now + 3600,
        "iat": now,
        "jti": "c2f0c3de-6f0b-4f3c-9c35-6b8d2f1c7a55",
        "email": "alice@example.com",
        "custom:tenant": "42",
    }
    return signed(payload, key="id", kid=ID_KID)


def signed(payload: Mapping[str, object], *, key: str, kid: str) -> str:
    """Return a token of that payload, signed by the key of that name."""
    header = {"kid": kid, "alg": "RS256"}
    signing_input = ".".join(b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, payload))
    return f"{signing_input}.{b64(rsa_key(key).sign(signing_input.encode(), PKCS1v15(), SHA256()))}"


# --- measuring --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Case:
    """Something to time.

    Attributes:
        name: What it is, unique among the cases of a run.
        seconds_for: Runs it that many times and returns the seconds they took together.
    """

    name: str
    seconds_for: Callable[[int], float]


def repeat(call: Callable[[], object]) -> Callable[[int], float]:
    """Return the `seconds_for` of a plain call."""

    def seconds_for(count: int) -> float:
        turns = range(count)
        begun = time.perf_counter()
        for _ in turns:
            call()
        return time.perf_counter() - begun

    return seconds_for


def interleave(cases: Sequence[Case], *, rounds: int, per_case: float) -> dict[str, list[float]]:
    """Time every case in every round, in another order each time, and return its seconds per call, round by round.

    Rounds are short, so that whatever else the machine does meets all cases alike.

    Args:
        cases: What to time.
        rounds: How many rounds.
        per_case: Seconds that a case should take of each round; 0 for once a round.
    """
    counts = dict.fromkeys((case.name for case in cases), 1)
    for case in cases:
        case.seconds_for(1)
        if per_case:
            case.seconds_for(3)
            once = min(case.seconds_for(5) / 5 for _ in range(3))
            counts[case.name] = max(1, round(per_case / once))
            case.seconds_for(counts[case.name])
    gc.collect()
    gc.freeze()  # what was imported is not searched again and again; the collector itself stays on, as in a server
    seconds: dict[str, list[float]] = {case.name: [] for case in cases}
    order = list(cases)
    shuffle = random.Random(1)  # noqa: S311 - the order of cases
    for _ in range(rounds):
        shuffle.shuffle(order)
        for case in order:
            count = counts[case.name]
            seconds[case.name].append(case.seconds_for(count) / count)
    gc.unfreeze()
    return seconds


def summary(seconds: Mapping[str, Sequence[float]], *, limit: str, scale: float) -> dict[str, Json]:
    """Return median, minimum and the ratio of the medians to those of the case `limit`, in units of 1/scale seconds."""
    base, least = median(seconds[limit]), min(seconds[limit])
    return {
        name: {
            "median": round(median(times) * scale, 3),
            "minimum": round(min(times) * scale, 3),
            "ratio": round(median(times) / base, 3),
            "ratio_of_minima": round(min(times) / least, 3),
        }
        for name, times in seconds.items()
    }


# --- reporting --------------------------------------------------------------------------------------------------------


def installed(package: str) -> str | None:
    """Return the version of a package, or None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def machine(packages: Iterable[str], **more: str) -> Json:
    """Return what a reader needs to judge the figures: date, machine, Python and the versions of what was measured."""
    processor = platform.processor() or platform.machine()
    if _PROCESSOR_FILE.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", _PROCESSOR_FILE.read_text(encoding="utf-8"), re.MULTILINE)
        processor = found[1] if found else processor
    versions = {package: version for package in packages if (version := installed(package)) is not None}
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": f"{processor}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "versions": {**versions, **more},
    }


def machine_line(result: Mapping[str, object]) -> str:
    """Return that in one sentence for the page."""
    here = mapping(result["machine"])
    versions = ", ".join(f"{name} {version}" for name, version in mapping(here["versions"]).items())
    return f"Measured {here['date']} on {here['system']} ({here['processor']}), Python {here['python']}: {versions}."


def mapping(value: object) -> dict[str, Json]:
    """Return a JSON object as one: what a result holds is known to who wrote it."""
    assert isinstance(value, dict)
    return value


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown; what looks like a figure stands on the right."""
    lines = [[str(cell) for cell in row] for row in rows]
    right = [
        bool(lines) and all(re.match(r"^\*{0,2}[-0-9.,]*\*{0,2}( [a-zµ]+)?$", line[index]) for line in lines)
        for index in range(len(head))
    ]
    rule = ["---:" if one else "---" for one in right]
    return "\n".join(f"| {' | '.join(row)} |" for row in [list(head), rule, *lines])


def publish(name: str, blocks: Mapping[str, str], pictures: Mapping[str, str], *, path: Path = PAGE) -> None:
    """Put blocks between their markers into a page, and pictures beside it."""
    page = path.read_text(encoding="utf-8")
    for block, text in blocks.items():
        begin, end = f"<!-- begin {block}, written by benchmarks/{name}.py -->", f"<!-- end {block} -->"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            sys.exit(f"{path} has no place for {begin}")
        page = f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"
    path.write_text(page, encoding="utf-8")
    IMAGES.mkdir(exist_ok=True)
    for picture, svg in pictures.items():
        (IMAGES / f"{picture}.svg").write_text(svg, encoding="utf-8")


def run(
    name: str,
    measure: Callable[[bool], Json],
    blocks_of: Callable[[Json], dict[str, str]],
    pictures_of: Callable[[Json], dict[str, str]],
    *,
    page: Path = PAGE,
) -> None:
    """Run a benchmark's command line.

    Args:
        name: The benchmark.
        measure: Measures; True asks for tiny counts.
        blocks_of: The tables of a result, by the name of their place in the page.
        pictures_of: The pictures of a result, by name.
        page: The page that the tables stand on.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--quick", action="store_true", help="tiny counts, no Node.js: does it work at all?")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument("--publish", action="store_true", help="renew benchmarks/results and docs/benchmarks.md")
    parser.add_argument("--render", action="store_true", help="renew the page from benchmarks/results; no measuring")
    arguments = parser.parse_args()
    kept = RESULTS / f"{name}.json"
    result: Json = json.loads(kept.read_text(encoding="utf-8")) if arguments.render else measure(arguments.quick)
    blocks = blocks_of(result)
    print("\n\n".join(blocks.values()))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if arguments.publish:
        RESULTS.mkdir(exist_ok=True)
        kept.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if arguments.publish or arguments.render:
        publish(name, blocks, pictures_of(result), path=page)
