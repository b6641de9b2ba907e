"""What the fakes promise to whoever tests with them: to behave like the real thing where it matters."""

from __future__ import annotations

import doctest

import pytest

import linkback.testing
from linkback.errors import Blocked, TooManyRedirects, Unreachable
from linkback.testing import FakeClock, FakeWeb, unreachable
from linkback.wire import Request, Response

A = "https://a.example/"


def redirect(status: int, location: str) -> Response:
    return Response(status, (("Location", location),))


def test_the_examples_in_its_docstrings_run() -> None:
    assert doctest.testmod(linkback.testing).failed == 0


def test_text_is_answered_as_a_page() -> None:
    response = FakeWeb({A: "<p>é</p>"}).get(A)
    assert (response.status, response.url, response.content_type) == (200, A, "text/html")
    assert response.body.decode() == "<p>é</p>"


def test_a_response_is_given_as_it_is_but_for_where_it_was_found() -> None:
    response = FakeWeb({A: Response(500, (("X", "y"),), b"body", "https://elsewhere.example/", truncated=True)}).get(A)
    assert response == Response(500, (("X", "y"),), b"body", A, truncated=True)


def test_an_exception_is_raised() -> None:
    with pytest.raises(Unreachable, match="connection refused"):
        FakeWeb({A: unreachable(A)}).get(A)


def test_a_function_is_asked() -> None:
    web = FakeWeb({A: lambda request: Response(202, body=request.body)})
    assert web.send(Request("POST", A, body=b"hello")).body == b"hello"


def test_what_is_not_there_is_404() -> None:
    assert FakeWeb().get(A).status == 404


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("https://a.example", A),
        ("HTTPS://A.example:443/#top", A),
        pytest.param("https://bücher.example/é", "https://xn--bcher-kva.example/%C3%A9", id="VB-73"),
    ],
)
def test_urls_are_asked_for_as_they_go_on_the_wire(asked: str, sent: str) -> None:
    """However a page's URL is written, it is the same page."""
    web = FakeWeb({asked: "found"})
    assert web.get(asked).status == 200
    assert web.get(sent).url == sent
    assert web.requested == [sent, sent]


def test_requests_tell_what_they_came_for() -> None:
    web = FakeWeb()
    web.get(A, accept="text/html", purpose="verifying")
    web.send(Request("POST", A))
    [get, post] = web.requests
    assert (get.header("Accept"), get.header("User-Agent")) == ("text/html", "linkback (verifying)")
    assert web.posts == [post]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_get_follows_redirects(status: int) -> None:
    web = FakeWeb({A: redirect(status, "/b#x"), A + "b": "here"})
    response = web.get(A)
    assert (response.url, response.redirects, response.body) == (A + "b", (A,), b"here")
    assert web.requested == [A, A + "b"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_post_is_sent_again_where_it_is_redirected(status: int) -> None:
    """protocols.md B-16; VB-33."""
    web = FakeWeb({A: redirect(status, "/b"), A + "b": Response(202)})
    assert web.send(Request("POST", A, body=b"ping")).status == 202
    assert [(post.url, post.body) for post in web.posts] == [(A, b"ping"), (A + "b", b"ping")]


def test_a_303_is_the_answer_to_a_post() -> None:
    """VB-34, VB-59."""
    web = FakeWeb({A: redirect(303, "/b")})
    assert web.send(Request("POST", A)).status == 303
    assert web.requested == [A]


def test_redirects_end_after_five() -> None:
    web = FakeWeb({A: redirect(302, A)})
    with pytest.raises(TooManyRedirects, match="more than 5"):
        web.get(A)
    assert len(web.requests) == 6


def test_a_redirect_must_lead_somewhere() -> None:
    with pytest.raises(TooManyRedirects, match="nowhere"):
        FakeWeb({A: Response(302)}).get(A)


@pytest.mark.parametrize("url", ["ftp://a.example/", "https://u:p@a.example/", "no url"])
def test_only_the_web_is_asked(url: str) -> None:
    web = FakeWeb({url: "secret", A: redirect(302, url if "://" in url else "https://")})
    with pytest.raises(Blocked) as caught:
        web.get(url)
    assert not caught.value.sent
    with pytest.raises(Blocked) as caught:
        web.send(Request("POST", A))
    assert caught.value.sent
    assert web.requested == [A]


def test_the_clock_moves_only_when_told_to() -> None:
    clock = FakeClock()
    before = clock()
    assert clock() == before
    clock.advance(1.5)
    assert (clock() - before).total_seconds() == 1.5
    assert before.tzinfo is not None
