"""Commands that run: the endpoints, and the work behind them.

Rule: work that is begun is finished or given back when the process is told to stop, within twelve seconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import signal
import threading

import click

from linkback import terminal
from linkback.cli import showing
from linkback.cli.codes import NO, OK
from linkback.cli.records import records
from linkback.cli.speaking import said_once
from linkback.jobs import MOST_THREADS
from linkback.options import as_json, blogs, closing, database, fetching, opened, own_blog, trusted_proxies
from linkback.terminal import say
from linkback.web import shapes

#: how long a worker that is stopped goes on with what it has begun
_GRACE_SECONDS = 6.0
#: by their names in the environment, glibc's parameters for how many heaps there are, and for how many bytes none is
#: used, and what they are set to
_HEAPS = {"MALLOC_ARENA_MAX": (-8, 2), "MALLOC_MMAP_THRESHOLD_": (-3, 131_072)}


@click.command()
@blogs
@database
@click.option("--bind", default="127.0.0.1:8000", show_default=True, metavar="HOST:PORT", help="Where to listen.")
@click.option("--base", default="", metavar="URL", help="The public URL of the endpoints, where a proxy hides it.")
@trusted_proxies
@click.option("--moderate", is_flag=True, help="Hold verified mentions until they are approved.")
@click.option("--no-work", is_flag=True, help="Only receive: `linkback worker` checks and sends.")
@fetching
def serve(
    sites: tuple[str, ...],
    app: str,
    database: str,
    bind: str,
    base: str,
    proxies: tuple[str, ...],
    moderate: bool,
    no_work: bool,
    networks: tuple[str, ...],
    ports: tuple[str, ...],
) -> int:
    """Receive pingbacks, trackbacks and webmentions for a blog, or for several."""
    from linkback import startup, urls
    from linkback.adapters import server
    from linkback.adapters.wsgi import endpoints
    from linkback.jobs import External

    server.require()
    if no_work and moderate:
        raise click.UsageError("whoever checks decides what is held: give --moderate to `linkback worker`")
    if base and not urls.is_argument(base):
        raise click.UsageError(f"--base must be an absolute http or https URL, not {base!r}")
    logging.getLogger("linkback").setLevel(logging.INFO)
    _keep_heaps_small()
    with closing(opened(sites, app, database, networks, ports, moderate=moderate)) as blog:
        if no_work:
            blog.run_by(External())
        startup.warn(blog)
        listening = server.Server(endpoints(blog, base=base), bind, proxies=proxies)
        blog.start()
        listening.run(lambda: say(f"listening on {listening.url} for {blog.url or ', '.join(sites) or 'all blogs'}"))
    return OK


@click.command()
@blogs
@database
@click.option(
    "--threads",
    default=MOST_THREADS,
    show_default=True,
    type=click.IntRange(1, 256),
    help="Jobs done at once, at most.",
)
@click.option(
    "--grace",
    default=_GRACE_SECONDS,
    show_default=True,
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="To end what is begun, when stopped.",
)
@click.option("--moderate", is_flag=True, help="Hold verified mentions until they are approved.")
@fetching
def worker(
    sites: tuple[str, ...],
    app: str,
    database: str,
    threads: int,
    grace: float,
    moderate: bool,
    networks: tuple[str, ...],
    ports: tuple[str, ...],
) -> int:
    """Check claims and make deliveries until told to stop. Any number may work on one database."""
    from linkback import startup
    from linkback.jobs import Embedded

    logging.getLogger("linkback").setLevel(logging.INFO)
    _keep_heaps_small()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    blog = opened(sites, app, database, networks, ports, moderate=moderate)
    # other processes bring the work, and cannot call
    blog.run_by(Embedded(threads, poll=2.0))
    startup.warn(blog)
    try:
        blog.start()
        say(f"working for {blog.url or ', '.join(sites) or 'all blogs'}")
        stopping.wait()
        say("stopping")
    finally:
        blog.close(grace)
    return OK


@click.command()
@blogs
@database
@click.option(
    "--patience",
    default=5.0,
    show_default=True,
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="Wait for what is due so soon.",
)
@click.option("--moderate", is_flag=True, help="Hold verified mentions until they are approved.")
@as_json
@fetching
def drain(
    sites: tuple[str, ...],
    app: str,
    database: str,
    patience: float,
    moderate: bool,
    as_json: bool,
    networks: tuple[str, ...],
    ports: tuple[str, ...],
) -> int:
    """Do all work that is due, and end: for cron. A delivery that was refused or failed is a line on stderr."""
    from linkback.background import drained
    from linkback.jobs import External

    with closing(opened(sites, app, database, networks, ports, moderate=moderate)) as blog:
        blog.run_by(External())
        with said_once():
            done, undelivered = drained(blog, patience=patience)
    for delivery in undelivered:
        say(f"{delivery.source} -> {shapes.delivery_line(delivery)}")
    terminal.write(json.dumps({"done": done}) if as_json else f"{done} job{'' if done == 1 else 's'} done")
    return OK


@click.command()
@click.option("--site", metavar="URL", help="Only the jobs of this blog.")
@own_blog
@database
@as_json
def jobs(site: str | None, app: str, database: str, as_json: bool) -> int:
    """List the jobs that wait for a person: they failed, or killed their workers, too often."""
    with records(site, app, database) as found:
        waiting = found.store.parked(site=found.site)
    for job in waiting:
        showing.show_job(job, as_json=as_json)
    if not waiting:
        say("no job waits for a person")
    return OK


@click.command()
@click.argument("ids", nargs=-1, type=int, metavar="[ID]...")
@click.option("--all", "every", is_flag=True, help="All of them.")
@click.option("--site", metavar="URL", help="Only jobs of this blog.")
@own_blog
@database
def revive(ids: tuple[int, ...], every: bool, site: str | None, app: str, database: str) -> int:
    """Have jobs that wait for a person tried again."""
    from linkback.site import utcnow

    if bool(ids) == every:
        raise click.UsageError("give the IDs of jobs, or --all")
    with records(site, app, database) as found:
        parked = {job.id: job for job in found.store.parked(site=found.site)}
        revived = [id for id in (ids or parked) if id in parked and found.store.revive(parked[id], due=utcnow())]
    for id in ids:
        if id not in revived:
            say(f"there is no job {id} that waits for a person")
    say(f"{len(revived)} to be tried again")
    return OK if every or len(revived) == len(set(ids)) else NO


@click.command()
@click.option("--keep", is_flag=True, help="Leave both blogs up, to look at, until interrupted.")
def demo(keep: bool) -> int:
    """Let two blogs on this machine tell each other about a link, by all three protocols."""
    from linkback.demo import run

    return OK if run(keep=keep) else NO


def _keep_heaps_small() -> None:
    """Have glibc's threads share few heaps, and keep what is large out of them; unless the environment says how.

    Else each of many keeps the room that the largest pages took: free, and never given back. By itself, glibc puts
    into its heaps whatever is no larger than what it once gave back.
    """
    for variable, (parameter, value) in _HEAPS.items():
        if variable not in os.environ:
            # other systems have no such function
            with contextlib.suppress(AttributeError, OSError, TypeError):
                ctypes.CDLL(None).mallopt(parameter, value)
