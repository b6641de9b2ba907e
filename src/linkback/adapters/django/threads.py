"""The thread under a post, drawn by the project's own template engine.

Rule: a project that has a `linkback/thread.html`, or one of those that it includes, has the last word: ours stand
behind all of the project's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from django.template import Context, Engine
from django.utils import timezone, translation
from django.utils.functional import cached_property
from django.utils.safestring import SafeString

from linkback.adapters.django import blog
from linkback.web import render
from linkback.web.render import Comment

_OURS = ("django.template.loaders.filesystem.Loader", [render.TEMPLATES])


class _Engine(Engine):
    """A project's engine with our templates behind its own."""

    def __init__(self, host: Engine) -> None:
        # what includes and extends are looked up in; each template is compiled by the loader that finds it
        super().__init__(loaders=[("django.template.loaders.cached.Loader", [_OURS])], debug=host.debug)
        self._host = host

    @cached_property
    def template_loaders(self) -> list[Any]:
        """The project's own, which it resets when a file changes, and ours."""
        return [*self._host.template_loaders, *self.get_template_loaders(self.loaders)]


@lru_cache(maxsize=8)
def _frame(host: Engine) -> Any:
    """A template that only includes that of the thread, so that all further ones are looked for in our engine."""
    return _Engine(host).from_string(f'{{% include "{render.TEMPLATE}" %}}')


def thread(
    post: object,
    comments: Iterable[Comment] = (),
    *,
    engine: Engine | None = None,
    page: Mapping[str, Any] | None = None,
    facepile: bool = True,
    photos: bool = False,
) -> SafeString:
    """The thread under a post as `render.thread` makes it, in the language and time zone of the request.

    `engine` draws it, the project's first where none is given; `page` is what its templates may use besides.
    """
    values = render.context(
        blog.site().mentions(blog.link(post)),
        comments,
        language=translation.get_language() or "en",
        facepile=facepile,
        photos=photos,
        timezone=timezone.get_current_timezone(),
    )
    if not values["thread"].count:
        return SafeString()
    drawn: SafeString = _frame(engine or Engine.get_default()).render(Context({**(page or {}), **values}))
    return drawn


def count(post: object, comments: Iterable[Comment] = ()) -> int:
    """How many mentions a post has, together with the comments and their replies: what its thread says."""
    return render.context(blog.site().mentions(blog.link(post)), comments)["thread"].count
