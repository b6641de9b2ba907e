"""What the blog shows, and where it tells others of a post: `publish` and `unpublish`."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST, require_safe

from django_blog.blog.models import Comment, Post
from linkback import Refused
from linkback.adapters.django import publish, site, unpublish
from shared.addresses import readable

PostForm = forms.modelform_factory(Post, fields=("title", "body"), widgets={"body": forms.Textarea({"rows": 16})})


class CommentForm(forms.ModelForm):
    """What a reader writes: plain text. An answer is to a comment on the same post."""

    class Meta:
        model = Comment
        fields = ("author", "text", "parent")
        widgets = {"text": forms.Textarea({"rows": 5})}  # noqa: RUF012 - Django's way

    def __init__(self, post: Post, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.instance.post = post
        self.fields["parent"].queryset = post.comments.all()


def everywhere(request: HttpRequest) -> dict[str, str]:
    """What every page of the blog shows."""
    return {"blog_name": settings.BLOG_NAME}


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All posts, the newest first."""
    return render(request, "index.html", {"posts": Post.objects.filter(deleted=False).prefetch_related("comments")})


def write(request: HttpRequest, slug: str = "") -> HttpResponse:
    """Write a post, or change the one of a slug."""
    post = get_object_or_404(Post, slug=slug, deleted=False) if slug else Post()
    form = PostForm(request.POST or None, instance=post)
    if request.method == "POST" and form.is_valid():
        try:
            # the post and what it owes are one transaction
            with transaction.atomic():
                form.save()
                publish(post, render_to_string("article.html", {"post": post, "blog_name": settings.BLOG_NAME}))
            return redirect(post, preserve_request=False)
        except Refused as refusal:
            form.add_error(None, refusal.detail)
    return render(request, "write.html", {"form": form, "post": post})


@require_POST
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a post back: from now on its page says 410, and who was told of it hears that."""
    post = get_object_or_404(Post, slug=slug, deleted=False)
    with transaction.atomic():
        post.deleted = True
        post.save()
        unpublish(post)
    return redirect("index")


def post(request: HttpRequest, slug: str) -> HttpResponse:
    """A post with its thread, and the form for a comment."""
    return _shown(request, get_object_or_404(Post, slug=slug))


@require_POST
def comment(request: HttpRequest, slug: str) -> HttpResponse:
    """Add a comment."""
    post = get_object_or_404(Post, slug=slug, deleted=False)
    form = CommentForm(post, request.POST)
    if not form.is_valid():
        return _shown(request, post, form)
    return redirect(f"{post.get_absolute_url()}#comment-{form.save().pk}")


def _shown(request: HttpRequest, post: Post, form: CommentForm | None = None) -> HttpResponse:
    if post.deleted:
        return render(request, "error.html", {"message": "This post was deleted."}, status=410)
    form = form or CommentForm(post, initial={"parent": request.GET.get("reply")})
    # who asks writes what they like there
    answered = next((each for each in post.comments.all() if str(each.pk) == form["parent"].value()), None)
    return render(request, "post.html", {"post": post, "form": form, "answered": answered})


@require_safe
def deliveries(request: HttpRequest) -> HttpResponse:
    """How it went to tell others."""
    return render(request, "deliveries.html", {"deliveries": readable(site().deliveries())})
