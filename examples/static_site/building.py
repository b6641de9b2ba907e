"""Posts to pages: from `posts/*.html` to a folder with a page for each, an index, an Atom feed and a sitemap.

A post begins with lines such as `Title: A walk`, then a blank one, then its HTML. One that says `Status: gone` is left
as a page that says so, which is how a folder of files answers 410 Gone.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
STYLE = HERE.parent / "shared" / "static"
_PAGE = Template((HERE / "page.html").read_text(encoding="utf-8"))
_POST = Template((HERE / "post.html").read_text(encoding="utf-8"))
_GONE = '<meta http-equiv="status" content="410 Gone">'


@dataclass(frozen=True)
class Post:
    """One post; `date` and `updated` are days, as YYYY-MM-DD."""

    slug: str
    title: str
    date: str
    updated: str
    body: str
    gone: bool = False

    def url(self, site: str) -> str:
        """Its permalink."""
        return f"{site}/posts/{quote(self.slug)}/"


def read(folder: Path) -> list[Post]:
    """The posts of a folder, the newest first."""
    return sorted(map(_read, folder.glob("*.html")), key=lambda post: post.date, reverse=True)


def _read(path: Path) -> Post:
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    said = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    if missing := {"Title", "Date"} - said.keys():
        raise ValueError(f"{path} has no {' and no '.join(sorted(missing))} in the lines that it begins with")
    date, gone = said["Date"], said.get("Status") == "gone"
    return Post(path.stem, said["Title"], date, said.get("Updated", date), body.strip(), gone)


def build(posts: Sequence[Post], public: Path, *, site: str, name: str) -> None:
    """Write the blog at the URL `site` into the folder `public`, whatever is there."""
    shutil.rmtree(public, ignore_errors=True)
    shutil.copytree(STYLE, public)
    shown = [post for post in posts if not post.gone]
    for post in posts:
        content = "<p>This post is gone.</p>" if post.gone else _content(post, site, name)
        head = _GONE if post.gone else f'<link rel="canonical" href="{post.url(site)}">'
        _write(public / "posts" / post.slug / "index.html", site, name, f"{post.title} · {name}", head, content)
    items = "".join(
        f'<li><a href="{post.url(site)}">{escape(post.title)}</a><span class="meta">{post.date}</span></li>'
        for post in shown
    )
    _write(public / "index.html", site, name, name, "", f'<h1>{escape(name)}</h1><ul class="posts">{items}</ul>')
    (public / "feed.xml").write_text(_feed(shown, site, name), encoding="utf-8")
    (public / "sitemap.txt").write_text("".join(f"{post.url(site)}\n" for post in shown), encoding="utf-8")


def _content(post: Post, site: str, name: str) -> str:
    said = {"title": escape(post.title), "date": post.date, "name": escape(name), "body": post.body}
    return _POST.substitute(said, url=post.url(site))


def _write(path: Path, site: str, name: str, title: str, head: str, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    page = _PAGE.substitute(title=escape(title), name=escape(name), site=site, head=head, content=content)
    path.write_text(page, encoding="utf-8")


def _feed(posts: Sequence[Post], site: str, name: str) -> str:
    entries = "".join(
        f'<entry><id>{post.url(site)}</id><title>{escape(post.title)}</title><link href="{post.url(site)}"/>'
        f"<published>{post.date}T00:00:00Z</published><updated>{post.updated}T00:00:00Z</updated>"
        f'<content type="html">{escape(post.body)}</content></entry>\n'
        for post in posts
    )
    newest = max((post.updated for post in posts), default="1970-01-01")
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"<id>{site}/</id><title>{escape(name)}</title><updated>{newest}T00:00:00Z</updated>\n"
        f'<link href="{site}/"/><link rel="self" href="{site}/feed.xml"/>\n{entries}</feed>\n'
    )
