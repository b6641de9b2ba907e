"""The links of a JSON document are those that `json` would give, and nothing is made of the rest."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkback.jsontext import read_links, read_members

T = "https://t.example/post"
MIB = 1 << 20


def web(string: str) -> bool:
    return string.strip("\x00 \t\n\r").replace("\t", "")[:4].lower() == "http"


def slowly(text: str) -> list[str]:
    """By the tree that `json` makes."""

    def strings(value: Any, depth: int) -> list[str]:
        if isinstance(value, str):
            return [value] if web(value) else []
        nested = value if isinstance(value, list) and depth < 100 else []
        return [each for item in nested for each in strings(item, depth + 1)]

    try:
        value = json.loads(text, object_pairs_hook=lambda pairs: [value for _, value in pairs])
    except (ValueError, RecursionError):
        return []
    return strings(value, 0)


def deep(levels: int) -> str:
    return "[" * levels + f'"{T}"' + "]" * levels


VALID = {
    "a bare string": f' "{T}"\n',
    "slashes escaped": f'["{T}"]'.replace("/", "\\/"),
    "letters by number": '["\\u0068ttps://t.example/\\u0070ost"]',
    "a pair of surrogates": '["https://t.example/\\ud83d\\ude00"]',
    "blanks before it": '["\\t\\n https://t.example/"]',
    "a control before it": '["\\u0000https://t.example/"]',
    "capitals": '["HtTpS://t.example/"]',
    "a tab in it": '["h\\tttp://t.example/"]',
    "a repeated key": f'{{"u": "{T}", "u": "{T}#2"}}',
    "a key with escapes": f'{{"a\\n" : "{T}", "\\u0061":"{T}#2"}}',
    "after all that is no string": f'[1, -0.5e+3, true, false, null, NaN, -Infinity, [], {{ }}, "a", "{T}"]',
    "in an object after others": f'{{"a": 1, "b": [], "c": "x", "d": {{"e": "{T}"}}, "f": "{T}#2"}}',
    "before one that closes": f'[["{T}"], {{"a": ["{T}#2"]}}]',
    "at the greatest depth": deep(100),
}


@pytest.mark.parametrize("text", VALID.values(), ids=VALID)
def test_each_string_that_may_be_a_link_is_found(text: str) -> None:
    assert slowly(text) != []
    assert read_links(text, web) == slowly(text)


NONE = {
    "nothing": "",
    "blanks": " \n",
    "a key": f'{{"{T}": 1}}',
    "one too deep": deep(101),
    "more than is read": deep(1_001),
    "far too deep": "[" * MIB,
    "not closed": f'["{T}"',
    "closed by another": f'["{T}"}}',
    "closed twice": f'["{T}"]]',
    "two documents": f'"{T}" "{T}"',
    "a comma too many": f'["{T}",]',
    "a comma too many in an object": f'{{"a":"{T}",}}',
    "a comma first": f'[,"{T}"]',
    "no comma": f'["{T}" "{T}"]',
    "no colon": f'{{"a" "{T}"}}',
    "no key": f'{{"{T}"}}',
    "a key that is none": f'{{1: "{T}"}}',
    "a key among items": f'["a": "{T}"]',
    "a raw line end": f'["{T}", "a\nb"]',
    "a raw line end in a link": f'["{T}\n"]',
    "a raw line end in a key": f'{{"a\n": "{T}"}}',
    "an escape that is none": f'["{T}", "\\x"]',
    "an escape that is none in a key": f'{{"\\x": "{T}"}}',
    "a number with a zero before it": f'["{T}", 01]',
    "half a number": f'["{T}", 1.]',
    "a word that is none": f'["{T}", nil]',
    "a string without end": f'["{T}", "a',
    "single quotes": f"['{T}']",
    "a blank that is none": f'["{T}"\u00a0]',
}


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_what_is_no_json_or_no_value_has_no_links(text: str) -> None:
    assert slowly(text) == []
    assert read_links(text, web) == []


PIECES = (
    *'[]{},: \n"1',
    *('"a"', f'"{T}"', '"\\u0068ttp:x"', '"k":', '"k\\n" :', "-0", "1.5e3", "01", ".5", "true", "null", "NaN", "[ ]"),
    *("{}", '"\\q"', '"h', '" http:x"'),
)
documents = st.recursive(
    st.sampled_from([T, "http:x", " https:y", "a\n", 1, -2.5, None, True]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["k", "k\n", T]), inner, max_size=3),
).map(lambda value: json.dumps(value, indent=1))


@settings(deadline=None, max_examples=400, derandomize=True)
@given(documents, st.integers(0, 40), st.sampled_from(["", *PIECES]), st.integers(0, 2))
def test_a_document_is_read_as_by_its_tree_whatever_is_broken_in_it(text: str, at: int, put: str, out: int) -> None:
    for each in (text, text[:at] + put + text[at + out :]):
        assert read_links(each, web) == slowly(each)


@settings(deadline=None, max_examples=400, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_so_is_anything_else(text: str) -> None:
    assert read_links(text, web) == slowly(text)


def members_slowly(text: str) -> dict[str, str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    members = value.items() if isinstance(value, dict) else ()
    return {name: member for name, member in members if name in ("title", "name") and isinstance(member, str)}


MEMBERS = {
    "both": ('{"name": "N", "title": "T"}', {"name": "N", "title": "T"}),
    "after others": ('{"a": 1, "b": {"title": "x"}, "c": ["title"], "title" : "T"}\n', {"title": "T"}),
    "spelled otherwise": ('{"t\\u0069tle": "\\u0054"}', {"title": "T"}),
    "the last of many": ('{"title": "a", "title": "b"}', {"title": "b"}),
    "the last of many, no string": ('{"title": "a", "title": ["b"]}', {}),
    "no string": ('{"title": 1, "name": null}', {}),
    "none": ("{ }", {}),
    "deeper": ('{"a": {"title": "T"}}', {}),
    "an array": ('["title", "T"]', {}),
    "not closed": ('{"title": "T"', {}),
    "not ended": ('{"title": "T"}}', {}),
    "broken far behind": ('{"title": "T", "a": [1 2]}', {}),
}


@pytest.mark.parametrize(("text", "found"), MEMBERS.values(), ids=MEMBERS)
def test_members_are_found_by_their_names(text: str, found: dict[str, str]) -> None:
    assert read_members(text, "title", "name") == members_slowly(text) == found


NAMED = ('"title"', '"name" :', '"t\\u0069tle":', *PIECES)
objects = st.lists(st.sampled_from(NAMED), max_size=9).map(lambda pieces: "{" + "".join(pieces) + "}")


@settings(deadline=None, max_examples=400, derandomize=True)
@given(objects | documents)
def test_members_are_those_that_the_whole_object_has(text: str) -> None:
    assert read_members(text, "title", "name") == members_slowly(text)


COSTLY = {
    "arrays": "[],",
    "objects": "{},",
    "numbers": "1.5,",
    "strings": '"h",',
    "nested": "[[1]],",
    "members": '{"":[0]},',
    "escapes": '"\\n",',
    "deep": "[" * 90 + "0" + "]" * 90 + ",",
}


@pytest.mark.parametrize("unit", COSTLY.values(), ids=COSTLY)
def test_a_megabyte_without_links_takes_no_memory(unit: str) -> None:
    text = "[" + unit * (MIB // len(unit)) + f'"{T}"]'
    tracemalloc.start()
    try:
        assert read_links(text, web) == [T]
        assert tracemalloc.get_traced_memory()[1] < MIB / 4
    finally:
        tracemalloc.stop()
