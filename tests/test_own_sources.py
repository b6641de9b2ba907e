"""A site that is told of links between its own pages: what it reads of itself, and who waits for that."""

from __future__ import annotations

import contextlib
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from linkback.errors import Reason, Refused
from linkback.fetch import Fetcher
from linkback.jobs import External
from linkback.model import Claim, Status
from linkback.policy import Policy
from linkback.site import Site
from linkback.store import Storage, open_store
from linkback.testing import FakeClock, FakeWeb
from linkback.wire import Response
from tests.patience import until
from tests.serving import LOOPBACK, pages

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

SITE = "https://t.example/"
T, S = SITE + "post", SITE + "note"
#: what the host knows: `None` keeps drafts and pages that are no posts to itself
POSTS = {url: url for url in (T, S, "https://old.example/note")}
CLOSED, GONE = SITE + "closed", SITE + "deleted"


def resolve(url: str) -> str | None:
    for page, reason in ((CLOSED, Reason.TARGET_CLOSED), (GONE, Reason.TARGET_GONE)):
        if url == page:
            raise Refused(reason)
    return POSTS.get(url)


@pytest.fixture
def web() -> FakeWeb:
    return FakeWeb({S: f"<a href='{T}'>see</a>"})


@pytest.fixture
def store() -> Iterator[Storage]:
    store = open_store("sqlite://")
    yield store
    store.close()


Make = Callable[..., Site]


@pytest.fixture
def make(web: FakeWeb, store: Storage) -> Make:
    def make(url: str = SITE, *, own: bool | None = None, **more: Any) -> Site:
        policy = Policy(own_sources=own, settle_seconds=0, recheck_days=0, pair_seconds=0, second_look_seconds=0)
        return Site(url, store=store, fetch=web, policy=policy, clock=FakeClock(), runner=External(), **more)

    return make


def refused(site: Site, source: str, target: str = T) -> bool:
    try:
        site.receive(Claim("webmention", source, target))
    except Refused as refusal:
        return refusal.reason is Reason.BLOCKED
    return False


@pytest.mark.parametrize(
    ("source", "kept_out"),
    [
        pytest.param(S, False, id="a post"),
        pytest.param("https://old.example/note", False, id="a post by its old address"),
        pytest.param(CLOSED, False, id="a post that takes no mentions"),
        pytest.param(GONE, False, id="a post that is deleted"),
        pytest.param(SITE + "drafts/1", True, id="a draft"),
        pytest.param(SITE + "server-status", True, id="a page for the operator"),
        pytest.param("http://www.t.example/server-status", True, id="by another address of the server"),
        pytest.param("https://old.example/admin", True, id="on another host of the site"),
        pytest.param("https://t.example:8443/server-status", False, id="another server"),
        pytest.param("https://s.t.example/", False, id="another host"),
    ],
)
def test_of_our_own_pages_only_posts_are_sources(make: Make, web: FakeWeb, source: str, kept_out: bool) -> None:
    """Else a stranger could have us read what our server shows to nobody but itself. Posts tell each other (B-5)."""
    site = make(resolve=resolve, hosts=["old.example"])
    assert refused(site, source) is kept_out
    site.drain()
    assert (web.requested == []) is kept_out


@pytest.mark.parametrize(
    ("source", "kept_out"),
    [
        (SITE + "~bob/note", False),
        (SITE + "~bob/draft", True),
        (SITE + "~alice/note", False),
        (SITE + "~bobby/note", False),
        (SITE, False),
    ],
)
def test_of_a_host_that_many_share_a_site_answers_for_its_part(make: Make, source: str, kept_out: bool) -> None:
    posts = {SITE + "~bob/note", SITE + "~bob/post"}
    site = make(SITE + "~bob/", resolve=lambda url: url if url in posts else None)
    assert refused(site, source, SITE + "~bob/post") is kept_out


def test_without_word_from_the_host_every_page_of_the_site_is_a_post(make: Make) -> None:
    site = make()
    assert not refused(site, S)
    site.drain()
    [mention] = site.mentions(T)
    assert (mention.source, mention.status) == (S, Status.APPROVED)


@pytest.mark.parametrize(
    ("own", "verify", "kept_out"),
    [
        (None, "queued", False),
        (None, "inline", True),
        (True, "queued", False),
        (True, "inline", False),
        (False, "queued", True),
        (False, "inline", True),
    ],
)
def test_who_reads_its_own_pages_is_the_policys_choice(make: Make, own: Any, verify: Any, kept_out: bool) -> None:
    assert refused(make(own=own, verify=verify, resolve=resolve), S) is kept_out


def test_strangers_are_listened_to_whatever_the_policy_says_of_our_own(make: Make, web: FakeWeb) -> None:
    web.pages["https://s.example/"] = f"<a href='{T}'>see</a>"
    for verify in ("queued", "inline"):
        assert not refused(make(own=False, verify=verify), "https://s.example/")


@pytest.mark.parametrize("found", [None, Refused(Reason.TARGET_GONE)], ids=["unknown", "gone"])
def test_a_post_that_is_deleted_takes_its_mentions_along(make: Make, web: FakeWeb, found: Refused | None) -> None:
    """The news of it come from its own page, which the host does not know any more."""

    def resolve(url: str) -> str | None:
        if url == S and deleted:
            if found is not None:
                raise found
            return None
        return url

    deleted = False
    site = make(resolve=resolve)
    assert not refused(site, S)
    site.drain()
    deleted, web.pages[S] = True, Response(410)
    assert not refused(site, S)
    site.drain()
    [mention] = site.mentions(T, statuses=None)
    assert mention.status is Status.REMOVED


class Quiet(WSGIRequestHandler):
    """A handler that writes no log."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def one_thread(**settings: Any) -> Iterator[tuple[Site, list[str]]]:
    """A blog whose server does one request after the other; with the paths of its own that were asked for."""
    asked: list[str] = []
    bodies = {"/post": "<p>a post</p>", "/note": "<p>see <a href='/post'>that</a></p>"}

    def blog(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        asked.append(str(environ["PATH_INFO"]))
        return pages(bodies)(environ, start_response)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        return served[0](environ, start_response)

    served: list[WSGIApplication] = []
    server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
    policy = Policy(settle_seconds=0)
    url = f"http://127.0.0.1:{server.server_port}/"
    with Site(url, store="sqlite://", fetch=Fetcher(allow=LOOPBACK), policy=policy, **settings) as site:
        served.append(site.wsgi(blog))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield site, asked
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)


def tell(site: Site) -> int:
    """Send the site a webmention of its own note; the status that it answers."""
    form = urlencode({"source": f"{site.url}note", "target": f"{site.url}post"}).encode()
    try:
        with urllib.request.urlopen(f"{site.url}linkback/webmention", form, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_server_of_one_thread_reads_its_own_post_once_it_has_answered() -> None:
    with one_thread() as (site, asked):
        assert 200 <= tell(site) < 300
        until(lambda: [mention.source for mention in site.mentions(f"{site.url}post")] == [f"{site.url}note"])
        assert asked == ["/note"]


def test_a_server_of_one_thread_does_not_wait_for_itself() -> None:
    """Where a sender waits for the check, the only thread there is would wait for a page that it has to give."""
    with one_thread(verify="inline") as (site, asked):
        assert tell(site) == 400
        assert asked == []
        assert site.mentions(f"{site.url}post", statuses=None) == []
