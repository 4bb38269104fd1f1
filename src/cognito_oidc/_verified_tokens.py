"""The memory of verified tokens: what is known about a token that comes again.

Decides when a token counts as seen before, and what is forgotten. Decides nothing about which tokens are good: what may
have changed since is `protocol.claims`'s to check.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Generic, TypeVar

from cognito_oidc.protocol.claims import valid_between
from cognito_oidc.protocol.typed_claims import C

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_oidc.protocol.claims import TokenRules
    from cognito_oidc.protocol.jwks import VerificationKey

E = TypeVar("E")

_NEVER = float("-inf")


class VerifiedTokens(Generic[C, E]):
    """Verified tokens by the SHA-256 of what was signed; the one not used for longest goes first.

    A token is found with the signature it had, and only while its key is the very one it was verified with: another key
    set drops them all. Safe among threads: each step is one operation of the dictionary.

    Attributes:
        sha256: The hash. It is here since importing it costs 2 ms, which a verifier without a memory does not pay.
    """

    __slots__ = ("_check_again", "_rules", "_size", "_tokens", "sha256")

    def __init__(
        self, size: int, rules: TokenRules[C], check_again: Callable[[C, float, E, TokenRules[C]], None]
    ) -> None:
        """Begin empty; hold at most `size` tokens, and find out by `check_again` what is no longer good of one."""
        self._size = size
        self._rules = rules
        self._check_again = check_again
        # Of each: signature, key, claims, what was asked of it, and from when until before when its times are good.
        self._tokens: OrderedDict[bytes, tuple[bytes, VerificationKey, C, E, float, float]] = OrderedDict()
        self.sha256 = sha256

    def __len__(self) -> int:
        """Return how many tokens are remembered."""
        return len(self._tokens)

    def find(self, digest: bytes, signature: bytes, key: VerificationKey, now: float, expected: E) -> C | None:
        """Return the claims of a token that was verified with this key, after what may have changed was checked.

        Raises:
            TokenVerificationError: Its time is over, or it does not have what is expected.
        """
        token = self._tokens.get(digest)
        if token is None:
            return None
        known_signature, known_key, claims, asked, begins, ends = token
        if known_key is not key:
            self._tokens.clear()
            return None
        if known_signature != signature:
            return None
        try:
            self._tokens.move_to_end(digest)
        except KeyError:  # another thread has just dropped it
            return None
        if asked is not expected or not begins <= now < ends:
            self._check_again(claims, now, expected, self._rules)
            begins, ends = valid_between(claims.raw, self._rules.leeway)
            self._tokens[digest] = (signature, key, claims, expected, begins, ends)
        return claims

    def keep(self, digest: bytes, signature: bytes, key: VerificationKey, claims: C, asked: E) -> None:
        """Remember a token that was verified with this key, and had what was asked of it.

        Its times are looked at when it comes again: most of what fills a memory that is too small never does.
        """
        tokens = self._tokens
        tokens[digest] = (signature, key, claims, asked, _NEVER, _NEVER)
        while len(tokens) > self._size:
            try:
                tokens.popitem(last=False)
            except KeyError:  # another thread has just dropped them all
                break
