"""The promise: which names there are, what they take, and that having them costs nothing until they are used."""

import importlib
import subprocess
import sys

import pytest

import cognito_oidc
from tests.public_surface import FIXTURE, draw

HEAVY = {"anyio", "asyncio", "cryptography", "httpx", "joserfc", "pydantic", "ssl", "stamina"}


def run_python(code: str) -> str:
    """Run some lines in a Python of their own, with warnings as errors, and return what they print."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True
    ).stdout


def test_public_surface_is_the_committed_one() -> None:
    """Names and signatures change only together with tests/fixtures/public_surface.txt (`make surface`)."""
    assert draw() == FIXTURE.read_text(encoding="utf-8")


def test_all_is_sorted_and_without_doubles() -> None:
    """`__all__` can be read by a person."""
    assert list(cognito_oidc.__all__) == sorted(set(cognito_oidc.__all__))


@pytest.mark.parametrize("name", cognito_oidc.__all__)
def test_exported_name_resolves(name: str) -> None:
    """Every lazily exported name is really there, and listed by `dir()`."""
    assert getattr(cognito_oidc, name) is not None
    assert name in dir(cognito_oidc)


def test_unknown_name_is_an_attribute_error() -> None:
    """A name that is not exported fails as in any other module."""
    with pytest.raises(AttributeError, match="no_such_name"):
        importlib.import_module("cognito_oidc").no_such_name  # noqa: B018 - the access is the act


def test_star_import_gives_all_names() -> None:
    """`from cognito_oidc import *` works although nothing is loaded before."""
    printed = run_python(
        "from cognito_oidc import *; import cognito_oidc; print(set(cognito_oidc.__all__) - set(dir()))"
    )
    assert printed == "set()\n"


def test_import_loads_nothing_heavy() -> None:
    """`import cognito_oidc` loads no HTTP library, no event loop, no pydantic and no cryptography."""
    loaded = run_python("import sys, cognito_oidc; print(*{name.partition('.')[0] for name in sys.modules})")
    assert set(loaded.split()) & HEAVY == set()


def test_import_loads_the_door_alone() -> None:
    """Beside `typing`, `import cognito_oidc` loads one module, so that it costs what `typing` costs (benchmarks/)."""
    loaded = run_python(
        "import sys, typing; before = set(sys.modules); import cognito_oidc; print(*set(sys.modules) - before)"
    )
    assert loaded.split() == ["cognito_oidc"]
