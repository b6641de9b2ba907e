"""The URLs of the blog."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from django_blog.blog import views

urlpatterns = [
    path("", views.index, name="index"),
    path("write", views.write, name="write"),
    path("posts/<str:slug>/", views.post, name="post"),
    path("posts/<str:slug>/edit", views.write, name="edit"),
    path("posts/<str:slug>/delete", views.delete, name="delete"),
    path("posts/<str:slug>/comments", views.comment, name="comment"),
    path("deliveries", views.deliveries, name="deliveries"),
    path("moderation", RedirectView.as_view(pattern_name="admin:linkback_mention_changelist"), name="moderation"),
    path("admin/", admin.site.urls),
    path("linkback/", include("linkback.adapters.django.urls")),
]
