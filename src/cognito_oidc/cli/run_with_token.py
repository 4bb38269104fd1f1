"""`cognito-oidc exec -- COMMAND`: a program with a token in its environment, and nowhere else.

Decides which variable it is in. The program takes this one's place, so that signals and its exit code are its own.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import click

from cognito_oidc.cli.console import CommandError
from cognito_oidc.cli.options import profile_options
from cognito_oidc.cli.token import good_token

if TYPE_CHECKING:
    from cognito_oidc.cli.profiles import Profile

_NOT_FOUND: Final = 127  # POSIX, "Exit Status for Commands"
_NOT_RUN: Final = 126
_SECRET_VARIABLE: Final = "COGNITO_CLIENT_SECRET"


@click.command("exec", context_settings={"allow_interspersed_args": False})
@profile_options
@click.option("--id", "id_token", is_flag=True, help="The ID token instead of the access token.")
@click.option(
    "--min-ttl",
    type=click.FloatRange(0),
    default=0.0,
    metavar="SECONDS",
    help="How long it must still be good; it is renewed otherwise.",
)
@click.option(
    "--env",
    "variable",
    metavar="NAME",
    help="The variable it is put into. [default: COGNITO_ACCESS_TOKEN, or COGNITO_ID_TOKEN]",
)
@click.argument("words", nargs=-1, required=True, metavar="-- COMMAND [ARGUMENT]...", type=click.UNPROCESSED)
def run_with_token(
    *, profile: Profile, id_token: bool, min_ttl: float, variable: str | None, words: tuple[str, ...]
) -> None:
    """Run a command with a good token in its environment.

    The token is in the variable COGNITO_ACCESS_TOKEN of that command and of what it starts: not in this shell, not in
    its history and not in the list of processes. It is not renewed while the command runs. COGNITO_CLIENT_SECRET is
    taken out of its environment.

    \b
    Examples:
      cognito-oidc exec -- ./report.sh
      cognito-oidc exec --env API_TOKEN -- terraform apply
      cognito-oidc exec --min-ttl 1800 -- make nightly

    \b
    Exit codes:
      0  the command ended well; once it runs, its exit code is this one's
      2  this command was used wrongly
      3  nobody is signed in: cognito-oidc login
      4  the sign-in is over, or Cognito said no
      5  Cognito cannot be reached
      6  a setting is wrong, or the store of tokens cannot be used
      126, 127  the command cannot be run, or there is none
    """  # noqa: D301 - \b is click's, for lines that stay as they are
    good = good_token(profile, id_token=id_token, min_ttl=min_ttl)
    environment = {**os.environ, variable or good.variable: good.value}
    environment.pop(_SECRET_VARIABLE, None)
    sys.stdout.flush()
    try:
        if sys.platform == "win32":  # where exec would let the shell go on before the command has ended
            import subprocess

            sys.exit(subprocess.run(words, env=environment, check=False).returncode)  # noqa: S603 - the person's words
        os.execvpe(words[0], words, environment)  # noqa: S606 - the person's words, and no shell
    except FileNotFoundError:
        raise CommandError(f"{words[0]}: there is no such command", _NOT_FOUND) from None
    except OSError as error:
        raise CommandError(f"{words[0]}: {error.strerror or 'it cannot be run'}", _NOT_RUN) from None
