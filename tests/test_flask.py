"""The Flask extension: real servers, real clients, and applications as people write them."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import signal
import subprocess
import sys
import textwrap
import urllib.parse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click.testing
import pytest
from flask import Blueprint, Flask, Response, abort, render_template_string, request, send_file, stream_with_context
from flask import url_for as flask_url_for
from flask.cli import FlaskGroup
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from linkback.adapters.flask import Linkback, current_blog
from linkback.errors import ConfigurationError, StoreError
from linkback.jobs import External
from linkback.model import Claim, Delivery, Mention, Outcome, Status
from linkback.policy import Policy
from linkback.protocols import BUILTIN, advertise_markup
from linkback.protocols.trackback import TrackBack
from linkback.site import Site
from linkback.sites import Sites
from linkback.store import open_store
from linkback.testing import FakeWeb
from linkback.verbs import find_endpoints
from linkback.web.render import Comment
from tests import clients, signposting
from tests.serving import eventually, pages, served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

QUICK = Policy(settle_seconds=0, recheck_days=0)
BOB = "https://bob.example"
SOURCE = "https://alice.example/a"
AN_HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)
LINKS = f"<title>Where next?</title><p>As <a href='{BOB}/post'>Bob</a> says.</p>"


def make_site(**options: Any) -> Site:
    """A blog in memory whose work is done when the test says so."""
    given: dict[str, Any] = {"url": BOB, "store": "sqlite://", "fetch": FakeWeb({SOURCE: LINKS}), "policy": QUICK}
    return Site(**{"runner": External(), **given, **options})


def make_app(view: Callable[[], Any] = lambda: "<h1>A post</h1>", **settings: Any) -> Flask:
    """An application with one page."""
    app = Flask("blog")
    app.config.update(settings)
    app.add_url_rule("/post", "post", view, methods=["GET", "POST"])
    return app


@pytest.fixture
def site() -> Iterator[Site]:
    with make_site() as site:
        yield site


def told(site: Site, **about: Any) -> None:
    """Alice's page has been announced and checked."""
    site.receive(Claim("pingback", SOURCE, f"{BOB}/post", **about))
    site.drain()


# the signposts


def _the_host(path: str) -> Response:
    page = signposting.PAGES[f"/{path}"]
    body: Any = iter(page.chunks) if page.streamed else page.body
    return Response(body, page.status, [("Content-Type", page.type), *page.headers])


@pytest.fixture(scope="module")
def host_url() -> Iterator[str]:
    app = Flask("host")
    app.add_url_rule("/<path:path>", "page", _the_host, methods=["GET", "POST"])
    with make_site(url=signposting.SITE, resolve=signposting.resolve) as site:
        Linkback(app, site=site)
        with served(app) as url:
            yield url


@signposting.cases
def test_only_pages_that_take_mentions_carry_signposts(host_url: str, case: signposting.Case) -> None:
    """protocols.md A-51"""
    signposting.check(host_url, case)


def test_a_file_that_is_sent_carries_signposts_and_its_length(site: Site, tmp_path: Path) -> None:
    """What the browser has, or asks for in part, stays as it is."""
    (tmp_path / "post.html").write_text("<h1>A post</h1>")
    app = make_app(lambda: send_file(tmp_path / "post.html"))
    Linkback(app, site=site)
    with served(app) as url:
        status, fields, body = signposting.ask(url, "GET", "/post")
        headers = {name.lower(): value for name, value in fields}
        assert (status, int(headers["content-length"])) == (200, len(body))
        assert body.startswith(b"<h1>A post</h1><!--")
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
        for asked, answered, rest in (
            ({"If-None-Match": headers["etag"]}, 304, b""),
            ({"Range": "bytes=0-3"}, 206, b"<h1>"),
        ):
            connection.request("GET", "/post", headers=asked)
            response = connection.getresponse()
            assert (response.status, response.read(), response.getheader("X-Pingback")) == (answered, rest, None)
        connection.close()


def test_a_streamed_answer_keeps_its_request_and_is_closed(site: Site) -> None:
    closed = []

    def stream() -> Iterator[str]:
        try:
            yield f"<p>{request.path}"
            yield "</p>"
        finally:
            closed.append(request.path)

    app = make_app(lambda: Response(stream_with_context(stream())))
    Linkback(app, site=site)
    with served(app) as url:
        _, _, body = signposting.ask(url, "GET", "/post")
        assert body.startswith(b"<p>/post</p><!--")
        assert eventually(lambda: closed) == ["/post"]


def test_an_answer_that_is_given_many_times_carries_signposts_once(site: Site) -> None:
    kept = Response("<h1>A post</h1>")
    app = make_app(lambda: kept)
    Linkback(app, site=site)
    answers = [app.test_client().get("/post") for _ in range(3)]
    assert {(answer.data, len(answer.headers.getlist("Link"))) for answer in answers} == {(answers[0].data, 1)}
    assert answers[0].data.count(b"trackback:ping") == 1


def test_an_error_page_of_the_application_stays_as_it_is(site: Site) -> None:
    app = make_app(lambda: abort(404))
    app.register_error_handler(404, lambda error: ("<h1>not here</h1>", 404))
    Linkback(app, site=site)
    answer = app.test_client().get("/post")
    assert (answer.status_code, answer.data, "Link" in answer.headers) == (404, b"<h1>not here</h1>", False)


def test_what_is_under_a_path_is_advertised_under_it() -> None:
    with make_site(url="https://bob.example/blog/") as site:
        app = make_app(lambda: render_template_string("{{ linkback_head() }}"))
        Linkback(app, site=site)
        mounted: Any = DispatcherMiddleware(pages({}), {"/blog": app})
        with served(mounted) as url:
            _, headers, body = signposting.ask(url, "GET", "/blog/post")
            found = find_endpoints("https://bob.example/blog/post", headers, body)
            assert found.webmention is not None
            assert found.webmention.url == "https://bob.example/blog/linkback/webmention"
            assert b'href="https://bob.example/blog/linkback/webmention"' in body
            status, _, _ = signposting.ask(url, "GET", "/blog/linkback/healthz")
            assert status == 200


def test_the_head_of_a_page_says_what_its_headers_say(site: Site) -> None:
    app = make_app(lambda: render_template_string("<head>{{ linkback_head('/post', title='A & B') }}</head>"))
    Linkback(app, site=site)
    body = app.test_client().get("/post").data
    found = find_endpoints(f"{BOB}/post", {}, body)
    assert (found.webmention and found.webmention.url) == f"{BOB}/linkback/webmention"
    assert b'dc:title="A &amp; B"' in body


# the endpoints


def claim_by(protocol: str) -> dict[str, Any]:
    """A ping, as the test client sends it."""
    query = urllib.parse.urlencode({"target": f"{BOB}/post"})
    call = (
        "<methodCall><methodName>pingback.ping</methodName><params>"
        f"<param><value>{SOURCE}</value></param><param><value>{BOB}/post</value></param></params></methodCall>"
    )
    pings: dict[str, dict[str, Any]] = {
        "webmention": {"path": "/linkback/webmention", "data": {"source": SOURCE, "target": f"{BOB}/post"}},
        "pingback": {"path": "/linkback/pingback", "data": call, "content_type": "text/xml"},
        "trackback": {"path": f"/linkback/trackback?{query}", "data": {"url": SOURCE}},
    }
    return pings[protocol]


@pytest.mark.parametrize("protocol", [protocol.name for protocol in BUILTIN])
def test_a_claim_comes_in_past_whatever_guards_the_application(site: Site, protocol: str) -> None:
    """Login, CSRF protection that reads the form, and a limit that no ping keeps."""
    app = make_app(MAX_CONTENT_LENGTH=10)

    @app.before_request
    def guard() -> None:
        assert "token" in request.form
        abort(401)

    Linkback(app, site=site)
    answer = app.test_client().post(**claim_by(protocol))
    assert answer.status_code < 300
    site.drain()
    [mention] = site.mentions(f"{BOB}/post")
    assert (mention.title, mention.protocols) == ("Where next?", (protocol,))


def test_a_body_in_chunks_is_read(site: Site) -> None:
    app = make_app()
    Linkback(app, site=site)
    body = urllib.parse.urlencode({"source": SOURCE, "target": f"{BOB}/post"}).encode()
    with served(app) as url:
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
        form = {"Content-Type": "application/x-www-form-urlencoded", "Transfer-Encoding": "chunked"}
        connection.request("POST", "/linkback/webmention", iter([body[:9], body[9:]]), form, encode_chunked=True)
        assert connection.getresponse().status == 201
        connection.close()


def _shout(error: object) -> tuple[str, int]:
    return "<h1>OUR ERROR PAGE</h1>", 500


ODD: list[tuple[str, str, int]] = [
    ("GET", "/linkback/webmention", 405),
    ("PUT", "/linkback/pingback", 405),
    ("DELETE", "/linkback/mentions", 405),
    ("OPTIONS", "/linkback/trackback", 405),
    ("GET", "/linkback/nothing", 404),
    ("GET", "/linkback/", 404),
    ("GET", "/linkback", 404),
    ("POST", "/linkback/", 400),
    ("POST", "/linkback", 400),
    ("GET", "/linkback/status/none", 404),
    ("GET", "/linkback/healthz", 200),
    ("HEAD", "/linkback/thread.css", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), ODD, ids=lambda value: str(value))
def test_whatever_is_asked_of_the_endpoints_they_answer_themselves(
    site: Site, method: str, path: str, status: int
) -> None:
    app = make_app()
    for code in (400, 404, 405, 500):
        app.register_error_handler(code, _shout)
    Linkback(app, site=site)
    answer = app.test_client().open(path, method=method)
    assert (answer.status_code, b"OUR" in answer.data, "Link" in answer.headers) == (status, False, False)


def test_a_ping_that_is_too_large_is_told_so_in_its_protocol(site: Site) -> None:
    app = make_app()
    app.register_error_handler(413, _shout)
    Linkback(app, site=site)
    answer = app.test_client().post("/linkback/webmention", data=b"x" * 1_000_000)
    assert (answer.status_code, b"OUR" in answer.data) == (413, False)


def test_a_function_of_the_host_that_breaks_shows_nobody_an_error_page() -> None:
    def resolve(url: str) -> str:
        raise RuntimeError("the host's database is away")

    app = make_app()
    app.register_error_handler(500, _shout)
    with make_site(resolve=resolve) as site:
        Linkback(app, site=site)
        answer = app.test_client().post(**claim_by("webmention"))
        assert (answer.status_code, b"OUR" in answer.data) == (503, False)
        assert app.test_client().get("/post").data == b"<h1>A post</h1>"


class InvalidChunkSize(Exception):
    """As gunicorn has it: neither an OSError nor a ValueError."""


@pytest.mark.parametrize("failure", [ConnectionResetError, InvalidChunkSize, ValueError, EOFError])
def test_a_body_that_cannot_be_read_is_the_senders_own_fault(site: Site, failure: type[Exception]) -> None:
    """The sender left, or wrote what is no chunk."""

    class Broken(io.BytesIO):
        def read(self, *size: Any) -> bytes:
            raise failure("zz")

    app = make_app()
    app.register_error_handler(Exception, _shout)
    Linkback(app, site=site)
    broken = {"wsgi.input": Broken(), "wsgi.input_terminated": True}
    answer = app.test_client().post("/linkback/webmention", environ_overrides=broken)
    assert (answer.status_code, answer.text) == (400, "the request could not be read\n")


# settings


def memory(**settings: Any) -> dict[str, Any]:
    """Settings of a blog in memory, by the names they have in `app.config`."""
    found = {"SITE": BOB, "DATABASE": "sqlite://", "WORKERS": 0, "POLICY": QUICK} | settings
    return {f"LINKBACK_{name}": value for name, value in found.items()}


@contextlib.contextmanager
def made(app: Flask) -> Iterator[Linkback]:
    """The extension on an application, its blog closed at the end."""
    linkback = Linkback(app)
    try:
        yield linkback
    finally:
        linkback.blog.close(5)


WRONG: list[tuple[dict[str, Any], str]] = [
    (memory(SITE=None), r'app\.config\["LINKBACK_SITE"\] is missing: set it to .*https://bob\.example'),
    (memory(SITE="bob.example"), 'app.config."LINKBACK_SITE".'),
    (memory(SIET=BOB), 'LINKBACK_SIET".* is no setting of linkback; is .*LINKBACK_SITE".* meant'),
    (memory(MODERATE="maybe"), 'LINKBACK_MODERATE".* must be True'),
    (memory(WORKERS=-1), 'LINKBACK_WORKERS"'),
    (memory(PREFIX="/"), "prefix"),
    (memory(PREFIX="/post"), '/post stands where the endpoints would: set .*LINKBACK_PREFIX"'),
    (memory(RESOLVE="no.such.function"), 'LINKBACK_RESOLVE"'),
]


@pytest.mark.parametrize(("settings", "message"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_a_setting_that_is_wrong_is_said_at_the_start_in_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        Linkback(make_app(**settings))
    assert "\n" not in str(caught.value)


def test_a_database_that_cannot_be_opened_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r'app\.config\["LINKBACK_DATABASE"\]: .*away') as caught:
        Linkback(make_app(**memory(DATABASE=f"sqlite:///{tmp_path}/away/linkback.db")))
    assert "\n" not in str(caught.value)


def test_a_second_blog_for_one_application_is_refused(site: Site) -> None:
    app = make_app()
    linkback = Linkback(app, site=site)
    with pytest.raises(ConfigurationError, match="already"):
        linkback.init_app(app)
    named = make_app()
    named.register_blueprint(Blueprint("linkback", "elsewhere"))
    with pytest.raises(ConfigurationError, match="already"):
        linkback.init_app(named)


def test_a_setting_that_a_given_blog_would_not_heed_is_refused(site: Site) -> None:
    with pytest.raises(ConfigurationError, match="LINKBACK_MODERATE"):
        Linkback(make_app(LINKBACK_MODERATE=True), site=site)
    Linkback(make_app(LINKBACK_PREFIX="/lb", LINKBACK_LANGUAGE="de"), site=site)


def test_what_is_put_in_the_way_later_is_told_with_the_first_request(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app()
    Linkback(app, site=site)
    app.add_url_rule("/linkback/about", "about", lambda: "about")
    for _ in range(2):
        app.test_client().get("/post")
    assert [record.getMessage() for record in caplog.records] == [
        '/linkback/about stands where the endpoints do: set app.config["LINKBACK_PREFIX"] to another path'
    ]


def test_work_that_nobody_does_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with make_site(clock=lambda: AN_HOUR_AGO - timedelta(hours=1)) as site:
        site.receive(Claim("webmention", SOURCE, f"{BOB}/post"))
        app = make_app()
        Linkback(app, site=site)
        for _ in range(2):
            app.test_client().get("/post")
        [record] = caplog.records
        assert "nobody does the work, or too few; keep flask linkback worker running" in record.getMessage()


def test_a_factory_makes_applications_that_know_nothing_of_each_other() -> None:
    linkback = Linkback()

    def create(url: str) -> Flask:
        app = make_app(lambda: linkback.site.url, **memory(SITE=url, PREFIX="/lb"))
        linkback.init_app(app)
        return app

    apps = [create(url) for url in ("https://bob.example", "https://carol.example")]
    for app, url in zip(apps, ("https://bob.example/", "https://carol.example/"), strict=True):
        answer = app.test_client().get("/post")
        assert (answer.text.partition("<")[0], answer.headers["X-Pingback"]) == (url, f"{url}lb/pingback")
        with app.app_context():
            assert linkback.site.url == url
            linkback.blog.close()
    with pytest.raises(ConfigurationError, match="app_context"):
        _ = linkback.site


def test_an_application_is_known_to_its_own_extension_without_a_context() -> None:
    with made(make_app(**memory())) as linkback:
        assert linkback.site.url == f"{BOB}/"
        with pytest.raises(ConfigurationError, match="name one by its URL"):
            linkback.thread()


def test_an_application_of_many_blogs_finds_each_by_the_host_that_is_asked_for() -> None:
    store = open_store("sqlite://")
    blogs = [
        make_site(url=f"https://{name}.example", store=store, fetch=FakeWeb({SOURCE: LINKS})) for name in ("bob", "eve")
    ]
    with Sites(blogs, store=store, runner=External()) as sites:
        app = make_app(
            lambda: render_template_string("{{ linkback_count() }} {{ linkback_count('/post') }} {{ linkback_head() }}")
        )
        linkback = Linkback(app, site=sites)
        client = app.test_client()
        assert client.post(**claim_by("webmention"), base_url=BOB).status_code == 201
        sites.drain()
        for host, count in (("https://bob.example", "1 1 "), ("http://eve.example", "0 0 ")):
            answer = client.get("/post", base_url=host)
            name = urllib.parse.urlsplit(host).hostname
            assert answer.text.partition("<")[0] == count
            assert answer.headers["X-Pingback"] == f"https://{name}/linkback/pingback"
        nobodys = client.get("/post", base_url="https://nobody.example")
        assert (nobodys.status_code, nobodys.text, "Link" in nobodys.headers) == (200, "0 0 ", False)
        with app.app_context(), pytest.raises(ConfigurationError, match="many blogs"):
            _ = linkback.site


def test_an_application_that_tells_hosts_apart_has_its_endpoints_on_all_of_them(site: Site) -> None:
    app = Flask("hosts", host_matching=True, static_folder=None)
    app.add_url_rule("/post", "post", lambda: "<p>x</p>", host="bob.example")
    Linkback(app, site=site)
    client = app.test_client()
    assert client.post(**claim_by("webmention"), base_url=BOB).status_code == 201
    assert "X-Pingback" in client.get("/post", base_url=BOB).headers


# threads in templates


def test_a_thread_holds_comments_and_mentions_whatever_name_the_request_came_by(site: Site) -> None:
    told(site)
    comment = Comment("A reader", "I agree.", site.mentions()[0].received)

    def view() -> str:
        return render_template_string(
            "{{ linkback_count(url, comments) }}|{{ linkback_mentions(url)[0].title }}|"
            "{{ linkback_thread(url, comments) }}",
            url=request.args.get("url", ""),
            comments=[comment],
        )

    app = make_app(view)
    Linkback(app, site=site)
    for url in (f"{BOB}/post", "/post"):
        text = app.test_client().get(f"/post?url={url}", base_url="http://127.0.0.1:5000").text
        count, title, thread = text.split("|", 2)
        assert (count, title) == ("2", "Where next?")
        assert "2 comments" in thread
        assert thread.index("Where next?") < thread.index("A reader")


def test_what_templates_can_ask_python_can_ask(site: Site) -> None:
    """Also where nobody asks for a page: in a command, or a task."""
    told(site)
    app = make_app(APPLICATION_ROOT="/blog")
    linkback = Linkback(site=site)
    linkback.init_app(app)
    with app.app_context():
        assert [mention.source for mention in linkback.mentions("/post")] == [SOURCE]
        assert linkback.mentions(f"{BOB}/post", statuses=[Status.SPAM]) == []
        assert (linkback.count("/post"), linkback.count("/other")) == (1, 0)
        assert "Where next?" in linkback.thread("/post")
        assert linkback.thread("/other") == ""
        assert f'href="{BOB}/blog/linkback/webmention"' in linkback.head("/post")
        assert [linkback.head(url) for url in ("https://elsewhere.example/post", "http://[", "mailto:x")] == [
            "",
            "",
            "",
        ]


def test_the_application_may_draw_the_thread_itself(site: Site, tmp_path: Path) -> None:
    """Its own template comes before ours, and knows what the application's templates know."""
    told(site)
    (tmp_path / "linkback").mkdir()
    (tmp_path / "linkback/thread.html").write_text(
        "{{ url_for('post') }}: {% for entry in thread.entries %}{% include 'linkback/entry.html' %}{% endfor %}"
    )
    app = Flask("blog", template_folder=str(tmp_path))
    app.add_url_rule("/post", "post", lambda: render_template_string("{{ linkback_thread() }}"))
    Linkback(app, site=site)
    text = app.test_client().get("/post").text
    assert text.startswith("/post: <li")
    assert "Where next?" in text


def test_a_thread_speaks_the_language_of_the_settings(site: Site) -> None:
    told(site)
    app = make_app(
        lambda: render_template_string("{{ linkback_thread() }}{{ linkback_thread(language='en') }}"),
        LINKBACK_LANGUAGE="de",
    )
    Linkback(app, site=site)
    text = app.test_client().get("/post").text
    assert "1 Kommentar<" in text
    assert "1 comment<" in text


def test_what_a_stranger_wrote_is_escaped_also_where_the_application_escapes_nothing() -> None:
    evil = FakeWeb({SOURCE: f"<title>&lt;script&gt;x&lt;/script&gt;</title><a href='{BOB}/post'>x</a>"})
    app = make_app(lambda: render_template_string("{{ linkback_thread() }}"))
    app.jinja_options = {"autoescape": False}
    with make_site(fetch=evil) as site:
        told(site)
        Linkback(app, site=site)
        text = app.test_client().get("/post").text
    assert "&lt;script&gt;x" in text
    assert "<script>x" not in text


# the host's own functions, and who does the work


def test_the_first_request_of_a_process_begins_the_work_and_no_other_wakes_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each page that somebody reads would ask the database for work."""
    begun: list[bool] = []
    monkeypatch.setattr(site, "start", lambda: begun.append(True))
    app = Flask("host")
    Linkback(app, site=site)
    for _ in range(3):
        app.test_client().get("/linkback/healthz")
    assert begun == [True]


@pytest.fixture
def source() -> Iterator[str]:
    """The URL of a page on loopback that links to Bob's post."""
    with served(pages({"/a": LINKS})) as url:
        yield f"{url}/a"


def test_the_functions_of_the_application_run_in_its_context(source: str, tmp_path: Path) -> None:
    """In the threads that do the work as well: there `url_for` gives public URLs."""
    heard: list[tuple[str, str]] = []

    def resolve(url: str) -> str | None:
        """`request` is a stranger's or the blog's own; the permalink is the same."""
        return BOB + flask_url_for("post") if urllib.parse.urlsplit(url).path == flask_url_for("post") else None

    database = f"sqlite:///{tmp_path}/linkback.db"
    app = make_app(**memory(DATABASE=database, WORKERS=1, RESOLVE=resolve, ALLOW_NETWORKS="127.0.0.0/8"))
    with made(app) as linkback:

        @linkback.on_mention
        def fails(mention: Mention) -> None:
            raise RuntimeError("and the next is told all the same")

        @linkback.on_mention
        def mentioned(mention: Mention) -> None:
            heard.append((mention.title, flask_url_for("post", _external=True)))

        @linkback.on_removed
        def removed(mention: Mention) -> None:
            heard.append(("removed", mention.title))

        @linkback.on_delivery
        def delivered(delivery: Delivery) -> None:
            heard.append((delivery.outcome, delivery.target))

        ping = {"source": source, "target": f"{BOB}/post?utm_source=x"}
        assert app.test_client().post("/linkback/webmention", data=ping).status_code == 201
        assert eventually(lambda: heard) == [("Where next?", f"{BOB}/post")]
        linkback.site.publish(f"{BOB}/post", f"<a href='{source}'>Alice</a>")
        assert eventually(lambda: heard[1:]) == [(Outcome.NO_ENDPOINT, source)]


PRELOADED = """
    import os, sys, time
    from flask import Flask
    from linkback.adapters.flask import Linkback, current_blog

    app = Flask("blog")
    app.config.update(LINKBACK_SITE="https://bob.example", LINKBACK_DATABASE=sys.argv[1],
                      LINKBACK_ALLOW_NETWORKS="127.0.0.0/8", LINKBACK_WORKERS=1)
    linkback = Linkback(app)

    def serve():
        ping = {"source": sys.argv[2], "target": "https://bob.example/post"}
        assert app.test_client().post("/linkback/webmention", data=ping).status_code == 201
        deadline = time.monotonic() + 20
        while not linkback.mentions("https://bob.example/post") and time.monotonic() < deadline:
            time.sleep(0.02)
        return len(linkback.mentions("https://bob.example/post")) == 1

    child = os.fork()
    if child == 0:
        os._exit(0 if serve() else 1)
    sys.exit(os.waitpid(child, 0)[1])
"""


def test_a_server_that_forks_before_it_serves_has_the_work_done_by_its_children(source: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(PRELOADED), f"sqlite:///{tmp_path}/linkback.db", source]
    done = subprocess.run(command, timeout=60, check=False, capture_output=True, text=True)
    [warned] = done.stderr.splitlines()
    assert (done.returncode, "127.0.0.0/8 is open to every stranger" in warned) == (0, True)


# flask linkback


APPLICATION = """
    import os
    from flask import Flask
    from linkback.adapters.flask import Linkback, current_blog

    app = Flask(__name__)
    app.config.update(LINKBACK_SITE="https://bob.example", LINKBACK_DATABASE="sqlite:///linkback.db",
                      LINKBACK_ALLOW_NETWORKS="127.0.0.0/8", LINKBACK_WORKERS=0, LINKBACK_MODERATE=True)
    linkback = Linkback(app)
    linkback.on_mention(lambda mention: print(f"heard: {mention.title}", flush=True))
"""


class Project:
    """The folder of an application, and `flask linkback` in it. The environment speaks of another blog."""

    def __init__(self, folder: Path, application: str = APPLICATION) -> None:
        (folder / "blog.py").write_text(textwrap.dedent(application))
        self._folder = folder
        self._environment = os.environ | {"LINKBACK_SITE": "https://other.example", "LINKBACK_DATABASE": "sqlite://"}
        self.database = f"sqlite:///{folder}/linkback.db"
        self.site = make_site(store=self.database)

    def command(self, *arguments: str) -> dict[str, Any]:
        line = [sys.executable, "-m", "flask", "--app", "blog", "linkback", *arguments]
        return {"args": line, "cwd": self._folder, "env": self._environment, "text": True}

    def run(self, *arguments: str) -> tuple[int, str]:
        """The exit code, and what was printed."""
        done = subprocess.run(**self.command(*arguments), timeout=60, check=False, capture_output=True)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    yield made
    made.site.close()


def test_the_commands_act_for_the_blog_of_the_application(project: Project, source: str) -> None:
    """With its settings and functions, whatever blog the environment names."""
    project.site.receive(Claim("webmention", source, f"{BOB}/post"))
    # a source is first looked at after a second
    assert project.run("drain") == (0, "heard: Where next?\n1 job done\n")
    [mention] = project.site.mentions(statuses=None)
    assert mention.status == "pending"
    code, listed = project.run("list", "--status", "pending", "--json")
    assert (code, mention.source in listed) == (0, True)
    assert project.run("moderate", "approved", mention.id)[0] == 0
    assert [mention.source for mention in project.site.mentions(f"{BOB}/post")] == [source]
    assert project.run("jobs") == (0, "linkback: no job waits for a person\n")


def test_a_command_tells_of_work_that_nobody_does_but_where_it_does_it(project: Project) -> None:
    with make_site(store=project.database, clock=lambda: AN_HOUR_AGO - timedelta(hours=1)) as site:
        site.receive(Claim("webmention", SOURCE, f"{BOB}/post"))
    _, text = project.run("jobs")
    assert "nobody does the work" in text
    assert "keep flask linkback worker running" in text
    _, text = project.run("drain", "--patience", "0")
    assert "nobody does the work" not in text


def test_a_command_says_in_one_line_what_is_wrong_with_it(project: Project) -> None:
    assert project.run("publish", "https://other.example/post") == (
        2,
        "linkback: source-invalid: https://other.example/post is no page of https://bob.example/\n",
    )
    code, text = project.run("serve")
    assert (code, "'serve' is no command for an application" in text) == (2, True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("", 'app.config["LINKBACK_SITE"] is missing'),
        ("LINKBACK_SITE='bob'", "not 'bob'"),
        ("LINKBACK_SITE='https://bob.example', LINKBACK_SIGHT='x'", "LINKBACK_SIGHT"),
        (
            "LINKBACK_SITE='https://bob.example', LINKBACK_DATABASE='sqlite:///no/such/folder.db'",
            "does not exist",
        ),
    ],
)
def test_a_blog_that_cannot_be_made_is_one_line_of_the_command(tmp_path: Path, settings: str, words: str) -> None:
    making = f"""
        from flask import Flask
        from linkback.adapters.flask import Linkback

        def create_app():
            app = Flask(__name__)
            app.config.update({settings})
            Linkback(app)
            return app
    """
    project = Project(tmp_path, making)
    project.site.close()
    code, text = project.run("list")
    assert (code, text.count("\n"), words in text) == (2, 1, True), text


def test_a_blog_that_cannot_be_made_is_caught_as_ever_where_a_command_makes_it() -> None:
    raised: list[type[Exception]] = []

    def create() -> Flask:
        for config, error in (({}, ConfigurationError), (memory(DATABASE="sqlite:///no/such/x.db"), StoreError)):
            with pytest.raises(error) as caught:
                Linkback(make_app(**config))
            raised.append(caught.type)
        return make_app()

    ran = click.testing.CliRunner().invoke(FlaskGroup(create_app=create), ["routes"])
    assert (ran.exit_code, len(raised)) == (0, 2)
    assert all(issubclass(each, click.ClickException) for each in raised)


@pytest.mark.parametrize("arguments", [(), ("--help",), ("drain", "--help"), ("-v", "list")], ids=" ".join)
def test_the_commands_can_be_looked_up(project: Project, arguments: tuple[str, ...]) -> None:
    _, text = project.run(*arguments)
    assert ("--patience" in text) == ("drain" in arguments)
    assert ("moderate, recheck" in text) == (arguments in ((), ("--help",)))


def test_the_worker_works_for_the_application_until_it_is_stopped(project: Project, source: str) -> None:
    project.site.receive(Claim("webmention", source, f"{BOB}/post"))
    command = project.command("worker", "--threads", "1")
    with subprocess.Popen(**command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as worker:
        assert eventually(lambda: project.site.mentions(statuses=None))
        worker.send_signal(signal.SIGTERM)
        text = worker.communicate(timeout=30)[0]
    assert worker.returncode == 0
    assert "heard: Where next?" in text
    assert "working for https://bob.example/" in text


def test_a_command_can_be_run_in_a_test_of_the_application(tmp_path: Path) -> None:
    app = make_app(**memory(DATABASE=f"sqlite:///{tmp_path}/linkback.db", ALLOW_NETWORKS="127.0.0.0/8", ALLOW_PORTS=81))
    with made(app):
        run = app.test_cli_runner().invoke
        for arguments, code, text in (
            (["list"], 0, "no mentions"),
            (["publish", "https://other.example/"], 2, "no page of"),
            (["publish", "--dry-run", f"{BOB}/none"], 4, "bob.example"),
            (["nothing"], 2, "'nothing' is no command for an application"),
            (["-v"], 2, "'' is no command for an application"),
        ):
            done = run(args=["linkback", *arguments])
            assert (arguments, done.exit_code, text in done.output) == (arguments, code, True)


def test_an_application_without_a_blog_is_told_so() -> None:
    with make_app().app_context(), pytest.raises(ConfigurationError, match="call Linkback"):
        current_blog()


def test_a_blog_of_the_applications_own_is_acted_for_by_the_commands(site: Site) -> None:
    """Wherever it keeps its records; it is as open after each as it was before."""
    app = make_app()
    Linkback(app, site=site)
    site.receive(Claim("pingback", SOURCE, f"{BOB}/post"))
    run = app.test_cli_runner().invoke
    for arguments, code, text in (
        (["drain"], 0, "1 job done"),
        (["list"], 0, SOURCE),
        (["moderate", "rejected", "1"], 0, "rejected"),
        (["recheck", "99"], 1, "no mention 99"),
        (["publish", "--dry-run", SOURCE], 2, "no page of"),
        (["list", "--app", "blog"], 2, "the application's blog has its own settings: --app means nothing there"),
        (["drain", "--database", "sqlite://"], 2, "its own settings: --database means nothing there"),
        (["list", "--site", "https://other.example"], 2, "not the blog of the application"),
    ):
        done = run(args=["linkback", *arguments])
        assert (arguments, done.exit_code, text in done.output) == (arguments, code, True), done.output
    assert [mention.status for mention in site.mentions(statuses=None)] == ["rejected"]


def test_the_commands_see_and_touch_no_other_blog_of_the_database(project: Project) -> None:
    """Two applications, one database: to each the other's mentions are not there."""
    web = FakeWeb({SOURCE: "<a href='https://carol.example/post'>x</a>"})
    with make_site(url="https://carol.example", store=project.database, fetch=web) as carol:
        for site in (project.site, carol):
            site.receive(Claim("webmention", SOURCE, f"{site.url}post"))
            assert site.drain() == 1
        [theirs] = carol.mentions()
        listed = project.run("list", "--json")[1]
        assert (f"{BOB}/post" in listed, "carol.example" in listed) == (True, False)
        for command in (("moderate", "spam"), ("recheck",)):
            assert project.run(*command, theirs.id) == (1, f"linkback: there is no mention {theirs.id}\n")
        assert project.run("render", "--target", "https://carol.example/post")[1].startswith("linkback: no mentions of")
        assert carol.mentions() == [theirs]


PUBLISHING = """
    from flask import Flask
    from linkback.adapters.flask import Linkback

    def resolve(url):
        raise OSError("the database is away")

    app = Flask(__name__)
    app.config.update(LINKBACK_SITE="{site}", LINKBACK_DATABASE="sqlite:///linkback.db", LINKBACK_WORKERS=0,
                      LINKBACK_NAME="Alice's", LINKBACK_PROTOCOLS=["trackback"], LINKBACK_RESOLVE=resolve{more})
    Linkback(app)
"""


def listening(heard: list[str]) -> WSGIApplication:
    """A page that prefers webmention and takes trackbacks."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        here = f"http://{environ['HTTP_HOST']}"
        if environ["REQUEST_METHOD"] == "POST":
            heard.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode())
            start_response("200 OK", [("Content-Type", "text/xml")])
            return [b"<response><error>0</error></response>"]
        head = advertise_markup((TrackBack(),), f"{here}/linkback", f"{here}/b")
        start_response("200 OK", [("Content-Type", "text/html"), ("Link", '</wm>; rel="webmention"')])
        return [f"<title>B</title>{head}<p>post".encode()]

    return application


@pytest.mark.parametrize("listed", [False, True], ids=["source", "feed"])
def test_publish_speaks_as_the_application_does(tmp_path: Path, listed: bool) -> None:
    """By its protocols, under its name, through the networks that its settings open."""
    heard: list[str] = []
    bodies = dict[str, str]()
    with served(listening(heard)) as bob, served(pages(bodies)) as alice:
        feed = f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="{alice}/a"/></entry></feed>'
        bodies |= {"/a": f"<title>A</title><article><a href='{bob}/b'>B</a></article>", "/feed": feed}
        project = Project(tmp_path, PUBLISHING.format(site=alice, more=", LINKBACK_ALLOW_NETWORKS='127.0.0.0/8'"))
        about = ("--feed", f"{alice}/feed") if listed else (f"{alice}/a",)
        code, text = project.run("publish", *about, "--json")
        assert (code, '"protocol": "trackback"' in text) == (0, True), text
        assert project.run("publish", *about)[0] == 0
        assert project.run("unpublish", f"{alice}/a")[0] == 2
    project.site.close()
    assert [dict(urllib.parse.parse_qsl(body))["blog_name"] for body in heard] == ["Alice's"]


def test_advice_names_the_settings_and_commands_of_the_application(tmp_path: Path) -> None:
    with served(pages({})) as alice:
        project = Project(tmp_path, PUBLISHING.format(site=alice, more=""))
        told = project.run("doctor"), project.run("publish", f"{alice}/a")
    project.site.close()
    for code, text in told:
        assert code == 1, text
        assert 'open it with app.config["LINKBACK_ALLOW_NETWORKS"] 127.0.0.0/8' in text
        assert "--allow" not in text


def test_the_doctor_tells_of_a_function_of_the_application_that_fails_in_one_step(tmp_path: Path) -> None:
    """As one that asks a database does while that is away."""
    bodies = {"/": "<title>Home</title><a href=/a>a</a>", "/a": "<link rel=webmention href=/wm>"}
    with served(pages(bodies)) as alice:
        project = Project(tmp_path, PUBLISHING.format(site=alice, more=", LINKBACK_ALLOW_NETWORKS='127.0.0.0/8'"))
        for arguments, step in (((), "endpoints"), (("--page", f"{alice}/a"), "page")):
            code, text = project.run("doctor", "--json", *arguments)
            failed = [line for line in text.splitlines() if '"verdict": "no"' in line]
            assert (code, len(failed), f'"step": "{step}"' in failed[0]) == (1, 1, True), text
            assert "resolve, the blog's own function, failed" in failed[0]
            assert "OSError: the database is away" in failed[0]
            assert "Traceback" not in text
    project.site.close()


def pinging(app: Flask) -> clients.Ping:
    def ping(client: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        given: dict[str, Any] = {"data": body, "content_type": clients.FORM, "headers": headers}
        answer = app.test_client().post("/linkback/webmention", environ_overrides={"REMOTE_ADDR": client}, **given)
        return answer.status_code, answer.headers.get("Retry-After", "")

    return ping


def test_a_client_is_known_by_what_the_server_says_and_by_no_header() -> None:
    """protocols.md C-8"""
    app = make_app()
    with make_site(policy=clients.ONCE) as site:
        Linkback(app, site=site)
        clients.check(pinging(app), f"{BOB}/post")


def test_a_proxy_is_believed_where_the_application_says_so() -> None:
    """By Werkzeug's own means, as for all that the application does with an address."""
    app = make_app()
    with make_site(policy=clients.ONCE) as site:
        Linkback(app, site=site)
        app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
        forms = [urllib.parse.urlencode({"source": f"{SOURCE}{n}", "target": f"{BOB}/post"}).encode() for n in range(3)]
        said = [clients.ALICE, clients.ALICE, clients.BOB]
        ping = pinging(app)
        found = [ping("127.0.0.1", {"X-Forwarded-For": who}, form)[0] for who, form in zip(said, forms, strict=True)]
        assert found == [201, 429, 201]
