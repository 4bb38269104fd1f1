"""A folder that only its owner may enter, and locks of the operating system in it.

Decides how a file is there whole or not at all, however the process ends, and that nobody but the owner can have put it
there. On POSIX every file is reached through the opened folder, so that nobody can put another one in its place
meanwhile. Decides nothing about what is in the files.

Who only looks, such as a command that is started for one token, loads no event loop with it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeVar

from cognito_oidc.errors import StoreError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

T = TypeVar("T")

_POSIX: Final = sys.platform != "win32"
_NO_FOLLOW: Final[int] = getattr(os, "O_NOFOLLOW", 0)
_BINARY: Final[int] = getattr(os, "O_BINARY", 0)
_MAX_BYTES: Final = 4 * 1024 * 1024
_LEAST_RESERVED: Final = 16 * 1024
_SHORTEST_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 0.05
_GUARD_PATIENCE: Final = 5.0
_REPLACE_ATTEMPTS: Final = 20
_LOCK_ATTEMPTS: Final = 5


def in_folder(path: str, work: Callable[[Folder], T]) -> T:
    """Do something in a folder. What the operating system says becomes a `StoreError`."""
    try:
        with Folder.opened(path) as folder:
            return work(folder)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    msg = f"The folder of stored sessions {path!r} cannot be used: {problem}."
    raise StoreError(msg)


def read_text(path: str, key: str) -> bytes | None:
    """Return the text of a record that `FileTokenStore(path)` keeps under a key, or None.

    Raises:
        StoreError: The folder cannot be used.
    """
    return in_folder(path, lambda folder: folder.read(file_name(key, "json")))


@asynccontextmanager
async def waited_lock(path: str, name: str, *, patience: float) -> AsyncIterator[None]:
    """Hold a lock while the block runs, in all processes of the machine.

    Raises:
        StoreError: Another one held it, for longer than `patience` seconds.
    """
    import anyio  # noqa: PLC0415 - not for who only looks

    until = time.monotonic() + patience
    pause = _SHORTEST_PAUSE
    # Without a thread, so that nobody can be cancelled between getting it and knowing.
    while (held := in_folder(path, lambda folder: folder.try_lock(name))) is None:
        if time.monotonic() >= until:
            msg = f"The lock of a session could not be had within {patience:g} s: another process or task holds it."
            raise StoreError(msg, code="store_locked")
        await anyio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    try:
        yield
    finally:
        held.release()


def file_name(key: str, kind: str) -> str:
    """Return a file's name that any key can have: its hash."""
    return f"{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}.{kind}"


class Folder:
    """A folder that is open. Names are those of files in it."""

    def __init__(self, path: str, descriptor: int | None) -> None:
        self._path = path
        self._at = descriptor

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: str) -> Iterator[Folder]:
        """Open a folder for the block, after making it if it is not there.

        Raises:
            StoreError: It is a link, another user's, or open to others.
        """
        if not os.path.isdir(path):  # noqa: PTH112 - judged below; this only saves a system call
            os.makedirs(path, mode=0o700, exist_ok=True)  # noqa: PTH103
        if not _POSIX:
            yield cls(path, None)
            return
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _NO_FOLLOW)
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
                raise
            msg = f"The folder of stored sessions {path!r} is a link or a file: name the folder itself."
            raise StoreError(msg, code="store_folder", retryable=False) from None
        try:
            found = os.fstat(descriptor)
            if found.st_uid != os.geteuid():
                msg = f"The folder of stored sessions {path!r} belongs to another user: take one of your own."
                raise StoreError(msg, code="store_folder", retryable=False)
            if found.st_mode & 0o077:
                msg = f"The folder of stored sessions {path!r} is open to other users: chmod 700 it, or name another."
                raise StoreError(msg, code="store_folder", retryable=False)
            yield cls(path, descriptor)
        finally:
            os.close(descriptor)

    def read(self, name: str) -> bytes | None:
        """Return what is in a file; None where there is none."""
        try:
            descriptor = self._open(name, os.O_RDONLY)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(_MAX_BYTES)

    def write(self, name: str, data: bytes, *, through: str) -> None:
        """Put a file into the place of another in one step, after it has reached the disk.

        Args:
            name: The file.
            data: What is in it.
            through: Its name until then. One that was reserved is written over, since its room is there already.
        """
        try:
            with os.fdopen(self._open(through, os.O_WRONLY | os.O_CREAT), "wb") as file:
                file.write(data)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
            self.move(through, name)
        except BaseException:
            with contextlib.suppress(OSError):
                self.remove(through)
            raise

    def reserve(self, name: str, *, beside: str) -> None:
        """See to a file that has room for what may come in the place of another."""
        room = max(_LEAST_RESERVED, 2 * len(self.read(beside) or b""))
        with os.fdopen(self._open(name, os.O_WRONLY | os.O_CREAT), "wb") as file:
            if os.fstat(file.fileno()).st_size < room:
                file.write(bytes(room))
                file.flush()
                os.fsync(file.fileno())

    def move(self, name: str, to: str) -> None:
        """Rename a file over another, and bring that to the disk."""
        if self._at is None:
            _replace_patiently(self._full(name), self._full(to))
        else:
            os.replace(name, to, src_dir_fd=self._at, dst_dir_fd=self._at)
            os.fsync(self._at)

    def remove(self, name: str) -> None:
        """Delete a file where there is one, and bring that to the disk."""
        with contextlib.suppress(FileNotFoundError):
            if self._at is None:
                os.unlink(self._full(name))  # noqa: PTH108 - as with the others, by name in the folder
            else:
                os.unlink(name, dir_fd=self._at)
                os.fsync(self._at)

    @contextlib.contextmanager
    def guard(self, name: str) -> Iterator[None]:
        """Be the only one in the block, which is short. Blocks the thread."""
        until = time.monotonic() + _GUARD_PATIENCE
        while (held := self.try_lock(name)) is None:
            if time.monotonic() >= until:
                msg = "A stored session is being written by another process, for too long: is that one stopped?"
                raise StoreError(msg)
            time.sleep(_SHORTEST_PAUSE)
        try:
            yield
        finally:
            held.release()

    def try_lock(self, name: str) -> Lock | None:
        """Return a lock of the operating system, or None where another has it."""
        for _ in range(_LOCK_ATTEMPTS):
            descriptor = self._open(name, os.O_RDWR | os.O_CREAT)
            try:
                _lock(descriptor)
                if self._is_at(name, descriptor):
                    return Lock(name, descriptor, None if self._at is None else os.dup(self._at))
                # Whoever had it has deleted its file meanwhile: this one is of no use to anybody.
            except BlockingIOError:
                os.close(descriptor)
                return None
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
        return None

    def _is_at(self, name: str, descriptor: int) -> bool:
        if self._at is None:
            return True
        try:
            there = os.stat(name, dir_fd=self._at, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(descriptor))

    def _open(self, name: str, flags: int) -> int:
        """Open a file, never through a link, and never anything but a file."""
        flags |= _NO_FOLLOW | _BINARY
        if self._at is None:
            return os.open(self._full(name), flags, 0o600)
        descriptor = os.open(name, flags | os.O_NONBLOCK, 0o600, dir_fd=self._at)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "what should be a file is none")
        return descriptor

    def _full(self, name: str) -> str:
        return os.path.join(self._path, name)  # noqa: PTH118


class Lock:
    """A lock that is held, by an open file."""

    def __init__(self, name: str, descriptor: int, folder: int | None) -> None:
        self._name = name
        self._descriptor = descriptor
        self._folder = folder
        self._process = os.getpid()

    def release(self) -> None:
        """Delete its file, and give it back: also in children that were forked meanwhile and have it open as well."""
        try:
            if self._process == os.getpid():  # else it is the parent's
                if self._folder is not None:
                    with contextlib.suppress(OSError):
                        os.unlink(self._name, dir_fd=self._folder)
                _unlock(self._descriptor)
        finally:
            if self._folder is not None:
                os.close(self._folder)
            os.close(self._descriptor)


if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:  # it does not tell more than that it was refused
            raise BlockingIOError from error

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _replace_patiently(source: str, target: str) -> None:
    """Rename a file over one that somebody may be reading, which Windows does not allow."""
    for _ in range(_REPLACE_ATTEMPTS):
        try:
            os.replace(source, target)  # noqa: PTH105 - no path object is needed for it
        except PermissionError:
            time.sleep(_LONGEST_PAUSE)
        else:
            return
    os.replace(source, target)  # noqa: PTH105
