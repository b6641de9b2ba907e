"""What a reading of a feed or sitemap comes to: which posts are published, deleted, remembered, or left alone."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from linkback.errors import BadStatus, ConfigurationError, Refused, StoreError, TimedOut, Unreachable
from linkback.following import Followed, follow
from linkback.jobs import External
from linkback.model import Cause, Outcome
from linkback.policy import Policy
from linkback.site import Site
from linkback.store import Edit
from linkback.store.feeds import Feeds, KnownDocument, KnownPost, Todo
from linkback.store.sql import SqlStore
from linkback.testing import FakeClock, FakeWeb, unreachable
from linkback.wire import Request, Response
from tests.databases import KINDS, Databases

HOME = "https://alice.example/"
FEED, MAP = HOME + "feed.xml", HOME + "sitemap.xml"
BOB = "https://bob.example/"
LISTENS = (("Link", f'<{BOB}webmention>; rel="webmention"'), ("Content-Type", "text/html"))
OLD, NEW = datetime(2015, 3, 2, tzinfo=UTC), datetime(2024, 5, 6, tzinfo=UTC)


def gone(request: Request) -> Response:
    return Response(410)


class Blog:
    """Alice's blog in a small web, where Bob listens by webmention; each post of hers links to a page of his."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = SqlStore.open("sqlite://")
        self.web = FakeWeb({BOB + "webmention": Response(202)})
        self.site = Site(
            HOME,
            store=self.store,
            fetch=self.web,
            runner=External(),
            policy=Policy(recheck_days=0),
            clock=self.clock,
            pause=self.clock.advance,
        )

    def write(self, *names: str, words: str = "", to: str = "") -> None:
        """Have posts, each with a link to Bob's page of its name."""
        for name in names:
            target = BOB + (to or name)
            self.web.pages[HOME + name] = f"<title>{name}</title><p><a href='{target}'>Bob</a> {words}"
            self.web.pages[target] = Response(200, LISTENS, b"<p>post")

    def follow(self, document: str = FEED, **options: Any) -> Followed:
        """Follow a document, and make what is owed, as a second run a day later would."""
        found = follow(self.site, self.store.feeds, document, fetch=self.web, **options)
        self.clock.advance(24 * 3600)
        self.site.drain(patience=600)
        return found

    @property
    def told(self) -> list[tuple[str, str]]:
        """Which pages were told of by which post, in order, and then forgotten."""
        heard = [request.body.decode().replace("%3A", ":").replace("%2F", "/") for request in self.web.posts]
        self.web.requests.clear()
        pairs = [dict(part.split("=", 1) for part in body.split("&")) for body in heard]
        return [(pair["source"].removeprefix(HOME), pair["target"].removeprefix(BOB)) for pair in pairs]

    @property
    def asked(self) -> list[str]:
        """The pages of the blog that were read, in order, and then forgotten."""
        read = [url.removeprefix(HOME) for url in self.web.requested if url.startswith(HOME)]
        self.web.requests.clear()
        return read


@pytest.fixture
def blog() -> Iterator[Blog]:
    blog = Blog()
    with blog.site:
        yield blog


def feed(*names: str, versions: dict[str, str] | None = None, at: datetime = NEW, head: str = "") -> str:
    """An Atom feed of posts; `versions` is what their entries say."""
    entries = "".join(
        f'<entry><id>tag:{name}</id><link href="{name}"/><published>{at.isoformat()}</published>'
        f"<content>{(versions or {}).get(name, '')}first</content></entry>"
        for name in names
    )
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:fh="http://purl.org/syndication/history/1.0"'
        f' xmlns:at="http://purl.org/atompub/tombstones/1.0">{head}{entries}</feed>'
    )


def sitemap(*names: str, lastmod: str = "2024-05-06") -> str:
    when = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    entries = "".join(f"<url><loc>{HOME}{name}</loc>{when}</url>" for name in names)
    return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'


def index(*names: str) -> str:
    parts = "".join(f"<sitemap><loc>{HOME}{name}</loc></sitemap>" for name in names)
    return f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{parts}</sitemapindex>'


def validated(body: str | bytes, etag: str = '"1"') -> Callable[[Request], Response]:
    """An answer with an ETag, and 304 to who has it."""
    data = body.encode() if isinstance(body, str) else body

    def answer(request: Request) -> Response:
        if request.header("If-None-Match") == etag:
            return Response(304, (("ETag", etag),))
        return Response(200, (("ETag", etag), ("Content-Type", "application/xml")), data)

    return answer


def paths(urls: Iterable[str]) -> list[str]:
    return [url.removeprefix(HOME) for url in urls]


@pytest.mark.parametrize("document", [FEED, MAP])
def test_what_is_new_is_told_once(blog: Blog, document: str) -> None:
    blog.write("a", "b")
    blog.web.pages |= {FEED: feed("a", "b"), MAP: sitemap("a", "b")}
    found = blog.follow(document)
    assert (paths(found.new), found.changed, found.troubles) == (["a", "b"], [], [])
    assert [delivery.target for delivery in found.owed] == [BOB + "a", BOB + "b"]
    assert blog.told == [("a", "a"), ("b", "b")]
    again = blog.follow(document)
    assert again == Followed()
    assert blog.asked == paths([document])


def test_a_post_that_joins_is_new_and_the_others_are_not_read(blog: Blog) -> None:
    blog.write("a", "b", "c")
    blog.web.pages[FEED] = feed("a")
    blog.follow()
    blog.web.pages[FEED] = feed("c", "b", "a")
    assert paths(blog.follow().new) == ["c", "b"]
    assert set(blog.asked) == {"feed.xml", "a", "b", "c"}
    assert "a" not in paths(blog.follow().changed)


def test_an_edit_is_told_to_those_whom_it_concerns(blog: Blog) -> None:
    blog.write("a", "b")
    blog.web.pages[FEED] = feed("a", "b")
    blog.follow()
    _ = blog.told
    blog.write("a", words="edited")
    blog.web.pages[FEED] = feed("a", "b", versions={"a": "edited"})
    found = blog.follow()
    assert (paths(found.changed), [delivery.cause for delivery in found.owed]) == (["a"], [Cause.UPDATE])
    assert blog.told == [("a", "a")]


def test_a_new_stamp_alone_tells_nobody(blog: Blog) -> None:
    """A build that gives every page today's date must not have the whole blog told again."""
    blog.write("a", "b")
    blog.web.pages[MAP] = sitemap("a", "b")
    blog.follow(MAP)
    _ = blog.told
    blog.web.pages[MAP] = sitemap("a", "b", lastmod="2024-06-01")
    found = blog.follow(MAP)
    assert (paths(found.changed), found.owed, blog.told) == (["a", "b"], [], [])


def test_a_page_of_which_nothing_is_said_is_looked_at_each_time(blog: Blog) -> None:
    blog.write("a")
    blog.web.pages[MAP] = sitemap("a", lastmod="")
    blog.follow(MAP)
    blog.write("a", words="edited")
    _ = blog.told
    assert paths(blog.follow(MAP).changed) == ["a"]
    assert blog.told == [("a", "a")]


@pytest.mark.parametrize("document", [FEED, MAP])
def test_a_page_of_which_nothing_is_said_counts_as_changed_only_where_that_comes_to_anything(
    blog: Blog, document: str
) -> None:
    blog.write("a")
    blog.web.pages |= {FEED: feed(head=f'<entry><link href="{HOME}a"/></entry>'), MAP: sitemap("a", lastmod="")}
    assert paths(blog.follow(document).new) == ["a"]
    for dry_run in (True, False, False):
        assert blog.follow(document, dry_run=dry_run) == Followed()
    blog.web.pages[HOME + "a"] = Response(503)
    found = blog.follow(document)
    assert (paths(found.changed), len(found.troubles)) == (["a"], 1)
    blog.write("a", words="edited")
    assert paths(blog.follow(document).changed) == ["a"]
    assert paths(blog.follow(document, force=True).changed) == ["a"]


def test_a_document_that_is_as_it_was_is_not_read_again(blog: Blog) -> None:
    blog.write("a")
    blog.web.pages[FEED] = validated(feed("a"))
    blog.follow()
    blog.web.requests.clear()
    assert blog.follow() == Followed()
    assert [(request.url, request.header("If-None-Match")) for request in blog.web.requests] == [(FEED, '"1"')]
    blog.write("b")
    blog.web.pages[FEED] = validated(feed("b", "a"), '"2"')
    assert paths(blog.follow().new) == ["b"]


def test_the_time_of_a_document_is_a_validator_too(blog: Blog) -> None:
    when = "Mon, 06 May 2024 07:00:00 GMT"
    blog.write("a")
    blog.web.pages[FEED] = Response(200, (("Last-Modified", when),), feed("a").encode())
    blog.follow()
    blog.web.requests.clear()
    blog.follow()
    assert blog.web.requests[0].header("If-Modified-Since") == when


def test_force_reads_and_tells_all_again(blog: Blog) -> None:
    blog.write("a", "b")
    blog.web.pages[FEED] = validated(feed("a", "b"))
    blog.follow()
    _ = blog.told
    assert paths(blog.follow(force=True).changed) == ["a", "b"]
    assert blog.told == [("a", "a"), ("b", "b")]


def test_what_force_could_not_do_is_done_by_the_next_reading(blog: Blog) -> None:
    blog.write("a")
    blog.web.pages[FEED] = feed("a")
    blog.follow()
    blog.web.pages[HOME + "a"] = Response(500)
    assert len(blog.follow(force=True).troubles) == 1
    blog.write("a", words="edited")
    _ = blog.told
    blog.follow()
    assert blog.told == [("a", "a")]


def test_a_dry_run_says_what_would_be_and_leaves_no_trace(blog: Blog) -> None:
    blog.write("a", "b")
    blog.web.pages[FEED] = validated(feed("a", "b"))
    for _ in range(2):
        found = blog.follow(dry_run=True)
        assert paths(found.new) == ["a", "b"]
        assert [delivery.target for delivery in found.owed] == [BOB + "a", BOB + "b"]
    assert (blog.told, blog.site.deliveries()) == ([], [])
    assert paths(blog.follow().new) == ["a", "b"]


# what can go wrong with one post


@pytest.mark.parametrize(
    ("answer", "temporary"),
    [
        (Response(503), True),
        (unreachable(HOME + "b"), True),
        (TimedOut(HOME + "b", "the exchange took longer than 10 s"), True),
        (Response(404), True),
        (Response(403), False),
        ("", False),
    ],
    ids=["503", "nobody there", "too slow", "not deployed yet", "403", "empty page"],
)
@pytest.mark.parametrize("same", [True, False], ids=["feed as it was", "feed read again"])
def test_a_post_that_cannot_be_read_keeps_none_back_and_is_tried_again(
    blog: Blog, answer: Response | Exception | str, temporary: bool, same: bool
) -> None:
    blog.write("a", "b", "c")
    blog.web.pages[FEED] = validated(feed("a", "b", "c")) if same else feed("a", "b", "c")
    blog.web.pages[HOME + "b"] = answer
    found = blog.follow()
    assert [(trouble.url, trouble.temporary) for trouble in found.troubles] == [(HOME + "b", temporary)]
    assert "\n" not in found.troubles[0].message
    assert blog.told == [("a", "a"), ("c", "c")]
    assert len(blog.follow().troubles) == 1
    blog.write("b")
    assert blog.follow().troubles == []
    assert blog.told == [("b", "b")]
    assert blog.follow() == Followed()


def test_a_post_that_was_never_read_and_has_left_the_feed_is_let_go(blog: Blog) -> None:
    blog.write("a")
    blog.web.pages[FEED] = feed("a", "b")
    assert len(blog.follow().troubles) == 1
    blog.web.pages[FEED] = feed("a")
    assert blog.follow().troubles == []


def test_a_post_on_an_older_page_that_is_not_deployed_yet_is_tried_until_it_is(blog: Blog) -> None:
    """Also once newer posts have moved it to a page that has no news otherwise."""
    blog.write("a", "b", "d", "e", "f")
    blog.web.pages |= archived(("b",), ("c",), ("a",))
    assert [trouble.temporary for trouble in blog.follow().troubles] == [True]
    for pages in ((("b",), ("c",), ("a",)), (("f", "e"), ("d", "b"), ("c", "a"))):
        blog.web.pages |= archived(*pages)
        assert [(trouble.url, trouble.temporary) for trouble in blog.follow().troubles] == [(HOME + "c", True)]
    _ = blog.told
    blog.write("c")
    assert blog.follow().troubles == []
    assert blog.told == [("c", "c")]
    assert blog.follow() == Followed()


@pytest.mark.parametrize("remember", [True, False])
def test_a_post_that_was_never_read_and_has_left_the_older_pages_is_let_go(blog: Blog, remember: bool) -> None:
    blog.write("a", "b")
    blog.web.pages |= archived(("b",), ("c", "a"))
    assert len(blog.follow(remember=remember).troubles) == 1
    blog.web.pages |= archived(("b",), ("a",))
    for _ in range(2):
        assert blog.follow() == Followed()


def test_an_older_page_that_cannot_be_read_now_lets_no_post_of_it_go(blog: Blog) -> None:
    blog.write("a", "b")
    pages = archived(("b",), ("c", "a"))
    blog.web.pages |= pages
    blog.follow()
    blog.web.pages[f"{FEED}?2"] = Response(502)
    assert {trouble.url for trouble in blog.follow().troubles} == {f"{FEED}?2", HOME + "c"}
    blog.web.pages |= pages
    blog.write("c")
    _ = blog.told
    blog.follow()
    assert blog.told == [("c", "c")]


def test_a_tombstone_lets_a_post_go_that_was_never_read(blog: Blog) -> None:
    blog.write("a")
    blog.web.pages |= archived(("a",), ("b",))
    assert len(blog.follow().troubles) == 1
    blog.web.pages[FEED] = feed("a", head=f'<at:deleted-entry ref="tag:b"/><link rel="next" href="{FEED}?3"/>')
    assert [trouble.url for trouble in blog.follow().troubles] == [f"{FEED}?3"]
    assert [post.gone for post in blog.store.feeds.posts(HOME, FEED).values()] == [False, True]


def test_only_posts_of_the_site_are_published(blog: Blog) -> None:
    blog.write("a")
    links = ["https://carol.example/x", "http://alice.example/a", "https://alice.example.evil.example/"]
    others = "".join(f'<entry><link href="{link}"/><updated>2024-05-06T00:00:00Z</updated></entry>' for link in links)
    blog.web.pages[FEED] = feed("a", head=others)
    found = blog.follow()
    assert (paths(found.new), found.skipped) == (["a"], links)
    assert set(blog.web.requested) & set(links) == set()


def test_a_document_that_cannot_be_read_changes_nothing(blog: Blog) -> None:
    blog.write("a")
    for answer, error in (
        (Response(404), BadStatus),
        (Response(500), BadStatus),
        (unreachable(FEED), Unreachable),
        ("<p>an error page", Refused),
    ):
        blog.web.pages[FEED] = answer
        with pytest.raises(error, match=r"feed\.xml"):
            blog.follow()
    blog.web.pages[FEED] = feed("a")
    assert paths(blog.follow().new) == ["a"]


def stopped(blog: Blog, monkeypatch: pytest.MonkeyPatch, method: str, after: int) -> None:
    """Follow the feed, and die as a record of the memory is to be written for the one time more than `after`."""
    real, calls = getattr(Feeds, method), iter(range(after))

    def dying(*arguments: Any) -> None:
        if next(calls, None) is None:
            raise StoreError("the process was killed")
        real(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Feeds, method, dying)
        with pytest.raises(StoreError, match="killed"):
            blog.follow()


STOPS = [("keep_documents", 0), *(("keep_post", number) for number in range(6)), ("keep_documents", 1)]


@pytest.mark.parametrize("more", [["n7"], []], ids=["newer ones since", "nothing since"])
@pytest.mark.parametrize("failing", ["", "n6", "n3", "n2"])
@pytest.mark.parametrize(("method", "after"), STOPS)
def test_who_is_stopped_anywhere_tells_the_rest_next_time_and_nobody_twice(
    blog: Blog, monkeypatch: pytest.MonkeyPatch, method: str, after: int, failing: str, more: list[str]
) -> None:
    """Also where a page of news was told to its end, or one of the posts could not be read."""
    told_of(blog, FEED, feed, "old")
    news = ["n6", "n5", "n4", "n3", "n2", "n1"]
    blog.write(*news, *more)
    if failing:
        blog.web.pages[HOME + failing] = Response(503)
    blog.web.pages |= archived(("n6", "n5"), ("n4", "n3"), ("n2", "n1"), ("old",))
    stopped(blog, monkeypatch, method, after)
    blog.write(failing or "n6")
    if more:
        blog.web.pages |= archived(("n7", "n6"), ("n5", "n4"), ("n3", "n2"), ("n1", "old"))
    assert blog.follow().troubles == []
    assert sorted(blog.told) == [(name, name) for name in sorted([*news, *more])]
    assert (blog.follow(), blog.told) == (Followed(), [])


def test_a_page_that_was_not_read_is_read_also_by_whom_was_stopped_before(
    blog: Blog, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_of(blog, FEED, feed, "old")
    blog.write("a", "b", "c")
    blog.web.pages |= archived(("c",), ("b",), ("a",), ("old",)) | {f"{FEED}?3": Response(502)}
    stopped(blog, monkeypatch, "keep_documents", 1)
    blog.web.pages |= archived(("c",), ("b",), ("a",), ("old",))
    assert paths(blog.follow().new) == ["a"]


def test_who_is_stopped_while_all_is_told_by_force_loses_no_news(blog: Blog, monkeypatch: pytest.MonkeyPatch) -> None:
    told_of(blog, FEED, feed, "old")
    blog.write("a", "b", "c")
    blog.web.pages |= archived(("c",), ("b",), ("a",), ("old",))
    with monkeypatch.context() as patched:
        patched.setattr(blog, "follow", partial(blog.follow, force=True))
        stopped(blog, monkeypatch, "keep_post", 1)
    assert paths(blog.follow().new) == ["a"]


# posts that are deleted


def told_of(blog: Blog, document: str, listing: Callable[..., str], *names: str) -> None:
    """Have posts known and told of."""
    blog.write(*names)
    blog.web.pages[document] = listing(*names)
    blog.follow(document)
    _ = blog.told


def complete(*names: str) -> str:
    return feed(*names, head="<fh:complete/>")


@pytest.mark.parametrize("listing", [sitemap, complete], ids=["sitemap", "complete feed"])
@pytest.mark.parametrize(
    "answer",
    [gone, "<meta http-equiv=status content='410 Gone'><p>deleted"],
    ids=["410", "meta"],
)
def test_a_post_that_is_listed_no_more_and_answers_gone_is_told_as_deleted(
    blog: Blog, listing: Callable[..., str], answer: str | Callable[[Request], Response]
) -> None:
    told_of(blog, MAP, listing, "a", "b")
    blog.web.pages |= {MAP: listing("a"), HOME + "b": answer}
    found = blog.follow(MAP)
    assert (paths(found.removed), [delivery.cause for delivery in found.owed]) == (["b"], [Cause.DELETED])
    assert blog.told == [("b", "b")]
    assert blog.follow(MAP) == Followed()


def test_a_post_that_has_only_left_the_window_of_a_feed_is_not_looked_for(blog: Blog) -> None:
    told_of(blog, FEED, feed, "a", "b")
    blog.web.pages |= {FEED: feed("a"), HOME + "b": gone}
    assert blog.follow() == Followed()
    assert blog.asked == ["feed.xml"]


def test_a_post_that_is_listed_no_more_and_answers_404_is_named_until_it_answers_gone(blog: Blog) -> None:
    told_of(blog, MAP, sitemap, "a", "b")
    blog.web.pages[MAP] = validated(sitemap("a"))
    del blog.web.pages[HOME + "b"]
    for _ in range(2):
        (trouble,) = blog.follow(MAP).troubles
        assert (trouble.url, trouble.temporary) == (HOME + "b", False)
        assert "410" in trouble.message
    assert blog.told == []
    blog.web.pages[HOME + "b"] = gone
    assert paths(blog.follow(MAP).removed) == ["b"]


def test_a_missing_post_of_which_nobody_was_told_is_nobodys_trouble(blog: Blog) -> None:
    blog.web.pages |= {HOME + "b": "<p>no links", MAP: sitemap("b")}
    blog.follow(MAP)
    blog.web.pages[MAP] = sitemap()
    del blog.web.pages[HOME + "b"]
    assert blog.follow(MAP) == Followed()


def test_a_post_that_is_listed_no_more_and_still_there_is_left(blog: Blog) -> None:
    told_of(blog, MAP, sitemap, "a", "b")
    blog.web.pages[MAP] = sitemap("a")
    assert blog.follow(MAP) == Followed()
    assert blog.told == []
    blog.web.pages[HOME + "b"] = gone
    assert paths(blog.follow(MAP).removed) == ["b"]


def test_a_sitemap_that_lost_its_posts_deletes_none(blog: Blog) -> None:
    """A build that failed is no news."""
    told_of(blog, MAP, sitemap, "a", "b")
    blog.web.pages[MAP] = sitemap()
    assert blog.follow(MAP) == Followed()
    blog.web.pages[MAP] = sitemap("a", "b")
    assert blog.follow(MAP) == Followed()
    assert blog.told == []


def test_a_post_that_comes_back_is_told_again(blog: Blog) -> None:
    told_of(blog, MAP, sitemap, "a", "b")
    blog.web.pages |= {MAP: sitemap("a"), HOME + "b": gone}
    blog.follow(MAP)
    _ = blog.told
    blog.write("b")
    blog.web.pages[MAP] = sitemap("a", "b")
    assert paths(blog.follow(MAP).changed) == ["b"]
    assert blog.told == [("b", "b")]


@pytest.mark.parametrize("ref", ["tag:b", HOME + "b"], ids=["id", "url"])
@pytest.mark.parametrize("deleted", [True, False])
def test_a_tombstone_has_its_post_looked_for(blog: Blog, ref: str, deleted: bool) -> None:
    told_of(blog, FEED, feed, "a", "b")
    stone = f'<at:deleted-entry ref="{ref}" when="2024-05-06T00:00:00Z"/>'
    blog.web.pages[FEED] = feed("a", head=stone)
    if deleted:
        blog.web.pages[HOME + "b"] = gone
    assert paths(blog.follow().removed) == ["b"] * deleted


def test_a_listed_post_that_answers_gone_is_deleted(blog: Blog) -> None:
    told_of(blog, FEED, feed, "a")
    blog.web.pages |= {FEED: feed("a", versions={"a": "2"}), HOME + "a": gone}
    assert paths(blog.follow().removed) == ["a"]
    assert blog.told == [("a", "a")]
    assert blog.follow() == Followed()


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_changed_post_that_answers_gone_counts_as_removed_alone(blog: Blog, dry_run: bool) -> None:
    told_of(blog, FEED, feed, "a", "b")
    blog.write("b", words="edited")
    blog.web.pages |= {FEED: feed("a", "b", versions={"a": "2", "b": "2"}), HOME + "a": gone}
    found = blog.follow(dry_run=dry_run)
    assert (paths(found.changed), paths(found.removed), found.new) == (["b"], ["a"], [])


# documents that belong together


def archived(*pages: tuple[str, ...], rel: str = "prev-archive") -> dict[str, Any]:
    """A feed and its older pages, as FEED, FEED?2, FEED?3 and so on."""
    names = [FEED, *(f"{FEED}?{number}" for number in range(2, len(pages) + 1))]
    return {
        name: feed(*posts, head=f'<link rel="{rel}" href="{names[number + 1]}"/>' if number + 1 < len(names) else "")
        for number, (name, posts) in enumerate(zip(names, pages, strict=True))
    }


@pytest.mark.parametrize("rel", ["prev-archive", "next"])
def test_the_first_reading_goes_back_to_the_beginning_and_later_ones_only_as_far_as_is_new(
    blog: Blog, rel: str
) -> None:
    blog.write("a", "b", "c", "d", "e")
    blog.web.pages |= archived(("d",), ("c",), ("b",), ("a",), rel=rel)
    assert paths(blog.follow().new) == ["d", "c", "b", "a"]
    blog.web.requests.clear()
    blog.web.pages |= archived(("e",), ("d",), ("c",), ("b", "a"), rel=rel)
    assert paths(blog.follow().new) == ["e"]
    assert blog.asked == ["feed.xml", "feed.xml?2", "e"]
    blog.follow()
    assert blog.asked == ["feed.xml"]


def test_posts_of_others_lead_no_reading_back(blog: Blog) -> None:
    """They are new each time."""
    blog.write("a", "b")
    blog.web.pages |= archived(("a",), ("b",))
    linked = '<entry><link href="https://carol.example/x"/><updated>2024-05-06T00:00:00Z</updated></entry>'
    blog.follow()
    blog.web.pages[FEED] = feed("a", head=f'<link rel="next" href="{FEED}?2"/>{linked}')
    blog.web.requests.clear()
    blog.follow()
    assert blog.asked == ["feed.xml"]


def test_a_walk_that_was_cut_short_is_made_to_its_end_next_time(blog: Blog) -> None:
    blog.write("a", "b", "c")
    pages = archived(("c",), ("b",), ("a",))
    blog.web.pages |= pages | {FEED: validated(pages[FEED]), f"{FEED}?3": Response(502)}
    found = blog.follow()
    assert (paths(found.new), [trouble.temporary for trouble in found.troubles]) == (["c", "b"], [True])
    blog.web.pages[f"{FEED}?3"] = pages[f"{FEED}?3"]
    assert paths(blog.follow().new) == ["a"]
    blog.web.requests.clear()
    assert (blog.follow(), blog.asked) == (Followed(), ["feed.xml"])


def test_pages_that_lead_in_a_ring_are_read_once(blog: Blog) -> None:
    blog.write("a", "b")
    blog.web.pages |= {
        FEED: feed("a", head='<link rel="next" href="/feed.xml?2"/>'),
        f"{FEED}?2": feed("b", head='<link rel="next" href="/feed.xml"/>'),
    }
    assert paths(blog.follow().new) == ["a", "b"]
    assert [page for page in blog.asked if page.startswith("feed")] == ["feed.xml", "feed.xml?2"]


@pytest.mark.parametrize(("older", "trouble"), [(5, []), (6, ["more than 5 pages of one feed"])])
def test_as_many_older_pages_are_read_as_may_be(
    blog: Blog, older: int, trouble: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linkback.walk._MOST_DOCUMENTS", 5)
    documents = [FEED, *(f"{FEED}?{number}" for number in range(older))]
    for document, onward in itertools.pairwise([*documents, ""]):
        blog.web.pages[document] = feed(head=f'<link rel="next" href="{onward}"/>' if onward else "")
    found = blog.follow()
    assert [each.message for each in found.troubles] == trouble
    assert len(blog.asked) == 6


@pytest.mark.parametrize(("parts", "trouble"), [(5, []), (6, ["more than 5 sitemaps"])])
def test_as_many_parts_of_an_index_are_read_as_may_be(
    blog: Blog, parts: int, trouble: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linkback.walk._MOST_DOCUMENTS", 5)
    names = [f"{number}.xml" for number in range(parts)]
    blog.web.pages |= {MAP: index(*names)} | {HOME + name: sitemap() for name in names}
    assert [each.message for each in blog.follow(MAP).troubles] == trouble
    assert blog.asked == [MAP.removeprefix(HOME), *names[:5]]


def test_pages_without_end_are_left_at_some_point(blog: Blog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linkback.walk._MOST_DOCUMENTS", 5)
    numbers = iter(range(1000))
    endless = feed(head='<link rel="next" href="/feed.xml?{}"/>')

    def answer(request: Request) -> Response:
        return Response(200, (), endless.format(next(numbers)).encode())

    blog.web.pages |= {FEED: answer} | {f"{FEED}?{number}": answer for number in range(50)}
    (trouble,) = blog.follow().troubles
    assert "more than 5 pages" in trouble.message


def test_the_parts_of_an_index_are_read_only_when_they_changed(blog: Blog) -> None:
    blog.write("a", "b", "c")
    blog.web.pages |= {
        MAP: validated(index("1.xml", "2.xml.gz")),
        HOME + "1.xml": validated(sitemap("a")),
        HOME + "2.xml.gz": validated(gzip.compress(sitemap("b").encode())),
    }
    assert paths(blog.follow(MAP).new) == ["a", "b"]
    blog.web.pages[HOME + "1.xml"] = validated(sitemap("c"), '"2"')
    _ = blog.told
    blog.web.pages[HOME + "a"] = gone
    found = blog.follow(MAP)
    assert (paths(found.new), paths(found.removed), found.troubles) == (["c"], ["a"], [])
    assert HOME + "b" not in blog.web.requested
    assert blog.told == [("c", "c"), ("a", "a")]


@pytest.mark.parametrize("answer", [Response(503), "<p>no sitemap", index("1.xml")], ids=["503", "page", "index"])
def test_nothing_is_missing_while_a_part_of_an_index_cannot_be_read(blog: Blog, answer: Response | str) -> None:
    blog.write("a", "b")
    blog.web.pages |= {MAP: index("1.xml", "2.xml"), HOME + "1.xml": sitemap("a"), HOME + "2.xml": sitemap("b")}
    blog.follow(MAP)
    blog.web.pages |= {HOME + "1.xml": answer, HOME + "a": gone}
    found = blog.follow(MAP)
    assert (found.removed, [trouble.url for trouble in found.troubles]) == ([], [HOME + "1.xml"])


def test_posts_of_a_part_that_the_index_dropped_are_looked_for(blog: Blog) -> None:
    blog.write("a", "b")
    blog.web.pages |= {
        MAP: index("1.xml", "2.xml"),
        HOME + "1.xml": validated(sitemap("a")),
        HOME + "2.xml": sitemap("b"),
    }
    blog.follow(MAP)
    blog.web.pages |= {MAP: index("1.xml"), HOME + "b": gone}
    assert paths(blog.follow(MAP).removed) == ["b"]


# old blogs


@pytest.mark.parametrize(
    ("options", "told"),
    [({"remember": True}, []), ({"since": OLD + timedelta(days=1)}, [("new", "new")]), ({"since": OLD}, "all")],
    ids=["remember", "since", "since the beginning"],
)
def test_old_posts_may_become_known_without_anybody_being_told(
    blog: Blog, options: dict[str, Any], told: list[tuple[str, str]] | str
) -> None:
    blog.write("new", "old")
    blog.web.pages |= {
        FEED: feed("new", head='<link rel="next" href="/feed.xml?2"/>'),
        f"{FEED}?2": feed("old", at=OLD),
    }
    found = blog.follow(**options)
    expected = [("new", "new"), ("old", "old")] if told == "all" else told
    assert blog.told == expected
    assert len(found.remembered) == 2 - len(expected)
    # from now on, without the option
    blog.follow()
    assert blog.told == []


def test_a_post_without_a_date_counts_as_old(blog: Blog) -> None:
    blog.write("a")
    blog.web.pages[MAP] = sitemap("a", lastmod="")
    assert paths(blog.follow(MAP, since=OLD).remembered) == ["a"]


def test_a_remembered_post_tells_once_it_links_to_other_pages(blog: Blog) -> None:
    blog.write("a", "b")
    blog.web.pages[MAP] = sitemap("a", "b")
    blog.follow(MAP, remember=True)
    blog.write("a", words="a new template")
    blog.write("b", to="elsewhere")
    blog.web.pages[MAP] = sitemap("a", "b", lastmod="2024-06-01")
    _ = blog.told
    blog.follow(MAP)
    assert blog.told == [("b", "elsewhere")]
    assert blog.follow(MAP) == Followed()


def test_a_remembered_post_that_cannot_be_read_is_not_told_next_time(blog: Blog) -> None:
    blog.web.pages |= {FEED: feed("a"), HOME + "a": Response(500)}
    assert len(blog.follow(remember=True).troubles) == 1
    blog.write("a")
    found = blog.follow()
    assert (paths(found.remembered), blog.told) == (["a"], [])


def test_what_is_remembered_can_be_told_by_force(blog: Blog) -> None:
    blog.write("a")
    blog.web.pages[FEED] = feed("a")
    blog.follow(remember=True)
    blog.follow(force=True)
    assert blog.told == [("a", "a")]


def test_since_needs_an_offset(blog: Blog) -> None:
    with pytest.raises(ConfigurationError, match="offset"):
        blog.follow(since=datetime(2024, 1, 1))


# files


def test_a_file_that_was_built_elsewhere_is_the_same_feed(blog: Blog, tmp_path: Path) -> None:
    blog.write("a", "b")
    for number, names in enumerate([("a",), ("a",), ("b", "a")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "feed.xml").write_text(feed(*names).replace('href="', f'href="{HOME}'))
        assert paths(blog.follow(str(folder / "feed.xml")).new) == [["a"], [], ["b"]][number]


@pytest.mark.parametrize("path", ["none.xml", "", ".", "a\0b", "ftp://alice.example/feed.xml"])
def test_a_file_that_is_not_there_is_named(blog: Blog, tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigurationError, match="give the URL of a feed or sitemap, or its file"):
        blog.follow(f"{tmp_path}/{path}" if path != "ftp://alice.example/feed.xml" else path)


def test_a_failed_delivery_is_no_trouble_of_the_post(blog: Blog) -> None:
    blog.write("a")
    blog.web.pages |= {FEED: feed("a"), BOB + "webmention": Response(400)}
    assert blog.follow().troubles == []
    assert [delivery.outcome for delivery in blog.site.deliveries()] == [Outcome.REFUSED]


# the memory, in every database


# several listings of one blog


def test_a_post_that_another_listing_had_told_is_not_new(blog: Blog) -> None:
    """What it says since then is told, and what only the second names is new."""
    blog.write("a", "b", "c")
    blog.web.pages |= {FEED: feed("a", "b"), MAP: sitemap("a", "b", "c")}
    assert paths(blog.follow().new) == ["a", "b"]
    blog.write("b", words="edited")
    found = blog.follow(MAP)
    assert (paths(found.new), paths(found.changed)) == (["c"], ["b"])
    assert blog.told == [("a", "a"), ("b", "b"), ("b", "b"), ("c", "c")]
    assert blog.follow(MAP) == Followed()


def test_a_post_that_was_published_by_itself_is_not_new(blog: Blog) -> None:
    blog.write("a")
    blog.site.publish(HOME + "a")
    blog.web.pages[FEED] = feed("a")
    for dry_run in (True, False, False):
        assert blog.follow(dry_run=dry_run) == Followed()
    assert blog.told == [("a", "a")]


def test_a_post_that_another_listing_only_remembered_tells_nobody(blog: Blog) -> None:
    """Until it links to other pages than it did then."""
    blog.write("a")
    blog.web.pages |= {FEED: feed("a"), MAP: sitemap("a")}
    blog.follow(remember=True)
    for dry_run in (True, False):
        assert blog.follow(MAP, dry_run=dry_run) == Followed()
    assert blog.told == []
    blog.write("a", to="other")
    blog.web.pages[MAP] = sitemap("a", lastmod="2024-06-01")
    assert paths(blog.follow(MAP).changed) == ["a"]
    assert blog.told == [("a", "other")]


@pytest.mark.parametrize("document", [FEED, MAP])
def test_a_post_that_another_listing_is_still_to_remember_tells_nobody(blog: Blog, document: str) -> None:
    """Its page could not be read then; it tells once it links to other pages than when it can."""
    other = MAP if document == FEED else FEED
    blog.web.pages |= {FEED: feed("a"), MAP: sitemap("a"), HOME + "a": Response(503)}
    assert len(blog.follow(document, remember=True).troubles) == 1
    assert len(blog.follow(other).troubles) == 1
    blog.write("a")
    for dry_run in (True, False):
        found = blog.follow(other, dry_run=dry_run)
        assert (found.new, paths(found.remembered), found.owed) == ([], ["a"], [])
    assert blog.follow(other) == Followed()
    assert blog.told == []
    blog.write("a", to="other")
    blog.web.pages |= {FEED: feed("a", versions={"a": "2"}), MAP: sitemap("a", lastmod="2024-06-01")}
    blog.follow(other)
    assert blog.told == [("a", "other")]


def test_a_post_that_another_listing_is_still_to_remember_can_be_told_by_force(blog: Blog) -> None:
    blog.web.pages |= {FEED: feed("a"), MAP: sitemap("a"), HOME + "a": Response(503)}
    blog.follow(MAP, remember=True)
    blog.write("a")
    blog.follow(force=True)
    assert blog.told == [("a", "a")]


def test_a_known_post_that_cannot_be_read_now_is_not_new_when_it_can(blog: Blog) -> None:
    blog.write("a")
    blog.site.publish(HOME + "a")
    blog.web.pages |= {MAP: sitemap("a"), HOME + "a": Response(503)}
    found = blog.follow(MAP)
    assert (found.new, paths(found.changed), len(found.troubles)) == ([], ["a"], 1)
    blog.write("a")
    assert blog.follow(MAP) == Followed()


@pytest.mark.parametrize("document", [FEED, MAP])
def test_a_document_of_another_site_is_told_and_not_taken_for_read(blog: Blog, document: str) -> None:
    others = ["https://alice.example.org/a", "http://alice.example/b"]
    entries = "".join(f'<entry><link href="{url}"/></entry>' for url in others)
    blog.web.pages |= {
        FEED: validated(feed(head=entries)),
        MAP: validated("".join(f"{url}\n" for url in others)),
    }
    for _ in range(2):
        assert blog.follow(document) == Followed(skipped=others, foreign=True)
    blog.write("a")
    blog.web.pages[document] = validated(feed("a", head=entries), '"2"')
    found = blog.follow(document)
    assert (paths(found.new), found.foreign) == (["a"], False)


def test_an_empty_document_is_nobodys(blog: Blog) -> None:
    blog.web.pages[FEED] = feed()
    assert blog.follow() == Followed()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_of_a_feed_is_given_back_as_it_was(databases: Databases, kind: str, tmp_path: Path) -> None:
    store = SqlStore.open(databases.empty(kind, tmp_path))
    long, feeds = HOME + "x" * 1900 + "é猫", store.feeds
    documents = [KnownDocument(url=FEED, etag='W/"a"'), KnownDocument(url=long, last_modified="then", walked=False)]
    posts = [
        KnownPost(url=long, id="tag:é", stamp="1" * 64, part=MAP, todo=Todo.LOOK, unpaid="2" * 64),
        KnownPost(url=long.upper(), gone=True),
    ]
    for _ in range(2):
        feeds.keep_documents(HOME, FEED, documents)
        for post in posts:
            feeds.keep_post(HOME, FEED, post)
    assert list(feeds.documents(HOME, FEED).values()) == documents
    assert list(feeds.posts(HOME, FEED).values()) == posts
    changed = replace(posts[0], todo=Todo.NOTHING, stamp="3" * 64)
    feeds.keep_post(HOME, FEED, changed)
    assert feeds.posts(HOME, FEED)[long] == changed
    assert (feeds.posts(HOME, MAP), feeds.documents(BOB, FEED)) == ({}, {})
    assert (feeds.unpaid(HOME), feeds.unpaid(BOB)) == ({long: "2" * 64}, {})
    for listing in (MAP, HOME):
        feeds.keep_post(HOME, listing, KnownPost(url=long, todo=Todo.REMEMBER))
        feeds.keep_post(HOME, listing, KnownPost(url=FEED, todo=Todo.REMEMBER))
        feeds.keep_post(HOME, listing, KnownPost(url=MAP, todo=Todo.PUBLISH))
    assert feeds.unpaid(HOME) == {long: "2" * 64, FEED: ""}
    store.record_edit(Edit(site=HOME, source=long, targets=[], now=NEW))
    assert [feeds.published(*asked) for asked in ((HOME, long), (HOME, HOME), (BOB, long))] == [True, False, False]
    store.close()
