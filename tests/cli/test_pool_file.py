import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc import Federation
from cognito_oidc.cli import pool_file
from cognito_oidc.cli.pool_file import READY_MADE, PoolFile
from cognito_oidc.emulator import PasswordPolicy
from cognito_oidc.errors import ConfigurationError

POOL = '[[pools]]\npool_id = "eu-west-1_One000001"\ndomain = "one"\n'
CLIENT = '[[pools.clients]]\nname = "web"\nredirect_uris = ["https://app.example/cb"]\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("pools", "no TOML: Expected '='", id="no-toml"),
        pytest.param("", "pools: is missing", id="empty"),
        pytest.param("pools = []", "pools: List should have at least 1 item", id="no-pool"),
        pytest.param("pools = 1", "pools: Input should be a valid list", id="pools-number"),
        pytest.param(POOL + "colour = 1", "pools[0].colour: there is no such key", id="key"),
        pytest.param("[[pools]]\n", "pools[0].pool_id: is missing", id="no-id"),
        pytest.param("[[pools]]\npool_id = 1", "pools[0].pool_id: Input should be a valid string", id="id-number"),
        pytest.param("[[pools]]\npool_id = 'one'", "pools[0]: pool id 'one' must be a Region", id="id"),
        pytest.param(POOL + POOL, "pools[1]: there is a pool eu-west-1_One000001 already", id="pool-twice"),
        pytest.param(
            POOL + "[[pools.users]]\nusername = 'ann'", "pools[0].users[0]: user 'ann' needs", id="no-password"
        ),
        pytest.param(
            POOL + "[[pools.users]]\nusername = 'ann'\npassword = 'p'\nemail_verified = 'yes'",
            "pools[0].users[0].email_verified: Input should be a valid boolean",
            id="not-a-boolean",
        ),
        pytest.param(
            POOL + "[[pools.users]]\nusername = 'ann'\npassword = 'p'\nattributes = { colour = 'red' }",
            "pools[0].users[0]: attribute 'colour' is",
            id="attribute",
        ),
        pytest.param(POOL + CLIENT + "redirect_uri = 'x'", "pools[0].clients[0].redirect_uri: there is no", id="typo"),
        pytest.param(
            POOL + CLIENT.replace("https", "http"), "pools[0].clients[0]: 'http://app.example/cb' must be", id="http"
        ),
        pytest.param(POOL + CLIENT + CLIENT, "pools[0].clients[1]: there is an app client", id="client-twice"),
        pytest.param(POOL + CLIENT + "grants = ['password']", "pools[0].clients[0].grants[0]: Input", id="grant"),
        pytest.param(POOL + CLIENT + "client_id = 'a b'", "pools[0].clients[0].client_id: String", id="client-id"),
        pytest.param(
            POOL + CLIENT + "client_secret = 'short'", "pools[0].clients[0]: a client secret has", id="secret"
        ),
        pytest.param(POOL + CLIENT + "scopes = ['a/b']", "pools[0].clients[0]: pool eu-west-1_One000001", id="scope"),
        pytest.param(
            POOL + CLIENT + "identity_providers = ['Corp']", "pools[0].clients[0]: pool eu-west-1", id="provider"
        ),
        pytest.param(
            POOL + "[[pools.providers]]\nname = 'Corp'\npool = 'p'",
            "pools[0].providers[0]: needs either pool and client, or",
            id="half-a-provider",
        ),
        pytest.param(
            POOL + "[[pools.providers]]\nname = 'Corp'\npool = 'p'\nclient = 'c'",
            "pools[0].providers[0]: client: the file has no app client 'c' of a pool 'p'",
            id="unknown-client",
        ),
        pytest.param(
            POOL + CLIENT + "[[pools.providers]]\nname = 'Me'\npool = 'eu-west-1_One000001'\nclient = 'web'",
            "pools[0].providers[0]: client: app client 'web' has no secret",
            id="client-without-secret",
        ),
        pytest.param(POOL + "[[pools.groups]]\nname = 'admins'", "pools[0].groups[0].role_arn: is missing", id="group"),
        pytest.param(
            POOL + "[[pools.resource_servers]]\nidentifier = 'a b'\nscopes = []",
            "pools[0].resource_servers[0]: resource server",
            id="resource-server",
        ),
        pytest.param(
            POOL + "password_policy = { minimum_length = 5 }",
            "pools[0].password_policy.minimum_length: Input should be greater",
            id="policy",
        ),
        pytest.param("strict = 1\n" + POOL, "strict: Input should be a valid boolean", id="strict"),
        pytest.param(POOL + "[behaviour]\ncolour = 1", "behaviour.colour: there is no such key", id="switch"),
        pytest.param(
            POOL + "[behaviour]\ninvalid_client_status = 402",
            "behaviour.invalid_client_status: Input should be 400 or 401",
            id="switch-value",
        ),
    ],
)
def test_mistake_is_named_in_one_line(text: str, said: str) -> None:
    """Whatever is wrong is named by its place in the file, in one line."""
    with pytest.raises(ConfigurationError) as caught:
        PoolFile(text, name="pools.toml").build()
    line = str(caught.value)
    assert line.startswith(f"pools.toml: {said}")
    assert "\n" not in line


@given(st.text() | st.text().map(lambda text: POOL + CLIENT + text))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Any text gives a local Cognito or a ConfigurationError of one line, and nothing else."""
    try:
        PoolFile(text, name="pools.toml").build()
    except ConfigurationError as error:
        said = str(error)
    else:
        said = "pools.toml: "
    assert said.startswith("pools.toml: ")
    assert len(said.splitlines()) == 1


def test_file_that_cannot_be_text_is_named(tmp_path: Path) -> None:
    """TOML is UTF-8, and nobody writes a megabyte of it by hand."""
    path = tmp_path / "pools.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="no UTF-8"):
        PoolFile.read(path)
    path.write_bytes(b"#" * 2**20 + b"#")
    with pytest.raises(ConfigurationError, match="larger than"):
        PoolFile.read(path)


def test_ids_follow_from_names() -> None:
    """What the file leaves out is made of names: always the same, different for different names, in Cognito's shape."""
    text = POOL + CLIENT + "client_secret = true\n" + CLIENT.replace("web", "other")
    first, second = (PoolFile(text, name="pools.toml").build().pools["eu-west-1_One000001"].clients for _ in range(2))
    assert [*first] == [*second]
    assert len({*first}) == 2
    assert all(len(client_id) == 26 and client_id.isalnum() for client_id in first)
    secrets = [client.client_secret for client in first.values()]
    assert secrets == [client.client_secret for client in second.values()]
    assert secrets[0] is not None
    assert (len(secrets[0]), secrets[1]) == (52, None)


def test_what_the_file_says_is_what_there_is() -> None:
    """Ids, secrets, switches and subs that are written down are taken as they are."""
    text = (
        "strict = true\n"
        + POOL
        + "self_sign_up = false\npassword_policy = { minimum_length = 6, symbols = false }\n"
        + CLIENT
        + 'client_id = "mine"\nclient_secret = "a-secret"\n'.replace("a-secret", "s" * 24)
        + '[[pools.groups]]\nname = "admins"\nrole_arn = "arn:aws:iam::1:role/a"\n'
        + '[[pools.users]]\nusername = "ann"\npassword = "p"\nsub = "her-sub"\ngroups = ["admins"]\n'
        + "[behaviour]\ninvalid_client_status = 401\n"
    )
    aws = PoolFile(text, name="pools.toml").build()
    pool = aws.pools["eu-west-1_One000001"]
    assert pool.clients["mine"].client_id == "mine"
    assert pool.clients["mine"].client_secrets == ("s" * 24,)
    assert (pool.users["ann"].sub, pool.users["ann"].role_arns()) == ("her-sub", ("arn:aws:iam::1:role/a",))
    assert aws.behaviour.invalid_client_status == 401
    assert aws.strict
    assert not pool.self_sign_up
    assert pool.password_policy == PasswordPolicy(minimum_length=6, symbols=False)


def test_provider_by_hand() -> None:
    """A provider that is no pool of the file is written with issuer, client id and secret."""
    text = (
        POOL
        + '[[pools.providers]]\nname = "Other"\nissuer = "https://o.example"\nclient_id = "c"\nclient_secret = "s"\n'
    )
    provider = PoolFile(text, name="pools.toml").build().pools["eu-west-1_One000001"].providers["Other"]
    assert (provider.issuer, provider.client_id, provider.client_secret) == ("https://o.example", "c", "s")


def test_two_pools_may_be_each_others_providers() -> None:
    """The order in the file does not matter."""
    text = "".join(
        f'[[pools]]\npool_id = "eu-west-1_{one}"\ndomain = "{one}"\n'
        f'[[pools.providers]]\nname = "P"\npool = "eu-west-1_{other}"\nclient = "c"\n'
        f'[[pools.clients]]\nname = "c"\nclient_secret = true\nredirect_uris = ["https://{other}.example/cb"]\n'
        'identity_providers = ["P"]\n'
        for one, other in (("a", "b"), ("b", "a"))
    )
    aws = PoolFile(text, name="pools.toml").build()
    for one, other in (("a", "b"), ("b", "a")):
        assert aws.pools[f"eu-west-1_{one}"].providers["P"].client_id in aws.pools[f"eu-west-1_{other}"].clients


@pytest.mark.parametrize(
    ("table", "row"),
    [
        pytest.param(pool_file._Pool, "`[[pools]]`", id="pools"),
        pytest.param(pool_file._PasswordPolicy, "`password_policy` of a pool", id="password_policy"),
        pytest.param(pool_file._AppClient, "`[[pools.clients]]`", id="clients"),
        pytest.param(pool_file._User, "`[[pools.users]]`", id="users"),
        pytest.param(pool_file._Provider, "`[[pools.providers]]`", id="providers"),
        pytest.param(pool_file._ResourceServer, "`[[pools.resource_servers]]`", id="resource_servers"),
        pytest.param(pool_file._Group, "`[[pools.groups]]`", id="groups"),
    ],
)
def test_page_of_the_emulator_names_every_key(table: type[pool_file._Table], row: str) -> None:
    """The documented keys are those that the file may have, no more and no fewer."""
    page = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")
    [keys] = [line.removeprefix(f"| {row} |") for line in page.splitlines() if line.startswith(f"| {row} |")]
    tables = {"clients", "groups", "providers", "resource_servers", "users"} if table is pool_file._Pool else set()
    assert set(re.findall(r"`(\w+)`", keys)) - {"true"} == table.model_fields.keys() - tables


def test_ready_made_file_is_what_the_planner_says() -> None:
    """Callback and logout of the ready-made pools are those of a plan."""
    aws = PoolFile.read(READY_MADE).build()
    app, corp = aws.pools.values()
    [account] = corp.clients.values()
    plan = Federation(
        upstream=corp.user_pool,
        downstream=app.user_pool,
        provider_name="Corp",
        upstream_client_id=account.client_id,
        upstream_client_secret=account.client_secret or "",
    )
    chain = plan.logout_chain(downstream_client_id="any", final_url="http://localhost:3000/")
    web = next(iter(app.clients.values()))
    assert plan.callback_url in account.redirect_uris
    assert {*chain.downstream_logout_urls} <= {*web.logout_uris}
    assert {*chain.upstream_logout_urls} <= {*account.logout_uris}
