"""Comments can be taken out in the admin; mentions are linkback's, beside them."""

from __future__ import annotations

from django.contrib import admin

from django_blog.blog.models import Comment

admin.site.register(Comment)
