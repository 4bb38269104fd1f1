"""Whether the token endpoint takes the app client's secret, found out with a code or a token that cannot be good.

Decides what is asked, and what the answer says about the secret. Nothing is issued: whoever is authenticated is told
that the grant is not good, and whoever is not, that the client is not. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_oidc.cli.findings import good, unknown, wrong
from cognito_oidc.errors import InvalidClientError, InvalidGrantError, OAuthError, RateLimitedError
from cognito_oidc.protocol.client_authentication import client_authentication
from cognito_oidc.protocol.oauth_errors import parse_oauth_error
from cognito_oidc.protocol.wire import Endpoint, form_request

if TYPE_CHECKING:
    from cognito_oidc.cli.doctor_addresses import Reply
    from cognito_oidc.cli.doctor_profile import Subject
    from cognito_oidc.cli.findings import Check
    from cognito_oidc.protocol.wire import HttpRequest

_ABOUT: Final = "client secret"
_NO_GRANT: Final = "cognito-oidc-doctor-no-such-grant"
_HTTP_ERROR: Final = 400


def credentials_request(subject: Subject) -> HttpRequest:
    """Return a token request of this app client that cannot succeed.

    A machine asks with a refresh token, which no setting of its app client forbids; a login's client with a code.

    Raises:
        ConfigurationError: Client id or secret cannot be sent.

    Source: AWS, "The token issuer endpoint", error responses.
    """
    authentication = client_authentication(subject.client_id, subject.client_secret, None)
    grant: tuple[tuple[str, str], ...] = (("grant_type", "refresh_token"), ("refresh_token", _NO_GRANT))
    if subject.redirect_uris:
        uri = subject.redirect_uris[0]
        grant = (("grant_type", "authorization_code"), ("code", _NO_GRANT), ("redirect_uri", uri))
    form = (*grant, *authentication.form)
    return form_request(
        subject.pool.token_endpoint, form, endpoint=Endpoint.TOKEN, headers=authentication.headers, repeatable=True
    )


def judge_credentials(subject: Subject, reply: Reply) -> Check:
    """Judge what came of it."""
    if reply.response is None:
        return unknown(_ABOUT, f"The token endpoint gave no answer: {reply.words}")
    if reply.response.status < _HTTP_ERROR:
        return unknown(_ABOUT, f"The token endpoint answered {reply.response.status} to a grant that does not exist.")
    error = parse_oauth_error(reply.response, endpoint=Endpoint.TOKEN, grant="refresh_token")
    if isinstance(error, InvalidGrantError):
        how = "takes the secret" if subject.client_secret is not None else "asks for no secret, as the profile has none"
        return good(_ABOUT, f"The token endpoint {how}.")
    if isinstance(error, InvalidClientError):
        return _refused(subject)
    if isinstance(error, OAuthError) and not isinstance(error, RateLimitedError):
        said = f"The token endpoint says {error.error}, which does not tell whether it looked at the secret."
        return unknown(_ABOUT, said)
    return unknown(_ABOUT, str(error))


def _refused(subject: Subject) -> Check:
    silence = "Cognito says invalid_client to an unknown id, to a wrong secret and to a missing one alike."
    topic = "InvalidClientError: invalid_client"
    if subject.client_secret is None:
        return wrong(
            _ABOUT,
            code="secret_missing",
            found=f"{subject.app_client} needs a secret, and {subject.place} has none: invalid_client.",
            silence=silence,
            cure=(
                f"Say where its secret is: {subject.setting('client_secret_from')}. For a program that can keep none "
                "(a browser, a telephone) make another app client, without a secret."
            ),
            topic=topic,
        )
    return wrong(
        _ABOUT,
        code="secret_refused",
        found=f"{subject.app_client} does not take the secret that was found: invalid_client.",
        silence=silence,
        cure=(
            f"Look at where {subject.setting('client_secret_from')} leads: another client's secret, a deleted one (a "
            "client can have two), or a secret for a client that has none."
        ),
        topic=topic,
    )
