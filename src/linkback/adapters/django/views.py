"""The endpoints as a view.

Rule: what senders ask is `web.app`'s to answer, so nothing of Django comes before it: no token, no login, no limit on
forms, and no transaction that could undo what was answered, or that nobody would commit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from linkback import urls
from linkback.adapters.django import blog
from linkback.adapters.wsgi import read_request
from linkback.wire import Request


@login_not_required
@csrf_exempt
def endpoints(request: Any, path: str) -> HttpResponse:
    """Answer a sender; `path` is what follows the prefix."""
    blog.begin()
    app, path = blog.signposts().app(), f"/{path}"
    with blog.lasting():
        answer = app.handle(_read(request, app.max_body(path)), path)
    # a name that comes twice is one field to Django
    headers: dict[str, str] = {}
    for name, value in answer.headers:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return HttpResponse(answer.body, status=answer.status, headers=headers)


for _alias in connections:
    transaction.non_atomic_requests(using=_alias)(endpoints)


def _read(request: HttpRequest, most: int) -> Request:
    """The request; of its body at most one byte more than `most` is read, and nothing is read as a form."""
    meta = request.META
    # Django takes a body without a length for none; under ASGI it has it in hand already
    raw = meta.get("wsgi.input", request)
    environ = {
        **meta,
        "SCRIPT_NAME": "",
        "PATH_INFO": "",
        "wsgi.input": request if meta.get("CONTENT_LENGTH") else raw,
        "wsgi.input_terminated": meta.get("wsgi.input_terminated", raw is request),
    }
    try:
        read = read_request(environ, most)
    except OSError:
        # the client left in the middle of it
        read = read_request({**environ, "CONTENT_LENGTH": "0"}, 0)
    # the blog's own name, whatever name the request came by
    return replace(read, url=urls.origin(blog.site().url) + request.get_full_path())
