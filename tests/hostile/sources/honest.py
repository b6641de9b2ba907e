"""Sources that may not be refused, and those that simply do not link: the controls."""

from __future__ import annotations

import gzip

from tests.hostile.sources.family import (
    CHUNKED,
    ERROR,
    LINK,
    LINKED,
    NOT_LINKED,
    TARGET,
    TRUNCATED,
    Family,
    Visit,
    chunk,
    document,
    head,
    response,
)

ok = Family("ok", seconds=2)
no = Family("no", seconds=2)
FAMILIES = (ok, no)

_PAGE = document(LINK).encode()
_LINK = LINK.encode()

ok.page("plain", LINKED, LINK)
ok.page("single-quotes", LINKED, f"<a href='{TARGET}'>x</a>")
ok.page("unquoted", LINKED, f"<a href={TARGET}>x</a>")
ok.page("upper-tags", LINKED, f'<A CLASS=x HREF = "{TARGET}">x</A>')
ok.page("nofollow-ugc", LINKED, f'<a rel="nofollow ugc" href="{TARGET}">x</a>')
# Webmention 3.2.2 names both
ok.page("img-src", LINKED, f'<img src="{TARGET}">')
ok.page("video-src", LINKED, f'<video src="{TARGET}"></video>')
ok.page("link-at-900kB", LINKED, "x" * 900_000 + LINK, seconds=5)


def _many(number: int) -> str:
    return "".join(f'<a href="http://e.test/{each}">x</a>' for each in range(number)) + LINK


ok.page("18k-links", LINKED, _many(18_000), seconds=5)
# a page ends after 20,000 elements that can link (architecture.md), and says that it was not read to its end
ok.page("25k-links", TRUNCATED, _many(25_000), seconds=5)
ok.raw("http10-close", LINKED, b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + _PAGE)
ok.raw("chunked", LINKED, head(CHUNKED) + chunk(b"<p>a</p>") + chunk(_LINK) + b"0\r\n\r\n")
_THREES = b"".join(chunk(_LINK[start : start + 3]) for start in range(0, len(_LINK), 3))
ok.raw("chunked-split-link", LINKED, head(CHUNKED) + _THREES + b"0\r\n\r\n")
ok.raw("gzip", LINKED, response(gzip.compress(_PAGE), fields=["Content-Encoding: gzip"]))

no.page("none", NOT_LINKED, "<p>nothing here</p>")
# as text in HTML a URL is no hyperlink
no.page("text-only", NOT_LINKED, f"<p>see {TARGET}</p>")


@ok.case("head-refused", LINKED, seconds=3)
async def _head_refused(visit: Visit) -> None:
    await visit.send(response(status="405 Method Not Allowed") if visit.method == "HEAD" else response(_PAGE))


@ok.case("keepalive-never-closed", LINKED, seconds=3)
async def _keepalive(visit: Visit) -> None:
    """Whole by its length, so nobody need wait for the end of the connection."""
    await visit.send(head(f"Content-Length: {len(_LINK)}", "Connection: keep-alive") + _LINK)
    await visit.hold()


@ok.case("3s-page", LINKED, seconds=6)
async def _three_seconds(visit: Visit) -> None:
    """Slow but honest, and within the deadline."""
    page = response(_PAGE)
    await visit.drip(page, seconds=0.3, step=len(page) // 9)


@ok.case("reset-after-whole-answer", LINKED, or_else=[ERROR])
async def _reset_after(visit: Visit) -> None:
    """As servers do that close with unread bytes left."""
    await visit.send(head(f"Content-Length: {len(_LINK)}") + _LINK)
    await visit.pause(0.5)
    visit.reset()
