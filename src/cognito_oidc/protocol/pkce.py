"""PKCE: the secret of an authorization request, and its hash that the browser may see. And other random texts.

Decides how a verifier and its challenge look. S256 is the only method there is. Decides nothing about when they are
sent.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

# RFC 7636 section 4.1: 43 to 128 unreserved characters; 32 octets give 43.
_CODE_VERIFIER: Final = r"[A-Za-z0-9._~-]{43,128}"
_RANDOM_OCTETS: Final = 32


def generate_opaque_text(random_bytes: Callable[[int], bytes]) -> str:
    """Return a new text that nobody can guess, as for `state` and `nonce`: 43 characters base64url without padding.

    Source: RFC 6749 section 10.10 (256 bits, where 128 are asked for).
    """
    return _base64url(random_bytes(_RANDOM_OCTETS))


def generate_code_verifier(random_bytes: Callable[[int], bytes]) -> str:
    """Return a new `code_verifier`: 43 characters base64url without padding, from 32 octets of `random_bytes`.

    Source: RFC 7636 section 4.1.
    """
    return generate_opaque_text(random_bytes)


def derive_code_challenge(code_verifier: str) -> str:
    """Return the S256 `code_challenge` of a verifier: 43 characters base64url without padding.

    >>> derive_code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

    Raises:
        ConfigurationError: The verifier is not 43 to 128 unreserved characters.

    Source: RFC 7636 section 4.2.
    """
    if not isinstance(code_verifier, str) or re.fullmatch(_CODE_VERIFIER, code_verifier) is None:
        msg = "code_verifier: expected 43 to 128 letters, digits, '-', '.', '_' or '~'."
        raise ConfigurationError(msg)
    return _base64url(sha256(code_verifier.encode("ascii")).digest())


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
