"""What a federated sign-in makes of a person: attributes mapped from claims, and whose profile they go to.

Decides usernames, mapped values, and which mappings fail. How the claims were obtained is decided by `upstream`.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-specifying-attribute-mapping.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus

from cognito_oidc.emulator.directory import MAX_ATTRIBUTE
from cognito_oidc.emulator.tokens import BOOLEAN_ATTRIBUTES
from cognito_oidc.emulator.upstream import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.emulator.app_clients import EmulatedAppClient
    from cognito_oidc.emulator.pools import EmulatedPool
    from cognito_oidc.emulator.providers import OidcProvider
    from cognito_oidc.emulator.users import EmulatedUser

_VERIFIED: Final = {"email": "email_verified", "phone_number": "phone_number_verified"}


def sign_in_profile(
    pool: EmulatedPool, provider: OidcProvider, claims: Mapping[str, object], *, client: EmulatedAppClient
) -> EmulatedUser:
    """Return the person whom the claims name, made or brought up to date; whoever calls holds the lock.

    Raises:
        UpstreamError: The claims do not do, or the person may not sign in.
    """
    subject = _text(claims.get(provider.attribute_mapping.get("username", "sub")))
    if not subject:
        # https://github.com/TimothyJones/github-cognito-openid-wrapper/issues/46
        raise UpstreamError("username attribute mapping required")
    values = _mapped_values(provider, claims)
    if missing := sorted(name for name in pool.required_attributes if name not in values):
        # https://github.com/aws-samples/aws-amplify-oidc-federation/issues/2
        raise UpstreamError(f"attributes required: [{', '.join(missing)}]")
    for name, verified in _VERIFIED.items():
        if name in values and verified not in provider.attribute_mapping:
            values[verified] = "false"
    user = pool.user_of(provider.name, subject)
    if user is None:
        user = pool.create_user(
            provider.username(subject),
            password=None,
            status="EXTERNAL_PROVIDER",
            attributes=values,
            groups=[f"{pool.pool_id}_{provider.name}"],
        )
        pool.add_identity(user, provider, subject, primary=True)
        return user
    if not user.enabled:
        raise UpstreamError("User is not enabled.")
    for name in sorted(set(values).intersection(provider.attribute_mapping)):
        locked = name in pool.immutable_attributes
        if locked or (client.write_attributes is not None and name not in client.write_attributes):
            # https://github.com/amazon-archives/amazon-cognito-auth-js/issues/48: the first time it works
            raise UpstreamError(f"Invalid user attributes: {name}: Attribute cannot be updated")
    user.attributes.update(values)  # a claim that vanished leaves the old value
    return user


def _mapped_values(provider: OidcProvider, claims: Mapping[str, object]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, claim in provider.attribute_mapping.items():
        text = _text(claims.get(claim))
        if name == "username" or text is None:
            continue
        if len(text) > MAX_ATTRIBUTE:
            raise UpstreamError(
                f"Invalid user attributes: {name}: String must be no longer than {MAX_ATTRIBUTE} characters."
            )
        values[name] = text.lower() if name in BOOLEAN_ATTRIBUTES else text
    return values


def _text(value: object) -> str | None:
    """Return a claim as the text that Cognito keeps, or None where there is nothing.

    Source: the developer guide of January 2023: several values become one string, comma-separated and form-encoded.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return quote_plus(",".join(_text(each) or "" for each in value), safe="*")
    return str(value)
