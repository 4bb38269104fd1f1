"""The bearer token of a request, as an API reads it from the header.

Decides which token a request brings. Decides nothing about the token; that is `protocol.claims`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_oidc.errors import BearerUsageError, MissingTokenError

if TYPE_CHECKING:
    from collections.abc import Iterable


def parse_bearer_token(authorization: str | Iterable[str] | None) -> str:
    """Return the token that a request brings in its `Authorization` header.

    No other place is looked at: a token in a URL ends up in logs, one in a form or a cookie is sent by any page.

    Args:
        authorization: The header's value; or all values, where the framework tells them apart; or None.

    Returns:
        What stands after `Bearer`, in any case, unverified: no token yet but a text, and maybe an empty one.

    Raises:
        MissingTokenError: There is no such header, or it has another scheme.
        BearerUsageError: There is more than one.

    Source: RFC 6750 section 2.1; RFC 9110 sections 5.3, 11.4.

    Example:
        >>> parse_bearer_token("Bearer eyJhbGciOi")
        'eyJhbGciOi'
    """
    values = (authorization,) if isinstance(authorization, str) else tuple(authorization or ())
    if len(values) > 1:
        raise BearerUsageError(f"The request has {len(values)} Authorization headers, expected one.")
    scheme, _, rest = (values[0] if values else "").partition(" ")
    if scheme.lower() != "bearer":
        raise MissingTokenError("The request brings no bearer token.")
    return rest.strip(" ")
