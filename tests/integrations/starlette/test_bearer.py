"""Bearer tokens in the real Starlette, over its ASGI transport, against the emulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

from cognito_oidc import AccessTokenClaims, MultiPoolVerifier, SyncTokenVerifier, TokenVerifier
from cognito_oidc.errors import ConfigurationError
from cognito_oidc.integrations.starlette import BearerBackend, BearerUser, require_token
from tests.factories import access_payload

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.websockets import WebSocket

    from cognito_oidc.emulator import CognitoEmulator, EmulatedPool
    from cognito_oidc.testing import IssueAccessToken

pytestmark = pytest.mark.anyio

Get = Callable[..., Any]


async def whoami(request: Request) -> JSONResponse:
    """Say who is asking."""
    scopes = [*request.auth.scopes]
    identity = request.user.identity if request.user.is_authenticated else ""  # older releases have none for nobody
    return JSONResponse({"name": request.user.display_name, "id": identity, "scopes": scopes})


async def orders(request: Request) -> JSONResponse:
    """Need a scope."""
    return JSONResponse({"of": require_token(request, scopes=["orders/read"]).sub})


async def admin(request: Request) -> JSONResponse:
    """Need a group."""
    return JSONResponse({"of": require_token(request, any_of_groups=["admins", "owners"]).username})


@requires("orders/read")
async def starlettes_own(request: Request) -> JSONResponse:
    """Need a scope, in Starlette's words."""
    return JSONResponse({})


async def live(websocket: WebSocket) -> None:
    """Need a scope before the handshake is accepted."""
    require_token(websocket, scopes=["orders/read"])
    await websocket.accept()
    await websocket.close()


ROUTES = [
    Route("/", whoami),
    Route("/orders", orders),
    Route("/admin", admin),
    Route("/own", starlettes_own),
    WebSocketRoute("/live", live),
]


@pytest.fixture
def app(cognito_emulator: CognitoEmulator, cognito_pool: EmulatedPool) -> Starlette:
    """Return an application that takes tokens of the pool."""
    verifier = TokenVerifier(
        cognito_pool.user_pool,
        client_ids=None,
        http_client=cognito_emulator.http_client(),
        clock=cognito_emulator.clock,
    )
    return Starlette(routes=ROUTES, middleware=[BearerBackend(verifier).middleware])


async def get(app: Starlette, path: str, *authorization: str) -> httpx.Response:
    """Ask an application for a path."""
    headers = [("Authorization", value) for value in authorization]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://api.example.com") as client:
        return await client.get(path, headers=headers)


async def test_a_good_token_says_who_is_asking(app: Starlette, issue_access_token: IssueAccessToken) -> None:
    """`request.user` and `request.auth` are Starlette's own, filled from the claims; the scheme is in any case."""
    token = issue_access_token("ann", scopes=["orders/read"])
    answer = await get(app, "/", f"bearer {token}")
    assert answer.json()["name"] == "ann"
    assert answer.json()["scopes"] == ["authenticated", "orders/read"]
    assert (await get(app, "/orders", f"Bearer {token}")).json() == {"of": answer.json()["id"]}
    assert (await get(app, "/own", f"Bearer {token}")).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [pytest.param((), id="nothing"), pytest.param(("Basic YTpi",), id="another scheme")],
)
async def test_without_a_token_a_request_is_nobodys(app: Starlette, authorization: tuple[str, ...]) -> None:
    """It reaches what is public, and is answered 401 with a challenge, and no error code, where somebody is needed."""
    assert (await get(app, "/", *authorization)).json() == {"name": "", "id": "", "scopes": []}
    answer = await get(app, "/orders", *authorization)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="api"'
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        pytest.param(["Bearer not.a.token"], 401, "malformed_token", id="no token"),
        pytest.param(["Bearer"], 401, "malformed_token", id="an empty one"),
        pytest.param(["Bearer a", "Bearer b"], 400, "invalid_request", id="two"),
        pytest.param(["Basic YTpi", "Bearer b"], 400, "invalid_request", id="two of two schemes"),
    ],
)
async def test_a_bad_request_is_refused_everywhere(
    app: Starlette, authorization: list[str], status: int, code: str
) -> None:
    """Also where nobody is needed: a caller that brings a token wants to be known."""
    answer = await get(app, "/", *authorization)
    assert (answer.status_code, answer.json()) == (status, {"error": code})
    assert answer.headers["www-authenticate"].startswith("Bearer error=")
    assert "retry-after" not in answer.headers


async def test_an_expired_token_is_401(
    app: Starlette, cognito_emulator: CognitoEmulator, issue_access_token: IssueAccessToken
) -> None:
    """The caller is told that its token is no longer good."""
    token = issue_access_token("ann")
    cognito_emulator.clock.advance(3601)
    answer = await get(app, "/", f"Bearer {token}")
    assert (answer.status_code, answer.json()) == (401, {"error": "expired_token"})


@pytest.mark.parametrize("path", [pytest.param("/orders", id="scope"), pytest.param("/admin", id="group")])
async def test_too_little_is_403(app: Starlette, path: str, issue_access_token: IssueAccessToken) -> None:
    """A good token that lacks something is no reason to log in again."""
    token = issue_access_token("ann", scopes=["openid"], groups=["staff"])
    answer = await get(app, path, f"Bearer {token}")
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"].startswith('Bearer error="insufficient_scope"')
    assert ('scope="orders/read"' in answer.headers["www-authenticate"]) is (path == "/orders")


async def test_a_group_opens(app: Starlette, issue_access_token: IssueAccessToken) -> None:
    """One of the groups is enough."""
    token = issue_access_token("ann", groups=["owners"])
    assert (await get(app, "/admin", f"Bearer {token}")).json() == {"of": "ann"}


async def test_keys_that_cannot_be_had_are_503(
    app: Starlette, cognito_emulator: CognitoEmulator, issue_access_token: IssueAccessToken
) -> None:
    """Nothing is said about the token, and the caller is told to come again."""
    token = issue_access_token("ann")
    cognito_emulator.fail_next("jwks", status=500, times=5)
    answer = await get(app, "/", f"Bearer {token}")
    assert (answer.status_code, answer.json()) == (503, {"error": "keys_unavailable"})
    assert int(answer.headers["retry-after"]) >= 1
    assert "www-authenticate" not in answer.headers


async def test_several_pools(cognito_emulator: CognitoEmulator, cognito_pool: EmulatedPool) -> None:
    """The issuer of the token chooses the verifier."""
    other = cognito_emulator.add_pool("eu-west-1_Testing02", domain="other")
    other.add_user("bob", password="correct horse")
    wire = cognito_emulator.http_client()
    pools = [TokenVerifier(each.user_pool, client_ids=None, http_client=wire) for each in (cognito_pool, other)]
    app = Starlette(routes=ROUTES, middleware=[BearerBackend(MultiPoolVerifier(pools)).middleware])
    token = other.issue_access_token("bob", client=other.add_client("web", redirect_uris=["https://app/cb"]))
    assert (await get(app, "/", f"Bearer {token}")).json()["name"] == "bob"


async def test_a_resource_is_held(
    cognito_emulator: CognitoEmulator, cognito_pool: EmulatedPool, issue_access_token: IssueAccessToken
) -> None:
    """With `resource=` only tokens that are bound to it are taken."""
    verifier = TokenVerifier(cognito_pool.user_pool, client_ids=None, http_client=cognito_emulator.http_client())
    backend = BearerBackend(verifier, resource="https://api.example.com")
    app = Starlette(routes=ROUTES, middleware=[backend.middleware])
    bound = issue_access_token("ann", resource="https://api.example.com")
    assert (await get(app, "/", f"Bearer {bound}")).status_code == 200
    assert (await get(app, "/", f"Bearer {issue_access_token('ann')}")).status_code == 401


async def websocket(app: Starlette, path: str, *authorization: str) -> list[str]:
    """Open a WebSocket over bare ASGI; return the types of what the application sent."""
    sent: list[str] = []
    headers = [(b"host", b"api.example.com"), *((b"authorization", value.encode()) for value in authorization)]
    scope = {"type": "websocket", "path": path, "headers": headers, "query_string": b"", "subprotocols": []}

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's own
        sent.append(message["type"])

    await app({**scope, "extensions": {"websocket.http.response": {}}}, receive, send)
    return sent


async def test_a_websocket_is_refused_before_it_is_accepted(
    app: Starlette, issue_access_token: IssueAccessToken
) -> None:
    """With the same words as a request, where the server can say them; a bad token closes it."""
    good = issue_access_token("ann", scopes=["orders/read"])
    assert (await websocket(app, "/live", f"Bearer {good}"))[0] == "websocket.accept"
    assert (await websocket(app, "/live"))[0] == "websocket.http.response.start"
    assert await websocket(app, "/live", "Bearer a.b.c") == ["websocket.close"]


async def test_another_backends_refusal_is_not_ours(app: Starlette) -> None:
    """`refuse` leaves to Starlette what it does not know."""
    from starlette.authentication import AuthenticationBackend, AuthenticationError

    from cognito_oidc.integrations.starlette._bearer import refuse

    class Strict(AuthenticationBackend):
        async def authenticate(self, conn: object) -> None:
            raise AuthenticationError("no")

    strict = Starlette(routes=ROUTES, middleware=[Middleware(AuthenticationMiddleware, Strict(), on_error=refuse)])
    assert (await get(strict, "/")).status_code == 400


@pytest.mark.parametrize("verifier", [pytest.param(None, id="nothing"), pytest.param("SyncTokenVerifier", id="sync")])
async def test_what_cannot_be_awaited_is_no_verifier(verifier: str | None, cognito_pool: EmulatedPool) -> None:
    """A synchronous verifier would block the event loop, and is refused at the start."""
    made = SyncTokenVerifier(cognito_pool.user_pool, client_ids=None) if verifier else None
    with pytest.raises(ConfigurationError, match="needs a TokenVerifier"):
        BearerBackend(made)  # type: ignore[arg-type]


async def test_what_is_put_together_wrongly_is_said(app: Starlette, issue_access_token: IssueAccessToken) -> None:
    """A forgotten middleware, and one text where several are wanted, are told to whoever wrote them."""
    with pytest.raises(ConfigurationError, match=r"add BearerBackend\(verifier\).middleware"):
        await get(Starlette(routes=ROUTES), "/orders")
    request = type("Request", (), {"scope": {"user": None}})()
    with pytest.raises(ConfigurationError, match="expected several names"):
        require_token(request, scopes="orders/read")


async def test_the_repr_of_a_user_shows_who_it_is(issue_access_token: IssueAccessToken, app: Starlette) -> None:
    """It is in logs sooner than one thinks, so it holds no more than the claims' own."""
    user = BearerUser(AccessTokenClaims(access_payload()))
    assert repr(user) == f"BearerUser({user.claims!r})"
    assert user.is_authenticated
