"""HTTP that is not quite: lengths, chunks, status lines, header fields, and other protocols."""

from __future__ import annotations

import os

from tests.hostile.sources.family import (
    CHUNKED,
    ERROR,
    LINK,
    LINKED,
    NOT_LINKED,
    Family,
    Visit,
    chunk,
    document,
    head,
    response,
)

FAMILY = Family("fr")

_LINK = LINK.encode()
_N = len(_LINK)
_SIZED = f"Content-Length: {_N}"
_PAGE = document(LINK)
_LAST = b"0\r\n\r\n"


def _row(name: str, verdict: str, made: bytes, *or_else: str) -> None:
    FAMILY.raw(name, verdict, made, or_else=or_else)


def _length(name: str, verdict: str, value: str, *or_else: str) -> None:
    _row(name, verdict, head(f"Content-Length:{value}") + _LINK, *or_else)


def _size(name: str, size: bytes, after: bytes = b"\r\n", *or_else: str) -> None:
    _row(name, ERROR, head(CHUNKED) + size + b"\r\n" + _LINK + after + _LAST, *or_else)


# whoever decides before the end may say linked; nobody may say that there is no link
_length("cl-too-long", ERROR, f" {_N + 999}", LINKED)
_row("cl-too-long-no-link", ERROR, head("Content-Length: 5000") + b"<p>half")
_row("cl-short-link-inside", LINKED, head(_SIZED) + _LINK + b"junk" * 99)
# what comes after the length is no part of the page, nor is a second answer
_row("cl-short-link-outside", NOT_LINKED, head("Content-Length: 12") + b"<p>nothing  " + _LINK)
_row("second-response", NOT_LINKED, head("Content-Length: 12") + b"<p>nothing  " + response(_PAGE))
_length("cl-negative", ERROR, " -5")
# int() takes these three
_length("cl-plus", ERROR, f" +{_N}")
_length("cl-underscore", ERROR, " " + "_".join(str(_N)))
_row("cl-nonascii-digit", ERROR, head("Content-Length: \xb2") + _LINK)
_length("cl-hex", ERROR, f" 0x{_N:x}")
_length("cl-empty", ERROR, "", LINKED)
_length("cl-list-different", ERROR, f" 5, {_N}")
_row("cl-two-different", ERROR, head("Content-Length: 5", _SIZED) + _LINK)
_row("cl-two-same", LINKED, head(_SIZED, _SIZED) + _LINK, ERROR)
_row("cl-and-chunked", ERROR, head("Content-Length: 5", CHUNKED) + chunk(_LINK) + _LAST, LINKED)
_row("te-unknown", ERROR, head("Transfer-Encoding: xchunked") + chunk(_LINK) + _LAST)
_row("te-not-last", ERROR, head("Transfer-Encoding: chunked, identity") + chunk(_LINK) + _LAST, LINKED)
_VERTICAL = head("Transfer-Encoding: \x0bchunked", "Content-Length: 3")
_row("te-vertical-tab", ERROR, _VERTICAL + chunk(_LINK) + _LAST, NOT_LINKED)

_size("chunk-bad-hex", b"zz")
_size("chunk-underscore", "_".join(f"{_N:x}").encode())
_size("chunk-0x", b"0x%x" % _N)
_size("chunk-negative", b"-5")
_size("chunk-plus", b"+%x" % _N)
_size("chunk-empty-size", b"")
_size("chunk-overlong-zeros", b"0" * 60_000 + b"%x" % _N, b"\r\n", LINKED)
_size("chunk-no-crlf", b"%x" % _N, b"XX")
_row("chunk-truncated", ERROR, head(CHUNKED) + b"%x\r\n" % (_N + 500) + _LINK, LINKED)
_row("chunk-eof-before-last", ERROR, head(CHUNKED) + chunk(_LINK), LINKED)

_row("http09", ERROR, _PAGE.encode())
_row("empty-reply", ERROR, b"")
_row("only-crlf", ERROR, b"\r\n" * 20)
for _status in ("999 Denied", "000 X", "20 OK", "OK", "2000 OK"):
    _row(f"status-{_status.replace(' ', '-')}", ERROR, response(_PAGE, status=_status))
# int() takes these digits too
_row("status-fullwidth", ERROR, "HTTP/1.1 ２００ OK\r\nContent-Type: text/html\r\n\r\n".encode() + _LINK)
_row("no-reason", LINKED, head(_SIZED, status="HTTP/1.1 200") + _LINK, ERROR)
_row("version-9.9", ERROR, head(_SIZED, status="HTTP/9.9 200 OK") + _LINK)
_row("icy", ERROR, head(status="ICY 200 OK") + _LINK)
_row("http2-frames", ERROR, bytes((0, 0, 18, 4, 0, 0, 0, 0, 0)) + b"\0\3\0\0\0\x80" * 3)
_row("ssh-banner", ERROR, b"SSH-2.0-OpenSSH_9.6\r\n")
_row("smtp-banner", ERROR, b"220 mail.internal ESMTP Postfix\r\n")
_row("redis-error", ERROR, b"-ERR wrong number of arguments for 'get' command\r\n")
_row("tls-alert", ERROR, b"\x15\x03\x03\x00\x02\x02\x28")
_row("random-bytes", ERROR, os.urandom(5000).replace(b"\n", b"\0"))

_row("header-no-colon", ERROR, head("garbage line", _SIZED) + _LINK, LINKED)
_row("header-nul", ERROR, head("X-A: a\0b", _SIZED) + _LINK, LINKED)
_row("header-bare-cr", ERROR, head("X-A: a\rContent-Length: 3", _SIZED) + _LINK, LINKED)
_row("header-space-colon", ERROR, head("Content-Length : 3", "X-B: 1") + _LINK, LINKED, NOT_LINKED)
_row("header-obs-fold", ERROR, head("X-A: a\r\n\tContent-Length: 3", _SIZED) + _LINK, LINKED)
_row("header-latin1", LINKED, head("X-A: \xe9\xff", _SIZED) + _LINK)
_row("lf-only", LINKED, (head(_SIZED) + _LINK).replace(b"\r\n", b"\n"), ERROR)
_row("pipelined-garbage", LINKED, head(_SIZED) + _LINK + os.urandom(2000))

_HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_row("100-once", LINKED, _CONTINUE + response(_PAGE))
_row("103-once", LINKED, _HINT + response(_PAGE))
_SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"
_row("101-switch", ERROR, _SWITCH + response(_PAGE))
FAMILY.raw("103-flood-100k", ERROR, lambda visit: _HINT * 100_000 + response(_PAGE), megabytes=0.5)


@FAMILY.case("100-endless", ERROR, megabytes=0.5)
async def _endless(visit: Visit) -> None:
    """CVE-2021-3737 of http.client."""
    await visit.flood(_CONTINUE * 500)


def _reset(name: str, start: bytes, *or_else: str) -> None:
    """A RST after `start`, so that nothing says that this is the end."""

    @FAMILY.case(name, ERROR, or_else=or_else)
    async def handler(visit: Visit) -> None:
        await visit.send(start)
        await visit.pause(0.5)
        visit.reset()


_reset("reset-at-once", b"")
_reset("reset-mid-header", b"HTTP/1.1 200 OK\r\nContent-Ty")
_reset("reset-mid-body", head("Content-Length: 9999") + _LINK, LINKED)
_reset("reset-no-length", head() + b"<p>half", LINKED)
_row("fin-mid-header", ERROR, b"HTTP/1.1 200 OK\r\nContent-Type: text/ht")
