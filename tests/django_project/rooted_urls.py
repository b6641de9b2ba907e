"""A project whose endpoints would take every page."""

from django.urls import include, path

urlpatterns = [path("", include("linkback.adapters.django.urls"))]
