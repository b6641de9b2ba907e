"""Statuses that make a page with a link no source, and what comes with them."""

from __future__ import annotations

from tests.hostile.sources.family import ERROR, GONE, LINK, LINKED, NOT_LINKED, Family

FAMILY = Family("st", seconds=3)

for _status in ("404", "410"):
    FAMILY.page(f"{_status}-with-link", GONE, LINK, status=f"{_status} Some")
for _status in ("300", "304", "400", "403", "418", "451", "500", "502"):
    FAMILY.page(f"{_status}-with-link", ERROR, LINK, status=f"{_status} Some")
for _status in ("204", "205"):
    FAMILY.page(f"{_status}-with-link", ERROR, LINK, status=f"{_status} Some", or_else=[NOT_LINKED])
# we asked for no range, so what a server calls a part is its page (protocols.md D-20)
FAMILY.page("206-with-link", LINKED, LINK, status="206 Partial")

# nobody waits because a source says so
_WAITS = {
    "429-retry-after": ("429 Slow", "99999999"),
    "503-retry-after-date": ("503 Later", "Fri, 31 Dec 9999 23:59:59 GMT"),
    "503-retry-after-bad": ("503 Later", "-1e999"),
}
for _name, (_status, _wait) in _WAITS.items():
    FAMILY.page(_name, ERROR, LINK, status=_status, fields=[f"Retry-After: {_wait}"])

# no credentials, whatever is asked for and whatever a .netrc holds (CVE-2024-47081 of requests)
_CHALLENGES = {
    "basic": 'Basic realm="x"',
    "digest": 'Digest realm="x", nonce="y"',
    "ntlm": "NTLM",
    "negotiate": "Negotiate",
    "bearer": "Bearer",
    "long": f'Basic realm="{"a" * 5000}"',
}
for _name, _challenge in _CHALLENGES.items():
    FAMILY.page(f"401-{_name}", ERROR, LINK, status="401 No", fields=[f"WWW-Authenticate: {_challenge}"])
FAMILY.page("407-proxy", ERROR, LINK, status="407 Proxy", fields=['Proxy-Authenticate: Basic realm="x"'])
