"""A flood of pings at a receiver in a process of its own, and an honest one in the middle.

Run as `python -m tests.hostile.flood --rate 500 --seconds 60 --hosts 1000 --senders 32` it tells what came of it in
JSON, and ends with 1 where that is not what a receiver is to stand.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import http.client
import http.server
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile.pinging import HOME, TARGET, ask

REPOSITORY = Path(__file__).parents[2]
HONEST = f"{HOME}/honest"
#: what a receiver may need of memory, in MiB, and an honest ping of time, in seconds from when it was first sent
MOST_MEMORY, MOST_SECONDS = 150.0, 60.0
#: taken, or told to come again later
ANSWERS = {201, 202, 429}
#: who sends the honest ping, where clients are told apart
_SENDER = "9.9.9.9"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, kw_only=True)
class Flood:
    """How many `pings` come, at `rate` a second at most (0: as fast as they are answered), from so many `hosts`.

    Each host takes `slowness` seconds for a page: with more than a check has, it is as good as dead. The honest ping
    follows after `before` of the hostile ones. These come from so many `senders`, whom a proxy tells apart from each
    other and from the honest one; with 0 nobody does.
    """

    pings: int
    hosts: int
    rate: float = 0.0
    slowness: float = 60.0
    before: int = 200
    clients: int = 8
    senders: int = 0
    #: how long to wait for the honest ping to be taken, and then for it to be verified, in seconds
    patience: float = 120.0


@dataclass
class Outcome:
    """What came of a flood: how often each status was answered, and times in seconds; memory in MiB.

    The honest ping was taken and verified so long after it was first sent.
    """

    answers: collections.Counter[int] = field(default_factory=collections.Counter)
    seconds: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    slowest: float = 0.0
    honest_answers: list[int] = field(default_factory=list)
    honest_taken: float | None = None
    honest_after: float | None = None
    #: what it says of itself afterwards
    health: int = 0
    peak_memory: float = 0.0
    recorded: int = 0
    #: what a client met that was no answer
    trouble: list[str] = field(default_factory=list)

    def shortcomings(self, flood: Flood) -> list[str]:
        """What a receiver that stands a flood would have done otherwise."""
        taken = sum(number for status, number in self.answers.items() if status != 429)
        wrong = {
            "there was trouble": bool(self.trouble),
            "an answer was neither that it is taken nor to come later": not set(self.answers) <= ANSWERS,
            "a ping had no answer": self.answers.total() != flood.pings,
            "the honest ping was not taken": self.honest_taken is None,
            "the honest ping was verified late or not": self.honest_after is None or self.honest_after > MOST_SECONDS,
            "it does not go on": self.health != 200,
            "it needed too much memory": self.peak_memory >= MOST_MEMORY,
            "what it recorded is not what it took": self.recorded != taken + (self.honest_taken is not None),
        }
        return [words for words, is_so in wrong.items() if is_so]


class _Sources(http.server.ThreadingHTTPServer):
    """Pages that link to the page of ours that has their path: at once on 127.0.0.1, on other addresses late."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, slowness: float) -> None:
        self.slowness, self.over = slowness, threading.Event()
        super().__init__(("0.0.0.0", 0), _Page)

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever reads no further is no trouble."""


class _Page(http.server.BaseHTTPRequestHandler):
    server: _Sources

    def do_GET(self) -> None:
        if self.connection.getsockname()[0] != "127.0.0.1":
            self.server.over.wait(self.server.slowness)
        target = f"{HOME}{urllib.parse.urlsplit(self.path).path}"
        body = f"<title>A note</title><a href='{target}'>it</a>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is said of requests."""


@contextlib.contextmanager
def sources(slowness: float) -> Iterator[int]:
    """A server of pages at every address of this machine; gives its port."""
    server = _Sources(slowness)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextlib.contextmanager
def receiver(*command: str, **environment: str) -> Iterator[tuple[int, str]]:
    """A command of linkback's that serves, in a process of its own; gives its number and URL, and sees that it ends in
    order."""
    process = subprocess.Popen(
        [sys.executable, "-m", "linkback", *command, "--bind", "127.0.0.1:0"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
    )
    lines = process.stderr
    assert lines is not None
    # what is said is taken off the pipe, or the receiver would wait for room in it
    rest = threading.Thread(target=collections.deque, args=(lines, 0), daemon=True)
    try:
        url = next(line.split()[3] for line in lines if "listening on" in line)
        rest.start()
        yield process.pid, url
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, "it did not end in order"
    finally:
        process.kill()
        process.wait()
        if rest.ident is not None:
            rest.join()
        lines.close()


def peak_memory(process: int) -> float:
    """The most memory that a process has had in hand, in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


class _Clients:
    """The threads that ping, from as many hosts as the flood has, each URL once."""

    def __init__(self, flood: Flood, url: str, port: int, outcome: Outcome) -> None:
        self.flood, self.port, self.outcome = flood, port, outcome
        self.address = urllib.parse.urlsplit(url).netloc
        self.times: list[float] = []
        self.begun = time.monotonic()
        #: set when as many were answered as come before the honest one
        self.half = threading.Event()
        self._numbers, self._lock = itertools.count(), threading.Lock()

    def run(self) -> None:
        with contextlib.closing(http.client.HTTPConnection(self.address, timeout=30)) as client:
            while (number := next(self._numbers)) < self.flood.pings:
                if self.flood.rate:
                    time.sleep(max(0.0, self.begun + number / self.flood.rate - time.monotonic()))
                self._ping(client, number)

    def _ping(self, client: http.client.HTTPConnection, number: int) -> None:
        host = number % self.flood.hosts
        source = f"http://127.{1 + host // 64_516}.{host // 254 % 254}.{1 + host % 254}:{self.port}/{number}"
        body = urllib.parse.urlencode({"source": source, "target": TARGET})
        headers = _FORM | ({"X-Forwarded-For": _address(number % self.flood.senders)} if self.flood.senders else {})
        began = time.monotonic()
        try:
            client.request("POST", "/webmention", body, headers)
            status = client.getresponse()
            status.read()
        except (OSError, http.client.HTTPException) as error:
            client.close()
            self.outcome.trouble.append(f"{type(error).__name__}: {error}")
            return
        with self._lock:
            self.times.append(time.monotonic() - began)
            self.outcome.answers[status.status] += 1
            if len(self.times) >= self.flood.before:
                self.half.set()


def _address(number: int) -> str:
    """A public address for each number."""
    return f"8.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _honest(url: str, port: int, flood: Flood, outcome: Outcome) -> None:
    """Ping as an honest sender does, who comes again when told to, and see when it is shown."""
    client = _SENDER if flood.senders else ""
    body = urllib.parse.urlencode({"source": f"http://127.0.0.1:{port}/honest", "target": HONEST}).encode()
    began = time.monotonic()
    while True:
        told = ask(f"{url}/webmention", body, client=client)
        outcome.honest_answers.append(told.status)
        if told.status != 429:
            break
        if time.monotonic() > began + flood.patience:
            return
        time.sleep(min(float(told.retry_after), flood.patience))
    outcome.honest_taken = time.monotonic() - began
    query = urllib.parse.urlencode({"target": HONEST})
    while time.monotonic() < began + outcome.honest_taken + flood.patience:
        if json.loads(ask(f"{url}/mentions?{query}", client=client).body)["count"]:
            outcome.honest_after = time.monotonic() - began
            return
        time.sleep(0.1)


def flooded(flood: Flood, directory: Path) -> Outcome:
    """Let a flood come over a receiver that keeps its records in a directory."""
    outcome, database = Outcome(), directory / "linkback.db"
    served = ("serve", "--site", HOME, "--database", f"sqlite:///{database}", "--allow-network", "127.0.0.0/8")
    proxied = ("--trusted-proxy", "127.0.0.1") if flood.senders else ()
    with sources(flood.slowness) as port, receiver(*served, *proxied) as (process, url):
        clients = _Clients(flood, url, port, outcome)
        threads = [threading.Thread(target=clients.run, daemon=True) for _ in range(flood.clients)]
        for thread in threads:
            thread.start()
        assert clients.half.wait(120), outcome
        _honest(url, port, flood, outcome)
        for thread in threads:
            thread.join(flood.pings)
        outcome.seconds = time.monotonic() - clients.begun
        outcome.health = ask(f"{url}/healthz").status
        outcome.peak_memory = peak_memory(process)
    times = sorted(clients.times)
    outcome.p50, outcome.p99, outcome.slowest = (times[int((len(times) - 1) * part)] for part in (0.5, 0.99, 1.0))
    with contextlib.closing(sqlite3.connect(database)) as probe:
        [(outcome.recorded,)] = probe.execute("SELECT count(*) FROM linkback_claims").fetchall()
    return outcome


def main() -> None:
    """Run a flood as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=500.0, help="pings a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--senders", type=int, default=0, help="addresses that they come from; 0: not told apart")
    parser.add_argument("--slowness", type=float, default=60.0, help="seconds that a hostile page takes")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds to wait for the honest ping")
    parser.add_argument("--before", type=int, help="hostile pings before the honest one; without it, half of them")
    given = parser.parse_args()
    pings = int(given.rate * given.seconds)
    flood = Flood(
        pings=pings,
        hosts=given.hosts,
        rate=given.rate,
        slowness=given.slowness,
        before=pings // 2 if given.before is None else given.before,
        clients=32,
        senders=given.senders,
        patience=given.patience,
    )
    with tempfile.TemporaryDirectory() as directory:
        found = flooded(flood, Path(directory))
    shortcomings = found.shortcomings(flood)
    print(json.dumps({**vars(found), "trouble": found.trouble[:5], "shortcomings": shortcomings}))
    sys.exit(bool(shortcomings))


if __name__ == "__main__":
    main()
