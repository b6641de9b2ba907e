"""The way into a database that Django knows: whole transactions, one border for errors, connections left as found.

Rule 1: what Django or the driver raises leaves here as a `StoreError` of one line, its cause kept.
Rule 2: a transaction is one `atomic` block. Inside one of the host's it is a savepoint, and commits with the host's.
Rule 3: a connection that nobody else looks after is ours to look after. In a request Django does, and one that a call
        found open is its opener's; elsewhere what a call opened is closed after it, or after the last of the jobs that
        the thread has in hand, when `CONN_MAX_AGE` says so. A thread of our runner closes it itself.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import request_finished, request_started
from django.db import Error, connections, transaction
from django.utils.connection import ConnectionDoesNotExist

from linkback.adapters.django import runners
from linkback.adapters.django.store import turns, vendors
from linkback.errors import StoreError
from linkback.forks import in_child
from linkback.store.collisions import Collision

_FOREIGN = (Error, OSError, ValueError, OverflowError, ConnectionDoesNotExist, ImproperlyConfigured)


class _Request(threading.local):
    """Whether this thread is in a request."""

    open: bool = False


class _Own(threading.local):
    """What this thread has from calls of ours.

    `opened` is the connection that they opened. The thread is `busy` while it has a job in hand; a `worker` is there
    for nothing else. What it writes is `lasting` where it must not wait for the host to commit.
    """

    opened: Any = None
    busy: bool = False
    worker: bool = False
    lasting: bool = False


_request = _Request()
#: in memory, as in a project's tests, connections lock whole tables and do not wait for each other
_in_memory = threading.RLock()


def _begin_request(**more: Any) -> None:
    _request.open = True


def _end_request(**more: Any) -> None:
    _request.open = False


request_started.connect(_begin_request, dispatch_uid="linkback")
request_finished.connect(_end_request, dispatch_uid="linkback")


class Database:
    """The database of an alias of Django's `DATABASES`. Raises `StoreError` for one that linkback cannot use."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._closed = False
        self._own = _Own()
        in_child(self, Database.leave_to_parent)
        with self._border():
            vendor = connections[using].vendor
        if vendor not in vendors.VENDORS:
            raise StoreError(f"database {using!r}: linkback speaks SQLite, PostgreSQL, MySQL and MariaDB, not {vendor}")

    @property
    def joined(self) -> bool:
        """Whether this thread is in a transaction of the host's."""
        connection = connections[self._using]
        said = connection.in_atomic_block or not (connection.autocommit or self._own.lasting)
        return connection.connection is not None and bool(said)

    @contextlib.contextmanager
    def lasting(self) -> Iterator[None]:
        """Have what this thread writes committed at once where the host's settings leave that to the host.

        Inside the host's `transaction.atomic()` it is part of that all the same.
        """
        connection, own = connections[self._using], self._own
        opened = connection.connection is not None
        before = connection.autocommit if opened else connection.settings_dict["AUTOCOMMIT"]
        own.lasting = True
        try:
            yield
        finally:
            own.lasting = False
            if connection.connection is not None and not connection.in_atomic_block and not before:
                with self._border():
                    connection.set_autocommit(False)

    @contextlib.contextmanager
    def read(self) -> Iterator[str]:
        """Statements that only read; gives the alias that they run on."""
        with self._border(), self._connection():
            yield self._using

    @contextlib.contextmanager
    def write(self, turn: str | None = None) -> Iterator[str]:
        """A transaction that writes: committed at the end, or with the host's, and undone by any exception.

        With `turn`, no other transaction that names the same runs at the same time. Raises `Collision` where it was
        undone for another's sake and the host's transaction, if there is one, outlived it.
        """
        with self._border(), self._connection() as connection:
            joined = self.joined
            try:
                with self._turn(connection, turn, joined), transaction.atomic(using=self._using):
                    vendors.begin(connection, turn, joined=joined)
                    yield self._using
            except Error as error:
                # in the host's transaction, who writes to SQLite is alone; and a deadlock in MySQL undoes all of it
                lost = joined and (connection.vendor == "sqlite" or connection.needs_rollback)
                if lost or not vendors.collided(error):
                    raise
                raise Collision(self._told(error)) from error

    def work(self, *, busy: bool) -> None:
        """Say that this thread looks for a job or has one in hand, or that it has none and may be idle for long."""
        connection, own = connections[self._using], self._own
        if busy and connection.connection is None and not _request.open:
            # whoever has the main thread may have connections of their own to come
            own.worker = own.worker or threading.current_thread() is not threading.main_thread()
        own.busy = busy
        if not self._in_use and not self.joined and self._is_ours(connection):
            with self._border():
                self._rest(connection)

    def close(self) -> None:
        """Let go of the connection of this thread, where it is ours; any later use is an error."""
        self._closed = True
        connection = connections[self._using]
        if not self.joined and connection.connection is not None and self._is_ours(connection):
            connection.close()
        self._own.opened = None

    @contextlib.contextmanager
    def _border(self) -> Iterator[None]:
        try:
            yield
        except _FOREIGN as error:
            raise StoreError(self._told(error)) from error

    def _told(self, error: Exception) -> str:
        return f"database {self._using!r}: {vendors.words(error)}"

    @property
    def _in_use(self) -> bool:
        return self._own.busy or runners.here.polls

    def _is_ours(self, connection: Any) -> bool:
        mine = connection.connection is None or connection.connection is self._own.opened
        return not _request.open and (mine or self._own.worker)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        """This thread's connection, alive, and looked after when the call is over."""
        if self._closed:
            raise StoreError(f"database {self._using!r}: the store is closed")
        connection = connections[self._using]
        with _in_memory if vendors.is_in_memory(connection) else contextlib.nullcontext():
            if self.joined:
                vendors.check_version(connection)
                yield connection
            else:
                yield from self._alive(connection)

    def _alive(self, connection: Any) -> Iterator[Any]:
        ours = self._is_ours(connection)
        # of one that has been idle, nobody knows
        if connection.connection is not None and (ours or connection.errors_occurred) and not connection.is_usable():
            connection.close()
        try:
            self._open(connection, ours)
            yield connection
        finally:
            if ours and not self._in_use:
                self._rest(connection)

    def _open(self, connection: Any, ours: bool) -> None:
        connection.ensure_connection()
        if ours:
            self._own.opened = connection.connection
        if (ours or self._own.lasting) and not connection.get_autocommit():
            # a host that says when to commit does not say it for us
            connection.commit()
            connection.set_autocommit(True)
        vendors.check_version(connection)

    def _rest(self, connection: Any) -> None:
        """Do for a connection what Django does after a request."""
        connection.close_if_unusable_or_obsolete()
        self._own.opened = connection.connection

    @contextlib.contextmanager
    def _turn(self, connection: Any, turn: str | None, joined: bool) -> Iterator[None]:
        """A turn on servers where it is the session's, and what must be said before a transaction begins there."""
        with contextlib.ExitStack() as stack:
            if turn is not None and connection.vendor == "mysql":
                name = vendors.take(connection, turn)
                if joined:
                    # what we write is seen by others only when the host's transaction ends
                    turns.hold(connection, name)
                else:
                    stack.callback(turns.let_go, connection, name)
            if not joined:
                vendors.read_committed(connection)
            yield

    def leave_to_parent(self) -> None:
        """Have nothing more to do with a connection of ours that the parent of this process opened."""
        opened, self._own.opened = self._own.opened, None
        connection = connections[self._using] if opened is not None else None
        if connection is None or connection.connection is not opened or vendors.is_in_memory(connection):
            return
        if not connection.in_atomic_block:
            vendors.leave_to_parent(opened)
            connection.connection = None
