"""Answers as they come off the wire, within a limit.

Decides how much of an answer is taken and which encodings are understood. Decides nothing about what an answer means,
and moves no bytes itself.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from cognito_oidc.errors import ProtocolError
from cognito_oidc.protocol.wire import HttpResponse

if TYPE_CHECKING:
    from cognito_oidc._http_client import ForeignResponse


class AnswerBody:
    """Collects the body of an answer, decoded, and never holds more than the limit.

    `identity` was asked for; gzip and deflate are understood all the same, a few bytes at a time, so that a small
    body which unpacks to a large one is refused before it is unpacked.
    """

    def __init__(self, answer: ForeignResponse, *, what: str, limit: int) -> None:
        """Take status and headers.

        Args:
            answer: The answer, its body not read yet.
            what: What it is, for messages.
            limit: Bytes the body may have, decoded.
        """
        self._status = answer.status_code
        self._headers: dict[str, str] = {}
        for raw_name, raw_value in answer.headers.raw:
            name, value = raw_name.lower().decode("latin-1"), raw_value.decode("latin-1")
            self._headers[name] = f"{self._headers[name]}, {value}" if name in self._headers else value
        self._what = what
        self._limit = limit
        self._data = bytearray()
        self._problem: str | None = None
        self._inflate = None
        self._begun = False
        self._complete = answer.is_stream_consumed
        coding = self._headers.get("content-encoding", "identity").strip().lower()
        if self._complete:  # a mocked answer, in memory and decoded
            self._add_plain(answer.content)
        elif coding in {"gzip", "x-gzip", "deflate"}:
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
        elif coding not in {"identity", ""}:
            self._problem = "is encoded in a way that was not asked for"

    @property
    def wants_more(self) -> bool:
        """Whether it takes any bytes that come."""
        return not self._complete and self._problem is None

    def add(self, chunk: bytes) -> None:
        """Take bytes off the wire."""
        self._begun = self._begun or chunk != b""
        if not self.wants_more:
            return
        if self._inflate is None:
            self._add_plain(chunk)
            return
        try:
            self._add_plain(self._inflate.decompress(chunk, self._limit - len(self._data) + 1))
        except zlib.error:
            self._problem = "cannot be decompressed"
        if self._inflate.unused_data:
            self._problem = "goes on after its end"

    def _add_plain(self, data: bytes) -> None:
        if len(self._data) + len(data) > self._limit:
            self._problem = f"is larger than {self._limit} bytes"
        else:
            self._data += data

    def response(self) -> HttpResponse:
        """Return the answer, after all its bytes were added.

        Raises:
            ProtocolError: It is too large, cut off or cannot be decoded.
        """
        if self.wants_more and self._inflate is not None and self._begun and not self._inflate.eof:
            self._problem = "is cut off"
        if self._problem is not None:
            msg = f"{self._what} {self._problem}."
            raise ProtocolError(msg)
        return HttpResponse(status=self._status, headers=self._headers, body=bytes(self._data))
