"""Keys that are carried from one process to another: what `export_keys` writes and `jwks=` reads.

Decides the form of a snapshot, and which forms of key sets a caller may hand in. Decides nothing about how long they
are good: a snapshot carries its time, and ages from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cognito_oidc._frozen import Record
from cognito_oidc.errors import ConfigurationError, ProtocolError, shown
from cognito_oidc.protocol.encoding import load_object
from cognito_oidc.protocol.jwks import parse_key_set

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from cognito_oidc.protocol.jwks import KeySet
    from cognito_oidc.protocol.key_cache import KeyCacheState

_VERSION: Final = 1
_LATEST: Final = 1e11  # epoch seconds; later is no time, and NaN is not earlier


class SnapshotKeys(Record):
    """Keys of one issuer, and when they were fetched in epoch seconds UTC; None where nobody knows."""

    issuer: str
    key_set: KeySet
    fetched_at: float | None


def export_snapshot(states: Iterable[tuple[str, KeyCacheState]]) -> dict[str, object]:
    """Return the keys of each issuer that has some, as JSON values."""
    return {
        "version": _VERSION,
        "issuers": {
            issuer: {"fetched_at": state.loaded_at.wall, "jwks": state.key_set.to_jwks()}
            for issuer, state in states
            if state.key_set is not None
        },
    }


def load_snapshot(
    given: Mapping[str, object] | str | bytes | PathLike[str], *, issuers: Iterable[str], default_issuer: str
) -> list[SnapshotKeys]:
    """Return the keys a caller handed in.

    Args:
        given: A snapshot or a bare key set: as a mapping, as JSON text, or as the path of a file that holds it.
        issuers: The issuers of the pool; a snapshot of another pool is refused.
        default_issuer: The issuer that a bare key set is of.

    Raises:
        ConfigurationError: It cannot be read, is neither of the two, or is another pool's.
    """
    document = given if isinstance(given, Mapping) else _read(given)
    try:
        if "issuers" not in document:
            return [SnapshotKeys(default_issuer, parse_key_set(document), None)]
        return _parse_snapshot(document, frozenset(issuers))
    except ProtocolError as error:
        msg = f"jwks=: {error}"
        raise ConfigurationError(msg) from None


def _parse_snapshot(document: Mapping[str, object], issuers: frozenset[str]) -> list[SnapshotKeys]:
    members = document["issuers"]
    if document.get("version") != _VERSION or not isinstance(members, dict):
        msg = "jwks=: this snapshot was not made by export_keys() of this version: export it again."
        raise ConfigurationError(msg)
    loaded = []
    for issuer, one in members.items():
        if issuer not in issuers:
            msg = f"jwks=: the snapshot holds keys of {shown(issuer)}, which is not an issuer of this pool."
            raise ConfigurationError(msg)
        fetched_at = _time_of(one.get("fetched_at")) if isinstance(one, dict) else None
        jwks = one.get("jwks") if isinstance(one, dict) else None
        if fetched_at is None or not isinstance(jwks, dict):
            msg = "jwks=: the snapshot lacks a time or the keys: export it again."
            raise ConfigurationError(msg)
        loaded.append(SnapshotKeys(issuer, parse_key_set(jwks), fetched_at))
    return loaded


def _time_of(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _LATEST else None


def _read(given: str | bytes | PathLike[str]) -> Mapping[str, object]:
    if isinstance(given, str) and given.lstrip().startswith("{"):
        text = given.encode("utf-8", "surrogatepass")
    elif isinstance(given, bytes):
        text = given
    else:
        try:
            if not isinstance(given, str) and not hasattr(given, "__fspath__"):
                raise TypeError  # noqa: TRY301 - open() would take a number for an open file, and close it
            with open(given, "rb") as file:  # noqa: PTH123 - pathlib would be the slowest import of the cold path
                text = file.read()
        except (OSError, TypeError, ValueError) as error:
            msg = f"jwks=: the file cannot be read ({type(error).__name__}): pass a mapping, JSON text, or a path."
            raise ConfigurationError(msg) from None
    try:
        return load_object(text)
    except ValueError as error:
        msg = f"jwks=: what was given {error}."
        raise ConfigurationError(msg) from None
