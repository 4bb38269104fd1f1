"""A token as text: where it is read from, what can be seen of it without trusting it, and its times in words.

Decides nothing about trust: everything here comes from whoever made the token. The token itself is never written.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, cast

import click

from cognito_oidc.cli.console import MisconfiguredError

Kind = Literal["access", "id", "refresh", "other"]

_MOST_BYTES: Final = 256 * 1024
_PARTS_OF_JWS: Final = 3
_PARTS_OF_JWE: Final = 5  # RFC 7516 section 3.1
_TIMES: Final = ("auth_time", "exp", "iat", "nbf")
_LONG_NONCE: Final = 100  # Cognito's own has 171 characters (wire sheet 7.5), an application's rarely more than 64
_API_SCOPE: Final = "aws.cognito.signin.user.admin"
_MAX_SHOWN: Final = 160
_JUST_NOW: Final = 2  # seconds
_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)  # fromtimestamp takes no time before it on every platform
_FAR: Final = 400 * 366 * 86_400.0  # beyond it no date is written


@dataclass(frozen=True, slots=True, kw_only=True)
class Peeked:
    """What a token says of itself. Nobody vouches for any of it.

    Attributes:
        kind: What sort of token of Cognito's it looks like.
        said: The same in words.
        header: Its header; empty where there is none that can be read.
        claims: Its claims; empty where there are none that can be read.
    """

    kind: Kind
    said: str
    header: Mapping[str, object] = field(default_factory=dict)
    claims: Mapping[str, object] = field(default_factory=dict)


def read_token(source: str | None) -> str:
    """Return the token that was given: itself, `@FILE`, or `-` for standard input.

    Args:
        source: The argument; None reads standard input, unless a person sits there.

    Raises:
        UsageError: None was given, or nothing was in it.
        MisconfiguredError: The file cannot be read.
    """
    if source is None and sys.stdin.isatty():
        raise click.UsageError("No token: pass it on standard input, or as @FILE.")
    if source is None or source == "-":
        text: bytes = sys.stdin.buffer.read(_MOST_BYTES)
    elif source.startswith("@"):
        try:
            with Path(source[1:]).expanduser().open("rb") as file:
                text = file.read(_MOST_BYTES)
        except OSError as error:
            raise MisconfiguredError(f"the token in {source[1:]!r}: {error.strerror}") from None
    else:
        text = source.encode("utf-8", "surrogateescape")
    token = text.decode("utf-8", "replace").strip()
    if not token:
        raise click.UsageError("No token: what was given is empty.")
    return token


def peek(token: str) -> Peeked:
    """Return what can be seen of a token without a key."""
    parts = token.split(".")
    header = _object(parts[0])
    if len(parts) == _PARTS_OF_JWE and "enc" in header:
        said = "a refresh token (encrypted: only Cognito can read it, and it is sent to its token endpoint alone)"
        return Peeked(kind="refresh", said=said, header=header)
    claims = _object(parts[1]) if len(parts) == _PARTS_OF_JWS else {}
    if not header or not claims:
        said = f"no JSON Web Token: it has {len(parts)} {'part' if len(parts) == 1 else 'parts'}"
        if len(parts) == _PARTS_OF_JWS:
            said = "no JSON Web Token: its parts are not base64url of JSON objects"
        return Peeked(kind="other", said=said, header=header)
    kind, said = _kind(claims)
    return Peeked(kind=kind, said=said, header=header, claims=claims)


def rows(values: Mapping[str, object], *, now: float) -> dict[str, tuple[str, str]]:
    """Return names to a value and a note, fit for a terminal: times in words, nothing that a terminal would obey."""
    return {printable(name): (printable(_text(value)), _note(name, value, now)) for name, value in values.items()}


def moment_of(value: object) -> float | None:
    """Return a claim as epoch seconds, where it is a time that a calendar has."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < _FAR else None  # type: ignore[arg-type] # a number


def in_words(moment: float, *, now: float) -> str:
    """Return how long ago a time is, or how far ahead: `3 minutes ago`, `in 2 hours`."""
    distance = abs(moment - now)
    if distance < _JUST_NOW:
        return "just now"
    size, unit = next((size, unit) for size, unit in _UNITS if distance >= size)
    count = int(distance // size)
    told = f"{count} {unit}{'' if count == 1 else 's'}"
    return f"in {told}" if moment > now else f"{told} ago"


def printable(text: str) -> str:
    """Return a text that came from a token, capped, with whatever is not printable written out."""
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    return shown if len(shown) <= _MAX_SHOWN else shown[: _MAX_SHOWN - 1] + "…"


def plain(value: object) -> object:
    """Return a frozen mapping or tuple, as verified claims hold them, as JSON knows it."""
    return dict(value) if isinstance(value, Mapping) else list(cast("tuple[object, ...]", value))


def _kind(claims: Mapping[str, object]) -> tuple[Kind, str]:
    """Return what sort of token claims are of. Source: wire sheet sections 7.2 and 7.3."""
    use = claims.get("token_use")
    if use == "id":
        way = "through another provider" if claims.get("identities") else "at the pool"
        return "id", f"an ID token of a person who signed in {way}: for the application that asked, and not for APIs"
    if use != "access":
        return "other", "a JSON Web Token, and none of Cognito's: it has no token_use"
    if claims.get("sub") == claims.get("client_id", ""):
        return "access", "an access token of a machine (client credentials)"
    if "version" not in claims and claims.get("scope") == _API_SCOPE:
        return "access", "an access token of an API sign-in (InitiateAuth), which never has other scopes"
    return "access", "an access token of a person"


def _note(name: str, value: object, now: float) -> str:
    moment = moment_of(value) if name in _TIMES else None
    if moment is not None:
        when = (_EPOCH + timedelta(seconds=moment)).strftime("%Y-%m-%d %H:%M:%S UTC")
        told = in_words(moment, now=now)
        return f"{'expired ' if name == 'exp' and moment <= now else ''}{told}, {when}"
    if name == "nonce" and isinstance(value, str) and len(value) >= _LONG_NONCE:
        return "this long it is Cognito's own: the login was asked for without one"
    return ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=plain)


def _object(segment: str) -> dict[str, object]:
    """Return the JSON object in a part of a token, read as leniently as may be; empty where there is none."""
    try:
        found = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
