"""The README's comparison, taken from the kept results of the other benchmarks; measures nothing itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from benchmarks.shared import RESULTS, ROOT, Json, mapping, publish, table

if TYPE_CHECKING:
    from collections.abc import Mapping

README: Final = ROOT / "README.md"
NAME: Final = "summary"
# A row's name, and what it is called in the results of verifying, of a cold process and of the scenarios about keys.
VERIFIERS: Final[Mapping[str, tuple[str, str, str | None]]] = {
    "**cognito_oidc**": ("SyncTokenVerifier", "SyncTokenVerifier", "SyncTokenVerifier"),
    "aws-jwt-verify (Node.js)": ("aws-jwt-verify (Node.js)",) * 3,
    "PyJWT with PyJWKClient": ("PyJWT, PyJWKClient", "PyJWT, prepared key", "PyJWT, PyJWKClient"),
    "Authlib": ("Authlib", "Authlib", None),
    "joserfc": ("joserfc", "joserfc", None),
    "python-jose": ("python-jose, key set", "python-jose, key set", None),
    "fastapi-cognito": ("fastapi-cognito",) * 3,
    "cognitojwt": ("cognitojwt",) * 3,
}
STORM: Final[Mapping[str, str]] = {
    "cognito_oidc, file": "**cognito_oidc**, a file",
    "cognito_oidc, Redis": "**cognito_oidc**, Redis",
    "Authlib, update_token, Redis": "Authlib with `update_token`, Redis",
    "check, refresh, Redis": "look, refresh, save; Redis",
    "check, lock of redis-py, refresh, Redis": "the same under a lock of redis-py",
}


def kept(name: str) -> Json:
    """Return the kept results of a benchmark."""
    found: Json = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def blocks() -> dict[str, str]:
    """Return the tables of the README."""
    return {"summary-verify": _verify(), "summary-login": _login(), "summary-storm": _storm()}


def _verify() -> str:
    verify, cold, keys = kept("verify"), kept("cold_start"), kept("keys")
    rotation = mapping(mapping(keys["scenarios"])["rotation_after_forgery"])
    accepted = mapping(verify["accepted"])
    count = len(list(verify["bad_tokens"]))  # type: ignore[call-overload]  # a list
    rows = []
    for name, (warm, start, rotated) in VERIFIERS.items():
        rotates = rotated is not None and str(mapping(rotation[rotated])["outcome"]) == "accepted"
        wrong = accepted["cognito_oidc" if "cognito_oidc" in name else warm]
        rows.append(
            (
                name,
                f"{mapping(mapping(verify['cases'])[warm])['ratio']:.2f}",
                f"{mapping(mapping(cold['cases'])[start])['ratio']:.2f}",
                len(list(wrong)),
                "" if rotated is None else "yes" if rotates else "**no**",
            )
        )
    head = ("verifies an access token", "warm", "cold process", f"wrong ones accepted, of {count}", "new key at once")
    return table(head, rows)


def _login() -> str:
    cases = mapping(kept("callbacks")["cases"])
    libraries = list(mapping(next(iter(cases.values()))))
    rows = [
        (
            f"**{name}**" if name == "cognito_oidc" else name,
            sum(str(mapping(case)[name]) == "accepted" for case in cases.values()),
        )
        for name in libraries
    ]
    return table(("logs a person in", f"hostile logins accepted, of {len(cases)}"), rows)


def _storm() -> str:
    cases = mapping(kept("refresh_storm")["cases"])
    rows = []
    for name, label in STORM.items():
        case = mapping(cases[name])
        tasks = int(str(case["tasks"]))
        share = 100 * int(str(case["served"])) // tasks
        rows.append((label, case["requests_most"], f"{share} %", f"{case['slowest']:.1f} s"))
    return table(("8 processes of 50 tasks, one expired session", "token requests", "tasks served", "slowest"), rows)


if __name__ == "__main__":
    publish(NAME, blocks(), {}, path=README)
