"""A shop that people sign in to with their account of another user pool, with a local Cognito beside it.

    python examples/two_pools_web/main.py

says where to look and who may sign in. It needs the extras starlette and emulator, and no AWS account. `make_app` is
what an application of yours has; all the rest puts up the local Cognito that stands for AWS.
"""

import argparse
import asyncio
import contextlib
import secrets
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from cognito_oidc import CognitoClient, Federation, MemoryTokenStore
from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool
from cognito_oidc.integrations.starlette import CognitoLogin, LoginProblem

HERE = Path(__file__).parent
PASSWORD = "correct horse"
SCOPES = ("openid", "email", "profile")
CORP = "Corp"


def make_app(
    client: CognitoClient, plan: Federation, *, home: str, clock: Callable[[], float], hour: Callable[[], None]
) -> Starlette:
    """Return the shop.

    Args:
        client: The shop's app client.
        plan: How the shop's pool signs people in through the other one.
        home: Absolute URL of the shop, without a slash at the end.
        clock: Returns epoch seconds UTC; an application of yours leaves it out.
        hour: Lets an hour pass at the local Cognito; an application of yours has no such thing.
    """
    templates = Jinja2Templates(HERE / "templates")
    templates.env.filters["time"] = lambda at: f"{datetime.fromtimestamp(at, UTC):%H:%M:%S} UTC"

    def page(request: Request, name: str, *, status: int = 200, **values: object) -> Response:
        response = templates.TemplateResponse(request, name, values, status_code=status)
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    def problem_page(request: Request, problem: LoginProblem) -> Response:
        return page(request, "problem.html", status=problem.status, problem=problem)

    login = CognitoLogin(
        client,
        keys=[secrets.token_bytes(32)],  # yours come from where you keep secrets, so that a restart ends no session
        logout_uri=f"{home}/bye",
        store=MemoryTokenStore(),  # yours is one that all workers share
        federation=plan,
        error_page=problem_page,
        allow_insecure_loopback=True,  # http://localhost; yours has https, and leaves this out
        clock=clock,
    )

    async def front(request: Request) -> Response:
        """Show who is signed in, or how to."""
        return page(request, "front.html", session=await login.session(request))

    async def with_corp(request: Request) -> Response:
        """Sign in at the other pool, without the page that asks where."""
        sent = client.authorization_request(identity_provider=CORP)
        return login.start(request, sent, return_to="/account")

    async def account(request: Request) -> Response:
        """Show what is known of the person: only to that person."""
        session = await login.session(request)
        if session is None:
            return login.start(request)
        return page(request, "account.html", session=session, now=clock())

    async def hour_later(request: Request) -> Response:
        """Let an hour pass, for whoever is signed in and pressed the button on a page of this shop."""
        session = await login.session(request)
        form = dict(parse_qsl((await request.body()).decode()))
        given = form.get("csrf_token", "")
        if session is None or not secrets.compare_digest(given.encode(), session.csrf_token.encode()):
            return Response("Not from a page of this shop.", 403)
        hour()
        return RedirectResponse("/account", 303)

    async def bye(request: Request) -> Response:
        """Say goodbye: where the logout of both pools ends."""
        return page(request, "bye.html", session=None)

    return Starlette(
        routes=[
            *login.routes,
            Route("/", front),
            Route("/account", account),
            Route("/with-corp", with_corp),
            Route("/an-hour-later", hour_later, methods=["POST"]),
            Route("/bye", bye),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[login.middleware],
    )


def add_pools(cognito: CognitoEmulator, home: str) -> tuple[EmulatedPool, EmulatedPool, EmulatedAppClient]:
    """Set up two user pools as one would in AWS: the company's, and the shop's, which signs people in through it."""
    corp = cognito.add_pool("eu-west-1_Corp00001", domain="corp")
    corp.add_user("ann", password=PASSWORD, email="ann@corp.example", attributes={"name": "Ann Archer"})
    shop = cognito.add_pool("eu-west-1_Shop00001", domain="shop")
    shop.add_user("bob", password=PASSWORD, email="bob@shop.example", attributes={"name": "Bob Baker"})
    upstream = corp.add_client("The shop", redirect_uris=[shop.idp_response_url], scopes=SCOPES, client_secret=True)
    shop.add_oidc_provider(
        CORP,
        issuer=corp,
        client_id=upstream.client_id,
        client_secret=upstream.client_secret or "",
        scopes=SCOPES,
        attribute_mapping={"email": "email", "name": "name"},
    )
    shop.add_client(
        "The shop's website",
        redirect_uris=[f"{home}/callback"],
        scopes=SCOPES,
        client_secret=True,
        identity_providers=["COGNITO", CORP],
        refresh_token_rotation=True,
    )
    return corp, shop, upstream


async def run(port: int) -> None:
    """Run the shop and the local Cognito until somebody presses Ctrl-C."""
    listening = socket.create_server(("127.0.0.1", port))
    home = f"http://localhost:{listening.getsockname()[1]}"
    cognito = CognitoEmulator()
    corp, shop, upstream = add_pools(cognito, home)
    [website] = shop.clients.values()
    async with cognito.serve() as server:
        plan = Federation(
            upstream=server.user_pool(corp),
            downstream=server.user_pool(shop),
            provider_name=CORP,
            upstream_client_id=upstream.client_id,
        )
        # The way out of both pools must be registered in both, character by character.
        chain = plan.logout_chain(downstream_client_id=website.client_id, final_url=f"{home}/bye")
        website.logout_uris = (f"{home}/bye", *chain.downstream_logout_urls)
        upstream.logout_uris = chain.upstream_logout_urls
        client = CognitoClient(
            plan.downstream,
            client_id=website.client_id,
            client_secret=website.client_secret,
            redirect_uri=f"{home}/callback",
            scopes=SCOPES,
            clock=cognito.clock,
        )
        app = make_app(client, plan, home=home, clock=cognito.clock, hour=lambda: cognito.clock.advance(3600))
        print(f"Open {home} and sign in.")
        print(f"Ann has an account of {CORP}, Bob one of the shop; the password of both is '{PASSWORD}'.", flush=True)
        async with client:
            await uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve(sockets=[listening])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A shop that people sign in to through two local user pools.")
    parser.add_argument("--port", type=int, default=8001, help="where the shop listens on 127.0.0.1; 0 for any")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(parser.parse_args().port))
