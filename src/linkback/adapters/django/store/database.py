"""The way into a database that Django knows: whole transactions, one border for errors, connections left as found.

Rule 1: what Django or the driver raises leaves here as a `StoreError` of one line, its cause kept.
Rule 2: a transaction is one `atomic` block. Inside one of the host's it is a savepoint, and commits with the host's.
Rule 3: a connection that nobody else looks after is ours to look after. In a request Django does, and one that a call
        found open is its opener's; elsewhere what a call opened is closed after it, or after the last of the jobs that
        the thread has in hand, when `CONN_MAX_AGE` says so.
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

from linkback.adapters.django.store import vendors
from linkback.errors import StoreError
from linkback.store.collisions import Collision

_FOREIGN = (Error, OSError, ValueError, OverflowError, ConnectionDoesNotExist, ImproperlyConfigured)


class _Request(threading.local):
    """Whether this thread is in a request."""

    open: bool = False


class _Own(threading.local):
    """What this thread has from calls of ours.

    `opened` is the connection that they opened, `turns` those that outlived them. It is `busy` while it has a job in
    hand; a `worker` is there for nothing else.
    """

    opened: Any = None
    turns: tuple[str, ...] = ()
    busy: bool = False
    worker: bool = False


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
        with self._border():
            vendor = connections[using].vendor
        if vendor not in vendors.VENDORS:
            raise StoreError(f"database {using!r}: linkback speaks SQLite, PostgreSQL, MySQL and MariaDB, not {vendor}")

    @property
    def joined(self) -> bool:
        """Whether this thread is in a transaction of the host's."""
        connection = connections[self._using]
        return connection.connection is not None and bool(connection.in_atomic_block or not connection.autocommit)

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
        if not busy and not self.joined and self._is_ours(connection):
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
            self._leave_turns(connection)
            yield connection
        finally:
            if ours and not self._own.busy:
                self._rest(connection)

    def _open(self, connection: Any, ours: bool) -> None:
        connection.ensure_connection()
        if ours:
            self._own.opened = connection.connection
            if not connection.get_autocommit():
                # a host that says when to commit does not say it for us
                connection.set_autocommit(True)

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
                    self._own.turns = (*self._own.turns, name)
                else:
                    stack.callback(self._leave, connection, name)
            if not joined:
                vendors.read_committed(connection)
            elif self._own.turns and connection.in_atomic_block:
                transaction.on_commit(lambda: self._leave_turns(connection), using=self._using, robust=True)
            yield

    def _leave_turns(self, connection: Any) -> None:
        """Let go of the turns of a transaction of the host's that is over: nobody tells us when one is undone."""
        for name in self._own.turns:
            self._leave(connection, name)
        self._own.turns = ()

    def _leave(self, connection: Any, name: str) -> None:
        # where the session is lost, so is the turn
        with contextlib.suppress(Error):
            vendors.leave(connection, name)
