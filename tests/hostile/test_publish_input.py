"""Bad input to `publish`: a clear refusal or a stated limit, and nothing half-written (issue of the outbox).

Rule: what comes here is the site owner's own page, so it is read as a browser would; but a build that went wrong hands
over anything. What is vast is made where it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from linkback.errors import Reason, Refused
from linkback.jobs import External
from linkback.model import Outcome
from linkback.policy import Outgoing
from linkback.site import Site
from linkback.testing import FakeWeb
from linkback.wire import Request, Response

S = "https://s.example/note"
AT = "https://t.example/"
T = f"{AT}post"
WM = "https://t.example/wm"
MOST = Outgoing().most_bytes
LINK = f"<a href='{T}'>this</a>"
Made = Callable[[], str | bytes]


class NoNetwork:
    """A web that nobody may ask."""

    def get(self, url: str, *, accept: str = "*/*", purpose: str = "") -> NoReturn:
        raise AssertionError(f"publishing asked for {url}")

    def send(self, request: Request) -> NoReturn:
        raise AssertionError(f"publishing sent to {request.url}")


@pytest.fixture
def site() -> Iterator[Site]:
    with Site("https://s.example", store="sqlite://", fetch=NoNetwork(), runner=External()) as site:
        yield site


def repeated(text: str) -> str:
    """As much of a text as a post may have, with a link at the end."""
    return text * ((MOST - len(LINK) - 10) // len(text)) + LINK


ODD = [
    pytest.param("<p>\ud800 words \udfff" + LINK, id="lone surrogates"),
    pytest.param(f"<title>\ud83d</title>\0\x01\x7f{LINK}", id="control characters"),
    pytest.param(LINK.encode("utf-16"), id="UTF-16"),
    pytest.param(b"<p>\xff\xfe\x80" + LINK.encode(), id="bytes of no charset"),
]
VAST = [
    pytest.param(lambda: f"<a href='https://u.example/{'x' * 4_000_000}'>1</a>{LINK}", id="a URL of 4 MB"),
    pytest.param(lambda: f"<p title='{'x' * 5_000_000}'>{LINK}", id="an attribute of 5 MB"),
    pytest.param(lambda: f"<p {' '.join(f'a{n}' for n in range(500_000))}>{LINK}", id="500,000 attributes"),
    pytest.param(lambda: f"<link class='{'u-x ' * 1_200_000}' rel=x href='{AT}'>{LINK}", id="a million classes"),
    pytest.param(lambda: repeated("<div>"), id="5 MB of nested divs"),
    pytest.param(lambda: repeated("<table>"), id="5 MB of nested tables"),
    pytest.param(lambda: repeated("<b><p>"), id="5 MB of misnested formatting"),
    pytest.param(lambda: repeated("</div>"), id="5 MB of end tags"),
    pytest.param(lambda: repeated("&#99999999999;"), id="5 MB of references to nothing"),
    pytest.param(lambda: repeated(f"<a href='{T}'>"), id="5 MB of one link"),
]


@pytest.mark.parametrize("html", ODD)
def test_a_page_however_odd_is_read_and_known_again(site: Site, html: str | bytes) -> None:
    assert [delivery.target for delivery in site.publish(S, html)] == [T]
    assert site.publish(S, html) == []


@pytest.mark.parametrize("made", VAST)
def test_a_page_however_vast_is_read_to_its_end(site: Site, made: Made) -> None:
    site.publish(S, made())
    assert T in [delivery.target for delivery in site.deliveries()]


NO_LINKS = [
    pytest.param(lambda: "<" * (MOST - 1), id="5 MB of angle brackets"),
    pytest.param(lambda: "<!--" * (MOST // 4), id="5 MB of comments that never end"),
    pytest.param(lambda: "<a " * (MOST // 3), id="5 MB of tags that never end"),
    pytest.param(lambda: "<select>" * (MOST // 8), id="5 MB of selects"),
    pytest.param(lambda: "<![CDATA[" * (MOST // 9), id="5 MB of CDATA"),
]


@pytest.mark.parametrize("made", NO_LINKS)
def test_a_page_that_never_comes_to_a_link_owes_nothing(site: Site, made: Made) -> None:
    assert site.publish(S, made()) == site.deliveries() == []


def links(count: int) -> str:
    return "".join(f"<a href='https://{number}.example/'>" for number in range(count))


TOO_MUCH = [
    pytest.param(lambda: links(5001), "more than 5,000 pages", id="one link too many"),
    pytest.param(lambda: f"<base href='https://u.example/'>{links(5001)}", "more than 5,000", id="with a base"),
    pytest.param(lambda: "é" * (MOST // 2 + 1), "bytes", id="characters of two bytes"),
    pytest.param(lambda: b"\0" * (MOST + 1), "bytes", id="zeros"),
    pytest.param(lambda: LINK + " " * 50_000_000, "50,0", id="50 MB after a link"),
]


@pytest.mark.parametrize(("made", "why"), TOO_MUCH)
def test_what_is_refused_leaves_what_was_owed_as_it_was(site: Site, made: Made, why: str) -> None:
    before = site.publish(S, LINK)
    with pytest.raises(Refused, match=why) as caught:
        site.publish(S, made())
    assert caught.value.reason is Reason.TOO_LARGE
    assert site.deliveries() == before
    assert site.publish(S, LINK) == [], "the post counts as it was before"


NOTHING = [
    pytest.param("", id="nothing"),
    pytest.param(b"", id="no bytes"),
    pytest.param(" \n\t\ufeff", id="blanks"),
    pytest.param(b"\0" * 1000, id="zeros"),
]


@pytest.mark.parametrize("html", NOTHING)
def test_nothing_at_all_is_no_post(html: str | bytes) -> None:
    """A template that failed must not tell every page that the link to it is gone; `unpublish` is how to say that."""
    listening = Response(200, (("Content-Type", "text/html"), ("Link", f"<{WM}>; rel=webmention")))
    web = FakeWeb({T: listening, WM: Response(202)})
    with Site("https://s.example", store="sqlite://", fetch=web, runner=External()) as site:
        site.publish(S, LINK)
        site.drain()
        [told] = site.deliveries()
        assert told.outcome is Outcome.ACCEPTED
        with pytest.raises(Refused):
            site.publish(S, html)
        assert site.deliveries() == [told]
