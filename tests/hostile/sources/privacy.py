"""What must not go out: nothing of ours with a request, and no request for what a page names."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile.sources.family import LINK, LINKED, Family, Visit
from tests.hostile.sources.tables import PAGES

FAMILY = Family("priv", seconds=3)

#: header fields that would tell of us, or of whom we read before
TELLING = frozenset({"cookie", "authorization", "proxy-authorization", "referer", "from", "origin", "accept-language"})


def _clean(visit: Visit) -> str:
    """A link, but only for who tells nothing."""
    told = sorted(TELLING.intersection(visit.headers))
    return f"<p>you sent {', '.join(told)}</p>" if told else LINK


FAMILY.page("clean", LINKED, _clean)
_COOKIES = ("Set-Cookie: track=1; Path=/", "Set-Cookie: s=%0d%0aX: y; Domain=127.0.0.10")
FAMILY.redirect("after-set-cookie", LINKED, "/priv/clean", fields=_COOKIES, seconds=4, megabytes=0.2)
_CHALLENGE = ('WWW-Authenticate: Basic realm="x"',)
FAMILY.redirect("after-challenge", LINKED, "/priv/clean", status="307 X", fields=_CHALLENGE, seconds=4, megabytes=0.2)


def _naming(body: str) -> Callable[[Visit], str]:
    return lambda visit: body.replace("{canary}", visit.canary) + LINK


# CVE-2026-0686 of a webmention plugin: it fetched rel=author
for _name, _body in PAGES["subresources"]:
    FAMILY.page(f"sub-{_name}", LINKED, _naming(_body))
