"""Answers to refreshes that arrived and could not be handed out.

Decides what the next refresh with the same token goes on with. With rotation on, what arrived holds the only refresh
token that is still good: dropping it would end the person's session.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cognito_oidc.errors import CognitoOidcError

if TYPE_CHECKING:
    from cognito_oidc.protocol.tokens import TokenSet

_MOST: Final = 64


class ArrivedAnswers:
    """What came for refresh tokens, by their digest: whole answers, or the refresh tokens of answers. Bounded."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, TokenSet | str] = OrderedDict()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._kept)

    def take(self, refresh_token: str) -> TokenSet | str:
        """Return what a refresh goes on with, and forget it: an answer, a newer refresh token, or the same one."""
        return self._kept.pop(_digest(refresh_token), refresh_token) if self._kept else refresh_token

    def keep(self, refresh_token: str, arrived: TokenSet | str) -> None:
        """Keep an answer, or the refresh token of one; the oldest goes where there are too many."""
        self._kept[_digest(refresh_token)] = arrived
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def refresh_token_for(self, refresh_token: str) -> str | None:
        """Return the refresh token that came for another and was not handed out, for a store to keep; None for none."""
        arrived = self.take(refresh_token)
        newest = arrived if isinstance(arrived, str) else arrived.refresh_token
        if newest is not None and newest != refresh_token:
            return newest
        if not isinstance(arrived, str):
            self.keep(refresh_token, arrived)
        return None

    def keep_after(self, error: BaseException, refresh_token: str, answer: TokenSet) -> None:
        """Keep what is good of an answer that could not be verified.

        Where that may be tried again, it is all of it. Where the ID token must not be trusted, it is the refresh token.
        """
        if not isinstance(error, CognitoOidcError) or error.retryable:
            self.keep(refresh_token, answer)
        elif answer.refresh_token is not None and answer.refresh_token != refresh_token:
            self.keep(refresh_token, answer.refresh_token)


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
