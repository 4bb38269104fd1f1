import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from cognito_oidc.cli.console import CommandError
from cognito_oidc.cli.secret_source import SecretSource

SECRET = "s3cret-" + "x" * 20
LINE = f"{SECRET}\n".encode()


@pytest.fixture
def secrets_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stand moto in for AWS Secrets Manager, with two secrets in it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        manager = boto3.client("secretsmanager", region_name="eu-west-1")
        manager.create_secret(Name="cognito/web", SecretString=SECRET)
        manager.create_secret(Name="cognito/all", SecretString=json.dumps({"web": SECRET, "number": 1}))
        yield


def private(path: Path, content: bytes) -> Path:
    """Write a file that nobody else can read."""
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """`env:` reads a variable."""
    monkeypatch.setenv("MY_SECRET", SECRET)
    assert SecretSource("env:MY_SECRET").read() == SECRET


def test_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`file:` reads a file, without the line break that editors add; nothing is said about a private one."""
    assert SecretSource(f"file:{private(tmp_path / 'secret', LINE)}").read() == SECRET
    assert capsys.readouterr().err == ""


def test_file_that_others_can_read_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is used, as a container's cannot be changed, and the way out is said on standard error."""
    path = private(tmp_path / "secret", SECRET.encode())
    path.chmod(0o640)
    assert SecretSource(f"file:{path}").read() == SECRET
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"Warning: others can read the secret in {path}: chmod 600 {path}\n")


def test_descriptor() -> None:
    """`fd:` reads a descriptor that the parent opened, to its end; a second time gives the same."""
    reading, writing = os.pipe()
    os.write(writing, f"{SECRET}\n".encode())
    os.close(writing)
    source = SecretSource(f"fd:{reading}")
    assert [source.read(), source.read()] == [SECRET, SECRET]


def test_command() -> None:
    """`command:` runs words without a shell, and takes what it writes."""
    source = SecretSource(
        f"command:{sys.executable} -c \"print('{SECRET}'); import sys; print(sys.argv[1])\" '$HOME;ls'"
    )
    assert source.read() == f"{SECRET}\n$HOME;ls"


@pytest.mark.usefixtures("secrets_manager")
@pytest.mark.parametrize("where", ["cognito/web", "cognito/all#web"])
def test_aws_secrets_manager(where: str) -> None:
    """`aws:` asks AWS Secrets Manager, in the pool's Region, for a text or a member of a JSON object."""
    assert SecretSource(f"aws:{where}", region="eu-west-1").read() == SECRET


@pytest.mark.usefixtures("secrets_manager")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("env:NO_SUCH_VARIABLE", "env:NO_SUCH_VARIABLE: is not set", id="variable"),
        pytest.param("file:/no/such/file", "file:/no/such/file: No such file or directory", id="file"),
        pytest.param("file:/dev/null", "file:/dev/null: is empty", id="empty"),
        pytest.param("file:/dev/zero", "is larger than 65536 bytes", id="endless"),
        pytest.param("fd:9999", "fd:9999: Bad file descriptor", id="descriptor"),
        pytest.param(f"command:{sys.executable} -c exit(3)", "ended with exit code 3", id="command-fails"),
        pytest.param("command:no-such-command", "No such file or directory", id="no-command"),
        pytest.param("command:'half a quote", "cannot be started", id="command-quotes"),
        pytest.param("aws:nothing", "AWS said ResourceNotFoundException", id="aws-nothing"),
        pytest.param("aws:cognito/web#web", "has no text member 'web'", id="aws-no-json"),
        pytest.param("aws:cognito/all#number", "has no text member 'number'", id="aws-no-text"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, why: str) -> None:
    """The place is named, the reason is said, and it is a matter of configuration."""
    with pytest.raises(CommandError) as caught:
        SecretSource(text, region="eu-west-1").read()
    assert why in caught.value.message
    assert caught.value.exit_code == 6
    assert SECRET not in caught.value.message


@pytest.mark.parametrize("text", [SECRET, "env:", "fd:three", f"secret:{SECRET}", ""])
def test_what_is_no_source_is_refused_without_being_repeated(text: str) -> None:
    """Who writes the secret itself is told how to write where it is; the secret is not shown again."""
    with pytest.raises(CommandError, match="expected where the secret is: env:NAME, file:PATH") as caught:
        SecretSource(text)
    assert SECRET not in caught.value.message


def test_aws_without_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without boto3, one line says what to install."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(CommandError, match="cognito-oidc\\[aws\\]"):
        SecretSource("aws:cognito/web").read()
