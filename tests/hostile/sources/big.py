"""More than anybody needs: before the body, in it, and in the framing around it."""

from __future__ import annotations

from tests.hostile.sources.family import (
    CHUNKED,
    ERROR,
    LINK,
    LINKED,
    MB,
    NOT_LINKED,
    TARGET,
    Family,
    Visit,
    chunk,
    head,
)

FAMILY = Family("big")

_LINK = LINK.encode()
_NOTHING = b"<p>nothing</p>" * 4000
_SIZED = f"Content-Length: {len(_LINK)}"


@FAMILY.case("endless-body", NOT_LINKED, or_else=[ERROR])
async def _endless_body(visit: Visit) -> None:
    await visit.send(head())
    await visit.flood(_NOTHING)


@FAMILY.case("endless-link-first", LINKED, or_else=[ERROR])
async def _endless_link_first(visit: Visit) -> None:
    """The link lies in the part that is read."""
    await visit.send(head() + _LINK)
    await visit.flood(_NOTHING)


@FAMILY.case("endless-chunked", NOT_LINKED, or_else=[ERROR])
async def _endless_chunked(visit: Visit) -> None:
    await visit.send(head(CHUNKED))
    await visit.flood(chunk(_NOTHING))


def _sized(body: bytes) -> bytes:
    return head(f"Content-Length: {len(body)}") + body


FAMILY.raw("link-after-9MB", NOT_LINKED, lambda visit: _sized(b"x" * (9 * MB) + _LINK), or_else=[ERROR])
FAMILY.raw(
    "attribute-10MB",
    NOT_LINKED,
    lambda visit: _sized(b'<a title="' + b"y" * (10 * MB) + f'" href="{TARGET}">x</a>'.encode()),
    or_else=[ERROR],
)


@FAMILY.case("header-line-endless", ERROR, megabytes=0.3)
async def _header_line(visit: Visit) -> None:
    await visit.send(b"HTTP/1.1 200 OK\r\nX-A: ")
    await visit.flood(b"a" * 65_536)


@FAMILY.case("headers-endless", ERROR, megabytes=0.3)
async def _headers(visit: Visit) -> None:
    """CVE-2023-38039 of curl."""
    await visit.send(b"HTTP/1.1 200 OK\r\n")
    await visit.flood(b"X-Header: value\r\n" * 4000)


@FAMILY.case("status-line-endless", ERROR, megabytes=0.3)
async def _status_line(visit: Visit) -> None:
    await visit.send(b"HTTP/1.1 200 ")
    await visit.flood(b"O" * 65_536)


def _headed(*fields: str) -> bytes:
    return head(*fields) + _LINK


FAMILY.raw("headers-100k", ERROR, lambda visit: _headed(*(f"X-{n}: v" for n in range(100_000))), megabytes=0.3)
FAMILY.raw("header-1MB", ERROR, lambda visit: _headed("X-Big: " + "a" * MB, _SIZED), megabytes=0.3)
FAMILY.raw(
    "set-cookie-20k",
    ERROR,
    lambda visit: _headed(*(f"Set-Cookie: c{n}={'v' * 100}" for n in range(20_000))),
    megabytes=0.3,
)
FAMILY.raw(
    "link-header-1MB",
    ERROR,
    lambda visit: _headed("Link: " + ", ".join(f"<http://e.test/{n}>; rel=x" for n in range(40_000))),
    megabytes=0.3,
)
FAMILY.raw(
    "charset-200kB",
    ERROR,
    head(_SIZED, content_type="text/html; charset=" + "u" * 200_000) + _LINK,
    megabytes=0.3,
)
# nobody may make room for what is only announced (CVE-2025-13836), nor count in so many digits
FAMILY.raw("cl-1e30", ERROR, _headed("Content-Length: 1" + "0" * 30))
FAMILY.raw("cl-5000-digits", ERROR, _headed("Content-Length: " + "9" * 5000), megabytes=0.1)


@FAMILY.case("chunk-ext-endless", ERROR)
async def _chunk_extension(visit: Visit) -> None:
    await visit.send(head(CHUNKED) + b"5;ext=")
    await visit.flood(b"x" * 65_536)


@FAMILY.case("chunk-ext-per-byte", ERROR, or_else=[NOT_LINKED])
async def _extension_per_byte(visit: Visit) -> None:
    """16 KB of extension for each byte of the body: what counts is what comes over the wire."""
    await visit.send(head(CHUNKED))
    await visit.flood(chunk(b" ", b";e=" + b"x" * 16_000))


_NAMED = chunk(_LINK, b";name=value")
FAMILY.raw("chunk-ext-small", LINKED, head(CHUNKED) + _NAMED + b"0\r\n\r\n", seconds=2)


@FAMILY.case("trailers-endless", ERROR, or_else=[LINKED], megabytes=0.5)
async def _trailers(visit: Visit) -> None:
    await visit.send(head(CHUNKED) + chunk(_LINK) + b"0\r\n")
    await visit.flood(b"X-Trailer: value\r\n" * 3000)


FAMILY.raw(
    "150k-one-byte-chunks",
    LINKED,
    lambda visit: head(CHUNKED) + b"1\r\n \r\n" * 150_000 + chunk(_LINK) + b"0\r\n\r\n",
    seconds=5,
    or_else=[ERROR],
)
FAMILY.raw("chunk-size-2e64", ERROR, head(CHUNKED) + b"ffffffffffffffff\r\n" + _LINK)
