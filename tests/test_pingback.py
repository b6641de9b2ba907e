"""Pingback on the wire: the bytes we send and answer, and what we make of theirs."""

from __future__ import annotations

import contextlib
import itertools
import re
import xmlrpc.client

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkback.errors import Reason, Refused
from linkback.model import Answer, Claim, Outcome, Reply
from linkback.protocols import Pingback
from linkback.protocols.pingback import FAULTS, PING
from linkback.protocols.xmlrpc import read_call
from linkback.wire import Request, Response

S = "https://s.example/note"
T = "https://t.example/post"
ENDPOINT = "https://t.example/rpc"
PB = Pingback()

TEMPLATE = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<methodCall>\n"
    b"<methodName>pingback.ping</methodName>\n"
    b"<params>\n"
    b"<param><value><string>https://s.example/note</string></value></param>\n"
    b"<param><value><string>https://t.example/post</string></value></param>\n"
    b"</params>\n"
    b"</methodCall>\n"
)


def ping(source: str = S, target: str = T) -> Request:
    return PB.write_ping(ENDPOINT, Claim("pingback", source, target))


def body_of(*values: str, method: str = PING) -> bytes:
    params = "".join(f"<param>{value}</param>" for value in values)
    return f"<methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>".encode()


def request(body: bytes, content_type: str = "text/xml") -> Request:
    headers = (("Content-Type", content_type),) if content_type else ()
    return Request("POST", ENDPOINT, headers, body)


VS = f"<value><string>{S}</string></value>"
VT = f"<value><string>{T}</string></value>"
CALL = body_of(VS, VT)
CLAIM = Claim("pingback", S, T)


# we speak


def test_a_ping_is_the_exact_template() -> None:
    """VB-1, VB-2."""
    sent = ping()
    assert (sent.method, sent.url, sent.body) == ("POST", ENDPOINT, TEMPLATE)
    assert sent.header_all("Content-Type") == ["text/xml"]
    assert sent.header("Accept") == "text/xml, application/xml;q=0.9, */*;q=0.1"


@pytest.mark.parametrize(
    ("claim", "fragment"),
    [
        pytest.param((f"{S}?a=1&b=<2>", T), b"https://s.example/note?a=1&amp;b=&lt;2&gt;</string>", id="VB-3"),
        pytest.param((S, "https://t.example/\u00e9"), b"https://t.example/&#233;</string>", id="VB-4"),
        pytest.param((S, "https://t.example/\U0001f600\ud800"), b"https://t.example/&#128512;&#65533;", id="astral"),
        pytest.param((S, 'https://t.example/"'), b'https://t.example/"</string>', id="quote"),
    ],
)
def test_a_ping_is_ascii_whatever_the_urls_are(claim: tuple[str, str], fragment: bytes) -> None:
    sent = ping(*claim)
    assert fragment in sent.body
    assert sent.body.isascii()


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"\A<\?xml", id="VX-12 first five bytes"),
        pytest.param(
            r"<methodCall>\s*<methodName>pingback.ping</methodName>\s*<params>\s*"
            r"<param>\s*<value>\s*<string>([^<]*)</string>\s*</value>\s*</param>\s*"
            r"<param>\s*<value>\s*<string>([^<]*)</string>\s*</value>\s*</param>\s*</params>\s*</methodCall>",
            id="VX-12 nothing but whitespace between tags",
        ),
    ],
)
def test_the_pickiest_receivers_read_a_ping(pattern: str) -> None:
    assert re.search(pattern, ping().body.decode())


URLS = st.text(
    alphabet=st.characters(
        min_codepoint=0x21, exclude_categories=["Cs", "Cc", "Zs"], exclude_characters="\ufffe\uffff;"
    )
).map("https://s.example/".__add__)


@settings(deadline=None)
@given(URLS, URLS)
def test_the_standard_library_reads_what_we_send(source: str, target: str) -> None:
    assert xmlrpc.client.loads(ping(source, target).body) == ((source, target), PING)


@settings(deadline=None)
@given(URLS, URLS)
def test_we_read_what_the_standard_library_sends(source: str, target: str) -> None:
    body = xmlrpc.client.dumps((source, target), PING).encode()
    assert PB.read_ping(request(body)) == Claim("pingback", source, target)


# they answered


def response(body: bytes | str, status: int = 200, *headers: tuple[str, str]) -> Response:
    content = body if isinstance(body, bytes) else body.encode()
    return Response(status, headers, content, ENDPOINT)


def result(value: str) -> str:
    return f"<methodResponse><params><param>{value}</param></params></methodResponse>"


def fault(value: str) -> str:
    return f"<methodResponse><fault>{value}</fault></methodResponse>"


def code(number: int, text: str = "") -> str:
    return xmlrpc.client.dumps(xmlrpc.client.Fault(number, text), methodresponse=True)


def struct(**members: str) -> str:
    inner = "".join(f"<member><name>{name}</name><value>{value}</value></member>" for name, value in members.items())
    return f"<value><struct>{inner}</struct></value>"


BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
WARNED = "\n<b>Warning</b>: x<br />\n<?xml version='1.0'?>" + result("<value>ok</value>") + "<!-- c -->"
S9Y_FAULT = fault("<value><i4>0</i4></value>")

REPLIES = [
    # results
    pytest.param(response(result("<value><string>ok</string></value>")), (Outcome.SENT, None, "ok"), id="VB-7"),
    pytest.param(response(result("<value>ok</value>")), (Outcome.SENT, None, "ok"), id="VB-8 untyped"),
    pytest.param(response(result("<value><string></string></value>")), (Outcome.SENT, None, ""), id="VB-8 empty"),
    pytest.param(response(result("<value><nil/></value>")), (Outcome.SENT, None, ""), id="another type"),
    pytest.param(response(result("<value><int>48</int></value>")), (Outcome.SENT, 48, ""), id="VB-18"),
    pytest.param(response(result("<value><int>17</int></value>")), (Outcome.REFUSED, 17, ""), id="VB-19"),
    pytest.param(response(result("<value><i4>7</i4></value>")), (Outcome.SENT, None, ""), id="VB-20"),
    pytest.param(response(result("<value><int>33</int></value>")), (Outcome.REFUSED, 33, ""), id="VX-5"),
    pytest.param(response(result("<value><int>x</int></value>")), (Outcome.SENT, None, ""), id="no integer"),
    pytest.param(response(result("<value><boolean>1</boolean></value>")), (Outcome.SENT, None, ""), id="B-34 true"),
    pytest.param(response(result("<value><boolean>0</boolean></value>")), (Outcome.REFUSED, 0, ""), id="B-34 false"),
    pytest.param(
        response(result(struct(flerror="<int>1</int>", message="no"))), (Outcome.REFUSED, 0, "no"), id="VB-21"
    ),
    pytest.param(
        response(result(struct(flerror="<boolean>1</boolean>", message="<int>5</int>"))),
        (Outcome.REFUSED, 0, ""),
        id="B-35 flerror without text",
    ),
    pytest.param(
        response(result(struct(flerror="<boolean>0</boolean>", message="fine"))), (Outcome.SENT, None, ""), id="B-35 ok"
    ),
    pytest.param(
        response(result(struct(faultCode="<int>32</int>", faultString="gone"))),
        (Outcome.REFUSED, 32, "gone"),
        id="B-35 fault in a result",
    ),
    # faults
    pytest.param(response(code(48, "already")), (Outcome.SENT, 48, "already"), id="VB-9"),
    pytest.param(response(code(50, "later")), (Outcome.FAILED, 50, "later"), id="VB-15"),
    pytest.param(response(S9Y_FAULT), (Outcome.REFUSED, 0, ""), id="VB-22"),
    pytest.param(
        response(fault(struct(faultCode="<string>48</string>", faultString="x"))), (Outcome.SENT, 48, "x"), id="VB-23"
    ),
    pytest.param(
        response(fault(struct(faultCode="<string>many</string>"))), (Outcome.REFUSED, 0, ""), id="B-36 no number"
    ),
    pytest.param(
        response(fault(struct(faultCode="<boolean>1</boolean>"))), (Outcome.REFUSED, 1, ""), id="B-36 boolean"
    ),
    pytest.param(response(fault("<value><string>nope</string></value>")), (Outcome.REFUSED, 0, "nope"), id="VB-24"),
    pytest.param(response(fault("<value><array/></value>")), (Outcome.REFUSED, 0, ""), id="B-36 array"),
    pytest.param(response(fault("")), (Outcome.REFUSED, 0, ""), id="B-36 nothing"),
    # around them
    pytest.param(response(WARNED), (Outcome.SENT, None, "ok"), id="VB-25"),
    pytest.param(response("\ufeff" + result("<value>ok</value>")), (Outcome.SENT, None, "ok"), id="B-31 BOM"),
    pytest.param(response(code(48), 400), (Outcome.SENT, 48, ""), id="VB-28"),
    pytest.param(
        response(code(0, "x"), 500, ("Content-Type", "text/xml")), (Outcome.REFUSED, 0, "x"), id="B-30 fault and 500"
    ),
    pytest.param(
        response(result("<value>ok</value>"), 200, ("Content-Type", "text/html")),
        (Outcome.SENT, None, "ok"),
        id="VB-29",
    ),
    pytest.param(
        response(result("<value><string>success</string></value>"), 200, ("Content-Type", "text/html")),
        (Outcome.SENT, None, "success"),
        id="VX-1",
    ),
    pytest.param(response(S9Y_FAULT, 200, ("Content-Type", "text/html")), (Outcome.REFUSED, 0, ""), id="VX-2"),
    pytest.param(
        response(b'<?xml version="1.0" encoding="ISO-8859-1"?>' + result("<value>caf\xe9</value>").encode("latin-1")),
        (Outcome.SENT, None, "café"),
        id="latin-1 answer",
    ),
    pytest.param(
        response(result("<value>from a?b=1&c=2</value>")), (Outcome.SENT, None, "from a?b=1&c=2"), id="bare ampersand"
    ),
]


@pytest.mark.parametrize(("answer", "expected"), REPLIES)
def test_an_answer_is_read_for_what_it_means(answer: Response, expected: tuple[Outcome, int | None, str]) -> None:
    reply = PB.read_reply(answer)
    assert (reply.outcome, reply.code, reply.detail) == expected


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("<html><title>x</title></html>", id="VB-26"),
        pytest.param("", id="VB-27"),
        pytest.param(BOMB + result("<value>&b;</value>"), id="VB-30"),
        pytest.param("<!DOCTYPE html>" + result("<value>ok</value>"), id="B-32 in front of the response"),
        pytest.param("<methodResponse><params>", id="cut"),
        pytest.param("<methodResponse></methodResponse>", id="neither result nor fault"),
        pytest.param("<methodResponse><params></params></methodResponse>", id="no parameter"),
        pytest.param("<?xml version='1.0'?><rss></rss>", id="other XML"),
        pytest.param("<methodResponse>" + "<a>" * 50_000, id="deep"),
    ],
)
def test_a_page_instead_of_a_response_is_no_success(body: str) -> None:
    reply = PB.read_reply(response(body))
    assert (reply.outcome, reply.code) == (Outcome.REFUSED, 200)
    assert reply.detail.startswith("malformed")
    assert (reply.again, reply.unusable) == (0, False)


@pytest.mark.parametrize(
    ("status", "outcome", "unusable"),
    [
        pytest.param(503, Outcome.FAILED, False, id="VB-31"),
        pytest.param(404, Outcome.REFUSED, True, id="VB-32"),
        pytest.param(303, Outcome.REFUSED, False, id="VB-34"),
        (405, Outcome.REFUSED, True),
        (410, Outcome.REFUSED, True),
        (501, Outcome.REFUSED, True),
        (408, Outcome.FAILED, False),
        (425, Outcome.FAILED, False),
        (429, Outcome.FAILED, False),
        (500, Outcome.FAILED, False),
        (400, Outcome.REFUSED, False),
        (403, Outcome.REFUSED, False),
    ],
)
def test_without_xml_the_status_decides(status: int, outcome: Outcome, unusable: bool) -> None:
    reply = PB.read_reply(response("<html>sorry</html>", status, ("Retry-After", "7")))
    assert reply == Reply(outcome=outcome, code=status, unusable=unusable, retry_after=7)


@pytest.mark.parametrize(
    ("number", "outcome", "again", "unusable"),
    [
        pytest.param(0, Outcome.REFUSED, 1, False, id="VB-10, VB-11"),
        pytest.param(16, Outcome.REFUSED, 2, False, id="VB-12"),
        pytest.param(17, Outcome.REFUSED, 1, False, id="VB-13"),
        *(pytest.param(number, Outcome.REFUSED, 0, False, id=f"VB-14 {number}") for number in (32, 33, 49)),
        pytest.param(-32601, Outcome.REFUSED, 0, True, id="VB-16"),
        *((number, Outcome.REFUSED, 0, False) for number in (18, 51, 1, 40, -1, -32700, -32702, -32600, -32602)),
        *((number, Outcome.FAILED, 0, False) for number in (50, -32603, -32500, -32400, -32300, -32099, -32000)),
        pytest.param(429, Outcome.FAILED, 0, False, id="WordPress throttles"),
        *((number, Outcome.REFUSED, 0, False) for number in (-32100, -31999)),
        (48, Outcome.SENT, 0, False),
    ],
)
def test_a_fault_says_whether_another_try_is_worth_making(
    number: int, outcome: Outcome, again: int, unusable: bool
) -> None:
    reply = PB.read_reply(response(code(number)))
    assert (reply.outcome, reply.code, reply.again, reply.unusable) == (outcome, number, again, unusable)


@pytest.mark.parametrize(
    ("number", "status", "headers", "outcome"),
    [
        (49, 200, [("Retry-After", "30")], Outcome.FAILED),
        (0, 200, [("Retry-After", "30")], Outcome.FAILED),
        (49, 429, [], Outcome.FAILED),
        (0, 503, [], Outcome.FAILED),
        (0, 500, [], Outcome.REFUSED),
        (49, 403, [], Outcome.REFUSED),
        *((number, 429, [("Retry-After", "30")], Outcome.REFUSED) for number in (16, 17, 32, 33, 18, 51)),
        (48, 429, [("Retry-After", "30")], Outcome.SENT),
    ],
)
def test_a_fault_that_says_nothing_of_the_pair_may_mean_not_now(
    number: int, status: int, headers: list[tuple[str, str]], outcome: Outcome
) -> None:
    """B-39: webmention.io words all its troubles as fault 0, so a status that is not about time says nothing more."""
    assert PB.read_reply(response(code(number), status, *headers)).outcome is outcome


def test_a_fault_may_say_how_long_to_wait() -> None:
    assert PB.read_reply(response(code(50), 503, ("Retry-After", "90"))).retry_after == 90


def test_a_faults_text_is_one_decoded_line_without_markup() -> None:
    """B-40: peers escape twice; what is left is text."""
    text = "It&#8217;s <i>no</i>\n\t link\u202e &lt;b&gt;"
    reply = PB.read_reply(response(code(17, text)))
    assert reply.detail == "It’s no link <b>"


def test_a_long_text_is_cut() -> None:
    reply = PB.read_reply(response(code(17, "x" * 2000)))
    assert len(reply.detail) == 500
    assert reply.detail.endswith("x…")


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff&<")))
def test_any_string_result_of_the_standard_library_is_a_success(text: str) -> None:
    body = xmlrpc.client.dumps((text,), methodresponse=True)
    assert PB.read_reply(response(body)).outcome is Outcome.SENT


@settings(deadline=None)
@given(
    st.binary(max_size=200), st.sampled_from([b"", b"<?xml ", b"<methodResponse>", b"<methodResponse><fault><value>"])
)
def test_no_answer_is_an_exception(noise: bytes, start: bytes) -> None:
    assert PB.read_reply(response(start + noise)).outcome in Outcome


# they speak


LATIN = '<?xml version="1.0" encoding="ISO-8859-1"?>'
ACCENTED = body_of(f"<value>{S}\u00e9</value>", VT).decode()
NAMED = "<name>{}</name><value>{}</value>"


@pytest.mark.parametrize(
    ("body", "claim"),
    [
        pytest.param(CALL, CLAIM, id="plain"),
        pytest.param(body_of(f"<value>{S}</value>", f"<value>{T}</value>"), CLAIM, id="VC-3"),
        pytest.param(
            body_of(f"<value> <string> {S} </string> </value>", f"<value>\n {T} \n</value>"), CLAIM, id="VC-4"
        ),
        pytest.param(
            body_of("<value><string><![CDATA[https://s.example/?a=1&b=2]]></string></value>", VT),
            Claim("pingback", "https://s.example/?a=1&b=2", T),
            id="VC-5",
        ),
        pytest.param(body_of("<value/>", VT), Claim("pingback", "", T), id="VC-6"),
        pytest.param(body_of("<value><string/></value>", VT), Claim("pingback", "", T), id="C-28 empty string"),
        pytest.param(body_of(VS, VT, "<value>third</value>"), CLAIM, id="VC-8"),
        pytest.param(body_of(struct(sourceURI=S, targetURI=T)), CLAIM, id="VC-10"),
        pytest.param(body_of(NAMED.format("targetURI", T), NAMED.format("sourceURI", S)), CLAIM, id="C-30 named"),
        pytest.param(body_of(NAMED.format("a", S), NAMED.format("b", T)), CLAIM, id="other names go by position"),
        pytest.param(body_of(VS, VT, method=" pingback.ping\n"), CLAIM, id="VC-11"),
        pytest.param(b"\xef\xbb\xbf<!-- hello --><?pi?>\n" + CALL, CLAIM, id="VC-18"),
        pytest.param(b"\r\n \t" + CALL, CLAIM, id="C-25 blanks"),
        pytest.param((LATIN + ACCENTED).encode("latin-1"), Claim("pingback", f"{S}\u00e9", T), id="VC-20"),
        pytest.param(ACCENTED.encode("utf-16"), Claim("pingback", f"{S}\u00e9", T), id="C-24 UTF-16"),
        pytest.param(
            b'<?xml version="1.0" encoding="utf-16"?>' + ACCENTED.encode(),
            Claim("pingback", f"{S}\u00e9", T),
            id="UTF-16 only claimed",
        ),
        pytest.param(
            body_of("<value>https://s.example/?a=1&amp;amp;b=2</value>", VT),
            Claim("pingback", "https://s.example/?a=1&b=2", T),
            id="VC-24",
        ),
        pytest.param(
            body_of("<value><string>https://s.example/?a=1&b=2</string></value>", VT),
            Claim("pingback", "https://s.example/?a=1&b=2", T),
            id="VC-86, VX-3",
        ),
    ],
)
def test_a_call_is_read(body: bytes, claim: Claim) -> None:
    assert PB.read_ping(request(body)) == claim


@pytest.mark.parametrize(
    "form", ["<value>{}</value>", "<value><string>{}</string></value>", "<value><string>{}</value>"]
)
@pytest.mark.parametrize(
    "start",
    [
        "",
        "<?xml version='1.0' encoding='UTF-8'?>",
        '<?xml version="1.0"?>',
        "<?xml?>",
        "<?xml version='1.0\"?>",
        '<?xml version="1.0" encoding="utf-8\'?>',
    ],
)
def test_a_plain_call_is_read_as_the_parser_reads_it(form: str, start: str) -> None:
    """What is read by its shape alone means the same where a comment leaves it to the parser."""
    methods = ("pingback.ping", "pingback .ping", "a&b", "")
    firsts = (S, "", "a&amp;b", "a&b", "a>b", "]]>", "a~b", "a\x7fb", "a\tb", "\u00e9", "<b/>")
    for method, first, blank in itertools.product(methods, firsts, ("", " \r\n\t", "\f", "\u00a0")):
        given = f"<params>{blank}<param>{form.format(first)}{blank}</param><param><value>t</value></param></params>"
        one, other = (
            f"{start}<methodCall>{blank}{comment}<methodName>{method}</methodName>{given}</methodCall>".encode()
            for comment in ("", "<!-- -->")
        )
        assert outcome(one) == outcome(other), one


def outcome(body: bytes) -> object:
    """The call that is read, or why none is."""
    try:
        return read_call(request(body))
    except Refused as refusal:
        return refusal.reason


@pytest.mark.parametrize(
    ("label", "codec", "word"),
    [
        ("Shift_JIS", "shift_jis", "日本"),
        ("EUC-JP", "euc-jp", "日本"),
        ("ISO-2022-JP", "iso2022_jp", "日本"),
        ("GBK", "gbk", "中文"),
        ("GB18030", "gb18030", "中文"),
        ("big5", "big5", "中文"),
        ("euc-kr", "euc-kr", "한국"),
        ("windows-1251", "cp1251", "Привет"),
        ("ISO-8859-15", "iso8859-15", "€"),
        ("US-ASCII", "ascii", "abc"),
    ],
)
def test_a_call_may_come_in_the_worlds_charsets(label: str, codec: str, word: str) -> None:
    """C-24, by the XML declaration and by the media type alike."""
    body = body_of(f"<value>{S}{word}</value>", VT).decode()
    declared = f'<?xml version="1.0" encoding="{label}"?>{body}'.encode(codec)
    assert PB.read_ping(request(declared)).source == S + word
    assert PB.read_ping(request(body.encode(codec), f"application/xml; charset={label}")).source == S + word


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param("text/html", CALL, id="VC-23 html"),
        pytest.param("application/x-www-form-urlencoded", CALL, id="VC-23 form"),
        pytest.param("", CALL, id="VC-23 none"),
        pytest.param("text/html; charset=utf-16", CALL, id="C-24 charset of another type is moot"),
    ],
)
def test_the_media_type_of_a_call_is_not_checked(content_type: str, body: bytes) -> None:
    assert PB.read_ping(request(body, content_type)) == CLAIM


ONE_TOO_DEEP = "<value><struct><member><name>a</name>" * 16


@pytest.mark.parametrize(
    ("body", "reason", "number"),
    [
        pytest.param(body_of(VS), Reason.BAD_ARGUMENTS, -32602, id="VC-7"),
        pytest.param(body_of(), Reason.BAD_ARGUMENTS, -32602, id="no parameters"),
        pytest.param(
            b"<methodCall><methodName>pingback.ping</methodName></methodCall>",
            Reason.BAD_ARGUMENTS,
            -32602,
            id="C-29 no params",
        ),
        pytest.param(body_of(VS, "<value><int>1</int></value>"), Reason.BAD_ARGUMENTS, -32602, id="VC-9"),
        pytest.param(body_of(VS, "<value><base64>eA==</base64></value>"), Reason.BAD_ARGUMENTS, -32602, id="base64"),
        pytest.param(body_of(VS, "<value><array><data/></array></value>"), Reason.BAD_ARGUMENTS, -32602, id="array"),
        pytest.param(body_of(VS, "<value><string><b/></string></value>"), Reason.BAD_ARGUMENTS, -32602, id="markup"),
        pytest.param(body_of(VS, ""), Reason.BAD_ARGUMENTS, -32602, id="no value"),
        pytest.param(body_of(struct(sourceURI=S)), Reason.BAD_ARGUMENTS, -32602, id="half a struct"),
        pytest.param(
            body_of(struct(sourceURI=S, targetURI="<int>1</int>")), Reason.BAD_ARGUMENTS, -32602, id="struct of int"
        ),
        pytest.param(body_of(VS, VT, method="Pingback.Ping"), Reason.UNKNOWN_METHOD, -32601, id="VC-12"),
        pytest.param(body_of(VS, VT, method="system.multicall"), Reason.UNKNOWN_METHOD, -32601, id="VC-13"),
        pytest.param(b"<methodResponse/>", Reason.NOT_A_CALL, -32600, id="VC-15"),
        pytest.param(b"<methodCall><methodName> </methodName></methodCall>", Reason.NOT_A_CALL, -32600, id="no name"),
        pytest.param(b"<methodCall><params/></methodCall>", Reason.NOT_A_CALL, -32600, id="no methodName"),
        pytest.param(
            b"<methodCall>" + b"<a/>" * 1000 + b"</methodCall>", Reason.NOT_A_CALL, -32600, id="C-26 many elements"
        ),
        pytest.param(b"<methodCall>" + b"<a>" * 32, Reason.NOT_A_CALL, -32600, id="C-26 deep"),
        pytest.param(
            CALL.replace(b"</methodName>", b"</methodName><methodName>x</methodName>"),
            Reason.NOT_A_CALL,
            -32600,
            id="two methods",
        ),
        pytest.param(CALL.replace(b"<params>", b"<params/><params>"), Reason.NOT_A_CALL, -32600, id="params twice"),
        pytest.param(body_of(f"{VS}{VS}", VT), Reason.BAD_ARGUMENTS, -32602, id="two values in one"),
        pytest.param(b"<methodCall><methodName>x", Reason.MALFORMED, -32700, id="VC-16"),
        pytest.param(b"", Reason.MALFORMED, -32700, id="VC-17"),
        pytest.param(
            b'<!DOCTYPE a [<!ENTITY a "x"><!ENTITY b "&a;&a;">]>' + CALL, Reason.MALFORMED, -32700, id="VC-19"
        ),
        pytest.param(CALL.replace(b"/note", b"&nbsp;"), Reason.MALFORMED, -32700, id="C-36 no other repair"),
        pytest.param(b'<?xml version="1.0" encoding="x-unknown"?>' + CALL, Reason.UNKNOWN_ENCODING, -32701, id="VC-21"),
        pytest.param(b'<?xml version="1.0" encoding="utf-7"?>' + CALL, Reason.UNKNOWN_ENCODING, -32701, id="UTF-7"),
        pytest.param(CALL.replace(b"/note", b"\xe9"), Reason.UNDECODABLE, -32702, id="VC-22"),
        pytest.param(CALL.decode().encode("utf-16")[:-1], Reason.UNDECODABLE, -32702, id="half a UTF-16 unit"),
    ],
)
def test_what_is_no_ping_is_refused_and_answered_200(body: bytes, reason: Reason, number: int) -> None:
    """C-21: parse errors are faults too."""
    came = request(body)
    with pytest.raises(Refused) as caught:
        PB.read_ping(came)
    assert caught.value.reason is reason
    assert faulted(PB.write_reply(Answer(reason=reason), came)).faultCode == number


def test_strict_xml_refuses_an_unescaped_ampersand() -> None:
    """VC-86, VX-3."""
    body = body_of("<value>https://s.example/?a=1&b=2</value>", VT)
    with pytest.raises(Refused) as caught:
        Pingback(strict_xml=True).read_ping(request(body, "text/html"))
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a&b", "a&b"),
        ("a&b;c", None),
        ("a&#65;&#x42;&lt;", "aAB<"),
        ("&&lt;&", "&<&"),
        ("&#x;&#;", "&#x;&#;"),
        ("<![CDATA[&b&lt;]]>&", "&b&lt;&"),
        ("<!-- & -->&<!---->", "&"),
    ],
)
def test_only_an_ampersand_that_begins_nothing_is_repaired(written: str, read: str | None) -> None:
    came = request(body_of(f"<value><string>{written}</string></value>", VT))
    if read is None:
        with pytest.raises(Refused):
            PB.read_ping(came)
    else:
        assert PB.read_ping(came).source == read


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"<?xml ", CALL, CALL[:150], b"\xff\xfe"]))
def test_any_body_is_a_claim_or_a_refusal(noise: bytes, start: bytes) -> None:
    """Nothing but a refusal ever comes out of a body that is no ping."""
    with contextlib.suppress(Refused):
        assert PB.read_ping(request(start + noise)).protocol == "pingback"


# we answer


def faulted(answer: Response) -> xmlrpc.client.Fault:
    assert answer.status == 200
    assert answer.header_all("Content-Type") == ["text/xml; charset=utf-8"]
    with pytest.raises(xmlrpc.client.Fault) as caught:
        xmlrpc.client.loads(answer.body)
    return caught.value


def test_a_success_satisfies_the_pickiest_sender() -> None:
    """VC-37, VX-10: lower-cased and without spaces it has `<string>` and no `<fault>`."""
    for answer in (Answer(), Answer(checked=True)):
        said = PB.write_reply(answer, request(CALL))
        assert (said.status, said.header_all("Content-Type")) == (200, ["text/xml; charset=utf-8"])
        assert said.body.startswith(b"<?xml ")
        assert b"<string>" in said.body.lower()
        assert b"<fault>" not in b"".join(said.body.lower().split())
        [text], _ = xmlrpc.client.loads(said.body)
        assert str(text) == ("The pingback was verified." if answer.checked else "The pingback was queued.")
        assert PB.read_reply(said).outcome is Outcome.SENT


def test_a_fault_has_exactly_its_two_members_in_order() -> None:
    """VC-38."""
    said = PB.write_reply(Answer(reason=Reason.NO_BACKLINK), request(CALL))
    assert said.body == (
        b'<?xml version="1.0" encoding="utf-8"?>\n<methodResponse>\n<fault>\n<value><struct>\n'
        b"<member><name>faultCode</name><value><int>17</int></value></member>\n"
        b"<member><name>faultString</name>"
        b"<value><string>The source does not link to the target.</string></value></member>\n"
        b"</struct></value>\n</fault>\n</methodResponse>\n"
    )


@pytest.mark.parametrize(
    ("reasons", "number"),
    [
        ([Reason.SOURCE_INVALID], 16),
        ([Reason.SOURCE_UNREADABLE, Reason.SOURCE_MISSING, Reason.SOURCE_GONE], 16),
        ([Reason.NO_BACKLINK, Reason.TRUNCATED, Reason.UNSUPPORTED_TYPE], 17),
        ([Reason.TARGET_INVALID, Reason.TARGET_UNKNOWN, Reason.TARGET_CLOSED], 33),
        ([Reason.TARGET_GONE], 32),
        ([Reason.SAME_PAGE], 0),
        ([Reason.BLOCKED, Reason.TOO_OFTEN], 49),
        ([Reason.DUPLICATE], 48),
        ([Reason.UNAVAILABLE], 50),
        ([Reason.INTERNAL], -32603),
    ],
)
def test_refusals_are_worded_from_one_table(reasons: list[Reason], number: int) -> None:
    """C-40; C-10: those that tell of the network or of access are one answer, byte for byte."""
    answers = {PB.write_reply(Answer(reason=reason), request(CALL)).body for reason in reasons}
    assert len(answers) == 1
    assert faulted(PB.write_reply(Answer(reason=reasons[0]), request(CALL))).faultCode == number


@pytest.mark.parametrize(
    ("reason", "number", "quiet"),
    [
        pytest.param(Reason.NO_BACKLINK, 0, True, id="VC-36 no link"),
        pytest.param(Reason.DUPLICATE, 48, False, id="VC-36 duplicate"),
        pytest.param(Reason.BLOCKED, 0, True, id="blocked"),
        pytest.param(Reason.SAME_PAGE, 0, True, id="even the text of 0"),
        pytest.param(Reason.MALFORMED, -32700, False, id="no pingback was read"),
    ],
)
def test_quiet_faults_tell_only_of_duplicates(reason: Reason, number: int, quiet: bool) -> None:
    said = faulted(Pingback(quiet_faults=True).write_reply(Answer(reason=reason), request(CALL)))
    assert (said.faultCode, said.faultString == "") == (number, quiet)


def test_list_methods_is_answered() -> None:
    """VC-14."""
    came = request(body_of(method="system.listMethods"))
    with pytest.raises(Refused) as caught:
        PB.read_ping(came)
    [methods], _ = xmlrpc.client.loads(PB.write_reply(Answer(reason=caught.value.reason), came).body)
    assert methods == ["pingback.ping", "pingback.extensions.getPingbacks", "system.listMethods"]


def test_an_unknown_method_in_a_broken_call_is_still_a_fault() -> None:
    said = PB.write_reply(Answer(reason=Reason.UNKNOWN_METHOD), request(b"<"))
    assert faulted(said).faultCode == -32601


def test_nothing_of_a_call_is_repeated() -> None:
    """VC-87."""
    came = request(body_of(VS, "<value>evil-target</value>", method="&lt;script&gt;"))
    for reason in Reason:
        body = PB.write_reply(Answer(reason=reason), came).body
        assert not any(word in body for word in (b"script", b"evil", S.encode()))


def test_peers_read_our_faults_as_we_mean_them() -> None:
    for reason, (number, text) in FAULTS.items():
        reply = PB.read_reply(PB.write_reply(Answer(reason=reason), request(CALL)))
        assert (reply.code, reply.detail) == (number, text)
