"""`python examples/static_site`: build the blog, serve it on loopback, publish what is new in its feed.

Edit a file in posts/, or write another, and run it again: who is linked to hears of it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
# run as a folder, this is no package: it is found as one beside its neighbours
sys.path.insert(0, str(HERE.parent))

from linkback import Fetcher, LinkbackError, Site  # noqa: E402
from linkback.adapters.server import Server  # noqa: E402
from static_site.building import build, read  # noqa: E402
from static_site.serving import Pages, beside  # noqa: E402

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

LOOPBACK = "127.0.0.0/8"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="static_site", description="A blog of static pages, on loopback.")
    parser.add_argument("--port", type=int, default=8005, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=HERE / "data", help="where its pages and records go")
    parser.add_argument("--url", default="", help="its public address (default: http://127.0.0.1:PORT)")
    parser.add_argument("--posts", type=Path, default=HERE / "posts", help="where its posts are")
    parser.add_argument("--name", default="A static blog", help="default: %(default)s")
    return parser.parse_args()


def publish(url: str, database: str) -> subprocess.Popen[bytes]:
    """Begin what a deploy step does once the pages are on the web."""
    options = ("--database", database, "--allow-network", LOOPBACK)
    command = [sys.executable, "-m", "linkback", "publish", "--feed", f"{url}/feed.xml", "--site", url, *options]
    return subprocess.Popen(command)  # noqa: S603 - our own command


def main() -> int:
    """Build, serve and publish; the number is what the process ends with."""
    given = arguments()
    served: list[WSGIApplication] = []
    try:
        # the port is known, and with it the blog's address, once it is listened on
        server = Server(lambda environ, start: served[0](environ, start), f"127.0.0.1:{given.port}")
        url, public = (given.url or server.url).rstrip("/"), given.data.resolve() / "public"
        build(read(given.posts), public, site=url, name=given.name)
        database, pages = f"sqlite:///{given.data.resolve()}/linkback.db", Pages(public)
        site = Site(url, store=database, fetch=Fetcher(allow=[LOOPBACK]), resolve=pages.resolve, name=given.name)
    except (OSError, KeyError, ValueError, LinkbackError) as error:
        print(f"static_site: {error}", file=sys.stderr)
        return 1
    begun: list[subprocess.Popen[bytes]] = []

    def ready() -> None:
        print(f"listening on {server.url}", flush=True)
        begun.append(publish(url, database))

    with site:
        served.append(beside(pages, site))
        site.start()
        try:
            server.run(ready)
        except KeyboardInterrupt:
            return 130
        finally:
            for process in begun:
                process.terminate()
                process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
