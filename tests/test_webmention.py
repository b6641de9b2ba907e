"""Webmention on the wire: the bytes we send and answer, and what we make of theirs."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkback.errors import Reason, Refused
from linkback.model import Answer, Claim, Outcome, Reply
from linkback.protocols import Webmention
from linkback.protocols.webmention import REFUSALS, prefers_json
from linkback.wire import Request, Response

S = "https://s.example/note"
T = "https://t.example/post"
ENDPOINT = "https://e.example/wm"
WM = Webmention()
FORM = "application/x-www-form-urlencoded"
BODY = b"source=https%3A%2F%2Fs.example%2Fnote&target=https%3A%2F%2Ft.example%2Fpost"
CLAIM = Claim("webmention", S, T)


# we speak


def test_a_ping_is_a_form_and_the_endpoints_query_stays_in_its_url() -> None:
    """VB-51, VB-52."""
    request = WM.write_ping(f"{ENDPOINT}?k=1", CLAIM)
    assert (request.method, request.url, request.body) == ("POST", f"{ENDPOINT}?k=1", BODY)
    assert request.header_all("Content-Type") == [FORM]
    assert request.header_all("Accept") == ["application/json;q=0.9, */*;q=0.8"]


@settings(deadline=None)
@given(st.text(min_size=1), st.text(min_size=1))
def test_any_url_comes_back_from_a_ping_as_it_was_written(one: str, other: str) -> None:
    """VB-73: the form carries what stands in the source, whatever its script."""
    claim = Claim("webmention", f"https://s.example/{one}.", f"https://bücher.example/{other}.")
    assert WM.read_ping(WM.write_ping(ENDPOINT, claim)) == claim


# they answered


def response(status: int, body: bytes | str = b"", **headers: str) -> Response:
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(status, fields, body if isinstance(body, bytes) else body.encode(), ENDPOINT)


@pytest.mark.parametrize(
    ("answer", "outcome", "status_url"),
    [
        pytest.param(response(201, Location="/st/1"), Outcome.ACCEPTED, "https://e.example/st/1", id="VB-53"),
        pytest.param(response(201), Outcome.ACCEPTED, "", id="VB-54 201"),
        pytest.param(response(202), Outcome.ACCEPTED, "", id="VB-54 202"),
        pytest.param(response(200), Outcome.SENT, "", id="VB-54 200"),
        pytest.param(response(204), Outcome.SENT, "", id="VB-54 204"),
        pytest.param(response(206), Outcome.SENT, "", id="another 2xx"),
        pytest.param(response(202, Location="st"), Outcome.ACCEPTED, "https://e.example/st", id="202 with Location"),
        pytest.param(response(200, Location="/st/1"), Outcome.SENT, "", id="200 with Location"),
        pytest.param(response(303, Location="/st/2"), Outcome.ACCEPTED, "https://e.example/st/2", id="VB-59"),
        pytest.param(
            response(201, '{"location": "https://e.example/body"}', Location="https://e.example/header"),
            Outcome.ACCEPTED,
            "https://e.example/header",
            id="VX-8",
        ),
        pytest.param(response(201, Location="javascript:x"), Outcome.ACCEPTED, "", id="a Location that is no page"),
    ],
)
def test_every_2xx_is_a_success(answer: Response, outcome: Outcome, status_url: str) -> None:
    reply = WM.read_reply(answer)
    assert (reply.outcome, reply.code, reply.status_url) == (outcome, answer.status, status_url)
    assert (reply.again, reply.unusable, reply.retry_after) == (0, False, None)


def test_a_success_that_reads_like_a_failure_is_kept_as_a_note() -> None:
    """VX-6: Serendipity answers webmentions with TrackBack's XML and 200."""
    reply = WM.read_reply(response(200, "<response><error>1</error><message>Danger</message></response>"))
    assert (reply.outcome, reply.detail) == (Outcome.SENT, "1Danger")


@pytest.mark.parametrize(
    ("status", "outcome", "unusable"),
    [
        (400, Outcome.REFUSED, False),
        (403, Outcome.REFUSED, False),
        (409, Outcome.REFUSED, False),
        (301, Outcome.REFUSED, False),
        (404, Outcome.REFUSED, True),
        (405, Outcome.REFUSED, True),
        pytest.param(410, Outcome.REFUSED, True, id="VB-58"),
        (501, Outcome.REFUSED, True),
        (408, Outcome.FAILED, False),
        (425, Outcome.FAILED, False),
        (429, Outcome.FAILED, False),
        pytest.param(500, Outcome.FAILED, False, id="VB-57"),
        (503, Outcome.FAILED, False),
    ],
)
def test_any_other_status_says_whether_to_try_again(status: int, outcome: Outcome, unusable: bool) -> None:
    reply = WM.read_reply(response(status, "no", Location="/st/1"))
    assert reply == Reply(outcome=outcome, code=status, detail="no", unusable=unusable)


def test_a_retry_date_in_the_far_future_is_capped() -> None:
    """VB-56."""
    reply = WM.read_reply(response(429, Retry_After="Wed, 21 Oct 2065 07:28:00 GMT"))
    assert (reply.outcome, reply.retry_after) == (Outcome.FAILED, 86_400)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        pytest.param('{"error":"no_link_found"}', "no_link_found", id="VB-55"),
        pytest.param('{"error":"e","error_description":"d","summary":"s"}', "e: d: s", id="all three"),
        pytest.param('{"error":"e","error_description":"e","summary":5}', "e", id="once each, text only"),
        pytest.param('{"status":"queued"}', '{"status":"queued"}', id="JSON without words"),
        pytest.param("[1]", "[1]", id="no object"),
        pytest.param("[" * 2000, "[" * 499 + "…", id="deep JSON"),
        pytest.param("1" * 5000, "1" * 499 + "…", id="a number int() refuses"),
        pytest.param("<h1>No</h1><p>link &amp; more</p>", "No link & more", id="HTML"),
        pytest.param("a\r\nb\x1b[0m\u202e", "a b[0m", id="controls"),
        pytest.param(b"caf\xe9", "café", id="latin-1"),
        pytest.param("x" * 5000, "x" * 499 + "…", id="long"),
    ],
)
def test_what_a_refusal_says_is_kept_as_one_line(body: bytes | str, detail: str) -> None:
    assert WM.read_reply(response(400, body)).detail == detail


@settings(deadline=None)
@given(st.integers(100, 599), st.binary(max_size=200), st.text(max_size=40))
def test_no_answer_is_an_exception(status: int, body: bytes, header: str) -> None:
    reply = WM.read_reply(response(status, body, Location=header, Retry_After=header))
    assert reply.code == status


# they speak


def ping(body: bytes, content_type: str = FORM, method: str = "POST", accept: str = "", url: str = ENDPOINT) -> Request:
    headers = (("Content-Type", content_type), ("Accept", accept))
    return Request(method, url, tuple(field for field in headers if field[1]), body)


MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="source"\r\n\r\nhttps://s.example/note\r\n'
    b'--b\r\nContent-Disposition: form-data; name="target"\r\n\r\nhttps://t.example/post\r\n--b--\r\n'
)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(BODY, FORM, id="form"),
        pytest.param(BODY, f"{FORM}; charset=utf-8; x=y", id="C-71 parameters"),
        pytest.param(MULTIPART, "multipart/form-data; boundary=b", id="C-71 multipart"),
        pytest.param(b"v=x&" + BODY + b"&code=1&code=2", FORM, id="C-70 other fields"),
        pytest.param(BODY.replace(b"=", b"=+%0A", 2) + b"%20", FORM, id="trimmed"),
        pytest.param(BODY, "", id="no type"),
    ],
)
def test_a_form_is_read(body: bytes, content_type: str) -> None:
    assert WM.read_ping(ping(body, content_type)) == CLAIM


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param(ping(b"target=" + T.encode()), Reason.BAD_ARGUMENTS, id="VC-65 missing"),
        pytest.param(ping(b"source=x&target="), Reason.BAD_ARGUMENTS, id="VC-65 empty"),
        pytest.param(ping(b"source=+&target=x"), Reason.BAD_ARGUMENTS, id="blank"),
        pytest.param(ping(BODY + b"&source=x"), Reason.BAD_ARGUMENTS, id="VC-65 twice"),
        pytest.param(ping(BODY + b"&target=x"), Reason.BAD_ARGUMENTS, id="target twice"),
        pytest.param(ping(b"source=%FF&target=x"), Reason.BAD_ARGUMENTS, id="no UTF-8"),
        pytest.param(ping(b"", url=f"{ENDPOINT}?{BODY.decode()}"), Reason.BAD_ARGUMENTS, id="VC-66"),
        pytest.param(ping(b"{}", "application/json"), Reason.BAD_CONTENT_TYPE, id="VC-74"),
    ],
)
def test_what_is_no_ping_is_refused_with_400(request_: Request, reason: Reason) -> None:
    with pytest.raises(Refused) as caught:
        WM.read_ping(request_)
    assert caught.value.reason is reason
    assert WM.write_reply(Answer(reason=reason), request_).status == 400


def test_a_form_of_many_fields_is_too_large() -> None:
    with pytest.raises(Refused) as caught:
        WM.read_ping(ping(b"a=1&" * 100))
    assert WM.write_reply(Answer(reason=caught.value.reason), ping(b"")).status == 413


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([FORM, "multipart/form-data; boundary=b", "", "text/plain"]))
def test_any_body_is_a_claim_or_a_refusal(body: bytes, content_type: str) -> None:
    """Nothing but a refusal ever comes out of a body that is no ping."""
    with contextlib.suppress(Refused):
        assert WM.read_ping(ping(b"source=x&target=y&" + body, content_type)).source


# we answer


STATUS = "https://t.example/status/abc"
JSON = "application/json"


@pytest.mark.parametrize(
    ("answer", "status", "location", "members"),
    [
        pytest.param(Answer(checked=True), 200, [], ["status", "summary"], id="VC-73"),
        pytest.param(Answer(checked=True, status_url=STATUS), 200, [], ["status", "summary"], id="no Location on 200"),
        pytest.param(Answer(status_url=STATUS), 201, [STATUS], ["status", "summary", "location"], id="VC-71"),
        pytest.param(Answer(), 202, [], ["status", "summary"], id="VC-72"),
        pytest.param(Answer(reason=Reason.DUPLICATE), 202, [], ["status", "summary"], id="C-79"),
    ],
)
def test_a_success_says_what_happens_next(answer: Answer, status: int, location: list[str], members: list[str]) -> None:
    said = WM.write_reply(answer, ping(BODY, accept=JSON))
    assert (said.status, said.header_all("Location")) == (status, location)
    assert said.header_all("Content-Type") == ["application/json; charset=utf-8"]
    spoken = json.loads(said.body)
    assert list(spoken) == members
    assert spoken.get("location", "") == "".join(location)
    plain = WM.write_reply(answer, ping(BODY))
    assert plain.header_all("Content-Type") == ["text/plain; charset=utf-8"]
    assert plain.body.decode() == "\n".join([spoken["summary"], *location, ""])
    assert WM.read_reply(said).outcome in (Outcome.SENT, Outcome.ACCEPTED)


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_refusal_is_json_or_plain_text(reason: Reason) -> None:
    """VC-76: fixed words, for programs and for people."""
    status, error, sentence = REFUSALS[reason]
    said = WM.write_reply(Answer(reason=reason), ping(BODY, accept=JSON))
    assert (said.status, said.content_type) == (status, JSON)
    assert json.loads(said.body) == {"error": error, "error_description": sentence}
    plain = WM.write_reply(Answer(reason=reason), ping(BODY))
    assert (plain.status, plain.body.decode()) == (status, f"{sentence}\n")


@pytest.mark.parametrize(
    ("reasons", "status"),
    [
        ([Reason.SOURCE_UNREADABLE, Reason.SOURCE_MISSING, Reason.SOURCE_GONE], 400),
        ([Reason.NO_BACKLINK, Reason.TRUNCATED, Reason.UNSUPPORTED_TYPE], 400),
        ([Reason.TARGET_UNKNOWN, Reason.TARGET_GONE, Reason.TARGET_CLOSED], 400),
        ([Reason.SOURCE_INVALID], 400),
        ([Reason.SAME_PAGE], 400),
        ([Reason.BLOCKED], 400),
        ([Reason.TOO_OFTEN], 429),
        ([Reason.UNAVAILABLE], 503),
        ([Reason.INTERNAL], 500),
    ],
)
def test_refusals_are_worded_from_one_table(reasons: list[Reason], status: int) -> None:
    """C-72 to C-75, VC-73; C-10: what tells of the network is one answer, byte for byte."""
    answers = {WM.write_reply(Answer(reason=reason), ping(BODY, accept=JSON)) for reason in reasons}
    assert [answer.status for answer in answers] == [status]


@pytest.mark.parametrize(
    ("reason", "retry_after", "expected"),
    [
        (Reason.TOO_OFTEN, 30, ["30"]),
        (Reason.TOO_OFTEN, None, ["60"]),
        (Reason.UNAVAILABLE, 0, ["0"]),
        (Reason.UNAVAILABLE, -5, ["0"]),
        (Reason.BLOCKED, 30, []),
    ],
)
def test_not_now_says_when(reason: Reason, retry_after: int | None, expected: list[str]) -> None:
    said = WM.write_reply(Answer(reason=reason, retry_after=retry_after), ping(BODY))
    assert said.header_all("Retry-After") == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("text/html, application/xhtml+xml, */*;q=0.8", False),
        ("application/json", True),
        ("Application/JSON;q=0.9, */*;q=0.8", True),
        ("application/json, text/plain, */*", True),
        ("application/json;q=0.5, text/plain", False),
        ("application/json;q=0.5, text/*;q=0.7", False),
        ("application/json;q=0", False),
        ("application/json;q=high", False),
        ("application/json;q=nan", False),
        ("application/json; charset=utf-8; q=1", True),
        (",;,=", False),
    ],
)
def test_json_is_for_those_who_name_it(accept: str, expected: bool) -> None:
    assert prefers_json(ping(b"", accept=accept)) is expected


def test_several_accept_fields_are_one() -> None:
    assert prefers_json(Request("POST", ENDPOINT, (("Accept", "*/*;q=0.1"), ("accept", "application/json"))))


def test_a_head_request_gets_no_body() -> None:
    for accept in ("", JSON):
        assert WM.write_reply(Answer(), ping(b"", method="HEAD", accept=accept)).body == b""


def test_a_vouch_is_read_and_nothing_else_beside_the_claim() -> None:
    body = (
        b"source=https%3A%2F%2Fs.example%2F&target=https%3A%2F%2Ft.example%2F&vouch=+https%3A%2F%2Fv.example%2F+&code=x"
    )
    form = (("Content-Type", "application/x-www-form-urlencoded"),)
    claim = Webmention().read_ping(Request("POST", ENDPOINT, form, body))
    assert claim == Claim("webmention", "https://s.example/", "https://t.example/", vouch="https://v.example/")
