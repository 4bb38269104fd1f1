import json
import re
import signal
import socket
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pexpect
import pytest

from tests.cli.home import COMMAND, TOKEN, Home, address_in, address_of

LOGIN = f"{' '.join(COMMAND)} login"
BROWSER = {"BROWSER": "true %s"}  # a browser that does nothing: the test is the browser


def test_new_user_gets_a_token_with_two_commands(home: Home) -> None:
    """`login`, then `TOKEN=$(cognito-oidc token)`: the variable holds a token that the pool takes, and nothing else."""
    with home.terminal(f'{LOGIN} && TOKEN=$({" ".join(COMMAND)} token) && echo "<$TOKEN>"') as child:
        child.expect_exact("no browser is opened here")
        address = address_in(child)
        child.expect_exact("> ")
        child.sendline(home.sign_in(address))
        child.expect_exact("Signed in as ann@example.com.")
        child.expect(f"<({TOKEN})>\r\n")
        token = child.match[1]
        child.expect(pexpect.EOF)
    answer = httpx.get(
        f"{home.base_url}/home/oauth2/userInfo", headers={"Authorization": f"Bearer {token}"}, trust_env=False
    )
    assert answer.json()["email"] == "ann@example.com"


def test_browser_comes_back_to_the_listener(home: Home) -> None:
    """The system's browser is opened; stray and foreign visits get 404, the right one a page without a secret."""
    with home.started("login", **BROWSER) as process, httpx.Client(trust_env=False) as http:
        callback = home.sign_in(address_of(process))
        origin = f"http://localhost:{home.ports[0]}"
        query = parse_qs(urlsplit(callback).query)
        assert callback.startswith(f"{origin}/callback?")
        assert http.get(f"{origin}/callback?code=stolen&state=another").status_code == 404
        assert http.get(callback, headers={"Host": "evil.example"}).status_code == 404
        page = http.get(callback, follow_redirects=True)
        assert (page.status_code, str(page.url)) == (200, f"{origin}/done")
        assert "<h1>Signed in as ann@example.com</h1>" in page.text
        assert query["code"][0] not in page.text
        out, errors = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")
    assert "Signed in as ann@example.com. The access token is good for 60 minutes" in errors
    assert re.search(TOKEN, errors) is None
    with pytest.raises(httpx.ConnectError):
        httpx.get(callback, trust_env=False)


def test_next_registered_port_is_taken(home: Home) -> None:
    """Where the first port is taken, the callback URL of the next one is asked for."""
    with (
        socket.create_server(("127.0.0.1", home.ports[0])),
        home.started("login", **BROWSER) as process,
    ):
        callback = home.sign_in(address_of(process))
        assert callback.startswith(f"http://localhost:{home.ports[1]}/callback?")
        httpx.get(callback, follow_redirects=True, trust_env=False)
        assert process.wait(20) == 0


def test_refusal_is_shown_in_the_browser_and_by_the_exit_code(home: Home) -> None:
    """Who says no at the login page ends with 4, and the browser is not told that all is well."""
    with home.started("login", **BROWSER) as process:
        state = parse_qs(urlsplit(address_of(process)).query)["state"][0]
        denied = f"http://localhost:{home.ports[0]}/callback?error=access_denied&state={state}"
        page = httpx.get(denied, follow_redirects=True, trust_env=False)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 4
    assert "access_denied" in errors
    assert "That did not work" in page.text


def test_nobody_comes_back(home: Home) -> None:
    """A login that nobody finishes ends in time, and leaves the port."""
    done = home.run("login", "--timeout", "1", **BROWSER)
    assert (done.returncode, done.stdout) == (3, "")
    assert "Error: nobody signed in within 1 seconds" in done.stderr


def test_address_of_another_attempt_is_told_apart(home: Home) -> None:
    """The state of what is pasted is checked: an old address is refused, the right one is still taken."""
    with home.terminal(f"{LOGIN} --no-browser") as child:
        first = address_in(child)
        child.expect_exact("> ")
        child.sendline(home.sign_in(first).replace("state=", "state=A"))
        child.expect_exact("Paste the address once more:")
        child.expect_exact("> ")
        child.sendline(home.sign_in(first))
        child.expect_exact("Signed in as ann@example.com")
    assert home.run("token").returncode == 0


def test_three_wrong_addresses_end_it(home: Home) -> None:
    """Nobody is asked for ever, and nothing is kept."""
    with home.terminal(f"{LOGIN} --no-browser") as child:
        for _ in range(3):
            child.expect_exact("> ")
            child.sendline("https://evil.example/?code=1&state=2")
        child.expect(pexpect.EOF)
    assert child.exitstatus == 4
    assert home.run("token").returncode == 3


def test_interrupt_ends_it_quietly(home: Home) -> None:
    """Ctrl-C at the question ends with the shell's own code, without a traceback."""
    with home.terminal(f"exec {LOGIN} --no-browser") as child:
        child.expect_exact("> ")
        child.sendintr()
        child.expect(pexpect.EOF)
        assert child.before.endswith("\r\nInterrupted.\r\n")
        assert "Traceback" not in child.before
    assert child.exitstatus == 130


def test_interrupt_ends_the_wait_for_the_browser(home: Home) -> None:
    """Ctrl-C while the listener waits is as quiet."""
    with home.started("login", **BROWSER) as process:
        address_of(process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.endswith("\nInterrupted.\n")


def test_callback_url_that_is_none(home: Home) -> None:
    """A slip of the pen in a callback URL is a matter of configuration."""
    done = home.run("login", "--redirect-uri", "http://localhost:84o0/callback", **BROWSER)
    assert (done.returncode, done.stderr) == (
        6,
        "Error: redirect_uris: 'http://localhost:84o0/callback' is no URL\n",
    )


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        pytest.param((), {}, "nobody can be asked here (a", id="no-terminal"),
        pytest.param((), {"CI": "true", **BROWSER}, "a CI job", id="ci"),
        pytest.param((), {"SSH_TTY": "/dev/pts/9", "DISPLAY": ":0"}, "an SSH session", id="ssh"),
        pytest.param(("--no-browser",), BROWSER, "no terminal", id="no-browser"),
        pytest.param(("--no-input",), BROWSER, "--no-input says not to ask one", id="no-input"),
        pytest.param(("--no-input", "--browser"), {}, "--no-input says not to ask one", id="no-input-browser"),
    ],
)
def test_where_nobody_can_be_asked_it_fails_at_once(
    home: Home, arguments: tuple[str, ...], settings: dict[str, str], said: str
) -> None:
    """A job does not hang: it ends with 3, in one line, before anything was sent."""
    begun = time.monotonic()
    done = home.run("login", *arguments, **settings)
    assert time.monotonic() - begun < 60
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert said in done.stderr
    assert home.aws.count("authorize") == 0


def test_machine_needs_no_login(home: Home) -> None:
    """Who logs a machine in is told what to do instead."""
    done = home.run("login", "--profile", "job")
    assert done.returncode == 6
    assert "cognito-oidc token --profile job" in done.stderr


def test_callback_elsewhere_is_pasted(home: Home) -> None:
    """An app client whose callback URL is a web application's cannot come back to a listener."""
    with home.terminal(f"{LOGIN} --redirect-uri https://app.example/cb", **BROWSER) as child:
        child.expect(r"None of the app client's callback URLs is on this machine")
        child.expect(r"begins with\s+https://app.example/cb")
    done = home.run("login", "--browser", "--redirect-uri", "https://app.example/cb")
    assert done.returncode == 6
    assert "none of redirect_uris is on localhost" in done.stderr


def test_store_that_cannot_be_used_is_found_before_the_person_signs_in(home: Home) -> None:
    """Nobody types a password for nothing."""
    folder = home.folder / "store"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    done = home.run("login", **BROWSER, COGNITO_STORE_FOLDER=str(folder))
    assert done.returncode == 6
    assert "is open to other users" in done.stderr
    assert "authorize" not in done.stderr


def test_what_is_kept_is_the_owners_alone(home: Home) -> None:
    """The file of the session is readable by nobody else."""
    home.login()
    [file] = (home.folder / "state" / "cognito-oidc" / "sessions").glob("*.json")
    assert file.stat().st_mode & 0o077 == 0
    assert json.loads(file.read_text(encoding="utf-8"))["client_id"] == home.web.client_id


def test_machine_without_a_keyring_says_what_else_there_is(home: Home) -> None:
    """People's sign-ins go into the keyring, and never silently anywhere else."""
    home.profiles.write_text(home.profiles.read_text(encoding="utf-8").replace('store = "file"', ""), encoding="utf-8")
    for command in ("login", "token", "logout"):
        done = home.run(command, **BROWSER, PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
        assert (done.returncode, done.stdout) == (6, "")
        assert "there is no keyring here. Keep tokens in a file of this user: --store file" in done.stderr
