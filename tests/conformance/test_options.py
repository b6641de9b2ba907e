"""What the specs leave to an option: each does what its vectors say, and nothing of it happens unasked."""

from __future__ import annotations

import pytest

from linkback import discovery, extract, urls, validator
from linkback.errors import ConfigurationError, NoBacklink
from linkback.jobs import External
from linkback.model import Claim, Endpoint, Endpoints, Signpost, Status, Via
from linkback.ownpages import OwnPages
from linkback.page import Page
from linkback.policy import Policy
from linkback.protocols import Pingback, TrackBack
from linkback.site import Site
from linkback.testing import FakeWeb
from linkback.verbs import verify
from linkback.wire import Response
from linkback.wpexcerpt import excerpt

T = "https://t.example/post"
S = "https://s.example/note"
LINK = f'<a href="{T}">link</a>'
STRICT = Pingback(strict_discovery=True)
GUESSING = TrackBack(guess_wordpress=True)


def found(
    signpost: Signpost, body: str, *, content_type: str = "text/html", url: str = T, header: str = ""
) -> Endpoint | None:
    fields = (("Content-Type", content_type), *((("X-Pingback", header),) if header else ()))
    return endpoints(signpost, Page(Response(200, fields, body.encode(), url))).found.get("it")


def endpoints(signpost: Signpost, page: Page) -> Endpoints:
    return discovery.find(page, {"it": signpost})


# strict discovery of pingback endpoints


@pytest.mark.parametrize(
    ("body", "url"),
    [
        pytest.param("<LINK HREF='/rpc' REL='Pingback'/>", None, id="VA-75"),
        pytest.param(
            '<link rel="pingback" href="https://o.example/?a=&amp;lt;">', "https://o.example/?a=&lt;", id="VA-76"
        ),
        pytest.param('<link rel="pingback" href="https://o.example/&#x61;">', "https://o.example/&#x61;", id="VA-77"),
        pytest.param(
            '<!-- <link rel="pingback" href="https://c.example/rpc"> -->', "https://c.example/rpc", id="VA-78"
        ),
        pytest.param('<link rel="pingback" href="https://o.example/r"  />', None, id="VA-80"),
        pytest.param('<link rel="pingback" href="https://o.example/r" />', "https://o.example/r", id="one space"),
        pytest.param('<link rel="pingback" href="https://o.example/r"/>', "https://o.example/r", id="no space"),
        pytest.param('<link rel="pingback" href="">', None, id="empty"),
        pytest.param(
            '<link rel="pingback" href="https://o.example/?a=&gt;&quot;&amp;&apos;">',
            'https://o.example/?a=>"&&apos;',
            id="four references",
        ),
        pytest.param(
            '<link rel="pingback" href="mailto:a@b"><link rel="pingback" href="https://o.example/2">',
            None,
            id="only the first",
        ),
    ],
)
def test_strict_discovery_finds_the_one_form_that_the_spec_allows(body: str, url: str | None) -> None:
    assert found(STRICT.signpost, body) == (Endpoint(url, Via.LINK) if url else None)


def test_strict_discovery_reads_bodies_of_any_type() -> None:
    body = '<link rel="pingback" href="https://o.example/rpc">'
    assert found(STRICT.signpost, body, content_type="image/png") == Endpoint("https://o.example/rpc", Via.LINK)
    assert found(Pingback().signpost, body, content_type="image/png") is None


def test_a_header_beats_the_body_in_strict_discovery_too() -> None:
    body = '<link rel="pingback" href="https://o.example/rpc">'
    expected = Endpoint("https://h.example/rpc", Via.X_PINGBACK)
    assert found(STRICT.signpost, body, header="https://h.example/rpc") == expected


# guessing the ping URL of WordPress


@pytest.mark.parametrize(
    ("body", "url"),
    [
        pytest.param(f"<p>Trackback: {T}/trackback/", f"{T}/trackback/", id="VA-99-on"),
        pytest.param(f"<p>{T}/trackback", f"{T}/trackback", id="no slash"),
        pytest.param(f'<a href="{T}&#47;trackback/">', f"{T}/trackback/", id="only in the href"),
        pytest.param(f"<p>{T}/trackbacks {T}/trackback-url", None, id="longer word"),
        pytest.param("<p>https://t.example/other/trackback/", None, id="other page"),
        pytest.param('<a href="/wp-trackback.php?p=7">', "https://t.example/wp-trackback.php?p=7", id="script"),
        pytest.param('<a href="/wp-trackback.php?p=7"><a href="/wp-trackback.php?p=8">', None, id="two posts"),
        pytest.param('<a href="/wp-trackback.php?p=x"><a href="/wp-trackback.php">', None, id="no number"),
        pytest.param('<a href="https://x.example/wp-trackback.php?p=7">', None, id="other host"),
    ],
)
def test_a_wordpress_ping_url_is_guessed_where_that_is_asked_for(body: str, url: str | None) -> None:
    assert found(GUESSING.signpost, body) == (Endpoint(url, Via.GUESS) if url else None)


@pytest.mark.parametrize(
    "body",
    [pytest.param(f"{T}/trackback/", id="VA-99-off"), pytest.param('<a href="/wp-trackback.php?p=7">', id="script")],
)
def test_nothing_is_guessed_unasked(body: str) -> None:
    assert found(TrackBack().signpost, body) is None


def test_a_page_with_a_final_slash_is_guessed_too() -> None:
    assert found(GUESSING.signpost, f"{T}/trackback/", url=T + "/") == Endpoint(f"{T}/trackback/", Via.GUESS)


def test_a_signpost_beats_a_guess() -> None:
    body = f"{T}/trackback/ <link rel=trackback href=/tb>"
    assert found(GUESSING.signpost, body) == Endpoint("https://t.example/tb", Via.LINK)


# loose equality (D-33)

EQUALITY = [
    pytest.param("http://t.example/post", True, id="VD-35"),
    pytest.param(T + "/", True, id="VD-36"),
    pytest.param("https://www.t.example/post", True, id="VD-37"),
    pytest.param(T + "?utm_source=x", True, id="VD-38"),
    pytest.param(T + "?a=1", False, id="VD-39-query"),
    pytest.param(T + "?", False, id="VD-39-empty query"),
    pytest.param("https://t.example/Post", False, id="VD-39-case"),
    pytest.param("https://u:p@t.example/post", False, id="VD-45"),
    pytest.param("mailto:a@t.example", False, id="no page"),
]


@pytest.mark.parametrize(("href", "loosely"), EQUALITY)
def test_a_loose_link_proves_a_claim_only_where_that_is_asked_for(href: str, loosely: bool) -> None:
    web = FakeWeb({S: f'<a href="{href}">'})
    with pytest.raises(NoBacklink):
        verify(S, T, fetch=web)
    if loosely:
        assert verify(S, T, fetch=web, loose=True).href == href
    else:
        with pytest.raises(NoBacklink):
            verify(S, T, fetch=web, loose=True)


@pytest.mark.parametrize("known", [None, {T: T}])
@pytest.mark.parametrize(("href", "loosely"), EQUALITY)
def test_the_pages_of_a_site_may_be_compared_loosely(href: str, loosely: bool, known: dict[str, str] | None) -> None:
    resolve = known.get if known else None
    assert OwnPages("https://t.example", resolve, loose=True).means_same(href, T) is loosely
    assert OwnPages("https://t.example", resolve).means_same(href, T) is False


def test_fragments_do_not_count_loosely() -> None:
    assert urls.satisfies_loosely(T, T + "#c1")
    assert not urls.satisfies_loosely("no url", "no url")


@pytest.mark.parametrize("loose", [True, False])
def test_a_site_takes_loose_links_where_it_says_so(loose: bool) -> None:
    web = FakeWeb({S: '<a href="http://www.t.example/post/?utm_source=x">'})
    with Site("https://t.example", store="sqlite://", fetch=web, runner=External(), loose=loose, policy=PROMPT) as site:
        site.receive(Claim("webmention", S, T))
        site.drain()
        assert [mention.source for mention in site.mentions(T)] == ([S] if loose else [])


# excerpts as WordPress cuts them (E-10)

WORDS = " ".join(f"w{number:03}" for number in range(1, 61))
PROMPT = Policy(settle_seconds=0)
CUT = [
    pytest.param(
        f"<title>S</title><p>Before text {LINK} after text.</p>", "[&#8230;] text link after [&#8230;]", id="VE-1"
    ),
    pytest.param(f"<p>{LINK} after words here</p>", "[&#8230;] link after words here [&#8230;]", id="VE-2"),
    pytest.param(f"<p>{LINK}</p>", "[&#8230;] link [&#8230;]", id="VE-3"),
    pytest.param(f"<p>one two {LINK} three four</p>", "[&#8230;] two link three [&#8230;]", id="VE-4"),
    pytest.param(f"<p>a link and {LINK} again link b</p>", "[&#8230;] link and link again link [&#8230;]", id="VE-6"),
    pytest.param(
        f'<p>x &lt;b&gt; <a href="{T}">l &amp; k</a> "q" y</p>',
        "[&#8230;] &lt;b&gt; l &amp; k &quot;q&quot; [&#8230;]",
        id="VE-7",
    ),
    pytest.param(
        f'<p>pre word <a href="{T}">{"x" * 130}</a> post word</p>',
        f"[&#8230;] word {'x' * 100}&#8230; post [&#8230;]",
        id="VE-8",
    ),
    pytest.param(f"<div>one</div><div>two {LINK} three</div><div>four</div>", "[&#8230;] link [&#8230;]", id="VE-9"),
    pytest.param(f"<p>aaa <picture><param> {LINK} zzz</p>", "[&#8230;] link zzz [&#8230;]", id="VE-10"),
    pytest.param(f"<P>x {LINK} y</P>", "[&#8230;] link [&#8230;]", id="VE-11"),
    pytest.param(
        f"<p>a b<script>if (a > b) </script><STYLE>p</style> {LINK}<script>open c d</p>",
        "[&#8230;] b linkopen c [&#8230;]",
        id="scripts",
    ),
    pytest.param(
        f"<p>a <script>x <style>y</style></script>b {LINK}<script>c <script> d</p>",
        "[&#8230;] b linkc  [&#8230;]",
        id="a style in a script, unclosed scripts",
    ),
    pytest.param(
        f"<!DOCTYPE html><p>a <!-- > --> b <i title='<b>\">'>c</i> {LINK} 1 < 2 d</p>",
        "[&#8230;]  b c link 1 &lt; 2 [&#8230;]",
        id="comments, quotes, a bare less-than",
    ),
    pytest.param(f"<p>a b {LINK} c d <i <b>x> e</p>", "[&#8230;] b link c d  [&#8230;]", id="a tag in a tag"),
    pytest.param(f"<p>a b <?php -> ?>{LINK} c d", "[&#8230;] b link c [&#8230;]", id="a program"),
    pytest.param(f"<p>a b <a <b>href='{T}'>link</a> c d", "[&#8230;] b link c [&#8230;]", id="a tag in the link"),
    pytest.param(f"<p>a b {LINK} c d <!-- never", "[&#8230;] b link c [&#8230;]", id="an open comment"),
    pytest.param(f"<p>a b {LINK} c d <i never", "[&#8230;] b link c [&#8230;]", id="an open tag"),
    pytest.param(
        f"<p>a &bogus; & &eacute; &#8212; {LINK} b's c</p>",
        "[&#8230;] &amp;bogus; &amp; &eacute; &#8212; link b&#039;s [&#8230;]",
        id="references",
    ),
    pytest.param(f"<p>see {T} or {LINK} there ok</p>", f"[&#8230;] {T} or link there [&#8230;]", id="a bare URL"),
    pytest.param(f"<p><a href='{T}'></a><p>x y {LINK} z.", "[&#8230;] y link [&#8230;]", id="a link without text"),
    pytest.param(f"<p><wpcontext>a b {LINK} c d</wpcontext>", "[&#8230;] b link c [&#8230;]", id="their own mark"),
    pytest.param(
        "<p>é <a href='" + T + "'>" + "é" * 51 + "x</a> é é", f"[&#8230;] {'é' * 50}&#8230; é [&#8230;]", id="bytes"
    ),
]


@pytest.mark.parametrize(("page", "cut"), CUT)
def test_an_excerpt_is_cut_as_wordpress_does(page: str, cut: str) -> None:
    assert excerpt(page, T, raw=True) == cut


def test_a_long_paragraph_is_cut_to_a_hundred_bytes_around_the_link() -> None:
    """VE-5"""
    cut = excerpt(f"<p>{WORDS} {LINK} {WORDS}</p>", T, raw=True)
    assert cut.startswith("[&#8230;] w041 ")
    assert cut.endswith(" w020 [&#8230;]")


def test_a_character_that_a_cut_splits_is_dropped() -> None:
    assert excerpt(f'<p>a b <a href="{T}">x{"é" * 60}</a> c d', T) == f"[…] b x{'é' * 49}… c […]"


@pytest.mark.parametrize("target", ["https://t.example/?a=1&b=2", "https://t.example/?a=1&amp;b=2"])
def test_an_ampersand_in_the_target_must_be_escaped_on_the_page(target: str) -> None:
    page = "<p>a b <a href='https://t.example/?a=1{}b=2'>link</a> c d"
    assert excerpt(page.format("&amp;"), target) == "[…] b link c […]"
    assert excerpt(page.format("&"), target) == ""


@pytest.mark.parametrize("page", ["", "<", "no tag", f"<p>{T}", f'<A HREF="{T}">x</A>', f'<a href="{T}"><b>x</b>'])
def test_where_wordpress_sees_no_link_there_is_no_excerpt(page: str) -> None:
    assert excerpt(page, T) == ""


@pytest.mark.parametrize("unit", ["<p", "<a ", "<a ><", "<script>", "<script", "<!--", "</", "<a>x</a", "< ", "'<\""])
def test_hostile_pages_are_read_to_their_end(unit: str) -> None:
    assert excerpt(unit * 50_000, T) == ""


def described(body: str, style: str) -> str:
    page = Page(Response(200, (("Content-Type", "text/html"),), body.encode(), S))
    return extract.describe(page, validator.find(page, T), "wordpress" if style == "wordpress" else "default").excerpt


def test_a_backlink_is_described_in_the_style_asked_for() -> None:
    body = f"<p>Before text {LINK} after &amp; text.</p>"
    assert described(body, "default") == "Before text link after & text."
    assert described(body, "wordpress") == "[…] text link after & […]"


def test_a_link_that_wordpress_would_not_see_gets_the_default_excerpt() -> None:
    body = "<p>Before text <a href='//t.example/post'>link</a> after text.</p>"
    assert described(body, "wordpress") == "Before text link after text."


def test_the_policy_of_a_site_names_the_style() -> None:
    web = FakeWeb({S: f"<p>Before text {LINK} after text.</p>"})
    policy = Policy(settle_seconds=0, excerpt_style="wordpress")
    with Site("https://t.example", store="sqlite://", fetch=web, runner=External(), policy=policy) as site:
        site.receive(Claim("webmention", S, T))
        site.drain()
        (mention,) = site.mentions(T, statuses=(Status.APPROVED,))
    assert mention.excerpt == "[…] text link after […]"


def test_a_style_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="excerpt_style"):
        Policy(excerpt_style="drupal")  # type: ignore[arg-type]
