"""An API of orders whose Swagger UI signs people in, with a local Cognito beside it.

    python examples/fastapi_api/main.py

says where to look and who may sign in. It needs the extras fastapi and emulator, and no AWS account. `make_app` is what
an application of yours has; all the rest puts up the local Cognito that stands for AWS.
"""

import argparse
import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Annotated

import uvicorn
from fastapi import FastAPI, HTTPException, Security

from cognito_oidc import AccessTokenClaims, TokenVerifier, UserPool
from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool
from cognito_oidc.integrations.fastapi import AccessTokenBearer

SCOPES = {"orders/read": "Read orders", "orders/write": "Add orders, and cancel them"}
PASSWORD = "correct horse"


def make_app(pool: UserPool, client_id: str) -> FastAPI:
    """Return the API, protected by the tokens of one app client of the pool."""
    verifier = TokenVerifier(pool, client_ids=[client_id])
    access_token = AccessTokenBearer(verifier, scopes=SCOPES)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with verifier:
            yield

    app = FastAPI(
        title="Orders",
        lifespan=lifespan,
        responses=access_token.responses,
        swagger_ui_init_oauth=access_token.swagger_ui_init_oauth(client_id, scopes=SCOPES),
    )
    clerks = access_token.requiring(any_of_groups=["clerks"])
    orders = {1: "tea", 2: "biscuits"}

    @app.get("/me")
    async def me(caller: Annotated[AccessTokenClaims, Security(access_token)]) -> dict[str, object]:
        """Say who calls: any token of the app client will do."""
        return {"username": caller.username, "scopes": caller.scopes, "groups": caller.groups}

    @app.get("/orders", dependencies=[Security(access_token, scopes=["orders/read"])])
    async def read_orders() -> dict[int, str]:
        """List all orders: needs the scope orders/read."""
        return orders

    @app.post("/orders", dependencies=[Security(access_token, scopes=["orders/write"])])
    async def add_order(what: str) -> int:
        """Add an order: needs the scope orders/write."""
        number = max(orders, default=0) + 1
        orders[number] = what
        return number

    @app.delete("/orders/{number}")
    async def cancel(
        number: int, clerk: Annotated[AccessTokenClaims, Security(clerks, scopes=["orders/write"])]
    ) -> str:
        """Cancel an order: needs the scope orders/write and the group clerks."""
        if number not in orders:
            raise HTTPException(404)
        return f"{clerk.username} cancelled {orders.pop(number)}"

    return app


def add_pool(cognito: CognitoEmulator, api: str) -> tuple[EmulatedPool, EmulatedAppClient]:
    """Set up a user pool as one would in AWS: people, a group, a resource server, and a public app client."""
    pool = cognito.add_pool("eu-west-1_Orders001", domain="orders")
    pool.add_group("clerks")
    pool.add_user("ann", password=PASSWORD, email="ann@example.com")
    pool.add_user("bob", password=PASSWORD, email="bob@example.com", groups=["clerks"])
    pool.add_resource_server("orders", scopes=["read", "write"])
    callback = f"{api}/docs/oauth2-redirect"
    return pool, pool.add_client("Swagger UI", redirect_uris=[callback], scopes=["openid", *SCOPES])


async def run(port: int) -> None:
    """Run the API and the local Cognito until somebody presses Ctrl-C."""
    listening = socket.create_server(("127.0.0.1", port))
    api = f"http://127.0.0.1:{listening.getsockname()[1]}"
    cognito = CognitoEmulator()
    pool, app_client = add_pool(cognito, api)
    async with cognito.serve() as server:
        app = make_app(server.user_pool(pool), app_client.client_id)
        print(f"Open {api}/docs and press Authorize.")
        print(f"Sign in as ann or bob, password '{PASSWORD}'. Bob is in the group clerks.", flush=True)
        await uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve(sockets=[listening])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="An API with a Swagger UI that signs in at a local Cognito.")
    parser.add_argument("--port", type=int, default=8000, help="where the API listens on 127.0.0.1; 0 for any")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(parser.parse_args().port))
