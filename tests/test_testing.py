import os
import subprocess
import sys
from pathlib import Path

import pytest

import cognito_oidc
from cognito_oidc import AccessTokenClaims, SyncTokenVerifier, TokenVerifier
from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool, KeyStock
from cognito_oidc.errors import ExpiredTokenError, InsufficientScopeError, InvalidClaimError
from cognito_oidc.testing import IssueAccessToken, IssueIdToken


class Shop:
    """An application with a verifier of its own, as in production."""

    def __init__(self, emulator: CognitoEmulator, pool: EmulatedPool, client: EmulatedAppClient) -> None:
        self.verifier = TokenVerifier(
            pool.user_pool, client_ids=[client.client_id], http_client=emulator.http_client(), clock=emulator.clock
        )

    async def orders(self, token: str) -> AccessTokenClaims:
        """Let in who may read orders."""
        return await self.verifier.verify_access_token(token, required_scopes=["orders/read"])


@pytest.fixture
def shop(cognito_emulator: CognitoEmulator, cognito_pool: EmulatedPool, cognito_app_client: EmulatedAppClient) -> Shop:
    """Return the application under test."""
    return Shop(cognito_emulator, cognito_pool, cognito_app_client)


@pytest.mark.anyio
async def test_the_applications_own_verifier_takes_the_token(shop: Shop, issue_access_token: IssueAccessToken) -> None:
    """Signature, issuer, client, times and scope are really checked, with keys fetched from the emulator."""
    claims = await shop.orders(issue_access_token("bob", scopes=["orders/read"], groups=["clerks"]))
    assert (claims.username, claims.groups, claims.scopes) == ("bob", ("clerks",), ("orders/read",))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"scopes": ["orders/write"]}, InsufficientScopeError, id="scope"),
        pytest.param({"exp": 1}, ExpiredTokenError, id="expired"),
        pytest.param({"claims": {"token_use": "id"}}, InvalidClaimError, id="kind"),
        pytest.param({"client_id": "other"}, InvalidClaimError, id="client"),
        pytest.param({"resource": "https://other.example"}, InvalidClaimError, id="resource"),
    ],
)
async def test_the_applications_own_verifier_refuses_the_token(
    shop: Shop, issue_access_token: IssueAccessToken, changes: dict[str, object], error: type[Exception]
) -> None:
    """Each change is refused by the check that is there for it."""
    arguments = {"scopes": ["orders/read"], **changes}
    with pytest.raises(error):
        await shop.orders(issue_access_token("ann", **arguments))  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_time_can_be_put_forward(
    shop: Shop, cognito_emulator: CognitoEmulator, issue_access_token: IssueAccessToken
) -> None:
    """The verifier runs on the emulator's clock."""
    token = issue_access_token(scopes=["orders/read"])
    cognito_emulator.clock.advance(3_601)
    with pytest.raises(ExpiredTokenError):
        await shop.orders(token)


def test_a_synchronous_verifier_needs_no_wire(
    cognito_pool: EmulatedPool,
    cognito_app_client: EmulatedAppClient,
    issue_access_token: IssueAccessToken,
    issue_id_token: IssueIdToken,
) -> None:
    """With the pool's key set in its hand nothing is fetched."""
    verifier = SyncTokenVerifier(
        cognito_pool.user_pool, client_ids=[cognito_app_client.client_id], jwks={**cognito_pool.keys.key_set()}
    )
    access_token = issue_access_token("ann")
    id_token = issue_id_token("ann", access_token=access_token, nonce="n", email="ann@acme.com", groups=["staff"])
    claims = verifier.verify_id_token(id_token, nonce="n", access_token=access_token)
    assert (claims.email, claims.groups) == ("ann@acme.com", ("staff",))
    assert claims.sub == verifier.verify_access_token(access_token).sub == cognito_pool.users["ann"].sub


def test_another_app_client_may_be_named(
    cognito_pool: EmulatedPool, issue_access_token: IssueAccessToken, issue_id_token: IssueIdToken
) -> None:
    """Tokens of a client that the application does not know are at hand."""
    other = cognito_pool.add_client("other", redirect_uris=["https://other.example/cb"])
    verifier = SyncTokenVerifier(
        cognito_pool.user_pool, client_ids=[other.client_id], jwks={**cognito_pool.keys.key_set()}
    )
    assert verifier.verify_access_token(issue_access_token(client=other)).client_id == other.client_id
    assert verifier.verify_id_token(issue_id_token(client=other), nonce=None).aud == other.client_id


def test_a_person_who_is_there_is_used(cognito_pool: EmulatedPool, issue_id_token: IssueIdToken) -> None:
    """Their attributes and groups go into the token, unless the call says otherwise."""
    ann = cognito_pool.add_user("ann", password="x", email="ann@acme.com", groups=["clerks"])
    verifier = SyncTokenVerifier(cognito_pool.user_pool, client_ids=None, jwks={**cognito_pool.keys.key_set()})
    claims = verifier.verify_id_token(issue_id_token("ann"), nonce=None)
    assert (claims.sub, claims.email, claims.groups) == (ann.sub, "ann@acme.com", ("clerks",))


@pytest.mark.anyio
async def test_a_whole_login_fits_into_a_test(
    cognito_emulator: CognitoEmulator, cognito_app_client: EmulatedAppClient, cognito_pool: EmulatedPool
) -> None:
    """The app client gives a real client, and a person signs in."""
    cognito_pool.add_user("ann", password="x")
    client = cognito_app_client.client()
    request = client.authorization_request()
    tokens = await client.exchange_code(await cognito_emulator.person("ann", "x").follow(request.url), request)
    assert tokens.claims is not None
    assert tokens.claims.username == "ann"


def test_each_test_has_an_emulator_of_its_own(cognito_emulator: CognitoEmulator, cognito_pool: EmulatedPool) -> None:
    """Nothing is left of another test."""
    assert (list(cognito_emulator.pools), cognito_emulator.journal) == (["eu-west-1_Testing01"], [])
    assert not cognito_pool.users
    assert not cognito_pool.clients


def test_keys_are_made_once_for_all_tests(cognito_key_stock: KeyStock) -> None:
    """Two emulators of a session share private keys, but not kids."""
    first, second = (CognitoEmulator(key_stock=cognito_key_stock).add_pool().keys.key_set()["keys"] for _ in range(2))
    assert [key["n"] for key in first] == [key["n"] for key in second]
    assert {key["kid"] for key in first}.isdisjoint({key["kid"] for key in second})
    assert first[0]["n"] != first[1]["n"]


def test_the_plugin_loads_nothing_but_pytest() -> None:
    """Every pytest run of every user loads it: what it costs is pytest, which is there anyway."""
    program = (
        "import sys, pytest; before = set(sys.modules); import cognito_oidc.testing; "
        "print(*sorted(set(sys.modules) - before))"
    )
    result = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["cognito_oidc", "cognito_oidc.testing"]


def test_a_missing_emulator_names_the_extra(tmp_path: Path) -> None:
    """Without the extra only the tests that ask for a fixture fail, and say what to install."""
    program = (
        "import sys; sys.modules['starlette'] = None; import pytest; "
        "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '-p', 'cognito_oidc.testing', "
        "'--rootdir=.', '-c', '/dev/null', sys.argv[1]]))"
    )
    file = tmp_path / "test_it.py"
    file.write_text("def test_one(cognito_emulator): pass\ndef test_two(): pass\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(cognito_oidc.__file__).parents[1])}
    result = subprocess.run(
        [sys.executable, "-c", program, str(file)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert "1 passed, 1 error" in result.stdout
    assert "pip install 'cognito-oidc[emulator]'" in result.stdout
