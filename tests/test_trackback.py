"""TrackBack on the wire: the bytes we send and answer, and what we make of theirs."""

from __future__ import annotations

import contextlib
import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkback.errors import ConfigurationError, Reason, Refused
from linkback.model import Answer, Claim, Outcome
from linkback.protocols import TrackBack
from linkback.protocols.trackback import MESSAGES, rdf, write_error
from linkback.rdf import RdfBlock, read_blocks
from linkback.wire import Request, Response

S = "https://s.example/note"
T = "https://t.example/post"
ENDPOINT = "https://t.example/trackback?target=x"
TB = TrackBack()
FORM = "application/x-www-form-urlencoded"
DESCRIBED = Claim("trackback", S, T, title="A b", excerpt="\u00e9 & \u00fc", blog_name="Bl")


def claim(title: str = "t", excerpt: str = "", blog_name: str = "") -> Claim:
    return Claim("trackback", S, T, title, excerpt, blog_name)


def sent(title: str = "t", excerpt: str = "", blog_name: str = "") -> dict[str, str]:
    body = TB.write_ping(ENDPOINT, claim(title, excerpt, blog_name)).body
    return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True))


# we speak


def test_a_ping_is_a_form_in_fixed_order() -> None:
    """VB-35, VB-36, VB-77."""
    request = TB.write_ping(ENDPOINT, DESCRIBED)
    assert (request.method, request.url) == ("POST", ENDPOINT)
    assert request.header_all("Content-Type") == ["application/x-www-form-urlencoded; charset=utf-8"]
    assert request.header("Accept") == "text/xml, application/xml;q=0.9, */*;q=0.1"
    assert request.body == (b"title=A+b&url=https%3A%2F%2Fs.example%2Fnote&excerpt=%C3%A9+%26+%C3%BC&blog_name=Bl")


@pytest.mark.parametrize(
    ("title", "start"),
    [
        pytest.param("", b"title=https%3A%2F%2Fs.example%2Fnote&url=", id="VB-37, VX-9"),
        pytest.param(" \n", b"title=https%3A%2F%2Fs.example%2Fnote&url=", id="blank"),
        pytest.param("0", b"title=0+&url=", id="VB-38"),
        pytest.param("a\n  b\x00", b"title=a+b&url=", id="one line"),
        pytest.param("*~", b"title=%2A~&url=", id="B-42 reference encoding"),
        pytest.param("\ud800x", b"title=x&url=", id="half a character"),
    ],
)
def test_a_title_is_always_sent(title: str, start: bytes) -> None:
    assert TB.write_ping(ENDPOINT, claim(title)).body.startswith(start)


def test_empty_words_are_left_out() -> None:
    assert list(sent("t")) == ["title", "url"]
    assert list(sent("t", blog_name="b")) == ["title", "url", "blog_name"]


def test_a_receiver_that_wants_all_four_fields_gets_them() -> None:
    """VX-11."""
    assert all(sent("t", "e", "b")[name] for name in ("title", "excerpt", "url", "blog_name"))


@pytest.mark.parametrize(
    ("excerpt", "expected"),
    [
        pytest.param("<p>a&amp;b</p>\n <i>c</i>", "a&b c", id="VB-39"),
        pytest.param("x" * 300, "x" * 254 + "…", id="VB-40"),
        pytest.param("x" * 255, "x" * 255, id="VB-41"),
        pytest.param("x" * 256, "x" * 254 + "…", id="one more"),
        pytest.param("x" * 240 + " " + "y" * 60, "x" * 240 + "…", id="word boundary near"),
        pytest.param("x" * 200 + " " + "y" * 60, "x" * 200 + " " + "y" * 53 + "…", id="word boundary far"),
        pytest.param("<p>one</p><p>two</p><br>three", "one two three", id="blocks part words"),
        pytest.param("mi<b>xe</b>d", "mixed", id="inline tags do not"),
        pytest.param("1 < 2 and 3 > 2", "1 < 2 and 3 > 2", id="no tag"),
        pytest.param("&amp;lt;", "&lt;", id="decoded once"),
        pytest.param("a&#" + "9" * 5000 + ";b", "a\ufffdb", id="a number int() refuses"),
        pytest.param("<!-- c -->x<?php y ?>", "x", id="comments"),
    ],
)
def test_an_excerpt_is_plain_text_of_bounded_length(excerpt: str, expected: str) -> None:
    assert sent(excerpt=excerpt)["excerpt"] == expected
    assert len(expected) <= 255


# they answered


def response(body: bytes | str, status: int = 200, *headers: tuple[str, str]) -> Response:
    return Response(status, headers, body if isinstance(body, bytes) else body.encode(), ENDPOINT)


OK = "<response><error>0</error></response>"
LATIN = b'<?xml version="1.0" encoding="iso-8859-1"?>\n <response><error>1</error><message>caf\xe9</message></response>'


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(response(OK), (Outcome.SENT, 0, ""), id="VB-42"),
        pytest.param(
            response("\ufeffWarning: x\n<response><error> 0 </error></response>"), (Outcome.SENT, 0, ""), id="VB-43"
        ),
        pytest.param(
            response("<response><error>1</error><message>a & b</message></response>"),
            (Outcome.REFUSED, 1, "a & b"),
            id="VB-44",
        ),
        pytest.param(response("<error>1</error>"), (Outcome.REFUSED, 1, ""), id="VB-45"),
        pytest.param(response("<error>5</error>"), (Outcome.REFUSED, 5, ""), id="VB-46"),
        pytest.param(response("<error>-1</error>"), (Outcome.REFUSED, -1, ""), id="negative"),
        pytest.param(response("<error>yes</error>"), (Outcome.REFUSED, None, ""), id="no number"),
        pytest.param(response("<error>" + "9" * 5000 + "</error>"), (Outcome.REFUSED, None, ""), id="huge number"),
        pytest.param(response("<error>²</error>"), (Outcome.REFUSED, None, ""), id="a digit that is none"),
        pytest.param(response("<ERROR>0</Error >"), (Outcome.SENT, 0, ""), id="case"),
        pytest.param(response(LATIN), (Outcome.REFUSED, 1, "café"), id="VB-50"),
        pytest.param(
            response(b"<?xml encoding='windows-1251'?><error>1</error><message>\xe9</message>"),
            (Outcome.REFUSED, 1, "й"),
            id="declared without a version",
        ),
        pytest.param(
            response(b"<error>1</error><message>caf\xe9</message>"), (Outcome.REFUSED, 1, "café"), id="undeclared"
        ),
        pytest.param(
            response(b"<error>1</error><message>\x93\xfa</message>", 200, ("Content-Type", "text/xml; charset=sjis")),
            (Outcome.REFUSED, 1, "日"),
            id="named in the header",
        ),
        pytest.param(
            response("<error><![CDATA[1]]></error><message><![CDATA[a &amp; <b>]]> &amp;lt;</message>"),
            (Outcome.REFUSED, 1, "a &amp; <b> &lt;"),
            id="CDATA",
        ),
        pytest.param(
            response("<error>1</error><message><b>no</b>\n\x1b&eacute;</message>"),
            (Outcome.REFUSED, 1, "no é"),
            id="markup and controls",
        ),
        pytest.param(response("<error>1</error><message>cut"), (Outcome.REFUSED, 1, ""), id="message cut"),
    ],
)
def test_an_answer_is_read_for_its_two_elements(answer: Response, expected: tuple[Outcome, int | None, str]) -> None:
    reply = TB.read_reply(answer)
    assert (reply.outcome, reply.code, reply.detail) == expected
    assert (reply.again, reply.unusable) == (0, False)


def test_a_long_message_is_cut() -> None:
    reply = TB.read_reply(response(f"<error>1</error><message>{'x' * 2000}</message>"))
    assert len(reply.detail) == 500


@pytest.mark.parametrize("body", [pytest.param("", id="VB-47"), "<html>hello</html>", "<error>0", "<response/>"])
def test_a_2xx_without_an_error_element_is_no_success(body: str) -> None:
    """B-47: WordPress answers an empty 200 when it stored nothing."""
    reply = TB.read_reply(response(body))
    assert (reply.outcome, reply.code, reply.again) == (Outcome.REFUSED, 200, 0)
    assert reply.detail.startswith("malformed")


THROTTLED = "<error>1</error><message>You are pinging too quickly.</message>"


@pytest.mark.parametrize(
    ("answer", "outcome", "unusable", "retry_after"),
    [
        pytest.param(response(OK, 403), Outcome.REFUSED, False, None, id="VB-48"),
        pytest.param(response("", 429, ("Retry-After", "120")), Outcome.FAILED, False, 120, id="VB-49"),
        pytest.param(response(THROTTLED, 403), Outcome.FAILED, False, None, id="VX-7"),
        pytest.param(response(OK, 403, ("Retry-After", "9")), Outcome.FAILED, False, 9, id="403 that says when"),
        pytest.param(response("", 503), Outcome.FAILED, False, None, id="503"),
        pytest.param(response("", 500), Outcome.FAILED, False, None, id="500"),
        pytest.param(response("", 408), Outcome.FAILED, False, None, id="408"),
        pytest.param(response("", 404), Outcome.REFUSED, True, None, id="404"),
        pytest.param(response("<error>1</error>", 404), Outcome.REFUSED, False, None, id="404 that judged"),
        pytest.param(response("", 501), Outcome.REFUSED, True, None, id="501"),
        pytest.param(response(OK, 303), Outcome.REFUSED, False, None, id="303"),
    ],
)
def test_a_status_outranks_the_body(
    answer: Response, outcome: Outcome, unusable: bool, retry_after: int | None
) -> None:
    reply = TB.read_reply(answer)
    assert (reply.outcome, reply.code, reply.unusable) == (outcome, answer.status, unusable)
    assert reply.retry_after == retry_after


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"<error>", b"<error>0</error><message>", b"<?xml "]))
def test_no_answer_is_an_exception(noise: bytes, start: bytes) -> None:
    assert TB.read_reply(response(start + noise)).outcome in Outcome


# they speak


def ping(body: bytes | str, content_type: str = FORM) -> Request:
    headers = (("Content-Type", content_type),) if content_type else ()
    return Request("POST", ENDPOINT, headers, body if isinstance(body, bytes) else body.encode())


def percent(data: bytes) -> str:
    return "".join(f"%{byte:02X}" for byte in data)


def test_a_ping_without_words_is_called_by_its_url() -> None:
    """VC-47."""
    assert TB.read_ping(ping(f"url=+{S}%0A"), T) == Claim("trackback", S, T, title=S, endpoint=ENDPOINT)


def test_what_we_send_is_what_we_read() -> None:
    request = TB.write_ping(ENDPOINT, DESCRIBED)
    assert TB.read_ping(request, T) == Claim("trackback", S, T, "A b", "\u00e9 & \u00fc", "Bl", ENDPOINT)


SJIS = bytes.fromhex("93FA967B8CEA")
GBK = bytes.fromhex("D6D0CEC4")
JIS = bytes.fromhex("1B2442467C4B5C386C1B2842")


@pytest.mark.parametrize(
    ("content_type", "title", "declared", "expected"),
    [
        pytest.param(f"{FORM}; charset=gbk", GBK, "", "中文", id="VC-48"),
        pytest.param(FORM, SJIS, "Shift_JIS", "日本語", id="VC-49"),
        pytest.param(FORM, b"\xc3\xa9", "", "é", id="VC-50"),
        pytest.param(FORM, b"\xe9", "", "é", id="VC-51"),
        pytest.param(FORM, GBK, "", "ÖÐÎÄ", id="VC-52 defaults"),
        pytest.param(FORM, JIS, "", "日本語", id="VC-53"),
        pytest.param(f"{FORM}; charset=utf-8", b"\xe9", "", "\ufffd", id="VC-54"),
        *(
            pytest.param(FORM, b"\xc3\xa9 a+b", label, "é a+b", id=f"VC-55 {label}")
            for label in ("utf-7", "rot13", "zlib", "unicode_escape", "base64", "idna", "punycode", "hex", "")
        ),
        pytest.param(FORM, b"\x93q\x94", "iso-8859-1", "“q”", id="VC-56"),
        pytest.param(f"{FORM}; charset=utf-8", b"\xc3\xa9", "windows-1252", "é", id="the header comes first"),
        pytest.param(f"{FORM}; charset=utf-7", b"\xe9", "windows-1251", "й", id="unless nobody knows it"),
        pytest.param(FORM, b"\xe9", "x-unknown, windows-1251", "й", id="C-58 comma list"),
        pytest.param(f"{FORM}; charset=euc-jp", "日".encode(), "", "日", id="declared wrongly"),
        pytest.param(f"{FORM}; charset=euc-jp", b"\xa4\xa2\xe9x", "", "あ\ufffdx", id="declared and broken"),
        pytest.param(FORM, b"\x1b$ no \xff", "", "$ no ÿ", id="an escape that starts no Japanese"),
        pytest.param(FORM, b"\x81\xe9", "", "\ufffdé", id="in no charset at all"),
    ],
)
def test_the_charset_is_found_where_senders_say_it(
    content_type: str, title: bytes, declared: str, expected: str
) -> None:
    body = f"url={percent(S.encode())}&title={percent(title)}&charset={percent(declared.encode())}"
    assert TB.read_ping(ping(body, content_type), T).title == expected


def test_utf_16_is_read_whole() -> None:
    """C-57: one charset holds for all fields together, the URL included."""
    body = f"url={percent(S.encode('utf-16-le'))}&title={percent('é'.encode('utf-16-le'))}"
    claim = TB.read_ping(ping(body, f"{FORM}; charset=utf-16"), T)
    assert (claim.source, claim.title) == (S, "é")


@pytest.mark.parametrize(
    ("fallbacks", "title", "expected"),
    [
        pytest.param(("gb18030",), GBK, "中文", id="VC-52 configured"),
        pytest.param(("Shift_JIS", "windows-1252"), SJIS, "日本語", id="first that fits"),
        pytest.param(("euc-kr", "windows-1252"), b"\xe9 x", "é x", id="next"),
        pytest.param((), b"\xe9", "\ufffd", id="none"),
    ],
)
def test_fallback_charsets_are_tried_in_order(fallbacks: tuple[str, ...], title: bytes, expected: str) -> None:
    body = f"url={S}&title={percent(title)}"
    assert TrackBack(fallback_charsets=fallbacks).read_ping(ping(body), T).title == expected


def test_an_unknown_fallback_charset_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="utf-7"):
        TrackBack(fallback_charsets=("utf-8", "utf-7"))


@pytest.mark.parametrize(
    ("field", "written", "expected"),
    [
        pytest.param("title", "&#20013;<b>x</b>\x00", "中x", id="VC-57"),
        pytest.param("title", "y" * 300, "y" * 250 + "…", id="VC-58"),
        pytest.param("title", "y" * 250, "y" * 250, id="C-60 250 fit"),
        pytest.param("title", "y" * 251, "y" * 250 + "…", id="C-60 251 do not"),
        pytest.param("excerpt", "y" * 252, "y" * 252, id="C-60 excerpt fits"),
        pytest.param("excerpt", "y" * 253, "y" * 252 + "…", id="C-60 excerpt"),
        pytest.param("blog_name", "y" * 250, "y" * 250, id="C-60 blog name fits"),
        pytest.param("blog_name", "y" * 251, "y" * 250 + "…", id="C-60 blog name"),
        pytest.param("excerpt", " a\t\r\n b ", "a b", id="blanks"),
        pytest.param("excerpt", "e\u0301", "é", id="NFC"),
        pytest.param("excerpt", "&lt;script&gt;x&lt;/script&gt; &amp;amp;", "x &amp;", id="references, then tags"),
        pytest.param("excerpt", "if a < b then c > d", "if a < b then c > d", id="comparisons stay"),
        pytest.param("title", "&#" + "1" * 5000 + ";", "\ufffd", id="a number int() refuses"),
        pytest.param("title", "&#27;[31m&#x202e;x", "[31mx", id="controls by reference"),
        pytest.param("title", "<b></b>", S, id="nothing left"),
    ],
)
def test_words_are_cleaned_and_cropped(field: str, written: str, expected: str) -> None:
    body = f"url={S}&{field}={percent(written.encode())}"
    assert getattr(TB.read_ping(ping(body), T), field) == expected


def test_the_first_of_repeated_fields_counts_and_unknown_ones_do_not() -> None:
    """C-55."""
    body = f"title=one&url={S}&title=two&url=https://other.example/&x=y&%FF=%FF"
    claim = TB.read_ping(ping(body), T)
    assert (claim.source, claim.title) == (S, "one")


def test_a_url_is_kept_as_it_was_given() -> None:
    """C-60: never cropped, never decoded twice."""
    url = f"{S}?a=1&amp;b={'x' * 400}"
    assert TB.read_ping(ping(f"url={percent(url.encode())}"), T).source == url


MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="url"\r\n\r\nhttps://s.example/note\r\n'
    b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nHi\r\n--b--\r\n'
)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(MULTIPART, "multipart/form-data; boundary=b", id="VC-63"),
        pytest.param(f"url={S}&title=Hi", FORM, id="urlencoded"),
        pytest.param(f"url={S}&title=Hi", "", id="no type"),
    ],
)
def test_the_usual_form_types_are_read(body: bytes | str, content_type: str) -> None:
    claim = TB.read_ping(ping(body, content_type), T)
    assert (claim.source, claim.target, claim.title) == (S, T, "Hi")


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param(ping("title=x"), Reason.SOURCE_INVALID, id="VC-42 missing"),
        pytest.param(ping("url=&title=x"), Reason.SOURCE_INVALID, id="VC-42 empty"),
        pytest.param(ping("url=+%0A"), Reason.SOURCE_INVALID, id="blank"),
        pytest.param(ping("URL=" + S), Reason.SOURCE_INVALID, id="C-55 names are exact"),
        pytest.param(
            Request("POST", f"{ENDPOINT}&url={S}", (("Content-Type", FORM),)), Reason.SOURCE_INVALID, id="VC-64"
        ),
        pytest.param(ping("{}", "application/json"), Reason.BAD_CONTENT_TYPE, id="C-54 JSON"),
        pytest.param(ping("<x/>", "text/xml"), Reason.BAD_CONTENT_TYPE, id="C-54 XML"),
    ],
)
def test_what_is_no_ping_is_refused_with_error_1(request_: Request, reason: Reason) -> None:
    with pytest.raises(Refused) as caught:
        TB.read_ping(request_, T)
    assert caught.value.reason is reason
    said = TB.write_reply(Answer(reason=reason), request_)
    assert said.status == 200
    assert b"<error>1</error>\n<message>" in said.body


def test_a_form_of_many_fields_is_too_large() -> None:
    with pytest.raises(Refused) as caught:
        TB.read_ping(ping("a=1&" * 100), T)
    assert TB.write_reply(Answer(reason=caught.value.reason), ping("")).status == 413


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"url=x&charset=", b"url=x&title=%1b$"]))
def test_any_form_is_a_claim_or_a_refusal(noise: bytes, start: bytes) -> None:
    """Nothing but a refusal ever comes out of a body that is no ping."""
    with contextlib.suppress(Refused):
        assert TB.read_ping(ping(start + noise), T).source


# we answer


@pytest.mark.parametrize("answer", [Answer(), Answer(checked=True), Answer(reason=Reason.DUPLICATE)])
def test_a_success_is_the_exact_bytes(answer: Answer) -> None:
    """VC-41; a repeat is a success too (C-61)."""
    said = TB.write_reply(answer, ping(f"url={S}"))
    assert (said.status, said.headers) == (200, (("Content-Type", "text/xml; charset=utf-8"),))
    assert said.body == b'<?xml version="1.0" encoding="utf-8"?>\n<response>\n<error>0</error>\n</response>'


def test_an_error_message_is_escaped() -> None:
    """VC-43."""
    assert write_error("<&") == (
        b'<?xml version="1.0" encoding="utf-8"?>\n'
        b"<response>\n<error>1</error>\n<message>&lt;&amp;</message>\n</response>"
    )


@pytest.mark.parametrize("reason", MESSAGES)
def test_a_refusal_is_error_1_with_its_message(reason: Reason) -> None:
    said = TB.write_reply(Answer(reason=reason), ping(f"url={S}"))
    root = ElementTree.fromstring(said.body)
    assert root.tag == "response"
    assert [(child.tag, child.text) for child in root] == [("error", "1"), ("message", MESSAGES[reason])]
    assert said.status == (429 if reason is Reason.TOO_OFTEN else 200)
    reply = TB.read_reply(said)
    assert reply.detail == MESSAGES[reason]
    assert reply.outcome is (Outcome.FAILED if reason is Reason.TOO_OFTEN else Outcome.REFUSED)


def test_throttling_says_when_to_come_back() -> None:
    said = TB.write_reply(Answer(reason=Reason.TOO_OFTEN, retry_after=30), ping(f"url={S}"))
    assert said.header_all("Retry-After") == ["30"]
    assert said.header_all("Content-Type") == ["text/xml; charset=utf-8"]


# we advertise


def block_of(markup: str) -> RdfBlock:
    [block] = read_blocks(f"<p>post</p>{markup}<p>more</p>")
    return block


def test_the_rdf_block_survives_its_comment_and_is_found_again() -> None:
    """VA-101."""
    markup = rdf("https://t.example/tb?a=1&b=--", T, 'a--b "c" <d>')
    inner = re.fullmatch("<!--(.*)-->", markup, re.DOTALL)
    assert inner is not None
    assert "--" not in inner[1]
    assert block_of(markup) == RdfBlock(identifier=T, about=T, ping="https://t.example/tb?a=1&b=--")
    description = ElementTree.fromstring(inner[1])[0]
    assert description.get("{http://purl.org/dc/elements/1.1/}title") == 'a--b "c" <d>'


def test_a_page_without_title_has_a_block_without_title() -> None:
    assert "dc:title" not in rdf(ENDPOINT, T)
    assert block_of(rdf(ENDPOINT, T)).ping == ENDPOINT
