"""`cognito-oidc urls`: every address of a user pool, computed from its id and its domain. Nobody is asked.

Decides how the addresses are named and laid out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import click

from cognito_oidc.cli.options import profile_options

if TYPE_CHECKING:
    from cognito_oidc import UserPool
    from cognito_oidc.cli.profiles import Profile

    Output = Literal["text", "json", "env"]

_OF_THE_POOL: Final = ("issuer", "discovery_url", "jwks_uri")
_OF_THE_DOMAIN: Final = (
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "revocation_endpoint",
    "end_session_endpoint",
    "idp_response_endpoint",
)


@click.command()
@profile_options
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "env"]),
    default="text",
    show_default=True,
    help="How to write them.",
)
def urls(*, profile: Profile, output: Output) -> None:
    """Write every address of a user pool.

    They are computed from the pool's id, its Region and its domain; nobody is asked. Without a domain there are issuer,
    discovery and keys alone.

    \b
    Examples:
      cognito-oidc urls --pool-id eu-west-1_AbC123xyz --domain acme
      cognito-oidc urls --profile dev -o json | jq -r .jwks_uri
      eval "$(cognito-oidc urls --profile dev -o env)"

    \b
    Exit codes:
      0  they were written
      2  the command was used wrongly
      6  pool id or domain are missing or wrong
    """  # noqa: D301 - \b is click's, for lines that stay as they are
    import json
    import shlex

    pool = profile.user_pool()
    addresses = _addresses(pool)
    if output == "json":
        both = {"accepted_issuers": list(pool.accepted_issuers)}
        none = dict.fromkeys(_OF_THE_DOMAIN)
        click.echo(json.dumps({"pool_id": pool.pool_id, "region": pool.region, **none, **addresses, **both}, indent=2))
        return
    if output == "env":
        click.echo("\n".join(f"COGNITO_{name.upper()}={shlex.quote(url)}" for name, url in addresses.items()))
        return
    width = max(map(len, addresses))
    click.echo("\n".join(f"{name:{width}}  {url}" for name, url in addresses.items()))
    if pool.domain is None:
        click.echo("Without a domain there is no login, no token endpoint and no logout: pass --domain.", err=True)


def _addresses(pool: UserPool) -> dict[str, str]:
    names = _OF_THE_POOL if pool.domain is None else (*_OF_THE_POOL, *_OF_THE_DOMAIN)
    return {name: getattr(pool, name) for name in names}
