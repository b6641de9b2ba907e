"""A store in trouble while it is in use (security.md R4, R5): a full disk, a lock that lasts.

Each ping is answered in its protocol's own words for "not now", nothing is half-written, nothing that was taken is
lost, and when the trouble is over everything goes on by itself.
"""

from __future__ import annotations

import sqlite3
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from linkback.errors import StoreError
from linkback.jobs import Embedded, External
from linkback.model import Claim, ClaimState, Delivery
from linkback.policy import Policy
from linkback.site import Site
from linkback.store import open_store
from linkback.testing import FakeClock
from tests.hostile.pinging import HOME, PINGS, TAKEN, TARGET, UNAVAILABLE, EveryPageLinks, ask, source
from tests.serving import eventually, served

#: words that no stranger may read in an answer
OURS = (b"full", b"locked", b"sqlite", b"database", b"linkback.db", b"Traceback", b"Error:")
#: seconds, more than a worker that died keeps its job
AFTER_A_LEASE = 600.0
_NO_LIMIT = 1_073_741_823


class Disk:
    """The room that SQLite has: `pages` is the most that a database file may have, None for any number."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pages: int | None = None

    def begin(self) -> None:
        """Full from now on: SQLite takes a limit below the present size to mean that size."""
        self.pages = 1

    def end(self) -> None:
        """There is room again."""
        self.pages = None

    def used(self) -> int:
        """How many pages the database has."""
        return int(read(self.path, "PRAGMA page_count")[0][0])

    def limit(self, connection: sqlite3.Connection, record: object, proxy: object) -> None:
        """Tell a connection, each time it is taken from the pool."""
        connection.execute(f"PRAGMA max_page_count = {self.pages or _NO_LIMIT}")


class Lock:
    """Another program's transaction on the database."""

    def __init__(self, path: Path) -> None:
        self._holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def begin(self) -> None:
        """Hold the write lock from now on."""
        self._holder.execute("BEGIN IMMEDIATE")

    def end(self) -> None:
        """Let go of it."""
        self._holder.execute("ROLLBACK")

    def close(self) -> None:
        """Go away."""
        self._holder.close()


class Trouble(typing.Protocol):
    """Something that can be wrong with a store for a while."""

    def begin(self) -> None: ...

    def end(self) -> None: ...


def read(path: Path, statement: str) -> list[tuple[typing.Any, ...]]:
    probe = sqlite3.connect(path)
    try:
        return probe.execute(statement).fetchall()
    finally:
        probe.close()


def whole(path: Path) -> bool:
    """Whether the file is sound, and each open claim has its job."""
    open_keys = {key for (key,) in read(path, "SELECT key FROM linkback_claims WHERE open")}
    subjects = {subject for (subject,) in read(path, "SELECT subject FROM linkback_jobs")}
    return read(path, "PRAGMA integrity_check") == [("ok",)] and open_keys <= subjects


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "linkback.db"


@pytest.fixture
def disk(path: Path) -> Iterator[Disk]:
    disk = Disk(path)
    event.listen(Pool, "checkout", disk.limit)
    yield disk
    event.remove(Pool, "checkout", disk.limit)


@pytest.fixture
def web() -> EveryPageLinks:
    return EveryPageLinks()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def site(path: Path, web: EveryPageLinks, clock: FakeClock) -> Iterator[Site]:
    """One that has worked already: its tables and a first mention are there, and no page of its file is free."""
    open_store(f"sqlite:///{path}").close()
    read(path, "VACUUM")
    with Site(
        HOME,
        store=f"sqlite:///{path}?timeout=0.1",
        fetch=web,
        clock=clock,
        policy=Policy(settle_seconds=0),
        runner=Embedded(threads=2),
    ) as site:
        site.receive(Claim("webmention", "https://s.example/first", TARGET))
        eventually(lambda: site.mentions(TARGET))
        yield site


@pytest.fixture(params=["full", "locked"])
def trouble(request: pytest.FixtureRequest, disk: Disk, path: Path, site: Site) -> Iterator[Trouble]:
    if request.param == "full":
        yield disk
        return
    lock = Lock(path)
    yield lock
    lock.close()


@pytest.mark.parametrize("protocol", PINGS)
def test_a_ping_in_times_of_trouble_is_told_to_come_again_and_can(
    protocol: str, site: Site, trouble: Trouble, path: Path
) -> None:
    ping, taken = PINGS[protocol], 0
    with served(site.wsgi()) as url:
        trouble.begin()
        for _ in range(100):
            told, answer = ping(url, source(taken))
            if answer != TAKEN:
                break
            taken += 1
        assert answer == UNAVAILABLE, told
        assert not [word for word in OURS if word.lower() in told.body.lower()]
        assert len(read(path, "SELECT 1 FROM linkback_claims")) == 1 + taken
        assert whole(path)
        assert ask(f"{url}/mentions?target={TARGET}").status == 200, "readers need neither room nor the lock"
        trouble.end()
        assert ping(url, source(taken))[1] == TAKEN
        eventually(lambda: len(site.mentions(TARGET)) == 2 + taken or _lapse(site))
    assert whole(path)


def _lapse(site: Site) -> bool:
    """Let the leases end that a worker could not give back, and wake the threads."""
    assert isinstance(site._clock, FakeClock)
    site._clock.advance(AFTER_A_LEASE)
    site.start()
    return False


def test_a_check_whose_verdict_cannot_be_recorded_is_made_again(
    site: Site, trouble: Trouble, web: EveryPageLinks, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The trouble begins while a thread has the source in hand; the thread lives on, and the claim stays open."""
    looks: list[str] = []

    def look(url: str) -> None:
        looks.append(url)
        if len(looks) == 1:
            trouble.begin()

    web.look = look
    receipt = site.receive(Claim("webmention", source("a"), TARGET))
    eventually(lambda: "work failed" in caplog.text)
    # another thread may have been the first to say so
    site.runner.settle()
    record = site.claim(receipt.id)
    assert record is not None
    assert record.open
    assert len(site.mentions(TARGET)) == 1
    assert whole(path)
    trouble.end()
    # once: a look that is begun is not to lose its lease as well
    _lapse(site)
    eventually(lambda: len(site.mentions(TARGET)) == 2)
    record = site.claim(receipt.id)
    assert record is not None
    assert (record.open, record.state) == (False, ClaimState.SUCCESS)
    assert looks == [source("a")] * 2
    assert whole(path)


@pytest.mark.parametrize("failures", [1, 5])
def test_the_threads_outlive_a_lock_of_any_length(
    site: Site, path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture, failures: int
) -> None:
    """What was taken before the lock is done after it, and readers saw no trouble in between."""
    for number in range(3):
        site.receive(Claim("pingback", source(number), TARGET))
    eventually(lambda: len(site.mentions(TARGET)) == 4)
    lock = Lock(path)
    lock.begin()
    for number in range(failures):
        caplog.clear()
        site.start()
        eventually(lambda: "work failed" in caplog.text)
        with pytest.raises(StoreError, match="locked"):
            site.receive(Claim("pingback", source(f"locked-{number}"), TARGET))
        assert len(site.mentions(TARGET)) == 4
    lock.end()
    lock.close()
    site.receive(Claim("pingback", source("after"), TARGET))
    eventually(lambda: len(site.mentions(TARGET)) == 5)
    assert len(read(path, "SELECT 1 FROM linkback_claims")) == 5


# nothing half-written, wherever the room ends


HTML = "".join(f"<p><a href='https://site{n}.example/{'x' * 200}'>a page</a>" for n in range(50))
POST = f"{HOME}/new"


def _published(site: Site, disk: Disk, pages: int) -> list[Delivery]:
    """What is owed by a post, none where it does not fit into so many pages."""
    disk.pages = pages
    try:
        return site.publish(POST, HTML)
    except StoreError:
        return []


def test_a_post_is_owed_whole_or_not_at_all(disk: Disk, path: Path) -> None:
    """One more page of room each time, until the post fits."""
    with Site(HOME, store=f"sqlite:///{path}", fetch=EveryPageLinks(), runner=External()) as site:
        begin, room = disk.used(), 0
        while not (owed := _published(site, disk, begin + room)):
            assert site.deliveries() == []
            assert read(path, "SELECT 1 FROM linkback_posts UNION SELECT 1 FROM linkback_jobs") == []
            assert read(path, "SELECT 1 FROM linkback_hosts") == []
            assert read(path, "PRAGMA integrity_check") == [("ok",)]
            room += 1
        assert room > 1, "it failed early and late"
        assert len(owed) == len(site.deliveries()) == 50


def test_a_claim_and_its_verdict_are_written_whole_or_not_at_all(disk: Disk, path: Path, clock: FakeClock) -> None:
    policy = Policy(settle_seconds=0)
    with Site(
        HOME, store=f"sqlite:///{path}", fetch=EveryPageLinks(), clock=clock, policy=policy, runner=External()
    ) as site:
        taken, failed = 0, 0
        for number in range(40):
            disk.pages = disk.used() + number % 3
            try:
                site.receive(Claim("webmention", source(number), TARGET))
                taken += 1
                site.drain()
            except StoreError:
                failed += 1
            assert len(read(path, "SELECT 1 FROM linkback_claims")) == taken
            assert whole(path)
        assert taken > 1 < failed
        disk.pages = None
        clock.advance(AFTER_A_LEASE)
        site.drain()
        assert len(site.mentions(TARGET)) == taken
        assert read(path, "SELECT 1 FROM linkback_claims WHERE open") == []
