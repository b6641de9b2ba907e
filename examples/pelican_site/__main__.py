"""`python examples/pelican_site`: build the blog with Pelican, serve it on this machine, and build it again.

It is built again for each mention, and for each that is taken away. What a build publishes is sent by the server. Edit
a file in content/, or write another, and run it again.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
# run as a folder, this is no package: its neighbours are found beside it
sys.path.insert(0, str(HERE.parent))

from linkback import Fetcher, Site  # noqa: E402
from shared.folder import Pages, beside  # noqa: E402
from shared.starting import Command  # noqa: E402

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

command = Command(HERE, 8006, "A Pelican blog")
command.add_argument("--content", type=Path, default=HERE / "content", help="where its posts are")
given = command.parse()
output, database = given.data / "output", f"sqlite:///{given.data}/linkback.db"


@dataclass
class Builder:
    """Builds the blog, once when it is told to and then whenever there is something new to show."""

    url: str
    wanted: threading.Event = field(default_factory=threading.Event)
    stopping: bool = False

    def build(self) -> None:
        """Have Pelican write the pages; raises `CalledProcessError`."""
        settings = {"SITEURL": self.url, "SITENAME": given.name, "LINKBACK_DATABASE": database}
        options = [f"{name}={json.dumps(value)}" for name, value in settings.items()]
        line = [sys.executable, "-m", "pelican", str(given.content.resolve()), "-s", str(HERE / "pelicanconf.py")]
        subprocess.run([*line, "-o", str(output), "-q", "-e", *options], cwd=HERE, check=True)  # noqa: S603

    def keep_building(self) -> None:
        """Build whenever that is wanted, until it is time to stop."""
        while self.wanted.wait() and not self.stopping:
            self.wanted.clear()
            try:
                self.build()
            except subprocess.CalledProcessError as error:
                print(f"pelican_site: {error}", file=sys.stderr)

    def stop(self) -> None:
        """Build no more, once what is begun is done."""
        self.stopping = True
        self.wanted.set()


@contextlib.contextmanager
def blog(url: str) -> Iterator[WSGIApplication]:
    """The pages as they are built now, and who listens beside them."""
    builder, pages = Builder(given.url or url), Pages(output)
    builder.build()
    thread = threading.Thread(target=builder.keep_building)
    with Site(
        builder.url,
        store=database,
        fetch=Fetcher(allow=["127.0.0.0/8"]),
        resolve=pages.resolve,
        on_mention=lambda mention: builder.wanted.set(),
        on_removed=lambda mention: builder.wanted.set(),
    ) as site:
        site.start()
        thread.start()
        try:
            yield beside(pages, site)
        finally:
            builder.stop()
            thread.join()


sys.exit(command.serve(given.port, blog, wrong=(subprocess.CalledProcessError,)))
