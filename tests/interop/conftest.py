"""Providers that are not ours, each behind a front that makes it look like Cognito; and a browser."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.interop import chromium, npm_packages
from tests.interop.front import Front, served
from tests.interop.person import Person
from tests.interop.process import node, python
from tests.interop.support import CALLBACK, GOODBYE, KNOWS, SECRET, Provider, cannot_be_had

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from cognito_oidc import CognitoClient
    from tests.interop.chromium import Chromium


@pytest.fixture(scope="session")
def npm() -> None:
    """See that npm's packages are there."""
    problem = npm_packages.problem()
    if problem is not None:
        cannot_be_had(problem)


@pytest.fixture
def scripts() -> bool:
    """Tell whether JavaScript is on."""
    return True


@pytest.fixture
def browser(scripts: bool, npm: None, tmp_path: Path) -> Iterator[Chromium]:
    """Start a Chromium with an empty profile."""
    if chromium.executable() is None:
        cannot_be_had("chromium is not installed (Debian and Ubuntu: apt-get install chromium)")
    with chromium.started(tmp_path / "profile", scripts=scripts) as started:
        yield started


@pytest.fixture(scope="session")
def oidc_provider(npm: None) -> Iterator[Front]:
    """Run npm's oidc-provider, certified by the OpenID Foundation."""
    settings = {"callback": CALLBACK, "goodbye": GOODBYE, "secret": SECRET}
    with node("oidc_provider.mjs", **settings) as process, served(process.hear()["issuer"]) as front:
        yield front


@pytest.fixture(scope="session")
def oidc_provider_mock() -> Iterator[Front]:
    """Run PyPI's oidc-provider-mock, whose protocol is Authlib's."""
    if importlib.util.find_spec("oidc_provider_mock") is None:
        cannot_be_had("oidc-provider-mock is not installed")
    with python("oidc_provider_mock_server.py") as process, served(process.hear()["issuer"]) as front:
        yield front


@pytest.fixture
def certified(oidc_provider: Front) -> Provider:
    """Return the public app client of npm's oidc-provider, which judges all that we send."""
    return Provider(front=oidc_provider, client_id="public", method="none")


@pytest.fixture(params=["npm-public", "npm-basic", "npm-post", "pypi-basic"])
def provider(request: pytest.FixtureRequest) -> Provider:
    """Return an app client of one of the providers."""
    if request.param.startswith("pypi"):
        front: Front = request.getfixturevalue("oidc_provider_mock")
    else:
        front = request.getfixturevalue("oidc_provider")
    if request.param.endswith("basic"):
        return Provider(front=front, client_id="confidential", client_secret=SECRET, method="client_secret_basic")
    if request.param.endswith("post"):
        return Provider(front=front, client_id="posting", client_secret=SECRET, method="client_secret_post")
    return Provider(front=front, client_id="public", method="none")


@pytest.fixture
def ann() -> Iterator[Person]:
    """Return a person who has an account everywhere."""
    person = Person(KNOWS)
    yield person
    person.close()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Return an HTTP client for loopback."""
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
async def client(certified: Provider, http: httpx.AsyncClient) -> CognitoClient:
    """Return our client of npm's oidc-provider."""
    return await certified.discovered(http)
