"""Bodies as they come off the wire: decoded, and never more of them than the limit."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import httpx
import pytest

from cognito_oidc._answer import AnswerBody
from cognito_oidc.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator


def body_of(*chunks: bytes, coding: str | None = None, limit: int = 1000) -> AnswerBody:
    """Return a body after some chunks came, as long as it wanted them."""

    class Stream(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield from chunks

    answer = httpx.Response(200, headers={} if coding is None else {"content-encoding": coding}, stream=Stream())
    body = AnswerBody(answer, what="The answer", limit=limit)
    for chunk in chunks:
        body.add(chunk)
    return body


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        pytest.param(None, lambda data: data, id="plain"),
        pytest.param("identity", lambda data: data, id="identity"),
        pytest.param(" GZIP ", gzip.compress, id="gzip"),
        pytest.param("deflate", zlib.compress, id="deflate"),
        pytest.param("gzip", lambda data: gzip.compress(data, compresslevel=0), id="stored"),
    ],
)
@pytest.mark.parametrize("size", [0, 1, 999, 1000])
def test_body_up_to_the_limit(coding: str | None, pack: object, size: int) -> None:
    """A body of at most the limit comes out as it was, in one chunk or byte by byte."""
    data = b"x" * size
    packed: bytes = pack(data)  # type: ignore[operator]
    for chunks in ([packed], [bytes([one]) for one in packed], [b"", packed, b""]):
        assert body_of(*chunks, coding=coding).response().body == data


@pytest.mark.parametrize(
    ("chunks", "coding", "says"),
    [
        pytest.param([b"x" * 1001], None, "larger than 1000 bytes", id="plain"),
        pytest.param([b"x" * 600] * 2, None, "larger than 1000 bytes", id="plain-in-chunks"),
        pytest.param([gzip.compress(b"x" * 1001)], "gzip", "larger", id="gzip"),
        pytest.param([gzip.compress(b"x")[:-1]], "gzip", "cut off", id="cut-off"),
        pytest.param([gzip.compress(b"x"), b"y"], "gzip", "goes on", id="goes-on"),
        pytest.param([gzip.compress(b"x") + gzip.compress(b"y")], "gzip", "goes on", id="two-members"),
        pytest.param([b"{}"], "gzip", "cannot be decompressed", id="no-gzip"),
        pytest.param([b"{}"], "br", "not asked for", id="brotli"),
        pytest.param([b"{}"], "gzip, gzip", "not asked for", id="twice"),
    ],
)
def test_body_that_is_not_taken(chunks: list[bytes], coding: str | None, says: str) -> None:
    """What is wrong is said when the answer is asked for, and nothing more is wanted from then on."""
    body = body_of(*chunks, coding=coding)
    with pytest.raises(ProtocolError, match=says):
        body.response()
    assert not body.wants_more


def test_bomb_is_never_unpacked() -> None:
    """Twenty megabytes in twenty kilobytes cost no more memory than the limit."""
    bomb = gzip.compress(b"\0" * 20_000_000)
    tracemalloc.start()
    try:
        body = body_of(bomb, coding="gzip", limit=64 * 1024)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
    with pytest.raises(ProtocolError):
        body.response()


def test_answer_in_memory_is_taken_as_it_is() -> None:
    """A mocked answer is decoded already; its encoding is not looked at, its size is."""
    packed = httpx.Response(200, headers={"content-encoding": "gzip"}, content=gzip.compress(b"{}"))
    assert AnswerBody(packed, what="The answer", limit=10).response().body == b"{}"
    big = AnswerBody(httpx.Response(200, content=b"x" * 11), what="The answer", limit=10)
    assert not big.wants_more
    with pytest.raises(ProtocolError, match="larger"):
        big.response()
