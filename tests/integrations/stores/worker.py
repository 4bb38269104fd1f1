"""A process of its own, for what only processes can show. It is told on the command line what to do.

`storm`: many tasks that find one session expired. `write`: writers that are killed while they write. `hold`: a holder
of a lock, until it is killed.
"""
# ruff: noqa: T201 - a program that answers whoever started it

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time

import anyio
import httpx  # noqa: F401 - what a process that has been running for long has loaded

from cognito_oidc import CognitoClient, StoredToken, TokenSet, UserPool
from cognito_oidc.errors import CognitoOidcError
from cognito_oidc.integrations.stores.file import FileTokenStore


async def storm(folder: str, pool_id: str, endpoint_url: str, client_id: str, tasks: str) -> None:
    """Ask for the token in many tasks at once, and print what they got."""
    pool = UserPool(pool_id, domain="acme", endpoint_url=endpoint_url)
    client = CognitoClient(pool, client_id=client_id, redirect_uri="https://app.example/cb")
    source = client.token_source(store=FileTokenStore(folder), key="ann")
    got: list[str] = []

    async def ask() -> None:
        while True:
            try:
                return got.append((await source.token()).value)
            except CognitoOidcError as error:
                if not error.retryable:  # on a busy machine the keys may take too long, and then nothing was sent
                    return got.append(repr(error))
            await anyio.sleep(0.1)

    print("ready", flush=True)
    sys.stdin.readline()
    async with client, anyio.create_task_group() as group:
        for _ in range(int(tasks)):
            group.start_soon(ask)
    print(json.dumps(got), flush=True)


def record(generation: int) -> StoredToken:
    """Return a record whose tokens tell which one it is, and whether it is whole."""
    token = f"{generation}." + "x" * (1000 + generation % 7 * 1000)
    return StoredToken(
        tokens=TokenSet(access_token=token, expires_at=2e9, refresh_token=token),
        obtained_at=1.8e9,
        pool_id="eu-west-1_AbC123",
        client_id="1example23456789",
        generation=generation,
        revision=str(generation),
    )


def write(folder: str, times: str) -> None:
    """Let a child write as fast as it can, kill it, and see what is there; as often as told."""
    store = FileTokenStore(folder, encryption_keys=[bytes(32)])
    assert store._swap("ann", record(0), None)  # loads what writing needs
    generation = 0
    for _ in range(int(times)):
        heard, told = os.pipe()
        if (child := os.fork()) == 0:
            last = store._read("ann")
            assert last is not None
            while True:
                new = record(last.generation + 1)
                store._reserve("ann")
                assert store._swap("ann", new, last)
                os.write(told, b"%d\n" % new.generation)
                last = new
        os.close(told)
        first = os.read(heard, 20)
        time.sleep(random.uniform(0, 0.03))  # noqa: S311 - any moment of the next writes
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(heard, "rb") as rest:
            confirmed = int((first + rest.read()).split()[-1])
        found = store._read("ann")
        assert found is not None, "lost"
        generation = found.generation
        assert found == record(generation), "not whole"
        assert generation in {confirmed, confirmed + 1}, f"{confirmed} was confirmed, {generation} is there"
    print(json.dumps(generation), flush=True)


async def hold(folder: str) -> None:
    """Hold the lock until somebody ends this process."""
    async with FileTokenStore(folder).lock("ann", timeout=5):
        print("ready", flush=True)
        await anyio.sleep_forever()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", folder, times]:
            write(folder, times)
        case ["hold", folder]:
            anyio.run(hold, folder)
        case ["storm", folder, pool_id, endpoint_url, client_id, tasks]:
            anyio.run(storm, folder, pool_id, endpoint_url, client_id, tasks)
