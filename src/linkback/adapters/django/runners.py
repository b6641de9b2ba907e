"""Who does the work, at home in Django: after the transaction that brings it, and with connections kept as a request
keeps them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from django.core.signals import request_started
from django.db import connections, transaction

from linkback.jobs import Embedded, Runner, Step, Wait


class _Thread(threading.local):
    """What this thread is doing: while it `polls`, what it opens is let go of when it goes to sleep."""

    polls: bool = False


class _Process:
    """What this process is; that of a fork has yet to show it."""

    #: the id of the one that serves
    serving: int = 0


here = _Thread()
_process = _Process()


def serve(**more: Any) -> None:
    """Say that this process answers requests: it lives long enough for threads to work in it."""
    _process.serving = os.getpid()


def serves() -> bool:
    """Whether this process answers requests, as neither a command of the project's does nor its shell."""
    return _process.serving == os.getpid()


# a first request may publish, and its answer be no page of ours
request_started.connect(serve, dispatch_uid="linkback.serves")


class DjangoRunner:
    """A runner whose nudges wait for the end of the transaction that they come in, on the database `using`.

    Before that nobody else can see the work; rolled back, they are forgotten. So in a `TestCase`, whose transaction is
    never committed, no work begins by itself. A nudge does nothing where `may` says no. With `keep`, its threads have
    their connections to `using` also while they sleep, as those do who look again in a moment.
    """

    def __init__(
        self, runner: Runner, using: str, *, may: Callable[[], bool] = lambda: True, keep: bool = False
    ) -> None:
        self.runner = runner
        self._using = using
        self._may = may
        self._keep = keep
        self._stopped = False
        if isinstance(runner, Embedded):
            # a thread that ends closes no connection by itself
            runner.leave = connections.close_all

    def attach(self, step: Step, wait: Wait) -> None:
        """Learn how to do one job and how long to wait for the next."""

        def look() -> bool:
            here.polls = True
            try:
                more = step()
            except BaseException:
                # whoever fails sleeps without asking for how long
                self._rest()
                raise
            if self._stopped:
                # and whoever is stopped asks for nothing any more
                self._rest()
            return more

        def look_ahead() -> float | None:
            try:
                return wait()
            finally:
                self._rest()

        self.runner.attach(look, look_ahead)

    def _rest(self) -> None:
        """Do for this thread's connections what Django does after a request: none does it here, and the project's own
        functions open some too."""
        here.polls = False
        for connection in connections.all(initialized_only=True):
            kept = self._keep and not self._stopped and connection.alias == self._using
            if not kept or connection.settings_dict["CONN_MAX_AGE"] or connection.errors_occurred:
                connection.close_if_unusable_or_obsolete()

    def nudge(self) -> None:
        """There may be work, once the transaction of this thread is over."""
        if not self._may():
            return
        if connections[self._using].in_atomic_block:
            transaction.on_commit(self.runner.nudge, using=self._using, robust=True)
        else:
            self.runner.nudge()

    def settle(self) -> None:
        """Wait for what is being done in this process now."""
        self.runner.settle()

    def stop(self, timeout: float = 12.0) -> None:
        """Finish what is being done and run nothing more."""
        self._stopped = True
        self.runner.stop(timeout)
