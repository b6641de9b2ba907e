"""The endpoints in a project's URLs: `path("linkback/", include("linkback.adapters.django.urls"))`."""

from django.urls import re_path

from linkback.adapters.django.blog import require_installed
from linkback.adapters.django.views import endpoints

# no check of ours runs in a project that has not installed the application
require_installed()

app_name = "linkback"
urlpatterns = [re_path(r"^(?P<path>.*)$", endpoints, name="endpoints")]
