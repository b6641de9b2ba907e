"""Every pattern of the source against text that is made to keep it busy; a program of its own, so that it can be ended.

Each pattern looks through a little of each token, which one that goes back and forth cannot end in time, and through a
megabyte of the tokens that took it longest. Prints a JSON object: how many patterns were tried, and as
`[module, pattern, token]` those that needed more than `SECONDS` of processor time.
"""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import linkback
from linkback import jsontext, wpexcerpt

SOURCE = Path(linkback.__file__).parent
#: of processor time, for one pattern and one text
SECONDS = 1.0
LITTLE, MUCH = 50_000, 1_000_000
#: of each pattern, so many tokens are tried at length
_WORST = 3
_WORDS = """
a A1 0 é 日 < > <a </a> <!-- --> <![CDATA[ ]]> & &# &#9 &a; " ' = a= a=" \\ / // - -- % %2 %41 : ; , . ? # @ /@a { [ ] (
_ * +1 ?> utm_ http:// http://a </script <title> <p> <error> <param> <string> <rdf: charset= q=0. rel=a; rel="a T1:
\u200d \u0627\u200d \u200f 😀\ufe0f\u200d
"""
#: what patterns look for, begin with, or go back to
TOKENS = (
    *_WORDS.split(),
    *(" ", "\t", "\n", "\r\n", "\0", "; ", ". ", "<a ", "<p ", "<script ", "<trackback:ping ", "\r\n--b"),
)
#: at one place only, or anywhere
_THERE = frozenset({"match", "fullmatch"})
_ANYWHERE = frozenset({"search", "sub", "subn", "split", "findall", "finditer"})


@dataclass(frozen=True)
class Asked:
    """A pattern, where it stands, and the methods that the source asks of it; none where nobody can tell."""

    where: str
    pattern: re.Pattern[Any]
    methods: frozenset[str] = frozenset()

    @property
    def searches(self) -> bool:
        """Whether it may begin anywhere in a text."""
        return not self.methods or not self.methods <= _THERE


#: patterns that functions make of values: where, and one that is made so
MADE: dict[tuple[str, str], Asked] = {
    (where, function): Asked(where, re.compile(pattern, re.DOTALL | re.IGNORECASE), frozenset({method}))
    for where, function, method, pattern in (
        ("discovery.py", "_guesses", "search", re.escape("https://a.example/a") + r"/trackback(?:/|(?![\w-]))"),
        ("forms.py", "_read_multipart", "finditer", rb"\r?\n--b(--)?+[ \t]*+(?=\r?\n|\Z)"),
        ("jsontext.py", "_others", "match", jsontext._others(("title", "name")).pattern),
        ("nearmiss.py", "_occurrences", "finditer", r"http://a\?b&amp;c|http://a\?b&c"),
        ("prefilter.py", "lacks_tokens", "search", rb"&#x?[0-9a-f]+u-"),
        (
            "prefilter.py",
            "_attribute",
            "search",
            rb"a[\t\n\f\r ]*=[\t\n\f\r ]*(?=(\"[^\"]{0,99}|'[^']{0,99}|[^ >]{0,99}))",
        ),
        ("protocols/trackback.py", "_content", "search", r"</?error\s*+>"),
        ("wpexcerpt.py", "_window", "match", rb".*?\s(.{0,100}-->.{0,100})\s"),
    )
}


#: what is only asked of text that ends so: what begins there ends there
ENDED: dict[re.Pattern[Any], str] = {wpexcerpt._CODE: ">", wpexcerpt._SPLITTING: ">"}


class TooLate(BaseException):
    """The time for a text is over; `re` lets go of a pattern for a signal."""


def _stop(*_: object) -> NoReturn:
    raise TooLate


def every() -> Iterator[Asked]:
    """All patterns of the source."""
    from tests.django_project import running  # noqa: F401 - its models cannot be imported without settings

    yield from held()
    for path in sorted(SOURCE.rglob("*.py")):
        yield from written(path)


def held() -> Iterator[Asked]:
    """The patterns that modules, their classes and their tables hold."""
    uses: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        for name, method in re.findall(r"\b(\w+)\.(\w+)\(", path.read_text()):
            if method in _THERE | _ANYWHERE:
                uses.setdefault(name, set()).add(method)
    for found in pkgutil.walk_packages(linkback.__path__, "linkback."):
        if not found.name.endswith("__main__") and ".migrations" not in found.name:
            for name, value in vars(importlib.import_module(found.name)).items():
                for pattern in _within([value], 0):
                    yield Asked(found.name, pattern, frozenset(uses.get(name, ())) if value is pattern else frozenset())


def _within(values: Iterable[Any], depth: int) -> Iterator[re.Pattern[Any]]:
    for value in values:
        if isinstance(value, re.Pattern):
            yield value
        elif depth < 4 and isinstance(value, dict):
            yield from _within([*value.keys(), *value.values()], depth + 1)
        elif depth < 4 and isinstance(value, list | tuple | set | frozenset):
            yield from _within(value, depth + 1)
        elif depth < 4 and isinstance(value, type) and value.__module__.startswith("linkback"):
            yield from _within(vars(value).values(), depth + 1)


def written(path: Path) -> Iterator[Asked]:
    """The patterns in the functions of a file."""
    name = str(path.relative_to(SOURCE))
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            method = node.func.attr
            if ast.unparse(node.func.value) != "re" or method not in {"compile", *_THERE, *_ANYWHERE}:
                continue
            if not isinstance(node.args[0], ast.Constant):
                assert (name, function.name) in MADE, (
                    f"{name}: {function.name} makes a pattern of values: add it to MADE"
                )
                yield MADE[name, function.name]
                continue
            flags = next((each for each in node.args[1:] if ast.unparse(each).startswith("re.")), ast.Constant(0))
            given = eval(ast.unparse(flags), {"re": re})
            yield Asked(name, re.compile(node.args[0].value, given), frozenset({method} - {"compile"}))


def spent(asked: Asked, token: str, length: int) -> float:
    """The seconds that a pattern took for so much of a token; raises `TooLate`."""
    said = token * (length // len(token.encode())) + ENDED.get(asked.pattern, "\x01")
    binary = isinstance(asked.pattern.pattern, bytes)
    text, nothing = (said.encode(), b"") if binary else (said, "")
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    began = time.process_time()
    try:
        if asked.searches:
            asked.pattern.sub(nothing, text)
        asked.pattern.match(text)
        asked.pattern.fullmatch(text)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return time.process_time() - began


def late(asked: Asked) -> Iterator[str]:
    """The tokens that a pattern is not through with in time."""
    took: dict[str, float] = {}
    for token in TOKENS:
        try:
            took[token] = spent(asked, token, LITTLE)
        except TooLate:
            yield token
    for token in sorted(took, key=lambda token: -took[token])[:_WORST]:
        try:
            spent(asked, token, MUCH)
        except TooLate:
            yield token


def main(patterns: Iterable[Asked]) -> None:
    """Try them, and print what was found."""
    signal.signal(signal.SIGVTALRM, _stop)
    tried = {(each.pattern, each.searches): each for each in patterns}
    found = [(each.where, str(each.pattern.pattern), token) for each in tried.values() for token in late(each)]
    print(json.dumps({"patterns": len(tried), "late": found}))


if __name__ == "__main__":
    # patterns to try instead, for a test of this test
    main([Asked("given", re.compile(each)) for each in sys.argv[1:]] or every())
