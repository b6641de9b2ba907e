"""What an application can tell at its start of how it was put together, before anybody waits for it in vain.

Rule 1: settings and records are asked, nothing else: no network, nothing written, and a store that fails is itself the
        answer.
Rule 2: nobody asked, so what may be well is not told: cron that drains each hour has had its turn before work is late.
        `linkback.doctor`, which a person asks, calls it idle after five minutes.
"""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass
from datetime import datetime, timedelta

from linkback import logs, urls
from linkback.addresses import Guard, Network, exposed, is_private
from linkback.errors import StoreError
from linkback.jobs import External
from linkback.site import Site, utcnow
from linkback.sites import Sites

log = logs.named(__name__)

#: how long due work may lie before it says that nobody does it
_LATE = timedelta(minutes=90)
#: the process in which a blog's open networks were told last
_warned: weakref.WeakKeyDictionary[Site | Sites, int] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong: its `name`, what it is, and what to do.

    The names are "database", "worker", "shared-database" and "open-network".
    """

    name: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.message}; {self.fix}"


def troubles(blog: Site | Sites, *, worker: str = "linkback worker", now: datetime | None = None) -> list[Trouble]:
    """What is wrong with a blog's records, with who does its work, and with what it opens; nothing where all is well.
    Never raises.

    `worker` is the command that does the work of this application, for the advice. `now` is aware, the present by
    default. `linkback.doctor` looks further: at pages, endpoints and clocks.
    """
    return [*open_networks(blog), *of_records(blog, worker=worker, now=now)]


def of_records(blog: Site | Sites, *, worker: str = "linkback worker", now: datetime | None = None) -> list[Trouble]:
    """What is wrong with a blog's records, and with who does its work: `troubles` without the open networks."""
    now = now or utcnow()
    try:
        return [*_nobody_works(blog, worker, now), *_work_of_others(blog, now)]
    except StoreError as error:
        return [Trouble("database", f"the database of linkback cannot be used: {error}", "see its URL and its server")]


def open_networks(blog: Site | Sites) -> list[Trouble]:
    """What a public blog lets strangers ask of the machine that it runs on; each network that does so is one.

    None for a blog whose own address is private, as where linkback is tried out: nobody else can reach it.
    """
    opened: dict[Network, tuple[Guard, list[str]]] = {}
    for site in (blog,) if isinstance(blog, Site) else blog.listed:
        guard = getattr(site.fetch, "guard", None)
        if isinstance(guard, Guard) and not is_private(urls.host(site.url)):
            for network in guard.opened:
                opened.setdefault(network, (guard, []))[1].append(site.url)
    return [
        Trouble(
            "open-network",
            f"{network} is open to every stranger who pings {', '.join(blogs)}, on any port: {what}",
            f"open no more than the address that is needed ({guard.opener('10.1.2.3/32')})",
        )
        for network, (guard, blogs) in opened.items()
        if (what := exposed(network))
    ]


def warn(blog: Site | Sites) -> None:
    """Log what `open_networks` finds: once for a blog in each process, whoever asks first."""
    if _warned.get(blog) != os.getpid():
        _warned[blog] = os.getpid()
        for trouble in open_networks(blog):
            log.warning("%s", trouble)


class Opening:
    """Begins a blog's work as requests come, and logs what is wrong with the first of each process.

    Not where the application is made: what imports it may be a command, or the parent of those that serve. `worker` is
    as for `troubles`.
    """

    def __init__(self, blog: Site | Sites, *, worker: str = "linkback worker") -> None:
        self._blog = blog
        self._worker = worker
        #: a fork takes no threads along, and is a process of its own
        self._process = 0

    def begin(self) -> bool:
        """`open` with the first call in each process, nothing with others; whether this is the first. Never raises."""
        return self._process != os.getpid() and self.open()

    def open(self) -> bool:
        """Have the work done from now on; whether this is the first call in this process. Never raises."""
        self._blog.start()
        first = self._process != os.getpid()
        if first:
            self._process = os.getpid()
            warn(self._blog)
            for trouble in of_records(self._blog, worker=self._worker):
                log.warning("%s", trouble)
        return first


def _nobody_works(blog: Site | Sites, worker: str, now: datetime) -> list[Trouble]:
    """Threads of this process begin with what lies about; where others are to do that, they should have.

    Workers that have more than they can do leave work lying too, and no record tells them from none.
    """
    found = blog.store.backlog(now, site=blog.url or None)
    if not isinstance(blog.runner, External) or found.oldest is None or now - found.oldest < _LATE:
        return []
    waits = f"{_jobs(found.due)} of linkback waiting since {found.oldest:%Y-%m-%d %H:%M} UTC"
    message = f"{waits}: nobody does the work, or too few"
    return [Trouble("worker", message, f"keep {worker} running, or let threads of this process do it")]


def _work_of_others(blog: Site | Sites, now: datetime) -> list[Trouble]:
    """Whether the store holds due work that no worker of this blog ever takes, nor anybody else."""
    if not blog.url:
        return []
    every, ours = blog.store.backlog(now), blog.store.backlog(now, site=blog.url)
    others = every.due - ours.due
    if others <= 0 or every.oldest is None or now - every.oldest < _LATE or every.oldest == ours.oldest:
        return []
    message = f"the database also holds {_jobs(others)} for another site than {blog.url}, which nobody does"
    fix = "give each application a database of its own, or serve the sites together with linkback.Sites"
    return [Trouble("shared-database", message, fix)]


def _jobs(number: int) -> str:
    return f"{number} job{'' if number == 1 else 's'}"
