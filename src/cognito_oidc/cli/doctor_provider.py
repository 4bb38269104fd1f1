"""The providers of an app client as AWS's API shows them: what their people's first and second logins will meet.

Decides which attribute mappings fail, and when. Pure: what AWS showed is handed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_oidc import UserPool
from cognito_oidc.cli.findings import good, unknown, wrong
from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.cli.doctor_profile import Subject
    from cognito_oidc.cli.findings import Check

_SET_BY_COGNITO: Final = frozenset({"sub", "username"})
# The console offers neither among the attributes that an app client may write, and nobody has documented whether a
# mapping needs it to.
_NOT_OFFERED: Final = frozenset({"email_verified", "phone_number_verified"})


def judge_providers(
    subject: Subject,
    *,
    pool: Mapping[str, object],
    client: Mapping[str, object],
    providers: Mapping[str, Mapping[str, object]],
) -> list[Check]:
    """Judge the providers that people may sign in with.

    Args:
        subject: What is looked at.
        pool: `UserPool` of DescribeUserPool.
        client: `UserPoolClient` of DescribeUserPoolClient.
        providers: Name to `IdentityProvider` of DescribeIdentityProvider, of those that the app client has.

    Source: wire sheet section 8, mapping; AWS, "Specifying identity provider attribute mappings".
    """
    schema = _schema(pool)
    writable = client.get("WriteAttributes") or ()
    checks: list[Check] = []
    for name, provider in providers.items():
        mapping = provider.get("AttributeMapping")
        mapped = frozenset(mapping) - _SET_BY_COGNITO if isinstance(mapping, dict) else frozenset[str]()
        found = [
            *_unmapped(subject, name, schema, mapped),
            *_immutable(subject, name, schema, mapped),
            *_unwritable(subject, name, mapped, tuple(writable) if isinstance(writable, list | tuple) else ()),
            *_userinfo_by_post(name, provider),
        ]
        checks += found or [good(f"provider {name}", "Its attributes can be written at each login.")]
    return checks


def _unmapped(
    subject: Subject, name: str, schema: Mapping[str, Mapping[str, object]], mapped: frozenset[str]
) -> list[Check]:
    required = {each for each, about in schema.items() if about.get("Required") is True} - _SET_BY_COGNITO
    missing = sorted(required - mapped)
    if not missing:
        return []
    return [
        wrong(
            f"provider {name}",
            code="required_attribute_not_mapped",
            found=f"{', '.join(missing)} is required by user pool {subject.pool.pool_id} and not mapped from {name}.",
            silence="The person has signed in at the provider by then, and comes back with invalid_request.",
            cure=(
                f"Map it (console: Social and external providers, {name}, Attribute mapping), and ask the provider "
                "for the scope that brings it. What is required of a pool cannot be changed any more."
            ),
            topic="attributes required; Invalid user attributes: email: The attribute is required",
        )
    ]


def _immutable(
    subject: Subject, name: str, schema: Mapping[str, Mapping[str, object]], mapped: frozenset[str]
) -> list[Check]:
    fixed = sorted(each for each in mapped if schema.get(each, {}).get("Mutable") is False)
    if not fixed:
        return []
    return [
        wrong(
            f"provider {name}",
            code="mapped_attribute_immutable",
            found=f"{', '.join(fixed)} of user pool {subject.pool.pool_id} is immutable and mapped from {name}.",
            silence="The first login creates the account and works; every later one tries to write it again and fails.",
            cure="Take it out of the mapping, or map to another attribute: an immutable one stays so.",
            topic="Invalid user attributes: email: Attribute cannot be updated",
        )
    ]


def _unwritable(subject: Subject, name: str, mapped: frozenset[str], writable: tuple[object, ...]) -> list[Check]:
    """Judge what the app client may write; without a list it may write everything."""
    refused = sorted(mapped - set(writable) - _NOT_OFFERED) if writable else []
    if not refused:
        return []
    return [
        wrong(
            f"provider {name}",
            code="mapped_attribute_not_writable",
            found=f"{subject.app_client} may not write {', '.join(refused)}, which is mapped from {name}.",
            silence=(
                "Cognito writes mapped attributes in the app client's name, at each login, and says only which failed."
            ),
            cure=(
                "Add it to WriteAttributes (console: App clients, Attribute permissions), or take it out of the "
                "mapping."
            ),
            topic="Invalid user attributes: email: Attribute cannot be updated",
        )
    ]


def _userinfo_by_post(name: str, provider: Mapping[str, object]) -> list[Check]:
    """Say that a user pool is asked for attributes in a way that nobody has documented."""
    details = provider.get("ProviderDetails")
    if not isinstance(details, dict) or details.get("attributes_request_method") != "POST":
        return []
    try:
        UserPool.from_issuer(str(details.get("oidc_issuer")))
    except ConfigurationError:
        return []
    said = "It asks a user pool for attributes by POST, and only GET is documented: attributes_request_method."
    return [unknown(f"provider {name}", said)]


def _schema(pool: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    attributes = pool.get("SchemaAttributes")
    if not isinstance(attributes, list):
        return {}
    return {str(each.get("Name")): each for each in attributes if isinstance(each, dict)}
