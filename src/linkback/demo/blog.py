"""A little blog for the demo: pages, a thread under each post, and linkback around it.

It is a plain WSGI application, written the way a blog engine would use linkback.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from linkback.protocols import advertise_headers, advertise_markup
from linkback.site import Site
from linkback.web.render import Comment, entries, thread
from linkback.web.shapes import delivery_to_json

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_STYLE = (
    "body{max-width:38rem;margin:3rem auto;padding:0 1rem;font:1.05rem/1.6 Georgia,serif;color:#222}"
    "h1{line-height:1.2}a{color:#0b5}time{color:#777;font-size:.85rem}li{margin:.6rem 0}li p{margin:.2rem 0;color:#444}"
    "nav{font:.9rem system-ui;color:#777}.linkback-thread{border-top:1px solid #ddd;margin-top:3rem;font-size:.95rem}"
)


@dataclass(frozen=True)
class Post:
    """One post; `speaks` names the protocols that it advertises."""

    path: str
    title: str
    body: str
    speaks: tuple[str, ...] = ()
    comments: tuple[Comment, ...] = ()


@dataclass
class Blog:
    """A blog as a WSGI application. `site` listens and speaks for it."""

    name: str
    site: Site
    posts: Mapping[str, Post]
    receiver: WSGIApplication = field(init=False)

    def __post_init__(self) -> None:
        self.receiver = self.site.wsgi()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = str(environ["PATH_INFO"])
        if path.startswith("/linkback/"):
            inner = {**environ, "SCRIPT_NAME": "/linkback", "PATH_INFO": path.removeprefix("/linkback")}
            return self.receiver(inner, start_response)
        if path == "/publish" and environ["REQUEST_METHOD"] == "POST":
            return self._publish(start_response)
        if path == "/deliveries":
            rows = [delivery_to_json(delivery) for delivery in self.site.deliveries()]
            return _answer(start_response, json.dumps(rows), kind="application/json")
        if path == "/threads":
            return _answer(start_response, "\n".join(map(self._thread, self.posts.values())), kind="text/plain")
        if path in self.posts:
            return self._show(self.posts[path], start_response)
        return self._index(start_response) if path == "/" else _answer(start_response, "no such page", "404 Not Found")

    def _publish(self, start_response: StartResponse) -> Iterable[bytes]:
        """What a blog engine does when a post goes live: one call for each."""
        for post in self.posts.values():
            self.site.publish(self._url(post), post.body)
        return _answer(start_response, "published\n", kind="text/plain")

    def _url(self, post: Post) -> str:
        return self.site.url.rstrip("/") + post.path

    def _page(self, post: Post) -> str:
        replies = thread(self.site.mentions(self._url(post)), post.comments)
        body = f'<article class="h-entry"><h1 class="p-name">{escape(post.title)}</h1>{post.body}</article>{replies}'
        return self._html(post.title, f'<nav><a href="/">{escape(self.name)}</a></nav>{body}')

    def _thread(self, post: Post) -> str:
        found = entries(self.site.mentions(self._url(post)), post.comments)
        lines = [f"  {entry.number}. {entry.heading}" for entry in found]
        return "\n".join([f"Under {post.title!r}, {len(found)} in all:", *lines])

    def _html(self, title: str, body: str) -> str:
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
            f'<meta property="og:site_name" content="{escape(self.name)}"><style>{_STYLE}</style>{body}</html>\n'
        )

    def _show(self, post: Post, start_response: StartResponse) -> Iterable[bytes]:
        spoken = [protocol for protocol in self.site.protocols if protocol.name in post.speaks]
        base, url = self.site.url.rstrip("/") + "/linkback", self._url(post)
        page = self._page(post) + advertise_markup(spoken, base, url)
        return _answer(start_response, page, headers=advertise_headers(spoken, base, url))

    def _index(self, start_response: StartResponse) -> Iterable[bytes]:
        items = "".join(f'<li><a href="{post.path}">{escape(post.title)}</a></li>' for post in self.posts.values())
        return _answer(start_response, self._html(self.name, f"<h1>{escape(self.name)}</h1><ul>{items}</ul>"))


def _answer(
    start_response: StartResponse,
    text: str,
    status: str = "200 OK",
    *,
    kind: str = "text/html",
    headers: Iterable[tuple[str, str]] = (),
) -> Iterable[bytes]:
    body = text.encode()
    fields = [("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body))), *headers]
    start_response(status, fields)
    return [body]
