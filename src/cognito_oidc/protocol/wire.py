"""The two values that cross the border between the protocol and the network, and the reading of JSON bodies.

Decides how a request and an answer look to the pure code, and what counts as a JSON object. Decides nothing about
time limits, sizes or retries: those are `_exchange`'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus, urlsplit

from cognito_oidc.errors import ConfigurationError, ProtocolError, clean_server_text, shown
from cognito_oidc.protocol.encoding import load_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LOOPBACK: Final = r"localhost|127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|\[::1\]"
_NO_HEADERS: Final[tuple[tuple[str, str], ...]] = ()
_UNRESERVED: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"  # RFC 3986 section 2.3
_JSON_TYPES: Final = ("application/json", "application/jwk-set+json")


class Endpoint(StrEnum):
    """What a request is for; names limits in the transport and appears in messages."""

    AUTHORIZATION = "authorization"
    DISCOVERY = "discovery"
    JWKS = "jwks"
    TOKEN = "token"
    USERINFO = "userinfo"
    REVOCATION = "revocation"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request, ready to be sent. Its repr shows neither headers nor body, which hold secrets.

    Attributes:
        method: `GET` or `POST`.
        url: Absolute URL. Never holds a secret.
        headers: Pairs of name and value.
        body: The bytes to send; empty for none.
        endpoint: What it is for.
        repeatable: Whether sending it twice does no harm. A code or a refresh token is never sent twice.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = field(default=_NO_HEADERS, repr=False)
    body: bytes = field(default=b"", repr=False)
    endpoint: Endpoint
    repeatable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """An answer, read to its end and decoded. Its repr shows the status alone.

    Attributes:
        status: The HTTP status code.
        headers: Names in lower case to values; of a name that came more than once, the values joined with `, `.
        body: The bytes, decompressed.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        """The media type in lower case without parameters; empty where no content type came."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def shown_type(self) -> str:
        """The media type, fit for a message."""
        return clean_server_text(self.media_type, limit=60) or "none"

    @property
    def is_json(self) -> bool:
        """Whether the content type says JSON."""
        return self.media_type in _JSON_TYPES or self.media_type.endswith("+json")


def form_request(
    url: str,
    form: Iterable[tuple[str, str]],
    *,
    endpoint: Endpoint,
    headers: tuple[tuple[str, str], ...] = (),
    repeatable: bool = False,
) -> HttpRequest:
    """Return a POST of a form.

    Source: RFC 6749 appendix B.
    """
    return HttpRequest(
        method="POST",
        url=url,
        headers=(
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Accept", "application/json"),
            *headers,
        ),
        body=b"&".join([b"%s=%s" % (_quoted(name), _quoted(value)) for name, value in form]),
        endpoint=endpoint,
        repeatable=repeatable,
    )


def _quoted(text: str) -> bytes:
    """Return a name or value as a form has it. Tokens are long and need no quoting, which one look tells."""
    data = text.encode()
    return quote_plus(data).encode("ascii") if data.translate(None, _UNRESERVED) else data


def get_request(url: str, *, endpoint: Endpoint, headers: tuple[tuple[str, str], ...] = ()) -> HttpRequest:
    """Return a GET that wants JSON; it may be repeated."""
    return HttpRequest(
        method="GET", url=url, headers=(("Accept", "application/json"), *headers), endpoint=endpoint, repeatable=True
    )


def check_url(url: str, *, what: str, allow_insecure_http: bool) -> str:
    """Return `url` if it is an absolute URL that we would send something secret to.

    Args:
        url: `https`, or `http` on loopback; no user information, query or fragment.
        what: Its name, for the message.
        allow_insecure_http: Accept `http` everywhere.

    Raises:
        ConfigurationError: It is not.
    """
    problem = None
    text = url if isinstance(url, str) else ""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        url, problem = without_user(url), "it is no URL"
    else:
        if not text.startswith(("https://", "http://")) or not parts.hostname:
            problem = "expected an absolute URL that begins with https://"
        elif re.search(r"[^\x21-\x7e]|\\", url) is not None:
            problem = "it holds a character that no URL holds"
        elif "@" in parts.netloc or "?" in url or "#" in url:
            url, problem = without_user(url), "it must not hold user information, a query or a fragment"
        elif port == 0:
            problem = "port 0 cannot be reached"
        elif parts.scheme == "http" and not (allow_insecure_http or is_loopback(url)):
            problem = (
                "http is only accepted for localhost, 127.0.0.0/8 and [::1]; use https, or allow_insecure_http=True "
                "where the network is your own"
            )
    if problem is not None:
        msg = f"{what} {shown(url)} cannot be used: {problem}."
        raise ConfigurationError(msg)
    return url


def without_user(url: str) -> str:
    """Hide what stands before the last @ of an authority: it may be a password."""
    return re.sub(r"(?<=//).*@", "***@", url)


def is_loopback(url: str) -> bool:
    """Tell whether the host of an absolute URL is this machine, by its name alone."""
    return re.match(rf"https?://(?:{_LOOPBACK})(?::[0-9]+)?(?:/|$)", url) is not None


def parse_json_object(data: bytes, *, what: str) -> dict[str, object]:
    """Return the JSON object in `data`, read as `encoding` says.

    Args:
        data: The bytes.
        what: What they are, for the message, such as `"the key set"`.

    Raises:
        ProtocolError: It is none.
    """
    try:
        return load_object(data)
    except ValueError as error:
        msg = f"Cannot use {what}: it {error}."
        raise ProtocolError(msg) from None


def parse_json_answer(response: HttpResponse, *, what: str) -> dict[str, object]:
    """Return the JSON object an answer holds; its content type must say JSON.

    Raises:
        ProtocolError: Another content type, or as `parse_json_object`.
    """
    if not response.is_json:
        msg = f"Cannot use {what}: expected the content type application/json, got {response.shown_type}."
        raise ProtocolError(msg)
    return parse_json_object(response.body, what=what)
