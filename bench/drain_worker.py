"""A process that works off due checks, as `linkback worker` does: run by `drain.py`.

It says when it is ready, begins at the first line on stdin and ends at the next, with how many mentions it made, when
the last of them was on disk by the machine's clock, and what CPU that took.
"""

from __future__ import annotations

import json
import sys
import time

from linkback import Fetcher, Site
from linkback.jobs import MOST_THREADS, Embedded
from linkback.model import Mention

BLOG = "https://blog.example"


def main(store: str, threads: int) -> None:
    """Work on a store."""
    ended: list[float] = []

    def made(mention: Mention) -> None:
        ended.append(time.monotonic())

    runner = Embedded(threads or MOST_THREADS, poll=2.0)
    with Site(BLOG, store=store, fetch=Fetcher(allow=["127.0.0.0/8"]), runner=runner, on_mention=made) as site:
        print("ready", flush=True)
        sys.stdin.readline()
        cpu = time.process_time()
        site.start()
        sys.stdin.readline()
        taken = time.process_time() - cpu
    print(json.dumps({"made": len(ended), "last": max(ended, default=0.0), "cpu": taken}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
