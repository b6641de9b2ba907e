"""Everything that only MySQL and MariaDB need: PyMySQL, its time limits, its locks on names, its upgrades.

Rule 1: the driver is PyMySQL: pure Python, so no compiler and no client library, and one driver for both servers.
Rule 2: a session is strict: a value that does not fit is an error, never cut short.
Rule 3: a turn is a lock of the session (there is none of the transaction), so it ends when the connection goes back
        to the pool, after the transaction's end.
Rule 4: DDL commits by itself here. A table stands while an upgrade runs; where it is found later, one broke off.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, inspect, select, text

from linkback.errors import StoreError
from linkback.store.collisions import MYSQL
from linkback.store.dialect import STATEMENT_SECONDS, Dialect, load, seconds, server_url
from linkback.store.keys import hashed
from linkback.store.versions import check_mysql

#: options that the driver takes from the URL
_OPTIONS = frozenset({"timeout", "unix_socket", "ssl_ca", "ssl_cert", "ssl_key", "ssl_check_hostname"})
_DRIVERS = frozenset({"mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql"})
#: stands while an upgrade runs
UPGRADE_TABLE = "linkback_upgrade"
#: under this key a connection notes that it has a turn
_HAS_TURN = "linkback_turn"


class MySql(Dialect):
    """A database of MySQL or MariaDB."""

    @classmethod
    def of(cls, url: URL) -> MySql:
        """The database a URL means; raises `StoreError` for an option that means nothing."""
        if url.drivername not in _DRIVERS:
            raise StoreError(f"linkback speaks to MySQL and MariaDB through PyMySQL: mysql://, not {url.drivername}://")
        unknown = sorted(set(url.query) - _OPTIONS)
        if unknown:
            known = "=, ".join(sorted(_OPTIONS))
            raise StoreError(f"the database URL has an unknown option {unknown[0]!r}; these are understood: {known}=")
        return cls(server_url(url, "mysql+pymysql"))

    @property
    def _wait(self) -> int:
        # these servers count whole seconds
        return max(1, round(seconds(self.url)))

    def engine(self, *, patient: bool) -> Engine:
        """A new engine with a pool of connections."""
        arguments: dict[str, Any] = {
            "charset": "utf8mb4",
            "connect_timeout": self._wait,
            # the last is for locks on whole tables, and a year long by default
            "init_command": "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES',"
            f" innodb_lock_wait_timeout = {self._wait}, lock_wait_timeout = {self._wait}",
        }
        if not patient:
            arguments |= {"read_timeout": STATEMENT_SECONDS, "write_timeout": STATEMENT_SECONDS}
        given = self.url.difference_update_query(["timeout"])
        engine = load(
            lambda: create_engine(given, isolation_level="READ COMMITTED", pool_pre_ping=True, connect_args=arguments),
            server="MySQL",
            extra="mysql",
        )

        @event.listens_for(engine, "connect")
        def on_connect(connection: Any, record: object) -> None:
            check_mysql(self.name, connection.get_server_info())

        event.listen(engine, "checkin", _on_checkin)
        return engine

    def take_turn(self, connection: Connection, name: str) -> None:
        """Lock a name that stands for this one in this database: such names are the whole server's."""
        lock = "linkback." + hashed(self.url.database or "", name).hex()[:40]
        # noted first: an answer that is lost may have been a yes
        connection.info[_HAS_TURN] = True
        if connection.scalar(select(func.get_lock(lock, self._wait))) != 1:
            raise StoreError(f"{self.name}: another transaction held its lock for {self._wait} seconds")

    @contextlib.contextmanager
    def upgrading(self, connection: Connection) -> Iterator[None]:
        """Keep a table while an upgrade runs; raises `StoreError` where one from before stands."""
        if inspect(connection).has_table(UPGRADE_TABLE):
            raise StoreError(
                f"{self.name}: an upgrade of the schema broke off half way. Restore a backup or, if there was nothing"
                f" yet, drop the tables that begin with linkback_; {UPGRADE_TABLE} is its mark and must go too"
            )
        connection.execute(text(f"CREATE TABLE {UPGRADE_TABLE} (begun INTEGER)"))
        yield
        connection.execute(text(f"DROP TABLE {UPGRADE_TABLE}"))

    def collided(self, error: BaseException | None) -> bool:
        """Whether the error is a deadlock, a row that another changed or a key that another just inserted."""
        return bool(error is not None and error.args and error.args[0] in MYSQL)

    def words(self, error: BaseException) -> str:
        """The server's message without its number."""
        return str(error.args[1] if len(error.args) > 1 else error)


def _on_checkin(connection: Any, record: Any) -> None:
    # a connection that broke is None here, and its locks went with it
    if record.info.pop(_HAS_TURN, False) and connection is not None:
        with connection.cursor() as cursor:
            cursor.execute("DO RELEASE_ALL_LOCKS()")
