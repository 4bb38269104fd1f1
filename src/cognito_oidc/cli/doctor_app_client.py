"""The app client's real settings, as AWS's API shows them, against the profile, character by character.

Decides which settings contradict the profile. Pure: what AWS showed is handed in. The secret is compared and not shown.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cognito_oidc.cli.doctor_profile import LOCAL_USERS
from cognito_oidc.cli.doctor_provider import judge_providers
from cognito_oidc.cli.findings import good, unknown, wrong
from cognito_oidc.cli.spelling import differences, nearest, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cognito_oidc.cli.doctor_profile import Subject
    from cognito_oidc.cli.findings import Check

_WHERE: Final = "console: App clients, Login pages"
_READS: Final = {"email": ("email", "email_verified"), "phone": ("phone_number", "phone_number_verified")}
_PREFIX_DOMAINS: Final = ".amazoncognito.com"
_RESETS: Final = "UpdateUserPoolClient resets what it is not given"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """What AWS showed.

    Attributes:
        pool: `UserPool` of DescribeUserPool.
        client: `UserPoolClient` of DescribeUserPoolClient; None where the pool has no such client.
        providers: Names of the pool's external providers.
        details: Those of the app client, name to `IdentityProvider` of DescribeIdentityProvider.
        branded: Whether the app client has a branding style; None where its domain needs none, or nobody may know.
    """

    pool: Mapping[str, object]
    client: Mapping[str, object] | None = field(repr=False)  # holds the secret
    providers: tuple[str, ...] = ()
    details: Mapping[str, Mapping[str, object]] = field(default_factory=dict, repr=False)  # hold secrets
    branded: bool | None = None


def judge_app_client(subject: Subject, settings: AwsSettings) -> list[Check]:
    """Judge the settings."""
    client = settings.client
    if client is None:
        return [_no_client(subject)]
    checks = [_judge_flows(subject, client), *([] if subject.secret_unread else [_judge_secret(subject, client)])]
    if not subject.machine:
        checks += [_judge_callback(subject, client, uri) for uri in subject.redirect_uris]
        if subject.logout_uri is not None:
            checks.append(_judge_logout(subject, client, subject.logout_uri))
        if subject.provider is not None:
            checks.append(_judge_provider(subject, client, settings.providers, subject.provider))
        checks += [_judge_attributes(subject, client), _judge_refreshing(subject, client)]
        checks += judge_providers(subject, pool=settings.pool, client=client, providers=settings.details)
        checks += _judge_branding(subject, branded=settings.branded)
    return [
        *checks,
        _judge_scopes(subject, client),
        _judge_issuer(subject, settings.pool),
        *_judge_domain(subject, settings.pool),
    ]


def _no_client(subject: Subject) -> Check:
    return wrong(
        "app client",
        code="client_not_found",
        found=f"User pool {subject.pool.pool_id} has no app client {visible(subject.client_id)}.",
        silence="On its pages Cognito says no more than that the login is not available.",
        cure=f"Correct {subject.setting('client_id')}: the console lists the ids under App clients of this very pool.",
        topic="InvalidClientError: invalid_client",
    )


def _judge_flows(subject: Subject, client: Mapping[str, object]) -> Check:
    about, needed = "app client", "client_credentials" if subject.machine else "code"
    allowed, flows = client.get("AllowedOAuthFlowsUserPoolClient") is True, _texts(client, "AllowedOAuthFlows")
    if allowed and needed in flows:
        return good(about, f"AllowedOAuthFlows has {needed}, and OAuth is switched on.")
    found = "AllowedOAuthFlowsUserPoolClient is false, so the app client has no OAuth at all"
    if allowed:
        found = f"AllowedOAuthFlows is {', '.join(flows) or 'empty'}, and the profile needs {needed}"
    return wrong(
        about,
        code="unauthorized_client",
        found=f"{subject.app_client}: {found}.",
        silence="An app client that the API makes has OAuth switched off, and shows its other settings all the same.",
        cure=(
            f"Set AllowedOAuthFlowsUserPoolClient to true and AllowedOAuthFlows to [{needed}] ({_WHERE}). "
            f"client_credentials must be alone and needs a secret. {_RESETS}: give it everything."
        ),
        topic="OAuthError: unauthorized_client" if subject.machine else "unauthorized_client at the callback",
    )


def _judge_secret(subject: Subject, client: Mapping[str, object]) -> Check:
    about, real, ours = "client secret", client.get("ClientSecret"), subject.client_secret
    topic = "InvalidClientError: invalid_client"
    silence = "Cognito says invalid_client to an unknown id, to a wrong secret and to a missing one alike."
    if isinstance(real, str) and ours is None:
        return wrong(
            about,
            code="secret_missing",
            found=f"{subject.app_client} has a secret, and {subject.place} has none.",
            silence=silence,
            cure=(
                f"Say where it is: {subject.setting('client_secret_from')}. Or make another app client, without a "
                "secret."
            ),
            topic=topic,
        )
    if real is None and ours is not None:
        return wrong(
            about,
            code="secret_not_wanted",
            found=f"{subject.place} has a secret, and {subject.app_client} has none.",
            silence=silence,
            cure=(
                f"Take {subject.setting('client_secret_from')} out, or look whether client_id is the one that was "
                "meant."
            ),
            topic=topic,
        )
    if not isinstance(real, str) or ours is None:
        return good(about, "There is none, on both sides.")
    if hmac.compare_digest(real.encode(), ours.encode("utf-8", "surrogatepass")):
        return good(about, "It is the app client's own, character by character.")
    if hmac.compare_digest(real.encode(), ours.strip().encode("utf-8", "surrogatepass")):
        return wrong(
            about,
            code="secret_refused",
            found="The secret is the app client's own but for a space or a line break at an end.",
            silence=silence,
            cure=f"Write it without at the place where {subject.setting('client_secret_from')} leads.",
            topic=topic,
        )
    said = (
        "It is not the one that DescribeUserPoolClient shows; an app client can have a second one, which is not shown."
    )
    return unknown(about, f"{said} What the token endpoint says counts.")


def _judge_callback(subject: Subject, client: Mapping[str, object], uri: str) -> Check:
    registered = _texts(client, "CallbackURLs")
    if uri in registered:
        return good("callback URL", f"{uri} is in CallbackURLs, character by character.")
    return wrong(
        "callback URL",
        code="redirect_mismatch",
        found=f"{visible(uri)} is not in CallbackURLs of {subject.app_client}. {_beside(uri, registered)}",
        silence=(
            "Cognito says redirect_mismatch on a page of its own and sends nobody back, so that a false address in a "
            "link gets nothing. It does not say which URLs it has."
        ),
        cure=f"Make both the same, in {subject.place} or in CallbackURLs ({_WHERE}, Allowed callback URLs). {_RESETS}.",
        topic="redirect_mismatch",
    )


def _judge_logout(subject: Subject, client: Mapping[str, object], uri: str) -> Check:
    registered = _texts(client, "LogoutURLs")
    if uri in registered:
        return good("sign-out URL", f"{uri} is in LogoutURLs, character by character.")
    return wrong(
        "sign-out URL",
        code="logout_mismatch",
        found=f"{visible(uri)} is not in LogoutURLs of {subject.app_client}. {_beside(uri, registered)}",
        silence="Cognito then complains of a missing redirect_uri, which is about its other form of logout.",
        cure=f"Make both the same, in {subject.place} or in LogoutURLs ({_WHERE}, Allowed sign-out URLs). {_RESETS}.",
        topic="Required String parameter 'redirect_uri' is not present",
    )


def _judge_scopes(subject: Subject, client: Mapping[str, object]) -> Check:
    allowed = _texts(client, "AllowedOAuthScopes")
    lacking = [scope for scope in subject.scopes if scope not in allowed]
    if not lacking:
        return good("scopes", f"AllowedOAuthScopes has {' '.join(subject.scopes) or ' '.join(allowed)}.")
    told = " ".join(_beside(scope, allowed) for scope in lacking)
    return wrong(
        "scopes",
        code="invalid_scope",
        found=f"AllowedOAuthScopes of {subject.app_client} lacks {', '.join(map(visible, lacking))}. {told}",
        silence="Cognito refuses the whole request and does not name the scope.",
        cure=f"Make both the same, in {subject.place} or in AllowedOAuthScopes ({_WHERE}). {_RESETS}.",
        topic="OAuthError: invalid_scope" if subject.machine else "invalid_scope, invalid_request at the callback",
    )


def _judge_provider(subject: Subject, client: Mapping[str, object], providers: tuple[str, ...], name: str) -> Check:
    supported = _texts(client, "SupportedIdentityProviders")
    if name in supported:
        return good("provider", f"SupportedIdentityProviders has {name}.")
    found = f"SupportedIdentityProviders of {subject.app_client} lacks {visible(name)}. {_beside(name, supported)}"
    cure = f"Add it to SupportedIdentityProviders ({_WHERE}, Identity providers). {_RESETS}."
    if name not in (*providers, LOCAL_USERS):
        found = f"{found} The pool has no provider of this name either. {_beside(name, providers)}"
        cure = f"Correct {subject.setting('provider')}, or create the provider under exactly this name and then add it."
    return wrong(
        "provider",
        code="login_option_not_available",
        found=found,
        silence=(
            "Cognito says 'Login option is not available' to a provider that is not there, not switched on, or "
            "misspelt, on a page of its own."
        ),
        cure=cure,
        topic="Login option is not available. Please try another one",
    )


def _judge_branding(subject: Subject, *, branded: bool | None) -> list[Check]:
    """Judge whether managed login has something to show (wire sheet 2.3)."""
    if branded is not False:
        return []
    return [
        wrong(
            "branding",
            code="no_branding",
            found=f"{subject.app_client} has no branding style, and its domain has managed login.",
            silence="Everything is answered as it should be; only the page that comes up is empty or an error.",
            cure=(
                "Create a style for it (console: Managed login, Create style; CreateManagedLoginBranding), or switch "
                "the domain to the classic hosted UI."
            ),
            topic="Nothing is shown at all",
        )
    ]


def _judge_attributes(subject: Subject, client: Mapping[str, object]) -> Check:
    """Judge whether the client may read what its scopes imply; without a list it may read everything."""
    about, readable = "attributes", _texts(client, "ReadAttributes")
    needed = {name: scope for scope, names in _READS.items() if scope in subject.scopes for name in names}
    lacking = [name for name in needed if readable and name not in readable]
    if not lacking:
        return good(about, "The app client may read what its scopes imply.")
    return wrong(
        about,
        code="unreadable_attribute",
        found=f"{subject.app_client} may not read {', '.join(lacking)}, which the scope {needed[lacking[0]]} implies.",
        silence="The login works to its end, and then the code is refused with invalid_grant, as an old code would be.",
        cure=f"Add them to ReadAttributes (console: App clients, Attribute permissions), or ask for less. {_RESETS}.",
        topic="InvalidGrantError after a login: invalid_grant",
    )


def _judge_refreshing(subject: Subject, client: Mapping[str, object]) -> Check:
    """Judge revocation and rotation (wire sheet 3.3 and 5)."""
    about = "refresh tokens"
    if client.get("EnableTokenRevocation") is False:
        return wrong(
            about,
            code="revocation_off",
            found=f"EnableTokenRevocation of {subject.app_client} is false.",
            silence=(
                "Logins and refreshes work; only /oauth2/revoke answers invalid_request, and tokens have no origin_jti."
            ),
            cure=f"Set EnableTokenRevocation to true (console: App clients, Edit, Enable token revocation). {_RESETS}.",
            topic="revoke answers invalid_request",
        )
    rotation = client.get("RefreshTokenRotation")
    if not isinstance(rotation, dict) or rotation.get("Feature") != "ENABLED":
        return good(about, "They can be revoked, and stay the same at a refresh (rotation is off).")
    if "ALLOW_REFRESH_TOKEN_AUTH" in _texts(client, "ExplicitAuthFlows"):
        return wrong(
            about,
            code="rotation_with_refresh_auth",
            found=f"{subject.app_client} rotates refresh tokens and has ALLOW_REFRESH_TOKEN_AUTH as well.",
            silence="Logins work; with rotation on, refreshing by the API (InitiateAuth) does not.",
            cure=(
                "Take ALLOW_REFRESH_TOKEN_AUTH out of ExplicitAuthFlows; the token endpoint needs no such flow. "
                f"{_RESETS}."
            ),
            topic="InvalidGrantError at a refresh: invalid_grant",
        )
    grace = rotation.get("RetryGracePeriodSeconds", 0)
    return good(about, f"They can be revoked, and a refresh replaces them; the old one works for {grace} s more.")


def _judge_issuer(subject: Subject, pool: Mapping[str, object]) -> Check:
    configuration = pool.get("IssuerConfiguration")
    kind = configuration.get("Type") if isinstance(configuration, dict) else None
    actual = "original" if kind is None else str(kind).lower()
    if actual == subject.pool.issuer_type:
        return good("issuer", f"Tokens carry {subject.pool.issuer}.")
    return wrong(
        "issuer",
        code="issuer_type",
        found=f"The pool's issuer is of the {actual} type, and {subject.place} computes {subject.pool.issuer}.",
        silence=(
            "The issuer was changed in the console and nothing is announced: tokens carry another iss from then on."
        ),
        cure=f'Write issuer_type = "{actual}" into {subject.file}, and tell whatever compares iss with a fixed text.',
        topic="Issuer mismatch after somebody changed the issuer type",
    )


def _judge_domain(subject: Subject, pool: Mapping[str, object]) -> list[Check]:
    real = [str(pool[name]) for name in ("Domain", "CustomDomain") if pool.get(name)]
    ours = subject.pool.domain
    prefix = ours.partition(".")[0] if ours is not None and ours.endswith(_PREFIX_DOMAINS) else ours
    if ours is None or "://" in ours or prefix in real:
        return []
    return [
        wrong(
            "domain",
            code="other_domain",
            found=f"{subject.place} has the domain {visible(ours)}, and the pool has {' and '.join(real) or 'none'}.",
            silence="Another pool's domain answers as willingly; it only does not know this app client.",
            cure=f"Write the pool's own into {subject.setting('domain')}, or create it (console: Branding, Domain).",
            topic="ConfigurationError: ... needs the pool's domain",
        )
    ]


def _beside(wanted: str, there: Iterable[str]) -> str:
    """Say what is there instead: the nearest with its differences, or all."""
    every = tuple(there)
    near = nearest(wanted, every)
    if near is not None:
        return f"There is {visible(near)}, which has {', '.join(differences(wanted, near))}."
    return f"There is {', '.join(map(visible, every))}." if every else "There is none at all."


def _texts(values: Mapping[str, object], name: str) -> tuple[str, ...]:
    found = values.get(name)
    return tuple(map(str, found)) if isinstance(found, list | tuple) else ()
