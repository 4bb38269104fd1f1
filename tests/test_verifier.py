"""Who fetches keys, who waits for them and who does not, over both event loops."""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from anyio.lowlevel import checkpoint

from cognito_oidc import (
    AccessTokenClaims,
    CachePolicy,
    IdTokenClaims,
    KeyAppeared,
    KeySetFetchFailed,
    KeySetRefreshed,
    KeyWithdrawn,
    MultiPoolVerifier,
    StaleServed,
    SyncTokenVerifier,
    TokenRejected,
    TokenVerifier,
    UnknownKid,
    UserPool,
    _turns,
)
from cognito_oidc.errors import (
    ConfigurationError,
    ExpiredTokenError,
    InsufficientScopeError,
    InvalidClaimError,
    InvalidSignatureError,
    KeysNotLoadedError,
    KeysUnavailableError,
    MalformedTokenError,
    TokenVerificationError,
    UnknownKeyError,
)
from tests.factories import (
    ACCESS_KID,
    CLIENT_ID,
    ID_KID,
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
from tests.key_endpoint import Clock, KeyEndpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from cognito_oidc import TokenClaims, VerifierEvent

pytestmark = pytest.mark.anyio

OLD, NEW = jwk(rsa_key("access"), ACCESS_KID), jwk(rsa_key("new"), "new-kid")
NONCE = "n-0S6_WzA2Mj"


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    return Clock()


@pytest.fixture
def endpoint() -> KeyEndpoint:
    """Give a key endpoint."""
    return KeyEndpoint()


@pytest.fixture
async def http(endpoint: KeyEndpoint) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of it."""
    async with endpoint.client() as client:
        yield client


class Heard(list["VerifierEvent"]):
    """Events that were told."""

    def of(self, kind: type[Any]) -> list[Any]:
        """Return those of a kind."""
        return [one for one in self if isinstance(one, kind)]


@pytest.fixture
def heard() -> Heard:
    """Give a list of events."""
    return Heard()


@pytest.fixture
def verifier(http: httpx.AsyncClient, clock: Clock, heard: Heard) -> TokenVerifier:
    """Give a verifier without keys."""
    return make(http, clock, on_event=heard.append)


def make(http: httpx.AsyncClient | None, clock: Clock, **changes: Any) -> TokenVerifier:  # noqa: ANN401
    """Return a verifier."""
    options = {"client_ids": [CLIENT_ID], "http_client": http, "clock": clock, **changes}
    return TokenVerifier(UserPool(POOL_ID), **options)


def access(kid: str = ACCESS_KID, key: str = "access", **changes: object) -> str:
    """Return an access token that lives for a day."""
    return sign(
        access_payload(**{"exp": NOW + 86_000, **changes}), header={"kid": kid, "alg": "RS256"}, key=rsa_key(key)
    )


TOKEN = access()
ROTATED = access("new-kid", "new")


async def until_asked(endpoint: KeyEndpoint, times: int) -> None:
    """Wait until that many requests have come."""
    with anyio.fail_after(30):
        while endpoint.count < times:  # noqa: ASYNC110 - nothing tells that it has come
            await anyio.sleep(0.005)


# --- one fetch for all ------------------------------------------------------------------------------------------------


async def test_thousand_callers_on_an_empty_cache_make_one_fetch(
    verifier: TokenVerifier, endpoint: KeyEndpoint
) -> None:
    """However many callers need the keys at once, they are fetched once."""
    endpoint.delay = 0.02
    seen: list[str] = []

    async def verify() -> None:
        seen.append((await verifier.verify_access_token(TOKEN)).sub)

    async with anyio.create_task_group() as tasks:
        for _ in range(1000):
            tasks.start_soon(verify)
    assert (len(seen), set(seen), endpoint.count) == (1000, {SUB}, 1)
    assert str(endpoint.received[0].url) == f"{ISSUER}/.well-known/jwks.json"


async def test_waiter_that_is_cancelled_leaves_at_once(verifier: TokenVerifier, endpoint: KeyEndpoint) -> None:
    """A caller who only waits for the fetch of another is gone as soon as it is cancelled."""
    endpoint.gate = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(verifier.verify_access_token, TOKEN)
        await checkpoint()
        await checkpoint()
        with anyio.move_on_after(0.02) as scope:
            await verifier.verify_access_token(TOKEN)
        assert (scope.cancelled_caught, verifier.health().state) == (True, "empty")
        endpoint.gate.set()
    assert (endpoint.count, verifier.health().state) == (1, "fresh")


async def test_leader_that_is_cancelled_completes_for_the_others(
    verifier: TokenVerifier, endpoint: KeyEndpoint
) -> None:
    """The caller who fetches ends the fetch before its cancellation takes effect, and the others get the keys."""
    endpoint.delay = 0.1
    seen: list[str] = []

    async def wait() -> None:
        seen.append((await verifier.verify_access_token(TOKEN)).sub)

    async with anyio.create_task_group() as tasks:
        leader = anyio.CancelScope()

        async def lead() -> None:
            with leader:
                await verifier.verify_access_token(TOKEN)

        tasks.start_soon(lead)
        await anyio.sleep(0.02)
        tasks.start_soon(wait)
        tasks.start_soon(wait)
        await checkpoint()
        leader.cancel()
    assert (seen, endpoint.count) == ([SUB, SUB], 1)


async def test_leader_that_is_cancelled_before_it_begins_gives_its_place_away(
    verifier: TokenVerifier, endpoint: KeyEndpoint
) -> None:
    """A caller who is cancelled already leaves no flight behind, and no lookup used up."""
    await verifier.preload()
    for _ in range(3):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await verifier.verify_access_token(ROTATED)
        assert scope.cancelled_caught
    endpoint.document = {"keys": [OLD, NEW]}
    assert (await verifier.verify_access_token(ROTATED)).sub == SUB
    assert (endpoint.count, verifier._flights) == (2, {})


async def test_waiters_of_a_failed_fetch_fail_with_it(verifier: TokenVerifier, endpoint: KeyEndpoint) -> None:
    """Everybody who waited for a fetch that failed is told so, by one request."""
    endpoint.delay, endpoint.status = 0.02, 500
    failures: list[KeysUnavailableError] = []

    async def verify() -> None:
        with pytest.raises(KeysUnavailableError) as raised:
            await verifier.verify_access_token(TOKEN)
        failures.append(raised.value)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(verify)
    assert (len(failures), endpoint.count) == (50, 1)
    assert {(error.http_status, error.retryable) for error in failures} == {(503, True)}
    assert "500" in str(failures[0])


# --- ages -------------------------------------------------------------------------------------------------------------


async def test_fresh_keys_are_not_fetched_again(verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock) -> None:
    """Up to the soft age nothing is fetched."""
    await verifier.verify_access_token(TOKEN)
    clock.advance(800)
    await verifier.verify_access_token(TOKEN)
    assert (endpoint.count, verifier.health().state, verifier.health().age) == (1, "fresh", 800)


async def test_soft_keys_are_used_while_one_caller_refreshes(
    http: httpx.AsyncClient, endpoint: KeyEndpoint, clock: Clock
) -> None:
    """In the soft age one caller refreshes, and nobody else waits for it."""
    verifier = make(http, clock, policy=CachePolicy(hard_wait=5))
    await verifier.preload()
    clock.advance(1200)
    assert verifier.health().state == "soft"
    endpoint.gate = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(verifier.verify_access_token, TOKEN)
        await until_asked(endpoint, 2)
        for _ in range(20):
            await verifier.verify_access_token(TOKEN)
        assert verifier.health().state == "soft"  # so the refresh is still under way
        endpoint.gate.set()
    assert (endpoint.count, verifier.health().state) == (2, "fresh")


@pytest.mark.parametrize(
    ("age", "state"), [pytest.param(1200, "soft", id="soft"), pytest.param(7200, "hard", id="hard")]
)
async def test_failing_refresh_leaves_old_keys_in_use(  # noqa: PLR0917 - fixtures
    verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock, heard: Heard, age: int, state: str
) -> None:
    """While the endpoint is down the old keys serve, requests back off, and hard keys say that they served."""
    await verifier.preload()
    clock.advance(age)
    endpoint.status = 500
    for _ in range(30):
        await verifier.verify_access_token(TOKEN)
    assert (verifier.health().state, endpoint.count) == (state, 3)  # one fetch more, sent twice
    assert verifier.health().last_error is not None
    assert len(heard.of(StaleServed)) == (30 if state == "hard" else 0)
    assert heard.of(KeySetFetchFailed)[0].failures == 1
    endpoint.status = 200
    clock.advance(20)
    await verifier.verify_access_token(TOKEN)
    assert (verifier.health().state, verifier.health().last_error) == ("fresh", None)


async def test_hanging_endpoint_holds_one_caller_of_hard_keys_for_a_second(
    http: httpx.AsyncClient, endpoint: KeyEndpoint, clock: Clock
) -> None:
    """In the hard age one caller waits, for `hard_wait` at most; the others and everybody later do not."""
    verifier = make(http, clock, policy=CachePolicy(hard_wait=2, backoff_first=10, backoff_max=10))
    await verifier.preload()
    clock.advance(7200)
    endpoint.delay = 10
    waits: list[float] = []

    async def verify() -> None:
        started = time.monotonic()
        await verifier.verify_access_token(TOKEN)
        waits.append(time.monotonic() - started)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(verify)
    waits.sort()
    assert waits[8] < 1.9 < waits[9] < 9


async def test_dead_keys_are_not_used(verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock) -> None:
    """After a day without a good answer nothing can be said any more, until there is one."""
    await verifier.preload()
    clock.advance(86_400)
    endpoint.failure = httpx.ConnectError("down")
    token = access(exp=NOW + 90_000, iat=NOW + 80_000, auth_time=NOW + 80_000)
    with pytest.raises(KeysUnavailableError):
        await verifier.verify_access_token(token)
    assert verifier.health().state == "dead"
    endpoint.failure = None
    clock.advance(2)
    assert (await verifier.verify_access_token(token)).sub == SUB


async def test_cold_failure_is_overcome_within_a_second(
    verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock
) -> None:
    """While no keys were ever there, the endpoint is asked about once a second, and success is seen at once."""
    endpoint.failure = httpx.ConnectError("down")
    for _ in range(100):
        with pytest.raises(KeysUnavailableError) as raised:
            await verifier.verify_access_token(TOKEN)
        assert raised.value.retry_after is None or raised.value.retry_after <= 1.05
        clock.advance(0.1)
    assert 9 <= endpoint.count <= 12
    endpoint.failure = None
    clock.advance(1.05)
    assert (await verifier.verify_access_token(TOKEN)).sub == SUB


async def test_cold_fetch_is_sent_once(verifier: TokenVerifier, endpoint: KeyEndpoint) -> None:
    """Without keys a failed fetch is not repeated inside the call: callers come again anyway."""
    endpoint.status = 503
    with pytest.raises(KeysUnavailableError):
        await verifier.preload()
    assert (endpoint.count, verifier.health().state) == (1, "empty")


# --- unknown kids -----------------------------------------------------------------------------------------------------


async def test_rotation_right_after_a_fetch_and_a_forged_kid_is_accepted(
    verifier: TokenVerifier, endpoint: KeyEndpoint
) -> None:
    """A new key is found at once, even just after a fetch and after a forged kid used up a lookup."""
    await verifier.verify_access_token(TOKEN)
    with pytest.raises(UnknownKeyError) as forged:
        await verifier.verify_access_token(access("forged", "new"))
    assert (forged.value.looked_up, forged.value.http_status) == (True, 401)
    endpoint.document = {"keys": [OLD, NEW]}
    assert (await verifier.verify_access_token(ROTATED)).sub == SUB
    assert endpoint.count == 3


async def test_flood_of_unknown_kids_is_bounded(verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock) -> None:
    """Three hundred random kids cost two fetches; the rest is told to come again, and known kids do not notice."""
    await verifier.preload()
    errors: list[UnknownKeyError] = []
    for number in range(300):
        with pytest.raises(UnknownKeyError) as raised:
            await verifier.verify_access_token(access(f"random-{number}", "new"))
        errors.append(raised.value)
    assert endpoint.count == 3
    assert [(one.looked_up, one.retryable) for one in errors] == [(True, False)] * 2 + [(False, True)] * 298
    assert all(one.retry_after is not None and 0 < one.retry_after <= 10 for one in errors[2:])
    assert (await verifier.verify_access_token(TOKEN)).sub == SUB
    clock.advance(10)
    endpoint.document = {"keys": [OLD, NEW]}
    assert (await verifier.verify_access_token(ROTATED)).sub == SUB


async def test_simultaneous_flood_of_unknown_kids_is_bounded(verifier: TokenVerifier, endpoint: KeyEndpoint) -> None:
    """The same when they come all at once: two fetches, and every caller is answered."""
    await verifier.preload()
    endpoint.delay = 0.02
    refused: list[bool] = []

    async def verify(number: int) -> None:
        with pytest.raises(UnknownKeyError) as raised:
            await verifier.verify_access_token(access(f"random-{number}", "new"))
        refused.append(raised.value.looked_up)

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(verify, number)
    assert (len(refused), endpoint.count) == (100, 3)


async def test_kid_that_was_not_found_is_remembered(
    verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock
) -> None:
    """The same unknown kid is answered from memory for ten seconds, and looked for again then."""
    await verifier.preload()
    forged = access("forged", "new")
    for _ in range(20):
        with pytest.raises(UnknownKeyError) as raised:
            await verifier.verify_access_token(forged)
        assert raised.value.looked_up
    assert endpoint.count == 2
    clock.advance(11)
    with pytest.raises(UnknownKeyError):
        await verifier.verify_access_token(forged)
    assert endpoint.count == 3


async def test_key_published_during_a_fetch_is_looked_for_once_more(
    verifier: TokenVerifier, endpoint: KeyEndpoint
) -> None:
    """A caller who joined a fetch that was answered before the rotation leads one of its own."""
    await verifier.preload()
    endpoint.delay = 0.05

    def rotate(_: httpx.Request) -> None:
        if endpoint.count == 3:
            endpoint.document = {"keys": [OLD, NEW]}

    endpoint.hook = rotate
    async with anyio.create_task_group() as tasks:

        async def forged() -> None:
            with pytest.raises(UnknownKeyError):
                await verifier.verify_access_token(access("forged", "new"))

        tasks.start_soon(forged)
        await anyio.sleep(0.01)
        assert (await verifier.verify_access_token(ROTATED)).sub == SUB
    assert endpoint.count == 3


async def test_failed_lookup_is_no_verdict(verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock) -> None:
    """A lookup whose fetch failed says 503, gives its turn back, and the kid is not held for missing."""
    await verifier.preload()
    endpoint.failure = httpx.ReadError("reset")
    with pytest.raises(KeysUnavailableError):
        await verifier.verify_access_token(ROTATED)
    endpoint.failure = None
    endpoint.document = {"keys": [OLD, NEW]}
    clock.advance(1)
    assert (await verifier.verify_access_token(ROTATED)).sub == SUB


async def test_bad_signature_of_a_known_kid_never_fetches(verifier: TokenVerifier, endpoint: KeyEndpoint) -> None:
    """A forged token that names a known key is refused without a fetch."""
    await verifier.preload()
    for _ in range(10):
        with pytest.raises(InvalidSignatureError):
            await verifier.verify_access_token(access(key="new"))
    assert endpoint.count == 1


@pytest.mark.parametrize(
    ("token", "error"),
    [
        pytest.param("garbage", MalformedTokenError, id="garbage"),
        pytest.param(access(exp=NOW - 1), ExpiredTokenError, id="expired"),
        pytest.param(access(iss="https://evil.example"), InvalidClaimError, id="foreign-issuer"),
        pytest.param(access(client_id="other"), InvalidClaimError, id="other-client"),
        pytest.param(sign(id_payload()), InvalidClaimError, id="id-token"),
    ],
)
async def test_token_that_is_refused_anyway_costs_no_fetch(
    verifier: TokenVerifier, endpoint: KeyEndpoint, heard: Heard, token: str, error: type[TokenVerificationError]
) -> None:
    """What can be judged without a key is judged without one, and says that the signature was not checked."""
    with pytest.raises(error) as raised:
        await verifier.verify_access_token(token)
    assert endpoint.count == 0
    assert getattr(raised.value, "signature_checked", False) is False
    assert heard == [TokenRejected(raised.value.code)]


async def test_hanging_endpoint_does_not_touch_a_known_kid(verifier: TokenVerifier, endpoint: KeyEndpoint) -> None:
    """While a lookup hangs, tokens of known keys are verified as fast as ever."""
    await verifier.preload()
    endpoint.gate = anyio.Event()
    refused: list[UnknownKeyError] = []
    async with anyio.create_task_group() as tasks:

        async def unknown() -> None:
            with pytest.raises(UnknownKeyError) as caught:
                await verifier.verify_access_token(ROTATED)
            refused.append(caught.value)

        tasks.start_soon(unknown)
        await until_asked(endpoint, 2)
        for _ in range(20):
            await verifier.verify_access_token(TOKEN)
        assert refused == []  # so the lookup is still under way
        endpoint.gate.set()
    assert [error.looked_up for error in refused] == [True]


# --- answers of the endpoint ------------------------------------------------------------------------------------------


async def test_withdrawn_key_is_refused_after_the_refresh(
    verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock, heard: Heard
) -> None:
    """A good answer replaces the set: what is not in it any more is refused, by that one fetch."""
    await verifier.verify_access_token(TOKEN)
    endpoint.document = {"keys": [NEW]}
    clock.advance(1200)
    with pytest.raises(UnknownKeyError) as raised:
        await verifier.verify_access_token(TOKEN)
    assert (raised.value.looked_up, endpoint.count) == (True, 2)
    assert KeyWithdrawn(ISSUER, ACCESS_KID) in heard
    assert KeyAppeared(ISSUER, "new-kid") in heard


async def test_header_memory_ends_with_its_key_set(
    verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock
) -> None:
    """A key that another one replaced under the same kid does not go on being used."""
    await verifier.verify_access_token(TOKEN)
    endpoint.document = {"keys": [jwk(rsa_key("new"), ACCESS_KID)]}
    clock.advance(1200)
    with pytest.raises(InvalidSignatureError):
        await verifier.verify_access_token(TOKEN)
    assert (await verifier.verify_access_token(access(key="new"))).sub == SUB


async def test_etag_is_sent_and_304_keeps_the_keys(
    verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock, heard: Heard
) -> None:
    """An unchanged set is not sent again, and counts as a good answer."""
    endpoint.headers = {"ETag": '"v1"', "Cache-Control": "public, max-age=300"}
    await verifier.preload()
    assert "if-none-match" not in endpoint.received[0].headers
    endpoint.status = 304
    clock.advance(301)
    await verifier.verify_access_token(TOKEN)
    assert endpoint.received[1].headers["if-none-match"] == '"v1"'
    assert (verifier.health().state, verifier.health().age) == ("fresh", 0)
    assert heard.of(KeySetRefreshed)[1] == KeySetRefreshed(ISSUER, 2, 0, changed=False)


@pytest.mark.parametrize(
    ("header", "fresh_at", "soft_at"),
    [
        pytest.param("max-age=600", 599, 601, id="taken"),
        pytest.param("max-age=1", 299, 301, id="five-minutes-at-least"),
        pytest.param("public, max-age=86400", 3599, 3601, id="an-hour-at-most"),
        pytest.param("no-store", 800, 1000, id="none"),
    ],
)
async def test_cache_control_moves_the_soft_age(  # noqa: PLR0917 - fixtures
    verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock, header: str, fresh_at: int, soft_at: int
) -> None:
    """max-age sets the soft age between 5 and 60 minutes."""
    endpoint.headers = {"Cache-Control": header}
    await verifier.preload()
    clock.advance(fresh_at)
    assert verifier.health().state == "fresh"
    clock.advance(soft_at - fresh_at)
    assert verifier.health().state in {"soft", "hard"}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="html"),
        pytest.param({"keys": []}, id="no-keys"),
        pytest.param({"keys": [jwk(rsa_key("access"), ACCESS_KID, kty="EC")]}, id="no-usable-key"),
        pytest.param(b'{"keys": [], "keys": []}', id="duplicate-members"),
        pytest.param(b'{"keys": [' + b" " * 70_000 + b"]}", id="oversized"),
        pytest.param(json.dumps(key_set()).encode()[:-5], id="truncated"),
        pytest.param({"keys": [NEW] * 33}, id="too-many"),
    ],
)
async def test_bad_answer_never_drops_good_keys(
    verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock, heard: Heard, document: object
) -> None:
    """An answer that is no key set is a failed fetch, and no more than that."""
    await verifier.preload()
    endpoint.document = document
    clock.advance(7200)
    assert (await verifier.verify_access_token(TOKEN)).sub == SUB
    assert len(heard.of(KeySetFetchFailed)) == 1


async def test_bad_key_does_not_spoil_the_set(verifier: TokenVerifier, endpoint: KeyEndpoint, heard: Heard) -> None:
    """A key that cannot be used is left out and counted; the others serve."""
    endpoint.document = {"keys": [jwk(rsa_key("new"), "weak", e="Aw"), OLD]}
    assert (await verifier.verify_access_token(TOKEN)).sub == SUB
    assert heard.of(KeySetRefreshed) == [KeySetRefreshed(ISSUER, 1, 1, changed=True)]


async def test_closed_client_is_named(endpoint: KeyEndpoint, clock: Clock) -> None:
    """A borrowed client that was closed shows in the error."""
    http = endpoint.client()
    await http.aclose()
    with pytest.raises(KeysUnavailableError, match="closed"):
        await make(http, clock).verify_access_token(TOKEN)


# --- issuers and pools ------------------------------------------------------------------------------------------------


async def test_second_issuer_is_fetched_only_when_a_token_names_it(
    verifier: TokenVerifier, endpoint: KeyEndpoint
) -> None:
    """Both issuers of the pool are accepted, each with its own keys, by the same kids."""
    assert (await verifier.verify_access_token(TOKEN)).iss == ISSUER
    assert [str(one.url) for one in endpoint.received] == [f"{ISSUER}/.well-known/jwks.json"]
    updated = access(iss=UPDATED_ISSUER)
    assert (await verifier.verify_access_token(updated)).iss == UPDATED_ISSUER
    assert str(endpoint.received[1].url) == f"{UPDATED_ISSUER}/.well-known/jwks.json"
    assert (await verifier.verify_access_token(TOKEN)).iss == ISSUER
    assert (await verifier.verify_access_token(updated)).iss == UPDATED_ISSUER
    assert endpoint.count == 2


async def test_multi_pool_verifier_chooses_by_issuer(
    endpoint: KeyEndpoint, http: httpx.AsyncClient, clock: Clock
) -> None:
    """The token's issuer chooses among the configured pools; any other is refused without a fetch."""
    second = TokenVerifier(UserPool("us-east-1_Second"), client_ids=None, http_client=http, clock=clock)
    both = MultiPoolVerifier([make(http, clock), second])
    other = access(iss=second.pool.issuer, client_id="whoever")
    assert (await both.verify_access_token(TOKEN)).iss == ISSUER
    assert (await both.verify_access_token(other)).iss == second.pool.issuer
    assert (await both.verify_id_token(sign(id_payload()), nonce=NONCE)).sub == SUB
    await both.preload()
    assert endpoint.count == 2
    for bad, error in (
        (access(iss="https://evil.example"), InvalidClaimError),
        (access(iss=None), InvalidClaimError),
        ("garbage", MalformedTokenError),
        (None, MalformedTokenError),
        (access(iss=second.pool.issuer + "/"), InvalidClaimError),
    ):
        with pytest.raises(error):
            await both.verify_access_token(bad)  # type: ignore[arg-type]
    assert endpoint.count == 2


def test_multi_pool_verifier_wants_different_pools(clock: Clock) -> None:
    """None at all, or two of one pool, is a mistake of configuration."""
    with pytest.raises(ConfigurationError):
        MultiPoolVerifier([])
    with pytest.raises(ConfigurationError, match="Two verifiers"):
        MultiPoolVerifier([make(None, clock), make(None, clock)])


@pytest.mark.parametrize(
    ("verifiers", "message"),
    [
        pytest.param(None, "several verifiers, such as a list, got nothing", id="none"),
        pytest.param(5, "several verifiers, such as a list, got a value of type int", id="number"),
        pytest.param("eu-west-1_AbC123", "a TokenVerifier each, got 'e'", id="text"),
        pytest.param([None], "a TokenVerifier each, got nothing", id="none-in-it"),
        pytest.param([UserPool("eu-west-1_AbC123")], "a TokenVerifier each, got a value of type UserPool", id="pool"),
        pytest.param(
            [SyncTokenVerifier(UserPool("eu-west-1_AbC123"), client_ids=None)],
            "a TokenVerifier each, got a value of type SyncTokenVerifier",
            id="synchronous",
        ),
    ],
)
def test_multi_pool_verifier_wants_verifiers(verifiers: Any, message: str) -> None:  # noqa: ANN401
    """Anything else is a mistake of configuration, told at once and not when the first token comes."""
    with pytest.raises(ConfigurationError, match=f"^verifiers: expected {message}"):
        MultiPoolVerifier(verifiers)


@pytest.mark.parametrize("verifier_class", [TokenVerifier, SyncTokenVerifier])
@pytest.mark.parametrize(
    ("argument", "value", "expected"),
    [
        pytest.param("pool", "eu-west-1_AbC123", "a UserPool, got 'eu-west-1_AbC123'", id="pool-id"),
        pytest.param("pool", None, "a UserPool, got nothing", id="no-pool"),
        pytest.param("policy", {"soft_after": 5}, "a CachePolicy or None, got a value of type dict", id="policy"),
        pytest.param("policy", 0, "a CachePolicy or None, got a value of type int", id="zero-policy"),
        pytest.param("resource", "", "a text that is not empty, or None, got ''", id="empty-resource"),
        pytest.param("resource", ["https://a"], "a text that is not empty", id="resources"),
        pytest.param("access_token_claims", IdTokenClaims, "AccessTokenClaims or a subclass", id="other-claims"),
        pytest.param("id_token_claims", "IdTokenClaims", "IdTokenClaims or a subclass", id="name-of-claims"),
        pytest.param("on_event", [], "a function or None", id="list-as-hook"),
        pytest.param("clock", 1_800_000_000, "a function or None", id="time-as-clock"),
        pytest.param("extra_check", "check", "a function or None", id="name-of-check"),
    ],
)
def test_odd_arguments_are_told_at_once(verifier_class: Any, argument: str, value: object, expected: str) -> None:  # noqa: ANN401
    """What cannot be right is refused when the verifier is made, by the name of the argument."""
    arguments: dict[str, object] = {"pool": UserPool("eu-west-1_AbC123"), "client_ids": None, argument: value}
    with pytest.raises(ConfigurationError, match=f"^{argument}: expected {expected}"):
        verifier_class(**arguments)


async def test_an_odd_resource_of_a_call_is_told(verifier: TokenVerifier) -> None:
    """A resource that no token could be bound to would refuse every token, and blame the token."""
    for odd in ("", 5, ("https://a",), ["https://a"]):
        with pytest.raises(ConfigurationError, match=r"^resource: expected a text"):
            await verifier.verify_access_token(TOKEN, resource=odd)  # type: ignore[arg-type]


# --- the caller's own -------------------------------------------------------------------------------------------------


class TenantClaims(AccessTokenClaims):
    """Claims with a tenant."""

    @property
    def tenant(self) -> str:
        """The tenant."""
        return str(self.raw["tenant"])


class PersonClaims(IdTokenClaims):
    """Claims with a tenant."""

    @property
    def tenant(self) -> str:
        """The tenant."""
        return str(self.raw["custom:tenant"])


async def test_claims_come_as_the_callers_own_class(http: httpx.AsyncClient, clock: Clock) -> None:
    """A subclass of the claims is what comes back."""
    verifier = make(http, clock, access_token_claims=TenantClaims, id_token_claims=PersonClaims)
    for _ in range(2):
        claims = await verifier.verify_access_token(access(tenant="7"))
        person = await verifier.verify_id_token(sign(id_payload()), nonce=NONCE)
        assert isinstance(claims, TenantClaims)
        assert isinstance(person, PersonClaims)
        assert (claims.tenant, person.tenant) == ("7", "42")


class TenantError(Exception):
    """The caller's own."""


async def test_extra_check_decides_after_all_others(http: httpx.AsyncClient, clock: Clock, heard: Heard) -> None:
    """A check of the caller's runs on accepted tokens alone, sync or async, and what it raises comes out."""
    asked: list[TokenClaims] = []

    def refuse(claims: TokenClaims) -> None:
        asked.append(claims)
        if claims.raw.get("tenant") != "7":
            raise InvalidClaimError("no", claim="tenant", expected="7")

    async def refuse_later(claims: TokenClaims) -> None:
        await checkpoint()
        refuse(claims)

    async def fail(_: TokenClaims) -> None:
        raise TenantError

    for check in (refuse, refuse_later):
        heard.clear()
        verifier = make(http, clock, extra_check=check, on_event=heard.append)
        assert (await verifier.verify_access_token(access(tenant="7"))).sub == SUB
        with pytest.raises(InvalidClaimError, match="no"):
            await verifier.verify_access_token(access(tenant="8"))
        assert len(heard.of(TokenRejected)) == 1
        with pytest.raises(ExpiredTokenError):
            await verifier.verify_access_token(access(tenant="7", exp=NOW - 1))
    assert len(asked) == 4
    with pytest.raises(TenantError):
        await make(http, clock, extra_check=fail).verify_access_token(TOKEN)


@pytest.mark.parametrize("verdict", [False, True, "no", 0])
async def test_extra_check_that_answers_is_a_mistake(http: httpx.AsyncClient, clock: Clock, verdict: object) -> None:
    """A check that returns False may be meant to refuse: that is said, never passed over."""

    async def later(_: TokenClaims) -> object:
        return verdict

    for check in (lambda _: verdict, later):
        verifier = make(http, clock, extra_check=check)
        with pytest.raises(ConfigurationError, match="extra_check"):
            await verifier.verify_access_token(TOKEN)
        with pytest.raises(ConfigurationError, match="extra_check"):
            verifier.verify_access_token_nowait(TOKEN)


async def test_listener_that_fails_decides_nothing(http: httpx.AsyncClient, clock: Clock) -> None:
    """An exception of on_event is not the caller's problem."""

    def fail(_: VerifierEvent) -> None:
        raise ValueError("listener")

    verifier = make(http, clock, on_event=fail)
    assert (await verifier.verify_access_token(TOKEN)).sub == SUB
    with pytest.raises(UnknownKeyError):
        await verifier.verify_access_token(ROTATED)


async def test_events_tell_what_happened(verifier: TokenVerifier, endpoint: KeyEndpoint, heard: Heard) -> None:
    """Refreshed, appeared, unknown, rejected: each once, and nothing of the token."""
    await verifier.verify_access_token(TOKEN)
    assert heard[0] == KeySetRefreshed(ISSUER, 2, 0, changed=True)
    assert {one.kid for one in heard.of(KeyAppeared)} == {ACCESS_KID, ID_KID}
    heard.clear()
    with pytest.raises(UnknownKeyError):
        await verifier.verify_access_token(ROTATED)
    assert heard == [
        KeySetRefreshed(ISSUER, 2, 0, changed=False),
        UnknownKid(ISSUER, looked_up=True),
        TokenRejected("unknown_key"),
    ]


async def test_requirements_of_a_call(verifier: TokenVerifier) -> None:
    """Scopes and groups, all of and any of, and the mistakes one makes with them."""
    ok = {
        "required_scopes": ("openid", "orders/read"),
        "any_of_scopes": ("x", "email"),
        "required_groups": ["admins"],
        "any_of_groups": {"editors", "x"},
    }
    assert (await verifier.verify_access_token(TOKEN, **ok)).sub == SUB  # type: ignore[arg-type]
    for wrong in ({"required_scopes": ("x", "openid")}, {"any_of_groups": ("x",)}):
        with pytest.raises(InsufficientScopeError) as raised:
            await verifier.verify_access_token(TOKEN, **wrong)
        assert raised.value.http_status == 403
    with pytest.raises(ConfigurationError):
        await verifier.verify_access_token(TOKEN, required_scopes="openid")


# --- keys that are handed over ----------------------------------------------------------------------------------------


async def test_exported_keys_start_another_verifier_with_their_age(
    verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock
) -> None:
    """A snapshot carries its time: the other verifier needs no fetch, and refreshes when the keys are old."""
    await verifier.verify_access_token(TOKEN)
    await verifier.verify_access_token(access(iss=UPDATED_ISSUER))
    clock.advance(600)
    for snapshot in (verifier.export_keys(), json.dumps(verifier.export_keys())):
        other = make(None, clock, jwks=snapshot)
        assert (await other.verify_access_token(TOKEN)).sub == SUB
        assert (await other.verify_access_token(access(iss=UPDATED_ISSUER))).sub == SUB
        assert (other.health().state, other.health().age) == ("fresh", 600)
        assert other.export_keys() == verifier.export_keys()
    assert endpoint.count == 2


async def test_old_snapshot_is_as_old_as_it_is(
    http: httpx.AsyncClient, verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock
) -> None:
    """A snapshot of two hours ago is refreshed at the first use; one of yesterday is not used."""
    await verifier.preload()
    snapshot = verifier.export_keys()
    clock.advance(7200)
    other = make(http, clock, jwks=snapshot)
    assert other.health().state == "hard"
    await other.verify_access_token(TOKEN)
    assert (other.health().state, endpoint.count) == ("fresh", 2)
    clock.advance(90_000)
    with pytest.raises(KeysNotLoadedError):
        make(http, clock, jwks=snapshot).verify_access_token_nowait(access(exp=clock() + 60, iat=clock()))


async def test_preload_with_old_keys_does_not_fail_for_a_dead_endpoint(
    http: httpx.AsyncClient, verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock
) -> None:
    """A process that has usable keys starts, whether the endpoint answers or not."""
    await verifier.preload()
    snapshot = verifier.export_keys()
    clock.advance(7200)
    endpoint.failure = httpx.ConnectError("down")
    other = make(http, clock, jwks=snapshot)
    await other.preload()
    assert (await other.verify_access_token(TOKEN)).sub == SUB


async def test_bare_key_set_counts_from_now_and_can_be_replaced(
    http: httpx.AsyncClient, endpoint: KeyEndpoint, clock: Clock, tmp_path: Path
) -> None:
    """Mapping, JSON text or path: used without a fetch, and a new kid is fetched all the same."""
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(key_set()))
    endpoint.document = {"keys": [OLD, NEW]}
    for number, given in enumerate((key_set(), json.dumps(key_set()), path, str(path))):
        verifier = make(http, clock, jwks=given)
        assert (await verifier.verify_access_token(TOKEN)).sub == SUB
        assert (endpoint.count, verifier.health().age) == (number, 0)
        assert (await verifier.verify_access_token(ROTATED)).sub == SUB


async def test_given_keys_that_cannot_be_read_are_said_at_every_use(clock: Clock, tmp_path: Path) -> None:
    """A path is read at the first use; what cannot be read is a mistake of configuration until it is mended."""
    verifier = make(None, clock, jwks=tmp_path / "missing.json")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="jwks="):
            await verifier.verify_access_token(TOKEN)
    (tmp_path / "missing.json").write_text(json.dumps(key_set()))
    assert (await verifier.verify_access_token(TOKEN)).sub == SUB


async def test_calls_without_waiting(verifier: TokenVerifier, endpoint: KeyEndpoint, clock: Clock) -> None:
    """No I/O ever: no keys, an unknown kid, old keys that serve until they are dead."""
    id_token = sign(id_payload(exp=NOW + 86_000))
    with pytest.raises(KeysNotLoadedError) as missing:
        verifier.verify_access_token_nowait(TOKEN)
    assert (missing.value.http_status, missing.value.retryable) == (503, True)
    await verifier.preload()
    assert verifier.verify_access_token_nowait(TOKEN, required_scopes=["openid"]).sub == SUB
    assert verifier.verify_id_token_nowait(id_token, nonce=NONCE).sub == SUB
    with pytest.raises(InvalidClaimError):
        verifier.verify_id_token_nowait(id_token, nonce="another")
    with pytest.raises(UnknownKeyError) as unknown:
        verifier.verify_access_token_nowait(ROTATED)
    assert (unknown.value.looked_up, unknown.value.http_status, unknown.value.www_authenticate()) == (False, 503, None)
    with pytest.raises(InvalidSignatureError):
        verifier.verify_access_token_nowait(access(key="new"))
    clock.advance(80_000)
    assert verifier.verify_access_token_nowait(TOKEN).sub == SUB
    clock.advance(5000)
    clock.now = NOW + 86_401
    with pytest.raises(KeysNotLoadedError):
        verifier.verify_access_token_nowait(access(exp=clock() + 60, iat=clock(), auth_time=clock()))
    assert endpoint.count == 1


# --- a task of its own ------------------------------------------------------------------------------------------------


async def until_fresh(verifier: TokenVerifier) -> None:
    """Wait until a verifier's own task has loaded keys."""
    with anyio.fail_after(30):
        while verifier.health().state != "fresh":  # noqa: ASYNC110 - nothing tells that it is done
            await anyio.sleep(0.005)


async def test_entered_verifier_loads_and_refreshes_by_itself(
    http: httpx.AsyncClient, endpoint: KeyEndpoint, clock: Clock
) -> None:
    """As a context manager it fetches at once, refreshes old keys in its own task, and nobody waits."""
    async with make(http, clock) as verifier:
        await until_fresh(verifier)
        clock.advance(1200)
        endpoint.gate = anyio.Event()
        await verifier.verify_access_token(TOKEN)
        assert verifier.health().state == "soft"
        endpoint.gate.set()
        await until_fresh(verifier)
    assert endpoint.count == 2


async def test_entered_verifier_begins_with_given_keys(
    http: httpx.AsyncClient, endpoint: KeyEndpoint, clock: Clock
) -> None:
    """Keys of `jwks=` are not fetched again at once, nor do they replace newer ones."""
    async with make(http, clock, jwks=key_set()) as verifier:
        await anyio.sleep(0.02)
        assert (endpoint.count, verifier.health().state) == (0, "fresh")
    with pytest.raises(ConfigurationError):
        async with make(http, clock, jwks="{}"):
            pytest.fail("entered")


async def test_entered_verifier_ends_cleanly(http: httpx.AsyncClient, endpoint: KeyEndpoint, clock: Clock) -> None:
    """Leaving ends the task, also in the middle of a fetch and when the block failed; entering twice is refused."""
    endpoint.delay = 0.1
    verifier = make(http, clock)
    with pytest.raises(TenantError):  # noqa: PT012 - leaving the block is the act
        async with verifier:
            await until_asked(endpoint, 1)
            with pytest.raises(ConfigurationError):
                await verifier.__aenter__()
            raise TenantError
    assert endpoint.count == 1
    async with verifier:
        assert (await verifier.verify_access_token(TOKEN)).sub == SUB


async def test_entered_verifier_survives_a_dead_endpoint(
    http: httpx.AsyncClient, endpoint: KeyEndpoint, clock: Clock
) -> None:
    """Its task goes on trying, with pauses, and succeeds when the endpoint is back."""
    endpoint.failure = httpx.ConnectError("down")
    policy = CachePolicy(backoff_first=0, backoff_cold=0)
    async with make(http, clock, policy=policy) as verifier:
        started = time.monotonic()
        await until_asked(endpoint, 4)
        assert time.monotonic() - started > 0.1  # pauses
        endpoint.failure = None
        await until_fresh(verifier)


def test_entered_verifier_is_used_from_another_event_loop(endpoint: KeyEndpoint, clock: Clock) -> None:
    """Its task is woken only from its own event loop; in another one a caller refreshes inline."""
    errors: list[BaseException] = []

    def elsewhere(verifier: TokenVerifier, backend: str) -> None:
        try:
            anyio.run(verifier.verify_access_token, TOKEN, backend=backend)
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    async def main() -> None:
        async with make(endpoint.client(), clock) as verifier:
            await verifier.preload()
            for backend in ("asyncio", "trio"):
                clock.advance(1200)
                thread = threading.Thread(target=elsewhere, args=(verifier, backend))
                thread.start()
                await anyio.to_thread.run_sync(thread.join)
                assert verifier.health().state == "fresh"

    for backend in ("asyncio", "trio"):
        anyio.run(main, backend=backend)
    assert errors == []


# --- event loops, threads, processes ----------------------------------------------------------------------------------


def test_one_event_loop_after_another_keeps_the_keys(endpoint: KeyEndpoint, clock: Clock) -> None:
    """A handler that calls `asyncio.run` for each event fetches once."""
    verifier = make(endpoint.client(), clock)
    for backend in ("asyncio", "trio", "asyncio"):
        assert anyio.run(verifier.verify_access_token, TOKEN, backend=backend).sub == SUB
    assert endpoint.count == 1


def test_several_event_loops_at_once(endpoint: KeyEndpoint, clock: Clock) -> None:
    """Event loops in threads share the keys; at most one fetch each."""
    endpoint.delay = 0.05
    verifier = make(endpoint.client(), clock)
    seen: list[str] = []

    async def many() -> None:
        async def verify() -> None:
            seen.append((await verifier.verify_access_token(TOKEN)).sub)

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(verify)

    threads = [
        threading.Thread(target=anyio.run, args=(many,), kwargs={"backend": name}) for name in ("asyncio", "trio")
    ]
    threads += [threading.Thread(target=anyio.run, args=(many,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 120
    assert 1 <= endpoint.count <= 6
    assert verifier._flights == {}


# Python 3.12 warns of forking where there are threads.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_verifier_works_after_a_fork(endpoint: KeyEndpoint, clock: Clock) -> None:
    """A forked process goes on with the keys, and fetches new ones itself."""
    verifier = make(endpoint.client(), clock)
    anyio.run(verifier.verify_access_token, TOKEN)
    endpoint.document = {"keys": [OLD, NEW]}

    def child() -> None:
        claims = [anyio.run(verifier.verify_access_token, token) for token in (TOKEN, ROTATED)]
        raise SystemExit(0 if [one.sub for one in claims] == [SUB, SUB] and endpoint.count == 2 else 1)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(20)
    assert process.exitcode == 0


async def test_own_client_is_made_and_closed_for_a_fetch(
    endpoint: KeyEndpoint, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a borrowed client one is made for the fetch, and nothing is left open."""
    own = endpoint.client()
    monkeypatch.setattr(httpx, "AsyncClient", lambda **_: own)
    await make(None, clock).verify_access_token(TOKEN)
    assert own.is_closed


def test_client_of_another_shape_is_refused_at_once(clock: Clock) -> None:
    """A synchronous client is refused where it is handed in."""
    with pytest.raises(ConfigurationError, match="http_client"):
        make(httpx.Client(), clock)  # type: ignore[arg-type]


# --- fairness and memory ----------------------------------------------------------------------------------------------


async def turns_during(verifier: TokenVerifier, count: int) -> int:
    """Return how many turns another task has while so many tokens are verified without a wait."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await checkpoint()
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        for _ in range(count):
            await verifier.verify_access_token(TOKEN)
        tasks.cancel_scope.cancel()
    return turns


async def test_many_verifications_let_others_run(verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """A coroutine that verifies without a wait gives way after sixteen tokens, where the loop is due."""
    await verifier.preload()
    monkeypatch.setattr(_turns, "_LONGEST", 0.0)
    assert await turns_during(verifier, 160) >= 7  # of 10; trio chooses at random who goes first


async def test_verifications_do_not_give_way_all_the_time(
    verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the loop had its turn a moment ago, nobody gives way: a turn costs as much as a verification."""
    await verifier.preload()
    monkeypatch.setattr(_turns, "_LONGEST", 60.0)
    assert await turns_during(verifier, 160) <= 2  # of the first sixteen, and at the end


async def test_a_crowd_of_tokens_lets_others_run(verifier: TokenVerifier) -> None:
    """Of 200 tasks that verify at the same moment, sixteen or so do in each turn of the loop."""
    await verifier.preload()
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await checkpoint()
            turns += 1

    async def crowd() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(200):
                tasks.start_soon(verifier.verify_access_token, TOKEN)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        await crowd()
        tasks.cancel_scope.cancel()
    assert turns >= 10  # of 12 or 13


@pytest.fixture
def memory(http: httpx.AsyncClient, clock: Clock) -> TokenVerifier:
    """Give a verifier that remembers three tokens."""
    return make(http, clock, verified_cache_size=3)


async def test_remembered_token_is_checked_again(memory: TokenVerifier, clock: Clock) -> None:
    """A token that was seen is known by its claims; its times and what is wanted are checked on every use."""
    token = access(exp=NOW + 100)
    await memory.verify_access_token(token)
    first = await memory.verify_access_token(token)
    assert await memory.verify_access_token(token) is first
    with pytest.raises(InsufficientScopeError):
        await memory.verify_access_token(token, required_scopes=("admin",))
    with pytest.raises(InvalidClaimError):
        await memory.verify_access_token(token, resource="https://api.example")
    clock.advance(100)
    with pytest.raises(ExpiredTokenError):
        await memory.verify_access_token(token)


async def test_remembered_token_with_another_signature_is_refused(memory: TokenVerifier) -> None:
    """The memory holds the exact signature: the same signing input with any other one is judged, and refused."""
    await memory.verify_access_token(TOKEN)
    await memory.verify_access_token(TOKEN)
    signing_input, _, signature = TOKEN.rpartition(".")
    for other in (access(key="new").rpartition(".")[2], signature[:-4] + "AAAA", "", signature + "A"):
        with pytest.raises(TokenVerificationError):
            await memory.verify_access_token(f"{signing_input}.{other}")


async def test_memory_ends_with_the_key_set(memory: TokenVerifier, endpoint: KeyEndpoint, clock: Clock) -> None:
    """A token of a withdrawn key is refused after the refresh, however often it was seen."""
    await memory.verify_access_token(TOKEN)
    await memory.verify_access_token(TOKEN)
    endpoint.document = {"keys": [NEW]}
    clock.advance(1200)
    with pytest.raises(UnknownKeyError):
        await memory.verify_access_token(TOKEN)
    with pytest.raises(UnknownKeyError):
        await memory.verify_access_token(TOKEN)


async def test_memory_is_bounded_and_keeps_what_is_used(memory: TokenVerifier) -> None:
    """The least recently used goes; refused tokens never enter."""
    await memory.preload()
    await memory.verify_access_token(TOKEN)
    tokens = [access(jti=str(number)) for number in range(4)]
    first = [await memory.verify_access_token(one) for one in tokens[:2]]
    assert await memory.verify_access_token(tokens[0]) is first[0]
    await memory.verify_access_token(tokens[2])
    await memory.verify_access_token(tokens[3])
    with pytest.raises(InvalidSignatureError):
        await memory.verify_access_token(access(key="new"))
    assert memory._core.access.memory is not None
    assert len(memory._core.access.memory) == 3
    assert await memory.verify_access_token(tokens[0]) is first[0]
    assert await memory.verify_access_token(tokens[1]) is not first[1]


async def test_id_tokens_are_not_remembered_as_access_tokens(memory: TokenVerifier) -> None:
    """A remembered token of one kind is not accepted as the other."""
    id_token = sign(id_payload())
    for _ in range(2):
        await memory.verify_access_token(TOKEN)
        await memory.verify_id_token(id_token, nonce=NONCE)
    with pytest.raises(InvalidClaimError):
        await memory.verify_access_token(id_token)
    with pytest.raises(InvalidClaimError):
        await memory.verify_id_token(TOKEN, nonce=None)
