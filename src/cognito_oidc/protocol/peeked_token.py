"""What can be told of a stored record at a glance.

Decides whether the text of a record says enough to give its token out again. It judges nothing else and loads nothing
that is slow to load: a command that is started for one token pays for every import. Whatever it does not understand is
left to `stored_token`, which reads the whole record or says what is wrong with it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cognito_oidc.protocol.encoding import load_object

SCHEMA: Final = 1
"""The number of the form that records are written in."""

MAX_TEXT: Final = 1024 * 1024
"""Characters the text of a record may have."""

_LATEST: Final = 1e15  # what a float holds to the second


class PeekedToken(NamedTuple):
    """The tokens of a record, as they were written.

    Attributes:
        pool_id: The user pool they are from.
        client_id: The app client they are for.
        access_token: The access token.
        id_token: The ID token, or None.
        obtained_at: When they came, epoch seconds UTC.
        expires_at: When the access token ends to be good, likewise.
        id_token_expires_at: The same of the ID token; None without one.
        renewable: Whether there is a refresh token.
    """

    pool_id: str
    client_id: str
    access_token: str
    id_token: str | None
    obtained_at: float
    expires_at: float
    id_token_expires_at: float | None
    renewable: bool

    @property
    def lifetime(self) -> float:
        """Seconds the access token was good for when it came."""
        return self.expires_at - self.obtained_at

    def __repr__(self) -> str:
        """Show no token."""
        return f"PeekedToken(client_id={self.client_id!r}, expires_at={self.expires_at!r})"


def peek_stored_token(text: bytes) -> PeekedToken | None:
    """Return what a record says, or None where it must be read whole: it is encrypted, newer, damaged or odd."""
    try:
        document = load_object(text) if len(text) <= MAX_TEXT else {}
    except ValueError:
        return None
    tokens = document.get("tokens")
    if document.get("schema") != SCHEMA or not isinstance(tokens, dict):
        return None
    texts = document.get("pool_id"), document.get("client_id"), tokens.get("access_token")
    times = _seconds(document.get("obtained_at")), _seconds(tokens.get("expires_at"))
    id_token = tokens.get("id_token")
    match texts, times:
        case (str(pool_id), str(client_id), str(access_token)), (float(obtained), float(expires)):
            return PeekedToken(
                pool_id=pool_id,
                client_id=client_id,
                access_token=access_token,
                id_token=id_token if isinstance(id_token, str) else None,
                obtained_at=obtained,
                expires_at=expires,
                id_token_expires_at=_expiry(tokens.get("claims")) if isinstance(id_token, str) else None,
                renewable=isinstance(tokens.get("refresh_token"), str),
            )
    return None


def _expiry(claims: object) -> float | None:
    return _seconds(claims.get("exp")) if isinstance(claims, dict) else None


def _seconds(value: object) -> float | None:
    """Return a time as it was written; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LATEST:
        return None
    return float(value)
