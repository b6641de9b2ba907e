"""The thread under a post as a value: people's comments and mentions, numbered together in order of time.

Rule 1: everything that a template or a script shows stands here, ready to be shown; neither decides anything.
Rule 2: what a stranger wrote is text, on one line and without controls; a URL leads to http(s), or there is none.
Rule 3: each comment, reply, mention and face is counted once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from linkback.errors import ConfigurationError
from linkback.model import Author, Mention
from linkback.web import shown
from linkback.web.shown import Markup, Text
from linkback.web.translations import ENGLISH, N_, Language

#: replies to replies nest so deep; later ones stand beside what they answer, so that nobody can nest without end
_DEEPEST = 8

_LABELS = {
    "pingback": N_("Pingback: {name}"),
    "trackback": N_("Trackback: {name}"),
    "mention": N_("Mention: {name}"),
}
_DEEDS = {
    "like": N_("{name} liked this"),
    "repost": N_("{name} reposted this"),
    "reply": N_("{name} replied"),
    "bookmark": N_("{name} bookmarked this"),
}
#: kinds that say nothing but who, in the order that their faces are shown in
_FACES = ("like", "repost")
_NOTHING, _NO_MARKUP, _NOBODY = Text(), Markup(), Author()


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of the host's own: who wrote what, when.

    `text` is plain text; `html`, where it is given, is shown instead, as it is: only the host can have made it safe.
    `posted` is UTC where it is naive. `url` is the author's own, `reply_url` where one may answer, `id` what the
    comment's permalink is made of: without one it has none. Raises `TypeError` for a `posted` that is no datetime.
    """

    author: str
    text: str
    posted: datetime
    url: str = ""
    id: str | int = ""
    html: str = ""
    reply_url: str = ""
    replies: Sequence[Comment] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.posted, datetime):
            raise TypeError(f"Comment: posted is a datetime, as datetime.fromisoformat makes one, not {self.posted!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a thread.

    `number` counts from 1; replies and faces have 0. `kind` is `comment`, `pingback`, `trackback` or `mention`, or what
    the source does: `like`, `repost`, `reply`, `bookmark`. `name` is the title of the source page or a person's
    (then `personal`), `before` and `after` what the language says around it, and `label` that without blanks. `title`
    is that of the source page where `name` is a person's, `author` who wrote it. `id` names its place on the page.
    """

    number: int = 0
    kind: str
    id: str = ""
    name: Text
    personal: bool = False
    before: Text = _NOTHING
    after: Text = _NOTHING
    url: Text = _NOTHING
    title: Text = _NOTHING
    author: Author = _NOBODY
    initials: Text = _NOTHING
    excerpt: Text = _NOTHING
    paragraphs: tuple[Text, ...] = ()
    html: Markup = _NO_MARKUP
    time: datetime
    iso_time: Text
    shown_time: Text
    reply_url: Text = _NOTHING
    reply_label: Text = _NOTHING
    reply_name: Text = _NOTHING
    replies: tuple[Entry, ...] = ()

    @property
    def label(self) -> Text:
        """What kind of entry it is, in words: "Pingback:", "liked this"; "" for a comment."""
        return Text(f"{self.before.strip()} {self.after.strip()}".strip())

    @property
    def heading(self) -> Text:
        """How the entry is called: "Pingback: Where next?", "Alice liked this", or a commenter's name."""
        return Text(self.before + self.name + self.after)

    @property
    def is_comment(self) -> bool:
        """Whether it is the host's own."""
        return self.kind == "comment"


@dataclass(frozen=True, slots=True)
class Faces:
    """Those who did one thing: `kind` is `like` or `repost`, `heading` their count in words."""

    kind: str
    heading: Text
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread: `heading` is its `count` in words, `entries` the numbered list, `faces` the groups of the facepile.

    `language` and `direction` are those of its own words. `photos` says whether authors' pictures are shown.
    """

    count: int
    heading: Text
    entries: tuple[Entry, ...]
    faces: tuple[Faces, ...]
    language: Text
    direction: Text
    photos: bool


def of(
    mentions: Iterable[Mention],
    comments: Iterable[Comment] = (),
    *,
    language: Language = ENGLISH,
    facepile: bool = True,
    photos: bool = False,
    timezone: tzinfo | str = UTC,
) -> Thread:
    """The thread of comments and mentions.

    With `facepile` likes and reposts are faces, else entries of the list. Times are shown in `timezone`, which may be
    its name. Raises `ConfigurationError` for a time zone that there is not, and `TypeError` for comments that are none.
    """
    if not isinstance(comments, Iterable):
        raise TypeError(f"comments are a list of {_named(Comment)}, not {_named(type(comments))}")
    writer = _Writer(language, _zone(timezone))
    items = [writer.mention(mention) for mention in mentions] + [writer.comment(comment) for comment in comments]
    items.sort(key=lambda entry: entry.time)
    listed = [entry for entry in items if not (facepile and entry.kind in _FACES)]
    groups = [writer.faces(kind, items) for kind in _FACES] if facepile else []
    count = sum(map(_size, items))
    comment_count = language.ngettext("{count} comment", "{count} comments", count)
    return Thread(
        count,
        Text(comment_count if count else language.gettext("No comments yet")),
        tuple(replace(entry, number=number) for number, entry in enumerate(listed, start=1)),
        tuple(group for group in groups if group.entries),
        Text(language.code),
        Text(language.direction),
        photos,
    )


def _zone(given: tzinfo | str) -> tzinfo:
    if isinstance(given, tzinfo):
        return given
    try:
        return ZoneInfo(given)
    except (KeyError, TypeError, ValueError, OSError) as error:
        why = f'timezone must be a tzinfo or the name of a zone, such as "Europe/Berlin", not {given!r}'
        raise ConfigurationError(why) from error


def _named(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _size(entry: Entry) -> int:
    return 1 + sum(map(_size, entry.replies))


class _Writer:
    """Mentions and comments as entries, in one language and time zone."""

    def __init__(self, language: Language, timezone: tzinfo) -> None:
        self._language = language
        self._timezone = timezone

    def mention(self, mention: Mention) -> Entry:
        protocol = mention.protocols[0] if mention.protocols else ""
        kind = mention.kind if mention.kind in _DEEDS else protocol if protocol in _LABELS else "mention"
        before, after = self._language.around((_DEEDS | _LABELS)[kind])
        author, title = shown.author_of(mention), shown.title_of(mention)
        name, personal = shown.called(mention, author, title, deed=kind in _DEEDS)
        excerpt = shown.words(mention.excerpt, shown.MAX_EXCERPT)
        time, iso_time, shown_time = self._times(mention.received)
        return Entry(
            kind=kind,
            id=shown.anchor("mention", mention.id),
            name=Text(name),
            personal=personal,
            before=Text(before),
            after=Text(after),
            url=shown.web(mention.source),
            title=Text(title if personal and not shown.repeats(title, name, excerpt) else ""),
            author=author,
            initials=shown.initials(author.name or name),
            excerpt=Text(excerpt),
            time=time,
            iso_time=iso_time,
            shown_time=shown_time,
        )

    def comment(self, comment: Comment, depth: int = 1) -> Entry:
        if not isinstance(comment, Comment):
            made = f"{_named(Comment)}(author, text, posted)"
            raise TypeError(f"a comment is a {_named(Comment)}, not a {_named(type(comment))}: make {made} of each")
        name = shown.words(comment.author, shown.MAX_AUTHOR) or self._language.gettext("Anonymous")
        replies = comment.replies if depth < _DEEPEST else tuple(_flattened(comment.replies))
        inner = [self.comment(reply, depth + 1) for reply in replies]
        time, iso_time, shown_time = self._times(comment.posted)
        return Entry(
            kind="comment",
            id=shown.anchor("comment", comment.id),
            name=Text(name),
            personal=True,
            url=shown.web(comment.url),
            initials=shown.initials(name),
            paragraphs=shown.paragraphs(comment.text),
            html=Markup(comment.html),
            reply_url=shown.own(comment.reply_url),
            reply_label=Text(self._language.gettext("Reply")),
            reply_name=Text(self._language.gettext("Reply to {name}").replace("{name}", name)),
            replies=tuple(sorted(inner, key=lambda entry: entry.time)),
            time=time,
            iso_time=iso_time,
            shown_time=shown_time,
        )

    def faces(self, kind: str, entries: Iterable[Entry]) -> Faces:
        found = tuple(entry for entry in entries if entry.kind == kind)
        if kind == "like":
            heading = self._language.ngettext("{count} like", "{count} likes", len(found))
        else:
            heading = self._language.ngettext("{count} repost", "{count} reposts", len(found))
        return Faces(kind, Text(heading), found)

    def _times(self, when: datetime) -> tuple[datetime, Text, Text]:
        aware = when if when.tzinfo else when.replace(tzinfo=UTC)
        try:
            here = aware.astimezone(self._timezone)
        except OverflowError:
            # a host's "never" may be the first or the last moment that there is
            here = aware
        # towns had times of their own once, seconds from each other, and HTML has no way to say that
        odd = (here.utcoffset() or timedelta()) % timedelta(minutes=1)
        local = here.replace(tzinfo=None) if odd else here
        return aware, Text(local.isoformat(timespec="seconds")), Text(self._language.date(here))


def _flattened(comments: Iterable[Comment]) -> Iterator[Comment]:
    """All comments of a tree, however deep, each without its replies."""
    waiting = list(comments)[::-1]
    while waiting:
        comment = waiting.pop()
        yield replace(comment, replies=())
        waiting.extend(list(comment.replies)[::-1])
