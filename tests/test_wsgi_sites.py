"""Many blogs behind one WSGI application: each page is of one of them, and says so."""

from __future__ import annotations

import re
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from linkback import Policy, Reason, Refused, Site, Sites, open_store
from linkback.jobs import External
from linkback.testing import FakeWeb
from linkback.verbs import find_endpoints
from tests.serving import served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

GUIDE = Path(__file__).parent.parent / "docs/guides/wsgi.md"
A, B, C, D = "https://a.example/", "https://b.example/blog/", "https://b.example/blog/c/", "http://d.example/"
BLOGS = (A, B, C, D)
SOURCE = "https://s.example/note"
PAGE = b"<p>post</p>"


def host(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """A host that answers everything the same way."""
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(PAGE)))])
    return [PAGE]


def closed(url: str) -> str | None:
    if url.endswith("/closed"):
        raise Refused(Reason.TARGET_CLOSED)
    return url


@pytest.fixture
def sites() -> Iterator[Sites]:
    store = open_store("sqlite://")
    web = FakeWeb({SOURCE: "".join(f"<a href='{url}post'>x</a>" for url in BLOGS)})
    policy = Policy(settle_seconds=0, recheck_days=0)
    blogs = [
        Site(url, store=store, fetch=web, runner=External(), policy=policy, resolve=closed if url == A else None)
        for url in BLOGS
    ]
    with Sites(blogs, store=store, runner=External()) as sites:
        yield sites


def ask(url: str, named: str, path: str, form: dict[str, str] | None = None) -> tuple[int, Any, bytes]:
    """One request to the server at `url`, for the host that it is called by."""
    body = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(url + path, body, {"Host": named})
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.status, response.headers, response.read()


# the Host and path of a request -> the origin of the blog that the page is on
PAGES = [
    pytest.param("a.example", "/post", "https://a.example", id="by its host"),
    pytest.param("a.example", "/post?p=2", "https://a.example", id="with a query"),
    pytest.param("b.example", "/blog/post", "https://b.example", id="by its path"),
    pytest.param("b.example", "/blog/c/post", "https://b.example", id="the nearest"),
    pytest.param("d.example", "/post", "http://d.example", id="without TLS"),
    pytest.param("a.example", "/closed", "", id="a page that takes none"),
    pytest.param("b.example", "/else", "", id="beside the blogs of a host"),
    pytest.param("c.example", "/post", "", id="a host of nobody's"),
    pytest.param("..", "/post", "", id="a host that is none"),
]


@pytest.mark.parametrize(("named", "path", "home"), PAGES)
def test_each_page_advertises_its_own_blog(sites: Sites, named: str, path: str, home: str) -> None:
    with served(sites.wsgi(host)) as url:
        _, headers, body = ask(url, named, path)
    if not home:
        assert (headers["X-Pingback"], body) == (None, PAGE)
        return
    page, base = home + path, f"{home}/linkback"
    found = find_endpoints(page, list(headers.items()), body)
    assert {name: endpoint.url for name, endpoint in found.found.items()} == {
        "webmention": f"{base}/webmention",
        "pingback": f"{base}/pingback",
        "trackback": f"{base}/trackback?{urllib.parse.urlencode({'target': page})}",
    }
    assert headers["Content-Length"] == str(len(body))


def test_a_claim_goes_to_the_blog_that_its_target_is_on(sites: Sites) -> None:
    """Whatever host the endpoint was called by."""
    with served(sites.wsgi(host)) as url:
        for blog in BLOGS:
            claim = {"source": SOURCE, "target": f"{blog}post"}
            status, headers, _ = ask(url, "a.example", "/linkback/webmention", claim)
            assert status == 201
            told = urllib.parse.urlsplit(headers["Location"]).path
            assert b'"queued"' in ask(url, "a.example", told)[2]
        sites.drain()
        assert [len(sites.mentions(f"{blog}post")) for blog in BLOGS] == [1, 1, 1, 1]


def test_the_prefix_and_the_public_url_are_those_of_all(sites: Sites) -> None:
    with served(sites.wsgi(host, prefix="lb", base="https://lb.example/")) as url:
        for named, path in (("a.example", "/post"), ("b.example", "/blog/post")):
            assert ask(url, named, path)[1]["X-Pingback"] == "https://lb.example/pingback"
        assert ask(url, "a.example", "/lb/healthz")[0] == 200


def test_a_function_that_fails_to_find_a_blog_leaves_the_page_alone(caplog: pytest.LogCaptureFixture) -> None:
    def site_of(url: str) -> Site | None:
        raise RuntimeError("the list of blogs is away")

    store = open_store("sqlite://")
    with Sites(site_of, store=store, runner=External()) as sites, served(sites.wsgi(host)) as url:
        assert ask(url, "a.example", "/post")[2] == PAGE
    assert "could not resolve /post" in caplog.text


def test_the_guide_integrates_in_four_lines_and_shows_the_thread_with_two() -> None:
    """As its first example counts them; tests/test_docs.py runs it."""
    code = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)[0]
    ours = [line for line in code.splitlines() if re.search(r"\b(linkback|[sS]ite)\b", line.partition("#")[0])]
    assert sorted(line[-1] for line in ours) == ["1", "2", "3", "4", "5", "6"]
    assert {line[-1] for line in ours if "thread" in line} == {"5", "6"}
