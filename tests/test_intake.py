"""First claims of one moment are one commit: all are kept, or their senders are told, and none spoils it for others."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from linkback.errors import Reason, Refused, StoreError
from linkback.model import Claim, JobKind
from linkback.store import ClaimRecord, Pace, claims, open_store
from linkback.store.sql import SqlStore
from tests.patience import PATIENCE, until

SITE = "https://bob.example"
PAGE = SITE + "/post"
NOON = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def claim(number: int, **more: Any) -> ClaimRecord:
    """The first claim of a pair."""
    source = f"https://h{number % 3}.example/{number}"
    record = ClaimRecord(
        id=f"id{number}",
        site=SITE,
        key=f"{number:064d}",
        page=PAGE,
        claim=Claim("webmention", source, PAGE),
        received=NOON,
    )
    return replace(record, **more)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = open_store(f"sqlite:///{tmp_path / 'linkback.db'}")
    assert isinstance(store, SqlStore)
    yield store
    store.close()


def engine(store: SqlStore) -> Any:
    return store._opened._engine


def commits(store: SqlStore) -> list[object]:
    """Filled with one entry for each commit from now on."""
    seen: list[object] = []
    event.listen(engine(store), "commit", seen.append)
    return seen


def at_once(
    store: SqlStore, records: Sequence[ClaimRecord], paces: Sequence[Pace | None] = (None,)
) -> dict[str, object]:
    """What became of some claims that come while another commit is under way, so that they are one batch."""
    together = store._intake._together
    found: dict[str, object] = {}

    def take(record: ClaimRecord, pace: Pace | None) -> None:
        try:
            found[record.id] = store.add_first(record, due=NOON, pace=pace)
        except BaseException as error:  # noqa: BLE001 - it is what is asked for
            found[record.id] = error

    threads = [threading.Thread(target=take, args=given) for given in zip(records, itertools.cycle(paces))]
    # as if a batch were being written
    with together._lock:
        together._led = True
    for count, thread in enumerate(threads, 1):
        thread.start()
        until(lambda count: len(together._waiting) >= count, count)
    with together._lock:
        together._waiting[0].leads = True
        together._waiting[0].woken.release()
    for thread in threads:
        thread.join(PATIENCE)
    return found


def kept(store: SqlStore) -> list[str]:
    """The ids of all claims that are in the database, each with its job."""
    with store._opened.read() as connection:
        rows = connection.execute(
            text(
                "SELECT public_id FROM linkback_claims JOIN linkback_jobs ON subject = linkback_claims.key"
                " WHERE open AND kind = 'check' ORDER BY linkback_claims.id"
            )
        )
        return [row.public_id for row in rows]


def test_claims_of_one_moment_are_one_commit_and_each_has_its_job(store: SqlStore) -> None:
    seen = commits(store)
    records = [claim(number) for number in range(8)]
    assert at_once(store, records) == {record.id: True for record in records}
    assert len(seen) == 1
    assert sorted(kept(store)) == [record.id for record in records]
    assert [store.claim(record.id) for record in records] == records


def test_many_threads_lose_nothing(store: SqlStore) -> None:
    taken: list[str] = []

    def take(first: int) -> None:
        for number in range(first, first + 25):
            if store.add_first(claim(number), due=NOON, pace=Pace(SECOND, 2)):
                # it is there as soon as it was said to be
                assert store.claim(f"id{number}") is not None
                taken.append(f"id{number}")

    threads = [threading.Thread(target=take, args=(first,)) for first in range(0, 200, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 200
    assert sorted(kept(store)) == sorted(taken)


def test_what_is_known_of_a_pair_is_left_to_the_long_way(store: SqlStore) -> None:
    """A claim, a job or a mention: whatever there is may change the answer."""
    assert store.add_first(claim(1), due=NOON)
    assert not store.add_first(claim(1, id="again"), due=NOON)
    with store._opened.write() as connection:
        connection.execute(text("DELETE FROM linkback_jobs"))
    assert not store.add_first(claim(1, id="again"), due=NOON), "a claim without a job"
    with store._opened.write() as connection:
        connection.execute(text("UPDATE linkback_claims SET open = 0"))
    assert not store.add_first(claim(1, id="again"), due=NOON), "a claim that was answered"
    with store._opened.write() as connection:
        connection.execute(text("DELETE FROM linkback_claims"))
    assert store.add_first(claim(1, id="again"), due=NOON)
    assert kept(store) == ["again"]


def test_a_job_without_a_claim_is_in_nobodys_way(store: SqlStore) -> None:
    """It cannot be by our hand; the key that is there twice sends the claim its long way, where it joins the job."""
    store.add_first(claim(1), due=NOON)
    with store._opened.write() as connection:
        connection.execute(text("DELETE FROM linkback_claims"))
    found = at_once(store, [claim(1), claim(2)])
    assert found == {"id1": False, "id2": False}
    assert [store.add_claim(claim(number), due=NOON) for number in (1, 2)] == [claim(1), claim(2)]
    assert kept(store) == ["id1", "id2"]


def test_of_two_of_one_pair_at_one_moment_one_goes_the_long_way(store: SqlStore) -> None:
    found = at_once(store, [claim(1), claim(1, id="twin"), claim(2)])
    assert found == {"id1": True, "twin": False, "id2": True}
    assert kept(store) == ["id1", "id2"]


@pytest.mark.parametrize("others", [1, 250])
def test_a_pair_with_many_claims_hides_no_other(store: SqlStore, others: int) -> None:
    with store._opened.write() as connection:
        claims.add_all(connection, [claim(1, id=f"old{number}", open=False) for number in range(others)])
        claims.add_all(connection, [claim(5, id=f"older{number}", open=False) for number in range(others)])
    found = at_once(store, [claim(number, id=f"new{number}") for number in range(8)])
    assert {id for id, taken in found.items() if not taken} == {"new1", "new5"}


def test_one_that_the_database_refuses_spoils_no_other(store: SqlStore) -> None:
    """All of them go their long way, and only that one fails there."""
    store.add_first(claim(1), due=NOON)
    found = at_once(store, [claim(2), claim(3, id="id1"), claim(4)])
    assert found == {"id2": False, "id1": False, "id4": False}
    assert [store.add_claim(claim(number), due=NOON) for number in (2, 4)] == [claim(2), claim(4)]
    with pytest.raises(StoreError, match="UNIQUE"):
        store.add_claim(claim(3, id="id1"), due=NOON)
    assert kept(store) == ["id1", "id2", "id4"]


def test_a_commit_that_fails_is_told_to_all_and_keeps_nothing(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(engine(store).dialect, "do_commit", fail)
        found = at_once(store, [claim(number) for number in range(4)])
    assert len(found) == 4
    for error in found.values():
        assert isinstance(error, StoreError)
        assert str(error).endswith("database or disk is full")
    assert len({id(error) for error in found.values()}) == 4
    assert kept(store) == []
    assert store.add_first(claim(1), due=NOON), "and what comes then is taken"


def test_sites_and_paces_that_share_a_database_share_a_commit(store: SqlStore) -> None:
    """Each claim's job is its own site's, and due by its own pace."""
    seen = commits(store)
    records = [claim(number, site=f"https://s{number % 2}.example") for number in range(6)]
    at_once(store, records, (None, Pace(SECOND, 1), Pace(SECOND, 2)))
    assert len(seen) == 1
    jobs = store.lease(NOON + HOUR, NOON + 2 * HOUR, kind=JobKind.CHECK, limit=10)
    assert {job.subject: job.site for job in jobs} == {record.key: record.site for record in records}


def test_of_one_batch_those_are_refused_whose_hosts_have_too_many_that_wait(store: SqlStore) -> None:
    """At once due are two of a host, and one more is taken; all others are kept, whatever their pace."""
    pace = Pace(SECOND, 2, SECOND + SECOND / 2)
    records = [
        replace(claim(number), claim=Claim("webmention", f"https://h.example/{number}", PAGE)) for number in range(6)
    ]
    others = [claim(number) for number in range(10, 14)]
    seen = commits(store)
    found = at_once(store, [*records, *others], [*[pace] * 6, pace, None, None, Pace(SECOND, 1)])
    refused = {id: error for id, error in found.items() if isinstance(error, Refused)}
    assert len(refused) == 3
    assert {(error.reason, error.retry_after) for error in refused.values()} == {(Reason.TOO_OFTEN, 1)}
    assert set(refused) < {record.id for record in records}
    assert sorted(kept(store)) == sorted(id for id, taken in found.items() if taken is True)
    assert len(kept(store)) == 7
    assert len(seen) == 1


def test_a_batch_that_is_refused_as_a_whole_keeps_nothing(store: SqlStore) -> None:
    pace = Pace(SECOND, 1, timedelta(0))
    assert store.add_first(claim(0), due=NOON, pace=pace)
    found = at_once(store, [claim(3), claim(6), claim(3, id="twin")], [pace])
    assert {type(found[id]) for id in ("id3", "id6")} == {Refused} or {type(found[id]) for id in ("twin", "id6")} == {
        Refused
    }
    assert kept(store) == ["id0"]


def test_a_store_that_is_closed_says_so_to_all(store: SqlStore) -> None:
    store.close()
    found = at_once(store, [claim(number) for number in range(3)])
    assert [str(error) for error in found.values()] == [f"{store.name}: the store is closed"] * 3


def test_a_child_takes_claims_whatever_its_parents_threads_were_about(store: SqlStore) -> None:
    store.add_first(claim(1), due=NOON)
    together = store._intake._together
    with together._lock, store._opened._writing:
        together._led = True
        child = os.fork()
        if child == 0:  # pragma: no cover  (the child's lines are not measured)
            os._exit(0 if store.add_first(claim(2), due=NOON) else 1)
        together._led = False
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.add_first(claim(3), due=NOON)
    assert kept(store) == ["id1", "id2", "id3"]


def test_who_waits_for_the_pen_too_long_is_told(tmp_path: Path) -> None:
    """Threads of one process queue for it; none waits longer than the database's URL says."""
    store = open_store(f"sqlite:///{tmp_path / 'linkback.db'}?timeout=0.05")
    assert isinstance(store, SqlStore)
    with store._opened._writing:
        found = at_once(store, [claim(1), claim(2)])
    assert {str(error) for error in found.values()} == {f"{store.name}: database is locked"}
    assert store.add_first(claim(1), due=NOON)
    store.close()


SERVE = """
    import sys, threading
    from tests.test_intake import claim, NOON
    from linkback.store import open_store
    store = open_store(sys.argv[1])
    lock = threading.Lock()
    def take(first):
        for number in range(first, first + 100_000):
            if store.add_first(claim(number), due=NOON):
                with lock:
                    print(f"id{number}", flush=True)
    for first in range(0, 1_600_000, 100_000):
        threading.Thread(target=take, args=(first,)).start()
"""


@pytest.fixture
def busy(store: SqlStore) -> Iterator[subprocess.Popen[str]]:
    """Another process that takes claims in sixteen threads, and says of each when it is kept."""
    command = [sys.executable, "-c", textwrap.dedent(SERVE), f"sqlite:///{store.name}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent)
    yield process
    process.kill()
    process.communicate()


def test_a_kill_loses_no_claim_that_was_said_to_be_kept(store: SqlStore, busy: subprocess.Popen[str]) -> None:
    assert busy.stdout is not None
    said = [busy.stdout.readline().strip() for _ in range(300)]
    busy.send_signal(signal.SIGKILL)
    # what it had said and nobody had read yet; the last line may be cut off
    said += busy.stdout.read().split("\n")[:-1]
    busy.wait()
    assert len(said) >= 300
    assert set(said) <= set(kept(store))


def test_a_writer_in_another_process_gets_its_turn(store: SqlStore, busy: subprocess.Popen[str]) -> None:
    assert busy.stdout is not None
    reading = threading.Thread(target=lambda: [None for _ in busy.stdout or ()])
    busy.stdout.readline()
    reading.start()
    for number in range(-20, 0):
        assert store.add_claim(claim(number, key=f"{-number:x}".zfill(64).replace("0", "f")), due=NOON) is not None
    busy.kill()
    reading.join()
