"""Tokens in the keyring of the person's system: Keychain, Secret Service, KWallet, Windows Credential Locker.

Decides how a record becomes entries that fit, and how it is never half-written. Which keyring that is, is decided by
`keyring`.

Windows takes 2,560 bytes of UTF-16 in an entry, and tokens are longer, so a record is cut: an index, which names one of
two slots, and the parts in that slot. A write fills the other slot first, then changes the index, which is one entry
and so one step, then empties the slot before. Whatever stops it, the index names a slot that is whole.
"""

from __future__ import annotations

import json
import logging
import threading
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import anyio.to_thread

from cognito_oidc.errors import ConfigurationError, StoreError
from cognito_oidc.integrations.stores._folder import Folder, file_name, in_folder, waited_lock
from cognito_oidc.integrations.stores._record_text import RecordText

try:
    import keyring
    from keyring.backends import fail, null
    from keyring.errors import PasswordDeleteError
    from keyring.util import platform_
except ImportError as _missing:
    raise ImportError(
        "cognito_oidc.integrations.stores.keyring needs keyring: `pip install 'cognito-oidc[keyring]'`",
        name="keyring",
    ) from _missing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from os import PathLike

    from keyring.backend import KeyringBackend

    from cognito_oidc import StoredToken
    from cognito_oidc.integrations.stores._record_text import EncryptionKeys

__all__ = ["KeyringTokenStore"]

T = TypeVar("T")

# Characters of a part. Windows keeps two bytes of each, and 2,560 in all: CRED_MAX_CREDENTIAL_BLOB_SIZE of wincred.h.
_PART: Final = 1200
_MOST_PARTS: Final = 4096
_SLOTS: Final = ("a", "b")
_INDEX: Final = "index"
_USERNAME: Final = "cognito-oidc"
_LOOKS: Final = 5
_LOG: Final = logging.getLogger("cognito_oidc")
_one_at_a_time: Final = threading.Lock()  # not every keyring can be asked from two threads at once


class KeyringTokenStore:
    """Keeps sessions in the keyring of the person's system, for programs at a terminal or on a desktop.

    Where there is no keyring, as on most servers and in most containers, every call is a `StoreError` that says so:
    nothing is kept in another place instead. Calls run in threads, since a keyring may ask the person for a password.
    The lock is one of the operating system, as keyrings have none: it ends with its holder.
    """

    def __init__(
        self,
        service: str,
        *,
        encryption_keys: EncryptionKeys = (),
        backend: KeyringBackend | None = None,
        lock_folder: str | PathLike[str] | None = None,
    ) -> None:
        """Take the name; nothing is read or made yet.

        Args:
            service: What entries are called in the keyring, such as the name of the program.
            encryption_keys: Keys of 32 bytes, or their base64url, newest first, to encrypt with as well. A keyring
                encrypts by itself.
            backend: The keyring; by default the one that `keyring` finds, or is configured to use.
            lock_folder: Where lock files are. No secret is in it. By default it is beside what `keyring` itself keeps
                in the person's own folder.

        Raises:
            ConfigurationError: The name is empty, or a key is none.
        """
        if not isinstance(service, str) or not service:
            msg = "KeyringTokenStore: expected the name that entries are to have in the keyring."
            raise ConfigurationError(msg)
        self._service = service
        self._text = RecordText(encryption_keys)
        self._backend = backend
        folder = Path(platform_.data_root()) / "cognito-oidc-locks" if lock_folder is None else Path(lock_folder)
        self._locks = fspath(folder.absolute())

    def __repr__(self) -> str:
        """Show what entries are called."""
        return f"KeyringTokenStore({self._service!r})"

    async def read(self, key: str) -> StoredToken | None:
        """Return what is kept under a key, or None.

        Raises:
            StoreError: There is no keyring, or it cannot be read. With the `code` `"store_damaged"` it never will be,
                and has been deleted.
        """
        return await anyio.to_thread.run_sync(self._read, key)

    async def swap(self, key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
        """Replace what is kept under a key where it still is `expected`; tell whether it was.

        Raises:
            StoreError: There is no keyring, or it could not be done; the record before is still there.
        """
        return await anyio.to_thread.run_sync(self._swap, key, new, expected)

    @asynccontextmanager
    async def lock(self, key: str, *, timeout: float) -> AsyncIterator[None]:  # noqa: ASYNC109 - the protocol's
        """Be the only one in here for this key, in all processes of the machine.

        Raises:
            StoreError: Another one was, for longer than `timeout` seconds.
        """
        async with waited_lock(self._locks, self._lock_name(key, "lock"), patience=timeout):
            yield

    def _read(self, key: str) -> StoredToken | None:
        entries = self._entries(key)
        text = self._asked(entries.read)
        try:
            return None if text is None else self._text.read(text, key=key)
        except StoreError as error:
            if error.code != "store_damaged":
                raise
            problem = error
        if self._guarded(key, lambda: self._delete_if(entries, text)):
            _LOG.warning("A stored session was damaged, and has been deleted from %r.", self)
        raise problem

    def _delete_if(self, entries: _Entries, text: str | None) -> bool:
        if entries.read() != text:  # meanwhile somebody has written a good one
            return False
        entries.delete()
        return True

    def _swap(self, key: str, new: StoredToken | None, expected: StoredToken | None) -> bool:
        entries = self._entries(key)
        text = None if new is None else self._text.write(new, key=key)

        def work() -> bool:
            there = entries.read()
            current = None if there is None else self._text.read(there, key=key)
            if (current and current.revision) != (expected and expected.revision):
                return False
            if text is not None:
                entries.write(text)
            elif current is not None:
                entries.delete()
            return True

        return self._guarded(key, work)

    def _entries(self, key: str) -> _Entries:
        return _Entries(self._asked(self._keyring), f"{self._service}/{sha256(_octets(key)).hexdigest()[:32]}")

    def _keyring(self) -> KeyringBackend:
        backend = keyring.get_keyring() if self._backend is None else self._backend
        # The one refuses everything, and the other one forgets it.
        if isinstance(backend, fail.Keyring | null.Keyring):
            msg = (
                "There is no keyring on this system, or keyring is switched off: keep tokens in another store, such as "
                "FileTokenStore with encryption_keys."
            )
            raise StoreError(msg, code="store_no_keyring", retryable=False)
        return backend

    def _guarded(self, key: str, work: Callable[[], T]) -> T:
        """Do something that reads and writes while no other process does."""

        def alone(folder: Folder) -> T:
            with folder.guard(self._lock_name(key, "guard")):
                return self._asked(work)

        return in_folder(self._locks, alone)

    def _lock_name(self, key: str, kind: str) -> str:
        return file_name(f"{self._service}\0{key}", kind)

    def _asked(self, question: Callable[[], T]) -> T:
        """Ask the keyring something; what goes wrong is a `StoreError`."""
        try:
            with _one_at_a_time:
                return question()
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - each backend has errors of its own, which may hold what was kept
            problem = type(error).__name__
        msg = f"The keyring refused ({problem}): is it locked, or has somebody said no?"
        raise StoreError(msg)


class _Index(NamedTuple):
    """Where a record is, and how it is told from what is not whole."""

    slot: str
    parts: int
    digest: str


class _Entries:
    """The entries of one record. Every call blocks.

    Each entry has a service name of its own: for a second user name of one service the Windows backend moves the entry
    of the first, which is no single step.
    """

    def __init__(self, backend: KeyringBackend, prefix: str) -> None:
        self._backend = backend
        self._prefix = prefix

    def read(self) -> str | None:
        """Return the text, or None where there is none, or none that is whole: nobody can use that."""
        before = None
        for _ in range(_LOOKS):
            index = self._index()
            if index is None:
                return None
            text = "".join(self._get(f"{index.slot}{number}") or "" for number in range(index.parts))
            if _digest(text) == index.digest:
                return text
            if index == before:
                break
            before = index  # a writer may have emptied the slot meanwhile: then the index is another one
        _LOG.warning("A stored session in the keyring is not whole, and is as good as none.")
        return None

    def write(self, text: str) -> None:
        """Put a text in the place of what is there."""
        index = self._index()
        slot = _SLOTS[1] if index is not None and index.slot == _SLOTS[0] else _SLOTS[0]
        parts = [text[begin : begin + _PART] for begin in range(0, len(text), _PART)]
        for number, part in enumerate(parts):
            self._set(f"{slot}{number}", part)
        self._empty(slot, beginning=len(parts))
        self._set(_INDEX, json.dumps(_Index(slot, len(parts), _digest(text))._asdict()))
        self._empty(_SLOTS[1 - _SLOTS.index(slot)])

    def delete(self) -> None:
        """Take everything away, the index first: what is left of a delete that was stopped is nothing to a reader."""
        self._delete(_INDEX)
        if self._get(_INDEX) is not None:
            msg = "The keyring did not delete a stored session: is it locked, or has somebody said no?"
            raise StoreError(msg)
        for slot in _SLOTS:
            self._empty(slot)

    def _index(self) -> _Index | None:
        """Return the index; None where there is none that can be read."""
        try:
            said = json.loads(self._get(_INDEX) or "null")
            slot, parts, digest = (said[name] for name in _Index._fields)
        except (ValueError, TypeError, KeyError):
            return None
        is_one = slot in _SLOTS and type(parts) is int and 0 <= parts <= _MOST_PARTS
        return _Index(slot, parts, str(digest)) if is_one else None

    def _empty(self, slot: str, *, beginning: int = 0) -> None:
        """Delete the parts from a number on: also what a longer record, or a write that was stopped, left behind."""
        end = beginning
        while self._get(f"{slot}{end}") is not None:
            end += 1
        for number in reversed(range(beginning, end)):  # the first one last: whoever goes on with this finds the rest
            self._delete(f"{slot}{number}")

    def _get(self, entry: str) -> str | None:
        return self._backend.get_password(f"{self._prefix}/{entry}", _USERNAME)

    def _set(self, entry: str, text: str) -> None:
        self._backend.set_password(f"{self._prefix}/{entry}", _USERNAME, text)

    def _delete(self, entry: str) -> None:
        with suppress(PasswordDeleteError):  # mostly: there is none
            self._backend.delete_password(f"{self._prefix}/{entry}", _USERNAME)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _octets(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")
