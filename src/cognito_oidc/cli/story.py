"""The stories that `cognito-oidc demo` tells.

Decides which there are, and how each begins and ends.
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import httpx

from cognito_oidc.cli.one_pool import OnePool
from cognito_oidc.cli.stage import open_stage
from cognito_oidc.cli.two_pools import TwoPools
from cognito_oidc.emulator import PersonError
from cognito_oidc.errors import CognitoOidcError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.cli.console import Console
    from cognito_oidc.cli.scene import Scene

StoryName = Literal["two-pools", "one-pool"]

_STORIES: Final[Mapping[StoryName, type[Scene]]] = MappingProxyType({"two-pools": TwoPools, "one-pool": OnePool})


async def tell(console: Console, story: StoryName, *, patience: float | None = None, port: int = 0) -> bool:
    """Tell a story and return whether every step held.

    Args:
        console: Where it is told.
        story: Which one.
        patience: Seconds to wait for a real person at a real browser; None simulates one.
        port: Where the local Cognito listens on 127.0.0.1, or 0 for a free port.

    Raises:
        ConfigurationError: A port cannot be used.
    """
    began = time.monotonic()
    async with open_stage(console, patience=patience, port=port) as stage:
        scene = _STORIES[story](stage, console)
        console.say(
            f"A local Cognito listens on {stage.base_url}. {scene.intro()} Lines with > are all the requests that it "
            "got, below that address, each with the status of its answer; *** is a secret.",
            indent="",
        )
        steps = scene.steps()
        good = await console.tell(steps, failures=(CognitoOidcError, PersonError, httpx.HTTPError))
    if good:
        requests, seconds = len(stage.aws.journal), time.monotonic() - began
        console.end(
            f"All {len(steps)} steps held: {console.held} checks, {requests} requests, {seconds:.1f} seconds.",
            good=True,
        )
    return good
