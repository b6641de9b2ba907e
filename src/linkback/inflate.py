"""Undoing the Content-Encoding of an answer, piece by piece.

Rule 1: no more is decoded than there is room for, so a bomb costs what we are willing to hold.
Rule 2: one coding at most, of those we asked for or that servers send unasked; a chain of them is only ever a bomb.
Rule 3: it is known whether the data came to its end, so a page that was cut short is never taken for a whole one.
"""

from __future__ import annotations

import zlib

from linkback.wire import Headers

_CODINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}


class BadCoding(ValueError):
    """A body that its Content-Encoding does not describe, or one that we do not read."""


class Inflater:
    """Undoes a Content-Encoding piece by piece: `gzip`, `deflate`, or "" for none."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._stream: zlib._Decompress | None = None
        self._held = b""
        self._padding = False

    def feed(self, data: bytes, room: int) -> bytes:
        """What `data` decodes to, at most `room` bytes (at least 1); the rest is dropped once room is full.

        Raises `BadCoding` for damaged data.
        """
        if not self._coding:
            return data[:room]
        try:
            return self._inflate(self._held + data, room)
        except zlib.error as error:
            raise BadCoding("its content encoding is damaged") from error

    @property
    def is_whole(self) -> bool:
        """Whether the data fed so far is no beginning of more."""
        return self._stream.eof if self._stream is not None else not self._held

    def _inflate(self, data: bytes, room: int) -> bytes:
        out = bytearray()
        self._held = b""
        while data and len(out) < room and not self._padding:
            if self._stream is None or self._stream.eof:
                if len(data) < 2:
                    self._held = data
                    break
                self._begin(data)
                continue
            out += self._stream.decompress(data, room - len(out))
            data = self._stream.unused_data
        return bytes(out)

    def _begin(self, data: bytes) -> None:
        another = self._stream is not None
        if another and (self._coding != "gzip" or data[:2] != b"\x1f\x8b"):
            # bytes after the end that start no further member: every other client ignores them too
            self._padding = True
        elif self._coding == "gzip":
            self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        else:
            # "deflate" means zlib's format, but some servers send the bare stream
            wrapped = data[0] & 0x0F == zlib.DEFLATED and (data[0] << 8 | data[1]) % 31 == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)


def inflater(fields: Headers) -> Inflater:
    """What undoes the Content-Encoding that the header fields of an answer name (RFC 9110 8.4).

    Raises `BadCoding` for one that we do not read, and for several.
    """
    named = [
        coding
        for name, value in fields
        if name.lower() == "content-encoding"
        for part in value.split(",")
        if (coding := part.strip(" \t").lower()) not in ("", "identity")
    ]
    if not named:
        return Inflater("")
    if len(named) > 1 or named[0] not in _CODINGS:
        raise BadCoding(f"{', '.join(named)[:80]} is no content encoding that can be read")
    return Inflater(_CODINGS[named[0]])
