"""URLs that spell an address otherwise, and name servers that lie (security.md A7 to A9, A11 to A13, A17, R9)."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linkback.door import Door, Peer, Progress
from linkback.errors import Blocked, LinkbackError, Refused, TimedOut, TooManyRedirects, Unreachable
from linkback.fetch import Fetcher, Limits
from linkback.model import Claim, Endpoint, Endpoints, Outcome, Via
from linkback.sender import deliver
from linkback.verbs import discover, send, verify
from linkback.wire import Request

TABLES = tomllib.loads(Path(__file__).with_name("names.toml").read_text("utf-8"))
ADDRESSES: dict[str, str] = TABLES["addresses"]
#: labels of one letter, as many as a name can have and more
LONG = f"http://{'a.' * 130}com/"
HERE, THERE = "https://here.example/post", "https://there.example/post"
SHORT = Limits(seconds=0.3, send_seconds=0.3)

Way = Callable[[Fetcher, str], object]


def _endpoint(fetcher: Fetcher, url: str) -> Outcome:
    endpoints = Endpoints(THERE, THERE, {"webmention": Endpoint(url, Via.LINK)})
    return deliver(fetcher, Claim("", HERE, THERE), find=lambda target: endpoints).outcome


#: each way in which a URL of a stranger comes to be asked
WAYS: dict[str, Way] = {
    "get": lambda fetcher, url: fetcher.get(url),
    "send": lambda fetcher, url: fetcher.send(Request("POST", url, (), b"a=b")),
    "verify": lambda fetcher, url: verify(url, THERE, fetch=fetcher),
    "discover": lambda fetcher, url: discover(url, fetch=fetcher),
    "tell": lambda fetcher, url: send(HERE, url, fetch=fetcher).outcome,
    "endpoint": _endpoint,
}
NOWHERE = {Outcome.REFUSED, Outcome.FAILED, Outcome.NO_ENDPOINT}


class Names:
    """A resolver that knows what it was told, and keeps what it was asked."""

    def __init__(self, answer: Callable[[str], Iterable[str]]) -> None:
        self.asked: list[str] = []
        self._answer = answer

    def __call__(self, host: str, port: int, **kinds: int) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        families = ((socket.AF_INET6 if ":" in address else socket.AF_INET, address) for address in self._answer(host))
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in families]


def _known(host: str) -> Iterable[str]:
    if host not in ADDRESSES:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return [ADDRESSES[host]]


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Where sockets were to be connected to; none is."""
    addresses: list[object] = []

    def connect(self: socket.socket, address: object) -> None:
        addresses.append(address)
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", connect)
    return addresses


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("url", [*TABLES["urls"]["refused"], LONG])
def test_no_spelling_of_a_closed_place_is_connected_to(url: str, way: str, connected: list[object]) -> None:
    names = Names(_known)
    try:
        found = WAYS[way](Fetcher(resolver=names), url)
    except (Refused, Blocked):
        found = Outcome.REFUSED
    except Unreachable:
        assert names.asked, "only a name that means nothing is unreachable"
        found = Outcome.FAILED
    assert found in NOWHERE
    assert connected == []
    assert len(names.asked) <= 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("url", "host"), TABLES["urls"]["public"])
def test_an_odd_url_leads_where_it_leads_in_a_browser(url: str, host: str, way: str, connected: list[object]) -> None:
    names = Names(_known)
    with contextlib.suppress(Unreachable):
        assert WAYS[way](Fetcher(resolver=names), url) in NOWHERE
    assert names.asked == [host]
    assert connected == [(ADDRESSES[host], 80)]


THOUSAND = [f"8.8.{high}.{low}" for high in range(4) for low in range(1, 251)]
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Servers:
    """Who answers whom the door dials: everybody but the thousand, with a page or a redirect."""

    def __init__(self, location: str) -> None:
        self.dialled: list[str] = []
        self._open: list[socket.socket] = []
        self._answer = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode() if location else PAGE

    def dial(self, door: Door, address: str, peer: Peer, progress: Progress) -> socket.socket:
        """Stands in for `Door._dial`."""
        self.dialled.append(address)
        if address in THOUSAND:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        ours, theirs = socket.socketpair()
        self._open += [ours, theirs]
        theirs.sendall(self._answer)
        progress.deadline.watch(ours)
        return ours

    def close(self) -> None:
        """Hang up."""
        for each in self._open:
            each.close()


@pytest.fixture
def free() -> Iterator[threading.Event]:
    """Set when a name server that hangs may answer."""
    free = threading.Event()
    yield free
    free.set()


def _liar(answers: list[Any], free: threading.Event) -> Names:
    """Gives one answer after the other, the last one for ever."""
    left = list(answers)

    def answer(host: str) -> Iterable[str]:
        given = left.pop(0) if len(left) > 1 else left[0]
        match given:
            case "NXDOMAIN":
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            case "SERVFAIL":
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            case "HANGS":
                free.wait()
                return []
            case "THOUSAND":
                return THOUSAND
            case _:
                return [str(address) for address in given]

    return Names(answer)


def _comes(look: Callable[[], object]) -> str:
    try:
        look()
    except Blocked:
        return "blocked"
    except TimedOut:
        return "late"
    except TooManyRedirects:
        return "lost"
    except Unreachable as error:
        return "later" if error.temporary else "never"
    except LinkbackError:
        return "page"
    return "page"


@pytest.mark.parametrize("way", ["get", "verify", "discover", "send"])
@pytest.mark.parametrize("case", TABLES["dns"], ids=lambda case: case["name"])
def test_a_name_is_judged_by_all_its_addresses_at_each_look_up(
    case: dict[str, Any], way: str, free: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, servers = _liar(case["answers"], free), Servers(case.get("location", ""))
    monkeypatch.setattr(Door, "_dial", lambda *given: servers.dial(*given))
    fetcher = Fetcher(limits=SHORT if case["comes"] == "late" else Limits(), resolver=names)
    try:
        assert _comes(lambda: WAYS[way](fetcher, f"http://{case['name']}/")) == case["comes"]
    finally:
        servers.close()
    assert servers.dialled == case.get("dialled", [])
    assert len(names.asked) == case.get("asked", 1)
