"""`python examples/flask_blog`: serve the blog on this machine until it is told to stop."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
# run as a folder, this is no package: it is found as one beside its neighbours
sys.path.insert(0, str(HERE.parent))

from flask import Flask  # noqa: E402

from flask_blog import create_app, linkback  # noqa: E402
from shared.starting import Command  # noqa: E402

command = Command(HERE, 8001, "A Flask blog")
command.add_listening()
given = command.parse()


@contextlib.contextmanager
def blog(url: str) -> Iterator[Flask]:
    """The application, its blog at work."""
    settings = {"NAME": given.name, "PROTOCOLS": given.protocols, "MODERATE": given.moderate}
    named = {f"LINKBACK_{name}": value for name, value in settings.items()}
    app = create_app(given.url or url, given.data, **named)
    with app.app_context(), linkback.blog as listening:
        listening.start()
        yield app


sys.exit(command.serve(given.port, blog))
