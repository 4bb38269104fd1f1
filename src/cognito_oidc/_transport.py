"""How bytes move: the only file of the base package that runs an HTTP library.

Decides in which order an exchange is sent, read and given back, and that a cancelled caller breaks nothing. Decides
nothing about limits and repetitions, which are `_exchange`'s, and nothing about what a request or an answer means.

The HTTP client is an `httpx.AsyncClient` (or `httpx.Client`) or anything of that shape, such as httpx2's: it is never
asked for its class, and its exceptions are told apart by their names.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import anyio
import anyio.lowlevel

from cognito_oidc._exchange import Exchange, Unusable
from cognito_oidc._http_client import check_shape
from cognito_oidc._shield import run_shielded
from cognito_oidc.errors import CognitoOidcError, TransportError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Mapping

    import httpx

    from cognito_oidc._answer import AnswerBody
    from cognito_oidc._http_client import AsyncHttpClient, ForeignResponse
    from cognito_oidc.protocol.wire import HttpRequest, HttpResponse


class Transport:
    """Sends requests of the protocol over one HTTP client, borrowed or its own."""

    def __init__(self, http_client: httpx.AsyncClient | AsyncHttpClient | None = None) -> None:
        """Keep a borrowed client, which is never closed; without one, make one at the first send.

        Raises:
            ConfigurationError: It is no asynchronous HTTP client.
        """
        check_shape(http_client, "aclose", "an httpx.AsyncClient")
        self._borrowed = cast("AsyncHttpClient | None", http_client)
        self._own: dict[object, _OwnClient] = {}

    async def send(
        self, request: HttpRequest, *, attempts: int | None = None, at_most: float | None = None
    ) -> HttpResponse:
        """Send a request and return the answer, whatever its status.

        A caller that is cancelled meanwhile waits until the exchange is over, which the limits bound, and gets its
        result: the cancellation takes effect at its next await. So no connection is left half used and no answer lost.

        Args:
            request: What to send.
            attempts: How often at most; None for the endpoint's own number.
            at_most: Seconds it may take; None for the endpoint's own number.

        Raises:
            TransportError: No usable answer.
            ProtocolError: An answer that is too large or cannot be decoded.
            ConfigurationError: The borrowed client was closed.
        """
        exchange = Exchange(request, attempts=attempts, at_most=at_most)
        return await run_shielded(lambda: self._send_bounded(exchange))

    async def aclose(self) -> None:
        """Close the client that was made for this event loop; a borrowed one stays open."""
        own = self._own.pop(_current_loop(), None)
        if own is not None:
            await own.end.aclose()

    async def _send_bounded(self, exchange: Exchange) -> HttpResponse:
        with anyio.move_on_after(exchange.limits.total):
            await self._send_repeatedly(exchange)
        return exchange.outcome()

    async def _send_repeatedly(self, exchange: Exchange) -> None:
        """Send, and again where that may help. stamina is asked after a failure alone: it costs a tenth of one."""
        try:
            await self._send_once(exchange)
            exchange.check_worth()
        except (TransportError, Unusable) as error:
            failure = error
        else:
            return
        with contextlib.suppress(Unusable):
            async for attempt in exchange.attempts():
                with attempt:
                    if attempt.num == 1:
                        raise failure
                    await self._send_once(exchange)
                    exchange.check_worth()

    async def _send_once(self, exchange: Exchange) -> None:
        """Send once. A foreign error is not chained: it holds the request and so the secrets in it."""
        client = self._borrowed or await self._own_client()
        try:
            foreign = exchange.begin(client, trace=_async_trace)
            answer: ForeignResponse = await client.send(foreign, stream=True, auth=None, follow_redirects=False)
            try:
                body = exchange.body_of(answer)
                await _read(answer, body)
                exchange.response = body.response()
            finally:
                with contextlib.suppress(Exception):  # the answer is here, or its error is more worth telling
                    await answer.aclose()
        except CognitoOidcError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a client of that shape raises
            problem = exchange.problem_of(error)
        else:
            return
        raise problem

    async def _own_client(self) -> AsyncHttpClient:
        """Return our client of this event loop; the connections of another are of no use here."""
        loop = _current_loop()
        own = self._own.get(loop)
        if own is None:
            import httpx  # noqa: PLC0415 - 100 ms that a process with a borrowed client may save

            for other, ended in list(self._own.items()):
                if ended.client.is_closed:
                    del self._own[other]
            # No limit of connections, so that nobody ever waits for one: see _pool_share.
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
            client = cast("AsyncHttpClient", httpx.AsyncClient(verify=ssl_context(), limits=limits))
            own = self._own[loop] = _OwnClient(client, _closing(client))
            await anext(own.end)
        return own.client


class _OwnClient(NamedTuple):
    client: AsyncHttpClient
    end: AsyncGenerator[None, None]


async def _read(answer: ForeignResponse, body: AnswerBody) -> None:
    """Read a body as long as it is wanted.

    A body that is not wanted any more is closed first, so that the generators of the HTTP library come to an end: trio
    warns of those that are left behind.
    """
    if not body.wants_more:
        return
    try:
        async for chunk in answer.aiter_raw():
            body.add(chunk)
            if not body.wants_more:
                await answer.aclose()
    except Exception:
        if body.wants_more:
            raise


async def _async_trace(exchange: Exchange, event: str, info: Mapping[str, Any]) -> None:
    exchange.note(event, info)


async def _closing(client: AsyncHttpClient) -> AsyncGenerator[None, None]:
    """Close a client when this generator is closed: by us, or by the event loop at its end, whichever comes first."""
    try:
        yield
    finally:
        await client.aclose()


class SyncTransport:
    """The same for code without an event loop, over an `httpx.Client`."""

    def __init__(self, http_client: httpx.Client | None = None) -> None:
        """Keep a borrowed client, which is never closed; without one, make one for each send.

        Raises:
            ConfigurationError: It is no synchronous HTTP client.
        """
        check_shape(http_client, "close", "an httpx.Client")
        self._borrowed = http_client

    def send(self, request: HttpRequest, *, attempts: int | None = None, at_most: float | None = None) -> HttpResponse:
        """Send a request and return the answer, whatever its status; as `Transport.send`.

        The HTTP library bounds each wait for the next bytes and not their sum, which a server that sends byte after
        byte makes as long as it likes. So the work is done in a thread. When its time is over it is left there, and a
        connection of our own is shut down, which ends it.
        """
        exchange = Exchange(request, attempts=attempts, at_most=at_most)
        failures: list[BaseException] = []

        def work() -> None:
            try:
                self._send_repeatedly(exchange)
            except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
                failures.append(error)

        worker = threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True)
        try:
            worker.start()
        except RuntimeError:  # no thread can be started, as at the end of the interpreter
            work()
        else:
            worker.join(exchange.limits.total)
            if worker.is_alive():
                exchange.shut_down()
                raise exchange.too_slow()
        if failures and exchange.response is None:
            raise failures[0]
        return exchange.outcome()

    def _send_repeatedly(self, exchange: Exchange) -> None:
        try:
            self._send_once(exchange)
            exchange.check_worth()
        except (TransportError, Unusable) as error:
            failure = error
        else:
            return
        with contextlib.suppress(Unusable):
            for attempt in exchange.attempts():
                with attempt:
                    if attempt.num == 1:
                        raise failure
                    self._send_once(exchange)
                    exchange.check_worth()

    def _send_once(self, exchange: Exchange) -> None:
        import httpx  # noqa: PLC0415 - 100 ms that a process with its keys given never needs

        client = self._borrowed or httpx.Client(verify=ssl_context())
        try:
            foreign = exchange.begin(client, trace=Exchange.note, alone=client is not self._borrowed)
            sent = client.send(cast("httpx.Request", foreign), stream=True, auth=None, follow_redirects=False)
            answer = cast("ForeignResponse", sent)
            try:
                body = exchange.body_of(answer)
                chunks = answer.iter_raw() if body.wants_more else iter(())
                while body.wants_more and (chunk := next(chunks, None)) is not None:
                    body.add(chunk)
                    exchange.check_time()
                exchange.response = body.response()
            finally:
                with contextlib.suppress(Exception):
                    answer.close()
        except CognitoOidcError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a client of that shape raises
            problem = exchange.problem_of(error)
        else:
            return
        finally:
            if client is not self._borrowed:
                client.close()
        raise problem


_context: ssl.SSLContext | None = None


def ssl_context() -> ssl.SSLContext:
    """Return the TLS context of this process, made at the first need: it takes 17 ms or more."""
    global _context  # noqa: PLW0603 - one for the process
    if _context is None:
        import httpx  # noqa: PLC0415 - only where a client of our own is made

        _context = httpx.create_ssl_context()
    return _context


def _current_loop() -> object:
    return anyio.lowlevel.current_token().native_token
