"""Where an app client's secret comes from: a variable, a file, a descriptor, a command, AWS Secrets Manager.

Decides how a source is written and read. A secret is never an argument of the command, where every process of the
machine and the shell's history see it, and never in the file of profiles.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, get_args

import click

from cognito_oidc.cli.console import CommandError, MisconfiguredError
from cognito_oidc.cli.exit_codes import ExitCode

Kind = Literal["env", "file", "fd", "command", "aws"]

_KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_MOST_BYTES: Final = 64 * 1024  # what AWS Secrets Manager takes
_PATIENCE: Final = 120  # seconds for a command: a person may have to unlock a password manager
HOW_TO_WRITE: Final = "env:NAME, file:PATH, fd:NUMBER, command:WORDS or aws:SECRET[#MEMBER]"


class SecretSource:
    """A place that a secret is read from, when it is needed and not before.

    Attributes:
        kind: What sort of place it is.
        where: Which one.
    """

    def __init__(self, text: str, *, region: str | None = None, what: str = "client_secret_from") -> None:
        """Read how the place is written, such as `file:/run/secrets/cognito`.

        Args:
            text: One of the forms in `HOW_TO_WRITE`.
            region: Where AWS Secrets Manager is asked, unless the environment says otherwise.
            what: Name of the setting, for the message.

        Raises:
            MisconfiguredError: It is none of the forms. The text is not repeated: it may be a secret.
        """
        kind, _, where = text.partition(":")
        if kind not in _KINDS or not where.strip() or (kind == "fd" and not where.isdecimal()):
            raise MisconfiguredError(f"{what}: expected where the secret is: {HOW_TO_WRITE}")
        self.kind: Kind = kind
        self.where: str = where.strip()
        self._region = region
        self._read_once: str | None = None

    def __repr__(self) -> str:
        """Show the place, not what is there."""
        return f"SecretSource('{self.kind}:{self.where}')"

    def read(self) -> str:
        """Return the secret.

        Raises:
            CommandError: It is not there or cannot be read; the message names the place.
        """
        readers = {
            "env": self._variable,
            "file": self._file,
            "fd": self._descriptor,
            "command": self._output,
            "aws": self._secrets_manager,
        }
        secret = readers[self.kind]().rstrip("\r\n")
        if not secret:
            raise self._unusable("is empty")
        return secret

    def _variable(self) -> str:
        secret = os.environ.get(self.where)
        if secret is None:
            raise self._unusable("is not set")
        return secret

    def _file(self) -> str:
        path = Path(self.where).expanduser()
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise self._unusable(error.strerror or "cannot be read") from None
        # A warning and no refusal: a secret that a container is given is often readable by all, and cannot be changed.
        if os.name == "posix" and mode & (stat.S_IRGRP | stat.S_IROTH):
            click.echo(f"Warning: others can read the secret in {path}: chmod 600 {path}", err=True)
        return self._text(content)

    def _descriptor(self) -> str:
        if self._read_once is None:  # a second read would find nothing
            try:
                with os.fdopen(int(self.where), "rb") as file:
                    self._read_once = self._text(file.read(_MOST_BYTES + 1))
            except (OSError, OverflowError) as error:
                raise self._unusable(getattr(error, "strerror", None) or "cannot be read") from None
        return self._read_once

    def _output(self) -> str:
        import shlex
        import subprocess

        try:
            words = shlex.split(self.where, posix=os.name == "posix")
            # The words are the profile's own, and no shell reads them. The command talks to the person if it must.
            done = subprocess.run(  # noqa: S603
                words, stdout=subprocess.PIPE, timeout=_PATIENCE, check=False
            )
        except (OSError, ValueError) as error:
            raise self._unusable(getattr(error, "strerror", None) or "cannot be started") from None
        except subprocess.TimeoutExpired:
            raise self._unusable(f"took longer than {_PATIENCE} seconds") from None
        if done.returncode != 0:
            raise self._unusable(f"ended with exit code {done.returncode}")
        return self._text(done.stdout)

    def _secrets_manager(self) -> str:
        try:
            import boto3
            from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, HTTPClientError
        except ImportError:
            raise MisconfiguredError(
                "a secret in AWS Secrets Manager needs boto3: pip install 'cognito-oidc[aws]'"
            ) from None

        secret_id, _, member = self.where.partition("#")
        try:
            session = boto3.Session()
            manager = session.client("secretsmanager", region_name=session.region_name or self._region)
            content = manager.get_secret_value(SecretId=secret_id).get("SecretString", "")
        except ClientError as error:
            raise self._unusable(f"AWS said {error.response.get('Error', {}).get('Code', 'no')}") from None
        except (EndpointConnectionError, HTTPClientError) as error:
            message = f"the client secret from {self.kind}:{self.where}: {type(error).__name__}"
            raise CommandError(message, ExitCode.NETWORK) from None
        except BotoCoreError as error:  # no credentials, no Region: the text names what is missing and holds no secret
            raise self._unusable(str(error)) from None
        return self._member(str(content), member) if member else str(content)

    def _member(self, content: str, member: str) -> str:
        import json

        with suppress(ValueError):
            document = json.loads(content)
            if isinstance(document, dict) and isinstance(document.get(member), str):
                return str(document[member])
        raise self._unusable(f"has no text member {member!r}")

    def _text(self, content: bytes) -> str:
        if len(content) > _MOST_BYTES:
            raise self._unusable(f"is larger than {_MOST_BYTES} bytes")
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise self._unusable("is no UTF-8") from None

    def _unusable(self, why: str) -> MisconfiguredError:
        return MisconfiguredError(f"the client secret from {self.kind}:{self.where}: {why}")
