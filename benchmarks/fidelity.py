"""How much of Cognito's hosted login local emulators have: each probe is a fact of Cognito that a program relies on.

Every emulator is asked over HTTP, as an application and a browser would: ours, moto, cognito-local and ministack.
LocalStack's Cognito is not to be had without an account, so what its documentation says stands in a column of its own.
A probe that an emulator does not pass says nothing about what that emulator was made for: moto and LocalStack are made
for the AWS API, which ours does not have.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx
import jwt

from benchmarks import node
from benchmarks.emulators import CALLBACK, EMULATORS, GOODBYE, NEWCOMER, PASSWORD, PERSON, TEMPORARY, Upstream
from benchmarks.shared import ROOT, Json, machine, machine_line, mapping, run, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.emulators import LocalCognito

_NEW_PASSWORD: Final = "Correct-horse-2"
_MOST_STEPS: Final = 12


class _Missing(Exception):  # noqa: N818 - no error: a finding
    """The emulator did something else than Cognito."""


def need(fact: object, what: str = "") -> None:
    """Stop a probe where a fact does not hold."""
    if not fact:
        raise _Missing(what)


@dataclass
class _Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    """The forms of a page, with their fields."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[_Form] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(_Form(values.get("action", "")))
        elif tag == "input" and self.found and values.get("name"):
            self.found[-1].fields[values["name"]] = values.get("value", "")
            self.found[-1].kinds[values["name"]] = values.get("type", "text").lower()
        elif tag == "a" and values.get("href"):
            self.links.append(values["href"])


class Browser:
    """Cookies, redirects and forms; nothing beyond the callback is fetched."""

    def __init__(self) -> None:
        self._http = httpx.Client(trust_env=False, timeout=10)
        self.page = ""
        self.url = ""

    def go(self, url: str, form: dict[str, str] | None = None) -> str | None:
        """Open a URL and follow redirects; return the URL that leaves for the application, or None at a page."""
        answer = self._http.post(url, data=form) if form is not None else self._http.get(url)
        for _ in range(_MOST_STEPS):
            location = answer.headers.get("location")
            if not answer.is_redirect or location is None:
                break
            url = urljoin(str(answer.request.url), location)
            if url.startswith((CALLBACK, GOODBYE, "http://localhost:3000")):
                return url
            answer = self._http.get(url)
        self.page, self.url = answer.text, str(answer.request.url)
        return None

    def submit(self, *, username: str, password: str) -> str | None:
        """Fill the form that asks for a password and send it."""
        forms = _Forms()
        forms.feed(self.page)
        wanted = [form for form in forms.found if "password" in form.kinds.values()]
        need(wanted, "no form with a password")
        filled = dict(wanted[0].fields)
        for name, kind in wanted[0].kinds.items():
            if kind == "password":
                filled[name] = password
            elif kind in {"text", "email"}:
                filled[name] = username
        return self.go(urljoin(self.url, wanted[0].action or self.url), filled)

    def links(self) -> list[str]:
        """Return the addresses of the page's links."""
        forms = _Forms()
        forms.feed(self.page)
        return [urljoin(self.url, each) for each in forms.links]


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """What came of a sign-in: the browser, the callback's parameters, and what the token request needs."""

    browser: Browser
    answer: dict[str, str]
    verifier: str
    nonce: str
    client: str


class Probe:
    """The steps of the probes, at one emulator."""

    def __init__(self, cognito: LocalCognito, upstream: Upstream) -> None:
        self.cognito = cognito
        self.upstream = upstream
        self.http = httpx.Client(trust_env=False, timeout=10)

    def authorize_url(self, client: str, verifier: str, nonce: str, **changes: str | None) -> str:
        need(client in self.cognito.clients, f"no app client {client}")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        parameters = {
            "response_type": "code",
            "client_id": self.cognito.clients[client][0],
            "redirect_uri": CALLBACK,
            "scope": "openid email",
            "state": "some-state",
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        return f"{self.cognito.root}/oauth2/authorize?{query}"

    def ask(self, client: str = "web", browser: Browser | None = None, **changes: str | None) -> SignIn:
        """Send a browser to the authorization endpoint and return where it got without a person."""
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        browser = browser or Browser()
        left = browser.go(self.authorize_url(client, verifier, nonce, **changes))
        return SignIn(browser=browser, answer=_parameters(left), verifier=verifier, nonce=nonce, client=client)

    def sign_in(self, client: str = "web", **changes: str | None) -> SignIn:
        """Sign the person in with a password."""
        asked = self.ask(client, None, **changes)
        need(not asked.answer, "no login page")
        left = asked.browser.submit(username=PERSON, password=PASSWORD)
        need(left is not None, "no callback")
        answer = _parameters(left)
        need("code" in answer, str(answer))
        return SignIn(
            browser=asked.browser, answer=answer, verifier=asked.verifier, nonce=asked.nonce, client=asked.client
        )

    def token(self, form: dict[str, str | None]) -> httpx.Response:
        return self.http.post(
            f"{self.cognito.root}/oauth2/token", data={name: value for name, value in form.items() if value is not None}
        )

    def code_form(self, signed_in: SignIn, **changes: str | None) -> dict[str, str | None]:
        client_id, client_secret = self.cognito.clients[signed_in.client]
        return {
            "grant_type": "authorization_code",
            "client_id": client_id,
            "client_secret": client_secret,
            "code": signed_in.answer["code"],
            "redirect_uri": CALLBACK,
            "code_verifier": signed_in.verifier,
            **changes,
        }

    def tokens(self, client: str = "web", **changes: str | None) -> tuple[SignIn, dict[str, str]]:
        """Sign in and exchange the code."""
        signed_in = self.sign_in(client, **changes)
        return signed_in, _json(self.token(self.code_form(signed_in)))

    def refresh(self, client: str, refresh_token: str) -> httpx.Response:
        client_id, client_secret = self.cognito.clients[client]
        form: dict[str, str | None] = {
            "grant_type": "refresh_token",
            "client_id": client_id,
            "client_secret": client_secret,
            "refresh_token": refresh_token,
        }
        return self.token(form)

    def userinfo(self, token: str) -> httpx.Response:
        return self.http.get(f"{self.cognito.root}/oauth2/userInfo", headers={"Authorization": f"Bearer {token}"})

    def revoke(self, token: str) -> httpx.Response:
        client_id, _ = self.cognito.clients["web"]
        return self.http.post(f"{self.cognito.root}/oauth2/revoke", data={"token": token, "client_id": client_id})

    def discovery(self) -> dict[str, str]:
        return _json(self.http.get(f"{self.cognito.issuer}/.well-known/openid-configuration"))

    def keys(self) -> dict[str, dict[str, str]]:
        answer = self.http.get(f"{self.cognito.issuer}/.well-known/jwks.json")
        need(answer.is_success, "no keys")
        return {key["kid"]: key for key in answer.json()["keys"]}


def _parameters(url: str | None) -> dict[str, str]:
    return {} if url is None else dict(parse_qsl(urlsplit(url).query or urlsplit(url).fragment))


def _json(answer: httpx.Response) -> dict[str, str]:
    need(answer.is_success, f"{answer.status_code}")
    found: dict[str, str] = answer.json()
    return found


def _error(answer: httpx.Response) -> str:
    need(answer.is_client_error, f"{answer.status_code}")
    try:
        return str(answer.json().get("error"))
    except ValueError:
        return ""


def _claims(token: str) -> dict[str, object]:
    found: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return found


# --- the probes -------------------------------------------------------------------------------------------------------


def discovery(probe: Probe) -> None:
    document = probe.discovery()
    for member in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "end_session_endpoint", "jwks_uri"):
        need(str(document.get(member, "")).startswith("http"), member)
    need(probe.http.get(document["jwks_uri"]).is_success, "jwks_uri")


def revocation_in_discovery(probe: Probe) -> None:
    need(str(probe.discovery().get("revocation_endpoint", "")).startswith("http"))


def two_keys(probe: Probe) -> None:
    _, tokens = probe.tokens()
    kids = {jwt.get_unverified_header(tokens[name])["kid"] for name in ("id_token", "access_token")}
    need(kids <= probe.keys().keys(), "unpublished")
    need(len(kids) == 2, "one key")


def code_flow(probe: Probe) -> None:
    signed_in, tokens = probe.tokens()
    need(signed_in.answer["state"] == "some-state", "state")
    for name in ("id_token", "access_token"):
        key = probe.keys()[jwt.get_unverified_header(tokens[name])["kid"]]
        jwt.decode(tokens[name], jwt.PyJWK(key).key, algorithms=["RS256"], options={"verify_aud": False})
    need(tokens["refresh_token"], "no refresh token")


def issuer(probe: Probe) -> None:
    _, tokens = probe.tokens()
    named = {_claims(tokens[name])["iss"] for name in ("id_token", "access_token")}
    need(named == {probe.discovery()["issuer"]}, str(named))


def issuer_served(probe: Probe) -> None:
    _, tokens = probe.tokens()
    url = str(_claims(tokens["access_token"])["iss"])
    need(url.startswith(("http://127.0.0.1", "http://localhost")), "an address of AWS")
    need(probe.http.get(f"{url}/.well-known/openid-configuration").is_success, "nothing there")


def redirect_uri(probe: Probe) -> None:
    probe.sign_in()
    asked = probe.ask(redirect_uri="http://localhost:3000/other")
    need(not asked.answer, "sent there")
    need("password" not in asked.browser.page.lower(), "login page")


def wrong_verifier(probe: Probe) -> None:
    signed_in = probe.sign_in()
    need(_error(probe.token(probe.code_form(signed_in, code_verifier=secrets.token_urlsafe(48)))) == "invalid_grant")


def no_verifier(probe: Probe) -> None:
    signed_in = probe.sign_in()
    need(_error(probe.token(probe.code_form(signed_in, code_verifier=None))) in {"invalid_grant", "invalid_request"})


def plain_challenge(probe: Probe) -> None:
    asked = probe.ask(code_challenge_method="plain")
    need(asked.answer.get("error") == "invalid_request", str(asked.answer))


def code_once(probe: Probe) -> None:
    signed_in = probe.sign_in()
    _json(probe.token(probe.code_form(signed_in)))
    need(_error(probe.token(probe.code_form(signed_in))) == "invalid_grant")


def code_of_client(probe: Probe) -> None:
    signed_in = probe.sign_in()
    need(
        _error(probe.token(probe.code_form(signed_in, client_id=probe.cognito.clients["other"][0]))) == "invalid_grant"
    )


def other_redirect_uri(probe: Probe) -> None:
    signed_in = probe.sign_in()
    changed = probe.code_form(signed_in, redirect_uri=f"{CALLBACK}/")
    need(_error(probe.token(changed)) in {"unauthorized_client", "invalid_grant"})


def client_secret(probe: Probe) -> None:
    signed_in = probe.sign_in("shop")
    need(_error(probe.token(probe.code_form(signed_in, client_secret=None))) == "invalid_client")
    _, tokens = probe.tokens("shop")
    need(tokens["access_token"])


def id_token(probe: Probe) -> None:
    signed_in, tokens = probe.tokens()
    claims = _claims(tokens["id_token"])
    need(claims.get("nonce") == signed_in.nonce, "nonce")
    need(claims.get("aud") == probe.cognito.clients["web"][0], "aud")
    need(claims.get("token_use") == "id", "token_use")
    need(isinstance(claims.get("cognito:username"), str), "cognito:username")
    need(claims.get("email") == PERSON, "email")
    need(claims.get("email_verified") is True, "email_verified")


def at_hash(probe: Probe) -> None:
    _, tokens = probe.tokens()
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    need(_claims(tokens["id_token"]).get("at_hash") == base64.urlsafe_b64encode(half).rstrip(b"=").decode())


def access_token(probe: Probe) -> None:
    _, tokens = probe.tokens()
    claims = _claims(tokens["access_token"])
    need(claims.get("client_id") == probe.cognito.clients["web"][0], "client_id")
    need("aud" not in claims, "aud")
    need(claims.get("token_use") == "access", "token_use")
    need(set(str(claims.get("scope")).split()) == {"openid", "email"}, f"scope {claims.get('scope')}")
    need(isinstance(claims.get("username"), str), "username")


def no_openid(probe: Probe) -> None:
    _, tokens = probe.tokens(scope="aws.cognito.signin.user.admin")
    need("id_token" not in tokens)


def scope_limits(probe: Probe) -> None:
    _, tokens = probe.tokens(scope="openid profile")
    need("email" not in _claims(tokens["id_token"]))


def foreign_scope(probe: Probe) -> None:
    probe.sign_in()
    asked = probe.ask(scope="openid orders/read")
    need("password" not in asked.browser.page.lower(), "login page")
    need("code" not in asked.answer)


def single_sign_on(probe: Probe) -> None:
    signed_in = probe.sign_in()
    need("code" in probe.ask("other", signed_in.browser).answer)


def prompt_none(probe: Probe) -> None:
    need(probe.ask(prompt="none").answer.get("error") == "login_required", "without a session")
    signed_in = probe.sign_in()
    need("code" in probe.ask(browser=signed_in.browser, prompt="none").answer, "with one")


def prompt_login(probe: Probe) -> None:
    signed_in = probe.sign_in()
    need("code" in probe.ask(browser=signed_in.browser).answer, "no session")
    need(not probe.ask(browser=signed_in.browser, prompt="login").answer)


def refresh(probe: Probe) -> None:
    _, tokens = probe.tokens()
    again = _json(probe.refresh("web", tokens["refresh_token"]))
    need(again["access_token"] != tokens["access_token"], "the same token")
    need("refresh_token" not in again, "a new refresh token")
    same = {name: _claims(tokens["id_token"]).get(name) for name in ("sub", "auth_time", "origin_jti")}
    need({name: _claims(again["id_token"]).get(name) for name in same} == same, "auth_time or origin_jti")


def refresh_scopes(probe: Probe) -> None:
    _, tokens = probe.tokens()
    again = _json(probe.refresh("web", tokens["refresh_token"]))
    need(_claims(again["access_token"])["scope"] == _claims(tokens["access_token"])["scope"])


def refresh_of_client(probe: Probe) -> None:
    _, tokens = probe.tokens()
    need(_error(probe.refresh("other", tokens["refresh_token"])) == "invalid_grant")


def rotation(probe: Probe) -> None:
    _, tokens = probe.tokens("rotating")
    again = _json(probe.refresh("rotating", tokens["refresh_token"]))
    need(again.get("refresh_token") not in {None, tokens["refresh_token"]}, "no new one")
    need(_error(probe.refresh("rotating", tokens["refresh_token"])) == "invalid_grant", "the old one works")


def userinfo(probe: Probe) -> None:
    _, tokens = probe.tokens()
    found = _json(probe.userinfo(tokens["access_token"]))
    need(found.get("sub") == _claims(tokens["access_token"])["sub"], "sub")
    need(found.get("email_verified") == "true", f"email_verified {found.get('email_verified')!r}")


def userinfo_kind(probe: Probe) -> None:
    _, tokens = probe.tokens()
    _json(probe.userinfo(tokens["access_token"]))
    need(probe.userinfo(tokens["id_token"]).status_code == httpx.codes.UNAUTHORIZED, "an ID token")


def revocation(probe: Probe) -> None:
    _, tokens = probe.tokens()
    need(probe.revoke(tokens["refresh_token"]).is_success)
    need(_error(probe.refresh("web", tokens["refresh_token"])) == "invalid_grant")


def revoked_access(probe: Probe) -> None:
    _, tokens = probe.tokens()
    _json(probe.userinfo(tokens["access_token"]))
    need(probe.revoke(tokens["refresh_token"]).is_success)
    need(probe.userinfo(tokens["access_token"]).status_code == httpx.codes.UNAUTHORIZED)


def revocation_kind(probe: Probe) -> None:
    _, tokens = probe.tokens()
    need(_error(probe.revoke(tokens["access_token"])) == "unsupported_token_type")


def logout(probe: Probe) -> None:
    signed_in = probe.sign_in()
    need("code" in probe.ask(browser=signed_in.browser).answer, "no session")
    query = urlencode({"client_id": probe.cognito.clients["web"][0], "logout_uri": GOODBYE})
    need(signed_in.browser.go(f"{probe.cognito.root}/logout?{query}") == GOODBYE, "not sent back")
    need(not probe.ask(browser=signed_in.browser).answer, "the session is still there")


def logout_uri(probe: Probe) -> None:
    good, bad = (
        f"{probe.cognito.root}/logout?"
        + urlencode({"client_id": probe.cognito.clients["web"][0], "logout_uri": f"{GOODBYE}{more}"})
        for more in ("", "/other")
    )
    need(Browser().go(good) == GOODBYE)
    need(Browser().go(bad) is None)


def machine_token(probe: Probe) -> None:
    need("job" in probe.cognito.clients)
    client_id, secret = probe.cognito.clients["job"]
    form: dict[str, str | None] = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    tokens = _json(probe.token({**form, "scope": "orders/read"}))
    need(tokens.keys() == {"access_token", "expires_in", "token_type"}, str(sorted(tokens)))
    claims = _claims(tokens["access_token"])
    need(claims.get("scope") == "orders/read", "scope")
    need(claims.get("sub") == client_id, "sub")
    need(_error(probe.token({**form, "scope": "orders/write"})) == "invalid_scope", "another scope")


def forced_change(probe: Probe) -> None:
    asked = probe.ask()
    need(not asked.answer, "no login page")
    left = asked.browser.submit(username=NEWCOMER, password=TEMPORARY)
    need(left is None, "let in with a temporary password")
    left = asked.browser.submit(username=NEWCOMER, password=_NEW_PASSWORD)
    need("code" in _parameters(left), "not let in afterwards")


def sign_up(probe: Probe) -> None:
    asked = probe.ask()
    need(any("signup" in link.lower() for link in asked.browser.links()), "no link")


def resource(probe: Probe) -> None:
    _, tokens = probe.tokens(resource="https://api.example.com")
    need(_claims(tokens["access_token"]).get("aud") == "https://api.example.com")


def _federated(probe: Probe) -> SignIn:
    asked = probe.ask(identity_provider="Corp")
    need(asked.browser.url.startswith(_origin(probe.upstream.issuer)), "not sent to the provider")
    left = asked.browser.submit(username=PERSON, password=PASSWORD)
    return SignIn(
        browser=asked.browser,
        answer=_parameters(left),
        verifier=asked.verifier,
        nonce=asked.nonce,
        client=asked.client,
    )


def federation(probe: Probe) -> None:
    probe.upstream.forges = False
    signed_in = _federated(probe)
    need("code" in signed_in.answer, str(signed_in.answer))
    claims = _claims(_json(probe.token(probe.code_form(signed_in)))["id_token"])
    need(claims.get("email") == PERSON, "email")


def federated_claims(probe: Probe) -> None:
    signed_in = _federated(probe)
    claims = _claims(_json(probe.token(probe.code_form(signed_in)))["id_token"])
    need(re.fullmatch(r"Corp_.+", str(claims.get("cognito:username")), re.IGNORECASE), "username")
    need(isinstance(claims.get("identities"), list), "identities")


def forged_upstream(probe: Probe) -> None:
    federation(probe)
    probe.upstream.forges = True
    try:
        need("code" not in _federated(probe).answer)
    finally:
        probe.upstream.forges = False


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def aws_api(probe: Probe) -> None:
    need(probe.cognito.api is not None)
    need(probe.cognito.api.list_user_pools(MaxResults=5)["UserPools"])


DOCUMENTED: Final = "documented"
PROBES: Final[tuple[tuple[str, Callable[[Probe], None], str], ...]] = (
    ("discovery names every endpoint", discovery, ""),
    ("... the revocation endpoint among them", revocation_in_discovery, ""),
    ("a code flow with S256, from the login page to tokens that verify", code_flow, "code flow; PKCE is not named"),
    ("one key for ID tokens, another for access tokens", two_keys, "one key in the example"),
    ("`iss` is discovery's issuer", issuer, DOCUMENTED),
    ("... and discovery is served there", issuer_served, DOCUMENTED),
    ("ID token: nonce, `aud`, `cognito:username`, attributes as they are", id_token, ""),
    ("... `at_hash`", at_hash, ""),
    ("access token: the scopes that were asked for, `client_id`, no `aud`", access_token, ""),
    ("... `aud` when bound by `resource`", resource, ""),
    ("no ID token without `openid`", no_openid, ""),
    ("scopes limit what an ID token tells", scope_limits, ""),
    ("refuses: a redirect URI that is not registered", redirect_uri, ""),
    ("refuses: another redirect URI at the token endpoint", other_redirect_uri, DOCUMENTED),
    ("refuses: a scope that the app client lacks", foreign_scope, ""),
    ("refuses: a wrong code verifier", wrong_verifier, ""),
    ("refuses: none, where there was a challenge", no_verifier, ""),
    ("refuses: the challenge method `plain`", plain_challenge, ""),
    ("refuses: a code used twice", code_once, ""),
    ("refuses: a code of another app client", code_of_client, ""),
    ("refuses: no secret of an app client that has one", client_secret, ""),
    ("a session: no second password, at another app client either", single_sign_on, ""),
    ("... `prompt=none`", prompt_none, ""),
    ("... `prompt=login`", prompt_login, ""),
    ("... ends at `/logout`, which goes to the sign-out URL", logout, ""),
    ("... and to no other URL", logout_uri, ""),
    ("refresh: new tokens of the same sign-in, the old refresh token stays", refresh, ""),
    ("... with the same scopes", refresh_scopes, ""),
    ("... not by another app client", refresh_of_client, ""),
    ("refresh-token rotation: the old one dies", rotation, ""),
    ("userInfo, with Cognito's booleans as text", userinfo, ""),
    ("... not for an ID token", userinfo_kind, ""),
    ("revocation endpoint: the refresh token dies", revocation, ""),
    ("... and the access token at userInfo", revoked_access, ""),
    ("... an access token is `unsupported_token_type`", revocation_kind, ""),
    ("client credentials with custom scopes, and no others", machine_token, "grant; refusal is not named"),
    ("a temporary password must be changed", forced_change, ""),
    ("people may sign up on a page", sign_up, ""),
    ("signs people in through an OpenID provider", federation, ""),
    ("... as `Corp_{sub}`, with `identities`", federated_claims, ""),
    ("... and refuses its ID token when the signature is wrong", forged_upstream, ""),
    ("the AWS API (boto3, CreateUserPool and its siblings)", aws_api, DOCUMENTED),
)
"""What is probed: what a reader is told, the probe, and what LocalStack's documentation says of it, or nothing."""


def measure(quick: bool) -> Json:  # noqa: FBT001 - `run` calls it so
    """Probe every emulator, or with `quick` ours alone."""
    found: Json = {}
    for emulator in EMULATORS[:1] if quick else EMULATORS:
        upstream = Upstream()
        with emulator(upstream) as cognito:
            if cognito is None:
                continue
            found[cognito.name] = results = {}
            for name, probe, _ in PROBES:
                problem = _problem_of(probe, Probe(cognito, upstream))
                results[name] = problem
                print(f"{cognito.name}: {name}: {problem or 'yes'}", file=sys.stderr)
    return {
        "machine": machine(("moto", "boto3", "pyjwt"), **({} if quick else {"Node.js": node.version()})),
        "found": found,
    }


def _problem_of(probe: Callable[[Probe], None], steps: Probe) -> str | None:
    """Return None where a probe passes, or why it does not."""
    try:
        probe(steps)
    except _Missing as missing:
        return str(missing) or "no"
    except Exception as error:  # noqa: BLE001 - whatever an answer that is not Cognito's leads to
        return f"{type(error).__name__}: {error}"[:200]
    return None


def blocks_of(result: Json) -> dict[str, str]:
    """Return the table for the page."""
    found = mapping(result["found"])
    head = ["what Cognito does", *found, "LocalStack, by its documentation"]
    rows = [
        [name, *("yes" if mapping(each)[name] is None else "" for each in found.values()), documented]
        for name, _, documented in PROBES
    ]
    passed = [str(sum(problem is None for problem in mapping(each).values())) for each in found.values()]
    rows.append([f"**of {len(PROBES)}**", *(f"**{count}**" for count in passed), ""])
    return {"fidelity": table(head, rows), "fidelity-machine": machine_line(result)}


def pictures_of(_: Json) -> dict[str, str]:
    """Return no picture."""
    return {}


if __name__ == "__main__":
    run("fidelity", measure, blocks_of, pictures_of, page=ROOT / "docs" / "emulator.md")
