"""A process that is watched from its first import until it ends; then it prints what was seen, as JSON.

`python -m tests.hostile.starting ARGUMENTS` runs `linkback ARGUMENTS`; with `embed STORE` it is a program with a site
in it, which shows a page and looks for work.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable

from tests.hostile.watching import Watch

URL = "https://t.example/"


def embed(store: str) -> None:
    """A host application as it starts."""
    from linkback.site import Site

    with Site(URL, store=store) as site:
        app = site.wsgi()
        site.start()
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/healthz", "QUERY_STRING": "", "HTTP_HOST": "t.example"}
        told: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], error: object = None) -> Callable[[bytes], object]:
            told.append(status)
            return lambda data: None

        app({**environ, "wsgi.url_scheme": "https"}, start)
        assert told == ["200 OK"]
        assert site.drain() == 0


def main() -> None:
    """Run what the command line says under watch."""
    watch = Watch()
    sys.addaudithook(watch)
    try:
        if sys.argv[1] == "embed":
            embed(sys.argv[2])
        else:
            sys.argv[0] = "linkback"
            runpy.run_module("linkback", run_name="__main__")
    finally:
        print(json.dumps(watch.to_json()), flush=True)


if __name__ == "__main__":
    main()
