"""A profile: which user pool and app client a command is about, from a file, the environment and flags.

Decides the names of the settings, where they are written, and which of two counts: a flag before a variable, a variable
before the file. What a pool id, a domain or a scope may be is decided by the library.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, cast

from cognito_oidc.cli.console import MisconfiguredError
from cognito_oidc.cli.profile_file import CHOICES, LISTS, ProfileFile, meant, profiles_path
from cognito_oidc.cli.secret_source import SecretSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from cognito_oidc import CognitoClient, UserPool

StoreKind = Literal["keyring", "file"]

_SECRET_VARIABLE: Final = "COGNITO_CLIENT_SECRET"

# The settings that have variables; the secret itself has one more, and nothing else.
VARIABLES: Final[Mapping[str, str]] = {
    "pool_id": "COGNITO_POOL_ID",
    "region": "COGNITO_REGION",
    "domain": "COGNITO_DOMAIN",
    "endpoint_url": "COGNITO_ENDPOINT_URL",
    "client_id": "COGNITO_CLIENT_ID",
    "client_secret_from": "COGNITO_CLIENT_SECRET_FROM",
    "redirect_uris": "COGNITO_REDIRECT_URI",
    "scopes": "COGNITO_SCOPES",
    "provider": "COGNITO_PROVIDER",
    "logout_uri": "COGNITO_LOGOUT_URI",
    "identity_pool_id": "COGNITO_IDENTITY_POOL_ID",
    "store": "COGNITO_STORE",
}
_OF_A_SECRET: Final = frozenset({"client_id", "domain", "endpoint_url", "pool_id"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is known about a user pool and an app client of it; None where nothing was said.

    Attributes:
        name: The profile's name in the file, or None where there is no profile but variables and flags.
        pool_id: The user pool's id.
        region: Its Region, which the id says too.
        domain: Its domain: a prefix, a host name or an absolute URL.
        endpoint_url: Base URL of a local server that stands in for AWS.
        issuer_type: `"original"` or `"updated"`.
        fips: Whether the prefix domain is addressed in its FIPS form.
        dns_suffix: Suffix of the issuer's host, where the library does not know it.
        allow_insecure_http: Whether `http` is accepted for other hosts than loopback.
        client_id: The app client's id.
        secret: Where its secret is; None for a public client.
        redirect_uris: Its callback URLs, the first one that can be used first.
        scopes: What is asked for; None leaves it to the library.
        provider: The provider that people sign in with.
        logout_uri: Where the browser goes after a logout.
        identity_pool_id: The identity pool that exchanges ID tokens for AWS credentials.
        store: Where tokens are kept; None is the keyring for people and nowhere for machines.
    """

    name: str | None = None
    pool_id: str | None = None
    region: str | None = None
    domain: str | None = None
    endpoint_url: str | None = None
    issuer_type: Literal["original", "updated"] = "original"
    fips: bool = False
    dns_suffix: str | None = None
    allow_insecure_http: bool = False
    client_id: str | None = None
    secret: SecretSource | None = None
    redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] | None = None
    provider: str | None = None
    logout_uri: str | None = None
    identity_pool_id: str | None = None
    store: StoreKind | None = None

    @property
    def is_machine(self) -> bool:
        """Whether it gets tokens for itself: it has a secret, and nowhere for a person to come back to."""
        return self.secret is not None and not self.redirect_uris

    @property
    def option(self) -> str:
        """What has to be added to another command for the same profile: `" --profile dev"`, or nothing."""
        return f" --profile {self.name}" if self.name else ""

    def need(self, setting: str) -> str:
        """Return a setting that a command cannot do without.

        Raises:
            MisconfiguredError: Nobody said it; the message names the ways to.
        """
        value = getattr(self, setting)
        if not value:
            flag = f"--{setting.removesuffix('s').replace('_', '-')}"  # one of several is given at a time
            where = f"profile {self.name!r}" if self.name else f"a profile of {profiles_path()}"
            raise MisconfiguredError(
                f"{setting} is missing: write {flag}, {VARIABLES[setting]}, or put it into {where}"
            )
        return str(value)

    def user_pool(self) -> UserPool:
        """Return the pool's addresses.

        Raises:
            CommandError: There is no pool id.
            ConfigurationError: A setting cannot be right.
        """
        from cognito_oidc import UserPool

        return UserPool(
            self.need("pool_id"),
            region=self.region,
            domain=self.domain,
            issuer_type=self.issuer_type,
            fips=self.fips,
            endpoint_url=self.endpoint_url,
            dns_suffix=self.dns_suffix,
            allow_insecure_http=self.allow_insecure_http,
        )

    def client(self, *, redirect_uri: str | None = None, http_client: httpx.AsyncClient | None = None) -> CognitoClient:
        """Return the library's client for the app client; the secret is read when it is needed.

        Args:
            redirect_uri: Where a person comes back to, if one is to sign in.
            http_client: Instead of the library's own.

        Raises:
            CommandError: A setting is missing.
            ConfigurationError: A setting cannot be right.
        """
        from cognito_oidc import CognitoClient

        return CognitoClient(
            self.user_pool(),
            client_id=self.need("client_id"),
            client_secret=self.secret.read if self.secret is not None else None,
            redirect_uri=redirect_uri,
            http_client=http_client,
            scopes=self.scopes or ("openid",),
        )


def load_profile(name: str | None = None, flags: Mapping[str, object] | None = None) -> Profile:
    """Return the profile that is meant.

    A profile that is named counts, by the flag or by `COGNITO_PROFILE`, and variables and flags replace its settings
    one by one. Where none is named and variables or flags say the pool, the file's default is left out altogether: half
    of one app client and half of another fit nothing.

    Args:
        name: The profile's name, or None.
        flags: Settings of the command line; None and empty ones count as left out.

    Raises:
        MisconfiguredError: There is no such profile, the file is wrong, or a variable is.
    """
    given = {key: value for key, value in (flags or {}).items() if value not in (None, ())}
    variables = {key: os.environ[each] for key, each in VARIABLES.items() if os.environ.get(each)}
    if os.environ.get(_SECRET_VARIABLE):
        variables.setdefault("client_secret_from", f"env:{_SECRET_VARIABLE}")
    said = {**variables, **given}
    name = name or os.environ.get("COGNITO_PROFILE") or None
    settings: Mapping[str, object] = {}
    if name is not None or "pool_id" not in said:
        file = ProfileFile.read(profiles_path())
        name = name or file.default
        if name is not None:
            settings = _named(file, name)
    return _profile(name, settings, said)


def named_profile(name: str) -> Profile:
    """Return a profile as it stands in the file, for a command that is about two: variables would be about both.

    Raises:
        MisconfiguredError: There is no such profile, or the file is wrong.
    """
    return _profile(name, _named(ProfileFile.read(profiles_path()), name), {})


def _named(file: ProfileFile, name: str) -> Mapping[str, object]:
    found = file.profiles.get(name)
    if found is None:
        there = f"there are {', '.join(sorted(file.profiles))}" if file.profiles else "the file has none"
        raise MisconfiguredError(f"{file.path}: no profile {name!r}{meant(name, file.profiles)}; {there}")
    return found


def _profile(name: str | None, settings: Mapping[str, object], said: Mapping[str, object]) -> Profile:
    """Put the layers together."""
    merged: dict[str, object] = {**_without_foreign_secret(name, settings, said)}
    for key, value in said.items():
        merged[key] = tuple(str(value).split()) if key in LISTS and isinstance(value, str) else value
    for key, choices in CHOICES.items():
        if key in merged and merged[key] not in choices:
            raise MisconfiguredError(f"{key}: expected {' or '.join(choices)}, got {str(merged[key])!r:.40}")
    ports = cast("tuple[int, ...]", merged.pop("ports", ()))
    merged.setdefault("redirect_uris", tuple(f"http://localhost:{port}/callback" for port in ports))
    source = merged.pop("client_secret_from", None)
    region = merged.get("region") or str(merged.get("pool_id", "")).partition("_")[0] or None
    secret = SecretSource(str(source), region=cast("str | None", region)) if source is not None else None
    return replace(Profile(name=name, secret=secret), **merged)  # type: ignore[arg-type] # the file was checked


def _without_foreign_secret(
    name: str | None, settings: Mapping[str, object], said: Mapping[str, object]
) -> Mapping[str, object]:
    """Return the profile's settings; its secret, only if it goes where the profile says.

    Raises:
        MisconfiguredError: The profile's own app client would send its secret to another address.
    """
    if "client_secret_from" not in settings or "client_secret_from" in said:
        return settings
    other = {key for key, value in said.items() if key in _OF_A_SECRET and settings.get(key) != value}
    if not other:
        return settings
    if not other & {"pool_id", "client_id"}:
        moved = " and ".join(sorted(other))
        raise MisconfiguredError(
            f"profile {name!r} has another {moved}: its client secret is not sent there. Write client_secret_from too."
        )
    return {key: value for key, value in settings.items() if key != "client_secret_from"}
