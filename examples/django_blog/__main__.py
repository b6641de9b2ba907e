"""Start the blog: `python examples/django_blog --help`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from linkback import LinkbackError
from linkback.adapters.server import Server

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

HERE = Path(__file__).resolve().parent


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="django_blog", description="A blog that listens. It has no login: keep it on loopback."
    )
    parser.add_argument("--port", type=int, default=8002, help="where to listen on 127.0.0.1; 0 takes a free port")
    parser.add_argument("--data", type=Path, default=HERE / "data", help="the folder of its database")
    parser.add_argument("--url", default="", help="its public address; where it listens by default")
    parser.add_argument("--protocols", default="webmention,pingback,trackback", help="those to speak, with commas")
    parser.add_argument("--moderate", action="store_true", help="hold mentions until they are approved")
    parser.add_argument("--name", default="Django's blog", help="what the blog is called")
    return parser.parse_args()


def prepared(url: str, given: argparse.Namespace) -> WSGIApplication:
    """The project, its database brought up to date, its moderator known."""
    given.data.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "django_blog.settings",
        "BLOG_URL": url,
        "BLOG_DATA": str(given.data),
        "BLOG_NAME": given.name,
        "BLOG_PROTOCOLS": given.protocols,
        "BLOG_MODERATE": "yes" if given.moderate else "",
    }
    sys.path.insert(0, str(HERE.parent))
    import django

    django.setup()
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import User
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.wsgi import get_wsgi_application

    if not User.objects.exists():
        User.objects.create_superuser("admin", password="admin")  # noqa: S106 - on loopback, and printed
        print(f"moderate at {url}/admin/ as admin, with the password admin", flush=True)
    application: Any = StaticFilesHandler(get_wsgi_application())
    return application  # type: ignore[no-any-return]


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; the number is what the process ends with."""
    given = options()
    waiting: list[WSGIApplication] = []
    try:
        # the port is known once it is taken, and the blog's address with it
        server = Server(lambda environ, start_response: waiting[0](environ, start_response), f"127.0.0.1:{given.port}")
        waiting.append(prepared(given.url.rstrip("/") or server.url, given))
    except (OSError, LinkbackError, ImproperlyConfigured, CommandError) as error:
        print(f"django_blog: {error}", file=sys.stderr)
        return 1
    from linkback.adapters.django import site

    with site():
        try:
            server.run(lambda: print(f"listening on {server.url}", flush=True))
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
