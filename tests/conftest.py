"""What every test may use."""

import os
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from hypothesis import settings

from tests import blocking_calls

# A busy machine is no failing test; and in CI every run tries the same examples.
settings.register_profile("here", deadline=None, derandomize=os.environ.get("CI") == "true", print_blob=True)
settings.load_profile("here")


@pytest.fixture(scope="session", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run what is marked `anyio` over both event loops."""
    backend: str = request.param
    return backend


@pytest.fixture(scope="module", autouse=True)
def event_loop_is_never_blocked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Make it an error where our code waits for a file, a socket, a lock or a sleep inside asyncio's event loop."""
    watched = blocking_calls.watches(request.path)
    with blocking_calls.no_blocking_calls() if watched else nullcontext():
        yield
