"""A site knows its own pages, by its address or by what its host says."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from linkback import urls
from linkback.errors import ConfigurationError, Reason, Refused, blamed
from linkback.ownpages import OwnPages

POST = "https://t.example/post"
OLD = "https://t.example/?p=1"


def resolve(url: str) -> str | None:
    """A host's own idea: http, a trailing slash and an old address all mean the post."""
    if url == "https://t.example/gone":
        raise Refused(Reason.TARGET_GONE, "it was withdrawn")
    if url == "https://t.example/empty":
        return ""
    known = url == OLD or (urls.same_site(url, POST) and urls.loose(url) == urls.loose(POST))
    return POST + "#content" if known else None


@pytest.mark.parametrize("url", ["", "t.example", "/blog", "ftp://t.example/", "https://", "https://u:p@t.example/"])
def test_a_site_needs_an_address(url: str) -> None:
    with pytest.raises(ConfigurationError, match="absolute http or https URL"):
        OwnPages(url)


@pytest.mark.parametrize(
    "target", ["https://t.example/blog/x", "https://t.example/blog", "HTTPS://t.example/blog/?a#b"]
)
def test_without_word_from_the_host_every_url_below_is_a_page(target: str) -> None:
    assert OwnPages("https://T.example/blog").find(target) == urls.without_fragment(target)


@pytest.mark.parametrize(
    "target",
    ["https://o.example/blog/x", "https://t.example/", "http://t.example/blog/x", "https://t.example/blogs", "x"],
)
def test_and_no_other_is(target: str) -> None:
    with pytest.raises(Refused) as refused:
        OwnPages("https://t.example/blog").find(target)
    assert refused.value.reason is Reason.TARGET_UNKNOWN


@pytest.mark.parametrize("target", [POST, POST + "#c1", POST + "/", "http://t.example/post", OLD])
def test_the_host_says_which_post_a_url_means(target: str) -> None:
    """C-4: the fragment is no part of the question, nor of the answer."""
    assert OwnPages("https://t.example", resolve).find(target) == POST


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("https://t.example/other", Reason.TARGET_UNKNOWN),
        ("https://t.example/empty", Reason.TARGET_UNKNOWN),
        ("https://t.example/gone", Reason.TARGET_GONE),
    ],
)
def test_the_host_says_which_urls_mean_none(target: str, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        OwnPages("https://t.example", resolve).find(target)
    assert refused.value.reason is reason


class Strange:
    """A function of a host, as an object, that answers whatever it was made with."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __call__(self, url: str) -> Any:
        return self.answer


ODD = [True, 1, "/post/1", "post", POST.encode(), "https://other.example/post", "ftp://t.example/", [POST], object()]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_what_is_no_page_of_ours_is_said_in_one_sentence(odd: Any) -> None:
    """It names the function, what it must give, and what it gave."""
    pages = OwnPages("https://t.example", Strange(odd))
    with pytest.raises(ConfigurationError) as caught:
        pages.find(POST)
    assert str(caught.value) == (
        "resolve (tests.test_ownpages.Strange) must give the absolute URL of a page of https://t.example/, or None:"
        f" for {POST} it gave {odd!r}"
    )


@pytest.mark.parametrize("nothing", [None, "", False])
def test_nothing_is_no_page(nothing: Any) -> None:
    with pytest.raises(Refused):
        OwnPages("https://t.example", Strange(nothing)).find(POST)


def test_a_long_answer_is_shown_in_part() -> None:
    with pytest.raises(ConfigurationError) as caught:
        OwnPages("https://t.example", Strange("x" * 5000)).find(POST)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("given", [POST + "#c1", "http://www.t.example/post", "https://old.example/post"])
def test_a_permalink_may_stand_on_any_host_of_the_site(given: str) -> None:
    assert OwnPages("https://t.example", Strange(given), ["old.example"]).find(POST) == given.partition("#")[0]


def test_what_the_host_raises_passes_through_with_a_note_of_whose_it_is() -> None:
    def find_post(url: str) -> str:
        raise error

    error = OSError("the database\nis away")
    pages = OwnPages("https://t.example", partial(find_post))
    for _ in range(2):
        with pytest.raises(OSError, match="is away") as caught:
            pages.find(POST)
        assert caught.value is error
    assert len(error.__notes__) == 1
    line = blamed(error)
    assert line.startswith("resolve (tests.test_ownpages.test_what_the_host_raises")
    assert f"the blog's own function, failed for {POST}: OSError: the database is away ({__file__}, line " in line
    assert blamed(OSError("of nobody's")) == ""


@pytest.mark.parametrize(
    ("link", "target", "same"),
    [
        (POST, POST, True),
        (OLD, POST, True),
        ("http://t.example/post/", OLD, True),
        ("http://t.example/post#c1", POST + "#c1", True),
        ("http://t.example/post", POST + "#c1", False),
        ("https://t.example/other", POST, False),
        ("https://t.example/gone", POST, False),
        ("https://o.example/", "https://o.example/", True),
        ("https://o.example/post", POST, False),
    ],
)
def test_a_link_to_any_of_a_posts_addresses_is_a_link_to_it(link: str, target: str, same: bool) -> None:
    """D-34, design decision 10."""
    assert OwnPages("https://t.example", resolve).means_same(link, target) is same


def test_without_word_from_the_host_only_the_same_page_is_the_same() -> None:
    pages = OwnPages("https://t.example")
    assert pages.means_same("HTTPS://t.example:443/post", POST)
    assert not pages.means_same(POST + "/", POST)


HOMES = [
    ("https://t.example/post", True),
    ("http://t.example/post", True),
    ("https://www.t.example/post", True),
    ("https://old.example/post", True),
    ("https://evil.example/post", False),
    ("https://t.example.evil.example/post", False),
    ("https://t.example:8443/post", False),
    ("ftp://t.example/post", False),
]


@pytest.mark.parametrize(("url", "asked"), HOMES)
def test_resolve_is_asked_for_urls_of_our_hosts_only(url: str, asked: bool) -> None:
    """A host that looks at paths alone must not take a stranger's page for its own."""
    seen: list[str] = []

    def resolve(found: str) -> str | None:
        seen.append(found)
        return "https://t.example/post"

    pages = OwnPages("https://t.example", resolve, hosts=["old.example"])
    assert pages.means_same(url, "https://t.example/post") is asked
    assert (url in seen) is (asked and url != "https://t.example/post") or url == "https://t.example/post"


@pytest.mark.parametrize(
    "url", ["https://t.example/café", "https://T.example/caf%c3%a9#x", "https://t.example/x/../café"]
)
def test_resolve_gets_every_spelling_of_a_page_as_one_string(url: str) -> None:
    pages = OwnPages("https://t.example", {"https://t.example/caf%C3%A9": "https://t.example/cafe"}.get)
    assert pages.find(url) == "https://t.example/cafe"
