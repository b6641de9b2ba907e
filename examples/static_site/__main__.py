"""`python examples/static_site`: build the blog, serve it on this machine, publish what is new in its feed.

Edit a file in posts/, or write another, and run it again: who is linked to hears of it.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
# run as a folder, this is no package: it is found as one beside its neighbours
sys.path.insert(0, str(HERE.parent))

from linkback import Fetcher, Site  # noqa: E402
from shared.folder import Pages, beside  # noqa: E402
from shared.starting import Command  # noqa: E402
from static_site.building import build, read  # noqa: E402

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

LOOPBACK = "127.0.0.0/8"
command = Command(HERE, 8005, "A static blog")
command.add_argument("--posts", type=Path, default=HERE / "posts", help="where its posts are")
given = command.parse()
database = f"sqlite:///{given.data}/linkback.db"
begun = contextlib.ExitStack()


@contextlib.contextmanager
def blog(url: str) -> Iterator[WSGIApplication]:
    """The pages as they are built now, and who listens beside them."""
    url, pages = given.url or url, Pages(given.data / "public")
    build(read(given.posts), given.data / "public", site=url, name=given.name)
    with Site(url, store=database, fetch=Fetcher(allow=[LOOPBACK]), resolve=pages.resolve, name=given.name) as site:
        site.start()
        with begun:
            yield beside(pages, site)


def publish(url: str) -> None:
    """Begin what a deploy step does once the pages are on the web."""
    url, options = given.url or url, ("--database", database, "--allow-network", LOOPBACK)
    line = [sys.executable, "-m", "linkback", "publish", "--feed", f"{url}/feed.xml", "--site", url, *options]
    process = begun.enter_context(subprocess.Popen(line))  # noqa: S603 - our own command
    begun.callback(process.terminate)


sys.exit(command.serve(given.port, blog, ready=publish, wrong=(ValueError,)))
