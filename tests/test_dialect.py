"""What two transactions do to each other, on every database that many may use at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy

from linkback import urls
from linkback.errors import StoreError
from linkback.model import Claim, ClaimState, Delivery, Job, JobKind, Mention, Outcome, Status
from linkback.store import ClaimRecord, Edit, Storage, Verdict, open_store
from linkback.store.collisions import repeated
from linkback.store.engine import Database, read_url
from linkback.store.schema import claims
from tests.databases import SERVERS, Databases

SITE = "https://bob.example"
SOURCE = "https://alice.example/a"
NOON = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = NOON + HOUR
SHARED = ("sqlite file", *SERVERS)


@pytest.fixture(params=SHARED)
def url(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> str:
    """A database that several stores may open."""
    return databases.empty(request.param, tmp_path)


@pytest.fixture
def store(url: str) -> Iterator[Storage]:
    store = open_store(url)
    yield store
    store.close()


@pytest.fixture
def server_url(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> str:
    """The same, of the kind that the test names."""
    return databases.empty(request.param, tmp_path)


def record(id: str, page: str = SITE + "/post", title: str = "") -> ClaimRecord:
    claim = Claim("webmention", SOURCE, page, title=title)
    return ClaimRecord(id=id, site=SITE, key=urls.pair_key(SITE, SOURCE, page), page=page, claim=claim, received=NOON)


def edit(targets: list[str], version: str = "1") -> Edit:
    return Edit(site=SITE, source=SOURCE, targets=targets, now=NOON, content=version)


def verdict(key: str, page: str, claims: list[ClaimRecord]) -> Verdict:
    answered = [replace(claim, state=ClaimState.SUCCESS, open=False, checked=NOON) for claim in claims]
    mention = Mention("", SITE, SOURCE, page, ("webmention",), Status.APPROVED, received=NOON, checked=NOON)
    return Verdict(key=key, page=page, claims=answered, mention=mention)


def at_once(*works: Callable[[], object]) -> None:
    """Run each in a thread of its own, let go together; raise what any of them raised."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        gate.wait()
        work()

    with ThreadPoolExecutor(len(works)) as pool:
        for future in [pool.submit(run, work) for work in works]:
            future.result()


def test_a_crowd_on_a_few_pairs_loses_no_claim_and_does_no_job_twice(store: Storage) -> None:
    """Claims join, jobs begin anew and checks end, all about the same three pairs."""
    pages = {f"{SITE}/{number}": urls.pair_key(SITE, SOURCE, f"{SITE}/{number}") for number in range(3)}
    by_key = {key: page for page, key in pages.items()}
    taken: list[str] = []
    leases: list[tuple[int, int]] = []

    def check() -> bool:
        found = store.lease(LATER, LATER + HOUR, limit=2)
        for job in found:
            leases.append((job.id, job.attempts))
            waiting = store.open_claims(job.subject)
            store.finish_check(job, verdict(job.subject, by_key[job.subject], waiting))
        return bool(found)

    def visit(worker: int) -> None:
        for number in range(12):
            for page in pages:
                id = f"{worker}-{number}-{page[-1]}"
                if store.add_claim(record(id, page, title=id), due=NOON) is not None:
                    taken.append(id)
            check()

    at_once(*(lambda worker=worker: visit(worker) for worker in range(6)))
    while check():
        pass
    assert len(taken) > 100
    kept = [store.claim(id) for id in taken]
    assert {claim.state if claim else None for claim in kept} == {ClaimState.SUCCESS}
    assert len(leases) == len(set(leases))
    assert store.next_due() is None
    assert sorted(mention.target for mention in store.mentions()) == sorted(pages)


def test_workers_make_each_delivery_once(store: Storage) -> None:
    store.record_edit(edit([f"https://c{number}.example/" for number in range(200)]))
    posted: list[str] = []

    def work() -> None:
        # others may hold the rows that are first in line
        while (due := store.next_due(kind=JobKind.DELIVER)) is not None and due < LATER:
            for job in store.lease(LATER, LATER + HOUR, limit=3):
                delivery = store.delivery(job.subject)
                assert delivery is not None
                until = LATER + HOUR
                if store.begin_post(
                    job, delivery, "webmention", delivery.target, now=NOON, until=until, gap=timedelta(0)
                ).granted:
                    posted.append(job.subject)
                store.finish_delivery(job, replace(delivery, outcome=Outcome.SENT))

    at_once(*[work] * 4)
    assert sorted(posted, key=int) == [delivery.id for delivery in store.deliveries()]
    assert {delivery.outcome for delivery in store.deliveries()} == {Outcome.SENT}
    assert store.next_due() is None


def test_claims_that_say_the_same_at_once_are_one(store: Storage) -> None:
    for turn in range(10):
        page = f"{SITE}/{turn}"
        kept: list[ClaimRecord | None] = []

        def say(number: int, page: str = page, turn: int = turn, kept: list[ClaimRecord | None] = kept) -> None:
            kept.append(store.add_claim(record(f"{turn}-{number}", page), due=NOON))

        at_once(*(lambda number=number: say(number) for number in range(4)))
        assert len({claim.id for claim in kept if claim}) == 1
        assert len(store.open_claims(urls.pair_key(SITE, SOURCE, page))) == 1


def test_a_moderators_word_is_not_lost_to_a_check_that_ends_at_that_moment(store: Storage) -> None:
    for turn in range(10):
        page = f"{SITE}/{turn}"
        claim = record(str(turn), page)
        store.add_claim(claim, due=NOON)
        (job,) = store.lease(LATER, LATER + HOUR)
        store.finish_check(job, verdict(claim.key, page, [claim]))
        mention = store.mention_for(claim.key)
        assert mention is not None
        store.add_claim(replace(claim, id=f"again-{turn}"), due=NOON)
        (job,) = store.lease(LATER, LATER + HOUR)
        gone = Verdict(key=claim.key, page=page, claims=[], removed=True)
        at_once(partial(store.moderate, mention.id, Status.REJECTED), partial(store.finish_check, job, gone))
        kept = store.mention(mention.id)
        assert kept is not None
        assert kept.status is Status.REJECTED
        store.end(Job(job.id, job.kind, job.subject, job.attempts))
        for left in store.lease(LATER + HOUR, LATER + 2 * HOUR, limit=9):
            store.finish_check(left, gone)


OWED = [f"https://c{number}.example/" for number in range(30)]


@pytest.mark.parametrize("server_url", SERVERS, indirect=True)
def test_a_post_that_is_published_twice_at_once_is_owed_once(server_url: str) -> None:
    store = open_store(server_url)
    added: list[Delivery] = []
    backwards = OWED[::-1]
    at_once(
        *(lambda owed=owed: added.extend(store.record_edit(edit(owed))) for owed in (OWED, backwards, OWED, backwards))
    )
    assert {delivery.target for delivery in added} == set(OWED)
    assert len(added) == len(store.deliveries()) == len(store.lease(LATER, LATER + HOUR, limit=99)) == 30
    store.close()


@pytest.mark.parametrize("server_url", SERVERS, indirect=True)
def test_hosts_that_publish_one_post_at_once_owe_it_once(server_url: str) -> None:
    """In their own transactions, where MySQL may undo one, which its owner does again."""
    store = open_store(server_url)
    engine = read_url(server_url).engine(patient=False)
    added: list[Delivery] = []

    def publish() -> None:
        for _ in range(20):
            try:
                with engine.begin() as connection:
                    found = store.record_edit(edit(OWED), connection=connection)
            except StoreError as error:
                if "mysql" not in server_url or "Deadlock found when trying to get lock" not in str(error):
                    raise
            else:
                added.extend(found)
                return
        raise AssertionError("it never came through")

    at_once(*[publish] * 4)
    assert len(added) == len(store.deliveries()) == len(store.lease(LATER, LATER + HOUR, limit=99)) == 30
    engine.dispose()
    store.close()


@pytest.mark.parametrize("server_url", ["postgresql"], indirect=True)
def test_a_hosts_transaction_outlives_a_deadlock(server_url: str) -> None:
    """What it did before is kept, and ours is done again."""
    database = Database(read_url(server_url))
    store = open_store(server_url)
    engine = read_url(server_url).engine(patient=False)
    for name in "ab":
        store.add_claim(record(name, f"{SITE}/{name}"), due=NOON)
    both = threading.Barrier(2)
    tries: list[str] = []

    def publish(first: str, second: str) -> None:
        def work() -> None:
            tries.append(first)
            for name in (first, second):
                connection.execute(rename(name, first))
                if name == first and len(tries) <= 2:
                    both.wait()

        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TEMPORARY TABLE hosts_own (a INTEGER)"))
            database.join(connection, work)
            connection.execute(sqlalchemy.text("DROP TABLE hosts_own"))

    at_once(lambda: publish("a", "b"), lambda: publish("b", "a"))
    assert len(tries) == 3
    found = [store.claim(name) for name in "ab"]
    assert [claim.claim.title for claim in found if claim] in (["ab", "ab"], ["ba", "ba"])
    engine.dispose()
    database.close()
    store.close()


def rename(name: str, more: str) -> sqlalchemy.Update:
    """Change one claim, and so lock its row."""
    return sqlalchemy.update(claims).where(claims.c.public_id == name).values(title=claims.c.title + more)


@pytest.mark.parametrize("server_url", SERVERS, indirect=True)
def test_what_the_host_rolls_back_was_never_owed(server_url: str) -> None:
    store = open_store(server_url)
    engine = read_url(server_url).engine(patient=False)
    owed = edit(["https://c.example/"])
    with engine.connect() as connection:
        assert len(store.record_edit(owed, connection=connection)) == 1
        connection.rollback()
    assert (store.deliveries(), store.next_due()) == ([], None)
    with engine.begin() as connection:
        (kept,) = store.record_edit(owed, connection=connection)
        assert connection.in_transaction()
    assert (store.deliveries(), store.next_due()) == ([kept], NOON)
    engine.dispose()
    store.close()


@pytest.mark.parametrize("server_url", SERVERS, indirect=True)
@pytest.mark.parametrize("held", ["turn", "row", "table"])
def test_what_another_holds_is_an_error_after_the_timeout(server_url: str, held: str) -> None:
    """And nothing stays held when the other is done."""
    impatient = sqlalchemy.make_url(server_url).update_query_dict({"timeout": "1"})
    store = open_store(impatient.render_as_string(hide_password=False))
    store.add_claim(record("a", title="1"), due=NOON)
    dialect = read_url(server_url)
    engine = dialect.engine(patient=False)
    with engine.connect() as connection:
        if held == "turn":
            dialect.take_turn(connection, record("a").key)
        elif held == "row":
            connection.execute(sqlalchemy.text("SELECT * FROM linkback_jobs FOR UPDATE"))
        elif connection.dialect.name == "mysql":
            connection.execute(sqlalchemy.text("LOCK TABLES linkback_jobs WRITE"))
        else:
            connection.execute(sqlalchemy.text("LOCK TABLE linkback_jobs"))
        with pytest.raises(StoreError, match=r"(?i)lock") as caught:
            store.add_claim(record("b", title="2"), due=NOON)
        assert "\n" not in str(caught.value)
        connection.rollback()
        if connection.dialect.name == "mysql":
            connection.execute(sqlalchemy.text("UNLOCK TABLES"))
    assert store.claim("b") is None
    assert store.add_claim(record("b", title="2"), due=NOON) is not None
    engine.dispose()
    store.close()


@pytest.mark.parametrize("server_url", SERVERS, indirect=True)
def test_a_worker_does_not_wait_for_jobs_that_another_is_taking(server_url: str) -> None:
    store = open_store(server_url)
    for number in range(3):
        store.add_claim(record(str(number), f"{SITE}/{number}"), due=NOON + timedelta(seconds=number))
    engine = read_url(server_url).engine(patient=False)
    with engine.connect() as connection:
        first = sqlalchemy.text("SELECT subject FROM linkback_jobs ORDER BY due, id LIMIT 1 FOR UPDATE")
        held = connection.scalar(first)
        taken = [job.subject for job in store.lease(NOON + HOUR, NOON + 2 * HOUR, limit=9)]
    assert len(taken) == 2
    assert held not in taken
    engine.dispose()
    store.close()


@pytest.mark.parametrize("server_url", SERVERS, indirect=True)
def test_of_two_that_wait_for_each_other_one_is_done_again(server_url: str) -> None:
    """The server undoes one; `repeated` has it come after the other."""
    database = Database(read_url(server_url))
    store = open_store(server_url)
    for name in "ab":
        store.add_claim(record(name, f"{SITE}/{name}"), due=NOON)
    both = threading.Barrier(2)
    tries: list[str] = []

    @repeated
    def change(first: str, second: str) -> None:
        tries.append(first)
        with database.write() as connection:
            for name in (first, second):
                connection.execute(rename(name, first))
                if name == first and len(tries) <= 2:
                    both.wait()

    at_once(lambda: change("a", "b"), lambda: change("b", "a"))
    assert len(tries) == 3
    found = [store.claim(name) for name in "ab"]
    assert [claim.claim.title for claim in found if claim] in (["ab", "ab"], ["ba", "ba"])
    database.close()
    store.close()
