"""Answers that never come to their end: a time-out per read would wait for ever, a deadline does not."""

from __future__ import annotations

import gzip
import os

from tests.hostile.sources.family import (
    CHUNKED,
    ERROR,
    LINK,
    LINKED,
    Family,
    Handler,
    Visit,
    chunk,
    document,
    head,
    moving,
    response,
)

slow = Family("slow")
net = Family("net", megabytes=0.1)
tls = Family("tls", megabytes=0.1, listener="tls", scheme="https")
FAMILIES = (slow, net, tls)

_LINK = LINK.encode()
_HOPS = 5

slow.page("silent-port", ERROR, "", listener="silent", megabytes=0.1, slow=True)
slow.page("tls-silent", ERROR, "", listener="silent", scheme="https", megabytes=0.1, slow=True)
net.page("refused", ERROR, "", listener="closed", seconds=4)
tls.page("self-signed", ERROR, LINK, seconds=4)
tls.page("plain-to-tls-port", ERROR, LINK, scheme="http", slow=True)
tls.page("https-to-plain-port", ERROR, LINK, listener="http", slow=True)


@slow.case("body-1bps", ERROR, slow=True)
async def _body(visit: Visit) -> None:
    await visit.send(head("Content-Length: 500"))
    await visit.drip((LINK + " " * 500).encode()[:500])


@slow.case("link-first-then-1bps", ERROR, or_else=[LINKED], slow=True)
async def _link_first(visit: Visit) -> None:
    await visit.send(head("Content-Length: 9000") + _LINK)
    await visit.drip(b" " * 500)


@slow.case("header-1bps", ERROR, megabytes=0.1, slow=True)
async def _header(visit: Visit) -> None:
    await visit.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    await visit.drip(b"a" * 500)


@slow.case("status-1bps", ERROR, megabytes=0.1, slow=True)
async def _status(visit: Visit) -> None:
    await visit.drip(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + b"X: y\r\n" * 50)


@slow.case("no-answer", ERROR, megabytes=0.1, slow=True)
async def _no_answer(visit: Visit) -> None:
    await visit.hold()


@slow.case("stall-mid-body", ERROR, slow=True)
async def _stall(visit: Visit) -> None:
    await visit.send(head("Content-Length: 1000") + b"<p>half</p>")
    await visit.hold()


@slow.case("last-chunk-never", ERROR, or_else=[LINKED], slow=True)
async def _last_chunk(visit: Visit) -> None:
    await visit.send(head(CHUNKED) + chunk(_LINK))
    await visit.hold()


@slow.case("chunk-1-per-s", ERROR, slow=True)
async def _chunks(visit: Visit) -> None:
    await visit.send(head(CHUNKED))
    await visit.drip(chunk(b"<p>.</p>") * 60, step=len(chunk(b"<p>.</p>")))


@slow.case("early-hints-drip", ERROR, megabytes=0.1, slow=True)
async def _hints(visit: Visit) -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
    await visit.drip(hint * 60, seconds=0.5, step=len(hint))
    await visit.send(response(document(LINK)))


@slow.case("gzip-drip", ERROR, slow=True)
async def _gzip(visit: Visit) -> None:
    await visit.send(head("Content-Encoding: gzip"))
    await visit.drip(gzip.compress(os.urandom(400)), seconds=0.2)


@slow.case("trickle-just-under-read-timeout", ERROR, slow=True)
async def _trickle(visit: Visit) -> None:
    """Bytes keep coming."""
    await visit.send(head())
    await visit.flood(b" " * 1024, seconds=0.9)


def _hop(number: int) -> Handler:
    """Each hop waits three seconds; all of them together are past the deadline."""

    async def handler(visit: Visit) -> None:
        await visit.pause(3)
        onward = moving(f"/slow/redirects/{number + 1}")
        await visit.send(response(document(LINK)) if number == _HOPS else onward(visit))

    return handler


slow.case("redirects/0", ERROR, slow=True)(_hop(0))
for _number in range(1, _HOPS + 1):
    slow.step(f"redirects/{_number}")(_hop(_number))
