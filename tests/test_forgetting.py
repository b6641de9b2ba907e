"""What nobody needs any more is forgotten, by and by, and nothing else is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from linkback import urls
from linkback.errors import ConfigurationError, StoreError
from linkback.forgetting import Forgetting
from linkback.jobs import Embedded, External
from linkback.model import Claim, ClaimState, JobKind, Mention, Status
from linkback.policy import Policy
from linkback.site import Site
from linkback.sites import Sites
from linkback.store import ClaimRecord, Forgetful, Pace, Place, Storage, Verdict, open_store
from linkback.testing import FakeClock, FakeWeb
from linkback.wire import Response
from tests.databases import KINDS, SERVERS, Databases
from tests.patience import until
from tests.test_sqlite import together
from tests.test_store import DJANGO_KINDS

SITE, OTHER = "https://bob.example/", "https://carol.example/"
NOW = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)
MONTH = 30 * DAY
HOUR = 3600.0


@pytest.fixture(params=[*KINDS, *DJANGO_KINDS])
def store(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Storage]:
    """What a store promises, every one does."""
    if request.param in KINDS:
        store = open_store(databases.empty(request.param, tmp_path))
    else:
        store = request.getfixturevalue("django_databases").store(request.param, tmp_path)
    yield store
    store.close()


def record(id: str, pair: str, protocol: str = "webmention", received: datetime = NOW, site: str = SITE) -> ClaimRecord:
    source, page = f"https://{pair}.example/note", f"{site}post"
    claim = Claim(protocol, source, page, title=id)
    return ClaimRecord(
        id=id, site=site, key=urls.pair_key(site, source, page), page=page, claim=claim, received=received
    )


def mention_of(claim: ClaimRecord, status: Status = Status.APPROVED) -> Mention:
    told, now = claim.claim, claim.received
    return Mention("", claim.site, told.source, told.target, (told.protocol,), status, now, now)


def happen(store: Storage, story: str, days: timedelta, site: str = SITE) -> None:
    """A claim that came and ended so long ago: `id pair protocol how it ended`."""
    id, pair, protocol, how = story.split()
    came = record(id, pair, protocol, NOW - days, site)
    store.add_claim(came, due=came.received)
    if how == "waits":
        return
    [job] = [job for job in store.lease(came.received, came.received + MOMENT, limit=99) if job.subject == came.key]
    state = {"removed": ClaimState.DELETED, "parked": ClaimState.FAILED}.get(how) or ClaimState(how)
    ended = replace(came, state=state, open=how == "parked", checked=came.received)
    mention = mention_of(came) if state in (ClaimState.SUCCESS, ClaimState.UPDATED) else None
    verdict = Verdict(key=came.key, page=came.page, claims=[ended], mention=mention)
    store.finish_check(job, replace(verdict, removed=how == "removed", parked=how == "parked"))


def forget(
    store: Storage, place: Place | None = None, ended: Callable[[str], datetime | None] | None = None, limit: int = 500
) -> Place:
    assert isinstance(store, Forgetful)
    return store.forget(place or Place(), now=NOW, ended=ended or (lambda site: NOW - MONTH), limit=limit)


LONG = 2 * MONTH
STORIES = [
    # what claims came and ended, how long ago, and which of them are kept
    ([("a x webmention failed", MONTH)], ""),
    ([("a x webmention failed", MONTH - MOMENT)], "a"),
    ([("a x webmention waits", LONG)], "a"),
    ([("a x webmention parked", LONG)], "a"),
    ([("a x webmention failed", LONG), ("b x webmention failed", LONG - DAY)], ""),
    ([("a x webmention failed", LONG), ("b x webmention waits", DAY)], "b"),
    ([("a x webmention success", LONG)], "a"),
    ([("a x webmention success", LONG), ("b x webmention updated", LONG - DAY)], "b"),
    ([("a x webmention success", LONG), ("b x webmention updated", DAY)], "b"),
    ([("a x webmention success", LONG), ("b x webmention waits", DAY)], "b"),
    ([("a x webmention success", MONTH - MOMENT), ("b x webmention updated", DAY)], "a b"),
    ([("a x webmention success", LONG), ("b x pingback updated", LONG - DAY)], "a b"),
    ([("a x webmention success", LONG), ("b x webmention failed", LONG - DAY)], "b"),
    ([("a x webmention success", LONG), ("b x webmention removed", LONG - DAY)], "b"),
    ([("a x webmention success", LONG), ("b y webmention success", LONG - DAY)], "a b"),
    ([("a x webmention success", LONG), ("b y webmention failed", LONG - DAY)], "a"),
    ([("a x webmention success", LONG), ("b x webmention updated", LONG), ("c x pingback updated", LONG)], "b c"),
]


@pytest.mark.parametrize(("story", "kept"), STORIES)
def test_a_claim_is_kept_that_waits_or_is_young_or_that_a_mention_hangs_on(
    store: Storage, story: list[tuple[str, timedelta]], kept: str
) -> None:
    for line, days in story:
        happen(store, line, days)
    mentions = store.mentions()
    assert forget(store).is_end
    ids = [line.split()[0] for line, _ in story]
    assert [id for id in ids if store.claim(id) is not None] == kept.split()
    assert store.mentions() == mentions


def test_each_site_says_how_long_its_claims_are_kept(store: Storage) -> None:
    for site in (SITE, OTHER, "https://dora.example/"):
        happen(store, f"{urls.host(site)} x webmention failed", LONG, site)
    forget(store, ended={SITE: NOW - MONTH, OTHER: None, "https://dora.example/": NOW - 3 * MONTH}.get)
    assert [store.claim(urls.host(site)) is None for site in (SITE, OTHER, "https://dora.example/")] == [
        True,
        False,
        False,
    ]


def test_what_is_kept_is_no_burden_on_what_may_go(store: Storage) -> None:
    """A store looks through so many at a time, and goes on where it was."""
    for number in range(5):
        happen(store, f"kept{number} kept{number} webmention success", LONG)
    for number in range(3):
        happen(store, f"gone{number} gone{number} webmention failed", LONG)
    happen(store, "young young webmention failed", DAY)
    place, looks = Place(), 0
    while not place.is_end:
        place, looks = forget(store, place, limit=2), looks + 1
        assert looks < 9
    assert looks == 5
    assert [store.claim(f"gone{number}") for number in range(3)] == [None] * 3
    assert all(store.claim(f"kept{number}") for number in range(5))
    assert store.claim("young")


def test_claims_that_came_too_late_to_go_are_not_looked_at(store: Storage) -> None:
    """Numbers grow with time; of a site that keeps all nothing follows for others."""
    for number in range(3):
        happen(store, f"a{number} a{number} webmention failed", DAY)
    assert forget(store, Place(host=None), limit=2).is_end
    assert not forget(store, Place(host=None), ended=lambda site: None, limit=2).is_end


def test_any_place_may_be_the_first(store: Storage) -> None:
    assert isinstance(store, Forgetful)
    assert store.anywhere().claim == 0
    for number in range(4):
        happen(store, f"a{number} a{number} webmention failed", LONG)
    places = [store.anywhere() for _ in range(200)]
    assert len({place.host for place in places}) == 200
    claims = {place.claim for place in places}
    assert len(claims) == 5
    # before the first of them, and after the last
    assert [len(left(store, claim)) for claim in sorted(claim or 0 for claim in claims)] == [4, 3, 2, 1, 0]


def left(store: Any, after: int | None) -> list[Any]:
    """The claims after a number, past the methods of the store."""
    with store._database.read() as connection:
        return list(store._tables.claims.some(connection, after, 999))


def test_of_a_pair_that_was_announced_often_the_last_is_kept_wherever_one_looks(store: Storage) -> None:
    for number in range(7):
        happen(store, f"a{number} x webmention {'updated' if number else 'success'}", LONG - number * DAY)
    before = left(store, 0)
    middle = before[3].id
    forget(store, Place(middle - 1, None), limit=2)
    assert [row.id for row in left(store, 0)] == [row.id for row in before if row.id not in (middle, middle + 1)]
    forget(store, Place(middle + 2, None), limit=9)
    forget(store, Place(host=None), limit=2)
    forget(store, Place(host=None))
    assert [row.id for row in left(store, 0)] == [before[-1].id]


# hosts


def hosts(store: Any) -> set[str]:
    """The hosts that a store knows of, past its methods."""
    with store._database.read() as connection:
        return {row.key for row in store._tables.hosts.some(connection, "", 999)}


PACE = Pace(timedelta(seconds=90), 2)
SOON = timedelta(days=2) + timedelta(seconds=90)


@pytest.mark.parametrize(
    ("reads", "left", "kept"),
    [
        pytest.param(1, SOON, False, id="paid for two days ago"),
        pytest.param(1, SOON - MOMENT, True, id="a moment less"),
        pytest.param(3, SOON, True, id="more was read, and is paid for later"),
        pytest.param(3, SOON + 2 * PACE.gap, False, id="and that was two days ago too"),
    ],
)
def test_a_host_is_forgotten_that_was_left_alone_for_long(
    store: Storage, reads: int, left: timedelta, kept: bool
) -> None:
    for _ in range(reads):
        store.count_read("https://x.example/", now=NOW - left, pace=PACE)
    assert len(hosts(store)) == 1
    assert forget(store).is_end
    assert len(hosts(store)) == kept


def test_a_host_that_somebody_has_to_himself_is_kept(store: Storage) -> None:
    then = NOW - MONTH
    store.add_claim(record("a", "x"), due=then)
    [job] = store.lease(then, NOW)
    assert store.begin_read(job, "https://x.example/", now=then, until=NOW - 2 * DAY + MOMENT).granted
    forget(store)
    assert len(hosts(store)) == 1
    store.end(job)
    forget(store)
    assert hosts(store) == set()


def test_a_host_with_a_slot_that_was_promised_is_kept(store: Storage) -> None:
    """What was left alone and is spoken to again has a row that says so."""
    then = NOW - MONTH
    store.count_read("https://x.example/", now=then, pace=PACE)
    for number in range(3):
        store.add_claim(record(str(number), "x", ["webmention", "pingback", "trackback"][number]), due=NOW, pace=PACE)
    forget(store)
    assert len(hosts(store)) == 1


def test_hosts_are_looked_through_in_pieces(store: Storage) -> None:
    for number in range(9):
        store.count_read(f"https://x{number}.example/", now=NOW - MONTH, pace=PACE)
    store.count_read("https://young.example/", now=NOW, pace=PACE)
    place, looks = Place(claim=None), 0
    while not place.is_end:
        place, looks = forget(store, place, limit=4), looks + 1
    assert looks == 3
    assert len(hosts(store)) == 1


# several at once


def at_once(*works: Callable[[], object]) -> None:
    gate, failed = threading.Barrier(len(works)), list[Exception]()

    def run(work: Callable[[], object]) -> None:
        gate.wait()
        try:
            work()
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_several_may_forget_at_once_beside_all_other_work(store: Storage) -> None:
    """Nothing that is needed is lost, whoever is first; and nobody is turned away."""
    for number in range(30):
        happen(store, f"gone{number} x{number} webmention failed", LONG)
        happen(store, f"old{number} y{number} webmention success", LONG)
        happen(store, f"last{number} y{number} webmention updated", LONG - DAY)
        store.count_read(f"https://x{number}.example/", now=NOW - MONTH, pace=PACE)

    def forget_all() -> None:
        place = Place()
        while not place.is_end:
            place = forget(store, place, limit=7)

    def announce() -> None:
        for number in range(0, 30, 3):
            store.add_claim(record(f"new{number}", f"x{number}"), due=NOW, pace=PACE)
            store.count_read(f"https://x{number + 1}.example/", now=NOW, pace=PACE)

    at_once(*[forget_all] * 3, announce)
    for number in range(30):
        kept = [name for name in ("gone", "old", "last", "new") if store.claim(f"{name}{number}") is not None]
        assert kept == (["last", "new"] if number % 3 == 0 else ["last"])
    assert len(hosts(store)) == 20, "those that were announced, and those that were counted"


PROCESS = """
    import sys
    from datetime import datetime, timedelta
    from linkback.store import Place, open_store
    store, place = open_store(sys.argv[1], create=False), Place()
    now = datetime.fromisoformat("2024-05-06T12:00:00+00:00")
    print("ready", flush=True)
    sys.stdin.readline()
    while not place.is_end:
        place = store.forget(place, now=now, ended=lambda site: now - timedelta(days=30), limit=5)
    store.close()
"""


@pytest.mark.parametrize("kind", ["sqlite file", *SERVERS])
def test_processes_may_forget_at_once(databases: Databases, kind: str, tmp_path: Path) -> None:
    url = databases.empty(kind, tmp_path)
    store = open_store(url)
    for number in range(20):
        happen(store, f"gone{number} x{number} webmention failed", LONG)
        happen(store, f"old{number} y webmention {'updated' if number else 'success'}", LONG - number * DAY / 9)
        store.count_read(f"https://x{number}.example/", now=NOW - MONTH, pace=PACE)
    last = left(store, 0)[-1].id
    assert together(PROCESS, url, count=3) == [""] * 3
    assert [row.id for row in left(store, 0)] == [last]
    assert hosts(store) == set()
    store.close()


# the work of a process


class Seen:
    """A store that can forget, and says how it was asked to."""

    def __init__(self, pieces: int = 1, error: Exception | None = None) -> None:
        self.asked: list[tuple[Place, datetime | None]] = []
        self.pieces, self.error, self.begun = pieces, error, 0

    def anywhere(self) -> Place:
        self.begun += 1
        return Place(99, "somewhere")

    def forget(
        self, place: Place, *, now: datetime, ended: Callable[[str], datetime | None], limit: int = 500
    ) -> Place:
        self.asked.append((place, ended(SITE)))
        if self.error is not None:
            raise self.error
        return Place(None, None) if len(self.asked) % self.pieces == 0 else Place(len(self.asked), None)


def passing(store: Seen, clock: FakeClock, seconds: list[float]) -> list[int]:
    """How often the store was asked once each of these times has passed."""
    forgetting, counts = Forgetting(store, lambda site, now: now - MONTH), []  # type: ignore[arg-type]
    for some in seconds:
        clock.advance(some)
        forgetting.step(clock())
        counts.append(len(store.asked))
    return counts


@pytest.mark.parametrize(
    ("pieces", "seconds", "asked"),
    [
        (1, [0, HOUR - 1, 1, HOUR - 1, 1], [1, 1, 2, 2, 3]),
        (3, [0, 59, 1, 60, HOUR - 1, 1], [1, 1, 2, 3, 3, 4]),
        pytest.param(1, [0, -99 * HOUR, 60], [1, 2, 2], id="a clock that was set back"),
    ],
)
def test_a_process_looks_through_the_records_once_an_hour(pieces: int, seconds: list[float], asked: list[int]) -> None:
    assert passing(Seen(pieces), FakeClock(), seconds) == asked


def test_a_process_begins_anywhere_and_then_goes_through_all() -> None:
    store, clock = Seen(pieces=2), FakeClock()
    passing(store, clock, [0, 60, HOUR, 60])
    assert [place for place, _ in store.asked] == [Place(99, "somewhere"), Place(1, None), Place(), Place(3, None)]
    assert store.begun == 1


@pytest.mark.parametrize("error", [StoreError("the disk is full"), RuntimeError("a store of the host's own broke")])
def test_a_store_that_fails_is_asked_again_in_an_hour(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    store = Seen(error=error)
    assert passing(store, FakeClock(), [0, 60, HOUR - 60]) == [1, 1, 2]
    assert [line.levelname for line in caplog.records] == ["ERROR", "ERROR"]
    assert "could not forget what is needed no more" in caplog.text


def test_a_store_that_cannot_forget_keeps_all() -> None:
    Forgetting(object(), lambda site, now: now).step(NOW)  # type: ignore[arg-type]


def test_of_threads_that_come_at_once_one_forgets() -> None:
    held, let_go = threading.Event(), threading.Event()

    class Slow(Seen):
        def anywhere(self) -> Place:
            held.set()
            assert let_go.wait(30)
            return super().anywhere()

    store = Slow()
    forgetting = Forgetting(store, lambda site, now: now)  # type: ignore[arg-type]
    thread = threading.Thread(target=forgetting.step, args=(NOW,))
    thread.start()
    assert held.wait(30)
    forgetting.step(NOW + DAY)
    let_go.set()
    thread.join()
    assert len(store.asked) == 1


S, T = "https://s.example/note", "https://bob.example/post"


def a_site(clock: FakeClock, store: Storage | str = "sqlite://", url: str = SITE, **policy: Any) -> Site:
    web = FakeWeb({S: Response(410)})
    given = Policy(settle_seconds=0, recheck_days=0, host_seconds=0, site_seconds=0, **policy)
    return Site(url, store=store, fetch=web, clock=clock, policy=given, runner=External())


@pytest.mark.parametrize(
    ("days", "passed", "kept"),
    [(30, 30, False), (30, 29.9, True), (3, 3, False), (0, 9_999, True), (float("inf"), 9_999, True), (1e9, 99, True)],
)
def test_whoever_works_forgets_what_the_policy_says(days: float, passed: float, kept: bool) -> None:
    """Without another job to do; the status is then one that was never there."""
    clock = FakeClock()
    with a_site(clock, claims_days=days) as site:
        id = site.receive(Claim("webmention", S, T)).id
        site.drain()
        clock.advance(passed * DAY.total_seconds())
        assert site.drain() == 0
        clock.advance(HOUR)
        site.drain()
        assert (site.claim(id) is not None) == kept


@pytest.mark.parametrize("works", [lambda site: site.drain(), lambda site: site.work(), lambda site: site.work(id=7)])
def test_every_way_to_work_forgets(works: Callable[[Site], object]) -> None:
    clock = FakeClock()
    with a_site(clock) as site:
        id = site.receive(Claim("webmention", S, T)).id
        [job] = site.store.lease(clock(), clock() + MONTH)
        site.run(job)
        clock.advance(LONG.total_seconds())
        works(site)
        clock.advance(HOUR)
        works(site)
        assert site.claim(id) is None


def test_threads_that_look_out_for_work_forget(tmp_path: Path) -> None:
    clock = FakeClock()
    with a_site(clock, f"sqlite:///{tmp_path / 'a.db'}") as site:
        id = site.receive(Claim("webmention", S, T)).id
        site.drain()
        clock.advance(LONG.total_seconds())
        site.run_by(Embedded(2, poll=0.01))

        def forgotten() -> bool:
            clock.advance(HOUR)
            site.start()
            return site.claim(id) is None

        until(forgotten)


def test_who_waits_for_a_check_waits_for_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Place] = []
    web = FakeWeb({S: f"<a href={T}>x</a>"})
    with Site(SITE, store="sqlite://", fetch=web, verify="inline", runner=External()) as site:
        monkeypatch.setattr(type(site.store), "forget", lambda self, place, **more: asked.append(place))
        assert site.receive(Claim("webmention", S, T)).checked
    assert asked == []


def test_pairs_that_fail_every_day_do_not_grow_without_end() -> None:
    clock = FakeClock()
    with a_site(clock) as site:
        for day in range(80):
            for number in range(4):
                site.receive(Claim("webmention", S, f"{T}/{day}/{number}"))
            site.drain()
            clock.advance(DAY.total_seconds())
        site.drain()
        assert len(left(site.store, 0)) <= 31 * 4


def test_a_blog_forgets_nothing_of_another_in_the_same_store() -> None:
    clock, store = FakeClock(), open_store("sqlite://")
    bob, carol = a_site(clock, store), a_site(clock, store, OTHER, claims_days=0)
    ids = [site.receive(Claim("webmention", S, f"{site.url}post")).id for site in (bob, carol)]
    for site in (bob, carol):
        site.drain()
    for _ in range(2):
        clock.advance(LONG.total_seconds())
        bob.drain()
    assert [store.claim(id) is None for id in ids] == [True, False]
    store.close()


def test_many_blogs_each_have_their_own_policy() -> None:
    """And of a blog that is not known any more, or whose function fails, nothing is forgotten."""
    clock, store = FakeClock(), open_store("sqlite://")
    bob, carol = a_site(clock, store), a_site(clock, store, OTHER, claims_days=0)
    lost, broken = (a_site(clock, store, url) for url in ("https://lost.example/", "https://broken.example/"))
    ids = [site.receive(Claim("webmention", S, f"{site.url}post")).id for site in (bob, carol, lost, broken)]
    for site in (bob, carol, lost, broken):
        site.drain(JobKind.CHECK)

    def site_of(url: str) -> Site | None:
        if "broken" in url:
            raise RuntimeError("no database")
        return bob if url.startswith(SITE) else carol if url.startswith(OTHER) else None

    sites = Sites(site_of, store=store, runner=External(), clock=clock)
    for _ in range(2):
        clock.advance(LONG.total_seconds())
        sites.drain()
    assert [store.claim(id) is None for id in ids] == [True, False, False, False]
    sites.close()


@pytest.mark.parametrize("days", [-1, 1, 2.9, float("nan"), float("-inf"), "30", None])
def test_a_status_is_answered_for_three_days_at_least(days: Any) -> None:
    """protocols.md C-78."""
    with pytest.raises(ConfigurationError, match=r"claims_days: .* is no number of days, 0 or at least 3"):
        Policy(claims_days=days)


def test_what_may_be_announced_again_later_is_known_until_then() -> None:
    assert Policy(claims_days=3, pair_seconds=9 * 86_400).forgets(NOW) == NOW - 9 * DAY


def test_the_log_says_nothing_where_all_is_well(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with a_site(FakeClock()) as site:
        site.drain()
    assert caplog.records == []
