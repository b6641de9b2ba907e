"""What stands for what: digests for texts of any length, numbers for ids, pieces for long lists. Values only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

#: the largest value of an `Integer` primary key in every database
_MAX_ID = 2**31 - 1


def digest(*parts: str) -> str:
    """The SHA-256 of strings as they are written, in hexadecimal: 64 characters.

    Unlike `urls.pair_key` nothing is normalised: a delivery to `page#comment` is not one to `page`.
    """
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def hashed(*parts: str) -> bytes:
    """32 bytes that stand for a name of any length: databases limit the names of locks."""
    return hashlib.sha256("\0".join(("linkback", *parts)).encode("utf-8", "surrogatepass")).digest()


def parts(values: Sequence[T], size: int = 500) -> Iterator[Sequence[T]]:
    """The values in pieces: databases limit the parameters of one statement."""
    return (values[start : start + size] for start in range(0, len(values), size))


def row_number(id: str) -> int | None:
    """The primary key that an id means, None where it cannot be one of ours."""
    if not (id.isascii() and id.isdecimal()) or len(id) > 10:
        return None
    number = int(id)
    return number if number <= _MAX_ID and str(number) == id else None
