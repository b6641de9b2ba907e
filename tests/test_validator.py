"""A link counts where a reader's browser would show one to exactly the target, and nowhere else.

The ids are the vectors' own: VD-n of the conformance table, by the exact equality.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkback import urls, validator
from linkback.errors import LinkbackError, NoBacklink, Reason, SourceGone
from linkback.model import Backlink
from linkback.page import Page
from linkback.validator import Index
from linkback.verbs import find_backlink
from linkback.wire import Response

T = "https://t.example/post"
S = "https://s.example/note"
HTML = "text/html; charset=utf-8"
QUERY = "https://t.example/?a=1&b=2"
XHTML = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title></head><body>{}</body></html>'
XLINK = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


@dataclass(frozen=True)
class Source:
    """A page as it was served, and the target it is asked about."""

    body: str | bytes
    target: str = T
    content_type: str | None = HTML
    url: str = S

    @property
    def page(self) -> Page:
        headers = (("Content-Type", self.content_type),) if self.content_type is not None else ()
        body = self.body.encode() if isinstance(self.body, str) else self.body
        return Page(Response(200, headers, body, self.url))

    def links(self, *, extended: bool = True) -> bool:
        try:
            validator.find(self.page, self.target, extended=extended)
        except NoBacklink:
            return False
        return True


def a(href: str, target: str = T) -> Source:
    return Source(f'<a href="{href}">x</a>', target)


def typed(content_type: str, body: str | bytes) -> Source:
    return Source(body, content_type=content_type)


LINKING = {
    "VD-1": a(T),
    "VD-2": Source(f"<A HREF={T}></A>"),
    "VD-3": Source(f"<a href={T}><img src=i></a>"),
    "VD-4": Source('<a href="/post">', url="https://t.example/about"),
    "VD-5": Source('<a href="../post">', url="https://t.example/d/n"),
    "VD-6": Source('<base href="https://t.example/"><a href=post>'),
    "VD-7": Source(f"<area href={T}>"),
    "VD-11 link": Source(f'<link class="u-in-reply-to" href={T}>'),
    "VD-11 data": Source(f'<data class="u-like-of" value={T}>'),
    "VD-22": Source(f'<a rel="nofollow ugc" href={T}>'),
    "VD-23 hidden": Source(f"<div hidden><a href={T}>"),
    "VD-23 object": Source(f"<object><a href={T}></object>"),
    "VD-24 xlink": Source(f"<svg><a xlink:href={T}>"),
    "VD-24 href": Source(f"<svg><a href={T}>"),
    "VD-25 named": a("https://t.example/?a=1&amp;b=2", QUERY),
    "VD-25 numeric": a("https://t.example/?a=1&#038;b=2", QUERY),
    "VD-25 raw": a("https://t.example/?a=1&b=2", QUERY),
    "VD-26": a("HTTPS://T.EXAMPLE:443/post"),
    "VD-27": a("https://t.example/", "https://t.example"),
    "VD-28": a("https://t.example/%7Eu", "https://t.example/~u"),
    "VD-29": a("https://t.example/a%2Fb", "https://t.example/a%2fb"),
    "VD-31": a("https://xn--bcher-kva.example/", "https://bücher.example/"),
    "VD-32": a("https://t.example/%C3%A9", "https://t.example/é"),
    "VD-33": a(" \nhttps://t.exa\nmple/po\tst\n "),
    "VD-34": a("https://t.example/x/../post"),
    "VD-41": a(T + "#c1"),
    "VD-43": a(T + "#"),
    "VD-46": typed("application/json", json.dumps({"a": [{"u": T}]})),
    "VD-48": typed("application/feed+json", json.dumps([1, None, {"b": T}])),
    "VD-50 full stop": typed("text/plain", f"see {T}."),
    "VD-50 brackets": typed("text/markdown; charset=utf-8", f"({T})"),
    "VD-50 angles": typed("text/plain", f"<{T}>"),
    "VD-52": typed("image/svg+xml", f'<svg {XLINK}><a xlink:href="{T}"/></svg>'),
    "VD-54": typed("", f"\n<html><p><a href={T}>x</a>"),
    "VD-55 Atom": typed("application/atom+xml", f'<feed xmlns="http://www.w3.org/2005/Atom"><link href="{T}"/></feed>'),
    "VD-55 RSS": typed("application/rss+xml", f'<rss><description>&lt;a href="{T}"&gt;x</description></rss>'),
    "VD-71": Source(b"<p>\xff\xfe\xe9<a href=" + T.encode() + b">x</a><!-- never closed"),
    "D-7 any of a repeated key": typed("application/json", f'{{"u": "{T}", "u": "https://o.example/"}}'),
    "D-7 a bare string": typed("application/json", f' "{T}" '),
    "D-8 the first is longer": typed("text/plain", f"{T}2 and {T}, or"),
    "D-8 at the ends": typed("text/plain", T),
    "D-9 element text": typed("text/xml", f"<rss><link>\n{T}\n</link></rss>"),
    "D-9 relative in a feed": Source(
        "<r><d>&lt;p&gt;&lt;a href='/post'&gt;</d></r>", content_type="application/xml", url="https://t.example/feed"
    ),
    "XHTML": typed("application/xhtml+xml", XHTML.format(f'<a href="{T}"/>')),
    "XHTML SVG": typed("application/xhtml+xml", XHTML.format(f'<svg {XLINK}><a xlink:href="{T}"/></svg>')),
    "XHTML that is none": typed("application/xhtml+xml", f"<html><br><a href={T}>x</a>"),
    "sniffed JSON": typed("", f'["{T}"]'),
    "sniffed text": typed("", f"see {T}"),
    "sniffed UTF-16": typed("", b"\xff\xfe" + f"<a href={T}>".encode("utf-16-le")),
}
#: what refers without being a hyperlink: enough for Webmention, not for Pingback and TrackBack
REFERRING = {
    "VD-8 img": Source(f"<img src={T}>"),
    "VD-8 video": Source(f"<video poster={T}>"),
    "VD-8 iframe": Source(f"<iframe src={T}></iframe>"),
    "VD-8 object": Source(f"<object data={T}>"),
    "VD-9 blockquote": Source(f"<blockquote cite={T}>"),
    "VD-9 q": Source(f"<q cite={T}>"),
    "VD-9 ins": Source(f"<ins cite={T}>"),
    "VD-9 del": Source(f"<del cite={T}>"),
    "D-1 audio": Source(f"<audio src={T}>"),
    "D-1 video": Source(f"<video src={T}>"),
    "D-1 source": Source(f"<video><source src={T}></video>"),
    "D-1 track": Source(f"<video><track src={T}></video>"),
    "D-1 embed": Source(f"<embed src={T}>"),
    "D-1 input": Source(f'<input type=" IMAGE" src={T}>'),
    "D-9 in a feed": typed("application/rss+xml", f"<rss><d>&lt;img src={T}&gt;</d></rss>"),
}
NOT_LINKING = {
    "VD-10": Source(f"<link rel=canonical href={T}>"),
    "VD-12": Source(f"<!-- <a href={T}>x</a> --><!--[if IE]><a href={T}>x</a><![endif]-->"),
    "VD-13 script": Source(f'<script>"<a href={T}>"</script>'),
    "VD-13 style": Source(f"<style>/*{T}*/</style>"),
    "VD-14": Source(f"<textarea><a href={T}>x</a></textarea>"),
    "VD-15": Source(f"<noscript><a href={T}>x</a></noscript>"),
    "VD-16": Source(f"<template><a href={T}>x</a></template>"),
    "VD-17 title": Source(f'<a title="{T}" href="https://x.example/">'),
    "VD-17 data": Source(f"<a data-href={T}>"),
    "VD-17 ping": Source(f"<a ping={T}>"),
    "VD-18": Source(f"<p>{T}</p>"),
    "VD-19": Source(f'&lt;a href="{T}"&gt;x&lt;/a&gt;'),
    "VD-20 srcdoc": Source(f"<iframe srcdoc='<a href={T}>'></iframe>"),
    "VD-20 srcset": Source(f"<img srcset={T}>"),
    "VD-20 action": Source(f"<form action={T}>"),
    "VD-21": Source(f'<meta http-equiv=refresh content="0;url={T}">'),
    "VD-30": a("https://t.example/a%2Fb", "https://t.example/a/b"),
    "VD-35": a("http://t.example/post"),
    "VD-36": a(T + "/"),
    "VD-37": a("https://www.t.example/post"),
    "VD-38": a(T + "?utm_source=x"),
    "VD-39 query": a(T + "?a=1"),
    "VD-39 mark": a(T + "?"),
    "VD-39 case": a("https://t.example/Post"),
    "VD-40 other": a("https://t.example/post-other"),
    "VD-40 below": a(T + "/x"),
    "VD-40 longer": a(T + "2"),
    "VD-42": a(T, T + "#c1"),
    "VD-45": a("https://u:p@t.example/post"),
    "VD-47 key": typed("application/json", json.dumps({T: 1})),
    "VD-47 part": typed("application/json", json.dumps({"a": f"see {T}"})),
    "VD-49": typed("application/json", f'{{"a":"{T}"'),
    "VD-51 longer": typed("text/plain", T + "2"),
    "VD-51 below": typed("text/plain", T + "/x"),
    "VD-51 glued": typed("text/plain", "x" + T),
    "VD-53": typed("image/png", b"\x89PNG <a href=" + T.encode() + b">"),
    "VD-72": Source(f'<a href="https://x.example/" href="{T}">'),
    "D-1 link with another class": Source(f'<link class="in-reply-to u-" href={T}>'),
    "D-1 data without class": Source(f"<data value={T}>"),
    "D-1 data without value": Source(f"<data class=u-like-of href={T}>"),
    "D-1 input of another type": Source(f"<input src={T}>"),
    "D-1 SVG image": Source(f"<svg><audio src={T}></svg>"),
    "D-1 xlink outside of SVG": Source(f"<a xlink:href={T}>"),
    "D-1 SVG follows href": Source(f"<svg><a href=https://x.example/ xlink:href={T}>"),
    "D-7 too deep": typed("application/json", "[" * 102 + f'"{T}"' + "]" * 102),
    "D-7 far too deep": typed("application/json", "[" * 200_000),
    "D-8 a colon and more": typed("text/plain", f"{T}:80/"),
    "D-9 broken": typed("application/rss+xml", f"<rss><link>{T}</link>"),
    "D-9 part of a text": typed("application/rss+xml", f"<rss><link>see {T}</link><d>a &lt; b</d></rss>"),
    "D-10 sniffed bytes": typed("", b"<\x00" + T.encode()),
    "XHTML comment": typed("application/xhtml+xml", XHTML.format(f'<!--<a href="{T}"/>-->')),
    "XHTML CDATA": typed("application/xhtml+xml", XHTML.format(f'<![CDATA[<a href="{T}"/>]]>')),
    "XHTML noscript": typed("application/xhtml+xml", XHTML.format(f'<noscript><a href="{T}"/></noscript>')),
    "XHTML foreign attribute": typed("application/xhtml+xml", XHTML.format(f'<a xmlns:x="urn:x" x:href="{T}"/>')),
    "XHTML foreign element": typed("application/xhtml+xml", XHTML.format(f'<a xmlns="urn:x" href="{T}"/>')),
    "XHTML entity": typed("application/xhtml+xml", f'<!DOCTYPE html [<!ENTITY t "{T}">]><html><a href="&t;"/></html>'),
}
each = partial(pytest.mark.parametrize, "source")


def table(*sources: dict[str, Source]) -> pytest.MarkDecorator:
    return each([pytest.param(source, id=name) for one in sources for name, source in one.items()])


@table(LINKING)
def test_a_hyperlink_proves_a_claim_of_any_protocol(source: Source) -> None:
    assert source.links(extended=True)
    assert source.links(extended=False)


@table(REFERRING)
def test_a_reference_proves_a_webmention_only(source: Source) -> None:
    """D-2."""
    assert source.links(extended=True)
    assert not source.links(extended=False)


@table(NOT_LINKING)
def test_what_no_reader_sees_as_a_link_to_the_target_proves_nothing(source: Source) -> None:
    assert not source.links(extended=True)
    assert not source.links(extended=False)


@table({name: source for name, source in (LINKING | REFERRING).items() if source.content_type == HTML})
def test_one_link_is_evidence_for_its_own_target_only(source: Source) -> None:
    with pytest.raises(NoBacklink):
        validator.find(source.page, "https://o.example/")


def test_the_host_may_say_what_else_is_the_target() -> None:
    """VD-44."""
    alias = "https://t.ex/1"
    found = validator.find(a(alias).page, T, matches=lambda link: urls.same_page(link, alias))
    assert (found.target, found.href) == (T, alias)


def test_the_evidence_is_shown() -> None:
    """VD-75."""
    body = f'<a href=/x>no</a><p><a class="u-like-of x" rel="nofollow UGC" href="{T}#c"> txt <b>b</b></a>'
    found = validator.find(Source(body, url="https://s.example/moved").page, T, source=S)
    assert (found.source, found.target, found.final_url) == (S, T, "https://s.example/moved")
    assert (found.element, found.attribute, found.href, found.position) == ("a", "href", T + "#c", 1)
    assert (found.rels, found.properties, found.text) == (("nofollow", "ugc"), ("like-of",), "txt b")


@pytest.mark.parametrize(
    ("source", "element", "attribute", "href", "position"),
    [
        (Source(f"<svg><a xlink:href='{T}'>"), "a", "xlink:href", T, 0),
        (Source(f"<img><img src={T}>"), "img", "src", T, 1),
        (typed("application/json", f'["{T}"]'), "json", "", T, 0),
        (typed("text/plain", f"see {T}"), "text", "", T, 4),
        (typed("application/rss+xml", f"<r><link>{T}</link></r>"), "link", "", T, 0),
        (typed("application/rss+xml", f'<r><x y="{T}"/></r>'), "x", "y", T, 0),
        (typed("application/rss+xml", f"<r><d>&lt;p&gt;&lt;a href={T}&gt;</d></r>"), "a", "href", T, 0),
    ],
)
def test_the_place_of_the_evidence_is_told(
    source: Source, element: str, attribute: str, href: str, position: int
) -> None:
    found = validator.find(source.page, T)
    assert (found.element, found.attribute, found.href, found.position) == (element, attribute, href, position)
    assert found.source == S


def test_the_link_that_says_what_it_is_is_the_evidence() -> None:
    """A navigation link before the reply takes nothing from it."""
    body = f"<a href={T}>first</a><a class=u-in-reply-to href={T}>second</a><a class=u-like-of href={T}>third</a>"
    assert validator.find(Source(body).page, T).properties == ("in-reply-to",)


@pytest.mark.parametrize(
    ("body", "gone"),
    [
        (f'<meta http-equiv="Status" content="410 GONE"><a href={T}>', True),
        (f'<meta http-equiv=" STATUS " content=" 410"><a href={T}>', True),
        (f'<meta http-equiv="Status" content="200 OK"><a href={T}>', False),
        (f'<meta name="Status" content="410"><a href={T}>', False),
        (f'<template><meta http-equiv="Status" content="410"></template><a href={T}>', False),
    ],
)
def test_a_page_can_declare_itself_gone(body: str, gone: bool) -> None:
    """D-26, VD-64."""
    source = Source(body)
    if not gone:
        assert source.links()
        return
    with pytest.raises(SourceGone) as refused:
        source.links()
    assert refused.value.reason is Reason.SOURCE_GONE


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Response(200, (("Content-Type", HTML),), b"<p>", S), Reason.NO_BACKLINK),
        (Response(200, (("Content-Type", HTML),), b"<p>", S, truncated=True), Reason.TRUNCATED),
        (Response(200, (("Content-Type", "image/png"),), b"<p>", S), Reason.UNSUPPORTED_TYPE),
        (Response(200, (), b"\x00", S), Reason.UNSUPPORTED_TYPE),
    ],
)
def test_the_refusal_says_why(response: Response, reason: Reason) -> None:
    """D-10, D-24."""
    with pytest.raises(NoBacklink) as refused:
        validator.find(Page(response), T)
    assert refused.value.reason is reason
    assert refused.value.detail


def test_a_link_in_the_part_that_was_read_counts() -> None:
    """VD-60."""
    page = Page(Response(200, (("Content-Type", HTML),), f"<a href={T}>".encode(), S, truncated=True))
    assert validator.find(page, T).href == T


GONE = "<meta http-equiv=status content=410>"
LINKS = ("<a ", "<svg>", "<math>", "href=", T, ">", '"', "'", "</a>", "http://[", GONE, '{"a":', "[")
HIDING = (
    "<template>",
    "</template>",
    "<noscript>",
    "</noscript>",
    "<select>",
    "<frameset>",
    "<script/>",
    "<plaintext>",
)
TRICKS = ("<![CDATA[", "]]>", "<!--", "-->", "<title>", "</title>", "&#", "99999999999;", "\x00", "\ud800")
XML = ('<?xml version="1.0"?>', '<html xmlns="http://www.w3.org/1999/xhtml">', "</html>")
bodies = st.lists(st.sampled_from((*LINKS, *HIDING, *TRICKS, *XML)), max_size=20).map(
    lambda parts: "".join(parts).encode("utf-8", "surrogatepass")
)
types = st.sampled_from(
    [
        HTML,
        "",
        "application/xhtml+xml",
        "text/xml",
        "application/json",
        "text/plain",
        "image/png",
        "text/html; charset=utf-7",
    ]
)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.text(st.characters(exclude_categories=()), max_size=30) | types, st.binary(max_size=300) | bodies)
def test_no_page_makes_verification_fail_otherwise_than_by_refusing(content_type: str, body: bytes) -> None:
    try:
        found = find_backlink(S, T, [("Content-Type", content_type)], body)
    except LinkbackError:
        return
    assert urls.satisfies(found.href, T)


@pytest.mark.parametrize("source", ["", "no url", "http://[", "https://s.example/\ud800"])
@pytest.mark.parametrize("target", ["", "no url", "http://[", T, "https://t.example/\ud800"])
def test_arguments_that_are_no_urls_prove_nothing(source: str, target: str) -> None:
    with pytest.raises(NoBacklink):
        find_backlink(source, target, {"Content-Type": HTML}, b"<a href=''>x</a><a href='no url'>")


def test_a_link_after_more_tags_than_are_read_is_not_found_for_that_reason() -> None:
    with pytest.raises(NoBacklink) as caught:
        validator.find(Source("<i>" * 200_000 + f"<a href={T}>x</a>").page, T)
    assert caught.value.reason is Reason.TRUNCATED


ALIKE = [
    f"<a href='{T}'>first</a><a class=u-in-reply-to href='{T}'>second</a>",
    "<base href='https://t.example/'><a href=post>relative</a>",
    "<a href='http://www.t.example/post/?utm_source=x#part'>loosely</a>",
    "<a href='HTTPS://T.EXAMPLE:443/p%6Fst#part'>spelled otherwise</a>",
    f"<img src='{T}'><blockquote cite='{T}'></blockquote><link class=u-like-of href='{T}'>",
    f"<a href='{T}/longer'>another</a><a href='//t.example/tb/1'>ping</a>",
    f"<svg><a xlink:href='{T}'>drawn</a></svg><template><a href='{T}'>not shown</a></template>",
    f"<p>{T}</p>",
]


@pytest.mark.parametrize("body", [*ALIKE, "".join(ALIKE), "".join(reversed(ALIKE))])
@pytest.mark.parametrize("target", [T, f"{T}#part", "https://t.example/tb/1", "https://t.example/"])
@pytest.mark.parametrize("loosely", [False, True])
@pytest.mark.parametrize("extended", [True, False])
def test_an_index_finds_what_is_found_without(body: str, target: str, *, loosely: bool, extended: bool) -> None:
    matches = partial(urls.satisfies_loosely, target=target) if loosely else urls.satisfier(target)

    def found(index: Index | None) -> Backlink | str:
        page = index_page if index is not None else Source(body).page
        try:
            return validator.find(page, target, extended=extended, matches=matches, named=[target, T], index=index)
        except NoBacklink as error:
            return str(error)

    index_page = Source(body).page
    assert found(Index(index_page)) == found(None)
