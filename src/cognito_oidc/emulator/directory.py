"""A pool's directory: its people, their groups, and their identities at external providers.

Decides which people, attributes and links Cognito would take.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypedDict

from cognito_oidc.emulator.app_clients import as_tuple
from cognito_oidc.emulator.ledger import Ledger
from cognito_oidc.emulator.tokens import STANDARD_ATTRIBUTES
from cognito_oidc.emulator.users import EmulatedUser, ExternalIdentity, PasswordPolicy
from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cognito_oidc.emulator.control import Surroundings
    from cognito_oidc.emulator.providers import OidcProvider
    from cognito_oidc.emulator.users import UserStatus

Purpose = Literal["sign_up", "forgot_password"]

_LOG: Final = logging.getLogger("cognito_oidc.emulator")
# https://docs.aws.amazon.com/cognito/latest/developerguide/limits.html: 24 hours to confirm, one hour to reset.
_CODE_SECONDS: Final = {"sign_up": 86_400, "forgot_password": 3_600}
MAX_ATTRIBUTE: Final = 2_048  # characters of a value, in the AWS service model (botocore 1.44.5)


class CodeRefusedError(Exception):
    """A code that is wrong or too old; never leaves the package."""

    def __init__(self, phrase: str) -> None:
        super().__init__(phrase)
        self.phrase = phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMessage:
    """A message that a real pool would have sent.

    Attributes:
        purpose: `sign_up` or `forgot_password`.
        username: For whom.
        destination: The e-mail address or phone number, or None where the person has neither.
        code: The six digits.
        sent_at: Epoch seconds.
    """

    purpose: Purpose
    username: str
    destination: str | None
    code: str
    sent_at: float


class DirectorySettings(TypedDict, total=False):
    """What may be said of a directory when its pool is made."""

    required_attributes: Iterable[str]
    immutable_attributes: Iterable[str]
    self_sign_up: bool
    password_policy: PasswordPolicy | None


class Directory:
    """The people of a pool; the half of `EmulatedPool` that knows them."""

    def __init__(
        self,
        surroundings: Surroundings,
        pool_id: str,
        *,
        required_attributes: Iterable[str] = (),
        immutable_attributes: Iterable[str] = (),
        self_sign_up: bool = True,
        password_policy: PasswordPolicy | None = None,
    ) -> None:
        self.surroundings = surroundings
        self.pool_id = pool_id
        self.users: dict[str, EmulatedUser] = {}
        self.providers: dict[str, OidcProvider] = {}
        self.required_attributes: frozenset[str] = checked_attributes("required_attributes", required_attributes)
        self.immutable_attributes: frozenset[str] = checked_attributes("immutable_attributes", immutable_attributes)
        self.self_sign_up = self_sign_up
        self.password_policy: PasswordPolicy = password_policy if password_policy is not None else PasswordPolicy()
        self.messages: list[SentMessage] = []
        self._open_codes: dict[tuple[str, Purpose], SentMessage] = {}
        self.ledger: Ledger = Ledger()
        self._roles: dict[str, tuple[int, str]] = {}

    def add_group(self, name: str, *, role_arn: str | None = None, precedence: int = 0) -> None:
        """Register a group with a role; a group without one needs no registration.

        Args:
            name: The group's name.
            role_arn: The IAM role that goes into `cognito:roles`.
            precedence: The group with the lowest number gives `cognito:preferred_role`.
        """
        if role_arn is not None:
            with self.surroundings.lock:
                self._roles[name] = (precedence, role_arn)

    def role_arns(self, groups: Iterable[str]) -> tuple[str, ...]:
        """Return the role ARNs of some groups, the preferred one first."""
        return tuple(arn for _, arn in sorted(self._roles[name] for name in groups if name in self._roles))

    def add_user(
        self,
        username: str,
        *,
        password: str | None = None,
        temporary_password: str | None = None,
        email: str | None = None,
        email_verified: bool = False,
        groups: Iterable[str] = (),
        attributes: Mapping[str, str | bool] | None = None,
    ) -> EmulatedUser:
        """Add a person to the directory.

        Args:
            username: The name to sign in with.
            password: The password; no policy is applied.
            temporary_password: A password that must be changed at the first sign-in, as AdminCreateUser gives it.
            email: The e-mail address.
            email_verified: Whether it counts as verified.
            groups: Names of the person's groups.
            attributes: Further attributes: standard ones of OpenID Connect, or `custom:*`. Cognito keeps text; a
                boolean becomes `true` or `false`.

        Raises:
            ConfigurationError: The name is taken, an attribute is none that Cognito has, or it is not exactly one
                password.
        """
        if (password is None) == (temporary_password is None):
            raise ConfigurationError(f"user {username!r} needs either password or temporary_password")
        values: dict[str, str] = {}
        if email is not None:
            values |= {"email": email, "email_verified": str(email_verified).lower()}
        checked_attributes("attributes", attributes or {})
        for attribute, value in (attributes or {}).items():
            text = str(value).lower() if isinstance(value, bool) else value
            if not isinstance(text, str) or len(text) > MAX_ATTRIBUTE:
                raise ConfigurationError(f"attribute {attribute!r} must be text of at most {MAX_ATTRIBUTE} characters")
            values[attribute] = text
        with self.surroundings.lock:
            if username in self.users:
                raise ConfigurationError(f"pool {self.pool_id} has a user {username!r} already")
            return self.create_user(
                username,
                password=password if password is not None else temporary_password,
                status="CONFIRMED" if password is not None else "FORCE_CHANGE_PASSWORD",
                attributes=values,
                groups=list(as_tuple("groups", groups)),
            )

    def link_user(self, user: EmulatedUser | str, *, provider_name: str, subject: str) -> None:
        """Let a person of an external provider sign in as a person of this directory.

        What AdminLinkProviderForUser does, with the source attribute `Cognito_Subject`.

        Args:
            user: The person, or their username.
            provider_name: The name of one of the pool's providers.
            subject: The person's `sub` at the provider.

        Raises:
            ConfigurationError: There is no such person or provider, or the identity belongs to somebody already:
                link before the first sign-in.
        """
        known = self.users.get(user) if isinstance(user, str) else user
        if known is None:
            raise ConfigurationError(f"pool {self.pool_id} has no user {user!r}: add one with add_user()")
        provider = self.providers.get(provider_name)
        if provider is None:
            raise ConfigurationError(f"pool {self.pool_id} has no identity provider {provider_name!r}")
        with self.surroundings.lock:
            if self.user_of(provider_name, subject) is not None:
                raise ConfigurationError(f"{provider_name} identity {subject!r} belongs to a user already")
            self.add_identity(known, provider, subject, primary=False)

    def last_code(self, username: str) -> str:
        """Return the code of the last message to a person.

        Raises:
            ConfigurationError: There was none.
        """
        for message in reversed(self.messages):
            if message.username == username:
                return message.code
        raise ConfigurationError(f"pool {self.pool_id} has sent no code to {username!r}")

    def send_code(self, user: EmulatedUser, purpose: Purpose) -> None:
        """Make a code, and tell it in the log and in `messages`; whoever calls holds the lock."""
        destination = user.attributes.get("email") or user.attributes.get("phone_number")
        message = SentMessage(
            purpose=purpose,
            username=user.username,
            destination=destination,
            code=f"{secrets.randbelow(1_000_000):06}",
            sent_at=self.surroundings.clock(),
        )
        self.messages.append(message)
        self._open_codes[user.username, purpose] = message
        what = "confirmation code" if purpose == "sign_up" else "code for a new password"
        _LOG.info("pool %s: %s of %s is %s", self.pool_id, what, user.username, message.code)

    def use_code(self, user: EmulatedUser, purpose: Purpose, code: str) -> None:
        """Check the last code of its kind, which then is used up.

        Raises:
            CodeRefusedError: It is another one, or it is too old.
        """
        sent = self._open_codes.get((user.username, purpose))
        if sent is None:
            raise CodeRefusedError("code_expired")
        if not hmac.compare_digest(sent.code.encode(), code.strip().encode()):
            raise CodeRefusedError("code_mismatch")
        if self.surroundings.clock() >= sent.sent_at + _CODE_SECONDS[purpose]:
            raise CodeRefusedError("code_expired")
        del self._open_codes[user.username, purpose]

    def confirm_user(self, user: EmulatedUser, code: str) -> None:
        """Confirm a person who signed up, and the address that the code went to.

        Raises:
            CodeRefusedError: The code is another one, or it is too old.
        """
        self.use_code(user, "sign_up", code)
        user.status = "CONFIRMED"
        if "email" in user.attributes:
            user.attributes["email_verified"] = "true"

    def user_of(self, provider_name: str, subject: str) -> EmulatedUser | None:
        """Return the person to whom an external identity belongs."""
        for user in self.users.values():
            if any((each.provider_name, each.user_id) == (provider_name, subject) for each in user.identities):
                return user
        return None

    def create_user(
        self,
        username: str,
        *,
        password: str | None,
        status: UserStatus,
        attributes: dict[str, str],
        groups: list[str] | None = None,
    ) -> EmulatedUser:
        """Add a person whose details were checked; whoever calls holds the lock."""
        user = EmulatedUser(
            self, username, password=password, status=status, attributes=attributes, groups=groups or []
        )
        self.users[username] = user
        return user

    def add_identity(self, user: EmulatedUser, provider: OidcProvider, subject: str, *, primary: bool) -> None:
        """Give a person an external identity; whoever calls holds the lock."""
        named = self.surroundings.behaviour.identities_issuer
        user.identities.append(
            ExternalIdentity(
                provider_name=provider.name,
                user_id=subject,
                issuer=provider.issuer if named else None,
                primary=primary,
                created_at=self.surroundings.clock(),
            )
        )


def checked_attributes(what: str, names: Iterable[str]) -> frozenset[str]:
    """Return attribute names that Cognito has: standard ones, or `custom:*`.

    Raises:
        ConfigurationError: One of them is neither.
    """
    chosen = frozenset(as_tuple(what, names))
    for name in sorted(chosen):
        if name not in STANDARD_ATTRIBUTES and not name.startswith("custom:"):
            raise ConfigurationError(f"attribute {name!r} is neither standard nor begins with 'custom:'")
    return chosen
