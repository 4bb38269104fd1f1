"""Sessions in a keyring: entries that fit into Windows, writes that are stopped at any step, and no keyring at all."""

from __future__ import annotations

import threading
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import KeyringLocked, PasswordDeleteError, PasswordSetError

from cognito_oidc.errors import ConfigurationError, StoreError
from cognito_oidc.integrations.stores.keyring import KeyringTokenStore
from cognito_oidc.testing import TokenStoreConformance
from tests.integrations.stores.records import CANARY, record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio

WINDOWS_LIMIT = 2560  # bytes of UTF-16: CRED_MAX_CREDENTIAL_BLOB_SIZE


class Locker(KeyringBackend):
    """A keyring in memory: it takes what Windows takes, is for one thread at a time, and may be unplugged."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries: dict[tuple[str, str], str] = {}
        self.writes_left = 10**9
        self._busy = threading.Lock()

    def get_password(self, service: str, username: str) -> str | None:
        with self._alone():
            return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        with self._alone():
            self._count()
            if len(password.encode("utf-16-le")) > WINDOWS_LIMIT:
                raise PasswordSetError(password)
            self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        with self._alone():
            self._count()
            if self.entries.pop((service, username), None) is None:
                raise PasswordDeleteError(service)

    def _alone(self) -> threading.Lock:
        assert not self._busy.locked(), "asked by two threads at once"
        return self._busy

    def _count(self) -> None:
        if self.writes_left == 0:
            raise KeyringLocked(f"unplugged, with {CANARY}")
        self.writes_left -= 1


def names_in(folder: Path) -> list[str]:
    """What is in a folder."""
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def locker() -> Locker:
    """Give a keyring of the test's own."""
    return Locker()


@pytest.fixture
def open_store(locker: Locker, tmp_path: Path) -> Callable[[], KeyringTokenStore]:
    """Give what opens a store on it, each as another process would."""
    return lambda: KeyringTokenStore("orders-cli", backend=locker, lock_folder=tmp_path / "locks")


class TestConformance(TokenStoreConformance):
    """What every store must do."""

    @pytest.fixture(params=[(), (b"k" * 32,)], ids=["plain", "encrypted"])
    def open_token_store(
        self, locker: Locker, tmp_path: Path, request: pytest.FixtureRequest
    ) -> Callable[[], KeyringTokenStore]:
        folder = tmp_path / "locks"
        return lambda: KeyringTokenStore(
            "orders-cli", backend=locker, lock_folder=folder, encryption_keys=request.param
        )


async def test_write_that_is_stopped_leaves_the_old_record_or_the_new_one(
    locker: Locker, open_store: Callable[[], KeyringTokenStore]
) -> None:
    """Whatever step a write gets to, the next process reads one whole record, and writes on."""
    store, current, done = open_store(), record("first"), False
    assert await store.swap("ann", current, expected=None)
    for steps in range(20):  # more than a write has
        new, done = record(str(steps)), False
        locker.writes_left = steps
        with suppress(StoreError):
            done = await store.swap("ann", new, expected=current)
        locker.writes_left = 10**9
        found = await open_store().read("ann")
        assert found == new or (found == current and not done)
        current = found
    assert done


async def test_nothing_of_the_record_before_stays(locker: Locker, open_store: Callable[[], KeyringTokenStore]) -> None:
    """A refresh token that was replaced is not left in the keyring, whichever record was longer."""
    current = None
    for length in (9, 1, 9, 1):
        one = record("replaced" * 300 * length)
        assert await open_store().swap("ann", one, expected=current)
        current = one
        assert len("".join(locker.entries.values())) < len(one.to_json()) + 200


async def test_delete_that_is_stopped_leaves_the_record_or_nothing(
    locker: Locker, open_store: Callable[[], KeyringTokenStore]
) -> None:
    """Whatever step a delete gets to, there is the record or none; and nothing of it stays after the next one."""
    for steps in range(8):
        one = record()
        assert await open_store().swap("ann", one, expected=None)
        locker.writes_left = steps
        with suppress(StoreError):
            await open_store().swap("ann", None, expected=one)
        locker.writes_left = 10**9
        found = await open_store().read("ann")
        assert found in {one, None}
        two = record()
        assert await open_store().swap("ann", two, expected=found)
        assert await open_store().swap("ann", None, expected=two)
        assert locker.entries == {}


async def test_sign_out_that_the_keyring_does_not_do_is_told(
    locker: Locker, open_store: Callable[[], KeyringTokenStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A keyring that keeps what it should delete is no sign-out."""
    one = record()
    assert await open_store().swap("ann", one, expected=None)

    def refuse(service: str, username: str) -> None:
        raise PasswordDeleteError("no")

    monkeypatch.setattr(locker, "delete_password", refuse)
    with pytest.raises(StoreError, match="did not delete"):
        await open_store().swap("ann", None, expected=one)


@pytest.mark.parametrize("damage", ["no-part", "other-part", "no-json", "other-json"])
async def test_damaged_record_is_as_good_as_none(
    locker: Locker, open_store: Callable[[], KeyringTokenStore], damage: str
) -> None:
    """What somebody has changed by hand is not read, and a new sign-in takes its place."""
    assert await open_store().swap("ann", record(), expected=None)
    index = next(name for name in locker.entries if name[0].endswith("/index"))
    part = next(name for name in locker.entries if name[0].endswith("1"))
    if damage == "no-part":
        del locker.entries[part]
    elif damage == "other-part":
        locker.entries[part] = "x" + locker.entries[part][1:]
    else:
        locker.entries[index] = "damaged" if damage == "no-json" else '{"slot": "c", "parts": true, "digest": 1}'
    assert await open_store().read("ann") is None
    one = record()
    assert await open_store().swap("ann", one, expected=None)
    assert await open_store().read("ann") == one


async def test_value_of_another_key_is_refused(locker: Locker, tmp_path: Path) -> None:
    """Ann's encrypted entries under Bob's names are no session of Bob's, and are thrown away."""
    store = KeyringTokenStore("cli", backend=locker, lock_folder=tmp_path / "locks", encryption_keys=[b"k" * 32])
    await store.swap("ann", record(), expected=None)
    anns = dict(locker.entries)
    await store.swap("ann", None, expected=await store.read("ann"))
    await store.swap("bob", record(), expected=None)
    bobs = sorted(locker.entries)
    locker.entries = dict(zip(bobs, (anns[name] for name in sorted(anns)), strict=True))
    with pytest.raises(StoreError) as caught:
        await store.read("bob")
    assert caught.value.code == "store_damaged"
    assert await store.read("bob") is None
    assert locker.entries == {}


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring], ids=["none", "switched-off"])
async def test_no_keyring_is_told_and_nothing_is_kept_elsewhere(
    backend: type[KeyringBackend], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a headless system, or with keyring switched off, each call says so."""
    monkeypatch.setattr(keyring, "get_keyring", backend)
    store = KeyringTokenStore("orders-cli", lock_folder=tmp_path)
    for call in (store.read("ann"), store.swap("ann", record(), expected=None)):
        with pytest.raises(StoreError, match="no keyring on this system") as caught:
            await call
        assert (caught.value.code, caught.value.retryable) == ("store_no_keyring", False)
    assert names_in(tmp_path) == []


async def test_keyring_of_the_system_is_asked_for_at_the_first_call(
    locker: Locker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The constructor asks nothing; then what `keyring` finds is used."""
    store, one = KeyringTokenStore("orders-cli", lock_folder=tmp_path), record()
    monkeypatch.setattr(keyring, "get_keyring", lambda: locker)
    assert await store.swap("ann", one, expected=None)
    assert await store.read("ann") == one


async def test_refusal_shows_nothing(locker: Locker, open_store: Callable[[], KeyringTokenStore]) -> None:
    """What a backend says may hold what it was to keep: only its class is told."""
    locker.writes_left = 0
    with pytest.raises(StoreError, match="KeyringLocked") as caught:
        await open_store().swap("ann", record(), expected=None)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_entries_need_a_name() -> None:
    """No name is found before anything is asked."""
    with pytest.raises(ConfigurationError, match="expected the name"):
        KeyringTokenStore("")


def test_locks_are_in_the_persons_own_folder() -> None:
    """Without a folder given, lock files are where `keyring` itself keeps what is the person's, and not in /tmp."""
    assert KeyringTokenStore("orders-cli")._locks.endswith("python_keyring/cognito-oidc-locks")
