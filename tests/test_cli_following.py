"""`linkback publish --feed` and `--sitemap`, as the deploy step of a static site runs them: over real sockets."""

from __future__ import annotations

import json
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from linkback.adapters.wsgi import around
from linkback.fetch import Fetcher
from linkback.jobs import External
from linkback.policy import Policy
from linkback.site import Site
from tests.commands import Ran
from tests.examples.running import running
from tests.serving import LOOPBACK, eventually, pages, served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

OPEN = ("--allow-network", "127.0.0.0/8")


class StaticSite:
    """A folder behind a web server: what it holds, what is gone from it, what it cannot give now."""

    def __init__(self) -> None:
        self.url = ""
        self.pages: dict[str, str] = {}
        self.failing: dict[str, str] = {}
        self.asked: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        path = str(environ["PATH_INFO"])
        with self._lock:
            self.asked.append(path)
        if path in self.failing:
            start_response(self.failing[path], [("Content-Type", "text/plain")])
            return [b"sorry"]
        return list(pages(self.pages)(environ, start_response))

    def build(self, *names: str) -> None:
        """Write the feed and the sitemap, of the posts as they are."""
        entries = "".join(
            f'<entry><id>{name}</id><link href="{self.url}/{name}"/><published>2024-05-06T00:00:00Z</published>'
            f"<content type='html'><![CDATA[{self.pages.get('/' + name, '')}]]></content></entry>"
            for name in names
        )
        self.pages["/feed.xml"] = f'<feed xmlns="http://www.w3.org/2005/Atom">{entries}</feed>'
        self.pages["/sitemap.txt"] = "".join(f"{self.url}/{name}\n" for name in names)


@pytest.fixture
def bob(tmp_path: Path) -> Iterator[Site]:
    """A blog that listens, whose mentions are checked when it is told to."""
    bodies = {path: f"<title>{path}</title><p>post" for path in ("/one", "/two")}
    holder: dict[str, Any] = {}
    with served(lambda environ, start: holder["app"](environ, start)) as url:
        site = Site(
            url,
            store=f"sqlite:///{tmp_path}/bob.db",
            fetch=Fetcher(allow=LOOPBACK),
            runner=External(),
            policy=Policy(settle_seconds=0, second_look_seconds=0, pair_seconds=0, host_seconds=0, recheck_days=0),
        )
        with site:
            holder["app"] = around(pages(bodies), site)
            yield site


@pytest.fixture
def alice() -> Iterator[StaticSite]:
    """A static site without posts."""
    static = StaticSite()
    with served(static) as url:
        static.url = url.rstrip("/")
        yield static


@pytest.fixture
def at(tmp_path: Path) -> tuple[str, ...]:
    """Options of every run."""
    return ("--database", f"sqlite:///{tmp_path}/alice.db", *OPEN)


def link(bob: Site, path: str, words: str = "") -> str:
    return f"<title>A note</title><p>As <a href='{bob.url.rstrip('/')}{path}'>Bob</a> says. {words}"


def shown(bob: Site) -> list[tuple[str, str]]:
    """Which post of Bob's shows which source, by path, once all is checked."""
    bob.drain(patience=5)
    return [
        (mention.target.removeprefix(bob.url), mention.source.partition("//")[2].partition("/")[2])
        for mention in bob.mentions()
    ]


def test_a_post_is_told_when_it_comes_out_changes_and_goes(
    alice: StaticSite, bob: Site, at: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    feed = f"{alice.url}/feed.xml"
    alice.pages["/a"] = link(bob, "/one")
    alice.build("a")
    first = Ran(capsys, "publish", "--feed", feed, *at)
    assert (first.code, first.out.splitlines()[0]) == (0, f"{alice.url}/a:")
    assert "posts: 1 new" in first.err
    assert shown(bob) == [("one", "a")]

    again = Ran(capsys, "publish", "--feed", feed, *at)
    assert (again.code, again.out, again.err) == (0, "", "linkback: posts: nothing new\n")

    alice.pages["/a"] = link(bob, "/two", "edited")
    alice.build("a")
    edited = Ran(capsys, "publish", "--feed", feed, "--json", *at)
    assert (edited.code, len(edited.rows)) == (0, 2)
    assert shown(bob) == [("two", "a")]

    sitemap = f"{alice.url}/sitemap.txt"
    assert Ran(capsys, "publish", "--sitemap", sitemap, *at).code == 0
    alice.failing["/a"] = "404 Not Found"
    alice.pages["/b"] = "<p>no links"
    alice.build("b")
    missing = Ran(capsys, "publish", "--sitemap", sitemap, *at)
    assert (missing.code, missing.out) == (1, "")
    assert f"{alice.url}/a: it answers 404 Not Found; it must answer 410 Gone" in missing.err
    alice.failing["/a"] = "410 Gone"
    deleted = Ran(capsys, "publish", "--sitemap", sitemap, *at)
    assert deleted.code == 0
    assert "1 deleted" in deleted.err
    assert shown(bob) == []


def test_the_built_feed_may_lie_on_the_disk(
    alice: StaticSite, bob: Site, at: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alice.pages["/a"] = link(bob, "/one")
    alice.build("a")
    built = tmp_path / "feed.xml"
    built.write_text(alice.pages["/feed.xml"])
    assert Ran(capsys, "publish", "--feed", str(built), "--site", alice.url, *at).code == 0
    assert shown(bob) == [("one", "a")]
    assert "/feed.xml" not in alice.asked


def test_dry_run_shows_whom_it_would_tell(
    alice: StaticSite, bob: Site, at: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    alice.pages["/a"] = link(bob, "/one")
    alice.build("a")
    arguments = ("publish", "--feed", f"{alice.url}/feed.xml", "--dry-run", *at)
    for _ in range(2):
        ran = Ran(capsys, *arguments)
        assert (ran.code, ran.out) == (0, f"{alice.url}/a:\nnew {bob.url}one\n")
    assert [row["target"] for row in Ran(capsys, *arguments, "--json").rows] == [f"{bob.url}one"]
    assert shown(bob) == []


@pytest.mark.parametrize("option", [("--remember",), ("--since", "2024-05-07")], ids=["remember", "since"])
def test_an_old_blog_can_begin_without_telling_of_all_its_posts(
    alice: StaticSite, bob: Site, at: tuple[str, ...], option: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("publish", "--feed", f"{alice.url}/feed.xml", *at)
    alice.pages["/a"] = link(bob, "/one")
    alice.build("a")
    first = Ran(capsys, *arguments, *option)
    assert (first.code, first.out) == (0, "")
    assert "1 only remembered" in first.err
    alice.pages["/b"] = link(bob, "/two")
    alice.build("b", "a")
    assert Ran(capsys, *arguments).code == 0
    assert shown(bob) == [("two", "b")]


@pytest.mark.parametrize(
    ("status", "code"),
    [("503 Service Unavailable", 4), ("404 Not Found", 4), ("403 Forbidden", 1)],
)
def test_one_post_that_cannot_be_read_is_one_line_and_the_exit_code(
    alice: StaticSite, bob: Site, at: tuple[str, ...], status: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    alice.pages["/a"] = link(bob, "/one")
    alice.build("b", "a")
    alice.failing["/b"] = status
    arguments = ("publish", "--feed", f"{alice.url}/feed.xml", *at)
    ran = Ran(capsys, *arguments)
    assert ran.code == code
    assert [line for line in ran.err.splitlines() if line.startswith(f"linkback: {alice.url}/b: ")] != []
    assert shown(bob) == [("one", "a")]
    del alice.failing["/b"]
    alice.pages["/b"] = link(bob, "/two")
    assert Ran(capsys, *arguments).code == 0
    assert shown(bob) == [("one", "a"), ("two", "b")]


def test_links_to_pages_that_do_not_listen_fail_no_deploy(
    alice: StaticSite, at: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with served(pages({"/": "<p>no endpoint"})) as deaf:
        alice.pages["/a"] = f"<a href='{deaf}/'>x</a>"
        alice.build("a")
        ran = Ran(capsys, "publish", "--feed", f"{alice.url}/feed.xml", *at)
    assert (ran.code, "no-endpoint" in ran.out) == (0, True)


def test_a_delivery_that_may_yet_arrive_is_said_by_each_run_until_it_has(
    alice: StaticSite, at: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with served(pages({})) as dead:
        pass
    alice.pages["/a"] = f"<a href='{dead}/'>x</a>"
    alice.build("a")
    for _ in range(2):
        ran = Ran(capsys, "publish", "--feed", f"{alice.url}/feed.xml", "--json", *at)
        assert (ran.code, [row["outcome"] for row in ran.rows]) == (4, ["failed"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give one of SOURCE, --feed and --sitemap"),
        (("https://alice.example/a", "--feed", "f"), "give one of"),
        (("--feed", "f", "--sitemap", "s"), "give one of"),
        (("https://alice.example/a", "--remember"), "for --feed and --sitemap"),
        (("https://alice.example/a", "--since", "2024-01-01"), "for --feed and --sitemap"),
        (("--feed", "f", "--remember", "--force"), "at most one of"),
        (("--feed", "f", "--remember", "--since", "2024-01-01"), "at most one of"),
        (("--feed", "f", "--since", "last week"), "'last week'"),
        (("--feed", "public/none.xml"), "--site"),
        (("--feed", "public/none.xml", "--site", "https://alice.example"), "public/none.xml"),
        (("--feed", "https://alice.example/feed", "--site", "nonsense"), "nonsense"),
        (("--feed", "https://alice.example/feed", "--allow-port", "x"), "a port is"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_told_in_one_line(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = Ran(capsys, "publish", *arguments)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert message in ran.err


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [("<p>a page", "", 2), ("", "404 Not Found", 1), ("", "502 Bad Gateway", 4)],
    ids=["no feed", "404", "502"],
)
def test_a_document_that_cannot_be_read_is_one_line(
    alice: StaticSite, at: tuple[str, ...], body: str, status: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    alice.pages["/feed.xml"] = body
    if status:
        alice.failing["/feed.xml"] = status
    ran = Ran(capsys, "publish", "--feed", f"{alice.url}/feed.xml", *at)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert f"{alice.url}/feed.xml" in ran.err


def test_a_large_sitemap_is_read_whole(
    alice: StaticSite, at: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """More than the megabyte that is read of a page; the post that matters stands at its end."""
    others = "".join(f"https://other.example/{number}/{'x' * 90}\n" for number in range(20_000))
    alice.pages |= {"/sitemap.txt": f"{others}{alice.url}/a\n", "/a": "<p>no links"}
    ran = Ran(capsys, "publish", "--sitemap", f"{alice.url}/sitemap.txt", *at)
    assert (ran.code, "1 new" in ran.err) == (0, True)
    assert "passed over: https://other.example/0" in ran.err
    assert "and 19999 more" in ran.err


FRAMED = "<title>A</title><header><a href='{frame}'>x</a></header><article>As <a href='{own}'>Bob</a> says.</article>"


@pytest.mark.parametrize(
    ("about", "option", "told"),
    [
        (("--feed", "/feed.xml"), (), {"one"}),
        (("--sitemap", "/sitemap.txt"), (), {"one"}),
        (("--feed", "/feed.xml"), ("--post-only",), {"one"}),
        (("--feed", "/feed.xml"), ("--all-links",), {"one", "two"}),
        (("/a",), (), {"one", "two"}),
        (("/a",), ("--all-links",), {"one", "two"}),
        (("/a",), ("--post-only",), {"one"}),
    ],
    ids=lambda value: " ".join(value),
)
def test_the_frame_of_a_page_is_told_where_that_is_wished(
    about: tuple[str, ...],
    option: tuple[str, ...],
    told: set[str],
    alice: StaticSite,
    bob: Site,
    at: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    alice.pages["/a"] = FRAMED.format(own=f"{bob.url}one", frame=f"{bob.url}two")
    alice.build("a")
    *named, path = about
    ran = Ran(capsys, "publish", *named, alice.url + path, *option, *at)
    assert ran.code == 0, ran.err
    assert {page for page, _ in shown(bob)} == told


def test_a_feed_of_another_blog_is_one_clear_line_each_time(
    alice: StaticSite, bob: Site, at: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where it has not changed since; who then names the right blog has it read."""
    alice.pages["/a"] = link(bob, "/one")
    alice.build("a", "b")
    feed = f"{alice.url}/feed.xml"
    for _ in range(2):
        ran = Ran(capsys, "publish", "--feed", feed, "--site", "https://alice.example", *at)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
        said = f"{feed}: none of its 2 entries is of https://alice.example/, but {alice.url}/a is there"
        assert said in ran.err
        assert "--site" in ran.err
    assert "2 new" in Ran(capsys, "publish", "--feed", feed, *at).err


def test_a_sitemap_after_the_feed_calls_no_told_post_new(
    alice: StaticSite, bob: Site, at: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    alice.pages["/a"] = link(bob, "/one")
    alice.build("a")
    assert "posts: 1 new" in Ran(capsys, "publish", "--feed", f"{alice.url}/feed.xml", *at).err
    for option in ("--dry-run", "--json"):
        ran = Ran(capsys, "publish", "--sitemap", f"{alice.url}/sitemap.txt", option, *at)
        assert (ran.code, ran.out, "posts: nothing new" in ran.err) == (0, "", True)


def thread(blog: str, slug: str) -> list[dict[str, Any]]:
    """The entries under a post of an example, as its script gets them."""
    with urllib.request.urlopen(f"{blog}/linkback/thread?target={blog}/posts/{slug}/") as answer:
        entries: list[dict[str, Any]] = json.load(answer)["entries"]
    return entries


def test_the_example_publishes_its_feed_when_it_starts(tmp_path: Path, bob: Site) -> None:
    """Its posts, those of a second start with a further one, and one that says that it is gone."""
    posts, data = tmp_path / "posts", tmp_path / "data"
    shutil.copytree(Path(__file__).parent.parent / "examples" / "static_site" / "posts", posts)
    with running("static_site", data, "--posts", str(posts)) as blog:
        (entry,) = eventually(lambda: thread(blog, "rooftops"))
        assert (entry["title"], entry["url"]) == ("The slow train", f"{blog}/posts/slow-trains/")
    port = blog.rpartition(":")[2]
    (posts / "bob.html").write_text(f"Title: For Bob\nDate: 2024-06-01\n\n<p><a href='{bob.url}one'>Bob</a>, look.\n")
    slow = posts / "slow-trains.html"
    slow.write_text(slow.read_text().replace("\n\n", "\nStatus: gone\n\n", 1))
    with running("static_site", data, "--posts", str(posts), "--port", port) as again:
        assert again == blog
        eventually(lambda: shown(bob))
        with urllib.request.urlopen(f"{blog}/posts/slow-trains/") as page:
            assert b"410 Gone" in page.read()
        with urllib.request.urlopen(f"{blog}/sitemap.txt") as listed:
            assert listed.read().decode().split() == [f"{blog}/posts/bob/", f"{blog}/posts/rooftops/"]
    assert shown(bob) == [("one", "posts/bob/")]


def test_the_example_knows_a_post_by_each_of_its_names(tmp_path: Path) -> None:
    posts = tmp_path / "posts"
    posts.mkdir()
    links = {"café": "/", "plain": "/posts/café/", "file": "/posts/café/index.html", "bare": "/posts/caf%C3%A9?x=1"}
    for name, link in links.items():
        (posts / f"{name}.html").write_text(f"Title: {name}\nDate: 2024-06-01\n\n<p><a href='{link}'>x</a>\n")
    with running("static_site", tmp_path / "data", "--posts", str(posts)) as blog:
        eventually(lambda: len(thread(blog, "caf%C3%A9")) == 3)
        found = {entry["url"] for entry in thread(blog, "caf%C3%A9")}
    assert found == {f"{blog}/posts/{name}/" for name in ("bare", "file", "plain")}
