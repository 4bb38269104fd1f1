"""The emulator on a port: uvicorn in a thread of its own, so that it serves whatever loop the caller runs.

Decides how it starts and stops. What it answers is decided by the application.
"""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.applications import Starlette
    from uvicorn import Server

    from cognito_oidc import UserPool
    from cognito_oidc.emulator.pools import EmulatedPool

_START_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.005
_THREAD_NAME: Final = "cognito-emulator"
_LOGGERS: Final = ("uvicorn.access", "uvicorn.asgi", "uvicorn.error")


class EmulatorServer:
    """A running server; made by `CognitoEmulator.serve`.

    Attributes:
        base_url: Absolute URL without a slash at the end, such as `http://127.0.0.1:9229`.
    """

    __slots__ = ("base_url",)

    def __init__(self, base_url: str) -> None:
        self.base_url: str = base_url

    def __repr__(self) -> str:
        return f"EmulatorServer({self.base_url!r})"

    def user_pool(self, pool: EmulatedPool) -> UserPool:
        """Return a pool's addresses below `base_url`, for the library's own clients and verifiers."""
        from cognito_oidc import UserPool

        domain = f"{self.base_url}/{pool.custom_domain}" if pool.custom_domain is not None else pool.domain_prefix
        return UserPool(pool.pool_id, domain=domain, issuer_type=pool.issuer_type, endpoint_url=self.base_url)


@asynccontextmanager
async def run_server(app: Starlette, *, host: str, port: int) -> AsyncGenerator[EmulatorServer]:
    """Serve the application until the block is left.

    Args:
        app: The application.
        host: The address to bind to; loopback is the only safe one.
        port: The port, or 0 for a free one.

    Raises:
        ConfigurationError: The address cannot be bound.
    """
    try:
        import uvicorn
    except ImportError as missing:
        message = "CognitoEmulator.serve needs uvicorn: install the extra with `pip install 'cognito-oidc[emulator]'`"
        raise ImportError(message, name="uvicorn") from missing
    bound = _bind(host, port)
    config = uvicorn.Config(
        app,
        http="h11",
        lifespan="off",
        log_config=None,  # nor a level: uvicorn's loggers may be in use by a server that is not ours
        loop="asyncio",
        proxy_headers=False,  # the Host header decides the issuer; nothing in front of us may change it
        server_header=False,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    server = uvicorn.Server(config)
    # uvicorn sets signal handlers in the main thread only.
    thread = threading.Thread(target=server.run, args=([bound],), name=_THREAD_NAME, daemon=True)
    address, bound_port = bound.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    quiet = _Quiet()
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(quiet)
    thread.start()
    try:
        await _wait_until_started(server, thread)
        yield EmulatorServer(f"http://{shown}:{bound_port}")
    finally:
        server.should_exit = True
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(thread.join)
        bound.close()
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(quiet)


class _Quiet(logging.Filter):
    """Drops what uvicorn says in our thread, but for exceptions; a truncated answer is on purpose."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.threadName != _THREAD_NAME:
            return True
        kind = record.exc_info[0] if record.exc_info else None
        return kind is not None and kind.__name__ != "LocalProtocolError"


async def _wait_until_started(server: Server, thread: threading.Thread) -> None:
    with anyio.fail_after(_START_SECONDS):
        while not server.started:
            if not thread.is_alive():
                raise ConfigurationError("the emulator's server did not start")
            await anyio.sleep(_POLL_SECONDS)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named: asyncio switches Nagle's algorithm off for those alone, and that costs 40 ms a request.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise ConfigurationError(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    return bound
