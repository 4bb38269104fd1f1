"""The fences that import-linter cannot see, since they are about the standard library.

Who may import whom among our own modules, and the libraries, stands in pyproject.toml: `make layers`.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "cognito_oidc"
IMPURE = {
    "anyio", "asyncio", "httpx", "logging", "os", "pathlib", "random", "secrets", "socket", "ssl", "subprocess", "sys",
    "threading", "time", "urllib.request",
}  # fmt: skip


def files_of(ring: tuple[str, ...]) -> list[Path]:
    """Every source file in these files and folders of the package."""
    return [path for path in sorted(SOURCE.rglob("*.py")) if path.relative_to(SOURCE).parts[0] in ring]


EVERY_NAME = tuple(path.name for path in sorted(SOURCE.iterdir()))
PURE = ("_frozen.py", "errors.py", "protocol")  # rings 0 and 1
COMMAND = ("__main__.py", "cli")
RING_3 = (*COMMAND, "emulator", "integrations", "testing.py")
BASE = tuple(name for name in EVERY_NAME if name not in RING_3)  # rings 0 to 2, and the door
RING_2 = {
    f"cognito_oidc.{Path(name).stem}" for name in BASE if name.endswith(".py") and name not in {*PURE, "__init__.py"}
}


def relative(path: Path) -> str:
    """The name of a file in the test's id."""
    return path.relative_to(SOURCE).as_posix()


def imported_modules(source: str) -> Iterator[str]:
    """Every module that a source file imports, wherever in the file; `from a import b` may be the module a.b."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)


def forbidden_imports(source: str, forbidden: set[str]) -> set[str]:
    """The forbidden modules that a source file imports, themselves or a part of them."""
    imported = set(imported_modules(source))
    return {name for name in forbidden if any(f"{module}.".startswith(f"{name}.") for module in imported)}


def dotted_names(source: str) -> Iterator[str]:
    """Every `name.attribute` that is called or read in a source file; calls with parentheses."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attribute)):
                yield f"{name}.{attribute}()"
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                yield f"{name}.{attribute}"


@pytest.mark.parametrize("path", files_of(PURE), ids=relative)
def test_rings_0_and_1_are_pure(path: Path) -> None:
    """What is true needs no network, clock, environment, file, log or randomness: they are arguments."""
    assert forbidden_imports(path.read_text(encoding="utf-8"), IMPURE) == set()


@pytest.mark.parametrize("path", files_of(tuple(name for name in BASE if name != "_shield.py")), ids=relative)
def test_base_package_runs_over_any_event_loop(path: Path) -> None:
    """Rings 0 to 2 wait by anyio; the shield alone knows asyncio too, as anyio does not shield `task.cancel()`."""
    assert forbidden_imports(path.read_text(encoding="utf-8"), {"asyncio", "trio"}) == set()


@pytest.mark.parametrize("path", files_of(BASE), ids=relative)
def test_base_package_asks_no_clock_of_its_own(path: Path) -> None:
    """Rings 0 to 2 may offer `time.time` as the default of `clock=`, and never call it."""
    source = path.read_text(encoding="utf-8")
    assert "time.time()" not in set(dotted_names(source))
    assert "time.time" not in set(imported_modules(source))


@pytest.mark.parametrize("path", files_of(RING_3), ids=relative)
def test_ring_3_uses_ring_2_through_the_door(path: Path) -> None:
    """Frameworks, the local Cognito and the command use what anybody may use; above all never the transport."""
    assert forbidden_imports(path.read_text(encoding="utf-8"), RING_2) == set()


@pytest.mark.parametrize("path", files_of(tuple(name for name in EVERY_NAME if name not in COMMAND)), ids=relative)
def test_only_the_command_reads_the_environment(path: Path) -> None:
    """What a library does is said by its arguments."""
    source = path.read_text(encoding="utf-8")
    reads = {"os.environ", "os.environb", "os.getenv"}
    assert reads & ({name.removesuffix("()") for name in dotted_names(source)} | set(imported_modules(source))) == set()


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        pytest.param("import time", {"time"}, id="import"),
        pytest.param("import os.path as p", {"os"}, id="submodule"),
        pytest.param("from os import path", {"os"}, id="from"),
        pytest.param("from urllib import request", {"urllib.request"}, id="from-parent"),
        pytest.param("def f():\n    import secrets", {"secrets"}, id="inside-a-function"),
        pytest.param("if TYPE_CHECKING:\n    from pathlib import Path", {"pathlib"}, id="for-types-alone"),
        pytest.param("import timeit, urllib.parse", set(), id="only-the-beginning-alike"),
    ],
)
def test_fence_sees(source: str, seen: set[str]) -> None:
    """The fence itself: a planted import is seen wherever it stands."""
    assert forbidden_imports(source, IMPURE) == seen


def test_fence_tells_a_call_from_a_default() -> None:
    """The fence itself: `clock=time.time` is a name, `time.time()` a call."""
    assert set(dotted_names("def f(clock=time.time): ...")) == {"time.time"}
    assert set(dotted_names("now = time.time()")) == {"time.time()", "time.time"}
