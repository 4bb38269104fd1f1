"""A framework that is missing is named, with the extra that installs it."""

import importlib.util
import subprocess
import sys

import pytest

from tests.public_surface import INTEGRATIONS

# What a module of integrations/ needs beyond the base package, and the extra that installs it.
EXTRAS = {
    "fastapi": ("fastapi", "fastapi"),
    "mcp": ("mcp", "mcp"),
    "otel": ("opentelemetry", "otel"),
    "starlette": ("starlette", "starlette"),
    "stores.dynamodb": ("boto3", "aws"),
    "stores.keyring": ("keyring", "keyring"),
    "stores.redis": ("redis", "redis"),
}
NEEDS_NOTHING = {"aws_lambda", "httpx_auth", "stores", "stores.file"}


def short_name(module: str) -> str:
    """The name below `cognito_oidc.integrations`."""
    return module.removeprefix("cognito_oidc.integrations.")


def test_every_module_has_its_row() -> None:
    """The table of this file is whole: no module of integrations/ is forgotten."""
    assert {short_name(module) for module in INTEGRATIONS} - NEEDS_NOTHING <= set(EXTRAS)


@pytest.mark.parametrize("module", [m for m in INTEGRATIONS if short_name(m) not in NEEDS_NOTHING], ids=short_name)
def test_missing_framework_names_its_extra(module: str) -> None:
    """Without its framework a module says what to install, in words that can be pasted into a shell."""
    needed, extra = EXTRAS[short_name(module)]
    assert importlib.util.find_spec(needed) is not None
    code = f"import sys; sys.modules[{needed!r}] = None; import {module}"
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert run.returncode == 1
    assert f"`pip install 'cognito-oidc[{extra}]'`" in run.stderr.splitlines()[-1]
