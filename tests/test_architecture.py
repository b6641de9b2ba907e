"""The house's own rules: imports go down in rank, every outside library has one owner, rooms stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "linkback"

#: from values to edges; a module may import from lower ranks only, and from its own package's modules
RANKS: tuple[frozenset[str], ...] = tuple(
    frozenset(names.split())
    for names in (
        "errors plaintext wire elements logs jsontext",
        "urls model tagsoup addresses deadline charsets inflate arguments forks vocabulary",
        "domains forms markup linkheader rdf xmltext feedscan prefilter needles nodes desk rates glance places",
        "page",
        "values",
        "feeds discovery validator nearmiss policy ownpages owing jsonld microformats tree wpexcerpt",
        "answers",
        "whole",
        "extract protocols door content",
        "receiver exchange hooks",
        "sender fetch jobs store",
        "discoveries looks upkeep work walk throttle siblings forgetting hops",
        "verdicts",
        "checks",
        "inbox delivering background",
        "outbox parts",
        "site verbs explain testing",
        "sites doctor following",
        "startup",
        "web",
        "adapters",
        "terminal",
        "demo",
        "options",
        "cli",
    )
)
#: modules that import each other inside one package
PACKAGES = frozenset({"protocols", "store", "doctor", "web", "adapters", "demo", "cli"})
#: outside library -> the only modules that may import it
OWNERS = {
    "ada_url": {"urls"},
    "alembic": {"store"},
    "bs4": {"microformats"},
    "celery": {"adapters"},
    "certifi": {"door"},
    "click": {"cli", "options", "terminal", "demo", "adapters"},
    "django": {"adapters"},
    "fastapi": {"adapters"},
    "feedparser": {"feeds"},
    "flask": {"adapters"},
    "h11": {"exchange"},
    "jinja2": {"web"},
    "lxml": {"markup", "nodes", "xmltext"},
    "markupsafe": {"web", "adapters"},
    "mf2py": {"microformats"},
    "pelican": {"adapters"},
    "publicsuffixlist": {"domains"},
    "rich": {"terminal"},
    "sqlalchemy": {"store"},
    "starlette": {"adapters"},
    "waitress": {"adapters"},
    "webencodings": {"charsets"},
}
#: the ways up, only taken when they are called: `Site.wsgi()` is part of the public face, and a framework's own command
#: line has ours in it
UPWARD = {("site", "adapters"), ("sites", "adapters"), ("adapters", "cli")}
FREE = frozenset({"__init__", "__main__"})
MAX_MODULE = 350
MAX_FUNCTION = 40


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts)


def room(path: Path) -> str:
    """The module, or the package that it is part of."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@cache
def rank(name: str) -> int:
    found = [number for number, names in enumerate(RANKS) if name in names]
    assert found, f"{name} has no rank: give it one in RANKS"
    return found[0]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "linkback":
            yield from (f"linkback.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module or ""


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_strictly_down(path: Path) -> None:
    here = room(path)
    if here in FREE:
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "linkback" or len(parts) == 1 or parts[1] == "__version__":
            continue
        there = parts[1]
        inside = here == there and here in PACKAGES
        assert inside or (here, there) in UPWARD or rank(there) < rank(here), f"{here} must not import {there}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_outside_library_has_one_owner(path: Path) -> None:
    for name in imports(path):
        top = name.split(".")[0]
        if top in sys.stdlib_module_names or top == "linkback":
            continue
        assert top in OWNERS, f"{path.name} imports {top}, which nobody owns"
        assert room(path) in OWNERS[top], f"{room(path)} imports {top}, which belongs to {OWNERS[top]}"


def test_only_urls_and_forms_use_the_url_functions_of_the_standard_library() -> None:
    users = {room(path) for path in modules() if any(name.startswith("urllib.") for name in imports(path))}
    assert users <= {"urls", "forms"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_rooms_stay_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= MAX_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            # a command's options and a constructor's parameters are a list, not logic
            assert lines <= MAX_FUNCTION or node.name == "__init__", f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_importing_linkback_loads_nothing_heavy() -> None:
    heavy = {"sqlalchemy", "alembic", "bs4", "lxml", "mf2py", "h11", "click", "rich", "waitress", "flask", "django"}
    heavy |= {"asyncio", "fastapi", "feedparser", "jinja2", "markupsafe", "publicsuffixlist", "starlette"}
    assert loaded_by("import linkback") & heavy == set()


def test_a_receiving_site_loads_no_parser_before_it_needs_one() -> None:
    """A host's start-up pays for the store, not for the readers of pages that may never come."""
    code = "import linkback; linkback.Site('https://me.example', store='sqlite://').wsgi()"
    unneeded = {"bs4", "mf2py", "lxml.etree", "click", "rich", "jinja2", "publicsuffixlist"}
    assert loaded_by(code) & unneeded == set()


def test_the_public_face_is_what_it_says() -> None:
    import linkback

    assert [name for name in linkback.__all__ if not hasattr(linkback, name)] == []
    assert sorted(linkback.__all__) == sorted({*linkback._HOME_OF, "__version__"})
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = linkback.no_such_name
