"""From a post to its deliveries: what is owed is recorded, made once, and ends in a row that says how."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy

from linkback.errors import Blocked, FetchError, Refused, SourceGone, StoreError, TimedOut
from linkback.forms import read_form
from linkback.jobs import External
from linkback.model import Delivery, Outcome
from linkback.policy import Retry
from linkback.protocols import BUILTIN, xmlrpc
from linkback.site import LEASE_SECONDS, MOST_ATTEMPTS, Site
from linkback.testing import Answering, FakeClock, FakeWeb, unreachable
from linkback.wire import Request, Response

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


def a_site(database: str, web: FakeWeb, clock: FakeClock) -> Site:
    retry = Retry(delays=(60.0, 600.0), jitter=0.0)
    return Site(
        "https://s.example", store=database, fetch=web, clock=clock, retry=retry, runner=External(), name="Mine"
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


def test_a_changed_post_owes_only_what_is_new(site: Site, web: FakeWeb) -> None:
    """VB-67: a pingback has no update."""
    web.pages |= {T: LISTENING[PB], PB: fault(48)}
    site.publish(S, LINKS_T)
    site.drain()
    assert [owed.target for owed in site.publish(S, f"<a href='{U}'>")] == [U]
    site.drain()
    assert [post.url for post in web.posts] == [PB]


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
        site.store.begin_post(job, "webmention", WM, until=clock())
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
