"""Keys that are made once per session, and the command run in this process."""

import socket
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from cognito_oidc.cli import cli
from cognito_oidc.emulator import tokens
from tests.cli.home import Home, new_home
from tests.cli.served_shop import ServedShop, serving_shop

_KEYS: list[RSAPrivateKey] = []


@pytest.fixture(autouse=True)
def keys_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand out the same keys to every test, a different one to every call."""
    position = count()

    def next_key(*, public_exponent: int, key_size: int) -> RSAPrivateKey:
        index = next(position)
        while len(_KEYS) <= index:
            _KEYS.append(generate_private_key(public_exponent=public_exponent, key_size=key_size))
        return _KEYS[index]

    monkeypatch.setattr(tokens, "generate_private_key", next_key)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return what runs `cognito-oidc` with some arguments, on a machine without a browser."""
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments: str, color: bool = False) -> Result:
        return CliRunner().invoke(cli, arguments, prog_name="cognito-oidc", color=color)

    return invoke


@pytest.fixture
def shop(keys_made_once: None) -> Iterator[ServedShop]:
    """Serve two pools and an application, all of it set up well."""
    with serving_shop() as served:
        yield served


@pytest.fixture
def free_port() -> int:
    """Return a port that nobody on this machine has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def home(keys_made_once: None, tmp_path: Path) -> Iterator[Home]:
    """Serve a pool to somebody new, who has a profile for it and has not signed in yet."""
    with new_home(tmp_path) as new:
        yield new
