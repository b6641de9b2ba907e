"""Posts and comments, and which URL means which post."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from django.db import models
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone

from linkback import Reason, Refused
from linkback.adapters.django import link
from linkback.web import render
from shared.comments import nested
from shared.slugs import slugs


class Post(models.Model):
    """A post. One that was deleted stays known, so that its page can say that it is gone."""

    slug = models.SlugField(max_length=80, unique=True, allow_unicode=True)
    title = models.CharField(max_length=200)
    body = models.TextField()
    published = models.DateTimeField(default=timezone.now)
    deleted = models.BooleanField(default=False)

    class Meta:
        ordering = ("-published", "-id")

    def __str__(self) -> str:
        return str(self.title)

    def get_absolute_url(self) -> str:
        """The post's permalink, as a path."""
        return str(reverse("post", args=[self.slug]))

    def save(self, *args: object, **options: object) -> None:
        """Save the post; a new one gets a slug of its own, from its title."""
        if not self.slug:
            self.slug = next(slug for slug in slugs(self.title) if not Post.objects.filter(slug=slug).exists())
        super().save(*args, **options)

    def thread_comments(self) -> list[render.Comment]:
        """The comments as linkback's thread takes them, each with the answers to it."""
        return nested((each.pk, each.parent_id, each.author, each.text, each.posted) for each in self.comments.all())


class Comment(models.Model):
    """A comment on a post, or an answer to another comment."""

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="comments")
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="answers")
    author = models.CharField(max_length=100)
    text = models.TextField(max_length=5000)
    posted = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("posted", "id")

    def __str__(self) -> str:
        return f"{self.author} on {self.post}"


def permalink(url: str) -> str | None:
    """The permalink of the post that a URL of this blog means, with or without its last slash."""
    try:
        found = resolve(unquote(urlsplit(url).path).rstrip("/") + "/")
    except Resolver404:
        return None
    post = Post.objects.filter(slug=found.kwargs["slug"]).first() if found.url_name == "post" else None
    if post is not None and post.deleted:
        raise Refused(Reason.TARGET_GONE)
    return link(post) if post is not None else None
