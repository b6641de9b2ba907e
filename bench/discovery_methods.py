"""One method of finding a page's endpoints, timed over a corpus: run by `discovery.py`, in the environment it needs.

A method takes the bytes of a page. Peers are asked by their own functions, with an answer that was fetched already.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fetched import answer

URL = "https://blog.example/post/"
HEADERS = {"Content-Type": "text/html"}
#: over the whole corpus, in one process; a peer's single one takes seconds
_PASSES = 5
Method = Callable[[bytes], object]
#: methods of peers, and the environments that they need
PEERS = {"indieweb-utils": "indieweb-utils", "webmentions": "webmentions", "webmention-tools": "webmention-tools"}


def linkback() -> Method:
    from linkback import find_endpoints

    return lambda body: sorted(find_endpoints(URL, HEADERS, body).found)


def whole() -> Method:
    """linkback's answers by one pass over every whole page: what its short cuts must not change."""
    from linkback.discovery import find
    from linkback.page import Page
    from linkback.protocols import BUILTIN
    from linkback.wire import Response

    class Whole(Page):
        def lacks(self, *words: str) -> bool:
            return False

    def ask(body: bytes) -> object:
        page = Whole(Response(200, tuple(HEADERS.items()), body, URL))
        assert page.document is not None
        return sorted(find(page, {protocol.name: protocol.signpost for protocol in BUILTIN}).found)

    return ask


def floor() -> Method:
    """The least that is proof: three words, and references that may spell one."""
    spelt = re.compile(
        rb"&#(?:0*(?:6[5-9]|[78]\d|9[07-9]|1[01]\d|12[0-2])(?!\d)|[xX]0*[4-7][0-9a-fA-F](?![0-9a-fA-F]))"
    )

    def search(body: bytes) -> bool:
        lowered = body.lower()
        if b"pingback" in lowered or b"webmention" in lowered or b"trackback" in lowered:
            return True
        return b"&#" in body and spelt.search(body) is not None

    return search


def indieweb_utils() -> Method:
    from indieweb_utils.webmentions.discovery import discover_endpoints

    return lambda body: discover_endpoints(URL, ["webmention", "pingback"], request=answer(URL, HEADERS, body))


def webmentions() -> Method:
    import webmentions.handlers._outgoing as outgoing

    answers: list[Any] = []
    outgoing.fetch_guarded = lambda *_, **__: answers[-1]
    sender = outgoing.OutgoingWebmentionsProcessor(storage=None)

    def ask(body: bytes) -> object:
        answers[:] = [answer(URL, HEADERS, body)]
        return sender._discover_webmention_endpoint(URL)

    return ask


def webmention_tools() -> Method:
    import types

    import webmentiontools.send as sending

    answers: list[Any] = []
    sending.requests = types.SimpleNamespace(get=lambda *_, **__: answers[-1])

    def ask(body: bytes) -> object:
        answers[:] = [answer(URL, HEADERS, body)]
        sender = sending.WebmentionSend(URL, URL)
        sender.error, sender.requests_kwargs = None, {}
        sender._discoverEndpoint()
        return sender.receiver_endpoint

    return ask


METHODS: dict[str, Callable[[], Method]] = {
    "linkback": linkback,
    "whole pages": whole,
    "floor": floor,
    "indieweb-utils": indieweb_utils,
    "webmentions": webmentions,
    "webmention-tools": webmention_tools,
}


def main() -> None:
    """Time the method of the command line over the pages of a folder, and print one line."""
    ask = METHODS[sys.argv[1]]()
    pages = [path.read_bytes() for path in sorted(Path(sys.argv[2]).glob("*.html"))]
    ask(pages[0])
    times = []
    for _ in range(1 if sys.argv[1] in PEERS else _PASSES):
        begun = time.process_time()
        answers = [ask(page) for page in pages]
        times.append((time.process_time() - begun) / len(pages) * 1000)
    figure: dict[str, float] = {"pages": len(pages), "ms_a_page": statistics.median(times)}
    if sys.argv[1] == "linkback":
        same = [answer == other for answer, other in zip(answers, map(whole(), pages), strict=True)]
        figure["same_answers"] = sum(same) / len(same)
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
