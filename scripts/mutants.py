"""Change the code a little, many times, and look which changes no test notices: mutation testing with mutmut.

Run by `make mutants`, with FILES to choose: `make mutants FILES="protocol/callback.py"`. Each file is changed in a copy
of the project and held against its own tests alone, as `scripts/ring1.py` does for coverage. Words of messages are left
out, since no promise is made about them. A change that survives must stand in `tests/mutants.toml` with the reason why
no test could, or need, notice it; any other ends with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
COPIES: Final = ROOT / "build" / "mutants"
EXPLAINED: Final = ROOT / "tests" / "mutants.toml"
PACKAGE: Final = Path("src") / "cognito_oidc"
TESTS: Final = {"token_source.py": "tests/test_token_source.py", "_token_keeper.py": "tests/test_token_source.py"}
COPIED: Final = ("src", "tests", "scripts", "benchmarks", "conftest.py", "pyproject.toml", "README.md", "CHANGELOG.md")
# Statements that only word a message, and annotations.
WORDS: Final = (
    r"^\s*msg = ",
    r"^\s*(?:return|raise) (?:\w*Error|_(?:unreadable|insufficient|mismatch|wrong_\w+))\(",
    r"^\s*(?:found|problem|what|who) = ",
    r"^\s*f?\"[^\"]*\"[,)]*$",
    r"^\s*_?[A-Z_]+: Final = \(?f?\"[A-Z]",
)
# What means the same in any spelling: the type that is cast to, and the name of an encoding.
SPELLINGS: Final = (
    (re.compile(r"\bcast\((?:\"[^\"]*\"|None|\w+), "), "cast("),
    (re.compile(r"\"(?:utf-8|ascii)\"", re.IGNORECASE), "an encoding"),
)
# Bytes of memory for each process: a change that takes away a limit is to fail its test, not the machine.
MEMORY: Final = 2 * 1024**3
SETTINGS: Final = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["{file}"]
do_not_mutate_patterns = [{words}]
also_copy = [{copied}]
pytest_add_cli_args_test_selection = ["{tests}"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-x", "-q"]
process_isolation = "forkserver"
track_dependencies = false
use_git_change_detection = false
"""


def main() -> None:
    """Change the files that were chosen, or every file of protocol/ and the token source."""
    parser = argparse.ArgumentParser(prog="python scripts/mutants.py")
    parser.add_argument("files", nargs="*", help="below src/cognito_oidc; all of protocol/ and the token source else")
    parser.add_argument("--at-once", type=int, default=2, help="how many changes to try at the same time")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    chosen = arguments.files or [
        *(f"protocol/{path.name}" for path in sorted((ROOT / PACKAGE / "protocol").glob("[!_]*.py"))),
        *TESTS,
    ]
    explained = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["survivors"]
    unexplained = 0
    for file in chosen:
        survivors, tried = _survivors(file, arguments.at_once)
        reasons = {entry["change"] for entry in explained if entry["file"] == file}
        new = {change for change in survivors if change not in reasons}
        print(f"{file}: {tried} changes, {len(survivors)} survived, {len(new)} of them without a reason", flush=True)
        for change in sorted(new):
            print("   ", change.replace("\n", "\n    "), flush=True)
        unexplained += len(new)
    if unexplained:
        sys.exit(f"{unexplained} changes that no test notices: write a test, or the reason into {EXPLAINED.name}")


def _tests_of(file: str) -> str:
    return TESTS.get(file) or f"tests/protocol/test_{Path(file).name}"


def _survivors(file: str, at_once: int) -> tuple[set[str], int]:
    """Return the changes of a file that no test notices, as `- before` and `+ after`, and how many were tried."""
    copy = COPIES / file.replace("/", "-").removesuffix(".py")
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    settings = SETTINGS.format(
        file=(PACKAGE / file).as_posix(),
        words=", ".join(json.dumps(each) for each in WORDS),
        copied=", ".join(f'"{name}"' for name in COPIED if name not in {"src", "tests", "pyproject.toml"}),
        tests=_tests_of(file),
    )
    with (copy / "pyproject.toml").open("a", encoding="utf-8") as project:
        project.write(settings)
    mutmut = [sys.executable, "-m", "mutmut"]
    done = subprocess.run(
        [*mutmut, "run", "--max-children", str(at_once)], cwd=copy, check=False, capture_output=True, text=True
    )
    listing = subprocess.run(
        [*mutmut, "results", "--all", "true"], cwd=copy, check=True, capture_output=True, text=True
    )
    verdicts = re.findall(r"^\s*(\S+): (.+)$", listing.stdout, re.MULTILINE)
    if not verdicts or any(verdict == "not checked" for _, verdict in verdicts):
        sys.exit(f"{file}: mutmut gave up:\n{done.stdout[-2_000:]}\n{done.stderr[-2_000:]}")
    found = set()
    for name, verdict in verdicts:
        if verdict in {"survived", "no tests"}:
            shown = subprocess.run([*mutmut, "show", name], cwd=copy, check=True, capture_output=True, text=True).stdout
            lines = [line for line in shown.splitlines() if re.match(r"[-+](?![-+])", line)]
            if len({_one_spelling(line[1:]) for line in lines}) > 1:
                found.add("\n".join(f"{line[0]} {line[1:].strip()}" for line in lines))
    return found, len(verdicts)


def _one_spelling(line: str) -> str:
    for pattern, instead in SPELLINGS:
        line = pattern.sub(instead, line)
    return line


main()
