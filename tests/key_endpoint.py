"""A key endpoint in memory that answers as told and counts, and a clock that is set."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from tests.factories import NOW, key_set

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Clock:
    """Epoch seconds that stand still until they are put forward."""

    def __init__(self) -> None:
        self.now: float = NOW

    def __call__(self) -> float:
        """Return epoch seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Put it forward."""
        self.now += seconds


class KeyEndpoint:
    """What stands behind every URL of its clients.

    Attributes:
        document: The key set, or whatever is answered.
        status: The status.
        headers: Headers of the answer.
        delay: Seconds before it.
        gate: What it waits for, in an event loop.
        failure: Raised instead of an answer.
        hook: Called with each request before it is answered.
        received: The requests.
    """

    def __init__(self) -> None:
        self.document: object = key_set()
        self.status = 200
        self.headers: Mapping[str, str] = {}
        self.delay = 0.0
        self.gate: anyio.Event | None = None
        self.failure: Exception | None = None
        self.hook: Callable[[httpx.Request], Any] | None = None
        self.received: list[httpx.Request] = []

    @property
    def count(self) -> int:
        """How many requests came."""
        return len(self.received)

    def client(self) -> httpx.AsyncClient:
        """Return a client that reaches it from an event loop."""

        async def answer(request: httpx.Request) -> httpx.Response:
            self.received.append(request)
            await anyio.sleep(self.delay)
            if self.gate is not None:
                await self.gate.wait()
            return self._answer(request)

        return httpx.AsyncClient(transport=httpx.MockTransport(answer))

    def sync_client(self) -> httpx.Client:
        """Return a client that reaches it without one."""

        def answer(request: httpx.Request) -> httpx.Response:
            self.received.append(request)
            time.sleep(self.delay)
            return self._answer(request)

        return httpx.Client(transport=httpx.MockTransport(answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.hook is not None:
            self.hook(request)
        if self.failure is not None:
            raise self.failure
        if self.status == 304:
            return httpx.Response(304, headers=dict(self.headers))
        content = self.document if isinstance(self.document, bytes) else json.dumps(self.document).encode()
        return httpx.Response(self.status, headers=dict(self.headers), content=content)
