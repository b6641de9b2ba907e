"""The thread: people's comments and mentions, numbered together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from linkback.model import Author, Mention, Status
from linkback.web.render import Comment, entries, thread

START = datetime(2010, 6, 1, 12, 0, tzinfo=UTC)


def mention(minute: int, title: str = "Where next?", *protocols: str, **fields: object) -> Mention:
    when = START + timedelta(minutes=minute)
    source = str(fields.pop("source", "https://s.example/note"))
    return Mention(
        "1",
        "https://t.example/",
        source,
        "https://t.example/post",
        protocols or ("pingback",),
        Status.APPROVED,
        when,
        when,
        title=title,
        **fields,  # type: ignore[arg-type]
    )


def comment(minute: int, author: str = "A reader", text: str = "I agree.") -> Comment:
    return Comment(author, text, START + timedelta(minutes=minute))


def test_comments_and_mentions_are_numbered_together_in_order_of_time() -> None:
    found = entries([mention(5), mention(1)], [comment(3), comment(9)])
    assert [(entry.number, entry.heading) for entry in found] == [
        (1, "Pingback: Where next?"),
        (2, "A reader"),
        (3, "Pingback: Where next?"),
        (4, "A reader"),
    ]


@pytest.mark.parametrize(
    ("protocols", "heading"),
    [
        (("pingback",), "Pingback: T"),
        (("trackback",), "Trackback: T"),
        (("webmention",), "Mention: T"),
        (("webmention", "pingback"), "Mention: T"),
    ],
    ids=lambda value: str(value),
)
def test_a_mention_is_called_by_how_it_first_came(protocols: tuple[str, ...], heading: str) -> None:
    assert entries([mention(0, "T", *protocols)])[0].heading == heading


def test_a_page_without_title_is_called_by_its_author_or_its_url() -> None:
    assert entries([mention(0, "", author=Author("Ann"))])[0].heading == "Pingback: Ann"
    assert entries([mention(0, "")])[0].heading == "Pingback: https://s.example/note"


def test_a_comment_without_a_time_zone_is_taken_as_utc() -> None:
    naive = Comment("A reader", "first", START.replace(tzinfo=None) - timedelta(minutes=1))
    assert entries([mention(0)], [naive])[0].name == "A reader"


def test_the_count_is_of_all() -> None:
    assert thread([]) == ""
    assert "<h2>1 comment</h2>" in thread([mention(0)])
    assert "<h2>3 comments</h2>" in thread([mention(0)], [comment(1), comment(2)])


def test_what_strangers_wrote_is_shown_as_text() -> None:
    evil = mention(0, '<script>alert("x")</script>', excerpt="<img src=x onerror=y>", source='https://s.example/"><b>')
    html = thread([evil], [comment(1, "<b>", "</li><script>")])
    assert "<script>" not in html
    assert "<img" not in html
    assert "<b>" not in html
    assert '<a href="https://s.example/&quot;&gt;&lt;b&gt;" rel="nofollow ugc" data-linkback="no">' in html


def test_a_link_leads_to_the_web_or_nowhere() -> None:
    assert "<a " not in thread([mention(0, source="javascript:alert(1)")])
