"""What makes another OpenID provider look like Cognito: a small front, on loopback, of the tests alone.

Its judgements stay its own: the front decides nothing about codes, verifiers, secrets, sessions or redirects, and
passes every refusal on as it came. What Cognito does differently is changed, and nothing else:

- Issuer `{base}/{pool id}`, with discovery and keys below it: Cognito's names the pool, the others' is an origin.
- In the discovery document the addresses of token, userInfo and logout, which must lead through here. Authorization and
  revocation stay the provider's own; Cognito's paths for them are there too, for who computes them.
- The ID token gets `token_use` and `cognito:username`, which OpenID Connect does not know, and `aud` as a string.
- The access token becomes a JWT with `client_id`, `scope`, `username` and `version`, as Cognito's is. The others' is
  opaque, and is put back on the way to userInfo.
- What was changed is signed anew, by one key for ID tokens and one for access tokens, each with its `kid`; `at_hash` is
  that of the new access token.
- `iss` in a callback (RFC 9207, which Cognito does not send) becomes the pool's, after it was the provider's.
- `logout_uri` becomes `post_logout_redirect_uri`, since Cognito's logout is not RP-initiated logout.

An ID token is signed anew only after the provider's own was verified, by PyJWT with the provider's own key set:
signature, issuer, audience, expiry, and `at_hash` where it has one.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import time
import uuid
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlencode

import httpx
import jwt
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.factories import ACCESS_KID, ID_KID, b64, key_set, sign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

POOL_ID: Final = "eu-west-1_Interop01"
_OK: Final = 200
_PATIENCE: Final = 10.0  # seconds


class Front:
    """Cognito's paths before one provider."""

    def __init__(self, provider: str, base_url: str) -> None:
        """Read the provider's discovery document and keys.

        Args:
            provider: Its issuer.
            base_url: Where the front is reached.
        """
        self.issuer = f"{base_url}/{POOL_ID}"
        self.base_url = base_url
        self._http = httpx.Client(trust_env=False, timeout=_PATIENCE)
        self.theirs = self._http.get(f"{provider}/.well-known/openid-configuration").json()
        assert self.theirs["issuer"] == provider
        self._keys = jwt.PyJWKSet.from_dict(self._http.get(self.theirs["jwks_uri"]).json())
        self._opaque: dict[str, str] = {}  # from our access token to theirs
        self._usernames: dict[str, str] = {}  # from a refresh token to who it is of
        self.app = Starlette(
            routes=[
                Route(f"/{POOL_ID}/.well-known/openid-configuration", self.discovery),
                Route(f"/{POOL_ID}/.well-known/jwks.json", self.keys),
                Route("/oauth2/authorize", self.authorize),
                Route("/oauth2/token", self.token, methods=["POST"]),
                Route("/oauth2/userInfo", self.userinfo),
                Route("/oauth2/revoke", self.revoke, methods=["POST"]),
                Route("/logout", self.logout),
            ]
        )

    def close(self) -> None:
        """Close the connections to the provider."""
        self._http.close()

    def callback(self, url: str) -> str:
        """Return a callback of the provider as one of the pool."""
        before, _, query = url.partition("?")
        parameters = parse_qs(query, strict_parsing=True)
        assert parameters.get("iss", [self.theirs["issuer"]]) == [self.theirs["issuer"]]
        return f"{before}?{urlencode({**parameters, 'iss': [self.issuer]}, doseq=True)}"

    async def discovery(self, _: Request) -> Response:
        """Return the provider's document with the addresses that lead through here."""
        through_here = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/.well-known/jwks.json",
            "token_endpoint": f"{self.base_url}/oauth2/token",
            "userinfo_endpoint": f"{self.base_url}/oauth2/userInfo",
            "end_session_endpoint": f"{self.base_url}/logout",
        }
        return JSONResponse({**self.theirs, **through_here})

    async def keys(self, _: Request) -> Response:
        """Return the keys of what is signed here."""
        return JSONResponse(key_set())

    async def authorize(self, request: Request) -> Response:
        """Send the browser on, with the query as it came."""
        return RedirectResponse(f"{self.theirs['authorization_endpoint']}?{request.url.query}", status_code=302)

    async def logout(self, request: Request) -> Response:
        """Send the browser to the provider's own logout."""
        query = request.query_params
        theirs = {"client_id": query["client_id"], "post_logout_redirect_uri": query["logout_uri"]}
        return RedirectResponse(f"{self.theirs['end_session_endpoint']}?{urlencode(theirs)}", status_code=302)

    async def token(self, request: Request) -> Response:
        """Pass the form on as it came; make Cognito's tokens of good ones."""
        body = await request.body()
        answer = self._passed_on(request, self.theirs["token_endpoint"], body)
        if answer.status_code != _OK:
            return _as_it_came(answer)
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        return JSONResponse(self._cognitos(answer.json(), form))

    async def userinfo(self, request: Request) -> Response:
        """Ask with the provider's own access token."""
        ours = request.headers["authorization"].removeprefix("Bearer ")
        theirs = {"Authorization": f"Bearer {self._opaque.get(ours, 'unknown')}"}
        return _as_it_came(self._http.get(self.theirs["userinfo_endpoint"], headers=theirs))

    async def revoke(self, request: Request) -> Response:
        """Pass the form on as it came."""
        return _as_it_came(self._passed_on(request, self.theirs["revocation_endpoint"], await request.body()))

    def _passed_on(self, request: Request, url: str, body: bytes) -> httpx.Response:
        kept = {name: request.headers[name] for name in ("content-type", "authorization") if name in request.headers}
        return self._http.post(url, content=body, headers=kept)

    def _cognitos(self, theirs: dict[str, str], form: dict[str, str]) -> dict[str, object]:
        """Return Cognito's answer for one of the provider's, which has authenticated the client already."""
        client_id = form["client_id"]
        now = int(time.time())
        claims = self._verified(theirs, client_id) if "id_token" in theirs else {}
        subject = str(claims.get("sub") or self._usernames[form["refresh_token"]])
        if "refresh_token" in theirs:
            self._usernames[theirs["refresh_token"]] = subject
        lifetime = int(theirs["expires_in"])
        access = {
            "sub": subject,
            "iss": self.issuer,
            "version": 2,
            "client_id": client_id,
            "token_use": "access",
            "scope": theirs.get("scope", "openid"),
            "auth_time": claims.get("auth_time", now),
            "exp": now + lifetime,
            "iat": now,
            "jti": str(uuid.uuid4()),
            "username": subject,
        }
        access_token = sign(access, header={"kid": ACCESS_KID, "alg": "RS256"})
        self._opaque[access_token] = theirs["access_token"]
        answer: dict[str, object] = {"access_token": access_token, "token_type": "Bearer", "expires_in": lifetime}
        if claims:
            changed = {"iss": self.issuer, "aud": client_id, "token_use": "id", "cognito:username": subject}
            identity = {**claims, **changed, "at_hash": _half_hash(access_token)}
            answer["id_token"] = sign(identity, header={"kid": ID_KID, "alg": "RS256"})
        if "refresh_token" in theirs:
            answer["refresh_token"] = theirs["refresh_token"]
        return answer

    def _verified(self, theirs: dict[str, str], client_id: str) -> dict[str, object]:
        """Return the claims of the provider's own ID token, verified as OpenID Connect asks."""
        token = theirs["id_token"]
        kid = jwt.get_unverified_header(token).get("kid")
        key = next(key for key in self._keys.keys if kid in {None, key.key_id})
        claims: dict[str, object] = jwt.decode(
            token, key, algorithms=["RS256"], issuer=self.theirs["issuer"], audience=client_id
        )
        assert claims.get("at_hash") in {None, _half_hash(theirs["access_token"])}
        return claims


def _half_hash(token: str) -> str:
    """Return `at_hash`. Source: OpenID Connect Core 1.0 section 3.1.3.6."""
    return b64(hashlib.sha256(token.encode()).digest()[:16])


def _as_it_came(answer: httpx.Response) -> Response:
    kept = {name: answer.headers[name] for name in ("content-type", "www-authenticate") if name in answer.headers}
    return Response(answer.content, status_code=answer.status_code, headers=kept)


@contextlib.contextmanager
def served(provider: str) -> Iterator[Front]:
    """Serve a front of a provider on a free port of loopback, in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        front = Front(provider, f"http://127.0.0.1:{listener.getsockname()[1]}")
        config = uvicorn.Config(front.app, log_level="critical", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield front
        finally:
            server.should_exit = True
            thread.join(_PATIENCE)
            front.close()
