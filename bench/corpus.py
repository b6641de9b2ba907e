"""The pages that scripts read: a folder of `*.html` that is given, or a small generated one.

Rule 1: the generated pages are the same, byte for byte, wherever they are made.
Rule 2: they are as large as those of real blogs (median 95 KB, one in ten above 300, the largest near 900) and of the
same stuff: scripts, styles, comments, JSON-LD, a link for every 800 bytes. A quarter names a pingback endpoint; some
only speak of one in a comment or a script; half link to `TARGET`; a third is an h-entry; one in ten is windows-1252.
"""

from __future__ import annotations

import contextlib
import json
import math
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

#: what half of the generated pages link to
TARGET = "https://bob.example/2024/05/two-pages-that-link"
PAGES = 60
_MEDIAN, _SPREAD = 95_000, 0.925
_TEXT = """
the of and a to in is that it was for on with as be at by this had not are but from or have an they which one you were
all her she there would their we him been has when who will more no if out so said what up its about into than them can
only other new some could time these two may then do first any my now such like our over man me even most made after
also did many before must through back years where much your way well down should because each café naïve Zürich garden
window letter kitchen harbour weather archive printer station bicycle orchestra
"""
_WORDS = _TEXT.split()
_HOSTS = [f"{name}.example" for name in ("anna", "carol", "dave", "erin", "photos", "news", "cdn", "library", "shop")]
#: how a page may name where it listens, or only seem to
_PINGBACK = '<link rel="pingback" href="https://blog.example/xmlrpc.php">\n'
_WEBMENTION = '<link rel="webmention" href="/webmention">\n'
_SPOKEN_OF = (
    '<!-- <link rel="pingback" href="https://blog.example/xmlrpc.php"> -->\n',
    '<script>var settings = {"pingback": false, "comments": "/comments?id=%d"};</script>\n',
)
_TRACKBACK = """<!--
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:trackback="http://madskills.com/public/xml/rss/module/trackback/">
<rdf:Description rdf:about="https://blog.example/%d" dc:identifier="https://blog.example/%d" dc:title="A post"
 trackback:ping="https://blog.example/trackback/%d" />
</rdf:RDF>
-->
"""


@contextlib.contextmanager
def corpus(given: Path | None) -> Iterator[Path]:
    """The folder that is given, or for the length of a block one with the generated pages."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory() as folder:
        for number, page in enumerate(pages()):
            (Path(folder) / f"{number:02}.html").write_bytes(page)
        yield Path(folder)


def pages() -> Iterator[bytes]:
    """The generated pages, the smallest first."""
    normal = statistics.NormalDist()
    for number in range(PAGES):
        size = int(_MEDIAN * math.exp(_SPREAD * normal.inv_cdf((number + 0.5) / PAGES)))
        yield _Writer(number).page(size)


class _Writer:
    """Writes the page of one number; which of the kinds it is follows from that alone."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._random = random.Random(number)
        self.encoding = "windows-1252" if number % 10 == 7 else "utf-8"
        self.links = number % 2 == 1
        self.entry = number % 3 == 0

    def page(self, size: int) -> bytes:
        """A page of about so many bytes: a quarter head, the post in its middle, comments and a sidebar around it."""
        foot = self.footer()
        parts = [self.head(size // 4), self.navigation()]
        parts.append(f'<article class="post{" h-entry" * self.entry}" id="post-{self.number}">\n')
        title = f'<h1 class="entry-title{" p-name" * self.entry}">{self.words(6)}</h1>\n'
        author = '<a class="p-author h-card" href="/">Alice</a> '
        byline = f'{author}<time class="dt-published" datetime="2024-05-01">1 May</time>'
        parts += [title, byline, f'<div class="entry-content{" e-content" * self.entry}">\n']
        room = (size - sum(map(len, parts)) - len(foot)) // 2
        parts.append(self.fill(room // 2, self.paragraph))
        if self.links:
            reply = ' class="u-in-reply-to"' if self.entry and self.number % 4 == 1 else ""
            parts.append(f'<p>{self.words(20)} <a{reply} href="{TARGET}">{self.words(4)}</a>, {self.words(20)}.</p>\n')
        parts.append(self.fill(room // 2, self.paragraph))
        parts.append('</div>\n</article>\n<section class="comments">\n')
        parts.append(self.fill(size - sum(map(len, parts)) - len(foot), self.comment))
        return "".join([*parts, foot]).encode(self.encoding, "xmlcharrefreplace")

    def head(self, size: int) -> str:
        """Signposts early or after what other people's plug-ins write there."""
        listens = self.number % 4 == 2
        signpost = _PINGBACK if listens else _WEBMENTION if self.number % 20 == 5 else ""
        said = {"@context": "https://schema.org", "@type": "BlogPosting", "headline": self.words(6), "wordCount": 812}
        early = signpost if self.number % 8 != 2 else ""
        return (
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="{self.encoding}">\n'
            f'<title>{self.words(6)} &#8211; A blog</title>\n<link rel="profile" href="https://gmpg.org/xfn/11">\n{early}'
            f'<meta property="og:title" content="{self.words(6)}">\n<meta name="author" content="Alice">\n'
            f'<meta property="og:description" content="{self.words(25)}">\n'
            '<link rel="canonical" href="https://alice.example/%d">\n'
            % self.number
            + f'<script type="application/ld+json">{json.dumps(said)}</script>\n'
            + f"<style>\n{self.fill(size // 2, self.rule)}</style>\n"
            + f"<script>\n{self.fill(size // 2, self.statement)}</script>\n"
            + (signpost if not early else "")
            + (_SPOKEN_OF[0] if self.number % 20 == 3 else _SPOKEN_OF[1] % self.number if self.number % 20 == 8 else "")
            + "</head>\n"
        )

    def navigation(self) -> str:
        """The menu."""
        items = "".join(
            f'<li class="menu-item menu-item-{n}"><a href="/{n}/">{self.words(2)}</a></li>\n' for n in range(12)
        )
        return (
            f'<body class="single postid-{self.number}">\n<header><nav><ul class="menu">\n{items}</ul></nav></header>\n'
        )

    def footer(self) -> str:
        """The sidebar, what counts visitors, and in an old blog the RDF of its trackbacks."""
        links = "".join(f'<li><a href="https://{host}/" rel="friend met">{self.words(2)}</a></li>\n' for host in _HOSTS)
        rdf = _TRACKBACK % ((self.number,) * 3) if self.number % 30 == 14 else ""
        count = f"<script>\n{self.fill(1_500, self.statement)}</script>\n"
        aside = f"<aside><ul>\n{links}</ul></aside>\n{rdf}"
        return f"</section>\n{aside}<footer>{self.words(12)}</footer>\n{count}</body>\n</html>\n"

    def fill(self, size: int, write: Callable[[], str]) -> str:
        """As many of what a function writes as fit, at least one."""
        parts: list[str] = []
        written = 0
        while written < size or not parts:
            parts.append(write())
            written += len(parts[-1])
        return "".join(parts)

    def words(self, count: int) -> str:
        """So many words."""
        return " ".join(self._random.choices(_WORDS, k=count))

    def paragraph(self) -> str:
        """Text with links; now and then a picture or a comment."""
        number = self._random.randrange(5_000)
        link = f"https://{self._random.choice(_HOSTS)}/{number}/{self.words(1)}?a=1&amp;b=2"
        text = [f'<p>{self.words(65)} <a href="{link}" title="{self.words(3)}">{self.words(3)}</a> {self.words(40)}']
        text.append(f" <em>{self.words(2)}</em>&nbsp;{self.words(60)}.</p>\n")
        if number % 5 == 0:
            at = f"https://cdn.example/{number}"
            text.append(
                f'<figure class="wp-block-image size-large"><a href="{at}.jpg"><img loading="lazy" width="1024"'
            )
            text.append(f' src="{at}-1024.jpg" srcset="{at}-300.jpg 300w, {at}-768.jpg 768w" alt=""></a></figure>\n')
        if number % 7 == 0:
            text.append(f"<!-- /wp:paragraph {self.words(2)} -->\n")
        return "".join(text)

    def comment(self) -> str:
        """What a reader wrote, in as many elements as a theme wraps around it."""
        number = self._random.randrange(90_000)
        home = f"https://{self._random.choice(_HOSTS)}/"
        return (
            f'<div class="comment even thread-even depth-1" id="comment-{number}"><div class="comment-author vcard">'
            f'<img class="avatar avatar-32 photo" src="https://cdn.example/avatar/{number}?s=32&amp;d=mm" alt="">'
            f'<cite class="fn"><a href="{home}" rel="external nofollow">{self.words(2)}</a></cite></div>'
            f'<div class="comment-meta"><time>May 1, 2024 at 10:{number % 60:02}</time></div><p>{self.words(150)}.</p>'
            f'<div class="reply"><a href="?replytocom={number}#respond" rel="nofollow">Reply</a></div></div>\n'
        )

    def rule(self) -> str:
        """A line of a style sheet."""
        number = self._random.randrange(4096)
        return f".wp-block-{number} > li a:hover{{margin:0 auto;padding:{number % 9}px;color:#{number:03x}}}\n"

    def statement(self) -> str:
        """A line of a script."""
        number = self._random.randrange(999)
        return f'if (w.dataLayer && n < {number}) {{ w.dataLayer.push({{"event": "{self.words(1)}"}}); }}\n'
