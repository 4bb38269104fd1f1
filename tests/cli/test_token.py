import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.cli.home import COMMAND, TOKEN, Home


def job_settings(home: Home) -> dict[str, str]:
    """Return what a job is told where there is no file of profiles: variables alone."""
    [job] = [each for each in home.pool.clients.values() if each.name == "nightly-job"]
    return {
        "COGNITO_CONFIG_FILE": str(home.folder / "none.toml"),
        "COGNITO_POOL_ID": home.pool.pool_id,
        "COGNITO_DOMAIN": "home",
        "COGNITO_ENDPOINT_URL": home.base_url,
        "COGNITO_CLIENT_ID": job.client_id,
        "COGNITO_CLIENT_SECRET": job.client_secret or "",
        "COGNITO_SCOPES": "orders/read",
    }


def test_job_gets_a_token_with_one_command(home: Home) -> None:
    """Without a terminal and without a file: the token alone on standard output, nothing on standard error."""
    done = home.run("token", **job_settings(home))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(f"{TOKEN}\n", done.stdout)


@pytest.mark.parametrize(
    ("arguments", "settings", "code"),
    [
        pytest.param((), {}, 3, id="nobody-is-signed-in"),
        pytest.param(("--profile", "job"), {"COGNITO_ENDPOINT_URL": "http://127.0.0.1:9"}, 6, id="secret-elsewhere"),
        pytest.param(("--profile", "jbo"), {}, 6, id="no-such-profile"),
        pytest.param(("--prfile", "job"), {}, 2, id="usage"),
        pytest.param(("--profile", "job", "--id"), {}, 6, id="machine-has-no-id-token"),
    ],
)
def test_job_that_cannot_have_one_fails_at_once(
    home: Home, arguments: tuple[str, ...], settings: dict[str, str], code: int
) -> None:
    """It ends in under a second with the code that says who has to act, in a line without a secret."""
    took = []
    for _ in range(3):
        before = os.times()
        done = home.run("token", *arguments, **settings)
        after = os.times()
        assert (done.returncode, done.stdout) == (code, "")
        # Of the processor's time, as others use this machine too; nothing is waited for.
        took.append(after.children_user + after.children_system - before.children_user - before.children_system)
        if took[-1] < 1:
            return
    pytest.fail(f"seconds: {took}")


@pytest.mark.parametrize(
    ("arguments", "settings", "code"),
    [
        pytest.param((), {"COGNITO_SCOPES": "orders/none"}, 6, id="scope-not-enabled"),
        pytest.param(("--client-secret-from", "env:WRONG"), {"WRONG": "x" * 52}, 6, id="secret"),
        pytest.param(("--min-ttl", "99999"), {}, 6, id="min-ttl-that-no-token-has"),
    ],
)
def test_job_that_is_refused(home: Home, arguments: tuple[str, ...], settings: dict[str, str], code: int) -> None:
    """What only the server can tell ends with the code that says who has to act, in a line without a secret."""
    done = home.run("token", "--profile", "job", *arguments, **settings)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert "x" * 52 not in done.stderr


def test_network_that_is_not_there(home: Home) -> None:
    """Nobody answers: code 5, also soon."""
    done = home.run("token", **{**job_settings(home), "COGNITO_ENDPOINT_URL": "http://127.0.0.1:9"})
    assert (done.returncode, done.stdout) == (5, "")


def test_refusal_by_the_server(home: Home) -> None:
    """A server that says no for another reason than the app client: code 4."""
    home.aws.fail_next("token", status=400, body={"error": "invalid_request"})
    assert home.run("token", "--profile", "job").returncode == 4


def test_token_is_renewed_when_it_is_old(home: Home) -> None:
    """A token that is good is given out again; one that is not good for long enough is renewed, and kept."""
    home.login()
    first, second = (home.run("token").stdout for _ in range(2))
    assert first == second
    assert home.aws.count("token") == 1
    grow_old(home)
    renewed = home.run("token", "--min-ttl", "3599").stdout
    assert renewed != first
    assert home.aws.count("token") == 2
    assert home.run("token").stdout == renewed


def test_sign_in_that_is_over_is_told_from_none(home: Home) -> None:
    """A dead grant ends with 4, and says how to go on; after the logout nobody is signed in: 3."""
    home.login()
    revoke_everything(home)
    grow_old(home)
    done = home.run("token", "--min-ttl", "3599")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "Error: the sign-in is over: cognito-oidc login --profile dev\n"
    assert home.run("logout", "--local").returncode == 0
    done = home.run("token")
    assert (done.returncode, done.stderr) == (3, "Error: nobody is signed in: cognito-oidc login --profile dev\n")


def kept_file(home: Home) -> Path:
    """Return the file of the one session that is kept."""
    [file] = (home.folder / "state" / "cognito-oidc" / "sessions").glob("*.json")
    return file


def grow_old(home: Home) -> None:
    """Make the tokens that are kept a minute older, however fast this machine is."""
    record = json.loads(kept_file(home).read_text(encoding="utf-8"))
    record["obtained_at"] -= 60
    record["tokens"]["expires_at"] -= 60
    kept_file(home).write_text(json.dumps(record), encoding="utf-8")


def revoke_everything(home: Home) -> None:
    """Revoke the refresh token that is kept, behind the command's back."""
    token = json.loads(kept_file(home).read_text(encoding="utf-8"))["tokens"]["refresh_token"]
    answer = httpx.post(
        f"{home.base_url}/home/oauth2/revoke", data={"token": token, "client_id": home.web.client_id}, trust_env=False
    )
    assert answer.status_code == 200


def test_machine_token_is_kept_where_asked_for(home: Home) -> None:
    """With the file store a second job costs no request; other scopes are another token."""
    tokens = [home.run("token", "--profile", "job", "--store", "file").stdout for _ in range(2)]
    assert tokens[0] == tokens[1] != ""
    assert home.aws.count("token") == 1
    other = home.run("token", "--profile", "job", "--store", "file", "--scope", "orders/write").stdout
    assert other != tokens[0]
    assert home.run("token", "--profile", "job").stdout != tokens[0]
    assert home.aws.count("token") == 3


def test_forms(home: Home) -> None:
    """Each form is what the program that reads it wants."""
    home.login()
    raw = home.run("token").stdout.strip()
    assert home.run("token", "-o", "header").stdout == f"Authorization: Bearer {raw}\n"
    assert shlex.split(home.run("token", "-o", "env").stdout) == [f"COGNITO_ACCESS_TOKEN={raw}"]
    told = json.loads(home.run("token", "-o", "json").stdout)
    assert told.keys() == {"access_token", "token_type", "expires_in", "expires_at"}
    assert (told["access_token"], told["token_type"]) == (raw, "Bearer")
    assert 3500 < told["expires_in"] <= 3600
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["expires_at"])
    identity = home.run("token", "--id").stdout.strip()
    assert identity != raw
    assert json.loads(home.run("token", "--id", "-o", "json").stdout)["id_token"] == identity
    credential = json.loads(home.run("token", "--id", "-o", "exec-credential").stdout)
    assert (credential["apiVersion"], credential["kind"]) == ("client.authentication.k8s.io/v1", "ExecCredential")
    assert credential["status"] == {
        "token": identity,
        "expirationTimestamp": credential["status"]["expirationTimestamp"],
    }


@pytest.mark.skipif(shutil.which("curl") is None and os.environ.get("CI") != "true", reason="curl is not installed")
@pytest.mark.parametrize(
    ("form", "options"), [pytest.param("header", "-H @-", id="header"), pytest.param("curl", "-K -", id="config")]
)
def test_curl_reads_the_token_from_standard_input(home: Home, form: str, options: str) -> None:
    """A real curl sends it, and no list of processes shows it."""
    home.login()
    line = (
        f"{shlex.join(COMMAND)} token -o {form} | curl -s --noproxy '*' {options} {home.base_url}/home/oauth2/userInfo"
    )
    done = subprocess.run(
        ["sh", "-c", line], env=home.environment, capture_output=True, text=True, check=False, timeout=20
    )
    assert json.loads(done.stdout)["email"] == "ann@example.com", done


def test_exec_puts_the_token_into_the_child_alone(home: Home, tmp_path: Path) -> None:
    """The child has it in a variable; its arguments, exit code and signals are its own."""
    home.login()
    code = "import os, sys; print(os.environ['COGNITO_ACCESS_TOKEN'], *sys.argv[1:]); sys.exit(7)"
    done = home.run("exec", "--", sys.executable, "-c", code, "--profile", "x", COGNITO_CLIENT_SECRET="unused")
    assert (done.returncode, done.stderr) == (7, "")
    assert re.fullmatch(f"{TOKEN} --profile x\n", done.stdout)
    code = "import os; print('COGNITO_CLIENT_SECRET' in os.environ, 'API' in os.environ)"
    done = home.run("exec", "--id", "--env", "API", "--", sys.executable, "-c", code, COGNITO_CLIENT_SECRET="unused")
    assert done.stdout == "False True\n"
    killed = home.run("exec", "--", sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert killed.returncode == -15


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(("no-such-command",), 127, "Error: no-such-command: there is no such command\n", id="not-found"),
        pytest.param(("/etc/passwd",), 126, "Error: /etc/passwd: Permission denied\n", id="not-run"),
    ],
)
def test_command_that_cannot_be_run(home: Home, words: tuple[str, ...], code: int, said: str) -> None:
    """As a shell has it."""
    done = home.run("exec", "--profile", "job", "--", *words)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


def test_exec_without_a_token_runs_nothing(home: Home, tmp_path: Path) -> None:
    """Nobody is signed in: the command is not started."""
    done = home.run("exec", "--", "touch", str(tmp_path / "started"))
    assert done.returncode == 3
    assert not (tmp_path / "started").exists()


def test_good_token_is_given_out_by_the_short_way(home: Home) -> None:
    """A token that is cached in a file costs neither an HTTP client nor an event loop nor a model of its record."""
    home.login()
    code = """
import sys
from cognito_oidc.__main__ import main
try:
    main()
finally:
    slow = {"anyio", "asyncio", "boto3", "cryptography", "httpx", "joserfc", "keyring", "pydantic", "rich", "ssl"}
    print(sorted(slow & sys.modules.keys()), file=sys.stderr)
"""
    for form in ((), ("--id", "-o", "exec-credential"), ("-o", "json")):
        done = home.run_as((sys.executable, "-c", code), "token", *form)
        assert (done.returncode, done.stderr) == (0, "[]\n")


def test_what_the_short_way_does_not_understand_goes_the_long_one(home: Home) -> None:
    """A record of a newer version is not thrown away, and not taken for something else."""
    home.login()
    [file] = (home.folder / "state" / "cognito-oidc" / "sessions").glob("*.json")
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**record, "schema": 2}), encoding="utf-8")
    done = home.run("token")
    assert (done.returncode, done.stdout) == (6, "")
    assert "newer version" in done.stderr
    assert file.exists()


def test_other_app_client_does_not_get_the_token(home: Home) -> None:
    """Tokens are kept for the pool and app client they are of, also where the profile's name stays the same."""
    home.login()
    assert home.run("token", "--client-id", "another").returncode == 3
    [file] = (home.folder / "state" / "cognito-oidc" / "sessions").glob("*.json")
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**record, "client_id": "another"}), encoding="utf-8")
    done = home.run("token")
    assert (done.returncode, done.stdout) == (6, "")
