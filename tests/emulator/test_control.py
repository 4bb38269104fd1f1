import pickle
import threading

import httpx
import pytest

from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool, EmulatorClock
from cognito_oidc.errors import ConfigurationError
from tests.emulator.support import CHALLENGE, DOMAIN, POOL_ID, VERIFIER, authorize_url, exchange, get_code, refresh

TOKEN = f"{DOMAIN}/oauth2/token"


def test_the_clock_runs_and_can_be_put_forward() -> None:
    """Time is real time plus what was advanced."""
    real = iter([100.0, 101.0, 102.0])
    clock = EmulatorClock(lambda: next(real))
    assert clock() == 100.0
    clock.advance(3_600)
    assert clock() == 3_701.0
    clock.advance(0.5)
    assert clock() == 3_702.5


def test_the_clock_never_goes_back() -> None:
    """What has expired stays expired."""
    with pytest.raises(ConfigurationError, match="must not be negative"):
        EmulatorClock().advance(-1)


@pytest.mark.anyio
async def test_the_journal_says_what_arrived(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """Each request has its endpoint, pool, parameters and status, in order."""
    before = aws.clock()
    code = await get_code(aws, web)
    async with aws.http_client() as http:
        await exchange(http, web, code)
    assert [(entry.endpoint, entry.method, entry.status) for entry in aws.journal] == [
        ("authorize", "GET", 302),
        ("login", "GET", 200),
        ("login", "POST", 302),
        ("token", "POST", 200),
    ]
    assert {entry.pool_id for entry in aws.journal} == {POOL_ID}
    assert aws.journal[0].parameters["code_challenge"] == CHALLENGE
    assert aws.journal[2].parameters["username"] == "ann"
    assert before <= aws.journal[0].received_at <= aws.journal[-1].received_at <= aws.clock()


@pytest.mark.anyio
async def test_the_journal_holds_no_secret(aws: CognitoEmulator, pool: EmulatedPool, web: EmulatedAppClient) -> None:
    """Passwords, codes, verifiers, secrets and tokens are masked, wherever they came."""
    code = await get_code(aws, web)
    async with aws.http_client() as http:
        refresh_token = (await exchange(http, web, code, client_secret=None)).json()["refresh_token"]
        await exchange(http, web, code, client_secret="s3cret-of-nobody")
        await refresh(http, web, refresh_token)
        await http.post(f"{DOMAIN}/oauth2/revoke", data={"client_id": web.client_id, "token": refresh_token})
        await http.get(TOKEN, params={"Client_Secret": "s3cret-of-nobody"})
        csrf = next(each for each in http.cookies.jar if each.name == "XSRF-TOKEN").value
    written = repr(aws.journal) + repr(vars(web))
    secrets = ["correct horse", code, VERIFIER, refresh_token, "s3cret-of-nobody", str(csrf)]
    assert not [secret for secret in secrets if secret in written]
    assert aws.journal[-2].parameters == {"client_id": web.client_id, "token": "***"}


@pytest.mark.anyio
async def test_count_counts_by_endpoint_and_pool(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """Requests that failed count too; those to no pool are unknown."""
    other = aws.add_pool("eu-west-1_Other0001", domain="other")
    async with aws.http_client() as http:
        await http.post(TOKEN)
        await http.post(TOKEN.replace("orders", "other"))
        await http.get("https://elsewhere.example/")
    assert (aws.count("token"), aws.count("token", pool=other), aws.count("jwks")) == (2, 1, 0)
    assert (aws.journal[-1].endpoint, aws.journal[-1].pool_id, aws.journal[-1].status) == ("unknown", None, 404)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda aws: aws.count("tokens"), id="count of no endpoint"),
        pytest.param(lambda aws: aws.fail_next("tokens"), id="fault of no endpoint"),
        pytest.param(lambda aws: aws.fail_next("token", status=99), id="no status"),
        pytest.param(lambda aws: aws.fail_next("token", delay=-1), id="negative delay"),
        pytest.param(lambda aws: aws.fail_next("token", times=0), id="no times"),
        pytest.param(lambda aws: aws.fail_next("token", truncate=-1), id="negative length"),
    ],
)
def test_a_slip_in_the_controls_is_refused(aws: CognitoEmulator, call: object) -> None:
    """A misspelt endpoint would make a test pass for ever."""
    assert callable(call)
    with pytest.raises(ConfigurationError):
        call(aws)


@pytest.mark.anyio
async def test_faults_are_answered_once_in_order(aws: CognitoEmulator, pool: EmulatedPool) -> None:
    """The queue is per endpoint; then the right answers come back."""
    aws.fail_next("token", status=429, retry_after=2)
    aws.fail_next("token", status=503, body={"message": "busy"}, headers={"X-Amz-Waf": "1"}, times=2)
    aws.fail_next("discovery", status=200, body="<html>", content_type="text/html")
    async with aws.http_client() as http:
        answers = [await http.post(TOKEN) for _ in range(4)]
        page = await http.get(f"{pool.issuer}/.well-known/openid-configuration")
    assert [answer.status_code for answer in answers] == [429, 503, 503, 405]
    assert (answers[0].headers["retry-after"], answers[0].content) == ("2", b"")
    assert (answers[1].json(), answers[1].headers["x-amz-waf"]) == ({"message": "busy"}, "1")
    assert (page.text, page.headers["content-type"]) == ("<html>", "text/html")
    assert [entry.status for entry in aws.journal][:2] == [429, 503]


@pytest.mark.anyio
async def test_a_fault_may_lose_the_answer_of_work_that_was_done(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """With `processed` the code is used up although the answer is lost."""
    code = await get_code(aws, web)
    aws.fail_next("token", status=502, processed=True)
    async with aws.http_client() as http:
        lost, second = await exchange(http, web, code), await exchange(http, web, code)
    assert (lost.status_code, second.json()) == (502, {"error": "invalid_grant"})


@pytest.mark.anyio
async def test_a_fault_may_only_be_slow(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """Without a status the right answer comes, late."""
    aws.fail_next("authorize", status=None, delay=0.01)
    async with aws.http_client() as http:
        assert (await http.get(authorize_url(web))).status_code == 302


@pytest.mark.anyio
async def test_a_fault_may_cut_the_right_answer_or_mislabel_it(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """The request was carried out; what arrives is a part, or looks like something else."""
    aws.fail_next("token", status=None, truncate=20)
    aws.fail_next("token", status=None, content_type="text/html")
    async with aws.http_client() as http:
        cut = await exchange(http, web, await get_code(aws, web))
        mislabelled = await exchange(http, web, await get_code(aws, web))
    assert (cut.status_code, len(cut.content), int(cut.headers["content-length"]) > 20) == (200, 20, True)
    assert (mislabelled.headers["content-type"], "access_token" in mislabelled.json()) == ("text/html", True)


@pytest.mark.anyio
async def test_a_cut_answer_ends_the_connection(
    aws: CognitoEmulator, pool: EmulatedPool, caplog: pytest.LogCaptureFixture
) -> None:
    """Over the network the body ends before its announced length, and the server says nothing of it."""
    aws.fail_next("jwks", status=None, truncate=10)
    async with aws.serve() as server, httpx.AsyncClient(trust_env=False) as http:
        url = f"{server.base_url}/{POOL_ID}/.well-known/jwks.json"
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(url)
        assert (await http.get(url)).status_code == 200
    assert not caplog.records


def test_the_journal_is_a_copy_of_frozen_entries(aws: CognitoEmulator) -> None:
    """A test cannot spoil it for another part of the test."""
    aws.journal.append(None)  # type: ignore[arg-type]
    assert aws.journal == []


def test_threads_may_steer_at_once(aws: CognitoEmulator) -> None:
    """The clock loses no step when several threads put it forward."""
    before = aws.clock()

    def steps() -> None:
        for _ in range(500):
            aws.clock.advance(1)

    threads = [threading.Thread(target=steps) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert aws.clock() - before == pytest.approx(2_000, abs=60)


def test_behaviour_can_be_pickled(aws: CognitoEmulator) -> None:
    """The switches are a plain value."""
    assert pickle.loads(pickle.dumps(aws.behaviour)) == aws.behaviour  # noqa: S301 - our own bytes
