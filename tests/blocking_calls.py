"""Calls of ours that block asyncio's event loop are errors: blockbuster, and a few calls more.

So it is where client, verifier, token source, stores and frameworks are tested. A call counts where our code is above
it on the stack and this thread runs a loop; what runs over trio is the same code. Not seen are `with` on a thread's
lock, of which `acquire` alone is watched, and what C code takes its time for.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blockbuster import BlockBusterFunction, blockbuster_ctx

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE: Final = Path(__file__).parent
OURS: Final = "cognito_oidc"
# A program that owns its thread, and what stands for Cognito and its network in tests.
OTHERS: Final = ("cognito_oidc.cli", "cognito_oidc.emulator", "cognito_oidc.testing")
# What blockbuster leaves out; where a file is opened there is no need to see it read.
MORE: Final = (
    "builtins.open",
    "io.open",
    "os.open",
    "os.fsync",
    "socket.getaddrinfo",
    *(() if sys.platform == "win32" else ("fcntl.flock",)),
)
# Where a call may block, and why.
ALLOWED: Final = (
    ("<frozen importlib._bootstrap>", "_find_and_load"),  # what is needed seldom is imported when it is
    ("redis/utils.py", "get_lib_version"),  # of a first connection: it looks up its own version
    ("cognito_oidc/_key_snapshot.py", "_read"),  # the file of jwks=, a few kilobytes, once: design.md, section 3
    # It opens and locks a file without waiting, so that nobody can be cancelled between getting it and knowing.
    ("cognito_oidc/integrations/stores/_folder.py", "waited_lock"),
    ("cognito_oidc/integrations/stores/file.py", "__init__"),  # where a relative path begins: getcwd, and no file
)


WATCHED: Final = frozenset(
    f"test_{name}.py"
    for name in (
        "blocking_calls",
        "client",
        "federation",
        "token_keeper",
        "token_source",
        "token_store",
        "transport",
        "verifier",
    )
)


def watches(path: Path) -> bool:
    """Tell whether a file of tests is among them."""
    return (path.parent == HERE and path.name in WATCHED) or HERE / "integrations" in path.parents


@contextmanager
def no_blocking_calls() -> Iterator[None]:
    """Raise `blockbuster.BlockingError` where our code would block an event loop, until the end of the block."""
    with blockbuster_ctx(OURS, excluded_modules=OTHERS) as watch:
        for name in MORE:
            watch.functions[name] = BlockBusterFunction(None, name, scanned_modules=OURS, excluded_modules=OTHERS)
        for function in watch.functions.values():
            for file, caller in ALLOWED:
                function.can_block_in(file, caller)
            function.activate()
        yield
