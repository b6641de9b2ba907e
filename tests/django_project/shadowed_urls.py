"""A project whose pages take every path, before the endpoints do."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import include, path


def page(request: Any, slug: str) -> HttpResponse:
    """Any page."""
    return HttpResponse("<p>a page")


urlpatterns = [path("<path:slug>", page), path("linkback/", include("linkback.adapters.django.urls"))]
