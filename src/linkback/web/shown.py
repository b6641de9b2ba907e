"""What strangers wrote, made fit for a template: names, titles, texts, URLs.

Rule: what comes out is plain text without controls, and any template engine escapes it in one and the same way.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape

from linkback import urls
from linkback.model import Author, Mention
from linkback.plaintext import ELLIPSIS, clean_text, collapse

MAX_TITLE, MAX_AUTHOR, MAX_EXCERPT = 250, 100, 500

_HANDLE = re.compile(r"/(?:@|users/)([\w.-]+)(?:@([\w.-]+))?/?", re.ASCII)
_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")
_NOT_IN_AN_ID = re.compile(r"[^\w-]", re.ASCII)
#: besides HTML's own, what begins a tag, an expression or a directive in templates of site generators (Jinja, Liquid,
#: Go, JSX, Blade), or ends a text in JavaScript's; `<%` and `<?` are escaped anyhow
_ESCAPES = {letter: escape(letter) for letter in "&<>\"'"} | {letter: f"&#{ord(letter)};" for letter in "{}`@"}
_ESCAPED = re.compile(f"[{''.join(_ESCAPES)}]")
_UNSEEN_KINDS = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
#: a pattern of no dots, which looks like a blank and is none
_UNSEEN = "\u2800"


class Text(str):
    """Plain text that Jinja2 and Django escape alike: each has its own idea of how to write a quotation mark.

    A fragment may end up in a file that a site generator takes for a template: what would be run there is escaped too.
    """

    __slots__ = ()

    def __html__(self) -> str:
        # one pass: with html.escape and str.translate a thread takes a fifth longer
        return _ESCAPED.sub(lambda found: _ESCAPES[found[0]], self)


class Markup(str):
    """Markup that is safe already, and that both engines show as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


def words(text: str, limit: int) -> str:
    """A stranger's words on one line, at most `limit` code points; "" where there is nothing to see on it."""
    line = clean_text(text, limit)
    return line if any(map(_is_seen, line)) else ""


def _is_seen(letter: str) -> bool:
    return letter != _UNSEEN and unicodedata.category(letter) not in _UNSEEN_KINDS


def called(mention: Mention, author: Author, title: str, *, deed: bool) -> tuple[str, bool]:
    """What the entry of a mention is called, and whether that is a person. A deed is always a person's."""
    handle = _handle(author.url)
    person = author.name or handle
    nameless = clean_text(mention.source, MAX_TITLE) or ELLIPSIS
    if deed:
        return person or urls.host(mention.source) or nameless, True
    if title and title != author.name:
        return title, False
    if not person:
        return clean_text(urls.place(mention.source), MAX_TITLE) or nameless, False
    known = not author.name or not handle or handle.lower() in author.name.lower()
    # a handle tells a person from others of that name
    return (person if known else f"{person} ({handle})"), True


def title_of(mention: Mention) -> str:
    """The title of the source page; "" where all that it says is where the page is."""
    title = words(mention.title, MAX_TITLE)
    if not title:
        return ""
    where = clean_text(mention.source, MAX_TITLE)
    nowhere = (mention.source, where, urls.place(mention.source), urls.place(mention.final_url))
    return "" if title in nowhere else title


def repeats(title: str, name: str, excerpt: str) -> bool:
    """Whether a title says what stands beside it anyhow: a note's title may be no more than how it begins."""
    return title == name or excerpt.startswith(title.removesuffix(ELLIPSIS))


def author_of(mention: Mention) -> Author:
    """Who wrote the source page, as far as it can be shown."""
    author = mention.author
    return Author(Text(words(author.name, MAX_AUTHOR)), web(author.url), web(author.photo))


def _handle(url: str) -> str:
    """What a person's page calls them: "@ann@social.example" where its path says so, else its host."""
    page = urls.parse(url)
    if page is None:
        return ""
    named = _HANDLE.fullmatch(page.path)
    return f"@{named[1]}@{named[2] or page.host}" if named else page.host


def initials(name: str) -> Text:
    """The first letters of the first and the last word."""
    letters = [[letter for letter in word if letter.isalnum()] for word in name.split()]
    named = [word for word in letters if word]
    ends = [named[0], named[-1]] if len(named) > 1 else named
    return Text("".join(word[0] for word in ends).upper() or next(filter(_is_seen, name), ""))


def paragraphs(text: str) -> tuple[Text, ...]:
    """The paragraphs of a plain text, which blank lines part; within them, its lines are kept."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    found = ("\n".join(filter(None, map(collapse, part.split("\n")))) for part in _BLANK_LINES.split(unified))
    return tuple(Text(part) for part in found if part)


def anchor(kind: str, id: str | int) -> str:
    """The name of an entry's place on the page; "" where it has no id."""
    if not id and id != 0:
        return ""
    # a dot is never as it was, so two ids never become one name
    return f"{kind}-" + _NOT_IN_AN_ID.sub(lambda match: f".{ord(match[0]):x}.", str(id))


def web(url: str) -> Text:
    """A stranger's URL as a browser would write it; "" where it does not lead to the web."""
    parsed = urls.parse(urls.clean(url))
    return Text(urls.with_fragment(parsed) if parsed is not None and parsed.is_web else "")


def address(url: str) -> str:
    """A URL for people to read, on one line: its host in ASCII, as a letter of one script may pass for another's."""
    line = collapse(url)
    spelt_out = line.isascii() or line.lower().startswith(urls.origin(line) or line)
    return line if spelt_out else urls.serialised(line)


def own(url: str) -> Text:
    """A host's own URL, which may be relative to the post; "" where it does not lead to the web."""
    text = urls.clean(url)
    parsed = urls.parse(text, "https://relative.invalid/") if text else None
    # HTML cannot hold the other controls
    fit = parsed is not None and parsed.is_web and all(unicodedata.category(letter) != "Cc" for letter in text)
    return Text(text if fit else "")
