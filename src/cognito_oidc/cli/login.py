"""`cognito-oidc login`: a person signs in, and the tokens are kept for the commands after it.

Decides the way there: the system's browser, which comes back to a listener on this machine, or an address to open
anywhere and one to paste back. What is sent and what is accepted is decided by the library.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import urlsplit

import click

from cognito_oidc.cli.console import CommandError, MisconfiguredError, note
from cognito_oidc.cli.exit_codes import ExitCode
from cognito_oidc.cli.options import no_input, profile_options
from cognito_oidc.cli.surroundings import has_terminal, is_ci, why_no_browser
from cognito_oidc.errors import AuthorizationDeniedError, CallbackError

if TYPE_CHECKING:
    from cognito_oidc import AuthorizationRequest, CognitoClient, TokenSet
    from cognito_oidc.cli.profiles import Profile

Prompt = Literal["login", "select_account"]

_PATIENCE: Final = 300  # seconds; Cognito's own login pages give up after five minutes too
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_ATTEMPTS: Final = 3


class _Wishes(NamedTuple):
    """What the person said about this login."""

    timeout: int
    prompt: Prompt | None
    username: str | None


@click.command()
@profile_options
@no_input
@click.option(
    "--browser/--no-browser",
    default=None,
    help="Open the system's browser; or print the address, and take the one that the browser ends at. [default: what "
    "works here]",
)
@click.option(
    "--timeout",
    type=click.IntRange(1, 3600),
    default=_PATIENCE,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the person.",
)
@click.option(
    "--prompt",
    type=click.Choice(["login", "select_account"]),
    help="Ask for the password again, or for the account, also where the browser is still signed in.",
)
@click.option("--username", metavar="NAME", help="User name or e-mail address to fill in.")
def login(
    *,
    profile: Profile,
    no_input: bool,
    browser: bool | None,
    timeout: int,
    prompt: Prompt | None,
    username: str | None,
) -> None:
    """Sign a person in, and keep the tokens.

    Opens the system's browser, which comes back to the first of the app client's callback URLs on this machine whose
    port is free. Over SSH, in WSL and in containers, or with --no-browser, it prints the address instead: open it
    anywhere, sign in, and paste the whole address that the browser ends at, even if that page cannot be loaded.

    The tokens are kept in the system's keyring, or with --store file in a file of this user. `cognito-oidc token`
    gives them out and renews them.

    \b
    Examples:
      cognito-oidc login
      cognito-oidc login --profile dev --provider Corp
      cognito-oidc login --no-browser          on a machine without a browser
      TOKEN=$(cognito-oidc token)              what comes next

    \b
    Exit codes:
      0  somebody is signed in
      2  the command was used wrongly
      3  a person is needed: there is no terminal, or nobody signed in in time
      4  the person or Cognito said no
      5  Cognito cannot be reached
      6  a setting is wrong, or the tokens cannot be kept
    """  # noqa: D301 - \b is click's, for lines that stay as they are
    if profile.is_machine:
        raise MisconfiguredError(
            "this is a machine's app client: it has a secret and no redirect_uris. It needs no login: "
            f"cognito-oidc token{profile.option}"
        )
    if not profile.redirect_uris:
        profile.need("redirect_uris")
    wishes = _Wishes(timeout, prompt, username)
    import asyncio

    if _opens_browser(profile, browser, may_ask=not no_input):
        asyncio.run(_by_browser(profile, wishes))
    else:
        _by_pasting(profile, wishes)


def _opens_browser(profile: Profile, wanted: bool | None, *, may_ask: bool) -> bool:  # noqa: FBT001 - three ways
    """Tell whether the system's browser is opened; otherwise an address is pasted.

    Raises:
        CommandError: Neither can be done here.
    """
    if not may_ask:
        raise CommandError("a person has to sign in, and --no-input says not to ask one", ExitCode.LOGIN_NEEDED)
    if wanted:
        return True
    reason = why_no_browser()
    if is_ci() or not has_terminal():
        if reason is None and wanted is None and _on_this_machine(profile):
            return True
        where = reason or "no terminal"
        raise CommandError(
            f"a person has to sign in, and nobody can be asked here ({where}). Run cognito-oidc login"
            f"{profile.option} in a terminal; a job needs an app client of its own, with a secret.",
            ExitCode.LOGIN_NEEDED,
        )
    if wanted is None and not _on_this_machine(profile):
        note("None of the app client's callback URLs is on this machine, so that no browser is opened here.")
        return False
    if wanted is None and reason is not None:
        note(f"This is {reason}: no browser is opened here (--browser opens one all the same).")
    return wanted is None and reason is None


def _on_this_machine(profile: Profile) -> tuple[str, ...]:
    """Return the callback URLs that a listener here can be.

    Raises:
        MisconfiguredError: One of them is no URL.
    """
    found = []
    for uri in profile.redirect_uris:
        try:
            parts = urlsplit(uri)
            usable = parts.scheme == "http" and parts.hostname in _LOOPBACK and parts.port != 0
        except ValueError:
            raise MisconfiguredError(f"redirect_uris: {uri!r} is no URL") from None
        if usable:
            found.append(uri)
    return tuple(found)


async def _by_browser(profile: Profile, wishes: _Wishes) -> None:
    import asyncio

    from cognito_oidc.cli.browsers import open_system_browser
    from cognito_oidc.cli.loopback import LoopbackListener
    from cognito_oidc.cli.loopback_page import Page
    from cognito_oidc.cli.sessions import kept_session, open_client

    uris = {_origin(uri): uri for uri in reversed(_on_this_machine(profile))}
    if not uris:
        raise MisconfiguredError(
            "a browser cannot come back to this machine: none of redirect_uris is on localhost. Use --no-browser."
        )
    origins = tuple(reversed(uris))
    async with open_client(profile) as client:
        await kept_session(profile)  # a store that cannot be used is found before the person signs in for nothing
        async with LoopbackListener(origins) as listener:
            uri = uris[listener.origin]
            request = _request(client, profile, wishes, uri)
            arrival = listener.expect(urlsplit(uri).path or "/", state=request.state)
            if open_system_browser(request.url):
                note("Your browser opens this address. If it does not, open it yourself:")
            else:
                note("Open this address in a browser on this machine:")
            click.echo(f"\n  {request.url}\n", err=True)
            try:
                async with asyncio.timeout(wishes.timeout):
                    callback = await arrival
            except TimeoutError:
                raise _nobody(wishes) from None
            tokens = await _exchange(client, profile, callback, request)
            listener.conclude(
                Page(heading=f"Signed in as {_name(tokens)}", text="The terminal goes on. You can close this page.")
            )
    _say_so(profile, tokens)


def _by_pasting(profile: Profile, wishes: _Wishes) -> None:
    """Print the address and take what comes of it; no event loop runs meanwhile, which would swallow Ctrl-C."""
    import asyncio

    from cognito_oidc.cli.sessions import kept_session

    until = time.monotonic() + wishes.timeout
    asyncio.run(kept_session(profile))  # as above
    request = _request(profile.client(), profile, wishes, profile.redirect_uris[0])
    note("Open this address in any browser, and sign in:")
    click.echo(f"\n  {request.url}\n", err=True)
    note(
        f"The browser ends at an address that begins with {request.redirect_uri}, even if that page cannot be reached. "
        "Copy the whole address and paste it here."
    )
    _say_so(profile, _pasted(profile, request, until))


def _pasted(profile: Profile, request: AuthorizationRequest, until: float) -> TokenSet:
    """Return the tokens for what is pasted; an address of another attempt, or half of one, may be corrected."""
    import asyncio

    from cognito_oidc.cli.pasting import read_pasted_line

    attempts = _ATTEMPTS
    while True:
        callback = read_pasted_line("> ", until=until)
        attempts -= 1
        try:
            return asyncio.run(_exchange_alone(profile, callback, request))
        except AuthorizationDeniedError:
            raise
        except CallbackError as error:  # before anything was sent
            if attempts == 0:
                raise
            note(f"{error}")
            note("Paste the address once more:")


async def _exchange_alone(profile: Profile, callback: str, request: AuthorizationRequest) -> TokenSet:
    from cognito_oidc.cli.sessions import open_client

    async with open_client(profile) as client:
        return await _exchange(client, profile, callback, request)


def _request(client: CognitoClient, profile: Profile, wishes: _Wishes, redirect_uri: str) -> AuthorizationRequest:
    return client.authorization_request(
        identity_provider=profile.provider,
        prompt=wishes.prompt,
        login_hint=wishes.username,
        redirect_uri=redirect_uri,
    )


async def _exchange(client: CognitoClient, profile: Profile, callback: str, request: AuthorizationRequest) -> TokenSet:
    """Return the tokens, which are kept already."""
    from cognito_oidc.cli.progress import Progress
    from cognito_oidc.cli.sessions import token_source

    with Progress() as progress:
        progress.step("Exchanging the code for tokens ...")
        tokens = await client.exchange_code(callback, request)
        await token_source(client, profile).replace(tokens)
    return tokens


def _nobody(wishes: _Wishes) -> CommandError:
    return CommandError(f"nobody signed in within {wishes.timeout} seconds", ExitCode.LOGIN_NEEDED)


def _origin(uri: str) -> str:
    return "{0.scheme}://{0.netloc}".format(urlsplit(uri))


def _name(tokens: TokenSet) -> str:
    claims = tokens.claims
    return "somebody without an ID token" if claims is None else claims.email or claims.username or claims.sub


def _say_so(profile: Profile, tokens: TokenSet) -> None:
    minutes = max(0, round((tokens.expires_at - time.time()) / 60))
    renewed = " and renewed when needed" if tokens.refresh_token else ""
    note(
        f"Signed in as {_name(tokens)}. The access token is good for {minutes} minutes{renewed}: "
        f"cognito-oidc token{profile.option}"
    )
