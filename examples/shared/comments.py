"""Readers' comments, as linkback's thread takes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from linkback.web.render import Comment


def nested(rows: Iterable[tuple[int, int | None, str, str, datetime]]) -> list[Comment]:
    """Comments that answer no other, each with those that answer it.

    A row is a comment's id, the id of what it answers, its author, its text, and when it was posted; they come in the
    order of time.
    """
    answers: dict[int | None, list[Comment]] = defaultdict(list)
    # an answer is younger than what it answers, so the answers to each are known when its turn comes
    for id, parent, author, text, posted in reversed(list(rows)):
        reply = f"?reply={id}#respond"
        comment = Comment(author, text, posted, id=str(id), reply_url=reply, replies=answers[id])
        answers[parent].insert(0, comment)
    return answers[None]
