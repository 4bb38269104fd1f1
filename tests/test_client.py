"""The relying party's half: every check of every answer, against the emulator and against answers made by hand."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import importlib
import json
import time
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote

import anyio
import anyio.lowlevel
import httpx
import pytest
from pydantic import SecretStr

from cognito_oidc import (
    CognitoClient,
    ProviderMetadata,
    SyncTokenVerifier,
    TokenSet,
    TokenVerifier,
    UserPool,
    _app_client_credentials,
    _exchange,
)
from cognito_oidc.emulator import CognitoEmulator
from cognito_oidc.emulator import tokens as emulator_tokens
from cognito_oidc.errors import (
    CallbackError,
    CognitoOidcError,
    ConfigurationError,
    ExpiredTokenError,
    InvalidClaimError,
    InvalidClientError,
    InvalidGrantError,
    InvalidSignatureError,
    KeysUnavailableError,
    OAuthError,
    ProtocolError,
    RateLimitedError,
    StateMismatchError,
    TokenVerificationError,
    TransportError,
    UnknownKeyError,
)
from cognito_oidc.protocol.wire import Endpoint
from tests.factories import (
    CLIENT_ID,
    ISSUER,
    NOW,
    POOL_ID,
    SUB,
    access_payload,
    id_payload,
    jwk,
    key_set,
    rsa_key,
    sign,
)
from tests.fault_server import Answer, FaultServer
from tests.key_endpoint import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from cognito_oidc import AuthorizationRequest
    from cognito_oidc.emulator import EmulatedPool

pytestmark = pytest.mark.anyio

CALLBACK: Final = "https://app.example/cb"
SECRET: Final = "s3cret+with_plus+0123456789"
POOL: Final = UserPool(POOL_ID, domain="acme")
OTHER_POOL: Final = UserPool("eu-west-1_Other0000", domain="acme")
ACCESS: Final = sign(access_payload())
AT_HASH: Final = urlsafe_b64encode(sha256(ACCESS.encode()).digest()[:16]).rstrip(b"=").decode()


# --- answers made by hand ---------------------------------------------------------------------------------------------


class Cognito:
    """Stands behind every URL of the pool, and answers the token endpoint as told, one after the other.

    Attributes:
        answers: What the endpoints other than the key endpoint answer: members of a JSON object, or a whole response.
        keys: What the key endpoint answers; an exception is raised.
        sent: The requests that did not ask for keys.
        key_requests: How many did.
    """

    def __init__(self) -> None:
        self.answers: list[Mapping[str, object] | httpx.Response | Exception] = []
        self.keys: object = key_set()
        self.sent: list[httpx.Request] = []
        self.key_requests = 0
        self.delay = 0.0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        if request.url.path.endswith("jwks.json"):
            self.key_requests += 1
            if isinstance(self.keys, Exception):
                raise self.keys
            return httpx.Response(200, json=self.keys)
        self.sent.append(request)
        await anyio.sleep(self.delay)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=dict(answer))

    def form(self, number: int = -1) -> dict[str, str]:
        """Return the form of a request."""
        return dict(parse_qsl(self.sent[number].content.decode(), strict_parsing=True))


@pytest.fixture
def cognito() -> Cognito:
    """Give a server that answers as told."""
    return Cognito()


@pytest.fixture
async def http(cognito: Cognito) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of it."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(cognito)) as client:
        yield client


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    return Clock()


def make(http: httpx.AsyncClient | None, clock: Callable[[], float], **changes: Any) -> CognitoClient:  # noqa: ANN401
    """Return a public client."""
    options = {"client_id": CLIENT_ID, "redirect_uri": CALLBACK, "http_client": http, "clock": clock, **changes}
    return CognitoClient(POOL, **options)


@pytest.fixture
def client(http: httpx.AsyncClient, clock: Clock) -> CognitoClient:
    """Give a public client."""
    return make(http, clock)


def answer(id_token: object = ..., **changes: object) -> dict[str, object]:
    """Return a token answer; `None` leaves a member out."""
    members: dict[str, object] = {
        "access_token": ACCESS,
        "id_token": sign(id_payload(at_hash=AT_HASH)) if id_token is ... else id_token,
        "refresh_token": "r-1",
        "expires_in": 3600,
        "token_type": "Bearer",
        **changes,
    }
    return {name: value for name, value in members.items() if value is not None}


def refusal(error: str, status: int = 400, **headers: str) -> httpx.Response:
    """Return an OAuth error."""
    return httpx.Response(status, json={"error": error}, headers=headers)


def come_back(request: AuthorizationRequest) -> str:
    """Return the callback of a good sign-in."""
    return f"{CALLBACK}?code=the-code&state={request.state}"


def id_token_for(request: AuthorizationRequest, **changes: object) -> str:
    """Return the ID token of a good answer to a request."""
    return sign(id_payload(**{"nonce": request.nonce, "at_hash": AT_HASH, **changes}))


async def test_code_becomes_verified_tokens(client: CognitoClient, cognito: Cognito) -> None:
    """The code goes out once, with verifier and redirect URI, and comes back as tokens with claims."""
    request = client.authorization_request()
    cognito.answers = [answer(id_token_for(request))]
    tokens = await client.exchange_code(come_back(request), request)
    assert cognito.form() == {
        "grant_type": "authorization_code",
        "client_id": CLIENT_ID,
        "code": "the-code",
        "redirect_uri": CALLBACK,
        "code_verifier": request.code_verifier,
    }
    assert str(cognito.sent[0].url) == POOL.token_endpoint
    assert (tokens.access_token, tokens.refresh_token, tokens.expires_at) == (ACCESS, "r-1", NOW + 3600)
    assert tokens.claims is not None
    assert (tokens.claims.sub, tokens.claims.email) == (SUB, "alice@example.com")
    assert len(cognito.sent) == 1


@pytest.mark.parametrize(
    ("changes", "error", "claim"),
    [
        pytest.param({"nonce": "foreign"}, InvalidClaimError, "nonce", id="nonce-foreign"),
        pytest.param({"nonce": None}, InvalidClaimError, "nonce", id="nonce-null"),
        pytest.param({"nonce": ""}, InvalidClaimError, "nonce", id="nonce-empty"),
        pytest.param({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, InvalidClaimError, "at_hash", id="at-hash-wrong"),
        pytest.param({"at_hash": 7}, InvalidClaimError, "at_hash", id="at-hash-number"),
        pytest.param({"token_use": "access"}, TokenVerificationError, None, id="token-use-swapped"),
        pytest.param({"aud": "another-client"}, InvalidClaimError, "aud", id="other-client"),
        pytest.param({"aud": [CLIENT_ID]}, InvalidClaimError, "aud", id="audience-list"),
        pytest.param({"iss": ISSUER + "x"}, InvalidClaimError, "iss", id="other-pool"),
        pytest.param({"exp": NOW}, ExpiredTokenError, "exp", id="expired"),
        pytest.param({"iat": NOW + 100}, InvalidClaimError, "iat", id="from-the-future"),
        pytest.param({"sub": ""}, InvalidClaimError, "sub", id="nobody"),
        pytest.param({"auth_time": NOW - 301}, InvalidClaimError, "auth_time", id="signed-in-too-long-ago"),
    ],
)
async def test_id_token_that_is_not_ours_gives_no_tokens(
    client: CognitoClient,
    cognito: Cognito,
    changes: dict[str, object],
    error: type[CognitoOidcError],
    claim: str | None,
) -> None:
    """Each rule of the ID token is an error that names the claim, and no token comes out."""
    request = client.authorization_request(max_age=300)
    cognito.answers = [answer(id_token_for(request, **changes))]
    with pytest.raises(error) as raised:
        await client.exchange_code(come_back(request), request)
    assert claim is None or getattr(raised.value, "claim", None) == claim
    assert ACCESS not in repr(raised.value) + str(raised.value.__dict__)


async def test_id_token_without_a_nonce_is_refused(client: CognitoClient, cognito: Cognito) -> None:
    """We always send a nonce, so there must be one."""
    request = client.authorization_request()
    payload = id_payload(at_hash=AT_HASH)
    del payload["nonce"]
    cognito.answers = [answer(sign(payload))]
    with pytest.raises(InvalidClaimError) as raised:
        await client.exchange_code(come_back(request), request)
    assert raised.value.claim == "nonce"


async def test_forged_id_token_is_refused(client: CognitoClient, cognito: Cognito) -> None:
    """A token that another key signed is none, and neither is one without a signature."""
    request = client.authorization_request()
    good = id_token_for(request)
    unsigned = urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=") + "." + good.split(".")[1] + "."
    for forged, error in (
        (sign(id_payload(nonce=request.nonce), key=rsa_key("new")), InvalidSignatureError),
        (unsigned, TokenVerificationError),
        (ACCESS, InvalidClaimError),
        ("x", TokenVerificationError),
    ):
        cognito.answers = [answer(forged)]
        with pytest.raises(error):
            await client.exchange_code(come_back(request), request)


async def test_openid_asked_and_no_id_token(client: CognitoClient, cognito: Cognito) -> None:
    """Without the ID token nobody knows who signed in; where openid was not asked, nobody wants to."""
    request = client.authorization_request()
    cognito.answers = [answer(None)]
    with pytest.raises(ProtocolError, match="ID token"):
        await client.exchange_code(come_back(request), request)
    request = client.authorization_request(scopes=("orders/read",))
    tokens = await client.exchange_code(come_back(request), request)
    assert (tokens.claims, tokens.access_token) == (None, ACCESS)


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"token_type": "mac"}, id="token-type"),
        pytest.param({"expires_in": "3600"}, id="expires-in-text"),
        pytest.param({"expires_in": 0}, id="expires-in-zero"),
        pytest.param({"expires_in": True}, id="expires-in-boolean"),
        pytest.param({"access_token": None}, id="no-access-token"),
        pytest.param({"refresh_token": 7}, id="refresh-token-number"),
    ],
)
async def test_answer_that_breaks_the_protocol(
    client: CognitoClient, cognito: Cognito, members: dict[str, object]
) -> None:
    """An answer of the wrong form is not used, and its error holds nothing of it."""
    request = client.authorization_request()
    cognito.answers = [answer(id_token_for(request), **members)]
    with pytest.raises(ProtocolError) as raised:
        await client.exchange_code(come_back(request), request)
    assert "r-1" not in repr(raised.value)


async def test_request_that_is_not_ours_or_too_old_sends_nothing(
    client: CognitoClient, http: httpx.AsyncClient, cognito: Cognito, clock: Clock
) -> None:
    """State, client, issuer and age are judged before anything is sent."""
    request = client.authorization_request()
    with pytest.raises(StateMismatchError):
        await client.exchange_code(f"{CALLBACK}?code=c&state=other", request)
    with pytest.raises(StateMismatchError):
        await make(http, clock, client_id="another").exchange_code(come_back(request), request)
    other = CognitoClient(UserPool("us-east-1_Other1", domain="x"), client_id=CLIENT_ID, http_client=http, clock=clock)
    with pytest.raises(StateMismatchError):
        await other.exchange_code(come_back(request), request)
    clock.advance(601)
    with pytest.raises(CallbackError):
        await client.exchange_code(come_back(request), request)
    with pytest.raises(CallbackError):
        await make(http, lambda: NOW + 31, max_request_age=30).exchange_code(come_back(request), request)
    assert cognito.sent == []


async def test_keys_are_there_before_the_code_is_used_up(client: CognitoClient, cognito: Cognito, clock: Clock) -> None:
    """Where the keys cannot be had nothing is sent, and the same callback works when they can."""
    request = client.authorization_request()
    cognito.answers, cognito.keys = [answer(id_token_for(request))], httpx.ConnectError("down")
    with pytest.raises(KeysUnavailableError):
        await client.exchange_code(come_back(request), request)
    assert cognito.sent == []
    cognito.keys = key_set()
    clock.advance(2)
    assert (await client.exchange_code(come_back(request), request)).claims is not None


async def test_keys_that_died_meanwhile_are_there_again_before_a_code_is_used_up(
    client: CognitoClient, cognito: Cognito, clock: Clock
) -> None:
    """That they were there at the last login says nothing a day later."""
    first = client.authorization_request()
    cognito.answers = [answer(id_token_for(first))]
    await client.exchange_code(come_back(first), first)
    clock.advance(25 * 3600)
    late = client.authorization_request()
    cognito.keys = httpx.ConnectError("down")
    with pytest.raises(KeysUnavailableError):
        await client.exchange_code(come_back(late), late)
    assert len(cognito.sent) == 1


# --- refresh ----------------------------------------------------------------------------------------------------------


def held(refresh_token: str = "r-0") -> TokenSet:
    """Return tokens as an application holds them."""
    from cognito_oidc import IdTokenClaims

    claims = IdTokenClaims(id_payload())
    return TokenSet(access_token="old", expires_at=NOW, refresh_token=refresh_token, claims=claims)


async def test_refresh_keeps_or_replaces_the_refresh_token(client: CognitoClient, cognito: Cognito) -> None:
    """Without rotation the old one stays in the set, with rotation the new one takes its place."""
    cognito.answers = [answer(refresh_token=None), answer()]
    assert (await client.refresh(held())).refresh_token == "r-0"
    assert cognito.form() == {"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": "r-0"}
    tokens = await client.refresh("r-0")
    assert (tokens.refresh_token, tokens.access_token) == ("r-1", ACCESS)
    assert tokens.claims is not None


async def test_refresh_needs_no_nonce_and_asks_no_age(client: CognitoClient, cognito: Cognito) -> None:
    """A refreshed ID token may repeat a nonce or not, and the sign-in may be long ago."""
    for changes in ({"nonce": "whatever"}, {"auth_time": NOW - 10_000_000}):
        cognito.answers = [answer(sign(id_payload(**changes)))]
        assert (await client.refresh(held())).claims is not None


async def test_refresh_to_another_person_is_refused(client: CognitoClient, cognito: Cognito) -> None:
    """The new ID token must be of the same person, where somebody knows who that was."""
    cognito.answers = [answer(sign(id_payload(sub="somebody-else")))]
    with pytest.raises(InvalidClaimError) as raised:
        await client.refresh(held())
    assert raised.value.claim == "sub"
    assert (await client.refresh("r-0")).claims is not None


@pytest.mark.parametrize("given", [TokenSet(access_token="a", expires_at=1), None, 7, b"r", {"refresh_token": "r"}])
async def test_nothing_to_refresh_or_revoke(client: CognitoClient, cognito: Cognito, given: Any) -> None:  # noqa: ANN401
    """What holds no refresh token is a mistake of configuration, and nothing is sent."""
    with pytest.raises(ConfigurationError):
        await client.refresh(given)
    with pytest.raises(ConfigurationError):
        await client.revoke(given)
    assert cognito.sent == []


async def test_answer_that_arrived_is_not_lost_for_lack_of_keys(
    client: CognitoClient, cognito: Cognito, clock: Clock
) -> None:
    """A rotated token whose ID token could not be verified yet waits for the same call, which sends nothing again."""
    cognito.answers, cognito.keys = [answer(refresh_token="rotated")], httpx.ConnectError("down")
    for _ in range(3):
        with pytest.raises(KeysUnavailableError):
            await client.refresh("r-0")
        clock.advance(2)
    cognito.keys = key_set()
    tokens = await client.refresh("r-0")
    assert (tokens.refresh_token, tokens.expires_at, len(cognito.sent)) == ("rotated", NOW + 3600, 1)
    assert len(client._grants.arrived) == 0


async def test_answers_that_wait_are_bounded(client: CognitoClient, cognito: Cognito, clock: Clock) -> None:
    """They are few, and the oldest goes."""
    cognito.answers, cognito.keys = [answer()], httpx.ConnectError("down")
    for number in range(70):
        with pytest.raises(KeysUnavailableError):
            await client.refresh(f"r-{number}")
    assert len(client._grants.arrived) == 64
    cognito.keys = key_set()
    clock.advance(5)
    cognito.answers = [answer("forged")]
    with pytest.raises(TokenVerificationError):
        await client.refresh("another")
    assert len(client._grants.arrived) == 64


FOREIGN_KEY: Final = {"header": {"kid": "new-kid", "alg": "RS256"}}


@pytest.mark.parametrize(
    ("id_token", "error"),
    [
        pytest.param(
            sign(id_payload(), **FOREIGN_KEY, key=rsa_key("new")), UnknownKeyError, id="key not yet published"
        ),
        pytest.param(sign(id_payload(aud="other")), InvalidClaimError, id="another client's"),
        pytest.param(sign(id_payload(exp=NOW - 1, iat=NOW - 60)), ExpiredTokenError, id="expired"),
        pytest.param("forged", TokenVerificationError, id="no token"),
    ],
)
async def test_rotated_token_beside_an_id_token_that_is_refused_is_not_lost(
    client: CognitoClient, cognito: Cognito, id_token: str, error: type[TokenVerificationError]
) -> None:
    """Cognito has withdrawn the old one: the next call with it sends the one that came, time after time."""
    cognito.answers = [answer(id_token, refresh_token=f"r-{number}") for number in range(1, 4)]
    cognito.answers.append(answer(refresh_token=None))
    for _ in range(3):
        with pytest.raises(error):
            await client.refresh("r-0")
    tokens = await client.refresh("r-0")
    assert [cognito.form(number)["refresh_token"] for number in range(4)] == ["r-0", "r-1", "r-2", "r-3"]
    assert (tokens.refresh_token, tokens.claims is not None, len(client._grants.arrived)) == ("r-3", True, 0)


@pytest.mark.parametrize(
    ("trouble", "error", "then"),
    [
        pytest.param(httpx.ReadError("reset"), TransportError, "rotated", id="no answer"),
        pytest.param(refusal("slow_down", 429), RateLimitedError, "rotated", id="too many"),
        pytest.param(refusal("invalid_grant"), InvalidGrantError, "r-0", id="no longer good"),
    ],
)
async def test_rotated_token_is_kept_until_it_is_refused(
    client: CognitoClient,
    cognito: Cognito,
    trouble: httpx.Response | Exception,
    error: type[CognitoOidcError],
    then: str,
) -> None:
    """A failure on the way forgets nothing; a definite refusal of the kept token ends it."""
    cognito.answers = [answer("forged", refresh_token="rotated"), trouble, answer()]
    with pytest.raises(TokenVerificationError):
        await client.refresh("r-0")
    with pytest.raises(error) as raised:
        await client.refresh("r-0")
    assert "rotated" not in str(raised.value)
    await client.refresh("r-0")
    assert cognito.form()["refresh_token"] == then


async def test_rotated_token_of_another_person_is_not_kept(client: CognitoClient, cognito: Cognito) -> None:
    """Nothing of an answer for somebody else is used."""
    cognito.answers = [answer(sign(id_payload(sub="somebody-else")), refresh_token="theirs")]
    with pytest.raises(InvalidClaimError):
        await client.refresh(held())
    assert len(client._grants.arrived) == 0


async def test_answer_that_waited_too_long_is_refreshed_with_its_own_token(
    client: CognitoClient, cognito: Cognito, clock: Clock
) -> None:
    """Keys that come back after the ID token's end cost no sign-in: the token that came with it is still good."""
    cognito.answers, cognito.keys = [answer(refresh_token="rotated")], httpx.ConnectError("down")
    with pytest.raises(KeysUnavailableError):
        await client.refresh("r-0")
    clock.advance(3700)
    cognito.keys = key_set()
    cognito.answers = [answer(sign(id_payload(iat=NOW + 3700, exp=NOW + 7300)), refresh_token="r-2")]
    assert (await client.refresh("r-0")).refresh_token == "r-2"
    assert [cognito.form(number)["refresh_token"] for number in range(2)] == ["r-0", "rotated"]
    assert len(client._grants.arrived) == 0


async def test_keys_are_there_before_a_refresh_token_is_used_up(client: CognitoClient, cognito: Cognito) -> None:
    """Where an ID token will come and its keys cannot be had, nothing is sent."""
    cognito.keys = httpx.ConnectError("down")
    with pytest.raises(KeysUnavailableError):
        await client.refresh(held())
    assert cognito.sent == []


async def cancelled_once_it_is_sent(cognito: Cognito, act: Callable[[], Awaitable[TokenSet]]) -> list[TokenSet]:
    """Cancel a call while the token endpoint works at it; return what the caller got, who must get no further."""
    got: list[TokenSet] = []

    async def caller() -> None:
        got.append(await act())
        await anyio.lowlevel.checkpoint()
        pytest.fail("the cancellation was lost")

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(caller)
            while not cognito.sent:  # noqa: ASYNC110 - one turn after the other
                await anyio.sleep(0.001)
            tasks.cancel_scope.cancel()
    return got


async def test_cancelled_refresh_delivers_the_rotated_token(client: CognitoClient, cognito: Cognito) -> None:
    """A caller who is cancelled after the token was sent gets the new one, verified, keys fetched meanwhile."""
    cognito.answers, cognito.delay = [answer(refresh_token="rotated")], 0.05
    got = await cancelled_once_it_is_sent(cognito, lambda: client.refresh("r-0"))
    assert [one.refresh_token for one in got] == ["rotated"]


async def test_cancelled_exchange_delivers_the_tokens(client: CognitoClient, cognito: Cognito) -> None:
    """The same for a code, which is used up once it is sent."""
    request = client.authorization_request()
    cognito.answers, cognito.delay = [answer(id_token_for(request))], 0.05
    got = await cancelled_once_it_is_sent(cognito, lambda: client.exchange_code(come_back(request), request))
    assert got[0].claims is not None


async def test_cancelled_exchange_delivers_the_tokens_after_a_rotation(client: CognitoClient, cognito: Cognito) -> None:
    """Also where the new key has to be fetched after the answer came."""
    await client._own_tokens._verifier.preload()
    request = client.authorization_request()
    token = sign(id_payload(nonce=request.nonce), header={"kid": "new-kid", "alg": "RS256"}, key=rsa_key("new"))
    cognito.answers, cognito.delay = [answer(token)], 0.05
    cognito.keys = {"keys": [jwk(rsa_key("new"), "new-kid")]}
    got = await cancelled_once_it_is_sent(cognito, lambda: client.exchange_code(come_back(request), request))
    assert got[0].claims is not None
    assert cognito.key_requests == 2


async def test_what_was_sent_is_not_quoted_back(http: httpx.AsyncClient, clock: Clock, cognito: Cognito) -> None:
    """A server that quotes a code or secret, however short, does not get it into an error."""
    client = make(http, clock, client_secret="short-one")
    request = client.authorization_request(scopes=("orders/read",))
    said = f"the-code short-one {request.code_verifier} r-0"
    cognito.answers = [httpx.Response(400, json={"error": "invalid_grant", "error_description": said})]
    with pytest.raises(InvalidGrantError) as exchanged:
        await client.exchange_code(come_back(request), request)
    with pytest.raises(InvalidGrantError) as refreshed:
        await client.refresh("r-0")
    shown = repr(vars(exchanged.value)) + str(exchanged.value)
    assert all(one not in shown for one in said.split()[:3])
    assert "r-0" not in repr(vars(refreshed.value)) + str(refreshed.value)


# --- the client's secret ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text", "SecretStr", "callable", "callable-SecretStr", "async"])
async def test_secret_in_every_form(http: httpx.AsyncClient, clock: Clock, cognito: Cognito, kind: str) -> None:
    """A text, a SecretStr, or something that returns one, also asynchronously."""

    async def later() -> SecretStr:
        await anyio.lowlevel.checkpoint()
        return SecretStr(SECRET)

    secret: Any = {
        "text": SECRET,
        "SecretStr": SecretStr(SECRET),
        "callable": lambda: SECRET,
        "callable-SecretStr": lambda: SecretStr(SECRET),
        "async": later,
    }[kind]
    cognito.answers = [answer(None, refresh_token=None)]
    client = make(http, clock, client_secret=secret)
    await client.client_credentials()
    assert cognito.form()["client_secret"] == SECRET
    assert SECRET not in repr(client)


@pytest.mark.parametrize("given", [None, 7, "", b"bytes", "line\nbreak", SecretStr("")])
async def test_callable_that_returns_no_secret(
    http: httpx.AsyncClient, clock: Clock, cognito: Cognito, given: object
) -> None:
    """A callable that has none is a mistake of configuration: never a public client by accident."""
    with pytest.raises(ConfigurationError, match="client_secret"):
        await make(http, clock, client_secret=lambda: given).refresh("r-0")
    assert cognito.sent == []


async def test_secret_is_read_again_once_after_invalid_client(
    http: httpx.AsyncClient, clock: Clock, cognito: Cognito
) -> None:
    """While two secrets are live a callable is asked again; the same answer, or a text, is not sent twice."""
    secrets = iter(["old-secret", "new-secret", "new-secret", "new-secret", "third", "fourth", "fifth"])
    client = make(http, clock, client_secret=lambda: next(secrets))
    cognito.answers = [refusal("invalid_client"), answer()]
    await client.refresh("r-0")
    assert [cognito.form(number)["client_secret"] for number in range(2)] == ["old-secret", "new-secret"]
    cognito.answers = [refusal("invalid_client", 401)]
    with pytest.raises(InvalidClientError):
        await client.refresh("r-0")
    assert len(cognito.sent) == 3
    with pytest.raises(InvalidClientError):
        await client.refresh("r-0")
    assert (len(cognito.sent), next(secrets)) == (5, "fifth")
    with pytest.raises(InvalidClientError):
        await make(http, clock, client_secret=SECRET).refresh("r-0")
    assert len(cognito.sent) == 6


@pytest.mark.parametrize("act", ["refresh", "exchange"])
async def test_slow_secret_can_be_cancelled_before_anything_is_sent(
    http: httpx.AsyncClient, clock: Clock, cognito: Cognito, act: str
) -> None:
    """A callable that hangs delays nobody who has stopped waiting."""

    async def hang() -> str:
        await anyio.sleep(60)
        return SECRET

    client = make(http, clock, client_secret=hang)
    started = time.monotonic()
    with anyio.move_on_after(0.05) as scope:
        await ACTS[act](client)
    assert (scope.cancelled_caught, cognito.sent) == (True, [])
    assert time.monotonic() - started < 30


async def test_slow_second_secret_is_not_waited_for(
    http: httpx.AsyncClient, clock: Clock, cognito: Cognito, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret read anew after a refusal has the time of an exchange; then the refusal is what there is to say."""
    monkeypatch.setattr(_app_client_credentials, "LIMITS", {Endpoint.TOKEN: _exchange.Limits(total=0.05)})
    waits = iter([0, 60])

    async def slower() -> str:
        await anyio.sleep(next(waits))
        return SECRET

    cognito.answers = [refusal("invalid_client")]
    with anyio.fail_after(10), pytest.raises(InvalidClientError):
        await make(http, clock, client_secret=slower).refresh("r-0")
    assert len(cognito.sent) == 1


async def test_three_methods_byte_for_byte(http: httpx.AsyncClient, clock: Clock, cognito: Cognito) -> None:
    """Post: id and secret in the form, percent-encoded; Basic: base64 of the raw pair; none: the id."""
    cognito.answers = [answer(None)]
    basic = "Basic " + b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
    for options, body, authorization in (
        ({}, f"grant_type=refresh_token&client_id={CLIENT_ID}&refresh_token=r-0", None),
        (
            {"client_secret": SECRET},
            f"grant_type=refresh_token&client_id={CLIENT_ID}&client_secret={quote(SECRET)}&refresh_token=r-0",
            None,
        ),
        (
            {"client_secret": SECRET, "token_endpoint_auth_method": "client_secret_basic"},
            f"grant_type=refresh_token&client_id={CLIENT_ID}&refresh_token=r-0",
            basic,
        ),
    ):
        await make(http, clock, **options).refresh("r-0")
        assert cognito.sent[-1].content.decode() == body
        assert cognito.sent[-1].headers.get("authorization") == authorization
        assert cognito.sent[-1].headers["content-type"] == "application/x-www-form-urlencoded"


async def test_revocation_is_always_basic_for_a_confidential_client(
    http: httpx.AsyncClient, clock: Clock, cognito: Cognito
) -> None:
    """The only documented form; a public client names itself in the form."""
    cognito.answers = [httpx.Response(200)]
    basic = "Basic " + b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
    for method in (None, "client_secret_post", "client_secret_basic"):
        await make(http, clock, client_secret=SECRET, token_endpoint_auth_method=method).revoke(held())
        assert cognito.sent[-1].headers["authorization"] == basic
        assert cognito.sent[-1].content == b"token=r-0"
    await make(http, clock).revoke("r-0")
    assert "authorization" not in cognito.sent[-1].headers
    assert cognito.form() == {"token": "r-0", "client_id": CLIENT_ID}
    assert str(cognito.sent[-1].url) == POOL.revocation_endpoint
    cognito.answers = [refusal("unsupported_token_type")]
    with pytest.raises(OAuthError) as raised:
        await make(http, clock).revoke("r-0")
    assert raised.value.error == "unsupported_token_type"


async def test_client_credentials_on_the_wire(http: httpx.AsyncClient, clock: Clock, cognito: Cognito) -> None:
    """Scopes that are URLs and metadata for the Lambda arrive as they were meant."""
    cognito.answers = [answer(None, refresh_token=None)]
    client = make(http, clock, client_secret=SECRET)
    scopes = ("https://api.example:8443/v1/read", "orders/write")
    tokens = await client.client_credentials(scopes=scopes, client_metadata={"tenant": "a&b=c", "ü": "☃"})
    body = cognito.sent[0].content.decode()
    assert "scope=https%3A%2F%2Fapi.example%3A8443%2Fv1%2Fread+orders%2Fwrite" in body
    assert json.loads(cognito.form()["aws_client_metadata"]) == {"tenant": "a&b=c", "ü": "☃"}
    assert cognito.form()["scope"] == " ".join(scopes)
    assert (tokens.access_token, tokens.refresh_token, tokens.claims) == (ACCESS, None, None)
    await client.client_credentials()
    assert "scope" not in cognito.form()
    with pytest.raises(ConfigurationError):
        await make(http, clock).client_credentials()
    with pytest.raises(ConfigurationError):
        await client.client_credentials(scopes=("openid",))
    assert len(cognito.sent) == 2


# --- userInfo ---------------------------------------------------------------------------------------------------------


async def test_userinfo_says_who_it_must_be(client: CognitoClient, cognito: Cognito) -> None:
    """The ID token's sub, or the one that is written; leaving the check out must be written too."""
    cognito.answers = [{"sub": SUB, "email_verified": "true"}]
    tokens = held()
    info = await client.userinfo(tokens)
    assert (info.sub, info.email_verified, info.raw["email_verified"]) == (SUB, True, "true")
    assert cognito.sent[0].headers["authorization"] == "Bearer old"
    assert (cognito.sent[0].method, str(cognito.sent[0].url)) == ("GET", POOL.userinfo_endpoint)
    assert (await client.userinfo("a-token", expected_sub=SUB)).sub == SUB
    assert (await client.userinfo("a-token", expected_sub=None)).sub == SUB
    cognito.answers = [{"sub": "somebody-else"}]
    with pytest.raises(ProtocolError, match="another person"):
        await client.userinfo(tokens)
    with pytest.raises(ProtocolError, match="another person"):
        await client.userinfo("a-token", expected_sub=SUB)
    assert (await client.userinfo("a-token", expected_sub=None)).sub == "somebody-else"


async def test_userinfo_without_anybody_to_compare_with(client: CognitoClient, cognito: Cognito) -> None:
    """A bare token, or tokens without claims, and no expected_sub: nothing is sent."""
    with pytest.raises(ConfigurationError, match="expected_sub"):
        await client.userinfo("a-token")  # type: ignore[call-overload]
    with pytest.raises(ConfigurationError, match="expected_sub"):
        await client.userinfo(TokenSet(access_token="a", expires_at=1))
    for odd in (None, 7, b"a"):
        with pytest.raises(ConfigurationError):
            await client.userinfo(odd, expected_sub=None)  # type: ignore[call-overload]
    assert cognito.sent == []


# --- addresses --------------------------------------------------------------------------------------------------------


async def test_discovered_metadata_replaces_the_endpoints(
    http: httpx.AsyncClient, clock: Clock, cognito: Cognito
) -> None:
    """`discover` reads the pool's own document, and `metadata=` sends everything where it says."""
    bare = CognitoClient(UserPool(POOL_ID), client_id=CLIENT_ID, redirect_uri=CALLBACK, http_client=http, clock=clock)
    with pytest.raises(ConfigurationError):
        bare.authorization_request()
    document = {
        "issuer": ISSUER,
        "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
        "authorization_endpoint": "https://login.acme.com/oauth2/authorize",
        "token_endpoint": "https://login.acme.com/oauth2/token",
        "userinfo_endpoint": "https://login.acme.com/oauth2/userInfo",
        "revocation_endpoint": "https://login.acme.com/oauth2/revoke",
        "end_session_endpoint": "https://login.acme.com/logout",
    }
    cognito.answers = [document, answer(refresh_token=None), {"sub": SUB}, httpx.Response(200)]
    metadata = await bare.discover()
    client = CognitoClient(
        UserPool(POOL_ID),
        client_id=CLIENT_ID,
        redirect_uri=CALLBACK,
        metadata=metadata,
        http_client=http,
        clock=clock,
    )
    assert client.authorization_request().url.startswith("https://login.acme.com/oauth2/authorize?")
    assert client.logout_url("https://app/bye").startswith("https://login.acme.com/logout?")
    tokens = await client.refresh("r-0")
    await client.userinfo(tokens)
    await client.revoke("r-0")
    assert [str(one.url) for one in cognito.sent] == [
        f"{ISSUER}/.well-known/openid-configuration",
        "https://login.acme.com/oauth2/token",
        "https://login.acme.com/oauth2/userInfo",
        "https://login.acme.com/oauth2/revoke",
    ]
    cognito.answers = [{**document, "issuer": "https://evil.example"}]
    with pytest.raises(ProtocolError):
        await bare.discover()
    foreign = UserPool("us-east-1_Other1", domain="x").metadata
    with pytest.raises(ConfigurationError, match="metadata="):
        CognitoClient(POOL, client_id=CLIENT_ID, metadata=foreign)


async def test_logout_urls(client: CognitoClient) -> None:
    """Out, or out and in again; both or neither makes no sense."""
    assert client.logout_url("https://app/bye?x=1") == (
        f"{POOL.end_session_endpoint}?client_id={CLIENT_ID}&logout_uri=https%3A%2F%2Fapp%2Fbye%3Fx%3D1"
    )
    request = client.authorization_request()
    url = client.logout_url(request=request)
    assert url.startswith(f"{POOL.end_session_endpoint}?")
    assert f"state={request.state}" in url
    assert request.code_verifier not in url
    for wrong in ({}, {"logout_uri": "https://a", "request": request}):
        with pytest.raises(ConfigurationError):
            client.logout_url(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        CognitoClient(UserPool(POOL_ID), client_id=CLIENT_ID).logout_url("https://app/bye")


def nested(depth: int) -> dict[str, object]:
    """Return an object that is deeper than Python can show."""
    value: dict[str, object] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"client_id": ""}, id="client-id"),
        pytest.param({"client_secret": 7}, id="secret-number"),
        pytest.param({"client_secret": ""}, id="secret-empty"),
        pytest.param({"client_secret": "x", "token_endpoint_auth_method": "none"}, id="secret-and-none"),
        pytest.param({"token_endpoint_auth_method": "client_secret_basic"}, id="basic-without-secret"),
        pytest.param({"token_endpoint_auth_method": "private_key_jwt"}, id="method-unknown"),
        pytest.param({"redirect_uri": "http://app.example/cb"}, id="redirect-uri-http"),
        pytest.param({"redirect_uri": "https://app/#x"}, id="redirect-uri-fragment"),
        pytest.param({"scopes": ("email",)}, id="email-without-openid"),
        pytest.param({"identity_providers": "Corp"}, id="providers-text"),
        pytest.param({"identity_providers": 7}, id="providers-number"),
        pytest.param({"identity_providers": ["Corp", 7]}, id="providers-one-number"),
        pytest.param({"clock": 1_800_000_000}, id="clock-number"),
        pytest.param({"metadata": {"issuer": ISSUER}}, id="metadata-mapping"),
        pytest.param({"http_client": object()}, id="http-client"),
        pytest.param({"verifier": object()}, id="verifier-object"),
        pytest.param({"verifier": TokenVerifier}, id="verifier-class"),
        pytest.param({"verifier": SyncTokenVerifier(POOL, client_ids=(CLIENT_ID,))}, id="verifier-sync"),
        pytest.param({"verifier": TokenVerifier(OTHER_POOL, client_ids=(CLIENT_ID,))}, id="verifier-other-pool"),
        pytest.param({"leeway": -1}, id="leeway"),
        pytest.param({"leeway": nested(5000)}, id="leeway-deep"),
        pytest.param({"max_request_age": nested(5000)}, id="age-deep"),
        pytest.param({"max_request_age": -(10**5000)}, id="age-huge"),
        pytest.param({"max_request_age": 0}, id="age-zero"),
        pytest.param({"max_request_age": "600"}, id="age-text"),
        pytest.param({"max_request_age": float("nan")}, id="age-nan"),
        pytest.param({"max_request_age": True}, id="age-boolean"),
    ],
)
def test_what_cannot_be_right_is_said_at_once(options: dict[str, Any]) -> None:
    """A mistake of configuration shows in the constructor, before any I/O."""
    with pytest.raises(ConfigurationError):
        CognitoClient(POOL, **{"client_id": CLIENT_ID, **options})


async def test_id_token_of_another_client_is_refused_whatever_the_verifier_accepts(
    http: httpx.AsyncClient, clock: Clock, cognito: Cognito
) -> None:
    """A verifier that serves several app clients does not make their ID tokens good for this one."""
    pool = UserPool(POOL_ID)
    verifier = TokenVerifier(pool, client_ids=(CLIENT_ID, "other"), http_client=http, clock=clock)
    client = make(http, clock, verifier=verifier)
    request = client.authorization_request()
    cognito.answers = [answer(id_token_for(request, aud="other")), answer(id_token_for(request))]
    with pytest.raises(InvalidClaimError) as raised:
        await client.exchange_code(come_back(request), request)
    assert (raised.value.claim, raised.value.expected, raised.value.actual) == ("aud", CLIENT_ID, "other")
    assert (await client.exchange_code(come_back(request), request)).claims is not None


def test_pool_by_its_id_alone_is_a_mistake() -> None:
    """The first argument is a UserPool; its id as text is told what to write."""
    with pytest.raises(ConfigurationError, match="UserPool"):
        CognitoClient(POOL_ID, client_id=CLIENT_ID)  # type: ignore[arg-type]


async def test_redirect_uri_is_needed_to_log_in(client: CognitoClient) -> None:
    """One of the client's or one of the request's."""
    bare = CognitoClient(POOL, client_id=CLIENT_ID)
    with pytest.raises(ConfigurationError, match="redirect_uri"):
        bare.authorization_request()
    assert bare.authorization_request(redirect_uri=CALLBACK).redirect_uri == CALLBACK
    assert (client.client_id, client.pool, bare.peek_state("?state=s")) == (CLIENT_ID, POOL, "s")


# --- what is sent again -----------------------------------------------------------------------------------------------


async def test_code_and_refresh_token_arrive_once(client: CognitoClient, cognito: Cognito) -> None:
    """No refusal, however passing, and no broken connection sends one of them again."""
    request = client.authorization_request()
    for trouble, error in (
        (httpx.Response(503), TransportError),
        (refusal("slow_down", 429, **{"retry-after": "0"}), RateLimitedError),
        (httpx.ReadError("reset"), TransportError),
        (refusal("invalid_grant"), InvalidGrantError),
        (httpx.Response(403, html="<html>"), TransportError),
        (httpx.Response(302, headers={"location": "https://elsewhere"}), ProtocolError),
        (httpx.Response(200, html="<html>"), ProtocolError),
    ):
        cognito.answers = [trouble]
        cognito.sent.clear()
        with pytest.raises(error) as first:
            await client.exchange_code(come_back(request), request)
        with pytest.raises(error) as second:
            await client.refresh("r-0")
        assert len(cognito.sent) == 2
        slowed = error is RateLimitedError  # nothing was judged nor used up
        assert {raised.value.retryable for raised in (first, second)} == {slowed}


async def test_what_may_be_repeated_says_so(http: httpx.AsyncClient, clock: Clock, cognito: Cognito) -> None:
    """Whatever was not sent, and what does no harm twice, may be tried later; never what a firewall refused."""
    client = make(http, clock, client_secret=SECRET)
    for trouble, act, retryable in (
        (httpx.ConnectError("refused"), "refresh", True),
        (httpx.ReadTimeout("slow"), "refresh", False),
        (httpx.ReadTimeout("slow"), "machine", True),
        (httpx.Response(403, html="<html>"), "machine", False),
    ):
        cognito.answers = [trouble]
        with pytest.raises(TransportError) as raised:
            await ACTS[act](client)
        assert (raised.value.retryable, bool(raised.value.explain())) == (retryable, True)


async def test_harmless_requests_are_sent_again(http: httpx.AsyncClient, clock: Clock, cognito: Cognito) -> None:
    """Machine tokens, userInfo, discovery and revocation come through a passing refusal."""
    client = make(http, clock, client_secret=SECRET)
    document = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/.well-known/jwks.json"}
    for good, act in (
        (answer(None), client.client_credentials),
        ({"sub": SUB}, lambda: client.userinfo(held())),
        (httpx.Response(200, json={**document}), client.discover),
        (httpx.Response(200), lambda: client.revoke("r-0")),
    ):
        cognito.answers = [refusal("x", 429, **{"retry-after": "0"}), httpx.Response(503, headers={"retry-after": "0"})]
        cognito.answers.append(good)
        cognito.sent.clear()
        with contextlib.suppress(ProtocolError):  # the document lacks endpoints; it arrived
            await act()
        assert len(cognito.sent) == 3


async def exchange(client: CognitoClient) -> TokenSet:
    """Exchange a code where no ID token is asked for."""
    request = client.authorization_request(scopes=("orders/read",), redirect_uri=CALLBACK)
    return await client.exchange_code(come_back(request), request)


ACTS: dict[str, Callable[[CognitoClient], Awaitable[object]]] = {
    "exchange": exchange,
    "refresh": lambda client: client.refresh("r-0"),
    "machine": lambda client: client.client_credentials(),
    "userinfo": lambda client: client.userinfo("a", expected_sub=None),
    "revoke": lambda client: client.revoke("r-0"),
    "discover": lambda client: client.discover(),
}


async def exchange_with_openid(client: CognitoClient) -> TokenSet:
    """Exchange a code where an ID token is asked for: the keys are fetched first."""
    request = client.authorization_request(redirect_uri=CALLBACK)
    return await client.exchange_code(come_back(request), request)


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
@pytest.mark.parametrize("act", [*ACTS, "sign in"])
async def test_faults_of_every_endpoint(monkeypatch: pytest.MonkeyPatch, act: str, library: str) -> None:
    """Reset, stall, drip, truncation, 5xx, HTML, bomb, redirect: our error, in time, and the next call works.

    A key set that cannot be had means that no code is sent at all.
    """
    patient = _exchange.Limits(body=4096, attempts=2)
    monkeypatch.setattr(_exchange, "_FIRST_WAIT", 0.01)
    bomb = Answer(body=gzip.compress(b" " * 1_000_000), headers=(("Content-Encoding", "gzip"),))
    faults: list[tuple[Answer, type[CognitoOidcError]]] = [
        (Answer(fault="reset"), TransportError),
        (Answer(fault="close"), TransportError),
        (Answer(fault="stall"), TransportError),
        (Answer(fault="stall_body", body=b'{"sub": "x"}'), TransportError),
        (Answer(fault="drip"), TransportError),
        (Answer(fault="drip_body", body=b'{"sub": "x"}' + b" " * 99), TransportError),
        (Answer(fault="truncate", body=b'{"sub": "x"}'), TransportError),
        (Answer(body=b'{"sub": "' + b"x" * 5000 + b'"}'), ProtocolError),
        (Answer(status=500, body=b"", content_type=None), TransportError),
        (Answer(status=403, body=b"<html>", content_type="text/html"), TransportError),
        (Answer(status=429, body=b""), RateLimitedError),
        (Answer(status=302, headers=(("Location", "/elsewhere"),)), ProtocolError),
        (bomb, ProtocolError),
    ]
    if act != "revoke":  # where any 200 is the answer
        faults += [
            (Answer(body=b"<html>", content_type="text/html"), ProtocolError),
            (Answer(body=b'{"sub": "x", "sub": "y", "access_token": 1}'), ProtocolError),
            (Answer(body=b"[]"), ProtocolError),
        ]
    with FaultServer() as server:
        pool = UserPool(POOL_ID, domain="acme", endpoint_url=server.url)
        async with importlib.import_module(library).AsyncClient() as http:
            client = CognitoClient(pool, client_id=CLIENT_ID, client_secret=SECRET, http_client=http)
            for fault, error in faults:
                server.answer(fault)
                limits = patient._replace(total=0.12) if fault.hangs else patient
                monkeypatch.setattr(_exchange, "LIMITS", dict.fromkeys(Endpoint, limits))
                started = time.monotonic()
                with pytest.raises(CognitoOidcError) as raised:
                    await {**ACTS, "sign in": exchange_with_openid}[act](client)
                assert time.monotonic() - started < 10
                if act == "sign in":
                    assert isinstance(raised.value, KeysUnavailableError), (fault, raised.value)
                    assert {one.method for one in server.received} <= {"GET"}
                elif act != "discover" or fault.status == 200:
                    assert isinstance(raised.value, error), (fault, raised.value)
                assert all(one.target != "/elsewhere" for one in server.received)


def test_client_without_a_borrowed_one_works_in_several_event_loops() -> None:
    """One CognitoClient over two `asyncio.run`: its own HTTP client comes and goes with the loop."""
    with FaultServer() as server:
        server.answer(Answer(body=json.dumps(answer(None)).encode()))
        pool = UserPool(POOL_ID, domain="acme", endpoint_url=server.url)
        client = CognitoClient(pool, client_id=CLIENT_ID, client_secret=SECRET)
        for _ in range(2):
            assert asyncio.run(client.client_credentials()).access_token == ACCESS

        async def entered() -> str:
            async with client:
                return (await client.client_credentials()).access_token

        assert anyio.run(entered, backend="trio") == ACCESS
        assert server.count == 3


# --- against the emulator ---------------------------------------------------------------------------------------------


@pytest.fixture
def keys_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand the emulator keys that were made before."""
    number = count()
    monkeypatch.setattr(emulator_tokens, "generate_private_key", lambda **_: rsa_key(f"emulator-{next(number)}"))


@pytest.fixture
def aws(keys_made_once: None) -> CognitoEmulator:
    """Give an emulator."""
    return CognitoEmulator()


@pytest.fixture
def pool(aws: CognitoEmulator) -> EmulatedPool:
    """Give a pool with a person."""
    pool = aws.add_pool("eu-west-1_Orders001", domain="orders")
    pool.add_user("ann", password="correct horse", email="ann@acme.com", email_verified=True)
    return pool


async def sign_in(aws: CognitoEmulator, client: CognitoClient) -> TokenSet:
    """Sign ann in."""
    request = client.authorization_request()
    return await client.exchange_code(await aws.person("ann", "correct horse").follow(request.url), request)


@pytest.mark.parametrize("rotation", [False, True])
@pytest.mark.parametrize("secret", [False, SECRET])
async def test_whole_life_of_a_sign_in(aws: CognitoEmulator, pool: EmulatedPool, rotation: bool, secret: Any) -> None:  # noqa: ANN401
    """In, userInfo, refresh, revoke twice, and then no refresh any more."""
    web = pool.add_client("web", redirect_uris=[CALLBACK], client_secret=secret, refresh_token_rotation=rotation)
    client = web.client()
    tokens = await sign_in(aws, client)
    info = await client.userinfo(tokens)
    assert tokens.claims is not None
    assert (info.sub, info.email_verified) == (tokens.claims.sub, True)
    aws.clock.advance(3000)
    newer = await client.refresh(tokens)
    assert newer.claims is not None
    assert (newer.claims.sub, newer.refresh_token != tokens.refresh_token) == (tokens.claims.sub, rotation)
    assert newer.expires_at > tokens.expires_at
    if rotation:
        with pytest.raises(InvalidGrantError):
            await client.refresh(tokens)
    await client.revoke(newer)
    await client.revoke(newer)
    with pytest.raises(InvalidGrantError):
        await client.refresh(newer)
    with pytest.raises(OAuthError):
        await client.userinfo(newer)


async def test_code_of_another_client_and_code_used_twice(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """Cognito's refusals come as InvalidGrantError, with causes that are safe to log."""
    client = pool.add_client("web", redirect_uris=[CALLBACK]).client()
    request = client.authorization_request()
    callback = await aws.person("ann", "correct horse").follow(request.url)
    await client.exchange_code(callback, request)
    with pytest.raises(InvalidGrantError) as raised:
        await client.exchange_code(callback, request)
    assert "used before" in raised.value.explain()[0]
    late = client.authorization_request()
    callback = await aws.person("ann", "correct horse").follow(late.url)
    aws.clock.advance(301)
    with pytest.raises(InvalidGrantError) as raised:
        await client.exchange_code(callback, late)
    assert "five minutes" in raised.value.explain()[0]
    aws.clock.advance(300)
    with pytest.raises(CallbackError):
        await client.exchange_code(callback, late)


async def test_two_live_secrets(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """A secret is replaced without a pause: both work, and after the old one is gone the callable is asked again."""
    web = pool.add_client("web", redirect_uris=[CALLBACK], client_secret=True)
    old = web.client_secret
    current = [old, web.add_secret(), ""]
    asked: list[str | None] = []

    def secret() -> str:
        asked.append(current[0])
        return str(current[0])

    client = CognitoClient(
        pool.user_pool,
        client_id=web.client_id,
        client_secret=secret,
        redirect_uri=CALLBACK,
        http_client=aws.http_client(),
        clock=aws.clock,
    )
    tokens = await sign_in(aws, client)
    web.remove_secret(str(old))
    with pytest.raises(InvalidClientError):
        await client.refresh(tokens)
    del current[0]
    assert (await client.refresh(tokens)).access_token != tokens.access_token
    await client.revoke(tokens)


async def test_machine_token_scopes_and_discovery(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """Scopes with slashes and colons survive, and the pool's document names its endpoints."""
    pool.add_resource_server("https://api.acme.com", scopes=["read"])
    job = pool.add_client("job", grants=["client_credentials"])
    client = job.client()
    tokens = await client.client_credentials(scopes=("https://api.acme.com/read",))
    assert (tokens.refresh_token, tokens.claims) == (None, None)
    metadata = await client.discover()
    assert isinstance(metadata, ProviderMetadata)
    assert metadata.token_endpoint == pool.user_pool.token_endpoint
    with pytest.raises(OAuthError) as raised:
        await client.client_credentials(scopes=("orders/other",))
    assert raised.value.error == "invalid_scope"


async def test_rotated_keys_in_the_middle(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """A sign-in after a rotation works at once, the old keys withdrawn or not."""
    client = pool.add_client("web", redirect_uris=[CALLBACK]).client()
    await sign_in(aws, client)
    pool.rotate_keys()
    assert (await sign_in(aws, client)).claims is not None
    pool.rotate_keys(withdraw_old=True)
    assert (await sign_in(aws, client)).claims is not None


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
async def test_over_real_http_with_both_libraries(aws: CognitoEmulator, pool: EmulatedPool, library: str) -> None:
    """The whole flow over loopback, with a client of either library or our own."""
    web = pool.add_client("web", redirect_uris=[CALLBACK], client_secret=SECRET)
    async with aws.serve() as server, importlib.import_module(library).AsyncClient() as http:
        local = UserPool(pool.pool_id, domain="orders", endpoint_url=server.base_url)
        for borrowed in (http, None):
            client = CognitoClient(
                local,
                client_id=web.client_id,
                client_secret=SECRET,
                redirect_uri=CALLBACK,
                http_client=borrowed,
                clock=aws.clock,
            )
            async with client:
                tokens = await sign_in(aws, client)
                assert (await client.userinfo(tokens)).email == "ann@acme.com"
                await client.revoke(await client.refresh(tokens))
