"""Says what is going on when something takes longer than half a second: on standard error, at a terminal only.

Decides when anything is said, and leaves no trace of it behind.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

_PATIENCE: Final = 0.5  # seconds
_CLEAR_LINE: Final = "\r\x1b[2K"  # ECMA-48, EL with parameter 2: the whole line
_WIDTH: Final = 79


class Progress:
    """A line that shows the current step while its block runs."""

    def __init__(self) -> None:
        """Begin with nothing to show. Where nobody looks, nothing ever is."""
        self._watched = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._lock = threading.Lock()
        self._timer = threading.Timer(_PATIENCE, self._begin)
        self._timer.daemon = True
        self._text = ""
        self._showing = False

    def __enter__(self) -> Self:
        """Begin to wait."""
        if self._watched:
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Clear the line."""
        self._timer.cancel()
        with self._lock:
            if self._showing:
                self._write(_CLEAR_LINE)
            self._showing = self._watched = False

    def step(self, text: str) -> None:
        """Say what happens now."""
        with self._lock:
            self._text = text
            if self._showing:
                self._show()

    def _begin(self) -> None:
        with self._lock:
            self._showing = self._watched  # not where the block has ended meanwhile
            if self._showing:
                self._show()

    def _show(self) -> None:
        if self._text:
            self._write(f"{_CLEAR_LINE}{self._text[:_WIDTH]}")

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
