"""Canaries: secrets, codes, verifiers and tokens are planted everywhere, and looked for wherever something is shown."""

from __future__ import annotations

import copy
import importlib
import json
import logging
import pickle
import traceback
import warnings
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr

from cognito_oidc import (
    AuthorizationRequest,
    CognitoClient,
    MultiPoolVerifier,
    SyncTokenVerifier,
    TokenSet,
    TokenVerifier,
    UserPool,
    _exchange,
)
from cognito_oidc.errors import CognitoOidcError
from cognito_oidc.protocol.callback import parse_callback
from cognito_oidc.protocol.client_authentication import client_authentication
from cognito_oidc.protocol.tokens import code_exchange_request, parse_token_response, refresh_request
from cognito_oidc.protocol.userinfo import userinfo_request
from cognito_oidc.protocol.wire import Endpoint
from tests.factories import CLIENT_ID, NOW, POOL_ID, access_payload, id_payload, key_set, rsa_key, sign
from tests.fault_server import Answer, FaultServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

pytestmark = pytest.mark.anyio

SECRET: Final = "canary+secret_0123456789abcdefghij"
CODE: Final = "canary00-c0de-4000-8000-000000000000"
# Five parts, as Cognito's are; the second and the fourth are long, the third and the last are no secrets.
REFRESH: Final = f"eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIn0.{'canary-refresh' * 4}.iv.{'canary-refresh-2' * 4}.tag"
ROTATED: Final = f"eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIn0.{'canary-rotated' * 4}.iv.{'canary-rotated-2' * 4}.tag"
KEY: Final = b"canary-key-0123456789-0123456789"
CALLBACK: Final = "https://app.example/cb"


class Canaries:
    """What must not be seen, and everything that was shown."""

    def __init__(self) -> None:
        self.planted: set[str] = set()
        self.shown: list[str] = []
        for secret in (SECRET, CODE, REFRESH, ROTATED):
            self.plant(secret)

    def plant(self, secret: str) -> str:
        """Look for this too, in every form it travels in; the parts of a token on their own."""
        self.planted.update((secret, quote(secret, safe=""), b64encode(secret.encode()).decode()))
        self.planted.add(b64encode(f"{CLIENT_ID}:{secret}".encode()).decode())
        self.planted.update(part for part in secret.split(".") if len(part) > 24)
        return secret

    def show(self, value: object) -> None:
        """Show a value in every way a program would."""
        self.shown += [repr(value), str(value), f"{value}", repr([value]), repr({"value": value})]

    def show_error(self, error: BaseException) -> None:
        """Show an error with all that hangs on it."""
        self.shown += traceback.format_exception(error)
        seen: list[BaseException] = []
        left: list[BaseException | None] = [error]
        while left:
            one = left.pop()
            if one is None or one in seen:
                continue
            seen.append(one)
            left += [one.__cause__, one.__context__]
            self.shown += [repr(one), str(one), repr(one.args), repr(vars(one)), repr(getattr(one, "__notes__", ""))]
            if isinstance(one, CognitoOidcError):
                self.shown += [repr(one.explain()), repr(one.www_authenticate())]
                self.shown += [pickle.dumps(one).decode("latin-1"), repr(vars(copy.deepcopy(one)))]

    def found(self) -> list[str]:
        """Return where a canary was seen, cut short."""
        return [f"{secret[:14]}... in {text[:300]}" for text in self.shown for secret in self.planted if secret in text]


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let repetitions come at once."""
    monkeypatch.setattr(_exchange, "_FIRST_WAIT", 0.001)
    monkeypatch.setattr(_exchange, "_LONGEST_WAIT", 0.001)


@pytest.fixture
def canaries(caplog: pytest.LogCaptureFixture) -> Iterator[Canaries]:
    """Give the canaries; after the test everything that was logged or warned of is looked through as well."""
    canaries = Canaries()
    caplog.set_level(logging.DEBUG)
    for name in ("cognito_oidc", "httpx", "httpx2", "httpcore", "httpcore2", "stamina", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield canaries
    for record in caplog.get_records("call"):
        canaries.shown += [record.getMessage(), repr(vars(record))]
    canaries.shown += [str(one.message) for one in warned]
    assert caplog.get_records("call")
    assert canaries.found() == []


def test_canaries_are_seen_where_they_are() -> None:
    """The search itself: a planted secret is found in each of its forms, also in the context of an error."""
    for shown in (SECRET, quote(SECRET, safe=""), b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()):
        canaries = Canaries()
        nothing: dict[str, str] = {}
        try:
            try:
                nothing.pop(shown)
            except KeyError:
                raise LookupError from None
        except LookupError as error:
            canaries.show_error(error)
        assert canaries.found()


def hostile(canaries: Canaries, verifier: str, tokens: list[str]) -> list[Answer]:
    """Return answers that quote what was sent, or hold tokens in the wrong places."""
    quoted = f"{SECRET} {CODE} {REFRESH} {verifier} {quote(SECRET, safe='')}"
    good = {"access_token": tokens[0], "id_token": tokens[1], "refresh_token": ROTATED, "token_type": "Bearer"}

    def body(document: object, status: int = 200, **more: Any) -> Answer:  # noqa: ANN401
        return Answer(status=status, body=json.dumps(document).encode(), **more)

    return [
        body({**good, "expires_in": 3600}),
        body({"error": "invalid_grant", "error_description": quoted}, 400),
        body({"error": "invalid_client", "error_description": quoted}, 401),
        body({"error": quoted, "error_description": quoted}, 400),
        body({"error": "slow", "error_description": quoted}, 429),
        body({**good, "expires_in": tokens[0]}),
        body({**good, "expires_in": 3600, "token_type": tokens[0]}),
        body({**good, "expires_in": 3600, "id_token": [tokens[1]]}),
        body({**good, "expires_in": 3600, "id_token": sign(id_payload(nonce="other"), key=rsa_key("new"))}),
        body({"sub": "somebody-else", "token": tokens[0]}),
        body([tokens[0]]),
        Answer(body=json.dumps({**good, "expires_in": 3600}).encode()[:-20]),
        Answer(body=f'{{"access_token": "{tokens[0]}", "access_token": "{SECRET}"}}'.encode()),
        Answer(body=f"<p>{quoted}</p>".encode(), content_type="text/html"),
        Answer(status=500, body=quoted.encode(), content_type="text/plain"),
        Answer(status=403, body=quoted.encode(), content_type="text/plain"),
        Answer(status=302, headers=(("Location", "https://elsewhere.example/"),)),
        Answer(fault="reset"),
        Answer(fault="close"),
        Answer(fault="stall"),
        Answer(fault="drip"),
        Answer(fault="truncate", body=json.dumps(good).encode()),
    ]


@pytest.mark.parametrize("library", ["httpx", "httpx2", None])
async def test_nothing_is_seen_of_any_exchange(
    canaries: Canaries, monkeypatch: pytest.MonkeyPatch, library: str | None
) -> None:
    """Every call against every hostile answer, with every log at DEBUG."""
    short = _exchange.Limits(total=0.08, body=4096, attempts=2)
    monkeypatch.setattr(_exchange, "LIMITS", dict.fromkeys(Endpoint, short))
    http = None if library is None else importlib.import_module(library).AsyncClient()
    with FaultServer() as server:
        pool = UserPool(POOL_ID, domain="acme", endpoint_url=server.url)
        client = CognitoClient(
            pool,
            client_id=CLIENT_ID,
            client_secret=lambda: SecretStr(SECRET),
            redirect_uri=CALLBACK,
            http_client=http,
            clock=lambda: NOW,
            verifier=TokenVerifier(pool, client_ids=[CLIENT_ID], jwks=key_set(), clock=lambda: NOW),
        )
        request = client.authorization_request()
        canaries.plant(request.code_verifier)
        tokens = [
            canaries.plant(sign(access_payload(iss=pool.issuer))),
            canaries.plant(sign(id_payload(iss=pool.issuer, nonce=request.nonce))),
        ]
        callback = f"{CALLBACK}?code={CODE}&state={request.state}"
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: client.exchange_code(callback, request),
            lambda: client.refresh(REFRESH),
            lambda: client.client_credentials(client_metadata={"a": "b"}),
            lambda: client.userinfo(tokens[0], expected_sub="alice"),
            lambda: client.revoke(REFRESH),
        ]
        for fault in hostile(canaries, request.code_verifier, tokens):
            server.answer(fault)
            for call in calls:
                try:
                    canaries.show(await call())
                except CognitoOidcError as error:
                    canaries.show_error(error)
        assert server.count >= 5 * 20
        canaries.show(client)
        canaries.show(request)
        for one in server.received:
            canaries.show(one)
            canaries.show(one.target)
        await client.aclose()
    if http is not None:
        await http.aclose()


async def test_nothing_is_seen_of_headers_that_quote(canaries: Canaries) -> None:
    """A server that quotes in its headers what was sent does not get it into our errors; httpcore would log them."""
    access = canaries.plant(sign(access_payload()))
    answers = [
        httpx.Response(status, headers={name: value}, json={"error": "invalid_request"} if is_json else None)
        for status in (200, 400, 401, 403, 429, 500)
        for is_json in (True, False)
        for name, value in (
            ("content-type", f"text/{SECRET}"),
            ("content-type", f"{CODE}/{REFRESH}"),
            ("x-amz-cognito-request-id", CODE),
            ("x-amz-cognito-request-id", SECRET),
            ("retry-after", SECRET),
            ("www-authenticate", f'error="{CODE}", error_description="{access} {SECRET}"'),
            ("content-encoding", SECRET),
            ("location", f"https://x.example/?code={CODE}"),
        )
    ]
    for answer in answers:
        async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _, answer=answer: answer)) as http:
            pool = UserPool(POOL_ID, domain="acme")
            client = CognitoClient(pool, client_id=CLIENT_ID, client_secret=SECRET, http_client=http)
            for call in (
                lambda client=client: client.refresh(REFRESH),
                lambda client=client: client.userinfo(access, expected_sub=None),
                lambda client=client: client.revoke(REFRESH),
                client.discover,
            ):
                try:
                    canaries.show(await call())
                except CognitoOidcError as error:
                    canaries.show_error(error)


async def test_nothing_is_seen_of_values(canaries: Canaries) -> None:
    """No repr or str of a value shows a secret, inside a container neither."""
    pool = UserPool(POOL_ID, domain="acme")
    client = CognitoClient(pool, client_id=CLIENT_ID, client_secret=SECRET, redirect_uri=CALLBACK, clock=lambda: NOW)
    request = client.authorization_request(app_state={"return_to": "/orders"})
    canaries.plant(request.code_verifier)
    access, identity = canaries.plant(sign(access_payload())), canaries.plant(sign(id_payload()))
    code = parse_callback(
        {"code": CODE, "state": request.state},
        request,
        now=NOW,
        max_request_age=600,
        client_id=CLIENT_ID,
        issuers=pool.accepted_issuers,
    )
    sealed = request.seal(KEY)
    unsealed = AuthorizationRequest.unseal(sealed, KEY)
    tokens = TokenSet(access_token=access, expires_at=NOW, id_token=identity, refresh_token=REFRESH)
    verifier = TokenVerifier(pool, client_ids=None, jwks=key_set(), clock=lambda: NOW, verified_cache_size=10)
    claims = await verifier.verify_access_token(access)
    await verifier.verify_access_token(access)
    for method in ("client_secret_post", "client_secret_basic"):
        who = client_authentication(CLIENT_ID, SECRET, method)
        canaries.show(who)
        canaries.show(who.for_revocation)
        canaries.show(code_exchange_request(code, token_endpoint=pool.token_endpoint, authentication=who))
        canaries.show(refresh_request(REFRESH, token_endpoint=pool.token_endpoint, authentication=who))
    for value in (
        client,
        client._transport,
        code,
        request,
        unsealed,
        tokens,
        verifier,
        verifier._core,
        verifier.health(),
        MultiPoolVerifier([verifier]),
        SyncTokenVerifier(pool, client_ids=None),
        claims,
        await verifier.verify_id_token(identity, nonce=None),
        userinfo_request(access, userinfo_endpoint=pool.userinfo_endpoint),
    ):
        canaries.show(value)
    logging.getLogger("cognito_oidc").debug("the end")


async def test_nothing_is_seen_of_refused_tokens(canaries: Canaries) -> None:
    """Errors, events and logs of verification hold nothing of the token, signed part or not."""
    pool = UserPool(POOL_ID)
    verifier = TokenVerifier(pool, client_ids=[CLIENT_ID], jwks=key_set(), clock=lambda: NOW, on_event=canaries.show)
    changes: list[dict[str, object]] = [
        {"exp": NOW - 1},
        {"client_id": "another"},
        {"iss": "https://evil.example"},
        {"token_use": "id"},
        {"scope": ""},
    ]
    tokens = [sign(access_payload(**one)) for one in changes]
    tokens += [sign(access_payload(), key=rsa_key("new")), sign(access_payload())[:-3] + "===", REFRESH, SECRET, CODE]
    tokens += [sign(access_payload(), header={"kid": "unknown", "alg": "RS256"}), sign(access_payload()) + "\n"]
    for token in tokens:
        canaries.plant(token.strip())
        for call in (
            lambda token=token: verifier.verify_access_token(token, required_scopes=("admin",)),
            lambda token=token: verifier.verify_id_token(token, nonce=None),
            lambda token=token: MultiPoolVerifier([verifier]).verify_access_token(token),
        ):
            try:
                canaries.show(await call())
            except CognitoOidcError as error:
                canaries.show_error(error)


def test_parsers_hold_nothing_of_an_answer(canaries: Canaries) -> None:
    """A pydantic error over an answer would quote it: ours does not, nor does it chain one that does."""
    from cognito_oidc.protocol.wire import HttpResponse

    for document in ({"access_token": [SECRET]}, {"access_token": SECRET, "expires_in": ROTATED, "token_type": CODE}):
        response = HttpResponse(
            status=200, headers={"content-type": "application/json"}, body=json.dumps(document).encode()
        )
        canaries.show(response)
        with pytest.raises(CognitoOidcError) as raised:
            parse_token_response(response, received_at=NOW, grant="refresh_token", secrets=())
        canaries.show_error(raised.value)
    with pytest.raises(CognitoOidcError) as raised:
        TokenSet.from_dict({"access_token": SECRET, "expires_at": ROTATED})
    canaries.show_error(raised.value)
    logging.getLogger("cognito_oidc").debug("the end")
