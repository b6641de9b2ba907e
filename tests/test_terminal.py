"""What a terminal is given: results on stdout, strangers' words as plain text."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from linkback import terminal
from linkback.cli import logs, showing
from linkback.errors import LinkbackError
from linkback.model import Author, Backlink, Delivery, Endpoint, Endpoints, Mention, Outcome, Status, Via

#: sets the window's title, clears the screen, and turns what follows around
EVIL = "fine\x1b]0;owned\x07\x1b[2J\x9b31m\u202e!"
HARMLESS = "fine]0;owned[2J31m!"
NOW = datetime(2010, 6, 1, tzinfo=UTC)

BACKLINK = Backlink(
    source="https://s.example/",
    target="https://t.example/",
    final_url=f"https://s.example/{EVIL}",
    element="a",
    attribute="href",
    href=f"https://t.example/{EVIL}",
    title=EVIL,
    author=Author(EVIL),
    excerpt=EVIL,
    published=NOW,
    kind=EVIL,
)
DELIVERY = Delivery(
    source="https://s.example/",
    target=f"https://t.example/{EVIL}",
    protocol="pingback",
    outcome=Outcome.REFUSED,
    code=17,
    detail=EVIL,
)
MENTION = Mention("1", "", f"https://s/{EVIL}", f"https://t/{EVIL}", ("webmention",), Status.SPAM, NOW, NOW, EVIL)
ENDPOINTS = Endpoints("https://t.example/", "https://t.example/", {"webmention": Endpoint(EVIL, Via.LINK)})

SHOWN: list[tuple[str, Callable[[bool], None], int]] = [
    ("endpoints", lambda as_json: showing.show_endpoints(ENDPOINTS, as_json=as_json), 1),
    ("backlink", lambda as_json: showing.show_backlink(BACKLINK, as_json=as_json), 6),
    ("delivery", lambda as_json: showing.show_delivery(DELIVERY, as_json=as_json), 2),
    ("mention", lambda as_json: showing.show_mention(MENTION, as_json=as_json), 1),
    ("mentions", lambda as_json: showing.show_mentions([MENTION], as_json=as_json), 3),
    (
        "not linked",
        lambda as_json: showing.show_not_linked("s", "t", "no-backlink", EVIL, final_url="", as_json=as_json),
        1,
    ),
    ("a line", lambda as_json: terminal.say(EVIL), 1),
    ("a table", lambda as_json: terminal.table(("a",), [(EVIL,)]), 1),
]


@pytest.mark.parametrize(("show", "times"), [pytest.param(*rest, id=name) for name, *rest in SHOWN])
def test_no_stranger_commands_the_terminal(
    show: Callable[[bool], None], times: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is left is the harmless part of each word."""
    show(False)
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert [character for character in text if character != "\n" and not character.isprintable()] == []
    assert text.count(HARMLESS) == times


@pytest.mark.parametrize("show", [pytest.param(show, id=name) for name, show, _ in SHOWN[:6]])
def test_json_keeps_every_character_and_is_ascii(
    show: Callable[[bool], None], capsys: pytest.CaptureFixture[str]
) -> None:
    show(True)
    [line] = capsys.readouterr().out.splitlines()
    assert line.isascii()
    assert line.isprintable()
    escaped = json.dumps(EVIL)[1:-1]
    assert escaped in line


def test_a_line_of_the_log_is_plain_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    logs.set_up(verbose=False)
    logging.getLogger("linkback.test").warning("told %s", EVIL)
    assert capsys.readouterr().err.endswith(f"WARNING linkback.test told {HARMLESS}\n")


@pytest.mark.parametrize(
    ("delivery", "line"),
    [
        (replace(DELIVERY, detail="no"), "refused by pingback https://t.example/ [17]: no"),
        (replace(DELIVERY, outcome=Outcome.SENT, code=None, detail="ok"), "sent by pingback https://t.example/"),
        (replace(DELIVERY, protocol=None, code=None, detail=""), "refused https://t.example/"),
    ],
)
def test_a_delivery_is_one_line(delivery: Delivery, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    showing.show_delivery(replace(delivery, target="https://t.example/"), as_json=False)
    assert capsys.readouterr().out == line + "\n"


def test_a_backlink_says_what_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    bare = Backlink(source="https://s/", target="https://t/", final_url="https://s/", element="img", attribute="src")
    showing.show_backlink(bare, as_json=False)
    assert capsys.readouterr().out == "linked: <img> src=\nkind:      mention\n"


def test_a_table_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long cell is folded there, and one line on a pipe."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    master, slave = os.openpty()
    with open(master, "rb") as screen, open(slave, "w") as shown:
        monkeypatch.setattr(sys, "stdout", shown)
        terminal.table(("a",), [("x" * 100,)])
        drawn = os.read(screen.fileno(), 10_000).decode()
    assert drawn.count("x") == 100
    assert "x" * 41 not in drawn


def test_a_table_knows_what_its_screen_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", shown)
    terminal.table(("a",), [("Grüße",)])
    shown.seek(0)
    assert "Gr??e" in shown.read()


def test_without_an_output_there_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with `>&-`."""
    monkeypatch.setattr(sys, "stdout", None)
    logs.set_up(verbose=False)
    terminal.table(("a",), [("b",)])
    terminal.write("c")


def test_a_table_on_a_pipe_is_not_folded(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal.table(("a",), [("x" * 100,)], title="A title")
    out = capsys.readouterr().out
    assert "x" * 100 in out
    assert out.startswith("A title")


@pytest.mark.parametrize("err", [False, True], ids=["stdout", "stderr"])
def test_a_reader_who_left_is_no_error(err: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stream:
        monkeypatch.setattr(sys, "stderr" if err else "stdout", stream)
        terminal.write("one", err=err)
        terminal.write("two", err=err)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk_is_said_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(LinkbackError, match="cannot write: No space left"):
            terminal.write("one")
