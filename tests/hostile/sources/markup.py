"""Markup and URLs by which a link is hidden, shown, or leads elsewhere than it seems; and hrefs that break parsers."""

from __future__ import annotations

from tests.hostile.sources.family import ANCHOR, LINK, LINKED, NOT_LINKED, TARGET, Family
from tests.hostile.sources.tables import PAGES

hide = Family("hide", seconds=3)
live = Family("live", seconds=3)
url = Family("url", seconds=3)
poison = Family("poison", seconds=3)
FAMILIES = (hide, live, url, poison)


def _with_link(body: str) -> str:
    return body.replace("{link}", ANCHOR)


for _name, _body in PAGES["hidden"]:
    hide.page(_name, NOT_LINKED, _with_link(_body))
for _name, _body in PAGES["unlinked"]:
    hide.page(_name, NOT_LINKED, _body, bare=_name.startswith("eof"))
for _name, _body in PAGES["shown"]:
    live.page(_name, LINKED, _with_link(_body))
for _name, _verdict, _href, _target, _too in PAGES["urls"]:
    _or_else = [_too] if _too else []
    url.page(_name, _verdict, f'<a href="{_href}">x</a>', target=_target or TARGET, or_else=_or_else)
for _name, _verdict, _head, _body in PAGES["bases"]:
    url.page(_name, _verdict, _with_link(_body), head=_head)

# one bad href may not keep the others from being read
_HREFS = {
    "bad-ipv6": "http://[",
    "bad-ipv6b": "http://[::1",
    "bad-port": "http://a:99999/",
    "word-port": "http://a:b/",
    "nfkc": "http://a\u2100.com/",
    "long-label": f"http://{'a' * 70}.test/",
    "empty-label": "http://a..b/",
    "percent": "http://%zz/",
    "nul": "http://a/\0",
    "surrogate-ref": "http://a/&#xD800;",
    "out-of-range-ref": "http://a/&#x110000;",
    "giant-ref": f"http://a/&#{'9' * 5000};",
    "giant-hex-ref": f"http://a/&#x{'f' * 5000};",
    "mailto": "mailto:x",
    "empty": "",
    "only-hash": "#",
    "only-question": "?",
    "colon": ":",
    "dots-10k": "../" * 10_000,
    "percents-100k": f"http://a/{'%' * 100_000}",
    "at-100k": f"http://{'a@' * 100_000}b/",
    "slashes-100k": "/" * 100_000,
    "brackets-100k": f"http://{'[' * 100_000}",
    "digits-host": f"http://{'1' * 100_000}/",
    "dots-host": f"http://{'.' * 100_000}/",
    "idna-100k": f"http://{'ü' * 100_000}/",
}
for _name, _href in _HREFS.items():
    poison.page(_name, LINKED, f'<a href="{_href}">x</a>{LINK}')
