"""What every story of the demo can do: look at what was sent, and check that something is refused.

Decides how a step is checked against the local Cognito's journal. The steps are told by the stories.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from base64 import urlsafe_b64decode, urlsafe_b64encode
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, TypeVar

from cognito_oidc.cli.console import StepFailedError
from cognito_oidc.cli.stage import shown_parameters
from cognito_oidc.errors import CognitoOidcError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from cognito_oidc.cli.console import Console, Steps
    from cognito_oidc.cli.stage import Stage
    from cognito_oidc.emulator import JournalEntry

E = TypeVar("E", bound=CognitoOidcError)


class Scene(ABC):
    """A story that is being told; each kind of it has its own steps.

    Attributes:
        new_in: What is shown of the parameters of an endpoint, where a request repeats what was shown before.
    """

    new_in: ClassVar[Mapping[str, frozenset[str]]] = MappingProxyType({})

    def __init__(self, stage: Stage, console: Console) -> None:
        """Begin, with nothing seen of what was sent."""
        self._stage = stage
        self._console = console
        self._check = console.check
        self._say = console.say
        self._read = 0

    @abstractmethod
    def intro(self) -> str:
        """Return what the story is about."""

    @abstractmethod
    def steps(self) -> Steps:
        """Return each step's title and what it does, in order."""

    def shown(self, entry: JournalEntry) -> dict[str, str]:
        """Return what is shown of a request's parameters."""
        return shown_parameters(entry, self.new_in)

    def _requests(self, *, bare: bool = False) -> list[JournalEntry]:
        """Show what arrived since the last time, on request without parameters, and return it."""
        journal = self._stage.aws.journal
        arrived = [
            entry for entry in journal[self._read :] if entry.pool_id is not None and entry.endpoint != "unknown"
        ]
        self._read = len(journal)
        for entry in arrived:
            parameters = {} if bare else self.shown(entry)
            self._console.request(entry.method, self._stage.path(entry), parameters, entry.status)
        return arrived

    def _expect_requests(self, *endpoints: str) -> list[JournalEntry]:
        """Show what arrived since the last time: requests to these endpoints and no other, in whatever order."""
        arrived = self._requests()
        came = [entry.endpoint for entry in arrived]
        if sorted(came) != sorted(endpoints):
            raise StepFailedError("what was sent", expected=_listed(endpoints), came=_listed(came))
        return arrived

    async def _refused(
        self, what: str, attempt: Awaitable[object], kind: type[E], *, sends: Sequence[str] = (), explain: bool = False
    ) -> E:
        """Check that something is refused in this way, after these requests, and return the error."""
        try:
            await attempt
        except kind as refusal:
            error = refusal
        else:
            raise StepFailedError(f"refused: {what}", expected=kind.__name__, came="it was accepted")
        self._expect_requests(*sends)
        self._check(f"refused: {what}", type(error).__name__, expected=kind.__name__)
        self._console.error(error, explain=explain)
        return error

    def _expect_silence(self, what: str) -> None:
        """Check that nothing arrived since the last time."""
        self._check(what, [entry.endpoint for entry in self._requests()], expected=[])


def _listed(endpoints: Sequence[str]) -> str:
    return ", ".join(endpoints) or "no request"


def base64url(value: bytes) -> str:
    """Return base64url without padding."""
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def segment(token: str, position: int) -> dict[str, object]:
    """Read the header (0) or the claims (1) of a token, without any check."""
    part = token.split(".")[position]
    values: dict[str, object] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return values
