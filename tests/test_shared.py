"""Writes of one moment are one transaction on the disk: none is lost, and none spoils another."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from linkback.errors import StoreError
from linkback.store.engine import Database, read_url
from tests.patience import PATIENCE, until


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(read_url(f"sqlite:///{tmp_path / 'linkback.db'}"))
    with database.write() as connection:
        connection.execute(text("CREATE TABLE names (name TEXT UNIQUE)"))
    yield database
    database.close()


Part = Callable[[], object]


def adding(database: Database, name: str, then: Callable[[Any], object] = lambda connection: None) -> Part:
    """A part that writes a name, and gives it."""

    def part() -> str:
        with database.write() as connection:
            connection.execute(text("INSERT INTO names VALUES (:name)"), {"name": name})
            then(connection)
        return name

    return part


def raising(error: BaseException) -> Callable[[Any], object]:
    def then(connection: Any) -> None:
        raise error

    return then


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return sorted(connection.scalars(text("SELECT name FROM names")))


def commits(database: Database) -> list[object]:
    """Filled with one entry for each commit from now on."""
    seen: list[object] = []
    event.listen(database._engine, "commit", seen.append)
    return seen


def at_once(database: Database, parts: Sequence[Part], then: Callable[[], None] = lambda: None) -> list[object]:
    """What became of some parts that come while another transaction is under way."""
    together = database._shared._together
    found: dict[int, object] = {}

    def share(number: int, part: Part) -> None:
        try:
            found[number] = database.shared(part)
        except BaseException as error:  # noqa: BLE001 - it is what is asked for
            found[number] = error

    threads = [threading.Thread(target=share, args=given) for given in enumerate(parts)]
    # as if a transaction were being written
    with together._lock:
        together._led = True
    for count, thread in enumerate(threads, 1):
        thread.start()
        until(lambda count: len(together._waiting) >= count, count)
    then()
    with together._lock:
        together._waiting[0].leads = True
        together._waiting[0].woken.release()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    return [found[number] for number in range(len(parts))]


def test_parts_of_one_moment_are_one_commit_and_each_has_its_own_result(database: Database) -> None:
    seen = commits(database)
    wanted = [f"{number:02}" for number in range(10)]
    assert at_once(database, [adding(database, name) for name in wanted]) == wanted
    assert names(database) == wanted
    assert len(seen) == 1


def test_a_transaction_takes_only_so_many_parts(database: Database) -> None:
    seen = commits(database)
    wanted = [f"{number:02}" for number in range(40)]
    assert at_once(database, [adding(database, name) for name in wanted]) == wanted
    assert names(database) == wanted
    assert len(seen) == 3


def test_a_part_that_comes_alone_is_a_transaction_as_ever(database: Database) -> None:
    seen = commits(database)
    assert database.shared(adding(database, "a")) == "a"
    with pytest.raises(LookupError):
        database.shared(adding(database, "b", raising(LookupError("no"))))
    assert names(database) == ["a"]
    assert len(seen) == 1


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("error", [LookupError("no"), StoreError("no")])
def test_what_one_part_raises_undoes_that_part_alone(database: Database, place: int, error: Exception) -> None:
    parts = [adding(database, "a"), adding(database, "b")]
    parts.insert(place, adding(database, "c", raising(error)))
    found = at_once(database, parts)
    assert found.pop(place) is error
    assert found == names(database) == ["a", "b"]


def test_what_the_database_has_against_one_part_is_that_ones_alone(database: Database) -> None:
    found = at_once(database, [adding(database, "a"), adding(database, "a"), adding(database, "b")])
    assert (found[0], found[2]) == ("a", "b")
    assert isinstance(found[1], StoreError)
    assert names(database) == ["a", "b"]


def test_a_commit_that_fails_is_told_to_all(database: Database) -> None:
    def fail(connection: Any) -> None:
        event.remove(database._engine, "commit", fail)
        raise sqlite3.OperationalError("disk I/O error")

    event.listen(database._engine, "commit", fail)
    found = at_once(database, [adding(database, "a"), adding(database, "b")])
    assert [(type(error), "disk I/O error" in str(error)) for error in found] == [(StoreError, True)] * 2
    assert names(database) == []
    assert database.shared(adding(database, "c")) == "c"


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("told", [True, False])
def test_where_the_database_gives_up_the_whole_all_are_told_and_nothing_is_kept(
    database: Database, place: int, told: bool
) -> None:
    """SQLite does so on a full disk: what came after would be written alone, and what came before be lost."""

    def give_up(connection: Any) -> None:
        connection.connection.dbapi_connection.execute("ROLLBACK")
        if told:
            raise sqlite3.OperationalError("database or disk is full")

    parts = [adding(database, "a"), adding(database, "b")]
    parts.insert(place, adding(database, "c", give_up))
    assert [type(error) for error in at_once(database, parts)] == [StoreError] * 3
    assert names(database) == []
    assert database.shared(adding(database, "d")) == "d"
    assert names(database) == ["d"]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_interrupt_undoes_all_parts_and_everybody_hears_of_it(database: Database, place: int) -> None:
    parts = [adding(database, "a"), adding(database, "b")]
    parts.insert(place, adding(database, "c", raising(KeyboardInterrupt())))
    leader, *others = at_once(database, parts)
    assert isinstance(leader, KeyboardInterrupt)
    assert [type(error) for error in others] == [StoreError] * 2
    assert names(database) == []
    assert database.shared(adding(database, "d")) == "d"


def test_a_store_that_was_closed_meanwhile_tells_all(database: Database) -> None:
    found = at_once(database, [adding(database, "a"), adding(database, "b")], database.close)
    assert [(type(error), "closed" in str(error)) for error in found] == [(StoreError, True)] * 2


def test_a_part_is_not_seen_before_the_commit_of_all(database: Database) -> None:
    seen: list[list[str]] = []
    look = adding(database, "b", lambda connection: seen.append(names(database)))
    at_once(database, [adding(database, "a"), look, adding(database, "c")])
    assert seen == [[]]
    assert names(database) == ["a", "b", "c"]


def test_a_transaction_of_its_own_waits_for_its_turn_and_is_not_a_part(database: Database) -> None:
    alone = threading.Thread(target=lambda: adding(database, "alone")())

    found = at_once(
        database,
        [adding(database, "a", lambda connection: alone.start()), adding(database, "b", raising(LookupError()))],
    )
    alone.join(10)
    assert found[0] == "a"
    assert names(database) == ["a", "alone"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_parts_are_shared_in_a_child_too(database: Database) -> None:
    database.shared(adding(database, "a"))
    if (child := os.fork()) == 0:
        found = at_once(database, [adding(database, "b"), adding(database, "c")])
        os._exit(0 if found == ["b", "c"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert names(database) == ["a", "b", "c"]


def test_a_database_in_memory_and_a_server_share_nothing() -> None:
    database = Database(read_url("sqlite://"))
    assert database.shared(threading.get_ident) == threading.get_ident()
    assert not database._shared._together._led
