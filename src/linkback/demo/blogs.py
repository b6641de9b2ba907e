"""The two blogs of the demo: `python -m linkback.demo.blogs NAME DATABASE [BOB]` prints its URL and serves."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from linkback.adapters.server import Server
from linkback.demo.blog import Blog, Post
from linkback.fetch import Fetcher
from linkback.site import Site
from linkback.web.render import Comment

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

LOOPBACK = ("127.0.0.0/8",)


def bobs_posts() -> list[Post]:
    """Three posts, each listening to one protocol; the second has a comment already."""
    comment = Comment("A reader", "I would like to hear more about this.", datetime(2010, 6, 1, 9, 30, tzinfo=UTC))
    return [
        Post("/gardens", "Gardens on rooftops", "<p>What grows up there.</p>", ("webmention",)),
        Post("/engagement", "Tired of talking about it", "<p>Let us do it instead.</p>", ("pingback",), (comment,)),
        Post("/trains", "Slow trains", "<p>The long way round.</p>", ("trackback",)),
    ]


def alices_posts(bob: str) -> list[Post]:
    """One post that links to all of Bob's."""
    body = (
        f'<p>I read Bob on <a href="{bob}/gardens">gardens on rooftops</a> and kept nodding.</p>'
        f'<p>He also says he is <a href="{bob}/engagement">tired of talking</a>, and I see why.</p>'
        f'<p>And the piece on <a href="{bob}/trains">slow trains</a> made me book one.</p>'
    )
    return [Post("/where-next", "Where next for digital engagement?", body)]


def main(name: str, database: str, bob: str = "") -> None:
    """Serve one of the blogs until it is told to stop."""
    blogs: list[Blog] = []

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return blogs[0](environ, start_response)

    server = Server(application, "127.0.0.1:0")
    posts = alices_posts(bob) if bob else bobs_posts()
    with Site(
        server.url, store=f"sqlite:///{database}", fetch=Fetcher(allow=LOOPBACK), name=f"{name.title()}'s blog"
    ) as site:
        blogs.append(Blog(site.name, site, {post.path: post for post in posts}))
        server.run(lambda: print(server.url, flush=True))


if __name__ == "__main__":
    # Ctrl-C reaches the whole process group; the parent is the one to speak of it
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
