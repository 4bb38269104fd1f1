"""The file of profiles: where it is, what may stand in it, and which line of it is wrong.

Decides the file's keys and their types. What the settings mean is `profiles`'.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cognito_oidc.cli.console import MisconfiguredError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

APP_NAME: Final = "cognito-oidc"
LISTS: Final = frozenset({"redirect_uris", "scopes"})
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {"issuer_type": ("original", "updated"), "store": ("keyring", "file")}
_SWITCHES: Final = frozenset({"allow_insecure_http", "fips"})
_TEXTS: Final = frozenset(
    {
        "client_id",
        "client_secret_from",
        "dns_suffix",
        "domain",
        "endpoint_url",
        "identity_pool_id",
        "logout_uri",
        "pool_id",
        "provider",
        "region",
    }
)
_KEYS: Final = frozenset({*LISTS, *CHOICES, *_SWITCHES, *_TEXTS, "ports"})
_FILE_NAME: Final = "profiles.toml"
_MOST_BYTES: Final = 1024 * 1024
_LAST_PORT: Final = 65535
_OTHERS_WRITE: Final = 0o002
_DEFAULT: Final = "default"
_PROFILES: Final = "profiles"
_SECRET: Final = "client_secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFile:
    """The file of profiles, once it is known to be well-formed.

    Attributes:
        path: Where it is.
        profiles: Settings by profile name.
        default: The profile that counts where none is named.
    """

    path: Path
    profiles: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    default: str | None = None

    @classmethod
    def read(cls, path: Path) -> ProfileFile:
        """Read the file; one that is not there has no profiles.

        Raises:
            MisconfiguredError: It cannot be read, anybody may write to it, or something in it is wrong: the line and
                the key are named.
        """
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(_MOST_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return cls(path=path)
        except OSError as error:
            raise MisconfiguredError(f"{path}: {error.strerror or 'cannot be read'}") from None
        # Who writes to it chooses the commands that are run for a secret, and where it is sent.
        if os.name == "posix" and mode & _OTHERS_WRITE:
            raise MisconfiguredError(f"{path}: anybody may write to it: chmod 600 {path}")
        if len(content) > _MOST_BYTES:
            raise MisconfiguredError(f"{path}: larger than {_MOST_BYTES} bytes")
        return _Reader(path, content).read()


def profiles_path() -> Path:
    """Return where the file of profiles is, or would be: `COGNITO_CONFIG_FILE`, or the platform's config folder."""
    named = os.environ.get("COGNITO_CONFIG_FILE")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_config_path

    return user_config_path(APP_NAME, appauthor=False) / _FILE_NAME


class _Reader:
    """Reads the text of a file and names the line of what is wrong in it."""

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        self._content = content
        self._lines: list[str] = []

    def read(self) -> ProfileFile:
        import tomllib

        try:
            text = self._content.decode()
            document = tomllib.loads(text)
        except UnicodeDecodeError:
            raise MisconfiguredError(f"{self._path}: no UTF-8, as TOML has to be") from None
        except tomllib.TOMLDecodeError as error:
            raise MisconfiguredError(f"{self._path}: no TOML: {error}") from None
        self._lines = text.splitlines()
        for key in document:
            if key not in {_DEFAULT, _PROFILES}:
                raise self._wrong((key,), f"there is no such key{meant(key, (_DEFAULT, _PROFILES))}")
        profiles = document.get(_PROFILES, {})
        if not isinstance(profiles, dict) or not all(isinstance(each, dict) for each in profiles.values()):
            raise self._wrong((_PROFILES,), "expected a table for each profile: [profiles.NAME]")
        read = {name: self._profile(name, table) for name, table in profiles.items()}
        default = document.get(_DEFAULT)
        if default is None and len(read) == 1:
            default = next(iter(read))
        if default is not None and default not in read:
            raise self._wrong((_DEFAULT,), f"no profile is called {default!r}{meant(str(default), read)}")
        return ProfileFile(path=self._path, profiles=read, default=default)

    def _profile(self, name: str, table: Mapping[str, object]) -> Mapping[str, object]:
        read = {}
        for key, value in table.items():
            place = (_PROFILES, name, key)
            if key == _SECRET:
                raise self._wrong(
                    place, "no secrets in here: write client_secret_from, which says where it is to be had"
                )
            if key not in _KEYS:
                raise self._wrong(place, f"there is no such key{meant(key, _KEYS)}")
            read[key] = self._value(place, key, value)
        return read

    def _value(self, place: tuple[str, ...], key: str, value: object) -> object:
        match key, value:
            case ("ports", list()) if all(type(port) is int and 0 < port <= _LAST_PORT for port in value):
                return tuple(value)
            case ("ports", _):
                raise self._wrong(place, "expected a list of ports, such as [8400, 8401]")
            case (_, bool()) if key in _SWITCHES:
                return value
            case _ if key in _SWITCHES:
                raise self._wrong(place, "expected true or false")
            case (_, str()) if key in LISTS:
                return tuple(value.split())
            case (_, list()) if key in LISTS and all(isinstance(each, str) for each in value):
                return tuple(value)
            case _ if key in LISTS:
                raise self._wrong(place, "expected a list of texts")
            case (_, str()) if value in CHOICES.get(key, (value,)):
                return value
        raise self._wrong(place, f"expected {' or '.join(CHOICES.get(key, ('a text',)))}")

    def _wrong(self, place: tuple[str, ...], why: str) -> MisconfiguredError:
        line = self._line_of(place)
        where = f"{self._path}:{line}" if line else str(self._path)
        return MisconfiguredError(f"{where}: {'.'.join(place)}: {why}")

    def _line_of(self, place: tuple[str, ...]) -> int | None:
        """Return the line that has a key, counted from 1: tomllib does not tell.

        Keys of tables within a line are not found, and the message does without.
        """
        table: tuple[str, ...] = ()
        for number, line in enumerate(self._lines, 1):
            words = line.strip()
            if words.startswith("["):
                table = _dotted(words.strip("[] \t").partition("]")[0])
                if table == place:
                    return number
            elif "=" in words and (*table, *_dotted(words.partition("=")[0])) == place:
                return number
        return None


def _dotted(text: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in text.split("."))


def meant(word: str, known: Iterable[str]) -> str:
    """Return what a slip of the pen probably was, in brackets, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
