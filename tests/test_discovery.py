"""Endpoints are found where the specs say, in their order, and nowhere else.

The ids are the vectors' own: VA-n of the conformance table.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkback import discovery
from linkback.errors import BadStatus
from linkback.model import Endpoint, Endpoints, Rejected, Signpost, Via
from linkback.page import Page
from linkback.protocols import BUILTIN
from linkback.testing import FakeWeb
from linkback.verbs import discover, find_endpoints
from linkback.wire import Headers, Response

T = "https://t.example/post"
WM = "https://t.example/wm"
HTML = "text/html; charset=utf-8"
SIGNPOSTS = {protocol.name: protocol.signpost for protocol in BUILTIN}


@dataclass(frozen=True)
class Served:
    """A page as it was served. `target` is the URL as it was linked."""

    body: str | bytes = ""
    headers: Headers = ()
    content_type: str | None = HTML
    url: str = T
    target: str = T

    def find(self) -> Endpoints:
        typed = (("Content-Type", self.content_type),) if self.content_type is not None else ()
        body = self.body.encode() if isinstance(self.body, str) else self.body
        return discovery.find(Page(Response(200, (*typed, *self.headers), body, self.url)), SIGNPOSTS, self.target)


def link(*values: str, body: str = "", **rest: str) -> Served:
    return Served(body, tuple(("Link", value) for value in values), **rest)


def pinged(*values: str, body: str = "", **rest: str) -> Served:
    return Served(body, tuple(("X-Pingback", value) for value in values), **rest)


def rdf(*blocks: str) -> str:
    return f"<p>x<!-- <rdf:RDF>{''.join(f'<rdf:Description {block}/>' for block in blocks)}</rdf:RDF> -->"


XHTML = '<html xmlns="http://www.w3.org/1999/xhtml"><head>{}</head><body/></html>'
PB = '<link rel="pingback" href="https://o.example/rpc">'
MATCHING = f'dc:identifier="{T}" trackback:ping="https://t.example/tb/5"'
OTHER = 'dc:identifier="https://t.example/other" trackback:ping="https://t.example/tb/1"'

WEBMENTION = {
    "VA-1": (link("</wm>; rel=webmention"), WM),
    "VA-2": (link("<https://e.example/wm>; rel=webmention"), "https://e.example/wm"),
    "VA-3": (Served('<link rel="webmention" href="/wm">'), WM),
    "VA-4": (Served("<link href='https://e.example/wm' rel=webmention>"), "https://e.example/wm"),
    "VA-5": (Served('<p><a rel="webmention" href="/wm">x</a>'), WM),
    "VA-6": (Served(headers=(("LinK", "</wm>; rel=webmention"),)), WM),
    "VA-7": (link('</wm>; rel="webmention"'), WM),
    "VA-8": (Served('<link rel="webmention somethingelse" href="/wm">'), WM),
    "VA-9": (link('</wm>; rel="webmention somethingelse"'), WM),
    "VA-10": (
        link('</h>; rel="webmention"', body="<link rel=webmention href=/l><a rel=webmention href=/a>"),
        "https://t.example/h",
    ),
    "VA-11": (Served('<link rel="not-webmention" href="/bad"><a rel="webmention" href="/wm">'), WM),
    "VA-12": (Served('<!-- <a href="/bad" rel="webmention"></a> --><a href="/wm" rel="webmention">'), WM),
    "VA-13": (
        Served('<code>&lt;a href="/bad" rel="webmention"&gt;</code><a href="/wm" rel="webmention">'),
        WM,
    ),
    "VA-14": (Served('<link rel="webmention" href="">'), T),
    "VA-15": (Served("<body><a rel=webmention href=/a>x</a><link rel=webmention href=/l>"), "https://t.example/a"),
    "VA-16": (Served("<body><link rel=webmention href=/l>x<a rel=webmention href=/a>"), "https://t.example/l"),
    "VA-17": (link('</bad>; rel="other"', '</wm>; rel="webmention"'), WM),
    "VA-18": (link('</bad>; rel="other", </wm>; rel="webmention"'), WM),
    "VA-19": (Served('<link rel="webmention"><a href="/wm" rel="webmention">'), WM),
    "VA-20": (Served('<link rel="webmention" href="/wm?query=yes&amp;b=2">'), f"{WM}?query=yes&b=2"),
    "VA-21": (
        Served('<link rel="webmention" href="22/wm">', url="https://t.example/test/22"),
        "https://t.example/test/22/wm",
    ),
    "VA-23": (link("<>; rel=webmention"), T),
    "VA-24": (link("<https://e.example/a,b;c>; rel=webmention"), "https://e.example/a,b;c"),
    "VA-25": (link('</x>; title="a, <b>; rel=webmention"; rel=next, </wm>; rel=webmention'), WM),
    "VA-26": (link('</wm>; title="q \\" ; rel=x"; rel="webmention"'), WM),
    "VA-27": (link("</a>; rel=next; rel=webmention"), None),
    "VA-28": (link("</a>; rev=webmention"), None),
    "VA-29": (link("</wm> ;REL = WebMention"), WM),
    "VA-30": (
        link('</a>; rel=webmention; anchor="https://other.example/", </b>; rel=webmention; anchor="#x"'),
        "https://t.example/b",
    ),
    "VA-31": (link("garbage, </a>; rel=webmention", "</b>; rel=webmention"), "https://t.example/b"),
    "VA-32": (link("</wm>; rel='webmention'"), WM),
    "VA-33": (Served('<link rel="http://webmention.org/" href="/wm">'), WM),
    "VA-34": (Served('<link rel="https://webmention.org" href="/wm">'), None),
    "VA-35": (Served('<base href="https://b.example/d/"><link rel=webmention href="wm">'), "https://b.example/d/wm"),
    "VA-36": (link("<wm>; rel=webmention", body='<base href="https://b.example/d/">'), WM),
    "VA-37": (
        Served('<base target=_top><base href="/d/"><base href="/e/"><a rel=webmention href=wm>'),
        "https://t.example/d/wm",
    ),
    "VA-38": (Served("""<script>document.write('<link rel="webmention" href="/bad">')</script>"""), None),
    "VA-39": (Served("<template><link rel=webmention href=/bad></template>"), None),
    "VA-40": (Served("<noscript><link rel=webmention href=/bad></noscript><a rel=webmention href=/wm>"), WM),
    "VA-41": (Served("<textarea><a rel=webmention href=/bad></textarea>"), None),
    "VA-42": (Served("<area rel=webmention href=/bad><b rel=webmention href=/bad>"), None),
    "VA-43": (Served('<link rel=webmention href="mailto:a@b"><a rel=webmention href=/wm>'), WM),
    # found, and not passed over: that it is blocked is the door's word
    "VA-44": (
        Served('<link rel=webmention href="http://127.0.0.1/x"><a rel=webmention href=/wm>'),
        "http://127.0.0.1/x",
    ),
    "VA-45": (Served('<link rel=webmention href="/wm#frag">'), WM),
    "VA-46": (Served('<link rel=webmention href=" /w&#x6D; ">'), WM),
    "VA-47": (Served('<link rel="a&#10;WEBMENTION&#9;b" href=/wm>'), WM),
    "VA-48": (Served("<link rel=webmention href=/one href=/two>"), "https://t.example/one"),
    "VA-49": (link("</wm>; rel=webmention", content_type="application/pdf"), WM),
    "VA-50": (Served("<link rel=webmention href=/wm>", content_type="text/plain"), None),
    "VA-51": (Served("<link rel=webmention href=/wm>", content_type=None), WM),
    "VA-52": (
        Served(
            XHTML.format('<link rel="webmention" href="/wm"/>'), content_type="Application/XHTML+XML; charset=utf-8"
        ),
        WM,
    ),
    "VA-103": (
        Served(b"\xff\xfe" + "<p>é<link rel=webmention href=/wm>".encode("utf-16-le"), content_type="text/html"),
        WM,
    ),
    "VA-109": (
        Served(XHTML.format('<![CDATA[<link rel="webmention" href="/bad"/>]]>'), content_type="application/xhtml+xml"),
        None,
    ),
    "A-20 other alphabets": (
        Served('<link rel="webmention\u00a0x" href=/bad><link rel="webment\u0131on" href=/bad>'),
        None,
    ),
    "A-67 anchor that is no URL": (link('</a>; rel=webmention; anchor="http://["'), None),
    "A-68 empty with base": (Served('<base href="/d/"><link rel=webmention href="">'), "https://t.example/d/"),
    "A-9 not well-formed": (
        Served("<html><br><link rel=webmention href=/wm>", content_type="application/xhtml+xml"),
        WM,
    ),
    "A-32 SVG link": (Served("<svg><link rel=webmention href=/bad></svg>"), None),
}

PINGBACK = {
    "VA-63": (pinged("https://e.example/rpc", body=PB), "https://e.example/rpc"),
    "VA-64": (Served(headers=(("x-pingback", "  https://e.example/rpc  "),)), "https://e.example/rpc"),
    "VA-65": (pinged("https://e.example/1", "https://e.example/2"), "https://e.example/1"),
    "VA-66": (pinged("https://e.example/1, https://e.example/2"), "https://e.example/1"),
    "VA-67": (pinged("https://e.example/a,b"), "https://e.example/a,b"),
    "VA-68": (pinged("", body=PB), "https://o.example/rpc"),
    "VA-69": (pinged("javascript:1", body=PB), "https://o.example/rpc"),
    "VA-70": (pinged("https://e.example/rpc", content_type="image/png"), "https://e.example/rpc"),
    "VA-71": (Served(PB, content_type="image/png"), None),
    "VA-72": (link("<https://e.example/rpc>; rel=pingback"), None),
    "VA-73": (Served('<link rel="pingback" href="https://o.example/x?a=1&amp;b=2">'), "https://o.example/x?a=1&b=2"),
    "VA-74": (Served("<LINK HREF='/rpc' REL='Pingback'/>"), "https://t.example/rpc"),
    "VA-79": (Served('<!-- <link rel="pingback" href="https://c.example/rpc"> -->'), None),
    "VA-81": (
        Served('<link rel=pingback href=""><link rel=pingback href="https://o.example/2">'),
        "https://o.example/2",
    ),
    "VA-82": (Served('<a rel="pingback" href="https://o.example/rpc">'), None),
    "VA-83": (Served(f"<body><p>text</p>{PB}</body>"), "https://o.example/rpc"),
    "VA-106": (pinged("/xmlrpc.php"), "https://t.example/xmlrpc.php"),
    "A-40 first that is not empty": (pinged("", "https://e.example/2"), "https://e.example/2"),
}

TRACKBACK = {
    "VA-84": (Served(rdf(MATCHING)), "https://t.example/tb/5"),
    "VA-85": (Served(f"<p><rdf:Description {MATCHING}/>"), "https://t.example/tb/5"),
    "VA-86": (
        Served(rdf(OTHER, f'dc:identifier="{T}" trackback:ping="https://t.example/tb/2"')),
        "https://t.example/tb/2",
    ),
    "VA-87": (Served(rdf('dc:identifier="https://t.example/a"', 'dc:identifier="https://t.example/b"')), None),
    "VA-88": (Served(rdf(OTHER)), None),
    "VA-89": (Served(rdf('trackback:ping="https://t.example/tb/5"')), "https://t.example/tb/5"),
    "VA-90": (Served(rdf(MATCHING), target=T + "#c1"), "https://t.example/tb/5"),
    "VA-91": (Served(rdf(MATCHING), target="http://t.example/post"), "https://t.example/tb/5"),
    "VA-92": (Served(rdf(OTHER, f'rdf:about="{T}" trackback:ping="https://t.example/tb/7"')), "https://t.example/tb/7"),
    "VA-93": (
        Served(rdf(f"dc:identifier\n=\n'{T}'\ntrackback:ping='https://t.example/tb?x=1&amp;y=2'")),
        "https://t.example/tb?x=1&y=2",
    ),
    "VA-94": (Served(rdf(f'dc:title="a > b" {MATCHING}')), "https://t.example/tb/5"),
    "VA-95": (
        Served(
            f'<!-- <rdf:Description dc:identifier="{T}"><trackback:ping rdf:resource="https://t.example/tb/8"/>'
            "</rdf:Description> -->"
        ),
        "https://t.example/tb/8",
    ),
    "VA-96": (Served('<link rel="trackback" href="/post/trackback/">'), "https://t.example/post/trackback/"),
    "VA-97": (
        Served(rdf(f'dc:identifier="{T}" trackback:ping="/r"') + "<a rel=trackback href=/a>"),
        "https://t.example/r",
    ),
    "VA-98": (Served(rdf(OTHER, OTHER) + "<a rel=trackback href=/a>"), "https://t.example/a"),
    "VA-100": (Served(rdf(f'rdf:about="https://t.example/tb/5" dc:identifier="{T}"')), None),
    "VA-107": (Served(rdf(f'dc:identifier="{T}" trackback:ping="/tb/5"')), "https://t.example/tb/5"),
    "A-84 step 4": (
        Served(rdf('dc:identifier="http://www.t.example/post/" trackback:ping="/tb"')),
        "https://t.example/tb",
    ),
    "A-84 the surest first": (
        Served(rdf(f'dc:identifier="{T}/" trackback:ping="/loose"', f'dc:identifier="{T}" trackback:ping="/exact"')),
        "https://t.example/exact",
    ),
    "A-84 identifier before about": (
        Served(rdf(f'rdf:about="{T}" trackback:ping="/about"', f'dc:identifier="{T}" trackback:ping="/id"')),
        "https://t.example/id",
    ),
    "A-87 the next that matches": (
        Served(rdf(f'dc:identifier="{T}"', f'dc:identifier="{T}" trackback:ping="mailto:a"', MATCHING)),
        "https://t.example/tb/5",
    ),
    "A-90 base": (
        Served('<base href="/d/">' + rdf(f'dc:identifier="{T}" trackback:ping="tb"')),
        "https://t.example/d/tb",
    ),
    "A-86 one nameless block of two is no match": (Served(rdf('trackback:ping="/1"', OTHER)), None),
}


@pytest.mark.parametrize(
    ("protocol", "served", "url"),
    [
        pytest.param(protocol, served, url, id=name)
        for protocol, table in (("webmention", WEBMENTION), ("pingback", PINGBACK), ("trackback", TRACKBACK))
        for name, (served, url) in table.items()
    ],
)
def test_an_endpoint_is_found_where_it_is_advertised(protocol: str, served: Served, url: str | None) -> None:
    found = served.find().found.get(protocol)
    assert (found.url if found else None) == url


@pytest.mark.parametrize(
    ("served", "found"),
    [
        (link("</wm>; rel=webmention"), {"webmention": Endpoint(WM, Via.LINK_HEADER)}),
        (pinged("/rpc"), {"pingback": Endpoint("https://t.example/rpc", Via.X_PINGBACK)}),
        (Served("<a rel=webmention href=/wm>"), {"webmention": Endpoint(WM, Via.A)}),
        (Served(rdf(MATCHING)), {"trackback": Endpoint("https://t.example/tb/5", Via.RDF)}),
        (
            Served('<link rel="pingback webmention trackback" href=/wm>'),
            {name: Endpoint(WM, Via.LINK) for name in ("webmention", "pingback", "trackback")},
        ),
    ],
    ids=["header", "x-pingback", "a", "rdf", "link"],
)
def test_each_endpoint_says_how_it_was_found(served: Served, found: dict[str, Endpoint]) -> None:
    assert served.find().found == found


@pytest.mark.parametrize(
    ("served", "rejected"),
    [
        pytest.param(
            Served('<link rel=webmention href="mailto:a@b">'),
            Rejected("webmention", "mailto:a@b", Via.LINK, "it is no http or https URL"),
            id="VA-43",
        ),
        pytest.param(
            pinged("javascript:1"),
            Rejected("pingback", "javascript:1", Via.X_PINGBACK, "it is no http or https URL"),
            id="VA-69",
        ),
        pytest.param(
            Served(rdf(OTHER)),
            Rejected("trackback", "https://t.example/tb/1", Via.RDF, "identifier mismatch"),
            id="VA-88",
        ),
        pytest.param(
            Served(rdf('dc:identifier="https://t.example/a"', OTHER)),
            Rejected("trackback", "", Via.RDF, "none of several identifiers matches"),
            id="VA-87",
        ),
        pytest.param(
            Served(rdf(f'dc:identifier="{T}" trackback:ping="tel:1"')),
            Rejected("trackback", "tel:1", Via.RDF, "it is no http or https URL"),
            id="A-87 once, though it matches in several ways",
        ),
    ],
)
def test_what_is_advertised_in_vain_is_told(served: Served, rejected: Rejected) -> None:
    found = served.find()
    assert found.rejected == (rejected,)
    assert not found


def test_redirects_are_behind_us() -> None:
    """VA-22: only the final answer advertises, and what it says is relative to its own place."""
    web = FakeWeb(
        {
            T: Response(302, (("Location", "/page/k1"), ("Link", "</bad>; rel=webmention"))),
            "https://t.example/page/k1": Response(200, (("Link", "<ep/k2>; rel=webmention"),)),
        }
    )
    found = discover(T, fetch=web)
    assert found.webmention == Endpoint("https://t.example/page/ep/k2", Via.LINK_HEADER)
    assert (found.url, found.final_url) == (T, "https://t.example/page/k1")


@pytest.mark.parametrize(
    ("status", "temporary"),
    [
        pytest.param(404, False, id="VA-53"),
        pytest.param(503, True, id="VA-54"),
        (410, False),
        (403, False),
        (429, True),
    ],
)
def test_an_error_page_advertises_nothing(status: int, temporary: bool) -> None:
    web = FakeWeb({T: Response(status, (("Link", "</wm>; rel=webmention"),))})
    with pytest.raises(BadStatus) as failed:
        discover(T, fetch=web)
    assert (failed.value.status, failed.value.temporary) == (status, temporary)


def test_a_page_that_was_cut_says_so() -> None:
    """VA-62, behind the door."""
    assert discovery.find(Page(Response(200, (), b"<p>", T, truncated=True)), SIGNPOSTS).truncated


def test_a_page_in_hand_is_searched_alike() -> None:
    found = find_endpoints(T, {"Content-Type": HTML, "X-Pingback": "/rpc"}, b"<a rel=webmention href=/wm>")
    assert (found.url, found.final_url) == (T, T)
    assert found.webmention == Endpoint(WM, Via.A)
    assert found.pingback == Endpoint("https://t.example/rpc", Via.X_PINGBACK)
    assert found.trackback is None


def test_a_protocol_of_ones_own_has_a_signpost_too() -> None:
    mine = {"mine": Signpost(header="X-Mine", header_rels=frozenset({"mine"}))}
    page = Page(Response(200, (("Content-Type", HTML), ("Link", "</m>; rel=MINE")), b"<link rel=mine href=/bad>", T))
    assert discovery.find(page, mine).found == {"mine": Endpoint("https://t.example/m", Via.LINK_HEADER)}
    assert discovery.find(Page(Response(200, (), b"", T)), {"mine": Signpost(rdf=True)}).found == {}


SIGNS = ("<link ", "<a ", "rel=webmention ", 'rel="pingback', "href=", "/wm", "http://[", "<base ", '"', "'", ">")
BLOCKS = ("<rdf:Description ", "trackback:ping='", "dc:identifier=", "/>", "</rdf:Description>")
TRICKS = ("&#", "99999999999;", "<!--", "<svg>", "<template>", "</noscript>", "<![CDATA[", "\x00", "\ud800")
markup = st.lists(st.sampled_from((*SIGNS, *BLOCKS, *TRICKS)), max_size=20).map(
    lambda parts: "".join(parts).encode("utf-8", "surrogatepass")
)
fields = st.tuples(
    st.sampled_from(["Link", "X-Pingback", "Content-Type", "content-type"]),
    st.text(st.characters(exclude_categories=()), max_size=40)
    | st.sampled_from(["text/html; charset=utf-16", "application/xml", '<x>;rel="webmention"', "charset=", "http://["]),
)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.lists(fields, max_size=4), st.binary(max_size=200) | markup, st.sampled_from([T, "", "http://[", "x\ud800"]))
def test_no_page_makes_discovery_fail(headers: list[tuple[str, str]], body: bytes, url: str) -> None:
    found = find_endpoints(url, headers, body)
    assert all(endpoint.url.startswith(("http://", "https://")) for endpoint in found.found.values())
