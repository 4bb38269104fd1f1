"""A lock that a forked process can go on with."""

import os
import threading

import pytest

from cognito_oidc._fork_lock import ForkLock


def test_one_at_a_time() -> None:
    """Who comes second waits until the first is done."""
    lock, order = ForkLock(), []

    def come_second() -> None:
        with lock:
            order.append("second")

    with lock:
        second = threading.Thread(target=come_second)
        second.start()
        order.append("first")
    second.join(5)
    assert order == ["first", "second"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_does_not_wait_for_a_thread_of_its_parent() -> None:
    """A lock that is held at the moment of the fork is free in the child."""
    lock = ForkLock()
    with lock:
        child = os.fork()
        if child == 0:
            with lock:
                os._exit(0)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
