"""What linkback sends, a site that runs the package `webmentions` receives, over real sockets.

Skipped where the peer's environment is not there (environments.py).
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

import linkback
from linkback.fetch import Fetcher
from linkback.model import Outcome
from tests.interop.environments import Environment, surroundings
from tests.interop.ours import Sources, send
from tests.serving import LOOPBACK, eventually

pytestmark = pytest.mark.interop

SCRIPT = Path(__file__).parent / "receivers" / "webmentions_app.py"
PATIENCE_SECONDS = 20
#: exit codes of the command line
DONE, NO, TEMPORARY = 0, 1, 4


@dataclass(frozen=True)
class Receiver:
    """A site of theirs that listens."""

    url: str
    fetch: Fetcher

    def post(self) -> str:
        """A post that nobody has linked to yet."""
        return f"{self.url}/posts/{uuid4().hex}"

    def stored(self, post: str) -> list[dict[str, Any]]:
        """What it keeps for a post, as it tells itself."""
        listing = self.fetch.get(f"{self.url}/webmentions?resource={quote(post, safe='')}&direction=in")
        assert listing.status == 200
        kept: list[dict[str, Any]] = json.loads(listing.body)
        return kept


@contextlib.contextmanager
def listening(peer: Environment, folder: Path, *options: str) -> Iterator[Receiver]:
    """The peer, in a process of its own."""
    log = folder / "log"
    with log.open("w") as output:
        command = [*peer.command(SCRIPT), *options]
        process = subprocess.Popen(command, cwd=folder, env=surroundings(), stdout=output, stderr=output)
        try:
            [url] = eventually(lambda: re.findall(r"listening on (\S+)", log.read_text()))
            yield Receiver(url, Fetcher(allow=LOOPBACK))
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def receiver(environment: Callable[[str], Environment], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """One that reads our sources although they are on loopback."""
    with listening(environment("webmentions"), tmp_path_factory.mktemp("receiver"), "open") as peer:
        yield peer


def linking_to(post: str, date: str = "2026-03-01T10:00:00+00:00") -> str:
    """A post of ours that links to one of theirs."""
    return (
        f'<article class="h-entry"><h1 class="p-name">Bäume</h1><time class="dt-published">{date}</time>'
        f'<p class="e-content">A reply to <a class="u-in-reply-to" href="{post}">them</a>.</p></article>'
    )


def test_a_webmention_of_ours_is_stored(receiver: Receiver, sources: Sources) -> None:
    post = receiver.post()
    source = sources.add("Bäume", linking_to(post))
    code, [delivery] = send(source, post)
    assert (code, delivery["outcome"], delivery["protocol"]) == (DONE, "sent", "webmention")
    assert delivery["endpoint"] == f"{receiver.url}/webmentions"
    [kept] = receiver.stored(post)
    assert (kept["source"], kept["target"], kept["title"]) == (source, post, "Bäume")


def test_a_webmention_from_a_script_is_stored(receiver: Receiver, sources: Sources) -> None:
    post = receiver.post()
    source = sources.add("From a script", linking_to(post))
    delivery = linkback.send(source, post, fetch=receiver.fetch)
    assert (delivery.outcome, delivery.protocol) == (Outcome.SENT, "webmention")
    assert [kept["source"] for kept in receiver.stored(post)] == [source]


def test_a_webmention_that_is_sent_again_is_stored_once(receiver: Receiver, sources: Sources) -> None:
    post = receiver.post()
    source = sources.add("Twice", linking_to(post))
    assert [send(source, post)[0] for _ in range(2)] == [DONE, DONE]
    assert [kept["source"] for kept in receiver.stored(post)] == [source]


def test_a_source_without_the_link_is_not_stored(receiver: Receiver, sources: Sources) -> None:
    """It is answered with a yes all the same: to this peer it is word of a link that was taken out."""
    post = receiver.post()
    code, [delivery] = send(sources.add("No link", "<p>Only words.</p>"), post)
    assert (code, delivery["outcome"], delivery["code"]) == (DONE, "sent", 200)
    assert receiver.stored(post) == []


def test_a_link_that_was_taken_out_is_forgotten(receiver: Receiver, sources: Sources) -> None:
    post = receiver.post()
    source = sources.add("Changed", linking_to(post))
    send(source, post)
    assert [kept["source"] for kept in receiver.stored(post)] == [source]
    sources.bodies[source.removeprefix(sources.url)] = "<p>Only words.</p>"
    code, _ = send(source, post)
    assert (code, receiver.stored(post)) == (DONE, [])


def test_a_source_that_it_may_not_read_is_refused(
    environment: Callable[[str], Environment], sources: Sources, tmp_path: Path
) -> None:
    """Unasked it reads no source on loopback."""
    with listening(environment("webmentions"), tmp_path) as guarded:
        post = guarded.post()
        code, [delivery] = send(sources.add("Private", linking_to(post)), post)
        assert (code, delivery["outcome"], delivery["code"]) == (NO, "refused", 400)
        assert guarded.stored(post) == []


def test_a_webmention_that_breaks_it_may_be_tried_again(receiver: Receiver, sources: Sources) -> None:
    """Its table wants a date, and a post without one ends in a 500."""
    post = receiver.post()
    code, [delivery] = send(sources.add("No date", linking_to(post, "")), post)
    assert (code, delivery["outcome"], delivery["code"]) == (TEMPORARY, "failed", 500)
    assert receiver.stored(post) == []
