"""What we log: one line a record, whatever strangers wrote in it, for the handlers of every host.

Rule: a value is made safe where it is logged; a host's formatter takes it as it comes, and a viewer believes its lines.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping

#: longest value, in bytes, and what says that it was longer
_LONGEST, _CUT = 1020, "…"
#: most lines of a trace, from its beginning and from its end
_MOST_LINES = 200
#: before each line of a trace: where a line begins, so does a record
_INDENT = "    "


def named(name: str) -> logging.Logger:
    """The logger of that name, for a module of ours: values in its records are one line of at most 1 KiB each."""
    log = logging.getLogger(name)
    log.addFilter(_harmless)
    return log


class _Shown(str):
    """A value as it may be logged by `%s`, and by `%r`."""

    written: str

    def __repr__(self) -> str:
        return self.written


def _harmless(record: logging.LogRecord) -> bool:
    """Make the values of a record safe, and its trace; every record passes."""
    if isinstance(record.args, Mapping):
        record.args = {name: _shown(value) for name, value in record.args.items()}
    elif record.args:
        record.args = tuple(map(_shown, record.args))
    if record.exc_info and record.exc_info[0] is not None:
        # what a formatter shows instead of asking for the trace itself
        record.exc_text = _trace("".join(traceback.format_exception(*record.exc_info)))
    return True


def _shown(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    shown = _Shown(_said(str, value))
    shown.written = _said(repr, value)
    return shown


def _said(say: Callable[[object], str], value: object) -> str:
    try:
        return _line(say(value))
    except Exception:  # noqa: BLE001 -- nothing fails for being logged
        return f"<{type(value).__name__}>"


def _line(text: str) -> str:
    """The text with what is not printable escaped as Python writes it, cut at 1 KiB."""
    start = text[:_LONGEST]
    if not start.isprintable():
        start = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in start)
    kept = start.encode()[:_LONGEST].decode(errors="ignore")
    return kept if kept == start and len(text) <= _LONGEST else f"{kept}{_CUT}"


def _trace(text: str) -> str:
    lines = text.rstrip("\n").split("\n")
    if len(lines) > _MOST_LINES:
        half = _MOST_LINES // 2
        lines = [*lines[:half], _CUT, *lines[-half:]]
    return "\n".join(_INDENT + _line(line) for line in lines)
