"""Reads from AWS what the doctor compares with a profile.

Decides what is asked, and what the comparison can do without where it may not be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_oidc.cli.aws_pools import AwsPools
from cognito_oidc.cli.console import CommandError
from cognito_oidc.cli.doctor_app_client import AwsSettings
from cognito_oidc.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.cli.doctor_profile import Subject

_MANAGED_LOGIN: Final = 2


def read_settings(subject: Subject) -> AwsSettings:
    """Return what AWS shows of a profile's pool, app client and providers.

    Raises:
        CommandError: boto3 is missing, or AWS refused what nothing can be said without.
    """
    pools, pool_id = AwsPools(subject.pool.region), subject.pool.pool_id
    pool = pools.user_pool(pool_id)
    client = pools.app_client(pool_id, subject.client_id)
    names = pools.providers(pool_id)
    if client is None:
        return AwsSettings(pool=pool, client=None, providers=names)
    offered = [name for name in names if name in (client.get("SupportedIdentityProviders") or ())]
    return AwsSettings(
        pool=pool,
        client=client,
        providers=names,
        details=_details(pools, pool_id, offered),
        branded=_branded(pools, subject, pool),
    )


def _details(pools: AwsPools, pool_id: str, names: list[str]) -> dict[str, Mapping[str, object]]:
    """Return the providers that may be described."""
    found: dict[str, Mapping[str, object]] = {}
    for name in names:
        try:
            provider = pools.provider(pool_id, name)
        except CommandError as error:
            if error.exit_code != ExitCode.DENIED:
                raise
            continue
        if provider is not None:
            found[name] = provider
    return found


def _branded(pools: AwsPools, subject: Subject, pool: Mapping[str, object]) -> bool | None:
    """Return whether the app client has a style, where one of the pool's domains has managed login."""
    domains = [str(pool[name]) for name in ("Domain", "CustomDomain") if pool.get(name)]
    try:
        if all(pools.managed_login_version(domain) != _MANAGED_LOGIN for domain in domains):
            return None
        return pools.has_branding(subject.pool.pool_id, subject.client_id)
    except CommandError as error:
        if error.exit_code != ExitCode.DENIED:
            raise
        return None
