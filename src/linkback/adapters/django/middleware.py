"""Signposts on a project's pages, from plain and streamed answers, under WSGI and ASGI.

Rule: the answer stays as it is but for the signposts (`web.signposts` says which pages get those).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import chain
from typing import Any

from django.urls import NoReverseMatch
from django.utils.deprecation import MiddlewareMixin

from linkback.adapters.django import blog
from linkback.web.signposts import Signs


class LinkbackMiddleware(MiddlewareMixin):
    """Advertises the endpoints on every page that takes mentions. It belongs at the end of `MIDDLEWARE`: those that
    come before it see the whole page, whether they pack it, keep it or count its bytes."""

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        super().__init__(get_response)
        # settings that are wrong are said when the server starts
        blog.site()

    def process_response(self, request: Any, response: Any) -> Any:
        """The project's answer, signposts added where they belong; under ASGI Django calls this in a thread."""
        try:
            signposts = blog.signposts()
        except NoReverseMatch:
            # the check linkback.E002 says so; a page is still a page
            return response
        signs = signposts.on(
            response.items(),
            method=request.method,
            status=response.status_code,
            host=request.META.get("HTTP_HOST", ""),
            path=request.get_full_path(),
        )
        if signs:
            blog.begin()
            _add(_missing(signs, response), response)
        return response


def _missing(signs: Signs, response: Any) -> Signs:
    """Those that the answer does not have: one that comes out of Django's cache went through here before."""
    held = response.get("Link", "")
    headers = tuple((name, value) for name, value in signs.headers if name != "Link" or value not in held)
    there = not response.streaming and response.content.endswith(signs.tail)
    return replace(signs, headers=headers, tail=b"" if there else signs.tail)


def _add(signs: Signs, response: Any) -> None:
    if response.streaming:
        chunks = response.streaming_content
        response.streaming_content = _ending(chunks, signs.tail) if response.is_async else chain(chunks, [signs.tail])
    elif signs.tail:
        response.content += signs.tail
    # its length is another now
    for name, value in replace(signs, headers=()).added_to(list(response.items())):
        response[name] = value
    for name, value in signs.headers:
        held = response.get(name)
        # a name that comes twice is one field to Django
        response[name] = f"{held}, {value}" if held and name == "Link" else held or value


async def _ending(chunks: AsyncIterator[bytes], tail: bytes) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        yield chunk
    yield tail
