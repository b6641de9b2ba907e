"""Where the endpoints of a host's application may stand, and what is said of a place that they cannot have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from linkback.errors import ConfigurationError
from linkback.jobs import External
from linkback.site import Site
from linkback.testing import FakeWeb
from linkback.web.signposts import Signposts

HTML = [("Content-Type", "text/html")]


@pytest.fixture
def site() -> Iterator[Site]:
    with Site("https://bob.example", store="sqlite://", fetch=FakeWeb(), runner=External()) as site:
        yield site


def endpoint(signposts: Signposts) -> str:
    """Where the header of a page says that webmentions go."""
    signs = signposts.on(HTML, method="GET", status=200, host="bob.example", path="/post")
    assert all((name + value).isascii() for name, value in signs.headers)
    return dict(signs.headers)["Link"].partition(">")[0].removeprefix("<")


# what is configured, the path of a request, what is advertised
PREFIXES = [
    ("/linkback", "/linkback", "/linkback"),
    ("linkback/", "/linkback", "/linkback"),
    ("/a/b", "/a/b", "/a/b"),
    ("/連結", "/連結", "/%E9%80%A3%E7%B5%90"),
    ("/%E9%80%A3%E7%B5%90", "/連結", "/%E9%80%A3%E7%B5%90"),
    ("/a%20b", "/a b", "/a%20b"),
    ("/~bob/@me;x=1", "/~bob/@me;x=1", "/~bob/@me;x=1"),
    ("/%252e%252e", "/%2e%2e", "/%252e%252e"),
    ("/a...b/..c", "/a...b/..c", "/a...b/..c"),
    ("/.well-known/linkback", "/.well-known/linkback", "/.well-known/linkback"),
]


@pytest.mark.parametrize(("given", "asked", "advertised"), PREFIXES)
def test_the_endpoints_are_asked_for_by_the_path_that_is_advertised(
    site: Site, given: str, asked: str, advertised: str
) -> None:
    signposts = Signposts(site, prefix=given)
    assert signposts.prefix == asked
    assert endpoint(signposts) == f"https://bob.example{advertised}/webmention"


NO_PREFIXES = [
    "/a b",
    "/x>; rel=y",
    "/<path>",
    '/"',
    "/a?b",
    "/a#b",
    "/a\\b",
    "/{x}",
    "/a\nb",
    "/a\tb",
    "/\x85",
    "/\udc80",
    "/\u2028",
    "/100%",
    "/%zz",
    "/../x",
    "/x/.",
    "..",
    "/%2e%2e",
    "/%2E/x",
    "/a%2f..%2fb",
    "/%ff",
    "/a/%C3",
]


@pytest.mark.parametrize("prefix", NO_PREFIXES, ids=ascii)
def test_a_path_that_no_url_can_have_is_refused_by_its_name(site: Site, prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="the endpoints' prefix is a path such as /linkback, not ") as caught:
        Signposts(site, prefix=prefix)
    assert repr(prefix) in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "/", "//", "/%2f", "%2F/"])
def test_a_prefix_that_would_take_every_page_is_refused(site: Site, prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="prefix of their own"):
        Signposts(site, prefix=prefix)


BASES = [
    ("https://bob.example/lb/", "https://bob.example/lb"),
    ("https://bob.example/連", "https://bob.example/%E9%80%A3"),
    ("https://bücher.example", "https://xn--bcher-kva.example"),
    ("https://bob.example/x>;rel=y", "https://bob.example/x%3E;rel=y"),
    ("http://[::1]:8000/lb", "http://[::1]:8000/lb"),
]


@pytest.mark.parametrize(("given", "advertised"), BASES)
def test_a_public_url_is_advertised_as_it_stands_in_a_header(site: Site, given: str, advertised: str) -> None:
    assert endpoint(Signposts(site, base=given)) == f"{advertised}/webmention"


NO_BASES = [
    "/linkback",
    "bob.example/lb",
    "https://bob.example/a b",
    "https://bob.example/?x",
    "https://bob.example/#x",
]


@pytest.mark.parametrize("base", NO_BASES)
def test_a_public_url_that_is_none_is_refused_by_its_name(site: Site, base: str) -> None:
    with pytest.raises(ConfigurationError, match=r"public URL is like https://bob\.example/linkback, not ") as caught:
        Signposts(site, base=base)
    assert repr(base) in str(caught.value)
