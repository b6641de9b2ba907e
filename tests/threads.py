"""Mentions, comments and whole threads for the tests of how they are shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from linkback.model import Author, Mention, Status
from linkback.web.thread import Comment
from tests.display import PAYLOADS

T = "https://bob.example/post"
START = datetime(2010, 6, 1, 12, 0, tzinfo=UTC)


def mention(minute: int, title: str = "Where next?", *protocols: str, **fields: Any) -> Mention:
    """An approved mention, received so many minutes after the start; its id is the minute."""
    when = START + timedelta(minutes=minute)
    given: dict[str, Any] = {"source": f"https://s.example/{minute}", "protocols": protocols or ("pingback",)} | fields
    return Mention(
        str(minute),
        "https://bob.example/",
        target=T,
        status=Status.APPROVED,
        received=when,
        checked=when,
        title=title,
        **given,
    )


def comment(minute: int, author: str = "A reader", text: str = "I agree.", **fields: Any) -> Comment:
    """A comment, posted so many minutes after the start."""
    return Comment(author, text, START + timedelta(minutes=minute), **fields)


#: numbers, labels and titles of the post of 2010: comments have none
POST_OF_2010 = (
    "sarahlay (sarahlay)",
    "",
    "andysimcox (Andy Simcox)",
    "LittleLaura (Laura Whitehead)",
    "johnshewell (John Shewell)",
    "watfordgap (Paul Webster)",
    "sturgey (andrea sturgess)",
    "",
    "SocialSentiment (SocialMediaSentiment)",
    "",
    "",
    "",
    "scottgould (Scott Gould)",
    "davebriggs (Dave Briggs)",
    "pgsimoes (Paulo Simões)",
    "berthelemy (Mark Berthelemy)",
    "Bookmarks for June 3rd through June 7th",
    "",
    "",
    "Where next for digital engagement?",
    "",
)


def of_2010() -> tuple[list[Mention], list[Comment]]:
    """What stands under the post of 2010: 13 pingbacks and 8 comments, two of which were answered."""
    mentions = [mention(number, title) for number, title in enumerate(POST_OF_2010, start=1) if title]
    answers = {2: (comment(3, "Simon", "Thanks."),), 12: (comment(30, "Simon", "Quite."),)}
    comments = [
        comment(number, f"Reader {number}", replies=answers.get(number, ()), id=str(number))
        for number, title in enumerate(POST_OF_2010, start=1)
        if not title
    ]
    return mentions, comments


#: every kind of entry, with and without what it may have
VARIED = [
    mention(1, "sarahlay (sarahlay)"),
    mention(2, "Note", "trackback", excerpt="A “quoted” & <b>bold</b> 'line'", author=Author("Ann")),
    mention(3, kind="like", author=Author("Ann Lee", "https://social.example/@ann", "https://social.example/a.png")),
    mention(4, kind="repost", author=Author("محمد علي")),
    mention(5, "On gardens", kind="reply", excerpt="عربي then English", author=Author("שלום", "https://x.example/")),
    mention(6, "", kind="bookmark", author=Author("", "https://bob.example/users/bo")),
    mention(7, "", "webmention", author=Author("Ann", "https://social.example/@ann", "https://p.example/a")),
    mention(8, "T", "webmention", author=Author("Ann", "https://a.example/", "https://p.example/a")),
    mention(9, "B", "webmention", author=Author("Ann", "", "https://p.example/a")),
    mention(10, kind="like", source="javascript:alert(1)"),
    mention(11, "", kind="reply", author=Author("Ann", "https://a.example/", "https://p.example/a"), excerpt="Yes."),
]
#: strangers' words in every field that there is
HOSTILE = [
    mention(
        number,
        payload,
        excerpt=payload,
        source=payload,
        kind=("mention", "like", "reply")[number % 3],
        author=Author(payload, payload, payload),
    )
    for number, payload in enumerate(PAYLOADS, start=1)
]
HOSTILE_COMMENTS = [
    comment(number, payload, payload, url=payload, id=payload[:50], reply_url=payload)
    for number, payload in enumerate(PAYLOADS, start=1)
]
