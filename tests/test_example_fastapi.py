"""The FastAPI example as its readers run it: a process of its own, forms over real sockets, mentions from outside."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from linkback.fetch import Fetcher
from linkback.model import Claim, Outcome
from linkback.policy import Outgoing
from linkback.protocols import BUILTIN
from linkback.sender import deliver
from linkback.verbs import discover
from tests.serving import LOOPBACK, eventually, pages, served

EXAMPLE = Path(__file__).parent.parent / "examples/fastapi_blog"
FETCH = Fetcher(allow=LOOPBACK)


class Blog:
    """A running blog, as a browser meets it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("listening on "), said
        self.url = said.removeprefix("listening on ").strip()

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=20) as response:
            text: str = response.read().decode()
        return text

    def send(self, path: str, origin: str = "", **form: str) -> str:
        """Send a form from a page of the blog, or of `origin`; gives the path that it leads to."""
        request = urllib.request.Request(self.url + path, urllib.parse.urlencode(form).encode())
        request.add_header("Origin", origin or self.url)
        with urllib.request.urlopen(request, timeout=20) as response:
            return str(response.url).removeprefix(self.url)

    def status(self, path: str) -> int:
        try:
            self.get(path)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        return 200

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """What it ends with, and what it said of it."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


@contextlib.contextmanager
def running(data: Path, *options: str) -> Iterator[Blog]:
    command = [sys.executable, str(EXAMPLE), "--port", "0", "--data", str(data), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Blog(process)
        finally:
            process.kill()


@pytest.fixture
def blog(tmp_path: Path) -> Iterator[Blog]:
    with running(tmp_path / "data") as blog:
        yield blog


@pytest.fixture(scope="module")
def one_blog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blog]:
    """For requests that change nothing."""
    with running(tmp_path_factory.mktemp("blog")) as blog:
        yield blog


@pytest.fixture
def elsewhere() -> Iterator[dict[str, str]]:
    """The pages of another blog, with its address under ""; it listens to nothing."""
    bodies: dict[str, str] = {}
    with served(pages(bodies)) as url:
        bodies[""] = url
        yield bodies


def headings(page: str) -> list[str]:
    """What the entries of a thread are called, in their order, replies among them."""
    _, _, thread = page.partition('<section class="linkback-thread"')
    return [re.sub(r"<[^>]+>", "", found).strip() for found in re.findall(r"<strong.*?</strong>", thread, re.DOTALL)]


def listed(page: str) -> list[str]:
    """The cells of a table."""
    return re.findall(r"<td[^>]*>(.*?)</td>", page, re.DOTALL)


def test_a_new_blog_is_empty_and_says_how_to_begin(blog: Blog) -> None:
    assert "No posts yet." in blog.get("/")
    assert "Nothing is owed" in blog.get("/deliveries")
    assert "No mentions yet." in blog.get("/moderation")
    assert ".linkback-thread" in blog.get("/linkback/thread.css")
    assert "color-scheme" in blog.get("/static/blog.css")
    # or browsers ask for /favicon.ico, which is not there
    assert '<link rel="icon"' in blog.get("/")


def test_what_readers_and_other_blogs_say_stands_in_one_list(blog: Blog, elsewhere: dict[str, str]) -> None:
    post = blog.send("/write", title="Où & <why>", body="<p>Because.</p>")
    assert post == "/posts/o%C3%B9-why/"
    target = blog.url + post
    endpoints = discover(target, fetch=FETCH)
    assert set(endpoints.found) == {"webmention", "pingback", "trackback"}
    blog.send(f"{post}comments", author="Ann", text="First!")
    for number, protocol in enumerate(BUILTIN, start=1):
        elsewhere[f"/{number}"] = f"<title>By {protocol.name}</title><p>See <a href='{target}'>this</a>.</p>"
        delivery = deliver(FETCH, Claim(protocol.name, f"{elsewhere['']}/{number}", target), protocols=[protocol])
        assert delivery.outcome in (Outcome.SENT, Outcome.ACCEPTED)
        eventually(lambda title=f"By {protocol.name}": title in blog.get(post))  # type: ignore[misc]
    blog.send(f"{post}comments", author="Cy", text="Last.")
    assert "Reply to Ann" in blog.get(f"{post}?reply=1")
    blog.send(f"{post}comments", author="Bo", text="No, <b>me</b>.", parent="1")
    page = blog.get(post)
    assert headings(page) == [
        "Ann",
        "Bo",
        "Mention: By webmention",
        "Pingback: By pingback",
        "Trackback: By trackback",
        "Cy",
    ]
    assert re.search(
        r'id="comment-1">.*<ol class="linkback-replies">.*No, &lt;b&gt;me&lt;/b&gt;\..*</ol>', page, re.DOTALL
    )
    assert "6 comments" in page
    assert "6 comments" in blog.get("/")


def test_a_mention_that_was_turned_down_is_not_shown(tmp_path: Path, elsewhere: dict[str, str]) -> None:
    with running(tmp_path, "--moderate", "--protocols", "webmention", "--name", "Bob's") as blog:
        post = blog.send("/write", title="A post", body="")
        target, source = blog.url + post, f"{elsewhere['']}/a"
        assert set(discover(target, fetch=FETCH).found) == {"webmention"}
        elsewhere["/a"] = f"<title>A note</title><a href='{target}'>x</a>"
        deliver(FETCH, Claim("webmention", source, target))
        eventually(lambda: "A note" in blog.get("/moderation"))
        seen = {}
        for action in ("approve", "reject", "approve", "spam"):
            assert blog.send("/moderation/1", action=action) == "/moderation"
            seen[action] = "A note" in blog.get(post)
        assert seen == {"approve": True, "reject": False, "spam": False}
        blog.send("/moderation/1", action="approve")
        elsewhere["/a"] = f"<title>A better note</title><a href='{target}'>x</a>"
        blog.send("/moderation/1", action="re-check")
        eventually(lambda: "A better note" in blog.get(post))


def test_a_post_is_told_edited_and_deleted(blog: Blog, elsewhere: dict[str, str]) -> None:
    elsewhere |= {"/one": "<p>one</p>", "/two": "<p>two</p>"}
    link = "<a href='{}/{}'>x</a>"
    post = blog.send("/write", title="A post", body=link.format(elsewhere[""], "one"))
    eventually(lambda: "no-endpoint" in blog.get("/deliveries"))
    assert listed(blog.get("/deliveries"))[:2] == [blog.url + post, f"{elsewhere['']}/one"]
    assert "A post" in blog.get(f"{post}edit")
    assert blog.send(f"{post}edit", title="Another title", body=link.format(elsewhere[""], "two")) == post
    assert "Another title" in blog.get(post)
    assert f"{elsewhere['']}/two" in listed(blog.get("/deliveries"))
    assert blog.send(f"{post}delete") == "/"
    assert "No posts yet." in blog.get("/")
    assert [blog.status(post), blog.status("/posts/never/")] == [410, 404]
    # what once was a post's address is no other's
    assert blog.send("/write", title="A post", body="") == "/posts/a-post-2/"


def test_two_posts_of_these_blogs_tell_each_other(blog: Blog) -> None:
    target = blog.url + blog.send("/write", title="The first", body="<p>Hello.</p>")
    blog.send("/write", title="The second", body=f"<p>As I said in <a href='{target}'>the first</a>.</p>")
    eventually(
        lambda: "Mention: The second" in headings(blog.get("/posts/the-first/") + '<section class="linkback-thread"')
    )
    assert {"sent", "accepted"} & set(listed(blog.get("/deliveries")))


MANY = "".join(f"<a href='http://l.example/{number}'>x</a>" for number in range(Outgoing().most_links + 1))
REFUSED = [
    pytest.param("/write", {"title": "x"}, "http://evil.example", 403, id="a form of another site's"),
    pytest.param("/write", {"title": "x"}, "null", 403, id="a form of nobody knows whose"),
    pytest.param("/moderation/1", {"action": "approve"}, "", 404, id="a mention that is none"),
    pytest.param("/moderation/1", {"action": "explode"}, "", 422, id="an action that is none"),
    pytest.param("/posts/never/comments", {"author": "a", "text": "b"}, "", 404, id="a comment on no post"),
    pytest.param("/write", {"title": "x", "body": MANY}, "", 503, id="more links than are told"),
]


@pytest.mark.parametrize(("path", "form", "origin", "status"), REFUSED)
def test_what_cannot_be_done_is_said_on_a_page(
    one_blog: Blog, path: str, form: dict[str, str], origin: str, status: int
) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        one_blog.send(path, origin, **form)
    with caught.value as error:
        assert error.code == status
        assert "<h1>Sorry</h1>" in error.read().decode()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_ends_when_it_is_told_to_and_says_nothing(tmp_path: Path, number: int, code: int) -> None:
    with running(tmp_path) as blog:
        blog.send("/write", title="A post", body="<p>Hello.</p>")
        assert blog.stop(number) == (code, "")
    with running(tmp_path) as blog:
        assert "A post" in blog.get("/")


WRONG = [
    pytest.param(["--protocols", "smtp"], "--protocols: takes some of webmention,pingback,trackback", id="protocol"),
    pytest.param(["--url", "nowhere"], "must be an absolute http or https URL", id="address"),
    pytest.param(["--port", "70000"], "0-65535", id="port"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_options_that_mean_nothing_are_told_in_one_line(tmp_path: Path, options: list[str], message: str) -> None:
    command = [sys.executable, str(EXAMPLE), "--port", "0", "--data", str(tmp_path), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (1, 2)
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
