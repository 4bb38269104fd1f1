"""The resource server's half for several user pools behind one API.

Decides which pool's verifier judges a token. Decides nothing about the token; that is the verifier's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_oidc._arguments import check_argument
from cognito_oidc._verification import MAX_ID_TOKEN
from cognito_oidc.errors import ConfigurationError, InvalidClaimError, shown
from cognito_oidc.protocol.jws import decode_payload, split_token
from cognito_oidc.verifier import TokenVerifier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cognito_oidc.protocol.typed_claims import AccessTokenClaims, IdTokenClaims


class MultiPoolVerifier:
    """Verifies the tokens of several user pools: the issuer a token names chooses the verifier, from these alone."""

    def __init__(self, verifiers: Iterable[TokenVerifier]) -> None:
        """Keep the verifiers.

        Raises:
            ConfigurationError: There is none, two are of one pool, or one is no `TokenVerifier`.
        """
        self._by_issuer: dict[str, TokenVerifier] = {}
        check_argument(hasattr(verifiers, "__iter__"), "verifiers", "several verifiers, such as a list", verifiers)
        for verifier in verifiers:
            check_argument(isinstance(verifier, TokenVerifier), "verifiers", "a TokenVerifier each", verifier)
            for issuer in verifier.pool.accepted_issuers:
                if self._by_issuer.setdefault(issuer, verifier) is not verifier:
                    msg = f"Two verifiers are of {issuer}: give one of them all client_ids."
                    raise ConfigurationError(msg)
        if not self._by_issuer:
            msg = "MultiPoolVerifier needs at least one verifier."
            raise ConfigurationError(msg)

    def verifier_of(self, token: str) -> TokenVerifier:
        """Return the verifier of the pool whose issuer a token names, unverified.

        Raises:
            MalformedTokenError: It is no token.
            InvalidClaimError: It names another issuer.
        """
        _, payload, _, _ = split_token(token, MAX_ID_TOKEN)
        iss = decode_payload(payload).get("iss")
        verifier = self._by_issuer.get(iss) if isinstance(iss, str) else None
        if verifier is None:
            expected = f"one of {', '.join(self._by_issuer)}"
            actual = shown(iss, limit=150)
            msg = f"The token's iss is {actual}, expected {expected}."
            raise InvalidClaimError(msg, claim="iss", expected=expected, actual=actual, signature_checked=False)
        return verifier

    async def verify_access_token(
        self,
        token: str,
        *,
        required_scopes: Iterable[str] = (),
        any_of_scopes: Iterable[str] = (),
        required_groups: Iterable[str] = (),
        any_of_groups: Iterable[str] = (),
        resource: str | None = None,
    ) -> AccessTokenClaims:
        """Return the claims of an access token; as `TokenVerifier.verify_access_token`."""
        return await self.verifier_of(token).verify_access_token(
            token,
            required_scopes=required_scopes,
            any_of_scopes=any_of_scopes,
            required_groups=required_groups,
            any_of_groups=any_of_groups,
            resource=resource,
        )

    async def verify_id_token(
        self, token: str, *, nonce: str | None, access_token: str | None = None, max_age: float | None = None
    ) -> IdTokenClaims:
        """Return the claims of an ID token; as `TokenVerifier.verify_id_token`."""
        return await self.verifier_of(token).verify_id_token(
            token, nonce=nonce, access_token=access_token, max_age=max_age
        )

    async def preload(self) -> None:
        """Fetch the keys of every pool now, one after another, unless fresh ones are there.

        Raises:
            KeysUnavailableError: Those of a pool cannot be had.
        """
        for verifier in dict.fromkeys(self._by_issuer.values()):
            await verifier.preload()
