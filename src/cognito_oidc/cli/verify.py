"""`cognito-oidc verify`: may this token be trusted?

Decides the command's options and how the verdict is written. The verdict is the library's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import click

from cognito_oidc.cli.exit_codes import ExitCode
from cognito_oidc.cli.options import profile_options
from cognito_oidc.errors import TokenVerificationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc import TokenClaims
    from cognito_oidc.cli.profiles import Profile
    from cognito_oidc.cli.token_text import Peeked

    Output = Literal["text", "json"]
    Wanted = Literal["access", "id"]


@click.command()
@click.argument("token", required=False)
@profile_options
@click.option("--access", "wanted", flag_value="access", help="It must be an access token.")
@click.option("--id", "wanted", flag_value="id", help="It must be an ID token.")
@click.option("--any-client", is_flag=True, help="Accept tokens of every app client of the pool.")
@click.option(
    "--require-scope", "required_scopes", metavar="SCOPE", multiple=True, help="It must have this; can be repeated."
)
@click.option("--require-group", "required_groups", metavar="GROUP", multiple=True, help="The same for groups.")
@click.option("--resource", metavar="URL", help="The resource server that it must be bound to.")
@click.option("--nonce", metavar="TEXT", help="The nonce of the login, for an ID token.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to write the verdict.",
)
@click.pass_context
def verify(
    ctx: click.Context,
    *,
    token: str | None,
    profile: Profile,
    wanted: Wanted | None,
    any_client: bool,
    required_scopes: tuple[str, ...],
    required_groups: tuple[str, ...],
    resource: str | None,
    nonce: str | None,
    output: Output,
) -> None:
    """Check whether a token may be trusted, and say why not.

    Checks signature, issuer, app client, times, and what else is required; the pool's keys are fetched. Says which
    check failed and what that comes from, and shows the claims with their times in words; never the token. TOKEN is
    @FILE, - for standard input, or the token itself, which other users of the machine can see then.

    Without --access or --id the token is taken for what it says it is, and standard error says so.

    \b
    Examples:
      cognito-oidc token | cognito-oidc verify
      cognito-oidc verify @token.txt --access --require-scope orders/read
      cognito-oidc verify - --pool-id eu-west-1_AbC123xyz --any-client
      cognito-oidc token --id | cognito-oidc verify --id -o json

    \b
    Exit codes:
      0  the token may be trusted
      1  it must not be: the first line says why
      2  the command was used wrongly
      5  the keys cannot be had, so nothing is known
      6  pool or app client are missing or wrong
    """  # noqa: D301 - \b is click's, for lines that stay as they are
    from cognito_oidc.cli.progress import Progress
    from cognito_oidc.cli.token_text import peek, read_token

    if wanted == "id" and (required_scopes or required_groups or resource):
        raise click.UsageError("--require-scope, --require-group and --resource are for access tokens.")
    if wanted == "access" and nonce is not None:
        raise click.UsageError("--nonce is for ID tokens.")
    text = read_token(token)
    seen = peek(text)
    kind = wanted or _guessed(seen, nonce)
    try:
        with Progress() as progress:
            progress.step("Fetching the pool's keys ...")
            claims = _verified(text, profile, kind, any_client, required_scopes, required_groups, resource, nonce)
    except TokenVerificationError as error:
        click.echo(_refusal(error, kind, seen, output))
        ctx.exit(ExitCode.FAILED)
    click.echo(_approval(claims, kind, seen, output))
    if kind == "id" and nonce is None:
        click.echo("The nonce was not compared: --nonce has the login's.", err=True)


def _guessed(seen: Peeked, nonce: str | None) -> Wanted:
    """Take the token for what it says it is, and say so."""
    kind: Wanted = "id" if seen.kind == "id" or (seen.kind == "other" and nonce is not None) else "access"
    if seen.kind == "refresh":
        return kind
    says = "so it says itself" if seen.kind == kind else "it does not say what it is"
    name = "an ID token" if kind == "id" else "an access token"
    click.echo(f"Checked as {name}: {says}. --{kind} makes it a condition.", err=True)
    return kind


def _verified(  # noqa: PLR0917 - the command's options
    text: str,
    profile: Profile,
    kind: Wanted,
    any_client: bool,  # noqa: FBT001 - the same
    required_scopes: tuple[str, ...],
    required_groups: tuple[str, ...],
    resource: str | None,
    nonce: str | None,
) -> TokenClaims:
    from cognito_oidc import SyncTokenVerifier

    client_ids = None if any_client else [profile.need("client_id")]
    verifier = SyncTokenVerifier(profile.user_pool(), client_ids=client_ids)
    if kind == "id":
        return verifier.verify_id_token(text, nonce=nonce)
    return verifier.verify_access_token(
        text, required_scopes=required_scopes, required_groups=required_groups, resource=resource
    )


def _approval(claims: TokenClaims, kind: Wanted, seen: Peeked, output: Output) -> str:
    if output == "json":
        return _as_json({"good": True, "kind": kind, "claims": dict(claims.raw)})
    from cognito_oidc.cli.token_report import values, verdict

    first = verdict("Good", seen.said, colour="green")
    return "\n".join([first, "", *values("Claims", claims.raw, now=time.time())]).rstrip()


def _refusal(error: TokenVerificationError, kind: Wanted, seen: Peeked, output: Output) -> str:
    from cognito_oidc.cli.token_report import fault, fault_as_json, values, verdict

    if output == "json":
        shown = {"good": False, "kind": kind, "error": fault_as_json(error), "unverified_claims": dict(seen.claims)}
        return _as_json(shown)
    first = verdict("Refused", f"{error.code}. It looks like {seen.said}", colour="red")
    claims = values("Claims, which nobody vouches for", seen.claims, now=time.time())
    return "\n".join([first, *fault(error), *claims]).rstrip()


def _as_json(shown: Mapping[str, object]) -> str:
    import json

    from cognito_oidc.cli.token_text import plain

    return json.dumps(shown, indent=2, default=plain)
