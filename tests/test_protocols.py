"""What every protocol promises, and how the three are advertised together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkback import discovery, urls
from linkback.errors import Reason
from linkback.model import Answer, Claim, Outcome, Signpost, Via
from linkback.page import Page
from linkback.protocols import BUILTIN, Protocol, advertise_headers, advertise_markup, endpoint_url, signs
from linkback.protocols.status import is_temporary, retry_after
from linkback.wire import Request, Response

S = "https://s.example/note"
T = "https://t.example/post?p=1--2&x"
BASE = "https://t.example/linkback"

each_protocol = pytest.mark.parametrize("protocol", BUILTIN, ids=lambda protocol: str(protocol.name))


def test_the_protocols_come_best_first() -> None:
    """B-8."""
    assert [protocol.name for protocol in BUILTIN] == ["webmention", "pingback", "trackback"]


def test_the_facts_about_each_protocol() -> None:
    facts = {each.name: (each.max_body, each.repeatable, each.describes_source) for each in BUILTIN}
    assert facts == {
        "webmention": (16_384, True, False),
        "pingback": (65_536, True, False),
        "trackback": (262_144, False, True),
    }


WEBMENTION_RELS = frozenset({"webmention", "http://webmention.org", "http://webmention.org/"})


def test_the_signposts_are_data() -> None:
    assert {each.name: each.signpost for each in BUILTIN} == {
        "webmention": Signpost(
            header_rels=WEBMENTION_RELS, element_rels=WEBMENTION_RELS, elements=("link", "a"), empty_href=True
        ),
        "pingback": Signpost(header="X-Pingback", elements=("link",), element_rels=frozenset({"pingback"})),
        "trackback": Signpost(rdf=True, elements=("link", "a"), element_rels=frozenset({"trackback"})),
    }


@each_protocol
def test_what_is_sent_is_read_back(protocol: Protocol) -> None:
    claim = Claim(protocol.name, S, T, title="A title")
    request = protocol.write_ping(f"{BASE}/{protocol.name}", claim)
    read = protocol.read_ping(request, T)
    assert (read.protocol, read.source, read.target) == (protocol.name, S, T)
    assert len(request.body) <= protocol.max_body


@each_protocol
@pytest.mark.parametrize("reason", [None, *Reason])
def test_every_answer_can_be_written_and_read(protocol: Protocol, reason: Reason | None) -> None:
    request = protocol.write_ping(f"{BASE}/{protocol.name}", Claim(protocol.name, S, T, title="secret"))
    said = protocol.write_reply(Answer(reason=reason), request)
    reply = protocol.read_reply(said)
    taken = reason in (None, Reason.DUPLICATE)
    assert (reply.outcome in (Outcome.SENT, Outcome.ACCEPTED)) is taken
    assert said.body
    assert not any(word in said.body for word in (b"s.example", b"t.example/post", b"secret"))


@each_protocol
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_other_verbs_are_answered_405(protocol: Protocol, method: str) -> None:
    """VC-1, VC-2, VC-75."""
    said = protocol.write_reply(Answer(reason=Reason.WRONG_VERB), Request(method, f"{BASE}/{protocol.name}"))
    assert (said.status, said.header_all("Allow")) == (405, ["POST"])
    assert said.content_type == "text/plain"
    assert (said.body == b"") is (method == "HEAD")


@each_protocol
def test_too_large_a_body_is_answered_413(protocol: Protocol) -> None:
    """VC-25."""
    said = protocol.write_reply(Answer(reason=Reason.TOO_LARGE), Request("POST", f"{BASE}/{protocol.name}"))
    assert (said.status, said.content_type) == (413, "text/plain")


@each_protocol
def test_fetch_failures_are_one_answer_and_missing_links_another(protocol: Protocol) -> None:
    """C-10: nobody can scan ports through us."""

    def said(*reasons: Reason) -> set[Response]:
        request = protocol.write_ping(f"{BASE}/{protocol.name}", Claim(protocol.name, S, T))
        return {protocol.write_reply(Answer(reason=reason), request) for reason in reasons}

    assert len(said(Reason.SOURCE_UNREADABLE, Reason.SOURCE_MISSING, Reason.SOURCE_GONE)) == 1
    assert len(said(Reason.NO_BACKLINK, Reason.TRUNCATED, Reason.UNSUPPORTED_TYPE)) == 1


# advertising


def found(headers: tuple[tuple[str, str], ...], markup: str) -> dict[str, tuple[str, Via]]:
    fields = (*headers, ("Content-Type", "text/html"))
    page = Page(Response(200, fields, f"<title>x</title><p>hello</p>{markup}".encode(), T))
    endpoints = discovery.find(page, {each.name: each.signpost for each in BUILTIN}, target=T)
    return {name: (endpoint.url, endpoint.via) for name, endpoint in endpoints.found.items()}


def test_what_we_advertise_is_what_we_discover() -> None:
    tb = endpoint_url(BUILTIN[2], BASE, T)
    assert found(advertise_headers(BUILTIN, BASE, T), advertise_markup(BUILTIN, BASE, T)) == {
        "webmention": (f"{BASE}/webmention", Via.LINK_HEADER),
        "pingback": (f"{BASE}/pingback", Via.X_PINGBACK),
        "trackback": (tb, Via.RDF),
    }
    assert urls.query_value(tb, "target") == T


def test_only_what_is_spoken_is_advertised() -> None:
    assert advertise_headers(BUILTIN[2:], BASE, T) == ()
    assert advertise_markup(BUILTIN[:2], BASE, T) == ""
    assert [name for name, _ in advertise_headers(BUILTIN[:1], BASE, T)] == ["Link"]


# waiting


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def at(when: datetime) -> str:
    return format_datetime(when, usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("000000000000000120", 120),
        ("86400", 86_400),
        ("86401", 86_400),
        ("9" * 5000, 86_400),
        ("-5", None),
        ("1.5", None),
        ("+5", None),
        ("²", None),
        ("", None),
        ("soon", None),
        (at(NOW + timedelta(seconds=90)), 90),
        (at(NOW - timedelta(seconds=90)), 0),
        (at(NOW + timedelta(days=9)), 86_400),
        ("Fri, 02 Jan 2026 03:05:05 -0000", 60),
        ("Fri, 02 Jan 2026 04:05:05 +0100", 60),
        ("Fri, 32 Jan 2026 03:05:05 GMT", None),
        ("Fri, 02 Jan 99999999 03:05:05 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: int | None) -> None:
    """A date is counted from the answer's own."""
    assert retry_after(Response(503, (("Retry-After", value), ("Date", at(NOW))))) == seconds


def test_without_a_date_of_its_own_an_answer_is_taken_as_of_now() -> None:
    later = at(datetime.now(UTC) + timedelta(hours=2))
    for date in ((), (("Date", "yesterday"),)):
        seconds = retry_after(Response(503, (("Retry-After", later), *date)))
        assert seconds is not None
        assert 3600 < seconds <= 7200


def test_no_field_is_no_wait() -> None:
    assert retry_after(Response(503)) is None


DATE_LIKE = st.from_regex(r"[A-Z][a-z]{2}, ?[0-9]{0,9} [A-Za-z]{0,5} ?[0-9:+\-]{0,30}", fullmatch=True)


@settings(deadline=None)
@given(st.text(max_size=60) | DATE_LIKE)
def test_any_retry_after_is_seconds_or_nothing(value: str) -> None:
    seconds = retry_after(Response(503, (("Retry-After", value), ("Date", value))))
    assert seconds is None or 0 <= seconds <= 86_400


def test_501_is_for_ever_and_the_rest_of_5xx_is_not() -> None:
    assert [status for status in range(400, 600) if is_temporary(status)] == [
        408,
        425,
        429,
        500,
        *range(502, 600),
    ]


ELEMENTS = [
    pytest.param(
        "pingback", "https://t.example/rpc", '<link rel="pingback" href="https://t.example/rpc">', id="VA-102"
    ),
    pytest.param(
        "pingback",
        'https://t.example/?a&"',
        '<link rel="pingback" href="https://t.example/?a&amp;&quot;">',
        id="A-49 escaped",
    ),
    pytest.param(
        "webmention", "https://e.example/wm", '<link rel="webmention" href="https://e.example/wm">', id="A-71"
    ),
]


@pytest.mark.parametrize(("rel", "endpoint", "element"), ELEMENTS)
def test_an_element_advertises_in_the_one_form_that_every_sender_reads(rel: str, endpoint: str, element: str) -> None:
    assert signs.link_element(rel, endpoint) == element
