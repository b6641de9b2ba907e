"""The Django application: a project's pages, endpoints, templates, transactions and settings."""

from __future__ import annotations

import importlib
import io
import os
import re
import signal
import subprocess
import sys
import types
import urllib.parse
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.django_project.running import migrate, on_database, project

# isort: split
import django.conf
import django.urls
from django.contrib.auth.models import User
from django.core import checks
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.http import FileResponse, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.template import Context, Template, TemplateSyntaxError
from django.test import Client, RequestFactory, override_settings
from django.utils import translation

from linkback import startup
from linkback.adapters import settings as reading
from linkback.adapters.django import blog, conf, link, publish, runners, signals, site, unpublish
from linkback.adapters.django import checks as checks_module
from linkback.adapters.django.middleware import LinkbackMiddleware
from linkback.adapters.django.models import Delivery
from linkback.adapters.django.runners import DjangoRunner
from linkback.errors import Unreachable
from linkback.fetch import Fetcher
from linkback.jobs import Embedded, External, Step, Wait
from linkback.model import Claim, Mention, Outcome
from linkback.policy import Policy
from linkback.site import Site, utcnow
from linkback.testing import FakeWeb
from linkback.verbs import send
from linkback.web.render import Comment, thread
from linkback.wire import Response
from tests import clients, signposting
from tests.asgi_serving import served_by_uvicorn
from tests.django_project import bare_urls
from tests.django_project.stores import DjangoDatabases
from tests.serving import LOOPBACK, eventually, pages, served

ROOT = Path(__file__).parent.parent
SOURCE, POST = "https://alice.example/a", "https://t.example/post"
QUICK = Policy(settle_seconds=0, recheck_days=0)
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrate(tmp_path_factory.mktemp("django") / "template.sqlite3")


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> FakeWeb:
    """The web that the project's site sees."""
    web = FakeWeb({SOURCE: f"<title>Hello</title><p>See <a href='{POST}'>this</a></p>"})
    monkeypatch.setattr(reading, "make_fetcher", lambda *_, **__: web)
    return web


@pytest.fixture
def db(template: Path, tmp_path: Path, web: FakeWeb) -> Iterator[None]:
    with project(template, tmp_path / "db.sqlite3", POLICY=QUICK):
        yield


def mentioned(source: str = SOURCE) -> Mention:
    """A mention of the post that was received and checked."""
    site().receive(Claim("webmention", source, POST))
    site().drain()
    return site().mentions(POST)[-1]


# pages


@pytest.fixture(scope="module", params=["wsgi", "asgi"])
def host_url(request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    copy = tmp_path_factory.mktemp(request.param) / "db.sqlite3"
    with project(template, copy):
        serving = served(get_wsgi_application()) if request.param == "wsgi" else _served_async()
        with serving as url:
            yield url


def _served_async() -> Any:
    return served_by_uvicorn(get_asgi_application(), lifespan="off")


@signposting.cases
def test_only_pages_that_take_mentions_carry_signposts(host_url: str, case: signposting.Case) -> None:
    """protocols.md A-51"""
    signposting.check(host_url, case)


def test_a_file_is_sent_whole_with_its_signposts(db: None, tmp_path: Path) -> None:
    """A server may send a file by itself, without its tail: then its length must say so."""
    (tmp_path / "page.html").write_text("<p>kept in a file</p>")
    middleware = LinkbackMiddleware(lambda request: FileResponse((tmp_path / "page.html").open("rb")))
    response = middleware(RequestFactory().get("/post"))
    assert response.file_to_stream is None
    body = b"".join(response)
    assert body.startswith(b"<p>kept in a file</p><!--")
    assert response["Content-Length"] == str(len(body))
    response.close()


def test_a_header_that_the_project_sets_itself_stands(db: None) -> None:
    own = {"X-Pingback": "https://elsewhere.example/", "link": "<https://t.example/feed>; rel=alternate"}
    response = LinkbackMiddleware(lambda request: HttpResponse("<p>", headers=own))(RequestFactory().get("/post"))
    assert response["X-Pingback"] == "https://elsewhere.example/"
    assert response["Link"].startswith(own["link"] + ", <https://t.example/linkback/webmention>")


CACHE = ["django.middleware.cache.UpdateCacheMiddleware", "django.middleware.cache.FetchFromCacheMiddleware"]


@pytest.mark.parametrize("packed", [True, False])
def test_a_page_out_of_the_cache_has_its_signposts_once(db: None, packed: bool) -> None:
    """The cache gives it to us as we left it."""
    listed = [CACHE[0], GZIP, *django.conf.settings.MIDDLEWARE, CACHE[1]]
    accepted = {"HTTP_ACCEPT_ENCODING": "gzip"} if packed else {}
    local = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": str(packed)}}
    with override_settings(MIDDLEWARE=listed, CACHES=local):
        first, again = (Client().get("/post", **accepted) for _ in range(2))
    assert (first.wsgi_request._cache_update_cache, again.wsgi_request._cache_update_cache) == (True, False)
    assert packed == (first.get("Content-Encoding") == "gzip")
    assert first["Link"].count("webmention") > 0
    assert (again["Link"], again.content) == (first["Link"], first.content)


def test_a_page_is_still_a_page_where_no_url_leads_to_the_endpoints(db: None) -> None:
    with override_settings(ROOT_URLCONF="tests.django_project.bare_urls"):
        response = Client().get("/post")
    assert (response.status_code, response.headers.get("Link")) == (200, None)


def test_the_endpoints_are_advertised_where_the_urls_put_them(db: None) -> None:
    with override_settings(ROOT_URLCONF="tests.django_project.other_urls"):
        assert Client().get("/post")["X-Pingback"] == "https://t.example/de/lb/pingback"
        assert Client().get("/de/lb/healthz").json() == {"status": "ok"}


def test_the_public_url_of_the_endpoints_can_be_chosen(template: Path, tmp_path: Path) -> None:
    with project(template, tmp_path / "db", BASE="https://public.example/lb"):
        assert Client().get("/post")["X-Pingback"] == "https://public.example/lb/pingback"


# endpoints


def ping(client: Client, **extra: Any) -> Any:
    return client.post("/linkback/webmention", f"source={SOURCE}&target={POST}", FORM, **extra)


def test_a_webmention_is_taken_checked_and_shown(db: None) -> None:
    response = ping(Client())
    assert response.status_code == 201
    assert response["Location"].startswith("https://t.example/linkback/status/")
    site().drain()
    status = Client().get(response["Location"].removeprefix("https://t.example"))
    assert status.json()["status"] == "success"
    assert [mention.title for mention in site().mentions(POST)] == ["Hello"]


def test_senders_need_no_token_no_login_and_no_host_that_django_knows(db: None) -> None:
    guards = ["django.contrib.auth.middleware.LoginRequiredMiddleware"]
    settings = django.conf.settings
    with override_settings(MIDDLEWARE=[*settings.MIDDLEWARE[:4], *guards, *settings.MIDDLEWARE[4:]]):
        assert ping(Client(enforce_csrf_checks=True)).status_code == 201


def test_limits_that_django_sets_to_forms_are_not_the_senders(db: None) -> None:
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10, DATA_UPLOAD_MAX_NUMBER_FIELDS=1):
        assert ping(Client()).status_code == 201


def test_a_body_that_is_too_long_is_refused_in_the_words_of_its_protocol(db: None) -> None:
    for name in ("webmention", "pingback", "trackback"):
        response = Client().post(f"/linkback/{name}?target={POST}", b"a=" + b"b" * 3_000_000, FORM)
        assert response.status_code in (200, 413)
        assert not response["Content-Type"].startswith("text/html"), name


def test_a_body_that_somebody_read_before_is_still_there(db: None) -> None:
    with override_settings(MIDDLEWARE=["tests.django_project.middleware.reads_the_body"]):
        assert ping(Client()).status_code == 201


def test_a_body_without_a_length_is_read_to_its_end(db: None) -> None:
    """Servers that take chunked requests say so; Django itself reads none of theirs."""
    body = f"source={SOURCE}&target={POST}".encode()
    environ = RequestFactory().post("/linkback/webmention", b"", FORM).environ
    environ |= {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    told: list[str] = []
    list(get_wsgi_application()(environ, lambda status, headers: told.append(status)))
    assert told == ["201 Created"]


def test_a_client_that_leaves_in_the_middle_is_no_error_of_ours(db: None) -> None:
    class Left(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise OSError("connection reset")

    environ = RequestFactory().post("/linkback/webmention", b"source=", FORM).environ | {"wsgi.input": Left()}
    told: list[str] = []
    list(get_wsgi_application()(environ, lambda status, headers: told.append(status)))
    assert told == ["400 Bad Request"]


def test_what_was_accepted_is_not_rolled_back_with_the_request(db: None) -> None:
    """ATOMIC_REQUESTS would undo the claim where anything fails after it."""
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        with override_settings(MIDDLEWARE=["tests.django_project.middleware.looks_for_a_transaction"]):
            assert Client().get("/post")["X-In-Transaction"] == "True"
            assert Client().get("/linkback/healthz")["X-In-Transaction"] == "False"
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False


def test_every_protocol_arrives_over_a_socket_and_is_shown(template: Path, tmp_path: Path) -> None:
    """By threads of the serving process, which the first claim starts."""
    bodies: dict[str, str] = {}
    options = {"POLICY": QUICK, "WORKERS": 2, "ALLOW_NETWORKS": LOOPBACK}
    names = ("webmention", "pingback", "trackback")
    with served(pages(bodies)) as there, served(get_wsgi_application()) as here:
        target = f"{here}/post"
        bodies |= {f"/{name}": f"<title>By {name}</title><a href='{target}'>a post</a>" for name in names}
        for name in names:
            with project(template, tmp_path / name, SITE=here, PROTOCOLS=name, **options):
                delivery = send(f"{there}/{name}", target, fetch=Fetcher(allow=LOOPBACK))
                assert delivery.outcome in (Outcome.SENT, Outcome.ACCEPTED), delivery
                assert delivery.protocol == name
                shown = eventually(lambda target=target: site().mentions(target))  # type: ignore[misc]
                assert [(mention.title, mention.protocols) for mention in shown] == [(f"By {name}", (name,))]


def test_a_pingback_is_answered_to_a_real_client_under_asgi(template: Path, tmp_path: Path, web: FakeWeb) -> None:
    with project(template, tmp_path / "db", POLICY=QUICK), _served_async() as url:
        with xmlrpc.client.ServerProxy(f"{url}/linkback/pingback") as proxy:
            assert isinstance(proxy.pingback.ping(SOURCE, POST), str)
        with urllib.request.urlopen(f"{url}/linkback/mentions?target={POST}") as response:
            assert b'"count": 0' in response.read()
        site().drain()
        with urllib.request.urlopen(f"{url}/linkback/mentions?target={POST}") as response:
            assert b'"count": 1' in response.read()


# publishing


class Entry:
    """What a project's model has."""

    def get_absolute_url(self) -> str:
        return "/post"


@pytest.mark.parametrize("post", [POST, "/post", Entry(), "https://t.example/post"], ids=["url", "path", "object", "2"])
def test_a_post_is_named_by_its_url_its_path_or_itself(db: None, post: object) -> None:
    owed = publish(post, "<a href='https://bob.example/x'>Bob</a>")
    assert [(delivery.source, delivery.target) for delivery in owed] == [(POST, "https://bob.example/x")]


@pytest.mark.parametrize("post", [None, 7, object()])
def test_what_has_no_url_is_no_post(db: None, post: object) -> None:
    with pytest.raises(TypeError, match="get_absolute_url"):
        link(post)


@pytest.mark.parametrize("post", ["", "javascript:alert(1)", "https://["])
def test_what_is_no_url_is_refused(db: None, post: str) -> None:
    with pytest.raises(ValueError, match="is no URL"):
        link(post)


class Noted(External):
    """A runner that notes its nudges."""

    def __init__(self) -> None:
        self.nudges = 0

    def nudge(self) -> None:
        self.nudges += 1


@pytest.fixture(params=["ours", "one that knows no transactions"])
def noted(request: pytest.FixtureRequest, db: None) -> Noted:
    noted = Noted()
    site().run_by(DjangoRunner(noted, "default") if request.param == "ours" else noted)
    return noted


def test_work_begins_when_the_transaction_is_over(noted: Noted) -> None:
    with transaction.atomic():
        publish("/post", "<a href='https://bob.example/x'>Bob</a>")
        within = noted.nudges
        assert within == (0 if isinstance(site().runner, DjangoRunner) else 1)
    assert noted.nudges > within
    assert len(site().deliveries(POST)) == 1


def test_what_is_rolled_back_is_not_owed_and_nobody_is_woken(noted: Noted) -> None:
    def fails() -> None:
        with transaction.atomic():
            publish("/post", "<a href='https://bob.example/x'>Bob</a>")
            raise RuntimeError("the post could not be saved")

    with pytest.raises(RuntimeError):
        fails()
    assert noted.nudges == (0 if isinstance(site().runner, DjangoRunner) else 1)
    assert site().deliveries() == []


def test_threads_that_have_nothing_to_do_keep_no_connection(template: Path, tmp_path: Path, web: FakeWeb) -> None:
    """Not even one that the project's own functions opened; no request ends there, which would close it."""
    left: list[bool] = []

    def verified(**more: Any) -> None:
        User.objects.count()

    class Seen(Embedded):
        def attach(self, step: Step, wait: Wait) -> None:
            def watched() -> float | None:
                try:
                    return wait()
                finally:
                    left.append(connection.connection is not None)

            super().attach(step, watched)

    with project(template, tmp_path / "db", POLICY=QUICK):
        site().run_by(DjangoRunner(Seen(1), "default"))
        signals.mention_verified.connect(verified)
        try:
            site().receive(Claim("webmention", SOURCE, POST))
            eventually(lambda: site().mentions(POST))
            eventually(lambda: left and not left[-1])
        finally:
            signals.mention_verified.disconnect(verified)


def test_a_deleted_post_tells_whom_it_told(db: None, web: FakeWeb) -> None:
    endpoint = "https://bob.example/webmention"
    web.pages |= {"https://bob.example/x": f'<link rel="webmention" href="{endpoint}">', endpoint: "<p>thanks"}
    publish("/post", "<a href='https://bob.example/x'>Bob</a>")
    site().drain()
    assert [delivery.cause.value for delivery in unpublish(Entry())] == ["deleted"]


def test_a_deleted_post_that_is_only_missing_is_told_of_in_the_log(
    db: None, web: FakeWeb, caplog: pytest.LogCaptureFixture
) -> None:
    """Its receivers would look, and take a 404 for an accident."""
    endpoint = "https://bob.example/webmention"
    web.pages |= {"https://bob.example/x": f'<link rel="webmention" href="{endpoint}">', endpoint: "<p>thanks"}
    publish("/post", "<a href='https://bob.example/x'>Bob</a>")
    site().drain()
    web.pages[POST] = Response(404, (("Content-Type", "text/html"),), b"<p>missing", POST)
    unpublish(Entry())
    site().drain(patience=3)
    [delivery] = site().deliveries(POST)
    assert (delivery.outcome, delivery.detail) == (
        Outcome.FAILED,
        "the source answers 404: it must answer 410 Gone first",
    )
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"https://bob.example/x is not told that {POST} is deleted: {delivery.detail}"
    ]
    web.pages[POST] = Response(410, (("Content-Type", "text/html"),), b"<p>gone", POST)
    unpublish(Entry())
    site().drain(patience=3)
    assert [each.outcome for each in site().deliveries(POST)] == [Outcome.SENT]


def test_receivers_of_signals_hear_of_mentions_and_deliveries(db: None, web: FakeWeb) -> None:
    heard: list[tuple[str, Any]] = []

    def verified(sender: Any, mention: Mention, **more: Any) -> None:
        heard.append(("verified", (sender, mention.source)))
        raise RuntimeError("a receiver that breaks stops nobody")

    def removed(sender: Any, mention: Mention, **more: Any) -> None:
        heard.append(("removed", (sender, mention.source)))

    def finished(sender: Any, delivery: Any, **more: Any) -> None:
        heard.append(("finished", (sender, delivery.target)))

    signals.mention_verified.connect(verified)
    signals.mention_removed.connect(removed)
    signals.delivery_finished.connect(finished)
    try:
        mention = mentioned()
        web.pages[SOURCE] = Response(410, (("Content-Type", "text/html"),), b"gone", SOURCE)
        site().recheck(mention.id)
        site().drain()
        publish("/post", "<a href='https://bob.example/x'>Bob</a>")
        site().drain()
    finally:
        signals.mention_verified.disconnect(verified)
        signals.mention_removed.disconnect(removed)
        signals.delivery_finished.disconnect(finished)
    assert heard == [
        ("verified", (Site, SOURCE)),
        ("removed", (Site, SOURCE)),
        ("finished", (Site, "https://bob.example/x")),
    ]


# templates


class Remark:
    """A comment as a project's own model has it."""

    author, text, posted = "A reader", "I agree.", datetime(2010, 6, 1, tzinfo=UTC)


def drawn(source: str, **context: Any) -> str:
    request = RequestFactory().get("/post?page=2")
    return str(Template("{% load linkback %}" + source).render(Context({"request": request, **context})))


COMMENT = Comment("A reader", "I agree.", datetime(2010, 6, 1, 9, 30, tzinfo=UTC), id="1")


def test_the_thread_is_drawn_with_the_comments(db: None) -> None:
    mentioned()
    page = drawn("{% mentions for post with comments %}", post=Entry(), comments=[COMMENT])
    assert "<h2>2 comments</h2>" in page
    assert page.index("A reader") < page.index("Hello")
    assert drawn("{% mentions for '/post' %}").count("<h2>1 comment</h2>") == 1


def test_the_thread_is_what_the_library_draws(db: None) -> None:
    mentioned()
    with translation.override("en"), override_settings(TIME_ZONE="UTC"):
        assert drawn("{% mentions for '/post' with comments %}", comments=[COMMENT]) == thread(
            site().mentions(POST), [COMMENT]
        )


def test_the_thread_speaks_the_language_of_the_request(db: None) -> None:
    mentioned()
    with translation.override("de"):
        assert "<h2>1 Kommentar</h2>" in drawn("{% mentions for '/post' %}")


@pytest.mark.parametrize("tag", ["mentions for '/post' with comments", "mention_count '/post' comments"])
def test_comments_of_the_projects_own_model_are_to_be_made_ours(db: None, tag: str) -> None:
    with pytest.raises(
        TypeError, match=r"render\.Comment|thread\.Comment.*not a tests\.test_django\.Remark: make .* of each"
    ):
        drawn(f"{{% {tag} %}}", comments=[Remark()])


def test_a_template_of_the_project_comes_before_ours(db: None) -> None:
    """`entry.html` is the project's, which extends ours; the thread around it is ours."""
    mentioned()
    own = [{**django.conf.settings.TEMPLATES[0], "DIRS": [Path(__file__).parent / "django_project" / "own_templates"]}]
    with override_settings(TEMPLATES=own):
        page = drawn("{% mentions for '/post' %}", shop="ours")
    assert '<section class="linkback-thread"' in page
    assert "drawn by ours: Hello" in page


def test_mentions_come_as_a_list_too(db: None) -> None:
    mentioned()
    assert drawn("{% mentions for '/post' as found %}{% for one in found %}{{ one.title }}{% endfor %}") == "Hello"


def test_mentions_and_comments_are_counted_together(db: None) -> None:
    mentioned()
    assert drawn("{% mention_count '/post' %}") == "1"
    reply = Comment("B", "And I.", COMMENT.posted)
    comments = [Comment("A", "I do.", COMMENT.posted, replies=[reply])]
    assert drawn("{% mention_count '/post' comments as n %}{{ n }}!", comments=comments) == "3!"


def test_where_there_is_nothing_nothing_is_drawn(db: None) -> None:
    assert drawn("{% mentions for '/post' %}{% mentions for nobody %}{% mention_count nobody %}") == "0"


@pytest.mark.parametrize(
    "tag",
    [
        "mentions",
        "mentions post",
        "mentions for",
        "mentions for post as",
        "mentions for post wit comments",
        "mentions for post with",
        "mentions for post with comments as list",
        "mentions for post sort=1",
    ],
)
def test_a_tag_that_is_written_wrongly_says_how_to_write_it(tag: str) -> None:
    with pytest.raises(TemplateSyntaxError, match="mentions for post"):
        Template("{% load linkback %}{% " + tag + " %}")


def test_the_first_page_begins_the_work_of_its_process_and_no_later_one_does(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = Noted()
    site().run_by(noted)
    for _ in range(3):
        Client().get("/post")
        Client().get("/linkback/healthz")
    assert noted.nudges == 1
    # as in the child of a fork
    monkeypatch.setattr(os, "getpid", lambda: -1)
    Client().get("/post")
    assert noted.nudges == 2


def test_the_head_of_a_page_has_its_signposts(db: None) -> None:
    here, post = drawn("{% linkback_head %}"), drawn("{% linkback_head post %}", post=Entry())
    assert '<link rel="webmention" href="https://t.example/linkback/webmention">' in here
    assert "target=https%3A%2F%2Ft.example%2Fpost%3Fpage%3D2" in here
    assert "page%3D2" not in post
    assert "target=https%3A%2F%2Ft.example%2Fpost" in post
    assert drawn("{% linkback_head '/closed' %}") == ""
    with override_settings(ROOT_URLCONF="tests.django_project.bare_urls"):
        assert drawn("{% linkback_head %}") == ""
    with pytest.raises(TemplateSyntaxError, match="needs the request"):
        Template("{% load linkback %}{% linkback_head %}").render(Context())


# settings


URLS = "linkback.adapters.django.urls"
WRONG = [
    ({}, r"LINKBACK\['SITE'\] is missing"),
    ({"SITE": "bob"}, "must be the public address of the blog"),
    ({"SITE": "https://t.example", "MODERATED": True}, r"is LINKBACK\['MODERATE'\] meant\?"),
    ({"SITE": "https://t.example", "DATABASE": "sqlite://"}, "one of DATABASES"),
    ({"SITE": "https://t.example", "PREFIX": "/lb"}, "where the URLconf has include"),
    ({"SITE": "https://t.example", "USING": "other"}, r"LINKBACK\['USING'\] must be an alias in DATABASES"),
    ({"SITE": "https://t.example", "USING": 7}, r"LINKBACK\['USING'\] must be an alias in DATABASES.*not 7"),
    ({"SITE": "https://t.example", "USIN": "other"}, r"is LINKBACK\['USING'\] meant\?"),
    ({"SITE": "https://t.example", "WORKERS": -1}, "how many threads"),
    ({"SITE": "https://t.example", "RESOLVE": "no.where"}, "is not there"),
    ("https://t.example", "LINKBACK must be a dict"),
]


@pytest.mark.parametrize(("given", "why"), WRONG, ids=lambda value: str(value)[:40])
def test_settings_that_are_wrong_are_said_in_one_line(given: Any, why: str) -> None:
    with override_settings(LINKBACK=given):
        with pytest.raises(ImproperlyConfigured, match=why) as caught:
            site()
        assert "\n" not in str(caught.value)
        [(id, text)] = found()
    assert id == "linkback.E001"
    assert 'LINKBACK = {"SITE": "https://bob.example"} is enough' in text


def test_a_module_that_asks_for_the_site_while_it_is_made_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "asks_for_the_site.py").write_text(
        "from linkback.adapters.django import site\nBLOG = site()\ndef resolve(url): return url\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with override_settings(LINKBACK={"SITE": "https://t.example", "RESOLVE": "asks_for_the_site.resolve"}):
        for _ in range(2):
            with pytest.raises(ImproperlyConfigured, match="call them inside its functions"):
                site()
    with override_settings(LINKBACK={"SITE": "https://t.example"}):
        assert site().url == "https://t.example/"


def test_settings_that_are_named_for_help_are_those_of_django() -> None:
    with override_settings(LINKBACK={"SITE": "https://t.example", "QUUX": 1}):
        [(_, text)] = found()
    assert text.count("USING") == 2
    assert not any(name in text for name in conf.ELSEWHERE)


@pytest.mark.parametrize(
    ("installed", "line"),
    [
        ([], 'add "linkback.adapters.django" to INSTALLED_APPS'),
        (["linkback"], '"linkback" in INSTALLED_APPS is no Django application: write "linkback.adapters.django" there'),
    ],
)
@pytest.mark.parametrize(
    "start",
    [lambda: LinkbackMiddleware(HttpResponse), lambda: importlib.import_module(URLS), lambda: publish("/post", "")],
    ids=["middleware", "urls", "publish"],
)
def test_an_application_that_is_not_installed_is_named_at_the_start(
    db: None, installed: list[str], line: str, start: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, URLS, raising=False)
    others = [name for name in django.conf.settings.INSTALLED_APPS if "linkback" not in name]
    with override_settings(INSTALLED_APPS=[*others, *installed]):
        blog.close()
        with pytest.raises(ImproperlyConfigured, match=re.escape(line)) as caught:
            start()
    assert "\n" not in str(caught.value)


def test_other_settings_make_another_site(db: None) -> None:
    before = site()
    assert site() is before
    with override_settings(LINKBACK={"SITE": "https://other.example", "WORKERS": 3}):
        assert site().url == "https://other.example/"
        assert isinstance(site().runner, DjangoRunner)
        assert isinstance(site().runner.runner, Embedded)  # type: ignore[attr-defined]
    assert site().url == "https://t.example/"


# checks


def found(**options: Any) -> list[tuple[str, str]]:
    return [(str(each.id), f"{each.msg} {each.hint}") for each in checks.run_checks(tags=["linkback"], **options)]


def test_a_project_that_is_put_together_well_passes_every_check(db: None) -> None:
    assert found(databases=["default"]) == []


LINE = "linkback.adapters.django.middleware.LinkbackMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
FRAMES = "django.middleware.clickjacking.XFrameOptionsMiddleware"


@pytest.mark.parametrize(
    ("settings", "id", "fix"),
    [
        ({"ROOT_URLCONF": "tests.django_project.bare_urls"}, "linkback.E002", 'path("linkback/", include('),
        (
            {"ROOT_URLCONF": "tests.django_project.shadowed_urls"},
            "linkback.E002",
            'is given to tests.django_project.shadowed_urls.page, whose pattern "<path:slug>" stands before them',
        ),
        ({"ROOT_URLCONF": "tests.django_project.rooted_urls"}, "linkback.E003", 'path("linkback/", include('),
        (
            {"LINKBACK": {"SITE": "https://t.example", "BASE": "/linkback"}},
            "linkback.E003",
            "LINKBACK['BASE']: the endpoints' public URL is like https://bob.example/linkback, not '/linkback'"
            " leave LINKBACK['BASE'] out",
        ),
        ({"MIDDLEWARE": [CSRF, FRAMES]}, "linkback.W001", f'add "{LINE}" at the end'),
        ({"MIDDLEWARE": [CSRF, FRAMES, LINE, GZIP]}, "linkback.W002", "to the end of MIDDLEWARE"),
        ({"MIDDLEWARE": [CSRF, LINE]}, "linkback.W003", f'in a frame, under buttons of their own add "{FRAMES}" to'),
        ({"MIDDLEWARE": [LINE]}, "linkback.W003", f'add "{CSRF}" and "{FRAMES}" to MIDDLEWARE'),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("linkback.") else "",
)
def test_a_check_names_the_line_that_mends_it(db: None, settings: dict[str, Any], id: str, fix: str) -> None:
    with override_settings(**settings):
        [(name, text)] = found()
    assert name == id
    assert fix in text


class Framed(XFrameOptionsMiddleware):  # type: ignore[misc]  # Django has no types
    """A project's own, made of Django's."""


def test_a_middleware_that_is_made_of_djangos_guards_as_well(db: None) -> None:
    with override_settings(MIDDLEWARE=[CSRF, f"{__name__}.Framed", LINE]):
        assert found() == []
    with override_settings(MIDDLEWARE=[CSRF, "tests.no_such_module.Framed", LINE]):
        assert [name for name, _ in found()] == ["linkback.W003"]


def test_without_the_admin_nothing_guards_it(db: None) -> None:
    without = [name for name in django.conf.settings.INSTALLED_APPS if name != "django.contrib.admin"]
    with override_settings(MIDDLEWARE=[LINE], INSTALLED_APPS=without):
        assert found() == []


@pytest.mark.parametrize(("url", "ids"), [("https://t.example", ["linkback.W004"]), ("http://127.0.0.1:8000", [])])
def test_a_network_that_opens_this_machine_to_strangers_is_told(url: str, ids: list[str]) -> None:
    """Once, also where the records are looked at."""
    with override_settings(LINKBACK={"SITE": url, "ALLOW_NETWORKS": "127.0.0.0/8"}):
        for databases in ([], ["default"]):
            told = [(id, text) for id, text in found(databases=databases) if id != "linkback.W010"]
            assert [id for id, _ in told] == ids
            for _, text in told:
                assert "127.0.0.0/8 is open to every stranger who pings https://t.example/" in text
                assert "open no more than the address that is needed (LINKBACK['ALLOW_NETWORKS'] 10.1.2.3/32)" in text


def test_missing_tables_are_told(web: FakeWeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there are no others; but not by the command that makes them, which checks before it does."""
    with on_database(tmp_path / "new.sqlite3"):
        for made in (None, "auth"):
            if made:
                call_command("migrate", made, verbosity=0)
            assert found() == []
            [(name, text)] = found(databases=["default"])
            assert (name, text.endswith(" manage.py migrate")) == ("linkback.W010", True)
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["manage.py", "migrate"])
            assert found(databases=["default"]) == []


def test_work_that_nobody_does_is_told(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    site().receive(Claim("webmention", SOURCE, POST))
    monkeypatch.setattr(startup, "utcnow", lambda: utcnow() + timedelta(hours=2))
    [(name, text)] = found(databases=["default"])
    assert name == "linkback.W011"
    assert "manage.py linkback worker" in text


@pytest.mark.parametrize("url", ["http://bob.example", "https://localhost", "http://127.0.0.1:8000"])
def test_an_address_for_nobody_else_is_told_before_it_is_deployed(url: str) -> None:
    with override_settings(LINKBACK={"SITE": url}):
        assert found() == []
        assert [name for name, _ in found(include_deployment_checks=True)] == ["linkback.W020"]


def test_endpoints_that_nobody_reaches_are_told_before_it_is_deployed(db: None, web: FakeWeb) -> None:
    web.pages["https://t.example/"] = "<p>a page that says nothing"
    [(name, text)] = found(include_deployment_checks=True)
    assert (name, "advertises no endpoint" in text) == ("linkback.W021", True)
    web.pages["https://t.example/"] = f'<link rel="webmention" href="{POST}"><p>'
    web.pages[POST] = "<p>here"
    assert found(include_deployment_checks=True) == []


# commands


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("linkback", *arguments, stdout=out)
    return out.getvalue()


def test_drain_does_what_is_due(db: None) -> None:
    site().receive(Claim("webmention", SOURCE, POST))
    assert run("drain", "--patience", "0") == "1 job done\n"
    assert len(site().mentions(POST)) == 1


def test_drain_says_which_deliveries_did_not_arrive(db: None, web: FakeWeb) -> None:
    publish(POST, "<a href='https://bob.example/x'>Bob</a> <a href='https://bob.example/y'>Bob</a>")
    web.pages["https://bob.example/x"] = Unreachable("https://bob.example/x", "no route")
    web.pages["https://bob.example/y"] = "<p>nobody listens"
    out, err = io.StringIO(), io.StringIO()
    call_command("linkback", "drain", stdout=out, stderr=err, no_color=True)
    assert out.getvalue() == "2 jobs done\n"
    assert err.getvalue() == f"{POST} -> failed https://bob.example/x: no route\n"


def test_a_reader_who_leaves_early_stops_the_output_only(
    db: None, web: FakeWeb, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `| head -1` does."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as leaving:
        monkeypatch.setattr(sys, "stdout", leaving)
        call_command("linkback", "jobs")
        call_command("linkback", "jobs")
    assert capfd.readouterr().err == ""


def test_publish_fetches_the_page_and_owes_its_links(db: None, web: FakeWeb) -> None:
    web.pages[POST] = "<a href='https://bob.example/x'>Bob</a>"
    assert run("publish", "/post", "--dry-run") == "new https://bob.example/x\n"
    assert site().deliveries() == []
    assert run("publish", POST) == "new https://bob.example/x\n"
    assert run("publish", POST) == "nothing to tell\n"
    assert len(site().deliveries()) == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["publish", "https://other.example/"], 2), (["publish", "/nowhere"], 2), (["publish", "/broken"], 4)],
)
def test_a_command_that_fails_says_why_in_one_line(db: None, web: FakeWeb, arguments: list[str], code: int) -> None:
    web.pages["https://t.example/broken"] = Unreachable("https://t.example/broken", "no route")
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert caught.value.returncode == code
    assert "\n" not in str(caught.value)


def laid_aside() -> int:
    """A job that waits for a person; gives its id."""
    site().receive(Claim("webmention", SOURCE, POST))
    [job] = site().store.lease(utcnow(), utcnow())
    site().store.release(job, due=None)
    return job.id


def test_jobs_that_were_laid_aside_are_listed_and_revived(db: None) -> None:
    assert run("jobs") == "no job waits for a person\n"
    id = laid_aside()
    assert run("jobs").startswith(f"{id} check ")
    with pytest.raises(SystemExit, match="1"):
        run("revive", str(id + 1))
    with pytest.raises(CommandError, match="--all"):
        run("revive")
    assert run("revive", "--all") == "1 to be tried again\n"
    assert run("jobs") == "no job waits for a person\n"


def test_the_doctor_ends_as_the_command_line_does(db: None, web: FakeWeb) -> None:
    web.pages["https://t.example/"] = "<p>a page that says nothing"
    out = io.StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("linkback", "doctor", stdout=out)
    assert "database: yes" in out.getvalue()
    assert "endpoints: no" in out.getvalue()


def test_the_doctor_looks_at_a_post_where_one_is_named(db: None, web: FakeWeb) -> None:
    web.pages[POST] = "<p>a page that says nothing"
    out = io.StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("linkback", "doctor", "--page", POST.removeprefix("https://t.example"), stdout=out)
    assert POST in out.getvalue()


def test_the_worker_works_until_it_is_told_to_stop(db: None, tmp_path: Path) -> None:
    """In a process of its own, on what this one has taken."""
    bodies: dict[str, str] = {}
    with served(pages(bodies)) as there:
        bodies["/a"] = f"<title>Hello</title><a href='{POST}'>this</a>"
        site().receive(Claim("webmention", f"{there}/a", POST))
        command = [sys.executable, "-m", "django", "linkback", "worker", "--threads", "1"]
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.django_project.worker",
            "PYTHONPATH": str(ROOT),
            "TEST_DATABASE": str(tmp_path / "db.sqlite3"),
        }
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "working for https://t.example/\n"
                eventually(lambda: site().mentions(POST))
            finally:
                process.send_signal(signal.SIGTERM)
            assert process.stdout.read() == "stopping\n"
    assert process.returncode == 0


# the guide

GUIDE = (ROOT / "docs/guides/django.md").read_text()


def blocks(text: str) -> list[str]:
    return re.findall(r"^```(?:py|html)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def given(text: str) -> dict[str, Any]:
    """The names that a block of the guide sets."""
    names: dict[str, Any] = {"path": django.urls.path, "include": django.urls.include}
    exec(text, names)
    return names


def test_the_guide_sets_a_project_up_in_eight_lines(
    template: Path, tmp_path: Path, web: FakeWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, urls, publishing, page = blocks(GUIDE.partition("## Set up")[2].partition("\n## ")[0])[:4]
    lines = "".join((settings, urls, publishing, page)).splitlines()
    assert len([line for line in lines if line.strip() and not line.startswith(("#", "<!--"))]) == 8

    said, module = given(settings), types.ModuleType("guide_urls")
    module.urlpatterns = [*bare_urls.urlpatterns, *given(urls)["urlpatterns"][1:]]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "guide_urls", module)
    own = [app for app in django.conf.settings.INSTALLED_APPS if "linkback" not in app]
    web.pages[SOURCE] = "<title>Hello</title><a href='https://bob.example/post'>this</a>"
    with (
        project(template, tmp_path / "db"),
        override_settings(
            INSTALLED_APPS=[*own, *said["INSTALLED_APPS"][1:]],
            MIDDLEWARE=[CSRF, FRAMES, *said["MIDDLEWARE"][1:]],
            LINKBACK={**said["LINKBACK"], "WORKERS": 0},
            ROOT_URLCONF="guide_urls",
        ),
    ):
        assert found(databases=["default"]) == []
        assert Client().get("/post")["X-Pingback"] == "https://bob.example/linkback/pingback"
        form = {"source": SOURCE, "target": "https://bob.example/post"}
        assert Client().post("/linkback/webmention", urllib.parse.urlencode(form), FORM).status_code == 201
        site().drain(patience=5)
        exec(publishing, {"post": Entry(), "html": "<a href='https://carol.example/'>Carol</a>"})
        assert [delivery.target for delivery in site().deliveries()] == ["https://carol.example/"]
        assert "Hello" in Template(page).render(Context({"post": Entry()}))


@pytest.mark.parametrize("block", blocks(GUIDE), ids=lambda block: block.partition("\n")[0][:40])
def test_what_the_guide_shows_can_be_read(block: str) -> None:
    if block.lstrip().startswith("<"):
        Template(block)
    else:
        compile(block, "the guide", "exec")


def test_the_guide_tells_of_every_setting_and_check() -> None:
    wanted = (reading.KNOWN.keys() | {"USING"}) - conf.ELSEWHERE.keys()
    assert [name for name in wanted if f"`{name}`" not in GUIDE] == []
    source = Path(str(checks_module.__file__)).read_text()
    assert [id for id in re.findall(r'id="linkback\.(\w+)"', source) if id not in GUIDE] == []


def test_the_records_can_be_kept_in_another_database(
    template: Path, tmp_path: Path, web: FakeWeb, django_databases: DjangoDatabases
) -> None:
    """What is committed in the one that holds the posts says nothing of it."""
    web.pages["https://bob.example/x"] = "<p>a page that does not listen"
    other = django_databases.empty("django sqlite file", tmp_path)
    with project(template, tmp_path / "db", USING=other, POLICY=QUICK, WORKERS=1):
        runners.serve()
        with transaction.atomic(using=other):
            publish("/post", "<a href='https://bob.example/x'>Bob</a>")
            assert not site().runner.runner._threads  # type: ignore[attr-defined]
        eventually(lambda: [each for each in site().deliveries() if each.outcome is Outcome.NO_ENDPOINT])
        assert Delivery.objects.using("default").count() == 0
        assert found(databases=["default", other]) == []
    django_databases.forget(other)


@pytest.mark.parametrize("server", ["wsgi", "asgi"])
def test_a_client_is_known_by_what_the_server_says_and_by_no_header(
    server: str, template: Path, tmp_path: Path, web: FakeWeb
) -> None:
    """protocols.md C-8"""

    def ping(client: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        path, form = "/linkback/webmention", clients.FORM
        answer: Any = Client().post(path, body, form, headers=headers, REMOTE_ADDR=client)
        return answer.status_code, answer.get("Retry-After", "")

    with project(template, tmp_path / "db.sqlite3", POLICY=clients.ONCE):
        asked = ping if server == "wsgi" else clients.through_asgi(get_asgi_application(), "/linkback/webmention")
        clients.check(asked, POST)
