"""What a caller asks of tokens, checked before any token is looked at.

Decides which arguments of a verifier and of its calls can be right. Decides nothing about tokens.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cognito_oidc.errors import ConfigurationError, shown, shown_number
from cognito_oidc.protocol.claims import IdExpectations, Requirements

if TYPE_CHECKING:
    from collections.abc import Iterable


def requirements(
    required_scopes: Iterable[str],
    any_of_scopes: Iterable[str],
    required_groups: Iterable[str],
    any_of_groups: Iterable[str],
    resource: str | None,
) -> Requirements:
    """Return what a call asks of an access token.

    Raises:
        ConfigurationError: An argument is of a type that no check could be made with.
    """
    if type(required_scopes) is type(any_of_scopes) is type(required_groups) is type(any_of_groups) is tuple:
        try:
            return _remembered(required_scopes, any_of_scopes, required_groups, any_of_groups, resource)
        except TypeError:  # a member that cannot be remembered is no name either: _names says so
            pass
    return _requirements(required_scopes, any_of_scopes, required_groups, any_of_groups, resource)


def _requirements(
    required_scopes: Iterable[str],
    any_of_scopes: Iterable[str],
    required_groups: Iterable[str],
    any_of_groups: Iterable[str],
    resource: str | None,
) -> Requirements:
    check_resource(resource)
    return Requirements(
        _names(required_scopes, "required_scopes"),
        _names(any_of_scopes, "any_of_scopes"),
        _names(required_groups, "required_groups"),
        _names(any_of_groups, "any_of_groups"),
        resource,
    )


# A route asks the same of every token. Only tuples are remembered: what else is hashable may change.
_remembered = lru_cache(maxsize=128)(_requirements)


def check_resource(resource: str | None) -> None:
    """Refuse a resource server that no token could be bound to.

    Raises:
        ConfigurationError: It is no text, or empty.
    """
    is_name = isinstance(resource, str) and resource != ""
    check_argument(resource is None or is_name, "resource", "a text that is not empty, or None", resource)


def id_expectations(nonce: str | None, access_token: str | None, max_age: float | None) -> IdExpectations:
    """Return what a call knows about an ID token.

    Raises:
        ConfigurationError: It is of a type that no check could be made with.
    """
    for name, value in (("nonce", nonce), ("access_token", access_token)):
        if value is not None and not isinstance(value, str):
            msg = f"{name}: expected a str or None, got {type(value).__name__}."
            raise ConfigurationError(msg)
    return IdExpectations(nonce, access_token, None if max_age is None else checked_number(max_age, "max_age"))


def checked_client_ids(client_ids: Iterable[str] | None) -> frozenset[str] | None:
    """Return the app clients that a verifier accepts; None for every one.

    Raises:
        ConfigurationError: They are no names, or none.
    """
    if client_ids is None:
        return None
    names = frozenset(_names(client_ids, "client_ids"))
    if not names:
        msg = "client_ids is empty, so that no token could pass: name the app clients, or write None for every one."
        raise ConfigurationError(msg)
    return names


def checked_number(value: float, what: str) -> float:
    """Return a number of 0 or more.

    Raises:
        ConfigurationError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        msg = f"{what}: expected a number of 0 or more, got {shown_number(value)}."
        raise ConfigurationError(msg)
    return value


def check_argument(fits: bool, what: str, expected: str, value: object) -> None:  # noqa: FBT001
    """Refuse an argument that does not fit.

    Raises:
        ConfigurationError: It does not.
    """
    if not fits:
        msg = f"{what}: expected {expected}, got {shown(value)}."
        raise ConfigurationError(msg)


def check_verdict(verdict: object) -> None:
    """Refuse an `extra_check` that answers instead of raising: its author may believe that False refuses the token.

    Raises:
        ConfigurationError: It returned something.
    """
    if verdict is not None:
        msg = f"extra_check returned {shown(verdict)}, expected None: it refuses a token by raising an exception."
        raise ConfigurationError(msg)


def _names(values: Iterable[str], what: str) -> tuple[str, ...]:
    """Return names given by a caller; a bare string is the mistake of forgetting the comma."""
    if isinstance(values, str | bytes):
        msg = f"{what}: expected several names, got one text: write ({shown(values, limit=60)},)."
        raise ConfigurationError(msg)
    try:
        names = tuple(values)
    except TypeError:
        msg = f"{what}: expected names, got {type(values).__name__}."
        raise ConfigurationError(msg) from None
    if not all(isinstance(name, str) and name for name in names):
        msg = f"{what}: expected names that are not empty."
        raise ConfigurationError(msg)
    return names
