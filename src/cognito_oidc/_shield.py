"""Work that runs to its end whatever happens to its caller.

Decides when a cancellation takes effect. Decides nothing about what the work is.
"""

from __future__ import annotations

import asyncio
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import sniffio
from anyio.lowlevel import checkpoint_if_cancelled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

# By a weak reference: contexts live long, in the timers of time limits, and a task keeps what it returned.
_own_task: ContextVar[weakref.ref[asyncio.Task[Any]] | None] = ContextVar("cognito_oidc_own_task", default=None)


class _OwnTask(asyncio.Task[T]):
    """A task that only its own work cancels.

    `asyncio.run` cancels every task at its end, and waits for them; so do programs that shut themselves down. None of
    them may lose an answer that is under way. The time limits of the work cancel it too: theirs come from its context,
    which a timer takes with it.
    """

    def cancel(self, msg: Any | None = None) -> bool:  # noqa: ANN401 - as asyncio has it
        """Cancel the task where the work itself asks for it; else do nothing and say so."""
        own = _own_task.get()
        return super().cancel(msg) if own is not None and own() is self else False


async def run_shielded(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` to its end whatever happens to the caller, and return its result.

    In a scope that is cancelled already the work does not begin. A caller that is cancelled later gets the result, and
    the cancellation at its next await. anyio's shield does that alone, but not against `task.cancel()` (and so not
    against `asyncio.timeout`): there the work runs in a task of its own.
    """
    if _is_in_own_task():
        return await work()
    await checkpoint_if_cancelled()
    results: list[T] = []
    with anyio.CancelScope(shield=True):
        results.append(await (_run_in_own_task(work) if _is_asyncio() else work()))
    return results[0]


def _is_in_own_task() -> bool:
    """Tell whether this is such work already. Its context goes further than its task, to threads and other loops."""
    own = _own_task.get()
    task = None if own is None else own()
    return task is not None and _is_asyncio() and task is asyncio.current_task()


def _is_asyncio() -> bool:
    return sniffio.current_async_library() == "asyncio"


async def _run_in_own_task(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` in a task that nobody else cancels, and pass a cancellation of this one on when it is done."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    async def begin() -> T:
        _own_task.set(weakref.ref(inner))
        try:
            return await work()
        finally:
            # Two turns of the event loop earlier than the task's callbacks would tell; by then the task is done.
            if not over.done():
                over.set_result(None)

    me = asyncio.current_task()
    earlier = me.cancelling() if me is not None else 0
    inner = _OwnTask(begin(), loop=loop)
    cancelled: asyncio.CancelledError | None = None
    while not inner.done():
        try:
            await over
        except asyncio.CancelledError as error:
            cancelled = error
            over = loop.create_future()
    if me is not None and cancelled is not None:
        loop.call_soon(_cancel_again, me, earlier, cancelled.args)
    return inner.result()


def _cancel_again(task: asyncio.Task[object], earlier: int, message: tuple[object, ...]) -> None:
    """Cancel a task that waits again, unless whoever wanted that has taken it back: `asyncio.timeout` does so.

    `Task.cancel` right away would be too early: where no await follows in the block, Python 3.11 and 3.12 raise the
    CancelledError after it, where nobody expects it.
    """
    if task.cancelling() > earlier:
        task.uncancel()  # the same request again, once
        task.cancel(*message)
