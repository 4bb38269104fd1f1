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
from typing import Final

import jiter

MAX_DEPTH: Final = 32
"""How many objects and arrays may stand inside each other."""


# a2b_base64 knows the standard alphabet: the two URL-safe characters are translated, and their standard forms and the
# padding are made invalid, so that every octet string has one encoding only (RFC 4648 section 3.5, RFC 7515 section 2).
_TO_STANDARD: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING: Final = (b"", b"", b"==", b"=")
_LAST_CHARACTERS: Final = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")  # those whose spare bits are zero


def decode_base64url(text: bytes) -> bytes:
    """Return the octets of canonical base64url: its alphabet alone, no padding, spare bits zero.

    Raises:
        ValueError: It is anything else.

    Source: RFC 7515 section 2 and appendix C; RFC 4648 section 3.5.
    """
    tail = len(text) & 3
    if tail and text[-1] not in _LAST_CHARACTERS[tail]:
        problem = "is not canonical base64url"
        raise ValueError(problem)
    try:
        return a2b_base64(text.translate(_TO_STANDARD) + _PADDING[tail], strict_mode=True)
    except Base64Error:
        problem = "is not base64url without padding"
        raise ValueError(problem) from None


def load_object(data: bytes) -> dict[str, object]:
    """Return the JSON object in `data`.

    Raises:
        ValueError: It is none; the text says why in a few words ("is not valid JSON in UTF-8") and quotes nothing.

    Source: RFC 8259; RFC 7519 section 4 (a member that comes twice).
    """
    try:
        value = jiter.from_json(data, catch_duplicate_keys=True, allow_inf_nan=False)
    except ValueError as error:
        raise ValueError("has a member twice" if "duplicate" in str(error) else "is not valid JSON in UTF-8") from None
    if type(value) is not dict:
        problem = "is no JSON object"
        raise ValueError(problem)
    # Few brackets cannot nest deep: most objects are done with two counts.
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _nests_deeper(value):
        problem = f"nests deeper than {MAX_DEPTH} levels"
        raise ValueError(problem)
    return value


def _nests_deeper(value: dict[str, object]) -> bool:
    """Walk the containers level by level; recursion would be the attacker's."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)  # type: ignore[attr-defined]
            if isinstance(child, dict | list)
        ]
    return bool(level)
