"""Two blogs that link to each other, show each other's mentions, and publish anew whenever they hear of one.

Rule: what a blog shows of others is no news of its own, so the talk ends.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest

from linkback.adapters.wsgi import around
from linkback.fetch import Fetcher
from linkback.forms import read_form
from linkback.jobs import External
from linkback.model import Mention
from linkback.policy import Outgoing, Policy
from linkback.protocols import BUILTIN, advertise_headers, advertise_markup
from linkback.site import Site
from linkback.testing import FakeClock, FakeWeb
from linkback.web.app import App
from linkback.web.render import thread
from linkback.wire import Fetch, Request, Response
from tests.serving import LOOPBACK, served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

ROUNDS = 100
HTML = ("Content-Type", "text/html; charset=utf-8")

Draw = Callable[[Sequence[Mention]], str]


def by_hand(mentions: Sequence[Mention]) -> str:
    """What a host draws itself that marks nothing: the links of others look like its own."""
    lines = (
        f"<li><a href='{escape(one.source)}'>{escape(one.title)}</a> by {escape(one.author.name)}:"
        f" {escape(one.excerpt)} {one.kind} {one.published} {one.received} {'+'.join(one.protocols)}"
        for one in mentions
    )
    return f"<ol>{''.join(lines)}</ol>"


def with_the_time(mentions: Sequence[Mention]) -> str:
    """And that says when each was seen last."""
    return "".join(f"{by_hand([one])}<p>seen {one.checked}</p>" for one in mentions)


def as_citations(mentions: Sequence[Mention]) -> str:
    """In the microformats of the IndieWeb."""
    lines = (
        f"<li class='u-comment h-cite'><a class='u-url' rel='nofollow ugc' href='{escape(one.source)}'>"
        f"{escape(one.title)}</a><div class='e-content p-name'>{escape(one.excerpt)}</div>"
        for one in mentions
    )
    return f"<ol>{''.join(lines)}</ol>"


_TOP = "<!doctype html><title>{title}</title>"
#: where the thread stands, and how the page says what its post is
LAYOUTS = {
    "after the post": _TOP + "<article class=h-entry><h1 class=p-name>A post</h1>{body}</article>{thread}",
    "in the post": _TOP + "<article class=h-entry><h1 class=p-name>A post</h1>{body}{thread}</article>",
    "in its content": _TOP + "<div class=h-entry><div class=e-content>{body}{thread}</div></div>",
    "on a page that says nothing": _TOP + "<h1>A post</h1>{body}{thread}",
    "before the post": _TOP + "{thread}<article><h1>A post</h1>{body}</article>",
}


class Blog:
    """One post, its thread, and an engine that publishes it whenever it hears of a mention.

    `address` is the blog's, `other` the page that its post links to. With `fetched` the engine has linkback fetch it.
    """

    def __init__(
        self, address: str, *, fetch: Fetch, draw: Draw, layout: str, fetched: bool = True, speaks: str = "webmention"
    ) -> None:
        self.url, self.post, self.other = address, f"{address}/post", ""
        self.site: Site
        self.heard: list[Mention] = []
        self.fetch, self.draw, self.layout, self.fetched, self.speaks = fetch, draw, layout, fetched, speaks
        self.begun = 0

    def open(self, **more: Any) -> Site:
        policy = Policy(settle_seconds=0, pair_seconds=0, second_look_seconds=0, recheck_days=1, host_seconds=0)
        runner = External()
        self.site = Site(
            self.url, store="sqlite://", fetch=self.fetch, policy=policy, runner=runner, on_mention=self.hear, **more
        )
        return self.site

    def hear(self, mention: Mention) -> None:
        self.heard.append(mention)
        self.publish()

    def publish(self) -> None:
        self.site.publish(self.post, None if self.fetched else self.html())

    def html(self) -> str:
        """The post's page, which says how often it was made: no two versions are equal byte by byte."""
        self.begun += 1
        body = f"<p>I read <a href='{self.other}'>the other</a> today.</p>"
        shown = self.layout.format(title=escape(self.url), body=body, thread=self.draw(self.site.mentions(self.post)))
        return f"{shown}<!-- {self.begun} -->"

    def moderation(self) -> str:
        """A page for the blog's own people that links to whatever was received."""
        return by_hand(self.site.mentions(statuses=None))


def make_pair(web: FakeWeb, clock: FakeClock, **settings: Any) -> tuple[Blog, Blog]:
    """Two blogs in one web, each linking to the other's post."""
    alice, bob = (Blog(f"https://{name}.example", fetch=web, **settings) for name in ("alice", "bob"))
    for blog, other in ((alice, bob), (bob, alice)):
        blog.other = other.post
        blog.open(clock=clock, pause=clock.advance)
        base = f"{blog.url}/linkback"
        app, spoken = App(blog.site, base=base), [each for each in BUILTIN if each.name == blog.speaks]

        def page(request: Request, blog: Blog = blog, base: str = base, spoken: Any = spoken) -> Response:
            body = blog.html() + advertise_markup(spoken, base, blog.post)
            return Response(200, (HTML, *advertise_headers(spoken, base, blog.post)), body.encode())

        def endpoint(request: Request, app: App = app) -> Response:
            return app.handle(request, urlsplit(request.url).path.removeprefix("/linkback"))

        def moderation(request: Request, blog: Blog = blog) -> Response:
            return Response(200, (HTML,), blog.moderation().encode())

        web.pages |= {blog.post: page, f"{blog.url}/moderation": moderation}
        web.pages |= {f"{base}/{name}": endpoint for name in ("webmention", "pingback")}
        web.pages[f"{base}/trackback?target={quote(blog.post, safe='')}"] = endpoint
    return alice, bob


def talk(blogs: Sequence[Blog], clock: FakeClock) -> None:
    for blog in blogs:
        blog.publish()
    for _ in range(ROUNDS):
        for blog in blogs:
            blog.site.drain(patience=5)
        clock.advance(3600)


def pings(web: FakeWeb, *blogs: Blog) -> list[int]:
    """How many each blog got."""
    return [sum(request.url.startswith(f"{blog.url}/") for request in web.posts) for blog in blogs]


BESIDE, SILENT = ("after the post", "before the post"), "on a page that says nothing"
CASES = [
    *((thread, layout, True) for layout in LAYOUTS),
    *((as_citations, layout, True) for layout in LAYOUTS),
    *((by_hand, layout, True) for layout in LAYOUTS),
    *((with_the_time, layout, True) for layout in LAYOUTS),
    *((draw, SILENT, False) for draw in (thread, with_the_time)),
]


@pytest.mark.parametrize(("draw", "layout", "fetched"), CASES)
def test_blogs_that_show_each_others_mentions_fall_silent(draw: Draw, layout: str, fetched: bool) -> None:
    """B-65: one webmention each way says it all; two where what others said looks like the post's own words."""
    web, clock = FakeWeb(), FakeClock()
    alice, bob = make_pair(web, clock, draw=draw, layout=LAYOUTS[layout], fetched=fetched)
    with alice.site, bob.site:
        talk((alice, bob), clock)
        marked = draw is thread or (draw is as_citations and layout != SILENT)
        most = 1 if marked or layout in BESIDE else 2
        assert pings(web, alice, bob) == [most, most]
        for blog, other in ((alice, bob), (bob, alice)):
            assert [mention.source for mention in blog.site.mentions(blog.post)] == [other.post]
            assert len(blog.heard) <= 5
        sent = {dict(read_form(request))[b"source"].decode() for request in web.posts}
        assert sent == {alice.post, bob.post}, "what a moderator looks at tells nobody"


@pytest.mark.parametrize("speaks", ["pingback", "trackback"])
@pytest.mark.parametrize("draw", [thread, with_the_time], ids=lambda draw: draw.__name__)
def test_protocols_without_updates_say_it_once(draw: Draw, speaks: str) -> None:
    web, clock = FakeWeb(), FakeClock()
    alice, bob = make_pair(web, clock, draw=draw, layout=LAYOUTS[SILENT], speaks=speaks)
    with alice.site, bob.site:
        talk((alice, bob), clock)
        assert pings(web, alice, bob) == [1, 1]


@pytest.mark.parametrize("asked", [False, True])
def test_a_page_of_mentions_that_links_to_the_other_blog_sends_nothing(asked: bool) -> None:
    """Also where a stranger tells of it."""
    web, clock = FakeWeb(), FakeClock()
    alice, bob = make_pair(web, clock, draw=thread, layout=LAYOUTS["after the post"])
    with alice.site, bob.site:
        talk((alice, bob), clock)
        before = len(web.posts)
        if asked:
            form = f"source={quote(alice.url + '/moderation')}&target={quote(bob.post)}".encode()
            headers = (("Content-Type", "application/x-www-form-urlencoded"),)
            web.send(Request("POST", f"{bob.url}/linkback/webmention", headers, form))
        talk((alice, bob), clock)
        assert len(bob.site.mentions(bob.post)) == 1 + asked
        assert len(web.posts) == before + asked


@contextlib.contextmanager
def on_the_air(draw: Draw, layout: str) -> Iterator[tuple[tuple[Blog, Blog], list[str]]]:
    """Two blogs on ports of this machine, and the paths that were posted to."""
    posted: list[str] = []
    with contextlib.ExitStack() as stack:
        blogs = []
        for _ in range(2):
            apps: list[WSGIApplication] = []

            def application(environ: WSGIEnvironment, start_response: StartResponse, apps: Any = apps) -> Any:
                if environ["REQUEST_METHOD"] == "POST":
                    posted.append(f"{environ['SERVER_PORT']}{environ['PATH_INFO']}")
                return apps[0](environ, start_response)

            address = stack.enter_context(served(application)).rstrip("/")
            blog = Blog(address, fetch=Fetcher(allow=LOOPBACK), draw=draw, layout=layout)
            stack.enter_context(blog.open(outgoing=Outgoing(host_seconds=0)))

            def post(environ: WSGIEnvironment, start_response: StartResponse, blog: Blog = blog) -> list[bytes]:
                start_response("200 OK", [HTML])
                return [blog.html().encode()]

            apps.append(around(post, blog.site))
            blogs.append(blog)
        alice, bob = blogs
        alice.other, bob.other = bob.post, alice.post
        yield (alice, bob), posted


@pytest.mark.parametrize("draw", [thread, by_hand], ids=lambda draw: draw.__name__)
def test_blogs_that_are_served_fall_silent(draw: Draw) -> None:
    with on_the_air(draw, LAYOUTS[SILENT]) as ((alice, bob), posted):
        for blog in (alice, bob):
            blog.publish()
        for _ in range(ROUNDS):
            for blog in (alice, bob):
                blog.site.drain()
        for blog, other in ((alice, bob), (bob, alice)):
            assert [mention.source for mention in blog.site.mentions(blog.post)] == [other.post]
            got = [path for path in posted if path.startswith(str(urlsplit(blog.url).port))]
            assert 1 <= len(got) <= (1 if draw is thread else 2)
