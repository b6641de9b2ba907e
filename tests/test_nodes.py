"""The tree of a tame page: what stands in what, in which order, and what is inert."""

from __future__ import annotations

import pytest

from linkback.elements import LINKING
from linkback.markup import read_html
from linkback.nodes import Node, build


def outline(node: Node) -> str:
    """A tree in brackets: names, strings, and "~" before what is inert."""
    told = [part if isinstance(part, str) else outline(part) for part in node.contents]
    return f"{'~' * node.inert}{node.name}({' '.join(told)})"


def body(text: str) -> str:
    """What stands in the body of a page, in brackets."""
    return " ".join(outline(node) for node in build(text).named["body"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>a<b>b</b>c</p>d", "body(p(a b(b) c) d)"),
        ("<p>a<p>b", "body(p(a) p(b))"),
        ("<p>a &amp; b<!-- c -->d</p>", "body(p(a & bd))"),
        ("<ul><li>a<li>b</ul></div>c", "body(ul(li(a) li(b)) c)"),
        ("<p><script>a < b</script>c", "body(p(script(a < b ) c))"),
        ("<p>a</p", "body(p(a))"),
    ],
)
def test_what_encloses_what_is_the_parsers_word(text: str, expected: str) -> None:
    assert body(text) == expected


def test_what_stands_in_a_template_is_inert_and_has_no_text() -> None:
    built = build("<body><template><p class=x>a<a href=/b>b</a></p></template><a href=/c>c</a>")
    assert [(link.get("href"), link.inert, link.contents) for link in built.named["a"]] == [
        ("/b", True, []),
        ("/c", False, ["c"]),
    ]


def test_elements_stand_in_the_order_in_which_the_one_pass_counts_them() -> None:
    text = "<a href=/1>1</a><table><a href=/2>2</a><tr><td><a href=/3>3</table><svg><a href=/4></a></svg><a href=/5>5"
    counted = [(each.position, each.get("href")) for each in read_html(text).elements if each.name in LINKING]
    named = build(text).named["a"]
    assert counted
    assert [(position, named[position].get("href")) for position, _ in counted] == counted


def test_a_node_knows_its_attributes_its_classes_and_what_it_stands_in() -> None:
    built = build('<div class=" h-entry\tnote "><p><a href="/a" hidden>b</a></p></div>')
    (link,) = built.named["a"]
    assert dict(link.attributes) == {"href": "/a", "hidden": ""}
    assert (link.get("hidden"), link.get("class"), link.classes) == ("", "", frozenset())
    assert [node.name for node in link.parents] == ["p", "div", "body", "html", ""]
    assert [node.name for node in built.page.descendants] == ["html", "body", "div", "p", "a"]
    assert built.classes == {"h-entry", "note"}


@pytest.mark.parametrize("text", ["", " ", "\0", "<", "<!doctype html>", "</p>", "<p", "\ud800"])
def test_any_text_has_a_tree(text: str) -> None:
    assert build(text).page.parent is None
