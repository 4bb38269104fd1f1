"""Limits, repetitions and borrowed clients, over real sockets to a server that misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import gzip
import importlib
import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import anyio
import httpx
import pytest

from cognito_oidc import _exchange, _transport
from cognito_oidc._exchange import Limits
from cognito_oidc._transport import SyncTransport, Transport
from cognito_oidc.errors import CognitoOidcError, ConfigurationError, ProtocolError, TransportError
from cognito_oidc.protocol.wire import Endpoint, HttpRequest, HttpResponse
from tests.fault_server import Answer, FaultServer, certificate, gzip_bomb, unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Library = Any  # the module of either HTTP library, which share no types
Foreign = Any  # something of that module
PATIENT: Final = Limits(body=4096, attempts=2)
SHORT: Final = PATIENT._replace(read=0.1, total=0.25)
SECRET: Final = "canary-secret-0123456789abcdefghijklmnop"
GZIP: Final = (("Content-Encoding", "gzip"),)


@pytest.fixture(params=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> Library:
    """Give both HTTP libraries."""
    return importlib.import_module(request.param)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """Give a server that misbehaves as told."""
    with FaultServer() as server:
        yield server


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let repetitions come at once, and only one of them."""
    monkeypatch.setattr(_exchange, "LIMITS", dict.fromkeys(Endpoint, PATIENT))
    monkeypatch.setattr(_exchange, "_FIRST_WAIT", 0.01)


def limit(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    """Let an answer that hangs hang for a short time: a busy machine must not make others look like it."""
    if answer.hangs:
        wait = 10 if answer.fault.startswith("drip") else SHORT.read
        monkeypatch.setattr(_exchange, "LIMITS", dict.fromkeys(Endpoint, SHORT._replace(read=wait)))


_TLS = ssl.create_default_context()


def new_client(library: Library, **options: Foreign) -> Foreign:
    """Return a client of a library, without paying for a TLS context."""
    return library.AsyncClient(verify=_TLS, **options)


def code_request(url: str) -> HttpRequest:
    """Return a request that must arrive once."""
    return HttpRequest(
        method="POST",
        url=f"{url}/oauth2/token",
        headers=(("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")),
        body=f"grant_type=authorization_code&code={SECRET}".encode(),
        endpoint=Endpoint.TOKEN,
        repeatable=False,
    )


def machine_request(url: str) -> HttpRequest:
    """Return a request that may be repeated."""
    return HttpRequest(
        method="POST",
        url=f"{url}/oauth2/token",
        headers=(("Content-Type", "application/x-www-form-urlencoded"),),
        body=b"grant_type=client_credentials",
        endpoint=Endpoint.TOKEN,
        repeatable=True,
    )


def keys_request(url: str) -> HttpRequest:
    """Return a request for keys."""
    return HttpRequest(method="GET", url=f"{url}/jwks.json", endpoint=Endpoint.JWKS, repeatable=True)


def assert_nothing_foreign(error: BaseException) -> None:
    """Check that an error drags no error of another library along: those hold the request."""
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is None or one in seen:
            continue
        seen.append(one)
        left.extend((one.__cause__, one.__context__))
        assert isinstance(one, CognitoOidcError | _exchange.Unusable), one
        assert SECRET not in repr(one) + str(one) + repr(one.__dict__)


# --- what goes over the wire ------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_request_holds_what_it_says_and_nothing_of_the_borrowed_client(
    server: FaultServer, library: Library
) -> None:
    """Auth, cookies, default headers, parameters and a base URL of a borrowed client never reach a request of ours."""
    borrowed = new_client(
        library,
        auth=("alice", "theirs"),
        cookies={"session": "theirs"},
        headers={"Authorization": "Bearer theirs", "X-Theirs": "theirs"},
        params={"theirs": "1"},
        base_url=f"{server.url}/theirs",
        follow_redirects=True,
    )
    async with borrowed:
        response = await Transport(borrowed).send(code_request(server.url))
    received = server.received[0]
    assert (response.status, response.body, response.is_json) == (200, b"{}", True)
    assert (received.method, received.target) == ("POST", "/oauth2/token")
    assert received.body == f"grant_type=authorization_code&code={SECRET}".encode()
    assert sorted((name.lower(), value) for name, value in received.headers) == [
        ("accept", "application/json"),
        ("accept-encoding", "identity"),
        ("content-length", str(len(received.body))),
        ("content-type", "application/x-www-form-urlencoded"),
        ("host", server.url.removeprefix("http://")),
        ("user-agent", "cognito-oidc"),
    ]


@pytest.mark.anyio
async def test_cookies_of_an_answer_are_not_sent_back(server: FaultServer, library: Library) -> None:
    """A cookie that Cognito sets on an answer does not come with the next request."""
    server.answer(Answer(headers=(("Set-Cookie", "XSRF-TOKEN=1; Path=/"),)))
    async with new_client(library) as borrowed:
        transport = Transport(borrowed)
        await transport.send(code_request(server.url))
        await transport.send(code_request(server.url))
    assert [one.header("cookie") for one in server.received] == [None, None]


@pytest.mark.anyio
@pytest.mark.parametrize("location", ["/elsewhere", "http://[bad", "https://evil.example/?a=b", ""])
async def test_redirects_are_returned_and_never_followed(server: FaultServer, library: Library, location: str) -> None:
    """A redirect is an answer like any other, whatever the borrowed client would do and wherever it points."""
    server.answer(Answer(status=302, headers=(("Location", location),)))
    async with new_client(library, follow_redirects=True) as borrowed:
        with contextlib.suppress(TransportError):  # a place that is no URL
            assert (await Transport(borrowed).send(code_request(server.url))).status == 302
    assert server.count == 1


@pytest.mark.anyio
async def test_a_borrowed_client_stays_open(server: FaultServer, library: Library) -> None:
    """Closing our side leaves the client of somebody else alone."""
    async with new_client(library) as borrowed:
        transport = Transport(borrowed)
        await transport.send(code_request(server.url))
        await transport.aclose()
        assert not borrowed.is_closed
        await transport.send(code_request(server.url))


@pytest.mark.anyio
async def test_a_closed_borrowed_client_is_a_mistake_of_configuration(server: FaultServer, library: Library) -> None:
    """A client that its owner closed is named as what it is, and nothing is tried again and again."""
    borrowed = new_client(library)
    await borrowed.aclose()
    with pytest.raises(ConfigurationError, match="closed"):
        await Transport(borrowed).send(machine_request(server.url))


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(object(), id="anything"),
        pytest.param(httpx.Client(), id="synchronous"),
        pytest.param(httpx.AsyncClient, id="class"),
    ],
)
def test_a_client_of_another_shape_is_refused_at_once(given: Foreign) -> None:
    """What cannot send asynchronously is refused where it is handed in."""
    with pytest.raises(ConfigurationError, match="http_client"):
        Transport(given)


@pytest.mark.parametrize("given", [object(), httpx.AsyncClient(), httpx.Client])
def test_a_client_of_another_shape_is_refused_at_once_too(given: Foreign) -> None:
    """What cannot send synchronously is refused where it is handed in."""
    with pytest.raises(ConfigurationError, match="http_client"):
        SyncTransport(given)


@pytest.mark.anyio
async def test_transport_and_mounts_of_a_borrowed_client_are_used(library: Library) -> None:
    """A custom transport of a borrowed client gets our request."""
    seen: list[str] = []

    def answer(request: Foreign) -> Foreign:
        seen.append(str(request.url))
        return library.Response(200, json={"a": 1})

    async with new_client(library, transport=library.MockTransport(answer)) as borrowed:
        response = await Transport(borrowed).send(code_request("https://login.example"))
    assert (seen, response.body) == (["https://login.example/oauth2/token"], b'{"a":1}')


@pytest.mark.anyio
async def test_event_hooks_of_a_borrowed_client_see_the_whole_request(server: FaultServer, library: Library) -> None:
    """A hook that looks at the body finds it, as in a request of the client's own."""
    seen: list[bytes] = []

    async def look(request: Foreign) -> None:
        seen.append(request.content)

    async with new_client(library, event_hooks={"request": [look]}) as borrowed:
        await Transport(borrowed).send(code_request(server.url))
        await Transport(borrowed).send(keys_request(server.url))
    assert seen == [f"grant_type=authorization_code&code={SECRET}".encode(), b""]
    assert server.received[1].header("content-length") is None


@pytest.mark.anyio
async def test_a_post_without_a_body_says_so(server: FaultServer, library: Library) -> None:
    """RFC 9110 section 8.6: a length of nothing is sent where a body is expected."""
    async with new_client(library) as borrowed:
        await Transport(borrowed).send(dataclasses.replace(code_request(server.url), body=b""))
    assert server.received[0].header("content-length") == "0"


@pytest.mark.anyio
async def test_proxy_of_a_borrowed_client_is_used(server: FaultServer, library: Library) -> None:
    """A proxy of a borrowed client gets our request, and a proxy that refuses means that nothing was sent."""
    async with new_client(library, proxy=server.url) as borrowed:
        transport = Transport(borrowed)
        await transport.send(code_request("http://login.example"))
        server.answer(Answer(status=403))
        with pytest.raises(TransportError) as refused:
            await transport.send(code_request("https://login.example"))
    assert server.received[0].target == "http://login.example/oauth2/token"
    assert server.received[1].method == "CONNECT"
    assert refused.value.sent == "no"


@pytest.mark.anyio
async def test_tls_context_of_a_borrowed_client_is_used(library: Library, tmp_path: Path) -> None:
    """A private authority is trusted where the borrowed client trusts it; elsewhere nothing is sent."""
    path = certificate(tmp_path)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(path)
    with FaultServer(theirs) as server:
        async with library.AsyncClient(verify=ssl.create_default_context(cafile=path)) as borrowed:
            assert (await Transport(borrowed).send(code_request(server.url))).status == 200
        transport = Transport()
        async with new_client(library) as stranger:
            for one in (Transport(stranger), transport):
                with pytest.raises(TransportError) as refused:
                    await one.send(code_request(server.url))
                assert refused.value.sent == "no"
        await transport.aclose()
        assert server.count == 1


# --- faults -----------------------------------------------------------------------------------------------------------


class Fault(NamedTuple):
    """An answer, the error it gives, what that says about sending, and how often each kind of request arrives."""

    answer: Answer
    error: type[CognitoOidcError]
    sent: str | None
    codes: int
    machines: int | None


FAULTS = [
    pytest.param(Fault(Answer(fault="reset"), TransportError, "maybe", 1, 2), id="reset"),
    pytest.param(Fault(Answer(fault="close"), TransportError, "maybe", 1, 2), id="closed-before-answer"),
    pytest.param(Fault(Answer(fault="stall"), TransportError, "maybe", 1, None), id="stall"),
    pytest.param(Fault(Answer(fault="stall_body"), TransportError, "maybe", 1, None), id="stall-in-body"),
    pytest.param(Fault(Answer(fault="drip"), TransportError, "maybe", 1, 1), id="drip-of-headers"),
    pytest.param(Fault(Answer(fault="drip_body", body=b"x" * 99), TransportError, "maybe", 1, 1), id="drip-of-body"),
    pytest.param(Fault(Answer(fault="truncate", body=b"x" * 99), TransportError, "maybe", 1, 2), id="truncated"),
    pytest.param(Fault(gzip_bomb(10_000_000), ProtocolError, None, 1, 1), id="gzip-bomb"),
    pytest.param(Fault(Answer(body=b"x" * 5000), ProtocolError, None, 1, 1), id="oversized"),
    pytest.param(Fault(Answer(body=b"x" * 5000, chunked=True), ProtocolError, None, 1, 1), id="oversized-in-chunks"),
    pytest.param(Fault(Answer(body=b"no gzip", headers=GZIP), ProtocolError, None, 1, 1), id="no-gzip"),
    pytest.param(
        Fault(Answer(body=gzip.compress(b"{}")[:-9], headers=GZIP), ProtocolError, None, 1, 1), id="half-a-gzip"
    ),
    pytest.param(
        Fault(Answer(body=gzip.compress(b"{}") + b"x" * 100, headers=GZIP), ProtocolError, None, 1, 1),
        id="gzip-and-more",
    ),
    pytest.param(
        Fault(Answer(headers=(("Content-Encoding", "gzip, gzip"),)), ProtocolError, None, 1, 1), id="unknown-encoding"
    ),
]


@pytest.mark.anyio
@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_gives_our_error_inside_the_deadline(
    server: FaultServer, library: Library, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a server does, an error of ours comes in time; a code arrives once, a machine's request again."""
    server.answer(fault.answer)
    limit(monkeypatch, fault.answer)
    async with new_client(library) as borrowed:
        transport = Transport(borrowed)
        for build, times in ((code_request, fault.codes), (machine_request, fault.machines)):
            server.received.clear()
            started = time.monotonic()
            with pytest.raises(fault.error) as raised:
                await transport.send(build(server.url))
            assert time.monotonic() - started < 10
            assert getattr(raised.value, "sent", None) == fault.sent
            assert times is None or server.count == times
            assert_nothing_foreign(raised.value)
        server.answer(Answer())
        monkeypatch.setattr(_exchange, "LIMITS", dict.fromkeys(Endpoint, PATIENT))
        assert (await transport.send(code_request(server.url))).status == 200


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_gives_our_error_inside_the_deadline_without_an_event_loop(
    server: FaultServer, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for the synchronous transport, with its own clients."""
    server.answer(fault.answer)
    limit(monkeypatch, fault.answer)
    for build, times in ((code_request, fault.codes), (machine_request, fault.machines)):
        server.received.clear()
        started = time.monotonic()
        with pytest.raises(fault.error) as raised:
            SyncTransport().send(build(server.url))
        assert time.monotonic() - started < 10
        assert getattr(raised.value, "sent", None) == fault.sent
        assert times is None or server.count == times
        assert_nothing_foreign(raised.value)


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("fault", ["drip", "drip_body"])
def test_no_thread_outlives_its_deadline(server: FaultServer, fault: Literal["drip", "drip_body"]) -> None:
    """The connection is shut down with the deadline, which ends the thread that reads from it."""
    before = set(threading.enumerate())
    server.answer(Answer(fault=fault, body=b"x" * 99, pause=0.2))
    with pytest.raises(TransportError):
        SyncTransport().send(keys_request(server.url), at_most=1)
    for worker in set(threading.enumerate()) - before:
        if "(work)" in worker.name:
            worker.join(30)
            assert not worker.is_alive()
    assert server.count == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(body=gzip.compress(b'{"a": 1}'), headers=GZIP), id="gzip"),
        pytest.param(Answer(body=gzip.compress(b'{"a": 1}'), headers=(("Content-Encoding", "X-GZip"),)), id="x-gzip"),
        pytest.param(Answer(body=b'{"a": 1}', chunked=True), id="chunks"),
        pytest.param(Answer(body=b'{"a": 1}', fault="drip_body", pause=0.001), id="drip"),
        pytest.param(Answer(body=b'{"a": 1}', headers=(("Content-Encoding", ""),)), id="empty-encoding"),
    ],
)
async def test_body_is_read_in_whatever_form_it_comes(server: FaultServer, library: Library, answer: Answer) -> None:
    """An answer that was compressed without being asked, or comes in pieces, is read."""
    server.answer(answer)
    async with new_client(library) as borrowed:
        assert (await Transport(borrowed).send(code_request(server.url))).body == b'{"a": 1}'


@pytest.mark.anyio
async def test_empty_body_that_claims_to_be_compressed_is_empty(server: FaultServer) -> None:
    """A 200 or 304 without a body is no broken gzip, whatever a cache in between left in its headers."""
    server.answer(Answer(status=200, body=b"", headers=GZIP))
    async with new_client(httpx) as borrowed:
        assert (await Transport(borrowed).send(keys_request(server.url))).body == b""


@pytest.mark.anyio
async def test_what_follows_a_gzip_is_not_collected(server: FaultServer, library: Library) -> None:
    """A server that goes on after the end of its gzip is left at once, and its bytes are not kept."""
    server.answer(Answer(body=gzip.compress(b"{}") + b"x" * 50_000_000, headers=GZIP))
    async with new_client(library) as borrowed:
        started = time.monotonic()
        with pytest.raises(ProtocolError):
            await Transport(borrowed).send(code_request(server.url))
        assert time.monotonic() - started < 10


@pytest.mark.anyio
async def test_repeated_headers_are_joined(server: FaultServer, library: Library) -> None:
    """A header that comes twice has both values, so that nobody chooses the wrong one unseen."""
    server.answer(Answer(headers=(("X-A", "1"), ("x-a", "2"))))
    async with new_client(library) as borrowed:
        assert (await Transport(borrowed).send(code_request(server.url))).headers["x-a"] == "1, 2"


@pytest.mark.anyio
async def test_refused_connection_was_not_sent(library: Library) -> None:
    """Where nobody listens nothing was sent; the message says what to check and holds nothing secret."""
    with unreachable() as url:
        async with new_client(library) as borrowed:
            with pytest.raises(TransportError) as raised:
                await Transport(borrowed).send(code_request(url))
    assert (raised.value.sent, raised.value.endpoint, raised.value.retryable) == ("no", "token", True)
    assert "127.0.0.1" in raised.value.explain()[0]
    assert_nothing_foreign(raised.value)


def test_refused_connection_was_not_sent_without_an_event_loop() -> None:
    """The same for the synchronous transport."""
    with unreachable() as url, pytest.raises(TransportError) as raised:
        SyncTransport().send(code_request(url))
    assert raised.value.sent == "no"
    assert_nothing_foreign(raised.value)


@pytest.mark.anyio
@pytest.mark.usefixtures("no_waits")
async def test_code_is_sent_again_where_it_never_left(library: Library) -> None:
    """A code that could not be sent is sent when the server is there at the second attempt."""
    with FaultServer() as server:
        attempts = 0

        class Flaky(library.AsyncHTTPTransport):  # type: ignore[misc]  # of either library
            async def handle_async_request(self, request: Foreign) -> Foreign:
                nonlocal attempts
                attempts += 1
                if attempts == 1:
                    raise library.ConnectError("no route")
                return await super().handle_async_request(request)

        async with new_client(library, transport=Flaky()) as borrowed:
            assert (await Transport(borrowed).send(code_request(server.url))).status == 200
        assert (attempts, server.count) == (2, 1)


@pytest.mark.anyio
async def test_deadline_while_connecting_says_that_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch, library: Library
) -> None:
    """A server that takes connections and never shakes hands got no code, even when all the time is used up."""
    monkeypatch.setitem(_exchange.LIMITS, Endpoint.TOKEN, SHORT._replace(connect=0.2, total=0.25))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with new_client(library) as borrowed:
            with pytest.raises(TransportError) as raised:
                await Transport(borrowed).send(code_request(f"https://127.0.0.1:{silent.getsockname()[1]}"))
    assert raised.value.sent == "no"


def test_deadline_while_connecting_says_that_nothing_was_sent_without_an_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same for the synchronous transport."""
    monkeypatch.setitem(_exchange.LIMITS, Endpoint.TOKEN, SHORT._replace(connect=0.2, total=0.25))
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TransportError) as raised:
        SyncTransport().send(code_request(f"https://127.0.0.1:{silent.getsockname()[1]}"))
    assert raised.value.sent == "no"


@pytest.mark.anyio
async def test_exception_of_a_strange_client_becomes_ours(library: Library) -> None:
    """Whatever a client of that shape raises, a TransportError comes out that does not hold it."""

    def fail(request: Foreign) -> Foreign:
        raise ValueError(f"strange {SECRET}", request)

    async with new_client(library, transport=library.MockTransport(fail)) as borrowed:
        with pytest.raises(TransportError) as raised:
            await Transport(borrowed).send(code_request("https://login.example"))
    assert raised.value.sent == "maybe"
    assert_nothing_foreign(raised.value)


# --- repetitions ------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_passing_refusal_is_tried_again_where_that_does_no_harm(
    server: FaultServer, library: Library, status: int
) -> None:
    """A machine's request is sent again after a passing refusal, a code or a refresh token is not."""
    async with new_client(library) as borrowed:
        transport = Transport(borrowed)
        server.answer(Answer(status=status), Answer())
        assert (await transport.send(machine_request(server.url))).status == 200
        assert server.count == 2
        server.answer(Answer(status=status), Answer())
        assert (await transport.send(code_request(server.url))).status == status
        assert server.count == 3


@pytest.mark.anyio
@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 501])
async def test_definite_refusal_is_not_tried_again(server: FaultServer, status: int) -> None:
    """An answer that means something is returned as it is."""
    server.answer(Answer(status=status), Answer())
    async with new_client(httpx) as borrowed:
        assert (await Transport(borrowed).send(machine_request(server.url))).status == status
    assert server.count == 1


@pytest.mark.anyio
@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("status", [500, 501, 505, 520, 529])
async def test_key_set_is_asked_for_again_after_any_server_error(server: FaultServer, status: int) -> None:
    """Whatever happened to the server of a file, it may be over the next time."""
    server.answer(Answer(status=status), Answer())
    async with new_client(httpx) as borrowed:
        assert (await Transport(borrowed).send(keys_request(server.url))).status == 200
    assert server.count == 2


@pytest.mark.anyio
async def test_last_refusal_is_returned(server: FaultServer, library: Library) -> None:
    """When the attempts are used up the last answer comes back, for the parser to explain."""
    server.answer(Answer(status=503), Answer(status=502), Answer(status=429, body=b'{"error": "slow_down"}'))
    async with new_client(library) as borrowed:
        response = await Transport(borrowed).send(machine_request(server.url))
    assert (response.status, response.body, server.count) == (429, b'{"error": "slow_down"}', 3)


@pytest.mark.anyio
async def test_retry_after_is_honoured(server: FaultServer) -> None:
    """The server's own wait is kept before the next attempt, also a wait of nothing."""
    async with new_client(httpx) as borrowed:
        server.answer(Answer(status=429, headers=(("Retry-After", "1"),)), Answer())
        started = time.monotonic()
        assert (await Transport(borrowed).send(machine_request(server.url))).status == 200
        assert time.monotonic() - started >= 1.0
        server.answer(Answer(status=503, headers=(("Retry-After", "0"),)), Answer())
        assert (await Transport(borrowed).send(machine_request(server.url))).status == 200
    assert server.count == 4


@pytest.mark.anyio
async def test_retry_after_beyond_the_deadline_is_not_waited_for(server: FaultServer) -> None:
    """A wait that does not fit into the deadline is told to the caller at once."""
    server.answer(Answer(status=429, headers=(("Retry-After", "60"),)))
    async with new_client(httpx) as borrowed:
        started = time.monotonic()
        assert (await Transport(borrowed).send(machine_request(server.url))).headers["retry-after"] == "60"
    assert (server.count, time.monotonic() - started < 30) == (1, True)


def test_a_repetition_is_no_news_on_the_terminal(server: FaultServer) -> None:
    """The library stamina warns of each; in a program that sets up no logging Python would print it."""
    program = (
        "import asyncio, sys\n"
        "from cognito_oidc import CognitoClient, UserPool\n"
        "pool = UserPool('eu-west-1_AbC123', domain='acme', endpoint_url=sys.argv[1])\n"
        "asyncio.run(CognitoClient(pool, client_id='abc').userinfo('a', expected_sub=None))\n"
    )
    server.answer(Answer(status=503), Answer(body=b'{"sub": "x"}'))
    done = subprocess.run([sys.executable, "-c", program, server.url], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr, server.count) == ("", "", 2)


def test_repetitions_without_an_event_loop(server: FaultServer) -> None:
    """The synchronous transport tries again by the same rules."""
    transport = SyncTransport()
    server.answer(Answer(status=503), Answer(fault="reset"), Answer())
    assert transport.send(machine_request(server.url)).status == 200
    server.answer(Answer(status=503), Answer())
    assert transport.send(code_request(server.url)).status == 503
    server.answer(Answer(status=429, headers=(("Retry-After", "60"),)))
    assert transport.send(keys_request(server.url)).status == 429
    assert server.count == 5


@pytest.mark.anyio
async def test_attempts_and_time_can_be_cut(server: FaultServer) -> None:
    """A caller may allow fewer attempts and less time than the endpoint's own."""
    async with new_client(httpx) as borrowed:
        transport = Transport(borrowed)
        server.answer(Answer(status=503))
        assert (await transport.send(keys_request(server.url), attempts=1)).status == 503
        assert server.count == 1
        server.answer(Answer(fault="stall"))
        started = time.monotonic()
        with pytest.raises(TransportError):
            await transport.send(keys_request(server.url), at_most=0.2)
        assert time.monotonic() - started < 4


def test_limits_are_those_of_the_design() -> None:
    """Connect 5 s, read 10 s, 15 s in all, 1 MiB; token answers 256 KiB; keys 2, 3 and 5 s, 64 KiB, one repetition."""
    usual = Limits(5, 10, 15, 1024 * 1024, 3)
    own = {
        Endpoint.JWKS: Limits(2, 3, 5, 64 * 1024, 2),
        Endpoint.TOKEN: Limits(5, 10, 15, 256 * 1024, 3),
    }
    assert {**dict.fromkeys(Endpoint, usual), **own} == _exchange.LIMITS


@pytest.mark.anyio
async def test_limits_reach_the_http_library(library: Library) -> None:
    """Each attempt carries its own time limits, whatever the borrowed client's are."""
    seen: list[dict[str, float]] = []

    def answer(request: Foreign) -> Foreign:
        seen.append(request.extensions["timeout"])
        return library.Response(200)

    async with new_client(library, timeout=None, transport=library.MockTransport(answer)) as borrowed:
        await Transport(borrowed).send(keys_request("https://idp.example"))
    pool = seen[0].pop("pool")
    assert seen == [{"connect": 2.0, "read": 3.0, "write": 3.0}]
    assert 1.0 <= pool <= 2.0


# --- our own client ---------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_own_client_is_made_at_the_first_send_kept_and_closed(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made before it is needed; one client serves all sends of an event loop; closing closes it."""
    made: list[httpx.AsyncClient] = []
    monkeypatch.setattr(httpx, "AsyncClient", _counted(httpx.AsyncClient, made))
    transport = Transport()
    assert made == []
    await transport.send(code_request(server.url))
    await transport.send(code_request(server.url))
    assert (len(made), server.connections) == (1, 1)
    await transport.aclose()
    await transport.aclose()
    assert made[0].is_closed


@pytest.mark.anyio
async def test_nobody_waits_for_a_connection_of_our_own_client(server: FaultServer) -> None:
    """Two hundred exchanges at once have two hundred connections, where httpx alone would stop at a hundred."""
    server.answer(Answer(delay=0.3))
    transport = Transport()
    async with anyio.create_task_group() as tasks:
        for _ in range(200):
            tasks.start_soon(transport.send, code_request(server.url))
    assert (server.count, server.connections) == (200, 200)
    await transport.aclose()


def _counted(kind: Callable[..., httpx.AsyncClient], made: list[httpx.AsyncClient]) -> Callable[..., httpx.AsyncClient]:
    def make(**options: Foreign) -> httpx.AsyncClient:
        made.append(kind(**options))
        return made[-1]

    return make


def test_own_client_works_in_one_event_loop_after_another(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transport outlives its event loops: each gets a client, which ends with it, and nobody is warned."""
    made: list[httpx.AsyncClient] = []
    monkeypatch.setattr(httpx, "AsyncClient", _counted(httpx.AsyncClient, made))
    transport = Transport()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            assert asyncio.run(transport.send(code_request(server.url))).status == 200
        anyio.run(transport.send, code_request(server.url), backend="trio")
        assert len(made) == 4
        assert all(client.is_closed for client in made)
        assert len(transport._own) == 1
        del transport
        gc.collect()


def test_own_client_serves_several_event_loops_at_once(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Event loops in threads have a client each, and keep it however they alternate."""
    made: list[httpx.AsyncClient] = []
    monkeypatch.setattr(httpx, "AsyncClient", _counted(httpx.AsyncClient, made))
    transport = Transport()
    together = threading.Barrier(4)

    async def many() -> None:
        for _ in range(5):
            together.wait()
            assert (await transport.send(code_request(server.url))).status == 200

    threads = [threading.Thread(target=asyncio.run, args=(many(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (server.count, len(made), server.connections) == (20, 4, 4)


def test_tls_context_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A further client does not pay for a TLS context again."""
    monkeypatch.setattr(_transport, "_context", None)
    context = _transport.ssl_context()
    assert isinstance(context, ssl.SSLContext)
    assert _transport.ssl_context() is context


@pytest.mark.anyio
async def test_answer_in_memory_is_bounded_too() -> None:
    """A mocked answer that is too large is refused like one off the wire."""
    big = httpx.MockTransport(lambda _: httpx.Response(200, content=b"x" * 70_000))
    async with new_client(httpx, transport=big) as borrowed:
        with pytest.raises(ProtocolError, match="larger"):
            await Transport(borrowed).send(keys_request("https://idp.example"))


@pytest.mark.anyio
@pytest.mark.usefixtures("no_waits")
# httpx leaves the generator of a request's body behind when it is cut off in it, and trio tells.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_pool_is_healthy_after_a_storm_of_deadlines(
    server: FaultServer, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exchanges that ran into the deadline, more than the pool has connections, leave it as good as new."""
    dripping = Answer(fault="drip")
    server.answer(dripping)
    limit(monkeypatch, dripping)
    limits = library.Limits(max_connections=5, max_keepalive_connections=5)
    async with new_client(library, limits=limits) as borrowed:
        transport = Transport(borrowed)

        async def fail() -> None:
            with pytest.raises(TransportError):
                await transport.send(code_request(server.url))

        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(fail)
        server.answer(Answer())
        monkeypatch.setattr(_exchange, "LIMITS", dict.fromkeys(Endpoint, PATIENT))
        for _ in range(3):
            assert (await transport.send(code_request(server.url))).status == 200


def assert_is_answer(response: HttpResponse) -> None:
    """Check that an answer is whole."""
    assert (response.status, response.body) == (200, b"{}")
