"""A server or a program of others as a child process, which never outlives the test that started it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.interop import npm_packages

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE: Final = Path(__file__).parent
_PATIENCE: Final = 30.0  # seconds for one line, on a busy machine
_FAREWELL: Final = 5.0  # seconds to end by itself


class Process:
    """A child that says and hears one JSON value per line, and ends when it is not heard any more (end of stdin)."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._rest = b""

    def hear(self) -> dict[str, str]:
        """Return the next line it says; what is no JSON (a warning) is passed over."""
        assert self._child.stdout is not None
        end = time.monotonic() + _PATIENCE
        while True:
            while b"\n" not in self._rest:
                ready, _, _ = select.select([self._child.stdout], [], [], max(0.0, end - time.monotonic()))
                more = os.read(self._child.stdout.fileno(), 65536) if ready else b""
                assert more, f"{self._child.args!r} said nothing within {_PATIENCE:g} s, or ended"
                self._rest += more
            line, _, self._rest = self._rest.partition(b"\n")
            if line.startswith(b"{"):
                said: dict[str, str] = json.loads(line)
                return said

    def say(self, **members: object) -> None:
        """Tell it something."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(members).encode() + b"\n")
        self._child.stdin.flush()


@contextlib.contextmanager
def started(*command: str, **settings: object) -> Iterator[Process]:
    """Start a program, tell it its settings, and end it with the block."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=npm_packages.FOLDER.parent, env=environment
    )
    with child:
        try:
            process = Process(child)
            process.say(**settings)
            yield process
            assert child.stdin is not None
            child.stdin.close()
            child.wait(_FAREWELL)
        finally:
            child.kill()


def node(script: str, **settings: object) -> contextlib.AbstractContextManager[Process]:
    """Start a script of this folder with Node.js, among the packages of npm."""
    return started("node", "--no-warnings", str(HERE / script), packages=str(npm_packages.FOLDER), **settings)


def python(script: str, **settings: object) -> contextlib.AbstractContextManager[Process]:
    """Start a script of this folder with this Python, its warnings its own."""
    return started(sys.executable, "-W", "ignore", str(HERE / script), **settings)
