"""A web server made to hurt, on loopback: each path is a way of answering that never comes to its end."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
_GAP_SECONDS, _LONGEST_SECONDS = 0.05, 20.0
_ZEROS = bytes(1 << 20)
#: megabytes that the bomb unpacks to
_BOMB = 10_240


def bomb() -> Iterator[bytes]:
    """Ten gigabytes of zeros in ten megabytes of gzip: the same block again and again, each fit to follow any."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    begun = packer.compress(_ZEROS) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(_ZEROS) + packer.flush(zlib.Z_FULL_FLUSH)
    yield _HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + begun
    for _ in range(_BOMB // 16):
        yield again * 16


def endless() -> Iterator[bytes]:
    """A body as fast as it is taken."""
    yield _HEAD + b"\r\n"
    while True:
        yield b"<p>x</p>" * 8192


def dripping(letters: Callable[[], bytes], begun: bytes) -> Callable[[], Iterator[bytes]]:
    """An answer that begins, and goes on by a few bytes at a time."""

    def drip() -> Iterator[bytes]:
        yield begun
        while True:
            time.sleep(_GAP_SECONDS)
            yield letters()

    return drip


def silent() -> Iterator[bytes]:
    """Nothing at all."""
    time.sleep(_LONGEST_SECONDS)
    yield b""


def ordinary() -> Iterator[bytes]:
    """A page."""
    yield _HEAD + b"Content-Length: 8\r\nConnection: close\r\n\r\n<p>x</p>"


#: what `transport.py` measures, by path
WAYS: dict[str, Callable[[], Iterator[bytes]]] = {
    "gzip bomb": bomb,
    "endless body": endless,
    "slow body": dripping(lambda: b"<p>", _HEAD + b"\r\n"),
    "slow chunks": dripping(lambda: b"3\r\n<p>\r\n", _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
    "slow headers": dripping(lambda: b"X-A: b\r\n", b"HTTP/1.1 200 OK\r\n"),
    "slow header": dripping(lambda: b"a", b"HTTP/1.1 200 OK\r\nX-A: "),
    "silence": silent,
}


def path(way: str) -> str:
    """Where a way of answering is."""
    return f"/{way.replace(' ', '-')}"


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """The server, for the length of a block; gives its URL. What is still being answered ends with the process."""
    ways = {path(way): answer for way, answer in {**WAYS, "ordinary": ordinary}.items()}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, ways), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, ways: dict[str, Callable[[], Iterator[bytes]]]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection, ways), daemon=True).start()


def _answer(connection: socket.socket, ways: dict[str, Callable[[], Iterator[bytes]]]) -> None:
    end = time.monotonic() + _LONGEST_SECONDS
    with connection, contextlib.suppress(OSError):
        asked = connection.recv(65536).split(b" ")[1].decode()
        for part in ways[asked]():
            connection.sendall(part)
            if time.monotonic() > end:
                return
