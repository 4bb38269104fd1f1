"""Keys in the forms a caller may hand them in, and everything else refused in words."""

from __future__ import annotations

import contextlib
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc._key_snapshot import SnapshotKeys, export_snapshot, load_snapshot
from cognito_oidc.errors import ConfigurationError
from cognito_oidc.protocol.jwks import parse_key_set
from cognito_oidc.protocol.key_cache import Instant, KeyCacheState
from tests.answers import anything
from tests.factories import ACCESS_KID, ID_KID, ISSUER, NOW, UPDATED_ISSUER, key_set

if TYPE_CHECKING:
    from pathlib import Path

ISSUERS = (ISSUER, UPDATED_ISSUER)


def snapshot(**changes: object) -> dict[str, Any]:
    """Return a snapshot of one issuer."""
    return {"version": 1, "issuers": {ISSUER: {"fetched_at": NOW, "jwks": key_set(), **changes}}}


def load(document: object) -> list[SnapshotKeys]:
    """Load something for the pool."""
    return load_snapshot(document, issuers=ISSUERS, default_issuer=ISSUER)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["mapping", "read-only", "text", "text-with-space", "bytes", "path", "path-text"])
def test_key_set_in_every_form(form: str, tmp_path: Path) -> None:
    """A bare key set is the default issuer's, of an unknown time."""
    text = json.dumps(key_set())
    path = tmp_path / "keys.json"
    path.write_text(text)
    document = {
        "mapping": key_set(),
        "read-only": MappingProxyType(key_set()),
        "text": text,
        "text-with-space": f"\n {text}",
        "bytes": text.encode(),
        "path": path,
        "path-text": str(path),
    }[form]
    (loaded,) = load(document)
    assert (loaded.issuer, loaded.fetched_at, set(loaded.key_set.keys)) == (ISSUER, None, {ACCESS_KID, ID_KID})


def test_export_comes_back() -> None:
    """What is exported of the issuers that have keys is loaded as it was, through JSON too."""
    state = KeyCacheState(key_set=parse_key_set(key_set()), loaded_at=Instant(NOW, 7.0))
    exported = export_snapshot([(ISSUER, state), (UPDATED_ISSUER, KeyCacheState())])
    for document in (exported, json.dumps(exported)):
        (loaded,) = load(document)
        assert (loaded.issuer, loaded.fetched_at) == (ISSUER, NOW)
        assert loaded.key_set.to_jwks() == parse_key_set(key_set()).to_jwks()


@pytest.mark.parametrize(
    ("document", "says"),
    [
        pytest.param({}, "keys", id="empty"),
        pytest.param("{}", "keys", id="empty-text"),
        pytest.param("", "cannot be read", id="empty-path"),
        pytest.param("/no/such/file", "cannot be read", id="no-file"),
        pytest.param("/", "cannot be read", id="folder"),
        pytest.param("a\0b", "cannot be read", id="no-path"),
        pytest.param(7, "cannot be read", id="open-file"),
        pytest.param(True, "cannot be read", id="standard-output"),
        pytest.param(None, "cannot be read", id="none"),
        pytest.param([], "cannot be read", id="list"),
        pytest.param("{", "jwks=", id="broken-json"),
        pytest.param('{"keys": [], "keys": []}', "jwks=", id="duplicate-members"),
        pytest.param('{"\ud800', "jwks=", id="surrogate"),
        pytest.param(b"\xff\xfe", "jwks=", id="no-utf-8"),
        pytest.param({"keys": []}, "no usable key", id="no-keys"),
        pytest.param({**snapshot(), "version": 2}, "export it again", id="other-version"),
        pytest.param({"issuers": {}}, "export it again", id="no-version"),
        pytest.param({"version": 1, "issuers": []}, "export it again", id="issuers-no-object"),
        pytest.param({"version": 1, "issuers": {ISSUER: None}}, "export it again", id="issuer-no-object"),
        pytest.param({"version": 1, "issuers": {"https://evil": {}}}, "not an issuer", id="other-pool"),
        pytest.param(snapshot(fetched_at=True), "export it again", id="time-boolean"),
        pytest.param(snapshot(fetched_at="1"), "export it again", id="time-text"),
        pytest.param(snapshot(fetched_at=float("nan")), "export it again", id="time-nan"),
        pytest.param(snapshot(fetched_at=float("inf")), "export it again", id="time-infinite"),
        pytest.param(snapshot(fetched_at=10**400), "export it again", id="time-huge"),
        pytest.param(snapshot(jwks=[]), "export it again", id="keys-no-object"),
        pytest.param(snapshot(jwks={"keys": []}), "no usable key", id="snapshot-without-keys"),
    ],
)
def test_anything_else_is_a_mistake_of_configuration(document: object, says: str) -> None:
    """What cannot be used says so, and what to do."""
    with pytest.raises(ConfigurationError, match=says) as raised:
        load(document)
    assert raised.value.__cause__ is None


@given(anything() | st.dictionaries(st.sampled_from(["version", "issuers", "keys"]), anything()))
def test_any_value_gives_keys_or_our_error(document: object) -> None:
    """Nothing but a ConfigurationError comes out, whatever goes in."""
    with contextlib.suppress(ConfigurationError):
        load(document)
