"""Ten thousand pings that name one host as their source bring it sixty requests in an hour, and all are answered."""

from __future__ import annotations

import itertools
import socket
import urllib.parse
import xmlrpc.client
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from linkback.errors import FetchError, TooManyRedirects, Unreachable
from linkback.fetch import Fetcher, Limits
from linkback.jobs import External
from linkback.model import Claim, ClaimState
from linkback.policy import Policy
from linkback.rates import TokenBuckets
from linkback.site import Site
from linkback.sites import Sites
from linkback.store import open_store
from linkback.testing import FakeClock
from linkback.web.app import App
from linkback.wire import Request, Response
from tests.hostile.pinging import HOME, TARGET, EveryPageLinks
from tests.serving import LOOPBACK, served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

PINGS = 10_000
HOUR, DAY = timedelta(hours=1), 86_400
#: what one site reads from one host in an hour, by default
MOST = 60
#: for one site and all its senders
ANY_NUMBER = Policy(site_seconds=0)
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
#: how a page of the victim answers, in turn, None for not at all: no mention comes of it, and all but the last are
#: looked at again
ANSWERS = (
    Response(200, (("Content-Type", "text/html"),), b"<p>nothing of yours"),
    Response(404),
    Response(503),
    None,
    Response(410),
)


class Victim(EveryPageLinks):
    """A web that knows when it was asked for a page of one domain; no page of that domain links to us."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.asked: list[tuple[datetime, str]] = []

    def get(self, url: str, *, accept: str = "*/*", purpose: str = "") -> Response:
        """The victim's answer, or a page that links."""
        if not urllib.parse.urlsplit(url).netloc.partition(":")[0].strip(".").endswith("victim.example"):
            return super().get(url, accept=accept, purpose=purpose)
        self.asked.append((self.clock(), url))
        answer = ANSWERS[len(self.asked) % len(ANSWERS)]
        if answer is None:
            raise Unreachable(url, "connection refused")
        return answer

    @property
    def most(self) -> int:
        """The most requests in any hour, its first and its last moment among them."""
        times, first, most = [time for time, _ in self.asked], 0, 0
        for last, time in enumerate(times):
            while time - times[first] > HOUR:
                first += 1
            most = max(most, last - first + 1)
        return most


def source(number: int) -> str:
    """A page of the victim that was not named before: by another path, query, port, scheme or name."""
    name = ("", "www.", f"h{number}.", "a.b.", "VICTIM.")[number % 5]
    scheme, port = (("https", ""), ("http", ":8080"), ("https", ":8443"), ("http", ""))[number % 4]
    path = (f"/{number}", f"/?{number}", f"/a/../{number}#top", f"//%7e{number}")[number % 4]
    return f"{scheme}://{name}victim.example{'.' if number % 7 == 0 else ''}{port}{path}"


def _webmention(app: App, source: str) -> bool:
    body = urllib.parse.urlencode({"source": source, "target": TARGET}).encode()
    answer = app.handle(Request("POST", f"{HOME}/webmention", FORM, body), "/webmention")
    assert answer.status in (201, 400) or (answer.status == 429 and 0 < int(answer.header("Retry-After")) < DAY)
    return answer.status == 201


def _pingback(app: App, source: str) -> bool:
    body = xmlrpc.client.dumps((source, TARGET), "pingback.ping").encode()
    answer = app.handle(Request("POST", f"{HOME}/pingback", (("Content-Type", "text/xml"),), body), "/pingback")
    assert answer.status == 200
    try:
        xmlrpc.client.loads(answer.body)
    except xmlrpc.client.Fault:
        return False
    return True


def _trackback(app: App, source: str) -> bool:
    url = f"{HOME}/trackback?{urllib.parse.urlencode({'target': TARGET})}"
    body = urllib.parse.urlencode({"url": source}).encode()
    answer = app.handle(Request("POST", url, FORM, body), "/trackback")
    assert b"<response><error>" in answer.body.replace(b"\n", b"")
    return b"<error>0</error>" in answer.body


#: by each protocol in turn: whether a ping was taken; any answer but its protocol's own fails
LANGUAGES: tuple[Callable[[App, str], bool], ...] = (_webmention, _pingback, _trackback)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def web(clock: FakeClock) -> Victim:
    return Victim(clock)


@pytest.fixture
def site(clock: FakeClock, web: Victim) -> Iterator[Site]:
    with Site(HOME, store="sqlite://", fetch=web, clock=clock, runner=External(), policy=ANY_NUMBER) as site:
        yield site


def lead_on(web: Victim, hops: int) -> None:
    """Have each page of the victim redirect so often, within its domain, before it answers."""
    answer = web.get

    def get(url: str, *, accept: str = "*/*", purpose: str = "") -> Response:
        passed = [f"{url}#{hop}" for hop in range(hops)]
        web.asked += [(web.clock(), each) for each in passed]
        try:
            return replace(answer(url, accept=accept, purpose=purpose), url=url, redirects=tuple(passed))
        except FetchError as error:
            error.onward = (*passed[1:], url)
            raise

    web.get = get  # type: ignore[method-assign]


def until_due(site: Site | Sites, clock: FakeClock, end: datetime) -> Iterator[None]:
    """Let time pass from one job that is due to the next."""
    while (due := site.store.next_due()) is not None and due <= end:
        clock.now = max(due, clock.now)
        yield


def test_ten_thousand_pings_bring_their_victim_sixty_requests_an_hour(
    site: Site, web: Victim, clock: FakeClock
) -> None:
    app, end = App(site), clock() + timedelta(seconds=DAY)
    taken = sum(LANGUAGES[number % 3](app, source(number)) for number in range(PINGS))
    jobs = sum(site.drain() for _ in until_due(site, clock, end))
    assert MOST - 1 <= web.most <= MOST
    assert len(web.asked) == taken == 20 + DAY // 90 - 1, "what was taken is read within the day"
    assert jobs < 2 * len(web.asked), "and no worker comes back for nothing"


def test_redirects_count_as_requests(site: Site, web: Victim, clock: FakeClock) -> None:
    """Those of the last page may come on top: they are known when it was read."""
    lead_on(web, 5)
    app = App(site)
    for number in range(300):
        LANGUAGES[number % 3](app, source(number))
    for _ in until_due(site, clock, clock() + 6 * HOUR):
        site.drain()
    assert MOST - 5 <= web.most <= MOST + 5
    assert len(web.asked) > 5 * 40


def test_pings_that_keep_coming_bring_no_more(site: Site, web: Victim, clock: FakeClock) -> None:
    """Nor do those that are said again; and they keep no other host's out."""
    app, numbers = App(site), itertools.count()
    for minute in range(300):
        for number in itertools.islice(numbers, 3):
            LANGUAGES[number % 3](app, source(number // 2))
        if minute % 60 == 0:
            site.receive(Claim("webmention", f"https://friend.example/{minute}", TARGET))
        clock.advance(61)
        site.drain()
    assert MOST - 10 <= web.most <= MOST
    assert len(site.mentions(TARGET)) == 5


def test_a_sender_who_waits_for_the_check_is_told_that_it_will_be_made(web: Victim, clock: FakeClock) -> None:
    with Site(
        HOME, store="sqlite://", fetch=web, clock=clock, runner=External(), verify="inline", policy=ANY_NUMBER
    ) as site:
        app = App(site)
        told = [LANGUAGES[number % 3](app, source(number)) for number in range(1_000)]
        assert told == [False] * 20 + [True] * 959 + [False] * 21
        assert len(web.asked) == 20
        for _ in until_due(site, clock, clock() + 3 * HOUR):
            site.drain()
        assert MOST - 1 <= web.most <= MOST


def test_sites_that_share_a_store_share_the_budget(web: Victim, clock: FakeClock) -> None:
    homes, store = [f"https://t{number}.example/" for number in range(3)], open_store("sqlite://")
    blogs = [Site(home, store=store, fetch=web, clock=clock, runner=External()) for home in homes]
    with Sites(blogs, store=store, runner=External(), clock=clock) as sites:
        for number in range(300):
            sites.receive(Claim("webmention", source(number), homes[number % 3]))
        for _ in until_due(sites, clock, clock() + 4 * HOUR):
            sites.drain()
    assert MOST - 1 <= web.most <= MOST


def test_a_host_that_is_known_to_be_busy_is_read_as_fast_as_it_goes(web: Victim, clock: FakeClock) -> None:
    """And whatever else stands on its domain is not."""
    policy = Policy(busy_hosts=["h1.busy.example"], settle_seconds=0)
    with Site(HOME, store="sqlite://", fetch=web, clock=clock, runner=External(), policy=policy) as site:
        for number in range(200):
            site.receive(Claim("webmention", f"https://h{number % 2}.busy.example/{number}", TARGET))
        site.drain()
        read = {mention.source.partition(".")[0] for mention in site.mentions(TARGET)}
        assert read == {"https://h0", "https://h1"}
        assert len(site.mentions(TARGET)) == 100 + 20


def test_looks_at_old_mentions_count_too(clock: FakeClock) -> None:
    """Mentions of one host, all due again at one moment, as after a worker was away."""
    web, store = EveryPageLinks(), open_store("sqlite://")
    policy = Policy(host_seconds=0, settle_seconds=0, recheck_days=1)
    site = Site(HOME, store=store, fetch=web, clock=clock, runner=External(), policy=policy)
    for number in range(300):
        site.receive(Claim("webmention", source(number), TARGET))
    assert site.drain() == 300
    clock.advance(2 * DAY)
    victim = Victim(clock)
    with Site(HOME, store=store, fetch=victim, clock=clock, runner=External()) as site:
        assert site.drain() == 300
        assert len(victim.asked) == 20
        assert site.drain() == 0, "whoever may not be read yet comes back when he may"
        new, began = "https://new.victim.example/friend", clock()
        site.receive(Claim("webmention", new, TARGET))
        did = sum(site.drain() for _ in until_due(site, clock, clock() + 9 * HOUR))
        first = next(time for time, url in victim.asked if url == new)
        assert first - began < timedelta(minutes=10), "and they stand in no new claim's way"
        assert victim.most <= MOST
        assert len(victim.asked) > 250
        assert did < 3 * 300, "none is asked for again and again"


class Redirecting:
    """A web over sockets, all of it on this machine: each host leads to a page of the victim, which links to us if it
    is the one that a friend leads to."""

    def __init__(self) -> None:
        self.asked = Counter[str]()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        host, _, port = str(environ["HTTP_HOST"]).partition(":")
        self.asked[host] += 1
        if host != "victim.test":
            name = "friend" if host == "friend.test" else "other"
            start_response("302 Found", [("Location", f"http://victim.test:{port}/{name}")])
            return [b""]
        start_response("200 OK", [("Content-Type", "text/html")])
        return [f"<a href='{TARGET}'>it</a>".encode() if environ["PATH_INFO"] == "/friend" else b"nothing"]


def test_a_friend_whose_page_leads_to_a_host_that_others_attack_through_us_is_heard(clock: FakeClock) -> None:
    """And the victim has its peace: it is led to as often as `Limits` say, and no more."""
    web, limits = Redirecting(), Limits(led_burst=2, led_seconds=90)
    fetcher = Fetcher(LOOPBACK, limits, resolver=lambda host, port, *rest, **more: here(port))
    fetcher._led = TokenBuckets(limits.led_burst, limits.led_seconds, clock=lambda: clock().timestamp())
    began, numbers = clock(), itertools.count()
    with (
        served(web) as url,
        Site(HOME, store="sqlite://", fetch=fetcher, clock=clock, runner=External(), policy=ANY_NUMBER) as site,
    ):
        port = urllib.parse.urlsplit(url).port

        def claim(host: str) -> str:
            return site.receive(Claim("webmention", f"http://{host}:{port}/", TARGET)).id

        def attack(minutes: int) -> None:
            for _ in range(minutes):
                claim(f"a{next(numbers)}.test")
                clock.advance(60)
                # they come by other sites too
                with suppress(TooManyRedirects):
                    while True:
                        fetcher.get(f"http://a{next(numbers)}.test:{port}/")
                site.drain()

        attack(5)
        friend = claim("friend.test")
        attack(30)
        record = site.claim(friend)
        assert record is not None
        assert (record.state, record.reason, record.open) == (ClaimState.QUEUED, None, True)
        assert 3 < web.asked["friend.test"] < 10
        for _ in until_due(site, clock, began + timedelta(days=2)):
            site.drain()
        record = site.claim(friend)
        assert record is not None
        assert record.state is ClaimState.SUCCESS
    assert web.asked["victim.test"] <= 2 + (clock() - began).total_seconds() / 90
    assert max(web.asked[f"a{number}.test"] for number in range(next(numbers))) < 20, (
        "none is asked for again and again"
    )


def here(port: int | str | None) -> list[tuple[Any, ...]]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", int(port or 0)))]
