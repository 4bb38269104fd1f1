"""What two pools answer, and what that says about their federation.

Decides which answers of the two pools show that a setting is missing or wrong. Decides nothing about how the answers
are fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, urlsplit

from cognito_oidc.errors import ProtocolError, shown
from cognito_oidc.protocol.authorize_answer import parse_authorize_answer, throwaway_authorize_request
from cognito_oidc.protocol.jwks import parse_jwks_response
from cognito_oidc.protocol.metadata import parse_provider_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.protocol.authorize_answer import AuthorizeAnswer
    from cognito_oidc.protocol.federation import Federation
    from cognito_oidc.protocol.wire import HttpRequest, HttpResponse

Side = Literal["upstream", "downstream"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FederationProblem:
    """Something that keeps two pools from working together.

    Attributes:
        code: A stable string, such as `"redirect_mismatch"`.
        side: Where it has to be changed.
        found: What was found, in words.
        cause: What it probably comes from.
        cure: What to change, and where.
    """

    code: str
    side: Side
    found: str
    cause: str
    cure: str


def upstream_authorize_request(plan: Federation) -> HttpRequest:
    """Return the request a browser would make for the downstream pool, to see whether the upstream one takes it.

    Source: wire sheet section 8, what the downstream pool sends.
    """
    return throwaway_authorize_request(
        plan.upstream.authorization_endpoint,
        client_id=plan.upstream_client_id,
        redirect_uri=plan.callback_url,
        scope=" ".join(plan.scopes),
    )


def downstream_authorize_request(plan: Federation, *, client_id: str, redirect_uri: str) -> HttpRequest:
    """Return the request a browser would make for an application, with the provider chosen."""
    return throwaway_authorize_request(
        plan.downstream.authorization_endpoint,
        client_id=client_id,
        redirect_uri=redirect_uri,
        scope="openid",
        identity_provider=plan.provider_name,
    )


def judge_discovery(plan: Federation, side: Side, response: HttpResponse) -> list[FederationProblem]:
    """Judge a pool's discovery document: is it this pool's, and does it name the domain that was given?

    Raises:
        TransportError: A 5xx, or a firewall's refusal: nothing can be said.
        RateLimitedError: Too many requests.
    """
    pool = plan.upstream if side == "upstream" else plan.downstream
    try:
        metadata = parse_provider_metadata(response, pool=pool)
    except ProtocolError as error:
        return [
            FederationProblem(
                code="discovery",
                side=side,
                found=str(error),
                cause=f"There is no user pool {pool.pool_id} in {pool.region}, or the address is not Cognito's.",
                cure="Compare the pool id, character by character, with the console: case counts.",
            )
        ]
    problems = []
    if metadata.issuer != pool.issuer:
        problems.append(
            FederationProblem(
                code="issuer_type",
                side=side,
                found=f"The pool says that its issuer is {metadata.issuer}, the plan has {pool.issuer}.",
                cause="The pool's issuer type was changed: original and updated issuer are different texts.",
                cure=f"Make the pool with UserPool.from_issuer({metadata.issuer!r}, ...): oidc_issuer must equal iss.",
            )
        )
    if metadata.authorization_endpoint is None:
        problems.append(
            FederationProblem(
                code="no_domain",
                side=side,
                found="The discovery document names no endpoint that works.",
                cause="The pool has no domain.",
                cure="Create a domain for the pool (CreateUserPoolDomain); a prefix works within a minute.",
            )
        )
    elif metadata.authorization_endpoint != pool.authorization_endpoint:
        problems.append(
            FederationProblem(
                code="other_domain",
                side=side,
                found=f"Discovery names {metadata.authorization_endpoint}, the plan {pool.authorization_endpoint}.",
                cause="With a prefix and a custom domain, discovery lists the custom one; or the domain was replaced.",
                cure="Use the domain that discovery names, at both pools, so that callbacks and cookies agree.",
            )
        )
    return problems


def judge_keys(plan: Federation, side: Side, response: HttpResponse) -> list[FederationProblem]:
    """Judge a pool's key set: the downstream pool verifies the upstream one's tokens with it.

    Raises:
        TransportError: A 5xx, or a firewall's refusal: nothing can be said.
        RateLimitedError: Too many requests.
    """
    try:
        parse_jwks_response(response, may_be_unchanged=False)
    except ProtocolError as error:
        pool = plan.upstream if side == "upstream" else plan.downstream
        return [
            FederationProblem(
                code="keys",
                side=side,
                found=str(error),
                cause=f"The keys of {pool.issuer} are not where they must be.",
                cure="Compare pool id and Region, character by character, with the console: case counts.",
            )
        ]
    return []


def judge_upstream_authorize(plan: Federation, response: HttpResponse) -> list[FederationProblem]:
    """Judge how the upstream pool takes the downstream one's request: a login page is good, an error page is not."""
    answer = parse_authorize_answer(response, endpoint=plan.upstream.authorization_endpoint)
    if answer.outcome in {"login", "page"}:
        return []
    callback = plan.callback_url
    known = {
        "redirect_mismatch": (
            f"{callback} is not, character by character, a callback URL of the upstream app client.",
            f"Add {callback} to the CallbackURLs of app client {plan.upstream_client_id} in {plan.upstream.pool_id}.",
        ),
        "invalid_scope": (
            f"The upstream app client does not have all of the scopes {' '.join(plan.scopes)}.",
            f"Add them to the AllowedOAuthScopes of app client {plan.upstream_client_id}.",
        ),
        "unauthorized_client": (
            "The authorization code grant is not switched on for the upstream app client.",
            "Set AllowedOAuthFlowsUserPoolClient to true and AllowedOAuthFlows to code.",
        ),
    }
    cause, cure = known.get(
        answer.error or "",
        (
            "The upstream app client does not exist, or has no identity provider of its own (COGNITO) switched on.",
            f"Look at app client {plan.upstream_client_id or '(none given)'} of {plan.upstream.pool_id}.",
        ),
    )
    return [_authorize_problem("upstream", answer, cause, cure)]


def judge_downstream_authorize(plan: Federation, client_id: str, response: HttpResponse) -> list[FederationProblem]:
    """Judge where the downstream pool sends a browser that asked for the provider: it must be the upstream pool."""
    answer = parse_authorize_answer(response, endpoint=plan.downstream.authorization_endpoint)
    if answer.outcome == "provider" and answer.target.partition("?")[0] == plan.upstream.authorization_endpoint:
        return _judge_upstream_target(plan, parse_qs(urlsplit(answer.target).query))
    known = {
        "redirect_mismatch": (
            "The redirect_uri is not, character by character, a callback URL of the application's app client.",
            f"Add it to the CallbackURLs of app client {client_id}.",
        ),
        "invalid_scope": ("The application's app client does not have the scope openid.", "Allow it openid."),
        "unauthorized_client": (
            "The authorization code grant is not switched on for the application's app client.",
            "Set AllowedOAuthFlowsUserPoolClient to true and AllowedOAuthFlows to code.",
        ),
    }
    cause, cure = known.get(
        answer.error or "",
        (
            (
                f"The app client does not offer {plan.provider_name!r} (Cognito then says 'Login option is not "
                "available. Please try another one'), or the provider's authorize address is another one."
            ),
            f"Create the provider under exactly this name, and add it to SupportedIdentityProviders of {client_id}.",
        ),
    )
    return [_authorize_problem("downstream", answer, cause, cure)]


def _judge_upstream_target(plan: Federation, form: Mapping[str, list[str]]) -> list[FederationProblem]:
    """Judge what the downstream pool says to the upstream one."""
    wanted = {
        "client_id": (plan.upstream_client_id, "client_id of the provider's details"),
        "redirect_uri": (plan.callback_url, "the downstream pool's domain"),
    }
    problems = []
    for name, (expected, where) in wanted.items():
        actual = (form.get(name) or [""])[0]
        if actual != expected:
            problems.append(
                FederationProblem(
                    code=f"other_{name}",
                    side="downstream",
                    found=f"The downstream pool sends {name}={shown(actual)}, the plan has {shown(expected)}.",
                    cause="The identity provider was set up with other values than the plan's.",
                    cure=f"Compare {where} with the plan, and update the provider (UpdateIdentityProvider).",
                )
            )
    missing = set(plan.scopes) - set((form.get("scope") or [""])[0].split())
    if missing:
        problems.append(
            FederationProblem(
                code="fewer_scopes",
                side="downstream",
                found=f"The downstream pool does not ask for {', '.join(sorted(missing))}.",
                cause="authorize_scopes of the provider's details holds fewer scopes than the plan.",
                cure=f"Set authorize_scopes to {' '.join(plan.scopes)!r}.",
            )
        )
    return problems


def _authorize_problem(side: Side, answer: AuthorizeAnswer, cause: str, cure: str) -> FederationProblem:
    said = f"says {answer.error}" if answer.error else f"answers {answer.status} without going to the login"
    return FederationProblem(
        code=answer.error_code or "login_not_offered",
        side=side,
        found=f"The {side} pool's authorize endpoint {said}.",
        cause=cause,
        cure=cure,
    )
