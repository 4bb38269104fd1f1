"""What a token store keeps: one record, and its text.

Decides what belongs into the record, how it is written and read, and which of two records is the newer one. Decides
nothing about where it is kept (`token_store`) or when its tokens are replaced (`token_freshness`, `token_source`).
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from cognito_oidc.errors import ConfigurationError, StoreError, shown_number
from cognito_oidc.protocol.encoding import load_object
from cognito_oidc.protocol.peeked_token import MAX_TEXT, SCHEMA
from cognito_oidc.protocol.tokens import TokenSet

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """What a token store keeps under a key: the tokens of a session, or a machine's. Its repr shows no token.

    A store needs to know two things of it: `to_json` and `from_json`, and that two records are the same one where their
    `revision` is the same.

    Attributes:
        tokens: The tokens; their `expires_at` is absolute, so that it means the same in every process.
        obtained_at: When they came, epoch seconds UTC.
        pool_id: The user pool they are from. A session is bound to it and to `client_id`, never to the issuer's URL.
        client_id: The app client they are for.
        scopes: What was asked for, sorted.
        session: A random text, the same in all records of one sign-in.
        generation: How often the tokens were renewed since then.
        revision: A random text, new in each record: what compare-and-swap compares.
    """

    tokens: TokenSet
    obtained_at: float
    pool_id: str
    client_id: str
    scopes: tuple[str, ...] = ()
    session: str = ""
    generation: int = 0
    revision: str

    @property
    def expires_at(self) -> float:
        """When the access token ends to be good, epoch seconds UTC."""
        return self.tokens.expires_at

    @property
    def lifetime(self) -> float:
        """Seconds the access token was good for when it came."""
        return self.tokens.expires_at - self.obtained_at

    def renewed(self, tokens: TokenSet, *, now: float, revision: str) -> StoredToken:
        """Return the record of what came for this one's refresh token, or in its place."""
        return replace(self, tokens=tokens, obtained_at=now, generation=self.generation + 1, revision=revision)

    def with_refresh_token(self, refresh_token: str | None, *, revision: str) -> StoredToken:
        """Return the record with another refresh token, or with none: the access token may still be used up.

        Another one is a generation of its own; none is not, so that tokens which were on their way win over it.
        """
        generation = self.generation if refresh_token is None else self.generation + 1
        tokens = replace(self.tokens, refresh_token=refresh_token)
        return replace(self, tokens=tokens, generation=generation, revision=revision)

    def is_newer_than(self, other: StoredToken) -> bool:
        """Tell which of two records to go on with.

        What comes for one sign-in never takes the place of another one, whatever the times: whoever has signed in anew
        meanwhile may be somebody else. Else, where both have an ID token its `iat` says it, by Cognito's own clock;
        where not, when they expire. Of two of the same second it is the one that was renewed more often.
        """
        if self.session != other.session and self.generation:
            return False
        mine, others = self.tokens.claims, other.tokens.claims
        if mine is None or others is None:
            return (self.expires_at, self.generation) > (other.expires_at, other.generation)
        return (mine.iat, self.generation) > (others.iat, other.generation)

    def to_json(self) -> str:
        """Return the record as text for a store. It holds secrets."""
        return json.dumps(
            {
                "schema": SCHEMA,
                "tokens": self.tokens.to_dict(),
                "obtained_at": self.obtained_at,
                "pool_id": self.pool_id,
                "client_id": self.client_id,
                "scopes": list(self.scopes),
                "session": self.session,
                "generation": self.generation,
                "revision": self.revision,
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the record of `to_json`. The tokens in it are trusted as they were when it was written.

        Members that are not known are left out.

        Raises:
            StoreError: It is no such text, or one of a newer version of this library. `code` is `"store_damaged"` for
                the former and `"store_newer"` for the latter, which a store must not throw away.
        """
        document = _document(text)
        schema = document.get("schema")
        if type(schema) is not int:
            raise _damaged()
        if schema > SCHEMA:
            found = shown_number(schema)
            msg = f"A stored session was written by a newer version of this library (schema {found}, known {SCHEMA})."
            raise StoreError(msg, code="store_newer", retryable=False)
        kept = _kept(document)
        if schema != SCHEMA or kept is None:
            raise _damaged()
        record, tokens = kept
        return cls(
            tokens=tokens,
            obtained_at=record.obtained_at,
            pool_id=record.pool_id,
            client_id=record.client_id,
            scopes=tuple(record.scopes),
            session=record.session,
            generation=record.generation,
            revision=record.revision,
        )


class _Record(BaseModel):
    """The members of `StoredToken.to_json`."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    tokens: dict[str, object]
    obtained_at: FiniteFloat
    pool_id: Annotated[str, Field(min_length=1)]
    client_id: Annotated[str, Field(min_length=1)]
    scopes: list[str]
    session: str = ""
    generation: Annotated[int, Field(ge=0)]
    revision: Annotated[str, Field(min_length=1)]


def _document(text: str | bytes) -> Mapping[str, object]:
    document = None
    if isinstance(text, str | bytes) and len(text) <= MAX_TEXT:
        with suppress(ValueError):  # UnicodeEncodeError among them
            document = load_object(text.encode() if isinstance(text, str) else text)
    if document is None:  # raised here, where no error is being handled that holds the text
        raise _damaged()
    return document


def _kept(document: Mapping[str, object]) -> tuple[_Record, TokenSet] | None:
    try:
        record = _Record.model_validate(dict(document))
        return record, TokenSet.from_dict(record.tokens)
    except (ValidationError, ConfigurationError):
        return None


def _damaged() -> StoreError:
    msg = "A stored session cannot be read: it is damaged, or no record of this library."
    return StoreError(msg, code="store_damaged", retryable=False)
