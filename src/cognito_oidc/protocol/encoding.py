"""The two encodings everything here is written in: canonical base64url and JSON objects, read strictly.

Decides what counts as base64url: its alphabet alone, no padding, spare bits zero. And what counts as a JSON object:
UTF-8 without a byte order mark, no member twice at any depth, no NaN or infinity, at most `MAX_DEPTH` containers inside
each other. Decides nothing about members. Says what is wrong with a ValueError of a few words that quotes nothing, for
the caller to put into its own exception.

This module is on the verification path: it imports nothing that is slow to import.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from itertools import count
from typing import TYPE_CHECKING, Final, Literal

import jiter

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH: Final = 32
"""How many objects and arrays may stand inside each other."""

LAST_CHARACTERS: Final = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
"""By length modulo four: with which characters base64url may end, since the spare bits are zero. One is no length."""

_PADDING: Final = (b"", b"=" * 3, b"==", b"=")
_FIRST_TEXTS: Final = 50  # decoded by the standard library, in 2 microseconds each instead of 0.3
_decoded: Final = count(1)


def decode_base64url(text: bytes) -> bytes:
    """Return the octets of canonical base64url: its alphabet alone, no padding, spare bits zero.

    Raises:
        ValueError: It is anything else.

    Source: RFC 7515 section 2 and appendix C; RFC 4648 section 3.5.
    """
    if any(character in text for character in b"+/="):  # the decoder would take them
        problem = "is not base64url without padding"
        raise ValueError(problem)
    return decode_checked_base64url(text)


def decode_checked_base64url(text: bytes) -> bytes:
    """Do the same for a text that is known to hold none of `+`, `/` and `=`.

    Raises:
        ValueError: It is not canonical base64url.
    """
    tail = len(text) & 3
    if tail and text[-1] not in LAST_CHARACTERS[tail]:
        problem = "is not canonical base64url"
        raise ValueError(problem)
    try:
        return _decode(text + _PADDING[tail], b"-_", True)  # noqa: FBT003 - its signature: altchars, validate
    except Base64Error:
        problem = "is not base64url without padding"
        raise ValueError(problem) from None


def _decode_slowly(text: bytes, altchars: bytes, validate: bool) -> bytes:  # noqa: FBT001 - pybase64's signature
    """Decode by the standard library, until it is clear that this process decodes more than its first tokens."""
    if next(_decoded) == _FIRST_TEXTS:
        global _decode  # noqa: PLW0603 - chosen once
        from pybase64 import b64decode  # noqa: PLC0415 - up to 4 ms that a first token does not need

        _decode = b64decode
    return a2b_base64(text.translate(bytes.maketrans(altchars, b"+/")), strict_mode=validate)


_decode: Callable[[bytes, bytes, bool], bytes] = _decode_slowly


def load_object(data: bytes) -> dict[str, object]:
    """Return the JSON object in `data`.

    Raises:
        ValueError: It is none, or nests deeper than `MAX_DEPTH`; the text says why and quotes nothing.

    Source: RFC 8259; RFC 7519 section 4 (a member that comes twice).
    """
    value = load_object_of_any_depth(data)
    _check_members(value)
    return value


def load_object_of_any_depth(data: bytes, *, signed: bool = False) -> dict[str, object]:
    """Return the JSON object in `data`, its depth left to the caller; jiter's own limit is 200.

    Args:
        data: The text.
        signed: Whether it is known who wrote it. jiter's memory of names is global and takes no names of strangers.

    Raises:
        ValueError: It is none; the text says why in a few words ("is not valid JSON in UTF-8") and quotes nothing.

    Source: RFC 8259; RFC 7519 section 4 (a member that comes twice).
    """
    try:
        cache: Literal["keys", "none"] = "keys" if signed else "none"
        value = jiter.from_json(data, catch_duplicate_keys=True, allow_inf_nan=False, cache_mode=cache)
    except ValueError as error:
        raise ValueError("has a member twice" if "duplicate" in str(error) else "is not valid JSON in UTF-8") from None
    if type(value) is not dict:
        problem = "is no JSON object"
        raise ValueError(problem)
    return value


def is_endless(value: object) -> bool:
    """Tell whether a number is too large for its type: jiter reads `1e400` as infinity, which JSON does not have."""
    return isinstance(value, float) and value - value != 0


def _check_members(value: dict[str, object]) -> None:
    """Walk the containers level by level; recursion would be the attacker's."""
    level: list[dict[str, object] | list[object]] = [value]
    for _ in range(MAX_DEPTH):
        children = [
            child for container in level for child in (container.values() if isinstance(container, dict) else container)
        ]
        if any(map(is_endless, children)):
            problem = "holds a number without end"
            raise ValueError(problem)
        level = [child for child in children if isinstance(child, dict | list)]
        if not level:
            return
    problem = f"nests deeper than {MAX_DEPTH} levels"
    raise ValueError(problem)
