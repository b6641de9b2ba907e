"""A link is one where a browser shows one, whatever the markup around it tries.

Each case was compared with a parser that builds the tree of the HTML standard.
"""

from __future__ import annotations

import pytest

from linkback.markup import HtmlElements, read_html
from linkback.nodes import build
from linkback.tagsoup import TEMPLATE_END, prepare, without_self_closing

A = "<a href=T>x</a>"


def shown(page: str) -> bool:
    return any(element.get("href") == "T" for element in read_html(page).elements if element.name == "a")


SHOWN = {
    "plain": A,
    "upper case": "<A HREF=T>x</A>",
    "slash between": '<a/href="T"/>x</a>',
    "tabs and newlines": '<a\n\t\fhref\n=\t"T">x</a>',
    "first of two": '<a href="T" href="/x">x</a>',
    "abrupt comment": f"<!-->{A}-->",
    "abrupt comment, dash": f"<!--->{A}-->",
    "comment closed with a bang": f"<!-- a --!>{A}",
    "bogus comments": f"<?php ?><! x></ x>{A}",
    "after CDATA in HTML": f"<![CDATA[>{A}]]>",
    "after a script": f"<script>if (a</b) x</ScRiPt >{A}",
    "after a script in a string": f'<script>var s="</script>{A}"',
    "after a script with a comment": f"<script><!-- x --></script>{A}",
    "after an empty script": f"<script></script><style></style><title></title><textarea></textarea>{A}",
    "after a template": f"<template><a href=U>u</a></template>{A}",
    "after a template in a div": f"<div><template></div></template></div>{A}",
    "after nested templates": f"<template><template></template></template>{A}",
    "after a stray template end": f"</template>{A}",
    "after a template end in other letters": f"<template></TEMPLATE\t>{A}",
    "after noscript": f"<noscript><a href=U>u</a></noscript>{A}",
    "after noscript with an end of noembed": f"<noscript></noembed></noscript>{A}",
    "after noembed": f"<noembed><b></noembed>{A}",
    "after select": f"<select><option>x</select>{A}",
    "after an input in select": f"<select><input>{A}",
    "after a select in select": f"<select><select>{A}",
    "after a textarea in select": f"<select><textarea></textarea>{A}",
    "after the cell of an open select": f"<table><tr><td><select><td>{A}</table>",
    "after the table of an open select": f"<table><tr><td><select></table>{A}",
    "in a table, misplaced": f"<table>{A}<tr>",
    "in SVG": f"<svg>{A}</svg>",
    "in SVG, by xlink": "<svg><a xlink:href=U href=T>x</a></svg>",
    "in HTML in SVG": f"<svg><foreignObject><div>{A}</div></foreignObject></svg>",
    "in HTML in MathML": f"<math><mtext>{A}</mtext></math>",
    "after broken off SVG": f"<svg><p>{A}",
    "after broken off MathML": f"<math><mi><p></mi><p>{A}",
    "after SVG": f"<svg/>{A}",
    "after SVG with a style": f"<svg><style>a{{}}</style><title>a &lt; b</title></svg>{A}",
    "after SVG with empty parts": f"<svg><style/><title/><script/></svg>{A}",
    "after SVG with a script": f"<svg><script>if (a < b) c();</script></svg>{A}",
    "after SVG with whole markup": f"<svg><style><!-- x --><![CDATA[ a > b ]]></style><title><b>x</b></title></svg>{A}",
    "after SVG with an empty comment": f"<svg><style><!--></style></svg>{A}",
    "after SVG with CDATA": f"<svg><![CDATA[x]]></svg>{A}",
    "after SVG template": f"<svg><template></template></svg>{A}",
    "after self-closed script": f"<script/></script>{A}",
    "after self-closed iframe": f'<iframe src="/x" a=">" b=\'/\' c/d />hidden</iframe>{A}',
    "after self-closed noscript": f"<noscript/>hidden</noscript>{A}",
    "after frames that came too late": f"<p>text</p><frameset></frameset>{A}",
    "after frames behind a table": f"<table></table><frameset></frameset>{A}",
    "after frames in SVG": f"<svg><frameset></frameset>{A}",
    "after </html>": f"<html><body></body></html>{A}",
    "end tag in an attribute": f'<b title="</template></select>"></b>{A}',
    "unclosed everything": f"<b><i><p><table><tr><td>{A}",
    "after NULs": f"<p>\0\0</p>{A}",
}
HIDDEN = {
    "comment": f"<!-- {A} -->",
    "open comment": f"<!-- {A}",
    "comment with a space in its end": f"<!-- a -- >{A}-->",
    "conditional comment": f"<!--[if IE]>{A}<![endif]-->",
    "double-escaped script": f"<script><!--<script></script>{A}--></script>",
    "open script": f"<script>{A}",
    "script that is not ended": f"<script></scriptx>{A}</script>",
    "textarea": f"<textarea>{A}</textarea>",
    "title": f"<title>{A}</title>",
    "xmp": f"<xmp>{A}</xmp>",
    "iframe": f"<iframe>{A}</iframe>",
    "noframes": f"<noframes>{A}</noframes>",
    "noembed": f"<noembed>{A}</noembed>",
    "plaintext": f"<plaintext></plaintext>{A}",
    "plaintext, self-closed": f"<plaintext/>{A}",
    "style": f"<style>{A}</style>",
    "noscript": f"<noscript>{A}</noscript>",
    "noscript with an end of noembed": f"<noscript></noembed>{A}</noscript>",
    "noscript with an end in other blanks": f"<noscript></noscript\x0b>{A}</noscript>",
    "noscript with an end in other letters": f"<noscript></no\u017fcript>{A}</noscript>",
    "noembed with an end of noscript": f"<noembed></noscript>{A}</noembed>",
    "self-closed script": f"<script/>{A}</script>",
    "self-closed iframe": f"<iframe src=x />{A}</iframe>",
    "self-closed title": f"<title/>{A}</title>",
    "self-closed noscript": f"<noscript/>{A}</noscript>",
    "self-closed textarea that is hard to see": f'<textarea a="<"/>{A}</textarea>',
    "template": f"<template>{A}</template>",
    "template in a div": f"<div><template></div>{A}</template></div>",
    "div in a template": f"<template><div></template><template>{A}</div></template>",
    "nested templates": f"<template><template></template>{A}</template>",
    "self-closed template": f"<template/>{A}</template>",
    "template with an end in other blanks": f"<template></template\x0b>{A}</template>",
    "template with an end in an attribute": f"<template><b x=</template title='{A}'>{A}</template>",
    "template with an end in a comment": f"<template><!--</template>-->{A}</template>",
    "open template": f"<template>{A}",
    "template in SVG": f"<svg><template>{A}</template></svg>",
    "select": f"<select>{A}</select>",
    "option": f"<select><option>{A}</option></select>",
    "select in a div": f"<div><select></div>{A}</select>",
    "self-closed select": f"<select/>{A}</select>",
    "select in SVG": f"<svg><select><select>{A}</select></svg>",
    "CDATA in SVG": f"<svg><![CDATA[<x>{A}]]></svg>",
    "comment in SVG style": f"<svg><style><!--</style>{A}--></style></svg>",
    "comment in SVG title": f"<svg><title><!--</title>{A}--></title></svg>",
    "attribute in SVG style": f"<svg><style><b x='</style>{A}'></style></svg>",
    "CDATA in SVG style": f"<svg><style><![CDATA[</style>{A}]]></style></svg>",
    "style in SVG": f"<svg><style>{A}</style></svg>",
    "noscript in SVG": f"<svg><noscript>{A}</noscript></svg>",
    "comment in MathML style": f"<math><style><!--</style><mtext>{A}</mtext>--></style></math>",
    "MathML": f"<math>{A}</math>",
    "SVG in MathML": f"<math><svg>{A}</svg></math>",
    "MathML again behind its text": f"<math><mi></mi>{A}</math>",
    "frames": f"<frameset>{A}</frameset>",
    "behind frames": f"<head><link href=x></head><frameset><frame></frameset>{A}",
    "before frames": "<p><a href=T></a><frameset></frameset>",
    "no frames": f"<frameset><noframes>{A}</noframes></frameset>",
    "attribute": f"<div data-x='{A}'>x</div>",
    "attribute of an end tag": f"</p x='{A}'>",
    "cut in the tag": '<a href="T"',
    "cut in the value": '<a href="T',
    "end tag": '</a href="T">',
    "NUL in the name": '<a\0 href="T">x</a>',
    "prefix": '<svg:a href="T">x</svg:a>',
    "another name": '<a-b href="T">x</a-b>',
    "entities in the name of an attribute": "<a hr&#101;f=T>x</a>",
    "second of two": '<a href="U" href="T">x</a>',
}


@pytest.mark.parametrize("page", SHOWN.values(), ids=SHOWN)
def test_a_link_that_a_browser_shows_counts(page: str) -> None:
    assert shown(page)


@pytest.mark.parametrize("page", HIDDEN.values(), ids=HIDDEN)
def test_a_link_that_no_browser_shows_does_not(page: str) -> None:
    assert not shown(page)


def test_what_frames_replace_is_forgotten_but_for_the_head() -> None:
    page = "<meta name=x><base href=/b/><link href=l><a href=T></a><img-x><frameset><a href=T>x</a>"
    assert [element.name for element in read_html(page).elements] == ["meta", "base", "link"]


@pytest.mark.parametrize(
    ("page", "foreign"),
    [
        ("<svg><a href=T>", True),
        ("<svg></svg><a href=T>", False),
        ("<svg><foreignObject><a href=T>", False),
        ("<svg><desc><svg></svg></desc><a href=T>", True),
        ("<svg><foreignObject><svg><p></svg><a href=T>", False),
        ("<desc><a href=T>", False),
    ],
)
def test_links_of_svg_are_told_from_those_of_html(page: str, foreign: bool) -> None:
    [element] = [each for each in read_html(page).elements if each.name == "a"]
    assert element.foreign is foreign


def test_the_title_is_the_pages_own() -> None:
    page = (
        "<template><title>t</title></template><svg><title>icon</title></svg><title>The\n one</title><title>two</title>"
    )
    assert read_html(page).title == "The one"


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("<p>x</p>", "<p>x</p>"),
        ("<NOSCRIPT>a</noscript >", "<noembed>a </noembed >"),
        ("<noscripts>a</noscripts>", "<noscripts>a</noscripts>"),
        ("<noembed>a</noembed>", "<noembed>a </noembed>"),
        ("<title>a</title\n>", "<title>a </title\n>"),
        ("<title>a</titles>", "<title>a</titles>"),
    ],
)
def test_tags_are_rewritten_and_no_more(text: str, prepared: str) -> None:
    assert prepare(text) == prepared


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("<script src='a/b'/>", "<script src='a/b'>"),
        ("<TITLE/>", "<TITLE>"),
        ('<iframe a=">" />', '<iframe a=">" >'),
        ("<br/><scripts/>", "<br/><scripts/>"),
        ("<script>a</script>", "<script>a</script>"),
    ],
)
def test_the_slash_of_raw_text_goes(text: str, without: str) -> None:
    assert without_self_closing(text) == without


HTML_UNITS = (
    "<template>",
    "</template>",
    "<noscript>",
    "<select>",
    "</select>",
    "<td>",
    "<table>",
    "<frameset>",
    "<!--",
)
FOREIGN_UNITS = ("<svg>", "</svg>", "<math><mi>", "<svg><style>", "<svg><title><!--", "<svg><![CDATA[", "<svg><p>")
RAW_UNITS = ("<script/>", "<noscript/>", "<script ", "<iframe a='", "<style/", "<title/ ", "<a b='")
OTHER_UNITS = ("<a href=x><a>", "<a><template>", "&#99999999999;", "\0", "<!--")


@pytest.mark.parametrize("unit", [*HTML_UNITS, *FOREIGN_UNITS, *RAW_UNITS, *OTHER_UNITS])
@pytest.mark.parametrize("before", ["", "<svg><style>", "<script/>", "<noscript>"])
def test_long_pages_are_read_in_one_go(before: str, unit: str) -> None:
    """A rule that looked back would take minutes here."""
    assert not shown(before + unit * (100_000 // len(unit)))


@pytest.mark.parametrize("tag", ["template", "select"])
def test_a_page_never_learns_the_names_of_the_markers(tag: str) -> None:
    """Who knew them could make hidden links count."""
    end = f"</{tag}>"
    page = (
        f'<title>one{end}two</title><a rel=webmention href="https://e.example/x{end}">y<textarea>z{end}</textarea></a>'
        f'<p title="{end}">words<xmp>more{end}</xmp><a href=/last>'
    )
    document, built = read_html(page), build(page)
    told = [document.title, *(text for each in document.elements for text in (each.text, *each.attributes.values()))]
    told += [text for nodes in built.named.values() for node in nodes for text in (*node.attributes.values(),)]
    told += [
        part for nodes in built.named.values() for node in nodes for part in node.contents if isinstance(part, str)
    ]
    assert f"https://e.example/x{end}" in told
    assert not [text for text in told if TEMPLATE_END in text]
    whole = HtmlElements(page, lambda word: False)
    assert [each.attributes for each in whole.until([9, 60, len(page)])] == [
        each.attributes for each in document.elements
    ]
