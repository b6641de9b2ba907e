"""A server of raw answers on loopback: what a test writes is, byte for byte, what goes over the wire."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: bytes to send as they are, or what makes them of a request
Answer = Callable[[bytes], bytes] | bytes
#: what a path answers, or a host (without port) and path where one server goes by several names
Answers = dict[str, Answer]

HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n"


def answer(status: int, headers: bytes = b"", body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n%s" % (status, headers, len(body), body)


def page(body: bytes = b"", headers: bytes = b"") -> bytes:
    return HTML + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


def redirect(to: str, status: int = 302, headers: bytes = b"", body: bytes = b"") -> bytes:
    return answer(status, b"Location: %s\r\n%s" % (to.encode(), headers), body)


NOT_FOUND = answer(404)


def by_method(**answers: Answer) -> Answer:
    """Answers that differ by the method of the request; any other is 405."""

    def respond(request: bytes) -> bytes:
        return _made(answers.get(request.split(b" ")[0].decode(), answer(405)), request)

    return respond


def once(first: Answer, *, then: bytes) -> Answer:
    """An answer that is given to the first request only."""
    left = [first]
    return lambda request: _made(left.pop(), request) if left else then


def _made(answer: Answer, request: bytes) -> bytes:
    return answer(request) if callable(answer) else answer


class Web:
    """A server of raw answers; `seen` holds the requests, whole."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.seen: list[bytes] = []
        web = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data = b""
                while b"\r\n\r\n" not in data:
                    data += self.request.recv(65536) or b"\r\n\r\n"
                head, _, body = data.partition(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l")), 0
                )
                while len(body) < length:
                    body += self.request.recv(65536)
                web.seen.append(head + b"\r\n\r\n" + body)
                # whoever has read enough hangs up
                with contextlib.suppress(ConnectionError):
                    self.request.sendall(web.respond(web.seen[-1]))

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def respond(self, request: bytes) -> bytes:
        place, path = _place(request), _path(request)
        return _made(self.answers.get(place, self.answers.get(path, NOT_FOUND)), request)

    def paths(self) -> list[str]:
        return [_path(request) for request in self.seen]

    def asked(self) -> list[tuple[str, str]]:
        """The method of each request, and the host and path it was for."""
        return [(request.split(b" ")[0].decode(), _place(request)) for request in self.seen]


def _path(request: bytes) -> str:
    return request.split(b" ")[1].decode()


def _place(request: bytes) -> str:
    lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    host = next((line[5:].strip() for line in lines if line.lower().startswith(b"host:")), b"")
    return host.rpartition(b":")[0].decode() + _path(request)


@contextmanager
def web(answers: Answers) -> Iterator[Web]:
    found = Web(answers)
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.server.shutdown()
        found.server.server_close()
        thread.join(10)
