"""A project whose endpoints stand somewhere else."""

from django.urls import include, path

from tests.django_project.bare_urls import urlpatterns as _pages

urlpatterns = [path("de/lb/", include("linkback.adapters.django.urls")), *_pages]
