"""What the command's exit code says, and which error ends with which.

Decides the numbers, which are promised, and the code of every error of ours. Says nothing to anybody.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from cognito_oidc.errors import (
    AuthorizationDeniedError,
    CallbackError,
    CognitoOidcError,
    ConfigurationError,
    InvalidClientError,
    InvalidGrantError,
    KeysUnavailableError,
    LoginRequiredError,
    OAuthError,
    RateLimitedError,
    StoreError,
    TransportError,
)


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    FAILED = 1
    """What was asked about does not hold: a token that must not be trusted, a finding, an answer that breaks OIDC."""
    USAGE = 2
    """The command line was written wrongly; click's own code."""
    LOGIN_NEEDED = 3
    """A person has to sign in, and nobody can be asked."""
    DENIED = 4
    """The server or the person said no, or the grant is dead."""
    NETWORK = 5
    """No usable answer came; later it may work."""
    CONFIGURATION = 6
    """A setting, the app client or the installation is wrong."""
    INTERRUPTED = 130
    """128 and the number of SIGINT, as shells have it."""


# The first row that fits counts: the narrow classes stand before the wide ones.
_CODES: Final[tuple[tuple[type[CognitoOidcError], ExitCode], ...]] = (
    (LoginRequiredError, ExitCode.LOGIN_NEEDED),
    (InvalidGrantError, ExitCode.DENIED),
    (InvalidClientError, ExitCode.CONFIGURATION),
    (RateLimitedError, ExitCode.NETWORK),
    (OAuthError, ExitCode.DENIED),
    (AuthorizationDeniedError, ExitCode.DENIED),
    (CallbackError, ExitCode.DENIED),
    (TransportError, ExitCode.NETWORK),
    (KeysUnavailableError, ExitCode.NETWORK),
    (ConfigurationError, ExitCode.CONFIGURATION),
    (StoreError, ExitCode.CONFIGURATION),
)
# RFC 6749 sections 4.1.2.1 and 5.2: what the app client may not do, whoever asks.
_OF_THE_APP_CLIENT: Final = frozenset(
    {"invalid_scope", "unauthorized_client", "unsupported_grant_type", "unsupported_response_type"}
)


def exit_code_of(error: CognitoOidcError) -> ExitCode:
    """Return what the command ends with where an error ended it."""
    if isinstance(error, OAuthError | AuthorizationDeniedError) and error.error in _OF_THE_APP_CLIENT:
        return ExitCode.CONFIGURATION
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)
