"""Turns of the event loop, so that a crowd of tokens does not keep everybody else waiting.

Decides after how many verifications, and after how long, a coroutine that would never wait gives way.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import anyio

TURN: Final = 16
"""Verifications after which to see whether the loop should have its turn; also how many wait for a turn together."""

_LONGEST: Final = 0.0008  # seconds; with TURN more verifications it stays well under two milliseconds


class Turns:
    """Lets the loop have its turn when it had none for a while; who comes meanwhile waits, 16 by 16, in order.

    That each sixteenth gives way is not enough: of 200 tasks that became ready together, the others would still all
    run before the loop gets to anything else.

    Attributes:
        taken: Verifications since somebody looked.
    """

    __slots__ = ("_had", "_last", "taken")

    def __init__(self) -> None:
        """Begin without anybody waiting."""
        self.taken = 0
        self._had = 0.0
        self._last: _Batch | None = None

    async def give_way(self) -> None:
        """Wait for a turn of the loop in which there is room, unless it had one just now."""
        if self._last is None and monotonic() - self._had < _LONGEST:
            self.taken = 0
            return
        from anyio.lowlevel import checkpoint, current_token  # noqa: PLC0415 - 36 ms that a first token does not need

        loop = current_token().native_token
        last = self._last if self._last is not None and self._last.loop is loop else None
        if last is not None and last.size < TURN:
            last.size += 1
            await last.wait()
            return
        self._last = batch = _Batch(loop)
        try:
            if last is not None:
                await last.wait()
            await checkpoint()
        finally:  # the rest of the batch goes on, whatever happens to its first
            if self._last is batch:
                self._last = None
            self._had = monotonic()
            self.taken = 0
            batch.begin()


class _Batch:
    """Whoever verifies in the same turn of one event loop, and what they wait for."""

    __slots__ = ("_begun", "loop", "size")

    def __init__(self, loop: object) -> None:
        self.loop = loop
        self.size = 1
        self._begun: anyio.Event | None = None

    async def wait(self) -> None:
        """Wait until the turn has begun."""
        if self._begun is None:
            from anyio import Event  # noqa: PLC0415 - only where somebody waits

            self._begun = Event()
        await self._begun.wait()

    def begin(self) -> None:
        """Let them go on."""
        if self._begun is not None:
            self._begun.set()
