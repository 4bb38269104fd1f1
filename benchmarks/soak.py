"""Days of a protected API and of a person's session in half a minute: memory, files, tasks and threads stay flat.

    python -m benchmarks.soak --seconds 30

A local Cognito runs in a process of its own, on loopback; its clock and ours are put forward together, so that tokens
expire, refresh tokens rotate and keys are replaced as often as in weeks. What is measured is this process, where an
API of FastAPI verifies good and bad tokens and a token source, whose sessions are in files, renews them.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of functions inside functions.
import argparse
import asyncio
import gc
import multiprocessing
import os
import sys
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final

import httpx
from fastapi import FastAPI, Security

from benchmarks.shared import forged_token
from cognito_oidc import AccessTokenClaims, CognitoClient, TokenSource, TokenVerifier, UserPool
from cognito_oidc.integrations.fastapi import AccessTokenBearer
from cognito_oidc.integrations.httpx_auth import BearerAuth
from cognito_oidc.integrations.stores.file import FileTokenStore

CALLBACK: Final = "https://app.example/callback"
API: Final = "https://api.example"
WARM_UP: Final = 0.4  # of the time, until whatever is kept once is there
CALLERS: Final = 8  # at the same time
STEP: Final = 1_500.0  # seconds of a round, so that a token of an hour is renewed in every third
ROTATE: Final = 10  # rounds
SIGN_IN: Final = 50  # rounds
LOOK: Final = 4  # rounds; what a look keeps is memory too
BYTES_A_ROUND: Final = 100.0  # that memory may grow by: less than the smallest thing that could be forgotten in each


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process holds after a round.

    Attributes:
        memory: Bytes that Python allocated and did not free.
        files: Open file descriptors.
        tasks: Tasks of the event loop.
        threads: Threads.
    """

    memory: int
    files: int
    tasks: int
    threads: int


def take_sample() -> Sample:
    """Look at this process."""
    gc.collect()
    files = len(os.listdir("/dev/fd"))  # noqa: PTH208 - an iterator would be one more
    return Sample(tracemalloc.get_traced_memory()[0], files, len(asyncio.all_tasks()), threading.active_count())


def findings(samples: list[Sample]) -> list[str]:
    """Return what did not stay flat in samples that were taken after the warm-up."""
    quarter = max(1, len(samples) // 4)
    first, last = samples[:quarter], samples[-quarter:]
    rounds = LOOK * max(1, len(samples) - quarter)
    growth = (min(each.memory for each in last) - min(each.memory for each in first)) / rounds
    found = [f"memory grows by {growth:.0f} bytes a round"] if growth > BYTES_A_ROUND else []
    for name in ("files", "tasks", "threads"):
        before, after = (min(getattr(each, name) for each in part) for part in (first, last))
        if after > before:
            found.append(f"{name}: {before} became {after}")
    return found


class Cognito:
    """The local Cognito in the other process, and the clock that goes with it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._ahead = 0.0
        base, self.client_id = pipe.recv()
        self.pool = UserPool("eu-west-1_AbC123", domain="acme", endpoint_url=base)

    def clock(self) -> float:
        """Return epoch seconds."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Put both clocks forward."""
        self._ahead += seconds
        self._ask("advance", seconds)

    def rotate_keys(self) -> None:
        """Let other keys sign, and the old ones go."""
        self._ask("rotate", None)

    def follow(self, url: str) -> str:
        """Return the callback that Ann's browser ends at."""
        return str(self._ask("follow", url))

    def _ask(self, what: str, argument: object) -> object:
        self._pipe.send((what, argument))
        return self._pipe.recv()


def run_cognito(pipe: Connection) -> None:
    """Be the other process."""
    asyncio.run(_serve_cognito(pipe))


async def _serve_cognito(pipe: Connection) -> None:
    from cognito_oidc.emulator import CognitoEmulator

    cognito = CognitoEmulator()
    async with cognito, cognito.serve() as server:
        pool = cognito.add_pool("eu-west-1_AbC123", domain="acme")
        pool.add_user("ann", password="correct horse")
        web = pool.add_client(
            "web", redirect_uris=[CALLBACK], scopes=["openid"], refresh_token_rotation=True, retry_grace_period=0
        )
        pipe.send((server.base_url, web.client_id))
        while (order := await asyncio.to_thread(pipe.recv)) is not None:
            what, argument = order
            answer = None
            if what == "follow":
                answer = await cognito.person("ann", "correct horse").follow(argument)
            elif what == "advance":
                cognito.clock.advance(argument)
            else:
                pool.rotate_keys(withdraw_old=True)
            pipe.send(answer)


@asynccontextmanager
async def running_cognito() -> AsyncIterator[Cognito]:
    """Run the other process until the end of the block."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run_cognito, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Cognito(ours)
        ours.send(None)
        process.join(10)
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


def protected_api(verifier: TokenVerifier) -> FastAPI:
    """Return an API with one endpoint."""
    app = FastAPI()
    bearer = AccessTokenBearer(verifier)

    @app.get("/me")
    async def me(caller: Annotated[AccessTokenClaims, Security(bearer)]) -> str | None:
        return caller.username

    return app


async def live(cognito: Cognito, client: CognitoClient, source: TokenSource, api: httpx.AsyncClient) -> None:
    """Live through a round: callers with the token of the moment, beside callers with none that is any good."""
    cognito.advance(STEP)
    auth = BearerAuth(source, hosts={"api.example"})
    good = [api.get("/me", auth=auth) for _ in range(CALLERS)]
    bad = [api.get("/me", headers={"Authorization": f"Bearer {token}"}) for token in (forged_token(), "x.y.z", "")]
    statuses = [answer.status_code for answer in await asyncio.gather(*good, *bad)]
    expected = [200] * len(good) + [401] * len(bad)
    assert statuses == expected, statuses


async def sign_in(cognito: Cognito, client: CognitoClient, source: TokenSource) -> None:
    """Let Ann sign in anew, in the place of the session before."""
    request = client.authorization_request()
    await source.replace(await client.exchange_code(cognito.follow(request.url), request))


async def soak(seconds: float, *, least: int = 0) -> dict[str, Any]:
    """Live for some seconds, and at least a number of rounds; return what was done and what did not stay flat."""
    tracemalloc.start()
    samples: list[Sample] = []
    rounds = 0
    async with running_cognito() as cognito:
        before = take_sample()
        with TemporaryDirectory() as folder:
            async with (
                TokenVerifier(cognito.pool, client_ids=[cognito.client_id], clock=cognito.clock) as verifier,
                CognitoClient(
                    cognito.pool,
                    client_id=cognito.client_id,
                    redirect_uri=CALLBACK,
                    scopes=["openid"],
                    clock=cognito.clock,
                ) as client,
                httpx.AsyncClient(transport=httpx.ASGITransport(protected_api(verifier)), base_url=API) as api,
            ):
                source = client.token_source(store=FileTokenStore(Path(folder) / "sessions"), key="ann")
                begun = time.monotonic()
                while rounds < least or time.monotonic() - begun < seconds:
                    if rounds % SIGN_IN == 0:
                        await sign_in(cognito, client, source)
                    if rounds % ROTATE == 0:
                        cognito.rotate_keys()
                        cognito.advance(3_600)
                    await live(cognito, client, source, api)
                    rounds += 1
                    warm = rounds > least * WARM_UP and time.monotonic() - begun >= seconds * WARM_UP
                    if warm and rounds % LOOK == 0:
                        samples.append(take_sample())
        after = take_sample()
    tracemalloc.stop()
    found = findings(samples)
    if after.files > before.files or after.tasks > before.tasks:
        found.append(f"left over at the end: {after}, at the beginning {before}")
    return {
        "rounds": rounds,
        "hours": round(rounds * (STEP + 3_600 / ROTATE) / 3_600),
        "calls": rounds * (CALLERS + 3),
        "first": samples[0],
        "last": samples[-1],
        "findings": found,
    }


def main() -> None:
    """Soak for as long as was asked, and fail where something grows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--seconds", type=float, default=30.0)
    result = asyncio.run(soak(parser.parse_args().seconds, least=60))
    for name, value in result.items():
        print(f"{name}: {value}")
    if result["findings"]:
        sys.exit("something grows")


if __name__ == "__main__":
    main()
