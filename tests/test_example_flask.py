"""The Flask blog of the examples, as people run it: a process of its own, its forms, and blogs that speak to it."""

from __future__ import annotations

import contextlib
import http.client
import re
import signal
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from linkback.fetch import Fetcher
from linkback.model import ARRIVED, Claim
from linkback.policy import Policy
from linkback.protocols import BUILTIN
from linkback.sender import deliver
from linkback.site import Site
from linkback.verbs import discover
from tests.serving import LOOPBACK, eventually, pages, served

EXAMPLE = Path(__file__).parent.parent / "examples" / "flask_blog"
ENTRY = re.compile(r'<li class="linkback-entry.*?<strong.*?>(.*?)</strong>', re.DOTALL)
TAG = re.compile(r"<[^>]+>")
FETCH = Fetcher(allow=LOOPBACK)


@dataclass
class Blog:
    """A blog that runs, asked as a browser asks."""

    url: str
    process: subprocess.Popen[str]

    def ask(self, method: str, path: str, *, origin: str = "", host: str = "", **form: str) -> tuple[int, str, str]:
        """Status, Location and body of one answer."""
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.url).netloc, timeout=20)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin or self.url}
        try:
            connection.request(method, path, urllib.parse.urlencode(form), headers | ({"Host": host} if host else {}))
            answer = connection.getresponse()
            return answer.status, answer.getheader("Location", ""), answer.read().decode()
        finally:
            connection.close()

    def page(self, path: str) -> str:
        """A page that is there."""
        status, _, body = self.ask("GET", path)
        assert status == 200, body
        return body

    def post(self, path: str, **form: str) -> str:
        """Send a form; where it leads."""
        status, location, body = self.ask("POST", path, **form)
        assert status == 303, body
        return location

    def thread(self, path: str) -> list[str]:
        """What the entries under a post are called, in order; replies come after what they answer."""
        return [" ".join(TAG.sub("", head).split()) for head in ENTRY.findall(self.page(path))]

    def rows(self) -> list[list[str]]:
        """The table of deliveries."""
        rows = re.findall(r"<tr>(<td.*?)</tr>", self.page("/deliveries"), re.DOTALL)
        return [[TAG.sub("", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)] for row in rows]


@contextlib.contextmanager
def running(data: Path, *options: str) -> Iterator[Blog]:
    command = [sys.executable, str(EXAMPLE), "--port", "0", "--data", str(data), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on "), line + process.stdout.read()
        try:
            yield Blog(line.removeprefix("listening on ").strip(), process)
        finally:
            process.kill()


@pytest.fixture
def blog(tmp_path: Path) -> Iterator[Blog]:
    with running(tmp_path) as blog:
        yield blog


def written(blog: Blog, title: str = "Where next?", body: str = "<p>Somewhere.</p>") -> str:
    """The path of a new post."""
    return blog.post("/write", title=title, body=body)


def test_a_post_is_written_shown_and_counted(blog: Blog) -> None:
    assert "No posts yet." in blog.page("/")
    assert written(blog, body="<p>Some <em>where</em>.</p>") == "/posts/where-next/"
    assert written(blog) == "/posts/where-next-2/"
    assert written(blog, "🚂") == "/posts/post/"
    page = blog.page("/posts/where-next/")
    for piece in ('class="h-entry"', "p-name", "dt-published", "p-author", "<p>Some <em>where</em>.</p>"):
        assert piece in page
    assert blog.page("/").count("0 comments") == 3


def test_claims_by_all_protocols_stand_with_the_comments_in_order_of_time(blog: Blog) -> None:
    path = written(blog)
    target = blog.url + path
    assert discover(target, fetch=FETCH).found.keys() == {"webmention", "pingback", "trackback"}
    assert blog.post(f"{path}comments", author="Ann", text="First!").endswith("#comment-1")
    for protocol in BUILTIN:
        page = f"<title>By {protocol.name}</title><p>See <a href='{target}'>this</a>.</p>"
        with served(pages({f"/{protocol.name}": page})) as source:
            claim = Claim("", f"{source}/{protocol.name}", target)
            assert deliver(FETCH, claim, [protocol]).outcome in ARRIVED
            eventually(lambda title=f"By {protocol.name}": title in blog.page(path))  # type: ignore[misc]
    blog.post(f"{path}comments", author="Bea", text="Last.")
    blog.post(f"{path}comments", author="Cid", text="<b>No</b>, not first.", parent="1")
    blog.post(f"{path}comments", author="Dan", text="To nobody.", parent="77")
    entries = blog.thread(path)
    assert entries == [
        "Ann", "Cid", "Mention: By webmention", "Pingback: By pingback", "Trackback: By trackback", "Bea", "Dan",
    ]  # fmt: skip
    page = blog.page(path)
    assert "7 comments" in page
    assert "&lt;b&gt;No&lt;/b&gt;" in page
    assert "7 comments" in blog.page("/")
    assert "Reply to Ann" in blog.page(f"{path}?reply=1")
    assert "Leave a comment" in blog.page(f"{path}?reply=99")


@pytest.mark.parametrize("protocol", [protocol.name for protocol in BUILTIN])
def test_two_blogs_tell_each_other_of_a_link(tmp_path: Path, protocol: str) -> None:
    """The one that writes has an outcome for it, the one that is linked to a mention; no other page is told."""
    with (
        running(tmp_path / "alice", "--name", "Alice") as alice,
        running(tmp_path / "bob", "--name", "Bob", "--protocols", protocol) as bob,
    ):
        target = bob.url + written(bob, "Bob's post")
        assert list(discover(target, fetch=FETCH).found) == [protocol]
        path = written(alice, "I read Bob", f"<p>As <a href='{target}'>Bob</a> says.</p>")
        eventually(
            lambda: f"{protocol.replace('web', '').title()}: I read Bob" in str(bob.thread("/posts/bob-s-post/"))
        )
        [[source, told, by, outcome, _]] = alice.rows()
        assert (source, told, by, outcome in ARRIVED) == (alice.url + path, target, protocol, True)


def test_an_edit_and_a_deletion_are_told(blog: Blog) -> None:
    """To a blog that takes updates as fast as they come."""
    policy = Policy(pair_seconds=0, settle_seconds=0, second_look_seconds=0, recheck_days=0)
    apps: list[Any] = []
    with (
        served(lambda environ, start_response: apps[0](environ, start_response)) as elsewhere,
        Site(elsewhere, store="sqlite://", policy=policy, fetch=FETCH) as bob,
    ):
        apps.append(bob.wsgi(pages({"/post": "<h1>Bob's post</h1>"})))
        target = f"{elsewhere}/post"
        link = f"<p>As <a href='{target}'>Bob</a> says.</p>"
        path = written(blog, "I read Bob", link)

        def titles() -> list[str]:
            return [mention.title for mention in bob.mentions(target)]

        eventually(lambda: titles() == ["I read Bob"])
        assert "I read Bob" in blog.page(f"{path}edit")
        assert blog.post(f"{path}edit", title="I read Bob again", body=f"{link}<p>Twice.</p>") == path
        eventually(lambda: titles() == ["I read Bob again"])
        assert blog.post(f"{path}delete") == "/"
        assert [blog.ask("GET", each)[0] for each in (path, f"{path}edit")] == [410, 410]
        assert "I read Bob" not in blog.page("/")
        eventually(lambda: titles() == [])
        # the answer is on its way still
        eventually(lambda: [row[3] in ARRIVED for row in blog.rows()] == [True])


def test_what_is_moderated_is_shown_once_it_is_approved(tmp_path: Path) -> None:
    with running(tmp_path, "--moderate") as blog, served(pages({"/a": "<title>Alice</title>"})) as elsewhere:
        path = written(blog)
        with served(pages({"/a": f"<title>Alice</title><a href='{blog.url}{path}'>x</a>"})) as source:
            assert deliver(FETCH, Claim("", f"{source}/a", blog.url + path)).outcome in ARRIVED
            deliver(FETCH, Claim("", f"{elsewhere}/a", blog.url + path))
            [id] = eventually(lambda: re.findall(r'action="/moderation/([^"]+)"', blog.page("/moderation")))
            shown = []
            for action in ("approve", "reject", "re-check", "spam", "approve"):
                status, _, _ = blog.ask("POST", f"/moderation/{id}", action=action)
                shown.append((action, status, len(blog.thread(path))))
        assert shown == [
            ("approve", 303, 1), ("reject", 303, 0), ("re-check", 404, 0), ("spam", 303, 0), ("approve", 303, 1),
        ]  # fmt: skip


WRONG: list[tuple[str, str, dict[str, str], int]] = [
    ("POST", "/write", {"title": " ", "body": "x"}, 400),
    ("POST", "/write", {"title": "x" * 201, "body": "x"}, 400),
    ("POST", "/write", {}, 400),
    ("POST", "/write", {"title": "x", "body": "x", "origin": "https://evil.example"}, 403),
    ("POST", "/write", {"title": "x", "body": "x", "origin": "http://evil.example:1", "host": "evil.example:1"}, 403),
    ("POST", "/write", {"title": "x", "body": "x", "origin": "null"}, 403),
    ("POST", "/posts/none/comments", {"author": "x", "text": "x"}, 404),
    ("POST", "/posts/none/delete", {}, 404),
    ("POST", "/moderation/none", {"action": "approve"}, 404),
    ("POST", "/moderation/none", {"action": "shout"}, 400),
    ("POST", "/moderation/none", {"action": "re-check"}, 404),
    ("GET", "/posts/none/", {}, 404),
    ("GET", "/posts/none/edit", {}, 404),
    ("GET", "/nothing", {}, 404),
    ("DELETE", "/write", {}, 405),
    ("POST", "/linkback/webmention", {"source": "x", "target": "y", "origin": "https://evil.example"}, 400),
]


def test_what_is_wrong_is_answered_with_a_reason(blog: Blog) -> None:
    for method, path, form, status in WRONG:
        assert (method, path, blog.ask(method, path, **form)[0]) == (method, path, status)
    assert "No posts yet." in blog.page("/")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_the_blog_ends_when_it_is_told_to_and_keeps_what_it_has(tmp_path: Path, number: int, code: int) -> None:
    with running(tmp_path) as blog:
        path = written(blog)
        blog.process.send_signal(number)
        rest, _ = blog.process.communicate(timeout=30)
        assert (blog.process.returncode, rest) == (code, "")
    with running(tmp_path, "--name", "Another name") as blog:
        assert "Another name" in blog.page(path)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--url", "blog"], 1, 'LINKBACK_SITE"] must be'),
        (["--protocols", "carrier-pigeon"], 2, "--protocols: takes some of webmention,pingback,trackback"),
        (["--data", "/dev/null/x"], 1, "/dev/null"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_an_option_that_is_wrong_is_said_in_one_line(
    tmp_path: Path, options: list[str], code: int, message: str
) -> None:
    command = [sys.executable, str(EXAMPLE), "--port", "0", "--data", str(tmp_path), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert message in done.stderr
