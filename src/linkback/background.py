"""What a blog, and a host of many, can be asked about the work that is done for them: begin, do it now, end."""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import replace

from linkback.jobs import Runner
from linkback.model import UNDELIVERED, Delivery, Job, JobKind
from linkback.work import Work


class Background:
    """The due work of one store, for one blog or for all of them. As a context manager it closes itself."""

    def __init__(self, work: Work) -> None:
        self._work = work

    @property
    def runner(self) -> Runner:
        """Who does the work in the background."""
        return self._work.runner

    def start(self) -> None:
        """Begin to run what is due, also what an earlier process left behind."""
        self._work.runner.nudge()

    def run_by(self, runner: Runner) -> None:
        """Have another runner do the background work from now on."""
        self._work.stop(0)
        self._work = replace(self._work, runner=runner)

    def drain(
        self, kind: JobKind | None = None, *, patience: float = 0.0, seen: Callable[[Job], None] | None = None
    ) -> int:
        """Do everything that is due now, of one kind or of both, and give the number of jobs that this thread did.

        With `patience` also what comes due within so many seconds after that, as deliveries to one host do. Ends when
        also those have ended that the threads of `runner` had in hand, however long they take, so that nothing is cut
        short by closing next. Jobs that another process holds are not waited for, and nothing is where a job itself
        calls this (from a hook). `seen` is called with each job that this thread did. Raises `StoreError`.
        """
        return self._work.drain(kind, patience=patience, seen=seen)

    def work(self, kind: JobKind | None = None, *, id: int | None = None) -> bool:
        """Do one due job, of a kind or of any, or of an id; false where it, or nothing, is due. Raises `StoreError`."""
        self._work.forget(self._work.clock())
        return self._work.step(kind, id)

    def close(self, timeout: float = 12.0) -> None:
        """Stop the work of this process, waiting at most `timeout` seconds, and let go of the store.

        Nothing new is begun, and what is queued stays queued; `drain` first to have it done. A job that lasts longer
        is given back, for whoever works next.
        """
        self._work.close(timeout)

    def __enter__(self) -> typing.Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def drained(blog: Background, kind: JobKind | None = None, *, patience: float = 0.0) -> tuple[int, list[Delivery]]:
    """`Background.drain`, and of the deliveries that it tried those which were refused or failed, each once.

    `patience` is in seconds. Raises `StoreError`.
    """
    tried: dict[str, None] = {}

    def seen(job: Job) -> None:
        if job.kind is JobKind.DELIVER:
            tried[job.subject] = None

    done = blog.drain(kind, patience=patience, seen=seen)
    found = map(blog._work.store.delivery, tried)
    return done, [each for each in found if each is not None and each.outcome in UNDELIVERED]
