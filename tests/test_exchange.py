"""An answer is framed for certain or not at all, a cut body is never a whole one, and no foreign error leaks."""

import gzip
import itertools
import socket
import ssl
import subprocess
import sys
import typing

import h11
import pytest

from linkback.deadline import Deadline
from linkback.door import Progress
from linkback.errors import Blocked, FetchError, LinkbackError, TimedOut, Unreachable
from linkback.exchange import MAX_FIELDS, MAX_HEAD, MAX_INTERIM, MAX_LINE, Exchange, translated
from linkback.inflate import BadCoding
from linkback.wire import Headers

PAGE = b"<p>hello</p>"
HOST: Headers = (("Host", "a.example"),)


class Wire:
    """Plays the socket: gives the bytes the other side sent, `step` at a time, and then the end of the connection."""

    def __init__(self, data: bytes, step: int = 65_536, end: Exception | None = None) -> None:
        self._data = data
        self._at = 0
        self._step = step
        self._end = end
        self.sent = b""
        self.closed = False

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def recv(self, count: int) -> bytes:
        start, self._at = self._at, min(self._at + min(count, self._step), len(self._data))
        if start == self._at and self._end:
            raise self._end
        return self._data[start : self._at]

    def close(self) -> None:
        self.closed = True
        raise ConnectionResetError


class Answer(typing.NamedTuple):
    status: int
    fields: Headers
    body: bytes
    truncated: bool


def talk(wire: Wire, method: str = "GET", fields: Headers = HOST, body: bytes | None = None) -> Answer:
    with Exchange(typing.cast("socket.socket", wire), Progress("u", Deadline(60))) as exchange:
        return Answer(*exchange.request(method, "/p", fields, body), *exchange.read(10**7))


def read(data: bytes, step: int = 65_536) -> Answer:
    return talk(Wire(data, step))


def ok(*fields: str, body: bytes = PAGE) -> bytes:
    return "\r\n".join(("HTTP/1.1 200 OK", *fields, "", "")).encode("latin-1") + body


def chunked(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + end


TE = "Transfer-Encoding: chunked"
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n"

GOOD = [
    ("to the end of the connection", ok(), PAGE),
    ("by length, what follows is not the page", ok(f"Content-Length: {len(PAGE)}", body=PAGE + b"more"), PAGE),
    ("length twice, the same", ok("Content-Length: 12", "content-length: 12"), PAGE),
    ("length as a list, the same", ok("Content-Length: 12, 12"), PAGE),
    ("empty by length", ok("Content-Length: 0"), b""),
    ("in chunks", ok(TE, body=chunked(PAGE[:5], PAGE[5:])), PAGE),
    ("in single bytes", ok(TE, body=chunked(*(bytes([byte]) for byte in PAGE))), PAGE),
    ("coding in capitals", ok("TRANSFER-ENCODING:  Chunked ", body=chunked(PAGE)), PAGE),
    ("chunks go before a length (RFC 9112 6.3)", ok("Content-Length: 5", TE, body=chunked(PAGE)), PAGE),
    ("with extensions and trailers", ok(TE, body=b'c;a="b"\r\n' + PAGE + b"\r\n0;x\r\nX-Sum: 1\r\n\r\n"), PAGE),
    ("lines that end in LF only", b"HTTP/1.1 200 OK\nContent-Length: 12\n\n" + PAGE, PAGE),
    ("no reason", b"HTTP/1.1 200\r\n\r\n" + PAGE, PAGE),
    ("no fields", b"HTTP/1.1 200 OK\n\n" + PAGE, PAGE),
    ("a field of blanks", ok("A: " + " " * 60_000), PAGE),
    ("control characters in the body", ok(body=b"\0\r\v" + PAGE), b"\0\r\v" + PAGE),
    ("after a 100", b"HTTP/1.1 100 Continue\r\n\r\n" + ok(), PAGE),
    ("after as many early hints as may be", EARLY_HINTS * MAX_INTERIM + ok(), PAGE),
    ("HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\n" + PAGE, PAGE),
]

BAD = [
    ("nothing", b""),
    ("no status line", PAGE),
    ("empty lines", b"\r\n" * 20),
    ("another protocol", b"SSH-2.0-OpenSSH_9.6\r\n"),
    ("ICY", b"ICY 200 OK\r\n\r\n"),
    ("version 2", b"HTTP/2 200 OK\r\n\r\n"),
    ("version 9.9", b"HTTP/9.9 200 OK\r\n\r\n"),
    ("version 9.9 after early hints", EARLY_HINTS + b"HTTP/9.9 200 OK\r\n\r\n"),
    ("status 000", b"HTTP/1.1 000 OK\r\n\r\n"),
    ("two digits", b"HTTP/1.1 20 OK\r\n\r\n"),
    ("four digits", b"HTTP/1.1 2000 OK\r\n\r\n"),
    ("full-width digits", "HTTP/1.1 ２００ OK\r\n\r\n".encode()),
    ("a word for a status", b"HTTP/1.1 OK\r\n\r\n"),
    ("101", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + ok()),
    ("too many interim answers", EARLY_HINTS * (MAX_INTERIM + 1) + ok()),
    ("cut in the status line", b"HTTP/1.1 200"),
    ("cut in a field", b"HTTP/1.1 200 OK\r\nContent-Type: text/ht"),
    ("cut before the empty line", b"HTTP/1.1 200 OK\r\nA: b\r\n"),
    ("cut after early hints", EARLY_HINTS),
    ("a field without a colon", ok("garbage")),
    ("a blank before the colon", ok("Content-Length : 3")),
    ("a field without a name", ok(": 3")),
    ("a fold under nothing", ok(" folded")),
    ("NUL in a value", ok("A: b\0c")),
    ("a bare CR in a value", ok("A: b\rContent-Length: 3")),
    ("short of its length", ok("Content-Length: 13")),
    ("a negative length", ok("Content-Length: -5")),
    ("a length with a sign", ok("Content-Length: +12")),
    ("a length with an underscore", ok("Content-Length: 1_2")),
    ("a length in hexadecimal", ok("Content-Length: 0xc")),
    ("a length that is a digit elsewhere", ok("Content-Length: \xb2")),
    ("no length in its field", ok("Content-Length:")),
    ("two lengths", ok("Content-Length: 5", "Content-Length: 12")),
    ("a list of lengths", ok("Content-Length: 5, 12")),
    ("an endless length", ok("Content-Length: " + "9" * 40)),
    ("a length of twenty digits", ok("Content-Length: " + "9" * 20)),
    ("an unknown transfer coding", ok("Transfer-Encoding: xchunked", body=chunked(PAGE))),
    ("no transfer coding in its field", ok("Transfer-Encoding:")),
    ("chunked not last", ok("Transfer-Encoding: chunked, identity", body=chunked(PAGE))),
    ("chunked twice", ok(TE, TE, body=chunked(PAGE))),
    ("a vertical tab", ok("Transfer-Encoding: \x0bchunked", body=chunked(PAGE))),
    ("no chunk size", ok(TE, body=b"zz\r\n" + PAGE)),
    ("an empty chunk size", ok(TE, body=b"\r\n" + PAGE)),
    ("0x in a chunk size", ok(TE, body=b"0xc\r\n" + PAGE + b"\r\n0\r\n\r\n")),
    ("a sign in a chunk size", ok(TE, body=b"+c\r\n" + PAGE + b"\r\n0\r\n\r\n")),
    ("a negative chunk size", ok(TE, body=b"-5\r\n" + PAGE + b"\r\n0\r\n\r\n")),
    ("an underscore in a chunk size", ok(TE, body=b"0_c\r\n" + PAGE + b"\r\n0\r\n\r\n")),
    ("an endless chunk size", ok(TE, body=b"0" * 60_000 + b"c\r\n" + PAGE + b"\r\n0\r\n\r\n")),
    ("a chunk size that ends in LF only", ok(TE, body=b"c\n" + PAGE + b"\r\n0\r\n\r\n")),
    ("a chunk longer than it said", ok(TE, body=b"c\r\n" + PAGE + b"XX0\r\n\r\n")),
    ("cut in a chunk", ok(TE, body=b"fff\r\n" + PAGE)),
    ("cut before the last chunk", ok(TE, body=chunked(PAGE, end=b""))),
    ("cut in the trailers", ok(TE, body=chunked(PAGE, end=b"0\r\nX: y\r\n"))),
]


@pytest.mark.parametrize(("data", "body"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
@pytest.mark.parametrize("step", [1, 7, 4096, 65_536])
def test_a_well_framed_answer_is_read_whole(data: bytes, body: bytes, step: int) -> None:
    answer = read(data, step)
    assert (answer.status, answer.body, answer.truncated) == (200, body, False)


@pytest.mark.parametrize("data", [row[1] for row in BAD], ids=[row[0] for row in BAD])
@pytest.mark.parametrize("step", [1, 65_536])
def test_an_answer_that_is_not_framed_for_certain_is_an_error(data: bytes, step: int) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        read(data, step)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_that_has_no_body_is_not_waited_for(status: str) -> None:
    assert read(f"HTTP/1.1 {status}\r\nContent-Length: 99\r\n\r\n".encode() + PAGE).body == b""


def test_fields_stay_separate_in_order_and_are_read_as_utf_8_where_they_are() -> None:
    answer = read(
        ok("Link: <a>; rel=x", "X-Pingback: \xff", "LINK: <b>", "A: one\r\n\ttwo\r\n  three", "E: \xc3\xa9", "F:")
    )
    assert answer.fields == (
        ("Link", "<a>; rel=x"),
        ("X-Pingback", "\xff"),
        ("LINK", "<b>"),
        ("A", "one two three"),
        ("E", "é"),
        ("F", ""),
    )


# --- what goes out


@pytest.mark.parametrize(
    ("body", "length"), [(None, b""), (b"", b"Content-Length: 0\r\n"), (b"x", b"Content-Length: 1\r\n")]
)
def test_a_request_is_written_as_it_was_given(body: bytes | None, length: bytes) -> None:
    wire = Wire(ok())
    talk(wire, "POST", (*HOST, ("X-a", " 1\t"), ("X-a", "é")), body)
    assert wire.sent == b"POST /p HTTP/1.1\r\nHost: a.example\r\nX-a: 1\r\nX-a: \xe9\r\n" + length + b"\r\n" + (
        body or b""
    )
    assert wire.closed


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("GET / HTTP/1.1\r\nX-Evil: 1\r\n", HOST),
        ("GET", ()),
        ("GET", (*HOST, ("X-A", "b\r\nX-Evil: 1"))),
        ("GET", (*HOST, ("X-A", "b\nc"))),
        ("GET", (*HOST, ("X-A", "b\0"))),
        ("GET", (*HOST, ("X-A: 1\r\nX-Evil", "b"))),
        ("GET", (*HOST, ("X A", "b"))),
        ("GET", (*HOST, ("X-A", "中"))),
    ],
)
def test_a_request_that_would_be_another_one_on_the_wire_is_not_sent(method: str, fields: Headers) -> None:
    wire = Wire(ok())
    with pytest.raises((h11.LocalProtocolError, UnicodeEncodeError)):
        talk(wire, method, fields)
    assert wire.sent == b""


def test_an_upgrade_that_was_asked_for_is_not_made() -> None:
    with pytest.raises(h11.RemoteProtocolError):
        talk(Wire(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + ok()), fields=(*HOST, ("Upgrade", "h2c")))


# --- how much of it


@pytest.mark.parametrize(("count", "fits"), [(MAX_FIELDS, True), (MAX_FIELDS + 1, False)])
def test_the_number_of_fields_is_bounded(count: int, fits: bool) -> None:
    data = ok(*("A: b" for _ in range(count)))
    if fits:
        assert len(read(data).fields) == count
    else:
        with pytest.raises(h11.RemoteProtocolError, match="header fields"):
            read(data)


def _padded(size: int, *, interim: bytes = b"") -> bytes:
    bare = len(interim) + len(ok("A: ", body=b""))
    return interim + ok("A: " + "x" * (size - bare))


@pytest.mark.parametrize("interim", [b"", EARLY_HINTS])
@pytest.mark.parametrize("step", [1000, 65_536])
def test_everything_before_the_body_fits_in_one_allowance(interim: bytes, step: int) -> None:
    assert read(_padded(MAX_HEAD, interim=interim), step).body == PAGE
    with pytest.raises(h11.RemoteProtocolError, match="before its body"):
        read(_padded(MAX_HEAD + 1, interim=interim), step)
    with pytest.raises(h11.RemoteProtocolError, match="before its body"):
        read(_padded(MAX_HEAD * 9, interim=interim), step)


@pytest.mark.parametrize("byte", [b"\0", b"\v", b"\f", b"\r"])
def test_h11_is_spared_the_heads_that_it_is_slow_on(byte: bytes) -> None:
    """Without this the test takes many seconds, and so would every thread of a host that was sent this."""
    for head in (b"A:" + b" " * 60_000 + byte + b"x", b"A:" + b"\r\n " * 20_000 + byte + b"x"):
        data = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n"
        for start in (b"", b"HTTP/1.1 100 Continue\r\n\r\n"):
            with pytest.raises(h11.RemoteProtocolError, match="control character"):
                read(start + data)


@pytest.mark.parametrize(("size", "count"), [(1, 65_536), (6, 100_000)])
def test_small_chunks_are_not_held_against_a_page(size: int, count: int) -> None:
    """Honest servers send a page as they make it; each chunk costs us time, so there is an end to it."""
    assert len(read(ok(TE, body=chunked(*[b"x" * size] * count))).body) == size * count


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ((b"1;" + b"e" * 100 + b"\r\nx\r\n") * 4000 + b"0\r\n\r\n", "more trimmings"),
        (b"1\r\nx\r\n" * 90_000 + b"0\r\n\r\n", "more trimmings"),
        (b"1;" + b"e" * 3 * MAX_LINE + b"\r\nx\r\n0\r\n\r\n", "too long"),
        (b"0\r\n" + b"T: u\r\n" * MAX_LINE + b"\r\n", "too long"),
    ],
    ids=["extensions", "single bytes", "one extension", "trailers"],
)
@pytest.mark.parametrize("step", [100, 65_536])
def test_the_trimmings_of_chunks_are_bounded(body: bytes, words: str, step: int) -> None:
    with pytest.raises(h11.RemoteProtocolError, match=words):
        read(ok(TE, body=body), step)


def _with_extension(size: int) -> bytes:
    """A chunked body with one line of so many bytes, its end included."""
    return b"1;" + b"e" * (size - 4) + b"\r\nx\r\n0\r\n\r\n"


def _with_trailers(size: int) -> bytes:
    return b"1\r\nx\r\n0\r\nT: " + b"u" * (size - 7) + b"\r\n\r\n"


@pytest.mark.parametrize("body", [_with_extension, _with_trailers])
def test_a_line_of_a_chunked_body_ends_within_its_limit(body: typing.Callable[[int], bytes]) -> None:
    """To its last byte, where it comes byte by byte; what comes at once is looked at together."""
    for step, length in itertools.product((1, 100, 4096, 65_536), (1, 3000, 5000)):
        before = chunked(b"y" * length, end=b"")
        assert read(ok(TE, body=before + body(MAX_LINE + 1)), step).body == b"y" * length + b"x"
        with pytest.raises(h11.RemoteProtocolError, match="too long"):
            read(ok(TE, body=before + body(2 * MAX_LINE + 1)), step)
    with pytest.raises(h11.RemoteProtocolError, match="too long"):
        read(ok(TE, body=body(MAX_LINE + 2)), 1)


@pytest.mark.parametrize("step", [1000, 65_536])
@pytest.mark.parametrize(("packed", "truncated"), [(100 + 65_536, False), (100 + 65_537, True)])
def test_packed_bytes_that_come_to_nothing_are_taken_up_to_the_slack(packed: int, truncated: bool, step: int) -> None:
    """On top of the limit, here 100: coding makes no honest page longer than it is."""
    page = gzip.compress(b"hello")
    data = ok("Content-Encoding: gzip", body=page + b"\0" * (packed - len(page)))
    with Exchange(typing.cast("socket.socket", Wire(data, step)), Progress("u", Deadline(60))) as exchange:
        exchange.request("GET", "/", HOST, None)
        assert exchange.read(100) == (b"hello", truncated)


def test_a_body_is_cut_at_the_limit_and_says_so() -> None:
    for limit, found in ((12, (PAGE, False)), (11, (PAGE[:11], True))):
        with Exchange(typing.cast("socket.socket", Wire(ok())), Progress("u", Deadline(60))) as exchange:
            exchange.request("GET", "/", HOST, None)
            assert exchange.read(limit) == found


# --- ends that nobody vouches for

CUT = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
GZIPPED = gzip.compress(PAGE * 9)


@pytest.mark.parametrize(
    ("data", "body", "truncated"),
    [
        (ok(), PAGE, True),
        (ok("Content-Length: 12"), PAGE, False),
        (ok(TE, body=chunked(PAGE)), PAGE, False),
        (ok("Content-Encoding: gzip", body=GZIPPED), PAGE * 9, True),
        (ok("Content-Encoding: gzip", body=GZIPPED[:11]), b"", True),
    ],
)
def test_where_tls_just_stops_only_the_answer_itself_can_say_that_it_is_whole(
    data: bytes, body: bytes, truncated: bool
) -> None:
    answer = talk(Wire(data, end=CUT))
    assert (answer.body, answer.truncated) == (body, truncated)


@pytest.mark.parametrize(
    "data",
    [b"", b"HTTP/1.1 200 OK\r\nA: b\r\n", ok("Content-Length: 13"), ok(TE, body=chunked(PAGE, end=b""))],
)
def test_where_tls_stops_short_of_what_was_announced_there_is_no_answer(data: bytes) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        talk(Wire(data, end=CUT))


@pytest.mark.parametrize("end", [1, 2, 15, -9, -1])
def test_a_compressed_body_that_was_cut_is_no_whole_one(end: int) -> None:
    with pytest.raises(BadCoding, match="stops short"):
        read(ok("Content-Encoding: gzip", body=GZIPPED[:end]))


# --- the one border


def _family(root: type[Exception]) -> set[type[Exception]]:
    return {root}.union(*(_family(child) for child in root.__subclasses__()))


#: exceptions that only particular arguments make
_SPECIAL: dict[type[Exception], tuple[typing.Any, ...]] = {
    UnicodeEncodeError: ("idna", "x", 0, 1, "label too long"),
    UnicodeDecodeError: ("utf-8", b"x", 0, 1, "no"),
    socket.gaierror: (socket.EAI_NONAME, "Name or service not known"),
    ssl.SSLError: (1, "handshake failure"),
}
_OTHERS = {
    BadCoding,
    OSError,
    ConnectionRefusedError,
    ConnectionResetError,
    BrokenPipeError,
    TimeoutError,
    socket.gaierror,
    ssl.SSLError,
    ssl.SSLEOFError,
    ssl.SSLCertVerificationError,
    ValueError,
    UnicodeError,
    UnicodeEncodeError,
    UnicodeDecodeError,
}


@pytest.mark.parametrize("kind", sorted(_family(h11.ProtocolError) - {h11.ProtocolError} | _OTHERS, key=repr))
def test_no_exception_of_a_library_leaks(kind: type[Exception]) -> None:
    """A new exception in h11 joins this table by itself; the root of its tree is never raised."""
    boom = kind(*_SPECIAL.get(kind, ("x",)))
    with (
        pytest.raises(Unreachable) as caught,
        translated(Progress("https://a.example/", Deadline(60), peer="a.example")),
    ):
        raise boom
    assert caught.value.__cause__ is boom
    assert caught.value.url == "https://a.example/"
    assert "a.example" in caught.value.message
    # only a name that cannot even be asked for stays wrong
    assert caught.value.temporary is not issubclass(kind, UnicodeError)
    assert not caught.value.sent
    assert isinstance(caught.value, TimedOut) is issubclass(kind, TimeoutError)


@pytest.mark.parametrize(
    ("boom", "message"),
    [
        (
            socket.gaierror(-2, "Name or service not known"),
            "the name b (::1) cannot be resolved: Name or service not known",
        ),
        (ConnectionRefusedError(111, "Connection refused"), "the connection to b (::1) failed: Connection refused"),
        (h11.RemoteProtocolError("it is empty"), "the answer of b (::1) cannot be read: it is empty"),
        (BadCoding("it is damaged"), "the answer of b (::1) cannot be read: it is damaged"),
        (h11.LocalProtocolError("no"), "the request to b (::1) cannot be written: no"),
        (TimeoutError("timed out"), "b (::1) does not answer: timed out"),
        (ssl.SSLError(1, "WRONG_VERSION"), "TLS with b (::1) failed: WRONG_VERSION"),
        (ssl.SSLCertVerificationError(1, "expired"), "the certificate of b (::1) is refused: expired"),
        (UnicodeError("label empty"), "b (::1) is no name that can be looked up"),
        (ValueError(), "the exchange with b (::1) failed: ValueError"),
        (OSError("a\n\x1b[31mlog line" + "x" * 500), "the connection to b (::1) failed: a??[31mlog line" + "x" * 185),
    ],
)
def test_the_message_names_the_peer_and_stays_on_one_line(boom: Exception, message: str) -> None:
    progress = Progress("u", Deadline(60), peer="b (::1)", sent=True)
    with pytest.raises(Unreachable) as caught, translated(progress):
        raise boom
    assert caught.value.message == message
    assert caught.value.sent


@pytest.mark.parametrize("boom", [h11.RemoteProtocolError("it is empty"), ConnectionResetError(), ValueError()])
def test_whatever_breaks_after_the_deadline_was_broken_by_it(boom: Exception) -> None:
    """The watchdog shuts the socket; what the reader then stumbles over is not the reason."""
    with (
        pytest.raises(TimedOut, match="no complete answer from the server within 0 s"),
        translated(Progress("u", Deadline(0))),
    ):
        raise boom


@pytest.mark.parametrize("data", [ok(), ok("Content-Length: 12")])
def test_an_answer_that_ends_after_the_deadline_may_have_been_cut_by_it(data: bytes) -> None:
    with (
        pytest.raises(TimeoutError),
        Exchange(typing.cast("socket.socket", Wire(data)), Progress("u", Deadline(0))) as exchange,
    ):
        exchange.request("GET", "/", HOST, None)


@pytest.mark.parametrize("error", [Blocked("u", "no"), FetchError("u", "no"), LinkbackError("no"), KeyboardInterrupt()])
def test_our_own_errors_and_interrupts_pass(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, translated(Progress("u", Deadline(60))):
        raise error
    assert caught.value is error


def test_h11_knows_no_sockets() -> None:
    """So it cannot connect, whatever becomes of its insides: only a Door opens a way out."""
    code = "import h11, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"socket", "_socket", "ssl", "http.client"} & set(done.stdout.split())


def test_the_connection_ends_with_the_exchange() -> None:
    """The deadline holds a twin of the socket, which alone would keep a flooding server connected."""
    ours, theirs = socket.socketpair()
    with theirs:
        deadline = Deadline(60)
        deadline.watch(ours)
        with Exchange(ours, Progress("u", deadline)):
            pass
        theirs.setblocking(False)
        assert theirs.recv(1) == b""
