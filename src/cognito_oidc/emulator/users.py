"""A person in a pool's directory, and the external identities that belong to them.

Decides what is known of a person and how it is written in claims. Who may be added is decided by `directory`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cognito_oidc.emulator.directory import Directory

UserStatus = Literal["CONFIRMED", "UNCONFIRMED", "FORCE_CHANGE_PASSWORD", "RESET_REQUIRED", "EXTERNAL_PROVIDER"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalIdentity:
    """An identity at an external provider; one entry of the claim `identities`.

    Attributes:
        provider_name: The provider's name in the pool.
        user_id: The person's `sub` at the provider.
        issuer: The provider's issuer, or None where the claim has null.
        primary: True for the provider's own profile, False where it was linked to a local person.
        created_at: Epoch seconds.
    """

    provider_name: str
    user_id: str
    issuer: str | None
    primary: bool
    created_at: float

    def as_claim(self) -> dict[str, str | None]:
        """Return the entry as it is on the wire, where flags and times are strings too.

        Source: https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-id-token.html
        """
        return {
            "userId": self.user_id,
            "providerName": self.provider_name,
            "providerType": "OIDC",
            "issuer": self.issuer,
            "primary": str(self.primary).lower(),
            "dateCreated": str(int(self.created_at * 1_000)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordPolicy:
    """What a password that a person chooses on a page must have; the defaults are Cognito's.

    Attributes:
        minimum_length: Characters, from 6 to 99.
        uppercase: Whether a capital letter is needed.
        lowercase: Whether a small letter is needed.
        numbers: Whether a digit is needed.
        symbols: Whether a character is needed that is none of these.
    """

    minimum_length: int = 8
    uppercase: bool = True
    lowercase: bool = True
    numbers: bool = True
    symbols: bool = True

    def problem(self, password: str) -> str | None:
        """Return what Cognito's API says of a password, or None where it will do."""
        lacking = {
            "Password not long enough": len(password) < self.minimum_length,
            "Password must have uppercase characters": self.uppercase and not any(map(str.isupper, password)),
            "Password must have lowercase characters": self.lowercase and not any(map(str.islower, password)),
            "Password must have numeric characters": self.numbers and not any(map(str.isdigit, password)),
            "Password must have symbol characters": self.symbols and all(map(str.isalnum, password)),
        }
        return next((f"Password did not conform with policy: {text}" for text, is_so in lacking.items() if is_so), None)


class EmulatedUser:
    """A person in a pool's directory; made by `EmulatedPool.add_user`, by signing up, or by a federated sign-in.

    Attributes:
        username: The name to sign in with.
        sub: The person's `sub`, in the shape of Cognito's, which is no valid RFC 9562 UUID.
        password: The password to sign in with, or None for a person of an external provider.
        attributes: Attribute values by name, all text; what is changed here is seen by the next token.
        groups: Names of the person's groups.
        identities: The person's identities at external providers.
        status: `CONFIRMED`, `UNCONFIRMED`, `FORCE_CHANGE_PASSWORD`, `RESET_REQUIRED` or `EXTERNAL_PROVIDER`.
        enabled: A disabled person cannot sign in or refresh.
    """

    __slots__ = (
        "_directory",
        "attributes",
        "enabled",
        "groups",
        "identities",
        "password",
        "status",
        "sub",
        "username",
    )

    def __init__(
        self,
        directory: Directory,
        username: str,
        *,
        password: str | None,
        status: UserStatus,
        attributes: dict[str, str],
        groups: list[str],
    ) -> None:
        digits = secrets.token_hex(16)
        self._directory = directory
        self.username: str = username
        self.sub: str = f"{digits[:8]}-{digits[8:12]}-70{digits[14:16]}-f{digits[17:20]}-{digits[20:]}"
        self.password: str | None = password
        self.status: UserStatus = status
        self.attributes: dict[str, str] = attributes
        self.groups: list[str] = groups
        self.identities: list[ExternalIdentity] = []
        self.enabled: bool = True

    def __repr__(self) -> str:
        return f"EmulatedUser({self.username!r}, sub={self.sub!r}, groups={self.groups!r})"

    @property
    def has_verified_address(self) -> bool:
        """Whether a code for a new password can be sent."""
        return "true" in {self.attributes.get("email_verified"), self.attributes.get("phone_number_verified")}

    def role_arns(self) -> tuple[str, ...]:
        """Return the role ARNs of the person's groups, the preferred one first."""
        return self._directory.role_arns(self.groups)

    def identities_claim(self) -> list[dict[str, str | None]]:
        """Return the claim `identities`; empty for a person without any."""
        return [each.as_claim() for each in self.identities]

    def sign_out_everywhere(self) -> None:
        """Revoke every sign-in, as GlobalSignOut does; the session of the browser survives."""
        with self._directory.surroundings.lock:
            self._directory.ledger.revoke_all(self)
