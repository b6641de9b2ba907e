"""A page that was fetched already, as peers built on requests are given it."""

from __future__ import annotations

from typing import Any


def answer(url: str, headers: dict[str, str], body: bytes) -> Any:
    """The answer of requests to a GET."""
    import requests

    given = requests.Response()
    given._content, given._content_consumed = body, True
    given.status_code, given.url, given.encoding = 200, url, "utf-8"
    given.headers.update(headers)
    return given
