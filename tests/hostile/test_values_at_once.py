"""Pages of JSON and feeds that all arrive at one moment: what a process grows by while it reads them, and after."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from linkback.errors import NoBacklink
from linkback.model import Backlink, Claim
from linkback.ownpages import OwnPages
from linkback.page import Page
from linkback.protocols import BUILTIN
from linkback.receiver import Reading
from linkback.wire import Response
from tests.hostile.sources.family import TARGET
from tests.hostile.sources.valued import BODIES
from tests.hostile.trial import memory, settle

#: looks at one moment, MiB by which the process may grow for all of them, and by which after them
_LOOKS, _MOST, _LEFT = 30, 125.0, 48.0
_SOURCE = "http://s.test/note"


@pytest.mark.parametrize("name", ["json-arrays", "json-near-links", "feed-near-link-attributes"])
def test_thirty_megabytes_that_arrive_at_once_are_read_in_little_memory(name: str) -> None:
    content_type, made = BODIES[name]
    headers = (("Content-Type", content_type),)
    begun = threading.Barrier(_LOOKS)
    before = settle()
    responses = [Response(200, headers, made().encode(), _SOURCE) for _ in range(_LOOKS)]

    def look(response: Response) -> list[Backlink | Exception]:
        begun.wait(60)
        one = Reading(Page(response), OwnPages("http://target.test"), {each.name: each for each in BUILTIN})
        return [each.find(Claim("webmention", _SOURCE, target)) for each, target in asked(one)]

    with ThreadPoolExecutor(_LOOKS) as threads:
        for answers in threads.map(look, responses):
            assert all(isinstance(answer, Backlink | NoBacklink) for answer in answers)
    del responses
    assert memory("VmHWM") - before <= _MOST
    assert settle() - before <= _LEFT


def asked(one: Reading) -> list[tuple[Reading, str]]:
    """A reading and what it is asked: two claims that it answers at once, each for its own page of ours."""
    return [(one, TARGET), (one.anew(), TARGET + "/2")]
