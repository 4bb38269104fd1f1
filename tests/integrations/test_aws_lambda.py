"""API Gateway's Lambda authorizers, with the events of AWS's guide (tests/fixtures/api_gateway) and the emulator."""

from __future__ import annotations

import json
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from cognito_oidc import SyncTokenVerifier
from cognito_oidc.errors import (
    BearerUsageError,
    ConfigurationError,
    ExpiredTokenError,
    KeysUnavailableError,
    MissingTokenError,
    UnknownKeyError,
)
from cognito_oidc.integrations.aws_lambda import UnauthorizedError, authorize_http_api, authorize_rest_api

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool
    from cognito_oidc.testing import IssueAccessToken

    Authorize = Callable[..., dict[str, object]]

EVENTS: Final = Path(__file__).parent.parent / "fixtures" / "api_gateway"
READ: Final = "orders/read"
CASES: Final = [
    pytest.param("token", authorize_rest_api, "methodArn", id="REST, TOKEN"),
    pytest.param("request", authorize_rest_api, "methodArn", id="REST, REQUEST"),
    pytest.param("http_1_0", authorize_http_api, "methodArn", id="HTTP, 1.0"),
    pytest.param("http_2_0", authorize_http_api, "routeArn", id="HTTP, 2.0"),
]


def event_of(name: str, authorization: str | None) -> dict[str, Any]:
    """Return an event of the guide with a value of the `Authorization` header, or without any."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    if name == "token":
        event["authorizationToken"] = authorization or ""
    elif authorization is not None:
        header = "authorization" if name == "http_2_0" else "Authorization"
        event["headers"][header] = authorization
    return event


@pytest.fixture
def verifier(
    cognito_pool: EmulatedPool, cognito_app_client: EmulatedAppClient, cognito_emulator: CognitoEmulator
) -> SyncTokenVerifier:
    """Return a verifier whose keys were given to it, and whom no network would answer."""
    return SyncTokenVerifier(
        cognito_pool.user_pool,
        client_ids=[cognito_app_client.client_id],
        jwks=cognito_pool.keys.key_set(),
        http_client=httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(500))),
        clock=cognito_emulator.clock,
    )


def statement_of(answer: dict[str, Any]) -> dict[str, str]:
    """Return the only statement of a policy, of which every member is checked elsewhere."""
    (statement,) = answer["policyDocument"]["Statement"]
    assert answer["policyDocument"]["Version"] == "2012-10-17"
    assert statement["Action"] == "execute-api:Invoke"
    return dict(statement)


@pytest.mark.parametrize(("name", "authorize", "arn"), CASES)
def test_a_good_token_is_allowed(
    name: str, authorize: Authorize, arn: str, verifier: SyncTokenVerifier, issue_access_token: IssueAccessToken
) -> None:
    """The policy names the person, and covers every method of the stage: it is kept and asked about other ones."""
    token = issue_access_token("ann", scopes=["openid", READ], groups=["clerks", "a b"])
    event = event_of(name, f"Bearer {token}")
    policy = {"simple_response": False} if name == "http_2_0" else {}
    answer = authorize(event, verifier, required_scopes=[READ], **policy)
    statement = statement_of(answer)
    api = event[arn].rpartition(":")[2].split("/")
    assert statement["Effect"] == "Allow"
    assert statement["Resource"] == f"{event[arn].rpartition(':')[0]}:{api[0]}/{api[1]}/*"
    assert fnmatchcase(event[arn], statement["Resource"])
    assert fnmatchcase(event[arn].replace("GET", "POST") + "/and/more", statement["Resource"])
    assert not fnmatchcase(event[arn].replace(api[0], "otherapi01"), statement["Resource"])
    claims = verifier.verify_access_token(token)
    assert answer["principalId"] == claims.sub
    assert answer["context"] == {
        "sub": claims.sub,
        "iss": claims.iss,
        "client_id": claims.client_id,
        "username": "ann",
        "scope": f"openid {READ}",
        "groups": '["clerks", "a b"]',
        "exp": claims.exp,
    }


def test_a_simple_response(verifier: SyncTokenVerifier, issue_access_token: IssueAccessToken) -> None:
    """Format 2.0 says yes or no; the backend gets the same context."""
    good = authorize_http_api(event_of("http_2_0", f"bearer {issue_access_token('ann')}"), verifier)
    assert (good["isAuthorized"], [*good]) == (True, ["isAuthorized", "context"])
    bad = authorize_http_api(event_of("http_2_0", "Bearer nonsense"), verifier)
    assert bad == {"isAuthorized": False, "context": {}}


@pytest.mark.parametrize(("name", "authorize", "arn"), CASES)
def test_a_good_token_that_lacks_something_is_denied(
    name: str, authorize: Authorize, arn: str, verifier: SyncTokenVerifier, issue_access_token: IssueAccessToken
) -> None:
    """403 is a deny, everywhere."""
    event = event_of(name, f"Bearer {issue_access_token('ann', groups=['guests'])}")
    for required in ({"required_scopes": [READ]}, {"any_of_scopes": [READ]}, {"any_of_groups": ["clerks"]}):
        answer = authorize(event, verifier, **required)
        if name == "http_2_0":
            assert answer == {"isAuthorized": False, "context": {}}
        else:
            assert statement_of(answer)["Effect"] == "Deny"
            assert fnmatchcase(event[arn], statement_of(answer)["Resource"])
            assert (answer["principalId"], answer["context"]) == ("unauthorized", {})


BAD: Final = [
    pytest.param(None, MissingTokenError, id="none"),
    pytest.param("Basic YW5uOmhvcnNl", MissingTokenError, id="another scheme"),
    pytest.param("Bearer {expired}", ExpiredTokenError, id="an expired one"),
]


@pytest.mark.parametrize(("authorization", "cause"), BAD)
@pytest.mark.parametrize("name", ["token", "request"])
def test_a_rest_api_answers_401(
    name: str,
    authorization: str | None,
    cause: type[Exception],
    *,
    verifier: SyncTokenVerifier,
    issue_access_token: IssueAccessToken,
    cognito_emulator: CognitoEmulator,
) -> None:
    """API Gateway compares the exception's message with the word, so nothing else may be in it."""
    event = event_of(name, authorization and authorization.replace("{expired}", issue_access_token("ann")))
    cognito_emulator.clock.advance(3601)
    with pytest.raises(UnauthorizedError) as refused:
        authorize_rest_api(event, verifier)
    assert str(refused.value) == "Unauthorized"
    assert type(refused.value.__cause__) is cause


@pytest.mark.parametrize(("authorization", "cause"), BAD)
@pytest.mark.parametrize("name", ["http_1_0", "http_2_0"])
def test_an_http_api_denies(
    name: str,
    authorization: str | None,
    cause: type[Exception],
    *,
    verifier: SyncTokenVerifier,
    issue_access_token: IssueAccessToken,
    cognito_emulator: CognitoEmulator,
) -> None:
    """It is not documented that the word means anything there: what is documented is a deny, 403."""
    event = event_of(name, authorization and authorization.replace("{expired}", issue_access_token("ann")))
    cognito_emulator.clock.advance(3601)
    answer = authorize_http_api(event, verifier, simple_response=False)
    assert statement_of(answer)["Effect"] == "Deny"
    assert answer["principalId"] == "unauthorized"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"multiValueHeaders": {"Authorization": ["Bearer {token}", "Bearer x"]}}, id="two values"),
        pytest.param({"headers": {"Authorization": "Bearer {token}", "authorization": "Bearer x"}}, id="two names"),
    ],
)
def test_two_headers_are_refused(
    headers: dict[str, Any], verifier: SyncTokenVerifier, issue_access_token: IssueAccessToken
) -> None:
    """API Gateway shows all values of a header beside the last one: nobody chooses among them."""
    event = event_of("request", "Bearer x")
    event.update(json.loads(json.dumps(headers).replace("{token}", issue_access_token("ann"))))
    with pytest.raises(UnauthorizedError) as refused:
        authorize_rest_api(event, verifier)
    assert isinstance(refused.value.__cause__, BearerUsageError)


def test_one_header_is_told_twice(verifier: SyncTokenVerifier, issue_access_token: IssueAccessToken) -> None:
    """The same header in `headers` and in `multiValueHeaders` is one."""
    event = event_of("request", f"Bearer {issue_access_token('ann')}")
    event["multiValueHeaders"] = {name: [value] for name, value in event["headers"].items()}
    assert statement_of(authorize_rest_api(event, verifier))["Effect"] == "Allow"


@pytest.mark.parametrize(("name", "authorize", "arn"), CASES)
def test_without_keys_nothing_is_said_that_would_be_kept(
    name: str,
    authorize: Authorize,
    arn: str,
    *,
    cognito_pool: EmulatedPool,
    cognito_emulator: CognitoEmulator,
    issue_access_token: IssueAccessToken,
) -> None:
    """Any other exception is 500 and not kept; a deny would be repeated for minutes, and 401 would be a lie."""
    lost = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(500)))
    verifier = SyncTokenVerifier(
        cognito_pool.user_pool, client_ids=None, http_client=lost, clock=cognito_emulator.clock
    )
    event = event_of(name, f"Bearer {issue_access_token('ann')}")
    with pytest.raises(KeysUnavailableError) as unknown:
        authorize(event, verifier)
    assert str(unknown.value) != "Unauthorized"


@pytest.mark.parametrize(("name", "authorize", "arn"), CASES)
def test_a_key_that_may_not_be_looked_for_is_no_deny(
    name: str, authorize: Authorize, arn: str, *, cognito_pool: EmulatedPool, cognito_emulator: CognitoEmulator
) -> None:
    """In a flood of unknown keys nobody can tell: 500, and the next request may succeed."""
    served = httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json=cognito_pool.keys.key_set()))
    )
    verifier = SyncTokenVerifier(
        cognito_pool.user_pool, client_ids=None, http_client=served, clock=cognito_emulator.clock
    )
    cognito_pool.add_client("testing", redirect_uris=["http://localhost/callback"])
    cognito_pool.add_user("ann", password="correct horse")
    kids = [f"nobody's {number}" for number in range(4)]  # a first fetch, and two lookups
    events = [event_of(name, f"Bearer {cognito_pool.issue_access_token('ann', headers={'kid': kid})}") for kid in kids]
    outcomes = []
    for event in events:
        try:
            outcomes.append(str(authorize(event, verifier)))
        except (UnauthorizedError, UnknownKeyError) as error:
            outcomes.append(type(error).__name__)
    refused = outcomes[0]
    assert refused == "UnauthorizedError" or "Deny" in refused or "'isAuthorized': False" in refused
    assert outcomes == [refused, refused, refused, "UnknownKeyError"]


def test_the_backend_may_get_more(verifier: SyncTokenVerifier, issue_access_token: IssueAccessToken) -> None:
    """Strings, numbers and booleans, which is all that API Gateway takes in a context."""
    event = event_of("token", f"Bearer {issue_access_token('ann', tenant='blue')}")
    answer: Any = authorize_rest_api(
        event, verifier, context=lambda claims: {"tenant": str(claims.raw["tenant"]), "level": 3, "beta": True}
    )
    assert {name: answer["context"][name] for name in ("tenant", "level", "beta")} == {
        "tenant": "blue",
        "level": 3,
        "beta": True,
    }
    with pytest.raises(ConfigurationError, match=r"groups.* list"):
        authorize_rest_api(event, verifier, context=lambda claims: {"groups": list(claims.groups)})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"methodArn": None}, id="no ARN"),
        pytest.param({"methodArn": "arn:aws:lambda:us-east-1:123456789012:function:f"}, id="another ARN"),
        pytest.param({"methodArn": "arn:aws:execute-api:us-east-1:123456789012:/test/GET/"}, id="no API"),
        pytest.param({"methodArn": "nonsense"}, id="no ARN at all"),
    ],
)
def test_another_event_is_a_mistake_of_the_deployment(
    changes: dict[str, object], verifier: SyncTokenVerifier, issue_access_token: IssueAccessToken
) -> None:
    """A function behind the wrong kind of authorizer says so, and lets nobody in."""
    event = {**event_of("token", f"Bearer {issue_access_token('ann')}"), **changes}
    with pytest.raises(ConfigurationError, match="methodArn"):
        authorize_rest_api(event, verifier)
    with pytest.raises(ConfigurationError, match="routeArn"):
        authorize_http_api(event, verifier)


def test_the_path_of_a_request_widens_no_policy(
    verifier: SyncTokenVerifier, issue_access_token: IssueAccessToken
) -> None:
    """The ARN ends in what the caller asked for: wildcards and colons there do not get into the policy."""
    event = event_of("token", f"Bearer {issue_access_token('ann')}")
    event["methodArn"] = "arn:aws:execute-api:us-west-2:123456789012:ymy8tbxw7b/prod/GET/a:b/*/${aws:username}/?"
    statement = statement_of(authorize_rest_api(event, verifier))
    assert statement["Resource"] == "arn:aws:execute-api:us-west-2:123456789012:ymy8tbxw7b/prod/*"


def test_a_websocket_api_connects(verifier: SyncTokenVerifier, issue_access_token: IssueAccessToken) -> None:
    """Its REQUEST event for `$connect` has the ARN of a route key."""
    event = event_of("request", f"Bearer {issue_access_token('ann')}")
    event["methodArn"] = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/prod/$connect"
    statement = statement_of(authorize_rest_api(event, verifier))
    assert fnmatchcase(event["methodArn"], statement["Resource"])


PROGRAM: Final = """
import json, sys
before = set(sys.modules)
from cognito_oidc import SyncTokenVerifier, UserPool
from cognito_oidc.integrations.aws_lambda import authorize_http_api
event = json.loads(sys.stdin.readline())
pool = UserPool(sys.argv[1])
verifier = SyncTokenVerifier(pool, client_ids=[sys.argv[2]], jwks=sys.argv[3])
print(authorize_http_api(event, verifier)["isAuthorized"])
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


def test_a_cold_start_with_keys_imports_no_network(
    cognito_pool: EmulatedPool,
    cognito_app_client: EmulatedAppClient,
    issue_access_token: IssueAccessToken,
    tmp_path: Path,
) -> None:
    """A process that is given its keys in a file verifies its first token without an HTTP library, anyio or ssl."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(cognito_pool.keys.key_set()), encoding="utf-8")
    event = event_of("http_2_0", f"Bearer {issue_access_token('ann')}")
    arguments = [cognito_pool.pool_id, cognito_app_client.client_id, str(keys)]
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, *arguments],
        input=json.dumps(event),
        check=True,
        capture_output=True,
        text=True,
    )
    allowed, loaded = run.stdout.splitlines()
    assert allowed == "True"
    heavy = {"anyio", "asyncio", "h11", "http", "httpcore", "httpx", "joserfc", "pydantic", "socket", "ssl", "stamina"}
    assert heavy & set(loaded.split()) == set()
