"""Empty databases of every kind as Django knows them, with the tables that its migrations make.

A server's is a schema, or a database, of its own beside that of the other store's tests.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command
from django.db import connections
from sqlalchemy import make_url

from tests.databases import SERVERS, Databases

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.django_project.settings")
django.setup()

from linkback.adapters.django import models  # noqa: E402 - models want applications that are loaded
from linkback.adapters.django.store import DjangoStore  # noqa: E402

_ENGINES = {"postgresql": "django.db.backends.postgresql", "mysql": "django.db.backends.mysql"}


class DjangoDatabases:
    """The databases of one run of the tests, made when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers = Databases()
        self._ready: set[str] = set()

    def settings(self, kind: str, folder: Path) -> dict[str, Any]:
        """An entry of `DATABASES` for an empty database of a kind, with no tables where it is a new file."""
        kind = kind.removeprefix("django ")
        if kind not in SERVERS:
            return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "django.db")}
        url = make_url(self._servers.server(kind).url)
        options = {name: value for name, value in url.query.items() if name != "timeout"}
        place = {"HOST": url.host, "PORT": str(url.port or ""), "USER": url.username, "PASSWORD": url.password or ""}
        return {"ENGINE": _ENGINES[kind], "NAME": url.database, "OPTIONS": options, **place}

    def url(self, kind: str, folder: Path) -> str:
        """Where the other store would look for the database of a kind."""
        kind = kind.removeprefix("django ")
        return self._servers.server(kind).url if kind in SERVERS else f"sqlite:///{folder / 'django.db'}"

    def add(self, alias: str, settings: dict[str, Any]) -> str:
        """Have Django know a database, or know it anew; give its alias."""
        self.forget(alias)
        known = connections.configure_settings({"default": {}, alias: settings})
        connections.databases[alias] = known[alias]
        return alias

    def forget(self, alias: str) -> None:
        """Close this thread's connection to a database and have Django forget it."""
        if alias in connections.databases:
            connections[alias].close()
            del connections[alias]
            del connections.databases[alias]

    def empty(self, kind: str, folder: Path, **more: Any) -> str:
        """The alias of a database of a kind with our tables and nothing in them; `more` are settings of it."""
        alias = self.add(kind.replace(" ", "_"), {**self.settings(kind, folder), **more})
        if kind == "django sqlite file":
            shutil.copy(self._template(), folder / "django.db")
        elif alias not in self._ready:
            call_command("migrate", database=alias, verbosity=0)
            self._ready.add(alias)
        else:
            for model in (models.MentionProtocol, *_MODELS):
                model.objects.using(alias).all()._raw_delete(alias)
        return alias

    def store(self, kind: str, folder: Path) -> DjangoStore:
        """A store on an empty database of a kind."""
        return DjangoStore(self.empty(kind, folder))

    def _template(self) -> Path:
        made = self._folder / "template.db"
        if not made.exists():
            alias = self.add("template", {"ENGINE": "django.db.backends.sqlite3", "NAME": str(made)})
            call_command("migrate", database=alias, verbosity=0)
            self.forget(alias)
        return made

    def close(self) -> None:
        """Leave nothing behind."""
        for alias in set(connections.databases) - {"default"}:
            self.forget(alias)
        self._servers.close()


_MODELS = (models.Claim, models.Mention, models.Post, models.Delivery, models.Job, models.Host)
