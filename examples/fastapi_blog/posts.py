"""What the blog keeps: its posts and their comments, in a SQLite file. Nothing here knows of linkback."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

_SCHEMA = """
CREATE TABLE IF NOT EXISTS posts (slug TEXT PRIMARY KEY, title TEXT, body TEXT, published TEXT, deleted INTEGER);
CREATE TABLE IF NOT EXISTS comments (
    id INTEGER PRIMARY KEY, slug TEXT, parent INTEGER, author TEXT, text TEXT, posted TEXT
)"""


class Post(NamedTuple):
    """A post; `body` is HTML, written by the owner. One that was deleted keeps its slug."""

    slug: str
    title: str
    body: str
    published: str
    deleted: bool


class Remark(NamedTuple):
    """A reader's comment, in plain text; `parent` is the id of the one that it answers."""

    id: int
    parent: int | None
    author: str
    text: str
    posted: str


class Posts:
    """The file; each call opens it anew, so any thread may make one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        for statement in _SCHEMA.split(";"):
            self._do(statement)

    def _do(self, statement: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self._path, timeout=30)) as db, db:
            return db.execute(statement, values).fetchall()

    def all(self) -> list[Post]:
        return [Post(*row) for row in self._do("SELECT * FROM posts WHERE NOT deleted ORDER BY published DESC")]

    def find(self, slug: str) -> Post | None:
        return next((Post(*row) for row in self._do("SELECT * FROM posts WHERE slug = ?", slug)), None)

    def add(self, title: str, body: str) -> Post:
        """A new post, under a slug of its own."""
        plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
        name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "post"
        insert = "INSERT INTO posts VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING slug"
        for number in count(1):
            post = Post(name if number == 1 else f"{name}-{number}", title, body, _now(), False)
            if self._do(insert, *post):
                break
        return post

    def change(self, slug: str, title: str, body: str) -> Post:
        [row] = self._do("UPDATE posts SET title = ?, body = ? WHERE slug = ? RETURNING *", title, body, slug)
        return Post(*row)

    def delete(self, slug: str) -> None:
        self._do("UPDATE posts SET deleted = 1 WHERE slug = ?", slug)

    def remarks(self, slug: str) -> list[Remark]:
        columns = "SELECT id, parent, author, text, posted FROM comments WHERE slug = ? ORDER BY id"
        return [Remark(*row) for row in self._do(columns, slug)]

    def comment(self, slug: str, author: str, text: str, parent: int | None) -> int:
        """A new comment, an answer where `parent` is one on the same post; gives its id."""
        insert = "INSERT INTO comments (slug, parent, author, text, posted) VALUES (?, ?, ?, ?, ?) RETURNING id"
        known = parent if parent in {remark.id for remark in self.remarks(slug)} else None
        [row] = self._do(insert, slug, known, author, text, _now())
        return int(row[0])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
