"""A WSGI application on a port: the only owner of `waitress`.

`linkback serve` and the demo use it; a host that has a server of its own does not need it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from linkback import logs
from linkback.adapters.proxies import behind
from linkback.errors import ConfigurationError

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

log = logs.named(__name__)

#: more than any protocol's largest ping, so that the endpoints themselves say what is too large
_MAX_BODY = 1_048_576
#: claims that wait together share a commit, so eight threads take half as many of them as these (durable receive)
_THREADS = 32
#: how long `close` from another thread may take to be noticed
_GLANCE_SECONDS = 0.5
#: how long a request may take to arrive, its last byte included, and how long a connection may wait for one, in seconds
_REQUEST_SECONDS, _IDLE_SECONDS = 10.0, 30
#: connections at once; who comes then waits to be accepted
_MOST_CONNECTIONS = 100
#: how long the loop waits for a thread that sends, in seconds
_MOMENT = 0.005
#: what says that there is no room for another connection; the loop would ask again at once, and log each answer
_FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_REST_SECONDS = 1.0


def require() -> None:
    """Raise `ConfigurationError` where waitress is not installed, before anything is begun that needs it."""
    try:
        import waitress.server  # noqa: F401 - only whether it can be
    except ImportError as error:
        raise ConfigurationError("serving needs waitress: pip install 'linkback[server]'") from error


class Server:
    """An application listening on `bind`, "host:port"; port 0 takes a free one.

    `proxies` are the addresses of those that are believed who the client is, as by `proxies.behind`. Raises
    `ConfigurationError` where the address cannot be listened on, a proxy is no address, or waitress is not installed.
    """

    def __init__(self, app: WSGIApplication, bind: str, *, proxies: Iterable[str] = ()) -> None:
        self._closing = threading.Event()
        self._sockets: dict[int, Any] = {}
        # waitress itself believes one proxy, or as many hops as are counted, and takes `::ffff:192.0.2.1` apart
        self._server = _listen(behind(app, proxies), bind, self._sockets)
        # a name that means several addresses has a listener for each
        self._listeners = [each for each in self._sockets.values() if hasattr(each, "channel_class")]
        for each in self._listeners:
            # the server counts its listeners and its trigger among them
            each.adj.connection_limit = _MOST_CONNECTIONS + len(self._sockets)
            each.channel_class = _channel_class()
            each.accept = partial(self._accept, each)
        #: when to take connections again, by the monotonic clock, where there is no room for one
        self._rests_until: float | None = None
        self._full = False
        self._hurries_at = 0.0
        host, port = getattr(self._server, "effective_listen", [self._server.socket.getsockname()])[0][:2]
        #: the URL that it answers at
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Answer requests in the main thread until SIGTERM (SystemExit) or SIGINT (KeyboardInterrupt).

        `ready` is called when those are heard.
        """
        signal.signal(signal.SIGTERM, _leave)
        ready()
        self.serve()

    def serve(self) -> None:
        """Answer requests in this thread until `close`."""
        from waitress.wasyncore import close_all, loop

        try:
            while not self._closing.is_set():
                self._listen_again()
                loop(timeout=_GLANCE_SECONDS, use_poll=True, map=self._sockets, count=1)
                self._hurry()
        finally:
            self._server.task_dispatcher.shutdown()
            close_all(self._sockets, ignore_all=True)

    def _accept(self, listener: Any) -> Any:
        """The next connection; none, and no look for another this second, where the process or the system is full."""
        try:
            found = type(listener).accept(listener)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            if not self._full:
                log.warning("no more connections are accepted for now: %s", error.strerror)
            self._full, self._rests_until = True, time.monotonic() + _REST_SECONDS
            self._accepting(False)
            return None
        self._full = False
        return found

    def _listen_again(self) -> None:
        if self._rests_until is not None and time.monotonic() >= self._rests_until:
            self._rests_until = None
            self._accepting(True)

    def _hurry(self) -> None:
        """Wait no longer for requests that drip: the server's own timeout begins anew with each byte."""
        now = time.monotonic()
        if now < self._hurries_at:
            return
        self._hurries_at = now + _GLANCE_SECONDS
        for each in list(self._sockets.values()):
            if isinstance(each, _channel_class()):
                each.hurry(now)

    def _accepting(self, yes: bool) -> None:
        for each in self._listeners:
            each.accepting = yes

    def close(self) -> None:
        """Stop serving soon; may be called from any thread."""
        self._closing.set()
        for each in list(self._sockets.values()):
            if hasattr(each, "pull_trigger"):
                # the loop may have ended, and closed it, at this very moment
                with contextlib.suppress(OSError):
                    each.pull_trigger()


def _leave(number: int, frame: object) -> None:
    raise SystemExit(0)


def _listen(app: WSGIApplication, bind: str, sockets: dict[int, Any]) -> Any:
    require()
    # that a request waits for a thread is no news, and a line for each would cost more than the request
    queue = logging.getLogger("waitress.queue")
    if queue.level == logging.NOTSET:
        queue.setLevel(logging.ERROR)
    from waitress.server import create_server
    from waitress.wasyncore import close_all

    host, _, port = bind.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) <= 5) or int(port) > 65535:
        raise ConfigurationError(f"{bind!r} is no address to listen on; give HOST:PORT, such as 127.0.0.1:8000")
    try:
        return create_server(
            app,
            map=sockets,
            host=host.strip("[]") or "127.0.0.1",
            port=int(port),
            threads=_THREADS,
            ident=None,
            max_request_body_size=_MAX_BODY,
            channel_timeout=_IDLE_SECONDS,
            cleanup_interval=1,
            # `behind` needs them, and clears them
            clear_untrusted_proxy_headers=False,
        )
    except (OSError, ValueError) as error:
        close_all(sockets, ignore_all=True)
        raise ConfigurationError(f"cannot listen on {bind}: {error}") from error


@cache
def _channel_class() -> Any:
    """A connection whose requests arrive within their time, and that its thread alone writes to while it does.

    The loop of waitress would try it again and again meanwhile and keep that thread from the interpreter: where it
    wakes up on another core, a ping took four times the CPU (durable receive).
    """
    from waitress.channel import HTTPChannel

    class Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
        parser_class = _parser_class()
        request: Any
        #: what is being received, and since when by the monotonic clock
        _awaited: tuple[Any, float] = (None, 0.0)

        def hurry(self, now: float) -> None:
            """Answer a request that takes too long to arrive, and hang up; called by the loop, often."""
            with self.requests_lock:
                request = self.request
                awaited, since = self._awaited
                # while an answer is made, the next request cannot be read
                if request is None or request is not awaited or self.requests:
                    self._awaited = (request, now)
                    return
                if now - since < _REQUEST_SECONDS:
                    return
                _call_too_slow(request)
                self.request = None
                self.requests.append(request)
            self.server.add_task(self)

        def writable(self) -> bool:
            """Whether there is something to send that nobody is sending."""
            # who has something left over says so before it lets go: not to wait at all would miss that
            if not super().writable() or not self.outbuf_lock.acquire(timeout=_MOMENT):
                return False
            self.outbuf_lock.release()
            return True

    return Channel


@cache
def _parser_class() -> Any:
    """What reads a request, and refuses one whose length is told in two ways: 400, and the connection is closed.

    A server in front may have gone by the other (RFC 9112, 6.1 and 6.3).
    """
    from waitress.parser import HTTPRequestParser, ParsingError

    class Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
        def parse_header(self, header_plus: bytes) -> None:
            super().parse_header(header_plus)
            # the field is still there in a request of a version that does not know it
            if "TRANSFER_ENCODING" in self.headers or (self.chunked and "CONTENT_LENGTH" in self.headers):
                raise ParsingError("The length of the request is not certain.")

    return Parser


def _call_too_slow(request: Any) -> None:
    """Have a request that is not there yet answered 408."""
    from waitress.utilities import Error

    if not request.headers_finished:
        # an answer needs some request
        request.parse_header(b"GET / HTTP/1.0\r\n")
    error = Error("the request took too long")
    error.code, error.reason = 408, "Request Timeout"
    request.error, request.completed = error, True
