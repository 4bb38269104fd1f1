"""Records for the tests of stores: of the length of real ones, and each another one."""

from __future__ import annotations

import secrets
from typing import Final

from cognito_oidc import StoredToken, TokenSet

NOW: Final = 1_800_000_000.0
CANARY: Final = "canary-of-a-refresh-token"


def record(name: str = "") -> StoredToken:
    """Return a record that no other one is."""
    tokens = TokenSet(
        access_token=f"access-{name}-{'a' * 1100}",
        expires_at=NOW + 3600,
        id_token=f"id-{name}-{'i' * 1200}",
        refresh_token=f"{CANARY}-{name}-{'r' * 1700}",
    )
    return StoredToken(
        tokens=tokens,
        obtained_at=NOW,
        pool_id="eu-west-1_AbC123",
        client_id="1example23456789abcdefghij",
        scopes=("email", "openid"),
        revision=secrets.token_urlsafe(16),
    )
