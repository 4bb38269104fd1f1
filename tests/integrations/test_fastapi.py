"""The dependency of FastAPI, in a real application over ASGI, against the emulator."""

# No `from __future__ import annotations`: FastAPI reads the annotations of functions inside functions.
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Final

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Security, WebSocket
from fastapi.responses import JSONResponse
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from starlette.types import Message

from cognito_oidc import AccessTokenClaims, MultiPoolVerifier, SyncTokenVerifier, TokenVerifier, UserPool
from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool
from cognito_oidc.errors import ConfigurationError, ExpiredTokenError
from cognito_oidc.integrations.fastapi import AccessTokenBearer
from cognito_oidc.testing import IssueAccessToken, IssueIdToken

READ: Final = "orders/read"
WRITE: Final = "orders/write"
BARE: Final = 'Bearer realm="api"'


@pytest.fixture
def verifier(
    cognito_emulator: CognitoEmulator, cognito_pool: EmulatedPool, cognito_app_client: EmulatedAppClient
) -> TokenVerifier:
    """Return a verifier of the pool, over the emulator's wire and clock."""
    return TokenVerifier(
        cognito_pool.user_pool,
        client_ids=[cognito_app_client.client_id],
        http_client=cognito_emulator.http_client(),
        clock=cognito_emulator.clock,
    )


@pytest.fixture
def bearer(verifier: TokenVerifier) -> AccessTokenBearer:
    """Return the dependency."""
    return AccessTokenBearer(verifier, scopes={READ: "Read orders", WRITE: "Change orders"})


@pytest.fixture
def app(bearer: AccessTokenBearer) -> FastAPI:
    """Return an API: anybody of the app client, a scope, two scopes on the way, and groups."""
    app = FastAPI(title="Orders", version="1")

    @app.get("/me")
    async def me(caller: Annotated[AccessTokenClaims, Security(bearer)]) -> dict[str, str | None]:
        return {"username": caller.username, "type": type(caller).__name__}

    @app.get("/orders")
    async def orders(caller: Annotated[AccessTokenClaims, Security(bearer, scopes=[READ])]) -> str:
        return caller.sub

    async def changer(caller: Annotated[AccessTokenClaims, Security(bearer, scopes=[WRITE])]) -> str:
        return caller.sub

    @app.put("/orders")
    async def change(caller: Annotated[str, Security(changer, scopes=[READ])]) -> str:
        return caller

    clerks = bearer.requiring(any_of_groups=["clerks", "admins"])

    @app.delete("/orders")
    def clear(caller: Annotated[AccessTokenClaims, Security(clerks, scopes=[WRITE])]) -> list[str]:
        return list(caller.groups)

    return app


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the API."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://api.example.com") as client:
        yield client


def bearing(token: str) -> dict[str, str]:
    """Return the header of a request."""
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.anyio
async def test_a_good_token_becomes_typed_claims(
    api: httpx.AsyncClient, issue_access_token: IssueAccessToken, cognito_emulator: CognitoEmulator
) -> None:
    """The endpoint gets `AccessTokenClaims`; the keys are fetched once."""
    for _ in range(2):
        answer = await api.get("/me", headers=bearing(issue_access_token("ann")))
        assert (answer.status_code, answer.json()) == (200, {"username": "ann", "type": "AccessTokenClaims"})
    assert cognito_emulator.count("jwks") == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("headers", "status", "challenge"),
    [
        pytest.param([], 401, BARE, id="no header"),
        pytest.param([("Authorization", "Basic YW5uOmhvcnNl")], 401, BARE, id="another scheme"),
        pytest.param([("Authorization", "{token}")], 401, BARE, id="a token without a scheme"),
        pytest.param([("Cookie", "Authorization=Bearer {token}")], 401, BARE, id="a cookie"),
        pytest.param([("Proxy-Authorization", "Bearer {token}")], 401, BARE, id="another header"),
        pytest.param([("X-Authorization", "Bearer {token}")], 401, BARE, id="a header of one's own"),
        pytest.param([("Authorization", "bearer {token}")], 200, None, id="lower case"),
        pytest.param([("AUTHORIZATION", "BEARER {token}")], 200, None, id="upper case"),
        pytest.param([("Authorization", "Bearer  {token}")], 200, None, id="two spaces"),
        pytest.param([("Authorization", "Bearer")], 401, "invalid_token", id="only the scheme"),
        pytest.param([("Authorization", "Bearer ")], 401, "invalid_token", id="an empty token"),
        pytest.param([("Authorization", "Bearer {token} {token}")], 401, "invalid_token", id="two tokens"),
        pytest.param([("Authorization", "Bearer {token}, Bearer {token}")], 401, "invalid_token", id="joined headers"),
        pytest.param([("Authorization", "Bearer {token}x")], 401, "invalid_token", id="a longer signature"),
        pytest.param([("Authorization", "Bearer \u00e9.\u00e9.\u00e9")], 401, "invalid_token", id="no ASCII"),
        pytest.param([("Authorization", "Bearer " + "a" * 20_000)], 401, "invalid_token", id="a huge header"),
        pytest.param([("Authorization", "Bearer {token}")] * 2, 400, "invalid_request", id="the same header twice"),
        pytest.param(
            [("Authorization", "Bearer x"), ("authorization", "Bearer {token}")], 400, "invalid_request", id="two"
        ),
        pytest.param(
            [("Authorization", "Bearer {token}"), ("authorization", "")], 400, "invalid_request", id="and an empty one"
        ),
    ],
)
async def test_only_one_authorization_header_is_read(
    headers: list[tuple[str, str]],
    status: int,
    challenge: str | None,
    api: httpx.AsyncClient,
    issue_access_token: IssueAccessToken,
) -> None:
    """RFC 6750 sections 2.1 and 3.1, row by row: what counts as a token, and which challenge answers the rest."""
    token = issue_access_token("ann")
    sent = [(name.encode(), value.replace("{token}", token).encode("latin-1")) for name, value in headers]
    answer = await api.get("/me", headers=sent)
    assert answer.status_code == status
    told = answer.headers.get("www-authenticate")
    assert told == challenge if challenge in {None, BARE} else told.startswith(f'Bearer error="{challenge}", ')


@pytest.mark.anyio
async def test_a_token_in_the_url_or_the_body_is_none(
    api: httpx.AsyncClient, issue_access_token: IssueAccessToken
) -> None:
    """RFC 6750 sections 2.2 and 2.3 are not spoken: such tokens end up in logs, or come from any page."""
    token = issue_access_token("ann")
    in_url = await api.get("/me", params={"access_token": token})
    in_form = await api.request("GET", "/me", data={"access_token": token})
    assert [one.status_code for one in (in_url, in_form)] == [401, 401]
    assert [one.headers["www-authenticate"] for one in (in_url, in_form)] == [BARE, BARE]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "scopes", "groups", "status", "challenge"),
    [
        pytest.param("GET", [READ], [], 200, "", id="the scope"),
        pytest.param("GET", [WRITE], [], 403, f'scope="{READ}"', id="another scope"),
        pytest.param("GET", ["openid"], [], 403, f'scope="{READ}"', id="no custom scope"),
        pytest.param("PUT", [READ, WRITE], [], 200, "", id="both scopes"),
        pytest.param("PUT", [READ], [], 403, f'scope="{READ} {WRITE}"', id="one of both"),
        pytest.param("DELETE", [WRITE], ["clerks"], 200, "", id="scope and group"),
        pytest.param("DELETE", [WRITE], ["guests"], 403, "insufficient_scope", id="another group"),
        pytest.param("DELETE", [READ], ["clerks"], 403, f'scope="{WRITE}"', id="the group alone"),
    ],
)
async def test_scopes_and_groups(
    method: str,
    scopes: list[str],
    groups: list[str],
    status: int,
    challenge: str,
    *,
    api: httpx.AsyncClient,
    issue_access_token: IssueAccessToken,
) -> None:
    """A good token that lacks something is 403, and the challenge names the scopes of the whole chain."""
    token = issue_access_token("ann", scopes=scopes, groups=groups)
    answer = await api.request(method, "/orders", headers=bearing(token))
    assert answer.status_code == status
    assert challenge in answer.headers.get("www-authenticate", "")
    if status == 403:
        assert answer.json() == {"detail": "insufficient_scope"}


@pytest.mark.anyio
async def test_a_scope_cannot_break_the_challenge(
    app: FastAPI, api: httpx.AsyncClient, bearer: AccessTokenBearer, issue_access_token: IssueAccessToken
) -> None:
    """Whatever a developer names a scope, the header stays one line with its quotes in place."""
    odd = 'a"b\\\r\nX-Injected: y \u00fc'
    app.add_api_route("/odd", lambda: None, dependencies=[Security(bearer, scopes=[odd])])
    answer = await api.get("/odd", headers=bearing(issue_access_token("ann")))
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"].endswith('scope="a?b???X-Injected: y ?"')
    assert "x-injected" not in answer.headers


@pytest.mark.anyio
async def test_a_refusal_tells_the_caller_only_about_its_token(
    api: httpx.AsyncClient,
    cognito_pool: EmulatedPool,
    cognito_app_client: EmulatedAppClient,
    issue_access_token: IssueAccessToken,
) -> None:
    """Neither the token nor the app clients that may call are in the answer to a token of another one."""
    stranger = cognito_pool.add_client("stranger", redirect_uris=["http://localhost/callback"])
    token = issue_access_token("ann", client=stranger)
    answer = await api.get("/me", headers=bearing(token))
    assert answer.status_code == 401
    told = f"{answer.headers} {answer.text}"
    assert "client_id is not accepted" in told
    assert cognito_app_client.client_id not in told
    assert not any(part in told for part in token.split("."))


@pytest.mark.anyio
async def test_an_id_token_is_refused(api: httpx.AsyncClient, issue_id_token: IssueIdToken) -> None:
    """It says to an application who logged in, and lets nobody into an API."""
    answer = await api.get("/me", headers=bearing(issue_id_token("ann")))
    assert (answer.status_code, answer.json()) == (401, {"detail": "invalid_claim"})


@pytest.mark.anyio
async def test_without_keys_the_answer_is_503(
    api: httpx.AsyncClient, cognito_emulator: CognitoEmulator, issue_access_token: IssueAccessToken
) -> None:
    """Nothing is known of the token, so there is no challenge; `Retry-After` says when to come again, in seconds."""
    cognito_emulator.fail_next("jwks", status=500, times=5)
    answer = await api.get("/me", headers=bearing(issue_access_token("ann")))
    assert (answer.status_code, answer.json()) == (503, {"detail": "keys_unavailable"})
    assert "www-authenticate" not in answer.headers
    assert 1 <= int(answer.headers["retry-after"]) <= 2


@pytest.mark.anyio
async def test_an_unknown_key_that_may_not_be_looked_for_is_503(
    api: httpx.AsyncClient, cognito_pool: EmulatedPool, issue_access_token: IssueAccessToken
) -> None:
    """A flood of unknown kids uses up the lookups; from then on 'cannot tell' is not 'is false'."""
    good = issue_access_token("ann")
    kids = [f"nobody's key {number}" for number in range(3)]
    forged = [cognito_pool.issue_access_token("ann", headers={"kid": kid}) for kid in kids]
    answers = [await api.get("/me", headers=bearing(token)) for token in (good, *forged, good)]
    assert [answer.status_code for answer in answers] == [200, 401, 401, 503, 200]
    assert int(answers[3].headers["retry-after"]) >= 1
    assert "www-authenticate" not in answers[3].headers


@pytest.mark.anyio
async def test_a_handler_learns_the_cause(
    app: FastAPI, api: httpx.AsyncClient, issue_access_token: IssueAccessToken, cognito_emulator: CognitoEmulator
) -> None:
    """Whoever answers or logs in a way of their own finds the library's error behind FastAPI's."""
    causes: list[BaseException | None] = []

    @app.exception_handler(HTTPException)
    async def handle(request: Request, error: HTTPException) -> JSONResponse:
        causes.append(error.__cause__)
        return JSONResponse({"problem": error.detail}, error.status_code, error.headers)

    token = issue_access_token("ann")
    cognito_emulator.clock.advance(3601)
    answer = await api.get("/me", headers=bearing(token))
    assert (answer.status_code, answer.json()) == (401, {"problem": "expired_token"})
    (cause,) = causes
    assert isinstance(cause, ExpiredTokenError)


@pytest.mark.anyio
async def test_requests_without_a_token_may_pass(
    verifier: TokenVerifier, app: FastAPI, api: httpx.AsyncClient, issue_access_token: IssueAccessToken
) -> None:
    """`auto_error=False`: nobody is nobody, and a bad token is still an error."""
    maybe = AccessTokenBearer(verifier, auto_error=False)

    @app.get("/greeting")
    async def greet(caller: Annotated[AccessTokenClaims | None, Security(maybe, scopes=[READ])]) -> str:
        return "stranger" if caller is None else str(caller.username)

    assert (await api.get("/greeting")).json() == "stranger"
    assert (await api.get("/greeting", headers=bearing(issue_access_token("ann", scopes=[READ])))).json() == "ann"
    assert (await api.get("/greeting", headers=bearing(issue_access_token("ann")))).status_code == 403
    assert (await api.get("/greeting", headers=bearing("nonsense"))).status_code == 401


@pytest.mark.anyio
async def test_a_router_protects_all_its_endpoints(
    app: FastAPI, api: httpx.AsyncClient, bearer: AccessTokenBearer, issue_access_token: IssueAccessToken
) -> None:
    """As a router's dependency it needs no parameter in the endpoint."""
    router = APIRouter(prefix="/bills", dependencies=[Security(bearer, scopes=[READ])])

    @router.get("")
    async def bills() -> str:
        return "bills"

    app.include_router(router)
    assert (await api.get("/bills")).status_code == 401
    assert (await api.get("/bills", headers=bearing(issue_access_token("ann", scopes=[READ])))).json() == "bills"


@pytest.mark.anyio
async def test_the_dependency_can_be_replaced(app: FastAPI, api: httpx.AsyncClient, bearer: AccessTokenBearer) -> None:
    """FastAPI's `dependency_overrides` take the instance, as with every dependency."""
    app.dependency_overrides[bearer] = lambda: None
    app.add_api_route("/open", lambda _: "open", dependencies=[Depends(bearer)])
    answer = await api.get("/open", params={"_": "x"})
    assert answer.json() == "open"


@pytest.mark.anyio
async def test_several_pools(
    cognito_emulator: CognitoEmulator, verifier: TokenVerifier, issue_access_token: IssueAccessToken
) -> None:
    """The issuer chooses among the pools that are configured, and no other pool's token passes."""
    staff = cognito_emulator.add_pool("eu-west-1_Staff0001")
    desk = staff.add_client("desk", redirect_uris=["http://localhost/callback"])
    staff.add_user("bob", password="correct horse")
    other = cognito_emulator.add_pool("eu-west-1_Other0001")
    other.add_user("eve", password="correct horse")
    other.add_client("other", redirect_uris=["http://localhost/callback"])
    app = FastAPI()
    async with (
        cognito_emulator.http_client() as http,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://api.example.com") as api,
    ):
        second = TokenVerifier(staff.user_pool, client_ids=[desk.client_id], http_client=http)
        either = AccessTokenBearer(MultiPoolVerifier([verifier, second]))

        @app.get("/me")
        async def me(caller: Annotated[AccessTokenClaims, Security(either)]) -> str | None:
            return caller.username

        tokens = [issue_access_token("ann"), staff.issue_access_token("bob"), other.issue_access_token("eve")]
        answers = [await api.get("/me", headers=bearing(token)) for token in tokens]
    assert [answer.status_code for answer in answers] == [200, 200, 401]
    assert [answer.json() for answer in answers[:2]] == ["ann", "bob"]
    assert app.openapi()["components"]["securitySchemes"]["Cognito"]["type"] == "http"


@pytest.mark.anyio
async def test_a_token_bound_to_this_api(
    app: FastAPI, api: httpx.AsyncClient, bearer: AccessTokenBearer, issue_access_token: IssueAccessToken
) -> None:
    """With `resource=` only tokens bound to it pass, and without it none that is bound (RFC 8707)."""
    here = "https://api.example.com"
    app.add_api_route("/bound", lambda: "bound", dependencies=[Security(bearer.requiring(resource=here))])
    bound, free = issue_access_token("ann", resource=here), issue_access_token("ann")
    answers = [await api.get(path, headers=bearing(token)) for path in ("/bound", "/me") for token in (bound, free)]
    assert [answer.status_code for answer in answers] == [200, 401, 401, 200]


@pytest.mark.anyio
@pytest.mark.parametrize("has_token", [True, False])
async def test_a_websocket_is_refused_before_it_opens(
    has_token: bool, app: FastAPI, bearer: AccessTokenBearer, issue_access_token: IssueAccessToken
) -> None:
    """The same dependency guards a WebSocket: without a token the handshake is answered 401, with the challenge."""

    @app.websocket("/feed")
    async def feed(websocket: WebSocket, caller: Annotated[AccessTokenClaims, Security(bearer)]) -> None:
        await websocket.accept()
        await websocket.send_text(str(caller.username))

    headers = [(b"authorization", f"Bearer {issue_access_token('ann')}".encode())] if has_token else []
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/feed",
        "headers": headers,
        "query_string": b"",
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    await app(scope, receive, send)
    if has_token:
        assert [message.get("text") for message in sent] == [None, "ann"]
    else:
        assert (sent[0]["type"], sent[0]["status"]) == ("websocket.http.response.start", 401)
        assert (b"www-authenticate", BARE.encode()) in sent[0]["headers"]


def test_the_document_is_valid_and_names_the_pool(app: FastAPI, cognito_pool: EmulatedPool) -> None:
    """OpenAPI 3.1: one OAuth 2.0 scheme with this pool's URLs, and on each operation the scopes it needs."""
    document: Any = app.openapi()
    validate(document, cls=OpenAPIV31SpecValidator)
    pool = cognito_pool.user_pool
    assert document["components"]["securitySchemes"] == {
        "Cognito": {
            "type": "oauth2",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": pool.authorization_endpoint,
                    "tokenUrl": pool.token_endpoint,
                    "refreshUrl": pool.token_endpoint,
                    "scopes": {READ: "Read orders", WRITE: "Change orders"},
                }
            },
        }
    }
    needed = {method: operation["security"] for method, operation in document["paths"]["/orders"].items()}
    assert needed == {
        "get": [{"Cognito": [READ]}],
        "put": [{"Cognito": [READ, WRITE]}],
        "delete": [{"Cognito": [WRITE]}],
    }


def test_the_document_may_have_the_refusals(bearer: AccessTokenBearer) -> None:
    """Each status that the dependency answers with is described, with the header that belongs to it."""
    app = FastAPI(responses=bearer.responses)
    app.add_api_route("/", lambda: None, dependencies=[Security(bearer)])
    document: Any = app.openapi()
    validate(document, cls=OpenAPIV31SpecValidator)
    responses = document["paths"]["/"]["get"]["responses"]
    headers = {status: [*response.get("headers", ())] for status, response in responses.items()}
    challenge = ["WWW-Authenticate"]
    assert headers == {"200": [], "400": challenge, "401": challenge, "403": challenge, "503": ["Retry-After"]}


def test_a_pool_without_a_domain_is_shown_as_a_bearer_token() -> None:
    """Nobody can log in there by a browser, so Swagger UI asks for the token itself."""
    verifier = TokenVerifier(UserPool("eu-west-1_AbC123xyz"), client_ids=None)
    bearer = AccessTokenBearer(verifier, scheme_name="Staff", description="Of *staff*.")
    app = FastAPI()
    app.add_api_route("/", lambda: None, dependencies=[Security(bearer)])
    document: Any = app.openapi()
    validate(document, cls=OpenAPIV31SpecValidator)
    assert document["components"]["securitySchemes"] == {
        "Staff": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "Of *staff*."}
    }
    with pytest.raises(ConfigurationError, match="domain"):
        bearer.swagger_ui_init_oauth("1example23456789")


def test_swagger_ui_is_told_to_use_pkce(bearer: AccessTokenBearer) -> None:
    """The public app client, the scopes that are ticked, and PKCE, which Swagger UI leaves out otherwise."""
    assert bearer.swagger_ui_init_oauth("1example23456789", scopes=["openid", READ]) == {
        "clientId": "1example23456789",
        "scopes": f"openid {READ}",
        "usePkceWithAuthorizationCodeGrant": True,
    }


@pytest.mark.parametrize(
    "mistake",
    [
        pytest.param(lambda bearer: bearer.requiring(any_of_groups="admins"), id="one text"),
        pytest.param(
            lambda bearer: bearer.requiring(required_groups=["a"]).requiring(required_groups=["b"]), id="twice"
        ),
        pytest.param(lambda bearer: bearer.requiring(resource="https://a").requiring(resource="https://b"), id="two"),
        pytest.param(lambda bearer: bearer.swagger_ui_init_oauth("c", scopes="openid"), id="one scope as a text"),
        pytest.param(lambda bearer: bearer.requiring(any_of_groups=[]), id="any of no groups"),
        pytest.param(lambda bearer: bearer.requiring(resource=""), id="no resource, as a text"),
        pytest.param(
            lambda _: AccessTokenBearer(SyncTokenVerifier(UserPool("eu-west-1_AbC123xyz"), client_ids=None)),  # type: ignore[arg-type]
            id="a verifier that would block",
        ),
    ],
)
def test_a_mistake_is_found_at_start(bearer: AccessTokenBearer, mistake: Callable[[AccessTokenBearer], object]) -> None:
    """What a developer gets wrong is told when the application starts, not to its callers."""
    with pytest.raises(ConfigurationError):
        mistake(bearer)


def test_requirements_add_up(bearer: AccessTokenBearer) -> None:
    """`requiring` leaves the dependency as it was and takes nothing away."""
    stricter = bearer.requiring(required_groups=["staff"]).requiring(any_of_groups=["clerks", "admins"])
    assert bearer._required == ((), (), (), None)
    assert stricter._required == ((), ("staff",), ("clerks", "admins"), None)
    assert (stricter.scheme_name, stricter.model) == (bearer.scheme_name, bearer.model)
