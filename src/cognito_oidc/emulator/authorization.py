"""The authorization request: is it good, and how is it answered?

Decides which requests Cognito takes, where an error is told (its own page or the redirect URI, query or fragment), and
what a signed-in person is sent back with. Whether the person is signed in is decided by `browser`.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/authorization-endpoint.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus, urlencode

from starlette.responses import Response

from cognito_oidc.emulator import addresses, pages
from cognito_oidc.emulator.app_clients import LOCAL_USERS
from cognito_oidc.emulator.ledger import CODE_SECONDS, Code, SignIn
from cognito_oidc.emulator.tokens import access_token_claims, id_token_claims

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.emulator.addresses import Incoming
    from cognito_oidc.emulator.app_clients import EmulatedAppClient
    from cognito_oidc.emulator.ledger import BrowserSession

_PROMPTS: Final = frozenset({"none", "login", "select_account", "consent"})
_GRANT_OF: Final = {"code": "code", "token": "implicit"}
# https://docs.aws.amazon.com/cognito/latest/developerguide/authorization-endpoint.html, `resource`.
_RESOURCE: Final = re.compile(r"(?:http://localhost|(?!http://)[A-Za-z][A-Za-z0-9+.-]*://)[\x21\x22\x24-\x7e]*")
_MAX_AGE: Final = re.compile(r"[0-9]{1,10}")
_PROVIDER_NOT_AVAILABLE: Final = "Login option is not available. Please try another one"


class RefusedError(Exception):
    """A request that ends here; carries the answer, and never leaves the package."""

    def __init__(self, response: Response) -> None:
        super().__init__("refused")
        self.response = response


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnAddress:
    """Where the application is told what came of its request, once the redirect URI is known to be the client's."""

    redirect_uri: str
    implicit: bool
    state: str | None
    reencoded: bool

    def send(self, parameters: Mapping[str, str | None]) -> Response:
        """Redirect there with the parameters that are not None, in the fragment for the implicit grant."""
        safe = "&=" if self.reencoded else ""
        encoded = "&".join(
            f"{quote_plus(name)}={quote_plus(value, safe=safe if name == 'state' else '')}"
            for name, value in parameters.items()
            if value is not None
        )
        joint = "#" if self.implicit else "&" if "?" in self.redirect_uri else "?"
        return redirect(f"{self.redirect_uri}{joint}{encoded}")

    def refuse(self, error: str, description: str | None = None) -> RefusedError:
        """Return the error as a redirect, its parameters in the order that real pools send them."""
        return RefusedError(self.send({"error_description": description, "state": self.state, "error": error}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """An authorization request that was found good."""

    client: EmulatedAppClient
    back: ReturnAddress
    scopes: tuple[str, ...]
    nonce: str | None
    code_challenge: str | None
    prompt: frozenset[str]
    max_age: int | None
    resource: str | None
    provider: str | None
    login_hint: str | None
    acr_values: tuple[str, ...]
    base: str | None

    @property
    def state(self) -> str | None:
        """The application's state."""
        return self.back.state

    @property
    def takes_passwords(self) -> bool:
        """Whether a person of the pool's own directory may sign in."""
        return self.client.has_local_users and self.provider in {None, LOCAL_USERS}

    def accepts(self, session: BrowserSession | None, now: float) -> bool:
        """Tell whether a session is enough, as far as its age and its provider go."""
        return (
            session is not None
            and (self.max_age is None or now - int(session.created_at) <= self.max_age)
            and session.provider in self.client.identity_providers
            and self.provider in {None, session.provider}
        )

    def refusal(self, error: str, description: str | None = None) -> Response:
        """Return an error as a redirect to the application."""
        return self.back.refuse(error, description).response


def judge(incoming: Incoming) -> Demand:
    """Check an authorization request, in the order in which its errors can be told.

    Raises:
        RefusedError: It is not good; the error carries the answer.
    """
    query = incoming.query
    client, redirect_uri = _check_return_address(incoming)
    response_type = query.get("response_type")
    back = ReturnAddress(
        redirect_uri=redirect_uri,
        implicit=response_type == "token",
        state=query.get("state") or None,
        reencoded=incoming.pool.surroundings.behaviour.state_reencoded,
    )
    if response_type not in _GRANT_OF:
        raise back.refuse("invalid_request")
    if _GRANT_OF[response_type] not in client.grants:
        raise back.refuse("unauthorized_client")
    provider = _chosen_provider(incoming, client)
    challenge, method = query.get("code_challenge") or None, query.get("code_challenge_method") or None
    if (challenge is None) != (method is None) or method not in {None, "S256"}:
        raise back.refuse("invalid_request")
    prompt = frozenset(query.get("prompt", "").split())
    if not prompt <= _PROMPTS or ("none" in prompt and len(prompt) > 1):
        raise back.refuse("invalid_request")
    max_age = query.get("max_age") or None
    if max_age is not None and not _MAX_AGE.fullmatch(max_age):
        raise back.refuse("invalid_request")
    resource = query.get("resource") or None
    if "resource" in incoming.repeated or (resource is not None and not _RESOURCE.fullmatch(resource)):
        raise back.refuse("invalid_request")
    return Demand(
        client=client,
        back=back,
        scopes=_granted_scopes(incoming, client, back),
        nonce=query.get("nonce") or None,
        code_challenge=challenge,
        prompt=prompt,
        max_age=int(max_age) if max_age is not None else None,
        resource=resource,
        provider=provider,
        login_hint=query.get("login_hint") or None,
        acr_values=tuple(query.get("acr_values", "").split()),
        base=incoming.place.base,
    )


def complete(incoming: Incoming, demand: Demand, session: BrowserSession, now: float) -> Response:
    """Send a signed-in person back to the application with a code, or with tokens."""
    auth_time = int(session.created_at)
    asked = bool(demand.acr_values) or demand.max_age is not None
    context = session.context.shown(incoming.pool.surroundings.behaviour, asked=asked)
    if not demand.back.implicit:
        code = Code(
            user=session.user,
            client=demand.client,
            redirect_uri=demand.back.redirect_uri,
            scopes=demand.scopes,
            auth_time=auth_time,
            nonce=demand.nonce,
            code_challenge=demand.code_challenge,
            resource=demand.resource,
            context=context,
            expires_at=now + CODE_SECONDS,
        )
        return demand.back.send({"code": incoming.pool.ledger.add_code(code, now), "state": demand.state})
    sign_in = SignIn(
        user=session.user,
        client=demand.client,
        scopes=demand.scopes,
        auth_time=auth_time,
        nonce=demand.nonce,
        resource=demand.resource,
        context=context,
    )
    tokens = mint(incoming, incoming.pool.ledger.add_sign_in(sign_in, now), now=now, nonce=demand.nonce)
    named = {
        "id_token": tokens.get("id_token"),
        "access_token": tokens["access_token"],
        "token_type": "bearer",
        "expires_in": str(demand.client.access_token_validity),
        "state": demand.state,
    }
    return demand.back.send(named)


def mint(incoming: Incoming, sign_in: SignIn, *, now: float, nonce: str | None) -> dict[str, str]:
    """Return a fresh access token, and an ID token where `openid` was granted, with the issuer that was asked."""
    pool = incoming.pool
    issuer = addresses.issuer(pool, incoming.place.base)
    access_token = pool.keys.signing_key("access").sign(access_token_claims(sign_in, issuer=issuer, now=now), {})
    if "openid" not in sign_in.scopes:
        return {"access_token": access_token}
    claims = id_token_claims(sign_in, issuer=issuer, now=now, nonce=nonce, access_token=access_token)
    return {"id_token": pool.keys.signing_key("id").sign(claims, {}), "access_token": access_token}


def find_client(incoming: Incoming) -> EmulatedAppClient:
    """Return the app client that a browser request names.

    Raises:
        RefusedError: It names none, or one that the pool does not have.
    """
    client_id = incoming.query.get("client_id")
    if not client_id:
        raise RefusedError(pages.parameter_missing(incoming, "client_id"))
    client = incoming.pool.clients.get(client_id)
    if client is None:
        raise RefusedError(to_error_page(incoming, "invalid_client"))
    return client


def redirect(location: str) -> Response:
    """Redirect to an absolute URL, written exactly as given."""
    return Response(status_code=302, headers={"location": location})


def to_error_page(incoming: Incoming, error: str) -> Response:
    """Redirect to Cognito's own error page, where nothing can be told to the application."""
    named = {"error": error, "client_id": incoming.query.get("client_id", "")}
    return redirect(f"{incoming.place.root}/error?{urlencode(named)}")


def _check_return_address(incoming: Incoming) -> tuple[EmulatedAppClient, str]:
    """Return the app client and its callback URL; until both are known no error may leave the domain."""
    client = find_client(incoming)
    redirect_uri = incoming.query.get("redirect_uri")
    if not redirect_uri:
        # https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-app-idp-settings.html: it may be
        # left out by a client with one identity provider and one callback URL.
        if len(client.redirect_uris) != 1:
            raise RefusedError(pages.parameter_missing(incoming, "redirect_uri"))
        return client, incoming.registered(client.redirect_uris)[-1]
    if redirect_uri not in incoming.registered(client.redirect_uris):
        raise RefusedError(to_error_page(incoming, "redirect_mismatch"))
    return client, redirect_uri


def _chosen_provider(incoming: Incoming, client: EmulatedAppClient) -> str | None:
    """Return the name of the provider that the person must use, or None where they may choose.

    Names are case-sensitive, and the app client must have the provider.
    """
    name, identifier = incoming.query.get("identity_provider"), incoming.query.get("idp_identifier")
    if name:
        if name not in client.identity_providers:
            raise RefusedError(to_error_page(incoming, _PROVIDER_NOT_AVAILABLE))
        return name
    if identifier:
        for each in client.external_providers:
            if identifier in incoming.pool.providers[each].idp_identifiers:
                return each
        raise RefusedError(to_error_page(incoming, _PROVIDER_NOT_AVAILABLE))
    if not client.identity_providers:
        raise RefusedError(to_error_page(incoming, _PROVIDER_NOT_AVAILABLE))
    only = client.external_providers if not client.has_local_users else ()
    chosen = incoming.pool.surroundings.behaviour.only_provider_is_chosen
    return only[0] if chosen and len(only) == 1 else None


def _granted_scopes(incoming: Incoming, client: EmulatedAppClient, back: ReturnAddress) -> tuple[str, ...]:
    """Return the scopes that the tokens will have: those asked for, or all of the client's if none was."""
    asked = (
        tuple(dict.fromkeys(incoming.query.get("scope", "").split(" ")))
        if incoming.query.get("scope")
        else client.scopes
    )
    allowed = all(scope in client.scopes for scope in asked)
    needs_openid = {"email", "phone", "profile"}.intersection(asked) and "openid" not in asked
    if not allowed or needs_openid:
        match incoming.pool.surroundings.behaviour.authorize_scope_not_allowed:
            case "invalid_scope":
                raise back.refuse("invalid_scope")
            case "invalid_request":
                raise back.refuse("invalid_request", "invalid_scope")
            case "error_page":
                raise RefusedError(to_error_page(incoming, "invalid_scope"))
    # A scope of a resource server that was deleted meanwhile is dropped in silence (the resource-server page).
    return tuple(scope for scope in asked if incoming.pool.knows_scope(scope))
