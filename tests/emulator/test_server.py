import logging
import socket
import threading
from urllib.parse import urlsplit

import anyio
import httpx
import pytest

from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient
from cognito_oidc.emulator.server import _bind
from cognito_oidc.errors import ConfigurationError
from tests.emulator.support import CALLBACK, POOL_ID, authorize_url, claims_of, exchange, query_of

pytestmark = pytest.mark.anyio


async def test_a_login_over_the_network(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """The same pool is served under the base URL, with cookies for its path and an issuer below it."""
    async with aws.serve() as server, httpx.AsyncClient(trust_env=False) as http:
        root = f"{server.base_url}/orders"
        ann = aws.person("ann", "correct horse")
        code = query_of(await ann.follow(authorize_url(web, root=root)))["code"]
        tokens = (await exchange(http, web, code, root=root)).json()
        silent = query_of(await ann.follow(authorize_url(web, root=root, prompt="none")))
        page = await http.get(f"{root}/error")
        info = await http.get(f"{root}/oauth2/userInfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert claims_of(tokens["id_token"])["iss"] == f"{server.base_url}/{POOL_ID}"
    assert "code" in silent
    assert "Path=/orders;" in page.headers["set-cookie"]
    assert "Secure" not in page.headers["set-cookie"]
    assert info.json()["username"] == "ann"


async def test_a_server_does_not_hold_its_answers_back() -> None:
    """Its connections are without Nagle's algorithm, which asyncio switches off where the protocol is named alone."""
    with _bind("127.0.0.1", 0) as bound:
        assert bound.proto == socket.IPPROTO_TCP


async def test_the_server_is_on_loopback_and_ends(aws: CognitoEmulator) -> None:
    """It takes a free port of 127.0.0.1, and nothing of it is left afterwards."""
    async with aws.serve() as server:
        parts = urlsplit(server.base_url)
        assert aws.serves(f"{server.base_url}/orders/login")
        assert not aws.serves(f"{server.base_url}1/orders/login")
        stream = await anyio.connect_tcp("127.0.0.1", parts.port or 0)
        await stream.aclose()
    assert (parts.scheme, parts.hostname) == ("http", "127.0.0.1")
    assert not [thread for thread in threading.enumerate() if thread.name == "cognito-emulator"]
    assert not aws.serves(f"{server.base_url}/orders/login")
    with pytest.raises(OSError, match=r"."):
        await anyio.connect_tcp("127.0.0.1", parts.port or 0)


async def test_two_servers_of_one_emulator_share_the_pools(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """State belongs to the emulator, the issuer to the address."""
    async with aws.serve() as first, aws.serve() as second, httpx.AsyncClient(trust_env=False) as http:
        documents = [
            (await http.get(f"{server.base_url}/{POOL_ID}/.well-known/openid-configuration")).json()
            for server in (first, second)
        ]
    assert [each["issuer"] for each in documents] == [f"{server.base_url}/{POOL_ID}" for server in (first, second)]


async def test_a_port_that_is_taken_is_named(aws: CognitoEmulator) -> None:
    """The error says which address."""
    async with aws.serve() as server:
        port = urlsplit(server.base_url).port or 0
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1, port {port}"):
            async with aws.serve(port=port):
                pass


async def test_the_server_ends_when_the_block_fails(aws: CognitoEmulator) -> None:
    """An exception in the block passes through, and the thread ends."""
    with pytest.raises(LookupError):
        async with aws.serve():
            raise LookupError
    assert not [thread for thread in threading.enumerate() if thread.name == "cognito-emulator"]


async def test_requests_in_parallel_are_all_answered(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """The server's thread and the test's thread touch the state at once."""
    codes: list[str] = []

    async def sign_in(root: str) -> None:
        callback = await aws.person("ann", "correct horse").follow(authorize_url(web, root=root))
        codes.append(query_of(callback)["code"])

    async with aws.serve() as server, anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(sign_in, f"{server.base_url}/orders")
            group.start_soon(sign_in, "https://orders.auth.eu-west-1.amazoncognito.com")
    assert len(set(codes)) == 16
    assert aws.count("authorize") == 16


async def test_ipv6_loopback_is_a_url_too(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """An IPv6 address stands in brackets."""
    try:
        async with aws.serve(host="::1") as server:
            assert server.base_url.startswith("http://[::1]:")
            callback = await aws.person("ann", "correct horse").follow(
                authorize_url(web, root=f"{server.base_url}/orders")
            )
    except ConfigurationError as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert callback.startswith(CALLBACK)


async def test_the_server_logs_nothing_and_mutes_nobody(
    aws: CognitoEmulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Starting, answering and stopping leave no line, while another uvicorn of the process may speak."""
    for name in ("uvicorn", "uvicorn.error"):  # uvicorn's own configuration, of another test, turns these off
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
        monkeypatch.setattr(logging.getLogger(name), "disabled", False)
        caplog.set_level(logging.DEBUG, logger=name)
    async with aws.serve() as server, httpx.AsyncClient(trust_env=False) as http:
        await http.head(f"{server.base_url}/nothing")
        logging.getLogger("uvicorn.error").info("a server of somebody else")
    assert {record.message for record in caplog.records if record.name.startswith("uvicorn")} == {
        "a server of somebody else"
    }


async def test_the_server_shows_itself_without_state(aws: CognitoEmulator) -> None:
    """What is printed names the address."""
    async with aws.serve() as server:
        assert repr(server) == f"EmulatorServer({server.base_url!r})"
