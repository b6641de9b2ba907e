"""A site knows its own pages, by its address or by what its host says."""

from __future__ import annotations

import pytest

from linkback import urls
from linkback.errors import ConfigurationError, Reason, Refused
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
