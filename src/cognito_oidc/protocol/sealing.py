"""A text that only who has the key can read or make: JWE in compact form, `dir` with A256GCM.

Decides what a key is and how a purpose is bound to a seal: it is the header `typ`, which the seal protects, so that
what was sealed for one purpose is nothing for another one, although the key is the same. Decides nothing about what
the text says or how old it may be.

Source: RFC 7516; RFC 7518 sections 4.5 and 5.3; RFC 8725 section 3.11 (explicit typing).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from joserfc.jwk import OctKey

_KEY_OCTETS: Final = 32
_ALGORITHMS: Final = ["dir", "A256GCM"]
_ENC: Final = "A256GCM"


def seal(text: bytes, key: bytes, *, purpose: str) -> str:
    """Return `text` encrypted, ASCII that a cookie or a store takes as it is.

    Args:
        text: At most what the caller will take back in `unseal`.
        key: 32 random bytes.
        purpose: What the seal is for, such as `"cognito-oidc-request"`.

    Raises:
        ConfigurationError: The key is not 32 bytes.
    """
    from joserfc import jwe  # noqa: PLC0415 - 120 ms, only for who seals

    return jwe.encrypt_compact(_header(purpose), text, _octet_key(key), algorithms=_ALGORITHMS)


def unseal(sealed: object, key: bytes | Iterable[bytes], *, purpose: str, max_length: int) -> bytes | None:
    """Return the text that `seal` encrypted for this purpose; None where this is no such seal.

    Args:
        sealed: What came; of any type.
        key: The key, or several keys, newest first, while keys are being replaced.
        purpose: What it must have been sealed for.
        max_length: Characters it may have.

    Raises:
        ConfigurationError: A key is not 32 bytes, or there is none.
    """
    from joserfc import jwe  # noqa: PLC0415 - 120 ms, only for who seals
    from joserfc.errors import JoseError  # noqa: PLC0415

    keys = [_octet_key(one) for one in check_keys(key)]
    registry = jwe.JWERegistry(algorithms=_ALGORITHMS)
    registry.max_ciphertext_length = max_length  # the library's own limit is 64 KiB, and was none when it encrypted
    if isinstance(sealed, str) and len(sealed) <= max_length and sealed.isascii():
        for one in keys:
            try:
                opened = jwe.decrypt_compact(sealed, one, registry=registry)
            except (JoseError, ValueError, KeyError, TypeError, RecursionError):
                continue
            return (opened.plaintext or b"") if opened.protected == _header(purpose) else None
    return None


def check_keys(key: bytes | Iterable[bytes]) -> tuple[bytes, ...]:
    """Return one key, or several, as a tuple of keys.

    Raises:
        ConfigurationError: A key is not 32 bytes, or there is none.
    """
    several = isinstance(key, Iterable) and not isinstance(key, bytes | bytearray | str)
    keys = tuple(_check_key(one) for one in (key if several else (key,)))
    if not keys:
        msg = "At least one sealing key of 32 bytes is needed, the newest first."
        raise ConfigurationError(msg)
    return keys


def _check_key(key: object) -> bytes:
    if not isinstance(key, bytes | bytearray) or len(key) != _KEY_OCTETS:
        # A text may be a key in another form, and is not shown.
        what = f"{len(key)} bytes" if isinstance(key, bytes | bytearray) else f"a value of type {type(key).__name__}"
        msg = f"A sealing key is 32 random bytes, got {what}: make one with secrets.token_bytes(32) and keep it secret."
        raise ConfigurationError(msg)
    return bytes(key)


def _header(purpose: str) -> dict[str, str]:
    return {"alg": "dir", "enc": _ENC, "typ": purpose}


def _octet_key(key: bytes) -> OctKey:
    from joserfc.jwk import OctKey  # noqa: PLC0415 - 120 ms, only for who seals

    return OctKey.import_key(_check_key(key))
