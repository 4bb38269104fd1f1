import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from click.testing import Result
from starlette.responses import Response

from cognito_oidc import AuthorizationRequest, CognitoClient, Federation, LogoutChain, TokenVerifier
from cognito_oidc.cli import one_pool, stage, two_pools
from cognito_oidc.emulator import (
    CognitoEmulator,
    EmulatedAppClient,
    EmulatedPool,
    EmulatedUser,
    JournalEntry,
    Person,
    addresses,
    backchannel,
    ledger,
    profiles,
    token_endpoint,
    tokens,
)
from cognito_oidc.emulator.control import Controls
from cognito_oidc.emulator.ledger import Ledger
from cognito_oidc.protocol import callback

Run = Callable[..., Result]
Patch = pytest.MonkeyPatch
STORIES = pytest.mark.parametrize("story", ["two-pools", "one-pool"])


def wrap(patch: Patch, owner: object, name: str, after: Callable[[Any], Any]) -> None:
    """Replace a function by itself and what is done with its result afterwards."""
    original = getattr(owner, name)
    patch.setattr(owner, name, lambda *args, **kwargs: after(original(*args, **kwargs)))


def wrong_issuer(patch: Patch) -> None:
    """The emulator and the library disagree about the issuer."""
    patch.setattr(EmulatedPool, "issuer", "https://elsewhere.example")


def token_endpoint_moved(patch: Patch) -> None:
    """Discovery names another token endpoint."""
    wrap(
        patch,
        addresses,
        "discovery_document",
        lambda it: it | {"token_endpoint": it["token_endpoint"] + "2"},
    )


def discovery_down(patch: Patch) -> None:
    """Discovery fails."""

    def begin(self: CognitoEmulator) -> None:
        original(self)
        self.fail_next("discovery", status=500, times=9)

    original = CognitoEmulator.__init__
    patch.setattr(CognitoEmulator, "__init__", begin)


def request_repeated(patch: Patch) -> None:
    """Every authorization request is the same."""
    kept: list[AuthorizationRequest] = []

    def first(request: AuthorizationRequest) -> AuthorizationRequest:
        kept.append(request)
        return kept[0]

    wrap(patch, CognitoClient, "authorization_request", first)


def wrong_password(patch: Patch) -> None:
    """Ann forgot her password."""

    def person(self: CognitoEmulator, username: str, password: str, **others: Any) -> Person:  # noqa: ANN401
        return original(self, username, password + "x", **others)

    original = CognitoEmulator.person
    patch.setattr(CognitoEmulator, "person", person)


def state_unchecked(patch: Patch) -> None:
    """The library takes any state."""
    patch.setattr(callback, "_check_state", lambda *_: None)


def code_reusable(patch: Patch) -> None:
    """The pool takes a code twice."""
    patch.setattr(Ledger, "use_code", lambda *_: None)


def nonce_lost(patch: Patch) -> None:
    """The ID token has another nonce."""

    def add(self: Ledger, sign_in: ledger.SignIn, now: float) -> ledger.SignIn:
        sign_in.nonce = "another"
        return original(self, sign_in, now)

    original = Ledger.add_sign_in
    patch.setattr(Ledger, "add_sign_in", add)


def every_scope(patch: Patch) -> None:
    """The access token has the scope that it should lack."""
    patch.setattr(one_pool, "_SCOPES", ("openid", "email", "profile", one_pool.READ, one_pool.WRITE))


def email_unverified(patch: Patch) -> None:
    """The e-mail address is not verified."""
    wrap(patch, backchannel, "visible_attributes", lambda values: values | {"email_verified": "false"})


def refresh_tokens_rotate(patch: Patch) -> None:
    """The app client rotates its refresh tokens."""
    wrap(patch, EmulatedPool, "add_client", with_rotation)


def with_rotation(client: EmulatedAppClient) -> EmulatedAppClient:
    """Return the app client, rotating."""
    client.refresh_token_rotation = True
    return client


def keys_stay(patch: Patch) -> None:
    """The pool does not rotate its keys."""
    patch.setattr(EmulatedPool, "rotate_keys", lambda _: None)


def machine_has_a_name(patch: Patch) -> None:
    """A machine's token names a user."""
    wrap(patch, token_endpoint, "machine_token_claims", lambda claims: claims | {"username": "ann"})


def every_client_accepted(patch: Patch) -> None:
    """The API accepts every app client."""

    def verifier(self: stage.Stage, client: EmulatedAppClient, *_: object) -> TokenVerifier:
        return TokenVerifier(self.addresses(client.pool), client_ids=None, http_client=self.http)

    patch.setattr(stage.Stage, "verifier", verifier)


def nothing_revoked(patch: Patch) -> None:
    """Revocation does nothing."""
    patch.setattr(backchannel, "_revoke", lambda _: None)


def session_survives(patch: Patch) -> None:
    """Logging out does nothing, neither at the pool nor in the browser."""
    patch.setattr(Ledger, "close_session", lambda *_: None)
    patch.setattr(Response, "delete_cookie", lambda *_, **__: None)


@pytest.mark.parametrize(
    ("break_it", "step", "what", "came"),
    [
        pytest.param(wrong_issuer, 1, "the issuer is what", "https://cognito-idp.", id="issuer"),
        pytest.param(token_endpoint_moved, 2, "token_endpoint", "/token2", id="endpoint"),
        pytest.param(discovery_down, 2, "the step ends well", "TransportError: ", id="discovery-down"),
        pytest.param(request_repeated, 3, "state, nonce and verifier are random", "3", id="not-random"),
        pytest.param(wrong_password, 4, "the step ends well", "PersonError: ", id="wrong-password"),
        pytest.param(state_unchecked, 5, "refused: the code under another state", "it was accepted", id="state"),
        pytest.param(code_reusable, 6, "refused: the code, a second time", "it was accepted", id="code-reused"),
        pytest.param(nonce_lost, 6, "the step ends well", "InvalidClaimError: ", id="nonce"),
        pytest.param(every_scope, 7, "refused: the call that needs orders/write", "it was accepted", id="scope"),
        pytest.param(email_unverified, 8, "email_verified is a boolean", "False", id="email"),
        pytest.param(refresh_tokens_rotate, 9, "the refresh token stays", "False", id="rotation"),
        pytest.param(keys_stay, 10, "what was sent", "token", id="keys"),
        pytest.param(machine_has_a_name, 11, "no user name", "ann", id="machine"),
        pytest.param(every_client_accepted, 12, "refused: the token of reports", "it was accepted", id="client"),
        pytest.param(nothing_revoked, 13, "refused: the refresh token", "it was accepted", id="revocation"),
        pytest.param(session_survives, 14, "refused: the same after the logout", "it was accepted", id="session"),
    ],
)
def test_step_that_does_not_hold_ends_the_demo(
    run: Run, monkeypatch: Patch, break_it: Callable[[Patch], None], *, step: int, what: str, came: str
) -> None:
    """Whatever is broken is noticed by the step that is about it: what came is said, and the exit code is 1."""
    break_it(monkeypatch)
    result = run("demo", "--story", "one-pool")
    failure = result.stdout[result.stdout.index("    FAILED  ") :]
    assert result.exit_code == 1
    assert f"    FAILED  {what}" in failure
    assert re.search(rf"\n        came      .*{re.escape(came)}", failure)
    assert failure.splitlines()[-1] == f"Step {step} of 14 did not hold."


def nothing_found(patch: Patch) -> None:
    """The check of the federation sees nothing."""

    async def nothing(*_: object, **__: object) -> tuple[()]:
        return ()

    patch.setattr(two_pools, "check_federation", nothing)


def password_stays(patch: Patch) -> None:
    """A temporary password is as good as any."""

    def confirmed(user: EmulatedUser) -> EmulatedUser:
        user.status = "CONFIRMED"
        return user

    wrap(patch, EmulatedPool, "add_user", confirmed)


def nothing_mapped(patch: Patch) -> None:
    """The provider's claims are not mapped to attributes."""
    patch.setattr(profiles, "_mapped_values", lambda *_: {})


def every_issuer_accepted(patch: Patch) -> None:
    """The API takes the tokens of whoever issued them to the company's applications."""

    def verifier(self: stage.Stage, client: EmulatedAppClient, *_: object) -> TokenVerifier:
        pool = self.addresses(self.aws.pools[two_pools.UPSTREAM_ID])
        return TokenVerifier(pool, client_ids=None, http_client=self.http)

    patch.setattr(stage.Stage, "verifier", verifier)


def chain_is_short(patch: Patch) -> None:
    """The chain ends at the first pool."""

    def short(chain: LogoutChain) -> LogoutChain:
        return replace(chain, url=chain.url.partition("%2Fcorp%2Flogout")[0] + "%2Fgoodbye")

    wrap(patch, Federation, "logout_chain", short)


@pytest.mark.parametrize(
    ("break_it", "step", "what"),
    [
        pytest.param(wrong_issuer, 1, "oidc_issuer is what Corp's tokens say", id="issuer"),
        pytest.param(nothing_found, 2, "one problem: ", id="check"),
        pytest.param(password_stays, 4, "Corp says of Ann: CONFIRMED", id="password"),
        pytest.param(wrong_password, 4, "the step ends well", id="wrong-password"),
        pytest.param(nonce_lost, 4, "then it fetched Corp's tokens", id="nonce"),
        pytest.param(nothing_mapped, 5, "email: ", id="mapping"),
        pytest.param(every_issuer_accepted, 6, "the step ends well", id="foreign"),
        pytest.param(session_survives, 9, "refused: the shop, after the chain", id="session"),
        pytest.param(chain_is_short, 9, "the step ends well", id="chain"),
    ],
)
def test_step_of_two_pools_that_does_not_hold_ends_the_demo(
    run: Run, monkeypatch: Patch, break_it: Callable[[Patch], None], *, step: int, what: str
) -> None:
    """The same of the two pools."""
    break_it(monkeypatch)
    result = run("demo")
    failure = result.stdout[result.stdout.index("    FAILED  ") :]
    assert result.exit_code == 1
    assert f"    FAILED  {what}" in failure
    assert failure.splitlines()[-1] == f"Step {step} of 9 did not hold."


@pytest.fixture
def issued(monkeypatch: Patch) -> set[str]:
    """Return what will hold every secret that the local Cognito and the library make while the demo runs."""
    secrets: set[str] = set()

    def keep(value: str) -> str:
        secrets.add(value)
        return value

    def keep_secrets(client: EmulatedAppClient) -> EmulatedAppClient:
        secrets.update(client.client_secrets)
        return client

    def keep_password(user: EmulatedUser) -> EmulatedUser:
        secrets.add(user.password or "")
        return user

    def keep_request(request: AuthorizationRequest) -> AuthorizationRequest:
        secrets.update({request.code_verifier, request.state, request.nonce})
        return request

    wrap(monkeypatch, tokens.SigningKey, "sign", keep)
    wrap(monkeypatch, ledger, "generate_refresh_token", keep)
    wrap(monkeypatch, Ledger, "add_code", keep)
    wrap(monkeypatch, Ledger, "open_session", keep)
    wrap(monkeypatch, EmulatedPool, "add_client", keep_secrets)
    wrap(monkeypatch, EmulatedPool, "add_user", keep_password)
    wrap(monkeypatch, CognitoClient, "authorization_request", keep_request)
    return secrets


def parts_of(secrets: set[str]) -> Iterator[str]:
    """Every secret, and of tokens every part but the header, which says only how they were made."""
    for secret in secrets:
        yield secret
        yield from secret.split(".")[1:]


@STORIES
def test_output_holds_no_secret(run: Run, issued: set[str], story: str) -> None:
    """No token, code, secret, password, verifier, session, state or nonce is shown, nor a part of a token."""
    output = run("demo", "--story", story).stdout
    assert len(issued) > 25
    assert [part for part in parts_of(issued) if part in output] == []


@pytest.mark.parametrize("break_it", [code_reusable, nothing_revoked, session_survives])
def test_failure_shows_no_secret(
    run: Run, monkeypatch: Patch, issued: set[str], break_it: Callable[[Patch], None]
) -> None:
    """Nor when a step fails, where expected and actual values are shown."""
    break_it(monkeypatch)
    output = run("demo", "--story", "one-pool").stdout
    assert "FAILED" in output
    assert [part for part in parts_of(issued) if part in output] == []


def test_password_is_shown_to_who_needs_it(run: Run, issued: set[str]) -> None:
    """A real person is told the password, and the address with its state and nonce; nothing else."""
    output = run("demo", "--story", "one-pool", "--browser", "--timeout", "1").stdout
    shown = {secret for secret in issued if secret in output}
    password = re.search(r"with the password (\w+)\n", output)
    address = re.search(r"&state=([^&]+)&nonce=([^&]+)&", output)
    assert password is not None
    assert address is not None
    assert shown == {password[1], address[1], address[2]}


@STORIES
def test_every_request_is_shown(run: Run, monkeypatch: Patch, story: str) -> None:
    """What the pool received is what is told: as many lines as the journal has entries."""
    entries: list[JournalEntry] = []

    def keep(self: Controls, **entry: Any) -> None:  # noqa: ANN401 - whatever the emulator writes down
        original(self, **entry)
        entries[:] = self.entries()

    original = Controls.record
    monkeypatch.setattr(Controls, "record", keep)
    output = run("demo", "--story", story).stdout
    lines = re.findall(r"^    > (GET|POST) .*  \[(\d{3})\]$", output, re.MULTILINE)
    assert lines == [(entry.method, str(entry.status)) for entry in entries]
