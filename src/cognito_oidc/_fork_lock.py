"""A lock that a forked process can go on with.

Decides that a lock which a thread of the parent held at the moment of the fork is not held in the child, where that
thread does not exist.
"""

from __future__ import annotations

from _thread import allocate_lock  # what threading.Lock is, without half a millisecond of import
from os import getpid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class ForkLock:
    """A context manager like `threading.Lock`; in a new process it is free."""

    __slots__ = ("_lock", "_process")

    def __init__(self) -> None:
        """Make a free lock."""
        self._lock = allocate_lock()
        self._process = getpid()

    def __enter__(self) -> None:
        """Wait for the lock and take it."""
        process = getpid()
        if process != self._process:
            self._lock, self._process = allocate_lock(), process
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give it back."""
        self._lock.release()
