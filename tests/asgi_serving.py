"""An ASGI application on a loopback port for the length of a `with` block, served by uvicorn; or called in process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import uvicorn

from linkback.adapters.asgi import ASGIApp, Message
from tests.serving import eventually


@contextlib.contextmanager
def served_by_uvicorn(app: ASGIApp, **options: Any) -> Iterator[str]:
    """Serve an application from a thread; gives its URL. `options` are those of `uvicorn.Config`."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, **options))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            eventually(lambda: server.started or not thread.is_alive())
            assert server.started, "uvicorn did not start"
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


def scope_of(path: str = "/post", method: str = "GET", **extra: Any) -> dict[str, Any]:
    """The scope of one request, as servers make it."""
    return {
        "type": "http",
        "method": method,
        "scheme": "https",
        "path": path,
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"t.example")],
        "server": ("127.0.0.1", 80),
        **extra,
    }


def talk(app: ASGIApp, scope: dict[str, Any], received: Iterable[Message] = ()) -> list[Message]:
    """What an application sends in answer to `received` (an empty body where nothing is given), message by message."""
    waiting = list(received) or [{"type": "http.request", "body": b"", "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def send(message: Message) -> None:
        sent.append(message)

    async def whole() -> None:
        async with asyncio.timeout(60):
            await app(scope, receive, send)

    asyncio.run(whole())
    return sent


def fields(message: Message) -> dict[str, str]:
    """The header fields of the message that starts an answer; of several of one name the last."""
    return {bytes(name).decode(): bytes(value).decode() for name, value in message["headers"]}
