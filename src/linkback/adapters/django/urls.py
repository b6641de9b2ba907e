"""The endpoints in a project's URLs: `path("linkback/", include("linkback.adapters.django.urls"))`."""

from django.urls import re_path

from linkback.adapters.django.views import endpoints

app_name = "linkback"
urlpatterns = [re_path(r"^(?P<path>.*)$", endpoints, name="endpoints")]
