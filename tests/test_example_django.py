"""The Django blog of the examples, as a process of its own: write, publish, receive, moderate."""

from __future__ import annotations

import http.cookiejar
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from linkback.fetch import Fetcher
from linkback.model import ARRIVED
from linkback.verbs import send
from tests.examples.running import ROOT, running
from tests.serving import LOOPBACK, eventually, pages, served

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
_MENTION = re.compile(r'name="_selected_action" value="(\d+)"')


class Visitor:
    """A browser without a window: follows redirects, keeps cookies, sends forms with the token that they hold."""

    def __init__(self, blog: str) -> None:
        self.blog = blog
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)
        self.url = ""

    def read(self, path: str, form: dict[str, str] | None = None) -> str:
        """The page at a path or URL; with `form` what is answered to that."""
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        with self._opener.open(urllib.parse.urljoin(self.blog, path), data, timeout=30) as response:
            self.url = response.url
            return str(response.read().decode())

    def status(self, path: str) -> int:
        """What a path answers with."""
        try:
            self.read(path)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        return 200

    def fill(self, page: str, form: dict[str, str], *, action: str = "") -> str:
        """Fill in the form of a page and send it, to the page itself or to its `action`; what comes of it."""
        token = _TOKEN.search(self.read(page))
        assert token, f"{page} has no form"
        return self.read(action or page, {**form, "csrfmiddlewaretoken": token[1]})

    def write(self, title: str, body: str) -> str:
        """Publish a post; gives its URL."""
        self.fill("/write", {"title": title, "body": body})
        return self.url

    def moderate(self, action: str) -> str:
        """Have the admin do something to the newest mention."""
        newest = _MENTION.search(self.read("/moderation"))
        assert newest, "the admin shows no mention"
        return self.fill("/admin/linkback/mention/", {"action": action, "_selected_action": newest[1]})


@pytest.fixture(scope="module")
def blog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Ends well at SIGTERM: `running` sees to that."""
    with running("django_blog", tmp_path_factory.mktemp("blog")) as url:
        yield url


@pytest.fixture
def visitor(blog: str) -> Visitor:
    return Visitor(blog)


@pytest.fixture
def owner(visitor: Visitor) -> Visitor:
    visitor.fill("/admin/login/?next=/admin/", {"username": "admin", "password": "admin"})
    return visitor


def test_an_empty_blog_says_so(visitor: Visitor) -> None:
    assert "No posts yet" in visitor.read("/")
    with pytest.raises(urllib.error.HTTPError) as caught:
        visitor.read("/posts/none/")
    with caught.value as error:
        assert (error.code, "There is no such page." in error.read().decode()) == (404, True)


def test_what_others_say_stands_with_the_comments_in_order_of_time(owner: Visitor) -> None:
    post = owner.write("Gardens on <rooftops>", "<p>What grows up there.</p>")
    assert post == f"{owner.blog}/posts/gardens-on-rooftops/"
    assert "<title>Gardens on &lt;rooftops&gt; " in owner.read(post)
    owner.fill(post, {"author": "A reader", "text": "First <b>!</b>"}, action=post + "comments")
    bodies: dict[str, str] = {}
    with served(pages(bodies)) as there:
        for name in ("one", "two"):
            bodies[f"/{name}"] = f'<title>Number {name}</title><p>I read <a href="{post}">this</a>.</p>'
            delivery = send(f"{there}/{name}", post, fetch=Fetcher(allow=LOOPBACK))
            assert delivery.outcome in ARRIVED, delivery
            eventually(lambda name=name: f"Number {name}" in owner.read(post))  # type: ignore[misc]
        page = owner.read(post)
        places = [page.index(text) for text in ("<h2>3 comments</h2>", "First &lt;b&gt;", "Number one", "Number two")]
        assert places == sorted(places)
        [reply] = re.findall(r'href="(\?reply=\d+#respond)"', page)
        parent = urllib.parse.parse_qs(reply[1:].partition("#")[0])["reply"][0]
        assert "Reply to A reader" in owner.read(post + reply)
        owner.fill(post, {"author": "B", "text": "To you.", "parent": parent}, action=post + "comments")
        page = owner.read(post)
        assert "<h2>4 comments</h2>" in page
        assert page.index("First") < page.index('<ol class="linkback-replies">') < page.index("To you.")
        assert page.index("To you.") < page.index("Number one")
        assert "4 comments" in owner.read("/")
        assert "1 mention now rejected" in owner.moderate("reject")
        assert "Number two" not in owner.read(post)
        owner.moderate("approve")
        assert "Number two" in owner.read(post)


@pytest.mark.parametrize("protocol", ["webmention", "pingback", "trackback"])
def test_each_protocol_is_heard(protocol: str, tmp_path: Path) -> None:
    bodies: dict[str, str] = {}
    with served(pages(bodies)) as there, running("django_blog", tmp_path, "--protocols", protocol) as url:
        visitor = Visitor(url)
        post = visitor.write("A post", "<p>Text.</p>")
        bodies["/a"] = f'<title>By {protocol}</title><p><a href="{post}">A post</a></p>'
        delivery = send(f"{there}/a", post, fetch=Fetcher(allow=LOOPBACK))
        assert (delivery.protocol, delivery.outcome in ARRIVED) == (protocol, True)
        eventually(lambda: f"By {protocol}" in visitor.read(post))


def test_a_held_mention_waits_for_the_owner(tmp_path: Path) -> None:
    bodies: dict[str, str] = {}
    with served(pages(bodies)) as there, running("django_blog", tmp_path, "--moderate") as url:
        owner = Visitor(url)
        owner.fill("/admin/login/?next=/admin/", {"username": "admin", "password": "admin"})
        post = owner.write("A post", "<p>Text.</p>")
        bodies["/a"] = f'<title>From far away</title><p><a href="{post}">A post</a></p>'
        send(f"{there}/a", post, fetch=Fetcher(allow=LOOPBACK))
        eventually(lambda: "From far away" in owner.read("/moderation"))
        assert "From far away" not in owner.read(post)
        owner.moderate("approve")
        assert "From far away" in owner.read(post)


def test_a_post_is_told_edited_and_taken_back(owner: Visitor) -> None:
    target = owner.write("Told", "<p>Listen.</p>")
    post = owner.write("Telling", f'<p>See <a href="{target}">Told</a>.</p>')
    eventually(lambda: "Telling" in owner.read(target))
    table = owner.read("/deliveries")
    assert table.index(post) < table.index(target) < table.index("webmention") < table.index("accepted")
    owner.fill(post + "edit", {"title": "Telling more", "body": f'<p>See <a href="{target}">Told</a> again.</p>'})
    assert owner.url == post
    assert "Telling more" in owner.read(post)
    owner.fill(post, {}, action=post + "delete")
    assert owner.url == owner.blog + "/"
    assert owner.status(post) == 410
    assert owner.status(post + "edit") == 404


def test_titles_that_are_alike_or_have_no_letters_get_addresses_of_their_own(visitor: Visitor) -> None:
    titles = ("Same", "Same", "同じ", "同じ", "🚂", "🚂")
    names = [urllib.parse.unquote(visitor.write(title, "<p>x</p>").split("/")[-2]) for title in titles]
    assert names == ["same", "same-2", "同じ", "同じ-2", "post", "post-2"]


@pytest.mark.parametrize("form", [{}, {"title": "No text"}, {"title": "x" * 300, "body": "x"}])
def test_a_form_that_is_not_filled_in_is_shown_again(visitor: Visitor, form: dict[str, str]) -> None:
    assert 'class="errorlist"' in visitor.fill("/write", form)


def test_a_post_with_too_many_links_says_so_and_is_not_kept(visitor: Visitor) -> None:
    links = "".join(f'<a href="https://bob.example/{number}">x</a>' for number in range(10_001))
    assert "the most that are told" in visitor.fill("/write", {"title": "A list", "body": links})
    assert visitor.status("/posts/a-list/") == 404


@pytest.mark.parametrize("parent", ["999999", "x", "9" * 40, "%00"])
def test_an_answer_to_nothing_is_refused(visitor: Visitor, parent: str) -> None:
    post = visitor.write("Quiet", "<p>x</p>")
    page = visitor.fill(post, {"author": "A", "text": "To whom?", "parent": parent}, action=post + "comments")
    assert "To whom?" in page
    assert "comments</h2>" not in visitor.read(post)
    assert visitor.status(f"{post}?reply={parent}") == 200


def test_a_form_without_the_token_is_refused(visitor: Visitor) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        visitor.read("/write", {"title": "Forged", "body": "x"})
    caught.value.close()
    assert caught.value.code == 403


@pytest.mark.parametrize(
    ("options", "code"),
    [(["--protocols", "smoke"], 2), (["--url", "nowhere"], 1), (["--port", "99999"], 1), (["--port", "x"], 2)],
    ids=str,
)
def test_options_that_make_no_blog_are_said_in_one_line(options: list[str], code: int, tmp_path: Path) -> None:
    command = [sys.executable, "examples/django_blog", "--port", "0", "--data", str(tmp_path), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert done.stderr.startswith("django_blog: ")
    assert done.stderr.count("\n") == 1
