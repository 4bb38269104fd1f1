"""`cognito-oidc userinfo`: what the pool says about the person who is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cognito_oidc.cli.console import MisconfiguredError
from cognito_oidc.cli.options import profile_options

if TYPE_CHECKING:
    from cognito_oidc import UserInfo
    from cognito_oidc.cli.profiles import Profile


@click.command()
@profile_options
def userinfo(*, profile: Profile) -> None:
    """Ask the pool about the person who is signed in.

    Writes the attributes as JSON, as Cognito sends them: email_verified and phone_number_verified are texts there.
    Unlike a token, which is good until it expires, the answer tells that the sign-in was not revoked.

    \b
    Examples:
      cognito-oidc userinfo
      cognito-oidc userinfo --profile dev | jq -r .email

    \b
    Exit codes:
      0  the attributes are on standard output
      2  the command was used wrongly
      3  nobody is signed in: cognito-oidc login
      4  the sign-in is over or was revoked
      5  Cognito cannot be reached
      6  a setting is wrong, or the store of tokens cannot be used
    """  # noqa: D301 - \b is click's, for lines that stay as they are
    if profile.is_machine:
        raise MisconfiguredError("this is a machine's app client: there is nobody to ask about")
    import asyncio
    import json

    click.echo(json.dumps(dict(asyncio.run(_ask(profile)).raw), indent=2, ensure_ascii=False))


async def _ask(profile: Profile) -> UserInfo:
    from cognito_oidc.cli.current_tokens import tokens_of
    from cognito_oidc.cli.progress import Progress
    from cognito_oidc.cli.sessions import open_client

    with Progress() as progress:
        progress.step("Asking the userInfo endpoint ...")
        async with open_client(profile) as client:
            tokens = await tokens_of(client, profile)
            if tokens.claims is None:
                return await client.userinfo(tokens, expected_sub=None)
            return await client.userinfo(tokens)
