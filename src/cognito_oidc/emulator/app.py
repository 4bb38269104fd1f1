"""The ASGI application: which endpoint answers, and what happens around every request.

Decides routing, CORS, the CSRF cookie, faults and the journal. The answers are made by `browser`, `token_endpoint`
and `backchannel`.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl

import anyio
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from cognito_oidc.emulator import accounts, addresses, backchannel, browser, federation, token_endpoint
from cognito_oidc.emulator.addresses import Incoming
from cognito_oidc.emulator.strictness import ignored_parameters, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from cognito_oidc.emulator.addresses import Errand
    from cognito_oidc.emulator.control import Controls, Fault, Surroundings
    from cognito_oidc.emulator.pools import EmulatedPool

# Swagger UI sends the last of them to every token endpoint. Pages of it that sign in at Cognito are public, such as
# suwa-yuki/swagger-3.0-oauth-with-cognito, so Cognito allows it; what else it allows is not known.
_CROSS_ORIGIN_HEADERS: Final = "Authorization, Content-Type, X-Requested-With"
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_MAX_BODY: Final = 1_048_576
_MAX_FIELDS: Final = 200
_CSRF_COOKIE: Final = "XSRF-TOKEN"
_CSRF_TOKEN: Final = re.compile(r"[\w-]{16,128}", re.ASCII)


class _Endpoint(NamedTuple):
    name: str
    handlers: Mapping[str, Callable[[Incoming], Response | Errand]]
    cross_origin: bool = False


_DOMAIN: Final = {
    "/oauth2/authorize": _Endpoint("authorize", {"GET": browser.authorize}),
    "/login": _Endpoint("login", {"GET": browser.login_page, "POST": browser.login}),
    "/oauth2/login": _Endpoint("login", {"GET": browser.login_page, "POST": browser.login}),
    "/signup": _Endpoint("signup", {"GET": accounts.sign_up_page, "POST": accounts.sign_up}),
    "/confirm": _Endpoint("confirm", {"GET": accounts.not_reached_by_link, "POST": accounts.confirm}),
    "/resendcode": _Endpoint("resendcode", {"GET": accounts.not_reached_by_link, "POST": accounts.resend_code}),
    "/confirmUser": _Endpoint("confirm_user", {"GET": accounts.confirm_by_link}),
    "/forgotPassword": _Endpoint(
        "forgot_password", {"GET": accounts.forgot_password_page, "POST": accounts.forgot_password}
    ),
    "/confirmforgotPassword": _Endpoint(
        "reset_password", {"GET": accounts.not_reached_by_link, "POST": accounts.reset_password}
    ),
    "/oauth2/idpresponse": _Endpoint("idpresponse", {"GET": federation.arrive, "POST": federation.arrive}),
    "/logout": _Endpoint("logout", {"GET": browser.logout}),
    "/error": _Endpoint("error", {"GET": browser.error_page}),
    # Source: https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html, CORS on these three.
    "/oauth2/token": _Endpoint("token", {"POST": token_endpoint.token}, cross_origin=True),
    "/oauth2/userInfo": _Endpoint(
        "userinfo", {"GET": backchannel.userinfo, "POST": backchannel.userinfo_by_post}, cross_origin=True
    ),
    "/oauth2/revoke": _Endpoint("revoke", {"POST": backchannel.revoke}, cross_origin=True),
}
_ISSUER: Final = {
    "/.well-known/openid-configuration": _Endpoint("discovery", {"GET": backchannel.discovery}),
    "/.well-known/jwks.json": _Endpoint("jwks", {"GET": backchannel.key_set}),
}
_NOT_AN_ENDPOINT: Final = _Endpoint("unknown", {})


def build_app(surroundings: Surroundings, controls: Controls, pools: Mapping[str, EmulatedPool]) -> Starlette:
    """Build the application of one emulator.

    Args:
        surroundings: The emulator's clock, switches and lock.
        controls: Its faults and journal.
        pools: Its pools by id; may grow while the application runs.
    """

    async def answer(request: Request) -> Response:
        number, received_at = controls.next_number(), surroundings.clock()
        incoming = await _read(request, surroundings, pools)
        endpoint = _endpoint(incoming)
        fault = controls.take_fault(endpoint.name)
        if fault is not None and fault.delay:
            await anyio.sleep(fault.delay)
        response = Response()
        ignored = ignored_parameters(endpoint.name, incoming) if incoming is not None else ()
        if fault is None or fault.status is None or fault.processed:
            response = await _right_answer(incoming, endpoint, surroundings, ignored)
        if fault is not None:
            response = _with_cors(_spoiled(response, fault), endpoint)
        controls.record(
            number,
            endpoint=endpoint.name,
            pool=incoming.place.pool if incoming is not None else None,
            method=request.method,
            parameters={**_first_values(request.url.query), **(incoming.form if incoming is not None else {})},
            status=response.status_code,
            received_at=received_at,
            ignored=ignored,
        )
        return response

    return Starlette(routes=[Route("/{path:path}", answer, methods=list(_METHODS))])


async def _read(request: Request, surroundings: Surroundings, pools: Mapping[str, EmulatedPool]) -> Incoming | None:
    """Return the request as the endpoints see it, or None where no pool is addressed."""
    mount = str(request.scope.get("root_path", "")).rstrip("/")
    with surroundings.lock:
        known = tuple(pools.values())
        place = addresses.find_place(
            known,
            scheme=request.url.scheme,
            netloc=request.headers.get("host", request.url.netloc),
            mount=mount,
            path=request.url.path.removeprefix(mount),
        )
    if place is None:
        return None
    pairs = _pairs(request.url.query)
    counted = Counter(name for name, _ in pairs)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_form = request.method == "POST" and content_type == "application/x-www-form-urlencoded"
    form = (await _limited_body(request)).decode("utf-8", "replace") if is_form else ""
    csrf_token = request.cookies.get(_CSRF_COOKIE, "")
    return Incoming(
        place=place,
        pools=known,
        method="GET" if request.method == "HEAD" else request.method,
        query=_first_values(request.url.query),
        form=_first_values(form),
        repeated=frozenset(name for name, count in counted.items() if count > 1),
        headers=request.headers,
        cookies=MappingProxyType(request.cookies),
        csrf_token=csrf_token if _CSRF_TOKEN.fullmatch(csrf_token) else secrets.token_urlsafe(24),
    )


def _endpoint(incoming: Incoming | None) -> _Endpoint:
    if incoming is None:
        return _NOT_AN_ENDPOINT
    table = _DOMAIN if incoming.place.surface == "domain" else _ISSUER
    return table.get(incoming.place.path, _NOT_AN_ENDPOINT)


def _spoiled(response: Response, fault: Fault) -> Response:
    """Return what a fault makes of an answer: another one, or part of it; its length is announced in full."""
    if fault.status is not None:
        response = Response(fault.body, status_code=fault.status)
    response.headers.update(fault.headers)
    if fault.truncate is not None:
        response.body = bytes(response.body)[: fault.truncate]
    return response


async def _right_answer(
    incoming: Incoming | None, endpoint: _Endpoint, surroundings: Surroundings, ignored: tuple[str, ...]
) -> Response:
    """Return the answer; the state is touched under the lock, and calls to others are made without it."""
    if incoming is None:
        return Response("No user pool of this emulator has this address.\n", status_code=404, media_type="text/plain")
    with surroundings.lock:
        refused = surroundings.strict and ignored
        outcome = refusal(incoming, endpoint.name, ignored) if refused else _outcome(incoming, endpoint)
    response = outcome if isinstance(outcome, Response) else await outcome()
    if incoming.place.surface == "domain":
        response.headers["x-amz-cognito-request-id"] = str(uuid.uuid4())
        response.set_cookie(
            _CSRF_COOKIE,
            incoming.csrf_token,
            path=incoming.place.cookie_path,
            secure=incoming.place.secure,
            httponly=True,
            samesite="lax",
        )
    return _with_cors(response, endpoint)


def _outcome(incoming: Incoming, endpoint: _Endpoint) -> Response | Errand:
    handler = endpoint.handlers.get(incoming.method)
    if handler is not None:
        return handler(incoming)
    if incoming.method == "OPTIONS" and endpoint.cross_origin:
        allowed = ", ".join([*endpoint.handlers, "OPTIONS"])
        headers = {
            "access-control-allow-methods": allowed,
            "access-control-allow-headers": _CROSS_ORIGIN_HEADERS,
            "access-control-max-age": "600",
        }
        return Response(status_code=200, headers=headers)
    if endpoint.handlers:
        return Response(status_code=405, headers={"allow": ", ".join(endpoint.handlers)})
    if incoming.place.surface == "domain":
        return Response(status_code=404)
    return backchannel.not_understood(incoming)


def _with_cors(response: Response, endpoint: _Endpoint) -> Response:
    if endpoint.cross_origin:
        response.headers["access-control-allow-origin"] = "*"
    return response


async def _limited_body(request: Request) -> bytes:
    """Read a form; what is longer than any form of a login is dropped, and then misses its parameters."""
    chunks = bytearray()
    async for chunk in request.stream():
        if len(chunks) + len(chunk) <= _MAX_BODY:
            chunks += chunk
    return bytes(chunks)


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return []


def _first_values(text: str) -> Mapping[str, str]:
    """Return the first value of each parameter, as a servlet's `getParameter` does."""
    first: dict[str, str] = {}
    for name, value in _pairs(text):
        first.setdefault(name, value)
    return MappingProxyType(first)
