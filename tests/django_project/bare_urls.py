"""The pages alone: a project that forgot the endpoints."""

from tests.django_project.urls import urlpatterns as _all

urlpatterns = [each for each in _all if getattr(each, "namespace", "") != "linkback"]
