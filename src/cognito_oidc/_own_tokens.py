"""Which tokens are an app client's own: of its pool, for it, and of the person they were before.

Decides which tokens the relying party hands out, and which it takes back. Decides nothing about what makes an ID token
good; that is the verifier's.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cognito_oidc.errors import ConfigurationError, InvalidClaimError, shown
from cognito_oidc.protocol.tokens import TokenSet
from cognito_oidc.protocol.typed_claims import IdTokenClaims
from cognito_oidc.verifier import TokenVerifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_oidc.protocol.provider import UserPool


_MOMENT: Final = 10.0  # seconds


class OwnTokens:
    """Judges the tokens of one app client."""

    def __init__(self, pool: UserPool, *, client_id: str, verifier: TokenVerifier, clock: Callable[[], float]) -> None:
        """Take who they must be of.

        Raises:
            ConfigurationError: It is no verifier, or that of another pool.
        """
        if not isinstance(verifier, TokenVerifier):
            msg = f"verifier= expects a TokenVerifier, got {shown(verifier)}."
            raise ConfigurationError(msg)
        if dict(verifier.pool.accepted_issuers) != dict(pool.accepted_issuers):
            msg = f"verifier= is of {verifier.pool.issuer!r}, not of {pool.issuer!r}: both need the same user pool."
            raise ConfigurationError(msg)
        self._pool = pool
        self._client_id = client_id
        self._verifier = verifier
        self._clock = clock
        self._keys_seen = float("-inf")

    def check(self, tokens: TokenSet | str | None) -> None:
        """Check what a caller hands in, before anything is sent: another's tokens are no business of this client.

        Their verified claims say whose they are. A text says nothing, and neither do tokens without claims.

        Raises:
            ConfigurationError: They are another pool's or app client's, or no tokens.
        """
        if isinstance(tokens, str):
            return
        if not isinstance(tokens, TokenSet):
            msg = f"Expected the TokenSet that was returned, or a token as text; got {shown(tokens)}."
            raise ConfigurationError(msg)
        claims = tokens.claims
        if claims is None:
            return
        if not isinstance(claims, IdTokenClaims):
            msg = f"The claims of these tokens are no IdTokenClaims, but {shown(claims)}: pass the TokenSet as it came."
            raise ConfigurationError(msg)
        iss, aud = claims.raw.get("iss"), claims.raw.get("aud")
        if iss not in self._pool.accepted_issuers:
            msg = f"These tokens are of {shown(iss)}, not of {self._pool.issuer!r}: use the client of that pool."
            raise ConfigurationError(msg)
        if aud != self._client_id:
            msg = f"These tokens are of app client {shown(aud)}, not of {self._client_id!r}: use its client."
            raise ConfigurationError(msg)

    def refresh_token_of(self, tokens: TokenSet | str | None) -> str:
        """Return the refresh token a caller hands in.

        Raises:
            ConfigurationError: There is none, or as `check`.
        """
        self.check(tokens)
        token = tokens.refresh_token if isinstance(tokens, TokenSet) else tokens
        if not isinstance(token, str):
            msg = "These tokens have no refresh token: only the authorization code flow returns one."
            raise ConfigurationError(msg)
        return token

    async def load_keys(self) -> None:
        """Fetch keys where there are none, before anything is used up that the answer could not be verified for.

        Keys that were there a moment ago still are: they live for hours, and looking costs more than all other checks.
        """
        now = self._clock()
        if not 0 <= now - self._keys_seen < _MOMENT:
            if self._verifier.health().state in {"empty", "dead"}:
                await self._verifier.preload()
            self._keys_seen = now

    async def verified(self, tokens: TokenSet, *, nonce: str | None, max_age: float | None) -> TokenSet:
        """Return tokens with the claims of their ID token, verified; without one, as they are.

        Raises:
            TokenVerificationError: The ID token must not be trusted.
            KeysUnavailableError: There are no keys to verify it with, and they cannot be had.
        """
        if tokens.id_token is None:
            return tokens
        claims = await self._verifier.verify_id_token(
            tokens.id_token, nonce=nonce, access_token=tokens.access_token, max_age=max_age
        )
        if claims.aud != self._client_id:  # a verifier that was handed in may accept several app clients
            msg = f"The ID token is for app client {shown(claims.aud)}, expected {self._client_id!r}."
            raise InvalidClaimError(msg, claim="aud", expected=self._client_id, actual=claims.aud)
        return replace(tokens, claims=claims)


def check_same_person(old: IdTokenClaims | None, new: IdTokenClaims | None) -> None:
    """Check that a refreshed ID token is of the same person.

    Raises:
        InvalidClaimError: It is not.

    Source: OpenID Connect Core 1.0 section 12.2.
    """
    if old is not None and new is not None and not hmac.compare_digest(old.sub.encode(), new.sub.encode()):
        msg = "The refreshed ID token is of another person (sub differs): the tokens were not used."
        raise InvalidClaimError(msg, claim="sub", expected="the sub of the tokens that were refreshed")
