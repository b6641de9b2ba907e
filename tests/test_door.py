"""A name is resolved once, every answer is judged, and only a judged address is dialled."""

import contextlib
import socket
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from linkback.addresses import Guard
from linkback.deadline import Deadline
from linkback.door import Door, Peer, Progress, tls_context
from linkback.errors import Blocked, ConfigurationError
from linkback.fetch import Limits

PORT = 8080


class Names:
    """A resolver with its answers written down; it notes what it was asked."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = answers
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int, **kinds: typing.Any) -> Iterator[tuple[typing.Any, ...]]:
        assert kinds == {"type": socket.SOCK_STREAM}
        self.asked.append((host, port))
        for answer in self.answers:
            if isinstance(answer, Exception):
                raise answer
            family = socket.AF_INET6 if ":" in answer else socket.AF_INET
            yield family, socket.SOCK_STREAM, 6, "", (answer, port)


class Dialled(Door):
    """Notes the addresses it would dial, and whom it would greet there; nothing goes out."""

    __slots__ = ()
    dialled: typing.ClassVar[list[str]] = []
    dead: typing.ClassVar[set[str]] = set()

    def _dial(self, address: str, peer: Peer, progress: Progress) -> socket.socket:
        self.dialled.append(address)
        if address in self.dead:
            raise ConnectionRefusedError(address)
        return socket.socket()


@pytest.fixture(autouse=True)
def nothing_dialled() -> None:
    Dialled.dialled.clear()
    Dialled.dead.clear()


def dial(names: Names, host: str, *, port: int = PORT, allow: tuple[str, ...] = ()) -> list[str]:
    door = Dialled(guard=Guard(allow), ports=frozenset({PORT}), connect=3.0, resolver=names)
    door.open(Peer(host, port, secure=False), Progress(f"http://{host}:{port}/", Deadline(20))).close()
    return Dialled.dialled


@pytest.mark.parametrize(
    ("answers", "dialled"),
    [
        (("8.8.8.8",), ["8.8.8.8"]),
        (("8.8.8.8", "8.8.8.8", "8.8.4.4"), ["8.8.8.8"]),
        (("::ffff:8.8.8.8",), ["::ffff:8.8.8.8"]),
    ],
)
def test_a_public_name_is_looked_up_once_and_its_address_dialled(answers: tuple[str, ...], dialled: list[str]) -> None:
    names = Names(*answers)
    assert dial(names, "public.test") == dialled
    assert names.asked == [("public.test", PORT)]


@pytest.mark.parametrize(
    "answers",
    [
        ("10.1.2.3",),
        ("8.8.8.8", "127.0.0.1"),
        ("8.8.8.8", "::1"),
        (*(f"8.8.{high}.{low}" for high in range(4) for low in range(250)), "192.168.0.1"),
        ("::ffff:10.1.2.3",),
        ("64:ff9b::a01:203",),
        ("169.254.169.254",),
        ("fe80::1%lo",),
        ("2606:4700::1%lo",),
        ("/run/socket",),
    ],
)
def test_one_bad_answer_refuses_the_whole_name(answers: tuple[str, ...]) -> None:
    with pytest.raises(Blocked, match=r"bad\.test: .* is not a"):
        dial(Names(*answers), "bad.test")
    assert Dialled.dialled == []


def test_a_refusal_names_the_address_and_how_to_open_it() -> None:
    message = '10.1.2.3 is not a public address (open it with Fetcher(allow=["10.1.2.3/32"]))'
    with pytest.raises(Blocked) as caught:
        dial(Names("10.1.2.3"), "wiki.test")
    assert (caught.value.message, caught.value.address) == (f"wiki.test: {message}", "10.1.2.3")
    with pytest.raises(Blocked) as caught:
        dial(Names(), "10.1.2.3")
    assert (caught.value.message, caught.value.address) == (message, "10.1.2.3")
    with pytest.raises(Blocked) as caught:
        dial(Names(), "8.8.8.8", port=81)
    assert caught.value.address == "", "it is the port that is closed"


@pytest.mark.parametrize(("host", "dialled"), [("8.8.8.8", "8.8.8.8"), ("[2606:4700::1]", "2606:4700::1")])
def test_an_address_is_not_looked_up(host: str, dialled: str) -> None:
    names = Names(AssertionError("nobody should ask"))
    assert dial(names, host) == [dialled]
    assert names.asked == []


@pytest.mark.parametrize(
    ("answers", "dead", "dialled"),
    [
        (("8.8.8.8", "8.8.4.4"), {"8.8.8.8"}, ["8.8.8.8", "8.8.4.4"]),
        (("2600::1", "2600::2", "8.8.8.8"), {"2600::1"}, ["2600::1", "8.8.8.8"]),
        (("8.8.8.8", "1.1.1.1", "2600::1"), {"8.8.8.8"}, ["8.8.8.8", "2600::1"]),
    ],
)
def test_a_second_address_is_tried_of_the_other_family_where_there_is_one(
    answers: tuple[str, ...], dead: set[str], dialled: list[str]
) -> None:
    Dialled.dead.update(dead)
    assert dial(Names(*answers), "two.test") == dialled


def test_no_more_than_two_addresses_are_tried() -> None:
    answers = [f"8.8.8.{last}" for last in range(1, 200)]
    Dialled.dead.update(answers)
    with pytest.raises(ConnectionRefusedError, match=r"8\.8\.8\.2"):
        dial(Names(*answers), "thousand.test")
    assert Dialled.dialled == answers[:2]


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long"), OSError("servfail")])
def test_a_failing_resolver_is_heard(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        dial(Names(error), "fails.test")
    assert caught.value is error


def test_a_name_without_addresses_cannot_be_resolved() -> None:
    with pytest.raises(socket.gaierror, match="no address"):
        dial(Names(), "empty.test")


@pytest.mark.parametrize(
    ("host", "port", "allow", "lookups"),
    [
        ("a.test", 22, (), 0),
        ("8.8.8.8", 6379, (), 0),
        ("a.test", 0, ("10.0.0.0/8",), 0),
        ("a.test", 22, ("127.0.0.0/8",), 1),
        ("8.8.8.8", 22, ("10.0.0.0/8",), 0),
    ],
)
def test_a_port_that_is_not_listed_is_refused_before_any_look_up_that_could_not_change_it(
    host: str, port: int, allow: tuple[str, ...], lookups: int
) -> None:
    names = Names("10.0.0.1") if not allow else Names("8.8.8.8")
    with pytest.raises(Blocked, match=f"port {port} of .* is none that linkback talks to"):
        dial(names, host, port=port, allow=allow)
    assert Dialled.dialled == []
    assert len(names.asked) == lookups


@pytest.mark.parametrize(
    ("port", "opened"),
    [
        *((79, False), (80, True), (81, False)),
        *((442, False), (443, True), (444, False)),
        *((8079, False), (8080, True), (8081, False)),
        *((8442, False), (8443, True), (8444, False)),
    ],
)
def test_by_default_four_ports_are_open_and_none_beside_them(port: int, opened: bool) -> None:
    door = Dialled(guard=Guard(), ports=Limits().ports, connect=3.0, resolver=Names("8.8.8.8"))
    progress = Progress(f"http://a.test:{port}/", Deadline(20))
    with contextlib.nullcontext() if opened else pytest.raises(Blocked, match=f"port {port} of a.test"):
        door.open(Peer("a.test", port, secure=False), progress).close()
    assert Dialled.dialled == (["8.8.8.8"] if opened else [])


def test_in_a_network_opened_by_name_any_port_goes() -> None:
    assert dial(Names("10.0.0.1"), "a.test", port=5000, allow=("10.0.0.0/8",)) == ["10.0.0.1"]


def test_a_name_with_an_opened_and_a_public_address_keeps_the_port_rule() -> None:
    """Else an attacker's name could lead to any port of a public host."""
    with pytest.raises(Blocked, match=r"port 22 of 8\.8\.8\.8"):
        dial(Names("10.0.0.1", "8.8.8.8"), "a.test", port=22, allow=("10.0.0.0/8",))


def test_a_connection_that_comes_after_the_deadline_is_not_made() -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        port = canary.getsockname()[1]
        door = Door(guard=Guard(["127.0.0.0/8"]), ports=frozenset(), connect=3.0)
        with Deadline(0) as deadline, pytest.raises(TimeoutError):
            door.open(Peer("127.0.0.1", port, secure=False), Progress("u", deadline))
        with pytest.raises(BlockingIOError):
            canary.accept()


class Opened(Dialled):
    """Keeps the sockets that it opened."""

    __slots__ = ()
    opened: typing.ClassVar[list[socket.socket]] = []

    def _dial(self, address: str, peer: Peer, progress: Progress) -> socket.socket:
        self.opened.append(super()._dial(address, peer, progress))
        return self.opened[-1]


def test_a_connection_that_tls_cannot_be_set_up_on_is_closed() -> None:
    door = Opened(
        guard=Guard(), ports=frozenset({443}), connect=3.0, resolver=Names("8.8.8.8"), ca_file="/it/is/no/longer/there"
    )
    with pytest.raises(ConfigurationError, match="no/longer"):
        door.open(Peer("a.test", 443, secure=True), Progress("https://a.test/", Deadline(20)))
    assert [sock.fileno() for sock in Opened.opened] == [-1]


@pytest.mark.parametrize("content", [None, "no certificates"])
def test_a_file_without_certificates_is_named(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"ca\.pem"):
        tls_context(str(path))
