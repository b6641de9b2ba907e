"""What the blog keeps: its posts and readers' comments, in a SQLite file."""

from __future__ import annotations

import contextlib
import itertools
import re
import sqlite3
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from linkback.web.render import Comment

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

    def add(self, title: str, body: str) -> Post:
        """A new post, under a slug that no other ever had."""
        plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
        name, now = re.sub("[^a-z0-9]+", "-", plain)[:60].strip("-") or "post", datetime.now(UTC)
        for number in itertools.count(1):
            post = Post(name if number == 1 else f"{name}-{number}", title, body, now)
            with contextlib.suppress(sqlite3.IntegrityError):
                self._do("INSERT INTO posts VALUES (?, ?, ?, ?, 0)", post.slug, title, body, now.isoformat())
                break
        return post

    def change(self, slug: str, title: str, body: str) -> None:
        """A post is edited."""
        self._do("UPDATE posts SET title = ?, body = ? WHERE slug = ?", title, body, slug)

    def delete(self, slug: str) -> None:
        """Keep of a post that it was there."""
        self._do("UPDATE posts SET deleted = 1, body = '' WHERE slug = ?", slug)

    def add_comment(self, slug: str, author: str, text: str, parent: int) -> int:
        """A reader's comment, in answer to `parent` where that is one on the same post; its id."""
        answered = parent if self.comment(slug, parent) else 0
        insert = "INSERT INTO comments (slug, parent, author, text, posted) VALUES (?, ?, ?, ?, ?) RETURNING id"
        [[id]] = self._do(insert, slug, answered, author, text, datetime.now(UTC).isoformat())
        return int(id)

    def comment(self, slug: str, id: int) -> Comment | None:
        """One comment on a post."""
        columns = "SELECT id, author, text, posted FROM comments"
        return next((_comment(*row) for row in self._do(f"{columns} WHERE slug = ? AND id = ?", slug, id)), None)

    def comments(self, slug: str) -> list[Comment]:
        """The comments on a post, oldest first, each with those that answer it."""
        answers: dict[int, list[Comment]] = {0: []}
        columns = "SELECT id, author, text, posted, parent FROM comments"
        for id, author, text, posted, parent in self._do(f"{columns} WHERE slug = ? ORDER BY id DESC", slug):
            # an answer is younger than what it answers, so this one's are all known
            comment = _comment(id, author, text, posted, answers.pop(id, []))
            answers.setdefault(parent, []).insert(0, comment)
        return answers[0]


def _post(row: tuple[str, str, str, str, int]) -> Post:
    slug, title, body, published, deleted = row
    return Post(slug, title, body, datetime.fromisoformat(published), bool(deleted))


def _comment(id: int, author: str, text: str, posted: str, replies: list[Comment] | None = None) -> Comment:
    answer = f"?reply={id}#respond"
    when = datetime.fromisoformat(posted)
    return Comment(author, text, when, id=str(id), reply_url=answer, replies=replies or [])
