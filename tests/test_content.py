"""A post says what it said before, or it does not."""

from __future__ import annotations

import pytest

from linkback.content import digest, links
from linkback.page import Page
from linkback.wire import Response

HTML = (("Content-Type", "text/html; charset=utf-8"),)


def said(html: str, *targets: str) -> str:
    return digest(Page(Response(200, HTML, html.encode("utf-8", "surrogatepass"), "https://s.example/note")), targets)


PAGE = "<!doctype html><html><body><nav>{nav}</nav>{post}<aside>{aside}</aside></body></html>"
POSTS = [
    "<article>{words}</article>",
    "<main>{words}</main>",
    "<div class='h-entry'>{words}</div>",
    "<div class='h-entry'><h1>t</h1><div class='e-content'>{words}</div><p>3 comments</p></div>",
    "<div class='hentry'><div class='entry-content'>{words}</div></div>",
]


@pytest.mark.parametrize("post", POSTS)
def test_the_frame_of_a_page_is_not_its_content(post: str) -> None:
    """A static site writes every page anew when one post is added."""
    before = PAGE.format(nav="1", post=post.format(words="Hello"), aside="old")
    after = PAGE.format(nav="2", post=post.format(words="Hello"), aside="new")
    assert said(before) == said(after)
    assert said(before) != said(PAGE.format(nav="1", post=post.format(words="Hello!"), aside="old"))


def test_content_without_such_a_place_is_all_that_is_shown() -> None:
    assert said("<body><p>x") == said("<body class=new><p>x<script>1</script>")
    assert said("<p>x") != said("<p>y")


@pytest.mark.parametrize(
    "post",
    [
        "<article class=h-entry><h1>{title}</h1><div class=e-content>x</div></article>",
        "<article class=h-entry><h2 class=p-name>{title}</h2><div class=e-content>x</div></article>",
        "<h1>{title}</h1><article>x</article>",
    ],
)
def test_a_post_that_is_given_without_its_page_has_the_title_that_is_seen(post: str) -> None:
    assert said(post.format(title="Old")) != said(post.format(title="New"))


A, B = "https://a.example/", "https://b.example/"
LINKS = f"<p>x <a href='{A}'>a</a> <a href='{B}'>b</a>"


@pytest.mark.parametrize(
    "other",
    [
        f"<title>New</title>{LINKS}",
        LINKS.replace("href", "class=u-like-of href", 1),
        LINKS.replace("href", "rel=nofollow href", 1),
        LINKS.replace(B, "https://c.example/"),
    ],
)
def test_title_and_links_are_part_of_what_is_said(other: str) -> None:
    """A like that becomes a reply is another mention."""
    targets = (A, B, "https://c.example/")
    assert said(LINKS, *targets) != said(other, *targets)


RSVP = "<div class=h-entry><a class=u-in-reply-to href='/e'>e</a> {}</div>"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<data class=p-rsvp value=yes>", "<data class=p-rsvp value=no>"),
        ("<time class=dt-start datetime=2024-01-01>", "<time class=dt-start datetime=2024-01-02>"),
        ("<img class=u-photo src=/a.jpg>", "<img class=u-photo src=/b.jpg>"),
        ("<div class='u-like-of h-cite'>x</div>", "<div class='u-repost-of h-cite'>x</div>"),
    ],
)
def test_what_only_machines_read_is_part_of_it(one: str, other: str) -> None:
    """An RSVP that becomes a no is news."""
    assert said(RSVP.format(one)) != said(RSVP.format(other))


def test_what_others_said_of_it_is_no_part_of_it() -> None:
    """B-65: a mention that is shown would be told to everybody."""
    shown = "<section data-linkback=no><p>Mention: <a class=u-url href='https://c.example/'>Carol</a></section>"
    assert said(f"<article>Hello {shown}</article>") == said("<article>Hello </article>")


SHOWN = [
    pytest.param("<ol><li class='u-comment h-cite'>{}</ol>", id="comments"),
    pytest.param("<p class='p-like h-cite'>{}</p>", id="likes"),
    pytest.param("<section data-linkback=no><div class=e-content>{}</div></section>", id="with words of their own"),
    pytest.param("<section data-linkback=no><h1>{}</h1><h2 class=p-name>x</h2></section>", id="with a heading"),
]
CITED = f"<a class=u-url rel='nofollow ugc' href='{A}' data-linkback=no>Carol</a> said so"


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("page", ["<article>{}</article>", "<article class=h-entry>{}</article>", "<main>{}</main>"])
def test_a_post_says_the_same_with_and_without_its_thread(page: str, shown: str) -> None:
    """Wherever that stands, and although it links to a page that the post is to tell of."""
    post = f"<p>I read <a href='{A}'>a</a>."
    bare, thread = page.format(post), shown.format(CITED)
    assert said(page.format(post + thread), A) == said(bare, A)
    assert said(thread + bare, A) == said(bare + thread, A) == said(bare, A)
    edited = bare.replace("read", "reread")
    assert said(edited + thread, A) == said(edited, A) != said(bare, A)


def test_of_a_target_that_the_post_links_to_other_links_do_not_count() -> None:
    """Where only the frame links to it, how it does counts as ever."""
    post, aside = "<article><a href='{}'>x</a></article>", "<aside><a rel={} href='{}'>x</a></aside>"
    assert said(post.format(A) + aside.format("me", A), A) == said(post.format(A), A)
    framed = [said(post.format(B) + aside.format(rel, A), A, B) for rel in ("me", "nofollow")]
    assert len({*framed, said(post.format(B), A, B)}) == 3


def test_links_that_nobody_is_told_of_are_no_part_of_it() -> None:
    assert said(LINKS, B, A) == said(LINKS, A, B)
    assert said(LINKS, A) == said(LINKS.replace(B, "https://c.example/"), A)


@pytest.mark.parametrize("html", ["", "<html><body>" + "<div>" * 5000, "<html>\ud800", "<html><body></body></html>"])
def test_any_page_has_a_digest(html: str) -> None:
    assert len(said(html)) == 64
    assert said(html) == said(html)


def linked(html: str) -> list[str]:
    page = Page(Response(200, HTML, html.encode(), "https://s.example/note"))
    return [link.url.removeprefix("https://").partition(".")[0] for link in links(page)]


def a(name: str, more: str = "") -> str:
    return f"<a href='https://{name}.example/' {more}>{name}</a>"


FRAME = f"<header>{a('home')}</header><nav>{a('roll')}</nav>%s<aside>{a('aside')}</aside><footer>{a('theme')}</footer>"
FRAMED: list[tuple[str, list[str]]] = [
    (
        f"<div class=h-entry>{a('reply', 'class=u-in-reply-to')}<div class=e-content>{a('one')}</div></div>",
        ["reply", "one"],
    ),
    (f"<div class=hentry><p>{a('one')}</div>", ["one"]),
    (f"<article><p>{a('one')}</article><article>{a('two')}</article>", ["one", "two"]),
    (f"<main>{a('one')}</main>", ["one"]),
    (f"<main>{a('outside')}<article class=h-entry>{a('one')}</article></main>", ["one"]),
    (f"<article>{a('one')}<ol><li class='u-comment h-cite'>{a('they')}</ol></article>", ["one"]),
    (f"<article>{a('one')}<section data-linkback=no>{a('they')}</section></article>", ["one"]),
    (f"<article><template>{a('inert')}</template>{a('one')}</article>", ["one"]),
    (f"<p>{a('one')}", ["home", "roll", "one", "aside", "theme"]),
    ("<article></article>", []),
]


@pytest.mark.parametrize(("post", "names"), FRAMED)
def test_the_links_of_a_post_are_not_those_of_its_frame(post: str, names: list[str]) -> None:
    """Nobody listed in a sidebar is told of each post; a page that does not say where its post is has all its links."""
    assert linked(FRAME % post) == names


def test_links_of_a_page_too_wild_for_a_tree_are_all_its_links() -> None:
    assert linked("<nav>" + a("roll") + "</nav>" + "<div>" * 300 + "<article>" + a("one")) == ["roll", "one"]
