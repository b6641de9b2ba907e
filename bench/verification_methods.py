"""One way to see whether a page links to a target, timed over a corpus: run by `verification.py` and `metadata.py`.

A method takes the bytes of a page and the target. Peers are asked by their own functions, with an answer that was
fetched already. Each linking page is asked about one of its own links to something else than a home page, chosen once
and for all. Ours and the floor go over all pages five times, peers once.
"""

from __future__ import annotations

import argparse
import html
import json
import random
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fetched import answer

URL = "https://source.example/post/"
ABSENT = "https://target.example/2024/05/a-page-that-nobody-links-to"
HEADERS = {"Content-Type": "text/html; charset=utf-8"}
Method = Callable[[bytes, str], object]
#: methods of peers, and the environments that they need
PEERS = {
    "webmention-tools": "webmention-tools",
    "webmentions": "webmentions",
    "webmentions, all it receives": "webmentions",
    "indieweb-utils": "indieweb-utils",
}
_LINK = re.compile(rb'<a\s[^>]*?href="(https?://[^"<>\s/]+/[^"<>\s]{4,})"')
_RUN = re.compile(r"[A-Za-z0-9_-]{3,}")
_PASSES = 5


def linkback() -> Method:
    """The backlink and its evidence."""
    from linkback import validator
    from linkback.errors import NoBacklink
    from linkback.page import Page
    from linkback.wire import Response

    def ask(body: bytes, target: str) -> object:
        try:
            return validator.find(Page(Response(200, tuple(HEADERS.items()), body, URL)), target)
        except NoBacklink:
            return None

    return ask


def whole() -> Method:
    """linkback's answers by one pass over every whole page: what its short cuts must not change."""
    from functools import partial

    from linkback import urls, validator
    from linkback.errors import NoBacklink
    from linkback.page import Page
    from linkback.wire import Response

    def ask(body: bytes, target: str) -> object:
        page = Page(Response(200, tuple(HEADERS.items()), body, URL))
        try:
            return validator.find(page, target, matches=partial(urls.satisfies, target=target))
        except NoBacklink:
            return None

    return ask


def described() -> Method:
    """The backlink with all that its page says of itself."""
    from linkback import find_backlink
    from linkback.errors import NoBacklink

    def ask(body: bytes, target: str) -> object:
        try:
            return find_backlink(URL, target, HEADERS, body)
        except NoBacklink:
            return None

    return ask


def floor() -> Method:
    """The least that is proof: the longest word of the target's path, and references that may spell one."""
    spelt = re.compile(
        rb"&#(?:0*(?:6[5-9]|[78]\d|90|9[7-9]|1[01]\d|12[0-2])(?!\d)|[xX]0*[4-7][0-9a-fA-F](?![0-9a-fA-F]))"
    )

    def search(body: bytes, target: str) -> object:
        words = _RUN.findall(re.sub(r"^\w+://[^/]*", "", target)) or [target]
        if max(words, key=len).lower().encode() in body.lower():
            return True
        return True if b"&#" in body and spelt.search(body) else None

    return search


def webmention_tools() -> Method:
    import types

    import webmentiontools.urlinfo as reading

    answers: list[Any] = []
    reading.requests = types.SimpleNamespace(get=lambda *_, **__: answers[-1])

    def ask(body: bytes, target: str) -> object:
        answers[:] = [answer(URL, HEADERS, body)]
        return reading.UrlInfo(URL).linksTo(target) or None

    return ask


def webmentions() -> Method:
    from webmentions.handlers._parser import WebmentionsRequestParser

    links = WebmentionsRequestParser._source_mentions_target
    return lambda body, target: links(answer(URL, HEADERS, body).text, target) or None


def webmentions_receive() -> Method:
    import webmentions.handlers._parser as parsing

    answers: list[Any] = []
    parsing.fetch_guarded = lambda *_, **__: answers[-1]

    def ask(body: bytes, target: str) -> object:
        answers[:] = [answer(URL, HEADERS, body)]
        try:
            return parsing.WebmentionsRequestParser().parse(URL, target)
        except Exception:  # noqa: BLE001 -- what it raises where there is no link is its own
            return None

    return ask


def indieweb_utils() -> Method:
    from indieweb_utils.webmentions.validate import _check_for_link_to_target

    return lambda body, target: _check_for_link_to_target(answer(URL, HEADERS, body), target) or None


METHODS: dict[str, Callable[[], Method]] = {
    "linkback": linkback,
    "whole pages": whole,
    "linkback, described": described,
    "floor": floor,
    "webmention-tools": webmention_tools,
    "webmentions": webmentions,
    "webmentions, all it receives": webmentions_receive,
    "indieweb-utils": indieweb_utils,
}


def questions(folder: Path, *, linking: bool) -> list[tuple[bytes, str]]:
    """The pages, each with the target that it is asked about: one of its own links, or one that no page has."""
    chance = random.Random(3)
    asked: list[tuple[bytes, str]] = []
    for path in sorted(folder.glob("*.html")):
        body = path.read_bytes()
        links = [html.unescape(link.decode()) for link in _LINK.findall(body) if link.isascii()]
        if linking and links:
            asked.append((body, chance.choice(links)))
        elif not linking:
            asked.append((body, ABSENT))
    return asked


def main() -> None:
    """Time the method of the command line over the pages of a folder, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--linking", action="store_true", help="ask about links that the pages have")
    given = parser.parse_args()
    ask = METHODS[given.method]()
    asked = questions(given.folder, linking=given.linking)
    ask(*asked[0])
    times = []
    for _ in range(1 if given.method in PEERS else _PASSES):
        begun = time.process_time()
        answers = [ask(body, target) for body, target in asked]
        times.append((time.process_time() - begun) / len(asked) * 1000)
    found = sum(answer is not None for answer in answers)
    figure: dict[str, object] = {"pages": len(asked), "found": found, "ms_a_page": statistics.median(times)}
    if given.method == "linkback":
        by_whole = whole()
        same = sum(answer == by_whole(*each) for answer, each in zip(answers, asked, strict=True))
        figure["same_answers"] = same / len(asked)
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
