"""The local Cognito as a server that follows its file.

Decides when the file is read again, what survives that, and when the server ends. What it holds is decided by
`pool_file`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cognito_oidc.cli.pool_file import PoolFile
from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cognito_oidc.emulator import CognitoEmulator, JournalEntry

    Stamp = tuple[int, int, int]

_POLL: Final = 0.25  # seconds


class WatchedFile:
    """A file that may change while the server runs."""

    def __init__(self, path: Path, *, follow: bool) -> None:
        """Take a file.

        Args:
            path: The file.
            follow: Whether changes of it matter.
        """
        self.path = path
        self._follow = follow
        self._read = self._seen = self._stamp()

    def build(self) -> CognitoEmulator:
        """Return a new local Cognito that holds what the file says now.

        Raises:
            ConfigurationError: The file is wrong.
        """
        self._read = self._stamp()
        return PoolFile.read(self.path).build()

    def has_changed(self) -> bool:
        """Tell whether the file is another than the one that was read, and has been so since the last call.

        An editor that writes in two steps is given the time for the second.
        """
        last, self._seen = self._seen, self._stamp()
        return self._follow and self._seen is not None and self._seen == last != self._read

    def _stamp(self) -> Stamp | None:
        with contextlib.suppress(OSError):
            found = self.path.stat()
            return found.st_mtime_ns, found.st_size, found.st_ino
        return None


async def serve(
    file: WatchedFile,
    *,
    host: str,
    port: int,
    until: asyncio.Event,
    started: Callable[[CognitoEmulator, str], None],
    refused: Callable[[ConfigurationError], None],
    arrived: Callable[[CognitoEmulator, JournalEntry], None],
) -> None:
    """Serve what a file says, and what it says after each change, until an event is set.

    Args:
        file: The file.
        host: The address to bind to.
        port: The port, or 0 for a free one, which stays the same after a change.
        until: Ends the server.
        started: Called with each new local Cognito and its base URL.
        refused: Called where a changed file is wrong: what was there before goes on.
        arrived: Called with each request, soon after its answer.

    Raises:
        ConfigurationError: The file is wrong at the beginning, or the address cannot be bound.
    """
    aws: CognitoEmulator | None = file.build()
    while aws is not None:
        async with aws.serve(host=host, port=port) as server:
            port = urlsplit(server.base_url).port or port
            started(aws, server.base_url)
            aws = await _successor(aws, file, until, refused, arrived)


async def _successor(
    aws: CognitoEmulator,
    file: WatchedFile,
    until: asyncio.Event,
    refused: Callable[[ConfigurationError], None],
    arrived: Callable[[CognitoEmulator, JournalEntry], None],
) -> CognitoEmulator | None:
    """Wait for a change of the file, and return what is served then, or None at the end."""
    shown: list[JournalEntry] = []
    while not until.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(until.wait(), _POLL)
        journal = aws.journal
        known = {id(entry) for entry in shown}  # by identity: what arrived earlier may have been answered later
        for entry in journal:
            if id(entry) not in known:
                arrived(aws, entry)
        shown = journal
        if not file.has_changed():
            continue
        try:
            new = file.build()
        except ConfigurationError as error:
            refused(error)
            continue
        for pool_id in new.pools.keys() & aws.pools.keys():  # tokens stay good: the same keys go on signing
            new.pools[pool_id].keys = aws.pools[pool_id].keys
        return new
    return None
