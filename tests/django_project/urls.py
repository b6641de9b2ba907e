"""The pages of the host that `tests.signposting` describes, the endpoints, and the admin."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from django.contrib import admin
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import include, path, re_path

from tests.signposting import PAGES, Page


def page(request: Any, path: str) -> Any:
    """What the host answers at a path."""
    found = PAGES[f"/{path}"]
    chunks = _slowly(found) if found.streamed and hasattr(request, "scope") else iter(found.chunks)
    if found.streamed:
        return StreamingHttpResponse(chunks, status=found.status, content_type=found.type, headers=dict(found.headers))
    return HttpResponse(found.body, status=found.status, content_type=found.type, headers=dict(found.headers))


# the host of signposting takes any method everywhere
page.csrf_exempt = True  # type: ignore[attr-defined]


async def _slowly(page: Page) -> AsyncIterator[bytes]:
    for chunk in page.chunks:
        yield chunk


urlpatterns = [
    path("admin/", admin.site.urls),
    path("linkback/", include("linkback.adapters.django.urls")),
    re_path(r"^(?P<path>(?:" + "|".join(each.lstrip("/") for each in PAGES) + r"))$", page),
]
