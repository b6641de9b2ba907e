"""What we log is one line a record, whoever formats it."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from linkback import logs

SOURCE = Path(logs.__file__).parent
#: loggers that are not ours, or all of ours at once
OTHERS = {"'linkback'", "'waitress.queue'", "'alembic.runtime.migration'"}
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
#: what a viewer of logs would take for more than one line, or obey
COMMANDS = "a\r\n127.0.0.1 - - forged\x1b[31m\x00\x85\u2028\u202e\u200b\ud800b"
ESCAPED = r"a\r\n127.0.0.1 - - forged\x1b[31m\x00\x85\u2028\u202e\u200b\ud800b"


def ours() -> logging.Logger:
    """A logger as Python makes it: a framework that was imported may have put another class in its place."""
    theirs = logging.getLoggerClass()
    logging.setLoggerClass(logging.Logger)
    try:
        return logs.named(__name__)
    finally:
        logging.setLoggerClass(theirs)


log = ours()


class Wild:
    """A value whose texts are a stranger's."""

    def __str__(self) -> str:
        return COMMANDS

    __repr__ = __str__


class Broken:
    """A value that has no text."""

    def __str__(self) -> str:
        raise ValueError("no")

    __repr__ = __str__


def lines(record: logging.LogRecord) -> list[str]:
    """A record as the formatter shows it that everybody has."""
    return logging.Formatter("%(levelname)s %(message)s").format(record).split("\n")


@pytest.mark.parametrize(
    ("message", "values", "line"),
    [
        ("%s", (COMMANDS,), ESCAPED),
        ("%r", (COMMANDS,), repr(COMMANDS)),
        ("%s and %r", (Wild(), Wild()), f"{ESCAPED} and {ESCAPED}"),
        ("%s", (ValueError(COMMANDS),), ESCAPED),
        ("%(who)s", ({"who": COMMANDS},), ESCAPED),
        ("%d of %.1f, %s", (3, 2.5, None), "3 of 2.5, None"),
        ("%s%s", ("%s%n", "{x}"), "%s%n{x}"),
        ("%s %r", (Broken(), Broken()), "<Broken> <Broken>"),
        ("Übung %s", ("日本 😀",), "Übung 日本 😀"),
    ],
)
def test_a_value_is_one_line_and_commands_nothing(
    caplog: pytest.LogCaptureFixture, message: str, values: tuple[object, ...], line: str
) -> None:
    log.warning(message, *values)
    [record] = caplog.records
    assert lines(record) == [f"WARNING {line}"]
    assert record.msg == message


@pytest.mark.parametrize("letter", ["x", "é", "😀", "\n", "\u202e"], ids=ascii)
def test_a_value_is_a_kibibyte_at_most(caplog: pytest.LogCaptureFixture, letter: str) -> None:
    log.warning("%s", letter * 100_000)
    shown = caplog.records[0].getMessage()
    assert shown.endswith("…")
    assert 1000 < len(shown.encode()) <= 1024


@pytest.mark.parametrize(("length", "cut"), [(1020, False), (1021, True)])
def test_what_fits_is_not_cut(caplog: pytest.LogCaptureFixture, length: int, cut: bool) -> None:
    log.warning("%s", "x" * length)
    assert caplog.records[0].getMessage().endswith("…") is cut


def fails(why: str) -> None:
    raise ValueError(why)


@pytest.mark.parametrize("why", [COMMANDS, "x\n" * 100_000, "x" * 1_000_000], ids=["forged", "lines", "long"])
def test_no_line_of_a_trace_looks_like_a_record(caplog: pytest.LogCaptureFixture, why: str) -> None:
    try:
        fails(why)
    except ValueError:
        log.exception("failed")
    first, *trace = lines(caplog.records[0])
    assert first == "ERROR failed"
    assert any("in fails" in line for line in trace)
    assert all(line.startswith("    ") and line.isprintable() and len(line) < 1100 for line in trace)
    assert len(trace) <= 201


@pytest.mark.parametrize(("length", "cut"), [(200, False), (201, True)])
def test_a_trace_has_two_hundred_lines_at_most(caplog: pytest.LogCaptureFixture, length: int, cut: bool) -> None:
    """Of a longer one its beginning and its end."""

    def trace(why: str) -> list[str]:
        caplog.clear()
        try:
            fails(why)
        except ValueError:
            log.exception("failed")
        return [line.strip() for line in lines(caplog.records[0])[1:]]

    said = [str(number) for number in range(length - len(trace("x")) + 1)]
    told = trace("\n".join(said))
    assert ("…" in told) is cut
    assert len(told) == 200 + cut
    assert told[100 + cut :] == (said[-100:] if cut else told[100:])


def test_a_trace_of_nothing_is_none(caplog: pytest.LogCaptureFixture) -> None:
    log.error("failed", exc_info=True)
    assert lines(caplog.records[0]) == ["ERROR failed", "NoneType: None"]


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_module_logs_this_way(path: Path) -> None:
    """Messages are not made of values: these are arguments, which are made safe."""
    for called, call in calls(path):
        of, _, name = called.rpartition(".")
        if name == "getLogger":
            assert ast.unparse(call.args[0]) in OTHERS or path == Path(logs.__file__)
        if name in LEVELS and of in ("logging", "log"):
            message = call.args[name == "log"]
            constant = isinstance(message, ast.Name) and message.id.isupper()
            assert of == "log", ast.unparse(call)
            assert constant or isinstance(message, ast.Constant), ast.unparse(call)
