"""What a profile says, and what can be seen of it without asking anybody.

Decides which settings cannot work, whatever the pool has. Pure: what the environment holds is read before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cognito_oidc.cli.findings import good, unknown, wrong
from cognito_oidc.cli.profiles import VARIABLES
from cognito_oidc.cli.spelling import visible
from cognito_oidc.errors import ConfigurationError
from cognito_oidc.protocol.authorization import check_redirect_uri
from cognito_oidc.protocol.client_authentication import check_client_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc import UserPool
    from cognito_oidc.cli.findings import Check

LOCAL_USERS: Final = "COGNITO"
_OF_OPENID: Final = ("email", "phone", "profile")
_PLAIN: Final = ("openid", *_OF_OPENID, "aws.cognito.signin.user.admin")  # wire sheet 2.1, scopes
_SECRET: Final = r"[\w+]{24,64}"  # M: ClientSecretType
_LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is looked at: a profile, with its secret read and its addresses computed.

    Attributes:
        profile: The name of the profile, or None where variables and options alone say what is meant.
        pool: The user pool.
        client_id: The app client.
        client_secret: Its secret; None for a public client.
        secret_unread: Whether it has a secret that could not be read, so that nothing can be said about it.
        machine: Whether it gets tokens for itself, without a person.
        redirect_uris: Its callback URLs; empty for a machine.
        scopes: What is asked for.
        provider: The provider that people sign in with; None leaves them the choice.
        logout_uri: Where a logout goes, or None.
    """

    profile: str | None = None
    pool: UserPool
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    secret_unread: bool = False
    machine: bool = False
    redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("openid",)
    provider: str | None = None
    logout_uri: str | None = None

    @property
    def place(self) -> str:
        """Where its settings are."""
        return f"profile {self.profile!r}" if self.profile else "the environment"

    @property
    def file(self) -> str:
        """Where a setting is written that has no variable."""
        return self.place if self.profile else "a profile"

    def setting(self, name: str) -> str:
        """Return what one setting is called, where a person would change it."""
        if self.profile:
            return f"{name} of profile {self.profile!r}"
        if name == "client_secret_from":
            return f"COGNITO_CLIENT_SECRET or {VARIABLES[name]}"
        option = "--" + name.replace("redirect_uris", "redirect_uri").replace("scopes", "scope").replace("_", "-")
        return f"{VARIABLES[name]} (or {option})"

    @property
    def app_client(self) -> str:
        """The app client, as a person finds it in the console."""
        return f"app client {self.client_id} of user pool {self.pool.pool_id}"

    @property
    def callbacks(self) -> tuple[str, ...]:
        """The callback URLs that could be registered; of the others nobody needs to be asked."""
        return tuple(uri for uri in self.redirect_uris if _form_of(uri) is None)

    @property
    def loopback_ports(self) -> Mapping[str, int]:
        """Callback URLs on this machine, each with its port."""
        ports = {}
        for uri in self.callbacks:
            parts = urlsplit(uri)
            if parts.scheme == "http" and parts.hostname in _LOOPBACK_HOSTS:
                ports[uri] = parts.port or 80
        return ports


def judge_profile(subject: Subject) -> list[Check]:
    """Judge what the profile says by itself: every setting that cannot work, or that they fit together."""
    judged = (
        _judge_domain(subject),
        _judge_client_id(subject),
        _judge_secret(subject),
        *(_judge_redirect_uri(subject, uri) for uri in subject.redirect_uris),
        _judge_purpose(subject),
        _judge_scopes(subject),
    )
    kind = "a machine" if subject.machine else "people"
    return [each for each in judged if each is not None] or [
        good("profile", f"Its settings fit together, for {kind} to get tokens with.")
    ]


def judge_ports(taken: Mapping[str, str]) -> list[Check]:
    """Judge whether a login could listen on this machine.

    Args:
        taken: Callback URL to the reason why its port cannot be had; an empty reason for a port that is free.
    """
    free = [uri for uri, reason in taken.items() if not reason]
    checks = [
        good("loopback port", f"{uri} is free to listen on.")
        if uri in free
        else unknown("loopback port", f"{uri} cannot be listened on now ({reason}); the login takes {free[0]}.")
        for uri, reason in taken.items()
        if uri in free or free
    ]
    if taken and not free:
        tried = ", ".join(f"{uri} ({reason})" for uri, reason in taken.items())
        checks.append(
            wrong(
                "loopback port",
                code="port_taken",
                found=f"No port of this profile is free: {tried}.",
                silence="Cognito knows nothing about this machine: the browser would show the other program's page.",
                cure=(
                    "End the program that has the port (`lsof -i :PORT` names it), or register one more callback URL "
                    "with another port, at the app client and in the profile."
                ),
                topic="No loopback port is free",
            )
        )
    return checks


def _judge_domain(subject: Subject) -> Check | None:
    if subject.pool.domain is not None:
        return None
    return wrong(
        "domain",
        code="no_domain",
        found=f"{subject.place} names no domain.",
        silence=(
            "Keys and discovery answer without one, so the pool looks complete; login, tokens and userInfo do not "
            "exist until it has a domain."
        ),
        cure=(
            "Put domain into the profile (or COGNITO_DOMAIN): the console has it under Branding, Domain. If there is "
            "none, create one there."
        ),
        topic="ConfigurationError: ... needs the pool's domain",
    )


def _judge_client_id(subject: Subject) -> Check | None:
    try:
        check_client_id(subject.client_id)
    except ConfigurationError as error:
        return wrong(
            "app client",
            code="client_id",
            found=str(error),
            silence="Cognito only says that it does not know the client.",
            cure="Copy the Client ID from the console (App clients), not the client's name.",
            topic="InvalidClientError: invalid_client",
        )
    return None


def _judge_secret(subject: Subject) -> Check | None:
    secret = subject.client_secret
    if secret is None or re.fullmatch(_SECRET, secret, re.ASCII) is not None:
        return None
    spaces = secret != secret.strip()
    shape = "it has a space or a line break at an end" if spaces else f"it has {len(secret)} characters"
    return wrong(
        "client secret",
        code="secret_form",
        found=(
            f"What was found in place of the client secret is none: {shape}. Secrets have 24 to 64 letters and digits."
        ),
        silence="Cognito answers invalid_client to every wrong secret and never says what is wrong with it.",
        cure=(
            f"Look at where {subject.setting('client_secret_from')} leads; a file must hold the secret and nothing "
            "else."
        ),
        topic="InvalidClientError: invalid_client",
    )


def _judge_redirect_uri(subject: Subject, uri: str) -> Check | None:
    problem = _form_of(uri)
    if problem is None:
        return None
    return wrong(
        "callback URL",
        code="redirect_uri_form",
        found=f"{visible(uri)}: {problem}",
        silence="Such a URL cannot be registered, so Cognito says redirect_mismatch, on a page of its own.",
        cure=f"Correct {subject.setting('redirect_uris')}, and register the same text at the app client.",
        topic="redirect_mismatch",
    )


def _form_of(uri: str) -> str | None:
    """Say what keeps a callback URL from being registered, if anything does."""
    try:
        check_redirect_uri(uri, what="The callback URL")
        urlsplit(uri).port  # noqa: B018 - it may be out of range
    except ConfigurationError as error:
        return str(error)
    except ValueError:
        return "its port is none: expected 1 to 65535."
    return None


def _judge_purpose(subject: Subject) -> Check | None:
    """Say what cannot be looked at without a callback URL; whoever verifies tokens needs neither it nor a secret."""
    if subject.redirect_uris or subject.machine:
        return None
    said = (
        f"{subject.place} has no callback URL and no secret: enough to verify tokens, and no login can be looked at. "
        f"For one write {subject.setting('redirect_uris')}, as registered at the app client."
    )
    return unknown("callback URL", said)


def _judge_scopes(subject: Subject) -> Check | None:
    about, scopes = "scopes", subject.scopes
    silence = "Cognito answers invalid_scope to the whole request, and does not name the scope."
    if "offline_access" in scopes:
        return wrong(
            about,
            code="offline_access",
            found="offline_access is asked for, which other providers have and Cognito has not.",
            silence=silence,
            cure=f"Take it out of {subject.setting('scopes')}: a login always brings a refresh token.",
            topic="invalid_scope, invalid_request at the callback",
        )
    bare = [scope for scope in scopes if scope not in _PLAIN and "/" not in scope]
    if any("," in scope for scope in bare):
        return wrong(
            about,
            code="scopes_with_commas",
            found=f"{' '.join(map(visible, bare))} has a comma, and scopes are separated by spaces.",
            silence=silence,
            cure=f"Write {subject.setting('scopes')} with spaces and no commas, such as 'openid email'.",
            topic="invalid_scope, invalid_request at the callback",
        )
    if bare:
        return wrong(
            about,
            code="scope_without_server",
            found=f"{', '.join(map(visible, bare))} is written without its resource server.",
            silence=silence,
            cure=(
                "Write it as Cognito does, resource server first, such as 'orders/read', in "
                f"{subject.setting('scopes')}."
            ),
            topic="invalid_scope, invalid_request at the callback",
        )
    if subject.machine:
        return _judge_machine_scopes(subject)
    alone = [scope for scope in _OF_OPENID if scope in scopes and "openid" not in scopes]
    if alone:
        return wrong(
            about,
            code="scope_needs_openid",
            found=f"{', '.join(alone)} is asked for without openid.",
            silence=silence,
            cure=f"Add openid to {subject.setting('scopes')}: the three exist only beside it.",
            topic="invalid_scope, invalid_request at the callback",
        )
    return None


def _judge_machine_scopes(subject: Subject) -> Check | None:
    of_people = [scope for scope in subject.scopes if scope in _PLAIN]
    if not of_people:
        return None
    return wrong(
        "scopes",
        code="scope_of_a_person",
        found=f"{', '.join(of_people)} is about a person, and a machine's token has none.",
        silence="Cognito answers invalid_scope and does not say that client credentials know custom scopes only.",
        cure=f"Ask for scopes of a resource server, such as 'orders/read', in {subject.setting('scopes')}.",
        topic="OAuthError: invalid_scope",
    )
