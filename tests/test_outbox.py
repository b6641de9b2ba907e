"""From a post to its deliveries: what is owed is recorded, made once, and ends in a row that says how."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from linkback.errors import Blocked, FetchError, Reason, Refused, SourceGone, StoreError, TimedOut
from linkback.fetch import Fetcher
from linkback.forms import read_form
from linkback.jobs import External
from linkback.model import Cause, Delivery, Outcome
from linkback.policy import Outgoing, Retry
from linkback.protocols import BUILTIN, xmlrpc
from linkback.site import MOST_ATTEMPTS, Site
from linkback.testing import Answering, FakeClock, FakeWeb, unreachable
from linkback.wire import Request, Response
from linkback.work import LEASE_SECONDS

S = "https://s.example/note"
T = "https://t.example/post"
U = "https://u.example/"
WM, PB, TB = "https://t.example/wm", "https://t.example/rpc", "https://t.example/tb"
HTML = ("Content-Type", "text/html; charset=utf-8")
LISTENING = {
    WM: Response(200, (HTML, ("Link", f"<{WM}>; rel=webmention"))),
    PB: Response(200, (HTML, ("X-Pingback", PB))),
    TB: Response(200, (HTML,), f"<link rel=trackback href={TB}>".encode()),
}
LINKS_T = f"<p>I like <a href='{T}'>this</a>.</p>"
TB_OK = Response(200, body=b"<response><error>0</error></response>")


class Killed(BaseException):
    """The process dies here."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def web() -> FakeWeb:
    return FakeWeb({S: LINKS_T})


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'linkback.db'}"


@pytest.fixture
def site(database: str, web: FakeWeb, clock: FakeClock) -> Iterator[Site]:
    with a_site(database, web, clock) as site:
        yield site


def a_site(database: str, web: FakeWeb, clock: FakeClock, **hooks: Any) -> Site:
    retry = Retry(delays=(60.0, 600.0), jitter=0.0)
    return Site(
        "https://s.example",
        store=database,
        fetch=web,
        clock=clock,
        pause=clock.advance,
        retry=retry,
        runner=External(),
        name="Mine",
        **hooks,
    )


def fault(code: int) -> Response:
    return Response(200, body=xmlrpc.write_fault(code, "no"))


def answers(*given: Response | BaseException) -> Callable[[Request], Response]:
    """A receiver that answers its requests in this order."""
    left = iter(given)

    def answer(request: Request) -> Response:
        one = next(left)
        if isinstance(one, BaseException):
            raise one
        return one

    return answer


def only(site: Site) -> Delivery:
    [delivery] = site.deliveries()
    return delivery


def waits(site: Site, clock: FakeClock) -> float | None:
    """Seconds until something is due."""
    due = site.store.next_due()
    return None if due is None else (due - clock()).total_seconds()


# publishing


def test_publishing_sends_nothing_yet(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    [owed] = site.publish(S, LINKS_T)
    assert (owed.source, owed.target, owed.outcome) == (S, T, Outcome.QUEUED)
    assert site.deliveries() == [owed]
    assert waits(site, clock) == 0
    assert web.requests == []


def test_a_post_is_told_to_every_page_it_links_to(site: Site) -> None:
    """VB-64, VB-65: fragments are targets of their own, the post itself is none."""
    html = f"<a href='{T}'>1</a><a href='{T}#a'>2</a><a href='{T}'>3</a><a href='#top'>4</a><a href='{U}'>5</a>"
    assert [owed.target for owed in site.publish(S, html)] == [T, T + "#a", U]


def test_a_post_without_links_owes_nothing(site: Site) -> None:
    assert site.publish(S, "<p>nothing</p>") == []
    assert site.drain() == 0


@pytest.mark.parametrize(
    "html",
    [
        "<a href='https://t.example/é'>",
        "<a href='https://t.example/é'>".encode(),
        "<meta charset=iso-8859-1><a href='https://t.example/é'>".encode("latin-1"),
    ],
)
def test_a_post_is_text_or_bytes_that_name_their_own_charset(site: Site, html: str | bytes) -> None:
    assert [owed.target for owed in site.publish(S, html)] == ["https://t.example/é"]


def test_without_html_the_post_is_fetched(site: Site, web: FakeWeb) -> None:
    assert [owed.target for owed in site.publish(S)] == [T]
    assert web.requested == [S]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(Response(404), SourceGone, id="VB-74"),
        pytest.param(Response(410), SourceGone, id="410"),
        pytest.param(Response(500), FetchError, id="500"),
        pytest.param(unreachable(S), FetchError, id="nobody there"),
    ],
)
def test_a_post_that_cannot_be_read_owes_nothing(
    site: Site, web: FakeWeb, answer: Answering, error: type[Exception]
) -> None:
    """VB-74: a source that is not out yet is no source."""
    web.pages[S] = answer
    with pytest.raises(error):
        site.publish(S)
    assert site.deliveries() == []


@pytest.mark.parametrize("url", ["", "/note", "ftp://s.example/", "https://u:p@s.example/"])
def test_a_post_has_a_web_address(site: Site, url: str) -> None:
    with pytest.raises(Refused):
        site.publish(url, LINKS_T)


@pytest.mark.parametrize(("endpoint", "reply"), [(WM, Response(202)), (PB, fault(48)), (TB, TB_OK)])
def test_publishing_again_sends_nothing_again(site: Site, web: FakeWeb, endpoint: str, reply: Response) -> None:
    """VB-61, VB-69."""
    web.pages |= {T: LISTENING[endpoint], endpoint: reply}
    site.publish(S, LINKS_T)
    site.drain()
    assert only(site).outcome in (Outcome.SENT, Outcome.ACCEPTED)
    web.requests.clear()
    assert site.publish(S, LINKS_T) == []
    assert site.drain() == 0
    assert web.requests == []


def test_a_transaction_that_is_rolled_back_owes_nothing(site: Site, database: str) -> None:
    engine = sqlalchemy.create_engine(database)
    with engine.connect() as connection:
        assert len(site.publish(S, LINKS_T, connection=connection)) == 1
        connection.rollback()
    engine.dispose()
    assert site.deliveries() == []
    assert site.drain() == 0


def test_a_transaction_that_is_committed_owes_what_it_said(site: Site, database: str) -> None:
    engine = sqlalchemy.create_engine(database)
    with engine.begin() as connection:
        [owed] = site.publish(S, LINKS_T, connection=connection)
    engine.dispose()
    assert site.deliveries(S) == [owed]
    assert site.drain() == 1


def test_deliveries_of_a_post_are_its_own(site: Site) -> None:
    site.publish(S, LINKS_T)
    site.publish("https://s.example/other", f"<a href='{U}'>")
    assert [delivery.target for delivery in site.deliveries(S)] == [T]
    assert [delivery.target for delivery in site.deliveries()] == [T, U]


# edits


def told(site: Site, web: FakeWeb, endpoint: str = WM) -> None:
    """A post whose link was told."""
    web.pages |= {T: LISTENING[endpoint], endpoint: {WM: Response(202), PB: fault(48), TB: TB_OK}[endpoint]}
    web.pages |= {U: LISTENING[WM]}
    site.publish(S, LINKS_T)
    site.drain(patience=5)
    assert only(site).told
    web.requests.clear()


def posted(web: FakeWeb) -> list[str]:
    """The target of each webmention that was sent, or the URL of another POST."""
    return [dict(read_form(post)).get(b"target", post.url.encode()).decode() for post in web.posts]


@pytest.mark.parametrize(
    ("endpoint", "html", "expected"),
    [
        pytest.param(WM, f"<a href='{U}'>", [U, T], id="VB-66"),
        pytest.param(PB, f"<a href='{U}'>", [U], id="VB-67"),
        pytest.param(TB, f"<a href='{U}'>", [U], id="B-63 trackback"),
        pytest.param(WM, f"<p>I love <a href='{T}'>this</a>.", [T], id="B-60 changed"),
        pytest.param(WM, f"<p>I love <a href='{T}'>this</a> and <a href='{U}'>", [T, U], id="B-60 added"),
        pytest.param(PB, f"<p>I love <a href='{T}'>this</a>.", [], id="B-63 changed"),
        pytest.param(WM, LINKS_T, [], id="VB-69"),
    ],
)
def test_an_edit_is_told_to_whom_it_concerns(
    site: Site, web: FakeWeb, endpoint: str, html: str, expected: list[str]
) -> None:
    """protocols.md B-60, B-61, B-63."""
    told(site, web, endpoint)
    owed = site.publish(S, html)
    assert sorted(delivery.target for delivery in owed) == sorted(expected)
    web.pages[WM] = Response(202)
    site.drain(patience=5)
    assert sorted(posted(web)) == sorted(expected)
    assert site.store.next_due() is None


def test_an_edit_looks_for_the_endpoint_anew(site: Site, web: FakeWeb) -> None:
    """B-60, VA-105: whatever was remembered."""
    told(site, web)
    elsewhere = "https://elsewhere.example/wm"
    web.pages |= {T: Response(200, (HTML, ("Link", f"<{elsewhere}>; rel=webmention"))), elsewhere: Response(202)}
    site.publish(S, LINKS_T + "!")
    site.drain(patience=5)
    assert [post.url for post in web.posts] == [elsewhere]
    assert only(site).endpoint == elsewhere


def test_who_was_told_by_webmention_hears_by_nothing_else(site: Site, web: FakeWeb) -> None:
    """VB-78, B-64: a pingback would be a second entry."""
    told(site, web)
    web.pages |= {T: LISTENING[PB], PB: fault(48)}
    site.publish(S, LINKS_T + "!")
    site.drain(patience=5)
    assert web.posts == []
    assert (only(site).outcome, only(site).told) == (Outcome.NO_ENDPOINT, "webmention")
    site.publish(S, LINKS_T + "!!")
    site.drain(patience=5)
    assert web.posts == [], "nor later"


def test_a_link_that_was_removed_is_told_once(site: Site, web: FakeWeb) -> None:
    told(site, web)
    web.pages[WM] = Response(400)
    site.publish(S, "<p>1")
    site.drain(patience=5)
    assert (only(site).cause, only(site).outcome) == (Cause.REMOVED, Outcome.REFUSED)
    assert site.publish(S, "<p>2") == []
    assert [owed.cause for owed in site.publish(S, LINKS_T)] == [Cause.UPDATE], "it is back"


def test_a_link_that_goes_before_it_was_told_tells_nobody(site: Site, web: FakeWeb) -> None:
    web.pages |= {T: LISTENING[WM], WM: Response(202)}
    site.publish(S, LINKS_T)
    [gone] = site.publish(S, "<p>")
    site.drain(patience=5)
    assert gone.outcome is only(site).outcome is Outcome.WITHDRAWN
    assert web.requests == []
    site.publish(S, LINKS_T)
    site.drain(patience=5)
    assert only(site).outcome is Outcome.ACCEPTED


def test_what_did_not_arrive_is_tried_again_with_the_next_edit(site: Site, web: FakeWeb) -> None:
    web.pages |= {T: "<p>no endpoint yet"}
    site.publish(S, LINKS_T)
    site.drain(patience=5)
    web.pages |= {T: LISTENING[PB], PB: fault(48)}
    assert site.publish(S, LINKS_T) == []
    site.publish(S, LINKS_T + "!")
    site.drain(patience=5)
    assert only(site).outcome is Outcome.SENT


def test_everybody_may_be_told_again_at_will(site: Site, web: FakeWeb) -> None:
    """B-61: "unless forced"."""
    told(site, web)
    assert [owed.cause for owed in site.publish(S, LINKS_T, force=True)] == [Cause.UPDATE]


def test_a_dry_run_says_what_would_be_sent(site: Site, web: FakeWeb) -> None:
    told(site, web)
    owed = site.publish(S, f"<a href='{U}'>", dry_run=True)
    assert [(one.target, one.cause) for one in owed] == [(U, Cause.NEW), (T, Cause.REMOVED)]
    assert site.drain() == 0
    assert [(one.target, one.outcome) for one in site.deliveries()] == [(T, Outcome.ACCEPTED)]
    assert [one.cause for one in site.unpublish(S, dry_run=True)] == [Cause.DELETED]
    assert site.drain() == 0


GONE_META = "<meta http-equiv=status content='410 Gone'><title>Deleted</title>"


@pytest.mark.parametrize("answer", [Response(410, body=b"It was here."), Response(410), GONE_META])
def test_a_deletion_is_told_to_all_who_can_hear(site: Site, web: FakeWeb, answer: Answering) -> None:
    """VB-68, B-62, D-26."""
    told(site, web)
    web.pages[S] = answer
    assert [owed.cause for owed in site.unpublish(S, check=True)] == [Cause.DELETED]
    site.drain(patience=5)
    assert posted(web) == [T]
    assert site.unpublish(S) == []
    web.pages[S] = LINKS_T
    assert [owed.cause for owed in site.publish(S, LINKS_T)] == [Cause.UPDATE], "it came back"


def test_a_deletion_tells_nothing_by_pingback(site: Site, web: FakeWeb) -> None:
    told(site, web, PB)
    assert site.unpublish(S) == []


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        pytest.param(LINKS_T, "the post answers 200", id="VB-68"),
        (Response(404), "the source answers 404"),
        (Response(503), "the server answered 503"),
        (unreachable(S), "connection refused"),
    ],
)
def test_a_post_that_is_still_there_is_not_told_to_be_deleted(
    site: Site, web: FakeWeb, clock: FakeClock, answer: Answering, detail: str
) -> None:
    """VB-68, B-62: 410 first."""
    told(site, web)
    web.pages[S] = answer
    with pytest.raises(Refused, match=r"410 Gone first") as caught:
        site.unpublish(S, check=True)
    assert detail in caught.value.detail
    assert site.store.next_due() is None
    site.unpublish(S)
    for _ in range(3):
        site.drain(patience=5)
        clock.advance(600)
    assert web.posts == []
    assert only(site).outcome is Outcome.FAILED
    assert detail in only(site).detail


def test_a_deletion_waits_for_the_page_to_go(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """In the host's transaction the page is still there."""
    told(site, web)
    site.unpublish(S)
    site.drain(patience=5)
    web.pages[S] = Response(410)
    clock.advance(60)
    site.drain(patience=5)
    assert posted(web) == [T]


def test_an_edit_between_the_look_and_the_post_is_what_is_told(site: Site, web: FakeWeb) -> None:
    """The POST of the first version is not made."""
    told(site, web)

    def look(request: Request) -> Response:
        web.pages[T] = LISTENING[WM]
        site.publish(S, "<p>")
        return LISTENING[WM]

    web.pages[T] = look
    site.publish(S, LINKS_T + "!")
    site.drain(patience=5)
    assert posted(web) == [T]
    assert (only(site).cause, only(site).attempts, only(site).revision) == (Cause.REMOVED, 1, 3)


def test_an_edit_while_the_post_is_in_flight_is_told_after_it(site: Site, web: FakeWeb) -> None:
    def receive(request: Request) -> Response:
        web.pages[WM] = Response(202)
        site.publish(S, LINKS_T + "!")
        return Response(202)

    web.pages |= {T: LISTENING[WM], WM: receive}
    site.publish(S, LINKS_T)
    site.drain(patience=5)
    assert posted(web) == [T, T]
    assert (only(site).cause, only(site).outcome) == (Cause.UPDATE, Outcome.ACCEPTED)


# when, whom, how much


def test_a_post_that_comes_out_later_is_told_then(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    web.pages |= {T: LISTENING[WM], WM: Response(202)}
    site.publish(S, LINKS_T, at=clock() + timedelta(hours=1))
    assert waits(site, clock) == 3600
    site.publish(S, LINKS_T, at=clock() + timedelta(hours=2))
    assert waits(site, clock) == 7200, "it was put off"
    site.publish(S, LINKS_T + "!", at=clock() + timedelta(minutes=1))
    assert waits(site, clock) == 60, "and brought forward"
    clock.advance(60)
    site.drain(patience=5)
    assert only(site).outcome is Outcome.ACCEPTED


def test_a_post_whose_time_has_come_is_told_now(site: Site, clock: FakeClock) -> None:
    site.publish(S, LINKS_T, at=clock() - timedelta(hours=1))
    assert waits(site, clock) == 0


def test_a_time_without_an_offset_is_refused(site: Site, clock: FakeClock) -> None:
    with pytest.raises(Refused, match="without an offset"):
        site.publish(S, LINKS_T, at=clock().replace(tzinfo=None))


def test_a_post_that_is_not_out_cannot_be_fetched(site: Site, clock: FakeClock) -> None:
    with pytest.raises(Refused, match="give its html"):
        site.publish(S, at=clock() + timedelta(hours=1))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://other.example/note", "no page of https://s.example/"),
        ("https://s.example.other.example/", "no page of"),
        ("http://s.example:81/", "no page of"),
    ],
)
def test_only_posts_of_ours_are_told(site: Site, url: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        site.publish(url, LINKS_T)
    with pytest.raises(Refused, match=why):
        site.unpublish(url)
    assert site.deliveries() == []


LINKS = (
    f"<a href='{T}'>1</a><a rel='nofollow me' href='{U}'>2</a><a href='https://sub.v.example/'>3</a>"
    "<a href='/own'>4</a><a data-linkback=no href='https://w.example/'>5</a>"
)
SUB, OWN = "https://sub.v.example/", "https://s.example/own"


@pytest.mark.parametrize(
    ("outgoing", "told"),
    [
        (Outgoing(), [T, U, SUB, OWN]),
        (Outgoing(skip_rels=["NoFollow"]), [T, SUB, OWN]),
        (Outgoing(skip_hosts=["v.example", "t.example"]), [U, OWN]),
        (Outgoing(skip_same_host=True), [T, U, SUB]),
    ],
)
def test_some_links_are_nobodys_business(database: str, outgoing: Outgoing, told: list[str]) -> None:
    """protocols.md B-1, B-5; a link may say so itself."""
    with Site("https://s.example", store=database, fetch=FakeWeb(), runner=External(), outgoing=outgoing) as site:
        assert [owed.target for owed in site.publish(S, LINKS)] == told


@pytest.mark.parametrize(
    ("made", "why"),
    [
        pytest.param(lambda: "".join(f"<a href='/{n}'>" for n in range(5001)), "more than 5,000 pages", id="links"),
        pytest.param(lambda: "x" * 50_000_000, "50,000,000 bytes; 5,242,880", id="bytes"),
        pytest.param(lambda: b"x" * 5_242_881, "5,242,881 bytes", id="just too many"),
    ],
)
def test_a_post_has_limits_and_says_which(site: Site, made: Callable[[], str | bytes], why: str) -> None:
    with pytest.raises(Refused, match=why) as caught:
        site.publish(S, made())
    assert caught.value.reason is Reason.TOO_LARGE
    assert site.deliveries() == []


def test_a_post_within_the_limits_is_taken_whole(site: Site) -> None:
    html = "".join(f"<a href='/{n}'>" for n in range(5000))
    assert len(site.publish(S, html)) == 5000
    assert len(site.publish("https://s.example/long", LINKS_T.encode().ljust(5_242_880))) == 1


def linking(*targets: str) -> str:
    return "".join(f"<a href='{target}'>" for target in targets)


def at(host: str, *numbers: int) -> list[str]:
    return [f"https://{host}.example/{number}" for number in numbers]


def split(owed: Iterable[Delivery]) -> tuple[list[str], list[str]]:
    """Whom deliveries tell, and whom they do not."""
    told, left = list[str](), list[str]()
    for one in owed:
        (left if one.outcome is Outcome.WITHDRAWN else told).append(one.target)
    return told, left


@pytest.mark.parametrize("more", [0, 1])
def test_a_post_tells_a_hundred_pages_and_ten_of_a_host(site: Site, more: int) -> None:
    """Links to one host are told in the order of the post; those beyond are said, not told."""
    hosts = [at(f"h{n}", *range(10 + (more if n == 3 else 0))) for n in range(10)]
    last = at("last", *range(more))
    owed = site.publish(S, linking(*chain.from_iterable(hosts), *last))
    assert split(owed) == ([page for host in hosts for page in host[:10]], [*hosts[3][10:], *last])
    assert site.deliveries() == owed
    assert {one.detail for one in owed if one.outcome is Outcome.WITHDRAWN} == (
        {
            "no more than 10 of a post's links to h3.example are told",
            "no more than 100 of a post's links are told",
        }
        if more
        else set()
    )


PRIVATE = [
    "http://localhost/admin?token=secret",
    "http://blog.localhost/",
    "http://127.0.0.1:9200/_search",
    "http://[::1]/",
    "http://10.1.2.3/",
    "http://0x7f.1/",
    "http://169.254.169.254/latest/",
    "http://[::ffff:10.1.2.3]/",
    "https://nas/files?key=secret",
]


def unresolved(*asked: object, **more: object) -> Any:
    raise AssertionError(f"nobody is looked up while a post is published, not {asked}")


@pytest.mark.parametrize(
    ("fetch", "told"),
    [
        (Fetcher(resolver=unresolved), []),
        (Fetcher(allow=["192.168.1.7"], resolver=unresolved), PRIVATE),
        (FakeWeb(), PRIVATE),
    ],
    ids=["none open", "one open", "a web of the host's own"],
)
def test_links_to_hosts_that_are_private_by_their_name_are_passed_over(fetch: Any, told: list[str]) -> None:
    """Neither asked nor kept: what leads inside may hold a secret. Intranets, whose operator opened a network, do."""
    with Site("https://s.example", store="sqlite://", fetch=fetch, runner=External()) as site:
        owed = site.publish(S, linking(PRIVATE[0], T, *PRIVATE[1:], "http://8.8.8.8/"))
        assert [one.target for one in owed if one.target in PRIVATE] == told
        assert [one.target for one in owed if one.target not in PRIVATE] == [T, "http://8.8.8.8/"]
        assert site.deliveries() == owed


def test_a_blog_that_is_private_itself_is_told_what_to_open() -> None:
    with Site("http://localhost", store="sqlite://", fetch=Fetcher(), runner=External()) as site:
        site.publish("http://localhost/post", linking("http://127.0.0.1/note"))
        site.drain(patience=5)
        assert "127.0.0.1 is not a public address" in only(site).detail


def test_a_name_that_may_be_public_is_told_and_judged_when_it_is_asked(clock: FakeClock) -> None:
    """What it means only a look-up tells; then it is refused, and the row says why (G1)."""
    fetch = Fetcher(resolver=lambda *asked, **more: [(2, 1, 6, "", ("10.1.2.3", 443))])
    with Site("https://s.example", store="sqlite://", fetch=fetch, clock=clock, runner=External()) as site:
        site.publish(S, LINKS_T)
        site.drain(patience=5)
        assert (only(site).outcome, "10.1.2.3 is not a public address" in only(site).detail) == (Outcome.REFUSED, True)


def few(database: str, web: FakeWeb, clock: FakeClock, **hooks: Any) -> Site:
    return a_site(database, web, clock, outgoing=Outgoing(most_told=3, most_told_a_host=2, host_seconds=0), **hooks)


def test_links_that_are_not_told_of_send_nothing(database: str, web: FakeWeb, clock: FakeClock) -> None:
    web.pages |= dict.fromkeys(at("a", 1, 2), "<p>no endpoint")
    with few(database, web, clock) as site:
        dry = site.publish(S, linking(*at("a", 1, 2, 3)), dry_run=True)
        assert split(dry) == (at("a", 1, 2), at("a", 3))
        owed = site.publish(S, linking(*at("a", 1, 2, 3)))
        assert [replace(one, id="") for one in owed] == dry
        site.drain(patience=5)
        assert web.requested == at("a", 1, 2)
        assert site.publish(S, linking(*at("a", 1, 2, 3))) == []
        assert [one.outcome for one in site.deliveries()] == [Outcome.NO_ENDPOINT] * 2 + [Outcome.WITHDRAWN]
        assert waits(site, clock) is None


def test_an_edit_keeps_those_told_and_fills_up_with_the_next(database: str, web: FakeWeb, clock: FakeClock) -> None:
    """Whoever was told hears of every edit and of the end; a place that a link leaves is another's."""
    web.pages |= dict.fromkeys(at("a", 1, 2, 3, 4), LISTENING[WM]) | {WM: Response(202)}
    with few(database, web, clock) as site:
        site.publish(S, linking(*at("a", 2, 3)))
        site.drain(patience=5)
        owed = site.publish(S, linking(*at("a", 1, 2, 3)))
        assert [(one.target, one.cause, one.outcome) for one in owed] == [
            (at("a", 1)[0], Cause.NEW, Outcome.WITHDRAWN),
            (at("a", 2)[0], Cause.UPDATE, Outcome.QUEUED),
            (at("a", 3)[0], Cause.UPDATE, Outcome.QUEUED),
        ]
        site.drain(patience=5)
        owed = site.publish(S, linking(*at("a", 4, 1, 3)))
        assert {(one.target, one.cause, one.outcome) for one in owed} == {
            (at("a", 4)[0], Cause.NEW, Outcome.QUEUED),
            (at("a", 3)[0], Cause.UPDATE, Outcome.QUEUED),
            (at("a", 2)[0], Cause.REMOVED, Outcome.QUEUED),
        }
        site.drain(patience=5)
        web.pages[S] = Response(410)
        assert {one.target for one in site.unpublish(S)} == set(at("a", 3, 4))


def test_a_post_that_is_to_come_out_tells_no_more_than_another(database: str, web: FakeWeb, clock: FakeClock) -> None:
    with few(database, web, clock) as site:
        for days in (1, 2):
            owed = site.publish(S, linking(*at("a", 1, 2, 3)), at=clock() + timedelta(days=days), force=True)
        clock.advance(2 * 86_400)
        site.drain(patience=5)
        assert web.requested == at("a", 1, 2)
    assert split(owed)[1] == []


def test_whoever_allows_more_has_the_rest_told_by_force(database: str, web: FakeWeb, clock: FakeClock) -> None:
    with few(database, web, clock) as site:
        site.publish(S, linking(*at("a", 1, 2, 3)))
        site.drain(patience=5)
    with a_site(database, web, clock) as site:
        site.publish(S, linking(*at("a", 1, 2, 3)), force=True)
        assert site.drain(patience=5) == 3
        assert set(web.requested[2:]) == set(at("a", 1, 2, 3))


# turns at a host, and what is remembered of it

SECOND = "https://t.example/second"
BOTH = f"<a href='{T}'>1</a> <a href='{SECOND}'>2</a>"


def test_a_host_gets_one_notice_at_a_time(database: str, web: FakeWeb, clock: FakeClock) -> None:
    """VB-75, B-12: three targets on one endpoint host, a second apart."""
    sent: list[float] = []
    began = clock()

    def receive(request: Request) -> Response:
        sent.append((clock() - began).total_seconds())
        return Response(202)

    targets = [f"https://t{number}.example/" for number in range(3)]
    web.pages |= dict.fromkeys(targets, LISTENING[WM]) | {WM: receive}
    with Site(
        "https://s.example", store=database, fetch=web, clock=clock, pause=clock.advance, runner=External()
    ) as at:
        at.publish(S, " ".join(f"<a href='{target}'>" for target in targets))
        at.drain()
    assert sent == [0, 1, 2]


def test_a_host_that_is_busy_longer_is_left_for_later_and_nothing_is_counted(site: Site, web: FakeWeb) -> None:
    def receive(request: Request) -> Response:
        web.pages[WM] = Response(202)
        assert site.drain() > 0, "the other was looked at, and put off"
        return Response(202)

    web.pages |= {T: LISTENING[WM], U: LISTENING[WM], WM: receive}
    site.publish(S, f"<a href='{T}'>1</a> <a href='{U}'>2</a>")
    site.drain(patience=5)
    assert [(one.outcome, one.attempts) for one in site.deliveries()] == [(Outcome.ACCEPTED, 1)] * 2


def test_draining_with_patience_makes_what_comes_due_meanwhile(site: Site, web: FakeWeb) -> None:
    web.pages |= {T: LISTENING[WM], SECOND: LISTENING[WM], WM: Response(202)}
    site.publish(S, BOTH)
    assert site.drain() == 1
    assert site.drain(patience=5) == 1


def test_a_host_that_wants_rest_gets_it_from_every_delivery(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """B-12."""
    web.pages |= {T: LISTENING[WM], SECOND: LISTENING[WM]}
    web.pages[WM] = answers(Response(429, (("Retry-After", "300"),)), Response(202), Response(202))
    site.publish(S, BOTH)
    site.drain(patience=5)
    assert len(web.posts) == 1
    clock.advance(310)
    site.drain(patience=5)
    assert [one.outcome for one in site.deliveries()] == [Outcome.ACCEPTED] * 2


def remembered(*headers: tuple[str, str]) -> Response:
    return Response(200, (HTML, ("Cache-Control", "max-age=600"), *headers))


def test_a_page_is_asked_once_while_its_answer_holds(site: Site, web: FakeWeb) -> None:
    """VA-104, A-12."""
    web.pages |= {T: remembered(("Link", f"<{WM}>; rel=webmention")), WM: Response(202)}
    for note in ("1", "2"):
        site.publish(f"https://s.example/{note}", LINKS_T)
    site.drain(patience=5)
    assert web.requested.count(T) == 1
    assert len(web.posts) == 2


def test_the_next_language_is_spoken_when_its_host_has_rested(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """B-9, B-12: the first endpoint was none, and the second's host wants to be left alone for now."""
    rpc = "https://other.example/rpc"
    busy = answers(Response(503, (("Retry-After", "600"),)), fault(48), fault(48))
    web.pages |= {U: Response(200, (HTML, ("X-Pingback", rpc))), rpc: busy, WM: Response(404)}
    web.pages[T] = Response(200, (HTML, ("Link", f"<{WM}>; rel=webmention"), ("X-Pingback", rpc)))
    site.publish("https://s.example/other", f"<a href='{U}'>")
    site.drain(patience=5)
    site.publish(S, LINKS_T)
    site.drain(patience=5)
    assert (site.deliveries(S)[0].outcome, site.deliveries(S)[0].attempts) == (Outcome.QUEUED, 0)
    clock.advance(700)
    site.drain(patience=5)
    assert [(one.outcome, one.protocol) for one in site.deliveries()] == [(Outcome.SENT, "pingback")] * 2


def test_a_crash_at_an_endpoint_that_is_none_leads_on_to_the_next_language(
    site: Site, web: FakeWeb, clock: FakeClock
) -> None:
    """B-9: what is no endpoint has taken nothing."""
    web.pages[T] = Response(200, (HTML, ("Link", f"<{WM}>; rel=webmention"), ("X-Pingback", PB)))
    web.pages |= {WM: answers(Killed(), Response(404)), PB: fault(48)}
    site.publish(S, LINKS_T)
    with pytest.raises(Killed):
        site.drain()
    clock.advance(LEASE_SECONDS)
    site.drain(patience=5)
    assert (only(site).outcome, only(site).protocol) == (Outcome.SENT, "pingback")


def test_a_post_that_is_edited_each_time_it_is_told_is_not_given_up(site: Site, web: FakeWeb) -> None:
    versions = iter(range(MOST_ATTEMPTS + 3))

    def receive(request: Request) -> Response:
        if (number := next(versions, None)) is not None:
            site.publish(S, f"{LINKS_T} {number}")
        return Response(202)

    web.pages |= {T: LISTENING[WM], WM: receive}
    site.publish(S, LINKS_T)
    site.drain(patience=5)
    assert (only(site).outcome, only(site).attempts) == (Outcome.ACCEPTED, 1)
    assert len(web.posts) == MOST_ATTEMPTS + 4


def test_an_endpoint_that_is_none_is_asked_once_however_slow_its_host_wants_us(
    database: str, web: FakeWeb, clock: FakeClock
) -> None:
    """B-9, B-12: both endpoints stand on one host, and the turn of the second comes later than a worker waits."""
    web.pages[T] = Response(200, (HTML, ("Link", f"<{WM}>; rel=webmention"), ("X-Pingback", PB)))
    web.pages |= {WM: Response(404), PB: fault(48)}
    slow = Outgoing(host_seconds=60)
    with Site("https://s.example", store=database, fetch=web, clock=clock, outgoing=slow, runner=External()) as site:
        site.publish(S, LINKS_T)
        for _ in range(5):
            site.drain()
            clock.advance(60)
        assert only(site).outcome is Outcome.SENT
    assert [post.url for post in web.posts] == [WM, PB]


def test_a_target_that_wants_rest_gets_it(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """B-12: also where the page itself says so."""
    web.pages[T] = Response(503, (("Retry-After", "300"),))
    site.publish(S, LINKS_T)
    site.drain()
    assert waits(site, clock) == 300


def test_an_edit_in_the_hosts_transaction_sees_what_a_worker_did(site: Site, database: str, web: FakeWeb) -> None:
    """Else the worker's success would be undone, and the pingback sent twice."""
    told(site, web, PB)
    engine = sqlalchemy.create_engine(database)
    with engine.begin() as connection:
        assert site.publish(S, LINKS_T + "!", connection=connection) == []
        impatient = f"{database}?timeout=0.1"
        other = Site("https://s.example", store=impatient, fetch=web, runner=External())
        with other, pytest.raises(StoreError, match="locked"):
            other.publish(S, LINKS_T + "?")
    engine.dispose()


def test_a_clock_that_stands_still_ends_a_drain(database: str, web: FakeWeb, clock: FakeClock) -> None:
    """In a user's test, say: nothing waits for ever."""
    web.pages |= {T: LISTENING[WM], SECOND: LISTENING[WM], WM: Response(202)}
    pauses: list[float] = []
    with Site(
        "https://s.example", store=database, fetch=web, clock=clock, pause=pauses.append, runner=External()
    ) as site:
        site.publish(S, BOTH)
        site.drain(patience=5)
    assert len(pauses) < 5


@pytest.mark.parametrize("status", [404, 405, 410, 501])
def test_an_endpoint_from_memory_that_is_none_is_looked_for_again(site: Site, web: FakeWeb, status: int) -> None:
    """B-38, B-53: rediscover once bypassing the memory; send again only where the endpoint changed."""
    web.pages |= {T: remembered(("Link", f"<{WM}>; rel=webmention")), WM: Response(202)}
    site.publish(S, LINKS_T)
    site.drain()
    elsewhere = "https://elsewhere.example/wm"
    web.pages |= {WM: Response(status), T: remembered(("Link", f"<{elsewhere}>; rel=webmention"))}
    web.pages[elsewhere] = Response(202)
    site.publish("https://s.example/second", LINKS_T)
    site.drain(patience=5)
    assert site.deliveries()[-1].endpoint == elsewhere
    web.requests.clear()
    web.pages[elsewhere] = Response(status)
    site.publish("https://s.example/third", LINKS_T)
    site.drain(patience=5)
    assert len(web.posts) == 1, "it is where it was"


# delivering


def test_a_delivery_says_how_it_ended(site: Site, web: FakeWeb) -> None:
    web.pages |= {T: LISTENING[WM], WM: Response(201, (("Location", "/st/1"),), b"queued")}
    [owed] = site.publish(S, LINKS_T)
    assert site.drain() == 1
    assert only(site) == Delivery(
        source=S,
        target=T,
        protocol="webmention",
        endpoint=WM,
        outcome=Outcome.ACCEPTED,
        code=201,
        detail="queued",
        status_url="https://t.example/st/1",
        attempts=1,
        id=owed.id,
        told="webmention",
    )
    assert site.store.next_due() is None


def test_a_trackback_carries_the_name_of_the_blog(site: Site, web: FakeWeb) -> None:
    web.pages |= {T: LISTENING[TB], TB: TB_OK}
    site.publish(S, LINKS_T)
    site.drain()
    assert dict(read_form(web.posts[0]))[b"blog_name"] == b"Mine"


def test_one_failure_does_not_keep_the_others(site: Site, web: FakeWeb) -> None:
    web.pages |= {T: Blocked(T, "private"), U: LISTENING[WM], WM: Response(202)}
    site.publish(S, f"<a href='{T}'><a href='https://quiet.example/'><a href='{U}'>")
    assert site.drain() == 3
    assert [delivery.outcome for delivery in site.deliveries()] == [
        Outcome.REFUSED,
        Outcome.REFUSED,
        Outcome.ACCEPTED,
    ]


# trying again: what the receiver answers, and the seconds between its requests


@pytest.mark.parametrize(
    ("endpoint", "given", "pauses", "outcome"),
    [
        pytest.param(PB, [fault(16)] * 3, [60, 60], Outcome.REFUSED, id="VB-12"),
        pytest.param(PB, [fault(17)] * 2, [60], Outcome.REFUSED, id="VB-13"),
        pytest.param(PB, [fault(0)] * 2, [60], Outcome.REFUSED, id="VB-11"),
        pytest.param(PB, [fault(16), fault(48)], [60], Outcome.SENT, id="B-39 16 then 48"),
        pytest.param(PB, [fault(33)], [], Outcome.REFUSED, id="VB-14"),
        pytest.param(PB, [fault(50), fault(48)], [60], Outcome.SENT, id="VB-15"),
        pytest.param(PB, [TimedOut(PB, "silence", sent=True), fault(48)], [60], Outcome.SENT, id="VB-62"),
        pytest.param(PB, [TimedOut(PB, "silence", sent=True)] * 2, [60], Outcome.UNKNOWN, id="B-11 once"),
        pytest.param(TB, [TimedOut(TB, "silence", sent=True)], [], Outcome.UNKNOWN, id="VB-63"),
        pytest.param(TB, [Response(503), TB_OK], [60], Outcome.SENT, id="B-48"),
        pytest.param(WM, [Response(500)] * 3, [60, 600], Outcome.FAILED, id="VB-57"),
        pytest.param(WM, [Response(500), Response(202)], [60], Outcome.ACCEPTED, id="B-54"),
        pytest.param(WM, [Response(400)], [], Outcome.REFUSED, id="VB-55"),
        pytest.param(WM, [unreachable(WM)] * 3, [60, 600], Outcome.FAILED, id="B-13"),
        pytest.param(
            WM, [Response(429, (("Retry-After", "300"),)), Response(202)], [300], Outcome.ACCEPTED, id="VB-49"
        ),
        pytest.param(
            WM, [Response(429, (("Retry-After", "5"),)), Response(202)], [60], Outcome.ACCEPTED, id="B-12 too soon"
        ),
    ],
)  # fmt: skip
def test_each_answer_has_its_schedule(
    site: Site,
    web: FakeWeb,
    clock: FakeClock,
    endpoint: str,
    given: list[Response | BaseException],
    pauses: list[int],
    outcome: Outcome,
) -> None:
    """protocols.md B-13, B-39."""
    web.pages |= {T: LISTENING[endpoint], endpoint: answers(*given)}
    site.publish(S, LINKS_T)
    for number, pause in enumerate(pauses, start=1):
        assert site.drain() == 1
        assert only(site).attempts == number
        assert waits(site, clock) == pause
        clock.advance(pause - 1)
        assert site.drain() == 0, "too soon"
        clock.advance(1)
    assert site.drain() == 1
    assert only(site).outcome is outcome
    assert len(web.posts) == len(given)
    assert site.store.next_due() is None


def test_a_target_that_cannot_be_read_is_asked_again(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """protocols.md A-7."""
    web.pages |= {T: answers(Response(503), LISTENING[WM]), WM: Response(202)}
    site.publish(S, LINKS_T)
    site.drain()
    assert (only(site).outcome, only(site).code, waits(site, clock)) == (Outcome.FAILED, 503, 60)
    clock.advance(60)
    site.drain()
    assert only(site).outcome is Outcome.ACCEPTED


def test_what_may_have_arrived_is_not_told_again_in_another_language(
    site: Site, web: FakeWeb, clock: FakeClock
) -> None:
    """Else the receiver could list it twice (protocols.md B-8, B-11)."""
    both = Response(200, (HTML, ("Link", f"<{WM}>; rel=webmention"), ("X-Pingback", PB)))
    web.pages |= {T: both, WM: answers(TimedOut(WM, "silence", sent=True), unreachable(WM)), PB: fault(48)}
    site.publish(S, LINKS_T)
    site.drain()
    assert only(site).outcome is Outcome.UNKNOWN
    for _ in range(3):
        clock.advance(600)
        site.drain()
    assert {post.url for post in web.posts} == {WM}
    assert only(site).outcome is Outcome.UNKNOWN


SILENT = TimedOut(WM, "silence", sent=True)


@pytest.mark.parametrize(
    ("target", "receiver", "told", "detail", "tries"),
    [
        pytest.param(unreachable(T), None, Outcome.UNKNOWN, "connection refused", 3, id="target is away"),
        pytest.param(Response(404), None, Outcome.UNKNOWN, "the server answered 404", 2, id="target is gone"),
        pytest.param("<p>", None, Outcome.UNKNOWN, "the target advertises no endpoint", 2, id="no endpoint any more"),
        pytest.param(LISTENING[PB], None, Outcome.UNKNOWN, "the target advertises no endpoint", 2, id="other language"),
        pytest.param(LISTENING[WM], unreachable(WM), Outcome.UNKNOWN, "connection refused", 3, id="receiver is away"),
        pytest.param(LISTENING[WM], Response(503), Outcome.UNKNOWN, "", 3, id="receiver is busy"),
        pytest.param(LISTENING[WM], Blocked(WM, "private"), Outcome.UNKNOWN, "private", 2, id="receiver is inside"),
        pytest.param(LISTENING[WM], SILENT, Outcome.UNKNOWN, "the receiver may have got it", 2, id="silent again"),
        pytest.param(LISTENING[WM], Response(400), Outcome.REFUSED, "", 2, id="receiver says no"),
        pytest.param(LISTENING[WM], Response(202), Outcome.ACCEPTED, "", 2, id="receiver says yes"),
    ],
)
def test_what_may_have_arrived_stays_unknown_until_its_receiver_answers(
    site: Site,
    web: FakeWeb,
    clock: FakeClock,
    target: Answering,
    receiver: Response | FetchError | None,
    told: Outcome,
    detail: str,
    tries: int,
) -> None:
    """protocols.md B-11: that nothing was sent now says nothing of what was sent before; what may pass is tried on."""
    web.pages |= {T: LISTENING[WM], WM: SILENT, PB: fault(48)}
    site.publish(S, LINKS_T)
    site.drain()
    web.pages[T] = target
    if receiver is not None:
        web.pages[WM] = receiver
    while (due := site.store.next_due()) is not None:
        clock.now = max(clock.now, due)
        site.drain()
        assert (only(site).again >= only(site).attempts) is (site.store.next_due() is not None), "it says whether"
    assert (only(site).outcome, only(site).protocol, only(site).attempts) == (told, "webmention", tries)
    assert detail in only(site).detail
    assert {post.url for post in web.posts} == {WM}


def test_a_worker_that_took_too_long_leaves_the_post_to_the_next(
    site: Site, web: FakeWeb, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Both would have sent it."""

    def slow(request: Request) -> Response:
        web.pages[T] = LISTENING[WM]
        clock.advance(LEASE_SECONDS)
        assert site.drain() == 1
        return LISTENING[WM]

    web.pages |= {T: slow, WM: Response(202)}
    site.publish(S, LINKS_T)
    assert site.drain() == 1
    assert len(web.posts) == 1
    assert (only(site).outcome, only(site).attempts) == (Outcome.ACCEPTED, 2)
    assert "another worker" in caplog.text


def test_slow_endpoints_do_not_outlive_the_lease(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """Each POST holds the job anew: three of a minute each, and nobody else sends meanwhile."""

    def slow(request: Request) -> Response:
        assert site.drain() == 0
        clock.advance(60)
        assert site.drain() == 0
        return Response(404)

    headers = (HTML, ("Link", f"<{WM}>; rel=webmention"), ("X-Pingback", PB))
    web.pages |= {T: Response(200, headers, f"<link rel=trackback href={TB}>".encode()), WM: slow, PB: slow, TB: slow}
    site.publish(S, LINKS_T)
    assert site.drain() == 1
    assert [post.url for post in web.posts] == [WM, PB, TB]
    assert (only(site).outcome, only(site).attempts) == (Outcome.REFUSED, 1)


@pytest.mark.parametrize("deaths", [1, MOST_ATTEMPTS])
def test_what_arrived_by_a_worker_that_was_too_slow_is_not_sent_again(
    site: Site, web: FakeWeb, clock: FakeClock, deaths: int
) -> None:
    """Nor is it called a failure, however many workers died meanwhile."""

    def slow(request: Request) -> Response:
        clock.advance(LEASE_SECONDS)
        # others take the job, and die before they do anything
        assert [len(site.store.lease(clock(), clock())) for _ in range(deaths)] == [1] * deaths
        return Response(202)

    web.pages |= {T: LISTENING[WM], WM: slow}
    site.publish(S, LINKS_T)
    assert site.drain() == 2
    assert len(web.posts) == 1
    assert only(site).outcome is Outcome.ACCEPTED
    assert site.store.next_due() is None


# dying


def killed_while(receiver: str, site: Site, web: FakeWeb, clock: FakeClock, *then: Response) -> None:
    """Publish, and die while the receiver reads the ping; then let the lease end."""
    web.pages |= {T: LISTENING[receiver], receiver: answers(Killed(), *then)}
    site.publish(S, LINKS_T)
    with pytest.raises(Killed):
        site.drain()
    assert site.drain() == 0, "the lease of the dead worker still holds"
    clock.advance(LEASE_SECONDS)


@pytest.mark.parametrize(("receiver", "reply"), [(WM, Response(202)), (PB, fault(48))])
def test_a_crash_between_post_and_record_repeats_what_takes_a_repeat(
    site: Site, web: FakeWeb, clock: FakeClock, receiver: str, reply: Response
) -> None:
    """VB-62: at most one notice too many, never one too few."""
    killed_while(receiver, site, web, clock, reply)
    assert site.drain() == 1
    assert only(site).outcome in (Outcome.SENT, Outcome.ACCEPTED)
    assert only(site).attempts == 2
    assert len(web.posts) == 2


def test_a_crash_between_post_and_record_does_not_repeat_a_trackback(
    site: Site, web: FakeWeb, clock: FakeClock
) -> None:
    """VB-63: the receiver would list it twice."""
    killed_while(TB, site, web, clock)
    assert site.drain() == 1
    assert (only(site).outcome, only(site).protocol) == (Outcome.UNKNOWN, "trackback")
    assert "interrupted" in only(site).detail
    assert len(web.posts) == 1
    assert site.store.next_due() is None


def test_a_crash_in_a_language_that_is_not_spoken_any_more_is_not_repeated(
    site: Site, web: FakeWeb, clock: FakeClock, database: str
) -> None:
    killed_while(WM, site, web, clock)
    with Site(
        "https://s.example", store=database, fetch=web, clock=clock, runner=External(), protocols=BUILTIN[1:]
    ) as other:
        other.drain()
        assert only(other).outcome is Outcome.UNKNOWN


def test_a_crash_before_the_post_loses_nothing(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """The mark is set right before the POST, after the source was described."""
    web.pages |= {T: LISTENING[TB], S: answers(Killed(), Response(200, (HTML,), LINKS_T.encode())), TB: TB_OK}
    site.publish(S, LINKS_T)
    with pytest.raises(Killed):
        site.drain()
    clock.advance(LEASE_SECONDS)
    site.drain()
    assert only(site).outcome is Outcome.SENT
    assert len(web.posts) == 1


def test_a_delivery_that_kills_its_workers_is_given_up(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    site.publish(S, LINKS_T)
    for _ in range(MOST_ATTEMPTS):
        site.store.lease(clock(), clock())
    assert site.drain() == 1
    assert (only(site).outcome, only(site).attempts) == (Outcome.FAILED, MOST_ATTEMPTS + 1)
    assert web.requests == []
    assert site.store.next_due() is None


def test_a_delivery_that_was_in_flight_when_given_up_is_unknown(site: Site, clock: FakeClock) -> None:
    site.publish(S, LINKS_T)
    for _ in range(MOST_ATTEMPTS):
        [job] = site.store.lease(clock(), clock())
        site.store.begin_post(job, only(site), "webmention", WM, now=clock(), until=clock(), gap=timedelta(0))
    site.drain()
    assert only(site).outcome is Outcome.UNKNOWN


def test_a_store_that_fails_before_the_post_sends_nothing(
    site: Site, web: FakeWeb, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **more: object) -> None:
        raise StoreError("disk full")

    web.pages |= {T: LISTENING[TB], TB: TB_OK}
    site.publish(S, LINKS_T)
    with monkeypatch.context() as patch:
        patch.setattr(site.store, "begin_post", full)
        with pytest.raises(StoreError):
            site.drain()
    assert web.posts == []
    clock.advance(LEASE_SECONDS)
    site.drain()
    assert only(site).outcome is Outcome.SENT


def test_a_page_that_breaks_a_reader_is_given_up_after_its_tries(
    site: Site, web: FakeWeb, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And the next delivery is made all the same."""

    def broken(page: object, signposts: object, target: str = "") -> None:
        raise RuntimeError("parser bug")

    web.pages |= {T: "<p>", U: unreachable(U)}
    site.publish(S, f"<a href='{T}'><a href='{U}'>")
    monkeypatch.setattr("linkback.sender.discovery.find", broken)
    for pause in (60, 600, 0):
        assert site.drain() == 2
        clock.advance(pause)
    first, second = site.deliveries()
    assert (first.outcome, first.detail) == (Outcome.FAILED, "an internal error, see the log")
    assert (second.outcome, second.detail) == (Outcome.FAILED, "connection refused")
    assert site.store.next_due() is None
    errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert errors == ["deliver 1 failed"] * 3


def test_a_job_without_its_delivery_ends(
    site: Site, database: str, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A row that somebody deleted by hand does not keep a worker busy for ever."""
    site.publish(S, LINKS_T)
    site.publish(S, f"<a href='{U}'>")
    engine = sqlalchemy.create_engine(database)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM linkback_deliveries")
        connection.exec_driver_sql(f"UPDATE linkback_jobs SET attempts = {MOST_ATTEMPTS} WHERE id = 2")
    engine.dispose()
    with caplog.at_level(logging.WARNING):
        assert site.drain() == 2
    assert caplog.text.count("no longer exists") == 2
    assert site.store.next_due() is None


def test_what_was_owed_is_made_by_the_next_process(database: str, web: FakeWeb, clock: FakeClock) -> None:
    web.pages |= {T: LISTENING[WM], WM: Response(202)}
    with a_site(database, web, clock) as first:
        first.publish(S, LINKS_T)
    with a_site(database, web, clock) as second:
        assert second.drain() == 1
        assert only(second).outcome is Outcome.ACCEPTED


# the hook


@pytest.mark.parametrize(
    ("replies", "waits", "heard"),
    [
        pytest.param([Response(202)], [], [Outcome.ACCEPTED], id="taken"),
        pytest.param([Response(400)], [], [Outcome.REFUSED], id="refused"),
        pytest.param([Response(503), Response(202)], [61], [Outcome.ACCEPTED], id="taken at the second try"),
        pytest.param([Response(503)] * 3, [61, 601], [Outcome.FAILED], id="failed for good"),
    ],
)
def test_the_host_hears_once_how_each_delivery_ended(
    database: str, web: FakeWeb, clock: FakeClock, replies: list[Response], waits: list[int], heard: list[Outcome]
) -> None:
    told: list[Delivery] = []
    web.pages |= {T: LISTENING[WM], WM: answers(*replies)}
    with a_site(database, web, clock, on_delivery=told.append) as site:
        site.publish(S, LINKS_T)
        site.drain()
        for seconds in waits:
            assert told == [], "it will be tried again"
            clock.advance(seconds)
            site.drain()
        assert [delivery.outcome for delivery in told] == heard
        assert told[0].id == only(site).id


def test_a_hook_for_deliveries_that_raises_does_no_harm(
    database: str, web: FakeWeb, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    def hook(delivery: Delivery) -> None:
        raise RuntimeError("the host's bug")

    web.pages |= {T: LISTENING[WM], WM: Response(202)}
    with a_site(database, web, clock, on_delivery=hook) as site:
        site.publish(S, LINKS_T)
        site.drain()
        assert only(site).outcome is Outcome.ACCEPTED
        assert "the host's bug" in caplog.text
