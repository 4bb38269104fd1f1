import json

import httpx
import pytest

from tests.cli.home import Home

BROWSER = {"BROWSER": "true %s"}


def refresh_token(home: Home) -> str:
    """Return the refresh token that is kept."""
    [file] = (home.folder / "state" / "cognito-oidc" / "sessions").glob("*.json")
    token: str = json.loads(file.read_text(encoding="utf-8"))["tokens"]["refresh_token"]
    return token


def is_alive(home: Home, token: str) -> bool:
    """Tell whether the pool still takes a refresh token."""
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": home.web.client_id}
    return httpx.post(f"{home.base_url}/home/oauth2/token", data=form, trust_env=False).status_code == 200


def test_userinfo_is_what_the_pool_says(home: Home) -> None:
    """JSON on standard output, as Cognito has it: the text "true", not a boolean."""
    home.login()
    done = home.run("userinfo")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["email"], told["email_verified"], told["sub"]) == (
        "ann@example.com",
        "true",
        home.pool.users["ann"].sub,
    )


def test_revocation_ends_the_sign_in_at_the_pool(home: Home) -> None:
    """The refresh token is dead, the access token is refused where the pool is asked, and nobody is signed in here."""
    home.login()
    token, access_token = refresh_token(home), home.run("token").stdout.strip()
    done = home.run("revoke")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Revoked, and forgotten here.\n")
    assert not is_alive(home, token)
    header = {"Authorization": f"Bearer {access_token}"}
    assert httpx.get(f"{home.base_url}/home/oauth2/userInfo", headers=header, trust_env=False).status_code == 401
    assert home.run("token").returncode == 3
    again = home.run("revoke")
    assert (again.returncode, again.stderr) == (0, "Nobody was signed in.\n")


def test_leaked_refresh_token_is_revoked_from_standard_input(home: Home) -> None:
    """It is read from where no list of processes shows it; the sign-in that is kept here is left alone."""
    home.login()
    token = refresh_token(home)
    done = home.run("revoke", "--stdin", stdin=f"{token}\n")
    assert (done.returncode, done.stderr) == (0, "Revoked.\n")
    assert not is_alive(home, token)
    assert home.run("token").returncode == 0
    assert home.run("userinfo").returncode == 4
    assert home.run("revoke", "--stdin", stdin="\n").returncode == 6


def test_logout_ends_it_here_at_the_pool_and_in_the_browser(home: Home) -> None:
    """The browser is sent to the pool's logout with the sign-out URL, and what stays good is said."""
    home.login()
    token = refresh_token(home)
    done = home.run("logout", "--logout-uri", "http://localhost:3000/bye", **BROWSER)
    assert (done.returncode, done.stdout) == (0, "")
    assert "Signed out: the tokens are forgotten here and revoked at Cognito." in done.stderr
    assert "accepts those that were given out before until they expire" in done.stderr
    assert "Your browser is sent to Cognito's logout:" in done.stderr
    assert f"{home.base_url}/home/logout?client_id={home.web.client_id}&logout_uri=http" in done.stderr
    assert not is_alive(home, token)
    assert home.run("token").returncode == 3


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        pytest.param((), BROWSER, "still signed in at Cognito: to end that, give a sign-out URL", id="no-uri"),
        pytest.param(
            ("--logout-uri", "http://localhost:3000/bye"), {}, "This address ends that, in the browser", id="no-browser"
        ),
        pytest.param(
            ("--no-input", "--logout-uri", "http://localhost:3000/bye"), BROWSER, "This address ends", id="no-input"
        ),
        pytest.param(
            ("--provider", "Corp", "--logout-uri", "http://localhost:3000/bye"),
            BROWSER,
            "Cognito does not sign anybody out of Corp.",
            id="provider",
        ),
    ],
)
def test_logout_says_what_is_not_over(
    home: Home, arguments: tuple[str, ...], settings: dict[str, str], said: str
) -> None:
    """Whoever believes to be signed out everywhere and is not is told so."""
    home.login()
    done = home.run("logout", *arguments, **settings)
    assert done.returncode == 0
    assert said in done.stderr


def test_logout_of_this_machine_alone(home: Home) -> None:
    """`--local` leaves the browser out of it, and says nothing about it."""
    home.login()
    done = home.run("logout", "--local", **BROWSER)
    assert (done.returncode, "browser" in done.stderr) == (0, False)
    assert home.run("logout", "--local").stderr == "Nobody was signed in here.\n"


def test_pool_that_cannot_be_reached_does_not_keep_the_sign_in(home: Home) -> None:
    """What is here is forgotten all the same; that the pool was not told is said, and by the exit code."""
    home.login()
    home.aws.fail_next("revoke", status=503, times=5)
    done = home.run("logout", "--local")
    assert done.returncode == 5
    assert "the sign-in is forgotten here, and Cognito did not revoke it" in done.stderr
    assert home.run("token").returncode == 3


@pytest.mark.parametrize("command", ["userinfo", "revoke", "logout", "aws-credentials"])
def test_machine_has_nobody_to_sign_out(home: Home, command: str) -> None:
    """A machine's profile is the wrong one for what is a person's."""
    done = home.run(command, "--profile", "job")
    assert done.returncode == 6
    assert "this is a machine's app client" in done.stderr
