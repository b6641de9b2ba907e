"""One fetch from a hostile server, measured in this process: run by `transport.py`, in the environment it needs.

A peer fetches by its own function, or as it calls `requests`; whoever has not ended `STOP_SECONDS` later, or wants
more than a gigabyte, is stopped.
"""

from __future__ import annotations

import gc
import json
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from hostile_methods import memory

#: what each fetch is given, and when one is stopped
DEADLINE_SECONDS, STOP_SECONDS = 2.0, 8.0
_GIGABYTE = 1 << 30
Fetch = Callable[[str], object]
#: methods of peers, and the environments that they need
PEERS = {
    "requests.get(timeout=2)": "indieweb-utils",
    "webmentions": "webmentions",
    "webmention-tools": "webmention-tools",
}


class Stopped(BaseException):
    """The time is up; nobody catches it by accident."""


def linkback() -> Fetch:
    from linkback.fetch import Fetcher, Limits

    return Fetcher(allow=["127.0.0.0/8"], limits=Limits(seconds=DEADLINE_SECONDS)).get


def requests_get() -> Fetch:
    import requests

    return lambda url: requests.get(url, timeout=DEADLINE_SECONDS).content


def webmentions() -> Fetch:
    import webmentions.handlers._fetch as fetching

    fetching._check_url_host = lambda url: None  # it does not talk to loopback
    return lambda url: (
        fetching.fetch_guarded(url, timeout=DEADLINE_SECONDS, user_agent="bench", max_bytes=1_048_576).content
    )


def webmention_tools() -> Fetch:
    import requests

    # as `WebmentionSend` does, given the one option that it hands on
    return lambda url: requests.get(url, verify=False, timeout=DEADLINE_SECONDS).text


METHODS: dict[str, Callable[[], Fetch]] = {
    "linkback": linkback,
    "requests.get(timeout=2)": requests_get,
    "webmentions": webmentions,
    "webmention-tools": webmention_tools,
}


def stop(*_: object) -> None:
    """Answer the alarm."""
    raise Stopped


def main() -> None:
    """Fetch the URL of the command line, after an ordinary page of the same server, and print one line."""
    get, url = METHODS[sys.argv[1]](), sys.argv[2]
    get(url.rpartition("/")[0] + "/ordinary")
    signal.signal(signal.SIGALRM, stop)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    before, begun, cpu = memory("VmRSS"), time.perf_counter(), time.process_time()
    resource.setrlimit(resource.RLIMIT_AS, (_GIGABYTE, resource.RLIM_INFINITY))
    signal.setitimer(signal.ITIMER_REAL, STOP_SECONDS)
    stopped = False
    try:
        get(url)
    except (Stopped, MemoryError):
        stopped = True
    except Exception:  # noqa: BLE001 -- what was cut off fails in as many ways as there are libraries
        stopped = False
    signal.setitimer(signal.ITIMER_REAL, 0)
    taken, cpu = time.perf_counter() - begun, time.process_time() - cpu
    grown = (memory("VmHWM") - before) / 1024
    print(json.dumps({"ms": taken * 1000, "cpu_ms": cpu * 1000, "mb": grown, "stopped": stopped}))


if __name__ == "__main__":
    main()
