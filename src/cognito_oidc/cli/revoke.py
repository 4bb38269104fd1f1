"""`cognito-oidc revoke`: ends a sign-in at Cognito."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from cognito_oidc.cli.console import MisconfiguredError
from cognito_oidc.cli.options import profile_options

if TYPE_CHECKING:
    from cognito_oidc.cli.profiles import Profile

_MOST: Final = 64 * 1024  # characters


@click.command()
@profile_options
@click.option("--stdin", "from_stdin", is_flag=True, help="Revoke the refresh token on standard input instead.")
def revoke(*, profile: Profile, from_stdin: bool) -> None:
    """Revoke the sign-in, and forget it here.

    With its refresh token go all access and ID tokens that came of the sign-in, where somebody asks Cognito about them.
    Who verifies tokens offline goes on to accept them until they expire, and the browser stays signed in: see logout.

    With --stdin it revokes a refresh token that is known from elsewhere, such as one that leaked, and forgets nothing.

    \b
    Examples:
      cognito-oidc revoke
      cognito-oidc revoke --profile dev --stdin < leaked-refresh-token

    \b
    Exit codes:
      0  it is revoked, or nobody was signed in
      2  the command was used wrongly
      4  Cognito said no
      5  Cognito cannot be reached; the sign-in is forgotten here all the same
      6  a setting is wrong, or the store of tokens cannot be used
    """  # noqa: D301 - \b is click's, for lines that stay as they are
    if profile.is_machine:
        raise MisconfiguredError("this is a machine's app client: its tokens cannot be revoked, only expire")
    import asyncio

    if from_stdin:
        token = sys.stdin.read(_MOST).strip()
        if not token:
            raise MisconfiguredError("there is no refresh token on standard input")
        asyncio.run(_revoke(profile, token))
        click.echo("Revoked.", err=True)
        return
    from cognito_oidc.cli.signing_out import forget

    was_signed_in = asyncio.run(forget(profile))
    click.echo("Revoked, and forgotten here." if was_signed_in else "Nobody was signed in.", err=True)


async def _revoke(profile: Profile, token: str) -> None:
    from cognito_oidc.cli.progress import Progress
    from cognito_oidc.cli.sessions import open_client

    with Progress() as progress:
        progress.step("Asking the revocation endpoint ...")
        async with open_client(profile) as client:
            await client.revoke(token)
