"""What is to be done at two pools so that a plan holds: what is missing, and what is there and set otherwise.

Decides what counts as the same, and what an update has to repeat so that it resets nothing. Pure: what AWS shows is
handed in. Secrets are compared and named, never shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from cognito_oidc.cli.console import MisconfiguredError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cognito_oidc import Federation

Operation = Literal[
    "create_user_pool_client", "update_user_pool_client", "create_identity_provider", "update_identity_provider"
]

_SECRETS: Final = frozenset({"client_secret"})  # a member of ProviderDetails
_ORDERS: Final = frozenset({"GenerateSecret", "ProviderType", "ProviderName", "UserPoolId"})  # no settings to compare
# Lists in which a plan needs its own members, and others may stand.
_MAY_HOLD_MORE: Final = frozenset(
    {"AllowedOAuthScopes", "CallbackURLs", "IdpIdentifiers", "LogoutURLs", "SupportedIdentityProviders"}
)
_NOT_UPDATED: Final = frozenset({"ProviderType"})
_NOT_PLANNED: Final = ("AcrMapping", "IdpIdentifiers")  # settings of a provider that an update must not lose
HIDDEN: Final = "(hidden: --show-secret writes it)"
"""What stands in place of a secret."""
LATER: Final = "to-be-created"
"""What stands in place of an app client's id and secret until AWS has made them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call to AWS.

    Attributes:
        operation: Which.
        at_upstream: Whether it is sent to the upstream pool's Region, rather than to the downstream one's.
        said: What it does, in a sentence without secrets.
        changes: Whether it changes something that is there, rather than creating what is missing.
        arguments: What is sent; may hold a secret.
    """

    operation: Operation
    at_upstream: bool
    said: str
    changes: bool = False
    arguments: Mapping[str, object] = field(default_factory=dict, repr=False)


def upstream_step(plan: Federation, found: Mapping[str, object] | None, accepted: Collection[str]) -> Step | None:
    """Return what has to be done about the app client at the upstream pool; None where it is as planned.

    Args:
        plan: The plan.
        found: `UserPoolClient` of DescribeUserPoolClient, or None where there is none.
        accepted: The arguments that UpdateUserPoolClient takes.

    Raises:
        MisconfiguredError: It has no secret, which no update can give it.
    """
    planned = plan.upstream_app_client()
    if found is None:
        said = f"create the app client {planned['ClientName']} at the upstream pool {plan.upstream.pool_id}"
        return Step(operation="create_user_pool_client", at_upstream=True, said=said, arguments=planned)
    client_id = found.get("ClientId")
    if not found.get("ClientSecret"):
        raise MisconfiguredError(
            f"app client {client_id} of {plan.upstream.pool_id} has no secret, and Cognito as a relying party always "
            "sends one: delete it, or name another with --upstream-client-id"
        )
    # The name is for people, and the client may be one that was made by hand.
    wanted = {name: value for name, value in planned.items() if name != "ClientName"}
    differing = differences(wanted, found)
    if not differing:
        return None
    said = f"change the app client {client_id} of {plan.upstream.pool_id}: {_told(differing)}"
    return _client_update(found, wanted, accepted, said, at_upstream=True)


def provider_step(plan: Federation, found: Mapping[str, object] | None) -> Step | None:
    """Return what has to be done about the provider at the downstream pool; None where it is as planned.

    Args:
        plan: The plan, with its upstream app client.
        found: `IdentityProvider` of DescribeIdentityProvider, or None where there is none.

    Raises:
        MisconfiguredError: There is a provider of this name which is no OpenID provider.
    """
    planned = plan.identity_provider()
    name = plan.provider_name
    if found is None:
        said = f"create the provider {name} at the downstream pool {plan.downstream.pool_id}"
        return Step(operation="create_identity_provider", at_upstream=False, said=said, arguments=planned)
    if found.get("ProviderType") != "OIDC":
        raise MisconfiguredError(
            f"provider {name} of {plan.downstream.pool_id} is of the type {found.get('ProviderType')}, and the plan "
            "needs OIDC: choose another --provider-name"
        )
    differing = differences(planned, found)
    if not differing:
        return None
    said = f"change the provider {name} of {plan.downstream.pool_id}: {_told(differing)}"
    kept = {each: found[each] for each in _NOT_PLANNED if found.get(each)}
    new = {each: _joined(each, value, found.get(each)) for each, value in planned.items() if each not in _NOT_UPDATED}
    arguments = {**kept, **new}
    return Step(operation="update_identity_provider", at_upstream=False, said=said, changes=True, arguments=arguments)


def downstream_step(plan: Federation, found: Mapping[str, object], accepted: Collection[str]) -> Step | None:
    """Return what has to be done about an application's app client; None where it offers the provider.

    Args:
        plan: The plan.
        found: `UserPoolClient` of DescribeUserPoolClient.
        accepted: The arguments that UpdateUserPoolClient takes.
    """
    wanted = {"SupportedIdentityProviders": [plan.provider_name]}
    if not differences(wanted, found):
        return None
    said = (
        f"add {plan.provider_name} to the providers of app client {found.get('ClientId')} of {plan.downstream.pool_id}"
    )
    return _client_update(found, wanted, accepted, said, at_upstream=False)


def differences(planned: Mapping[str, object], found: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """Return what is set otherwise: name to what is there and what is planned, with secrets hidden.

    What AWS adds by itself, such as the mapping of `username`, is no difference.
    """
    differing: dict[str, tuple[object, object]] = {}
    for name, value in planned.items():
        there = found.get(name)
        if name in _ORDERS:
            continue
        if isinstance(value, dict):
            inner = differences(value, there if isinstance(there, dict) else {})
            differing |= {f"{name}.{each}": both for each, both in inner.items()}
        elif not _holds(name, value, there):
            differing[name] = (HIDDEN, HIDDEN) if name in _SECRETS else (there, value)
    return differing


def without_secrets(arguments: Mapping[str, object]) -> dict[str, object]:
    """Return arguments in which every secret is hidden."""
    return {
        name: without_secrets(value) if isinstance(value, dict) else HIDDEN if name in _SECRETS and value else value
        for name, value in arguments.items()
    }


def _client_update(
    found: Mapping[str, object],
    wanted: Mapping[str, object],
    accepted: Collection[str],
    said: str,
    *,
    at_upstream: bool,
) -> Step:
    """Return an update that repeats everything there is: UpdateUserPoolClient resets what it is not given."""
    kept = {name: value for name, value in found.items() if name in accepted}
    new = {name: _joined(name, value, found.get(name)) for name, value in wanted.items() if name in accepted}
    return Step(
        operation="update_user_pool_client", at_upstream=at_upstream, said=said, changes=True, arguments={**kept, **new}
    )


def _holds(name: str, wanted: object, there: object) -> bool:
    if name in _MAY_HOLD_MORE and isinstance(wanted, list):
        return isinstance(there, list) and set(wanted) <= set(there)
    if name == "authorize_scopes":  # a list in one text
        return set(str(wanted).split()) == set(str(there or "").split())
    return wanted == there


def _joined(name: str, wanted: object, there: object) -> object:
    """Return what is sent: what was there besides stays."""
    if name in _MAY_HOLD_MORE and isinstance(wanted, list) and isinstance(there, list):
        return [*there, *(each for each in wanted if each not in there)]
    if name == "AttributeMapping" and isinstance(wanted, dict) and isinstance(there, dict):
        return {**there, **wanted}
    return wanted


def _told(differing: Mapping[str, tuple[object, object]]) -> str:
    return "; ".join(
        f"{name} differs" if there == HIDDEN else f"{name} is {_shown(there)}, planned {_shown(wanted)}"
        for name, (there, wanted) in differing.items()
    )


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "empty"
    return "not set" if value is None else str(value)
