from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.protocol.authorize_answer import parse_authorize_answer, throwaway_authorize_request
from cognito_oidc.protocol.wire import HttpResponse

BASE = "https://acme.auth.eu-west-1.amazoncognito.com"
ENDPOINT = f"{BASE}/oauth2/authorize"
CALLBACK = "https://app.example.com/callback"


def answer(status: int, location: str = "") -> HttpResponse:
    """Return an answer of the authorize endpoint."""
    return HttpResponse(status=status, headers={"location": location} if location else {}, body=b"")


def test_the_request_is_a_whole_login() -> None:
    """Cognito is asked as an application would, so that what it says is about the settings and not about the probe."""
    request = throwaway_authorize_request(
        ENDPOINT,
        client_id="1example",
        redirect_uri=CALLBACK,
        scope="openid email",
        identity_provider="Corp",
        code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    )
    parts = urlsplit(request.url)
    assert (request.method, f"{parts.scheme}://{parts.netloc}{parts.path}") == ("GET", ENDPOINT)
    assert parse_qs(parts.query, strict_parsing=True) == {
        "client_id": ["1example"],
        "redirect_uri": [CALLBACK],
        "scope": ["openid email"],
        "response_type": ["code"],
        "state": ["cognito-oidc-check"],
        "nonce": ["cognito-oidc-check"],
        "identity_provider": ["Corp"],
        "code_challenge": ["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"],
        "code_challenge_method": ["S256"],
    }


def test_what_is_not_chosen_is_not_sent() -> None:
    """A downstream pool sends no challenge, and a person who may choose sends no provider."""
    url = throwaway_authorize_request(ENDPOINT, client_id="1", redirect_uri=CALLBACK, scope="openid").url
    assert parse_qs(urlsplit(url).query).keys().isdisjoint({"identity_provider", "code_challenge"})


# What comes out of a redirect: wire sheet sections 2.1 and 2.2.
@pytest.mark.parametrize(
    ("response", "outcome", "error"),
    [
        pytest.param(answer(302, f"{BASE}/login?client_id=x"), "login", None, id="login"),
        pytest.param(answer(302, "/login?client_id=x"), "login", None, id="login-relative"),
        pytest.param(answer(303, f"{BASE}/oauth2/login"), "login", None, id="oauth2-login"),
        pytest.param(answer(200), "page", None, id="a-page"),
        pytest.param(answer(302, "https://corp.example/authorize?x=y"), "provider", None, id="provider"),
        pytest.param(
            answer(302, f"{BASE}/error?error=redirect_mismatch&client_id=x"),
            "refused",
            "redirect_mismatch",
            id="error-page",
        ),
        pytest.param(answer(302, f"{BASE}/error"), "refused", None, id="error-page-without-a-word"),
        pytest.param(answer(302, f"{CALLBACK}?error=invalid_scope&state=x"), "refused", "invalid_scope", id="callback"),
        pytest.param(
            answer(302, f"{CALLBACK}?error_description=invalid_scope&state=x&error=invalid_request"),
            "refused",
            "invalid_scope",
            id="scope-in-the-description",
        ),
        pytest.param(
            answer(302, f"{CALLBACK}#error=unauthorized_client"), "refused", "unauthorized_client", id="fragment"
        ),
        pytest.param(answer(302, f"{BASE}/somewhere"), "unclear", None, id="unknown-page-of-the-pool"),
        pytest.param(answer(302), "unclear", None, id="redirect-to-nowhere"),
        pytest.param(answer(302, "https://[bad"), "unclear", None, id="redirect-to-no-url"),
        pytest.param(answer(400), "refused", None, id="bad-request"),
        pytest.param(answer(404), "refused", None, id="not-found"),
        pytest.param(answer(403), "unclear", None, id="a-firewall"),
        pytest.param(answer(407), "unclear", None, id="a-proxy"),
        pytest.param(
            answer(302, f"{CALLBACK}?error=server_error"), "unclear", "server_error", id="a-fault-told-to-the-callback"
        ),
        pytest.param(answer(429), "unclear", None, id="a-quota"),
        pytest.param(answer(500), "unclear", None, id="a-fault"),
    ],
)
def test_an_answer_takes_the_request_or_refuses_it(response: HttpResponse, outcome: str, error: str | None) -> None:
    """A login that would begin, a refusal with its error, and an answer that says nothing are told apart."""
    read = parse_authorize_answer(response, endpoint=ENDPOINT)
    assert (read.outcome, read.error, read.status) == (outcome, error, response.status)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param("redirect_mismatch", "redirect_mismatch", id="code"),
        pytest.param("Login+option+is+not+available.+Please+try+another+one", None, id="sentence"),
        pytest.param("", None, id="empty"),
    ],
)
def test_a_sentence_is_no_code(error: str, code: str | None) -> None:
    """Cognito's error page gets codes and whole sentences; only a code is a name for what happened."""
    assert parse_authorize_answer(answer(302, f"{BASE}/error?error={error}"), endpoint=ENDPOINT).error_code == code


@given(st.integers(100, 599), st.text())
def test_any_answer_is_read(status: int, location: str) -> None:
    """Whatever a server answers, there is an outcome, and what it says is capped."""
    read = parse_authorize_answer(answer(status, location), endpoint=ENDPOINT)
    assert len(read.error or "") <= 60
