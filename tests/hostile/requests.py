"""What strangers send: the rows of `requests.json`, and what an answer comes to.

A row has an `id`, which begins with its endpoint, and the `answer` that protocols.md asks for; `law` says where it does
so against a first guess. Without a `body`, the row is a ping of `source` and `target` as their protocol writes it. Long
texts are lists of texts and [text, times], in which {n} counts; they are made where they are sent, and kept nowhere.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

HOME = "http://target.test"
SOURCE, TARGET = "http://source.test/a", f"{HOME}/post/1"
TAKEN = "taken"
#: of a request whose end never comes there is none
NONE = "no answer"

_CALL = (
    '<?xml version="1.0"?><methodCall><methodName>pingback.ping</methodName><params><param><value><string>{}</string>'
    "</value></param><param><value><string>{}</string></value></param></params></methodCall>"
)
_FAULT = re.compile(rb"<name>faultCode</name><value><int>(-?[0-9]+)</int>")


@dataclass(frozen=True)
class Sent:
    """One request, as its row describes it."""

    row: dict[str, Any]

    @property
    def id(self) -> str:
        """Its name."""
        return str(self.row["id"])

    @property
    def answer(self) -> str:
        """What `word_for` is to say of its answer."""
        return str(self.row["answer"])

    def made(self) -> Made:
        """The request itself."""
        return _made(self.row)


@dataclass(frozen=True)
class Made:
    """What goes over the wire."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    #: what its Content-Length says; None where it has none
    length: str | None
    #: whether less comes than is announced
    cut: bool


def _text(parts: Any) -> str:
    if isinstance(parts, str):
        return parts
    return "".join(part if isinstance(part, str) else _repeated(*part) for part in parts)


def _repeated(text: str, times: int) -> str:
    return "".join(text.replace("{n}", str(n)) for n in range(times)) if "{n}" in text else text * times


def _body(row: dict[str, Any], endpoint: str) -> bytes:
    if "random" in row:
        return random.Random(row["id"]).randbytes(row["random"])
    if "body" in row:
        text, written = _text(row["body"]), row.get("written", "utf-8")
        return bytes.fromhex(text) if written == "hex" else text.encode(written)
    source, target = _text(row.get("source", SOURCE)), _text(row.get("target", TARGET))
    if endpoint == "pingback":
        return _CALL.format(source, target).encode()
    return f"source={quote_plus(source)}&target={quote_plus(target)}".encode()


def _made(row: dict[str, Any]) -> Made:
    endpoint = row["id"].partition("/")[0]
    body, query = _body(row, endpoint), row.get("query", "")
    if endpoint == "trackback" and not query.startswith("id="):
        query = f"target={quote_plus(TARGET)}&{query}".rstrip("&")
    usual = "text/xml" if endpoint == "pingback" else "application/x-www-form-urlencoded"
    media_type = row.get("type", usual)
    headers = [*row.get("headers", {}).items(), *([("Content-Type", _text(media_type))] if media_type else [])]
    length = row.get("length", str(len(body)))
    return Made(
        row.get("method", "POST"),
        f"/{endpoint}" + (f"?{query}" if query else ""),
        tuple(headers),
        body,
        length,
        row["answer"] == "400" and bool(re.fullmatch("[0-9]{1,9}", length or "")) and int(length) > len(body),
    )


def sent() -> list[Sent]:
    """All of them."""
    rows = json.loads((Path(__file__).parent / "requests.json").read_text(encoding="utf-8"))
    return [Sent(row) for row in rows]


def word_for(status: int, body: bytes) -> str:
    """What an answer comes to: that a claim was taken, a result, a fault, an error, or else its status."""
    if status == 201:
        return TAKEN
    if status != 200:
        return str(status)
    if fault := _FAULT.search(body):
        return f"fault {int(fault[1])}"
    if b"<methodResponse>" in body:
        return TAKEN if b"<string>The pingback was queued.</string>" in body else "result"
    return TAKEN if b"<error>0</error>" in body else "error 1"
