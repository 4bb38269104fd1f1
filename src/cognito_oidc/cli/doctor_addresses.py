"""What the pool's addresses answer: discovery, keys, issuer, domain, TLS, and the clock against the server's.

Decides what the answers say about the profile. Pure: what came is handed in, also where nothing came. A network that
fails says nothing about a profile, but for a name that nobody has and a certificate that nobody may trust.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from cognito_oidc.cli.findings import good, unknown, wrong
from cognito_oidc.errors import CognitoOidcError, ProtocolError, RateLimitedError, TransportError
from cognito_oidc.protocol.jwks import parse_jwks_response
from cognito_oidc.protocol.metadata import parse_provider_metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cognito_oidc import ProviderMetadata
    from cognito_oidc.cli.doctor_profile import Subject
    from cognito_oidc.cli.findings import Check
    from cognito_oidc.protocol.wire import HttpResponse

Trouble = Literal["name", "certificate", "network"]

_MAX_DIFFERENCE: Final = 60  # seconds; beyond it the library refuses tokens as coming from the future
_WORTH_SAYING: Final = 5
_HALF_SECOND: Final = 0.5  # Date is in whole seconds
_AUTHORIZE: Final = "/oauth2/authorize"
_ISSUER_MOVED: Final = "Issuer mismatch after somebody changed the issuer type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of one request.

    Attributes:
        url: What was asked, without its query.
        response: The answer, or None where none came.
        trouble: Why none came: the host's name is unknown, its certificate cannot be trusted, or anything else.
        words: The same for people, without secrets; empty where an answer came.
        asked_at: Epoch seconds by this machine's clock when the request left.
        answered_at: The same when the answer was there.
        tls: The version of TLS, or None without.
    """

    url: str
    response: HttpResponse | None = None
    trouble: Trouble | None = None
    words: str = ""
    asked_at: float = 0.0
    answered_at: float = 0.0
    tls: str | None = None

    @property
    def host(self) -> str:
        """Host and port that were asked."""
        return urlsplit(self.url).netloc


def judge_discovery(subject: Subject, reply: Reply, other: Reply) -> list[Check]:
    """Judge the discovery document of the profile's issuer, beside that of the pool's other issuer.

    Args:
        subject: What is looked at.
        reply: What the issuer host of the profile answered.
        other: What the host of the other issuer type answered.
    """
    metadata, problem = _metadata(subject, reply)
    elsewhere, _ = _metadata(subject, other)
    if isinstance(problem, ProtocolError) and elsewhere is not None:  # not where its host only failed to answer
        return [_other_issuer(subject, elsewhere.issuer)]
    if metadata is None:
        return [_no_document(subject, reply, problem)]
    about = "discovery"
    checks = [good(about, f"{reply.host} has the document of {subject.pool.pool_id}.")]
    if metadata.issuer != subject.pool.issuer:
        checks.append(_other_issuer(subject, metadata.issuer))
    elif elsewhere is not None and elsewhere.issuer != metadata.issuer:
        said = (
            "Both issuers of the pool are served, so which one it puts into tokens cannot be told from here; the "
            "library accepts both, and --aws reads the setting."
        )
        checks.append(unknown("issuer", said))
    else:
        checks.append(good("issuer", f"It is {metadata.issuer}, as the document says."))
    return [*checks, *_judge_named_domain(subject, metadata)]


def other_domain(subject: Subject, reply: Reply) -> str | None:
    """Return the domain that the discovery document names, where the profile has another one."""
    metadata, _ = _metadata(subject, reply)
    if metadata is None or metadata.authorization_endpoint is None or subject.pool.domain is None:
        return None
    if metadata.authorization_endpoint == subject.pool.authorization_endpoint:
        return None
    return metadata.authorization_endpoint.removesuffix(_AUTHORIZE)


def judge_keys(reply: Reply) -> Check:
    """Judge the key set."""
    about = "keys"
    if reply.response is None:
        return _no_answer(about, reply)
    try:
        keys = parse_jwks_response(reply.response, may_be_unchanged=False)
    except (TransportError, RateLimitedError):
        return unknown(about, f"{reply.host} answered {reply.response.status}, which says nothing about the keys.")
    except ProtocolError as error:
        return wrong(
            about,
            code="keys",
            found=f"There are no usable keys at {reply.url}: {error}",
            silence="A verifier only says that it cannot have the keys; the address is right for another pool.",
            cure="Compare pool_id and region, character by character, with the console: case counts.",
            topic="KeysUnavailableError",
        )
    count = len(keys.keys) if keys is not None else 0
    return good(about, f"{count} keys are published, and tokens can be verified with them.")


def judge_clock(replies: Sequence[Reply]) -> Check:
    """Judge this machine's clock against the Date headers that came."""
    about = "clock"
    measured = [each for reply in replies if (each := _difference(reply)) is not None]
    if not measured:
        return unknown(about, "No answer said what time it is there.")
    uncertain, difference = min((uncertain, difference) for difference, uncertain in measured)
    size = abs(difference)
    way = "ahead of" if difference > 0 else "behind"
    if size - uncertain <= _WORTH_SAYING:
        return good(about, "This machine's clock agrees with the server's.")
    if size - uncertain <= _MAX_DIFFERENCE:
        return good(about, f"This machine's clock is about {size:.0f} s {way} the server's: good enough, not good.")
    effect = "good tokens look expired" if difference > 0 else "fresh tokens look as if they came from the future"
    return wrong(
        about,
        code="clock",
        found=f"This machine's clock is {size:.0f} s {way} the server's, so {effect}.",
        silence="Cognito signs its own time into tokens and never sees this clock; only a verifier here notices.",
        cure="Set the clock by a time server (timedatectl, chrony, w32tm), before you raise leeway anywhere.",
        topic='InvalidClaimError: iat, "lies ahead"' if difference < 0 else "ExpiredTokenError",
    )


def judge_domain(subject: Subject, reply: Reply, *, network_works: bool) -> Check:
    """Judge whether the domain is alive: any answer of its authorize endpoint will do.

    Args:
        subject: What is looked at.
        reply: What came.
        network_works: Whether another host answered, so that the fault is not this machine's network.
    """
    about = "domain"
    if reply.response is not None:
        tls = f" over {reply.tls}" if reply.tls else ""
        return good(about, f"{reply.host} answers{tls}.")
    if reply.trouble == "certificate":
        return _bad_certificate(about, reply)
    if reply.trouble != "name" or not network_works:
        return _no_answer(about, reply)
    return wrong(
        about,
        code="domain_not_found",
        found=f"Nobody has the name {reply.host}: {reply.words}",
        silence="Without a domain there is no Cognito that could answer: the browser shows an error of its own.",
        cure=(
            f"Compare {subject.setting('domain')} with the console (Branding, Domain). A prefix works within a minute "
            "after it was made, a custom domain needs its DNS alias and up to an hour."
        ),
        topic="ConfigurationError: ... needs the pool's domain",
    )


def _metadata(subject: Subject, reply: Reply) -> tuple[ProviderMetadata | None, CognitoOidcError | None]:
    if reply.response is None:
        return None, None
    try:
        return parse_provider_metadata(reply.response, pool=subject.pool), None
    except CognitoOidcError as error:
        return None, error


def _no_document(subject: Subject, reply: Reply, problem: CognitoOidcError | None) -> Check:
    about = "discovery"
    if problem is None:
        return _no_answer(about, reply)
    if not isinstance(problem, ProtocolError):
        return unknown(about, str(problem))
    return wrong(
        about,
        code="pool_not_found",
        found=f"{reply.host} has no document of user pool {subject.pool.pool_id}: {problem}",
        silence="The issuer host answers for every pool of the Region, and does not say that this one is not there.",
        cure=f"Compare {subject.setting('pool_id')}, character by character, with the console: case counts.",
        topic="Discovery is not found",
    )


def _other_issuer(subject: Subject, actual: str) -> Check:
    moved = next(kind for kind in ("updated", "original") if kind != subject.pool.issuer_type)
    return wrong(
        "issuer",
        code="issuer_type",
        found=f"The pool says that its issuer is {actual}; {subject.place} computes {subject.pool.issuer}.",
        silence=(
            "The pool has two issuers and one of them was chosen in the console. Nothing is announced: tokens carry "
            "another iss from then on."
        ),
        cure=(
            f'Write issuer_type = "{moved}" into {subject.file}. Whatever compares iss with a fixed text (API '
            "Gateway, a load balancer, another library, a pool that this one is the provider of) has to learn the new "
            "one."
        ),
        topic=_ISSUER_MOVED,
    )


def _judge_named_domain(subject: Subject, metadata: ProviderMetadata) -> list[Check]:
    about = "domain"
    if metadata.authorization_endpoint is None:
        return [
            wrong(
                about,
                code="pool_without_domain",
                found="The discovery document names no login endpoint that works.",
                silence="A pool without a domain has a document all the same, with addresses that do not work.",
                cure="Create a domain for the pool (console: Branding, Domain); a prefix works within a minute.",
                topic="ConfigurationError: ... needs the pool's domain",
            )
        ]
    if subject.pool.domain is None:
        host = urlsplit(metadata.authorization_endpoint).netloc
        return [
            good(about, f"Discovery says that the pool's domain is {host}: write it into {subject.setting('domain')}.")
        ]
    if metadata.authorization_endpoint == subject.pool.authorization_endpoint:
        return []
    named, ours = (
        url.removesuffix(_AUTHORIZE) for url in (metadata.authorization_endpoint, subject.pool.authorization_endpoint)
    )
    said = f"Discovery names {named}, and the profile {ours}. A pool can have a prefix and a custom domain at once."
    return [unknown(about, said)]


def _difference(reply: Reply) -> tuple[float, float] | None:
    """Return by how many seconds this clock is ahead of the server's, and how far that can be off."""
    if reply.response is None or "age" in reply.response.headers:  # a cache's copy has the time of its making
        return None
    try:
        theirs = parsedate_to_datetime(reply.response.headers.get("date", "")).timestamp()
    except ValueError:
        return None
    middle = (reply.asked_at + reply.answered_at) / 2
    return middle - theirs - _HALF_SECOND, (reply.answered_at - reply.asked_at) / 2 + _HALF_SECOND


def _no_answer(about: str, reply: Reply) -> Check:
    if reply.trouble == "certificate":
        return _bad_certificate(about, reply)
    return unknown(about, f"{reply.host} gave no answer: {reply.words}")


def _bad_certificate(about: str, reply: Reply) -> Check:
    return wrong(
        about,
        code="certificate",
        found=f"The certificate of {reply.host} cannot be trusted: {reply.words}",
        silence="The connection ends before Cognito is asked anything.",
        cure=(
            "If a proxy of your company opens TLS, let Python trust its certificate (SSL_CERT_FILE). On a custom "
            "domain, look whether its ACM certificate (us-east-1) covers this name and is not expired."
        ),
        topic="A certificate cannot be trusted",
    )
