"""An API of FastAPI under uvicorn, in a process of its own: the same endpoint without protection and with several.

`with serving(base, soft_after=900.0) as api: ...` gives the port of one.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of functions inside functions.
import contextlib
import json
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final

from benchmarks.shared import CLIENT_ID, POOL_ID, REGION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastapi import FastAPI

UNPROTECTED: Final = "/unprotected"
CHECKS_NOTHING: Final = "/checks-nothing"
OURS: Final = "/ours"
REMEMBERED: Final = "/remembered"
FASTAPI_COGNITO: Final = "/fastapi-cognito"
SCOPE: Final = "orders/read"


@dataclass(frozen=True)
class Api:
    """A running API.

    Attributes:
        port: Where it listens on 127.0.0.1.
        paths: The endpoints there are.
    """

    port: int
    paths: tuple[str, ...]

    def cpu_seconds(self) -> float:
        """Return what its process has spent."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/cpu")
            return float(connection.getresponse().read())
        finally:
            connection.close()


@contextlib.contextmanager
def serving(base: str, *, soft_after: float) -> "Iterator[Api]":
    """Serve the API whose keys are at a key server.

    Args:
        base: The key server's base URL.
        soft_after: Age in seconds from which our verifiers refresh their keys.
    """
    settings = {"base": base, "soft_after": soft_after}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.api_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(settings) + "\n")
            child.stdin.flush()
            told = json.loads(child.stdout.readline())
            yield Api(told["port"], tuple(told["paths"]))
        finally:
            child.kill()


def make_app(base: str, *, soft_after: float) -> "FastAPI":
    """Return the API; what is not installed is left out."""
    from typing import Annotated

    from fastapi import Depends, FastAPI, Response, Security
    from fastapi.security.base import SecurityBase

    from cognito_oidc import AccessTokenClaims, CachePolicy, TokenVerifier, UserPool
    from cognito_oidc.integrations.fastapi import AccessTokenBearer

    pool = UserPool(POOL_ID, endpoint_url=base)
    policy = CachePolicy(soft_after=soft_after, soft_min=min(soft_after, 300.0))
    plain = TokenVerifier(pool, client_ids=[CLIENT_ID], policy=policy)
    remembering = TokenVerifier(pool, client_ids=[CLIENT_ID], policy=policy, verified_cache_size=10_000)
    ours, remembered = AccessTokenBearer(plain), AccessTokenBearer(remembering)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> "AsyncIterator[None]":
        async with plain, remembering:
            yield

    class ChecksNothing(SecurityBase):
        """What FastAPI itself takes for a security dependency."""

        def __init__(self) -> None:
            self.model = ours.model
            self.scheme_name = "Nothing"

        async def __call__(self) -> None:
            """Check nothing."""

    app = FastAPI(lifespan=lifespan)
    order = {"number": 1, "what": "tea"}

    @app.get("/cpu")
    async def cpu() -> Response:
        return Response(str(time.process_time()))

    @app.get(UNPROTECTED)
    async def unprotected() -> dict[str, Any]:
        return order

    @app.get(CHECKS_NOTHING)
    async def checks_nothing(caller: Annotated[None, Security(ChecksNothing(), scopes=[SCOPE])]) -> dict[str, Any]:
        return order

    @app.get(OURS)
    async def protected(caller: Annotated[AccessTokenClaims, Security(ours, scopes=[SCOPE])]) -> dict[str, Any]:
        return order

    @app.get(REMEMBERED)
    async def protected_too(
        caller: Annotated[AccessTokenClaims, Security(remembered, scopes=[SCOPE])],
    ) -> dict[str, Any]:
        return order

    with contextlib.suppress(ImportError):
        from fastapi_cognito import CognitoAuth, CognitoSettings

        peer = {"region": REGION, "userpool_id": POOL_ID, "app_client_id": CLIENT_ID, "jwks_url": pool.jwks_uri}
        settings = CognitoSettings(
            check_expiration=True, jwt_header_name="Authorization", jwt_header_prefix="Bearer", userpools={"eu": peer}
        )
        auth = CognitoAuth(settings=settings)

        @app.get(FASTAPI_COGNITO)
        async def of_peer(caller: Annotated[object, Depends(auth.auth_required)]) -> dict[str, Any]:
            return order

    return app


def _main() -> None:
    import logging

    import uvicorn

    logging.disable(logging.CRITICAL)  # a flood of bad tokens would be a flood of log lines
    settings = json.loads(sys.stdin.readline())
    # With its protocol named: asyncio switches Nagle's algorithm off for those alone, and that would be all we measure.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(1024)
    app = make_app(**settings)
    there = {str(getattr(route, "path", "")) for route in app.routes}
    paths = [path for path in (UNPROTECTED, CHECKS_NOTHING, OURS, REMEMBERED, FASTAPI_COGNITO) if path in there]
    print(json.dumps({"port": listening.getsockname()[1], "paths": paths}), flush=True)
    uvicorn.Server(uvicorn.Config(app, access_log=False, log_config=None)).run(sockets=[listening])


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        _main()
