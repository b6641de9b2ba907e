"""What a blog without an ORM keeps: its posts and readers' comments, in a SQLite file."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from linkback.web.render import Comment
from shared.comments import nested
from shared.slugs import slugs

_TABLES = (
    "CREATE TABLE IF NOT EXISTS posts (slug TEXT PRIMARY KEY, title TEXT, body TEXT, published TEXT, deleted INTEGER)",
    "CREATE TABLE IF NOT EXISTS comments"
    " (id INTEGER PRIMARY KEY, slug TEXT, parent INTEGER, author TEXT, text TEXT, posted TEXT)",
)


@dataclass(frozen=True)
class Post:
    """A post; `body` is HTML, as its owner wrote it. A deleted one keeps its slug, so that its page can say so."""

    slug: str
    title: str
    body: str
    published: datetime
    deleted: bool = False

    @property
    def path(self) -> str:
        """Where its page is on the blog, percent-encoded."""
        return f"/posts/{quote(self.slug)}/"


class Posts:
    """The file at `path`. Any thread may ask: each question has a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        for table in _TABLES:
            self._do(table)

    def _do(self, statement: str, *values: object) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self._path, timeout=30)) as database, database:
            return database.execute(statement, values).fetchall()

    def all(self) -> list[Post]:
        """The posts that are not deleted, newest first."""
        return [_post(row) for row in self._do("SELECT * FROM posts WHERE NOT deleted ORDER BY published DESC")]

    def find(self, slug: str) -> Post | None:
        """The post of a slug, deleted or not."""
        return next(map(_post, self._do("SELECT * FROM posts WHERE slug = ?", slug)), None)

    def at(self, path: str) -> Post | None:
        """The post whose page is at a path, percent-encoded, with or without its last slash."""
        folder, _, slug = unquote(path).strip("/").partition("/")
        return self.find(slug) if folder == "posts" else None

    def add(self, title: str, body: str) -> Post:
        """A new post, under a slug that no other ever had."""
        now, insert = datetime.now(UTC), "INSERT INTO posts VALUES (?, ?, ?, ?, 0) ON CONFLICT DO NOTHING RETURNING 1"
        free = (slug for slug in slugs(title) if self._do(insert, slug, title, body, now.isoformat()))
        return Post(next(free), title, body, now)

    def change(self, post: Post, title: str, body: str) -> Post:
        """A post as it is from now on."""
        self._do("UPDATE posts SET title = ?, body = ? WHERE slug = ?", title, body, post.slug)
        return replace(post, title=title, body=body)

    def delete(self, slug: str) -> None:
        """Keep of a post that it was there."""
        self._do("UPDATE posts SET deleted = 1, body = '' WHERE slug = ?", slug)

    def add_comment(self, slug: str, author: str, text: str, parent: str) -> int:
        """A reader's comment, in answer to `parent` where that is one on the same post; its id."""
        answered = parent if self.author(slug, parent) else None
        insert = "INSERT INTO comments (slug, parent, author, text, posted) VALUES (?, ?, ?, ?, ?) RETURNING id"
        [[id]] = self._do(insert, slug, answered, author, text, datetime.now(UTC).isoformat())
        return int(id)

    def author(self, slug: str, id: str) -> str:
        """Who wrote a comment on a post; "" where there is no such comment, whatever an address or a form says."""
        found = self._do("SELECT author FROM comments WHERE slug = ? AND CAST(id AS TEXT) = ?", slug, id)
        return str(found[0][0]) if found else ""

    def comments(self, slug: str) -> list[Comment]:
        """The comments on a post, oldest first, each with those that answer it."""
        rows = self._do("SELECT id, parent, author, text, posted FROM comments WHERE slug = ? ORDER BY id", slug)
        return nested((*row[:4], datetime.fromisoformat(row[4])) for row in rows)


def _post(row: tuple[str, str, str, str, int]) -> Post:
    slug, title, body, published, deleted = row
    return Post(slug, title, body, datetime.fromisoformat(published), bool(deleted))
