"""What a verified token says, in types.

Decides how the claims of access and ID tokens look to a caller. Decides nothing about which tokens are good; that is
`claims`'s.

A claims value is a view: it holds the payload and reads from it, so that making one costs next to nothing. The
protected claims were checked before it was made; the person's attributes are read leniently, since a
pre-token-generation Lambda may turn them into anything: an odd value reads as None, and `raw` keeps what came.

This module is on the verification path: it imports nothing that is slow to import.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from cognito_oidc._frozen import Frozen
from cognito_oidc.protocol.encoding import MAX_DEPTH, is_endless

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MAX_DIGITS = 16


class TokenClaims(Frozen):
    """What both kinds of token say. Made by verifying; made directly only in tests, from a payload you trust.

    Every claim that is absent reads as None, or as an empty tuple. Times are epoch seconds UTC.
    """

    __slots__ = ("raw",)

    raw: Mapping[str, object]
    """The whole payload, read-only, with claims this library does not know. Arrays are tuples."""

    def __init__(self, payload: Mapping[str, object]) -> None:
        """Keep a copy of a payload that was verified, read-only."""
        _set_raw(self, MappingProxyType({name: freeze(value) for name, value in payload.items()}))

    def __repr__(self) -> str:
        """Show who and when; the person's attributes are private."""
        return f"{type(self).__name__}(sub={self.sub!r}, exp={self.exp!r})"

    def __hash__(self) -> int:
        """Hash what tells tokens apart."""
        return hash((type(self), self.iss, self.sub, self.raw.get("jti"), self.exp))

    def __reduce__(self) -> tuple[object, ...]:
        """Support pickle and copy."""
        return type(self), (self.to_dict(),)

    def to_dict(self) -> dict[str, object]:
        """Return the payload as a new dict of plain JSON values."""
        return {name: thaw(value) for name, value in self.raw.items()}

    @property
    def iss(self) -> str:
        """The issuer."""
        return self.raw["iss"]  # type: ignore[return-value]

    @property
    def sub(self) -> str:
        """The user's id in the pool, or the client id of a machine token. Looks like a UUID; do not parse it as one."""
        return self.raw["sub"]  # type: ignore[return-value]

    @property
    def exp(self) -> float:
        """When the token ends to be good."""
        return self.raw["exp"]  # type: ignore[return-value]

    @property
    def iat(self) -> float:
        """When the token was issued."""
        return self.raw["iat"]  # type: ignore[return-value]

    @property
    def auth_time(self) -> float | None:
        """When the person signed in; a refresh does not change it."""
        return self.raw.get("auth_time")  # type: ignore[return-value]

    @property
    def jti(self) -> str | None:
        """The token's own id."""
        return self.raw.get("jti")  # type: ignore[return-value]

    @property
    def origin_jti(self) -> str | None:
        """The id of the sign-in; the same across refreshes, and what a revocation ends."""
        return self.raw.get("origin_jti")  # type: ignore[return-value]

    @property
    def event_id(self) -> str | None:
        """The id of the sign-in event."""
        return self.raw.get("event_id")  # type: ignore[return-value]

    @property
    def acr(self) -> str | None:
        """The authentication context that was reached."""
        return self.raw.get("acr")  # type: ignore[return-value]

    @property
    def amr(self) -> tuple[str, ...]:
        """How the person signed in, such as `("pwd", "otp", "mfa")` or `("fed",)`."""
        return self.raw.get("amr", ())  # type: ignore[return-value]

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups the user is in (`cognito:groups`)."""
        return self.raw.get("cognito:groups", ())  # type: ignore[return-value]


C = TypeVar("C", bound=TokenClaims)  # a bound as text would cost 3 ms: typing compiles it

_set_raw = TokenClaims.__dict__["raw"].__set__
_new = TokenClaims.__new__


def maker_of(claims_type: type[C]) -> Callable[[type[C], dict[str, object]], C]:
    """Return what makes claims of this type of a checked payload whose nested values are read-only already.

    It saves the copy that the constructor makes, unless the class has a constructor of its own.
    """
    plain = claims_type.__init__ is TokenClaims.__init__ and claims_type.__new__ is TokenClaims.__new__
    return _view_of if plain else _call


def _view_of(claims_type: type[C], payload: dict[str, object]) -> C:
    claims = _new(claims_type)
    _set_raw(claims, MappingProxyType(payload))
    return claims


def _call(claims_type: type[C], payload: dict[str, object]) -> C:
    return claims_type(payload)


def scopes_of(payload: Mapping[str, object]) -> tuple[str, ...]:
    """Return the scopes of a payload; a space separates them, and no other white space (RFC 6749 section 3.3)."""
    scope: str = payload.get("scope", "")  # type: ignore[assignment]  # a string: its type was checked
    return tuple([name for name in scope.split(" ") if name])


class AccessTokenClaims(TokenClaims):
    """What a verified access token says.

    Source: AWS, "Understanding the access token".
    """

    __slots__ = ()

    @property
    def client_id(self) -> str:
        """The app client the token was issued to; Cognito's audience."""
        return self.raw["client_id"]  # type: ignore[return-value]

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes, in the token's order; custom ones as `{resource server identifier}/{name}`."""
        return scopes_of(self.raw)

    @property
    def username(self) -> str | None:
        """The user's name in the pool; None for machine tokens."""
        return self.raw.get("username")  # type: ignore[return-value]

    @property
    def version(self) -> int | None:
        """2 for tokens of the OAuth endpoints; None for those of API sign-ins."""
        return self.raw.get("version")  # type: ignore[return-value]

    @property
    def aud(self) -> str | None:
        """The resource server the token is bound to, or None."""
        return self.raw.get("aud")  # type: ignore[return-value]

    @property
    def device_key(self) -> str | None:
        """The remembered device."""
        return self.raw.get("device_key")  # type: ignore[return-value]


class Identity(Frozen):
    """An account at another identity provider that the user is linked to.

    Attributes:
        user_id: The user's id there (`sub` of an OIDC provider).
        provider_name: The provider's name in this pool.
        provider_type: Such as `"OIDC"`, `"SAML"` or `"Google"`.
        issuer: The provider's issuer, where Cognito fills it.
        primary: Whether it is the user's first identity.
        date_created: When it was linked, epoch milliseconds UTC.
    """

    __slots__ = ("date_created", "issuer", "primary", "provider_name", "provider_type", "user_id")

    user_id: str | None
    provider_name: str | None
    provider_type: str | None
    issuer: str | None
    primary: bool | None
    date_created: int | None

    def __init__(
        self,
        *,
        user_id: str | None,
        provider_name: str | None,
        provider_type: str | None,
        issuer: str | None,
        primary: bool | None,
        date_created: int | None,
    ) -> None:
        """Keep what the token says; None where it does not."""
        self._set(
            user_id=user_id,
            provider_name=provider_name,
            provider_type=provider_type,
            issuer=issuer,
            primary=primary,
            date_created=date_created,
        )


class IdTokenClaims(TokenClaims):
    """What a verified ID token says.

    Source: AWS, "Understanding the identity (ID) token".
    """

    __slots__ = ()

    @property
    def aud(self) -> str:
        """The app client the token was issued to."""
        return self.raw["aud"]  # type: ignore[return-value]

    @property
    def username(self) -> str | None:
        """The user's name in the pool (`cognito:username`); `{provider}_{sub}` for a federated user."""
        return self.raw.get("cognito:username")  # type: ignore[return-value]

    @property
    def roles(self) -> tuple[str, ...]:
        """ARNs of the roles of the user's groups (`cognito:roles`)."""
        return self.raw.get("cognito:roles", ())  # type: ignore[return-value]

    @property
    def preferred_role(self) -> str | None:
        """ARN of the role of the most important group (`cognito:preferred_role`)."""
        return self.raw.get("cognito:preferred_role")  # type: ignore[return-value]

    @property
    def identities(self) -> tuple[Identity, ...]:
        """The accounts at other identity providers; empty for a local user."""
        return lenient_identities(self.raw.get("identities"))

    @property
    def nonce(self) -> str | None:
        """The request's nonce; after a federated sign-in without one, a random value of Cognito's."""
        return self.raw.get("nonce")  # type: ignore[return-value]

    @property
    def at_hash(self) -> str | None:
        """The hash that ties the token to the access token issued with it."""
        return self.raw.get("at_hash")  # type: ignore[return-value]

    @property
    def email(self) -> str | None:
        """The e-mail address."""
        return lenient_str(self.raw.get("email"))

    @property
    def email_verified(self) -> bool | None:
        """Whether the e-mail address was verified; None is not False."""
        return lenient_bool(self.raw.get("email_verified"))

    @property
    def phone_number(self) -> str | None:
        """The phone number in E.164 form."""
        return lenient_str(self.raw.get("phone_number"))

    @property
    def phone_number_verified(self) -> bool | None:
        """Whether the phone number was verified; None is not False."""
        return lenient_bool(self.raw.get("phone_number_verified"))

    @property
    def name(self) -> str | None:
        """The full name."""
        return lenient_str(self.raw.get("name"))

    @property
    def given_name(self) -> str | None:
        """The given name."""
        return lenient_str(self.raw.get("given_name"))

    @property
    def family_name(self) -> str | None:
        """The family name."""
        return lenient_str(self.raw.get("family_name"))


def lenient_str(value: object) -> str | None:
    """Return a string; None for any other type."""
    return value if isinstance(value, str) else None


def lenient_bool(value: object) -> bool | None:
    """Return a boolean, also of Cognito's strings `"true"` and `"false"`; None for anything else."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def lenient_int(value: object) -> int | None:
    """Return a whole number, also of a string of digits; None for anything else."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def lenient_identities(value: object) -> tuple[Identity, ...]:
    """Return the identities of an array of objects; what is no object is left out."""
    members = value if isinstance(value, list | tuple) else ()
    return tuple(
        Identity(
            user_id=lenient_str(one.get("userId")),
            provider_name=lenient_str(one.get("providerName")),
            provider_type=lenient_str(one.get("providerType")),
            issuer=lenient_str(one.get("issuer")),
            primary=lenient_bool(one.get("primary")),
            date_created=lenient_int(one.get("dateCreated")),
        )
        for one in members
        if isinstance(one, dict | MappingProxyType)
    )


def freeze(value: object, *, levels: int = MAX_DEPTH) -> object:
    """Return a JSON value made read-only: arrays become tuples, objects read-only mappings.

    Raises:
        ValueError: More than `levels` containers stand inside each other, or a number is infinite.
    """
    if is_endless(value):
        problem = "holds a number without end"
        raise ValueError(problem)
    if not isinstance(value, list | dict):
        return value
    if levels == 0:
        problem = f"nests deeper than {MAX_DEPTH} levels"
        raise ValueError(problem)
    if isinstance(value, list):
        return tuple([freeze(one, levels=levels - 1) for one in value])
    return MappingProxyType({name: freeze(one, levels=levels - 1) for name, one in value.items()})


def thaw(value: object) -> object:
    """Return a plain copy of what `freeze` returned."""
    if isinstance(value, tuple):
        return [thaw(one) for one in value]
    if isinstance(value, MappingProxyType | dict):
        return {name: thaw(one) for name, one in value.items()}
    return value
