"""The blog of this process: its `Site`, made of the settings when it is first needed, and how a project's own objects
and URLs are named to it."""

from __future__ import annotations

import atexit
import os
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.urls import reverse

from linkback import urls
from linkback.adapters.django import conf, runners, signals
from linkback.errors import ConfigurationError, StoreError
from linkback.model import Delivery, Mention
from linkback.site import Site
from linkback.web.signposts import Signposts

if TYPE_CHECKING:
    from linkback.adapters.django.store import DjangoStore

APPLICATION = "linkback.adapters.django"


@dataclass
class _Blog:
    site: Site
    settings: conf.DjangoSettings
    store: DjangoStore
    #: the process that it was made in
    maker: int = field(default_factory=os.getpid)
    #: the process that its work was begun in; a fork takes no threads along
    process: int = 0


#: how many seconds a process that ends waits for its jobs; what is cut short is given back
_AT_EXIT = 3.0

# the functions that the settings name may call us when they are imported
_lock = threading.RLock()
_blogs: list[_Blog] = []
#: not empty while one is made
_making: list[str] = []


def site() -> Site:
    """The `Site` that the settings mean: one for the process, made at the first call, over Django's own database.

    May be called from any thread, also after a fork; nothing is asked of the database for it. In an async view call its
    methods by `sync_to_async`. Raises `ImproperlyConfigured` for settings that are missing or wrong, and where
    the application is not in `INSTALLED_APPS`.
    """
    return _blog().site


def _blog() -> _Blog:
    with _lock:
        if not _blogs:
            _blogs.append(_made())
        return _blogs[0]


def _made() -> _Blog:
    if _making:
        raise ImproperlyConfigured(
            "linkback's site() was called while it is made of the settings: the module that LINKBACK['RESOLVE'] names"
            " calls it, or publish() or link(), when it is imported; call them inside its functions"
        )
    _making.append(APPLICATION)
    try:
        return _make()
    finally:
        _making.clear()


def require_installed() -> None:
    """Raise `ImproperlyConfigured`, with the line to write, where the project has not installed the application."""
    if apps.is_installed(APPLICATION):
        return
    if apps.is_installed("linkback"):
        line = f'"linkback" in INSTALLED_APPS is no Django application: write "{APPLICATION}" there'
    else:
        line = f'linkback is not installed in this project: add "{APPLICATION}" to INSTALLED_APPS'
    raise ImproperlyConfigured(line)


def _make() -> _Blog:
    require_installed()
    # the models are there only once all applications are
    from linkback.adapters.django.store import DjangoStore

    try:
        settings = conf.read()
        store = DjangoStore(settings.using)
        site = settings.site(store=store, on_mention=_verified, on_removed=_removed, on_delivery=_delivered)
        return _Blog(site, settings, store)
    except (ConfigurationError, StoreError) as error:
        raise ImproperlyConfigured(str(error)) from error


def close(timeout: float = 12.0) -> None:
    """End the work of this process, waiting at most `timeout` seconds; the next `site()` is made anew."""
    with _lock:
        ended = _blogs[:]
        _blogs.clear()
    for each in ended:
        each.site.close(timeout)


def _end() -> None:
    # what came here by a fork is its parent's to end, unless this process worked too
    if _blogs and (_blogs[0].maker == os.getpid() or runners.serves()):
        close(_AT_EXIT)


atexit.register(_end)


def begin() -> None:
    """Say that this process serves, and have what an earlier one left lying about taken up, at the first call in it."""
    made = _blog()
    runners.serve()
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
    using = made.settings.using
    if connections[using].in_atomic_block:
        transaction.on_commit(made.site.start, using=using, robust=True)
    else:
        # nobody tells when a host commits that does so by hand; who works looks again by itself
        made.site.start()


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


def lasting() -> AbstractContextManager[None]:
    """Around what must be kept when it is answered, also where the project's `AUTOCOMMIT` is off."""
    return _blog().store.lasting()


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
