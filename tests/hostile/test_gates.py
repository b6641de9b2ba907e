"""What the source itself must never do, so that no stranger's value becomes code, a query, a command or an endless look
(security.md F9 to F11)."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import linkback

SOURCE = Path(linkback.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))

# queries (F9)

#: how a statement of SQL begins, as all of ours are written
_SQL = re.compile(
    r"\s*(?:SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|PRAGMA|SET|SAVEPOINT|ROLLBACK|RELEASE|DO|BEGIN|WITH|LOCK|"
    r"EXPLAIN|ATTACH|VACUUM|GRANT|CALL)\s+\S"
)
_RUNNERS = frozenset(
    "execute executemany executescript exec_driver_sql text literal_column RawSQL raw extra DDL".split()  # noqa: SIM905
)
#: searches by a pattern of the database's own, in which `%` and `_` mean something
_PATTERNS = frozenset({"like", "ilike", "contains", "icontains", "regexp_match", "match", "op"})
#: statements that are made of names of ours
NAMED = {
    ("store/mysql.py", "f'CREATE TABLE {UPGRADE_TABLE} (begun INTEGER)'"),
    ("store/mysql.py", "f'DROP TABLE {UPGRADE_TABLE}'"),
    # a number of seconds
    (
        "store/mysql.py",
        "f\"SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES', "
        'innodb_lock_wait_timeout = {self._wait}, lock_wait_timeout = {self._wait}"',
    ),
    # functions of PostgreSQL that the module names itself; what they are given are parameters
    ("adapters/django/store/vendors.py", "f\"SELECT {', '.join(asked)}\""),
}


def made(source: str) -> Iterator[str]:
    """The statements of SQL in a source that are put together, wherever they are run."""
    for node in ast.walk(ast.parse(source)):
        if _put_together(node) and _SQL.match(_begins(node)):
            yield ast.unparse(node)
        if isinstance(node, ast.Call) and _name(node) in _RUNNERS and node.args and _put_together(node.args[0]):
            yield ast.unparse(node.args[0])


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _put_together(node: ast.AST) -> bool:
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add | ast.Mod) and any(map(_is_text, (node.left, node.right)))
    return isinstance(node, ast.Call) and _name(node) in ("format", "join") and _is_text(node.func)


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return _is_text(node.value)
    return _put_together(node) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _begins(node: ast.AST) -> str:
    """The text that an expression begins with."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            return part.value
    return ""


@pytest.mark.parametrize(
    "bad",
    [
        'connection.execute(f"SELECT * FROM x WHERE a = {a}")',
        'connection.execute("SELECT * FROM x WHERE a = " + a)',
        'connection.execute("SELECT * FROM x WHERE a = %s" % a)',
        'connection.execute("SELECT * FROM x WHERE a = {}".format(a))',
        'words = "UPDATE x SET a = " + a',
        'words = f"DELETE FROM x WHERE a = {a}"',
        'text(f"{a} = 1")',
        'sa.text("a = " + a)',
        'RawSQL("a = %s" % a, [])',
        'Mention.objects.extra(f"a = {a}")',
        'cursor.execute(" ".join(words))',
        "connection.exec_driver_sql(f'PRAGMA {a}')",
    ],
)
def test_a_query_that_is_put_together_is_seen(bad: str) -> None:
    """Else the next test would pass whatever was written."""
    assert list(made(bad))


def test_no_query_is_put_together_of_values() -> None:
    found = {(str(path.relative_to(SOURCE)), query) for path in FILES for query in made(path.read_text())}
    assert found == NAMED


@pytest.mark.parametrize("path", [path for path in FILES if "store" in path.parts], ids=lambda path: path.name)
def test_nothing_is_looked_for_by_a_pattern_of_the_databases(path: Path) -> None:
    """Django's own search in the admin escapes its words; ours compare whole values."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    # of a regular expression `match` is a method as well
    odd = [call for call in calls if _name(call) in _PATTERNS and not ast.unparse(call.func).startswith(("_", "re."))]
    assert [ast.unparse(call) for call in odd] == []


# commands and code (F11)

#: what runs a command, or text as code
_STARTS = re.compile(
    r"subprocess\..*|os\.(?:system|popen|exec.*|spawn.*|posix_spawn.*|startfile)|pty\..*|commands\..*"
    r"|asyncio\.create_subprocess.*|(?:builtins\.)?(?:eval|exec|compile|__import__)|(?:pickle|marshal|shelve|dill)\..*"
    r"|yaml\..*|webbrowser\..*"
)
#: `linkback demo` starts itself twice, by a list of arguments of its own
STARTED = {("demo/__init__.py", "subprocess.Popen")}


def started(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    brought = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            called = brought.get(called, called)
            if _STARTS.fullmatch(called):
                yield called
            if any(each.arg == "shell" for each in node.keywords):
                yield f"{called}(shell)"


@pytest.mark.parametrize(
    ("bad", "called"),
    [
        ("import os\nos.system(a)", "os.system"),
        ("from subprocess import run\nrun(a)", "subprocess.run"),
        ("from os import popen as p\np(a)", "os.popen"),
        ("eval(a)", "eval"),
        ("run(a, shell=True)", "run(shell)"),
        ("pickle.loads(a)", "pickle.loads"),
    ],
)
def test_a_command_or_code_that_is_run_is_seen(bad: str, called: str) -> None:
    assert list(started(bad)) == [called]


def test_no_value_becomes_a_command_or_code() -> None:
    found = {(str(path.relative_to(SOURCE)), called) for path in FILES for called in started(path.read_text())}
    assert found == STARTED


# patterns (F10)

#: seconds after which the program that tries patterns is ended, however slow the machine
_HARD = 900


def tried(*patterns: str) -> dict[str, object]:
    command = [sys.executable, "-m", "tests.hostile.regexes", *patterns]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=_HARD, cwd=Path(__file__).parents[2]
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_pattern_that_goes_back_and_forth_is_seen() -> None:
    late = tried(r"(a+)+b", r"<script[^>]*>", r"\s+$")["late"]
    assert isinstance(late, list)
    assert {pattern for _, pattern, _ in late} == {r"(a+)+b", r"<script[^>]*>", r"\s+$"}


def test_every_pattern_is_through_with_a_megabyte_in_a_second() -> None:
    """Of processor time, so that a busy machine changes nothing."""
    found = tried()
    assert found["late"] == []
    assert isinstance(found["patterns"], int)
    assert found["patterns"] > 80
