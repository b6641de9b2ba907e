"""`python examples/flask_blog`: serve the blog on loopback until it is told to stop."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# run as a folder, this is no package: it is found as one beside its neighbours
sys.path.insert(0, str(HERE.parent))

from flask import Flask  # noqa: E402

from flask_blog import create_app, linkback  # noqa: E402
from linkback import LinkbackError  # noqa: E402
from linkback.adapters.server import Server  # noqa: E402


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="flask_blog", description="A little blog. It has no login: loopback only.")
    parser.add_argument("--port", type=int, default=8001, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=HERE / "data", help="where its databases go")
    parser.add_argument("--url", default="", help="its public address (default: http://127.0.0.1:PORT)")
    parser.add_argument("--protocols", default="webmention,pingback,trackback", help="default: %(default)s")
    parser.add_argument("--moderate", action="store_true", help="hold mentions until they are approved")
    parser.add_argument("--name", default="A Flask blog", help="default: %(default)s")
    return parser.parse_args()


def main() -> int:
    """Serve; the number is what the process ends with."""
    given = arguments()
    served: list[Flask] = []
    try:
        given.data.mkdir(parents=True, exist_ok=True)
        # the port is known, and with it the blog's address, once it is listened on
        server = Server(lambda environ, start: served[0](environ, start), f"127.0.0.1:{given.port}")
        settings = {"NAME": given.name, "PROTOCOLS": given.protocols, "MODERATE": given.moderate}
        named = {f"LINKBACK_{name}": value for name, value in settings.items()}
        served.append(create_app(given.url or server.url, given.data.resolve(), **named))
    except (OSError, LinkbackError) as error:
        print(f"flask_blog: {error}", file=sys.stderr)
        return 1
    with served[0].app_context(), linkback.blog as blog:
        blog.start()
        try:
            server.run(lambda: print(f"listening on {server.url}", flush=True))
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
