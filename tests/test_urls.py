"""URLs are read as a browser reads them, and are equal only where nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkback import urls
from linkback.errors import Reason, Refused

T = "https://t.example/post"
careful = settings(deadline=None, max_examples=100, derandomize=True)
anything = st.text(st.characters(exclude_categories=()), max_size=200)
pieces = [
    "https://t.example",
    "http:",
    "//",
    "/",
    "\\",
    "a",
    "%",
    "%7",
    "%41",
    "%2e",
    "..",
    "?",
    "#",
    "@",
    ":",
    "é",
    "&",
]
urlish = st.lists(st.sampled_from(pieces), max_size=12).map("".join) | anything


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("https://t.example/?a=1&b=2", "https://t.example/?a=1&b=2", True, id="D-30 itself"),
        pytest.param("HTTPS://T.EXAMPLE:443/post", T, True, id="VD-26"),
        pytest.param("http://t.example:80/post", "http://t.example/post", True, id="D-30 port 80"),
        pytest.param("https://t.example/", "https://t.example", True, id="VD-27"),
        pytest.param("https://t.example/%7Eu", "https://t.example/~u", True, id="VD-28"),
        pytest.param("https://t.example/a%2Fb", "https://t.example/a%2fb", True, id="VD-29"),
        pytest.param("https://t.example/a%2Fb", "https://t.example/a/b", False, id="VD-30"),
        pytest.param("https://xn--bcher-kva.example/", "https://bücher.example/", True, id="VD-31"),
        pytest.param("https://t.example/%C3%A9", "https://t.example/é", True, id="VD-32"),
        pytest.param(" \nhttps://t.exa\nmple/po\tst\n ", T, True, id="VD-33"),
        pytest.param("https://t.example/x/../post", T, True, id="VD-34"),
        pytest.param("https://t.example\\post", T, True, id="D-30 backslash"),
        pytest.param("https://t.example/a b", "https://t.example/a%20b", True, id="D-30 blank"),
        pytest.param("http://t.example/post", T, False, id="VD-35"),
        pytest.param(T + "/", T, False, id="VD-36"),
        pytest.param("https://www.t.example/post", T, False, id="VD-37"),
        pytest.param(T + "?utm_source=x", T, False, id="VD-38"),
        pytest.param(T + "?a=1", T, False, id="VD-39 query"),
        pytest.param(T + "?", T, False, id="VD-39 mark"),
        pytest.param("https://t.example/Post", T, False, id="VD-39 case"),
        pytest.param(T + "?a=b+c", T + "?a=b%20c", False, id="D-31 plus"),
        pytest.param(T + "#c1", T, True, id="fragments are apart"),
        pytest.param("https://t.example/%7%45", "https://t.example/~", False, id="decoding spells no new escape"),
        pytest.param("https://t.example/%%41", "https://t.example/%A", False, id="nor behind a stray percent"),
        pytest.param("https://t.example/%2541", "https://t.example/%41", False, id="escapes are decoded once"),
        pytest.param("mailto:a@b", "mailto:a@b", False, id="only pages are pages"),
        pytest.param("garbage", "garbage", False, id="what is no URL is no page"),
    ],
)
def test_two_urls_are_the_same_page_after_lossless_normalisation_only(one: str, other: str, same: bool) -> None:
    assert urls.same_page(one, other) is same
    assert urls.same_page(other, one) is same


@careful
@given(urlish, urlish)
def test_same_page_is_symmetric_and_reflexive(one: str, other: str) -> None:
    assert urls.same_page(one, other) == urls.same_page(other, one)
    assert urls.same_page(one, one) == (urls.canonical(one) is not None)


@careful
@given(urlish)
def test_the_canonical_form_is_its_own(text: str) -> None:
    for whole in (text, "https://t.example/" + text):
        form = urls.canonical(whole)
        assert form is None or urls.canonical(form) == form


@careful
@given(urlish, urlish)
def test_no_text_makes_a_question_about_urls_fail(one: str, other: str) -> None:
    found = urls.resolve(one, other)
    assert found is None or urls.parse(found) is not None
    for ask in (urls.canonical, urls.loose, urls.host, urls.origin, urls.place, urls.is_argument, urls.query_of):
        ask(one)
    for compare in (urls.satisfies, urls.same_fragment, urls.same_site, urls.under, urls.endpoint, urls.query_value):
        compare(one, other)
    assert len(urls.pair_key(one, other, one)) == len(urls.page_key(one, other)) == 64


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("https://t.example/".ljust(4096, "x"), None),
        ("https://t.example/#".ljust(4096, "x"), None),
        ("https://t.example/" + "é" * 679 + "xxxx", None),
        ("/".ljust(4096 - 17, "x"), "https://t.example/"),
        ("/post", "https://t.example/".ljust(4096, "x")),
    ],
    ids=["as it is", "with its fragment", "as it goes on the wire", "made whole", "its base"],
)
def test_the_longest_url_is_read_and_one_longer_by_a_character_is_none(text: str, base: str | None) -> None:
    assert urls.parse(text, base) is not None
    longer = (text, f"{base}x") if base is not None and len(base) == 4096 else (f"{text}x", base)
    assert urls.parse(*longer) is None


@pytest.mark.parametrize("unit", ["a@", "../", "%", "[", "ü", "?", "#", "/", "\\", "\t", " ", "%7%45"])
def test_a_megabyte_of_url_leads_nowhere(unit: str) -> None:
    """Nor does it stay in a cache."""
    text = "https://t.example/" + unit * (1_000_000 // len(unit)) + "x"
    assert urls.resolve(text, T) is None or len(urls.clean(text)) <= 4096
    assert urls.resolve("/", text) is None or len(urls.clean(text)) <= 4096


def test_a_url_is_read_apart() -> None:
    url = urls.parse("HTTPS://user@T.Example:8443/a b?q='1'#frag ment")
    assert url is not None
    assert (url.href, url.fragment) == ("https://user@t.example:8443/a%20b?q=%271%27", "frag%20ment")
    assert (url.scheme, url.host, url.port, url.origin) == ("https", "t.example", 8443, "https://t.example:8443")
    assert (url.path, url.query, url.request_target) == ("/a%20b", "?q=%271%27", "/a%20b?q=%271%27")
    assert url.has_credentials
    assert not url.is_web


@pytest.mark.parametrize(
    ("text", "port", "origin", "target"),
    [
        ("http://t.example", 80, "http://t.example", "/"),
        ("https://t.example?", 443, "https://t.example", "/?"),
        ("https://t.example:80/#x?y", 80, "https://t.example:80", "/"),
        ("http://[::1]:8080/", 8080, "http://[::1]:8080", "/"),
    ],
)
def test_an_origin_names_a_port_only_where_it_is_not_the_usual_one(
    text: str, port: int, origin: str, target: str
) -> None:
    url = urls.parse(text)
    assert url is not None
    assert (url.port, url.origin, url.request_target) == (port, origin, target)
    assert urls.origin(text) == origin


@pytest.mark.parametrize(
    "text", ["", "x", "/a", "//t.example/", "http://", "http://[", "https://a:99999/", "http://\ud800/"]
)
def test_what_is_no_absolute_url_is_none(text: str) -> None:
    assert urls.parse(text) is None
    assert (urls.host(text), urls.origin(text), urls.place(text)) == ("", "", text)
    assert urls.canonical(text) is None
    assert urls.loose(text) is None


@pytest.mark.parametrize(
    ("reference", "base", "found"),
    [
        ("/post", "https://t.example/a", T),
        ("../post", "https://t.example/d/n", T),
        ("", T, T),
        ("#c 1", T, T + "#c%201"),
        ("//o.example/x", T, "https://o.example/x"),
        (" HTTP://T.example/Ä \n", T, "HTTP://T.example/Ä"),
        ("https://t.example/a\nb", T, "https://t.example/ab"),
        ("https://t.example/a\r\n\tb", T, "https://t.example/ab"),
        ("https://t.example/a b", T, "https://t.example/a%20b"),
        ("https://T.example:443/a b?c d#e f", T, "https://t.example/a%20b?c%20d#e%20f"),
        ("https://t.example/Ä b", T, "https://t.example/%C3%84%20b"),
        ("https://t.example/a\x7f\x85\f", T, "https://t.example/a%7F%C2%85"),
        ("https://t.example/a\x0cb", T, "https://t.example/a%0Cb"),
        ('https://t.example/a"<>|^`{}', T, 'https://t.example/a"<>|^`{}'),
        ("https://t.example/%20%zz", T, "https://t.example/%20%zz"),
        ("/a b", T, "https://t.example/a%20b"),
        ("https://t .example/a", T, None),
        ("http:/one", "http://t.example/a/", "http://t.example/one"),
        ("mailto:a@b", T, None),
        ("javascript:1", T, None),
        ("ftp://t.example/", T, None),
        ("https://u:p@t.example/", T, None),
        ("http://[", T, None),
        ("/x", "mailto:a@b", None),
        ("https://t.example/" + "x" * 5000, T, None),
        ("é" * 2000, T, None),
    ],
)
def test_references_resolve_to_pages_as_they_are_written(reference: str, base: str, found: str | None) -> None:
    """B-2: an absolute reference is not normalised, unless no claim could name it (C-3)."""
    assert urls.resolve(reference, base) == found
    assert found is None or urls.is_argument(found)


@pytest.mark.parametrize(
    "written",
    ["https://t.example/a b", "https://t.example/a%20b", "https://t.example/a\n b", " https://t.example/a b "],
)
def test_a_link_proves_a_claim_however_its_blanks_are_written(written: str) -> None:
    """D-30: on both sides the URL is the one that a browser goes to."""
    assert urls.satisfies(written, "https://t.example/a%20b")
    assert not urls.satisfies(written, "https://t.example/a")
    assert not urls.satisfies(written, "https://t.example/a+b")


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("/wm#frag", "https://t.example/wm"),
        ("HTTPS://E.example/a,b;c?Q=%7e&b", "https://e.example/a,b;c?Q=%7e&b"),
        ("", T),
        ("mailto:a@b", None),
        ("https://", None),
    ],
)
def test_an_endpoint_is_serialised_without_its_fragment(reference: str, found: str | None) -> None:
    """A-29, A-31."""
    assert urls.endpoint(reference, T + "#c") == found


@pytest.mark.parametrize(
    ("link", "target", "proves"),
    [
        pytest.param(T, T, True, id="itself"),
        pytest.param(T + "#c1", T, True, id="VD-41"),
        pytest.param(T, T + "#c1", False, id="VD-42"),
        pytest.param(T + "#", T, True, id="VD-43"),
        pytest.param(T + "#C1", T + "#c1", False, id="D-32 fragments have case"),
        pytest.param(T + "#%7e", T + "#~", True, id="D-32 fragments are normalised too"),
        pytest.param("https://u:p@t.example/post", T, False, id="VD-45"),
        pytest.param("https://u:p@t.example/post", "https://u:p@t.example/post", False, id="D-36 even when asked for"),
        pytest.param(T + "-other", T, False, id="VD-40"),
        pytest.param("javascript:1", "javascript:1", False, id="D-30 no page"),
    ],
)
def test_a_link_proves_a_claim_about_its_own_page(link: str, target: str, proves: bool) -> None:
    assert urls.satisfies(link, target) is proves


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://t.example/post", T, True),
        (T + "/", T, True),
        ("https://www.t.example/post", T, True),
        (T + "?utm_source=x&fbclid=1&UTM_medium", T, True),
        (T + "?a=1&gclid=2&b=2", T + "?a=1&b=2", True),
        (T + "#c1", T, True),
        (T + "?a=1", T, False),
        (T + "?", T, False),
        ("https://t.example/Post", T, False),
        (T + "//", T, False),
        (T + "?my_utm_source=x", T, False),
    ],
)
def test_loose_equality_forgives_what_d_33_lists(one: str, other: str, same: bool) -> None:
    assert (urls.loose(one) == urls.loose(other)) is same


@pytest.mark.parametrize("text", [T, " https://t.example/post\n", "HTTP://T.EXAMPLE", "https://t.example:8443/ä?x#y"])
def test_arguments_are_taken_trimmed_and_as_written(text: str) -> None:
    assert urls.check_argument(text, Reason.SOURCE_INVALID) == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \t\n",
        "post",
        "//t.example/",
        "mailto:a@b",
        "ftp://s.example/",
        "https:///x",
        "https:t.example",
        "not a url",
        "https://u:p@t.example/",
        "https://t.example/a b",
        "https://t.example/a\x00b",
        "https://t.example/a\x85b",
        "https://t.example/\x7f",
        "https://t.example/\ud800",
        "https://t.example:0/",
        "https://t.example:65536/",
        "https://[::1/",
        "https://t.example/" + "x" * 2031,
    ],
)
def test_arguments_that_no_page_can_have_are_refused_for_the_reason_given(text: str) -> None:
    """C-3."""
    with pytest.raises(Refused) as refused:
        urls.check_argument(text, Reason.TARGET_INVALID)
    assert refused.value.reason is Reason.TARGET_INVALID
    assert refused.value.detail


def test_the_longest_argument_is_taken() -> None:
    text = "https://t.example/".ljust(urls.MAX_LENGTH, "x")
    assert urls.check_argument(text, Reason.TARGET_INVALID) == text


@pytest.mark.parametrize(
    ("text", "root", "inside"),
    [
        ("https://t.example/blog/post", "https://t.example/blog", True),
        ("https://t.example/blog/post", "https://t.example/blog/", True),
        ("https://t.example/blog", "https://t.example/blog", True),
        ("https://t.example/%62log/", "https://t.example/blog", True),
        ("https://t.example/~u/x", "https://t.example/%7Eu", True),
        ("https://t.example:443/blog?q", "https://t.example/blog", True),
        ("https://t.example/blogs", "https://t.example/blog", False),
        ("https://t.example/blog/../x", "https://t.example/blog", False),
        ("http://t.example/blog", "https://t.example/blog", False),
        ("https://t.example.evil.example/", "https://t.example/", False),
        ("https://u@t.example/blog", "https://t.example/blog", False),
        ("nonsense", "https://t.example/", False),
        ("https://t.example/", "nonsense", False),
    ],
)
def test_a_site_holds_the_pages_below_its_address(text: str, root: str, inside: bool) -> None:
    assert urls.under(text, root) is inside


def test_keys_name_a_link_whatever_its_spelling() -> None:
    key = urls.pair_key("https://t.example/", "https://s.example/%7En", T)
    assert key == urls.pair_key("https://t.example/", "HTTPS://s.example:443/~n", T + "#c1")
    assert key != urls.pair_key("https://t.example/", T, "https://s.example/%7En")
    assert key != urls.pair_key("https://o.example/", "https://s.example/%7En", T)
    assert urls.page_key("s", T) == urls.page_key("s", T + "#x") != urls.page_key("s", T + "/")
    assert urls.page_key("s", "no url") != urls.page_key("s", "no url either")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://www.t.example/a", "http://T.example:8080/b", True),
        ("https://t.example", "https://o.example", False),
        ("https://t.example", "https://blog.t.example", False),
        ("nonsense", "nonsense", False),
    ],
)
def test_one_host_is_one_site(one: str, other: str, same: bool) -> None:
    assert urls.same_site(one, other) is same


def test_parts_are_cut_out_as_they_are_written() -> None:
    text = "https://T.example/a?x=%zz&x=2&y#?f"
    assert urls.without_fragment(text) == "https://T.example/a?x=%zz&x=2&y"
    assert urls.without_query(text) == "https://T.example/a"
    assert urls.query_of(text) == "?x=%zz&x=2&y"
    assert (urls.query_value(text, "x"), urls.query_value(text, "y"), urls.query_value(text, "z")) == ("%zz", "", "")
    assert urls.query_value("?" + "a&" * 100 + "x=1", "x") == ""
    assert urls.query({"target": T, "q": "a b"}) == "target=https%3A%2F%2Ft.example%2Fpost&q=a+b"
    assert urls.place("https://T.example:8080/note/?q#f") == "t.example/note"
    assert urls.quote_path("/caf\xc3\xa9 /~x%") == "/caf%C3%A9%20/~x%25"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://s.example/a", "https://s.example/a"),
        ("https://s.example/a#comment-5", "https://s.example/a#comment-5"),
        ("https://s.example/a#:~:text=spam", "https://s.example/a"),
        ("https://s.example/a#comment-5:~:text=spam&text=more", "https://s.example/a#comment-5"),
        ("https://s.example/a?b#c:~:d:~:e", "https://s.example/a?b#c"),
        ("https://s.example/a#b#c:~:d", "https://s.example/a#b#c"),
        ("https://s.example/a#:~", "https://s.example/a#:~"),
        ("https://s.example/a#%3A~%3Atext=kept", "https://s.example/a#%3A~%3Atext=kept"),
        ("https://s.example/a:~:b?c:~:d#e", "https://s.example/a:~:b?c:~:d#e"),
        ("https://s.example/a:~:b?c:~:d", "https://s.example/a:~:b?c:~:d"),
    ],
)
def test_a_fragment_directive_is_no_part_of_an_address(text: str, kept: str) -> None:
    assert urls.without_directive(text) == kept


def test_a_fragment_is_put_back_where_there_was_one() -> None:
    for text in (T, T + "#c1"):
        url = urls.parse(text)
        assert url is not None
        assert urls.with_fragment(url) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (" HTTPS://T.example/é#ü ", "https://t.example/%C3%A9#%C3%BC"),
        ("https://t.example", "https://t.example/"),
        ("no url", "no url"),
    ],
)
def test_a_url_is_serialised_as_it_goes_on_the_wire(text: str, found: str) -> None:
    assert urls.serialised(text) == found
