"""What differs from one kind of database to the next; `sqlite`, `postgres` and `mysql` each hold one answer.

Rule: everything else in this package is one code for all of them, so a difference has a name here.

Two writing transactions about one thing must end as if one had come after the other. SQLite lets one write at a time
and so gives that by itself. On a server they run side by side at READ COMMITTED, and three means make it true:

- A transaction that reads a pair (or a delivery) and writes what follows from it takes that thing's *turn* first: a
  lock on a name. A lock on rows would not do: the pair's job may not exist yet, or be another row when the wait for it
  is over. Only one turn is taken, before any row, so those who wait for turns never wait in a ring.
- A row that others may change without that turn (a job by `lease`, a mention by `moderate`) is read FOR UPDATE.
- What is still left to chance (a deadlock, two that insert one unique key) undoes one of the two as a whole; the
  database says so (`collided`), and `collisions.repeated` does that one again, when it sees what the other wrote.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import URL, Connection, Engine

from linkback.errors import StoreError

#: how many seconds to wait for a connection or for another's lock, unless the URL says `?timeout=`
BUSY_SECONDS = 5.0
#: how many seconds one statement may take on a server, save while the schema is upgraded
STATEMENT_SECONDS = 60.0
#: the execution option that marks a writing transaction
WRITES = {"linkback_writes": True}


@dataclass(frozen=True)
class Dialect:
    """One database, by its URL, and how its kind wants to be treated. Every method may raise `StoreError`."""

    url: URL

    #: whether opening a database of an older schema upgrades it: a file has one user, a server has many programs
    upgrades_itself: ClassVar[bool] = False
    #: whether a transaction that writes keeps all others from it
    one_writer: ClassVar[bool] = False
    #: what the driver may raise where SQLAlchemy is not in between
    driver_errors: ClassVar[tuple[type[Exception], ...]] = ()

    @classmethod
    def of(cls, url: URL) -> Dialect:
        """The database a URL means, with its driver and nothing left to guess."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """What messages call the database: no user, no password."""
        port = "" if self.url.port is None else f":{self.url.port}"
        return f"{self.url.get_backend_name()}://{self.url.host or ''}{port}/{self.url.database}"

    @property
    def in_memory(self) -> bool:
        """Whether it lives in one connection of one process."""
        return False

    def look(self, *, create: bool) -> None:
        """Refuse what can be seen to be no database before anything connects to it; nothing is changed."""

    def engine(self, *, patient: bool) -> Engine:
        """A new engine; `patient` for an upgrade, whose statements may take as long as they need."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make a lasting setting of a database that is about to be used."""

    def take_turn(self, connection: Connection, name: str) -> None:
        """Wait until no other transaction has the turn of that name; it is ours until this one ends."""

    @contextlib.contextmanager
    def upgrading(self, connection: Connection) -> Iterator[None]:
        """Around an upgrade: where one cannot be undone, leave a mark if it does not come to its end."""
        yield

    def collided(self, error: BaseException | None) -> bool:
        """Whether a driver's error says that two transactions met, so that this one may be done again as a whole."""
        return False

    def words(self, error: BaseException) -> str:
        """What a driver's error says to people."""
        return str(error)


def seconds(url: URL) -> float:
    """The `timeout=` of a database URL."""
    text = url.query.get("timeout", str(BUSY_SECONDS))
    try:
        found = float(text) if isinstance(text, str) else math.nan
    except ValueError:
        found = math.nan
    if not 0 <= found < 1_000_000:
        raise StoreError("timeout= in the database URL takes a number of seconds")
    return found


def server_url(url: URL, driver: str) -> URL:
    """A server's URL with its driver and its `timeout=`; raises `StoreError` where it leaves something open."""
    if not url.database:
        raise StoreError(f"the database URL names no database; one looks like {url.drivername}://user@host/database")
    wait = str(seconds(url))
    twice = next((option for option, value in url.query.items() if not isinstance(value, str)), None)
    if twice is not None:
        raise StoreError(f"the database URL says {twice}= more than once")
    return url.set(drivername=driver).update_query_dict({"timeout": wait})


def load(make: Callable[[], Engine], *, server: str, extra: str) -> Engine:
    """The engine that a function makes; raises `StoreError` with what to do where its driver is missing."""
    try:
        return make()
    except ImportError as error:
        raise StoreError(f'{server} needs its driver, pip install "linkback[{extra}]" ({error})') from error
