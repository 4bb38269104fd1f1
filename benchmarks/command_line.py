"""How long `cognito-oidc token` takes: a shell prompt, kubectl and every call in a script wait for it.

    python -m benchmarks.command_line --publish

Each command is a process of its own, and what counts is the processor's time that it took (user and system): nothing is
waited for but the network, and that is the local Cognito in this very process. The limit is a process that imports
click, which the command line stands on, and does nothing with it. The sign-in is kept in the file store.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from anyio.from_thread import start_blocking_portal

from benchmarks.drawing import Bar, bars
from benchmarks.shared import Case, Json, interleave, machine, machine_line, mapping, run, summary, table
from cognito_oidc.emulator import CognitoEmulator
from cognito_oidc.integrations.stores.file import FileTokenStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cognito_oidc.emulator.server import EmulatorServer

BARE: Final = "bare Python"
LIMIT: Final = "import click"
CACHED: Final = "token, cached"
CREDENTIAL: Final = "token --id -o exec-credential, cached"
NOBODY: Final = "token, nobody is signed in"
HELP: Final = "token --help"
ASKED: Final = "token, a machine's, asked for"
REFUSED: Final = "token, a machine's, refused"
GOAL: Final = 3.0
GOAL_OF_A_FAILURE: Final = 1000  # milliseconds
NEVER_LOADED: Final = ("httpx", "pydantic", "joserfc", "anyio", "asyncio", "ssl", "cryptography")
_POOL_ID: Final = "eu-west-1_Bench0001"
# As `python -m cognito_oidc`, without trio: the tests need it, a user of the command does not have it, and httpcore
# loads it where it is.
_COMMAND: Final = "import sys; sys.modules['trio'] = None; from cognito_oidc.__main__ import main; main()"


def measure(quick: bool) -> Json:  # noqa: FBT001 - the one switch of every benchmark
    """Start every process many times, in turn, and see what the short way loads."""
    aws = CognitoEmulator()
    with (
        TemporaryDirectory() as folder,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(aws.serve()) as server,
    ):
        person, job = portal.call(_prepared, aws, server, Path(folder))
        command = [sys.executable, "-c", _COMMAND]
        commands: Mapping[str, tuple[list[str], Mapping[str, str], int]] = {
            BARE: ([sys.executable, "-c", ""], {}, 0),
            LIMIT: ([sys.executable, "-c", "import click"], {}, 0),
            HELP: ([*command, "token", "--help"], {}, 0),
            CACHED: ([*command, "token"], person, 0),
            CREDENTIAL: ([*command, "token", "--id", "-o", "exec-credential"], person, 0),
            NOBODY: ([*command, "token"], {**person, "COGNITO_CLIENT_ID": "nobody"}, 3),
            ASKED: ([*command, "token"], job, 0),
            REFUSED: ([*command, "token"], {**job, "COGNITO_CLIENT_SECRET": "wrong" * 10}, 6),
        }
        cases = [Case(name=name, seconds_for=_starting(*each)) for name, each in commands.items()]
        loaded = _loaded(person)
        seconds = interleave(cases, rounds=2 if quick else 15, per_case=0.0)
    return {
        "machine": machine(("click", "platformdirs", "httpx", "pydantic")),
        "unit": "milliseconds",
        "cases": summary(seconds, limit=LIMIT, scale=1e3),
        "loaded": loaded,
    }


async def _prepared(
    aws: CognitoEmulator, server: EmulatorServer, folder: Path
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Sign a person in, and return the variables of the person's command and of a job's."""
    pool = aws.add_pool(_POOL_ID, domain="bench")
    pool.add_resource_server("orders", scopes=["read"])
    pool.add_user("ann", password="Anns-password-1", email="ann@example.com")
    uri = "http://localhost:3000/callback"
    web = pool.add_client("web", redirect_uris=[uri], scopes=["openid", "email"])
    job = pool.add_client("job", grants=["client_credentials"], scopes=["orders/read"])
    client = web.client(redirect_uri=uri)
    request = client.authorization_request()
    tokens = await client.exchange_code(await aws.person("ann", "Anns-password-1").follow(request.url), request)
    store = FileTokenStore(folder / "sessions")
    await client.token_source(store=store, key=f"/{_POOL_ID}/{web.client_id}").replace(tokens)
    shared = {
        "COGNITO_POOL_ID": _POOL_ID,
        "COGNITO_DOMAIN": "bench",
        "COGNITO_ENDPOINT_URL": server.base_url,
        "COGNITO_STORE_FOLDER": str(folder / "sessions"),
        "COGNITO_CONFIG_FILE": str(folder / "profiles.toml"),
    }
    person = {"COGNITO_CLIENT_ID": web.client_id, "COGNITO_REDIRECT_URI": uri, "COGNITO_STORE": "file"}
    machine_settings = {"COGNITO_CLIENT_ID": job.client_id, "COGNITO_CLIENT_SECRET": job.client_secret or ""}
    return {**shared, **person}, {**shared, **machine_settings}


def _starting(command: list[str], settings: Mapping[str, str], code: int) -> Callable[[int], float]:
    environment = {**os.environ, **settings}

    def seconds_for(count: int) -> float:
        begun = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(count):
            done = subprocess.run(command, env=environment, check=False, capture_output=True)
            assert done.returncode == code, done.stderr
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime

    return seconds_for


def _loaded(settings: Mapping[str, str]) -> list[str]:
    """Return which of the modules that must stay out were loaded for a cached token."""
    code = """
import sys
from cognito_oidc.__main__ import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""
    command = [sys.executable, "-c", code, "token"]
    done = subprocess.run(command, env={**os.environ, **settings}, check=True, capture_output=True, text=True)
    return [name for name in NEVER_LOADED if name in done.stderr.split()]


def blocks_of(result: Json) -> dict[str, str]:
    """Return the tables: goals, and every command."""
    cases = mapping(result["cases"])
    found = result["loaded"]
    assert isinstance(found, list)
    goals = [
        (
            name,
            f"{GOAL:g} x",
            f"{cases[name]['ratio']:.2f} x",
            f"{cases[name]['ratio_of_minima']:.2f} x",
            _met(max(float(str(cases[name][kind])) for kind in ("ratio", "ratio_of_minima")), GOAL),
        )
        for name in (CACHED, CREDENTIAL)
    ]
    goals += [
        (
            name,
            f"{GOAL_OF_A_FAILURE} ms",
            f"{cases[name]['median']:.0f} ms",
            f"{cases[name]['minimum']:.0f} ms",
            _met(float(str(cases[name]["median"])), GOAL_OF_A_FAILURE),
        )
        for name in (NOBODY, REFUSED)
    ]
    goals.append(
        (
            f"cached, loads none of {', '.join(NEVER_LOADED)}",
            "none",
            ", ".join(found) or "none",
            "",
            _met(len(found), 0),
        )
    )
    everybody = [
        (
            name if _kind(name) == "limit" else f"**{name}**",
            f"{cases[name]['median']:.0f} ms",
            f"{cases[name]['minimum']:.0f} ms",
            f"{cases[name]['ratio']:.2f}",
        )
        for name in sorted(cases, key=lambda name: float(str(cases[name]["median"])))
    ]
    return {
        "command-goals": table(("command", "goal", "measured", "of minima", "met"), goals),
        "command-everybody": table(("process", "median", "minimum", "ratio"), everybody),
        "command-machine": machine_line(result),
    }


def pictures_of(result: Json) -> dict[str, str]:
    """Return the picture of every command."""
    cases = mapping(result["cases"])
    rows = [
        Bar(name, float(str(cases[name]["median"])), f"{cases[name]['median']:.0f} ms", _kind(name))
        for name in sorted(cases, key=lambda name: float(str(cases[name]["median"])))
    ]
    subtitle = "Processor's time of the whole process, user and system"
    return {"command-line": bars("cognito-oidc token", subtitle, rows, axis="milliseconds")}


def _kind(name: str) -> str:
    return "limit" if name in {BARE, LIMIT} else "ours"


def _met(value: float, goal: float) -> str:
    return "yes" if value <= goal else "**no**"


if __name__ == "__main__":
    run("command_line", measure, blocks_of, pictures_of)
