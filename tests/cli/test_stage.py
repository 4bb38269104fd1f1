import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from cognito_oidc.cli.console import Console
from cognito_oidc.cli.one_pool import OnePool
from cognito_oidc.cli.stage import Stage, open_stage, shown_parameters
from cognito_oidc.emulator import JournalEntry

POOL_ID = "eu-west-1_Stage0001"


def entry(endpoint: str, **parameters: str) -> JournalEntry:
    """Return a line of the journal."""
    return JournalEntry(
        endpoint=endpoint, pool_id=POOL_ID, method="GET", parameters=parameters, status=200, received_at=0.0
    )


def on_stage(look: Callable[[Stage], object]) -> object:
    """Return what is seen on the stage."""

    async def run() -> object:
        async with open_stage(Console(), patience=None, port=0) as stage:
            stage.aws.add_pool(POOL_ID, domain="shop")
            return look(stage)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        pytest.param("discovery", f"/{POOL_ID}/.well-known/openid-configuration", id="discovery"),
        pytest.param("jwks", f"/{POOL_ID}/.well-known/jwks.json", id="jwks"),
        pytest.param("authorize", "/shop/oauth2/authorize", id="authorize"),
        pytest.param("login", "/shop/login", id="login"),
        pytest.param("token", "/shop/oauth2/token", id="token"),
        pytest.param("userinfo", "/shop/oauth2/userInfo", id="userinfo"),
        pytest.param("revoke", "/shop/oauth2/revoke", id="revoke"),
        pytest.param("idpresponse", "/shop/oauth2/idpresponse", id="idpresponse"),
        pytest.param("logout", "/shop/logout", id="logout"),
        pytest.param("error", "/shop/error", id="error"),
    ],
)
def test_request_is_shown_by_its_path(endpoint: str, path: str) -> None:
    """A line of the journal is shown where the request went."""
    assert on_stage(lambda stage: stage.path(entry(endpoint))) == path


def test_everybody_is_on_loopback() -> None:
    """The local Cognito, with its password and tokens, is not shown to the network."""
    assert on_stage(lambda stage: urlsplit(stage.base_url).hostname) == "127.0.0.1"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        pytest.param(entry("token", code="***", state="x" * 43), {"code": "***", "state": "xxxxxxxx..."}, id="all"),
        pytest.param(entry("authorize", scope="openid", prompt="none"), {"prompt": "none"}, id="authorize"),
        pytest.param(entry("login", username="ann", client_id="c", _csrf="***"), {"username": "ann"}, id="login"),
    ],
)
def test_parameters_are_shown_where_they_are_new(line: JournalEntry, shown: dict[str, str]) -> None:
    """Random values are cut, and what the browser only carries on is not repeated."""
    assert shown_parameters(line, OnePool.new_in) == shown
