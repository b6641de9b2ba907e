"""How an example is started: its command line, a port of this machine, one line for what goes wrong."""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from linkback import BUILTIN, LinkbackError
from linkback.adapters.server import Server

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

NAMES = [protocol.name for protocol in BUILTIN]


class Command(argparse.ArgumentParser):
    """The command line of the example in `folder`, which listens on `port` of this machine and is called `name`."""

    def __init__(self, folder: Path, port: int, name: str) -> None:
        super().__init__(prog=folder.name, description="A little blog. It has no login: this machine only.")
        self.add_argument("--port", type=int, default=port, help="0 takes a free one (default: %(default)s)")
        self.add_argument("--data", type=Path, default=folder / "data", help="where its records go")
        self.add_argument("--url", default="", help="its public address (default: http://127.0.0.1:PORT)")
        self.add_argument("--name", default=name, help="default: %(default)s")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line."""
        self.exit(2, f"{self.prog}: {message}; --help tells the options\n")

    def add_listening(self) -> None:
        """The options of a blog that chooses to whom it listens, and shows what it likes."""
        self.add_argument("--protocols", type=_protocols, default=NAMES, help=f"default: {','.join(NAMES)}")
        self.add_argument("--moderate", action="store_true", help="hold mentions until they are approved")

    def parse(self) -> argparse.Namespace:
        """What is given; the folder for its records is there from now on."""
        given = self.parse_args()
        given.data, given.url = given.data.resolve(), given.url.rstrip("/")
        try:
            given.data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.exit(1, f"{self.prog}: {error}\n")
        return given

    def serve(
        self,
        port: int,
        make: Callable[[str], contextlib.AbstractContextManager[WSGIApplication]],
        *,
        ready: Callable[[str], None] = lambda url: None,
        wrong: tuple[type[Exception], ...] = (),
    ) -> int:
        """Serve what `make` makes for the blog's URL until SIGTERM or Ctrl-C; what the process ends with.

        `ready` is called with that URL when it answers. What `make` raises, of `wrong` or linkback's, is one line.
        """
        served: list[WSGIApplication] = []
        with contextlib.ExitStack() as opened:
            caught: tuple[type[Exception], ...] = (OSError, sqlite3.Error, LinkbackError, *wrong)
            try:
                # the port is known, and with it the blog's address, once it is listened on
                server = Server(lambda environ, start: served[0](environ, start), f"127.0.0.1:{port}")
                served.append(opened.enter_context(make(server.url)))
            except caught as error:
                print(f"{self.prog}: {error}", file=sys.stderr)
                return 1

            def answering() -> None:
                print(f"listening on {server.url}", flush=True)
                ready(server.url)

            with contextlib.suppress(KeyboardInterrupt):
                server.run(answering)
                return 0
            return 130


def _protocols(text: str) -> list[str]:
    names = text.split(",")
    if not set(names) <= set(NAMES):
        raise argparse.ArgumentTypeError(f"takes some of {','.join(NAMES)}, not {text}")
    return names
