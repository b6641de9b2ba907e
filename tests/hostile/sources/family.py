"""What a case of the hostile site is, and how its answer is written down.

Bounds are those of a whole look at the source, redirects included; `megabytes` are 10^6 bytes taken off the wire.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

HOST, CANARY = "127.0.0.10", "127.0.0.66"
TARGET = "http://target.test/post/1"
ANCHOR = f'<a href="{TARGET}">x</a>'
LINK = f'<p>text <a href="{TARGET}">link</a> more</p>'
HTML = "text/html; charset=utf-8"
MB = 1_000_000
#: what the site allows one connection, whoever is under test
MOST_SECONDS, MOST_BYTES = 45.0, 64 * MB

LINKED, NOT_LINKED, ERROR = "linked", "not_linked", "error"
#: a mention of such a source is taken away, as of one that is `NOT_LINKED`; no other verdict takes any away (C7)
GONE = "gone"
#: no link in the part of a page that was read: as an answer "no link", as evidence nothing (protocols.md D-24)
TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One path: `verdicts` are those a check may come to; `slow` cases last until a deadline ends them.

    `memory` is MiB that one look may need.
    """

    path: str
    verdicts: frozenset[str]
    seconds: float = 12
    megabytes: float = 1.5
    memory: float = 64
    target: str = TARGET
    listener: str = "http"
    scheme: str = "http"
    slow: bool = False

    @property
    def family(self) -> str:
        """The first part of the path."""
        return self.path.split("/")[1]


class Visit:
    """One request and the connection that it came by; `pace` shortens what is waited for."""

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        *,
        method: str,
        query: str,
        headers: dict[str, str],
        ports: dict[str, int],
        pace: float,
    ) -> None:
        self.method = method
        self.query = query
        self.headers = headers
        self.ports = ports
        self.canary = f"{CANARY}:{ports['canary']}"
        self._writer = writer
        self._pace = pace
        self._sent = 0
        self._end = time.monotonic() + MOST_SECONDS

    async def send(self, data: bytes) -> None:
        """Write bytes as they are, as far as this connection may cost."""
        for start in range(0, len(data), 65_536):
            if self._sent > MOST_BYTES or time.monotonic() > self._end:
                raise ConnectionError("enough for one connection")
            part = data[start : start + 65_536]
            self._writer.write(part)
            self._sent += len(part)
            await self._writer.drain()

    async def pause(self, seconds: float) -> None:
        """Let some time pass, as the pace has it."""
        await asyncio.sleep(seconds * self._pace)

    async def hold(self) -> None:
        """Say nothing more."""
        await asyncio.sleep(max(0.0, self._end - time.monotonic()))

    async def drip(self, data: bytes, *, seconds: float = 1.0, step: int = 1) -> None:
        """Send so many bytes each so many seconds."""
        for start in range(0, len(data), step):
            await self.send(data[start : start + step])
            await self.pause(seconds)

    async def flood(self, block: bytes, *, seconds: float = 0.0) -> None:
        """Send a block again and again."""
        while True:
            await self.send(block)
            await self.pause(seconds)

    def reset(self) -> None:
        """Break the connection off with a RST."""
        sock: socket.socket = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Handler = Callable[[Visit], Awaitable[None]]
Made = bytes | Callable[[Visit], bytes]


class Family:
    """Cases under one first part of the path."""

    def __init__(
        self, name: str, *, seconds: float = 12, megabytes: float = 1.5, listener: str = "http", scheme: str = "http"
    ) -> None:
        self.cases: dict[str, Case] = {}
        self.handlers: dict[str, Handler] = {}
        self._name = name
        self._usual = {"seconds": seconds, "megabytes": megabytes}
        self._where = {"listener": listener, "scheme": scheme}

    def case(
        self,
        name: str,
        verdict: str,
        *,
        or_else: Iterable[str] = (),
        seconds: float | None = None,
        megabytes: float | None = None,
        memory: float = 64,
        target: str = TARGET,
        slow: bool = False,
        listener: str = "",
        scheme: str = "",
    ) -> Callable[[Handler], Handler]:
        """Answer a path by a coroutine."""
        verdicts = {verdict, *or_else}
        if verdicts & {NOT_LINKED, ERROR}:
            verdicts.add(TRUNCATED)
        path = f"/{self._name}/{name}"
        assert path not in self.cases, path
        self.cases[path] = Case(
            path=path,
            verdicts=frozenset(verdicts),
            seconds=self._usual["seconds"] if seconds is None else seconds,
            megabytes=self._usual["megabytes"] if megabytes is None else megabytes,
            memory=memory,
            target=target,
            listener=listener or self._where["listener"],
            scheme=scheme or self._where["scheme"],
            slow=slow,
        )
        return self.step(name)

    def step(self, name: str) -> Callable[[Handler], Handler]:
        """Answer a path that others lead to, and that is no case by itself."""

        def keep(handler: Handler) -> Handler:
            self.handlers[f"/{self._name}/{name}"] = handler
            return handler

        return keep

    def raw(self, name: str, verdict: str, made: Made, **bounds: object) -> None:
        """Answer a path by bytes, or by what makes them of the visit."""
        self.case(name, verdict, **bounds)(_sending(made))  # type: ignore[arg-type]

    def page(
        self,
        name: str,
        verdict: str,
        body: bytes | str | Callable[[Visit], str],
        *,
        head: str = "",
        bare: bool = False,
        content_type: str | None = HTML,
        status: str = "200 OK",
        fields: Iterable[str] = (),
        **bounds: object,
    ) -> None:
        """Answer a path by a page; a body of text stands in a whole document unless it is `bare`."""
        fields = tuple(fields)

        def made(visit: Visit) -> bytes:
            text = body(visit) if callable(body) else body
            if isinstance(text, str) and not bare:
                text = document(text, head)
            return response(text, content_type=content_type, status=status, fields=fields)

        self.raw(name, verdict, made, **bounds)

    def redirect(
        self,
        name: str,
        verdict: str,
        location: str | Callable[[Visit], str] | None,
        *,
        status: str = "302 Found",
        fields: Iterable[str] = (),
        **bounds: object,
    ) -> None:
        """Answer a path by a redirect; a location is sent as UTF-8."""
        self.raw(name, verdict, moving(location, status=status, fields=fields), **bounds)


def _sending(made: Made) -> Handler:
    async def handler(visit: Visit) -> None:
        await visit.send(made(visit) if callable(made) else made)

    return handler


def moving(
    location: str | Callable[[Visit], str] | None, *, status: str = "302 Found", fields: Iterable[str] = ()
) -> Callable[[Visit], bytes]:
    """What makes a redirect."""
    fields = tuple(fields)

    def made(visit: Visit) -> bytes:
        to = location(visit) if callable(location) else location
        lines = [] if to is None else [f"Location: {to.encode().decode('latin-1')}"]
        return response(b"moved", status=status, fields=[*lines, *fields])

    return made


def document(body: str, head: str = "") -> str:
    """A whole page."""
    return f"<!doctype html><html><head><title>Hostile</title>{head}</head><body>{body}</body></html>"


def response(
    body: bytes | str = b"",
    *,
    content_type: str | None = HTML,
    status: str = "200 OK",
    fields: Iterable[str] = (),
) -> bytes:
    """An answer with its length, after which the connection is closed."""
    body = body.encode() if isinstance(body, str) else body
    typed = [] if content_type is None else [f"Content-Type: {content_type}"]
    lines = [f"HTTP/1.1 {status}", *typed, *fields, f"Content-Length: {len(body)}", "Connection: close"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def head(*fields: str, status: str = "HTTP/1.1 200 OK", content_type: str = HTML) -> bytes:
    """A head and nothing more."""
    return ("\r\n".join([status, f"Content-Type: {content_type}", *fields]) + "\r\n\r\n").encode("latin-1")


CHUNKED = "Transfer-Encoding: chunked"


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    """One chunk."""
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)
