"""Many blogs on one store: each gets what is its own."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from linkback import Claim, ConfigurationError, Policy, Reason, Refused, Site, Sites, Status, open_store
from linkback.jobs import External
from linkback.store import Storage
from linkback.testing import FakeClock, FakeWeb

A, B, C = "https://a.example/", "https://b.example/blog/", "https://b.example/blog/c/"
S = "https://s.example/note"
LINKS = "".join(f"<a href='{home}post'>x</a>" for home in (A, B, C))


@pytest.fixture
def store() -> Iterator[Storage]:
    store = open_store("sqlite://")
    yield store
    store.close()


@pytest.fixture
def web() -> FakeWeb:
    return FakeWeb({S: LINKS})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def a_site(url: str, store: Storage, web: FakeWeb, clock: FakeClock, **policy: Any) -> Site:
    return Site(
        url,
        store=store,
        fetch=web,
        clock=clock,
        runner=External(),
        policy=Policy(settle_seconds=0, recheck_days=0, **policy),
    )


@pytest.fixture
def blogs(store: Storage, web: FakeWeb, clock: FakeClock) -> list[Site]:
    return [a_site(url, store, web, clock, moderate=url == C) for url in (A, B, C)]


@pytest.fixture
def sites(blogs: list[Site], store: Storage, clock: FakeClock) -> Sites:
    return Sites(blogs, store=store, runner=External(), clock=clock, pause=clock.advance)


def claim(target: str) -> Claim:
    return Claim("webmention", S, target)


@pytest.mark.parametrize(
    ("target", "home"),
    [
        (f"{A}post", A),
        ("http://www.a.example/post", None),
        (f"{B}post", B),
        (f"{C}post", C),
        ("https://b.example/blog/cc", B),
        ("https://b.example/", None),
        ("https://b.example:444/blog/post", None),
        ("https://nobody.example/", None),
    ],
)
def test_a_claim_goes_to_the_blog_that_its_target_is_on(sites: Sites, store: Storage, target: str, home: str) -> None:
    """The longest address wins: one blog may stand in another's folder."""
    if home is None:
        with pytest.raises(Refused) as caught:
            sites.receive(claim(target))
        assert caught.value.reason is Reason.TARGET_UNKNOWN
        assert (sites.listens(target), sites.mentions(target)) == (False, [])
        return
    record = sites.claim(sites.receive(claim(target)).id)
    assert record is not None
    assert record.site == home
    assert sites.listens(target)


def test_each_blog_has_its_own_policy_and_its_own_mentions(sites: Sites, blogs: list[Site]) -> None:
    for home in (A, B, C):
        sites.receive(claim(f"{home}post"))
    assert sites.drain() == 3
    assert [len(site.mentions()) for site in blogs] == [1, 1, 0]
    assert [mention.status for mention in blogs[2].mentions(statuses=None)] == [Status.PENDING]
    assert len(sites.mentions(f"{A}post")) == 1


def test_a_blog_knows_only_its_own_claims(sites: Sites, blogs: list[Site]) -> None:
    """The status page of one blog tells nothing of another's."""
    receipt = sites.receive(claim(f"{A}post"))
    assert [site.claim(receipt.id) is not None for site in blogs] == [True, False, False]


def test_work_is_done_for_every_blog_and_by_each_for_itself(sites: Sites, blogs: list[Site]) -> None:
    for site in blogs:
        site.publish(f"{site.url}own", "<a href='https://x.example/'>x</a>")
    assert blogs[0].drain() == 1
    assert sites.drain(patience=5) == 2
    assert sites.work() is False


def test_a_function_may_say_whose_a_url_is(blogs: list[Site], store: Storage, clock: FakeClock) -> None:
    asked: list[str] = []

    def site_of(url: str) -> Site | None:
        asked.append(url)
        return next((site for site in blogs if site.pages.owns(url)), None)

    sites = Sites(site_of, store=store, runner=External(), clock=clock)
    sites.receive(claim(f"{A}post"))
    sites.drain()
    assert (asked[0], set(asked[1:])) == (f"{A}post", {A})
    assert len(sites.mentions(f"{A}post")) == 1


def test_work_for_a_blog_that_is_not_known_here_waits_for_whoever_knows_it(
    sites: Sites, store: Storage, web: FakeWeb, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    other = a_site("https://new.example/", store, web, clock)
    other.publish("https://new.example/post", "<a href='https://x.example/'>x</a>")
    assert sites.drain() == 1
    assert "none of our sites" in caplog.text
    assert store.next_due() == clock() + timedelta(hours=1)
    clock.advance(3600)
    assert other.drain() == 1
    assert other.deliveries()[0].attempts == 1, "that was no attempt"


def test_blogs_that_do_not_fit_together_are_a_mistake(store: Storage, web: FakeWeb, clock: FakeClock) -> None:
    """What another store accepts nobody here would ever check."""
    stranger = a_site(A, open_store("sqlite://"), web, clock)
    with pytest.raises(ConfigurationError, match="another store"):
        Sites([stranger], store=store)
    with pytest.raises(ConfigurationError, match="another store"):
        Sites(lambda url: stranger, store=store, runner=External()).receive(claim(f"{A}post"))
    with pytest.raises(ConfigurationError, match="External"):
        Sites([Site(A, store=store, fetch=web)], store=store)
    with pytest.raises(ConfigurationError, match="given twice"):
        Sites([a_site(A, store, web, clock), a_site(A, store, web, clock)], store=store)


def test_blogs_that_resolve_on_one_host_keep_what_is_their_own(store: Storage, web: FakeWeb, clock: FakeClock) -> None:
    def knows(name: str) -> Callable[[str], str | None]:
        return lambda url: url if f"/{name}" in url else None

    homes = {name: f"https://host.example/{name}/" for name in ("alice", "bob")}
    blogs = [
        Site(home, store=store, fetch=web, clock=clock, runner=External(), resolve=knows(name))
        for name, home in homes.items()
    ]
    sites = Sites(blogs, store=store, runner=External(), clock=clock)
    for url, home in (
        ("https://host.example/bob/post", "bob"),
        ("https://host.example/p/bob-1", "bob"),
        ("https://host.example/p/alice-1", "alice"),
        (homes["bob"], "bob"),
    ):
        assert sites.site_of(url).url == homes[home]


def test_a_function_that_fails_keeps_no_other_blog_waiting(
    blogs: list[Site], store: Storage, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    def site_of(url: str) -> Site | None:
        if url.startswith(B):
            raise RuntimeError("the host's database is away")
        return next((site for site in blogs if site.pages.owns(url)), None)

    for site in blogs[:2]:
        site.publish(f"{site.url}own", "<a href='https://x.example/'>x</a>")
    sites = Sites(site_of, store=store, runner=External(), clock=clock, pause=clock.advance)
    assert sites.drain(patience=5) == 2
    assert "could not find the site" in caplog.text
    assert [site.deliveries()[0].attempts for site in blogs[:2]] == [1, 0]


def no_site_of(answer: Any) -> Callable[[str], Any]:
    def find_blog(url: str) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return find_blog


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (RuntimeError("the host's database is away"), "failed for https://a.example/post: RuntimeError: the host's"),
        (True, "must give the Site that a URL belongs to, or None: for https://a.example/post it gave True"),
        (A, f"it gave '{A}'"),
        (b"x", "it gave b'x'"),
    ],
)
def test_a_function_that_cannot_say_whose_a_url_is_has_strangers_come_back(
    store: Storage, clock: FakeClock, caplog: pytest.LogCaptureFixture, answer: Any, said: str
) -> None:
    """In one line that names it, and with nothing recorded."""
    sites = Sites(no_site_of(answer), store=store, runner=External(), clock=clock)
    assert call(sites, "/webmention", f"source={S}&target={A}post".encode())[0] == "503 Service Unavailable"
    assert b"<error>1</error>" in call(sites, "/trackback", f"url={S}".encode(), f"target={A}post")[1]
    assert call(sites, "/mentions", query=f"target={A}post")[0] == "503 Service Unavailable"
    [*lines] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(lines) == 3
    for line in lines:
        assert line.exc_info is None
        assert "sites (tests.test_sites.no_site_of.<locals>.find_blog)" in line.getMessage()
        assert said in line.getMessage()
    assert store.next_due() is None


def test_a_blog_that_may_not_stand_among_the_others_is_the_hosts_trouble(
    store: Storage, web: FakeWeb, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    with Site(A, store="sqlite://", fetch=web, clock=clock, runner=External()) as stray:
        sites = Sites(lambda url: stray, store=store, runner=External(), clock=clock)
        assert call(sites, "/webmention", f"source={S}&target={A}post".encode())[0] == "503 Service Unavailable"
        assert f"{A} has another store than the others" in caplog.text
        assert "Traceback" not in caplog.text


def test_a_job_whose_blog_is_answered_oddly_waits(
    blogs: list[Site], store: Storage, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    blogs[0].publish(f"{A}own", "<a href='https://x.example/'>x</a>")
    sites = Sites(no_site_of("a.example"), store=store, runner=External(), clock=clock)
    assert sites.drain() == 1
    assert "could not find the site https://a.example/: sites (tests.test_sites" in caplog.text
    assert (store.next_due(), blogs[0].deliveries()[0].attempts) == (clock() + timedelta(hours=1), 0)


@pytest.mark.parametrize("target", ["", "nonsense", "ftp://a.example/"])
def test_a_target_that_is_no_url_is_refused(sites: Sites, target: str) -> None:
    with pytest.raises(Refused) as caught:
        sites.receive(claim(target))
    assert caught.value.reason is Reason.TARGET_INVALID


def call(sites: Sites, path: str, body: bytes = b"", query: str = "", client: str = "") -> tuple[str, bytes]:
    """One request to the endpoints of all blogs."""
    said: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST" if body else "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": "mentions.example",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": client,
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
    }
    chunks = sites.wsgi(base="https://mentions.example")(environ, lambda status, headers, *_: said.append(status))  # type: ignore[arg-type]
    return said[0], b"".join(chunks)


def test_one_set_of_endpoints_serves_all_blogs(sites: Sites) -> None:
    """By every protocol; what is nobody's is refused as it is for one blog."""
    webmention = f"source={S}&target={B}post".encode()
    assert call(sites, "/webmention", webmention)[0] == "201 Created"
    assert call(sites, "/trackback", f"url={S}".encode(), f"target={A}post")[1].count(b"<error>0</error>") == 1
    assert call(sites, "/webmention", f"source={S}&target=https://nobody.example/".encode())[0] == "400 Bad Request"
    sites.drain()
    for home in (A, B):
        assert b'"count": 1' in call(sites, "/mentions", query=f"target={home}post")[1]
    assert b'"count": 0' in call(sites, "/mentions", query="target=https://nobody.example/")[1]
    assert call(sites, "/healthz")[0] == "200 OK"


def host(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<p>page"]


@pytest.mark.parametrize(
    ("name", "path", "scheme", "base"),
    [
        ("a.example", "/post", "https", "https://a.example"),
        ("b.example", "/blog/post", "https", "https://b.example"),
        ("b.example", "/blog/c/post", "http", "https://b.example"),
        ("b.example", "/elsewhere", "https", None),
        ("nobody.example", "/post", "https", None),
        ("", "/post", "https", None),
        ("a b", "/post", "https", None),
    ],
)
def test_pages_of_each_blog_advertise_under_its_own_name(
    sites: Sites, name: str, path: str, scheme: str, base: str | None
) -> None:
    """Also behind a proxy that took the TLS away; a Host that is nobody's gets no signpost."""
    said: list[Any] = []
    environ = {"REQUEST_METHOD": "GET", "HTTP_HOST": name, "PATH_INFO": path, "wsgi.url_scheme": scheme}
    chunks = sites.wsgi(host)(environ | {"SERVER_NAME": "x", "SERVER_PORT": "80"}, lambda *told: said.extend(told))  # type: ignore[arg-type]
    body = b"".join(chunks)
    links = [value for name, value in said[1] if name == "Link"]
    assert links == ([] if base is None else [f'<{base}/linkback/webmention>; rel="webmention"'])
    assert (b"trackback:ping" in body) == (base is not None)


def test_the_endpoints_of_many_blogs_stand_beside_their_pages(sites: Sites) -> None:
    said: list[str] = []
    body = f"source={S}&target={B}post".encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "HTTP_HOST": "b.example",
        "PATH_INFO": "/linkback/webmention",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
    }
    sites.wsgi(host)(environ, lambda status, headers, *_: said.extend((status, dict(headers)["Location"])))  # type: ignore[arg-type]
    assert said[0] == "201 Created"
    assert said[1].startswith("https://b.example/linkback/status/")
    sites.drain()
    assert [mention.target for mention in sites.mentions(f"{B}post")] == [f"{B}post"]


def test_an_inline_blog_answers_with_what_it_found(store: Storage, web: FakeWeb, clock: FakeClock) -> None:
    blog = Site(A, store=store, fetch=web, clock=clock, runner=External(), verify="inline")
    sites = Sites([blog], store=store, runner=External(), clock=clock)
    assert sites.receive(claim(f"{A}post")).checked
    with pytest.raises(Refused):
        sites.receive(Claim("webmention", "https://s.example/nothing", f"{A}post"))


def test_a_host_that_sends_many_claims_does_not_keep_others_waiting(
    store: Storage, web: FakeWeb, clock: FakeClock
) -> None:
    """Of one host's sources only some are read at once; another's is read as soon as ever."""
    blog = a_site(A, store, web, clock, host_burst=3, host_seconds=1)
    for number in range(50):
        web.pages[f"https://flood.example/{number}"] = LINKS
        blog.receive(Claim("pingback", f"https://flood.example/{number}", f"{A}post"))
    blog.receive(claim(f"{A}post"))
    blog.drain()
    assert S in web.requested
    assert len(web.requested) == 3 + 1
    for _ in range(60):
        clock.advance(1)
        blog.drain()
    assert len(blog.mentions()) == 51


def test_a_client_has_a_share_of_each_blog(store: Storage, web: FakeWeb, clock: FakeClock) -> None:
    blogs = [a_site(url, store, web, clock, client_burst=1) for url in (A, B)]
    sites = Sites(blogs, store=store, runner=External(), clock=clock)
    for url in (A, B):
        sites.receive(claim(f"{url}post"), client="8.8.8.8")
        with pytest.raises(Refused) as refused:
            sites.receive(claim(f"{url}other"), client="8.8.8.8")
        assert refused.value.reason is Reason.TOO_OFTEN
        sites.receive(claim(f"{url}other"), client="9.9.9.9")


ALICE, BOB = "8.8.8.8", "9.9.9.9"
#: for a page of a blog, for one of nobody, and for one that the host's own function fails for
OURS, NOBODYS, FAILING = claim(f"{A}post"), claim("https://nobody.example/post"), claim("https://broken.example/post")


class Finding:
    """The host's own function; `asked` is how often it ran."""

    def __init__(self, *blogs: Site) -> None:
        self.blogs, self.asked = blogs, 0

    def __call__(self, url: str) -> Site | None:
        self.asked += 1
        if url == FAILING.target:
            raise RuntimeError("the host's database is away")
        return next((site for site in self.blogs if site.pages.owns(url)), None)


def refusals(sites: Sites, claim: Claim, number: int, client: str = ALICE) -> list[Reason | None]:
    """How so many pings that say the same are answered; None where they are taken."""
    told = list[Reason | None]()
    for _ in range(number):
        try:
            sites.receive(claim, client=client)
            told.append(None)
        except Refused as refused:
            told.append(refused.reason)
        except RuntimeError:
            told.append(Reason.UNAVAILABLE)
    return told


@pytest.mark.parametrize(("named", "reason"), [(NOBODYS, Reason.TARGET_UNKNOWN), (FAILING, Reason.UNAVAILABLE)])
def test_a_client_has_so_many_pages_of_nobody_looked_up(
    blogs: list[Site], store: Storage, named: Claim, reason: Reason
) -> None:
    """Then neither the host's own function nor the store is asked, for any page."""
    find = Finding(*blogs)
    sites = Sites(find, store=store, runner=External(), client_burst=3)
    assert refusals(sites, named, 9) == [reason] * 3 + [Reason.TOO_OFTEN] * 6
    with pytest.raises(Refused) as refused:
        sites.receive(OURS, client=ALICE)
    assert (refused.value.reason, refused.value.retry_after) == (Reason.TOO_OFTEN, 240)
    assert find.asked == 3
    assert refusals(sites, OURS, 1, BOB) == [None]
    assert refusals(sites, NOBODYS, 9, "") == [Reason.TARGET_UNKNOWN] * 9, "a client that is not known is not limited"


def test_a_page_that_is_found_takes_nothing_of_its_client(blogs: list[Site], store: Storage, web: FakeWeb) -> None:
    blog = a_site(A, store, web, FakeClock(), client_seconds=0)
    sites = Sites(Finding(blog), store=store, runner=External(), client_burst=1)
    assert refusals(sites, OURS, 100) == [None] * 100
    assert refusals(sites, NOBODYS, 2) == [Reason.TARGET_UNKNOWN, Reason.TOO_OFTEN]


def test_a_blog_that_hears_no_more_of_a_client_is_looked_up_for_nothing(store: Storage, web: FakeWeb) -> None:
    """Else a page of somebody would do as well as one of nobody."""
    find = Finding(a_site(A, store, web, FakeClock(), client_burst=2))
    sites = Sites(find, store=store, runner=External(), client_burst=3)
    assert refusals(sites, OURS, 100) == [None] * 2 + [Reason.TOO_OFTEN] * 98
    assert find.asked == 2 + 3


def test_what_a_blog_refuses_otherwise_takes_nothing(store: Storage, web: FakeWeb) -> None:
    """Such as claims that come too often from all together."""
    blog = a_site(A, store, web, FakeClock(), client_seconds=0, site_burst=1)
    sites = Sites(Finding(blog), store=store, runner=External(), client_burst=1)
    sites.receive(OURS, client=BOB)
    others = claim(f"{A}other")
    assert refusals(sites, others, 5) == [Reason.TOO_OFTEN] * 5
    assert refusals(sites, NOBODYS, 2) == [Reason.TARGET_UNKNOWN, Reason.TOO_OFTEN]


def test_the_function_of_a_listed_blog_is_asked_when_the_blog_has_heard_who_asks(store: Storage, web: FakeWeb) -> None:
    asked: list[str] = []
    blog = Site(
        A,
        store=store,
        fetch=web,
        runner=External(),
        policy=Policy(client_burst=2),
        resolve=lambda url: asked.append(url),
    )
    sites = Sites([blog], store=store, runner=External())
    assert refusals(sites, OURS, 20) == [Reason.TARGET_UNKNOWN] * 2 + [Reason.TOO_OFTEN] * 18
    assert len(asked) == 2


def test_without_seconds_pages_of_nobody_are_looked_up_without_end(blogs: list[Site], store: Storage) -> None:
    sites = Sites(blogs, store=store, runner=External(), client_seconds=0)
    assert refusals(sites, NOBODYS, 100) == [Reason.TARGET_UNKNOWN] * 100


def test_pages_of_nobody_are_looked_up_as_often_as_one_blog_hears_a_client(blogs: list[Site], store: Storage) -> None:
    """By default."""
    sites = Sites(blogs, store=store, runner=External())
    assert refusals(sites, NOBODYS, 31) == [Reason.TARGET_UNKNOWN] * Policy().client_burst + [Reason.TOO_OFTEN]
    assert call(sites, "/webmention", f"source={S}&target={A}post".encode(), client=ALICE)[0].startswith("429")


def test_a_post_with_many_links_does_not_keep_others_waiting(
    sites: Sites, blogs: list[Site], web: FakeWeb, clock: FakeClock
) -> None:
    many = "".join(f"<a href='https://h{number}.example/'>x</a>" for number in range(100))
    blogs[0].publish(f"{A}long", many)
    blogs[1].publish(f"{B}short", "<a href='https://x.example/'>x</a>")
    sites.drain()
    assert "https://x.example/" in web.requested
    assert len(web.requested) <= 65
    clock.advance(10)
    sites.drain()
    assert len(web.requested) == 101
