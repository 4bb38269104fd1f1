"""`cognito-oidc federation`: one user pool signs its people in through another.

Decides the command's options, and how plan, check and changes are told. What both pools must be told is the library's
`Federation`, and what stands in the way its `check_federation`.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final, Literal

import click

from cognito_oidc.cli.console import CommandError, wrapped
from cognito_oidc.cli.exit_codes import ExitCode
from cognito_oidc.cli.options import complete_profile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cognito_oidc import Federation, FederationProblem
    from cognito_oidc.cli.federation_steps import Step
    from cognito_oidc.cli.profiles import Profile

    Output = Literal["text", "json", "upstream-client", "provider"]

_SCOPES: Final = ("openid", "email", "profile")
_MAPPING: Final = ("email=email",)


@click.command()
@click.argument("upstream", metavar="UPSTREAM", shell_complete=complete_profile)
@click.argument("downstream", metavar="DOWNSTREAM", shell_complete=complete_profile)
@click.option("--provider-name", metavar="NAME", help="What UPSTREAM is called in DOWNSTREAM. [default: its provider]")
@click.option(
    "--upstream-client-id", metavar="ID", help="The app client that DOWNSTREAM is at UPSTREAM. [default: none yet]"
)
@click.option("--upstream-secret-from", metavar="SOURCE", help="Where its secret is, as in a profile.")
@click.option(
    "--scope",
    "scopes",
    metavar="SCOPE",
    multiple=True,
    default=_SCOPES,
    show_default=" ".join(_SCOPES),
    help="What DOWNSTREAM asks UPSTREAM for; can be repeated.",
)
@click.option(
    "--map",
    "mapping",
    metavar="ATTRIBUTE=CLAIM",
    multiple=True,
    default=_MAPPING,
    show_default=" ".join(_MAPPING),
    help="An attribute of DOWNSTREAM from a claim of UPSTREAM; can be repeated.",
)
@click.option("--check", is_flag=True, help="Ask both pools whether it holds.")
@click.option("--apply", "applies", is_flag=True, help="Create at AWS what is missing, after asking.")
@click.option("--change", is_flag=True, help="With --apply: also change what is there and set otherwise.")
@click.option("--yes", is_flag=True, help="With --apply: do not ask.")
@click.option("--show-secret", is_flag=True, help="Write the client secret into the plan.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "upstream-client", "provider"]),
    default="text",
    show_default=True,
    help="Both documents for people, or as JSON; or one of them, as the AWS command line takes it.",
)
@click.pass_context
def federation(
    ctx: click.Context,
    *,
    upstream: str,
    downstream: str,
    provider_name: str | None,
    upstream_client_id: str | None,
    upstream_secret_from: str | None,
    scopes: tuple[str, ...],
    mapping: tuple[str, ...],
    check: bool,
    applies: bool,
    change: bool,
    yes: bool,
    show_secret: bool,
    output: Output,
) -> None:
    """Connect two user pools: plan, check, create.

    DOWNSTREAM signs people in through UPSTREAM. Both are profiles of the file; the pools need their domains, and
    DOWNSTREAM's app client is the application that offers the provider. Variables do not count here: they would be
    about both.

    Without --check and --apply it writes the plan and asks nobody. --check logs nobody in. --apply creates what is
    missing and says what is set otherwise; another run goes on where one ended, and finds nothing to do in the end.

    \b
    Examples:
      cognito-oidc federation corp shop --provider-name Corp
      cognito-oidc federation corp shop -o upstream-client > client.json
      aws cognito-idp create-user-pool-client --cli-input-json \\
          file://client.json
      cognito-oidc federation corp shop --apply --check

    --apply needs the extra aws and permissions to describe, list, create and update app clients and identity providers.
    The upstream app client gets the name federation- and DOWNSTREAM's pool id, by which another run finds it.

    \b
    Exit codes:
      0  the plan was written, holds, or was carried out
      1  something stands in the way, or is set otherwise
      2  the command was used wrongly, or nobody could be asked
      4  AWS refused, or the person did
      5  the network failed
      6  a profile is wrong, or something is not installed
    """  # noqa: D301 - \b is click's, for lines that stay as they are
    from cognito_oidc.cli.profiles import named_profile

    if (change or yes) and not applies:
        raise click.UsageError("--change and --yes belong to --apply.")
    both = named_profile(upstream), named_profile(downstream)
    plan = _plan(*both, provider_name, upstream_client_id, upstream_secret_from, scopes, mapping)
    if not (check or applies):
        _write_plan(plan, output, show_secret=show_secret)
        return
    good = True
    if applies:
        plan, good = _apply(plan, both[1].client_id, change=change, yes=yes)
    if check:
        good = _check(plan, both[1]) and good
    ctx.exit(ExitCode.OK if good else ExitCode.FAILED)


def _plan(  # noqa: PLR0917 - the command's options
    upstream: Profile,
    downstream: Profile,
    provider_name: str | None,
    client_id: str | None,
    secret_from: str | None,
    scopes: tuple[str, ...],
    mapping: tuple[str, ...],
) -> Federation:
    from cognito_oidc import Federation
    from cognito_oidc.cli.secret_source import SecretSource

    name = provider_name or downstream.provider
    if name is None:
        raise click.UsageError("--provider-name is missing: what is UPSTREAM called in DOWNSTREAM?")
    pairs = [pair.partition("=") for pair in mapping]
    if any(not (attribute and joint and claim) for attribute, joint, claim in pairs):
        raise click.UsageError("--map: expected ATTRIBUTE=CLAIM, such as email=email.")
    for profile in (upstream, downstream):
        profile.need("domain")
    secret = SecretSource(secret_from, what="--upstream-secret-from").read() if secret_from is not None else ""
    return Federation(
        upstream=upstream.user_pool(),
        downstream=downstream.user_pool(),
        provider_name=name,
        upstream_client_id=client_id or "",
        upstream_client_secret=secret,
        scopes=scopes,
        attribute_mapping={attribute: claim for attribute, _, claim in pairs},
    )


def _write_plan(plan: Federation, output: Output, *, show_secret: bool) -> None:
    """Write what both pools must be told, as arguments for the AWS command line."""
    from dataclasses import replace

    from cognito_oidc.cli.federation_steps import LATER, without_secrets

    known = replace(
        plan,
        upstream_client_id=plan.upstream_client_id or LATER,
        upstream_client_secret=plan.upstream_client_secret or LATER,
    )
    client, provider = plan.upstream_app_client(), known.identity_provider()
    if not show_secret and plan.upstream_client_secret:
        provider = without_secrets(provider)
    if output == "upstream-client":
        click.echo(json.dumps(client, indent=2))
    elif output == "provider":
        click.echo(json.dumps(provider, indent=2))
    elif output == "json":
        click.echo(json.dumps({"upstream_client": client, "identity_provider": provider}, indent=2))
    else:
        click.echo(_for_people(plan, client, provider))
    if LATER in json.dumps(provider) and output != "upstream-client":
        note = f"{LATER!r} stands for the id and the secret that AWS gives the upstream app client."
        click.echo(note, err=True)


def _for_people(plan: Federation, client: Mapping[str, object], provider: Mapping[str, object]) -> str:
    up, down = plan.upstream, plan.downstream
    title = f"{down.pool_id} signs people in through {up.pool_id}, which it calls {plan.provider_name}."
    steps = (
        (f"1. At {up.pool_id}: the app client that the other pool is", "create-user-pool-client", up.region, client),
        (f"2. At {down.pool_id}: the provider", "create-identity-provider", down.region, provider),
    )
    lines = [click.style(wrapped(title, ""), bold=True), ""]
    for said, command, region, document in steps:
        lines += [
            click.style(said, bold=True),
            f"   aws cognito-idp {command} --region {region} --cli-input-json file://...",
            *(f"   {line}" for line in json.dumps(document, indent=2).splitlines()),
            "",
        ]
    last = f"3. Add {plan.provider_name} to SupportedIdentityProviders of each app client that may use it."
    return "\n".join([*lines, click.style(wrapped(last, ""), bold=True)])


def _apply(plan: Federation, client_id: str | None, *, change: bool, yes: bool) -> tuple[Federation, bool]:
    """Do what is missing, after asking; return the plan as it is then, and whether nothing is left."""
    from cognito_oidc.cli.federation_apply import Apply
    from cognito_oidc.cli.progress import Progress

    with Progress() as progress:
        progress.step("Reading both pools ...")
        apply = Apply(plan, downstream_client_id=client_id)
        steps = apply.steps()
    wanted = [step for step in steps if change or not step.changes]
    if wanted and not yes:
        _ask(wanted)
    left = apply.do(change=change, tell=lambda step: click.echo(wrapped(f"Done: {step.said}", "")))
    for step in left:
        click.echo(wrapped(f"Left: {step.said} (--change does it)", ""))
    if not steps:
        click.echo("Nothing to do: both pools are set as planned.")
    return apply.plan, not left


def _ask(steps: Sequence[Step]) -> None:
    """Ask whether the steps may be done.

    Raises:
        UsageError: Nobody can be asked.
        Abort: The person said no.
    """
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here: --yes does it without.")
    click.echo("To do:", err=True)
    for step in steps:
        click.echo(wrapped(step.said, "    ", first="  - "), err=True)
    if not click.confirm("Do it?", err=True):
        raise CommandError("nothing was changed", ExitCode.DENIED)


def _check(plan: Federation, downstream: Profile) -> bool:
    """Say what stands in the way, and return whether nothing does."""
    import asyncio

    from cognito_oidc import check_federation
    from cognito_oidc.cli.progress import Progress

    redirect_uri = next(iter(downstream.redirect_uris), None)
    client_id = downstream.client_id if redirect_uri is not None else None
    with Progress() as progress:
        progress.step("Asking both pools ...")
        problems = asyncio.run(check_federation(plan, downstream_client_id=client_id, redirect_uri=redirect_uri))
    for number, problem in enumerate(problems, start=1):
        click.echo("\n".join(_problem(number, problem)))
    if not plan.upstream_client_id:
        click.echo("The login of the upstream pool was not asked: there is no app client yet.", err=True)
    if not problems:
        click.echo("Nothing stands in the way.")
    return not problems


def _problem(number: int, problem: FederationProblem) -> tuple[str, ...]:
    title = f"{number}. {problem.side} pool: {problem.code}"
    return (
        click.style(title, fg="red", bold=True),
        wrapped(problem.found, "   "),
        wrapped(problem.cause, "   "),
        click.style("   What to change", bold=True),
        wrapped(problem.cure, "      "),
        "",
    )
