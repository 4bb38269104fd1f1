"""The verifier without an event loop: the same promises, among threads."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cognito_oidc import (
    CachePolicy,
    KeySetFetchFailed,
    KeySetRefreshed,
    StaleServed,
    SyncTokenVerifier,
    TokenRejected,
    UnknownKid,
    UserPool,
)
from cognito_oidc.errors import (
    ConfigurationError,
    ExpiredTokenError,
    InsufficientScopeError,
    InvalidClaimError,
    InvalidSignatureError,
    KeysUnavailableError,
    UnknownKeyError,
)
from tests.factories import (
    ACCESS_KID,
    CLIENT_ID,
    ISSUER,
    NOW,
    POOL_ID,
    SUB,
    UPDATED_ISSUER,
    access_payload,
    id_payload,
    jwk,
    key_set,
    rsa_key,
    sign,
)
from tests.fault_server import Answer, FaultServer
from tests.key_endpoint import Clock, KeyEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cognito_oidc import TokenClaims, VerifierEvent

OLD, NEW = jwk(rsa_key("access"), ACCESS_KID), jwk(rsa_key("new"), "new-kid")


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    return Clock()


@pytest.fixture
def endpoint() -> KeyEndpoint:
    """Give a key endpoint."""
    return KeyEndpoint()


@pytest.fixture
def http(endpoint: KeyEndpoint) -> Iterator[httpx.Client]:
    """Give a client of it."""
    with endpoint.sync_client() as client:
        yield client


@pytest.fixture
def heard() -> list[VerifierEvent]:
    """Give a list of events."""
    return []


@pytest.fixture
def verifier(http: httpx.Client, clock: Clock, heard: list[VerifierEvent]) -> SyncTokenVerifier:
    """Give a verifier without keys."""
    return make(http, clock, on_event=heard.append)


def make(http: httpx.Client | None, clock: Clock, **changes: Any) -> SyncTokenVerifier:  # noqa: ANN401
    """Return a verifier."""
    options = {"client_ids": [CLIENT_ID], "http_client": http, "clock": clock, **changes}
    return SyncTokenVerifier(UserPool(POOL_ID), **options)


def access(kid: str = ACCESS_KID, key: str = "access", **changes: object) -> str:
    """Return an access token that lives for a day."""
    header = {"kid": kid, "alg": "RS256"}
    return sign(access_payload(**{"exp": NOW + 86_000, **changes}), header=header, key=rsa_key(key))


TOKEN = access()
ROTATED = access("new-kid", "new")


def test_threads_on_an_empty_cache_make_one_fetch(verifier: SyncTokenVerifier, endpoint: KeyEndpoint) -> None:
    """Eight threads that need the keys at once fetch them once."""
    endpoint.delay = 0.05
    together = threading.Barrier(8)

    def verify(_: int) -> str:
        together.wait()
        return verifier.verify_access_token(TOKEN).sub

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(verify, range(8))) == [SUB] * 8
    assert endpoint.count == 1


def test_threads_at_the_first_token_share_given_keys(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that come while the given keys are being read wait for them; nobody fetches, nobody is refused."""
    from cognito_oidc import _key_snapshot, _verification

    load = _key_snapshot.load_snapshot

    def slowly(*args: Any, **options: Any) -> Any:  # noqa: ANN401
        time.sleep(0.05)
        return load(*args, **options)

    monkeypatch.setattr(_verification, "load_snapshot", slowly)
    endpoint = KeyEndpoint()
    verifier = make(endpoint.sync_client(), clock, jwks=key_set())
    with ThreadPoolExecutor(8) as threads:
        assert [one.sub for one in threads.map(verifier.verify_access_token, [TOKEN] * 8)] == [SUB] * 8
    assert endpoint.count == 0


def test_threads_that_wait_for_a_failed_fetch_fail_with_it(verifier: SyncTokenVerifier, endpoint: KeyEndpoint) -> None:
    """One request, and everybody is told."""
    endpoint.delay, endpoint.status = 0.05, 500

    def verify(_: int) -> int:
        with pytest.raises(KeysUnavailableError) as raised:
            verifier.verify_access_token(TOKEN)
        return raised.value.http_status

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(verify, range(8))) == [503] * 8
    assert endpoint.count == 1


def test_one_thread_refreshes_soft_keys_while_others_go_on(
    verifier: SyncTokenVerifier, endpoint: KeyEndpoint, clock: Clock
) -> None:
    """While one fetch is in flight the others use the keys that are there."""
    verifier.preload()
    clock.advance(1200)
    asked, answered = threading.Event(), threading.Event()

    def hold(_: httpx.Request) -> None:
        asked.set()
        answered.wait(30)

    endpoint.hook = hold
    leader = threading.Thread(target=verifier.verify_access_token, args=(TOKEN,))
    leader.start()
    assert asked.wait(30)
    for _ in range(20):
        verifier.verify_access_token(TOKEN)
    assert verifier.health().state == "soft"  # so the refresh is still under way
    answered.set()
    leader.join()
    assert (endpoint.count, verifier.health().state) == (2, "fresh")


@pytest.mark.parametrize(("age", "stale"), [(1200, 0), (7200, 10)])
def test_old_keys_serve_while_the_endpoint_is_down(  # noqa: PLR0917 - fixtures
    verifier: SyncTokenVerifier,
    endpoint: KeyEndpoint,
    clock: Clock,
    heard: list[VerifierEvent],
    age: int,
    stale: int,
) -> None:
    """Soft and hard keys go on; requests back off; hard ones say so."""
    verifier.preload()
    clock.advance(age)
    endpoint.failure = httpx.ConnectError("down")
    for _ in range(10):
        assert verifier.verify_access_token(TOKEN).sub == SUB
    assert sum(isinstance(one, StaleServed) for one in heard) == stale
    assert sum(isinstance(one, KeySetFetchFailed) for one in heard) == 1
    clock.advance(86_400)
    with pytest.raises(KeysUnavailableError):
        verifier.verify_access_token(access(exp=clock() + 60, iat=clock(), auth_time=clock()))


def test_hanging_endpoint_holds_one_caller_of_hard_keys_for_a_while(
    endpoint: KeyEndpoint, http: httpx.Client, clock: Clock
) -> None:
    """The one who waits for a refresh of hard keys waits `hard_wait` at most, whatever the client does."""
    verifier = make(http, clock, policy=CachePolicy(hard_wait=0.2))
    verifier.preload()
    clock.advance(7200)
    endpoint.delay = 4
    started = time.monotonic()
    assert verifier.verify_access_token(TOKEN).sub == SUB
    assert 0.15 < time.monotonic() - started < 3.5


def test_rotation_and_flood(verifier: SyncTokenVerifier, endpoint: KeyEndpoint) -> None:
    """A new kid is accepted after one forged one; a flood costs two lookups; the rest comes again later."""
    verifier.verify_access_token(TOKEN)
    with pytest.raises(UnknownKeyError) as forged:
        verifier.verify_access_token(access("forged", "new"))
    assert forged.value.looked_up
    endpoint.document = {"keys": [OLD, NEW]}
    assert verifier.verify_access_token(ROTATED).sub == SUB
    for number in range(50):
        with pytest.raises(UnknownKeyError) as raised:
            verifier.verify_access_token(access(f"random-{number}", "new"))
        assert not raised.value.looked_up
    assert endpoint.count == 3


def test_flood_from_threads_is_bounded(verifier: SyncTokenVerifier, endpoint: KeyEndpoint) -> None:
    """Two lookups also when the unknown kids come at once, and nobody hangs."""
    verifier.preload()
    endpoint.delay = 0.02

    def verify(number: int) -> bool:
        with pytest.raises(UnknownKeyError) as raised:
            verifier.verify_access_token(access(f"random-{number}", "new"))
        return raised.value.looked_up

    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(verify, range(40)))) == 40
    assert endpoint.count == 3


def test_withdrawn_key_second_issuer_and_304(
    verifier: SyncTokenVerifier, endpoint: KeyEndpoint, clock: Clock, heard: list[VerifierEvent]
) -> None:
    """Each issuer has keys of its own; an unchanged set stays; a withdrawn key is refused."""
    endpoint.headers = {"ETag": '"1"'}
    assert verifier.verify_access_token(TOKEN).iss == ISSUER
    assert verifier.verify_access_token(access(iss=UPDATED_ISSUER)).iss == UPDATED_ISSUER
    endpoint.status = 304
    clock.advance(1200)
    verifier.verify_access_token(TOKEN)
    assert KeySetRefreshed(ISSUER, 2, 0, changed=False) in heard
    endpoint.status, endpoint.document = 200, {"keys": [NEW]}
    clock.advance(1200)
    with pytest.raises(UnknownKeyError):
        verifier.verify_access_token(TOKEN)


def test_preload_export_and_given_keys(
    verifier: SyncTokenVerifier, endpoint: KeyEndpoint, clock: Clock, tmp_path: Path
) -> None:
    """Keys go from one verifier to the next with their age; old ones let a process start without the endpoint."""
    verifier.preload()
    verifier.preload()
    assert endpoint.count == 1
    clock.advance(7200)
    endpoint.failure = httpx.ConnectError("down")
    other = make(endpoint.sync_client(), clock, jwks=verifier.export_keys())
    other.preload()
    assert (other.health().state, other.verify_access_token(TOKEN).sub) == ("hard", SUB)
    with pytest.raises(KeysUnavailableError):
        make(endpoint.sync_client(), clock).preload()
    with pytest.raises(ConfigurationError):
        make(None, clock, jwks=tmp_path).preload()


def test_events_of_a_refused_token(verifier: SyncTokenVerifier, heard: list[VerifierEvent]) -> None:
    """A refusal is told with its code alone."""
    with pytest.raises(ExpiredTokenError):
        verifier.verify_access_token(access(exp=NOW - 1))
    with pytest.raises(UnknownKeyError):
        verifier.verify_access_token(ROTATED)
    assert heard[0] == TokenRejected("expired_token")
    assert heard[-2:] == [UnknownKid(ISSUER, looked_up=True), TokenRejected("unknown_key")]


def test_id_tokens_requirements_and_memory(http: httpx.Client, clock: Clock) -> None:
    """The checks are those of the asynchronous verifier."""
    verifier = make(http, clock, verified_cache_size=10)
    id_token = sign(id_payload())
    assert verifier.verify_id_token(id_token, nonce="n-0S6_WzA2Mj").email == "alice@example.com"
    with pytest.raises(InvalidClaimError):
        verifier.verify_id_token(id_token, nonce="another")
    verifier.verify_access_token(TOKEN)
    first = verifier.verify_access_token(TOKEN)
    assert verifier.verify_access_token(TOKEN) is first
    with pytest.raises(InsufficientScopeError):
        verifier.verify_access_token(TOKEN, required_groups=("x",))
    with pytest.raises(InvalidSignatureError):
        verifier.verify_access_token(access(key="new"))
    assert verifier.pool.pool_id == POOL_ID


def test_memory_is_safe_among_threads(http: httpx.Client, clock: Clock) -> None:
    """Threads that verify more tokens than are remembered, while keys are swapped, disturb nobody."""
    verifier = make(http, clock, verified_cache_size=2)
    tokens = [access(jti=str(number)) for number in range(6)]

    def verify(number: int) -> str:
        clock.advance(1)
        return verifier.verify_access_token(tokens[number % 6]).sub

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(verify, range(2000))) == {SUB}


def test_extra_check_decides(http: httpx.Client, clock: Clock, heard: list[VerifierEvent]) -> None:
    """What it raises comes out, and a refusal of ours is told."""

    def refuse(claims: TokenClaims) -> None:
        if claims.raw.get("tenant") != "7":
            raise InvalidClaimError("no", claim="tenant", expected="7")

    verifier = make(http, clock, extra_check=refuse, on_event=heard.append)
    assert verifier.verify_access_token(access(tenant="7")).sub == SUB
    with pytest.raises(InvalidClaimError, match="no"):
        verifier.verify_access_token(TOKEN)
    assert heard[-1] == TokenRejected("invalid_claim")


@pytest.mark.parametrize("verdict", [False, True, "no"])
def test_extra_check_that_answers_is_a_mistake(http: httpx.Client, clock: Clock, verdict: object) -> None:
    """A check that returns False, or a coroutine that nobody would await, is never passed over."""

    async def later(_: TokenClaims) -> None:
        pytest.fail("nobody awaits")

    for check in (lambda _: verdict, later):
        with pytest.raises(ConfigurationError, match="extra_check"):
            make(http, clock, extra_check=check).verify_access_token(TOKEN)


def test_client_of_another_shape_is_refused_at_once(clock: Clock) -> None:
    """An asynchronous client is refused where it is handed in."""
    with pytest.raises(ConfigurationError, match="http_client"):
        make(httpx.AsyncClient(), clock)  # type: ignore[arg-type]


def test_dripping_endpoint_does_not_hold_anybody(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends its headers byte after byte is given up in time; who waits is told the same."""
    from cognito_oidc import _exchange
    from cognito_oidc.protocol.wire import Endpoint

    limits = {**_exchange.LIMITS, Endpoint.JWKS: _exchange.Limits(0.2, 0.2, 0.3, 64 * 1024, 2)}
    monkeypatch.setattr(_exchange, "LIMITS", limits)
    with FaultServer() as server:
        server.answer(Answer(fault="drip", pause=0.1))
        pool = UserPool(POOL_ID, endpoint_url=server.url)
        verifier = SyncTokenVerifier(pool, client_ids=None, clock=clock)
        token = access(iss=pool.issuer)

        def verify(_: int) -> float:
            started = time.monotonic()
            with pytest.raises(KeysUnavailableError):
                verifier.verify_access_token(token)
            return time.monotonic() - started

        with ThreadPoolExecutor(4) as threads:
            assert max(threads.map(verify, range(4))) < 20
        assert server.count == 1


# Python 3.12 warns of what is tested here.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_verifier_works_after_a_fork(endpoint: KeyEndpoint, http: httpx.Client, clock: Clock) -> None:
    """A process that is forked in the middle of a fetch does not wait for a thread that it does not have."""
    endpoint.delay = 0.3
    verifier = make(http, clock)
    thread = threading.Thread(target=verifier.verify_access_token, args=(TOKEN,))
    thread.start()
    time.sleep(0.05)

    def child() -> None:
        started = time.monotonic()
        subject = verifier.verify_access_token(TOKEN).sub
        raise SystemExit(0 if subject == SUB and time.monotonic() - started < 2 else 1)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(20)
    thread.join()
    assert process.exitcode == 0


def test_given_keys_need_no_network_library() -> None:
    """With given keys nothing of HTTP, event loops, pydantic or joserfc is ever imported."""
    code = f"""
import sys
from cognito_oidc import SyncTokenVerifier, UserPool
verifier = SyncTokenVerifier(UserPool({POOL_ID!r}), client_ids=None, jwks={key_set()!r}, clock=lambda: {NOW})
assert verifier.verify_access_token({TOKEN!r}).sub == {SUB!r}
print(*sorted({{name.partition(".")[0] for name in sys.modules}}
              & {{"httpx", "pydantic", "joserfc", "anyio", "asyncio", "ssl", "logging", "threading"}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in {"", "threading"}
