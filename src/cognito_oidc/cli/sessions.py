"""The sign-in of a profile: where it is kept, under which name, and what renews it.

Decides which store a profile has and what its records are called. How tokens are renewed is the library's.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cognito_oidc.cli.console import CommandError, MisconfiguredError
from cognito_oidc.cli.exit_codes import ExitCode
from cognito_oidc.cli.profile_file import APP_NAME

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from contextlib import AbstractAsyncContextManager

    from cognito_oidc import CognitoClient, StoredToken, TokenSource, TokenStore
    from cognito_oidc.cli.profiles import Profile

_FOLDER: Final = "sessions"


def session_key(profile: Profile) -> str:
    """Return the name under which a profile's tokens are kept; a machine's are others for other scopes."""
    parts = [profile.name or "", profile.need("pool_id"), profile.need("client_id")]
    if profile.is_machine:
        parts.append(" ".join(sorted(profile.scopes or ())))
    return "/".join(parts)


def store_folder() -> Path:
    """Return where the file store is: `COGNITO_STORE_FOLDER`, or the platform's folder for state."""
    named = os.environ.get("COGNITO_STORE_FOLDER")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_state_path

    return user_state_path(APP_NAME, appauthor=False) / _FOLDER


def open_store(profile: Profile) -> TokenStore | None:
    """Return the store of a profile. People's sign-ins are kept in the keyring unless the file store is asked for.

    A machine can ask for a token at any time, so that its tokens are kept only where that was asked for.

    Raises:
        MisconfiguredError: The keyring's library is not installed.
    """
    if profile.store == "file":
        from cognito_oidc.integrations.stores.file import FileTokenStore

        return FileTokenStore(store_folder())
    if profile.store is None and profile.is_machine:
        return None
    try:
        from cognito_oidc.integrations.stores.keyring import KeyringTokenStore
    except ImportError:
        raise MisconfiguredError(
            "the system's keyring needs pip install 'cognito-oidc[keyring]'. Or keep tokens in a file of this user: "
            "--store file, COGNITO_STORE=file"
        ) from None
    return KeyringTokenStore(APP_NAME)


async def kept_session(profile: Profile) -> StoredToken | None:
    """Return what is kept of a profile's sign-in, or None.

    Raises:
        CommandError: The keyring's library is not installed.
        StoreError: The store cannot be used.
    """
    store = open_store(profile)
    return None if store is None else await store.read(session_key(profile))


def login_needed(profile: Profile, *, was_signed_in: bool) -> CommandError:
    """Return what says how to go on; a sign-in that is over is another thing than none."""
    if was_signed_in:
        return CommandError(f"the sign-in is over: cognito-oidc login{profile.option}", ExitCode.DENIED)
    return CommandError(f"nobody is signed in: cognito-oidc login{profile.option}", ExitCode.LOGIN_NEEDED)


def token_source(client: CognitoClient, profile: Profile) -> TokenSource:
    """Return what gives the profile's tokens and keeps them fresh."""
    store = open_store(profile)
    if profile.is_machine:
        named = None if store is None else _UnderOneName(store, session_key(profile))
        return client.client_credentials_source(profile.scopes, store=named)
    if store is None:
        return client.token_source()
    return client.token_source(store=store, key=session_key(profile))


class _UnderOneName:
    """A token store that keeps a machine's token under the profile's own name, where the library would choose one."""

    def __init__(self, store: TokenStore, name: str) -> None:
        self._store = store
        self._name = name

    async def read(self, key: str) -> StoredToken | None:  # noqa: ARG002 - the protocol's
        return await self._store.read(self._name)

    async def swap(self, key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:  # noqa: ARG002 - the same
        return await self._store.swap(self._name, new, expected=expected)

    def lock(self, key: str, *, timeout: float) -> AbstractAsyncContextManager[object]:  # noqa: ARG002 - the same
        return self._store.lock(self._name, timeout=timeout)


@asynccontextmanager
async def open_client(profile: Profile, *, redirect_uri: str | None = None) -> AsyncGenerator[CognitoClient]:
    """Return the library's client for a profile, while the block runs.

    Raises:
        CommandError: A setting is missing.
        ConfigurationError: A setting cannot be right.
    """
    from cognito_oidc.protocol.wire import is_loopback

    if not is_loopback(profile.endpoint_url or ""):
        async with profile.client(redirect_uri=redirect_uri) as client:
            yield client
        return
    import httpx

    # The environment's proxies are for other hosts than this machine.
    async with httpx.AsyncClient(trust_env=False) as http:
        yield profile.client(redirect_uri=redirect_uri, http_client=http)
