"""The story of two pools: one signs its people in through the other, and lets them out through both.

Decides the steps, their words and what each must prove. A check compares what the library returned or sent with
something the library did not make: the local Cognito's journal, directories and registrations.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final, cast
from urllib.parse import parse_qsl, urlsplit

from cognito_oidc import Federation, UserPool, check_federation
from cognito_oidc.cli.console import StepFailedError, shortened
from cognito_oidc.cli.scene import Scene
from cognito_oidc.cli.stage import RANDOM, USERNAME, shown_parameters
from cognito_oidc.errors import AuthorizationDeniedError, InvalidClaimError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cognito_oidc import AuthorizationRequest, CognitoClient, FederationProblem, IdTokenClaims, TokenSet
    from cognito_oidc.cli.console import Console, Steps
    from cognito_oidc.cli.stage import Stage
    from cognito_oidc.emulator import EmulatedAppClient, EmulatedPool, EmulatedUser, JournalEntry

UPSTREAM_ID: Final = "eu-west-1_Corp00001"
DOWNSTREAM_ID: Final = "eu-west-1_Shop00001"
PROVIDER: Final = "Corp"
READ: Final = "orders/read"
_MAPPING: Final = {"email": "email", "name": "name", "custom:department": "custom:department"}
_SCOPES: Final = ("openid", "email", "profile", READ)
_INTRANET: Final = "/intranet"
_FORM: Final = frozenset({"username", "password", "new_password"})
_ASKED: Final = frozenset({"client_id", "redirect_uri", "scope", "state", "nonce"})
_TRIP: Final = frozenset({"state", "prompt", "identity_provider"})


class TwoPools(Scene):
    """A shop whose pool knows nobody, and a company whose pool knows Ann.

    Attributes:
        corp: The company's pool, upstream, from the inside.
        shop_pool: The shop's pool, downstream.
    """

    new_in: ClassVar[Mapping[str, frozenset[str]]] = MappingProxyType(
        {"authorize": _TRIP, "login": _FORM, "logout": frozenset({"logout_uri"})}
    )

    def __init__(self, stage: Stage, console: Console) -> None:
        """Create two pools that do not know each other yet."""
        super().__init__(stage, console)
        self.corp: EmulatedPool = stage.aws.add_pool(UPSTREAM_ID, domain="corp")
        self.shop_pool: EmulatedPool = stage.aws.add_pool(DOWNSTREAM_ID, domain="shop")
        self.shop_pool.add_resource_server("orders", scopes=["read"])
        self.ann: EmulatedUser = self.corp.add_user(
            USERNAME,
            temporary_password=stage.password,
            email="ann@corp.example",
            email_verified=True,
            attributes={"name": "Ann Example", "custom:department": "Sales"},
        )
        self._intranet = self.corp.add_client(
            "intranet", redirect_uris=[f"{stage.browser.origin}{_INTRANET}"], scopes=["openid"]
        )
        self._plan: Federation
        self._shop: EmulatedAppClient
        self._client: CognitoClient
        self._request: AuthorizationRequest
        self._callback_url: str
        self._tokens: TokenSet
        self._claims: IdTokenClaims

    def intro(self) -> str:
        """Say who is there."""
        return (
            "It has two user pools. The shop's pool knows nobody. The company's pool, Corp, knows Ann, who has a "
            "temporary password and is to shop with her company account: Corp becomes the OpenID provider of the "
            "shop's pool."
        )

    def steps(self) -> Steps:
        """Return each step's title and what it does, in order."""
        return (
            ("The plan says what each pool must be told", self.plan),
            ("What is missing is found before anybody signs in", self.check_plan),
            ("The shop asks for Ann, and names the provider", self.authorization_request),
            ("Ann signs in at Corp, and changes her password", self.sign_in),
            ("The code becomes tokens of the shop's pool", self.exchange),
            ("The API takes these tokens, and none of Corp", self.protect),
            ("Ann is in the shop's directory now", self.directory),
            ("Leaving the shop alone is not leaving", self.leave_the_shop),
            ("The logout chain leads out of both pools", self.leave_both),
        )

    async def plan(self) -> None:
        """Plan the federation, and set both pools up as the plan says."""
        upstream, downstream = UserPool(UPSTREAM_ID, domain="corp"), UserPool(DOWNSTREAM_ID, domain="shop")
        draft = Federation(upstream=upstream, downstream=downstream, provider_name=PROVIDER, attribute_mapping=_MAPPING)
        self._say("First Corp needs an app client for the shop's pool (CreateUserPoolClient):")
        told = draft.upstream_app_client(client_name="shop-pool", logout_urls=[self._stage.goodbye_uri])
        self._rows(told, "CallbackURLs", "LogoutURLs", "AllowedOAuthScopes")
        account = self.corp.add_client(
            "shop-pool",
            redirect_uris=_texts(told["CallbackURLs"]),
            logout_uris=_texts(told["LogoutURLs"]),
            scopes=_texts(told["AllowedOAuthScopes"]),
            client_secret=True,
        )
        there = self.shop_pool.idp_response_url
        self._check("the callback is where the shop's pool takes people back", draft.callback_url, expected=there)
        secret = account.client_secret or ""
        production = replace(draft, upstream_client_id=account.client_id, upstream_client_secret=secret)
        self._say("Then the shop's pool gets Corp as its provider (CreateIdentityProvider):")
        provider = production.identity_provider()
        details = cast("Mapping[str, str]", provider["ProviderDetails"])
        mapping = cast("Mapping[str, str]", provider["AttributeMapping"])
        pairs = [f"{name} <- {claim}" for name, claim in mapping.items()]
        self._rows({**details, "client_secret": "***", "AttributeMapping": pairs}, *details, "AttributeMapping")
        issuer = self.corp.issuer
        self._check("oidc_issuer is what Corp's tokens say in production", details["oidc_issuer"], expected=issuer)
        self.shop_pool.add_oidc_provider(
            PROVIDER,
            issuer=details["oidc_issuer"],
            client_id=details["client_id"],
            client_secret=details["client_secret"],
            scopes=details["authorize_scopes"].split(),
            attribute_mapping=mapping,
        )
        self._shop = self._add_shop(production)
        self._client = self._stage.client(self._shop)
        self._plan = replace(
            production,
            upstream=self._stage.addresses(self.corp),
            downstream=self._stage.addresses(self.shop_pool),
        )
        self._expect_silence("nothing was sent: a plan is computed")

    async def check_plan(self) -> None:
        """Find the classic mistake, mend it, and find nothing more."""
        self._say("check_federation asks both pools what a browser would ask. Nobody is signed in by it:")
        problems = await self._problems()
        for problem in problems:
            self._say(f"{problem.found} {problem.cause}", indent=" " * 8)
            self._say(f"Cure: {problem.cure}", indent=" " * 8)
        found = [(problem.side, problem.code) for problem in problems]
        what = "one problem: the shop's app client does not offer Corp"
        self._check(what, found, expected=[("downstream", "login_not_offered")])
        self._shop.identity_providers = (PROVIDER,)
        self._say("That is done, and it is asked again:")
        self._check("no problem is left", await self._problems(), expected=())

    async def authorization_request(self) -> None:
        """Make the address that the browser is sent to."""
        self._request = self._client.authorization_request(identity_provider=PROVIDER)
        query = dict(parse_qsl(urlsplit(self._request.url).query))
        self._console.rows(
            {name: shortened(value) if name in RANDOM else value for name, value in query.items()},
            notes={"identity_provider": "skips the shop's own login page"},
        )
        self._check(
            "the browser is sent to Corp through the shop's pool", query["identity_provider"], expected=PROVIDER
        )
        protected = (len(query["state"]), len(query["nonce"]), query["code_challenge_method"])
        self._check("with state, nonce and PKCE, as at any login", protected, expected=(43, 43, "S256"))

    async def sign_in(self) -> None:
        """Send Ann through both pools."""
        status = self.ann.status
        self._check(f"Corp says of Ann: {status}", status, expected="FORCE_CHANGE_PASSWORD")
        self._say("One redirect after the other. Only Corp sees a password, the old one and the new one:")
        [self._callback_url] = await self._stage.browser.visit(
            self._request.url,
            told=[
                f"Sign in as {USERNAME} with the temporary password {self._stage.password}",
                "and choose a new one: 8 characters, capital and small letters, digits, a symbol.",
            ],
        )
        arrived = self._requests()
        at_corp = self._of(arrived, self.corp, "login", "POST")
        fields = [set(entry.parameters) & _FORM for entry in at_corp]
        self._check("Corp took the temporary password and asked for another", {"new_password"} in fields, expected=True)
        self._check("Ann is confirmed now", self.ann.status, expected="CONFIRMED")
        self._check("the shop's pool never saw a form", self._of(arrived, self.shop_pool, "login", "POST"), expected=[])
        [asked] = self._of(arrived, self.corp, "authorize", "GET")
        own = asked.parameters["state"] != self._request.state and asked.parameters["nonce"] != self._request.nonce
        self._check("to Corp the shop's pool sent a state and a nonce of its own", own, expected=True)
        fetched = {entry.endpoint for entry in arrived if entry.pool_id == UPSTREAM_ID} & {"token", "jwks", "userinfo"}
        told = "then it fetched Corp's tokens, keys and userInfo itself"
        self._check(told, fetched, expected={"token", "jwks", "userinfo"})
        address, _, query = self._callback_url.partition("?")
        self._check(f"the browser came back to {address}", address, expected=self._stage.callback_uri)
        state = dict(parse_qsl(query)).get("state")
        self._check("with the shop's own state", state == self._request.state, expected=True)

    async def exchange(self) -> None:
        """Exchange the code, and look at what Corp's claims have become."""
        self._tokens = tokens = await self._client.exchange_code(self._callback_url, self._request)
        self._expect_requests("jwks", "token")
        claims = tokens.claims
        if claims is None:
            raise StepFailedError("an ID token came", expected="an ID token", came="none")
        self._claims = claims
        pool, ann = self._stage.addresses(self.shop_pool), self.ann
        self._say("The ID token is verified like any other. What it says:")
        self._check(
            f"iss: the shop's pool, {pool.issuer}", claims.iss, expected=f"{self._stage.base_url}/{DOWNSTREAM_ID}"
        )
        self._check("nonce: the one of step 3", claims.nonce == self._request.nonce, expected=True)
        self._check(f"cognito:username: {claims.username}", claims.username, expected=f"{PROVIDER}_{ann.sub}")
        self._check("sub: another one than at Corp", claims.sub == ann.sub, expected=False)
        self._check(f"email: {claims.email}, mapped from Corp's", claims.email, expected=ann.attributes["email"])
        self._check(f"name: {claims.name}, likewise", claims.name, expected=ann.attributes["name"])
        department = claims.raw.get("custom:department")
        self._check(f"custom:department: {department}", department, expected=ann.attributes["custom:department"])
        verified = claims.email_verified
        self._check("email_verified: no. Corp's yes was not mapped", verified, expected=False)
        [identity] = claims.identities
        came_from = (identity.provider_name, identity.user_id, identity.primary)
        self._check("identities: one, at Corp, with her sub there", came_from, expected=(PROVIDER, ann.sub, True))
        group = f"{DOWNSTREAM_ID}_{PROVIDER}"
        self._check(f"cognito:groups: {group}, by itself", claims.groups, expected=(group,))

    async def protect(self) -> None:
        """Be the API of the shop."""
        api = self._stage.verifier(self._shop)
        claims = await api.verify_access_token(self._tokens.access_token, required_scopes=(READ,))
        self._expect_requests("jwks")
        self._check(f"accepted: {claims.username}, with {READ}", claims.sub, expected=self._claims.sub)
        issuer = self._stage.addresses(self.corp).issuer
        foreign = self.corp.issue_access_token(self.ann, client=self._intranet, iss=issuer)
        attempt = api.verify_access_token(foreign)
        error = await self._refused("a token that Corp itself signed for Ann", attempt, InvalidClaimError)
        self._check("because of its issuer, without a request to anybody", error.claim, expected="iss")

    async def directory(self) -> None:
        """Look into the shop's pool."""
        [user] = self.shop_pool.users.values()
        self._console.rows({"username": user.username, "status": user.status, **user.attributes})
        self._check("one person is there, who came by signing in", user.username, expected=self._claims.username)
        self._check("it is who the tokens are about", user.sub, expected=self._claims.sub)
        self._check("she has no password here", (user.status, user.password), expected=("EXTERNAL_PROVIDER", None))

    async def leave_the_shop(self) -> None:
        """Log out of the downstream pool only, and come back without a password."""
        again = self._client.authorization_request(identity_provider=PROVIDER)
        goodbye = self._client.logout_url(self._stage.goodbye_uri)
        self._say("The shop logs Ann out of its own pool. Then somebody presses its login button:")
        _, callback = await self._stage.browser.visit(goodbye, again.url)
        arrived = self._requests(bare=True)
        self._check("nobody was asked for a password", self._of(arrived, self.corp, "login", "POST"), expected=[])
        tokens = await self._client.exchange_code(callback, again)
        self._requests(bare=True)
        came = tokens.claims.username if tokens.claims is not None else None
        self._check("and yet it is Ann again: Corp still knew her", came, expected=self._claims.username)

    async def leave_both(self) -> None:
        """Log out through the chain, and prove that both sessions are gone."""
        chain = self._plan.logout_chain(downstream_client_id=self._shop.client_id, final_url=self._stage.goodbye_uri)
        self._say("Its address leads to the shop's logout, which leads to Corp's, which leads back to the shop.")
        client, intranet = self._client, self._stage.client(self._intranet)
        before, after = (intranet.authorization_request(prompt="none") for _ in range(2))
        shop_after = client.authorization_request(prompt="none")
        self._say("The intranet is another application of Corp. With prompt=none a pool may show no page:")
        silent, goodbye, at_shop, at_corp = await self._stage.browser.visit(
            before.url, chain.url, shop_after.url, after.url
        )
        self._expect_requests("authorize", "logout", "logout", "authorize", "authorize")
        self._check("before, Corp let Ann into the intranet too", "code" in _query(silent), expected=True)
        self._check(f"both logouts, then {goodbye}", goodbye, expected=self._stage.goodbye_uri)
        for where, asked, came, request in (
            ("the shop", client, at_shop, shop_after),
            ("the intranet", intranet, at_corp, after),
        ):
            what = f"{where}, after the chain"
            error = await self._refused(what, asked.exchange_code(came, request), AuthorizationDeniedError)
            self._check("Ann would have to sign in again", error.error, expected="login_required")

    def shown(self, entry: JournalEntry) -> dict[str, str]:
        """Show all that the shop's pool asks of Corp: that request is its own."""
        new_in = dict(self.new_in)
        if entry.pool_id == UPSTREAM_ID and "prompt" not in entry.parameters:
            new_in["authorize"] = _ASKED
        return shown_parameters(entry, new_in)

    def _add_shop(self, production: Federation) -> EmulatedAppClient:
        """Register the shop, and forget that it should offer Corp."""
        # The chain is told of an app client that does not exist yet: what must be registered does not depend on it.
        chain = production.logout_chain(downstream_client_id="shop", final_url=self._stage.goodbye_uri)
        self._say("The shop's app client gets, beside its own addresses, the logout of Corp as a sign-out URL:")
        self._rows({"LogoutURLs": chain.downstream_logout_urls}, "LogoutURLs")
        return self.shop_pool.add_client(
            "shop",
            redirect_uris=[self._stage.callback_uri],
            logout_uris=[self._stage.goodbye_uri, *chain.downstream_logout_urls],
            scopes=_SCOPES,
            client_secret=True,
        )

    async def _problems(self) -> tuple[FederationProblem, ...]:
        """Check the plan, and show what was asked."""
        problems = await check_federation(
            self._plan,
            downstream_client_id=self._shop.client_id,
            redirect_uri=self._stage.callback_uri,
            http_client=self._stage.http,
        )
        self._requests(bare=True)
        return problems

    def _rows(self, arguments: Mapping[str, object], *names: str) -> None:
        self._console.rows({name: _text(arguments[name]) for name in names}, whole=True)

    @staticmethod
    def _of(arrived: Iterable[JournalEntry], pool: EmulatedPool, endpoint: str, method: str) -> list[JournalEntry]:
        wanted = (pool.pool_id, endpoint, method)
        return [entry for entry in arrived if (entry.pool_id, entry.endpoint, entry.method) == wanted]


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def _texts(value: object) -> list[str]:
    """Return a list of texts that stands in a request's arguments."""
    return [str(each) for each in cast("Iterable[object]", value)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ", ".join(_texts(value))
