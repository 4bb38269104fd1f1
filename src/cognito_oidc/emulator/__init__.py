"""A faithful local Amazon Cognito: user pools with their issuer, keys, login pages and OAuth endpoints.

In process under the addresses of production, or as a server on loopback. It shares no parser with the rest of the
library, so that the two cannot agree on a mistake; it uses only the door, for conveniences such as
`EmulatedAppClient.client()`.

What is emulated follows the AWS developer guide and what was seen of real pools. Where neither says what Cognito does,
`Behaviour` has a switch.
"""

from __future__ import annotations

try:
    import jinja2 as _jinja2  # noqa: F401 - only to see whether the extra is installed
    import starlette as _starlette  # noqa: F401 - the same
except ImportError as _missing:
    raise ImportError(
        f"cognito_oidc.emulator needs {_missing.name}: install the extra with `pip install 'cognito-oidc[emulator]'`",
        name=_missing.name,
    ) from _missing

from cognito_oidc.emulator.app_clients import EmulatedAppClient
from cognito_oidc.emulator.behaviour import Behaviour
from cognito_oidc.emulator.control import EmulatorClock, JournalEntry
from cognito_oidc.emulator.core import CognitoEmulator
from cognito_oidc.emulator.directory import SentMessage
from cognito_oidc.emulator.person import Person, PersonError
from cognito_oidc.emulator.pools import EmulatedPool
from cognito_oidc.emulator.providers import OidcProvider
from cognito_oidc.emulator.server import EmulatorServer
from cognito_oidc.emulator.tokens import KeyStock
from cognito_oidc.emulator.users import EmulatedUser, ExternalIdentity, PasswordPolicy

__all__ = [
    "Behaviour",
    "CognitoEmulator",
    "EmulatedAppClient",
    "EmulatedPool",
    "EmulatedUser",
    "EmulatorClock",
    "EmulatorServer",
    "ExternalIdentity",
    "JournalEntry",
    "KeyStock",
    "OidcProvider",
    "PasswordPolicy",
    "Person",
    "PersonError",
    "SentMessage",
]
