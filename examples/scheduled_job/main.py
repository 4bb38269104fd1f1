"""Run the job of job.py a few times, each time as a process of its own, with a local Cognito and an API beside it.

    python examples/scheduled_job/main.py

needs the extras starlette and emulator, and no AWS account. `job.py` is what you would schedule; all of this stands
for AWS, for the API and for the scheduler.
"""

import argparse
import asyncio
import base64
import contextlib
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from cognito_oidc import TokenVerifier, UserPool
from cognito_oidc.emulator import CognitoEmulator
from cognito_oidc.integrations.starlette import BearerBackend, require_token

JOB = Path(__file__).parent / "job.py"


def make_api(pool: UserPool, client_id: str) -> Starlette:
    """Return the API that the job calls."""
    verifier = TokenVerifier(pool, client_ids=[client_id])

    async def orders(request: Request) -> JSONResponse:
        require_token(request, scopes=["orders/read"])
        return JSONResponse(["tea", "biscuits", "milk"])

    return Starlette(routes=[Route("/orders", orders)], middleware=[BearerBackend(verifier).middleware])


@contextlib.asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[str]:
    """Serve an application on a free port of loopback; yield its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def run(times: int) -> int:
    """Run the job; return the first exit code that is not 0."""
    cognito = CognitoEmulator()
    pool = cognito.add_pool("eu-west-1_Orders001", domain="orders")
    pool.add_resource_server("orders", scopes=["read"])
    machine = pool.add_client("nightly job", grants=["client_credentials"], scopes=["orders/read"])
    with tempfile.TemporaryDirectory() as folder:
        async with cognito.serve() as server, served(make_api(server.user_pool(pool), machine.client_id)) as api:
            settings = {
                "COGNITO_POOL_ID": pool.pool_id,
                "COGNITO_DOMAIN": "orders",
                "COGNITO_ENDPOINT_URL": server.base_url,
                "COGNITO_CLIENT_ID": machine.client_id,
                "COGNITO_CLIENT_SECRET": str(machine.client_secret),
                "JOB_API": api,
                "JOB_FOLDER": str(Path(folder, "tokens")),
                "JOB_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            }
            for number in range(1, times + 1):
                print(f"Run {number}:", end=" ", flush=True)
                job = await asyncio.create_subprocess_exec(sys.executable, str(JOB), env={**os.environ, **settings})
                if await job.wait():
                    return job.returncode or 1
        print(f"{times} runs asked Cognito for {cognito.count('token')} token.")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A scheduled job that calls an API with a machine's token.")
    parser.add_argument("--runs", type=int, default=3, help="how often the job runs")
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(asyncio.run(run(parser.parse_args().runs)))
