"""What a stranger finds who wants to tell a blog something: the steps `page`, `endpoints` and `reachable`."""

from __future__ import annotations

import errno
import itertools
import json
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from linkback import sender, urls
from linkback.errors import BadStatus, FetchError, Refused, TimedOut
from linkback.explain import Fact, Step, Verdict
from linkback.model import Endpoints
from linkback.ownpages import OwnPages
from linkback.page import Page
from linkback.protocols import BUILTIN
from linkback.wire import Fetch

NO_BLOG = "no blog was named"
#: how many posts are looked at where the blog's own address advertises nothing
_MOST_POSTS = 3
_GONE = frozenset({404, 410})
#: where endpoints stand unless their host moved them, and what they answer there
_HEALTH = "linkback/healthz"
_TURNED_AWAY = frozenset({401, 403, 407, 451})
_NETWORK_TROUBLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})
#: the worst first
_GRAVITY = (Verdict.NO, Verdict.LATER, Verdict.WARN, Verdict.YES)


@dataclass(frozen=True, slots=True)
class Visit:
    """A page as it was read, between two looks at our clock."""

    page: Page
    endpoints: Endpoints
    asked: datetime
    answered: datetime


class _HostFailed(Exception):
    """The host's own `resolve` raised, as it does where its database is away."""

    def __init__(self, url: str, error: Exception) -> None:
        words = str(error).strip().partition("\n")[0]
        super().__init__(f"resolve, the blog's own function, failed for {url}: {type(error).__name__}: {words}")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Looks at the pages of blogs by `fetch`; `clock` gives the present, aware; `command` is for the advice."""

    fetch: Fetch
    clock: Callable[[], datetime]
    command: str = "linkback"

    def blog(self, blog: OwnPages) -> tuple[list[Step], Visit | None]:
        """The three steps of a blog, at its own address, with the visit there where it was one.

        A blog may have no page there, or one that is no post: where its endpoints stand, that is a warning.
        """
        page, visit = self._page(blog, blog.url)
        if visit is None:
            page = self._no_front_page(blog, page)
            why = "no page was looked at" if page.verdict is Verdict.WARN else "the page could not be read"
            return [page, *skipped(why)[1:]], None
        response = visit.page.response
        if not blog.owns(response.url):
            why = f"{blog.url} leads to {response.url}, which is no page of this blog: is its address right?"
            page = Step("page", Verdict.WARN, why, page.facts)
        try:
            posts = list(itertools.islice(_posts(blog, visit.page), _MOST_POSTS)) if not visit.endpoints else []
            advertising = self._advertising(visit, posts)
            advertised = _advertised(blog, advertising)
            if not advertising.endpoints:
                advertised = self._none_advertised(blog, visit, posts, advertised)
        except _HostFailed as failure:
            why = f"{blog.url} advertises no endpoint, and its posts cannot be looked at: {failure}"
            unknown = Step("endpoints", Verdict.NO, why)
            return [page, unknown, *skipped("no post could be looked at")[2:]], visit
        return [page, advertised, self._reachable(advertising.endpoints)], visit

    def post(self, blog: OwnPages, url: str) -> tuple[list[Step], Visit | None]:
        """The three steps of a blog, at one of its posts and nowhere else."""
        try:
            if why := _refusal(blog, url):
                no = Step("page", Verdict.NO, f"{url} takes no mentions: {why}", {"site": blog.url})
                return [no, *skipped("the page takes no mentions")[1:]], None
        except _HostFailed as failure:
            no = Step("page", Verdict.NO, str(failure), {"site": blog.url})
            return [no, *skipped("nobody knows whether the page takes mentions")[1:]], None
        page, visit = self._page(blog, url)
        if visit is None:
            return [page, *skipped("the page could not be read")[1:]], None
        return [page, _advertised(blog, visit), self._reachable(visit.endpoints)], visit

    def _page(self, blog: OwnPages, url: str) -> tuple[Step, Visit | None]:
        try:
            visit = self._visit(url)
        except FetchError as error:
            failed: dict[str, Fact] = {"site": blog.url}
            if isinstance(error, BadStatus):
                failed["status"] = error.status
            return Step("page", _verdict(error), f"{url}: {error.message}", failed), None
        response = visit.page.response
        facts: dict[str, Fact] = {"site": blog.url, "status": response.status, "redirects": response.redirects}
        return Step("page", Verdict.YES, f"{url} answers", facts), visit

    def _visit(self, url: str) -> Visit:
        asked = self.clock()
        endpoints, response = sender.look(self.fetch, url, BUILTIN)
        return Visit(Page(response), endpoints, asked, self.clock())

    def _advertising(self, home: Visit, posts: Iterable[str]) -> Visit:
        """The first of some posts that advertises endpoints; the blog's own address where it does or none does."""
        for url in posts:
            try:
                visit = self._visit(url)
            except FetchError:
                continue
            if visit.endpoints:
                return visit
        return home

    def _no_front_page(self, blog: OwnPages, page: Step) -> Step:
        """The step `page` where the blog's own address could not be read."""
        if page.facts.get("status") not in _GONE:
            return page
        if self._stands(blog):
            why = f"{blog.url} answers {page.facts['status']}, and no other page was looked at: {self._name_a_post}"
            return replace(page, verdict=Verdict.WARN, summary=why)
        return replace(page, summary=f"{page.summary}; if the blog has no page there, {self._name_a_post}")

    def _none_advertised(self, blog: OwnPages, home: Visit, posts: Sequence[str], found: Step) -> Step:
        """The step `endpoints` where neither the blog's own address nor a post that it links to advertises any."""
        why = found.summary
        if posts:
            why = f"neither {home.endpoints.url} nor a post that it links to advertises an endpoint"
        elif _refusal(blog, blog.url):
            if any(_own_links(blog, home.page)):
                why = f"{why}; resolve knows it as no post, nor any page of the blog that it links to"
            elif self._stands(blog):
                why = f"{blog.url} is no post and links to none, and no other page was looked at: {self._name_a_post}"
                return replace(found, verdict=Verdict.WARN, summary=why)
        return replace(found, summary=f"{why}; if other posts do, {self._name_a_post}")

    @property
    def _name_a_post(self) -> str:
        return f"name a post, {self.command} doctor --page URL"

    def _stands(self, blog: OwnPages) -> bool:
        """Whether endpoints answer where they usually are: under the blog's address, or at the root of its host."""
        return any(
            self._is_healthy(url)
            for url in dict.fromkeys((urls.resolve(_HEALTH, blog.url), urls.resolve(f"/{_HEALTH}", blog.url)))
        )

    def _is_healthy(self, url: str | None) -> bool:
        try:
            answer = self.fetch.get(url, accept="application/json", purpose="checking the endpoint") if url else None
            return answer is not None and answer.status == 200 and json.loads(answer.body) == {"status": "ok"}
        except (FetchError, ValueError):
            return False

    def _reachable(self, endpoints: Endpoints) -> Step:
        """Whether each endpoint answers; to a GET one may say what it likes, but not that it is not there."""
        if not endpoints:
            return Step("reachable", Verdict.SKIPPED, "there is no endpoint to reach")
        tried = {name: self._try(each.url) for name, each in endpoints.found.items()}
        worst = min((verdict for verdict, _ in tried.values()), key=_GRAVITY.index)
        facts: dict[str, Fact] = {
            "answers": tuple(f"{name} {endpoints.found[name].url}: {words}" for name, (_, words) in tried.items())
        }
        if worst is Verdict.YES:
            return Step("reachable", worst, "every endpoint answers", facts)
        trouble = [f"{name}: {words}" for name, (verdict, words) in tried.items() if verdict is not Verdict.YES]
        return Step("reachable", worst, "; ".join(trouble), facts)

    def _try(self, url: str) -> tuple[Verdict, str]:
        try:
            status = self.fetch.get(url, purpose="checking the endpoint").status
        except FetchError as error:
            return _verdict(error), error.message
        if status in _GONE:
            return Verdict.NO, f"it answered {status}: nothing listens there"
        if status >= 500:
            broken = "what listens there is broken, or the proxy before it finds nobody"
            return Verdict.NO, f"it answered {status}: {broken}"
        if status in BadStatus.TEMPORARY:
            return Verdict.LATER, f"it answered {status}"
        if status in _TURNED_AWAY:
            return Verdict.WARN, f"it answered {status}: are strangers turned away?"
        return Verdict.YES, f"it answered {status}"


def skipped(why: str) -> list[Step]:
    """The three steps where there is nothing to look at."""
    return [Step(name, Verdict.SKIPPED, why) for name in ("page", "endpoints", "reachable")]


def _posts(blog: OwnPages, home: Page) -> Iterator[str]:
    return (url for url in _own_links(blog, home) if not _refusal(blog, url))


def _own_links(blog: OwnPages, home: Page) -> Iterator[str]:
    """The pages that may be the blog's and that its own address links to, each once."""
    seen = {blog.url, urls.without_fragment(home.url)}
    for link in home.links():
        url = urls.without_fragment(link.url)
        if url not in seen and blog.owns(urls.canonical(url) or url):
            yield url
        seen.add(url)


def _refusal(blog: OwnPages, url: str) -> str:
    """Why a URL is no page that takes mentions; "" where it is one."""
    try:
        blog.find(url)
    except Refused as refusal:
        return refusal.detail or refusal.reason.value
    except Exception as error:
        # the host's own function, which asks whatever it likes
        raise _HostFailed(url, error) from error
    return ""


def _advertised(blog: OwnPages, visit: Visit) -> Step:
    endpoints = visit.endpoints
    facts: dict[str, Fact] = {
        "page": endpoints.url,
        "found": tuple(f"{name} {each.url} ({each.via.value})" for name, each in endpoints.found.items()),
        "rejected": tuple(f"{no.protocol} {no.url} ({no.via.value}): {no.why}" for no in endpoints.rejected),
    }
    if not endpoints:
        why = f"{endpoints.url} advertises no endpoint, so nobody knows where to send"
        return Step("endpoints", Verdict.NO, why, facts)
    strangers = [each.url for each in endpoints.found.values() if not _is_ours(blog, each.url)]
    if strangers:
        why = f"not on the blog's own host: {', '.join(strangers)}; what is sent there may not come here"
        return Step("endpoints", Verdict.WARN, why, facts)
    return Step("endpoints", Verdict.YES, f"{endpoints.url} advertises {', '.join(endpoints.found)}", facts)


def _is_ours(blog: OwnPages, url: str) -> bool:
    return urls.host(url).removeprefix("www.") in blog.hosts


def _verdict(error: FetchError) -> Verdict:
    """Trouble on the way may pass; a server that refuses or fails is what we were asked to find."""
    cause = error.__cause__
    on_the_way = (
        isinstance(error, TimedOut)
        or (isinstance(error, BadStatus) and error.status in BadStatus.TEMPORARY)
        or (isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_AGAIN)
        or (isinstance(cause, OSError) and cause.errno in _NETWORK_TROUBLE)
    )
    return Verdict.LATER if on_the_way else Verdict.NO
