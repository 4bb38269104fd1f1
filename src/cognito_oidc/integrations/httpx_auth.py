"""The token of a source on requests of httpx or httpx2, and on nobody else's.

Decides which requests get a token, and when one is sent again. Decides nothing about the token; that is the source's.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import httpx

from cognito_oidc import TokenSource
from cognito_oidc.errors import ConfigurationError, shown

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterable

    import httpx2

__all__ = ["BearerAuth", "bearer_auth_for_httpx2"]

_UNAUTHORIZED: Final = 401
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class _Flow:
    """The authentication flow, which both libraries know in the same form. Source: RFC 6750 section 2.1."""

    requires_request_body = False
    requires_response_body = False

    def __init__(self, source: TokenSource, *, hosts: Iterable[str]) -> None:
        if not isinstance(source, TokenSource):
            msg = f"BearerAuth needs a TokenSource, got {shown(source)}: client.token_source(...) makes one."
            raise ConfigurationError(msg)
        self._source = source
        self._hosts = frozenset(place for host in _several(hosts) for place in _places(host))

    def __repr__(self) -> str:
        """Show who gets the token."""
        return f"BearerAuth(hosts={sorted({host for host, _ in self._hosts})!r})"

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:  # noqa: ANN401 - of either library
        """Put the token on a request that may have it; once more after a 401, with another token."""
        if not self._may_have_it(request):
            yield request
            return
        again = _can_be_sent_again(request)
        token = await self._source.token()
        request.headers["Authorization"] = sent = f"Bearer {token.value}"
        response = yield request
        # After a redirect to somebody else the answer says nothing about the token, which was not sent there.
        if response.status_code != _UNAUTHORIZED or response.request.headers.get("Authorization") != sent:
            return
        await self._source.invalidate(token.value)
        if not again:
            return
        another = await self._source.token()
        if another.value != token.value:
            request.headers["Authorization"] = f"Bearer {another.value}"
            yield request

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:  # noqa: ANN401 - of either library
        """Refuse: a source waits, and what has no event loop cannot."""
        del request
        msg = "BearerAuth works with an AsyncClient: in synchronous code await source.token() where there is a loop."
        raise ConfigurationError(msg)
        yield

    def _may_have_it(self, request: Any) -> bool:  # noqa: ANN401 - of either library
        """Tell whether a request goes to a named host and has no header of the caller's own.

        Raises:
            ConfigurationError: It goes there in the clear.
        """
        url = request.url
        host = url.raw_host.decode("ascii").lower()
        port = url.port if url.port is not None else _DEFAULT_PORTS.get(url.scheme)
        if (host, port) not in self._hosts or "Authorization" in request.headers:
            return False
        if url.scheme == "https":
            return True
        if url.scheme == "http" and _is_loopback(host):
            return True
        msg = f"No token is sent to {shown(host)} without TLS: use https, or loopback."
        raise ConfigurationError(msg)


class BearerAuth(_Flow, httpx.Auth):
    """Puts the access token of a source on the requests of an `httpx.AsyncClient`, as its `auth=`.

    Only requests to the named hosts get it, and only over https; loopback may be without. A redirect to another host
    does not, and neither does a request that has an `Authorization` header of its own, which is left as it is. After a
    401 the token is invalidated and the request is sent once more with another one, where its body is bytes and not a
    stream. Bodies and answers that are streamed are passed on as they are; the answer 401 is read where it is not the
    last.
    """

    def __init__(self, source: TokenSource, *, hosts: Iterable[str]) -> None:
        """Take the source, and who may have its token.

        Args:
            source: Where the token comes from.
            hosts: Names of hosts in full, such as `"api.acme.com"`, which stands for the usual ports, or
                `"localhost:8000"`. No wildcards and no addresses of pages.

        Raises:
            ConfigurationError: No host, or something else than a host.
        """
        super().__init__(source, hosts=hosts)


def bearer_auth_for_httpx2(source: TokenSource, *, hosts: Iterable[str]) -> httpx2.Auth:
    """Return the same for an `httpx2.AsyncClient`, whose `auth=` takes objects of httpx2 alone.

    Args:
        source: Where the token comes from.
        hosts: As for `BearerAuth`.

    Raises:
        ConfigurationError: No host, or something else than a host.
        ImportError: httpx2 is not installed.
    """
    try:
        import httpx2  # noqa: PLC0415 - only who has it
    except ImportError as missing:
        message = "bearer_auth_for_httpx2 needs httpx2: `pip install 'cognito-oidc[httpx2]'`"
        raise ImportError(message, name="httpx2") from missing

    class Httpx2BearerAuth(_Flow, httpx2.Auth):
        pass

    return Httpx2BearerAuth(source, hosts=hosts)


def _several(hosts: Iterable[str]) -> tuple[str, ...]:
    if isinstance(hosts, str):
        msg = f"hosts: expected several names, got one text: write {{{shown(hosts)}}}."
        raise ConfigurationError(msg)
    names = tuple(hosts)
    if not names:
        msg = "hosts: name the hosts that may have the token, such as {'api.acme.com'}."
        raise ConfigurationError(msg)
    return names


def _places(host: object) -> tuple[tuple[str, int], ...]:
    """Return a host as requests name it, with its port; without one, with the usual ports."""
    if isinstance(host, str) and not set(host) & set("*/?#@\\%, \t\r\n"):
        try:
            url = httpx.URL(f"host://{host}")  # of a scheme without a usual port, which httpx would leave out
            name = url.raw_host.decode("ascii").lower()
        except (httpx.InvalidURL, ValueError):
            name = ""
        else:
            if name and url.port is not None:
                return ((name, url.port),)
        if name and not host.endswith(":"):
            return tuple((name, port) for port in _DEFAULT_PORTS.values())
    msg = f"hosts: expected a host's name such as 'api.acme.com' or 'localhost:8000', got {shown(host)}."
    raise ConfigurationError(msg)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _can_be_sent_again(request: Any) -> bool:  # noqa: ANN401 - of either library
    """Tell whether the body is there as bytes; httpx says of a stream that it has not been read."""
    try:
        return isinstance(request.content, bytes)
    except Exception:  # noqa: BLE001 - `RequestNotRead`, of whichever library
        return False
