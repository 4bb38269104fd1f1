"""What `tests/blocking_calls.py` sees in other tests, and that it sees it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from blockbuster import BlockingError

import cognito_oidc
from cognito_oidc import SyncTokenVerifier, UserPool
from cognito_oidc.integrations.stores.file import FileTokenStore
from cognito_oidc.sync_verifier import _Flight
from tests.blocking_calls import ALLOWED

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCES = Path(cognito_oidc.__file__).parent.parent  # the installed ones, where those are tested


def read_a_session(path: Path) -> None:
    """Do in the loop what the store does in a thread."""
    FileTokenStore(path)._read("ann")


def wait_for_keys(path: Path) -> None:
    """Wait until another thread has fetched them."""
    pool = UserPool("eu-west-1_AbC123")
    verifier = SyncTokenVerifier(pool, client_ids=None)
    verifier._flights[pool.issuer] = _Flight()
    verifier.preload()


@pytest.mark.parametrize(
    ("block", "call"),
    [
        pytest.param(read_a_session, "os.stat", id="a file"),
        pytest.param(wait_for_keys, "lock.acquire", id="another thread"),
    ],
)
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_call_that_blocks_the_event_loop_is_an_error(
    block: Callable[[Path], None], call: str, tmp_path: Path
) -> None:
    """What ours would block the loop with raises."""
    with pytest.raises(BlockingError, match=call):
        block(tmp_path)


def test_away_from_an_event_loop_it_is_none(tmp_path: Path) -> None:
    """The same call in a thread of its own, as the store makes it, is what threads are for."""
    read_a_session(tmp_path)


@pytest.mark.parametrize(("file", "function"), [each for each in ALLOWED if each[0].startswith("cognito_oidc/")])
def test_what_may_block_is_still_there(file: str, function: str) -> None:
    """No exception is left over from code that has gone."""
    assert re.search(rf"^ *(?:async )?def {function}\(", (SOURCES / file).read_text(encoding="utf-8"), re.MULTILINE)
