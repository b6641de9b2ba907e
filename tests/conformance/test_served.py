"""The discovery vectors hold as served over real HTTP, in each manner in which servers answer.

Rule: the tables of the other modules are what is served; their `t.example` is a name of its own for each test, so that
a page is at its own host and path, and no other host that they name can be reached.
"""

from __future__ import annotations

import contextlib
import http.client
import secrets
import socket
import tomllib
import typing
import urllib.parse
import xmlrpc.client
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from linkback import Fetcher, Outcome, Site, discover, send
from linkback.errors import BadStatus
from linkback.jobs import External
from linkback.model import Endpoint, Endpoints, Via
from linkback.protocols import BUILTIN, Pingback, Protocol, TrackBack
from linkback.sender import discover as discover_by
from tests import test_discovery
from tests.conformance import rawserver, test_network, test_options
from tests.conformance.rawserver import Answer, Web, answer, by_method, once, page, redirect
from tests.conformance.report import VECTORS, ids_in
from tests.serving import LOOPBACK
from tests.test_discovery import Served, T

#: a vector: the protocol it is about, the page, the endpoint, and the protocols that are looked for
Case = tuple[str, Served, str | None, Sequence[Protocol]]

STRICT = (Pingback(strict_discovery=True),)
GUESSING = (TrackBack(guess_wordpress=True),)
#: what must not count wherever it stands
BAD = b'Link: </bad>; rel="webmention pingback trackback"\r\nX-Pingback: /bad\r\nContent-Type: text/html\r\n'
BAD_BODY = b'<link rel="webmention pingback trackback" href="/bad"><rdf:Description trackback:ping="/bad"/>'
#: status and Location of a chain as long as is followed; the sixth place is the page
CHAIN = (
    (301, "two?a=1"),
    (302, "/elsewhere/three"),
    (303, "http://other.{host}/four"),
    (307, "//last.{host}/deep/five"),
    (308, "{page}"),
)

#: vectors that are about something else than how a page is served
UNSERVED = {
    "VA-55": "HEAD first is not offered (protocols.md A-3)",
    "VA-56": "HEAD first is not offered (protocols.md A-3)",
    "VA-104": "what a cache of discoveries holds is seen over time (protocols.md A-12)",
    "VA-105": "what a cache of discoveries holds is seen over time (protocols.md A-12)",
}


def rows(test: Callable[..., None]) -> list[typing.Any]:
    """The table by which a test of another module is parametrized."""
    [mark] = vars(test)["pytestmark"]
    return list(mark.args[1])


def tables() -> Iterator[tuple[str, Case]]:
    for protocol, table in (
        ("webmention", test_discovery.WEBMENTION),
        ("pingback", test_discovery.PINGBACK),
        ("trackback", test_discovery.TRACKBACK),
    ):
        for id, (served, url) in table.items():
            yield id, (protocol, served, url, BUILTIN)
    for row in rows(test_options.test_strict_discovery_finds_the_one_form_that_the_spec_allows):
        yield f"strict {row.id}", ("pingback", Served(row.values[0]), row.values[1], STRICT)
    for row in rows(test_options.test_a_wordpress_ping_url_is_guessed_where_that_is_asked_for):
        yield f"guessed {row.id}", ("trackback", Served(row.values[0]), row.values[1], GUESSING)
    for row in rows(test_options.test_nothing_is_guessed_unasked):
        yield f"not guessed {row.id}", ("trackback", Served(row.values[0]), None, BUILTIN)


VECTORS_SERVED = dict(tables())
CASES = [pytest.param(case, id=id) for id, case in VECTORS_SERVED.items()]
#: those whose endpoint stands on our server, so that a ping can get there
SENT = [
    pytest.param(case, id=id)
    for id, case in VECTORS_SERVED.items()
    if case[3] is BUILTIN and (case[2] or "").startswith("https://t.example/")
]
ERRORS = rows(test_discovery.test_an_error_page_advertises_nothing)


def loopback(host: str, port: int, **kinds: int) -> list[tuple[typing.Any, ...]]:
    """Resolves the names of our server, and nobody else's."""
    if not host.endswith(".t.example"):
        raise socket.gaierror(socket.EAI_NONAME, host)
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


FETCH = Fetcher(allow=LOOPBACK, resolver=loopback)


@pytest.fixture(scope="module")
def server() -> Iterator[Web]:
    with rawserver.web({}) as found:
        yield found


@dataclass(frozen=True)
class Place:
    """Where `t.example` is for one test: a name that was never used before, on the one server."""

    web: Web
    name: str

    @property
    def host(self) -> str:
        return f"{self.name}:{self.web.port}"

    def text(self, text: str) -> str:
        """A text of the tables as it reads here.

        Here http is what https is there, so the two change places where a page is only named; the one page of the
        tables that is linked to by http, and moved to https, moves from another name instead.
        """
        text = text.replace("https://t.example", f"http://{self.host}")
        text = text.replace("http://www.t.example", f"https://www.{self.host}")
        return text.replace("http://t.example", f"http://before.{self.host}")

    def raw(self, served: Served, status: int = 200) -> bytes:
        """The page as it goes over the wire."""
        typed = (("Content-Type", served.content_type),) if served.content_type is not None else ()
        fields = "".join(f"{name}: {self.text(value)}\r\n" for name, value in (*typed, *served.headers))
        if isinstance(served.body, bytes):
            return answer(status, fields.encode("latin-1"), served.body)
        return answer(status, fields.encode("latin-1"), self.text(served.body).encode())

    def put(self, url: str, given: Answer) -> None:
        """Answer at a URL of our server."""
        self.web.answers[key(url)] = given

    def methods(self, url: str) -> list[str]:
        """The methods by which a URL was asked for."""
        return [method for method, place in self.web.asked() if place == key(url)]


def key(url: str) -> str:
    """A URL as `Web.answers` knows it."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.hostname}{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"


@pytest.fixture
def place(server: Web) -> Place:
    server.answers.clear()
    server.seen.clear()
    return Place(server, f"{secrets.token_hex(8)}.t.example")


#: puts a page at a URL, so that it is reached from the target; gives the URL to begin at
Manner = Callable[[Place, str, str, Answer], str]


def plain(place: Place, url: str, target: str, given: Answer) -> str:
    place.put(url, given)
    if key(target) != key(url):
        place.put(target, redirect(url, headers=BAD, body=BAD_BODY))
    return target


def heading(head: bytes) -> Manner:
    """A server that answers HEAD in a way of its own."""

    def put(place: Place, url: str, target: str, given: Answer) -> str:
        return plain(place, url, target, by_method(GET=given, HEAD=head))

    return put


def redirected(place: Place, url: str, target: str, given: Answer) -> str:
    """Behind as many redirects as are followed, over several hosts, each of which advertises a wrong endpoint."""
    place.put(url, given)
    begin = at = f"http://first.{place.host}/way/one"
    for status, location in CHAIN:
        location = location.format(host=place.host, page=url)
        place.put(at, redirect(location, status, BAD, BAD_BODY))
        at = urllib.parse.urljoin(at, location)
    return f"{begin}#{fragment}" if (fragment := urllib.parse.urlsplit(target).fragment) else begin


def one_time(place: Place, url: str, target: str, given: Answer) -> str:
    return plain(place, url, target, once(given, then=answer(410, BAD, BAD_BODY)))


MANNERS = [
    pytest.param(plain, id="plain"),
    pytest.param(heading(answer(405)), id="no HEAD"),
    pytest.param(heading(answer(404)), id="HEAD finds nothing"),
    pytest.param(heading(answer(200, BAD)), id="HEAD misleads"),
    pytest.param(redirected, id="redirected"),
    pytest.param(one_time, id="one-time"),
]


def look(url: str, protocols: Sequence[Protocol]) -> Endpoints:
    return discover(url, fetch=FETCH) if protocols is BUILTIN else discover_by(FETCH, url, protocols)


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("case", CASES)
def test_an_endpoint_is_found_as_served(place: Place, case: Case, manner: Manner) -> None:
    """By one GET of the page, and by no other method anywhere."""
    protocol, served, expected, protocols = case
    url = place.text(served.url)
    begin = manner(place, url, place.text(served.target), place.raw(served))
    found = look(begin, protocols)
    endpoint = found.found.get(protocol)
    assert (endpoint.url if endpoint else None) == (place.text(expected) if expected else None)
    assert (found.url, found.final_url) == (begin, url)
    assert place.methods(url) == ["GET"]
    assert {method for method, _ in place.web.asked()} == {"GET"}


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize(("status", "temporary"), ERRORS)
def test_an_error_page_as_served_advertises_nothing(place: Place, status: int, temporary: bool, manner: Manner) -> None:
    url = place.text(T)
    begin = manner(place, url, url, answer(status, BAD, BAD_BODY))
    with pytest.raises(BadStatus) as failed:
        discover(begin, fetch=FETCH)
    assert (failed.value.status, failed.value.temporary) == (status, temporary)
    assert place.methods(url) == ["GET"]


ACCEPTED = {
    "webmention": answer(200),
    "pingback": page(xmlrpc.client.dumps(("thank you",), methodresponse=True).encode()),
    "trackback": page(b"<?xml version='1.0'?><response><error>0</error></response>"),
}


def told(protocol: str, body: bytes) -> list[str]:
    """The URLs that a ping names: source and target, or the source alone where the endpoint is the target's own."""
    if protocol == "pingback":
        arguments, method = xmlrpc.client.loads(body)
        assert method == "pingback.ping"
        return [str(argument) for argument in arguments]
    fields = urllib.parse.parse_qs(body.decode(), strict_parsing=True)
    names = ("source", "target") if protocol == "webmention" else ("url",)
    return [value for name in names for value in fields[name]]


@pytest.mark.parametrize("case", SENT)
def test_a_one_time_endpoint_of_a_one_time_page_gets_one_ping(place: Place, case: Case) -> None:
    protocol, served, expected, _ = case
    url, target, endpoint = place.text(served.url), place.text(served.target), place.text(expected or "")
    source = f"http://source.{place.host}/note"
    place.put(source, page(f'<title>Note</title><a href="{target}">x</a>'.encode()))
    gone = answer(410, BAD, BAD_BODY)
    answers = {"POST": once(ACCEPTED[protocol], then=gone)}
    place.put(endpoint, by_method(**answers))
    # an endpoint may be the page itself
    both = answers if key(endpoint) == key(url) else {}
    begin = plain(place, url, target, by_method(GET=once(place.raw(served), then=gone), **both))

    delivery = send(source, begin, fetch=FETCH)

    assert (delivery.outcome, delivery.protocol, delivery.endpoint) == (Outcome.SENT, protocol, endpoint)
    assert [at for method, at in place.web.asked() if method != "GET"] == [key(endpoint)]
    assert place.methods(url).count("GET") == 1
    [ping] = (request for request in place.web.seen if request.startswith(b"POST "))
    assert told(protocol, ping.partition(b"\r\n\r\n")[2]) == [source, target][: 1 if protocol == "trackback" else 2]


def test_an_endpoint_on_a_network_of_ours_is_found_and_gets_no_ping(place: Place) -> None:
    """VA-44: blocked, and the next endpoint of the page is not tried in its stead."""
    _, served, expected, _ = VECTORS_SERVED["VA-44"]
    # where the vector points is the address of our server, which has to be open: its neighbour is not
    place.put(place.text(T), place.raw(served).replace(b"127.0.0.1", b"127.0.0.3"))
    fetch = Fetcher(allow=["127.0.0.1"], resolver=loopback)
    delivery = send(f"http://source.{place.host}/note", place.text(T), fetch=fetch)
    assert delivery.endpoint == (expected or "").replace("127.0.0.1", "127.0.0.3")
    assert delivery.outcome is Outcome.REFUSED
    assert "127.0.0.3" in delivery.detail
    assert place.web.asked() == [("GET", key(place.text(T)))]


def test_a_page_is_read_as_far_as_the_limit_goes(place: Place) -> None:
    """VA-62: what stands behind it is not found, and the result says why."""
    link, url = b"<a rel=webmention href=/wm>", place.text(T)
    for before, expected in ((b"x" * 1_572_864, None), (b"x" * 524_288, place.text(test_discovery.WM))):
        place.put(url, page((before + link).ljust(2_097_152)))
        found = discover(url, fetch=FETCH)
        assert found.truncated
        assert (found.webmention.url if found.webmention else None) == expected


def test_what_we_advertise_is_found_as_served(place: Place) -> None:
    """VA-101, VA-102: also where the title ends the comment that holds it, and by the strictest readers."""
    url = place.text(T)
    with Site(f"http://{place.host}", store="sqlite://", runner=External()) as site:
        head = site.head(url, title='a--b "c" <d>')
    assert "--" not in head.partition("<!--")[2].partition("-->")[0]
    place.put(url, page(f"<html><head>{head}</head><p>x</p></html>".encode()))
    base = f"http://{place.host}/linkback"
    query = urllib.parse.urlencode({"target": url})
    assert discover(url, fetch=FETCH).found == {
        "webmention": Endpoint(f"{base}/webmention", Via.LINK),
        "pingback": Endpoint(f"{base}/pingback", Via.LINK),
        "trackback": Endpoint(f"{base}/trackback?{query}", Via.RDF),
    }
    assert discover_by(FETCH, url, STRICT).found == {"pingback": Endpoint(f"{base}/pingback", Via.LINK)}


def test_the_traps_are_set(place: Place) -> None:
    """Another client, which asks by HEAD first and looks twice, falls into them: so they can be fallen into."""
    url = place.text(T)
    heading(answer(200, BAD))(place, url, url, once(page(), then=answer(410)))

    def ask(method: str) -> tuple[int, str | None]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", place.web.port)) as connection:
            connection.request(method, "/post", headers={"Host": place.host})
            response = connection.getresponse()
            return response.status, response.getheader("X-Pingback")

    assert [ask("HEAD"), ask("GET"), ask("GET")] == [(200, "/bad"), (200, None), (410, None)]


#: tests that each show one of the vectors over a socket, besides the tables
BY_NAME = (
    test_network.test_a_fragment_is_not_sent,
    test_network.test_what_cannot_be_fetched_costs_no_request,
    test_network.test_the_sixth_redirect_is_an_error_and_not_a_page_without_endpoint,
    test_network.test_a_loop_of_redirects_ends,
    test_network.test_a_redirect_leads_to_no_place_we_do_not_talk_to,
    test_network.test_endpoints_are_relative_to_the_page_that_a_redirect_led_to,
    test_network.test_a_discovery_says_what_it_is_and_what_it_reads,
    test_a_page_is_read_as_far_as_the_limit_goes,
    test_what_we_advertise_is_found_as_served,
)


def test_every_discovery_vector_is_served_or_said_not_to_be() -> None:
    vectors = {id for id in tomllib.loads(VECTORS.read_text()) if id.startswith("VA-")}
    ids = [*VECTORS_SERVED, *(str(getattr(row, "id", "")) for row in ERRORS), *(str(test.__doc__) for test in BY_NAME)]
    served = {id for id in ids_in(" ".join(ids)) if id.startswith("VA-")}
    assert served.isdisjoint(UNSERVED)
    assert served | UNSERVED.keys() == vectors
