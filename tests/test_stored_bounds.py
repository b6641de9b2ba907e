"""What strangers say is stored up to a length, and nothing of it is longer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

from linkback import extract, urls
from linkback.jobs import External
from linkback.model import Claim, Delivery, Mention, Outcome
from linkback.policy import Policy, Retry
from linkback.protocols import pingback, prose, trackback
from linkback.site import Site
from linkback.testing import FakeWeb
from linkback.web.app import App
from linkback.wire import Request, Response
from tests.databases import SERVERS, Databases

SITE, S, T = "https://t.example/", "https://s.example/note", "https://t.example/post"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
#: a URL that can be told apart is no longer than this (docs/security.md, "any other URL")
URL = 4_096
#: what says that something was cut
CUT = 1


def long(length: int, start: str = "") -> str:
    """A text of that length."""
    return start + "x" * (length - len(start))


@pytest.fixture
def web() -> FakeWeb:
    return FakeWeb({S: f"<title>Note</title><p>I like <a href='{T}'>this</a>.</p>"})


@pytest.fixture
def site(web: FakeWeb) -> Iterator[Site]:
    policy = Policy(settle_seconds=0, second_look_seconds=0, recheck_days=0)
    with Site(
        SITE, store="sqlite://", fetch=web, runner=External(), policy=policy, retry=Retry(delays=(), jitter=0.0)
    ) as site:
        yield site


@dataclass(frozen=True)
class Said:
    """What a trackback says: its form, and what its ping URL has beside the page."""

    source: str = S
    target: str = T
    more: str = ""
    title: str = ""
    excerpt: str = ""
    blog_name: str = ""


def pinged(site: Site, said: Said) -> Claim | None:
    """The claim that is kept of a trackback; None where it is refused."""
    form = {"url": said.source, "title": said.title, "excerpt": said.excerpt, "blog_name": said.blog_name}
    url = f"{SITE}trackback?{urls.query({'target': said.target})}{said.more}"
    App(site, base=SITE).handle(Request("POST", url, (FORM,), urls.query(form).encode()), "/trackback")
    key = urls.pair_key(SITE, said.source, urls.without_fragment(said.target))
    record = site.store.last_claim(key, "trackback")
    return None if record is None else record.claim


PING_URL = f"{SITE}trackback?{urls.query({'target': T})}"


def spelled_in(length: int) -> str:
    """A page whose ping URL is as long: a slash takes three letters there."""
    slashes, letters = divmod(length - len(PING_URL), 3)
    return T + "/" * slashes + "x" * letters


#: the field, what says it at a length, the most of it that is kept whole, how much is kept of more (None: no claim)
SAYINGS: dict[str, tuple[Callable[[int], Said], int, int | None]] = {
    "source": (lambda length: Said(source=long(length, S)), urls.MAX_LENGTH, None),
    "target": (lambda length: Said(target=long(length, T)), urls.MAX_LENGTH, None),
    "title": (lambda length: Said(title=long(length)), trackback._MAX_TITLE, trackback._MAX_TITLE + CUT),
    "excerpt": (lambda length: Said(excerpt=long(length)), trackback._MAX_EXCERPT, trackback._MAX_EXCERPT + CUT),
    "blog_name": (
        lambda length: Said(blog_name=long(length)),
        trackback._MAX_BLOG_NAME,
        trackback._MAX_BLOG_NAME + CUT,
    ),
    "endpoint": (lambda length: Said(target=spelled_in(length)), URL, 0),
}


@pytest.mark.parametrize(("name", "saying"), SAYINGS.items(), ids=list(SAYINGS))
def test_of_what_a_ping_says_no_more_is_kept_than_its_limit(
    site: Site, name: str, saying: tuple[Callable[[int], Said], int, int | None]
) -> None:
    said, limit, kept = saying
    whole = pinged(site, said(limit))
    assert whole is not None
    assert len(getattr(whole, name)) == limit
    # one beyond the limit is cut to what is as long
    for number, more in enumerate((1, 100)):
        # another source, as the claim that waits would be the one that is found
        other = {} if name == "source" else {"source": f"{S}/{number}"}
        cut = pinged(site, replace(said(limit + more), **other))
        assert (None if cut is None else len(getattr(cut, name))) == kept


def test_every_field_of_a_claim_has_its_limit() -> None:
    # a protocol is one of ours, and of a vouch nothing is kept
    assert {field.name for field in fields(Claim)} == {*SAYINGS, "protocol", "vouch"}


def test_a_ping_url_of_a_quarter_megabyte_is_not_kept_for_ever(site: Site) -> None:
    claim = pinged(site, Said(more=long(250_000, "&x=")))
    assert claim is not None
    assert claim.endpoint == PING_URL
    assert max(len(getattr(claim, field.name)) for field in fields(Claim)) == len(PING_URL)
    site.drain()
    # the link to the page itself still proves it
    assert len(site.mentions(T)) == 1


def linking(words: str) -> str:
    return f"<body class=h-entry>{words}<p>Of <a href={T}>this</a>."


#: the field, a page that says it at a length, the most of it that is kept whole, and how much is kept of more
PAGES: dict[str, tuple[Callable[[int], str], int, int]] = {
    "title": (lambda length: linking(f"<title>{long(length)}</title>"), extract.MAX_TITLE, extract.MAX_TITLE + CUT),
    "excerpt": (
        lambda length: f"<div class=h-entry><p class=e-content>{long(length)} <a class=u-in-reply-to href={T}></a>",
        extract.MAX_EXCERPT,
        extract.MAX_EXCERPT + CUT,
    ),
    "author.name": (
        lambda length: linking(f"<p class='p-author h-card'>{long(length)}</p>"),
        extract.MAX_AUTHOR,
        extract.MAX_AUTHOR + CUT,
    ),
    "author.url": (
        lambda length: linking(f"<a class='p-author h-card' href='{long(length, S)}'>Ann</a>"),
        urls.MAX_LENGTH,
        0,
    ),
    "author.photo": (
        lambda length: linking(f"<p class='p-author h-card'>Ann <img class=u-photo src='{long(length, S)}'></p>"),
        urls.MAX_LENGTH,
        0,
    ),
}


def mentioned(site: Site) -> Mention:
    site.receive(Claim("webmention", S, T))
    site.drain()
    [mention] = site.mentions(T)
    return mention


@pytest.mark.parametrize("more", [0, 1, 100], ids=["at the limit", "one beyond it", "more"])
@pytest.mark.parametrize(("name", "page"), PAGES.items(), ids=list(PAGES))
def test_of_what_a_page_says_of_itself_no_more_is_kept_than_its_limit(
    site: Site, web: FakeWeb, name: str, page: tuple[Callable[[int], str], int, int], more: int
) -> None:
    make, limit, kept = page
    web.pages[S] = make(limit + more)
    found: object = mentioned(site)
    for part in name.split("."):
        found = getattr(found, part)
    assert isinstance(found, str)
    assert len(found) == (kept if more else limit)


@pytest.mark.parametrize(("length", "kept"), [(URL, 1), (URL + 1, 0)])
def test_a_page_that_is_found_at_a_longer_url_is_none(site: Site, web: FakeWeb, length: int, kept: int) -> None:
    there = long(length, "https://s.example/moved")
    web.pages[there], web.pages[S] = web.pages[S], Response(301, (("Location", there),))
    site.receive(Claim("webmention", S, T))
    site.drain()
    assert [len(mention.final_url) for mention in site.mentions(T)] == [URL] * kept


def test_every_field_of_a_mention_that_a_page_says_has_its_limit() -> None:
    ours = {"id", "site", "protocols", "status", "received", "checked", "kind", "missing_since", "lost_since"}
    claimed, seen = {"source", "target"}, {"final_url", "published"}
    assert {field.name for field in fields(Mention)} == ours | claimed | seen | {name.split(".")[0] for name in PAGES}


T2, ENDPOINT = "https://r.example/page", "https://r.example/endpoint"


def fault(code: str) -> Response:
    value = f"<name>faultCode</name><value><int>{code}</int></value>"
    struct = f"<struct><member>{value}</member></struct>"
    return Response(body=f"<methodResponse><fault><value>{struct}</value></fault></methodResponse>".encode())


def told(store: str, web: FakeWeb, page: Response | str, reply: Response) -> Delivery:
    """How a delivery stands after its first attempt."""
    web.pages |= {T2: page, ENDPOINT: reply}
    with Site(SITE, store=store, fetch=web, runner=External(), retry=Retry(delays=(), jitter=0.0)) as site:
        site.publish(T, f"<a href={T2}>x</a>")
        site.drain()
        [delivery] = site.deliveries()
    return delivery


WITH_PINGBACK = Response(headers=(("X-Pingback", ENDPOINT), ("Content-Type", "text/html")))


@pytest.mark.parametrize("kind", ["sqlite memory", *SERVERS])
@pytest.mark.parametrize(
    ("code", "kept"),
    [
        (str(2**31 - 1), 2**31 - 1),
        (str(-(2**31)), -(2**31)),
        (str(2**31), 0),
        (str(-(2**31) - 1), 0),
        ("9" * 18, 0),
    ],
)
def test_a_fault_code_is_a_number_of_four_bytes(
    databases: Databases, tmp_path: Path, web: FakeWeb, kind: str, code: str, kept: int
) -> None:
    """XML-RPC, "Scalar values": a longer one fits no column, and a delivery that cannot be recorded is made again."""
    done = told(databases.empty(kind, tmp_path), web, WITH_PINGBACK, fault(code))
    assert (done.outcome, done.code, len(web.posts)) == (Outcome.REFUSED, kept, 1)


MANY = "<link rel=webmention href='ftp://r.example/'>" * 10_000
WITH_WEBMENTION = f"<link rel=webmention href='{ENDPOINT}'>"
DETAILS = {
    "why no endpoint is used": (MANY, Response()),
    "what a receiver says": (WITH_WEBMENTION, Response(400, (), b"no " * 20_000)),
    "where a receiver would lead us": (
        WITH_WEBMENTION,
        Response(307, (("Location", long(URL, "https://r.example:1/")),)),
    ),
    "where its status is": (WITH_WEBMENTION, Response(201, (("Location", long(60_000, S)),))),
}


@pytest.mark.parametrize(("page", "reply"), DETAILS.values(), ids=list(DETAILS))
def test_of_what_a_receiver_says_no_more_is_kept_than_its_limit(web: FakeWeb, page: str, reply: Response) -> None:
    done = told("sqlite://", web, page, reply)
    assert len(done.detail) <= prose.MAX_DETAIL
    assert len(done.status_url) <= URL
    assert len(done.endpoint or "") <= URL
    assert done.protocol in (None, "webmention", pingback.NAME)
