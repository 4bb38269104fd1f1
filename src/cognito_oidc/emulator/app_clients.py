"""App clients: what may ask a pool for tokens, and how it proves who it is.

Decides which app clients Cognito would register. What they are given is decided by the endpoints.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from cognito_oidc import CognitoClient
    from cognito_oidc.emulator.pools import EmulatedPool

Grant = Literal["code", "implicit", "client_credentials"]

_LETTERS_AND_DIGITS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_GRANTS: Final = frozenset({"code", "implicit", "client_credentials"})
LOCAL_USERS: Final = "COGNITO"
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
# Patterns and limits of the AWS service model (botocore 1.44.5, service `cognito-idp`).
_CLIENT_SECRET: Final = re.compile(r"[\w+]{24,64}", re.ASCII)
_MAX_URL: Final = 1_024
_MAX_SECRETS: Final = 2
_MAX_GRACE: Final = 60
_LONGEST_TOKEN: Final = 86_400
_LONGEST_REFRESH: Final = 315_360_000  # 3,650 days


class EmulatedAppClient:
    """An app client of a pool; made by `EmulatedPool.add_client`.

    Attributes:
        name: The name it was registered under.
        client_id: 26 lower-case letters and digits.
        client_secrets: The live secrets, newest last; empty for a public client.
        redirect_uris: Callback URLs, compared character by character.
        logout_uris: Sign-out URLs, compared likewise.
        scopes: The scopes it may ask for.
        grants: `code`, `implicit` or `client_credentials`.
        refresh_token_rotation: Whether each refresh replaces the refresh token.
        retry_grace_period: Seconds for which a replaced refresh token still works.
        access_token_validity: Seconds.
        id_token_validity: Seconds.
        refresh_token_validity: Seconds.
        token_revocation: Whether `/oauth2/revoke` works for this client.
        read_attributes: Names of the attributes it may read, or None for all.
        write_attributes: Names of the attributes it may write, those mapped from a provider among them; None for all.
        identity_providers: Where its users may come from; `COGNITO` is the pool's own directory.
    """

    def __init__(
        self,
        pool: EmulatedPool,
        name: str,
        *,
        grants: frozenset[str],
        scopes: tuple[str, ...],
        redirect_uris: tuple[str, ...] = (),
        logout_uris: tuple[str, ...] = (),
        client_secret: bool | str = False,
        refresh_token_rotation: bool = False,
        retry_grace_period: int = 0,
        access_token_validity: int = 3_600,
        id_token_validity: int = 3_600,
        refresh_token_validity: int = 2_592_000,
        token_revocation: bool = True,
        read_attributes: frozenset[str] | None = None,
        write_attributes: frozenset[str] | None = None,
        identity_providers: tuple[str, ...] = (LOCAL_USERS,),
    ) -> None:
        if "client_credentials" in grants and client_secret is False:
            raise ConfigurationError("client_credentials needs a client secret: pass client_secret=True")
        self._pool = pool
        self.name = name
        self.client_id: str = random_text(26)
        self.client_secrets: tuple[str, ...] = ()
        if isinstance(client_secret, str):
            self.client_secrets = (_checked_secret(client_secret),)
        elif client_secret:
            self.client_secrets = (random_text(52),)
        self.grants = grants
        self.scopes = scopes
        self.redirect_uris: tuple[str, ...] = tuple(checked_url(each) for each in redirect_uris)
        self.logout_uris: tuple[str, ...] = tuple(checked_url(each) for each in logout_uris)
        self.refresh_token_rotation = refresh_token_rotation
        self.retry_grace_period: int = _between("retry_grace_period", retry_grace_period, 0, _MAX_GRACE)
        self.access_token_validity: int = _between("access_token_validity", access_token_validity, 1, _LONGEST_TOKEN)
        self.id_token_validity: int = _between("id_token_validity", id_token_validity, 1, _LONGEST_TOKEN)
        self.refresh_token_validity: int = _between(
            "refresh_token_validity", refresh_token_validity, 3_600, _LONGEST_REFRESH
        )
        self.token_revocation = token_revocation
        self.read_attributes = read_attributes
        self.write_attributes = write_attributes
        self.identity_providers = identity_providers

    def __repr__(self) -> str:
        return f"EmulatedAppClient({self.name!r}, client_id={self.client_id!r})"

    @property
    def client_secret(self) -> str | None:
        """The newest live secret, or None for a public client."""
        return self.client_secrets[-1] if self.client_secrets else None

    @property
    def pool(self) -> EmulatedPool:
        """The pool that it is registered with."""
        return self._pool

    @property
    def has_local_users(self) -> bool:
        """Whether people of the pool's own directory may sign in."""
        return LOCAL_USERS in self.identity_providers

    @property
    def external_providers(self) -> tuple[str, ...]:
        """The names of its external identity providers."""
        return tuple(name for name in self.identity_providers if name != LOCAL_USERS)

    @property
    def tracks_tokens(self) -> bool:
        """Whether its tokens carry `jti` and `origin_jti`."""
        return self.token_revocation or self.refresh_token_rotation

    def add_secret(self, secret: str | None = None) -> str:
        """Add a second live secret and return it.

        Args:
            secret: 24 to 64 letters, digits, `_` or `+`; generated when left out.

        Raises:
            ConfigurationError: The client is public, has two secrets already, or Cognito would refuse the text.
        """
        if not self.client_secrets:
            raise ConfigurationError(f"app client {self.name!r} is public: register it with client_secret=True")
        if len(self.client_secrets) >= _MAX_SECRETS:
            raise ConfigurationError(
                f"app client {self.name!r} has two secrets already: remove one with remove_secret()"
            )
        new = _checked_secret(secret) if secret is not None else random_text(52)
        with self._pool.surroundings.lock:
            self.client_secrets = (*self.client_secrets, new)
        return new

    def remove_secret(self, secret: str) -> None:
        """Make one of two secrets invalid.

        Raises:
            ConfigurationError: It is not a secret of this client, or its only one.
        """
        if secret not in self.client_secrets or len(self.client_secrets) == 1:
            raise ConfigurationError(f"that is no secret of app client {self.name!r}, or its only one")
        with self._pool.surroundings.lock:
            self.client_secrets = tuple(each for each in self.client_secrets if each != secret)

    def client(self, *, redirect_uri: str | None = None, scopes: Collection[str] | None = None) -> CognitoClient:
        """Return a `CognitoClient` for this app client that reaches the emulator in process, on its clock.

        Args:
            redirect_uri: A callback URL; the first one registered when left out.
            scopes: The scopes to ask for; all of this app client's when left out.
        """
        from cognito_oidc import CognitoClient

        registered = self.redirect_uris[0] if self.redirect_uris else None
        return CognitoClient(
            self._pool.user_pool,
            client_id=self.client_id,
            client_secret=self.client_secret,
            redirect_uri=redirect_uri if redirect_uri is not None else registered,
            scopes=tuple(scopes) if scopes is not None else self.scopes,
            http_client=self._pool.surroundings.http_client(),
            clock=self._pool.surroundings.clock,
        )


def checked_grants(grants: Iterable[str]) -> frozenset[str]:
    """Return grants that Cognito lets an app client have together."""
    chosen = frozenset(as_tuple("grants", grants))
    if not chosen or not chosen <= _GRANTS:
        raise ConfigurationError(f"grants must be of {', '.join(sorted(_GRANTS))}, got {sorted(chosen)}")
    if "client_credentials" in chosen and len(chosen) > 1:
        raise ConfigurationError("client_credentials must be an app client's only grant")
    return chosen


def checked_url(url: str) -> str:
    """Return a callback or sign-out URL that Cognito would register."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise ConfigurationError(f"{url!r} is no URL") from error
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > _MAX_URL:
        raise ConfigurationError(f"{url!r} must be printable ASCII without spaces, at most {_MAX_URL} characters")
    if not parts.scheme or parts.fragment or url.endswith("#"):
        raise ConfigurationError(f"{url!r} must be an absolute URL without a fragment")
    if parts.scheme in {"http", "https"} and not host:
        raise ConfigurationError(f"{url!r} has no host")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ConfigurationError(f"{url!r} must be https: http is for localhost, 127.0.0.1 and [::1] only")
    return url


def _checked_secret(secret: str) -> str:
    if not _CLIENT_SECRET.fullmatch(secret):
        raise ConfigurationError("a client secret has 24 to 64 letters, digits, '_' or '+'")
    return secret


def _between(name: str, value: int, lowest: int, highest: int) -> int:
    if not lowest <= value <= highest:
        raise ConfigurationError(f"{name} must be from {lowest} to {highest} seconds, got {value!r}")
    return value


def as_tuple(name: str, values: Iterable[str]) -> tuple[str, ...]:
    """Return the values as a tuple; a lone string is the slip that it looks like."""
    if isinstance(values, str):
        raise ConfigurationError(f"{name} must be a list of strings, got the string {values!r}")
    return tuple(values)


def random_text(length: int) -> str:
    """Return random lower-case letters and digits, as Cognito's ids and secrets have them."""
    return "".join(secrets.choice(_LETTERS_AND_DIGITS) for _ in range(length))
