"""Feeds and sitemaps as blogs write them: which posts they name, and when those may have changed."""

from __future__ import annotations

import base64
import gzip
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from xml.parsers import expat

import pytest

from linkback import feeds
from linkback.errors import Reason, Refused
from linkback.feeds import Entry, Listing
from linkback.feedscan import without_authors
from linkback.wire import Response

AT = "https://alice.example/blog/feed"


def read(body: str | bytes, *, kind: str = "", at: str = AT, truncated: bool = False) -> Listing:
    headers = (("Content-Type", kind),) if kind else ()
    data = body.encode() if isinstance(body, str) else body
    return feeds.read(Response(200, headers, data, at, truncated=truncated))


def atom(*entries: str, head: str = "", attributes: str = "") -> str:
    return f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"{attributes}>{head}{"".join(entries)}</feed>'


def atom_entry(link: str = "https://alice.example/a", **said: str) -> str:
    said = {"id": "tag:a", "title": "A", "updated": "2024-05-06T09:00:00+02:00", "content": "words", **said}
    inside = "".join(f"<{name}>{text}</{name}>" for name, text in said.items() if text)
    return f'<entry><link href="{link}"/>{inside}</entry>'


def rss(*items: str) -> str:
    return f'<rss version="2.0"><channel><title>B</title><link>https://alice.example/</link>{"".join(items)}</channel></rss>'


def sitemap(*entries: str) -> str:
    return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{"".join(entries)}</urlset>'


RSS_1 = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="x"><title>B</title></channel>
<item rdf:about="https://alice.example/a"><title>A</title><link>https://alice.example/a</link>
<dc:date>2024-05-06T07:00:00Z</dc:date></item></rdf:RDF>"""
JSON_FEED = {
    "version": "https://jsonfeed.org/version/1.1",
    "items": [
        {"id": "1", "url": "https://alice.example/a", "content_html": "<p>a", "date_published": "2024-05-06T07:00:00Z"}
    ],
}
SEVEN = datetime(2024, 5, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "stamped"),
    [
        (atom(atom_entry()), True),
        (rss("<item><link>https://alice.example/a</link><description>d</description>"
             "<pubDate>Mon, 06 May 2024 07:00:00 GMT</pubDate></item>"), True),
        (rss("<item><guid>https://alice.example/a</guid><title>only this</title>"
             "<pubDate>Mon, 06 May 2024 07:00:00 GMT</pubDate></item>"), False),
        (RSS_1, True),
        (json.dumps(JSON_FEED), True),
        (sitemap("<url><loc> https://alice.example/a </loc><lastmod>2024-05-06T07:00:00Z</lastmod></url>"), True),
        (sitemap("<url><loc>https://alice.example/a</loc></url>"), False),
        ("https://alice.example/a\n\n", False),
    ],
    ids=["atom", "rss 2", "rss with a guid", "rss 1", "json feed", "sitemap", "no lastmod", "list of urls"],
)  # fmt: skip
def test_every_format_names_the_post_and_says_whether_it_may_have_changed(body: str, stamped: bool) -> None:
    (entry,) = read(body).entries
    assert entry.url == "https://alice.example/a"
    assert (entry.stamp != "") == stamped
    assert entry.at in (SEVEN, None)
    assert entry.at is not None or not stamped


@pytest.mark.parametrize(
    ("said", "same"),
    [
        ({}, True),
        ({"content": "other words"}, False),
        ({"updated": "2024-05-07T09:00:00+02:00"}, False),
        ({"title": "B"}, False),
        ({"id": "tag:b"}, True),
        ({"published": "2024-01-01T00:00:00Z"}, True),
    ],
    ids=["nothing", "content", "updated", "title", "id", "published"],
)
def test_the_stamp_changes_with_what_is_said_of_a_post(said: dict[str, str], same: bool) -> None:
    before, after = (read(atom(one)).entries[0].stamp for one in (atom_entry(), atom_entry(**said)))
    assert (before == after) == same


def test_a_feed_that_only_names_its_posts_has_no_stamp() -> None:
    (entry,) = read(atom(atom_entry(updated="", content=""))).entries
    assert entry.stamp == ""


@pytest.mark.parametrize(
    ("link", "base", "url"),
    [
        ("a", "", "https://alice.example/blog/a"),
        ("/a?b=c&amp;d", "", "https://alice.example/a?b=c&d"),
        ("a", ' xml:base="https://www.alice.example/x/"', "https://www.alice.example/x/a"),
        ("a", ' xml:base="/x/"', "https://alice.example/x/a"),
        ("https://alice.example/a#part", "", "https://alice.example/a"),
        ("https://alice.example/%7Ea/é", "", "https://alice.example/%7Ea/é"),
        ("mailto:alice@alice.example", "", None),
        ("javascript:alert(1)", "", None),
        ("file:///etc/passwd", "", None),
    ],
    ids=["relative", "query", "absolute base", "relative base", "fragment", "as written", "mailto", "script", "file"],
)
def test_links_mean_what_they_mean_in_the_document(link: str, base: str, url: str | None) -> None:
    assert [entry.url for entry in read(atom(atom_entry(link), attributes=base)).entries] == [url] * (url is not None)


def test_a_post_stands_once_as_it_stands_first() -> None:
    one, two = atom_entry(content="newer"), atom_entry(content="older")
    assert read(atom(one, two)).entries == read(atom(one)).entries


@pytest.mark.parametrize(
    ("head", "onward"),
    [
        ('<link rel="next" href="?page=2"/>', "https://alice.example/blog/feed?page=2"),
        ('<link rel="prev-archive" href="/2023"/><link rel="next" href="/p2"/>', "https://alice.example/2023"),
        ('<link rel="self" href="/feed"/><link rel="alternate" href="/"/>', ""),
        ('<link rel="next" href="ftp://alice.example/"/>', ""),
    ],
    ids=["paged", "archived", "neither", "nowhere to go"],
)
def test_older_pages_of_a_feed_are_found(head: str, onward: str) -> None:
    assert read(atom(head=head)).onward == onward


def test_rss_and_json_feeds_have_older_pages_too() -> None:
    link = '<a:link rel="next" href="/2" xmlns:a="http://www.w3.org/2005/Atom"/>'
    with_atom = f'<rss version="2.0"><channel>{link}</channel></rss>'
    assert read(with_atom).onward == "https://alice.example/2"
    assert read(json.dumps({**JSON_FEED, "next_url": "/2"})).onward == "https://alice.example/2"
    assert read(json.dumps({**JSON_FEED, "next_url": 7})).onward == ""


@pytest.mark.parametrize(
    ("body", "complete"),
    [
        (atom(attributes=' xmlns:fh="http://purl.org/syndication/history/1.0"', head="<fh:complete/>"), True),
        (atom(attributes=' xmlns:x="http://purl.org/syndication/history/1.0"', head="<x:complete/>"), True),
        (atom(attributes=' xmlns:fh="http://other.example/"', head="<fh:complete/>"), False),
        (atom(attributes=' xmlns:fh="http://purl.org/syndication/history/1.0"', head="<fh:archive/>"), False),
        (rss(), False),
        (json.dumps(JSON_FEED), False),
        (sitemap(), True),
        ("https://alice.example/a", True),
    ],
    ids=["fh:complete", "by another prefix", "another namespace", "archive", "rss", "json", "sitemap", "lines"],
)
def test_a_feed_is_a_window_unless_it_says_otherwise_and_a_sitemap_is_whole(body: str, complete: bool) -> None:
    assert read(body).complete is complete


def test_tombstones_name_the_entries_that_are_deleted() -> None:
    namespace = "http://purl.org/atompub/tombstones/1.0"
    stone = f'<at:deleted-entry xmlns:at="{namespace}" ref="tag:{{}}" when="2024-05-06T00:00:00Z"/>'
    found = read(atom(stone.format("x"), atom_entry(), stone.format("y")))
    assert found.deleted == {"tag:x", "tag:y"}
    assert [entry.id for entry in found.entries] == ["tag:a"]


def test_an_index_names_sitemaps() -> None:
    namespace = "http://www.sitemaps.org/schemas/sitemap/0.9"
    part = "<s:sitemap><s:loc>https://alice.example/{}.xml.gz</s:loc></s:sitemap>"
    parts = "".join(part.format(number) for number in (1, 2, 1))
    found = read(f'<?xml version="1.0"?>\n<s:sitemapindex xmlns:s="{namespace}">{parts}</s:sitemapindex>')
    assert found == Listing(parts=("https://alice.example/1.xml.gz", "https://alice.example/2.xml.gz"), complete=True)


def test_a_packed_sitemap_is_unpacked() -> None:
    body = sitemap("<url><loc>https://alice.example/a</loc></url>")
    assert read(gzip.compress(body.encode()), kind="application/gzip") == read(body)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (atom(atom_entry(title="Grün")).encode("utf-8"), "application/atom+xml"),
        (atom(atom_entry(title="Grün")).replace('"1.0"', '"1.0" encoding="iso-8859-1"').encode("latin-1"), "text/xml"),
        (atom(atom_entry(title="Grün")).encode("latin-1"), "application/atom+xml; charset=iso-8859-1"),
        (b"\xef\xbb\xbf" + atom(atom_entry(title="Grün")).encode(), ""),
    ],
    ids=["utf-8", "declared", "in the header", "marked"],
)
def test_a_feed_is_read_in_its_own_encoding(body: bytes, kind: str) -> None:
    assert read(body, kind=kind).entries == read(atom(atom_entry(title="Grün"))).entries


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


INSIDE = rss("<item><link>https://alice.example/a</link></item>")
LAUGH = INSIDE.replace("alice.example/a", "alice.example/&b;")


@pytest.mark.parametrize(
    "body",
    [
        (BOMB + LAUGH).encode(),
        ('<?xml version="1.0"?>\n' + BOMB + LAUGH).encode("utf-16"),
        ("<!-- > -->" + BOMB + LAUGH).encode(),
        ('<!DOCTYPE rss SYSTEM "a>b" [<!ENTITY b "x">]>' + LAUGH).encode(),
        ('<!DOCTYPE rss SYSTEM \'a"[\' [<!ENTITY b "x">]>' + LAUGH).encode(),
        ('<!DOCTYPE rss [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + LAUGH).encode(),
        ('<!DOCTYPE rss [<!ENTITY % b SYSTEM "https://alice.example/x.dtd"> %b;]>' + LAUGH).encode(),
        ('<!DOCTYPE rss [ <!-- ]> --> <!ENTITY b "x">]>' + LAUGH).encode(),
        ('<!ENTITY b "x">' + LAUGH).encode(),
        ('<!doctype rss [<!entity b "x">]>' + LAUGH).encode(),
        ('<!DOCTYPE rss "' + BOMB + LAUGH).encode(),
        ("<!-- " + BOMB + LAUGH).encode(),
        # feedparser looks for the root where the first ASCII letter follows a bracket
        ("<é><![CDATA[\n" + BOMB + "]]>" + LAUGH + "</é>").encode(),
        (rss(BOMB) + LAUGH).encode(),
        (LAUGH.replace("<item>", BOMB + "<item>")).encode(),
    ],
    ids=lambda value: value[:40].decode("ascii", "replace"),
)
def test_a_feed_that_declares_entities_is_refused_wherever_these_stand(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read(body)
    assert refused.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("label", ["utf-7", "utf-16", "utf-32", "cp037"])
def test_a_feed_in_an_encoding_that_hides_its_declarations_is_not_decoded_by_it(label: str) -> None:
    declared = f'<?xml version="1.0" encoding="{label}"?>'
    hidden = "".join(f"+{base64.b64encode(mark.encode('utf-16-be')).decode().rstrip('=')}-" for mark in "<!")
    body = declared + hidden + "ENTITY b 'x'>" + INSIDE
    with pytest.raises(Refused):
        read(body, kind=f"text/xml; charset={label}")


@pytest.mark.parametrize(
    "said",
    [
        "<title><![CDATA[<!DOCTYPE x [<!ENTITY a 'b'>]>]]></title>",
        "<description><![CDATA[<svg><text><!ENTITY</text></svg>]]></description>",
        "<!-- <!ENTITY a 'b'> -->",
    ],
    ids=["title", "picture", "comment"],
)
def test_a_feed_that_writes_of_entities_is_a_feed(said: str) -> None:
    stone = '<at:deleted-entry xmlns:at="http://purl.org/atompub/tombstones/1.0" ref="tag:x"/>'
    found = read(rss(f"{stone}<item><link>https://alice.example/a</link>{said}</item>"))
    assert [entry.url for entry in found.entries] == ["https://alice.example/a"]
    assert found.deleted == {"tag:x"}


@pytest.mark.parametrize(
    "before",
    [
        '<?xml version="1.0"?>\n<!-- <!ENTITY a "b"> -->\n',
        '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/rss-0.91.dtd">',
        "<!doctype rss>",
        # a mistake that feedparser forgives
        '<?xml version="1.0" encoding="utf-8">\n',
        "\n" * 200_000,
        "<!-- \n -->" * 20_000,
    ],
    ids=["comment", "public doctype", "doctype", "open declaration", "blanks", "comments"],
)
def test_what_stands_before_the_root_of_a_feed_changes_nothing(before: str) -> None:
    assert read(before + INSIDE) == read(INSIDE)


@pytest.mark.parametrize(
    ("inside", "word"),
    [
        (lambda: "<a/>" * 600_000, "600,000 elements"),
        (lambda: "<a " + " ".join(f'a{number}=""' for number in range(20_000)) + "/>", "100 attributes"),
        (lambda: "<a>" * 300 + "</a>" * 300, "250 deep"),
        (lambda: "".join(f'<a xmlns:a{number}="u{number}"/>' for number in range(200)), "100 namespaces"),
        (lambda: f'<a xml:base="https://alice.example/{"a/" * 6000}"/>', "xml:base"),
        (
            lambda: '<a xml:base="aaaaaaaaa/bbbbbbbbb/ccccccccc/ddddddddd/eeeeeeeee/fffffffff/">' * 200 + "</a>" * 200,
            "xml:base",
        ),
        (lambda: f'<a xml:lang="{"en-" * 6000}"/>', "xml:lang"),
        (lambda: f'<a xml:base="{"a/" * 1020}">' + '<link href="x"/>' * 60_000 + "</a>", "base addresses"),
        (lambda: '<a xml:base="aaaaaaaaa/">' * 200 + '<link href="x"/>' * 60_000 + "</a>" * 200, "base addresses"),
        (lambda: f'<a xml:lang="{"en-" * 670}">' + "<a/>" * 60_000 + "</a>", "base addresses"),
    ],
    ids=[
        "elements",
        "attributes",
        "depth",
        "namespaces",
        "base",
        "bases in each other",
        "language",
        "links under a base",
        "links under bases",
        "elements in a language",
    ],
)
def test_a_feed_that_would_take_feedparser_too_long_is_refused_in_one_line(
    inside: Callable[[], str], word: str
) -> None:
    with pytest.raises(Refused) as refused:
        read(rss(inside()))
    assert refused.value.reason is Reason.MALFORMED
    assert word in str(refused.value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    "inside",
    [
        lambda: "<a>" * 200_000,
        lambda: "<a base='b/'>" * 30_000,
        lambda: f'<a lang="{"en-" * 30_000}">',
        lambda: "words " * 800_000,
        lambda: f"<a base='{'a/' * 1200}'>",
        lambda: f"<a base='{'a/' * 1000}'>" + "<link href='x'/>" * 60_000,
        lambda: "<link href='x'/>" * 30_000 + "<a base='aaaaaaaaa/'>" * 400 + "<link href='x'/>" * 30_000,
    ],
    ids=["tags", "bases", "language", "length", "base", "links under a base", "links under bases"],
)
def test_a_feed_with_a_mistake_is_given_less_room_and_told_the_line(inside: Callable[[], str]) -> None:
    with pytest.raises(Refused, match=r"not well-formed \(line 3\)") as refused:
        read(f'<?xml version="1.0"?>\n\n{rss("&nope;" + inside())}')
    assert refused.value.reason is Reason.MALFORMED


def test_the_feed_of_a_long_life_is_read() -> None:
    """Twenty million bytes of ten thousand posts."""
    words = "<![CDATA[" + "<p>words and <em>more</em> words</p>" * 50 + "]]>"
    post = "<item><link>https://alice.example/{}</link><category>a</category><description>{}</description></item>"
    body = rss(*(post.format(number, words) for number in range(10_000)))
    assert 18_000_000 < len(body) < feeds.MOST_BYTES
    assert len(read(body).entries) == 10_000


@pytest.mark.parametrize("mistake", ["", "&nope;"])
def test_the_address_of_a_feed_is_a_base_too(mistake: str) -> None:
    body = rss(mistake + '<link href="x"/>' * 60_000)
    assert read(body, at="https://alice.example/feed").entries == ()
    with pytest.raises(Refused) as refused:
        read(body, at="https://alice.example/" + "a/" * 1000)
    assert refused.value.reason is Reason.MALFORMED


@pytest.mark.parametrize(("posts", "mistake"), [(10_000, ""), (400, "&nope;")], ids=["well-formed", "with a mistake"])
def test_a_feed_that_names_a_base_for_each_post_is_read(posts: int, mistake: str) -> None:
    """As WordPress does in Atom; well-formed it has about twenty million bytes."""
    base = f"https://alice.example/{'b' * 77}/"
    words = f'<content type="xhtml" xml:base="{base}"><div>{mistake}{"<p>words and words</p>" * 18}</div></content>'
    named = '<title>{0}</title><id>tag:{0}</id><updated>2024-01-01T00:00:00Z</updated><link href="{0}"/>'
    entries = (
        f"<entry>{named.format(number)}{words}<summary>{'some words ' * 115}</summary></entry>"
        for number in range(posts)
    )
    body = atom(*entries, attributes=f' xml:lang="en-US" xml:base="{base}"')
    assert posts < 10_000 or 18_000_000 < len(body) < feeds.MOST_BYTES
    listing = read(body)
    assert len(listing.entries) == posts
    assert listing.entries[7].url == f"{base}7"


@pytest.mark.parametrize("name", ["author:x", "tags:author", "x:author", "author-of:name", "author"])
def test_a_feed_that_is_well_formed_is_so_without_its_authors(name: str) -> None:
    """Else feedparser would read it by its loose rules, after less was asked of it."""
    spaces = " ".join(f'xmlns:{prefix}="urn:{prefix}"' for prefix in ("author", "author-of", "tags", "x"))
    body = without_authors(f"<rss {spaces}><{name} author:name='a'>zoe</{name}><{name}/></rss>")
    expat.ParserCreate("utf-8", " ").Parse(body, True)
    assert "<author>" not in body
    assert ":author>" not in body


@pytest.mark.parametrize(
    "label",
    [
        "<author>{}</author>",
        "<dc:creator>{}</dc:creator>",
        "<managingEditor>{}</managingEditor>",
        "<author><name>{}</name></author>",
        "<itunes_author>{}</itunes_author>",
        "<category>{}</category>",
    ],
)
@pytest.mark.parametrize("mistake", ["", "&nope;"])
def test_authors_and_tags_are_kept_from_feedparser(label: str, mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the square of their length for them."""
    import feedparser

    parsed: list[Any] = []
    parse = feedparser.parse

    def keeping(*given: Any, **said: Any) -> Any:
        parsed.append(parse(*given, **said))
        return parsed[-1]

    monkeypatch.setattr(feedparser, "parse", keeping)
    item = (
        f"<item xmlns:dc='http://purl.org/dc/elements/1.1/'><link>https://alice.example/a</link>{label}{mistake}</item>"
    )
    assert len(read(rss(item.format("bob@bob.example"))).entries) == 1
    assert not {"author", "authors", "author_detail", "tags"} & parsed[0].entries[0].keys()


def test_a_link_that_reads_like_a_tag_is_as_it_was() -> None:
    (entry,) = read(rss("<item><link><![CDATA[authors-and-tags]]></link><title>A</title></item>")).entries
    assert entry.url == "https://alice.example/blog/authors-and-tags"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.MALFORMED),
        (b"not a feed", Reason.MALFORMED),
        (b"https://alice.example/a\nand more", Reason.MALFORMED),
        (b"<!doctype html><title>A page</title><p>no feed", Reason.MALFORMED),
        (b"<opml><body/></opml>", Reason.MALFORMED),
        (b"<urlset><url>", Reason.MALFORMED),
        (b"<x><urlset/></x>", Reason.MALFORMED),
        (b"{", Reason.MALFORMED),
        (b'{"items": 3}', Reason.MALFORMED),
        (b"[1]", Reason.MALFORMED),
        (b'{"items":' + b"[" * 100_000, Reason.MALFORMED),
        (atom(head=BOMB).encode(), Reason.MALFORMED),
        ((BOMB + sitemap()).encode(), Reason.MALFORMED),
        # with the time in it, its id would be another each time
        (gzip.compress(b"https://alice.example/a\n" * 99, mtime=0)[:-9], Reason.MALFORMED),
        (b"\x1f\x8b nonsense", Reason.MALFORMED),
        pytest.param(lambda: gzip.compress(b" " * (feeds.MOST_BYTES + 1)), Reason.TOO_LARGE, id="packed"),
        pytest.param(lambda: b"https://alice.example/a\n" * 900_000, Reason.TOO_LARGE, id="long"),
    ],
    ids=lambda value: str(value[:24]) if isinstance(value, bytes) else "",
)
def test_what_is_no_feed_is_refused_in_one_line(body: bytes | Callable[[], bytes], reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        read(body() if callable(body) else body)
    assert refused.value.reason is reason
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_a_document_has_twenty_megabytes_at_most(packed: Callable[[bytes], bytes]) -> None:
    urls = b"https://alice.example/a\n"
    assert len(read(packed(urls.ljust(20_971_520))).entries) == 1
    with pytest.raises(Refused, match="20,971,520 bytes"):
        read(packed(urls.ljust(20_971_521)))


def test_a_document_that_was_cut_is_not_taken_for_a_whole_one() -> None:
    with pytest.raises(Refused, match="too-large"):
        read(sitemap("<url><loc>https://alice.example/a</loc></url>"), truncated=True)


def test_a_feed_with_a_mistake_in_its_markup_is_read_all_the_same() -> None:
    assert [entry.url for entry in read(rss("<item><link>https://alice.example/a</link><br></item>")).entries] == [
        "https://alice.example/a"
    ]


@pytest.mark.parametrize("item", [3, None, {}, {"url": 3}, {"id": "1"}, {"url": "http://["}, {"url": " "}])
def test_an_item_without_a_url_is_passed_over(item: object) -> None:
    assert read(json.dumps({"items": [item, {"id": "https://alice.example/b"}]})).entries == (
        Entry(url="https://alice.example/b", id="https://alice.example/b"),
    )


@pytest.mark.parametrize("said", ["&#xD800;", "&b &#99999999999;"])
def test_what_the_parser_of_feeds_fails_on_is_refused(said: str) -> None:
    with pytest.raises(Refused) as refused:
        read(rss(f"<item><link>https://alice.example/a</link><title>{said}</title></item>"))
    assert refused.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("word", ["<urlset>", "<s:sitemapindex/>"])
def test_a_feed_that_writes_of_sitemaps_is_a_feed(word: str) -> None:
    feed = rss(f"<item><link>https://alice.example/a</link></item><x><![CDATA[{word}]]></x>")
    assert [entry.url for entry in read(f"<!-- {word} -->{feed}").entries] == ["https://alice.example/a"]


@pytest.mark.parametrize(
    "before",
    [
        "<!-- a licence: " + "words " * 1000 + "-->",
        "<?xml-stylesheet href='<feed>'?>\n<!-- <rss> -->",
        "<!----><?x?>" * 5000,
    ],
    ids=["long", "misleading", "much"],
)
def test_a_sitemap_is_known_by_its_root_whatever_stands_before(before: str) -> None:
    body = sitemap("<url><loc>https://alice.example/a</loc></url>")
    assert read(before + body) == read(body)


def test_a_feed_is_bytes_and_never_a_place_to_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    """feedparser opens strings that look like URLs or files."""

    def connect(*args: object) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(socket.socket, "connect", connect)
    dtd = '<!DOCTYPE rss SYSTEM "http://alice.example/rss.dtd">'
    assert len(read(dtd + rss("<item><link>https://alice.example/a</link></item>")).entries) == 1
    with pytest.raises(Refused):
        read("<")


@pytest.mark.parametrize(
    ("lastmod", "at"),
    [
        ("2024-05-06", datetime(2024, 5, 6, tzinfo=UTC)),
        ("2024-05-06T09:00:00+02:00", datetime(2024, 5, 6, 9, tzinfo=timezone(timedelta(hours=2)))),
        ("2024", None),
        ("yesterday", None),
    ],
)
def test_the_time_of_a_sitemap_is_aware_or_none(lastmod: str, at: datetime | None) -> None:
    (entry,) = read(sitemap(f"<url><loc>https://alice.example/a</loc><lastmod>{lastmod}</lastmod></url>")).entries
    assert entry.at == at
    assert entry.stamp
