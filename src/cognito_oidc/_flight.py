"""One attempt at a time in this process, whoever asks for it: any task, event loop or thread.

Decides who leads an attempt and how the others wait for it. Decides nothing about what the attempt is.
"""

from __future__ import annotations

import contextlib
import copy
from os import getpid
from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel

from cognito_oidc._fork_lock import ForkLock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cognito_oidc.errors import CognitoOidcError

_PAUSE: Final = 0.01


class Flight:
    """An attempt that is under way.

    Attributes:
        error: What it failed with, once it is over.
    """

    def __init__(self) -> None:
        """Begin in this event loop."""
        self.error: CognitoOidcError | None = None
        self._over = False
        self._event = anyio.Event()
        self._loop = _current_loop()
        self._process = getpid()

    @property
    def alive(self) -> bool:
        """Whether anybody leads it: not in the child of a fork, nor in an event loop that was closed under it."""
        closed = getattr(self._loop, "is_closed", None)  # asyncio's; trio's ends its tasks before it ends
        return self._process == getpid() and not (closed is not None and closed())

    async def join(self) -> None:
        """Wait until it is over, however it ends. Whoever waits may leave at once.

        Raises:
            CognitoOidcError: It failed: each who waits gets an error of their own.
        """
        if _current_loop() == self._loop:
            await self._event.wait()
        else:  # an event belongs to its loop, and there is nothing of anyio's that belongs to several
            while not self._over and self.alive:  # noqa: ASYNC110 - as said
                await anyio.sleep(_PAUSE)
        if self.error is not None:
            raise copy.copy(self.error)

    def end(self) -> None:
        """Let those who wait go on."""
        self._over = True
        with contextlib.suppress(RuntimeError):  # an event loop that was closed under us has nobody who waits
            self._event.set()


class Flights:
    """The attempt that is under way, or none."""

    def __init__(self) -> None:
        """Begin with none."""
        self._mutex = ForkLock()
        self._current: Flight | None = None

    @property
    def current(self) -> Flight | None:
        """The attempt that is under way, or None."""
        flight = self._current
        return flight if flight is not None and flight.alive else None

    @contextlib.contextmanager
    def lead(self) -> Iterator[Flight | None]:
        """Lead a new attempt in the block; None where one is under way already."""
        mine = Flight()
        with self._mutex:
            if self.current is None:
                self._current = mine
        if self._current is not mine:
            yield None
            return
        try:
            yield mine
        finally:
            with self._mutex:
                if self._current is mine:
                    self._current = None
            mine.end()


def _current_loop() -> object:
    return anyio.lowlevel.current_token().native_token
