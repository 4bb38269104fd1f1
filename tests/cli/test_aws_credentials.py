"""The identity pool is moto's, on loopback; AWS's own was not asked."""

import configparser
import json
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import botocore.session
import pytest
from moto.server import ThreadedMotoServer

from tests.cli.home import COMMAND, Home

KEYS = {"AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken", "Version"}


@pytest.fixture
def aws() -> Iterator[str]:
    """Serve moto in AWS's place, and return where."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def identity_pool(aws: str, home: Home) -> str:
    """Return the id of an identity pool that trusts the home's pool."""
    identities = boto3.client(
        "cognito-identity",
        region_name="eu-west-1",
        endpoint_url=aws,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    provider = f"cognito-idp.eu-west-1.amazonaws.com/{home.pool.pool_id}"
    created = identities.create_identity_pool(
        IdentityPoolName="home",
        AllowUnauthenticatedIdentities=False,
        CognitoIdentityProviders=[{"ProviderName": provider, "ClientId": home.web.client_id}],
    )
    pool_id: str = created["IdentityPoolId"]
    return pool_id


@pytest.fixture
def settings(aws: str, identity_pool: str) -> dict[str, str]:
    """Return what the command is told."""
    return {"AWS_ENDPOINT_URL": aws, "COGNITO_IDENTITY_POOL_ID": identity_pool}


def test_credentials_for_the_person_who_is_signed_in(home: Home, settings: dict[str, str]) -> None:
    """The document of `credential_process`, version 1."""
    home.login()
    done = home.run("aws-credentials", **settings)
    assert (done.returncode, done.stderr) == (0, "")
    credentials = json.loads(done.stdout)
    assert credentials.keys() == KEYS
    assert credentials["Version"] == 1
    assert datetime.fromisoformat(credentials["Expiration"]) > datetime.now(UTC)


def test_aws_sdk_uses_it(home: Home, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An SDK of AWS runs it from a profile and takes the answer."""
    home.login()
    config = configparser.ConfigParser()
    config["profile me"] = {"credential_process": f"{shlex.join(COMMAND)} aws-credentials", "region": "eu-west-1"}
    path = home.folder / "aws-config"
    with path.open("w", encoding="utf-8") as file:
        config.write(file)
    for name, value in {**home.environment, **settings, "AWS_CONFIG_FILE": str(path)}.items():
        monkeypatch.setenv(name, value)
    credentials = botocore.session.Session(profile="me").get_credentials()
    assert credentials is not None
    assert credentials.method == "custom-process"
    assert credentials.get_frozen_credentials().token


def test_what_is_asked_of_the_identity_pool(home: Home) -> None:
    """The enhanced flow with the ID token under the pool's original issuer, unsigned; a role is passed on."""
    home.login()
    identity = home.run("token", "--id").stdout.strip()
    role = "arn:aws:iam::111122223333:role/reader"
    with recording() as (address, calls):
        settings = {"AWS_ENDPOINT_URL": address, "COGNITO_IDENTITY_POOL_ID": "eu-west-1:1a2b3c4d"}
        done = home.run("aws-credentials", "--role-arn", role, **settings)
    assert json.loads(done.stdout)["SecretAccessKey"] == "secret"
    logins = {f"cognito-idp.eu-west-1.amazonaws.com/{home.pool.pool_id}": identity}
    assert calls == [
        ("GetId", None, {"IdentityPoolId": "eu-west-1:1a2b3c4d", "Logins": logins}),
        ("GetCredentialsForIdentity", None, {"IdentityId": "id-1", "Logins": logins, "CustomRoleArn": role}),
    ]


@contextmanager
def recording() -> Iterator[tuple[str, list[tuple[str, str | None, object]]]]:
    """Serve an identity pool that writes down what it is asked: operation, Authorization header, parameters."""
    calls: list[tuple[str, str | None, object]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            calls.append((operation, self.headers["Authorization"], asked))
            keys = {"AccessKeyId": "key", "SecretKey": "secret", "SessionToken": "session", "Expiration": 4_000_000_000}
            body = json.dumps({"IdentityId": "id-1", "Credentials": keys}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", calls
        server.shutdown()
        thread.join()


def cache(home: Home) -> list[Path]:
    """Return the files of the cache."""
    return list((home.folder / "cache" / "cognito-oidc" / "aws").iterdir())


def test_good_credentials_are_given_out_again_until_they_end_soon(home: Home) -> None:
    """AWS's SDKs ask again a quarter of an hour before the end, and must get others then."""
    home.login()
    with recording() as (address, calls):
        settings = {"AWS_ENDPOINT_URL": address, "COGNITO_IDENTITY_POOL_ID": "eu-west-1:1a2b3c4d"}
        first, second = (home.run("aws-credentials", **settings).stdout for _ in range(2))
        assert (json.loads(first), len(calls)) == (json.loads(second), 2)
        [file] = cache(home)
        assert file.stat().st_mode & 0o077 == 0
        home.run("aws-credentials", "--role-arn", "arn:aws:iam::111122223333:role/other", **settings)
        assert len(calls) == 4
        soon = datetime.now(UTC) + timedelta(minutes=14)
        file.write_text(json.dumps({**json.loads(first), "Expiration": soon.isoformat()}), encoding="utf-8")
        assert json.loads(home.run("aws-credentials", **settings).stdout) == json.loads(first)
        assert len(calls) == 6
        file.write_text("{", encoding="utf-8")
        assert home.run("aws-credentials", **settings).returncode == 0


def test_logout_forgets_them(home: Home) -> None:
    """Who signs out leaves no credentials behind."""
    home.login()
    with recording() as (address, _):
        settings = {"AWS_ENDPOINT_URL": address, "COGNITO_IDENTITY_POOL_ID": "eu-west-1:1a2b3c4d"}
        assert home.run("aws-credentials", **settings).returncode == 0
        assert len(cache(home)) == 1
        assert home.run("logout", "--local", **settings).returncode == 0
        assert cache(home) == []
        done = home.run("aws-credentials", **settings)
    assert (done.returncode, done.stdout) == (3, "")


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        pytest.param(
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, 5, "cannot be reached: EndpointConnectionError", id="network"
        ),
        pytest.param({"COGNITO_IDENTITY_POOL_ID": "x"}, 6, "the identity pool x", id="no-such-pool"),
        pytest.param({"COGNITO_IDENTITY_POOL_ID": ""}, 6, "identity_pool_id is missing", id="none"),
    ],
)
def test_what_went_wrong_is_said_without_the_token(
    home: Home, settings: dict[str, str], changed: dict[str, str], code: int, said: str
) -> None:
    """One line that names the identity pool, never what was sent to it."""
    home.login()
    done = home.run("aws-credentials", **{**settings, **changed})
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "eyJ" not in done.stderr
