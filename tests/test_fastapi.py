"""FastAPI: what one call puts on an application, the dependency, and a blog that is awaited."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gzip
import importlib
import re
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route

from linkback import Claim, ConfigurationError, Policy, Site, Sites, Status, StoreError, open_store, startup
from linkback.adapters import asgi
from linkback.adapters import fastapi as adapter
from linkback.adapters.fastapi import AsyncSite, current_site, install
from linkback.adapters.pool import THREADS
from linkback.fetch import Fetcher
from linkback.jobs import External
from linkback.startup import Trouble
from linkback.testing import FakeWeb
from linkback.verbs import find_endpoints
from linkback.web.render import Comment
from tests import clients, signposting
from tests.asgi_serving import fields, scope_of, served_by_uvicorn, talk
from tests.serving import LOOPBACK, eventually

GUIDE = Path(__file__).parent.parent / "docs/guides/fastapi.md"
SOURCE, TARGET = "https://s.example/note", "https://t.example/post"
QUICK = Policy(settle_seconds=0, recheck_days=0)
Blog = Annotated[AsyncSite, Depends(current_site)]


@pytest.fixture
def site() -> Iterator[Site]:
    web = FakeWeb({SOURCE: f"<title>A note</title><a href='{TARGET}'>x</a>"})
    with Site("https://t.example", store="sqlite://", fetch=web, runner=External(), policy=QUICK) as site:
        yield site


def installed(site: Site | Sites, **options: Any) -> FastAPI:
    app = FastAPI(**options)
    install(app, site)
    return app


async def answer(request: Request) -> Response:
    """The small host of `signposting`, by FastAPI's own responses."""
    page = signposting.PAGES[request.url.path]
    made: Response = Response(page.body, page.status)
    if page.streamed:
        made = StreamingResponse(iter(page.chunks), page.status)
    made.headers["content-type"] = page.type
    for name, value in page.headers:
        made.headers.append(name, value)
    return made


@pytest.fixture(scope="module")
def host_url() -> Iterator[str]:
    site = Site(signposting.SITE, store="sqlite://", fetch=FakeWeb(), runner=External(), resolve=signposting.resolve)
    app = installed(site)
    for path in signposting.PAGES:
        app.add_api_route(path, answer, methods=["GET", "HEAD", "POST"])
    with site, served_by_uvicorn(app, lifespan="off") as url:
        yield url


@signposting.cases
def test_the_host_s_answers_carry_signposts_where_they_belong(host_url: str, case: signposting.Case) -> None:
    signposting.check(host_url, case)


def read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=40) as response:
        data: bytes = response.read()
        return data


def test_the_endpoints_answer_and_the_schema_does_not_show_them(site: Site) -> None:
    app = installed(site)

    @app.get("/post")
    def post() -> str:
        return "a post"

    with served_by_uvicorn(app, lifespan="off") as url:
        assert read(f"{url}/linkback/healthz") == b'{"status": "ok"}\n'
    assert list(app.openapi()["paths"]) == ["/post"]


async def unchanged(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    return await call_next(request)


MIDDLEWARE = {
    "a function": (Middleware(BaseHTTPMiddleware, dispatch=unchanged), True),
    "compression": (Middleware(GZipMiddleware, minimum_size=1), False),
}


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("outside", [True, False], ids=["outside", "inside"])
@pytest.mark.parametrize(("other", "adds"), MIDDLEWARE.values(), ids=MIDDLEWARE.keys())
def test_other_middleware_may_stand_on_either_side(
    site: Site, other: Middleware, adds: bool, outside: bool, streamed: bool
) -> None:
    """What stands inside and packs the body leaves no room for a tail; the headers say the rest."""
    app = FastAPI()
    if not outside:
        app.add_middleware(other.cls, *other.args, **other.kwargs)
    install(app, site)
    if outside:
        app.add_middleware(other.cls, *other.args, **other.kwargs)
    path = "/streamed" if streamed else "/post"
    app.add_api_route(path, answer)
    headers = [(b"host", b"t.example"), (b"accept-encoding", b"gzip")]
    first, *rest = talk(app, scope_of(path, headers=headers))
    whole = b"".join(message["body"] for message in rest)
    assert fields(first).get("content-length", str(len(whole))) == str(len(whole))
    if fields(first).get("content-encoding") == "gzip":
        whole = gzip.decompress(whole)
    page = signposting.PAGES[path].body
    found = find_endpoints(f"https://t.example{path}", [(name, value) for name, value in fields(first).items()], whole)
    assert whole[: len(page)] == page
    assert set(found.found) == {"webmention", "pingback"} | ({"trackback"} if adds or outside else set())


def test_an_application_has_one_blog(site: Site) -> None:
    app = installed(site)
    with pytest.raises(ConfigurationError, match="already"):
        install(app, site)


def routed(*paths: str, within: str = "") -> APIRouter:
    router = APIRouter(prefix=within)
    for path in paths:
        router.add_api_route(path, answer)
    return router


def with_mounted(path: str, *inside: str) -> FastAPI:
    app = FastAPI()
    app.mount(path, Starlette(routes=[Route(each, answer) for each in inside]))
    return app


def with_included(*routers: APIRouter) -> FastAPI:
    app = FastAPI()
    for router in routers:
        app.include_router(router)
    return app


SHADOWED = {
    "/linkback/stats": lambda: with_included(routed("/linkback/stats")),
    "/linkback/{name}": lambda: with_included(routed("/{name}", within="/linkback")),
    "/linkback/": lambda: with_mounted("/linkback"),
    "/linkback/about": lambda: with_mounted("/", "/linkback/about"),
}


@pytest.mark.parametrize(("path", "made"), SHADOWED.items())
def test_a_route_that_would_never_be_asked_for_is_refused_at_once(
    site: Site, path: str, made: Callable[[], FastAPI]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        install(made(), site)
    assert str(caught.value).startswith(f"{path} would never be asked for")
    install(made(), site, prefix="/elsewhere")


def test_a_route_that_comes_under_the_endpoints_later_is_a_warning_at_the_start(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    app = installed(site)
    app.include_router(routed("/stats", within="/linkback"))

    async def live() -> None:
        async with app.router.lifespan_context(app):
            pass

    asyncio.run(live())
    assert [record.getMessage() for record in caplog.records] == [
        "/linkback/stats would never be asked for, as the endpoints stand there: give install another prefix="
    ]


def test_routes_beside_the_endpoints_and_those_for_any_path_are_the_host_s_own(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    app = with_included(routed("/linkback", "/linkbacks/x", "/{path:path}"))
    app.mount("/static", Starlette())
    install(app, site)
    assert caplog.records == []


@pytest.mark.parametrize("prefix", ["", "/"])
def test_a_prefix_that_would_take_every_page_is_refused_at_once(site: Site, prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="prefix"):
        install(FastAPI(), site, prefix=prefix)


def test_an_error_handler_of_the_application_does_not_answer_senders(site: Site) -> None:
    app = installed(site)

    @app.exception_handler(404)
    @app.exception_handler(Exception)
    def sorry(request: Request, error: Exception) -> HTMLResponse:
        return HTMLResponse("<h1>sorry</h1>", 404)

    first, last = talk(app, scope_of("/linkback/nothing", headers=[(b"host", b"t.example")]))
    assert (first["status"], fields(first)["content-type"]) == (404, "text/plain; charset=utf-8")
    assert b"sorry" not in last["body"]


def test_the_lifespan_stands_within_the_application_s_own(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hook uses is opened before any work and let go after the last."""
    events: list[str] = []
    monkeypatch.setattr(site, "start", lambda: events.append("work begins"))
    monkeypatch.setattr(site, "close", lambda: events.append("closed"))

    @contextlib.asynccontextmanager
    async def own(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        events.append("host begins")
        yield {"said": "hello"}
        events.append("host ends")

    app = installed(site, lifespan=own)

    @app.get("/state")
    def state(request: Request) -> str:
        events.append("asked")
        said: str = request.state.said
        return said

    with served_by_uvicorn(app, lifespan="on") as url:
        assert read(f"{url}/state") == b'"hello"'
    # the first request of a process begins the work as well, where nobody runs a lifespan
    assert events == ["host begins", "work begins", "work begins", "asked", "closed", "host ends"]


def starlette(site: Site) -> Starlette:
    app = Starlette()
    install(app, site)
    return app


ENDING: dict[str, Callable[[Site], asgi.ASGIApp]] = {
    "FastAPI": installed,
    "Starlette": starlette,
    "the lifespan alone": lambda site: Starlette(lifespan=asgi.lifespan(site)),
}


@pytest.mark.parametrize("made", ENDING.values(), ids=ENDING.keys())
def test_the_blog_is_closed_when_the_server_ends(site: Site, made: Callable[[Site], asgi.ASGIApp]) -> None:
    with served_by_uvicorn(made(site), lifespan="on"):
        assert site.mentions() == []
    with pytest.raises(StoreError):
        site.mentions()


def test_each_trouble_is_logged_once_when_the_application_starts(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = [Trouble("worker", "nobody works", "start one"), Trouble("database", "it is locked", "see it")]
    monkeypatch.setattr(startup, "of_records", lambda site, worker: found)
    with served_by_uvicorn(installed(site), lifespan="on") as url:
        read(f"{url}/linkback/healthz")
    assert [record.message for record in caplog.records if record.name == startup.__name__] == [
        str(each) for each in found
    ]


def test_a_view_awaits_the_blog(site: Site) -> None:
    app = installed(site)

    @app.get("/post", response_class=HTMLResponse)
    async def post(site: Blog) -> str:
        return await site.thread(TARGET, [Comment("Ann", "Well said.", datetime(2001, 1, 1, tzinfo=UTC))])

    site.receive(Claim("webmention", SOURCE, TARGET))
    site.drain()
    with served_by_uvicorn(app, lifespan="off") as url:
        page = read(f"{url}/post").decode()
    assert page.index("Well said.") < page.index("A note")


def test_of_many_blogs_a_view_gets_the_one_that_the_request_is_for() -> None:
    store = open_store("sqlite://")
    blogs = [Site(url, store=store, runner=External()) for url in ("https://a.example/", "https://b.example/")]
    with Sites(blogs, store=store, runner=External()) as sites:
        app = installed(sites)

        @app.get("/whose")
        async def whose(blog: Blog) -> str:
            return blog.site.url

        answers = {
            name: talk(app, scope_of("/whose", query_string=b"a=1", headers=[(b"host", name.encode())]))
            for name in ("a.example", "b.example", "c.example")
        }
    assert answers["a.example"][1]["body"] == b'"https://a.example/"'
    assert answers["b.example"][1]["body"] == b'"https://b.example/"'
    assert answers["c.example"][0]["status"] == 404


def test_a_view_of_a_mounted_application_gets_the_blog_too(site: Site) -> None:
    app, inner = installed(site), FastAPI()
    app.mount("/inner", inner)

    @inner.get("/whose")
    def whose(blog: Blog) -> str:
        return blog.site.url

    assert talk(app, scope_of("/inner/whose"))[1]["body"] == b'"https://t.example/"'


def test_a_view_of_an_application_without_a_blog_is_told_so() -> None:
    app = FastAPI()

    @app.get("/whose")
    def whose(blog: Blog) -> str:
        return blog.site.url

    with pytest.raises(ConfigurationError, match="install"):
        talk(app, scope_of("/whose"))


class Gated:
    """A store whose every call waits, once `shut`, until the gate is opened."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.gate = threading.Event()
        self.gate.set()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def waiting(*arguments: Any, **options: Any) -> Any:
            assert self.gate.wait(30), "nobody opened the gate"
            return found(*arguments, **options)

        return waiting


HTML = f"<a href='{SOURCE}'>x</a>"
# what is awaited, and what of its result tells that the call was made
CALLS: dict[str, tuple[Callable[[AsyncSite], Awaitable[Any]], Callable[[Any], Any], Any]] = {
    "publish": (lambda site: site.publish(TARGET, HTML), lambda owed: [each.target for each in owed], [SOURCE]),
    "unpublish": (lambda site: site.unpublish(TARGET), list, []),
    "deliveries": (lambda site: site.deliveries(TARGET), list, []),
    "mentions": (lambda site: site.mentions(TARGET), lambda found: [each.title for each in found], ["A note"]),
    "all mentions": (lambda site: site.mentions(statuses=None), len, 1),
    "thread": (lambda site: site.thread(TARGET, language="de"), lambda html: 'id="mention-1"' in html, True),
    "count": (lambda site: site.count(TARGET, [Comment("Ann", "Yes.", datetime(2001, 1, 1))]), int, 2),
    "moderate": (lambda site: site.moderate("1", Status.SPAM), lambda mention: mention.status, Status.SPAM),
    "recheck": (lambda site: site.recheck("1"), bool, True),
    "claim": (lambda site: site.claim("no such"), lambda found: found, None),
}


@pytest.mark.parametrize(("call", "told", "expected"), CALLS.values(), ids=CALLS.keys())
def test_the_loop_runs_on_while_a_call_waits_for_the_store(call: Any, told: Any, expected: Any) -> None:
    store = Gated(open_store("sqlite://"))
    web = FakeWeb({SOURCE: f"<title>A note</title><a href='{TARGET}'>x</a>"})
    site = Site("https://t.example", store=store, fetch=web, runner=External(), policy=QUICK)
    site.receive(Claim("webmention", SOURCE, TARGET))
    site.drain()

    async def watched() -> Any:
        store.gate.clear()
        waiting = asyncio.create_task(call(AsyncSite(site)))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
        store.gate.set()
        return await waiting

    with site:
        assert told(asyncio.run(watched())) == expected


def test_many_posts_are_published_at_once_that_show_their_threads() -> None:
    """More than there are threads of any kind: each is fetched from this very process, which needs some to show it."""
    app = FastAPI()
    with (
        concurrent.futures.ThreadPoolExecutor(40) as people,
        served_by_uvicorn(app, lifespan="off") as url,
        Site(url, store="sqlite://", fetch=Fetcher(allow=LOOPBACK), runner=External(), resolve=str) as site,
    ):
        install(app, site)

        @app.get("/posts/{number}", response_class=HTMLResponse)
        async def post(number: int, blog: Blog) -> str:
            return HTML + await blog.thread(f"{url}/posts/{number}", empty=True)

        @app.put("/posts/{number}")
        async def save(number: int, blog: Blog) -> int:
            return len(await blog.publish(f"{url}/posts/{number}"))

        def saved(number: int) -> bytes:
            request = urllib.request.Request(f"{url}/posts/{number}", method="PUT")
            with urllib.request.urlopen(request, timeout=60) as response:
                told: bytes = response.read()
                return told

        assert set(people.map(saved, range(40))) == {b"1"}


def test_what_was_to_be_recorded_is_recorded_though_nobody_waits_for_it_any_more() -> None:
    """Also where it had not begun, as all threads were busy."""
    store = Gated(open_store("sqlite://"))
    with Site("https://t.example", store=store, fetch=FakeWeb(), runner=External()) as site:

        async def given_up() -> None:
            store.gate.clear()
            tasks = [
                asyncio.create_task(AsyncSite(site).publish(f"https://t.example/{number}", HTML))
                for number in range(THREADS + 1)
            ]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(given_up())
        store.gate.set()
        eventually(lambda: len(site.deliveries()) == THREADS + 1)


def test_the_guide_integrates_in_six_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines that its first example marks as linkback's, and an application that works with them."""
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)[0]
    ours = [line for line in code.splitlines() if re.search(r"#\s*\d$", line)]
    assert 1 <= len(ours) <= 6
    assert [line[-1] for line in ours] == [str(number) for number in range(1, len(ours) + 1)]
    names: dict[str, Any] = {}
    exec(compile(code, str(GUIDE), "exec"), names)
    with served_by_uvicorn(names["app"], lifespan="on") as url, urllib.request.urlopen(f"{url}/posts/hello/") as page:
        assert page.headers["x-pingback"] == "https://bob.example/linkback/pingback"


def test_without_the_framework_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    with pytest.raises(ConfigurationError, match=r"linkback\[fastapi\]"):
        importlib.reload(adapter)


def test_a_client_is_known_by_what_the_server_says_and_by_no_header() -> None:
    """protocols.md C-8"""
    policy = clients.ONCE
    with Site("https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), policy=policy) as site:
        clients.check(clients.through_asgi(installed(site), "/linkback/webmention"), TARGET)
