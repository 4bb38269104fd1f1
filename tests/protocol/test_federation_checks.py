"""What two pools answer, and what that says about their federation."""

import json
from contextlib import suppress
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.errors import RateLimitedError, TransportError
from cognito_oidc.protocol.federation import Federation
from cognito_oidc.protocol.federation_checks import (
    FederationProblem,
    downstream_authorize_request,
    judge_discovery,
    judge_downstream_authorize,
    judge_keys,
    judge_upstream_authorize,
    upstream_authorize_request,
)
from cognito_oidc.protocol.provider import UserPool
from cognito_oidc.protocol.wire import HttpResponse
from tests.factories import key_set

CORP = UserPool("eu-west-1_Corp00001", domain="corp")
APP = UserPool("eu-west-1_App000001", domain="app-acme")
PLAN = Federation(upstream=CORP, downstream=APP, provider_name="Corp", upstream_client_id="corp-client")
CORP_BASE = "https://corp.auth.eu-west-1.amazoncognito.com"
APP_BASE = "https://app-acme.auth.eu-west-1.amazoncognito.com"
CALLBACK = f"{APP_BASE}/oauth2/idpresponse"


def answer(status: int = 200, *, location: str | None = None, document: object = None) -> HttpResponse:
    """Return an answer as Cognito gives them."""
    headers = {"content-type": "application/json"} | ({} if location is None else {"location": location})
    return HttpResponse(status=status, headers=headers, body=b"" if document is None else json.dumps(document).encode())


def codes(problems: list[FederationProblem]) -> list[str]:
    """Return the codes of problems, each of which must say everything a person needs."""
    assert all(one.found and one.cause and one.cure for one in problems)
    return [one.code for one in problems]


def discovery(pool: UserPool, **changes: object) -> HttpResponse:
    """Return the discovery document of a pool, after some changes."""
    members = {
        "issuer": pool.issuer,
        "jwks_uri": pool.jwks_uri,
        "authorization_endpoint": pool.authorization_endpoint,
        "token_endpoint": pool.token_endpoint,
    }
    return answer(document={**members, **changes})


def test_the_upstream_pool_is_asked_as_the_downstream_one_would() -> None:
    """Client, callback and scopes are those of the plan; nothing secret is in the address."""
    request = upstream_authorize_request(PLAN)
    query = parse_qs(urlsplit(request.url).query)
    assert request.url.startswith(f"{CORP_BASE}/oauth2/authorize?")
    assert query["client_id"] == ["corp-client"]
    assert query["redirect_uri"] == [CALLBACK]
    assert query["scope"] == ["openid email profile"]
    assert query["response_type"] == ["code"]


def test_the_downstream_pool_is_asked_as_an_application_would() -> None:
    """The provider is chosen by its name."""
    request = downstream_authorize_request(PLAN, client_id="shop", redirect_uri="https://a.example/cb")
    query = parse_qs(urlsplit(request.url).query)
    assert request.url.startswith(f"{APP_BASE}/oauth2/authorize?")
    assert (query["client_id"], query["identity_provider"]) == (["shop"], ["Corp"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, [], id="good"),
        pytest.param({"issuer": "https://other.example"}, ["discovery"], id="another-issuer"),
        pytest.param(
            {"issuer": "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Corp00001"},
            ["issuer_type"],
            id="the-updated-issuer",
        ),
        pytest.param(
            {"authorization_endpoint": f"{CORP.issuer}/authorize", "token_endpoint": f"{CORP.issuer}/token"},
            ["no_domain"],
            id="no-domain",
        ),
        pytest.param(
            {"authorization_endpoint": "https://login.corp.example/oauth2/authorize"},
            ["other_domain"],
            id="custom-domain",
        ),
    ],
)
def test_discovery_is_judged(changes: dict[str, object], expected: list[str]) -> None:
    """The document must be the pool's own, of the planned issuer, with the planned domain."""
    assert codes(judge_discovery(PLAN, "upstream", discovery(CORP, **changes))) == expected


def test_a_pool_that_does_not_exist_is_named() -> None:
    """Without a document there is no such pool; the problem says where to look, on the right side."""
    (problem,) = judge_discovery(PLAN, "downstream", answer(404))
    assert (problem.code, problem.side) == ("discovery", "downstream")
    assert APP.pool_id in problem.cause


@pytest.mark.parametrize("side", ["upstream", "downstream"])
def test_keys_must_be_there(side: str) -> None:
    """The downstream pool verifies the upstream one's tokens, so keys must be found and usable."""
    assert codes(judge_keys(PLAN, side, answer(404))) == ["keys"]  # type: ignore[arg-type]
    assert codes(judge_keys(PLAN, side, answer(document={"keys": []}))) == ["keys"]  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_a_key_endpoint_that_cannot_answer_is_no_problem_of_the_plan(status: int) -> None:
    """A firewall, a quota or a fault says nothing about the keys, as with the discovery document."""
    with pytest.raises((TransportError, RateLimitedError)):
        judge_keys(PLAN, "upstream", answer(status))


def test_good_keys_are_good() -> None:
    """A key set with one usable key is no problem."""
    assert judge_keys(PLAN, "upstream", answer(document=key_set())) == []


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param(answer(302, location=f"{CORP_BASE}/login?client_id=x"), [], id="login"),
        pytest.param(answer(302, location="/login?client_id=x"), [], id="login-relative"),
        pytest.param(answer(302, location=f"{CORP_BASE}/oauth2/login?x=y"), [], id="oauth2-login"),
        pytest.param(answer(200), [], id="a-page"),
        pytest.param(
            answer(302, location=f"{CORP_BASE}/error?error=redirect_mismatch&client_id=x"),
            ["redirect_mismatch"],
            id="redirect-mismatch",
        ),
        pytest.param(answer(302, location=f"{CALLBACK}?error=invalid_scope&state=x"), ["invalid_scope"], id="scope"),
        pytest.param(
            answer(302, location=f"{CALLBACK}?error_description=invalid_scope&state=x&error=invalid_request"),
            ["invalid_scope"],
            id="scope-in-the-description",
        ),
        pytest.param(
            answer(302, location=f"{CALLBACK}?error=unauthorized_client"), ["unauthorized_client"], id="flow-off"
        ),
        pytest.param(answer(302, location=f"{CALLBACK}?error=server_error"), ["server_error"], id="another-error"),
        pytest.param(answer(400), ["login_not_offered"], id="bad-request"),
        pytest.param(answer(302, location="https://elsewhere.example/login"), ["login_not_offered"], id="elsewhere"),
        pytest.param(answer(302, location="https://[bad"), ["login_not_offered"], id="no-url"),
        pytest.param(answer(302), ["login_not_offered"], id="no-location"),
    ],
)
def test_the_upstream_login_must_open(response: HttpResponse, expected: list[str]) -> None:
    """A login page is good; each error names the setting behind it, at the upstream pool."""
    problems = judge_upstream_authorize(PLAN, response)
    assert codes(problems) == expected
    assert all(one.side == "upstream" for one in problems)


def to_corp(**changes: str) -> HttpResponse:
    """Return the downstream pool's redirect to the upstream one, after some changes."""
    query = {"client_id": "corp-client", "redirect_uri": CALLBACK, "scope": "openid email profile"} | changes
    return answer(
        302, location=f"{CORP_BASE}/oauth2/authorize?" + "&".join(f"{n}={quote(v, safe='')}" for n, v in query.items())
    )


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param(to_corp(), [], id="good"),
        pytest.param(to_corp(client_id="another"), ["other_client_id"], id="another-client"),
        pytest.param(
            to_corp(redirect_uri="https://old.example/oauth2/idpresponse"), ["other_redirect_uri"], id="callback"
        ),
        pytest.param(to_corp(scope="openid"), ["fewer_scopes"], id="fewer-scopes"),
        pytest.param(to_corp(client_id="", scope=""), ["other_client_id", "fewer_scopes"], id="nothing-sent"),
        pytest.param(
            answer(302, location=f"{APP_BASE}/error?error=redirect_mismatch"), ["redirect_mismatch"], id="uri"
        ),
        pytest.param(answer(302, location="https://a.example/cb?error=invalid_scope"), ["invalid_scope"], id="scope"),
        pytest.param(
            answer(302, location="https://a.example/cb?error=unauthorized_client"), ["unauthorized_client"], id="flow"
        ),
        pytest.param(answer(200), ["login_not_offered"], id="login-option-is-not-available"),
        pytest.param(
            answer(302, location=f"{APP_BASE}/error?error=Login+option+is+not+available.+Please+try+another+one"),
            ["login_not_offered"],
            id="login-option-is-not-available-as-an-error",
        ),
        pytest.param(answer(302, location=f"{APP_BASE}/login?x=y"), ["login_not_offered"], id="its-own-login"),
    ],
)
def test_the_downstream_pool_must_send_people_on(response: HttpResponse, expected: list[str]) -> None:
    """A browser that asked for the provider must land at the upstream pool, with the plan's values."""
    problems = judge_downstream_authorize(PLAN, "shop", response)
    assert codes(problems) == expected
    assert all(one.side == "downstream" for one in problems)


@given(st.integers(100, 599), st.text())
def test_any_answer_gives_problems_or_none(status: int, location: str) -> None:
    """Whatever a server answers, the judges return; only a server that cannot answer at all is an exception."""
    response = answer(status, location=location)
    codes(judge_upstream_authorize(PLAN, response))
    codes(judge_downstream_authorize(PLAN, "shop", response))
    with suppress(TransportError, RateLimitedError):
        codes(judge_keys(PLAN, "upstream", response))
    with suppress(TransportError, RateLimitedError):
        codes(judge_discovery(PLAN, "upstream", response))
