"""What an application says at its start of how it was put together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from linkback.jobs import Embedded, External
from linkback.model import Claim
from linkback.policy import Policy
from linkback.site import Site
from linkback.sites import Sites
from linkback.startup import Opening, troubles
from linkback.store import Storage, open_store
from linkback.testing import FakeClock, FakeWeb

ALICE, BOB = "https://alice.example/", "https://bob.example/"


@pytest.fixture
def store() -> Iterator[Storage]:
    store = open_store("sqlite://")
    yield store
    store.close()


def blog(url: str, store: Storage, clock: FakeClock) -> Site:
    policy = Policy(settle_seconds=0, recheck_days=0)
    return Site(url, store=store, fetch=FakeWeb(), runner=External(), policy=policy, clock=clock)


def claim(target: str) -> Claim:
    return Claim("webmention", "https://carol.example/a", f"{target}post")


def test_a_new_blog_has_none(store: Storage) -> None:
    assert troubles(blog(BOB, store, FakeClock())) == []


@pytest.mark.parametrize(("minutes", "names"), [(0, []), (5, []), (75, []), (91, ["worker"])])
def test_work_that_nobody_does_is_told_once_it_has_waited(store: Storage, minutes: int, names: list[str]) -> None:
    """Longer than for cron that drains each hour."""
    clock = FakeClock()
    bob = blog(BOB, store, clock)
    bob.receive(claim(BOB))
    found = troubles(bob, worker="flask linkback worker", now=clock() + timedelta(minutes=minutes))
    assert [trouble.name for trouble in found] == names
    for trouble in found:
        assert str(trouble) == (
            "1 job of linkback waiting since 2024-01-01 12:00 UTC: nobody does the work, or too few; "
            "keep flask linkback worker running, or let threads of this process do it"
        )


def test_work_that_this_process_is_about_to_do_is_no_trouble(store: Storage) -> None:
    clock = FakeClock()
    blog(BOB, store, clock).receive(claim(BOB))
    with Site(BOB, store=store, fetch=FakeWeb(), runner=Embedded(), clock=clock) as bob:
        assert troubles(bob, now=clock() + timedelta(days=1)) == []


def test_work_of_a_site_that_is_not_served_here_is_told(store: Storage) -> None:
    """Two applications on one database, or one whose address was changed."""
    clock = FakeClock()
    alice, bob = blog(ALICE, store, clock), blog(BOB, store, clock)
    alice.receive(claim(ALICE))
    (trouble,) = troubles(bob, now=clock() + timedelta(minutes=91))
    assert trouble.name == "shared-database"
    assert "1 job for another site than https://bob.example/" in trouble.message
    assert troubles(Sites([alice, bob], store=store, runner=Embedded()), now=clock() + timedelta(minutes=91)) == []


def test_a_store_that_fails_is_told_and_never_raised(store: Storage) -> None:
    bob = blog(BOB, store, FakeClock())
    store.close()
    (trouble,) = troubles(bob)
    assert trouble.name == "database"
    assert "closed" in trouble.message


def test_an_opening_begins_the_work_and_warns_once_in_each_process(
    store: Storage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    class Counting(External):
        def nudge(self) -> None:
            begun.append(1)

    store.close()
    with Site(BOB, store=store, fetch=FakeWeb(), runner=Counting()) as bob:
        opening = Opening(bob)
        for process in (1, 1, 2, 2):
            monkeypatch.setattr("os.getpid", lambda process=process: process)
            opening.open()
    monkeypatch.undo()
    assert (len(begun), len(caplog.records)) == (4, 2)
    assert "the database of linkback cannot be used" in caplog.records[0].getMessage()
