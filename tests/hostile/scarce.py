"""A page that is looked through with less and less room: a child for each limit, as memory that ended is not had again.

`python -m tests.hostile.scarce LOOK KIB ...` prints what each look came to, with so many KiB more than the process has.
A look is for a "link" to the target, as in a source, or for the "post" and its links, as in a page of one's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from linkback import content, validator
from linkback.errors import NoBacklink, Reason
from linkback.page import Page
from linkback.wire import Response

SOURCE, TARGET = "https://s.example/", "https://t.example/post"
LINK = f"<a href='{TARGET}'>it</a>"
#: what a look comes to, by the exit code of its process
WORDS = ("found", "no memory", "no link", "broken")


def page(body: str) -> Page:
    """A page of HTML."""
    return Page(Response(200, (("Content-Type", "text/html"),), body.encode(), SOURCE))


def vast() -> str:
    """A link at the end of a vast post, of as many elements as a tree is built of, and one in the frame around it."""
    cards = (f"<div class='p-x{n} u-y{n} h-card'><a class=u-url href=/{n}>{'w' * 160}</a></div>" for n in range(4_000))
    return f"<article class=h-entry>{''.join(cards)}{LINK}</article><footer><a href=/frame>elsewhere</a></footer>"


def linked(page: Page) -> None:
    """Look for the link; raises `NoBacklink`."""
    validator.find(page, TARGET, source=SOURCE)


def owned(page: Page) -> None:
    """Look for the link among those of the post, which those of its frame are none of."""
    links = {link.url for link in content.links(page)}
    if TARGET not in links:
        raise NoBacklink(Reason.NO_BACKLINK, "")
    assert f"{SOURCE}frame" not in links


LOOKS = {"link": linked, "post": owned}


def look(see: Callable[[Page], None], body: str, kib: int) -> int:
    """Look for the link in a page with no more room than that."""
    # not every system has it
    import resource

    found = page(body)
    size = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmSize" in line)
    resource.setrlimit(resource.RLIMIT_AS, (int(size) * 1024 + kib * 1024, resource.RLIM_INFINITY))
    try:
        see(found)
    except MemoryError:
        return 1
    except NoBacklink:
        return 2
    except Exception:  # noqa: BLE001 -- any other is what is looked for
        return 3
    return 0


def main(see: Callable[[Page], None], limits: list[int]) -> None:
    """Look once for each limit."""
    # what is imported late is imported now
    see(page(f"<article class=h-entry>{LINK}</article>"))
    body = vast()
    for kib in limits:
        child = os.fork()
        if child == 0:
            os._exit(look(see, body, kib))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(kib, WORDS[code] if 0 <= code < len(WORDS) else f"killed by {-code}", flush=True)


if __name__ == "__main__":
    main(LOOKS[sys.argv[1]], [int(each) for each in sys.argv[2:]])
