"""The token of a source on the requests that may have it, with both HTTP libraries."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from cognito_oidc.emulator import CognitoEmulator
from cognito_oidc.errors import ConfigurationError, TransportError
from cognito_oidc.integrations.httpx_auth import BearerAuth, bearer_auth_for_httpx2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from cognito_oidc import TokenSource
    from cognito_oidc.emulator import EmulatedPool, KeyStock

pytestmark = pytest.mark.anyio

API: Final = "https://api.acme.com"


class Api:
    """Stands behind every host, and notes what came: where it was sent, with which header, and how long the body was.

    Attributes:
        accepts: The tokens that it takes; None for all.
        redirects: Where to send requests to, by path.
    """

    def __init__(self, library: Any) -> None:  # noqa: ANN401 - the module of either library
        self.library = library
        self.seen: list[tuple[str, str | None, bytes]] = []
        self.accepts: set[str] | None = None
        self.redirects: dict[str, str] = {}

    async def __call__(self, request: Any) -> Any:  # noqa: ANN401
        header = request.headers.get("Authorization")
        self.seen.append((f"{request.url.host}{request.url.path}", header, await request.aread()))
        if request.url.path in self.redirects:
            return self.library.Response(307, headers={"Location": self.redirects[request.url.path]})
        if self.accepts is not None and (header or "").removeprefix("Bearer ") not in self.accepts:
            return self.library.Response(401, content=b"who are you?")
        return self.library.Response(200, content=_chunks())

    def headers(self) -> list[str | None]:
        return [header for _, header, _ in self.seen]


async def _chunks() -> AsyncIterator[bytes]:
    for number in range(3):
        yield b"%d" % number


class Stage:
    """An API, a client of one of the libraries for it, and a machine's source."""

    def __init__(self, name: str, key_stock: KeyStock) -> None:
        self.aws = CognitoEmulator(key_stock=key_stock)
        pool: EmulatedPool = self.aws.add_pool("eu-west-1_AbC123", domain="acme")
        scopes = pool.add_resource_server("orders", scopes=["read"])
        self.source = pool.add_client("job", grants=["client_credentials"], scopes=scopes).client()
        self.library = importlib.import_module(name)
        self.api = Api(self.library)

    def machine(self) -> TokenSource:
        return self.source.client_credentials_source()

    def auth(self, *hosts: str) -> Any:  # noqa: ANN401
        make: Callable[..., Any] = BearerAuth if self.library.__name__ == "httpx" else bearer_auth_for_httpx2
        return make(self.machine(), hosts=hosts)

    def client(self, *hosts: str, **options: Any) -> Any:  # noqa: ANN401
        transport = self.library.MockTransport(self.api)
        return self.library.AsyncClient(transport=transport, auth=self.auth(*(hosts or ("api.acme.com",))), **options)


@pytest.fixture(params=["httpx", "httpx2"])
def stage(request: pytest.FixtureRequest, cognito_key_stock: KeyStock) -> Stage:
    """Give it for one of the libraries."""
    return Stage(request.param, cognito_key_stock)


@pytest.mark.parametrize(
    ("host", "url", "gets"),
    [
        pytest.param("api.acme.com", f"{API}/orders", True, id="named"),
        pytest.param("API.Acme.COM", f"{API}/orders", True, id="in capitals"),
        pytest.param("api.acme.com", "https://API.ACME.COM/orders", True, id="asked in capitals"),
        pytest.param("api.acme.com", "https://api.acme.com:443/orders", True, id="its usual port"),
        pytest.param("api.acme.com:443", f"{API}/orders", True, id="the usual port named"),
        pytest.param("api.acme.com", "https://api.acme.com:8443/orders", False, id="another port"),
        pytest.param("api.acme.com:8443", "https://api.acme.com:8443/orders", True, id="the port named"),
        pytest.param("api.acme.com:8443", f"{API}/orders", False, id="another port named"),
        pytest.param("acme.com", f"{API}/orders", False, id="below it"),
        pytest.param("api.acme.com", "https://xapi.acme.com/", False, id="ends alike"),
        pytest.param("api.acme.com", "https://api.acme.com.evil.example/", False, id="begins alike"),
        pytest.param("api.acme.com", "https://api.acme.com@evil.example/", False, id="as a user's name"),
        pytest.param("bücher.example", "https://bücher.example/", True, id="not in ASCII"),
        pytest.param("xn--bcher-kva.example", "https://bücher.example/", True, id="in ASCII"),
        pytest.param("localhost:8000", "http://localhost:8000/", True, id="loopback in the clear"),
        pytest.param("127.0.0.1", "http://127.0.0.1/", True, id="loopback by address"),
        pytest.param("[::1]:8000", "http://[::1]:8000/", True, id="loopback by IPv6"),
        pytest.param("localhost", "http://localhost:8000/", False, id="loopback, another port"),
    ],
)
async def test_who_gets_the_token(stage: Stage, host: str, url: str, gets: bool) -> None:
    """The hosts that are named in full, at their port, and nobody else."""
    async with stage.client(host) as client:
        assert (await client.get(url)).content == b"012"
    token = (await stage.machine().token()).value
    assert stage.api.headers() == [f"Bearer {token}" if gets else None]


async def test_no_token_in_the_clear(stage: Stage) -> None:
    """A named host without TLS is an error, and nothing is sent."""
    async with stage.client() as client:
        with pytest.raises(ConfigurationError, match="https"):
            await client.get("http://api.acme.com/")
        with pytest.raises(ConfigurationError):
            await client.get("ftp://api.acme.com:443/")
    assert stage.api.seen == []


@pytest.mark.parametrize(
    "hosts",
    ["api.acme.com", (), [""], ["*.acme.com"], ["*"], [API], ["api.acme.com/"], ["user@api.acme.com"], ["a b"], [7],
     ["api.acme.com:"], ["api.acme.com:x"], [":443"], ["[::1"], ["a,b"], [None]],
)  # fmt: skip
async def test_what_is_no_host(stage: Stage, hosts: Any) -> None:  # noqa: ANN401
    """A wildcard, an address or a typing error never becomes a host by accident."""
    with pytest.raises(ConfigurationError, match="hosts"):
        BearerAuth(stage.machine(), hosts=hosts)


async def test_what_is_no_source(stage: Stage) -> None:
    """A token, or the tokens, are no source."""
    with pytest.raises(ConfigurationError, match="TokenSource"):
        BearerAuth("eyJ", hosts={"api.acme.com"})  # type: ignore[arg-type]


async def test_header_of_the_caller_stays(stage: Stage) -> None:
    """Whoever has set the header has said what to send, and a 401 is theirs."""
    stage.api.accepts = set()
    async with stage.client() as client:
        answer = await client.get(API, headers={"Authorization": "Basic YQ=="})
    assert (answer.status_code, stage.api.headers()) == (401, ["Basic YQ=="])
    assert stage.aws.count("token") == 0


async def test_refused_token_is_replaced_once(stage: Stage) -> None:
    """After a 401 the same request is sent with a new token, body and all; a second 401 is the answer."""
    first = (await stage.machine().token()).value
    stage.api.accepts = set()
    async with stage.client() as client:
        answer = await client.post(f"{API}/orders", content=b"body")
        assert (answer.status_code, answer.content) == (401, b"who are you?")
        second = (await stage.machine().token()).value
        assert second != first
        assert stage.api.seen == [
            ("api.acme.com/orders", f"Bearer {first}", b"body"),
            ("api.acme.com/orders", f"Bearer {second}", b"body"),
        ]
        stage.api.accepts = {second}
        assert (await client.post(f"{API}/orders", json={"a": 1})).status_code == 200
    assert stage.aws.count("token") == 2


async def test_api_that_refuses_everything_costs_no_storm(stage: Stage) -> None:
    """Twenty calls that are all refused, whatever they bring, are two token requests."""
    stage.api.accepts = set()
    async with stage.client() as client:
        for _ in range(20):
            assert (await client.get(API)).status_code == 401
    assert stage.aws.count("token") == 2


async def test_many_refused_at_once_share_the_new_token(stage: Stage) -> None:
    """When a token is withdrawn, all requests under way get the one that replaces it."""
    await stage.machine().token()
    stage.api.accepts = set()
    statuses = []

    async def call(client: Any) -> None:  # noqa: ANN401
        statuses.append((await client.get(API)).status_code)
        stage.api.accepts = None

    async with stage.client() as client, anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(call, client)
    assert stage.aws.count("token") == 2


async def test_stream_is_sent_once(stage: Stage) -> None:
    """A body that cannot be sent again is not: the 401 is the answer, and the next request has a new token."""
    first = (await stage.machine().token()).value
    stage.api.accepts = set()
    async with stage.client() as client:
        answer = await client.post(API, content=_chunks())
    assert (answer.status_code, stage.api.seen) == (401, [("api.acme.com/", f"Bearer {first}", b"012")])
    assert (await stage.machine().token()).value != first


async def test_streams_pass_unharmed(stage: Stage) -> None:
    """Bodies and answers are not read ahead: an answer's first part is there before its last."""
    async with stage.client() as client, client.stream("POST", API, content=_chunks()) as answer:
        assert not answer.is_stream_consumed
        assert [part async for part in answer.aiter_raw()] == [b"0", b"1", b"2"]
    assert stage.api.seen[0][2] == b"012"


@pytest.mark.parametrize(
    ("to", "header"),
    [
        pytest.param(f"{API}/there", True, id="same host"),
        pytest.param("https://other.acme.com/there", False, id="another host"),
        pytest.param("https://api.acme.com:8443/there", False, id="another port"),
        pytest.param("http://api.acme.com/there", False, id="without TLS"),
    ],
)
async def test_redirect(stage: Stage, to: str, header: bool) -> None:
    """A redirect takes the token along to the same host alone."""
    stage.api.redirects = {"/here": to}
    async with stage.client(follow_redirects=True) as client:
        assert (await client.get(f"{API}/here")).status_code == 200
    first, second = stage.api.headers()
    assert first is not None
    assert second == (first if header else None)


async def test_401_of_another_host_says_nothing_about_the_token(stage: Stage) -> None:
    """Whoever a request was redirected to cannot make us throw tokens away."""
    stage.api.redirects, stage.api.accepts = {"/here": "https://other.example/"}, set()
    async with stage.client(follow_redirects=True) as client:
        for _ in range(3):
            assert (await client.get(f"{API}/here")).status_code == 401
    assert stage.aws.count("token") == 1


async def test_error_of_the_source_is_the_callers(stage: Stage) -> None:
    """Where no token can be had nothing is sent to the API, and the error says why."""
    stage.aws.fail_next("token", status=503, times=9)
    async with stage.client() as client:
        with pytest.raises(TransportError):
            await client.get(API)
    assert stage.api.seen == []


async def test_synchronous_client_is_refused(stage: Stage) -> None:
    """It cannot wait for a source; it says so, and sends nothing."""
    transport = stage.library.MockTransport(lambda request: stage.library.Response(200))
    client = stage.library.Client(transport=transport, auth=stage.auth("api.acme.com"))
    with client, pytest.raises(ConfigurationError, match="AsyncClient"):
        client.get(API)
    assert "api.acme.com" in repr(stage.auth("api.acme.com"))
