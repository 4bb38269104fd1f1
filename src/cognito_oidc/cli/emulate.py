"""`cognito-oidc emulate`: a local Cognito as a server, for an application that is being written.

Decides the command's options, what is said where, and how it ends.
"""

from __future__ import annotations

import ipaddress
import logging
import signal
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

from cognito_oidc.cli.console import MisconfiguredError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from cognito_oidc.cli.pool_server import WatchedFile
    from cognito_oidc.cli.settings import Settings
    from cognito_oidc.emulator import CognitoEmulator, JournalEntry
    from cognito_oidc.errors import ConfigurationError

Output = Literal["text", "env", "json"]

_NEEDED: Final = ("jinja2", "starlette", "uvicorn")  # the extra `emulator`
_READY_MADE: Final = Path(__file__).with_name("pools.toml")
_LOOPBACK: Final = "127.0.0.1"
_PORT: Final = 9229  # as cognito-local has it, so that an application need not be told another
_LOG: Final = "cognito_oidc.emulator"


@click.command(short_help="Run a local Cognito as a server.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What pools, people and app clients there are; followed while it changes. [default: two federated pools]",
)
@click.option("--print-config", is_flag=True, help="Write the ready-made file to standard output, and end.")
@click.option("--host", default=_LOOPBACK, show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_PORT,
    show_default=True,
    metavar="PORT",
    help="The port to listen on; 0 takes a free one.",
)
@click.option("--url", metavar="URL", help="How applications and browsers reach it, where that is not host and port.")
@click.option("--client", metavar="NAME", help="The app client that is the application. [default: the file's first]")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "env", "json"]),
    default="text",
    show_default=True,
    help="How to write what the application must be told.",
)
@click.option("-q", "--quiet", is_flag=True, help="Do not show the requests.")
def emulate(
    *,
    config: Path | None,
    print_config: bool,
    host: str,
    port: int,
    url: str | None,
    client: str | None,
    output: Output,
    quiet: bool,
) -> None:
    """Run a local Cognito for an application that is being written.

    Serves the user pools of a file: login pages, OAuth endpoints, discovery and keys. Standard output says what to put
    into the application; standard error shows the requests, without their parameters. Client ids, secrets and the
    people's ids stay the same from one start to the next. Ends with Ctrl-C or SIGTERM.

    It knows every password and signs whatever it is asked to: it is for one developer, on loopback.

    \b
    Examples:
      cognito-oidc emulate                            two pools, one being the
                                                      other's provider
      cognito-oidc emulate --print-config > pools.toml
      cognito-oidc emulate --config pools.toml --port 9229
      cognito-oidc emulate -o env > .env              for a script; it goes on
                                                      serving
      cognito-oidc emulate --host 0.0.0.0 --url http://cognito.localhost:9229
                                                      in a container network

    \b
    Exit codes:
      0  it was asked to end
      2  the command was used wrongly
      6  the file is wrong, the port cannot be used, or something is not
         installed
    """  # noqa: D301 - \b is click's, for lines that stay as they are
    if print_config:
        click.echo(_READY_MADE.read_text(encoding="utf-8"), nl=False)
        return
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise MisconfiguredError(
            f"the local Cognito needs {' and '.join(missing)}: pip install 'cognito-oidc[cli,emulator]'"
        )
    import asyncio

    from cognito_oidc.cli.pool_server import WatchedFile

    if not _is_loopback(host):
        _note(
            f"Warning: {host} is not loopback. Whoever reaches this machine can sign in as anybody here and gets "
            "tokens for it: never point anything at it that matters."
        )
    file = WatchedFile(config or _READY_MADE, follow=config is not None)
    asyncio.run(_serve(file, host=host, port=port, teller=_Teller(file.path, url, client, output, quiet=quiet)))


class _Teller:
    """Says what happens."""

    def __init__(self, path: Path, url: str | None, client: str | None, output: Output, *, quiet: bool) -> None:
        self._path = path
        self._url = url.rstrip("/") if url is not None else None
        self._client = client
        self._output = output
        self._quiet = quiet
        self._said: str | None = None

    def started(self, aws: CognitoEmulator, base_url: str) -> None:
        from cognito_oidc.cli.settings import Settings

        settings = Settings(aws, base_url=self._url or _reachable(base_url), application=self._client)
        if self._said is None:
            _note(f"A local Cognito listens on {base_url}. Ctrl-C ends it.")
        else:
            _note(f"{self._path} was read again: everybody is signed out, tokens stay good.")
        said = self._laid_out(settings)
        if said != self._said and (self._said is None or self._output == "text"):
            click.echo(said)
        self._said = said

    def refused(self, error: ConfigurationError) -> None:
        _note(f"Error: {error} (what was there before goes on)")

    def arrived(self, aws: CognitoEmulator, entry: JournalEntry) -> None:
        if not self._quiet:
            pool = aws.pools.get(entry.pool_id or "")
            where = (pool.custom_domain or pool.domain_prefix or pool.pool_id) if pool is not None else "no pool"
            _note(f"{where}: {entry.method} {entry.endpoint} {entry.status}")

    def _laid_out(self, settings: Settings) -> str:
        if self._output == "env":
            return settings.as_env()
        return settings.as_json() if self._output == "json" else settings.as_text()


async def _serve(file: WatchedFile, *, host: str, port: int, teller: _Teller) -> None:
    import asyncio

    from cognito_oidc.cli.pool_server import serve

    until = asyncio.Event()
    with _signals(until), _log():
        await serve(
            file,
            host=host,
            port=port,
            until=until,
            started=teller.started,
            refused=teller.refused,
            arrived=teller.arrived,
        )


@contextmanager
def _signals(until: asyncio.Event) -> Iterator[None]:
    """Let SIGINT and SIGTERM set the event; a second one does no more than the first."""
    import asyncio

    loop = asyncio.get_running_loop()

    def end(*_: object) -> None:
        loop.call_soon_threadsafe(until.set)

    before = {each: signal.signal(each, end) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def _log() -> Iterator[None]:
    """Show what the pools would send by e-mail or write into their log, such as confirmation codes."""
    handler = logging.StreamHandler(sys.stderr)
    logger = logging.getLogger(_LOG)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reachable(base_url: str) -> str:
    """Return a base URL that a client can connect to: 0.0.0.0 is for listening alone."""
    return base_url.replace("//0.0.0.0:", f"//{_LOOPBACK}:").replace("//[::]:", "//[::1]:")


def _note(text: str) -> None:
    click.echo(text, err=True)
