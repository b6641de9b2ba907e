"""Posts and comments, and which URL means which post."""

from __future__ import annotations

from collections import defaultdict
from urllib.parse import unquote, urlsplit

from django.db import models
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone
from django.utils.text import slugify

from linkback import Reason, Refused
from linkback.adapters.django import link
from linkback.web import render


class Post(models.Model):
    """A post. One that was deleted stays known, so that its page can say that it is gone."""

    slug = models.SlugField(max_length=80, unique=True)
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
            base = slugify(self.title)[:60] or "post"
            taken = set(Post.objects.filter(slug__startswith=base).values_list("slug", flat=True))
            names = (base if n == 1 else f"{base}-{n}" for n in range(1, len(taken) + 2))
            self.slug = next(name for name in names if name not in taken)
        super().save(*args, **options)

    def thread_comments(self) -> list[render.Comment]:
        """The comments as linkback's thread takes them, each with the answers to it."""
        answers: dict[int | None, list[render.Comment]] = defaultdict(list)
        # the newest first: whoever answers came after what is answered
        for comment in reversed(list(self.comments.all())):
            answers[comment.parent_id].insert(0, comment.shown(answers[comment.pk]))
        return answers[None]


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

    def shown(self, replies: list[render.Comment]) -> render.Comment:
        """The comment for the thread, with the answers to it."""
        return render.Comment(
            self.author, self.text, self.posted, id=str(self.pk), reply_url=f"?reply={self.pk}#respond", replies=replies
        )


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
