"""What an application says at its start of how it was put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from linkback.fetch import Fetcher, make_fetcher
from linkback.jobs import Embedded, External
from linkback.model import Claim
from linkback.policy import Policy
from linkback.site import Site
from linkback.sites import Sites
from linkback.startup import Opening, open_networks, troubles, warn
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


def opening(url: str, store: Storage, *networks: str) -> Site:
    return Site(url, store=store, fetch=Fetcher(allow=networks), runner=External())


MACHINE, CLOUD = "this machine itself", "what a cloud tells this machine alone, as its keys"
EVERY = "every address of IPv{} that this machine reaches, its own too"
OPENED = [
    ([], []),
    (["10.0.0.0/8", "192.168.1.7", "fd12::/16", "fe80::/10", "126.0.0.0/8", "::2/128"], []),
    (["127.0.0.0/8"], [("127.0.0.0/8", MACHINE)]),
    (["127.0.0.1"], [("127.0.0.1/32", MACHINE)]),
    (["127.0.0.2"], []),
    (["::1"], [("::1/128", MACHINE)]),
    (["::ffff:127.0.0.0/104"], [("127.0.0.0/8", MACHINE)]),
    (["169.254.0.0/16"], [("169.254.0.0/16", CLOUD)]),
    (["169.254.169.254/32"], [("169.254.169.254/32", CLOUD)]),
    (["0.0.0.0/1", "128.0.0.0/1"], [("0.0.0.0/1", MACHINE), ("128.0.0.0/1", CLOUD)]),
    (["0.0.0.0/0", "::/0"], [("0.0.0.0/0", EVERY.format(4)), ("::/0", EVERY.format(6))]),
]


@pytest.mark.parametrize(("networks", "told"), OPENED)
def test_a_network_that_opens_this_machine_to_strangers_is_told(
    networks: Sequence[str], told: Sequence[tuple[str, str]], store: Storage
) -> None:
    found = troubles(opening(BOB, store, *networks))
    assert [trouble.name for trouble in found] == ["open-network"] * len(told)
    for trouble, (network, what) in zip(found, told, strict=True):
        assert str(trouble) == (
            f"{network} is open to every stranger who pings {BOB}, on any port: {what};"
            ' open no more than the address that is needed (Fetcher(allow=["10.1.2.3/32"]))'
        )


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000",
        "http://[::1]",
        "http://localhost",
        "http://blog.localhost",
        "http://10.1.2.3",
        "http://nas",
    ],
)
def test_a_blog_that_nobody_else_reaches_may_open_what_it_likes(url: str, store: Storage) -> None:
    """As where it is tried out, in a demo, and in tests."""
    assert open_networks(opening(url, store, "0.0.0.0/0", "::/0", "127.0.0.0/8")) == []


def test_what_many_blogs_open_is_told_once(store: Storage) -> None:
    """In the words of whoever opened it; a blog that is private, or that reads a web of its own, opens nothing."""
    opened = make_fetcher(["127.0.0.0/8"], [])
    sites = [Site(url, store=store, fetch=opened, runner=External()) for url in (ALICE, BOB, "http://localhost")]
    sites.append(blog("https://carol.example/", store, FakeClock()))
    (trouble,) = open_networks(Sites(sites, store=store, runner=External()))
    assert f"every stranger who pings {ALICE}, {BOB}, on any port" in trouble.message
    assert open_networks(Sites(lambda url: None, store=store, runner=External())) == []


def test_open_networks_are_told_before_the_first_request_or_with_it(
    store: Storage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once in a process, by the command that serves or by what it serves."""

    def told() -> list[str]:
        return [record.levelname for record in caplog.records if "is open to every stranger" in record.getMessage()]

    bob = opening(BOB, store, "127.0.0.0/8")
    for process in (1, 2):
        monkeypatch.setattr("os.getpid", lambda process=process: process)
        warn(bob)
        Opening(bob).open()
        assert told() == ["WARNING"] * process
    monkeypatch.setattr("os.getpid", lambda: 3)
    Opening(bob).open()
    assert told() == ["WARNING"] * 3
