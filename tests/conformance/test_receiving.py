"""What a receiver may offer beyond the plain endpoints: lists, one endpoint for all, and an answer after the check."""

from __future__ import annotations

import json
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linkback.errors import Blocked, ConfigurationError, Reason, Refused, StoreError, TimedOut
from linkback.jobs import Embedded, External
from linkback.model import Backlink, Claim, ClaimState, Status
from linkback.policy import Policy, Retry
from linkback.protocols import Pingback, TrackBack, Webmention
from linkback.site import Site
from linkback.store import MOST_OPEN_CLAIMS, open_store
from linkback.testing import Answering, FakeClock, FakeWeb, unreachable
from linkback.urls import pair_key
from linkback.web.app import App
from linkback.wire import Request, Response
from linkback.xmltext import parse

S, T = "https://s.example/note", "https://t.example/post"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
XML = ("Content-Type", "text/xml")
WEBMENTION = b"source=https%3A%2F%2Fs.example%2Fnote&target=https%3A%2F%2Ft.example%2Fpost"
TRACKBACK = b"title=Note&url=https%3A%2F%2Fs.example%2Fnote"
PINGBACK = xmlrpc.client.dumps((S, T), "pingback.ping").encode()
AT_T = "?target=https%3A%2F%2Ft.example%2Fpost"
GET_PINGBACKS = "pingback.extensions.getPingbacks"
LINKING = f"<title>A & B</title><p>I like <a href='{T}'>this</a> much.</p>"
SPOKEN = (Webmention(), Pingback(), TrackBack(rss=True))


def resolve(url: str) -> str | None:
    if url == "https://t.example/gone":
        raise Refused(Reason.TARGET_GONE)
    if url == "https://t.example/closed":
        raise Refused(Reason.TARGET_CLOSED)
    return url if url == T else None


class Wary(Policy):
    """A policy that takes everything for spam."""

    def status(self, backlink: Backlink) -> Status:
        return Status.SPAM


Make = Callable[..., Site]


@pytest.fixture
def web() -> FakeWeb:
    return FakeWeb({S: LINKING})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make(web: FakeWeb, clock: FakeClock) -> Iterator[Make]:
    made: list[Site] = []

    def make(**settings: Any) -> Site:
        defaults: dict[str, Any] = {
            "store": "sqlite://",
            "runner": External(),
            "policy": Policy(settle_seconds=0, host_seconds=0),
            "retry": Retry(delays=(60.0,), jitter=0.0),
            "resolve": resolve,
        }
        made.append(Site("https://t.example", fetch=web, clock=clock, **(defaults | settings)))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture
def site(make: Make) -> Site:
    return make(protocols=SPOKEN)


@pytest.fixture
def inline(make: Make) -> Site:
    return make(verify="inline")


def ask(site: Site, method: str, path: str, body: bytes = b"", header: tuple[str, str] = FORM) -> Response:
    request = Request(method, f"https://t.example{path}", (header,), body)
    return App(site).handle(request, path.partition("?")[0])


def ping(site: Site, body: bytes = PINGBACK) -> Response:
    return ask(site, "POST", "/pingback", body, XML)


def call(method: str, *arguments: Any) -> bytes:
    return xmlrpc.client.dumps(arguments, method).encode()


def result(response: Response) -> Any:
    return xmlrpc.client.loads(response.body)[0][0]


def fault(response: Response) -> int:
    with pytest.raises(xmlrpc.client.Fault) as caught:
        xmlrpc.client.loads(response.body)
    return caught.value.faultCode


def mentioned(site: Site, web: FakeWeb, clock: FakeClock, *paths: str) -> list[str]:
    """Pages that mention T, checked one after the other; their URLs."""
    sources = [f"https://s.example/{path}" for path in paths]
    for source in sources:
        web.pages[source] = LINKING
        clock.advance(1)
        site.receive(Claim("webmention", source, T))
        site.drain()
    return sources


# lists


def test_a_page_without_mentions_has_an_empty_list(site: Site) -> None:
    """VC-39, F-12: none is no fault."""
    assert result(ping(site, call(GET_PINGBACKS, T))) == []


def test_the_pages_that_mention_one_of_ours_are_told_where_they_are_shown(
    site: Site, web: FakeWeb, clock: FakeClock
) -> None:
    """VC-39, F-12: two that are approved, one that is not, which WordPress would list too."""
    *shown, hidden = mentioned(site, web, clock, "1?a=1&b=2", "2", "3")
    [held] = [mention for mention in site.mentions(T) if mention.source == hidden]
    site.moderate(held.id, Status.REJECTED)
    assert result(ping(site, call(GET_PINGBACKS, f" {T}#part "))) == shown


def test_a_page_that_takes_no_more_mentions_shows_those_it_has(make: Make, web: FakeWeb, clock: FakeClock) -> None:
    closed: set[str] = set()

    def closing(url: str) -> str:
        if url in closed:
            raise Refused(Reason.TARGET_CLOSED)
        return url

    site = make(resolve=closing)
    shown = mentioned(site, web, clock, "1")
    closed.add(T)
    assert result(ping(site, call(GET_PINGBACKS, T))) == shown


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(("https://t.example/nothing",), 33, id="unknown"),
        pytest.param(("https://foreign.example/",), 33, id="foreign"),
        pytest.param(("nonsense",), 33, id="no URL"),
        pytest.param(("https://t.example/gone",), 32, id="gone"),
        pytest.param((), -32602, id="no argument"),
        pytest.param((5,), -32602, id="no string"),
    ],
)
def test_a_list_of_no_page_of_ours_is_a_fault(site: Site, arguments: tuple[Any, ...], code: int) -> None:
    """protocols.md C-34."""
    assert fault(ping(site, call(GET_PINGBACKS, *arguments))) == code


def test_the_methods_are_listed(site: Site) -> None:
    """protocols.md C-34; VC-14."""
    listed = result(ping(site, call("system.listMethods")))
    assert listed == ["pingback.ping", GET_PINGBACKS, "system.listMethods"]


@pytest.mark.parametrize(
    "method",
    ["system.multicall", "system.getCapabilities", "pingback.extensions.getpingbacks", "PINGBACK.PING"],
)
def test_no_other_method_is_offered(site: Site, method: str) -> None:
    """F-13, C-35: WordPress answers the first two."""
    assert fault(ping(site, call(method, T))) == -32601


def test_the_trackbacks_of_a_page_are_listed_where_the_host_wants_it(
    site: Site, web: FakeWeb, clock: FakeClock
) -> None:
    """VC-46: newest first, and only what is shown."""
    first, second, hidden = mentioned(site, web, clock, "1?a=1&b=2", "2", "3")
    [held] = [mention for mention in site.mentions(T) if mention.source == hidden]
    site.moderate(held.id, Status.SPAM)
    response = ask(site, "GET", f"/trackback{AT_T}&__mode=rss")
    assert (response.status, response.header("Content-Type")) == (200, "text/xml; charset=utf-8")
    root = parse(response.body.decode())
    assert [(child.name, child.text.strip()) for child in root.children] == [("error", "0"), ("rss", "")]
    [channel] = root.children[1].children
    names = [child.name for child in channel.children]
    assert names == ["title", "link", "description", "language", "item", "item"]
    assert [child.text for child in channel.children[:2]] == ["t.example/post", T]
    links = [link.text for item in channel.find_all("item") for link in item.find_all("link")]
    assert links == [second, first]
    assert [item.children[0].text for item in channel.find_all("item")] == ["A & B", "A & B"]


def test_a_list_of_trackbacks_ends_somewhere(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """protocols.md C-62: fifty at most, the newest."""
    sources = mentioned(site, web, clock, *map(str, range(51)))
    body = ask(site, "GET", f"/trackback{AT_T}&__mode=rss").body.decode()
    channel = parse(body).children[1].children[0]
    links = [link.text for item in channel.find_all("item") for link in item.find_all("link")]
    assert links == sources[:0:-1]


def test_unless_the_host_wants_it_there_is_no_list_of_trackbacks(make: Make) -> None:
    """VC-46, off: as for any browser that comes to look."""
    response = ask(make(), "GET", f"/trackback{AT_T}&__mode=rss")
    assert (response.status, response.header("Location")) == (302, T)


def test_a_page_that_is_not_ours_has_no_list_of_trackbacks(site: Site) -> None:
    response = ask(site, "GET", "/trackback?target=https%3A%2F%2Fforeign.example%2F&__mode=rss")
    assert b"<error>1</error>" in response.body


# one endpoint for all

BODIES = [
    pytest.param(PINGBACK, ("Content-Type", "text/html"), "pingback", id="VC-81 XML"),
    pytest.param(b"\xef\xbb\xbf \r\n" + PINGBACK, FORM, "pingback", id="VC-81 XML after a mark and blanks"),
    pytest.param(
        PINGBACK.decode().replace("?>", " encoding='utf-16'?>").encode("utf-16"), XML, "pingback", id="UTF-16"
    ),
    pytest.param(WEBMENTION, FORM, "webmention", id="VC-81 source and target"),
    pytest.param(WEBMENTION + b"&url=x", FORM, "webmention", id="a webmention with one field more"),
    pytest.param(TRACKBACK, FORM, "trackback", id="VC-81 url"),
    pytest.param(TRACKBACK + b"&source=x", FORM, "trackback", id="a trackback with one field more"),
]


@pytest.mark.parametrize("path", ["", "/"])
@pytest.mark.parametrize(("body", "header", "protocol"), BODIES)
def test_the_body_says_which_protocol_it_speaks(
    site: Site, path: str, body: bytes, header: tuple[str, str], protocol: str
) -> None:
    ask(site, "POST", f"{path}{AT_T}", body, header)
    site.drain()
    assert [mention.protocols for mention in site.mentions(T)] == [(protocol,)]


@pytest.mark.parametrize(
    ("body", "header"),
    [
        pytest.param(b"", FORM, id="nothing"),
        pytest.param(b"a=b", FORM, id="another form"),
        pytest.param(b"{}", ("Content-Type", "application/json"), id="JSON"),
    ],
)
def test_what_no_protocol_speaks_is_a_bad_request(make: Make, body: bytes, header: tuple[str, str]) -> None:
    assert ask(make(), "POST", "/", body, header).status == 400
    assert ask(make(protocols=(Pingback(),)), "POST", "/", body, header).status == 400


def test_the_common_endpoint_keeps_each_protocols_limit(make: Make) -> None:
    """protocols.md C-2."""
    site = make()
    assert ask(site, "POST", "/", b"<" * 65_537, XML).status == 413
    assert ask(site, "POST", "/", WEBMENTION + b"&a=" + b"x" * 16_384).status == 413
    assert App(site).max_body("/") == App(site).max_body("") == 262_144
    assert App(make(protocols=())).max_body("/") == 0


@pytest.mark.parametrize("query", [f"?a=b&amp;{AT_T[1:]}", f"?amp;{AT_T[1:]}"])
def test_an_escaped_ampersand_in_a_ping_url_is_an_ampersand(site: Site, query: str) -> None:
    """VC-85."""
    assert b"<error>0</error>" in ask(site, "POST", f"/trackback{query}", TRACKBACK).body
    assert ask(site, "GET", f"/trackback{query}").header("Location") == T
    site.drain()
    assert [mention.target for mention in site.mentions()] == [T]


# an answer after the check

UNREADABLE: list[Answering] = [
    Response(404),
    Response(410),
    Response(500),
    unreachable(S),
    TimedOut(S, "too slow"),
    Blocked(S, "a private address"),
]


def test_whatever_keeps_us_from_reading_a_source_gets_one_answer(make: Make, web: FakeWeb) -> None:
    """VC-34: no one can scan ports through us."""
    answers: dict[str, set[tuple[int, bytes]]] = {"pingback": set(), "webmention": set(), "trackback": set()}
    for page in UNREADABLE:
        web.pages[S] = page
        for path, body in (("pingback", PINGBACK), ("webmention", WEBMENTION), ("trackback", TRACKBACK)):
            response = ask(make(verify="inline"), "POST", f"/{path}{AT_T}", body)
            answers[path].add((response.status, response.body))
    [(_, pingback)], [(status, _)], [(_, trackback)] = answers.values()
    assert fault(Response(body=pingback)) == 16
    assert status == 400
    assert b"<error>1</error>" in trackback


def test_a_source_without_a_link_is_told_so(inline: Site, web: FakeWeb) -> None:
    """VC-35 by pingback, VC-62 by trackback, VC-73 by webmention; nothing is stored, and no look is owed."""
    web.pages[S] = "<p>nothing</p>"
    assert fault(ping(inline)) == 17
    assert b"<error>1</error>" in ask(inline, "POST", f"/trackback{AT_T}", TRACKBACK).body
    assert ask(inline, "POST", "/webmention", WEBMENTION).status == 400
    assert inline.mentions(statuses=None) == []
    assert inline.store.next_due() is None


def test_a_proven_claim_is_told_so(make: Make) -> None:
    """VC-73: 200, and no status to watch."""
    response = ask(make(verify="inline"), "POST", "/webmention", WEBMENTION)
    assert (response.status, response.header("Location")) == (200, "")
    assert result(ping(make(verify="inline"))) == "The pingback was verified."
    site = make(verify="inline")
    assert b"<error>0</error>" in ask(site, "POST", f"/trackback{AT_T}", TRACKBACK).body
    assert [mention.status for mention in site.mentions(T)] == [Status.APPROVED]


def test_a_repeat_just_after_a_look_is_too_often(inline: Site, web: FakeWeb, clock: FakeClock) -> None:
    """protocols.md C-8, C-41: later it is looked at again."""
    web.pages[S] = "<p>nothing</p>"
    assert fault(ping(inline)) == 17
    web.pages[S] = LINKING
    assert fault(ping(inline)) == 49
    clock.advance(30)
    assert result(ping(inline)) == "The pingback was verified."


def test_a_link_that_was_taken_away_is_no_failure(inline: Site, web: FakeWeb, clock: FakeClock) -> None:
    """protocols.md D-41: the repeated webmention did what it was for."""
    ask(inline, "POST", "/webmention", WEBMENTION)
    web.pages[S] = Response(410)
    clock.advance(30)
    assert ask(inline, "POST", "/webmention", WEBMENTION).status == 200
    assert inline.mentions(T) == []


def test_spam_is_denied_and_denied_again(make: Make, clock: FakeClock) -> None:
    """VC-88: and the status says so."""
    site = make(verify="inline", policy=Wary())
    assert fault(ping(site)) == 49
    clock.advance(30)
    assert fault(ping(site)) == 49
    [mention] = site.mentions(statuses=None)
    assert mention.status is Status.SPAM


def test_what_everybody_may_see_is_not_denied(make: Make, clock: FakeClock) -> None:
    """protocols.md C-43: a moderator's word lasts."""
    site = make(verify="inline", policy=Wary())
    ask(site, "POST", "/webmention", WEBMENTION)
    [mention] = site.mentions(statuses=None)
    site.moderate(mention.id, Status.APPROVED)
    clock.advance(30)
    assert ask(site, "POST", "/webmention", WEBMENTION).status == 200


def test_spam_that_is_found_later_changes_no_answer(make: Make) -> None:
    """protocols.md C-43."""
    site = make(policy=Wary(settle_seconds=0))
    receipt = site.receive(Claim("pingback", S, T))
    site.drain()
    record = site.claim(receipt.id)
    assert record is not None
    assert record.state is ClaimState.SUCCESS


def test_a_claim_that_another_worker_checks_is_queued(make: Make) -> None:
    """The answer does not wait for other processes."""
    store = open_store("sqlite://")
    taken = store.lease
    store.lease = lambda *args, **more: []  # type: ignore[method-assign]
    site = make(verify="inline", store=store)
    assert ask(site, "POST", "/webmention", WEBMENTION).status == 201
    store.lease = taken  # type: ignore[method-assign]
    assert site.work()
    assert len(site.mentions(T)) == 1


def test_a_claim_behind_too_many_others_is_queued(make: Make, web: FakeWeb) -> None:
    """A sender waits for few checks of others."""
    store = open_store("sqlite://")
    before = make(store=store)
    for number in range(6):
        before.receive(Claim("webmention", f"https://s.example/{number}", T))
    response = ask(make(verify="inline", store=store), "POST", "/webmention", WEBMENTION)
    assert response.status == 201
    assert S not in web.requested


def test_threads_that_are_quicker_are_waited_for(web: FakeWeb, tmp_path: Path) -> None:
    with Site(
        "https://t.example", store=f"sqlite:///{tmp_path}/db", fetch=web, runner=Embedded(2), verify="inline"
    ) as site:
        site.start()
        assert site.receive(Claim("webmention", S, T)).checked


def test_a_site_verifies_in_one_of_two_ways() -> None:
    with pytest.raises(ConfigurationError, match="verify"):
        Site("https://t.example", verify="never")  # type: ignore[arg-type]


# limits and statuses


def test_too_many_trackbacks_are_told_to_wait(site: Site) -> None:
    """VC-61."""
    bodies = [TRACKBACK + b"&excerpt=%d" % number for number in range(MOST_OPEN_CLAIMS + 1)]
    *taken, refused = (ask(site, "POST", f"/trackback{AT_T}", body) for body in bodies)
    assert all(b"<error>0</error>" in response.body for response in taken)
    assert (refused.status, refused.header("Retry-After")) == (429, "30")
    assert b"<error>1</error>" in refused.body


def test_the_status_of_a_claim_can_be_watched(site: Site) -> None:
    """VC-77: and an unknown one is not found."""
    location = ask(site, "POST", "/webmention", WEBMENTION).header("Location").removeprefix("https://t.example")
    site.drain()
    response = ask(site, "GET", location)
    assert (response.status, json.loads(response.body)["status"]) == (200, "success")
    assert ask(site, "GET", location + "x").status == 404


def test_the_status_of_spam_is_blocked(make: Make) -> None:
    """protocols.md C-78: a fixed word."""
    site = make(verify="inline", policy=Wary())
    with pytest.raises(Refused):
        site.receive(Claim("pingback", S, T))
    record = site.store.last_claim(pair_key(site.url, S, T), "pingback")
    assert record is not None
    assert json.loads(ask(site, "GET", f"/status/{record.id}").body)["reason"] == "blocked"


def test_a_header_that_a_sender_writes_is_no_address_of_a_client(site: Site, web: FakeWeb) -> None:
    """VC-83: it is neither kept, nor passed on, nor does it change the answer."""
    plain = ping(site)
    site.drain()
    heard = list(web.requests)
    forwarded = Request("POST", "https://t.example/pingback", (XML, ("X-Pingback-Forwarded-For", "1.2.3.4")), PINGBACK)
    with Site(
        "https://t.example", store="sqlite://", fetch=web, runner=External(), policy=Policy(settle_seconds=0)
    ) as other:
        assert App(other).handle(forwarded, "/pingback") == plain
        record = other.store.last_claim(pair_key(other.url, S, T), "pingback")
        assert record is not None
        assert record.claim == Claim("pingback", S, T)
        other.drain()
    assert web.requests == heard * 2


def test_a_store_that_fails_during_a_check_is_told_as_away(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    site = make(verify="inline")

    def broken(*arguments: object) -> None:
        raise StoreError("locked")

    monkeypatch.setattr(site.store, "finish_check", broken)
    assert fault(ping(site)) == 50
