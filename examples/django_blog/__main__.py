"""`python examples/django_blog`: bring its database up to date, and serve the blog on this machine."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
# run as a folder, this is no package: it is found as one beside its neighbours
sys.path.insert(0, str(HERE.parent))

from django.core.exceptions import ImproperlyConfigured  # noqa: E402
from django.core.management import CommandError, call_command  # noqa: E402

from shared.starting import Command  # noqa: E402

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

command = Command(HERE, 8002, "A Django blog")
command.add_listening()
given = command.parse()


@contextlib.contextmanager
def project(url: str) -> Iterator[WSGIApplication]:
    """The project, its moderator known, its blog at work."""
    options = {"URL": given.url or url, "DATA": str(given.data), "NAME": given.name}
    options |= {"PROTOCOLS": ",".join(given.protocols), "MODERATE": "yes" if given.moderate else ""}
    os.environ |= {f"BLOG_{name}": value for name, value in options.items()}
    os.environ["DJANGO_SETTINGS_MODULE"] = "django_blog.settings"
    import django

    django.setup()
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import User
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.wsgi import get_wsgi_application

    from linkback.adapters.django import site

    if not User.objects.exists():
        User.objects.create_superuser("admin", password="admin")  # noqa: S106 - on this machine, and printed
        print(f"moderate at {options['URL']}/admin/ as admin, with the password admin", flush=True)
    with site():
        yield StaticFilesHandler(get_wsgi_application())


sys.exit(command.serve(given.port, project, wrong=(ImproperlyConfigured, CommandError)))
