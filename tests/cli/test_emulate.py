import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx
import pytest
from click.testing import Result

from cognito_oidc import CognitoClient, IdTokenClaims, TokenVerifier, UserPool
from cognito_oidc.cli.pool_file import READY_MADE
from cognito_oidc.emulator import Person
from cognito_oidc.errors import AuthorizationDeniedError

Run = Callable[..., Result]

COMMAND = (sys.executable, "-W", "error", "-u", "-m", "cognito_oidc", "emulate")
EVERYWHERE = "0.0.0.0"  # noqa: S104 - which is warned of
PATIENCE = 15.0
ONE_POOL = """
[[pools]]
pool_id = "eu-west-1_One000001"
domain = "one"
clients = [{ name = "web", redirect_uris = ["http://localhost:3000/callback"], scopes = ["openid"] }]
users = [{ username = "ann", password = "anns-password" }]
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running `cognito-oidc emulate`."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def told(self) -> str:
        return (self.folder / "stdout").read_text(encoding="utf-8")

    @property
    def talk(self) -> str:
        return (self.folder / "stderr").read_text(encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        return dict(line.partition("=")[::2] for line in shlex.split(self.told))

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until standard error says something."""
        ends = time.monotonic() + PATIENCE
        while self.talk.count(text) < times:
            assert time.monotonic() < ends, self.talk
            assert self.process.poll() is None, self.talk
            time.sleep(0.02)


@contextmanager
def serving(folder: Path, *arguments: str, port: int = 0) -> Iterator[Server]:
    """Start the server as a person would, and end it."""
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [*COMMAND, "--port", str(port), *arguments], stdout=stdout, stderr=stderr, env={**os.environ}
        )
    server = Server(process, folder)
    try:
        server.wait_for("listens on")
        while not server.told.endswith("\n"):
            time.sleep(0.02)
        yield server
    finally:
        if process.poll() is None:
            server.end()
    assert "Traceback" not in server.talk


def client_of(settings: dict[str, str], http: httpx.AsyncClient) -> CognitoClient:
    """Return our client, set up from what the server said."""
    pool = UserPool(
        settings["COGNITO_POOL_ID"],
        domain=settings["COGNITO_DOMAIN"],
        endpoint_url=settings["COGNITO_ENDPOINT_URL"],
    )
    return CognitoClient(
        pool,
        client_id=settings["COGNITO_CLIENT_ID"],
        client_secret=settings.get("COGNITO_CLIENT_SECRET"),
        redirect_uri=settings["COGNITO_REDIRECT_URI"],
        scopes=settings["COGNITO_SCOPES"].split(),
        http_client=http,
    )


def over_http(use: Callable[[httpx.AsyncClient], Awaitable[object]]) -> None:
    """Run something with an HTTP client."""

    async def run() -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            await use(http)

    anyio.run(run)


def somebody(username: str, password: str, *, new_password: str | None = None) -> Person:
    """Return a person at a browser of their own, who knows nothing of the server's process."""
    return Person(
        username,
        password,
        open_client=lambda: httpx.AsyncClient(trust_env=False),
        serves=lambda _: False,
        new_password=new_password,
    )


async def login(
    http: httpx.AsyncClient, settings: dict[str, str], person: Person, provider: str | None = None
) -> IdTokenClaims:
    """Sign a person in and return the verified claims."""
    client = client_of(settings, http)
    request = client.authorization_request(identity_provider=provider)
    tokens = await client.exchange_code(await person.follow(request.url), request)
    assert tokens.claims is not None
    verifier = TokenVerifier(client.pool, client_ids=[settings["COGNITO_CLIENT_ID"]], http_client=http)
    claims = await verifier.verify_access_token(tokens.access_token)
    assert claims.sub == tokens.claims.sub
    return tokens.claims


def test_application_logs_in_with_what_is_printed(tmp_path: Path) -> None:
    """The ready-made pools sign in their own person and, through the provider, one of the other pool."""

    async def use(http: httpx.AsyncClient) -> None:
        settings = server.environment
        local = await login(http, settings, somebody("bob", "bobs-password"))
        assert (local.username, local.groups) == ("bob", ("admins",))
        person = somebody("nora", "noras-first-password", new_password="Noras-second-1")
        federated = await login(http, settings, person, "Corp")
        assert (federated.email, federated.email_verified, federated.name) == (
            "nora@corp.example",
            True,
            "Nora Example",
        )
        assert [each.provider_name for each in federated.identities] == ["Corp"]

    with serving(tmp_path, "-o", "env") as server:
        over_http(use)
        assert "app: POST login 302" in server.talk
        server.wait_for("app: GET idpresponse 302")
        assert "corp: POST token 200" in server.talk
        assert "password" not in server.talk
        assert server.end() == 0


def test_logout_of_the_ready_made_pools_leads_out_of_both(tmp_path: Path) -> None:
    """The sign-out URL of the ready-made app client is the upstream pool's logout, and works."""

    async def use(http: httpx.AsyncClient) -> None:
        client = client_of(server.environment, http)
        base = server.environment["COGNITO_ENDPOINT_URL"]
        person = somebody("ann", "anns-password")
        await person.follow(client.authorization_request(identity_provider="Corp").url)
        out = f"{base}/corp/logout?client_id=corpfederation000000000001&logout_uri=http%3A%2F%2Flocalhost%3A3000%2F"
        assert await person.follow(client.logout_url(out)) == "http://localhost:3000/"
        request = client.authorization_request(prompt="none")
        with pytest.raises(AuthorizationDeniedError):
            await client.exchange_code(await person.follow(request.url), request)

    with serving(tmp_path, "-o", "env") as server:
        over_http(use)


def test_settings_are_the_same_after_a_restart(tmp_path: Path) -> None:
    """Ids, secrets and the people's sub follow from the file alone, so an application's settings stay valid."""
    subs: list[str] = []

    async def use(http: httpx.AsyncClient) -> None:
        subs.append((await login(http, server.environment, somebody("bob", "bobs-password"))).sub)

    said = []
    for _ in range(2):
        with serving(tmp_path, "-o", "env") as server:
            over_http(use)
            said.append({**server.environment, "COGNITO_ENDPOINT_URL": ""})
    assert said[0] == said[1]
    assert subs[0] == subs[1]


def test_changed_file_is_taken_over(tmp_path: Path) -> None:
    """A change is served on the same port, tokens of before stay good, and a mistake in between changes nothing."""
    config = tmp_path / "pools.toml"
    config.write_text(ONE_POOL, encoding="utf-8")

    async def use(http: httpx.AsyncClient) -> None:
        settings = server.environment
        client = client_of(settings, http)
        request = client.authorization_request()
        ann = somebody("ann", "anns-password")
        before = await client.exchange_code(await ann.follow(request.url), request)
        config.write_text(ONE_POOL + "colour = 1\n", encoding="utf-8")
        await anyio.to_thread.run_sync(server.wait_for, "pools[0].colour: there is no such key")
        await login(http, settings, ann)
        config.write_text(
            ONE_POOL.replace('"anns-password" }', '"anns-password" }, { username = "bob", password = "b" }'),
            encoding="utf-8",
        )
        await anyio.to_thread.run_sync(server.wait_for, "was read again")
        assert (await login(http, settings, somebody("bob", "b"))).username == "bob"
        verifier = TokenVerifier(client.pool, client_ids=None, http_client=http)
        assert (await verifier.verify_access_token(before.access_token)).username == "ann"

    with serving(tmp_path, "-o", "env", "--config", str(config)) as server:
        over_http(use)
        assert server.talk.count("what was there before goes on") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_cleanly(tmp_path: Path, number: int) -> None:
    """Whoever asks it to end gets exit code 0, no traceback, and the port back."""
    with serving(tmp_path, "-o", "env") as server:
        port = int(server.environment["COGNITO_ENDPOINT_URL"].rpartition(":")[2])
        assert server.end(number) == 0
    assert server.talk.splitlines() == [f"A local Cognito listens on http://127.0.0.1:{port}. Ctrl-C ends it."]
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_person_is_told_everything(tmp_path: Path) -> None:
    """The text for people has issuer, discovery URL, passwords and settings, each of which works."""
    with serving(tmp_path) as server:
        found = re.search(r"discovery  (\S+)", server.told)
        assert found is not None
        document = httpx.get(found[1], trust_env=False).json()
        assert f"issuer     {document['issuer']}\n" in server.told
    assert "person     bob, password bobs-password\n" in server.told
    assert "nora, password noras-first-password, which must be changed at the first sign-in\n" in server.told
    assert "    COGNITO_SCOPES='openid email profile orders/read'\n" in server.told


def test_script_is_told_as_json(tmp_path: Path) -> None:
    """Standard output is one JSON object, with every app client of every pool."""
    with serving(tmp_path, "-o", "json", "--client", "spa") as server:
        told = json.loads(server.told)
    assert told["environment"]["COGNITO_ENDPOINT_URL"] == told["endpoint_url"]
    app, corp = told["pools"]
    assert told["environment"] == app["clients"][1]["environment"]
    assert "COGNITO_CLIENT_SECRET" not in told["environment"]
    assert corp["users"][1] == {"username": "nora", "password": "noras-first-password", "temporary": True}
    assert app["identity_providers"] == ["Corp"]


def test_requests_are_not_shown_when_quiet(tmp_path: Path) -> None:
    """`--quiet` leaves the requests out."""
    with serving(tmp_path, "-q", "-o", "env") as server:
        httpx.get(f"{server.environment['COGNITO_ENDPOINT_URL']}/app/login", trust_env=False)
        time.sleep(0.6)
    assert "login" not in server.talk


def test_other_host_is_warned_of(tmp_path: Path) -> None:
    """Who shows it to the network is warned on standard error, and may say under which URL it is reached."""
    with serving(tmp_path, "-o", "env", "--host", EVERYWHERE, "--url", "http://cognito.localhost:9229/") as server:
        assert server.talk.startswith("Warning: 0.0.0.0 is not loopback.")
        assert server.environment["COGNITO_ENDPOINT_URL"] == "http://cognito.localhost:9229"
        found = re.search(r"listens on http://0\.0\.0\.0:(\d+)", server.talk)
        assert found is not None
        document = httpx.get(
            f"http://127.0.0.1:{found[1]}/eu-west-1_App000001/.well-known/openid-configuration",
            headers={"Host": "cognito.localhost:9229"},
            trust_env=False,
        ).json()
    assert document["issuer"] == "http://cognito.localhost:9229/eu-west-1_App000001"


def test_loopback_is_not_warned_of(tmp_path: Path) -> None:
    """Nor is anybody frightened for nothing."""
    with serving(tmp_path, "--host", "localhost") as server:
        assert "Warning" not in server.talk


def test_port_in_use_is_one_clean_line(run: Run) -> None:
    """A port that cannot be had is named on standard error, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("emulate", "--port", str(port))
    assert (result.exit_code, result.stdout) == (6, "")
    assert result.stderr == f"Error: cannot listen on 127.0.0.1, port {port}: Address already in use\n"


def test_ready_made_file_is_written(run: Run) -> None:
    """`--print-config` writes the file that the server has without `--config`."""
    result = run("emulate", "--print-config")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == READY_MADE.read_text(encoding="utf-8")
    assert [pool["domain"] for pool in tomllib.loads(result.stdout)["pools"]] == ["app", "corp"]


def test_file_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    """A missing file is a matter of configuration, in one line."""
    path = tmp_path / "none.toml"
    result = run("emulate", "--config", str(path))
    assert (result.exit_code, result.stdout, result.stderr) == (6, "", f"Error: {path}: No such file or directory\n")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("none", "no app client is called 'none'", id="unknown"),
        pytest.param("web", "several app clients are called 'web'", id="twice"),
    ],
)
def test_application_must_be_one(run: Run, tmp_path: Path, name: str, said: str) -> None:
    """A name that is no app client's, or of several, is refused with those that there are."""
    path = tmp_path / "pools.toml"
    path.write_text(ONE_POOL + ONE_POOL.replace("One000001", "Two000001").replace('"one"', '"two"'), encoding="utf-8")
    result = run("emulate", "--port", "0", "--config", str(path), "--client", name)
    assert (result.exit_code, result.stdout) == (6, "")
    assert f"Error: {said}" in result.stderr


@pytest.mark.parametrize("name", ["jinja2", "starlette", "uvicorn"])
def test_missing_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without what the local Cognito needs, one line says what to install."""
    monkeypatch.setitem(sys.modules, name, None)
    result = run("emulate")
    assert (result.exit_code, result.stdout) == (6, "")
    assert result.stderr == f"Error: the local Cognito needs {name}: pip install 'cognito-oidc[cli,emulator]'\n"
