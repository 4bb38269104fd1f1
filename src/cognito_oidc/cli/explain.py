"""`cognito-oidc explain`: what is in this token, and what would be checked? Nothing is trusted and nothing is asked.

Decides what is shown of a token and in which words. Which check would fail is decided by the library's verifier.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal

import click

from cognito_oidc.cli.options import profile_options
from cognito_oidc.errors import KeysNotLoadedError, TokenVerificationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cognito_oidc import UserPool
    from cognito_oidc.cli.findings import Check
    from cognito_oidc.cli.profiles import Profile
    from cognito_oidc.cli.token_text import Peeked

    Output = Literal["text", "json"]

_WARNING: Final = "NOT VERIFIED: anybody can write a token that says this. `cognito-oidc verify` checks it."


@click.command()
@click.argument("token", required=False)
@profile_options
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to write it."
)
def explain(*, token: str | None, profile: Profile, output: Output) -> None:
    """Show what is in a token, without trusting it.

    TOKEN is @FILE, - for standard input, or the token itself, which other users of the machine can see then. Shows the
    header, the claims with their times in words, and what kind of token of Cognito's it is; with a pool also what would
    be checked, which check would fail first, and what to do about it. Asks nobody; never shows the token.

    \b
    Examples:
      cognito-oidc token | cognito-oidc explain
      cognito-oidc explain @token.txt --profile dev
      pbpaste | cognito-oidc explain -o json

    \b
    Exit codes:
      0  it was shown, whatever it is
      2  the command was used wrongly
      6  the profile or the file cannot be used
    """  # noqa: D301 - \b is click's, for lines that stay as they are
    import json

    from cognito_oidc.cli.token_report import fault_as_json
    from cognito_oidc.cli.token_text import peek, read_token

    text = read_token(token)
    seen, now = peek(text), time.time()
    pool = profile.user_pool() if profile.pool_id is not None else None
    error = None if pool is None or seen.kind == "refresh" else _first_failure(text, seen, pool, profile.client_id)
    checks = [] if pool is None or not seen.claims else _checks(seen, pool, profile.client_id, now)
    if output == "text":
        click.echo("\n".join(_told(seen, checks, error, now, has_pool=pool is not None)).rstrip())
        return
    shown = {
        "verified": False,
        "kind": seen.kind,
        "said": seen.said,
        "header": seen.header,
        "unverified_claims": seen.claims,
        "checks": [{"about": check.about, "outcome": check.outcome, "said": check.said} for check in checks],
        "would_fail": None if error is None else fault_as_json(error),
    }
    click.echo(json.dumps(shown, indent=2))


def _first_failure(text: str, seen: Peeked, pool: UserPool, client_id: str | None) -> TokenVerificationError | None:
    """Return what a verifier without keys refuses; it goes as far as the signature, and no further."""
    from cognito_oidc import TokenVerifier

    verifier = TokenVerifier(pool, client_ids=None if client_id is None else [client_id])
    try:
        if seen.kind == "id":
            verifier.verify_id_token_nowait(text, nonce=None)
        else:
            verifier.verify_access_token_nowait(text)
    except KeysNotLoadedError:
        return None
    except TokenVerificationError as error:
        return error
    return None


def _checks(seen: Peeked, pool: UserPool, client_id: str | None, now: float) -> list[Check]:
    """Return what would be compared; values of both sides where they differ."""
    from cognito_oidc.cli.findings import unknown
    from cognito_oidc.cli.token_text import in_words, moment_of

    claims, name = seen.claims, "aud" if seen.kind == "id" else "client_id"
    issuer, client, alg = (_shown(each) for each in (claims.get("iss"), claims.get(name), seen.header.get("alg")))
    issuers = " and ".join(pool.accepted_issuers)
    expires = moment_of(claims.get("exp"))
    told = "It has none that is a time." if expires is None else f"It expired {in_words(expires, now=now)}."
    good = told if expires is None else f"It expires {in_words(expires, now=now)}."
    return [
        _compared("form", alg == "RS256", "It is signed with RS256.", f"Its alg is {alg}, Cognito's RS256."),
        _compared(
            "issuer",
            claims.get("iss") in pool.accepted_issuers,
            "It is the pool's.",
            f"It is {issuer}; the pool's are {issuers}.",
        ),
        unknown("app client", f"It is {client}, and no client id was given to compare it with.")
        if client_id is None
        else _compared(
            "app client",
            claims.get(name) == client_id,
            "It is the profile's.",
            f"It is {client}; the profile's is {client_id}.",
        ),
        _compared("expiry", expires is not None and expires > now, good, told),
        unknown("signature", "The pool's keys tell, which verify fetches."),
    ]


def _compared(about: str, holds: bool, good: str, bad: str) -> Check:  # noqa: FBT001 - a row of a table
    from cognito_oidc.cli.findings import Check

    return Check(about=about, outcome="good" if holds else "wrong", said=good if holds else bad)


def _shown(value: object) -> str:
    from cognito_oidc.cli.token_text import printable

    return printable(value) if isinstance(value, str) else "missing" if value is None else "no text"


def _told(
    seen: Peeked, checks: list[Check], error: TokenVerificationError | None, now: float, *, has_pool: bool
) -> Iterator[str]:
    from cognito_oidc.cli.console import wrapped
    from cognito_oidc.cli.doctor_report import overview
    from cognito_oidc.cli.token_report import fault, values

    yield click.style(wrapped(_WARNING, ""), fg="yellow", bold=True)
    yield ""
    yield wrapped(f"It looks like {seen.said}.", "")
    yield ""
    yield from values("Header", seen.header, now=now)
    yield from values("Claims", seen.claims, now=now)
    if checks:
        yield click.style("What would be checked", bold=True)
        yield from overview(checks)
        yield ""
    if error is not None:
        yield click.style(f"It would be refused: {error.code}", fg="red", bold=True)
        yield from fault(error)
    elif checks:
        yield wrapped("Nothing but its signature, and what an API requires of it, stands in the way.", "")
    elif not has_pool:
        yield wrapped("With a pool (--profile, or --pool-id and --client-id) it says what would be refused, too.", "")
