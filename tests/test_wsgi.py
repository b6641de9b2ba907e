"""The WSGI edge: real clients over real sockets, and a host's own pages around them."""

from __future__ import annotations

import io
import sys
import urllib.error
import urllib.parse
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

from linkback.adapters.wsgi import around, endpoints, read_request
from linkback.errors import ConfigurationError
from linkback.fetch import Fetcher
from linkback.jobs import External
from linkback.model import Claim, Mention
from linkback.policy import Policy
from linkback.site import Site
from linkback.testing import FakeWeb
from linkback.verbs import find_endpoints
from tests import clients, signposting
from tests.serving import LOOPBACK, eventually, pages, served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

QUICK = Policy(settle_seconds=0)
Answer = tuple[str, list[tuple[str, str]], bytes]


def call(app: WSGIApplication, path: str, method: str = "GET", body: bytes = b"", **extra: Any) -> Answer:
    """One request, in process, with the standard library's own checks of both sides."""
    environ: dict[str, Any] = {"SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "", **extra}
    environ["REQUEST_METHOD"] = method
    setup_testing_defaults(environ)
    environ["wsgi.input"] = io.BytesIO(body)
    if body:
        environ.setdefault("CONTENT_LENGTH", str(len(body)))
    told: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        told[:] = [status, headers]
        return lambda data: None

    chunks = validator(app)(environ, start_response)
    received = b"".join(chunks)
    chunks.close()  # type: ignore[attr-defined]
    return told[0], told[1], received


def host(status: str = "200 OK", body: bytes = b"<p>post</p>", *headers: tuple[str, str]) -> WSGIApplication:
    """A host that answers everything the same way."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        fields = [("Content-Type", "text/html; charset=utf-8"), *headers]
        start_response(status, [*dict(fields).items(), ("Content-Length", str(len(body)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return application


@pytest.fixture
def site() -> Iterator[Site]:
    with Site("https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), policy=QUICK) as site:
        yield site


def test_a_page_of_ours_advertises_every_protocol(site: Site) -> None:
    status, headers, body = call(around(host(), site), "/post")
    assert (status, body[:11]) == ("200 OK", b"<p>post</p>")
    assert ("Content-Length", str(len(body))) in headers
    found = find_endpoints("https://t.example/post", headers, body)
    assert found.webmention is not None
    assert found.webmention.url == "https://t.example/linkback/webmention"
    assert found.pingback is not None
    assert found.pingback.url == "https://t.example/linkback/pingback"
    assert found.trackback is not None
    assert found.trackback.url == "https://t.example/linkback/trackback?target=https%3A%2F%2Ft.example%2Fpost"


@pytest.mark.parametrize("make", [lambda site: around(host(), site), endpoints], ids=["around", "endpoints"])
def test_the_first_request_and_no_import_tells_of_work_that_nobody_does(
    make: Callable[[Site], WSGIApplication], caplog: pytest.LogCaptureFixture
) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    with Site(
        "https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), clock=lambda: long_ago
    ) as site:
        site.receive(Claim("webmention", "https://alice.example/a", "https://t.example/post"))
        app = make(site)
        assert caplog.records == []
        for _ in range(2):
            call(app, "/post")
        [record] = caplog.records
    assert "nobody does the work, or too few; keep linkback worker running" in record.getMessage()


def test_head_tells_what_get_tells(site: Site) -> None:
    app = around(host(), site)
    _, get, body = call(app, "/post")
    _, head, none = call(app, "/post", "HEAD")
    assert none == b""
    assert len(body) > 0
    # a host that sends no body to HEAD may know another length; the signposts are what counts
    assert [pair for pair in get if pair[0] in ("Link", "X-Pingback")] == [
        pair for pair in head if pair[0] in ("Link", "X-Pingback")
    ]


def _the_host(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    page = signposting.PAGES[environ["PATH_INFO"]]
    length = [] if page.streamed else [("Content-Length", str(len(page.body)))]
    start_response(f"{page.status} Status", [("Content-Type", page.type), *page.headers, *length])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else list(page.chunks)


@pytest.fixture(scope="module")
def host_url() -> Iterator[str]:
    site = Site(signposting.SITE, store="sqlite://", fetch=FakeWeb(), runner=External(), resolve=signposting.resolve)
    with site, served(around(_the_host, site)) as url:
        yield url


@signposting.cases
def test_only_pages_that_take_mentions_carry_signposts(host_url: str, case: signposting.Case) -> None:
    """protocols.md A-51"""
    signposting.check(host_url, case)


def test_a_resolver_that_breaks_does_not_break_the_page() -> None:
    def resolve(url: str) -> str | None:
        raise RuntimeError("the host's database is away")

    with Site("https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), resolve=resolve) as site:
        assert call(around(host(), site), "/post") == call(host(), "/post")


@pytest.mark.parametrize(
    "header", [("Content-Encoding", "gzip"), ("Content-Type", "text/html; charset=utf-16")], ids=lambda pair: pair[1]
)
def test_a_body_that_cannot_be_added_to_keeps_its_bytes_and_gets_headers(site: Site, header: tuple[str, str]) -> None:
    _, headers, body = call(around(host("200 OK", b"packed", header), site), "/post")
    assert body == b"packed"
    assert "X-Pingback" in dict(headers)


def test_the_chunks_of_the_host_pass_one_by_one_and_are_closed(site: Site) -> None:
    class Chunks:
        closed = False

        def __iter__(self) -> Iterator[bytes]:
            yield b"<p>"
            yield b"</p>"

        def close(self) -> None:
            self.closed = True

    chunks = Chunks()

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        return chunks

    _, _, body = call(around(application, site), "/post")
    assert body.startswith(b"<p></p><!--")
    assert chunks.closed


KEPT: dict[str, tuple[str, str, tuple[tuple[str, str], ...]]] = {
    "a picture": ("GET", "image/png", ()),
    "JSON": ("GET", "application/json", ()),
    "the head of a page": ("HEAD", "text/html", ()),
    "a page that is packed": ("GET", "text/html", (("Content-Encoding", "gzip"),)),
}


@pytest.mark.parametrize(("method", "kind", "more"), KEPT.values(), ids=KEPT.keys())
def test_what_gets_no_tail_is_given_to_the_server_as_the_host_gave_it(
    site: Site, method: str, kind: str, more: tuple[tuple[str, str], ...]
) -> None:
    """A server sends what its `wsgi.file_wrapper` made by itself, and only that."""
    given = FileWrapper(io.BytesIO(b"bytes"))

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", kind), *more])
        return given

    environ: dict[str, Any] = {"PATH_INFO": "/post", "REQUEST_METHOD": method}
    setup_testing_defaults(environ)
    assert around(application, site)(environ, lambda *told: lambda data: None) is given


def test_a_host_that_starts_with_its_first_chunk_gets_its_signposts(site: Site) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        yield b"<p>post"

    _, headers, body = call(around(application, site), "/post")
    assert "X-Pingback" in dict(headers)
    assert body.startswith(b"<p>post<!--")


def test_a_host_that_starts_again_too_late_for_a_tail_is_told_of_none(site: Site) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "image/png")])

        def chunks() -> Iterator[bytes]:
            try:
                raise RuntimeError("no picture")
            except RuntimeError:
                start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "3")], sys.exc_info())
            yield b"<p>"

        return chunks()

    assert call(around(application, site), "/post")[1:] == (
        [("Content-Type", "text/html"), ("Content-Length", "3")],
        b"<p>",
    )


def test_a_host_that_starts_again_with_an_error_is_believed(site: Site) -> None:
    """PEP 3333 lets an application replace its headers with `exc_info`."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        try:
            raise RuntimeError("after the headers")
        except RuntimeError:
            start_response("500 Oops", [("Content-Type", "text/html")], sys.exc_info())
        return [b"sorry"]

    assert call(around(application, site), "/post")[2] == b"sorry"


def test_the_prefix_and_the_public_url_can_be_chosen(site: Site) -> None:
    app = around(host(), site, prefix="lb", base="https://public.example/lb/")
    assert dict(call(app, "/post")[1])["X-Pingback"] == "https://public.example/lb/pingback"
    assert call(app, "/lb/healthz")[0] == "200 OK"
    assert call(app, "/lbx")[2].startswith(b"<p>post</p>")


def test_a_prefix_may_be_in_any_script(site: Site) -> None:
    app = around(host(), site, prefix="/連結")
    assert dict(call(app, "/post")[1])["X-Pingback"] == "https://t.example/%E9%80%A3%E7%B5%90/pingback"
    assert call(app, "/連結/healthz".encode().decode("latin-1"))[0] == "200 OK"


def test_a_path_with_odd_characters_is_advertised_as_it_is_linked(site: Site) -> None:
    path = "/é ü/%".encode().decode("latin-1")
    _, headers, body = call(around(host(), site), path, QUERY_STRING="a=1&b=2")
    found = find_endpoints("https://t.example/%C3%A9%20%C3%BC/%25?a=1&b=2", headers, body)
    assert found.trackback is not None
    assert urllib.parse.parse_qs(urllib.parse.urlsplit(found.trackback.url).query)["target"] == [
        "https://t.example/%C3%A9%20%C3%BC/%25?a=1&b=2"
    ]


def test_an_application_mounted_under_a_path_advertises_under_it() -> None:
    with Site("https://t.example/blog/", store="sqlite://", fetch=FakeWeb(), runner=External()) as site:
        app = around(host(), site)
        _, headers, _ = call(app, "/post", SCRIPT_NAME="/blog")
        assert dict(headers)["X-Pingback"] == "https://t.example/blog/linkback/pingback"
        form = {"CONTENT_TYPE": "application/x-www-form-urlencoded", "SCRIPT_NAME": "/blog"}
        body = b"source=https%3A%2F%2Fs.example%2F&target=https%3A%2F%2Ft.example%2Fblog%2Fpost"
        _, headers, _ = call(app, "/linkback/webmention", "POST", body, **form)
        assert dict(headers)["Location"].startswith("https://t.example/blog/linkback/status/")


@pytest.mark.parametrize("prefix", ["", "/"])
def test_a_prefix_that_would_take_every_page_is_refused(site: Site, prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="prefix"):
        around(host(), site, prefix=prefix)


BODIES = [
    pytest.param({"CONTENT_LENGTH": "5"}, b"hello", id="as announced"),
    pytest.param({"CONTENT_LENGTH": "3"}, b"hel", id="no more than announced"),
    pytest.param({"CONTENT_LENGTH": "50"}, b"", id="cut off"),
    pytest.param({"CONTENT_LENGTH": "+5"}, b"", id="a length that is no number"),
    pytest.param({"CONTENT_LENGTH": "9" * 5000}, b"", id="a length of 5,000 digits"),
    pytest.param({}, b"", id="no length"),
    pytest.param({"wsgi.input_terminated": True}, b"hello", id="chunked, and the server says so"),
]


@pytest.mark.parametrize(("extra", "body"), BODIES)
def test_a_body_is_read_as_far_as_it_was_announced(extra: dict[str, Any], body: bytes) -> None:
    environ: dict[str, Any] = {"wsgi.input": io.BytesIO(b"hello"), "REQUEST_METHOD": "POST", **extra}
    assert read_request(environ, 100).body == body


def test_no_more_of_a_body_is_read_than_one_byte_beyond_the_limit() -> None:
    environ: dict[str, Any] = {
        "wsgi.input": io.BytesIO(b"x" * 1000),
        "REQUEST_METHOD": "POST",
        "CONTENT_LENGTH": "1000",
        "HTTP_ACCEPT": "text/plain",
    }
    request = read_request(environ, 10)
    assert len(request.body) == 11
    assert request.header("Accept") == "text/plain"


@pytest.fixture
def source() -> Iterator[dict[str, str]]:
    """The pages of a blog on loopback, with its address under ""."""
    bodies: dict[str, str] = {}
    with served(pages(bodies)) as url:
        bodies[""] = url
        yield bodies


def shown(site: Site, target: str) -> list[Mention]:
    return site.mentions(target)


def test_real_clients_of_all_three_protocols_end_as_mentions(source: dict[str, str]) -> None:
    """xmlrpc.client, a form as curl posts it, and a webmention; one more source without a link ends as none."""
    with (
        Site("https://t.example", store="sqlite://", fetch=Fetcher(allow=LOOPBACK), policy=QUICK) as site,
        served(endpoints(site)) as url,
    ):
        for name in ("pingback", "trackback", "webmention"):
            source[f"/{name}"] = f"<title>By {name}</title><a href='https://t.example/{name}'>x</a>"
            source[f"/{name}-less"] = "<title>Nothing</title>"
        for suffix in ("", "-less"):
            at = f"{source['']}/pingback{suffix}"
            with xmlrpc.client.ServerProxy(f"{url}/pingback") as server:
                assert server.pingback.ping(at, "https://t.example/pingback")
            at = f"{source['']}/webmention{suffix}"
            assert send(f"{url}/webmention", {"source": at, "target": "https://t.example/webmention"}) == 201
            query = urllib.parse.urlencode({"target": "https://t.example/trackback"})
            assert send(f"{url}/trackback?{query}", {"url": f"{source['']}/trackback{suffix}"}) == 200
        for name in ("pingback", "trackback", "webmention"):
            [mention] = eventually(lambda name=name: shown(site, f"https://t.example/{name}"))  # type: ignore[misc]
            assert (mention.title, mention.protocols) == (f"By {name}", (name,))
        eventually(lambda: all(claim_ended(site, path) for path in source if path.endswith("-less")))
        assert len(site.mentions(statuses=None)) == 3


def claim_ended(site: Site, path: str) -> bool:
    """Whether nothing is due but a second look at a source that did not link."""
    due = site.store.next_due()
    return due is not None and not site.work()


def send(url: str, fields: dict[str, str]) -> int:
    body = urllib.parse.urlencode(fields).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body)) as response:
        status: int = response.status
        return status


def test_a_megabyte_of_body_is_refused_over_a_real_socket(site: Site) -> None:
    with served(endpoints(site)) as url:
        for path in ("pingback", "webmention", "trackback?target=https%3A%2F%2Ft.example%2F"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(urllib.request.Request(f"{url}/{path}", b"x" * 1_000_000))
            assert caught.value.code == 413
            caught.value.close()
    assert not site.work()


@pytest.mark.parametrize("prefix", ["", "/linkback"])
def test_a_client_is_known_by_what_the_server_says_and_by_no_header(prefix: str) -> None:
    """protocols.md C-8"""
    policy = clients.ONCE
    with Site("https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), policy=policy) as site:
        app = around(host(), site) if prefix else endpoints(site)

        def ping(client: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
            fields = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
            given = {"CONTENT_TYPE": clients.FORM, "REMOTE_ADDR": client, **fields}
            status, answered, _ = call(app, f"{prefix}/webmention", "POST", body, **given)
            return int(status[:3]), dict(answered).get("Retry-After", "")

        clients.check(ping, "https://t.example/post")
