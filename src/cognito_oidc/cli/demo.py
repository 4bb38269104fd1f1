"""`cognito-oidc demo`: sign-ins at a local Cognito, from the first address to the logout.

Decides the command's options and how it ends. What happens and what is checked is told by the stories.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import click

from cognito_oidc.cli.console import Console, MisconfiguredError
from cognito_oidc.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from cognito_oidc.cli.story import StoryName

_NEEDED: Final = ("jinja2", "starlette", "uvicorn")  # the extra `emulator`
_PATIENCE: Final = 300  # seconds; Cognito's own login pages give up after five minutes too


@click.command()
@click.option(
    "--story",
    type=click.Choice(["two-pools", "one-pool"]),
    default="two-pools",
    show_default=True,
    help="Which story is told.",
)
@click.option("--browser", is_flag=True, help="Let a real person sign in, in the system's browser.")
@click.option(
    "--timeout",
    type=click.IntRange(1, 3600),
    default=_PATIENCE,
    show_default=True,
    metavar="SECONDS",
    help="How long --browser waits for the person.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="a free one",
    metavar="PORT",
    help="Where the local Cognito listens, on 127.0.0.1.",
)
@click.pass_context
def demo(ctx: click.Context, *, story: StoryName, browser: bool, timeout: int, port: int) -> None:
    """Sign a person in at a local Cognito, and show every step.

    Starts a local Cognito on this machine and tells a story against it over real HTTP. Each step shows what was sent,
    with secrets masked, and what was checked. Needs no AWS account and no network.

    two-pools: one user pool signs people in through another one, its OpenID provider. The plan of both and its check,
    the login with a forced change of password, the tokens with mapped attributes, and the logout of both.

    one-pool: the code flow in depth. PKCE, tokens verified and refreshed, keys rotated, forged and foreign tokens
    refused, a machine token, revocation and logout.

    \b
    Examples:
      cognito-oidc demo                    a simulated person does the login
      cognito-oidc demo --browser          you do, in a browser on this machine
      cognito-oidc demo --story one-pool

    \b
    Exit codes:
      0  every step held
      1  a step did not: it says what was expected and what came
      2  the command was used wrongly
      6  the port cannot be used, or something is not installed
    """  # noqa: D301 - \b is click's, for lines that stay as they are
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        what = " and ".join(missing)
        raise MisconfiguredError(f"the demo needs {what}: pip install 'cognito-oidc[cli,emulator]'")
    import asyncio

    from cognito_oidc.cli.story import tell

    good = asyncio.run(tell(Console(), story, patience=timeout if browser else None, port=port))
    ctx.exit(ExitCode.OK if good else ExitCode.FAILED)
