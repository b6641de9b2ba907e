"""Everything that only PostgreSQL needs: psycopg 3, its time limits, its locks on names.

Rule 1: nothing waits for ever: connecting, another's lock, a statement and a silent network each have a limit.
Rule 2: a turn is an advisory lock of the transaction, so it ends with it, however that is.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select

from linkback.errors import StoreError
from linkback.store.collisions import POSTGRES
from linkback.store.dialect import STATEMENT_SECONDS, Dialect, load, seconds, server_url
from linkback.store.keys import hashed

#: what libpq is told unless the URL says otherwise; TCP itself would wait a quarter of an hour for a host that is gone
_LIBPQ = {"fallback_application_name": "linkback", "tcp_user_timeout": "30000", "keepalives_idle": "60"}
_OLDEST = 12
_SETTINGS = (
    "SELECT set_config('TimeZone', 'UTC', false), set_config('lock_timeout', %s, false),"
    " set_config('statement_timeout', %s, false)"
)


class Postgres(Dialect):
    """A PostgreSQL database."""

    @classmethod
    def of(cls, url: URL) -> Postgres:
        """The database a URL means; every option but `timeout=` is libpq's to understand."""
        if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
            raise StoreError(f"linkback speaks to PostgreSQL through psycopg 3: postgresql://, not {url.drivername}://")
        return cls(server_url(url.set(drivername="postgresql"), "postgresql+psycopg"))

    def engine(self, *, patient: bool) -> Engine:
        """A new engine with a pool of connections."""
        wait = seconds(self.url)
        # 0 would be no limit at all; libpq counts whole seconds
        defaults = {**_LIBPQ, "connect_timeout": str(max(1, round(wait)))}
        given = self.url.difference_update_query(["timeout"])
        whole = given.set(query={**defaults, **given.query})
        engine = load(
            lambda: create_engine(whole, isolation_level="READ COMMITTED", pool_pre_ping=True),
            server="PostgreSQL",
            extra="postgres",
        )
        limits = str(max(1, round(wait * 1000))), "0" if patient else str(round(STATEMENT_SECONDS * 1000))

        @event.listens_for(engine, "connect")
        def on_connect(connection: Any, record: object) -> None:
            check_version(self.name, connection.info.server_version)
            connection.execute(_SETTINGS, limits)
            # a setting made in a transaction that is undone is undone with it
            connection.commit()

        return engine

    def take_turn(self, connection: Connection, name: str) -> None:
        """Lock 64 bits that stand for the name: two names that share them only wait needlessly."""
        number = int.from_bytes(hashed(name)[:8], "big", signed=True)
        connection.execute(select(func.pg_advisory_xact_lock(number)))

    def collided(self, error: BaseException | None) -> bool:
        """Whether the error is a deadlock, a serialization failure or a key that another just inserted."""
        # a host's own connection may have another driver: psycopg 2 has another word
        return (getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)) in POSTGRES

    def words(self, error: BaseException) -> str:
        """The server's message without the statement that psycopg adds."""
        return getattr(getattr(error, "diag", None), "message_primary", None) or str(error)


def check_version(name: str, version: int) -> None:
    """Raise `StoreError` for a server whose version, as libpq counts it, is too old."""
    if version < _OLDEST * 10000:
        raise StoreError(f"{name}: PostgreSQL {version // 10000} is too old; linkback needs {_OLDEST}")
