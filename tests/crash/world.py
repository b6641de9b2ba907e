"""The world of one blog, as it stays while the blog's processes come and go: pages, receivers, senders, a clock."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from wsgiref.util import setup_testing_defaults

from linkback.jobs import External
from linkback.model import ARRIVED, Claim, Mention
from linkback.policy import Retry
from linkback.protocols import BUILTIN, xmlrpc
from linkback.site import Site
from linkback.store import Storage, open_store
from linkback.testing import FakeClock, FakeWeb
from linkback.wire import Request, Response
from tests.crash.sweep import Run

HOME = "https://home.example"
#: the post of ours that strangers link to, and that links to others
POST = f"{HOME}/post"
#: a page that links to it
NOTE = "https://alice.example/note"
LINKING = f"<title>Note</title><p>I like <a href='{POST}'>this</a>.</p>"

PROTOCOLS = {protocol.name: protocol for protocol in BUILTIN}
_ENTRY = {
    "webmention": f"{HOME}/webmention",
    "pingback": f"{HOME}/pingback",
    "trackback": f"{HOME}/trackback?target={POST}",
}
#: what a receiver of each protocol answers who has a link, and who has had it before
TAKES: dict[str, Sequence[Response]] = {
    "webmention": (Response(202),),
    "pingback": (Response(200, body=xmlrpc.write_result("ok")), Response(200, body=xmlrpc.write_fault(48, "known"))),
    "trackback": (Response(200, body=b"<response><error>0</error></response>"),),
}
_HTML = ("Content-Type", "text/html; charset=utf-8")
#: a process that takes over comes when each lease and each waiting time has ended, and has a day for its work
_LATER, _DAY = timedelta(hours=1), timedelta(days=1)


class World:
    """What surrounds one life of a process; asking it for pages are events of that life."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.clock = FakeClock()
        self._begin = self.clock()
        self.web = FakeWeb({NOTE: LINKING})

    def get(self, url: str, *, accept: str = "*/*", purpose: str = "") -> Response:
        """A page of the world."""
        self.run.tick("before", f"GET {url}")
        response = self.web.get(url, accept=accept, purpose=purpose)
        self.run.tick("after", f"GET {url}")
        return response

    def send(self, request: Request) -> Response:
        """A POST to a receiver."""
        self.run.tick("before", f"POST {request.url}")
        response = self.web.send(request)
        self.run.tick("after", f"POST {request.url}")
        return response

    def site(self) -> Site:
        """The blog, in this process."""
        store: Storage = open_store(self.run.url)
        return Site(
            HOME,
            store=store,
            fetch=self,
            clock=self.clock,
            pause=self.clock.advance,
            retry=Retry(jitter=0.0),
            runner=External(),
            on_mention=self._hear,
        )

    def _hear(self, mention: Mention) -> None:
        self.run.witness.say("hook", source=mention.source)

    def receives(self, page: str, *names: str, answers: Sequence[Response] = ()) -> None:
        """Let a page of another's advertise receivers of some protocols, which take what they get, or answer so."""
        headers, body = [_HTML], ""
        for name in names:
            endpoint = f"{page}/{name}"
            if name == "webmention":
                headers.append(("Link", f"<{endpoint}>; rel=webmention"))
            elif name == "pingback":
                headers.append(("X-Pingback", endpoint))
            else:
                body = f"<link rel=trackback href={endpoint}>"
            self.web.pages[endpoint] = self._receiver(answers or TAKES[name])
        self.web.pages[page] = Response(200, tuple(headers), body.encode())

    def _receiver(self, answers: Sequence[Response]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            earlier = self.posts(request.url)
            self.run.witness.say("post", endpoint=request.url)
            return answers[min(earlier, len(answers) - 1)]

        return answer

    def posts(self, endpoint: str) -> int:
        """How many POSTs a receiver has got, by whatever process."""
        return sum(post["endpoint"] == endpoint for post in self.run.witness.saw("post"))

    def ping(self, site: Site, name: str, target: str = POST) -> None:
        """Let the note's author tell us of it, by one protocol; what is answered is what the author knows."""
        protocol = PROTOCOLS[name]
        response = _ask(site, protocol.write_ping(_ENTRY[name], Claim(name, NOTE, target, title="Note")))
        self.run.tick("before", "ANSWER")
        reply = protocol.read_reply(response)
        taken = reply.outcome in ARRIVED
        self.run.witness.say("answer", name=name, taken=taken, code=reply.code, status_url=reply.status_url)
        self.run.tick("after", "ANSWER")

    def settle(self, site: Site) -> None:
        """Let all that is due be done, whatever waits for it."""
        self.clock.now = max(self.clock(), self._begin + _LATER)
        for _ in range(50):
            site.drain()
            due = site.store.next_due()
            if due is None or due > self._begin + _DAY:
                return
            self.clock.now = max(self.clock(), due)
        raise AssertionError("there is always something due")


def _ask(site: Site, request: Request) -> Response:
    """A request to the blog's endpoints, through WSGI."""
    environ: dict[str, Any] = {"REQUEST_METHOD": request.method, "HTTP_HOST": "home.example"}
    place, _, query = request.url.removeprefix(HOME).partition("?")
    environ |= {"PATH_INFO": place, "QUERY_STRING": query, "CONTENT_TYPE": request.header("Content-Type")}
    environ |= {"CONTENT_LENGTH": str(len(request.body)), "wsgi.input": io.BytesIO(request.body)}
    environ["wsgi.url_scheme"] = "https"
    setup_testing_defaults(environ)
    told: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[..., object]:
        told[:] = [int(status.split()[0]), tuple(headers)]
        return lambda data: None

    body = b"".join(site.wsgi()(environ, start_response))
    return Response(told[0], told[1], body, request.url)
