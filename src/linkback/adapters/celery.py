"""Celery hands out the due jobs: one task does the job of an id, another sends a message for each job that is due.

Rule 1: a message carries a job's id and nothing else. It may be lost, late or doubled: the database says what is due,
        and a sweep finds it.
Rule 2: messages do not pile up. A sweep sends a bounded number; each expires when a later sweep would send it again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from linkback import logs
from linkback.errors import ConfigurationError
from linkback.jobs import Step, Wait
from linkback.site import Site, utcnow
from linkback.sites import Sites

try:
    from celery import Celery, shared_task
    from celery.exceptions import OperationalError
except ImportError as error:
    raise ConfigurationError("linkback.adapters.celery needs Celery: pip install 'linkback[celery]'") from error

log = logs.named(__name__)

RUN = "linkback.run"
SWEEP = "linkback.sweep"
#: the sweep's name in the beat schedule
BEAT_ENTRY = "linkback-sweep"
#: seconds between two sweeps
EVERY = 30.0
#: messages that one sweep sends at most
MOST = 1_000
#: a job's message comes so many seconds after it is due: one that came before would do nothing
_MARGIN = 0.2
#: seconds between two nudges of one process
_PACE = 1.0

B = TypeVar("B", Site, Sites)


def connect(app: Celery, blog: B | Callable[[], B], *, every: float = EVERY, most: int = MOST) -> Callable[[], B]:
    """Have the workers of a Celery app do the work of a blog, or of all blogs of a `Sites`.

    `blog` is that, or a function that makes it: it is called in each process that needs it, once. Gives a function for
    this process's blog, whose work Celery does from then on. The workers know the tasks `linkback.run` and
    `linkback.sweep`; `celery beat` has an entry that sweeps `every` so many seconds, with `most` messages at once.
    Raises `ConfigurationError` for an app that works for a blog already.
    """
    if every <= 0 or most < 1:
        raise ConfigurationError(f"a sweep of {most} jobs every {every:g} seconds does no work")
    if hasattr(app, "linkback"):
        raise ConfigurationError("this Celery app works for a blog already; give it a Sites for several")
    app.linkback = dispatch = _Dispatch(app, blog, every, most)
    # sweeps that nobody was there to do are not made up for
    app.add_periodic_task(every, app.signature(SWEEP), name=BEAT_ENTRY, expires=every)
    return dispatch.blog


class CeleryRunner:
    """A `Runner` that tells the workers of a Celery app to look for new jobs.

    A thread of its own sends the message, one a second at most: a nudge waits for no broker. Where the broker is away
    that is logged, and the next sweep finds the jobs. `connect` makes one; a process that only receives or publishes
    may also use `Site(runner=CeleryRunner(app))`.
    """

    def __init__(self, app: Celery, *, every: float = EVERY) -> None:
        self._app = app
        self._every = every
        self._stopping = False
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._wake = threading.Condition()
        self._nudged = False
        self._thread: threading.Thread | None = None

    def attach(self, step: Step, wait: Wait) -> None:
        """Nothing to learn: the workers have blogs of their own."""

    def nudge(self) -> None:
        """Have a message sent soon."""
        if self._process != os.getpid():
            # a fork takes no threads along, and the parent's may have held the lock
            self._begin()
        with self._wake:
            if self._stopping:
                return
            self._nudged = True
            self._wake.notify_all()
            if self._thread is None:
                self._start()

    def _start(self) -> None:
        thread = threading.Thread(target=self._loop, name="linkback-celery", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # the process has no room for it, or is about to end; the next nudge tries again
            log.warning("the thread that tells Celery of new jobs could not be started; the next sweep finds them")
            return
        self._thread = thread

    def settle(self) -> None:
        """Nothing to wait for: what is being done is done elsewhere."""

    def stop(self, timeout: float = 12.0) -> None:
        """Send what was to be sent, and no more; wait at most `timeout` seconds for that."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
            thread = self._thread if self._process == os.getpid() else None
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def _loop(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._nudged or self._stopping)
                if not self._nudged:
                    return
                self._nudged = False
            self._send()
            with self._wake:
                self._wake.wait_for(lambda: self._stopping, timeout=_PACE)

    def _send(self) -> None:
        try:
            self._app.tasks[SWEEP].apply_async(kwargs={"new_only": True}, expires=self._every, retry=False)
        except OperationalError as error:
            log.warning("Celery's broker is away (%s); the next sweep finds what is due", error)
        except Exception:
            log.exception("could not tell Celery of new jobs; the next sweep finds what is due")


class _Dispatch(Generic[B]):
    """The blog of this process, and the messages for its due jobs."""

    def __init__(self, app: Celery, blog: B | Callable[[], B], every: float, most: int) -> None:
        self._app = app
        self._every = every
        self._most = most
        self._lock = threading.Lock()
        self._blog: B | None = None
        self._make: B | Callable[[], B] = blog
        #: the jobs of the latest sweep here, and when they were due
        self._told: dict[int, datetime] = {}
        if not callable(blog):
            self.blog()

    def blog(self) -> B:
        """The blog of this process."""
        with self._lock:
            if self._blog is None:
                made = self._make() if callable(self._make) else self._make
                made.run_by(CeleryRunner(self._app, every=self._every))
                self._blog = made
            return self._blog

    def sweep(self, *, new_only: bool) -> int:
        """Send a message for each job that is due before the next sweep; how many they were.

        With `new_only`, those that this process told of when it last swept are left to the next that is complete.
        """
        blog, now = self.blog(), utcnow()
        horizon = now + timedelta(seconds=self._every)
        found = blog.store.due(horizon, limit=self._most, site=blog.url or None)
        chosen = [(id, due) for id, due in found if not (new_only and self._told.get(id) == due)]
        for id, due in chosen:
            self._tell(id, (due - now).total_seconds())
        self._told = dict(found)
        if len(chosen) == self._most and chosen[-1][1] <= now:
            # there are more: behind these in the queue, so that it is read when these are in hand
            self._app.tasks[SWEEP].apply_async(expires=self._every)
        return len(chosen)

    def _tell(self, id: int, wait: float) -> None:
        # a message that is to wait is held by one worker: those that are due now are spread over all
        countdown = wait + _MARGIN if wait > 0 else None
        self._app.tasks[RUN].apply_async((id,), countdown=countdown, expires=(countdown or 0.0) + self._every)


def _of(task: Any) -> _Dispatch[Any]:
    found = getattr(task.app, "linkback", None)
    if not isinstance(found, _Dispatch):
        raise ConfigurationError("this Celery app works for no blog: call linkback.adapters.celery.connect(app, blog)")
    return found


def _run(task: Any, job: int) -> bool:
    """Do the job of that id if it is due and nobody has it; whether it was so."""
    done: bool = _of(task).blog().work(id=job)
    return done


def _sweep(task: Any, new_only: bool = False) -> int:
    """Send a message for each job that is due."""
    return _of(task).sweep(new_only=new_only)


# a message that comes back because its worker died would find the job held, so it need not come back
_OPTIONS = {"bind": True, "ignore_result": True, "acks_late": False}
run = shared_task(_run, name=RUN, **_OPTIONS)
sweep = shared_task(_sweep, name=SWEEP, **_OPTIONS)
