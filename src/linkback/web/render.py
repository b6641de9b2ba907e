"""The thread as HTML, by templates that Jinja2 and Django read alike, so that a host may replace each of them.

Rule: a template gets values that are ready to be shown, and only lays them out; every engine escapes them on its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, tzinfo
from functools import lru_cache
from os import PathLike
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from linkback.errors import ConfigurationError
from linkback.model import Mention
from linkback.web import thread as threads
from linkback.web import translations
from linkback.web.shown import Markup, Text
from linkback.web.thread import Comment, Entry, Thread
from linkback.web.translations import Language

if TYPE_CHECKING:
    from jinja2 import BaseLoader, Environment

__all__ = ["TEMPLATES", "Comment", "Entry", "Markup", "Thread", "context", "entries", "thread"]

#: the folder of our own templates, for an engine of the host's
TEMPLATES = Path(__file__).parent / "templates"
#: the template of a thread, with what `context` gives; it includes the others, which stand beside it
TEMPLATE = "linkback/thread.html"


def thread(
    mentions: Iterable[Mention],
    comments: Iterable[Comment] = (),
    *,
    language: str | Language = "en",
    facepile: bool = True,
    photos: bool = False,
    timezone: tzinfo | str = UTC,
    empty: bool = False,
    templates: str | PathLike[str] | BaseLoader | Environment | None = None,
) -> Markup:
    """The thread as an HTML fragment: a heading with the count, the faces of likes and reposts, a numbered list.

    `language` is a BCP 47 code, English where it is not known. With `facepile=False` likes and reposts stand in the
    list. With `photos` authors' pictures are loaded from where they are; else no reader is sent to a stranger's
    server unasked. Times are shown in `timezone`, a `tzinfo` or its name, such as "Europe/Berlin". Where there is
    nothing yet the fragment is "", unless `empty`. `templates` is where to look for `linkback/thread.html` and those
    that it includes, before our own: a folder, a Jinja2 loader or environment. Raises `ConfigurationError` for a
    language that is no text, a time zone or a folder that is none and a template that fails, and `TypeError` for
    comments that are no `Comment`s.
    """
    values = context(mentions, comments, language=language, facepile=facepile, photos=photos, timezone=timezone)
    if not values["thread"].count and not empty:
        return Markup()
    return _drawn(values, _environment(templates))


def context(
    mentions: Iterable[Mention],
    comments: Iterable[Comment] = (),
    *,
    language: str | Language = "en",
    facepile: bool = True,
    photos: bool = False,
    timezone: tzinfo | str = UTC,
) -> dict[str, Thread]:
    """What the templates are given, for a host whose own engine draws them: `{"thread": Thread}`; options as above."""
    if not isinstance(language, str | Language):
        raise ConfigurationError(f'language must be a code such as "de", or a Language, not {language!r}')
    spoken = translations.of(language) if isinstance(language, str) else language
    made = threads.of(mentions, comments, language=spoken, facepile=facepile, photos=photos, timezone=timezone)
    return {"thread": made}


def entries(mentions: Iterable[Mention], comments: Iterable[Comment] = ()) -> tuple[Entry, ...]:
    """Comments and mentions in one numbered list, in order of time, for a host that draws them itself."""
    return threads.of(mentions, comments, facepile=False).entries


def _drawn(values: dict[str, Any], environment: Environment) -> Markup:
    try:
        return Markup(environment.get_template(TEMPLATE).render(values))
    except Exception as error:  # a template of the host's may do anything
        raise ConfigurationError(f"the template {_place(error)}: {_why(error)}") from error


def _place(error: Exception) -> str:
    """The file and line of the template, which another may have included, that failed."""
    from jinja2 import TemplateSyntaxError

    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or error.name or TEMPLATE}, line {error.lineno}"
    place = TEMPLATE
    for frame, line in walk_tb(error.__traceback__):
        if frame.f_code.co_name == "get_source":
            # what could not even be read has no line yet
            place = str(frame.f_locals.get("template", place))
        elif "__jinja_exception__" in frame.f_globals:
            place = f"{frame.f_code.co_filename}, line {line}"
    return place


def _why(error: Exception) -> str:
    from jinja2 import TemplateNotFound

    return f"there is no template {error}" if isinstance(error, TemplateNotFound) else str(error)


def _environment(templates: str | PathLike[str] | BaseLoader | Environment | None) -> Environment:
    if isinstance(templates, str | PathLike):
        folder = Path(templates)
        if not folder.is_dir():
            raise ConfigurationError(f"there is no folder of templates {folder}")
        return _prepared(folder)
    return _prepared(templates)


@lru_cache(maxsize=16)
def _prepared(templates: Path | BaseLoader | Environment | None) -> Environment:
    """The host's templates before our own; kept, as a template is compiled once for each environment."""
    from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader

    own = templates.loader if isinstance(templates, Environment) else templates
    first = FileSystemLoader(own) if isinstance(own, Path) else own
    ours = FileSystemLoader(TEMPLATES)
    loader = ChoiceLoader([first, ours]) if isinstance(first, BaseLoader) else ours
    if isinstance(templates, Environment):
        return templates.overlay(loader=loader, autoescape=True)
    return Environment(loader=loader, autoescape=True, finalize=_finalized)


def _finalized(value: object) -> object:
    """Text for a plain string, as a filter of a host's template makes it of ours."""
    return value if not isinstance(value, str) or hasattr(value, "__html__") else Text(value)
