"""`manage.py linkback`: the work behind the endpoints, and what an operator asks of it.

Rule: everything is done by the `Site` of the settings, and the exit codes are those of the `linkback` command. Only
the worker starts threads: a process of another verb, which ends at once, would take what they do with it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from linkback import doctor, explain
from linkback.adapters.django import blog, conf
from linkback.adapters.django.runners import DjangoRunner
from linkback.background import drained
from linkback.errors import FetchError, LinkbackError
from linkback.jobs import Embedded
from linkback.plaintext import collapse
from linkback.site import utcnow
from linkback.web.shapes import delivery_line

#: the answer is no, wrong usage or no database, temporary trouble
_NO, _USAGE, _TEMPORARY = 1, 2, 4
_CODES = {
    doctor.Conclusion.WRONG: _NO,
    doctor.Conclusion.NO_DATABASE: _USAGE,
    doctor.Conclusion.TEMPORARY: _TEMPORARY,
}


class Command(BaseCommand):
    """`worker`, `drain`, `doctor`, `publish`, `jobs`, `revive`."""

    help = "Do the work of linkback, and look after it."

    def add_arguments(self, parser: Any) -> None:
        """A parser for each verb, which says what does it."""
        verbs = parser.add_subparsers(metavar="VERB", required=True)

        def verb(name: str, do: Callable[..., int], help: str) -> Any:
            added = verbs.add_parser(name, help=help, description=help)
            added.set_defaults(do=do)
            return added

        worker = verb("worker", self.worker, "Check claims and make deliveries until told to stop.")
        worker.add_argument("--threads", type=int, default=4, help="Jobs done at once; 4 by default.")
        worker.add_argument("--grace", type=float, default=6.0, help="Seconds to end what is begun, when stopped; 6.")
        drain = verb("drain", self.drain, "Do all work that is due, and end: for cron.")
        drain.add_argument("--patience", type=float, default=5.0, help="Wait for what is due in so many seconds; 5.")
        examine = verb(
            "doctor", self.doctor, "Look whether the blog is ready to receive: database, endpoints, clock, worker."
        )
        examine.add_argument(
            "--page", action="append", default=[], dest="posts", metavar="URL",
            help="Look at this post, by URL or path, not at the blog's address. Repeatable.",
        )  # fmt: skip
        publish = verb("publish", self.publish, "Owe what the post at URL tells; the worker or drain tells it.")
        publish.add_argument("post", metavar="URL", help="Its URL, or its path on the blog.")
        publish.add_argument("--force", action="store_true", help="Also where it says what it said before.")
        publish.add_argument("--dry-run", action="store_true", help="Show whom it would tell, and do nothing.")
        verb("jobs", self.jobs, "List the jobs that wait for a person: they failed too often.")
        revive = verb("revive", self.revive, "Have jobs that wait for a person tried again.")
        revive.add_argument("ids", nargs="*", type=int, metavar="ID")
        revive.add_argument("--all", action="store_true", dest="every", help="All of them.")

    def handle(self, *args: Any, do: Callable[..., int], **options: Any) -> None:
        """Do what the verb says; raises `CommandError` with the exit code where that is not 0."""
        try:
            code = do(**options)
        except FetchError as error:
            raise CommandError(collapse(str(error)), returncode=_TEMPORARY if error.temporary else _NO) from error
        except (LinkbackError, ImproperlyConfigured, ValueError) as error:
            raise CommandError(collapse(str(error)), returncode=_USAGE) from error
        if code:
            raise SystemExit(code)

    def worker(self, threads: int, grace: float, **options: Any) -> int:
        """Work until SIGTERM or SIGINT."""
        # where the project does not say what is to be logged, a worker says what it does
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
        logging.getLogger("linkback").setLevel(logging.INFO)
        site, stopping = blog.site(), threading.Event()
        # other processes bring the work, and cannot call
        site.run_by(DjangoRunner(Embedded(threads, poll=2.0), conf.read().using, keep=True))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        site.start()
        self._say(f"working for {site.url}")
        stopping.wait()
        self._say("stopping")
        blog.close(grace)
        return 0

    def drain(self, patience: float, **options: Any) -> int:
        """Do what is due; what was refused or failed is a line on stderr."""
        site = blog.site()
        done, undelivered = drained(site, patience=patience)
        for delivery in undelivered:
            self.stderr.write(collapse(f"{delivery.source} -> {delivery_line(delivery)}"))
        self._say(f"{done} job{'' if done == 1 else 's'} done")
        return 0

    def doctor(self, posts: list[str], **options: Any) -> int:
        """Say what the doctor finds."""
        site = blog.site()
        pages = [blog.link(post) for post in posts]
        steps = doctor.steps(site.fetch, [site.pages], site.store, pages=pages, command="manage.py linkback")
        for step in steps:
            for line in explain.lines(step):
                self._say(line)
        return _CODES.get(doctor.conclude(steps), 0)

    def publish(self, post: str, force: bool, dry_run: bool, **options: Any) -> int:
        """Owe what the post tells, and say whom."""
        owed = blog.publish(post, force=force, dry_run=dry_run)
        for delivery in owed:
            self._say(collapse(f"{delivery.cause.value} {delivery.target}"))
        if not owed:
            self._say("nothing to tell")
        return 0

    def jobs(self, **options: Any) -> int:
        """List what was laid aside."""
        site = blog.site()
        parked = site.store.parked(site=site.url)
        for job in parked:
            self._say(f"{job.id} {job.kind.value} {job.subject} after {job.attempts} attempts")
        if not parked:
            self._say("no job waits for a person")
        return 0

    def revive(self, ids: list[int], every: bool, **options: Any) -> int:
        """Have what was laid aside tried again."""
        if bool(ids) == every:
            raise CommandError("give the IDs of jobs, or --all", returncode=_USAGE)
        site = blog.site()
        parked = {job.id: job for job in site.store.parked(site=site.url)}
        revived = {id for id in (ids or parked) if id in parked and site.store.revive(parked[id], due=utcnow())}
        for id in ids:
            if id not in revived:
                self._say(f"there is no job {id} that waits for a person")
        self._say(f"{len(revived)} to be tried again")
        site.start()
        return 0 if revived >= set(ids) else _NO

    def _say(self, line: str) -> None:
        try:
            self.stdout.write(line)
            self.stdout.flush()
        except BrokenPipeError:
            # a reader who leaves early stops the output, not the work; what is in the buffer would fail again at exit
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
