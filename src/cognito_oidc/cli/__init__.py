"""The command line: a user of the library like any other.

Decides which commands there are and how an error ends the program: one line on standard error and an exit code. Each
command is a module of its own, loaded when it is named; what it runs is loaded when it runs.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final

import click

from cognito_oidc.cli.console import CommandError, wrapped
from cognito_oidc.cli.exit_codes import ExitCode, exit_code_of
from cognito_oidc.errors import CognitoOidcError

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMMANDS: Final[Mapping[str, str]] = {
    "aws-credentials": "cognito_oidc.cli.aws_credentials",
    "demo": "cognito_oidc.cli.demo",
    "doctor": "cognito_oidc.cli.doctor",
    "emulate": "cognito_oidc.cli.emulate",
    "exec": "cognito_oidc.cli.run_with_token",
    "explain": "cognito_oidc.cli.explain",
    "federation": "cognito_oidc.cli.federation",
    "login": "cognito_oidc.cli.login",
    "logout": "cognito_oidc.cli.logout",
    "revoke": "cognito_oidc.cli.revoke",
    "token": "cognito_oidc.cli.token",
    "urls": "cognito_oidc.cli.urls",
    "userinfo": "cognito_oidc.cli.userinfo",
    "verify": "cognito_oidc.cli.verify",
}
"""Where each command is; its module has the command under the command's name, or else under the module's."""

# What the library says to a programmer, and the command otherwise to a person.
_IN_OTHER_WORDS: Final[Mapping[str, str]] = {
    "store_no_keyring": "there is no keyring here. Keep tokens in a file of this user: --store file, "
    'COGNITO_STORE=file, or store = "file" in the profile'
}


class _Commands(click.Group):
    """The commands, loaded by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        if cmd_name not in _COMMANDS:
            return None
        path = _COMMANDS[cmd_name]
        module = import_module(path)
        command: click.Command = getattr(module, cmd_name, None) or getattr(module, path.rpartition(".")[2])
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from cognito_oidc.cli.profile_file import meant

            raise click.UsageError(f"{error.message}{meant(args[0], _COMMANDS)}", ctx) from None

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except CognitoOidcError as error:
            raise CommandError(_told(error), exit_code_of(error)) from error
        except KeyboardInterrupt:
            click.echo("\nInterrupted.", err=True)
            ctx.exit(ExitCode.INTERRUPTED)


def _told(error: CognitoOidcError) -> str:
    """Return what happened, in a line; and to a person at a terminal also what it probably was."""
    causes = error.explain() if sys.stderr.isatty() else ()
    return "\n".join(
        [_IN_OTHER_WORDS.get(error.code, str(error)), *(wrapped(cause, "    ", first="  - ") for cause in causes)]
    )


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(package_name="cognito-oidc")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Amazon Cognito user pools as an OpenID Connect provider.

    \b
    To see what the library does, without AWS and without an account:
      cognito-oidc demo
    To run a local Cognito for an application that is being written:
      cognito-oidc emulate
    To get a token into a script:
      cognito-oidc login
      TOKEN=$(cognito-oidc token)
    To find out why a login does not work:
      cognito-oidc doctor

    Output is coloured on a terminal only, and never with NO_COLOR set.
    """  # noqa: D301 - \b is click's, for lines that stay as they are
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        ctx.color = False
