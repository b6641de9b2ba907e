"""What a reference must have in it to mean a target: a no is sure, so it must never be wrong."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkback import urls, validator
from linkback.errors import NoBacklink
from linkback.model import Backlink
from linkback.needles import look_for, needles
from linkback.page import Page
from linkback.prefilter import for_needles
from linkback.wire import Response

T = "https://t.example/2024/the-post"
HOME = "https://t.example/"
S = "https://s.example/note"

NEEDLES = {
    T: ("the-post", "2024"),
    HOME: (),
    "https://t.example/?p=123": ("123", "p"),
    "https://t.example/a?utm_source=newsletter-of-may&b=1": ("1", "a", "b"),
    "https://t.example/caf%C3%A9-noir": ("-noir", "caf"),
    "https://t.example/caf\u00e9-noir": ("-noir", "caf"),
    "https://t.example/The_Post/INDEX.html": ("the_post", "index", "html"),
    "https://t.example/p%6Fst": ("post",),
    "https://t.example/%%61st": ("st",),
    "https://t.example/a/../b": ("b",),
    "no url": (),
}


@pytest.mark.parametrize(("target", "runs"), NEEDLES.items(), ids=NEEDLES)
def test_needles_are_what_every_spelling_of_a_target_has(target: str, runs: tuple[str, ...]) -> None:
    assert needles(target) == runs


#: references that mean the target: what stands in the page's source, and the target
SPELLINGS = {
    "as it is": (T, T),
    "in capitals": ("HTTPS://T.EXAMPLE/2024/the-post", T),
    "without its scheme": ("//t.example/2024/the-post", T),
    "with a fragment": (f"{T}#more", T),
    "with blanks around it": (f" \n{T} ", T),
    "broken by a newline": ("https://t.example/2024/the-\npost", T),
    "broken by a tab and a return": ("https://t.example/20\t24/the-po\r\nst", T),
    "broken by blanks by their numbers": ("https://t.example/2024/the-&#10;po&#x9;st", T),
    "broken by a blank without a semicolon": ("https://t.example/2024/the-&#10post", T),
    "broken by blanks by their names": ("https://t.example/2024/the-&NewLine;po&Tab;st", T),
    "a letter by its number": ("https://t.example/2024/the-p&#111;st", T),
    "a hyphen by its number": ("https://t.example/2024/the&#45;post", T),
    "a digit in hexadecimal": ("https://t.example/2024/the-post?v=&#x32;2", "https://t.example/2024/the-post?v=22"),
    "a letter escaped": ("https://t.example/2024/the-p%6fst", T),
    "a hyphen escaped": ("https://t.example/2024/the%2Dpost", T),
    "an escape whose percent is a reference": ("https://t.example/2024/the-p&#37;6fst", T),
    "an escape whose digits are references": ("https://t.example/2024/the-p%&#54;&#x66;st", T),
    "an escape by its name": ("https://t.example/2024/the-p&percnt;6Fst", T),
    "a low line by its name": ("https://t.example/the&lowbar;post", "https://t.example/the_post"),
    "another low line": ("https://t.example/the&UnderBar;post", "https://t.example/the_post"),
    "a raw letter beyond ASCII": ("https://t.example/caf\u00e9-noir", "https://t.example/caf%C3%A9-noir"),
    "backslashes": ("https:\\\\t.example\\2024\\the-post", T),
    "dots": ("https://t.example/x/../2024/./the-post", T),
    "a query": ("https://t.example/?a=1&amp;p=123", "https://t.example/?a=1&p=123"),
    "home": (HOME, HOME),
    "home without its slash": ("https://t.example", HOME),
    "home, escaped": ("https://t.ex%61mple/", HOME),
    "home, wide letters": ("https://t.\uff45xample/", HOME),
    "home, broken": ("https://t.ex\nample/", HOME),
    "an address": ("http://127.1/", "http://127.0.0.1/"),
    "an address in octal": ("http://0177.0.0.1/post", "http://127.0.0.1/post"),
    "an address of six words": ("http://[::1]/", "http://[0:0:0:0:0:0:0:1]/"),
    "a ligature by its name": ("https://t.example/&fjlig;ord-trip", "https://t.example/fjord-trip"),
    "an escape of a host's wide letter": ("https://t.%EF%BD%85xample/", HOME),
    "without its slashes": ("http:t.example/the-post", "http://t.example/the-post"),
    "an international name": ("https://b\u00fccher.example/post", "https://xn--bcher-kva.example/post"),
}


def find(body: str, target: str, url: str = S, **given: object) -> Backlink | None:
    page = Page(Response(200, (("Content-Type", "text/html; charset=utf-8"),), body.encode(), url))
    try:
        return validator.find(page, target, **given)  # type: ignore[arg-type]
    except NoBacklink:
        return None


def find_slowly(body: str, target: str, url: str = S) -> Backlink | None:
    """Every link is looked at."""
    return find(body, target, url, matches=partial(urls.satisfies, target=target))


LOOSELY = {
    "www. on the page": (f"<a href={T}>x</a>", "https://www.t.example/2024/the-post/", S),
    "www. in the target": ("<a href=//www.t.example/2024/the-post>x</a>", T, S),
    "http and a parameter": ("<a href='http://www.t.example/2024/the-post/?utm_source=x'>x</a>", T, S),
    "a path on the other host": ("<a href=/2024/the-post>x</a>", "https://www.t.example/2024/the-post", HOME),
    "a home page": (f"<a href={HOME}>x</a>", "https://www.t.example", S),
    "a base": ("<base href=https://www.t.example/2024/the-post><a href='?'>x</a>", f"{T}?", S),
}


@pytest.mark.parametrize(("body", "target", "url"), LOOSELY.values(), ids=LOOSELY)
def test_nor_is_one_that_means_it_loosely(body: str, target: str, url: str) -> None:
    loosely = partial(urls.satisfies_loosely, target=target)
    assert find(body, target, url, matches=loosely, named=(target,)) is not None


@pytest.mark.parametrize(("reference", "target"), SPELLINGS.values(), ids=SPELLINGS)
def test_no_spelling_of_a_target_is_overlooked(reference: str, target: str) -> None:
    body = f"<p>Hello <a href='{reference}'>there</a>, and <a href=/>home</a>"
    assert find(body, target) is not None
    assert find(body, target) == find_slowly(body, target)


@pytest.mark.parametrize(
    ("body", "url"),
    [
        ("<base href='//t.example/2024/'><a href=the-post>x</a>", S),
        ("<base href=https://t.example/2024/the-post><p>x<a href=''>x</a>", S),
        ("<base href=https://t.example/2024/the-post><p>x" + "<p>y" * 5_000 + "<a href='#more'>x</a>", S),
        ("<a href=the-post>x</a>", "https://t.example/2024/other"),
        ("<a href='#'>x</a>", "https://t.example/2024/the-post"),
        ("<base href=//t.example/2024/><a href=%74he-post>x</a>", S),
    ],
)
def test_what_is_relative_to_the_target_s_own_host_is_found(body: str, url: str) -> None:
    assert find(body, T, url) is not None
    assert find(body, T, url) == find_slowly(body, T, url)


_IMAGE = "<img src=/x>"
FAR = {
    "letters by their numbers before it": "&#116;" * 9_000 + _IMAGE * 3_000 + "{}" + _IMAGE * 9,
    "many places where none is": "<!--the-post-->" * 1_500 + _IMAGE * 9_000 + "{}" + _IMAGE * 9,
    "a tag that may end in many places": _IMAGE * 9 + "<a title='" + "< " * 3_000 + f"' href={T}>x</a>" + _IMAGE * 9,
}


@pytest.mark.parametrize("body", FAR.values(), ids=FAR)
def test_a_page_is_read_as_far_as_the_link(body: str) -> None:
    body = body.format(f"<a href={T}>x</a>")
    assert find(body, T) is not None
    assert find(body, T) == find_slowly(body, T)


def test_a_link_far_below_that_says_what_it_is_wins_over_the_first() -> None:
    body = f"<a href={T}>x</a>" + "<p>word" * 5_000 + f"<a class=u-in-reply-to href={T}>the post</a>"
    found = find(body, T)
    assert found is not None
    assert (found.properties, found.text) == (("in-reply-to",), "the post")


@pytest.mark.parametrize(
    "start",
    [
        "x\nu-like-of",
        "u&#45;like-of",
        "&#117;-like-of",
        "x&#32;u-like-of",
        f"x&#{'0' * 40}32u-like-of",
        "x&#xau-like-of",
        "x&Tab;u-like-of",
    ],
)
def test_a_class_is_seen_however_it_is_written(start: str) -> None:
    body = f"<a href={T}>x</a>{'<i>' * 3_000}<a class='{start}' href={T}>y</a> <p class=menu-item>"
    found = find(body, T)
    assert found is not None
    assert found.properties == ("like-of",)


def test_a_page_that_declares_itself_deleted_is_seen_to_be_without_reading_the_rest() -> None:
    page = Page(Response(200, (), b"<meta HTTP-EQUIV = Status content='410 Gone'>" + b"<p>word" * 9_000, S))
    assert page.says_gone
    assert "document" not in vars(page)


_CHARACTERS = "the-post2024%&#;x6Ff/?.= \n\t"
_REFERENCE = st.one_of(
    st.just(T),
    st.text(_CHARACTERS, max_size=12).map(lambda text: f"https://t.example/2024/the-{text}"),
    st.lists(st.sampled_from(["https:", "//t.example", "/2024", "/the", "-p", "&#111;", "%6f", "st", "\n"]),
             max_size=9).map("".join),
)  # fmt: skip
_PIECE = st.one_of(
    _REFERENCE.map(lambda reference: f'<a href="{reference}">x</a>'),
    _REFERENCE.map(lambda reference: f"<img src='{reference}'>"),
    st.sampled_from(["<base href=//t.example/2024/>", "<base href=/x>", "<script>", "</script>", "<!--", "-->",
                     "<template>", "</template>", " class='u-like-of'", "<p>word " * 400]),
)  # fmt: skip


@given(st.lists(_PIECE, max_size=8).map("".join), st.sampled_from([S, "https://t.example/2024/x"]))
def test_the_short_way_finds_what_the_long_one_does(body: str, url: str) -> None:
    assert find(body, T, url) == find_slowly(body, T, url)


@given(_REFERENCE)
def test_a_first_look_never_turns_away_what_means_the_target(reference: str) -> None:
    if urls.satisfies_loosely(urls.resolve(reference, S) or "", T):
        assert look_for(T)(reference)
        assert not for_needles(f'<a href="{reference}">'.encode()).lacks(*needles(T)[:1])
