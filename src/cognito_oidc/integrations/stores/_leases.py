"""What the stores of a fleet share: a lease instead of a lock, and a number that fences off who held it too long.

Decides how a lease is waited for, and what its holder writes with. Decides nothing about where it is kept: a store adds
four calls.

A lease ends by itself, since its holder may have died; so two can believe to hold it. Whatever replaces a record names
the revision that it replaces, so it was written by somebody who has read that record: this needs no lease. Only what is
written where nothing is could come from before a sign-out. There the fence decides: each lease has a greater number
than the one before, a store remembers the number of the last who wrote or deleted, and refuses a smaller one.
"""

from __future__ import annotations

import hashlib
import logging
import random
import secrets
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio

from cognito_oidc.errors import ConfigurationError, StoreError, shown_number
from cognito_oidc.integrations.stores._record_text import RecordText

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cognito_oidc import StoredToken
    from cognito_oidc.integrations.stores._record_text import EncryptionKeys

# Longer than a renewal takes: 15 seconds for the token request and 5 for keys are the client's deadlines. Shorter than
# a token source waits (25 seconds), so that whoever waits for a holder that died gets the lease and not an error.
LEASE: Final = 24.0
# The default life of a refresh token. Source: AWS, "Refresh tokens".
TTL: Final = 30 * 86400.0
# How long a fence is remembered after the last lease: far longer than a process can be held up and still write.
MEMORY: Final = 86400

_LOG: Final = logging.getLogger("cognito_oidc")
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
_GROWTH: Final = 1.5  # so that nobody waits much longer than half of what the holder took
_LEAST_PAUSE: Final = 0.01
_RELEASE_SECONDS: Final = 2.0
_LEASES: Final = (1.0, 600.0)
_TTLS: Final = (60.0, 3650 * 86400.0)  # the longest life of a refresh token is 3,650 days


class Answer(NamedTuple):
    """What came of asking for a lease.

    Attributes:
        fence: The number of the lease, or None where somebody else holds it.
        ends_in: Seconds after which that one ends, if its holder does not give it back before. Where `holder` is
            given: seconds after which a holder who was seen all the time counts as dead.
        holder: Who holds it, where the server does not end leases itself.
    """

    fence: int | None
    ends_in: float = 0.0
    holder: str = ""


class LeasedTokenStore(ABC):
    """A token store on a server that many workers reach."""

    def __init__(self, *, encryption_keys: EncryptionKeys, lease: float, ttl: float) -> None:
        self._text = RecordText(encryption_keys)
        self._lease = _seconds("lease", lease, *_LEASES)
        self._ttl = _seconds("ttl", ttl, *_TTLS)
        self._fences: dict[str, int] = {}  # of the leases that are held here

    async def read(self, key: str) -> StoredToken | None:
        """Return what is kept for `key`, or None.

        Raises:
            StoreError: The store cannot be reached, or what it holds cannot be read. With the `code`
                `"store_damaged"` it never will be, and has been deleted.
        """
        name = _name_of(key)
        found = await self._fetch(name)
        if found is None:
            return None
        revision, text = found
        try:
            return self._text.read(text, key=key)
        except StoreError as error:
            if error.code == "store_damaged" and await self._exchange(name, new=None, expected=revision, fence=None):
                _LOG.warning("A stored session was damaged, and has been deleted from %r.", self)
            raise

    async def swap(self, key: str, new: StoredToken | None, *, expected: StoredToken | None) -> bool:
        """Keep `new` (None deletes) if what is kept for `key` is `expected` (None: nothing), and tell whether it was.

        That is one step of the server. Where nothing is and nothing is expected, nothing is written either under a
        lease that somebody else has had since, and has deleted under.

        Raises:
            StoreError: The store cannot be reached. Whether `new` is kept is not known; the same call again is right
                either way.
        """
        name = _name_of(key)
        return await self._exchange(
            name,
            new=None if new is None else (new.revision, self._text.write(new, key=key)),
            expected=None if expected is None else expected.revision,
            fence=self._fences.get(name),
        )

    @asynccontextmanager
    async def lock(self, key: str, *, timeout: float) -> AsyncGenerator[None]:  # noqa: ASYNC109 - the protocol's
        """Hold the lease of `key` while the block runs.

        Whoever waits asks again after 50 ms, and less and less often, down to once a second. If the holder dies, they
        wait until the lease ends. It is not renewed: what is done under it is bounded, and a worker that hangs must
        not keep it.

        Args:
            key: Whose tokens.
            timeout: How long to wait, seconds.

        Raises:
            StoreError: It could not be had in that time, or the store cannot be reached.
        """
        name, owner = _name_of(key), secrets.token_hex(16)
        fence = None
        try:
            self._fences[name] = fence = await self._wait_for_lease(name, owner, timeout)
            yield
        finally:
            if fence is not None and self._fences.get(name) == fence:
                del self._fences[name]
            # Also where no answer came: the lease may have been granted. What is not given back ends by itself.
            with anyio.move_on_after(_RELEASE_SECONDS, shield=True), suppress(StoreError):
                await self._release(name, owner)

    async def _wait_for_lease(self, name: str, owner: str, patience: float) -> int:
        begun = now = anyio.current_time()
        pause = _FIRST_PAUSE
        holder, seen_since, dead = "", begun, ""
        while True:
            answer = await self._acquire(name, owner, dead)
            if answer.fence is not None:
                return answer.fence
            now = anyio.current_time()
            if now - begun >= patience:
                msg = (
                    f"{self!r}: the lease of a session could not be had within {patience:g} s: another worker holds it."
                )
                raise StoreError(msg, code="store_locked")
            if answer.holder != holder:
                holder, seen_since = answer.holder, now
            ends_in = max(0.0, answer.ends_in - (now - seen_since if holder else 0.0))
            dead = "" if ends_in else holder
            jittered = pause * random.uniform(0.5, 1.5)  # noqa: S311 - spreads requests
            await anyio.sleep(min(jittered, ends_in + _LEAST_PAUSE, begun + patience - now))
            pause = min(_LONGEST_PAUSE, pause * _GROWTH)

    @abstractmethod
    async def _fetch(self, name: str) -> tuple[str, str] | None:
        """Return the revision and the text kept under a name."""

    @abstractmethod
    async def _exchange(
        self, name: str, *, new: tuple[str, str] | None, expected: str | None, fence: int | None
    ) -> bool:
        """Compare revisions and keep a revision with its text, in one step."""

    @abstractmethod
    async def _acquire(self, name: str, owner: str, dead: str) -> Answer:
        """Ask for the lease; whoever holds it already may ask again, and a holder `dead` is no hindrance."""

    @abstractmethod
    async def _release(self, name: str, owner: str) -> None:
        """Give the lease back, if it is still the owner's."""


def _name_of(key: str) -> str:
    """Return what a key is kept under: of one length, of harmless characters, and telling nothing about a person."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _seconds(name: str, value: float, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ConfigurationError(f"{name} is {shown_number(value)}, expected seconds from {least:g} to {most:g}.")
    return float(value)
