"""The thread as a value: order, numbers, names, counts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from linkback.errors import ConfigurationError
from linkback.model import Author
from linkback.web import translations
from linkback.web.thread import Comment, Entry, Thread, of
from tests.threads import HOSTILE, HOSTILE_COMMENTS, START, comment, mention, of_2010

ANN = Author("Ann", "https://social.example/@ann")


def heading(*arguments: object, **fields: object) -> str:
    thread = of([mention(*arguments, **fields)], facepile=False)  # type: ignore[arg-type]
    return thread.entries[0].heading


def test_the_post_of_2010_shows_21_in_one_list_and_counts_23() -> None:
    thread = of(*of_2010())
    assert (thread.count, thread.heading) == (23, "23 comments")
    assert [entry.number for entry in thread.entries] == list(range(1, 22))
    assert thread.entries[0].heading == "Pingback: sarahlay (sarahlay)"
    assert thread.entries[1].heading == "Reader 2"
    assert [reply.name for reply in thread.entries[1].replies] == ["Simon"]
    assert thread.entries[16].heading == "Pingback: Bookmarks for June 3rd through June 7th"
    assert thread.entries[19].heading == "Pingback: Where next for digital engagement?"
    assert [entry.kind for entry in thread.entries].count("pingback") == 13


def test_comments_and_mentions_are_numbered_together_in_order_of_time() -> None:
    thread = of([mention(5), mention(1)], [comment(3), comment(9)])
    assert [(entry.number, entry.heading) for entry in thread.entries] == [
        (1, "Pingback: Where next?"),
        (2, "A reader"),
        (3, "Pingback: Where next?"),
        (4, "A reader"),
    ]


def test_what_came_at_one_time_keeps_its_order() -> None:
    thread = of([mention(1, "a"), mention(1, "b")], [comment(1, "c"), comment(1, "d")])
    assert [entry.name for entry in thread.entries] == ["a", "b", "c", "d"]


def test_a_time_without_zone_is_utc() -> None:
    thread = of([mention(0)], [Comment("A reader", "first", START.replace(tzinfo=None) - timedelta(minutes=1))])
    assert [entry.name for entry in thread.entries] == ["A reader", "Where next?"]
    assert thread.entries[0].iso_time == "2010-06-01T11:59:00+00:00"


def test_times_are_shown_in_the_zone_that_is_asked_for() -> None:
    [entry] = of([mention(0)], timezone=timezone(timedelta(hours=12, minutes=30))).entries
    assert (entry.iso_time, entry.shown_time) == ("2010-06-02T00:30:00+12:30", "2 June 2010, 00:30")
    assert entry.time == START


def test_a_time_zone_may_be_named() -> None:
    [entry] = of([mention(0)], timezone="Europe/Berlin").entries
    assert entry.shown_time == "1 June 2010, 14:00"


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "../etc/passwd", "Europe", "", None, 2])
def test_a_time_zone_that_is_none_is_said(zone: Any) -> None:
    with pytest.raises(ConfigurationError, match='such as "Europe/Berlin", not '):
        of([mention(0)], timezone=zone)


def test_a_time_from_before_there_were_zones_is_one_that_html_knows() -> None:
    """Berlin was 53 minutes and 28 seconds ahead."""
    [entry] = of([], [Comment("A reader", "first", datetime(1850, 6, 1, tzinfo=UTC))], timezone="Europe/Berlin").entries
    assert entry.iso_time == "1850-06-01T00:53:28"


@pytest.mark.parametrize("posted", ["2024-05-01", None, date(2024, 5, 1), 1714521600])
def test_a_comment_without_a_time_is_refused_when_it_is_made(posted: Any) -> None:
    with pytest.raises(TypeError, match=r"posted is a datetime, as datetime\.fromisoformat makes one, not "):
        Comment("A reader", "first", posted)


class Remark:
    """A comment as a project's own model has it."""

    author, text, posted = "A reader", "first", START


@pytest.mark.parametrize(
    ("comments", "told"),
    [
        ([Remark()], r"not a tests\.test_thread\.Remark: make .*Comment\(author, text, posted\) of each"),
        ([Comment("A", "b", START, replies=[Remark()])], r"not a tests\.test_thread\.Remark"),  # type: ignore[list-item]
        (Remark(), r"comments are a list of .*\.Comment, not tests\.test_thread\.Remark"),
    ],
    ids=["in a list", "as a reply", "alone"],
)
def test_what_is_no_comment_of_ours_is_named(comments: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        of([], comments)


@pytest.mark.parametrize(
    ("protocols", "expected"),
    [
        (("pingback",), "Pingback: T"),
        (("trackback",), "Trackback: T"),
        (("webmention",), "Mention: T"),
        (("webmention", "pingback"), "Mention: T"),
        (("pingback", "webmention"), "Pingback: T"),
        (("a fourth",), "Mention: T"),
    ],
    ids=str,
)
def test_a_mention_is_called_by_how_it_first_came(protocols: tuple[str, ...], expected: str) -> None:
    assert heading(0, "T", *protocols) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("like", "Ann liked this"),
        ("repost", "Ann reposted this"),
        ("reply", "Ann replied"),
        ("bookmark", "Ann bookmarked this"),
        ("mention", "Pingback: T"),
        ("no kind", "Pingback: T"),
    ],
)
def test_who_says_what_they_do_is_called_by_that(kind: str, expected: str) -> None:
    assert heading(0, "T", kind=kind, author=ANN) == expected


@pytest.mark.parametrize(
    ("title", "author", "expected"),
    [
        ("T", ANN, "T"),
        ("sarahlay (sarahlay)", Author(), "sarahlay (sarahlay)"),
        ("0", ANN, "0"),
        ("", ANN, "Ann (@ann@social.example)"),
        ("Ann", ANN, "Ann (@ann@social.example)"),
        ("s.example/0", ANN, "Ann (@ann@social.example)"),
        ("https://s.example/0", ANN, "Ann (@ann@social.example)"),
        ("", Author("Ann", "https://social.example/@ann@home.example/"), "Ann (@ann@home.example)"),
        ("", Author("Ann", "https://social.example/users/ann"), "Ann (@ann@social.example)"),
        ("", Author("Ann", "https://ann.example/about/@me"), "Ann (ann.example)"),
        ("", Author("Ann", "https://ann.example/"), "Ann (ann.example)"),
        ("", Author("ann.example", "https://ann.example/"), "ann.example"),
        ("", Author("Ann @Ann@social.example", "https://social.example/@ann"), "Ann @Ann@social.example"),
        ("", Author("Ann"), "Ann"),
        ("", Author("Ann", "javascript:alert(1)"), "Ann"),
        ("", Author("", "https://social.example/@ann"), "@ann@social.example"),
        ("", Author("", "https://xn--mnchen-3ya.example/"), "xn--mnchen-3ya.example"),
        ("", Author("", "https://münchen.example/"), "xn--mnchen-3ya.example"),
        ("", Author(), "s.example/0"),
        ("s.example/0", Author(), "s.example/0"),
    ],
    ids=str,
)
def test_a_mention_is_named_by_its_title_else_its_author_else_its_place(
    title: str, author: Author, expected: str
) -> None:
    assert heading(0, title, author=author) == f"Pingback: {expected}"


def test_a_deed_without_a_name_is_its_hosts() -> None:
    assert heading(0, "T", kind="like") == "s.example liked this"
    assert heading(0, "T", kind="like", source="nonsense") == "nonsense liked this"


@pytest.mark.parametrize(
    ("title", "excerpt", "expected"),
    [
        ("On gardens", "I like it.", "On gardens"),
        ("I like it. Very…", "I like it. Very much.", ""),
        ("Ann", "I like it.", ""),
        ("s.example/0", "I like it.", ""),
        ("", "I like it.", ""),
    ],
)
def test_the_title_of_a_reply_is_shown_unless_it_says_nothing_new(title: str, excerpt: str, expected: str) -> None:
    [entry] = of([mention(0, title, kind="reply", author=ANN, excerpt=excerpt)]).entries
    assert entry.title == expected


def test_likes_and_reposts_are_faces_and_counted_once() -> None:
    mentions = [mention(1, kind="like", author=ANN), mention(2), mention(3, kind="repost"), mention(4, kind="like")]
    thread = of(mentions)
    assert (thread.count, [entry.number for entry in thread.entries]) == (4, [1])
    assert [(group.kind, group.heading, len(group.entries)) for group in thread.faces] == [
        ("like", "2 likes", 2),
        ("repost", "1 repost", 1),
    ]
    listed = of(mentions, facepile=False)
    assert (listed.count, listed.faces, [entry.number for entry in listed.entries]) == (4, (), [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ann", "A"),
        ("ann of the lee", "AL"),
        ("@ann", "A"),
        ("(山田 太郎)", "山太"),
        ("42", "4"),
        ("😀", "😀"),
        ("ß", "SS"),
        ("- Ann -", "A"),
    ],
)
def test_initials_stand_for_a_name(name: str, expected: str) -> None:
    [group] = of([mention(0, kind="like", author=Author(name))]).faces
    assert group.entries[0].initials == expected


def test_a_comment_has_paragraphs_and_lines() -> None:
    [entry] = of([], [comment(0, text="one\r\ntwo\n \n\n\nthree \u202efour\n")]).entries
    assert entry.paragraphs == ("one\ntwo", "three four")


def test_a_comment_of_nobody_is_anonymous() -> None:
    [entry] = of([], [comment(0, author=" \x00")]).entries
    assert entry.name == "Anonymous"


@pytest.mark.parametrize(
    "unseen", ["\u200b", "\u200e\u200f", "\ufeff", "\u00ad", "\u2800", "\u3164", "\ufe0f", "\u034f"], ids=ascii
)
def test_words_that_nobody_sees_are_none(unseen: str) -> None:
    """A link without a visible name could not be found, and nobody could be told from another."""
    author = Author(unseen, "https://ann.example/")
    [entry] = of([mention(0, unseen, author=author, excerpt=unseen)]).entries
    assert (entry.name, entry.title, entry.author.name, entry.excerpt) == ("ann.example", "", "", "")
    [group] = of([mention(0, unseen, kind="like", author=Author(unseen))]).faces
    assert (group.entries[0].name, group.entries[0].initials) == ("s.example", "S")
    [mine] = of([], [comment(0, author=unseen)]).entries
    assert mine.name == "Anonymous"


@pytest.mark.parametrize("name", ["👩\u200d💻", "می\u200cخواهم"], ids=ascii)
def test_what_joins_visible_letters_is_left(name: str) -> None:
    assert heading(0, name) == f"Pingback: {name}"


def test_the_initials_of_a_name_can_be_seen() -> None:
    [group] = of([mention(0, kind="like", author=Author("\u200b😀"))]).faces
    assert group.entries[0].initials == "😀"


def test_replies_stand_in_order_of_time_without_a_number() -> None:
    asked = comment(0, replies=[comment(9, "late"), comment(5, "early", replies=[comment(6, "inner")])])
    thread = of([], [asked])
    [entry] = thread.entries
    assert [(reply.name, reply.number) for reply in entry.replies] == [("early", 0), ("late", 0)]
    assert [reply.name for reply in entry.replies[0].replies] == ["inner"]
    assert thread.count == 4


def depth(entry: Entry) -> int:
    return 1 + max(map(depth, entry.replies), default=0)


def test_nobody_can_nest_replies_without_end() -> None:
    asked = comment(0, "0")
    for number in range(1, 5000):
        asked = comment(5000 - number, str(number), replies=[asked])
    thread = of([], [asked])
    assert thread.count == 5000
    assert depth(thread.entries[0]) == 9


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example/ b?c=<d>#e f", "https://a.example/%20b?c=%3Cd%3E#e%20f"),
        ("HTTP://A.example", "http://a.example/"),
        ("javascript:alert(1)", ""),
        ("java\tscript:alert(1)", ""),
        ("\x01javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("//evil.example", ""),
        ("/relative", ""),
        ("https://user:pass@evil.example/", ""),
        ("\ud800", ""),
        ("", ""),
    ],
)
def test_a_strangers_address_leads_to_the_web_or_nowhere(url: str, expected: str) -> None:
    thread = of([mention(0, source=url, author=Author("A", url, url))], [comment(1, url=url)])
    first, second = thread.entries
    assert (first.url, first.author.url, first.author.photo, second.url) == (expected,) * 4


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/post?reply=7#form", "/post?reply=7#form"),
        ("#reply", "#reply"),
        ("https://b.example/", "https://b.example/"),
        ("javascript:alert(1)", ""),
        ("", ""),
    ],
)
def test_where_to_reply_is_the_hosts_own_and_may_be_relative(url: str, expected: str) -> None:
    [entry] = of([], [comment(0, reply_url=url)]).entries
    assert (entry.reply_url, entry.reply_name) == (expected, "Reply to A reader")


def test_an_id_becomes_a_place_on_the_page() -> None:
    thread = of([mention(7)], [comment(8, id='4 "2"'), comment(9), comment(10, id=0)])
    assert [entry.id for entry in thread.entries] == ["mention-7", "comment-4.20..22.2.22.", "", "comment-0"]


def test_two_ids_are_never_one_place() -> None:
    ids = ("a b", "a.20.b", "a-20-b", "a-b", "a_b", "ab", "A b")
    thread = of([], [comment(number, id=id) for number, id in enumerate(ids)])
    assert len({entry.id for entry in thread.entries}) == len(ids)


def every(thread: Thread) -> list[Entry]:
    return [*thread.entries, *(face for group in thread.faces for face in group.entries)]


def test_what_strangers_wrote_has_no_controls_and_an_end() -> None:
    found = every(of(HOSTILE, HOSTILE_COMMENTS))
    assert len(found) == len(HOSTILE) + len(HOSTILE_COMMENTS)
    unfit = {
        *map(chr, range(32)),
        *map(chr, range(127, 160)),
        *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    }
    for entry in found:
        words = (entry.name, entry.heading, entry.title, entry.author.name, entry.excerpt, entry.initials)
        assert unfit.isdisjoint("".join(words))
        assert entry.name
        assert max(map(len, words)) <= 550


def test_the_words_are_in_the_language_that_is_asked_for() -> None:
    thread = of([mention(0), mention(1, kind="reply", author=ANN)], language=translations.of("ja"))
    assert (thread.language, thread.heading) == ("ja", "コメント2件")
    assert [entry.heading for entry in thread.entries] == ["ピンバック：Where next?", "Annさんが返信しました"]
    assert [entry.label for entry in thread.entries] == ["ピンバック：", "さんが返信しました"]


def test_a_name_is_no_pattern() -> None:
    assert heading(0, "{name} {count}") == "Pingback: {name} {count}"
    [entry] = of([], [comment(0, "{name}", reply_url="#r")]).entries
    assert entry.reply_name == "Reply to {name}"


def test_an_empty_thread_says_so() -> None:
    thread = of([])
    assert (thread.count, thread.heading, thread.entries, thread.faces) == (0, "No comments yet", (), ())


def test_one_is_one_comment() -> None:
    assert of([mention(0)]).heading == "1 comment"


def test_old_and_far_dates_are_dates() -> None:
    shown = of([], [Comment("A", "", datetime(1, 1, 1, tzinfo=UTC)), Comment("B", "", datetime(9999, 12, 31))])
    assert [entry.shown_time for entry in shown.entries] == ["1 January 1, 00:00", "31 December 9999, 00:00"]


@pytest.mark.parametrize(("when", "hours"), [(datetime.min, -5), (datetime.max, 14)])
def test_a_date_at_the_end_of_the_calendar_is_shown_where_it_is(when: datetime, hours: int) -> None:
    [entry] = of([], [Comment("A", "", when)], timezone=timezone(timedelta(hours=hours))).entries
    assert entry.iso_time == when.isoformat(timespec="seconds") + "+00:00"
