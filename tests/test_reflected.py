"""What linkback answers names pages of strangers, and is nobody's word for a link to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from linkback import urls
from linkback.jobs import External
from linkback.model import Claim, Status
from linkback.policy import Policy, Retry
from linkback.protocols import Pingback, TrackBack, Webmention
from linkback.site import Site
from linkback.sites import Sites
from linkback.store import open_store
from linkback.testing import FakeWeb
from linkback.web.app import App
from linkback.wire import NO_SOURCE, Request, Response

ANN, BOB = "https://ann.example/", "https://bob.example/"
POST, OTHER = ANN + "post", BOB + "any"
PROTOCOLS = (Webmention(), Pingback(), TrackBack(rss=True))


def blog(url: str, web: FakeWeb) -> Site:
    policy = Policy(settle_seconds=0, second_look_seconds=0, pair_seconds=0, recheck_days=0)
    retry = Retry(delays=())
    return Site(url, store="sqlite://", fetch=web, runner=External(), policy=policy, retry=retry, protocols=PROTOCOLS)


def answered(site: Site | Sites, url: str) -> Response:
    return App(site).handle(Request("GET", url), "/" + urls.without_query(url).partition("example/")[2])


class Blogs:
    """Ann's and Bob's, where all that a stranger can ask their endpoints for can be fetched."""

    def __init__(self) -> None:
        # Ann's post does link to Bob's, and Bob's to nothing
        self.web = FakeWeb({POST: f"<title>A post</title><a href={OTHER}>Bob</a>"})
        self.ann, self.bob = blog(ANN, self.web), blog(BOB, self.web)

    def asked(self, site: Site, path: str) -> str:
        """The URL of an answer."""
        url = site.url + path
        self.web.pages[url] = lambda request: answered(site, request.url)
        return url

    def status(self, site: Site, source: str, target: str) -> str:
        return self.asked(site, f"status/{site.receive(Claim('webmention', source, target)).id}")

    def mentioned(self) -> None:
        """Bob hears of Ann's post, and lists it."""
        self.bob.receive(Claim("webmention", POST, OTHER))
        self.bob.drain()
        assert [mention.source for mention in self.bob.mentions(OTHER)] == [POST]


@pytest.fixture
def blogs() -> Iterator[Blogs]:
    blogs = Blogs()
    with blogs.ann, blogs.bob:
        yield blogs


def at(target: str) -> str:
    return "?" + urls.query({"target": target})


#: what names Ann's post only because a stranger did, at Bob's
MADE_UP: dict[str, Callable[[Blogs], str]] = {
    "mentions of a page of nobody": lambda blogs: blogs.asked(blogs.bob, "mentions" + at(POST)),
    "thread of a page of nobody": lambda blogs: blogs.asked(blogs.bob, "thread" + at(POST)),
}


def heard(blogs: Blogs, url: str) -> str:
    blogs.mentioned()
    return url


#: what names it rightly, or to Ann herself
TRUE: dict[str, Callable[[Blogs], str]] = {
    "mentions by the post": lambda blogs: heard(blogs, blogs.asked(blogs.bob, "mentions" + at(OTHER))),
    "thread with the post": lambda blogs: heard(blogs, blogs.asked(blogs.bob, "thread" + at(OTHER))),
    "list of trackbacks": lambda blogs: heard(blogs, blogs.asked(blogs.bob, f"trackback{at(OTHER)}&__mode=rss")),
    "status of a true claim": lambda blogs: heard(blogs, blogs.status(blogs.bob, POST, OTHER)),
    "her own mentions": lambda blogs: blogs.asked(blogs.ann, "mentions" + at(POST)),
    "her own thread": lambda blogs: blogs.asked(blogs.ann, "thread" + at(POST)),
    "a status of her own": lambda blogs: blogs.status(blogs.ann, "https://nobody.example/", POST),
}
EVERY = MADE_UP | TRUE


@pytest.mark.parametrize("protocol", ["webmention", "pingback", "trackback"])
@pytest.mark.parametrize("answer", EVERY.values(), ids=list(EVERY))
def test_an_answer_of_linkback_is_no_source(blogs: Blogs, answer: Callable[[Blogs], str], protocol: str) -> None:
    source = answer(blogs)
    blogs.ann.receive(Claim(protocol, source, POST))
    blogs.bob.drain()
    blogs.ann.drain()
    assert source in blogs.web.requested
    assert blogs.ann.mentions(statuses=None) == []


@pytest.mark.parametrize("answer", TRUE.values(), ids=list(TRUE))
def test_without_its_mark_it_would_be_one(blogs: Blogs, answer: Callable[[Blogs], str]) -> None:
    source = answer(blogs)
    blogs.bob.drain()
    found = blogs.web.get(source)
    assert NO_SOURCE in found.headers
    blogs.web.pages[source] = replace(found, headers=tuple(field for field in found.headers if field != NO_SOURCE))
    blogs.ann.receive(Claim("webmention", source, POST))
    blogs.ann.drain()
    assert [mention.source for mention in blogs.ann.mentions(POST)] == [source]


@pytest.mark.parametrize("answer", MADE_UP.values(), ids=list(MADE_UP))
def test_no_answer_repeats_a_url_that_only_a_stranger_named(blogs: Blogs, answer: Callable[[Blogs], str]) -> None:
    """For those who receive by other means than linkback, and do not know the mark."""
    body = blogs.web.get(answer(blogs)).body
    assert ANN.encode() not in body
    assert b"null" in body


def test_a_mention_that_linkback_answered_for_goes_when_it_is_looked_at_again(blogs: Blogs) -> None:
    source = blogs.asked(blogs.bob, "mentions" + at(OTHER))
    blogs.web.pages[source] = f"<a href={POST}>x</a>"
    blogs.ann.receive(Claim("webmention", source, POST))
    blogs.ann.drain()
    [mention] = blogs.ann.mentions(POST)
    blogs.mentioned()
    blogs.asked(blogs.bob, "mentions" + at(OTHER))
    blogs.ann.receive(Claim("webmention", source, POST))
    blogs.ann.drain()
    assert [each.status for each in blogs.ann.mentions(statuses=None)] == [Status.REMOVED]
    assert blogs.ann.mentions(POST) == []
    assert mention.source == source


@pytest.mark.parametrize("path", ["mentions", "thread"])
@pytest.mark.parametrize(
    ("target", "repeated"),
    [
        (ANN + "post", True),
        (ANN + "draft", True),
        (BOB + "any", True),
        ("http://www.bob.example/any", True),
        ("https://old.example/any", True),
        ("http://ann.example/post", False),
        ("https://carol.example/post", False),
        ("https://ann.example.evil.example/post", False),
    ],
)
def test_a_page_that_is_asked_about_is_named_where_it_may_be_ours(path: str, target: str, repeated: bool) -> None:
    """By its address alone: whether there is such a post, or a draft, is not told."""
    store = open_store("sqlite://")
    ann = Site(ANN, store=store, runner=External())
    bob = Site(BOB, store=store, runner=External(), resolve=lambda url: None, hosts=["old.example"])
    with Sites([ann, bob], store=store, runner=External()) as sites:
        found = answered(sites, f"https://hosting.example/{path}{at(target)}")
    assert (target.encode() in found.body) is repeated
    assert found.status == 200
