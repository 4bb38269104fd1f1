"""The options that commands share: which profile is meant, and what replaces its settings."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import click

from cognito_oidc.cli.console import CommandError
from cognito_oidc.cli.profile_file import ProfileFile, profiles_path
from cognito_oidc.cli.profiles import load_profile
from cognito_oidc.cli.secret_source import HOW_TO_WRITE

if TYPE_CHECKING:
    from collections.abc import Callable

_FLAGS: Final = (
    click.option("--pool-id", metavar="ID", help="The user pool, such as eu-west-1_AbC123xyz."),
    click.option("--region", metavar="REGION", help="Its Region; the id says it too."),
    click.option("--domain", metavar="DOMAIN", help="Its domain: a prefix, a host name or a URL."),
    click.option("--endpoint-url", metavar="URL", help="A local server in place of AWS, such as the emulator."),
    click.option("--client-id", metavar="ID", help="The app client."),
    click.option(
        "--client-secret-from",
        metavar="SOURCE",
        help=f"Where its secret is: {HOW_TO_WRITE}. The secret itself is never an option.",
    ),
    click.option(
        "--redirect-uri",
        "redirect_uris",
        metavar="URL",
        multiple=True,
        help="A callback URL of the app client; several are tried in this order.",
    ),
    click.option("--scope", "scopes", metavar="SCOPE", multiple=True, help="A scope to ask for; can be repeated."),
    click.option("--provider", metavar="NAME", help="The provider that people sign in with."),
    click.option("--logout-uri", metavar="URL", help="A sign-out URL of the app client."),
    click.option("--identity-pool-id", metavar="ID", help="The identity pool, for AWS credentials."),
    click.option(
        "--store",
        type=click.Choice(["keyring", "file"]),
        help="Where tokens are kept. [default: keyring for people, nowhere for machines]",
    ),
)
_NAMES: Final = (
    "pool_id",
    "region",
    "domain",
    "endpoint_url",
    "client_id",
    "client_secret_from",
    "redirect_uris",
    "scopes",
    "provider",
    "logout_uri",
    "identity_pool_id",
    "store",
)


def profile_options(command: Callable[..., object]) -> Callable[..., object]:
    """Give a command `--profile` and the settings that can replace the profile's; it is called with `profile=`.

    Raises:
        CommandError: When the command runs, and the profile cannot be used.
    """

    @wraps(command)
    def with_profile(*, profile: str | None, **arguments: Any) -> object:  # noqa: ANN401 - the command's own
        flags = {name: arguments.pop(name) for name in _NAMES}
        return command(profile=load_profile(profile, flags), **arguments)

    decorated: Callable[..., object] = with_profile
    for option in reversed(_FLAGS):
        decorated = option(decorated)
    return click.option(
        "--profile",
        metavar="NAME",
        shell_complete=complete_profile,
        help="A profile of the file. [default: COGNITO_PROFILE, or the file's own]",
    )(decorated)


def complete_profile(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of profiles that begin so, for the shell; none where there is no file that can be read."""
    try:
        names = ProfileFile.read(profiles_path()).profiles
    except CommandError:
        return []
    return sorted(name for name in names if name.startswith(incomplete))


def no_input(command: Callable[..., object]) -> Callable[..., object]:
    """Give a command `--no-input`, for what would open a browser, ask for a paste or for a confirmation."""
    return click.option("--no-input", is_flag=True, help="Never ask a person anything: end with an exit code instead.")(
        command
    )
