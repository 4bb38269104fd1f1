"""Look whether two pools are set up as a plan says: fetches what the judges of `protocol.federation` need.

Decides what is asked, and in which order. Decides nothing about what the answers mean.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cognito_oidc._transport import Transport
from cognito_oidc.errors import CognitoOidcError, ConfigurationError
from cognito_oidc.protocol.federation_checks import (
    FederationProblem,
    downstream_authorize_request,
    judge_discovery,
    judge_downstream_authorize,
    judge_keys,
    judge_upstream_authorize,
    upstream_authorize_request,
)
from cognito_oidc.protocol.jwks import jwks_request
from cognito_oidc.protocol.metadata import discovery_request

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx  # noqa: TID251 - a type alone

    from cognito_oidc._http_client import AsyncHttpClient
    from cognito_oidc.protocol.federation import Federation
    from cognito_oidc.protocol.federation_checks import Side
    from cognito_oidc.protocol.provider import UserPool
    from cognito_oidc.protocol.wire import HttpRequest, HttpResponse

    Judge = Callable[[HttpResponse], list[FederationProblem]]


async def check_federation(
    plan: Federation,
    *,
    downstream_client_id: str | None = None,
    redirect_uri: str | None = None,
    http_client: httpx.AsyncClient | AsyncHttpClient | None = None,
) -> tuple[FederationProblem, ...]:
    """Return what keeps two pools from working together; empty is good. Nobody is logged in and nothing is changed.

    Reads both discovery documents and key sets, asks the upstream pool's authorize endpoint as the downstream pool
    would, and, with an app client, the downstream pool's as an application would.

    Args:
        plan: The plan; without an upstream app client its authorize endpoint is not asked.
        downstream_client_id: An application's app client of the downstream pool, to follow its way as well.
        redirect_uri: One of that client's callback URLs.
        http_client: An `httpx.AsyncClient`, or a client of that shape; it is not closed.

    Raises:
        ConfigurationError: A pool has no domain, or `redirect_uri` is missing beside `downstream_client_id`.

    Source: AWS, "Using OIDC identity providers with a user pool".
    """
    if downstream_client_id is not None and redirect_uri is None:
        msg = "check_federation needs redirect_uri= beside downstream_client_id=: one of its callback URLs."
        raise ConfigurationError(msg)
    questions: list[tuple[Side, HttpRequest, Judge]] = []
    sides: tuple[tuple[Side, UserPool], ...] = (("upstream", plan.upstream), ("downstream", plan.downstream))
    for side, pool in sides:
        questions += [
            (side, discovery_request(pool.discovery_url), partial(judge_discovery, plan, side)),
            (side, jwks_request(pool.jwks_uri, etag=None), partial(judge_keys, plan, side)),
        ]
    if plan.upstream_client_id:
        questions.append(("upstream", upstream_authorize_request(plan), partial(judge_upstream_authorize, plan)))
    if downstream_client_id is not None and redirect_uri is not None:
        request = downstream_authorize_request(plan, client_id=downstream_client_id, redirect_uri=redirect_uri)
        questions.append(("downstream", request, partial(judge_downstream_authorize, plan, downstream_client_id)))
    transport = Transport(http_client)
    try:
        return tuple([problem for question in questions for problem in await _ask(transport, *question)])
    finally:
        await transport.aclose()


async def _ask(transport: Transport, side: Side, request: HttpRequest, judge: Judge) -> list[FederationProblem]:
    try:
        return judge(await transport.send(request))
    except CognitoOidcError as error:
        host = request.url.split("/")[2]
        return [
            FederationProblem(
                code="unreachable",
                side=side,
                found=str(error),
                cause=(*error.explain(), f"{host} does not answer.")[0],
                cure=f"Check the domain and that {host} can be reached from where Cognito and you are.",
            )
        ]
