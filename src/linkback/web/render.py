"""The thread under a post: people's comments and mentions, numbered together in order of time.

Rule: everything shown is text. What a stranger wrote is escaped, and a link leads to http(s) or nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from linkback.model import Mention

_LABELS = {"pingback": "Pingback", "trackback": "Trackback"}


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of the host's own: who wrote what, when; `text` is plain text."""

    author: str
    text: str
    posted: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a thread: its number, what it is called, where it leads, what it says, when it came.

    `label` is the kind of a mention ("Pingback"), "" for a comment; `name` the title of the mentioning page or the
    comment's author.
    """

    number: int
    label: str
    name: str
    url: str
    text: str
    time: datetime

    @property
    def heading(self) -> str:
        """How the entry is called: "Pingback: Where next?", or a commenter's name."""
        return f"{self.label}: {self.name}" if self.label else self.name


def entries(mentions: Iterable[Mention], comments: Iterable[Comment] = ()) -> list[Entry]:
    """Comments and mentions in one numbered list, in order of time."""
    items = [_mentioned(mention) for mention in mentions] + [_commented(comment) for comment in comments]
    items.sort(key=lambda entry: entry.time)
    return [
        Entry(number, item.label, item.name, item.url, item.text, item.time)
        for number, item in enumerate(items, start=1)
    ]


def _mentioned(mention: Mention) -> Entry:
    label = _LABELS.get(mention.protocols[0] if mention.protocols else "", "Mention")
    name = mention.title or mention.author.name or mention.source
    return Entry(0, label, name, mention.source, mention.excerpt, mention.received)


def _commented(comment: Comment) -> Entry:
    posted = comment.posted if comment.posted.tzinfo else comment.posted.replace(tzinfo=UTC)
    return Entry(0, "", comment.author, "", comment.text, posted)


def thread(mentions: Iterable[Mention], comments: Iterable[Comment] = ()) -> str:
    """The thread as an HTML fragment: a heading with the count, and a numbered list; "" where there is nothing yet."""
    found = entries(mentions, comments)
    if not found:
        return ""
    count = f"{len(found)} comment{'' if len(found) == 1 else 's'}"
    lines: Sequence[str] = [_item(entry) for entry in found]
    return (
        f'<section class="linkback-thread" data-linkback="no"><h2>{count}</h2>\n<ol>\n'
        + "\n".join(lines)
        + "\n</ol></section>"
    )


def _item(entry: Entry) -> str:
    kind = entry.label.lower() or "comment"
    name = escape(entry.name)
    if entry.url.startswith(("http://", "https://")):
        name = f'<a href="{escape(entry.url)}" rel="nofollow ugc" data-linkback="no">{name}</a>'
    heading = f"{escape(entry.label)}: {name}" if entry.label else name
    time = f'<time datetime="{entry.time.isoformat()}">{entry.time:%Y-%m-%d %H:%M}</time>'
    text = f"<p>{escape(entry.text)}</p>" if entry.text else ""
    return f'<li class="{kind}"><strong>{heading}</strong> {time}{text}</li>'
