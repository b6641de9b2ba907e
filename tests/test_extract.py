"""A mention shows what its page says of itself: read in a fixed order, as text, and never at the price of an error."""

from __future__ import annotations

import shlex
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkback import validator, whole
from linkback.extract import describe
from linkback.model import Author, Backlink
from linkback.page import Page
from linkback.wire import Response

T = "https://t.example/post"
S = "https://s.example/note"
NOW = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
LINK = f'<a href="{T}">link</a>'
PAGES = sorted((Path(__file__).parent / "pages").glob("*.html"))


def page(body: str | bytes, *, media_type: str = "text/html; charset=utf-8", language: str = "", url: str = S) -> Page:
    headers = [("Content-Type", media_type)] + ([("Content-Language", language)] if language else [])
    return Page(Response(headers=tuple(headers), body=body if isinstance(body, bytes) else body.encode(), url=url))


def read(
    body: str | bytes, *, target: str = T, media_type: str = "text/html; charset=utf-8", language: str = ""
) -> Backlink:
    """What is found on a page and said by it."""
    source = page(body, media_type=media_type, language=language)
    return describe(source, validator.find(source, target), now=NOW)


@pytest.mark.parametrize(
    ("body", "excerpt"),
    [
        pytest.param(
            f"<title>S</title><p>Before text {LINK} after text.</p>", "Before text link after text.", id="VE-12"
        ),
        pytest.param(f'<p>see <a href={T}><img alt="pic" src=i></a> now</p>', "see pic now", id="VE-14"),
    ],
)
def test_excerpt_vectors(body: str, excerpt: str) -> None:
    assert read(body).excerpt == excerpt


@pytest.mark.parametrize("filler", [pytest.param("word " * 100, id="VE-13"), pytest.param("語" * 500, id="no blanks")])
def test_excerpt_vector_13_a_long_neighbourhood_is_cut_on_both_sides(filler: str) -> None:
    excerpt = read(f"<p>{filler}{LINK} {filler}</p>").excerpt
    before, _, after = excerpt.partition("link")
    assert excerpt.startswith("…")
    assert excerpt.endswith("…")
    assert 60 < len(before.strip("… ")) <= 100
    assert 60 < len(after.strip("… ")) <= 100
    assert set(before.strip("… ").split()) | set(after.strip("… ").split()) <= {"word", "語" * 100}


@pytest.mark.parametrize(
    ("head", "title"),
    [
        pytest.param("<title>A &amp; B</title>", "A & B", id="VE-15"),
        pytest.param("<svg><title>icon</title></svg><title>S</title>", "S", id="VE-16"),
        pytest.param('<title lang="en">S</title>', "S", id="VE-17"),
        pytest.param("<title>0</title>", "0", id="VE-18"),
        pytest.param("<title> </title><h1>Head</h1>", "Head", id="VE-19"),
        pytest.param("", "s.example/note", id="VE-20"),
        pytest.param(
            "<title>Post - Blog</title><div class=h-entry><p class=p-name>Post</p><p class=e-content>x</div>",
            "Post",
            id="VE-21",
        ),
        pytest.param(f"<title>{'x' * 400}</title>", "x" * 250 + "…", id="VE-22-long"),
        pytest.param("<title>a\u202eb</title>", "ab", id="VE-22-bidi"),
    ],
)
def test_title_vectors(head: str, title: str) -> None:
    assert read(f"{head}<p>{LINK}</p>").title == title


@pytest.mark.parametrize(
    ("field", "most", "body"),
    [
        ("title", 250, "<title>{}</title><p>{link}</p>"),
        ("author", 100, "<meta name=author content={}><p>{link}</p>"),
        ("excerpt", 500, "<div class=h-entry><a class=u-in-reply-to href={target}>to</a><p class=e-content>{}</div>"),
    ],
)
def test_what_a_page_says_is_kept_up_to_its_limit(field: str, most: int, body: str) -> None:
    for length, kept in ((most, "x" * most), (most + 1, "x" * most + "…")):
        said = getattr(read(body.format("x" * length, link=LINK, target=T)), field)
        assert (said.name if field == "author" else said) == kept


def test_title_vector_31_has_no_nul_and_no_surrogate() -> None:
    title = read(f"<title>a\0b&#xD800;c&#0;d</title>{LINK}").title
    assert title.replace("\ufffd", "") == "abcd"


@pytest.mark.parametrize(
    ("head", "author"),
    [
        pytest.param(
            '<div class=h-entry><div class="p-author h-card"><img class=u-photo src=/p.png>'
            '<a class="u-url p-name" href="javascript:x">Ann</a></div></div>',
            Author("Ann", "", "https://s.example/p.png"),
            id="VE-23",
        ),
        pytest.param('<meta name=author content="Bob">', Author("Bob"), id="VE-24"),
    ],
)
def test_author_vectors(head: str, author: Author) -> None:
    assert read(f"{head}<p>{LINK}</p>").author == author


@pytest.mark.parametrize(
    ("head", "published"),
    [
        pytest.param(
            '<div class=h-entry><time class="dt-published" datetime="2020-01-02T03:04:05+01:00">2 Jan</time></div>',
            datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1))),
            id="VE-25",
        ),
        pytest.param('<meta property="article:published_time" content="garbage">', None, id="VE-26"),
    ],
)
def test_published_vectors(head: str, published: datetime | None) -> None:
    found = read(f"{head}<p>{LINK}</p>").published
    assert found == published
    assert found is None or (published is not None and found.utcoffset() == published.utcoffset())


@pytest.mark.parametrize(
    ("href", "canonical"),
    [
        pytest.param("https://www.s.example/the-note#top", "https://www.s.example/the-note", id="VE-27-same"),
        pytest.param("https://other.example/note", S, id="VE-27-other"),
    ],
)
def test_canonical_vectors(href: str, canonical: str) -> None:
    assert read(f'<link rel=canonical href="{href}"><p>{LINK}</p>').canonical_url == canonical


@pytest.mark.parametrize(
    ("classes", "kind"),
    [
        pytest.param("u-in-reply-to", "reply", id="VE-28-reply"),
        pytest.param("u-like-of", "like", id="VE-28-like"),
        pytest.param("", "mention", id="VE-28-none"),
        pytest.param("u-repost-of", "repost", id="repost"),
        pytest.param("u-bookmark-of h-cite", "bookmark", id="bookmark"),
        pytest.param("u-like-of u-in-reply-to", "reply", id="a reply first"),
        pytest.param("u-url", "mention", id="another property"),
    ],
)
def test_kind_vectors(classes: str, kind: str) -> None:
    assert read(f'<a class="{classes}" href="{T}">x</a>').kind == kind


@pytest.mark.parametrize(
    ("body", "header", "language"),
    [
        pytest.param(f"<html lang=de><p lang=fr>{LINK}", "", "fr", id="VE-32"),
        pytest.param(f"<html lang=de><p lang=''>{LINK}", "en", "de", id="empty says nothing"),
        pytest.param(f"<html xml:lang=de_AT><p>{LINK}", "en", "de-AT", id="xml:lang"),
        pytest.param(f"<p lang=fr>x</p><p>{LINK}", " en-GB , de", "en-GB", id="header"),
        pytest.param(f"<html lang='<b>'>{LINK}", "<i>", "", id="nonsense"),
        pytest.param(f"<html>{LINK}", "", "", id="nowhere"),
    ],
)
def test_language_is_that_of_the_nearest_element_then_of_the_header(body: str, header: str, language: str) -> None:
    assert read(body, language=header).language == language


ENTRY = (
    '<div class="h-entry"><h2 class="p-name">Entry</h2><a class="p-author h-card" href="/ann">Ann</a>'
    '<time class="dt-published" datetime="2020-01-01">then</time><a class="u-url" href="/entry">#</a></div>'
)
GRAPH = (
    '<meta property="og:title" content="Graph"><meta property="article:author" content="Gus">'
    '<meta property="article:published_time" content="2020-01-02"><meta property="og:url" content="/graph">'
)
LINKED_DATA = (
    '<script type="application/ld+json">{"@type": "BlogPosting", "headline": "Data", "datePublished": "2020-01-03",'
    ' "author": {"name": "Dan"}}</script>'
)
PLAIN = (
    '<title>Plain</title><meta name="author" content="Pia"><meta name="date" content="2020-01-04">'
    '<link rel="canonical" href="/plain"><h1>Heading</h1><article><time datetime="2020-01-05">x</time></article>'
)


@pytest.mark.parametrize(
    ("parts", "title", "author", "day", "canonical"),
    [
        (PLAIN + LINKED_DATA + GRAPH + ENTRY, "Entry", "Ann", 1, "plain"),
        (PLAIN + LINKED_DATA + GRAPH, "Graph", "Pia", 2, "plain"),
        (LINKED_DATA + GRAPH + ENTRY.replace("u-url", ""), "Entry", "Ann", 1, "graph"),
        (LINKED_DATA + GRAPH, "Graph", "Gus", 2, "graph"),
        (PLAIN + LINKED_DATA, "Data", "Pia", 3, "plain"),
        (LINKED_DATA, "Data", "Dan", 3, "note"),
        (PLAIN, "Plain", "Pia", 4, "plain"),
        (ENTRY, "Entry", "Ann", 1, "entry"),
        (PLAIN.replace("date", "other", 1), "Plain", "Pia", 5, "plain"),
        (PLAIN.replace('name="date"', 'name="DCTerms.Created"'), "Plain", "Pia", 4, "plain"),
    ],
)
def test_the_first_that_answers_is_believed(parts: str, title: str, author: str, day: int, canonical: str) -> None:
    found = read(f"{parts}<p>{LINK}</p>")
    assert (found.title, found.author.name, found.canonical_url) == (title, author, f"https://s.example/{canonical}")
    assert found.published == datetime(2020, 1, day)


@pytest.mark.parametrize(
    ("date", "published"),
    [
        ("2020-01-02T03:04:05", datetime(2020, 1, 2, 3, 4, 5)),
        (" 2020-01-02 03:04:05Z ", datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("20200102", datetime(2020, 1, 2)),
        ("2024-05-07T11:59:59Z", datetime(2024, 5, 7, 11, 59, 59, tzinfo=UTC)),
        ("2024-05-07T12:00:00Z", datetime(2024, 5, 7, 12, tzinfo=UTC)),
        ("2024-05-07T12:00:01Z", None),
        ("2024-05-07T12:00:01", None),
        ("2024-05-07T12:00:01+01:00", datetime(2024, 5, 7, 12, 0, 1, tzinfo=timezone(timedelta(hours=1)))),
        ("9999-12-31T23:59:59-23:59", None),
        ("0001-01-01T00:00:00Z", None),
        ("0002-01-01T00:00:00+23:59", datetime(2, 1, 1, tzinfo=timezone(timedelta(hours=23, minutes=59)))),
        ("2020-13-45", None),
        ("yesterday", None),
        ("２０２０-01-02", None),
        ("2" * 100_000, None),
    ],
)
def test_a_date_is_iso_8601_and_not_from_the_future(date: str, published: datetime | None) -> None:
    """Without an offset it stays without one."""
    assert read(f'<meta name="date" content="{date}">{LINK}').published == published


def test_without_a_clock_of_the_caller_the_present_counts() -> None:
    source = page('<meta name="date" content="9000-01-01">' + LINK)
    assert describe(source, validator.find(source, T)).published is None


WILD = '<title>Wild</title><meta property="og:title" content="Graph"><h1>Heading</h1><link rel=canonical href=/c>'


@pytest.mark.parametrize("wild", ["<div>" * 300, "<p " + " ".join(f"a{n}" for n in range(300)) + ">", "<br>" * 61_000])
def test_a_page_too_wild_for_a_tree_is_described_by_the_one_pass(wild: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "Tree", None)
    found = read(f"{WILD}{wild}<p lang=de>around {LINK} here</p>", language="en")
    assert (found.title, found.excerpt, found.kind) == ("Graph", "link", "mention")
    assert (found.canonical_url, found.language) == ("https://s.example/c", "en")
    assert read(f"<title>Wild</title>{wild}{LINK}").title == "Wild"
    assert read(f"{wild}{LINK}").title == "s.example/note"


@pytest.mark.parametrize("error", [RecursionError, ValueError, KeyError, AssertionError])
def test_a_tree_that_fails_is_done_without(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("linkback.tree.build", fail)
    found = read(f"{WILD}<p>around {LINK} here</p>")
    assert (found.title, found.excerpt) == ("Graph", "link")


@pytest.mark.parametrize("error", [RecursionError, TypeError])
def test_microformats_that_fail_cost_only_themselves(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("mf2py.Parser.to_dict", fail)
    found = read(f"{ENTRY}<title>Plain</title><p>around {LINK} here</p>")
    assert (found.title, found.author, found.excerpt) == ("Plain", Author(), "around link here")


@pytest.mark.parametrize(
    "nest",
    [
        '<div class="e-content">',
        '<div class="vcard author">',
        '<div class="hentry h-x">',
        '<div class="p-a">' + "text " * 1000,
    ],
)
def test_microformats_that_would_take_too_long_are_not_read(nest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mf2py.Parser", None)
    found = read(
        f'<title>Plain</title><div class="h-entry"><b class="p-name">Entry</b>{nest * 190}{"<b>y</b>" * 900}{LINK}'
    )
    assert found.title == "Plain"


def test_describing_a_page_never_reaches_for_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page full of addresses is read without one of them being asked."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("requests.sessions.Session.request", refuse)
    found = read(f'<base href="https://s.example/b/">{ENTRY}{GRAPH}{LINKED_DATA}<a rel=author href="/ann">x</a>{LINK}')
    assert found.title == "Entry"
    assert found.author == Author("Ann", "https://s.example/ann")


@pytest.mark.parametrize(("before", "title"), [(1000, "Data"), (3000, "Plain")])
def test_linked_data_is_read_up_to_a_limit(before: int, title: str) -> None:
    nodes = '{"@type": "Thing"}, ' * before + '{"@type": "Article", "headline": "Data"}'
    assert read(f'<title>Plain</title><script type="application/ld+json">[{nodes}]</script>{LINK}').title == title


def test_the_evidence_is_left_as_it_is() -> None:
    source = page(ENTRY + f'<p>see <a class="u-like-of" rel="x" href="{T}">it</a></p>')
    evidence = validator.find(source, T, source="https://s.example/short")
    said = {"title", "author", "excerpt", "published", "kind", "canonical_url", "language"}
    found = describe(source, evidence, now=NOW)
    assert all(getattr(found, name) == getattr(evidence, name) for name in Backlink.__slots__ if name not in said)


def test_an_element_that_is_not_where_it_was_counted_is_looked_for() -> None:
    source = page(f'<p>one <a href="/other">link</a></p><p>two {LINK}</p><p>three {LINK}</p>')
    evidence = validator.find(source, T)
    assert describe(source, evidence).excerpt == "two link"
    assert describe(source, replace(evidence, position=0)).excerpt == "two link"
    assert describe(source, replace(evidence, position=9)).excerpt == "two link"
    assert describe(source, replace(evidence, href="https://t.example/gone")).excerpt == "link"
    assert describe(source, replace(evidence, element="", attribute="")).excerpt == "link"


@pytest.mark.parametrize(
    ("media_type", "body", "title"),
    [
        ("application/json", f'{{"title": "A \\u202e \\ud800 B", "url": "{T}"}}', "A B"),
        ("application/activity+json", f'{{"name": "Note", "url": "{T}"}}', "Note"),
        ("application/feed+json", f'{{"title": " ", "name": "Feed", "url": "{T}"}}', "Feed"),
        ("application/json", f'{{"title": ["list"], "name": {{"en": "x"}}, "url": "{T}"}}', "s.example/note"),
        ("application/json", f'["{T}"]', "s.example/note"),
        ("text/plain", f"Title: {T} ", "s.example/note"),
        ("application/atom+xml", f'<feed><title>F</title><link href="{T}"/></feed>', "s.example/note"),
    ],
)
def test_a_page_that_is_no_web_page_is_called_by_its_own_name_or_place(media_type: str, body: str, title: str) -> None:
    found = read(body, media_type=media_type, language="de")
    assert (found.title, found.kind, found.author, found.published) == (title, "mention", Author(), None)
    assert (found.canonical_url, found.language) == (S, "de")


def test_a_well_formed_xhtml_page_is_read_like_any_other() -> None:
    body = (
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml" xml:lang="fr"><head><title>X</title></head>'
        f'<body><p>avant {LINK} après</p><svg xmlns="http://www.w3.org/2000/svg"><title>i</title></svg></body></html>'
    )
    found = read(body, media_type="application/xhtml+xml")
    assert (found.title, found.excerpt, found.language) == ("X", "avant link après", "fr")


SCRAPS = st.sampled_from(
    [
        *(
            "<div class='h-entry'>",
            "<div class='hentry'>",
            "<p class='p-name'>",
            "<b class='p-author h-card vcard author'>",
        ),
        *(
            "<time class='dt-published'><b class=value>+01:00</b>",
            "<i class='e-content p-name'>",
            "<a class='u-url' href='http://['>",
        ),
        *(
            "<img class='u-photo' alt='' srcset=', ,' src='//['>",
            "<a rel='author tag' href='http://[x'>a</a>",
            "<template>",
        ),
        *(
            "</template>",
            "</div>",
            "</p>",
            "</b>",
            "</a>",
            "<base href='http://['>",
            "<noscript>",
            "</noscript>",
            "<svg>",
            "<table><td>",
        ),
        *(
            "<script type='application/ld+json'>",
            '{"@graph": [{"@type": [1, "Article"], "author": [null, {"@id": []}]',
            "}]}",
        ),
        *(
            "</script>",
            "<meta property='og:title' content='&#0;&#xD800;'>",
            "<meta name=date content='2020-01-01T00:00:00+23:59'>",
        ),
        *(
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "&#x110000;",
            "\0",
            "\x1b",
            "text ",
            "é",
            "<title>",
            "<link rel=canonical href='http://[:'>",
        ),
        *(
            "<textarea>",
            "<iframe>",
            "<div hidden>",
            "<abbr class='dt-published' title>",
            "<data class='p-name h-entry'>",
            LINK,
        ),
        *(
            "<div class='u-in-reply-to h-cite'>",
            "<h1>",
            "<input class='p-author' value>",
            "<object class='u-url'>",
            "<html lang=x->",
        ),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(SCRAPS, max_size=40), st.lists(SCRAPS, max_size=10))
def test_no_page_makes_describing_fail(before: list[str], after: list[str]) -> None:
    source = page(("".join(before) + LINK + "".join(after)).encode("utf-8", "surrogatepass"))
    evidence = Backlink(source=S, target=T, final_url=S, element="a", attribute="href", href=T, text="link")
    found = describe(source, evidence, now=NOW)
    assert found.title
    assert len(found.title) <= 251
    assert len(found.excerpt) <= 501
    assert len(found.author.name) <= 101
    assert found.canonical_url.startswith("https://")
    for url in (found.author.url, found.author.photo):
        assert not url or url.startswith(("http://", "https://"))
    for text in (found.title, found.excerpt, found.author.name, found.language):
        assert "\0" not in text
        assert text.encode("utf-8").decode() == text


def _value(found: Backlink, name: str) -> str:
    value: object = found
    for part in name.split("."):
        value = getattr(value, part)
    return value.isoformat() if isinstance(value, datetime) else str(value)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_fixture_page_says_what_its_first_comment_expects(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    comment, _, body = text.removeprefix("<!--").partition("-->")
    fields = dict(line.strip().split(": ", 1) for line in comment.replace("\n             ", " ").strip().splitlines())
    source = page(body)
    found = describe(source, validator.find(source, fields["Target"]), now=NOW)
    expected = dict(word.split("=", 1) for word in shlex.split(fields["Expect"]))
    assert expected
    assert {name: _value(found, name) for name in expected} == expected


def test_there_are_fixture_pages() -> None:
    assert len(PAGES) >= 20


# the words of a post that answers its target

ANSWER = f'<a class="u-in-reply-to" href="{T}">Hello</a>'
ZOE = '<a class="p-author h-card" href="/zoe">Zoe</a>'
LONG = "word " * 200


@pytest.mark.parametrize(
    ("body", "excerpt"),
    [
        pytest.param(
            f'<article class=h-entry><p>{ZOE} in reply to {ANSWER}</p>'
            '<div class=e-content><p>I agree.</p><p>Fully.</p></div><a class="u-url" href="/1">#</a></article>',
            "I agree. Fully.",
            id="a line of metadata over the content",
        ),
        pytest.param(
            '<article class="post type-post kind-reply hentry h-entry"><h1 class="entry-title p-name">Re: Hello</h1>'
            '<div class="entry-content e-content"><section class="response u-in-reply-to h-cite"><header>'
            f'<span class="kind-display-text">In Reply To</span><a href="{T}" class="p-name u-url">Hello</a>'
            '<span class="p-author h-card">Bob</span></header><blockquote class="e-summary">Hello, world.</blockquote>'
            "</section><p>I agree.</p><ul><li>One</li><li>Two</li></ul></div><footer>Posted by Zoe</footer></article>",
            "I agree. One Two",
            id="WordPress, Post Kinds: the citation stands in the content",
        ),
        pytest.param(
            '<article class="post hentry h-entry"><div class="entry-content"><div class="u-in-reply-to h-cite"><p><i>In'
            f' reply to <a class="u-url" href="{T}">Hello</a>.</i></p></div><div class=e-content><p>I agree.</p></div>'
            "</div></article>",
            "I agree.",
            id="WordPress, IndieBlocks",
        ),
        pytest.param(
            f'<div id="post-7" class="post-7 post hentry"><h2 class="entry-title">Re</h2><div class="entry-content"><p>'
            f"To {ANSWER}:</p><p>no.</p></div><div class=entry-utility>Posted in Uncategorized</div></div>",
            "To Hello: no.",
            id="WordPress, a theme of 2010",
        ),
        pytest.param(
            f'<article class=h-entry><span class="p-uid">tag:x</span><time class="dt-published">2024-01-01</time>'
            '<span class="p-author h-card"><data class="p-uid" value="1"></data><a class="p-name u-url" href="/z">Zoe'
            '</a><b class="p-nickname">zoe</b></span><a class="u-url" href="/1">/1</a><div class="e-content p-name">'
            '<p><span class="h-card"><a href="//b.example/@bob" class="u-url mention">@<span>bob</span></a></span>'
            ' so true <a href="https://c.example/long"><span class=invisible>https://</span>'
            '<span class="ellipsis">c.example/lo</span><span class=invisible>ng</span></a></p></div>'
            f'<a class="u-in-reply-to" href="https://b.example/@bob/1"></a><a class="u-in-reply-to" href="{T}"></a>'
            "</article>",
            "@bob so true https://c.example/long",
            id="Mastodon, by Bridgy",
        ),
        pytest.param(
            f'<div class=h-entry>{ZOE}<p><i class="fa"></i>Replied to <a class="u-in-reply-to"'
            f' href="{T}">a post on t.example</a>:</p><div class="entry-content">I agree<br>fully</div></div>',
            "I agree fully",
            id="Known",
        ),
        pytest.param(
            f'<div class=h-entry><a class="u-in-reply-to" href="{T}"></a><div class="p-content">I agree</div></div>',
            "I agree",
            id="content without markup",
        ),
        pytest.param(
            f'<div class=h-entry><p class=p-summary>{ZOE} RSVPs <data class="p-rsvp" value="yes">yes</data> to'
            f" {ANSWER}</p></div>",
            "Zoe RSVPs yes to Hello",
            id="an RSVP with a summary",
        ),
        pytest.param(
            f'<div class=h-entry><p>RSVP <data class="p-rsvp" value="yes">yes</data> to {ANSWER}</p>'
            '<p class=e-content>See you there!</p></div>',
            "See you there!",
            id="an RSVP with content",
        ),
        pytest.param(
            f'<div class=h-entry><p>RSVP <data class="p-rsvp" value="yes">yes</data> to {ANSWER}</p></div>',
            "RSVP yes to Hello",
            id="an RSVP that marks no words as its own",
        ),
        pytest.param(
            f'<div class=h-entry><p>Saved <a class="u-bookmark-of" href="{T}">Hello</a></p>'
            '<div class=e-content>Worth a look.</div></div>',
            "Worth a look.",
            id="a bookmark with a remark",
        ),
        pytest.param(
            f'<div class=h-entry><p>Saved <a class="u-bookmark-of" href="{T}">Hello</a></p></div>',
            "Saved Hello",
            id="a bookmark without one",
        ),
        pytest.param(
            f'<div class=h-entry><p>{ZOE} likes <a class="u-like-of" href="{T}">Hello</a></p>'
            '<div class=e-content>likes this</div></div>',
            "Zoe likes Hello",
            id="a like says no more than that",
        ),
        pytest.param(
            f'<div class=h-entry><div class=e-content><p>First.</p><p>Then <a href="{T}">Hello</a>.</p></div></div>',
            "Then Hello.",
            id="a mention shows what stands around its link",
        ),
        pytest.param(
            f'<div class=h-entry>{ANSWER}<p class=p-summary>In short.</p><div class=e-content>{LONG}</div></div>',
            "In short.",
            id="a long post with a summary",
        ),
        pytest.param(
            f'<div class=h-entry>{ANSWER}<div class=e-content>{LONG}</div></div>',
            ("word " * 100).strip() + "…",
            id="a long post without one",
        ),
        pytest.param(
            f'<div class=h-entry>{ANSWER}<div class=e-content> <img src=x> </div><p class=p-summary>Short</p></div>',
            "Short",
            id="content without a word",
        ),
        pytest.param(
            f'<div class=h-entry><p>Re {ANSWER}</p><div class="u-comment h-cite"><p class=e-content>Theirs</p></div>'
            "<template><p class=e-content>unseen</p></template></div>",
            "Re Hello",
            id="what others say there, and what nobody sees",
        ),
        pytest.param(
            f'<div class="h-feed"><div class=h-entry><p class=e-content>Another</p></div><div class=h-entry>{ANSWER}'
            '<p class=e-content>This one</p></div></div>',
            "This one",
            id="one post of several",
        ),
        *(
            pytest.param(
                f'<article class=h-entry>{ZOE}<div class=e-content>Zoe wrote this.</div><div {theirs}><p>Troll says'
                f" {ANSWER}</p></div></article>",
                "Troll says Hello",
                id=f"an answer of somebody else: {theirs}",
            )
            for theirs in (
                'class="h-cite"', 'class="p-comment h-cite"', 'class="u-comment"', 'class="u-comment u-in-reply-to"',
                'class="p-repost h-cite"', 'class="h-card"', 'data-linkback="no"',
            )
        ),
        pytest.param(
            f'<article class=h-entry><div class=e-content>Zoe wrote this.</div></article><div class="h-cite"><p>Troll'
            f" says {ANSWER}</p></div>",
            "Troll says Hello",
            id="an answer of somebody else after the post",
        ),
        pytest.param(
            f'<article class=h-entry><div class=e-content>Zoe wrote this.</div><div class="u-comment h-entry">{ANSWER}'
            "<p class=e-content>Bob wrote that.</p></div></article>",
            "Bob wrote that.",
            id="a comment that is a post itself",
        ),
        pytest.param(
            f'<article class=h-entry><div class="u-in-reply-to h-cite">{ANSWER}<p>Theirs</p></div>'
            "<div class=e-content>Mine</div></article>",
            "Mine",
            id="a link of its own in the citation of what is answered",
        ),
    ],
)  # fmt: skip
def test_an_answer_is_shown_in_its_own_words(body: str, excerpt: str) -> None:
    """protocols.md E-9, and microformats' conventions for showing comments."""
    assert read(f"<title>S</title>{body}").excerpt == excerpt


def test_the_words_of_an_answer_are_plain_text_and_the_wordpress_style_is_kept() -> None:
    body = (
        f"<div class=h-entry><p>To {ANSWER} now</p><p class=e-content>a &lt;b&gt;\u202e <script>x()</script>c</p></div>"
    )
    assert read(body).excerpt == "a <b> c"
    source = page(f"<title>S</title>{body}")
    assert describe(source, validator.find(source, T), "wordpress", now=NOW).excerpt == "[…] Hello […]"


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ("<div>Hello</div><div>World</div>", "Hello World"),
        ("<p>Hello</p>World", "Hello World"),
        ("Hello<br>World", "Hello World"),
        ("<ul><li>Hello</li><li>World</li></ul>", "Hello World"),
        ("<table><tr><td>Hello</td><td>World</td></tr></table>", "Hello World"),
        ("<span>Hello</span><span>World</span>", "Hello World"),
        ("<span>Hello</span><time>World</time>", "Hello World"),
        ("<span>Hello</span><img alt='' src=x><span>World</span>", "Hello World"),
        ("<span>Hello</span>\n<span>World</span>", "Hello World"),
        ("<span>Hello</span><!-- x --><span>World</span>", "Hello World"),
        ("<span>Hello</span><span>, World</span><span>!</span>", "Hello, World!"),
        ("<b>Hel</b><i>lo</i> World", "Hello World"),
        ("H<sub>2</sub><sup>+</sup>", "H2+"),
        ("Hel<span>lo</span> World", "Hello World"),
        ("<code><span>hello</span><span>World</span></code>", "helloWorld"),
    ],
)
def test_the_words_of_neighbours_stay_apart(inner: str, words: str) -> None:
    """In a name, a heading, an author's name, a link, and what an answer says."""
    assert read(f"<div class=h-entry><div class=p-name>{inner}</div></div>{LINK}").title == words
    assert read(f"<div class=h-entry><div class=p-author>{inner}</div></div>{LINK}").author.name == words
    assert read(f"<div class=h-entry>{ANSWER}<div class=e-content>{inner}</div></div>").excerpt == words
    assert read(f'<div>{inner} <a href="{T}"></a></div>').excerpt == words


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ("<h3>Hello</h3><p>World</p>", "Hello World"),
        ("Hello<br>World", "Hello World"),
        ("<b>Hel</b>lo", "Hello"),
        ('<span class="p-given-name">Hello</span><span class="p-family-name">World</span>', "Hello World"),
        ("<span>https://x.exam</span><span>ple</span>", "https://x.example"),
    ],
)
def test_the_words_in_a_link_stay_apart(inner: str, words: str) -> None:
    assert read(f'<a href="{T}">{inner}</a>').excerpt == words
    assert read(f"{'<div>' * 300}<a href='{T}'>{inner}</a>").excerpt.replace(" ", "") == words.replace(" ", "")


def test_a_value_in_parts_is_read_in_parts() -> None:
    body = (
        '<div class=h-entry><span class="dt-published"><span class="value">2020-01-02</span>'
        f'<span class="value">03:04</span></span><p>{LINK}</p></div>'
    )
    assert read(body).published == datetime(2020, 1, 2, 3, 4)


MANY = f"""<title>Links</title><meta property="og:title" content="Graph"><link rel=author href=/ann>
<div class=h-entry><a class=p-name href={T}/1>One</a> <time class=dt-published datetime=2024-05-06>then</time>
<a class="p-author h-card" href=https://ann.example/>Ann</a> <a href={T}/2>two</a></div>
<div class=h-entry><b class=p-name>Second</b><a class=u-in-reply-to href={T}/3>three</a>
<div class="h-cite u-comment"><a class=p-author href=/bob>Bob</a> <a href={T}/4>four</a></div></div>
<article><time datetime=2023-01-02></time><p lang=de>outside <a href={T}/5>five</a> of them</p></article>"""


@pytest.mark.parametrize("body", [MANY, MANY.replace("h-entry", "x"), WILD + "<div>" * 300 + MANY], ids=str.__len__)
@pytest.mark.parametrize("order", [range(1, 6), range(5, 0, -1)], ids=["first to last", "last to first"])
def test_a_page_says_the_same_of_each_link_whichever_was_described_before(body: str, order: range) -> None:
    source = page(body)
    kept = whole.Whole(source)
    alone = {number: describe(page(body), validator.find(page(body), f"{T}/{number}")) for number in order}
    for number in order:
        assert describe(source, validator.find(source, f"{T}/{number}"), whole=lambda: kept) == alone[number]
