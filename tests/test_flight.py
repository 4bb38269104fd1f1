"""One attempt at a time, whoever asks for it."""

from __future__ import annotations

import asyncio
import os

import anyio
import anyio.to_thread
import pytest

from cognito_oidc._flight import Flights
from cognito_oidc.errors import StoreError

pytestmark = pytest.mark.anyio


async def test_one_leads_and_the_others_join() -> None:
    """Whoever comes while an attempt is under way waits for its end, and may lead the next one."""
    flights, ended = Flights(), []

    async def join() -> None:
        with flights.lead() as mine:
            assert mine is None
        assert flights.current is not None
        await flights.current.join()
        ended.append(flights.current)

    async with anyio.create_task_group() as tasks:
        with flights.lead() as mine:
            assert mine is flights.current
            for _ in range(3):
                tasks.start_soon(join)
            await anyio.wait_all_tasks_blocked()
            assert ended == []
    assert ended == [None] * 3
    with flights.lead() as mine:
        assert mine is not None


async def test_each_gets_an_error_of_their_own() -> None:
    """An attempt that failed is an error for all who waited, none of which is another's."""
    flights, errors = Flights(), []

    async def join() -> None:
        assert flights.current is not None
        try:
            await flights.current.join()
        except StoreError as error:
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        with flights.lead() as mine:
            assert mine is not None
            for _ in range(3):
                tasks.start_soon(join)
            await anyio.wait_all_tasks_blocked()
            mine.error = StoreError("down")
    assert len({id(error) for error in errors}) == 3
    assert {str(error) for error in errors} == {"down"}


async def test_attempt_of_a_closed_event_loop_is_none() -> None:
    """Whoever led it was dropped with its loop, and nobody waits for it."""
    flights, loop = Flights(), asyncio.new_event_loop()

    async def lead() -> None:
        with flights.lead():
            await asyncio.Event().wait()

    def abandon() -> asyncio.Task[None]:
        task = loop.create_task(lead())
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
        return task

    task = await anyio.to_thread.run_sync(abandon)
    assert flights.current is not None
    with anyio.move_on_after(0.05) as scope:
        await flights.current.join()
    assert scope.cancelled_caught
    loop.close()
    assert flights.current is None
    with pytest.raises(RuntimeError):
        task.get_coro().throw(RuntimeError("dropped"))
    task._log_destroy_pending = False


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
async def test_attempt_of_a_forked_parent_is_none_in_the_child() -> None:
    """Whoever leads it is not in the child, which would wait for ever."""
    flights = Flights()
    with flights.lead():
        if (child := os.fork()) == 0:
            os._exit(0 if flights.current is None else 1)
        status = os.waitpid(child, 0)[1]  # noqa: ASYNC222 - a moment
    assert os.waitstatus_to_exitcode(status) == 0
