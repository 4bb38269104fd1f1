"""An async SDK for Amazon Cognito user pools as an OpenID Connect provider.

This is the door: it holds the public names and defines nothing. Names are loaded when they are first used (PEP 562), so
that importing the package costs next to nothing and a verifier never pays for an HTTP client. The exceptions are in
`cognito_oidc.errors`.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cognito_oidc._verifier_health import VerifierHealth
    from cognito_oidc.client import CognitoClient
    from cognito_oidc.federation import check_federation
    from cognito_oidc.multi_pool_verifier import MultiPoolVerifier
    from cognito_oidc.protocol.authorization import AuthorizationRequest
    from cognito_oidc.protocol.bearer import parse_bearer_token
    from cognito_oidc.protocol.callback import peek_state
    from cognito_oidc.protocol.events import (
        KeyAppeared,
        KeySetFetchFailed,
        KeySetRefreshed,
        KeyWithdrawn,
        StaleServed,
        TokenRejected,
        UnknownKid,
        VerifierEvent,
    )
    from cognito_oidc.protocol.federation import Federation, LogoutChain
    from cognito_oidc.protocol.federation_checks import FederationProblem
    from cognito_oidc.protocol.key_cache import CachePolicy
    from cognito_oidc.protocol.metadata import ProviderMetadata
    from cognito_oidc.protocol.provider import UserPool
    from cognito_oidc.protocol.stored_token import StoredToken
    from cognito_oidc.protocol.token_exchange import ExchangedToken
    from cognito_oidc.protocol.tokens import TokenSet
    from cognito_oidc.protocol.typed_claims import AccessTokenClaims, Identity, IdTokenClaims, TokenClaims
    from cognito_oidc.protocol.userinfo import UserInfo
    from cognito_oidc.sync_verifier import SyncTokenVerifier
    from cognito_oidc.token_source import AccessToken, TokenSource
    from cognito_oidc.token_store import MemoryTokenStore, TokenStore
    from cognito_oidc.verifier import TokenVerifier

__all__ = [
    "AccessToken",
    "AccessTokenClaims",
    "AuthorizationRequest",
    "CachePolicy",
    "CognitoClient",
    "ExchangedToken",
    "Federation",
    "FederationProblem",
    "IdTokenClaims",
    "Identity",
    "KeyAppeared",
    "KeySetFetchFailed",
    "KeySetRefreshed",
    "KeyWithdrawn",
    "LogoutChain",
    "MemoryTokenStore",
    "MultiPoolVerifier",
    "ProviderMetadata",
    "StaleServed",
    "StoredToken",
    "SyncTokenVerifier",
    "TokenClaims",
    "TokenRejected",
    "TokenSet",
    "TokenSource",
    "TokenStore",
    "TokenVerifier",
    "UnknownKid",
    "UserInfo",
    "UserPool",
    "VerifierEvent",
    "VerifierHealth",
    "check_federation",
    "parse_bearer_token",
    "peek_state",
]

_MODULES = {
    "AccessToken": ".token_source",
    "AccessTokenClaims": ".protocol.typed_claims",
    "AuthorizationRequest": ".protocol.authorization",
    "CachePolicy": ".protocol.key_cache",
    "CognitoClient": ".client",
    "ExchangedToken": ".protocol.token_exchange",
    "Federation": ".protocol.federation",
    "FederationProblem": ".protocol.federation_checks",
    "IdTokenClaims": ".protocol.typed_claims",
    "Identity": ".protocol.typed_claims",
    "KeyAppeared": ".protocol.events",
    "KeySetFetchFailed": ".protocol.events",
    "KeySetRefreshed": ".protocol.events",
    "KeyWithdrawn": ".protocol.events",
    "LogoutChain": ".protocol.federation",
    "MemoryTokenStore": ".token_store",
    "MultiPoolVerifier": ".multi_pool_verifier",
    "ProviderMetadata": ".protocol.metadata",
    "StaleServed": ".protocol.events",
    "StoredToken": ".protocol.stored_token",
    "SyncTokenVerifier": ".sync_verifier",
    "TokenClaims": ".protocol.typed_claims",
    "TokenRejected": ".protocol.events",
    "TokenSet": ".protocol.tokens",
    "TokenSource": ".token_source",
    "TokenStore": ".token_store",
    "TokenVerifier": ".verifier",
    "UnknownKid": ".protocol.events",
    "UserInfo": ".protocol.userinfo",
    "UserPool": ".protocol.provider",
    "VerifierEvent": ".protocol.events",
    "VerifierHealth": "._verifier_health",
    "check_federation": ".federation",
    "parse_bearer_token": ".protocol.bearer",
    "peek_state": ".protocol.callback",
}


def __getattr__(name: str) -> object:
    """Load a public name from where it is defined."""
    module = _MODULES.get(name)
    if module is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    path = f"{__name__}{module}"
    try:
        __import__(path)  # importlib, the package, would be one more import
    except AttributeError as error:  # would be taken for this name's absence
        msg = f"cannot load {path}: {error}"
        raise ImportError(msg) from error
    value = getattr(sys.modules[path], name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return [*__all__]
