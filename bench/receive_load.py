"""Senders of pings for receive.py: some connections that each send the next ping when the last was answered.

    python bench/receive_load.py URL TARGET [--connections N] [--seconds S]

Rule: it is cheap enough that the server has most of its own core: bytes are formatted, sent and compared, never parsed.
Prints a JSON object: how many pings were accepted, which answers were another, and the waits of the measured time.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from time import perf_counter
from urllib.parse import quote, urlsplit

#: how long the server is warmed up, in seconds
_WARM_UP = 0.7
_HOSTS = 500
_XML = (
    '<?xml version="1.0"?><methodCall><methodName>pingback.ping</methodName><params><param><value><string>{source}'
    "</string></value></param><param><value><string>{target}</string></value></param></params></methodCall>"
)
#: what each protocol's answer to a ping that was taken has in it; the empty application has nothing to say
TAKEN = {
    "/webmention": (b" 201 ", b"The webmention was queued."),
    "/pingback": (b" 200 ", b"The pingback was queued."),
    "/trackback": (b" 200 ", b"<error>0</error>"),
}


def pings(host: str, target: str) -> Iterator[tuple[str, bytes]]:
    """Pings without end, each with a source of its own, by the three protocols in turn, with their paths."""
    named = quote(target, safe="")
    number = 0
    while True:
        for path in TAKEN:
            number += 1
            source = f"https://h{number % _HOSTS}.example/post/{number}"
            query, kind = "", "application/x-www-form-urlencoded"
            if path == "/webmention":
                body = f"source={quote(source, safe='')}&target={named}"
            elif path == "/pingback":
                body, kind = _XML.format(source=source, target=target), "text/xml"
            else:
                body, query = f"url={quote(source, safe='')}&title=A+note&blog_name=Notes", f"?target={named}"
            head = f"POST {path}{query} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nUser-Agent: bench\r\n"
            yield path, f"{head}Accept: */*\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


class Connection:
    """One sender: a ping, its answer, the next ping."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._path, self._begun, self._got = "", 0.0, b""

    def send(self, path: str, ping: bytes) -> None:
        """Send a ping."""
        self._path, self._begun, self._got = path, perf_counter(), b""
        self.socket.sendall(ping)

    def read(self) -> tuple[float, bool, bytes] | None:
        """The wait, whether the ping was taken, and the answer, once that is whole."""
        more = self.socket.recv(65536)
        if not more:
            raise ConnectionError("the server hung up")
        self._got += more
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found:
            return None
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return None
        status, words = TAKEN[self._path]
        return perf_counter() - self._begun, status in head[:20] and words in body, self._got


def load(url: str, target: str, connections: int, seconds: float) -> dict[str, object]:
    """Send pings for some seconds after a warm-up; what was answered."""
    address = urlsplit(url)
    supply = pings(address.netloc, target)
    waiting = selectors.DefaultSelector()
    taken, others, waits = 0, Counter[str](), []
    begun = perf_counter() + _WARM_UP
    for _ in range(connections):
        connection = Connection((address.hostname or "", address.port or 80))
        waiting.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(*next(supply))
    last = begun
    while waiting.get_map():
        for key, _ in waiting.select():
            answer = key.data.read()
            if answer is None:
                continue
            wait, was_taken, whole = answer
            taken += was_taken
            if not was_taken:
                others[whole[:60].decode("latin-1")] += 1
            now = perf_counter()
            if now < begun + seconds:
                if now >= begun:
                    waits.append(wait)
                    last = now
                key.data.send(*next(supply))
            else:
                # every ping gets its answer, so that the count of those taken is exact
                waiting.unregister(key.data.socket)
                key.data.socket.close()
    places = statistics.quantiles(waits, n=100)
    return {
        "all": taken + others.total(),
        "taken": taken,
        "others": dict(others.most_common(3)),
        "answers": len(waits),
        "a_second": len(waits) / (last - begun),
        "p50_ms": places[49] * 1000,
        "p99_ms": places[98] * 1000,
    }


def main() -> int:
    """Send, and say how it went."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("target")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    print(json.dumps(load(given.url, given.target, given.connections, given.seconds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
