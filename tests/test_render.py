"""The thread as HTML: valid, escaped, the same from Jinja2 and Django, and open to a host's own templates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import html5lib  # type: ignore[import-untyped]
import jinja2
import mf2py
import pytest
from django.template import Context, Engine

from linkback import urls
from linkback.errors import ConfigurationError
from linkback.model import Author
from linkback.web import render, translations
from linkback.web.render import Comment, context, entries, thread
from tests.display import PAYLOADS
from tests.threads import HOSTILE, HOSTILE_COMMENTS, START, VARIED, comment, mention, of_2010

#: void elements that the templates use
VOID = {"img"}
#: what may stand in what
INSIDE = {
    "": {"section"},
    "section": {"h2", "div", "ol"},
    "ul": {"li"},
    "ol": {"li"},
    "li": {"div", "p", "ol", "a", "span", "bdi", "img"},
    "p": {"a"},
    "h2": set(),
    "h3": set(),
    "bdi": set(),
    "time": set(),
}
FLOW = {"h3", "ul", "ol", "p", "strong", "span", "bdi", "a", "time", "img"}

MARKED_UP = [
    comment(20, "Host", html="<p>By <em>hand</em> &amp; safe</p>", url="https://h.example/", id="h", reply_url="?to=1"),
    comment(21, "Asker", "Why?\nHow?\n\nWhen?", id="a", replies=[comment(22, "Host", replies=[comment(23, "Asker")])]),
]
CASES: dict[str, tuple[list[Any], list[Comment], dict[str, Any]]] = {
    "nothing": ([], [], {}),
    "one": (VARIED[:1], [], {}),
    "faces only": ([mention(1, kind="like")], [], {}),
    "2010": (*of_2010(), {}),
    "varied": (VARIED, MARKED_UP, {}),
    "photos": (VARIED, MARKED_UP, {"photos": True}),
    "listed": (VARIED, MARKED_UP, {"facepile": False}),
    "German": (VARIED, MARKED_UP, {"language": "de"}),
    "Japanese": (VARIED, MARKED_UP, {"language": "ja", "timezone": timezone(timedelta(hours=9))}),
    "right to left": (VARIED, MARKED_UP, {"language": translations.Language("ar")}),
    "hostile": (HOSTILE, HOSTILE_COMMENTS, {"photos": True}),
    "hostile, listed": (HOSTILE, HOSTILE_COMMENTS, {"facepile": False}),
}
case = pytest.mark.parametrize(("mentions", "comments", "options"), CASES.values(), ids=CASES.keys())


class Outline(HTMLParser):
    """The elements of a fragment; fails where they do not nest as they should."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        around = next((name for name in reversed(self.open) if name not in ("a", "span")), "")
        assert tag in INSIDE.get(around, FLOW), f"<{tag}> in <{around}>"
        assert not (tag == "a" and "a" in self.open)
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names)
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"no element and no text: {data}")

    def handle_comment(self, data: str) -> None:
        self.unknown_decl(data)

    def handle_decl(self, decl: str) -> None:
        self.unknown_decl(decl)

    def handle_pi(self, data: str) -> None:
        self.unknown_decl(data)

    def all(self, name: str) -> Iterator[dict[str, str]]:
        return (attributes for tag, attributes in self.elements if tag == name)


def without_the_hosts_markup(html: str) -> str:
    return html.replace("<p>By <em>hand</em> &amp; safe</p>", "")


@case
def test_both_engines_draw_the_same_bytes(
    mentions: list[Any], comments: list[Comment], options: dict[str, Any]
) -> None:
    engine = Engine(dirs=[str(render.TEMPLATES)], autoescape=True)
    drawn = engine.get_template(render.TEMPLATE).render(Context(context(mentions, comments, **options)))
    assert str(thread(mentions, comments, empty=True, **options)) == str(drawn)


@case
def test_a_fragment_is_well_formed(mentions: list[Any], comments: list[Comment], options: dict[str, Any]) -> None:
    fragment = thread(mentions, comments, empty=True, **options)
    html5lib.HTMLParser(strict=True).parseFragment(fragment)
    outline = Outline(without_the_hosts_markup(fragment))
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert [id for id, times in Counter(ids).items() if times > 1] == []
    assert all(re.fullmatch(r"[\w.-]+", id) for id in ids)
    [section] = outline.all("section")
    assert section["data-linkback"] == "no"
    # a landmark has a name, and the heading is what it is called
    assert section["aria-label"] == context(mentions, comments, **options)["thread"].heading
    assert (section["lang"], section["dir"]) in {("en", "ltr"), ("de", "ltr"), ("ja", "ltr"), ("ar", "rtl")}


@case
def test_every_link_leads_to_the_web_and_counts_as_none_of_the_posts(
    mentions: list[Any], comments: list[Comment], options: dict[str, Any]
) -> None:
    outline = Outline(without_the_hosts_markup(thread(mentions, comments, empty=True, **options)))
    ids = {f"#{attributes['id']}" for _, attributes in outline.elements if "id" in attributes}
    for link in outline.all("a"):
        assert link["data-linkback"] == "no"
        if link["href"] in ids:
            continue
        if "aria-label" in link:
            assert link["rel"] == "nofollow"
            continue
        assert link["href"].startswith(("http://", "https://"))
        assert link["rel"] == "nofollow ugc noopener noreferrer"


@case
def test_no_picture_is_loaded_unasked(mentions: list[Any], comments: list[Comment], options: dict[str, Any]) -> None:
    outline = Outline(without_the_hosts_markup(thread(mentions, comments, empty=True, **options)))
    pictures = list(outline.all("img"))
    if not options.get("photos"):
        assert pictures == []
    for picture in pictures:
        assert picture["src"].startswith(("http://", "https://"))
        assert (picture["loading"], picture["referrerpolicy"], picture["alt"]) == ("lazy", "no-referrer", "")
        assert picture["width"] == picture["height"]


def test_pictures_are_shown_where_they_are_asked_for() -> None:
    sources = [picture["src"] for picture in Outline(thread(VARIED, photos=True)).all("img")]
    assert sources == ["https://social.example/a.png", *["https://p.example/a"] * 4]


def test_what_strangers_wrote_is_shown_as_text() -> None:
    outline = Outline(thread(HOSTILE, HOSTILE_COMMENTS))
    shown = "".join(outline.words)
    for payload in ("</title><svg onload=alert(1)>", "&lt;script&gt;", "{{ 7*7 }}{% include 'x' %}{# y #}", "${7*7}"):
        assert payload in PAYLOADS
        assert shown.count(payload) >= 3
    known = {"class", "id", "lang", "dir", "data-linkback", "href", "rel", "datetime", "aria-label", "aria-hidden"}
    assert {name for _, attributes in outline.elements for name in attributes} == known


ENGINES: dict[str, Callable[[str], str]] = {
    "Jinja2": lambda source: jinja2.Environment(keep_trailing_newline=True).from_string(source).render(),
    "Django": lambda source: str(Engine().from_string(source).render(Context())),
}


@pytest.mark.parametrize("evaluate", ENGINES.values(), ids=ENGINES.keys())
@pytest.mark.parametrize("facepile", [True, False], ids=["faces", "listed"])
def test_a_fragment_that_is_taken_for_a_template_runs_nothing(evaluate: Callable[[str], str], facepile: bool) -> None:
    """As one that a build wrote to a file, and then includes."""
    drawn = str(thread(HOSTILE, HOSTILE_COMMENTS, photos=True, facepile=facepile))
    assert evaluate(drawn) == drawn


@pytest.mark.parametrize(
    "opener", ["{{ 7*7 }}", "{% raw %}", "{# y #}", "${7*7}", "#{7*7}", "`", "@php(7)", "<%= 7 %>"]
)
def test_what_opens_a_tag_for_a_site_generator_is_only_there_for_readers(opener: str) -> None:
    source = f"https://s.example/?{opener}"
    drawn = thread([replace(mention(0, f"a {opener}", source=source, excerpt=f"b {opener}"), author=Author(opener))])
    assert opener not in drawn
    assert not set("{}`@") & set(drawn)
    outline = Outline(drawn)
    assert f"a {opener}" in outline.words
    assert f"b {opener}" in outline.words
    assert opener in outline.words
    linked = {attributes["href"] for attributes in outline.all("a")}
    assert urls.serialised(source) in linked


def test_strangers_text_finds_its_own_direction() -> None:
    """A right-to-left name does not turn what stands beside it."""
    drawn = thread(VARIED, MARKED_UP)
    for words in ("محمد علي", "שלום", "sarahlay (sarahlay)", "Asker"):
        assert f">{words}</bdi>" in drawn
    assert '<p class="linkback-excerpt p-content" dir="auto">عربي then English</p>' in drawn


def test_the_count_is_of_all_and_nothing_is_nothing() -> None:
    assert thread([]) == ""
    assert "<h2>No comments yet</h2>" in thread([], empty=True)
    assert "<h2>1 comment</h2>" in thread([mention(0)])
    assert "<h2>3 comments</h2>" in thread([mention(0)], [comment(1), comment(2)])
    assert "<h2>23 comments</h2>" in thread(*of_2010())


def test_replies_are_an_inner_list() -> None:
    drawn = thread([], MARKED_UP)
    assert drawn.count('<ol class="linkback-entries">') == 1
    assert drawn.count('<ol class="linkback-replies">') == 2
    assert '<p dir="auto">Why?\nHow?</p><p dir="auto">When?</p>' in drawn


def test_markup_that_the_host_made_safe_is_shown_as_it_is() -> None:
    assert '<div class="linkback-text e-content" dir="auto"><p>By <em>hand</em> &amp; safe</p></div>' in thread(
        [], MARKED_UP
    )
    assert '<a href="?to=1" rel="nofollow" data-linkback="no" aria-label="Reply to Host">Reply</a>' in thread(
        [], MARKED_UP
    )


def test_a_fragment_is_markup_to_both_engines() -> None:
    drawn = thread([mention(0)])
    assert jinja2.Environment(autoescape=True).from_string("{{ x }}").render(x=drawn) == drawn
    assert Engine().from_string("{{ x }}").render(Context({"x": drawn})) == drawn
    assert f"<h1>A post</h1>{drawn}".startswith("<h1>A post</h1><section")


def microformats(html: str) -> dict[str, Any]:
    page = f'<article class="h-entry"><h1 class="p-name">Post</h1>{html}</article>'
    [entry] = mf2py.parse(doc=page, url="https://bob.example/post")["items"]
    properties: dict[str, Any] = entry["properties"]
    return properties


def test_the_thread_is_read_as_the_posts_comments_and_likes() -> None:
    post = microformats(thread(VARIED, MARKED_UP, photos=True))
    assert post["name"] == ["Post"]
    assert (len(post["comment"]), len(post["like"]), len(post["repost"])) == (10, 2, 1)
    assert all("h-cite" in cite["type"] for name in ("comment", "like", "repost") for cite in post[name])
    pingback, trackback, reply = (post["comment"][place]["properties"] for place in (0, 1, 2))
    assert pingback == {
        "name": ["sarahlay (sarahlay)"],
        "url": ["https://s.example/1", "https://bob.example/post#mention-1"],
        "published": ["2010-06-01T12:01:00+0000"],
    }
    assert trackback["author"][0]["properties"]["name"] == ["Ann"]
    assert trackback["content"] == ["A “quoted” & <b>bold</b> 'line'"]
    assert reply["author"][0]["properties"]["name"] == ["שלום"]
    assert reply["name"] == ["On gardens"]
    like = post["like"][0]["properties"]
    assert like["url"] == ["https://s.example/3"]
    assert like["author"][0]["properties"]["photo"] == [{"alt": "", "value": "https://social.example/a.png"}]


def test_the_hosts_comments_nest_for_a_reader_of_microformats_too() -> None:
    first, second = (cite["properties"] for cite in microformats(thread([], MARKED_UP))["comment"])
    assert first["author"][0]["properties"] == {"name": ["Host"], "url": ["https://h.example/"]}
    assert first["content"][0]["value"] == "By hand & safe"
    assert second["url"] == ["https://bob.example/post#comment-a"]
    [answer] = second["comment"]
    assert answer["properties"]["author"][0]["properties"]["name"] == ["Host"]
    assert len(answer["properties"]["comment"]) == 1


def test_a_language_may_be_the_hosts_own() -> None:
    drawn = thread([mention(0)], language=translations.Language("ar-EG"))
    assert drawn.startswith('<section class="linkback-thread" lang="ar-EG" dir="rtl"')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A host's templates: an entry of its own."""
    (tmp_path / "linkback").mkdir()
    (tmp_path / "linkback" / "entry.html").write_text(
        "<li>{{ entry.number }} <b>{{ entry.label }}</b> {{ entry.name }}\n"
    )
    return tmp_path


def test_a_template_of_the_hosts_comes_before_ours(folder: Path) -> None:
    loader = jinja2.FileSystemLoader(folder)
    environment = jinja2.Environment(loader=loader, autoescape=False)
    for templates in (folder, str(folder), loader, environment):
        drawn = thread([mention(0, "<i>")], [comment(1)], templates=templates)
        assert "<li>1 <b>Pingback:</b> &lt;i&gt;" in drawn
        assert '<li class="linkback-entry linkback-comment' in drawn
    assert environment.loader is loader


def test_an_environment_without_templates_still_has_its_filters() -> None:
    environment = jinja2.Environment(autoescape=True)
    assert thread([mention(0)], templates=environment) == thread([mention(0)])


#: what a template of the host's says -> where and why it fails
BROKEN = {
    "{% if %}": "{entry}, line 1: Expected an expression",
    "\n{% include 'linkback/none.html' %}": "{entry}, line 2: there is no template linkback/none.html",
    "{{ entry.none.none }}": "{entry}, line 1: 'linkback.web.thread.Entry object' has no attribute 'none'",
    "\n\n{{ 1 / 0 }}": "{entry}, line 3: division by zero",
    "{{ 1 + 'a' }}": "{entry}, line 1: unsupported operand",
    "{% include 'linkback/entry.html' %}": "{entry}, line 1: maximum recursion",
    "\udcff": "linkback/entry.html: 'utf-8' codec can't decode",
}


@pytest.mark.parametrize(("source", "told"), BROKEN.items(), ids=BROKEN.keys())
def test_a_template_that_fails_is_named_and_not_the_one_that_includes_it(folder: Path, source: str, told: str) -> None:
    entry = folder / "linkback" / "entry.html"
    entry.write_bytes(source.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError) as caught:
        thread([mention(0)], templates=folder)
    assert str(caught.value).startswith(f"the template {told.replace('{entry}', str(entry))}")


def test_a_filter_of_a_template_of_the_hosts_unescapes_nothing(folder: Path) -> None:
    """Its result is a plain string, where ours know how they are written."""
    filtered = "{{ entry.number }} {{ entry.name|upper }} {{ entry.name|e }} {{ '<' }} <br>"
    (folder / "linkback" / "entry.html").write_text(filtered)
    drawn = thread([mention(0, "a {{ 1 }}'<")], templates=folder)
    name = "A &#123;&#123; 1 &#125;&#125;&#x27;&lt;"
    assert f"1 {name} {name.replace('A', 'a')} &lt; <br>" in drawn


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no folder of templates .*nowhere"):
        thread([mention(0)], templates=tmp_path / "nowhere")


def test_our_templates_keep_to_what_both_engines_know() -> None:
    """No newline at their end, which Jinja2 drops and Django keeps; nothing but values, `if`, `for` and `include`."""
    files = list((render.TEMPLATES / "linkback").glob("*.html"))
    assert {file.stem for file in files} == {"thread", "entry", "comment", "facepile"}
    tag = (
        r"\{%( if [\w. ]+| for \w+ in [\w.]+| include \"linkback/\w+\.html\"| else| endif| endfor) %\}|\{\{ [\w.]+ \}\}"
    )
    for file in files:
        source = file.read_text()
        assert not source.endswith("\n")
        assert "{" not in re.sub(tag, "", source)


def test_a_host_may_walk_the_entries_itself() -> None:
    found = entries([mention(5), mention(1, kind="like", author=Author("Ann"))], [Comment("A reader", "x", START)])
    assert [(entry.number, entry.heading) for entry in found] == [
        (1, "A reader"),
        (2, "Ann liked this"),
        (3, "Pingback: Where next?"),
    ]


@pytest.mark.parametrize("language", [None, 2, ["de"]])
def test_a_language_that_is_no_text_is_said(language: Any) -> None:
    with pytest.raises(ConfigurationError, match='language must be a code such as "de", or a Language, not '):
        thread([], language=language)
