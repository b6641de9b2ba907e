"""A site that is told of links between its own pages: what it reads of itself, and who waits for that.

A stranger's page may lead there too, by a redirect.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from linkback import urls
from linkback.errors import Blocked, Reason, Refused
from linkback.fetch import Fetcher
from linkback.hops import asking
from linkback.jobs import External
from linkback.model import Claim, ClaimState, Status
from linkback.policy import Policy, Retry
from linkback.receiver import Trail
from linkback.site import Site
from linkback.store import Storage, open_store
from linkback.testing import FakeClock, FakeWeb
from linkback.wire import Response
from tests.patience import until
from tests.serving import LOOPBACK, pages, served

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

#: `Policy.own_sources`, whether the sender waits, and whether our own pages are kept out then
CHOICES = [
    (None, "queued", False),
    (None, "inline", True),
    (True, "queued", False),
    (True, "inline", False),
    (False, "queued", True),
    (False, "inline", True),
]


@pytest.fixture
def make(web: FakeWeb, store: Storage) -> Make:
    def make(url: str = SITE, *, own: bool | None = None, blocked_hosts: Sequence[str] = (), **more: Any) -> Site:
        policy = Policy(
            own_sources=own,
            blocked_hosts=blocked_hosts,
            settle_seconds=0,
            recheck_days=0,
            pair_seconds=0,
            second_look_seconds=0,
        )
        more = {"fetch": web, **more}
        return Site(url, store=store, policy=policy, clock=FakeClock(), runner=External(), **more)

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


@pytest.mark.parametrize(("own", "verify", "kept_out"), CHOICES)
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


ELSEWHERE, OTHER = "https://s.example/r", SITE + "other"
UNREADABLE, UNLINKED = Reason.SOURCE_UNREADABLE, Reason.NO_BACKLINK
TAKEN = (ClaimState.SUCCESS, None)


def lead(web: FakeWeb, *ways: str) -> str:
    """Have each page redirect to the next; the first of them."""
    for page, location in itertools.pairwise(ways):
        web.pages[page] = Response(302, (("Location", location),))
    return ways[0]


def end(site: Site, source: str, *targets: str) -> list[tuple[ClaimState, Reason | None]]:
    """What becomes of the claims that a source mentions some pages, all told before it is read."""
    kept = []
    for target in targets or (T,):
        try:
            kept.append(site.receive(Claim("webmention", source, target)))
        except Refused as refusal:
            return [(ClaimState.FAILED, refusal.reason)]
    site.drain()
    found = [site.claim(record.id) for record in kept]
    return [(record.state, record.reason) for record in found if record is not None]


@pytest.mark.parametrize(
    ("ways", "wanted"),
    [
        pytest.param([S], TAKEN, id="a post"),
        pytest.param(["https://s.example/2", S], TAKEN, id="a post, in two hops"),
        pytest.param(["https://old.example/note", S], TAKEN, id="a post, by its old address"),
        pytest.param([SITE + "server-status"], UNREADABLE, id="a page for the operator"),
        pytest.param(["https://s.example/2", SITE + "server-status"], UNREADABLE, id="in two hops"),
        pytest.param([SITE + "out", "https://s.example/2"], UNREADABLE, id="by way of our own"),
        pytest.param(["http://www.t.example/server-status"], UNREADABLE, id="by another address of the server"),
        pytest.param(["https://old.example/admin"], UNREADABLE, id="on another host of the site"),
        pytest.param(["https://t.example:8443/server-status"], TAKEN, id="another server"),
        pytest.param(["https://blocked.example/"], UNREADABLE, id="a blocked host"),
        pytest.param(["https://www.blocked.example./", S], UNREADABLE, id="by way of a blocked host"),
        pytest.param([T], UNLINKED, id="the target"),
        pytest.param([T + "#comments"], UNLINKED, id="a part of the target"),
        pytest.param(["https://old.example/post"], UNLINKED, id="the target by its old address"),
        pytest.param([T, S], TAKEN, id="by way of the target"),
    ],
)
def test_what_a_source_redirects_to_is_judged_as_a_source(
    make: Make, web: FakeWeb, ways: list[str], wanted: Any
) -> None:
    """No page of others speaks for our own, and what is kept out by its name comes in by no other."""
    web.pages[ways[-1]] = f"<title>Ours</title><a href='{T}'>see</a>"
    posts = POSTS | {"https://old.example/post": T}
    site = make(resolve=posts.get, hosts=["old.example"], blocked_hosts=["blocked.example"])
    [(state, reason)] = end(site, lead(web, ELSEWHERE, *ways))
    assert wanted in ((state, reason), reason)
    assert [mention.source for mention in site.mentions(T, statuses=None)] == [ELSEWHERE] * (wanted is TAKEN)


@pytest.mark.parametrize("elsewhere", [True, False], ids=["from elsewhere", "within the site"])
@pytest.mark.parametrize(("own", "verify", "kept_out"), CHOICES)
def test_whether_redirects_lead_to_our_own_posts_is_the_policys_choice(
    make: Make, web: FakeWeb, own: Any, verify: Any, kept_out: bool, elsewhere: bool
) -> None:
    source = lead(web, ELSEWHERE if elsewhere else SITE + "n", S)
    site = make(own=own, verify=verify, resolve={**POSTS, SITE + "n": S}.get)
    [(state, reason)] = end(site, source)
    assert (state is ClaimState.SUCCESS) is not kept_out
    assert reason in ((UNREADABLE if elsewhere else Reason.BLOCKED,) if kept_out else (None,))
    assert [mention.final_url for mention in site.mentions(T)] == [S] * (not kept_out)


def test_what_a_redirect_leads_to_is_looked_at_as_often_as_any_source_that_cannot_be_read(
    web: FakeWeb, store: Storage
) -> None:
    """Neither its status nor the number of looks tells a stranger where his redirect led (security.md A4)."""
    told = []
    for source, answer in (
        (lead(web, ELSEWHERE, SITE + "server-status"), None),
        (lead(web, "https://s.example/b", "https://blocked.example/"), None),
        ("https://s.example/inside", Blocked("https://s.example/inside", "a private address")),
    ):
        if answer is not None:
            web.pages[source] = answer
        clock = FakeClock()
        policy = Policy(settle_seconds=0, blocked_hosts=["blocked.example"])
        retry = Retry(jitter=0.0)
        site = Site(
            SITE, resolve=resolve, store=store, fetch=web, policy=policy, retry=retry, clock=clock, runner=External()
        )
        record, seen = site.receive(Claim("webmention", source, T)), []
        for _ in range(4):
            site.drain()
            found = site.claim(record.id)
            assert found is not None
            seen.append((found.state, found.reason, web.requested.count(source)))
            clock.advance(600)
        told.append(seen)
    queued, failed = (ClaimState.QUEUED, UNREADABLE), (ClaimState.FAILED, UNREADABLE)
    assert told == [[(*queued, 1), (*queued, 2), (*failed, 3), (*failed, 3)]] * 3


@pytest.mark.parametrize(
    ("passed", "final", "reason"),
    [
        ((ELSEWHERE,), "https://s.example/2", None),
        ((), "https://s.example/2", None),
        ((), ELSEWHERE, None),
        ((ELSEWHERE,), SITE + "server-status", UNREADABLE),
        ((), SITE + "server-status", UNREADABLE),
        ((ELSEWHERE, SITE + "out"), "https://s.example/2", UNREADABLE),
        ((), T, UNLINKED),
    ],
)
def test_a_door_that_cannot_be_asked_is_judged_by_what_it_says_of_its_way(
    make: Make, passed: tuple[str, ...], final: str, reason: Reason | None
) -> None:
    """A host's own `Fetch` follows redirects by itself, and may tell no more than where it came to."""

    class Door(FakeWeb):
        def get(self, url: str, **more: Any) -> Response:
            body = f"<title>Ours</title><a href='{T}'>see</a>".encode()
            return Response(200, (("Content-Type", "text/html"),), body, final, redirects=passed)

    assert [found for _, found in end(make(resolve=resolve, fetch=Door()), ELSEWHERE)] == [reason]


def test_where_a_door_went_that_could_not_be_asked_is_known() -> None:
    """A host that others redirect to is spared by what is counted, whatever is made of its answer."""
    web, further = FakeWeb(), "https://s.example/2"
    source = lead(web, ELSEWHERE, further, SITE + "server-status")
    trail = Trail(asking(web, lambda url: "" if url == further else "not there"))
    with pytest.raises(Blocked, match="not there"):
        trail.get(source)
    assert trail.onward == [further, SITE + "server-status"]


def test_a_part_of_the_target_is_mentioned_by_no_page_that_leads_to_the_target(make: Make, web: FakeWeb) -> None:
    web.pages[T] = f"<a href='{T}#comments'>see</a>"
    [(_, reason)] = end(make(resolve=resolve), lead(web, ELSEWHERE, T), T + "#comments")
    assert reason is UNLINKED


def test_a_post_that_is_deleted_before_it_was_read_is_asked_itself(make: Make, web: FakeWeb) -> None:
    """It was one when its claim was taken, and no redirect led to it."""
    posts = {T: T, S: S}
    site = make(resolve=lambda url: posts.get(url))
    record = site.receive(Claim("webmention", S, T))
    del posts[S]
    web.pages[S] = Response(410)
    site.drain()
    found = site.claim(record.id)
    assert found is not None
    assert found.reason is Reason.SOURCE_GONE


def test_the_host_is_asked_nothing_more_where_no_redirect_led_on(make: Make, web: FakeWeb) -> None:
    asked: list[str] = []
    site = make(resolve=lambda url: asked.append(url) or url)  # type: ignore[func-returns-value]
    web.pages[ELSEWHERE] = f"<a href='{T}'>see</a>"
    site.receive(Claim("webmention", ELSEWHERE, T))
    asked.clear()
    site.drain()
    assert asked == [T], "what other names its target has"
    assert len(site.mentions(T)) == 1


def test_a_page_that_leads_to_one_target_may_mention_another(make: Make, web: FakeWeb) -> None:
    """A source is read once for all that wait for it, and each of its claims has a target of its own."""
    web.pages[T] = f"<title>Ours</title><a href='{T}'>permalink</a> <a href='{OTHER}'>see</a>"
    site = make(resolve={**POSTS, OTHER: OTHER}.get)
    assert [reason for _, reason in end(site, lead(web, ELSEWHERE, T), T, OTHER)] == [UNLINKED, None]
    assert web.requested == [ELSEWHERE, T] * 2, "once for both, and once more for the one that it does not link to"
    assert [mention.target for mention in site.store.mentions(statuses=None)] == [OTHER]


@pytest.mark.parametrize(
    ("way", "removed"),
    [(T, True), (SITE + "server-status", False), ("https://blocked.example/", False)],
    ids=["the target", "a page for the operator", "a blocked host"],
)
@pytest.mark.parametrize("told", [True, False], ids=["told", "looked at again"])
def test_a_mention_whose_source_leads_elsewhere_by_now_is_looked_at_in_the_same_way(
    web: FakeWeb, store: Storage, way: str, removed: bool, told: bool
) -> None:
    """Nothing of our own is shown under its name; what is not read takes nothing away (protocols.md D-43)."""
    clock = FakeClock()
    policy = Policy(settle_seconds=0, pair_seconds=0, second_look_seconds=0, blocked_hosts=["blocked.example"])
    site = Site(SITE, resolve=resolve, store=store, fetch=web, policy=policy, clock=clock, runner=External())
    web.pages[ELSEWHERE] = f"<title>Theirs</title><a href='{T}'>see</a>"
    assert end(site, ELSEWHERE) == [TAKEN]
    web.pages[way] = f"<title>Ours</title><a href='{T}'>see</a>"
    lead(web, ELSEWHERE, way)
    if told:
        end(site, ELSEWHERE)
    for _ in range(3):
        clock.advance(timedelta(days=31).total_seconds())
        site.drain()
    assert web.requested.count(way) > 1
    [mention] = site.mentions(T, statuses=None)
    assert (mention.title, mention.final_url, mention.status is Status.REMOVED) == ("Theirs", ELSEWHERE, removed)


@pytest.mark.parametrize("says_so", [Response(410), "gone"], ids=["by status", "in words"])
def test_a_post_of_ours_that_is_deleted_may_lead_to_a_page_that_says_so(
    make: Make, web: FakeWeb, says_so: Response | str
) -> None:
    posts = {T: T, S: S}
    site = make(resolve=lambda url: posts.get(url))
    assert end(site, S) == [TAKEN]
    del posts[S]
    web.pages[SITE + "gone"] = says_so
    end(site, lead(web, S, SITE + "gone"))
    assert [mention.status for mention in site.mentions(T, statuses=None)] == [Status.REMOVED]


def test_a_mention_lets_no_stranger_lead_us_to_our_own(make: Make, web: FakeWeb) -> None:
    """That a page of ours mentioned another is a reason to see what became of it; that a stranger's did is none."""
    web.pages |= {ELSEWHERE: f"<a href='{T}'>see</a>", SITE + "gone": "gone"}
    site = make(resolve=resolve)
    assert end(site, ELSEWHERE) == [TAKEN]
    assert end(site, lead(web, ELSEWHERE, SITE + "gone")) == [(ClaimState.QUEUED, UNREADABLE)]
    assert [mention.status for mention in site.mentions(T)] == [Status.APPROVED]


def test_a_host_that_cannot_say_whose_page_a_redirect_leads_to_costs_no_claim(make: Make, web: FakeWeb) -> None:
    def resolve(url: str) -> str | None:
        if url == S and broken:
            raise OSError("the database is away")
        return url

    broken, site = True, make(resolve=resolve)
    assert end(site, lead(web, ELSEWHERE, S)) == [(ClaimState.QUEUED, None)]


class Quiet(WSGIRequestHandler):
    """A handler that writes no log."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def one_thread(*, own: bool | None = None, **settings: Any) -> Iterator[tuple[Site, list[str]]]:
    """A blog whose server does one request after the other; with the paths of its own that were asked for."""
    asked: list[str] = []
    bodies = {"/post": "<p>a post</p>", "/note": "<p>see <a href='/post'>that</a></p>"}

    def blog(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        asked.append(str(environ["PATH_INFO"]))
        return pages(bodies)(environ, start_response)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        return mounted[0](environ, start_response)

    mounted: list[WSGIApplication] = []
    server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
    policy = Policy(settle_seconds=0, own_sources=own)
    url = f"http://127.0.0.1:{server.server_port}/"
    with Site(url, store="sqlite://", fetch=Fetcher(allow=LOOPBACK), policy=policy, **settings) as site:
        mounted.append(site.wsgi(blog))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield site, asked
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)


def tell(site: Site, source: str = "") -> int:
    """Send the site a webmention of a page, by default its own note; the status that it answers."""
    form = urlencode({"source": source or f"{site.url}note", "target": f"{site.url}post"}).encode()
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


@contextlib.contextmanager
def leading(location: str) -> Iterator[str]:
    """A server each of whose pages redirects to one place; a page there."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("302 Found", [("Location", location)])
        return []

    with served(application) as url:
        yield f"{url}/r"


@pytest.mark.parametrize(("verify", "own"), [("inline", None), ("inline", False), ("queued", False)])
def test_a_server_of_one_thread_is_not_led_to_itself(verify: Any, own: Any) -> None:
    """What a redirect would bring from our own is not even asked for."""
    with one_thread(verify=verify, own=own) as (site, asked), leading(f"{site.url}note") as source:
        assert tell(site, source) == (400 if verify == "inline" else 201)
        if verify == "queued":
            key = urls.pair_key(site.url, source, f"{site.url}post")
            until(lambda: [record.reason for record in site.store.open_claims(key)] == [UNREADABLE])
        assert asked == []
