"""The ASGI edge: the same promises as WSGI's over real sockets, and what only ASGI has, message by message."""

from __future__ import annotations

import asyncio
import concurrent.futures
import http.client
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from linkback import Claim, ConfigurationError, Policy, Site, Sites, StoreError, open_store
from linkback.adapters import asgi
from linkback.adapters.asgi import ASGIApp, LinkbackMiddleware, Message, Receive, Scope, Send, around, endpoints
from linkback.adapters.pool import THREADS
from linkback.fetch import Fetcher
from linkback.jobs import External
from linkback.protocols import BUILTIN, Protocol
from linkback.testing import FakeWeb
from linkback.verbs import find_endpoints
from tests import clients, signposting
from tests.asgi_serving import fields, scope_of, served_by_uvicorn, talk
from tests.serving import LOOPBACK, eventually, pages, served

QUICK = Policy(settle_seconds=0, recheck_days=0)
HTML = (b"content-type", b"text/html; charset=utf-8")
PATHSEND: dict[str, Any] = {"http.response.pathsend": {}}


@pytest.fixture
def site() -> Iterator[Site]:
    with Site("https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), policy=QUICK) as site:
        yield site


def saying(*messages: Message) -> ASGIApp:
    """A host that answers everything with the same messages."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(dict(message))

    return application


def start(*headers: tuple[bytes, bytes], status: int = 200, **extra: Any) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers), **extra}


def body(data: bytes, **extra: Any) -> Message:
    return {"type": "http.response.body", "body": data, **extra}


POST = (start(HTML, (b"content-length", b"4")), body(b"post"))


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    """The small host of `signposting`, without any framework."""
    page = signposting.PAGES[scope["path"]]
    length = [] if page.streamed else [(b"content-length", str(len(page.body)).encode())]
    own = [(name.lower().encode(), value.encode()) for name, value in page.headers]
    await send(start((b"content-type", page.type.encode()), *own, *length, status=page.status))
    for chunk in page.chunks:
        await send(body(chunk, more_body=True))
    await send(body(b""))


async def answer(request: Request) -> Response:
    """The same host, by Starlette's own responses."""
    page = signposting.PAGES[request.url.path]
    made: Response = Response(page.body, page.status)
    if page.streamed:
        made = StreamingResponse(iter(page.chunks), page.status)
    made.headers["content-type"] = page.type
    for name, value in page.headers:
        made.headers.append(name, value)
    return made


def starlette(site: Site) -> Starlette:
    routes = [Route(path, answer, methods=["GET", "POST"]) for path in signposting.PAGES]
    return Starlette(routes=routes, middleware=[Middleware(LinkbackMiddleware, site=site)])


HOSTS: dict[str, Callable[[Site], Any]] = {"plain": lambda site: around(plain, site), "Starlette": starlette}


@pytest.fixture(scope="module", params=[*HOSTS])
def host_url(request: pytest.FixtureRequest) -> Iterator[str]:
    site = Site(signposting.SITE, store="sqlite://", fetch=FakeWeb(), runner=External(), resolve=signposting.resolve)
    with site, served_by_uvicorn(HOSTS[request.param](site)) as url:
        yield url


@signposting.cases
def test_the_host_s_answers_carry_signposts_where_they_belong(host_url: str, case: signposting.Case) -> None:
    signposting.check(host_url, case)


@pytest.fixture
def source() -> Iterator[dict[str, str]]:
    """The pages of a blog on loopback, with its address under ""."""
    bodies: dict[str, str] = {}
    with served(pages(bodies)) as url:
        bodies[""] = url
        yield bodies


def posted(url: str, form: dict[str, str]) -> tuple[int, dict[str, str]]:
    request = urllib.request.Request(url, urllib.parse.urlencode(form).encode())
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.status, {name.lower(): value for name, value in response.headers.items()}


def test_real_clients_of_all_three_protocols_end_as_mentions(source: dict[str, str]) -> None:
    with (
        Site("https://t.example", store="sqlite://", fetch=Fetcher(allow=LOOPBACK), policy=QUICK) as site,
        served_by_uvicorn(around(plain, site)) as url,
    ):
        for name in ("pingback", "trackback", "webmention"):
            source[f"/{name}"] = f"<title>By {name}</title><a href='https://t.example/{name}'>x</a>"
        with xmlrpc.client.ServerProxy(f"{url}/linkback/pingback") as server:
            assert server.pingback.ping(f"{source['']}/pingback", "https://t.example/pingback")
        claim = {"source": f"{source['']}/webmention", "target": "https://t.example/webmention"}
        assert posted(f"{url}/linkback/webmention", claim)[0] == 201
        query = urllib.parse.urlencode({"target": "https://t.example/trackback"})
        assert posted(f"{url}/linkback/trackback?{query}", {"url": f"{source['']}/trackback"})[0] == 200
        for name in ("pingback", "trackback", "webmention"):
            [mention] = eventually(lambda name=name: site.mentions(f"https://t.example/{name}"))  # type: ignore[misc]
            assert (mention.title, mention.protocols) == (f"By {name}", (name,))


def test_a_megabyte_of_body_is_refused_over_a_real_socket(site: Site) -> None:
    with served_by_uvicorn(endpoints(site), lifespan="off") as url:
        for path in ("pingback", "webmention", "trackback?target=https%3A%2F%2Ft.example%2F"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(urllib.request.Request(f"{url}/{path}", b"x" * 1_000_000), timeout=20)
            assert caught.value.code == 413
            caught.value.close()
    assert not site.work()


def test_a_chunked_body_is_read(site: Site) -> None:
    form = b"source=https%3A%2F%2Fs.example%2F&target=https%3A%2F%2Ft.example%2Fpost"
    with served_by_uvicorn(endpoints(site), lifespan="off") as url:
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=20)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/webmention", iter([form[:10], form[10:]]), headers, encode_chunked=True)
        with connection.getresponse() as response:
            assert response.status == 201
        connection.close()


# where the application stands -> the path that its pages and endpoints are known by
MOUNTS = [
    pytest.param("", "/post", "", id="at the root"),
    pytest.param("/blog", "/blog/post", "/blog", id="mounted, as servers and Starlette say it"),
    pytest.param("/blog", "/post", "/blog", id="mounted, and a proxy took the mount away"),
    pytest.param("/blog/", "/blog/post", "/blog", id="a mount with a slash"),
    pytest.param("/b\u00fcch er", "/b\u00fcch er/post", "/b%C3%BCch%20er", id="a mount to be quoted"),
    pytest.param("/blog", "/blogger/post", "/blog/blogger", id="a path that begins like the mount"),
]


@pytest.mark.parametrize(("root_path", "path", "known"), MOUNTS)
def test_a_page_is_known_by_its_whole_path(site: Site, root_path: str, path: str, known: str) -> None:
    first, *_, last = talk(around(saying(*POST), site), scope_of(path, root_path=root_path))
    mounted = urllib.parse.quote(root_path.rstrip("/"))
    assert fields(first)["x-pingback"] == f"https://t.example{mounted}/linkback/pingback"
    found = find_endpoints(f"https://t.example{known}/post", (), last["body"])
    assert found.trackback is not None
    target = urllib.parse.parse_qs(urllib.parse.urlsplit(found.trackback.url).query)["target"]
    assert target == [f"https://t.example{known}/post"]


@pytest.mark.parametrize("root_path", ["", "/blog"])
@pytest.mark.parametrize("told", [True, False], ids=["path with the mount", "path without it"])
def test_the_endpoints_answer_wherever_they_stand(site: Site, root_path: str, told: bool) -> None:
    path = f"{root_path if told else ''}/linkback/healthz"
    assert talk(around(saying(*POST), site), scope_of(path, root_path=root_path))[0]["status"] == 200
    inner = scope_of(path, root_path=f"{root_path if told else ''}/linkback")
    assert talk(endpoints(site), inner)[0]["status"] == 200


def wrapped(site: Site, path: str) -> Starlette:
    inner = Starlette(routes=[Route("/post", lambda request: HTMLResponse("<p>post</p>"))])
    inner.add_middleware(LinkbackMiddleware, site=site)
    return Starlette(routes=[Mount(path, inner)]) if path else inner


APPLICATIONS = {
    "endpoints in a Mount": (lambda site: Starlette(routes=[Mount("/blog/linkback", endpoints(site))]), {}),
    "a Mount in a Mount": (
        lambda site: Starlette(routes=[Mount("/blog", routes=[Mount("/linkback", endpoints(site))])]),
        {},
    ),
    "an application in a Mount": (lambda site: wrapped(site, "/blog"), {}),
    "uvicorn --root-path, stripped by a proxy": (lambda site: wrapped(site, ""), {"root_path": "/blog"}),
}


@pytest.mark.parametrize(("made", "options"), APPLICATIONS.values(), ids=APPLICATIONS.keys())
def test_a_claim_is_taken_and_its_status_told_under_every_kind_of_mount(made: Any, options: dict[str, str]) -> None:
    """A proxy that strips the mount is played by asking without it."""
    stripped = options.get("root_path", "")
    claim = {"source": "https://s.example/", "target": "https://t.example/blog/post"}
    with (
        Site("https://t.example/blog/", store="sqlite://", fetch=FakeWeb(), runner=External()) as site,
        served_by_uvicorn(made(site), lifespan="off", **options) as url,
    ):
        status, headers = posted(f"{url}{'' if stripped else '/blog'}/linkback/webmention", claim)
        told = urllib.parse.urlsplit(headers["location"]).path
        assert (status, told.rpartition("/")[0]) == (201, "/blog/linkback/status")
        with urllib.request.urlopen(url + told.removeprefix(stripped), timeout=20) as response:
            assert json.load(response)["status"] == "queued"


def test_a_path_with_odd_characters_is_advertised_as_it_is_linked(site: Site) -> None:
    messages = talk(around(saying(*POST), site), scope_of("/\u00e9 \u00fc/%", query_string=b"a=1&b=2"))
    found = find_endpoints("https://t.example/%C3%A9%20%C3%BC/%25?a=1&b=2", (), messages[-1]["body"])
    assert found.trackback is not None
    assert urllib.parse.parse_qs(urllib.parse.urlsplit(found.trackback.url).query)["target"] == [
        "https://t.example/%C3%A9%20%C3%BC/%25?a=1&b=2"
    ]


@pytest.mark.parametrize("prefix", ["", "/"])
def test_a_prefix_that_would_take_every_page_is_refused(site: Site, prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="prefix"):
        around(saying(), site, prefix=prefix)


def test_the_prefix_and_the_public_url_can_be_chosen(site: Site) -> None:
    app = around(saying(*POST), site, prefix="lb", base="https://public.example/lb/")
    assert fields(talk(app, scope_of())[0])["x-pingback"] == "https://public.example/lb/pingback"
    assert talk(app, scope_of("/lb/healthz"))[0]["status"] == 200
    assert talk(app, scope_of("/lbx"))[1]["body"] == b"post"


@pytest.mark.parametrize("prefix", ["/\u9023\u7d50", "\u9023\u7d50/", "/%E9%80%A3%E7%B5%90"])
def test_a_prefix_may_be_in_any_script(site: Site, prefix: str) -> None:
    app = around(saying(*POST), site, prefix=prefix)
    first = talk(app, scope_of())[0]
    assert fields(first)["x-pingback"] == "https://t.example/%E9%80%A3%E7%B5%90/pingback"
    assert talk(app, scope_of("/\u9023\u7d50/healthz"))[0]["status"] == 200


def test_a_public_url_may_be_in_any_script(site: Site) -> None:
    base = "https://b\u00fccher.example/\u9023"
    known = "https://xn--bcher-kva.example/%E9%80%A3"
    assert fields(talk(around(saying(*POST), site, base=base), scope_of())[0])["x-pingback"] == f"{known}/pingback"
    taken = talk(endpoints(site, base=base), scope_of("/webmention", "POST", headers=KIND), arriving(FORM))[0]
    assert fields(taken)["location"].startswith(f"{known}/status/")


def test_each_message_of_the_host_leaves_before_the_next_is_made(site: Site) -> None:
    gone: list[Message] = []
    seen: list[int] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        for message in (start(HTML), body(b"<p>", more_body=True), body(b"</p>", more_body=True), body(b"")):
            await send(message)
            seen.append(len(gone))

    async def send(message: Message) -> None:
        gone.append(message)

    async def receive() -> Message:
        raise AssertionError("nobody asks for a body")

    asyncio.run(around(application, site)(scope_of(), receive, send))  # type: ignore[arg-type]
    # the last message is followed by the tail
    assert seen == [1, 2, 3, 5]
    assert [message.get("more_body", False) for message in gone[1:]] == [True, True, True, False]


@pytest.mark.parametrize("extensions", [{}, PATHSEND], ids=["none", "pathsend"])
@pytest.mark.parametrize("length", [True, False])
def test_a_page_gets_its_tail_whatever_the_server_can_do(site: Site, extensions: Any, length: bool) -> None:
    given = [(b"content-length", b"4")] if length else []
    messages = talk(around(saying(start(HTML, *given), body(b"post")), site), scope_of(extensions=extensions))
    whole = b"".join(message["body"] for message in messages[1:])
    assert whole.startswith(b"post<!--")
    assert fields(messages[0]).get("content-length") == (str(len(whole)) if length else None)


@pytest.mark.parametrize("protocol", BUILTIN, ids=lambda protocol: protocol.name)
def test_a_blog_of_one_protocol_says_as_much_as_it_announces(protocol: Protocol) -> None:
    """TrackBack's signpost is all tail, and the others' are all headers."""
    with Site("https://t.example", store="sqlite://", runner=External(), protocols=[protocol]) as site:
        first, *rest = talk(around(saying(*POST), site), scope_of())
    whole = b"".join(message["body"] for message in rest)
    assert fields(first)["content-length"] == str(len(whole))
    found = find_endpoints("https://t.example/post", list(fields(first).items()), whole)
    assert list(found.found) == [protocol.name]


def test_a_file_that_the_server_sends_by_itself_gets_headers_and_keeps_its_length(site: Site, tmp_path: Any) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>post</p>")
    messages = talk(around(FileResponse(page), site), scope_of(extensions=PATHSEND))
    assert [message["type"] for message in messages] == ["http.response.start", "http.response.pathsend"]
    assert fields(messages[0])["content-length"] == str(len("<p>post</p>"))
    assert "x-pingback" in fields(messages[0])


def test_a_file_that_is_read_gets_its_tail(site: Site, tmp_path: Any) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>post</p>")
    messages = talk(around(FileResponse(page), site), scope_of())
    whole = b"".join(message["body"] for message in messages[1:])
    assert whole.startswith(b"<p>post</p><!--")
    assert fields(messages[0])["content-length"] == str(len(whole))


def test_what_else_carries_a_body_and_what_follows_it_keep_their_places(site: Site) -> None:
    sent = {"type": "http.response.zerocopysend", "file": 3}
    trailers = {"type": "http.response.trailers", "headers": []}
    messages = talk(around(saying(start(HTML, trailers=True), sent, trailers), site), scope_of())
    assert [message["type"].rpartition(".")[2] for message in messages] == ["start", "zerocopysend", "body", "trailers"]
    assert messages[1]["more_body"]
    assert not messages[2].get("more_body")


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_what_is_no_request_is_the_host_s_alone(site: Site, kind: str) -> None:
    given: list[object] = []

    async def application(*arguments: object) -> None:
        given.extend(arguments)

    async def receive() -> Message:
        raise AssertionError("not ours to ask")

    async def send(message: Message) -> None:
        raise AssertionError("not ours to say")

    scope: Scope = {"type": kind}
    asyncio.run(around(application, site)(scope, receive, send))  # type: ignore[arg-type]
    assert [id(each) for each in given] == [id(scope), id(receive), id(send)]


def test_a_websocket_to_an_endpoint_is_turned_away(site: Site) -> None:
    assert talk(endpoints(site), {"type": "websocket"}, [{"type": "websocket.connect"}]) == [
        {"type": "websocket.close"}
    ]


def test_a_host_whose_resolve_fails_still_shows_its_page() -> None:
    def resolve(url: str) -> str | None:
        raise RuntimeError("the host's database is away")

    with Site("https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), resolve=resolve) as site:
        assert talk(around(saying(*POST), site), scope_of()) == list(POST)


def arriving(*parts: bytes, cut: bool = False) -> list[Message]:
    messages: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    return [*messages, {"type": "http.disconnect"}] if cut else [*messages, {"type": "http.request"}]


FORM = b"source=https%3A%2F%2Fs.example%2F&target=https%3A%2F%2Ft.example%2Fpost"
KIND = [(b"host", b"t.example"), (b"content-type", b"application/x-www-form-urlencoded")]
BODIES = [
    pytest.param(arriving(FORM), 201, id="whole"),
    pytest.param(arriving(FORM[:7], b"", FORM[7:]), 201, id="in parts"),
    pytest.param(arriving(), 400, id="none"),
    pytest.param(arriving(b"x" * 20_000), 413, id="too large"),
    # what comes after is not asked for: it would never end
    pytest.param(arriving(*[b"x" * 1_000] * 17, cut=True), 413, id="too large, and left behind"),
    pytest.param(arriving(FORM[:7], cut=True), None, id="cut off"),
]


@pytest.mark.parametrize(("received", "status"), BODIES)
def test_a_body_is_read_to_its_end_or_its_limit(site: Site, received: list[Message], status: int | None) -> None:
    sent = talk(endpoints(site), scope_of("/webmention", "POST", headers=KIND), received)
    assert [message["status"] for message in sent[:1]] == ([] if status is None else [status])
    assert site.work() == (status == 201)


def test_a_body_that_does_not_arrive_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "BODY_SECONDS", 0.0)
    never = [{"type": "http.request", "body": b"source=", "more_body": True}]
    [first, _] = talk(endpoints(site), scope_of("/webmention", "POST", headers=KIND), never)
    assert (first["status"], fields(first)["connection"]) == (408, "close")
    assert not site.work()


def test_head_is_answered_without_a_body(site: Site) -> None:
    [first, last] = talk(endpoints(site), scope_of("/healthz", "HEAD"))
    assert first["status"] == 200
    assert int(fields(first)["content-length"]) > 0
    assert last["body"] == b""


class Gate:
    """A `resolve` that keeps whoever asks for /slow waiting until it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.reached = threading.Semaphore(0)

    def resolve(self, url: str) -> str | None:
        if url.endswith("/slow"):
            self.reached.release()
            assert self.opened.wait(30), "nobody opened the gate"
        return url


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


def read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=40) as response:
        data: bytes = response.read()
        return data


def test_a_page_that_waits_for_the_host_keeps_no_other_waiting(gate: Gate) -> None:
    site = Site("https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), resolve=gate.resolve)
    with (
        site,
        served_by_uvicorn(around(saying(*POST), site), lifespan="off") as url,
        concurrent.futures.ThreadPoolExecutor() as visitors,
    ):
        slow = visitors.submit(read, f"{url}/slow")
        assert gate.reached.acquire(timeout=30)
        assert read(f"{url}/quick").startswith(b"post<!--")
        assert not slow.done()
        gate.opened.set()
        assert slow.result().startswith(b"post<!--")


def test_strangers_who_wait_keep_none_of_the_host_s_pages_waiting(gate: Gate) -> None:
    """More of them than there are threads of any kind."""
    site = Site("https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), resolve=gate.resolve)
    claim = {"target": "https://t.example/slow"}
    with (
        site,
        served_by_uvicorn(around(saying(*POST), site), lifespan="off") as url,
        concurrent.futures.ThreadPoolExecutor(50) as strangers,
    ):
        waiting = [
            strangers.submit(posted, f"{url}/linkback/webmention", {**claim, "source": f"https://s.example/{number}"})
            for number in range(50)
        ]
        for _ in range(THREADS):
            assert gate.reached.acquire(timeout=30)
        assert read(f"{url}/quick").startswith(b"post<!--")
        # nor those who only read: a thread on a static page, or who looks whether the blog is well
        for path in ("linkback.js", "thread?target=https%3A%2F%2Ft.example%2Fquick", "healthz"):
            assert read(f"{url}/linkback/{path}")
        assert not any(each.done() for each in waiting)
        gate.opened.set()
        assert {each.result()[0] for each in waiting} == {201}


@pytest.mark.parametrize("path", ["/post", "/linkback/healthz", "/linkback/webmention"])
def test_the_host_may_keep_all_of_its_own_threads_busy(gate: Gate, path: str) -> None:
    """As one does that fetches pages of this very process in them."""
    site = Site("https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), resolve=gate.resolve)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def whole() -> None:
        asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor(1))
        busy = asyncio.create_task(asyncio.to_thread(gate.opened.wait, 60))
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(30):
                method = "POST" if path.endswith("webmention") else "GET"
                await around(saying(*POST), site)(scope_of(path, method), receive, send)
        finally:
            gate.opened.set()
            await busy

    with site:
        asyncio.run(whole())
    assert sent[-1]["type"] == "http.response.body"


def test_where_no_function_of_the_host_s_is_asked_a_page_waits_for_no_thread(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[threading.Thread] = []

    def find(url: str) -> str:
        asked.append(threading.current_thread())
        return url

    monkeypatch.setattr(site, "find", find)
    assert "x-pingback" in fields(talk(around(saying(*POST), site), scope_of())[0])
    assert asked == [threading.current_thread()]


def test_threads_are_let_go_when_the_server_ends(gate: Gate) -> None:
    site = Site("https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), resolve=gate.resolve)
    before = set(threading.enumerate())

    def ours() -> set[str]:
        names = {thread.name for thread in set(threading.enumerate()) - before}
        return {name.rpartition("_")[0] for name in names if name.startswith("linkback-")}

    host = Starlette(routes=[Route("/post", lambda request: HTMLResponse("<p>post"))], lifespan=asgi.lifespan(site))
    with served_by_uvicorn(around(host, site), lifespan="on") as url:
        read(f"{url}/post")
        posted(f"{url}/linkback/webmention", {"source": "https://s.example/", "target": "https://t.example/post"})
        assert {"linkback-pages", "linkback-claims", "linkback-reads"} <= ours()
    eventually(lambda: not ours())


@pytest.mark.parametrize("lifespan", ["off", "on"])
def test_what_an_earlier_process_left_is_done(source: dict[str, str], lifespan: str, tmp_path: Any) -> None:
    """When the server starts; with the first request where the server knows no lifespan."""
    source["/a"] = "<a href='https://t.example/post'>x</a>"
    store = f"sqlite:///{tmp_path}/linkback.db"
    with Site("https://t.example", store=store, runner=External(), policy=QUICK) as earlier:
        earlier.receive(Claim("webmention", f"{source['']}/a", "https://t.example/post"))
    site = Site("https://t.example", store=store, fetch=Fetcher(allow=LOOPBACK), policy=QUICK)
    with site, served_by_uvicorn(endpoints(site), lifespan=lifespan) as url:
        if lifespan == "off":
            read(f"{url}/healthz")
        eventually(site.mentions)


def test_a_server_that_ends_closes_the_blog_of_endpoints_that_it_served_alone(site: Site) -> None:
    with served_by_uvicorn(endpoints(site), lifespan="on") as url:
        read(f"{url}/healthz")
    with pytest.raises(StoreError):
        site.mentions()


def test_many_blogs_each_get_their_own_signposts() -> None:
    store = open_store("sqlite://")
    blogs = [Site(url, store=store, runner=External()) for url in ("https://a.example/", "https://b.example/")]
    with Sites(blogs, store=store, runner=External()) as sites:
        app = around(saying(*POST), sites)
        for name in ("a.example", "b.example"):
            first = talk(app, scope_of(headers=[(b"host", name.encode())]))[0]
            assert fields(first)["x-pingback"] == f"https://{name}/linkback/pingback"
        assert talk(app, scope_of(headers=[(b"host", b"c.example")])) == list(POST)


@pytest.mark.parametrize("prefix", ["", "/linkback"])
def test_a_client_is_known_by_what_the_server_says_and_by_no_header(prefix: str) -> None:
    """protocols.md C-8"""
    policy = clients.ONCE
    with Site("https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), policy=policy) as site:
        app = around(saying(*POST), site) if prefix else endpoints(site)
        clients.check(clients.through_asgi(app, f"{prefix}/webmention"), "https://t.example/post")


@pytest.mark.parametrize("extra", [{}, {"client": None}], ids=["none", "None"])
def test_a_server_need_not_know_the_client(extra: dict[str, Any], site: Site) -> None:
    """As behind a socket of the file system."""
    taken = talk(endpoints(site), scope_of("/webmention", "POST", headers=KIND, **extra), arriving(FORM))[0]
    assert taken["status"] == 201
