"""`python examples/pelican_site`: build the blog with Pelican, serve it on loopback, build it again for each mention.

And for each that is taken away. What a build publishes is sent by the server. Edit a file in content/, or write
another, and run it again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
# run as a folder, this is no package: it is found as one beside its neighbours
sys.path.insert(0, str(HERE.parent))

from static_site.serving import Pages, beside  # noqa: E402

from linkback import Fetcher, LinkbackError, Site  # noqa: E402
from linkback.adapters.server import Server  # noqa: E402

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="pelican_site", description="A blog of Pelican's, on loopback.")
    parser.add_argument("--port", type=int, default=8006, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=HERE / "data", help="where its pages and records go")
    parser.add_argument("--url", default="", help="its public address (default: http://127.0.0.1:PORT)")
    parser.add_argument("--content", type=Path, default=HERE / "content", help="where its posts are")
    return parser.parse_args()


@dataclass
class Builder:
    """Builds the blog, once when it is told to and then whenever there is something new to show."""

    url: str
    content: Path
    output: Path
    database: str
    wanted: threading.Event = field(default_factory=threading.Event)
    stopping: bool = False

    def build(self) -> None:
        """Have Pelican write the pages; raises `CalledProcessError`."""
        settings = {"SITEURL": self.url, "LINKBACK_DATABASE": self.database}
        given = [f"{name}={json.dumps(value)}" for name, value in settings.items()]
        command = [sys.executable, "-m", "pelican", str(self.content), "-s", str(HERE / "pelicanconf.py")]
        subprocess.run([*command, "-o", str(self.output), "-q", "-e", *given], cwd=HERE, check=True)  # noqa: S603

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


def main() -> int:
    """Build and serve; the number is what the process ends with."""
    given = arguments()
    served: list[WSGIApplication] = []
    try:
        # the port is known, and with it the blog's address, once it is listened on
        server = Server(lambda environ, start: served[0](environ, start), f"127.0.0.1:{given.port}")
        url, data = (given.url or server.url).rstrip("/"), given.data.resolve()
        data.mkdir(parents=True, exist_ok=True)
        builder = Builder(url, given.content.resolve(), data / "output", f"sqlite:///{data}/linkback.db")
        builder.build()
        pages = Pages(builder.output)
        site = Site(
            url,
            store=builder.database,
            fetch=Fetcher(allow=["127.0.0.0/8"]),
            resolve=pages.resolve,
            on_mention=lambda mention: builder.wanted.set(),
            on_removed=lambda mention: builder.wanted.set(),
        )
    except (OSError, subprocess.CalledProcessError, LinkbackError) as error:
        print(f"pelican_site: {error}", file=sys.stderr)
        return 1
    thread = threading.Thread(target=builder.keep_building)
    with site:
        served.append(beside(pages, site))
        site.start()
        thread.start()
        try:
            server.run(lambda: print(f"listening on {server.url}", flush=True))
        except KeyboardInterrupt:
            return 130
        finally:
            builder.stop()
            thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
