"""Redirects: too many, too long, with bodies, and to places that nobody may go."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile.sources.family import (
    CANARY,
    ERROR,
    GONE,
    HOST,
    LINKED,
    MB,
    NOT_LINKED,
    TARGET,
    Family,
    Visit,
    head,
    moving,
)
from tests.hostile.sources.tables import PAGES

FAMILY = Family("rd", seconds=4, megabytes=0.2)

for _status in (301, 302, 303, 307, 308):
    FAMILY.redirect(str(_status), LINKED, "/ok/plain", status=f"{_status} Moved")


def _listening(listener: str, scheme: str = "http") -> Callable[[Visit], str]:
    return lambda visit: f"{scheme}://{HOST}:{visit.ports[listener]}/ok/plain"


FAMILY.redirect("absolute", LINKED, _listening("http"))
FAMILY.redirect("relative-dots", LINKED, "../rd/../ok/./plain")
FAMILY.redirect("fragment", LINKED, "/ok/plain#frag")
FAMILY.redirect("utf8-location", LINKED, "/ok/plain?é", or_else=[ERROR])
FAMILY.redirect("space-location", LINKED, "/ok/plain?a b", or_else=[ERROR])

for _hop in range(1, 6):
    FAMILY.redirect(f"five/{_hop}", LINKED, f"/rd/five/{_hop + 1}" if _hop < 5 else "/ok/plain")
FAMILY.redirect("many/1", ERROR, "/rd/many/2")


def _onward(hop: int) -> None:
    @FAMILY.step(f"many/{hop}")
    async def handler(visit: Visit) -> None:
        await visit.send(moving(f"/rd/many/{hop + 1}" if hop < 25 else "/ok/plain")(visit))


for _hop in range(2, 26):
    _onward(_hop)

FAMILY.redirect("self", ERROR, "/rd/self")
FAMILY.redirect("ping", ERROR, "/rd/pong")
FAMILY.redirect("pong", ERROR, "/rd/ping")
FAMILY.redirect("empty", ERROR, "")
FAMILY.redirect("none", ERROR, None)
# each hop is a new and longer URL, so only a count ends it
FAMILY.redirect("growing", ERROR, lambda visit: f"/rd/growing?{visit.query}{'x' * 1000}", megabytes=0.5)
FAMILY.redirect("two-locations", ERROR, "/ok/plain", fields=["Location: /no/none"], or_else=[LINKED, NOT_LINKED])
# what is escaped stays escaped in the next request, which is for a page that there is not
FAMILY.redirect("crlf", GONE, "/ok/plain%0d%0aX: y", or_else=[ERROR])
FAMILY.redirect("location-1MB", ERROR, "/ok/plain?" + "a" * MB, megabytes=0.3, seconds=12)
FAMILY.redirect("location-9kB", ERROR, "/ok/plain?" + "a" * 9000, or_else=[LINKED], seconds=12)

# only a status and a Location lead on
FAMILY.redirect("refresh-header", ERROR, None, fields=["Refresh: 0; url=/ok/plain"])
FAMILY.page("refresh-header-200", NOT_LINKED, "<p>x</p>", fields=[f"Refresh: 0; url={TARGET}"])
_REFRESH = f'<meta http-equiv="refresh" content="0; url={TARGET}">'
FAMILY.page("meta-refresh", NOT_LINKED, "<p>x</p>", head=_REFRESH)
FAMILY.page("js-location", NOT_LINKED, f"<script>location='{TARGET}'</script>")

for _name, _location in PAGES["places"]:
    FAMILY.redirect(f"to/{_name}", ERROR, _location, seconds=5)


def _spelt(netloc: str) -> Callable[[Visit], str]:
    return lambda visit: f"http://{netloc.replace('{port}', str(visit.ports['canary']))}/"


for _name, _netloc in PAGES["spellings"]:
    FAMILY.redirect(f"canary/{_name}", ERROR, _spelt(_netloc), seconds=5)
for _status in (301, 303, 307, 308):
    FAMILY.redirect(f"canary-{_status}", ERROR, lambda visit: f"http://{visit.canary}/", status=f"{_status} Moved")
FAMILY.redirect("protocol-relative-canary", ERROR, lambda visit: f"//{visit.canary}/", seconds=5)
FAMILY.redirect("two-step-canary", ERROR, "/rd/canary/plain", seconds=5)
FAMILY.redirect("https-canary", ERROR, lambda visit: f"https://{visit.canary}/", seconds=5)
FAMILY.redirect(
    "canary-by-http-port", ERROR, lambda visit: f"http://{CANARY}:{visit.ports['http']}/ok/plain", seconds=5
)
FAMILY.redirect("to-tls-self-signed", ERROR, _listening("tls", "https"), seconds=5)
FAMILY.redirect("to-closed", ERROR, _listening("closed"), seconds=5)
FAMILY.redirect("to-silent", ERROR, _listening("silent"), seconds=12, slow=True)
# no credentials go out, so there is none to follow
FAMILY.redirect(
    "userinfo-same-host",
    ERROR,
    lambda visit: f"http://user:secret@{HOST}:{visit.ports['http']}/priv/clean",
    or_else=[LINKED],
)
# leading to the target proves nothing
FAMILY.redirect("target-itself", ERROR, TARGET, seconds=5)


@FAMILY.case("endless-body", LINKED, megabytes=0.5)
async def _endless(visit: Visit) -> None:
    """The body of a redirect is not read."""
    await visit.send(head("Location: /ok/plain", status="HTTP/1.1 302 Found"))
    await visit.flood(b"x" * 65_536)


@FAMILY.case("slow-body", LINKED, megabytes=0.5)
async def _slow(visit: Visit) -> None:
    await visit.send(head("Location: /ok/plain", "Content-Length: 999", status="HTTP/1.1 302 Found"))
    await visit.drip(b"x" * 30)
