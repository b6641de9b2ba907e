"""Addresses as people read them: with the letters that they were percent-encoded from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar
from urllib.parse import unquote

from linkback import Delivery, Mention

# what is ASCII stays encoded, so that the address still means the same
_ENCODED = re.compile("(?:%[89A-Fa-f][0-9A-Fa-f])+")
Row = TypeVar("Row", Delivery, Mention)


def readable(rows: Iterable[Row]) -> list[Row]:
    """Deliveries or mentions, the newest first, with addresses to be read."""
    found = [replace(row, source=_lettered(row.source), target=_lettered(row.target)) for row in rows]
    return found[::-1]


def _lettered(url: str) -> str:
    return _ENCODED.sub(_letters, url)


def _letters(encoded: re.Match[str]) -> str:
    decoded = unquote(encoded[0])
    return decoded if decoded.isprintable() and "\ufffd" not in decoded else encoded[0]
