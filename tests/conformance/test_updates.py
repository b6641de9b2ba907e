"""A mention follows its source: edited, unlinked, gone and back, with both sides over real HTTP.

Rule: what is held is what a sender and a reader see from outside: the status page of a webmention, and the list of a
page's mentions.
"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
import xmlrpc.client
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from linkback import Fetcher, Policy, Site
from linkback.jobs import External
from linkback.policy import Retry
from tests.conformance import rawserver
from tests.conformance.rawserver import Answer, Web, answer, page, redirect
from tests.serving import LOOPBACK, served

T = "https://t.example/post"
LINK = f"<a href='{T}'>x</a>"
FIRST = page(f"<title>First</title>{LINK}".encode())
SECOND = page(f"<title>Second</title>{LINK}".encode())
UNLINKED = page(b"<title>First</title><p>nothing</p>")
GONE_BY_MARKUP = page(f'<title>First</title><meta http-equiv="status" content="410 Gone">{LINK}'.encode())

SHOWN, CHANGED, NONE = ["First"], ["Second"], list[str]()
#: what the source answers, what the sender is told, and the titles that a reader sees
Step = tuple[Answer, dict[str, str], list[str]]
NEW: Step = (FIRST, {"status": "success"}, SHOWN)
GONE: Step = (answer(410), {"status": "deleted", "reason": "source_not_found"}, NONE)


@dataclass(frozen=True)
class Receiver:
    """A site on loopback that takes mentions of T, and the blog that its one source stands on."""

    site: Site
    url: str
    blog: Web

    @property
    def source(self) -> str:
        return f"{self.blog.url}/note"

    def announce(self, given: Answer) -> dict[str, str]:
        """The source answers so from now on, and says so by webmention: what its sender learns of it in the end."""
        self.blog.answers["/note"] = given
        form = urllib.parse.urlencode({"source": self.source, "target": T}).encode()
        with urllib.request.urlopen(f"{self.url}/webmention", form) as response:
            assert response.status == 201
            status_url = response.headers["Location"]
        self.site.drain()
        told: dict[str, str] = read(status_url)
        assert (told.pop("source"), told.pop("target")) == (self.source, T)
        return told

    def titles(self) -> list[str]:
        """The mentions that are shown."""
        listed = read(f"{self.url}/mentions?{urllib.parse.urlencode({'target': T})}")
        return [mention["title"] for mention in listed["mentions"]]


def read(url: str) -> Any:
    with urllib.request.urlopen(url) as response:
        return json.load(response)


@pytest.fixture(scope="module")
def blog() -> Iterator[Web]:
    with rawserver.web({}) as found:
        yield found


@pytest.fixture
def receiver(blog: Web) -> Iterator[Receiver]:
    blog.answers.clear()
    blog.seen.clear()
    site = Site(
        "https://t.example",
        store="sqlite://",
        fetch=Fetcher(allow=LOOPBACK),
        policy=Policy(pair_seconds=0, settle_seconds=0, second_look_seconds=0),
        retry=Retry(delays=()),
        runner=External(),
    )
    with site, served(site.wsgi()) as url:
        yield Receiver(site, url, blog)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([NEW, (SECOND, {"status": "updated"}, CHANGED)], id="VD-69 edited"),
        pytest.param([NEW, (FIRST, {"status": "unchanged"}, SHOWN)], id="VC-78 D-40 as it was"),
        pytest.param(
            [NEW, (UNLINKED, {"status": "deleted", "reason": "no_link_found"}, NONE)], id="VD-63 D-41 unlinked"
        ),
        pytest.param([NEW, GONE], id="VD-62 D-41 gone"),
        pytest.param([NEW, (GONE_BY_MARKUP, *GONE[1:])], id="VD-64 D-26 gone by its markup"),
        pytest.param([NEW, (redirect("/moved"), *GONE[1:])], id="D-22 D-42 moved to nowhere"),
        pytest.param([NEW, (answer(404), *GONE[1:])], id="VD-65 D-42 not found"),
        pytest.param([NEW, GONE, NEW], id="VD-68 D-45 back"),
        pytest.param([NEW, GONE, (SECOND, {"status": "success"}, CHANGED), GONE], id="D-45 back with edits, and gone"),
        pytest.param(
            [(answer(410), {"status": "failed", "reason": "source_not_found"}, NONE)], id="VD-67 D-44 never there"
        ),
        *(
            pytest.param([NEW, (given, {"status": "failed", "reason": reason}, SHOWN)], id=f"VD-66 D-43 {id}")
            for id, given, reason in (
                ("500", answer(500), "source_not_found"),
                ("403", answer(403), "source_not_found"),
                ("to a private place", redirect("http://10.0.0.1/"), "source_not_found"),
                ("cut in the middle", rawserver.HTML + b"Content-Length: 100\r\n\r\nshort", "source_not_found"),
                ("too long", page(b"x" * 2_097_152), "no_link_found"),
            )
        ),
    ],
)
def test_a_mention_follows_its_source(receiver: Receiver, steps: list[Step]) -> None:
    for given, told, titles in steps:
        assert receiver.announce(given) == told
        assert receiver.titles() == titles


def test_a_page_that_keeps_its_url_moves_its_mention(receiver: Receiver) -> None:
    """VD-69, D-40: what is new is read where the source went; it stays one mention, under the name it was given."""
    receiver.announce(FIRST)
    receiver.blog.answers["/moved"] = SECOND
    assert receiver.announce(redirect("/moved", 308)) == {"status": "updated"}
    [mention] = receiver.site.mentions(T)
    assert (mention.source, mention.final_url) == (receiver.source, f"{receiver.blog.url}/moved")


def test_a_repeated_pingback_is_answered_48_and_changes_nothing(receiver: Receiver) -> None:
    """VD-74, D-46: the source is not even looked at."""
    receiver.blog.answers["/note"] = FIRST
    with xmlrpc.client.ServerProxy(f"{receiver.url}/pingback") as server:
        server.pingback.ping(receiver.source, T)
        receiver.site.drain()
        looked = len(receiver.blog.seen)
        receiver.blog.answers["/note"] = UNLINKED
        with pytest.raises(xmlrpc.client.Fault) as caught:
            server.pingback.ping(receiver.source, T)
    receiver.site.drain()
    assert caught.value.faultCode == 48
    assert (receiver.titles(), len(receiver.blog.seen)) == (SHOWN, looked)
