"""The home of somebody new: a profile for a local Cognito on a port, and nothing else."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx
import pexpect
from anyio.from_thread import start_blocking_portal

from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool, Person

COMMAND = (sys.executable, "-W", "error", "-m", "cognito_oidc")
USERNAME = "ann"
PASSWORD = "Anns-password-1"
PATIENCE = 20
TOKEN = r"eyJ[\w-]+\.[\w-]+\.[\w-]+"
_NOT_INHERITED = ("AWS_", "COGNITO_", "SSH_", "WSL_", "XDG_")
_NOT_INHERITED_EITHER = {"BROWSER", "CI", "DISPLAY", "KUBERNETES_SERVICE_HOST", "NO_COLOR", "WAYLAND_DISPLAY"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A home folder, the local Cognito that its profiles are for, and the terminal.

    Attributes:
        folder: The home folder.
        aws: The local Cognito, from the inside.
        pool: Its pool.
        base_url: Where it is.
        ports: The two ports that a login may come back to.
    """

    folder: Path
    aws: CognitoEmulator
    pool: EmulatedPool
    web: EmulatedAppClient
    base_url: str
    ports: tuple[int, int]

    @property
    def environment(self) -> dict[str, str]:
        """What a new shell has."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_NOT_INHERITED) and name not in _NOT_INHERITED_EITHER
        }
        folders = {f"XDG_{each.upper()}_HOME": str(self.folder / each) for each in ("cache", "config", "state")}
        return {**inherited, **folders, "HOME": str(self.folder), "AWS_EC2_METADATA_DISABLED": "true"}

    @property
    def profiles(self) -> Path:
        """The file of profiles."""
        return self.folder / "config" / "cognito-oidc" / "profiles.toml"

    def run(self, *arguments: str, stdin: str | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run the command without a terminal, as a job does."""
        return self.run_as(COMMAND, *arguments, stdin=stdin, **settings)

    def run_as(
        self, command: tuple[str, ...], *arguments: str, stdin: str | None = None, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it in another way than a person does."""
        return subprocess.run(
            [*command, *arguments],
            env={**self.environment, **settings},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            start_new_session=True,
        )

    @contextmanager
    def started(self, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
        """Start the command without a terminal."""
        with _interruptible():
            process = subprocess.Popen(
                [*COMMAND, *arguments],
                env={**self.environment, **settings},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        with process:
            try:
                yield process
            finally:
                process.kill()

    @contextmanager
    def terminal(self, command: str, **settings: str) -> "Iterator[pexpect.spawn[str]]":
        """Run a shell's line in a terminal of 80 columns."""
        environment = {**self.environment, "TERM": "xterm", **settings}
        with _interruptible():
            child = pexpect.spawn(
                "/bin/sh", ["-c", command], env=environment, encoding="utf-8", timeout=PATIENCE, dimensions=(24, 80)
            )
        with child:
            child.delaybeforesend = None
            yield child

    def person(self, password: str = PASSWORD) -> Person:
        """Return Ann at a browser of her own."""
        return Person(
            USERNAME, password, open_client=lambda: httpx.AsyncClient(trust_env=False), serves=lambda _: False
        )

    def sign_in(self, address: str) -> str:
        """Sign Ann in at an address, and return where the browser ends."""
        return anyio.run(self.person().follow, address)

    def login(self, profile: str = "dev") -> None:
        """Do a whole login, for tests of what comes after it."""
        with self.terminal(f"{' '.join(COMMAND)} login --profile {profile} --no-browser") as child:
            address = address_in(child)
            child.expect_exact("> ")
            child.sendline(self.sign_in(address))
            child.expect_exact("Signed in as ann@example.com")
            child.expect(pexpect.EOF)
        assert child.exitstatus == 0


def address_in(child: "pexpect.spawn[str]") -> str:
    """Return the address that a login shows in a terminal."""
    child.expect(r"\s(http://\S+/oauth2/authorize\?\S+)\s")
    return str(child.match[1])


def address_of(process: subprocess.Popen[str]) -> str:
    """Return the address that a login shows on standard error."""
    assert process.stderr is not None
    for line in process.stderr:
        found = re.match(r"\s*(http://\S+/oauth2/authorize\?\S+)$", line)
        if found is not None:
            return found[1]
    raise AssertionError("no address")


@contextmanager
def new_home(folder: Path) -> Iterator[Home]:
    """Serve a pool with a person, a public app client and a machine's, and write their profiles."""
    aws = CognitoEmulator()
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(aws.serve()) as server:
        pool = aws.add_pool("eu-west-1_Home00001", domain="home")
        pool.add_resource_server("orders", scopes=["read", "write"])
        pool.add_user(USERNAME, password=PASSWORD, email="ann@example.com", email_verified=True)
        ports = _free_port(), _free_port()
        web = pool.add_client(
            "command-line",
            redirect_uris=[f"http://localhost:{port}/callback" for port in ports],
            logout_uris=["http://localhost:3000/bye"],
            scopes=["openid", "email", "orders/read"],
        )
        job = pool.add_client("nightly-job", grants=["client_credentials"], scopes=["orders/read", "orders/write"])
        home = Home(folder=folder, aws=aws, pool=pool, web=web, base_url=server.base_url, ports=ports)
        home.profiles.parent.mkdir(parents=True)
        (folder / "secret").write_text(f"{job.client_secret}\n", encoding="utf-8")
        (folder / "secret").chmod(0o600)
        home.profiles.write_text(
            f"""
default = "dev"

[profiles.dev]
pool_id = "{pool.pool_id}"
domain = "home"
endpoint_url = "{server.base_url}"
client_id = "{web.client_id}"
ports = [{ports[0]}, {ports[1]}]
scopes = ["openid", "email", "orders/read"]
store = "file"

[profiles.job]
pool_id = "{pool.pool_id}"
domain = "home"
endpoint_url = "{server.base_url}"
client_id = "{job.client_id}"
client_secret_from = "file:{folder / "secret"}"
scopes = ["orders/read"]
""",
            encoding="utf-8",
        )
        home.profiles.chmod(0o600)
        yield home


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have what is started here hear Ctrl-C, also where the shell of the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
