"""`verify`, `explain` and `urls`, with tokens that a pool on a port signed."""

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from joserfc import jwt
from joserfc.jwk import RSAKey

from cognito_oidc.cli import cli
from cognito_oidc.cli.token_text import in_words, peek, printable
from tests.cli.served_shop import ServedShop

NOON = 1_764_244_800.0


def claims_of(token: str) -> dict[str, object]:
    """Return what a token says, read by nobody but this test."""
    return dict(peek(token).claims)


# --- verify -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["argument", "file", "standard-input", "dash"])
def test_a_good_token_is_good(shop: ServedShop, tmp_path: Path, way: str) -> None:
    """However it is given, a token of the pool is verified, and what it says is shown in words; it is not."""
    token = shop.machine_token()
    path = tmp_path / "token"
    path.write_text(f"{token}\n")
    source = {"argument": [token], "file": [f"@{path}"], "standard-input": [], "dash": ["-"]}[way]
    result = shop.run("verify", "--access", "--any-client", *source, input=f"{token}\n")
    assert result.exit_code == 0
    assert result.stdout.startswith("Good: an access token of a machine (client credentials).\n")
    assert "(in 59 minutes, " in result.stdout
    assert result.stderr == ""
    assert token not in result.output


def test_what_it_was_taken_for_is_said(shop: ServedShop) -> None:
    """Without --access or --id the token's own word counts, and that is said aloud, beside the result."""
    tokens = shop.sign_in()
    result = shop.run("verify", "-o", "json", input=tokens["id_token"])
    verdict = json.loads(result.stdout)
    assert (result.exit_code, verdict["good"], verdict["kind"]) == (0, True, "id")
    assert verdict["claims"]["email"] == "ann@corp.example"
    assert verdict["claims"]["identities"][0]["providerName"] == "Corp"
    assert result.stderr == (
        "Checked as an ID token: so it says itself. --id makes it a condition.\n"
        "The nonce was not compared: --nonce has the login's.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "settings", "code", "claim"),
    [
        pytest.param(["--id"], {}, "invalid_claim", "token_use", id="kind"),
        pytest.param([], {"client_id": "another"}, "invalid_claim", "client_id", id="app-client"),
        pytest.param(["--any-client"], {"pool_id": "eu-west-1_Other0001"}, "invalid_claim", "iss", id="issuer"),
        pytest.param(
            ["--any-client", "--require-scope", "orders/write"], {}, "insufficient_scope", "scope", id="scope"
        ),
        pytest.param(
            ["--any-client", "--require-group", "admins"], {}, "insufficient_scope", "cognito:groups", id="group"
        ),
        pytest.param(
            ["--any-client", "--resource", "https://api.shop.example"], {}, "invalid_claim", "aud", id="resource"
        ),
    ],
)
def test_the_check_that_failed_is_named(
    shop: ServedShop, arguments: list[str], settings: dict[str, str | None], code: str, claim: str
) -> None:
    """A token that is refused ends with code 1, the claim, what was expected, and what that comes from."""
    token = shop.machine_token()
    result = shop.run("verify", "-o", "json", *arguments, input=token, **settings)
    verdict = json.loads(result.stdout)
    assert (result.exit_code, verdict["good"]) == (1, False)
    assert (verdict["error"]["code"], verdict["error"]["claim"]) == (code, claim)
    assert verdict["error"]["expected"]
    assert verdict["error"]["causes"]
    assert token not in result.output


def test_an_old_token_says_since_when(shop: ServedShop) -> None:
    """A person reads how long ago a token expired, and what to do."""
    token = shop.machine_token(seconds=1)
    time.sleep(1.1)
    result = shop.run("verify", "--access", "--any-client", input=token)
    assert result.exit_code == 1
    assert result.stdout.startswith("Refused: expired_token. It looks like an access token of a machine")
    assert "- The token is older than its lifetime (60 minutes unless" in " ".join(result.stdout.split())
    assert "(expired " in result.stdout


def test_a_changed_token_is_refused(shop: ServedShop) -> None:
    """A signature that is not the pool's is told from everything else."""
    head, body, signature = shop.machine_token().split(".")
    forged = f"{head}.{body}.{signature[:-8]}{'A' * 8}"
    verdict = json.loads(shop.run("verify", "-o", "json", "--any-client", input=forged).stdout)
    assert verdict["error"]["code"] == "invalid_signature"


@pytest.mark.parametrize(
    ("nonce", "code"), [pytest.param("n-0S6_WzA2Mj", 0, id="the-login's"), pytest.param("other", 1, id="another")]
)
def test_a_nonce_is_compared_where_it_is_given(shop: ServedShop, nonce: str, code: int) -> None:
    """--nonce has the login's; another one refuses the token."""
    assert shop.run("verify", "--id", "--nonce", nonce, input=shop.sign_in()["id_token"]).exit_code == code


def test_without_keys_nothing_is_known(shop: ServedShop) -> None:
    """A network that fails is no verdict: exit code 5, and nothing on standard output."""
    token = shop.machine_token()
    with_keys = shop.run("verify", "--access", "--any-client", input=token)
    shop.aws.fail_next("jwks", status=503, times=9)
    without = shop.run("verify", "--access", "--any-client", input=token)
    assert (with_keys.exit_code, without.exit_code, without.stdout) == (0, 5, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["verify", "-"], "what was given is empty", id="empty"),
        pytest.param(["verify", "--id", "--require-scope", "a/b", "x"], "are for access tokens", id="scope-of-an-id"),
        pytest.param(["verify", "--access", "--nonce", "n", "x"], "is for ID tokens", id="nonce-of-an-access-token"),
    ],
)
def test_wrong_use_is_said(shop: ServedShop, arguments: list[str], words: str) -> None:
    """What does not go together is a usage error, with code 2."""
    result = shop.run(*arguments, input="")
    assert (result.exit_code, words in result.stderr) == (2, True)


def test_a_missing_app_client_is_a_setting(shop: ServedShop, tmp_path: Path) -> None:
    """Accepting every app client is never the default; a file that is not there is named."""
    assert shop.run("verify", "--access", "abc", client_id=None).exit_code == 6
    missing = shop.run("verify", f"@{tmp_path / 'none'}")
    assert (missing.exit_code, "No such file" in missing.stderr) == (6, True)


def test_token_and_verify_go_together(shop: ServedShop) -> None:
    """A machine's token goes from one command to the other in a pipeline, and nowhere else."""
    job = shop.app.add_client("job", grants=["client_credentials"], scopes=["orders/read"])
    settings = {
        name: value for name, value in shop.settings.items() if name not in {"COGNITO_REDIRECT_URI", "COGNITO_SCOPES"}
    }
    settings |= {"COGNITO_CLIENT_ID": job.client_id, "COGNITO_CLIENT_SECRET": job.client_secret or ""}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", "cognito-oidc token | cognito-oidc verify --access"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **settings, "PATH": path},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Good: an access token of a machine (client credentials).\n")


# --- explain ----------------------------------------------------------------------------------------------------------


def test_explain_shows_and_does_not_trust(shop: ServedShop) -> None:
    """The first thing said is that nothing was verified; header and claims follow, and the token does not."""
    token = shop.sign_in()["id_token"]
    result = shop.run("explain", input=token)
    assert result.exit_code == 0
    assert result.stdout.startswith("NOT VERIFIED: anybody can write a token that says this.")
    assert "It looks like an ID token of a person who signed in through another provider:" in result.stdout
    assert "\n  email             ann@corp.example\n" in result.stdout
    assert "Nothing but its signature, and what an API requires of it, stands in the way." in result.stdout
    assert token not in result.stdout
    assert shop.aws.count("jwks", pool=shop.app) == 0


def test_explain_says_what_would_be_refused_and_why(shop: ServedShop) -> None:
    """With a pool the first failing check is named with its causes, by the verifier's own judgement."""
    result = shop.run("explain", "-o", "json", input=shop.machine_token())
    shown = json.loads(result.stdout)
    assert (shown["verified"], shown["kind"]) == (False, "access")
    assert (shown["would_fail"]["claim"], bool(shown["would_fail"]["causes"])) == ("client_id", True)
    outcomes = {check["about"]: check["outcome"] for check in shown["checks"]}
    assert outcomes == {
        "form": "good",
        "issuer": "good",
        "app client": "wrong",
        "expiry": "good",
        "signature": "unknown",
    }


def test_the_nonce_of_cognitos_own_is_known(shop: ServedShop) -> None:
    """A login without a nonce through a provider brings one that nobody asked for, at the first time only."""
    first, second = shop.sign_in(nonce=None), shop.sign_in(nonce=None)
    assert "the login was asked for without one" in " ".join(
        shop.run("explain", input=first["id_token"]).stdout.split()
    )
    assert len(str(claims_of(first["id_token"])["nonce"])) == 171
    assert second["id_token"] != first["id_token"]


def test_a_refresh_token_is_known(shop: ServedShop) -> None:
    """It is encrypted, and what it is for is said; verify refuses it with the same words."""
    token = shop.sign_in()["refresh_token"]
    result = shop.run("explain", "-o", "json", input=token)
    shown = json.loads(result.stdout)
    assert (shown["kind"], shown["unverified_claims"], shown["header"]["enc"]) == ("refresh", {}, "A256GCM")
    assert token not in result.stdout
    assert shop.run("verify", input=token).exit_code == 1


@pytest.mark.parametrize(
    ("token", "said"),
    [
        pytest.param("abc", "no JSON Web Token: it has 1 part", id="one-part"),
        pytest.param("a.b.c", "no JSON Web Token: its parts are not base64url of JSON objects", id="no-json"),
        pytest.param("....", "no JSON Web Token: it has 5 parts", id="five-empty-parts"),
    ],
)
def test_what_is_no_token_is_said(token: str, said: str) -> None:
    """Whatever is given, it is said what it looks like."""
    assert (peek(token).kind, peek(token).said) == ("other", said)


@pytest.mark.parametrize(
    ("claims", "kind", "words"),
    [
        pytest.param({"token_use": "access", "version": 2, "scope": "openid"}, "access", "of a person", id="person"),
        pytest.param(
            {"token_use": "access", "scope": "aws.cognito.signin.user.admin"}, "access", "API sign-in", id="api"
        ),
        pytest.param({"token_use": "access", "sub": "c", "client_id": "c"}, "access", "machine", id="machine"),
        pytest.param({"token_use": "id"}, "id", "at the pool", id="local"),
        pytest.param({"iss": "https://accounts.google.com"}, "other", "none of Cognito's", id="foreign"),
    ],
)
def test_kinds_of_token_are_told_apart(claims: dict[str, object], kind: str, words: str) -> None:
    """What a token is, is read from its claims (wire sheet 7.2 and 7.3)."""
    key = RSAKey.generate_key(2048)
    seen = peek(jwt.encode({"alg": "RS256"}, claims, key))
    assert (seen.kind, words in seen.said) == (kind, True)


def test_a_terminal_obeys_no_claim(shop: ServedShop) -> None:
    """Whoever makes a token writes what they like into it: it is shown, and does nothing to the terminal."""
    key = RSAKey.generate_key(2048)
    evil = "\x1b]0;owned\x07\u202e"
    token = jwt.encode({"alg": "RS256", "kid": evil}, {"token_use": "id", evil: evil, "exp": 10**40}, key)
    result = shop.run("explain", input=token)
    assert result.exit_code == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(result.stdout)


@pytest.mark.parametrize(
    "exp", ["1e999", "-1e999", "NaN", "true", "null", '"soon"', "[]", "9" * 4000, "-1", "0", "253402300800", "1e18"]
)
def test_any_time_is_explained(exp: str) -> None:
    """Whatever a token has for a time, it is shown, and never believed."""
    head, body = (base64url(part) for part in ('{"alg":"RS256","kid":"k"}', f'{{"token_use":"id","exp":{exp}}}'))
    arguments = ["explain", "--pool-id", "eu-west-1_AbC123xyz", f"{head}.{body}.AAAA"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.exception
    assert "WRONG  expiry" in result.stdout


def base64url(text: str) -> str:
    """Encode a part of a token."""
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        pytest.param(-1, "just now", id="now"),
        pytest.param(-3, "3 seconds ago", id="seconds"),
        pytest.param(-60, "1 minute ago", id="one"),
        pytest.param(-3 * 60 - 20, "3 minutes ago", id="minutes"),
        pytest.param(2 * 3600 + 5, "in 2 hours", id="hours"),
        pytest.param(3 * 86_400, "in 3 days", id="days"),
    ],
)
def test_times_are_told_in_words(distance: float, words: str) -> None:
    """A person reads how long ago, and not epoch seconds."""
    assert in_words(NOON + distance, now=NOON) == words


def test_long_values_are_cut() -> None:
    """A claim without an end does not fill the screen."""
    assert len(printable("x" * 10_000)) == 160


# --- urls -------------------------------------------------------------------------------------------------------------


def test_urls_are_those_of_the_library(shop: ServedShop) -> None:
    """Each address is the pool's, in JSON and as variables; nobody is asked."""
    arguments = ("urls", "--pool-id", "eu-west-1_AbC123xyz", "--domain", "acme")
    alone = {"endpoint_url": None}
    shown = json.loads(shop.run(*arguments, "-o", "json", **alone).stdout)
    assert shown["issuer"] == "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123xyz"
    assert shown["accepted_issuers"][1] == "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123xyz"
    assert shown["userinfo_endpoint"] == "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/userInfo"
    assert shown["idp_response_endpoint"] == "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/idpresponse"
    variables = dict(line.split("=", 1) for line in shop.run(*arguments, "-o", "env", **alone).stdout.splitlines())
    assert variables["COGNITO_JWKS_URI"] == shown["jwks_uri"]
    assert len(shop.run(*arguments, **alone).stdout.splitlines()) == len(variables) == 9
    assert shop.aws.journal == []


def test_urls_without_a_domain(shop: ServedShop) -> None:
    """Without a domain there are three addresses; the rest is null, and what to do is said."""
    arguments = ("urls", "--pool-id", "eu-west-1_AbC123xyz")
    alone = {"domain": None, "endpoint_url": None}
    assert json.loads(shop.run(*arguments, "-o", "json", **alone).stdout)["token_endpoint"] is None
    result = shop.run(*arguments, **alone)
    assert (len(result.stdout.splitlines()), "--domain" in result.stderr) == (3, True)
