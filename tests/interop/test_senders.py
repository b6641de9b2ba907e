"""What other people's senders send, `linkback serve` receives: their programs, our command line, real sockets.

The post and the page that it links to are at two hosts, 127.0.0.1 and localhost, as some leave links within one host
alone. Skipped where a peer's environment is not there (environments.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from linkback import urls
from linkback.errors import Reason
from linkback.model import ClaimState
from linkback.ownpages import OwnPages
from linkback.protocols import BUILTIN, advertise_elements, advertise_headers, advertise_markup
from linkback.store import ClaimRecord, Storage, open_store
from linkback.wire import Headers
from tests.interop.environments import Environment
from tests.interop.ours import run, serve
from tests.serving import eventually, served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

pytestmark = pytest.mark.interop

TITLE = "Bäume & „Wörter“"


@dataclass(frozen=True)
class Case:
    """A peer, what it speaks, the page of ours that it finds that at, and what it says of an answer that is a yes."""

    environment: str
    script: str
    protocol: str
    page: str
    said: str
    title: str = TITLE

    @property
    def id(self) -> str:
        return f"{self.environment}, {self.protocol}, by {self.page.rpartition('-')[2]}"


HEADER, ELEMENT = "webmention-header", "webmention-element"
CASES = [
    Case("pushl", "pushl.py", "webmention", HEADER, "succeeded"),
    Case("pushl", "pushl.py", "webmention", ELEMENT, "succeeded"),
    # its call is labelled as bytes; it reads no answer
    Case("pushl-pingback", "pushl.py", "pingback", "pingback-header", "Sending Pingback"),
    Case("indieweb-utils", "indieweb_utils.py", "webmention", HEADER, "201"),
    Case("indieweb-utils", "indieweb_utils.py", "webmention", ELEMENT, "201"),
    Case("indieweb-utils", "indieweb_utils.py", "trackback", "trackback-rdf", "taken", "In its own words"),
    Case("ronkyuu", "ronkyuu.py", "webmention", HEADER, "answered 201"),
    Case("ronkyuu", "ronkyuu.py", "webmention", ELEMENT, "answered 201"),
    # takes every status but 200 for an error
    Case("webmention-tools", "webmention_tools.py", "webmention", HEADER, "'http_status': 201"),
    Case("webmention-tools", "webmention_tools.py", "webmention", ELEMENT, "'http_status': 201"),
    Case("webmentions", "webmentions.py", "webmention", HEADER, "told"),
    Case("webmentions", "webmentions.py", "webmention", ELEMENT, "told"),
    Case("remy-webmention", "remy_webmention.mjs", "webmention", HEADER, "status   = 201"),
    Case("remy-webmention", "remy_webmention.mjs", "webmention", ELEMENT, "status   = 201"),
    # its call is XML that is labelled as a form
    Case("remy-webmention", "remy_webmention.mjs", "pingback", "pingback-header", "status   = 200"),
    Case("remy-webmention", "remy_webmention.mjs", "pingback", "pingback-element", "status   = 200"),
]
#: each peer once with each of its protocols
SPEAKERS = list({(case.environment, case.protocol): case for case in CASES}.values())


@dataclass
class Web:
    """The pages of both blogs: `bodies` are those of theirs, `signposts` the header fields and the markup of ours.

    A path in `lies` is shown with its link to everybody but linkback.
    """

    bodies: dict[str, str] = field(default_factory=dict)
    lies: set[str] = field(default_factory=set)
    signposts: dict[str, tuple[Headers, str]] = field(default_factory=dict)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        path, agent = str(environ["PATH_INFO"]), str(environ.get("HTTP_USER_AGENT", ""))
        fields, markup = self.signposts.get(path, ((), ""))
        body = self.bodies.get(path, f"<title>Ours</title>{markup}<p>Some words.")
        if path in self.lies and agent.startswith("linkback/"):
            body = "<title>Theirs</title><p>No link."
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), *fields])
        return [f"<!doctype html>{body}".encode()]


@dataclass
class Blogs:
    """Their blog and ours, which `linkback serve` listens for; `database` is what it keeps."""

    web: Web
    theirs: str
    ours: str
    database: str
    store: Storage

    def link(self, page: str, *, lie: bool = False) -> tuple[str, str]:
        """A new post of theirs that links to a page of ours; gives the URLs of both."""
        path, target = f"/{uuid4().hex}", f"{self.ours}/{page}"
        link = f'<a class="u-in-reply-to" href="{target}">the first post</a>'
        self.web.bodies[path] = (
            f'<meta charset="utf-8"><title>{escape(TITLE)} – Theirs</title><article class="h-entry">'
            f'<h1 class="p-name"><a class="u-url" href="{path}">{escape(TITLE)}</a></h1>'
            f'<p class="e-content">We walked far and read {link} of that blog on the way home.</p></article>'
        )
        if lie:
            self.web.lies.add(path)
        return self.theirs + path, target

    def checked(self, source: str, target: str, protocol: str) -> ClaimRecord:
        """The claim once its source was read."""

        def look() -> ClaimRecord | None:
            record = self.store.last_claim(urls.pair_key(OwnPages(self.ours).url, source, target), protocol)
            return record if record is not None and record.checked is not None else None

        record = eventually(look)
        assert record is not None
        return record

    def mentions(self, source: str, target: str) -> list[dict[str, Any]]:
        """What `linkback list` shows of a pair."""
        code, listed = run("list", "--database", self.database, "--target", target)
        assert code == 0
        return [row for row in listed if row["source"] == source]


@contextmanager
def opened(database: str) -> Iterator[Storage]:
    """The store that another process keeps."""
    store = open_store(database, create=False)
    try:
        yield store
    finally:
        store.close()


def signposts(receiver: str, ours: str) -> dict[str, tuple[Headers, str]]:
    """Pages of ours by path, each with one signpost, as `linkback serve` has a blogger write it."""
    made: dict[str, tuple[Headers, str]] = {}
    for protocol in BUILTIN:
        for way in ("header", "element", "rdf"):
            path = f"/{protocol.name}-{way}"
            here = ([protocol], receiver, ours + path)
            fields = advertise_headers(*here) if way == "header" else ()
            markup = {"element": advertise_elements, "rdf": advertise_markup}.get(way)
            made[path] = (fields, "" if markup is None else markup(*here))
    return made


@pytest.fixture(scope="module")
def blogs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blogs]:
    """Both blogs, for all tests: each test has a post of its own."""
    folder = tmp_path_factory.mktemp("blogs")
    web = Web()
    with served(web) as theirs:
        ours = theirs.replace("127.0.0.1", "localhost")
        with serve(ours, folder) as receiver:
            web.signposts.update(signposts(receiver, ours))
            database = f"sqlite:///{folder / 'serve.db'}"
            with opened(database) as store:
                yield Blogs(web, theirs, ours, database, store)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_they_send_becomes_a_mention(
    environment: Callable[[str], Environment], blogs: Blogs, tmp_path: Path, case: Case
) -> None:
    peer = environment(case.environment)
    source, target = blogs.link(case.page)
    assert case.said in peer.send(case.script, source, target, case.protocol, tmp_path)
    assert blogs.checked(source, target, case.protocol).state is ClaimState.SUCCESS
    [mention] = blogs.mentions(source, target)
    assert (mention["target"], mention["protocols"], mention["status"]) == (target, [case.protocol], "approved")
    assert mention["title"] == case.title


@pytest.mark.parametrize("case", SPEAKERS, ids=lambda case: case.id)
def test_a_post_that_does_not_link_is_no_mention(
    environment: Callable[[str], Environment], blogs: Blogs, tmp_path: Path, case: Case
) -> None:
    """The post shows its link to the sender, which so sends, but not to us."""
    peer = environment(case.environment)
    source, target = blogs.link(case.page, lie=True)
    peer.send(case.script, source, target, case.protocol, tmp_path)
    assert blogs.checked(source, target, case.protocol).reason is Reason.NO_BACKLINK
    assert blogs.mentions(source, target) == []
