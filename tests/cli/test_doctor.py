"""The doctor against two pools on a port: nothing wrong, and each setting broken once."""

import re
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

from cognito_oidc import UserPool, cli
from cognito_oidc.cli.doctor_login import judge_callback, judge_client, judge_provider, judge_scopes
from cognito_oidc.cli.doctor_profile import Subject
from cognito_oidc.cli.findings import TROUBLESHOOTING
from cognito_oidc.emulator import Behaviour
from cognito_oidc.protocol.authorize_answer import parse_authorize_answer
from cognito_oidc.protocol.wire import HttpResponse
from tests.cli.served_shop import CALLBACK, SCOPES, ServedShop, serving_shop

ROOT = Path(__file__).parents[2]
Break = Callable[[ServedShop], None]


def break_flow(shop: ServedShop) -> None:
    """Take the authorization code grant away."""
    shop.web.grants = frozenset({"implicit"})


def break_providers(shop: ServedShop) -> None:
    """Take the provider away from the app client."""
    shop.web.identity_providers = ("COGNITO",)


def break_every_provider(shop: ServedShop) -> None:
    """Leave nowhere to sign in."""
    shop.web.identity_providers = ()


def break_secret(shop: ServedShop) -> None:
    """Replace the secret."""
    shop.web.client_secrets = ("anothersecretof32characterslong0",)


def break_issuer(shop: ServedShop) -> None:
    """Change the issuer's type, as a click in the console does."""
    shop.app.issuer_type = "updated"


def nothing(_: ServedShop) -> None:
    """Leave the pool as it is: the settings are wrong."""


# --- what is set up well ----------------------------------------------------------------------------------------------


def test_nothing_is_found_where_nothing_is_wrong(shop: ServedShop) -> None:
    """A pool that is set up well has no finding, and every check that can tell says that it is good."""
    seen = shop.doctor(provider="Corp")
    assert seen["findings"] == []
    outcomes = {check["about"]: check["outcome"] for check in seen["checks"]}
    assert {about for about, outcome in outcomes.items() if outcome == "unknown"} == {"issuer"}
    assert {"profile", "discovery", "keys", "domain", "app client", "callback URL", "scopes", "provider"} <= set(
        outcomes
    )
    assert outcomes["client secret"] == outcomes["clock"] == "good"


def test_nobody_is_signed_in_and_nothing_is_issued(shop: ServedShop) -> None:
    """The visit leaves no code, no token and no account behind."""
    shop.doctor(provider="Corp")
    ledger = shop.app.ledger
    assert (ledger._codes, ledger._sign_ins, ledger._refresh_tokens, shop.app.users) == ({}, {}, {}, {})
    assert [entry.status for entry in shop.aws.journal if entry.endpoint == "token"] == [400]


def test_a_machine_is_looked_at_too(shop: ServedShop) -> None:
    """An app client of client credentials has no login; its secret is looked at without a token being issued."""
    job = shop.app.add_client("job", grants=["client_credentials"], scopes=["orders/read"])
    machine = {"client_id": job.client_id, "redirect_uri": None, "scopes": "orders/read"}
    assert shop.findings(client_secret=job.client_secret, **machine) == []
    assert shop.findings(client_secret="anothersecretof32characterslong0", **machine) == ["secret_refused"]
    assert shop.findings(client_secret=job.client_secret, **{**machine, "scopes": "openid"}) == ["scope_of_a_person"]


# --- each setting broken once -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "settings", "codes"),
    [
        pytest.param(break_providers, {"provider": "Corp"}, ["login_option_not_available"], id="provider-off"),
        pytest.param(nothing, {"provider": "corp"}, ["login_option_not_available"], id="provider-in-lower-case"),
        pytest.param(nothing, {"redirect_uri": f"{CALLBACK}/"}, ["redirect_mismatch"], id="slash"),
        pytest.param(nothing, {"redirect_uri": "https://other.example/"}, ["redirect_mismatch"], id="another-callback"),
        pytest.param(nothing, {"scopes": "openid orders/delete"}, ["invalid_scope"], id="scope"),
        pytest.param(break_flow, {}, ["unauthorized_client"], id="flow-off"),
        pytest.param(break_flow, {"provider": "Corp"}, ["unauthorized_client"], id="flow-off-is-no-provider-missing"),
        pytest.param(break_every_provider, {}, ["login_refused"], id="no-provider-at-all"),
        pytest.param(nothing, {"client_id": "1example23456789"}, ["login_refused"], id="client-id"),
        pytest.param(
            nothing,
            {"client_id": "1example23456789", "provider": "Corp"},
            ["login_refused"],
            id="client-id-and-provider",
        ),
        pytest.param(break_secret, {}, ["secret_refused"], id="secret-replaced"),
        pytest.param(nothing, {"client_secret": None}, ["secret_missing"], id="secret-missing"),
        pytest.param(nothing, {"client_secret_from": "env:NOT_SET"}, ["secret_unreadable"], id="secret-unreadable"),
        pytest.param(nothing, {"pool_id": "eu-west-1_Gone00000"}, ["pool_not_found"], id="no-such-pool"),
        pytest.param(nothing, {"pool_id": "AbC123"}, ["profile"], id="no-pool-id"),
        pytest.param(nothing, {"domain": None}, ["no_domain"], id="domain-left-out"),
        pytest.param(nothing, {"scopes": "openid read"}, ["scope_without_server"], id="bare-scope"),
        pytest.param(nothing, {"scopes": "openid,email"}, ["scopes_with_commas"], id="commas"),
        pytest.param(nothing, {"scopes": "openid offline_access"}, ["offline_access"], id="offline"),
        pytest.param(nothing, {"scopes": "email"}, ["scope_needs_openid"], id="no-openid"),
        pytest.param(nothing, {"redirect_uri": "http://shop.example/callback"}, ["redirect_uri_form"], id="http"),
        pytest.param(nothing, {"redirect_uri": "http://localhost:99999/cb"}, ["redirect_uri_form"], id="no-port"),
        pytest.param(nothing, {"redirect_uri": None, "client_secret": None}, ["secret_missing"], id="no-login-at-all"),
        pytest.param(
            nothing,
            {"redirect_uri": f"{CALLBACK}/", "scopes": "openid orders/delete", "provider": "Crop"},
            ["redirect_mismatch", "invalid_scope", "login_option_not_available"],
            id="one-fault-hides-no-other",
        ),
    ],
)
def test_what_is_broken_is_found(
    shop: ServedShop, broken: Break, settings: dict[str, str | None], codes: list[str]
) -> None:
    """Each fault is named, and nothing else is."""
    broken(shop)
    assert shop.findings(**settings) == codes


@pytest.mark.parametrize("told", ["invalid_scope", "invalid_request", "error_page"])
def test_a_scope_is_found_however_cognito_tells(told: str) -> None:
    """Cognito was seen to refuse a scope in three ways; the finding names the scope in each."""
    with serving_shop(Behaviour(authorize_scope_not_allowed=told)) as shop:  # type: ignore[arg-type] # the three
        (finding,) = shop.doctor(scopes="openid email orders/delete")["findings"]
    assert (finding["code"], "'orders/delete'" in finding["found"]) == ("invalid_scope", True)
    assert finding["found"].startswith("App client ")
    assert "email" not in finding["found"].partition("ask for")[2]


@pytest.mark.parametrize(
    ("provider", "spelling"), [pytest.param("corp", "'Corp'", id="case"), pytest.param("Corp ", "'Corp'", id="space")]
)
def test_the_spelling_that_is_offered_is_named(shop: ServedShop, provider: str, spelling: str) -> None:
    """Of a provider that is misspelt the right name is found, and named in the cure."""
    (finding,) = shop.doctor("--provider", provider)["findings"]
    assert finding["cure"].startswith(spelling)


@pytest.mark.parametrize(
    ("registered", "asked", "difference"),
    [
        pytest.param(CALLBACK, f"{CALLBACK}/", "which has no slash at the end", id="slash"),
        pytest.param(
            "http://localhost:{port}/cb", "http://127.0.0.1:{port}/cb", "host 'localhost' for '127.0.0.1'", id="host"
        ),
        pytest.param(CALLBACK, "https://shop.example/Callback", "upper and lower case in the path", id="case"),
    ],
)
def test_the_registered_callback_url_is_named(
    shop: ServedShop, free_port: int, registered: str, asked: str, difference: str
) -> None:
    """Without credentials of AWS, the spelling that Cognito takes is found by asking for it."""
    registered, asked = (uri.replace("{port}", str(free_port)) for uri in (registered, asked))
    shop.web.redirect_uris = (registered,)
    (finding,) = shop.doctor(redirect_uri=asked)["findings"]
    assert finding["code"] == "redirect_mismatch"
    assert (f"'{registered}'" in finding["cure"], difference in finding["cure"]) == (True, True)


def test_another_issuer_is_found() -> None:
    """A pool whose issuer was changed serves another document; the finding says which issuer tokens carry."""
    with serving_shop(Behaviour(both_issuer_hosts=False)) as shop:
        break_issuer(shop)
        findings = shop.doctor()["findings"]
    assert [finding["code"] for finding in findings] == ["issuer_type"]
    assert f"{shop.base_url}/issuer-cognito-idp/{shop.app.pool_id}" in findings[0]["found"]
    assert 'issuer_type = "updated"' in findings[0]["cure"]


def test_two_issuers_that_are_both_served_are_not_told_apart(shop: ServedShop) -> None:
    """Where both hosts answer, nothing shows which issuer tokens carry: no finding, and no all-clear either."""
    break_issuer(shop)
    seen = shop.doctor()
    assert seen["findings"] == []
    assert [check["outcome"] for check in seen["checks"] if check["about"] == "issuer"] == ["unknown"]


def test_a_domain_of_another_pool_is_found_by_what_discovery_names(shop: ServedShop) -> None:
    """A login that is refused on another domain than discovery names: the cure names the pool's own."""
    (finding,) = shop.doctor(domain=shop.corp.domain_prefix)["findings"]
    assert finding["code"] == "login_refused"
    assert f"Discovery names another domain, {shop.base_url}/{shop.app.domain_prefix}:" in finding["cure"]


# --- what is not known is not found -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(Behaviour(invalid_client_status=401), id="invalid-client-401"),
        pytest.param(Behaviour(authorize_scope_not_allowed="invalid_request"), id="scope-as-invalid-request"),
        pytest.param(Behaviour(authorize_scope_not_allowed="error_page"), id="scope-on-the-error-page"),
        pytest.param(Behaviour(both_issuer_hosts=False), id="one-issuer-host"),
        pytest.param(Behaviour(only_provider_is_chosen=False), id="only-provider-not-chosen"),
        pytest.param(Behaviour(verifier_without_challenge="ignore"), id="verifier-without-challenge"),
        pytest.param(Behaviour(key_set_max_age=300), id="cache-control"),
        pytest.param(Behaviour(state_reencoded=True), id="state-reencoded"),
    ],
)
def test_no_doubt_about_cognito_becomes_a_finding(behaviour: Behaviour) -> None:
    """Whatever Cognito turns out to do, a pool that is set up well has no finding."""
    with serving_shop(behaviour) as shop:
        assert shop.findings(provider="Corp") == []
        shop.web.identity_providers = ("Corp",)
        assert shop.findings(provider="Corp") == []


@pytest.mark.parametrize("status", [403, 429, 500, 503])
@pytest.mark.parametrize("endpoint", ["authorize", "token", "jwks", "discovery"])
def test_an_answer_about_something_else_is_no_finding(shop: ServedShop, endpoint: str, status: int) -> None:
    """A firewall, a quota and a fault say nothing about the settings: what they hide is said to be unknown."""
    shop.aws.fail_next(endpoint, status=status, times=99)
    seen = shop.doctor(provider="Corp")
    assert seen["findings"] == []
    assert [check["about"] for check in seen["checks"] if check["outcome"] == "unknown"] != ["issuer"]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(HttpResponse(status=200, headers={}, body=b"<form>"), "unknown", id="a-page"),
        pytest.param(HttpResponse(status=302, headers={"location": "/somewhere"}, body=b""), "unknown", id="elsewhere"),
        pytest.param(HttpResponse(status=302, headers={"location": "/login"}, body=b""), "good", id="login"),
    ],
)
def test_a_page_that_is_not_known_tells_nothing(answer: HttpResponse, outcome: str) -> None:
    """A page instead of the documented redirect takes the login or refuses it: nobody can tell."""
    subject = Subject(pool=UserPool("eu-west-1_AbC123xyz", domain="acme"), client_id="1", redirect_uris=(CALLBACK,))
    read = parse_authorize_answer(answer, endpoint=subject.pool.authorization_endpoint)
    checks = [
        judge_client(subject, {CALLBACK: read}),
        judge_callback(subject, CALLBACK, read, {}),
        judge_scopes(subject, read, {}),
    ]
    assert {check.outcome for check in checks} == {outcome}
    named = judge_provider(subject, "Corp", plain=read, named=read, spellings={})
    assert named.outcome == "unknown"


# --- an application that does not use the library ---------------------------------------------------------------------


def login_url(shop: ServedShop, **changes: str | None) -> str:
    """Return what an application sends the browser to; complete, after some changes."""
    parameters = {
        "client_id": shop.web.client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": " ".join(SCOPES),
        "state": "abc123",
        "nonce": "def456",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        **changes,
    }
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"{shop.user_pool.authorization_endpoint}?{urlencode(given)}"


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        pytest.param({}, [], id="complete"),
        pytest.param({"nonce": None, "identity_provider": "Corp"}, ["no_nonce"], id="no-nonce-through-a-provider"),
        pytest.param({"nonce": None, "identity_provider": "COGNITO"}, [], id="no-nonce-and-local"),
        pytest.param({"nonce": None, "scope": "orders/read", "identity_provider": "Corp"}, [], id="no-id-token"),
        pytest.param({"state": None}, ["no_state"], id="no-state"),
        pytest.param({"state": '{"next":"/a?b=c&d=e"}'}, ["state_changes"], id="json-in-the-state"),
        pytest.param({"state": "YWJj+/8="}, [], id="base64-in-the-state"),
        pytest.param({"code_challenge": None, "code_challenge_method": None}, [], id="no-pkce-with-a-secret"),
        pytest.param({"response_type": "token"}, ["not_the_code_flow"], id="implicit"),
        pytest.param({"client_id": "another"}, ["other_client"], id="another-client"),
    ],
)
def test_the_address_of_an_application_is_judged(
    shop: ServedShop, changes: dict[str, str | None], codes: list[str]
) -> None:
    """What an application leaves out of the login's address is named, though Cognito takes it."""
    assert shop.findings("--login-url", login_url(shop, **changes)) == codes


@pytest.mark.parametrize("changes", [{"code_challenge": None}, {"code_challenge_method": "plain"}])
def test_a_public_client_must_send_a_challenge(shop: ServedShop, changes: dict[str, str | None]) -> None:
    """What can keep no secret has nothing else that protects its code."""
    spa = shop.app.add_client("spa", redirect_uris=[CALLBACK], scopes=SCOPES)
    arguments = ("--login-url", login_url(shop, client_id=spa.client_id, **changes))
    assert shop.findings(*arguments, client_id=spa.client_id, client_secret=None) == ["no_pkce"]


def test_a_missing_nonce_is_found_where_people_come_from_a_provider_unasked(shop: ServedShop) -> None:
    """An app client with nothing but the provider sends everybody there, so that the first login has a nonce."""
    shop.web.identity_providers = ("Corp",)
    assert shop.findings("--login-url", login_url(shop, nonce=None)) == ["no_nonce"]


def test_another_address_is_no_login_of_the_pool(shop: ServedShop) -> None:
    """An application that sends people to another domain is told so."""
    assert shop.findings("--login-url", "https://acme.auth.eu-west-1.amazoncognito.com/login?x=y") == ["other_domain"]


# --- this machine -----------------------------------------------------------------------------------------------------


def test_a_taken_port_is_found(shop: ServedShop, free_port: int) -> None:
    """A login that could listen nowhere is a finding; one that has another port is not."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"http://127.0.0.1:{other.getsockname()[1]}/callback"
        other_uri = f"http://127.0.0.1:{free_port}/callback"
        shop.web.redirect_uris = (taken, other_uri)
        assert shop.findings(redirect_uri=taken) == ["port_taken"]
        assert shop.findings(redirect_uri=f"{taken} {other_uri}") == []


def test_nothing_that_answers_is_a_fault_of_the_network(shop: ServedShop) -> None:
    """Where nobody answers nothing is known about the settings: exit code 5, and no finding."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    result = shop.run("doctor", endpoint_url=f"http://127.0.0.1:{port}")
    assert result.exit_code == 5
    assert "WRONG" not in result.stdout
    assert result.stderr == f"Error: nothing answered: does a server listen on http://127.0.0.1:{port}?\n"


# --- how it is told ---------------------------------------------------------------------------------------------------


def test_a_person_reads_what_why_and_where(shop: ServedShop) -> None:
    """The report numbers its findings, says why Cognito is silent and what to change, and fits 80 columns."""
    result = shop.run("doctor", redirect_uri=f"{CALLBACK}/", scopes="openid email orders/delete")
    assert result.exit_code == 1
    assert "\nWRONG  callback URL   redirect_mismatch: see 1 below.\n" in result.stdout
    assert "\n2. scopes: invalid_scope\n" in result.stdout
    assert result.stdout.count("   Why Cognito does not say so\n") == result.stdout.count("   What to change\n") == 2
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("output", ["text", "json"])
def test_no_secret_is_shown(shop: ServedShop, output: str) -> None:
    """Neither the client secret nor a wrong one appears, whatever is found."""
    wrong = "wrongsecretwithaspaceattheend00 "
    for secret in (shop.web.client_secret, wrong):
        shown = shop.run("doctor", "-o", output, client_secret=secret).output
        assert (shop.web.client_secret or "") not in shown
        assert wrong.strip() not in shown


def test_every_finding_leads_to_a_heading() -> None:
    """Each topic that a finding names is a heading of the troubleshooting page."""
    page = (ROOT / TROUBLESHOOTING).read_text(encoding="utf-8")
    headings = set(re.findall(r"^### (.+)$", page, re.MULTILINE))
    sources = sorted(Path(cli.__file__).parent.glob("doctor*.py"))
    text = "\n".join(source.read_text(encoding="utf-8") for source in sources)
    named = re.findall(r'(?:topic=|[Tt]opic(?:: Final)? = |_MOVED: Final = )(?:"([^"]+)"|\'([^\']+)\')', text)
    topics = {one or other for one, other in named}
    assert len(topics) > 10
    assert topics - headings == set()
