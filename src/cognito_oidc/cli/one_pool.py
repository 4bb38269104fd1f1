"""The story of one pool: a login, what an API makes of it, and its end.

Decides the steps, their words and what each must prove. A check compares what the library returned or sent with
something the library did not make: the local Cognito's journal and registrations, or a value computed here from the
specification. The local Cognito shares no parser with the library.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from cognito_oidc import AuthorizationRequest, UserPool
from cognito_oidc.cli.console import StepFailedError, shortened
from cognito_oidc.cli.scene import Scene, base64url, segment
from cognito_oidc.cli.stage import RANDOM, USERNAME
from cognito_oidc.errors import (
    AuthorizationDeniedError,
    InsufficientScopeError,
    InvalidClaimError,
    InvalidGrantError,
    InvalidSignatureError,
    OAuthError,
    ProtocolError,
    StateMismatchError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc import IdTokenClaims, TokenSet
    from cognito_oidc.cli.console import Console, Steps
    from cognito_oidc.cli.stage import Stage
    from cognito_oidc.emulator import EmulatedAppClient, EmulatedPool, EmulatedUser

POOL_ID: Final = "eu-west-1_Demo00001"
DOMAIN: Final = "shop"
READ: Final = "orders/read"
WRITE: Final = "orders/write"
_SCOPES: Final = ("openid", "email", "profile", READ)
CROWD: Final = 20  # calls that reach the API at once
_OTHER_STATE: Final = "A" * 43
_NOTES: Final = {
    "response_type": "no token ever passes the browser",
    "state": "comes back with the answer",
    "nonce": "comes back in the ID token",
    "code_challenge": "hash of a secret kept here (PKCE)",
}


class OnePool(Scene):
    """One user pool, its web application, the API behind it, and two machines.

    Attributes:
        cognito: The pool, from the inside.
        pool: The same pool's addresses, as the library computes them.
        ann: The person.
        shop: The web application's app client.
        job: The app client of a machine that the API accepts.
        reports: The app client of a machine that it does not.
    """

    # The login page has all of the authorization request again, and that is shown when it is made.
    new_in: ClassVar[Mapping[str, frozenset[str]]] = MappingProxyType(
        {"authorize": frozenset({"state", "prompt"}), "login": frozenset({"username", "password"})}
    )

    def __init__(self, stage: Stage, console: Console) -> None:
        """Register everybody; nothing is sent yet."""
        super().__init__(stage, console)
        self.cognito: EmulatedPool = stage.aws.add_pool(POOL_ID, domain=DOMAIN)
        self.cognito.add_resource_server("orders", scopes=["read", "write"])
        self.pool: UserPool = stage.addresses(self.cognito)
        self.ann: EmulatedUser = self.cognito.add_user(
            USERNAME,
            password=stage.password,
            email="ann@shop.example",
            email_verified=True,
            attributes={"name": "Ann Example"},
        )
        self.shop: EmulatedAppClient = self.cognito.add_client(
            "shop",
            redirect_uris=[stage.callback_uri],
            logout_uris=[stage.goodbye_uri],
            scopes=_SCOPES,
            client_secret=True,
        )
        self.job: EmulatedAppClient = self.cognito.add_client(
            "nightly-job", grants=["client_credentials"], scopes=[READ]
        )
        self.reports: EmulatedAppClient = self.cognito.add_client(
            "reports", grants=["client_credentials"], scopes=[READ]
        )
        self._client = stage.client(self.shop)
        self._api = stage.verifier(self.shop, self.job)
        self._request: AuthorizationRequest
        self._callback_url: str
        self._tokens: TokenSet
        self._claims: IdTokenClaims

    def intro(self) -> str:
        """Say who is there."""
        return (
            "It has a user pool with a person, Ann, and knows a web application, the shop, that calls an API for "
            "orders."
        )

    def steps(self) -> Steps:
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
        production, here = UserPool(POOL_ID, domain=DOMAIN), self.pool
        self._say("No request is needed for them. In production this pool would have")
        self._console.rows({"issuer": production.issuer, "login": production.authorization_endpoint})
        self._say("and here it has")
        self._console.rows({"issuer": here.issuer, "login": here.authorization_endpoint})
        real = self.cognito.issuer
        self._check("the issuer is what the pool's tokens would say in production", production.issuer, expected=real)
        self._expect_silence("nothing was sent")

    async def discovery(self) -> None:
        """Compare the computed addresses with the published ones."""
        self._say("The pool publishes a document about itself, which must agree with what was computed.")
        found, computed = await self._client.discover(), self.pool.metadata
        self._expect_requests("discovery")
        endpoints = ("authorization", "token", "userinfo", "revocation", "end_session")
        names = ("issuer", "jwks_uri", *(f"{each}_endpoint" for each in endpoints))
        for name in names:
            if getattr(found, name) != getattr(computed, name):
                raise StepFailedError(name, expected=str(getattr(computed, name)), came=str(getattr(found, name)))
        self._check("issuer, key set and five endpoints are the computed ones", found, expected=computed)
        mentioned = "code_challenge_methods_supported" in found.raw
        self._check("it does not mention PKCE; Cognito knows it, so we always send it", mentioned, expected=False)

    async def authorization_request(self) -> None:
        """Make the address that the browser is sent to."""
        request = self._client.authorization_request(app_state={"return_to": "/orders/42"})
        query = dict(parse_qsl(urlsplit(request.url).query))
        self._say("Its address, for Ann's browser:")
        self._console.rows(
            {name: shortened(value) if name in RANDOM else value for name, value in query.items()}, notes=_NOTES
        )
        challenge = base64url(sha256(request.code_verifier.encode()).digest())
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
        self._expect_silence("nothing was sent")

    async def sign_in(self) -> None:
        """Send Ann to the address."""
        self._say("Only the pool sees her password.")
        [self._callback_url] = await self._stage.browser.visit(
            self._request.url, told=[f"Sign in as {USERNAME} with the password {self._stage.password}"]
        )
        requests = self._requests()
        if not requests:
            raise StepFailedError("the browser came to the pool", expected="a request", came="none")
        first, last = requests[0], requests[-1]
        sent = dict(parse_qsl(urlsplit(self._request.url).query))
        self._check("the pool got the parameters of step 3, all of them", dict(first.parameters), expected=sent)
        signed_in = (last.endpoint, last.method, last.status, last.parameters.get("username"))
        self._check("it accepted user name and password", signed_in, expected=("login", "POST", 302, USERNAME))
        address, _, query = self._callback_url.partition("?")
        self._check(f"the browser came back to {address}", address, expected=self._stage.callback_uri)
        self._check(
            "with a code and the state, nothing else", sorted(dict(parse_qsl(query))), expected=["code", "state"]
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
            "the code under another state, as an attacker would plant it",
            self._client.exchange_code(planted, self._request),
            StateMismatchError,
        )
        self._expect_silence("the planted code was not even sent")

    async def exchange(self) -> None:
        """Exchange the code and look at each check of the ID token."""
        self._say("Who only has the code has nothing: it is taken with the shop's secret and the verifier of step 3.")
        self._tokens = tokens = await self._client.exchange_code(self._callback_url, self._request)
        [sent] = [each.parameters for each in self._expect_requests("jwks", "token") if each.endpoint == "token"]
        proofs = sent.keys() & {"client_secret", "code_verifier"}
        self._check("client_secret proved who asks, code_verifier who began the login", len(proofs), expected=2)
        claims = tokens.claims
        if claims is None or tokens.id_token is None:
            raise StepFailedError("an ID token came", expected="an ID token", came="none")
        self._claims = claims
        now = time.time()
        header = segment(tokens.id_token, 0)
        self._say("What the ID token says, each claim checked:")
        signed = (header["alg"], header["kid"] in self._published_kids())
        self._check("signature: RS256, by a key of the pool's key set", signed, expected=("RS256", True))
        self._check(f"iss: {self.pool.issuer}", claims.iss, expected=f"{self._stage.base_url}/{POOL_ID}")
        self._check(f"aud: the shop, {claims.aud}", claims.aud, expected=self.shop.client_id)
        self._check("token_use: an ID token", claims.raw["token_use"], expected="id")
        left = f"{(claims.exp - now) / 60:.0f} minutes"
        self._check(f"iat and exp: issued by now, good for {left}", claims.iat <= now < claims.exp, expected=True)
        self._check("nonce: the one of step 3", claims.nonce == self._request.nonce, expected=True)
        half = base64url(sha256(tokens.access_token.encode()).digest()[:16])
        self._check("at_hash: the hash of the access token that came along", claims.at_hash == half, expected=True)
        self._check(f"sub: Ann, {claims.sub}", claims.sub, expected=self.ann.sub)
        await self._refused(
            "the code, a second time",
            self._client.exchange_code(self._callback_url, self._request),
            InvalidGrantError,
            sends=["token"],
        )

    async def protect(self) -> None:
        """Be the API that is called with the access token."""
        token = self._tokens.access_token
        self._say(f"The API knows the pool, and which app clients may call it. This call needs the scope {READ}.")
        claims = await self._api.verify_access_token(token, required_scopes=(READ,))
        self._expect_requests("jwks")
        self._check(f"sub: Ann, {claims.sub}", claims.sub, expected=self.ann.sub)
        self._check(f"client_id: the shop, {claims.client_id}", claims.client_id, expected=self.shop.client_id)
        self._check("aud: none; Cognito's access tokens say client_id instead", claims.aud, expected=None)
        self._check(f"scope: {' '.join(claims.scopes)}", claims.scopes, expected=self.shop.scopes)
        await self._api.verify_access_token(token, required_scopes=(READ,))
        self._expect_silence("the next call verifies without any request")
        error = await self._refused(
            f"the call that needs {WRITE}",
            self._api.verify_access_token(token, required_scopes=(WRITE,)),
            InsufficientScopeError,
        )
        self._check("that is HTTP 403: the token is good, its scopes do not suffice", error.http_status, expected=403)

    async def userinfo(self) -> None:
        """Ask for the person's attributes."""
        self._say("The access token also opens the pool's own page about its person.")
        info = await self._client.userinfo(self._tokens)
        [request] = self._expect_requests("userinfo")
        wire = json.dumps(info.raw["email_verified"])
        self._console.rows(
            {
                "sub": info.sub,
                "name": str(info.name),
                "email": str(info.email),
                "email_verified": f"{info.email_verified} (it came as the text {wire})",
            }
        )
        self._check("the token went in a header, not in the address", dict(request.parameters), expected={})
        self._check("sub is the ID token's: this is about the same person", info.sub, expected=self._claims.sub)
        self._check("email_verified is a boolean: Cognito sends text here", info.email_verified, expected=True)
        await self._refused(
            "an answer about another person than expected",
            self._client.userinfo(self._tokens.access_token, expected_sub=self.shop.client_id),
            ProtocolError,
            sends=["userinfo"],
        )

    async def refresh(self) -> None:
        """Get the next tokens without the person."""
        self._say("Access tokens live for an hour. The refresh token gets the next one without Ann.")
        old, new = self._tokens, await self._client.refresh(self._tokens)
        [request] = self._expect_requests("token")
        self._tokens = new
        claims = await self._api.verify_access_token(new.access_token)
        self._check("grant_type: refresh_token", request.parameters.get("grant_type"), expected="refresh_token")
        self._check("the access token is a new one", new.access_token == old.access_token, expected=False)
        self._check("the refresh token stays: no new one came", new.refresh_token == old.refresh_token, expected=True)
        self._check("sub is the same in the new ID token", new.claims and new.claims.sub, expected=self._claims.sub)
        self._check("auth_time still says when Ann signed in", claims.auth_time, expected=self._claims.auth_time)

    async def rotate(self) -> None:
        """Change the pool's keys under everybody's feet."""
        old = self._tokens.access_token
        self.cognito.rotate_keys()
        self._tokens = await self._client.refresh(self._tokens)
        new = self._tokens.access_token
        self._say("The next refresh brings tokens of new keys, which the shop fetches:")
        self._expect_requests("token", "jwks")
        kids = [segment(token, 0)["kid"] for token in (old, new)]
        self._check("the access token's kid changed", kids[0] == kids[1], expected=False)
        self._say(f"The API has only the old keys when {CROWD} calls with the new token reach it at once:")
        answers = await asyncio.gather(*(self._api.verify_access_token(new) for _ in range(CROWD)))
        self._expect_requests("jwks")
        accepted = sum(claims.sub == self._claims.sub for claims in answers)
        self._check(f"all {CROWD} are accepted, after exactly one fetch", accepted, expected=CROWD)
        await self._api.verify_access_token(old)
        self._expect_silence("the token of before is still good, without a fetch")

    async def machine(self) -> None:
        """Get a token by client credentials."""
        job = self.job
        self._say("A nightly job has no browser: it asks with its own id and secret (client credentials).")
        tokens = await self._stage.client(job).client_credentials(scopes=(READ,))
        [request] = self._expect_requests("token")
        claims = await self._api.verify_access_token(tokens.access_token, required_scopes=(READ,))
        grant = request.parameters.get("grant_type")
        self._check("grant_type: client_credentials", grant, expected="client_credentials")
        who = {claims.sub, claims.client_id}
        self._check(f"sub and client_id: the job, {job.client_id}", who, expected={job.client_id})
        self._check("no user name: the API can tell a machine from Ann", claims.username, expected=None)
        self._check(
            "no ID token, no refresh token", (tokens.id_token, tokens.refresh_token) == (None, None), expected=True
        )

    async def refuse(self) -> None:
        """Try a forged token, then a real one that is not for this API."""
        self._say(f"Somebody adds {WRITE} to Ann's access token and leaves the signature as it was.")
        header, _, signature = self._tokens.access_token.split(".")
        claims = segment(self._tokens.access_token, 1)
        claims["scope"] = f"{claims['scope']} {WRITE}"
        forged = f"{header}.{base64url(json.dumps(claims).encode())}.{signature}"
        attempt = self._api.verify_access_token(forged)
        await self._refused("the forged token", attempt, InvalidSignatureError, explain=True)
        self._say("Another app client of the same pool, reports, gets a token:")
        reports = self.reports
        foreign = (await self._stage.client(reports).client_credentials()).access_token
        self._expect_requests("token")
        claims_of_reports = await self._stage.verifier(reports).verify_access_token(foreign, required_scopes=(READ,))
        self._expect_requests("jwks")
        self._check(
            "it is good in itself: a verifier for reports accepts it",
            claims_of_reports.client_id,
            expected=reports.client_id,
        )
        attempt = self._api.verify_access_token(foreign)
        error = await self._refused("the token of reports, at this API", attempt, InvalidClaimError, explain=True)
        self._check("because of its client_id", error.claim, expected="client_id")
        self._expect_silence("the API sent nothing for either of them")

    async def revoke(self) -> None:
        """End the sign-in at the pool."""
        self._say("The pool forgets this sign-in: its refresh token and every token that came of it.")
        await self._client.revoke(self._tokens)
        [request] = self._expect_requests("revoke")
        self._check(
            "the client secret went in a header, the only documented way",
            dict(request.parameters),
            expected={"token": "***"},
        )
        attempt = self._client.refresh(self._tokens)
        await self._refused("the refresh token", attempt, InvalidGrantError, sends=["token"], explain=True)
        asked = self._client.userinfo(self._tokens)
        await self._refused("the access token at userInfo", asked, OAuthError, sends=["userinfo"])
        await self._api.verify_access_token(self._tokens.access_token)
        self._expect_silence("the API, which asks nobody, takes it until it expires")
        await self._client.revoke(self._tokens)
        [again] = self._expect_requests("revoke")
        self._check("revoking once more changes nothing", again.status, expected=200)

    async def logout(self) -> None:
        """End the browser's session, and prove that it is gone."""
        self._say(
            "The browser is still signed in. The shop asks with prompt=none (show no page), logs out, and asks again:"
        )
        before, after = (self._client.authorization_request(prompt="none") for _ in range(2))
        logout_url = self._client.logout_url(self._stage.goodbye_uri)
        silent, goodbye, refused = await self._stage.browser.visit(before.url, logout_url, after.url)
        self._expect_requests("authorize", "logout", "authorize")
        came = dict(parse_qsl(urlsplit(silent).query))
        self._check("before the logout, a code comes without a question", "code" in came, expected=True)
        self._check(f"the logout leads back to {goodbye}", goodbye, expected=self._stage.goodbye_uri)
        error = await self._refused(
            "the same after the logout",
            self._client.exchange_code(refused, after),
            AuthorizationDeniedError,
        )
        self._check("Ann would have to sign in again", error.error, expected="login_required")

    def _published_kids(self) -> set[str]:
        """Return the ids of the keys in the pool's key set, from the inside."""
        return {key["kid"] for key in self.cognito.keys.key_set()["keys"]}
