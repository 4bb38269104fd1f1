"""How two texts differ that look alike. Cognito compares character by character, and people do not.

Decides what is near enough to be meant, and how a difference is told.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_NEAR: Final = 0.75
_FEW: Final = 2  # parts of a URL
_HTTPS: Final = "https"


def visible(text: str) -> str:
    """Return a text in quotes in which spaces and whatever cannot be seen are written out."""
    shown = "".join("␣" if one == " " else one if one.isprintable() else repr(one)[1:-1] for one in text)
    return f"'{shown}'"


def differences(wanted: str, found: str) -> tuple[str, ...]:
    """Say how `found` differs from `wanted`, part by part; empty where they are the same."""
    if wanted == found:
        return ()
    told = _spaces(wanted, found)
    wanted, found = wanted.strip(), found.strip()
    if wanted == found:
        return told
    ours, theirs = _parts(wanted), _parts(found)
    if ours is None or theirs is None:
        same = wanted.casefold() == found.casefold()
        return (*told, "upper and lower case" if same else f"{visible(found)} for {visible(wanted)}")
    pairs = (
        ("scheme", ours.scheme, theirs.scheme),
        ("host", _host(ours), _host(theirs)),
        ("port", _port(ours), _port(theirs)),
        ("path", ours.path, theirs.path),
        ("query", ours.query, theirs.query),
    )
    return (*told, *(_told(name, mine, other) for name, mine, other in pairs if mine != other))


def nearest(wanted: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that was probably meant, or None where none is near."""
    ranked = sorted(
        (len(differences(wanted, one)), -_alike(wanted, one), one) for one in candidates if _is_near(wanted, one)
    )
    return ranked[0][2] if ranked else None


def variants(url: str) -> tuple[str, ...]:
    """Return other spellings of a callback URL that people register by mistake, without `url` itself."""
    parts = _parts(url.strip())
    if parts is None:
        return ()
    slashed = parts.path[:-1] if parts.path.endswith("/") else f"{parts.path}/"
    found = [url.strip(), parts._replace(path=slashed).geturl()]
    name = _host(parts)
    if name in _LOOPBACK:
        port = _port(parts)
        others = [each for each in _LOOPBACK if each != name]
        found += [parts._replace(netloc=f"{each}:{port}" if port else each).geturl() for each in others]
    elif parts.scheme in {"http", _HTTPS}:
        found.append(parts._replace(scheme="http" if parts.scheme == _HTTPS else _HTTPS).geturl())
    found.append(url.strip().lower())
    return tuple(dict.fromkeys(one for one in found if one != url))


def _is_near(wanted: str, other: str) -> bool:
    few = len(differences(wanted, other)) <= (_FEW if _parts(wanted) else 0)
    return few or _alike(wanted, other) >= _NEAR


def _alike(wanted: str, other: str) -> float:
    return difflib.SequenceMatcher(a=wanted.casefold(), b=other.casefold()).ratio()


def _spaces(wanted: str, found: str) -> tuple[str, ...]:
    ours, theirs = wanted != wanted.strip(), found != found.strip()
    if ours == theirs:
        return ()
    return ("a space or line break before or after it, where none belongs",)


def _told(name: str, wanted: str, found: str) -> str:
    if name == "path" and wanted.rstrip("/") == found.rstrip("/"):
        return "a slash at the end" if len(found) > len(wanted) else "no slash at the end"
    if wanted.casefold() == found.casefold():
        return f"upper and lower case in the {name}"
    return f"{name} {visible(found)} for {visible(wanted)}" if found else f"no {name}, where {visible(wanted)} is"


def _parts(text: str) -> SplitResult | None:
    """Return the parts of a text that is a URL."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - it may be no number
    except ValueError:
        return None
    return parts if parts.scheme and "://" in text else None


def _host(parts: SplitResult) -> str:
    """Return the host as it is written, which `hostname` is not."""
    host = parts.netloc.rpartition("@")[2]
    return host.removesuffix(f":{_port(parts)}")


def _port(parts: SplitResult) -> str:
    return "" if parts.port is None else str(parts.port)
