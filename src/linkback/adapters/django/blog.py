"""The blog of this process: its `Site`, made of the settings when it is first needed, and how a project's own objects
and URLs are named to it."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.urls import reverse

from linkback import urls
from linkback.adapters.django import conf, signals
from linkback.errors import ConfigurationError, StoreError
from linkback.model import Delivery, Mention
from linkback.site import Site
from linkback.web.signposts import Signposts


@dataclass
class _Blog:
    site: Site
    settings: conf.DjangoSettings
    #: the process that its work was begun in; a fork takes no threads along
    process: int = 0


_lock = threading.Lock()
_blogs: list[_Blog] = []


def site() -> Site:
    """The `Site` that the settings mean: one for the process, made at the first call, over Django's own database.

    May be called from any thread, also after a fork; nothing is asked of the database for it. In an async view call its
    methods by `sync_to_async`. Raises `ImproperlyConfigured` for settings that are missing or wrong.
    """
    return _blog().site


def _blog() -> _Blog:
    with _lock:
        if not _blogs:
            _blogs.append(_make())
        return _blogs[0]


def _make() -> _Blog:
    # the models are there only once all applications are
    from linkback.adapters.django.store import DjangoStore

    try:
        settings = conf.read()
        store = DjangoStore(settings.using)
        site = settings.site(store=store, on_mention=_verified, on_removed=_removed, on_delivery=_delivered)
        return _Blog(site, settings)
    except (ConfigurationError, StoreError) as error:
        raise ImproperlyConfigured(str(error)) from error


def close(timeout: float = 12.0) -> None:
    """End the work of this process, waiting at most `timeout` seconds; the next `site()` is made anew."""
    with _lock:
        ended = _blogs[:]
        _blogs.clear()
    for each in ended:
        each.site.close(timeout)


def begin() -> None:
    """Have what an earlier process left lying about taken up, at the first call in this one."""
    made = _blog()
    if made.process != os.getpid():
        made.process = os.getpid()
        made.site.start()


def publish(post: object, html: str | bytes | None = None, **options: Any) -> list[Delivery]:
    """Owe what a post is to tell, as `Site.publish` does: call it when the post comes out, and after each edit.

    `post` is what `link` takes; `options` are those of `Site.publish`. Inside `transaction.atomic()` the deliveries are
    part of the transaction, and are made once it is committed.
    """
    owed = site().publish(link(post), html, **options)
    _wake()
    return owed


def unpublish(post: object, **options: Any) -> list[Delivery]:
    """Owe the news that a post is deleted, as `Site.unpublish` does; its page must answer 410 Gone from then on."""
    owed = site().unpublish(link(post), **options)
    _wake()
    return owed


def _wake() -> None:
    """Have the work begin when the transaction is over, also by a runner that knows of no transactions, as Celery's."""
    made = _blog()
    transaction.on_commit(made.site.start, using=made.settings.using, robust=True)


def link(post: object) -> str:
    """The absolute URL of a post on the blog's own address, whatever name the request came by.

    `post` is an object with `get_absolute_url`, a path or a URL. Raises `TypeError` for anything else, and `ValueError`
    for what is no URL.
    """
    text = post if isinstance(post, str) else _own_url(post)
    found = urls.resolve(text, site().url) if text else None
    if found is None:
        raise ValueError(f"{text!r} is no URL of a page")
    return found


def _own_url(post: object) -> str:
    get = getattr(post, "get_absolute_url", None)
    if get is None:
        raise TypeError(f"a post is a URL, a path or an object with get_absolute_url, not {post!r}")
    return str(get())


def signposts() -> Signposts:
    """How the endpoints stand in the project's URLs; raises `NoReverseMatch` where they do not, `ImproperlyConfigured`
    where they have no path of their own."""
    made, prefix = _blog(), reverse("linkback:endpoints", kwargs={"path": ""})
    try:
        return made.settings.signposts(made.site, prefix)
    except ConfigurationError as error:
        raise ImproperlyConfigured(str(error)) from error


def _verified(mention: Mention) -> None:
    signals.mention_verified.send_robust(sender=Site, mention=mention)


def _removed(mention: Mention) -> None:
    signals.mention_removed.send_robust(sender=Site, mention=mention)


def _delivered(delivery: Delivery) -> None:
    signals.delivery_finished.send_robust(sender=Site, delivery=delivery)
