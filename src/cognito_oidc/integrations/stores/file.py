"""Tokens in files of a private folder: for scripts, command lines, and the workers of one machine.

Decides how a record is written so that it is there whole or not at all, however the process ends. On POSIX every file
is reached through the opened folder, so that nobody can put another one in its place meanwhile.
"""

from __future__ import annotations

import logging
import os
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from cognito_oidc.errors import StoreError
from cognito_oidc.integrations.stores._folder import Folder, file_name, in_folder, waited_lock
from cognito_oidc.integrations.stores._record_text import RecordText

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cognito_oidc import StoredToken
    from cognito_oidc.integrations.stores._record_text import EncryptionKeys

__all__ = ["FileTokenStore"]

_LOG: Final = logging.getLogger("cognito_oidc")


class FileTokenStore:
    """Keeps each session in a file of its own, in a folder that only its owner may enter.

    The folder is made at the first use (0700), the files are for the owner alone (0600), and a key is hashed into a
    file's name. A record is written beside the old one, brought to the disk, and put into its place in one step. The
    lock is one of the operating system: it ends with its holder. Taking it reserves the room for the next record, so
    that a full disk is found before a refresh token is used up. A file that is no record any more is set aside with a
    warning, under a name that ends in `.damaged`.

    For one machine: locks and order of writing are not promised by network file systems.
    """

    def __init__(self, path: str | os.PathLike[str], *, encryption_keys: EncryptionKeys = ()) -> None:
        """Take the folder; nothing is read or made yet.

        Args:
            path: The folder. What is above it is made as well, with the rights that are usual.
            encryption_keys: Keys of 32 bytes, or their base64url, newest first. Without keys, who can read the files
                has the sessions.

        Raises:
            ConfigurationError: A key is none.
        """
        self._path = os.path.abspath(os.fspath(path))  # noqa: PTH100 - no path object is needed for it
        self._text = RecordText(encryption_keys)

    def __repr__(self) -> str:
        """Show where it is."""
        return f"FileTokenStore({self._path!r})"

    async def read(self, key: str) -> StoredToken | None:
        """Return what is kept under a key, or None.

        Raises:
            StoreError: It cannot be read. With the `code` `"store_damaged"` it never will be, and was set aside.
        """
        return await anyio.to_thread.run_sync(self._read, key)

    async def swap(self, key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
        """Replace what is kept under a key where it still is `expected`; tell whether it was.

        Raises:
            StoreError: It could not be done; the record before is still there.
        """
        return await anyio.to_thread.run_sync(self._swap, key, new, expected)

    @asynccontextmanager
    async def lock(self, key: str, *, timeout: float) -> AsyncIterator[None]:  # noqa: ASYNC109 - the protocol's
        """Be the only one in here for this key, in all processes of the machine; and reserve room for a record.

        Raises:
            StoreError: Another one was, for longer than `timeout` seconds; or there is no room.
        """
        async with waited_lock(self._path, file_name(key, "lock"), patience=timeout):
            await anyio.to_thread.run_sync(self._reserve, key)
            yield

    def _reserve(self, key: str) -> None:
        def work(folder: Folder) -> None:
            with folder.guard(file_name(key, "guard")):
                folder.reserve(file_name(key, "new"), beside=file_name(key, "json"))

        in_folder(self._path, work)

    def _read(self, key: str) -> StoredToken | None:
        return in_folder(self._path, lambda folder: self._read_in(folder, key))

    def _read_in(self, folder: Folder, key: str) -> StoredToken | None:
        name = file_name(key, "json")
        data = folder.read(name)
        try:
            return None if data is None else self._text.read(data, key=key)
        except StoreError as error:
            if error.code != "store_damaged":
                raise
            problem = error
        with folder.guard(file_name(key, "guard")):
            if folder.read(name) != data:  # meanwhile somebody has written a good one
                return None if (data := folder.read(name)) is None else self._text.read(data, key=key)
            aside = f"{name}.{secrets.token_hex(4)}.damaged"
            folder.move(name, aside)
        _LOG.warning("A stored session was damaged, and is set aside as %s in %s.", aside, self._path)
        raise problem

    def _swap(self, key: str, new: StoredToken | None, expected: StoredToken | None) -> bool:
        text = None if new is None else self._text.write(new, key=key).encode("ascii")

        def work(folder: Folder) -> bool:
            name = file_name(key, "json")
            with folder.guard(file_name(key, "guard")):
                data = folder.read(name)
                current = None if data is None else self._text.read(data, key=key)
                if (current and current.revision) != (expected and expected.revision):
                    return False
                if text is not None:
                    folder.write(name, text, through=file_name(key, "new"))
                elif current is not None:
                    folder.remove(file_name(key, "new"))
                    folder.remove(name)
                return True

        return in_folder(self._path, work)
