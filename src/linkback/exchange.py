"""One request and its answer, over one connection that nobody else uses.

Rule 1: h11 writes the request and reads the answer, with its checks against header injection and guessed framing. It
holds no socket and knows none, so nothing inside it can open a way past the guard: we speak over what a `Door` opened.
Rule 2: whatever is not body, interim answers and the trimmings of chunks included, is bounded. h11's patterns take time
squared in a run of blanks where an illegal byte stands in the same line (7 s for 60 kB, all threads held), so a head
with such a byte does not reach h11, and the lines of a chunked body are short.
Rule 3: a body that was cut short is never given as a whole one, compressed or not.
Rule 4: every error from below becomes one of ours in one place, `translated`, with the cause kept.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import types
import typing
from collections.abc import Iterator

import h11

from linkback.door import Progress
from linkback.errors import FetchError, TimedOut, Unreachable
from linkback.inflate import BadCoding, inflater
from linkback.wire import Headers

#: bytes of status lines and header fields, interim answers included
MAX_HEAD = 65_536
#: bytes of one chunk's size and extension, and of the trailers
MAX_LINE = 4_096
MAX_FIELDS = 200
#: 100 and 103 answers that may precede the real one
MAX_INTERIM = 8

_READ = 32_768
#: bytes of chunk sizes, extensions and trailers that a body may have beyond its own length: enough for 64 KiB in
#: chunks of a single byte, as some servers send them
_TRIMMINGS = 5 * 65_536
#: compressed bytes taken beyond the cap on decoded ones: compression does not make a page longer
_SLACK = 65_536
_BEGINNING = b"HTTP/1."
_HEAD_END = re.compile(rb"\n\r?\n")
_ILLEGAL = re.compile(rb"[\0\v\f]|\r[^\n]")

#: how each kind of failure is told to people; the first that fits
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (UnicodeError, "{peer} is no name that can be looked up"),
    (socket.gaierror, "the name {peer} cannot be resolved: {why}"),
    (ssl.SSLCertVerificationError, "the certificate of {peer} is refused: {why}"),
    (ssl.SSLError, "TLS with {peer} failed: {why}"),
    (TimeoutError, "{peer} does not answer: {why}"),
    (h11.LocalProtocolError, "the request to {peer} cannot be written: {why}"),
    (h11.ProtocolError, "the answer of {peer} cannot be read: {why}"),
    (BadCoding, "the answer of {peer} cannot be read: {why}"),
    (OSError, "the connection to {peer} failed: {why}"),
    (Exception, "the exchange with {peer} failed: {why}"),
)


class Exchange:
    """One request and its answer over `sock`, which is closed in the end. Use it as a context manager."""

    def __init__(self, sock: socket.socket, progress: Progress) -> None:
        self._sock = sock
        self._progress = progress
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_LINE)
        self._fields: Headers = ()
        self._bite = _READ
        self._held = b""
        # bytes after the head that h11 was given, and how many of them were body
        self._fed, self._body = 0, 0
        self._unvouched = False

    def __enter__(self) -> typing.Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self._progress.deadline.release()
        with contextlib.suppress(OSError):
            self._sock.close()

    def request(self, method: str, target: str, headers: Headers, body: bytes | None) -> tuple[int, Headers]:
        """Send a request and read the answer up to its body; give its status and header fields.

        The fields come apart, in their order and as they were, but for those that frame the body: h11 gives a
        Content-Length that was repeated once. Raises `OSError`, `ValueError` and `h11.ProtocolError`.
        """
        self._sock.sendall(self._written(method, target, headers, body))
        self._progress.sent = True
        answer = self._answer()
        # a socket that the watchdog shut looks like one that came to its end
        self._progress.deadline.remaining()
        self._fields = tuple((name.decode("ascii"), _decode(value)) for name, value in answer.headers.raw_items())
        if any(name == b"transfer-encoding" for name, _ in answer.headers):
            # no line of a chunked body may come to h11 much longer than it may be
            self._bite = MAX_LINE
        return answer.status_code, self._fields

    def read(self, limit: int) -> tuple[bytes, bool]:
        """The decoded body up to `limit` bytes, and whether there is, or may be, more of it.

        Raises as `request` does.
        """
        decoder = inflater(self._fields)
        body = bytearray()
        while isinstance(event := self._next(), h11.Data):
            body += decoder.feed(event.data, limit + 1 - len(body))
            if len(body) > limit or self._body > limit + _SLACK:
                return bytes(body[:limit]), True
        self._progress.deadline.remaining()
        if not decoder.is_whole and not self._unvouched:
            raise BadCoding("its content encoding stops short of its end")
        return bytes(body), self._unvouched

    def _written(self, method: str, target: str, headers: Headers, body: bytes | None) -> bytes:
        fields = [(name.encode("latin-1"), value.strip(" \t").encode("latin-1")) for name, value in headers]
        if body is not None:
            fields.append((b"Content-Length", b"%d" % len(body)))
        head = self._http.send(h11.Request(method=method, target=target, headers=fields))
        data = self._http.send(h11.Data(data=body or b""))
        return b"".join((head, data, self._http.send(h11.EndOfMessage())))

    def _answer(self) -> h11.Response:
        """The answer itself, past any interim ones."""
        allowance = MAX_HEAD
        for _ in range(MAX_INTERIM + 1):
            head = self._head(allowance)
            allowance -= len(head)
            self._http.receive_data(head)
            if isinstance(event := self._http.next_event(), h11.Response):
                if len(event.headers) > MAX_FIELDS:
                    raise h11.RemoteProtocolError(f"more than {MAX_FIELDS} header fields")
                return event
        raise h11.RemoteProtocolError(f"more than {MAX_INTERIM} interim answers")

    def _head(self, allowance: int) -> bytes:
        """All up to the next empty line; what came after it is held back."""
        seen, end = 0, None
        while end is None:
            # who speaks another protocol often waits after its greeting, so this is not left to h11
            if self._held[: len(_BEGINNING)] != _BEGINNING[: len(self._held)]:
                raise h11.RemoteProtocolError(f"it begins with {self._held[:40]!r}")
            end = _HEAD_END.search(self._held, max(seen - 2, 0))
            seen = len(self._held)
            if (end.end() if end else seen) > allowance:
                raise h11.RemoteProtocolError(f"more than {MAX_HEAD} bytes before its body")
            if end is None:
                if not (data := self._receive()):
                    raise h11.RemoteProtocolError("it ends before its body" if seen else "it is empty")
                self._held += data
        head, self._held = self._held[: end.end()], self._held[end.end() :]
        if _ILLEGAL.search(head):
            raise h11.RemoteProtocolError("a header field holds a control character")
        return head

    def _next(self) -> object:
        """The next event that h11 makes of what follows the head."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._fed > _TRIMMINGS + 2 * self._body:
                raise h11.RemoteProtocolError("its chunks are more trimmings than body")
            self._held = self._held or self._receive()
            data, self._held = self._held[: self._bite], self._held[self._bite :]
            self._fed += len(data)
            self._http.receive_data(data)
        if isinstance(event, h11.Data):
            self._body += len(event.data)
        return event

    def _receive(self) -> bytes:
        try:
            return self._sock.recv(_READ)
        except ssl.SSLEOFError:
            # where a length or chunks say that more must come, h11 says so; else nothing vouches for this end
            self._unvouched = True
            return b""


@contextlib.contextmanager
def translated(progress: Progress) -> Iterator[None]:
    """Turn what the libraries raise inside into our errors: the one border they cross."""
    try:
        yield
    except (h11.ProtocolError, OSError, ValueError) as error:
        raise _translation(error, progress) from error


def _translation(error: Exception, progress: Progress) -> FetchError:
    peer = progress.peer or "the server"
    if progress.deadline.passed:
        message = f"no complete answer from {peer} within {progress.deadline.seconds:g} s"
        return TimedOut(progress.url, message, sent=progress.sent)
    words = next(words for kind, words in _WORDS if isinstance(error, kind))
    kind = TimedOut if isinstance(error, TimeoutError) else Unreachable
    # a name that cannot be put into a question will not be one tomorrow
    hopeless = isinstance(error, UnicodeError)
    return kind(progress.url, words.format(peer=peer, why=_why(error)), temporary=not hopeless, sent=progress.sent)


def _why(error: Exception) -> str:
    """The library's own words, on one line: parts of them may be the peer's."""
    text = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error) or type(error).__name__
    return "".join(character if character.isprintable() else "?" for character in str(text)[:200])


def _decode(value: bytes) -> str:
    """A field value as text: UTF-8 where it is, else latin-1, which reads anything."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
