"""How a fuzz target runs: under atheris for a while, or without it over random changes of its corpus.

    PYTHONPATH=src:. python tests/fuzz/fuzz_parsers.py --without-atheris 20000
    PYTHONPATH=. build/fuzz/bin/python tests/fuzz/fuzz_parsers.py -max_total_time=60 -max_len=4096

`make fuzz` does the latter for every target, in an environment of its own: no one release of atheris installs on all
our Pythons. Under atheris a target stops after the seconds of `-max_total_time`, or at the first input that breaks its
rule, and leaves that in a file `crash-*` of the working folder; give the file as an argument to try it again.
"""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS: Final = Path(__file__).parent / "corpus"
_PIECES: Final = (b'"', b"{", b"[", b":1,", b"\\u", b"\xff", b".", b"e9", b"=", b"&", b"%00", b"\r\n", b"null")
_WITHOUT: Final = "--without-atheris"


def seeds(name: str) -> list[bytes]:
    """Return the corpus of a target: inputs to begin with."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def changed_at_random(name: str, count: int, check: Callable[[bytes], None]) -> None:
    """Try so many changes of the corpus, the same in each run."""
    chance = random.Random(0)  # noqa: S311 - no secret
    known = seeds(name)
    for _ in range(count):
        data = bytearray(chance.choice(known))
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(len(data) + 1)
            data[at : at + chance.randrange(6)] = chance.choice((*_PIECES, chance.randbytes(2)))
        check(bytes(data))


def main(name: str, check: Callable[[bytes], None]) -> None:
    """Run a target as its command line says."""
    if sys.argv[1:2] == [_WITHOUT]:
        changed_at_random(name, int(sys.argv[2]), check)
        return
    import atheris  # type: ignore[import-untyped, unused-ignore]  # in an environment of its own, see above

    atheris.instrument_all()
    with TemporaryDirectory() as folder:  # what atheris finds goes into its first folder; the repository stays as it is
        shutil.copytree(CORPUS / name, folder, dirs_exist_ok=True)
        atheris.Setup([sys.argv[0], folder, *sys.argv[1:]], check)
        atheris.Fuzz()
