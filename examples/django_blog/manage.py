"""Django's own commands for the blog: `python examples/django_blog/manage.py linkback jobs`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_blog.settings")
    execute_from_command_line(sys.argv)
