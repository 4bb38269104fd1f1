"""A real browser and the cookies of a login, over TLS: what it keeps, and what it does not take from a neighbour."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Final

import pytest
import uvicorn
from anyio.from_thread import start_blocking_portal
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from cognito_oidc import CognitoClient, MemoryTokenStore
from cognito_oidc.emulator import CognitoEmulator
from cognito_oidc.integrations.starlette import CognitoLogin
from tests.interop import chromium
from tests.interop.support import cannot_be_had

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from tests.interop.chromium import Chromium

pytestmark = pytest.mark.usefixtures("npm")

KEY: Final = bytes(range(32))
PASSWORD: Final = "correct horse"
SESSION: Final = "__Host-cognito-session"
APP: Final = "app.localhost"
NEIGHBOUR: Final = "evil.app.localhost"
_PATIENCE: Final = 10.0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a key and a certificate that nobody signed, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, APP)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(APP), x509.DNSName(NEIGHBOUR)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def browser(npm: None, tmp_path: Path) -> Iterator[Chromium]:
    """Start a Chromium that takes the certificate."""
    if chromium.executable() is None:
        cannot_be_had("chromium is not installed (Debian and Ubuntu: apt-get install chromium)")
    with chromium.started(tmp_path / "profile", any_certificate=True) as started:
        yield started


@contextlib.contextmanager
def served(app: ASGIApp, listening: socket.socket, certificate: Path) -> Iterator[None]:
    """Serve an application over TLS, in a thread."""
    config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none", ssl_certfile=certificate)
    assert config.ssl_cert_reqs == ssl.CERT_NONE
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_PATIENCE)


def test_cookies_of_a_login_in_a_real_browser(browser: Chromium, certificate: Path) -> None:
    """Chromium keeps them with every attribute, and a neighbouring host cannot plant or replace one.

    The neighbour sets cookies for the whole domain: of our names, which `__Host-` forbids it, and of others, as many as
    it likes. The session stays the person's own.
    """
    aws = CognitoEmulator()
    pool = aws.add_pool("eu-west-1_Secure001", domain="secure")
    pool.add_user("ann", password=PASSWORD, email="ann@example.com")
    with (
        socket.create_server(("127.0.0.1", 0)) as ours,
        socket.create_server(("127.0.0.1", 0)) as theirs,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(aws.serve()) as server,
    ):
        home = f"https://{APP}:{ours.getsockname()[1]}"
        registered = pool.add_client("web", redirect_uris=[f"{home}/callback"], logout_uris=[f"{home}/bye"])
        client = CognitoClient(
            server.user_pool(pool), client_id=registered.client_id, redirect_uri=f"{home}/callback", scopes="openid"
        )
        login = CognitoLogin(client, keys=KEY, logout_uri=f"{home}/bye", store=MemoryTokenStore())
        with served(application(login), ours, certificate), served(Starlette(routes=PLANT), theirs, certificate):
            browser.open(f"{home}/login")
            browser.fill({"Username": "ann", "Password": PASSWORD})
            browser.press("Sign in", then="ann")
            before = session_of(browser)
            assert (before["secure"], before["httpOnly"], before["sameSite"]) == (True, True, "Lax")
            assert (before["path"], before["domain"]) == ("/", APP)  # no dot before it: this host's alone

            browser.open(f"https://{NEIGHBOUR}:{theirs.getsockname()[1]}/")
            browser.order("wait", heading="planted")
            planted = {(one["name"], one["value"]) for one in browser.order("cookies")}
            assert ("harmless", "planted") in planted  # it can set what has no prefix
            browser.open(home)
            browser.order("wait", heading="ann")
            assert session_of(browser) == before


def application(login: CognitoLogin) -> Starlette:
    """Return an application that says who is signed in."""

    async def home(request: Request) -> HTMLResponse:
        session = await login.session(request)
        return HTMLResponse(f"<h1>{session.claims.username if session else 'nobody'}</h1>")

    return Starlette(routes=[*login.routes, Route("/", home)], middleware=[login.middleware])


async def plant(request: Request) -> HTMLResponse:
    """Set cookies for the domain above, in every form that could reach the application."""
    answer = HTMLResponse("<h1>planted</h1>")
    for cookie in (
        f"harmless=planted; Domain={APP}; Path=/; Secure",
        f"{SESSION}=planted; Domain={APP}; Path=/; Secure",
        f"{SESSION}=planted; Domain={APP}; Path=/",
        f"{SESSION}-2=planted; Domain={APP}; Path=/; Secure",
        f"{SESSION.lower()}=planted; Domain={APP}; Path=/; Secure",
        f"cognito-session=planted; Domain={APP}; Path=/; Secure",
    ):
        answer.raw_headers.append((b"set-cookie", cookie.encode()))
    return answer


PLANT: Final = [Route("/", plant)]


def session_of(browser: Chromium) -> dict[str, object]:
    """The one cookie of the session that the browser has."""
    (found,) = [one for one in browser.order("cookies") if one["name"].casefold() == SESSION.casefold()]
    return dict(found)
