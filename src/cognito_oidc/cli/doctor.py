"""`cognito-oidc doctor`: why does the login not work?

Decides the command's options, what is handed to the judges, and how it ends.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import click

from cognito_oidc.cli.console import CommandError, MisconfiguredError
from cognito_oidc.cli.exit_codes import ExitCode
from cognito_oidc.cli.options import profile_options
from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cognito_oidc.cli.doctor_profile import Subject
    from cognito_oidc.cli.findings import Check
    from cognito_oidc.cli.profiles import Profile

    Output = Literal["text", "json"]


@click.command()
@profile_options
@click.option(
    "--login-url",
    metavar="URL",
    help="The address your application sends the browser to, from its address bar: is anything missing in it?",
)
@click.option("--aws", is_flag=True, help="Also read the app client's settings with your AWS credentials.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to write what was found.",
)
@click.pass_context
def doctor(ctx: click.Context, *, profile: Profile, login_url: str | None, aws: bool, output: Output) -> None:
    """Find out why a login does not work.

    Looks at the profile, then at what the user pool answers: discovery, keys, domain, certificate and clock, whether
    its login takes the callback URLs, the scopes and the provider, and its token endpoint the secret. Each finding says
    what is wrong, why Cognito says so little about it, and what to change where.

    Nobody is signed in, no token is issued and nothing is changed. What the answers do not show is said to be unknown.

    \b
    Examples:
      cognito-oidc doctor --profile dev
      cognito-oidc doctor --pool-id eu-west-1_AbC123xyz --domain acme \\
          --client-id 1example23456789 \\
          --redirect-uri http://localhost:8000/callback
      cognito-oidc doctor --profile dev --aws      the app client's settings,
                                                   character by character
      cognito-oidc doctor --profile dev --login-url 'https://acme.auth...'
                                                   an application that does not
                                                   use this library

    --aws needs the extra aws and permissions to read: cognito-idp:DescribeUserPool, DescribeUserPoolClient,
    ListIdentityProviders, DescribeIdentityProvider, DescribeUserPoolDomain, DescribeManagedLoginBrandingByClient. The
    client secret is compared and never shown.

    \b
    Exit codes:
      0  nothing is wrong, as far as can be told
      1  something is: see the findings
      2  the command was used wrongly
      5  nothing answered
      6  there is no pool or app client to look at, or something is not
         installed
    """  # noqa: D301 - \b is click's, for lines that stay as they are
    import asyncio

    from cognito_oidc.cli.doctor_visit import visit
    from cognito_oidc.cli.progress import Progress

    if aws and find_spec("boto3") is None:
        raise MisconfiguredError("--aws needs boto3: pip install 'cognito-oidc[cli,aws]'")
    try:
        subject, checks = _subject(profile)
    except ConfigurationError as error:
        _write(profile, [_unusable(profile, error)], output, hint="")
        ctx.exit(ExitCode.FAILED)
    with Progress() as progress:
        seen, anything = asyncio.run(visit(subject, login_url=login_url, say=progress.step))
        checks += seen
        if aws:
            progress.step("Reading the app client's settings ...")
            checks = _instead(checks, _compared(subject))
    hint = "" if aws else "With --aws, and AWS credentials, the app client's real settings are compared as well."
    _write(profile, checks, output, hint=hint)
    if any(check.finding is not None for check in checks):
        ctx.exit(ExitCode.FAILED)
    if not anything:
        question = f"is this machine on the network, and {subject.pool.region} a Region of AWS?"
        if subject.pool.endpoint_url is not None:
            question = f"does a server listen on {subject.pool.endpoint_url}?"
        raise CommandError(f"nothing answered: {question}", ExitCode.NETWORK)


def _compared(subject: Subject) -> list[Check]:
    """Return what AWS's API shows, against the profile; where AWS says no, that cannot be told."""
    from cognito_oidc.cli.aws_settings import read_settings
    from cognito_oidc.cli.doctor_app_client import judge_app_client
    from cognito_oidc.cli.findings import unknown

    try:
        settings = read_settings(subject)
    except CommandError as error:
        return [unknown("AWS settings", f"{error.message.rstrip('.')}.")]
    return judge_app_client(subject, settings)


def _instead(seen: Sequence[Check], compared: Sequence[Check]) -> list[Check]:
    """Return both, without what was seen from outside where AWS's API shows the same fault in detail."""
    detailed = {(check.about, check.finding.code) for check in compared if check.finding is not None}
    return [
        *(each for each in seen if each.finding is None or (each.about, each.finding.code) not in detailed),
        *compared,
    ]


def _subject(profile: Profile) -> tuple[Subject, list[Check]]:
    """Return what is looked at, and what went wrong when its secret was read.

    Raises:
        ConfigurationError: Its addresses cannot be computed.
    """
    from cognito_oidc.cli.doctor_profile import Subject

    secret, checks = _secret(profile)
    return (
        Subject(
            profile=profile.name,
            pool=profile.user_pool(),
            client_id=profile.need("client_id"),
            client_secret=secret,
            secret_unread=bool(checks),
            machine=profile.is_machine,
            redirect_uris=profile.redirect_uris,
            scopes=profile.scopes or (() if profile.is_machine else ("openid",)),
            provider=profile.provider,
            logout_uri=profile.logout_uri,
        ),
        checks,
    )


def _secret(profile: Profile) -> tuple[str | None, list[Check]]:
    from cognito_oidc.cli.findings import wrong

    if profile.secret is None:
        return None, []
    try:
        return profile.secret.read(), []
    except CommandError as error:
        check = wrong(
            "client secret",
            code="secret_unreadable",
            found=f"The client secret cannot be read: {error.message}.",
            silence="Cognito was not asked.",
            cure=f"Look at where client_secret_from of {_place(profile)} leads.",
            topic="InvalidClientError: invalid_client",
        )
        return None, [check]


def _unusable(profile: Profile, error: ConfigurationError) -> Check:
    from cognito_oidc.cli.findings import wrong

    return wrong(
        "profile",
        code="profile",
        found=str(error),
        silence="No address can be computed from it, so nobody was asked.",
        cure=f"Correct it in {_place(profile)}: the console shows User pool ID, Region and domain.",
        topic="Discovery is not found",
    )


def _place(profile: Profile) -> str:
    return f"profile {profile.name!r}" if profile.name else "the environment"


def _write(profile: Profile, checks: Sequence[Check], output: Output, *, hint: str) -> None:
    import json

    from cognito_oidc.cli.doctor_report import report
    from cognito_oidc.cli.findings import as_json

    if output == "json":
        click.echo(json.dumps(as_json(checks), indent=2))
        return
    title = f"App client {profile.client_id} of user pool {profile.pool_id}, as {_place(profile)} has it"
    click.echo(report(title, checks, hint=hint))
