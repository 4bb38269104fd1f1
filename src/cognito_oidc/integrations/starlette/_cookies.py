"""The cookies of a login: how they are named, cut into pieces, set and taken back.

Decides what a browser is given to keep. Decides nothing about what stands in a cookie: it is a sealed text.

Source: RFC 6265bis sections 4.1.3.2 (`__Host-`), 5.6 (limits) and 5.8 (SameSite).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.responses import Response

MAX_PIECES: Final = 5
"""Cookies one session may have. Servers and proxies take 8 KB to 64 KB of headers."""

PIECE: Final = 3900
"""Characters of one cookie's value; a browser keeps 4,096 of name and value together."""

_HOST_PREFIX: Final = "__Host-"


class Cookies:
    """Names and attributes of the cookies of one login.

    `__Host-` has the browser refuse such a cookie from another host, from a path and from plain http, so that a
    neighbour below the same domain cannot plant one.
    """

    __slots__ = ("_login", "_secure", "_session")

    def __init__(self, name: str, *, secure: bool) -> None:
        prefix = f"{_HOST_PREFIX if secure else ''}{name}"
        self._secure = secure
        self._session = f"{prefix}-session"
        self._login = f"{prefix}-login-"

    def login_name(self, tag: str) -> str:
        """Return the name of the cookie of one login that is under way."""
        return self._login + tag

    def logins(self, jar: Mapping[str, str]) -> dict[str, str]:
        """Return the cookies of all logins that are under way, by name."""
        return {name: value for name, value in jar.items() if name.startswith(self._login)}

    def session(self, jar: Mapping[str, str]) -> str | None:
        """Return the sealed session that a browser sent, put together; None where it sent none, or pieces of two."""
        number, _, first = jar.get(self._session, "").partition(".")
        if number not in map(str, range(1, MAX_PIECES + 1)):
            return None
        rest = [jar.get(name, "") for name in self._pieces(int(number))[1:]]
        return "".join([first, *rest])

    def put_session(self, response: Response, jar: Mapping[str, str], sealed: str, *, max_age: int) -> None:
        """Set a sealed session, and take back the pieces of an older one that was longer.

        Raises:
            ConfigurationError: It does not fit into the cookies that a session may have.
        """
        pieces = [sealed[start : start + PIECE] for start in range(0, len(sealed), PIECE)]
        if len(pieces) > MAX_PIECES:
            msg = (
                f"The session has {len(sealed)} characters, more than {MAX_PIECES} cookies of {PIECE} hold: this "
                "person has very many groups or attributes. Pass store=, which keeps the tokens on the server."
            )
            raise ConfigurationError(msg)
        pieces[0] = f"{len(pieces)}.{pieces[0]}"
        names = self._pieces(MAX_PIECES)
        for name, piece in zip(names, pieces, strict=False):
            self.put(response, name, piece, max_age=max_age)
        self.drop(response, jar, names[len(pieces) :])

    def drop_session(self, response: Response, jar: Mapping[str, str]) -> None:
        """Have the browser forget a session."""
        self.drop(response, jar, self._pieces(MAX_PIECES))

    def put(self, response: Response, name: str, value: str, *, max_age: int) -> None:
        """Set one cookie. `Lax` is right: Cognito sends the browser back by a link, and `Strict` would keep it back."""
        response.set_cookie(name, value, max_age=max_age, path="/", secure=self._secure, httponly=True, samesite="lax")

    def drop(self, response: Response, jar: Mapping[str, str], names: Iterable[str]) -> None:
        """Have the browser forget those of these cookies that it sent."""
        for name in names:
            if name in jar:
                self.put(response, name, "", max_age=0)

    def _pieces(self, number: int) -> list[str]:
        return [self._session, *(f"{self._session}-{piece}" for piece in range(2, number + 1))]
