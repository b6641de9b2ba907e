"""What `manage.py check` says of how a project was put together, each with the line that mends it.

Rule: without `--database` no database is asked, and without `--deploy` no network.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve
from django.utils.module_loading import import_string

from linkback import doctor, startup, urls
from linkback.adapters.django import blog, conf
from linkback.adapters.django.models import Mention
from linkback.errors import ConfigurationError
from linkback.explain import Verdict
from linkback.site import Site
from linkback.web.signposts import Signposts

MIDDLEWARE = "linkback.adapters.django.middleware.LinkbackMiddleware"
WORKER = "manage.py linkback worker"
_SETTINGS = f'LINKBACK = {{"SITE": "https://bob.example"}} is enough; it may have {", ".join(list(conf.KNOWN)[1:])} too'
_INCLUDE = 'path("linkback/", include("linkback.adapters.django.urls"))'
_PACKERS = ("django.middleware.gzip.GZipMiddleware", "django.middleware.http.ConditionalGetMiddleware")
#: what keeps other sites' pages from using the admin by the hand of whoever is signed in to it
_GUARDS = {
    "django.middleware.csrf.CsrfViewMiddleware": "send its forms",
    "django.middleware.clickjacking.XFrameOptionsMiddleware": "show it in a frame, under buttons of their own",
}
#: steps of the doctor that need the network
_OUTSIDE = frozenset({"page", "endpoints", "reachable"})

Messages = list[checks.CheckMessage]


@checks.register("linkback")
def settings_and_urls(app_configs: object, **more: Any) -> Messages:
    """E001: LINKBACK cannot be used. E002: no URLs lead to the endpoints, or others are found before them. E003: they
    have no path of their own, or BASE is no URL that they can have."""
    try:
        site = _site()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), hint=_SETTINGS, id="linkback.E001")]
    if not getattr(settings, "ROOT_URLCONF", ""):
        return []
    try:
        return _leading_elsewhere(blog.signposts())
    except NoReverseMatch:
        why = f"no URLs lead to the endpoints of {site.url}, so nothing can be received"
        return [checks.Error(why, hint=f"add to urlpatterns: {_INCLUDE}", id="linkback.E002")]
    except ImproperlyConfigured as error:
        hint = f"include them under a prefix: {_INCLUDE}"
        if isinstance(error.__cause__, conf.BadBase):
            hint = "leave LINKBACK['BASE'] out, or give the whole URL that a proxy has the endpoints at"
        return [checks.Error(str(error), hint=hint, id="linkback.E003")]


def _leading_elsewhere(signposts: Signposts) -> Messages:
    """What is wrong where Django would give a claim to another view: the first pattern that fits a path has it."""
    for protocol in signposts.blog.protocols:
        path = f"{signposts.prefix}/{protocol.name}"
        try:
            found = resolve("/" + path.removeprefix(get_script_prefix()))
        except Resolver404:
            taker = "nobody"
        else:
            if "linkback" in found.app_names:
                continue
            view = getattr(found.func, "view_class", found.func)
            name = f"{view.__module__}.{getattr(view, '__qualname__', type(view).__name__)}"
            taker = f'{name}, whose pattern "{found.route}" stands before them'
        why = f"what comes for the endpoints, as {path}, is given to {taker}"
        return [checks.Error(why, hint=f"put first in urlpatterns: {_INCLUDE}", id="linkback.E002")]
    return []


@checks.register("linkback")
def middleware(app_configs: object, **more: Any) -> Messages:
    """W001: the middleware is missing. W002: it stands before one that packs or tags the page."""
    listed = list(settings.MIDDLEWARE)
    if MIDDLEWARE not in listed:
        hint = f'add "{MIDDLEWARE}" at the end of MIDDLEWARE; or put {{% linkback_head %}} in the head of every post'
        return [
            checks.Warning("no page advertises where it listens", hint=f"{hint}, and silence this", id="linkback.W001")
        ]
    late = [each for each in listed[listed.index(MIDDLEWARE) :] if each in _PACKERS]
    if late:
        why = f"{', '.join(each.rpartition('.')[2] for each in late)} would have to see the page that we add to"
        return [checks.Warning(why, hint=f'move "{MIDDLEWARE}" to the end of MIDDLEWARE', id="linkback.W002")]
    return []


@checks.register("linkback")
def moderation(app_configs: object, **more: Any) -> Messages:
    """W003: mentions are moderated in an admin that pages of other sites can send forms to, or show in a frame."""
    if not apps.is_installed("django.contrib.admin"):
        return []
    missing = {name: danger for name, danger in _GUARDS.items() if not any(map(_made_of(name), settings.MIDDLEWARE))}
    if not missing:
        return []
    why = f"mentions are moderated in the admin, and pages of other sites could {' and '.join(missing.values())}"
    lines = " and ".join(f'"{name}"' for name in missing)
    hint = f"add {lines} to MIDDLEWARE; silence this where something else does the same"
    return [checks.Warning(why, hint=hint, id="linkback.W003")]


def _made_of(name: str) -> Callable[[str], bool]:
    """Whether a middleware is the one of that name, or a project's own that is made of it."""
    wanted = import_string(name)

    def made(listed: str) -> bool:
        try:
            found = import_string(listed)
        except ImportError:
            # Django itself tells of it
            return False
        return isinstance(found, type) and issubclass(found, wanted)

    return made


@checks.register("linkback")
def networks(app_configs: object, **more: Any) -> Messages:
    """W004: strangers may have the blog ask for what is this machine's own."""
    try:
        opened = startup.open_networks(_site())
    except ImproperlyConfigured:
        return []
    return [checks.Warning(trouble.message, hint=trouble.fix, id="linkback.W004") for trouble in opened]


@checks.register("linkback", checks.Tags.database)
def records(app_configs: object, databases: Collection[str] | None = None, **more: Any) -> Messages:
    """W010: the tables are missing. W011: what `linkback.startup` sees in them, as work that has waited for an hour and
    a half: with `WORKERS` 0, so that cron may drain each hour, and for another site than `SITE` always."""
    try:
        using = conf.read().using
        if using not in (databases or ()):
            return []
        tables = set(connections[using].introspection.table_names())
    except (ConfigurationError, DatabaseError):
        # E001 tells of the one, Django itself of the other
        return []
    if Mention._meta.db_table not in tables:
        if "migrate" in sys.argv[1:]:
            # it looks before it makes them
            return []
        command = "manage.py migrate" + ("" if using == DEFAULT_DB_ALIAS else f" --database {using}")
        why = f"the tables of linkback are not in the database {using!r}"
        return [checks.Warning(why, hint=command, id="linkback.W010")]
    try:
        troubles = startup.of_records(_site(), worker=WORKER)
    except ImproperlyConfigured:
        return []
    return [checks.Warning(f"{trouble.message}", hint=trouble.fix, id="linkback.W011") for trouble in troubles]


@checks.register("linkback", deploy=True)
def deployed(app_configs: object, **more: Any) -> Messages:
    """W020: the blog's address is none that others can reach, or not by https. W021: nobody can reach an endpoint."""
    try:
        site = _site()
    except ImproperlyConfigured:
        return []
    if (host := urls.host(site.url)) in ("localhost", "127.0.0.1", "[::1]") or not site.url.startswith("https://"):
        why = f"{site.url} is no address for others" if not host.count(".") else f"{site.url} is not https"
        return [checks.Warning(why, hint="LINKBACK['SITE'] is what other blogs are told", id="linkback.W020")]
    return [
        checks.Warning(f"{step.name}: {step.summary}", hint="manage.py linkback doctor", id="linkback.W021")
        for step in doctor.steps(site.fetch, [site.pages], site.store)
        if step.name in _OUTSIDE and step.verdict is Verdict.NO
    ]


def _site() -> Site:
    return blog.site()


__all__: Sequence[str] = ("deployed", "middleware", "moderation", "networks", "records", "settings_and_urls")
