"""The doctor's visit: what is looked at, in which order, and what is asked again to tell one fault from another.

Decides which question follows which answer. What an answer means is decided by the judges, and how it is asked by
`doctor_probes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_oidc.cli.doctor_addresses import (
    judge_clock,
    judge_discovery,
    judge_domain,
    judge_keys,
    other_domain,
)
from cognito_oidc.cli.doctor_credentials import credentials_request, judge_credentials
from cognito_oidc.cli.doctor_login import (
    is_taken,
    judge_callback,
    judge_client,
    judge_provider,
    judge_scopes,
    knows_callback,
    provider_spellings,
)
from cognito_oidc.cli.doctor_login_url import judge_login_url
from cognito_oidc.cli.doctor_probes import Prober, probing, taken_ports
from cognito_oidc.cli.doctor_profile import judge_ports, judge_profile
from cognito_oidc.cli.findings import unknown
from cognito_oidc.cli.spelling import variants
from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cognito_oidc.cli.doctor_profile import Subject
    from cognito_oidc.cli.findings import Check
    from cognito_oidc.protocol.authorize_answer import AuthorizeAnswer

    Say = Callable[[str], None]


async def visit(subject: Subject, *, login_url: str | None, say: Say) -> tuple[list[Check], bool]:
    """Look at everything that can be seen without credentials of AWS.

    Args:
        subject: What is looked at.
        login_url: The address an application sends the browser to, or None.
        say: Told what happens now.

    Returns:
        The checks in order, and whether anything answered at all.
    """
    profile = judge_profile(subject)
    checks = [*profile, *judge_ports(taken_ports(subject.loopback_ports))]
    async with probing(subject) as prober:
        addresses, named = await _addresses(subject, prober, say)
        checks += addresses
        if subject.pool.domain is not None:
            checks += _unless_said(profile, await _domain(subject, prober, named, login_url, say))
        checks.append(judge_clock(prober.replies))
    return checks, bool(prober.replies)


def _unless_said(profile: Iterable[Check], seen: Iterable[Check]) -> list[Check]:
    """Return what was seen, without scopes that Cognito refuses where the profile shows already why it must."""
    said = any(check.about == "scopes" for check in profile)
    return [check for check in seen if not (said and check.about == "scopes" and check.finding is not None)]


async def _addresses(subject: Subject, prober: Prober, say: Say) -> tuple[list[Check], str | None]:
    """Look at discovery and keys; the other domain that discovery names comes along."""
    pool = subject.pool
    (other,) = (issuer for issuer in pool.accepted_issuers if issuer != pool.issuer)
    say(f"Reading {pool.discovery_url} ...")
    own = await prober.get(pool.discovery_url)
    elsewhere = await prober.get(f"{other}/.well-known/openid-configuration")
    checks = judge_discovery(subject, own, elsewhere)
    if checks[0].outcome == "good":  # without a document there are no keys either, and one finding is enough
        checks.append(judge_keys(await prober.get(pool.jwks_uri)))
    return checks, other_domain(subject, own)


async def _domain(subject: Subject, prober: Prober, named: str | None, login_url: str | None, say: Say) -> list[Check]:
    """Look at the domain, and at what its login and its token endpoint take."""
    say(f"Asking {subject.pool.authorization_endpoint} ...")
    network_works = bool(prober.replies)
    alive = await prober.get(subject.pool.authorization_endpoint)
    checks = [judge_domain(subject, alive, network_works=network_works)]
    if alive.response is None:
        return checks
    plain: AuthorizeAnswer | None = None
    if subject.callbacks:
        logins, plain = await _logins(subject, prober, named, say)
        checks += logins
    if login_url is not None:
        checks += judge_login_url(subject, login_url, plain=plain)
    try:
        request = None if subject.secret_unread else credentials_request(subject)
    except ConfigurationError:
        request = None
    if request is None:
        return checks  # what was found before says why
    say("Asking the token endpoint ...")
    credentials = judge_credentials(subject, await prober.send(request))
    if credentials.finding is not None and any(_is_refused(check) for check in checks):
        said = "The token endpoint refuses the app client as its login does: most likely the pool has no such client."
        credentials = unknown(credentials.about, said)
    return [*checks, credentials]


def _is_refused(check: Check) -> bool:
    return check.finding is not None and check.finding.code == "login_refused"


async def _logins(
    subject: Subject, prober: Prober, named: str | None, say: Say
) -> tuple[list[Check], AuthorizeAnswer | None]:
    """Look at callback URLs, scopes and provider; a fault in one must not hide another."""
    answers = {uri: await prober.login(uri) for uri in subject.callbacks}
    checks = [judge_client(subject, answers, other_domain=named)]
    base = next((uri for uri, answer in answers.items() if knows_callback(uri, answer)), None)
    for uri, answer in answers.items():
        spellings: dict[str, AuthorizeAnswer | None] = {}
        if answer is not None and answer.error_code == "redirect_mismatch":
            say(f"Trying other spellings of {uri} ...")
            spellings = {one: await prober.login(one) for one in variants(uri)}
            base = base or next((one for one, came in spellings.items() if knows_callback(one, came)), None)
        checks.append(judge_callback(subject, uri, answer, spellings))
    base = base or subject.callbacks[0]
    whole = await prober.login(base)
    single: dict[str, AuthorizeAnswer | None] = {}
    plain = whole
    if whole is not None and whole.error_code == "invalid_scope":
        say("Asking for each scope by itself ...")
        single = {scope: await prober.login(base, scopes=_beside_openid(scope)) for scope in subject.scopes}
        accepted = [scope for scope, came in single.items() if is_taken(came)]
        plain = await prober.login(base, scopes=accepted) if accepted else whole
    checks.append(judge_scopes(subject, whole, single))
    if subject.provider is not None:
        scopes = [scope for scope in subject.scopes if scope not in single or is_taken(single[scope])]
        checks.append(await _provider(subject, prober, base, scopes, plain, say))
    return checks, plain


async def _provider(  # noqa: PLR0917 - what was found out so far
    subject: Subject, prober: Prober, base: str, scopes: Iterable[str], plain: AuthorizeAnswer | None, say: Say
) -> Check:
    provider = subject.provider or ""
    chosen = tuple(scopes)
    named = await prober.login(base, scopes=chosen, provider=provider)
    spellings: dict[str, AuthorizeAnswer | None] = {}
    if named is not None and named.outcome == "refused" and is_taken(plain):
        say(f"Trying other spellings of {provider} ...")
        spellings = {one: await prober.login(base, scopes=chosen, provider=one) for one in provider_spellings(provider)}
    return judge_provider(subject, provider, plain=plain, named=named, spellings=spellings)


def _beside_openid(scope: str) -> tuple[str, ...]:
    """Return a scope with openid, which email, phone and profile cannot do without."""
    return (scope,) if scope == "openid" else ("openid", scope)
