"""The URLs of the blog."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from django_blog.blog import views

urlpatterns = [
    path("", views.index, name="index"),
    path("write", views.write, name="write"),
    path("posts/<slug:slug>/", views.post, name="post"),
    path("posts/<slug:slug>/edit", views.edit, name="edit"),
    path("posts/<slug:slug>/delete", views.delete, name="delete"),
    path("posts/<slug:slug>/comments", views.comment, name="comment"),
    path("deliveries", views.deliveries, name="deliveries"),
    path("moderation", RedirectView.as_view(pattern_name="admin:linkback_mention_changelist"), name="moderation"),
    path("admin/", admin.site.urls),
    path("linkback/", include("linkback.adapters.django.urls")),
]
