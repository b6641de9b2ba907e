"""A Pelican blog with the plugin, built for real: what is published when, and what the templates show."""

from __future__ import annotations

import logging
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pelican import Pelican, signals
from pelican.settings import read_settings

from linkback.adapters import pelican as plugin
from linkback.adapters.wsgi import around
from linkback.errors import StoreError
from linkback.fetch import Fetcher
from linkback.jobs import External
from linkback.model import Claim, Delivery, Outcome
from linkback.policy import Policy
from linkback.site import Site
from tests.examples.running import running
from tests.serving import LOOPBACK, eventually, pages, served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

ARTICLE = """{% extends "!simple/article.html" %}
{% block head %}{{ super() }}{{ linkback_head(article.url, article.title) }}{% endblock %}
{% block content %}{{ super() }}{{ linkback_thread(article.url) }}{% endblock %}
"""


class Folder:
    """A project of Pelican, and the web server that its output is uploaded to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = ""
        self.deployed: dict[str, str] = {}
        self.asked: list[str] = []
        for name in ("content/pages", "templates"):
            (root / name).mkdir(parents=True)
        (root / "templates" / "article.html").write_text(ARTICLE)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        self.asked.append(environ["PATH_INFO"])
        return list(pages(self.deployed)(environ, start_response))

    def write(self, name: str, body: str, *, status: str = "published", date: str = "2024-05-06") -> None:
        kind = f"Date: {date}\nCategory: notes\n" if not name.startswith("pages/") else ""
        (self.root / "content" / f"{name}.md").write_text(f"Title: {name}\n{kind}Status: {status}\n\n{body}\n")

    def settings(self, **settings: Any) -> dict[str, Any]:
        return {
            "PATH": str(self.root / "content"),
            "OUTPUT_PATH": str(self.root / "output"),
            "SITEURL": self.url,
            "SITENAME": "Alice's notes",
            "TIMEZONE": "UTC",
            "DEFAULT_LANG": "en",
            "THEME": "simple",
            "THEME_TEMPLATES_OVERRIDES": [str(self.root / "templates")],
            "FEED_ALL_ATOM": None,
            "CATEGORY_FEED_ATOM": None,
            "TRANSLATION_FEED_ATOM": None,
            "PLUGINS": ["linkback.adapters.pelican"],
            "LINKBACK_DATABASE": f"sqlite:///{self.root}/alice.db",
            "LINKBACK_ALLOW_NETWORKS": list(LOOPBACK),
            "LINKBACK_PUBLISH": True,
        } | settings

    def pelican(self, **settings: Any) -> Pelican:
        """A build of the blog, to be run; a setting that is None is left out."""
        given = {name: value for name, value in self.settings(**settings).items() if value is not None}
        return Pelican(read_settings(override=given))

    def build(self, **settings: Any) -> None:
        """Build the blog."""
        self.pelican(**settings).run()

    def upload(self) -> None:
        """Put the output on the web server."""
        output = self.root / "output"
        self.deployed.clear()
        self.deployed |= {f"/{path.relative_to(output)}": path.read_text() for path in output.rglob("*.html")}

    def site(self) -> Site:
        """The blog's records, as `linkback drain` would have them."""
        store = f"sqlite:///{self.root}/alice.db"
        return Site(self.url, store=store, fetch=Fetcher(allow=LOOPBACK), runner=External())

    @property
    def deliveries(self) -> list[Delivery]:
        with self.site() as site:
            return site.deliveries()

    def owed(self) -> list[tuple[str, str]]:
        """Which page is told of by which, by path, and how that went."""
        return [(one.source.removeprefix(f"{self.url}/"), one.outcome.value) for one in self.deliveries]


@pytest.fixture
def bob(tmp_path: Path) -> Iterator[Site]:
    """A blog that listens."""
    holder: dict[str, Any] = {}
    with served(lambda environ, start: holder["app"](environ, start)) as url:
        policy = Policy(settle_seconds=0, second_look_seconds=0, pair_seconds=0, host_seconds=0, recheck_days=0)
        store = f"sqlite:///{tmp_path}/bob.db"
        with Site(url, store=store, fetch=Fetcher(allow=LOOPBACK), runner=External(), policy=policy) as site:
            holder["app"] = around(pages({"/post": "<title>post</title>", "/other": "<title>other</title>"}), site)
            yield site


@pytest.fixture
def alice(tmp_path: Path, bob: Site) -> Iterator[Folder]:
    """A project with one article that links to Bob's post."""
    (tmp_path / "alice").mkdir()
    folder = Folder(tmp_path / "alice")
    folder.write("first", f"As [Bob]({bob.url}post) says.")
    with served(folder) as url:
        folder.url = url.rstrip("/")
        yield folder


def test_a_build_into_the_web_root_tells_at_once(alice: Folder, bob: Site) -> None:
    """Built twice, as who is told looks at what is on the web."""
    alice.build()
    assert alice.owed() == [("first.html", "queued")]
    alice.upload()
    alice.build()
    assert alice.owed() == [("first.html", "accepted")]
    bob.drain(patience=5)
    (mention,) = bob.mentions()
    assert (mention.source, mention.target) == (f"{alice.url}/first.html", f"{bob.url}post")
    alice.build()
    assert [delivery.attempts for delivery in alice.deliveries] == [1]


def test_nobody_is_told_of_an_edit_before_it_is_deployed(
    alice: Folder, bob: Site, caplog: pytest.LogCaptureFixture
) -> None:
    alice.build()
    assert f"linkback drain --site {alice.url}/ --database sqlite:" in caplog.text
    alice.upload()
    alice.build()
    alice.write("first", f"As [Bob]({bob.url}post) says, and [again]({bob.url}other).")
    alice.build()
    assert alice.owed() == [("first.html", "queued")] * 2
    alice.upload()
    with alice.site() as site:
        site.drain(patience=5)
    assert {outcome for _, outcome in alice.owed()} == {"accepted"}


def test_a_blog_that_is_not_deployed_is_asked_for_one_page(
    alice: Folder, bob: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a first build of a thousand posts each would be waited for, were its server slow."""
    for name in ("second", "third"):
        alice.write(name, f"As [Bob]({bob.url}post) says.")
    alice.build()
    assert alice.asked == ["/first.html"]
    assert "/first.html and 2 more yet" in caplog.text


def test_sending_can_be_left_to_the_deploy_step(alice: Folder) -> None:
    alice.build()
    alice.upload()
    alice.build(LINKBACK_SEND=False)
    assert alice.owed() == [("first.html", "queued")]


@pytest.mark.parametrize(
    "settings",
    [
        {"SITEURL": ""},
        {"SITEURL": "/blog"},
        {"LINKBACK_PUBLISH": False},
        {"LINKBACK_PUBLISH": None},
        {"SITEURL": "http://localhost:8000", "LINKBACK_PUBLISH": None},
        {"SITEURL": "http://[::1]:8000", "LINKBACK_PUBLISH": None},
        {"SITEURL": "http://10.0.0.3", "LINKBACK_PUBLISH": None},
        {"SITEURL": "http://blog.test", "LINKBACK_PUBLISH": None},
    ],
    ids=lambda settings: " ".join(f"{name}={value!r}" for name, value in settings.items()),
)
def test_a_site_under_development_tells_nobody(alice: Folder, settings: dict[str, Any]) -> None:
    alice.build(**settings)
    assert alice.owed() == []
    assert (alice.root / "output" / "first.html").exists()


def test_a_public_site_needs_no_setting_but_its_database(alice: Folder) -> None:
    alice.build(SITEURL="https://alice.example", LINKBACK_PUBLISH=None, LINKBACK_SEND=False)
    with Site("https://alice.example", store=f"sqlite:///{alice.root}/alice.db", runner=External()) as site:
        assert [delivery.source for delivery in site.deliveries()] == ["https://alice.example/first.html"]


def test_a_site_without_any_setting_is_left_alone(
    alice: Folder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Pelican loads the plugin by itself wherever it is installed."""
    monkeypatch.chdir(tmp_path)
    ours = {name: None for name in alice.settings() if name.startswith("LINKBACK_")}
    alice.build(SITEURL="https://alice.example", **ours)
    assert list(tmp_path.glob("*.db")) == [tmp_path / "bob.db"]


def test_only_what_readers_are_to_find_is_told_of(alice: Folder, bob: Site) -> None:
    alice.write("draft", f"[Bob]({bob.url}post)", status="draft")
    alice.write("hidden", f"[Bob]({bob.url}post)", status="hidden")
    alice.write("pages/about", f"[Bob]({bob.url}post)")
    alice.write("pages/later", f"[Bob]({bob.url}post)", status="draft")
    alice.build()
    assert sorted(alice.owed()) == [("first.html", "queued"), ("pages/pagesabout.html", "queued")]


def test_old_posts_can_be_left_alone(alice: Folder, bob: Site) -> None:
    alice.write("old", f"[Bob]({bob.url}post)", date="2010-03-02")
    alice.write("pages/about", f"[Bob]({bob.url}post)")
    alice.build(LINKBACK_SINCE="2024-05-06")
    assert alice.owed() == [("first.html", "queued")]


def test_templates_show_signposts_and_the_thread(alice: Folder, bob: Site) -> None:
    alice.build()
    alice.upload()
    page = (alice.root / "output" / "first.html").read_text()
    assert f'<link rel="webmention" href="{alice.url}/linkback/webmention"' in page
    assert "Carol agrees" not in page
    reply = {"/": f"<title>Carol agrees</title><p><a href='{alice.url}/first.html'>Alice</a> is right."}
    with served(pages(reply)) as carol, alice.site() as site:
        site.receive(Claim("webmention", carol, f"{alice.url}/first.html"))
        site.drain(patience=5)
    alice.build()
    assert "Carol agrees" in (alice.root / "output" / "first.html").read_text()
    # a thread that grows is no edit
    assert [delivery.cause.value for delivery in alice.deliveries] == ["new"]


def test_a_blog_that_is_built_again_by_the_same_pelican_keeps_its_signposts(alice: Folder, bob: Site) -> None:
    """As `pelican --autoreload` does after each edit."""
    pelican = alice.pelican()
    for _ in range(2):
        pelican.run()
        page = (alice.root / "output" / "first.html").read_text()
        assert f'<link rel="webmention" href="{alice.url}/linkback/webmention"' in page


@pytest.mark.parametrize("moment", ["finalized", "all_generators_finalized"])
def test_a_build_within_a_build_leaves_the_other_as_it_is(alice: Folder, bob: Site, moment: str) -> None:
    """As plugins do that build a blog once more for each other language, under a path of its own."""
    french = alice.root / "french"
    french.mkdir()
    (french / "premier.md").write_text(f"Title: Premier\nDate: 2024-05-06\n\n[Bob]({bob.url}other)\n")
    below = {"SITEURL": f"{alice.url}/fr", "LINKBACK_SITE": alice.url, "PATH": str(french)}
    begun: list[object] = []

    def build_again(sender: object) -> None:
        if not begun:
            begun.append(sender)
            alice.build(OUTPUT_PATH=str(alice.root / "output" / "fr"), **below)

    signal = getattr(signals, moment)
    # whoever comes first is called first, and the other is not done yet
    signals.finalized.disconnect(plugin._plugin.end)
    with signal.connected_to(build_again):
        alice.build(LINKBACK_SEND=False)
    assert sorted(alice.owed()) == [("first.html", "queued"), ("fr/premier.html", "queued")]
    output = alice.root / "output"
    for name in ("first.html", "fr/premier.html"):
        page = (output / name).read_text()
        assert f'dc:identifier="{alice.url}/{name}"' in page
        assert f'<link rel="webmention" href="{alice.url}/linkback/webmention"' in page


# SITEURL, LINKBACK_SITE -> what the article is known by
ADDRESSES = [
    ("https://alice.example/fr", "https://alice.example", "https://alice.example/fr/first.html"),
    ("https://alice.example/fr", "", "https://alice.example/fr/first.html"),
    ("http://www.alice.example/fr/", "https://alice.example", "https://alice.example/fr/first.html"),
    ("", "https://alice.example/blog", "https://alice.example/blog/first.html"),
    ("http://localhost:8000", "https://alice.example/blog/", "https://alice.example/blog/first.html"),
]


@pytest.mark.parametrize(("siteurl", "site", "known"), ADDRESSES)
def test_a_page_is_known_by_where_it_will_be(alice: Folder, siteurl: str, site: str, known: str) -> None:
    alice.build(SITEURL=siteurl, LINKBACK_SITE=site, LINKBACK_PUBLISH=None, LINKBACK_SEND=False)
    assert f'dc:identifier="{known}"' in (alice.root / "output" / "first.html").read_text()
    if siteurl.startswith("https://"):
        with Site(site or siteurl, store=f"sqlite:///{alice.root}/alice.db", runner=External()) as records:
            assert [delivery.source for delivery in records.deliveries()] == [known]


@pytest.mark.parametrize(
    ("settings", "endpoints"),
    [
        ({"LINKBACK_PREFIX": "mentions"}, "https://alice.example/mentions"),
        ({"LINKBACK_PREFIX": "/連"}, "https://alice.example/%E9%80%A3"),
        ({"LINKBACK_BASE": "https://m.example/"}, "https://m.example"),
    ],
)
def test_the_endpoints_stand_where_the_settings_say(alice: Folder, settings: dict[str, Any], endpoints: str) -> None:
    alice.build(SITEURL="https://alice.example", LINKBACK_PUBLISH=False, **settings)
    page = (alice.root / "output" / "first.html").read_text()
    assert f'<link rel="webmention" href="{endpoints}/webmention"' in page


def test_templates_show_nothing_where_no_blog_is_known(alice: Folder) -> None:
    alice.build(SITEURL="", LINKBACK_PUBLISH=None)
    page = (alice.root / "output" / "first.html").read_text()
    assert "linkback" not in page
    alice.build(
        SITEURL="", LINKBACK_PUBLISH=None, LINKBACK_SITE="https://alice.example", LINKBACK_BASE="https://m.example/"
    )
    assert 'href="https://m.example/webmention"' in (alice.root / "output" / "first.html").read_text()
    assert alice.owed() == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"LINKBACK_SEND": "no"}, "LINKBACK_SEND must be True"),
        ({"LINKBACK_SINCE": "last year"}, "LINKBACK_SINCE must be the date"),
        ({"LINKBACK_DATABSE": "sqlite://"}, "LINKBACK_DATABASE meant"),
        ({"LINKBACK_DATABASE": "nonsense"}, "not a database URL"),
        ({"LINKBACK_DATABASE": "sqlite:////nowhere/at/all.db"}, "nowhere"),
        ({"LINKBACK_ALLOW_NETWORKS": ["x"]}, "LINKBACK_ALLOW_NETWORKS"),
        ({"LINKBACK_SITE": 5}, "LINKBACK_SITE must be"),
        ({"LINKBACK_SITE": "alice.example"}, "LINKBACK_SITE must be"),
        ({"LINKBACK_PREFIX": "/"}, "prefix of their own"),
        ({"LINKBACK_PREFIX": "/a b"}, "a path such as /linkback, not '/a b'"),
        ({"LINKBACK_BASE": "/mentions"}, "like https://bob.example/linkback, not '/mentions'"),
        ({"LINKBACK_LANGUAGE": 5, "LINKBACK_PUBLISH": False}, "LINKBACK_LANGUAGE must be"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_setting_is_one_line_and_the_blog_is_built(
    alice: Folder, settings: dict[str, Any], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    alice.build(**settings)
    assert (alice.root / "output" / "first.html").exists()
    (record,) = [record for record in caplog.records if record.name == plugin.__name__]
    assert (record.levelno, message in record.getMessage(), record.exc_info) == (logging.ERROR, True, None)


def test_a_database_that_is_lost_is_one_line_and_the_blog_is_built(
    alice: Folder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StoreError("the database went away")

    alice.write("second", "More.")
    monkeypatch.setattr(Site, "mentions", fail)
    alice.build()
    assert all((alice.root / "output" / f"{name}.html").exists() for name in ("first", "second"))
    (record,) = [record for record in caplog.records if record.name == plugin.__name__]
    assert (record.levelno, "went away" in record.getMessage()) == (logging.ERROR, True)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings and errors of the last build."""
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    caplog.clear()
    return [line for line in lines if "linkback" in line or "is not told" in line]


def test_a_blog_on_a_network_that_is_not_open_is_told_so(alice: Folder, caplog: pytest.LogCaptureFixture) -> None:
    """No upload would help."""
    alice.build(LINKBACK_ALLOW_NETWORKS=None)
    [line] = said(caplog)
    assert line.startswith(f"linkback: nobody is told of {alice.url}/first.html: 127.0.0.1 is not a public address")
    assert "LINKBACK_ALLOW_NETWORKS 127.0.0.0/8" in line
    assert "upload" not in line


def test_a_build_says_which_deliveries_did_not_arrive(alice: Folder, caplog: pytest.LogCaptureFixture) -> None:
    def bob(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        if environ["PATH_INFO"] == "/busy":
            start_response("503 Busy", [])
            return [b""]
        return list(serve(environ, start_response))

    serve = pages({"/refuses": "<link rel=webmention href=/none>"})
    with served(bob) as there:
        alice.write("first", f"[1]({there}/refuses) [2]({there}/busy) [3](http://10.1.2.3/closed)")
        alice.build(LINKBACK_SEND=False)
        alice.upload()
        caplog.clear()
        alice.build()
    page = f"{alice.url}/first.html"
    closed, *lines = sorted(said(caplog))
    assert closed.startswith(f"http://10.1.2.3/closed is not told of {page}: ")
    assert len(lines) == 4
    assert lines[0].startswith(f"linkback: {page} -> failed {there}/busy [503]")
    assert lines[1].startswith(f"linkback: {page} -> refused by webmention {there}/refuses [404]")
    assert f"by: linkback drain --site {alice.url}/ --database sqlite:" in lines[2]
    assert "refused is tried again when its post is edited" in lines[3]


@pytest.mark.parametrize(
    ("siteurl", "wanted"),
    [("alice.example", True), ("alice.example/blog", None), ("localhost:8000", True), ("127.0.0.1:8000", True)],
)
def test_a_siteurl_without_its_scheme_is_one_line(
    alice: Folder, siteurl: str, wanted: bool | None, caplog: pytest.LogCaptureFixture
) -> None:
    alice.build(SITEURL=siteurl, LINKBACK_PUBLISH=wanted)
    assert said(caplog) == [f"linkback: nobody is told: SITEURL {siteurl!r} lacks http:// or https:// before it"]
    for quiet in ({"SITEURL": "", "LINKBACK_PUBLISH": wanted}, {"SITEURL": siteurl, "LINKBACK_PUBLISH": False}):
        alice.build(**quiet)
        assert said(caplog) == []


def test_a_post_that_cannot_be_published_keeps_no_other_back(
    alice: Folder, bob: Site, caplog: pytest.LogCaptureFixture
) -> None:
    links = "".join(f"[x](https://bob.example/{number}) " for number in range(5001))
    alice.write("too-many", links)
    alice.build()
    assert alice.owed() == [("first.html", "queued")]
    assert "too-many.html is not published" in caplog.text


def test_an_autoreload_tells_nobody(alice: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every save of a draft would be told, were it not for this."""
    import pelican

    class Once(Exception):
        pass

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pelican, "wait_for_changes", stop)
    settings = alice.root / "conf.py"
    settings.write_text("".join(f"{name} = {value!r}\n" for name, value in alice.settings().items()))
    arguments = pelican.parse_arguments([str(alice.root / "content"), "-s", str(settings), "-r"])
    with pytest.raises(KeyboardInterrupt):
        pelican.autoreload(arguments)
    assert (alice.root / "output" / "first.html").exists()
    assert alice.owed() == []


def test_pelican_itself_runs_with_the_plugin(alice: Folder) -> None:
    settings = alice.root / "conf.py"
    settings.write_text("".join(f"{name} = {value!r}\n" for name, value in alice.settings().items()))
    command = [sys.executable, "-m", "pelican", str(alice.root / "content"), "-s", str(settings)]
    for _ in range(2):
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=alice.root)
        assert (done.returncode, "Traceback" in done.stderr + done.stdout) == (0, False)
        alice.upload()
    assert [delivery.outcome for delivery in alice.deliveries] == [Outcome.ACCEPTED]


def test_the_example_shows_its_mentions_in_the_pages_that_it_builds(tmp_path: Path) -> None:
    with running("pelican_site", tmp_path) as blog:

        def page(path: str) -> str:
            with urllib.request.urlopen(f"{blog}/{path}") as answer:
                text: str = answer.read().decode()
            return text

        found = eventually(lambda: "The slow train" in (text := page("posts/rooftops/")) and text, seconds=40)
        assert "1 comment" in str(found)
        assert f'href="{blog}/linkback/webmention"' in str(found)
        assert "Night shift" not in page("")
