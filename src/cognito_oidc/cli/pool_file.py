"""The file that says what the local Cognito holds: pools, people, app clients, providers, switches.

Decides the file's keys, and how a mistake in it is named: by its place in the file, in one line. Whether Cognito would
take a value is decided by the emulator. Ids that the file leaves out are made of names, so that they stay the same.
"""

from __future__ import annotations

import tomllib
from contextlib import contextmanager
from dataclasses import fields
from hashlib import sha256, sha512
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from cognito_oidc.emulator import Behaviour, CognitoEmulator, PasswordPolicy
from cognito_oidc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cognito_oidc.emulator import EmulatedPool

T = TypeVar("T")

READY_MADE: Final = Path(__file__).with_name("pools.toml")
_LETTERS_AND_DIGITS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH: Final = 26
_SECRET_LENGTH: Final = 52
_MOST_BYTES: Final = 1024 * 1024
ClientId = Annotated[str, Field(pattern=r"^[\w+]{1,128}$")]  # ClientIdType of the AWS service model


class _Table(BaseModel):
    """A table of the file. What is left out is decided by the emulator, so that there is one place for defaults."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    apart: ClassVar[frozenset[str]] = frozenset()  # keys that are no arguments of the emulator's method

    def given(self) -> dict[str, Any]:
        """Return the keys that the file has and that are arguments of the emulator's method."""
        return self.model_dump(exclude_unset=True, exclude={*self.apart})


class _Group(_Table):
    name: str
    role_arn: str
    precedence: int = 0


class _ResourceServer(_Table):
    identifier: str
    scopes: list[str]


class _User(_Table):
    apart = frozenset({"sub"})

    username: str
    password: str | None = None
    temporary_password: str | None = None
    email: str | None = None
    email_verified: bool = False
    groups: list[str] = []
    attributes: dict[str, str | bool] = {}
    sub: str | None = None


class _Provider(_Table):
    apart = frozenset({"client", "client_id", "client_secret", "issuer", "pool"})

    name: str
    pool: str | None = None
    client: str | None = None
    issuer: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    scopes: list[str] = []
    attribute_mapping: dict[str, str] = {}
    attributes_request_method: Literal["GET", "POST"] = "GET"
    idp_identifiers: list[str] = []
    authorize_url: str | None = None
    token_url: str | None = None
    attributes_url: str | None = None
    jwks_uri: str | None = None
    acr_mapping: dict[str, str] = {}


class _AppClient(_Table):
    apart = frozenset({"client_id", "client_secret"})

    name: str
    client_id: ClientId | None = None
    client_secret: bool | str | None = None
    redirect_uris: list[str] = []
    logout_uris: list[str] = []
    scopes: list[str] = []
    grants: list[Literal["code", "implicit", "client_credentials"]] = []
    identity_providers: list[str] = []
    refresh_token_rotation: bool = False
    retry_grace_period: int = 0
    access_token_validity: int = 0
    id_token_validity: int = 0
    refresh_token_validity: int = 0
    token_revocation: bool = True
    read_attributes: list[str] = []
    write_attributes: list[str] = []


class _PasswordPolicy(_Table):
    minimum_length: Annotated[int, Field(ge=6, le=99)] = 8
    uppercase: bool = True
    lowercase: bool = True
    numbers: bool = True
    symbols: bool = True


class _Pool(_Table):
    apart = frozenset({"clients", "groups", "password_policy", "providers", "resource_servers", "users"})

    pool_id: str
    domain: str | None = None
    custom_domain: str | None = None
    issuer_type: Literal["original", "updated"] = "original"
    required_attributes: list[str] = []
    immutable_attributes: list[str] = []
    self_sign_up: bool = True
    password_policy: _PasswordPolicy | None = None
    groups: list[_Group] = []
    resource_servers: list[_ResourceServer] = []
    users: list[_User] = []
    providers: list[_Provider] = []
    clients: list[_AppClient] = []


_SWITCHES: Final = get_type_hints(Behaviour)
_FIELDS: Final[dict[str, Any]] = {each.name: (_SWITCHES[each.name], each.default) for each in fields(Behaviour)}
_Switches: Final = create_model("_Switches", __base__=_Table, **_FIELDS)


class _File(_Table):
    strict: bool = False
    pools: Annotated[list[_Pool], Field(min_length=1)]
    behaviour: _Switches = _Switches()


class PoolFile:
    """What a file says, once it is known to be right.

    Attributes:
        name: The file's name, for people.
    """

    def __init__(self, text: str, *, name: str) -> None:
        """Read the text of a file.

        Raises:
            ConfigurationError: It is no TOML, or not what the file should hold; the line names the key.
        """
        self.name = name
        try:
            self._file = _File.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{name}: no TOML: {_line(str(error))}") from None
        except ValidationError as error:
            raise ConfigurationError(f"{name}: {_first_mistake(error)}") from None

    @classmethod
    def read(cls, path: Path) -> PoolFile:
        """Read a file.

        Raises:
            ConfigurationError: It cannot be read, or is wrong.
        """
        try:
            with path.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
            if len(content) > _MOST_BYTES:
                raise ConfigurationError(f"{path}: larger than {_MOST_BYTES} bytes")
            return cls(content.decode(), name=str(path))
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror or 'cannot be read'}") from None
        except UnicodeDecodeError:
            raise ConfigurationError(f"{path}: no UTF-8, as TOML has to be") from None

    def build(self) -> CognitoEmulator:
        """Return a new local Cognito that holds what the file says.

        Raises:
            ConfigurationError: Cognito would refuse something; the line names its place in the file.
        """
        aws = CognitoEmulator(behaviour=Behaviour(**self._file.behaviour.given()), strict=self._file.strict)
        made: list[tuple[str, _Pool, EmulatedPool]] = []
        for place, table in _placed("pools", self._file.pools):
            with self._at(place):
                policy = PasswordPolicy(**table.password_policy.given()) if table.password_policy else None
                made.append((place, table, aws.add_pool(**table.given(), password_policy=policy)))
        # What is named must be there before: providers before the app clients that have them.
        for place, table, pool in made:
            for at, group in _placed(f"{place}.groups", table.groups):
                with self._at(at):
                    pool.add_group(**group.given())
            for at, server in _placed(f"{place}.resource_servers", table.resource_servers):
                with self._at(at):
                    pool.add_resource_server(**server.given())
            for at, user in _placed(f"{place}.users", table.users):
                with self._at(at):
                    added = pool.add_user(**user.given())
                    added.sub = user.sub if user.sub is not None else _derived_sub(pool.pool_id, user.username)
            for at, provider in _placed(f"{place}.providers", table.providers):
                with self._at(at):
                    pool.add_oidc_provider(**{**provider.given(), **self._account_at(provider, aws)})
            for at, client in _placed(f"{place}.clients", table.clients):
                with self._at(at):
                    _add_client(pool, client)
        return aws

    @contextmanager
    def _at(self, place: str) -> Iterator[None]:
        """Name the place in the file of whatever the emulator refuses."""
        try:
            yield
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.name}: {place}: {_line(str(error))}") from None

    def _account_at(self, provider: _Provider, aws: CognitoEmulator) -> dict[str, str]:
        """Return issuer, client id and secret of a provider: given by hand, or those of an app client of this file."""
        by_hand = {"issuer": provider.issuer, "client_id": provider.client_id, "client_secret": provider.client_secret}
        by_name = {"pool": provider.pool, "client": provider.client}
        given = {key for key, value in {**by_hand, **by_name}.items() if value is not None}
        if given not in (by_hand.keys(), by_name.keys()):
            raise ConfigurationError("needs either pool and client, or issuer, client_id and client_secret")
        if given == by_hand.keys():
            return {key: value for key, value in by_hand.items() if value is not None}
        for pool in self._file.pools:
            for client in pool.clients:
                if (pool.pool_id, client.name) == (provider.pool, provider.client):
                    secret = _secret(pool.pool_id, client)
                    if not isinstance(secret, str):
                        raise ConfigurationError(
                            f"client: app client {client.name!r} has no secret: client_secret = true"
                        )
                    issuer = aws.pools[pool.pool_id].issuer
                    return {"issuer": issuer, "client_id": _client_id(pool.pool_id, client), "client_secret": secret}
        raise ConfigurationError(f"client: the file has no app client {provider.client!r} of a pool {provider.pool!r}")


def _add_client(pool: EmulatedPool, table: _AppClient) -> None:
    client_id = _client_id(pool.pool_id, table)
    if client_id in pool.clients:
        raise ConfigurationError(f"there is an app client {client_id} already")
    client = pool.add_client(**{**table.given(), "client_secret": _secret(pool.pool_id, table)})
    # An id that stays the same is wanted here and nowhere else, so the emulator's own is replaced.
    del pool.clients[client.client_id]
    client.client_id = client_id
    pool.clients[client_id] = client


def _client_id(pool_id: str, client: _AppClient) -> str:
    return client.client_id or _derived("client id", pool_id, client.name, length=_ID_LENGTH)


def _secret(pool_id: str, client: _AppClient) -> str | bool:
    wanted = client.client_secret
    if wanted is None:
        wanted = "client_credentials" in client.grants  # what the emulator does, too
    return _derived("client secret", pool_id, client.name, length=_SECRET_LENGTH) if wanted is True else wanted


def _derived_sub(pool_id: str, username: str) -> str:
    """Return a `sub` in the shape of Cognito's."""
    digits = sha256(f"sub\0{pool_id}\0{username}".encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-70{digits[14:16]}-f{digits[17:20]}-{digits[20:32]}"


def _derived(*words: str, length: int) -> str:
    """Return lower-case letters and digits that always follow from the words."""
    number = int.from_bytes(sha512("\0".join(words).encode()).digest())
    letters = []
    for _ in range(length):
        number, position = divmod(number, len(_LETTERS_AND_DIGITS))
        letters.append(_LETTERS_AND_DIGITS[position])
    return "".join(letters)


def _placed(name: str, tables: Sequence[T]) -> Iterator[tuple[str, T]]:
    """Yield each table with its place in the file: `pools[0].clients[1]`."""
    for position, table in enumerate(tables):
        yield f"{name}[{position}]", table


def _first_mistake(error: ValidationError) -> str:
    """Return the first of pydantic's findings, as place and reason."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ""
    for part in first["loc"]:
        place += f"[{part}]" if isinstance(part, int) else f".{part}"
    reasons = {"extra_forbidden": "there is no such key", "missing": "is missing"}
    return f"{place.removeprefix('.')}: {_line(reasons.get(first['type'], first['msg']))}"


def _line(text: str) -> str:
    return " ".join(text.split())
