"""Content codings: bombs, chains of them, and what is none."""

from __future__ import annotations

import gzip
import os
import zlib
from functools import cache

from tests.hostile.sources.family import (
    CHUNKED,
    ERROR,
    GONE,
    LINK,
    LINKED,
    MB,
    NOT_LINKED,
    Family,
    Visit,
    chunk,
    document,
    head,
    response,
)

FAMILY = Family("gz")

_LINK = LINK.encode()
_GZIP = "Content-Encoding: gzip"
_MIB_16 = 16 * 1_048_576


@cache
def _bomb(start: bytes) -> tuple[bytes, bytes]:
    """The beginning of a gzip stream, and what may follow it any number of times: 16 kB that are 16 MiB."""
    stream = zlib.compressobj(9, zlib.DEFLATED, 31)
    beginning = stream.compress(start) + stream.flush(zlib.Z_FULL_FLUSH)
    return beginning, stream.compress(b" " * _MIB_16) + stream.flush(zlib.Z_FULL_FLUSH)


def _gibibyte(start: str, *fields: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    beginning, more = _bomb(start.encode())
    return head(_GZIP, *fields, status=status) + beginning + more * 64


FAMILY.raw("bomb-1GiB", NOT_LINKED, lambda visit: _gibibyte(document("<p>")), or_else=[ERROR])
FAMILY.raw("bomb-after-link", LINKED, lambda visit: _gibibyte(LINK), or_else=[ERROR])
FAMILY.raw("bomb-on-404", GONE, lambda visit: _gibibyte(LINK, status="HTTP/1.1 404 Not Found"), megabytes=0.3)
# CVE-2026-21441 of urllib3
FAMILY.raw(
    "bomb-on-redirect",
    LINKED,
    lambda visit: _gibibyte(LINK, "Location: /ok/plain", status="HTTP/1.1 302 Found"),
    megabytes=0.5,
)


@FAMILY.case("bomb-endless", NOT_LINKED, or_else=[ERROR])
async def _endless(visit: Visit) -> None:
    beginning, more = _bomb(document("<p>").encode())
    await visit.send(head(_GZIP) + beginning)
    await visit.flood(more)


def _coded(body: bytes, coding: str) -> bytes:
    return response(body, fields=[f"Content-Encoding: {coding}"])


FAMILY.raw("double", ERROR, _coded(gzip.compress(gzip.compress(_LINK)), "gzip, gzip"), or_else=[LINKED, NOT_LINKED])
# CVE-2025-66418 of urllib3
FAMILY.raw("chain-500", ERROR, _coded(gzip.compress(_LINK), ", ".join(["gzip"] * 500)), seconds=3)
_CUT = gzip.compress(_LINK + b"x" * 9 + os.urandom(3000))[:-1500]
FAMILY.raw("truncated", ERROR, _coded(_CUT, "gzip"), or_else=[LINKED])
FAMILY.raw("garbage", ERROR, _coded(document(LINK).encode(), "gzip"))
FAMILY.raw("bad-crc", ERROR, _coded(gzip.compress(_LINK)[:-8] + bytes(8), "gzip"), or_else=[LINKED])
FAMILY.raw("second-member", LINKED, _coded(gzip.compress(b"<p>1</p>") + gzip.compress(_LINK), "gzip"))
FAMILY.raw("100k-empty-members", NOT_LINKED, _coded(gzip.compress(b"") * 45_000, "gzip"), or_else=[ERROR], seconds=5)
_NAME = b"\x1f\x8b\x08\x08" + bytes(6)
FAMILY.raw("huge-fname", ERROR, lambda visit: _coded(_NAME + b"n" * (4 * MB), "gzip"), or_else=[NOT_LINKED])
FAMILY.raw("deflate-zlib", LINKED, _coded(zlib.compress(_LINK), "deflate"))
FAMILY.raw("deflate-raw", LINKED, _coded(zlib.compress(_LINK)[2:-4], "deflate"))
FAMILY.raw("br-noise", ERROR, _coded(os.urandom(2000), "br"), or_else=[NOT_LINKED])
FAMILY.raw("zstd-noise", ERROR, _coded(b"\x28\xb5\x2f\xfd" + os.urandom(2000), "zstd"), or_else=[NOT_LINKED])
FAMILY.raw("unknown-encoding", ERROR, _coded(document(LINK).encode(), "x-rot13"))
FAMILY.raw("identity", LINKED, _coded(document(LINK).encode(), "identity"), seconds=2)
FAMILY.raw(
    "te-gzip",
    ERROR,
    head("Transfer-Encoding: gzip, chunked") + chunk(gzip.compress(_LINK)) + b"0\r\n\r\n",
    or_else=[NOT_LINKED],
)
FAMILY.raw(
    "member-after-chunk-end",
    NOT_LINKED,
    head(_GZIP, CHUNKED) + chunk(gzip.compress(b"<p>1</p>")) + b"0\r\n\r\n" + gzip.compress(_LINK),
)
