"""Django, set up once for the process, on a database of its own for each test that asks for one."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.django_project.settings")
django.setup()


@contextlib.contextmanager
def on_database(path: Path) -> Iterator[None]:
    """The default database in the file at `path`, also for other threads, for the length of a `with` block."""
    from linkback.adapters.django import blog

    settings = connections.settings["default"]
    before = settings["NAME"]
    _switch(settings, str(path))
    try:
        yield
    finally:
        blog.close(timeout=5)
        _switch(settings, before)


def _switch(settings: dict[str, Any], name: str) -> None:
    connections["default"].close()
    # each thread makes its connection of what stands here
    settings["NAME"] = name
    del connections["default"]


@contextlib.contextmanager
def project(template: Path, path: Path, **linkback: Any) -> Iterator[None]:
    """A project whose `LINKBACK` is as given besides, on a copy of a database that was migrated."""
    shutil.copy(template, path)
    given = {"SITE": "https://t.example", "RESOLVE": "tests.signposting.resolve", "WORKERS": 0, **linkback}
    with on_database(path), override_settings(LINKBACK=given):
        yield


def migrate(path: Path) -> Path:
    """A database with all tables, to be copied."""
    with on_database(path):
        call_command("migrate", verbosity=0)
    return path
