"""A Redis of our own, for tests and benchmarks: on a free port of loopback, with a password, and gone with them."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

PASSWORD: Final = "canary-password-of-redis-0123456789"
# An empty database of somebody else's server, such as a Valkey: `redis://:password@127.0.0.1:6379/0`.
VARIABLE: Final = "COGNITO_OIDC_REDIS_URL"


class RedisServer:
    """A `redis-server`, or a `valkey-server`, that keeps nothing on disk but where `persistent` says so.

    With `cluster` it is a cluster of one server, which has all slots.
    """

    def __init__(self, *, persistent: bool = False, cluster: bool = False) -> None:
        self._program = _program() or "redis-server"
        self._folder = Path(tempfile.mkdtemp(prefix="cognito-oidc-redis-"))
        self._persistent = persistent
        self._cluster = cluster
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()

    @property
    def url(self) -> str:
        """What a client takes."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [self._program, "--bind", "127.0.0.1", "--port", str(self.port), "--requirepass", PASSWORD]
        command += ["--save", "", "--dir", str(self._folder), "--loglevel", "warning", "--daemonize", "no"]
        command += ["--appendonly", "yes", "--appendfsync", "always"] if self._persistent else ["--appendonly", "no"]
        if self._cluster:
            command += ["--cluster-enabled", "yes", "--cluster-port", str(_free_port())]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        give_up = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, "redis-server ended at once"
            assert time.monotonic() < give_up, "redis-server does not answer"
            time.sleep(0.01)
        if self._cluster:
            self._say("CLUSTER ADDSLOTSRANGE 0 16383")
            while b"cluster_state:ok" not in self._say("CLUSTER INFO"):
                assert time.monotonic() < give_up, "the cluster does not come up"
                time.sleep(0.01)

    def stop(self) -> None:
        """Kill it: what it had not written is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it where it is: it takes connections, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def _answers(self) -> bool:
        try:
            return b"+PONG" in self._say("PING")  # and not that it is still loading what it kept
        except OSError:
            return False

    def _say(self, command: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(f"AUTH {PASSWORD}\r\n{command}\r\nQUIT\r\n".encode())
            return b"".join(iter(lambda: connection.recv(4096), b""))


def installed() -> bool:
    """Tell whether there is a Redis to start."""
    return _program() is not None


def version() -> str:
    """Return the version of what would be started."""
    said = subprocess.run([_program() or "redis-server", "--version"], check=True, capture_output=True, text=True)
    return said.stdout.partition("v=")[2].partition(" ")[0]


def _program() -> str | None:
    return shutil.which("redis-server") or shutil.which("valkey-server")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
