"""One fetch answers all that wait for a source: each claim has its own verdict, and none is cheated of its time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from linkback import siblings
from linkback.errors import Reason, TimedOut
from linkback.jobs import Embedded, External
from linkback.model import Claim, ClaimState, JobKind, Mention
from linkback.policy import Policy, Retry
from linkback.site import Site
from linkback.store import Storage, open_store
from linkback.testing import FakeClock, FakeWeb
from linkback.wire import Request, Response
from linkback.work import LEASE_SECONDS
from tests.patience import until

S = "https://s.example/note"
SITE = "https://t.example/"
HTML = (("Content-Type", "text/html"),)
NOTHING = "<p>I like nothing.</p>"
SUCCESS, QUEUED = (ClaimState.SUCCESS, None), (ClaimState.QUEUED, None)
MISSING = (ClaimState.QUEUED, Reason.NO_BACKLINK)
FAILED = (ClaimState.FAILED, Reason.NO_BACKLINK)
State = tuple[ClaimState, Reason | None]
Make = Callable[..., Site]


def page(number: object) -> str:
    """A page of ours."""
    return f"{SITE}{number}"


def linking(*numbers: object, title: str = "Note") -> str:
    """A source that links to some of them."""
    return f"<title>{title}</title>" + "".join(f"<p>I like <a href='{page(each)}'>this</a>.</p>" for each in numbers)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def web() -> FakeWeb:
    return FakeWeb({S: linking(1, 2, 3)})


@pytest.fixture
def store() -> Iterator[Storage]:
    store = open_store("sqlite://")
    yield store
    store.close()


@pytest.fixture
def make(web: FakeWeb, store: Storage, clock: FakeClock) -> Make:
    """A site over the same store, with the settings given."""

    def make(**more: Any) -> Site:
        policy = Policy(
            settle_seconds=0, site_seconds=0, host_queue_hours=100, recheck_days=more.pop("recheck_days", 0)
        )
        retry = Retry(delays=(60.0, 600.0), jitter=0.0)
        given: dict[str, Any] = {"store": store, "fetch": web, "runner": External(), **more}
        return Site(SITE, clock=clock, policy=policy, retry=retry, **given)

    return make


@pytest.fixture
def site(make: Make) -> Site:
    return make()


def receive(site: Site, *targets: object, protocol: str = "webmention", source: str = S) -> list[str]:
    """Take a claim for each of some pages of ours; the ids."""
    return [site.receive(Claim(protocol, source, page(target))).id for target in targets]


def state(site: Site, id: str) -> State:
    """How a claim stands."""
    found = site.claim(id)
    assert found is not None
    return found.state, found.reason


def states(site: Site, ids: list[str]) -> list[State]:
    return [state(site, id) for id in ids]


# one look for all


def test_each_claim_of_a_source_has_its_own_verdict_by_one_fetch(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    web.pages[S] = linking(1, "2#part", 4)
    ids = receive(site, 1, "2#part", "2#other", 3)
    ids += receive(site, 4, protocol="pingback")
    # the same request brings it
    ids += receive(site, 5, source="HTTPS://s.example:443/note#top")
    site.drain()
    assert web.requested == [S]
    assert states(site, ids) == [SUCCESS, SUCCESS, FAILED, MISSING, SUCCESS, MISSING]
    proven = {mention.target: mention.protocols for mention in site.mentions()}
    assert proven == {page(1): ("webmention",), page("2#part"): ("webmention",), page(4): ("pingback",)}


def test_a_source_that_is_asked_for_in_other_escapes_answers_for_itself(site: Site, web: FakeWeb) -> None:
    """It is the same page by the letter of the law, not for each server: strangers could have friends not found."""
    web.pages[S], spelled = linking(1), "https://s.example/n%6Fte"
    ids = [*receive(site, 2, source=spelled), *receive(site, 1), *receive(site, 1, source=spelled)]
    site.drain()
    assert sorted(web.requested) == sorted([spelled, S])
    assert states(site, ids)[1:] == [SUCCESS, SUCCESS]


def test_a_source_that_names_thousands_of_pages_is_fetched_once(site: Site, web: FakeWeb) -> None:
    """However many of them it links to."""
    number = 2000
    web.pages[S] = linking(*range(0, number, 10))
    ids = receive(site, *range(number))
    assert site.drain() == 1
    assert web.requested == [S]
    assert states(site, ids) == [MISSING if each % 10 else SUCCESS for each in range(number)]
    assert site.store.backlog(site.store.next_due() or FakeClock()()).due == 1


def test_turns_that_siblings_do_not_need_are_had_by_other_pages_of_their_host(
    make: Make, web: FakeWeb, clock: FakeClock
) -> None:
    """Else one source with many targets would keep its host's other pages waiting for a day."""
    site = make()
    web.pages[S] = linking(1)
    ids = receive(site, *range(500))
    site.drain()
    clock.advance(60)
    other = "https://s.example/other"
    web.pages[other] = linking(1)
    [id] = receive(site, 1, source=other)
    site.drain()
    assert (state(site, id), states(site, ids[1:2])) == (SUCCESS, [SUCCESS])


def test_other_sources_and_other_sites_are_looked_at_for_themselves(
    make: Make, web: FakeWeb, store: Storage, clock: FakeClock
) -> None:
    other = "https://s.example/other"
    web.pages[other] = linking(2)
    site = make()
    second = Site("https://o.example/", store=store, fetch=web, clock=clock, runner=External())
    ids = [*receive(site, 1), *receive(site, 2, source=other)]
    theirs = second.receive(Claim("webmention", S, "https://o.example/1")).id
    clock.advance(5)
    site.drain(patience=5)
    assert states(site, ids) == [SUCCESS, SUCCESS]
    assert (web.requested, state(second, theirs)) == ([S, other], QUEUED)


@pytest.mark.parametrize(
    ("answer", "reason", "fetches"),
    [
        (TimedOut(S, "too slow"), Reason.SOURCE_UNREADABLE, [0, 60, 660]),
        (Response(503), Reason.SOURCE_UNREADABLE, [0, 60, 660]),
        (Response(403), Reason.SOURCE_UNREADABLE, [0]),
        (Response(410), Reason.SOURCE_GONE, [0]),
        (Response(404), Reason.SOURCE_MISSING, [0, 30]),
        (NOTHING, Reason.NO_BACKLINK, [0, 30]),
    ],
    ids=["slow", "busy", "forbidden", "gone", "missing", "no link"],
)
def test_what_failed_is_a_failure_for_all_and_is_tried_again_for_all_at_once(
    site: Site, web: FakeWeb, clock: FakeClock, answer: Any, reason: Reason, fetches: list[int]
) -> None:
    began, times = clock(), list[float]()

    def fetched(request: Request) -> Response:
        times.append((clock() - began).total_seconds())
        if isinstance(answer, Exception):
            raise answer
        return Response(200, HTML, answer.encode()) if isinstance(answer, str) else answer

    web.pages[S] = fetched
    ids = receive(site, *range(60))
    while (due := site.store.next_due()) is not None:
        clock.now = max(clock.now, due)
        site.drain()
    assert times == fetches
    assert states(site, ids) == [(ClaimState.FAILED, reason)] * 60


def test_a_mention_that_is_known_changes_or_goes_as_by_a_check_of_its_own(
    make: Make, web: FakeWeb, clock: FakeClock
) -> None:
    told, removed = list[Mention](), list[Mention]()
    site = make(on_mention=told.append, on_removed=removed.append)
    receive(site, 1, 2, 3)
    site.drain()
    assert sorted(mention.target for mention in told) == [page(1), page(2), page(3)]
    clock.advance(60)
    web.pages[S] = linking(1, 2, title="Better")
    ids = receive(site, 1, 2, 3)
    told.clear()
    site.drain()
    clock.advance(40)
    site.drain()
    assert states(site, ids) == [
        (ClaimState.UPDATED, None),
        (ClaimState.UPDATED, None),
        (ClaimState.DELETED, Reason.NO_BACKLINK),
    ]
    assert sorted((mention.target, mention.title) for mention in told) == [(page(1), "Better"), (page(2), "Better")]
    assert [mention.target for mention in removed] == [page(3)]
    assert len(web.requested) == 3


def test_mentions_that_were_read_together_are_read_again_one_after_the_other(
    make: Make, store: Storage, clock: FakeClock
) -> None:
    """Each by a fetch of its own, a month later."""
    site = make(recheck_days=30)
    receive(site, 1, 2, 3)
    site.drain()
    month = clock() + timedelta(days=30)
    assert [due for _, due in store.due(month + timedelta(days=1), limit=9)] == [
        month + timedelta(seconds=90 * place) for place in range(3)
    ]


# what must wait


def test_a_claim_that_comes_during_the_fetch_waits_for_a_newer_page(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    late = list[str]()

    def fetched(request: Request) -> Response:
        if not late:
            clock.advance(1)
            late.extend(receive(site, 2, 3))
            return Response(200, HTML, linking(1).encode())
        return Response(200, HTML, linking(1, 2).encode())

    web.pages[S] = fetched
    [first] = receive(site, 1)
    site.work()
    assert (state(site, first), states(site, late)) == (SUCCESS, [QUEUED, QUEUED])
    site.drain()
    assert (len(web.requested), states(site, late)) == (2, [SUCCESS, MISSING])


def test_a_second_look_is_not_had_early_because_others_are_read(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """protocols.md D-27: it is 30 seconds after the first."""
    web.pages[S] = NOTHING
    first = receive(site, 1)
    site.drain()
    for second in (10, 29):
        clock.now += timedelta(seconds=second) - timedelta(seconds=0 if second == 10 else 10)
        receive(site, f"other{second}")
        site.drain()
        assert states(site, first) == [MISSING]
    web.pages[S] = linking(1)
    clock.advance(1)
    site.drain()
    assert states(site, first) == [SUCCESS]


def test_a_retry_is_not_had_early_because_others_are_read(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """protocols.md B-13: the waiting time grows with each attempt."""
    web.pages[S] = Response(503)
    first = receive(site, 1)
    for pause in (0, 60, 400):
        clock.advance(pause)
        receive(site, f"other{pause}")
        site.drain()
    assert states(site, first) == [(ClaimState.QUEUED, Reason.SOURCE_UNREADABLE)]
    web.pages[S] = linking(1)
    clock.advance(200)
    site.drain()
    assert states(site, first) == [SUCCESS]


def test_a_second_look_that_is_put_off_by_its_host_is_had_with_another(
    site: Site, web: FakeWeb, store: Storage, clock: FakeClock
) -> None:
    web.pages[S] = NOTHING
    ids = receive(site, 1, 2)
    site.drain()
    clock.advance(40)
    for job in store.lease(clock(), clock() + timedelta(seconds=LEASE_SECONDS), limit=9):
        late = timedelta(hours=1 if job.subject == _subject(site, ids[0]) else 0)
        store.release(job, due=clock() + late, counted=False)
    site.drain()
    assert (len(web.requested), states(site, ids)) == (2, [FAILED, FAILED])


class Slow(FakeWeb):
    """A web whose pages come where there is time enough."""

    def hurried(self, seconds: float) -> FakeWeb:
        return FakeWeb({S: TimedOut(S, "slow")})


def test_a_look_that_had_too_little_time_is_nobodys_last(make: Make, clock: FakeClock) -> None:
    """Others who wait behind it have it hurry; who is looked at for the last time waits for his own."""
    web = Slow({S: linking(1, 2)})
    site, other = make(fetch=web), "https://other.example/"
    for number in range(21):
        crowd = Site(other, store=site.store, fetch=web, clock=clock, runner=External())
        crowd.receive(Claim("webmention", f"https://s{number}.example/", f"{other}{number}"))
    [first] = receive(site, 1)
    for pause in (10, 70):
        clock.advance(pause)
        site.drain()
    clock.advance(580)
    [second] = receive(site, 2)
    clock.advance(30)
    site.drain()
    assert (state(site, first), state(site, second)) == (SUCCESS, (ClaimState.QUEUED, Reason.SOURCE_UNREADABLE))
    assert web.requested == [S]


def _subject(site: Site, id: str) -> str:
    found = site.claim(id)
    assert found is not None
    return found.key


def test_a_check_that_another_holds_is_left_to_him(
    site: Site, make: Make, web: FakeWeb, store: Storage, clock: FakeClock
) -> None:
    ids = receive(site, 1, 2, 3)
    number = next(job for job, _ in store.due(clock(), limit=9)[1:])
    [held] = store.lease(clock(), clock() + timedelta(minutes=1), id=number)
    site.drain()
    assert states(site, ids) == [SUCCESS, QUEUED, SUCCESS]
    site.run(held)
    assert (len(web.requested), states(site, ids)) == (2, [SUCCESS] * 3)
    assert store.next_due() is None


def test_workers_who_have_checks_of_one_source_at_one_moment_fetch_it_once(
    make: Make, web: FakeWeb, store: Storage, clock: FakeClock, tmp_path: Any
) -> None:
    """Whoever reads it holds its host: the others put theirs off, and they are taken along."""
    reading, read = threading.Event(), threading.Event()

    def fetched(request: Request) -> Response:
        reading.set()
        assert read.wait(60)
        return Response(200, HTML, linking(1, 2).encode())

    web.pages[S] = fetched
    runner = Embedded(4)
    site = make(store=open_store(f"sqlite:///{tmp_path / 'a.db'}"), runner=runner)
    ids = [site._inbox.receive(Claim("webmention", S, page(number))).id for number in range(1, 9)]
    for _ in range(4):
        runner.nudge()
    assert reading.wait(60)
    # by its clock, which stands still, they are not due again
    until(lambda: site.store.backlog(clock()).due == 0 and len(site._work._in_hand) == 1)
    until(lambda: not site._work._ready)
    read.set()
    until(lambda: all(state(site, id) != QUEUED for id in ids))
    runner.settle()
    assert len(web.requested) == 1
    assert states(site, ids) == [SUCCESS] * 2 + [MISSING] * 6
    site.close()


# what may go wrong


def test_a_page_of_ours_that_resolve_breaks_on_fails_for_itself(make: Make, web: FakeWeb, clock: FakeClock) -> None:
    broken = set[str]()

    def resolve(url: str) -> str | None:
        if url in broken:
            raise RuntimeError("the blog's database is away")
        return url

    site = make(resolve=resolve)
    web.pages[S] = linking(1, 3)
    ids = receive(site, 1, 2, 3)
    broken.add(page(2))
    site.drain()
    assert (len(web.requested), states(site, ids)) == (1, [SUCCESS, QUEUED, SUCCESS])
    web.pages[S] = linking(1, 2, 3)
    broken.clear()
    clock.advance(60)
    site.drain()
    assert states(site, ids) == [SUCCESS] * 3


@pytest.mark.parametrize("stops", [KeyboardInterrupt, None], ids=["interrupted", "stopped"])
def test_what_is_not_begun_when_a_process_stops_is_given_back_uncounted(
    make: Make, store: Storage, web: FakeWeb, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, stops: Any
) -> None:
    told = list[Mention]()
    monkeypatch.setattr(siblings, "stopping", lambda: stops is None and len(told) >= 3)

    def hook(mention: Mention) -> None:
        told.append(mention)
        if stops is not None and len(told) == 3:
            raise stops

    site = make(on_mention=hook)
    web.pages[S] = linking(*range(20))
    ids = receive(site, *range(20))
    if stops is not None:
        with pytest.raises(stops):
            site.drain()
    else:
        site.work()
    jobs = store.lease(clock(), clock() + timedelta(seconds=LEASE_SECONDS), limit=99)
    assert [job.attempts for job in jobs] == [1] * len(jobs)
    assert not any(job.abandoned for job in jobs)
    assert {job.subject for job in jobs} >= {_subject(site, id) for id in ids if state(site, id) == QUEUED} - {
        _subject(site, ids[0])
    }
    store.release(*jobs, due=clock(), counted=False)
    monkeypatch.setattr(siblings, "stopping", lambda: False)
    clock.advance(LEASE_SECONDS)
    site.drain()
    assert states(site, ids) == [SUCCESS] * 20
    assert len(web.requested) == 2
    assert len(told) == len(site.mentions()) == 20


def test_what_was_in_hand_when_workers_died_twice_is_looked_at_alone(
    site: Site, store: Storage, web: FakeWeb, clock: FakeClock
) -> None:
    """One of them may be why, and the others must not be given up for it."""
    ids = receive(site, 1, 2, 3)

    def die() -> list[int]:
        jobs = store.lease(clock(), clock() + timedelta(seconds=LEASE_SECONDS), limit=3)
        clock.advance(LEASE_SECONDS)
        return [job.attempts for job in jobs]

    assert die() == [1, 1, 1]
    assert site.work(JobKind.CHECK)
    assert (len(web.requested), states(site, ids)) == (1, [SUCCESS] * 3)
    clock.advance(60)
    ids = receive(site, 1, 2, 3)
    assert [die(), die()] == [[1, 1, 1], [2, 2, 2]]
    site.drain()
    assert [state for state, _ in states(site, ids)] == [ClaimState.UNCHANGED] * 3
    assert len(web.requested) == 4


def test_a_lease_that_is_over_takes_nobody_along(site: Site, store: Storage, web: FakeWeb, clock: FakeClock) -> None:
    """The worker was too slow: another has the job by now."""

    def fetched(request: Request) -> Response:
        clock.advance(LEASE_SECONDS + 1)
        taken.extend(store.lease(clock(), clock() + timedelta(seconds=LEASE_SECONDS), id=first))
        return Response(200, HTML, linking(1, 2).encode())

    taken = list[Any]()
    web.pages[S] = fetched
    ids = receive(site, 1, 2)
    first = store.due(clock(), limit=1)[0][0]
    assert site.work()
    assert len(taken) == 1
    assert states(site, ids) == [SUCCESS, QUEUED]


class Plain:
    """A host's own `Storage`, with what one needs."""

    def __init__(self, store: Storage) -> None:
        for name in vars(Storage):
            if not name.startswith("_"):
                setattr(self, name, getattr(store, name))


def test_a_storage_that_finds_no_siblings_has_each_looked_at_alone(make: Make, store: Storage, web: FakeWeb) -> None:
    site = make(store=Plain(store))
    ids = receive(site, 1, 2, 3)
    site.drain()
    assert (len(web.requested), states(site, ids)) == (3, [SUCCESS] * 3)


def test_whoever_waits_inline_waits_for_his_own_check_alone(make: Make, web: FakeWeb, clock: FakeClock) -> None:
    waiting = receive(make(), 1, 2)
    site = make(verify="inline")
    [own] = receive(site, 3)
    assert (len(web.requested), states(site, [*waiting, own])) == (3, [SUCCESS] * 3)
