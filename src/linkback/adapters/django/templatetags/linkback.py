"""Tags for a project's templates: `{% load linkback %}`.

    {% linkback_head %}                       signposts of this page, for its head; of another: {% linkback_head post %}
    {% mentions for post %}                   the thread under a post
    {% mentions for post with comments %}     the same, with the project's own comments in it
    {% mentions for post as name %}           the mentions themselves
    {% mention_count post %}                  how many there are; {% mention_count post comments %} with the comments

A post is an object with `get_absolute_url`, a path or a URL; comments are `linkback.web.render.Comment`s. After the
comments the options of `linkback.web.render.thread` may stand: {% mentions for post with comments photos=True %}.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django import template
from django.template.base import token_kwargs
from django.urls import NoReverseMatch
from django.utils.safestring import SafeString, mark_safe

from linkback import logs, urls
from linkback.adapters.django import blog
from linkback.adapters.django.threads import count, thread
from linkback.web.render import Comment

log = logs.named(__name__)
register = template.Library()
_USAGE = "{% mentions for post [with comments] [facepile=False] [photos=True] %} or {% mentions for post as name %}"


@register.simple_tag(takes_context=True)
def linkback_head(context: Any, post: object = None) -> SafeString:
    """The signposts of a page, of this one if no post is given; "" where the page takes no mentions."""
    request = context.get("request")
    if post is None and request is None:
        raise template.TemplateSyntaxError("{% linkback_head %} needs the request in the context, or a post")
    page = urls.parse(blog.link(request.get_full_path() if post is None else post))
    try:
        # what comes of it is our own markup, every value in it escaped
        return mark_safe(blog.signposts().head("", page.request_target) if page else "")  # noqa: S308
    except NoReverseMatch:
        log.warning("the URLs of the project have no endpoints of linkback: see manage.py check")
        return mark_safe("")


@register.simple_tag
def mention_count(post: object, comments: Iterable[Comment] = ()) -> int:
    """How many mentions a post has, with the comments where they are given: the number that its thread shows."""
    return count(post, comments) if post else 0


@register.tag
def mentions(parser: Any, token: Any) -> template.Node:
    """The thread under a post, or its mentions as a list."""
    _, *words = token.split_contents()
    if words[:1] != ["for"] or len(words) < 2:
        raise template.TemplateSyntaxError(f"write {_USAGE}")
    post, rest = parser.compile_filter(words[1]), words[2:]
    if len(rest) == 2 and rest[0] == "as":
        return _List(post, rest[1])
    comments = None
    if len(rest) >= 2 and rest[0] == "with":
        comments, rest = parser.compile_filter(rest[1]), rest[2:]
    options = token_kwargs(rest, parser)
    if rest or not options.keys() <= {"facepile", "photos"}:
        raise template.TemplateSyntaxError(f"write {_USAGE}")
    return _Thread(post, comments, options)


@dataclass(eq=False)
class _List(template.Node):
    """Puts the mentions of a post in the context."""

    post: Any
    name: str

    def render(self, context: Any) -> str:
        post = self.post.resolve(context)
        context[self.name] = blog.site().mentions(blog.link(post)) if post else []
        return ""


@dataclass(eq=False)
class _Thread(template.Node):
    """Draws the thread of a post."""

    post: Any
    comments: Any
    options: Mapping[str, Any]

    def render(self, context: Any) -> SafeString:
        post = self.post.resolve(context)
        if not post:
            return SafeString()
        comments = self.comments.resolve(context) if self.comments else ()
        options = {name: bool(value.resolve(context)) for name, value in self.options.items()}
        return thread(post, comments or (), engine=context.template.engine, page=context.flatten(), **options)
