"""The statements about posts."""

from __future__ import annotations

from typing import Any

from django.db.models import F

from linkback.adapters.django.models import Post
from linkback.store import Edit


def lock(connection: str, key: str) -> None:
    """Have the row of a post, where there is one, to oneself until the transaction ends."""
    Post.objects.using(connection).filter(key=key).update(gone=F("gone"))


def find(connection: str, key: str) -> Any:
    """The row of a post, None where there is none."""
    return Post.objects.using(connection).filter(key=key).first()


def put(connection: str, key: str, edit: Edit, *, new: bool) -> None:
    """Write what a post says now."""
    values = {"content": edit.content, "gone": edit.gone, "changed": edit.now, "comes_out": edit.at}
    if new:
        Post.objects.using(connection).bulk_create([Post(key=key, site=edit.site, url=edit.source, **values)])
    else:
        Post.objects.using(connection).filter(key=key).update(**values)
