"""The way of a person to an external provider and back.

Decides what the provider is sent, who may come back, and how failures are told to the application. What the provider
is asked behind the person's back is decided by `upstream`.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-oidc-idp.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from cognito_oidc.emulator import pages, sessions
from cognito_oidc.emulator.addresses import IDP_RESPONSE_PATH
from cognito_oidc.emulator.authorization import redirect
from cognito_oidc.emulator.ledger import TRIP_SECONDS, Context, Trip
from cognito_oidc.emulator.profiles import sign_in_profile
from cognito_oidc.emulator.upstream import UpstreamError, open_upstream

if TYPE_CHECKING:
    from starlette.responses import Response

    from cognito_oidc.emulator.addresses import Errand, Incoming
    from cognito_oidc.emulator.authorization import Demand
    from cognito_oidc.emulator.providers import OidcProvider

_LOG: Final = logging.getLogger("cognito_oidc.emulator")
_BROWSER_COOKIES: Final = ("csrf-state", "csrf-state-legacy")
_NONCE_BYTES: Final = 128  # 171 characters: https://github.com/panva/oauth4webapi/issues/188
_FORWARDED_PROMPTS: Final = ("login", "select_account", "consent")


def depart(incoming: Incoming, demand: Demand) -> Errand:
    """Return how a person is sent to the provider that was chosen, whose addresses may have to be fetched first."""
    provider = incoming.pool.providers[demand.provider or ""]

    async def errand() -> Response:
        try:
            async with open_upstream(incoming, provider) as upstream:
                endpoints = await upstream.endpoints()
        except UpstreamError as error:
            return demand.refusal("invalid_request", error.description)
        pkce = incoming.pool.surroundings.behaviour.upstream_pkce
        now = incoming.pool.surroundings.clock()
        trip = Trip(
            demand=demand,
            provider=provider,
            endpoints=endpoints,
            callback=f"{incoming.place.root}{IDP_RESPONSE_PATH}",
            nonce=secrets.token_urlsafe(_NONCE_BYTES),
            code_verifier=secrets.token_urlsafe(48) if pkce else None,
            browser=secrets.token_urlsafe(24),
            started_at=now,
        )
        with incoming.pool.surroundings.lock:
            state = incoming.pool.ledger.add_trip(trip, now)
        joint = "&" if "?" in endpoints.authorize_url else "?"
        response = redirect(f"{endpoints.authorize_url}{joint}{urlencode(_parameters(trip, state))}")
        _remember_browser(incoming, response, trip.browser)
        return response

    return errand


def arrive(incoming: Incoming) -> Response | Errand:
    """Answer `/oauth2/idpresponse`, where the provider sends the person back to."""
    parameters = incoming.form if incoming.method == "POST" else incoming.query
    trip = incoming.pool.ledger.end_trip(parameters.get("state", ""))
    now = incoming.pool.surroundings.clock()
    held = {incoming.cookies.get(name, "") for name in _BROWSER_COOKIES}
    if trip is None:
        return _lost(incoming, "its state is unknown or was used before")
    if not trip.is_alive(now):
        return _lost(incoming, "it took more than five minutes")
    if not any(hmac.compare_digest(trip.browser.encode(), each.encode()) for each in held):
        return _lost(incoming, "another browser began it, or it lost its cookies")
    if "error" in parameters:
        return trip.demand.refusal(parameters["error"], parameters.get("error_description"))
    code = parameters.get("code")
    if not code:
        return trip.demand.refusal("invalid_request", f"{trip.provider.name} Error - no code was returned")

    async def errand() -> Response:
        try:
            async with open_upstream(incoming, trip.provider) as upstream:
                claims = await upstream.claims(trip, code)
            with incoming.pool.surroundings.lock:
                user = sign_in_profile(incoming.pool, trip.provider, claims, client=trip.demand.client)
                # The nonce sent to the provider becomes the claim where the application sent none.
                # Source: https://github.com/panva/oauth4webapi/issues/188
                demand = replace(trip.demand, nonce=trip.demand.nonce or trip.nonce)
                context = Context(amr=("fed",), acr=_level(trip.provider, claims.get("acr")))
                return sessions.sign_in(incoming, demand, user, provider=trip.provider.name, context=context)
        except UpstreamError as error:
            return trip.demand.refusal("invalid_request", error.description)

    return errand


def _parameters(trip: Trip, state: str) -> dict[str, str]:
    """Return what the provider is asked, in the order of real pools."""
    demand, provider = trip.demand, trip.provider
    parameters = {
        "client_id": provider.client_id,
        "redirect_uri": trip.callback,
        "scope": " ".join(provider.scopes),
        "response_type": "code",
        "state": state,
        "nonce": trip.nonce,
    }
    if trip.code_verifier is not None:
        digest = hashlib.sha256(trip.code_verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        parameters |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    if demand.login_hint is not None:
        parameters["login_hint"] = demand.login_hint
    if prompt := " ".join(each for each in _FORWARDED_PROMPTS if each in demand.prompt):
        parameters["prompt"] = prompt
    levels = provider.acr_mapping
    wanted = [levels[each] for each in demand.acr_values if each in levels] if levels else demand.acr_values
    if wanted:
        parameters["acr_values"] = " ".join(wanted)
    return parameters


def _level(provider: OidcProvider, acr: object) -> str | None:
    """Return Cognito's name of a level that the provider says was reached, if it is mapped."""
    return next((level for level, name in provider.acr_mapping.items() if name == acr), None)


def _remember_browser(incoming: Incoming, response: Response, value: str) -> None:
    """Set the cookie that ties the way back to this browser, and the one for browsers without SameSite=None."""
    secure = incoming.place.secure
    for name, same_site in zip(_BROWSER_COOKIES, ("none" if secure else "lax", None), strict=True):
        response.set_cookie(
            name,
            value,
            max_age=TRIP_SECONDS,
            path=incoming.place.cookie_path,
            secure=secure,
            httponly=True,
            samesite=same_site,  # type: ignore[arg-type] # "none" and "lax" are what it takes
        )


def _lost(incoming: Incoming, why: str) -> Response:
    """Return the page of a sign-in that cannot go on, where nothing can be told to the application."""
    _LOG.info("pool %s: a federated sign-in cannot go on: %s", incoming.pool.pool_id, why)
    return pages.error(incoming, "", status=400)
