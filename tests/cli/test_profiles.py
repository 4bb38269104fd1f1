from collections.abc import Callable
from pathlib import Path

import pytest

from cognito_oidc.cli.console import CommandError
from cognito_oidc.cli.profile_file import profiles_path
from cognito_oidc.cli.profiles import VARIABLES, load_profile

TWO = """
default = "dev"

[profiles.dev]
pool_id = "eu-west-1_App000001"
domain = "app"
client_id = "webclient"
client_secret_from = "env:WEB_SECRET"
scopes = ["openid", "email"]
ports = [8400, 8401]
provider = "Corp"

[profiles.job]
pool_id = "eu-west-1_App000001"
domain = "app"
client_id = "jobclient"
client_secret_from = "env:JOB_SECRET"
scopes = "orders/read orders/write"
"""


@pytest.fixture(autouse=True)
def write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """Return what writes the file of profiles, which is the only place that says anything."""
    for name in (*VARIABLES.values(), "COGNITO_PROFILE", "COGNITO_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "profiles.toml"
    monkeypatch.setenv("COGNITO_CONFIG_FILE", str(path))

    def write_file(text: str) -> Path:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    return write_file


Write = Callable[[str], Path]


def test_default_profile_is_read(write: Write) -> None:
    """Without a name the file's default counts; ports are the callback URLs of this machine."""
    write(TWO)
    profile = load_profile()
    assert (profile.name, profile.pool_id, profile.provider) == ("dev", "eu-west-1_App000001", "Corp")
    assert profile.redirect_uris == ("http://localhost:8400/callback", "http://localhost:8401/callback")
    assert profile.scopes == ("openid", "email")
    assert not profile.is_machine
    assert profile.user_pool().token_endpoint == "https://app.auth.eu-west-1.amazoncognito.com/oauth2/token"
    assert profile.client(redirect_uri=profile.redirect_uris[0]).client_id == "webclient"


@pytest.mark.parametrize("by", ["flag", "variable"])
def test_named_profile_is_read(write: Write, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """A profile is named by `--profile` or by `COGNITO_PROFILE`; one with a secret and no callback is a machine's."""
    write(TWO)
    if by == "variable":
        monkeypatch.setenv("COGNITO_PROFILE", "job")
    profile = load_profile("job" if by == "flag" else None)
    assert (profile.client_id, profile.scopes) == ("jobclient", ("orders/read", "orders/write"))
    assert profile.is_machine


def test_the_only_profile_is_the_default(write: Write) -> None:
    """One profile needs no name."""
    write('[profiles.only]\npool_id = "eu-west-1_App000001"\n')
    assert load_profile().name == "only"


def test_variables_replace_the_file_and_flags_replace_variables(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearer a setting is to the hand, the more it counts."""
    write(TWO)
    monkeypatch.setenv("COGNITO_SCOPES", "openid phone")
    monkeypatch.setenv("COGNITO_PROVIDER", "Other")
    profile = load_profile("dev", {"provider": "COGNITO", "redirect_uris": ("http://127.0.0.1:9/cb",), "scopes": ()})
    assert profile.scopes == ("openid", "phone")
    assert profile.provider == "COGNITO"
    assert profile.redirect_uris == ("http://127.0.0.1:9/cb",)


def test_variables_alone_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file, what `cognito-oidc emulate -o env` prints is a whole profile."""
    values = {
        "POOL_ID": "eu-west-1_App000001",
        "REGION": "eu-west-1",
        "DOMAIN": "app",
        "ENDPOINT_URL": "http://127.0.0.1:9229",
        "CLIENT_ID": "webclient",
        "CLIENT_SECRET": "s" * 24,
        "REDIRECT_URI": "http://localhost:3000/callback",
        "SCOPES": "openid email",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"COGNITO_{name}", value)
    profile = load_profile()
    assert (profile.name, profile.scopes, profile.redirect_uris) == (
        None,
        ("openid", "email"),
        ("http://localhost:3000/callback",),
    )
    assert profile.secret is not None
    assert profile.secret.read() == "s" * 24
    assert profile.user_pool().jwks_uri == "http://127.0.0.1:9229/eu-west-1_App000001/.well-known/jwks.json"


def test_the_pool_of_the_environment_leaves_the_default_profile_out(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of one app client is never put together with half of another."""
    write(TWO)
    monkeypatch.setenv("COGNITO_POOL_ID", "eu-west-1_Other0001")
    profile = load_profile()
    assert (profile.name, profile.client_id, profile.secret, profile.provider) == (None, None, None, None)


def test_secret_of_the_profile_stays_with_its_app_client(write: Write) -> None:
    """Another app client does not get the profile's secret; another address is refused, since it would."""
    write(TWO)
    assert load_profile("dev", {"client_id": "another"}).secret is None
    with pytest.raises(CommandError, match="another endpoint_url: its client secret is not sent there"):
        load_profile("dev", {"endpoint_url": "http://127.0.0.1:9229"})
    moved = load_profile("dev", {"endpoint_url": "http://127.0.0.1:9229", "client_secret_from": "env:LOCAL"})
    assert repr(moved.secret) == "SecretSource('env:LOCAL')"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param('x = "', "no TOML: ", id="no-toml"),
        pytest.param('defualt = "dev"', ":1: defualt: there is no such key (did you mean 'default'?)", id="top"),
        pytest.param(
            '[profiles.dev]\n\nclient_idd = "x"',
            ":3: profiles.dev.client_idd: there is no such key (did you mean 'client_id'?)",
            id="key",
        ),
        pytest.param(
            '[profiles.a]\nclient_id = "x"\n[profiles."b"]\nclient_id = 5',
            ":4: profiles.b.client_id: expected a text",
            id="type",
        ),
        pytest.param('[profiles]\ndev.fips = "no"', ":2: profiles.dev.fips: expected true or false", id="switch"),
        pytest.param("[profiles.dev]\nports = [0]", ":2: profiles.dev.ports: expected a list of ports", id="port"),
        pytest.param("[profiles.dev]\nports = [true]", ":2: profiles.dev.ports: expected a list of ports", id="bool"),
        pytest.param("[profiles.dev]\nscopes = [1]", ":2: profiles.dev.scopes: expected a list of texts", id="list"),
        pytest.param('[profiles.dev]\nstore = "x"', ":2: profiles.dev.store: expected keyring or file", id="choice"),
        pytest.param(
            '[profiles.dev]\nclient_secret = "hush"', ":2: profiles.dev.client_secret: no secrets", id="secret"
        ),
        pytest.param("profiles = 1", ":1: profiles: expected a table for each profile", id="no-tables"),
        pytest.param("profiles = { dev = { x = 1 } }", ": profiles.dev.x: there is no such key", id="within-a-line"),
        pytest.param(
            'default = "dve"\n[profiles.dev]\n[profiles.job]',
            ":1: default: no profile is called 'dve' (did you mean 'dev'?)",
            id="default",
        ),
    ],
)
def test_mistake_in_the_file_is_named_with_its_line(write: Write, text: str, said: str) -> None:
    """A typo is found before anything is sent; the line and what was probably meant are said, a secret is not."""
    path = write(text)
    with pytest.raises(CommandError) as caught:
        load_profile()
    assert caught.value.message.startswith(str(path))
    assert said in caught.value.message
    assert caught.value.exit_code == 6
    assert "hush" not in caught.value.message


def test_unknown_profile_is_named_with_those_there_are(write: Write) -> None:
    """A slip of the pen in the name is as easy to see."""
    write(TWO)
    with pytest.raises(CommandError, match=r"no profile 'jbo' \(did you mean 'job'\?\); there are dev, job$"):
        load_profile("jbo")


def test_profile_without_a_file() -> None:
    """Who names a profile and has no file is told where it would be."""
    with pytest.raises(CommandError, match=r"profiles.toml: no profile 'dev'; the file has none$"):
        load_profile("dev")


def test_file_that_anybody_may_write_to_is_refused(write: Write) -> None:
    """Who writes to it chooses which command is run for a secret."""
    path = write(TWO)
    path.chmod(0o666)
    with pytest.raises(CommandError, match=f"anybody may write to it: chmod 600 {path}"):
        load_profile()


def test_wrong_choice_in_a_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are held to the same choices as the file."""
    monkeypatch.setenv("COGNITO_STORE", "memory")
    with pytest.raises(CommandError, match="store: expected keyring or file, got 'memory'"):
        load_profile()


@pytest.mark.parametrize(
    ("setting", "ways"),
    [
        pytest.param("pool_id", "--pool-id, COGNITO_POOL_ID", id="one"),
        pytest.param("redirect_uris", "--redirect-uri, COGNITO_REDIRECT_URI", id="several"),
    ],
)
def test_missing_setting_names_its_ways(setting: str, ways: str) -> None:
    """Who has said nothing yet reads how to, by the names that there are."""
    with pytest.raises(CommandError) as caught:
        load_profile().need(setting)
    assert str(caught.value) == f"{setting} is missing: write {ways}, or put it into a profile of {profiles_path()}"
