"""The story that `cognito-oidc demo` tells: a login, what an API makes of it, and its end.

Decides the steps, their words and what each must prove. A check compares what the library returned or sent with
something the library did not make: the local Cognito's journal and registrations, or a value computed here from the
specification. The local Cognito shares no parser with the library.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from cognito_oidc import AuthorizationRequest, UserPool
from cognito_oidc.cli.console import StepFailedError, shortened
from cognito_oidc.cli.stage import DOMAIN, POOL_ID, RANDOM, READ, USERNAME, WRITE, open_stage, shown_parameters
from cognito_oidc.emulator import PersonError
from cognito_oidc.errors import (
    AuthorizationDeniedError,
    CognitoOidcError,
    InsufficientScopeError,
    InvalidClaimError,
    InvalidGrantError,
    InvalidSignatureError,
    OAuthError,
    ProtocolError,
    StateMismatchError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cognito_oidc import IdTokenClaims, TokenSet
    from cognito_oidc.cli.console import Console
    from cognito_oidc.cli.stage import Stage
    from cognito_oidc.emulator import JournalEntry

CROWD: Final = 20  # calls that reach the API at once
_OTHER_STATE: Final = "A" * 43
_NOTES: Final = {
    "response_type": "a code passes the browser, never a token",
    "state": "comes back unchanged: the answer to this request",
    "nonce": "comes back inside the ID token: made for this login",
    "code_challenge": "hash of a secret that stays here (PKCE)",
}


async def tell(console: Console, *, patience: float | None = None, port: int = 0) -> bool:
    """Tell the story and return whether every step held.

    Args:
        console: Where it is told.
        patience: Seconds to wait for a real person at a real browser; None simulates one.
        port: Where the local Cognito listens on 127.0.0.1, or 0 for a free port.

    Raises:
        ConfigurationError: A port cannot be used.
    """
    began = time.monotonic()
    async with open_stage(console, patience=patience, port=port) as stage:
        console.say(
            f"A local Cognito listens on {stage.base_url}. It has a user pool with a person, Ann, and knows a web "
            "application, the shop, that calls an API for orders. Lines with > are requests as the pool received them, "
            "with its answer's status; *** is a secret.",
            indent="",
        )
        story = Story(stage, console)
        steps = story.steps()
        for number, (title, step) in enumerate(steps, 1):
            console.step(number, title)
            try:
                await step()
            except StepFailedError as error:
                failure = error
            except (CognitoOidcError, PersonError, httpx.HTTPError) as error:
                failure = StepFailedError("the step ends well", expected="no error", came=_named(error))
            else:
                continue
            console.failed(failure)
            console.end(f"Step {number} of {len(steps)} did not hold.", good=False)
            return False
    requests, seconds = len(stage.aws.journal), time.monotonic() - began
    console.end(
        f"All {len(steps)} steps held: {console.held} checks, {requests} requests, {seconds:.1f} seconds.", good=True
    )
    return True


class Story:
    """The steps, and what they hand on to each other."""

    def __init__(self, stage: Stage, console: Console) -> None:
        """Set up the shop and the API; nothing is sent yet."""
        self._stage = stage
        self._console = console
        self._check = console.check
        self._say = console.say
        self._refused = console.refused
        self._client = stage.client(stage.shop)
        self._api = stage.verifier(stage.shop, stage.job)
        self._read = 0
        self._request: AuthorizationRequest
        self._callback_url: str
        self._tokens: TokenSet
        self._claims: IdTokenClaims

    def steps(self) -> tuple[tuple[str, Callable[[], Awaitable[None]]], ...]:
        """Return each step's title and what it does, in order."""
        return (
            ("The addresses follow from Region, pool id and domain", self.addresses),
            ("Discovery says the same", self.discovery),
            ("The shop prepares an authorization request", self.authorization_request),
            ("Ann signs in at the pool's login page", self.sign_in),
            ("The shop checks the callback before it uses it", self.callback),
            ("The code becomes tokens, and the ID token is verified", self.exchange),
            ("The API verifies the access token", self.protect),
            ("UserInfo says who Ann is", self.userinfo),
            ("The shop refreshes the tokens", self.refresh),
            ("The pool rotates its keys", self.rotate),
            ("A machine gets a token without a person", self.machine),
            ("The API refuses a forged and a foreign token", self.refuse),
            ("The shop revokes the tokens", self.revoke),
            ("Ann logs out, and the pool's session is gone", self.logout),
        )

    async def addresses(self) -> None:
        """Compute every address."""
        production, here = UserPool(POOL_ID, domain=DOMAIN), self._stage.pool
        self._say("No request is needed for them. In production this pool would have")
        self._console.rows({"issuer": production.issuer, "login": production.authorization_endpoint})
        self._say("and here it has")
        self._console.rows({"issuer": here.issuer, "login": here.authorization_endpoint})
        self._check(
            "the issuer is what the pool's tokens would say in production",
            production.issuer,
            expected=self._stage.cognito.issuer,
        )
        self._expect_requests()

    async def discovery(self) -> None:
        """Compare the computed addresses with the published ones."""
        found, computed = await self._client.discover(), self._stage.pool.metadata
        self._expect_requests("discovery")
        names = ("issuer", "jwks_uri", "authorization_endpoint", "token_endpoint", "userinfo_endpoint")
        for name in (*names, "revocation_endpoint", "end_session_endpoint"):
            published = getattr(found, name)
            if published != getattr(computed, name):
                raise StepFailedError(name, expected=str(getattr(computed, name)), came=str(published))
        self._check("issuer, key set and five endpoints are the computed ones", found, expected=computed)
        self._check(
            "it does not mention PKCE, which Cognito knows all the same: we always send it",
            "code_challenge_methods_supported" in found.raw,
            expected=False,
        )

    async def authorization_request(self) -> None:
        """Make the address that the browser is sent to."""
        request = self._client.authorization_request(app_state={"return_to": "/orders/42"})
        query = dict(parse_qsl(urlsplit(request.url).query))
        self._say("Its address, for Ann's browser:")
        self._console.rows(
            {name: shortened(value) if name in RANDOM else value for name, value in query.items()}, notes=_NOTES
        )
        challenge = _base64url(sha256(request.code_verifier.encode()).digest())
        self._check("code_challenge is the SHA-256 of the verifier (S256)", query["code_challenge"], expected=challenge)
        self._check("the verifier is not in the address", request.code_verifier in request.url, expected=False)
        other = self._client.authorization_request()
        values = {each for one in (request, other) for each in (one.state, one.nonce, one.code_verifier)}
        self._check("state, nonce and verifier are random: another request shares none", len(values), expected=6)
        key = secrets.token_bytes(32)
        sealed = request.seal(key)
        self._request = AuthorizationRequest.unseal(sealed, key)
        self._check("sealed for a cookie, nothing of it can be read", request.state in sealed, expected=False)
        self._check("and unsealed it is the same", self._request == request, expected=True)
        self._expect_requests()

    async def sign_in(self) -> None:
        """Send Ann to the address."""
        [self._callback_url] = await self._stage.browser.visit(self._request.url, password_needed=True)
        requests = self._requests()
        first, last = requests[0], requests[-1]
        self._check("the pool took the request, and showed its login page", first.status, expected=302)
        signed_in = (last.endpoint, last.method, last.status, last.parameters.get("username"))
        self._check("it accepted user name and password", signed_in, expected=("login", "POST", 302, USERNAME))
        address, _, query = self._callback_url.partition("?")
        self._check(f"the browser came back to {address}", address, expected=self._stage.callback_uri)
        self._check(
            "with a code and the state, and no token", sorted(dict(parse_qsl(query))), expected=["code", "state"]
        )

    async def callback(self) -> None:
        """Check what came back, and refuse what somebody could have planted."""
        address, _, query = self._callback_url.partition("?")
        came = dict(parse_qsl(query))
        self._say("What came back:")
        self._console.rows({"code": "***", "state": shortened(came["state"])})
        self._check("the state is the one of step 3", came["state"] == self._request.state, expected=True)
        planted = f"{address}?{urlencode({**came, 'state': _OTHER_STATE})}"
        await self._refused(
            "the same code under another state, as an attacker would plant it",
            self._client.exchange_code(planted, self._request),
            StateMismatchError,
        )
        self._check("the planted code was not even sent", self._requests(), expected=[])

    async def exchange(self) -> None:
        """Exchange the code and look at each check of the ID token."""
        self._tokens = tokens = await self._client.exchange_code(self._callback_url, self._request)
        sent = self._expect_requests("token", "jwks")[0].parameters
        self._check(
            "the exchange proved who asks (client_secret) and who began (code_verifier)",
            {"client_secret", "code_verifier"} <= sent.keys(),
            expected=True,
        )
        claims = tokens.claims
        if claims is None or tokens.id_token is None:
            raise StepFailedError("an ID token came", expected="an ID token", came="none")
        self._claims = claims
        stage, now = self._stage, time.time()
        header = _segment(tokens.id_token, 0)
        self._check("signature: RS256", header["alg"], expected="RS256")
        self._check("by a key of the pool's key set", header["kid"] in stage.published_kids(), expected=True)
        self._check(f"iss: {stage.pool.issuer}", claims.iss, expected=f"{stage.base_url}/{POOL_ID}")
        self._check(f"aud: the shop, {claims.aud}", claims.aud, expected=stage.shop.client_id)
        self._check("token_use: an ID token", claims.raw["token_use"], expected="id")
        self._check(
            f"iat and exp: good for {(claims.exp - now) / 60:.0f} minutes from now",
            claims.iat <= now < claims.exp,
            expected=True,
        )
        self._check("nonce: the one of step 3", claims.nonce == self._request.nonce, expected=True)
        half = _base64url(sha256(tokens.access_token.encode()).digest()[:16])
        self._check("at_hash: of the access token that came along", claims.at_hash == half, expected=True)
        self._check(f"sub: Ann, {claims.sub}", claims.sub, expected=stage.ann.sub)
        await self._refused(
            "the same code a second time",
            self._client.exchange_code(self._callback_url, self._request),
            InvalidGrantError,
        )
        self._expect_requests("token")

    async def protect(self) -> None:
        """Be the API that is called with the access token."""
        token, stage = self._tokens.access_token, self._stage
        self._say(f"The API knows the pool and which app clients may call. This call needs the scope {READ}.")
        claims = await self._api.verify_access_token(token, required_scopes=(READ,))
        self._expect_requests("jwks")
        self._check(f"sub: Ann, {claims.sub}", claims.sub, expected=stage.ann.sub)
        self._check(f"client_id: the shop, {claims.client_id}", claims.client_id, expected=stage.shop.client_id)
        self._check("aud: none, which is why client_id is what counts at Cognito", claims.aud, expected=None)
        self._check(f"scope: {' '.join(claims.scopes)}", claims.scopes, expected=stage.shop.scopes)
        await self._api.verify_access_token(token)
        self._check("the next call verifies without any request", self._requests(), expected=[])
        error = await self._refused(
            f"a call that needs {WRITE}",
            self._api.verify_access_token(token, required_scopes=(WRITE,)),
            InsufficientScopeError,
        )
        self._check("which an API answers with 403, not 401", error.http_status, expected=403)

    async def userinfo(self) -> None:
        """Ask for the person's attributes."""
        info = await self._client.userinfo(self._tokens)
        [request] = self._expect_requests("userinfo")
        self._console.rows(
            {"sub": info.sub, "name": str(info.name), "email": str(info.email)}
            | {"email_verified": f"{json.dumps(info.raw['email_verified'])} on the wire"}
        )
        self._check("the token went in a header: the address has no parameters", dict(request.parameters), expected={})
        self._check("sub is the ID token's: the answer is about the same person", info.sub, expected=self._claims.sub)
        self._check('email_verified is True, not the string "true"', info.email_verified, expected=True)
        await self._refused(
            "an answer about anybody else",
            self._client.userinfo(self._tokens.access_token, expected_sub=self._stage.shop.client_id),
            ProtocolError,
        )
        self._expect_requests("userinfo")

    async def refresh(self) -> None:
        """Get the next tokens without the person."""
        old, new = self._tokens, await self._client.refresh(self._tokens)
        [request] = self._expect_requests("token")
        self._tokens = new
        claims = await self._api.verify_access_token(new.access_token)
        self._check("grant_type: refresh_token", request.parameters.get("grant_type"), expected="refresh_token")
        self._check("the access token is a new one", new.access_token == old.access_token, expected=False)
        self._check("the refresh token stays: none came back", new.refresh_token == old.refresh_token, expected=True)
        self._check(
            "sub is the same, in the new ID token too", new.claims and new.claims.sub, expected=self._claims.sub
        )
        self._check("auth_time still says when Ann signed in", claims.auth_time, expected=self._claims.auth_time)

    async def rotate(self) -> None:
        """Change the pool's keys under everybody's feet."""
        old = self._tokens.access_token
        self._stage.cognito.rotate_keys()
        self._tokens = await self._client.refresh(self._tokens)
        new = self._tokens.access_token
        self._say("The next refresh brings tokens signed with keys nobody has seen:")
        self._expect_requests("token", "jwks")
        kids = [_segment(token, 0)["kid"] for token in (old, new)]
        self._check("the access token's kid changed", kids[0] == kids[1], expected=False)
        self._say(f"The API still has the old keys when {CROWD} calls with the new token reach it at once:")
        answers = await asyncio.gather(*(self._api.verify_access_token(new) for _ in range(CROWD)))
        self._expect_requests("jwks")
        accepted = sum(claims.sub == self._claims.sub for claims in answers)
        self._check(f"all {CROWD} are accepted, after exactly one fetch", accepted, expected=CROWD)
        await self._api.verify_access_token(old)
        self._check("the token of before is still good, without a fetch", self._requests(), expected=[])

    async def machine(self) -> None:
        """Get a token by client credentials."""
        job = self._stage.job
        tokens = await self._stage.client(job).client_credentials(scopes=(READ,))
        [request] = self._expect_requests("token")
        claims = await self._api.verify_access_token(tokens.access_token, required_scopes=(READ,))
        grant = request.parameters.get("grant_type")
        self._check("grant_type: client_credentials", grant, expected="client_credentials")
        self._check(
            f"sub and client_id: the job, {job.client_id}",
            (claims.sub, claims.client_id),
            expected=(job.client_id,) * 2,
        )
        self._check("no user name: the API can tell a machine from Ann", claims.username, expected=None)
        self._check(
            "no ID token, no refresh token", (tokens.id_token, tokens.refresh_token) == (None, None), expected=True
        )

    async def refuse(self) -> None:
        """Try a forged token, then a real one that is not for this API."""
        self._say(f"Somebody adds {WRITE} to Ann's access token and leaves the signature as it was.")
        header, _, signature = self._tokens.access_token.split(".")
        claims = _segment(self._tokens.access_token, 1)
        claims["scope"] = f"{claims['scope']} {WRITE}"
        forged = f"{header}.{_base64url(json.dumps(claims).encode())}.{signature}"
        await self._refused("the forged token", self._api.verify_access_token(forged), InvalidSignatureError)
        self._say("Another machine of the same pool gets a token, which is good in itself:")
        reports = self._stage.reports
        foreign = (await self._stage.client(reports).client_credentials()).access_token
        self._expect_requests("token")
        await self._stage.verifier(reports).verify_access_token(foreign, required_scopes=(READ,))
        self._expect_requests("jwks")
        self._check("a verifier that accepts this app client takes it", True, expected=True)
        error = await self._refused(
            "the API, which does not", self._api.verify_access_token(foreign), InvalidClaimError
        )
        self._check("because of its client_id", error.claim, expected="client_id")
        self._check("neither made the API fetch anything", self._requests(), expected=[])

    async def revoke(self) -> None:
        """End the sign-in at the pool."""
        await self._client.revoke(self._tokens)
        [request] = self._expect_requests("revoke")
        self._check(
            "the secret went in a header, as AWS documents it", dict(request.parameters), expected={"token": "***"}
        )
        await self._refused("the refresh token", self._client.refresh(self._tokens), InvalidGrantError)
        await self._refused("the access token at userInfo", self._client.userinfo(self._tokens), OAuthError)
        self._expect_requests("token", "userinfo")
        await self._api.verify_access_token(self._tokens.access_token)
        self._check("the API, which asks nobody, accepts it until it expires", self._requests(), expected=[])
        await self._client.revoke(self._tokens)
        self._expect_requests("revoke")

    async def logout(self) -> None:
        """End the browser's session, and prove that it is gone."""
        self._say(
            "Revocation leaves the browser alone: a request with prompt=none still gets a code without asking Ann."
        )
        before, after = (self._client.authorization_request(prompt="none") for _ in range(2))
        logout_url = self._client.logout_url(self._stage.goodbye_uri)
        silent, goodbye, refused = await self._stage.browser.visit(before.url, logout_url, after.url)
        self._expect_requests("authorize", "logout", "authorize")
        self._check("before the logout: a code", "code" in dict(parse_qsl(urlsplit(silent).query)), expected=True)
        self._check(f"the logout leads to {goodbye}", goodbye, expected=self._stage.goodbye_uri)
        error = await self._refused(
            "after the logout, the same request",
            self._client.exchange_code(refused, after),
            AuthorizationDeniedError,
        )
        self._check("Ann would have to sign in again", error.error, expected="login_required")

    def _requests(self) -> list[JournalEntry]:
        """Show what arrived since the last time, and return it."""
        journal = self._stage.aws.journal
        arrived = [
            entry for entry in journal[self._read :] if entry.pool_id is not None and entry.endpoint != "unknown"
        ]
        self._read = len(journal)
        for entry in arrived:
            self._console.request(entry.method, self._stage.address(entry), shown_parameters(entry), entry.status)
        return arrived

    def _expect_requests(self, *endpoints: str) -> list[JournalEntry]:
        """Show what arrived since the last time: requests to these endpoints and no other."""
        arrived = self._requests()
        what = "that is all that was sent" if endpoints else "nothing was sent"
        self._check(what, tuple(entry.endpoint for entry in arrived), expected=endpoints)
        return arrived


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _segment(token: str, position: int) -> dict[str, object]:
    """Read the header (0) or the claims (1) of a token, without any check."""
    segment = token.split(".")[position]
    values: dict[str, object] = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return values
