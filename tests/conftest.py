"""What every test may use."""

import pytest


@pytest.fixture(scope="session", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run what is marked `anyio` over both event loops."""
    backend: str = request.param
    return backend
