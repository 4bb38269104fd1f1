"""Local Cognitos, started and filled alike: ours, moto, cognito-local (npm) and ministack.

Each gets a user pool with a domain, two people, a resource server, app clients, and an OpenID provider `Corp`, by the
API that it offers: boto3, or our emulator's own methods. What an emulator cannot be given is left out, and the probes
in `benchmarks/fidelity.py` find it missing. All of them listen on loopback, on free ports.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import httpx

from benchmarks import node
from benchmarks.shared import OURS, installed
from cognito_oidc.emulator import CognitoEmulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COGNITO_LOCAL: Final = {"cognito-local": "5.3.0"}
MINISTACK: Final = "1.5.33"
POOL_ID: Final = "eu-west-1_Orders001"
CALLBACK: Final = "http://localhost:3000/callback"
GOODBYE: Final = "http://localhost:3000/bye"
PASSWORD: Final = "Correct-horse-1"
TEMPORARY: Final = "Temporary-horse-1"
PERSON: Final = "ann@example.com"  # user names are addresses: cognito-local's own default wants that
NEWCOMER: Final = "bob@example.com"
_REGION: Final = "eu-west-1"
_READY_SECONDS: Final = 30
_SCOPES: Final = ("openid", "email", "profile")
_WEB_SCOPES: Final = (*_SCOPES, "aws.cognito.signin.user.admin")


@dataclass(kw_only=True)
class LocalCognito:
    """A local Cognito that runs.

    Attributes:
        name: Its name and version.
        root: Where its OAuth endpoints are, without a slash at the end.
        issuer: Where discovery and keys of the pool are, likewise.
        clients: Id and secret of each app client that it took, by name.
        api: A boto3 client of its AWS API, or None where it has none.
    """

    name: str
    root: str
    issuer: str
    clients: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    api: Any = None


class Upstream:
    """An OpenID provider on a port of its own, which can be told to alter the ID tokens that it issues.

    It is a pool of our emulator behind a proxy that changes a claim, so that the signature does not fit any more.
    """

    def __init__(self) -> None:
        """Prepare it; `running` starts it."""
        self.forges = False
        self.issuer = ""
        self.client: tuple[str, str] = ("", "")

    @contextlib.contextmanager
    def running(self, callbacks: list[str]) -> Iterator[None]:
        """Serve a pool with one person and an app client for these callback URLs."""
        aws = CognitoEmulator()
        pool = aws.add_pool("eu-west-1_Corp00001", domain="corp")
        pool.add_user(PERSON, password=PASSWORD, email=PERSON, email_verified=True)
        client = pool.add_client("downstream", redirect_uris=callbacks, scopes=_SCOPES, client_secret=True)
        assert client.client_secret is not None
        with _served(aws) as base, self._proxy(base) as address:
            self.issuer = f"{address}/{pool.pool_id}"
            self.client = (client.client_id, client.client_secret)
            yield

    @contextlib.contextmanager
    def _proxy(self, base: str) -> Iterator[str]:
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                with httpx.Client(trust_env=False, timeout=10) as client:
                    headers = [(name, value) for name, value in self.headers.items() if name.lower() != "connection"]
                    answer = client.request(self.command, f"{base}{self.path}", headers=headers, content=body)
                content = answer.content
                if upstream.forges and self.path.endswith("/oauth2/token") and answer.is_success:
                    content = _forged(content)
                self.send_response(answer.status_code)
                for name, value in answer.headers.multi_items():
                    if name not in {"content-length", "transfer-encoding", "connection", "content-encoding"}:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_OPTIONS = handle_any  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _forged(answer: bytes) -> bytes:
    """Change a character of the ID token's signature in a token answer."""
    tokens = json.loads(answer)
    token: str = tokens["id_token"]
    other = "A" if token[-10] != "A" else "B"
    return json.dumps({**tokens, "id_token": f"{token[:-10]}{other}{token[-9:]}"}).encode()


@contextlib.contextmanager
def ours(upstream: Upstream) -> Iterator[LocalCognito]:
    """Run our emulator."""
    aws = CognitoEmulator()
    pool = aws.add_pool(POOL_ID, domain="orders")
    with _served(aws) as base:
        found = LocalCognito(
            name=f"{OURS} {installed('cognito-oidc')}", root=f"{base}/orders", issuer=f"{base}/{POOL_ID}"
        )
        with upstream.running([f"{found.root}/oauth2/idpresponse"]):
            pool.add_user(PERSON, password=PASSWORD, email=PERSON, email_verified=True)
            pool.add_user(NEWCOMER, temporary_password=TEMPORARY, email=NEWCOMER)
            pool.add_resource_server("orders", scopes=["read", "write"])
            client_id, client_secret = upstream.client
            pool.add_oidc_provider(
                "Corp",
                issuer=upstream.issuer,
                client_id=client_id,
                client_secret=client_secret,
                scopes=_SCOPES,
                attribute_mapping={"email": "email"},
            )
            for name, secret, rotation in (
                ("web", False, False),
                ("other", False, False),
                ("shop", True, False),
                ("rotating", False, True),
            ):
                made = pool.add_client(
                    name,
                    redirect_uris=[CALLBACK],
                    logout_uris=[GOODBYE],
                    scopes=_WEB_SCOPES,
                    client_secret=secret,
                    refresh_token_rotation=rotation,
                    identity_providers=["COGNITO", "Corp"],
                )
                found.clients[name] = (made.client_id, made.client_secret)
            job = pool.add_client("job", grants=["client_credentials"], scopes=["orders/read"])
            found.clients["job"] = (job.client_id, job.client_secret)
            yield found


@contextlib.contextmanager
def _served(aws: CognitoEmulator) -> Iterator[str]:
    """Serve an emulator from an event loop in a thread of its own."""
    started: list[str] = []
    ready, over = threading.Event(), threading.Event()

    async def main() -> None:
        async with aws.serve(port=0) as server:
            started.append(server.base_url)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    ready.wait(_READY_SECONDS)
    try:
        yield started[0]
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def moto(upstream: Upstream) -> Iterator[LocalCognito]:
    """Run moto's server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with _filled(f"moto {installed('moto')}", f"http://{host}:{port}", upstream) as found:
            yield found
    finally:
        server.stop()


@contextlib.contextmanager
def ministack(upstream: Upstream) -> Iterator[LocalCognito]:
    """Run ministack, under hypercorn as its own start does, but on loopback alone.

    It has an environment of its own: what it pins cannot be installed beside moto. cryptography is of its extra `full`,
    and gives it real keys. A pool without a domain is what its federation wants on a port.
    """
    port = _free_port()
    environment = {"GATEWAY_PORT": str(port), "MINISTACK_HOST": "127.0.0.1", "LOG_LEVEL": "ERROR"}
    with TemporaryDirectory(prefix="benchmarks-") as folder:
        python = f"{folder}/bin/python"
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        wanted = (f"ministack=={MINISTACK}", "cryptography")
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
        subprocess.run(install, check=True, stderr=subprocess.DEVNULL)
        command = [python, "-m", "hypercorn", "ministack.app:app", "--bind", f"127.0.0.1:{port}"]
        with (
            _process(command, environment, port) as base,
            _filled(f"ministack {MINISTACK}", base, upstream, domain=False) as found,
        ):
            yield found


@contextlib.contextmanager
def cognito_local(upstream: Upstream) -> Iterator[LocalCognito | None]:
    """Run cognito-local, or give None where there is no node or npm."""
    with node.libraries(COGNITO_LOCAL) as folder:
        if folder is None:
            yield None
            return
        port = _free_port()
        command = ["node", str(folder / "node_modules" / "cognito-local" / "lib" / "bin" / "start.js")]
        environment = {"PORT": str(port), "HOST": "127.0.0.1"}
        name = f"cognito-local {COGNITO_LOCAL['cognito-local']}"
        with _process(command, environment, port) as base, _filled(name, base, upstream) as found:
            yield found


@contextlib.contextmanager
def _process(command: list[str], environment: dict[str, str], port: int) -> Iterator[str]:
    """Run a server in an empty folder until it answers, and end it afterwards."""
    with TemporaryDirectory(prefix="benchmarks-") as folder:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _READY_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise SystemExit(f"{process.args!r} did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _filled(name: str, base: str, upstream: Upstream, *, domain: bool = True) -> Iterator[LocalCognito]:
    """Fill an emulator through its AWS API."""
    import boto3
    from botocore.config import Config

    api = boto3.client(
        "cognito-idp",
        region_name=_REGION,
        endpoint_url=base,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )
    pool_id: str = api.create_user_pool(PoolName="orders")["UserPool"]["Id"]
    found = LocalCognito(name=name, root=base, issuer=f"{base}/{pool_id}", api=api)
    with upstream.running([f"{base}/oauth2/idpresponse"]):
        if domain:
            _try(lambda: api.create_user_pool_domain(UserPoolId=pool_id, Domain="orders"))
        _fill(found, pool_id, upstream)
        yield found


def _fill(found: LocalCognito, pool_id: str, upstream: Upstream) -> None:
    api, pool = found.api, {"UserPoolId": pool_id}
    address = [{"Name": "email", "Value": PERSON}, {"Name": "email_verified", "Value": "true"}]
    api.admin_create_user(**pool, Username=PERSON, MessageAction="SUPPRESS", UserAttributes=address)
    api.admin_set_user_password(**pool, Username=PERSON, Password=PASSWORD, Permanent=True)
    newcomer = [{"Name": "email", "Value": NEWCOMER}]
    api.admin_create_user(
        **pool,
        Username=NEWCOMER,
        TemporaryPassword=TEMPORARY,
        MessageAction="SUPPRESS",
        UserAttributes=newcomer,
    )
    client_id, client_secret = upstream.client
    scopes = [{"ScopeName": name, "ScopeDescription": name} for name in ("read", "write")]
    _try(lambda: api.create_resource_server(**pool, Identifier="orders", Name="orders", Scopes=scopes))
    _try(
        lambda: api.create_identity_provider(
            **pool,
            ProviderName="Corp",
            ProviderType="OIDC",
            ProviderDetails={
                "client_id": client_id,
                "client_secret": client_secret,
                "attributes_request_method": "GET",
                "oidc_issuer": upstream.issuer,
                "authorize_scopes": " ".join(_SCOPES),
            },
            AttributeMapping={"email": "email", "username": "sub"},
        )
    )
    web = {
        **pool,
        "CallbackURLs": [CALLBACK],
        "LogoutURLs": [GOODBYE],
        "AllowedOAuthFlowsUserPoolClient": True,
        "AllowedOAuthFlows": ["code"],
        "AllowedOAuthScopes": list(_WEB_SCOPES),
        "SupportedIdentityProviders": ["COGNITO", "Corp"],
    }
    rotation = {"RefreshTokenRotation": {"Feature": "ENABLED", "RetryGracePeriodSeconds": 0}}
    machine = {
        **pool,
        "AllowedOAuthFlowsUserPoolClient": True,
        "AllowedOAuthFlows": ["client_credentials"],
        "AllowedOAuthScopes": ["orders/read"],
        "GenerateSecret": True,
    }
    for name, arguments in (
        ("web", web),
        ("other", web),
        ("shop", {**web, "GenerateSecret": True}),
        ("rotating", {**web, **rotation}),
        ("job", machine),
    ):
        made = _try(partial(api.create_user_pool_client, ClientName=name, **arguments))
        if made is not None:
            client = made["UserPoolClient"]
            found.clients[name] = (client["ClientId"], client.get("ClientSecret"))


def _try(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - boto3's answers
    """Return what a call gives, or None where the emulator does not know it."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except (ClientError, BotoCoreError):
        return None


EMULATORS: Final = (ours, moto, cognito_local, ministack)
