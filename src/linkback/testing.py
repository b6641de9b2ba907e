"""A small web in memory and a clock that stands still, for our tests and for those of whoever imports linkback.

>>> web = FakeWeb({"https://alice.example/": "<a href='https://bob.example/post'>hi</a>"})
>>> web.get("https://alice.example/").status
200
>>> web.requested
['https://alice.example/']
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from linkback import urls
from linkback.errors import Blocked, FetchError, TooManyRedirects, Unreachable
from linkback.wire import FOLLOWED_BY_GET, FOLLOWED_BY_POST, HeadersLike, Request, Response, as_headers

#: what a URL answers: HTML, a whole response, an exception to raise, or a function of the request
Answering = str | Response | Exception | Callable[[Request], Response]

_HTML = (("Content-Type", "text/html; charset=utf-8"),)
_MOST_REDIRECTS = 5


class FakeWeb:
    """Plays the part of a `Fetcher`: `pages` maps URLs to what they answer; any other URL answers 404.

    Like the real one it asks for URLs as they go on the wire, without fragment, follows redirects, and raises `Blocked`
    for what is no http(s) URL. It guards no addresses: put a `Blocked` in `pages` for that. `requested` lists the URLs
    asked for, in order; `requests` the requests themselves.
    """

    def __init__(self, pages: Mapping[str, Answering] | None = None) -> None:
        self.pages: dict[str, Answering] = dict(pages or {})
        self.requests: list[Request] = []

    @property
    def requested(self) -> list[str]:
        """The URLs asked for, in order, redirects included."""
        return [request.url for request in self.requests]

    @property
    def posts(self) -> list[Request]:
        """The POSTs among the requests."""
        return [request for request in self.requests if request.method == "POST"]

    def get(self, url: str, *, accept: str = "*/*", purpose: str = "", headers: HeadersLike = ()) -> Response:
        """GET a page, following redirects; raises what its URL was told to raise."""
        fields = (("Accept", accept), ("User-Agent", f"linkback ({purpose})"), *as_headers(headers))
        return self._run(Request("GET", url, fields), FOLLOWED_BY_GET)

    def send(self, request: Request) -> Response:
        """Deliver one POST; redirects other than 303 get the same request again."""
        return self._run(request, FOLLOWED_BY_POST)

    def _run(self, request: Request, followed: frozenset[int]) -> Response:
        first, asked = request.url, list[str]()
        request = replace(request, url=_admitted(first, sent=False))
        try:
            while True:
                asked.append(request.url)
                response = self._answer(request)
                if response.status not in followed:
                    return replace(response, url=request.url, redirects=tuple(asked[:-1]))
                location = response.header("Location")
                if not location or len(asked) > _MOST_REDIRECTS:
                    message = f"more than {_MOST_REDIRECTS} redirects" if location else "a redirect that leads nowhere"
                    raise TooManyRedirects(first, message, sent=True)
                request = replace(request, url=_admitted(location, request.url, sent=True))
        except FetchError as error:
            error.onward = tuple(asked[1:])
            raise

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        answer = next((answer for url, answer in self.pages.items() if _on_the_wire(url) == request.url), Response(404))
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            return Response(200, _HTML, answer.encode())
        return answer if isinstance(answer, Response) else answer(request)


def _on_the_wire(url: str) -> str:
    parsed = urls.parse(url)
    return parsed.href if parsed else url


def _admitted(url: str, base: str | None = None, *, sent: bool) -> str:
    parsed = urls.parse(urls.clean(url), base)
    if parsed is None or not parsed.is_web:
        raise Blocked(url, "only http and https URLs are fetched", sent=sent)
    return parsed.href


def unreachable(url: str) -> Unreachable:
    """An answer for `FakeWeb`: nobody is there."""
    return Unreachable(url, "connection refused")


class FakeClock:
    """A clock for `Site(clock=…)` that moves only when told to; `now` is the aware time it begins at.

    >>> clock = FakeClock(datetime(2024, 5, 6, tzinfo=UTC))
    >>> clock.advance(90)
    >>> clock().isoformat()
    '2024-05-06T00:01:30+00:00'
    """

    def __init__(self, now: datetime = datetime(2024, 1, 1, 12, 0, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let some seconds pass."""
        self.now += timedelta(seconds=seconds)
