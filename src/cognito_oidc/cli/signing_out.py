"""The end of a sign-in on this machine and at Cognito, for the commands that end one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_oidc.cli.aws_cache import forget_credentials
from cognito_oidc.cli.console import CommandError
from cognito_oidc.cli.exit_codes import exit_code_of
from cognito_oidc.cli.progress import Progress
from cognito_oidc.cli.sessions import kept_session, open_client, token_source
from cognito_oidc.errors import OAuthError, TransportError

if TYPE_CHECKING:
    from cognito_oidc.cli.profiles import Profile


async def forget(profile: Profile, *, revoke: bool = True) -> bool:
    """Forget the sign-in of a profile, and revoke it; return whether there was one.

    Raises:
        CommandError: It is forgotten here, and Cognito could not be told.
        StoreError: It could not be forgotten.
    """
    forget_credentials(profile)
    if await kept_session(profile) is None:
        return False
    with Progress() as progress:
        progress.step("Revoking the refresh token ...")
        async with open_client(profile) as client:
            try:
                await token_source(client, profile).forget(revoke=revoke)
            except (OAuthError, TransportError) as error:
                message = f"the sign-in is forgotten here, and Cognito did not revoke it: {error}"
                raise CommandError(message, exit_code_of(error)) from error
    return True
