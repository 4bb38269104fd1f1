"""Node.js beside Python: npm puts its libraries into a temporary folder, and one process answers our questions."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import threading
from concurrent.futures import Future
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.shared import Json

VERSIONS: Final = {"aws-jwt-verify": "5.2.1", "jose": "6.2.18"}
CLIENTS: Final = {"oauth4webapi": "3.8.8", "openid-client": "6.9.0"}
RAW: Final = "Node.js's own crypto"


@contextlib.contextmanager
def libraries(versions: Mapping[str, str] = VERSIONS) -> Iterator[Path | None]:
    """Give a folder with the libraries of npm, or None where node or npm is missing or npm fails."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        print("Node.js: left out, node or npm was not found")
        yield None
        return
    with TemporaryDirectory(prefix="benchmarks-") as folder:
        wanted = [f"{name}@{version}" for name, version in versions.items()]
        install = [npm, "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--silent", *wanted]
        (Path(folder) / "package.json").write_text('{"private": true, "type": "module"}', encoding="utf-8")
        done = subprocess.run(install, cwd=folder, check=False, capture_output=True, text=True)
        if done.returncode:
            print(f"Node.js: left out, npm says {done.stderr.strip()[-200:]!r}")
            yield None
            return
        for script in Path(__file__).parent.glob("*.mjs"):
            shutil.copy(script, folder)
        yield Path(folder)


def version() -> str:
    """Return the version of Node.js."""
    return subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout.strip().lstrip("v")


class Node:
    """One process of Node.js that answers questions, several at a time."""

    def __init__(self, folder: Path, *, script: str = "peers.mjs", authority: Path | None = None) -> None:
        """Start it.

        Args:
            folder: What `libraries` gave.
            script: What runs in it.
            authority: A certificate to trust.
        """
        environment = {**os.environ, **({"NODE_EXTRA_CA_CERTS": str(authority)} if authority else {})}
        self._process = subprocess.Popen(
            ["node", "--expose-gc", script],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ids = itertools.count()
        self._waiting: dict[int, Future[Json]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def send(self, operation: str, **arguments: object) -> Future[Json]:
        """Ask, and return where the answer will be."""
        answer: Future[Json] = Future()
        number = next(self._ids)
        self._waiting[number] = answer
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "operation": operation, **arguments}) + "\n")
        self._process.stdin.flush()
        return answer

    def ask(self, operation: str, **arguments: object) -> Json:
        """Ask, and wait for the answer."""
        answer = self.send(operation, **arguments).result(120)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def timer(self, name: str, token: str, *, refused: bool = False) -> Callable[[int], float]:
        """Return the `seconds_for` of a check of `token` in there."""

        def seconds_for(count: int) -> float:
            answer = self.ask("time", name=name, token=token, count=count, refused=refused)
            return float(str(answer["seconds"]))

        return seconds_for

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            self._waiting.pop(answer["id"]).set_result(answer)
