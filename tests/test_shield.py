"""Cancellation in every form, at every moment: the work ends, and the cancellation is neither lost nor late."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import ssl
import time
import weakref
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest
from anyio.lowlevel import checkpoint

from cognito_oidc._shield import run_shielded
from cognito_oidc._transport import Transport
from cognito_oidc.protocol.wire import Endpoint, HttpRequest
from tests.fault_server import Answer, FaultServer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Act = Callable[[], Coroutine[Any, Any, None]]
    Cancel = Callable[[Act, float], Coroutine[Any, Any, None]]

Library = Any  # the module of either HTTP library, which share no types
STEPS: Final = 6


class Work:
    """Some steps, and how far they got."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0

    async def __call__(self) -> str:
        self.begun += 1
        for _ in range(STEPS):
            await checkpoint()
        self.ended += 1
        return "answer"


# --- both event loops -------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_result_and_error_come_through() -> None:
    """Without a cancellation the result or the exception of the work is the caller's."""

    async def fail() -> None:
        await checkpoint()
        raise ValueError("of the work")

    assert await run_shielded(Work()) == "answer"
    with pytest.raises(ValueError, match="of the work"):
        await run_shielded(fail)


class Tokens:
    """What an exchange returns; a weak reference can be had of it."""


@pytest.mark.anyio
async def test_nothing_of_the_work_is_kept() -> None:
    """Tokens go when their owner drops them: no cycle and no timer of a time limit holds them any longer."""

    async def work() -> Tokens:
        with anyio.fail_after(60):
            await checkpoint()
        return Tokens()

    gc.collect()
    gc.disable()
    try:
        tokens = await run_shielded(work)
        watched = weakref.ref(tokens)
        del tokens
        for _ in range(3):
            await checkpoint()
        assert watched() is None
    finally:
        gc.enable()


@pytest.mark.anyio
@pytest.mark.parametrize("moment", range(STEPS + 3))
async def test_cancelled_scope_gets_the_answer_and_ends_at_the_next_await(moment: int) -> None:
    """Whenever a scope is cancelled, begun work ends, its answer is delivered, and the next await does not return."""
    work, seen = Work(), []

    async def caller() -> None:
        seen.append(await run_shielded(work))
        await checkpoint()
        seen.append("went on")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(caller)
        for _ in range(moment):
            await checkpoint()
        tasks.cancel_scope.cancel()
    assert work.begun == work.ended
    assert seen[: work.ended] == ["answer"] * work.ended


@pytest.mark.anyio
async def test_scope_that_is_cancelled_already_begins_nothing() -> None:
    """A caller that is cancelled before the work begins sends nothing."""
    work = Work()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await run_shielded(work)
    assert (scope.cancelled_caught, work.begun) == (True, 0)


@pytest.mark.anyio
async def test_deadline_of_a_scope_waits_for_the_work() -> None:
    """`fail_after` is a cancellation like any other: the answer is there, and TimeoutError comes after it."""
    answers = []

    async def slow() -> str:
        await anyio.sleep(0.05)
        return "answer"

    with pytest.raises(TimeoutError):  # noqa: PT012 - leaving the block is the act
        with anyio.fail_after(0.01):
            answers.append(await run_shielded(slow))
            await checkpoint()
    assert answers == ["answer"]


@pytest.mark.anyio
async def test_shield_inside_a_shield() -> None:
    """A shielded step of shielded work is the same shield."""
    work = Work()

    async def outer() -> str:
        return await run_shielded(work)

    with anyio.CancelScope() as scope:

        async def cancel_soon() -> None:
            await checkpoint()
            await checkpoint()
            scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel_soon)
            assert await run_shielded(outer) == "answer"
    assert work.ended == 1


@pytest.mark.anyio
async def test_waiting_under_a_cancellation_costs_no_time() -> None:
    """A shielded caller that was cancelled waits; it does not spin."""

    async def slow() -> None:
        await anyio.sleep(0.3)

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_shielded, slow)
            await anyio.sleep(0.01)
            scope.cancel()
            started = time.thread_time()
    assert time.thread_time() - started < 0.1


# --- asyncio's own ways -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", range(STEPS + 4))
@pytest.mark.parametrize("times", [1, 3])
def test_cancelled_task_gets_the_answer_and_ends_at_the_next_await(moment: int, times: int) -> None:
    """Whenever `task.cancel()` comes, and however often, begun work ends and the next await raises."""
    work, seen = Work(), []

    async def caller() -> None:
        seen.append(await run_shielded(work))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        seen.append("went on")

    async def main() -> bool:
        task = asyncio.ensure_future(caller())
        for _ in range(moment):
            await asyncio.sleep(0)
        for _ in range(times):
            task.cancel("why")
            await asyncio.sleep(0)
        await asyncio.wait({task})
        return task.cancelled()

    assert asyncio.run(main())
    assert work.begun == work.ended
    assert seen == ["answer"] * work.ended


def test_cancelled_task_that_awaits_nothing_more_returns_its_answer() -> None:
    """Where the caller returns what it got, the answer is not lost: neither to `await task` nor to `wait_for`."""
    work = Work()

    async def main() -> str:
        task = asyncio.ensure_future(run_shielded(work))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert asyncio.run(main()) == "answer"


def test_timeout_becomes_timeout_error_at_the_next_await() -> None:
    """`asyncio.timeout` ends its block with TimeoutError, after the answer."""
    seen = []

    async def slow() -> str:
        await asyncio.sleep(0.05)
        return "answer"

    async def main() -> None:
        with pytest.raises(TimeoutError):  # noqa: PT012 - leaving the block is the act
            async with asyncio.timeout(0.01):
                seen.append(await run_shielded(slow))
                await asyncio.sleep(1)
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        seen.append("went on")

    asyncio.run(main())
    assert seen == ["answer", "went on"]


def test_timeout_that_has_nothing_left_to_interrupt_does_no_harm() -> None:
    """Where the block ends with the answer, nothing is raised after it, where nobody would expect it."""

    async def slow() -> str:
        await asyncio.sleep(0.03)
        return "answer"

    async def main() -> str:
        async with asyncio.timeout(0.01):
            answer = await run_shielded(slow)
        for _ in range(3):
            await asyncio.sleep(0)
        return answer

    assert asyncio.run(main()) == "answer"


def test_timeout_inside_a_cancelled_task_does_no_harm() -> None:
    """A task that cleans up after a cancellation may use a timeout around the work as well."""

    async def slow() -> str:
        await asyncio.sleep(0.03)
        return "answer"

    async def caller() -> str:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            async with asyncio.timeout(0.01):
                answer = await run_shielded(slow)
            await asyncio.sleep(0)
            return answer
        return "not cancelled"

    async def main() -> str:
        task = asyncio.ensure_future(caller())
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert asyncio.run(main()) == "answer"


def test_wait_for_ends_the_work_first() -> None:
    """`asyncio.wait_for` returns when the work is over, with the answer or its own error."""
    work_ended = []

    async def slow() -> str:
        await asyncio.sleep(0.05)
        work_ended.append(True)
        return "answer"

    async def main() -> None:
        with contextlib.suppress(TimeoutError):
            assert await asyncio.wait_for(run_shielded(slow), 0.01) == "answer"
        await asyncio.sleep(0)

    asyncio.run(main())
    assert work_ended == [True]


def test_task_group_that_fails_elsewhere_waits_for_the_work() -> None:
    """A failing neighbour cancels the caller, whose work ends before the group does."""
    work, seen = Work(), []

    async def caller() -> None:
        seen.append(await run_shielded(work))
        await asyncio.sleep(10)

    async def fail() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        raise ValueError("neighbour")

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(caller())
            tasks.create_task(fail())

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(main())
    assert raised.group_contains(ValueError, match="neighbour")
    assert (work.ended, seen) == (1, ["answer"])


def test_end_of_the_event_loop_loses_no_answer() -> None:
    """Work that is under way when `asyncio.run` ends, and cancels every task, ends first; then its caller does."""
    seen = []

    async def slow() -> str:
        await asyncio.sleep(0.05)
        return "answer"

    async def caller() -> None:
        seen.append(await run_shielded(slow))
        await asyncio.sleep(10)
        seen.append("went on")

    async def main() -> asyncio.Task[None]:
        task = asyncio.ensure_future(caller())
        await asyncio.sleep(0.01)
        return task

    task = asyncio.run(main())
    assert task.cancelled()
    assert seen == ["answer"]


@pytest.mark.parametrize("moment", range(STEPS + 3))
def test_whoever_cancels_every_task_loses_no_answer(moment: int) -> None:
    """A program that cancels all tasks from one of its own, at whatever moment, does not cancel the work."""
    work, seen = Work(), []

    async def caller() -> None:
        seen.append(await run_shielded(work))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        seen.append("went on")

    async def main() -> None:
        task = asyncio.ensure_future(caller())
        for _ in range(moment):
            await asyncio.sleep(0)
        for one in asyncio.all_tasks() - {asyncio.current_task()}:
            one.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    asyncio.run(main())
    assert work.begun == work.ended
    assert seen == ["answer"] * work.ended


@pytest.mark.parametrize("limit", [anyio.fail_after, asyncio.timeout])
def test_time_limits_inside_the_work_hold(limit: Callable[[float], Any]) -> None:
    """What the work itself limits is limited, also while the event loop ends and the caller was cancelled."""
    seen: list[str] = []

    async def stall() -> None:
        context = limit(0.03)
        try:
            if hasattr(context, "__aenter__"):
                async with context:
                    await asyncio.sleep(60)
            else:
                with context:
                    await asyncio.sleep(60)
        except TimeoutError:
            seen.append("limited")

    async def main() -> None:
        await run_shielded(stall)
        task = asyncio.ensure_future(run_shielded(stall))
        await asyncio.sleep(0.01)
        assert not task.done()

    started = time.monotonic()
    asyncio.run(main())
    assert seen == ["limited"] * 2
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_end_of_the_event_loop_loses_no_rotated_token(library: str) -> None:
    """The program ends while a refresh is under way: the answer arrives and is delivered before everything stops."""
    seen: list[bytes] = []

    async def refresh(url: str) -> None:
        async with importlib.import_module(library).AsyncClient() as http:
            answer = await Transport(http).send(request(url))
            seen.append(answer.body)

    async def main(server: FaultServer) -> None:
        task = asyncio.ensure_future(refresh(server.url))
        while not server.received:  # noqa: ASYNC110 - the server has threads and no event
            await asyncio.sleep(0.001)
        assert not task.done()

    with FaultServer() as server:
        server.answer(Answer(body=b"rotated", delay=0.1))
        asyncio.run(main(server))
    assert seen == [b"rotated"]


def test_shield_inside_a_shield_takes_one_task() -> None:
    """Nesting costs no further task, but a task started inside is not taken for the shielded one."""
    tasks: list[asyncio.Task[Any] | None] = []

    async def note() -> None:
        tasks.append(asyncio.current_task())

    async def outer() -> None:
        await note()
        await run_shielded(note)
        await asyncio.ensure_future(run_shielded(note))

    asyncio.run(run_shielded(outer))
    assert tasks[0] is tasks[1]
    assert tasks[2] is not tasks[0]


# --- with a connection pool -------------------------------------------------------------------------------------------


def request(url: str) -> HttpRequest:
    """Return a request that must arrive once."""
    return HttpRequest(method="POST", url=f"{url}/oauth2/token", body=b"a=b", endpoint=Endpoint.TOKEN, repeatable=False)


async def _cancel_by_scope(act: Act, after: float) -> None:
    with anyio.move_on_after(after):
        await act()


async def _cancel_by_timeout(act: Act, after: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(after):
            await act()


async def _cancel_by_wait_for(act: Act, after: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(act(), after)


async def _cancel_by_task(act: Act, after: float) -> None:
    task = asyncio.ensure_future(act())
    await asyncio.sleep(after)
    task.cancel()
    await asyncio.wait({task})


async def _storm(library: Library, cancel: Cancel) -> None:
    """Cancel a hundred exchanges at different moments over few connections; then three that nobody cancels."""
    with FaultServer() as server:
        server.answer(Answer(delay=0.01))
        limits = library.Limits(max_connections=5, max_keepalive_connections=5)
        async with library.AsyncClient(limits=limits, verify=ssl.create_default_context()) as borrowed:
            transport = Transport(borrowed)
            answers: list[int] = []

            async def act() -> None:
                answers.append((await transport.send(request(server.url))).status)

            async with anyio.create_task_group() as tasks:
                for number in range(100):
                    tasks.start_soon(cancel, act, number * 0.002)
            assert len(answers) == server.count
            for _ in range(3):
                with anyio.fail_after(20):
                    assert (await transport.send(request(server.url))).status == 200


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["httpx", "httpx2"])
async def test_pool_is_healthy_after_a_storm_of_scopes(name: str) -> None:
    """After a storm of cancelled scopes three of three requests are answered, and no answer was lost."""
    await _storm(importlib.import_module(name), _cancel_by_scope)


@pytest.mark.parametrize("cancel", [_cancel_by_timeout, _cancel_by_wait_for, _cancel_by_task])
@pytest.mark.parametrize("name", ["httpx", "httpx2"])
def test_pool_is_healthy_after_a_storm_of_asyncio(name: str, cancel: Cancel) -> None:
    """The same for asyncio's own ways to cancel."""
    asyncio.run(_storm(importlib.import_module(name), cancel))
