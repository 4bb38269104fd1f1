"""`cognito-oidc token`: a good token on standard output, in the form that the next program wants.

Decides the forms, and that a good token in the file store is taken by a short way, which loads neither an HTTP client
nor an event loop. Any other token comes from `current_tokens`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import click

from cognito_oidc.cli.console import MisconfiguredError
from cognito_oidc.cli.options import profile_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cognito_oidc.cli.profiles import Profile

Output = Literal["raw", "json", "env", "header", "curl", "exec-credential"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodToken:
    """A token to be given out.

    Attributes:
        value: The token.
        expires_at: When it ends to be good, epoch seconds UTC.
        is_id_token: Whether it is the ID token.
    """

    value: str
    expires_at: float
    is_id_token: bool

    @property
    def name(self) -> str:
        """What it is called in an answer of the token endpoint."""
        return "id_token" if self.is_id_token else "access_token"

    @property
    def variable(self) -> str:
        """The environment variable it is put into."""
        return f"COGNITO_{self.name.upper()}"


@click.command()
@profile_options
@click.option("--id", "id_token", is_flag=True, help="The ID token instead of the access token.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["raw", "json", "env", "header", "curl", "exec-credential"]),
    default="raw",
    show_default=True,
    help="In which form it is written.",
)
@click.option(
    "--min-ttl",
    type=click.FloatRange(0),
    default=0.0,
    metavar="SECONDS",
    help="How long it must still be good; it is renewed otherwise.",
)
def token(*, profile: Profile, id_token: bool, output: Output, min_ttl: float) -> None:
    """Write a good token to standard output.

    A person's token comes from the sign-in that `cognito-oidc login` keeps, and is renewed when it is about to expire.
    An app client with a secret and without callback URLs is a machine: its token is asked for with client credentials,
    and kept where --store says so. Nobody is ever asked anything.

    raw is the token alone; header and curl keep it out of the list of processes, where an argument would show it.

    \b
    Examples:
      TOKEN=$(cognito-oidc token)
      cognito-oidc token -o header | curl -H @- https://api.example.com/orders
      cognito-oidc token -o curl | curl -K - https://api.example.com/orders
      eval "$(cognito-oidc token -o env)"        sets COGNITO_ACCESS_TOKEN
      cognito-oidc token --id -o exec-credential for kubectl, in a kubeconfig
      cognito-oidc token --profile nightly-job --scope orders/read --min-ttl 600

    \b
    Exit codes:
      0  the token is on standard output
      2  the command was used wrongly
      3  nobody is signed in: cognito-oidc login
      4  the sign-in is over, or Cognito said no
      5  Cognito cannot be reached
      6  a setting is wrong, or the store of tokens cannot be used
    """  # noqa: D301 - \b is click's, for lines that stay as they are
    click.echo(_FORMS[output](good_token(profile, id_token=id_token, min_ttl=min_ttl)))


def good_token(profile: Profile, *, id_token: bool, min_ttl: float) -> GoodToken:
    """Return a token that is good now, by the shortest way.

    Raises:
        CommandError: Nobody is signed in, the sign-in is over, or a setting is missing.
        CognitoOidcError: It cannot be had.
    """
    if id_token and profile.is_machine:
        raise MisconfiguredError("a machine has no ID token: client credentials give an access token alone")
    if profile.store == "file":
        cached = _cached(profile, id_token=id_token, min_ttl=min_ttl)
        if cached is not None:
            return cached
    import asyncio

    from cognito_oidc.cli.current_tokens import current_tokens

    tokens = asyncio.run(current_tokens(profile, min_ttl=min_ttl, id_token=id_token))
    if id_token and tokens.id_token is not None and tokens.claims is not None:
        return GoodToken(value=tokens.id_token, expires_at=tokens.claims.exp, is_id_token=True)
    return GoodToken(value=tokens.access_token, expires_at=tokens.expires_at, is_id_token=False)


def _cached(profile: Profile, *, id_token: bool, min_ttl: float) -> GoodToken | None:
    """Return a token of the file store that needs nothing done to it; None leaves everything else to the long way.

    Raises:
        CommandError: Nobody is signed in, which needs no library to be said.
        StoreError: The folder cannot be used.
    """
    from cognito_oidc.cli.sessions import login_needed, session_key, store_folder
    from cognito_oidc.integrations.stores._folder import read_text
    from cognito_oidc.protocol.peeked_token import peek_stored_token
    from cognito_oidc.protocol.token_freshness import Freshness, freshness

    text = read_text(str(store_folder().absolute()), session_key(profile))
    if text is None:
        if profile.is_machine:
            return None
        raise login_needed(profile, was_signed_in=False)
    peeked = peek_stored_token(text)
    if peeked is None or (peeked.pool_id, peeked.client_id) != (profile.pool_id, profile.client_id):
        return None
    value, expires_at = peeked.access_token, peeked.expires_at
    if id_token:
        if peeked.id_token is None or peeked.id_token_expires_at is None:
            return None
        value, expires_at = peeked.id_token, peeked.id_token_expires_at
    renewable = peeked.renewable or profile.is_machine
    record = peeked._replace(expires_at=expires_at)
    if freshness(record, now=time.time(), min_ttl=min_ttl, renewable=renewable) is not Freshness.FRESH:
        return None
    return GoodToken(value=value, expires_at=expires_at, is_id_token=id_token)


def _timestamp(seconds: float) -> str:
    """Return the second that an RFC 3339 timestamp says, rounded down: sooner is safe."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(seconds)))


def _json(good: GoodToken) -> str:
    import json

    answer: dict[str, object] = {good.name: good.value}
    if not good.is_id_token:
        answer["token_type"] = "Bearer"
    answer["expires_in"] = max(0, int(good.expires_at - time.time()))
    answer["expires_at"] = _timestamp(good.expires_at)
    return json.dumps(answer, indent=2)


def _env(good: GoodToken) -> str:
    import shlex

    return f"{good.variable}={shlex.quote(good.value)}"


def _exec_credential(good: GoodToken) -> str:
    """Source: Kubernetes, "Client Authentication (v1)", ExecCredential."""
    import json

    status = {"expirationTimestamp": _timestamp(good.expires_at), "token": good.value}
    return json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status})


_FORMS: Final[Mapping[Output, Callable[[GoodToken], str]]] = {
    "raw": lambda good: good.value,
    "json": _json,
    "env": _env,
    "header": lambda good: f"Authorization: Bearer {good.value}",
    "curl": lambda good: f'header = "Authorization: Bearer {good.value}"',
    "exec-credential": _exec_credential,
}
