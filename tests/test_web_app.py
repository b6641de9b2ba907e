"""The endpoints as functions from request to response, over a store in memory."""

from __future__ import annotations

import html
import json
import re
import xmlrpc.client
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from linkback import urls
from linkback.errors import Reason, Refused, StoreError
from linkback.jobs import External
from linkback.model import Claim, Outcome
from linkback.ownpages import Resolve
from linkback.policy import Policy, Retry
from linkback.protocols import Pingback
from linkback.site import Site
from linkback.testing import FakeWeb
from linkback.web.app import App
from linkback.wire import Request, Response

S, T = "https://s.example/note", "https://t.example/post"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
WEBMENTION = b"source=https%3A%2F%2Fs.example%2Fnote&target=https%3A%2F%2Ft.example%2Fpost"
TRACKBACK = b"title=Note&url=https%3A%2F%2Fs.example%2Fnote&excerpt=Words&blog_name=S"
PINGBACK = xmlrpc.client.dumps((S, T), "pingback.ping").encode()
AT_T = "?target=https%3A%2F%2Ft.example%2Fpost"


def resolve(url: str) -> str | None:
    if url == "https://t.example/gone":
        raise Refused(Reason.TARGET_GONE)
    if url == "https://t.example/closed":
        raise Refused(Reason.TARGET_CLOSED)
    return url if url == T else None


@pytest.fixture
def web() -> FakeWeb:
    return FakeWeb({S: f"<title>Note</title><p>I like <a href='{T}'>this</a> very much.</p>"})


def a_site(web: FakeWeb, resolve: Resolve | None) -> Site:
    return Site(
        "https://t.example",
        store="sqlite://",
        fetch=web,
        runner=External(),
        policy=Policy(settle_seconds=0, second_look_seconds=0),
        retry=Retry(delays=()),
        resolve=resolve,
    )


@pytest.fixture
def site(web: FakeWeb) -> Iterator[Site]:
    with a_site(web, resolve) as site:
        yield site


def ask(
    site: Site,
    method: str,
    path: str,
    body: bytes = b"",
    *headers: tuple[str, str],
    query: str = "",
    base: str = "",
    client: str = "",
) -> Response:
    request = Request(method, f"https://t.example{path}{query}", headers, body, client)
    return App(site, base=base).handle(request, path)


def post(site: Site, path: str, body: bytes, *headers: tuple[str, str], query: str = "") -> Response:
    return ask(site, "POST", path, body, *(headers or (FORM,)), query=query)


def told(response: Response) -> Any:
    return json.loads(response.body)


def fault(response: Response) -> int:
    with pytest.raises(xmlrpc.client.Fault) as caught:
        xmlrpc.client.loads(response.body)
    return caught.value.faultCode


def call(source: str, target: str) -> bytes:
    return xmlrpc.client.dumps((source, target), "pingback.ping").encode()


def test_a_webmention_is_queued_and_its_status_can_be_watched(site: Site) -> None:
    response = post(site, "/webmention", WEBMENTION)
    assert response.status == 201
    location = response.header("Location")
    assert location.startswith("https://t.example/status/")
    path = location.removeprefix("https://t.example")
    assert told(ask(site, "GET", path)) == {"status": "queued", "source": S, "target": T}
    site.drain()
    answer = ask(site, "GET", path)
    assert (answer.status, told(answer)) == (200, {"status": "success", "source": S, "target": T})
    assert answer.header("Cache-Control") == "no-store"


def test_a_pingback_is_queued(site: Site) -> None:
    response = post(site, "/pingback", PINGBACK, ("Content-Type", "text/xml"))
    assert response.status == 200
    assert xmlrpc.client.loads(response.body)[0]
    site.drain()
    assert [mention.protocols for mention in site.mentions(T)] == [("pingback",)]


def test_a_trackback_is_queued(site: Site) -> None:
    response = post(site, "/trackback", TRACKBACK, query=AT_T)
    assert b"<error>0</error>" in response.body
    site.drain()
    [mention] = site.mentions(T)
    assert (mention.protocols, mention.title, mention.excerpt) == (("trackback",), "Note", "Words")


def test_no_answer_waits_for_a_fetch(site: Site, web: FakeWeb) -> None:
    post(site, "/webmention", WEBMENTION)
    post(site, "/pingback", PINGBACK)
    post(site, "/trackback", TRACKBACK, query=AT_T)
    assert web.requested == []


PINGBACK_FAULTS = [
    pytest.param(call("javascript:alert(1)", T), 16, id="VC-26"),
    pytest.param(call("", T), 16, id="VC-6"),
    pytest.param(call(S, "https://foreign.example/x"), 33, id="VC-27"),
    pytest.param(call(S, "https://t.example/gone"), 32, id="VC-28"),
    pytest.param(call(S, "https://t.example/closed"), 33, id="VC-29"),
    pytest.param(call(T + "#a", T), 0, id="VC-30"),
    pytest.param(call(S, "https://u:p@t.example/post"), 33, id="VC-82"),
    pytest.param(call(S, "not a url"), 33, id="target is no URL"),
    pytest.param(xmlrpc.client.dumps((S,), "pingback.ping").encode(), -32602, id="VC-7"),
    pytest.param(xmlrpc.client.dumps((S, 1), "pingback.ping").encode(), -32602, id="VC-9"),
    pytest.param(xmlrpc.client.dumps(([],), "system.multicall").encode(), -32601, id="VC-13"),
    pytest.param(b"<methodCall><methodName>x", -32700, id="VC-16"),
    pytest.param(b"", -32700, id="VC-17"),
    pytest.param(b"\x00" * 1000, -32700, id="zeros"),
]


@pytest.mark.parametrize(("body", "code"), PINGBACK_FAULTS)
def test_a_pingback_that_is_none_gets_its_fault_and_leaves_nothing(site: Site, body: bytes, code: int) -> None:
    response = post(site, "/pingback", body, ("Content-Type", "text/xml"))
    assert (response.status, fault(response)) == (200, code)
    assert not site.work()


BAD_WEBMENTIONS = [
    pytest.param(b"target=" + T.encode(), id="VC-65 no source"),
    pytest.param(WEBMENTION + b"&source=x", id="VC-65 two sources"),
    pytest.param(b"source=mailto:a@b&target=" + T.encode(), id="VC-67 mailto"),
    pytest.param(b"source=ftp://s/&target=" + T.encode(), id="VC-67 ftp"),
    pytest.param(b"source=https:///x&target=" + T.encode(), id="VC-67 no host"),
    pytest.param(b"source=not+a+url&target=" + T.encode(), id="VC-67 not a url"),
    pytest.param(f"source={T}&target={T}".encode(), id="VC-68 same"),
    pytest.param(f"source={T}%23x&target={T}".encode(), id="VC-68 fragment"),
    pytest.param(f"source=https://t.example:443/post&target={T}".encode(), id="VC-68 port"),
    pytest.param(f"source={S}&target=https://foreign.example/".encode(), id="VC-69"),
    pytest.param(b"", id="empty"),
]


@pytest.mark.parametrize("body", BAD_WEBMENTIONS)
def test_a_webmention_that_is_none_is_a_400_and_leaves_nothing(site: Site, body: bytes) -> None:
    assert post(site, "/webmention", body).status == 400
    assert not site.work()


def test_webmention_parameters_in_the_query_do_not_count(site: Site) -> None:
    assert post(site, "/webmention", b"", query="?" + WEBMENTION.decode()).status == 400  # VC-66


def test_a_json_body_is_no_webmention(site: Site) -> None:
    body = json.dumps({"source": S, "target": T}).encode()
    assert post(site, "/webmention", body, ("Content-Type", "application/json")).status == 400  # VC-74


BAD_TRACKBACKS = [
    pytest.param(b"title=x", AT_T, id="VC-42 no url"),
    pytest.param(b"url=", AT_T, id="VC-42 blank"),
    pytest.param(b"url=notaurl", AT_T, id="VC-42 not a url"),
    pytest.param(b"", AT_T + "&url=https%3A%2F%2Fs.example%2Fnote", id="VC-64"),
    pytest.param(TRACKBACK, "", id="no target"),
    pytest.param(TRACKBACK, "?target=https%3A%2F%2Fforeign.example%2F", id="foreign target"),
    pytest.param(TRACKBACK, "?target=https%3A%2F%2Ft.example%2Fclosed", id="VC-60"),
]


@pytest.mark.parametrize(("body", "query"), BAD_TRACKBACKS)
def test_a_trackback_that_is_none_is_an_error_and_leaves_nothing(site: Site, body: bytes, query: str) -> None:
    response = post(site, "/trackback", body, query=query)
    assert response.status == 200
    assert b"<error>1</error>" in response.body
    assert not site.work()


@pytest.mark.parametrize(
    ("path", "size"), [("/pingback", 65_537), ("/webmention", 16_385), ("/trackback", 262_145)], ids=lambda v: str(v)
)
def test_a_body_beyond_the_limit_is_too_large(site: Site, path: str, size: int) -> None:
    """VC-25; at the limit it is still read."""
    assert post(site, path, b"x" * size, query=AT_T).status == 413
    assert post(site, path, b"x" * (size - 1), query=AT_T).status != 413


@pytest.mark.parametrize("path", ["/pingback", "/webmention", "/trackback", "/"])
@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Content-Length", "-1", 400),
        ("Content-Length", "1_0", 400),
        ("Content-Length", "²", 400),
        ("Content-Length", "5, 5", 400),
        ("Content-Length", "9999", 400),
        ("Content-Length", "9" * 5000, 413),
        ("Content-Encoding", "gzip", 415),
        ("Content-Encoding", "identity, x-gzip", 415),
    ],
)
def test_a_body_that_was_cut_off_or_is_packed_is_none(
    site: Site, path: str, name: str, value: str, status: int
) -> None:
    """B1, B7: it is not looked into, whatever protocol it may be in."""
    given = Request("POST", f"https://t.example{path}{AT_T}", ((name, value),), f"source={S}&target={T}".encode())
    assert App(site).handle(given, path).status == status
    assert not site.work()


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_a_body_that_says_it_is_not_packed_is_read(site: Site, coding: str) -> None:
    body = f"source={S}&target={T}".encode()
    fields = (("Content-Encoding", coding), ("Content-Length", f"000{len(body)}"))
    assert App(site).handle(Request("POST", "https://t.example/webmention", fields, body), "/webmention").status == 201


def test_a_browser_that_looks_at_a_trackback_url_is_led_to_the_page(site: Site) -> None:
    response = ask(site, "GET", "/trackback", query=AT_T)
    assert (response.status, response.header("Location")) == (302, T)  # VC-44


def test_a_trackback_by_get_is_an_error(site: Site) -> None:
    response = ask(site, "GET", "/trackback", query=AT_T + "&url=" + S)
    assert b"<error>1</error>" in response.body  # VC-45
    assert not site.work()


def test_a_trackback_url_is_no_way_to_anywhere_else(site: Site) -> None:
    response = ask(site, "GET", "/trackback", query="?target=https%3A%2F%2Fevil.example%2F")
    assert (response.status, response.header("Location")) == (405, "")


@pytest.mark.parametrize("path", ["/pingback", "/webmention"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_an_endpoint_takes_post_only(site: Site, path: str, method: str) -> None:
    response = ask(site, method, path)
    assert (response.status, response.header("Allow")) == (405, "POST")
    if method == "HEAD":
        assert response.body == b""


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/status/", 404),
        ("GET", "/status/unknown", 404),
        ("GET", "/nothing", 404),
        ("POST", "/nothing", 404),
        ("POST", "/healthz", 405),
        ("POST", "/status/x", 405),
        ("DELETE", "/mentions", 405),
        ("GET", "/mentions", 400),
        ("GET", "/healthz", 200),
    ],
)
def test_other_paths_and_verbs_have_plain_answers(site: Site, method: str, path: str, status: int) -> None:
    response = ask(site, method, path)
    assert response.status == status
    assert response.header("X-Content-Type-Options") == "nosniff"
    assert response.header("Content-Security-Policy") == "default-src 'none'"


def test_mentions_are_told_as_json_to_anybody(site: Site) -> None:
    post(site, "/webmention", WEBMENTION)
    site.drain()
    response = ask(site, "GET", "/mentions", query=AT_T)
    assert response.header("Access-Control-Allow-Origin") == "*"
    answer = told(response)
    assert (answer["target"], answer["count"]) == (T, 1)
    [mention] = answer["mentions"]
    assert mention["title"] == "Note"
    assert mention["author"] == {"name": None, "url": None, "photo": None}
    assert mention["status"] == "approved"
    assert datetime.fromisoformat(mention["received"]).tzinfo == UTC


def test_the_mentions_of_a_page_that_is_not_ours_are_none(site: Site) -> None:
    assert told(ask(site, "GET", "/mentions", query="?target=https%3A%2F%2Fforeign.example%2F"))["count"] == 0


def test_what_a_moderator_holds_is_not_told(site: Site) -> None:
    post(site, "/webmention", WEBMENTION)
    site.drain()
    [mention] = site.mentions(T)
    site.moderate(mention.id, type(mention.status).REJECTED)
    assert told(ask(site, "GET", "/mentions", query=AT_T))["count"] == 0


@pytest.mark.parametrize(
    ("page", "reason"),
    [("<p>nothing</p>", "no_link_found"), (Response(404), "source_not_found"), (Response(500), "source_not_found")],
)
def test_a_status_says_no_more_of_the_network_than_not_found(
    site: Site, web: FakeWeb, page: str | Response, reason: str
) -> None:
    web.pages[S] = page
    path = post(site, "/webmention", WEBMENTION).header("Location").removeprefix("https://t.example")
    site.drain()
    answer = told(ask(site, "GET", path))
    assert (answer["status"], answer["reason"]) == ("failed", reason)


def test_the_status_url_stands_under_the_public_base(site: Site) -> None:
    response = ask(site, "POST", "/webmention", WEBMENTION, FORM, base="https://public.example/lb/")
    assert response.header("Location").startswith("https://public.example/lb/status/")


class Broken:
    """A store whose every method fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        def fail(*arguments: object, **options: object) -> None:
            if name != "close":
                raise self._error

        return fail


BREAKS = [
    pytest.param(StoreError("locked"), 503, 50, id="the store is away"),
    pytest.param(RuntimeError("secret detail"), 500, -32603, id="VC-80"),
]


@pytest.mark.parametrize(("error", "status", "code"), BREAKS)
def test_our_own_failures_are_told_without_detail(error: Exception, status: int, code: int) -> None:
    site = Site("https://t.example", store=Broken(error), fetch=FakeWeb(), runner=External())
    response = post(site, "/webmention", WEBMENTION)
    assert response.status == status
    assert b"secret" not in response.body
    assert b"locked" not in response.body
    assert fault(post(site, "/pingback", PINGBACK)) == code
    assert b"<error>1</error>" in post(site, "/trackback", TRACKBACK, query=AT_T).body
    assert ask(site, "GET", "/mentions", query=AT_T).status == status
    assert ask(site, "GET", "/healthz").status == status


class Host:
    """A host's function, which raises or answers what it is told to, and does its work once it is mended."""

    def __init__(self, broken: Any) -> None:
        self.broken = broken

    def __call__(self, url: str) -> Any:
        if isinstance(self.broken, Exception):
            raise self.broken
        return resolve(url) if self.broken is None else self.broken


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(ConnectionError("secret: the database is away"), id="raises"),
        pytest.param(LookupError(), id="raises without a word"),
        pytest.param(True, id="True"),
        pytest.param("/post/secret", id="a path"),
        pytest.param(b"https://t.example/secret", id="bytes"),
        pytest.param("https://secret.example/", id="a page of others"),
    ],
)
def test_a_host_that_cannot_say_whose_a_page_is_has_strangers_come_back(
    web: FakeWeb, caplog: pytest.LogCaptureFixture, broken: Any
) -> None:
    """One line in the log names the function; the answer is "not now", and nothing is recorded."""
    host = Host(broken)
    with Site("https://t.example", store="sqlite://", fetch=web, runner=External(), resolve=host) as site:
        webmention = post(site, "/webmention", WEBMENTION)
        assert (webmention.status, webmention.header("Retry-After")) == (503, "60")
        pingback = post(site, "/pingback", PINGBACK)
        assert (fault(pingback), Pingback().read_reply(pingback).outcome) == (50, Outcome.FAILED)
        trackback = post(site, "/trackback", TRACKBACK, query=AT_T)
        assert b"<error>1</error>" in trackback.body
        listed = ask(site, "GET", "/mentions", query=AT_T)
        assert (listed.status, listed.header("Retry-After")) == (503, "60")
        assert not any(b"secret" in each.body for each in (webmention, pingback, trackback, listed))
        lines = [record for record in caplog.records if record.levelname == "ERROR"]
        assert len(lines) == 4
        assert all("tests.test_web_app.Host" in line.getMessage() and line.exc_info is None for line in lines)
        assert all("\n" not in line.getMessage() for line in lines)
        assert site.store.next_due() is None
        host.broken = None
        assert post(site, "/webmention", WEBMENTION).status == 201


def test_a_protocol_of_ones_own_gets_an_endpoint_of_its_name(web: FakeWeb) -> None:
    from linkback.protocols import BUILTIN, Webmention

    class Nod(Webmention):
        """Webmention by another name."""

        name = "nod"

        def read_ping(self, request: Request, target: str = "") -> Claim:
            claim = super().read_ping(request, target)
            return Claim("nod", claim.source, claim.target)

    policy = Policy(settle_seconds=0)
    with Site(
        "https://t.example", store="sqlite://", fetch=web, runner=External(), policy=policy, protocols=(*BUILTIN, Nod())
    ) as site:
        assert post(site, "/nod", WEBMENTION).status == 201
        site.drain()
        assert [mention.protocols for mention in site.mentions(T)] == [("nod",)]


FORGED = [
    pytest.param("attacker.example", id="another host"),
    pytest.param("evil\r\nSet-Cookie: a=b", id="a line break"),
    pytest.param("", id="none"),
    pytest.param("t.example:99999", id="no port"),
]


@pytest.mark.parametrize("name", FORGED)
def test_a_host_header_is_no_evidence_and_leads_nowhere(site: Site, web: FakeWeb, name: str) -> None:
    """A link to a ping URL counts (C-63), but the sender must not choose what our ping URL is."""
    web.pages[S] = f"<a href='https://{name}/trackback{AT_T}'>x</a>"
    request = Request("POST", f"https://{name}/trackback{AT_T}", (FORM,), TRACKBACK)
    assert b"<error>0</error>" in App(site).handle(request, "/trackback").body
    site.drain()
    assert site.mentions(statuses=None) == []
    response = App(site).handle(Request("POST", f"https://{name}/webmention", (FORM,), WEBMENTION), "/webmention")
    assert not any(character in response.header("Location") for character in "\r\n")


@pytest.mark.parametrize("base", ["", "https://public.example/lb"], ids=["our own host", "as configured"])
def test_a_link_to_the_ping_url_proves_a_trackback(site: Site, web: FakeWeb, base: str) -> None:
    web.pages[S] = f"<a href='{base or 'https://t.example'}/trackback{AT_T}'>x</a>"
    ask(site, "POST", "/trackback", TRACKBACK, FORM, query=AT_T, base=base)
    site.drain()
    assert len(site.mentions(T)) == 1


@pytest.mark.parametrize("path", ["post", "%7Euser/post", "caf%c3%a9", "a%2db"])
@pytest.mark.parametrize("named", [True, False], ids=["as its host says", "by its address"])
def test_a_link_to_the_ping_url_that_a_page_advertises_proves_a_trackback_however_the_page_is_spelled(
    web: FakeWeb, path: str, named: bool
) -> None:
    page = f"https://t.example/{path}"
    with a_site(web, (lambda url: page) if named else None) as site:
        said = re.search(r'trackback:ping="([^"]+)"', site.head(page, base="https://t.example"))
        assert said is not None
        web.pages[S] = f"<a href='{said[1]}'>x</a>"
        ask(site, "POST", "/trackback", TRACKBACK, FORM, query="?" + html.unescape(said[1]).partition("?")[2])
        site.drain()
        assert len(site.mentions(page)) == 1


@pytest.mark.parametrize(("path", "query"), [("/trackback", "&x=1"), ("/", "")])
def test_whatever_else_a_sender_asks_for_the_ping_url_is_the_one_that_is_advertised(
    site: Site, path: str, query: str
) -> None:
    ask(site, "POST", path, TRACKBACK, FORM, query=AT_T + query)
    record = site.store.last_claim(urls.pair_key(site.url, S, T), "trackback")
    assert record is not None
    assert record.claim.endpoint == f"https://t.example/trackback{AT_T}"


@pytest.mark.parametrize("target", ["http://[", "nonsense", "x" * 5000, "https://u:p@t.example/post"])
def test_the_mentions_of_what_is_no_url_are_a_400(site: Site, target: str) -> None:
    assert ask(site, "GET", "/mentions", query="?" + urls.query({"target": target})).status == 400
    assert ask(site, "GET", "/trackback", query="?" + urls.query({"target": target})).status == 405


def from_everywhere(number: int) -> tuple[tuple[str, bytes, tuple[str, str], str], ...]:
    """A ping of each protocol from a source of its own: its path, body, type and query."""
    source = f"https://s{number}.example/"
    quoted = urls.query({"source": source, "target": T}).encode()
    return (
        ("/webmention", quoted, FORM, ""),
        ("/pingback", call(source, T), ("Content-Type", "text/xml"), ""),
        ("/trackback", urls.query({"url": source}).encode(), FORM, AT_T),
    )


def limited(**policy: float) -> Site:
    given = Policy(settle_seconds=0, **policy)  # type: ignore[arg-type]
    return Site("https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), policy=given)


@pytest.mark.parametrize(
    "policy",
    [{"client_burst": 3, "client_seconds": 120.0}, {"site_burst": 3, "site_seconds": 120.0}, {"most_waiting": 3}],
    ids=str,
)
def test_each_protocol_says_in_its_own_words_that_there_were_too_many(policy: dict[str, float]) -> None:
    """protocols.md C-8, C-40, C-52; VC-61"""
    with limited(**policy) as site:
        for path, body, kind, query in from_everywhere(1):
            assert ask(site, "POST", path, body, kind, query=query, client="8.8.8.8").status in (200, 201)
        webmention, pingback, trackback = (
            ask(site, "POST", path, body, kind, query=query, client="8.8.8.8")
            for path, body, kind, query in from_everywhere(2)
        )
        assert (webmention.status, pingback.status, trackback.status) == (429, 200, 429)
        assert fault(pingback) == 49
        assert b"<error>1</error>" in trackback.body
        waits = {response.header("Retry-After") for response in (webmention, pingback, trackback)}
        assert waits == {"60" if "most_waiting" in policy else "120"}
        assert len(site.store.due(datetime.now(UTC), limit=9)) == 1
        assert site.store.last_claim(urls.pair_key(site.url, "https://s2.example/", T), "webmention") is None


def test_a_flood_from_one_address_is_answered_and_keeps_nobody_out() -> None:
    with limited() as site:
        found = []
        for number in range(1000):
            path, body, kind, query = from_everywhere(number)[0]
            found.append(ask(site, "POST", path, body, kind, query=query, client="8.8.8.8").status)
        assert found == [201] * 30 + [429] * 970
        path, body, kind, query = from_everywhere(1000)[0]
        assert ask(site, "POST", path, body, kind, query=query, client="9.9.9.9").status == 201
        assert len(site.store.due(datetime.now(UTC), limit=99)) == 31
