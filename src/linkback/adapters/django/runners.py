"""Who does the work, at home in Django: after the transaction that brings it, and with connections kept as a request
keeps them."""

from __future__ import annotations

from django.db import close_old_connections, connections, transaction

from linkback.jobs import Runner, Step, Wait


class DjangoRunner:
    """A runner whose nudges wait for the end of the transaction that they come in, on the database `using`.

    Before that nobody else can see the work; rolled back, they are forgotten. So in a `TestCase`, whose transaction is
    never committed, no work begins by itself.
    """

    def __init__(self, runner: Runner, using: str) -> None:
        self.runner = runner
        self._using = using

    def attach(self, step: Step, wait: Wait) -> None:
        """Learn how to do one job and how long to wait for the next."""

        def as_requests_do() -> bool:
            more = False
            try:
                more = step()
            finally:
                # the project's own functions open connections too, and no request ends here that would close them;
                # one that failed must not be used again, and one that is idle not be kept
                if not more:
                    close_old_connections()
            return more

        self.runner.attach(as_requests_do, wait)

    def nudge(self) -> None:
        """There may be work, once the transaction of this thread is over."""
        if connections[self._using].in_atomic_block:
            transaction.on_commit(self.runner.nudge, using=self._using, robust=True)
        else:
            self.runner.nudge()

    def settle(self) -> None:
        """Wait for what is being done in this process now."""
        self.runner.settle()

    def stop(self, timeout: float = 12.0) -> None:
        """Finish what is being done and run nothing more."""
        self.runner.stop(timeout)
