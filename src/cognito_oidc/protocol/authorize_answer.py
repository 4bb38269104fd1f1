"""What an authorize endpoint answers to a request that nobody stands behind: does it take the request, or refuse it?

Decides what may be read from the answer, without a browser, a session or a login. Decides nothing about whose fault a
refusal is: that is `federation_checks`'s, and the command line's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit

from cognito_oidc.errors import clean_server_text
from cognito_oidc.protocol.wire import Endpoint, HttpRequest

if TYPE_CHECKING:
    from cognito_oidc.protocol.wire import HttpResponse

AuthorizeOutcome = Literal["login", "provider", "page", "refused", "unclear"]

_HTTP_OK: Final = 200
# A firewall, a proxy that wants a login of its own, a timeout, a quota: none says anything about the request.
_ABOUT_SOMETHING_ELSE: Final = (403, 407, 408, 429)
_FAULTS: Final = ("server_error", "temporarily_unavailable")  # RFC 6749 section 4.1.2.1
_CLIENT_ERRORS: Final = range(400, 500)
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_LOGIN_PAGES: Final = ("/login", "/oauth2/login")  # wire sheet 2.2
_AUTHORIZE: Final = "/oauth2/authorize"
_ERROR_CODE: Final = r"[a-z_]{3,40}"  # RFC 6749 section 4.1.2.1; Cognito's error page also gets whole sentences
_MAX_ERROR: Final = 60
_THROWN_AWAY: Final = "cognito-oidc-check"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeAnswer:
    """What came of an authorization request.

    Attributes:
        outcome: `"login"` goes on to the pool's own login page, `"provider"` to an address outside of the pool's
            domain, and `"page"` shows a page without saying which: none of the three was refused. `"refused"` is an
            error, and `"unclear"` an answer that says nothing about the request, such as a firewall's.
        error: The error in words of the server, capped and cleaned: an OAuth code, or a sentence of Cognito's error
            page; None where none came. A scope that is refused is always `"invalid_scope"`.
        target: Where the answer leads, as an absolute URL; empty where it leads nowhere. Not fit for a log.
        status: The HTTP status.
    """

    outcome: AuthorizeOutcome
    error: str | None
    target: str
    status: int

    @property
    def error_code(self) -> str | None:
        """The error, where it is a code rather than a sentence."""
        return self.error if self.error is not None and re.fullmatch(_ERROR_CODE, self.error) is not None else None


def throwaway_authorize_request(
    endpoint: str,
    *,
    client_id: str,
    redirect_uri: str,
    scope: str,
    identity_provider: str | None = None,
    code_challenge: str | None = None,
) -> HttpRequest:
    """Return the request a browser would make at the beginning of a login that nobody goes on with.

    It leaves nothing behind at Cognito: a code comes into being only when a person signs in.

    Args:
        endpoint: The pool's authorize endpoint.
        client_id: The app client.
        redirect_uri: Where the login would come back to.
        scope: Scopes, separated by spaces.
        identity_provider: The provider that is chosen; None leaves it to the person.
        code_challenge: An S256 challenge; None sends none, as a downstream pool does.

    Source: AWS, "Authorize endpoint"; wire sheet section 2.1.
    """
    form = {
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": scope,
        "response_type": "code",
        "state": _THROWN_AWAY,
        "nonce": _THROWN_AWAY,
    }
    if code_challenge is not None:
        form |= {"code_challenge": code_challenge, "code_challenge_method": "S256"}
    if identity_provider is not None:
        form["identity_provider"] = identity_provider
    url = f"{endpoint}?{urlencode(form, quote_via=quote)}"
    return HttpRequest(method="GET", url=url, endpoint=Endpoint.AUTHORIZATION, repeatable=True)


def parse_authorize_answer(response: HttpResponse, *, endpoint: str) -> AuthorizeAnswer:
    """Return what an answer of the authorize endpoint says.

    Args:
        response: The answer, whose redirect was not followed.
        endpoint: The authorize endpoint that was asked, an absolute URL.

    Source: AWS, "Authorize endpoint"; wire sheet sections 2.1 and 2.2.
    """
    target = _absolute(endpoint, response.headers.get("location", ""))
    error = _error_in(target)
    return AuthorizeAnswer(
        outcome=_outcome(response.status, error, target, endpoint),
        error=error,
        target=target,
        status=response.status,
    )


def _outcome(status: int, error: str | None, target: str, endpoint: str) -> AuthorizeOutcome:
    if status == _HTTP_OK:
        return "page"
    if status in _REDIRECTS and target:
        if error is not None:
            return "unclear" if error in _FAULTS else "refused"
        base = endpoint.removesuffix(_AUTHORIZE)
        path = target.removeprefix(base).partition("?")[0]
        if path in _LOGIN_PAGES:
            return "login"
        if path == "/error":
            return "refused"
        return "unclear" if target.startswith(f"{base}/") else "provider"
    return "refused" if status in _CLIENT_ERRORS and status not in _ABOUT_SOMETHING_ELSE else "unclear"


def _absolute(endpoint: str, location: str) -> str:
    """Return where a Location header leads; nowhere, where it is no URL."""
    try:
        return urljoin(endpoint, location) if location else ""
    except ValueError:
        return ""


def _error_in(target: str) -> str | None:
    """Return the error of an error page's or a callback's address; a scope error may hide in the description."""
    parts = urlsplit(target)
    query = parse_qs(parts.query) | parse_qs(parts.fragment)
    names = ("error", "error_description")
    found = [clean_server_text(value, limit=_MAX_ERROR) for name in names for value in query.get(name, [])]
    return "invalid_scope" if "invalid_scope" in found else next(iter(found), None)
