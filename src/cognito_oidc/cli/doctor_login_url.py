"""The address to which an application sends the browser: what is missing in it, and what does not fit.

For applications that do not use the library, or not yet. Decides what such an address must hold. Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from cognito_oidc.cli.doctor_profile import LOCAL_USERS
from cognito_oidc.cli.findings import good, unknown, wrong
from cognito_oidc.cli.spelling import differences, nearest, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.cli.doctor_profile import Subject
    from cognito_oidc.cli.findings import Check
    from cognito_oidc.protocol.authorize_answer import AuthorizeAnswer

_ABOUT: Final = "login address"
_PATHS: Final = ("/oauth2/authorize", "/login", "/oauth2/login")  # the browser's address bar has the second
_TAKEN_APART: Final = r'[&{}"]'  # JSON or a query string, which were seen to come back changed (wire sheet 2.1, state)


def judge_login_url(subject: Subject, url: str, *, plain: AuthorizeAnswer | None) -> list[Check]:
    """Judge the address that a browser is sent to for a login.

    Args:
        subject: What is looked at; it has a domain.
        url: The address, as an application makes it or as the browser shows it.
        plain: What came of a login that names no provider, to know whether people come from one anyway.
    """
    try:
        parts = urlsplit(url.strip())
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    except ValueError:
        return [unknown(_ABOUT, "What was given as the login's address is no URL.")]
    base = subject.pool.authorization_endpoint.removesuffix("/oauth2/authorize")
    if f"{parts.scheme}://{parts.netloc}{parts.path}" not in {f"{base}{path}" for path in _PATHS}:
        return [_foreign(subject, f"{parts.scheme}://{parts.netloc}{parts.path}")]
    checks = [
        *_judge_client_id(subject, query),
        *_judge_redirect_uri(subject, query),
        *_judge_response_type(query),
        *_judge_state(query),
        *_judge_nonce(query, plain),
        *_judge_challenge(subject, query),
    ]
    return checks or [good(_ABOUT, "The login's address has all that it needs: state, nonce and an S256 challenge.")]


def _foreign(subject: Subject, place: str) -> Check:
    return wrong(
        _ABOUT,
        code="other_domain",
        found=(
            f"The application sends people to {place}, and the pool's login is {subject.pool.authorization_endpoint}."
        ),
        silence="Another pool's domain answers as willingly; it only does not know this app client.",
        cure=(
            "Compare the application's domain with the profile's; logins begin at /oauth2/authorize of the pool's "
            "domain."
        ),
        topic="redirect_mismatch",
    )


def _judge_client_id(subject: Subject, query: Mapping[str, str]) -> list[Check]:
    client_id = query.get("client_id", "")
    if client_id == subject.client_id:
        return []
    return [
        wrong(
            _ABOUT,
            code="other_client",
            found=(
                f"The application is app client {visible(client_id)}, {subject.place} is {visible(subject.client_id)}."
            ),
            silence=(
                "Each app client has callback URLs, scopes and providers of its own; Cognito compares with the one it "
                "is told."
            ),
            cure="Give both the same client_id, or look at the profile of the application's app client.",
            topic="InvalidClientError: invalid_client",
        )
    ]


def _judge_redirect_uri(subject: Subject, query: Mapping[str, str]) -> list[Check]:
    uri = query.get("redirect_uri", "")
    if uri in subject.redirect_uris:
        return []
    near = nearest(uri, subject.redirect_uris)
    told = f"; the profile has {visible(near)}: {', '.join(differences(uri, near))}" if near is not None else ""
    said = f"The application comes back to {visible(uri)}, which the profile does not have{told}."
    return [unknown(_ABOUT, f"{said} Run the doctor with --redirect-uri to ask Cognito about it.")]


def _judge_response_type(query: Mapping[str, str]) -> list[Check]:
    kind = query.get("response_type", "")
    if kind == "code":
        return []
    return [
        wrong(
            _ABOUT,
            code="not_the_code_flow",
            found=f"The application asks for response_type={visible(kind)}.",
            silence="Cognito still knows the implicit grant, which puts tokens into the browser's address and history.",
            cure="Ask for response_type=code with PKCE, and switch on the authorization code grant of the app client.",
            topic="CallbackError: answer_in_fragment",
        )
    ]


def _judge_state(query: Mapping[str, str]) -> list[Check]:
    state = query.get("state", "")
    if state and re.search(_TAKEN_APART, state) is None:
        return []
    code, found = ("no_state", "The application sends no state, so any callback is as good as its own.")
    if state:
        code, found = ("state_changes", "The application's state has characters that Cognito may send back changed.")
    return [
        wrong(
            _ABOUT,
            code=code,
            found=found,
            silence="Cognito does not ask for a state, and takes apart one that holds JSON or a query string.",
            cure=(
                "Send a random state of letters and digits, and keep what you want to find again beside it, not in it."
            ),
            topic="The state comes back changed",
        )
    ]


def _judge_nonce(query: Mapping[str, str], plain: AuthorizeAnswer | None) -> list[Check]:
    """Judge a missing nonce, which shows at the first login through another provider only (wire sheet 7.5)."""
    if query.get("nonce") or "openid" not in query.get("scope", "openid").split():
        return []
    chosen = query.get("identity_provider") or query.get("idp_identifier") or ""
    sure = chosen not in {"", LOCAL_USERS} or (chosen == "" and plain is not None and plain.outcome == "provider")
    if not sure:
        said = (
            "The application sends no nonce. As long as people sign in at the pool itself that goes unnoticed; with "
            "another provider the first login brings a nonce that nobody asked for."
        )
        return [unknown(_ABOUT, said)]
    return [
        wrong(
            _ABOUT,
            code="no_nonce",
            found=f"The application sends no nonce, and people sign in through {chosen or 'another provider'}.",
            silence=(
                "Cognito then puts the random nonce that it sent the provider into the first ID token, and none into "
                "the next one: a library that compares them fails at the first login and never again, which looks "
                "like luck."
            ),
            cure="Send a random nonce with every login and compare it with the ID token's. CognitoClient always does.",
            topic="InvalidClaimError: nonce",
        )
    ]


def _judge_challenge(subject: Subject, query: Mapping[str, str]) -> list[Check]:
    """Judge a missing challenge: public clients must send one, and for confidential ones it is recommended.

    Source: RFC 9700 section 2.1.1.
    """
    if query.get("code_challenge") and query.get("code_challenge_method") == "S256":
        return []
    if subject.client_secret is not None:
        return [good(_ABOUT, "It sends no S256 challenge, which an app client with a secret should and need not.")]
    return [
        wrong(
            _ABOUT,
            code="no_pkce",
            found="The application sends no S256 code_challenge, so a stolen code is good for whoever has it.",
            silence="Cognito supports PKCE, does not ask for it, and does not announce it in its discovery document.",
            cure="Switch PKCE (S256) on in the application's library by hand; it cannot find out by itself.",
            topic="A library says that the provider does not support PKCE",
        )
    ]
