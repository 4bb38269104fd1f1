"""Tokens in files: what every store must do, who may read them, and what is there after a process was killed."""
# ruff: noqa: ASYNC240 - the tests look at the files themselves, between two calls

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import pytest

from cognito_oidc import StoredToken, TokenSet
from cognito_oidc.emulator import CognitoEmulator
from cognito_oidc.errors import StoreError
from cognito_oidc.integrations.stores.file import FileTokenStore
from cognito_oidc.testing import TokenStoreConformance

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_oidc.emulator import KeyStock

WORKER: Final = Path(__file__).with_name("worker.py")
RECORD: Final = StoredToken(
    tokens=TokenSet(access_token="the-access-token", expires_at=2e9, refresh_token="the-refresh-token"),
    obtained_at=1.8e9,
    pool_id="eu-west-1_AbC123",
    client_id="1example23456789",
    revision="r1",
)
NEXT: Final = replace(RECORD, revision="r2")


class TestConformance(TokenStoreConformance):
    @pytest.fixture(params=[(), (b"k" * 32,)], ids=["plain", "encrypted"])
    def open_token_store(self, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], FileTokenStore]:
        return lambda: FileTokenStore(tmp_path / "tokens", encryption_keys=request.param)


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start a process, which must be ended."""
    command = [sys.executable, "-W", "error", str(WORKER), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the place of a folder that is not there yet."""
    return tmp_path / "above" / "tokens"


@pytest.fixture
def store(folder: Path) -> FileTokenStore:
    """Give a store."""
    return FileTokenStore(folder)


# --- who may read them ------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_folder_and_files_are_the_owners(store: FileTokenStore, folder: Path) -> None:
    """0700 and 0600, whatever the process lets others do by default; a file's name tells nothing."""
    before = os.umask(0)
    try:
        async with store.lock("ann", timeout=0):
            await store.swap("ann", RECORD, expected=None)
            modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes == {".json": 0o600, ".lock": 0o600}
    assert not [path for path in folder.iterdir() if "ann" in path.name]


@pytest.mark.anyio
async def test_nothing_is_left_behind(store: FileTokenStore, folder: Path) -> None:
    """A session that was deleted leaves no file, and one that is there has one."""
    for _ in range(3):
        async with store.lock("ann", timeout=0):
            await store.swap("ann", RECORD, expected=None)
        assert [path.suffix for path in folder.iterdir()] == [".json"]
        async with store.lock("ann", timeout=0):
            await store.swap("ann", None, expected=RECORD)
        assert list(folder.iterdir()) == []


@pytest.mark.anyio
@pytest.mark.parametrize("mode", [0o750, 0o705, 0o701, 0o777])
async def test_folder_that_is_open_to_others_is_refused(store: FileTokenStore, folder: Path, mode: int) -> None:
    """It says what to do, and nothing is written."""
    folder.mkdir(parents=True)
    folder.chmod(mode)
    with pytest.raises(StoreError, match="chmod 700") as raised:
        await store.swap("ann", RECORD, expected=None)
    assert not raised.value.retryable
    assert list(folder.iterdir()) == []


@pytest.mark.anyio
async def test_folder_of_another_user_is_refused(
    store: FileTokenStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever it belongs to could change what is in it."""
    await store.swap("ann", RECORD, expected=None)
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(folder).st_uid + 1)  # noqa: PTH116 - as the store does
    with pytest.raises(StoreError, match="another user"):
        await store.read("ann")


@pytest.mark.anyio
async def test_links_are_not_followed(store: FileTokenStore, folder: Path, tmp_path: Path) -> None:
    """Neither the folder nor a file in it may be a link, nor anything else than what it should be."""
    await store.swap("ann", RECORD, expected=None)
    link = tmp_path / "link"
    link.symlink_to(folder)
    with pytest.raises(StoreError, match="link"):
        await FileTokenStore(link).read("ann")
    with pytest.raises(StoreError):
        await FileTokenStore(next(folder.iterdir())).read("ann")
    (record,) = folder.iterdir()
    elsewhere = tmp_path / "elsewhere"
    record.rename(elsewhere)
    record.symlink_to(elsewhere)
    for call in (store.read("ann"), store.swap("ann", NEXT, expected=RECORD)):
        with pytest.raises(StoreError):
            await call
    record.unlink()
    os.mkfifo(record)
    with anyio.fail_after(5), pytest.raises(StoreError):
        await store.read("ann")
    assert RECORD.to_json() == elsewhere.read_text(encoding="ascii")


# --- what is damaged --------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("damage", [b"", b"\x00" * 4000, b'{"schema":1', b"\xff\xfe"], ids=repr)
async def test_damaged_file_is_set_aside(
    store: FileTokenStore, folder: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    """It is told once, kept for who wants to look, and in nobody's way."""
    await store.swap("ann", RECORD, expected=None)
    (file,) = folder.iterdir()
    file.write_bytes(damage)
    with pytest.raises(StoreError) as raised:
        await store.read("ann")
    assert raised.value.code == "store_damaged"
    assert "set aside" in caplog.text
    assert await store.read("ann") is None
    assert await store.swap("ann", NEXT, expected=None)
    assert [path.read_bytes() for path in folder.iterdir() if path.suffix == ".damaged"] == [damage]


@pytest.mark.anyio
async def test_what_another_can_read_is_left_alone(folder: Path) -> None:
    """A record of a newer version, or one that needs another key, stays where it is."""
    await FileTokenStore(folder, encryption_keys=[b"k" * 32]).swap("ann", RECORD, expected=None)
    for one in (FileTokenStore(folder), FileTokenStore(folder, encryption_keys=[b"x" * 32])):
        for call in (one.read("ann"), one.swap("ann", NEXT, expected=None)):
            with pytest.raises(StoreError) as raised:
                await call
            assert raised.value.code == "store_sealed"
    assert await FileTokenStore(folder, encryption_keys=[b"x" * 32, b"k" * 32]).read("ann") == RECORD


# --- a disk that is full ----------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_full_disk_is_found_before_anything_is_used_up(
    store: FileTokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock reserves the room: where there is none it says so, and is free again."""
    await store.swap("ann", RECORD, expected=None)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="No space left") as raised:
            async with store.lock("ann", timeout=0):
                raise AssertionError
        assert raised.value.retryable
        with pytest.raises(StoreError, match="No space left"):
            await store.swap("ann", NEXT, expected=RECORD)
    assert await store.read("ann") == RECORD
    async with store.lock("ann", timeout=0):
        assert await store.swap("ann", NEXT, expected=RECORD)


@pytest.mark.anyio
async def test_reserved_room_is_used(store: FileTokenStore, folder: Path) -> None:
    """While the lock is held there is a file with room for a record twice as long; the next record is that file."""
    long = replace(RECORD, tokens=replace(RECORD.tokens, access_token="a" * 30_000))
    await store.swap("ann", long, expected=None)
    async with store.lock("ann", timeout=0):
        (room,) = folder.glob("*.new")
        assert room.stat().st_size >= 60_000
        number = room.stat().st_ino
        assert await store.swap("ann", NEXT, expected=long)
        (file,) = folder.glob("*.json")
        assert file.stat().st_ino == number
        assert file.read_text(encoding="ascii") == NEXT.to_json()


# --- processes --------------------------------------------------------------------------------------------------------


def test_killed_while_it_writes(folder: Path) -> None:
    """Fifty times: the record is whole, and it is the last that was confirmed or the one after it."""
    process = start("write", str(folder), "50")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert json.loads(output) >= 50


@pytest.mark.anyio
async def test_holder_that_is_killed_leaves_no_lock(store: FileTokenStore, folder: Path) -> None:
    """Another takes over at once."""
    process = start("hold", str(folder))
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(StoreError) as raised:
            async with store.lock("ann", timeout=0.1):
                raise AssertionError
        assert raised.value.code == "store_locked"
    finally:
        process.kill()
        process.communicate()
    async with store.lock("ann", timeout=1):
        pass


def test_many_processes_and_one_expired_session(folder: Path, cognito_key_stock: KeyStock) -> None:
    """Rotation is on and there is no grace: four processes of twenty tasks send one request, and all go on."""
    anyio.run(_storm, folder, cognito_key_stock)


async def _storm(folder: Path, key_stock: KeyStock) -> None:
    aws = CognitoEmulator(key_stock=key_stock)
    pool = aws.add_pool("eu-west-1_AbC123", domain="acme")
    pool.add_user("ann", password="correct horse")
    web = pool.add_client(
        "web", redirect_uris=["https://app.example/cb"], scopes=["openid"], refresh_token_rotation=True
    )
    async with aws.serve() as server:
        from cognito_oidc import CognitoClient

        client = CognitoClient(
            server.user_pool(pool), client_id=web.client_id, redirect_uri="https://app.example/cb", clock=aws.clock
        )
        request = client.authorization_request()
        tokens = await client.exchange_code(await aws.person("ann", "correct horse").follow(request.url), request)
        source = client.token_source(store=FileTokenStore(folder), key="ann")
        await source.replace(replace(tokens, expires_at=tokens.expires_at - 7200))
        arguments = ("storm", str(folder), pool.pool_id, server.base_url, web.client_id, "20")
        before = aws.count("token")
        with ExitStack() as stack:
            processes = [stack.enter_context(start(*arguments)) for _ in range(4)]
            for process in processes:
                assert process.stdout is not None
                assert await anyio.to_thread.run_sync(process.stdout.readline) == "ready\n"
            for process in processes:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            answers = [(await anyio.to_thread.run_sync(process.communicate))[0] for process in processes]
        got = [token for answer in answers for token in json.loads(answer)]
        assert (len(got), len(set(got)), got[0][:3]) == (80, 1, "eyJ")
        assert aws.count("token") - before == 1
        assert (await source.token()).value == got[0]
        aws.clock.advance(3600)
        assert (await source.token()).value != got[0]
        await client.aclose()
