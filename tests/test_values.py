"""What is kept of JSON and of a feed is what may hold a link that is looked for, and only some of that is read."""

from __future__ import annotations

import pytest

from linkback import urls, validator, values
from linkback.errors import NoBacklink, Reason
from linkback.model import Backlink
from linkback.page import Page
from linkback.validator import Index
from linkback.wire import Response

T = "https://t.example/2024/the-post"
HOME = "https://t.example/"
S = "https://s.example/feed"
JSON, XML = "application/json", "application/rss+xml"


def page(content_type: str, body: str, url: str = S) -> Page:
    return Page(Response(200, (("Content-Type", content_type),), body.encode(), url))


def cdata(html: str) -> str:
    return f"<d><![CDATA[{html}]]></d>"


def feed(*entries: str) -> Page:
    return page(XML, f"<rss>{''.join(entries)}</rss>")


def found(page: Page, target: str = T, index: Index | None = None, *, slowly: bool = False) -> Backlink | Reason:
    """With `slowly` every value is looked at."""
    matches, named = urls.satisfier(target), () if slowly else (target,)
    try:
        return validator.find(page, target, matches=matches, named=named, index=index)
    except NoBacklink as error:
        return error.reason


LINKED = {
    "an attribute": page(XML, f"<feed><link href='{T}'/></feed>"),
    "a text": page(XML, f"<rss><link>\n{T}\n</link></rss>"),
    "a text in pieces": page(XML, "<rss><link>https://t.example/2024/th<!-- -->e-po<b/>st</link></rss>"),
    "a text with a reference": page(XML, "<rss><link>https://t.example/2024/the-&#112;ost</link></rss>"),
    "HTML": feed(cdata("<p>a</p>"), cdata(f"<p>a <a href='{T}'>b</a>")),
    "HTML twice escaped": feed("<d>&lt;a href='//t.example/2024/the-&amp;#112;ost'&gt;</d>"),
    "HTML with a link that is broken": feed(cdata("<a href='https://t.example/2024/the-\npost'>b</a>")),
    "HTML with escapes": feed(cdata("<a href='https://t.example/2024/the%2Dpost'>b</a>")),
    "HTML with an escape by its name": feed(cdata("<a href='https://t.example/2024/the-&percnt;70ost'>b</a>")),
    "HTML in capitals": feed(cdata(f"<A HREF='{T}'>b</A>")),
    "HTML with an image": feed(cdata(f"<img src='{T}'>")),
    "HTML with the better link last": feed(cdata(f"<a href='{T}'>b</a><a class=u-like-of href='{T}'>c</a>")),
    "HTML in CDATA in pieces": feed("<d><![CDATA[<a href='https://t.example/2024/the-]]><![CDATA[post'>]]></d>"),
    "relative to our own host": page(XML, f"<rss>{cdata('<a href=../2024/the-post>b</a>')}</rss>", HOME),
    "relative to our own page": page(XML, f"<rss>{cdata('<a href=?>b</a>')}</rss>", T + "?"),
    "JSON": page(JSON, f'{{"a": ["x", "{T}"]}}'),
    "JSON with slashes escaped": page(JSON, f'["{T}"]'.replace("/", "\\/")),
    "JSON with letters by number": page(JSON, '["https://t.example/2024/the-\\u0070ost"]'),
    "JSON with a line end": page(JSON, '["https://t.example/2024/the-\\npost"]'),
    "JSON with an escape": page(JSON, '["https://t.example/2024/the%2Dpost"]'),
    "JSON in capitals": page(JSON, '["HTTPS://T.EXAMPLE/2024/the-post"]'),
}


@pytest.mark.parametrize("source", LINKED.values(), ids=LINKED)
def test_no_link_is_overlooked_however_few_values_are_kept(source: Page) -> None:
    target = T + "?" if source.url == T + "?" else T
    proof = found(source, target)
    assert isinstance(proof, Backlink)
    assert proof == found(source, target, slowly=True) == found(source, target, Index(source))


UNLINKED = {
    "another": feed(cdata("<a href='https://t.example/2024/the-post-2'>b</a>"), f"<link>{T}/2</link>"),
    "no link": feed(cdata(f"<p title='{T}'>{T}</p>")),
    "JSON of another": page(JSON, f'["{T}-2"]'),
    "JSON with a backslash escaped": page(JSON, '["https://t.example/2024/the-\\\\npost"]'),
}


@pytest.mark.parametrize("source", UNLINKED.values(), ids=UNLINKED)
def test_what_is_kept_for_nothing_proves_nothing(source: Page) -> None:
    assert found(source) == found(source, slowly=True) == found(source, index=Index(source)) == Reason.NO_BACKLINK


@pytest.mark.parametrize("source", [LINKED["JSON"], LINKED["HTML"], LINKED["an attribute"]])
def test_of_a_page_without_the_target_nothing_is_kept(source: Page) -> None:
    assert values.read(source, ["https://t.example/other"]).found == []


def test_a_home_page_has_nothing_to_look_for_and_is_found() -> None:
    assert isinstance(found(feed(cdata("<p>"), cdata(f"<a href='{HOME}'>")), HOME), Backlink)


OTHERS = cdata("<a href='https://t.example/2024/the-post-2'>b</a>")


@pytest.mark.parametrize(("before", "reads"), [(1_999, True), (2_000, False)])
def test_two_thousand_values_are_read_as_html_and_no_more(before: int, *, reads: bool) -> None:
    source = feed(OTHERS * before, cdata(f"<a href='{T}'>b</a>"))
    for index in (None, Index(source)):
        proof = found(source, index=index)
        assert isinstance(proof, Backlink) if reads else proof == Reason.TRUNCATED


def test_html_that_cannot_hold_the_link_does_not_count() -> None:
    source = feed(cdata("<a href='https://o.example/'>b</a>") * 3_000, cdata(f"<a href='{T}'>b</a>"))
    assert isinstance(found(source), Backlink)


@pytest.mark.parametrize(("before", "reads"), [(9_999, True), (10_000, False)])
@pytest.mark.parametrize("kind", [JSON, XML])
def test_ten_thousand_values_are_kept_and_no_more(kind: str, before: int, *, reads: bool) -> None:
    link, other = (f'"{T}"]', f'"{T}-2",') if kind == JSON else (f"<a b='{T}'/></r>", f"<a b='{T}-2'/>")
    source = page(kind, ("[" if kind == JSON else "<r>") + other * before + link)
    for index in (None, Index(source)):
        proof = found(source, index=index)
        assert isinstance(proof, Backlink) if reads else proof == Reason.TRUNCATED


VAST = {
    "more values than are read": "<r>" + "<e a='' b='' c='' d='' e='' f='' g=''/>" * 20_000 + f"<a b='{T}'/></r>",
    "HTML with more links than are read": f"<r>{cdata('<a href=/x>' * 30_000 + f'<a href={T}>')}</r>",
}


@pytest.mark.parametrize("body", VAST.values(), ids=VAST)
def test_where_not_all_of_a_feed_was_read_nobody_says_that_it_does_not_link(body: str) -> None:
    """Else a feed that grows would take its mentions away."""
    source = page(XML, body)
    assert found(source) == found(source, slowly=True) == found(source, index=Index(source)) == Reason.TRUNCATED
