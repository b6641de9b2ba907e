"""Serves the hostile site: `python -m tests.hostile.sources.server PACE` in the root of the repository.

It tells its ports in a line of JSON, serves until its standard input ends, and then tells what it saw.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.hostile.sources import HANDLERS
from tests.hostile.sources.family import CANARY, HOST, MOST_SECONDS, Visit, document, response
from tests.hostile.sources.privacy import TELLING

Serving = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_BROKEN = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError, ValueError)


class Site:
    """The listeners and what they saw; `pace` is what the pauses of the cases are multiplied by."""

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self.ports: dict[str, int] = {}
        self.requests: defaultdict[str, int] = defaultdict(int)
        self.telling: set[str] = set()
        self.canary_connections = 0

    async def start(self) -> None:
        """Listen: in the clear, with a certificate of no authority, silently, and where nobody answers."""
        self._closed = _bound(HOST)
        self.ports["closed"] = self._closed.getsockname()[1]
        await self._listen("http", HOST, self._serve)
        await self._listen("silent", HOST, self._silent)
        await self._listen("canary", CANARY, self._canary)
        certificate = _self_signed()
        if certificate is not None:
            await self._listen("tls", HOST, self._serve, certificate)
        else:
            self.ports["tls"] = self.ports["closed"]

    async def _listen(self, name: str, host: str, serve: Serving, tls: ssl.SSLContext | None = None) -> None:
        sock = _bound(host)
        await asyncio.start_server(serve, sock=sock, ssl=tls, limit=1 << 20, backlog=200)
        self.ports[name] = sock.getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(*_BROKEN):
            await asyncio.wait_for(self._answer(reader, writer), MOST_SECONDS)
        with contextlib.suppress(*_BROKEN, RuntimeError, NotImplementedError):
            if writer.can_write_eof() and not writer.transport.is_closing():
                writer.write_eof()
                # unread input would turn our FIN into a RST
                await asyncio.wait_for(reader.read(65_536), 0.3)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target = first.split(" ")[:2]
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
        }
        await reader.readexactly(int(headers.get("content-length", "0")))
        path, _, query = target.partition("?")
        self.requests[path] += 1
        self.telling |= {f"{path}: {name}" for name in TELLING.intersection(headers)}
        visit = Visit(writer, method=method, query=query, headers=headers, ports=self.ports, pace=self.pace)
        if path in HANDLERS:
            await HANDLERS[path](visit)
        else:
            await visit.send(response("no such page", status="404 Not Found"))

    async def _silent(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(MOST_SECONDS)
        writer.close()

    async def _canary(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Counts, and shows whoever comes here a link, as bait."""
        self.canary_connections += 1
        writer.write(response(document('<a href="http://target.test/post/1">x</a>')))
        writer.close()


def _bound(host: str) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    sock.bind((host, 0))
    return sock


def _self_signed() -> ssl.SSLContext | None:
    """TLS with a certificate that is its own authority; None where there is no openssl to make one."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    make = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={HOST} -addext subjectAltName=IP:{HOST}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        command = [openssl, *make.split(), "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True)
        context.load_cert_chain(certificate, key)
    return context


async def _main(pace: float) -> None:
    site = Site(pace)
    await site.start()
    print(json.dumps(site.ports), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    seen = {"requests": site.requests, "telling": sorted(site.telling), "canary": site.canary_connections}
    print(json.dumps(seen), flush=True)
    # whoever is still answered slowly has long gone
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_main(float(sys.argv[1])))
