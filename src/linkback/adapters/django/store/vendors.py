"""What differs from one kind of database to the next, where Django leaves it to us.

What two transactions may do to each other, and by what means they end as if one had come after the other, is told in
`linkback.store.dialect`; the means are the same here, so that both stores may even share a database.

Rule: no message shows parameters of a statement.
"""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime
from typing import Any

from linkback.errors import StoreError
from linkback.store.collisions import MYSQL, POSTGRES
from linkback.store.keys import hashed
from linkback.store.versions import check_mysql

VENDORS = frozenset({"sqlite", "postgresql", "mysql"})
#: what SQLite says at once, where others are to be let go first. SQLITE_BUSY is not here: it has waited already
_SQLITE = frozenset({sqlite3.SQLITE_BUSY_SNAPSHOT, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_LOCKED_SHAREDCACHE})
#: how a database says that a table is not there: SQLSTATE, error number
_NO_TABLE = frozenset({"42P01", 1146})
#: how many seconds to wait for another's lock, as the other store does
_WAIT = 5
#: PostgreSQL's limit for that in this transaction, unless the project has one of its own
_LIMIT = "CASE current_setting('lock_timeout') WHEN '0' THEN set_config('lock_timeout', %s, true) END"
#: what a parent of this process opened and this one must not even close
_of_parents: list[Any] = []
_NOW = {"postgresql": "SELECT clock_timestamp() AT TIME ZONE 'UTC'", "mysql": "SELECT UTC_TIMESTAMP(6)"}


def begin(connection: Any, turn: str | None, *, joined: bool) -> None:
    """Begin to write in a transaction, which is `joined` where it is the host's; wait for the turn where it ends with
    the transaction."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite" and (joined or connection.transaction_mode in (None, "DEFERRED")):
            # a transaction that has read cannot wait for another writer, so this one asks to write before it reads
            cursor.execute("UPDATE linkback_hosts SET host = host WHERE key = ''")
        if connection.vendor == "postgresql":
            if not joined and connection.settings_dict["OPTIONS"].get("isolation_level") is not None:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            # in this order: the wait for the turn has the limit
            asked: dict[str, object] = {} if joined else {_LIMIT: f"{_WAIT}s"}
            if turn is not None:
                asked["pg_advisory_xact_lock(%s)"] = int.from_bytes(hashed(turn)[:8], "big", signed=True)
            if asked:
                cursor.execute(f"SELECT {', '.join(asked)}", [*asked.values()])


def check_version(connection: Any) -> None:
    """Raise `StoreError` for a server that is too old; Django asked it once, when it first connected."""
    if connection.vendor == "mysql":
        check_mysql(f"database {connection.alias!r}", connection.mysql_server_info)


def leave_to_parent(driver: Any) -> None:
    """Forget a driver's connection that came here by a fork: nothing said here may reach the server, not even goodbye,
    and SQLite wants it never touched."""
    _of_parents.append(driver)
    # PyMySQL's
    socket = getattr(driver, "_sock", driver)
    if hasattr(socket, "fileno"):
        # some drivers say goodbye when the process ends
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, socket.fileno())
        os.close(nowhere)


def is_in_memory(connection: Any) -> bool:
    """Whether the database lives in this process only."""
    return bool(connection.vendor == "sqlite" and connection.is_in_memory_db())


def read_committed(connection: Any) -> None:
    """Have the transaction that is about to begin see what others commit, where that must be said before."""
    if connection.vendor == "mysql" and connection.isolation_level != "read committed":
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


def take(connection: Any, turn: str) -> str:
    """Wait for a turn that is the session's, and give the name to `leave` it by; raises `StoreError` after a while."""
    name = "linkback." + hashed(str(connection.settings_dict["NAME"] or ""), turn).hex()[:40]
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, %s)", [name, _WAIT])
        (had,) = cursor.fetchone()
    if had != 1:
        raise StoreError(f"database {connection.alias!r}: another transaction held its lock for {_WAIT} seconds")
    return name


def leave(connection: Any, name: str) -> None:
    """Let go of a turn that is the session's."""
    with connection.cursor() as cursor:
        cursor.execute("DO RELEASE_LOCK(%s)", [name])


def collided(error: BaseException) -> bool:
    """Whether Django's error says that two transactions met, so that this one may be done again as a whole."""
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", None) in _SQLITE
    return _code(cause) in POSTGRES | MYSQL


def _code(cause: BaseException | None) -> object:
    """PostgreSQL's SQLSTATE or MySQL's error number."""
    # psycopg 2 has another word
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return state or (cause.args[0] if cause is not None and len(cause.args) > 1 else None)


def words(error: BaseException) -> str:
    """What an error says to people, in one line, without statement, parameters or error number."""
    cause = error.__cause__
    said = getattr(getattr(cause, "diag", None), "message_primary", None)
    if said is None and cause is not None and isinstance(_code(cause), int):
        said = cause.args[1]
    line = " ".join(str(said or error).split())[:300]
    if _code(cause) in _NO_TABLE or "no such table" in line:
        line += "; manage.py migrate makes the tables"
    return line


def server_time(connection: Any) -> datetime | None:
    """The present by the clock of the database's server, None where it has no other clock than ours."""
    if connection.vendor not in _NOW:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_NOW[connection.vendor])
        (found,) = cursor.fetchone()
    moment: datetime = found.replace(tzinfo=UTC)
    return moment
