"""`Link` fields are read to their first mistake, and no further."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkback.linkheader import LinkValue, read_links


def rels(*fields: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(link.reference, link.rels) for link in read_links(fields)]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param(["</wm>; rel=webmention"], [("/wm", ("webmention",))], id="token"),
        pytest.param(['</wm>;rel="webmention"'], [("/wm", ("webmention",))], id="quoted"),
        pytest.param(["</wm> ;REL = WebMention"], [("/wm", ("webmention",))], id="A-65 case and blanks"),
        pytest.param(["</wm>; rel='webmention'"], [("/wm", ("webmention",))], id="A-65 single quotes"),
        pytest.param(['</a>; rel="  x\ty  "'], [("/a", ("x", "y"))], id="several"),
        pytest.param(["<a,b;c>; rel=x"], [("a,b;c", ("x",))], id="A-63 stops inside a reference"),
        pytest.param(['</x>; title="a, <b>; rel=w"; rel=n, </y>; rel=w'], [("/x", ("n",)), ("/y", ("w",))], id="A-63"),
        pytest.param(['</a>; title="q \\" ; rel=x"; rel="w"'], [("/a", ("w",))], id="A-65 escaped quote"),
        pytest.param(["</a>; rel=n; rel=w"], [("/a", ("n",))], id="A-66 first rel"),
        pytest.param(["</a>; rev=w"], [("/a", ())], id="A-66 rev"),
        pytest.param(["</a>; rel"], [("/a", ())], id="rel without value"),
        pytest.param(["</a>; =w; rel=x"], [("/a", ("x",))], id="parameter without name"),
        pytest.param(["</a>; rel=w; ; x"], [("/a", ("w",))], id="empty parameter"),
        pytest.param(["</a> junk, </b>; rel=w"], [("/a", ()), ("/b", ("w",))], id="junk before a comma"),
        pytest.param(["</a> junk"], [("/a", ())], id="junk to the end"),
        pytest.param(['</a>; rel="w'], [("/a", ("w",))], id="unclosed quote"),
        pytest.param(['</a>; rel="w\\'], [("/a", ("w",))], id="backslash at the end"),
        pytest.param([", ,</a>;rel=w,,"], [("/a", ("w",))], id="empty values"),
        pytest.param(["<>; rel=w"], [("", ("w",))], id="A-68 empty reference"),
        pytest.param(["garbage, </a>; rel=w", "</b>; rel=w"], [("/b", ("w",))], id="A-64 each field for itself"),
        pytest.param(["</a>;rel=w, </b"], [("/a", ("w",))], id="A-64 unclosed reference"),
        pytest.param(["", "  "], [], id="empty"),
        pytest.param(["</a>; rel=\u212a"], [("/a", ("\u212a",))], id="other alphabets are not folded into ours"),
        pytest.param(['</a>; rel="x\u00a0w"'], [("/a", ("x\u00a0w",))], id="no-break space joins"),
    ],
)
def test_link_fields_are_read(fields: list[str], found: list[tuple[str, tuple[str, ...]]]) -> None:
    assert rels(*fields) == found


def test_an_anchor_is_told() -> None:
    assert list(read_links(['</a>; rel=w; anchor="#x"'])) == [LinkValue("/a", ("w",), "#x")]


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.lists(st.text(st.sampled_from("<>;,=\"'\\ \trela\u00e9") | st.characters(exclude_categories=())), max_size=4))
def test_no_field_makes_it_fail(fields: list[str]) -> None:
    for link in read_links(fields):
        assert ">" not in link.reference
        assert all(rel and " " not in rel for rel in link.rels)


@pytest.mark.parametrize(
    ("unit", "links"),
    [
        ("<", 0),
        ("<>,", 100_000),
        ("<a>;rel=w,", 100_000),
        (";", 0),
        ('<a>;a="', 1),
        ("<a>;x=y;", 1),
        ('<a>;x="\\"', 1),
        (",", 0),
    ],
)
def test_a_long_field_is_read_in_one_go(unit: str, links: int) -> None:
    assert sum(1 for _ in read_links([unit * 100_000])) == links
