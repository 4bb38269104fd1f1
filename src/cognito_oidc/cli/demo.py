"""`cognito-oidc demo`: one sign-in at a local Cognito, from the first address to the logout.

Decides the command's options and how it ends. What happens and what is checked is told by `story`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

import click

from cognito_oidc.cli.console import Console, MisconfiguredError

_NEEDED: Final = ("jinja2", "starlette", "uvicorn")  # the extra `emulator`
_INTERRUPTED: Final = 130  # 128 and the number of SIGINT, as shells have it
_PATIENCE: Final = 300  # seconds; Cognito's own login pages give up after five minutes too


@click.command()
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
def demo(ctx: click.Context, *, browser: bool, timeout: int, port: int) -> None:
    """Sign a person in at a local Cognito, and show every step.

    Starts a user pool on this machine, then runs the whole of OpenID Connect against it over real HTTP: the login with
    PKCE, tokens verified and refreshed, keys rotated, forged and foreign tokens refused, a machine token, revocation
    and logout. Each step shows what was sent, with secrets masked, and what was checked. Needs no AWS account and no
    network.

    \b
    Examples:
      cognito-oidc demo              a simulated person fills in the login page
      cognito-oidc demo --browser    you do, in a browser on this machine

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

    try:
        good = asyncio.run(tell(Console(), patience=timeout if browser else None, port=port))
    except KeyboardInterrupt:
        click.echo("\nInterrupted.", err=True)
        ctx.exit(_INTERRUPTED)
    ctx.exit(0 if good else 1)
