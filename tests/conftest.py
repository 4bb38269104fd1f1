"""What every test may use."""

import os

import pytest
from hypothesis import settings

# A busy machine is no failing test; and in CI every run tries the same examples.
settings.register_profile("here", deadline=None, derandomize=os.environ.get("CI") == "true", print_blob=True)
settings.load_profile("here")


@pytest.fixture(scope="session", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run what is marked `anyio` over both event loops."""
    backend: str = request.param
    return backend
