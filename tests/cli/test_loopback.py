import asyncio
import re
import socket
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from urllib.parse import urlsplit

import httpx
import pytest

from cognito_oidc.cli import loopback
from cognito_oidc.cli.loopback import LoopbackListener
from cognito_oidc.cli.loopback_page import Page
from cognito_oidc.errors import ConfigurationError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The command owns its event loop, asyncio."""
    return "asyncio"


@asynccontextmanager
async def browser(listener: LoopbackListener) -> AsyncIterator[httpx.AsyncClient]:
    """Be a browser that begins at the listener."""
    async with httpx.AsyncClient(base_url=listener.origin, trust_env=False) as client:
        yield client


async def raw(listener: LoopbackListener, text: bytes) -> bytes:
    """Send bytes and return all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(listener.origin).port)
    writer.write(text)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_expected_visit_ends_the_wait() -> None:
    """The whole address is returned; the browser's is without a code, and its page says that it is done."""
    async with LoopbackListener() as listener, browser(listener) as http:
        arrival = listener.expect(
            "/callback", state="s1", page=Page(heading="Signed in & done.", text="<b>Close</b> this.")
        )
        page = await http.get("/callback?code=c1&state=s1", follow_redirects=True)
        assert await arrival == f"{listener.origin}/callback?code=c1&state=s1"
    assert (page.status_code, page.url.path, page.url.query) == (200, "/done", b"")
    assert "<h1>Signed in &amp; done.</h1><p>&lt;b&gt;Close&lt;/b&gt; this.</p>" in page.text
    style = re.search(r"<style>(.*)</style>", page.text, re.DOTALL)
    assert style is not None
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    assert page.headers["content-security-policy"].startswith(f"default-src 'none'; style-src 'sha256-{digest}'; ")
    assert "c1" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.history[0].headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("/", id="root"),
        pytest.param("/favicon.ico", id="favicon"),
        pytest.param("/done", id="page-nobody-earned"),
        pytest.param("/callback", id="no-state"),
        pytest.param("/callback?code=c1&state=s2", id="wrong-state"),
        pytest.param("/callback?code=c1&state=", id="empty-state"),
        pytest.param("/callback?code=c1&state=s1&state=s1", id="two-states"),
        pytest.param("/callback?state=s1" + "&a=1" * 30, id="too-many-parameters"),
        pytest.param("/callback/?code=c1&state=s1", id="other-path"),
        pytest.param("//callback?code=c1&state=s1", id="two-slashes"),
    ],
)
async def test_stray_visit_changes_nothing(target: str) -> None:
    """Whatever was not expected gets 404, and the right visit is still waited for."""
    async with LoopbackListener() as listener, browser(listener) as http:
        arrival = listener.expect("/callback", state="s1", page=Page(heading="Done."))
        assert (
            await raw(listener, f"GET {target} HTTP/1.1\r\nHost: {http.base_url.netloc.decode()}\r\n\r\n".encode())
        ).startswith(b"HTTP/1.1 404 ")
        assert not arrival.done()
        await http.get("/callback?code=c1&state=s1", follow_redirects=True)
        assert arrival.done()


@pytest.mark.parametrize(
    "request_text",
    [
        pytest.param("GET /callback?state=s1 HTTP/1.1\r\nHost: evil.example\r\n\r\n", id="foreign-host"),
        pytest.param("GET /callback?state=s1 HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n", id="other-name"),
        pytest.param("GET /callback?state=s1 HTTP/1.1\r\n\r\n", id="no-host"),
        pytest.param("GET /callback?state=s1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: a\r\n\r\n", id="two-hosts"),
        pytest.param("POST /callback?state=s1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n", id="post"),
        pytest.param(
            "GET http://127.0.0.1/callback?state=s1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n", id="absolute"
        ),
        pytest.param("GET /callback?state=s1\r\nHost: 127.0.0.1:{port}\r\n\r\n", id="no-version"),
        pytest.param("GET /callback?state=s1\xff HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n", id="not-ascii"),
        pytest.param("\r\n\r\n", id="empty"),
    ],
)
async def test_foreign_request_is_refused(request_text: str) -> None:
    """A name that was pointed here, another method or a malformed request gets 404."""
    async with LoopbackListener() as listener:
        arrival = listener.expect("/callback", state="s1")
        port = urlsplit(listener.origin).port
        answer = await raw(listener, request_text.replace("{port}", str(port)).encode("latin-1"))
        assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
        assert not arrival.done()


@pytest.mark.parametrize("text", [b"", b"GET / HTTP/1.1\r\n", b"x" * 70_000], ids=["nothing", "half", "endless"])
async def test_what_is_no_request_gets_no_answer(text: bytes) -> None:
    """A connection that is opened for later, cut off or flooded is closed, and nothing is logged."""
    async with LoopbackListener() as listener, browser(listener) as http:
        with suppress(ConnectionError):
            assert await raw(listener, text) == b""
        assert (await http.get("/")).status_code == 404


async def test_slow_request_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who connects and says nothing is not waited for."""
    monkeypatch.setattr(loopback, "_PATIENCE", 0.05)
    async with LoopbackListener() as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(listener.origin).port)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        await writer.wait_closed()


async def test_visits_lead_on_to_each_other() -> None:
    """One navigation of the browser may bring several arrivals; the last one shows the page."""
    async with LoopbackListener() as listener, browser(listener) as http:
        first = listener.expect("/callback", state="s1", then=f"{listener.origin}/goodbye")
        second = listener.expect("/goodbye", state=None, page=Page(heading="Done."))
        page = await http.get("/callback?state=s1", follow_redirects=True)
        assert [urlsplit(await each).path for each in (first, second)] == ["/callback", "/goodbye"]
    assert "Done." in page.text


async def test_the_same_visit_counts_once() -> None:
    """A reloaded callback is a stray one."""
    async with LoopbackListener() as listener, browser(listener) as http:
        arrival = listener.expect("/callback", state="s1", page=Page(heading="Done."))
        codes = [(await http.get("/callback?state=s1")).status_code for _ in range(2)]
        await http.get("/done")
    assert (codes, arrival.done()) == ([303, 404], True)


async def test_the_end_does_not_wait_for_ever_for_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that never fetches its last page does not hold the command up."""
    monkeypatch.setattr(loopback, "_LAST_PAGE", 0.05)
    async with asyncio.timeout(5):
        async with LoopbackListener() as listener, browser(listener) as http:
            arrival = listener.expect("/callback", state="s1")
            await http.get("/callback?state=s1")
            assert await arrival
    with pytest.raises(OSError, match=r"."):
        await asyncio.open_connection("127.0.0.1", urlsplit(listener.origin).port)


async def test_who_still_waits_at_the_end_is_cancelled() -> None:
    """Nobody waits for a listener that is gone, nor for a connection that says nothing."""
    async with LoopbackListener() as listener:
        arrival = listener.expect("/callback", state="s1")
        _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(listener.origin).port)
        await asyncio.sleep(0.05)
    assert arrival.cancelled()
    writer.close()
    await writer.wait_closed()


async def test_port_in_use_is_named() -> None:
    """The error says which port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1, port {port}"):
            async with LoopbackListener([f"http://127.0.0.1:{port}"]):
                pass


async def free_port() -> int:
    """Return a port that nobody listens on, on either address of localhost."""
    async with LoopbackListener(["http://localhost:0"]) as listener:
        port = urlsplit(listener.origin).port
    assert port is not None
    return port


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_localhost_is_both_addresses(address: str) -> None:
    """A browser may try either; the Host is the name that was registered."""
    async with LoopbackListener(["http://localhost:0"]) as listener:
        arrival = listener.expect("/callback", state="s1", page=Page(heading="Done."))
        port = urlsplit(listener.origin).port
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(f"GET /callback?state=s1 HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
        assert (await reader.read()).startswith(b"HTTP/1.1 303 ")
        writer.close()
        await writer.wait_closed()
        assert await arrival == f"http://localhost:{port}/callback?state=s1"


@pytest.mark.parametrize("taken", ["127.0.0.1", "::1"])
async def test_port_that_is_half_taken_is_not_used(taken: str) -> None:
    """Where another program has one of the two addresses it would be sent codes: the next port is taken."""
    family = socket.AF_INET6 if taken == "::1" else socket.AF_INET
    first, second = await free_port(), await free_port()
    with socket.create_server((taken, first), family=family):
        async with LoopbackListener([f"http://localhost:{first}", f"http://localhost:{second}"]) as listener:
            assert listener.origin == f"http://localhost:{second}"
        with pytest.raises(
            ConfigurationError, match=f"cannot listen on localhost, port {first}: Address already in use"
        ):
            async with LoopbackListener([f"http://localhost:{first}"]):
                pass


async def test_nobody_listens_beside_us() -> None:
    """While it waits, no other program gets either address of the port."""
    async with LoopbackListener(["http://localhost:0"]) as listener:
        port = urlsplit(listener.origin).port
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with pytest.raises(OSError, match="in use"):
                socket.create_server((address, port or 0), family=family)


async def test_ipv6_is_a_name_in_brackets() -> None:
    """A callback URL may be registered with the address of IPv6."""
    async with LoopbackListener(["http://[::1]:0"]) as listener, browser(listener) as http:
        arrival = listener.expect("/callback", state="s1", page=Page(heading="Done."))
        await http.get("/callback?state=s1", follow_redirects=True)
        assert (await arrival).startswith("http://[::1]:")


async def test_page_waits_for_the_outcome() -> None:
    """What the browser shows is how it went, and that is known when the code was exchanged."""
    async with LoopbackListener() as listener, browser(listener) as http:
        arrival = listener.expect("/callback", state="s1")
        visit = asyncio.create_task(http.get("/callback?state=s1", follow_redirects=True))
        await arrival
        await asyncio.sleep(0.05)
        assert not visit.done()
        listener.conclude(Page(heading="Not allowed", good=False))
        assert "<h1>Not allowed</h1>" in (await visit).text


async def test_page_of_a_failure_is_no_success() -> None:
    """Where the exchange ends in an error, the browser is not told that all is well, nor left waiting."""
    async with httpx.AsyncClient(trust_env=False) as http:
        listener = LoopbackListener()
        await listener.__aenter__()
        arrival = listener.expect("/callback", state="s1")
        visit = asyncio.create_task(http.get(f"{listener.origin}/callback?state=s1", follow_redirects=True))
        await arrival
        await listener.__aexit__(ConfigurationError, ConfigurationError("refused"), None)
        assert "<h1>That did not work</h1>" in (await visit).text
