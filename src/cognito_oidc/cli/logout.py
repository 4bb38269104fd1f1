"""`cognito-oidc logout`: the end of a sign-in, here, at Cognito and in the browser.

Decides the order, and says what is not over: a browser that stays signed in lets the next one in without a question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cognito_oidc.cli.console import CommandError, MisconfiguredError, note
from cognito_oidc.cli.options import no_input, profile_options
from cognito_oidc.cli.surroundings import why_no_browser

if TYPE_CHECKING:
    from cognito_oidc.cli.profiles import Profile


@click.command()
@profile_options
@no_input
@click.option("--local", is_flag=True, help="Leave the browser alone.")
def logout(*, profile: Profile, no_input: bool, local: bool) -> None:
    """End the sign-in: here, at Cognito, and in the browser.

    Forgets the tokens, revokes the refresh token, and sends the system's browser to Cognito's logout, which needs a
    sign-out URL of the app client: --logout-uri, or logout_uri in the profile. What could not be done is said.

    \b
    Examples:
      cognito-oidc logout
      cognito-oidc logout --local             the browser stays signed in
      cognito-oidc logout --logout-uri https://app.example.com/bye

    \b
    Exit codes:
      0  what was asked for is done
      2  the command was used wrongly
      4  Cognito refused to revoke the tokens; they are forgotten here
      5  Cognito cannot be reached; the tokens are forgotten here
      6  a setting is wrong, or the store of tokens cannot be used
    """  # noqa: D301 - \b is click's, for lines that stay as they are
    if profile.is_machine:
        raise MisconfiguredError("this is a machine's app client: nobody signs in with it")
    import asyncio

    from cognito_oidc.cli.signing_out import forget

    failure: CommandError | None = None
    try:
        was_signed_in = asyncio.run(forget(profile))
    except CommandError as error:
        failure = error
    else:
        note(
            "Signed out: the tokens are forgotten here and revoked at Cognito. Whoever verifies tokens offline accepts "
            "those that were given out before until they expire."
            if was_signed_in
            else "Nobody was signed in here."
        )
    if not local:
        _browser(profile, may_open=not no_input)
    if failure is not None:
        raise failure


def _browser(profile: Profile, *, may_open: bool) -> None:
    """Send the browser to the logout, or say why not."""
    if not profile.logout_uri:
        note(
            "The browser is still signed in at Cognito: to end that, give a sign-out URL of the app client "
            "(--logout-uri). cognito-oidc login --prompt login asks for the password again all the same."
        )
        return
    from cognito_oidc.cli.browsers import open_system_browser

    url = profile.client().logout_url(profile.logout_uri)
    opened = may_open and why_no_browser() is None and open_system_browser(url)
    note(
        "Your browser is sent to Cognito's logout:"
        if opened
        else "The browser is still signed in at Cognito. This address ends that, in the browser you signed in with:"
    )
    click.echo(f"\n  {url}\n", err=True)
    if profile.provider not in {None, "COGNITO"}:
        note(f"Cognito does not sign anybody out of {profile.provider}.")
