"""One way of reading one hostile page, measured in this process: run by `hostile.py`, in the environment it needs.

Rule 1: what is imported, and what an ordinary page has made, is not counted; the page itself was made elsewhere.
Rule 2: whoever needs more than `LIMIT_SECONDS` of CPU is stopped.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from discovery_methods import METHODS, URL

TARGET = "https://bob.example/2024/05/two-pages-that-link"
LIMIT_SECONDS = 5
_ORDINARY = b'<html><head><title>A</title></head><body class=h-entry><p>b <a href="%s">c</a> d</p></body></html>'
Ask = Callable[[bytes], object]


def _page(body: bytes) -> object:
    from linkback.page import Page
    from linkback.wire import Response

    return Page(Response(200, (("Content-Type", "text/html"),), body, URL))


def discover(body: bytes) -> object:
    """Where the page listens."""
    return METHODS["linkback"]()(body)


def verify(body: bytes, *, target: str = TARGET) -> object:
    """The link to the target, without what the page says of itself."""
    from linkback import validator

    return validator.find(_page(body), target, source=URL)


def receive(body: bytes) -> object:
    """The link with all that the page says of itself."""
    from linkback import receiver

    return receiver.find_backlink(_page(body), URL, TARGET)


#: ways of ours; the last of the link's needles is on the page, but in no link
OURS: dict[str, Ask] = {
    "discovery": discover,
    "link there": verify,
    "link absent": functools.partial(verify, target="https://bob.example/pingback-webmention"),
    "with metadata": receive,
}


def memory(name: str) -> int:
    """Kilobytes that the kernel counts for this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def main() -> None:
    """Read the page of the command line in its way, and print one line."""
    way, body = sys.argv[1], Path(sys.argv[2]).read_bytes()
    ask = OURS[way] if way in OURS else METHODS[way]()
    with contextlib.suppress(Exception):
        ask(_ORDINARY % TARGET.encode())
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    before, begun = memory("VmRSS"), time.process_time()
    resource.setrlimit(resource.RLIMIT_CPU, (int(begun) + LIMIT_SECONDS, int(begun) + LIMIT_SECONDS + 1))
    # not linked is an answer too, and peers have their own ways to give up
    with contextlib.suppress(Exception):
        ask(body)
    taken = time.process_time() - begun
    grown = memory("VmHWM") - before
    print(json.dumps({"ms": taken * 1000, "mb": grown / 1024}))


if __name__ == "__main__":
    main()
