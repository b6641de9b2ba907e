"""Many hosts on loopback, in one process: every address of 127.0.0.0/8 is a host, and each answer takes a while.

GET /post is a page that listens, GET /note one that links to a given target; POST anything is taken. GET /src links to
the /post of many hosts, and GET /stats says what was asked for since it was last asked: how often, by how many
connections, and how much of it at once of one host; these two take no time.
The port is the first line on stdout; it serves until stdin ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

SENTENCE = (
    '<p class="x">Two pages that <b>link</b> tell <a href="/tag/%d/">more</a>, and it <em>takes</em> one line.</p>\n'
)
HEAD = '<!doctype html><html><head><meta charset="utf-8"><title>On gardens</title>'


def address(number: int) -> str:
    """The address of a host."""
    return f"127.0.{1 + number // 250}.{1 + number % 250}"


@dataclass(frozen=True)
class Farm:
    """A running farm, as the scripts see it."""

    port: int

    def host(self, number: int) -> str:
        """The authority of one of its hosts."""
        return f"{address(number)}:{self.port}"

    def stats(self) -> dict[str, int]:
        """What it was asked for since this was last called."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats") as answer:
            found: dict[str, int] = json.loads(answer.read())
        return found


@contextlib.contextmanager
def farm(*, delay: float, size: int, target: str = "", links: int = 0) -> Iterator[Farm]:
    """A farm whose answers take `delay` seconds and whose pages have `size` bytes.

    /note links to `target`, and /src to so many hosts.
    """
    command = [sys.executable, __file__, str(delay), str(size), str(links), target]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield Farm(int(running.stdout.readline()))
        assert running.stdin is not None
        running.stdin.close()


class Answering(asyncio.Protocol):
    """One connection. Answers are whole bytes that were made before: what is measured is who asks."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._host = transport.get_extra_info("sockname")[0]
        self._served.seen["connections"] += 1

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, blank, body = self._got.partition(b"\r\n\r\n")
        fields = head.lower()
        _, named, length = fields.partition(b"content-length:")
        if not blank or (named and len(body) < int(length.split(b"\r\n", 1)[0])):
            return
        self._got = b""
        method, path, _ = head.split(b" ", 2)
        last = b"connection: close" in fields
        if path in (b"/stats", b"/src"):
            self._answer(self._served.stats() if path == b"/stats" else self._served.source, last)
            return
        key = (method, self._host)
        self._served.begin(key)
        asyncio.get_running_loop().call_later(self._served.delay, self._end, key, path, last)

    def _end(self, key: tuple[bytes, str], path: bytes, last: bool) -> None:
        self._served.now[key] -= 1
        self._answer(self._served.answer(key[0], path), last)

    def _answer(self, answer: bytes, last: bool) -> None:
        self._transport.write(answer)
        if last:
            self._transport.close()


class Served:
    """What a farm serves, and what it has seen."""

    def __init__(self, delay: float, size: int, target: str) -> None:
        self.delay = delay
        self.seen: Counter[str] = Counter()
        self.now: Counter[tuple[bytes, str]] = Counter()
        filler = "".join(SENTENCE % number for number in range(size // len(SENTENCE)))
        self._post = _answer(
            200,
            f'{HEAD}<link rel="stylesheet" href="/s.css"><link rel="webmention" href="/webmention"></head>'
            f"<body>{filler}</body></html>",
        )
        self._note = _answer(
            200,
            f"{HEAD}</head><body><article><h1>On gardens</h1><p>It is all said in "
            f'<a href="{target}">a post of my neighbour</a>, and well.</p>{filler}</article></body></html>',
        )
        self._taken = _answer(202, "{}")
        self.source = b""

    def link(self, port: int, links: int) -> None:
        """Have /src link to the pages of so many hosts."""
        posts = (f'<a href="http://{address(number)}:{port}/post">a page</a>\n' for number in range(links))
        entry = f'<article class="h-entry"><div class="e-content">{"".join(posts)}</div></article>'
        self.source = _answer(200, f"{HEAD}</head><body>{entry}</body></html>")

    def answer(self, method: bytes, path: bytes) -> bytes:
        """The answer to a request."""
        if method == b"POST":
            return self._taken
        return self._note if path.startswith(b"/note") else self._post

    def begin(self, key: tuple[bytes, str]) -> None:
        """Count a request, and how many of its method one host has at once."""
        method = key[0].decode().lower()
        self.now[key] += 1
        self.seen[method] += 1
        self.seen[f"most_{method}"] = max(self.seen[f"most_{method}"], self.now[key])

    def stats(self) -> bytes:
        """What was seen, which is forgotten."""
        told, self.seen = json.dumps(self.seen), Counter()
        return _answer(200, told)


def _answer(status: int, text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 {status} OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("delay", type=float)
    parser.add_argument("size", type=int)
    parser.add_argument("links", type=int)
    parser.add_argument("target", default="")
    given = parser.parse_args()
    served = Served(given.delay, given.size, given.target)
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(lambda: Answering(served), "0.0.0.0", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    served.link(port, given.links)
    print(port, flush=True)
    loop.add_reader(sys.stdin, lambda: os.read(sys.stdin.fileno(), 1) or ended.set())
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
