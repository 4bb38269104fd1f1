"""Tokens in files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cognito_oidc.integrations.stores.file import FileTokenStore
from cognito_oidc.testing import TokenStoreConformance

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class TestConformance(TokenStoreConformance):
    @pytest.fixture(params=[(), (b"k" * 32,)], ids=["plain", "encrypted"])
    def open_token_store(self, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], FileTokenStore]:
        return lambda: FileTokenStore(tmp_path / "tokens", encryption_keys=request.param)
