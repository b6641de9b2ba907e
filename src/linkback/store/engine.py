"""The way into the database: one engine per process, whole transactions, one border for errors.

Rule 1: what SQLAlchemy or the driver raises leaves here as a `StoreError` of one line, its cause kept.
Rule 2: a connection is never carried over a fork.
Rule 3: no message shows a password.
Rule 4: what two transactions may do to each other is told in `dialect`; one that was undone for it raises `Collision`.
"""

from __future__ import annotations

import contextlib
import os
import threading
import typing
from collections.abc import Callable, Iterator

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from linkback.errors import StoreError
from linkback.store.collisions import TRIES, Collision, let_others_go
from linkback.store.dialect import WRITES, Dialect, seconds
from linkback.store.mysql import MySql
from linkback.store.postgres import Postgres
from linkback.store.schema import SCHEMA_REVISION, VERSION_TABLE, metadata
from linkback.store.shared import Shared, undone_alone
from linkback.store.sqlite import Sqlite

T = typing.TypeVar("T")

_version = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32)))
#: where Django keeps which of its migrations have been run
_DJANGO = "django_migrations"
_DIALECTS: dict[str, type[Dialect]] = {
    "sqlite": Sqlite,
    "postgresql": Postgres,
    "postgres": Postgres,
    "mysql": MySql,
    "mariadb": MySql,
}


def read_url(text: str) -> Dialect:
    """The database that a URL means; raises `StoreError` where we cannot use it."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        # the text is not repeated: it may hold a password in a place where nobody can find it
        raise StoreError("not a database URL; one looks like sqlite:///linkback.db") from error
    kind = _DIALECTS.get(url.drivername.partition("+")[0])
    if kind is None:
        # a query may hold a password too
        shown = url.set(query={}).render_as_string(hide_password=True)
        raise StoreError(f"linkback speaks SQLite, PostgreSQL, MySQL and MariaDB, which this is not: {shown}")
    return kind.of(url)


class Database:
    """A database, opened and at the newest schema.

    `dialect` comes from `read_url`. With `create=False` a database without our tables is an error, and so is one on a
    server with an older schema, unless `upgrade` is asked for. Raises `StoreError` where it cannot be used.
    `as_it_is` looks at no schema and changes none.
    """

    def __init__(self, dialect: Dialect, *, create: bool = True, upgrade: bool = False, as_it_is: bool = False) -> None:
        self.name = dialect.name
        self._dialect = dialect
        self._foreign: tuple[type[Exception], ...] = (
            SQLAlchemyError,
            OSError,
            ValueError,
            OverflowError,
            *dialect.driver_errors,
        )
        self._closed = False
        self._abandoned: list[Engine] = []
        self._shared = Shared(self.write)
        # in memory, all threads share one connection and so one transaction
        self._turn: contextlib.AbstractContextManager[object] = (
            threading.RLock() if dialect.in_memory else contextlib.nullcontext()
        )
        with self.border():
            dialect.look(create=create)
            self._begin(patient=upgrade)
        try:
            if not as_it_is:
                self._bring_up_to_date(create=create, upgrade=upgrade or dialect.upgrades_itself)
        except BaseException:
            self.close()
            raise

    def _begin(self, *, patient: bool) -> None:
        self._engine, self._process = self._dialect.engine(patient=patient), os.getpid()
        self._writing = threading.Lock()

    @contextlib.contextmanager
    def border(self, raised: type[StoreError] = StoreError) -> Iterator[None]:
        """Translate what the database, its driver or a value it cannot hold raises; a collision becomes `raised`."""
        try:
            yield
        except self._foreign as error:
            again = isinstance(error, DBAPIError) and self._dialect.collided(error.orig)
            kind = raised if again else StoreError
            raise kind(f"{self.name}: {self._one_line(error)}") from error

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self.border(), self._turn, self._current().connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self, turn: str | None = None) -> Iterator[Connection]:
        """A transaction that writes: committed at the end, undone by any exception.

        With `turn`, no other transaction that names the same runs at the same time. Raises `Collision` where it was
        undone for another's sake; `repeated` is the answer to that.
        """
        if (whole := self._shared.current) is not None:
            with self.border(Collision), undone_alone(whole):
                yield whole
            return
        with self.border(Collision), self._turn, self._pen(), self._current().connect() as connection:
            connection.execution_options(**WRITES)
            with connection.begin():
                if turn is not None:
                    self._dialect.take_turn(connection, turn)
                yield connection

    @property
    def in_process(self) -> bool:
        """Whether the database is a library of this process."""
        return self._dialect.one_writer

    def shared(self, work: Callable[[], T]) -> T:
        """Do some work whose one transaction, of statements alone, may be one with those that come at the same moment.

        It may be done by another thread. Raises what the work does, and `StoreError` where the commit failed.
        """
        alone = self._dialect.in_memory or not self._dialect.one_writer
        return work() if alone else self._shared(work)

    @contextlib.contextmanager
    def _pen(self) -> Iterator[None]:
        """Where one may write at a time, have the threads of this process queue for it.

        Else each would sleep and try again, and all together have a quarter of the commits (durable receive).
        """
        self._current()
        pen = self._writing
        if not self._dialect.one_writer:
            yield
        elif pen.acquire(timeout=seconds(self._dialect.url)):
            try:
                yield
            finally:
                pen.release()
        else:
            raise StoreError(f"{self.name}: database is locked")

    def join(self, connection: Connection, work: Callable[[], T]) -> T:
        """Do some work in its owner's transaction, and again where that collided and the transaction outlived it."""
        with self.border():
            if connection.dialect.name == "sqlite":
                # whoever writes is alone, and in the driver's own mode the end of a savepoint would be a commit
                return work()
            for number in range(TRIES - 1):
                try:
                    return self._apart(connection, work)
                except DBAPIError as error:
                    if not self._dialect.collided(error.orig):
                        raise
                let_others_go(number)
            return self._apart(connection, work)

    def _apart(self, connection: Connection, work: Callable[[], T]) -> T:
        """Do some work that can be undone without the rest of its transaction."""
        savepoint = connection.begin_nested()
        try:
            done = work()
        except DBAPIError as error:
            try:
                savepoint.rollback()
            except SQLAlchemyError:
                # a deadlock in MySQL undoes the whole transaction, and only its owner can do that again
                raise StoreError(f"{self.name}: {self._one_line(error)}") from error
            raise
        except BaseException:
            savepoint.rollback()
            raise
        savepoint.commit()
        return done

    def close(self) -> None:
        """Let go of the connections of this process; any later use is an error."""
        self._closed = True
        if self._process == os.getpid():
            self._engine.dispose()

    def _current(self) -> Engine:
        if self._closed:
            raise StoreError(f"{self.name}: the store is closed")
        if self._process != os.getpid():
            if self._dialect.in_memory:
                raise StoreError(f"{self.name}: it cannot be used after a fork")
            # closing the parent's connections here would disturb its locks, so they are kept, unused
            self._abandoned.append(self._engine)
            self._begin(patient=False)
        return self._engine

    def _bring_up_to_date(self, *, create: bool, upgrade: bool) -> None:
        with self.read() as connection:
            revision = _revision(connection)
            names = set(inspect(connection).get_table_names())
        stray = next((name for name in sorted(names) if name in metadata.tables), None)
        # a schema of ours begins with the table of its version, also while another process makes it
        if stray is not None and VERSION_TABLE not in names and _DJANGO in names:
            raise StoreError(
                f"{self.name}: its tables are those of a Django project: manage.py has the commands for them"
            )
        if revision is None and not create:
            raise StoreError(f"no linkback database at {self.name}")
        # where tables appear one by one, another process may be making them
        if revision is None and stray is not None and self._dialect.upgrades_itself:
            raise StoreError(f"{self.name}: table {stray} is there, without the version of its schema")
        if revision not in (None, SCHEMA_REVISION):
            self._judge(revision)
        # only now: a file that is not ours to use stays as it is
        with self.border():
            self._dialect.prepare()
        if revision != SCHEMA_REVISION:
            self._upgrade(allowed=upgrade or revision is None)

    def _judge(self, revision: str) -> None:
        """Raise `StoreError` for a schema that is none of ours."""
        from linkback.store import migrations

        if not migrations.knows(revision):
            raise StoreError(f"{self.name}: its schema {revision} is newer than {SCHEMA_REVISION}: update linkback")

    def _upgrade(self, *, allowed: bool) -> None:
        from linkback.store import migrations  # slow to import, and seldom needed

        with self.write(turn="upgrade") as connection:
            # read again: another process may have upgraded while this one waited
            revision = _revision(connection)
            if revision == SCHEMA_REVISION:
                return
            if revision is not None:
                self._judge(revision)
            if not allowed:
                raise StoreError(
                    f"{self.name}: its schema {revision} is older than {SCHEMA_REVISION}: run linkback db upgrade"
                )
            with self._dialect.upgrading(connection):
                migrations.upgrade(connection)

    def revision(self) -> str | None:
        """The schema that the database has now."""
        with self.read() as connection:
            return _revision(connection)

    def _one_line(self, error: Exception) -> str:
        """What went wrong in the driver's or the system's words, without statement, parameters or error number."""
        cause = getattr(error, "orig", None)
        if cause is None:
            # SQLAlchemy's own string ends with a link to its manual
            words = getattr(error, "strerror", None) or (error.args[0] if isinstance(error, SQLAlchemyError) else error)
        else:
            words = self._dialect.words(cause)
        return " ".join(str(words).split())[:300]


def current(text: str) -> str | None:
    """The schema that the database at a URL has now, None where it has none of our tables; nothing is changed."""
    database = Database(read_url(text), create=False, as_it_is=True)
    try:
        return database.revision()
    finally:
        database.close()


def upgrade(text: str) -> tuple[str, str]:
    """Bring the database at a URL to the newest schema; give the schema it had and the one it has.

    Raises `StoreError` where it has none of our tables.
    """
    before = current(text)
    if before is None:
        raise StoreError(f"no linkback database at {read_url(text).name}")
    Database(read_url(text), create=False, upgrade=True).close()
    return before, SCHEMA_REVISION


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(_version.c.version_num))
