"""The tokens of a profile, good for as long as the command needs them: from the store, renewed, or asked for anew.

Decides what a missing or a dead sign-in ends with. When a token is too old is decided by the library.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cognito_oidc.cli.console import MisconfiguredError
from cognito_oidc.cli.progress import Progress
from cognito_oidc.cli.sessions import kept_session, login_needed, open_client, token_source
from cognito_oidc.errors import LoginRequiredError

if TYPE_CHECKING:
    from cognito_oidc import CognitoClient, TokenSet
    from cognito_oidc.cli.profiles import Profile


async def current_tokens(profile: Profile, *, min_ttl: float = 0, id_token: bool = False) -> TokenSet:
    """Return tokens that are good now.

    Args:
        profile: Whose.
        min_ttl: Seconds for which they must be good.
        id_token: Whether that is said of the ID token, which may live shorter than the access token.

    Raises:
        CommandError: Nobody is signed in, or the sign-in is over.
        CognitoOidcError: They cannot be had.
    """
    with Progress() as progress:
        progress.step("Asking Cognito for tokens ...")
        async with open_client(profile) as client:
            return await tokens_of(client, profile, min_ttl=min_ttl, id_token=id_token)


async def tokens_of(client: CognitoClient, profile: Profile, *, min_ttl: float = 0, id_token: bool = False) -> TokenSet:
    """Return tokens that are good now, with a client that is open already; as `current_tokens`."""
    source = token_source(client, profile)
    try:
        tokens = await source.tokens(min_ttl)
        if id_token and not _has_good_id_token(tokens, min_ttl):
            await source.invalidate(tokens.access_token)
            tokens = await source.tokens(min_ttl)
    except LoginRequiredError:
        known = await kept_session(profile)
        raise login_needed(profile, was_signed_in=known is not None) from None
    if id_token and tokens.id_token is None:
        raise MisconfiguredError("there is no ID token: ask for the scope openid when you log in")
    if id_token and not _has_good_id_token(tokens, min_ttl):
        raise MisconfiguredError(f"no ID token of this app client is good for {min_ttl:g} seconds")
    return tokens


def _has_good_id_token(tokens: TokenSet, min_ttl: float) -> bool:
    return tokens.claims is not None and tokens.claims.exp - time.time() > min_ttl
